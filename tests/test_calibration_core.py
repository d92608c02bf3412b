"""The error rates of the one inference core, in every scope: items lost on one side, few changes, clusters, and tasks like these.

The suite runs each setting some 400 times, `make calibrate` 2,000 times. Each wrong analysis that the core replaces fails these bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from calibrated import WHOLE, R, keep, mcse
from promptlab import stats
from promptlab.planning.size import Size
from promptlab.reporting.history import _drift
from promptlab.stats.core import Inference, Pairs
from test_verdicts import SETTING, plan

pytestmark = pytest.mark.calibration
LOST, FEW, GROUPS, TASKS, NEUTRAL, PROMPTS = "Lost answers", "Few changes", "Clusters", "Tasks", "Neutral sentences", "Base prompts"


def pair(s: np.ndarray, b: np.ndarray, clusters: np.ndarray | None = None) -> Pairs:
    return Pairs(task="t", s=s.astype(float), b=b.astype(float), clusters=clusters, n_planned=len(s))


def claimed(found: Inference, alpha: float = 0.05) -> bool:
    return found.status != "too_few_clusters" and found.p_value is not None and found.p_value <= alpha


def covers(found: Inference, truth: float) -> bool:
    return found.ci is not None and found.ci[0] <= truth <= found.ci[1]


# --- few changed answers -------------------------------------------------------------------------------------------------

SHAPES = [(1, 150), (6, 25), (6, 40), (1, 220)]


def only_gains(k: int, n: int, gain: float, rng: np.random.Generator, right: float = 0.5) -> list[Pairs]:
    b = rng.random((k, n)) < right * (1 - gain)
    gained = ~b & (rng.random((k, n)) < gain / (1 - right * (1 - gain)))
    return [pair(x | y, x) for x, y in zip(b, gained, strict=True)]


@pytest.mark.parametrize(("k", "n"), SHAPES)
def test_a_difference_at_the_margin_is_called_the_same_in_5_percent(k: int, n: int) -> None:
    rng = np.random.default_rng([k, n])
    found = [stats.infer(only_gains(k, n, 0.02, rng)) for _ in range(R)]
    same = [(tost := f.equivalence(0.02, 0.05)) is not None and tost[0] <= 0.05 for f in found]
    keep(FEW, "'same' within 2 points where the truth is +2, all gains", f"{k} x {n}", same, 0.05)
    wald = [f.diff + 1.645 * f.error < 0.02 for f in found]
    keep(FEW, "the same by a Wald error, which is wrong", f"{k} x {n}", wald, 0.05, "wrong")


@pytest.mark.long(but=3)
@pytest.mark.parametrize(("k", "sizes"), [(6, (25,)), (6, (40, 15)), (3, (100, 30, 20)), (12, (30,))])
@pytest.mark.parametrize("change", [0.04, 0.15])
def test_few_changes_over_tasks_keep_level_and_coverage(k: int, sizes: Sequence[int], change: float) -> None:
    rng = np.random.default_rng([k, len(sizes), int(100 * change)])
    rejected, covered = [], []
    for _ in range(R):
        pairs = []
        for t in range(k):
            n = sizes[t % len(sizes)]
            b = rng.random(n) < 0.6
            pairs.append(pair(np.where(rng.random(n) < change, rng.random(n) < 0.6, b), b))
        found = stats.infer(pairs)
        rejected.append(claimed(found))
        covered.append(covers(found, 0.0))
    words = f"{k} tasks of {' or '.join(map(str, sizes))}, {100 * change:g} % drawn anew"
    keep(FEW, "false finding", words, rejected, 0.05)
    keep(FEW, "interval covers 0", words, covered, 0.935, "at least")


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("k", "n", "gain"), [(1, 150, 0.02), (6, 40, 0.05), (1, 400, 0.05), (6, 60, 0.1)])
def test_the_interval_over_tasks_covers_what_is_there(k: int, n: int, gain: float) -> None:
    rng = np.random.default_rng([k, n, int(100 * gain)])
    covered = []
    for _ in range(R):
        b = rng.random((k, n)) < 0.6
        up, down = ~b & (rng.random((k, n)) < gain / 0.4), b & (rng.random((k, n)) < 0.02)
        covered.append(covers(stats.infer([pair((x | y) & ~z, x) for x, y, z in zip(b, up, down, strict=True)]), gain - 0.012))
    keep(FEW, "interval covers what is there", f"{k} x {n}, {100 * gain:g} % gained, 1.2 % lost", covered, 0.93, "at least")


# --- clusters ------------------------------------------------------------------------------------------------------------


def clustered(sizes: Sequence[int], rng: np.random.Generator) -> Pairs:
    """Right-or-wrong answers; half of what makes two runs differ is shared in a cluster."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    shift = rng.normal(0, 0.2, len(sizes))[codes]
    s, b = rng.random(len(codes)) < 0.5 + shift / 2, rng.random(len(codes)) < 0.5 - shift / 2
    return pair(s, b, codes)


CLUSTERS = {"2": [30] * 2, "3": [20] * 3, "5": [12] * 5, "10": [10] * 10, "10 unequal": [2, 2, 4, 4, 6, 8, 10, 12, 20, 32], "15": [6] * 15}


@pytest.mark.long(but=4)
@pytest.mark.parametrize("sizes", CLUSTERS.values(), ids=CLUSTERS.keys())
@pytest.mark.parametrize("k", [1, 3, 9] if WHOLE else [1, 3])
def test_clusters_keep_the_level_in_a_task_over_tasks_and_against_itself(k: int, sizes: Sequence[int]) -> None:
    rng = np.random.default_rng([k, *sizes])
    found = [stats.infer([clustered(sizes, rng) for _ in range(k)]) for _ in range(R)]
    words = (
        f"{k} task{'s' if k > 1 else ''}, {len(sizes)} clusters of {' or '.join(map(str, dict.fromkeys((min(sizes), max(sizes)))))} items"
    )
    keep(GROUPS, "false finding", words, [claimed(f) for f in found], 0.05)
    if len(sizes) < 10 and k == 1:
        assert {f.status for f in found} == {"too_few_clusters"}
    keep(GROUPS, "interval covers 0", words, [covers(f, 0.0) for f in found], 0.93, "at least")
    alarms = [(ci := f.interval(0.999)) is not None and not ci[0] <= 0 <= ci[1] for f in found]
    keep(GROUPS, "an honest model fails its A/A check", words, alarms, 0.001)


@pytest.mark.parametrize("words", ["5", "10", "10 unequal", "15"] if WHOLE else ["10 unequal"])
def test_a_replication_and_a_drift_over_time_know_clusters(words: str) -> None:
    rng = np.random.default_rng([8, *CLUSTERS[words]])
    found = [[clustered(CLUSTERS[words], rng) for _ in range(3)] for _ in range(R)]
    what = f"3 tasks, {words} clusters"
    errors = [stats.normal_error(*zip(*map(stats.error_of_task, pairs), strict=True)) for pairs in found]
    means = [float(np.mean([p.d.mean() for p in pairs])) for pairs in found]
    inside = [abs(mean) <= 1.96 * error for mean, error in zip(means, errors, strict=True)]
    keep(GROUPS, "replicate: interval covers 0", what, inside, 0.93, "at least")
    says = [_drift("before", pairs, 0.95).says == "drift" for pairs in found]
    keep(GROUPS, "history: a provider that did not drift is said to have", what, says, 0.05)


def test_a_normal_quantile_on_the_cluster_error_fails_these_bounds() -> None:
    rng = np.random.default_rng(5)
    found = [stats.infer([clustered(CLUSTERS["3"], rng)]) for _ in range(R)]
    keep(
        GROUPS,
        "a normal quantile on the cluster error, which is wrong",
        "3 clusters",
        [abs(f.diff) > 1.96 * f.error for f in found],
        0.08,
        "wrong",
    )


def test_the_best_of_several_flips_whole_clusters() -> None:
    rng = np.random.default_rng(11)
    runs, codes = R // 2, np.repeat(np.arange(15), 6)
    wrong: list[bool] = []
    right: list[bool] = []
    held: list[bool] = []
    for _ in range(runs):
        d = rng.normal(0, 0.2, (4, 15))[:, codes] + rng.normal(0, 0.2, (4, 90))
        own, single = (stats.best_stimulus(d, partitions=1, n_resamples=199, n_bootstrap=10, clusters=c) for c in (codes, None))
        right.append(own.p is not None and own.p <= 0.05)
        wrong.append(single.p is not None and single.p <= 0.05)
        held.append(own.ci is not None and own.ci[0] <= 0 <= own.ci[1])
    keep(GROUPS, "false best of four", "15 clusters of 6", right, 0.05)
    keep(GROUPS, "simultaneous interval of the best covers 0", "15 clusters of 6", held, 0.93, "at least")
    keep(GROUPS, "the best by flips of single items, which is wrong", "15 clusters of 6", wrong, 0.05, "wrong")


# --- these tasks, and tasks like these -----------------------------------------------------------------------------------


@pytest.mark.long(but=2)
@pytest.mark.parametrize("k", [3, 6, 9, 10, 20, 45] if WHOLE else [3, 9, 10])
@pytest.mark.parametrize("spread", [0.0, 0.03, 0.05] if WHOLE else [0.0, 0.05])
def test_each_generalisation_keeps_its_own_level_at_any_number_of_tasks(k: int, spread: float) -> None:
    rng = np.random.default_rng([k, int(100 * spread)])
    these, like, cover_these, cover_like = [], [], [], []
    for _ in range(R):
        effects = rng.normal(0, spread, k) if spread else np.zeros(k)
        b = rng.random((k, 60)) < 0.5
        moved = rng.random((k, 60))
        up, down = ~b & (moved < 0.1 + effects[:, None]), b & (moved < 0.1 - effects[:, None])
        pairs = [pair((x | y) & ~z, x) for x, y, z in zip(b, up, down, strict=True)]
        truth = float(np.mean(np.clip(0.1 + effects, 0, 1) - np.clip(0.1 - effects, 0, 1))) / 2
        own, wide = stats.infer(pairs), stats.like_these(pairs)
        these.append(claimed(own))
        cover_these.append(covers(own, truth))
        like.append(wide is not None and claimed(wide))
        cover_like.append(wide is None or covers(wide, 0.0))
    words = f"{k} tasks of 60, effects differ by {100 * spread:g} points"
    keep(TASKS, "false finding for tasks like these", words, like, 0.05)
    keep(TASKS, "interval for tasks like these covers 0", words, cover_like, 0.93, "at least")
    keep(TASKS, "interval for these tasks covers their mean", words, cover_these, 0.93, "at least")
    if not spread:
        keep(TASKS, "false finding for these tasks", words, these, 0.05)
    elif spread == 0.05 and k >= 9:
        keep(TASKS, "these tasks' error taken for tasks like them, which is wrong", words, these, 0.05, "wrong")


# --- lost answers --------------------------------------------------------------------------------------------------------


def lost_runs(rate: float, both: bool, effect: float = 0.0, n_runs: int = max(R // 20, 1)) -> list[Any]:
    """Comparisons of runs in which wrong answers of the treatment get lost (or random ones of both arms); three answers an item."""
    rng = np.random.default_rng([int(1000 * rate), both])
    n, k, found = 100, 3, []
    names = [f"s{i}" for i in range(20)]
    made = dataclasses.replace(plan({"t": n}, names), replicates=k)
    for _ in range(n_runs):  # twenty sentences a run
        p = rng.beta(0.7, 0.7, n)[None, :, None]
        answers = (rng.random((22, n, k)) < p + np.array([0, 0, *[effect] * 20])[:, None, None]).astype(float)
        gone = rng.random(answers.shape) < rate if both else (answers == 0) & (rng.random(answers.shape) < 2 * rate)
        gone[:2] &= both
        answers[gone] = np.nan
        arm, item, repeat = (x.ravel() for x in np.indices(answers.shape))
        frame = pd.DataFrame({
            "model": "m", "setting": SETTING.id, "task": "t", "item": np.array([f"t-{i}" for i in range(n)])[item],
            "arm": np.array(["none", "none_aa", *names])[arm], "replicate": repeat, "score": answers.ravel(), "cluster": None,
        })  # fmt: skip
        found += [c for c in stats.analyse(frame, made) if c.scope == "stimulus"]
    return found


@pytest.mark.long
@pytest.mark.parametrize("rate", [0.019, 0.043, 0.088] if WHOLE else [0.088])
def test_answers_that_only_the_treatment_loses_make_no_finding(rate: float) -> None:
    found = lost_runs(rate, both=False)
    assert np.mean([c.missing_treatment for c in found]) == pytest.approx(rate, rel=0.15)
    words = f"{100 * rate:.1f} % of the treatment's answers lost, all wrong ones"
    keep(LOST, "false gain", words, [c.verdict == "helps" for c in found], 0.05)
    if rate > 0.08:
        naive = [c.p_value is not None and c.p_value <= 0.05 and (c.diff or 0) > 0 for c in found]
        keep(LOST, "the items that are left, taken as they are, which is wrong", words, naive, 0.05, "wrong")


@pytest.mark.long
def test_answers_lost_by_chance_on_both_sides_silence_nothing() -> None:
    found = lost_runs(0.1, both=True, effect=0.15)
    whole = lost_runs(0.0, both=True, effect=0.15, n_runs=max(R // 80, 1))
    power, best = (np.mean([c.verdict == "helps" for c in runs]) for runs in (found, whole))
    keep(
        LOST,
        "a gain of 15 points is found, 20 sentences",
        "10 % lost by chance on both sides",
        [c.verdict == "helps" for c in found],
        0.5 * best,
        "at least",
    )
    assert power > 0.5 * best


# --- base prompts as a sample ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_levels", [3, 5, 8] if WHOLE else [5])
@pytest.mark.parametrize("spread", [0.0, 0.04])
def test_prompts_like_these_keep_their_own_level(spread: float, n_levels: int) -> None:
    """The effect in each base prompt differs by chance: what is true of these prompts is not true of others like them."""
    rng = np.random.default_rng([9, int(100 * spread), n_levels])
    k, n, found = 6, 60, []
    for _ in range(R):
        p, moves = rng.beta(2.8, 1.2, (k, n, 1)), rng.normal(0, spread, n_levels)
        s, b = (rng.random((k, n, n_levels)) < np.clip(p + by, 0, 1) for by in (moves, 0.0))
        these = stats.infer([pair(s[t].mean(axis=1), b[t].mean(axis=1)) for t in range(k)])
        found.append((these, stats.like_levels(these, list(s.mean(axis=1) - b.mean(axis=1)), "prompt")))
    words = f"{k} x {n}, {n_levels} of them, effects differ by {100 * spread:g} points"
    like = [other is not None and claimed(other) for _, other in found]
    keep(PROMPTS, "false finding for base prompts like these", words, like, 0.05)
    if spread:
        keep(PROMPTS, "these taken for prompts like them, which is wrong", words, [claimed(these) for these, _ in found], 0.05, "wrong")


# --- neutral sentences ---------------------------------------------------------------------------------------------------


def sentences(spread: float, n_placebos: int, rng: np.random.Generator, k: int = 20, n: int = 60, gain: float = 0.0) -> list[Pairs]:
    """A sentence and its neutral ones; every sentence, whatever it says, moves all scores by an amount with this standard deviation."""
    p = rng.beta(2.8, 1.2, (1, k, n))  # 70 % right; two runs disagree on a third of the items
    moves = rng.normal(0, spread, (1 + n_placebos, 1, 1)) if spread else np.zeros((1 + n_placebos, 1, 1))
    moves[0] += gain
    scores = (rng.random((1 + n_placebos, k, n)) < np.clip(p + moves, 0, 1)).astype(float)
    means = scores[1:].mean(axis=2).T
    return [dataclasses.replace(pair(scores[0, t], scores[1:, t].mean(axis=0)), controls=tuple(means[t].tolist())) for t in range(k)]


def beyond(pairs: list[Pairs], n_placebos: int) -> tuple[Inference, Inference | None]:
    these = stats.infer(pairs)
    return these, stats.like_sentences(pairs, these, (1.0,), (1 / n_placebos,) * n_placebos)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("n_placebos", [1, 3, 5, 8] if WHOLE else [1, 5])
@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_each_claim_about_neutral_sentences_keeps_its_own_level(spread: float, n_placebos: int) -> None:
    rng = np.random.default_rng([int(100 * spread), n_placebos])
    found = [beyond(sentences(spread, n_placebos, rng), n_placebos) for _ in range(R)]
    words = f"20 x 60, {n_placebos} of them, sentences differ by {100 * spread:g} points"
    if spread:
        keep(NEUTRAL, "these taken for sentences like them, which is wrong", words, [claimed(f) for f, _ in found], 0.05, "wrong")
    else:
        keep(NEUTRAL, "false finding against these", words, [claimed(f) for f, _ in found], 0.05)
    if n_placebos < 5:
        assert all(like is None for _, like in found)
    else:
        keep(NEUTRAL, "false finding against sentences like these", words, [like is not None and claimed(like) for _, like in found], 0.05)
        keep(
            NEUTRAL,
            "interval against sentences like these covers 0",
            words,
            [like is None or covers(like, 0) for _, like in found],
            0.93,
            "at least",
        )


# --- power ---------------------------------------------------------------------------------------------------------------

CONTROLS = {
    "the baseline alone": (1, 0.62), "the baseline and its repeat": (2, 0.72), "one neutral sentence": (1, 0.62),
    "three neutral sentences": (3, 0.76), "six, the default of two sentences alike": (6, 0.8), "eight, of three or more": (8, 0.81),
}  # fmt: skip


@pytest.mark.long(but=2)
@pytest.mark.parametrize("control", CONTROLS)
def test_power_is_what_the_plan_says(control: str) -> None:
    n_controls, least = CONTROLS[control]
    rng, k, n, effect = np.random.default_rng(n_controls), 6, 60, 0.05
    seen = []
    for _ in range(R):
        p = rng.beta(0.7 * SPREAD, 0.3 * SPREAD, (k, n))
        s = rng.random((k, n)) < p + effect * (1 - p) / 0.3
        b = rng.binomial(n_controls, p) / n_controls
        seen.append(stats.infer([pair(x, y) for x, y in zip(s, b, strict=True)], rate=0.025).p_value)
    found = [p is not None and p <= 0.025 for p in seen]
    share = keep("Power", "+5 points found at .025, 10 % of answers change", f"6 x 60, against {control}", found, least, "at least")
    told = Size((n,) * k, 0.1, 0.025, chance=0.1, controls=n_controls).power(effect)
    assert abs(share - told) <= 0.03 + 2 * mcse(share), "the plan says another power"


SPREAD = (0.1 / 0.42) / (1 - 0.1 / 0.42)
"""Of the beta law of items whose two runs disagree on 10 % where 70 % are right."""


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("repeats", "n_controls"), [(3, 1), (3, 5), (10, 1), (10, 5)])
def test_power_with_repeats_is_what_the_plan_says(repeats: int, n_controls: int) -> None:
    rng, k, n, effect = np.random.default_rng([repeats, n_controls]), 6, 60, 0.03 if repeats == 3 else 0.02
    found = []
    for _ in range(R):
        p = rng.beta(0.7 * SPREAD, 0.3 * SPREAD, (k, n))
        s = rng.binomial(repeats, p + effect * (1 - p) / 0.3) / repeats
        b = rng.binomial(repeats * n_controls, p) / (repeats * n_controls)
        f = stats.infer([pair(x, y) for x, y in zip(s, b, strict=True)], rate=0.025)
        found.append(f.p_value is not None and f.p_value <= 0.025)
    told = Size((n,) * k, 0.1, 0.025, repeats=repeats, chance=0.1, controls=n_controls).power(effect)
    words = f"6 x 60, {repeats} answers an item, {n_controls} neutral sentence{'s' if n_controls > 1 else ''}"
    share = keep(
        "Power", f"+{100 * effect:g} points found at .025; the plan says {100 * told:.0f} %", words, found, told - 0.03, "at least"
    )
    assert share <= told + 0.03 + 3 * mcse(told)


ONE_TASK = [
    (30, 0.033, 0.03, 0.433, 1, 1, 0.05), (100, 0.033, 0.03, 0.433, 1, 1, 0.05), (100, 0.033, 0.03, 0.433, 1, 3, 0.05),
    (280, 0.033, 0.03, 0.433, 1, 3, 0.05), (118, 0.033, 0.05, 0.433, 1, 2, 0.05), (60, 0.1, 0.1, 0.7, 3, 3, 0.05),
    (200, 0.2, 0.05, 0.6, 5, 1, 0.01),
]  # fmt: skip
"""Items, flips when sent again, effect, baseline, answers an item, arms of the control, level."""


@pytest.mark.parametrize("design", ONE_TASK)
def test_power_of_one_task_is_what_the_plan_says(design: tuple[int, float, float, float, int, int, float]) -> None:
    n, flips, effect, baseline, repeats, n_controls, alpha = design
    within = flips / (2 * baseline * (1 - baseline))
    spread = within / (1 - within)
    rng, found = np.random.default_rng(n), []
    for _ in range(400):
        p = rng.beta(baseline * spread, (1 - baseline) * spread, n)
        s = rng.binomial(repeats, p + effect * (1 - p) / (1 - baseline)) / repeats
        b = rng.binomial(repeats * n_controls, p) / (repeats * n_controls)
        f = stats.infer([pair(s, b)], rate=alpha)
        found.append(f.p_value is not None and f.p_value <= alpha)
    told = Size((n,), flips, alpha, repeats=repeats, chance=flips, controls=n_controls, accuracy=baseline).power(effect)
    assert abs(np.mean(found) - told) <= 0.03 + 2 * mcse(told)


# --- interactions, screening, the gate -----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(("k", "n"), [(1, 100), (6, 40)])
def test_an_interaction_is_none_where_both_effects_are_alike(k: int, n: int) -> None:
    rng = np.random.default_rng([8, k, n])
    wrong, found = [], []
    for _ in range(R):
        p = rng.beta(1.5, 1.5, (k, n))
        four = [(rng.random((k, n)) < np.clip(p + move, 0, 1)).astype(float) for move in (0.1, 0.0, 0.1, 0.0)]
        s, b = (four[0] + four[3]) / 2, (four[1] + four[2]) / 2
        f = stats.infer([pair(x, y) for x, y in zip(s, b, strict=True)])
        found.append(claimed(f))
        one, other = (stats.infer([pair(x, y) for x, y in zip(a, c, strict=True)]) for a, c in (four[:2], four[2:]))
        wrong.append(claimed(one) != claimed(other))
    keep("Interactions", "false interaction, both effects +10 points", f"{k} x {n}", found, 0.05)
    keep("Interactions", "one effect found and not the other, which is no interaction", f"{k} x {n}", wrong, 0.05, "wrong")


def test_screen_and_confirm_ships_nothing_that_does_nothing() -> None:
    rng, n, arms = np.random.default_rng(9), 300, 5
    shipped: list[bool] = []
    naive: list[bool] = []
    regret: list[tuple[float, float, float]] = []
    for effects in (np.zeros(arms), np.array([0.06, 0.03, 0.0, 0.0, -0.03])):
        for _ in range(R):
            p = rng.beta(1.5, 1.5, n)
            base = (rng.random(n) < p).astype(float)
            scores = (rng.random((arms, n)) < np.clip(p + effects[:, None], 0, 1)).astype(float)
            screen, confirm = slice(0, n // 3), slice(n // 3, n)
            chosen = int((scores[:, screen] - base[screen]).mean(axis=1).argmax())
            luckiest = int(scores.mean(axis=1).argmax())
            f, whole = stats.infer([pair(scores[chosen, confirm], base[confirm])]), stats.infer([pair(scores[luckiest], base)])
            ship, peeked = (one.diff > 0 and claimed(one) for one in (f, whole))
            if effects.any():
                p_all = [stats.infer([pair(row, base)]) for row in scores]
                holm = stats.adjust([one.p_value for one in p_all], "holm")
                gains = [i for i, one in enumerate(p_all) if holm[i] <= 0.05 and one.diff > 0]
                fixed = max(gains, key=lambda i: p_all[i].diff, default=None)
                gain, whole_gain = (effects[arm] if arm is not None else 0.0 for arm in (chosen if ship else None, fixed))
                regret.append((0.06 - gain, 0.06 - whole_gain, float(ship and chosen == 0)))
            else:
                shipped.append(ship)
                naive.append(peeked)
    keep("Screen and confirm", "false ship", "5 arms, 300 items, a third of them screen", shipped, 0.05)
    keep("Screen and confirm", "chosen and tested on the same items, which is wrong", "the same", naive, 0.05, "wrong")
    screened, fixed_design, best = np.mean(regret, axis=0)
    words = f"best arm +6, others +3, 0, 0, -3; expected regret {100 * screened:.1f} points, "
    words += f"of a fixed design with all arms {100 * fixed_design:.1f}"
    keep("Screen and confirm", "the best arm is shipped", words, [of == 1 for *_, of in regret], 0.05, "at least")
    assert best > 0


@pytest.mark.parametrize("n", [200, 300])
def test_the_gate_lets_an_arm_at_the_margin_pass_in_5_percent(n: int) -> None:
    rng = np.random.default_rng([10, n])
    passed = {}
    for truth in (-0.05, 0.0):
        b = rng.random((R, n)) < 0.7
        moved = rng.random((R, n))
        up, down = ~b & (moved < 0.15), b & (moved < (0.15 * 0.3 - truth) / 0.7)
        ends = [stats.infer([pair(new, old)]).equivalence(0.05, 0.05) for new, old in zip((b | up) & ~down, b, strict=True)]
        passed[truth] = [both is not None and both[1] > -0.05 for both in ends]
    keep("Gate", "an arm 5 points worse passes a gate of 5 points", f"{n} items", passed[-0.05], 0.05)
    keep("Gate", "an equal arm passes it", f"{n} items", passed[0.0], 0.2, "at least")

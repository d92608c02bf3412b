"""The error rates of the one inference core, in every scope: items lost on one side, few changes, clusters, and tasks like these.

The suite runs each setting some 400 times, `make calibrate` 2,000 times. Each wrong analysis that the core replaces fails these bounds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from promptlab import stats
from promptlab.stats.core import Inference, Pairs
from test_calibration import MOST, WHOLE, R, looser, mcse
from test_verdicts import SETTING, plan

pytestmark = pytest.mark.calibration


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
    same = np.mean([(tost := f.equivalence(0.02, 0.05)) is not None and tost[0] <= 0.05 for f in found])
    assert same <= 0.05 + 3 * mcse(0.05), same
    wald = np.mean([f.diff + 1.645 * f.error < 0.02 for f in found])
    assert wald > 0.1, "the error that was used before"


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
    assert np.mean(rejected) <= MOST
    assert np.mean(covered) >= looser(0.935)


@pytest.mark.parametrize(("k", "n", "gain"), [(1, 150, 0.02), (6, 40, 0.05), (1, 400, 0.05), (6, 60, 0.1)])
def test_the_interval_over_tasks_covers_what_is_there(k: int, n: int, gain: float) -> None:
    rng = np.random.default_rng([k, n, int(100 * gain)])
    covered = []
    for _ in range(R):
        b = rng.random((k, n)) < 0.6
        up, down = ~b & (rng.random((k, n)) < gain / 0.4), b & (rng.random((k, n)) < 0.02)
        covered.append(covers(stats.infer([pair((x | y) & ~z, x) for x, y, z in zip(b, up, down, strict=True)]), gain - 0.012))
    assert np.mean(covered) >= looser(0.93)


# --- clusters ------------------------------------------------------------------------------------------------------------


def clustered(sizes: Sequence[int], rng: np.random.Generator) -> Pairs:
    """Right-or-wrong answers; half of what makes two runs differ is shared in a cluster."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    shift = rng.normal(0, 0.2, len(sizes))[codes]
    s, b = rng.random(len(codes)) < 0.5 + shift / 2, rng.random(len(codes)) < 0.5 - shift / 2
    return pair(s, b, codes)


CLUSTERS = {"2": [30] * 2, "3": [20] * 3, "5": [12] * 5, "10": [10] * 10, "10 unequal": [2, 2, 4, 4, 6, 8, 10, 12, 20, 32], "15": [6] * 15}


@pytest.mark.parametrize("sizes", CLUSTERS.values(), ids=CLUSTERS.keys())
@pytest.mark.parametrize("k", [1, 3, 9] if WHOLE else [1, 3])
def test_clusters_keep_the_level_in_a_task_over_tasks_and_against_itself(k: int, sizes: Sequence[int]) -> None:
    rng = np.random.default_rng([k, *sizes])
    found = [stats.infer([clustered(sizes, rng) for _ in range(k)]) for _ in range(R)]
    assert np.mean([claimed(f) for f in found]) <= MOST
    if len(sizes) < 10 and k == 1:
        assert {f.status for f in found} == {"too_few_clusters"}
    assert np.mean([covers(f, 0.0) for f in found]) >= looser(0.93)
    alarms = [(ci := f.interval(0.999)) is not None and not ci[0] <= 0 <= ci[1] for f in found]
    assert np.mean(alarms) <= 0.001 + 3 * mcse(0.001), "an honest model fails its A/A check"


def test_a_normal_quantile_on_the_cluster_error_fails_these_bounds() -> None:
    rng = np.random.default_rng(5)
    found = [stats.infer([clustered(CLUSTERS["3"], rng)]) for _ in range(R)]
    assert np.mean([abs(f.diff) > 1.96 * f.error for f in found]) > 0.1


def test_the_best_of_several_flips_whole_clusters() -> None:
    rng = np.random.default_rng(11)
    runs, codes = R // 2, np.repeat(np.arange(15), 6)
    wrong, right, held = 0, 0, 0
    for _ in range(runs):
        d = rng.normal(0, 0.2, (4, 15))[:, codes] + rng.normal(0, 0.2, (4, 90))
        own, single = (stats.best_stimulus(d, partitions=1, n_resamples=199, n_bootstrap=10, clusters=c) for c in (codes, None))
        right += own.p is not None and own.p <= 0.05
        wrong += single.p is not None and single.p <= 0.05
        held += own.ci is not None and own.ci[0] <= 0 <= own.ci[1]
    assert right / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert held / runs >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs)
    assert wrong / runs > 0.15, "single items flipped"


# --- these tasks, and tasks like these -----------------------------------------------------------------------------------


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
    assert np.mean(like) <= MOST
    assert np.mean(cover_like) >= looser(0.93)
    assert np.mean(cover_these) >= looser(0.93)
    if not spread:
        assert np.mean(these) <= MOST


# --- lost answers --------------------------------------------------------------------------------------------------------


def lost_runs(rate: float, both: bool, effect: float = 0.0) -> list[Any]:
    """Comparisons of runs in which wrong answers of the treatment get lost (or random ones of both arms); three answers an item."""
    rng = np.random.default_rng([int(1000 * rate), both])
    n, k, found = 100, 3, []
    names = [f"s{i}" for i in range(20)]
    made = dataclasses.replace(plan({"t": n}, names), replicates=k)
    for _ in range(max(R // 20, 1)):  # twenty sentences a run
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


@pytest.mark.parametrize("rate", [0.019, 0.043, 0.088])
def test_answers_that_only_the_treatment_loses_make_no_finding(rate: float) -> None:
    found = lost_runs(rate, both=False)
    assert np.mean([c.missing_treatment for c in found]) == pytest.approx(rate, rel=0.15)
    helps = np.mean([c.verdict == "helps" for c in found])
    assert helps <= MOST
    if rate > 0.08:
        naive = np.mean([c.p_value is not None and c.p_value <= 0.05 and (c.diff or 0) > 0 for c in found])
        assert naive > 0.05 + 3 * mcse(0.05), "the items that are left, taken as they are"


def test_answers_lost_by_chance_on_both_sides_silence_nothing() -> None:
    found = lost_runs(0.1, both=True, effect=0.15)
    whole = lost_runs(0.0, both=True, effect=0.15)
    power, best = (np.mean([c.verdict == "helps" for c in runs]) for runs in (found, whole))
    assert power > 0.5 * best

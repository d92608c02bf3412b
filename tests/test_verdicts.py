"""From a frame of trials to verdicts: each one reached by data made for it, and each refusal by its reason."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from promptlab.nouns.comparison import Comparison
from promptlab.nouns.plan import Margins, Plan
from promptlab.nouns.setting import Setting
from promptlab.stats import analyse
from promptlab.stats.multiplicity import hypotheses
from promptlab.stats.sentences import above_incumbent

SETTING = Setting("paper")
Scores = Mapping[str, Mapping[str, Sequence[float | None]]]
"""arm -> task -> one score for each item."""


def plan(tasks: Mapping[str, int], stimuli: Sequence[str], *, placebo: bool = False, models: Sequence[str] = ("m",)) -> Plan:
    controls: list[Any] = ["placebo", "none"] if placebo else ["none"]
    return Plan.read({
        "alpha": 0.05, "fdr": 0.05, "margins": {"cell": 0.05, "mean": 0.02}, "suite": "twin",
        "tasks": [{"task": name, "n_items": n} for name, n in tasks.items()],
        "models": [{"name": model, "simulated": False} for model in models],
        "stimuli_of": {"lib": list(stimuli)},
        "placebos_of": {name: ["placebo/a"] if placebo else [] for name in stimuli},
        "hypotheses": [h.plain() for h in hypotheses(models, list(tasks), [(name, "lib") for name in stimuli], [SETTING], controls)],
    })  # fmt: skip


def trials(scores: Scores, clusters: Mapping[str, str] | None = None, model: str = "m") -> pd.DataFrame:
    rows = [
        {"model": model, "setting": SETTING.id, "task": task, "item": f"{task}-{i}", "arm": arm,
         "score": score, "cluster": (clusters or {}).get(f"{task}-{i}")}
        for arm, by_task in scores.items() for task, values in by_task.items() for i, score in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def half(n: int) -> list[float]:
    return [float(i % 2) for i in range(n)]


def moved(values: Sequence[float], gained: int, lost: int) -> list[float]:
    """The scores with `gained` wrong answers made right and `lost` right ones made wrong."""
    found = list(values)
    for frm, to, how_many in ((0.0, 1.0, gained), (1.0, 0.0, lost)):
        places = [i for i, value in enumerate(values) if value == frm][:how_many]
        assert len(places) == how_many
        for place in places:
            found[place] = to
    return found


def judged(base: Sequence[float], stimulus: Sequence[float | None], **more: Any) -> list[Comparison]:
    n = len(base)
    scores: Scores = {"none": {"t": base}, "none_aa": {"t": base}, "s": {"t": stimulus}}
    return analyse(trials(scores, **more), plan({"t": n}, ["s"]))


def the(comparisons: Sequence[Comparison], scope: str, **wanted: Any) -> Comparison:
    [found] = [c for c in comparisons if c.scope == scope and all(getattr(c, k) == v for k, v in wanted.items())]
    return found


def test_no_number_is_nan() -> None:
    for stimulus in (moved(half(60), 10, 1), half(60), [None] * 60, [1.0] * 60):
        for c in judged(half(60), stimulus):
            numbers = [v for v in dataclasses.asdict(c).values() if isinstance(v, float)]
            assert not any(math.isnan(v) or math.isinf(v) for v in numbers), c
            assert "nan" not in c.sentence.lower()
            assert c.sentence


@pytest.mark.parametrize(
    ("gained", "lost", "n", "verdict"),
    [
        (14, 1, 60, "helps"),
        (1, 14, 60, "hurts"),
        (6, 4, 60, "unclear"),
        (12, 12, 2000, "same"),
        (40, 8, 2000, "negligible"),
    ],
)
def test_every_verdict_of_a_cell(gained: int, lost: int, n: int, verdict: str) -> None:
    c = the(judged(half(n), moved(half(n), gained, lost)), "cell")
    assert (c.verdict, c.status) == (verdict, "ok")
    assert (c.gained, c.lost, c.n_pairs, c.n_missing) == (gained, lost, n, 0)
    assert c.diff == pytest.approx((gained - lost) / n)
    assert c.ci_low < c.diff < c.ci_high
    assert c.p_adjusted >= c.p_value


@pytest.mark.parametrize(
    ("stimulus", "status", "says"),
    [
        (half(50), "no_discordant_pairs", "No answer changed on 50 items"),
        (moved(half(60), 4, 0), "cannot_be_significant", "Only 4 of 60 answers changed"),
        (moved(half(18), 8, 0), "n_too_small", "a finding needs at least 20"),
    ],
)
def test_too_little_to_tell_is_unclear_with_its_figures_and_what_would_settle_it(stimulus: list[float], status: str, says: str) -> None:
    found = judged(half(len(stimulus)), stimulus)
    c = the(found, "cell")
    assert (c.verdict, c.status) == ("unclear", status)
    assert says in c.sentence
    assert None not in (c.diff, c.ci_low, c.ci_high, c.p_value)


@pytest.mark.parametrize(("gained", "lost", "n"), [(4, 0, 60), (14, 1, 60), (0, 0, 120), (12, 12, 2000)])
def test_one_task_is_one_hypothesis_with_one_sentence(gained: int, lost: int, n: int) -> None:
    """Four gained and none lost were "helps, p .040" over one task and "no test could tell" in it."""
    found = judged(half(n), moved(half(n), gained, lost))
    cell, mean = the(found, "cell"), the(found, "stimulus")
    assert dataclasses.replace(mean, scope="cell", task="t") == cell
    assert "tasks" not in mean.sentence
    assert " t " in mean.sentence or mean.verdict == "unclear"


def test_four_gained_of_sixty_settle_nothing() -> None:
    c = the(judged(half(60), moved(half(60), 4, 0)), "stimulus")
    assert (c.verdict, c.p_value, c.gained, c.lost) == ("unclear", pytest.approx(0.0625), 4, 0)


@pytest.mark.parametrize(
    ("n", "changed", "margin", "verdict"),
    [(120, 0, 0.05, "same"), (58, 0, 0.05, "unclear"), (59, 0, 0.05, "same"), (150, 1, 0.02, "unclear"), (240, 1, 0.02, "same"),
     (149, 0, 0.02, "same"), (148, 0, 0.02, "unclear")],
)  # fmt: skip
def test_few_changes_are_the_same_only_if_the_exact_bound_says_so(n: int, changed: int, margin: float, verdict: str) -> None:
    """P(at most 1 of n items changes) where 2 % do is .19 at 150 items and .046 at 240; none of 59 at 5 % has .048."""
    scores: Scores = {"none": {"t": half(n)}, "s": {"t": moved(half(n), changed, 0)}}
    made = dataclasses.replace(plan({"t": n}, ["s"]), margins=Margins(cell=margin, mean=margin))
    c = the(analyse(trials(scores), made), "cell")
    assert c.verdict == verdict, c.sentence
    if not changed:
        assert c.ci_high == pytest.approx(1 - 0.025 ** (1 / n))


def test_equivalence_follows_the_plans_alpha() -> None:
    scores: Scores = {"none": {"t": half(59)}, "s": {"t": half(59)}}
    strict = dataclasses.replace(plan({"t": 59}, ["s"]), alpha=0.01, fdr=0.01)
    assert the(analyse(trials(scores), strict), "cell").verdict == "unclear"
    wide = dataclasses.replace(plan({"t": 40}, ["s"]), alpha=0.2, fdr=0.2)
    same = the(analyse(trials({"none": {"t": half(40)}, "s": {"t": half(40)}}), wide), "cell")
    assert same.verdict == "same"
    assert "60 % CI" in same.sentence


def test_no_pair_at_all_is_refused() -> None:
    c = the(judged(half(60), [None] * 60), "cell")
    assert (c.verdict, c.status) == ("refused", "missing_pairs")
    assert "120 trials are recorded" in c.sentence, "they failed: a run that is at its end is not told to reach it"
    never = the(analyse(trials({"none_aa": {"t": half(60)}}), plan({"t": 60}, ["s"])), "cell")
    assert "is recorded yet" in never.sentence


def test_a_verdict_on_answers_that_the_scorer_did_not_find_says_so() -> None:
    rows = trials({"none": {"t": half(60)}, "none_aa": {"t": half(60)}, "s": {"t": [0.0] * 60}})
    unread = rows.assign(outcome=np.where(rows["arm"] == "s", "parse_failed", "ok"))
    c = the(analyse(unread, plan({"t": 60}, ["s"])), "cell")
    assert c.verdict == "hurts"
    assert "no answer: 100 % of the treatment's, 0 % of the control's" in c.sentence
    for outcome in ("ok", "parse_failed"):
        assert "found no answer" not in the(analyse(rows.assign(outcome=outcome), plan({"t": 60}, ["s"])), "cell").sentence


def test_a_gain_of_every_item_alike_has_no_interval_and_its_sentence_says_so() -> None:
    c = the(judged([0.5] * 60, [1.0] * 60), "cell")
    assert (c.verdict, c.ci_low) == ("helps", None)
    assert "by 50.0 points (the same on every item, so without an interval)" in c.sentence
    assert above_incumbent(c) == "It scores +50.0 points on every item above the incumbent."
    assert "points (difference +" in the(judged(half(60), moved(half(60), 20, 0)), "cell").sentence


def test_losses_of_one_arm_that_could_turn_a_verdict_are_refused_with_the_bounds() -> None:
    base: list[Any] = half(200)
    kept = the(judged(base, [None] * 6 + moved(base, 40, 0)[6:]), "cell")
    assert (kept.verdict, kept.n_missing, kept.missing_treatment, kept.missing_control) == ("helps", 6, 0.03, 0.0)
    c = the(judged(base, [None] * 6 + moved(base, 8, 0)[6:]), "cell")
    assert (c.status, c.verdict) == ("missing_pairs", "refused")
    assert "3 % of the treatment's answers and 0 % of the control's are missing" in c.sentence
    assert c.worst_low < c.diff < c.worst_high


def test_equal_losses_silence_nothing() -> None:
    rng = np.random.default_rng(3)
    lost = rng.random(200) < 0.2
    none, some = ([None if gone else x for x, gone in zip(side, lost, strict=True)] for side in (half(200), moved(half(200), 30, 0)))
    c = the(judged(none, some), "cell")
    assert c.missing_treatment == c.missing_control == pytest.approx(lost.mean())
    assert c.verdict == "helps"


def test_lost_repeats_count_although_every_item_has_an_answer() -> None:
    """Where 14.3 % of one arm's answers were lost the table said "missing 0" and shipped it."""
    rng = np.random.default_rng(8)
    n, frames = 100, []
    p = rng.beta(2, 2, n)
    for r in range(3):
        base, good = ((rng.random(n) < p).astype(float) for _ in range(2))
        kept = [None if not x and rng.random() < 0.29 else float(x) for x in good]
        frame = trials({"none": {"t": list(base)}, "none_aa": {"t": list(base)}, "s": {"t": kept}})
        frames.append(frame.assign(replicate=r))
    made = dataclasses.replace(plan({"t": n}, ["s"]), replicates=3)
    c = the(analyse(pd.concat(frames), made), "cell")
    assert c.n_pairs >= 95
    assert c.missing_treatment == pytest.approx(0.143, abs=0.03)
    assert (c.verdict, c.status) == ("refused", "missing_pairs")
    assert "all missing answers together leave" in c.sentence


def test_an_unfinished_run_is_not_judged_by_what_is_there() -> None:
    rows = trials({"none": {"t": half(100)}, "s": {"t": moved(half(100), 20, 0)}})
    c = the(analyse(rows[rows["item"].isin([f"t-{i}" for i in range(60)])], plan({"t": 100}, ["s"])), "cell")
    assert (c.verdict, c.status) == ("refused", "missing_pairs")
    assert "not at its end" in c.sentence


def test_a_lost_pair_is_missing_and_not_a_wrong_answer() -> None:
    base = half(100)
    stimulus: list[Any] = moved(base, 12, 0)
    lost = [i for i, value in enumerate(base) if value == 1.0][:2]
    for i in lost:
        stimulus[i] = None
    c = the(judged(base, stimulus), "cell")
    assert (c.n_pairs, c.n_missing, c.gained, c.lost) == (98, 2, 12, 0)
    assert c.diff == pytest.approx(12 / 98)


def test_a_refused_cell_still_counts_in_its_family() -> None:
    """Adjusted over what was planned: the same evidence is worth less in company, whether the company could be judged or not."""
    base, good = half(60), moved(half(60), 9, 1)
    alone = the(judged(base, good), "cell")
    scores: Scores = {"none": {"t": base}, "none_aa": {"t": base}, "s": {"t": good}, **{f"x{i}": {"t": [None] * 60} for i in range(9)}}
    among = analyse(trials(scores), plan({"t": 60}, ["s", *(f"x{i}" for i in range(9))]))
    c = the(among, "cell", treatment="s")
    assert alone.verdict == "helps"
    assert c.n_family == 10
    assert c.p_adjusted == pytest.approx(10 * alone.p_value)
    assert c.verdict == "unclear"


def test_repeats_of_an_item_are_one_item() -> None:
    """Five equal answers to each item are no more evidence than one; counted as rows they would be 75 to 5."""
    base, good = half(60), moved(half(60), 8, 3)
    once = trials({"none": {"t": base}, "none_aa": {"t": base}, "s": {"t": good}})
    five = pd.concat([once.assign(replicate=i) for i in range(5)])
    one, many = (the(analyse(f, plan({"t": 60}, ["s"])), "cell") for f in (once, five))
    assert (many.n_pairs, many.gained, many.lost) == (60, 8, 3)
    assert many.p_value == pytest.approx(one.p_value)


def test_item_means_are_judged_by_sign_flips() -> None:
    rng = np.random.default_rng(2)
    base = rng.integers(0, 4, 60) / 3
    c = the(judged(list(base), list(np.minimum(1.0, base + rng.integers(0, 2, 60) / 3))), "cell")
    assert c.method.startswith("sign-flip")
    assert c.verdict == "helps"


def test_clusters_are_flipped_whole_and_few_of_them_are_refused() -> None:
    base, good = half(80), moved(half(80), 12, 0)
    gains = [i for i in range(80) if good[i] != base[i]]
    one_name = {f"t-{i}": "x" if i in gains else f"c{i}" for i in range(80)}
    c = the(judged(base, good, clusters=one_name), "cell")
    assert c.method == "sign-flip mid-p by cluster"
    assert c.p_value >= 0.5, "twelve gains on one name are one gain"
    assert c.verdict not in ("helps", "hurts")
    for g in (2, 5):
        few = the(judged(base, good, clusters={f"t-{i}": f"c{i % g}" for i in range(80)}), "stimulus")
        assert (few.status, few.verdict) == ("too_few_clusters", "unclear")
        assert f"The items form {g} clusters" in few.sentence
        assert few.ci_low < few.diff < few.ci_high


def over_tasks(k: int, gained: int, spread: int = 0, **more: Any) -> list[Comparison]:
    base = half(60)
    tasks = {f"t{i}": 60 for i in range(k)}
    scores: Scores = {
        "none": dict.fromkeys(tasks, base),
        "none_aa": dict.fromkeys(tasks, base),
        "s": {task: moved(base, gained + (spread if i % 2 else -spread), 1) for i, task in enumerate(tasks)},
    }
    return analyse(trials(scores), dataclasses.replace(plan(tasks, ["s"]), **more))


@pytest.mark.parametrize("k", [2, 9, 10, 12])
def test_a_mean_is_about_these_tasks_or_tasks_like_them_as_planned_at_any_number(k: int) -> None:
    these, like = the(over_tasks(k, 6, 2), "stimulus"), the(over_tasks(k, 6, 2, generalise="like_these"), "stimulus")
    assert (these.generalises, these.n_tasks, these.n_pairs, these.verdict) == ("these", k, 60 * k, "helps")
    assert (like.generalises, like.method) == ("like_these", "t over tasks")
    assert these.diff == like.diff == pytest.approx(5 / 60, abs=0.01)
    assert (these.ci_low, these.ci_high) == (these.ci_fixed_low, these.ci_fixed_high) == (like.ci_fixed_low, like.ci_fixed_high)
    assert (like.ci_low, like.ci_high) == (like.ci_like_low, like.ci_like_high) == (these.ci_like_low, these.ci_like_high)
    assert f"Over these {k} tasks" in these.sentence
    assert "for tasks like these" in these.sentence
    assert f"over tasks like these {k}" in like.sentence.lower()
    assert "for these tasks alone" in like.sentence


def test_tasks_that_disagree_are_less_sure_of_tasks_like_them() -> None:
    agree, disagree = (the(over_tasks(12, 8, spread), "stimulus") for spread in (1, 7))
    assert agree.diff == pytest.approx(disagree.diff)
    assert disagree.ci_like_high - disagree.ci_like_low > 2 * (agree.ci_like_high - agree.ci_like_low)
    assert disagree.ci_high - disagree.ci_low == pytest.approx(agree.ci_high - agree.ci_low)


def test_tasks_that_moved_alike_say_nothing_about_tasks_like_them() -> None:
    c = the(over_tasks(10, 6, 0, generalise="like_these"), "stimulus")
    assert (c.status, c.verdict, c.ci_like_low) == ("zero_variance", "unclear", None)
    assert the(over_tasks(10, 6, 0), "stimulus").verdict == "helps"


def test_the_placebo_contrast_takes_the_placebos_own_effect_away() -> None:
    """A sentence that does what any sentence does helps against no added text and not against neutral ones."""
    base, any_text = half(100), moved(half(100), 16, 1)
    scores: Scores = {"none": {"t": base}, "none_aa": {"t": base}, "placebo/a": {"t": any_text}, "s": {"t": moved(half(100), 15, 1)}}
    found = analyse(trials(scores), plan({"t": 100}, ["s"], placebo=True))
    assert the(found, "cell", control="none").verdict == "helps"
    against = the(found, "cell", control="placebo")
    assert against.verdict == "same"
    assert against.control_arms == ("placebo/a",)
    assert abs(against.diff) <= 0.01


def test_a_baseline_that_contradicts_itself_silences_its_model_only() -> None:
    base = half(100)
    shaky: Scores = {"none": {"t": base}, "none_aa": {"t": moved(base, 0, 30)}, "s": {"t": moved(base, 20, 0)}}
    sound: Scores = {"none": {"t": base}, "none_aa": {"t": moved(base, 2, 3)}, "s": {"t": moved(base, 20, 0)}}
    both = pd.concat([trials(shaky, model="m"), trials(sound, model="n")])
    found = analyse(both, plan({"t": 100}, ["s"], models=("m", "n")))
    verdicts = {(c.model, c.scope): (c.verdict, c.status) for c in found if c.scope in ("cell", "stimulus", "primary")}
    assert all(verdicts["m", scope] == ("refused", "aa_failed") for scope in ("cell", "stimulus", "primary"))
    assert verdicts["n", "cell"] == ("helps", "ok")


def test_the_order_of_rows_does_not_matter() -> None:
    frame = trials({"none": {"t": half(60)}, "none_aa": {"t": half(60)}, "s": {"t": moved(half(60), 9, 2)}})
    made = plan({"t": 60}, ["s"])
    assert analyse(frame.sample(frac=1.0, random_state=4), made) == analyse(frame, made)


def test_nothing_unplanned_is_judged() -> None:
    frame = trials({"none": {"t": half(60)}, "none_aa": {"t": half(60)}, "s": {"t": half(60)}, "other": {"t": moved(half(60), 20, 0)}})
    assert {c.treatment for c in analyse(frame, plan({"t": 60}, ["s"])) if c.scope != "aa"} == {"s", "lib"}


def test_families_hold_what_belongs_together() -> None:
    planned = hypotheses(["m", "n"], ["t", "u"], [("l/a", "l"), ("l/b", "l"), ("k/c", "k")], [SETTING], ["placebo", "none"])
    sizes: dict[str, int] = {}
    for h in planned:
        sizes[h.family] = sizes.get(h.family, 0) + 1
    assert sizes["primary"] == 2 * 2 * 2
    assert sizes["stimulus/m/l/placebo"] == 2
    assert sizes["stimulus/n/k/none"] == 1
    assert sizes["cell/m/none"] == 3 * 2
    assert len(sizes) == 1 + 2 * 2 * 2 + 2 * 2


def test_notes_say_what_is_odd_about_repeats_and_single_items() -> None:
    n = 30
    base = half(n)
    frames = [trials({"none": {"t": base}, "none_aa": {"t": base}, "s": {"t": moved(base, 6, 1)}}) for _ in range(2)]
    same = the(analyse(pd.concat(frames), plan({"t": n}, ["s"])), "cell")
    assert any(note.startswith("repeats_identical") for note in same.notes)
    fewer = pd.concat([frames[0], frames[1].iloc[: n // 2]])
    uneven = the(analyse(fewer, plan({"t": n}, ["s"])), "cell")
    assert any(note.startswith("unbalanced_repeats") for note in uneven.notes)
    once = the(analyse(frames[0], plan({"t": n}, ["s"])), "cell")
    assert once.notes == ()
    prompts = pd.concat([frames[0].assign(base_prompt="p"), frames[0][frames[0]["arm"] != "none_aa"].assign(base_prompt="q")])
    several = dataclasses.replace(plan({"t": n}, ["s"]), base_prompts=("p", "q"))
    assert the(analyse(prompts, several), "cell").notes == (), "an answer to each of two prompts is no repeat"
    skewed = [0.5] * (n - 1) + [0.0]
    one = the(judged([0.5] * n, skewed), "cell")
    assert any(note.startswith("dominated_by_few_items") for note in one.notes)
    even = the(judged([0.5] * n, [0.5 + 0.1 * (-1) ** i for i in range(n)]), "cell")
    assert not any(note.startswith("dominated") for note in even.notes)


def test_a_verdict_says_which_neutral_sentences_it_is_about() -> None:
    names = [f"placebo/{i}" for i in range(5)]
    base = half(200)
    scores: Scores = {
        "none": {"t": base}, "none_aa": {"t": base}, "s": {"t": moved(base, 40, 2)},
        **{name: {"t": moved(base, 4 + 3 * i, 10 - i)} for i, name in enumerate(names)},
    }  # fmt: skip
    made = dataclasses.replace(plan({"t": 200}, ["s"], placebo=True), placebos_of={"s": tuple(names)})
    these, like = (
        the(analyse(trials(scores), dataclasses.replace(made, neutral=claim)), "stimulus", control="placebo")
        for claim in ("these", "like_these")
    )
    assert (these.neutral, these.verdict) == ("these", "helps")
    assert "against these neutral sentences" in these.sentence
    assert "against neutral sentences like these" in these.sentence
    assert (like.neutral, like.method, like.ci_low) == ("like_these", "t over 5 neutral sentences", these.ci_neutral_low)
    assert "against neutral sentences like these 5" in like.sentence
    assert "against these alone" in like.sentence
    means = [float(np.mean(scores[name]["t"])) for name in names]
    error = float(np.std(means, ddof=1)) * math.sqrt(1 + 1 / 5)
    half_width = 2.7764451 * error
    assert like.diff is not None
    assert like.ci_low is not None
    assert like.diff - like.ci_low == pytest.approx(half_width, rel=1e-4) or like.diff - like.ci_low > half_width
    few = dataclasses.replace(made, placebos_of={"s": tuple(names[:3])}, neutral="like_these")
    short = the(analyse(trials(scores), few), "stimulus", control="placebo")
    assert (short.verdict, short.ci_neutral_low) == ("unclear", None)
    assert "at least 5" in short.sentence


def test_the_baseline_and_its_repeat_are_one_control_where_the_plan_says_so() -> None:
    base, again, s = half(100), moved(half(100), 6, 4), moved(half(100), 20, 2)
    scores: Scores = {"none": {"t": base}, "none_aa": {"t": again}, "s": {"t": s}}
    before, now = (
        the(analyse(trials(scores), dataclasses.replace(plan({"t": 100}, ["s"]), pooling=pooling)), "stimulus") for pooling in (False, True)
    )
    assert (before.control_arms, now.control_arms) == (("none",), ("none", "none_aa"))
    assert before.mean_control == pytest.approx(np.mean(base))
    assert now.mean_control == pytest.approx((np.mean(base) + np.mean(again)) / 2)


@pytest.mark.parametrize(
    ("n", "shift", "verdict"), [(20, 0.02, "unclear"), (40, 0.02, "unclear"), (400, 0.02, "helps"), (40, 0.5, "helps"), (40, -0.5, "hurts")]
)
def test_equal_differences_show_a_mean_only_where_unseen_items_cannot_turn_it(n: int, shift: float, verdict: str) -> None:
    """With 2 % of items that lose all, a mean of 0 looks like this in two of three tables of 20 items."""
    one = the(judged([0.5] * n, [0.5 + shift] * n), "cell")
    assert (one.verdict, one.status == "zero_variance") == (verdict, verdict == "unclear")
    assert ("could turn the mean round" in one.sentence) == (verdict == "unclear")

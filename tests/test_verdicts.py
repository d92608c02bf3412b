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
from promptlab.nouns.plan import Plan
from promptlab.nouns.setting import Setting
from promptlab.stats import analyse
from promptlab.stats.multiplicity import hypotheses

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
        (half(60), "no_discordant_pairs", "No answer changed on 60 items"),
        (moved(half(60), 2, 1), "cannot_be_significant", "3"),
        ([None] * 4 + half(60)[4:], "missing_pairs", "4 of 60"),
        ([None] * 60, "missing_pairs", "s"),
    ],
)
def test_every_refusal_of_a_cell_says_why(stimulus: list[float | None], status: str, says: str) -> None:
    c = the(judged(half(60), stimulus), "cell")
    assert (c.verdict, c.status) == ("refused", status)
    assert says in c.sentence


def test_too_few_items_are_refused() -> None:
    c = the(judged(half(18), moved(half(18), 8, 0)), "cell")
    assert (c.verdict, c.status) == ("refused", "n_too_small")


def test_losses_that_differ_between_arms_are_refused() -> None:
    base: list[Any] = half(200)
    c = the(judged(base, [None] * 6 + moved(base, 40, 0)[6:]), "cell")
    assert (c.status, c.verdict, c.n_missing) == ("missing_pairs", "refused", 6)
    assert "3" in c.sentence


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
    few = the(judged(base, good, clusters={f"t-{i}": f"c{i % 5}" for i in range(80)}), "cell")
    assert (few.status, few.verdict) == ("too_few_clusters", "refused")


def over_tasks(k: int, gained: int, spread: int = 0) -> list[Comparison]:
    base = half(60)
    tasks = {f"t{i}": 60 for i in range(k)}
    scores: Scores = {
        "none": dict.fromkeys(tasks, base),
        "none_aa": dict.fromkeys(tasks, base),
        "s": {task: moved(base, gained + (spread if i % 2 else -spread), 1) for i, task in enumerate(tasks)},
    }
    return analyse(trials(scores), plan(tasks, ["s"]))


@pytest.mark.parametrize(("k", "method"), [(2, "normal, these 2 tasks"), (9, "normal, these 9 tasks"), (10, "t over tasks")])
def test_ten_tasks_speak_for_tasks_like_them(k: int, method: str) -> None:
    c = the(over_tasks(k, 6, 2), "stimulus")
    assert (c.method, c.n_tasks, c.n_pairs, c.verdict) == (method, k, 60 * k, "helps")
    assert c.diff == pytest.approx(5 / 60, abs=0.01)


def test_tasks_that_disagree_are_less_sure_of_tasks_like_them() -> None:
    agree, disagree = the(over_tasks(12, 8, 1), "stimulus"), the(over_tasks(12, 8, 7), "stimulus")
    assert agree.diff == pytest.approx(disagree.diff)
    assert disagree.ci_high - disagree.ci_low > 2 * (agree.ci_high - agree.ci_low)


def test_every_task_moved_alike_has_no_error_to_judge_by() -> None:
    c = the(over_tasks(10, 6, 0), "stimulus")
    assert (c.status, c.verdict) == ("zero_variance", "refused")


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
    skewed = [0.5] * (n - 1) + [0.0]
    one = the(judged([0.5] * n, skewed), "cell")
    assert any(note.startswith("dominated_by_few_items") for note in one.notes)
    even = the(judged([0.5] * n, [0.5 + 0.1 * (-1) ** i for i in range(n)]), "cell")
    assert not any(note.startswith("dominated") for note in even.notes)

"""Contrasts: prompts, models, settings and interactions, planned from the plan and judged by the one core."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from promptlab.api import compare
from promptlab.cli import app
from promptlab.importers import bring
from promptlab.nouns import Comparison, Plan, PlannedFactor, PlannedPrompt, Setting, contrast_of
from promptlab.nouns.plan import Margins, PlannedArm, PlannedModel, PlannedTask
from promptlab.record.store import Run
from promptlab.reporting.contrasts import contrast_tables
from promptlab.reporting.decide import lines as lines_of
from promptlab.reporting.questions import dependences, questions
from promptlab.reporting.whole import whole
from promptlab.stats import analyse, hypotheses, mcnemar, planned, supplement
from promptlab.stats.core import Pairs, infer

LEVELS = {"shots": ("0", "4"), "temperature": ("0", "0.7")}
ALPHA = 0.05


def settings_of(factors: Sequence[str]) -> tuple[list[Setting], list[PlannedFactor]]:
    """Every combination of the levels of some factors."""
    made = {}
    for levels in itertools.product(*(LEVELS[name] for name in factors)):
        own = dict(zip(factors, levels, strict=True))
        sampling = (("temperature", float(own["temperature"])),) if "temperature" in own else ()
        made[Setting("plain", int(own.get("shots", 0)), sampling=sampling)] = own
    found = [
        PlannedFactor(name=name, levels=LEVELS[name], reference=LEVELS[name][0], of={s.id: own[name] for s, own in made.items()})
        for name in factors
    ]
    return list(made), found


def plan(
    tasks: Mapping[str, int] | int = 60, *, prompts: Sequence[str] = ("current", "expert"), models: Sequence[str] = ("m",),
    factors: Sequence[str] = (), stimuli: Sequence[str] = (), whole_prompts: bool = True, **more: Any,
) -> Plan:  # fmt: skip
    """A plan that compares whole prompts, or (with `whole_prompts` false) stimuli in several base prompts."""
    of_tasks = {"t": tasks} if isinstance(tasks, int) else tasks
    made, of_factors = settings_of(factors)
    arms = [PlannedArm(name="none", role="baseline"), PlannedArm(name="none_aa", role="aa"), *(PlannedArm(name=s) for s in stimuli)]
    whole = {"prompts": tuple(PlannedPrompt(name=p) for p in prompts), "incumbent": prompts[0]} if whole_prompts else {}
    found = Plan(
        margins=Margins(cell=0.05, mean=0.02), models=tuple(PlannedModel(name=m) for m in models),
        tasks=tuple(PlannedTask(name=t, n_items=n) for t, n in of_tasks.items()), arms=tuple(arms), settings=tuple(made),
        base_prompts=tuple(prompts), stimuli_of={"lib": tuple(stimuli)}, factors=tuple(of_factors), **whole, **more,
        hypotheses=tuple(hypotheses(list(models), list(of_tasks), [(s, "lib") for s in stimuli], made, ["none"] if stimuli else [])),
    )  # fmt: skip
    return replace(found, hypotheses=(*found.hypotheses, *planned(found)))


Score = Callable[[str, Setting, str, str, np.ndarray], np.ndarray]
"""Scores of the items (by number) of one task, from model, setting, prompt and arm."""


def frame(of: Plan, score: Score, clusters: Mapping[int, str] | None = None) -> pd.DataFrame:
    """One answer for each item in every arm, base prompt, setting and model."""
    rows = []
    for model, setting, prompt, arm, task in itertools.product(of.models, of.settings, of.base_prompts, of.arms, of.tasks):
        items = np.arange(task.n_items)
        scores = score(model.name, setting, prompt, arm.name, items)
        rows.append(pd.DataFrame({
            "model": model.name, "setting": setting.id, "base_prompt": prompt, "arm": arm.name, "task": task.name,
            "item": [f"{task.name}-{i}" for i in items], "score": scores, "cluster": [(clusters or {}).get(i) for i in items],
        }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def the(found: Sequence[Comparison], scope: str, **wanted: Any) -> Comparison:
    [one] = [c for c in found if c.scope == scope and all(getattr(c, k) == v for k, v in wanted.items())]
    return one


def first(n: int, right: int) -> np.ndarray:
    return (np.arange(n) < right).astype(float)


# --- what follows from a plan


def test_a_plan_with_nothing_to_contrast_has_no_contrast_and_says_nothing_of_it() -> None:
    one = plan(prompts=["human"], stimuli=["lib/s"], whole_prompts=False)
    assert planned(one) == []
    said = one.plain()
    assert not {"prompts", "incumbent", "factors", "compare_models", "interactions"} & said.keys()
    assert all("contrast" not in row for row in said["hypotheses"])


@given(
    n_prompts=st.integers(1, 3), n_models=st.integers(1, 3), factors=st.sets(st.sampled_from(["shots", "temperature"])),
    n_stimuli=st.integers(0, 2), whole=st.booleans(), compare=st.booleans(), asked=st.booleans(), pooling=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_contrast_is_one_and_survives_its_file(
    n_prompts: int, n_models: int, factors: set[str], n_stimuli: int, whole: bool, compare: bool, asked: bool, pooling: bool
) -> None:
    interactions = (("shots", "temperature"), ("shots", "model"), ("stimulus", "model"), ("prompt", "prompt")) if asked else ()
    made = plan(
        {"t": 30, "u": 30}, prompts=[f"p{i}" for i in range(n_prompts)], models=[f"m{i}" for i in range(n_models)],
        factors=sorted(factors), stimuli=[f"lib/s{i}" for i in range(n_stimuli)], whole_prompts=whole, compare_models=compare,
        interactions=interactions, pooling=pooling,
    )  # fmt: skip
    assert Plan.read(json.loads(json.dumps(made.plain()))).hypotheses == made.hypotheses
    questions_asked = [(h.family, h.model, h.task, h.contrast or (h.treatment, h.setting)) for h in made.hypotheses]
    assert len(set(questions_asked)) == len(questions_asked)
    for h in made.hypotheses:
        contrast = contrast_of(h, made)
        weights = [w for _, w in contrast.weights]
        assert sum(weights) == pytest.approx(0)
        assert sum(w for w in weights if w > 0) == pytest.approx(contrast.scale)
        assert all(ref.setting in made.setting_of and ref.model in made.model_of for ref, _ in contrast.weights)
        if h.scope in ("prompt", "level", "simple", "by_prompt"):
            assert {ref.model for ref, _ in contrast.weights} == {h.model}  # models are never pooled


def test_families_are_one_question_each() -> None:
    made = plan({"t": 60, "u": 60}, models=["a", "b"], factors=["shots", "temperature"], compare_models=True)
    over_tasks = [h for h in made.hypotheses if h.task is None]
    assert {h.family for h in over_tasks} == {
        "prompt/a", "prompt/b", "model", "interaction/prompt x model", "arm/a", "arm/b",
        *(f"{kind}/{factor}/{model}" for kind in ("level", "simple") for factor in LEVELS for model in "ab"),
    }  # fmt: skip
    assert {h.family for h in made.hypotheses if h.task} == {
        f"cell/{h.family}" for h in over_tasks if h.scope in ("prompt", "level", "model")
    }
    assert {h.contrast.name for h in over_tasks if h.contrast and h.scope == "prompt"} == {"prompt expert - current"}


# --- what comes out


def test_a_prompt_that_is_better_is_found_on_both_models_and_in_no_other_question() -> None:
    made = plan(200, models=["a", "b"], compare_models=True)

    def score(model: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
        return first(len(items), 150 if prompt == "expert" else 120)

    found = analyse(frame(made, score), made)
    for model in "ab":
        c = the(found, "prompt", model=model)
        assert (c.verdict, c.name, c.treatment, c.control) == ("helps", "prompt expert - current", "expert", "current")
        assert c.diff == pytest.approx(0.15)
        assert (c.gained, c.lost) == (30, 0)
        assert "the prompt expert raised" in c.sentence
        assert "against the prompt current" in c.sentence
    assert the(found, "model").verdict == "same"
    assert the(found, "interaction").verdict == "same"
    assert questions([c for c in found if c.model == "a"]) == ["helps: prompt expert - current (+15.0 points)."]


def test_a_level_is_judged_over_the_others_and_within_each() -> None:
    made = plan(150, factors=["shots", "temperature"], interactions=(("shots", "temperature"),))

    def score(model: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
        hot = dict(setting.sampling)["temperature"] > 0
        return first(len(items), 75 + (30 if setting.shots and not hot else 0))

    found = analyse(frame(made, score), made)
    shots = the(found, "level", family="level/shots/m")
    assert shots.diff == pytest.approx(0.10)
    assert shots.verdict == "helps"
    within = {c.name: c.diff for c in found if c.family == "simple/shots/m"}
    assert within == pytest.approx({
        "shots 4 - 0 [temperature 0, prompt current]": 0.2, "shots 4 - 0 [temperature 0, prompt expert]": 0.2,
        "shots 4 - 0 [temperature 0.7, prompt current]": 0.0, "shots 4 - 0 [temperature 0.7, prompt expert]": 0.0,
    })  # fmt: skip
    both = the(found, "interaction", family="interaction/shots x temperature/m")
    assert both.diff == pytest.approx(-0.2)
    assert both.verdict == "hurts"
    assert "shots 4 - 0 in temperature 0.7 is 20.0 points" in both.sentence
    assert "below shots 4 - 0 in temperature 0" in both.sentence


def test_an_interaction_may_be_larger_than_one() -> None:
    made = plan(60, models=["a", "b"], stimuli=["lib/s"], whole_prompts=False, prompts=["p", "q"])
    found = analyse(frame(made, lambda m, s, prompt, arm, i: np.full(len(i), float((prompt == "p") == (arm == "lib/s")))), made)
    both = the(found, "interaction", model="a")
    assert both.diff == pytest.approx(-2.0)
    assert the(found, "by_prompt", model="a", treatment="lib/s", family="by_prompt/a/none", name="lib/s - none [prompt p]").diff == 1


SPLIT = {("p", "none"): 97, ("p", "lib/s"): 80, ("q", "none"): 88, ("q", "lib/s"): 118}
"""Right of 120: 80.8 to 66.7 % with one base prompt, 73.3 to 98.3 % with the other."""


@pytest.mark.parametrize("old", [False, True], ids=["frozen", "a plan of an earlier version"])
def test_a_sentence_that_helps_one_base_prompt_and_hurts_another_is_no_pooled_finding(old: bool) -> None:
    made = plan(120, prompts=["p", "q"], stimuli=["lib/s"], whole_prompts=False)
    if old:
        made = replace(made, hypotheses=tuple(h for h in made.hypotheses if h.contrast is None))
    found = analyse(frame(made, lambda m, s, prompt, arm, i: first(120, SPLIT[prompt, arm.replace("_aa", "")])), made)
    assert the(found, "stimulus").diff == pytest.approx((38 / 120 - 25 / 120 + 0) / 2, abs=0.1)
    effects = {c.name: (round(100 * (c.diff or 0), 1), c.verdict) for c in found if c.scope == "by_prompt"}
    assert effects == {"lib/s - none [prompt p]": (-14.2, "hurts"), "lib/s - none [prompt q]": (25.0, "helps")}
    both = the(found, "interaction")
    assert both.verdict == "helps"
    assert both.diff == pytest.approx(47 / 120)
    [told] = dependences(found).values()
    assert not told.helps_in_all
    for words in ("-14.2 points with p", "+25.0 points with q", "difference +39.2 points", "No mean over the base prompts"):
        assert words in told.sentence


# --- the inputs that a careful reader tried


def compared(control: np.ndarray, treatment: np.ndarray, **more: Any) -> list[Comparison]:
    made = plan(len(control))
    return analyse(frame(made, lambda m, s, prompt, arm, i: treatment if prompt == "expert" else control, **more), made)


def test_four_gained_of_sixty_is_one_unclear_sentence() -> None:
    found = compared(first(60, 30), first(60, 34))
    [c] = [c for c in found if c.contrast]
    assert c.verdict == "unclear"
    assert c.p_value == pytest.approx(mcnemar(30, 4, 0, 26).p_midp)
    assert "4 items gained, 0 lost of 60" in c.sentence


@pytest.mark.parametrize(("n", "changed", "margin", "verdict"), [(150, 1, 0.02, "unclear"), (400, 1, 0.02, "same"), (120, 0, 0.05, "same")])
def test_few_changes_are_same_only_if_the_exact_bound_says_so(n: int, changed: int, margin: float, verdict: str) -> None:
    made = replace(plan(n), margins=Margins(cell=margin, mean=margin))
    found = analyse(frame(made, lambda m, s, p, arm, i: first(n, n // 2 + (changed if p == "expert" else 0))), made)
    assert the(found, "prompt").verdict == verdict


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("small", [1, 2])
def test_a_few_items_of_a_small_task_make_no_finding_and_no_sameness(small: int, graded: bool) -> None:
    """The mean over tasks weighs them alike: one item of a small task moves it as far as a hundred of a large one."""
    up = np.r_[np.ones(12), -np.ones(2), np.zeros(86)] * (0.5 if graded else 1)
    large, tiny = (Pairs("t", s=0.5 + d / 2, b=0.5 - d / 2, clusters=None, n_planned=len(d)) for d in (up, np.ones(small) * up[0]))
    if not graded:
        large, tiny = (replace(p, s=(p.d > 0) * 1.0, b=(p.d < 0) * 1.0) for p in (large, tiny))
    found = infer([large, tiny])
    assert found.p_value is not None
    assert found.ci is not None
    if graded and small == 1:
        assert found.status == "n_too_small"
        assert found.error > 0.5 * up.std(ddof=1), "a task with one item takes the variance of the others"
    wide = {"t": 100, "u": small}
    rows = [(task, prompt, i, score) for task, pairs in zip("tu", (large, tiny), strict=True)
            for prompt, side in (("current", pairs.b), ("expert", pairs.s)) for i, score in enumerate(side)]  # fmt: skip
    of = plan(wide)
    trials = pd.DataFrame(rows, columns=["task", "base_prompt", "item", "score"]).assign(
        model="m", setting=of.settings[0].id, arm="none", role="baseline", item=lambda f: f["item"].astype(str)
    )
    c = next(c for c in analyse(trials, of) if c.scope == "prompt" and c.task is None)
    assert (c.verdict, c.status) == ("unclear", "n_too_small"), c.sentence


def test_lost_repeats_of_one_prompt_refuse_its_verdict() -> None:
    made = replace(plan(100), replicates=7)
    trials = pd.concat([frame(made, lambda m, s, p, arm, i: first(100, 60)).assign(replicate=k) for k in range(7)], ignore_index=True)
    wrong = (trials["base_prompt"] == "expert") & (trials["arm"] == "none") & (trials["score"] == 0)
    trials.loc[trials[wrong].groupby("item").sample(frac=0.36, random_state=1).index, "score"] = np.nan
    lost = trials.loc[(trials["base_prompt"] == "expert") & (trials["arm"] == "none"), "score"].isna().mean()
    c = the(analyse(trials, made), "prompt")
    assert lost == pytest.approx(0.143, abs=0.03)
    assert c.missing_treatment == pytest.approx(lost)
    assert c.n_missing == 0
    # scores that are all alike in an item survive the loss: 0 where wrong, and the excess counted at its best turns them
    assert c.verdict == "refused"
    assert c.status == "missing_pairs"
    assert c.worst_low is not None
    assert c.worst_low <= 0 <= (c.worst_high or 0)


def test_two_clusters_are_unclear_with_the_reason() -> None:
    found = compared(first(60, 20), first(60, 40), clusters={i: "a" if i < 30 else "b" for i in range(60)})
    c = the(found, "prompt")
    assert (c.verdict, c.status) == ("unclear", "too_few_clusters")
    assert "clusters" in c.sentence


def test_a_model_that_fails_its_own_repeat_silences_every_contrast_with_it() -> None:
    made = plan(200, models=["a", "b"], compare_models=True)

    def score(model: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
        return first(len(items), 60 if model == "b" and arm == "none_aa" else 120)

    found = analyse(frame(made, score), made)
    told = {c.name: c.status for c in found if c.contrast and c.model == "b"}
    assert set(told.values()) == {"aa_failed"}
    assert {"model b - a", "(prompt expert - current) x (model b - a)"} <= told.keys()
    assert the(found, "prompt", model="a").status != "aa_failed"


# --- base prompts are paired with themselves


def test_an_answer_that_is_lost_takes_its_base_prompt_out_of_the_item_and_no_more() -> None:
    made = plan(80, prompts=["p", "q"], stimuli=["lib/s"], whole_prompts=False)
    trials = frame(made, lambda m, s, prompt, arm, i: np.full(80, 1.0 if prompt == "p" else 0.0))
    gone = (trials["base_prompt"] == "q") & (trials["arm"] == "lib/s") & trials["item"].isin([f"t-{i}" for i in range(3)])
    trials.loc[gone, "score"] = np.nan
    c = the(analyse(trials, made), "stimulus")
    assert c.diff == 0  # pooled over prompts, those three items would have gained half a point each
    assert c.n_pairs == 80


def test_pairs_of_all_prompts_are_judged_jointly() -> None:
    made = plan(120, prompts=["a", "b", "c"], interactions=(("prompt", "prompt"),))
    right = {"a": 60, "b": 62, "c": 100}
    found = analyse(frame(made, lambda m, s, prompt, arm, i: first(120, right[prompt])), made)
    pairs = {c.name: c for c in found if c.scope == "pair"}
    assert set(pairs) == {"prompt b - a", "prompt c - a", "prompt c - b"}
    assert {c.adjustment for c in pairs.values()} == {"maxt"}
    assert {name: c.verdict for name, c in pairs.items()}["prompt c - a"] == "helps"
    assert all((c.p_adjusted or 0) >= (c.p_value or 0) for c in pairs.values())


def test_base_prompts_as_a_random_factor_add_their_variance() -> None:
    prompts = [f"p{i}" for i in range(6)]
    made = plan(100, prompts=prompts, stimuli=["lib/s"], whole_prompts=False)
    random = replace(made, factors=(PlannedFactor(name="prompt", random=True),))
    shift = dict(zip(prompts, [-20, 40, 0, 25, -10, 15], strict=True))

    def score(model: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
        return first(100, 50 + (shift[prompt] if arm == "lib/s" else 0))

    fixed, wide = (the(analyse(frame(made, score), p), "stimulus") for p in (made, random))
    assert fixed.verdict == "helps"
    assert wide.verdict == "unclear"
    assert wide.diff == fixed.diff
    assert (wide.ci_high or 0) - (wide.ci_low or 0) > 2 * ((fixed.ci_high or 0) - (fixed.ci_low or 0))
    assert "6 prompts" in wide.method


def test_paraphrases_of_the_incumbent_are_a_control_with_an_analysis_of_its_own() -> None:
    """A prompt against the mean of all wordings of the incumbent: these, and others like them, which differ as much as these do."""
    names = ("current", "expert", "c1", "c2", "c3", "c4")
    worded = tuple(PlannedPrompt(name=n, paraphrase_of="current" if n.startswith("c") and n != "current" else None) for n in names)
    of = replace(plan(400, prompts=names), prompts=worded)
    of = replace(of, hypotheses=tuple(planned(of)))
    assert of.wordings == ["current", "c1", "c2", "c3", "c4"]
    assert [(h.treatment, h.control) for h in of.hypotheses if h.family == "wording/m"] == [("expert", "current in 5 wordings")]
    right = {"current": 240, "expert": 280, "c1": 272, "c2": 208, "c3": 244, "c4": 236}
    rng = np.random.default_rng(3)
    orders = {name: rng.permutation(400) for name in names}
    trials = frame(of, lambda m, s, prompt, arm, i: (orders[prompt] < right[prompt]).astype(float))
    c = the(analyse(trials, of), "wording")
    assert c.diff == pytest.approx(0.1)
    assert (c.verdict, c.against.phrase) == ("helps", "the prompt current in 5 wordings")
    assert c.ci_neutral_low is not None
    assert c.ci_low is not None
    assert c.ci_neutral_low < 0 < c.ci_low, "wordings differ by so much that one more of them could do as well"
    assert "against wordings like these" in c.sentence
    [spread] = [row for row in supplement(trials, of, analyse(trials, of)).levels if row.factor == "wording"]
    assert (spread.prompt, spread.n_levels, spread.lowest, spread.highest) == ("current", 5, "c2", "c1")
    without = replace(of, prompts=tuple(replace(p, paraphrase_of=None) for p in worded))
    assert not [h for h in planned(without) if h.scope == "wording"]


def test_prompts_have_rows_in_the_decision() -> None:
    made = plan(200, prompts=["a", "b", "c"])
    right = {"a": 100, "b": 104, "c": 130}
    trials = frame(made, lambda m, s, prompt, arm, i: first(200, right[prompt])).assign(
        cost_usd=0.001, input_tokens=10, output_tokens=lambda t: np.where(t["base_prompt"] == "c", 30, 10), latency_s=1.0, outcome="ok"
    )
    rows = {row.treatment: row for row in supplement(trials, made, analyse(trials, made)).arms}
    assert set(rows) == {"b", "c"}
    assert rows["c"].p_best > 0.95
    assert rows["c"].control == "a"
    assert rows["c"].tokens.diff == 20


# --- the whole way, from a table


def imported(folder: Path, lines: Sequence[Mapping[str, object]]) -> Run:
    """A run of a table, as a user imports it."""
    with (folder / "scores.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return Run(bring([folder / "scores.csv"], folder / "runs").folder)


def rows_of(right: Mapping[tuple[str, str], int], n: int, clusters: int = 0) -> list[Mapping[str, object]]:
    """One row for each item, arm and base prompt: the first so many are right."""
    more = {"cluster": lambda i: f"c{i % clusters}"} if clusters else {}
    return [
        {"item": f"i{i}", "arm": arm, "base_prompt": prompt, "score": int(i < k), **{name: of(i) for name, of in more.items()}}
        for (prompt, arm), k in right.items()
        for i in range(n)
    ]


def test_a_table_with_two_base_prompts_gives_both_effects_and_no_pooled_advice(tmp_path: Path) -> None:
    lines = rows_of({key: 120 * right // 120 for key, right in SPLIT.items()}, 120)
    run = imported(tmp_path, lines)
    (tmp_path / "named.csv").write_text((tmp_path / "scores.csv").read_text().replace("base_prompt", "wording", 1))
    result = CliRunner().invoke(app, ["import", f"{tmp_path}/named.csv", "--base-prompt", "wording", "--runs", f"{tmp_path}/named"])
    assert result.exit_code == 0, result.output
    assert Run(next((tmp_path / "named").iterdir())).plan.base_prompts == run.plan.base_prompts
    report = whole(run)
    said = " ".join(report.headline)
    for words in ("-14.2 points with p", "+25.0 points with q", "difference +39.2 points", "as a mean of base prompts that differ"):
        assert words in said
    [line] = lines_of(report)
    assert line.do == "Decide for each base prompt"
    assert "ship" not in json.dumps(json.loads(report.to_json())["decision"])
    tables = {table.title: table for table in contrast_tables(report)}
    assert [row[3] for row in tables["Effects by base prompt"].rows] == ["p", "q", "q - p"]
    assert "-14.2 points with p" in " ".join(repr(report).split())
    assert {row["decision"] for row in json.loads(report.to_json())["summary"]} == {"incumbent", "depends on the prompt"}
    for text in (report.to_markdown(), report.to_html()):
        assert "Effects by base prompt" in text
        assert "+39.2" in text
    assert "(lib" not in said
    named = {row.get("contrast") for row in json.loads(report.to_json())["comparisons"]}
    assert {"lib/s - none [prompt p]", "(lib/s - none) x (prompt q - p)"} <= named


@pytest.mark.long
@given(
    right=st.fixed_dictionaries({(p, a): st.integers(0, 40) for p in "pq" for a in ("none", "s")}), clusters=st.sampled_from([0, 2, 13]),
    lost=st.sets(st.integers(0, 159), max_size=20),
)  # fmt: skip
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_report_and_compare_agree_on_the_same_rows(
    right: Mapping[tuple[str, str], int], clusters: int, lost: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [row | ({"score": ""} if i in lost else {}) for i, row in enumerate(rows_of(right, 40, clusters))]
    run = imported(tmp_path_factory.mktemp("agree"), lines)
    report = whole(run)
    for name, arms in {"s": ("none", "s"), "p": ("p", "q")}.items():
        shown = compare(run.folder, *arms).rows[-1]
        if name == "s":
            c = next(c for c in report.comparisons if c.scope == "stimulus")
            assert (shown.n, shown.diff, shown.p_value) == pytest.approx((c.n_pairs, c.diff, c.p_value))
            assert (shown.ci_low, shown.ci_high) == pytest.approx((c.ci_low, c.ci_high), nan_ok=True)
        else:
            kept = [dict(zip(("p", "q"), pair, strict=True)) for pair in _pairs_of(lines)]
            assert shown.diff == pytest.approx(np.mean([pair["q"] - pair["p"] for pair in kept]))


def _pairs_of(lines: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """The scores of items without added text in both base prompts."""
    of = {(row["base_prompt"], row["item"]): row["score"] for row in lines if row["arm"] == "none" and row["score"] != ""}
    return [(of["p", item], of["q", item]) for prompt, item in of if prompt == "p" and ("q", item) in of]


# --- nulls


@pytest.mark.long
def test_on_nulls_families_err_no_more_than_they_promise() -> None:
    """2 prompts x 2 models x 2 levels; each family finds something in at most 5 % + 3 Monte Carlo errors."""
    n_sweeps, rng = 400, np.random.default_rng(11)
    made = plan(40, models=["a", "b"], factors=["shots"], compare_models=True, interactions=(("shots", "model"), ("prompt", "shots")))
    wrong: dict[str, int] = dict.fromkeys(h.family for h in made.hypotheses)  # type: ignore[arg-type]
    trials = frame(made, lambda m, s, p, arm, i: i * 0.0).query("arm == 'none'").drop(columns="cluster")
    n_arms = len(trials) // 40
    for _ in range(n_sweeps):
        easy = np.tile(rng.beta(2, 2, 40), n_arms)
        found = analyse(trials.assign(score=(rng.random(len(trials)) < easy).astype(float)), made)
        for family in {c.family for c in found if c.contrast and c.verdict in ("helps", "hurts", "negligible")}:
            wrong[family] = (wrong[family] or 0) + 1
    most = n_sweeps * (ALPHA + 3 * (ALPHA * (1 - ALPHA) / n_sweeps) ** 0.5)
    assert all((n or 0) <= most for n in wrong.values()), wrong
    assert any(wrong.values())  # and some are found: the test looks at something

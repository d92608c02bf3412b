"""A referee who wants a wrong verdict from a judge or from raters: each way is closed, and says so."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cheats import rows_changed
from promptlab.explorer.frame import page_tables
from promptlab.nouns import NONE_ARM
from promptlab.nouns.errors import FileProblems
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.ratings import Rating, add, from_csv, ratings_of
from promptlab.record.store import Run
from promptlab.reporting.build import build
from promptlab.reporting.checked import failures
from promptlab.reporting.formats import ratings_csv
from promptlab.reporting.judged import controls, kin, unvalidated
from promptlab.reporting.judged_tables import judged_tables
from promptlab.reporting.people import drawn, people
from promptlab.reporting.rating import of_this_run, schedule, units
from promptlab.running.free_text import rated, written
from promptlab.scoring.judged import planted_copy
from promptlab.sources.spec.libraries import sim_models
from promptlab.stats import Labels, anchored, control_failed
from test_judges import file_of, judge_of, sweep, verdict_of

ARM = "emotionprompt/EP02"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """60 items judged by a fair judge."""
    path = file_of(tmp_path_factory.mktemp("fair"), judge_of("rubric", "reader"), items=60)
    return sweep(resolve(path), path.parent, "runs")[1]


@pytest.fixture
def run(whole: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(whole.folder, tmp_path / whole.id)))


def judged_by(folder: Path, metric: str, **values: Any) -> Run:
    return sweep(resolve(file_of(folder, metric, **values)), folder, "runs")[1]


def refused(run: Run) -> list[str]:
    """The controls that failed, where they silence every verdict."""
    assert {c.verdict for c in build(run).comparisons if c.scope == "stimulus"} == {"refused"}
    return [c.name for c in controls(run.trials(), run.plan) if c.failed]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("kind", ["rubric", "pairwise"])
@pytest.mark.parametrize("judge", ["reader_who_obeys", "reader_upside_down"])
def test_a_judge_that_obeys_the_answer_or_turns_its_scale_is_silent(kind: str, judge: str, tmp_path: Path) -> None:
    assert refused(judged_by(tmp_path, judge_of(kind, judge), items=60)) == ["answers made worse are noticed"]


def test_a_judge_that_always_says_the_same_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.running.simulate.judged", lambda taste, said, rng: ("5", ()))
    found = judged_by(tmp_path, judge_of("rubric", "reader"), items=100)
    assert refused(found) == ["answers made worse are noticed"], "a tie is not noticed"


@pytest.mark.parametrize("kind", ["rubric", "pairwise"])
def test_one_broken_judge_of_a_panel_is_named(kind: str, tmp_path: Path) -> None:
    metric = f"  {kind}:\n    judges: [sim/reader, sim/reader_upside_down]\n"
    assert refused(judged_by(tmp_path, metric, items=60)) == ["answers made worse are noticed (sim/reader_upside_down)"]


def test_judgements_that_only_one_arm_loses_make_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.running import simulate

    read = simulate.judged

    def cannot_read_poor_answers_of_the_arm(taste: Any, said: str, rng: Any) -> Any:
        found = read(taste, said, rng)
        return ("I cannot say.", ()) if "guess" in said and said.count("fact") < 3 and rng.random() < 0.7 else found

    monkeypatch.setattr("promptlab.running.simulate.judged", cannot_read_poor_answers_of_the_arm)
    found = judged_by(tmp_path, judge_of("rubric", "reader"), items=60)
    assert found.trials()["score"].isna().mean() > 0.1
    assert verdict_of(found).verdict == "refused"


def rate(run: Run, say: Callable[[str, float, str], int], raters: Sequence[str] = ("r1",), n: int = 60) -> None:
    """Ratings of a sample by raters who answer by arm, the judge's own number and item."""
    trials = run.trials().set_index("trial")
    for rater in raters:
        for unit in schedule(units(run, n), rater):
            row = trials.loc[unit.trials[0]]
            value = 1 if unit.kind == "attention" else say(str(row["arm"]), 1 + 4 * float(row["score"]), str(row["item"]))
            add(run.folder, unit.rating(rater, {"": value}))


def test_raters_who_always_say_the_same_prove_nothing(run: Run) -> None:
    rate(run, lambda arm, value, item: 3)
    found = verdict_of(run)
    assert found.method != "prediction-powered t"
    assert found.sentence.endswith("Ratings by r1 do not count: rated all 120 alike.")


def test_raters_who_miss_what_asks_for_attention_do_not_count(run: Run) -> None:
    for unit in schedule(units(run, 60), "r1"):
        add(run.folder, unit.rating("r1", {"": 5 if unit.kind == "attention" else 1 + len(unit.answers[0]) % 5}))
    assert "missed all 2 attention items" in verdict_of(run).sentence


def test_a_harsh_and_a_mild_rater_make_no_difference_between_arms(run: Run) -> None:
    trials = run.trials().set_index("trial")
    for unit in units(run, 60):
        is_base = trials.loc[unit.trials[0], "arm"] == NONE_ARM
        add(run.folder, unit.rating("harsh" if is_base else "mild", {"": (1 if is_base else 4) + len(unit.answers[0]) % 2}))
    found = verdict_of(run)
    assert found.method != "prediction-powered t"
    assert "not validated" in found.sentence


@pytest.mark.long
def test_labels_of_one_arm_alone_say_nothing_of_a_difference(run: Run) -> None:
    for unit in units(run, 60, [ARM]):
        if run.trials().set_index("trial").loc[unit.trials[0], "arm"] == ARM:
            add(run.folder, unit.rating("r1", {"": 4 + len(unit.answers[0]) % 2}))
    assert "was not validated" in verdict_of(run).sentence


def test_labels_of_items_that_somebody_chose_by_the_judge_do_not_count(run: Run) -> None:
    trials = run.trials()
    wide = trials.pivot_table(index="item", columns="arm", values="score")
    best = (wide[ARM] - wide["none"]).sort_values(ascending=False).index[:30]
    mine = trials[trials["item"].isin(best) & trials["arm"].isin([ARM, "none"])]
    for row in mine.drop_duplicates(["item", "arm"]).itertuples():
        add(run.folder, Rating("r1", row.trial, "rate", {"": round(1 + 4 * row.score)}, row.trial))
    found = verdict_of(run)
    assert found.method != "prediction-powered t"
    assert "rated items outside the random sample do not count" in found.sentence
    assert not set(drawn(run.plan, "t", trials["item"])[:10]).issubset(best)


@pytest.mark.long
def test_rows_that_occur_twice_count_once(run: Run) -> None:
    rate(run, lambda arm, value, item: round(value))
    once = verdict_of(run)
    trial_of = {one.trial_a: one for one in people([], run.plan, run.trials()).ratings}
    assert not trial_of
    for unit in units(run, 60):
        add(run.folder, replace(unit.rating("r1", {"": round(1 + 4 * float(_score(run, unit.trials[0])))}), unit=f"again {unit.id}"))
    twice = verdict_of(run)
    assert (twice.diff, twice.ci_low, twice.n_pairs) == (once.diff, once.ci_low, once.n_pairs)
    assert once.sentence.startswith("By 60 human and 60 judge labels")


def test_raters_who_disagree_and_who_contradict_themselves_are_named(run: Run) -> None:
    rng = random.Random(1)
    for rater in ("r1", "r2"):
        for unit in schedule(units(run, 60), rater):
            add(run.folder, unit.rating(rater, {"": 1 if unit.kind == "attention" else rng.randint(1, 5)}))
    said = verdict_of(run).sentence
    assert "The raters agree little (ordinal alpha" in said
    assert "r1 said the same again of only" in said
    assert "r2 said the same again of only" in said


def test_items_that_raters_would_not_judge_are_counted(run: Run) -> None:
    scores = run.trials().set_index("trial")["score"]
    for unit in schedule(units(run, 60), "r1"):
        value = round(1 + 4 * float(scores[unit.trials[0]]))
        add(run.folder, unit.rating("r1", {"": 1} if unit.kind == "attention" else {} if value < 3 else {"": value}))
    found = verdict_of(run)
    n = int(found.sentence.partition(" more items of the sample could not be judged and are left out")[0].rpartition(" ")[2])
    assert found.sentence.startswith(f"By {60 - n} human and 60 judge labels")


def test_ratings_of_another_run_are_refused(run: Run, tmp_path: Path) -> None:
    other = Run(Path(shutil.copytree(run.folder, tmp_path / "other" / run.id)))
    rows_changed(other.folder, "trials", lambda row: {**row, "answer": f"{row['answer']} And so on."})
    rate(run, lambda arm, value, item: round(value), n=5)
    table = ratings_csv(ratings_of(run.folder)).decode()
    sample, path = units(other, 5), Path("x.csv")
    assert len(of_this_run(path, from_csv(path, table), units(run, 5), run)) == len(ratings_of(run.folder))
    with pytest.raises(FileProblems, match="of other answers than those of this run"):
        of_this_run(path, from_csv(path, table), sample, other)
    assert failures(run) == []
    shutil.copytree(run.folder / "ratings", other.folder / "ratings")
    assert f"{len(ratings_of(run.folder))} ratings are of other answers than those of this run" in failures(other)


def _score(run: Run, trial: str) -> float:
    trials = run.trials().set_index("trial")
    return float(trials.loc[trial, "score"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("r1,u1,,3\nr1,u1,,4\n", "says 3 and 4 of one answer"),
        ("r1,u1,,nan\n", "is no rating"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(rows: str, said: str) -> None:
    with pytest.raises(FileProblems, match=said):
        from_csv(Path("x.csv"), f"rater,unit,rubric,value\n{rows}")


def test_few_labels_without_a_difference_do_not_show_that_there_is_none() -> None:
    rng = np.random.default_rng(1)
    f = rng.normal(size=300) * 0.1
    found = anchored([Labels(np.zeros(30), f[:30], f[30:])])
    assert (found.estimate, found.p_value) == (0, 1)
    assert found.ci_low < -0.05 < 0.05 < found.ci_high
    assert found.p_tost(0.05) > 0.2
    assert anchored([Labels(np.zeros(300), f, f[:0])]).p_tost(0.05) < 0.05
    gain = anchored([Labels(np.full(30, 0.25), f[:30], f[30:])])
    assert gain.p_value < 1e-6
    assert gain.ci_low < 0.25 < gain.ci_high


def test_equivalence_is_not_shown_by_few_changes() -> None:
    """A mean of 5 points, as steps of 25 points in a fifth of the items: "within 5 points" is said in at most 5 % of samples."""
    rng = np.random.default_rng(2)
    said = []
    for _ in range(400):
        y = 0.25 * (rng.random(30) < 0.2)
        f = rng.normal(size=150) * 0.1
        said.append(anchored([Labels(y, f[:30], f[30:])]).p_tost(0.05) <= 0.05)
    assert np.mean(said) <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_differences_by_rater_and_over_raters_like_these(run: Run) -> None:
    rate(run, lambda arm, value, item: min(5, max(1, round(value) + (len(item) + len(arm)) % 2)), ["r1", "r2", "r3"], n=20)
    tables = {one.title: one.frame for one in judged_tables(run.trials(), run.plan, build(run).ratings)}
    by_rater, over = tables["Differences by rater"], tables["Items and raters as random effects"]
    assert set(by_rater["rater"]) == {"r1", "r2", "r3"}
    assert list(over.loc[over["arm"] == ARM, ["items", "raters"]].iloc[0]) == ["20", "3"]
    shown = [one.title for one in page_tables(run.folder, "results", {})]
    assert {"Differences by rater", "Items and raters as random effects", "Agreement"} <= set(shown), "the explorer has them, too"


PROMPTS = "prompts:\n  today: 'Answer this: {q}'\n  expert: 'You are an expert. Answer this: {q}'\nincumbent: today\n"


def of_prompts(folder: Path, metric: str, more: str = PROMPTS) -> Path:
    path = file_of(folder, metric, more=more, models="  - sim/factors")
    text = path.read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("stimuli", "controls", "base_prompts"))]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("kind", ["rubric", "pairwise"])
def test_two_prompts_are_judged_and_rated_against_each_other(kind: str, tmp_path: Path) -> None:
    run = sweep(resolve(of_prompts(tmp_path, judge_of(kind, "reader"))), tmp_path, "runs")[1]
    before = next(c for c in build(run).comparisons if c.scope == "prompt")
    assert before.diff != 0
    assert "not validated" in before.sentence
    sample = units(run, 30)
    trials = run.trials().set_index("trial")
    assert len(sample) == (30 if kind == "pairwise" else 60)
    assert {str(trials.loc[trial, "base_prompt"]) for unit in sample for trial in unit.trials} == {"today", "expert"}
    for n, unit in enumerate(schedule(sample, "r1")):
        is_new = trials.loc[unit.trials[0], "base_prompt"] == "expert"
        value: Any = ("tie" if n % 5 == 0 else "A" if is_new else "B") if unit.is_pair else 3 + is_new - n % 3
        if unit.kind == "attention":
            value = "tie" if unit.is_pair else 1
        add(run.folder, unit.rating("r1", {"": value}))
    report = build(run)
    after = next(c for c in report.comparisons if c.scope == "prompt")
    assert after.sentence.startswith("By 30 human and 60 judge labels")
    assert after.diff > 0.1
    tables = {one.title: one.frame for one in judged_tables(run.trials(), run.plan, report.ratings)}
    assert list(tables["Differences by rater"]["rater"]) == ["r1"]
    assert list(tables["Judged differences and length"]["arm"]) == ["prompt expert - today"]
    if kind == "pairwise":
        assert "expert" in set(tables["Strengths by pairs"]["arm"])


def test_pairs_with_several_baselines_are_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, judge_of("pairwise", "reader"), more=PROMPTS)
    path.write_text("\n".join(x for x in path.read_text("utf-8").splitlines() if not x.startswith("base_prompts")) + "\n", "utf-8")
    with pytest.raises(FileProblems, match="is judged in pairs with one baseline"):
        resolve(path)


def test_a_judge_of_its_own_answers_is_said(tmp_path: Path, whole: Run) -> None:
    metric = "  rubric:\n    judges: {model: openai/gpt-4o-mini, name: j}\n"
    study = resolve(file_of(tmp_path, metric, models="  - openai/gpt-4o-mini", items=5))
    assert any("judges its own answers" in note for note in study.notes)
    plan = make_plan(study, priced=False)
    kept = replace(verdict_of(whole), verdict="helps")
    [said] = unvalidated([kept], plan)
    assert said.endswith("It judges answers of its own family (gpt), which it may prefer.")
    for judge, model, known in (
        ("openai/o3-mini", "openai/gpt-4.1", True),
        ("openai/gpt-4.1", "azure/gpt-4o", True),
        ("anthropic/claude-haiku-4-5", "openai/gpt-4.1", False),
        ("sim/reader", "sim/essays", False),
    ):
        [scored] = plan.tasks
        other = replace(plan, tasks=(replace(scored, scoring={"judges": [{"litellm_name": judge}]}),))
        other = replace(other, models=(replace(plan.models[0], litellm_name=model),))
        assert bool(kin(other, {"t"})) == known


def test_a_table_of_ratings_is_checked_against_the_run(run: Run) -> None:
    sample = units(run, 5)
    trial = sample[0].trials[0]
    kept = of_this_run(Path("x.csv"), from_csv(Path("x.csv"), f"rater,unit,value\nr1,{sample[0].id},4\nr2,{trial},2\n"), sample, run)
    assert [one.trial_a for one in kept] == [trial, trial], "a unit, or a trial, is enough"
    for row, said in ((f"r1,{trial},9", "scale"), ("r1,nowhere,3", "no answer of this run"), (f"r1,{trial},A", "scale")):
        with pytest.raises(FileProblems, match=said):
            of_this_run(Path("x.csv"), from_csv(Path("x.csv"), f"rater,unit,value\n{row}\n"), sample, run)


@pytest.mark.parametrize("scale", [(1, 5), (0, 1)])
def test_planted_answers_tell_fair_judges_from_others(scale: tuple[int, int]) -> None:
    failed = {}
    for name in ("reader", "reader_who_is_blind", "reader_upside_down", "reader_who_obeys"):
        taste, rng, n_failed = sim_models()[name].taste, random.Random(name), 0
        assert taste is not None
        for _ in range(60):
            passed: list[float] = []
            while len(passed) < 40:
                answer = written("essays", min(1.0, max(0.0, rng.gauss(0.5, 0.2))), 6, rng)
                whole, worse = (int(rated(taste, text, *scale, rng) + 0.5) for text in (answer, planted_copy(answer)))
                if max(whole, worse) > scale[0]:
                    passed.append(1.0 if worse < whole else 0.5 if worse == whole else 0.0)
            n_failed += control_failed(round(sum(passed)), len(passed), 0.8)
        failed[name] = n_failed / 60
    assert failed.pop("reader") == 0
    assert min(failed.values()) > 0.9

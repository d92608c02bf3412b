"""Plans after the data: what older answers may and may not decide, and the registry that counts variations of a question."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptlab.nouns import home
from promptlab.planning.resolve import resolve
from promptlab.record import registry
from promptlab.record.store import Run
from promptlab.reporting.build import Report, build, headline
from promptlab.reporting.checked import failures
from promptlab.reporting.older import _results, keep_results
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment

TASKS = "sum, sentiment, antonyms"
BOTH = "emotionprompt/EP02, emotionprompt/EP03"


def swept(folder: Path, cache: str = "use", **what: object) -> Report:
    """An experiment over the cache that all in a folder share, reported."""
    path = experiment(folder, **{"tasks": TASKS, "stimuli": BOTH, "items": 12, "models": "  - sim/planted", **what})  # type: ignore[arg-type]
    done = run_sweep(resolve(path), folder / "runs", folder / "cache", Execution(cache=cache), lambda _: None)  # type: ignore[arg-type]
    report = build(Run(done.folder))
    keep_results(report.run, report.comparisons)
    return report


def exploratory(report: Report) -> set[str]:
    return {c.treatment for c in report.comparisons if c.status == "after_the_data"}


@pytest.fixture
def first(tmp_path: Path) -> Report:
    return swept(tmp_path, name="first")


def test_the_first_plan_is_before_the_data_and_so_is_its_resumption(first: Report, tmp_path: Path) -> None:
    assert not exploratory(first)
    assert first.history == ()
    again = swept(tmp_path, name="first")
    assert (again.run, exploratory(again), again.history) == (first.run, set(), ())


def test_of_many_results_of_another_run_the_findings_are_named() -> None:
    few = [("a", "+1.0", "unclear"), ("b", "+9.0", "helps")]
    assert _results(few) == "a: +1.0, unclear; b: +9.0, helps"
    assert _results([*few, *few, *few]) == "b: +9.0, helps; b: +9.0, helps; b: +9.0, helps; 3 other without a difference that was shown"
    assert _results([few[0]] * 12) == "12 without a difference that was shown"
    assert (_results([]), _results(None)) == ("none", "not reported")


def test_a_part_of_what_was_asked_is_exploratory_unless_it_is_asked_anew(first: Report, tmp_path: Path) -> None:
    chosen = swept(tmp_path, name="second", tasks="sum, sentiment", stimuli="emotionprompt/EP02")
    assert exploratory(chosen) == {"emotionprompt/EP02", "emotionprompt"}
    assert all(c.verdict == "refused" for c in chosen.comparisons if c.scope != "aa")
    said = " ".join(headline(chosen))
    assert f"{chosen.n_trials} of {chosen.n_trials} answers are older than this plan; first used by {first.run}" in said
    assert (
        "Run 2 of 2 variations of this question (same model and items); 1 of the others holds a comparison of this one. The others: "
        in said
    )
    assert f"{first.run} (emotionprompt/EP02: " in said
    fresh = swept(tmp_path / "runs", "refresh", name="third", tasks="sum, sentiment", stimuli="emotionprompt/EP02")
    assert not exploratory(fresh)


def test_the_same_plan_under_another_name_holds_every_comparison(first: Report, tmp_path: Path) -> None:
    again = swept(tmp_path, name="renamed")
    assert not exploratory(again)
    assert [c.verdict for c in again.comparisons] == [c.verdict for c in first.comparisons]
    assert "older than this plan" in " ".join(again.history)
    stricter = swept(tmp_path, name="margin", more="analysis: {margin_mean_points: 20}\n")
    assert exploratory(stricter)


def test_items_that_grow_are_peeking(first: Report, tmp_path: Path) -> None:
    grown = swept(tmp_path, name="grown", items=16)
    assert exploratory(grown) >= {"emotionprompt/EP02", "emotionprompt/EP03"}
    assert any("they grew after results were known, which is peeking" in c.sentence for c in grown.comparisons)


def test_an_older_incumbent_chooses_nothing_unless_tasks_or_items_are_left_out(first: Report, tmp_path: Path) -> None:
    new = swept(tmp_path, name="new", stimuli=f"{BOTH}, emotionprompt/EP05")
    assert "emotionprompt/EP05" not in exploratory(new), "its own answers are new, and the baseline's choose nothing"
    assert "emotionprompt/EP02" not in exploratory(new), "the earlier plan held it, in a smaller family"
    fewer = swept(tmp_path, name="fewer", tasks="sum", stimuli="emotionprompt/EP06")
    assert exploratory(fewer) == {"emotionprompt/EP06", "emotionprompt"}
    assert any("whose answers were known, is left out" in c.sentence for c in fewer.comparisons)


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"more": "replicates: 2\n"}, "had other answers to an item"),
        ({"more": "base_prompts: [ape]\n"}, "had other base prompts"),
        ({"items": 60, "more": "analysis: {looks: 2}\n"}, "had other interim analyses"),
        ({"items": 60, "more": "confirm: 0.5\n"}, "had other screening parts"),
    ],
)
def test_a_plan_that_uses_known_answers_by_other_rules_has_no_verdict(tmp_path: Path, what: dict[str, Any], why: str) -> None:
    both = {"more": "base_prompts: [human, ape]\n"} if "base prompts" in why else {}
    swept(tmp_path, **({"name": "one", "tasks": "sum, sentiment", "items": what.get("items", 12)} | both))
    report = swept(tmp_path, **({"name": "two", "tasks": "sum, sentiment"} | what))
    assert any(why in c.sentence for c in report.comparisons), {c.sentence for c in report.comparisons}


def test_a_renamed_plan_that_screens_keeps_its_verdicts(tmp_path: Path) -> None:
    what = {"tasks": "sum, sentiment", "items": 60, "stimuli": f"{BOTH}, emotionprompt/EP05", "more": "confirm: 0.5\n"}
    one, two = (swept(tmp_path, name=name, **what) for name in ("one", "two"))
    assert not exploratory(two)
    assert [c.verdict for c in two.comparisons] == [c.verdict for c in one.comparisons]


def test_another_scorer_and_a_second_beginning_are_named(first: Report, tmp_path: Path) -> None:
    path = tmp_path / "first.yaml"
    path.write_text(path.read_text().replace("scorer: reference", "scorer: strict").replace("name: first", "name: strict"))
    done = run_sweep(resolve(path), tmp_path / "runs", tmp_path / "cache", Execution(), lambda _: None)
    report = build(Run(done.folder))
    assert not exploratory(report)
    assert "They were scored by reference then, and by strict here: report both." in report.history
    assert not any("was begun" in said for said in swept(tmp_path, "refresh", name="first").history), "resumed"
    shutil.rmtree(tmp_path / "runs" / first.run)
    assert any("This plan was begun 2 times" in said for said in swept(tmp_path, "refresh", name="first").history)


def test_the_registry_is_appended_to_and_survives_bad_lines(first: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.path() == home() / "registry.jsonl"
    with registry.path().open("ab") as file:
        file.write(b"{torn\n[]\n")
    registry.append("begun", {"run": "other", "at": "now"})
    known = registry.read()
    assert list(known.plans) == [first.run]
    assert known.results[first.run]
    monkeypatch.setenv("PROMPTLAB_REGISTRY", str(tmp_path / "elsewhere.jsonl"))
    assert not registry.read().plans


ENTRY = {"models": ["m"], "tasks": {"sum": ["s/sum", 1, ["a"]]}, "comparisons": {"c": 1}, "margins": [0.1, 0.1], "alpha": [0.05, 0.1]}
WRONG: dict[str, list[object]] = {
    "models": [None, 5, [[1]]], "tasks": [[], {"sum": 5}, {"sum": ["s/sum", 1]}, {"sum": ["s", "1", []]}, {"sum": [["s"], 1, [[]]]}],
    "comparisons": [[], {"c": "1"}], "margins": [1, ["x"]], "alpha": [[0.05], [0.05, None]], "metrics": [5, {"sum": []}], "rules": [[]],
}  # fmt: skip


def test_a_registry_edited_by_hand_keeps_no_run_from_its_report(first: Report, tmp_path: Path) -> None:
    """A line that is none is left out: every report reads the registry of all runs."""
    good = json.loads(registry.path().read_text().splitlines()[0])
    rows = [{**good, "run": f"{name}{n}", name: value} for name, values in WRONG.items() for n, value in enumerate(values)]
    results = [{"kind": "results", "run": first.run, "found": found} for found in (5, [1], [["a", "b"]], [["a", "b", "c", "d"]])]
    with registry.path().open("a") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in [*rows, *results, {"kind": "registered", "plan": "p", "at": 5}, {}])
    known = registry.read()
    assert (list(known.plans), dict(known.registered)) == ([first.run], {})
    assert "line 3 of registry.jsonl is not what was written there" in " ".join(build(Run(tmp_path / "runs" / first.run)).history)
    assert registry.entries_in({"a": ENTRY, **{f"{n}{v}": {**ENTRY, n: v} for n, values in WRONG.items() for v in values}}) == {"a": ENTRY}


@pytest.mark.parametrize("edit", [lambda lines: [lines[0].replace(b"reference", b"strict"), *lines[1:]], lambda lines: lines[1:]])
def test_a_line_of_the_registry_that_is_edited_or_taken_out_is_told(first: Report, tmp_path: Path, edit: Any) -> None:
    assert not registry.read().edited
    registry.path().write_bytes(b"".join(edit(registry.path().read_bytes().splitlines(keepends=True))))
    assert "The registry here was edited: line 1 of registry.jsonl is not what was written there" in " ".join(
        build(Run(tmp_path / "runs" / first.run)).history
    )


def test_lines_of_an_earlier_version_in_the_registry_are_no_edit(first: Report, tmp_path: Path) -> None:
    with registry.path().open("a") as file:
        file.write(json.dumps({"kind": "begun", "run": "other", "at": "2026-01-01T00:00:00+00:00"}) + "\n")
    registry.append("begun", {"run": "third"})
    assert (registry.read().edited, len(registry.read().begun)) == ([], 2)
    registry.path().write_text(registry.path().read_text().replace('"other"', '"edited"'))
    assert len(registry.read().edited) == 1, "the line after it says so"


def test_an_earlier_plan_is_what_the_registry_says(first: Report, tmp_path: Path) -> None:
    run = tmp_path / "runs" / swept(tmp_path, name="second", tasks="sum, sentiment", stimuli="emotionprompt/EP02").run
    assert not failures(Run(run))
    text = (run / "manifest.json").read_text()
    forged = json.loads(text)
    forged["earlier"][first.run]["comparisons"]["0123"] = 1
    (run / "manifest.json").write_text(json.dumps(forged))
    assert failures(Run(run)) == [f"the manifest says of the plan of {first.run} what the registry here does not"]
    forged = json.loads(text)
    forged["earlier"][first.run].update(at="2999-01-01T00:00:00+00:00")
    (run / "manifest.json").write_text(json.dumps(forged))
    assert failures(Run(run)) == [f"the manifest says that the plan of {first.run} is earlier, and got its first answer after this run"]


def test_a_task_by_another_name_is_known_by_its_items(tmp_path: Path) -> None:
    """New prompts against an older incumbent keep their verdicts, the same comparison is held, and known answers still choose nothing."""
    (tmp_path / "items.csv").write_text("asked,right\n" + "".join(f"{n} and {n},{'abc'[n % 3]}\n" for n in range(24)), encoding="utf-8")
    (tmp_path / "few.csv").write_text("asked,right\n" + "".join(f"{n} and {n},{'abc'[n % 3]}\n" for n in range(12)), encoding="utf-8")

    def asked(name: str, *prompts: str, items: str = "items.csv") -> Report:
        (tmp_path / f"{name}_task.yaml").write_text(
            f"items: {items}\ncolumns: {{input: asked, target: right}}\nlabels: [a, b, c]\nmetric: label\n", encoding="utf-8"
        )
        listed = "".join(f"  {prompt}: 'Add, {prompt}: {{input}}'\n" for prompt in prompts)
        asks = f"name: {name}\nquestion: Which is better?\ntask_files: [{name}_task.yaml]\ntasks: [{name}_task]\nmodels: [sim/planted]\n"
        text = f"{asks}prompts:\n{listed}incumbent: today\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        done = run_sweep(resolve(tmp_path / f"{name}.yaml"), tmp_path / "runs", tmp_path / "cache", Execution(), lambda _: None)
        return build(Run(done.folder))

    assert not exploratory(asked("one", "today", "second", "third"))
    assert not exploratory(asked("two", "today", "fourth")), "only the incumbent is older"
    assert not exploratory(asked("three", "today", "second", "third")), "the same comparisons"
    assert not exploratory(asked("four", "today", "second", "fifth")), "one is held, the other new"
    assert exploratory(asked("five", "today", "second")) == {"second"}, "chosen among two whose answers were known"
    left_out = asked("six", "today", "sixth", items="few.csv")
    assert exploratory(left_out) == {"sixth"}
    assert any("whose answers were known, are left out" in c.sentence for c in left_out.comparisons)

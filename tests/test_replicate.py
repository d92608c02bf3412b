"""A run beside the paper's own table: the arithmetic of the abstracts, agreement, and what keeps cells from being compared."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

import runs
from conftest import ROOT, SHARED
from promptlab.record.store import Run
from promptlab.reporting import PAPERS, build, replicate
from promptlab.reporting.replicate import figures, headline, published
from promptlab.stats import replication_check


@pytest.mark.parametrize(
    ("paper", "benchmark", "printed"),
    [
        ("emotionprompt", "instruction_induction", 8.00),
        ("emotionprompt", "bigbench", 114.94),
        ("negativeprompt", "instruction_induction", 12.89),
        ("negativeprompt", "bigbench", 46.25),
    ],
)
def test_the_abstracts_figures_follow_from_their_tables(paper: object, benchmark: str, printed: float) -> None:
    assert round(headline(paper, benchmark), 2) == printed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("published", "ours", "se", "agreement"),
    [
        (0.03, 0.028, 0.004, "consistent"),
        (0.10, 0.01, 0.004, "smaller"),
        (0.10, -0.03, 0.004, "opposite"),
        (-0.10, 0.03, 0.004, "opposite"),
        (0.03, 0.12, 0.004, "larger"),
        (0.10, -0.001, 0.004, "smaller"),
    ],
)
def test_agreement(published: float, ours: float, se: float, agreement: str) -> None:
    assert replication_check(published, ours, se, 0.5, 0.1, 24).agreement == agreement


def test_errors_of_the_original_are_bounded_by_what_it_could_have_been() -> None:
    found = replication_check(0.05, 0.0, 0.005, 0.5, 0.1, 24)
    assert found.se_published_unpaired == pytest.approx((2 * 0.25 / 100 / 24) ** 0.5)
    assert found.se_published_paired == pytest.approx((0.1 / 100 / 24) ** 0.5)
    assert found.se_published_paired < found.se_published_unpaired
    assert found.p_small_telescope < 0.05, "nothing, where the original could not have seen so little"
    assert replication_check(0.05, 0.05, 0.005, 0.5, 0.1, 24).p_small_telescope > 0.95
    with pytest.raises(ValueError, match="discordance"):
        replication_check(0.05, 0.0, 0.005, 0.5, 1.5, 24)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replicate")
    path = runs.experiment(
        folder, tasks="sum, antonyms, object_counting, ruin_names", models="  - sim/null", stimuli='"emotionprompt/*"', items=30
    )
    assert runs.run("sweep", str(path), "--runs", str(folder / "runs"), "--no-cache", "--no-report").returncode == 0
    return next((folder / "runs").iterdir())


@pytest.mark.long
def test_a_simulated_run_is_compared_with_nothing_and_says_why(swept: Path) -> None:
    done = runs.run("replicate", str(swept), "--paper", "emotionprompt")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED: Li et al. 2023" in done.stdout
    assert "the abstract says 8.00 %" in done.stdout
    assert "the abstract says 114.94 %" in done.stdout
    assert "the model is simulated" in done.stdout
    assert "other items: suite twin" in done.stdout
    parsed = json.loads(runs.run("replicate", str(swept), "--paper", "emotionprompt", "--same-as", "sim/null=GPT-4", "--json").stdout)
    assert {cell["benchmark"] for cell in parsed["cells"]} == {"instruction_induction", "bigbench"}
    for cell in parsed["cells"]:
        assert cell["verdict"] == "not comparable"
        assert cell["paper_model"] == "GPT-4"
        assert cell["our_low"] < cell["our_average"] < cell["our_high"]
        assert cell["our_best_per_task"] > cell["our_average"]
    first = next(cell for cell in parsed["cells"] if cell["benchmark"] == "instruction_induction")
    assert (first["n_tasks"], first["n_items"]) == (2, 60)
    assert first["check"]["published"] == pytest.approx((first["published_average"] - first["original"]) / 100)


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--paper", "negativeprompt"], "has no stimulus of 'negativeprompt'"),
        (["--paper", "emotionprompt", "--same-as", "x=GPT-4"], "the run has no model 'x'"),
        (["--paper", "emotionprompt", "--same-as", "sim/null=GPT-5"], "emotionprompt has no model 'GPT-5'; did you mean 'GPT-4'"),
        (["--paper", "emotionprompt", "--same-as", "GPT-4"], "--same-as takes MODEL=PAPERMODEL"),
    ],
)
def test_what_cannot_be_compared_is_refused(swept: Path, arguments: list[str], expected: str) -> None:
    done = runs.run("replicate", str(swept), *arguments)
    assert done.returncode != 0
    assert expected in done.stderr


PUBLISHED = SHARED / "reference" / "published_results.csv"


@pytest.mark.shared
def test_every_published_figure_ships_with_its_source() -> None:
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        reference = [list(row.values())[:8] for row in csv.DictReader(file)]
    assert [list(row.values())[:8] for row in figures()] == reference
    assert all(row["source"] for row in figures())


def test_table_1_follows_from_the_figures() -> None:
    assert len(published()) == 168 + 108
    assert Counter(row["condition"] for row in published()) == {"original": 78, "average": 78, "best": 78, "chain_of_thought": 42}
    assert {row["model"] for row in published() if row["paper"] == "emotionprompt"} >= {"ChatGPT gpt-3.5-turbo-0613", "Average"}


def shrunk(file: str, folder: Path, tasks: str) -> Path:
    """A shipped experiment on a few tasks."""
    text = (ROOT / "experiments" / file).read_text(encoding="utf-8")
    (folder / file).write_text(re.sub(r"tasks: \[[^\]]*\]", f"tasks: [{tasks}]", text), encoding="utf-8")
    return folder / file


@pytest.fixture(scope="module", params=PAPERS)
def table_1(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """A paper and runs of both shipped files of its Table 1, on a few tasks."""
    paper, folder = str(request.param), tmp_path_factory.mktemp("table1")
    found = []
    for part, tasks in (("table1", "sum, antonyms, snarks, object_counting"), ("table1_fewshot", "sum, antonyms")):
        path = shrunk(f"{paper}_{part}.yaml", folder, tasks)
        done = runs.run("sweep", str(path), "--runs", str(folder / part), "--no-cache", "--no-report")
        assert done.returncode == 0, done.stderr
        found.append(next((folder / part).iterdir()))
    return paper, found


@pytest.mark.long(but=1)
def test_table_1_prints_paper_and_ours_side_by_side(table_1: tuple[str, list[Path]]) -> None:
    paper, both = table_1
    done = runs.run("replicate", *map(str, both), "--paper", paper, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    cells = {(cell["benchmark"], cell["base_prompt"], cell["shots"]): cell for cell in report["cells"]}
    assert set(cells) == {
        ("instruction_induction", "human", 0), ("instruction_induction", "ape", 0), ("instruction_induction", "human", 5),
        ("instruction_induction", "ape", 5), ("bigbench", "human", 0),
    }  # fmt: skip
    known = {(r["benchmark"], r["base_prompt"], int(r["shots"]), r["condition"]): float(r["value"]) for r in published()
             if r["paper"] == paper and r["model"] == "Average"}  # fmt: skip
    for place, cell in cells.items():
        theirs = cell["original"], cell["published_average"], cell["published_best"], cell["published_cot"]
        assert theirs == tuple(known.get((*place, name)) for name in ("original", "average", "best", "chain_of_thought"))
        assert (cell["published_cot"] is not None) == (paper == "emotionprompt")
        assert cell["our_cot"] is not None
        assert cell["our_average"] <= cell["our_best_single"] <= cell["our_best_per_task"]
        assert cell["verdict"] == "not comparable"
    assert {len(row) for row in report["headlines"]} == {4}
    shown = runs.run("replicate", *map(str, both), "--paper", paper).stdout
    said = " ".join(shown.split())
    for words in ("best single sentence", "stands for sim/null", "5 demonstrations", "chat template", "Average"):
        assert words in said, words
    assert ("no code of it exists" in said) == (paper == "emotionprompt")
    assert "drew them again for each stimulus" not in said


def test_a_model_may_stand_for_one_of_the_papers_or_for_their_average(table_1: tuple[str, list[Path]]) -> None:
    paper, (first, _) = table_1
    run = Run(first)
    by_name = replicate(run, paper, {"sim/null": "GPT-4"})  # type: ignore[arg-type]
    average = replicate([run], paper, {"sim/null": "Average"})  # type: ignore[arg-type]
    assert {cell.beside for cell in by_name.cells} == {"GPT-4"}
    assert not any("no model of the paper" in what for cell in average.cells for what in cell.obstacles)
    assert all(any("stands for sim/null" in what for what in cell.deviations) for cell in average.cells)


def test_base_prompts_may_differ_by_benchmark(table_1: tuple[str, list[Path]]) -> None:
    run = Run(table_1[1][0])
    trials = run.trials()
    asked = {task: set(group["base_prompt"]) for task, group in trials.groupby("task", observed=True)}
    assert asked == {"sum": {"human", "ape"}, "antonyms": {"human", "ape"}, "snarks": {"human"}, "object_counting": {"human"}}
    assert len(trials) == run.plan.counts.trials
    report = build(run)
    assert report.complete
    assert not [c for c in report.comparisons if c.status == "missing_pairs"], "what was never asked is not missing"

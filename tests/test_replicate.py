"""A run beside the paper's own table: the arithmetic of the abstracts, agreement, and what keeps cells from being compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import runs
from promptlab.reporting.replicate import headline
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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--paper", "negativeprompt"], "the run has no stimulus of 'negativeprompt'"),
        (["--paper", "emotionprompt", "--same-as", "x=GPT-4"], "the run has no model 'x'"),
        (["--paper", "emotionprompt", "--same-as", "sim/null=GPT-5"], "emotionprompt has no model 'GPT-5'; did you mean 'GPT-4'"),
        (["--paper", "emotionprompt", "--same-as", "GPT-4"], "--same-as takes MODEL=PAPERMODEL"),
    ],
)
def test_what_cannot_be_compared_is_refused(swept: Path, arguments: list[str], expected: str) -> None:
    done = runs.run("replicate", str(swept), *arguments)
    assert done.returncode != 0
    assert expected in done.stderr

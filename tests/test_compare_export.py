"""Two arms or two runs paired by item, and a run's trials in the columns of other tools."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import runs
from promptlab.record.store import Run
from promptlab.reporting import compare, side_of
from promptlab.reporting.formats import written


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same items asked of two simulated models, in two runs."""
    folder = tmp_path_factory.mktemp("pair")
    for name, model in (("first", "null"), ("second", "planted")):
        path = runs.experiment(folder, name=name, models=f"  - sim/{model}", items=40)
        assert runs.run("sweep", str(path), "--runs", str(folder / "runs"), "--no-cache", "--no-report").returncode == 0
    return next((folder / "runs").glob("first-*")), next((folder / "runs").glob("second-*"))


def test_two_runs_pair_by_item(two: tuple[Path, Path]) -> None:
    a, b = (Run(path) for path in two)
    found = compare(a, side_of(a, None, "none", None), b, side_of(b, None, "none", None))
    assert [row.task for row in found.rows] == ["sum", "sentiment", None]
    frames = [run.trials().query("arm == 'none' and task == 'sum'").set_index("item")["score"] for run in (a, b)]
    d = (frames[1] - frames[0]).dropna()
    row = found.rows[0]
    assert (row.n, row.gained, row.lost) == (len(d), int((d > 0).sum()), int((d < 0).sum()))
    assert row.diff == pytest.approx(float(d.mean()))
    assert row.method == "McNemar mid-p"
    assert any(note.startswith("served by: sim/null and sim/planted") for note in found.notes)


def test_the_command_gives_no_verdict(two: tuple[Path, Path]) -> None:
    done = runs.run("compare", str(two[0]), str(two[1]))
    assert done.returncode == 0, done.stderr
    assert "SIMULATED: second minus first" in done.stdout
    assert "Exploratory" in done.stdout
    assert "helps" not in done.stdout
    parsed = json.loads(runs.run("compare", str(two[1]), "--against", "emotionprompt/EP02", "--json").stdout)
    assert parsed["a"]["arm"] == "none"
    assert parsed["b"]["arm"] == "emotionprompt/EP02"
    assert parsed["notes"] == ["none is the mean of the baseline and its repeat, as in the report"]
    assert parsed["rows"][-1]["diff"] > 0.1


def test_other_items_are_not_paired(two: tuple[Path, Path], tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, name="other", tasks="antonyms", items=20)
    assert runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    done = runs.run("compare", str(two[0]), str(next((tmp_path / "runs").iterdir())))
    assert done.returncode != 0
    assert "share no scored item" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "an arm cannot be compared with itself"),
        (["--against", "emotionprompt/EP2"], "has no arm 'emotionprompt/EP2'; did you mean 'emotionprompt/EP02'"),
        (["--against", "none_aa", "--model", "sim/nil"], "has no model 'sim/nil'"),
        (["--against", "none_aa", "--strategy", "loop"], "with the strategy 'loop'"),
    ],
)
def test_what_cannot_be_paired_is_refused(two: tuple[Path, Path], arguments: list[str], expected: str) -> None:
    done = runs.run("compare", str(two[0]), *arguments)
    assert done.returncode != 0
    assert expected in done.stderr


def test_long_format_holds_every_trial(two: tuple[Path, Path], tmp_path: Path) -> None:
    run = Run(two[1])
    for ending in ("csv", "jsonl", "parquet"):
        assert runs.run("export", str(two[1]), "--out", str(tmp_path / f"x.{ending}")).returncode == 0
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run.trials())
    assert sum(float(row["score"]) for row in rows) == run.trials()["score"].sum()
    assert len((tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()) == len(rows)
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "x.parquet")["answer"], run.trials()["answer"], check_dtype=False)


def test_other_tools_find_their_columns(two: tuple[Path, Path], tmp_path: Path) -> None:
    assert runs.run("export", str(two[1]), "--format", "evalstats", "--out", str(tmp_path / "e.csv")).returncode == 0
    frame = pd.read_csv(tmp_path / "e.csv")
    assert list(frame.columns[:5]) == ["model", "prompt", "item", "run", "score"]
    assert frame["run"].min() == 1
    assert not frame.duplicated(["model", "prompt", "item", "run"]).any()
    assert frame["simulated"].all()
    assert runs.run("export", str(two[1]), "--format", "inspect-frame", "--out", str(tmp_path / "i.parquet")).returncode == 0
    samples = pd.read_parquet(tmp_path / "i.parquet")
    assert {"sample_id", "eval_id", "id", "epoch", "input", "target", "score_reference", "error"} <= set(samples.columns)
    assert samples["sample_id"].is_unique
    assert not samples.duplicated(["eval_id", "id", "epoch"]).any()
    assert samples["input"].notna().all()


def test_a_spreadsheet_runs_nothing_and_an_unknown_ending_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    frame = pd.DataFrame({"answer": ["=1+1", " @cmd", "ok\n-2", "\x1b[31mred", "1"]})
    text = written(frame, ".csv").decode()
    assert written(frame.rename(columns={"answer": "=1+1"}), ".csv").startswith(b"'=1+1\n"), "a model's name may be a column's"
    assert "'=1+1" in text
    assert "' @cmd" in text
    assert "\x1b" not in text
    assert json.loads(written(frame, ".jsonl").splitlines()[0]) == {"answer": "=1+1"}
    done = runs.run("export", str(two[0]), "--out", str(tmp_path / "x.xlsx"))
    assert done.returncode != 0
    assert ".csv, .jsonl, .parquet" in done.stderr


def test_runs_that_were_sent_different_parameters_are_compared_by_force_alone(two: tuple[Path, Path], tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, name="warm", models="  - {model: sim/planted, sampling: {temperature: 0.7}}", items=40)
    assert runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-cache", "--no-report").returncode == 0
    [warm] = (tmp_path / "runs").glob("warm-*")
    refused = runs.run("compare", str(two[0]), str(warm))
    assert refused.returncode == 2
    assert "different sampling parameters" in refused.stderr
    assert "--force" in refused.stderr
    forced = runs.run("compare", str(two[0]), str(warm), "--force", "--json")
    assert forced.returncode == 0, forced.stderr
    assert any("sampling as sent" in note and "0.7" in note for note in json.loads(forced.stdout)["notes"])
    warm = tmp_path / two[1].name
    shutil.copytree(two[1], warm)
    manifest = json.loads((warm / "manifest.json").read_text())
    manifest["effective"]["sim/planted"] = {**Run(two[1]).manifest.effective["sim/planted"], "seed": 99}
    (warm / "manifest.json").write_text(json.dumps(manifest))
    sides = [(run, side_of(run, None, "none", None)) for run in (Run(two[0]), Run(warm))]
    assert compare(*sides[0], *sides[1]).rows, "the seed of a simulator is no parameter of a model"


def test_an_item_is_named_by_its_id_or_with_its_task(two: tuple[Path, Path]) -> None:
    first, second = two
    items = Run(first).items()
    task, item = (str(items[name].iloc[0]) for name in ("task", "item"))
    for name in (item, f"{task}/{item}"):
        done = runs.run("compare", str(first), str(second), "--item", name, "--examples", "0")
        assert done.returncode == 0, done.stderr
        assert f"{task}, item {item}; right:" in done.stdout
    for name in ("sum/no-such", "no-such", "5", f"tsk/{item}"):
        done = runs.run("compare", str(first), str(second), "--item", name)
        assert done.returncode == 2, done.stderr
        assert f"no item '{name}' in {first.name}" in done.stderr
        assert "Traceback" not in done.stderr

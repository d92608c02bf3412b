"""What an import makes is a run like any other: its folder, its name, its pages, its commands."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import runs
from conftest import ROOT
from exports import CAREER, HERE, INSPECT, PROMPTFOO, everything_in, rows, table
from promptlab.importers import Options, bring
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.record.store import ID, Run
from promptlab.reporting import build, summaries, to_html, to_json, to_markdown


def test_the_run_is_a_normal_one(tmp_path: Path) -> None:
    done = bring([PROMPTFOO], tmp_path, Options(placebos=("neutral",)))
    run = Run(done.folder)
    assert ID.match(run.id)
    assert (run.state, run.manifest.imported) == ("complete", True)
    assert tuple(run.trials().columns) == tuple(TRIAL_COLUMNS)
    assert tuple(run.calls().columns) == tuple(CALL_COLUMNS)
    assert "not frozen before the data" in run.manifest.question
    assert any("not frozen before the data" in note for note in run.plan.notes)
    assert "made by the other tool; promptlab sent none" in to_html(build(run))
    (source,) = run.manifest.provenance["files"]
    assert source["file"] == "promptfoo.json"
    assert len(source["sha256"]) == 64
    assert str(HERE) not in everything_in(done.folder)
    assert {h.control for h in run.plan.hypotheses} == {"none", "placebo"}
    report = build(run)
    for render in (to_html, to_markdown, to_json):
        assert "not frozen before the data" in render(report).replace("\\", "")


def test_the_baseline_keeps_its_name(tmp_path: Path) -> None:
    table = tmp_path / "ab.csv"
    lines = [f"q{i},{arm},{int(i % 3 > 0 or arm == 'B')}" for i in range(30) for arm in "AB"]
    table.write_text("\n".join(["item,arm,score", *lines]) + "\n", encoding="utf-8")
    run = Run(bring([table], tmp_path / "runs", Options(baseline="A")).folder)
    report = build(run)
    [summary] = summaries(report)
    assert {row.arm for row in summary.rows if row.incumbent} == {"A"}
    assert (summary.against, run.manifest.paid) == ("A", "no price recorded")
    assert "against A" in next(c.sentence for c in report.comparisons if c.diff is not None)
    assert "no added text" not in to_markdown(report)


def test_the_same_import_is_the_same_run(tmp_path: Path) -> None:
    copy = tmp_path / "promptfoo.json"
    shutil.copy(PROMPTFOO, copy)
    first, again = bring([PROMPTFOO], tmp_path / "runs"), bring([copy], tmp_path / "runs")
    assert (first.folder, first.written, again.written) == (again.folder, True, False)
    assert len(Run(first.folder).trials()) == 120
    other = bring([copy], tmp_path / "runs", Options(placebos=("neutral",)))
    assert other.folder != first.folder
    (first.folder / "manifest.json").unlink()  # as a killed import leaves it
    assert bring([copy], tmp_path / "runs").written
    assert len(pq.read_table(first.folder / "trials")) == 120


def test_the_explorer_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps import AppTest

    done = bring(INSPECT, tmp_path)
    for page in ("overview", "samples"):
        monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(done.folder)])
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.query_params["page"] = page
        app.run()
        assert not app.exception
        assert not app.error


def test_command_line(tmp_path: Path) -> None:
    done = runs.run("import", *map(str, INSPECT), "--runs", str(tmp_path), "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert "promptlab report" in done.stdout
    assert CAREER in done.stdout
    (folder,) = tmp_path.glob("mine-*")
    told = runs.run("report", str(folder), "--tasks")
    assert told.returncode == 0, told.stderr
    assert "not settled: career (+16.7 points)" in " ".join(told.stdout.split())
    as_json = runs.run("import", str(table(tmp_path, rows(score2=3))), "--score", "score", "--runs", str(tmp_path), "--json")
    assert json.loads(as_json.stdout)["guessed"] == ["item is the column 'item'", "arm is the column 'arm'"]
    assert set(json.loads(as_json.stdout)["arms"][0]) == {"name", "imported_as", "role", "text"}
    wrong = runs.run("import", str(PROMPTFOO), "--baseline", "base", "--runs", str(tmp_path))
    assert wrong.returncode == 2
    assert "did you mean 'baseline'?" in wrong.stderr
    wrong = runs.run("import", str(PROMPTFOO), "--scale", "1;5")
    assert wrong.returncode == 2


def test_a_copy_of_a_file_adds_nothing(tmp_path: Path) -> None:
    done = bring([PROMPTFOO, PROMPTFOO], tmp_path / "runs")
    assert done.n_results == 120
    assert any("1 file with the same content as another" in note for note in done.notes)


@pytest.mark.long
def test_simulated_answers_stay_labelled_when_they_come_back(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, items=20, models="  - {model: sim/null, name: renamed}")
    assert runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    made = next((tmp_path / "runs").iterdir())
    for kind, flags in (("long", ["--item", "item"]), ("evalstats", ["--item", "item", "--arm", "prompt"])):
        assert runs.run("export", str(made), "--format", kind, "--out", str(tmp_path / f"{kind}.csv")).returncode == 0
        done = runs.run("import", str(tmp_path / f"{kind}.csv"), "--runs", str(tmp_path / kind), *flags)
        assert done.returncode == 0, done.stderr
        back = Run(next((tmp_path / kind).iterdir()))
        assert back.manifest.simulated_models == ("renamed",)
        assert back.trials()["simulated"].all()
        assert "SIMULATED" in runs.run("report", str(back.folder)).stdout

"""Repair of a run folder: what cannot be read goes aside, what is lost is counted, and a whole run stays as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from made_up import row, write
from promptlab.cli import app
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.manifest import Tally
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter
from promptlab.record.store.files import line_of
from promptlab.reporting import checked


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def two_parts(folder: Path) -> None:
    write(folder, 30, paid_usd=0.5)
    write(folder, 10, start=30, paid_usd=0.5)
    text = json.dumps({"format": 1, "state": "complete", "counts": {"done": 40, "errors": 0, "planned": 40, "sent": 40}, "paid_usd": 20.0})
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def test_a_whole_run_needs_no_repair(tmp_path: Path) -> None:
    two_parts(tmp_path / "r")
    before = tree(tmp_path / "r")
    done = repair(tmp_path / "r")
    assert (done.needed, done.n_trials, done.paid_usd) == (False, 40, 20.0)
    assert tree(tmp_path / "r") == before


@pytest.mark.parametrize("kind", ["trials", "calls"])
@pytest.mark.parametrize("how", ["cut", "flipped", "emptied"])
def test_a_part_that_cannot_be_read_goes_aside_with_its_other_half(tmp_path: Path, kind: str, how: str) -> None:
    folder = tmp_path / "r"
    two_parts(folder)
    path = folder / kind / "part-00000.parquet"
    data = path.read_bytes()
    at = data.index(b"t1") if how == "flipped" and b"t1" in data else 60
    path.write_bytes({"cut": data[: len(data) // 2], "flipped": data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :], "emptied": b""}[how])
    with pytest.raises(RunProblem, match="promptlab runs repair"):
        Run(folder).trials() if kind == "trials" else Run(folder).calls()
    if kind == "trials":
        with closing(RunWriter(folder)) as writer, pytest.raises(RunProblem, match="promptlab runs repair"):
            writer.recorded()
    before = tree(folder)
    assert repair(folder, dry_run=True).n_lost == 30
    assert tree(folder) == before
    done = repair(folder)
    assert (done.n_lost, done.n_trials, done.paid_usd, done.paid_before_usd) == (30, 10, 5.0, 20.0)
    assert {name for name, _ in done.aside} == {"trials/part-00000.parquet", "calls/part-00000.parquet"}
    run = Run(folder)
    assert (len(run.trials()), len(run.calls())) == (10, 10)
    assert (run.manifest.state, run.manifest.counts) == ("incomplete", Tally(done=10, planned=40, sent=40))
    write(folder, 30)  # what the sweep asks again goes into a part of its own
    assert len(Run(folder).trials()) == len(Run(folder).calls()) == 40
    assert (folder / "damaged" / kind / "part-00000.parquet").exists()
    assert len(list(Run(folder).records())) == 40
    assert not repair(folder).aside


def test_a_new_part_never_takes_the_place_of_one_that_is_there(tmp_path: Path) -> None:
    two_parts(tmp_path / "r")
    for kind in ("trials", "calls"):
        (tmp_path / "r" / kind / "part-00000.parquet").unlink()  # by hand, as an earlier message advised
    write(tmp_path / "r", 5)
    assert len(Run(tmp_path / "r").trials()) == 15


def test_repair_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    two_parts(folder)
    line = json.dumps({"trial": row(TRIAL_COLUMNS, trial="t40", order=40, outcome="ok"), "calls": [row(CALL_COLUMNS, trial="t40", turn=0)]})
    (folder / "journal.jsonl").write_text(f'{line}\n{{"trial": 5}}\n{line[:50]}', encoding="utf-8")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True).stdout.strip()
    (folder / "trials" / f".part-00002.parquet.{dead}.tmp").write_bytes(b"half")
    (folder / f".report.html.{os.getpid()}.tmp").write_bytes(b"being written")
    done = repair(folder)
    assert done.leftovers == (f"trials/.part-00002.parquet.{dead}.tmp",)
    assert (done.n_torn, done.n_damaged, done.n_trials, done.aside, done.n_lost) == (1, 1, 41, (), 0)
    assert (folder / "journal.jsonl").read_text(encoding="utf-8") == line + "\n"
    assert (folder / f".report.html.{os.getpid()}.tmp").exists()
    assert not repair(folder).needed


def test_repair_puts_an_unreadable_manifest_aside(tmp_path: Path) -> None:
    two_parts(tmp_path / "r")
    (tmp_path / "r" / "manifest.json").write_text("{", encoding="utf-8")
    done = repair(tmp_path / "r")
    assert [name for name, _ in done.aside] == ["manifest.json"]
    assert (done.n_trials, done.n_lost) == (40, 0)


def test_repair_is_refused_while_a_process_writes_and_elsewhere(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "r")
    with pytest.raises(RunProblem, match="a process is writing this run"):
        repair(tmp_path / "r")
    writer.close()
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunProblem, match="not a run"):
        repair(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_repair_counts_what_a_killed_sweep_sent(tmp_path: Path) -> None:
    """A killed sweep left the counts of its last checkpoint; the audit compares them with the calls that are recorded."""
    folder = tmp_path / "r"
    with closing(RunWriter(folder)) as writer:
        for n in range(20):
            call = row(CALL_COLUMNS, trial=f"t{n}", turn=0, attempts=1, cached=n >= 15)
            writer.append(row(TRIAL_COLUMNS, trial=f"t{n}", order=n, outcome="ok", model="m", model_version="later"), [call])
    counts = {"done": 13, "errors": 0, "planned": 90, "sent": 13}
    plain = {"format": 1, "state": "running", "counts": counts, "served": {"m": ["earlier"]}}
    (folder / "manifest.json").write_text(json.dumps(plain), encoding="utf-8")
    assert repair(folder).manifest
    now = Run(folder).manifest
    assert (now.state, now.counts.done, now.counts.sent) == ("interrupted", 20, 15)
    assert now.served == {"m": ("earlier", "later")}
    assert not repair(folder).needed


def test_a_damaged_line_of_the_journal_is_not_called_torn(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    two_parts(folder)
    trial = row(TRIAL_COLUMNS, trial="t40", order=40, outcome="ok")
    line = line_of(trial, [row(CALL_COLUMNS, trial="t40", turn=0)])
    bad = line.replace(b'"t40"', b'"t41"', 1)
    (folder / "journal.jsonl").write_bytes(line + bad)
    done = CliRunner().invoke(app, ["runs", "repair", str(folder)])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "1 damaged line moved to damaged/journal.jsonl; the same sweep command sends the trials that it held again" in said
    assert "torn" not in said
    assert (folder / "damaged" / "journal.jsonl").read_bytes() == bad


def test_a_report_of_a_damaged_journal_names_repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What repair mends is named as what to type; a run that fails its audit for another reason is not sent there."""
    folder = tmp_path / "r"
    two_parts(folder)
    monkeypatch.setattr(checked, "failures", lambda run, trials=None: ["something differs"])
    with pytest.raises(RunProblem, match="something differs") as other:
        checked.checked(Run(folder))
    assert "runs repair" not in str(other.value)
    line = line_of(row(TRIAL_COLUMNS, trial="t40", order=40, outcome="ok"), [row(CALL_COLUMNS, trial="t40", turn=0)])
    (folder / "journal.jsonl").write_bytes(line.replace(b'"t40"', b'"t41"', 1))
    with pytest.raises(RunProblem, match="something differs") as told:
        checked.checked(Run(folder))
    assert f"`promptlab runs repair {folder}` sets the damaged lines of its journal aside" in str(told.value)

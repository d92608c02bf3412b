"""The reviewer's path: import, audit, replay, report, with the author's cells whatever happened to the author's run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import runs
from conftest import ROOT
from promptlab.nouns import CIRCUMSTANCE_COLUMNS, FileProblems
from promptlab.planning.audit import DIFFERS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import audited
from promptlab.reporting.build import build, comparison_frame
from promptlab.running import bundle
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from servers import Server


def exported(run: Path, to: Path) -> Path:
    done = runs.run("cache", "export", str(run), "--to", str(to))
    assert done.returncode == 0, done.stderr
    return to


def same_cells(author: Path, reviewer: Path) -> None:
    one, other = (comparison_frame(build(Run(run))) for run in (author, reviewer))
    assert one.equals(other), "every figure of the author's report"
    mine, theirs = (Run(run).trials().drop(columns=list(CIRCUMSTANCE_COLUMNS)) for run in (author, reviewer))
    assert mine.equals(theirs)


def replayed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a reviewer has after the two commands of the page, on another machine."""
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "another home"))
    assert runs.run("cache", "import", str(folder)).returncode == 0
    done = runs.run("sweep", str(folder / "experiment.yaml"), "--cache", "replay", "--runs", str(tmp_path / "theirs"), "--no-report")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    [found] = (tmp_path / "theirs").iterdir()
    return found


def test_an_own_task_travels_with_its_files_and_other_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    for name in ("own/tickets.yaml", "own/tickets.csv"):
        shutil.copy(ROOT / "experiments" / name, tmp_path / name)
    text = (ROOT / "experiments" / "own_task.yaml").read_text().replace("items: 48", "items: 12")
    (tmp_path / "own.yaml").write_text(text)
    author = run_sweep(resolve(tmp_path / "own.yaml"), tmp_path / "runs", None, Execution(), lambda _: None).folder
    folder = exported(author, tmp_path / "bundle")
    assert {"own/tickets.yaml", "own/tickets.csv"} <= set(json.loads((folder / "manifest.json").read_text())["files"])
    moved = Path(shutil.move(str(folder), str(tmp_path / "elsewhere")))
    shutil.rmtree(tmp_path / "own")
    assert not [row for row in audited.of_bundle(moved)[0] if row.says == DIFFERS]
    same_cells(author, replayed(moved, tmp_path, monkeypatch))
    words = moved / "own" / "tickets.csv"
    words.write_text(words.read_text().replace(" the ", " this "))
    with pytest.raises(FileProblems, match="not what the manifest says"):
        bundle.read(moved)
    manifest = json.loads((moved / "manifest.json").read_text())
    manifest["files"]["own/tickets.csv"].update(bytes=words.stat().st_size, sha256=bundle._sha256(words))
    (moved / "manifest.json").write_text(json.dumps(manifest))
    assert any(row.says == DIFFERS and "data" in row.found for row in audited.of_bundle(moved)[0])


def test_failures_and_a_kill_replay_to_the_same_cells(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=8, models=runs.served(server.url, "fail-503-1", ", retries: 0"))
    author = run_sweep(resolve(path), tmp_path / "runs", None, Execution(concurrency=4, probe=False), lambda _: None).folder
    frame = Run(author).trials()
    n_failed = int((frame["outcome"] == "error").sum())
    assert 0 < n_failed < len(frame)
    folder = exported(author, tmp_path / "bundle")
    same_cells(author, replayed(folder, tmp_path, monkeypatch))


def test_no_request_is_sent_twice_by_loops_on_a_fast_server(server: Server, tmp_path: Path) -> None:
    loops = "loops:\n  - {name: heart, rounds: 2, mode: verifier_free, policies: [alternate]}\n"
    path = runs.experiment(tmp_path, tasks="sum, sentiment", items=20, models=runs.served(server.url), more=loops)
    done = run_sweep(resolve(path), tmp_path / "runs", tmp_path / "cache", Execution(concurrency=32, probe=False), lambda _: None)
    run = Run(done.folder)
    calls = run.calls()
    assert done.progress.n_sent == calls["key"].nunique()
    assert not list(bundle.own_answers.own_of(run))

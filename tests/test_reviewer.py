"""The reviewer's path: import, audit, replay, report, with the author's cells whatever happened to the author's run."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

import runs
from conftest import ROOT
from promptlab.design.cross import trials
from promptlab.nouns import CIRCUMSTANCE_COLUMNS, FileProblems, Trial
from promptlab.planning.audit import DIFFERS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import audited
from promptlab.reporting.build import build, comparison_frame
from promptlab.running import bundle
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache
from promptlab.running.engine import Pending, engine_of
from promptlab.running.gateway.providers import key_variable
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import run_sweep
from promptlab.sources.foreign import sha256_of
from servers import Server

LOOPS = "loops:\n  - {name: heart, rounds: 2, mode: verifier_free, policies: [alternate]}\n"


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
    manifest["files"]["own/tickets.csv"].update(bytes=words.stat().st_size, sha256=sha256_of(words))
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


def test_an_address_of_the_authors_environment_travels_and_gets_no_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=5, models="  - openai/ok")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    author = run_sweep(resolve(path), tmp_path / "runs", None, Execution(concurrency=4, probe=False), lambda _: None).folder
    folder = exported(author, tmp_path / "bundle")
    monkeypatch.delenv("OPENAI_BASE_URL")
    [model] = resolve(folder / "experiment.yaml").models
    assert (model.api_base, key_variable(model)) == (server.url, None), "the author's server is not one for the reviewer's key"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert key_variable(resolve(folder / "experiment.yaml").models[0]) is None
    assert not [row for row in audited.of_bundle(folder)[0] if row.says == DIFFERS]
    again = replayed(folder, tmp_path, monkeypatch)
    assert again.name == author.name
    same_cells(author, again)


def test_an_answer_that_came_since_it_was_looked_for_is_not_paid_again(tmp_path: Path) -> None:
    """Two trials with one first request are looked up together, and one is answered and stored before the other asks."""
    study = resolve(runs.experiment(tmp_path, tasks="sum", items=1, more=LOOPS))
    progress = Progress(n_planned=study.design.n_trials)
    engine = engine_of(study, Cache(tmp_path / "cache"), Budget(None), progress, Execution(probe=False))
    alike: dict[str, list[Trial]] = {}
    for trial in trials(study.design):
        alike.setdefault(engine.key(engine.call(trial)), []).append(trial)
    pair = next(some[:2] for some in alike.values() if len(some) > 1)

    async def both() -> list[str]:
        keys = []
        for pending in list(engine.begin_all(pair)):
            assert isinstance(pending, Pending)
            _, calls = await engine.go_on(pending)
            keys += [call.key for call in calls]
            engine.behind.flush()
        await engine.gateway.aclose()
        return keys

    keys = asyncio.run(both())
    assert progress.n_sent == len(set(keys)) < len(keys)


def test_no_request_is_sent_twice_by_loops_on_a_fast_server(server: Server, tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, tasks="sum, sentiment", items=20, models=runs.served(server.url), more=LOOPS)
    done = run_sweep(resolve(path), tmp_path / "runs", tmp_path / "cache", Execution(concurrency=32, probe=False), lambda _: None)
    run = Run(done.folder)
    calls = run.calls()
    assert done.progress.n_sent == calls["key"].nunique()
    assert not list(bundle.own_answers.own_of(run))

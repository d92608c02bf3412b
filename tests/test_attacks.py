"""What nobody expects in the middle of something: kills during import and repair, run folders that move or vanish while they are used."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from promptlab.nouns import PromptlabError
from promptlab.planning.resolve import resolve
from promptlab.record.repair import repair
from promptlab.record.store import Run
from promptlab.running import bundle
from promptlab.running.cache import Cache
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment, run, served, start, wait_until
from servers import Server
from torture import frames

IMPORT = """
import sys
from pathlib import Path
from promptlab.running import bundle
from promptlab.running.cache import Cache
Path(sys.argv[1]).touch()
bundle.import_bundle(Path(sys.argv[2]), Cache(Path(sys.argv[3])))
"""
REPAIR = """
import sys
from pathlib import Path
from promptlab.record.repair import repair
Path(sys.argv[1]).touch()
repair(Path(sys.argv[2]))
"""


def killed(code: str, rng: random.Random, longest_s: float, begins: Path, *arguments: Path) -> None:
    """Python code that is killed at a random moment after it makes the file `begins`, where it has not ended by then."""
    process = start("-c", code, str(begins), *map(str, arguments))
    wait_until(begins.exists, process)
    begins.unlink()
    time.sleep(rng.uniform(0, longest_s))
    process.kill()
    _, err = process.communicate()
    assert "Traceback" not in err


def test_an_import_that_was_killed_is_imported_again_to_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = resolve(experiment(tmp_path, items=30, models="  - sim/planted"))
    found = run_sweep(study, tmp_path / "runs", None, Execution(), lambda _: None).folder
    done = bundle.write(bundle.of_run(Run(found)), 240, study.text, {}, tmp_path / "bundle")
    assert done.n_answers == 240
    monkeypatch.setattr(bundle, "BLOCK", 20)
    code, rng = IMPORT.replace("Path(sys.argv[1]).touch", "bundle.BLOCK = 20\nPath(sys.argv[1]).touch"), random.Random(1)
    n_before = 0
    for _ in range(4):
        killed(code, rng, 0.15, tmp_path / "begins", tmp_path / "bundle", tmp_path / "cache")
        cache = Cache(tmp_path / "cache", "replay")
        assert len(cache) >= n_before, "what was imported stays"
        assert all(row.problem is None for row in cache.stored())
        n_before = len(cache)
        cache.close()
    cache = Cache(tmp_path / "cache")
    last = bundle.import_bundle(tmp_path / "bundle", cache)
    assert (last.n_new + last.n_same, last.n_differ, len(cache)) == (240, 0, 240)
    cache.close()
    replayed = run_sweep(study, tmp_path / "again", tmp_path / "cache", Execution(cache="replay"), lambda _: None)
    assert (replayed.state, replayed.progress.n_sent) == ("complete", 0)
    for mine, other in zip(frames(Run(replayed.folder)), frames(Run(found)), strict=True):
        pd.testing.assert_frame_equal(mine, other)


def test_a_repair_that_was_killed_is_repaired_again(tmp_path: Path) -> None:
    study = resolve(experiment(tmp_path, items=20, models="  - sim/planted"))
    whole = run_sweep(study, tmp_path / "whole", None, Execution(), lambda _: None).folder
    undisturbed, rng = frames(Run(whole)), random.Random(2)
    for number in range(3):
        folder = tmp_path / f"r{number}" / whole.name
        shutil.copytree(whole, folder)
        for path in [folder / "plan.json", folder / "items.parquet", *(folder / "trials").iterdir()]:
            path.write_bytes(path.read_bytes()[:-7])
        (folder / "journal.jsonl").write_bytes(b'{"trial": torn\n' * 2000)
        killed(REPAIR, rng, 0.03, tmp_path / "begins", folder)
        repair(folder)
        assert not repair(folder).needed
        run_sweep(study, folder.parent, None, Execution(), lambda _: None)
        for mine, other in zip(frames(Run(folder)), undisturbed, strict=True):
            pd.testing.assert_frame_equal(mine, other)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("how", ["renamed", "runs renamed", "renamed and made anew", "deleted", "replaced by a file"])
def test_a_run_that_moves_during_its_sweep_ends_in_one_sentence(tmp_path: Path, server: Server, how: str) -> None:
    path = experiment(tmp_path, items=20, models=served(server.url, "slow-30"))
    study = resolve(path)
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    folder, elsewhere = tmp_path / "runs" / study.run_id, tmp_path / "elsewhere"
    process = start("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", "--concurrency", "4", env=env)
    wait_until(lambda: len(server.requests) > 30 and (folder / "journal.jsonl").exists(), process)
    seen = {trial["trial"] for trial, _ in Run(folder).records()}
    if how == "runs renamed":
        (tmp_path / "runs").rename(elsewhere)
    elif how == "deleted":
        shutil.rmtree(folder)
    else:
        folder.rename(elsewhere)
    if how == "renamed and made anew":
        shutil.copytree(elsewhere, folder)
    elif how == "replaced by a file":
        folder.write_text("not a run")
    out, err = process.communicate(timeout=90)
    assert "Traceback" not in err + out, err
    assert process.returncode == 1, (process.returncode, out, err)
    assert "moved" in err
    assert str(folder) in err.replace("\n", "")
    if how == "replaced by a file":
        folder.unlink()
    elif how == "renamed and made anew":
        shutil.rmtree(folder)
    moved = elsewhere / study.run_id if how == "runs renamed" else elsewhere
    if how != "deleted":
        (tmp_path / "runs").mkdir(exist_ok=True)
        assert seen <= {trial["trial"] for trial, _ in Run(moved).records()}, "nothing acknowledged is lost"
        moved.rename(folder)
    n_before = len(server.requests)
    again = run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", env=env)
    assert again.returncode == 0, again.stderr
    assert len(Run(folder).trials()) == study.design.n_trials
    assert len(server.requests) <= study.design.n_trials + 4, "the cache has what the run lost"
    assert n_before <= len(server.requests)


def test_a_clock_that_is_set_back_in_the_middle_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    study = resolve(experiment(tmp_path, items=20, models=served(server.url)))
    whole = run_sweep(study, tmp_path / "whole", tmp_path / "cache-whole", Execution(), lambda _: None).folder
    real, sent = time.time, len(server.requests)
    monkeypatch.setattr(time, "time", lambda: real() - (86_400 * 400 if len(server.requests) > sent + 40 else 0))
    done = run_sweep(study, tmp_path / "back", tmp_path / "cache", Execution(), lambda _: None)
    assert done.state == "complete"
    again = run_sweep(study, tmp_path / "again", tmp_path / "cache", Execution(), lambda _: None)
    assert (again.state, again.progress.n_sent) == ("complete", 0)
    for folder in (done.folder, again.folder):
        for mine, other in zip(frames(Run(folder)), frames(Run(whole)), strict=True):
            pd.testing.assert_frame_equal(mine, other)


def test_a_stopped_sweep_is_refused_and_goes_on(tmp_path: Path, server: Server) -> None:
    """Ctrl-Z: the lock stays, whoever comes second is told so, and nothing is lost when it goes on."""
    path = experiment(tmp_path, items=20, tasks="sum", models=served(server.url, "slow-20"))
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    process = start("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", env=env)
    wait_until(lambda: len(server.requests) > 20, process)
    os.kill(process.pid, signal.SIGSTOP)
    second = run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", env=env)
    assert (second.returncode, "is writing this run" in second.stderr) == (1, True)
    with pytest.raises(PromptlabError, match="a process is writing this run"):
        repair(next((tmp_path / "runs").iterdir()))
    os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)

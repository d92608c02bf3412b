"""Two sweeps with one cache: an equal request that another process has under way is waited for, not paid for again."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from promptlab.nouns import RunProblem
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.cache import Cache, Claims, Unsent
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment, run, served, start, wait_until
from servers import Server

KEYS = [f"{n:064x}" for n in (random.Random(seed).randrange(16**64) for seed in range(50))]
HOLD = """
import sys, time
from pathlib import Path
from promptlab.running.cache import Claims
claims = Claims(Path(sys.argv[1]))
assert all(claims.take(key) for key in sys.argv[2:])
print("held", flush=True)
time.sleep(60)
"""


def holding(folder: Path, *keys: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), *keys], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_claim_holds_until_it_is_released_or_its_process_ends(tmp_path: Path) -> None:
    mine = Claims(tmp_path)
    other = holding(tmp_path, *KEYS[:3])
    try:
        assert [mine.take(key) for key in KEYS] == [False] * 3 + [True] * 47
        mine.release(KEYS)
        assert not mine.take(KEYS[0]), "nobody releases another's"
    finally:
        other.kill()
        other.wait()
    assert all(mine.take(key) for key in KEYS)
    mine.close()


@pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="locks of this system belong to a process")
def test_two_sweeps_of_one_process_meet_as_well(tmp_path: Path) -> None:
    one, two = Claims(tmp_path), Claims(tmp_path)
    assert one.take(KEYS[0])
    assert not two.take(KEYS[0])
    seen = one.n_foreign(), two.n_foreign()
    one.release(KEYS[:1], stored=True)
    assert (one.n_foreign(), two.n_foreign()) == (seen[0], seen[1] + 1)
    assert two.take(KEYS[0])
    one.close()
    two.close()


def test_waiting_ends_with_the_sweep_and_where_the_other_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claims, other = Claims(tmp_path), holding(tmp_path, KEYS[0])
    os.kill(other.pid, signal.SIGSTOP)
    monkeypatch.setattr("time.time", lambda: 0.0)  # the clock is set back: nothing here trusts it
    try:

        async def waited() -> None:
            stop = asyncio.Event()
            await asyncio.wait_for(claims.wait(KEYS[0], stop, 0.3), 10)
            stop.set()
            with pytest.raises(Unsent):
                await claims.wait(KEYS[0], stop, 60)

        asyncio.run(waited())
    finally:
        other.kill()
        other.wait()
        claims.close()


def test_where_locks_do_not_work_nobody_waits_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    claims = Claims(tmp_path)
    monkeypatch.setattr(fcntl, "fcntl", refused)
    monkeypatch.setattr(fcntl, "lockf", refused)
    assert claims.take(KEYS[0])
    assert claims.take(KEYS[0])
    claims.release(KEYS[:1], stored=True)
    assert [record.getMessage() for record in caplog.records if "no locks where the cache is" in record.getMessage()] != []
    claims.close()


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_a_planted_file_of_claims_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    path = folder / "claims"
    path.symlink_to(tmp_path / "elsewhere") if what == "link" else os.mkfifo(path) if what == "pipe" else path.mkdir()
    with pytest.raises(RunProblem, match="not a regular file"):
        Cache(folder)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.long(but=1)
@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["plain", "workers"])
def test_two_sweeps_side_by_side_pay_once(tmp_path: Path, server: Server, more: tuple[str, ...]) -> None:
    path = experiment(tmp_path, items=50, models=served(server.url, "slow-5"))
    n = resolve(path).design.n_trials
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    both = [
        start("sweep", str(path), "--runs", str(tmp_path / name), "--no-report", "--concurrency", "16", *extra, env=env)
        for name, extra in (("a", ()), ("b", more))
    ]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert len(server.requests) == n
    for name in ("a", "b"):
        [folder] = (tmp_path / name).iterdir()
        assert len(Run(folder).trials()) == n


@pytest.mark.long
def test_a_killed_sweep_frees_what_it_claimed(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, items=20, models=served(server.url, "slow-300"))
    n = resolve(path).design.n_trials
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    first = start("sweep", str(path), "--runs", str(tmp_path / "a"), "--no-report", "--concurrency", "16", env=env)
    wait_until(lambda: len(server.requests) >= 17, first)
    second = start("sweep", str(path), "--runs", str(tmp_path / "b"), "--no-report", "--concurrency", "16", env=env)
    wait_until(lambda: len(list((tmp_path / "b").glob("*/manifest.json"))) == 1, second)
    time.sleep(0.5)
    first.kill()
    first.communicate()
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert len(server.requests) <= n + 16


@pytest.mark.long
def test_a_request_that_failed_elsewhere_is_sent_here(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, items=10, tasks="sum", models=served(server.url, "fail-418-1", ", retries: 0"))
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    both = [start("sweep", str(path), "--runs", str(tmp_path / name), "--no-report", env=env) for name in ("a", "b")]
    for process in both:
        process.communicate(timeout=60)
    again = run("sweep", str(path), "--runs", str(tmp_path / "a"), "--no-report", env=env)
    assert again.returncode == 0, again.stderr
    assert max(server.by_prompt.values()) <= 3


def test_refreshing_waits_for_nobody(tmp_path: Path, server: Server) -> None:
    study = resolve(experiment(tmp_path, items=5, tasks="sum", models=served(server.url)))
    run_sweep(study, tmp_path / "a", tmp_path / "cache", Execution(), lambda _: None)
    n = len(server.requests)
    held = holding(tmp_path / "cache", *KEYS)
    try:
        run_sweep(study, tmp_path / "b", tmp_path / "cache", Execution(cache="refresh"), lambda _: None)
    finally:
        held.kill()
        held.wait()
    assert len(server.requests) == 2 * n

"""Sweeps by batch against a server of our own, each of one experiment with its run folders and caches; nobody waits."""

from __future__ import annotations

import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import servers
from promptlab.cli import main
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS, EVIDENCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.running.batch import submission, waves
from promptlab.running.gateway import RetryPolicy
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep
from promptlab.sources.spec.libraries import all_stimuli
from runs import experiment, served
from servers import Server

PRICE = ", price: {input_usd_per_mtok: 1000, output_usd_per_mtok: 2000}"
ONE_CALL = (5 * 1000 + 2 * 2000) / 1e6
CANARY = "sk-CANARY-4711-never-to-be-seen-anywhere"

shipped_stimuli = functools.cache(all_stimuli)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits in these tests, and the shipped sentences are read once."""
    monkeypatch.setattr("promptlab.planning.resolve.all_stimuli", lambda extra=(): shipped_stimuli())
    monkeypatch.setattr(submission, "POLICY", RetryPolicy(attempts=3, rate_attempts=3, first_wait_s=0.01, longest_wait_s=0.02))
    monkeypatch.setattr(submission, "SETTLE_S", 0.2)
    monkeypatch.setattr(waves, "FIRST_PAUSE_S", 0.02)


@pytest.fixture(scope="module")
def one_server() -> Iterator[Server]:
    running = servers.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def server(one_server: Server) -> Server:
    """The server of all these tests, as if it were new: with one address, an experiment is resolved once."""
    one_server.forget()
    return one_server


@functools.cache
def resolved(text: str, looks: int | None, base: str) -> Study:
    """An experiment by its text; its place is no part of what it asks."""
    folder = Path(tempfile.mkdtemp())
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    try:
        return resolve(folder / "small.yaml", looks)
    finally:
        shutil.rmtree(folder)


class Lab:
    """One experiment, its run folder and its cache; every sweep of it is a session of its own."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.folder, self.path = folder, experiment(folder, **{"tasks": "sum", **values})

    def study(self, looks: int | None = None) -> Study:
        return resolved(self.path.read_text(encoding="utf-8"), looks, os.environ.get("OPENAI_BASE_URL", ""))

    def sweep(self, where: str = "batch", looks: int | None = None, **how: Any) -> Sweep:
        how = {"batch": where == "batch", **how}
        return run_sweep(self.study(looks), self.folder / where, self.folder / f"cache-{where}", Execution(8, **how), lambda _: None)

    def run(self, where: str = "batch") -> Run:
        [found] = (self.folder / where).iterdir()
        return Run(found)

    def state(self) -> dict[str, Any]:
        return json.loads((self.run().folder / "batches.json").read_text())

    def parts(self) -> list[dict[str, Any]]:
        return self.state()["batches"]

    def finish(self, **how: Any) -> tuple[Sweep, int]:
        """The same command again and again; how often."""
        for n in range(1, 12):
            done = self.sweep(**how)
            if done.state == "complete":
                return done, n
        raise AssertionError(done)


@pytest.fixture
def lab(tmp_path: Path, server: Server) -> Lab:
    return Lab(tmp_path, models=served(server.url, more=PRICE), items=10)


def settled(run: Run, *more: str) -> pd.DataFrame:
    """The trials without the columns that tell of circumstances, and without `more`."""
    return run.trials().drop(columns=[*CIRCUMSTANCE_COLUMNS, *more])


def same(a: Run, b: Run, *but: str) -> None:
    """The same trials and the same calls, whichever way they were asked."""
    pd.testing.assert_frame_equal(settled(a, *but), settled(b, *but))
    order = ["trial", "turn"]
    dropped = ["latency_s", "cached", "attempts", "at_most_usd", *EVIDENCE_COLUMNS, *but]
    calls = [r.calls().drop(columns=dropped).sort_values(order, ignore_index=True) for r in (a, b)]
    pd.testing.assert_frame_equal(*calls)


def main_code() -> int:
    """The exit code of the command in `sys.argv`, in this process."""
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0

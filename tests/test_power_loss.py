"""A power cut: what was never synced is gone. The journal is synced within a moment, and answers before anything follows from them."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, RunWriter
from promptlab.record.store.writing import SYNC_WITHIN_S
from promptlab.running.cache import Cache
from promptlab.running.progress import Execution
from promptlab.running.sweep import freeze, run_sweep
from runs import experiment, served
from servers import Server


class Disk:
    """What of each file has been synced: all that a power cut leaves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: dict[Path, bytes] = {}
        self._real = os.fsync
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, handle: int) -> None:
        self._real(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path.is_file():
            self.files[path] = path.read_bytes()
            return
        for name, data in list(self.files.items()):  # the names of a folder: a temporary file has its own by now
            if name.parent == path and not name.exists():
                del self.files[name]
                self.files[name.with_name(name.name[1:].rsplit(".", 2)[0])] = data

    def after_the_cut(self, folder: Path, to: Path) -> None:
        for path, data in self.files.items():
            if path.is_relative_to(folder):
                (to / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
                (to / path.relative_to(folder)).write_bytes(data)


def test_what_was_recorded_a_moment_ago_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    study = resolve(
        experiment(
            tmp_path, items=6, tasks="sum", models=served(server.url, more=", price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}")
        )
    )
    done = run_sweep(study, tmp_path / "whole", tmp_path / "cache", Execution(), lambda _: None)
    records = list(Run(done.folder).records())
    disk = Disk(monkeypatch)
    folder = tmp_path / "runs" / study.run_id
    with closing(RunWriter(folder)) as writer:
        freeze(study, writer)
        writer.write_manifest(replace(Run(done.folder).manifest, chain=writer.chain.plain()))
        for trial, calls in records[:-1]:
            writer.append(trial, calls)
        time.sleep(2 * SYNC_WITHIN_S)
        writer.append(*records[-1])
        disk.after_the_cut(tmp_path / "runs", tmp_path / "left")
    left = Run(tmp_path / "left" / study.run_id).trials()
    assert set(left["trial"]) >= {trial["trial"] for trial, _ in records[:-1]}
    n_sent = len(server.requests)
    again = run_sweep(study, tmp_path / "left", tmp_path / "cache", Execution(), lambda _: None)
    assert (again.state, len(server.requests)) == ("complete", n_sent), "what was lost is in the cache"


def test_each_transaction_of_the_cache_is_synced(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    for db in (cache._adding, cache._store._con):
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    cache.close()

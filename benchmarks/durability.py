"""What it costs that a trial survives a power cut, and that two sweeps with one cache pay once: sweeps with each and without, in turn.

    python benchmarks/durability.py [--trials 4000] [--rounds 9] [--concurrency 64]
                                    [--only NAME,...] [--json]

All sweeps run in one process against the endpoint of `peers/`, each into an empty folder with an empty cache. Every round runs each
variant once, and every second round in the reverse order. A ratio is the median, over the rounds, of a variant's calls a second
to those of the whole sweep in the same round; above 1 the whole sweep is slower. CPU is that of this process, user and system.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from peers.endpoint import serving
from peers.tools import Job, experiment

from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store.writing import RunWriter
from promptlab.running.cache.claims import Claims
from promptlab.running.cache.guard import SETTINGS
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep

Variant = Callable[[], contextlib.AbstractContextManager[object]]


def _nothing(*_: object, **__: object) -> None:
    pass


@contextlib.contextmanager
def without_claims() -> Iterator[None]:
    """Nobody else can know what is under way."""
    with mock.patch.multiple(Claims, take=lambda *_: True, n_foreign=lambda *_: 0, release=_nothing):
        yield


VARIANTS: dict[str, Variant] = {
    "whole": contextlib.nullcontext,
    "journal not synced": lambda: mock.patch.object(RunWriter, "_sync_soon", _nothing),
    "cache not synced": lambda: mock.patch.dict(SETTINGS, {"sqlite_synchronous": 1}),
    "nothing synced": lambda: mock.patch.object(os, "fsync", _nothing),
    "no claims": without_claims,
}


class Took(NamedTuple):
    """One sweep."""

    per_s: float
    cpu_ms: float
    """Per call."""


def swept(study: Study, concurrency: int) -> Took:
    """One sweep into empty folders."""
    with tempfile.TemporaryDirectory(prefix="promptlab-durability-") as name:
        folder = Path(name)
        wall, cpu = time.perf_counter(), time.process_time()
        done = run_sweep(study, folder / "runs", folder / "cache", Execution(concurrency, probe=False), lambda _: None)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if done.state != "complete":
            raise SystemExit(f"the sweep ended as {done.state}: {done.reason}")
        return Took(done.progress.n_sent / wall, 1000 * cpu / done.progress.n_sent)


def measured(study: Study, n_rounds: int, concurrency: int, names: Sequence[str]) -> dict[str, list[Took]]:
    """These variants in turn."""
    took: dict[str, list[Took]] = {name: [] for name in names}
    swept(study, concurrency)  # warms up
    for number in range(n_rounds):
        for name in names if number % 2 == 0 else reversed(names):
            with VARIANTS[name]():
                took[name].append(swept(study, concurrency))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--only", default=",".join(VARIANTS), metavar="NAME,...", help="beside the whole sweep")
    parser.add_argument("--json", action="store_true", help="every figure of every round, in place of a table")
    asked = parser.parse_args()
    with serving() as endpoint, tempfile.TemporaryDirectory() as folder:
        job = Job(Path(folder), asked.trials, endpoint.at_once, asked.concurrency)
        path = experiment(job, {"model": "openai/mock", "api_base": job.base})
        names = [name for name in VARIANTS if name in ("whole", *asked.only.split(","))]
        took = measured(resolve(path), asked.rounds, asked.concurrency, names)
    if asked.json:
        print(json.dumps({name: [one._asdict() for one in ones] for name, ones in took.items()}, indent=2))
        return
    print(f"{'':20}{'calls/s':>9}{'ratio':>8}{'lowest':>8}{'highest':>9}{'CPU ms/call':>13}{'CPU ratio':>11}")
    for name, ones in took.items():
        ratios = [one.per_s / whole.per_s for one, whole in zip(ones, took["whole"], strict=True)]
        cpu = statistics.median(one.cpu_ms / whole.cpu_ms for one, whole in zip(ones, took["whole"], strict=True))
        rate, cpu_ms = (statistics.median(values) for values in zip(*ones, strict=True))
        print(f"{name:20}{rate:9,.0f}{statistics.median(ratios):8.3f}{min(ratios):8.3f}{max(ratios):9.3f}{cpu_ms:13.3f}{cpu:11.3f}")


if __name__ == "__main__":
    main()

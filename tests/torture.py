"""Sweeps are killed at random moments and run folders and caches are damaged at random: nothing acknowledged may be lost.

    make torture [ARGS="--kills 20 --mutations 30"]
    python tests/torture.py [--kills 200] [--mutations 300] [--seed 1] [--only NAME,...] [--write] [--keep FOLDER]

Each kill is a SIGKILL to the command as a user types it, at a random request or moment; the same command goes on, up to `CHAIN`
kills in a row, and at the end without one. What a reader finds after a kill is acknowledged: it must be in the final record, which
must be that of an undisturbed run. Each mutation damages one or two files of a run folder or of a cache (see tests/damage.py).
Whatever reads them must open them, or say in one sentence what is wrong, and `runs repair` with the same sweep must give the
record back. `--write` puts the figures between the marks of docs/reference/reliability.md. The exit code is 1 where a check fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import servers
from conftest import ROOT
from damage import MUTATIONS
from promptlab.nouns import CIRCUMSTANCE_COLUMNS, EVIDENCE_COLUMNS, PromptlabError
from promptlab.planning.audit import audit
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter
from promptlab.record.store.files import line_of
from promptlab.reporting.build import build
from promptlab.reporting.prepared import Store
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import Process, experiment, served, start
from servers import Server

CHAIN = 8
"""Kills of one run, at most, before it may end."""
CONCURRENCY = 8
STUCK_S = 90.0
GONE_S = 15.0
"""In which the processes of a killed sweep are gone."""
MARKS = ("<!-- torture -->", "<!-- /torture -->")
PAGE = ROOT / "docs" / "reference" / "reliability.md"
LOOP = "loops:\n  - {name: heart, rounds: 2, mode: oracle, policies: [alternate]}\n"
PRICE = ", price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"


@dataclass(slots=True)
class Figures:
    """What became of the kills, or the mutations, of one kind."""

    n: int = 0
    n_runs: int = 0
    """Runs that went on to their end."""
    n_acknowledged: int = 0
    """Trials found after kills, and looked for at the end."""
    n_findings: int = 0
    """Mutations that a reader or `repair` told of; all others changed nothing that is read."""
    most_paid_again: int = 0
    """Requests sent again for one kill, at most."""
    faults: list[str] = field(default_factory=list)
    """Everything that must not be."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to sweep."""

    name: str
    flags: tuple[str, ...]
    make: Callable[..., Path]
    """Of a folder, the address of a server and, for fewer trials, a number of items."""
    again_per_kill: int = CONCURRENCY
    """Requests that one kill may cost."""


def plain(folder: Path, url: str, items: int = 40, **values: Any) -> Path:
    """320 trials of two tasks."""
    return experiment(folder, items=items, models=served(url, "slow-4", PRICE), **values)


def loops(folder: Path, url: str, items: int = 20) -> Path:
    """Two rounds of feedback, with their controls."""
    path = plain(folder, url, items, tasks="sum")
    text = path.read_text(encoding="utf-8").replace("stimuli: [emotionprompt/EP02]\n", "").replace("temperature: 0", "temperature: 1")
    path.write_text(text + LOOP, encoding="utf-8")
    return path


def sequential(folder: Path, url: str, items: int = 80) -> Path:
    """320 trials of one task, with looks."""
    return plain(folder, url, items, tasks="sum")


def parts(folder: Path, _: str, items: int = 100) -> Path:
    """Trials of a simulated model, so quick that parts are made all the while."""
    return experiment(folder, items=items, models="  - sim/planted", tasks="sum, sentiment, larger_animal", more="replicates: 3\n")


MODES = (
    Mode("plain", ("--cache", "off"), plain),  # a cache would make up for a record that is lost
    Mode("workers", ("--workers", "2"), plain),
    Mode("sequential", ("--sequential",), sequential),
    Mode("loops", (), loops),
    Mode("batch", ("--batch", "--batch-wait", "60"), plain, 0),
    Mode("parts", (), parts, 0),
)


def frames(run: Run) -> tuple[pd.DataFrame, ...]:
    """All that is the same however often a run was interrupted."""
    trials = run.trials().drop(columns=list(CIRCUMSTANCE_COLUMNS))
    calls = (
        run.calls().drop(columns=["latency_s", "cached", "attempts", *EVIDENCE_COLUMNS]).sort_values(["trial", "turn"], ignore_index=True)
    )
    return trials, calls, run.items()


def difference(run: Run, undisturbed: tuple[pd.DataFrame, ...]) -> str:
    """In what a run differs from the undisturbed one; empty where it does not."""
    for name, mine, other in zip(("trials", "calls", "items"), frames(run), undisturbed, strict=True):
        try:
            pd.testing.assert_frame_equal(mine, other)
        except AssertionError as error:
            return f"{name} differ: {' '.join(str(error).split())[:200]}"
    return ""


class Killer:
    """Sweeps of one mode, against a server of their own."""

    def __init__(self, mode: Mode, folder: Path, rng: random.Random, items: int | None = None) -> None:
        self.mode, self.folder, self.rng = mode, folder, rng
        self.server: Server = servers.start()
        folder.mkdir()
        self.path = mode.make(folder, self.server.url, *([] if items is None else [items]))
        self.figures = Figures()
        started = time.monotonic()
        self.undisturbed = frames(self._ended("undisturbed"))
        self.takes_s = time.monotonic() - started
        self.n_requests = self._sent()
        self._n_chains = 0

    def chain(self, most: int) -> None:
        """One run, killed up to `most` times and then ended; adds to the figures."""
        self._n_chains += 1
        where, figures = f"chain-{self._n_chains}", self.figures
        self.server.forget()
        acknowledged: dict[str, object] = {}
        for _ in range(most):
            process = self._start(where)
            over = self._wait(process)
            if over:
                break
            self._kill(process)
            figures.n += 1
            found = self._recorded(where)
            lost = {trial for trial, answer in acknowledged.items() if found.get(trial) != answer}
            if lost:
                figures.faults.append(f"{where}: {len(lost)} acknowledged trials are gone after a kill")
            acknowledged = found
            figures.n_acknowledged += len(found)
        before = len(figures.faults)
        run = self._ended(where)
        final = dict(zip(run.trials()["trial"], run.trials()["answer"], strict=True))
        if lost := {trial for trial, answer in acknowledged.items() if final.get(trial) != answer}:
            figures.faults.append(f"{where}: {len(lost)} acknowledged trials are gone at the end")
        if apart := difference(run, self.undisturbed):
            figures.faults.append(f"{where}: {apart}")
        again = self._sent() - self.n_requests
        figures.most_paid_again = max(figures.most_paid_again, -(-again // max(1, most)))
        if again > most * self.mode.again_per_kill:
            figures.faults.append(f"{where}: {again} requests were sent again for {most} kills")
        if run.manifest.state != "complete":
            figures.faults.append(f"{where}: ended as {run.manifest.state}")
        figures.n_runs += 1
        if len(figures.faults) == before:
            shutil.rmtree(self.folder / where)

    def close(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()

    def _sent(self) -> int:
        return len(self.server.batches.requests()) if self.mode.name == "batch" else len(self.server.requests)

    def _start(self, where: str) -> Process:
        (self.folder / where).mkdir(exist_ok=True)
        arguments = ["sweep", str(self.path), "--runs", str(self.folder / where / "runs"), "--no-report", "--concurrency", str(CONCURRENCY)]
        return start(*arguments, *self.mode.flags, env={"PROMPTLAB_HOME": str(self.folder / where / "home")})

    def _wait(self, process: Process) -> bool:
        """Until a random request, or a random moment; True where the sweep ended before."""
        heard = self.server.batches.asked if self.mode.name == "batch" else self.server.requests
        wanted = len(heard) + self.rng.randint(1, 4 if self.mode.name == "batch" else 45)
        by_request = self.mode.name != "parts" and self.rng.random() < 0.75
        until = time.monotonic() + (STUCK_S if by_request else self.rng.uniform(0.3, 1.0) * self.takes_s)
        while time.monotonic() < until and not (by_request and len(heard) >= wanted):
            if process.poll() is not None:
                return True
            time.sleep(0.002)
        time.sleep(self.rng.choice([0, 0, 0.001, 0.005, 0.02, 0.1]))
        return process.poll() is not None

    def _kill(self, process: Process) -> None:
        """Kill the sweep, alone or with its workers, and see that nobody of it stays."""
        if self.mode.name == "workers" and self.rng.random() < 0.3:
            with contextlib.suppress(OSError, ValueError):  # a worker goes first
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(self.rng.choice(children or [""])), signal.SIGKILL)
                time.sleep(self.rng.uniform(0, 0.1))
        with contextlib.suppress(ProcessLookupError):
            (os.kill if self.rng.random() < 0.7 else os.killpg)(process.pid, signal.SIGKILL)
        process.communicate(GONE_S)
        until = time.monotonic() + GONE_S
        while time.monotonic() < until:
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.02)
        self.figures.faults.append("a worker lives on without its sweep")
        os.killpg(process.pid, signal.SIGKILL)

    def _recorded(self, where: str) -> dict[str, object]:
        found = [path.parent for path in (self.folder / where / "runs").glob("*/manifest.json")]
        trials = Run(found[0]).trials() if found else pd.DataFrame({"trial": [], "answer": [], "outcome": []})
        good = trials[trials["outcome"] != "error"]
        return dict(zip(good["trial"], good["answer"], strict=True))

    def _ended(self, where: str) -> Run:
        """The run after the command has come to its end."""
        process = self._start(where)
        try:
            process.wait(STUCK_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.figures.faults.append(f"{where}: stuck for {STUCK_S:.0f} s")
        said = "".join(process.communicate(GONE_S))
        if "Traceback" in said:
            self.figures.faults.append(f"{where}: a traceback: {said[said.index('Traceback') :][-300:]!r}")
        elif process.returncode:
            self.figures.faults.append(f"{where}: ended with {process.returncode}: {said[-300:]!r}")
        found = list((self.folder / where / "runs").glob("*/manifest.json"))
        if not found:
            raise SystemExit(f"{self.mode.name}: no run was made: {said[-1000:]}")
        return Run(found[0].parent)


class Stuck(BaseException):
    """Something took longer than anything here may."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise Stuck where the block takes longer."""

    def late(*_: object) -> None:
        raise Stuck

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Damager:
    """Run folders of one experiment, and the cache that their answers are in."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        folder.mkdir()
        os.environ["PROMPTLAB_HOME"] = str(folder / "home")
        self.study = resolve(experiment(folder, items=60, tasks="sum"), 3)
        self.whole = self.sweep(folder / "whole", folder / "cache")
        self.undisturbed = frames(Run(self.whole))
        records = [line_of(*both) for both in Run(self.whole).records()]
        self.donor = folder / "donor" / self.whole.name
        shutil.copytree(self.whole, self.donor)
        third = len(records) // 4
        for run, lines in (
            (self.whole, records),
            (self.donor, [line.replace(b'"text":"', b'"text":"of another run ') for line in records]),
        ):
            for kind in ("trials", "calls"):
                shutil.rmtree(run / kind)
            for first in range(0, 3 * third, third):  # as a killed process leaves them: parts and a journal
                with contextlib.closing(RunWriter(run)) as writer:
                    writer.append_lines([_checked(line) for line in lines[first : first + third]])
            (run / "journal.jsonl").write_bytes(b"".join(_checked(line) for line in lines[3 * third :]))
        self.runs, self.caches = Figures(), Figures()
        self._n = 0

    def sweep(self, runs: Path, cache: Path | None, study: Study | None = None) -> Path:
        """One sweep of the experiment."""
        return run_sweep(study or self.study, runs, cache, Execution(), lambda _: None).folder

    def damage_run(self) -> None:
        """Damage a copy of the run, look at it in every way, repair it and end it."""
        run, figures = self._copy(self.whole), self.runs
        files = sorted(path for path in run.rglob("*") if path.is_file() and path.name != "lock")
        done, foreign = [], False
        for path in self.rng.sample(files, self.rng.choice([1, 1, 1, 2])):
            other = self.donor / path.relative_to(run)
            if path.suffix in (".parquet", ".jsonl") and self.rng.random() < 0.2:
                shutil.copyfile(other, path)
                done.append(f"{path.name} of another run of the same design")
                foreign = True
            else:
                mutation = self.rng.choice(MUTATIONS)
                mutation(self.rng, path)
                done.append(f"{path.relative_to(run)} {mutation.__name__}")
        what = " and ".join(done)
        looks: tuple[Callable[[], object], ...] = (
            lambda: build(Run(run)), lambda: frames(Run(run)), lambda: list(Run(run).records()), lambda: list(audit(Run(run))),
            lambda: Store.of(run).query("SELECT count(*) FROM trials"), lambda: repair(run, dry_run=True),
            lambda: self.sweep(run.parent, None),
        )  # fmt: skip
        told = [self._attempted(figures, what, look) for look in looks]
        told.append(self._attempted(figures, what, lambda: repair(run)))
        figures.n += 1
        try:
            with limited(STUCK_S):
                repaired = self.sweep(run.parent, None)
                apart = "" if foreign else difference(Run(repaired), self.undisturbed)
                again = repair(run)
            if apart or again.aside or len(Run(repaired).trials()) != len(self.undisturbed[0]):
                figures.faults.append(f"{what}: not repaired: {apart or again}")
        except (Exception, Stuck) as error:
            figures.faults.append(f"{what}: stuck for good: {type(error).__name__}: {error}")
        figures.n_findings += any(told) or (run / "damaged").exists()
        figures.n_runs += 1
        shutil.rmtree(run.parent)

    def damage_cache(self) -> None:
        """Damage a copy of the cache, and sweep with it; where it is refused, move it away as the message says, and sweep."""
        figures = self.caches
        self._n += 1
        folder = self.folder / f"c{self._n}"
        cache = folder / "cache"
        shutil.copytree(self.folder / "cache", cache)
        cache.chmod(0o700)
        files = sorted(path for path in cache.rglob("*") if path.is_file())
        done = []
        for path in self.rng.sample(files, min(len(files), self.rng.choice([1, 1, 2]))):
            mutation = self.rng.choice(MUTATIONS)
            mutation(self.rng, path)
            done.append(f"{path.name} {mutation.__name__}")
        what = f"cache: {' and '.join(done)}"
        told = self._attempted(figures, what, lambda: self.sweep(folder / "runs", cache))
        figures.n += 1
        figures.n_findings += bool(told)
        if told and str(cache) not in told:
            figures.faults.append(f"{what}: the message does not say where: {told}")
        try:
            with limited(STUCK_S):
                if told:
                    cache.rename(folder / "away")
                apart = difference(Run(self.sweep(folder / "runs", cache)), self.undisturbed)
            if apart:
                figures.faults.append(f"{what}: {apart}")
        except (Exception, Stuck) as error:
            figures.faults.append(f"{what}: stuck for good: {type(error).__name__}: {error}")
        figures.n_runs += 1
        shutil.rmtree(folder)

    def _copy(self, run: Path) -> Path:
        self._n += 1
        shutil.copytree(run, self.folder / f"m{self._n}" / run.name)
        return self.folder / f"m{self._n}" / run.name

    def _attempted(self, figures: Figures, what: str, look: Callable[[], object]) -> str:
        """What a reader says of damage; a fault where it says it by a traceback, or not at all."""
        try:
            with limited(STUCK_S):
                look()
        except PromptlabError as error:
            return str(error)
        except Stuck:
            figures.faults.append(f"{what}: stuck for {STUCK_S:.0f} s")
        except Exception as error:
            figures.faults.append(f"{what}: a traceback: {type(error).__name__}: {str(error)[:200]}")
        return ""


def _checked(line: bytes) -> bytes:
    """A line of the journal with a checksum that fits."""
    row = json.loads(line)
    return line_of(row["trial"], row["calls"])


def tortured(
    n_kills: int, n_mutations: int, seed: int, only: Sequence[str] = (), folder: Path | None = None, items: int | None = None
) -> dict[str, Figures]:
    """Kills of every mode in turn, then mutations: three of a run to one of a cache. `items`: of each task in the runs that are killed."""
    rng = random.Random(seed)
    results: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="promptlab-torture-") as own:
        place = folder or Path(own)
        modes = [mode for mode in MODES if not only or mode.name in only]
        for number, mode in enumerate(modes):
            share = n_kills // len(modes) + (number < n_kills % len(modes))
            started = time.monotonic()
            killer = Killer(mode, place / mode.name, rng, items)
            results[mode.name] = killer.figures
            while killer.figures.n < share and len(killer.figures.faults) < 20:
                killer.chain(min(rng.randint(2, CHAIN), share - killer.figures.n))
            killer.close()
            print(f"{mode.name}: {time.monotonic() - started:.0f} s, {killer.figures}", file=sys.stderr, flush=True)
        if n_mutations and not set(only) & {mode.name for mode in MODES}:
            damager = Damager(place / "damage", rng)
            for number in range(n_mutations):
                damager.damage_cache() if number % 4 == 3 else damager.damage_run()
            results |= {"run folders": damager.runs, "caches": damager.caches}
    return results


def table(results: dict[str, Figures], seconds: float, seed: int) -> str:
    """The figures as Markdown."""
    kills = {name: found for name, found in results.items() if name in {mode.name for mode in MODES}}
    n_kills = sum(found.n for found in kills.values())
    n_mutations = sum(found.n for found in results.values()) - n_kills
    lines = [
        f"Seed {seed}, {n_kills} kills and {n_mutations} mutations in {seconds / 60:.0f} minutes.",
        "",
        "| killed | kills | runs ended | trials found after kills | lost, unequal, stuck, tracebacks | sent again per kill, at most |",
        "|---|---|---|---|---|---|",
        *(f"| {n} | {f.n} | {f.n_runs} | {f.n_acknowledged:,} | {len(f.faults)} | {f.most_paid_again} |" for n, f in kills.items()),
        "",
        "| damaged | mutations | reported or moved aside | harmless | tracebacks, stuck, not repaired |",
        "|---|---|---|---|---|",
        *(f"| {n} | {f.n} | {f.n_findings} | {f.n - f.n_findings} | {len(f.faults)} |" for n, f in results.items() if n not in kills),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mutations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="NAME,...", help=f"of {', '.join(mode.name for mode in MODES)}, mutations")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reference/reliability.md")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there, and leave it")
    asked = parser.parse_args()
    started = time.monotonic()
    if asked.keep:
        asked.keep.mkdir(parents=True)
    results = tortured(asked.kills, asked.mutations, asked.seed, [n for n in asked.only.split(",") if n], asked.keep)
    text = table(results, time.monotonic() - started, asked.seed)
    print(text)
    faults = [f"{name}: {fault}" for name, found in results.items() for fault in found.faults]
    print("\n".join(faults), file=sys.stderr)
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
        PAGE.write_text(f"{page[:before]}\n{text}\n{page[after:]}", encoding="utf-8")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()

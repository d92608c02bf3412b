"""The cases: small runs made by the command line, and what is observed of each of them. Knows nothing of the package's inside."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

import runs
import servers
from conftest import SHARED
from promptlab import open_run
from promptlab.nouns import EVIDENCE_COLUMNS

HERE = Path(__file__).parent
EXPERIMENTS = HERE / "experiments"
IMPORTED = HERE.parent / "imported"
PORT = 18_473
"""The port of the server, since the address is part of run ids and cache keys."""
PORT_WAIT_S = 90
"""Another checkout's tests may have the port for a while."""

KEY_CHARS = 20
"""Of a cache key that are kept."""
FRAME_TIMES = ("latency_s", "older", *EVIDENCE_COLUMNS)
"""Columns that differ from run to run. An imported run's times are the file's own, but the column goes everywhere."""
REPORT_TIMES = ("manifest.created_at", "manifest.updated_at", "manifest.commit", "manifest.versions", "manifest.python")
"""What a report says about when, by which code and beside which libraries a run was made."""


@dataclass(frozen=True)
class Case:
    """One run: an experiment file that is swept, or files that are imported with some options."""

    name: str
    files: tuple[str, ...] = ()
    """What is imported; nothing: `NAME.yaml` is swept."""
    options: tuple[str, ...] = ()
    code: int = 0
    """How the command ends."""
    concurrency: int = 8
    """Where arms share requests they are asked one by one: which of them the cache answers depends on the order."""
    recorded: bool = False
    """Asks the server of recorded answers in the reference data, of which only digests may be kept."""

    @property
    def path(self) -> Path:
        return EXPERIMENTS / f"{self.name}.yaml"

    @property
    def served(self) -> bool:
        return not self.files and not self.recorded and "PORT" in self.path.read_text(encoding="utf-8")


TABLE = ("--item", "question", "--arm", "prompt", "--score", "score", "--model", "model", "--task", "task", "--answer", "reply",
         "--prompt", "asked", "--repeat", "again", "--baseline", "plain", "--placebo", "neutral", "--scale", "0,5")  # fmt: skip
CASES = {
    case.name: case
    for case in (
        *(Case(name) for name in ("quickstart", "stack", "wordings", "shots", "logprobs", "looks", "own", "served")),
        *(Case(name, concurrency=1) for name in ("placements", "heart_oracle", "heart_free", "heart_judge", "served_loop")),
        Case("program", options=("--allow-code",)),
        Case("outcomes", code=3),
        Case("import_promptfoo", ("promptfoo.json",), ("--placebo", "neutral")),
        Case("import_table", ("table.csv",), TABLE),
        Case("import_inspect", ("inspect_none.eval", "inspect_career.eval"), ("--name", "inspect")),
        Case("replay", recorded=True),
    )
}
DRAWS = ("stack", "heart_free", "served", "served_loop", "program")
"""Cases of which a bundle is made, to learn the draw of each call; in all cases the cache key covers it."""


@dataclass
class Observed:
    """What a run gave, as plain values: the report, the frames, and what the server received."""

    report: dict[str, Any]
    trials: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    bodies: list[dict[str, Any]]
    run: str
    """The run's id, which may be all that differs."""

    def parts(self) -> Iterator[tuple[str, Any]]:
        yield from (("report", self.report), ("trials", self.trials), ("calls", self.calls), ("bodies", self.bodies))


def observe(case: Case, folder: Path) -> Observed:
    """Make the run of a case in an empty folder, with a home of its own, and look at it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*EXPERIMENTS.iterdir(), *IMPORTED.iterdir()):
        if file.is_file():
            shutil.copy(file, folder)
    env = {"PROMPTLAB_HOME": str(folder / "home"), "OPENAI_API_KEY": "sk-none"}
    received: list[dict[str, Any]] = []
    if case.files:
        command(folder, env, case.code, "import", *case.files, *case.options, "--runs", "runs")
    else:
        path = folder / case.path.name
        path.write_text(path.read_text(encoding="utf-8").replace(":PORT/", f":{PORT}/"), encoding="utf-8")
        with served(case, folder, env) as received:
            command(
                folder,
                env,
                case.code,
                "sweep",
                path.name,
                "--runs",
                "runs",
                "--concurrency",
                str(case.concurrency),
                "--no-report",
                *case.options,
            )
    [run] = [path.parent for path in (folder / "runs").glob("*/manifest.json")]
    report = json.loads(command(folder, env, 0, "report", f"runs/{run.name}", "--format", "json"))
    draws = _draws(folder, env, run.name) if case.name in DRAWS else {}
    return Observed(timeless(report), trials_of(run), calls_of(run, draws), received, run.name)


def command(folder: Path, env: Mapping[str, str], code: int, *arguments: str) -> str:
    """What a command printed, which must have ended with this code."""
    done = runs.run(*arguments, env=env, cwd=folder)
    assert done.returncode == code, f"promptlab {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def trials_of(run: Path) -> list[dict[str, Any]]:
    """The trials frame in its order, without times."""
    frame = open_run(run).trials().sort_values("order", kind="stable")
    return _rows(frame.drop(columns=[name for name in FRAME_TIMES if name in frame]))


def calls_of(run: Path, draws: Mapping[str, int]) -> list[dict[str, Any]]:
    """The calls frame in the order of its trials, without times; JSON inside is read; the draw stands beside it where it is known."""
    order = {row["trial"]: row["order"] for row in trials_of(run)}
    rows = [row for path in sorted((run / "calls").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert not (run / "journal.jsonl").exists(), "a run that has ended has everything in its parts"
    rows.sort(key=lambda row: (order[row["trial"]], row["turn"]))
    found = []
    for row in rows:
        kept = {name: _plain(value) for name, value in row.items() if name not in FRAME_TIMES}
        for name in ("messages", "requested", "effective", "top_logprobs"):
            if isinstance(kept.get(name), str):
                kept[name] = json.loads(kept[name])
        found.append({**kept, "key": row["key"][:KEY_CHARS], "draw": draws.get(row["key"])})
    return found


def _draws(folder: Path, env: Mapping[str, str], run: str) -> dict[str, int]:
    """The draw of each answered call, by its key, as a bundle of the run tells it."""
    command(folder, env, 0, "cache", "export", f"runs/{run}", "--to", "bundle")
    lines = (folder / "bundle" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["key"]: line["request"]["draw"] for line in map(json.loads, lines) if line.get("request")}


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    for path in REPORT_TIMES:
        *parents, last = path.split(".")
        part = report
        for name in parents:
            part = part.get(name, {})
        part.pop(last, None)
    for table in ("decision", "summary"):
        for row in report.get(table) or []:
            row.pop("seconds", None)
    return report


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): [_plain(value) for value in frame[name].tolist()] for name in frame}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    """A cell as JSON has it; what is missing is None however the frame says so."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if hasattr(value, "item") else value


@contextmanager
def served(case: Case, folder: Path, env: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
    """The server that a case asks, if any. The list holds, afterwards, what it received."""
    received: list[dict[str, Any]] = []
    if case.recorded:
        command(folder, env, 0, "data", "import", str(SHARED / "data"))
        with _recorded_answers():
            yield received
        return
    if not case.served:
        yield received
        return
    server = _bound()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
    received += sorted(
        ({"path": path, "key": key, "body": body} for path, key, body in zip(server.paths, server.keys, server.requests, strict=True)),
        key=lambda row: json.dumps(row, sort_keys=True),
    )


def _bound() -> servers.Server:
    deadline = time.monotonic() + PORT_WAIT_S
    while True:
        try:
            return servers.start(PORT)
        except OSError:
            assert time.monotonic() < deadline, f"port {PORT} of this machine is taken by another process, and these tests need it"
            time.sleep(0.2)


@contextmanager
def _recorded_answers() -> Iterator[None]:
    """The server of the reference data, on our port; started again where another process had the port."""
    deadline = time.monotonic() + PORT_WAIT_S
    command_line = [sys.executable, str(SHARED / "tools" / "replay_server.py"), "--port", str(PORT)]
    process = None
    while process is None:
        assert time.monotonic() < deadline, f"port {PORT} of this machine is taken by another process, and these tests need it"
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", PORT)) == 0
        if taken:
            time.sleep(0.2)
            continue
        started = subprocess.Popen(command_line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while started.poll() is None and process is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                    process = started
            time.sleep(0.05)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def machine_words(folder: Path) -> re.Pattern[str]:
    """What no golden file may hold: the folder that it was made in, the home and the name of this machine."""
    words = {str(folder), str(HERE.parent.parent), os.path.expanduser("~") + "/", socket.gethostname()}
    return re.compile("|".join(re.escape(word) for word in words if len(word) > 3))

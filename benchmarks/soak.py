"""A long sweep against a provider of which one answer in twenty is bad: nothing is lost, nothing leaks, nothing is unexplained.

    make soak [ARGS="--trials 20000"]
    python benchmarks/soak.py [--trials 100000] [--concurrency 64] [--faults 5] [--keep FOLDER]

nginx answers 95 % of the requests at once. It closes one connection in two hundred, and passes the others to a server of ours, which takes
the faults of `FAULTS` in turn and counts them. Faults that an engine must retry (500, 429, closed connections, bodies that are no JSON or
break off) may not reach the record; answers that are empty, filtered, cut off or without usage, and requests that are refused for good,
must be there exactly as often as they were served. The sweep is the command as a user types it, with cache, over the direct wire; memory
and open sockets of its process are read from /proc while it asks. Then the same command asks again for what was refused, until nothing is
left. The exit code is 1 where a check fails.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from peers.endpoint import completion, free_ports

from promptlab.design.cross import trials
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, runs_in

GONE_PERCENT = 0.5
"""Connections that nginx closes without a word."""
FAULTS = ("500", "429", "badjson", "torn", "empty", "filtered", "cut", "nousage", "slow", "refused")
SLOW_S = 0.3
RETRY_AFTER_MS = 20
RETRIES = 12
"""How often the same command is given again, at most: each time, one request in two hundred is refused anew."""
SAMPLE_S = 0.25
N_ITEMS, N_TASKS, N_ARMS = 100, 2, 4
EXPERIMENT = """\
name: soak
question: Does anything break in {trials} trials?
suite: twin
tasks: [sum, sentiment]
models:
  - {{model: openai/mock, name: served, api_base: '{url}', price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
stimuli: [emotionprompt/EP02]
controls: {{placebos: matched, per_stimulus: 1}}
items: {items}
replicates: {replicates}
scorer: reference
seed: 1
sampling: {{temperature: 0.7, max_tokens: 64}}
"""
NGINX = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  log_format seen '$status'; access_log {folder}/seen.log seen buffer=64k flush=200ms;
  default_type application/json; keepalive_timeout 300s; keepalive_requests 100000000; tcp_nodelay on;
  client_body_buffer_size 256k; client_max_body_size 16m;
{temporary}
  split_clients $request_id $where {{ {gone}% gone; {faulty}% faulty; * fixed; }}
  upstream faulty {{ server 127.0.0.1:{faulty_port}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port} backlog=8192; reset_timedout_connection on;
    location = /v1/chat/completions {{
      if ($where = gone) {{ return 444; }}
      if ($where = faulty) {{ rewrite ^ /faulty last; }}
      return 200 '{answer}';
    }}
    location = /faulty {{
      internal; proxy_pass http://faulty; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


class Sample(NamedTuple):
    """The sweep's process at one moment."""

    rss_mb: float
    peak_mb: float
    n_sockets: int


@dataclass(frozen=True, slots=True)
class Ended:
    """One command that ended, and what its process looked like while it asked."""

    exit_code: int
    seconds: float
    samples: list[Sample]
    output: str


# --- the faulty server, in a process of its own --------------------------------------------------------------------------


async def serve(port: int) -> None:
    """Every request takes the next fault; GET tells how often each was served."""
    from aiohttp import web

    served: Counter[str] = Counter()

    async def counts(_: web.Request) -> web.Response:
        return web.json_response(served)

    async def answered(request: web.Request) -> web.StreamResponse:
        await request.read()
        fault = FAULTS[served.total() % len(FAULTS)]
        served[fault] += 1
        answer = json.loads(completion("42"))
        if fault in ("500", "429", "refused"):
            headers = {"Retry-After-Ms": str(RETRY_AFTER_MS)} if fault == "429" else None
            said = {"error": {"message": f"{fault} on purpose", "type": "error", "code": None}}
            return web.json_response(said, status=400 if fault == "refused" else int(fault), headers=headers)
        if fault == "badjson":
            return web.Response(text='{"choices": [{"mess', content_type="application/json")
        if fault == "torn":
            torn = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "400"})
            await torn.prepare(request)
            await torn.write(b'{"choices": [{"index": 0, "message": {"role": "assi')
            if request.transport:
                request.transport.close()
            return torn
        if fault == "empty":
            answer["choices"][0]["message"]["content"] = ""
        elif fault == "filtered":
            answer["choices"][0] |= {"finish_reason": "content_filter"}
        elif fault == "cut":
            answer["choices"][0] |= {"finish_reason": "length"}
        elif fault == "nousage":
            del answer["usage"]
        elif fault == "slow":
            await asyncio.sleep(SLOW_S)
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/faulty", answered)
    app.router.add_get("/counts", counts)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


# --- the provider ------------------------------------------------------------------------------------------------------


class Provider(NamedTuple):
    """Where it answers, and what it says about itself."""

    url: str
    n_requests: Callable[[], tuple[int, int]]
    """Requests that came in, and those of them that were closed without a word."""
    served: Callable[[], dict[str, int]]


@contextlib.contextmanager
def provider(folder: Path, percent: float) -> Iterator[Provider]:
    """Nginx before the faulty server, for as long as the block lasts."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        raise SystemExit("nginx is not installed; install it (Debian: apt-get install nginx-light) and run this again")
    port, faulty_port = free_ports()
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config, log = folder / "nginx.conf", folder / "seen.log"
    config.write_text(
        NGINX.format(
            folder=folder, temporary=temporary, port=port, faulty_port=faulty_port, answer=completion("42"),
            gone=GONE_PERCENT, faulty=percent - GONE_PERCENT,
        ),
        encoding="utf-8",
    )  # fmt: skip
    commands = (
        [sys.executable, __file__, "--serve", str(faulty_port)],
        [nginx, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)],
    )
    processes = [subprocess.Popen(command) for command in commands]

    def served() -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{faulty_port}/counts", timeout=10) as answer:
            found: dict[str, int] = json.load(answer)
        return found

    def n_requests() -> tuple[int, int]:
        time.sleep(1.0)  # nginx writes its log five times a second
        seen = log.read_bytes().split()
        return len(seen) - n_before, seen.count(b"444")

    n_before = 0
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                served()
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            if log.exists() and log.stat().st_size:
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"the provider does not answer; see {folder}")
        n_before = n_requests()[0]
        yield Provider(f"http://127.0.0.1:{port}/v1", n_requests, served)
    finally:
        for process in processes:
            process.terminate()
            process.wait()


# --- the sweep -----------------------------------------------------------------------------------------------------------


def sample(pid: int) -> Sample | None:
    """The process as /proc shows it; None where it has ended."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
        rss, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except (OSError, KeyError):
        return None
    n_sockets = 0
    for handle in handles:
        with contextlib.suppress(OSError):
            n_sockets += os.readlink(handle).startswith("socket:")
    return Sample(rss, peak, n_sockets)


def asking(runs: Path) -> bool:
    """Whether the run is being asked; its report comes after that, and takes memory of its own."""
    try:
        return any(json.loads((run / "manifest.json").read_bytes())["state"] == "running" for run in runs_in(runs))
    except (OSError, ValueError):
        return False


def sweep(file: Path, folder: Path, concurrency: int) -> Ended:
    """The command as a user types it, watched."""
    command = [
        sys.executable, "-m", "promptlab", "sweep", str(file), "--runs", str(folder / "runs"), "--wire", "direct",
        "--concurrency", str(concurrency), "--no-report",
    ]  # fmt: skip
    log = folder / "sweep.log"
    samples: list[Sample] = []
    begun = ended = time.monotonic()
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "PROMPTLAB_HOME": str(folder / "home"), "COLUMNS": "160"}
        )
        while process.poll() is None:
            if asking(folder / "runs") and (seen := sample(process.pid)):
                samples.append(seen)
                ended = time.monotonic()
            time.sleep(SAMPLE_S)
    return Ended(process.returncode, ended - begun, samples, log.read_text(encoding="utf-8"))


def n_bytes(folder: Path) -> int:
    """What a folder takes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(n_trials: int, concurrency: int, percent: float, keep: Path | None) -> int:
    """Run it; 0 where every check holds."""
    with contextlib.ExitStack() as stack:
        folder = keep.resolve() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["PROMPTLAB_HOME"] = str(folder / "home")
        replicates = max(1, round(n_trials / (N_ITEMS * N_TASKS * N_ARMS)))
        asked = stack.enter_context(provider(folder, percent))
        file = folder / "soak.yaml"
        file.write_text(EXPERIMENT.format(url=asked.url, trials=n_trials, items=N_ITEMS, replicates=replicates), encoding="utf-8")
        planned = [trial.id for trial in trials(resolve(file).design)]
        first = sweep(file, folder, concurrency)
        print(first.output[-1500:])
        served, (n_requests, n_closed) = asked.served(), asked.n_requests()
        run = Run(runs_in(folder / "runs")[0])
        frame = run.trials()
        parts = Counter(trial["trial"] for trial, _ in run.records())
        size = n_bytes(run.folder)
        again = [first]
        while again[-1].exit_code == 3 and len(again) <= RETRIES:
            again.append(sweep(file, folder, concurrency))
        return report(planned, first, again, frame, parts, Run(run.folder), served, n_requests, n_closed, size, concurrency)


def report(
    planned: list[str],
    first: Ended,
    commands: list[Ended],
    frame: pd.DataFrame,
    recorded: Mapping[str, int],
    whole: Run,
    served: Mapping[str, int],
    n_requests: int,
    n_closed: int,
    size: int,
    concurrency: int,
) -> int:
    """Print what was measured and every check; 0 where all hold."""
    n = len(planned)
    outcomes = frame["outcome"].value_counts().to_dict()
    expected = {"empty": served["empty"], "refused": served["filtered"], "truncated": served["cut"], "error": served["refused"]}
    errors = frame.loc[frame["outcome"] == "error", "error"]
    quarter = len(first.samples) // 4
    rss = [one.rss_mb for one in first.samples]
    second, last = (statistics.mean(part) if part else float("nan") for part in (rss[quarter : 2 * quarter], rss[3 * quarter :]))
    n_sockets = max((one.n_sockets for one in first.samples[-3:]), default=0)
    end = whole.trials()
    retried = {name: served[name] for name in ("500", "429", "badjson", "torn")} | {"closed": n_closed}
    n_retried = int(frame["attempts"].sum()) - n
    checks: list[tuple[str, bool, str]] = [
        ("first command ends as incomplete", first.exit_code == 3, f"exit code {first.exit_code}"),
        ("every trial exactly once", set(recorded) == set(planned) and max(recorded.values()) == 1, f"{sum(recorded.values()):,} of {n:,}"),
        *(
            (f"outcome {name}: as often as served", outcomes.get(name, 0) == count, f"{outcomes.get(name, 0):,} of {count:,}")
            for name, count in expected.items()
        ),
        (
            "all others answered",
            outcomes.get("ok", 0) + outcomes.get("parse_failed", 0) == n - sum(expected.values()),
            ", ".join(f"{name} {count:,}" for name, count in sorted(outcomes.items())),
        ),
        (
            "unknown usage: as often as served",
            int(frame.loc[frame["outcome"] != "error", "input_tokens"].isna().sum()) == served["nousage"],
            f"{served['nousage']:,}",
        ),
        ("every error explained", bool(errors.str.contains("refused on purpose").all()), f"{len(errors):,} errors"),
        ("attempts in the record = requests received", int(frame["attempts"].sum()) == n_requests, f"{n_requests:,}"),
        (
            "retries = faults that are to be retried",
            n_retried == sum(retried.values()),
            f"{n_retried:,}: {', '.join(f'{name} {count:,}' for name, count in retried.items())}",
        ),
        ("memory flat", quarter > 0 and abs(last / second - 1) <= 0.10, f"second quarter {second:.1f} MB, last {last:.1f} MB"),
        ("no socket leaks", 0 < n_sockets <= concurrency + 4, f"{n_sockets} open at the end, concurrency {concurrency}"),
        ("no traceback", all("Traceback" not in one.output for one in commands), f"{len(commands)} commands"),
        ("the same command ends complete", commands[-1].exit_code == 0, f"exit codes {[one.exit_code for one in commands]}"),
        (
            "and then every trial has an answer",
            set(end["trial"]) == set(planned) and len(end) == n and not (end["outcome"] == "error").any(),
            f"{len(end):,} trials",
        ),
    ]
    figures = {
        "trials": f"{n:,}",
        "requests": f"{n_requests:,}",
        "seconds": f"{first.seconds:.1f}",
        "calls/s": f"{n_requests / first.seconds:,.0f}",
        "peak memory, MB": f"{max(one.peak_mb for one in first.samples):.0f}",
        "bytes per trial": f"{size / n:.0f}",
    }
    width = max(len(name) for name, _, _ in checks)
    for name, value in figures.items():
        print(f"{name:{width}}        {value}")
    for name, holds, seen in checks:
        print(f"{name:{width}}  {'ok  ' if holds else 'FAIL'}  {seen}")
    return 0 if all(holds for _, holds, _ in checks) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--faults", type=float, default=5.0, help="percent of all requests")
    parser.add_argument("--keep", type=Path, help="where to leave everything; without it, it is removed")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(given.serve))
        sys.exit(0)
    sys.exit(main(given.trials, given.concurrency, given.faults, given.keep))

"""What a hostile provider really bills, beside the cap and what a run reports, in every way of asking.

    make money [ARGS="--modes long,truthful --ways plain"]
    python benchmarks/money.py [--server http://127.0.0.1:PORT] [--modes ...] [--ways ...] [--concurrency 64]

The provider is a server of ours that counts what it bills; `--server` names another one with the same interface: /MODE/v1 answers,
/__reset forgets, and /__stats tells `usd`, `n`, `tokens_in`, `tokens_out` and `max_live`. Each row is the command as a user types it.
A cap holds where the provider billed no more than the cap and, for each call that was under way, its longest answer; and where the run
says, as "at most", what was billed up to that. Where the provider tells the truth, the run reports what was billed within 1 %, or
after a kill no less and no more than that and the calls that the kill cut off. The exit code is 1 where a row does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.record.store import Run, runs_in

USD_IN, USD_OUT = 10.0, 30.0
"""What the provider bills, in USD per million tokens."""
MAX_TOKENS = 64
TIMES_TOO_LONG = 100
TRUE_WITHIN = 0.01
KILLS = 3
START_WITHIN_S = 150
HANG_S = 2.5
MODES: dict[str, tuple[str, int]] = {
    "truthful": ("ok-20", 1),
    "usage of zeros": ("u-zero", 1),
    "usage below zero": ("u-neg", 1),
    "usage beyond belief": ("u-huge", 1),
    "one token": ("u-one", 1),
    "usage as text": ("u-str", 1),
    "usage missing": ("u-missing", 1),
    "too long": ("long", TIMES_TOO_LONG),
    "billed timeout": ("billhang", 1),
    **{f"billed {status}": (f"bill504-{status}", 1) for status in (408, 502, 504, 524)},
    "cut body": ("billcut", 1),
    "half JSON": ("billbad", 1),
    "Chinese text": ("cn", 1),
    "reasoning": ("reasoning", TIMES_TOO_LONG),
    "reasoning in the sum": ("insum", TIMES_TOO_LONG),
}
"""By name: the path of a mode, and how many times `max_tokens` its answers are billed as at most."""
OWN = ("reasoning", "insum")
"""Modes that only our server has."""
HONEST = ("truthful", "too long", "Chinese text", "reasoning", "reasoning in the sum")
"""Modes in which the usage is what is billed."""
WAYS = (
    "plain", "workers", "loops", "kills", "workers, killed", "loops, killed",
    "rubric", "panel", "panel, workers, killed", "pairwise", "pairwise, killed", "vote", "vote, workers", "confirm", "confirm, killed",
    "fresh", "fresh, killed", "self-judged loops",
)  # fmt: skip
"""Words of a way that add to the experiment are keys of MORE, JUDGED or FLAGS."""
MORE = {
    "loops": "loops:\n  - {name: again, rounds: 2, mode: oracle, policies: [anger]}\n",
    "self-judged loops": "loops:\n  - {name: again, rounds: 2, mode: self_judge, policies: [anger]}\n",
    "vote": "strategies: [{vote: {samples: 5}}]\n",
    "confirm": "confirm: 0.5\n",
}
JUDGED = {"rubric": ("rubric", 1), "panel": ("rubric", 3), "pairwise": ("pairwise", 1)}
"""The metric, and how many judges it asks."""
FLAGS = {"workers": ["--workers", "3"], "fresh": ["--fresh"]}
EXPERIMENT = """\
name: money
question: Does the cap hold?
suite: twin
tasks: [long]
task_files: [task.yaml]
models:
  - {model}
stimuli: [emotionprompt/EP02]
controls: {{placebos: matched, per_stimulus: 1}}
items: 60
scorer: strict
seed: 1
sampling: {{max_tokens: {max_tokens}}}
{more}"""
MODEL = """{{model: openai/{name}, name: {name}, api_base: '{url}', timeout_s: 1.5, retries: 1, price: {{input_usd_per_mtok: {usd_in},
     output_usd_per_mtok: {usd_out}}}}}"""
TASK = """name: long
items: items.jsonl
columns: {{id: id, input: q, target: a}}
metric: {metric}
base_prompts: {{human: 'What is it?'}}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One way of asking in one mode: USD of the cap, billed, reported as paid and as at most, and of the longest answers under way."""

    way: str
    mode: str
    cap: float
    true: float
    paid: float
    at_most: float
    under_way: float
    sent: int
    received: int

    @property
    def is_honest(self) -> bool:
        return self.mode in HONEST

    @property
    def holds(self) -> bool:
        """Whether the cap held, and the run reports what was billed."""
        slack = 1e-9 + (KILLS * self.under_way if "kill" in self.way else 0.0)  # each kill cuts off what is in flight
        reported = self.at_most >= (1 - TRUE_WITHIN) * self.true - 1e-9
        if self.is_honest:
            reported &= abs(self.paid - self.true) <= TRUE_WITHIN * self.true + slack
        return self.true <= self.cap + self.under_way + 1e-9 and reported and self.received <= self.sent

    def cells(self) -> list[str]:
        usd = [f"{value:.4f}" for value in (self.cap, self.true, self.paid, self.at_most, self.under_way)]
        return [self.way, self.mode, *usd, f"{self.sent}/{self.received}", "yes" if self.holds else "NO"]


HEAD = ("way", "mode", "cap", "true", "paid", "at most", "in flight x longest", "sent/received", "holds")


# --- the provider -----------------------------------------------------------------------------------------------------------


class Provider:
    """Answers, and counts what it bills."""

    def __init__(self) -> None:
        self.live = 0
        self.forget()

    def forget(self) -> None:
        self.stats: dict[str, float] = {"n": 0, "usd": 0.0, "tokens_in": 0, "tokens_out": 0, "max_live": 0, "most_usd": 0.0}

    def bill(self, n_input: int, n_output: int) -> None:
        usd = (n_input * USD_IN + n_output * USD_OUT) / 1e6
        self.stats["usd"] += usd
        self.stats["most_usd"] = max(self.stats["most_usd"], usd)
        self.stats["tokens_in"] += n_input
        self.stats["tokens_out"] += n_output

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request by request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                data = await reader.readexactly(int(fields.get("content-length", 0)))
                path = lines[0].split(" ")[1]
                if path.startswith("/__"):
                    if path == "/__reset":
                        self.forget()
                    await self.say(writer, 200, self.stats)
                elif await self.answer(writer, path.split("/")[1], json.loads(data)):
                    break
        writer.close()

    async def say(self, writer: asyncio.StreamWriter, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()

    async def answer(self, writer: asyncio.StreamWriter, mode: str, request: dict[str, Any]) -> bool:
        """Whether the connection ends with the answer."""
        self.stats["n"] += 1
        self.live += 1
        self.stats["max_live"] = max(self.stats["max_live"], self.live)
        try:
            return await self.behave(writer, mode, request)
        finally:
            self.live -= 1

    async def behave(self, writer: asyncio.StreamWriter, mode: str, request: dict[str, Any]) -> bool:
        text = "\n".join(message["content"] for message in request["messages"])
        n_input = len(text.encode()) // 4 if text.isascii() else sum(1 if char.isascii() else 2 for char in text)
        most = request["max_tokens"]
        kind, _, detail = mode.partition("-")
        n_output = {"ok": 3, "long": TIMES_TOO_LONG * most, "reasoning": TIMES_TOO_LONG * most, "insum": TIMES_TOO_LONG * most}.get(
            kind, most
        )
        self.bill(n_input, n_output)
        usage: Any = {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": n_input + n_output}
        rates = request["model"].startswith("j")
        said = ("A" if "A, B or tie" in text else "4") if rates else f"{self.stats['n']:.0f}"
        if kind == "bill504":
            await self.say(writer, int(detail), b"<html>gateway</html>")
            return False
        if kind == "billhang":
            await asyncio.sleep(HANG_S)
        if kind == "billbad":
            await self.say(writer, 200, b'{"id": "x", "choi')
            return False
        if kind == "billcut":
            writer.write(b'HTTP/1.1 200 X\r\nContent-Length: 400\r\n\r\n{"id": "x"')
            await writer.drain()
            return True
        await asyncio.sleep(0.3 if kind in ("long", "reasoning", "insum") else 0.02)
        if kind == "long":
            said += " word" * 2000
        if kind == "reasoning":
            usage["completion_tokens_details"] = {"reasoning_tokens": n_output - 3}
        if kind == "insum":
            usage["completion_tokens"] = 3
        if kind == "u":
            said *= 50 if not rates else 1
            usage = USAGES[detail]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        await self.say(
            writer, 200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        )
        return False


def _usage(n_input: Any, n_output: Any) -> dict[str, Any]:
    return {"prompt_tokens": n_input, "completion_tokens": n_output}


USAGES = {
    "zero": _usage(0, 0), "neg": _usage(-5, -7), "huge": _usage(10**9, 10**9), "one": _usage(1, 1), "str": _usage("12", "7"),
    "missing": None,
}  # fmt: skip


async def serve() -> None:
    """Until it is ended; the first line on stdout is the port."""
    server = await asyncio.start_server(Provider().connected, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """The address of our server, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


# --- one row ----------------------------------------------------------------------------------------------------------------


def asked(url: str, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/__{path}", timeout=30) as said:
        return dict(json.load(said))


def experiment(folder: Path, url: str, mode: str, way: str) -> Path:
    """An experiment of a mode, with a task whose words are Chinese where the mode says so. Where judges judge, the mode is theirs."""
    word = "漢字這是一個很長的問題" * 8 if mode == "Chinese text" else "a long question " * 8
    lines = [json.dumps({"id": str(n), "q": f"{word} {n}?", "a": "43"}, ensure_ascii=False) for n in range(60)]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "money.yaml"
    parts = way.split(", ")
    kind, n_judges = next((JUDGED[part] for part in parts if part in JUDGED), ("", 0))
    paths = {"m": MODES["truthful" if kind else mode][0], **dict.fromkeys(("j1", "j2", "j3"), MODES[mode][0])}
    model, *judges = (MODEL.format(name=name, url=f"{url}/{path}/v1", usd_in=USD_IN, usd_out=USD_OUT) for name, path in paths.items())
    metric = f"{{{kind}: {{judges: [{', '.join(judges[:n_judges])}]}}}}" if kind else "word"
    (folder / "task.yaml").write_text(TASK.format(metric=metric), encoding="utf-8")
    more = "".join(MORE.get(part, "") for part in parts)
    path.write_text(EXPERIMENT.format(model=model, max_tokens=MAX_TOKENS, more=more), encoding="utf-8")
    return path


def measured(url: str, mode: str, way: str, cap: float, concurrency: int) -> Row:
    """What one way of asking costs in one mode."""
    asked(url, "reset")
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        command = ["sweep", str(experiment(folder, url, mode, way)), "--runs", str(folder / "runs")]
        command += ["--concurrency", str(concurrency), "--max-cost", str(cap), "--no-report"]
        command += [flag for part in way.split(", ") for flag in FLAGS.get(part, ())]
        for kill in [True] * KILLS * ("kill" in way) + [False]:
            ended(start(command, folder / "home"), kill, url)
        found = runs_in(folder / "runs")
        manifest = Run(found[0]).manifest
        stats = asked(url, "stats")
    n_input = stats["tokens_in"] / max(1, stats["n"])
    longest = stats.get("most_usd") or (1.5 * n_input * USD_IN + MODES[mode][1] * MAX_TOKENS * USD_OUT) / 1e6
    paid = manifest.paid_usd
    return Row(
        way, mode, cap, stats["usd"], paid, paid + manifest.unsure_usd, stats["max_live"] * longest, manifest.counts.sent, int(stats["n"])
    )


def start(command: list[str], home: Path) -> subprocess.Popen[bytes]:
    """The command as a user types it, with a process group of its own."""
    env = {**os.environ, "PROMPTLAB_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    whole = [sys.executable, "-m", "promptlab", *command]
    return subprocess.Popen(whole, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def ended(process: subprocess.Popen[bytes], kill: bool, url: str) -> None:
    """Wait for a command's end, or kill it and all that it started in the middle of its calls."""
    n_before = asked(url, "stats")["n"]
    deadline = time.monotonic() + START_WITHIN_S
    while kill and process.poll() is None and time.monotonic() < deadline:
        if asked(url, "stats")["n"] > n_before + 5:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.01)
    process.wait(300)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [HEAD, tuple("-" * len(name) for name in HEAD), *(tuple(row.cells()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, print the table, and end with 1 where a row does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--server", help="address of a hostile provider; our own by default")
    options.add_argument("--modes", default=",".join(MODES), help="names, with commas between them")
    options.add_argument("--ways", default=None, help="of: " + "; ".join(WAYS) + " (with semicolons between them)")
    options.add_argument("--cap", type=float, default=0.2)
    options.add_argument("--concurrency", type=int, default=64)
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        asyncio.run(serve())
        return
    modes = [mode for mode in chosen.modes.split(",") if not (chosen.server and MODES[mode][0] in OWN)]
    ways = chosen.ways.split(";") if chosen.ways else WAYS
    with contextlib.nullcontext(chosen.server) if chosen.server else provider() as url:
        rows = []
        for way in ways:
            for mode in modes:
                rows.append(measured(url.rstrip("/"), mode, way, chosen.cap, chosen.concurrency))
                sys.stderr.write(f"{' '.join(rows[-1].cells())}\n")
    sys.stdout.write(table(rows) + "\n")
    sys.exit(any(not row.holds for row in rows))


if __name__ == "__main__":
    main()

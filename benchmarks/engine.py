"""How fast a sweep is beside bare clients and other evaluation tools, on an endpoint that costs almost nothing.

    make bench-peers [ARGS="--items 300 --rounds 1 --only aiohttp,promptlab_direct"]
    python benchmarks/engine.py [--items 2000] [--rounds 3] [--concurrency 64] [--slow-items 51200] [--many-items 20000]
                                [--only NAME,...] [--json]
    python benchmarks/engine.py --cached 100000     a sweep again, every answer out of the cache
    python benchmarks/engine.py --million           planning and running a million simulated trials: time, memory, bytes

Every run is a fresh process in an empty folder; tools take turns, and the order is reversed in every second round. Calls are counted and
timed by the endpoint: from the first request to the last answer (`calls/s`; some tools read, score and log outside of that time). A second
run with a few items is taken off the whole process, so that `items/s` and `CPU ms/item` are what one more item takes with everything
that the tool does for it, without starting. CPU is that of the process and its children, user and system. Figures are medians over the
rounds, ratios medians of the ratios within a round. `slow` is the endpoint that answers after 200 ms, with 512 calls at once, and says how
much of a core the busiest thread took, which in a client is that of its event loop; `many` sets two worker processes beside one over
more items, because each of them has to start.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from peers.endpoint import DELAY_S, Endpoint, Seen, serving
from peers.tools import ARMS, PEERS, TOOLS, Command, Job, Tool, experiment, sweep

N_START = 24
"""Items of the run that is taken off."""
LEAST_MORE = 0.25
"""A job that takes less than this share of a start beyond it says nothing of items a second."""
SLOW_CONCURRENCY = 512
WANTED_OF_IDEAL = 0.9
FULL = 0.9
"""A client is bound by its CPU where its busiest thread takes so much of a core, or would not do WANTED_OF_IDEAL with all of it."""
SLOW = ("aiohttp", "promptlab_direct", "promptlab_direct_2")
MANY = ("promptlab_direct", "promptlab_direct_2")
PARTS = ("slow", "many")
TARGETS = {"direct_of_whole": 3.0, "direct_of_aiohttp": 0.35, "litellm_of_litellm": 0.9, "two_workers": 1.7, "beyond_wire_ms": 0.6}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took, its children included; memory is that of the largest process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


@dataclass(frozen=True, slots=True)
class Result:
    """One tool in one round."""

    n: int
    calls_s: float
    """Seconds from the first request to the last answer; 0 where nothing was asked."""
    more_s: float | None
    """Seconds of the whole process beyond those of a start; None where they are too few beside them to be told."""
    wall_s: float
    cpu_s: float
    cpu_ms: float
    """CPU of one more item."""
    peak_mb: float
    busiest: float | None = None
    """Of a core, what the busiest thread took in the middle of the calls, where that was watched."""

    @property
    def rate(self) -> float:
        return self.n / self.calls_s if self.calls_s else 0.0

    @property
    def more_rate(self) -> float | None:
        return self.n / self.more_s if self.more_s else None

    @property
    def whole_rate(self) -> float:
        return self.n / self.wall_s


class Failed(Exception):
    """A tool did not do the job."""


def say(line: str) -> None:
    """Progress, beside the figures."""
    print(line, file=sys.stderr, flush=True)


class Threads(threading.Thread):
    """Watches what every thread of a process and of its children takes of a core (Linux)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.ended = threading.Event()
        self.seen: list[tuple[float, dict[str, float]]] = []

    def run(self) -> None:
        tick = os.sysconf("SC_CLK_TCK")
        while not self.ended.wait(0.1):
            taken: dict[str, float] = {}
            for process in self._processes(self.pid):
                for path in Path(f"/proc/{process}/task").glob("*/stat"):
                    with contextlib.suppress(OSError, ValueError, IndexError):
                        words = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                        taken[path.parent.name] = (int(words[11]) + int(words[12])) / tick
            self.seen.append((time.time(), taken))

    def busiest(self, began: float, ended: float) -> float | None:
        """The share of a core that the busiest thread took between the first tenth and the last of a time."""
        tenth = (ended - began) / 10
        inside = [(at, taken) for at, taken in self.seen if began + tenth <= at <= ended - tenth]
        if len(inside) < 2:
            return None
        (first_at, first), (last_at, last) = inside[0], inside[-1]
        return max((last[name] - first[name] for name in first.keys() & last.keys()), default=0.0) / (last_at - first_at)

    def _processes(self, pid: int) -> list[int]:
        found = [pid]
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [process for child in path.read_text(encoding="ascii").split() for process in self._processes(int(child))]
        return found


def run(command: Command, folder: Path, timeout_s: float | None = None, watched: list[Threads] | None = None) -> Usage:
    """Run a command to its end, in a process of its own; its threads are watched where there is a list to put them into."""
    log = folder / "output.log"
    with log.open("wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command.argv, cwd=folder, env=command.environment(folder), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        timer = threading.Timer(timeout_s, process.kill) if timeout_s else None
        if timer:
            timer.start()
        threads = Threads(process.pid)
        if watched is not None:
            watched.append(threads)
            threads.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            threads.ended.set()
            if timer:
                timer.cancel()
        wall_s = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
        raise Failed(f"exit code {process.returncode}: {last.strip()[:200]}")
    return Usage(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, text)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="promptlab-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def once(tool: Tool, endpoint: Endpoint, server: str, n: int, concurrency: int, watched: list[Threads] | None = None) -> tuple[Usage, Seen]:
    """One run, checked: every call was sent once and answered."""
    with scratch() as folder:
        job = Job(folder, n, server, concurrency)
        timeout_s = 300 + 0.3 * n
        if tool.prepare:
            run(tool.prepare(job), folder, timeout_s)
        command = tool.command(job)
        endpoint.forget()
        used = run(command, folder, timeout_s, watched)
        seen = endpoint.seen()
        expected = trials(n) if tool.group == "promptlab" else n
        if seen.n_failed or seen.n != (expected if tool.asks else 0):
            raise Failed(f"{seen.n:,} requests instead of {expected if tool.asks else 0:,}, {seen.n_failed:,} of them failed")
        if tool.group == "promptlab":
            counts = manifest(folder / "runs" if tool.asks else folder / "again")["counts"]
            if counts["done"] != expected or counts["errors"] or counts["cached"] != (0 if tool.asks else expected):
                raise Failed(f"the manifest counts {counts}")
        return used, seen


def manifest(runs: Path) -> dict[str, dict[str, int]]:
    """The manifest of the only run in a folder."""
    (path,) = runs.glob("*/manifest.json")
    return json.loads(path.read_text(encoding="utf-8"))


def trials(n: int) -> int:
    """What promptlab sends for about `n` calls: whole items under every arm."""
    return -(-n // ARMS) * ARMS


def measure(tool: Tool, endpoint: Endpoint, server: str, n: int, concurrency: int) -> Result:
    """One round of one tool: a run with a few items, then the job."""
    start, _ = once(tool, endpoint, server, N_START, concurrency)
    watched: list[Threads] | None = [] if server == endpoint.delayed else None
    full, seen = once(tool, endpoint, server, n, concurrency, watched)
    n_calls = trials(n) if tool.group == "promptlab" else n
    n_more = n_calls - N_START
    cpu_ms = 1000 * (full.cpu_s - start.cpu_s) / n_more
    more_s = full.wall_s - start.wall_s
    more_s = more_s * n_calls / n_more if more_s > LEAST_MORE * start.wall_s else None
    busiest = watched[0].busiest(seen.began, seen.ended) if watched else None
    return Result(n_calls, seen.seconds, more_s, full.wall_s, full.cpu_s, cpu_ms, full.peak_mb, busiest)


def rounds(
    names: list[str], endpoint: Endpoint, part: str, n: int, concurrency: int, n_rounds: int
) -> tuple[dict[str, list[Result]], dict[str, str]]:
    """All tools of one part alternately; results by name, and why others have none."""
    server = endpoint.delayed if part == "slow" else endpoint.at_once
    if server is None:
        return {}, {part: "nginx has no echo module (Debian's libnginx-mod-http-echo)"}
    results: dict[str, list[Result]] = {}
    skipped: dict[str, str] = {}
    for name in names:
        why = TOOLS[name].missing()
        try:
            if not why:  # warms up bytecode and the disk's cache
                once(TOOLS[name], endpoint, server, N_START, concurrency)
                results[name] = []
        except Failed as error:
            why = str(error)
        if why:
            skipped[f"{part} {name}".strip()] = why
            say(f"{part} {name}: skipped: {why}".strip())
    for number in range(n_rounds):
        for name in list(results) if number % 2 == 0 else list(reversed(results)):
            try:
                result = measure(TOOLS[name], endpoint, server, n, concurrency)
            except Failed as error:
                skipped[f"{part} {name}".strip()] = f"round {number + 1}: {error}"
                del results[name]
                say(f"{part} {name}: failed: {error}".strip())
                continue
            results[name].append(result)
            what = f"{part} {name}".strip()
            more = "-" if result.more_rate is None else f"{result.more_rate:,.0f}"
            say(f"round {number + 1} of {n_rounds}, {what}: {result.rate:,.0f} calls/s, {more} items/s")
    return results, skipped


def middle(results: list[Result], of: str) -> float:
    """The median of one figure; 0 where no round has it."""
    return statistics.median([value for result in results if (value := getattr(result, of)) is not None] or [0.0])


def ratio(results: dict[str, list[Result]], name: str, other: str, of: str = "rate") -> float | None:
    """The median of the ratios within each round."""
    if name not in results or other not in results:
        return None
    pairs = [(getattr(a, of), getattr(b, of)) for a, b in zip(results[name], results[other], strict=True)]
    known = [a / b if b else 0.0 for a, b in pairs if a is not None and b is not None]
    return statistics.median(known) if known else None


def beyond(results: dict[str, list[Result]], name: str, wire: str) -> float | None:
    """CPU ms a trial that are not the wire's."""
    if name not in results or wire not in results:
        return None
    return statistics.median(a.cpu_ms - b.cpu_ms for a, b in zip(results[name], results[wire], strict=True))


def verdicts(results: dict[str, list[Result]], many: dict[str, list[Result]]) -> list[tuple[str, float | None, str]]:
    """Every target: what it is about, what was measured, what it should be."""
    found: list[tuple[str, float | None, str]] = []
    whole = [tool.name for tool in PEERS if tool.group == "whole" and tool.name in results]
    for of, words in (("rate", "calls/s"), ("more_rate", "items/s"), ("whole_rate", "whole process")):
        if whole:
            fastest = max(whole, key=lambda name: middle(results[name], of))
            if not middle(results[fastest], of):
                continue
            times = ratio(results, "promptlab_direct", fastest, of)
            found.append((f"direct wire, times the fastest whole tool ({fastest}), {words}", times, f">= {TARGETS['direct_of_whole']}"))
    found.append(("direct wire, of bare aiohttp", ratio(results, "promptlab_direct", "aiohttp"), f">= {TARGETS['direct_of_aiohttp']}"))
    found.append(("LiteLLM wire, of bare litellm", ratio(results, "promptlab_litellm", "litellm"), f">= {TARGETS['litellm_of_litellm']}"))
    for where, wire, words in ((many, "direct", "direct"), (results, "litellm", "LiteLLM")):
        times = ratio(where, f"promptlab_{wire}_2", f"promptlab_{wire}", "more_rate")
        found.append((f"two workers, times one, {words} wire, items/s", times, f">= {TARGETS['two_workers']}"))
    for wire, words in (("direct", "direct"), ("litellm", "LiteLLM")):
        more = beyond(results, f"promptlab_{wire}", f"{wire}_wire")
        found.append((f"CPU ms a trial beyond the {words} wire", more, f"< {TARGETS['beyond_wire_ms']}"))
    return found


def shown(value: float | None) -> str:
    """Two digits after the point, or a dash."""
    return "-" if value is None else f"{value:,.2f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value else "-"


def table(results: dict[str, list[Result]]) -> None:
    """One line a tool."""
    heads = ("calls/s", "spread", "of aiohttp", "of litellm", "items/s", "CPU ms/item", "wall s", "CPU s", "peak MB")
    print(f"{'':20}" + "".join(f"{head:>{14 if head == 'spread' else 12}}" for head in heads))
    for name, each in results.items():
        rates = [result.rate for result in each]
        cells = (
            f"{middle(each, 'rate'):,.0f}", f"{min(rates):,.0f}-{max(rates):,.0f}", shown(ratio(results, name, "aiohttp")),
            shown(ratio(results, name, "litellm")), _whole(middle(each, "more_rate")), f"{middle(each, 'cpu_ms'):.2f}",
            f"{middle(each, 'wall_s'):.1f}", f"{middle(each, 'cpu_s'):.1f}", f"{middle(each, 'peak_mb'):.0f}",
        )  # fmt: skip
        cells = tuple("-" if n < 4 and not any(rates) else cell for n, cell in enumerate(cells))
        print(f"{name:20}" + "".join(f"{cell:>{14 if n == 1 else 12}}" for n, cell in enumerate(cells)))


def slow_table(results: dict[str, list[Result]]) -> None:
    """How near the delayed endpoint's ideal rate the clients come, and whether they wait for it or for their own CPU."""
    ideal = SLOW_CONCURRENCY / DELAY_S
    print(f"\nafter {DELAY_S * 1000:.0f} ms, {SLOW_CONCURRENCY} at once: ideal {ideal:,.0f} calls/s")
    for name, each in results.items():
        rate, busy = middle(each, "rate"), middle(each, "busiest")
        whole = rate / busy if busy else math.inf
        bound = "CPU-bound" if busy >= FULL or whole < WANTED_OF_IDEAL * ideal else "not CPU-bound"
        print(
            f"{name:20}{rate:>12,.0f} calls/s{100 * rate / ideal:>8.0f} % of ideal; the busiest thread takes {100 * busy:.0f} % of a core, "
            f"and with all of it {whole:,.0f} calls/s ({bound})"
        )


def many_table(results: dict[str, list[Result]], n: int) -> None:
    """One process and two, over many items."""
    print(f"\n{n:,} items, one worker process and two")
    for name, each in results.items():
        more = _whole(middle(each, "more_rate"))
        print(f"{name:20}{middle(each, 'rate'):>12,.0f} calls/s{more:>12} items/s{middle(each, 'wall_s'):>12.1f} s")


def compare(asked: argparse.Namespace) -> None:
    """The comparison."""
    chosen = asked.only.split(",") if asked.only else [*(name for name in TOOLS if name != MANY[1]), *PARTS]
    unknown = [name for name in chosen if name not in TOOLS and name not in PARTS]
    if unknown:
        raise SystemExit(f"{unknown[0]!r} is not known; known: {', '.join([*TOOLS, *PARTS])}")
    load_before = round(os.getloadavg()[0], 2)
    slow: dict[str, list[Result]] = {}
    many: dict[str, list[Result]] = {}
    with serving() as endpoint:
        results, skipped = rounds([name for name in TOOLS if name in chosen], endpoint, "", asked.items, asked.concurrency, asked.rounds)
        if "many" in chosen:
            many, without = rounds(list(MANY), endpoint, "many", asked.many_items, asked.concurrency, asked.rounds)
            skipped |= without
        if "slow" in chosen:
            slow, without = rounds(list(SLOW), endpoint, "slow", asked.slow_items, SLOW_CONCURRENCY, asked.rounds)
            skipped |= without
    about = {
        "items": asked.items, "rounds": asked.rounds, "concurrency": asked.concurrency, "endpoint": endpoint.kind,
        "cores": os.cpu_count(), "python": platform.python_version(), "load_before": load_before,
    }  # fmt: skip
    targets = verdicts(results, many)
    if asked.json:
        whole = {"about": about, "results": results, "many": many, "slow": slow, "skipped": skipped, "targets": targets}
        print(json.dumps(whole, indent=1, default=asdict))
        return
    print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.items()))
    if results:
        table(results)
    if many:
        many_table(many, asked.many_items)
    if slow:
        slow_table(slow)
    print()
    for words, value, target in targets:
        if value is not None:
            print(f"{words:76}{shown(value):>8}   target {target}")
    for name, why in skipped.items():
        print(f"skipped: {name}: {why}")


def sweep_seconds(output: str) -> float:
    """What the command says that the sweep took, without starting and judging."""
    found = re.search(r"trials recorded .* ([\d.,]+) s$", output, re.MULTILINE)
    if not found:
        raise Failed("the sweep does not say how long it took")
    return float(found[1].replace(",", ""))


def cached(asked: argparse.Namespace) -> None:
    """A sweep of so many trials, and the same again out of the cache, into new folders."""
    with serving() as endpoint, scratch() as folder:
        job = Job(folder, asked.cached, endpoint.at_once, asked.concurrency)
        n = trials(asked.cached)
        first = run(sweep()(job), folder)
        each = []
        for number in range(asked.rounds):
            used = run(sweep(runs=f"again{number}")(job), folder)
            if manifest(folder / f"again{number}")["counts"]["cached"] != n:
                raise Failed("not everything came out of the cache")
            shutil.rmtree(folder / f"again{number}")
            each.append((sweep_seconds(used.output), used.wall_s, used.cpu_s, used.peak_mb))
        again = [statistics.median(figures) for figures in zip(*each, strict=True)]
    before = [sweep_seconds(first.output), first.wall_s, first.cpu_s, first.peak_mb]
    if asked.json:
        keys = ("sweep_s", "wall_s", "cpu_s", "peak_mb")
        print(json.dumps({"n": n, "first": dict(zip(keys, before, strict=True)), "again": dict(zip(keys, again, strict=True))}, indent=1))
        return
    for words, (sweep_s, wall_s, cpu_s, peak_mb) in (("asked", before), ("again, cached", again)):
        print(
            f"{words:16}{n:,} trials: sweep {sweep_s:.1f} s ({n / max(sweep_s, 0.1):,.0f}/s), whole command {wall_s:.1f} s, "
            f"CPU {cpu_s:.1f} s ({1000 * cpu_s / n:.2f} ms each), peak {peak_mb:.0f} MB"
        )


class Watch(threading.Thread):
    """Memory of a process while its run goes on, before its results are judged."""

    def __init__(self, runs: Path) -> None:
        super().__init__(daemon=True)
        self.runs = runs
        self.peak_mb = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            for path in self.runs.glob("*/lock"):
                with contextlib.suppress(OSError, ValueError, KeyError):
                    if manifest(self.runs)["state"] == "running":
                        self.peak_mb = max(self.peak_mb, _resident_mb(path))


def _resident_mb(lock: Path) -> float:
    """The most memory that the process which holds a run's lock has had so far."""
    inode = lock.stat().st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[5].rpartition(":")[2] == str(inode):
            status = Path(f"/proc/{words[4]}/status").read_text(encoding="ascii")
            return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    return 0.0


def folder_bytes(run_folder: Path) -> tuple[int, int]:
    """Bytes of a run folder, and those of them that are prompts and answers (compressed, as they lie in the columns)."""
    import pyarrow.parquet as pq

    texts = {"trials": {"answer", "extracted"}, "calls": {"messages", "text"}, "items.parquet": {"input", "targets"}}
    whole = sum(path.stat().st_size for path in run_folder.rglob("*") if path.is_file())
    spoken = 0
    for path in run_folder.rglob("*.parquet"):
        columns = texts.get(path.relative_to(run_folder).parts[0], set())
        found = pq.read_metadata(path)
        for group in range(found.num_row_groups):
            chunks = [found.row_group(group).column(n) for n in range(found.num_columns)]
            spoken += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema.partition(".")[0] in columns)
    return whole, spoken


def million(asked: argparse.Namespace) -> None:
    """So many trials of a simulated model: planned alone, then run with cache and record."""
    n = trials(asked.million)
    with scratch() as folder:
        job = Job(folder, asked.million, "", asked.concurrency)
        command = sweep(model="sim/null")(job)
        path = experiment(job, "sim/null")
        planned = run(Command([sys.executable, "-m", "promptlab", "plan", str(path)], command.variables), folder)
        say(f"planned in {planned.wall_s:.1f} s")
        watch = Watch(folder / "runs")
        watch.start()
        done = run(command, folder)
        watch.ended.set()
        counts = manifest(folder / "runs")["counts"]
        if counts["done"] != n or counts["errors"]:
            raise Failed(f"the manifest counts {counts}")
        (run_folder,) = (path.parent for path in (folder / "runs").glob("*/manifest.json"))
        whole, spoken = folder_bytes(run_folder)
        kept = sum(path.stat().st_size for path in (folder / "home").rglob("*") if path.is_file())
        seconds = sweep_seconds(done.output)
    figures = {
        "trials": n, "plan_s": planned.wall_s, "plan_peak_mb": planned.peak_mb, "sweep_s": seconds, "sweep_peak_mb": watch.peak_mb,
        "command_s": done.wall_s, "command_peak_mb": done.peak_mb, "cpu_ms_a_trial": 1000 * done.cpu_s / n,
        "folder_bytes_a_trial": whole / n, "beside_texts_bytes_a_trial": (whole - spoken) / n, "cache_bytes_a_trial": kept / n,
    }  # fmt: skip
    if asked.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{n:,} trials of a simulated model")
    print(f"planning alone: {planned.wall_s:.1f} s, peak {planned.peak_mb:.0f} MB")
    print(f"the sweep: {seconds:.1f} s ({n / seconds:,.0f} trials/s), peak {watch.peak_mb:.0f} MB; ", end="")
    print(f"the whole command with judging: {done.wall_s:.1f} s, peak {done.peak_mb:.0f} MB, {1000 * done.cpu_s / n:.2f} CPU ms a trial")
    print(f"run folder: {whole / n:.0f} bytes a trial, {(whole - spoken) / n:.0f} beside prompts and answers; cache: {kept / n:.0f}")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2000, help="calls of the job")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--slow-items", type=int, default=100 * SLOW_CONCURRENCY, help="calls to the delayed endpoint")
    parser.add_argument("--many-items", type=int, default=20_000, help="calls of one worker and of two")
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join([*TOOLS, *PARTS])}")
    parser.add_argument("--json", action="store_true", help="every figure of every round, in place of tables")
    parser.add_argument("--cached", type=int, metavar="N", help="so many trials again, out of the cache")
    parser.add_argument("--million", type=int, metavar="N", nargs="?", const=1_000_000, help="so many trials of a simulated model")
    asked = parser.parse_args()
    if min(asked.items, asked.slow_items, asked.many_items) < 4 * N_START:
        parser.error(f"fewer than {4 * N_START} items tell nothing: the {N_START} of a start are taken off")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the endpoint and the tool under way end with it
    try:
        if asked.cached:
            cached(asked)
        elif asked.million:
            million(asked)
        else:
            compare(asked)
    except Failed as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()

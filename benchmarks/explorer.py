"""How the explorer bears a long run: time to the first page and between pages, memory, and the largest message to the browser.

    python benchmarks/explorer.py                    the demo run beside a made-up run of a million rows, ten times each page
    python benchmarks/explorer.py --rows 100000 --times 3
    python benchmarks/explorer.py --screenshots DIR  every page at 1440 and 390 pixels, light and dark, and what axe finds
    python benchmarks/explorer.py --soak RUN         the server's memory over 200 page changes

Pages are driven in Debian's chromium through Playwright, with the runs made ready before (how long that takes is told as well). A page
is there when the server has finished drawing it and its own text is in the browser.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGES = {
    "results": "May this be believed?", "tasks": "In which tasks?", "answers": "Task by task", "grid": "Click a cell to read",
    "singles": "Click one to read it", "cost": "What a right answer costs",
    "design": "Does what is here match", "plan": "Items and repeats",
    "runs": "Click a row to open its run",
}  # fmt: skip
"""The pages, and a text that each has of its own."""
VIEWS = {"grid": ("answers", "view=grid", "All arms"), "singles": ("answers", "view=all", "Every answer")}
"""Views of a page: its path, what its address holds, and the button that leads to it."""
MORE = {
    "drawer": ("demo_run", "?arm=emotionprompt%2FEP02", "Difference"),
    "answer": ("demo_run", "answers?view=all&trial=3fa032d15c1f63d44fd7", "Previous"),
    "rounds": ("demo_loops", "tasks?view=rounds", "Round by round"),
    "replication": ("demo_replication", "?more=replication", "Cell by cell"),
    "beside": ("demo_run", "?more=beside", "Nothing here is a verdict"), "texts": ("demo_run", "plan?view=texts", "Base prompt"),
    "nothing": ("demo_run", "answers?view=all&find=nosuchword", "Clear filters"),
    "running": ("running", "", "the sweep continues"), "failed": ("running", "answers?view=all&outcome=error", "Last error"),
    "error": ("damaged", "", "This run cannot be read"), "none": ("empty", "", "No runs yet"), "loading": ("demo_run", "", ""),
}  # fmt: skip
"""Sections and states beside the pages, for pictures: the run, the address, and a text."""
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
DONE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
WAIT_MS = 120_000
LABELS = {
    "results": "Results", "tasks": "Tasks", "answers": "Answers", "cost": "Cost", "design": "Design", "plan": "Plan", "runs": "Runs",
    "grid": "All arms", "singles": "Every answer",
}  # fmt: skip


@contextmanager
def served(runs: Path) -> Iterator[tuple[str, int]]:
    """The explorer over a folder of runs: its address and the number of its process group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "promptlab", "view", "--runs", str(runs), "--port", str(port)]
    process = subprocess.Popen(command, cwd=runs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def resident_mb(group: int) -> float:
    """The memory of the largest process of the group, in MB."""
    found = [0.0]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getpgid(int(status.parent.name)) == group:
                text = status.read_text()
                found.append(int(text.split("VmRSS:")[1].split()[0]) / 1024)
        except (OSError, IndexError, ValueError):
            continue
    return max(found)


def cpu_s(group: int) -> float:
    """The CPU time of the group's processes so far, user and system, in seconds."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            if os.getpgid(int(stat.parent.name)) == group:
                ticks += sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def path_of(name: str) -> str:
    """The address of a page or a view, without the run."""
    path, query, _ = VIEWS.get(name, (name, "", ""))
    return f"{'' if path == 'results' else path}?{query}"


def there(page: Any, text: str) -> None:
    """Wait until a page is drawn."""
    page.get_by_text(text).first.wait_for(timeout=WAIT_MS)
    page.wait_for_function(f"document.querySelector('{DONE}') !== null", timeout=WAIT_MS)


def goto(page: Any, address: str, run: str, name: str) -> float:
    """Open an address anew; seconds until the page is there."""
    started = time.perf_counter()
    page.goto(f"{address}/{path_of(name)}&run={run}")
    there(page, PAGES[name])
    return time.perf_counter() - started


def change(page: Any, name: str) -> float:
    """Click on a page in the bar, or on a view of the page Answers; seconds until it is there."""
    started = time.perf_counter()
    bar = page.get_by_test_id("stButtonGroup" if name in VIEWS else "stPageLink")
    bar.get_by_text(LABELS[name], exact=True).first.click()
    path = VIEWS[name][0] if name in VIEWS else name
    page.wait_for_function(f"location.pathname === '/{'' if path == 'results' else path}'", timeout=WAIT_MS)
    there(page, PAGES[name])
    return time.perf_counter() - started


def turned(page: Any, times: int, group: int) -> tuple[list[float], list[float]]:
    """Seconds for each turn of a page of the grid, which is open, and the server's CPU seconds."""
    found, cpu = [], []
    for n in range(times):
        started, before = time.perf_counter(), cpu_s(group)
        page.get_by_role("button", name="Next page").click()
        page.wait_for_function(f"document.body.innerText.includes('Page {n + 2:,} of')", timeout=WAIT_MS)
        page.wait_for_function(f"document.querySelector('{DONE}') !== null", timeout=WAIT_MS)
        found.append(time.perf_counter() - started)
        cpu.append(cpu_s(group) - before)
    return found, cpu


def soaked(run: Path, changes: int) -> list[float]:
    """The server's memory in MB over so many page changes, read ten times."""
    from playwright.sync_api import sync_playwright

    found = []
    with served(run.parent) as (address, group), sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"]).new_page()
        goto(page, address, run.name, "results")
        names = ["tasks", "answers", "cost", "plan", "results"]
        for n in range(changes):
            change(page, names[n % len(names)])
            if (n + 1) % (changes // 10) == 0:
                found.append(resident_mb(group))
    return found


def measured(run: Path, times: int) -> dict[str, Any]:
    """First page, page changes, memory, messages and complaints of one run."""
    from playwright.sync_api import sync_playwright

    names = [name for name in PAGES if name != "results"]
    with served(run.parent) as (address, group), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        complaints: list[str] = []
        first: list[float] = []
        first_cpu: list[float] = []
        painted: list[float] = []
        for _ in range(times + 1):  # the first one warms the server up
            context = browser.new_context(viewport=SIZES["wide"])
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            before = cpu_s(group)
            first.append(goto(page, address, run.name, "results"))
            first_cpu.append(cpu_s(group) - before)
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
            painted.append(float(paint) / 1000)
            context.close()
        context = browser.new_context(viewport=SIZES["wide"])
        page = context.new_page()
        sizes: dict[str, int] = {}
        at = {"page": "results"}

        def received(frame: Any) -> None:
            n = len(frame) if isinstance(frame, bytes) else len(str(frame).encode())
            sizes[at["page"]] = max(sizes.get(at["page"], 0), n)

        page.on("websocket", lambda socket_: socket_.on("framereceived", received))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        goto(page, address, run.name, "results")
        changes: dict[str, list[float]] = {name: [] for name in names}
        cpu: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(times + 1):
            for name in names:
                at["page"] = name
                before = cpu_s(group)
                changes[name].append(change(page, name))
                cpu[name].append(cpu_s(group) - before)
        change(page, "answers")
        change(page, "grid")
        grid, grid_cpu = turned(page, times, group)
        memory = resident_mb(group)
        browser.close()
    return {
        "first_s": statistics.median(first[1:]), "first_cold_s": first[0], "painted_s": statistics.median(painted[1:]),
        "change_s": {name: statistics.median(values[1:]) for name, values in changes.items()},
        "change_cold_s": {name: values[0] for name, values in changes.items()}, "resident_mb": memory,
        "cpu_s": {"results": statistics.median(first_cpu[1:]), **{name: statistics.median(values[1:]) for name, values in cpu.items()}},
        "grid_cpu_s": statistics.median(grid_cpu), "grid_page_s": statistics.median(grid), "grid_page_worst_s": max(grid),
        "largest_message_kb": {name: n / 1000 for name, n in sizes.items()}, "complaints": complaints,
    }  # fmt: skip


def ready(run: Path) -> tuple[float, float]:
    """Make a run ready in a process of its own: seconds, and its memory in MB."""
    started = time.perf_counter()
    code = (
        "import resource,sys;from pathlib import Path;from promptlab.reporting.prepared import prepare;"
        "prepare(Path(sys.argv[1]));print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024)"
    )
    command = ["/usr/bin/env", sys.executable, "-c", code, str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, float(done.stdout)


def compared(asked: argparse.Namespace) -> None:
    """The demo run beside the long one."""
    with tempfile.TemporaryDirectory(prefix="promptlab-explorer-") as scratch:
        folder = Path(asked.folder or scratch)
        os.environ["PROMPTLAB_HOME"] = str(folder / "home")
        demo = folder / "demo" / "demo_run"
        shutil.rmtree(demo, ignore_errors=True)
        shutil.copytree(ROOT / "notebooks" / "demo_run", demo)
        if not list((folder / "long").glob("made-up-*/manifest.json")):
            make = [
                sys.executable,
                str(ROOT / "benchmarks" / "make_run.py"),
                str(folder / "long"),
                "--rows",
                str(asked.rows),
                "--unprepared",
            ]
            subprocess.run(make, check=True)
        long = next((folder / "long").glob("made-up-*/manifest.json")).parent
        seconds, mb = ready(long)
        found = {"demo": measured(demo, asked.times), "long": measured(long, asked.times)}
    if asked.json:
        print(json.dumps({"rows": asked.rows, "ready_s": seconds, "ready_mb": mb, **found}, indent=1))
        return
    print(f"{asked.rows:,} rows made ready in {seconds:.0f} s with {mb:.0f} MB; medians of {asked.times}, cold in brackets")
    demo_, long_ = found["demo"], found["long"]
    print(f"{'':22}{'demo run':>18}{'long run':>18}{'ratio':>8}")

    def line(words: str, a: float, b: float, cold: tuple[float, float] | None = None) -> None:
        more = [f" ({value:.2f})" for value in cold] if cold else ["", ""]
        print(f"{words:22}{f'{a:.2f} s{more[0]}':>18}{f'{b:.2f} s{more[1]}':>18}{b / a:>8.2f}")

    line("first paint", demo_["painted_s"], long_["painted_s"])
    line("first page whole", demo_["first_s"], long_["first_s"], (demo_["first_cold_s"], long_["first_cold_s"]))
    for name in demo_["change_s"]:
        cold = (demo_["change_cold_s"][name], long_["change_cold_s"][name])
        line(f"to {LABELS[name]}", demo_["change_s"][name], long_["change_s"][name], cold)
    line("the grid turns a page", demo_["grid_page_s"], long_["grid_page_s"], (demo_["grid_page_worst_s"], long_["grid_page_worst_s"]))
    for name in demo_["cpu_s"]:
        line(f"CPU, {LABELS[name]}", demo_["cpu_s"][name], long_["cpu_s"][name])
    line("CPU, grid's next page", demo_["grid_cpu_s"], long_["grid_cpu_s"])
    print(f"{'resident':22}{demo_['resident_mb']:>15.0f} MB{long_['resident_mb']:>15.0f} MB")
    for name in sorted(long_["largest_message_kb"]):
        print(f"{f'message, {LABELS[name]}':40}{long_['largest_message_kb'][name]:>12.0f} kB at most")
    for which, result in found.items():
        print(f"console errors, {which}: {len(result['complaints'])} {result['complaints'][:3]}")


@contextmanager
def in_states(runs: Path) -> Iterator[None]:
    """A run that is running, with a failed answer, and a damaged one, made of the demo run."""
    from promptlab.record.store.files import held

    for name in ("running", "damaged"):
        shutil.copytree(runs / "demo_run", runs / name)
    (runs / "damaged" / "plan.json").write_text("{", encoding="utf-8")
    manifest = json.loads((runs / "running" / "manifest.json").read_text(encoding="utf-8"))
    manifest |= {"state": "running", "last_error": "429: too many requests; the provider asks to wait 60 s"}
    manifest["counts"] |= {"done": 2232, "errors": 3}
    (runs / "running" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with held(runs / "running"):
        yield


def screenshots(asked: argparse.Namespace) -> None:
    """Every page and section at both sizes in light and dark, whole pages, as PNG; what axe and the console find is said."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import TimeoutError as TooLate
    from playwright.sync_api import sync_playwright

    into: Path = asked.screenshots
    into.mkdir(parents=True, exist_ok=True)
    shown = {name: ("demo_run", path_of(name), text) for name, text in PAGES.items()} | MORE
    with tempfile.TemporaryDirectory(prefix="promptlab-explorer-") as scratch:
        os.environ["PROMPTLAB_HOME"] = str(Path(scratch) / "home")
        runs = Path(scratch) / "runs"
        for name in ("demo_run", "demo_loops", "demo_replication"):
            shutil.copytree(ROOT / "notebooks" / name, runs / name)
        (empty := Path(scratch) / "empty").mkdir()
        complaints: list[str] = []
        outside: list[str] = []
        with in_states(runs), served(runs) as (address, _), served(empty) as (nowhere, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for size, scheme in [(size, scheme) for size in SIZES for scheme in ("light", "dark")]:
                context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
                page = context.new_page()
                page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
                page.on("request", lambda sent: None if "127.0.0.1" in sent.url[:24] else outside.append(sent.url))
                for name, (run, path, text) in shown.items():
                    if asked.only and name not in asked.only.split(","):
                        continue
                    page.goto(f"{nowhere if run == 'empty' else address}/{path}{'&' if '?' in path else '?'}run={run}")
                    if text:
                        there(page, text)
                        page.wait_for_timeout(1200)  # tables and charts are drawn after the page
                    else:
                        with suppress(TooLate):  # a run that is ready already is there at once
                            page.wait_for_selector("[data-testid=stSkeleton]", timeout=3_000)
                            page.screenshot(path=into / f"{name}-{size}-{scheme}.png")
                        continue
                    for found in Axe().run(page).response["violations"]:
                        print(f"axe: {name} {size} {scheme}: {found['id']} {len(found['nodes'])} {found['nodes'][0]['html'][:160]}")
                    main = "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
                    height = min(max(int(page.evaluate(main)) + 20, 844), 3000)
                    page.set_viewport_size({"width": SIZES[size]["width"], "height": height})
                    page.wait_for_timeout(400)
                    page.screenshot(path=into / f"{name}-{size}-{scheme}.png")
                    page.set_viewport_size(SIZES[size])
                context.close()
            browser.close()
    pictures = len(list(into.glob("*.png")))
    outside = [url for url in outside if not url.startswith(("data:", "blob:"))]
    print(f"{pictures} pictures in {into}; console errors: {len(complaints)} {complaints[:3]}; requests to other hosts: {outside[:3]}")


def main() -> None:
    """Measure, or take pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="keep the long run here and use it again")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--soak", type=Path, metavar="RUN", help="memory over 200 page changes of this run")
    parser.add_argument("--screenshots", type=Path, metavar="DIR")
    parser.add_argument("--only", metavar="PAGE,...", help="with --screenshots: these pages alone")
    asked = parser.parse_args()
    if shutil.which("chromium") is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    if asked.soak:
        print("MB over 200 page changes: " + ", ".join(f"{mb:.0f}" for mb in soaked(asked.soak.resolve(), 200)))
    elif asked.screenshots:
        screenshots(asked)
    else:
        compared(asked)


if __name__ == "__main__":
    main()

"""The pages as a browser shows them: no error in the console, charts that have a size, nothing wider than a small screen."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe

from made_up import HOSTILE, write_run
from promptlab import reporting as reports
from promptlab.explorer import frame
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment, start, wait_until

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with its report, beside one in progress."""
    here = tmp_path_factory.mktemp("browser")
    path = experiment(here, models="  - sim/planted", stimuli="emotionprompt/EP02, negativeprompt/NP10", items=60)
    write_run(here / "made", "another", share=0.1)
    found = run_sweep(resolve(path), here / "made", None, Execution(16), lambda progress: None).folder
    (found / "report.html").write_text(reports.to_html(reports.build(Run(found))), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser(made: Path) -> Iterator[Any]:
    del made  # made first: a sweep cannot run inside the driver's loop
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@contextmanager
def viewed(*arguments: str, cwd: Path, command: str = "view") -> Iterator[str]:
    """The address of the pages that a command opens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(command, *arguments, "--port", str(port), cwd=cwd)
    try:
        wait_until(lambda: answers(port), process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def server(made: Path) -> Iterator[str]:
    """The address of the one explorer of these tests, in a folder that has no settings of ours, and no run yet."""
    with viewed("--runs", "runs", cwd=made.parent.parent) as there:
        yield there


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def without_runs(server: str, browser: Any) -> list[tuple[str, int, list[str]]]:
    """Of each page where there is no run: its path, how many links its bar has, and what the console complains of."""
    found = []
    context = browser.new_context(viewport=SIZES["wide"], reduced_motion="reduce")
    for path, wanted in (("", "No runs yet"), ("results", "No runs yet"), ("plan", READY["plan"]), ("?page=library", "Sentences")):
        page, complaints = watched(context, f"{server}/{path}")
        still(page, wanted)
        found.append((path, page.get_by_test_id("stPageLink").count(), complaints))
        page.close()
    context.close()
    return found


@pytest.fixture(scope="module")
def folder(made: Path, without_runs: list[Any]) -> Path:
    """The whole run where the explorer shows it."""
    del without_runs
    return made.parent.rename(made.parent.with_name("runs")) / made.name


@pytest.fixture(scope="module")
def address(server: str, folder: Path) -> str:
    """The explorer, when the runs are there."""
    del folder
    return server


def watched(context: Any, url: str) -> tuple[Any, list[str]]:
    """A page, and what is wrong with it: errors in its console, and requests to elsewhere."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not local(request.url) else None)
    page.goto(url)
    return page, complaints


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    contexts = []

    def open_page(url: str, size: str, scheme: str = "light") -> tuple[Any, list[str]]:
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        return watched(context, url)

    yield open_page
    for context in contexts:
        context.close()


def local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "file://", "data:", "blob:"))


READY = {
    "results": "May this be believed?",
    "tasks": "In which tasks?",
    "answers": "Two arms",
    "cost": "What a right answer costs",
    "design": "Does what is here match what was frozen?",
    "plan": "Items and repeats",
    "runs": "Click a row to open its run.",
}
"""A text of each page that has one of its own."""
STILL = "[data-testid=stApp][data-test-script-state=notRunning]"
ACTIONS = "() => document.querySelectorAll('[data-testid=stSkeleton]').length === 0"
FITS = "width => [document.documentElement, document.querySelector('[data-testid=stMain]')].every(part => part.scrollWidth <= width)"
"""Nothing is wider than the screen: wide tables and charts scroll by themselves."""
STREAMLITS_OWN: set[str] = set()
"""Rules of axe that the framework breaks by itself, whatever a page draws."""


def still(page: Any, text: str = "") -> None:
    """Wait until the page is drawn."""
    if text:
        page.get_by_text(text).first.wait_for(timeout=60_000)
    page.locator(STILL).wait_for(timeout=60_000)
    page.wait_for_function(ACTIONS, timeout=60_000)


def walked(page: Any, name: str, text: str | None = None) -> None:
    """Click on a page in the bar, and wait until it is drawn."""
    page.get_by_test_id("stPageLink").get_by_text(frame.PAGES[name].label, exact=True).click()
    page.wait_for_function("name => location.pathname === (name === 'results' ? '/' : '/' + name)", arg=name, timeout=60_000)
    still(page, READY[name] if text is None else text)


def broken_rules(page: Any) -> list[str]:
    """What axe finds on the page: rule, how often, and the first place."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
    return [f"{v['id']} {len(v['nodes'])}: {v['nodes'][0]['html'][:200]}" for v in found if v["id"] not in STREAMLITS_OWN]


@pytest.mark.long
@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
def test_every_page_of_the_explorer(size: str, scheme: str, address: str, folder: Path, opened: Any) -> None:
    """Drawn at one size, and looked at in both."""
    page, complaints = opened(f"{address}/?run={folder.name}", size, scheme)
    still(page, READY["results"])
    first = page.get_by_text("has the largest gain").first.bounding_box()
    assert first["y"] + first["height"] <= (400 if size == "wide" else 844), "the first result is on the first screen"
    before = page.evaluate("history.length")
    for n, name in enumerate(name for name in frame.PAGES if name in READY):
        page.set_viewport_size(SIZES[size])
        if name != "results":
            walked(page, name)
            assert page.evaluate("history.length") == before + n, "one click is one step of Back"
        if name != "runs":  # where every row says it for itself
            page.get_by_text("SIMULATED: made-up answers").first.wait_for()
        assert page.title() == f"{frame.PAGES[name].label} · {folder.name}"
        for looked_at in sorted(SIZES, key=lambda other: other != size):
            page.set_viewport_size(SIZES[looked_at])
            still(page)
            page.wait_for_function(FITS, arg=SIZES[looked_at]["width"], timeout=10_000)
            assert broken_rules(page) == [], (name, looked_at)
        assert complaints == [], name
    page.set_viewport_size(SIZES[size])
    page.go_back()
    page.wait_for_function("location.pathname === '/plan'", timeout=60_000)
    assert f"run={folder.name}" in page.url


@pytest.mark.long
def test_one_click_shows_the_difference_of_the_prompts(address: str, folder: Path, opened: Any) -> None:
    page, complaints = opened(f"{address}/?run={folder.name}", "wide")
    still(page, READY["results"])
    table = page.locator("[data-testid=stDataFrame]").first
    page.wait_for_timeout(500)  # the table is a picture of its own
    table.click(position={"x": 150, "y": 57}, delay=50)
    drawer = page.get_by_role("dialog")
    drawer.locator("mark").first.wait_for(timeout=60_000)
    still(page)
    assert "career" in drawer.locator("mark").first.inner_text()
    first = drawer.get_by_text(re.compile(r"· 1 of \d+")).inner_text()
    assert broken_rules(page) == []
    page.keyboard.press("j")
    drawer.get_by_text(re.compile(r"· 2 of \d+")).wait_for(timeout=60_000)
    page.keyboard.press("k")
    drawer.get_by_text(first).wait_for(timeout=60_000)
    page.wait_for_url(f"**item={first.split(' ')[0]}**", timeout=60_000)
    again, more = opened(page.url, "narrow", "dark")
    again.get_by_role("dialog").get_by_text(first).wait_for(timeout=60_000)
    again.get_by_role("dialog").locator("mark").first.wait_for()
    assert broken_rules(again) == []
    again.get_by_role("button", name="Close").click()
    again.wait_for_function("!location.search.includes('item=')", timeout=60_000)
    assert complaints + more == []


def test_every_page_where_there_is_no_run(without_runs: list[tuple[str, int, list[str]]]) -> None:
    assert without_runs == [(path, 0, []) for path in ("", "results", "plan", "?page=library")]


@pytest.mark.long
def test_a_click_on_a_row_opens_its_run(folder: Path, address: str, opened: Any) -> None:
    page, complaints = opened(f"{address}/runs", "wide")
    for _ in range(2):  # on return the same row can be clicked again
        still(page, READY["runs"])
        page.wait_for_timeout(500)
        page.locator("[data-testid=stDataFrame]").first.click(position={"x": 40, "y": 52}, delay=50)
        page.wait_for_function("location.pathname === '/'", timeout=60_000)
        still(page, READY["results"])
        walked(page, "runs")
    assert complaints == []


@pytest.mark.long(but=1)
@pytest.mark.parametrize("size", SIZES)
def test_the_report_page(size: str, folder: Path, opened: Any) -> None:
    page, complaints = opened((folder / "report.html").as_uri(), size)
    assert page.locator(".banner").inner_text().startswith("SIMULATED")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert page.locator("svg").count() == 3, "an interval for each arm"
    verdict = page.locator("td.v").first
    box = verdict.bounding_box()
    assert box["y"] + box["height"] <= 844, "the first verdict is on the first screen"
    assert box["x"] + box["width"] <= SIZES[size]["width"], "verdicts are seen without scrolling sideways"
    assert page.evaluate("document.documentElement.scrollHeight") <= 4 * 1600, "what follows the tasks is folded"
    page.locator("table.arms a").first.click()
    assert page.locator("mark").first.is_visible(), "one click from the first screen to the difference of two prompts"
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert broken_rules(page) == [], scheme
    assert complaints == []


@pytest.mark.parametrize(("host", "answer"), [("127.0.0.1", b"101"), ("localhost", b"101"), ("evil.example", b"403")])
def test_another_name_for_this_machine_is_refused(host: str, answer: bytes, address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    key = base64.b64encode(b"0123456789abcdef").decode()
    request = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        assert connection.recv(100).split()[1] == answer


@pytest.mark.long
def test_hostile_names_and_answers_run_nothing_in_a_browser(browser: Any, address: str, folder: Path) -> None:
    attack = HOSTILE["script"] + "<img src=x onerror=\"document.title='taken'\"> ![x](http://attacker.test/leak.png)"
    run, _ = write_run(folder.parent, "<b>bold ![x](y)", answers={"script": attack, "text": attack})
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"question": "', f'"question": {json.dumps(attack)[:-1]}', 1))
    assert "attacker.test" in manifest.read_text()
    (run / "report.html").write_text(reports.to_html(reports.build(Run(run))), encoding="utf-8")
    context = browser.new_context(viewport=SIZES["wide"], reduced_motion="reduce")
    try:
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
        sections = [name for name, (_, more) in frame.EARLIER.items() if more and name not in SAME]
        for name in [*sections, "results&arm=emotionprompt%2FEP02", "samples&find=attacker", "results"]:
            page.goto(f"{address}/?page={name}&run={quote(run.name)}")
            page.locator(STILL).wait_for(timeout=60_000)
            assert page.title() != "taken", name
        for name in frame.PAGES:
            walked(page, name, "")
            assert page.title() != "taken", name
        page.goto((run / "report.html").as_uri())
        page.get_by_text("attacker.test").first.wait_for()
        assert page.title() != "taken"
        assert [url for url in asked if "attacker.test" in url.split("?")[0] or not local(url)] == []
    finally:
        context.close()
        shutil.rmtree(run)


SAME = {"overview": "results", "matrix": "tasks", "compare": "answers"}
"""Earlier names of whole pages."""


@pytest.mark.long
def test_many_tabs_and_a_run_that_is_deleted_while_it_is_viewed(folder: Path, address: str, browser: Any) -> None:
    """Four at once; test_explorer_folders.py has every page of a run that is deleted."""
    run = folder.with_name("doomed")
    shutil.copytree(folder, run)
    context = browser.new_context(viewport=SIZES["wide"], reduced_motion="reduce")
    try:
        tabs = [(name, context.new_page()) for name in ("overview", "loops", "compare", "samples")]
        for name, page in tabs:
            page.goto(f"{address}/?page={name}&run={run.name}", wait_until="commit")
        for name, page in tabs:
            page.locator(STILL).wait_for(timeout=120_000)
            assert page.get_by_test_id("stException").count() == 0, name
            if name in SAME:
                page.get_by_text(READY[SAME[name]]).first.wait_for(timeout=60_000)
        shutil.rmtree(run)
        for name, page in tabs:
            page.reload(wait_until="commit")
            page.get_by_test_id("stMain").wait_for(timeout=60_000)
            page.locator(STILL).wait_for(timeout=120_000)
            assert page.get_by_test_id("stException").count() == 0, name
            assert "Traceback" not in page.get_by_test_id("stMain").inner_text(), name
    finally:
        context.close()
        shutil.rmtree(run, ignore_errors=True)

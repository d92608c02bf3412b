"""The pages as a browser shows them: no error in the console, charts that have a size, nothing wider than a small screen."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from conftest import ROOT
from promptlab import reporting as reports
from promptlab.explorer import frame
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment
from test_explorer import HOSTILE, write_run

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("browser")
    path = experiment(here, models="  - sim/planted", stimuli="emotionprompt/EP02, negativeprompt/NP10", items=60)
    write_run(here / "runs", "another", share=0.1)
    found = run_sweep(resolve(path), here / "runs", None, Execution(16), lambda progress: None).folder
    (found / "report.html").write_text(reports.to_html(reports.build(Run(found))), encoding="utf-8")
    return found


@contextmanager
def viewed(*arguments: str, cwd: Path, command: str = "view") -> Iterator[str]:
    """The address of the pages that a command opens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "promptlab", command, *arguments, "--port", str(port)],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(900):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("the explorer did not start within 90 s")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The explorer in a folder that has no settings of ours."""
    with viewed("--runs", str(folder.parent), cwd=folder.parent) as there:
        yield there


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Any]:
    del folder  # made first: a sweep cannot run inside the driver's loop
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    contexts = []

    def open_page(url: str, size: str, scheme: str = "light") -> tuple[Any, list[str]]:
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if not local(request.url) else None)
        page.goto(url)
        return page, complaints

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
STREAMLITS_OWN: set[str] = set()
"""Rules of axe that the framework breaks by itself, whatever a page draws."""


def still(page: Any, text: str = "") -> None:
    """Wait until the page is drawn."""
    if text:
        page.get_by_text(text).first.wait_for(timeout=60_000)
    page.locator(STILL).wait_for(timeout=60_000)
    page.wait_for_function(ACTIONS, timeout=60_000)


def walked(page: Any, name: str) -> None:
    """Click on a page in the bar, and wait until it is drawn."""
    page.get_by_test_id("stPageLink").get_by_text(frame.PAGES[name].label, exact=True).click()
    page.wait_for_function("name => location.pathname === (name === 'results' ? '/' : '/' + name)", arg=name, timeout=60_000)
    still(page, READY[name])


def broken_rules(page: Any) -> list[str]:
    """What axe finds on the page: rule, how often, and the first place."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']} {len(v['nodes'])}: {v['nodes'][0]['html'][:200]}" for v in found if v["id"] not in STREAMLITS_OWN]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_page_of_the_explorer(size: str, scheme: str, address: str, folder: Path, opened: Any) -> None:
    page, complaints = opened(f"{address}/?run={folder.name}", size, scheme)
    still(page, READY["results"])
    first = page.get_by_text("has the largest gain").first.bounding_box()
    assert first["y"] + first["height"] <= (400 if size == "wide" else 844), "the first result is on the first screen"
    before = page.evaluate("history.length")
    for n, name in enumerate(name for name in frame.PAGES if name in READY):
        if name != "results":
            walked(page, name)
            assert page.evaluate("history.length") == before + n, "one click is one step of Back"
        if name != "runs":  # where every row says it for itself
            page.get_by_text("SIMULATED: made-up answers").first.wait_for()
        assert page.title() == f"{frame.PAGES[name].label} · {folder.name}"
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], name
        main = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth")
        assert main <= SIZES[size]["width"], f"{name}: wide tables and charts scroll by themselves"
        assert broken_rules(page) == [], name
        assert complaints == [], name
    page.go_back()
    page.wait_for_function("location.pathname === '/plan'", timeout=60_000)
    assert f"run={folder.name}" in page.url


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


def test_every_page_where_there_is_no_run(opened: Any, tmp_path: Path) -> None:
    with viewed("--runs", "nothing", cwd=tmp_path) as there:
        for path, wanted in (("", "No runs yet"), ("results", "No runs yet"), ("plan", READY["plan"]), ("?page=library", "Sentences")):
            page, complaints = opened(f"{there}/{path}", "wide")
            still(page, wanted)
            assert page.get_by_test_id("stPageLink").count() == 0
            assert complaints == [], path


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_report_page(size: str, scheme: str, folder: Path, opened: Any) -> None:
    page, complaints = opened((folder / "report.html").as_uri(), size, scheme)
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
    assert broken_rules(page) == []
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


def test_hostile_names_and_answers_run_nothing_in_a_browser(browser: Any, tmp_path: Path) -> None:
    attack = HOSTILE["script"] + "<img src=x onerror=\"document.title='taken'\"> ![x](http://attacker.test/leak.png)"
    (tmp_path / "runs").mkdir()
    run, _ = write_run(tmp_path / "runs", "<b>bold ![x](y)", answers={"script": attack, "text": attack})
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"question": "', f'"question": {json.dumps(attack)[:-1]}', 1))
    assert "attacker.test" in manifest.read_text()
    (run / "report.html").write_text(reports.to_html(reports.build(Run(run))), encoding="utf-8")
    with viewed("--runs", str(tmp_path / "runs"), cwd=tmp_path) as there:
        context = browser.new_context(viewport=SIZES["wide"])
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
        for name in [*frame.EARLIER, "results&arm=emotionprompt%2FEP02", "samples&find=attacker"]:
            page.goto(f"{there}/?page={name}&run={run.name}")
            page.locator(STILL).wait_for(timeout=60_000)
            assert page.title() != "taken", name
        page.goto((run / "report.html").as_uri())
        page.get_by_text("attacker.test").first.wait_for()
        assert page.title() != "taken"
        assert [url for url in asked if "attacker.test" in url.split("?")[0] or not local(url)] == []
        context.close()


def test_ten_tabs_and_a_run_that_is_deleted_while_it_is_viewed(folder: Path, browser: Any, tmp_path: Path) -> None:
    run = tmp_path / "runs" / folder.name
    shutil.copytree(folder, run)
    with viewed("--runs", str(tmp_path / "runs"), cwd=tmp_path) as there:
        context = browser.new_context(viewport=SIZES["wide"])
        tabs = [(name, context.new_page()) for name in [*frame.EARLIER][:10]]
        for name, page in tabs:
            page.goto(f"{there}/?page={name}&run={run.name}", wait_until="commit")
        for name, page in tabs:
            page.locator(STILL).wait_for(timeout=120_000)
            assert page.get_by_test_id("stException").count() == 0, name
            if name in READY:
                page.get_by_text(READY[name]).first.wait_for(timeout=60_000)
        shutil.rmtree(run)
        for name, page in tabs:
            page.reload(wait_until="commit")
            page.get_by_test_id("stMain").wait_for(timeout=60_000)
            page.locator(STILL).wait_for(timeout=120_000)
            assert page.get_by_test_id("stException").count() == 0, name
            assert "Traceback" not in page.get_by_test_id("stMain").inner_text(), name
        context.close()

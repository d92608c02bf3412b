"""The page Runs, the navigation around all pages, parts of pages that keep up with a sweep, and the explorer beside a sweep."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import types
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps import opened, table_with, tables, texts  # noqa: F401 (fixtures)
from conftest import ROOT
from growth import growth
from made_up import HOSTILE, cut, hostile, write_run  # noqa: F401 (fixtures)
from promptlab.cli import view
from promptlab.cli.home import RunLine, show_runs
from promptlab.explorer import frame, load, runs
from promptlab.explorer.filters import Filters
from promptlab.nouns import paid_words
from promptlab.nouns.errors import UsageProblem
from promptlab.nouns.typed import fields_of
from promptlab.record.store import Run
from promptlab.reporting.prepared import Store
from runs import experiment, run, start, wait_until


def edited(folder: Path, **values: Any) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


def tree(folder: Path) -> dict[str, Path]:
    return load.folders(folder)


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    frame = runs.tables(tree(folder), Filters({}))[0].frame
    return {row["run"]: row for row in frame.to_dict("records")}


# --- the page Runs --------------------------------------------------------------------------------------------------


def test_a_row_says_what_the_manifest_says(tmp_path: Path) -> None:
    write_run(tmp_path, "one", share=0.5, state="incomplete")
    write_run(tmp_path, "two")
    found = rows_of(tmp_path)
    assert set(found) == {"one", "two"}
    for name, row in found.items():
        counts = Run(tmp_path / name).manifest.counts
        assert row["trials"] == f"{len(Run(tmp_path / name).trials()):,} of {counts.planned:,}"
        assert row["errors"] == counts.errors
        assert (row["SIMULATED"], row["question"], row["models"]) == ("SIMULATED", "Does it help?", "sim/planted")
        assert row["cost"] == "$0.0100 in simulated prices, nothing paid; the price of 2 calls is unknown"
        assert row["updated"] == "2026-01-02 03:04:15 UTC"
    assert (found["one"]["state"], found["two"]["state"]) == ("incomplete", "complete")


def test_the_newest_run_comes_first_with_its_best_arm_once_it_was_opened(tmp_path: Path) -> None:
    for name, month in (("old", "01"), ("new", "03"), ("middle", "02")):
        folder, _ = write_run(tmp_path, name)
        edited(folder, updated_at=f"2026-{month}-01T00:00:00+00:00")
    Store.of(tmp_path / "middle")
    found = rows_of(tmp_path)
    assert list(found) == ["new", "middle", "old"]
    assert [row["best arm"] == "" for row in found.values()] == [True, False, True]
    assert re.fullmatch(r"[^\w\s] \S+ [+-]\d+\.\d", found["middle"]["best arm"])


def test_failed_answers_are_one_click_away(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    folder, _ = write_run(tmp_path)
    counts = json.loads((folder / "manifest.json").read_text())["counts"]
    for n in (0, 3):
        edited(folder, counts={**counts, "errors": n})
        app = opened("--runs", tmp_path)
        links = [link.proto for link in app.get("page_link") if link.proto.label == "Read what failed"]
        assert len(links) == (n > 0)
        assert all("outcome=error" in str(link) for link in links)


def test_names_that_are_cut_on_a_narrow_terminal_stay_apart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", "40")
    names = [f"a-run-with-a-long-name-{n}-of-the-same-experiment" for n in (1, 2)]
    show_runs([RunLine("complete", name, "1", "0", "$1", "3 h ago") for name in names])
    shown = capsys.readouterr().out.replace("\n", "")
    assert all(name in shown for name in names)


def test_what_a_free_model_or_one_of_unknown_price_cost() -> None:
    assert paid_words(0.0, 0.0, 0, 0, 1) == "nothing paid"
    assert paid_words(0.0, 0.0, 3, 0, 1) == "price unknown (3 calls)"
    assert paid_words(0.0, 0.5, 0, 0, 1) == "$0.0000 paid (at most $0.5000)"


def test_only_some_models_are_simulated(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    edited(folder, models={"sim/planted": {}, "gpt": {}}, paid_usd=1.5)
    row = rows_of(tmp_path)["demo"]
    assert row["SIMULATED"] == "SIMULATED: sim/planted"
    assert row["cost"] == "at least $1.5000 paid, simulated prices included; the price of 2 calls is unknown"
    edited(folder, simulated_models=[], models={"gpt": {}}, counts={"done": 1, "planned": 2, "errors": 0, "unpriced": 0})
    row = rows_of(tmp_path)["demo"]
    assert (row["SIMULATED"], row["cost"], row["warnings"]) == ("", "$1.5000 paid", "")


WARNS: Mapping[str, tuple[dict[str, Any], str]] = {
    "versions": ({"served": {"m": ["v1", "v2"]}}, "m was served by 2 versions (v1, v2)"),
    "batches": ({"batches": {"open": 2, "waiting_trials": 1234}}, "1,234 trials wait in 2 batches"),
    "stopped": ({"stopped": {"m": "401: no such key"}}, "the provider of m stopped: 401: no such key"),
    "budget": ({"budget_reached": "the budget of $2 is reached"}, "the budget of $2 is reached"),
    "unpriced": ({}, "the price of 2 calls is unknown"),
    "imported": ({"imported": True}, "imported: nothing was fixed before the results were there"),
    "dropped": ({"effective": {"sim/planted": {"max_tokens": 64, "seed": 3}}}, "sim/planted: temperature 0.7 was requested and not sent"),
}  # fmt: skip


@pytest.mark.parametrize("what", WARNS)
def test_warnings(what: str, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    changes, words = WARNS[what]
    edited(folder, **changes)
    whole, each, broken = runs.tables(tree(tmp_path), Filters({}))
    assert words in whole.frame.loc[0, "warnings"].split("; ")
    assert words in each.frame["warning"].tolist()
    assert broken.frame.empty


def test_an_imported_run_has_no_parameters_that_were_asked_for(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    edited(folder, imported=True, effective={"sim/planted": {"temperature": 0}})
    assert "asked for" not in rows_of(tmp_path)["demo"]["warnings"]


@pytest.mark.parametrize(
    ("asked", "sent", "words"),
    [
        (None, {"temperature": 1}, []),
        ({"temperature": 0, "stop": None}, {"temperature": 0.0}, []),
        ({"max_tokens": 64}, {"max_completion_tokens": 64}, []),
        ({"max_tokens": 64}, {}, ["max_tokens 64 was requested and not sent"]),
        ({"temperature": 0.7}, {"temperature": 1}, ["temperature 0.7 was requested and 1 sent"]),
        ({}, {"max_tokens": 4096}, ["max_tokens 4096 was sent and not requested"]),
    ],
)
def test_parameters_that_differ(asked: Mapping[str, Any] | None, sent: Mapping[str, Any], words: list[str]) -> None:
    assert runs.differences(asked, sent) == words


def test_a_real_run_warns_of_nothing(tmp_path: Path) -> None:
    done = run("sweep", str(experiment(tmp_path, models="  - sim/planted", items=4)), "--runs", str(tmp_path / "runs"), "--no-report")
    assert done.returncode == 0, done.stderr
    [row] = rows_of(tmp_path / "runs").values()
    assert row["warnings"] == ""
    assert Run(tmp_path / "runs" / row["run"]).manifest.effective["sim/planted"]["seed"] == 1


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1, "state": "complete"}', '{"format": 99, "state": "complete"}', None])
def test_runs_that_cannot_be_read_are_listed_with_their_reason(damage: str | None, opened: Any, tmp_path: Path) -> None:  # noqa: F811
    write_run(tmp_path, "whole", share=0.2)
    folder, _ = write_run(tmp_path, "broken", share=0.2)
    if damage is None:
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text(damage)
    app = opened("--runs", tmp_path, page="runs")
    assert not app.exception
    assert table_with(app, "trials")["run"].tolist() == ["whole"]
    reasons = table_with(app, "reason")
    assert reasons["run"].tolist() == ["broken"]
    assert str(folder) in reasons.loc[0, "reason"]
    (tmp_path / "whole" / "manifest.json").write_text("{")
    assert "None of the runs here can be read." in texts(opened("--runs", tmp_path, page="runs"))


def test_the_page_never_reads_trials(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    folder, _ = write_run(tmp_path)
    for path in [*folder.glob("trials/*"), *folder.glob("calls/*"), folder / "items.parquet"]:
        cut(path)
    app = opened("--runs", tmp_path, page="runs")
    assert not app.exception
    assert not app.error
    assert table_with(app, "trials").loc[0, "state"] == "complete"


def test_hundreds_of_runs_are_quick(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    files = {name: (folder / name).read_text() for name in ("manifest.json", "plan.json")}
    for number in range(299):
        other = tmp_path / f"r{number:03}"
        other.mkdir()
        for name, text in files.items():
            (other / name).write_text(text)
    found = tree(tmp_path)
    runs.tables(found, Filters({}))
    assert growth(lambda n: runs.tables(dict(itertools.islice(found.items(), n)), Filters({})), 75) < 9
    assert len(runs.tables(found, Filters({}))[0].frame) == 300


def test_a_running_row_is_followed_and_then_left(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    write_run(tmp_path, "still", share=0.2)
    folder, writer = write_run(tmp_path, "going", share=0.2, state="running", close=False)
    try:
        app = opened("--runs", tmp_path, page="runs")
        state = dict(zip(table_with(app, "trials")["run"], table_with(app, "trials")["state"], strict=True))
        assert state == {"still": "complete", "going": "running"}
        counts = Run(folder).manifest.counts
        edited(folder, counts=fields_of(replace(counts, done=counts.done + 5)))
        app.run()
        shown = table_with(app, "trials").set_index("run")["trials"]
        assert shown["going"] == f"{counts.done + 5:,} of {counts.planned:,}"
    finally:
        writer.close()
    app.run()
    assert set(table_with(app, "trials")["state"]) == {"complete", "interrupted"}


def test_hostile_text_stays_text(opened: Any, hostile: Path, tmp_path: Path) -> None:  # noqa: F811
    app = opened("--runs", hostile, page="runs")
    assert not app.exception
    assert HOSTILE["script"][:40] in table_with(app, "question").loc[0, "question"]
    assert "attacker.test" not in texts(app)
    assert "\u202e" not in "".join(str(value) for table in tables(app) for value in table.to_numpy().ravel())


# --- the navigation -------------------------------------------------------------------------------------------------


def bar(app: Any) -> list[str]:
    return [link.proto.label for link in app.get("page_link") if link.proto.label != "Read what failed"]


def test_only_pages_that_have_something_to_show_are_in_the_bar(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    every = ["Results", "Tasks", "Answers", "Cost", "Design", "Plan", "Runs"]
    assert [page.label for page in frame.PAGES.values()] == every
    folder, _ = write_run(tmp_path, share=0.2)
    assert bar(opened("--runs", tmp_path)) == every
    assert bar(opened("--run", folder)) == every[:-1], "one run has no list of runs"
    write_run(tmp_path / "empty", share=0.0)
    assert bar(opened("--runs", tmp_path / "empty")) == ["Results", "Design", "Plan", "Runs"]
    assert bar(opened("--runs", tmp_path / "nowhere")) == []


def test_an_earlier_address_leads_to_the_page_of_today(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    write_run(tmp_path, share=0.2)
    assert {page for page, _ in frame.EARLIER.values()} == set(frame.PAGES)
    app = opened("--runs", tmp_path, page="samples", task="sum")
    assert {name: app.query_params[name] for name in ("view", "task")} == {"view": ["all"], "task": ["sum"]} or (
        app.query_params["view"] == "all" and app.query_params["task"] == "sum"
    )
    assert "page" not in app.query_params


def test_a_page_costs_its_own_import_only(tmp_path: Path) -> None:
    code = "import sys; from promptlab.explorer import frame; print([m for m in sys.modules if m.startswith('promptlab.explorer.')])"
    done = run("-c", code)
    loaded = {name.rpartition(".")[2] for name in eval(done.stdout)}
    assert loaded & set(frame.TABLES.values()) == set()


def test_without_a_run_there_is_a_plan_and_else_the_commands_that_make_one(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    for page, wanted in (("plan", "Items a task"), ("library", "Base prompt"), ("overview", "No runs yet"), ("matrix", "No runs yet")):
        app = opened("--runs", tmp_path, page=page)
        assert not app.exception
        labels = [widget.label for kind in ("number_input", "selectbox") for widget in app.get(kind)]
        assert wanted in labels or wanted in texts(app), page


# --- parts of a page that keep up with a sweep ----------------------------------------------------------------------


def test_what_keeps_fresh_is_a_fragment_only_while_the_run_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[float | None] = []
    monkeypatch.setattr(load, "again_every", lambda seconds, draw: asked.append(seconds))
    drawn: list[str] = []

    def store(state: str) -> Any:
        return types.SimpleNamespace(report=types.SimpleNamespace(state=state), folder=tmp_path)

    load.kept_fresh(store("complete"), lambda newest: drawn.append(newest.report.state))
    load.kept_fresh(store("running"), lambda newest: drawn.append(newest.report.state))
    assert (drawn, asked) == (["complete"], [load.AGAIN_S])
    assert load.AGAIN_S > load.REREAD_S, "else every second redrawing would find the old reading"


@pytest.mark.parametrize("page", ["matrix", "samples"])
def test_choices_on_a_live_page_still_move_the_address(page: str, opened: Any, tmp_path: Path) -> None:  # noqa: F811
    _, writer = write_run(tmp_path, share=0.5, state="running", close=False, whole=True)
    try:
        app = opened("--runs", tmp_path, page=page)
        app.selectbox(key="pick_model").set_value("sim/null").run()
        assert not app.exception
        assert app.query_params["model"] == "sim/null"
        assert app.selectbox(key="pick_model").value == "sim/null"
    finally:
        writer.close()


def test_the_count_of_samples_is_that_of_the_run(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    folder, writer = write_run(tmp_path, share=0.5, state="running", close=False)
    try:
        frame: pd.DataFrame = Run(folder).trials()
        app = opened("--runs", tmp_path, page="samples", arm="none")
        assert f"{(frame['arm'] == 'none').sum():,} of {len(frame):,} answers" in texts(app)
    finally:
        writer.close()


# --- promptlab view, and sweep --view -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.8.0.1", True), ("0.0.0.0", False), ("::", False), ("192.0.2.7", False),
     ("example.org", False), ("", False)],
)  # fmt: skip
def test_only_loopback_is_this_machine_alone(host: str, own: bool) -> None:
    assert view.is_loopback(host) is own


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_another_address_is_refused_without_the_flag(host: str, tmp_path: Path) -> None:
    done = run("view", "--runs", str(tmp_path), "--host", host)
    assert done.returncode == 2
    assert "no password" in done.stderr
    assert "--allow-remote" in done.stderr


def test_what_is_said_where_others_are_let_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    commands: list[list[str]] = []

    class Ended:
        stdin, returncode = None, 0

        def wait(self, timeout: float | None = None) -> int:
            return 0

    monkeypatch.setattr(view.subprocess, "Popen", lambda command, **_: commands.append(command) or Ended())
    monkeypatch.setattr(view, "_refuse_taken", lambda host, port: None)
    for host in ("192.0.2.7", "0.0.0.0"):
        with pytest.raises(view.typer.Exit):
            view.view(None, str(tmp_path), 8501, host, True)
    shown = capsys.readouterr().out
    assert shown.count(f"WARNING: anyone who reaches port 8501 of this machine can read all runs in {tmp_path}. There is no password.") == 2
    for command, host in zip(commands, ("192.0.2.7", "0.0.0.0"), strict=True):
        flag = {name: value for name, value in itertools.pairwise(command) if name.startswith("--")}
        assert flag["--server.address"] == host
        assert flag["--browser.gatherUsageStats"] == "false"
        names = [value for name, value in itertools.pairwise(command) if name == "--server.allowedHosts"]
        assert {"localhost", "127.0.0.1"} < set(names)
        assert "*" not in names


def test_addresses_that_cannot_be_used_are_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageProblem, match=rf"port {port} is in use"):
            view._refuse_taken("127.0.0.1", port)
    with pytest.raises(UsageProblem, match="no address of this machine"):
        view._refuse_taken("192.0.2.7", 8501)


def gone(url: str) -> bool:
    port = int(re.search(r":(\d+)", url.partition("//")[2])[1])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def address_in(text: str) -> str:
    return re.search(r"explorer: +(http://127\.0\.0\.1:\d+/\?\S+)", text)[1]


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("more", "code"), [([], 0), (["--max-tokens", "1"], 4)])
def test_without_a_terminal_the_explorer_ends_with_the_sweep(more: list[str], code: int, tmp_path: Path) -> None:
    path = experiment(tmp_path, items=4)
    done = run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--view", "--no-report", *more, env={"DISPLAY": "", "BROWSER": ""})
    assert done.returncode == code, done.stderr
    assert "ended with the sweep" in done.stdout
    url = address_in(done.stdout)
    assert url.endswith(f"?run={next((tmp_path / 'runs').iterdir()).name}")
    assert gone(url)


def test_a_wrong_experiment_leaves_no_server(tmp_path: Path) -> None:
    done = run("sweep", str(experiment(tmp_path)), "--runs", str(tmp_path / "runs"), "--view", "--serve-vllm")
    assert done.returncode == 2
    assert gone(address_in(done.stdout))
    assert run("sweep", str(experiment(tmp_path)), "--view", "--dry-run").returncode == 2


@pytest.mark.long
def test_on_a_terminal_it_serves_on_until_ctrl_c_and_opens_the_browser(tmp_path: Path) -> None:
    browser, told = tmp_path / "browser", tmp_path / "told"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{told}.new" && mv "{told}.new" "{told}"\n')
    browser.chmod(0o755)
    path = experiment(tmp_path, items=4)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "promptlab", "sweep", str(path), "--runs", str(tmp_path / "runs"), "--view", "--no-report"],
        cwd=ROOT, env={**os.environ, "BROWSER": str(browser), "COLUMNS": "300"}, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while b"continues serving" not in seen:
            seen += os.read(ours, 65536)
        url = address_in(seen.decode())
        wait_until(told.exists, process)
        assert told.read_text().strip() == url
        with urllib.request.urlopen(url) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert gone(url)
    finally:
        process.kill()
        os.close(ours)


def test_the_server_ends_with_a_killed_parent(tmp_path: Path) -> None:
    write_run(tmp_path, share=0.2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = start("view", "--runs", str(tmp_path), "--port", str(port))
    wait_until(lambda: not gone(url), process)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        process.kill()
        process.communicate()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b"", "the server closes all its connections when it ends"
    deadline = time.monotonic() + 30
    while not gone(url):  # its port closes after its connections
        assert time.monotonic() < deadline
        time.sleep(0.05)

"""The explorer answers only under its own name and to its own pages, on every route; a sweep that is interrupted says how to go on."""

from __future__ import annotations

import http.client
import signal
import socket
import time
from pathlib import Path

import pytest

from promptlab.explorer.serve import is_asked_rightly
from promptlab.record.store import Run, runs_in
from runs import experiment, run, served, start, wait_until
from servers import Server

HOSTS = ["localhost", "127.0.0.1", "lab.example"]


@pytest.mark.parametrize(
    ("headers", "right"),
    [
        ({"Host": "127.0.0.1:8501"}, True),
        ({"Host": "LOCALHOST:8501", "Origin": "http://evil.example"}, False),
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, True),
        ({"Host": "localhost:8501", "Origin": "http://localhost:9999"}, False),
        ({"Host": "localhost:8501", "Origin": "null"}, False),
        ({"Host": "evil.example:8501"}, False),
        ({"Host": "evil.example:8501", "Origin": "http://evil.example:8501"}, False),
        ({"Host": "localhost.evil.example"}, False),
        ({"Host": "localhost@evil.example"}, False),
        ({"Host": "127.0.0.1:8501", "Origin": "https://lab.example"}, True),
        ({"Host": "127.0.0.1:8501", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, False),
        ({"Host": "127.0.0.1:8501", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, True),
        ({}, False),
    ],
)
def test_who_is_answered(headers: dict[str, str], right: bool) -> None:
    assert is_asked_rightly([(name.lower().encode(), value.encode()) for name, value in headers.items()], HOSTS) is right


def test_every_route_checks_host_and_origin(tmp_path: Path) -> None:
    assert run("sweep", str(experiment(tmp_path, items=3)), "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "of/somebody/else"\n', encoding="utf-8")
    view = start("view", "--runs", str(tmp_path / "runs"), "--port", str(port), cwd=tmp_path)

    def asked(path: str, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    try:
        wait_until(lambda: asked("/_stcore/health") == 200, view)
        for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/x.csv", "/component/x/y", "/static/x", "/nothing"):
            assert asked(path, Host="evil.example") == 403, path
            assert asked(path, Origin="http://evil.example") == 403, path
            assert asked(path) != 403, path
        assert asked("/", Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200
    finally:
        view.terminate()  # its server ends when it is gone
        view.communicate(timeout=30)


def test_an_early_interrupt_says_how_to_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from promptlab.cli.main import app

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("promptlab.planning.resolve.resolve", interrupted)
    before = signal.getsignal(signal.SIGINT)
    try:
        done = CliRunner().invoke(app, ["sweep", "quickstart"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 130
    assert "Resume with:" in done.output


def test_two_interrupts_end_with_how_to_go_on(tmp_path: Path, server: Server) -> None:
    path = experiment(
        tmp_path, items=40, models=served(server.url, "slow-2000", ", price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}")
    )
    home = {"PROMPTLAB_HOME": str(tmp_path / "home"), "OPENAI_API_KEY": "x"}
    sweep = start("sweep", str(path), "--runs", str(tmp_path / "runs"), "-c", "2", env=home)
    wait_until(lambda: len(server.requests) > 1, sweep)
    for _ in range(2):
        sweep.send_signal(signal.SIGINT)
        time.sleep(0.3)
    out, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, (out, err)
    assert "Resume with:" in out
    assert "Traceback" not in err
    [folder] = runs_in(tmp_path / "runs")
    assert Run(folder).state == "interrupted"

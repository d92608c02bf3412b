"""The shipped replay experiment on recorded answers of two real models: what is known of them is what comes out."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, SHARED
from promptlab.record.store import Run, runs_in
from runs import run

pytestmark = [pytest.mark.shared, pytest.mark.long]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(SHARED / "tools" / "replay_server.py"), "--port", str(number)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                break
        time.sleep(0.1)
    yield number
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture(scope="module")
def swept(port: int, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """The folder of the runs, the environment, and what the sweep printed."""
    here = tmp_path_factory.mktemp("replay")
    env = {"PROMPTLAB_HOME": str(here / "home"), "OPENAI_API_KEY": "sk-canary-0123456789abcdef"}
    imported = run("data", "import", str(SHARED / "data"), env=env)
    assert imported.returncode == 0, imported.stderr
    text = (ROOT / "experiments" / "replay.yaml").read_text(encoding="utf-8")
    assert text.count(":8099/") == 2
    path = here / "replay.yaml"
    path.write_text(text.replace(":8099/", f":{port}/"), encoding="utf-8")
    done = run("sweep", str(path), "--runs", str(here / "runs"), env=env)
    assert done.returncode == 0, done.stderr
    return here, env, done.stdout


@pytest.fixture(scope="module")
def report(swept: tuple[Path, dict[str, str], str]) -> dict[str, Any]:
    [folder] = runs_in(swept[0] / "runs")
    found: dict[str, Any] = json.loads(run("report", str(folder), "--format", "json").stdout)
    return found


def cell(report: dict[str, Any], model: str, task: str, stimulus: str) -> dict[str, Any]:
    [found] = [c for c in report["comparisons"] if (c["scope"], c["model"], c["task"], c["treatment"]) == ("cell", model, task, stimulus)]
    return dict(found)


@pytest.mark.long
def test_two_thousand_trials_and_as_many_calls(swept: tuple[Path, dict[str, str], str], report: dict[str, Any]) -> None:
    assert report["manifest"]["counts"] == {
        "planned": 2000,
        "done": 2000,
        "errors": 0,
        "cached": 0,
        "skipped": 0,
        "sent": 2000,
        "unpriced": 0,
    }
    assert not report["simulated"]
    assert "SIMULATED" not in swept[2]
    [folder] = runs_in(swept[0] / "runs")
    assert len(Run(folder).trials()) == 2000


@pytest.mark.parametrize(
    ("model", "task", "stimulus", "before", "after", "gained", "lost", "p", "verdict"),
    [
        ("llama2", "translation_en-fr", "negativeprompt/NP10", 0.66, 0.48, 3, 21, 0.00016, "hurts"),
        ("llama2", "active_to_passive", "negativeprompt/NP01", 0.98, 0.92, 2, 8, 0.065, "unclear"),
        ("t5", "translation_en-fr", "negativeprompt/NP10", 0.37, 0.32, 2, 7, 0.11, "unclear"),
    ],
)
def test_the_known_cells(
    report: dict[str, Any],
    model: str,
    task: str,
    stimulus: str,
    before: float,
    after: float,
    gained: int,
    lost: int,
    p: float,
    verdict: str,
) -> None:
    c = cell(report, model, task, stimulus)
    assert (c["mean_control"], c["mean_treatment"]) == (pytest.approx(before), pytest.approx(after))
    assert (c["gained"], c["lost"], c["n_pairs"], c["n_missing"]) == (gained, lost, 100, 0)
    assert c["p_value"] == pytest.approx(p, rel=0.05)
    assert c["verdict"] == verdict


def test_the_baseline_repeats_itself_exactly(report: dict[str, Any]) -> None:
    repeats = [c for c in report["comparisons"] if c["scope"] == "aa" and c["task"]]
    assert len(repeats) == 4
    assert all((c["gained"], c["lost"], c["status"]) == (0, 0, "no_discordant_pairs") for c in repeats)


def test_every_output_says_that_there_is_no_placebo(swept: tuple[Path, dict[str, str], str], report: dict[str, Any]) -> None:
    reason = "neutral sentences were never recorded for these models"
    [folder] = runs_in(swept[0] / "runs")
    plain = " ".join(swept[2].split())
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in (plain, page, "\n".join(report["headline"])):
        assert reason in text
        assert "no placebo arm" in text.lower()


def test_again_nothing_is_asked_and_elsewhere_the_cache_answers(swept: tuple[Path, dict[str, str], str]) -> None:
    here, env, _ = swept
    again = run("sweep", str(here / "replay.yaml"), "--runs", str(here / "runs"), "--no-report", env=env)
    assert again.returncode == 0
    assert re.search(r"2,000 of 2,000 trials recorded \(2,000 of them before\), 0 calls sent", again.stdout)
    other = run("sweep", str(here / "replay.yaml"), "--runs", str(here / "other"), "--no-report", env=env)
    assert re.search(r"\(0 of them before\), 0 calls sent, 2,000 answers from the cache", other.stdout)
    shutil.rmtree(here / "other")


def test_the_key_in_the_environment_went_nowhere(swept: tuple[Path, dict[str, str], str]) -> None:
    here, env, printed = swept
    assert env["OPENAI_API_KEY"] not in printed
    files = [path for path in here.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if env["OPENAI_API_KEY"].encode() in path.read_bytes()] == []

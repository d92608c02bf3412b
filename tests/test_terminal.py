"""Nothing that a terminal prints is obeyed: names, answers, folders and files of others, in tables, titles, notes and errors."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

import runs

ODD = "x\x1b[31m\x1b]0;t\x07\u202e\x9b5m[bold red]@here\n## head\n::set-output name=a::b"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported run without times and prices, whose every name is hostile, in a folder that is called so too."""
    folder = tmp_path_factory.mktemp("terminal")
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["item", "arm", "model", "task", "score", "answer", "prompt", "target", "model_version"])
        for n in range(30):
            rows.writerows(
                [f"{n} {ODD}", arm, f"m {ODD}", f"t {ODD}", int(n % 2 or arm != "none"), ODD, ODD, ODD, f"v{n % 2} {ODD}"]
                for arm in ("none", ODD)
            )
    brought = json.loads(runs.run("import", str(folder / "a.csv"), "--runs", str(folder / "runs"), "--json").stdout)
    return Path(brought["folder"]).rename(folder / "runs" / "e\x1b[31mvil\x1b]0;t\x07-[red]-00000001")


@pytest.mark.parametrize(
    "command",
    [
        "ls runs --runs {runs}",
        "report {run} --tasks",
        "report {run} --format json",
        "report {run} --page cost",
        "scores {run}",
        "runs verify {run}",
        "runs repair {run}",
        "audit {run}",
        "audit {run} --json",
        "compare {run} {run}",
    ],
)
def test_a_hostile_run_prints_text(command: str, run: Path) -> None:
    done = runs.run(*(word.format(run=run, runs=run.parent) for word in command.split()))
    assert "Traceback" not in done.stderr
    assert not OBEYED.search(done.stdout + done.stderr)
    assert done.stdout + done.stderr
    if "json" in command:
        assert json.loads(done.stdout)
    if "--tasks" in command:
        assert "was served by 2 versions (v0 x\\x1b[31m" in done.stdout
    if "verify" in command:
        assert "[red]" in done.stdout, "a title is no markup"


@pytest.mark.parametrize("command", ["check", "sweep", "task check", "stimuli check", "import", "init", "report", "cache why"])
def test_an_error_prints_text(command: str, tmp_path: Path) -> None:
    done = runs.run(*command.split(), "\x1b[2J\u202e[red].yaml", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "[red]" in done.stderr
    assert not OBEYED.search(done.stderr)

"""The commands of docs/confirm.md work on the files that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import runs
from conftest import ROOT

PAGE = (ROOT / "docs" / "confirm.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    screened, later = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    (tmp_path / "sentences.yaml").write_text(screened.replace("items: 60", "items: 40"), encoding="utf-8")
    today = later.replace("name: later", "name: today").replace("EP10", "EP02").partition("compare_to")[0].replace("items: 60", "items: 30")
    (tmp_path / "today.yaml").write_text(today, encoding="utf-8")
    made = runs.run("sweep", "today.yaml", env=env, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    [run] = (tmp_path / "runs").glob("today-*")
    (tmp_path / "later.yaml").write_text(later.replace("RUN ", f"{run.name} ").replace("items: 60", "items: 30"), encoding="utf-8")
    said = {}
    for line in [line for block in re.findall(r"```console\n(.*?)```", PAGE, re.S) for line in block.splitlines()]:
        done = runs.run(*shlex.split(line)[1:], env=env, cwd=tmp_path)
        assert done.returncode in ((0, 3) if " gate " in line else (0,)), (line, done.stderr)
        said[shlex.split(line)[1] + "/" + shlex.split(line)[2]] = done.stdout
    assert "expected" in said["plan/sentences.yaml"]
    assert "Screened and confirmed" in said["sweep/sentences.yaml"]
    assert f"emotionprompt/EP02@{run.name}" in said["sweep/later.yaml"]
    assert "of this run are older than it" in said["sweep/later.yaml"]
    assert "screen and confirm" in said["calibrate/sentences.yaml"]
    assert (tmp_path / "sentiment.svg").exists()

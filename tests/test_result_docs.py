"""Every command of docs/heart.md and docs/replicate.md works, on the shipped experiments with fewer tasks and items."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

import runs
from conftest import ROOT

TASKS = {"heart": "sum, antonyms", "table1": "sum, snarks", "fewshot": "sum"}


@pytest.mark.long
@pytest.mark.parametrize("page", ["heart", "replicate"])
def test_the_commands_of_the_page_work(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert len(text.split()) < 600
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments", ignore=shutil.ignore_patterns("*_table1*", "heart.yaml"))
    for path in (ROOT / "experiments").glob("*_table1*.yaml"):
        shrink(path, tmp_path, "fewshot" if "fewshot" in path.name else "table1")
    shrink(ROOT / "experiments" / "heart.yaml", tmp_path, "heart")
    lines = [line for block in re.findall(r"```console\n(.*?)```", text, re.S) for line in block.splitlines() if line]
    assert len(lines) > 2
    for line in lines:
        words = [hit for word in shlex.split(line, comments=True)[1:] for hit in (named(tmp_path, word) if "*" in word else [word])]
        if words[0] == "sweep":
            words[1] = f"experiments/{words[1]}.yaml"  # the smaller copy
        done = runs.run(*words, env={"PROMPTLAB_HOME": str(tmp_path / "home")}, cwd=tmp_path)
        assert done.returncode == 0, (line, done.stderr)
        if page == "heart":
            assert "heart-oracle (with oracle)" in " ".join(done.stdout.split()), line


def named(folder: Path, pattern: str) -> list[str]:
    """What a pattern of the shell names."""
    return [str(path.relative_to(folder)) for path in sorted(folder.glob(pattern))]


def shrink(path: Path, folder: Path, kind: str) -> None:
    """A shipped experiment with few tasks and items."""
    text = re.sub(r"tasks: \[[^\]]*\]", f"tasks: [{TASKS[kind]}]", path.read_text(encoding="utf-8"))
    (folder / "experiments" / path.name).write_text(text.replace("items: 60", "items: 6"), encoding="utf-8")

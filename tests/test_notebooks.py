"""The notebooks run as they stand, over the stored run, without a key and without a model; what they show is what they say."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from conftest import ROOT
from promptlab import open_run, report

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
AFTER = """
import sys
print("loaded:", sorted({"litellm", "openai", "dspy", "streamlit"} & set(sys.modules)))
"""


def texts(notebook: Any) -> list[str]:
    """What each code cell printed or returned as plain text; pictures by their words."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            drawn = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", data.get("image/svg+xml", "")))
            found.append(output.get("text", "") or drawn or data.get("text/plain", ""))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_what_is_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stored = nbformat.read(path, as_version=4)
    notebook = copy.deepcopy(stored)
    notebook.cells.append(nbformat.v4.new_code_cell(AFTER))
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    *shown, loaded = texts(notebook)
    assert loaded.strip() == "loaded: []"
    assert shown == texts(stored), "the stored output is old: run `make demo`"
    assert any(text.strip() for text in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_say_simulated_and_name_no_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("SIMULATED") >= 4
    assert not re.search(r"/(?:root|home|work|tmp|Users)/", text)


def test_the_demo_run_is_whole_and_finds_what_was_planted() -> None:
    run = open_run(FOLDER / "demo_run")
    assert run.state == "complete"
    assert len(run.trials()) == run.plan["counts"]["trials"] == 3600
    verdicts = {c.treatment: c.verdict for c in report.build(run).of("stimulus", control="placebo")}
    assert verdicts["emotionprompt/EP02"] == "helps"
    assert verdicts["negativeprompt/NP10"] == "hurts"
    assert not {verdicts["emotionprompt/EP08"], verdicts["negativeprompt/NP06"]} & {"helps", "hurts"}

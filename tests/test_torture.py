"""The short form of `make torture`: a kill of every kind in small runs, and a few damaged files. That has 200 kills and 300 damages."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import torture
from conftest import ROOT
from runs import Process, run
from torture import MARKS, MODES, PAGE, Figures, table, tortured

ITEMS = {"plain": 20, "workers": 20, "sequential": 80, "loops": 10, "batch": 20, "parts": 70}
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


@pytest.mark.long(but=2)
@linux
@pytest.mark.parametrize("mode", [mode.name for mode in MODES])
def test_killed_runs_end_as_undisturbed_ones_do(mode: str) -> None:
    """A plain sweep is killed twice in a row, any other once."""
    found = tortured(2 if mode == "plain" else 1, 0, seed=3, only=[mode], items=ITEMS[mode])
    assert (found[mode].faults, list(found)) == ([], [mode])
    assert found[mode].n_runs


@pytest.mark.long
def test_damaged_files_are_told_and_mended() -> None:
    found = tortured(0, 4, seed=3, only=["mutations"])
    assert [fault for figures in found.values() for fault in figures.faults] == []
    assert (found["run folders"].n, found["caches"].n) == (3, 1)


def test_a_fault_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that forgets what it recorded does not pass; one that does not forget passes above."""
    real = torture.Killer._kill

    def forgetful(killer: torture.Killer, process: Process) -> None:
        real(killer, process)
        for folder in killer.folder.glob("chain-*/runs/*"):
            (folder / "journal.jsonl").unlink(missing_ok=True)
            for kind in ("trials", "calls"):
                shutil.rmtree(folder / kind)
                (folder / kind).mkdir()

    monkeypatch.setattr(torture.Killer, "_recorded", lambda *_: {"never": "sent"})
    monkeypatch.setattr(torture.Killer, "_kill", forgetful)
    found = tortured(1, 0, seed=3, only=["plain"], items=ITEMS["plain"])["plain"]
    assert any("acknowledged trials are gone" in fault for fault in found.faults)


def test_the_figures_have_their_place() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [page.count(mark) for mark in MARKS] == [1, 1]
    text = table({"plain": Figures(n=2, n_acknowledged=1234), "run folders": Figures(n=3, n_findings=1)}, 61, 7)
    assert "Seed 7, 2 kills and 3 mutations in 1 minutes." in text
    assert "| plain | 2 | 0 | 1,234 | 0 | 0 |" in text
    assert "| run folders | 3 | 1 | 2 | 0 |" in text
    code = "import runpy, sys; sys.path.insert(0, 'tests'); runpy.run_path('tests/torture.py', run_name='__main__')"
    shown = run("-c", code, "--help")
    assert (shown.returncode, "--mutations" in shown.stdout) == (0, True), shown.stderr
    assert Path(torture.__file__).name in (ROOT / "Makefile").read_text(encoding="utf-8")

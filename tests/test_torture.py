"""The short form of `make torture`: a few kills of every kind, and a few damaged files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import torture
from conftest import ROOT
from torture import MARKS, MODES, PAGE, Figures, table, tortured

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


@linux
@pytest.mark.parametrize("mode", [mode.name for mode in MODES])
def test_killed_runs_end_as_undisturbed_ones_do(mode: str) -> None:
    found = tortured(2, 0, seed=3, only=[mode])
    assert (found[mode].faults, list(found)) == ([], [mode])
    assert found[mode].n_runs


def test_damaged_files_are_told_and_mended() -> None:
    found = tortured(0, 8, seed=3, only=["mutations"])
    assert [fault for figures in found.values() for fault in figures.faults] == []
    assert (found["run folders"].n, found["caches"].n) == (6, 2)


def test_a_fault_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that forgets what it recorded does not pass."""
    real = torture.Killer._kill

    def forgetful(killer: torture.Killer, process: torture.Forked) -> None:
        real(killer, process)
        for run in killer.folder.glob("chain-*/runs/*"):
            (run / "journal.jsonl").unlink(missing_ok=True)
            for kind in ("trials", "calls"):
                shutil.rmtree(run / kind)
                (run / kind).mkdir()

    found = tortured(1, 0, seed=3, only=["plain"])["plain"]
    assert not found.faults
    monkeypatch.setattr(torture.Killer, "_recorded", lambda *_: {"never": "sent"})
    monkeypatch.setattr(torture.Killer, "_kill", forgetful)
    assert any("acknowledged trials are gone" in fault for fault in tortured(1, 0, seed=3, only=["plain"])["plain"].faults)


def test_the_figures_have_their_place() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [page.count(mark) for mark in MARKS] == [1, 1]
    text = table({"plain": Figures(n=2, n_acknowledged=1234), "run folders": Figures(n=3, n_findings=1)}, 61, 7)
    assert "Seed 7, 2 kills and 3 mutations in 1 minutes." in text
    assert "| plain | 2 | 0 | 1,234 | 0 | 0 |" in text
    assert "| run folders | 3 | 1 | 2 | 0 |" in text
    assert subprocess.run([sys.executable, "tests/torture.py", "--help"], cwd=ROOT, capture_output=True).returncode == 0
    assert Path(torture.__file__).name in (ROOT / "Makefile").read_text(encoding="utf-8")

"""Charts are drawn by a process of their own: whatever ends it, the report and the explorer go on."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import drawing, to_html, to_pdf
from promptlab.reporting.build import build
from promptlab.reporting.drawing import NotDrawn, picture
from promptlab.reporting.html import _rounds
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment

CHART: dict[str, Any] = {"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": {"field": "a", "type": "quantitative"}}}


def test_a_chart_is_drawn_and_one_that_is_none_is_told() -> None:
    assert picture(CHART, "svg").startswith(b"<svg")
    assert picture(CHART, "png").startswith(b"\x89PNG")
    with pytest.raises(NotDrawn):
        picture({"mark": 5}, "svg")
    assert picture(CHART, "svg").startswith(b"<svg"), "the same process goes on"


def test_what_ends_the_drawing_ends_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(CHART, "svg")
    os.kill(drawing._drawer[0].pid, signal.SIGKILL)
    drawing._drawer[0].wait()
    assert picture(CHART, "svg").startswith(b"<svg"), "another one is started"
    script = tmp_path / "abort.py"
    script.write_text("import os, sys; sys.stdin.readline(); os.abort()")
    drawing._drawer[0].kill()
    drawing._drawer[0].wait()
    monkeypatch.setattr(drawing, "__file__", str(script))
    with pytest.raises(NotDrawn, match="ended with code -6"):
        picture(CHART, "svg")
    study = resolve(experiment(tmp_path, items=3))
    report = build(Run(run_sweep(study, tmp_path / "runs", None, Execution(), lambda _: None).folder))
    row = {
        "model": report.models[0],
        "loop": "l",
        "arm": "a",
        "round": 1,
        "solved": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "n": 9,
        "tokens": None,
    }
    [said] = _rounds(replace(report, rounds=({**row, "model": report.models[0]},)))
    assert "could not be drawn" in said
    assert "SIMULATED" in to_html(report), "the tables need no drawing"
    with pytest.raises(NotDrawn):
        to_pdf(report)
    monkeypatch.undo()
    assert picture(CHART, "svg").startswith(b"<svg")


def test_control_characters_are_drawn_or_told() -> None:
    for text in ("a\x00b", "\x01", "\x1b[31m", "\ud800", "\u202e"):
        chart = {**CHART, "title": text, "data": {"values": [{"a": text}]}}
        with contextlib.suppress(NotDrawn):
            assert picture(chart, "svg").startswith(b"<svg")
        assert picture(CHART, "svg").startswith(b"<svg")

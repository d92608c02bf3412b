"""A finished run of a simulated model, its report, and the report's page taken apart."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from promptlab import reporting as reports
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> [a](javascript:alert(3)) | `x` \x1b[31mred"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the simulated model that gains with EP02 and loses with NP10."""
    folder = tmp_path_factory.mktemp("planted")
    path = experiment(folder, models="  - sim/planted", stimuli="emotionprompt/EP02, emotionprompt/EP08, negativeprompt/NP10", items=60)
    return run_sweep(resolve(path), folder / "runs", None, Execution(16), lambda progress: None).folder


class Tags(HTMLParser):
    """The elements and attributes of a page; void and self-closing ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def of(folder: Path) -> Report:
    """The report of a run folder."""
    return reports.build(Run(folder))


def said(html: str) -> str:
    """The words of a page, with single spaces."""
    return " ".join("".join(parsed(html).words).split())


def first_screen(html: str) -> str:
    """The words above the contents of a page."""
    return said(html.partition('<nav id="contents"')[0].partition("<body>")[2])


def changed(report: Report, control: str, **values: Any) -> Report:
    """The report with other values in the comparisons of EP02 over the tasks against one control."""
    return dataclasses.replace(
        report,
        comparisons=tuple(
            dataclasses.replace(c, **values) if (c.scope, c.treatment, c.control) == ("stimulus", "emotionprompt/EP02", control) else c
            for c in report.comparisons
        ),
    )

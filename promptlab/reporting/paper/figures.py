"""The figures of a paper: charts of the report in shades of grey, distinguished by shape, dash and words, as SVG and PDF."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from promptlab.nouns import CONTROLS, Comparison
from promptlab.nouns.words import SCOPES
from promptlab.reporting.build import Report
from promptlab.reporting.drawing import Kind, NotDrawn

FORMS: tuple[Kind, Kind] = ("svg", "pdf")
MOST_ROWS = 40
"""Rows of one forest; more are drawn on further pages."""
MOST_TASKS = 8
"""Tasks up to which a matrix fits on a page."""


class Figure(NamedTuple):
    """A drawn figure; without bytes where the drawing failed, and `why`."""

    name: str
    caption: str
    svg: bytes = b""
    pdf: bytes = b""
    why: str = ""


def figures(report: Report, clean: Callable[[str], str]) -> list[Figure]:
    """Every figure of a run; `clean` is applied to every text in it."""
    from promptlab.reporting import charts

    found = []
    for number, (kind, what, caption, simulated) in enumerate(_wanted(report), 1):
        name = f"figure-{number:02d}-{kind}"
        marked = f"SIMULATED: {caption}" if simulated else caption
        try:
            chart = getattr(charts, kind)(what, caption, simulated)
            svg, pdf = (charts.drawn(chart, form, clean=clean, grey=True) for form in FORMS)
            found.append(Figure(name, marked, svg, pdf))
        except NotDrawn as error:
            found.append(Figure(name, marked, why=str(error)))
    return found


def _wanted(report: Report) -> Iterator[tuple[str, Sequence[object], str, bool]]:
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for c in report.comparisons:
        if c.scope in ("aa", "primary") or c.diff is None:
            continue
        several = len(report.plan.settings) > 1
        against = c.control if c.contrast is None else ""
        kind = "matrix" if c.scope == "cell" else "forest"
        if kind == "forest" and c.task is not None and len(report.plan.tasks) > 1:
            continue
        groups.setdefault((kind, c.model, c.scope, against, c.setting.words if several and c.contrast is None else ""), []).append(c)
    for (kind, model, scope, control, setting), members in groups.items():
        tasks = len({c.task for c in members})
        if kind == "matrix" and not 1 < tasks <= MOST_TASKS:
            continue
        where = f", against {CONTROLS[control].name}" if control in CONTROLS else ""
        title = f"{model}{where}{f' ({setting})' if setting else ''}: {SCOPES[scope].title[0].lower()}{SCOPES[scope].title[1:]}"  # type: ignore[index]
        rows = MOST_ROWS * (tasks if kind == "matrix" else 1)
        for first in range(0, len(members), rows):
            part = f", part {first // rows + 1}" if len(members) > rows else ""
            yield kind, members[first : first + rows], title + part, model in report.manifest.simulated_models
    for model, loop in dict.fromkeys((str(row["model"]), str(row["loop"])) for row in report.rounds):
        of_loop = [row for row in report.rounds if (row["model"], row["loop"]) == (model, loop)]
        yield "rounds", of_loop, f"{model}, {loop}: items solved by round", model in report.manifest.simulated_models

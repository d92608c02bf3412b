"""The figures of a paper: charts of the report in shades of grey, distinguished by shape, dash and words, as SVG and PDF."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from promptlab.nouns import SCOPES, Comparison, control_name, grouped
from promptlab.reporting.build import Report
from promptlab.reporting.drawing import Kind, NotDrawn

IDS = re.compile(rb"\b(clip|gradient_)\d+\b")
OBJECT = re.compile(rb"(?<=\n)(\d+) 0 obj\n(.*?\nendobj\n\n)", re.DOTALL)
REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
NAMES = re.compile(rb"(?<=<<\n)(?: +/\w+ \d+ 0 R\n)+")
TAG = re.compile(rb"/[A-Z]{6}\+")
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


class Wanted(NamedTuple):
    """A figure to draw: the function of `charts`, its rows, the caption, whether a model is simulated, and names of the rows."""

    kind: str
    rows: Sequence[object]
    caption: str
    simulated: bool
    names: Sequence[str] | None = None


def figures(report: Report, clean: Callable[[str], str]) -> list[Figure]:
    """Every figure of a run; `clean` is applied to every text in it."""
    from promptlab.reporting import charts

    found = []
    for number, one in enumerate([*_forests(report), *_matrices(report), *_rounds(report)], 1):
        name = f"figure-{number:02d}-{one.kind}"
        caption = f"SIMULATED: {one.caption}" if one.simulated else one.caption
        try:
            chart = getattr(charts, one.kind)(one.rows, one.caption, one.simulated, *([one.names] if one.names else []))
            svg, pdf = (charts.drawn(chart, form, clean=clean, grey=True) for form in FORMS)
            found.append(Figure(name, caption, _numbered(svg), settled(pdf)))
        except NotDrawn as error:
            found.append(Figure(name, caption, why=str(error)))
    return found


def _numbered(svg: bytes) -> bytes:
    """The ids of a drawing counted from 0: the drawing library counts on from one drawing to the next."""
    found: dict[bytes, bytes] = {}
    return IDS.sub(lambda one: found.setdefault(one.group(), one.group(1) + b"%d" % len(found)), svg)


def settled(pdf: bytes) -> bytes:
    """A drawing as PDF with its objects counted as they are first named, and fonts under one tag.

    The drawing library numbers and orders them by chance, so that the same figure would never be the same bytes.
    """
    first = OBJECT.search(pdf)
    if first is None:
        return pdf
    objects = {one.group(1): TAG.sub(b"/AAAAAA+", NAMES.sub(_sorted, one.group(2))) for one in OBJECT.finditer(pdf)}
    trailer = pdf[pdf.rindex(b"trailer") :]
    number: dict[bytes, int] = {}
    waiting = REFERENCE.findall(trailer)[::-1]
    while waiting:
        name = waiting.pop()
        if name not in number:
            number[name] = len(number) + 1
            waiting += REFERENCE.findall(objects[name].partition(b"stream\n")[0])[::-1]

    def renamed(one: re.Match[bytes]) -> bytes:
        return b"%d 0 R" % number[one.group(1)]

    made, places = pdf[: first.start()], []
    for name, new in number.items():
        places.append(len(made))
        head, stream, body = objects[name].partition(b"stream\n")
        made += b"%d 0 obj\n" % new + REFERENCE.sub(renamed, head) + stream + body
    table = b"".join(b"%010d 00000 n\r\n" % place for place in places)
    made += b"xref\n0 %d\n0000000000 65535 f\r\n" % (len(places) + 1) + table
    size = re.sub(rb"/Size \d+", b"/Size %d" % (len(places) + 1), REFERENCE.sub(renamed, trailer))
    return made + re.sub(rb"startxref\n\d+", b"startxref\n%d" % made.rindex(b"xref\n"), size)


def _sorted(names: re.Match[bytes]) -> bytes:
    return b"".join(sorted(names.group().splitlines(keepends=True)))


def _forests(report: Report) -> Iterator[Wanted]:
    """Comparisons over the tasks, a figure for each model, scope and control; all settings in one."""
    groups: dict[tuple[str, str, str], list[Comparison]] = {}
    for c in report.comparisons:
        over = c.task is None or len(report.plan.tasks) == 1
        if over and c.diff is not None and c.scope not in ("aa", "primary", "cell"):
            groups.setdefault((c.model, c.scope, "" if c.contrast else c.control), []).append(c)
    for (model, of, control), members in groups.items():
        for part, first in enumerate(range(0, len(members), MOST_ROWS), 1):
            shown = members[first : first + MOST_ROWS]
            title = _title(model, SCOPES[of].title, control) + (f", part {part}" if len(members) > MOST_ROWS else "")  # type: ignore[index]
            yield Wanted("forest", shown, title, model in report.manifest.simulated_models, [_name(report, c, shown) for c in shown])


def _name(report: Report, c: Comparison, among: Sequence[Comparison]) -> str:
    """A comparison's name, with its task where the figure has several."""
    return report.name(c) + (f" in {c.task}" if c.task and len({other.task for other in among}) > 1 else "")


def _matrices(report: Report) -> Iterator[Wanted]:
    """Sentences by tasks, where both are several and fit on a page."""
    groups = grouped(((c.model, c.control, c.setting.words), c) for c in report.of("cell"))
    for (model, control, setting), members in groups.items():
        tasks, rows = len({c.task for c in members}), len({c.treatment for c in members})
        if 1 < tasks <= MOST_TASKS and 1 < rows <= MOST_ROWS and any(c.diff is not None for c in members):
            where = f" ({setting})" if len(report.plan.settings) > 1 else ""
            yield Wanted("matrix", members, _title(model, SCOPES["cell"].title, control) + where, model in report.manifest.simulated_models)


def _rounds(report: Report) -> Iterator[Wanted]:
    """Items solved by round, for each model and loop."""
    for model, loop in dict.fromkeys((str(row["model"]), str(row["loop"])) for row in report.rounds):
        of_loop = [row for row in report.rounds if (row["model"], row["loop"]) == (model, loop)]
        yield Wanted("rounds", of_loop, f"{model}, {loop}: items solved by round", model in report.manifest.simulated_models)


def _title(model: str, scope: str, control: str) -> str:
    against = f", against {control_name(control)}" if control else ""
    return f"{model}{against}: {scope[0].lower()}{scope[1:]}"

"""The verdict on one page, as PDF and as PNG: the question, the sentence of the largest gain, every arm with its interval, the cautions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from html import escape

from promptlab.nouns import VERDICTS, inert
from promptlab.reporting.build import Report
from promptlab.reporting.decide import cautions
from promptlab.reporting.drawing import picture
from promptlab.reporting.palette import LIGHT
from promptlab.reporting.summary import OPEN, Summary, SummaryRow, first_summaries
from promptlab.reporting.summary_words import axis_of, axis_words, counts_words, decision_words, head_words, status_words, verdict_words
from promptlab.stats import interval, points

WIDE, HIGH = 1123, 794
"""A4 across, in pixels of 1/96 inch."""
MARGIN, ROW, LINE = 40, 26, 20
NAME, DRAWN, POINTS, ENDS, DO = 162, 430, 730, 745, 880
"""Where the columns begin; that of the points ends."""
DRAWN_TO = 660
SMALLEST = 2.0
"""A PDF page holds so many times the usual size; arms beyond that are counted."""
MOST_DRAWN = 8_000
"""The same of a picture, in pixels."""
FONT = "'Source Sans 3', 'Source Sans Pro', 'DejaVu Sans', 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
SHAPES = {
    "triangle-up": "M0 -5L5.5 5H-5.5z", "triangle-down": "M0 5L5.5 -5H-5.5z", "square": "M-4.5 -4.5H4.5V4.5H-4.5z",
    "diamond": "M0 -6L6 0L0 6L-6 0z",
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z", "cross": "M-4 -4L4 4M4 -4L-4 4",
}  # fmt: skip


def to_pdf(report: Report) -> bytes:
    """The page as PDF, A4 across; NotDrawn where it cannot be drawn."""
    parts, height = _page(report, SMALLEST * HIGH)
    times = max(1.0, height / HIGH)
    left = (times - 1) * WIDE / 2
    box = f"{-left:.0f} 0 {WIDE * times:.0f} {HIGH * times:.0f}"
    return picture(_svg(parts, "842", "595", box), "pdf")


def to_png(report: Report) -> bytes:
    """The page as a picture as high as it needs to be, at twice its size; NotDrawn where it cannot be drawn."""
    parts, height = _page(report, MOST_DRAWN)
    return picture(_svg(parts, str(WIDE), str(height), f"0 0 {WIDE} {height}"), "png")


def _svg(parts: Sequence[str], width: str, height: str, box: str) -> str:
    x, y, w, h = box.split()
    ground = f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{LIGHT.page}"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="{box}" font-family="{FONT}">'
    return f"{head}{ground}{''.join(parts)}</svg>"


def _page(report: Report, highest: float) -> tuple[list[str], int]:
    """Everything drawn, and how high it is; at about `highest` pixels, further arms are counted."""
    found = first_summaries(report)
    parts: list[str] = []
    y = MARGIN
    if report.simulated:
        y = _lines(parts, y, ["SIMULATED: promptlab makes up the answers; they say nothing about any real model."], 13, LIGHT.simulated.ink)
    y = _lines(parts, y + 8, _wrapped(report.manifest.question, 24), 24, weight=700)
    y = _lines(parts, y, _wrapped(f"{report.manifest.name} · {status_words(report)}", 13), 13, LIGHT.soft)
    each = max(4, int((highest - 260) / max(1, len(found)) - 150) // ROW)
    for summary in found:
        y = _model(parts, y + 10, report, summary, each)
    for text in cautions(report):
        y = _lines(parts, y, _wrapped(f"Caution: {text}", 13), 13, LIGHT.warning.ink)
    counts = f"less than {100 * report.plan.margin:g} points counts as no difference"
    foot = f"Run {report.run}. Grey band: {counts}. 95 % intervals; paired by item."
    return parts, _lines(parts, y + 8, _wrapped(foot, 12), 12, LIGHT.soft) + MARGIN - 16


def _model(parts: list[str], y: int, report: Report, summary: Summary, most: int) -> int:
    y = _lines(parts, y, _wrapped(head_words(summary), 15), 15, weight=700)
    y = _lines(parts, y, _wrapped(summary.best, 15), 15)
    y = _lines(parts, y, _wrapped(summary.advice, 15), 15, weight=700)
    y = _lines(parts, y, _wrapped(counts_words(summary.rows), 13), 13, LIGHT.soft) + 4
    axis, margin = axis_of(summary.rows, report.plan.margin), report.plan.margin
    ends = zip((*axis, 0.0), (*axis_words(axis), "0"), ("start", "end", "middle"), strict=True)
    for x, text, anchor in (
        *((_x(end, axis), word, anchor) for end, word, anchor in ends),
        (POINTS, "points", "end"), (ENDS, "95 % interval", "start"), (DO, "what to do", "start"),
    ):  # fmt: skip
        parts.append(_text(x, y + 12, text, 12, LIGHT.soft, anchor=anchor))
    y += LINE
    rows = summary.shown
    left = len(rows) - most
    if left > 0:
        rows = [*rows[: most - most // 3], *rows[len(rows) - most // 3 :]]
    for place, row in enumerate(rows):
        if left > 0 and place == most - most // 3:
            y = _lines(parts, y, [f"… {left} more arms; the whole report has them"], 13, LIGHT.soft)
        parts += _row(y, row, summary.rows, axis, margin)
        y += ROW
    return y + 6


def _row(y: int, row: SummaryRow, rows: Sequence[SummaryRow], axis: tuple[float, float], margin: float) -> Iterator[str]:
    middle = y + ROW // 2
    colour, ground = LIGHT.verdicts[row.verdict] if row.verdict else (LIGHT.soft, "transparent")
    base = middle + 5
    yield f'<path d="M{MARGIN} {y + ROW}H{WIDE - MARGIN}" stroke="{LIGHT.line}" stroke-width=".7"/>'
    if ground != "transparent":
        yield f'<rect x="{MARGIN}" y="{y + 3}" width="100" height="{ROW - 6}" rx="5" fill="{ground}"/>'
    if row.verdict:
        shape = VERDICTS[row.verdict].shape
        look = f'fill="{"none" if row.verdict in OPEN else colour}" stroke="{colour}" stroke-width="1.5"'
        yield f'<path transform="translate({MARGIN + 12} {middle})" d="{SHAPES[shape]}" {look}/>'
    word = verdict_words(row).split(" ", 1)[-1]
    yield _text(MARGIN + 24, base, word, 14, colour, weight=700)
    yield _text(NAME, base, _fitted(row.arm, 14, DRAWN - NAME - 14), 14, weight=700)
    low, high = _x(-margin, axis), _x(margin, axis)
    yield f'<rect x="{low:.1f}" y="{y}" width="{high - low:.1f}" height="{ROW}" fill="{LIGHT.band}"/>'
    yield f'<path d="M{_x(0, axis):.1f} {y}V{y + ROW}" stroke="{LIGHT.zero}"/>'
    if row.diff is None or row.incumbent:
        return
    if row.ci_low is not None and row.ci_high is not None:
        yield f'<path d="M{_x(row.ci_low, axis):.1f} {middle}H{_x(row.ci_high, axis):.1f}" stroke="{colour}" stroke-width="2.5"/>'
    inside = LIGHT.page if row.verdict in OPEN else colour
    yield f'<circle cx="{_x(row.diff, axis):.1f}" cy="{middle}" r="5" fill="{inside}" stroke="{colour}" stroke-width="2"/>'
    yield _text(POINTS, base, points(row.diff), 15, weight=700, anchor="end")
    yield _text(ENDS, base, interval(row.ci_low, row.ci_high), 13)
    yield _text(DO, base, _fitted(decision_words(row, rows), 12, WIDE - MARGIN - DO), 12)


def _x(value: float, axis: tuple[float, float]) -> float:
    return DRAWN + (value - axis[0]) / (axis[1] - axis[0]) * (DRAWN_TO - DRAWN)


def _lines(parts: list[str], y: int, texts: Sequence[str], size: int, colour: str = LIGHT.ink, weight: int = 400) -> int:
    """Draw lines below `y`, and give the place below them."""
    for text in texts:
        y += round(1.35 * size)
        parts.append(_text(MARGIN, y, text, size, colour, weight=weight))
    return y + (6 if texts else 0)


def _text(x: float, y: float, text: str, size: int, colour: str = LIGHT.ink, *, weight: int = 400, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {where} font-weight="{weight}" fill="{colour}" xml:space="preserve">{escape(inert(text))}</text>'


def _width(text: str, size: int) -> float:
    """About how wide a text is; a little more than it is."""
    return size * sum(
        1.05 if unicodedata.east_asian_width(sign) in "WF" else 0.64 if sign.isupper() or sign in "%mw@" else 0.56 for sign in text
    )


def _fitted(text: str, size: int, width: float) -> str:
    """The text, its middle left out where it is wider."""
    text, keep = inert(text), len(text)
    shown = text
    while keep > 4 and _width(shown, size) > width:
        keep -= 1
        shown = f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"
    return shown


def _wrapped(text: str, size: int) -> list[str]:
    """The text in lines that fit the page; a word is broken only where it is wider than a line."""
    found = [""]
    for word in inert(" ".join(text.split())).split(" "):
        for part in _pieces(word, size):
            longer = f"{found[-1]} {part}".strip()
            if _width(longer, size) <= WIDE - 2 * MARGIN:
                found[-1] = longer
            else:
                found.append(part)
    return [line for line in found if line]


def _pieces(word: str, size: int) -> Iterator[str]:
    most = int((WIDE - 2 * MARGIN) / (1.05 * size))
    yield from (word[i : i + most] for i in range(0, len(word), most))

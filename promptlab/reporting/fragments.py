"""Pieces of a page that report and notebooks share: the verdict table and items in two arms, as HTML without a script, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from promptlab.nouns import VERDICTS, inert
from promptlab.record.store import Run
from promptlab.reporting.build import Report, build
from promptlab.reporting.changed import Pair, item_in
from promptlab.reporting.diff import DIFF_CSS, difference_html
from promptlab.reporting.palette import DARK, LIGHT
from promptlab.reporting.summary import Summary, SummaryRow, first_summaries
from promptlab.reporting.summary_words import axis_of, axis_words, counts_words, decision_words, head_words, lost_words, verdict_words
from promptlab.reporting.table import shown_number
from promptlab.stats import chance, interval, points

if TYPE_CHECKING:
    from jinja2 import Environment, Template

WIDE, HIGH, EDGE = 200, 22, 6
"""Pixels of the drawing of an interval, and of its free ends."""
LEAST_SECONDS = 0.005
"""What two decimals of a second show."""
LONGEST_ANSWER = 1_500
"""Characters of an answer that a page holds."""


@dataclass(frozen=True)
class Shown:
    """Something that shows itself: as HTML in a notebook, as text elsewhere."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def template(name: str) -> Template:
    """A template of this folder; every text that it is given is escaped, and what hides or reorders text is spelled out."""
    return _templates().get_template(name)


@cache
def _templates() -> Environment:
    """Made once: to compile a template takes longer than to fill it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_inert)
    found.filters["inert"] = inert  # before `e`, whose result counts as markup
    found.globals |= {
        "light": Markup(LIGHT.css()), "dark": Markup(DARK.css()), "diff_css": Markup(DIFF_CSS), "verdicts": VERDICTS, "points": points,  # noqa: S704
        "interval": interval, "difference": _difference, "clipped": clipped,
    }  # fmt: skip
    return found


def _difference(pair: Pair) -> Markup:
    return Markup(difference_html(pair.before.sent, pair.after.sent))  # noqa: S704 (it escapes both)


def _inert(value: object) -> object:
    """Text without the characters that hide or reorder it; markup of our own as it is."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def clipped(text: str) -> str:
    """An answer as a page holds it: its beginning, and how much is left out."""
    left = len(text) - LONGEST_ANSWER
    return text if left <= 0 else f"{text[:LONGEST_ANSWER]} … ({left:,} more characters)"


def verdict_table(report: Report, summary: Summary) -> dict[str, Any]:
    """What the template draws of one model: the sentences, the columns that say something, and a row for each arm."""
    texts = {arm.name: arm.text for arm in report.plan.arms if arm.text}
    low, high = axis_of(summary.rows, report.plan.margin)
    rows = summary.shown
    has = {
        "neutral": any(row.against_neutral_verdict for row in rows),
        "lost": any(row.truncated or row.empty or row.refused or row.failed for row in rows),
        "usd": any(row.usd_per_1000 for row in rows),
        "seconds": any((row.seconds or 0) >= LEAST_SECONDS for row in rows),
        "chance": any(row.p_best is not None for row in rows),
    }
    return {
        "title": head_words(summary),
        "summary": summary,
        "counts": counts_words(rows),
        "has": has,
        "ends": axis_words((low, high)),
        "zero": 100 * _share(0.0, low, high),
        "rows": [_row(row, summary, texts, (low, high), report.plan.margin) for row in rows],
    }


def _row(row: SummaryRow, summary: Summary, texts: Mapping[str, str], axis: tuple[float, float], margin: float) -> dict[str, Any]:
    return {
        "word": row.verdict or "", "verdict": verdict_words(row), "arm": row.arm, "text": texts.get(row.text_of),
        "drawing": interval_svg(row, axis, margin), "points": "-" if row.diff is None else points(row.diff),
        "interval": "-" if row.ci_low is None else interval(row.ci_low, row.ci_high),
        "neutral": "-" if row.against_neutral is None else points(row.against_neutral), "neutral_word": row.against_neutral_verdict or "",
        "chance": chance(row.p_best), "score": shown_number(row.score, "{:.1f}", 100), "usd": shown_number(row.usd_per_1000, "${:.4f}"),
        "tokens": shown_number(row.tokens, "{:,.0f}"), "seconds": shown_number(row.seconds, "{:.2f}"), "lost": lost_words(row),
        "ship": row.decision == "ship", "do": decision_words(row, summary.rows), "why": "" if row.decision == "ship" else row.why,
    }  # fmt: skip


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)


def interval_svg(row: SummaryRow, axis: tuple[float, float], margin: float) -> Markup:
    """The difference of an arm with its 95 % interval on the axis of its table; the band holds what counts as none."""

    def x(value: float) -> str:
        return f"{EDGE + _share(value, *axis) * (WIDE - 2 * EDGE):.1f}"

    middle = HIGH // 2
    drawn = f'<path class="b" d="M{x(-margin)} 0H{x(margin)}V{HIGH}H{x(-margin)}z"/><path class="z" d="M{x(0)} 0V{HIGH}"/>'
    if row.diff is not None and not row.incumbent:
        if row.ci_low is not None and row.ci_high is not None:
            drawn += f'<path class="i" d="M{x(row.ci_low)} {middle}H{x(row.ci_high)}"/>'
        drawn += f'<circle cx="{x(row.diff)}" cy="{middle}" r="4.5"/>'
    return Markup(f'<svg class="iv {row.verdict or ""}" viewBox="0 0 {WIDE} {HIGH}" aria-hidden="true">{drawn}</svg>')  # noqa: S704


def verdict_html(report: Report) -> str:
    """The verdict tables of all models as one piece of HTML with its own style."""
    tables = [verdict_table(report, summary) for summary in first_summaries(report)]
    return template("fragment.html.j2").render(tables=tables, pairs=[], simulated=report.simulated)


def item(run: Run | Report | str | Path, item: str, a: str, b: str) -> Shown:
    """One item in the arms `a` and `b` (or two whole prompts): the difference of what was sent, and both answers.

    `item` is an id, or TASK/ITEM where several tasks use it. UsageProblem names what is near where there is no such item or arm.
    """
    report = run if isinstance(run, Report) else build(opened(run))
    pairs = item_in(report, item, a, b)
    html = template("fragment.html.j2").render(tables=[], pairs=pairs, simulated=report.simulated)
    return Shown(html, "\n\n".join(map(pair_text, pairs)))


def opened(run: Run | str | Path) -> Run:
    """A run, by itself, its folder or its address."""
    from promptlab.record.mirror import open_run

    return run if isinstance(run, Run) else open_run(run)


def pair_text(pair: Pair) -> str:
    """An item in two arms as plain text."""
    sides: Sequence[str] = [f"{side.arm}: {side.score}\n{side.sent}\nanswer: {clipped(side.answer)}" for side in (pair.before, pair.after)]
    return inert_lines(f"{pair.task}, item {pair.item}; right: {pair.right}\n\n" + "\n\n".join(sides))


def inert_lines(text: str) -> str:
    """Several lines that stay several, each inert."""
    return "\n".join(map(inert, text.split("\n")))

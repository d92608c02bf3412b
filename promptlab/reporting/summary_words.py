"""The rows of the first screen as words: one table for each model, the same in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptlab.nouns import VERDICTS, counted
from promptlab.nouns.words import tallied
from promptlab.reporting.build import Report
from promptlab.reporting.decide import about
from promptlab.reporting.summary import OPEN, Summary, SummaryRow
from promptlab.reporting.table import Table, shown_number, table
from promptlab.stats import chance, points

HEADS = (
    "verdict", "arm", "score, %", "95 %", "points", "95 % interval", "P(best)", "USD for 1,000 answers", "tokens", "seconds",
    "cut / empty / refused / failed, %", "decision",
)  # fmt: skip


def summary_table(summary: Summary) -> Table:
    """The rows of one model as words, with the sentence of the best arm as title and the advice as note."""
    rows = [
        [
            verdict_words(row), row.arm, shown_number(row.score, "{:.1f}", 100), percent_range(row.score_low, row.score_high, "{:.1f}"),
            "-" if row.diff is None else points(row.diff), percent_range(row.ci_low, row.ci_high, "{:+.1f}"), chance(row.p_best),
            shown_number(row.usd_per_1000, "{:.4f}"), shown_number(row.tokens, "{:,.0f}"), shown_number(row.seconds, "{:.2f}"),
            lost_words(row),
            f"{row.decision}: {about(row.more_items)} items a task" if row.more_items and row.decision == "collect more" else row.decision,
        ]
        for row in summary.rows
    ]  # fmt: skip
    return table(head_words(summary), " ".join(filter(None, (summary.best, summary.advice, summary.neutral, *summary.beside))), HEADS, rows)


def head_words(summary: Summary) -> str:
    """Model, tasks, items, and what the points are measured against."""
    model = f"SIMULATED {summary.model} (made-up answers)" if summary.simulated else summary.model
    twice = "" if summary.with_its_repeat is None else f" (mean with its repeat: {100 * summary.with_its_repeat:.1f})"
    return f"{model}: {summary.where}; points against {summary.against}{twice}"


def status_words(report: Report, *, short: bool = False) -> str:
    """Whether the run was planned before its data (`short`: only where it was not), how many answers it has, and what they cost."""
    failed, planned = report.manifest.counts.errors, report.plan.counts.trials
    answers = counted(report.n_trials, "answer") if report.complete else f"{report.state}: {report.n_trials:,} of {planned:,} answers"
    when = "imported: not planned before the data · " if report.plan.imported else "" if short else "planned before the data · "
    paid = report.paid.removesuffix(", nothing paid") if short else report.paid
    return f"{when}{answers}{f', {failed:,} failed' if failed else ''} · {paid}"


def verdict_words(row: SummaryRow) -> str:
    """Sign and verdict; of the incumbent its part."""
    if row.incumbent:
        return "· incumbent"
    return f"{VERDICTS[row.verdict].sign} {row.verdict}" if row.verdict else "- not planned"


def lost_words(row: SummaryRow) -> str:
    """Shares of answers that were cut, empty, refused or failed, in percent."""
    return "/".join(f"{100 * share:.0f}" for share in (row.truncated, row.empty, row.refused, row.failed))


def percent_range(low: float | None, high: float | None, form: str) -> str:
    """Both ends in percent or points; an end near 0 keeps the digits that its sign needs."""
    if low is None or high is None:
        return "-"
    return f"[{', '.join(points(end) if '+' in form else form.format(100 * end) for end in (low, high))}]"


def axis_of(rows: Sequence[SummaryRow], margin: float) -> tuple[float, float]:
    """The ends of an axis that holds 0, the margin to both sides, and every estimate with its interval; fractions."""
    values = [value for row in rows for value in (row.diff, row.ci_low, row.ci_high) if value is not None]
    low, high = min([-margin, *values]), max([margin, *values])
    pad = 0.04 * (high - low) or 0.01
    return low - pad, high + pad


def axis_words(axis: tuple[float, float]) -> tuple[str, str]:
    """The ends of an axis in points; an end so near 0 that both would touch has no word."""
    near = NEAR_ZERO * (axis[1] - axis[0])
    low, high = (f"{100 * end:+.0f}" if abs(end) >= near else "" for end in axis)
    return low, high


NEAR_ZERO = 0.15


def counts_words(rows: Sequence[SummaryRow]) -> str:
    """How many arms have each verdict, and what the best one costs next to the incumbent."""
    counts = Counter("not settled" if row.verdict in OPEN else row.verdict for row in rows if row.verdict)
    said = tallied({word: counts[word] for word in COUNTED})
    ship = next((row for row in rows if row.decision == "ship"), None)
    base = next((row for row in rows if row.incumbent), None)
    if ship and base and ship.usd_per_1000 is not None and base.usd_per_1000 is not None:
        more = ship.usd_per_1000 - base.usd_per_1000
        said.append("at no extra price" if abs(more) < CENT else f"{'+' if more > 0 else '-'}${abs(more):.4f} for 1,000 answers")
    return " · ".join(said)


COUNTED = ("helps", "hurts", "negligible", "same", "not settled")
CENT = 0.00005
"""USD for 1,000 answers below which a price is the same."""


def decision_words(row: SummaryRow, rows: Sequence[SummaryRow]) -> str:
    """What to do about an arm; only one arm of a model is to be shipped, and others that help say how much less."""
    if row.decision == "runner-up":
        first = next((one for one in rows if one.decision == "ship"), row)
        less = (first.diff or 0.0) - (row.diff or 0.0)
        return f"Also helps; {100 * less:.1f} points less" if less >= LEAST else "Also helps, as much"
    if row.decision == "collect more" and row.more_items:
        return f"Collect {about(row.more_items)} more items a task"
    return {"ship": "Ship it", "incumbent": ""}.get(row.decision, row.decision.capitalize())


LEAST = 0.0005
"""The smallest difference of two estimates that one decimal of a point shows."""

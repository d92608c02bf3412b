"""The rows of the first screen as words: one table for each model, the same in every format."""

from __future__ import annotations

from promptlab.nouns import VERDICTS
from promptlab.reporting.decide import about
from promptlab.reporting.summary import Summary, SummaryRow
from promptlab.reporting.table import Table, table
from promptlab.stats import points

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
    return f"{model}: {summary.where}; points against {summary.against}"


def verdict_words(row: SummaryRow) -> str:
    """Sign and verdict; of the incumbent its part."""
    if row.incumbent:
        return "· incumbent"
    return f"{VERDICTS[row.verdict].sign} {row.verdict}" if row.verdict else "- not planned"


def chance(p: float | None) -> str:
    """A chance as a whole percentage."""
    return "-" if p is None else "> 99 %" if p > 0.99 else "< 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def lost_words(row: SummaryRow) -> str:
    """Shares of answers that were cut, empty, refused or failed, in percent."""
    return "/".join(f"{100 * share:.0f}" for share in (row.truncated, row.empty, row.refused, row.failed))


def shown_number(value: float | None, form: str, scale: float = 1.0) -> str:
    """A number as `form` writes it, or a dash."""
    return "-" if value is None else form.format(scale * value)


def percent_range(low: float | None, high: float | None, form: str) -> str:
    """Both ends in percent or points; an end near 0 keeps the digits that its sign needs."""
    if low is None or high is None:
        return "-"
    return f"[{', '.join(points(end) if '+' in form else form.format(100 * end) for end in (low, high))}]"

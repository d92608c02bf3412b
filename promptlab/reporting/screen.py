"""The first screen on a terminal: names, verdicts and numbers whole at any width; columns give way, letters never."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from promptlab.nouns import VERDICTS, inert
from promptlab.reporting.build import Report, looks_words, resting, unwhole, waiting
from promptlab.reporting.decide import NO_NEUTRAL, NOT_ASKED, cautions
from promptlab.reporting.judged import basis
from promptlab.reporting.summary import OPEN, Summary, SummaryRow, first_summaries
from promptlab.reporting.summary_words import axis_of, head_words, lost_words, percent_range, status_words, verdict_words
from promptlab.reporting.table import shown_number
from promptlab.stats import chance, points

GAP = 2
NARROWEST = 40


class Column(NamedTuple):
    """A column of the table of arms. Those with the highest `rank` give way first where the width is short; 0 never does."""

    head: str
    cell: Callable[[SummaryRow], str]
    rank: int
    right: bool = True


PICTURE = 3
"""The rank of the drawing, which a terminal shows from so many columns on; and how wide it is."""
DRAWN_FROM, DRAWN = 100, 23

SHORT = {"keep the incumbent": "don't ship", "collect more": "collect", "incumbent": ""}


def short_decision(row: SummaryRow) -> str:
    """What to do about the arm of the row, in a word that speaks of that arm: one that hurts is dropped."""
    return "drop" if row.verdict == "hurts" and row.decision == "keep the incumbent" else SHORT.get(row.decision, row.decision)


COLUMNS = (
    Column("verdict", verdict_words, 0, right=False),
    Column("arm", lambda row: inert(row.arm), 0, right=False),
    Column("score", lambda row: shown_number(row.score, "{:.1f}", 100), 1),
    Column("95 %", lambda row: percent_range(row.score_low, row.score_high, "{:.1f}"), 8),
    Column("points", lambda row: "-" if row.diff is None else points(row.diff), 0),
    Column("95 % interval", lambda row: percent_range(row.ci_low, row.ci_high, "{:+.1f}"), 0),
    Column("", lambda _: "", PICTURE, right=False),
    Column("P(best)", lambda row: chance(row.p_best), 2),
    Column("$/1,000", lambda row: shown_number(row.usd_per_1000, "{:.3f}"), 5),
    Column("tokens", lambda row: shown_number(row.tokens, "{:,.0f}"), 6),
    Column("sec.", lambda row: shown_number(row.seconds, "{:.2f}"), 9),
    Column("cut/empty/ref./fail %", lost_words, 7),
    Column("decision", short_decision, 4, right=False),
)  # fmt: skip


def first_screen(report: Report, console: Console) -> None:
    """Print the table of arms, the best arm and the advice for each model, and what is against them."""
    width = max(NARROWEST, console.width)

    def say(text: str, style: str = "") -> None:
        console.print(Text(inert(text), style=style))

    found = first_summaries(report)
    say(inert(status_words(report, short=True)))
    for summary in found:
        _say_model(summary, width, console, report.plan.margin)
    for text in _beside(report, " ".join(summary.advice for summary in found)):
        say(text)


def _beside(report: Report, advice: str) -> list[str]:
    """What planned interim analyses did, answers that are not whole, and cautions that the advice does not give itself."""
    found = [looks_words(report)] if report.saved else []
    against = [text for text in cautions(report) if not (text.startswith(NO_NEUTRAL) and NOT_ASKED in advice)]
    return [
        *basis(report.comparisons),
        *report.history,
        *found,
        *waiting(report),
        *unwhole(report),
        *resting(report),
        *(f"Caution: {text}" for text in against),
    ]


def _say_model(summary: Summary, width: int, console: Console, margin: float) -> None:
    console.print(Text(inert(head_words(summary)), style="bold"))
    print_fitted(console, table_lines(summary.shown, width, margin))
    for text in (summary.best, summary.advice, summary.neutral, *summary.beside, *summary.reasons):
        if text:
            console.print(Text(inert(text), style="bold" if text is summary.advice else ""))


def table_lines(rows: Sequence[SummaryRow], width: int, margin: float) -> list[tuple[str, str]]:
    """The table of arms as lines of at most `width` cells, each with its style; differences below `margin` count as none."""
    columns = [column for column in COLUMNS if column.rank != PICTURE or width >= DRAWN_FROM]
    axis = axis_of(rows, margin)
    cells = [[drawn(row, axis, margin) if column.rank == PICTURE else column.cell(row) for column in columns] for row in rows]
    styles = [VERDICTS[row.verdict].style if row.verdict else "" for row in rows]
    heads = [axis_head(axis) if column.rank == PICTURE else column.head for column in columns]
    return fitted(heads, cells, width, ranks=[c.rank for c in columns], right=[c.right for c in columns],
                  styles=styles)  # fmt: skip


def axis_head(axis: tuple[float, float]) -> str:
    """The ends of the axis above the drawing."""
    low, high = (f"{100 * end:+.0f}" for end in axis)
    return low + high.rjust(DRAWN - len(low))


def drawn(row: SummaryRow, axis: tuple[float, float], margin: float) -> str:
    """The difference of an arm with its interval on the axis of its table: `|` is 0, `·` the margin, `─` the interval, `●` the estimate."""
    signs = [" "] * DRAWN

    def place(value: float) -> int:
        return round((value - axis[0]) / (axis[1] - axis[0]) * (DRAWN - 1))

    signs[place(-margin)] = signs[place(margin)] = "·"
    signs[place(0)] = "|"
    if row.diff is not None and not row.incumbent:
        if row.ci_low is not None and row.ci_high is not None:
            low, high = place(row.ci_low), place(row.ci_high)
            signs[low : high + 1] = "─" * (high + 1 - low)
        signs[place(row.diff)] = "○" if row.verdict in OPEN else "●"
    return "".join(signs)


def fitted(
    heads: Sequence[str], cells: Sequence[Sequence[str]], width: int, *, ranks: Sequence[int], right: Sequence[bool], styles: Sequence[str]
) -> list[tuple[str, str]]:
    """A table as lines with their styles, none longer than `width` and no cell cut: columns of the highest rank are left out first.

    Where those of rank 0 do not fit either, the widest of them has lines of its own above its row, broken only where it is longer
    than the screen.
    """
    sizes = [max([cell_len(head), *(cell_len(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    taken = [i for i, rank in enumerate(ranks) if not rank]
    apart: list[int] = []
    while len(taken) > 1 and sum(sizes[i] for i in taken) + GAP * (len(taken) - 1) > width:
        widest = max((i for i in taken if not right[i]), key=lambda i: sizes[i], default=taken[0])
        apart.append(widest)
        taken.remove(widest)
    for i in sorted((i for i, rank in enumerate(ranks) if rank), key=lambda i: ranks[i]):
        if sum(sizes[j] for j in [*taken, i]) + GAP * len(taken) > width:
            break
        taken.append(i)
    taken.sort()

    def line(values: Sequence[str]) -> str:
        blank = [" " * (sizes[i] - cell_len(values[i])) for i in taken]
        return (" " * GAP).join(b + values[i] if right[i] else values[i] + b for i, b in zip(taken, blank, strict=True)).rstrip()

    found = [(line(heads), "")]
    for values, style in zip(cells, styles, strict=True):
        found += [(part, style) for i in sorted(apart) for part in broken(values[i], width)]
        found.append((line(values), style))
    return found


def broken(text: str, width: int) -> list[str]:
    """The text in parts of at most `width` cells, which joined are the text: marks without a width stay."""
    parts = [""]
    for character in text:
        if parts[-1] and cell_len(parts[-1] + character) > width:
            parts.append("")
        parts[-1] += character
    return parts


def print_fitted(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Print lines that fit the console as they are."""
    for line, style in lines:
        console.print(Text(inert(line), style=style), no_wrap=True, overflow="ignore", crop=False)

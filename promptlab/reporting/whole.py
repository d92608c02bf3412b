"""A report as an object that shows itself, what `promptlab.report` returns; and its verdicts on a terminal, as wide as it is."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from promptlab.nouns import CONTROLS, FINDINGS, VERDICTS, Comparison, Scorer, filled, inert
from promptlab.record.store import Run
from promptlab.reporting import formats
from promptlab.reporting.arms import arm_tables
from promptlab.reporting.build import Report as Judged
from promptlab.reporting.build import arm_table, build, comparison_frame, headline
from promptlab.reporting.decide import reason
from promptlab.reporting.html import to_html
from promptlab.reporting.judged_tables import judged_tables
from promptlab.reporting.rows import PLACE, cells, gap_table
from promptlab.reporting.table import Table as Found

COLUMNS = ("sentence", "task", "n", "missing", "points", "95 % CI", "gained/lost", "adjusted p", "verdict")
WIDTH_OFF_TERMINAL = 132
ROOMY = {"against", "points", "tokens", "seconds", "of questions"}
"""Columns of the tables of arms that a terminal has no room for."""
OPEN = ("unclear", "refused")
"""Verdicts that find nothing, and say why."""
WIDE = "The interval leaves open whether there is a difference; more items narrow it."
FEW = 6
"""Tasks whose gap between the suites is listed whether or not it is one."""


class Report(Judged):
    """A run with its comparisons. Shown as text, in notebooks too: what models answered is never shown as HTML of its own."""

    headline = property(headline)
    frame = property(comparison_frame)
    """One row for each comparison; effects and intervals as fractions, p-values as computed and adjusted."""
    arms = property(arm_table)
    """One row for each model, setting and arm: trials, mean score, outcomes, tokens and cost."""
    to_html, to_markdown, to_json, to_csv = to_html, formats.to_markdown, formats.to_json, formats.to_csv

    def __repr__(self) -> str:
        text = io.StringIO()
        to_text(self, Console(file=text, width=WIDTH_OFF_TERMINAL, force_jupyter=False, force_terminal=False))
        return "\n".join(inert(line.rstrip()) for line in text.getvalue().strip().split("\n"))


def whole(run: Run, scorer: Scorer | None = None) -> Report:
    """Judge a run by its frozen plan, as `build` does."""
    return filled(Report, build(run, scorer))


def to_text(report: Judged, console: Console | None = None) -> None:
    """Print headline and verdicts. Cells without a finding are counted, not listed."""
    console = console or Console()
    if not console.is_terminal and console.width < WIDTH_OFF_TERMINAL:
        console = Console(width=WIDTH_OFF_TERMINAL, file=console.file)
    console.print()
    for sentence in headline(report):
        console.print(Text(sentence, style="bold" if sentence.startswith("SIMULATED") else ""))
    n_hidden = 0
    for model in report.models:
        for control in report.controls:
            shown = report.of("primary", model, control) + report.of("stimulus", model, control)
            every = report.shown("cell", model, control)
            found = [c for c in every if c.verdict in FINDINGS]
            n_hidden += len(every) - len(found)
            mark = "SIMULATED " if report.simulated and model in report.manifest.simulated_models else ""
            console.print(_table(report, f"{mark}{model}, against {CONTROLS[control].name}", shown + found))
            for line in _reasons(report, shown, [c for c in every if c not in found]):
                console.print(Text(line))
    if report.gaps:
        n_hidden += _say_gaps(report, console)
    for of_arms in arm_tables(report):
        narrowed = narrow(of_arms)
        _print(console, narrowed._replace(title=f"{'SIMULATED ' if report.simulated else ''}{narrowed.title}"))
    for judged in judged_tables(report.trials, report.plan, report.ratings):
        _print(console, judged, judged.note)
    if n_hidden:
        console.print(Text(f"{n_hidden} rows without a finding are not listed; report.html and --format csv have all."))


def _table(report: Judged, title: str, comparisons: Sequence[Comparison]) -> Table:
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("sentence", "task", "verdict") else "right", no_wrap=column != "sentence")
    for c in comparisons:
        _, treatment, where, _, *rest = cells(report, c)
        name = f"{treatment} (all)" if c.scope == "primary" else treatment
        table.add_row(*(Text(cell, style=VERDICTS[c.verdict].style if cell == c.verdict else "") for cell in (name, where, *rest)))
    return table


def _reasons(report: Judged, listed: Sequence[Comparison], hidden: Sequence[Comparison]) -> list[str]:
    """Why some rows have no finding: those that are listed by name, single tasks by number."""
    groups: dict[tuple[str, str], list[str]] = {}
    for c in listed:
        if c.verdict in OPEN:
            _, name, where, *_ = cells(report, c)
            groups.setdefault((c.verdict, reason(report, c)), []).append(f"{name}{' (all)' if c.scope == 'primary' else ''}, {where}")
    tasks = Counter((c.verdict, reason(report, c) if c.status != "ok" else WIDE) for c in hidden if c.verdict in OPEN)
    said = [f"{verdict}: {'; '.join(names)}: {why}" for (verdict, why), names in groups.items()]
    return said + [f"{verdict}: {n} in single tasks: {why}" for (verdict, why), n in tasks.items()]


def narrow(found: Found) -> Found:
    """A table of arms for a terminal: one question for each sentence, no column that says the same in all rows, none of the roomy ones."""
    frame = found.frame.drop_duplicates([name for name in (*PLACE, "sentence", "arm") if name in found.frame])
    return found._replace(frame=frame[[n for n in found.head if not (n in ROOMY or (n in PLACE and frame[n].nunique() < 2))]])


def _print(console: Console, found: Found, caption: str = "") -> None:
    table = Table(*found.head, title=Text(found.title), title_justify="left", header_style="bold", caption=Text(caption))
    for column in table.columns:
        column.overflow = "fold"
    for row in found.rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _say_gaps(report: Judged, console: Console) -> int:
    """Official minus twin, and how many rows without a finding were left out."""
    shown = [
        row
        for row in report.gaps
        if row["task"] is None or len(report.gaps) <= FEW or (row["ci_low"] or 0) > 0 or (row["ci_high"] or 0) < 0
    ]
    found = gap_table(report, shown)
    _print(console, found._replace(title=f"{found.title}, without any stimulus"), found.note)
    return len(report.gaps) - len(shown)

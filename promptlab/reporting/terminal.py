"""The verdict table on a terminal, as wide as it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from promptlab.nouns import CONTROLS, FINDINGS, VERDICTS, Comparison
from promptlab.reporting.build import Report, headline
from promptlab.reporting.rows import cells, gap_table

COLUMNS = ("sentence", "task", "n", "missing", "points", "95 % CI", "gained/lost", "adjusted p", "verdict")
WIDTH_OFF_TERMINAL = 132
FEW = 6
"""Tasks whose gap between the suites is listed whether or not it is one."""


def to_text(report: Report, console: Console | None = None) -> None:
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
            every = report.of("cell", model, control)
            found = [c for c in every if c.verdict in FINDINGS]
            n_hidden += len(every) - len(found)
            mark = "SIMULATED " if report.simulated and model in report.manifest.simulated_models else ""
            console.print(_table(report, f"{mark}{model}, against {CONTROLS[control].name}", shown + found))
    if report.gaps:
        n_hidden += _say_gaps(report, console)
    if n_hidden:
        console.print(Text(f"{n_hidden} rows without a finding are not listed; report.html and --format csv have all."))


def _table(report: Report, title: str, comparisons: Sequence[Comparison]) -> Table:
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("sentence", "task", "verdict") else "right", no_wrap=column != "sentence")
    for c in comparisons:
        _, treatment, where, _, *rest = cells(report, c)
        name = f"{treatment} (all)" if c.scope == "primary" else treatment
        table.add_row(*(Text(cell, style=VERDICTS[c.verdict].style if cell == c.verdict else "") for cell in (name, where, *rest)))
    return table


def _say_gaps(report: Report, console: Console) -> int:
    """Official minus twin, and how many rows without a finding were left out."""
    shown = [
        row
        for row in report.gaps
        if row["task"] is None or len(report.gaps) <= FEW or (row["ci_low"] or 0) > 0 or (row["ci_high"] or 0) < 0
    ]
    found = gap_table(report, shown)
    title = Text(f"{found.title}, without any stimulus")
    table = Table(*found.head, title=title, title_justify="left", header_style="bold", caption=Text(found.note))
    for row in found.rows:
        table.add_row(*map(Text, row))
    console.print(table)
    return len(report.gaps) - len(shown)

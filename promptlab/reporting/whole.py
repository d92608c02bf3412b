"""A report as an object that shows itself, what `promptlab.report` returns; and its verdicts on a terminal, as wide as it is."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from promptlab.nouns import FINDINGS, VERDICTS, Comparison, RunProblem, Scorer, counted, filled, inert
from promptlab.record.store import Run
from promptlab.reporting import formats
from promptlab.reporting.arms import arm_tables
from promptlab.reporting.build import Report as Judged
from promptlab.reporting.build import arm_table, build, comparison_frame, headline
from promptlab.reporting.checked import checked
from promptlab.reporting.contrasts import contrast_tables
from promptlab.reporting.decide import reason
from promptlab.reporting.fragments import Shown, item, opened, verdict_html
from promptlab.reporting.html import to_html
from promptlab.reporting.names import without_text
from promptlab.reporting.older import keep_results
from promptlab.reporting.one_page import to_pdf, to_png
from promptlab.reporting.rows import PLACE, cells, gap_table, screening_table
from promptlab.reporting.screen import first_screen, fitted, print_fitted
from promptlab.reporting.table import Table as Found
from promptlab.reporting.table import table

COLUMNS = ("sentence", "task", "n", "missing", "points", "95 % CI", "gained/lost", "adjusted p", "verdict")
WIDTH_OFF_TERMINAL = 132
ROOMY = {"against", "points", "tokens", "seconds", "of questions"}
"""Columns of the tables of arms that a terminal has no room for."""
ONE = ("model", "missing")
"""Columns of the tables of contrasts that are left out where they say the same in all rows."""
OPEN = ("unclear", "refused")
"""Verdicts that find nothing, and say why."""
WIDE = "The interval leaves open whether there is a difference; more items narrow it."
MOST_SCREENED = 12
"""Arms of the screening part that a terminal lists."""
FEW = 6
"""Tasks whose gap between the suites is listed whether or not it is one."""


class Report(Judged):
    """A run with its comparisons. A notebook shows its verdict table; what models answered is never shown as HTML of its own."""

    headline = property(headline)
    frame = property(comparison_frame)
    """One row for each comparison; effects and intervals as fractions, p-values as computed and adjusted."""
    arms = property(arm_table)
    """One row for each model, setting and arm: trials, mean score, outcomes, tokens and cost."""
    to_html, to_markdown, to_json, to_csv = to_html, formats.to_markdown, formats.to_json, formats.to_csv
    to_pdf, to_png = to_pdf, to_png
    item = item
    _repr_html_ = verdict_html

    def show(self) -> Shown:
        """The verdict table: HTML in a notebook, the first screen elsewhere."""
        return Shown(verdict_html(self), repr(self))

    def __repr__(self) -> str:
        text = io.StringIO()
        to_text(self, Console(file=text, width=WIDTH_OFF_TERMINAL, force_jupyter=False, force_terminal=False))
        return "\n".join(inert(line.rstrip()) for line in text.getvalue().strip().split("\n"))


def show(run: Run | Judged | str | Path) -> Shown:
    """A run's verdict table: HTML in a notebook, the first screen elsewhere."""
    return (filled(Report, run) if isinstance(run, Judged) else whole(opened(run))).show()


def whole(run: Run, scorer: Scorer | None = None, force: bool = False) -> Report:
    """Judge a run by its frozen plan, as `build` does; RunProblem where it fails the checks of `checked`, unless `force`."""
    try:
        built = build(run, scorer)
    except RunProblem:
        checked(run, force)
        raise
    failed = checked(run, force, None if scorer else built.trials)
    if scorer in (None, built.plan.ran_by):
        keep_results(run.id, built.comparisons)
    return filled(Report, built, failed=tuple(failed))


def to_text(report: Judged, console: Console | None = None, *, tasks: bool = False) -> None:
    """Print the first screen; with `tasks` headline and every table after it. Cells without a finding are counted, not listed."""
    console = console or Console()
    if not console.is_terminal and console.width < WIDTH_OFF_TERMINAL:
        console = Console(width=WIDTH_OFF_TERMINAL, file=console.file)
    console.print()
    first_screen(report, console)
    if report.screening:
        screening = screening_table(report)
        n = len(screening.frame) - MOST_SCREENED
        _print(console, narrow(screening._replace(frame=screening.frame.head(MOST_SCREENED))), f"{n} more in report.html" if n > 0 else "")
    every = [c for c in report.comparisons if c.task is not None and c.scope != "aa"] if len(report.plan.tasks) > 1 else []
    if tasks:
        _details(report, console)
    elif every:
        n_settled = sum(c.verdict in FINDINGS or c.verdict == "same" for c in every)
        console.print(Text(f"Single tasks: {n_settled:,} of {len(every):,} settled (report --tasks)."))


def _details(report: Judged, console: Console) -> None:
    """Headline, verdicts by control and task, gaps between suites, and the tables of arms."""
    console.print()
    for sentence in headline(report):
        console.print(Text(inert(sentence)))
    n_hidden = 0
    for model in report.models:
        for control in report.controls:
            shown = report.of("primary", model, control) + report.of("stimulus", model, control)
            every = report.shown("cell", model, control)
            found = [c for c in every if c.verdict in FINDINGS]
            n_hidden += len(every) - len(found)
            mark = "SIMULATED " if report.simulated and model in report.manifest.simulated_models else ""
            _say_table(report, console, f"{mark}{model}, against {report.plan.called(control)}", shown + found)
            for line in _reasons(report, shown, [c for c in every if c not in found]):
                console.print(Text(inert(line)))
    if report.gaps:
        n_hidden += _say_gaps(report, console)
    simulated = "SIMULATED " if report.simulated else ""
    for contrasts in contrast_tables(report):
        frame = contrasts.frame.drop(columns=[name for name in ONE if contrasts.frame[name].nunique() < 2])
        _print(console, contrasts._replace(title=f"{simulated}{contrasts.title}", frame=frame))
    for of_arms in arm_tables(report):
        narrowed = narrow(of_arms)
        _print(console, narrowed._replace(title=f"{simulated}{narrowed.title}"))
    for judged in (table(*one) for one in report.by_judge):
        _print(console, judged, judged.note)
    if n_hidden:
        console.print(Text(f"{counted(n_hidden, 'row')} without a finding are not listed; report.html and --format csv have all."))


RANKS = {"sentence": 0, "task": 0, "points": 0, "95 % CI": 0, "verdict": 0, "adjusted p": 1, "n": 2, "missing": 3, "gained/lost": 4}
"""The order in which columns of verdicts give way on a narrow terminal: the highest first, 0 never."""


def _say_table(report: Judged, console: Console, title: str, comparisons: Sequence[Comparison]) -> None:
    rows = []
    for c in comparisons:
        _, treatment, where, _, *rest = cells(report, c)
        rows.append([inert(f"{treatment} (all)" if c.scope == "primary" else treatment), where, *rest])
    console.print(Text(inert(title), style="bold"))
    right = [column not in ("sentence", "task", "verdict") for column in COLUMNS]
    styles = [VERDICTS[c.verdict].style for c in comparisons]
    print_fitted(console, fitted(COLUMNS, rows, console.width, ranks=[RANKS[name] for name in COLUMNS], right=right, styles=styles))


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
    """A table with as many of its columns as fit: the first and the last ones stay longest."""
    rows = [[inert(str(cell)) for cell in row] for row in found.rows]
    last = len(found.head) - 1
    right = [all(any(sign.isdigit() for sign in row[i]) or row[i] == "-" for row in rows) for i in range(len(found.head))]
    ranks = [0 if i in (0, last) or not right[i] else i for i in range(len(found.head))]
    console.print(Text(inert(found.title), style="bold"))
    print_fitted(console, fitted(found.head, rows, console.width, ranks=ranks, right=right, styles=[""] * len(rows)))
    if caption:
        console.print(Text(inert(caption)))


def _say_gaps(report: Judged, console: Console) -> int:
    """Official minus twin, and how many rows without a finding were left out."""
    shown = [
        row
        for row in report.gaps
        if row["task"] is None or len(report.gaps) <= FEW or (row["ci_low"] or 0) > 0 or (row["ci_high"] or 0) < 0
    ]
    found = gap_table(report, shown)
    _print(console, found._replace(title=f"{found.title}{',' if without_text(report.plan) else ''}{without_text(report.plan)}"), found.note)
    return len(report.gaps) - len(shown)

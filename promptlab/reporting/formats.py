"""Markdown for pull requests, JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from promptlab.nouns import CONTROLS, flat, inert
from promptlab.reporting.build import Report, arm_table, comparison_frame, headline
from promptlab.reporting.rows import COLUMNS, SCOPES, baseline_table, beside_tables, cells, gap_table, loop_tables, records

FORMULA = ("=", "+", "-", "@", "\t", "\r")
HARMLESS = re.compile(r"[+-]?\d[\d,]*(\.\d+)?( to [+-]?\d[\d,]*(\.\d+)?)?( %)?")
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!~])")


def to_json(report: Report) -> str:
    """The whole report as JSON: headline, comparisons, arms, plan and manifest; missing values are null."""
    value = {
        "run": report.run,
        "simulated": report.simulated,
        "state": report.state,
        "headline": headline(report),
        "comparisons": records(comparison_frame(report)),
        "arms": records(arm_table(report)),
        "baselines": records(report.baselines),
        "papers_protocol": [{**flat(row), "protocol": row.protocol._asdict()} for row in report.beside.protocols],
        "best_in_task": [flat(row) for row in report.beside.bests],
        "by_stimulus": [flat(row) for row in report.beside.by_stimulus],
        "spread_over_tasks": [flat(row) for row in report.beside.spreads],
        "looks": [flat(row) for row in report.looks],
        "saved": asdict(report.saved) if report.saved else None,
        "variance_components": [flat(row) for row in report.beside.components],
        "official_minus_twin": list(report.gaps),
        "loop_rounds": list(report.rounds),
        "loop_arms": list(report.loop_arms),
        "emotion_transitions": list(report.emotions),
        "plan": report.plan.plain(),
        "manifest": report.manifest.plain(),
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(report: Report) -> str:
    """All comparisons as CSV. Text that a spreadsheet could run as a formula gets a leading apostrophe."""
    out = io.StringIO()
    frame = comparison_frame(report)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in records(frame):
        writer.writerow([neutral(value) for value in row.values()])
    return out.getvalue()


def to_markdown(report: Report) -> str:
    """The report as Markdown: headline, verdicts over tasks, cells, arms, design and provenance."""
    m, plan = report.manifest, report.plan
    lines = [f"# {escaped(m.name)}{' (SIMULATED)' if report.simulated else ''}", "", f"**{escaped(m.question)}**", ""]
    lines += [f"- {escaped(sentence)}" for sentence in headline(report)]
    for scope, title in SCOPES.items():
        rows = [cells(report, c) for c in report.of(scope)]
        lines += ["", *section(title, "", COLUMNS, rows)] if rows else ["", f"## {title}", "", "(none)"]
    lines += ["", "## The baseline against its own repeat", ""]
    lines += [f"- {escaped(c.model)}, {escaped(c.task or 'all tasks')}: {escaped(c.sentence)}" for c in report.of("aa")]
    gaps = [gap_table(report, report.gaps)] if report.gaps else []
    for found in (*beside_tables(report), *loop_tables(report), baseline_table(report), *gaps):
        lines += ["", *section(found.title, found.note, found.head, found.rows)]
    lines += ["", "## Why some got no verdict", ""]
    lines += [
        f"- {escaped(c.model)}, {escaped(report.name(c))}, {escaped(c.task or 'over tasks')}, against {CONTROLS[c.control].name}: "
        f"{escaped(c.sentence)}"
        for c in report.comparisons
        if c.verdict == "refused" and c.scope != "aa"
    ] or ["- none"]
    lines += ["", "## Provenance", ""]
    lines += [f"- {name}: `{value}`" for name, value in m.hashes.items()]
    lines += [f"- state: {report.state}; {report.paid}; margins: {100 * plan.margins.cell:g} points in a task, "
              f"{100 * plan.margins.mean:g} over the tasks"]  # fmt: skip
    return "\n".join(lines) + "\n"


def escaped(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", inert(" ".join(str(text).split())))


def section(title: str, note: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of one table under its title and note."""
    lines = [[escaped(name) for name in head], ["---"] * len(head), *([escaped(cell) for cell in row] for row in rows)]
    return [f"## {escaped(title)}", "", *([escaped(note), ""] if note else []), *(f"| {' | '.join(line)} |" for line in lines)]


def neutral(value: Any) -> Any:  # noqa: ANN401
    """A cell that no spreadsheet runs as a formula; empty where there is nothing. Numbers, and from which to which, stay as they are."""
    if isinstance(value, str) and value.lstrip(" \ufeff").startswith(FORMULA) and not HARMLESS.fullmatch(value):
        return "'" + value
    return "" if value is None else value

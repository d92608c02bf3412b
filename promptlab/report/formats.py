"""Markdown for pull requests, JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.inert import inert
from promptlab.report.build import CONTROL_NAMES, Report, arm_table, comparison_frame, headline
from promptlab.report.loops import EMOTION_NOTE, ORACLE_NOTE, WAYS
from promptlab.report.suites import CAVEAT
from promptlab.schema import Comparison
from promptlab.scoring import SCORERS
from promptlab.stats.sentences import interval, p_text, points, setting_words

FORMULA = ("=", "+", "-", "@", "\t", "\r")
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!~])")


def to_json(report: Report) -> str:
    """The whole report as JSON: headline, comparisons, arms, plan and manifest; missing values are null."""
    value = {
        "run": report.run,
        "simulated": report.simulated,
        "state": report.state,
        "headline": headline(report),
        "comparisons": _records(comparison_frame(report)),
        "arms": _records(arm_table(report)),
        "baselines": _records(report.baselines),
        "official_minus_twin": list(report.gaps),
        "loop_rounds": list(report.rounds),
        "loop_arms": list(report.loop_arms),
        "emotion_transitions": list(report.emotions),
        "plan": dict(report.plan),
        "manifest": dict(report.manifest),
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(report: Report) -> str:
    """All comparisons as CSV. Text that a spreadsheet could run as a formula gets a leading apostrophe."""
    out = io.StringIO()
    frame = comparison_frame(report)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in _records(frame):
        writer.writerow([_neutral(value) for value in row.values()])
    return out.getvalue()


def to_markdown(report: Report) -> str:
    """The report as Markdown: headline, verdicts over tasks, cells, arms, design and provenance."""
    m, plan = report.manifest, report.plan
    lines = [f"# {escaped(m['name'])}{' (SIMULATED)' if report.simulated else ''}", "", f"**{escaped(m['question'])}**", ""]
    lines += [f"- {escaped(sentence)}" for sentence in headline(report)]
    for scope, title in (("primary", "All sentences of a library, over the tasks"), ("stimulus", "Each sentence, over the tasks")):
        lines += ["", f"## {title}", "", *_table(report, report.of(scope))]
    lines += ["", "## Each sentence in each task", "", *_table(report, report.of("cell"))]
    lines += ["", "## The baseline against its own repeat", ""]
    lines += [f"- {escaped(c.model)}, {escaped(c.task or 'all tasks')}: {escaped(c.sentence)}" for c in report.of("aa")]
    for title, note, head, rows in loop_tables(report):
        lines += ["", f"## {title}", "", escaped(note), "", *_plain_table(head, rows)]
    lines += ["", "## Scores without any stimulus, by every scorer", "", *_plain_table(baseline_columns(), baseline_cells(report))]
    if report.gaps:
        lines += ["", "## Official minus twin", "", escaped(CAVEAT), "", *_plain_table(GAP_COLUMNS, gap_cells(report, report.gaps))]
    lines += ["", "## Why some got no verdict", ""]
    lines += [
        f"- {escaped(c.model)}, {escaped(report.name(c))}, {escaped(c.task or 'over tasks')}, against {CONTROL_NAMES[c.control]}: "
        f"{escaped(c.sentence)}"
        for c in report.comparisons
        if c.verdict == "refused" and c.scope != "aa"
    ] or ["- none"]
    lines += ["", "## Provenance", ""]
    lines += [f"- {name}: `{value}`" for name, value in m["hashes"].items()]
    lines += [f"- state: {report.state}; {report.paid}; margins: {100 * plan['margins']['cell']:g} points in a task, "
              f"{100 * plan['margins']['mean']:g} over the tasks"]  # fmt: skip
    return "\n".join(lines) + "\n"


def escaped(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", inert(" ".join(str(text).split())))


def _table(report: Report, comparisons: list[Comparison]) -> list[str]:
    if not comparisons:
        return ["(none)"]
    head = ["model", "sentence", "task", "against", "n", "missing", "points", "95 % CI", "gained/lost", "adjusted p", "verdict"]
    rows = [" | ".join(head), " | ".join("---" for _ in head)]
    rows += [" | ".join(escaped(cell) for cell in cells(report, c)) for c in comparisons]
    return [f"| {row} |" for row in rows]


def cells(report: Report, c: Comparison) -> list[str]:
    """One comparison as the words of a table's row."""
    flips = "-" if c.gained is None else f"{c.gained}/{c.lost}"
    where = c.task or f"mean over {c.n_tasks}"
    ci = interval(c.ci_low, c.ci_high) if c.diff is not None else "-"
    p = "-" if c.p_adjusted is None else p_text(c.p_adjusted).removeprefix("p = ").removeprefix("p ")
    return [
        c.model, report.name(c), where, CONTROL_NAMES[c.control], str(c.n_pairs), str(c.n_missing),
        points(c.diff) if c.diff is not None else "-", ci, flips, p, c.verdict,
    ]  # fmt: skip


GAP_COLUMNS = ("model", "setting", "task", "n official", "n twin", "official", "twin", "points", "95 % CI", "other run")


def gap_cells(report: Report, gaps: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Rows of official minus twin as words, for `GAP_COLUMNS`."""
    return [
        [
            _name(report, row["model"]), setting_words(row["placement"], row["shots"], row["strategy"]),
            row["task"] or "mean over the tasks",
            str(row["n_official"]), str(row["n_twin"]), f"{row['official']:.3f}", f"{row['twin']:.3f}", points(row["diff"]),
            interval(row["ci_low"], row["ci_high"]) if row["ci_low"] is not None else "-", row["other_run"],
        ]
        for row in gaps
    ]  # fmt: skip


def loop_tables(report: Report) -> list[tuple[str, str, Sequence[str], list[list[str]]]]:
    """Title, note, heads and rows as words of the tables about feedback loops; nothing without loops."""
    if not report.rounds:
        return []
    note = f"{ORACLE_NOTE} {EMOTION_NOTE}" if report.oracles else EMOTION_NOTE
    rounds = [
        [
            _name(report, r["model"]), r["loop"], r["arm"], str(r["round"]), str(r["n_asked"]), f"{100 * r['pass_at_k']:.1f}",
            f"{100 * r['ci_low']:.1f} to {100 * r['ci_high']:.1f}", f"{100 * r['accuracy']:.1f}", f"{r['gained']}/{r['lost']}",
        ]
        for r in report.rounds
    ]  # fmt: skip
    arms = [
        [
            _name(report, r["model"]), r["loop"], r["arm"], f"{r['n_solved']} of {r['n']}",
            f"{r['rounds_to_solve']:.2f}", f"{r['calls']:.2f}",
            "-" if r["tokens"] is None else f"{r['tokens']:.0f}", "-" if r["usd_per_solved"] is None else f"{r['usd_per_solved']:.6f}",
        ]
        for r in report.loop_arms
    ]  # fmt: skip
    emotions = [
        [_name(report, r["model"]), r["loop"], r["arm"], r["emotion"], *(str(r[way]) for way in ("n", *WAYS))]
        for r in report.emotions
    ]  # fmt: skip
    return [
        (
            "Feedback loops round by round", note,
            ["model", "loop", "arm", "round", "asked", "pass@k, %", "95 % CI", "right at this round, %", "turned right/wrong"], rounds,
        ),
        (
            "Feedback loops: what solving takes", "An unsolved item counts as one round more than there are.",
            ["model", "loop", "arm", "solved", "rounds to solve", "calls", "tokens", "USD for each solved"], arms,
        ),
        (
            "What followed each emotion", "Counts of remarks; descriptive only.",
            ["model", "loop", "arm", "emotion", "remarks", *(way.replace("_", " to ") for way in WAYS)], emotions,
        ),
    ]  # fmt: skip


def baseline_columns() -> list[str]:
    """The heads of `baseline_cells`."""
    return ["model", "setting", "task", "n", *SCORERS, "scored by", "normalised", "as asked", "echoes", "declines"]


def baseline_cells(report: Report) -> list[list[str]]:
    """Scores without any stimulus as words: raw by every scorer, and normalised (0 is guessing, below it negative) by the one in force."""
    scorer = str(report.plan.get("scorer") or "reference")
    return [
        [
            _name(report, row["model"]), row["setting"], row["task"], str(row["n"]), *(_share(row[name]) for name in SCORERS), scorer,
            "-" if row["normalised"] is None else f"{row['normalised']:.1f}",
            *(_share(row.get(flag)) for flag in ("compliant", "echoed", "declined")),
        ]
        for row in _records(report.baselines)
    ]  # fmt: skip


def _name(report: Report, model: str) -> str:
    return f"{model} (SIMULATED)" if model in report.manifest["simulated_models"] else model


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([escaped(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _records(frame: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (a pandas frame)
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:  # noqa: ANN401
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _neutral(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value.lstrip(" \ufeff").startswith(FORMULA):
        return "'" + value
    return "" if value is None else value

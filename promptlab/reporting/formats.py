"""Markdown for pull requests, JSON for programs, CSV for spreadsheets; and trials in the columns that other tools read."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, OF_TEXTS, SCOPES, TrialRow, facts_of, flat, inert, inert_json
from promptlab.record import ratings
from promptlab.record.store import Run
from promptlab.reporting.arms import arm_tables, decisions
from promptlab.reporting.build import Report, arm_table, comparison_frame, headline
from promptlab.reporting.causes import causes
from promptlab.reporting.contrasts import contrast_tables
from promptlab.reporting.frozen import evidence_of
from promptlab.reporting.names import AGAIN, only_whole
from promptlab.reporting.rows import COLUMNS, baseline_table, beside_tables, cells, gap_table, loop_tables, records
from promptlab.reporting.summary import across_models, first_summaries, rows_of
from promptlab.reporting.summary_words import summary_table
from promptlab.stats import ArmRow

FORMULA = ("=", "+", "-", "@", "\t", "\r")
HARMLESS = re.compile(r"[+-]?\d[\d,]*(\.\d+)?( to [+-]?\d[\d,]*(\.\d+)?)?( %)?")
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#!~]|\$(?!\d)|:(?=[\w+-]+:))")
"""What Markdown acts on; a formula and a short name of an emoji too, which a site may draw."""


def to_json(report: Report) -> str:
    """The whole report as JSON: headline, comparisons, arms, plan and manifest; missing values are null."""
    beside = report.beside
    each = {
        "best_in_task": beside.bests, "by_stimulus": beside.by_stimulus, "spread_over_tasks": beside.spreads, "repeats": beside.repeats,
        "largest_changes": beside.swings,
    }  # fmt: skip
    value = {
        "run": report.run,
        "simulated": report.simulated,
        "state": report.state,
        "headline": headline(report),
        "summary": rows_of(report),
        **({"models": [asdict(row) for row in models.rows]} if (models := across_models(report)) else {}),
        "comparisons": [{k: v for k, v in row.items() if k != "contrast" or v} for row in records(comparison_frame(report))],
        "arms": records(arm_table(report)),
        "baselines": records(report.baselines),
        "papers_protocol": [{**flat(row), "protocol": row.protocol._asdict()} for row in beside.protocols],
        **{name: [flat(row) for row in rows] for name, rows in each.items()},
        "decision": [_decision(**found) for found in decisions(report)],
        "looks": [flat(row) for row in report.looks],
        "saved": asdict(report.saved) if report.saved else None,
        **({"older_answers": report.n_old} if report.n_old is not None else {}),
        **({"screening": [flat(row) for row in report.screening]} if report.plan.confirm else {}),
        **({"spread_over_levels": [asdict(row) for row in beside.levels]} if beside.levels else {}),
        "variance_components": [flat(row) for row in beside.components],
        "official_minus_twin": list(report.gaps),
        "loop_rounds": list(report.rounds),
        "loop_arms": list(report.loop_arms),
        "emotion_transitions": list(report.emotions),
        **({"loop_contrasts": list(report.loop_contrasts)} if report.loop_contrasts else {}),
        **({"loop_causes": causes(report.loop_contrasts, report.plan)} if report.loop_contrasts else {}),
        **({"evidence": evidence[0]._asdict()} if (evidence := evidence_of(report)) else {}),
        **({"failed": list(report.failed)} if report.failed else {}),
        "plan": report.plan.plain(),
        "manifest": report.manifest.plain(),
    }
    return inert_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def _decision(row: ArmRow, **what: Any) -> dict[str, Any]:  # noqa: ANN401
    figures = flat(row) | {name: getattr(row, name)._asdict() for name in ("cost", "tokens", "seconds")}
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in (figures | what).items()}


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
    for of_model in first_summaries(report):
        first = summary_table(of_model)
        lines += [*section(first.title, first.note, first.head, first.rows), *(f"- {escaped(why)}" for why in of_model.reasons), ""]
    lines += [f"- {escaped(sentence)}" for sentence in headline(report)]
    for scope in OF_TEXTS:
        title, rows = SCOPES[scope].title, [cells(report, c) for c in report.shown(scope)]
        lines += ["", *section(title, "", COLUMNS, rows)] if rows else []
    lines += ["", "## The baseline against its own repeat", ""]
    lines += [f"- {escaped(c.model)}, {escaped(c.task or 'all tasks')}: {escaped(c.sentence)}" for c in report.of("aa")]
    gaps = [gap_table(report, report.gaps)] if report.gaps else []
    for found in (
        *contrast_tables(report),
        *arm_tables(report),
        *beside_tables(report),
        *loop_tables(report),
        baseline_table(report),
        *gaps,
    ):
        lines += ["", *section(found.title, found.note, found.head, found.rows)]
    lines += ["", "## Why some got no verdict", ""]
    lines += [
        f"- {escaped(c.model)}, {escaped(report.name(c))}, {escaped(c.task or 'over tasks')}, against {escaped(report.against(c))}: "
        f"{escaped(c.sentence)}"
        for c in report.comparisons
        if c.scope != "aa" and (c.verdict == "refused" or (c.verdict == "unclear" and c.status != "ok"))
    ] or ["- none"]
    lines += ["", "## Provenance", ""]
    lines += [f"- {name}: `{value}`" for name, value in m.hashes.items()]
    lines += [f"- evidence of the answers: {escaped(found.words)}" for found in evidence_of(report)]
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


LONG = (
    "model", "simulated", "suite", "task", "item", "cluster", "arm", "role", "stimulus", "library", "base_prompt",
    "setting", "placement", "shots", "strategy",
    "replicate", "score", "outcome", "extracted", "rule", "answer", "oracle",
    "input_tokens", "output_tokens", "cost_usd", "latency_s", "model_version", "error", *facts_of(TrialRow),
)  # fmt: skip


def long_frame(run: Run) -> pd.DataFrame:
    """One row a trial: factors, score, outcome, answer, tokens, cost."""
    return run.trials()[list(LONG)]


def evalstats_frame(run: Run) -> pd.DataFrame:
    """The columns model, prompt, item, run, score of evalstats; items are named by task as well, trials without a score left out."""
    trials = run.trials()
    scored = trials[trials["score"].notna()]
    return pd.DataFrame(
        {
            "model": scored["model"],
            "prompt": _prompt_names(run, scored),
            "item": scored["task"] + "/" + scored["item"],
            "run": scored["replicate"] + 1,
            "score": scored["score"],
            "simulated": scored["simulated"],
        }
    ).reset_index(drop=True)


def inspect_frame(run: Run) -> pd.DataFrame:
    """Columns as in inspect_ai's samples_df: a row a trial, one evaluation for each model, task and prompt, epochs from 1."""
    trials = run.trials()
    items = run.items().set_index(["task", "item"])
    prompts = _prompt_names(run, trials)
    place = [(task, item) for task, item in zip(trials["task"], trials["item"], strict=True)]
    return pd.DataFrame(
        {
            "sample_id": trials["trial"],
            "eval_id": run.id + "/" + trials["model"] + "/" + trials["task"] + "/" + prompts,
            "log": run.id,
            "task_name": trials["task"],
            "model": trials["model"],
            "id": trials["item"],
            "epoch": trials["replicate"] + 1,
            "input": [items["input"].get(key) for key in place],
            "choices": [json.dumps(list(items["choices"].get(key, ())), ensure_ascii=False) for key in place],
            "target": [", ".join(items["targets"].get(key, ())) for key in place],
            **{f"metadata_{name}": trials[name] for name in ("arm", "role", "base_prompt", "simulated")},
            f"score_{run.plan.scorer or 'imported'}": trials["score"],
            "total_tokens": trials["input_tokens"] + trials["output_tokens"],
            "total_time": trials["latency_s"],
            "error": trials["error"].fillna("").where(trials["outcome"] == "error", ""),
            "retries": (trials["attempts"] - 1).clip(lower=0),
        }
    )


FRAMES: Mapping[str, Callable[[Run], pd.DataFrame]] = {"long": long_frame, "evalstats": evalstats_frame, "inspect-frame": inspect_frame}


def written(frame: pd.DataFrame, ending: str) -> bytes:
    """The frame as `.csv`, `.jsonl` or `.parquet`. In CSV a text that a spreadsheet could run gets a leading apostrophe."""
    if ending == ".parquet":
        out = io.BytesIO()
        frame.to_parquet(out, index=False)
        return out.getvalue()
    if ending == ".jsonl":
        return str(frame.to_json(orient="records", lines=True, force_ascii=False)).encode("utf-8", "replace")
    safe = frame.map(_for_csv).rename(columns=_for_csv)
    return str(safe.to_csv(index=False, lineterminator="\n")).encode("utf-8", "replace")


def ratings_csv(found: Sequence[ratings.Rating]) -> bytes:
    """Ratings as a CSV in which no value is a formula; `ratings.from_csv` reads it."""
    return written(pd.DataFrame(ratings.rows_of(found), columns=ratings.COLUMNS, dtype=object), ".csv")


def _for_csv(value: Any) -> Any:  # noqa: ANN401
    """Several lines stay several lines; what hides or reorders text is spelled out."""
    if not isinstance(value, str):
        return value
    return neutral("\n".join(inert(line) for line in value.split("\n")))


def _prompt_names(run: Run, trials: pd.DataFrame) -> pd.Series:
    """The arm, with what tells its setting and base prompt from others where a run has several."""
    names = trials["arm"].astype(str)
    if only_whole(run.plan) and run.plan.prompts:
        names = trials["base_prompt"].astype(str) + names.map(lambda arm: AGAIN if arm == AA_ARM else "")
    elif trials["base_prompt"].nunique() > 1:
        names = names + " | base_prompt=" + trials["base_prompt"].astype(str)
    factors = {own: run.plan.setting_of[own].canonical() for own in trials["setting"].unique()}
    for name in dict.fromkeys(name for values in factors.values() for name in values):
        values = trials["setting"].map({own: str(found.get(name)) for own, found in factors.items()})
        if values.nunique() > 1:
            names = names + f" | {name}=" + values
    return names

"""Every item in every arm as one page without a script: a score in each cell, tasks folded where there are many items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.fragments import template
from promptlab.reporting.prepared import RIGHT
from promptlab.reporting.summary import Summary, summaries

MOST_OPEN = 400
"""Items up to which every task is open."""
MOST_CELLS = 30_000
"""Cells that a page holds; beyond, each task shows the items on which arms differ most, and counts the others."""
FEWEST = 5
"""Items that each task shows at least."""
INPUT = 80
"""Characters of an item's text that its row shows."""


class GridTask(NamedTuple):
    """A task of one model: the mean score of each arm, and rows of an item's id with its score in each arm (None: no score)."""

    name: str
    n_items: int
    n_differ: int
    means: list[float | None]
    rows: list[tuple[str, list[float | None]]]


def to_grid(report: Report) -> str:
    """The page: a table for each model and task, items down by how much arms differ on them, arms across by their estimate."""
    models = [(summary, *_of_model(report, summary)) for summary in summaries(report)]
    shown = {(task.name, item) for _, _, tasks in models for task in tasks for item, _ in task.rows}
    run = Run(report.folder) if report.folder else None
    rows = ((str(row["task"]), str(row["item"]), str(row["input"])) for row in run.each_item()) if run else ()
    texts = {(task, item): text[: INPUT + 1] for task, item, text in rows if (task, item) in shown}
    n_items = sum(task.n_items for _, _, tasks in models for task in tasks)
    return template("grid.html.j2").render(
        report=report, models=models, texts=texts, longest=INPUT, is_open=n_items <= MOST_OPEN, right=RIGHT, score=_score
    )  # fmt: skip


def _of_model(report: Report, summary: Summary) -> tuple[list[str], list[GridTask]]:
    by_prompt = bool(report.plan.prompts)
    keys = dict.fromkeys((row.setting, row.text_of, row.prompt if by_prompt else None) for row in summary.rows)
    names = {key: row.arm for row in reversed(summary.rows) for key in [(row.setting, row.text_of, row.prompt if by_prompt else None)]}
    mine = report.trials[report.trials["model"].eq(summary.model)]
    columns = ["setting", "arm", *(["base_prompt"] if by_prompt else [])]
    means = mine.groupby(["task", "item", *columns], observed=True, sort=False)["score"].mean().unstack(columns)
    kept = means.reindex(columns=pd.Index([key if by_prompt else key[:2] for key in keys]))
    most = max(FEWEST, MOST_CELLS // max(1, len(report.plan.tasks) * len(report.models) * max(1, len(keys))))
    return [names[key] for key in keys], list(_tasks(kept, most))


def _tasks(scores: pd.DataFrame, most: int) -> Iterator[GridTask]:
    for name, group in scores.groupby(level="task", sort=False, observed=True):
        spread = group.max(axis=1) - group.min(axis=1)
        order = spread.sort_values(ascending=False, kind="stable").index[:most]
        rows = [(str(item), _cells(group.loc[(task, item)])) for task, item in order]
        yield GridTask(str(name), len(group), int((spread > 0).sum()), _cells(group.mean()), rows)


def _cells(values: pd.Series[float]) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in values]


def _score(value: float | None) -> str:
    """A score from 0 to 1 in the fewest signs."""
    return "-" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")

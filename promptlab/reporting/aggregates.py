"""Scores of each arm on a whole task, next to the baseline's on the same items: what no single answer has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM
from promptlab.record.store import Run
from promptlab.reporting.names import AGAIN
from promptlab.reporting.rescore import item_of
from promptlab.reporting.table import Table, table
from promptlab.stats import aggregates as of
from promptlab.stats import prompt_names

Columns = Mapping[str, Sequence[Any]]
Measure = Callable[[Columns], float]
LABELS: Mapping[str, Measure] = {
    "macro F1": lambda c: of.f1(c["said"], c["gold"])[0],
    "weighted F1": lambda c: of.f1(c["said"], c["gold"])[1],
    "preference bias": lambda c: of.bias_of_labels(c["said"], c["gold"]),
}
NUMBERS: Mapping[str, Measure] = {
    "correlation": lambda c: of.correlation(c["said"], c["gold"]),
    "mean absolute error": lambda c: of.mean_absolute_error(c["said"], c["gold"]),
}
TEXTS: Mapping[str, Measure] = {f"distinct-{n}": partial(lambda c, n: of.distinct_n(c["answer"], n), n=n) for n in (1, 2)}
MOST_LABELS = 30


def aggregate_table(run: Run) -> Table:
    """F1 and preference bias where answers are labels, correlation and error where they are numbers, distinct-n elsewhere.

    A whole prompt is compared with the incumbent, and an added sentence with the prompt that it is added to.
    """
    trials, plan = run.trials(), run.plan
    several = len(prompt_names(plan)) > 1
    items = {(str(row["task"]), str(row["item"])): item_of(row) for row in run.each_item()}
    rows: list[list[Any]] = []
    scored = trials[(trials["outcome"] != "error") & (trials["replicate"] == 0)]
    for (model, setting, task), group in scored.groupby(["model", "setting", "task"], sort=False):
        by = group.groupby(["base_prompt", "arm"], sort=False, observed=True)
        sides_of = {(str(prompt), str(arm)): mine.drop_duplicates("item").set_index("item") for (prompt, arm), mine in by}
        gold = {item: found.targets[0] for (name, item), found in items.items() if name == task and found.targets}
        for (prompt, arm), mine in sides_of.items():
            control = (plan.incumbent or prompt if arm in (NONE_ARM, AA_ARM) else prompt, NONE_ARM)
            base = sides_of.get(control)
            if base is None or (prompt, arm) == control:
                continue
            shared = [item for item in mine.index if item in base.index]
            sides = [_columns(side.loc[shared], gold) for side in (mine, base)]
            for name, measure in _measures(gold, sides).items():
                try:
                    found = of.paired_bootstrap(measure, sides[0], sides[1], _clusters(mine.loc[shared]))
                except ValueError:
                    continue
                if math.isfinite(found.treatment) or math.isfinite(found.control):
                    a, b, diff, low, high = (f"{value:.3f}" if math.isfinite(value) else "-" for value in found[:5])
                    interval = "-" if "-" in (diff, low, high) else f"{low} to {high}"
                    alone = prompt if several else plan.called(NONE_ARM)
                    called = {NONE_ARM: alone, AA_ARM: f"{alone}{AGAIN}"}.get(arm, f"{alone} + {arm}" if several else arm)
                    rows.append([str(model), str(setting), str(task), name, called, a, b, diff, interval, str(len(shared))])
    note = "Next to the baseline on the same items; the interval is of the difference, by resampling items or clusters. Exploratory."
    heads = ("model", "setting", "task", "measure", "arm", "arm's", "baseline's", "difference", "95 % CI", "items")
    return table("Scores of whole tasks", note, heads, rows)


def _columns(frame: pd.DataFrame, gold: Mapping[str, str]) -> dict[str, list[Any]]:
    said = [str(text) if isinstance(text, str) else "" for text in frame["extracted"]]
    found: dict[str, list[Any]] = {"answer": [str(text) for text in frame["answer"]], "said": said}
    if all(item in gold for item in frame.index):
        found["gold"] = [gold[str(item)] for item in frame.index]
    numbers = [(_number(a), _number(b)) for a, b in zip(said, found.get("gold", ()), strict=False)]
    if numbers and all(a is not None and b is not None for a, b in numbers):
        found["said"], found["gold"] = [a for a, _ in numbers], [b for _, b in numbers]
    return found


def _measures(gold: Mapping[str, str], sides: Sequence[Columns]) -> Mapping[str, Measure]:
    if not gold:
        return TEXTS
    if all(isinstance(side.get("gold", [""])[0], float) for side in sides):
        return NUMBERS
    return LABELS if len(set(gold.values())) <= MOST_LABELS and all("gold" in side for side in sides) else {}


def _clusters(frame: pd.DataFrame) -> list[str] | None:
    if frame["cluster"].isna().all():
        return None
    return [str(item) if pd.isna(cluster) else str(cluster) for item, cluster in zip(frame.index, frame["cluster"], strict=True)]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

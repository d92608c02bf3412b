"""Stored answers under another scorer: no request is sent, and the record is not touched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from promptlab.nouns import NONE_ARM, SCORERS, Item, Metric, Plan, PlannedTask, Scored, Scorer
from promptlab.scoring.metrics import METRICS, scorer_metric

ASKED = ("task", "item", "model", "answer", "outcome", "score", "extracted", "rule")
MOST_KNOWN = 50_000
"""Scores that are kept for a second question; of hundreds of thousands of items each is scored once."""
Items = pd.DataFrame | Iterable[Mapping[str, Any]]
"""What `Run.items` gives, or `Run.each_item`."""
_Asked = tuple[Metric, str, str, str]
"""A metric, and the task, item and answer that it scores."""


def rescored(trials: pd.DataFrame, items: Items, plan: Plan, scorer: Scorer) -> pd.DataFrame:
    """The trials frame with `score`, `extracted` and `rule` by `scorer`; failed calls stay without a score.

    A metric that is not promptlab's own keeps what was recorded: it is the rule of every scorer, and opening a run must never load
    code, or run a pattern, that the run's folder names.
    """
    return _rescored(trials, _by_id(items), plan, scorer, {})


def _rescored(
    trials: pd.DataFrame, by_id: Mapping[tuple[str, str], Item], plan: Plan, scorer: Scorer, known: dict[_Asked, Scored]
) -> pd.DataFrame:
    """`known` holds scores by metric, which several scorers and models may share."""
    kinds = plan.task_of
    metrics: dict[tuple[str, str], Metric] = {}
    scores: list[float | None] = []
    readings: list[tuple[str | None, str | None]] = []
    asked = trials if "rule" in trials else trials.assign(rule=None)  # a run from before rules were recorded
    for task, item, model, answer, outcome, recorded, read, rule in zip(*(asked[c] for c in ASKED), strict=True):
        if outcome == "error":
            scores.append(None)
            readings.append((None, None))
            continue
        if kinds[task].metric not in METRICS:
            scores.append(None if pd.isna(recorded) else float(recorded))
            readings.append((read, rule))
            continue
        metric = metrics.get((task, model))
        if metric is None:
            metric = metrics[(task, model)] = _metric(scorer, kinds[task], model)
        place = (metric, task, item, answer)
        scored = known.get(place)
        if scored is None:
            if len(known) >= MOST_KNOWN:
                known.clear()
            scored = known[place] = metric(answer, by_id[(task, item)])
        scores.append(scored.score)
        readings.append((scored.extracted, scored.rule or None))
    extracted, rules = (
        (pd.Series(column, index=trials.index, dtype=object) for column in zip(*readings, strict=True)) if readings else ((), ())
    )
    return trials.assign(score=pd.array(scores, dtype="Float64").astype("float64"), extracted=extracted, rule=rules)


def scorer_table(trials: pd.DataFrame, items: Items, plan: Plan) -> pd.DataFrame:
    """One row for each model, setting, whole prompt and task: the baseline's mean score under every scorer, and how it answered.

    `normalised` is BIG-bench's preferred metric, 100 (raw - low) / (1 - low): 0 is guessing, and worse is negative.
    """
    kept = [name for name in (*ASKED, "arm", "setting", "base_prompt", "compliant", "echoed", "declined") if name in trials]
    base = trials.loc[trials["arm"] == NONE_ARM, kept]
    by_id = _by_id(items)
    known: dict[_Asked, Scored] = {}
    by_scorer = {scorer: _rescored(base, by_id, plan, scorer, known) for scorer in SCORERS}
    rows = []
    within = {"prompt": "base_prompt"} if plan.prompts else {}
    for task in plan.tasks:
        mine = base[base["task"] == task.name]
        for (model, setting, *of), group in mine.groupby(["model", "setting", *within.values()], sort=False, observed=True):
            row: dict[str, Any] = {
                "model": model,
                "setting": plan.setting_of[str(setting)].words,
                **dict(zip(within, of, strict=True)),
                "task": task.name,
                "n": len(group),
            }
            row |= {scorer: _mean(frame.loc[group.index, "score"]) for scorer, frame in by_scorer.items()}
            low, raw = task.low, row[plan.scorer or "reference"]
            row["normalised"] = None if low is None or raw is None else 100 * (raw - low) / (1 - low)
            row |= {flag: _mean(group[flag]) for flag in ("compliant", "echoed", "declined") if flag in group}
            rows.append(row)
    return pd.DataFrame(rows)


def _mean(values: pd.Series[Any]) -> float | None:
    known = values.dropna()
    return float(known.astype(float).mean()) if len(known) else None


def _by_id(items: Items) -> dict[tuple[str, str], Item]:
    rows: Any = items.to_dict("records") if isinstance(items, pd.DataFrame) else items
    return {(str(row["task"]), str(row["item"])): item_of(row) for row in rows}


def item_of(row: Mapping[str, Any]) -> Item:
    """The item of a row of the items file, whose lists are JSON, or of `Run.items`."""
    lists = (row["targets"], row["choices"], grades if isinstance(grades := row.get("scores"), str) else ())
    targets, choices, scores = (tuple(json.loads(part) if isinstance(part, str) else part) for part in lists)
    return Item(str(row["item"]), str(row["input"]), targets, choices, None, scores)


def scores_of(answer: str, item: Mapping[str, Any], plan: Plan, model: str) -> dict[str, float | None]:
    """The score of one stored answer under every scorer; None where the metric is not promptlab's own, which is not run here.

    `item` is a row of the items file: `suite`, `task`, `item`, `input`, and `targets`, `choices` and `scores` as JSON.
    """
    kind = plan.task_of.get(str(item["task"]))
    if kind is None or kind.metric not in METRICS:
        return dict.fromkeys(SCORERS)
    read = item_of(item)
    return {scorer: _metric(scorer, kind, model)(answer, read).score for scorer in SCORERS}


def _metric(scorer: Scorer, task: PlannedTask, model: str) -> Metric:
    """What a scorer makes of a task of the plan."""
    return scorer_metric(scorer, task.name, task.metric, task.strict, model, published=task.suite != "own")

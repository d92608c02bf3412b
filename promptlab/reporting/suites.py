"""Official minus twin: the baseline of one task on published items, and on items that no model has seen.

Public items may have been in a model's training data. The gap between the suites is where that would show; it also holds any
difference in difficulty between them, so a gap that several models share says more about the items than about the models.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from promptlab.nouns import NONE_ARM, Plan, PlannedModel, RunProblem, grouped
from promptlab.record.store import Run, runs_in
from promptlab.reporting.rescore import rescored
from promptlab.stats import unpaired_difference

SUITES = ("official", "twin")
CAVEAT = (
    "Official items are public and may have been in a model's training data; the twin's are promptlab's own. A gap can also come "
    "from items of another difficulty, so compare it between models."
)


def suite_gaps(run: Run, trials: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """One row for each model, setting and task that this run and the newest other run in its folder asked from both suites.

    Scores are means over items without any stimulus, as fractions; the last row of a model that shares several tasks is their
    mean. Both runs must agree in model, address, sampling and base prompts; the other run's answers are scored by this one's scorer.
    """
    mine = plan.suite
    if mine not in SUITES:
        return []
    other_suite = SUITES[1 - SUITES.index(mine)]
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    here = _item_means(trials)
    for folder in runs_in(run.folder.parent):
        if folder == run.folder:
            continue
        try:
            other = Run(folder)
            other_plan = other.plan
            if other_plan.suite != other_suite or not (models := _shared_models(plan, other_plan)):
                continue
            trials = other.trials()
            if plan.scorer not in (None, other_plan.scorer):
                trials = rescored(trials, other.items(), other_plan, plan.scorer)
            theirs = _item_means(trials)
        except (RunProblem, OSError, KeyError):
            continue  # a run of an older format, or one that is being written
        for key, values in here.items():
            name = models.get(key[0])
            same = None if name is None else theirs.get((name, *key[1:]))
            prompts = [task.base_prompts if (task := p.task_of.get(key[-1])) else None for p in (plan, other_plan)]
            if same is not None and key not in found and prompts[0] == prompts[1]:
                official, twin = (values, same) if mine == "official" else (same, values)
                found[key] = _row(plan, key, official, twin, other.id)
    return _with_means(list(found.values()))


def _shared_models(plan: Plan, other: Plan) -> dict[str, str]:
    """This run's name for each model, and the other's, where both send the same to the same address."""
    if plan.sampling != other.sampling:
        return {}
    theirs = {_sent(m): m.name for m in other.models}
    keys = {m.name: _sent(m) for m in plan.models}
    return {name: theirs[key] for name, key in keys.items() if key in theirs}


def _sent(model: PlannedModel) -> tuple[str, str | None, str]:
    return model.litellm_name, model.api_base, json.dumps(model.sampling or {}, sort_keys=True)


def _item_means(trials: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """By model, setting and task: the mean score of each item without any stimulus, and its cluster."""
    base = trials[(trials["arm"] == NONE_ARM) & trials["score"].notna()]
    keys = ["model", "setting", "task"]
    means = base.groupby([*keys, "item"], observed=True, sort=False).agg(score=("score", "mean"), cluster=("cluster", "first"))
    groups = means.reset_index().groupby(keys, observed=True, sort=False)
    return {tuple(map(str, key if isinstance(key, tuple) else (key,))): group for key, group in groups}


def _row(plan: Plan, key: tuple[str, ...], official: pd.DataFrame, twin: pd.DataFrame, other: str) -> dict[str, Any]:
    gap = unpaired_difference(official["score"].to_numpy(float), twin["score"].to_numpy(float), _clusters(official), _clusters(twin))
    setting, (low, high) = plan.setting_of[key[1]], gap.ci or (None, None)
    means = {"n_official": len(official), "official": float(official["score"].mean()),
             "n_twin": len(twin), "twin": float(twin["score"].mean())}  # fmt: skip
    place = {"model": key[0], "simulated": plan.model_of[key[0]].simulated, "setting": setting.id, **setting.canonical(), "task": key[-1]}
    figures = {"diff": gap.diff, "se": gap.se, "ci_low": low, "ci_high": high, "method": gap.method}
    return {**place, **means, **figures, "other_run": other}


def _clusters(items: pd.DataFrame) -> list[str] | None:
    if items["cluster"].isna().all():
        return None
    return [str(c) if isinstance(c, str) else f"item {i}" for c, i in zip(items["cluster"], items["item"], strict=True)]


def _with_means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of each model and setting, then their mean over these tasks, with the items' own errors."""
    groups = grouped(((row["model"], row["setting"]), row) for row in rows)
    out: list[dict[str, Any]] = []
    for group in groups.values():
        out += group
        k = len(group)
        if k < 2:
            continue
        means = {name: sum(row[name] for row in group) / k for name in ("official", "twin", "diff")}
        known = [row["se"] for row in group if row["se"] is not None]
        se = math.sqrt(sum(s**2 for s in known)) / k if len(known) == k else None
        ends = (None, None) if se is None else (max(-1.0, means["diff"] - 1.96 * se), min(1.0, means["diff"] + 1.96 * se))
        counts = {name: sum(row[name] for row in group) for name in ("n_official", "n_twin")}
        others = "; ".join(dict.fromkeys(row["other_run"] for row in group))
        method = f"mean over these {k} tasks, normal"
        figures = {"se": se, "ci_low": ends[0], "ci_high": ends[1], "method": method, "other_run": others}
        out.append({**group[0], "task": None, **counts, **means, **figures})
    return out

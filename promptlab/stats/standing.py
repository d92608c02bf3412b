"""Each arm by itself: its score with an interval, what an answer costs, and how many answers are not whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promptlab.nouns import InSetting, Plan, Setting
from promptlab.stats import laws as st
from promptlab.stats.intervals import Interval, error_of_mean, wilson
from promptlab.stats.outcomes import ends
from promptlab.stats.tables import averaged, clusters_of

THOUSAND = 1000.0
ENDS = {"truncated": ("truncated",), "refused": ("refused",), "failed": ("error",), "empty": ("empty", "thought_only")}
"""What counts as which share of answers that are not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(InSetting):
    """One arm of one model. Scores and shares are fractions, `tokens` a mean and `seconds` a median for each answer; None is unknown.

    `prompt` is the prompt where prompts are arms; elsewhere base prompts are averaged inside the item. `items` counts items with a
    score. The score is the mean over tasks, each with equal weight, and its interval is about these tasks.
    """

    model: str
    setting: Setting
    prompt: str | None
    arm: str
    role: str
    answers: int
    items: int
    score: float | None
    score_low: float | None
    score_high: float | None
    tokens: float | None
    usd_per_1000: float | None
    seconds: float | None
    truncated: float
    empty: float
    refused: float
    failed: float
    """Calls that failed; their answers have no score."""


def standings(trials: pd.DataFrame, plan: Plan) -> list[Standing]:
    """Every arm of every model and setting, in the order of the plan."""
    if trials.empty:
        return []
    trials = _pooled(trials, plan)
    within = ["base_prompt", "arm"] if plan.prompts and "base_prompt" in trials else ["arm"]
    scores = _scores(trials, within)
    keys = ["model", "setting", *within]
    ended = ends(trials)
    facts = pd.DataFrame({name: trials[name].astype(str) for name in keys})
    facts["role"] = trials["role"].astype(str)
    failed = ended.eq("error")
    tokens = trials.reindex(columns=["input_tokens", "output_tokens"]).astype(float)
    facts["tokens"] = (tokens["input_tokens"] + tokens["output_tokens"]).where(~failed)
    facts["usd"] = trials.reindex(columns=["cost_usd"])["cost_usd"].astype(float).where(~failed)
    cached = trials["cached"].astype(bool) if "cached" in trials else pd.Series(False, index=trials.index)
    facts["seconds"] = trials.reindex(columns=["latency_s"])["latency_s"].astype(float).where(~failed & ~cached)
    facts["unpriced"] = facts["usd"].isna() & ~failed
    for name, end in ENDS.items():
        facts[name] = ended.isin(end)
    groups = facts.groupby(keys, sort=False)
    means = groups[["tokens", "usd", "unpriced", "truncated", "refused", "failed", "empty"]].mean()
    sizes, medians, roles = groups.size(), groups["seconds"].median(), groups["role"].first()
    found = []
    for key in means.index:
        row = means.loc[key]
        model, setting, *rest = key
        n_items, score, ci = scores.get(tuple(key), (0, None, None))
        found.append(
            Standing(
                model=model, setting=plan.setting_of[setting], prompt=rest[0] if len(rest) > 1 else None, arm=rest[-1], role=roles[key],
                answers=int(sizes[key]), items=n_items, score=score, score_low=ci[0] if ci else None, score_high=ci[1] if ci else None,
                tokens=_known(row["tokens"]), usd_per_1000=None if row["unpriced"] > 0 else _known(row["usd"], THOUSAND),
                seconds=_known(medians[key]), truncated=float(row["truncated"]), empty=float(row["empty"]),
                refused=float(row["refused"]), failed=float(row["failed"]),
            )
        )  # fmt: skip
    return sorted(found, key=_order(plan))


def _pooled(trials: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The trials with the levels of a random factor as one setting: they stand for others like them, and none is an arm of its own."""
    random = next((factor for factor in plan.factors if factor.random and factor.of), None)
    if random is None:
        return trials
    others = [factor for factor in plan.factors if factor is not random]

    def like(setting: str) -> tuple[object, ...]:
        return tuple(factor.of.get(setting) for factor in others)

    first = {like(setting): setting for setting, level in random.of.items() if level == random.reference}
    return trials.assign(setting=trials["setting"].astype(str).map(lambda setting: first.get(like(setting), setting)))


def _order(plan: Plan) -> Callable[[Standing], tuple[int, ...]]:
    models, settings = (list(names) for names in (plan.model_of, plan.setting_of))
    arms = [arm.name for arm in plan.arms]
    prompts = [p.name for p in plan.prompts]

    def key(s: Standing) -> tuple[int, ...]:
        prompt = prompts.index(s.prompt) if s.prompt in prompts else -1
        return models.index(s.model), settings.index(s.setting.id), prompt, arms.index(s.arm)

    return key


def _known(value: float, scale: float = 1.0) -> float | None:
    return None if math.isnan(value) else float(value) * scale


def _scores(trials: pd.DataFrame, within: Sequence[str]) -> dict[tuple[str, ...], tuple[int, float, Interval | None]]:
    """Items with a score, the mean over tasks and its interval, by model, setting and the values of `within`."""
    columns: dict[tuple[str, ...], list[tuple[np.ndarray, np.ndarray | None]]] = {}
    clusters = clusters_of(trials)
    for place, task, items, values, means, counts, _ in averaged(trials, within):
        of_task = clusters.get(task)
        named = np.array([of_task.get(item, item) for item in items], dtype=object) if of_task else None
        for at in np.ndindex(*map(len, values)):
            column, here = means[(slice(None), *at)], counts[(slice(None), *at)] > 0
            if here.any():
                key = (*place, *(str(names[i]) for names, i in zip(values, at, strict=True)))
                columns.setdefault(key, []).append((column[here], None if named is None else named[here]))
    return {key: (sum(len(x) for x, _ in tasks), *mean_score(tasks)) for key, tasks in columns.items()}


def mean_score(tasks: Sequence[tuple[np.ndarray, np.ndarray | None]], conf: float = 0.95) -> tuple[float, Interval | None]:
    """The mean over tasks of the mean over items, with a two-sided interval about these tasks; each task as item scores and clusters.

    Right-or-wrong scores without clusters take Wilson's interval at the number of items that gives the mean over tasks its variance
    (Wilson 1927; Korn and Graubard 1998); other scores take t with the tasks' own errors, which are robust where items come in
    clusters. None where a task has a single item and scores are graded.
    """
    mean = float(np.mean([x.mean() for x, _ in tasks]))
    errors = [error_of_mean(x, None if clusters is None else list(clusters)) for x, clusters in tasks]
    variances = np.array([(error or 0.0) ** 2 for error, _ in errors])
    total = float(variances.sum())
    plain = all(clusters is None for _, clusters in tasks) and all(np.isin(x, (0.0, 1.0)).all() for x, _ in tasks)
    if plain:
        n = float(sum(len(x) for x, _ in tasks))
        n = min(n, mean * (1 - mean) * len(tasks) ** 2 / total) if total > 0 and 0 < mean < 1 else n
        return mean, wilson(mean * n, n, conf)
    if any(error is None for error, _ in errors):
        return mean, None
    if total <= 0:
        return mean, (mean, mean)
    df = total**2 / float((variances**2 / np.array([df for _, df in errors])).sum())
    half = float(st.t.ppf((1 + conf) / 2, df)) * math.sqrt(total) / len(tasks)
    return mean, (max(0.0, mean - half), min(1.0, mean + half))

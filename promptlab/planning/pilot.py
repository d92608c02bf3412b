"""A pilot: a few paid answers before a sweep, which measure how many items change between two runs of one prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, UsageProblem
from promptlab.planning.study import Study
from promptlab.stats import accuracy_ci

TASKS, ITEMS = 3, 20


def pilot_of(study: Study) -> Study:
    """The study's baseline and A/A arm on the first items of a few tasks: the same requests as in the sweep, so the cache keeps them."""
    arms = tuple(a for a in study.design.arms if a.role in ("baseline", "aa") and not a.loop and not a.program)
    if not arms:
        raise UsageProblem("a pilot asks the plain baseline and its repeat, which this experiment does not have")
    tasks = tuple(replace(task, items=task.items[:ITEMS]) for task in study.design.tasks[:TASKS])
    twice = next(arm.setting for arm in arms if arm.role == "aa")
    own = tuple(arm for arm in arms if arm.setting == twice)
    experiment = study.experiment.model_copy(update={"name": f"{study.experiment.name[:57]}-pilot"})
    return replace(study, experiment=experiment, design=replace(study.design, tasks=tasks, arms=own), notes=())


def pilot_shows(trials: pd.DataFrame) -> dict[str, Any]:
    """Of the model whose answers change most, and under `models` of each: the share of items that scored differently when sent again, with
    its upper 80 % limit; baseline, tokens an answer.
    """
    found = {str(model): _pilot_shows(own) for model, own in trials.groupby("model", observed=True)}
    model, most = max(found.items(), key=lambda one: one[1]["discordance_high"])
    return {**most, "model": model, "models": found}


def _pilot_shows(trials: pd.DataFrame) -> dict[str, Any]:
    """The same of one model."""
    wide = trials.groupby(["task", "item", "arm"], observed=True)["score"].mean().unstack("arm").dropna()
    changed, of = int((wide[AA_ARM] != wide[NONE_ARM]).sum()), len(wide)
    if not of:
        raise UsageProblem(f"the pilot has no item of {trials['model'].iloc[0]} with two scores; look at its run for the errors")
    return {
        "changed": changed,
        "of": of,
        "discordance": changed / of,
        "discordance_high": max(accuracy_ci(changed, of, conf=0.6).wilson[1], 0.01),
        "baseline": float(wide[NONE_ARM].mean()),
        "tokens_out": None if trials["output_tokens"].isna().any() else round(float(trials["output_tokens"].mean()), 1),
    }

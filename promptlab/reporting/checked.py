"""What a report refuses: a run whose folder shows, without a key and in little time, that it is not what was frozen and recorded."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd

from promptlab.nouns import OWN_PROMPT, UNREADABLE, Plan, RunProblem, Setting, canonical_json, digest_of_text, first_line, plain_json
from promptlab.planning import rebuilt
from promptlab.record.store import Run
from promptlab.reporting.earlier import own_rows
from promptlab.reporting.rescore import rescored

MOST_SCORED = 20_000
"""Trials that a report scores again: all of them, or as many drawn again each time. `promptlab audit` scores all."""
REMEDY = "`promptlab audit` lists every check; --force writes the report all the same, with this on it"


def failures(run: Run, trials: pd.DataFrame | None = None, most: int = MOST_SCORED) -> list[str]:
    """Why the figures of a run are not to be believed, each in a clause; empty where nothing is found."""
    try:
        plan = run.plan
        found = rebuilt.problems(run)
        frame = run.trials(compact=True) if trials is None else own_rows(trials, plan)
        return [*found, *_incomplete(run, plan, frame), *_of_trials(run, plan, frame, most)]
    except RunProblem:
        raise
    except UNREADABLE as error:
        return [f"it cannot be checked ({first_line(error)})"]


def checked(run: Run, force: bool = False, trials: pd.DataFrame | None = None) -> list[str]:
    """`failures`; RunProblem where there are any, unless `force`."""
    found = failures(run, trials)
    if not force:
        rebuilt.refuse(run.id, found, REMEDY)
    return found


def _incomplete(run: Run, plan: Plan, trials: pd.DataFrame) -> list[str]:
    n = trials["trial"].nunique()
    if run.manifest.state != "complete" or plan.looks or plan.confirm or plan.imported or n >= plan.counts.trials:
        return []
    return [f"the manifest says complete, and {plan.counts.trials - n:,} of {plan.counts.trials:,} planned trials are not there"]


def _of_trials(run: Run, plan: Plan, trials: pd.DataFrame, most: int) -> list[str]:
    if plan.imported or plan.scorer is None or trials.empty:
        return []
    some = trials
    if len(trials) > most:
        drawn = np.random.default_rng(random.SystemRandom().randrange(2**63)).choice(len(trials), most, replace=False)
        some = trials.iloc[np.sort(drawn)]
    of = "" if some is trials else f" (of {most:,} drawn at random)"
    found = []
    again = rescored(some, run.each_item(), plan, plan.scorer)
    was, now = some["score"].astype(float).to_numpy(), again["score"].astype(float).to_numpy()
    if n := int((~np.isclose(was, now, rtol=0, atol=1e-9, equal_nan=True)).sum()):
        found.append(f"{n:,} stored scores{of} are not those of the stored answers; where another version scored them, `promptlab rescore`")
    if n := sum(identity not in ids for identity, ids in _identities(some, plan)):
        found.append(f"{n:,} trials{of} are not what their ids say")
    return found


def _identities(trials: pd.DataFrame, plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    """The id of each trial, and those that its columns may stand for."""
    settings: dict[str, Setting] = {str(name): plan.setting_of[str(name)] for name in trials["setting"].unique()}
    columns = ("trial", "suite", "task", "item", "arm", "base_prompt", "setting", "model", "replicate")
    return [
        (trial, _ids([f"{suite}/{task}", item, arm], prompt, settings[setting], [model, int(replicate)]))
        for trial, suite, task, item, arm, prompt, setting, model, replicate in zip(*(trials[c] for c in columns), strict=True)
    ]


def _ids(before: list[str], prompt: str, s: Setting, after: list[object]) -> tuple[str, ...]:
    sampling = [canonical_json(dict(s.sampling))] if s.sampling else []
    prompts = (prompt,) if prompt else (None, "", OWN_PROMPT)
    return tuple(
        digest_of_text(plain_json([*before, one, s.placement, s.shots, s.strategy, *after, *sampling]))[:20] for one in prompts
    )  # fmt: skip

"""What a report refuses: a run whose folder shows, without a key and in little time, that it is not what was frozen and recorded."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import OWN_PROMPT, LookRow, Plan, ScreenRow, Setting, canonical_json, counted, digest_of_text, plain_json
from promptlab.nouns.errors import UNREADABLE, RunProblem, first_line
from promptlab.planning import rebuilt
from promptlab.planning.earlier import earlier_run
from promptlab.planning.rebuilt import by_another_version
from promptlab.record import ratings, registry
from promptlab.record.store import Run, frozen_plan
from promptlab.record.store.files import damaged_lines, journal_of
from promptlab.reporting.against_calls import contradictions
from promptlab.reporting.earlier import own_rows
from promptlab.reporting.rating import strange
from promptlab.reporting.remade import differing
from promptlab.reporting.rescore import rescored
from promptlab.stats import Looks, Screening

MOST_SCORED = 1_000
"""Trials that a report scores again: all of them, or as many drawn again each time. `promptlab audit` scores all."""
LISTS = "`promptlab audit {}` lists every check"
REMEDY = f"{LISTS}; --force continues all the same, with this on every page"
"""What to do about a run that fails its audit, with a place for its folder."""
SETS_ASIDE = (
    "`promptlab audit {0}` lists every check; `promptlab runs repair {0}` sets the damaged lines of its journal aside; "
    "--force continues all the same, with this on every page"
)
"""The same where lines of the journal can be read no more."""


def failures(run: Run, trials: pd.DataFrame | None = None, most: int = MOST_SCORED, *, just_made: bool = False) -> list[str]:
    """Why the figures of a run are not to be believed, each in a clause; empty where nothing is found.

    `trials` are those of a report; a run that screens is read again, because its report holds the confirming part only. With `just_made`
    this process has made each trial from the experiment and its answers: it does not make any of them again.
    """
    try:
        plan, _ = frozen = frozen_plan(run.folder)
        found = rebuilt.problems(run, frozen)
        frame = run.trials(compact=True) if trials is None or plan.confirm else own_rows(trials, plan)
        checks = (
            _incomplete(run, plan, frame),
            [] if just_made else _of_trials(run, plan, frame, most),
            [] if just_made else _of_record(run, plan, frame),
            _of_choices(run, plan),
            _of_earlier(run, plan),
            _of_known(run),
        )
        if n := len(strange(run, ratings.ratings_of(run.folder))):
            found.append(f"{counted(n, 'rating', 'is')} of other answers than those of this run")
        return [*found, *ratings.unlike(run.folder), *chain.from_iterable(checks)]
    except RunProblem:
        raise
    except UNREADABLE as error:
        return [f"it cannot be checked ({first_line(error)})"]


def checked(run: Run, force: bool = False, trials: pd.DataFrame | None = None, remedy: str = REMEDY) -> list[str]:
    """`failures`; RunProblem where there are any, unless `force`."""
    found = failures(run, trials)
    if found and not force:
        damaged = remedy == REMEDY and damaged_lines(journal_of(run.folder))
        rebuilt.refuse(run.folder, found, SETS_ASIDE if damaged else remedy)
    return found


def _of_earlier(run: Run, plan: Plan) -> list[str]:
    """What fails of the run that a comparison was planned with: its answers are half of every such figure."""
    other = earlier_run(plan, run.folder)
    return [] if other is None else [f"{other.id}, which it is compared with: {said}" for said in failures(other)]


def _of_known(run: Run) -> list[str]:
    """Earlier plans that the manifest describes otherwise than this machine's registry, or that are younger than the run."""
    known = registry.read().plans
    found = []
    for name, said in run.manifest.earlier.items():
        here = {**known[name], "at": said.get("at")} if name in known else {}
        if here.get("plan") == said.get("plan") and here != said:
            found.append(f"the manifest says of the plan of {name} what the registry here does not")
        if str(said.get("at", "")) > run.manifest.updated_at:
            found.append(f"the manifest says that the plan of {name} is earlier, and got its first answer after this run")
    return found


def _incomplete(run: Run, plan: Plan, trials: pd.DataFrame) -> list[str]:
    n = trials["trial"].nunique()
    if run.manifest.state != "complete" or plan.looks or plan.confirm or plan.imported or n >= plan.counts.trials:
        return []
    return [f"the manifest says complete, and {plan.counts.trials - n:,} of {plan.counts.trials:,} planned trials are not there"]


def _of_record(run: Run, plan: Plan, trials: pd.DataFrame) -> list[str]:
    """Whether trials, calls, manifest and experiment agree; an imported run holds no calls of its own."""
    if plan.imported or trials.empty:
        return []
    try:
        return [*contradictions(run, plan, trials), *differing(run)]
    except RunProblem as error:  # the trials can be read without their calls, so this is a finding
        return [first_line(error)]


def _of_trials(run: Run, plan: Plan, trials: pd.DataFrame, most: int) -> list[str]:
    if plan.imported or plan.scorer is None or trials.empty:
        return []
    some = trials
    if len(trials) > most:
        drawn = np.random.default_rng(random.SystemRandom().randrange(2**63)).choice(len(trials), most, replace=False)
        some = trials.iloc[np.sort(drawn)]
    of = "" if some is trials else f" (of {most:,} drawn at random)"
    found = []
    items = list(run.each_item(set(some["item"].astype(str))))
    again = rescored(some, items, plan, plan.scorer)
    was, now = some["score"].astype(float).to_numpy(), again["score"].astype(float).to_numpy()
    if n := int((~np.isclose(was, now, rtol=0, atol=1e-9, equal_nan=True)).sum()):
        found.append(f"{n:,} stored scores{of} are not those of the stored answers; where another version scored them, `promptlab rescore`")
    roles = {(arm.name, arm.role) for arm in plan.arms}
    clusters = {(str(row["task"]), str(row["item"])): row["cluster"] for row in items}
    if n := sum(pair not in roles for pair in zip(some["arm"], some["role"], strict=True)):
        found.append(f"{counted(n, 'trial')}{of} with another role than the arm has in the plan")
    held = zip(some["task"], some["item"], some["cluster"].astype(object).where(some["cluster"].notna(), None), strict=True)
    if n := sum(clusters.get((task, item)) != cluster for task, item, cluster in held):
        found.append(f"{counted(n, 'trial')}{of} in another cluster than the item")
    if n := sum(identity not in ids for identity, ids in _identities(some, plan)):
        found.append(f"{counted(n, 'trial')}{of} with an id of another trial")
    return found


def _of_choices(run: Run, plan: Plan) -> list[str]:
    """Whether arms were chosen, or stopped, as the answers of that time say, and whether each answer is in the part where its item is.

    Not where answers of a part came after it had ended, which may have been chosen without them, nor where another version chose.
    """
    if plan.imported or not (plan.confirm or plan.looks) or by_another_version(run):
        return []
    trials = run.trials(compact=True)
    if odd := _misplaced(run, plan, trials):
        return [f"{counted(odd, 'trial', 'is')} in another part of the items than the plan has them in"]
    ends = [plan.confirm.order] if plan.confirm else [look.order for look in plan.looks[:-1]]
    orders = run.orders()
    for end in ends:
        before, after = np.flatnonzero(orders < end), np.flatnonzero(orders >= end)
        if len(before) and len(after) and before[-1] > after[0]:
            return []
    said = run.looks
    was: set[tuple[Any, ...]]
    now: set[tuple[Any, ...]]
    if plan.confirm:
        chosen, again = Screening.thawed(plan, said), Screening(plan).decided(trials)
        begun = set(trials.loc[trials["order"] >= plan.confirm.order, "model"].astype(str))
        was, now = ({_chosen(row) for row in one.rows if row.model in begun} for one in (chosen, again))
    else:
        looks, anew = Looks.thawed(plan, said), Looks(plan)
        for number, end in enumerate(ends):
            if (orders >= end).any():
                anew.decide(trials, number)
        was, now = (
            {_decided(row) for row in one.rows if row.look < len(ends) and (orders >= ends[row.look]).any()} for one in (looks, anew)
        )
    return [f"looks.json differs from what the answers decide in {counted(len(was ^ now), 'row')}"] if was != now else []


def _chosen(row: ScreenRow) -> tuple[Any, ...]:
    return row.question, row.setting.id, row.treatment, row.chosen


def _decided(row: LookRow) -> tuple[Any, ...]:
    return row.look, row.model, row.setting.id, row.treatment, row.decision


def _misplaced(run: Run, plan: Plan, trials: pd.DataFrame) -> int:
    """Trials whose order is of another part than their item: the screening part, or the items up to an interim analysis."""
    place: dict[tuple[str, str], int] = {}
    counts: Counter[str] = Counter()
    for row in run.each_item():
        place[str(row["task"]), str(row["item"])] = counts[str(row["task"])]
        counts[str(row["task"])] += 1
    parts: list[tuple[int, Sequence[int]]] = [(look.order, look.items) for look in plan.looks[:-1]]
    if plan.confirm:
        parts = [(plan.confirm.order, [len(plan.confirm.screening[task.name]) for task in plan.tasks])]
    n = 0
    at = np.array([place[key] for key in zip(trials["task"].astype(str), trials["item"].astype(str), strict=True)], dtype=int)
    for order, sizes in parts:
        size = trials["task"].astype(str).map(dict(zip((task.name for task in plan.tasks), sizes, strict=True))).to_numpy()
        n += int(((at < size) != (trials["order"].to_numpy() < order)).sum())
    return n


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

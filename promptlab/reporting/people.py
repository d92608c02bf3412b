"""Labels by people: which ratings count, and the item differences of each rater.

A rater's difference is between answers that this rater saw, so that a harsh and a mild one cannot make a difference between arms. Ratings
count within the random sample that `promptlab rate` draws, in its order, up to the first ten items that nobody finished.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, ArmRef, Contrast, Plan, grouped
from promptlab.record.ratings import Rating
from promptlab.scoring.judged import COMBINED, Judging, judging_of
from promptlab.stats import ItemTable, item_tables, krippendorff_alpha

PAIR_VALUES = {"A": 1.0, "tie": 0.5, "B": 0.0}
WINDOW = 10
"""Units within which the order is a rater's own: whoever stops early has still rated a random part."""
MANY_ALIKE = 10
"""Ratings that may not all be the same: whoever says one thing of so many answers tells nothing of any."""
ATTENTION = 2
LEAST_ALPHA = 0.667
"""Agreement below which Krippendorff (2004) draws no conclusions."""
LEAST_REPEATS = 3
Tables = Mapping[Any, Mapping[str, ItemTable]]


@dataclass(frozen=True, slots=True)
class People:
    """Labels by people: of each rater one value from 0 to 1 for each rated trial; and every single rating."""

    by_rater: Mapping[str, Mapping[str, float]]
    ratings: Sequence[Rating]
    visited: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of each rater the trials that were rated, or could not be judged."""
    bases: frozenset[str] = frozenset()
    """Trials of the baseline in rated pairs."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Raters whose ratings do not count, and why."""

    @property
    def by_trial(self) -> dict[str, float]:
        """The mean over raters."""
        return means(self.by_rater.values())


def means(of_each: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of what several raters say of each thing."""
    found = grouped((name, value) for said in of_each for name, value in said.items())
    return {name: sum(values) / len(values) for name, values in found.items()}


def judgings(plan: Plan) -> dict[str, Judging]:
    """How each task is judged whose score is a judge's alone, by task."""
    found = {task.name: judging_of(task.metric, task.scoring or {}) for task in plan.tasks}
    return {name: judging for name, judging in found.items() if judging is not None}


def people(ratings: Iterable[Rating], plan: Plan, trials: pd.DataFrame) -> People:
    """Labels by people of the run's trials, over rubrics in parts of the scale; the last word of a rater on the same answers counts."""
    judging, every = judgings(plan), list(ratings)
    rows = trials[trials["task"].isin(judging)]
    task_of, arm_of = (dict(zip(rows["trial"], rows[name], strict=True)) for name in ("task", "arm"))
    own = {(one.rater, *sorted((one.trial_a, one.trial_b))): one for one in every if one.kind == "rate" and one.trial_a in task_of}
    left_out = careless([one for one in every if one.trial_a in task_of], {name: how.low for name, how in judging.items()}, task_of)
    labels: dict[str, dict[str, float]] = {}
    visited: dict[str, set[str]] = {}
    incumbent, bases = incumbents(rows), set()
    for one in own.values():
        if one.rater in left_out:
            continue
        how, mine = judging[task_of[one.trial_a]], labels.setdefault(one.rater, {})
        visited.setdefault(one.rater, set()).update(filter(None, (one.trial_a, one.trial_b)))
        if how.kind == "pairwise":
            share = PAIR_VALUES.get(str(one.values.get("", "")))
            if share is None or one.trial_b not in arm_of:
                continue
            is_base = arm_of[one.trial_a] == NONE_ARM and (arm_of[one.trial_b] != NONE_ARM or one.trial_a in incumbent)
            base, other = (one.trial_a, one.trial_b) if is_base else (one.trial_b, one.trial_a)
            mine |= {other: 1 - share if is_base else share, base: 0.5}
            bases.add(base)
        else:
            values = [v for v in one.values.values() if isinstance(v, int | float) and how.low <= v <= how.high]
            if values and len(values) == len(how.rubrics):
                mine[one.trial_a] = (COMBINED[how.combine](values) - how.low) / (how.high - how.low)
    return People(labels, [*own.values()], {rater: frozenset(seen) for rater, seen in visited.items()}, frozenset(bases), left_out)


def incumbents(trials: pd.DataFrame) -> frozenset[str]:
    """The baseline's trials in the setting and prompt in which it is repeated: what prompts and settings are compared with."""
    place = pd.MultiIndex.from_frame(trials[["setting", "base_prompt"]])
    where = place.isin(place[trials["arm"] == AA_ARM].unique()) & (trials["arm"] == NONE_ARM).to_numpy()
    return frozenset(trials.loc[where, "trial"])


def contrasts(plan: Plan) -> dict[str, Contrast]:
    """What a judged run compares, by name: every arm with the baseline in every setting, and planned contrasts of prompts and settings."""
    several = len(plan.model_of) > 1
    found = {f"{h.model} " * several + h.contrast.name: h.contrast for h in plan.hypotheses if h.contrast}
    arms = [arm.name for arm in plan.arms if arm.name not in (NONE_ARM, AA_ARM)]
    for model, setting, name in ((m, s, arm) for m in plan.model_of for s in plan.settings for arm in arms):
        refs = tuple((ArmRef(model=model, setting=setting.id, arm=arm), sign) for arm, sign in ((name, 1.0), (NONE_ARM, -1.0)))
        where = [*([model] if several else []), name, *([setting.words] if len(plan.settings) > 1 else [])]
        found[" ".join(where)] = Contrast(name=name, weights=refs)
    return found


def careless(ratings: Sequence[Rating], lowest: Mapping[str, int], task_of: Mapping[str, str]) -> dict[str, str]:
    """Raters who say one thing of all answers, or miss every item that asks for attention; and which of both."""
    found = {}
    for rater in dict.fromkeys(one.rater for one in ratings):
        mine = [one for one in ratings if one.rater == rater and one.values]
        first = {one.unit: one for one in mine if one.kind == "rate"}
        said = {str(value) for one in first.values() for value in one.values.values()}
        seen = attentive(mine, lowest, task_of)
        if len(first) >= MANY_ALIKE and len(said) == 1:
            found[rater] = f"rated all {len(first)} alike"
        elif len(seen) >= ATTENTION and not any(seen):
            found[rater] = f"missed all {len(seen)} attention items"
    return found


def attentive(ratings: Sequence[Rating], lowest: Mapping[str, int], task_of: Mapping[str, str]) -> list[bool]:
    """Whether one rater saw through each attention unit; without those of an answer that could not be judged itself."""
    first = {one.unit: one for one in ratings if one.kind == "rate" and one.values}
    own = [one for one in ratings if one.kind == "attention" and one.values and (one.trial_b or one.unit in first)]
    return [_noticed(one, first.get(one.unit), lowest[task_of[one.trial_a]]) for one in own]


def _noticed(one: Rating, first: Rating | None, lowest: float) -> bool:
    """Equal answers tie, and a spoilt one is rated below the whole, or lowest."""
    if one.trial_b:
        return one.values.get("") == "tie"
    spoilt = list(map(float, one.values.values()))
    return first is not None and (sum(spoilt) < sum(map(float, first.values.values())) or max(spoilt) <= lowest)


def repeats_of(rater: str, ratings: Sequence[Rating]) -> list[bool]:
    """Whether a rater said the same again of each unit that was shown twice, whichever side the answers were on."""
    mine = [one for one in ratings if one.rater == rater]
    first = {one.unit: one for one in mine if one.kind == "rate"}
    return [_as_rated(first[one.unit]) == _as_rated(one) for one in mine if one.kind == "repeat" and one.unit in first]


def _as_rated(one: Rating) -> tuple[Any, ...]:
    choice = one.values.get("")
    if one.trial_b and choice in ("A", "B"):
        return ("wins", one.trial_a if choice == "A" else one.trial_b)
    return tuple(sorted(one.values.items()))


def said_by(ratings: Sequence[Rating]) -> dict[str, dict[str, float]]:
    """Of each rater a number for each rubric of each unit, of pairs as if the sides were the same for all."""
    values: dict[str, dict[str, float]] = {}
    for one in ratings:
        for name, value in one.values.items():
            number = PAIR_VALUES.get(str(value)) if isinstance(value, str) else float(value)
            if number is not None:
                unit = "|".join(sorted(filter(None, (one.trial_a, one.trial_b))))
                flipped = bool(one.trial_b) and one.trial_a > one.trial_b
                values.setdefault(one.rater, {})[f"{unit}|{name}"] = 1 - number if flipped else number
    return values


def alpha_of(values: Mapping[str, Mapping[str, float]]) -> float:
    """Krippendorff's ordinal alpha of what several raters said; nan where it is not defined."""
    keys = sorted({key for of in values.values() for key in of})
    return or_nan(lambda: krippendorff_alpha([[of.get(key) for key in keys] for of in values.values()], level="ordinal"))


def or_nan(of: Callable[[], float]) -> float:
    """A figure; nan where it is not defined."""
    try:
        with np.errstate(all="ignore"):
            return float(of())
    except ValueError:
        return math.nan


def doubts(found: People, ratings: Sequence[Rating]) -> str:
    """What speaks against labels that count, in sentences: raters who disagree with each other, or with themselves."""
    values = said_by(found.ratings)
    alpha = alpha_of(values) if len(values) > 1 else math.nan
    said = f" The raters agree little (ordinal alpha {alpha:.2f}, at least {LEAST_ALPHA} is usual)." if alpha < LEAST_ALPHA else ""
    for rater in found.by_rater:
        again = repeats_of(rater, ratings)
        if len(again) >= LEAST_REPEATS and sum(again) < len(again) / 2:
            said += f" {rater} said the same again of only {sum(again)} of {len(again)} repeated items."
    return said


def drawn(plan: Plan, task: str, items: Iterable[str]) -> list[str]:
    """The items of a task in the random order in which people rate them, by the run's own seed."""
    order = sorted(set(items))
    random.Random(f"{plan.run}/{task}/ratings").shuffle(order)
    return order


def rater_tables(found: People, trials: pd.DataFrame) -> dict[str, tuple[Tables, Tables]]:
    """Of each rater the item means of labels, and of what was visited."""
    tables: dict[str, tuple[Tables, Tables]] = {}
    for rater, labels in found.by_rater.items():
        seen = trials[trials["trial"].isin(found.visited[rater])]
        tables[rater] = (item_tables(seen.assign(score=seen["trial"].map(dict(labels)).astype(float))), item_tables(seen.assign(score=1.0)))
    return tables


def differences(contrast: Contrast, task: str, tables: Tables) -> dict[str, float]:
    """The weighted sum of the arms of a contrast for each item that has all of them; empty where an arm has no table."""
    found: dict[str, float] = {}
    for ref, weight in contrast.weights:
        table = tables.get((ref.model, ref.setting), {}).get(task)
        part = table if table is None or ref.prompt is None else table.within(ref.prompt)
        if part is None:
            return {}
        arm = NONE_ARM if ref.arm == AA_ARM else ref.arm  # people rate the baseline once
        for item, score in zip(part.items, part.mean([arm]), strict=True):
            found[item] = found.get(item, 0.0) + weight * float(score)
    return {item: value for item, value in found.items() if math.isfinite(value)}


@dataclass(frozen=True, slots=True)
class Rated:
    """Item differences by people in one task."""

    by_rater: Mapping[str, Mapping[str, float]]
    n_outside: int
    """Rated items outside the random sample, which do not count."""
    n_skipped: int
    """Items of the sample that were shown in all arms of a contrast, and that nobody could judge."""

    @property
    def mean(self) -> dict[str, float]:
        """Over the raters of each item."""
        return means(self.by_rater.values())


def rated(contrast: Contrast, task: str, tables: Mapping[str, tuple[Tables, Tables]], order: Sequence[str]) -> Rated:
    """What people say of a contrast in one task; `order` are its items as they were to be rated, without those that cannot be."""
    by_rater = {rater: found for rater, (labels, _) in tables.items() if (found := differences(contrast, task, labels))}
    visited = {item for _, seen in tables.values() for item in differences(contrast, task, seen)}
    counted: set[str] = set()
    for start in range(0, len(order), WINDOW):
        window = order[start : start + WINDOW]
        counted.update(window)
        if not visited.issuperset(window):
            break
    outside = {item for found in by_rater.values() for item in found if item not in counted}
    kept = {rater: {item: value for item, value in found.items() if item in counted} for rater, found in by_rater.items()}
    skipped = (visited & counted).difference(*kept.values())
    return Rated({rater: found for rater, found in kept.items() if found}, len(outside), len(skipped))

"""What a run with judges may claim: controls of the judges, the basis of verdicts, and ratings by people.

A judge that fails a control gives no verdict. Where people rated a random part of the items, their labels decide and the judge's only
narrow the interval; everywhere else the words say that nobody has checked the judge.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, Comparison, Contrast, Plan, Verdict, contrast_of
from promptlab.record.ratings import Rating
from promptlab.scoring.judged import COMBINED, Judging, judging_of
from promptlab.scoring.rules import SCORINGS
from promptlab.stats import (
    Anchored,
    ItemTable,
    Labels,
    adjust,
    anchored,
    control_failed,
    interval,
    item_tables,
    p_figure,
    points,
)

ANCHORED = "prediction-powered t"
"""The method of a comparison that rests on labels by people."""
LEAST_RATED = 20
"""Items with labels by people below which they decide nothing."""
CONTROLS: Mapping[str, tuple[str, float]] = {
    "consistent": ("the same winner in both orders", 0.6),
    "identical": ("a tie between identical answers", 0.6),
    "planted": ("answers made worse are noticed", 0.8),
}
"""Controls of a judge by the part that records them: their words, and the share of passes that a usable judge has."""
PAIR_VALUES = {"A": 1.0, "tie": 0.5, "B": 0.0}
SUBJECT = ("model", "setting", "task", "item", "arm")


class Control(NamedTuple):
    """One control of the judges of a task, for the answers of one model."""

    model: str
    task: str
    name: str
    n: int
    share: float
    least: float = math.nan
    failed: bool = False


@dataclass(frozen=True, slots=True)
class People:
    """Labels by people: one value from 0 to 1 for each rated trial, and every single rating."""

    by_trial: Mapping[str, float]
    ratings: Sequence[Rating]

    @property
    def n_raters(self) -> int:
        return len({one.rater for one in self.ratings})


def judgings(plan: Plan) -> dict[str, Judging]:
    """How each task is judged whose score is a judge's alone, by task."""
    found = {task.name: judging_of(task.metric, task.scoring or {}) for task in plan.tasks}
    return {name: judging for name, judging in found.items() if judging is not None}


def judged_tasks(plan: Plan) -> frozenset[str]:
    """Tasks whose scores are, wholly or in part, those of a judge."""
    parts = {task.name: (task.scoring or {}).get("assertions", ()) for task in plan.tasks}
    in_part = {name for name, entries in parts.items() if any(kind in entry for entry in entries for kind in SCORINGS)}
    return frozenset(judgings(plan)) | in_part


def people(ratings: Iterable[Rating], plan: Plan, trials: pd.DataFrame) -> People:
    """Labels by people of the run's trials: the mean over raters, and over rubrics in parts of the scale."""
    judging = judgings(plan)
    rows = trials[trials["task"].isin(judging)]
    task_of = dict(zip(rows["trial"], rows["task"], strict=True))
    arm_of = dict(zip(rows["trial"], rows["arm"], strict=True))
    labels: dict[str, list[float]] = {}
    kept = []
    for one in ratings:
        how = judging.get(str(task_of.get(one.trial_a)))
        if one.kind != "rate" or how is None:
            continue
        kept.append(one)
        if how.kind == "pairwise":
            share = PAIR_VALUES.get(str(one.values.get("", "")))
            if share is None or arm_of.get(one.trial_b) is None:
                continue
            is_first = arm_of[one.trial_a] != NONE_ARM
            labels.setdefault(one.trial_a if is_first else one.trial_b, []).append(share if is_first else 1 - share)
            labels.setdefault(one.trial_b if is_first else one.trial_a, []).append(0.5)
        else:
            values = [v for v in one.values.values() if isinstance(v, int | float) and how.low <= v <= how.high]
            if values and len(values) == len(how.rubrics):
                labels.setdefault(one.trial_a, []).append((COMBINED[how.combine](values) - how.low) / (how.high - how.low))
    return People({trial: sum(values) / len(values) for trial, values in labels.items()}, kept)


def controls(trials: pd.DataFrame, plan: Plan) -> list[Control]:
    """The controls of every judged task that its parts record."""
    found = []
    mine = trials[trials["task"].isin(judged_tasks(plan)) & trials["parts"].notna()] if "parts" in trials else trials[:0]
    for (model, task), group in mine.groupby(["model", "task"], sort=False, observed=True):
        parts = [json.loads(text) for text in group["parts"]]
        for name, (words, least) in CONTROLS.items():
            values = [value for part in parts for key, value in part.items() if key.rpartition(": ")[2] == name]
            decided = [value for value in values if name != "planted" or value != 0.5]
            if decided:
                passed = round(sum(decided))
                failed = control_failed(passed, len(decided), least)
                found.append(Control(str(model), str(task), words, len(decided), passed / len(decided), least=least, failed=failed))
        firsts = [(part["as_a"] + 1 - part["as_b"]) / 2 for part in parts if "as_a" in part]
        if firsts:
            found.append(Control(str(model), str(task), "share for the first answer", len(firsts), sum(firsts) / len(firsts)))
    return found


def grounded(comparisons: Sequence[Comparison], trials: pd.DataFrame, plan: Plan, ratings: Sequence[Rating]) -> list[Comparison]:
    """The comparisons with the ground of their verdicts: people's labels, a judge that nobody checked, or none where it failed."""
    tasks = judged_tasks(plan)
    if not tasks:
        return list(comparisons)
    found = people(ratings, plan, trials)
    rests = anchors(comparisons, trials, plan, found)
    failed: dict[str, list[Control]] = {}
    for control in controls(trials, plan):
        if control.failed:
            failed.setdefault(control.model, []).append(control)
    made = []
    for index, c in enumerate(comparisons):
        concerned = tasks & ({c.task} if c.task else {task.name for task in plan.tasks})
        bad = [control for control in failed.get(c.model, ()) if control.task in concerned]
        if c.scope == "aa" or not concerned or c.status == "aa_failed" or c.diff is None:
            made.append(c)
        elif index in rests:
            made.append(rests[index])
        elif bad:
            said = "; ".join(f"{one.name}: {100 * one.share:.0f} % of {one.n}, at least {100 * one.least:.0f} % needed" for one in bad)
            made.append(
                replace(c, status="judge_failed", verdict="refused", sentence=f"The judge failed a control in {bad[0].task} ({said}).")
            )
        else:
            n = _n_rated(c, trials, plan, found)
            checked = f"only {n} rated items check" if n else "was not validated"
            which = f"this judge, which {checked if not n else 'people have not validated yet: ' + checked + ' it'}"
            made.append(replace(c, sentence=f"{c.sentence} According to {which}."))
    return made


def ground(comparisons: Sequence[Comparison], plan: Plan) -> list[str]:
    """The basis of the verdicts of a judged run, in a sentence or two that come first."""
    tasks = judged_tasks(plan)
    if not tasks:
        return []
    over = [c for c in comparisons if c.scope != "aa"]
    mine = [c for c in over if c.method == ANCHORED]
    silent = next((c.sentence for c in over if c.status == "judge_failed"), None)
    return [*(c.sentence for c in mine if c.scope == "stimulus"), *unvalidated(comparisons, plan), *([silent] if silent else [])]


def unvalidated(comparisons: Sequence[Comparison], plan: Plan) -> list[str]:
    """That verdicts rest on a judge alone, as a sentence; none where people rated enough, or nothing is judged."""
    tasks = judged_tasks(plan)
    over = [c for c in comparisons if c.scope != "aa" and c.verdict != "refused" and (c.task is None or c.task in tasks)]
    if not tasks or all(c.method == ANCHORED for c in over):
        return []
    other = "Other v" if any(c.method == ANCHORED for c in over) else "V"
    return [f"{other}erdicts are according to this judge, which was not validated by people: promptlab rate."]


def _n_rated(c: Comparison, trials: pd.DataFrame, plan: Plan, found: People) -> int:
    labels = _labels(c, plan, item_tables(trials), _tables_of(found, trials)) if found.by_trial else None
    return sum(len(one.human) for one in labels) if labels else 0


def _tables_of(found: People, trials: pd.DataFrame) -> Any:  # noqa: ANN401 (as item_tables)
    """Item means of people's labels."""
    rated = trials[trials["trial"].isin(found.by_trial)]
    return item_tables(rated.assign(score=rated["trial"].map(dict(found.by_trial)).astype(float)))


def anchors(comparisons: Sequence[Comparison], trials: pd.DataFrame, plan: Plan, found: People) -> dict[int, Comparison]:
    """Those comparisons that people's labels decide, by their place: adjusted over their planned family, others in it as p = 1."""
    if not found.by_trial:
        return {}
    by_judge, by_people = item_tables(trials), _tables_of(found, trials)
    rests: dict[int, Anchored] = {}
    for index, c in enumerate(comparisons):
        labels = _labels(c, plan, by_judge, by_people) if c.scope != "aa" else None
        if labels and sum(len(one.human) for one in labels) >= LEAST_RATED and all(len(one.human) > 1 for one in labels):
            try:
                rests[index] = anchored(labels)
            except ValueError:  # too few clusters
                continue
    made: dict[int, Comparison] = {}
    for family in dict.fromkeys(comparisons[index].family for index in rests):
        members = {index: _place(c, plan) for index, c in enumerate(comparisons) if c.family == family and c.scope != "aa"}
        firsts = {place: index for index, place in reversed(members.items())}  # with one task a mean is the cell again
        own = [(rests.get(index), comparisons[index]) for index in firsts.values()]
        p = adjust([rest.p_value if rest else 1.0 for rest, _ in own], own[0][1].adjustment)
        tost = adjust([rest.p_tost(c.margin) if rest else 1.0 for rest, c in own], own[0][1].adjustment)
        at = {place: (float(p[i]), float(tost[i])) for i, place in enumerate(firsts)}
        made |= {index: _anchored(comparisons[index], rests[index], plan, *at[place]) for index, place in members.items() if index in rests}
    return made


def _place(c: Comparison, plan: Plan) -> tuple[Any, ...]:
    return c.treatment, c.control, c.setting.id, c.task if len(plan.tasks) > 1 else None


def _anchored(c: Comparison, rest: Anchored, plan: Plan, p: float, p_tost: float) -> Comparison:
    rate = plan.fdr if c.scope == "cell" else plan.alpha
    changed, same = p <= rate, p_tost <= rate
    moved: Verdict = "negligible" if same else "helps" if rest.estimate > 0 else "hurts"
    verdict: Verdict = moved if changed else "same" if same else "unclear"
    what = {"helps": "raises", "hurts": "lowers", "negligible": "moves"}.get(verdict, "is not shown to change")
    size = f" by {points(rest.estimate)} points" if changed else f" ({points(rest.estimate)} points)"
    ground = f"By {rest.n_human} human and {rest.n_judge} judge labels"
    if verdict == "same":
        what, size = f"changes nothing beyond {100 * c.margin:g} points in", f" ({points(rest.estimate)} points)"
    text = (
        f"{ground}, {c.treated} {what} the rating{size}, {interval(rest.ci_low, rest.ci_high)}, adjusted p {p_figure(p)}; people's labels "
        f"alone say {points(rest.human_estimate)} ({interval(rest.human_low, rest.human_high)})."
    )
    return replace(
        c, diff=rest.estimate, ci_low=rest.ci_low, ci_high=rest.ci_high, se=rest.se, p_value=rest.p_value, p_adjusted=p,
        p_tost=rest.p_tost(c.margin), p_tost_adjusted=p_tost, method=ANCHORED, ci_method=ANCHORED, status="ok",
        verdict=verdict, sentence=text, gained=None, lost=None, ci_fixed_low=rest.ci_low, ci_fixed_high=rest.ci_high, ci_like_low=None,
        ci_like_high=None, generalises="these",
    )  # fmt: skip


def _differences(contrast: Contrast, task: str, tables: Mapping[Any, Mapping[str, ItemTable]]) -> dict[str, float] | None:
    """The weighted sum of the arms of a contrast for each item; None where an arm has no table."""
    found: dict[str, float] = {}
    for ref, weight in contrast.weights:
        table = tables.get((ref.model, ref.setting), {}).get(task)
        part = table if table is None or ref.prompt is None else table.within(ref.prompt)
        if part is None:
            return None
        arm = NONE_ARM if ref.arm == AA_ARM else ref.arm  # people rate the baseline once
        for item, score in zip(part.items, part.mean([arm]), strict=True):
            found[item] = found.get(item, 0.0) + weight * float(score)
    return found


def _labels(
    c: Comparison, plan: Plan, by_judge: Mapping[Any, Mapping[str, ItemTable]], by_people: Mapping[Any, Mapping[str, ItemTable]]
) -> list[Labels] | None:
    """Item differences by judge and people in every task of a comparison; None where one is not judged."""
    judging, contrast = judgings(plan), contrast_of(c, plan)
    found = []
    for task in [c.task] if c.task else [task.name for task in plan.tasks]:
        all_, rated = _differences(contrast, str(task), by_judge), _differences(contrast, str(task), by_people)
        mine = next((of[str(task)] for of in by_judge.values() if str(task) in of), None)
        if task not in judging or mine is None or all_ is None or rated is None:
            return None
        clusters = None if mine.clusters is None else dict(zip(mine.items, mine.clusters, strict=True))
        known = [item for item, value in all_.items() if math.isfinite(value)]
        human = [item for item in known if math.isfinite(rated.get(item, math.nan))]
        rest = [item for item in known if item not in set(human)]
        y, f, g = (np.array([of[item] for item in items], dtype=float) for of, items in ((rated, human), (all_, human), (all_, rest)))
        names = (None, None) if clusters is None else ([clusters[i] for i in human], [clusters[i] for i in rest])
        found.append(Labels(y, f, g, *names))
    return found

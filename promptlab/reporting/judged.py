"""What a run with judges may claim: controls of the judges, the basis of verdicts, and ratings by people.

A judge that fails a control gives no verdict. Where people rated a random part of the items, their labels decide and the judge's only
narrow the interval; everywhere else the words say that nobody has checked the judge.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import Comparison, Plan, Verdict, contrast_of, counted, family_of, grouped
from promptlab.record.ratings import Rating
from promptlab.reporting.people import Tables, differences, doubts, drawn, judgings, people, rated, rater_tables
from promptlab.scoring.rules import SCORINGS
from promptlab.stats import adjust, interval, item_tables, p_figure, points
from promptlab.stats.judging import Anchored, Labels, anchored, control_failed

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


def judged_tasks(plan: Plan) -> frozenset[str]:
    """Tasks whose scores are, wholly or in part, those of a judge."""
    parts = {task.name: (task.scoring or {}).get("assertions", ()) for task in plan.tasks}
    in_part = {name for name, entries in parts.items() if any(kind in entry for entry in entries for kind in SCORINGS)}
    return frozenset(judgings(plan)) | in_part


def kin(plan: Plan, tasks: Collection[str]) -> str:
    """That a judge of these tasks is of a tested model's family, as a sentence; empty where none is."""
    said = json.dumps([task.scoring for task in plan.tasks if task.name in tasks], default=str)
    judges = {family_of(name) for name in re.findall(r'"litellm_name": "([^"]*)"', said)}
    both = sorted(judges & {family_of(model.litellm_name) for model in plan.models} - {""})
    return f" It judges answers of its own family ({', '.join(both)}), which it may prefer." if both else ""


def controls(trials: pd.DataFrame, plan: Plan) -> list[Control]:
    """The controls of every judged task that its parts record."""
    found = []
    mine = trials[trials["task"].isin(judged_tasks(plan)) & trials["parts"].notna()] if "parts" in trials else trials[:0]
    for (model, task), group in mine.groupby(["model", "task"], sort=False, observed=True):
        parts = [json.loads(text) for text in group["parts"]]
        keys = dict.fromkeys(key for part in parts for key in part)
        for name, (words, least) in CONTROLS.items():
            for key in (key for key in keys if key.rpartition(": ")[2] == name):
                values = [part[key] for part in parts if key in part]
                whose = f" ({key.rpartition(': ')[0]})" if ": " in key else ""
                failed = control_failed(round(sum(values)), len(values), least)
                found.append(
                    Control(str(model), str(task), words + whose, len(values), sum(values) / len(values), least=least, failed=failed)
                )
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
    of_people = rater_tables(found, trials)
    by_judge = item_tables(trials) if of_people else {}
    each = {i: _labels(c, plan, by_judge, of_people) for i, c in enumerate(comparisons) if c.scope != "aa" and of_people}
    labels = {i: one for i, one in each.items() if one is not None}
    rests = anchors(comparisons, plan, labels)
    doubtful = doubts(found, ratings)
    silent_raters = "".join(f" Ratings by {rater} do not count: {why}." for rater, why in found.left_out.items())
    failed = grouped((control.model, control) for control in controls(trials, plan) if control.failed)
    made = []
    for index, c in enumerate(comparisons):
        concerned = tasks & ({c.task} if c.task else {task.name for task in plan.tasks})
        bad = [control for control in failed.get(c.model, ()) if control.task in concerned]
        if c.scope == "aa" or not concerned or c.status in ("aa_failed", "missing_pairs") or c.diff is None:
            made.append(c)
        elif index in rests:
            made.append(replace(rests[index], sentence=rests[index].sentence + labels[index].skipped + doubtful + silent_raters))
        elif bad:
            said = "; ".join(f"{one.name}: {100 * one.share:.0f} % of {one.n}, at least {100 * one.least:.0f} % needed" for one in bad)
            made.append(
                replace(c, status="judge_failed", verdict="refused", sentence=f"The judge failed a control in {bad[0].task} ({said}).")
            )
        else:
            n, outside = (labels[index].n_human, labels[index].n_outside) if index in labels else (0, 0)
            checked = f"only {counted(n, 'rated item', 'checks')}" if n else "was not validated"
            which = f"this judge, which {checked if not n else 'people have not validated yet: ' + checked + ' it'}"
            more = f" {outside} rated items outside the random sample do not count." if outside else ""
            made.append(replace(c, sentence=f"{c.sentence} According to {which}.{kin(plan, concerned)}{more}{silent_raters}"))
    return made


def ground(comparisons: Sequence[Comparison], plan: Plan) -> list[str]:
    """The basis of the verdicts of a judged run, in a sentence or two that come first."""
    tasks = judged_tasks(plan)
    if not tasks:
        return []
    over = [c for c in comparisons if c.scope != "aa"]
    mine = [c.sentence for c in over if c.method == ANCHORED and c.task is None and c.scope != "primary"]
    silent = next((c.sentence for c in over if c.status == "judge_failed"), None)
    return [*mine, *unvalidated(comparisons, plan), *([silent] if silent else [])]


def basis(comparisons: Sequence[Comparison]) -> list[str]:
    """How many labels verdicts rest on, in a sentence; none where people decided nothing."""
    said = dict.fromkeys(c.sentence.partition(",")[0] for c in comparisons if c.method == ANCHORED and c.task is None)
    return [f"{'; '.join(said)}."] if said else []


def unvalidated(comparisons: Sequence[Comparison], plan: Plan) -> list[str]:
    """That verdicts rest on a judge alone, as a sentence; none where people rated enough, or nothing is judged."""
    tasks = judged_tasks(plan)
    over = [c for c in comparisons if c.scope != "aa" and c.verdict != "refused" and (c.task is None or c.task in tasks)]
    if not tasks or all(c.method == ANCHORED for c in over):
        return []
    other = "Other v" if any(c.method == ANCHORED for c in over) else "V"
    n = max((int(n) for c in over for n in re.findall(r"only (\d+) rated items? check", c.sentence)), default=0)
    few = f"{counted(n, 'rated item', 'does')} not validate yet ({LEAST_RATED} are needed)" if n else "was not validated by people"
    return [f"{other}erdicts are according to this judge, which {few}: promptlab rate.{kin(plan, tasks)}"]


class Labelled(NamedTuple):
    """Labels of a comparison, one entry for each task."""

    tasks: list[Labels]
    n_outside: int
    n_skipped: int

    @property
    def skipped(self) -> str:
        """That people left out items which they could not judge, as a sentence: which, they chose; empty where there is none."""
        return f" {self.n_skipped} more items of the sample could not be judged and are left out." if self.n_skipped else ""

    @property
    def n_human(self) -> int:
        """Items that people labelled."""
        return sum(len(one.human) for one in self.tasks)


def anchors(comparisons: Sequence[Comparison], plan: Plan, labels: Mapping[int, Labelled]) -> dict[int, Comparison]:
    """Those comparisons that people's labels decide, by their place: adjusted over their planned family, others in it as p = 1."""
    rests: dict[int, Anchored] = {}
    for index, found in labels.items():
        if found.n_human >= LEAST_RATED and all(len(one.human) > 1 for one in found.tasks):
            with contextlib.suppress(ValueError):  # too few clusters
                rests[index] = anchored(found.tasks)
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


def _labels(c: Comparison, plan: Plan, by_judge: Tables, of_people: Mapping[str, tuple[Tables, Tables]]) -> Labelled | None:
    """Item differences by judge and people in every task of a comparison; None where one is not judged, or nobody rated."""
    judging, contrast = judgings(plan), contrast_of(c, plan)
    found, n_outside, n_skipped = [], 0, 0
    for task in [c.task] if c.task else [task.name for task in plan.tasks]:
        all_ = differences(contrast, str(task), by_judge)
        mine = next((of[str(task)] for of in by_judge.values() if str(task) in of), None)
        if task not in judging or mine is None or not all_:
            return None
        order = [item for item in drawn(plan, str(task), map(str, mine.items)) if item in all_]
        people_ = rated(contrast, str(task), of_people, order)
        mean, clusters = people_.mean, None if mine.clusters is None else dict(zip(mine.items, mine.clusters, strict=True))
        n_outside, n_skipped = n_outside + people_.n_outside, n_skipped + people_.n_skipped
        human = [item for item in all_ if item in mean]
        rest = [item for item in all_ if item not in mean]
        y, f, g = (np.array([of[item] for item in items], dtype=float) for of, items in ((mean, human), (all_, human), (all_, rest)))
        names = (None, None) if clusters is None else ([clusters[i] for i in human], [clusters[i] for i in rest])
        found.append(Labels(y, f, g, *names))
    return Labelled(found, n_outside, n_skipped) if any(len(one.human) for one in found) or n_outside else None

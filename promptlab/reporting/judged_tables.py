"""Tables of a judged run: controls, outcomes by name, length, strengths, echoes, agreement; and what labels a plan needs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, Plan
from promptlab.record.ratings import Rating
from promptlab.reporting.judged import controls, judged_tasks
from promptlab.reporting.people import People, alpha_of, contrasts, differences, incumbents, judgings, or_nan, people, said_by
from promptlab.reporting.raters import rater_table
from promptlab.reporting.table import Plain, Table, table
from promptlab.scoring.assertions import words_of
from promptlab.scoring.echo import repeats
from promptlab.stats import cohen_kappa, interval, item_tables, points
from promptlab.stats.judging import bradley_terry, label_effect, length_adjusted

LABELS = (20, 30, 60, 100, 200)
MAY_BE_LENGTH = "length may explain it"
RHO = (0.0, 0.5, 0.8)
SD_OF_RATINGS = 0.3
"""Of people's item differences, as a share of the scale: what five-point rubrics show."""


def label_table(plan: Plan) -> Table:
    """How small a difference some numbers of human labels find, with 80 % power; empty where no judge scores a task alone."""
    rows = []
    for task in plan.tasks:
        if task.name in judgings(plan):
            for n in (n for n in LABELS if n <= task.n_items):
                effects = [label_effect(n, sd=SD_OF_RATINGS, rho=rho, n_items=task.n_items, alpha=plan.alpha) for rho in RHO]
                rows.append([task.name, str(n), *(f"{100 * effect:.1f}" for effect in effects)])
    note = (
        f"In points, for one comparison; people's differences with a standard deviation of {100 * SD_OF_RATINGS:g} points. How far "
        "a judge goes with people is in the report once some are rated: promptlab rate RUN --items N."
    )
    heads = ("task", "items rated", *(f"judge agrees at {rho:g}" for rho in RHO))
    return table("Smallest effect that human labels find, by the judge's correlation with people", note, heads, rows)


def judged_tables(trials: pd.DataFrame, plan: Plan, ratings: Sequence[Rating]) -> list[Table]:
    """What accompanies the verdicts of a judged run: the judges' controls, length, echoes, agreement, and every named outcome."""
    if trials.empty:
        return []
    tables = [_outcomes(trials)]
    if judged_tasks(plan):
        found = people(ratings, plan, trials)
        tables += [
            _controls(trials, plan),
            _length(trials, plan),
            _strengths(trials, plan),
            _echoes(trials, plan),
            *_agreement(trials, plan, found),
            *rater_table(trials, plan, found),
        ]
    return [one for one in tables if len(one.frame)]


def _controls(trials: pd.DataFrame, plan: Plan) -> Table:
    rows = [
        [c.model, c.task, c.name, str(c.n), f"{100 * c.share:.0f} %", "-" if math.isnan(c.least) else f"{100 * c.least:.0f} %",
         "-" if math.isnan(c.least) else "failed" if c.failed else "passed"]
        for c in controls(trials, plan)
    ]  # fmt: skip
    note = "A control fails where so few passes are beyond chance for a usable judge. The judge's A/A check is that of the baseline."
    return table("Controls of the judge", note, ("answers of", "task", "control", "n", "share", "needed", "result"), rows)


def _outcomes(trials: pd.DataFrame) -> Table:
    """The mean of each named part in each arm; the parts of controls are the judge's."""
    rows: list[list[Any]] = []
    mine = trials[trials["parts"].notna()] if "parts" in trials else trials[:0]
    for (model, task), group in mine.groupby(["model", "task"], sort=False, observed=True):
        values: dict[str, dict[str, list[float]]] = {}
        for arm, text in zip(group["arm"], group["parts"], strict=True):
            for name, value in json.loads(text).items():
                if name.rpartition(": ")[2] not in INSIDE:
                    values.setdefault(name, {}).setdefault(str(arm), []).append(value)
        for name, by_arm in values.items():
            base = by_arm.get(NONE_ARM)
            for arm, of in by_arm.items():
                rows.append([
                    str(model), str(task), name, arm, str(len(of)), f"{100 * sum(of) / len(of):.1f}",
                    points(sum(of) / len(of) - sum(base) / len(base)) if base and arm != NONE_ARM else "-",
                ])  # fmt: skip
    note = "Named scores that make the score; differences are those of means, without a test."
    return table("Outcomes by name", note, ("model", "task", "outcome", "arm", "answers", "mean, %", "against the baseline"), rows)


INSIDE = ("as_a", "as_b", "consistent", "identical", "identical_as_a", "planted")


def _length(trials: pd.DataFrame, plan: Plan) -> Table:
    """For each arm the judged difference to the baseline, raw and between answers of one length."""
    rows = []
    mine = trials[trials["task"].isin(judged_tasks(plan))]
    pairs = {name for name, how in judgings(plan).items() if how.kind == "pairwise"}
    lengths = item_tables(mine.assign(score=[math.log(max(1, words_of(str(answer)))) for answer in mine["answer"]]))
    scored = item_tables(mine)
    for task in dict.fromkeys(map(str, mine["task"])):
        table_ = next((of[task] for of in scored.values() if task in of), None)
        if table_ is None:  # none of its answers was judged
            continue
        clusters = {} if table_.clusters is None else dict(zip(table_.items, table_.clusters, strict=True))
        for name, contrast in contrasts(plan).items():
            diff, ratio = differences(contrast, task, scored), differences(contrast, task, lengths)
            items = [item for item in diff if item in ratio]
            own = [clusters[item] for item in items] if clusters else None
            longer = [ratio[item] for item in items]
            try:
                a = length_adjusted([diff[item] for item in items], longer, own, reach=0.5 if task in pairs else 1.0)
            except ValueError:
                continue
            raw, equal = a.raw_interval, a.adjusted_interval
            explains = raw[0] * raw[1] > 0 and (equal is None or min(equal) <= 0 <= max(equal))
            rows.append([
                task, name, str(a.n), f"{100 * (math.exp(float(np.mean(longer))) - 1):+.0f} %", points(a.raw),
                interval(*a.raw_interval), *(("-",) * 3 if a.adjusted is None or a.adjusted_interval is None or a.slope is None else
                (points(a.adjusted), interval(*a.adjusted_interval), points(a.slope * math.log(2)))),
                MAY_BE_LENGTH if explains else "-",
            ])  # fmt: skip
    heads = ("task", "arm", "items", "longer by", "raw", "95 % CI", "at equal length", "95 % CI ", "per doubling", "reading")
    note = (
        "Differences to the baseline in points; at equal length: where both answers have as many words, by a logistic regression; a dash "
        "where nearly all answers of one side are longer, so that nothing is known of it."
    )
    return table("Judged differences and length", note, heads, rows)


def longer(tables: Sequence[Plain]) -> list[str]:
    """Arms whose difference by the judge is not shown between answers of one length, in a sentence for each task."""
    rows = [row for _, _, _, of in tables for row in of if row[-1] == MAY_BE_LENGTH]
    each = {task: ", ".join(row[1] for row in rows if row[0] == task) for task in dict.fromkeys(row[0] for row in rows)}
    return [f"What the judge says of {arms} in {task} may be the length of answers: between equally long ones nothing is shown."
            for task, arms in each.items()]  # fmt: skip


def _strengths(trials: pd.DataFrame, plan: Plan) -> Table:
    """Bradley and Terry's strength of each arm of a pairwise task, against the baseline, errors by item."""
    rows = []
    pairwise_ = [task for task, how in judgings(plan).items() if how.kind == "pairwise"]
    mine = trials[trials["task"].isin(pairwise_) & trials["score"].notna()]
    if set(mine["arm"]) - {NONE_ARM, AA_ARM}:
        mine = mine[mine["arm"] != NONE_ARM]
    else:  # prompts and settings, against the incumbent
        mine = mine[~mine["trial"].isin(incumbents(trials))]
        mine = mine.assign(arm=mine["base_prompt"].astype(str).where(mine["arm"] == NONE_ARM, mine["arm"].astype(str)))
    for (model, setting, task), group in mine.groupby(["model", "setting", "task"], sort=False, observed=True):
        arms = [str(arm) for arm in group["arm"]]
        try:
            found = bradley_terry(arms, [NONE_ARM] * len(arms), [float(s) for s in group["score"]], [*group["item"]], base=NONE_ARM)
        except ValueError:  # an arm that never won, or never lost
            continue
        for name, strength, se in list(zip(found.names, found.strength, found.se, strict=True))[1:]:
            won = 100 / (1 + math.exp(-strength))
            rows.append([str(model), str(setting), str(task), name, f"{strength:+.2f}", f"{se:.2f}", f"{won:.0f} %"])
    note = "Log odds against the baseline's answer, ties as half wins, errors robust by item; according to the judge."
    return table("Strengths by pairs", note, ("model", "setting", "task", "arm", "log odds", "SE", "wins"), rows)


def _echoes(trials: pd.DataFrame, plan: Plan) -> Table:
    """How many answers of an arm repeat its sentence, so that whoever reads them knows the arm."""
    texts = {arm.name: arm.text for arm in plan.arms if arm.text and arm.role in ("stimulus", "placebo")}
    rows = []
    mine = trials[trials["task"].isin(judged_tasks(plan)) & trials["arm"].isin(texts)]
    for (model, arm), group in mine.groupby(["model", "arm"], sort=False, observed=True):
        n = sum(repeats(str(answer), str(texts[str(arm)])) for answer in group["answer"])
        if n:
            rows.append([str(model), str(arm), str(len(group)), str(n), f"{100 * n / len(group):.1f} %"])
    note = "Four words of the sentence in a row, or all of a shorter one. `mask_echo: true` hides them from the judge."
    return table("Answers that repeat the sentence of their arm", note, ("model", "arm", "answers", "repeat it", "share"), rows)


def _agreement(trials: pd.DataFrame, plan: Plan, found: People) -> list[Table]:
    """Rater against rater, rater against judge, and each rater against himself."""
    if not found.ratings:
        return []
    scores = dict(zip(trials["trial"], trials["score"], strict=True))
    values = said_by(found.ratings)
    keys = sorted({key for of in values.values() for key in of})
    rows: list[list[Any]] = []
    if len(values) > 1:
        rows.append([f"all {len(values)} raters", "ordinal alpha", str(len(keys)), _figure(alpha_of(values))])
        for (a, of_a), (b, of_b) in combinations(values.items(), 2):
            shared = [key for key in keys if key in of_a and key in of_b]
            kappa = or_nan(lambda: cohen_kappa([of_a[k] for k in shared], [of_b[k] for k in shared], weights="quadratic"))  # noqa: B023
            rows.append([f"{a} and {b}", "quadratic kappa", str(len(shared)), _figure(kappa)])
    pairs = [
        (label, scores[trial]) for trial, label in found.by_trial.items() if not pd.isna(scores.get(trial)) and trial not in found.bases
    ]
    if len(pairs) > 2:
        people_, judge_ = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
        rows.append(["people and judge", "correlation", str(len(pairs)), _figure(or_nan(lambda: np.corrcoef(people_, judge_)[0, 1]))])
        rows.append(["people and judge", "judge minus people, points", str(len(pairs)), points(float((judge_ - people_).mean()))])
    return [table("Agreement", "", ("who", "measure", "n", "value"), rows)]


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"

"""What helped a model in a feedback loop: emotion, variety of wording, any remark, further attempts, more tokens, or nothing found.

The arms of a loop are a ladder: one answer, as many independent attempts, the loop with one affect-free sentence, the loop with as many
affect-free wordings, the loop with emotion. Each rung differs from the one below by one cause. Arms are compared at equal rounds, and where
they have cost the same: the dearer one is cut at the round, or between the two rounds, at which it has cost what the other did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, ArmRef, Contrast, Hypothesis, Plan, Setting
from promptlab.nouns.plan import PlannedArm
from promptlab.reporting.loops import Held, Rows, held
from promptlab.stats import analyse, interval, p_text, points

ATTEMPTS, REMARK, VARIETY, EMOTION, TOKENS = "further attempts", "a remark of any kind", "variety of wording", "emotion", "more tokens"
NOTHING = "nothing found"
JUDGED_BY = (
    "trial", "order", "model", "setting", "placement", "shots", "strategy", "base_prompt", "task", "item", "cluster", "arm", "replicate",
    "outcome", "rule", "reasoning_tokens", "score",
)  # fmt: skip
"""What of a trial an analysis reads."""
LEFT = 0.25
"""What helps by costing more leaves less than this share of its difference at equal tokens, or none that is shown."""
UNITS = ("rounds", "tokens", "usd")
"""What both arms of a contrast have had equally much of."""


class Pair(NamedTuple):
    """Two arms of one loop on one model."""

    model: str
    setting: Setting
    treatment: str
    control: str
    cause: str
    """What the treatment has and the control lacks; empty where that is more than one thing."""


def pairs_of(plan: Plan) -> Iterator[Pair]:
    """The rungs of every loop, and each of its treatments against every other control that it has."""
    for model in plan.model_of:
        for setting in (setting for setting in plan.settings if setting.strategy in plan.looped):
            here = {arm.name: arm for arm in plan.arms_of(setting)}
            rungs = list(_rungs(plan, setting, here))
            below = {(treatment, control) for treatment, control, _ in rungs}
            for treatment, control, cause in rungs:
                yield Pair(model, setting, treatment, control, cause)
            others = [NONE_ARM, *dict.fromkeys(name.partition("/")[0] for name, arm in here.items() if arm.role == "loop_control")]
            for treatment in (name for name, arm in here.items() if arm.role == "loop"):
                for control in (plan.matched(control, treatment, setting.strategy) for control in others):
                    if (treatment, control) not in below:
                        yield Pair(model, setting, treatment, control, "")


def _rungs(plan: Plan, setting: Setting, here: Mapping[str, PlannedArm]) -> Iterator[tuple[str, str, str]]:
    """Each arm of the ladder with the arm below it and what distinguishes them; a rung that a loop lacks adds its cause to the next."""
    ladder = (("resample", ATTEMPTS), ("neutral_feedback", REMARK), ("neutral_paraphrase", VARIETY), ("", EMOTION))
    below, causes = NONE_ARM, []
    for rung, cause in ladder:
        arms = [name for name, arm in here.items() if (name.partition("/")[0] == rung if rung else arm.role == "loop")]
        causes.append(cause)
        for arm in arms:
            yield arm, plan.matched(below, arm, setting.strategy), " or ".join(causes)
        below, causes = (rung, []) if arms else (below, causes)


def cut(arm: Held, unit: str, budget: float) -> np.ndarray:
    """Whether each trial is solved where the arm has cost `budget` an item on average; a fraction between two rounds."""
    solved = arm.values["solved"]
    if unit == "rounds":
        return solved[:, -1]
    cost = [arm.by_item(spent).mean() for spent in arm.values[unit].T]
    reached = max((place for place, spent in enumerate(cost) if spent <= budget), default=0)
    if reached + 1 == len(cost) or budget <= cost[0]:
        return solved[:, reached]
    share = (budget - cost[reached]) / (cost[reached + 1] - cost[reached])
    between: np.ndarray = (1 - share) * solved[:, reached] + share * solved[:, reached + 1]
    return between


def loop_contrasts(trials: pd.DataFrame, steps: pd.DataFrame, plan: Plan) -> Rows:
    """One row for each pair of `pairs_of` and unit that both have had equally much of: the difference in the share of items solved.

    `budget` is what both cost an item on average (None at equal rounds). The rungs of one loop on one model are a family of their own
    (Holm), the other pairs another. Units that are unknown, and those that one answer has, are left out.
    """
    arms = {key: held(rows) for key, rows in steps.groupby(["model", "setting", "arm"], sort=False, observed=True)}
    trials = trials[[name for name in JUDGED_BY if name in trials]]
    by_trial = trials.set_index("trial", drop=False)
    looped = {setting.id for setting in plan.settings if setting.strategy in plan.looped}
    repeat = trials[(trials["arm"] == AA_ARM) & trials["setting"].isin(looped)]
    return [row for unit in UNITS for row in _at_equal(unit, list(pairs_of(plan)), arms, by_trial, repeat, plan)]


def _at_equal(
    unit: str, pairs: Sequence[Pair], arms: Mapping[Any, Held], trials: pd.DataFrame, repeat: pd.DataFrame, plan: Plan
) -> Iterator[dict[str, Any]]:
    planned, frames, budgets = [], [repeat], []
    for n, pair in enumerate(pairs):
        sides = [arms.get((pair.model, pair.setting.id, arm)) for arm in (pair.treatment, pair.control)]
        if (treated := sides[0]) is None or (control := sides[1]) is None or (unit != "rounds" and pair.control == NONE_ARM):
            continue
        spent = [side.by_item(side.values[unit][:, -1]).mean() for side in (treated, control) if unit != "rounds"]
        budget = float(min(spent, default=0.0))
        if pd.isna(sum(spent)):
            continue
        names = [f"{name} {n}" for name in (pair.treatment, pair.control)]
        for side, name in zip((treated, control), names, strict=True):
            frames.append(trials.loc[list(side.trials)].assign(score=cut(side, unit, budget), arm=name))
        refs = [ArmRef(model=pair.model, setting=pair.setting.id, arm=name) for name in names]
        weights = tuple(zip(refs, (1.0, -1.0), strict=True))
        contrast = Contrast(name=f"{pair.treatment} - {pair.control}", weights=weights)
        family = f"{'ladder' if pair.cause else 'other'}/{pair.model}/{pair.setting.id}"
        planned.append(
            Hypothesis(
                family=family, scope="arm", model=pair.model, task=None, treatment=pair.treatment, library="", control=pair.control,
                setting=pair.setting, contrast=contrast,
            )
        )  # fmt: skip
        budgets.append((pair, None if unit == "rounds" else budget))
    none = trials[trials["arm"].eq(NONE_ARM) & trials["setting"].isin({pair.setting.id for pair in pairs})]
    judged = analyse(pd.concat([none, *frames]), replace(plan, hypotheses=tuple(planned), looks=())) if planned else []
    for (pair, had), c in zip(budgets, (c for c in judged if c.scope == "arm"), strict=True):
        yield {
            "model": pair.model, "loop": pair.setting.strategy, "setting": pair.setting.id, "arm": pair.treatment, "control": pair.control,
            "cause": pair.cause, "unit": unit, "budget": had, "n": c.n_pairs, "solved": c.mean_treatment,
            "solved_control": c.mean_control, "diff": c.diff, "ci_low": c.ci_low, "ci_high": c.ci_high, "p_adjusted": c.p_adjusted,
            "verdict": c.verdict, "status": c.status,
        }  # fmt: skip


def causes(rows: Sequence[Mapping[str, Any]], plan: Plan) -> Rows:
    """One row for each model and setting of a loop: its `cause` and the `sentence` that says what helped.

    `rows` are those of `loop_contrasts`. The highest rung that helped at equal rounds names the cause; where it did not help at equal
    tokens, or less than `LEFT` of the difference is left there, the cause is more tokens. An arm must solve more than one answer did.
    """
    found: Rows = []
    for model, setting in dict.fromkeys((row["model"], row["setting"]) for row in rows):
        own = [row for row in rows if (row["model"], row["setting"]) == (model, setting)]
        at = {(row["arm"], row["control"], row["unit"]): row for row in own}
        rungs = [row for row in own if row["cause"] and row["unit"] == "rounds"]
        single = next((row["solved_control"] for row in rungs if row["control"] == NONE_ARM), None)
        helped = [row for row in rungs if row["verdict"] == "helps" and (single is None or row["solved"] > single)]
        where = f"{model}, {own[0]['loop']}" + (" (with oracle)" if plan.looped[own[0]["loop"]].oracle else "")
        top = helped[-1]["cause"] if helped else ""
        best = max((row for row in helped if row["cause"] == top), key=lambda row: row["diff"], default=None)
        if best is None:
            cause, words = NOTHING, _nothing(rungs)
        else:
            equal = at.get((best["arm"], best["control"], "tokens"))
            is_dearer = equal is not None and (equal["verdict"] != "helps" or equal["diff"] < LEFT * best["diff"])
            cause = TOKENS if is_dearer else top
            words = _figures(best) + _at_equal_tokens(equal, is_dearer) + _not_emotion(rungs, cause)
        sentence = f"What helped {where}: {cause}. {words}" if cause != NOTHING else f"{where}: nothing was found to help. {words}"
        found.append({"model": model, "loop": own[0]["loop"], "setting": setting, "cause": cause, "sentence": sentence})
    return found


def _figures(row: Mapping[str, Any]) -> str:
    """One contrast in words: what both arms solved, and the difference."""
    control = "one answer" if row["control"] == NONE_ARM else row["control"]
    return (
        f"{row['arm']} solved {100 * row['solved']:.1f} % of the items and {control} {100 * row['solved_control']:.1f} %: "
        f"{points(row['diff'])} points ({interval(row['ci_low'], row['ci_high'])}; adjusted {p_text(row['p_adjusted'])})"
    )


def _at_equal_tokens(equal: Mapping[str, Any] | None, is_dearer: bool) -> str:
    if equal is None:
        return "."
    shown = f"{points(equal['diff'])} ({interval(equal['ci_low'], equal['ci_high'])})"
    return f"; at equal tokens ({equal['budget']:.0f} an item) {shown}{', so that it helped by costing more' if is_dearer else ''}."


def _not_emotion(rungs: Sequence[Mapping[str, Any]], cause: str) -> str:
    """What emotion added, where it is not the cause."""
    emotional = [row for row in rungs if row["cause"] == EMOTION and row["diff"] is not None]
    if cause == EMOTION or not emotional:
        return ""
    added = (f"{row['arm']} {points(row['diff'])} ({interval(row['ci_low'], row['ci_high'])})" for row in emotional)
    return f" Emotion against as many affect-free wordings: {', '.join(added)}."


def _nothing(rungs: Sequence[Mapping[str, Any]]) -> str:
    known = [row for row in rungs if row["diff"] is not None]
    if not known or all(row["verdict"] == "refused" for row in known):
        return "No step from one answer to emotion can be judged: the run is not whole, or its baseline disagrees with its repeat."
    steps = (f"{row['cause']} ({row['arm']}) {points(row['diff'])} ({interval(row['ci_low'], row['ci_high'])})" for row in known)
    return f"In points, with 95 % intervals: {'; '.join(steps)}."

"""How an experiment's own design errs and sees: its plan judged many times on made-up answers whose truth is known.

No model is asked and nothing is simulated word by word: every item has a chance of a right answer, drawn so that two runs of one
prompt disagree on the given share of items, and arms are drawn from it. Families, tests and refusals are those of the real report.
A pilot measures that share: a few paid answers before the sweep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, FINDINGS, NONE_ARM, Comparison, Plan, UsageProblem
from promptlab.planning.plan import make_plan
from promptlab.planning.study import Study
from promptlab.stats import Looks, accuracy_ci, analyse, saved

GAINS = ("helps",)
DECISIVE = ("placebo", "neutral_paraphrase", "neutral_feedback", "none", "single")
"""Controls that an arm must beat to be shipped, where a design has them."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of simulated sweeps with Wilson's 95 % interval."""

    n: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ModelRates:
    """What the decision would be for one model, in shares of the sweeps."""

    model: str
    false_ship: Rate
    """Some arm is shipped although nothing works."""
    best_shipped: Rate
    """The arm with the planted effect is shipped, and no other one in its place."""
    other_shipped: Rate
    """Another arm is shipped in its place, though it does nothing."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a design does when nothing works, and when one stimulus moves every task by `effect`."""

    sweeps: int
    effect: float
    baseline: float
    discordance: float
    treatment: str
    false_gain: Rate
    """Sweeps that call any stimulus helpful over the tasks, though none is."""
    false_finding: Rate
    """... helpful or harmful, over the tasks or in any task."""
    false_primary: Rate
    """... with any finding in the primary family: at most alpha is promised."""
    false_family: Rate
    """The same in one family of stimuli, over all such families: at most alpha is promised for each."""
    n_families: int
    false_cells: float
    """Cells with a finding for each sweep, on average."""
    aa_failed: Rate
    found: Rate
    """Sweeps that find the planted effect over the tasks on every model and setting."""
    models: tuple[ModelRates, ...]
    found_cells: float
    """Share of its cells that find it."""
    n_cells: int
    asked: float
    """Share of the trials that is sent, on average, when nothing works: below 1 only where looks are planned."""
    asked_planted: float
    """The same when one stimulus moves every task by `effect`."""
    estimates_mean: float | None
    """Mean estimate of the planted effect where it was found: above the truth, since only large ones are."""


def rate(n: int, of: int) -> Rate:
    """`n` of `of` sweeps."""
    low, high = accuracy_ci(n, of).wilson
    return Rate(n, of, n / of, low, high)


def calibrate(
    study: Study, sweeps: int, effect: float, baseline: float, discordance: float, observe: Callable[[int, int], None]
) -> Calibration:
    """Judge `sweeps` made-up runs of the study without any effect, and as many with `effect` (a fraction) for its first treatment.

    `discordance` is the share of items on which two runs of the same prompt disagree; `observe` is told (done, of).
    """
    if study.design.left_out:
        raise UsageProblem("made-up runs need the same base prompts in every task; calibrate each benchmark by itself")
    plan = make_plan(study)
    judged = partial(_judged, *_rows(study), plan, (baseline, discordance), np.random.default_rng(study.design.seed))
    treatment = next(a.name for a in study.design.arms if a.role in ("stimulus", "loop"))
    families = {h.family for h in plan.hypotheses if h.scope == "stimulus"}
    seen: defaultdict[str, list[float]] = defaultdict(list)
    in_families: list[int] = []
    shipped: dict[str, list[tuple[str | None, str | None]]] = {model.name: [] for model in study.design.models}
    estimates: list[float] = []
    for done in range(sweeps):
        null, asked = judged()
        over = [c for c in null if c.scope in ("primary", "stimulus")]
        cell = [c for c in null if c.scope == "cell" and c.verdict in FINDINGS]
        in_families.append(len({c.family for c in over if c.scope == "stimulus" and c.verdict in FINDINGS}))
        planted, asked_planted = judged(treatment, effect)
        first = _decisive(planted, treatment)
        estimates += [c.diff for c in first if c.verdict in GAINS and c.diff is not None]
        for model, both in shipped.items():
            both.append((_shipped(null, model), _shipped(planted, model)))
        own = [c for c in planted if c.scope == "cell" and c.treatment == treatment and c.control == first[0].control] if first else []
        for name, value in {
            "false_gain": any(c.verdict in GAINS for c in over),
            "false_finding": bool(cell) or any(c.verdict in FINDINGS for c in over),
            "false_primary": any(c.verdict in FINDINGS for c in over if c.scope == "primary"),
            "aa_failed": any(c.status == "aa_failed" and c.scope == "aa" for c in null),
            "found": bool(first) and all(c.verdict in GAINS for c in first),
            "false_cells": len(cell),
            "found_cells": sum(c.verdict in GAINS for c in own) / len(own) if own else 0.0,
            "asked": asked,
            "asked_planted": asked_planted,
        }.items():
            seen[name].append(value)
        observe(done + 1, sweeps)
    shares: dict[str, Any] = {
        name: rate(sum(map(int, values)), sweeps) if isinstance(values[0], bool) else float(np.mean(values))
        for name, values in seen.items()
    }
    return Calibration(
        sweeps=sweeps,
        effect=effect,
        baseline=baseline,
        discordance=discordance,
        treatment=treatment,
        n_families=len(families),
        n_cells=sum(1 for h in plan.hypotheses if h.scope == "cell"),
        false_family=rate(sum(in_families), sweeps * max(len(families), 1)),
        models=tuple(
            ModelRates(
                model=model,
                false_ship=rate(sum(null is not None for null, _ in both), sweeps),
                best_shipped=rate(sum(planted == treatment for _, planted in both), sweeps),
                other_shipped=rate(sum(planted not in (None, treatment) for _, planted in both), sweeps),
            )
            for model, both in shipped.items()
        ),
        estimates_mean=float(np.mean(estimates)) if estimates else None,
        **shares,
    )


def _decisive(comparisons: list[Comparison], treatment: str) -> list[Comparison]:
    """The treatment over the tasks against its first control, one for each model and setting."""
    own = [c for c in comparisons if c.scope == "stimulus" and c.treatment == treatment]
    return [c for c in own if c.control == own[0].control]


def _shipped(comparisons: list[Comparison], model: str) -> str | None:
    """The arm that would be shipped for a model: found to help over the tasks against its control and against the plain prompt, in some
    setting; of several the one with the largest gain.
    """
    own: defaultdict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for c in comparisons:
        if c.scope == "stimulus" and c.model == model and c.control in DECISIVE and not c.oracle:
            own[c.treatment, c.setting.id].append(c)
    gains = {arm: against[0].diff or 0.0 for (arm, _), against in own.items() if all(c.verdict in GAINS for c in against)}
    return max(gains, key=lambda arm: gains[arm], default=None)


def _rows(study: Study) -> tuple[pd.DataFrame, tuple[int, int]]:
    """The trials of a run without their scores, sorted by model and item; and how many (models, items) there are."""
    design = study.design
    items = [(task.name, item.id, item.cluster) for task in design.tasks for item in task.items]
    arms = design.arms
    at = np.indices((len(design.models), len(items), len(arms), design.replicates)).reshape(4, -1)

    def column(values: list[Any], index: np.ndarray) -> pd.Categorical:
        codes, labels = pd.factorize(np.array(values, dtype=object), use_na_sentinel=True)
        return pd.Categorical.from_codes(codes[index], categories=pd.Index(labels))

    frame = pd.DataFrame(
        {
            "order": _blocks(study)[at[1]] * len(arms) * len(design.models) * design.replicates,
            "model": column([m.name for m in design.models], at[0]),
            "task": column([task for task, _, _ in items], at[1]),
            "item": column([item for _, item, _ in items], at[1]),
            "cluster": column([cluster for _, _, cluster in items], at[1]),
            "arm": column([a.name for a in arms], at[2]),
            "setting": column([a.setting.id for a in arms], at[2]),
            "base_prompt": column([a.setting.prompt or "" for a in arms], at[2]),
            "replicate": at[3],
        }
    )
    return frame, (len(design.models), len(items))


def _blocks(study: Study) -> np.ndarray:
    """For each item, in the order of tasks and items, the place of its block in the sending order."""
    places = [(position, t) for t, task in enumerate(study.design.tasks) for position in range(len(task.items))]
    rank = {place: n for n, place in enumerate(sorted(places))}
    return np.array([rank[place] for place in places])


def _judged(
    frame: pd.DataFrame,
    shape: tuple[int, int],
    plan: Plan,
    answers: tuple[float, float],
    rng: np.random.Generator,
    treatment: str | None = None,
    effect: float = 0.0,
) -> tuple[list[Comparison], float]:
    """One made-up run, whose answers have this baseline and discordance: its comparisons, and the share of its trials that is sent."""
    baseline, discordance = answers
    within = min(max(discordance / (2 * baseline * (1 - baseline)), 1e-6), 1 - 1e-6)  # the share of the variance inside items
    spread = within / (1 - within)
    chance = rng.beta(baseline * spread, (1 - baseline) * spread, shape)
    p = np.repeat(chance.ravel(), len(frame) // chance.size)
    if treatment is not None:
        room = (1 - p) / (1 - baseline) if effect >= 0 else p / baseline
        p = np.where(frame["arm"].to_numpy() == treatment, np.clip(p + effect * room, 0, 1), p)
    scored = frame.assign(score=(rng.random(len(frame)) < p).astype(np.float64))
    looks = Looks(plan) if plan.looks else None
    if looks is None:
        return analyse(scored, plan), 1.0
    for look in range(len(looks.ends) - 1):
        looks.decide(scored, look)
    return analyse(scored, plan, looks.rows), 1 - saved(scored, looks).n_trials / len(scored)


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
    """Share of items that scored differently when asked again, with its upper 80 % limit; baseline, tokens an answer."""
    wide = trials.groupby(["model", "task", "item", "arm"], observed=True)["score"].mean().unstack("arm").dropna()
    changed, of = int((wide[AA_ARM] != wide[NONE_ARM]).sum()), len(wide)
    if not of:
        raise UsageProblem("the pilot has no item with two scores; look at its run for the errors")
    return {
        "changed": changed,
        "of": of,
        "discordance": changed / of,
        "discordance_high": max(accuracy_ci(changed, of, conf=0.6).wilson[1], 0.01),
        "baseline": float(wide[NONE_ARM].mean()),
        "tokens_out": None if trials["output_tokens"].isna().any() else round(float(trials["output_tokens"].mean()), 1),
    }

"""How an experiment's own design errs and sees: its plan judged many times on made-up answers whose truth is known.

No request is sent and nothing is simulated word by word: every item has a chance of a right answer, drawn so that two runs of one
prompt disagree on the given share of items, and arms are drawn from it. Families, tests and refusals are those of the real report.
A pilot (`planning/pilot.py`) measures that share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import FINDINGS, NONE_ARM, ArmRef, Comparison, Plan, UsageProblem, contrast_of
from promptlab.planning.made_up import Answers, PlantedArm, is_needed, judged, made_up, planted_arm, rows_of
from promptlab.planning.plan import make_plan
from promptlab.planning.study import Study
from promptlab.stats import LevelSpread, Screening, accuracy_ci
from promptlab.stats.contrasts import exact, incumbent_of, of_arms
from promptlab.stats.noninferior import items_of_gate, non_inferiority

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
    """The arm with the planted effect is shipped, and no other one instead."""
    other_shipped: Rate
    """Another arm is shipped instead, though it does nothing."""

    def regret(self, effect: float) -> float:
        """What is given away on average by not shipping the arm with the planted effect; a fraction."""
        return abs(effect) * (1 - self.best_shipped.share)


@dataclass(frozen=True, slots=True)
class FamilyRates:
    """What one family of questions says over the tasks, in shares of the sweeps."""

    family: str
    n_comparisons: int
    """0: the spread over the levels of a random factor."""
    false: Rate
    """Any finding where nothing works: at most alpha is promised."""
    found: Rate | None
    """The planted effect, where some comparison is about it."""
    blamed: Rate | None
    """A finding about what the planted effect does not move, where some comparison is: at most alpha is promised, too."""


@dataclass(frozen=True, slots=True)
class GateRates:
    """What `promptlab gate` says of one arm on one model of this design, in shares of gates; margin and loss are fractions."""

    margin: float
    loss: float
    n_items: int
    items_needed: int
    """With so many items four gates of five pass where nothing changes."""
    pass_if_same: Rate
    pass_at_margin: Rate
    """False passes where the arm loses exactly the margin: at most alpha is promised."""
    pass_at_loss: Rate
    fail_at_loss: Rate


@dataclass(frozen=True, slots=True)
class JudgedRates:
    """What is found of one arm where a judge scores, in shares of the runs; errors and bias are fractions."""

    n_labels: int
    n_items: int
    errors: float
    """How often the judge calls a right answer wrong, or a wrong one right."""
    bias: float
    """How often it calls an answer of the treatment right whatever it is."""
    judge_alone: Rate
    """Findings by the judge alone where nothing works."""
    with_labels: Rate
    """The same by people's labels and the judge: at most alpha is promised."""
    found: Rate
    """The planted effect, by people's labels and the judge."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a design does when nothing works, and when `treatment` moves every task by `effect`."""

    sweeps: int
    effect: float
    baseline: float
    discordance: float
    treatment: str
    false_gain: Rate
    """Sweeps that say "helps" of anything over the tasks, though nothing does."""
    false_finding: Rate
    """... helpful or harmful, over the tasks or in any task."""
    families: tuple[FamilyRates, ...]
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
    """Share of the trials that is sent, on average, when nothing works: below 1 only with interim analyses."""
    asked_planted: float
    """The same when one stimulus moves every task by `effect`."""
    estimates_mean: float | None
    """Mean estimate of the planted effect where it was found: above the truth, since only large ones are."""
    gate: GateRates | None = None
    judged: JudgedRates | None = None
    drift: float = 0.0
    """How far all answers drifted from the beginning of a run to its end; a fraction."""
    fixed: tuple[ModelRates, ...] = ()
    """Of a run that screens first: the same arms all on the same items, at the same number of trials."""
    fixed_items: int = 0
    """The items of that design."""


def rate(n: int, of: int) -> Rate:
    """`n` of `of` sweeps."""
    low, high = accuracy_ci(n, of).wilson
    return Rate(n, of, n / of, low, high)


def calibrate(
    study: Study, sweeps: int, effect: float, baseline: float, discordance: float, observe: Callable[[int, int], None], *,
    drift: float = 0.0, when: Mapping[str, str] | None = None,
) -> Calibration:  # fmt: skip
    """Judge `sweeps` made-up runs of the study without any effect, and as many with `effect` (a fraction) at the levels of `when`.

    `discordance` is the share of items on which two runs of the same prompt disagree; `observe` receives (done, of). `drift` is how
    much more often any answer is right at the end of a run than at its beginning.
    """
    if study.design.left_out:
        raise UsageProblem("made-up runs need the same base prompts in every task; calibrate each benchmark separately")
    plan = make_plan(study)
    frame, shape = rows_of(study)
    arm = planted_arm(plan, frame, when)
    of_sweep = partial(judged, frame, shape, plan, Answers(baseline, discordance, drift), np.random.default_rng(study.design.seed))
    seen: defaultdict[str, list[float]] = defaultdict(list)
    told: defaultdict[str, _Family] = defaultdict(_Family)
    shipped: dict[str, list[tuple[bool | None, bool | None]]] = {model.name: [] for model in study.design.models}
    estimates: list[float] = []
    for done in range(sweeps):
        null, asked, spreads = of_sweep()
        over = [c for c in null if c.task is None and c.scope != "aa"]
        cell = [c for c in null if c.task is not None and c.scope != "aa" and c.verdict in FINDINGS]
        _tell(told, null, spreads, plan)
        planted, asked_planted, spreads = of_sweep(arm, effect)
        _tell(told, planted, spreads, plan, (arm, effect))
        first = _decisive(planted, plan, arm)
        estimates += [c.diff for c in first if c.verdict in GAINS and c.diff is not None]
        for model, both in shipped.items():
            both.append((_shipped(null, plan, model, arm), _shipped(planted, plan, model, arm)))
        same = (first[0].treatment, first[0].control) if first else None
        own = [c for c in planted if c.task is not None and c.scope != "aa" and (c.treatment, c.control) == same]
        for name, value in {
            "false_gain": any(c.verdict in GAINS for c in over),
            "false_finding": bool(cell) or any(c.verdict in FINDINGS for c in over),
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
        treatment=arm.name,
        drift=drift,
        families=tuple(of.rates(name, sweeps) for name, of in told.items()),
        n_cells=sum(1 for h in plan.hypotheses if h.task is not None),
        models=tuple(
            ModelRates(
                model=model,
                false_ship=rate(sum(null is not None for null, _ in both), sweeps),
                best_shipped=rate(sum(planted is True for _, planted in both), sweeps),
                other_shipped=rate(sum(planted is False for _, planted in both), sweeps),
            )
            for model, both in shipped.items()
        ),
        estimates_mean=float(np.mean(estimates)) if estimates else None,
        **shares,
    )


@dataclass(slots=True)
class _Family:
    """In how many made-up runs a family said what; None: it has no comparison that could."""

    n: int = 0
    false: int = 0
    found: int | None = None
    blamed: int | None = None

    def rates(self, name: str, sweeps: int) -> FamilyRates:
        found, blamed = (None if n is None else rate(n, sweeps) for n in (self.found, self.blamed))
        return FamilyRates(name, self.n, rate(self.false, sweeps), found, blamed)


def _tell(
    told: defaultdict[str, _Family], comparisons: Sequence[Comparison], spreads: Sequence[LevelSpread], plan: Plan,
    planted: tuple[PlantedArm, float] | None = None,
) -> None:  # fmt: skip
    """Count what each family says over the tasks of one run; with a planted effect, what of it is true."""
    said: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)  # the sign of a finding, and the truth
    for c in comparisons:
        if c.task is None and c.scope != "aa" and c.family is not None:
            sign = float(np.sign(c.diff or 0.0)) if c.verdict in FINDINGS else 0.0
            true = sum(w * planted[0].share(ref) for ref, w in contrast_of(c, plan).weights) * planted[1] if planted else 0.0
            said[c.family].append((sign, 0.0 if abs(true) < 1e-9 else true))
    for s in spreads:
        name = f"spread/{s.factor}/{s.model}" + (f"/{s.prompt}" if s.prompt else "")
        factor = next((factor for factor in plan.factors if factor.name == s.factor), None)
        said[name].append((float(s.p_value <= plan.alpha), float(planted is not None and factor is not None and planted[0].turns(factor))))
    for family, rows in said.items():
        of = told[family]
        if planted is None:
            of.n = 0 if family.startswith("spread/") else len(rows)
            of.false += any(sign for sign, _ in rows)
            continue
        if any(true for _, true in rows):
            of.found = (of.found or 0) + any(sign * true > 0 for sign, true in rows)
        if not all(true for _, true in rows):
            of.blamed = (of.blamed or 0) + any(sign and not true for sign, true in rows)


DIRECT = ("stimulus", "prompt", "level", "model")


def _decisive(comparisons: list[Comparison], plan: Plan, arm: PlantedArm) -> list[Comparison]:
    """The planted arm over the tasks against its first control, one for each model and setting."""
    own = [c for c in comparisons if c.scope in DIRECT and c.task is None and _is_effect(c, plan, arm)]
    return [c for c in own if (c.scope, c.control) == (own[0].scope, own[0].control)]


def _is_effect(c: Comparison, plan: Plan, arm: PlantedArm) -> bool:
    contrast = contrast_of(c, plan)
    return arm.moves(contrast.side(1)) and not any(arm.moves([ref]) for ref in contrast.side(-1))


def _shipped(comparisons: list[Comparison], plan: Plan, model: str, arm: PlantedArm) -> bool | None:
    """Whether what would be shipped for a model is moved by the planted effect; None where nothing is shipped.

    An arm is shipped where it is found to help over the tasks against its control and against what runs today, in some setting; of
    several the one with the largest gain.
    """
    if of_arms(plan):
        base = incumbent_of(plan, model)
        found = [comparisons[i] for (_, control), i in exact(comparisons).items() if control == base]
        gains = [c for c in found if c.verdict in GAINS]
    else:
        own: defaultdict[tuple[str, str], list[Comparison]] = defaultdict(list)
        for c in comparisons:
            if c.scope == "stimulus" and c.model == model and c.control in DECISIVE and not c.oracle:
                own[c.treatment, c.setting.id].append(c)
        gains = [against[0] for against in own.values() if all(c.verdict in GAINS for c in against)]
    best = max(gains, key=lambda c: c.diff or 0.0, default=None)
    return None if best is None else arm.moves(contrast_of(best, plan).side(1))


LOSS = 2.5
"""The planted loss of a gate, in margins: 5 points at a margin of 2."""


def gates(study: Study, sweeps: int, margin: float | None, baseline: float, discordance: float) -> GateRates:
    """The gate of the first planted arm against what runs today, on the first model, `sweeps` times for each true difference.

    `margin` is a fraction, None the plan's. With a screening part the arm is one that was chosen, so only the confirming items count.
    """
    one = one_arm(study)
    plan = one.plan
    own = margin if margin is not None else plan.margin
    rng = np.random.default_rng(study.design.seed)
    said: dict[float, list[str]] = {0.0: [], own: [], LOSS * own: []}
    for true, outcomes in said.items():
        for _ in range(sweeps):
            scored = made_up(one.rows, one.shape, Answers(baseline, discordance), rng, (one.arm, -true))
            outcomes.append(non_inferiority(scored, plan, one.refs, one.base, margin=own, alpha=plan.alpha).outcome)
    rates = {true: {word: rate(outcomes.count(word), sweeps) for word in ("pass", "fail")} for true, outcomes in said.items()}
    return GateRates(
        margin=own, loss=LOSS * own, n_items=one.shape[1], items_needed=items_of_gate(discordance, own),
        pass_if_same=rates[0.0]["pass"], pass_at_margin=rates[own]["pass"], pass_at_loss=rates[LOSS * own]["pass"],
        fail_at_loss=rates[LOSS * own]["fail"],
    )  # fmt: skip


class OneArm(NamedTuple):
    """The first planted arm on the first model, and what it would take the place of."""

    plan: Plan
    refs: list[ArmRef]
    base: list[ArmRef]
    arm: PlantedArm
    rows: pd.DataFrame
    shape: tuple[int, int]


def one_arm(study: Study) -> OneArm:
    """What a gate, or people who rate answers, would look at."""
    frame, _ = rows_of(study)
    plan = make_plan(study)
    arm, model = planted_arm(plan, frame), plan.models[0].name
    refs, base = _gated_arms(plan, arm, model)
    keys = {(r.model, r.setting, r.arm, p) for r in (*refs, *base) for p in ((r.prompt,) if r.prompt else (*plan.base_prompts, ""))}
    here = ~is_needed(frame, frozenset(keys)).to_numpy()
    if plan.confirm is not None:
        here &= frame["order"].to_numpy() >= plan.confirm.order
        plan = Screening(plan).confirming
    used = frame[here]
    shape = (used["model"].nunique(), len(used.groupby(["task", "item"], observed=True)))
    return OneArm(plan, refs, base, arm._replace(rows=arm.rows[here]), used, shape)


def _gated_arms(plan: Plan, arm: PlantedArm, model: str) -> tuple[list[ArmRef], list[ArmRef]]:
    """The first arm of a model that the planted effect moves, and what it would take the place of."""
    if of_arms(plan):
        base = incumbent_of(plan, model)
        found = [treated for treated, control in exact(plan.hypotheses) if control == base and arm.moves(list(treated))]
        if found:
            return sorted(found[0], key=str), sorted(base, key=str)
    setting = next(key[1] for key in sorted(arm.keys) if key[0] == model)
    own = [ArmRef(model=model, setting=setting, arm=name) for name in (arm.name, NONE_ARM)]
    return own[:1], own[1:]


def fixed_design(study: Study) -> Study:
    """The study without a screening part: all arms on as many items of each task as make about as many trials."""
    design = study.design
    plan = make_plan(study)
    share = (plan.confirm.trials_likely if plan.confirm else design.n_trials) / design.n_trials
    tasks = tuple(replace(task, items=task.items[: max(1, round(share * len(task.items)))]) for task in design.tasks)
    experiment = study.experiment.model_copy(update={"confirm": None})
    return replace(study, experiment=experiment, design=replace(design, tasks=tasks, screened=()))

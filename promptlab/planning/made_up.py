"""Made-up runs of a design: every trial with a score whose truth is known, judged as the report would judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.design.cross import blocks
from promptlab.nouns import AA_ARM, NONE_ARM, ArmRef, Comparison, Plan, PlannedFactor, UsageProblem
from promptlab.planning.study import Study
from promptlab.stats import ArmKey, LevelSpread, Looks, Screening, analyse, level_spreads, saved
from promptlab.stats.contrasts import MODEL, PROMPT, STIMULUS


class Answers(NamedTuple):
    """What made-up answers are like; all are fractions."""

    baseline: float
    """The share of right answers without any effect."""
    discordance: float
    """The share of items on which two runs disagree."""
    drift: float = 0.0
    """How much more often an answer is right at the end of the run than at its beginning, whatever its arm."""


class PlantedArm(NamedTuple):
    """What the planted effect moves: a sentence, a prompt, a level or a model, wherever it occurs, or only where several meet."""

    name: str
    keys: frozenset[ArmKey]
    """Model, setting, arm and base prompt of all that it moves."""
    every: frozenset[ArmKey]
    """Those of the whole design."""
    rows: np.ndarray
    """Which trials it moves."""

    def share(self, ref: ArmRef) -> float:
        """How much of an arm is moved: where it names no base prompt, a share of them."""
        own = [key for key in self.every if key[:3] == (ref.model, ref.setting, ref.arm) and ref.prompt in (None, key[3])]
        return sum(key in self.keys for key in own) / max(len(own), 1)

    def moves(self, refs: Sequence[ArmRef]) -> bool:
        """Whether all of these arms are moved."""
        return all(self.share(ref) > 0 for ref in refs)

    def turns(self, factor: PlannedFactor) -> bool:
        """Whether it moves some levels of a factor, and not all of them alike."""
        levels = {key: key[3] if factor.name == PROMPT else factor.of.get(key[1]) for key in self.every}
        return {levels[key] for key in self.keys} != set(levels.values())


def planted_arm(plan: Plan, frame: pd.DataFrame, when: Mapping[str, str] | None = None) -> PlantedArm:
    """The trials at the levels that `when` names by factor.

    Without it: the first added text or loop; without any the first prompt, level or model that is compared with another.
    """
    own = {STIMULUS: "arm", PROMPT: "base_prompt", MODEL: "model"}
    columns = {name: frame[name].astype(str).to_numpy() for name in ("model", "setting", "arm", "base_prompt")}
    every = np.array(list(zip(*columns.values(), strict=True)), dtype=object)
    levels = {factor.name: factor for factor in plan.factors if factor.name not in own}
    when = when or _first(plan, list(levels.values()))
    rows = np.full(len(frame), True)
    for name, level in when.items():
        if name not in own and name not in levels:
            raise UsageProblem(f"'{name}' is no factor here; factors: {', '.join([*own, *levels])}")
        at = columns[own[name]] if name in own else np.array([levels[name].of.get(setting, "") for setting in columns["setting"]])
        if level not in at:
            raise UsageProblem(f"{name} has no level '{level}'; levels: {', '.join(sorted(set(at) - {NONE_ARM, AA_ARM, ''}))}")
        rows &= at == level
    said = ", ".join(level if name in own else f"{name} {level}" for name, level in when.items())
    return PlantedArm(said, frozenset(map(tuple, every[rows])), frozenset(map(tuple, every)), rows)


def _first(plan: Plan, factors: Sequence[PlannedFactor]) -> dict[str, str]:
    """The level that moves where none is named."""
    texts = [arm.name for arm in plan.arms if arm.role in ("stimulus", "loop")]
    prompts = [prompt.name for prompt in plan.prompts if prompt.name != plan.incumbent]
    levels = [(factor.name, level) for factor in factors for level in factor.levels if level != factor.reference]
    if prompts:
        return {PROMPT: prompts[0]}
    if texts:
        return {STIMULUS: texts[0]}
    return dict(levels[:1]) or {MODEL: plan.models[-1].name}


def rows_of(study: Study) -> tuple[pd.DataFrame, tuple[int, int]]:
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
    rank = {place: n for n, place in enumerate(blocks(study.design))}
    return np.array([rank[t, position] for t, task in enumerate(study.design.tasks) for position in range(len(task.items))])


def made_up(
    frame: pd.DataFrame, shape: tuple[int, int], answers: Answers, rng: np.random.Generator,
    planted: tuple[PlantedArm, float] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The trials with scores whose baseline and discordance are `answers`, with an effect for one arm."""
    baseline, discordance, drift = answers
    within = min(max(discordance / (2 * baseline * (1 - baseline)), 1e-6), 1 - 1e-6)  # the share of the variance inside items
    spread = within / (1 - within)
    chance = rng.beta(baseline * spread, (1 - baseline) * spread, shape)
    p = np.repeat(chance.ravel(), len(frame) // chance.size)
    if planted is not None:
        arm, effect = planted
        room = (1 - p) / (1 - baseline) if effect >= 0 else p / baseline
        p = np.where(arm.rows, np.clip(p + effect * room, 0, 1), p)
    if drift:
        block, place = frame["order"].to_numpy(), rng.random(len(frame))  # arms are shuffled within their block
        length = len(frame) / len(np.unique(block))
        p = np.clip(p + drift * (block + place * length) / (block.max() + length), 0, 1)
    return frame.assign(score=(rng.random(len(frame)) < p).astype(np.float64))


def judged(
    frame: pd.DataFrame,
    shape: tuple[int, int],
    plan: Plan,
    answers: Answers,
    rng: np.random.Generator,
    arm: PlantedArm | None = None,
    effect: float = 0.0,
) -> tuple[list[Comparison], float, list[LevelSpread]]:
    """One made-up run: its comparisons, the share of its trials that is sent, and the spread of its random factors."""
    scored = made_up(frame, shape, answers, rng, None if arm is None else (arm, effect))
    if plan.confirm is not None:
        done = Screening(plan).decided(scored)
        left_out = (~is_needed(scored, done.unscreened())) & (scored["order"] < plan.confirm.order)
        left_out |= (~is_needed(scored, done.unneeded())) & (scored["order"] >= plan.confirm.order)
        return analyse(done.of(scored), done.confirming), 1 - float(left_out.mean()), []
    looks = Looks(plan) if plan.looks else None
    if looks is None:
        return analyse(scored, plan), 1.0, list(level_spreads(scored, plan))
    for look in range(len(looks.ends) - 1):
        looks.decide(scored, look)
    return analyse(scored, plan, looks.rows), 1 - saved(scored, looks).n_trials / len(scored), []


def is_needed(frame: pd.DataFrame, unneeded: frozenset[ArmKey]) -> pd.Series[bool]:
    """For each trial whether its arm is not among these."""
    index = pd.MultiIndex.from_frame(frame[["model", "setting", "arm", "base_prompt"]].astype(str))
    return pd.Series(~index.isin(list(unneeded)), index=frame.index)

"""Made-up runs of a design: every trial with a score whose truth is known, judged as the report would judge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.design.cross import blocks
from promptlab.nouns import ArmRef, Comparison, Plan
from promptlab.planning.study import Study
from promptlab.stats import ArmKey, Looks, Screening, analyse, saved


class Answers(NamedTuple):
    """What made-up answers are like; all are fractions."""

    baseline: float
    """The share of right answers without any effect."""
    discordance: float
    """The share of items on which two runs disagree."""
    drift: float = 0.0
    """How much more often an answer is right at the end of the run than at its beginning, whatever its arm."""


class PlantedArm(NamedTuple):
    """What the planted effect moves: a sentence, a prompt, a level or a model, wherever it occurs."""

    name: str
    keys: frozenset[ArmKey]
    """Model, setting, arm and base prompt of all that it moves."""
    rows: np.ndarray
    """Which trials these are."""

    def moves(self, refs: Sequence[ArmRef]) -> bool:
        """Whether all of these arms are moved."""
        every = {key[:3] for key in self.keys}
        return all(((r.model, r.setting, r.arm, r.prompt) in self.keys if r.prompt else (r.model, r.setting, r.arm) in every) for r in refs)


def planted_arm(plan: Plan, frame: pd.DataFrame) -> PlantedArm:
    """The first added text or loop; without any the first prompt, level or model that is compared with another."""
    columns = {name: frame[name].astype(str).to_numpy() for name in ("model", "setting", "arm", "base_prompt")}
    texts = [arm.name for arm in plan.arms if arm.role in ("stimulus", "loop")]
    prompts = [prompt.name for prompt in plan.prompts if prompt.name != plan.incumbent]
    levels = [(factor, level) for factor in plan.factors if not factor.random for level in factor.levels if level != factor.reference]
    if texts and not prompts:
        name, rows = texts[0], columns["arm"] == texts[0]
    elif prompts:
        name, rows = prompts[0], columns["base_prompt"] == prompts[0]
    elif levels:
        factor, level = levels[0]
        name, rows = f"{factor.name} {level}", np.isin(columns["setting"], [own for own, at in factor.of.items() if at == level])
    else:
        name, rows = plan.models[-1].name, columns["model"] == plan.models[-1].name
    return PlantedArm(name, frozenset(zip(*(values[rows] for values in columns.values()), strict=True)), rows)


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
) -> tuple[list[Comparison], float]:
    """One made-up run: its comparisons, and the share of its trials that is sent."""
    scored = made_up(frame, shape, answers, rng, None if arm is None else (arm, effect))
    if plan.confirm is not None:
        done = Screening(plan).decided(scored)
        left_out = (~is_needed(scored, done.unscreened())) & (scored["order"] < plan.confirm.order)
        left_out |= (~is_needed(scored, done.unneeded())) & (scored["order"] >= plan.confirm.order)
        return analyse(done.of(scored), done.confirming), 1 - float(left_out.mean())
    looks = Looks(plan) if plan.looks else None
    if looks is None:
        return analyse(scored, plan), 1.0
    for look in range(len(looks.ends) - 1):
        looks.decide(scored, look)
    return analyse(scored, plan, looks.rows), 1 - saved(scored, looks).n_trials / len(scored)


def is_needed(frame: pd.DataFrame, unneeded: frozenset[ArmKey]) -> pd.Series[bool]:
    """For each trial whether its arm is not among these."""
    index = pd.MultiIndex.from_frame(frame[["model", "setting", "arm", "base_prompt"]].astype(str))
    return pd.Series(~index.isin(list(unneeded)), index=frame.index)

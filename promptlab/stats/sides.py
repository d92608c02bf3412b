"""The two sides of a contrast in one task, item by item: their means, what either of them lost, and what that could hide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from promptlab.nouns import AA_ARM, NONE_ARM, OWN_PROMPT, ArmRef, Contrast, Plan
from promptlab.stats.pairs import Pairs
from promptlab.stats.tables import ItemTable, Place


class Loss(NamedTuple):
    """Treatment and control of a contrast in one task: planned answers, those without a score, and the sum of all scores.

    Of a side with several arms their weighted mean.
    """

    planned: tuple[float, float]
    lost: tuple[float, float]
    scores: tuple[float, float]

    @property
    def shares(self) -> tuple[float, float]:
        return self.lost[0] / max(self.planned[0], 1), self.lost[1] / max(self.planned[1], 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the difference could lie, whatever the lost answers of either side were (Manski 1990)."""
        treatment, control = (total / max(n, 1) for total, n in zip(self.scores, self.planned, strict=True))
        t, c = self.shares
        return treatment - control - c, treatment + t - control


class Compared(NamedTuple):
    """A contrast in one task: item pairs, what either side lost, answers that were planned, and differences by independent unit."""

    pairs: Pairs
    loss: Loss
    n_due: int
    units: np.ndarray
    levels: np.ndarray
    """The mean difference at each level of a random factor; empty without one."""


def joint(of_tasks: Sequence[np.ndarray]) -> np.ndarray:
    """The unit differences of all tasks in one row, weighted so that their mean is the mean over the tasks."""
    sizes = [int(np.isfinite(units).sum()) for units in of_tasks]
    some = sum(1 for n in sizes if n)
    return np.concatenate([units * sum(sizes) / max(some * n, 1) for units, n in zip(of_tasks, sizes, strict=True)])


@dataclass(frozen=True, slots=True)
class Sides:
    """The answers that a contrast compares: items by the base prompts that it averages (each paired with itself) by arms."""

    table: ItemTable
    """Names the items and their clusters."""
    weights: np.ndarray
    """Of the arms; each side sums to 1, so that an interaction is half the difference of two differences."""
    prompts: tuple[str, ...]
    scores: np.ndarray
    counts: np.ndarray
    due: np.ndarray
    """Answers that each item should have in each arm and base prompt: the items of the table, then those without any record."""
    labels: tuple[str, ...] = ()
    """The level of a random factor that each arm is at; empty without one."""

    @property
    def n_asked(self) -> int:
        """How many items should have an answer in every arm."""
        return int((self.due > 0).sum())

    def compared(self, n_items: int, complete: bool, favour: bool | None) -> Compared:
        """What an analysis needs of them; `favour` puts the excess loss of one side in, for the treatment or against it."""
        n_planned = n_items if complete else None
        loss = self.loss(complete)
        sides = self if favour is None else self.filled(loss, favour)
        s, b = sides.means()
        d = s - b
        pairs = sides.table.pairs(s, b, n_planned, sides.control_means(np.isfinite(d)))
        n_due = int(self.due.sum()) * len(self.prompts) * len(self.weights)
        return Compared(pairs, loss, n_due, sides.units(d), sides.level_means())

    def level_means(self) -> np.ndarray:
        """The mean difference at each level of the random factor: its arms, or each base prompt."""
        if not self.labels:
            return np.array([])
        own = [np.array([label == level for label in self.labels]) for level in dict.fromkeys(self.labels)]
        parts = [part * self.weights * len(own) for part in own]
        d = [_side(self.scores, weights) - _side(self.scores, -weights) for weights in parts]
        found = [d[0][:, [i]] for i in range(d[0].shape[1])] if len(own) == 1 else d
        return np.array([float(np.nanmean(part)) if np.isfinite(part).any() else np.nan for part in found])

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """The item means of treatment and control: over the base prompts that both sides have; NaN for an item without any."""
        s, b = (_side(self.scores, sign * self.weights) for sign in (1, -1))
        if s.shape[1] == 1:
            return s[:, 0], b[:, 0]
        both = np.isfinite(s) & np.isfinite(b)
        with np.errstate(invalid="ignore"):
            n = both.sum(axis=1)
            return np.where(both, s, 0.0).sum(axis=1) / n, np.where(both, b, 0.0).sum(axis=1) / n

    def control_means(self, items: np.ndarray) -> tuple[float, ...]:
        """The mean score under each arm of the control on these items; empty with one arm."""
        own = self.weights < 0
        if own.sum() < 2 or not items.any():
            return ()
        whole = self.scores[items]
        whole = np.where(np.isfinite(whole).all(axis=2, keepdims=True), whole, np.nan)[:, :, own]
        return tuple(np.nanmean(whole, axis=(0, 1)).tolist())

    def units(self, d: np.ndarray) -> np.ndarray:
        """Item differences as those of independent units, so that their mean over all units is that of the items; NaN without one."""
        if self.table.clusters is None:
            return d
        codes, n = np.unique(self.table.clusters, return_inverse=True)[1], np.isfinite(d)
        sums, some = np.bincount(codes, weights=np.where(n, d, 0.0)), np.bincount(codes, weights=n) > 0
        return np.where(some, sums * some.sum() / max(n.sum(), 1), np.nan)

    def loss(self, complete: bool) -> Loss:
        """What each side lost, in answers."""
        had = np.minimum(self.counts, self.due[: len(self.counts), None, None])
        kept, scored = had.sum(axis=(0, 1)), had * self.scores
        scored[np.isnan(scored)] = 0.0
        total = scored.sum(axis=(0, 1))
        planned = np.full(len(self.weights), float(self.due.sum() * len(self.prompts))) if complete else kept
        sides = [np.maximum(sign * self.weights, 0.0) for sign in (1, -1)]
        planned_, lost, scores = (tuple(round(float(side @ values), 9) for side in sides) for values in (planned, planned - kept, total))
        return Loss(planned=planned_, lost=lost, scores=scores)  # type: ignore[arg-type]

    def filled(self, loss: Loss, favour: bool) -> Sides:
        """The same with the excess loss of the side that lost more, at 0 or 1; what both sides lost alike stays missing."""
        shares, due, n = loss.shares, self.due, len(self.counts)
        more = int(shares[1] > shares[0])
        share = 1 - shares[1 - more] / shares[more] if shares[more] else 0.0
        worst = float(favour == (more == 0))
        unseen = np.array([f"(not recorded {i})" for i in range(len(due) - n)], dtype=object)
        blank = ((0, len(unseen)), (0, 0), (0, 0))
        had = np.pad(self.counts, blank)
        scores = np.pad(self.scores, blank, constant_values=np.nan)
        other = np.isfinite(scores[:, :, (self.weights < 0) if more == 0 else (self.weights > 0)]).all(axis=2)
        for arm in np.flatnonzero((self.weights > 0) if more == 0 else (self.weights < 0)):
            for own in range(len(self.prompts)):
                column, had_ = scores[:, own, arm], had[:, own, arm]
                put = share * np.maximum(due - had_, 0)
                part = had_ > 0
                column[part] = (column[part] * had_[part] + worst * put[part]) / (had_[part] + put[part])
                empty = np.flatnonzero(~part & (due > 0))
                empty = empty[np.argsort(~other[empty, own], kind="stable")]  # an item that makes a pair first
                column[empty[: round(share * len(empty) + 0.499)]] = worst
        clusters = None if self.table.clusters is None else np.concatenate([self.table.clusters, unseen])
        table = replace(self.table, items=np.concatenate([self.table.items, unseen]), clusters=clusters)
        return replace(self, table=table, scores=scores, counts=had)


def _side(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Items by base prompts: the weighted mean of the arms whose weight is above 0; equal weights are a plain mean, exactly."""
    here = weights > 0
    own = weights[here]
    if len(own) == 1:
        return scores[:, :, int(here.argmax())]
    if np.ptp(own) < EQUAL:
        mean: np.ndarray = scores[:, :, here].mean(axis=2)
        return mean
    found: np.ndarray = scores[:, :, here] @ own
    return found


EQUAL = 1e-12


Tables = Mapping[Place, Mapping[str, ItemTable]]


def sides_of(contrast: Contrast, task: str, plan: Plan, tables: Tables, rows: Tables | None = None) -> Sides:
    """The sides of a contrast in one task of a run, from the item means of all its models and settings.

    `rows` counts what is recorded of imported results, scored or not: one arm may have run more often than another. An item that only
    one arm holds is missing in the other, unless the plan says that it was never asked there.
    """
    refs = [ref for ref, _ in contrast.weights]
    of_ref = [tables.get((ref.model, ref.setting), {}).get(task) for ref in refs]
    found = list({id(table): table for table in of_ref if table is not None}.values())
    of_rows = [] if rows is None else [rows.get((ref.model, ref.setting), {}).get(task) for ref in refs]
    table = found[0] if found else next((one for one in of_rows if one is not None), None) or _empty(task)
    notes = tuple(dict.fromkeys(note for one in found for note in one.notes))
    prompts = _averaged(refs, task, plan, found)
    shape = (len(table.items), len(prompts), len(refs))
    scores, counts = np.full(shape, np.nan), np.zeros(shape)
    for arm, (ref, of_place) in enumerate(zip(refs, of_ref, strict=True)):
        for own, prompt in enumerate(prompts):
            part = None if of_place is None else of_place.within(ref.prompt or prompt)
            if part is not None and ref.arm in part.arms:
                here = part.arms[NONE_ARM if ref.arm == AA_ARM and not part.has(AA_ARM) else ref.arm]  # a prompt without a repeat
                scores[:, own, arm], counts[:, own, arm] = part.scores[:, here], part.counts[:, here]
    if rows is None:
        due = np.full(max(plan.task_of[task].n_items, len(table.items)), plan.replicates)
    else:
        asked = [_asked(one, ref, prompts, len(table.items)) for one, ref in zip(of_rows, refs, strict=True)]
        due = np.max(asked, axis=0)
        if any(len(set(own[own > 0])) == 1 for own in asked):  # then each arm was to answer every item as often as it did at most
            often = np.max(asked, axis=1).clip(1)
            due = np.full(len(due), often.max())
            counts = counts * (often.max() / often)
        if not (plan.absent_is_missing and np.any(asked, axis=1).all()):  # an arm without any row here was not part of this task
            due = np.where(np.min(asked, axis=0) > 0, due, 0)
    levels = next((factor.of for factor in plan.factors if factor.name == contrast.random), {})
    labels = tuple(levels.get(ref.setting, "") for ref in refs) if contrast.random else ()
    weights = np.array([weight for _, weight in contrast.weights]) / contrast.scale
    return Sides(
        table=table if table.notes == notes else replace(table, notes=notes), weights=weights, prompts=prompts, scores=scores,
        counts=counts, due=due, labels=labels,
    )  # fmt: skip


def _empty(task: str) -> ItemTable:
    return ItemTable(task=task, items=np.empty(0, dtype=object), arms={}, scores=np.empty((0, 0)), counts=np.empty((0, 0)))


def _asked(table: ItemTable | None, ref: ArmRef, prompts: Sequence[str], n_items: int) -> np.ndarray:
    """How often each item was run in one arm, in the base prompt where it was run most often."""
    parts = [None if table is None else table.within(ref.prompt or prompt) for prompt in prompts]
    counts = [part.counts[:, part.arms[ref.arm]] for part in parts if part is not None and ref.arm in part.arms]
    found: np.ndarray = np.max(counts, axis=0) if counts else np.zeros(n_items, dtype=np.int64)
    return found


def _averaged(refs: list[ArmRef], task: str, plan: Plan, found: list[ItemTable]) -> tuple[str, ...]:
    """The base prompts over which a contrast is averaged in a task, recorded or not; one name where its arms say theirs."""
    if all(ref.prompt is not None for ref in refs):
        return ("",)
    recorded = dict.fromkeys(prompt for table in found for prompt in table.by_prompt)
    named = [prompt for prompt in recorded if prompt not in (OWN_PROMPT, "")]
    if recorded and not named:  # programs with instructions of their own, or a frame that names no prompt
        return tuple(recorded)
    own = {} if plan.prompts else plan.task_of[task].base_prompts
    return tuple(dict.fromkeys((*(own or plan.base_prompts), *named)))

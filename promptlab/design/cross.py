"""Factors crossed into trials: which items, which arms, in which order. Pure and seeded: no files, no clock.

The same items, demonstrations and option orders meet every arm, so that a pair of trials differs in its stimulus
alone. Every draw has a generator of its own, named after what it draws, so that adding a task reshuffles no other.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptlab.nouns import AA_ARM, NONE_ARM, OWN_PROMPT, Demo, Item, Model, Setting, Stimulus, Task
from promptlab.nouns.arm import Arm, Placement, Program, Strategy, Trial


@dataclass(frozen=True, slots=True)
class Design:
    """Everything that is crossed: tasks (with their drawn items), arms, models, replicates."""

    tasks: tuple[Task, ...]
    arms: tuple[Arm, ...]
    models: tuple[Model, ...]
    replicates: int
    seed: int

    @property
    def n_trials(self) -> int:
        n_items = sum(len(task.items) for task in self.tasks)
        return n_items * len(self.arms) * len(self.models) * self.replicates


def draw(task: Task, n_items: int | None, n_demos: int, seed: int) -> Task:
    """The task with `n_items` of its items in a shuffled order (None: all), options shuffled, demonstrations drawn.

    Any prefix of the items is a random sample, options are shuffled because one published file lists the right one first,
    and demonstrations are drawn once, from a pool that holds no test item.
    """
    items = list(task.items)
    random.Random(f"{seed}/{task.id}/items").shuffle(items)
    if not task.fixed_order and any(item.choices for item in items):
        items = [shuffle_choices(item, f"{seed}/{task.id}/{item.id}/choices") for item in items]
    chosen, rest = _split(items, n_items, 0 if task.demos else n_demos)
    spare = task.demos or spare_demos(chosen, rest) if n_demos else ()
    pool = sorted(spare, key=lambda demo: (demo.input, demo.output))
    demos = random.Random(f"{seed}/{task.id}/demos").sample(pool, min(n_demos, len(pool)))
    return replace(task, items=tuple(chosen), demos=tuple(demos))


def n_available(task: Task, n_demos: int) -> int:
    """How many items there are to ask where `n_demos` demonstrations are drawn."""
    return len(_split(task.items, None, 0 if task.demos else n_demos)[0])


def _split(items: Sequence[Item], n_items: int | None, n_demos: int) -> tuple[Sequence[Item], Sequence[Item]]:
    """The items to ask, and those left for demonstrations; a task without a pool of its own gives up some of its last items."""
    end = min(n_items if n_items is not None else len(items), max(1, len(items) - 2 * n_demos))
    return items[:end], items[end:]


def spare_demos(chosen: Sequence[Item], rest: Sequence[Item]) -> list[Demo]:
    """Demonstrations from items that are not asked, and that share neither an input nor a cluster with one that is."""
    taken = {item.input for item in chosen} | {item.cluster for item in chosen if item.cluster}
    free = [item for item in rest if item.input not in taken and item.cluster not in taken]
    return [Demo(item.input, item.targets[0], item.choices) for item in free]


def shuffle_choices(item: Item, name: str) -> Item:
    """The item with its options in the order that `name` decides."""
    if not item.choices:
        return item
    order = list(range(len(item.choices)))
    random.Random(name).shuffle(order)
    scores = tuple(item.scores[i] for i in order) if item.scores else ()
    return replace(item, choices=tuple(item.choices[i] for i in order), scores=scores)


def cross(
    stimuli: Sequence[Stimulus], placebos: Sequence[Stimulus], settings: Sequence[tuple[Setting, Placement, Strategy]]
) -> tuple[Arm, ...]:
    """Every arm in every setting: the baseline, its A/A repeat, the placebos and the stimuli."""
    found = []
    for rest in settings:
        found.append(Arm(NONE_ARM, "baseline", None, *rest))
        found.append(Arm(AA_ARM, "aa", None, *rest))
        found.extend(Arm(s.id, "placebo", s, *rest) for s in placebos)
        found.extend(Arm(s.id, "stimulus", s, *rest) for s in stimuli)
    return tuple(found)


def settings_of(
    prompts: Sequence[str],
    placements: Sequence[Placement],
    shots: Sequence[int],
    strategies: Sequence[Strategy],
    samplings: Sequence[Mapping[str, Any]] = ({},),
) -> list[tuple[Setting, Placement, Strategy]]:
    """Every combination of factors once.

    A program that keeps its own instructions meets no base prompt, so it is a setting once, whatever their number.
    """
    crossed = itertools.product(prompts, placements, shots, strategies, samplings)
    found = {
        Setting(p.name, k, s.name, tuple(sorted(sampling.items())), OWN_PROMPT if _has_own_prompt(s) else prompt): (p, s)
        for prompt, p, k, s, sampling in crossed
    }
    return [(setting, *rest) for setting, rest in found.items()]


def _has_own_prompt(strategy: Strategy) -> bool:
    return isinstance(strategy.parameters, Program) and strategy.parameters.instructions == "own"


def trials(design: Design, start: int = 0, end: int | None = None) -> Iterator[Trial]:
    """All trials in the order in which they are sent; or those whose order is at least `start` and below `end`.

    Tasks take turns, and within a block of one item all arms and replicates come in a shuffled order, so that a provider
    that drifts hits every arm alike and a run that stops early has whole blocks of every task.
    """
    order, an_item = 0, trials_an_item(design)
    last = design.n_trials if end is None else end
    longest = max((len(task.items) for task in design.tasks), default=0)
    for position in range(longest):
        for task in design.tasks:
            if position >= len(task.items):
                continue
            if order >= last:
                return
            if order + an_item <= start:
                order += an_item
                continue
            item = task.items[position]
            block = [(arm, model, replicate) for arm in design.arms for model in design.models for replicate in range(design.replicates)]
            random.Random(f"{design.seed}/{task.id}/{item.id}/block").shuffle(block)
            for arm, model, replicate in block:
                if start <= order < last:
                    yield Trial(order, task.id, item, arm, model.name, replicate)
                order += 1


def trials_an_item(design: Design) -> int:
    """How many trials one item has: the size of a block."""
    return len(design.arms) * len(design.models) * design.replicates


def draw_number(trial: Trial, replicates: int) -> int:
    """Which of the repeated draws of one request a trial takes: the A/A arm takes those after the baseline's."""
    return trial.replicate + (replicates if trial.arm.role == "aa" else 0)

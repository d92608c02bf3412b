"""The one power calculator: what a number of items can show. `promptlab plan`, the plan page and Python use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from promptlab.stats import (
    FUTILITY,
    LEAST_CLUSTERS,
    ChangeLaw,
    expected_share,
    item_changes,
    power_mcnemar,
    power_signflip,
    power_t,
    smallest_margin,
)

SEEN = 0.8
"""The power with which an effect counts as seen."""
MOST_ITEMS = 100_000
Over = Literal["mean", "cell"]


@dataclass(frozen=True, slots=True)
class Size:
    """A paired design as far as its power depends on it. Shares and effects are fractions.

    `n_items` of each task; `over` the mean of the tasks, or the smallest task as a cell of its own; `discordance` the share of items
    whose score changes in one request, of which `chance` changes when the same prompt is sent again; repeats divide that; `alpha` the
    level of one comparison, two-sided; `controls` how many arms the control is the mean of; `accuracy` the baseline's mean score; `units`
    the number of clusters of each task, where items come in clusters; `looks` the information at each planned interim analysis.
    """

    n_items: tuple[int, ...]
    discordance: float
    alpha: float
    over: Over = "mean"
    repeats: int = 1
    chance: float = 0.0
    controls: int = 1
    accuracy: float = 0.7
    units: tuple[int, ...] = ()
    looks: tuple[float, ...] = ()

    def variance(self, effect: float) -> float:
        """Of the difference of an item's means. Every item has a chance of a right answer; an effect takes the same part of what each one
        lacks, so that it moves hard items more and changes how much answers vary; what flips beyond all that is the item's own.
        """
        moved, flips, squares, noise = self._model(effect)
        gain = moved * (1 - 2 * noise / self._room(effect)) - moved**2 * squares
        rest = flips - 2 * noise - moved * (1 - 2 * noise / self._room(effect))
        by_chance = gain * min(1.0, 2 * noise / self.discordance)  # a model that answers alike each time takes an effect alike too
        again = (noise + by_chance + noise / self.controls) / self.repeats
        return again + gain - by_chance + moved**2 * (squares - 1) + rest

    def flips(self, effect: float) -> float:
        """The share of items whose score changes in one request, where this is the effect."""
        return self._model(effect)[1]

    def _model(self, effect: float) -> tuple[float, float, float, float]:
        """The effect without its sign, the flips, the mean square of relative effects, and the variance of one answer within an item."""
        moved, room = abs(effect), self._room(effect)
        noise = min(self.chance, self.discordance, 2 * room * (1 - room)) / 2
        return moved, max(self.discordance, 2 * noise + moved * (1 - 2 * noise / room)), (room - noise) / room**2, noise

    def _room(self, effect: float) -> float:
        return min(max(1 - self.accuracy, abs(effect), 0.01), 0.99)

    @property
    def tasks(self) -> tuple[int, ...]:
        """Items of the tasks that are judged together."""
        return self.n_items if self.over == "mean" else (min(self.n_items),)

    def power(self, effect: float, tau: float = 0.0) -> float:
        """How often this effect is found: a share of runs. `tau` is the standard deviation of true effects between tasks, for tasks like
        these instead of these.
        """
        return _power(self, effect, tau)

    def smallest_effect(self, tau: float = 0.0) -> float | None:
        """The smallest effect seen with 80 % power; None where not even all wrong answers made right would be seen."""
        low, high = 0.0, max(1 - self.accuracy, self.discordance)
        if not self.power(high, tau) >= SEEN:
            return None
        while high - low > 5e-4:
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, tau) >= SEEN else (middle, high)
        return high

    def smallest_margin(self, alpha: float = 0.05) -> float:
        """The smallest margin within which an effect of 0 is shown to lie, with 80 % power."""
        return smallest_margin(self.tasks, self.variance(0.0), 0.0, alpha)

    def items_needed(self, effect: float) -> int | None:
        """The fewest items of every task with which the effect is seen; None where 100,000 do not do."""
        found = fewest(lambda n: n > 0 and self.with_items(n).power(effect) >= SEEN, MOST_ITEMS)
        return None if found is None else max(found, 2)

    def with_items(self, n: int) -> Size:
        """The same design with n items in every task."""
        return replace(self, n_items=(n,) * len(self.n_items))

    @property
    def of_one_task(self) -> bool:
        """Whether one task is judged, by sign flips of its items: a cell, or the mean over a single task."""
        return len(self.tasks) == 1 and not self.units and not self.looks

    @property
    def counted(self) -> bool:
        """Whether the test counts items won and lost (McNemar's mid-p): single answers in one task."""
        return self.of_one_task and self.controls == 1 and (self.repeats == 1 or not self.chance)

    def changes(self, effect: float) -> ChangeLaw:
        """How an item's means differ, where this is the effect: what its chance of a right answer makes, and what is the item's own."""
        moved, flips, _, noise = self._model(effect)
        room = self._room(effect)
        law = item_changes(self.repeats, self.controls, 1 - room, 2 * noise, moved / room)
        own = max(flips - 2 * noise - moved * (1 - 2 * noise / room), 0.0)
        return ChangeLaw(min(law.share + own, 1.0), law.mean, law.square + own, law.cube, law.fourth + own)


@lru_cache(maxsize=8192)
def _power(size: Size, effect: float, tau: float) -> float:
    tasks = size.tasks
    k = len(tasks)
    if size.counted and not tau:
        psi = min(size.flips(effect), 1.0)
        return power_mcnemar(tasks[0], (psi + abs(effect)) / 2, max(psi - abs(effect), 0.0) / 2, size.alpha).midp
    if size.of_one_task and not tau:
        return power_signflip(tasks[0], size.changes(effect), size.alpha)
    variance = sum(max(size.variance(effect), 1e-9) / n for n in tasks) / k**2 + tau**2 / k
    drift = abs(effect) / variance**0.5
    if size.looks:
        return expected_share(size.looks, size.alpha, drift, FUTILITY)[1]
    units = size.units if size.over == "mean" else size.units[:1] and (min(size.units),)
    if units and (sum(units) < LEAST_CLUSTERS or min(units) < 2):
        return 0.0
    if tau > 0 and k < 2:
        raise ValueError("one task says nothing about tasks like it; tau needs at least two")
    df = k - 1 if tau > 0 else sum(units) - len(units)
    return power_t(drift, df, size.alpha)


def fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest whole number from 0 on that is enough, where every larger one is too; None where `most` is not enough."""
    if not enough(most):
        return None
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

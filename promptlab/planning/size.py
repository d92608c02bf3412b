"""The one power calculator: what a number of items can show. `promptlab plan`, the plan page and Python use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from promptlab.stats import power_mcnemar, smallest_effect_macro, smallest_effect_mcnemar, smallest_margin

SEEN = 0.8
"""The power with which an effect counts as seen."""
MOST_ITEMS = 100_000
Over = Literal["mean", "cell"]


@dataclass(frozen=True, slots=True)
class Size:
    """A paired design as far as its power depends on it. Shares and effects are fractions.

    `n_items` of each task; `over` the mean of the tasks, or the smallest task as a cell of its own; `discordance` the share of items
    whose score changes in one request; `chance` the part of it that changes when the same prompt is sent again, which repeats divide;
    `alpha` the level of one comparison, two-sided.
    """

    n_items: tuple[int, ...]
    discordance: float
    alpha: float
    over: Over = "mean"
    repeats: int = 1
    chance: float = 0.0

    @property
    def spread(self) -> float:
        """Mean squared difference of item means: chance is divided by the repeats, the rest stays."""
        return self.discordance - min(self.chance, self.discordance) * (1 - 1 / self.repeats)

    @property
    def tasks(self) -> tuple[int, ...]:
        """Items of the tasks that are judged together."""
        return self.n_items if self.over == "mean" else (min(self.n_items),)

    def power(self, effect: float) -> float:
        """How often this effect is found, by the law that `smallest_effect` inverts: a share of runs."""
        return _power(self, effect)

    def smallest_effect(self, tau: float = 0.0) -> float | None:
        """The smallest effect seen with 80 % power; None where none is.

        `tau` is the standard deviation of true effects between tasks, for tasks like these instead of these.
        """
        if self._counted:
            return smallest_effect_mcnemar(self.tasks[0], self.discordance, self.alpha)
        return smallest_effect_macro(self.tasks, self.spread, tau, self.alpha)

    def smallest_margin(self, alpha: float = 0.05) -> float:
        """The smallest margin within which an effect of 0 is shown to lie, with 80 % power."""
        return smallest_margin(self.tasks, self.spread, 0.0, alpha)

    def items_needed(self, effect: float) -> int | None:
        """The fewest items of every task with which the effect is seen; None where 100,000 do not do."""
        found = fewest(lambda n: n > 0 and self.with_items(n).power(effect) >= SEEN, MOST_ITEMS)
        return None if found is None else max(found, 2)

    def with_items(self, n: int) -> Size:
        """The same design with n items in every task."""
        return replace(self, n_items=(n,) * len(self.n_items))

    @property
    def _counted(self) -> bool:
        """Whether the test counts items won and lost (McNemar's mid-p): one cell in which repeats change nothing."""
        return self.over == "cell" and self.spread == self.discordance


@lru_cache(maxsize=8192)
def _power(size: Size, effect: float) -> float:
    if size._counted:
        psi = size.discordance
        return power_mcnemar(size.tasks[0], (psi + effect) / 2, max(psi - effect, 0.0) / 2, size.alpha).midp
    law, tasks = NormalDist(), size.tasks
    error = sum(max(size.spread - effect**2, 1e-9) / n for n in tasks) ** 0.5 / len(tasks)
    return law.cdf(abs(effect) / error + law.inv_cdf(size.alpha / 2))


def fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest whole number from 0 on that is enough, where every larger one is too; None where `most` is not enough."""
    if not enough(most):
        return None
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

"""Repeats as outcomes: right once in k, right every time, questions that flip, and what single questions swing by chance.

One question is one item under one base prompt. Estimates are made question by question, averaged inside items, and items count once: K
answers to one item are never K items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from promptlab.nouns import NONE_ARM, InSetting, Setting
from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Interval, Numbers, wilson
from promptlab.stats.tables import averaged

RIGHT = 0.5
"""A score of so much or more counts as right."""
SHOWN_SWINGS = 3
"""Questions that are named of each sentence, those that changed most first."""


class PassRate(NamedTuple):
    """Shares of items, each with Wilson's 95 % interval over items, which is never too narrow for item means; None without such items."""

    k: int
    at: float | None
    """pass@k: at least one of k answers is right."""
    at_ci: Interval | None
    every: float | None
    """pass^k: all of k answers are right."""
    every_ci: Interval | None
    n_items: int
    """Items with k answers or more; the others say nothing."""


def _counts(right: Numbers, asked: Numbers) -> tuple[Array, Array]:
    c, n = np.asarray(right, dtype=np.float64), np.asarray(asked, dtype=np.float64)
    if c.shape != n.shape or c.ndim not in (1, 2) or not c.size:
        raise ValueError(f"right and asked must have one count for each item (by base prompts), found the shapes {c.shape} and {n.shape}")
    if not ((c >= 0) & (c <= n) & (c == np.rint(c)) & (n == np.rint(n))).all():
        raise ValueError("right and asked must be counts, right at most asked")
    return (c[:, None], n[:, None]) if c.ndim == 1 else (c, n)


def pass_rate(right: Numbers, asked: Numbers, k: int) -> PassRate:
    """pass@k and pass^k from how many of each item's answers are right: unbiased, 1 - C(n-c, k) / C(n, k) and C(c, k) / C(n, k).

    Arrays of items, or of items by base prompts, which are averaged inside the item. Source: Chen et al. 2021 (pass@k), Yao et al. 2024
    (pass^k, tau-bench).
    """
    c, n = _counts(right, asked)
    if k < 1:
        raise ValueError(f"k must be at least 1, found {k}")
    whole = np.where(n >= k, n, np.nan)
    has = np.isfinite(whole).any(axis=1)
    m = int(has.sum())
    if not m:  # nor is anything computed for a k that no item has answers for, however large it is
        return PassRate(k, None, None, None, None, 0)
    missed, every = (
        np.prod([np.clip(x - j, 0, None) / (whole - j) for j in range(k)], axis=0) for x in (n - c, c)
    )  # a quotient of binomial coefficients, factor by factor
    at, all_k = (float(np.nanmean(x[has], axis=1).mean()) for x in (1 - missed, every))
    return PassRate(k, at, wilson(at * m, m, 0.95), all_k, wilson(all_k * m, m, 0.95), m)


class Flaky(NamedTuple):
    """How often sending again changes the result; None where no item has two answers."""

    share: float | None
    """Items with both right and wrong answers: grows with the number of repeats."""
    ci: Interval | None
    disagree: float | None
    """The chance that two answers to one item differ, whatever the number of repeats."""
    n_items: int


def flaky(right: Numbers, asked: Numbers) -> Flaky:
    """The share of items that are neither always right nor always wrong, among those with two answers or more."""
    c, n = _counts(right, asked)
    n = np.where(n >= 2, n, np.nan)
    has = np.isfinite(n).any(axis=1)
    m = int(has.sum())
    if not m:
        return Flaky(None, None, None, 0)
    both = np.where(np.isnan(n), np.nan, (c > 0) & (c < n))
    share, differ = (float(np.nanmean(x[has], axis=1).mean()) for x in (both, 2 * c * (n - c) / (n * (n - 1))))
    return Flaky(share, wilson(share * m, m, 0.95), differ, m)


class BetaBinomial(NamedTuple):
    """Chances of a right answer that differ between items by a beta distribution."""

    mean: float
    rho: float
    """The share of a single answer's variance that lies between items: 0 all items alike, 1 each always right or always wrong."""
    shrunk: Array
    """Each item's chance, drawn towards the mean by as much as its few answers can tell."""


def beta_binomial(right: Numbers, asked: Numbers) -> BetaBinomial:
    """The chance of each item, shrunken; mean and rho by moments (the ANOVA estimator, kept within 0 and 1).

    An item without an answer gets the mean. With one answer an item rho is unknown and is 0. Source: Ridout, Demetrio and Firth 1999.
    """
    c, n = (x.ravel() for x in _counts(right, asked))
    if not n.any():
        raise ValueError("no item has an answer")
    asked_items, total = n > 0, float(n.sum())
    share = np.divide(c, n, out=np.zeros_like(c), where=asked_items)
    mean, m = float(c.sum() / total), int(asked_items.sum())
    rho = 0.0
    if m > 1 and total > m:
        between = float((n * (share - mean) ** 2).sum()) / (m - 1)
        within = float((n * share * (1 - share)).sum()) / (total - m)
        size = (total - float((n**2).sum()) / total) / (m - 1)
        whole = between + (size - 1) * within
        rho = min(1.0, max(0.0, (between - within) / whole)) if whole > 0 else 0.0
    own = np.divide(rho * n, 1 - rho + rho * n, out=np.zeros_like(n), where=asked_items)
    return BetaBinomial(mean, rho, mean + own * (share - mean))


class LargestByChance(NamedTuple):
    """The distribution of the largest absolute difference among items, if no item has any effect; differences are fractions."""

    values: Array
    at_most: Array
    """The chance that the largest is at most each value."""

    def quantile(self, q: float) -> float:
        return float(self.values[min(int(np.searchsorted(self.at_most, q - 1e-12)), len(self.values) - 1)])

    def p(self, difference: float) -> float:
        """The chance that some item differs by so much or more."""
        below = int(np.searchsorted(self.values, abs(difference) - 1e-9)) - 1
        return 1.0 if below < 0 else float(1 - self.at_most[below])


def largest_by_chance(right_a: Numbers, asked_a: Numbers, right_b: Numbers, asked_b: Numbers) -> LargestByChance:
    """What the largest difference among items is worth, given each item's right answers of both arms together.

    Without an effect any of an item's answers could have come from either arm (Fisher's exact law, item by item), and items are
    independent; exact, nothing is drawn. Items that lack an arm are left out; ValueError where all do.
    """
    (a, n), (b, m) = ((x.ravel() for x in _counts(*side)) for side in ((right_a, asked_a), (right_b, asked_b)))
    has = (n > 0) & (m > 0)
    if not has.any():
        raise ValueError("no item was answered under both arms")
    kinds, times = np.unique(np.stack([n, m, a + b], axis=1)[has].astype(int), axis=0, return_counts=True)
    laws = [_apart(int(one), int(other), int(total)) for one, other, total in kinds]
    return _largest(laws, times)


def planned_swing(n_items: int, repeats: int, a: float = 0.6, b: float = 0.7) -> LargestByChance:
    """The same before any answer, where items' chances of a right answer follow Beta(a, b); both arms asked `repeats` times."""
    if n_items < 1 or repeats < 1:
        raise ValueError(f"items and repeats must be at least 1, found {n_items} and {repeats}")
    chances = st.betabinom.pmf(np.arange(2 * repeats + 1), 2 * repeats, a, b)
    laws = [_apart(repeats, repeats, total) for total in range(2 * repeats + 1)]
    values = np.unique(np.concatenate([law[0] for law in laws]))
    return LargestByChance(values, sum(w * _up_to(law, values) for w, law in zip(chances, laws, strict=True)) ** n_items)


_Law = tuple[Array, Array]


@lru_cache(maxsize=4_096)
def _apart(n: int, m: int, total: int) -> _Law:
    """Absolute differences of two shares of n and m answers, `total` of them right, and the chance of at most each."""
    x = np.arange(max(0, total - m), min(n, total) + 1)
    difference = np.round(np.abs(x / n - (total - x) / m), 9)
    values: Array = np.unique(difference)
    chances: Array = np.cumsum(np.bincount(np.searchsorted(values, difference), weights=st.hypergeom.pmf(x, n + m, total, n)))
    return values, chances


def _up_to(law: _Law, values: Array) -> Array:
    place = np.searchsorted(law[0], values, side="right")
    found: Array = np.minimum(1.0, np.concatenate([[0.0], law[1]])[place])
    return found


def _largest(laws: Sequence[_Law], times: npt.NDArray[np.int64]) -> LargestByChance:
    values = np.unique(np.concatenate([law[0] for law in laws]))
    at_most = np.prod([_up_to(law, values) ** n for law, n in zip(laws, times, strict=True)], axis=0)
    return LargestByChance(values, at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatRow(InSetting):
    """Answers of one arm to the same questions, sent again; `pass_1` is the share right. Intervals are over items."""

    model: str
    setting: Setting
    arm: str
    n_items: int
    repeats: int
    pass_1: float | None
    pass_at: float | None
    pass_at_ci: Interval | None
    pass_every: float | None
    pass_every_ci: Interval | None
    flaky: float | None
    flaky_ci: Interval | None
    disagree: float | None
    rho: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SwingRow(InSetting):
    """One of the questions that changed most; `shrunk` is what is left of its change where most of such changes are chance."""

    model: str
    setting: Setting
    control: str
    treatment: str
    task: str
    item: str
    right_control: int
    asked_control: int
    right_treatment: int
    asked_treatment: int
    diff: float
    shrunk: float
    control_shrunk: float
    """The item's chance of a right answer, beta-binomial; the same for the treatment."""
    treatment_shrunk: float
    n_items: int
    null_median: float
    """The largest absolute change among all items where nothing works: the median, and the value that it passes once in twenty."""
    null_95: float
    p_largest: float
    """The chance that some item changes by so much or more where nothing works."""


class OfArm(NamedTuple):
    """Right answers and answers of one arm: items by base prompts, over all tasks."""

    right: Array
    asked: Array


class Repeats(NamedTuple):
    """What repeats say, arm by arm, and question by question."""

    rows: tuple[RepeatRow, ...] = ()
    swings: tuple[SwingRow, ...] = ()


def repeats_of(trials: pd.DataFrame, repeats: int, stimuli: Sequence[str], settings: Mapping[str, Setting]) -> Repeats:
    """Both tables of a run with `repeats` answers to each question in each arm."""
    rows: list[RepeatRow] = []
    swings: list[SwingRow] = []
    for (model, own), (names, arms) in _by_place(trials).items():
        rows += [_row(model, settings[own], name, arm, repeats) for name, arm in arms.items()]
        if NONE_ARM in arms:
            for name in (name for name in stimuli if name in arms):
                swings += _swings(model, settings[own], name, arms[name], arms[NONE_ARM], names)
    return Repeats(tuple(rows), tuple(swings))


_Names = list[tuple[str, str]]


def _by_place(trials: pd.DataFrame) -> dict[tuple[str, str], tuple[_Names, dict[str, OfArm]]]:
    """For each model and setting the tasks and items in order, and the counts of every arm."""
    scored = trials[["model", "setting", "task", "item", "arm", "base_prompt", "score"]]
    scored = scored.assign(score=(scored["score"] >= RIGHT).astype(float).where(scored["score"].notna()))
    found: dict[tuple[str, str], tuple[_Names, dict[str, list[OfArm]]]] = {}
    for place, task, items, (arms, _), means, counts, _ in averaged(scored, ["arm", "base_prompt"]):
        names, by_arm = found.setdefault(place, ([], {}))
        names += [(task, str(item)) for item in items]
        right = np.rint(np.nan_to_num(means) * counts)
        for i, arm in enumerate(arms):
            by_arm.setdefault(str(arm), []).append(OfArm(right[:, i], counts[:, i].astype(float)))
    whole = {
        place: (names, {arm: OfArm(*map(np.concatenate, zip(*parts, strict=True))) for arm, parts in by_arm.items()})
        for place, (names, by_arm) in found.items()
    }
    return {place: (names, {arm: one for arm, one in arms.items() if one.asked.any()}) for place, (names, arms) in whole.items()}


def _row(model: str, setting: Setting, arm: str, of: OfArm, repeats: int) -> RepeatRow:
    once, every, flips = pass_rate(*of, 1), pass_rate(*of, repeats), flaky(*of)
    return RepeatRow(
        model=model, setting=setting, arm=arm, n_items=every.n_items, repeats=repeats, pass_1=once.at, pass_at=every.at,
        pass_at_ci=every.at_ci, pass_every=every.every, pass_every_ci=every.every_ci, flaky=flips.share, flaky_ci=flips.ci,
        disagree=flips.disagree, rho=beta_binomial(*of).rho,
    )  # fmt: skip


def shrunken_changes(a: OfArm, b: OfArm) -> Array:
    """Each question's change, drawn towards the mean change by the share of their variance that chance explains."""
    sides = [(one.right / one.asked, one.asked) for one in (a, b)]
    change: Array = sides[0][0] - sides[1][0]
    by_chance = float(np.mean(sum(p * (1 - p) / np.maximum(n - 1, 1) for p, n in sides)))
    spread = float(change.var(ddof=1)) if len(change) > 1 else 0.0
    kept = max(0.0, 1 - by_chance / spread) if spread > 0 else 0.0
    mean = float(change.mean())
    return mean + kept * (change - mean)


def _swings(model: str, setting: Setting, name: str, a: OfArm, b: OfArm, names: _Names) -> Iterator[SwingRow]:
    """The questions that changed most; one asked under several base prompts is several."""
    has = (a.asked > 1) & (b.asked > 1)
    if not has.any():
        return
    item = np.broadcast_to(np.arange(len(names))[:, None], has.shape)[has]
    a, b = (OfArm(one.right[has], one.asked[has]) for one in (a, b))
    null, shrunk, fits = largest_by_chance(*a, *b), shrunken_changes(a, b), [beta_binomial(*one).shrunk for one in (a, b)]
    change = a.right / a.asked - b.right / b.asked
    for i in np.argsort(-np.abs(change), kind="stable")[:SHOWN_SWINGS]:
        task, key = names[item[i]]
        yield SwingRow(
            model=model, setting=setting, control=NONE_ARM, treatment=name, task=task, item=key, right_control=int(b.right[i]),
            asked_control=int(b.asked[i]), right_treatment=int(a.right[i]), asked_treatment=int(a.asked[i]), diff=float(change[i]),
            shrunk=float(shrunk[i]), control_shrunk=float(fits[1][i]), treatment_shrunk=float(fits[0][i]), n_items=len(change),
            null_median=null.quantile(0.5), null_95=null.quantile(0.95), p_largest=null.p(float(change[i])),
        )  # fmt: skip

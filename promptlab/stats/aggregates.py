"""Scores of an arm on a whole task, where no single answer has one: F1 over labels, correlation, errors, calibration, diversity.

A measure is a function of arrays over items that gives one number. `paired_bootstrap` compares two arms on the same items.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from promptlab.nouns import grouped
from promptlab.stats import laws as st
from promptlab.stats.agreement import preference_bias
from promptlab.stats.intervals import Array, Numbers

BINS = 10
RESAMPLES = 1000


def f1(said: Sequence[Hashable], gold: Sequence[Hashable]) -> tuple[float, float]:
    """Macro F1 over the labels of `gold`, and F1 weighted by how often each is right. Another label in an answer is a miss of its own."""
    _same(said, gold)
    hits = Counter(a for a, b in zip(said, gold, strict=True) if a == b)
    n_said, n_gold = Counter(said), Counter(gold)
    each = [2 * hits[label] / (n_said[label] + n) for label, n in n_gold.items()]
    return float(np.mean(each)), float(np.average(each, weights=[*n_gold.values()]))


def correlation(said: Numbers, gold: Numbers, *, ranks: bool = False) -> float:
    """Pearson's correlation, or Spearman's of ranks; NaN where one side does not vary."""
    x, y = _numbers(said, gold)
    if x.std() < 1e-12 or y.std() < 1e-12:
        return math.nan
    return float(st.spearmanr(x, y).statistic if ranks else np.corrcoef(x, y)[0, 1])


def mean_absolute_error(said: Numbers, gold: Numbers) -> float:
    """The mean distance, in the unit of the numbers."""
    x, y = _numbers(said, gold)
    return float(np.abs(x - y).mean())


def bias_of_labels(said: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    """The preference bias of the mistakes (Kang et al. 2024), over the labels of `gold`; NaN where it has no finite value."""
    _same(said, gold)
    names = {label: i for i, label in enumerate(dict.fromkeys(gold))}
    table = np.zeros((len(names), len(names)))
    for a, b in zip(said, gold, strict=True):
        if a in names:
            table[names[a], names[b]] += 1
    return preference_bias(table.tolist()).bias if table.any() else math.nan


def calibration_error(confidence: Numbers, right: Numbers, bins: int = BINS) -> float:
    """The expected calibration error: mean distance between confidence and share of right answers, in bins of equal width."""
    x, y = _numbers(confidence, right)
    if ((x < 0) | (x > 1)).any():
        raise ValueError("confidence must lie from 0 to 1")
    place = np.minimum((x * bins).astype(int), bins - 1)
    return float(sum(abs(x[place == i].mean() - y[place == i].mean()) * (place == i).mean() for i in range(bins) if (place == i).any()))


def distinct_n(texts: Sequence[str], n: int = 2) -> float:
    """The share of runs of n words over all texts that are different ones (Li et al. 2016); NaN without any."""
    grams = [tuple(words[i : i + n]) for words in (text.casefold().split() for text in texts) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else math.nan


class Difference(NamedTuple):
    """A measure of two arms on the same items, and its difference with a percentile interval."""

    treatment: float
    control: float
    diff: float
    ci_low: float
    ci_high: float
    n_units: int


def paired_bootstrap(
    measure: Callable[[Mapping[str, Sequence[Any]]], float],
    treatment: Mapping[str, Sequence[Any]],
    control: Mapping[str, Sequence[Any]],
    clusters: Sequence[Hashable] | None = None,
    conf: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Treatment minus control of a measure of columns, whose rows are the same items in both; whole clusters are drawn, both arms alike.

    Resamples in which the measure is NaN are left out. ValueError for columns of unequal length, or fewer than two units.
    """
    lengths = {len(column) for arm in (treatment, control) for column in arm.values()}
    if len(lengths) != 1:
        raise ValueError(f"all columns of both arms need one row for each item, found lengths {sorted(lengths)}")
    [n] = lengths
    names = list(range(n)) if clusters is None else list(clusters)
    rows = grouped((name, i) for i, name in enumerate(names))
    units = [*rows.values()]
    if len(units) < 2:
        raise ValueError(f"at least two items or clusters are needed, found {len(units)}")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn = [i for unit in rng.integers(len(units), size=len(units)) for i in units[unit]]
        a, b = (measure({name: [column[i] for i in drawn] for name, column in arm.items()}) for arm in (treatment, control))
        if math.isfinite(a - b):
            found.append(a - b)
    low, high = np.quantile(found, [(1 - conf) / 2, (1 + conf) / 2]) if found else (math.nan, math.nan)
    a, b = measure(treatment), measure(control)
    return Difference(a, b, a - b, float(low), float(high), len(units))


def _same(a: Sequence[Any], b: Sequence[Any]) -> None:
    if len(a) != len(b) or not len(a):
        raise ValueError(f"both sides need one value for each item, found {len(a)} and {len(b)}")


def _numbers(a: Numbers, b: Numbers) -> tuple[Array, Array]:
    _same(list(a), list(b))
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("numbers must be finite; leave out items without one")
    return x, y

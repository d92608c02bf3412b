"""Two groups of different items: the same task from the official files and from a twin of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.stats as st

from promptlab.stats.intervals import Interval, wilson
from promptlab.stats.paired import Numbers

Array = npt.NDArray[np.float64]


class UnpairedDifference(NamedTuple):
    """Mean of the first group minus mean of the second, its standard error, and an interval (None where there is none)."""

    diff: float
    se: float | None
    ci: Interval | None
    method: str


def unpaired_difference(
    first: Numbers,
    second: Numbers,
    first_clusters: Sequence[object] | None = None,
    second_clusters: Sequence[object] | None = None,
    conf: float = 0.95,
) -> UnpairedDifference:
    """The difference of two independent means of scores in [0, 1], with an interval; ValueError for an empty group.

    Right-or-wrong scores without clusters: Newcombe's (1998) hybrid score interval. All others: Welch's, with CR1 errors where
    items form clusters.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(x) or not len(y):
        raise ValueError("both groups need at least one score")
    diff = float(x.mean() - y.mean())
    (sx, dx), (sy, dy) = _error(x, first_clusters), _error(y, second_clusters)
    se = None if sx is None or sy is None else math.hypot(sx, sy)
    if first_clusters is None and second_clusters is None and np.isin(x, (0, 1)).all() and np.isin(y, (0, 1)).all():
        return UnpairedDifference(diff, se, _newcombe(x, y, conf), "Newcombe, independent groups")
    if se is None or sx is None or sy is None or se == 0:
        return UnpairedDifference(diff, se, None, "none: a group does not vary, or is one cluster")
    df = se**4 / (sx**4 / dx + sy**4 / dy)
    half = float(st.t.ppf((1 + conf) / 2, df)) * se
    clustered = first_clusters is not None or second_clusters is not None
    return UnpairedDifference(diff, se, (max(-1.0, diff - half), min(1.0, diff + half)), "Welch, clustered" if clustered else "Welch")


def _error(values: Array, clusters: Sequence[object] | None) -> tuple[float | None, float]:
    """The standard error of a mean (CR1 over clusters; an item without one is its own), and its degrees of freedom."""
    n = len(values)
    codes = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums = np.bincount(codes, weights=values - values.mean())
    if len(sums) < 2:
        return None, 1.0
    return math.sqrt(float((sums**2).sum()) * len(sums) / (len(sums) - 1)) / n, float(len(sums) - 1)


def _newcombe(x: Array, y: Array, conf: float) -> Interval:
    p, q = float(x.mean()), float(y.mean())
    (pl, pu), (ql, qu) = wilson(float(x.sum()), len(x), conf), wilson(float(y.sum()), len(y), conf)
    return max(-1.0, p - q - math.hypot(p - pl, qu - q)), min(1.0, p - q + math.hypot(pu - p, q - ql))

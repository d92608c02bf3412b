"""Many comparisons at once: adjusted p-values, and what could not have been detected however it came out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

Array = npt.NDArray[np.float64]


class MinDiscordant(NamedTuple):
    """The fewest discordant pairs with which a test can reach a level, all of them one way."""

    midp: int
    exact: int


class Adjusted(NamedTuple):
    """p-values adjusted by every method, each in the order given."""

    bonferroni: Array
    holm: Array
    hochberg: Array
    hommel: Array
    fdr_bh: Array
    fdr_by: Array


def adjust_pvalues(p: Sequence[float | None] | Array, m: int | None = None) -> Adjusted:
    """p-values adjusted by every method; see `adjust` for missing values and `m`."""
    return Adjusted(*(adjust(p, method, m) for method in METHODS))


METHODS = Adjusted._fields


def adjust(p: Sequence[float | None] | Array, method: str, m: int | None = None) -> Array:
    """p-values adjusted for their number, in the order given.

    A missing p (None or NaN) stays NaN and does not count, unless `m` says how many hypotheses were planned: then what is
    not in `p` counts as p = 1. Methods: bonferroni, holm, hochberg, hommel, fdr_bh (Benjamini and Hochberg 1995), fdr_by.
    """
    if method not in METHODS:
        raise ValueError(f"the method {method!r} is not known; known: {', '.join(METHODS)}")
    values = np.array([np.nan if x is None else x for x in p], dtype=np.float64)
    here = ~np.isnan(values)
    n = int(here.sum())
    if ((values[here] < 0) | (values[here] > 1)).any():
        raise ValueError("p-values must lie between 0 and 1")
    if m is not None and m < n:
        raise ValueError(f"m = {m} planned hypotheses is less than the {n} p-values given")
    found = np.full(len(values), np.nan)
    if n:
        padded = np.concatenate([values[here], np.ones((m or n) - n)])
        found[here] = _adjusted(padded, method)[:n]
    return found


def _adjusted(p: Array, method: str) -> Array:
    """Holm and false discovery rates here, because statsmodels collects garbage in each call, 30 ms in a session of any size."""
    if method == "holm":
        order = np.argsort(p)
        stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
        return np.minimum(stepped, 1.0)[np.argsort(order)]
    if method == "fdr_bh":
        return np.asarray(false_discovery_control(p, method="bh"), dtype=np.float64)
    name = "simes-hochberg" if method == "hochberg" else method
    return np.asarray(multipletests(p, method=name)[1], dtype=np.float64)


def min_discordant(alpha: float) -> MinDiscordant:
    """How many answers must change, all one way, before McNemar's test can give p <= alpha: mid-p 2^-m, exact 2^(1-m)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, found {alpha}")
    midp = math.ceil(-math.log2(alpha) - 1e-12)
    return MinDiscordant(midp, midp + 1)

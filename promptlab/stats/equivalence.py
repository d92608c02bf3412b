"""Showing that an effect is smaller than a margin fixed beforehand: two one-sided tests."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import stdtr, stdtrit

from promptlab.nouns.words import Status
from promptlab.stats.intervals import risk_difference_ci
from promptlab.stats.paired import Numbers, differences


class TostPaired(NamedTuple):
    """Two one-sided t tests on item differences; all None when the differences have no variance."""

    p_lower: float | None
    p_upper: float | None
    p_tost: float | None
    ci90: tuple[float, float] | None
    equivalent: bool
    status: Status


class TostBinary(NamedTuple):
    """Whether a 90 % interval of the paired risk difference lies inside the margin."""

    ci90_newcombe: tuple[float, float]
    ci90_tango: tuple[float, float]
    equivalent_newcombe: bool
    equivalent_tango: bool


def tost_paired(stimulus: Numbers, baseline: Numbers, margin: float, alpha: float = 0.05) -> TostPaired:
    """Is the mean item difference inside (-margin, margin)? (Schuirmann 1987; Lakens 2017)

    Identical arms are never called equivalent by a t test: without variance it would give p = 0 for any number of items.
    """
    if not margin > 0:
        raise ValueError(f"the margin must be positive, found {margin}")
    d = differences(stimulus, baseline)
    if len(d) < 2:
        return TostPaired(None, None, None, None, False, "n_too_small")
    sd, mean, df = float(d.std(ddof=1)), float(d.mean()), len(d) - 1
    if sd < 1e-12:
        return TostPaired(None, None, None, None, False, "zero_variance")
    se = sd / math.sqrt(len(d))
    lower, upper = float(stdtr(df, -(mean + margin) / se)), float(stdtr(df, (mean - margin) / se))
    half = float(stdtrit(df, 1 - alpha)) * se
    p = max(lower, upper)
    return TostPaired(lower, upper, p, (mean - half, mean + half), p <= alpha, "ok")


def tost_binary(a: int, b: int, c: int, d: int, margin: float, alpha: float = 0.05) -> TostBinary:
    """Is the paired risk difference inside (-margin, margin)? Counts as in `mcnemar`."""
    if not margin > 0:
        raise ValueError(f"the margin must be positive, found {margin}")
    ci = risk_difference_ci(a, b, c, d, conf=1 - 2 * alpha)
    inside = [-margin < low and high < margin for low, high in (ci.newcombe, ci.tango)]
    return TostBinary(ci.newcombe, ci.tango, inside[0], inside[1])

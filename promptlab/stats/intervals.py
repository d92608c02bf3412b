"""Intervals for shares and for differences of paired shares, none of which collapses to a point when nothing changed; effect sizes
of paired binary scores, and when a relative gain may be printed at all;
and the difference of two groups of different items, such as a task from the official files and from a twin of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from promptlab.stats import laws as st

Interval = tuple[float, float]
Array = npt.NDArray[np.float64]
Numbers = Sequence[float] | Array


class RiskDifference(NamedTuple):
    """Difference of two paired shares (stimulus minus baseline) with three intervals; newcombe is the default."""

    estimate: float
    newcombe: Interval
    tango: Interval
    bonett_price: Interval


class Accuracy(NamedTuple):
    """A share of right answers with three intervals; wilson is the default."""

    estimate: float
    wilson: Interval
    clopper_pearson: Interval
    bayes_uniform: Interval


def wilson(successes: float, n: float, conf: float) -> Interval:
    """Wilson's score interval of a share, as statsmodels has it (a test says so), without what each call of that costs."""
    z = float(ndtri((1 + conf) / 2))
    share, wide = successes / n, z**2 / n
    middle = (share + wide / 2) / (1 + wide)
    half = z / (1 + wide) * math.sqrt(share * (1 - share) / n + wide / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(successes: int, n: int, conf: float) -> tuple[float, float]:
    """The exact interval of a share; NaN where it has no end."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=1 - conf, method="beta")
    return float(low), float(high)


def accuracy_ci(successes: int, n: int, conf: float = 0.95) -> Accuracy:
    """The share of right answers of one arm, with Wilson, Clopper-Pearson and uniform-prior intervals."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"successes must lie between 0 and n, and n be at least 1; found {successes} of {n}")
    low, high = clopper_pearson(successes, n, conf)
    tail = (1 - conf) / 2
    law = st.beta(successes + 1, n - successes + 1)
    exact = (0.0 if math.isnan(low) else float(low), 1.0 if math.isnan(high) else float(high))
    return Accuracy(successes / n, wilson(successes, n, conf), exact, (float(law.ppf(tail)), float(law.ppf(1 - tail))))


def risk_difference_ci(a: int, b: int, c: int, d: int, conf: float = 0.95) -> RiskDifference:
    """Share right under the stimulus minus share right under the baseline, on the same items.

    Counts as in `mcnemar`. Newcombe 1998 (method 10, hybrid score), Tango 1998 (score), Bonett and Price 2012 (one added to
    both kinds of discordant pairs).
    """
    n = a + b + c + d
    if n < 1 or min(a, b, c, d) < 0:
        raise ValueError(f"counts must not be negative and not all 0, found {[a, b, c, d]}")
    z = float(st.norm.ppf((1 + conf) / 2))
    return RiskDifference((b - c) / n, newcombe(a, b, c, d, conf), tango(b, c, n, z), bonett_price(b, c, n, z))


def newcombe(a: float, b: float, c: float, d: float, conf: float) -> Interval:
    """Two Wilson intervals put together, with the continuity-corrected correlation of the pairs."""
    n = a + b + c + d
    p1, p2 = (a + b) / n, (a + c) / n
    (l1, u1), (l2, u2) = wilson(a + b, n, conf), wilson(a + c, n, conf)
    product = (a + b) * (c + d) * (a + c) * (b + d)
    cross = a * d - b * c
    corrected = cross if cross < 0 else max(cross - n / 2, 0.0)
    phi = corrected / math.sqrt(product) if product else 0.0
    below = math.sqrt(max(0.0, (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2))
    above = math.sqrt(max(0.0, (p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2))
    return max(-1.0, p1 - p2 - below), min(1.0, p1 - p2 + above)  # rounding alone can pass the ends


def tango_score(b: float, c: float, n: float, delta: float) -> float:
    """The score statistic of "the difference is `delta`" (Tango 1998); falls as `delta` rises."""
    half = -b - c + (2 * n - b + c) * delta
    square = half**2 + 8 * n * c * delta * (1 - delta)
    p21 = ((math.sqrt(square) if square > 0 else 0.0) - half) / (4 * n)
    variance = n * (2 * p21 + delta * (1 - delta))
    gap = b - c - n * delta
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0


def tango(b: float, c: float, n: float, z: float) -> Interval:
    """The differences that the score test with critical value z does not reject."""
    estimate = (b - c) / n
    return _tango_limit(b, c, n, z, -1.0, estimate), _tango_limit(b, c, n, -z, estimate, 1.0)


def _tango_limit(b: float, c: float, n: float, value: float, low: float, high: float) -> float:
    """Where the score passes `value`, by bisection down to neighbouring numbers, or 80 times."""
    for _ in range(80):
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if tango_score(b, c, n, middle) > value:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def bonett_price(b: int, c: int, n: int, z: float) -> Interval:
    """Wald's interval after adding one to both kinds of discordant pairs."""
    p12, p21 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = z * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    return max(-1.0, p12 - p21 - half), min(1.0, p12 - p21 + half)


LEAST_BASELINE = 0.10
LEAST_BASELINE_LOWER = 0.05


class Effects(NamedTuple):
    """Effect sizes of one cell. `ratio`, its interval and the relative gain are None where the baseline is 0."""

    risk_difference: float
    cohen_h: float
    score_stimulus: float
    score_baseline: float
    baseline_wilson_lower: float
    relative_gain_printable: bool
    ratio: float | None
    ratio_ci: tuple[float, float] | None
    relative_gain_percent: float | None


class MatchedOddsRatio(NamedTuple):
    """Odds of gaining against losing an item; `estimate` is inf when nothing was lost, None when nothing changed."""

    estimate: float | None
    exact: tuple[float, float] | None
    cohen_g: float | None


def effect_sizes(a: int, b: int, c: int, d: int, conf: float = 0.95) -> Effects:
    """Every effect size of a 2x2 table of pairs (counts as in `mcnemar`).

    A relative gain is printable only when the baseline is at least .10 and its Wilson lower limit at least .05: near 0 a
    ratio of means has no finite expectation, and one point of noise becomes a gain of 42 %.
    """
    n = a + b + c + d
    if n < 1 or min(a, b, c, d) < 0:
        raise ValueError(f"counts must not be negative and not all 0, found {[a, b, c, d]}")
    p1, p0 = (a + b) / n, (a + c) / n
    lower = wilson(a + c, n, 0.95)[0]
    ratio = p1 / p0 if p0 > 0 else None
    return Effects(
        risk_difference=(b - c) / n,
        cohen_h=float(2 * (np.arcsin(np.sqrt(p1)) - np.arcsin(np.sqrt(p0)))),
        score_stimulus=p1,
        score_baseline=p0,
        baseline_wilson_lower=lower,
        relative_gain_printable=p0 >= LEAST_BASELINE and lower >= LEAST_BASELINE_LOWER,
        ratio=ratio,
        ratio_ci=_ratio_ci(a, b, c, conf) if ratio else None,
        relative_gain_percent=100 * (ratio - 1) if ratio is not None else None,
    )


def _ratio_ci(a: int, b: int, c: int, conf: float) -> tuple[float, float]:
    """Bonett and Price 2006: hybrid Wilson interval of a ratio of paired shares."""
    x1, x2, n = a + b, a + c, a + b + c
    joint = math.sqrt((b + c + 2) / ((x1 + 1) * (x2 + 1)))
    one = math.sqrt((1 - (x1 + 1) / (n + 2)) / (x1 + 1))
    two = math.sqrt((1 - (x2 + 1) / (n + 2)) / (x2 + 1))
    z = joint / (one + two) * float(st.norm.ppf((1 + conf) / 2))
    narrowed = 2 * float(st.norm.cdf(z)) - 1
    (l1, u1), (l2, u2) = wilson(x1, n, narrowed), wilson(x2, n, narrowed)
    return l1 / u2, u1 / l2 if l2 > 0 else math.inf


def matched_odds_ratio(b: int, c: int, conf: float = 0.95) -> MatchedOddsRatio:
    """Items gained over items lost, with the exact interval that follows from Clopper and Pearson's for b of b + c."""
    m = b + c
    if min(b, c) < 0:
        raise ValueError(f"counts must not be negative, found {[b, c]}")
    if m == 0:
        return MatchedOddsRatio(None, None, None)
    low, high = clopper_pearson(b, m, conf)
    low, high = (0.0 if math.isnan(low) or b == 0 else low), (1.0 if math.isnan(high) or c == 0 else high)
    limits = (low / (1 - low), math.inf if high >= 1 else high / (1 - high))
    return MatchedOddsRatio(b / c if c else math.inf, limits, b / m - 0.5)


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
    (sx, dx), (sy, dy) = error_of_mean(x, first_clusters), error_of_mean(y, second_clusters)
    se = None if sx is None or sy is None else math.hypot(sx, sy)
    if first_clusters is None and second_clusters is None and np.isin(x, (0, 1)).all() and np.isin(y, (0, 1)).all():
        return UnpairedDifference(diff, se, _newcombe(x, y, conf), "Newcombe, independent groups")
    if se is None or sx is None or sy is None or se == 0:
        return UnpairedDifference(diff, se, None, "none: a group does not vary, or is one cluster")
    df = se**4 / (sx**4 / dx + sy**4 / dy)
    half = float(st.t.ppf((1 + conf) / 2, df)) * se
    clustered = first_clusters is not None or second_clusters is not None
    return UnpairedDifference(diff, se, (max(-1.0, diff - half), min(1.0, diff + half)), "Welch, clustered" if clustered else "Welch")


def error_of_mean(values: Array, clusters: Sequence[object] | None) -> tuple[float | None, float]:
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

"""Intervals for shares and for differences of paired shares. None of them collapses to a point when nothing changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from scipy import stats as st
from scipy.special import ndtri
from statsmodels.stats.proportion import proportion_confint

Interval = tuple[float, float]


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


def accuracy_ci(successes: int, n: int, conf: float = 0.95) -> Accuracy:
    """The share of right answers of one arm, with Wilson, Clopper-Pearson and uniform-prior intervals."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"successes must lie between 0 and n, and n be at least 1; found {successes} of {n}")
    low, high = proportion_confint(successes, n, alpha=1 - conf, method="beta")
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


def newcombe(a: int, b: int, c: int, d: int, conf: float) -> Interval:
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


def tango(b: int, c: int, n: int, z: float) -> Interval:
    """The differences that the score test with critical value z does not reject."""

    def score(delta: float) -> float:
        half = -b - c + (2 * n - b + c) * delta
        p21 = (math.sqrt(max(0.0, half**2 + 8 * n * c * delta * (1 - delta))) - half) / (4 * n)
        variance = n * (2 * p21 + delta * (1 - delta))
        gap = b - c - n * delta
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0

    estimate = (b - c) / n
    return _crossing(score, -1.0, estimate, z), _crossing(score, estimate, 1.0, -z)


def _crossing(score: Callable[[float], float], low: float, high: float, value: float) -> float:
    """Where a falling function passes `value`, by bisection."""
    for _ in range(80):
        middle = (low + high) / 2
        if score(middle) > value:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def bonett_price(b: int, c: int, n: int, z: float) -> Interval:
    """Wald's interval after adding one to both kinds of discordant pairs."""
    p12, p21 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = z * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    return max(-1.0, p12 - p21 - half), min(1.0, p12 - p21 + half)

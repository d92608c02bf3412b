"""Effect sizes of paired binary scores, and when a relative gain may be printed at all."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats as st
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from promptlab.stats.intervals import wilson

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
        cohen_h=float(proportion_effectsize(p1, p0)),
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
    low, high = (float(x) for x in proportion_confint(b, m, alpha=1 - conf, method="beta"))
    low, high = (0.0 if math.isnan(low) or b == 0 else low), (1.0 if math.isnan(high) or c == 0 else high)
    limits = (low / (1 - low), math.inf if high >= 1 else high / (1 - high))
    return MatchedOddsRatio(b / c if c else math.inf, limits, b / m - 0.5)

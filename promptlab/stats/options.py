"""Tests and intervals that are offered but are not the default; docs/statistics.md says why not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats as st
from statsmodels.stats.contingency_tables import cochrans_q

from promptlab.nouns import Status
from promptlab.stats.intervals import Array, Numbers
from promptlab.stats.paired import differences


class Bootstrap(NamedTuple):
    """Bootstrap intervals of a mean difference; None where the items do not vary."""

    percentile: tuple[float, float] | None
    bca: tuple[float, float] | None
    status: Status


class Wilcoxon(NamedTuple):
    """Two-sided p-values of the signed-rank test: zeros ranked and left out (Pratt), or left out before ranking (Wilcoxon)."""

    p_pratt_asymptotic: float
    p_wilcox_asymptotic: float
    n_nonzero: int
    status: Status


class CochranQ(NamedTuple):
    """Do the arms differ at all on binary scores of the same items?"""

    q: float
    df: int
    p: float
    status: Status


def bootstrap_ci(
    stimulus: Numbers,
    baseline: Numbers,
    conf: float = 0.95,
    method: Literal["bca", "percentile"] = "bca",
    n_resamples: int = 9_999,
    rng: np.random.Generator | None = None,
) -> Bootstrap:
    """The mean item difference with bootstrap intervals over items. An option: BCa covers too little with few items (about 91 % at n = 20).

    `method` "percentile" leaves BCa out, which costs a jackknife. Items that do not vary have none (scipy's BCa would be NaN there).
    """
    d = differences(stimulus, baseline)
    if len(d) < 2 or float(np.ptp(d)) == 0:
        return Bootstrap(None, None, "n_too_small" if len(d) < 2 else "zero_variance")
    rng = rng or np.random.default_rng(0)
    percentile = _bootstrap(d, conf, "percentile", n_resamples, rng)
    bca = _bootstrap(d, conf, "BCa", n_resamples, rng) if method == "bca" else None
    return Bootstrap(percentile, bca, "ok")


def _bootstrap(
    d: Array, conf: float, method: Literal["percentile", "BCa"], n_resamples: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DegenerateDataWarning)
        found = st.bootstrap((d,), np.mean, confidence_level=conf, method=method, n_resamples=n_resamples, rng=rng).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite([low, high]).all() else None


def wilcoxon_signed(stimulus: Numbers, baseline: Numbers) -> Wilcoxon:
    """The signed-rank test with its normal approximation. An option: it rejects a mean of 0 where differences are skewed."""
    d = differences(stimulus, baseline)
    n_nonzero = int((d != 0).sum())
    if not n_nonzero:
        return Wilcoxon(1.0, 1.0, 0, "no_discordant_pairs")
    pratt, wilcox = (_signed_rank(d, zeros) for zeros in ("pratt", "wilcox"))
    return Wilcoxon(pratt, wilcox, n_nonzero, "n_too_small" if len(d) == 1 else "ok")


def _signed_rank(d: Array, zero_method: str) -> float:
    return float(st.wilcoxon(d, zero_method=zero_method, method="asymptotic").pvalue)  # type: ignore[call-overload]  # the stubs know no default


def cochran_q(scores: Sequence[Sequence[float]] | npt.NDArray[np.float64]) -> CochranQ:
    """Cochran's Q of binary scores, items down and arms across. For display: it does not say which arm differs.

    Items that all arms score alike carry no information; without any other item q is 0 and p is 1.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise ValueError(f"scores must be a table of items by at least two arms, found shape {table.shape}")
    if not np.isin(table, (0.0, 1.0)).all():
        raise ValueError("Cochran's Q is for scores of 0 and 1 without missing ones")
    df = table.shape[1] - 1
    if (table == table[:, :1]).all():
        return CochranQ(0.0, df, 1.0, "no_discordant_pairs")
    found = cochrans_q(table)
    return CochranQ(float(found.statistic), df, float(found.pvalue), "ok")

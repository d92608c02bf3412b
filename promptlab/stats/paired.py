"""Tests and intervals for paired items: what a stimulus did to the same items that the baseline answered, and equivalence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, chdtrc, gammaln, stdtr, stdtrit

from promptlab.nouns import Status
from promptlab.stats.intervals import Array, Numbers, risk_difference_ci

DECIMALS = 9
"""To which differences are compared: what is equal but for rounding is equal on every machine."""
LARGEST_LATTICE = 5_040
MOST_LATTICE_WORK = 50_000_000
AT_ONCE = 50_000
"""Places up to which all shifted copies of a law are added in one call; beyond, one by one, in less memory."""
ENUMERATE_UP_TO = 14
RESAMPLES = 9_999
MOST_EXACT_COINS = 500
SIGN_BLOCK = 10_000
CELL_BLOCK = 256


class McNemar(NamedTuple):
    """Two-sided p-values of a 2x2 table of pairs."""

    p_midp: float
    p_exact: float
    p_asymptotic: float
    n_discordant: int
    status: Status


class SignFlip(NamedTuple):
    """Two-sided p-values of the sign-flip permutation test on item differences."""

    mean_difference: float
    p_full: float
    p_midp: float
    n_nonzero: int
    method: str
    status: Status


class MeanDifference(NamedTuple):
    """A mean of item differences with its Student interval. `ci`, `t`, `df`, `p_t` and `dz` are None where there is none."""

    mean_difference: float
    se: float
    ci: tuple[float, float] | None = None
    t: float | None = None
    df: int | None = None
    p_t: float | None = None
    dz: float | None = None
    status: Status = "ok"


class ClusterMean(NamedTuple):
    """A mean over items that come in clusters: errors by Miller (CR0), CR1 and CR2 (Satterthwaite degrees of freedom)."""

    mean_difference: float
    n_clusters: int
    se_miller: float
    se_cr1: float | None = None
    ci_cr1: tuple[float, float] | None = None
    se_cr2: float | None = None
    df_cr2: float | None = None
    p_cr2: float | None = None
    status: Status = "ok"


def mcnemar(a: int, b: int, c: int, d: int) -> McNemar:
    """Does the share of right answers differ between two arms that answered the same items?

    Counts of items: `a` both right, `b` only the stimulus, `c` only the baseline, `d` neither. Mid-p is the default
    (Fagerland, Lydersen and Laake 2013); b = c gives 1, as in exact2x2. Without a discordant pair every p is 1.
    """
    counts = np.array([a, b, c, d])
    if (counts < 0).any() or (counts != np.round(counts)).any():
        raise ValueError(f"counts must be whole and not negative, found {counts.tolist()}")
    m = int(b + c)
    if m == 0:
        return McNemar(1.0, 1.0, 1.0, 0, "no_discordant_pairs")
    low = min(b, c)
    tail = 2.0 * _tail(low, m)
    at = math.comb(m, low) / 2**m  # whole numbers: exact for any m
    midp = 1.0 if b == c else min(1.0, tail - at)
    asymptotic = float(chdtrc(1, (b - c) ** 2 / m))
    return McNemar(midp, min(1.0, tail), asymptotic, m, "ok")


@lru_cache(maxsize=65_536)
def _tail(low: int, m: int) -> float:
    """P(at most `low` of m fair coins): in whole numbers while that is quick, so that a p of 1/8 is 1/8."""
    if m <= MOST_EXACT_COINS:
        return float(sum(math.comb(m, k) for k in range(low + 1)) / 2**m)
    return float(bdtr(low, m, 0.5))


def differences(stimulus: Numbers, baseline: Numbers) -> Array:
    """Item differences, rounded to 1e-9: 1 - 2/3 and 1/3 - 0 are the same difference, but not the same float."""
    s, b = np.asarray(stimulus, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if s.shape != b.shape or s.ndim != 1:
        raise ValueError(f"stimulus and baseline must be two lists of equal length, found shapes {s.shape} and {b.shape}")
    if not len(s):
        raise ValueError("there is no pair")
    if not (np.isfinite(s).all() and np.isfinite(b).all()):
        raise ValueError("a score is missing or not finite; drop the pair first")
    return np.round(s - b, DECIMALS)


def signflip_test(
    stimulus: Numbers, baseline: Numbers, exact: bool | str = "auto", n_resamples: int = RESAMPLES, rng: np.random.Generator | None = None
) -> SignFlip:
    """Is the mean item difference further from 0 than random signs would put it?

    Scores of n items in [0, 1], item means where there are repeats. Zero differences stay in n and never flip. Exact by
    convolution where all scores lie on a lattice, by enumeration up to 14 non-zero differences, else `n_resamples` random
    sign vectors. For single binary answers it is McNemar's test, mid-p and exact.
    """
    s, b = np.asarray(stimulus, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    return signflip_of(differences(s, b), np.concatenate([s, b]) if exact else None, n_resamples, rng)


def signflip_of(d: Array, scores: Array | None, n_resamples: int = RESAMPLES, rng: np.random.Generator | None = None) -> SignFlip:
    """The sign-flip test of rounded item differences; `scores` are those that must lie on a lattice, None for random signs only."""
    mean = float(d.mean())
    moved = np.abs(d[d != 0])
    if not len(moved):
        return SignFlip(mean, 1.0, 1.0, 0, "none", "no_discordant_pairs")
    exact = scores is not None
    status: Status = "n_too_small" if len(d) == 1 else "ok"
    steps = None if scores is None else _lattice_steps(scores, d, moved)
    if steps is not None:
        above, equal = _convolved(steps)
        return SignFlip(mean, above + equal, above + equal / 2, len(moved), "exact by convolution", status)
    total = abs(float(d.sum()))
    every = bool(len(moved) <= ENUMERATE_UP_TO and exact)
    n_draws, more = (2 ** len(moved), 0) if every else (n_resamples, 1)
    n_above = n_equal = 0
    for start in range(0, n_draws, SIGN_BLOCK):
        size = min(SIGN_BLOCK, n_draws - start)
        if every:
            signs = 1.0 - 2.0 * ((np.arange(start, start + size)[:, None] >> np.arange(len(moved))) & 1)
        else:
            signs = _shared_signs(size, len(moved), start) if rng is None else _signs(rng, size, len(moved))
        sums = np.round(np.abs(signs @ moved), DECIMALS)
        n_above += int((sums > round(total, DECIMALS)).sum())
        n_equal += int((sums == round(total, DECIMALS)).sum())
    full, midp = (min(1.0, (n_above + w * n_equal + more) / (n_draws + more)) for w in (1.0, 0.5))
    return SignFlip(mean, full, midp, len(moved), "exact by enumeration" if every else f"{n_draws:,} random sign vectors", status)


def _signs(rng: np.random.Generator, size: int, n: int) -> Array:
    return np.where(rng.integers(0, 2, (size, n), dtype=np.int8), -1.0, 1.0)


@lru_cache(maxsize=8)
def _shared_signs(size: int, n: int, start: int) -> Array:
    """Sign vectors that all cells of one length share: drawing them costs more than using them."""
    return _signs(np.random.default_rng([n, start]), size, n)


def signflip_many(differences: npt.NDArray[np.float64], n_resamples: int = RESAMPLES, rng: np.random.Generator | None = None) -> Array:
    """Two-sided mid-p of the sign-flip test for many cells at once: rows are cells, columns the same number of items.

    One set of random sign vectors serves all cells, in single precision; sums that differ by less than a hundred-thousandth of the
    largest possible one count as equal. Rows without any difference get 1. For tables too large for `signflip_test` one by one.
    """
    d = np.asarray(differences, dtype=np.float32)
    if d.ndim != 2 or not np.isfinite(d).all():
        raise ValueError(f"differences must be a table of cells by items without missing ones, found shape {d.shape}")
    rng = rng or np.random.default_rng(0)
    reach = np.abs(d).sum(axis=1)
    total, slack = np.abs(d.sum(axis=1)), 1e-5 * reach
    upper, lower = total + slack, total - slack
    beyond = np.zeros(len(d), dtype=np.int64)
    at_least = np.zeros(len(d), dtype=np.int64)
    for start in range(0, n_resamples, SIGN_BLOCK):
        signs = _signs(rng, min(SIGN_BLOCK, n_resamples - start), d.shape[1]).astype(np.float32)
        for first in range(0, len(d), CELL_BLOCK):
            rows = slice(first, first + CELL_BLOCK)
            sums = np.abs(d[rows] @ signs.T)
            beyond[rows] += np.count_nonzero(sums > upper[rows, None], axis=1)
            at_least[rows] += np.count_nonzero(sums >= lower[rows, None], axis=1)
    p = ((beyond + at_least) / 2 + 1) / (n_resamples + 1)
    return np.where(reach > 0, np.minimum(1.0, p), 1.0)


def lattice(values: Array) -> int | None:
    """The smallest L up to 5,040 with which every value times L is whole; None when there is none."""
    common = 1
    for value in np.unique(values).tolist():
        denominator = _denominator(value)
        if denominator is None:
            return None
        common = math.lcm(common, denominator)
        if common > LARGEST_LATTICE:
            return None
    return common


@lru_cache(maxsize=65_536)
def _denominator(value: float) -> int | None:
    """The denominator of a value as a fraction; None where it takes one above 5,040."""
    fraction = Fraction(value).limit_denominator(LARGEST_LATTICE)
    return None if abs(float(fraction) - value) > 10**-DECIMALS else fraction.denominator


class Steps(NamedTuple):
    """Absolute item differences as whole steps of a lattice: the distinct ones above 0, how often each is there, and |their signed sum|."""

    sizes: list[int]
    counts: list[int]
    total: int


def _lattice_steps(scores: Array, d: Array, moved: Array) -> Steps | None:
    """The steps of the differences `d`, whose absolute values above 0 are `moved`; None where there is no lattice, or one too fine."""
    distinct, often = np.unique(moved, return_counts=True)
    common = lattice(distinct if scores is d else scores)
    if common is None:
        return None
    sizes = np.round(distinct * common).astype(np.int64)
    if not np.diff(sizes).all():  # differences that are apart by less than a step
        sizes, at = np.unique(sizes, return_inverse=True)
        often = np.bincount(at, weights=often).astype(np.int64)
    unit = max(1, int(np.gcd.reduce(sizes)))
    sizes //= unit
    if len(moved) * int(sizes @ often) > MOST_LATTICE_WORK:
        return None
    total = abs(int(np.round(d * common).astype(np.int64).sum())) // unit
    return Steps(sizes.tolist(), often.tolist(), total)


def _convolved(steps: Steps) -> tuple[float, float]:
    """P(|sum of randomly signed steps| > the sum of these) and P(= that sum)."""
    law = np.ones(1)
    for step, count in zip(steps.sizes, steps.counts, strict=True):
        law = _spread(law, _halves(count), 2 * step)
    reach, total = len(law) // 2, steps.total
    above = np.concatenate([law[: reach - total], law[reach + total + 1 :]])
    return float(above.sum()), float(law[reach] if total == 0 else law[reach - total] + law[reach + total])


def _spread(law: Array, weights: Array, apart: int) -> Array:
    """The law of a sum: `law`, and weights that lie `apart`; sums in the order of the weights, in either way."""
    n, size = len(weights), len(law) + apart * (len(weights) - 1)
    if n * (size + apart) > AT_ONCE:
        longer = np.zeros(size)
        for i, weight in enumerate(weights):  # only every `apart`-th place is not 0
            longer[i * apart : i * apart + len(law)] += weight * law
        return longer
    rows = np.zeros((n, size + apart))  # of which row i, from one place `apart` further on each time, holds weight i
    step = rows.itemsize
    np.multiply(weights[:, None], law, out=np.lib.stride_tricks.as_strided(rows, (n, len(law)), (rows.strides[0] + apart * step, step)))
    found: Array = rows[:, :size].sum(axis=0)
    return found


@lru_cache(maxsize=4_096)
def _halves(n: int) -> Array:
    """The binomial distribution of n fair coins."""
    k = np.arange(n + 1)
    law: Array = np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - n * math.log(2))
    return law


def mean_difference_ci(stimulus: Numbers, baseline: Numbers, conf: float = 0.95) -> MeanDifference:
    """The mean item difference with Student's interval (n - 1 degrees of freedom).

    All ties give the interval +-(1 - (alpha/2)^(1/n)): n items without any change still allow that share of changes.
    A constant non-zero difference has no interval (status zero_variance), one item has none either (n_too_small).
    """
    d = differences(stimulus, baseline)
    n, mean = len(d), float(d.mean())
    if n == 1:
        return MeanDifference(mean, math.nan, status="n_too_small")
    sd = float(d.std(ddof=1))
    if sd < 1e-12 and mean == 0:
        half = 1 - ((1 - conf) / 2) ** (1 / n)
        return MeanDifference(0.0, 0.0, ci=(-half, half), df=n - 1, p_t=1.0, status="no_discordant_pairs")
    if sd < 1e-12:
        return MeanDifference(mean, 0.0, df=n - 1, status="zero_variance")
    se = sd / math.sqrt(n)
    half = float(stdtrit(n - 1, (1 + conf) / 2)) * se
    t = mean / se
    return MeanDifference(mean, se, ci=(mean - half, mean + half), t=t, df=n - 1, p_t=2 * float(stdtr(n - 1, -abs(t))), dz=mean / sd)


def cluster_mean(difference: Numbers, cluster: Sequence[object] | npt.NDArray[np.generic], conf: float = 0.95) -> ClusterMean:
    """The mean of item differences when items of one cluster (a passage, an argument, a name) are not independent.

    CR0 is Miller's (2024) clustered error, CR1 its small-sample form with G - 1 degrees of freedom, CR2 the bias-reduced one
    with Satterthwaite degrees of freedom (Pustejovsky and Tipton 2018); for a mean all three are closed forms.
    """
    d = np.asarray(difference, dtype=np.float64)
    if not np.isfinite(d).all() or len(d) != len(cluster) or not len(d):
        raise ValueError("difference and cluster must be equally long, not empty, and without missing values")
    _, codes = np.unique(np.asarray(cluster), return_inverse=True)
    n, mean = len(d), float(d.mean())
    sizes = np.bincount(codes).astype(np.float64)
    n_clusters = len(sizes)
    sums = np.bincount(codes, weights=d - mean)
    miller = math.sqrt(float((sums**2).sum())) / n
    if n_clusters < 2:
        return ClusterMean(mean, n_clusters, miller, status="too_few_clusters")
    cr1 = miller * math.sqrt(n_clusters / (n_clusters - 1))
    half = float(stdtrit(n_clusters - 1, (1 + conf) / 2)) * cr1
    share = 1 - sizes / n
    cr2 = math.sqrt(float((sums**2 / share).sum())) / n
    weights = 1 / (np.sqrt(share) * n)
    # The squares of w w' * (diag(sizes) - sizes sizes' / n), summed without building the matrix.
    squares = float((weights**4 * (sizes**2 - 2 * sizes**3 / n)).sum()) + float((weights**2 * sizes**2).sum()) ** 2 / n**2
    df = (1 / n) ** 2 / squares
    p = 2 * float(stdtr(df, -abs(mean) / cr2)) if cr2 > 0 else None
    status: Status = "ok" if cr2 > 0 else "zero_variance"
    return ClusterMean(
        mean, n_clusters, miller, se_cr1=cr1, ci_cr1=(mean - half, mean + half), se_cr2=cr2, df_cr2=df, p_cr2=p, status=status
    )


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

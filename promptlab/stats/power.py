"""What a design can see, before any money is spent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats as st

NEGLIGIBLE_MASS = 1e-12


class McNemarPower(NamedTuple):
    """Power of McNemar's test in its three forms."""

    midp: float
    exact: float
    asymptotic: float


class Power(NamedTuple):
    """Power of one test."""

    power: float


class SampleSize(NamedTuple):
    """Items needed: by the formula, and rounded up."""

    n: float
    n_ceil: int


def power_mcnemar(n: int, p10: float, p01: float, alpha: float = 0.05) -> McNemarPower:
    """Power with n items when a share p10 is gained and p01 lost: unconditional, by enumeration (Duffy 1984).

    Both tails count, and the discordant count is random.
    """
    psi = p10 + p01
    if n < 1 or p10 < 0 or p01 < 0 or not 0 <= psi <= 1 or not 0 < alpha < 1:
        raise ValueError(f"n >= 1, p10 and p01 >= 0 with p10 + p01 <= 1 and 0 < alpha < 1 are needed; found {n}, {p10}, {p01}, {alpha}")
    if psi == 0:
        return McNemarPower(0.0, 0.0, 0.0)
    middle, wide = n * psi, 9 * math.sqrt(n * psi * (1 - psi)) + 20  # beyond, no count has NEGLIGIBLE_MASS
    counts = np.arange(max(0, math.floor(middle - wide)), min(n, math.ceil(middle + wide)) + 1)
    mass = st.binom.pmf(counts, n, psi)
    kept = mass > NEGLIGIBLE_MASS
    m, mass, share = counts[kept], mass[kept], p10 / psi
    total = []
    for edge in _edges(int(m[0]), int(m[-1]), alpha):
        some = edge >= 0
        inside, of = edge[some], m[some]
        total.append(float(np.sum(mass[some] * (st.binom.cdf(inside, of, share) + st.binom.sf(of - inside - 1, of, share)))))
    return McNemarPower(*total)


@lru_cache(maxsize=256)
def _edges(low: int, high: int, alpha: float) -> tuple[np.ndarray, ...]:
    """For each m from `low` to `high` answers that changed, the most of the rarer kind with which each test still rejects; -1: never.

    Sought among a few places round the quantile, so that a hundred thousand items cost no more than a moment.
    """
    m = np.arange(low, high + 1)
    near = np.stack([
        st.binom.ppf(alpha / 2, m, 0.5),
        st.binom.ppf(alpha / 2, m, 0.5),
        np.floor((m - np.sqrt(m * st.chi2.isf(alpha, 1))) / 2),
    ])  # fmt: skip
    k = np.clip(near[:, None, :] + np.arange(-2, 4)[None, :, None], 0, m // 2).astype(int)
    tail, at = 2 * st.binom.cdf(k[0], m, 0.5), st.binom.pmf(k[0], m, 0.5)
    p = (
        np.where(2 * k[0] == m, 1.0, tail - at),
        np.minimum(2 * st.binom.cdf(k[1], m, 0.5), 1.0),
        np.where(m > 0, st.chi2.sf((m - 2 * k[2]) ** 2 / np.maximum(m, 1), 1), 1.0),
    )
    return tuple(np.where(values <= alpha, places, -1).max(axis=0) for values, places in zip(p, k, strict=True))


def power_paired_t(n: int, delta: float, sd: float, alpha: float = 0.05) -> Power:
    """Power of the paired t test on n item differences with standard deviation `sd`, two-sided, both tails counted."""
    if n < 2 or sd <= 0:
        raise ValueError(f"n >= 2 and sd > 0 are needed; found {n}, {sd}")
    shift = delta / sd * math.sqrt(n)
    edge = float(st.t.ppf(1 - alpha / 2, n - 1))
    found = float(st.nct.sf(edge, n - 1, shift) + st.nct.cdf(-edge, n - 1, shift))
    if math.isnan(found):  # so far out that the noncentral t cannot be computed; there it is the normal law
        found = float(st.norm.sf(edge - shift) + st.norm.cdf(-edge - shift))
    return Power(found)


def power_unpaired(n: int, p1: float, p2: float, alpha: float = 0.05) -> Power:
    """Power of two independent shares with n items each: what a design without pairing can see."""
    gap = math.sqrt(n) * abs(p1 - p2) - float(st.norm.ppf(1 - alpha / 2)) * math.sqrt((p1 + p2) * (1 - (p1 + p2) / 2))
    return Power(float(st.norm.cdf(gap / math.sqrt(p1 * (1 - p1) + p2 * (1 - p2)))))


def sample_size_miller(
    omega2: float, sigma2_a: float, sigma2_b: float, k_a: int, k_b: int, delta: float, alpha: float = 0.05, power: float = 0.8
) -> SampleSize:
    """Items for a paired comparison of item means (Miller 2024): omega2 between items, sigma2 within, k repeats."""
    z = float(st.norm.ppf(1 - alpha / 2) + st.norm.ppf(power))
    n = z**2 * (omega2 + sigma2_a / k_a + sigma2_b / k_b) / delta**2
    return SampleSize(n, math.ceil(n))


def sample_size_tost(discordance: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> SampleSize:
    """Items to show that an effect is inside the margin when it is 0 and a share `discordance` of answers changes."""
    z = float(st.norm.ppf(1 - alpha) + st.norm.ppf(1 - (1 - power) / 2))
    n = z**2 * discordance / margin**2
    return SampleSize(n, math.ceil(n))


@lru_cache(maxsize=1024)
def smallest_effect_mcnemar(n: int, discordance: float, alpha: float, power: float = 0.8) -> float | None:
    """The smallest risk difference that McNemar mid-p sees with this power when a share `discordance` of answers changes.

    None when even changes that all go one way are not seen.
    """

    def seen(delta: float) -> bool:
        return power_mcnemar(n, (discordance + delta) / 2, (discordance - delta) / 2, alpha).midp >= power

    if not seen(discordance):
        return None
    low, high = 0.0, discordance
    while high - low > 5e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def smallest_margin(n_items: Sequence[int], discordance: float, tau: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest margin within which an effect of 0 is shown to lie with this power (two one-sided tests, normal).

    One task, or the mean over several; `tau` as in `smallest_effect_macro`.
    """
    k = len(n_items)
    se = math.sqrt(sum(discordance / n for n in n_items) / k**2 + (tau**2 / k if k > 1 else 0.0))
    return float(st.norm.ppf(1 - alpha) + st.norm.ppf(1 - (1 - power) / 2)) * se


def smallest_effect_macro(n_items: Sequence[int], discordance: float, tau: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest mean effect over tasks that is seen with this power.

    `n_items` of each task, `tau` the standard deviation of true effects between tasks. Each task's variance is
    (discordance - delta^2) / n; with tau = 0 the tasks' own error is used (normal), else t over tasks.
    """
    k = len(n_items)
    if tau > 0 and k < 2:
        raise ValueError("one task says nothing about tasks like it; tau needs at least two")
    law = st.t(k - 1) if tau > 0 else st.norm
    z = float(law.ppf(1 - alpha / 2) + law.ppf(power))
    delta = 0.0
    for _ in range(50):
        variance = sum(max(discordance - delta**2, 0.0) / n for n in n_items) / k**2 + tau**2 / k
        delta = z * math.sqrt(variance)
    return delta

"""What a design can see, before any money is spent; and looking before the end without paying for it in false findings.

The latter by planned interim analyses, or by evidence that holds at any time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import scipy
from scipy.special import betaln, ndtr, ndtri, stdtrit

from promptlab.stats import laws as st
from promptlab.stats.intervals import Array

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


def power_t(drift: float, df: float, alpha: float) -> float:
    """How often a two-sided t test finds an effect of `drift` errors (Johnson and Welch 1940); df 0: the normal law."""
    edge, small = (float(-stdtrit(df, alpha / 2)), 1 / (2 * df)) if df else (float(-ndtri(alpha / 2)), 0.0)
    return float(ndtr((drift - edge * (1 - small / 2)) / math.sqrt(1 + edge**2 * small)))


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
    n = float(st.norm.ppf(1 - alpha) + st.norm.ppf(1 - (1 - power) / 2)) ** 2 * discordance / margin**2
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
    """The smallest margin within which an effect of 0, on a task or the mean of several, is shown to lie (two one-sided tests, normal)."""
    k = len(n_items)
    se = math.sqrt(sum(discordance / n for n in n_items) / k**2 + (tau**2 / k if k > 1 else 0.0))
    return float(st.norm.ppf(1 - alpha) + st.norm.ppf(1 - (1 - power) / 2)) * se


def smallest_effect_macro(n_items: Sequence[int], discordance: float, tau: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest mean effect over tasks that is seen with this power; `tau` is the standard deviation of true effects between tasks.

    Each of the `n_items` gives a variance of (discordance - delta^2) / n; with tau = 0 these are the error (normal), else t over tasks.
    """
    k = len(n_items)
    if tau > 0 and k < 2:
        raise ValueError("one task says nothing about tasks like it; tau needs at least two")
    z = float(sum(st.t.ppf(at, k - 1) if tau > 0 else st.norm.ppf(at) for at in (1 - alpha / 2, power)))
    delta, before = 0.0, [-1.0]
    while delta != before[-1] and len(before) <= 50:  # mostly fewer steps settle it
        before.append(delta)
        spread = max(discordance - delta**2, 0.0)
        delta = z * math.sqrt(sum([spread / n for n in n_items]) / k**2 + tau**2 / k)
    return delta


MOST_LOOKS = 10
GRID_STEP = 0.02
"""Of the recursive integration, in units of the standard deviation of the whole: boundaries are right to about 1e-6."""
REACH = 8.5


class Boundaries(NamedTuple):
    """|z| that each interim analysis must reach, and the error spent by then."""

    z: tuple[float, ...]
    alpha_spent_cumulative_two_sided: tuple[float, ...]
    information: tuple[float, ...]


class Looked(NamedTuple):
    """At which of the planned interim analyses (from 0) data are judged; `fractions` is the information at each."""

    fractions: tuple[float, ...]
    look: int

    @property
    def words(self) -> str:
        return f"interim analysis {self.look + 1} of {len(self.fractions)}"

    def bound(self, alpha: float) -> float:
        """The |z| that a two-sided test at `alpha` must reach here."""
        return repeated_bound(alpha, self.fractions, self.look)

    def repeated(self, p: float) -> float:
        """The repeated form of a two-sided p-value."""
        return repeated_p(float(-ndtri(p / 2)), self.fractions, self.look)

    def one_sided(self, p: float) -> float:
        """The repeated form of a one-sided p-value."""
        return repeated_p(float(-ndtri(p)), self.fractions, self.look) / 2 if p < 0.5 else 1.0


class EProcess(NamedTuple):
    """Evidence item by item: log E, the p-value that holds at any time, and the first item (from 1) at which E >= 20."""

    log_e: Array
    anytime_p: Array
    first_crossing_alpha05: int | None


class EBH(NamedTuple):
    """Which hypotheses the e-BH procedure rejects, as ascending positions from 0."""

    n_rejected: int
    rejected: tuple[int, ...]


def group_sequential_boundaries(
    looks: int | Sequence[float],
    alpha: float = 0.05,
    sided: Literal[1, 2] = 2,
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming",
) -> Boundaries:
    """Boundaries of a group-sequential test by Lan and DeMets (1983).

    `looks` is a number of equally spaced interim analyses, or their information fractions, ascending, the last 1. One-sided `alpha` is
    spent on one side, two-sided half of it on each (crossing both sides counts as negligible, as rpact does).
    """
    fractions = tuple((i + 1) / looks for i in range(looks)) if isinstance(looks, int) else tuple(float(t) for t in looks)
    if (
        not 1 <= len(fractions) <= MOST_LOOKS
        or fractions[-1] != 1
        or any(b <= a for a, b in zip((0.0, *fractions), fractions, strict=False))
    ):
        raise ValueError(f"looks must be 1 to {MOST_LOOKS}, their fractions ascending from above 0 to 1; found {looks}")
    if not 0 < alpha < 0.5 or sided not in (1, 2) or spending not in ("obrien_fleming", "pocock"):
        raise ValueError(f"0 < alpha < 0.5, sided 1 or 2, and a known spending function are needed; found {alpha}, {sided}, {spending}")
    return _boundaries(fractions, alpha, sided, spending)


@lru_cache(maxsize=256)
def _boundaries(fractions: tuple[float, ...], alpha: float, sided: int, spending: str) -> Boundaries:
    one = alpha / sided
    spent = [_spent(t, one, spending) for t in fractions]
    z = _upper(fractions, spent)
    return Boundaries(tuple(z), tuple(sided * s for s in spent), fractions)


def _spent(t: float, alpha: float, spending: str) -> float:
    """The one-sided error spent at information fraction t."""
    if spending == "pocock":
        return alpha * math.log(1 + (math.e - 1) * t)
    return float(2 * st.norm.sf(st.norm.isf(alpha / 2) / math.sqrt(t)))


def _upper(fractions: Sequence[float], spent: Sequence[float]) -> list[float]:
    """Upper boundaries by the recursion of Armitage, McPherson and Rowe (1969) over the score B(t) = z sqrt(t)."""
    grid = np.arange(-REACH, REACH + GRID_STEP / 2, GRID_STEP)
    found: list[float] = []
    density, before_t, before = None, 0.0, 0.0
    for t, total in zip(fractions, spent, strict=True):
        left = total - before
        step = math.sqrt(t - before_t)
        if density is None:
            z = float(st.norm.isf(left))
            density_now = st.norm.pdf(grid, scale=math.sqrt(t))
        else:
            kernel, points = density, grid

            def crossed(bound: float, kernel: Array = kernel, points: Array = points, step: float = step, left: float = left) -> float:
                return float(np.trapezoid(kernel * st.norm.sf((bound - points) / step), points)) - left

            edge = float(scipy.optimize.brentq(crossed, -REACH, REACH, xtol=1e-10))
            z = edge / math.sqrt(t)
            density_now = np.trapezoid(density[None, :] * st.norm.pdf((grid[:, None] - grid[None, :]) / step) / step, grid, axis=1)
        found.append(z)
        # Nobody above the boundary goes on, and half of the cell that it cuts, in proportion.
        density = density_now * np.clip((z * math.sqrt(t) - (grid - GRID_STEP / 2)) / GRID_STEP, 0.0, 1.0)
        before_t, before = t, total
    return found


LEVELS = (1e-7, 0.998)
"""Two-sided levels between which a repeated p-value is looked up; beyond them it is the end of the range, or 1."""
N_LEVELS = 20


@lru_cache(maxsize=64)
def _by_level(fractions: tuple[float, ...]) -> tuple[scipy.interpolate.PchipInterpolator, ...]:
    """For each interim analysis, the fixed-sample z of a two-sided level as a function of the boundary that the level gives there."""
    fixed = np.linspace(float(st.norm.isf(LEVELS[1] / 2)), float(st.norm.isf(LEVELS[0] / 2)), N_LEVELS)
    bounds = np.array([_boundaries(fractions, float(2 * st.norm.sf(z)), 2, "obrien_fleming").z for z in fixed])
    return tuple(scipy.interpolate.PchipInterpolator(bounds[:, look], fixed, extrapolate=False) for look in range(len(fractions)))


def repeated_p(z: float, fractions: Sequence[float], look: int) -> float:
    """The two-sided repeated p-value (Jennison and Turnbull 1989) at analysis `look` (from 0): the smallest level whose boundary z reaches.

    It may be adjusted for several hypotheses like any p-value, whatever made the looking end: below a level it falls with at
    most that chance over all interim analyses. At least 1e-7; 1 where no level below .998 is reached.
    """
    planned = tuple(fractions)
    if planned == (1.0,):
        return float(2 * st.norm.sf(abs(z)))
    table = _by_level(planned)[look]
    low, high = table.x[0], table.x[-1]
    if abs(z) < low:
        return 1.0
    return float(2 * st.norm.sf(table(min(abs(z), high))))


def repeated_bound(alpha: float, fractions: Sequence[float], look: int) -> float:
    """The |z| that a two-sided test at `alpha` must reach at analysis `look` (from 0): `estimate +- bound * se` is a repeated interval."""
    return _boundaries(tuple(fractions), alpha, 2, "obrien_fleming").z[look]


def planned_drift(alpha: float) -> float:
    """The expected z at the end of an effect that a fixed two-sided test at `alpha` would find four times of five."""
    return float(st.norm.isf(alpha / 2) + st.norm.isf(0.2))


def expected_share(fractions: Sequence[float], alpha: float, drift: float, futility: float, n: int = 20_000) -> tuple[float, float]:
    """The share of the items that is sent on average, and the power, when the expected z at the end is `drift`.

    Simulated, `n` times with a fixed seed; stops at |z| beyond the boundary, or where the conditional power falls below `futility`.
    """
    planned = tuple(fractions)
    t = np.array(planned)
    bounds = np.array(_boundaries(planned, alpha, 2, "obrien_fleming").z)
    steps = np.random.default_rng(1).standard_normal((n, len(t))) * np.sqrt(np.diff(t, prepend=0.0))
    z = (np.cumsum(steps, axis=1) + drift * t) / np.sqrt(t)
    going, share, found = np.ones(n, dtype=bool), np.zeros(n), np.zeros(n, dtype=bool)
    for look, fraction in enumerate(planned):
        passed = going & (np.abs(z[:, look]) >= bounds[look])
        hopeless = np.zeros(n, dtype=bool)
        if look < len(planned) - 1:
            middle = np.abs(z[:, look]) * math.sqrt(fraction) + planned_drift(alpha) * (1 - fraction)
            hopeless = going & ~passed & (st.norm.sf((bounds[-1] - middle) / math.sqrt(1 - fraction)) < futility)
        ends = passed | hopeless if look < len(planned) - 1 else going
        share[ends & going] = fraction
        found |= passed
        going &= ~ends
    return float(share.mean()), float(found.mean())


def conditional_power(z: float, t: float, bound: float, drift: float) -> float:
    """The chance that the last interim analysis passes `bound`, at information fraction t with statistic z, if the drift is `drift`.

    `drift` is the expected z at full information under the planned effect. Either sign of it counts: futility means that
    neither direction is in sight.
    """
    if not 0 < t < 1:
        raise ValueError(f"the information fraction must lie between 0 and 1, found {t}")
    ahead = math.sqrt(1 - t)
    chances = []
    for sign in (1.0, -1.0):
        middle = sign * z * math.sqrt(t) + drift * (1 - t)
        chances.append(float(st.norm.sf((bound - middle) / ahead)))
    return max(chances)


def eprocess_discordant(differences: Sequence[float] | Array, prior: float = 1.0) -> EProcess:
    """Evidence against "gains and losses are equally likely", item by item as they arrive; differences are -1, 0 or 1.

    A beta(prior, prior) mixture over the share of gains: valid however often it is looked at. Ties change nothing.
    """
    d = np.asarray(differences, dtype=np.float64)
    if not np.isin(d, (-1.0, 0.0, 1.0)).all():
        raise ValueError("differences must be -1, 0 or 1, without missing ones; for means over repeats use planned interim analyses")
    if prior <= 0:
        raise ValueError(f"prior must be above 0, found {prior}")
    b, c = np.cumsum(d == 1), np.cumsum(d == -1)
    log_e = betaln(prior + b, prior + c) - betaln(prior, prior) + (b + c) * math.log(2)
    anytime = np.minimum(1.0, np.exp(-np.maximum.accumulate(log_e))) if len(d) else log_e
    crossed = np.flatnonzero(log_e >= math.log(20))
    return EProcess(log_e, anytime, int(crossed[0]) + 1 if len(crossed) else None)


def e_bh(e: Sequence[float] | Array, alpha: float = 0.05) -> EBH:
    """The e-BH procedure (Wang and Ramdas 2022): false discovery rate over e-values under any dependence and stopping."""
    values = np.asarray(e, dtype=np.float64)
    if np.isnan(values).any() or (values < 0).any() or not 0 < alpha < 1:
        raise ValueError("e-values must be at least 0 and not missing, and alpha between 0 and 1")
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(1, len(values) + 1)
    enough = np.flatnonzero(values[order] * ranks * alpha >= len(values) * (1 - 1e-12))
    n = int(enough[-1]) + 1 if len(enough) else 0
    return EBH(n, tuple(sorted(int(i) for i in order[:n])))

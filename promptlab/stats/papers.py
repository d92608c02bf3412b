"""The arithmetic of the papers, on their figures and on anyone's scores, and what it gives when nothing works; and whether a new,
unselected estimate agrees with a published one: prediction interval and small telescopes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Numbers


class Headline(NamedTuple):
    """A paper's summary: mean over settings of the relative gain of the best stimulus, and what its average would give."""

    relative_gain_max: tuple[float, ...]
    headline_percent: float
    relative_gain_avg_arm: tuple[float, ...]
    headline_percent_if_avg: float
    absolute_gain_max: tuple[float, ...]
    absolute_gain_avg: tuple[float, ...]


class Protocol(NamedTuple):
    """What choosing the best of S stimuli on the test items reports, next to what it would report if nothing worked.

    Gains in points are fractions; relative gains in percent, None where the baseline is 0. `null_*` are the 5 %, 50 % and
    95 % points of the same figure after arm labels were permuted inside items.
    """

    n_stimuli: int
    n_tasks: int
    baseline: float
    best_per_task: float
    best_single: float
    average: float
    relative_best_per_task: float | None
    null_best_per_task: tuple[float, float, float]
    null_best_single: tuple[float, float, float]
    null_relative: tuple[float, float, float] | None


def published_headline(setting: Sequence[str], original: Numbers, ours_avg: Numbers, ours_max: Numbers) -> Headline:
    """The papers' own figure from the 'Average' column of their tables: mean over settings of 100 (max / original - 1).

    Gives 8.00, 115, 12.89 and 46.25 to every printed digit (Li et al. 2023, Wang et al. 2024, Table 1 of each).
    """
    base, average, best = (np.asarray(x, dtype=np.float64) for x in (original, ours_avg, ours_max))
    if not len(setting) == len(base) == len(average) == len(best) or not len(base):
        raise ValueError("setting, original, ours_avg and ours_max must be equally long and not empty")
    if (base <= 0).any():
        raise ValueError("a relative gain needs baselines above 0")
    gain_max, gain_avg = 100 * (best / base - 1), 100 * (average / base - 1)
    return Headline(
        tuple(float(x) for x in gain_max), float(gain_max.mean()),
        tuple(float(x) for x in gain_avg), float(gain_avg.mean()),
        tuple(float(x) for x in best - base), tuple(float(x) for x in average - base),
    )  # fmt: skip


def best_of_protocol(scores: Sequence[Array], n_permutations: int = 400, rng: np.random.Generator | None = None) -> Protocol:
    """The protocol of the papers on one's own scores, with its null band.

    `scores` holds for each task a table of arms by items, the baseline first, without missing ones. Permuting the arms inside
    every item keeps each item's difficulty and makes all arms exchangeable: what is then "gained" is selection alone.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in scores]
    if not tables or any(table.ndim != 2 or table.shape[0] != tables[0].shape[0] or not table.shape[1] for table in tables):
        raise ValueError("scores must hold a table of arms by items for each task, all with the same arms")
    if tables[0].shape[0] < 2 or not all(np.isfinite(table).all() for table in tables):
        raise ValueError("a baseline and at least one stimulus are needed, without missing scores")
    rng = rng or np.random.default_rng(0)
    per_task, single, average, base = _gains(np.array([table.mean(axis=1) for table in tables]))
    null = []
    for _ in range(n_permutations):
        means = np.array([rng.permuted(table, axis=0).mean(axis=1) for table in tables])
        found = _gains(means)
        null.append((found[0], found[1], 100 * found[0] / found[3] if found[3] > 0 else np.nan))
    figures = list(zip(*null, strict=True))[: 3 if base > 0 else 2]  # nothing is relative to a baseline of 0
    bands = [_band(figure) for figure in figures]
    return Protocol(
        n_stimuli=tables[0].shape[0] - 1,
        n_tasks=len(tables),
        baseline=base,
        best_per_task=per_task,
        best_single=single,
        average=average,
        relative_best_per_task=100 * per_task / base if base > 0 else None,
        null_best_per_task=bands[0],
        null_best_single=bands[1],
        null_relative=bands[2] if base > 0 else None,
    )


def _band(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = np.nanquantile(values, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)


def _gains(means: Array) -> tuple[float, float, float, float]:
    """Of tasks by arms (baseline first): mean gain of the best per task, of the best single stimulus, of all; the baseline."""
    gain = means[:, 1:] - means[:, :1]
    return float(gain.max(axis=1).mean()), float(gain.mean(axis=0).max()), float(gain.mean()), float(means[:, 0].mean())


Agreement = Literal["consistent", "smaller", "larger", "opposite"]


class Replication(NamedTuple):
    """A published difference and ours, as fractions, and how they agree."""

    published: float
    se_published_unpaired: float
    """Bound for arms that met different items: sqrt(sum of 2 p (1 - p) / n) / T."""
    se_published_paired: float
    """For arms that met the same items, at our share of changed answers: sqrt(sum of psi / n) / T."""
    ours: float
    se_ours: float
    ci_low: float
    ci_high: float
    prediction_low: float
    """Where a repetition like ours falls with 95 % chance if the published effect is the truth (Patil, Peng and Leek 2016)."""
    prediction_high: float
    p_small_telescope: float
    """One-sided: is ours below the effect that the original had 33 % power for? (Simonsohn 2015)"""
    agreement: Agreement
    detectable_33: float


def replication_check(
    published: float,
    ours: float,
    se_ours: float,
    baseline: float,
    discordance: float,
    n_tasks: int,
    n_items: float = 100,
    scale: float = 1.0,
) -> Replication:
    """Compare an average over stimuli that was published with ours; the published best of many is never compared.

    `baseline` is the published share of right answers (its errors need it), `discordance` our share of changed answers,
    `scale` how much wider the published scale is than raw scores (normalised scores).
    """
    if n_tasks < 1 or n_items < 1 or se_ours < 0 or not 0 <= discordance <= 1:
        raise ValueError(
            f"n_tasks and n_items of at least 1 and a discordance from 0 to 1 are needed; found {n_tasks}, {n_items}, {discordance}"
        )
    p = min(max(baseline, 0.0), 1.0)
    unpaired = scale * math.sqrt(2 * p * (1 - p) / n_items / n_tasks)
    paired = scale * math.sqrt(discordance / n_items / n_tasks)
    half = 1.959964 * math.sqrt(unpaired**2 + se_ours**2)
    low, high = published - half, published + half
    ci = (ours - 1.959964 * se_ours, ours + 1.959964 * se_ours)
    if low <= ours <= high:
        agreement: Agreement = "consistent"
    elif (published > 0 and ci[1] < 0) or (published < 0 and ci[0] > 0):
        agreement = "opposite"
    else:
        agreement = "smaller" if abs(ours) < abs(published) or ours * published < 0 else "larger"
    small = (1.959964 + float(st.norm.ppf(0.33))) * unpaired
    signed = ours if published >= 0 else -ours
    p_small = float(st.norm.cdf((signed - small) / se_ours)) if se_ours > 0 else float(signed < small)
    return Replication(
        published=published, se_published_unpaired=unpaired, se_published_paired=paired, ours=ours, se_ours=se_ours, ci_low=ci[0],
        ci_high=ci[1], prediction_low=low, prediction_high=high, p_small_telescope=p_small, agreement=agreement, detectable_33=small,
    )  # fmt: skip

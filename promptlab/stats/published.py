"""The arithmetic of the papers, on their figures and on anyone's scores, and what it gives when nothing works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Numbers = Sequence[float] | Array


class Headline(NamedTuple):
    """A paper's summary: mean over settings of the relative gain of the best stimulus, and what its average would give."""

    relative_gain_max: tuple[float, ...]
    headline_percent: float
    relative_gain_avg_arm: tuple[float, ...]
    headline_percent_if_avg: float
    absolute_gain_max: tuple[float, ...]
    absolute_gain_avg: tuple[float, ...]


class Protocol(NamedTuple):
    """What choosing the best of S stimuli on the test items reports, beside what it would report if nothing worked.

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
    bands = [tuple(float(x) for x in np.nanquantile([row[i] for row in null], [0.05, 0.5, 0.95])) for i in range(3)] if base > 0 else [
        tuple(float(x) for x in np.quantile([row[i] for row in null], [0.05, 0.5, 0.95])) for i in range(2)
    ]  # fmt: skip
    return Protocol(
        n_stimuli=tables[0].shape[0] - 1,
        n_tasks=len(tables),
        baseline=base,
        best_per_task=per_task,
        best_single=single,
        average=average,
        relative_best_per_task=100 * per_task / base if base > 0 else None,
        null_best_per_task=_three(bands[0]),
        null_best_single=_three(bands[1]),
        null_relative=_three(bands[2]) if base > 0 else None,
    )


def _three(band: tuple[float, ...]) -> tuple[float, float, float]:
    return band[0], band[1], band[2]


def _gains(means: Array) -> tuple[float, float, float, float]:
    """Of tasks by arms (baseline first): mean gain of the best per task, of the best single stimulus, of all; the baseline."""
    gain = means[:, 1:] - means[:, :1]
    return float(gain.max(axis=1).mean()), float(gain.mean(axis=0).max()), float(gain.mean()), float(means[:, 0].mean())

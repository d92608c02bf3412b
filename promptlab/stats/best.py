"""The best of several stimuli, corrected for having been chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from promptlab.nouns import Status
from promptlab.stats.intervals import Array
from promptlab.stats.paired import DECIMALS, ENUMERATE_UP_TO, RESAMPLES, mean_difference_ci, signflip_test

FEWEST_ITEMS = 50
"""With fewer items no estimate for a chosen stimulus is given: cross-fitting then leaves too few to choose by."""
BLOCK = 2_000
TIED = 1e-9


class MaxT(NamedTuple):
    """Step-down maxT over the rows: studentised means, their own p-values and those adjusted for all rows."""

    t: tuple[float, ...]
    p_raw: tuple[float, ...]
    p_adjusted: tuple[float, ...]
    critical: float
    """The 95 % point of the largest |t| when nothing works: half-width of simultaneous intervals, in standard errors."""
    method: str


class Best(NamedTuple):
    """The stimulus that scored highest, and what is left of its lead after correcting for the choice."""

    winner: int | None
    naive: float
    """Its observed difference: what picking the maximum gives, biased upwards."""
    estimate: float | None = None
    """Cross-fitted: chosen on nine tenths of the items, measured on the rest. None below 50 items."""
    ci: tuple[float, float] | None = None
    """Simultaneous over all stimuli, around the naive value."""
    p: float | None = None
    p_best: float | None = None
    """How often it is the best in bootstrap samples of the items."""
    runner_up_gap: float | None = None
    tie: bool = True
    n_stimuli: int = 0
    n_items: int = 0
    status: Status = "ok"


def _table(differences: Sequence[Sequence[float]] | Array) -> Array:
    table = np.asarray(differences, dtype=np.float64).round(DECIMALS)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"differences must be a table of stimuli by items, found shape {table.shape}")
    return table


def _studentised(sums: Array, squares: Array, n: Array) -> Array:
    """|t| from sums of signed differences (rows by draws); infinite where all differences are one constant."""
    means = sums / n[:, None]
    variances = np.maximum(squares[:, None] - n[:, None] * means**2, 0.0) / np.maximum(n[:, None] - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(means) / np.sqrt(variances / n[:, None])
    t[variances < TIED**2] = np.inf
    t[np.abs(sums) < TIED] = 0.0
    return t


def maxt_stepdown(
    differences: Sequence[Sequence[float]] | Array,
    exact: bool | str = "auto",
    n_resamples: int = RESAMPLES,
    rng: np.random.Generator | None = None,
) -> MaxT:
    """Which stimuli differ from the shared baseline, with family-wise error over all of them (Westfall and Young 1993).

    Rows are stimuli, columns the items of one task; NaN is a missing pair and that row's own. An item's whole column flips
    its sign together, which keeps how the rows depend on each other. All sign vectors up to 14 items (or where `exact` is
    True), else `n_resamples` of them and (count + 1) / (draws + 1). A row that moved every item by one constant has no t: it
    gets the sign-flip test and its share of the error by Bonferroni.
    """
    table = _table(differences)
    here = np.isfinite(table)
    filled = np.where(here, table, 0.0)
    n = here.sum(axis=1).astype(np.float64)
    if (n < 2).any():
        raise ValueError("every stimulus needs at least two items with both scores")
    squares, sums = (filled**2).sum(axis=1), filled.sum(axis=1)
    observed = _studentised(sums[:, None], squares, n)[:, 0]
    constant = np.isinf(observed)
    signed = np.where(constant, np.inf, observed) * np.sign(sums)
    rest = np.flatnonzero(~constant)
    p_raw, p_adjusted = np.ones(len(table)), np.ones(len(table))
    for i in np.flatnonzero(constant):
        own = table[i, here[i]]
        p_raw[i] = signflip_test(own, np.zeros_like(own)).p_midp
        p_adjusted[i] = min(1.0, len(table) * p_raw[i])
    moving = np.flatnonzero((filled[rest] != 0).any(axis=0)) if len(rest) else np.array([], dtype=int)
    every = exact is True or (exact == "auto" and len(moving) <= ENUMERATE_UP_TO)
    critical, method = math.nan, "none"
    if len(rest) and len(moving):
        order = rest[np.argsort(-observed[rest], kind="stable")]
        n_draws, drawn = (2 ** len(moving), None) if every else (n_resamples, rng or np.random.default_rng(0))
        rows = filled[np.ix_(order, moving)]
        raw, above, largest = _count(rows, squares[order], n[order], observed[order], n_draws, drawn)
        add = 0 if every else 1
        stepped = np.maximum.accumulate((above + add) / (n_draws + add))
        p_raw[order] = (raw + add) / (n_draws + add)
        p_adjusted[order] = np.minimum(1.0, stepped * len(table) / len(rest))
        critical = float(np.quantile(largest, 0.95, method="higher"))
        method = f"all {n_draws:,} joint sign flips" if every else f"{n_draws:,} joint sign flips"
    return MaxT(tuple(float(x) for x in signed), tuple(float(x) for x in p_raw), tuple(float(x) for x in p_adjusted), critical, method)


def _count(
    rows: Array, squares: Array, n: Array, observed: Array, n_draws: int, rng: np.random.Generator | None
) -> tuple[Array, Array, Array]:
    """For rows in the order of falling |t|: draws that reach a row's own t, draws whose maximum over it and the rows below does.

    The draws are random where `rng` is given, else all sign vectors.
    """
    n_items = rows.shape[1]
    raw, above, largest = np.zeros(len(rows)), np.zeros(len(rows)), []
    edge = (observed - TIED)[:, None]
    for start in range(0, n_draws, BLOCK):
        size = min(BLOCK, n_draws - start)
        counted = np.arange(start, start + size)[:, None] >> np.arange(n_items) & 1
        bits = counted if rng is None else rng.integers(0, 2, (size, n_items))
        t = _studentised(rows @ (1.0 - 2.0 * bits).T, squares, n)
        raw += (t >= edge).sum(axis=1)
        maxima = np.maximum.accumulate(t[::-1], axis=0)[::-1]
        above += (maxima >= edge).sum(axis=1)
        largest.append(maxima[0])
    return raw, above, np.concatenate(largest)


def best_stimulus(
    differences: Sequence[Sequence[float]] | Array,
    folds: int = 10,
    partitions: int = 20,
    seed: int = 0,
    n_resamples: int = RESAMPLES,
    n_bootstrap: int = 2_000,
    fewest: int = FEWEST_ITEMS,
) -> Best:
    """The best of several stimuli on one task: rows stimuli, columns items without missing pairs.

    `estimate` is the median over `partitions` random splits of the mean difference of the stimulus that won on the other
    folds; `ci` is simultaneous (maxT) around the naive value, so the estimate lies nearer its lower end. All rows alike: no
    winner, a tie. One stimulus: nothing was chosen. With fewer than `fewest` items there is no estimate.
    """
    table = _table(differences)
    if not np.isfinite(table).all():
        raise ValueError("an item lacks a pair for some stimulus; keep the items that all of them have")
    n_stimuli, n_items = table.shape
    means = table.mean(axis=1)
    winner = int(means.argmax())
    naive = float(means[winner])
    none = Best(winner, naive, n_stimuli=n_stimuli, n_items=n_items, status="n_too_small")
    if n_stimuli > 1 and (table == table[0]).all():
        return none._replace(winner=None, runner_up_gap=0.0, status="zero_variance")
    if n_items < 2:
        return none
    rng = np.random.default_rng(seed)
    tested = maxt_stepdown(table, n_resamples=n_resamples, rng=rng)
    se = float(table[winner].std(ddof=1)) / math.sqrt(n_items)
    half = None if math.isnan(tested.critical) or not se else tested.critical * se
    gap, tie = None, False
    if n_stimuli > 1:
        second = int(np.argsort(-means, kind="stable")[1])
        lead = mean_difference_ci(np.zeros(n_items) + table[winner], table[second])
        gap = lead.mean_difference
        tie = lead.ci is not None and lead.ci[0] <= 0
    counts = rng.multinomial(n_items, np.full(n_items, 1 / n_items), n_bootstrap)
    resampled = table @ counts.T.astype(np.float64)
    p_best = float((resampled.argmax(axis=0) == winner).mean())
    found = none._replace(
        ci=None if half is None else (naive - half, naive + half), p=tested.p_adjusted[winner], p_best=p_best, runner_up_gap=gap, tie=tie
    )
    return found._replace(estimate=_cross_fitted(table, folds, partitions, rng), status="ok") if n_items >= fewest else found


def _cross_fitted(table: Array, folds: int, partitions: int, rng: np.random.Generator) -> float:
    n_items = table.shape[1]
    total = table.sum(axis=1)
    found = []
    for _ in range(partitions):
        fold = rng.permutation(n_items) % folds
        held = np.stack([table[:, fold == f].sum(axis=1) for f in range(folds)])
        sizes = np.bincount(fold, minlength=folds)
        chosen = ((total - held) / (n_items - sizes)[:, None]).argmax(axis=1)
        found.append(float((held[np.arange(folds), chosen] / sizes).mean()))
    return float(np.median(found))

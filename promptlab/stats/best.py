"""The best of several stimuli, corrected for having been chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from promptlab.nouns import Status
from promptlab.stats.intervals import Array
from promptlab.stats.paired import DECIMALS, ENUMERATE_UP_TO, RESAMPLES, mean_difference_ci, signflip_test

FEWEST_ITEMS = 50
"""With fewer items no estimate for a chosen stimulus is given: cross-fitting then leaves too few to choose by."""
BLOCK = 2_000
MOST_KEPT = 1_000
"""Draws over so many items are kept for the next table of as many."""
ONE_CORE, FEWEST_COLUMNS = 250_000, 8
"""Multiplications in a product of two tables up to which no library shares it among cores."""
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
    seed: int | None = None,
) -> MaxT:
    """Which stimuli differ from the shared baseline, with family-wise error over all of them (Westfall and Young 1993).

    Rows are stimuli, columns the items of one task; NaN is a missing pair and that row's own. An item's whole column flips
    its sign together, which keeps how the rows depend on each other. All sign vectors up to 14 items (or where `exact` is
    True), else `n_resamples` of them and (count + 1) / (draws + 1), by `rng`, or by `seed` the same ones for all tables of as many items. A
    row that moved every item by one constant has no t: it
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
        n_draws = 2 ** len(moving) if every else n_resamples
        drawn: np.random.Generator | npt.NDArray[np.int8] | None = None if every else rng or np.random.default_rng(0)
        rows = filled[np.ix_(order, moving)]
        if drawn is not None and seed is not None and table.shape[1] <= MOST_KEPT:
            drawn = _bits(seed, n_resamples, table.shape[1])[:, moving]
        raw, above, largest = _count(rows, squares[order], n[order], observed[order], n_draws, drawn)
        add = 0 if every else 1
        stepped = np.maximum.accumulate((above + add) / (n_draws + add))
        p_raw[order] = (raw + add) / (n_draws + add)
        p_adjusted[order] = np.minimum(1.0, stepped * len(table) / len(rest))
        critical = float(np.quantile(largest, 0.95, method="higher"))
        method = f"all {n_draws:,} joint sign flips" if every else f"{n_draws:,} joint sign flips"
    return MaxT(tuple(float(x) for x in signed), tuple(float(x) for x in p_raw), tuple(float(x) for x in p_adjusted), critical, method)


def _count(
    rows: Array, squares: Array, n: Array, observed: Array, n_draws: int, drawn: np.random.Generator | npt.NDArray[np.int8] | None
) -> tuple[Array, Array, Array]:
    """For rows in the order of falling |t|: draws that reach a row's own t, draws whose maximum over it and the rows below does.

    The draws are `drawn`, or by that generator; without either all sign vectors.
    """
    n_items = rows.shape[1]
    raw, above, largest = np.zeros(len(rows)), np.zeros(len(rows)), []
    edge = (observed - TIED)[:, None]
    for start in range(0, n_draws, BLOCK):
        size = min(BLOCK, n_draws - start)
        if drawn is None:
            bits = np.arange(start, start + size)[:, None] >> np.arange(n_items) & 1
        else:
            bits = drawn[start : start + size] if isinstance(drawn, np.ndarray) else drawn.integers(0, 2, (size, n_items))
        t = _studentised(_product(rows, bits.T, lambda part: 1.0 - 2.0 * part), squares, n)
        raw += (t >= edge).sum(axis=1)
        maxima = np.maximum.accumulate(t[::-1], axis=0)[::-1]
        above += (maxima >= edge).sum(axis=1)
        largest.append(maxima[0])
    return raw, above, np.concatenate(largest)


def _product(rows: Array, columns: npt.NDArray[Any], made: Callable[[npt.NDArray[Any]], Array] = np.asarray) -> Array:
    """`rows` times `made` of the columns, in parts that one core computes, except of large tables.

    Over several cores the last digits hang on how many there are, and for small tables sharing takes longer than it saves.
    """
    step = ONE_CORE // max(rows.size, 1)
    if step < FEWEST_COLUMNS:
        return rows @ made(columns)
    return np.hstack([rows @ made(columns[:, start : start + step]) for start in range(0, columns.shape[1], step)])


@lru_cache(maxsize=4)
def _bits(seed: int, n_draws: int, n_items: int) -> npt.NDArray[np.int8]:
    """Random bits, draws by items."""
    return np.random.default_rng([seed, n_items]).integers(0, 2, (n_draws, n_items), dtype=np.int8)


@lru_cache(maxsize=4)
def _samples(seed: int, n_draws: int, n_items: int) -> Array:
    """Bootstrap samples of items: how often each item is in each of them, items by draws."""
    counts = np.random.default_rng([seed, n_items]).multinomial(n_items, np.full(n_items, 1 / n_items), n_draws)
    return counts.T.astype(np.float64)


def best_stimulus(
    differences: Sequence[Sequence[float]] | Array,
    folds: int = 10,
    partitions: int = 20,
    seed: int = 0,
    n_resamples: int = RESAMPLES,
    n_bootstrap: int = 2_000,
    fewest: int = FEWEST_ITEMS,
    clusters: Sequence[object] | Array | None = None,
) -> Best:
    """The best of several stimuli on one task: rows stimuli, columns items without missing pairs.

    With `clusters` (a name for each item) whole clusters are flipped, drawn and left out, never single items.

    `estimate` is the median over `partitions` random splits of the mean difference of the stimulus that won on the other
    folds; `ci` is simultaneous (maxT) around the naive value, so the estimate lies nearer its lower end. All rows alike: no
    winner, a tie. One stimulus: nothing was chosen. With fewer than `fewest` items there is no estimate.
    """
    table = _table(differences)
    if not np.isfinite(table).all():
        raise ValueError("an item lacks a pair for some stimulus; keep the items that all of them have")
    if clusters is not None:
        codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
        units = np.array([np.bincount(codes, weights=row) for row in table])
        table = units * (units.shape[1] / table.shape[1])  # its mean over clusters is the mean over items
    n_stimuli, n_items = table.shape
    means = table.mean(axis=1)
    firm = means.round(DECIMALS)  # equal means are equal on every machine: the first of them wins
    winner = int(firm.argmax())
    naive = float(means[winner])
    none = Best(winner, naive, n_stimuli=n_stimuli, n_items=n_items, status="n_too_small")
    if n_stimuli > 1 and (table == table[0]).all():
        return none._replace(winner=None, runner_up_gap=0.0, status="zero_variance")
    if n_items < 2:
        return none
    rng = np.random.default_rng(seed)
    tested = maxt_stepdown(table, n_resamples=n_resamples, rng=rng, seed=seed)
    se = float(table[winner].std(ddof=1)) / math.sqrt(n_items)
    half = None if math.isnan(tested.critical) or not se else tested.critical * se
    gap, tie = None, False
    if n_stimuli > 1:
        second = int(np.argsort(-firm, kind="stable")[1])
        lead = mean_difference_ci(np.zeros(n_items) + table[winner], table[second])
        gap = lead.mean_difference
        tie = lead.ci is not None and lead.ci[0] <= 0
    make = _samples if n_items <= MOST_KEPT else _samples.__wrapped__
    resampled = _product(table, make(seed, n_bootstrap, n_items)).round(DECIMALS)
    is_best = resampled == resampled.max(axis=0)
    p_best = float((is_best[winner] / is_best.sum(axis=0)).mean())  # those that are equal share it
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
        chosen = ((total - held) / (n_items - sizes)[:, None]).round(DECIMALS).argmax(axis=1)
        found.append(float((held[np.arange(folds), chosen] / sizes).mean()))
    return float(np.median(found))

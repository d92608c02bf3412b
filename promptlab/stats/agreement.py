"""How far raters agree, and which labels a classifier prefers, whatever is right. Pure functions of ratings; no library of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from promptlab.stats.intervals import Array

Level = Literal["nominal", "ordinal", "interval", "ratio"]
ROUNDS = 20
"""Rounds of the preference: the number that Kang et al. 2024 take."""


def _is_missing(value: Any) -> bool:  # noqa: ANN401
    return value is None or (isinstance(value, float | np.floating) and math.isnan(value))


def _coded(ratings: Sequence[Any], numeric: bool) -> tuple[list[Any], list[int]]:
    """The categories in use, and the place of each rating among them; -1 where it is missing."""
    try:
        kept = [None if _is_missing(value) else float(value) if numeric else value for value in ratings]
    except (TypeError, ValueError) as error:
        raise ValueError(f"ratings must be numbers here, a missing one None or NaN: {error}") from None
    if numeric and not all(value is None or math.isfinite(value) for value in kept):
        raise ValueError("ratings must be finite numbers; a missing one is None or NaN")
    used = {value for value in kept if value is not None}
    names = sorted(used) if numeric else list(used)
    place = {name: i for i, name in enumerate(names)}
    return names, [-1 if value is None else place[value] for value in kept]


def krippendorff_alpha(ratings_by_rater: Sequence[Sequence[Any]], *, level: Level) -> float:
    """Krippendorff's alpha: 1 is full agreement, 0 what chance gives, below it less than chance.

    One row for each rater, one column for each item; None or NaN is missing, and an item with one rating says nothing. At the level
    `nominal` ratings are any values, at the others numbers. For marks from 1 to 5 take `ordinal`. NaN where only one value was given:
    nothing could disagree. ValueError for rows of unequal length, fewer than two raters, or no item with two ratings.
    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
    """
    if level not in get_args(Level):
        raise ValueError(f"level must be one of {', '.join(get_args(Level))}, found {level!r}")
    rows = [list(row) for row in ratings_by_rater]
    if len(rows) < 2 or len({len(row) for row in rows}) != 1:
        raise ValueError(f"two or more raters with one rating an item are needed (None where it is missing), found {[*map(len, rows)]}")
    names, codes = _coded([value for row in rows for value in row], level != "nominal")
    if level == "ratio" and names and names[0] < 0:
        raise ValueError("ratings of the level ratio must not be negative")
    table = np.array(codes, dtype=np.int64).reshape(len(rows), -1)
    counts = np.stack([(table == c).sum(axis=0) for c in range(len(names))], axis=1).astype(float) if names else np.zeros((0, 0))
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ValueError("no item has two ratings")
    sizes = counts.sum(axis=1, keepdims=True)
    seen = counts.T @ (counts / (sizes - 1)) - np.diag((counts / (sizes - 1)).sum(axis=0))
    totals = counts.sum(axis=0)
    by_chance = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    apart = _distances(names, totals, level)
    expected = float((by_chance * apart).sum())
    return 1 - float((seen * apart).sum()) / expected if expected > 0 else math.nan


def _distances(names: Sequence[Any], totals: Array, level: Level) -> Array:
    """How far two categories lie apart, squared."""
    if level == "nominal":
        return 1.0 - np.eye(len(names))
    value = np.array(names, dtype=np.float64)
    if level == "ordinal":  # ratings between the two, each end counted half
        value = np.cumsum(totals) - totals / 2
    gap: Array = value[:, None] - value
    if level == "ratio":
        both = value[:, None] + value
        gap = np.divide(gap, both, out=np.zeros_like(gap), where=both > 0)
    return gap**2


def cohen_kappa(a: Sequence[Any], b: Sequence[Any], *, weights: Literal["linear", "quadratic"] | None = None) -> float:
    """Cohen's kappa of two raters over the items that both rated; None or NaN is missing.

    Without weights ratings are any values and every disagreement counts alike. With weights they are numbers, and a disagreement counts by
    its distance (`linear`) or that squared (`quadratic`: the one for marks from 1 to 5). NaN where both gave one value only. ValueError
    for unequal lengths, no item rated by both, or weights with ratings that are no numbers. Source: Cohen 1960, 1968.
    """
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"weights must be None, 'linear' or 'quadratic', found {weights!r}")
    if len(a) != len(b):
        raise ValueError(f"both raters need one rating an item, found {len(a)} and {len(b)}")
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if not _is_missing(x) and not _is_missing(y)]
    if not pairs:
        raise ValueError("no item was rated by both")
    names, codes = _coded([value for pair in pairs for value in pair], weights is not None)
    table = np.zeros((len(names), len(names)))
    np.add.at(table, tuple(np.array(codes).reshape(-1, 2).T), 1 / len(pairs))
    if weights is None:
        apart = 1.0 - np.eye(len(names))
    else:
        value = np.array(names, dtype=np.float64)
        apart = np.abs(value[:, None] - value) ** (1 if weights == "linear" else 2)
    expected = float((np.outer(table.sum(axis=1), table.sum(axis=0)) * apart).sum())
    return 1 - float((table * apart).sum()) / expected if expected > 0 else math.nan


class PreferenceBias(NamedTuple):
    """Which labels a classifier prefers. Where some preference has no finite value, `preference` and `bias` are NaN."""

    bias: float
    """The population standard deviation of the preferences: 0 where no label is preferred."""
    preference: tuple[float, ...]
    """One for each label, with mean 1: above 1 it is predicted more often than it is right."""
    macro_f1: float
    weighted_f1: float


def preference_bias(predicted_by_gold: Sequence[Sequence[float]]) -> PreferenceBias:
    """Preference and F1 of a classifier from counts: `predicted_by_gold[i][j]` answers said label i where j was right.

    Bradley and Terry's strengths of the mistakes: label i beats j where i was given and j was right. Twenty rounds, one label after the
    other, scaled to the geometric mean 1 after each (over labels that won at all), and to the mean 1 at the end. A label that nobody
    mistook for another or another for it keeps 1. ValueError for a table that is not square, not of counts, or empty.
    Source: Kang et al. 2024 (arXiv 2402.13211); Newman 2023 (the rounds).
    """
    table = np.array(predicted_by_gold, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not len(table):
        raise ValueError(f"predicted_by_gold must have a row and a column for each label, found the shape {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any() or not table.any():
        raise ValueError("predicted_by_gold must hold counts: none negative or missing, not all 0")
    said, gold = table.sum(axis=1), table.sum(axis=0)
    f1 = np.divide(2 * np.diag(table), said + gold, out=np.zeros(len(table)), where=said + gold > 0)
    wrong = table - np.diag(np.diag(table))
    p = _strengths(wrong)
    macro, weighted = float(f1.mean()), float((f1 * gold).sum() / gold.sum())
    return PreferenceBias(float(p.std()), tuple(p.tolist()), macro, weighted)


def _strengths(wins: Array) -> Array:
    p = np.ones(len(wins))
    own = wins.any(axis=0) | wins.any(axis=1)
    if (own & ~wins.any(axis=0)).any() or not own.any():  # never beaten: without bound; nothing wrong at all: all alike
        return np.full(len(wins), math.nan) if own.any() else p
    for _ in range(ROUNDS):
        for i in np.flatnonzero(own):
            both = p[i] + p
            with np.errstate(invalid="ignore", divide="ignore"):
                p[i] = np.nansum(wins[i] * p / both) / np.nansum(wins[:, i] / both)
        p /= math.exp(float(np.log(p[p > 0]).mean()))
    scaled: Array = p * len(p) / p.sum()
    return scaled

"""A mean rating difference where both items and raters are random: a mixed model with crossed random effects, by moments."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Numbers

LEAST_LEVELS = 2
"""Items, and raters, below which their variance cannot be known."""


class Crossed(NamedTuple):
    """A mean over items of differences by several raters, for items and raters like these; on the scale of the differences."""

    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    sd_items: float
    sd_raters: float
    sd_rest: float
    n_items: int
    n_raters: int
    n: int


def crossed(diff: Numbers, items: Sequence[Hashable], raters: Sequence[Hashable], conf: float = 0.95) -> Crossed:
    """The mean of d = mean + item + rater + rest, each item with the same weight; `diff` has one value for each item and rater.

    The standard deviations come from the mean squared difference of pairs that share the item, the rater, or neither; a negative variance
    is 0. The error adds the variance by item and that by rater, which counts the rest twice and so is a little too large, because with two
    or three raters their own variance is often estimated as 0. Student's t with Satterthwaite's degrees of freedom. ValueError for unequal
    lengths, a pair of item and rater twice, fewer than two items or raters, or no item with two raters. Source: Gao and Owen 2017 (moments
    for crossed random effects); Cameron, Gelbach and Miller 2011 (two-way clusters); Satterthwaite 1946.
    """
    d = np.asarray(diff, dtype=np.float64)
    if not (len(d) == len(items) == len(raters)) or not np.isfinite(d).all():
        raise ValueError("diff, items and raters must be equally long, and differences finite")
    of_item, of_rater = (np.unique(np.asarray(names, dtype=str), return_inverse=True)[1] for names in (items, raters))
    n_items, n_raters, n = (len(set(of_item.tolist())), len(set(of_rater.tolist())), len(d))
    if len(set(zip(of_item.tolist(), of_rater.tolist(), strict=True))) < n:
        raise ValueError("an item was rated twice by one rater")
    if min(n_items, n_raters) < LEAST_LEVELS or n in (n_items, n_raters):
        raise ValueError("at least two items and two raters are needed, and items that several of them rated")
    same_item, same_rater = (_pairs(d, codes) for codes in (of_item, of_rater))
    whole = _pairs(d, np.zeros(n, dtype=np.int64))
    apart = (whole[0] - same_item[0] - same_rater[0]) / max(1.0, whole[1] - same_item[1] - same_rater[1])
    by_item, by_rater = same_item[0] / same_item[1], same_rater[0] / same_rater[1]  # raters + rest, items + rest
    items_var, raters_var = max(0.0, apart - by_item), max(0.0, apart - by_rater)
    rest_var = max(0.0, by_item + by_rater - apart)
    weight = 1 / (n_items * np.bincount(of_item)[of_item])
    estimate = float((weight * d).sum())
    parts = [
        float((np.bincount(codes, weights=weight * (d - estimate)) ** 2).sum()) * k / (k - 1)
        for codes, k in ((of_item, n_items), (of_rater, n_raters))
    ]
    total = sum(parts)
    df = total**2 / sum(part**2 / (k - 1) for part, k in zip(parts, (n_items, n_raters), strict=True)) if total > 0 else n_items - 1.0
    se = math.sqrt(total)
    half = float(st.t.ppf((1 + conf) / 2, df)) * se
    sds = (math.sqrt(items_var), math.sqrt(raters_var), math.sqrt(rest_var))
    return Crossed(estimate, se, df, estimate - half, estimate + half, *sds, n_items=n_items, n_raters=n_raters, n=n)


def _pairs(d: Array, codes: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Over all pairs within one code: the sum of half their squared differences, and how many pairs."""
    n = np.bincount(codes)
    sums, squares = np.bincount(codes, weights=d), np.bincount(codes, weights=d**2)
    return float((n * squares - sums**2).sum()) / 2, float((n * (n - 1)).sum()) / 2

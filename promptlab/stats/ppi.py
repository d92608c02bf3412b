"""Few human labels and many labels of a judge: an interval of the mean that people would give, however the judge is biased."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Interval, Numbers

FEW_LABELS = 50
"""Below so many human labels take `small_low` and `small_high`: the normal interval then covers 93 % in place of 95."""


class PPIMean(NamedTuple):
    """A mean on the scale of the labels, by prediction-powered inference, and the one of the human labels alone next to it."""

    estimate: float
    ci_low: float
    ci_high: float
    se: float
    judge_weight: float
    """From 0 (the judge tells nothing, human labels alone) to 1 (the judge's labels count in full)."""
    small_low: float
    """The same interval by Student's t with n - 1 degrees of freedom and variances over n - 1: for few human labels."""
    small_high: float
    human_estimate: float
    human_low: float
    human_high: float
    n_human: int
    n_judge_only: int
    sentence: str


def ppi_mean(human: Numbers, judge_on_human: Numbers, judge_only: Numbers, *, alpha: float = 0.05) -> PPIMean:
    """The mean human label of all items, from human labels of n items and the judge's labels of those and of N others.

    The judge's mean over the N items, corrected by its error on the n; the judge's weight is the one with the smallest variance, between
    0 and 1. For a contrast take differences item by item as labels. The n items must be a random part of all, and items independent.
    ValueError for unequal lengths, fewer than two labels of either kind, or a label that is not finite.
    Source: Angelopoulos, Duchi and Zrnic 2023 (PPI++, arXiv 2311.01453); normal interval, variances over n, as in ppi-python 0.2.3.
    """
    y, f, g = (np.asarray(x, dtype=np.float64) for x in (human, judge_on_human, judge_only))
    if y.shape != f.shape or y.ndim != 1 or g.ndim != 1:
        raise ValueError(f"human and judge_on_human must be lists of equal length, found the shapes {y.shape} and {f.shape}")
    n, more = len(y), len(g)
    if min(n, more) < 2:
        raise ValueError(f"at least two labels by people and two by the judge alone are needed, found {n} and {more}")
    if not all(np.isfinite(x).all() for x in (y, f, g)):
        raise ValueError("labels must be finite numbers; leave out items without one")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, found {alpha}")
    weight = _weight(y, f, g)
    estimate, se = _mean(y, f, g, weight, 0)
    z, t = float(st.norm.ppf(1 - alpha / 2)), float(st.t.ppf(1 - alpha / 2, n - 1))
    wide = t * _mean(y, f, g, weight, 1)[1]
    alone, half = float(y.mean()), t * float(y.std(ddof=1)) / math.sqrt(n)
    low, high = (estimate - wide, estimate + wide) if n < FEW_LABELS else (estimate - z * se, estimate + z * se)
    text = (
        f"{estimate:+.3g} ({low:+.3g} to {high:+.3g}) from {n} human labels and the judge's of {more} more items; "
        f"human labels alone say {alone:+.3g} ({alone - half:+.3g} to {alone + half:+.3g})."
    )
    return PPIMean(
        estimate, estimate - z * se, estimate + z * se, se, weight, small_low=estimate - wide, small_high=estimate + wide,
        human_estimate=alone, human_low=alone - half, human_high=alone + half, n_human=n, n_judge_only=more, sentence=text,
    )  # fmt: skip


def _weight(y: Array, f: Array, g: Array) -> float:
    n, more = len(y), len(g)
    spread = float(np.concatenate([f, g]).var(ddof=1))
    shared = float(((y - y.mean()) * (f - f.mean())).mean())
    return min(1.0, max(0.0, shared / ((1 + n / more) * spread))) if spread > 0 else 0.0


def _mean(y: Array, f: Array, g: Array, weight: float, ddof: int) -> tuple[float, float]:
    """The estimate and its standard error for a given weight of the judge."""
    rest = y - weight * f
    return weight * float(g.mean()) + float(rest.mean()), math.sqrt(weight**2 * g.var(ddof=ddof) / len(g) + rest.var(ddof=ddof) / len(y))


def judge_alone(estimate: float, interval: Interval) -> str:
    """The words without which a judge's figure is never shown: nobody has checked it."""
    return f"{estimate:+.3g} ({interval[0]:+.3g} to {interval[1]:+.3g}) according to this judge, which no human label has checked."

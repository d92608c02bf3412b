"""Judged contrasts: human labels of some items combined with a judge's of all; the part of a preference that length explains; strengths.

Everything is an array of item differences on the scale of the scores. Pure functions; docs/reference/statistics.md says why these.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from promptlab.nouns import counted
from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Interval, Numbers

LEAST_LABELS = 2
"""Labelled items (or clusters) of a task below which there is no claim about it."""
MOST_LABELS = 100_000
STEPS = 200
NEARLY_EQUAL = math.log(1.25)
"""The log of how many times longer an answer may be that still tells of equal lengths."""
LEAST_EQUAL, LEAST_SHARE_EQUAL = 3, 0.05
"""How many such answers, and which share of all, there must be."""


@dataclass(frozen=True, slots=True)
class Labels:
    """One task: differences by people, the judge's on the same items, and the judge's on all others; and the clusters of both."""

    human: Array
    judge_on_human: Array
    judge_only: Array
    clusters: Sequence[Hashable] | None = None
    """Of the labelled items; None where items are independent."""
    clusters_only: Sequence[Hashable] | None = None


class Anchored(NamedTuple):
    """A mean over tasks by prediction-powered inference, with equal weights."""

    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    p_value: float
    n_human: int
    n_judge: int
    """Items that the judge alone labelled, and the n_human as well."""
    judge_weight: float
    """The mean over tasks."""
    human_estimate: float
    human_low: float
    human_high: float
    n_moved: int
    """Labelled items (or clusters) in which people saw a difference, of `n_units`; `step` is the largest that they saw, else 1."""
    n_units: int
    step: float

    def p_tost(self, margin: float) -> float:
        """p of the two one-sided tests that the mean lies within the margin.

        Not below the binomial probability of so few differences where the mean is the margin: few labels without a difference show little.
        """
        few = float(st.binom.cdf(self.n_moved, self.n_units, min(1.0, margin / self.step))) if self.n_moved < self.n_units else 0.0
        if not self.se:
            return max(few, float(abs(self.estimate) >= margin))
        return max(
            few, float(st.t.sf((self.estimate + margin) / self.se, self.df)), float(st.t.sf((margin - self.estimate) / self.se, self.df))
        )


def anchored(tasks: Sequence[Labels], alpha: float = 0.05) -> Anchored:
    """The mean difference that people would give over these tasks (PPI++), t with pooled degrees of freedom; the labels a random part.

    ValueError for a task with fewer than two labelled items or clusters. A task without further items by the judge rests on people alone.
    Source: Angelopoulos, Duchi and Zrnic 2023 (arXiv 2311.01453); variances over n - 2, as the weight is fitted, robust in clusters;
    Satterthwaite 1946.
    """
    if not tasks:
        raise ValueError("at least one task is needed")
    each = [_task(labels) for labels in tasks]
    alone = [_mean(labels.human, labels.clusters) for labels in tasks]
    k = len(tasks)
    estimate, se, df = _over_tasks([(value, variance, free) for value, variance, free, _ in each])
    half = float(st.t.ppf(1 - alpha / 2, df)) * se
    human, human_se, human_df = _over_tasks(alone)
    human_half = float(st.t.ppf(1 - alpha / 2, human_df)) * human_se
    p = float(2 * st.t.sf(abs(estimate) / se, df)) if se > 0 else 1.0
    n_human = sum(len(labels.human) for labels in tasks)
    units = [_units(labels) for labels in tasks]
    n_units, n_moved = sum(map(len, units)), sum(int(np.count_nonzero(unit)) for unit in units)
    step = max((float(np.abs(unit).max()) for unit in units), default=0.0) or 1.0
    if not se:  # all labels are alike: the share of items that may differ (Clopper and Pearson) times a step, and a sign test
        half = step * (1 - (alpha / 2) ** (1 / n_units))
        human_half, p = half, min(1.0, 2 * 0.5**n_units) if estimate else 1.0
    return Anchored(
        estimate, se, df, ci_low=estimate - half, ci_high=estimate + half, p_value=p, n_human=n_human,
        n_judge=n_human + sum(len(labels.judge_only) for labels in tasks), judge_weight=sum(weight for *_, weight in each) / k,
        human_estimate=human, human_low=human - human_half, human_high=human + human_half,
        n_moved=n_moved, n_units=n_units, step=step,
    )  # fmt: skip


def _units(labels: Labels) -> Array:
    """The largest difference that people saw in each labelled item, or cluster."""
    y = np.abs(np.asarray(labels.human, dtype=np.float64))
    if labels.clusters is None:
        return y
    codes = np.unique(np.asarray(labels.clusters, dtype=str), return_inverse=True)[1]
    found = np.zeros(codes.max() + 1)
    np.maximum.at(found, codes, y)
    return found


def _task(labels: Labels) -> tuple[float, float, float, float]:
    """Estimate, variance, degrees of freedom and the judge's weight in one task."""
    y, f, g = (np.asarray(x, dtype=np.float64) for x in (labels.human, labels.judge_on_human, labels.judge_only))
    if y.shape != f.shape:
        raise ValueError(f"human and judge_on_human must be equally long, found {len(y)} and {len(f)}")
    n, more = len(y), len(g)
    spread = float(np.concatenate([f, g]).var(ddof=1)) if n + more > 1 else 0.0
    weight = 0.0
    if more >= LEAST_LABELS and n >= LEAST_LABELS and spread > 0:
        shared = float(((y - y.mean()) * (f - f.mean())).sum()) / (n - 1)
        weight = min(1.0, max(0.0, shared / ((1 + n / more) * spread)))
    value, variance, df = _mean(y - weight * f, labels.clusters)
    if weight:
        if df > 1:  # the weight is fitted to the same labels, as a slope is
            variance, df = variance * df / (df - 1), df - 1
        other, variance_other, _ = _mean(g, labels.clusters_only)
        value, variance = value + weight * other, variance + weight**2 * variance_other
    return value, variance, df, weight


def _mean(x: Array, clusters: Sequence[Hashable] | None) -> tuple[float, float, float]:
    """A mean, its variance (robust where there are clusters) and degrees of freedom."""
    x = np.asarray(x, dtype=np.float64)
    codes = np.arange(len(x)) if clusters is None else np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    n_units = len(set(codes.tolist()))
    if n_units < LEAST_LABELS:
        raise ValueError(f"at least {LEAST_LABELS} labelled items or clusters of each task are needed, found {n_units}")
    if not np.isfinite(x).all():
        raise ValueError("labels must be finite numbers; leave out items without one")
    sums = np.bincount(codes, weights=x - x.mean())
    return float(x.mean()), float((sums**2).sum()) / len(x) ** 2 * n_units / (n_units - 1), float(n_units - 1)


def _over_tasks(each: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    values, variances, free = (np.array(column) for column in zip(*each, strict=True))
    total = float(variances.sum())
    df = total**2 / float((variances**2 / free).sum()) if total > 0 else float(free.sum())
    return float(values.mean()), math.sqrt(total) / len(values), df


def label_effect(n_labels: int, *, sd: float, rho: float, n_items: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest mean difference that so many human labels find with this power, of `n_items` that the judge labels.

    `sd` is that of people's item differences, `rho` their correlation with the judge's.
    """
    if n_labels < LEAST_LABELS or n_labels > n_items:
        raise ValueError(f"labels must be from {LEAST_LABELS} to the {counted(n_items)}, found {n_labels}")
    if not (sd > 0 and -1 <= rho <= 1):
        raise ValueError(f"sd must be above 0 and rho from -1 to 1, found {sd} and {rho}")
    share = (n_items - n_labels) / n_items  # 1 / (1 + n/N), for N more items
    error = sd * math.sqrt((1 - max(rho, 0.0) ** 2 * share) / n_labels)
    return error * float(st.t.ppf(1 - alpha / 2, n_labels - 1) + st.norm.ppf(power))


def labels_needed(effect: float, *, sd: float, rho: float, n_items: int, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The fewest human labels with which an effect is found; None where labels of all items do not do."""
    low, high = LEAST_LABELS, min(n_items, MOST_LABELS)

    def enough(n: int) -> bool:
        return label_effect(n, sd=sd, rho=rho, n_items=n_items, alpha=alpha, power=power) <= abs(effect)

    if high < low or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


class LengthAdjusted(NamedTuple):
    """A mean difference, and what is left of it between answers of one length."""

    raw: float
    raw_interval: Interval
    adjusted: float | None
    """None where nearly all answers of one side are longer: then nothing is known of answers of equal length."""
    adjusted_interval: Interval | None
    slope: float | None
    """Of the difference on the log of how many times longer the treatment's answer is, where lengths are equal."""
    slope_interval: Interval | None
    n: int


def length_adjusted(
    diff: Numbers, log_ratio: Numbers, clusters: Sequence[Hashable] | None = None, conf: float = 0.95, reach: float = 1.0
) -> LengthAdjusted:
    """The mean difference, and its value where both answers are equally long.

    Differences lie within +-`reach` (0.5 for pairs of which a win counts 1 and the baseline 0.5). A logistic curve in the log of the
    lengths' ratio is fitted, because a bounded score flattens where one answer is much longer: a straight line through that part finds
    gains at equal length where there are none. Errors leave out one item, or cluster, at a time (CR3); t with their number less 2.
    ValueError for fewer than four items or clusters, or where all answers are equally long.
    Source: Dubois et al. 2024 (arXiv 2404.04475), length term set to 0; MacKinnon and White 1985.
    """
    y, x = np.asarray(diff, dtype=np.float64), np.asarray(log_ratio, dtype=np.float64)
    if y.shape != x.shape or y.ndim != 1 or not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError("diff and log_ratio must be equally long lists of finite numbers")
    if len(y) and np.abs(y).max() > reach + 1e-9:
        raise ValueError(f"differences must lie within {reach:g}, found {np.abs(y).max():g}")
    codes = np.arange(len(y)) if clusters is None else np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    g = len(set(codes.tolist()))
    if g < 4 or (x.std() < 1e-9 and abs(x[0]) <= NEARLY_EQUAL):
        raise ValueError("at least four items or clusters are needed, and answers that are not all equally long")
    mean, variance, free = _mean(y, None if clusters is None else list(codes))
    half = float(st.t.ppf((1 + conf) / 2, free)) * math.sqrt(variance)
    raw = (mean - half, mean + half)
    if min((x <= NEARLY_EQUAL).sum(), (x >= -NEARLY_EQUAL).sum()) < max(LEAST_EQUAL, LEAST_SHARE_EQUAL * len(x)):
        return LengthAdjusted(mean, raw, None, None, None, None, n=len(y))
    design = np.stack([np.ones_like(x), x], axis=1)
    beta, cov = _curve(design, (len(y) * (y / reach + 1) / 2 + 0.5) / (len(y) + 1), codes)
    t = float(st.t.ppf((1 + conf) / 2, g - 2))
    errors = [t * math.sqrt(max(float(v), 0.0)) for v in np.diag(cov)]
    adjusted, low, high = (reach * math.tanh(float(value) / 2) for value in (beta[0], beta[0] - errors[0], beta[0] + errors[0]))
    steep = reach * (1 - math.tanh(float(beta[0]) / 2) ** 2) / 2  # the curve's slope where lengths are equal, for each unit of beta[1]
    ends = (steep * float(beta[1] - errors[1]), steep * float(beta[1] + errors[1]))
    return LengthAdjusted(mean, raw, adjusted, (low, high), steep * float(beta[1]), slope_interval=ends, n=len(y))


def _curve(x: Array, y: Array, codes: np.ndarray[Any, Any]) -> tuple[Array, Array]:
    """A logistic curve through shares from 0 to 1, and the covariance of its coefficients, robust in clusters (CR3)."""
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        step = np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]), x.T @ (y - p))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
    weight = p * (1 - p)
    bread = np.linalg.pinv(x.T @ (x * weight[:, None]))
    sums = []
    for code in np.unique(codes):
        of = codes == code
        hat = x[of] @ bread @ (x[of] * weight[of, None]).T
        sums.append(x[of].T @ np.linalg.lstsq(np.eye(int(of.sum())) - hat, (y - p)[of], rcond=None)[0])
    g = len(sums)
    meat = np.array(sums)
    return beta, bread @ (meat.T @ meat) @ bread * (g - 1) / g


class Strengths(NamedTuple):
    """Bradley and Terry's strengths as log odds against the first name, whose strength is 0."""

    names: tuple[str, ...]
    strength: tuple[float, ...]
    se: tuple[float, ...]
    n_pairs: int


def bradley_terry(
    first: Sequence[str], second: Sequence[str], share: Numbers, clusters: Sequence[Hashable] | None = None, base: str | None = None
) -> Strengths:
    """Strengths from pairs: `share` is 1 where the first won, 0 where the second did, 0.5 for a tie (half a win for each).

    Errors are robust in `clusters` (items, raters), else by pair. The strength of `base` (the first name) is 0. ValueError where one
    never won or never lost against the rest: its strength has no bound. Source: Bradley and Terry 1952; ties as half wins.
    """
    y = np.asarray(share, dtype=np.float64)
    if not len(y) == len(first) == len(second) or not len(y) or not ((y >= 0) & (y <= 1)).all():
        raise ValueError("first, second and share must be equally long, and shares lie from 0 to 1")
    found = list(dict.fromkeys([*first, *second]))
    base = found[0] if base is None else base
    names = [base, *(name for name in found if name != base)]
    place = {name: i for i, name in enumerate(names)}
    x = np.zeros((len(y), len(names)))
    x[np.arange(len(y)), [place[name] for name in first]] += 1
    x[np.arange(len(y)), [place[name] for name in second]] -= 1
    won = np.array([(y * (x[:, i] > 0) + (1 - y) * (x[:, i] < 0)).sum() for i in range(len(names))])
    played = np.abs(x).sum(axis=0)
    if ((won <= 0) | (won >= played)).any():
        raise ValueError("a name that never won, or never lost, has a strength without bound")
    x = x[:, 1:]
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ beta)))
        information = x.T @ (x * (p * (1 - p))[:, None])
        step = np.linalg.lstsq(information, x.T @ (y - p), rcond=None)[0]
        beta += step
        if np.abs(step).max(initial=0) < 1e-10:
            break
    p = 1 / (1 + np.exp(-(x @ beta)))
    codes = np.arange(len(y)) if clusters is None else np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    g = len(set(codes.tolist()))
    scores = x * (y - p)[:, None]
    sums = np.stack([np.bincount(codes, weights=column) for column in scores.T], axis=1) if x.shape[1] else np.zeros((g, 0))
    bread = np.linalg.pinv(x.T @ (x * (p * (1 - p))[:, None]))
    cov = bread @ (sums.T @ sums) @ bread * g / max(g - 1, 1)
    errors = np.sqrt(np.maximum(np.diag(cov), 0))
    return Strengths(tuple(names), (0.0, *beta.tolist()), (0.0, *errors.tolist()), len(y))


def control_failed(passed: int, n: int, least: float, level: float = 0.05) -> bool:
    """Whether a control's share of passes lies below `least` beyond chance: the exact binomial probability of so few is at most `level`."""
    return n > 0 and passed / n < least and float(st.binom.cdf(passed, n, least)) <= level


def fewer_agree(same: int, n: int, same_reference: int, n_reference: int) -> float:
    """Fisher's exact p, one-sided: whether fewer of `n` pairs agree than of `n_reference`."""
    table = np.array([[same, n - same], [same_reference, n_reference - same_reference]])
    return float(st.fisher_exact(table, alternative="less")[1])

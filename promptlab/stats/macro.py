"""Effects of several tasks as numbers: their mean, both ways of judging it; and how much tasks differ.

What depends on how much they differ is never the verdict: weights that follow effects bias a mean towards 0.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from promptlab.nouns import Status
from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Numbers

MOST_STEPS = 50
CLOSE = 1e-5
"""Of the estimating equation of tau2, whose terms are about 1."""


class MacroEffect(NamedTuple):
    """An unweighted mean over tasks: for tasks like these (t over tasks) and for these tasks (their own errors)."""

    estimate: float
    se_tasks_random: float | None
    ci_random: tuple[float, float] | None
    p_random: float | None
    se_tasks_fixed: float
    ci_fixed: tuple[float, float]
    n_tasks: int
    sd_tasks: float | None


def macro_effect(task_effect: Numbers, task_se: Numbers, conf: float = 0.95) -> MacroEffect:
    """The mean of k task effects with equal weights, both ways of judging it.

    Equal weights because inverse-variance weights depend on the effects and bias the mean towards 0. Effects must be on one
    scale. One task, or tasks without any spread, have no random interval (None).
    """
    effect, se = np.asarray(task_effect, dtype=np.float64), np.asarray(task_se, dtype=np.float64)
    if effect.shape != se.shape or not len(effect) or not (np.isfinite(effect).all() and np.isfinite(se).all()):
        raise ValueError("task_effect and task_se must be equally long, not empty, and finite")
    k, estimate = len(effect), float(effect.mean())
    fixed = math.sqrt(float((se**2).sum())) / k
    half = float(st.norm.ppf((1 + conf) / 2)) * fixed
    ci_fixed = (estimate - half, estimate + half)
    sd = float(effect.std(ddof=1)) if k > 1 else None
    random, ci_random, p = None, None, None
    if sd is not None and sd >= 1e-12:
        random = sd / math.sqrt(k)
        half = float(st.t.ppf((1 + conf) / 2, k - 1)) * random
        ci_random = (estimate - half, estimate + half)
        p = float(2 * st.t.sf(abs(estimate) / random, k - 1))
    return MacroEffect(
        estimate=estimate, se_tasks_random=random, ci_random=ci_random, p_random=p, se_tasks_fixed=fixed, ci_fixed=ci_fixed, n_tasks=k,
        sd_tasks=sd,
    )  # fmt: skip


class RandomMean(NamedTuple):
    """A mean weighted by an estimate of tau squared: Hartung and Knapp's error and interval, and the normal error.

    `pi_hk` is the interval in which the effect of another task would lie (t with k - 2 df); None with two tasks.
    """

    tau2: float
    estimate: float
    se_hk: float
    ci_hk: tuple[float, float]
    p_hk: float | None
    se_normal: float
    pi_hk: tuple[float, float] | None


class RandomEffects(NamedTuple):
    """How much k task effects differ. All None with fewer than two tasks."""

    pm: RandomMean | None
    """Paule and Mandel 1982: the one to read."""
    dl: RandomMean | None
    """DerSimonian and Laird 1986, as most published analyses have it; tau2 never below 0."""
    tau: float | None
    q: float | None
    q_df: int | None
    q_p: float | None
    i2_percent_dl: float | None
    n_tasks: int
    status: Status


class Shrunk(NamedTuple):
    """Effects pulled towards their mean by how unsure they are."""

    tau2: float
    grand_mean: float
    shrunk: Array
    posterior_se: Array


def _checked(effect: Numbers, variance: Numbers) -> tuple[Array, Array]:
    y, v = np.asarray(effect, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    if y.shape != v.shape or y.ndim != 1:
        raise ValueError(f"effect and variance must be equally long lists, found shapes {y.shape} and {v.shape}")
    here = np.isfinite(y) & np.isfinite(v)
    y, v = y[here], v[here]
    if (v <= 0).any():
        raise ValueError("every variance must be above 0; smooth those of tasks without any change first")
    return y, v


def random_effects(effect: Numbers, variance: Numbers, conf: float = 0.95) -> RandomEffects:
    """Heterogeneity of task effects: tau, Q, I squared and a prediction interval for another task (t with k - 2 df).

    Missing effects are left out. `variance` holds squared standard errors above 0.
    """
    y, v = _checked(effect, variance)
    k = len(y)
    if k < 2:
        return RandomEffects(pm=None, dl=None, tau=None, q=None, q_df=None, q_p=None, i2_percent_dl=None, n_tasks=k, status="n_too_small")
    tau2 = paule_mandel(y, v)
    fixed = 1 / v
    q = float((fixed * (y - (fixed * y).sum() / fixed.sum()) ** 2).sum())
    dl_tau2 = max(0.0, (q - (k - 1)) / float(fixed.sum() - (fixed**2).sum() / fixed.sum()))  # statsmodels lets it fall below 0
    i2 = 100 * max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0
    pm, dl = _mean(y, v, tau2, conf), _mean(y, v, dl_tau2, conf)
    return RandomEffects(
        pm=pm, dl=dl, tau=math.sqrt(tau2), q=q, q_df=k - 1, q_p=float(st.chi2.sf(q, k - 1)), i2_percent_dl=i2, n_tasks=k, status="ok"
    )


def _mean(y: Array, v: Array, tau2: float, conf: float) -> RandomMean:
    k = len(y)
    weights = 1 / (v + tau2)
    mean = float((weights * y).sum() / weights.sum())
    se = math.sqrt(float((weights * (y - mean) ** 2).sum()) / (k - 1) / float(weights.sum()))
    half = float(st.t.ppf((1 + conf) / 2, k - 1)) * se
    wide = float(st.t.ppf((1 + conf) / 2, k - 2)) * math.sqrt(tau2 + se**2) if k > 2 else None
    p = float(2 * st.t.sf(abs(mean) / se, k - 1)) if se > 0 else None
    interval = None if wide is None else (mean - wide, mean + wide)
    return RandomMean(tau2, mean, se, (mean - half, mean + half), p, se_normal=1 / math.sqrt(float(weights.sum())), pi_hk=interval)


def paule_mandel(effect: Array, variance: Array) -> float:
    """The between-task variance by Paule and Mandel (1982), never below 0.

    By the steps of DerSimonian and Kacker (2007), as statsmodels takes them (a test says so), without loading it for half a second.
    """
    tau2 = 0.0
    for _ in range(MOST_STEPS):
        weights = 1 / (variance + tau2)
        squares = (effect - weights.dot(effect) / weights.sum()) ** 2
        excess = float(weights.dot(squares)) - (len(effect) - 1)
        if excess < 0:
            return 0.0
        if excess <= CLOSE:
            break
        tau2 += excess / float((weights**2).dot(squares))
    return tau2


def shrink_effects(effect: Numbers, variance: Numbers, method: Literal["PM"] = "PM") -> Shrunk:
    """Empirical-Bayes estimates under a normal-normal model: for showing a ranking, never for a verdict.

    posterior_se includes that the mean itself is estimated. With no heterogeneity all effects become their mean.
    """
    if method != "PM":
        raise ValueError(f"the method {method!r} is not known; known: PM (Paule and Mandel)")
    y, v = _checked(effect, variance)
    if len(y) < 2:
        raise ValueError(f"at least two effects are needed to shrink towards their mean, found {len(y)}")
    tau2 = paule_mandel(y, v)
    weights = 1 / (v + tau2)
    mean = float((weights * y).sum() / weights.sum())
    share = tau2 / (tau2 + v)
    se = np.sqrt(share * v + (1 - share) ** 2 / weights.sum())
    return Shrunk(tau2, mean, mean + share * (y - mean), se)

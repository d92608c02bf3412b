"""One stimulus over all tasks: the mean, and the error by which it is judged; and how much tasks differ.

What depends on how much they differ is never the verdict: weights that follow effects bias a mean towards 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import stats as st
from statsmodels.stats.meta_analysis import combine_effects

from promptlab.nouns import Status
from promptlab.stats.intervals import Array, Numbers
from promptlab.stats.power import Looked, repeated_bound, repeated_p
from promptlab.stats.tables import POWER_Z, Estimate

MACRO_RANDOM_FROM = 10


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro(Estimate):
    """A mean over tasks, with the error that its verdict uses."""

    error: float
    df: float | None = None
    ci_fixed_low: float | None = None
    ci_fixed_high: float | None = None


def macro(effects: np.ndarray, ses: np.ndarray) -> Macro:
    """Equal-weight mean over tasks: t over tasks from 10 tasks on ("tasks like these"), else these tasks' own error."""
    k, m = len(effects), macro_effect(effects, ses)
    fixed = m.ci_fixed if m.se_tasks_fixed > 0 else (None, None)
    if k >= MACRO_RANDOM_FROM:
        error, df, p, ci, method = m.se_tasks_random or 0.0, k - 1.0, m.p_random, m.ci_random or (None, None), "t over tasks"
    else:
        error, df, ci, method = m.se_tasks_fixed, None, fixed, f"normal, these {k} tasks" if k > 1 else "normal, this task"
        p = float(2 * st.norm.sf(abs(m.estimate) / error)) if error > 0 else None
    return Macro(
        diff=m.estimate, error=error, df=df, p_value=p, ci_low=ci[0], ci_high=ci[1], ci_fixed_low=fixed[0], ci_fixed_high=fixed[1],
        mde=None if p is None else POWER_Z * error, method=method,
    )  # fmt: skip


def repeated(m: Macro, at: Looked) -> Macro:
    """The same mean as a planned look may judge it: repeated p-value and repeated interval."""
    if m.p_value is None:
        return m
    p = repeated_p(float(st.norm.isf(m.p_value / 2)), at.fractions, at.look)
    bound = repeated_bound(0.05, at.fractions, at.look)
    half = float(_law(m).isf(st.norm.sf(bound))) * m.error
    if m.ci_fixed_low is not None and m.ci_fixed_high is not None:
        wide = bound * ((m.ci_fixed_high - m.ci_fixed_low) / (2 * float(st.norm.ppf(0.975))))
        m = replace(m, ci_fixed_low=m.diff - wide, ci_fixed_high=m.diff + wide)
    return replace(m, p_value=p, ci_low=m.diff - half, ci_high=m.diff + half, method=f"{m.method}, repeated at {at.words}")


def _law(m: Macro) -> Any:  # noqa: ANN401 (a scipy distribution)
    return st.norm if m.df is None else st.t(m.df)


def macro_equivalence(m: Macro, margin: float, at: Looked | None = None) -> tuple[float, float, float]:
    """p of the two one-sided tests of a mean over tasks, and its 90 % interval; repeated ones at a planned look."""
    law = _law(m)
    p = float(max(law.sf((m.diff + margin) / m.error), law.sf((margin - m.diff) / m.error)))
    level = 0.05
    if at is not None:
        level = float(st.norm.sf(repeated_bound(0.10, at.fractions, at.look)))
        p = repeated_p(float(st.norm.isf(p)), at.fractions, at.look) / 2 if p < 0.5 else 1.0
    half = float(law.isf(level)) * m.error
    return p, m.diff - half, m.diff + half


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
    """The between-task variance by Paule and Mandel (1982), never below 0."""
    with np.errstate(all="ignore"):  # it divides by 0 for an I squared that is not used
        found = combine_effects(effect, variance, method_re="iterated", use_t=True)
    return max(0.0, float(found.tau2))


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

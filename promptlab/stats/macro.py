"""One stimulus over all tasks: the mean, and the error by which it is judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats as st

from promptlab.stats.cells import POWER_Z, Estimate
from promptlab.stats.sequential import Looked, repeated_bound, repeated_p

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


def macro_effect(
    task_effect: Sequence[float] | npt.NDArray[np.float64], task_se: Sequence[float] | npt.NDArray[np.float64], conf: float = 0.95
) -> MacroEffect:
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

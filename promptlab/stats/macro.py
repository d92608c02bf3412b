"""One stimulus over all tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats as st


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
    if sd is None or sd < 1e-12:
        return MacroEffect(
            estimate=estimate,
            se_tasks_random=None,
            ci_random=None,
            p_random=None,
            se_tasks_fixed=fixed,
            ci_fixed=ci_fixed,
            n_tasks=k,
            sd_tasks=sd,
        )
    random = sd / math.sqrt(k)
    half = float(st.t.ppf((1 + conf) / 2, k - 1)) * random
    p = float(2 * st.t.sf(abs(estimate) / random, k - 1))
    return MacroEffect(
        estimate=estimate,
        se_tasks_random=random,
        ci_random=(estimate - half, estimate + half),
        p_random=p,
        se_tasks_fixed=fixed,
        ci_fixed=ci_fixed,
        n_tasks=k,
        sd_tasks=sd,
    )

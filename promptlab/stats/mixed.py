"""A mixed logistic model as a second opinion; never the verdict. Needs the extra `glmm` (gpboost)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as st

from promptlab.nouns.words import Status


class Mixed(NamedTuple):
    """Log-odds of the second arm against the first, conditional on items (so larger than marginal ones); None when refused.

    With random slopes gpboost's Wald error is about 14 % too small: read the estimate and the components, not the test.
    """

    log_odds: float | None = None
    se: float | None = None
    p_wald: float | None = None
    intercept: float | None = None
    sd_task: float | None = None
    sd_item: float | None = None
    sd_task_slope: float | None = None
    loglik: float | None = None
    status: Status = "ok"


def glmm_logit(
    task: Sequence[Any],
    item: Sequence[Any],
    arm: Sequence[Any],
    score: Sequence[float] | npt.NDArray[np.float64],
    repeat_id: Sequence[Any] | None = None,
    random_slope: bool = False,
) -> Mixed:
    """score ~ arm + (1 | task) + (1 | task:item), with `random_slope` also (0 + arm | task); Laplace approximation.

    Scores are 0 and 1, arms two. An arm with one outcome only has no finite log-odds: status separation. Repeats are rows.
    ImportError without the extra.
    """
    frame = pd.DataFrame({"task": list(task), "item": list(item), "arm": list(arm), "score": np.asarray(score, dtype=np.float64)})
    frame = frame.dropna(subset=["score"])
    if not frame["score"].isin([0, 1]).all():
        raise ValueError("a logistic model is for scores of 0 and 1")
    arms = sorted(frame["arm"].unique(), key=str)
    if len(arms) != 2:
        raise ValueError(f"two arms are needed, found {len(arms)}")
    if (frame.groupby("arm")["score"].nunique() < 2).any():
        return Mixed(status="separation")
    if frame["item"].nunique() < 2:
        return Mixed(status="n_too_small")
    try:
        import gpboost
    except ImportError:
        raise ImportError("the mixed model needs gpboost; install promptlab with the extra 'glmm'") from None
    treated = (frame["arm"] == arms[1]).to_numpy(dtype=np.float64)
    groups = np.column_stack([frame["task"].astype(str), frame["task"].astype(str) + "\x1f" + frame["item"].astype(str)])
    slopes = {"group_rand_coef_data": treated[:, None], "ind_effect_group_rand_coef": [1]} if random_slope else {}
    model = gpboost.GPModel(group_data=groups, likelihood="bernoulli_logit", **slopes)
    design = np.column_stack([np.ones(len(frame)), treated])
    model.fit(y=frame["score"].to_numpy(), X=design)
    coefficients = np.asarray(model.get_coef(std_err=True, format_pandas=False), dtype=np.float64)
    variances = np.asarray(model.get_cov_pars(format_pandas=False), dtype=np.float64).ravel()
    estimate, se = float(coefficients[0, 1]), float(coefficients[1, 1])
    deviations = [math.sqrt(max(0.0, float(v))) for v in variances]
    return Mixed(
        log_odds=estimate,
        se=se,
        p_wald=float(2 * st.norm.sf(abs(estimate) / se)) if se > 0 else None,
        intercept=float(coefficients[0, 0]),
        sd_task=deviations[0],
        sd_item=deviations[1],
        sd_task_slope=deviations[2] if random_slope else None,
        loglik=-float(model.get_current_neg_log_likelihood()),
    )

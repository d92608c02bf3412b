"""Second opinions, never the verdict; docs/reference/statistics.md says why not.

Where the variance of a difference comes from (items, how items take a stimulus, repeats, wordings), a mixed logistic model, which
needs the extra `glmm` (gpboost), and tests and intervals that are offered but are not the default.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from promptlab.nouns import Status
from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Numbers
from promptlab.stats.paired import differences


class Components(NamedTuple):
    """Variance components of two or more arms over the same items; a part that the design cannot tell apart is None.

    A negative estimate is 0, and its name is in `floored`.
    """

    mean_difference: float | None = None
    """Second arm minus first, in sorted order; None with more than two arms."""
    var_item: float | None = None
    var_item_by_arm: float | None = None
    var_repeat: float | None = None
    var_of_mean_difference: float | None = None
    var_arm_by_paraphrase: float | None = None
    n_items: int = 0
    n_repeats: int = 0
    n_dropped_items: int = 0
    floored: tuple[str, ...] = ()
    status: Status = "ok"


def variance_components(
    item: Sequence[Any], arm: Sequence[Any], repeat_id: Sequence[Any], score: Numbers, paraphrase: Sequence[Any] | None = None
) -> Components:
    """ANOVA estimators for a balanced design of items by arms by K repeats (lmer's REML where all of them are inside).

    Items that lack an arm, a repeat or a score are left out. With one repeat var_item_by_arm and var_repeat cannot be
    separated and are None. `paraphrase` (the wording that an item met; needs two arms) adds how much wordings differ: a random
    factor (Clark 1973).
    """
    frame = pd.DataFrame({"item": list(item), "arm": list(arm), "repeat": list(repeat_id), "score": np.asarray(score, dtype=np.float64)})
    arms = sorted(frame["arm"].unique(), key=str)
    if len(arms) < 2:
        raise ValueError(f"at least two arms are needed, found {len(arms)}")
    if frame.duplicated(["item", "arm", "repeat"]).any():
        raise ValueError("an item has two scores for one arm and repeat")
    frame = frame.assign(place=frame.dropna(subset=["score"]).groupby(["item", "arm"]).cumcount())  # repeats have no order
    wide = frame.dropna(subset=["place"]).set_index(["item", "arm", "place"])["score"].unstack(["arm", "place"])
    wide = wide.reindex(index=sorted(frame["item"].unique(), key=str))
    n_repeats = int(frame["place"].max()) + 1 if frame["place"].notna().any() else 0
    cube = np.stack([wide.reindex(columns=[(a, k) for k in range(n_repeats)]).to_numpy(dtype=np.float64) for a in arms], axis=1)
    of = None if paraphrase is None else dict(zip(frame["item"], paraphrase, strict=True))
    return components_of(cube, None if of is None else [of[name] for name in wide.index])


def components_of(scores: npt.NDArray[np.float64], paraphrase: Sequence[Any] | None = None) -> Components:
    """`variance_components` of a table of items by arms by repeats; NaN where there is no score."""
    n_all, n_arms, k = scores.shape
    full: npt.NDArray[np.bool_] = np.array([k > 0 and bool(np.isfinite(rows).all()) for rows in scores], dtype=np.bool_)
    n = int(full.sum())
    if n < 2 or k < 1:
        return Components(n_items=n, n_repeats=k, n_dropped_items=n_all - n, status="n_too_small")
    whole = scores[full]
    means = whole.mean(axis=2)
    centred = means - means.mean(axis=0)
    of_item = centred.mean(axis=1)
    ms_item = n_arms * float((of_item**2).sum()) / (n - 1)
    ms_both = float(((centred - of_item[:, None]) ** 2).sum()) / ((n - 1) * (n_arms - 1))
    within = float(whole.var(axis=2, ddof=1).mean()) if k > 1 else None
    raw = {
        "var_item": (ms_item - ms_both) / n_arms,
        "var_item_by_arm": None if within is None else ms_both - within / k,
        "var_repeat": within,
    }
    floored = tuple(name for name, value in raw.items() if value is not None and value < 0)
    kept = {name: None if value is None else max(0.0, value) for name, value in raw.items()}
    d = means[:, 1] - means[:, 0] if n_arms == 2 else None
    worded = None
    if paraphrase is not None and d is not None:
        worded, negative = _between(d, [name for name, here in zip(paraphrase, full, strict=True) if here])
        floored = (*floored, "var_arm_by_paraphrase") if negative else floored
    return Components(
        mean_difference=None if d is None else float(d.mean()),
        **kept,
        var_of_mean_difference=None if d is None else float(d.var(ddof=1)) / n,
        var_arm_by_paraphrase=worded,
        n_items=n,
        n_repeats=k,
        n_dropped_items=n_all - n,
        floored=floored,
        status="ok" if float(np.ptp(means)) > 0 else "zero_variance",
    )


def _between(d: npt.NDArray[np.float64], group: Sequence[Any]) -> tuple[float | None, bool]:
    """One-way random effects of wordings on item differences, unequal sizes allowed; None with fewer than two wordings."""
    groups = [d[np.array([g == name for g in group])] for name in dict.fromkeys(group)]
    sizes = np.array([len(g) for g in groups], dtype=np.float64)
    if len(groups) < 2 or sizes.sum() <= len(groups):
        return None, False
    between = float(sum(len(g) * (g.mean() - d.mean()) ** 2 for g in groups)) / (len(groups) - 1)
    inside = float(sum(((g - g.mean()) ** 2).sum() for g in groups)) / (len(d) - len(groups))
    typical = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(groups) - 1)
    value = (between - inside) / typical
    return max(0.0, float(value)), value < 0


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
    score: Numbers,
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


class Bootstrap(NamedTuple):
    """Bootstrap intervals of a mean difference; None where the items do not vary."""

    percentile: tuple[float, float] | None
    bca: tuple[float, float] | None
    status: Status


class Wilcoxon(NamedTuple):
    """Two-sided p-values of the signed-rank test: zeros ranked and left out (Pratt), or left out before ranking (Wilcoxon)."""

    p_pratt_asymptotic: float
    p_wilcox_asymptotic: float
    n_nonzero: int
    status: Status


class CochranQ(NamedTuple):
    """Do the arms differ at all on binary scores of the same items?"""

    q: float
    df: int
    p: float
    status: Status


def bootstrap_ci(
    stimulus: Numbers,
    baseline: Numbers,
    conf: float = 0.95,
    method: Literal["bca", "percentile"] = "bca",
    n_resamples: int = 9_999,
    rng: np.random.Generator | None = None,
) -> Bootstrap:
    """The mean item difference with bootstrap intervals over items. An option: BCa covers too little with few items (about 91 % at n = 20).

    `method` "percentile" leaves BCa out, which costs a jackknife. Items that do not vary have none (scipy's BCa would be NaN there).
    """
    d = differences(stimulus, baseline)
    if len(d) < 2 or float(np.ptp(d)) == 0:
        return Bootstrap(None, None, "n_too_small" if len(d) < 2 else "zero_variance")
    rng = rng or np.random.default_rng(0)
    percentile = _bootstrap(d, conf, "percentile", n_resamples, rng)
    bca = _bootstrap(d, conf, "BCa", n_resamples, rng) if method == "bca" else None
    return Bootstrap(percentile, bca, "ok")


def _bootstrap(
    d: Array, conf: float, method: Literal["percentile", "BCa"], n_resamples: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DegenerateDataWarning)
        found = st.bootstrap((d,), np.mean, confidence_level=conf, method=method, n_resamples=n_resamples, rng=rng).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite([low, high]).all() else None


def wilcoxon_signed(stimulus: Numbers, baseline: Numbers) -> Wilcoxon:
    """The signed-rank test with its normal approximation. An option: it rejects a mean of 0 where differences are skewed."""
    d = differences(stimulus, baseline)
    n_nonzero = int((d != 0).sum())
    if not n_nonzero:
        return Wilcoxon(1.0, 1.0, 0, "no_discordant_pairs")
    pratt, wilcox = (float(st.wilcoxon(d, zero_method=zeros, method="asymptotic").pvalue) for zeros in ("pratt", "wilcox"))
    return Wilcoxon(pratt, wilcox, n_nonzero, "n_too_small" if len(d) == 1 else "ok")


def cochran_q(scores: Sequence[Sequence[float]] | npt.NDArray[np.float64]) -> CochranQ:
    """Cochran's Q of binary scores, items down and arms across. For display: it does not say which arm differs.

    Items that all arms score alike carry no information; without any other item q is 0 and p is 1.
    """
    from statsmodels.stats.contingency_tables import cochrans_q

    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise ValueError(f"scores must be a table of items by at least two arms, found shape {table.shape}")
    if not np.isin(table, (0.0, 1.0)).all():
        raise ValueError("Cochran's Q is for scores of 0 and 1 without missing ones")
    df = table.shape[1] - 1
    if (table == table[:, :1]).all():
        return CochranQ(0.0, df, 1.0, "no_discordant_pairs")
    found = cochrans_q(table)
    return CochranQ(float(found.statistic), df, float(found.pvalue), "ok")

"""What to do with each arm: its effect drawn towards those of the others, chances, what it costs more, and a rule that is fixed.

Works on what comparisons carry (difference, error, interval), whatever computed them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import CONTROLS, Comparison, Contrast, InSetting, Plan, Setting, contrast_of
from promptlab.stats import laws as st
from promptlab.stats.intervals import Array, Interval, Numbers, error_of_mean
from promptlab.stats.sides import sides_of
from promptlab.stats.tables import Groups, ItemTable, clusters_of, tables_of

Decision = Literal["ship", "keep the incumbent", "collect more"]
INCUMBENTS = ("none", "single", *CONTROLS)
"""What an arm would take the place of: the prompt as it is, one answer without a loop, else the first control there is."""
SCALE = 0.05
"""Effects of sentences differ by some points; the half-normal prior of tau has this scale."""
SHARED = 0.5
"""The correlation of two arms' errors that comes from their common control: one half where arms have as many answers as it."""
DRAWS = 20_000


class Shrunken(NamedTuple):
    """Effects of the arms of one family after shrinkage: fractions and chances, one for each arm."""

    tau: float
    """How much the arms' true effects differ (posterior mean of their standard deviation)."""
    effect: Array
    low: Array
    high: Array
    above_zero: Array
    above_margin: Array
    best: Array
    """The chance to be better than every other arm and than the incumbent, which has the rest."""


def shrunken(
    effect: Numbers,
    se: Numbers,
    *,
    margin: float,
    correlation: float = SHARED,
    scale: float = SCALE,
    conf: float = 0.95,
    draws: int = DRAWS,
) -> Shrunken:
    """Normal-normal shrinkage of the arms of a family that share one control, averaged over tau (half-normal prior of that scale).

    A single tau by Paule and Mandel takes tau for known and covers about 91 % with few arms; this covers 94 to 96 %.
    The mean has a flat prior, so one arm alone is not shrunken. For decisions and rankings; verdicts come from the test.
    Source: Rubin 1981 (eight schools); Gelman 2006 (half-normal tau).
    """
    y, s = np.asarray(effect, dtype=np.float64), np.asarray(se, dtype=np.float64)
    if y.shape != s.shape or y.ndim != 1 or not len(y):
        raise ValueError(f"effect and se must be lists of equal length, not empty; found the shapes {y.shape} and {s.shape}")
    if not (np.isfinite(y).all() and np.isfinite(s).all() and (s > 0).all() and 0 <= correlation < 1):
        raise ValueError("effects must be finite, errors finite and above 0, and the correlation at least 0 and below 1")
    taus = np.linspace(0, 3 * scale, 31)
    fits = [_given(y, s, correlation, float(tau)) for tau in taus]
    weights = np.array([fit.log_likelihood for fit in fits]) - (taus / scale) ** 2 / 2
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    means, sds = np.array([fit.mean for fit in fits]), np.array([fit.sd for fit in fits])
    mean = weights @ means
    sd = np.sqrt(weights @ (sds**2 + (means - mean) ** 2))
    half = float(st.norm.ppf((1 + conf) / 2)) * sd
    above = [weights @ st.norm.sf((bound - means) / sds) for bound in (0.0, margin)]
    return Shrunken(
        tau=float(weights @ taus), effect=mean, low=mean - half, high=mean + half, above_zero=above[0], above_margin=above[1],
        best=_chances(fits, weights, draws),
    )  # fmt: skip


class _Fit(NamedTuple):
    """The posterior of the effects for one tau: their mean, and what moves all of them (`common`) and each by itself (`own`), both times
    standard normal numbers: effects = mean + common * z0 + z @ own."""

    mean: Array
    common: Array
    own: Array
    log_likelihood: float

    @property
    def sd(self) -> Array:
        found: Array = np.sqrt(self.common**2 + (self.own**2).sum(axis=0))
        return found


def _given(y: Array, s: Array, correlation: float, tau: float) -> _Fit:
    """Posterior of the effects for one tau, the common mean integrated out."""
    n = len(y)
    errors = correlation * np.outer(s, s)
    np.fill_diagonal(errors, s**2)
    precision = np.linalg.inv(tau**2 * np.eye(n) + errors)
    over = 1 / float(precision.sum())
    rest = y - over * float((precision @ y).sum())
    likelihood = (float(np.linalg.slogdet(precision)[1]) + math.log(over) - float(rest @ precision @ rest)) / 2
    own = np.zeros((n, n))
    if tau:  # a root without differences of nearly equal numbers, and the same on every machine, where arms have equal errors too
        of_errors = (np.eye(n) - correlation / (1 + (n - 1) * correlation)) / (1 - correlation)  # the inverse of their correlations
        own = np.linalg.inv(np.linalg.cholesky(of_errors + np.diag((s / tau) ** 2))) * s
    common = errors @ precision.sum(axis=1) * math.sqrt(over)
    return _Fit(y - rest + tau**2 * precision @ rest, common, own, likelihood)


def _chances(fits: Sequence[_Fit], weights: Array, draws: int) -> Array:
    """The chance of each arm to be the best and above 0, over fits for rising tau. The first is for 0: there all arms are alike, and
    share it."""
    rng = np.random.default_rng(0)
    n = len(fits[0].mean)
    best = np.full(n, weights[0] * st.norm.sf(-fits[0].mean[0] / fits[0].common[0]) / n)
    rest = 1 - weights[0]
    counts = rng.multinomial(draws, weights[1:] / weights[1:].sum()) if rest > 0 else ()
    for fit, n_drawn in zip(fits[1:], counts, strict=False):
        drawn = fit.mean + fit.common * rng.standard_normal((n_drawn, 1)) + rng.standard_normal((n_drawn, n)) @ fit.own
        place = np.where(drawn.max(axis=1) > 0, drawn.argmax(axis=1), n)
        best += rest * np.bincount(place, minlength=n + 1)[:-1] / draws
    return best


class NonInferior(NamedTuple):
    """Whether an arm is at most a margin worse; `low` is the lower end of the one-sided interval."""

    low: float
    passes: bool


def non_inferior(estimate: float, se: float, margin: float, *, alpha: float = 0.05, df: float = math.inf) -> NonInferior:
    """The gate: the lower end of the one-sided interval lies above -margin. Fractions; `df` for Student's t. Source: ICH E9, E10."""
    if se < 0 or margin <= 0 or not 0 < alpha < 1:
        raise ValueError(f"se must not be negative, margin be above 0 and alpha within 0 and 1; found {se}, {margin} and {alpha}")
    low = estimate - float(st.t.ppf(1 - alpha, df)) * se
    return NonInferior(low, low > -margin)


def decided(superior: bool, settled: bool, *, not_worse: bool = False, cheaper: bool = False, cheaper_will_do: bool = False) -> Decision:
    """The rule: ship what is superior by its family's test (or, where the plan says that will do, non-inferior and cheaper); keep the
    incumbent where the question is settled otherwise; else collect more."""
    if superior or (cheaper_will_do and not_worse and cheaper):
        return "ship"
    return "keep the incumbent" if settled else "collect more"


def error_of(c: Comparison) -> float | None:
    """The standard error that a comparison's 95 % interval stands for, else the one it carries; None where it has neither."""
    if c.ci_low is not None and c.ci_high is not None and c.ci_high > c.ci_low:
        return (c.ci_high - c.ci_low) / 2 / float(st.norm.ppf(0.975))
    return c.se or None


class Extra(NamedTuple):
    """What an answer takes more under the arm than under its control, with a 95 % interval over items; None where it is not known."""

    diff: float | None
    ci: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow(InSetting):
    """One arm against the incumbent: effects are fractions, `cost` USD, `tokens` and `seconds` an answer, treatment minus control."""

    model: str
    setting: Setting
    control: str
    treatment: str
    diff: float
    tau: float
    shrunk: float
    ci_low: float
    ci_high: float
    p_above_zero: float
    p_above_margin: float
    p_best: float
    margin: float
    non_inferior: bool
    cost: Extra
    tokens: Extra
    seconds: Extra
    usd_per_right: float | None
    """USD for each additional right answer, by the shrunken effect; None where it is not above 0 or a price is unknown."""


def arm_rows(trials: pd.DataFrame, plan: Plan, comparisons: Sequence[Comparison], groups: Groups | None = None) -> list[ArmRow]:
    """Every arm that was judged over the tasks, in the order of the comparisons; arms of one model and setting are one family.

    `groups` are those of `tables_of`, where they are known.
    """
    silent = {c.model for c in comparisons if c.status in ("aa_failed", "judge_failed")}
    families: dict[tuple[str, ...], dict[str, list[Comparison]]] = {}
    for c in comparisons:
        judged = c.scope in ("stimulus", "prompt") and c.task is None and c.model not in silent and c.status != "missing_pairs"
        if judged and c.diff is not None and error_of(c):
            families.setdefault((c.model, c.setting.id, c.scope), {}).setdefault(c.control, []).append(c)
    if not families:
        return []
    taken, clusters = _taken(trials, groups), clusters_of(trials)
    found = []
    for by_control in families.values():
        arms = min(by_control.items(), key=lambda one: INCUMBENTS.index(one[0]) if one[0] in INCUMBENTS else 0)[1]
        s = shrunken([c.diff or 0.0 for c in arms], [error_of(c) or 0.0 for c in arms], margin=arms[0].margin)
        for i, c in enumerate(arms):
            extra = {name: _extra(taken[name], clusters, c, plan) for name in taken}
            usd, effect = extra["cost"].diff, float(s.effect[i])
            found.append(
                ArmRow(
                    model=c.model, setting=c.setting, control=c.control, treatment=c.treatment, diff=c.diff or 0.0, tau=s.tau,
                    shrunk=effect, ci_low=float(s.low[i]), ci_high=float(s.high[i]),
                    p_above_zero=float(s.above_zero[i]), p_above_margin=float(s.above_margin[i]), p_best=float(s.best[i]), margin=c.margin,
                    non_inferior=non_inferior(c.diff or 0.0, error_of(c) or 0.0, c.margin, alpha=plan.alpha).passes, **extra,
                    usd_per_right=usd / effect if usd is not None and effect > 0 else None,
                )
            )  # fmt: skip
    return found


_Tables = dict[tuple[str, str], dict[str, ItemTable]]
"""By model and setting, and by task: what an answer to each item took under each arm."""


def _taken(trials: pd.DataFrame, groups: Groups | None) -> dict[str, _Tables]:
    facts = trials.reindex(columns=["cost_usd", "input_tokens", "output_tokens", "latency_s", "outcome"])
    known = facts.iloc[:, :4].astype(float).where(facts["outcome"] != "error")
    columns = {"cost": known["cost_usd"], "tokens": known["input_tokens"] + known["output_tokens"], "seconds": known["latency_s"]}
    return dict(zip(columns, tables_of(trials, list(columns.values()), groups), strict=True))


def _extra(tables: _Tables, clusters: Mapping[str, Mapping[str, str]], c: Comparison, plan: Plan) -> Extra:
    """The mean over the tasks of the mean difference of items that both sides have; Welch and Satterthwaite's t."""
    means, squares, parts = [], [], []
    contrast = contrast_of(c, plan)
    for task in plan.task_of:
        items, d = _differences(contrast, task, plan, tables)
        here = np.isfinite(d)
        if here.any():
            names = clusters.get(task)
            se, df = error_of_mean(d[here], [names.get(item, item) for item in items[here]] if names else None)
            means.append(float(d[here].mean()))
            squares.append(math.nan if se is None else se**2)
            parts.append(math.nan if se is None else se**4 / df)
    if not means:
        return Extra(None, None)
    diff, square = float(np.mean(means)), sum(squares)
    if not square > 0:
        return Extra(diff, (diff, diff) if square == 0 else None)
    half = float(st.t.ppf(0.975, square**2 / sum(parts))) * math.sqrt(square) / len(means)
    return Extra(diff, (diff - half, diff + half))


def _differences(contrast: Contrast, task: str, plan: Plan, tables: _Tables) -> tuple[Array, Array]:
    """The items of a task and their differences; with one place and one base prompt a sum over columns, without looking any further."""
    places = {(ref.model, ref.setting) for ref, _ in contrast.weights}
    of = tables.get(next(iter(places)), {}).get(task) if len(places) == 1 else None
    if of is None or len(of.by_prompt) > 1 or any(ref.prompt is not None or ref.arm not in of.arms for ref, _ in contrast.weights):
        sides = sides_of(contrast, task, plan, tables)
        return sides.table.items, np.subtract(*sides.means())
    d: Array = of.scores[:, [of.arms[ref.arm] for ref, _ in contrast.weights]] @ np.array([weight for _, weight in contrast.weights])
    return of.items, d / contrast.scale

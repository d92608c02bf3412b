"""One inference for every scope: items in pairs, of one task or of several, to a test, intervals, and a test of equivalence.

The rule is one function of the data. A mean over tasks has equal weights; with one task it is that task.

- p: McNemar's mid-p for single right-or-wrong answers of one task; else sign flips within tasks (of whole clusters, where items come in
  clusters), each task's items weighted alike. Over several tasks with more than 200 changed items the t law of the interval.
- interval and equivalence: Newcombe's and Tango's score methods on the pooled table for single right-or-wrong answers; else t with the
  tasks' own errors (CR2 in clusters) and pooled Satterthwaite degrees of freedom. With fewer than 10 changed items, the bound that so
  few changes set by themselves must hold too; also where single answers change in one direction only.
- tasks like these: t over the task effects (Hartung and Knapp), k - 1 degrees of freedom.
- neutral sentences like these: t over the means of at least 5 of them, one degree of freedom less than there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import bdtr, bdtri, ndtr, ndtri, stdtr, stdtrit

from promptlab.nouns import Comparison, Status, counted
from promptlab.stats.intervals import Array, Interval, newcombe, tango, tango_score
from promptlab.stats.multiplicity import min_discordant
from promptlab.stats.paired import DECIMALS, RESAMPLES, SignFlip, cluster_mean, mcnemar, signflip_of
from promptlab.stats.pairs import Pairs
from promptlab.stats.power import Looked

LEAST_CLUSTERS = 10
LEAST_SENTENCES = 5
"""Fewest neutral sentences for a claim about others like them."""
LEAST_DF = 4.0
"""Below so many degrees of freedom Satterthwaite's approximation is not to be trusted (Pustejovsky and Tipton 2018)."""
FEW = 10
"""Below so many changed items the exact bound decides with the others whether a difference is small."""
MANY = 200
"""Beyond so many changed items sign flips over several tasks and t agree, and t is quicker."""
LEAST_LEVELS = 3
"""Levels of a random factor below which no claim is made about others like them."""
LOOK_CLOSER = 0.01
COCHRAN = 25
"""Items needed for each unit of squared skewness before a mean of skewed differences can be trusted (Cochran 1977)."""
ONE_ITEM = 0.25
TIED = 1e-9
OVER_TASKS = "t over tasks"
POWER_Z = 1.959964 + 0.841621
DOMINATED = "dominated_by_few_items: a few items make most of the difference, so interval and test are less sure than they say"


FIELDS = frozenset(Comparison.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A mean over tasks of mean item differences, its test, and the law of its intervals. None is "cannot be given"."""

    diff: float
    p_value: float | None
    method: str
    ci_method: str
    error: float
    df: float
    table: tuple[float, float, float, float] | None = None
    """Pooled shares of single answers as counts of that many items: both right, gained, lost, both wrong."""
    gained: int | None = None
    lost: int | None = None
    n_nonzero: int = 0
    n_exact: int = 0
    """Independent units for the exact bound: as many as if all tasks had the fewest."""
    ups: int = 0
    downs: int = 0
    """Units whose difference is above 0, and below."""
    sd: float = 0.0
    """Of the item differences of one task."""
    status: Status = "ok"
    notes: tuple[str, ...] = ()
    conf: float = 0.95

    def fields(self) -> dict[str, Any]:
        """All that a comparison has a name for, as its fields."""
        low, high = self.ci or (None, None)
        return {**{n: getattr(self, n) for n in CARRIED}, "ci_low": low, "ci_high": high, "mde": self.mde}

    @property
    def mde(self) -> float | None:
        """The difference that is seen with 80 % power before any correction; None without an error."""
        return POWER_Z * self.error if self.error > 0 else None

    @cached_property
    def ci(self) -> Interval | None:
        """The interval that is shown: 95 %, or at a planned interim analysis the repeated one."""
        return self.interval(self.conf)

    def interval(self, conf: float) -> Interval | None:
        """A two-sided interval; None where all differences are one constant other than 0."""
        if not self.n_nonzero and self.n_exact:
            half = 1 - float(((1 - conf) / 2) ** (1 / self.n_exact))
            return -half, half
        if self.table is not None:
            return newcombe(*self.table, conf)
        if not self.error:
            return None
        half = float(stdtrit(self.df, (1 + conf) / 2)) * self.error
        return max(-1.0, self.diff - half), min(1.0, self.diff + half)

    @property
    def bounded(self) -> bool:
        """Whether an end of `equivalence` is an exact bound: few units changed, or all that did changed one way."""
        one_way = self.table is not None and not (self.ups and self.downs)
        return self.n_exact > 0 and (self.n_nonzero < FEW or one_way)

    def equivalence(self, margin: float, alpha: float) -> tuple[float, float, float] | None:
        """p of the two one-sided tests, and the interval that lies inside the margin exactly where p is at most `alpha`."""
        few = self.n_nonzero < FEW and self.n_exact > 0
        if not self.n_nonzero and few:
            p, low, high = 0.0, 0.0, 0.0
        elif self.table is not None:
            _, b, c, _ = self.table
            n = sum(self.table)
            p = max(float(ndtr(x)) for x in (-tango_score(b, c, n, -margin), tango_score(b, c, n, margin)))
            low, high = tango(b, c, n, float(ndtri(1 - alpha)))
        elif self.error:
            p = max(float(stdtr(self.df, x / self.error)) for x in (-(self.diff + margin), self.diff - margin))
            half = float(stdtrit(self.df, 1 - alpha)) * self.error
            low, high = self.diff - half, self.diff + half
        else:
            return None
        one_way = self.table is not None and self.n_exact > 0  # the score test is liberal where all changes go one way
        if few or (one_way and not self.ups):
            p, low = max(p, float(bdtr(self.downs, self.n_exact, margin))), min(low, -self._bound(self.downs, alpha))
        if few or (one_way and not self.downs):
            p, high = max(p, float(bdtr(self.ups, self.n_exact, margin))), max(high, self._bound(self.ups, alpha))
        return p, max(-1.0, low), min(1.0, high)

    def _bound(self, changed: int, alpha: float) -> float:
        """The largest share of units that change one way, where `changed` of them did (Clopper and Pearson 1934)."""
        return float(bdtri(changed, self.n_exact, alpha)) if changed < self.n_exact else 1.0

    def repeated(self, at: Looked) -> Inference:
        """The same as a planned interim analysis may judge it: repeated p-value and repeated interval."""
        conf = 1 - 2 * float(ndtr(-at.bound(0.05)))
        p = None if self.p_value is None else at.repeated(self.p_value)
        return replace(self, p_value=p, conf=conf, method=f"{self.method}, repeated at {at.words}")


CARRIED = tuple(name for name in Inference.__dataclass_fields__ if name in FIELDS)


def infer(pairs: Sequence[Pairs], rate: float = 0.05, n_family: int = 1, exact: bool = False) -> Inference:
    """The mean over these tasks of the treatment's mean difference; every task with equal weight, ValueError without an item.

    Where sign vectors are random and p is small, as many more are drawn as the smallest threshold of the family needs (`rate` over
    `n_family`). `exact` takes the exact p (the sign test on the changed answers) in the place of mid-p.
    """
    if not pairs or any(not len(p.s) for p in pairs):
        raise ValueError("every task needs at least one pair")
    k = len(pairs)
    fewest = min(len(p.s) for p in pairs)
    clustered = any(p.clusters is not None for p in pairs)
    table = None if clustered else _table(pairs)
    error, df = _error(pairs)
    units = [_units(p, fewest) for p in pairs]
    moved = units[0] if k == 1 else np.concatenate(units)
    found: dict[str, Any] = {
        "diff": mean_of([p.means[2] for p in pairs]), "ci_method": _interval_method(k, clustered, table is not None),
        "error": error, "df": df, "table": table, "n_nonzero": sum(p.n_changed for p in pairs), "n_exact": k * min(map(len, units)),
        "ups": int(np.count_nonzero(moved > 0)), "downs": int(np.count_nonzero(moved < 0)),
        "status": _status(pairs, units, error, df, table is not None), "notes": _notes(pairs, moved, clustered, table is not None),
    }  # fmt: skip
    if k == 1:
        n, up, down = len(pairs[0].s), found["ups"], found["downs"]
        if clustered:
            d = pairs[0].d
            up, down = int(np.count_nonzero(d > 0)), int(np.count_nonzero(d < 0))
        found |= {"gained": up, "lost": down, "sd": math.sqrt(pairs[0].squares / (n - 1)) if n > 1 else 0.0}
    if k == 1 and table is not None:
        counted = mcnemar(*map(round, table))
        p = counted.p_exact if exact else counted.p_midp
        return Inference(**found, p_value=p, method="McNemar exact" if exact else "McNemar mid-p")
    if k > 1 and found["ups"] + found["downs"] > MANY and not exact:
        t = None if not error else 2 * float(stdtr(df, -abs(found["diff"]) / error))
        return Inference(**found, p_value=t, method=f"t, these {k} tasks")
    flips = _flips(moved, rate, n_family)
    what = " by cluster" if clustered else " on item means" if k == 1 else ""
    method = f"sign-flip {'exact' if exact else 'mid-p'}{what}{'' if k == 1 else ' within tasks'}"
    return Inference(**found, p_value=flips.p_full if exact else flips.p_midp, method=method)


def mean_of(values: Sequence[float]) -> float:
    """The mean of a few numbers, as numpy adds them up."""
    return values[0] if len(values) == 1 else float(np.mean(values))


def _units(pairs: Pairs, fewest: int) -> Array:
    """The differences of the independent units of a task, as if every task had the `fewest` items."""
    d = pairs.d
    if pairs.clusters is None and len(d) == fewest:
        return d
    units: Array = np.round(np.bincount(pairs.codes, weights=d) * fewest / len(d), DECIMALS)
    return units


def like_these(pairs: Sequence[Pairs]) -> Inference | None:
    """The same mean for tasks like these: t over the task effects; None with one task, or where all tasks moved alike."""
    effects = np.array([p.means[2] for p in pairs])
    k = len(effects)
    if k < 2 or effects.std() < TIED:
        return None
    error, diff = float(effects.std(ddof=1)) / math.sqrt(k), float(effects.mean())
    p = 2 * float(stdtr(k - 1, -abs(diff) / error))
    changed = sum(p.n_changed for p in pairs)
    return Inference(diff=diff, p_value=p, method=OVER_TASKS, ci_method=OVER_TASKS, error=error, df=k - 1.0, n_nonzero=changed)


def like_sentences(pairs: Sequence[Pairs], claim: Inference, treated: Sequence[float], control: Sequence[float]) -> Inference | None:
    """The same mean against neutral sentences like those that it has: is the treatment more than one more of them?

    A sentence, whatever it says, moves scores by some amount; how much these amounts differ is seen in the means of the control arms,
    chance of their answers included. `treated` and `control` are the weights of the arms of both sides. The error has as many degrees of
    freedom as control arms, less one, and is never less than that of the claim about these sentences; where that is about tasks like
    these, both parts add up (Satterthwaite). None with fewer than 5 control arms, or where nothing varies.
    """
    n = len(control)
    if n < LEAST_SENTENCES:
        return None
    means = np.mean([p.controls for p in pairs], axis=0)
    spread, own = float(means.var(ddof=1)) * float(np.square([*treated, *control]).sum()), claim.error**2
    variance, df = max(spread, own), n - 1.0
    if claim.method == OVER_TASKS:
        variance, df = spread + own, (spread + own) ** 2 / max(spread**2 / df + own**2 / claim.df, TIED**4)
    if variance < TIED**2:
        return None
    error, method = math.sqrt(variance), f"t over {n} neutral sentences"
    p = 2 * float(stdtr(df, -abs(claim.diff) / error))
    return replace(claim, p_value=p, method=method, ci_method=method, error=error, df=df, table=None)


def like_levels(claim: Inference, levels: Sequence[Array], factor: str) -> Inference | None:
    """The same mean for levels like these of a random factor, such as base prompts; `levels` holds their mean differences by task.

    The variance between levels is added to that of the items, and t has the degrees of freedom of both (Satterthwaite); where levels
    differ by chance alone that chance counts twice, so the error is too large rather than too small (Clark 1973). None with fewer than
    3 levels, or where nothing varies.
    """
    means = np.mean(np.array(levels), axis=0)
    means = means[np.isfinite(means)]
    if len(means) < LEAST_LEVELS:
        return None
    spread, own = float(means.var(ddof=1)) / len(means), claim.error**2
    if spread + own < TIED**2:
        return None
    df = (spread + own) ** 2 / (spread**2 / (len(means) - 1) + own**2 / claim.df)
    method, error = f"t over {len(means)} {factor}s and the items", math.sqrt(spread + own)
    p = 2 * float(stdtr(df, -abs(claim.diff) / error))
    return replace(claim, p_value=p, method=method, ci_method=method, error=error, df=df, table=None)


def _table(pairs: Sequence[Pairs]) -> tuple[float, float, float, float] | None:
    """The mean over tasks of the four shares, as counts of the items that give a mean over tasks its variance; None for other scores."""
    if not all(p.single for p in pairs):
        return None
    if len(pairs) == 1:
        n, own = len(pairs[0].s), pairs[0].counts
        smoothed = (own[1] + own[2] + 0.5) / (n + 1.0)
        items = smoothed / (smoothed / n)
        return own[0] / n * items, own[1] / n * items, own[2] / n * items, own[3] / n * items
    sizes = np.array([len(p.s) for p in pairs], dtype=np.float64)
    counts = np.array([p.counts for p in pairs])
    change = (counts[:, 1] + counts[:, 2] + 0.5) / (sizes + 1)  # smoothed: a task without a change is not one that cannot change
    items = float(len(sizes) * change.sum() / (change / sizes).sum())
    pooled = (counts / sizes[:, None]).mean(axis=0) * items
    return float(pooled[0]), float(pooled[1]), float(pooled[2]), float(pooled[3])


def _error(pairs: Sequence[Pairs]) -> tuple[float, float]:
    """The standard error of the mean over these tasks, and its degrees of freedom pooled over them (Satterthwaite 1946).

    A task with a single item shows no variance of its own: it takes the one that the other tasks have within them.
    """
    several = [p for p in pairs if len(p.s) > 1]
    pooled_df = max(sum(len(p.s) - 1.0 for p in several), 1.0)
    pooled = sum(p.squares for p in several) / pooled_df
    variances, per_df = [], []
    for p in pairs:
        n = len(p.s)
        if p.clusters is None:
            variances.append(p.squares / (n - 1) / n if n > 1 else pooled)
            per_df.append(n - 1.0 if n > 1 else pooled_df)
        else:
            fit = cluster_mean(difference=p.d, cluster=p.clusters)
            variances.append((fit.se_cr2 or 0.0) ** 2)
            per_df.append(fit.df_cr2 or 1.0)
    v, each = np.array(variances), np.array(per_df)
    total = float(v.sum())
    if total < TIED**2:
        return 0.0, float(each.sum())
    return math.sqrt(total) / len(pairs), float(total**2 / (v**2 / each).sum())


def error_of_task(pairs: Pairs) -> tuple[float, float]:
    """The standard error of one task's mean item difference, robust where items come in clusters, with its degrees of freedom; 0 with
    fewer than two items.
    """
    return _error([pairs])


def normal_error(errors: Sequence[float] | Array, dfs: Sequence[float], conf: float = 0.95) -> float:
    """The error of the mean over tasks with which a normal interval is as wide as that of t with the tasks' pooled degrees of freedom."""
    v, each = np.square(errors), np.array(dfs)
    if v.sum() < TIED**2:
        return 0.0
    df = float(v.sum() ** 2 / (v**2 / each).sum())
    return math.sqrt(float(v.sum())) / len(v) * float(stdtrit(df, (1 + conf) / 2) / ndtri((1 + conf) / 2))


def _status(pairs: Sequence[Pairs], units: Sequence[Array], error: float, df: float, single: bool) -> Status:
    if any(p.clusters is not None for p in pairs):
        few = sum(map(len, units)) < LEAST_CLUSTERS or any(p.clusters is not None and len(u) < 2 for p, u in zip(pairs, units, strict=True))
        if few or (error > 0 and df < LEAST_DF):
            return "too_few_clusters"
    elif len(pairs) > 1 and not single and _df_of_sizes(np.array([len(u) for u in units], dtype=float)) < LEAST_DF:
        return "n_too_small"
    if not error and any(np.count_nonzero(u) for u in units):
        return "zero_variance"
    return "ok"


def _df_of_sizes(n: Array) -> float:
    """The degrees of freedom that tasks of these sizes would have if items differed alike in all: few where a small task decides."""
    return float((1 / n).sum() ** 2 / (1 / n**2 / np.maximum(n - 1, 0.5)).sum())


def _notes(pairs: Sequence[Pairs], units: Array, clustered: bool, single: bool) -> tuple[str, ...]:
    found = []
    if clustered:
        n_items, n_units = sum(len(p.s) for p in pairs), len(units)
        found.append(
            f"{counted(n_items)} in {counted(n_units, 'cluster')}; whole clusters are flipped, the interval is cluster-robust (CR2)"
        )
    elif not single and dominated(units):
        found.append(DOMINATED)
    return (*found, *dict.fromkeys(note for p in pairs for note in p.notes))


def _interval_method(k: int, clustered: bool, single: bool) -> str:
    method = "CR2 t" if clustered else "Newcombe" if single else "t on item differences"
    return method if k == 1 else f"{method}, these {k} tasks"


def dominated(d: np.ndarray) -> bool:
    """Whether few items carry the mean: one has over a quarter of the squares, or there are too few for so skewed a set."""
    squares = d**2
    total = float(squares.sum())
    around = d - d.mean()
    sd = math.sqrt(float(np.square(around).sum()) / len(d))
    if total == 0 or sd < TIED:
        return False
    skewness = float((around**3).mean()) / sd**3
    return float(squares.max()) > ONE_ITEM * total or len(d) < COCHRAN * skewness**2


def _flips(d: Array, rate: float, n_family: int) -> SignFlip:
    flips = signflip_of(d, d)
    if "random" in flips.method and flips.p_midp <= LOOK_CLOSER:
        flips = signflip_of(d, d, max(RESAMPLES, int(20 * n_family / rate)))
    return flips


def min_level(rate: float, exact: bool = False) -> int:
    """Discordant pairs below which no test at `rate` can reject, even without any correction."""
    found = min_discordant(alpha=rate)
    return int(found.exact if exact else found.midp)

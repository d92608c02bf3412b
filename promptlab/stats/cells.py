"""One task under one hypothesis: item pairs, the default test of their difference, and its equivalence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats as st

from promptlab.nouns import Comparison, Status
from promptlab.stats.intervals import newcombe
from promptlab.stats.multiplicity import min_discordant
from promptlab.stats.paired import RESAMPLES, SignFlip, cluster_mean, mcnemar, mean_difference_ci, signflip_test, tost_paired
from promptlab.stats.tables import SAME_ANSWERS

LEAST_CLUSTERS = 10
LOOK_CLOSER = 0.01
COCHRAN = 25
"""Items needed for each unit of squared skewness before a mean of skewed differences can be trusted (Cochran 1977)."""
ONE_ITEM = 0.25
POWER_Z = 1.959964 + 0.841621


@dataclass(frozen=True, slots=True)
class Pairs:
    """One treatment and one control on the same items: item means, and what is missing."""

    task: str
    s: np.ndarray
    b: np.ndarray
    clusters: np.ndarray | None
    n_planned: int
    n_missing_s: int = 0
    n_missing_b: int = 0
    notes: tuple[str, ...] = ()

    @property
    def d(self) -> np.ndarray:
        """Item differences, rounded so that equal ones are equal in floats too."""
        d: np.ndarray = np.round(self.s - self.b, 9)
        return d

    @property
    def n_missing(self) -> int:
        return self.n_planned - len(self.s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A difference and its error, under the names that a comparison has for them."""

    diff: float
    p_value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    mde: float | None = None
    method: str = ""

    def put_into(self, comparison: Comparison) -> Comparison:
        """The comparison with all that both have a name for."""
        return replace(comparison, **{name: getattr(self, name) for name in self.__dataclass_fields__ if name in FIELDS})


FIELDS = frozenset(Comparison.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test(Estimate):
    """The default test of one cell."""

    gained: int | None
    lost: int | None
    n_nonzero: int
    sd: float
    ci_method: str = ""
    status: Status = "ok"
    notes: tuple[str, ...] = ()


def is_binary(p: Pairs) -> bool:
    """Both arms hold one right or wrong answer an item."""
    return bool(np.isin(p.s, (0.0, 1.0)).all() and np.isin(p.b, (0.0, 1.0)).all())


def cells_of(p: Pairs) -> tuple[int, int, int, int]:
    """Both right, only the treatment right, only the control right, both wrong."""
    s, b = p.s > 0.5, p.b > 0.5
    return int((s & b).sum()), int((s & ~b).sum()), int((~s & b).sum()), int((~s & ~b).sum())


def paired_test(p: Pairs, rate: float, n_family: int = 1, exact: bool = False) -> Test:
    """McNemar mid-p with Newcombe's interval for single answers; sign flips with a t interval for item means or clusters.

    Where sign vectors are random and p is small, as many more are drawn as the smallest threshold of the family needs. `exact`
    takes McNemar's exact p (the sign test on the changed answers) in the place of mid-p.
    """
    d = p.d
    sd = float(d.std(ddof=1)) if len(d) > 1 else 0.0
    test = Test(
        diff=float(d.mean()), gained=int((d > 0).sum()), lost=int((d < 0).sum()), n_nonzero=int(np.count_nonzero(d)), sd=sd,
        mde=POWER_Z * sd / float(np.sqrt(len(d))) if sd > 0 else None, notes=p.notes,
    )  # fmt: skip
    if p.clusters is not None:
        return _clustered(p, test, rate, n_family)
    if is_binary(p):
        a, b, c, e = cells_of(p)
        low, high = newcombe(a, b, c, e, 0.95)
        found = mcnemar(a, b, c, e)
        p_value, method = (found.p_exact, "McNemar exact") if exact else (found.p_midp, "McNemar mid-p")
        return replace(test, p_value=p_value, ci_low=low, ci_high=high, method=method, ci_method="Newcombe", status=found.status)
    flips = _flips(p.s, p.b, rate, n_family)
    ci = mean_difference_ci(stimulus=p.s, baseline=p.b).ci
    t_low, t_high = ci or (None, None)
    return replace(
        test, p_value=flips.p_midp, ci_low=t_low, ci_high=t_high, method="sign-flip mid-p on item means", ci_method="t on item differences",
        status="zero_variance" if ci is None else "ok", notes=(*((DOMINATED,) if dominated(d) else ()), *p.notes),
    )  # fmt: skip


DOMINATED = "dominated_by_few_items: a few items make most of the difference, so interval and test are less sure than they say"


def dominated(d: np.ndarray) -> bool:
    """Whether few items carry the mean: one has over a quarter of the squares, or there are too few for so skewed a set."""
    squares = d**2
    total = float(squares.sum())
    sd = float(d.std())
    if total == 0 or sd < SAME_ANSWERS:
        return False
    skewness = float(((d - d.mean()) ** 3).mean()) / sd**3
    return float(squares.max()) > ONE_ITEM * total or len(d) < COCHRAN * skewness**2


def _flips(s: np.ndarray, b: np.ndarray, rate: float, n_family: int) -> SignFlip:
    flips = signflip_test(stimulus=s, baseline=b)
    if "random" in flips.method and flips.p_midp <= LOOK_CLOSER:
        flips = signflip_test(stimulus=s, baseline=b, n_resamples=max(RESAMPLES, int(20 * n_family / rate)))
    return flips


def _clustered(p: Pairs, test: Test, rate: float, n_family: int) -> Test:
    """Items of one cluster are not independent: flip whole clusters, and widen the interval."""
    names, codes = np.unique(np.asarray(p.clusters), return_inverse=True)
    s_sum, b_sum = (np.bincount(codes, weights=side).astype(np.float64) for side in (p.s, p.b))
    flips = _flips(s_sum, b_sum, rate, n_family)
    fit = cluster_mean(difference=p.d, cluster=codes)
    note = f"{len(codes)} items in {len(names)} clusters; whole clusters are flipped, the interval is cluster-robust (CR2)"
    test = replace(test, p_value=flips.p_midp, method="sign-flip mid-p by cluster", ci_method="CR2 t", notes=(note, *p.notes))
    if len(names) < LEAST_CLUSTERS:
        return replace(test, status="too_few_clusters")
    if not fit.se_cr2 or fit.df_cr2 is None:
        return test
    half = float(st.t.ppf(0.975, fit.df_cr2)) * fit.se_cr2
    return replace(test, ci_low=test.diff - half, ci_high=test.diff + half, mde=POWER_Z * fit.se_cr2)


def min_level(rate: float, exact: bool = False) -> int:
    """Discordant pairs below which no test at `rate` can reject, even without any correction."""
    found = min_discordant(alpha=rate)
    return int(found.exact if exact else found.midp)


def task_se(p: Pairs) -> float:
    """The standard error of a mean item difference, robust where items come in clusters; 0 with fewer than two items."""
    d = p.d
    if len(d) < 2:
        return 0.0
    if p.clusters is not None:
        fit = cluster_mean(difference=d, cluster=p.clusters)
        if fit.se_cr2 is not None:
            return fit.se_cr2
    return float(d.std(ddof=1) / np.sqrt(len(d)))


def cell_equivalence(p: Pairs, margin: float, test: Test) -> tuple[float | None, float | None, float | None]:
    """p of the two one-sided tests, and the 90 % interval that must lie inside the margin."""
    if test.n_nonzero == 0 or test.sd == 0:
        return None, None, None  # identical arms: the t form would give p = 0 for any n
    tost = tost_paired(stimulus=p.s, baseline=p.b, margin=margin)
    if tost.p_tost is None or tost.ci90 is None:
        return None, None, None
    if p.clusters is not None:
        fit = cluster_mean(difference=p.d, cluster=p.clusters)
        if not fit.se_cr2 or not fit.df_cr2:
            return None, None, None
        t = [(test.diff + margin) / fit.se_cr2, (margin - test.diff) / fit.se_cr2]
        half = float(st.t.ppf(0.95, fit.df_cr2)) * fit.se_cr2
        return max(float(st.t.sf(x, fit.df_cr2)) for x in t), test.diff - half, test.diff + half
    return tost.p_tost, *(newcombe(*cells_of(p), 0.90) if is_binary(p) else tost.ci90)

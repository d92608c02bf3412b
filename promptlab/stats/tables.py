"""From a frame of trials to item means: for every setting and task a table of items by arms.

And from any long frame of scores to pairs of one baseline and one stimulus on the same items. A cell is one task under one hypothesis:
item pairs, the default test of their difference, and its equivalence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats as st

from promptlab.nouns import Comparison, Status
from promptlab.stats.intervals import Array, newcombe
from promptlab.stats.multiplicity import min_discordant
from promptlab.stats.paired import RESAMPLES, SignFlip, cluster_mean, lattice, mcnemar, mean_difference_ci, signflip_test, tost_paired

SAME_ANSWERS = 1e-9
MOSTLY_SAME = 0.99

Place = tuple[str, str]
"""A model, and the id of a setting."""


@dataclass(frozen=True, slots=True)
class ItemTable:
    """Item means of one task in one setting: items down, arms across, NaN where there is no score."""

    task: str
    items: np.ndarray
    arms: Mapping[str, int]
    scores: np.ndarray
    notes: tuple[str, ...] = ()
    """What is odd about the repeats behind the means."""

    def mean(self, arms: Sequence[str]) -> np.ndarray:
        """The mean over arms of every item; NaN for an item that lacks one of them."""
        if not arms or any(arm not in self.arms for arm in arms):
            return np.full(len(self.items), np.nan)
        means: np.ndarray = self.scores[:, [self.arms[arm] for arm in arms]].mean(axis=1)
        return means

    def has(self, arm: str) -> bool:
        """Whether any item has a score under an arm."""
        return arm in self.arms and bool(np.isfinite(self.scores[:, self.arms[arm]]).any())


def item_tables(trials: pd.DataFrame) -> dict[Place, dict[str, ItemTable]]:
    """Scores averaged inside (item, arm), for every model, setting and task of a trials frame; items in sorted order."""
    found: dict[Place, dict[str, ItemTable]] = {}
    for place, task, items, arms, means, counts, squares in averaged(trials, ["arm"]):
        notes = _about_repeats(means, counts, squares)
        found.setdefault(place, {})[task] = ItemTable(task, items, {str(name): i for i, name in enumerate(arms[0])}, means, notes)
    return found


def _about_repeats(means: np.ndarray, counts: np.ndarray, squares: np.ndarray) -> tuple[str, ...]:
    """Notes where items were answered unequally often, or where asking again changed nothing."""
    here = counts > 0
    if not here.any() or counts.max() == 1:
        return ()
    notes = []
    if len(np.unique(counts[here])) > 1:
        least, most = int(counts[here].min()), int(counts.max())
        notes.append(
            f"unbalanced_repeats: items have {least} to {most} scored answers an arm; every item counts once, whatever their number"
        )
    several = counts > 1
    same = squares[several] - counts[several] * means[several] ** 2 < SAME_ANSWERS
    if same.mean() >= MOSTLY_SAME:
        notes.append("repeats_identical: nearly all repeats of an item scored alike, so they add nothing to one answer each")
    return tuple(notes)


Averaged = tuple[Place, str, np.ndarray, list[Any], np.ndarray, np.ndarray, np.ndarray]


def averaged(trials: pd.DataFrame, within: Sequence[str]) -> Iterator[Averaged]:
    """For every model, setting and task: its items, the values of the columns `within`, and for items by those values the mean score, how
    many there are, and the sum of their squares.

    By whole numbers instead of a group-by over columns of text: a million and a half rows take a second, not ten.
    """
    if trials.empty:
        return
    coded = {name: pd.factorize(trials[name]) for name in ("model", "setting", "task", "item", *within)}
    place, places = _combined([coded["model"], coded["setting"]])
    item, items = _combined([coded["task"], coded["item"]])
    order = sorted(range(len(items)), key=lambda i: (str(items[i][0]), str(items[i][1])))
    rank = np.empty(len(items), dtype=np.int64)
    rank[order] = np.arange(len(items))
    sizes = [len(coded[name][1]) for name in within]
    score = trials["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    cell = place * len(items) + rank[item]
    for name, size in zip(within, sizes, strict=True):
        cell = cell * size + coded[name][0]
    here = np.isfinite(score)
    shape = (len(places), len(items), *sizes)
    counts, sums, squares = (
        np.bincount(cell[here], weights=weights, minlength=math.prod(shape)).reshape(shape)
        for weights in (None, score[here], score[here] ** 2)
    )
    with np.errstate(invalid="ignore"):
        means = sums / counts
    tasks = np.array([str(items[i][0]) for i in order])
    names = np.array([str(items[i][1]) for i in order], dtype=object)
    values = [list(coded[name][1]) for name in within]
    for s, (model, setting) in enumerate(places):
        for task in dict.fromkeys(tasks.tolist()):
            rows = tasks == task
            if np.isfinite(means[s, rows]).any():
                yield (str(model), str(setting)), task, names[rows], values, means[s, rows], counts[s, rows], squares[s, rows]


def _combined(columns: Sequence[tuple[np.ndarray, Any]]) -> tuple[np.ndarray, list[tuple[Any, ...]]]:
    """Several coded columns as one: codes from 0, and the values that each of them stands for."""
    code = np.zeros(len(columns[0][0]), dtype=np.int64)
    for codes, values in columns:
        code = code * max(len(values), 1) + codes
    kept, combined = np.unique(code, return_inverse=True)
    labels = []
    for rest in kept.tolist():
        left, parts = rest, []
        for _, values in reversed(columns):
            left, at = divmod(left, max(len(values), 1))
            parts.append(values[at])
        labels.append(tuple(reversed(parts)))
    return combined, labels


KEY = ["item_id", "arm", "repeat"]


class DuplicateKeys(ValueError):
    """One (model, task, arm, item, repeat, template) has more than one score."""


class Paired(NamedTuple):
    """Item means of two arms on the items that both have, and what was lost on the way."""

    paired_items: tuple[str, ...]
    difference: Array
    stimulus: Array
    baseline: Array
    clusters: tuple[object, ...] | None
    n_items: int
    n_paired: int
    n_dropped_items: int
    n_missing_scores: int
    duplicated_keys: tuple[str, ...]
    unbalanced_repeats: bool
    lattice: int | None
    status: Status


def pair_scores(df: pd.DataFrame, stimulus: str, baseline: str = "none", *, strict: bool = True) -> Paired:
    """Pair two arms by item, after averaging repeats and templates inside (item, arm).

    `df` has the columns arm, item_id, repeat, score and may have model, task, template, cluster_id; it must hold one model
    and one task. A missing score is missing, never 0. In strict mode a repeated key raises DuplicateKeys; otherwise every
    row of that key is set aside and the key listed as "item arm repeat".
    """
    for column in ("model", "task"):
        if column in df.columns and df[column].nunique() > 1:
            raise ValueError(f"the frame holds {df[column].nunique()} values of {column!r}; pair one at a time")
    key = [*KEY, *(["template"] if "template" in df.columns else [])]
    rows = df[df["arm"].isin([stimulus, baseline])]
    twice = rows.duplicated(key, keep=False)
    names = rows.loc[twice, key].drop_duplicates()
    listed = tuple(" ".join(str(part) for part in row) for row in names.itertuples(index=False))
    if listed and strict:
        raise DuplicateKeys(f"{len(listed)} keys have more than one score, the first: {listed[0]!r}")
    rows = rows[~twice]
    n_missing = int(rows["score"].isna().sum())
    scored = rows.dropna(subset=["score"])
    grouped = scored.groupby(["item_id", "arm"], sort=False)["score"]
    means, sizes = grouped.mean().unstack("arm"), grouped.size().unstack("arm")
    means = means.reindex(columns=[stimulus, baseline])
    items = list(dict.fromkeys(df.loc[df["arm"].isin([stimulus, baseline]), "item_id"]))
    both = [item for item in items if item in means.index and means.loc[item].notna().all()]
    s, b = means.loc[both, stimulus].to_numpy(float), means.loc[both, baseline].to_numpy(float)
    counts = sizes.reindex(index=both, columns=[stimulus, baseline]).to_numpy(float)
    clusters = None
    if "cluster_id" in df.columns:
        of_item = dict(zip(df["item_id"], df["cluster_id"], strict=True))
        clusters = tuple(of_item[item] for item in both)
    unbalanced = bool(counts.size and (counts != counts.flat[0]).any())
    return Paired(
        paired_items=tuple(str(item) for item in both),
        difference=np.round(s - b, 9),
        stimulus=s,
        baseline=b,
        clusters=clusters,
        n_items=len(items),
        n_paired=len(both),
        n_dropped_items=len(items) - len(both),
        n_missing_scores=n_missing,
        duplicated_keys=listed,
        unbalanced_repeats=unbalanced,
        lattice=lattice(np.concatenate([s, b])),
        status="duplicate_keys" if listed else "unbalanced_repeats" if unbalanced else "ok",
    )


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

"""From the trials frame and the frozen plan to comparisons with verdicts.

Scores are averaged inside (item, arm) over replicates and base prompts, then paired by item. Every planned hypothesis gives
exactly one comparison; one that cannot be judged is refused, with a status and a reason, and enters its family with p = 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as st

from promptlab.nouns.comparison import Comparison
from promptlab.nouns.contrast import Contrast, Hypothesis
from promptlab.nouns.plan import Plan
from promptlab.nouns.words import AA_ARM, NONE_ARM, Status, Verdict
from promptlab.stats import sentences as say
from promptlab.stats.equivalence import tost_paired
from promptlab.stats.families import ADJUSTMENT, contrast_of
from promptlab.stats.intervals import newcombe
from promptlab.stats.macro import macro_effect
from promptlab.stats.multiplicity import adjust, min_discordant
from promptlab.stats.paired import RESAMPLES, SignFlip, cluster_mean, mcnemar, mean_difference_ci, signflip_test
from promptlab.stats.sequential import Looked, repeated_bound, repeated_p
from promptlab.stats.tables import SAME_ANSWERS, ItemTable, Place, item_tables

LEAST_ITEMS = 20
MOST_MISSING = 0.05
MOST_UNEVEN = 0.02
MACRO_RANDOM_FROM = 10
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


@dataclass(frozen=True, slots=True)
class Result:
    """A comparison before its p-values are adjusted, with what its sentence will need."""

    comparison: Comparison
    figures: say.Figures | None
    equivalent: bool
    rate: float
    too_few: str | None = None
    """Why no test could have told a change, where that is so."""
    fixed_p: float | None = None
    """The p-value of the same data without any look, where looks are planned."""


class Analysis:
    """Item means of a run, and the comparisons between its arms. `at` says at which planned look its trials end."""

    def __init__(self, trials: pd.DataFrame, plan: Plan, at: Looked | None = None) -> None:
        self.plan = plan
        self.at = at
        self.n_items = {task.name: task.n_items for task in plan.tasks}
        self.family_sizes = Counter(h.family for h in plan.hypotheses)
        self.again = "" if plan.imported else say.AGAIN
        self.exact = plan.reconstructed
        """Items were rebuilt from counts of changed answers: only the sign test on those counts means anything."""
        self.tables = item_tables(trials)
        clusters = trials.dropna(subset=["cluster"]).drop_duplicates(["task", "item"])
        named: dict[str, dict[str, str]] = {}
        for task, item, cluster in zip(clusters["task"], clusters["item"], clusters["cluster"], strict=True):
            named.setdefault(str(task), {})[str(item)] = str(cluster)
        self.clusters = named
        self._known: dict[tuple[Any, ...], Pairs] = {}

    def pairs(self, h: Hypothesis, task: str) -> Pairs:
        """The paired item means of one task under one hypothesis."""
        place, contrast = (h.model, h.setting.id), contrast_of(h, self.plan)
        key = (place, task, contrast.treatments, contrast.controls)
        if key not in self._known:
            self._known[key] = self._paired_arms(place, task, contrast)
        return self._known[key]

    def _paired_arms(self, place: Place, task: str, contrast: Contrast) -> Pairs:
        table = self.tables.get(place, {}).get(task)
        n_planned = self.n_items[task]
        if table is None:
            empty = np.empty(0)
            return Pairs(task, empty, empty, None, n_planned, n_missing_s=n_planned, n_missing_b=n_planned)
        b = np.mean([table.mean(arms) for arms in contrast.controls], axis=0)
        return self.paired(table, table.mean(contrast.treatments), b)

    def paired(self, table: ItemTable, s: np.ndarray, b: np.ndarray) -> Pairs:
        """Inner join on items that both arms have."""
        n_planned = self.n_items[table.task]
        has_s, has_b = np.isfinite(s), np.isfinite(b)
        both = has_s & has_b
        names = self.clusters.get(table.task, {})
        clusters = np.array([names.get(item, item) for item in table.items[both]]) if names else None
        if clusters is not None and len(set(clusters)) == len(clusters):
            clusters = None
        lost_s, lost_b = n_planned - int(has_s.sum()), n_planned - int(has_b.sum())
        return Pairs(table.task, s[both], b[both], clusters, n_planned, n_missing_s=lost_s, n_missing_b=lost_b, notes=table.notes)

    def compare(self, h: Hypothesis) -> Result:
        """One hypothesis, unadjusted."""
        if h.scope == "cell":
            return self._cell(h, self.pairs(h, str(h.task)))
        return self._macro(h, [self.pairs(h, task) for task in self.n_items])

    def _blank(self, h: Hypothesis, pairs: Sequence[Pairs]) -> Comparison:
        n_pairs = sum(len(p.s) for p in pairs)
        some = [p for p in pairs if len(p.s)]
        diff = float(np.mean([p.d.mean() for p in some])) if some else None
        contrast, loop = contrast_of(h, self.plan), self.plan.looped.get(h.strategy)
        return Comparison(
            scope=h.scope,
            family=h.family,
            n_family=0,
            model=h.model,
            simulated=self.plan.model_of[h.model].simulated,
            suite=self.plan.task_of[h.task].suite if h.task is not None else self.plan.suite,
            task=h.task,
            setting=h.setting,
            control=h.control,
            oracle=loop is not None and loop.oracle,
            control_arms=contrast.control_arms,
            treatment=h.treatment,
            library=h.library,
            n_planned=sum(p.n_planned for p in pairs),
            n_pairs=n_pairs,
            n_missing=sum(p.n_missing for p in pairs),
            n_tasks=len(some),
            mean_control=float(np.mean([p.b.mean() for p in some])) if some else None,
            mean_treatment=float(np.mean([p.s.mean() for p in some])) if some else None,
            diff=diff,
            ci_low=None,
            ci_high=None,
            gained=None,
            lost=None,
            p_value=None,
            p_adjusted=None,
            p_tost=None,
            p_tost_adjusted=None,
            margin=contrast.margin,
            mde=None,
            method="",
            ci_method="",
            adjustment=ADJUSTMENT[h.scope],
            status="ok",
            verdict="unclear",
            sentence="",
        )

    def _rate(self, h: Hypothesis) -> float:
        return self.plan.fdr if h.scope == "cell" else self.plan.alpha

    def _cell(self, h: Hypothesis, p: Pairs) -> Result:
        rate = self._rate(h)
        blank = self._blank(h, [p])
        if not len(p.s):
            return refused(blank, "missing_pairs", say.not_run(h.treatment, self.again), rate)
        test = paired_test(p, rate, self.family_sizes[h.family], self.exact)
        figures = say.Figures(
            treatment=blank.treated, control=h.control, task=h.task, n=len(p.s), diff=test.diff, ci_low=test.ci_low,
            ci_high=test.ci_high, method=test.method, margin=blank.margin, gained=test.gained, lost=test.lost, mde=test.mde,
            sd_discordant=test.sd,
        )  # fmt: skip
        done = replace(
            blank,
            ci_low=test.ci_low,
            ci_high=test.ci_high,
            gained=test.gained,
            lost=test.lost,
            mde=test.mde,
            se=_task_se(p),
            p_value=test.p,
            method=test.method,
            ci_method=test.ci_method,
            notes=(*test.notes, *p.notes),
        )
        refusal = _refusal([p], test.n_nonzero, self.again)
        if refusal is not None:
            return refused(done, *refusal, rate)
        if self.at is not None:
            return refused(replace(done, p_value=None), "not_planned", say.CELL_OF_LOOKS, rate)
        if test.status not in ("ok", "zero_variance"):
            return refused(
                done, test.status, f"{len(set(p.clusters if p.clusters is not None else ()))} clusters are too few for an interval.", rate
            )
        p_tost, low, high = cell_equivalence(p, blank.margin, test)
        equivalent = p_tost is not None and low is not None and high is not None and -blank.margin < low and high < blank.margin
        equivalent = equivalent and not self.exact  # how ties split into right and wrong is not known
        least = min_level(rate, self.exact)
        too_few = say.too_few_changes(test.n_nonzero, len(p.s), least) if test.n_nonzero < least else None
        done = replace(done, p_tost=p_tost, status=test.status)
        return Result(done, replace(figures, ci90_low=low, ci90_high=high), equivalent, rate, too_few)

    def _macro(self, h: Hypothesis, pairs: Sequence[Pairs]) -> Result:
        rate = self._rate(h)
        blank = self._blank(h, pairs)
        some = [p for p in pairs if len(p.s)]
        if not some:
            return refused(blank, "missing_pairs", say.not_run(h.treatment, self.again), rate)
        effects = np.array([p.d.mean() for p in some])
        ses = np.array([_task_se(p) for p in some])
        m = macro(effects, ses)
        if self.exact and len(some) == 1:
            alone = paired_test(some[0], rate, 1, True)
            m = replace(m, p=alone.p, ci_low=alone.ci_low, ci_high=alone.ci_high, method=alone.method)
        fixed_p = m.p
        if self.at is not None:
            m = repeated(m, self.at)
        n_nonzero = sum(int(np.count_nonzero(p.d)) for p in some)
        done = replace(
            blank,
            diff=m.estimate,
            ci_low=m.ci_low,
            ci_high=m.ci_high,
            ci_fixed_low=m.ci_fixed[0] if m.ci_fixed else None,
            ci_fixed_high=m.ci_fixed[1] if m.ci_fixed else None,
            p_value=m.p,
            mde=m.mde,
            method=m.method,
            ci_method=m.method,
        )
        refusal = _refusal(pairs, n_nonzero, self.again)
        if refusal is not None:
            return refused(done, *refusal, rate)
        if m.p is None:
            return refused(done, "zero_variance", "Every task moved by exactly the same amount, so there is no error to judge it by.", rate)
        p_tost, low, high = macro_equivalence(m, blank.margin, self.at)
        n_stimuli = len(self.plan.stimuli_of[h.library])
        name = blank.treated
        if h.scope == "primary":
            name += f" (mean of {n_stimuli} {'sentence' if n_stimuli == 1 else 'sentences'})"
        figures = say.Figures(
            treatment=name, control=h.control, task=None, n=blank.n_pairs, n_tasks=len(some), diff=m.estimate, ci_low=m.ci_low,
            ci_high=m.ci_high, method=m.method, margin=blank.margin, mde=m.mde, ci90_low=low, ci90_high=high,
        )  # fmt: skip
        equivalent = not self.exact and -blank.margin < low and high < blank.margin
        return Result(replace(done, p_tost=p_tost), figures, equivalent, rate, fixed_p=fixed_p)

    def aa(self) -> list[Comparison]:
        """The baseline against its own repeat: a cell for each task, and one over the tasks that can silence a model."""
        found: list[Comparison] = []
        for (model, setting), tables in self.tables.items():
            h = Hypothesis(
                family=f"aa/{model}", scope="cell", model=model, task=None, treatment=AA_ARM, library="", control="none",
                setting=self.plan.setting_of[setting],
            )  # fmt: skip
            cells: list[tuple[Pairs, Comparison]] = []
            for task in self.n_items:
                table = tables.get(task)
                if table is None or not table.has(NONE_ARM) or not table.has(AA_ARM):
                    continue
                p = self.paired(table, table.mean([AA_ARM]), table.mean([NONE_ARM]))
                if len(p.s):
                    cells.append((p, self._aa_cell(replace(h, task=task), p)))
            found += [c for _, c in cells]
            if cells:
                found.append(self._aa_macro(h, cells))
        return found

    def _aa_cell(self, h: Hypothesis, p: Pairs) -> Comparison:
        test = paired_test(p, 0.05)
        changed = test.n_nonzero
        text = (
            f"{changed} of {len(p.s)} items scored differently when the baseline was asked again "
            f"({say.points(test.diff)} points, {say.p_text(test.p)})."
        )
        return replace(
            self._blank(h, [p]), scope="aa", n_family=len(self.n_items), ci_low=test.ci_low, ci_high=test.ci_high, gained=test.gained,
            lost=test.lost, p_value=test.p, method=test.method, ci_method=test.ci_method, adjustment="none",
            status="ok" if changed else "no_discordant_pairs", verdict="refused", sentence=text,
        )  # fmt: skip

    def _aa_macro(self, h: Hypothesis, cells: Sequence[tuple[Pairs, Comparison]]) -> Comparison:
        pairs = [p for p, _ in cells]
        estimate = float(np.mean([p.d.mean() for p in pairs]))
        se = float(np.sqrt(sum(_task_se(p) ** 2 for p in pairs))) / len(pairs)
        half = float(st.norm.ppf(0.9995)) * se
        n_low = sum(1 for _, c in cells if c.p_value is not None and c.p_value <= 0.05)
        limit = int(st.binom.ppf(0.999, len(cells), 0.05))
        failed = n_low > limit or abs(estimate) > half + 1e-12
        n_changed = sum(int(np.count_nonzero(p.d)) for p in pairs)
        n = sum(len(p.d) for p in pairs)
        text = (
            say.aa_failed(h.model)
            if failed
            else f"The baseline agrees with its own repeat: {n_changed} of {n} item scores differ, "
            f"{say.points(estimate)} points over {len(pairs)} tasks."
        )
        return replace(
            self._blank(replace(h, scope="stimulus"), pairs), scope="aa", n_family=len(cells), diff=estimate, ci_low=estimate - half,
            ci_high=estimate + half, ci_method="normal, 99.9 %", method="normal", adjustment="none",
            status="aa_failed" if failed else "ok", verdict="refused", sentence=text,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Test:
    """The default test of one cell."""

    diff: float
    p: float
    ci_low: float | None
    ci_high: float | None
    gained: int | None
    lost: int | None
    n_nonzero: int
    sd: float
    mde: float | None
    method: str
    ci_method: str
    status: Status
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
    n_nonzero = int(np.count_nonzero(d))
    sd = float(d.std(ddof=1)) if len(d) > 1 else 0.0
    mde = POWER_Z * sd / float(np.sqrt(len(d))) if sd > 0 else None
    if p.clusters is not None:
        return _clustered(p, d, n_nonzero=n_nonzero, sd=sd, mde=mde, rate=rate, n_family=n_family)
    if is_binary(p):
        a, b, c, e = cells_of(p)
        low, high = newcombe(a, b, c, e, 0.95)
        found = mcnemar(a, b, c, e)
        p_value, method = (found.p_exact, "McNemar exact") if exact else (found.p_midp, "McNemar mid-p")
        status: Status = "ok" if n_nonzero else "no_discordant_pairs"
        return Test(
            diff=float(d.mean()),
            p=p_value,
            ci_low=float(low),
            ci_high=float(high),
            gained=b,
            lost=c,
            n_nonzero=n_nonzero,
            sd=sd,
            mde=mde,
            method=method,
            ci_method="Newcombe",
            status=status,
        )
    flips = _flips(p.s, p.b, rate, n_family)
    ci = mean_difference_ci(stimulus=p.s, baseline=p.b)
    t_low, t_high = ci.ci if ci.ci is not None else (None, None)
    status = "zero_variance" if ci.ci is None else "ok"
    notes = (DOMINATED,) if dominated(d) else ()
    return Test(
        diff=float(d.mean()),
        p=float(flips.p_midp),
        ci_low=t_low,
        ci_high=t_high,
        gained=int((d > 0).sum()),
        lost=int((d < 0).sum()),
        n_nonzero=n_nonzero,
        sd=sd,
        mde=mde,
        method="sign-flip mid-p on item means",
        ci_method="t on item differences",
        status=status,
        notes=notes,
    )


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


def _clustered(p: Pairs, d: np.ndarray, n_nonzero: int, sd: float, mde: float | None, rate: float, n_family: int) -> Test:
    """Items of one cluster are not independent: flip whole clusters, and widen the interval."""
    names, codes = np.unique(np.asarray(p.clusters), return_inverse=True)
    s_sum = np.bincount(codes, weights=p.s).astype(np.float64)
    b_sum = np.bincount(codes, weights=p.b).astype(np.float64)
    flips = _flips(s_sum, b_sum, rate, n_family)
    fit = cluster_mean(difference=d, cluster=codes)
    low: float | None = None
    high: float | None = None
    status: Status = "ok"
    if len(names) < LEAST_CLUSTERS:
        status = "too_few_clusters"
    elif fit.se_cr2 is not None and fit.df_cr2 is not None and fit.se_cr2 > 0:
        half = float(st.t.ppf(0.975, fit.df_cr2)) * fit.se_cr2
        low, high = float(d.mean()) - half, float(d.mean()) + half
        mde = POWER_Z * fit.se_cr2
    note = (f"{len(d)} items in {len(names)} clusters; whole clusters are flipped, the interval is cluster-robust (CR2)",)
    return Test(
        diff=float(d.mean()),
        p=float(flips.p_midp),
        ci_low=low,
        ci_high=high,
        gained=int((d > 0).sum()),
        lost=int((d < 0).sum()),
        n_nonzero=n_nonzero,
        sd=sd,
        mde=mde,
        method="sign-flip mid-p by cluster",
        ci_method="CR2 t",
        status=status,
        notes=note,
    )


def min_level(rate: float, exact: bool = False) -> int:
    """Discordant pairs below which no test at `rate` can reject, even without any correction."""
    found = min_discordant(alpha=rate)
    return int(found.exact if exact else found.midp)


def _task_se(p: Pairs) -> float:
    d = p.d
    if len(d) < 2:
        return 0.0
    if p.clusters is not None:
        fit = cluster_mean(difference=d, cluster=np.unique(p.clusters, return_inverse=True)[1])
        if fit.se_cr2 is not None:
            return float(fit.se_cr2)
    return float(d.std(ddof=1) / np.sqrt(len(d)))


def cell_equivalence(p: Pairs, margin: float, test: Test) -> tuple[float | None, float | None, float | None]:
    """p of the two one-sided tests, and the 90 % interval that must lie inside the margin."""
    if test.n_nonzero == 0 or test.sd == 0:
        return None, None, None  # identical arms: the t form would give p = 0 for any n
    tost = tost_paired(stimulus=p.s, baseline=p.b, margin=margin)
    if tost.p_tost is None or tost.ci90 is None:
        return None, None, None
    if p.clusters is None and is_binary(p):
        a, b, c, e = cells_of(p)
        low, high = newcombe(a, b, c, e, 0.90)
        return float(tost.p_tost), float(low), float(high)
    if p.clusters is not None:
        fit = cluster_mean(difference=p.d, cluster=np.unique(p.clusters, return_inverse=True)[1])
        if not fit.se_cr2 or not fit.df_cr2:
            return None, None, None
        t = [(test.diff + margin) / fit.se_cr2, (margin - test.diff) / fit.se_cr2]
        half = float(st.t.ppf(0.95, fit.df_cr2)) * fit.se_cr2
        return max(float(st.t.sf(x, fit.df_cr2)) for x in t), test.diff - half, test.diff + half
    return float(tost.p_tost), float(tost.ci90[0]), float(tost.ci90[1])


@dataclass(frozen=True, slots=True)
class Macro:
    """A mean over tasks, with the error that its verdict uses."""

    estimate: float
    se: float
    df: float | None
    p: float | None
    ci_low: float | None
    ci_high: float | None
    ci_fixed: tuple[float, float] | None
    mde: float | None
    method: str


def macro(effects: np.ndarray, ses: np.ndarray) -> Macro:
    """Equal-weight mean over tasks: t over tasks from 10 tasks on ("tasks like these"), else these tasks' own error."""
    k = len(effects)
    estimate = float(effects.mean())
    se_fixed = float(np.sqrt((ses**2).sum())) / k
    half = float(st.norm.ppf(0.975)) * se_fixed
    fixed = (estimate - half, estimate + half) if se_fixed > 0 else None
    if k >= MACRO_RANDOM_FROM:
        m = macro_effect(task_effect=effects, task_se=ses)
        se = float(m.se_tasks_random) if m.se_tasks_random else 0.0
        if m.p_random is None or m.ci_random is None or se == 0:
            return Macro(
                estimate=estimate, se=0.0, df=None, p=None, ci_low=None, ci_high=None, ci_fixed=fixed, mde=None, method="t over tasks"
            )
        low, high = m.ci_random
        return Macro(
            estimate=estimate,
            se=se,
            df=k - 1.0,
            p=float(m.p_random),
            ci_low=float(low),
            ci_high=float(high),
            ci_fixed=fixed,
            mde=POWER_Z * se,
            method="t over tasks",
        )
    method = f"normal, these {k} tasks" if k > 1 else "normal, this task"
    if fixed is None:
        return Macro(estimate=estimate, se=0.0, df=None, p=None, ci_low=None, ci_high=None, ci_fixed=None, mde=None, method=method)
    p = float(2 * st.norm.sf(abs(estimate) / se_fixed))
    return Macro(
        estimate=estimate,
        se=se_fixed,
        df=None,
        p=p,
        ci_low=fixed[0],
        ci_high=fixed[1],
        ci_fixed=fixed,
        mde=POWER_Z * se_fixed,
        method=method,
    )


def repeated(m: Macro, at: Looked) -> Macro:
    """The same mean as a planned look may judge it: repeated p-value and repeated interval."""
    if m.p is None:
        return m
    bound = repeated_bound(0.05, at.fractions, at.look)
    half = float(_law(m).isf(st.norm.sf(bound))) * m.se
    fixed = m.ci_fixed and (m.estimate - bound * _se_fixed(m), m.estimate + bound * _se_fixed(m))
    p = repeated_p(float(st.norm.isf(m.p / 2)), at.fractions, at.look)
    return replace(
        m, p=p, ci_low=m.estimate - half, ci_high=m.estimate + half, ci_fixed=fixed, method=f"{m.method}, repeated at {at.words}"
    )


def _law(m: Macro) -> Any:  # noqa: ANN401 (a scipy distribution)
    return st.norm if m.df is None else st.t(m.df)


def _se_fixed(m: Macro) -> float:
    return (m.ci_fixed[1] - m.ci_fixed[0]) / (2 * float(st.norm.ppf(0.975))) if m.ci_fixed else 0.0


def macro_equivalence(m: Macro, margin: float, at: Looked | None = None) -> tuple[float, float, float]:
    """p of the two one-sided tests of a mean over tasks, and its 90 % interval; repeated ones at a planned look."""
    law = _law(m)
    p = float(max(law.sf((m.estimate + margin) / m.se), law.sf((margin - m.estimate) / m.se)))
    level = 0.05
    if at is not None:
        level = float(st.norm.sf(repeated_bound(0.10, at.fractions, at.look)))
        p = repeated_p(float(st.norm.isf(p)), at.fractions, at.look) / 2 if p < 0.5 else 1.0
    half = float(law.isf(level)) * m.se
    return p, m.estimate - half, m.estimate + half


def _refusal(pairs: Sequence[Pairs], n_nonzero: int, again: str) -> tuple[Status, str] | None:
    """Why no verdict can be given, from counts alone; None when one can."""
    n_planned = sum(p.n_planned for p in pairs)
    n_pairs = sum(len(p.s) for p in pairs)
    n_missing = n_planned - n_pairs
    lost_s = sum(p.n_missing_s for p in pairs) / n_planned
    lost_b = sum(p.n_missing_b for p in pairs) / n_planned
    if n_missing > MOST_MISSING * n_planned:
        shift = n_missing / n_planned
        total = sum(float(p.d.sum()) for p in pairs) / n_planned
        return "missing_pairs", say.missing(n_missing, n_planned, total - shift, total + shift, again)
    if abs(lost_s - lost_b) > MOST_UNEVEN:
        return "missing_pairs", say.uneven(lost_s, lost_b, n_planned, again)
    if n_pairs < LEAST_ITEMS:
        return "n_too_small", say.too_few_items(n_pairs, LEAST_ITEMS)
    if n_nonzero == 0:
        return "no_discordant_pairs", say.no_change(n_pairs)
    return None


def refused(comparison: Comparison, status: Status, reason: str, rate: float) -> Result:
    """A comparison without a verdict: a value with a reason, never an exception or NaN."""
    return Result(replace(comparison, status=status, verdict="refused", sentence=reason), None, False, rate)


def judge(results: Sequence[Result]) -> list[Comparison]:
    """Adjust within families over everything planned, then give each comparison its verdict and sentence."""
    found: list[Comparison | None] = [None] * len(results)
    families: dict[str, list[int]] = {}
    for index, result in enumerate(results):
        families.setdefault(result.comparison.family, []).append(index)
    for members in families.values():
        method = results[members[0]].comparison.adjustment
        open_p = [1.0 if r.figures is None or r.comparison.p_value is None else r.comparison.p_value for r in (results[i] for i in members)]
        tost_p = [1.0 if r.figures is None or r.comparison.p_tost is None else r.comparison.p_tost for r in (results[i] for i in members)]
        adjusted = adjust(open_p, method=method)
        adjusted_tost = adjust(tost_p, method="holm" if method == "holm" else "fdr_bh")
        for index, p, p_tost in zip(members, adjusted, adjusted_tost, strict=True):
            found[index] = _verdict(results[index], float(p), float(p_tost), len(members))
    return [comparison for comparison in found if comparison is not None]


def _verdict(result: Result, p: float, p_tost: float, n_family: int) -> Comparison:
    c = replace(result.comparison, n_family=n_family)
    if result.figures is None:
        return c
    changed = p <= result.rate
    same = result.equivalent and p_tost <= 0.05
    if result.too_few and not changed and not same:
        return replace(c, p_adjusted=p, status="cannot_be_significant", verdict="refused", sentence=result.too_few)
    words = {"fdr_bh": "Benjamini-Hochberg", "holm": "Holm"}[c.adjustment]
    figures = replace(result.figures, p_adjusted=p, adjustment=words, n_family=n_family)
    verdict: Verdict = "unclear"
    sentence = say.unsettled(figures)
    if changed and same:
        verdict, sentence = "negligible", say.negligible(figures)
    elif changed:
        verdict, sentence = ("helps" if figures.diff > 0 else "hurts"), say.change(figures)
    elif same:
        verdict, sentence = "same", say.equivalent(figures)
    return replace(c, p_adjusted=p, p_tost_adjusted=p_tost if c.p_tost is not None else None, verdict=verdict, sentence=sentence)


def silenced(c: Comparison) -> Comparison:
    """The comparison without its verdict: the model failed its A/A check."""
    return replace(c, status="aa_failed", verdict="refused", sentence=say.aa_failed(c.model))

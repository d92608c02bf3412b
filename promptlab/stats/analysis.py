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

from promptlab.nouns import AA_ARM, NONE_ARM, Comparison, Hypothesis, Plan, Status, Verdict
from promptlab.stats import sentences as say
from promptlab.stats.macro import macro, macro_equivalence, repeated
from promptlab.stats.multiplicity import ADJUSTMENT, adjust, contrast_of
from promptlab.stats.power import Looked
from promptlab.stats.tables import ItemTable, Pairs, cell_equivalence, item_tables, min_level, paired_test, task_se

LEAST_ITEMS = 20
MOST_MISSING = 0.05
MOST_UNEVEN = 0.02


@dataclass(frozen=True, slots=True)
class Result:
    """A comparison before its p-values are adjusted, with what its sentence will need."""

    comparison: Comparison
    rate: float
    figures: say.Figures | None = None
    equivalent: bool = False
    too_few: str | None = None
    """Why no test could have told a change, where that is so."""
    fixed_p: float | None = None
    """The p-value of the same data without any look, where looks are planned."""


class Analysis:
    """Item means of a run, and the comparisons between its arms. `at` says at which planned look its trials end.

    With `complete` false the trials are a chosen part, and items that are not among them do not count as missing.
    """

    def __init__(self, trials: pd.DataFrame, plan: Plan, at: Looked | None = None, *, complete: bool = True) -> None:
        self.plan = plan
        self.complete = complete
        self.at = at
        self.n_items = {task.name: task.n_items for task in plan.tasks}
        self.family_sizes = Counter(h.family for h in plan.hypotheses)
        self.again = "" if plan.imported else say.AGAIN
        self.exact = plan.reconstructed
        """Items were rebuilt from counts of changed answers: only the sign test on those counts means anything."""
        self.tables = item_tables(trials)
        clusters = trials.dropna(subset=["cluster"]).drop_duplicates(["task", "item"])
        self.clusters: dict[str, dict[str, str]] = {}
        for task, item, cluster in zip(clusters["task"], clusters["item"], clusters["cluster"], strict=True):
            self.clusters.setdefault(str(task), {})[str(item)] = str(cluster)
        self._known: dict[tuple[Any, ...], Pairs] = {}

    def pairs(self, h: Hypothesis, task: str) -> Pairs:
        """The paired item means of one task under one hypothesis."""
        place, contrast = (h.model, h.setting.id), contrast_of(h, self.plan)
        key = (place, task, contrast.treatments, contrast.controls)
        if key not in self._known:
            table = self.tables.get(place, {}).get(task) or ItemTable(task, np.empty(0), {}, np.empty((0, 0)))
            b = np.mean([table.mean(arms) for arms in contrast.controls], axis=0)
            self._known[key] = self.paired(table, table.mean(contrast.treatments), b)
        return self._known[key]

    def paired(self, table: ItemTable, s: np.ndarray, b: np.ndarray) -> Pairs:
        """Inner join on items that both arms have."""
        n_planned = self.n_items[table.task]
        has_s, has_b = np.isfinite(s), np.isfinite(b)
        both = has_s & has_b
        names = self.clusters.get(table.task, {})
        clusters = np.array([names.get(item, item) for item in table.items[both]]) if names else None
        if clusters is not None and len(set(clusters)) == len(clusters):
            clusters = None
        if not self.complete:
            n_planned = int(both.sum())
        lost_s, lost_b = max(n_planned - int(has_s.sum()), 0), max(n_planned - int(has_b.sum()), 0)
        return Pairs(table.task, s[both], b[both], clusters, n_planned, n_missing_s=lost_s, n_missing_b=lost_b, notes=table.notes)

    def compare(self, h: Hypothesis) -> Result:
        """One hypothesis, unadjusted."""
        if h.scope == "cell":
            return self._cell(h, self.pairs(h, str(h.task)))
        return self._macro(h, [self.pairs(h, task) for task in self.n_items])

    def _blank(self, h: Hypothesis, pairs: Sequence[Pairs]) -> Comparison:
        some = [p for p in pairs if len(p.s)]
        sides = zip(*[(p.b.mean(), p.s.mean(), p.d.mean()) for p in some], strict=True)
        control, treatment, diff = (float(np.mean(side)) for side in sides) if some else (None, None, None)
        contrast, loop = contrast_of(h, self.plan), self.plan.looped.get(h.strategy)
        return Comparison(
            **{name: getattr(h, name) for name in h.__dataclass_fields__},
            simulated=self.plan.model_of[h.model].simulated,
            suite=self.plan.task_of[h.task].suite if h.task is not None else self.plan.suite,
            oracle=loop is not None and loop.oracle,
            control_arms=contrast.control_arms,
            n_planned=sum(p.n_planned for p in pairs),
            n_pairs=sum(len(p.s) for p in pairs),
            n_missing=sum(p.n_missing for p in pairs),
            n_tasks=len(some),
            mean_control=control,
            mean_treatment=treatment,
            diff=diff,
            margin=contrast.margin,
            adjustment=ADJUSTMENT[h.scope],
        )

    def _rate(self, h: Hypothesis) -> float:
        return self.plan.fdr if h.scope == "cell" else self.plan.alpha

    def _cell(self, h: Hypothesis, p: Pairs) -> Result:
        rate = self._rate(h)
        blank = self._blank(h, [p])
        if not len(p.s):
            return refused(blank, "missing_pairs", say.not_run(h.treatment, self.again), rate)
        test = paired_test(p, rate, self.family_sizes[h.family], self.exact)
        done = replace(test.put_into(blank), se=task_se(p))
        refusal = _refusal([p], test.n_nonzero, self.again)
        if refusal is not None:
            return refused(done, *refusal, rate)
        if self.at is not None:
            return refused(replace(done, p_value=None), "not_planned", say.CELL_OF_LOOKS, rate)
        if test.status == "too_few_clusters":
            n_clusters = len(set(() if p.clusters is None else p.clusters))
            return refused(done, test.status, f"{n_clusters} clusters are too few for an interval.", rate)
        p_tost, low, high = cell_equivalence(p, blank.margin, test)
        # how ties split into right and wrong is not known where only counts of changes are
        equivalent = low is not None and high is not None and -blank.margin < low and high < blank.margin and not self.exact
        least = min_level(rate, self.exact)
        too_few = say.too_few_changes(test.n_nonzero, len(p.s), least) if test.n_nonzero < least else None
        done = replace(done, p_tost=p_tost)
        return Result(done, rate, say.Figures(done, blank.treated, test.diff, low, high, test.sd), equivalent, too_few)

    def _macro(self, h: Hypothesis, pairs: Sequence[Pairs]) -> Result:
        rate = self._rate(h)
        blank = self._blank(h, pairs)
        some = [p for p in pairs if len(p.s)]
        if not some:
            return refused(blank, "missing_pairs", say.not_run(h.treatment, self.again), rate)
        m = macro(np.array([p.d.mean() for p in some]), np.array([task_se(p) for p in some]))
        if self.exact and len(some) == 1:
            alone = paired_test(some[0], rate, 1, True)
            m = replace(m, p_value=alone.p_value, ci_low=alone.ci_low, ci_high=alone.ci_high, method=alone.method)
        fixed_p = m.p_value
        if self.at is not None:
            m = repeated(m, self.at)
        done = replace(m.put_into(blank), ci_method=m.method)
        refusal = _refusal(pairs, sum(int(np.count_nonzero(p.d)) for p in some), self.again)
        if refusal is not None:
            return refused(done, *refusal, rate)
        if m.p_value is None:
            return refused(done, "zero_variance", "Every task moved by exactly the same amount, so there is no error to judge it by.", rate)
        p_tost, low, high = macro_equivalence(m, blank.margin, self.at)
        n_stimuli = len(self.plan.stimuli_of[h.library])
        name = blank.treated
        if h.scope == "primary":
            name += f" (mean of {n_stimuli} {'sentence' if n_stimuli == 1 else 'sentences'})"
        done = replace(done, p_tost=p_tost)
        equivalent = not self.exact and -blank.margin < low and high < blank.margin
        return Result(done, rate, say.Figures(done, name, m.diff, low, high), equivalent, fixed_p=fixed_p)

    def aa(self) -> list[Comparison]:
        """The baseline against its own repeat: a cell for each task, and one over the tasks that can silence a model."""
        found: list[Comparison] = []
        places = [(model, *self.plan.setting_of[setting].factors) for model, setting in self.tables]
        seen = [list(dict.fromkeys(values)) for values in zip(*places, strict=True)]
        order = {key: [s.index(v) for s, v in zip(seen, p, strict=True)] for key, p in zip(self.tables, places, strict=True)}
        for model, setting in sorted(self.tables, key=order.__getitem__):  # each factor in the order in which its levels were sent
            tables = self.tables[model, setting]
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
            f"({say.points(test.diff)} points, {say.p_text(test.p_value)})."
        )
        return replace(
            test.put_into(self._blank(h, [p])), scope="aa", n_family=len(self.n_items), mde=None, notes=(), adjustment="none",
            status="ok" if changed else "no_discordant_pairs", verdict="refused", sentence=text,
        )  # fmt: skip

    def _aa_macro(self, h: Hypothesis, cells: Sequence[tuple[Pairs, Comparison]]) -> Comparison:
        pairs = [p for p, _ in cells]
        estimate = float(np.mean([p.d.mean() for p in pairs]))
        se = float(np.sqrt(sum(task_se(p) ** 2 for p in pairs))) / len(pairs)
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
    return Result(replace(comparison, status=status, verdict="refused", sentence=reason), rate)


def judge(results: Sequence[Result]) -> list[Comparison]:
    """Adjust within families over everything planned, then give each comparison its verdict and sentence."""
    found: list[Comparison | None] = [None] * len(results)
    families: dict[str, list[int]] = {}
    for index, result in enumerate(results):
        families.setdefault(result.comparison.family, []).append(index)
    for members in families.values():
        method = results[members[0]].comparison.adjustment
        own = [results[i].comparison if results[i].figures else None for i in members]
        open_p = [1.0 if c is None or c.p_value is None else c.p_value for c in own]
        tost_p = [1.0 if c is None or c.p_tost is None else c.p_tost for c in own]
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
    c = replace(c, p_adjusted=p, p_tost_adjusted=p_tost if c.p_tost is not None else None)
    figures = replace(result.figures, c=c)
    verdict: Verdict = "unclear"
    sentence = say.unsettled(figures)
    if changed and same:
        verdict, sentence = "negligible", say.negligible(figures)
    elif changed:
        verdict, sentence = ("helps" if figures.diff > 0 else "hurts"), say.change(figures)
    elif same:
        verdict, sentence = "same", say.equivalent(figures)
    return replace(c, verdict=verdict, sentence=sentence)


def silenced(c: Comparison) -> Comparison:
    """The comparison without its verdict: the model failed its A/A check."""
    return replace(c, status="aa_failed", verdict="refused", sentence=say.aa_failed(c.model))

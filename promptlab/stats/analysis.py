"""From the trials frame and the frozen plan to comparisons with verdicts.

Scores are averaged inside (item, arm) over replicates and base prompts, then paired by item. Every planned hypothesis gives
exactly one comparison; one that cannot be judged is refused, with a status and a reason, and enters its family with p = 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats as st

from promptlab.nouns import AA_ARM, NONE_ARM, Comparison, Contrast, Hypothesis, Plan, Status
from promptlab.stats import sentences as say
from promptlab.stats.core import Inference, Pairs, error_of_task, infer, like_sentences, like_these, min_level
from promptlab.stats.multiplicity import ADJUSTMENT, adjust, contrast_of
from promptlab.stats.power import Looked
from promptlab.stats.tables import ItemTable, item_tables

LEAST_ITEMS = 20
UNFINISHED = 0.05
"""Where more of the planned trials are not even recorded, a run is not at its end, and a verdict would be an unplanned look."""
AA_LEVEL = 0.999


class Loss(NamedTuple):
    """Treatment and control of a contrast in one task: planned answers, those without a score, and the sum of all scores."""

    planned: tuple[int, int]
    lost: tuple[int, int]
    scores: tuple[float, float]

    @property
    def shares(self) -> tuple[float, float]:
        return self.lost[0] / max(self.planned[0], 1), self.lost[1] / max(self.planned[1], 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the difference could lie, whatever the lost answers of either side were (Manski 1990)."""
        treatment, control = (total / max(n, 1) for total, n in zip(self.scores, self.planned, strict=True))
        t, c = self.shares
        return treatment - control - c, treatment + t - control


@dataclass(frozen=True, slots=True)
class Result:
    """A comparison before its p-values are adjusted, with what its sentence will need."""

    comparison: Comparison
    rate: float
    figures: say.Figures | None = None
    doubt: tuple[Status, str] | None = None
    """What stands against a finding, said where the verdict is unclear."""
    mute: bool = False
    """Whether that alone makes it unclear, whatever the figures are."""
    fixed_p: float | None = None
    """The p-value of the same data without any look, where looks are planned."""
    uneven: bool = False
    """Whether one side lost a larger share of its answers in some task."""


class Analysis:
    """Item means of a run, and the comparisons between its arms. `at` says at which planned look its trials end.

    With `complete` false the trials are a chosen part, and items that are not among them do not count as missing.
    """

    def __init__(self, trials: pd.DataFrame, plan: Plan, at: Looked | None = None, *, complete: bool = True) -> None:
        self.plan = plan
        self.complete = complete
        self.at = at
        self.trials = trials
        self.n_items = {task.name: task.n_items for task in plan.tasks}
        self.family_sizes = Counter(h.family for h in plan.hypotheses)
        self.again = "" if plan.imported else say.AGAIN
        self.exact = plan.reconstructed
        """Items were rebuilt from counts of changed answers: only the sign test on those counts means anything."""
        self.tables = item_tables(trials)
        self.favour: bool | None = None
        """Where set, the excess loss of one side is put in: at its best for the treatment, or at its worst."""
        self._known: dict[tuple[Any, ...], Pairs] = {}

    def at_worst(self, favour: bool) -> Analysis:
        """The same trials with what one side lost more than the other put in: all for the treatment, or all against it."""
        other = copy(self)
        other.favour, other._known = favour, {}
        return other

    @cached_property
    def recorded(self) -> pd.Series[int]:
        """(model, setting, task, arm): the trials that are recorded, scored or not."""
        return self.trials.groupby(["model", "setting", "task", "arm"], observed=True).size()

    def pairs(self, h: Hypothesis, task: str) -> Pairs:
        """The paired item means of one task under one hypothesis."""
        place, contrast = (h.model, h.setting.id), contrast_of(h, self.plan)
        key = (place, task, contrast.treatments, contrast.controls)
        if key not in self._known:
            table = self._table(h, task)
            if self.favour is not None:
                table = self._filled(table, contrast, self.loss(h, task))
            b = np.mean([table.mean(arms) for arms in contrast.controls], axis=0)
            planned = self.n_items[task] if self.complete else None
            controls = contrast.control_arms if h.control == "placebo" else ()
            self._known[key] = table.pairs(table.mean(contrast.treatments), b, planned, controls)
        return self._known[key]

    def _table(self, h: Hypothesis, task: str) -> ItemTable:
        empty = ItemTable(task=task, items=np.empty(0, dtype=object), arms={}, scores=np.empty((0, 0)), counts=np.empty((0, 0)))
        return self.tables.get((h.model, h.setting.id), {}).get(task) or empty

    def _due(self, table: ItemTable) -> np.ndarray:
        """Answers that each item of a task should have in each arm, items without any record included."""
        least = 1 if self.plan.imported else self.plan.answers_an_item
        most = table.counts.max(axis=1, initial=0) if self.plan.imported else np.zeros(len(table.items))
        unseen = np.full(max(self.n_items[table.task] - len(table.items), 0), least)
        return np.concatenate([np.maximum(most, least), unseen])

    def loss(self, h: Hypothesis, task: str) -> Loss:
        """What each side of a contrast lost in one task, in answers."""
        table, contrast = self._table(h, task), contrast_of(h, self.plan)
        due, sides = self._due(table), []
        for arms in (contrast.treatments, [arm for group in contrast.controls for arm in group]):
            columns = [table.arms[arm] for arm in arms if arm in table.arms]
            had = np.minimum(table.counts[:, columns], due[: len(table.items), None])
            planned = int(due.sum()) * len(arms) if self.complete else int(had.sum())
            sides.append((planned, planned - int(had.sum()), float(np.nansum(had * table.scores[:, columns]))))
        planned_, lost, scores = zip(*sides, strict=True)
        return Loss(planned=planned_, lost=lost, scores=scores)

    def _filled(self, table: ItemTable, contrast: Contrast, loss: Loss) -> ItemTable:
        """The table with the excess loss of the side that lost more, at 0 or 1; what both sides lost alike stays missing."""
        shares, due = loss.shares, self._due(table)
        more = int(shares[1] > shares[0])
        share = 1 - shares[1 - more] / shares[more] if shares[more] else 0.0
        worst = float(self.favour == (more == 0))
        arms = list(dict.fromkeys((*contrast.treatments, *contrast.control_arms)))
        n, n_more = len(table.items), len(due) - len(table.items)
        had, scores = np.zeros((len(due), len(arms))), np.full((len(due), len(arms)), np.nan)
        for i, arm in enumerate(arms):
            if arm in table.arms:
                had[:n, i], scores[:n, i] = table.counts[:, table.arms[arm]], table.scores[:, table.arms[arm]]
        sides = [[arms.index(arm) for arm in side] for side in (contrast.treatments, contrast.control_arms)]
        other = np.isfinite(scores[:, sides[1 - more]]).all(axis=1)
        for i in sides[more]:
            put = share * np.maximum(due - had[:, i], 0)
            part = had[:, i] > 0
            scores[part, i] = (scores[part, i] * had[part, i] + worst * put[part]) / (had[part, i] + put[part])
            empty = np.flatnonzero(~part)
            empty = empty[np.argsort(~other[empty], kind="stable")]  # an item that makes a pair first
            scores[empty[: round(share * len(empty) + 0.499)], i] = worst
        unseen = np.array([f"(not recorded {i})" for i in range(n_more)], dtype=object)
        clusters = None if table.clusters is None else np.concatenate([table.clusters, unseen])
        return replace(
            table, items=np.concatenate([table.items, unseen]), arms={arm: i for i, arm in enumerate(arms)}, scores=scores, counts=had,
            clusters=clusters,
        )  # fmt: skip

    def compare(self, h: Hypothesis) -> Result:
        """One hypothesis, unadjusted."""
        rate = self.plan.fdr if h.scope == "cell" else self.plan.alpha
        tasks = list(self.n_items) if h.task is None else [h.task]
        pairs, losses = [self.pairs(h, task) for task in tasks], [self.loss(h, task) for task in tasks]
        some = [p for p in pairs if len(p.s)]
        blank = self._blank(h, pairs, losses)
        if not some:
            return refused(blank, "missing_pairs", say.not_run(h.treatment, self.again), rate)
        uneven = any(abs(loss.shares[0] - loss.shares[1]) > 1e-12 for loss in losses)
        these = infer(some, rate, self.family_sizes[h.family], self.exact)
        like = like_these(some) if h.scope != "cell" else None
        claim = these if blank.generalises == "these" else like
        done, others = these.put_into(blank), None
        if h.control == "placebo" and claim is not None:
            contrast = contrast_of(h, self.plan)
            weights = [sum((arm in g) / len(g) for g in contrast.controls) / len(contrast.controls) for arm in contrast.control_arms]
            others = like_sentences(some, claim, weights, len(contrast.treatments))
        own, wide, beyond = ((found and found.ci) or (None, None) for found in (these, like, others))
        done = replace(done, ci_neutral_low=beyond[0], ci_neutral_high=beyond[1])
        if h.scope != "cell" or blank.neutral != "these":
            done = replace(done, ci_fixed_low=own[0], ci_fixed_high=own[1], ci_like_low=wide[0], ci_like_high=wide[1])
        if blank.neutral != "these":
            claim = others
        if len(some) == 1:
            done = replace(done, se=error_of_task(some[0]))
        if self._unfinished(h, losses):
            return refused(done, "missing_pairs", say.unfinished(blank.n_pairs, blank.n_planned, self.again), rate)
        if self.at is not None and h.scope == "cell" and len(self.n_items) > 1:
            return refused(replace(done, p_value=None), "not_planned", say.CELL_OF_LOOKS, rate)
        if claim is None:
            few = len(some) == 1 and blank.neutral == "these"
            claim = replace(these, p_value=None, status="n_too_small" if few else "zero_variance", table=None, error=0.0)
        fixed_p = claim.p_value
        if self.at is not None:
            claim = claim.repeated(self.at)
        done = claim.put_into(done)
        level = rate if self.at is None else float(st.norm.sf(self.at.bound(2 * rate)))
        tost = None if self.exact else claim.equivalence(blank.margin, level)
        if tost is not None:
            p_tost = tost[0] if self.at is None else self.at.one_sided(tost[0])
            done = replace(done, p_tost=p_tost)
        _, low, high = tost or (None, None, None)
        name = blank.treated
        if h.scope == "primary":
            n_stimuli = len(self.plan.stimuli_of[h.library])
            name += f" (mean of {n_stimuli} {'sentence' if n_stimuli == 1 else 'sentences'})"
        only = some[0].task if len(self.n_items) == 1 or h.task else None
        sd = these.sd if len(some) == 1 else None
        figures = say.Figures(c=done, treatment=name, diff=claim.diff, low=low, high=high, conf=1 - 2 * rate, sd=sd, task=only)
        mute = claim.status == "too_few_clusters" or done.n_pairs < LEAST_ITEMS or claim.p_value is None
        doubt = self._doubt(claim, some, blank, rate)
        return Result(comparison=done, rate=rate, figures=figures, doubt=doubt, mute=mute, fixed_p=fixed_p, uneven=uneven)

    def _doubt(self, claim: Inference, some: Sequence[Pairs], blank: Comparison, rate: float) -> tuple[Status, str] | None:
        """Why so few items, clusters or changed answers cannot settle anything, with what would."""
        least, n = min_level(rate, self.exact), blank.n_pairs
        if claim.status == "too_few_clusters":
            return claim.status, say.too_few_clusters(sum(len(set(p.codes)) for p in some))
        if n < LEAST_ITEMS:
            return "n_too_small", say.too_few_items(n, LEAST_ITEMS)
        if claim.n_nonzero == 0:
            return "no_discordant_pairs", say.no_change(n, claim.n_exact, blank.margin, rate)
        if claim.p_value is None:
            if blank.neutral != "these":
                return "zero_variance", say.FEW_SENTENCES
            return "zero_variance", say.ONE_TASK if len(some) == 1 else say.ALL_ALIKE
        if claim.n_nonzero < least:
            return "cannot_be_significant", say.too_few_changes(claim.n_nonzero, n, least)
        return None

    def _unfinished(self, h: Hypothesis, losses: Sequence[Loss]) -> bool:
        """Whether trials that were never recorded, not failed ones, are what both sides lack."""
        if self.plan.imported or self.favour is not None or all(min(loss.shares) <= UNFINISHED for loss in losses):
            return False
        contrast = contrast_of(h, self.plan)
        tasks = list(self.n_items) if h.task is None else [h.task]
        arms = (*contrast.treatments, *contrast.control_arms)
        here = sum(int(self.recorded.get((h.model, h.setting.id, task, arm), 0)) for task in tasks for arm in arms)
        planned = sum(int(self._due(self._table(h, task)).sum()) for task in tasks) * len(arms)
        return here < (1 - UNFINISHED) * planned

    def _blank(self, h: Hypothesis, pairs: Sequence[Pairs], losses: Sequence[Loss]) -> Comparison:
        some = [p for p in pairs if len(p.s)]
        sides = zip(*[(p.b.mean(), p.s.mean(), p.d.mean()) for p in some], strict=True)
        control, treatment, diff = (float(np.mean(side)) for side in sides) if some else (None, None, None)
        contrast, loop = contrast_of(h, self.plan), self.plan.looped.get(h.strategy)
        lost, planned = (np.sum([getattr(loss, name) for loss in losses], axis=0) for name in ("lost", "planned"))
        low, high = np.mean([loss.bounds for loss in losses], axis=0).tolist()
        like = self.plan.generalise == "like_these" and h.scope != "cell" and len(self.n_items) > 1
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
            missing_treatment=float(lost[0] / max(planned[0], 1)),
            missing_control=float(lost[1] / max(planned[1], 1)),
            worst_low=low,
            worst_high=high,
            generalises="like_these" if like else "these",
            neutral=self.plan.neutral if h.control == "placebo" else "these",
        )

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
                p = table.pairs(table.mean([AA_ARM]), table.mean([NONE_ARM]), self.n_items[task] if self.complete else None)
                if len(p.s):
                    cells.append((p, self._aa_cell(replace(h, task=task), p)))
            found += [c for _, c in cells]
            if cells:
                found.append(self._aa_macro(h, cells))
        return found

    def _aa_cell(self, h: Hypothesis, p: Pairs) -> Comparison:
        test = infer([p])
        changed = test.n_nonzero
        text = (
            f"{changed} of {len(p.s)} items scored differently when the baseline was asked again "
            f"({say.points(test.diff)} points, {say.p_text(test.p_value)})."
        )
        return replace(
            test.put_into(self._blank(h, [p], [self.loss(h, p.task)])), scope="aa", n_family=len(self.n_items), mde=None, notes=(),
            adjustment="none", status="ok" if changed else "no_discordant_pairs", verdict="refused", sentence=text,
        )  # fmt: skip

    def _aa_macro(self, h: Hypothesis, cells: Sequence[tuple[Pairs, Comparison]]) -> Comparison:
        """Fails where more tasks differ than 99.9 % of honest runs show, or 0 lies outside the 99.9 % interval of the mean."""
        pairs = [p for p, _ in cells]
        found = infer(pairs)
        low, high = found.interval(AA_LEVEL) or (found.diff, found.diff)
        n_low = sum(1 for _, c in cells if c.p_value is not None and c.p_value <= 0.05)
        limit = int(st.binom.ppf(AA_LEVEL, len(cells), 0.05))
        failed = n_low > limit or low > 1e-12 or high < -1e-12
        n = sum(len(p.d) for p in pairs)
        over = f", {say.points(found.diff)} points" + (f" over {len(pairs)} tasks" if len(pairs) > 1 else "")
        text = (
            say.aa_failed(h.model)
            if failed
            else f"The baseline agrees with its own repeat: {found.n_nonzero} of {n} item scores differ{over}."
        )
        blank = self._blank(replace(h, scope="stimulus"), pairs, [self.loss(h, p.task) for p in pairs])
        return replace(
            blank, scope="aa", n_family=len(cells), diff=found.diff, ci_low=low, ci_high=high, ci_method=f"{found.ci_method}, 99.9 %",
            method=found.method, adjustment="none", status="aa_failed" if failed else "ok", verdict="refused", sentence=text,
        )  # fmt: skip


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
        own = [results[i].comparison if results[i].figures and not results[i].mute else None for i in members]
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
    c = replace(c, p_adjusted=None if c.p_value is None else p, p_tost_adjusted=None if c.p_tost is None else p_tost)
    figures = replace(result.figures, c=c)
    changed = p <= result.rate and not result.mute
    same = c.p_tost is not None and p_tost <= result.rate and not result.mute
    if changed and same:
        return replace(c, status="ok", verdict="negligible", sentence=say.negligible(figures))
    if changed:
        return replace(c, status="ok", verdict="helps" if figures.diff > 0 else "hurts", sentence=say.change(figures))
    if same:
        return replace(c, status="ok", verdict="same", sentence=say.equivalent(figures))
    status, why = result.doubt or ("ok", "")
    return replace(c, status=status, verdict="unclear", sentence=say.unsettled(figures, why))


def settled(results: Callable[[bool | None], Sequence[Result]]) -> list[Comparison]:
    """The verdicts, without those that hang on answers which only one side lost.

    `results` gives the results as recorded (None), and with the excess loss of one side against or for the treatment (False, True).
    """
    recorded = results(None)
    found = judge(recorded)
    if not any(result.uneven for result in recorded):
        return found
    against, favour = (judge(results(side)) for side in (False, True))
    made = []
    for result, c, low, high in zip(recorded, found, against, favour, strict=True):
        hangs = {low.verdict, high.verdict} != {c.verdict} and (c.verdict != "unclear" or len({low.verdict, high.verdict, "unclear"}) == 3)
        if not result.uneven or c.verdict == "refused" or not hangs:
            made.append(c)
        else:
            made.append(replace(c, status="missing_pairs", verdict="refused", sentence=say.lost(c, low, high)))
    return made


def silenced(c: Comparison) -> Comparison:
    """The comparison without its verdict: the model failed its A/A check."""
    return replace(c, status="aa_failed", verdict="refused", sentence=say.aa_failed(c.model))

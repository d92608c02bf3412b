"""From the trials frame and the frozen plan to comparisons with verdicts.

Scores are averaged inside (item, arm) over replicates and base prompts, then paired by item. Every planned hypothesis gives
exactly one comparison; one that cannot be judged is refused, with a status and a reason, and enters its family with p = 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, ArmRef, Comparison, Contrast, Hypothesis, Plan, Status, Verdict, contrast_of, counted, grouped
from promptlab.stats import laws as st
from promptlab.stats import sentences as say
from promptlab.stats.best import maxt_stepdown
from promptlab.stats.core import Inference, infer, like_levels, like_sentences, like_these, mean_of, min_level
from promptlab.stats.multiplicity import adjust, adjustment_of, margin_of
from promptlab.stats.pairs import Pairs
from promptlab.stats.power import Looked
from promptlab.stats.sides import Compared, joint, sides_of
from promptlab.stats.tables import ItemTable, Place, item_tables, with_prompts

LEAST_ITEMS = 20
UNFINISHED = 0.0
"""Where more of the planned trials are not even recorded, a run is not at its end, and a verdict would be an unplanned interim analysis."""
AA_LEVEL = 0.999


@dataclass(frozen=True, slots=True)
class Result:
    """A comparison before its p-values are adjusted, with what its sentence will need."""

    comparison: Comparison
    rate: float
    figures: say.Figures | None = None
    doubt: tuple[Status, str] | None = None
    """Objections to a finding, said where the verdict is unclear."""
    mute: bool = False
    """Whether that alone makes it unclear, whatever the figures are."""
    fixed_p: float | None = None
    """The p-value of the same data without any interim analysis, where some are planned."""
    uneven: bool = False
    """Whether one side lost a larger share of its answers in some task."""
    units: np.ndarray | None = None
    """Of all pairs: the differences of all independent units, whose signs flip together in every pair; NaN without one."""


class Analysis:
    """Item means of a run, and the comparisons between its arms. `at` says at which planned interim analysis its trials end.

    With `complete` false the trials are a chosen part, and items that are not among them do not count as missing.
    """

    def __init__(self, trials: pd.DataFrame, plan: Plan, at: Looked | None = None, *, complete: bool = True) -> None:
        self.plan = plan
        self.complete = complete
        self.at = at
        self.trials = with_prompts(trials)
        self.n_items = {task.name: task.n_items for task in plan.tasks}
        self.family_sizes = Counter(h.family for h in plan.hypotheses)
        self.again = "" if plan.imported else say.AGAIN
        self.exact = plan.reconstructed
        """Items were rebuilt from counts of changed answers: only the sign test on those counts means anything."""
        self.tables = item_tables(trials)
        self.favour: bool | None = None
        """Where set, the excess loss of one side is put in: at its best for the treatment, or at its worst."""
        self._known: dict[tuple[Any, ...], Compared] = {}

    def at_worst(self, favour: bool) -> Analysis:
        """The same trials with what one side lost more than the other put in: all for the treatment, or all against it."""
        other = copy(self)
        other.favour, other._known = favour, {}
        return other

    @cached_property
    def recorded(self) -> Mapping[tuple[str | None, ...], int]:
        """By model, setting, task, arm and base prompt (None: all): the trials that are recorded, scored or not."""
        found: Counter[tuple[str | None, ...]] = Counter()
        by = ["model", "setting", "task", "arm", "base_prompt"]
        for *place, prompt, n in self.trials.groupby(by, observed=True).size().reset_index().itertuples(index=False, name=None):
            found[*place, prompt] += n
            found[*place, None] += n
        return found

    def compared(self, contrast: Contrast, task: str) -> Compared:
        """Both sides of a contrast in one task: pairs, losses, and what was planned."""
        key = (contrast.weights, task)
        if key not in self._known:
            sides = sides_of(contrast, task, self.plan, self.tables, self._rows if self.plan.imported else None)
            self._known[key] = sides.compared(sides.n_asked if self.plan.imported else self.n_items[task], self.complete, self.favour)
        return self._known[key]

    @cached_property
    def _rows(self) -> Mapping[Place, Mapping[str, ItemTable]]:
        """How many trials of each item and arm are recorded, scored or not, as the counts of tables."""
        return item_tables(self.trials.assign(score=1.0))

    def compare(self, h: Hypothesis) -> Result:
        """One hypothesis, unadjusted."""
        contrast = contrast_of(h, self.plan)
        return _scaled(self._compare(h, contrast), contrast.scale)

    def _compare(self, h: Hypothesis, contrast: Contrast) -> Result:
        """The same, of an interaction in halves: core and margin see differences of at most 1."""
        rate = self.plan.alpha if h.task is None else self.plan.fdr
        tasks = self.plan.tasks_with({ref.prompt for ref, _ in contrast.weights}) if h.task is None else [h.task]
        found = [self.compared(contrast, task) for task in tasks]
        some = [one.pairs for one in found if len(one.pairs.s)]
        blank = self._blank(h, contrast, found)
        if not some:
            return refused(blank, "missing_pairs", say.not_run(h.treatment, self.again, self._n_recorded(tasks, contrast)), rate)
        uneven = any(abs(one.loss.shares[0] - one.loss.shares[1]) > 1e-12 for one in found)
        these = infer(some, rate, self.family_sizes[h.family], self.exact)
        like = like_these(some) if h.task is None else None
        claim = these if blank.generalises == "these" else like
        neutral = h.control == "placebo" or h.scope == "wording"
        others = like_sentences(some, claim, contrast.each(1), contrast.each(-1)) if neutral and claim is not None else None
        own, wide, beyond = ((one and one.ci) or (None, None) for one in (these, like, others))
        known: dict[str, Any] = {"ci_neutral_low": beyond[0], "ci_neutral_high": beyond[1]}
        if h.task is None or blank.neutral != "these":
            known |= {"ci_fixed_low": own[0], "ci_fixed_high": own[1], "ci_like_low": wide[0], "ci_like_high": wide[1]}
        if len(some) == 1:
            known["se"] = these.error
        if blank.neutral != "these":
            claim = others
        if contrast.random:
            levels = [one.levels for one in found if len(one.pairs.s)]
            claim = like_levels(claim, levels, contrast.random) if claim is not None else None
        if self._unfinished(tasks, contrast, found):
            why = say.unfinished(blank.n_pairs, blank.n_planned, self.again)
            return refused(replace(blank, **known, **these.fields()), "missing_pairs", why, rate)
        if self.at is not None and h.task is not None and len(self.n_items) > 1:
            return refused(replace(blank, **(these.fields() | known | {"p_value": None})), "not_planned", say.CELL_OF_LOOKS, rate)
        if claim is None:
            few = len(some) == 1 and blank.neutral == "these"
            claim = replace(these, p_value=None, status="n_too_small" if few else "zero_variance", table=None, error=0.0)
        fixed_p = claim.p_value
        if self.at is not None:
            claim = claim.repeated(self.at)
        level = rate if self.at is None else float(st.norm.sf(self.at.bound(2 * rate)))
        tost = None if self.exact else claim.equivalence(blank.margin, level)
        if tost is not None:
            known["p_tost"] = tost[0] if self.at is None else self.at.one_sided(tost[0])
        done = replace(blank, **known, **claim.fields())
        _, low, high = tost or (None, None, None)
        name = blank.treated
        if h.scope == "primary":
            n_stimuli = len(self.plan.stimuli_of[h.library])
            name += f" (mean of {n_stimuli} {'sentence' if n_stimuli == 1 else 'sentences'})"
        only = some[0].task if len(self.n_items) == 1 or h.task else None
        sd = these.sd if len(some) == 1 else None
        figures = say.Figures(c=done, treatment=name, diff=claim.diff, low=low, high=high, conf=1 - 2 * rate, sd=sd, task=only)
        doubt = self._doubt(claim, some, blank, rate, random=contrast.random is not None)
        mute = claim.status in ("too_few_clusters", "n_too_small") or done.n_pairs < LEAST_ITEMS or claim.p_value is None
        mute |= doubt is not None and doubt[0] == "zero_variance"
        units = joint([one.units for one in found]) if h.scope == "pair" else None
        return Result(done, rate, figures=figures, doubt=doubt, mute=mute, fixed_p=fixed_p, uneven=uneven, units=units)

    def _doubt(self, claim: Inference, some: Sequence[Pairs], blank: Comparison, rate: float, *, random: bool) -> tuple[Status, str] | None:
        """Why so few items, clusters or changed answers cannot settle anything, with what would."""
        least, n = min_level(rate, self.exact), blank.n_pairs
        if claim.status == "too_few_clusters":
            return claim.status, say.too_few_clusters(sum(len(set(p.codes)) for p in some))
        if n < LEAST_ITEMS:
            return "n_too_small", say.too_few_items(n, LEAST_ITEMS)
        if claim.status == "n_too_small" and len(some) > 1:
            return claim.status, say.SMALL_TASKS
        if claim.n_nonzero == 0:
            return "no_discordant_pairs", say.no_change(n, claim.n_exact, blank.margin, rate)
        if claim.p_value is None:
            if blank.neutral != "these" or random:
                return "zero_variance", say.FEW_LEVELS if random else say.FEW_SENTENCES
            return "zero_variance", say.ONE_TASK if len(some) == 1 else say.ALL_ALIKE
        if claim.status == "zero_variance" and len(some) == 1 and (unseen := 1 - rate ** (1 / n)) > abs(claim.diff) * (1 - unseen):
            return claim.status, say.all_equal(n, unseen, rate)
        if claim.n_nonzero < least:
            return "cannot_be_significant", say.too_few_changes(claim.n_nonzero, n, least)
        return None

    def _unfinished(self, tasks: Sequence[str], contrast: Contrast, found: Sequence[Compared]) -> bool:
        """Whether trials that were never recorded, not failed ones, are what both sides lack."""
        if self.plan.imported or self.favour is not None or all(min(one.loss.shares) <= UNFINISHED for one in found):
            return False
        return self._n_recorded(tasks, contrast) < (1 - UNFINISHED) * sum(one.n_due for one in found)

    def _n_recorded(self, tasks: Sequence[str], contrast: Contrast) -> int:
        """How many trials of a contrast are recorded, scored or not."""
        refs = [ref for ref, _ in contrast.weights]
        return sum(self.recorded.get((ref.model, ref.setting, task, ref.arm, ref.prompt), 0) for task in tasks for ref in refs)

    def _blank(self, h: Hypothesis, contrast: Contrast, found: Sequence[Compared]) -> Comparison:
        pairs, losses = [one.pairs for one in found], [one.loss for one in found]
        some = [p for p in pairs if len(p.s)]
        treatment, control, diff = (mean_of(side) for side in zip(*[p.means for p in some], strict=True)) if some else (None, None, None)
        loop, both = self.plan.looped.get(h.strategy), contrast.kind == "interaction"
        sides = ([loss.lost for loss in losses], [loss.planned for loss in losses])
        lost, planned = (of_tasks[0] if len(losses) == 1 else np.sum(of_tasks, axis=0) for of_tasks in sides)
        low, high = losses[0].bounds if len(losses) == 1 else np.mean([loss.bounds for loss in losses], axis=0).tolist()
        like = self.plan.generalise == "like_these" and h.task is None and len(self.n_items) > 1
        return Comparison(
            **{name: getattr(h, name) for name in h.__dataclass_fields__},
            simulated=any(self.plan.model_of[ref.model].simulated for ref, _ in contrast.weights),
            suite=self.plan.task_of[h.task].suite if h.task is not None else self.plan.suite,
            oracle=loop is not None and loop.oracle,
            control_arms=tuple(dict.fromkeys(ref.arm for ref in contrast.side(-1))),
            n_planned=sum(p.n_planned for p in pairs),
            n_pairs=sum(len(p.s) for p in pairs),
            n_missing=sum(p.n_missing for p in pairs),
            n_tasks=len(some),
            mean_control=None if both else control,
            mean_treatment=None if both else treatment,
            diff=diff,
            margin=margin_of(h, self.plan) / contrast.scale,
            adjustment=adjustment_of(h),
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
            cells: list[tuple[Compared, Comparison]] = []
            for task in self.n_items:
                table = tables.get(task)
                if table is None or not table.has(NONE_ARM) or not table.has(AA_ARM):
                    continue
                both = self.compared(self._again(model, setting, table), task)
                if len(both.pairs.s):
                    cells.append((both, self._aa_cell(replace(h, task=task), both)))
            found += [c for _, c in cells]
            if cells:
                found.append(self._aa_macro(h, [both for both, _ in cells], [c for _, c in cells]))
        return found

    def _again(self, model: str, setting: str, table: ItemTable) -> Contrast:
        """The baseline's own repeat, in all base prompts or in the only one that has a repeat."""
        asked = [prompt for prompt, part in table.by_prompt.items() if part.has(AA_ARM)]
        prompt = asked[0] if len(asked) == 1 < len(table.by_prompt) else None
        refs = [ArmRef(model=model, setting=setting, arm=arm, prompt=prompt) for arm in (AA_ARM, NONE_ARM)]
        return Contrast(name="the baseline again", weights=((refs[0], 1.0), (refs[1], -1.0)))

    def _aa_cell(self, h: Hypothesis, both: Compared) -> Comparison:
        test, p = infer([both.pairs]), both.pairs
        changed = test.n_nonzero
        text = (
            f"{changed} of {len(p.s)} items scored differently when the baseline was sent again "
            f"({say.points(test.diff)} points, {say.p_text(test.p_value)})."
        )
        return replace(
            self._blank(h, contrast_of(h, self.plan), [both]), **test.fields() | {
                "scope": "aa", "n_family": len(self.n_items), "mde": None, "notes": (), "adjustment": "none",
                "status": "ok" if changed else "no_discordant_pairs", "verdict": "refused", "sentence": text,
            },
        )  # fmt: skip

    def _aa_macro(self, h: Hypothesis, both: Sequence[Compared], cells: Sequence[Comparison]) -> Comparison:
        """Fails where more tasks differ than 99.9 % of honest runs show, or 0 lies outside the 99.9 % interval of the mean."""
        pairs = [one.pairs for one in both]
        found = infer(pairs)
        low, high = found.interval(AA_LEVEL) or (found.diff, found.diff)
        n_low = sum(1 for c in cells if c.p_value is not None and c.p_value <= 0.05)
        limit = st.at_most(AA_LEVEL, len(cells), 0.05)
        failed = n_low > limit or low > 1e-12 or high < -1e-12
        n = sum(len(p.d) for p in pairs)
        over = f" (difference {say.points(found.diff)} points" + (f" over {len(pairs)} tasks)" if len(pairs) > 1 else ")")
        text = (
            say.aa_failed(h.model)
            if failed
            else f"The baseline and its own repeat agree on average{over}; single scores differ on {found.n_nonzero:,} of {counted(n)}."
        )
        blank = self._blank(h, contrast_of(h, self.plan), both)
        return replace(
            blank, scope="aa", n_family=len(cells), diff=found.diff, ci_low=low, ci_high=high, ci_method=f"{found.ci_method}, 99.9 %",
            method=found.method, adjustment="none", status="aa_failed" if failed else "ok", verdict="refused", sentence=text,
        )  # fmt: skip


FRACTIONS = (
    "diff", "ci_low", "ci_high", "margin", "mde", "se", "worst_low", "worst_high", "ci_fixed_low", "ci_fixed_high", "ci_like_low",
    "ci_like_high", "ci_neutral_low", "ci_neutral_high",
)  # fmt: skip
"""What of a comparison is a difference of scores."""


def _scaled(result: Result, times: float) -> Result:
    """The result with its differences so many times as large."""
    if times == 1:
        return result
    c, f = result.comparison, result.figures
    larger = replace(c, **{name: value * times for name in FRACTIONS if (value := getattr(c, name)) is not None})
    if f is not None:
        f = replace(f, **{name: value * times for name in ("diff", "low", "high", "sd") if (value := getattr(f, name)) is not None})
    return replace(result, comparison=larger, figures=f)


def refused(comparison: Comparison, status: Status, reason: str, rate: float) -> Result:
    """A comparison without a verdict: a value with a reason, never an exception or NaN."""
    return Result(replace(comparison, status=status, verdict="refused", sentence=reason), rate)


def judge(results: Sequence[Result]) -> list[Comparison]:
    """Adjust within families over everything planned, then give each comparison its verdict and sentence."""
    found: list[Comparison | None] = [None] * len(results)
    families = grouped((result.comparison.family, index) for index, result in enumerate(results))
    for members in families.values():
        method = results[members[0]].comparison.adjustment
        own = [results[i].comparison if results[i].figures and not results[i].mute else None for i in members]
        open_p = [1.0 if c is None or c.p_value is None else c.p_value for c in own]
        tost_p = [1.0 if c is None or c.p_tost is None else c.p_tost for c in own]
        adjusted = _jointly(open_p, [results[i].units for i in members]) if method == "maxt" else adjust(open_p, method=method)
        adjusted_tost = adjust(tost_p, method="fdr_bh" if method == "fdr_bh" else "holm")
        for index, p, p_tost in zip(members, adjusted, adjusted_tost, strict=True):
            found[index] = _verdict(results[index], float(p), float(p_tost), len(members))
    return [comparison for comparison in found if comparison is not None]


def _jointly(p: Sequence[float], units: Sequence[np.ndarray | None]) -> Sequence[float]:
    """p-values of all pairs by the joint law of their differences (step-down maxT); 1 for those that cannot be judged."""
    here = [i for i, (own, row) in enumerate(zip(p, units, strict=True)) if own < 1 and row is not None]
    found = [1.0] * len(p)
    if here:
        joint_p = maxt_stepdown(np.stack([row for i in here if (row := units[i]) is not None])).p_adjusted
        for i, adjusted in zip(here, joint_p, strict=True):
            found[i] = min(1.0, max(adjusted, p[i]) * (len(p) / len(here)))
    return found


def _verdict(result: Result, p: float, p_tost: float, n_family: int) -> Comparison:
    c = result.comparison
    if result.figures is None:
        return replace(c, n_family=n_family)
    figures = replace(result.figures, c=c, p_adjusted=None if c.p_value is None else p, n_family=n_family)
    beyond = c.ci_low is None or c.ci_high is None or not c.ci_low <= 0 <= c.ci_high
    changed = p <= result.rate and not result.mute and beyond
    same = c.p_tost is not None and p_tost <= result.rate and not result.mute
    status: Status = "ok"
    verdict: Verdict = "unclear"
    if changed:
        verdict = "negligible" if same else "helps" if figures.diff > 0 else "hurts"
        sentence = say.negligible(figures) if same else say.change(figures)
    elif same:
        verdict, sentence = "same", say.equivalent(figures)
    else:
        status, why = result.doubt or (("ok", "") if beyond or p > result.rate else ("n_too_small", say.HOLDS_ZERO))
        sentence = say.unsettled(figures, why)
    return replace(
        c, n_family=n_family, p_adjusted=figures.p_adjusted, p_tost_adjusted=None if c.p_tost is None else p_tost,
        status=status, verdict=verdict, sentence=sentence,
    )  # fmt: skip


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


def models_of(c: Comparison) -> set[str]:
    """The models whose answers a comparison compares."""
    return {c.model} if c.contrast is None else {ref.model for ref, _ in c.contrast.weights}


def silenced(c: Comparison, failed: Sequence[str]) -> Comparison:
    """The comparison without its verdict: these models of it failed their A/A check."""
    return replace(c, status="aa_failed", verdict="refused", sentence=" ".join(map(say.aa_failed, failed)))

"""Screen and confirm: the first part of the items chooses arms, and the second part alone judges those that were chosen.

Both parts and the rule are in the plan. The choice is made once, on what the screening part recorded, and kept before anything more is
sent. Since no item of the confirming part had a say in it, the tests there hold at full level for the family of the chosen arms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product
from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, OWN_PROMPT, Plan, PlannedArm, PlannedTask, Setting, contrast_of, flat
from promptlab.nouns.comparison import ArmRef, Contrast, Hypothesis, ScreenRow, screen_rows
from promptlab.stats import laws as st
from promptlab.stats.analysis import Analysis
from promptlab.stats.contrasts import completed, exact, incumbent_of, of_arms
from promptlab.stats.core import infer
from promptlab.stats.looks import MOST_MISSING, ArmKey
from promptlab.stats.paired import DECIMALS

MOST = 2
"""Arms of one question that continue at most: with one good arm of eleven two find it as often as one does, and lose less to a tie."""
LEVEL = 0.8
"""Of the interval that an arm's distance to the best must leave open."""
PLAIN = ("none", "single")


class Screening:
    """The screening part of a run: its questions, and which arms of them continue."""

    def __init__(self, plan: Plan, rows: Iterable[ScreenRow] = ()) -> None:
        if plan.confirm is None:
            raise ValueError("the plan has no confirming part")
        self.plan = completed(plan)
        self.confirm = plan.confirm
        self.rows = list(rows)

    @classmethod
    def thawed(cls, plan: Plan, data: Mapping[str, Any] | None) -> Screening:
        """The choice of a run from its folder."""
        return cls(plan, screen_rows(data or {}))

    def frozen(self) -> dict[str, Any]:
        """The choice as plain data for the run folder."""
        return {"screening": [flat(row) for row in self.rows]}

    @cached_property
    def questions(self) -> Mapping[str, Sequence[Hypothesis]]:
        """The arms that are chosen among each other, each as its difference to what runs today.

        Where prompts, settings or models are arms, all arms of a model are one question; added texts are one in each setting.
        """
        plan, found = self.plan, dict[str, list[Hypothesis]]()
        arms, earlier = of_arms(plan), {arm.name for arm in plan.earlier.arms} if plan.earlier else set()
        base = {model: incumbent_of(plan, model) for model in plan.model_of} if arms else {}
        for (treated, control), place in exact(plan.hypotheses).items() if arms else ():
            for model, today in base.items():
                if control == today and all(ref.model == model and not earlier & {ref.arm, ref.prompt} for ref in treated):
                    found.setdefault(model, []).append(plan.hypotheses[place])
        texts: dict[str, dict[str, Hypothesis]] = {}
        for h in plan.hypotheses:
            if h.scope == "stimulus" and h.treatment not in earlier and (not arms or h.strategy in plan.looped):
                own = texts.setdefault(f"{h.model}, {h.setting.words}" if len(plan.settings) > 1 else h.model, {})
                if h.treatment not in own or h.control in PLAIN:
                    own[h.treatment] = h
        for question, by_text in texts.items():
            found.setdefault(question, []).extend(by_text.values())
        return found

    def decided(self, trials: pd.DataFrame) -> Screening:
        """With a choice among the arms of every question that was open and has its answers."""
        sizes = [task.n_items - n for task, n in zip(self.plan.tasks, self.confirm.items, strict=True)]
        tasks = tuple(replace(task, n_items=n) for task, n in zip(self.plan.tasks, sizes, strict=True))
        analysis = Analysis(trials[trials["order"] < self.confirm.order], replace(self.plan, tasks=tasks))
        return Screening(self.plan, [*self.rows, *(row for question in self.open for row in self._chosen(analysis, question))])

    @cached_property
    def open(self) -> list[str]:
        """The questions without a choice."""
        decided = {row.question for row in self.rows}
        return [question for question in self.questions if question not in decided]

    @property
    def waiting(self) -> list[str]:
        """The note on questions without a choice."""
        text = "the screening part lacks answers, so no arm is chosen yet and nothing is confirmed; the same command sends them"
        return [f"{question}: {text}" for question in self.open]

    def _chosen(self, analysis: Analysis, question: str) -> list[ScreenRow]:
        """The rows of one question; none where what runs today lacks so many answers that the part is not at its end."""
        found = [(h, analysis.compare(h).comparison) for h in self.questions[question]]
        if any((c.missing_control or 0.0) > MOST_MISSING for _, c in found):
            return []
        whole = [(h, c) for h, c in found if c.diff is not None and (c.missing_treatment or 0.0) <= MOST_MISSING]
        if not whole:
            return []
        ranked = sorted(whole, key=lambda both: -round(both[1].diff or 0.0, DECIMALS))  # equal ones in the plan's order
        rows = []
        for h, c in found:
            rank = next((i for i, (other, _) in enumerate(ranked) if other is h), None)
            to_best = high = None
            if rank is None:
                chosen, why = False, "lacks too many of its answers"
            else:
                to_best, high = _behind(analysis, h, ranked[0][0], self.confirm.level) if rank else (0.0, 0.0)
                near = high is not None and high >= 0
                chosen = near and rank < self.confirm.most
                why = "the best" if not rank else "clearly worse than the best" if not near else "near the best"
                if near and not chosen:
                    why = f"near the best, and {self.confirm.most} continue"
            rows.append(
                ScreenRow(
                    question=question, model=h.model, setting=h.setting, treatment=h.treatment, control=h.control, name=c.name,
                    n_pairs=c.n_pairs, score=c.mean_treatment, diff=c.diff, ci_low=c.ci_low, ci_high=c.ci_high, to_best=to_best,
                    to_best_high=high, chosen=chosen, why=why,
                )
            )  # fmt: skip
        return sorted(rows, key=lambda row: -round(row.diff if row.diff is not None else -2.0, DECIMALS))

    @cached_property
    def _prompts(self) -> tuple[str, ...]:
        return (*self.plan.base_prompts, OWN_PROMPT, "")

    def _arms(self, refs: Iterable[ArmRef]) -> set[ArmKey]:
        """Arms with each of their base prompts."""
        return {(r.model, r.setting, r.arm, p) for r in refs for p in ((r.prompt,) if r.prompt is not None else self._prompts)}

    def _sides(self, h: Hypothesis, *signs: int) -> set[ArmKey]:
        contrast = contrast_of(h, self.plan)
        return self._arms(ref for sign in signs or (1, -1) for ref in contrast.side(sign))

    @cached_property
    def _dropped(self) -> set[ArmKey]:
        """Arms that did not continue, unless one that did is compared with them."""
        of_row = {(row.question, row.setting.id, row.treatment): row.chosen for row in self.rows}
        dropped: set[ArmKey] = set()
        kept: set[ArmKey] = set()
        for question, candidates in self.questions.items():
            for h in candidates:
                if of_row.get((question, h.setting.id, h.treatment), True):
                    kept |= self._sides(h)
                else:
                    dropped |= self._sides(h, 1)
        return dropped - kept

    @cached_property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """What the confirming part tests: every planned hypothesis of whose arms none was dropped.

        The chosen arms of a model are one family against each control, whatever they were before.
        """
        first = {id(h) for candidates in self.questions.values() for h in candidates}
        earlier = {arm.name for arm in self.plan.earlier.arms} if self.plan.earlier else set()
        made = []
        for h in self.plan.hypotheses:
            if not self._sides(h) & self._dropped:
                control = "" if h.contrast else f"/{h.control}"
                chosen = id(h) in first or h.scope == "stimulus" or any({key[2], key[3]} & earlier for key in self._sides(h, 1))
                made.append(replace(h, family=f"confirm/{h.model}{control}") if chosen else h)
        return tuple(made)

    def n_prompts(self, model: str, setting: Setting, arm: PlannedArm, task: PlannedTask) -> int:
        """With how many base prompts an arm is sent on the confirming part of a task; with all while a question is without a choice."""
        unneeded, plan = frozenset[ArmKey]() if self.open else self._unneeded, self.plan
        prompts = [p for p in self._prompts if p and (p == OWN_PROMPT or p in plan.prompts_of(task))]
        sent = [p for p in prompts if (model, setting.id, arm.name, p) not in unneeded]
        return min(plan.n_prompts_of(setting, arm, task), len([p for p in sent if p != OWN_PROMPT]) or int(bool(sent)))

    def unneeded(self) -> frozenset[ArmKey]:
        """The arms that are not sent on the confirming part: those that no hypothesis there needs; of a question without a choice, all."""
        return self._unneeded

    @cached_property
    def _unneeded(self) -> frozenset[ArmKey]:
        plan, needed = self.plan, {key for h in self.hypotheses for key in self._sides(h)}
        for model in plan.model_of if of_arms(plan) else ():
            needed |= self._arms(incumbent_of(plan, model))
        waits = {(h.model, None if of_arms(plan) else h.setting.id) for question in self.open for h in self.questions[question]}
        return frozenset(key for key in self._every if self._beside(key, needed) or waits & {(key[0], None), (key[0], key[1])})

    def unscreened(self) -> frozenset[ArmKey]:
        """The arms that are not sent on the screening part: neutral ones, as what is chosen among is compared with what runs today."""
        needed = {key for candidates in self.questions.values() for h in candidates for key in self._sides(h)}
        return frozenset(key for key in self._every if self._beside(key, needed))

    @cached_property
    def _every(self) -> set[ArmKey]:
        plan = self.plan
        places = product(plan.model_of, plan.settings)
        return {(m, s.id, arm.name, prompt) for m, s in places for arm in plan.arms_of(s) for prompt in self._prompts}

    @staticmethod
    def _beside(key: ArmKey, needed: set[ArmKey]) -> bool:
        return key not in needed and key[2] != AA_ARM

    @cached_property
    def confirming(self) -> Plan:
        """The plan of the confirming part: its items, the hypotheses about chosen arms, and the trials that it asks."""
        plan = self.plan
        tasks = tuple(replace(task, n_items=n) for task, n in zip(plan.tasks, self.confirm.items, strict=True))
        n_trials = sum(
            task.n_items * self.n_prompts(model, setting, arm, task) * plan.replicates
            for model, setting, task in product(plan.model_of, plan.settings, tasks)
            for arm in plan.arms_of(setting)
        )
        counts = replace(plan.counts, items=sum(self.confirm.items), trials=n_trials)
        return replace(plan, tasks=tasks, hypotheses=self.hypotheses, counts=counts)

    def of(self, trials: pd.DataFrame) -> pd.DataFrame:
        """The trials of the confirming part; of one that is imported or given without an order, all."""
        return trials[trials["order"] >= self.confirm.order] if "order" in trials else trials


def _behind(analysis: Analysis, h: Hypothesis, best: Hypothesis, level: float) -> tuple[float | None, float | None]:
    """An arm minus the best one on the same items, and the upper end of the interval of that difference."""
    weights: dict[ArmRef, float] = {}
    for sign, one in ((1, h), (-1, best)):
        contrast = contrast_of(one, analysis.plan)
        for ref, weight in contrast.weights:
            if weight > 0:
                weights[ref] = weights.get(ref, 0.0) + sign * weight
    apart = Contrast(name="to the best", weights=tuple((ref, weight) for ref, weight in weights.items() if weight))
    pairs = [analysis.compared(apart, task).pairs for task in analysis.n_items]
    some = [p for p in pairs if len(p.s)]
    if not some:
        return None, None
    found = infer(some)
    ci = found.interval(level)
    return found.diff, found.diff if ci is None else ci[1]


def likely(n_arms: int, most: int = MOST, level: float = LEVEL) -> float:
    """How many of so many arms continue, on average, where nothing works and all errors are independent and alike."""
    import numpy as np

    drawn = np.random.default_rng(0).normal(size=(4_000, max(n_arms, 1)))
    near = drawn.max(axis=1, keepdims=True) - drawn <= float(st.norm.ppf((1 + level) / 2)) * 2**0.5
    return float(np.minimum(near.sum(axis=1), most).mean())

"""Answers that are not whole: cut, empty, refused, or nothing but a thought. They may make a verdict: it says so, or is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from promptlab.nouns import AA_ARM, NONE_ARM, UNWHOLE, ArmRef, Comparison, Contrast, Plan, contrast_of
from promptlab.stats import sentences as say
from promptlab.stats.tables import with_prompts

__all__ = ["UNEVEN", "Shares", "ends", "shares_of", "weighed"]
UNEVEN = 0.02
"""Shares that differ by more may make a verdict: it is tried without those answers."""
MAINLY = 0.5
UNREAD = "parse_failed"
"""A whole answer in which the scorer found none: it counts as wrong, and a verdict that rests on it says so."""
ODD = tuple(end for end in UNWHOLE if end != "error")
"""Ends of an answer that a score counts, and that say nothing about the task. A failed call has no score."""


def ends(trials: pd.DataFrame) -> pd.Series[str]:
    """How each trial's answer ended: its outcome, or `thought_only` where it holds a thought and nothing else."""
    if "outcome" not in trials:
        return pd.Series("ok", index=trials.index)
    found = trials["outcome"].astype(str)
    thought = pd.Series(False, index=trials.index)
    if "rule" in trials:
        thought |= trials["rule"].eq("thought only").fillna(False)
    if "reasoning_tokens" in trials:
        thought |= (found == "empty") & (trials["reasoning_tokens"].fillna(0) > 0)
    return found.mask(thought & found.isin(["ok", "empty", "parse_failed"]), "thought_only")


def idle(trials: pd.DataFrame) -> pd.Series[bool]:
    """Answers without a point that are not whole, or refuse in words."""
    none = ends(trials).isin(ODD)
    if "declined" in trials:
        none |= trials["declined"].eq(True).fillna(False).astype(bool)
    return none & ~(trials["score"] > 0)


@dataclass(frozen=True, slots=True)
class Shares:
    """How the answers of one arm ended: shares by the words of UNWHOLE, and of calls that failed ("error")."""

    model: str
    setting: str
    arm: str
    n: int
    shares: dict[str, float]
    prompt: str = ""
    """The whole prompt, where prompts are arms."""

    @property
    def unwhole(self) -> float:
        """The share of answers that are not whole, failed ones included."""
        return sum(self.shares.values())


def shares_of(trials: pd.DataFrame, by_prompt: bool = False) -> list[Shares]:
    """The arms of a run with the shares of answers that are not whole, in the order of the trials; `by_prompt`: in each prompt."""
    kinds = ends(trials)
    found = []
    by = [trials[name].astype(str) for name in ("model", "setting", "arm", *(["base_prompt"] if by_prompt else []))]
    for place, rows in kinds.groupby(by, sort=False):
        model, setting, arm, *prompt = map(str, cast(tuple[Any, ...], place))
        counts = rows.value_counts()
        shares = {end: float(counts[end] / len(rows)) for end in UNWHOLE if end in counts}
        found.append(Shares(model, setting, arm, len(rows), shares, *prompt))
    return found


class Outcomes:
    """The ends of a run's answers by item and arm."""

    def __init__(self, trials: pd.DataFrame, plan: Plan) -> None:
        self.plan = plan
        self.trials = with_prompts(trials)
        self.ends = ends(trials)
        self.odd = self.ends.isin(ODD)
        self.unread = self.ends == UNREAD
        self.no_answer = idle(trials)
        self._items: dict[tuple[str | None, ...], tuple[pd.DataFrame, pd.DataFrame]] = {}

    @cached_property
    def shares(self) -> pd.DataFrame:
        """(model, setting, arm, base prompt, task) x end: the number of trials."""
        by = [self.trials[name].astype(str) for name in ("model", "setting", "arm", "base_prompt", "task")]
        return pd.crosstab(by, self.ends.rename("end"))

    def items(self, ref: ArmRef, kind: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Mean scores and whether any answer is odd (or unread), (task, item) x arm, where an arm of a contrast is."""
        place = (ref.model, ref.setting, ref.prompt, kind)
        if place not in self._items:
            frame = self.trials[["model", "setting", "base_prompt", "task", "item", "arm", "score"]].assign(
                odd=self.odd, unread=self.unread
            )
            here = (frame["model"] == ref.model) & (frame["setting"] == ref.setting)
            group = frame[here if ref.prompt is None else here & (frame["base_prompt"] == ref.prompt)]
            wide = group.pivot_table(index=["task", "item"], columns="arm", values=["score", kind], aggfunc="mean", observed=True)
            score, odd = (wide[[name]].droplevel(0, axis=1) if name in wide else pd.DataFrame() for name in ("score", kind))
            self._items[place] = (score, odd > 0)
        return self._items[place]

    @cached_property
    def _counts(self) -> Mapping[tuple[str | None, ...], NDArray[np.int64]]:
        """By model, setting, arm, base prompt and task (None: all): the trials with each end, and those that `idle` finds."""
        found: dict[tuple[str | None, ...], NDArray[np.int64]] = {}
        idle = self.no_answer.groupby([self.trials[name].astype(str) for name in self.shares.index.names]).sum()
        for place, *counts in pd.concat([self.shares, idle.rename("idle")], axis=1).itertuples(name=None):
            for prompt, task in product((place[3], None), (place[4], None)):
                key = (*place[:3], prompt, task)
                found[key] = found.get(key, 0) + np.array(counts)
        return found

    def _of(self, refs: Sequence[ArmRef], task: str | None) -> NDArray[np.int64]:
        """The same counts over some arms, each of which counts once."""
        whole = {(ref.model, ref.setting, ref.arm) for ref in refs if ref.prompt is None}
        parts = {(ref.model, ref.setting, ref.arm, ref.prompt) for ref in refs if (ref.model, ref.setting, ref.arm) not in whole}
        none = np.zeros(self.shares.shape[1] + 1, dtype=np.int64)
        return sum((self._counts.get((*place, task), none) for place in [*((*arm, None) for arm in whole), *parts]), none)

    def share(self, refs: Sequence[ArmRef], task: str | None) -> dict[str, float]:
        """Shares of the ends of the answers of some arms, in one task or in all."""
        counts = self._of(refs, task)[:-1]
        total = counts.sum()
        return {str(end): float(n / total) for end, n in zip(self.shares.columns, counts, strict=True)} if total else {}

    def idle(self, refs: Sequence[ArmRef], task: str | None) -> float:
        """The share of answers of some arms that `idle` finds, in one task or in all; 0 where there is none."""
        *counts, n_idle = self._of(refs, task)
        return float(n_idle / sum(counts)) if n_idle else 0.0

    def changed(self, contrast: Contrast, task: str | None, kind: str = "odd") -> float:
        """Of the items whose score changed, the share in which an answer of either side is odd, or `unread`."""
        parts = [(weight, ref.arm, self.items(ref, kind)) for ref, weight in contrast.weights]
        some = [(weight, score[arm], odd[arm]) for weight, arm, (score, odd) in parts if arm in score]
        if len({weight > 0 for weight, _, _ in some}) < 2:
            return 0.0
        difference, strange = sum(weight * score for weight, score, _ in some), pd.concat([odd for *_, odd in some], axis=1).fillna(False)
        moved = difference.fillna(0.0).abs() > 1e-12  # type: ignore[union-attr]
        if task is not None:
            moved &= moved.index.get_level_values(0) == task
        return float(strange.reindex(moved.index)[moved].any(axis=1).mean()) if moved.any() else 0.0


def weighed(
    found: Sequence[Comparison], trials: pd.DataFrame, plan: Plan, without: Callable[[pd.DataFrame], list[Comparison]]
) -> list[Comparison]:
    """The comparisons with what answers that are not whole mean for them.

    Where the arms differ in a share, or in the sum of the shares, by more than two points, and `without` those answers the verdict is
    another, there is no verdict. A verdict that holds, and that rests mainly on such answers, or on those without
    an answer that the scorer found, says so. `without` judges trials in
    which none is missing.
    """
    if not (idle(trials) | ends(trials).isin((*ODD, UNREAD))).any():
        return [replace(c, unwhole_control=0.0, unwhole_treatment=0.0) if c.scope != "aa" else c for c in found]
    outcomes = Outcomes(trials, plan)
    others: list[Comparison] | None = None
    result = []
    for number, c in enumerate(found):
        if c.scope == "aa":
            result.append(_agreement(c, outcomes))
            continue
        contrast = contrast_of(plan.hypotheses[number], plan)
        treated, control = (outcomes.share(contrast.side(sign), c.task) for sign in (1, -1))
        shares = [sum(side.get(end, 0.0) for end in ODD) for side in (treated, control)]
        c = replace(c, unwhole_treatment=shares[0], unwhole_control=shares[1])  # noqa: PLW2901
        sides = [outcomes.idle(contrast.side(sign), c.task) for sign in (1, -1)]
        if c.verdict != "refused" and c.status != "n_too_small" and min(sides) == 1:
            result.append(replace(c, status="nothing_answered", verdict="refused", sentence=say.nothing_answered(treated, control)))
            continue
        if c.verdict in ("refused", "unclear"):
            result.append(c)
            continue
        if uneven(treated, control):
            others = without(trials[~outcomes.odd]) if others is None else others
            if (other := others[number]).verdict != c.verdict:
                reason = say.uneven_answers(treated, control, other.verdict)
                result.append(replace(c, status="uneven_answers", verdict="refused", sentence=reason))
                continue
        mainly = max(outcomes.changed(contrast, c.task), min(shares) if c.verdict == "same" else 0.0)
        c = replace(c, sentence=c.sentence + say.rests_on(mainly, treated, control)) if mainly > MAINLY else c  # noqa: PLW2901
        unread = [side.get(UNREAD, 0.0) for side in (treated, control)]
        if abs(unread[0] - unread[1]) > UNEVEN and (share := outcomes.changed(contrast, c.task, "unread")) > MAINLY:
            c = replace(c, sentence=c.sentence + say.rests_on_unread(share, *unread))  # noqa: PLW2901
        result.append(c)
    return result


def uneven(treated: Mapping[str, float], control: Mapping[str, float]) -> bool:
    """Whether two arms' answers ended differently: in one share of the ends in ODD, or in their sum, by more than UNEVEN."""
    gaps = [treated.get(end, 0.0) - control.get(end, 0.0) for end in ODD]
    return max(abs(sum(gaps)), *map(abs, gaps)) > UNEVEN


def _agreement(c: Comparison, outcomes: Outcomes) -> Comparison:
    """An A/A check; where most of its answers are odd, or refuse in words, it speaks of no agreement.

    Only prompts that have a repeat count.
    """
    asked = {place[3] for place in outcomes.shares.index if place[:3] == (c.model, c.setting.id, AA_ARM)}
    arms = [ArmRef(model=c.model, setting=c.setting.id, arm=arm, prompt=own) for own in asked for arm in (NONE_ARM, AA_ARM)]
    share = outcomes.share(arms, c.task)
    odd = max(sum(share.get(end, 0.0) for end in ODD), outcomes.idle(arms, c.task))
    return replace(c, sentence=say.agreement_of_nothing(odd, share)) if odd > MAINLY and c.status != "aa_failed" else c

"""Answers that are not whole: cut, empty, refused, or nothing but a thought. They may make a verdict: it says so, or is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, UNWHOLE, Comparison, Plan
from promptlab.stats import sentences as say
from promptlab.stats.multiplicity import contrast_of

__all__ = ["UNEVEN", "Shares", "ends", "shares_of", "weighed"]
UNEVEN = 0.02
"""Shares that differ by more may make a verdict: it is tried without those answers."""
MAINLY = 0.5
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


@dataclass(frozen=True, slots=True)
class Shares:
    """How the answers of one arm ended: shares by the words of UNWHOLE, and of calls that failed ("error")."""

    model: str
    setting: str
    arm: str
    n: int
    shares: dict[str, float]

    @property
    def unwhole(self) -> float:
        """The share of answers that are not whole, failed ones included."""
        return sum(self.shares.values())


def shares_of(trials: pd.DataFrame) -> list[Shares]:
    """The arms of a run with the shares of answers that are not whole, in the order of the trials."""
    kinds = ends(trials)
    found = []
    by = [trials[name].astype(str) for name in ("model", "setting", "arm")]
    for place, rows in kinds.groupby(by, sort=False):
        model, setting, arm = map(str, cast(tuple[Any, ...], place))
        counts = rows.value_counts()
        found.append(Shares(model, setting, arm, len(rows), {end: float(counts[end] / len(rows)) for end in UNWHOLE if end in counts}))
    return found


class Outcomes:
    """The ends of a run's answers by item and arm."""

    def __init__(self, trials: pd.DataFrame, plan: Plan) -> None:
        self.plan = plan
        self.trials = trials
        self.ends = ends(trials)
        self.odd = self.ends.isin(ODD)

    @cached_property
    def shares(self) -> pd.DataFrame:
        """(model, setting, arm, task) x end: the number of trials."""
        by = [self.trials[name].astype(str) for name in ("model", "setting", "arm", "task")]
        return pd.crosstab(by, self.ends.rename("end"))

    @cached_property
    def items(self) -> dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]]:
        """By (model, setting): mean scores and whether any answer is odd, (task, item) x arm."""
        frame = self.trials[["model", "setting", "task", "item", "arm", "score"]].assign(odd=self.odd)
        found = {}
        for (model, setting), group in frame.groupby(["model", "setting"], observed=True):
            wide = group.pivot_table(index=["task", "item"], columns="arm", values=["score", "odd"], aggfunc="mean", observed=True)
            score, odd = (wide[[name]].droplevel(0, axis=1) if name in wide else pd.DataFrame() for name in ("score", "odd"))
            found[(str(model), str(setting))] = (score, odd > 0)
        return found

    def share(self, c: Comparison, arms: Sequence[str]) -> dict[str, float]:
        """Shares of the ends of the answers of some arms that a comparison is about."""
        index = self.shares.index
        rows = (index.get_level_values(0) == c.model) & (index.get_level_values(1) == c.setting.id) & index.get_level_values(2).isin(arms)
        if c.task is not None:
            rows &= index.get_level_values(3) == c.task
        counts = self.shares[rows].sum()
        total = counts.sum()
        return {str(end): float(n / total) for end, n in counts.items()} if total else {}

    def changed(self, c: Comparison, treatments: Sequence[str], controls: Sequence[str]) -> float:
        """Of the items whose score changed, the share in which an answer of either side is odd."""
        scores, odd = self.items.get((c.model, c.setting.id), (pd.DataFrame(), pd.DataFrame()))
        treated, control = ([arm for arm in arms if arm in scores] for arms in (treatments, controls))
        if not treated or not control:
            return 0.0
        if c.task is not None:
            scores, odd = (frame[frame.index.get_level_values(0) == c.task] for frame in (scores, odd))
        moved = (scores[treated].mean(axis=1) - scores[control].mean(axis=1)).fillna(0.0).abs() > 1e-12
        return float(odd.loc[moved, [*treated, *control]].any(axis=1).mean()) if moved.any() else 0.0


def weighed(
    found: Sequence[Comparison], trials: pd.DataFrame, plan: Plan, without: Callable[[pd.DataFrame], list[Comparison]]
) -> list[Comparison]:
    """The comparisons with what answers that are not whole mean for them.

    Where the arms differ in their shares by more than two points, and `without` those answers the verdict is another, there is no
    verdict. A verdict that stands, and that rests mainly on such answers, says so. `without` judges trials in which none is missing.
    """
    if not ends(trials).isin(ODD).any():
        return [replace(c, unwhole_control=0.0, unwhole_treatment=0.0) if c.scope != "aa" else c for c in found]
    outcomes = Outcomes(trials, plan)
    others: list[Comparison] | None = None
    result = []
    for number, c in enumerate(found):
        if c.scope == "aa":
            result.append(_agreement(c, outcomes))
            continue
        contrast = contrast_of(plan.hypotheses[number], plan)
        controls = [arm for arms in contrast.controls for arm in arms]
        treated, control = outcomes.share(c, contrast.treatments), outcomes.share(c, controls)
        shares = [sum(side.get(end, 0.0) for end in ODD) for side in (treated, control)]
        c = replace(c, unwhole_treatment=shares[0], unwhole_control=shares[1])  # noqa: PLW2901
        if c.verdict in ("refused", "unclear"):
            result.append(c)
            continue
        if abs(shares[0] - shares[1]) > UNEVEN:
            others = without(trials[~outcomes.odd]) if others is None else others
            if (other := others[number]).verdict != c.verdict:
                reason = say.uneven_answers(treated, control, other.verdict)
                result.append(replace(c, status="uneven_answers", verdict="refused", sentence=reason))
                continue
        mainly = max(outcomes.changed(c, contrast.treatments, controls), min(shares) if c.verdict == "same" else 0.0)
        result.append(replace(c, sentence=c.sentence + say.rests_on(mainly, treated, control)) if mainly > MAINLY else c)
    return result


def _agreement(c: Comparison, outcomes: Outcomes) -> Comparison:
    """An A/A check; where most of its answers are odd it speaks of no agreement."""
    share = outcomes.share(c, (NONE_ARM, AA_ARM))
    odd = sum(share.get(end, 0.0) for end in ODD)
    return replace(c, sentence=say.agreement_of_nothing(odd, share)) if odd > MAINLY and c.status != "aa_failed" else c

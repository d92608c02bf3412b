"""Planned interim analyses: which arms may stop before the end, judged on what is recorded by then, and what that leaves unsent.

Trials are sent in blocks of items, so the trials before a planned place in the order are all arms on the same first items. At an interim
analysis, each treatment is judged over the tasks against its deciding control. It stops where its repeated p-value passes its
share of alpha (Bonferroni), or where even the effect that the design was made for would hardly be found any more (non-binding futility).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import pandas as pd

from promptlab.nouns import Comparison, Decision, Hypothesis, LookRow, Plan, PlannedLook, contrast_of, flat, grouped, look_rows
from promptlab.stats import laws as st
from promptlab.stats import sentences as say
from promptlab.stats.analysis import Analysis, Result, judge, models_of, settled, silenced
from promptlab.stats.contrasts import completed
from promptlab.stats.outcomes import weighed
from promptlab.stats.power import Looked, conditional_power, planned_drift, repeated_bound
from promptlab.stats.served import by_version
from promptlab.stats.tables import Place

FUTILITY = 0.10
"""The conditional power below which an arm is given up."""
MOST_MISSING = 0.05
"""An interim analysis at which one side lacks more of its answers decides nothing, and is repeated when they are there."""
ArmKey = tuple[str, ...]
"""Model, id of the setting, arm, and the base prompt where not all of them are meant."""


def look_plan(n_items: Sequence[int], trials_an_item: int, looks: int) -> list[PlannedLook]:
    """Where the interim analyses are; the information is the planned one, at equal variances."""
    longest = max(n_items)
    found = []
    whole = sum(1 / n for n in n_items)
    for look in range(1, looks + 1):
        by_then = [min(n, math.ceil(longest * look / looks)) for n in n_items]
        fraction = whole / sum(1 / n for n in by_then)
        order = sum(by_then) * trials_an_item
        found.append(PlannedLook(items=tuple(by_then), fraction=fraction if look < looks else 1.0, order=order))
    return found


class Looks:
    """The interim analyses of one run: its plan, and the rows decided so far."""

    def __init__(self, plan: Plan, rows: Iterable[LookRow] = ()) -> None:
        self.plan = plan
        self.rows = list(rows)
        self.ends = [look.order for look in plan.looks]
        self.fractions = tuple(look.fraction for look in plan.looks)

    @cached_property
    def deciding(self) -> list[Hypothesis]:
        """For each treatment, model and setting the hypothesis that may stop it: against neutral text or feedback, where there is any."""
        found: dict[tuple[Place, str], Hypothesis] = {}
        loops = [h for h in self.plan.hypotheses if h.scope == "primary" and h.strategy in self.plan.looped]
        primary = {place_of(h): h.control for h in loops}
        for h in self.plan.hypotheses:
            if h.scope == "stimulus":
                key = (place_of(h), h.treatment)
                if key not in found or h.control == primary.get(place_of(h)):
                    found[key] = h
        return list(found.values())

    @cached_property
    def _family_sizes(self) -> Mapping[str, int]:
        return Counter(h.family for h in self.plan.hypotheses)

    def until(self, trials: pd.DataFrame, look: int) -> Analysis:
        """The run at interim analysis `look` (from 0)."""
        tasks = tuple(replace(task, n_items=n) for task, n in zip(self.plan.tasks, self.plan.looks[look].items, strict=True))
        return Analysis(trials[trials["order"] < self.ends[look]], replace(self.plan, tasks=tasks), Looked(self.fractions, look))

    def decide(self, trials: pd.DataFrame, look: int) -> list[LookRow]:
        """Judge every treatment that still continues; the rows are kept. Judging the same interim analysis twice changes nothing."""
        stopped = {(place_of(row), row.treatment) for row in self.rows if row.stops and row.look <= look}
        decided = {(place_of(row), row.treatment) for row in self.rows if row.look == look and row.decision != "undecided"}
        analysis = self.until(trials, look)
        made = [self._judged(analysis, h, look) for h in self.deciding if (place_of(h), h.treatment) not in stopped | decided]
        again = {(place_of(row), row.treatment) for row in made}
        self.rows = [row for row in self.rows if row.look != look or (place_of(row), row.treatment) not in again] + made
        return made

    def _judged(self, analysis: Analysis, h: Hypothesis, look: int) -> LookRow:
        level = self.plan.alpha / self._family_sizes[h.family]
        result = analysis.compare(h)
        c = result.comparison
        decision: Decision = "undecided"
        power = None
        lost = max(c.missing_treatment or 0.0, c.missing_control or 0.0) > MOST_MISSING
        if result.figures is not None and c.p_value is not None and result.fixed_p is not None and not lost:
            z = float(st.norm.isf(result.fixed_p / 2))
            bound = repeated_bound(level, self.fractions, len(self.fractions) - 1)
            power = conditional_power(z, self.fractions[look], bound, planned_drift(level))
            decision = "efficacy" if c.p_value <= level else "futility" if power < FUTILITY else "continue"
        return LookRow(
            look=look, model=h.model, setting=h.setting, treatment=h.treatment, control=h.control, n_pairs=c.n_pairs, diff=c.diff,
            p=c.p_value, level=level, conditional_power=power, decision=decision,
        )  # fmt: skip

    def ended(self, place: Place, treatment: str) -> LookRow | None:
        """The row that stopped a treatment, or None."""
        return next((row for row in self.rows if row.stops and place_of(row) == place and row.treatment == treatment), None)

    def unneeded(self) -> frozenset[ArmKey]:
        """Arms that no treatment needs any more."""
        found: set[ArmKey] = set()
        placebos = self.plan.placebos_of
        by_place = grouped((place_of(h), h.treatment) for h in self.deciding)
        for place, treatments in by_place.items():
            going = [t for t in treatments if self.ended(place, t) is None]
            if going:
                needed = {arm for t in going for arm in placebos.get(t, ())}
                stopped = [t for t in treatments if t not in going]
                found |= {(*place, arm) for t in stopped for arm in (t, *placebos.get(t, ())) if arm not in needed}
            else:
                found |= {(*place, arm.name) for arm in self.plan.arms}
        return frozenset(found)

    def frozen(self) -> dict[str, Any]:
        """The rows as plain data for the run folder."""
        return {"looks": [flat(row) for row in self.rows]}

    @classmethod
    def thawed(cls, plan: Plan, data: Mapping[str, Any] | None) -> Looks:
        """The interim analyses of a run from its folder."""
        return cls(plan, [row for row in look_rows(data or {}) if 0 <= row.look < len(plan.looks)])


def place_of(h: Hypothesis | LookRow | Comparison) -> Place:
    """Where something is judged: its model, and the id of its setting."""
    return (h.model, h.setting.id)


@dataclass(frozen=True, slots=True)
class Saved:
    """What stopping early left unsent: trials, and USD at the mean cost of the same arm's trials (None: unknown)."""

    n_trials: int
    n_planned: int
    usd: float | None


def saved(trials: pd.DataFrame, looks: Looks) -> Saved:
    """Trials that were planned and not sent because of an interim analysis."""
    last: dict[tuple[str, ...], int] = {}
    final = len(looks.ends) - 1
    for h in looks.deciding:
        row = looks.ended(place_of(h), h.treatment)
        end = row.look if row else final
        for arm in (h.treatment, *looks.plan.placebos_of.get(h.treatment, ())):
            last[(*place_of(h), arm)] = max(last.get((*place_of(h), arm), 0), end)
        last[place_of(h)] = max(last.get(place_of(h), 0), end)
    n_not_sent, usd, known = 0, 0.0, "cost_usd" in trials
    for key, group in trials.groupby(["model", "setting", "arm"], sort=False, observed=True):
        of_arm = tuple(map(str, key))
        until = last.get(of_arm, last.get(of_arm[:2], final))
        share = looks.ends[until] / looks.ends[-1]
        sent = group[group["order"] < looks.ends[until]]
        n = round(len(sent) * (1 / share - 1))
        n_not_sent += n
        if n and known:
            known = bool(sent["cost_usd"].notna().all())
            usd += n * float(sent["cost_usd"].fillna(0.0).mean())
    return Saved(n_not_sent, looks.plan.counts.trials, usd if known else None)


def analyse(trials: pd.DataFrame, plan: Plan, looks: Iterable[LookRow] = ()) -> list[Comparison]:
    """All planned comparisons of a run, its A/A comparisons, then contrasts, with what answers that are not whole mean for them.

    `trials` has the columns of `schema.TRIAL_COLUMNS`; `plan` is the run's frozen plan; `looks` is what its interim analyses decided.
    """
    plan = completed(plan)
    if plan.looks:
        comparisons, aa = _looked(trials, Looks(plan, looks))
    else:
        comparisons, aa = _judged(Analysis(trials, plan))
    failed = {c.model for c in aa if c.task is None and c.status == "aa_failed"}
    found = [silenced(c, sorted(failed & models)) if failed & (models := models_of(c)) else c for c in comparisons] + aa

    def on(some: pd.DataFrame) -> list[Comparison]:
        return _judged(Analysis(some, plan, complete=False))[0]

    found = by_version(weighed(found, trials, plan, on), trials, plan, on)
    return sorted(found, key=lambda c: c.contrast is not None)


def extremes(trials: pd.DataFrame, plan: Plan, looks: Iterable[LookRow] = ()) -> tuple[list[Comparison], list[Comparison]]:
    """The planned comparisons as they would be judged with the excess loss of one side against, and for, the treatments."""
    plan = completed(plan)
    results = _results(trials, Looks(plan, looks))
    against, favour = (_once(judge(results(side)), plan) for side in (False, True))
    return against, favour


def _once(found: list[Comparison], plan: Plan) -> list[Comparison]:
    """With one task a sentence is judged once: its cell is its mean."""
    if len(plan.tasks) != 1:
        return found
    twins = {(place_of(c), c.treatment, c.control): c for c in found if c.scope == "stimulus"}
    made = []
    for c in found:
        twin = twins.get((place_of(c), c.treatment, c.control)) if c.scope == "cell" else None
        made.append(c if twin is None else replace(twin, scope="cell", task=c.task, suite=c.suite))
    return made


def _judged(analysis: Analysis) -> tuple[list[Comparison], list[Comparison]]:
    return _once(settled(_of(analysis)), analysis.plan), analysis.aa()


def _of(analysis: Analysis) -> Callable[[bool | None], list[Result]]:
    """The results of an analysis: as recorded, or at an extreme."""
    planned = analysis.plan.hypotheses
    recorded = cache(lambda: [analysis.compare(h) for h in planned])

    def results(favour: bool | None) -> list[Result]:
        if favour is None:
            return recorded()
        own = analysis.at_worst(favour)
        return [one if lost_alike(one) else own.compare(h) for h, one in zip(planned, recorded(), strict=True)]

    return results


def lost_alike(result: Result) -> bool:
    """Whether both sides lost the same share of their answers in every task: at the extremes the result is the same then."""
    return result.figures is not None and not result.uneven


def _results(trials: pd.DataFrame, looks: Looks) -> Callable[[bool | None], list[Result]]:
    """The results of a run: as recorded, or at an extreme; each hypothesis on the items up to the interim analysis that ended it."""
    if not looks.ends:
        return _of(Analysis(trials, looks.plan))
    at: dict[tuple[int, bool | None], Analysis] = {}

    def results(favour: bool | None) -> list[Result]:
        found = []
        for h in looks.plan.hypotheses:
            end, _ = _end(looks, h)
            if (end, favour) not in at:
                until = at.get((end, None)) or looks.until(trials, end)
                at[end, None] = until
                at[end, favour] = until if favour is None else until.at_worst(favour)
            found.append(at[end, favour].compare(h))
        return found

    return results


def _looked(trials: pd.DataFrame, looks: Looks) -> tuple[list[Comparison], list[Comparison]]:
    """Each hypothesis on the items up to the interim analysis that ended it, with repeated p-values and intervals."""
    last = len(looks.ends) - 1
    judged = []
    for h, c in zip(looks.plan.hypotheses, settled(_results(trials, looks)), strict=True):
        end, why = _end(looks, h)
        said = c.verdict != "refused" and (c.scope != "cell" or len(looks.plan.tasks) == 1)
        judged.append(replace(c, sentence=c.sentence + say.after_look(end + 1, last + 1, why)) if said else c)
    places = {place_of(h): 0 for h in looks.deciding}
    for h in looks.deciding:
        places[place_of(h)] = max(places[place_of(h)], _end(looks, h)[0])
    aa = []
    for look in sorted(set(places.values())):
        of_look = {place for place, end in places.items() if end == look}
        aa += [c for c in looks.until(trials, look).aa() if place_of(c) in of_look]
    return _once(judged, looks.plan), aa


def _end(looks: Looks, h: Hypothesis) -> tuple[int, str]:
    """The interim analysis (from 0) up to which a hypothesis has all its arms, and why it ended there ('' at the last).

    The mean over a library ends with the first of its treatments that stopped: beyond that, its arms have not the same items.
    """
    members = list(dict.fromkeys(ref.arm for ref in contrast_of(h, looks.plan).side(1)))
    rows = [row for row in (looks.ended(place_of(h), name) for name in members) if row is not None]
    if not rows:
        return len(looks.ends) - 1, ""
    first = min(rows, key=lambda row: row.look)
    return first.look, "member" if h.scope == "primary" and len(members) > 1 else first.decision

"""All planned comparisons of a run with their verdicts: at the end, or where planned looks ended them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from promptlab.nouns.comparison import Comparison
from promptlab.nouns.contrast import Hypothesis
from promptlab.nouns.plan import Plan
from promptlab.stats import sentences as say
from promptlab.stats.analysis import Analysis, Result, judge, silenced
from promptlab.stats.families import contrast_of
from promptlab.stats.looks import LookRow, Looks, place_of


def analyse(trials: pd.DataFrame, plan: Plan, looks: Iterable[LookRow] = ()) -> list[Comparison]:
    """All planned comparisons of a run, then its A/A comparisons.

    `trials` has the columns of `schema.TRIAL_COLUMNS`; `plan` is the run's frozen plan; `looks` is what its planned looks decided.
    """
    if plan.looks:
        comparisons, aa = _looked(trials, Looks(plan, looks))
    else:
        analysis = Analysis(trials, plan)
        comparisons, aa = judge([analysis.compare(h) for h in plan.hypotheses]), analysis.aa()
    failed = {c.model for c in aa if c.task is None and c.status == "aa_failed"}
    return [silenced(c) if c.model in failed else c for c in comparisons] + aa


def _looked(trials: pd.DataFrame, looks: Looks) -> tuple[list[Comparison], list[Comparison]]:
    """Each hypothesis on the items up to the look that ended it, with repeated p-values and intervals."""
    last = len(looks.ends) - 1
    at: dict[int, Analysis] = {}

    def until(look: int) -> Analysis:
        if look not in at:
            at[look] = looks.until(trials, look)
        return at[look]

    results: list[Result] = []
    ends: list[tuple[int, str]] = []
    for h in looks.plan.hypotheses:
        end, why = _end(looks, h, last)
        results.append(until(end).compare(h))
        ends.append((end, why))
    judged = []
    for c, (end, why) in zip(judge(results), ends, strict=True):
        if c.status in ("ok", "zero_variance") and c.scope != "cell":
            c = replace(c, sentence=c.sentence + say.after_look(end + 1, last + 1, why))  # noqa: PLW2901
        judged.append(c)
    places = {place_of(h): 0 for h in looks.deciding}
    for h in looks.deciding:
        places[place_of(h)] = max(places[place_of(h)], _end(looks, h, last)[0])
    aa = []
    for look in sorted(set(places.values())):
        of_look = {place for place, end in places.items() if end == look}
        aa += [c for c in until(look).aa() if place_of(c) in of_look]
    return judged, aa


def _end(looks: Looks, h: Hypothesis, last: int) -> tuple[int, str]:
    """The look (from 0) up to which a hypothesis has all its arms, and why it ended there ('' at the last).

    The mean over a library ends with the first of its treatments that stopped: beyond that, its arms have not the same items.
    """
    members = contrast_of(h, looks.plan).treatments
    rows = [row for row in (looks.ended(place_of(h), name) for name in members) if row is not None]
    if not rows:
        return last, ""
    first = min(rows, key=lambda row: row.look)
    return first.look, "member" if h.scope == "primary" and len(members) > 1 else first.decision

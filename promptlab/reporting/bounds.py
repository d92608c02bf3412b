"""What missing answers could hide: every one of them scored against the sentence, and every one for it (Manski 1990)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from promptlab.nouns.comparison import Comparison
from promptlab.reporting.build import Report
from promptlab.reporting.sensitivity import key_of
from promptlab.stats import Looks
from promptlab.stats.analysis import Analysis, Result, judge
from promptlab.stats.tables import ItemTable, averaged

TREATED = ("stimulus", "loop")


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison over the tasks as it is, and as it would be at either extreme."""

    comparison: Comparison
    against: Comparison
    """Every missing answer of the sentence wrong, every missing answer of its control right."""
    favour: Comparison
    """The reverse."""

    @property
    def holds(self) -> bool:
        """Whether both extremes give the same verdict, so that nothing missing could turn it."""
        return self.against.verdict == self.favour.verdict


def anything_missing(report: Report) -> bool:
    """Whether any planned score is not there."""
    over = [c for c in report.comparisons if c.scope in ("primary", "stimulus")]
    return any(c.n_missing for c in over) or bool(report.trials["score"].isna().any())


def bounds(report: Report) -> list[Bound]:
    """Both extremes of every comparison over the tasks, judged as the plan judges; empty where nothing is missing.

    Trials that were never recorded are missing too. Where looks ended a sentence, only what was planned up to that look counts.
    """
    if report.trials.empty or not anything_missing(report):
        return []
    planned = [h for h in report.plan.hypotheses if h.scope != "cell"]
    over = {key_of(c): c for c in report.comparisons if c.scope in ("primary", "stimulus")}
    pairs = [(h, over[key_of(h)]) for h in planned if key_of(h) in over]
    extremes = []
    for favour in (False, True):
        known: dict[int | None, Analysis] = {}
        results: list[Result] = []
        for h, c in pairs:
            look = _look_of(report, c)
            if look not in known:
                known[look] = _filled(_analysis(report, look), report, favour)
            results.append(known[look].compare(h))
        extremes.append(judge(results))
    return [Bound(c, low, high) for (_, c), low, high in zip(pairs, *extremes, strict=True) if c.status != "aa_failed"]


def _look_of(report: Report, c: Comparison) -> int | None:
    """The look (from 0) up to which a comparison was planned; None in a run without looks."""
    looks = report.plan.looks
    return next((k for k, look in enumerate(looks) if sum(look.items) == c.n_planned), len(looks) - 1 if looks else None)


def _analysis(report: Report, look: int | None) -> Analysis:
    if look is None:
        return Analysis(report.trials, report.plan)
    return Looks(report.plan, report.looks).until(report.trials, look)


def _filled(analysis: Analysis, report: Report, favour: bool) -> Analysis:
    """The analysis with every missing answer at its worst (or best) for the sentences."""
    role = {arm.name: arm.role for arm in report.plan.arms}
    answers = report.plan.answers_an_item
    counted = {(own, task): (items, arms[0], counts) for own, task, items, arms, _, counts, _ in averaged(report.trials, ["arm"])}
    for own, tables in analysis.tables.items():
        for task, table in list(tables.items()):
            if (own, task) not in counted:
                continue
            items, names, counts = counted[own, task]
            place = {item: i for i, item in enumerate(items)}
            rows = np.array([place[item] for item in table.items])
            columns = {str(name): i for i, name in enumerate(names)}
            scores: list[np.ndarray] = []
            arms: dict[str, int] = {}
            n_more = max(0, analysis.n_items[task] - len(table.items))
            for arm, of in role.items():
                worst = float((of in TREATED) == favour)
                had = counts[rows, columns[arm]] if arm in columns else np.zeros(len(table.items))
                mean = np.nan_to_num(table.scores[:, table.arms[arm]]) if arm in table.arms else np.zeros(len(table.items))
                whole = np.maximum(had, answers)
                scores.append(np.concatenate([(mean * had + worst * (whole - had)) / whole, np.full(n_more, worst)]))
                arms[arm] = len(arms)
            named = np.concatenate([table.items, np.array([f"(not recorded {i})" for i in range(n_more)], dtype=object)])
            tables[task] = replace(table, items=named, arms=arms, scores=np.array(scores).T)
        for task, n in analysis.n_items.items():
            if task not in tables:
                filled = [np.full(n, float((of in TREATED) == favour)) for of in role.values()]
                items = np.array([f"(not recorded {i})" for i in range(n)], dtype=object)
                tables[task] = ItemTable(task, items, {arm: i for i, arm in enumerate(role)}, np.array(filled).T)
    return analysis

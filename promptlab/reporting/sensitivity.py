"""Whether a verdict hangs on the scorer, or on answers that are missing. No model is asked.

The stored answers are judged by each scorer; and every missing answer is scored against the sentence, then for it (Manski 1990).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from promptlab.nouns import SCORERS, Comparison, Hypothesis
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.rescore import rescored
from promptlab.scoring.metrics import METRICS
from promptlab.stats import Analysis, ItemTable, Looks, Result, analyse, averaged, judge

TREATED = ("stimulus", "loop")
MOST_TRIALS = 400_000
"""Beyond so many trials a report does not score anew by itself."""
MOST_TRIALS_BY_TASK = 30_000
"""Up to so many, single tasks are judged anew as well; tests of single tasks take most of a long run's time."""
Key = tuple[object, ...]


@dataclass(frozen=True)
class Rescoring:
    """Verdicts by scorer. `by` holds, for every scorer in the order of `SCORERS`, the comparisons by `key_of`."""

    own: str
    """The scorer of this report."""
    by: Mapping[str, Mapping[Key, Comparison]]
    tasks_too: bool
    why_not: str | None
    """Why nothing is scored anew here; None where it is."""

    def others(self, c: Comparison) -> list[Comparison | None]:
        """One comparison under every scorer, in the order of `by`; None where that scorer was not asked about it."""
        return [found.get(key_of(c)) for found in self.by.values()]

    def changes(self, c: Comparison) -> bool:
        """Whether another scorer gives another verdict."""
        return any(other is not None and other.verdict != c.verdict for other in self.others(c))


def key_of(c: Comparison | Hypothesis) -> Key:
    """What is compared, without the result."""
    return (c.scope, c.model, c.task, c.treatment, c.control, c.setting)


def rescoring(report: Report) -> Rescoring:
    """The verdicts of a report under every scorer: over the tasks, and in each task where the run is short enough."""
    plan, trials = report.plan, report.trials
    own = str(plan.scorer or "reference")
    if report.folder is None or trials.empty:
        return Rescoring(own, {}, False, "There is no answer to score yet.")
    if not any(task.metric in METRICS for task in plan.tasks):
        why_not = "These scores were given by a rule that is not promptlab's, and stay as recorded under every scorer."
        return Rescoring(own, {}, False, why_not)
    if len(trials) > MOST_TRIALS:
        return Rescoring(own, {}, False, f"A run of more than {MOST_TRIALS:,} trials is not scored anew for a report.")
    items = Run(report.folder).items()
    tasks_too = len(trials) <= MOST_TRIALS_BY_TASK
    asked = replace(plan, hypotheses=tuple(h for h in plan.hypotheses if tasks_too or h.scope != "cell"))
    by = {}
    for scorer in SCORERS:
        if scorer == own:
            comparisons = [c for c in report.comparisons if tasks_too or c.scope != "cell"]
        else:
            comparisons = analyse(rescored(trials, items, plan, scorer), asked, report.looks)
        by[str(scorer)] = {key_of(c): c for c in comparisons if c.scope != "aa"}
    return Rescoring(own, by, tasks_too, None)


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


def bounds(report: Report) -> list[Bound]:
    """Both extremes of every comparison over the tasks, judged as the plan judges; empty where nothing is missing.

    Trials that were never recorded are missing too. Where looks ended a sentence, only what was planned up to that look counts.
    """
    over = {key_of(c): c for c in report.comparisons if c.scope in ("primary", "stimulus")}
    if report.trials.empty or not (any(c.n_missing for c in over.values()) or report.trials["score"].isna().any()):
        return []
    pairs = [(h, over[key_of(h)]) for h in report.plan.hypotheses if key_of(h) in over]
    extremes = []
    for favour in (False, True):
        known: dict[int | None, Analysis] = {}
        results: list[Result] = []
        for h, c in pairs:
            look = _look_of(report, c)
            if look not in known:
                looks = Looks(report.plan, report.looks)
                analysis = Analysis(report.trials, report.plan) if look is None else looks.until(report.trials, look)
                known[look] = _filled(analysis, report, favour)
            results.append(known[look].compare(h))
        extremes.append(judge(results))
    return [Bound(c, low, high) for (_, c), low, high in zip(pairs, *extremes, strict=True) if c.status != "aa_failed"]


def _look_of(report: Report, c: Comparison) -> int | None:
    """The look (from 0) up to which a comparison was planned; None in a run without looks."""
    looks = report.plan.looks
    return next((k for k, look in enumerate(looks) if sum(look.items) == c.n_planned), len(looks) - 1 if looks else None)


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

"""Whether a verdict hangs on the scorer, or on answers that are missing. Nothing is sent.

The stored answers are judged by each scorer; and what one side lost more than the other is scored against the sentence, then for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from promptlab.nouns import SCORERS, Comparison, Hypothesis
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.rescore import rescored
from promptlab.scoring.metrics import METRICS
from promptlab.stats import analyse, extremes

MOST_TRIALS = 400_000
"""Beyond so many trials a report does not rescore by default."""
MOST_TRIALS_BY_TASK = 30_000
"""Up to so many, single tasks are judged again as well; tests of single tasks take most of a long run's time."""
Key = tuple[object, ...]


@dataclass(frozen=True)
class Rescoring:
    """Verdicts by scorer. `by` holds, for every scorer in the order of `SCORERS`, the comparisons by `key_of`."""

    own: str
    """The scorer of this report."""
    by: Mapping[str, Mapping[Key, Comparison]]
    tasks_too: bool
    why_not: str | None
    """Why nothing is rescored here; None where it is."""

    def others(self, c: Comparison) -> list[Comparison | None]:
        """One comparison under every scorer, in the order of `by`; None where that scorer was not asked about it."""
        return [found.get(key_of(c)) for found in self.by.values()]

    def changes(self, c: Comparison) -> bool:
        """Whether another scorer gives another verdict."""
        return any(other is not None and other.verdict != c.verdict for other in self.others(c))


def key_of(c: Comparison | Hypothesis) -> Key:
    """What is compared, without the result."""
    return (c.scope, c.model, c.task, c.treatment, c.control, c.setting, c.contrast)


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
        return Rescoring(own, {}, False, f"A run of more than {MOST_TRIALS:,} trials is not rescored for a report.")
    items = Run(report.folder).items()
    tasks_too = len(trials) <= MOST_TRIALS_BY_TASK
    asked = replace(plan, hypotheses=tuple(h for h in plan.hypotheses if tasks_too or h.task is None))
    by = {}
    for scorer in SCORERS:
        if scorer == own:
            comparisons = [c for c in report.comparisons if tasks_too or c.task is None]
        else:
            comparisons = analyse(rescored(trials, items, plan, scorer), asked, report.looks)
        by[str(scorer)] = {key_of(c): c for c in comparisons if c.scope != "aa"}
    return Rescoring(own, by, tasks_too, None)


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison over the tasks as it is, and as it would be at either extreme of what only one side lost; these decide."""

    comparison: Comparison
    against: Comparison
    """The answers that the side which lost more lacks beyond the other, at their worst for the sentence."""
    favour: Comparison
    """The reverse."""

    @property
    def holds(self) -> bool:
        """Whether both extremes give the same verdict, so that nothing that only one side lost could turn it."""
        return self.against.verdict == self.favour.verdict


def bounds(report: Report) -> list[Bound]:
    """Both extremes of every comparison over the tasks, judged as the plan judges; empty where nothing is missing."""
    over = {key_of(c): c for c in report.comparisons if c.scope in ("primary", "stimulus")}
    if report.trials.empty or not any(c.missing_treatment or c.missing_control for c in over.values()):
        return []
    pairs = zip(*extremes(report.trials, report.plan, report.looks), strict=True)
    found = [Bound(over[key_of(low)], low, high) for low, high in pairs if key_of(low) in over]
    return [bound for bound in found if bound.comparison.status != "aa_failed"]

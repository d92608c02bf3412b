"""Whether a verdict hangs on the scorer: the stored answers judged by each of them. No model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from promptlab.nouns.comparison import Comparison
from promptlab.nouns.contrast import Hypothesis
from promptlab.nouns.wording import SCORERS
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.rescore import rescored
from promptlab.scoring.metrics import METRICS
from promptlab.stats import analyse

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
        return Rescoring(
            own, {}, False, "These scores were given by a rule that is not promptlab's, and stay as recorded under every scorer."
        )
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

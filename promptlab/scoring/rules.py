"""Which rule scores a task under a scorer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptlab.nouns import Metric, Scorer, Scoring, Task
from promptlab.scoring.judged import judge, rubric
from promptlab.scoring.metrics import scorer_metric
from promptlab.scoring.own import timed_scoring
from promptlab.scoring.pairwise import pairwise

SCORINGS: Mapping[str, Callable[..., Scoring]] = {"judge": judge, "rubric": rubric, "pairwise": pairwise}
"""What `metric` or an assertion may name besides metrics: scorings that ask a model; keyword arguments are the parameters to set."""


def task_metric(task: Task, scorer: Scorer, model: str = "") -> Metric:
    """The metric of a task under a scorer."""
    return scorer_metric(scorer, task.name, task.metric, task.strict, model, published=task.suite != "own")


def task_scoring(task: Task, scorer: Scorer, model: str = "") -> Scoring:
    """The scoring of a task under a scorer; one that the user wrote or set up is the rule of every scorer."""
    if task.metric in SCORINGS:
        return SCORINGS[task.metric](**task.parameters)
    if task.own is not None:
        own: Scoring = task.own
        return own
    metric = task_metric(task, scorer, model)
    return timed_scoring(task.metric, metric) if task.metric.startswith("regex:") else Scoring(task.metric, metric)

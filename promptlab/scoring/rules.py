"""Scores of single predictions by the name of the task: the public `promptlab.score`."""

from __future__ import annotations

from promptlab.nouns.item import Task
from promptlab.nouns.words import Scorer
from promptlab.scoring.metrics import Metric, scorer_metric


def task_metric(task: Task, scorer: Scorer, model: str = "") -> Metric:
    """The metric of a task under a scorer."""
    return scorer_metric(scorer, task.name, task.metric, task.strict, model, published=task.suite != "own")

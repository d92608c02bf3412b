"""What there is to know about a task before anything is asked: wrong gold answers, small numbers, what guessing would score."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from promptlab.design.defects import SMALL
from promptlab.nouns.item import Item, Task
from promptlab.scoring.metrics import Metric, metric
from promptlab.scoring.rules import task_metric
from promptlab.sources.own.load import Own
from promptlab.sources.tasks import entries

REFLEXIVE = ("ii_em", "ii_exact_set")
"""Metrics that read an answer and a target in one way and ask whether they are equal: no target that holds anything scores less than 1."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`gold_below_1`: items whose own answer does not score 1, with the score; `notes`: what is worth knowing."""

    gold_below_1: tuple[tuple[Item, str, float], ...]
    notes: tuple[str, ...]


def check_task(own: Own) -> Checked:
    """Scores every gold answer by the task's metric, and looks for what makes a comparison weak."""
    task = own.task
    name = (f"a task of promptlab's own is called {task.name!r}; give this one another 'name' to use it",) if task.name in entries() else ()
    return Checked(gold_below_1(task), (*name, *own.notes, *_notes(task.items, metric(task.metric))))


def gold_below_1(task: Task) -> tuple[tuple[Item, str, float], ...]:
    """Right answers that the task's own metrics do not give the best score, and which they give."""
    rules = [metric(task.metric), *([task_metric(task, "strict")] if task.strict else [])]
    if task.metric in REFLEXIVE and not task.strict:
        return ()
    below: dict[tuple[str, str], tuple[Item, str, float]] = {}
    for rule in rules:
        for item in task.items:
            best = max(item.scores) if item.scores else 1.0
            for target in item.targets:
                if (score := rule(target, item).score) < best:
                    below[item.id, target] = item, target, score
    return tuple(below.values())


def _notes(items: tuple[Item, ...], rule: Metric) -> list[str]:
    n = len(items)
    notes = []
    if n < SMALL:
        notes.append(f"{n} items: too few for a verdict of its own; {SMALL} or more are needed")
    usual, times = Counter(item.targets[0] for item in items).most_common(1)[0]
    if n > 1 and times > 1:
        mean = sum(rule(usual, item).score for item in items) / n
        notes.append(f"answering {usual[:60]!r} every time would score {100 * mean:.1f}")
    echoes = sum(rule(item.input, item).score >= 1 for item in items)
    if echoes:
        notes.append(f"{echoes} of {n} inputs are right when they are only repeated")
    answers: dict[str, list[tuple[str, ...]]] = {}
    for item in items:
        answers.setdefault(item.input, []).append(item.targets)
    repeated = [wanted for wanted in answers.values() if len(wanted) > 1]
    if repeated:
        differ = sum(len(set(wanted)) > 1 for wanted in repeated)
        notes.append(
            f"{len(repeated)} inputs stand in several rows, which count as one cluster"
            + (f"; {differ} of them want different answers" * bool(differ))
        )
    return notes

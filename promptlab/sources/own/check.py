"""What there is to know about a task before anything is asked: wrong gold answers, small numbers, what guessing would score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from promptlab.design.defects import SMALL
from promptlab.nouns import Call, Item, Scorer, ScoringFailed, Task
from promptlab.scoring.own import settled
from promptlab.scoring.rules import task_scoring
from promptlab.sources.own.load import Own
from promptlab.sources.tasks import entries

REFLEXIVE = ("ii_em", "ii_exact_set")
"""Metrics that read an answer and a target in one way and ask whether they are equal: no target that holds anything scores less than 1."""
AT_ONCE = 32
"""Threads in which a metric of the user's own is checked."""


class Gold(NamedTuple):
    """Right answers that are not the best answers: those with a lower score, and those that the metric gives none, with why."""

    below_1: tuple[tuple[Item, str, float], ...]
    failed: tuple[tuple[Item, str, str], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """`gold`: what the task's metric makes of the items' own answers; `notes`: what is worth knowing."""

    gold: Gold
    notes: tuple[str, ...]


def check_task(own: Own) -> Checked:
    """Scores every gold answer by the task's metric, and looks for what makes a comparison weak."""
    task = own.task
    name = (f"a task of promptlab's own is called {task.name!r}; give this one another 'name' to use it",) if task.name in entries() else ()
    asked = [f"scored by {model.name}, which is not asked here" for model in task_scoring(task, "reference").models]
    return Checked(check_gold(task), (*name, *own.notes, *asked, *_notes(task)))


def check_gold(task: Task) -> Gold:
    """What the task's own metrics make of its right answers. No model is asked: what only a judge can score is not looked at."""
    if task.metric in REFLEXIVE and not task.strict:
        return Gold((), ())
    pairs = [(target, item) for item in task.items for target in item.targets]
    below: dict[tuple[str, str], tuple[Item, str, float]] = {}
    failed: dict[tuple[str, str], tuple[Item, str, str]] = {}
    scorers: tuple[Scorer, ...] = ("reference", "strict") if task.strict else ("reference",)
    for scorer in scorers:
        for (target, item), score in zip(pairs, _scores(task, pairs, scorer), strict=True):
            if isinstance(score, str):
                failed[item.id, target] = item, target, score
            elif score is not None and score < (max(item.scores) if item.scores else 1.0):
                below[item.id, target] = item, target, score
    return Gold(tuple(below.values()), tuple(failed.values()))


def gold_notes(task: Task, path: str) -> list[str]:
    """How many right answers of the items are none to the task's metric; `path` is what a user checks to see them."""
    gold = check_gold(task)
    counts = ((len(gold.below_1), "do not score 1"), (len(gold.failed), "get no score"))
    return [f"{task.id}: {n} right answers of items that are asked {what}; see `promptlab task check {path}`" for n, what in counts if n]


def _scores(task: Task, pairs: Sequence[tuple[str, Item]], scorer: Scorer = "reference") -> list[float | str | None]:
    """The score of each answer to its item, or why it has none; None for all where a model would have to be asked."""
    scoring = task_scoring(task, scorer)
    if (metric := scoring.metric) is not None:
        return [metric(text, item).score for text, item in pairs]
    if scoring.models:
        return [None] * len(pairs)

    def scored(pair: tuple[str, Item]) -> float | str:
        try:
            return settled(scoring.steps(*pair, Call("", (), {}))).score
        except ScoringFailed as problem:
            return str(problem)

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return list(workers.map(scored, pairs))


def _notes(task: Task) -> list[str]:
    items = task.items
    n = len(items)
    notes = []
    if n < SMALL:
        notes.append(f"{n} items: too few for a verdict of its own; {SMALL} or more are needed")
    usual, times = Counter(item.targets[0] for item in items).most_common(1)[0]
    if n > 1 and times > 1:
        scores = [score for score in _scores(task, [(usual, item) for item in items]) if isinstance(score, float | int)]
        if scores:
            notes.append(f"answering {usual[:60]!r} every time would score {100 * sum(scores) / len(scores):.1f}")
    echoed = _scores(task, [(item.input, item) for item in items])
    echoes = sum(isinstance(score, float | int) and score >= 1 for score in echoed)
    if echoes:
        notes.append(f"{echoes} of {n} inputs are right when they are only repeated")
    if failed := [score for score in echoed if isinstance(score, str)]:
        notes.append(f"{len(failed)} of {n} inputs get no score when they are only repeated; the first: {failed[0]}")
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

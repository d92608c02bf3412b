"""Scores of single predictions by the name of the task: the public `promptlab.score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptlab.nouns import SCORERS, Item, Scorer, UsageProblem, did_you_mean
from promptlab.scoring.metrics import scorer_metric
from promptlab.sources.tasks import entries


def score(
    task: str,
    prediction: str,
    *,
    targets: Sequence[str] | None = None,
    target_scores: Mapping[str, float] | None = None,
    input: str | None = None,  # noqa: A002 (the field's word)
    scorer: Scorer = "strict",
    model: str | None = None,
) -> float:
    """The score in [0, 1] of one prediction for an item of one of the 45 tasks.

    `targets` are the answers that count as right; tasks of multiple choice take `target_scores`, the grade of every option, instead.
    `input` is the question: tasks that choose from the input (larger_animal, cause_and_effect) need it, and an echo can only be
    found with it. `model` matters to the scorer `negativeprompt` alone. UsageProblem for an unknown task or scorer, or without answers.
    """
    known = entries()
    if task not in known:
        raise UsageProblem(f"the task {task!r} is not known; {did_you_mean(task, known)}".rstrip("; "))
    if scorer not in SCORERS:
        raise UsageProblem(f"the scorer {scorer!r} is not known; {did_you_mean(scorer, SCORERS)}".rstrip("; "))
    entry = known[task]
    graded = target_scores if target_scores and entry.metric == "choice" else None
    answers = tuple(option for option, grade in graded.items() if grade == max(graded.values())) if graded else tuple(targets or ())
    if not answers:
        raise UsageProblem(
            f"the task {task!r} needs 'targets', the list of right answers" + (", or 'target_scores'" if entry.metric == "choice" else "")
        )
    choices = tuple(graded) if graded else tuple(entry.labels)
    item = Item("0", input or "", answers, choices, scores=tuple(float(grade) for grade in graded.values()) if graded else ())
    return scorer_metric(scorer, task, entry.metric, entry.strict, model or "")(prediction, item).score

"""Vote: independent answers to one question, and the answer that most of them give (self-consistency, Wang et al. 2023)."""

from __future__ import annotations

from dataclasses import replace

from promptlab.nouns import Answer, Call, Completion, Reader, Steps, Strategy, Trial, UsageProblem
from promptlab.strategies.loop import again, majority

MOST_SAMPLES = 100


def vote(samples: int = 5) -> Strategy:
    """The majority of `samples` answers, drawn at once, by what the scoring reads in each; the earliest of several that are equal.

    It votes without the score. A sample that failed makes the trial an error, which is sent again: a vote of fewer is another one.
    """
    if not 2 <= samples <= MOST_SAMPLES:
        raise UsageProblem(f"samples of the strategy 'vote' must be from 2 to {MOST_SAMPLES}, found {samples}")

    def run(call: Call, trial: Trial, reader: Reader) -> Steps[Answer]:
        del trial
        drawn: list[Completion] = yield [replace(again(call, n), round=n) for n in range(samples)]
        if failed := [completion for completion in drawn if completion.outcome == "error"]:
            return Answer("", "error", failed[0].error)
        read = []
        for completion in drawn:
            read.append((yield from reader(completion.text)))
        chosen = majority(drawn, read)
        return Answer(chosen.text, chosen.outcome)

    return Strategy("vote", run, samples, max_calls=samples, n_first=samples, needs=frozenset({"reader"}), scores_attempts=True)

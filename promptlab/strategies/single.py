"""One question, one answer."""

from __future__ import annotations

from promptlab.nouns import Answer, Call, Steps, Strategy, Trial, Verifier


def _single(call: Call, trial: Trial, verifier: Verifier | None) -> Steps[Answer]:
    """Ask once and take what comes."""
    del trial, verifier
    completion = yield call
    return Answer(completion.text, completion.outcome)


SINGLE = Strategy("single", _single)

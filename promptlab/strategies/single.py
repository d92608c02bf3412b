"""One question, one answer."""

from __future__ import annotations

from promptlab.nouns.arm import Strategy, Trial
from promptlab.nouns.call import Answer, Call
from promptlab.nouns.steps import Steps, Verifier


def _single(call: Call, trial: Trial, verifier: Verifier | None) -> Steps[Answer]:
    """Ask once and take what comes."""
    del trial, verifier
    completion = yield call
    return Answer(completion.text, completion.outcome)


SINGLE = Strategy("single", _single)

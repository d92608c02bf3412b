"""One question, one answer."""

from __future__ import annotations

from promptlab.schema import Answer, Call, Strategy, Trial


def single(call: Call, _: Trial) -> Strategy:
    """Ask once and take what comes."""
    completion = yield call
    return Answer(completion.text, completion.outcome)

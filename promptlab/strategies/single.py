"""One question, one answer."""

from __future__ import annotations

from promptlab.schema import Answer, Call, Strategy


def single(call: Call) -> Strategy:
    """Ask once and take what comes."""
    completion = yield call
    return Answer(completion.text, completion.outcome)

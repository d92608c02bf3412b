"""One question, one answer."""

from __future__ import annotations

from promptlab.nouns.arm import Trial
from promptlab.nouns.call import Answer, Call, Strategy


def single(call: Call, _: Trial) -> Strategy:
    """Ask once and take what comes."""
    completion = yield call
    return Answer(completion.text, completion.outcome)

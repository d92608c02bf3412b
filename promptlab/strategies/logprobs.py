"""Multiple choice by probability: one token is requested, and the option that its probabilities favour is the answer.

BIG-bench (Srivastava et al. 2022) grades multiple choice by the log-probability of each option. Chat endpoints give only the
likeliest first tokens, so an option counts by its letter where the prompt shows letters, else by its first word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from promptlab.nouns import LETTERS, Answer, Call, Completion, Placement, Steps, Strategy, Trial, Verifier

REQUESTED = {"max_tokens": 1, "logprobs": True, "top_logprobs": 20}
"""What is requested of the provider besides the experiment's own sampling; 20 is the most that OpenAI's interface takes."""


def _logprobs(call: Call, trial: Trial, verifier: Verifier | None) -> Steps[Answer]:
    """Ask for one token with the probabilities of its alternatives; outcome `error` where the server sends none."""
    del verifier
    completion = yield Call(call.model, call.messages, {**call.sampling, **REQUESTED}, call.draw, call.api_base)
    return _answer(completion, trial)


def _answer(completion: Completion, trial: Trial) -> Answer:
    if completion.outcome in ("error", "refused"):
        return Answer(completion.text, completion.outcome)
    if not completion.top_logprobs:
        return Answer(completion.text, "error", "the server sent no log-probabilities; use the strategy single with this model")
    probabilities = option_probabilities(completion.top_logprobs, trial.item.choices, trial.arm.placement)
    best = max(probabilities, default=0.0)
    if not best or probabilities.count(best) > 1:
        return Answer(completion.text, "parse_failed")
    return Answer(trial.item.choices[probabilities.index(best)], "ok")


def option_probabilities(top: Sequence[tuple[str, float]], choices: Sequence[str], placement: Placement) -> list[float]:
    """The probability of each option: the sum over the tokens that can only begin this one."""
    lettered = "{letter}" in placement.choice and placement.options != "none" and len(choices) <= len(LETTERS)
    found = [0.0] * len(choices)
    for token, logprob in top:
        read = token.strip(" \t\n\"'`*_().:[]")
        if not read:
            continue
        if lettered:
            hits = [LETTERS.index(read)] if len(read) == 1 and read in LETTERS[: len(choices)] else []
        else:
            hits = [i for i, choice in enumerate(choices) if choice.strip(" \"'(").casefold().startswith(read.casefold())]
        if len(hits) == 1:
            found[hits[0]] += math.exp(logprob)
    return found


LOGPROBS = Strategy("logprobs", _logprobs, sampling=REQUESTED, needs=frozenset({"choices"}))

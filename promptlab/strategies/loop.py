"""Feedback loops: answer, receive one remark, answer again (after HEART, Pinto et al. 2025), and loops of equal budget without affect.

All arms of one loop have the same rounds, stop rule and verifier; what differs is the remark, or that there is none
(`resample` sends the prompt again). Round 0 is the same request in every arm that shares the prompt, so that a cache answers it once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from promptlab.nouns import Answer, Call, Completion, Cue, Loop, Steps, Strategy, Trial, Verifier

DRAWS_A_ROUND = 10_000
"""Independent attempts draw from other seeds than replicates and the A/A arm do."""
SURE = "Are you sure that the answer above is correct? Reply with yes or no only."
SETTLE = "These are candidates from several attempts. Give the one final answer to the question, in the form that was asked for."
NO_ANSWER = "(no answer)"
Messages = Sequence[Mapping[str, str]]
T = TypeVar("T")


def looped(name: str, loop: Loop) -> Strategy:
    """A feedback loop as a strategy under the name of its setting."""
    needs = frozenset({"verifier"} if loop.oracle else ())
    return Strategy(
        name, partial(_loop, loop=loop), loop, max_calls=loop.max_calls, n_first=loop.candidates, needs=needs, scores_attempts=True,
        solved_at=loop.solved_at, library=loop.library,
    )  # fmt: skip


def _loop(call: Call, trial: Trial, verifier: Verifier | None, *, loop: Loop) -> Steps[Answer]:
    """Up to `rounds` rounds; the answer is that of the last one, or what the loop settles on where nobody verifies."""
    attempts: list[Completion] = []
    messages: Messages = call.messages
    chosen: list[Completion] = []
    n_tokens = 0
    for number in range(loop.rounds):
        cue = None
        if chosen and loop.kind == "feedback":
            cue = chosen_cue(loop, trial, number)
            messages = [*messages, _said(chosen[-1]), {"role": "user", "content": remark(loop, cue)}]
        asked = replace(call, messages=tuple(messages), round=number, cue=cue.key if cue else None, emotion=cue.emotion if cue else None)
        first = number * loop.candidates if loop.kind == "resample" else 0
        requests = [again(asked, first + place) for place in range(loop.candidates)]
        drawn: list[Completion] = (yield requests) if len(requests) > 1 else [(yield requests[0])]
        if failed := [completion for completion in drawn if completion.outcome == "error"]:
            return Answer("", "error", failed[0].error)
        attempts += drawn
        n_tokens += sum(completion.output_tokens or 0 for completion in drawn)
        if verifier is None:
            chosen.append(majority(drawn, [completion.text for completion in drawn]))
        else:
            scores = []
            for completion in drawn:
                scores.append((yield from verifier(completion.text)))
            chosen.append(drawn[scores.index(max(scores))])
            if max(scores) >= loop.solved_at:
                break
        if number + 1 == loop.rounds or (loop.token_budget is not None and n_tokens >= loop.token_budget):
            break
        if loop.mode == "self_judge":
            conversation = (*messages, _said(chosen[-1]), {"role": "user", "content": SURE})
            verdict = yield replace(requests[0], messages=conversation, purpose="judge", cue=None, emotion=None)
            if verdict.outcome == "error":
                return Answer("", "error", verdict.error)
            n_tokens += verdict.output_tokens or 0
            if verdict.text.strip().strip("\"'*").casefold().startswith("yes"):
                break
    if loop.mode != "verifier_free" or loop.settle == "last" or len(attempts) == 1:
        return Answer(chosen[-1].text, chosen[-1].outcome)
    if loop.settle == "majority":
        best = majority(attempts, [attempt.text for attempt in attempts])
        return Answer(best.text, best.outcome)
    listed = "\n".join(f"{n}. {attempt.text.strip() or NO_ANSWER}" for n, attempt in enumerate(attempts, 1))
    conversation = (*call.messages, {"role": "assistant", "content": listed}, {"role": "user", "content": SETTLE})
    final = yield replace(call, messages=conversation, round=number + 1, purpose="synthesis")
    return Answer(final.text, final.outcome, final.error)


def again(call: Call, number: int) -> Call:
    """An independent attempt (0: the first): the same request from another draw, and another seed where one is sent."""
    sampling: dict[str, Any] = dict(call.sampling)
    if "seed" in sampling:
        sampling["seed"] += number * DRAWS_A_ROUND
    return replace(call, sampling=sampling, draw=call.draw + number * DRAWS_A_ROUND)


def chosen_cue(spec: Loop, trial: Trial, number: int) -> Cue:
    """The cue of a round, drawn by item and round: all arms draw the same place, so that counterparts meet."""
    candidates = spec.cues[(number - 1) % len(spec.cues)]
    place = random.Random(f"{spec.seed}/{trial.task}/{trial.item.id}/{trial.replicate}/{number}").random()
    return candidates[int(place * len(candidates))]


def remark(spec: Loop, cue: Cue) -> str:
    """What the user says: in oracle loops that the answer is wrong, then the cue, then the request to answer again."""
    return " ".join(part for part in (spec.verdict if spec.mode == "oracle" else "", cue.text, spec.request) if part)


def majority(attempts: Sequence[T], texts: Sequence[str | None]) -> T:
    """The attempt whose words most attempts share, as far as `texts` say them; the earliest of several, the last where none says any."""
    keys = [" ".join((text or "").casefold().split()).rstrip(".!") for text in texts]
    counts = Counter(key for key in keys if key)
    if not counts:
        return attempts[-1]
    most = max(counts.values())
    return next(attempt for attempt, key in zip(attempts, keys, strict=True) if counts.get(key) == most)


def _said(completion: Completion) -> Mapping[str, str]:
    return {"role": "assistant", "content": completion.text if completion.text.strip() else NO_ANSWER}

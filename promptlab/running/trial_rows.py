"""From a finished trial to its rows of the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from promptlab.nouns.arm import Trial
from promptlab.nouns.call import Call, Completion, Scored
from promptlab.nouns.item import Task
from promptlab.nouns.words import Outcome
from promptlab.record.store import written
from promptlab.running.gateway.wire import storable
from promptlab.scoring.metrics import compliant, declines, echoed

N = TypeVar("N", int, float)
Row = dict[str, Any]
Made = tuple[Call, str, Completion]
"""A call, its key, and its answer."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a trial came to: the answer of its strategy, and its score; None where it has none."""

    text: str
    outcome: Outcome
    error: str | None
    scored: Scored | None
    by_call: Sequence[float | None]
    """The score of each call, in the order in which they were made."""


def rows_of(
    trial: Trial, task: Task, done: Finished, made: Sequence[Made], simulated: bool, parameters: Callable[[Mapping[str, Any]], str]
) -> tuple[Row, list[Row]]:
    """The trial's row and those of its calls. `parameters` writes parameters as JSON."""
    name, arm, setting = trial.id, trial.arm, trial.arm.setting
    text, outcome, scored = done.text, done.outcome, done.scored
    answers = [completion for call, _, completion in made if call.purpose != "score"]
    last = answers[-1] if answers else None  # a program may fail before it asks anything
    error = done.error or (last.error if last else None)
    by_call = done.by_call
    attempts = [value for (call, _, _), value in zip(made, by_call, strict=True) if call.purpose == "answer"]
    attempts = attempts[-1:] if arm.program else attempts  # the calls before the last are steps of its own
    solved_at = arm.strategy.solved_at
    total = _Totals([completion for _, _, completion in made])
    row: Row = {
        "trial": name,
        "order": trial.order,
        "model": trial.model,
        "simulated": simulated,
        "suite": task.suite,
        "task": task.name,
        "item": trial.item.id,
        "cluster": trial.item.cluster,
        "arm": arm.name,
        "role": arm.role,
        "stimulus": arm.stimulus.id if arm.stimulus else None,
        "library": arm.library,
        "base_prompt": setting.prompt,
        "setting": setting.id,
        "placement": setting.placement,
        "shots": setting.shots,
        "strategy": setting.strategy,
        "replicate": trial.replicate,
        "outcome": outcome,
        "score": None if scored is None else scored.score,
        "extracted": None if scored is None else scored.extracted,
        "compliant": None if outcome == "error" else compliant(text, trial.item),
        "echoed": None if outcome == "error" else echoed(text, trial.item),
        "declined": None if outcome == "error" else outcome == "refused" or declines(text),
        "answer": text,
        "oracle": arm.strategy.oracle,
        "n_rounds": len(attempts),
        "solved_round": next((n for n, value in enumerate(attempts, 1) if value is not None and value >= solved_at), None),
        "n_calls": len(made),
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cost_usd": total.cost_usd,
        "paid_usd": total.paid_usd,
        "latency_s": total.latency_s,
        "cached": total.cached,
        "attempts": total.attempts,
        "model_version": last.model_version if last else None,
        "error": storable(error) if error else error,
    }
    calls = [
        {
            "trial": name,
            "turn": turn,
            "key": key,
            "messages": written([dict(m) for m in call.messages]),
            "requested": parameters(call.sampling),
            "effective": parameters(completion.effective),
            "text": storable(completion.text),
            "outcome": completion.outcome,
            "finish_reason": completion.finish_reason,
            "model_version": completion.model_version,
            "input_tokens": completion.input_tokens,
            "output_tokens": completion.output_tokens,
            "cost_usd": completion.cost_usd,
            "latency_s": completion.latency_s,
            "cached": completion.cached,
            "attempts": completion.attempts,
            "error": completion.error,
            "top_logprobs": written([list(pair) for pair in completion.top_logprobs]) if completion.top_logprobs else None,
            "round": call.round,
            "purpose": call.purpose,
            "cue": call.cue,
            "emotion": call.emotion,
            "score": by_call[turn],
            "fingerprint": completion.fingerprint,
        }
        for turn, (call, key, completion) in enumerate(made)
    ]
    return row, calls


class _Totals:
    """What the answers of one trial took together; None as soon as it is unknown of one."""

    __slots__ = ("attempts", "cached", "cost_usd", "input_tokens", "latency_s", "output_tokens", "paid_usd")

    def __init__(self, completions: Sequence[Completion]) -> None:
        self.input_tokens: int | None = 0
        self.output_tokens: int | None = 0
        self.cost_usd: float | None = 0
        self.paid_usd: float | None = 0
        self.latency_s: float = 0
        self.cached = True
        self.attempts = 0
        for one in completions:
            self.input_tokens = _plus(self.input_tokens, one.input_tokens)
            self.output_tokens = _plus(self.output_tokens, one.output_tokens)
            self.cost_usd = _plus(self.cost_usd, one.cost_usd)
            self.paid_usd = _plus(self.paid_usd, 0.0 if one.cached else one.cost_usd)
            self.latency_s += one.latency_s
            self.cached = self.cached and one.cached
            self.attempts += one.attempts


def _plus(total: N | None, more: N | None) -> N | None:
    return None if total is None or more is None else total + more

"""How a model is asked: generators that yield calls, are sent completions, and return an answer. They do no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from promptlab.nouns.arm import Trial
from promptlab.nouns.call import Call, Strategy
from promptlab.strategies.logprobs import ASKED, logprobs
from promptlab.strategies.loop import Judge, loop
from promptlab.strategies.single import single

StrategyOf = Callable[[Call, Trial], Strategy]

STRATEGIES: Mapping[str, StrategyOf] = {"single": single, "logprobs": logprobs}
"""A strategy is given the trial's first call, as the design makes it, and the trial."""


def strategy_of(call: Call, trial: Trial, judge: Judge, programs: Mapping[str, StrategyOf] | None = None) -> Strategy:
    """The strategy of a trial, begun with its first call; `judge` scores answers and goes to oracle loops only."""
    spec = trial.condition.loop
    if spec is None:
        return {**STRATEGIES, **(programs or {})}[trial.condition.strategy](call, trial)
    return loop(call, trial, spec, judge if spec.oracle else None)


SAMPLING: Mapping[str, Mapping[str, Any]] = {"logprobs": ASKED}
"""What a strategy asks of the provider beside the experiment's sampling."""

NEEDS_CHOICES = frozenset({"logprobs"})
"""Strategies that only work where an item has options."""

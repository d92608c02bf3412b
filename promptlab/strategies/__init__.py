"""How trials call a model: values of one type, whose generators yield calls, are sent completions, and return an answer. No I/O.

A new strategy is one file here, and its line in `STRATEGIES`. Loops and programs are made from the experiment's own blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from promptlab.nouns import NONE_ARM, Answer, Call, Reader, Role, Setting, Steps, Stimulus, UsageProblem, Verifier, checked
from promptlab.nouns.arm import Arm, Placement, Strategy, Trial
from promptlab.strategies.logprobs import LOGPROBS
from promptlab.strategies.vote import vote


def _single(call: Call, trial: Trial, verifier: Verifier | None) -> Steps[Answer]:
    """Ask once and take what comes."""
    del trial, verifier
    completion = yield call
    return Answer(completion.text, completion.outcome)


SINGLE = Strategy("single", _single)
"""One question, one answer."""
Entry = str | Mapping[str, Mapping[str, Any]]
"""A strategy by its name, or its name with values of parameters, as in {name: {parameter: value}}."""
STRATEGIES: Mapping[str, Callable[..., Strategy]] = {"single": lambda: SINGLE, "logprobs": lambda: LOGPROBS, "vote": vote}
"""What `strategies` of an experiment may name; keyword arguments are the parameters that it may set."""


def strategy_of(entry: Entry) -> Strategy:
    """What an entry of `strategies` means; with parameters other than the defaults, their values are part of its name."""
    if not isinstance(entry, str) and len(entry) != 1:
        raise UsageProblem(
            f"write one strategy with its parameters, as in {{name: {{parameter: value}}}}, found {', '.join(entry) or 'none'}"
        )
    name, given = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    if name not in STRATEGIES:
        raise UsageProblem(f"the strategy {name!r} is not known; known: {', '.join(STRATEGIES)}")
    own = checked(f"the strategy {name!r}", STRATEGIES[name], given)
    strategy = STRATEGIES[name](**own)
    return replace(strategy, name="-".join([name, *map(str, own.values())])) if own else strategy


def begun(call: Call, trial: Trial, verifier: Verifier | None = None, reader: Reader | None = None) -> Steps[Answer]:
    """The strategy of a trial, given its first call; verifier and reader go only to strategies that need one."""
    strategy = trial.arm.strategy
    return strategy.run(call, trial, verifier if "verifier" in strategy.needs else reader if "reader" in strategy.needs else None)


def plain_arm(prompt: str, placement: Placement, stimulus: Stimulus | None = None, shots: int = 0) -> Arm:
    """One arm run once, such as the baseline of a prompt: what a preview shows."""
    setting = Setting(placement.name, shots, SINGLE.name, prompt=prompt)
    role: Role = "baseline" if stimulus is None else "placebo" if stimulus.role == "placebo" else "stimulus"
    return Arm(stimulus.id if stimulus else NONE_ARM, role, stimulus, setting, placement, SINGLE)

"""How a model is asked: values of one type, whose generators yield calls, are sent completions, and return an answer. No I/O.

A new strategy is one file here, and its line in `STRATEGIES`. Loops and programs are made from the experiment's own blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptlab.nouns.arm import Arm, Placement, Strategy, Trial
from promptlab.nouns.call import Answer, Call
from promptlab.nouns.setting import Setting
from promptlab.nouns.steps import Steps, Verifier
from promptlab.nouns.stimulus import Stimulus
from promptlab.nouns.words import NONE_ARM, Role
from promptlab.strategies.logprobs import LOGPROBS
from promptlab.strategies.single import SINGLE

STRATEGIES: Mapping[str, Callable[..., Strategy]] = {"single": lambda: SINGLE, "logprobs": lambda: LOGPROBS}
"""What `strategies` of an experiment may name; keyword arguments are the parameters that it may set."""


def begun(call: Call, trial: Trial, verifier: Verifier | None = None) -> Steps[Answer]:
    """The strategy of a trial, given its first call; the verifier goes only to strategies that need one."""
    strategy = trial.arm.strategy
    return strategy.run(call, trial, verifier if "verifier" in strategy.needs else None)


def plain_arm(prompt: str, placement: Placement, stimulus: Stimulus | None = None, shots: int = 0) -> Arm:
    """One arm asked once, such as the baseline of a prompt: what a preview shows."""
    setting = Setting(placement.name, shots, SINGLE.name, prompt=prompt)
    role: Role = "baseline" if stimulus is None else "placebo" if stimulus.role == "placebo" else "stimulus"
    return Arm(stimulus.id if stimulus else NONE_ARM, role, stimulus, setting, placement, SINGLE)

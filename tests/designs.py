"""Arms and designs for tests, made here and nowhere else, so that another shape of an arm is one edit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from promptlab.design.cross import Design, cross, draw, settings_of
from promptlab.design.render import PRESETS
from promptlab.nouns.arm import Arm, Loop, Placement, Steps, Stimulus, Trial
from promptlab.nouns.call import Model
from promptlab.nouns.item import Demo, Item, Task
from promptlab.nouns.setting import Setting
from promptlab.strategies import SINGLE, plain_arm
from promptlab.strategies.loop import looped

PAPER = PRESETS["paper"]


def arm(stimulus: Stimulus | None = None, placement: Placement = PAPER, shots: int = 0, base_prompt: str = "human") -> Arm:
    """The baseline, or the arm of a stimulus, in one setting."""
    return plain_arm(base_prompt, placement, stimulus, shots)


def loop_arm(loop: Loop) -> Arm:
    """An arm of a feedback loop."""
    return Arm("looped", "loop", None, Setting(PAPER.name, 0, "looped", prompt="human"), PAPER, looped("looped", loop))


def arms(
    stimuli: Sequence[Stimulus], placebos: Sequence[Stimulus] = (), placements: Sequence[Placement] = (PAPER,), shots: Sequence[int] = (0,)
) -> tuple[Arm, ...]:
    """Every arm in every setting of both base prompts."""
    return cross(stimuli, placebos, settings_of(["human", "ape"], placements, shots, [SINGLE]))


def trial(item: Item, of: Arm, task: str = "twin/toy", replicate: int = 0) -> Trial:
    return Trial(0, task, item, of, "m", replicate)


def items(n: int, **changes: Any) -> tuple[Item, ...]:
    """Every second one with four options."""
    return tuple(Item(f"i{i}", f"input {i}", (f"target {i}",), ("a", "b", "c", "d") if i % 2 else (), **changes) for i in range(n))


def task(of: Sequence[Item], name: str = "toy", n_demos: int = 9, **changes: Any) -> Task:
    demos = tuple(Demo(f"demo {i}", f"out {i}") for i in range(n_demos))
    return Task(name, "twin", "bigbench", "choice", {"human": "Do it.", "ape": "do the thing"}, tuple(of), demos, **changes)


def design(
    tasks: Sequence[Task], of_arms: Sequence[Arm], seed: int = 1, n_items: int | None = None, n_demos: int = 0,
    n_models: int = 1, replicates: int = 1,
) -> Design:  # fmt: skip
    """Drawn and crossed."""
    models = tuple(Model(f"m{n}", "sim/null") for n in range(n_models))
    return Design(tuple(draw(task, n_items, n_demos, seed) for task in tasks), tuple(of_arms), models, replicates, seed)


def verifier(judge: Callable[[str], float]) -> Callable[[str], Steps[float]]:
    """A pure score as a verifier."""

    def verified(text: str) -> Steps[float]:
        return judge(text)
        yield  # a generator that asks nothing

    return verified


def with_sampling(shown: Any, sampling: Any) -> Any:
    """What a simulated model reads in a prompt, with what the request was sent with."""
    return replace(shown, sampling=sampling)

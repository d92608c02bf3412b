"""Arms and trials: all that may differ between two paired answers."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from promptlab.nouns.call import Answer, Call
from promptlab.nouns.identity import canonical_json, digest_of_text, plain_json
from promptlab.nouns.item import Item
from promptlab.nouns.setting import Setting
from promptlab.nouns.steps import Steps
from promptlab.nouns.stimulus import Loop, Stimulus
from promptlab.nouns.words import Position, Role

LETTERS = string.ascii_uppercase
"""What options are lettered with."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the stimulus goes and what the prompt around it looks like.

    `template` holds the placeholders {instruction}, {demos} and {input}; `demo` holds {input} and {output}; `choice`
    holds {choice} and perhaps {letter}, and is repeated behind the input for every option (empty: options are not shown).
    `options` says whose options are shown: those of tasks that show theirs, all, or none. All texts may also hold the fields of
    the task's Frame.
    """

    name: str
    template: str
    position: Position = "suffix"
    separator: str = " "
    demo: str = "Input: {input}\nOutput: {output}"
    demo_separator: str = "\n\n"
    demos_end: str = "\n\n"
    """Put after the demonstrations when there are any; nothing is put there without them."""
    choice: str = ""
    options: Literal["task", "all", "none"] = "task"


@dataclass(frozen=True, slots=True)
class Program:
    """A DSPy program as the system under test: where it comes from, and which of its fields carry the item and the answer."""

    name: str
    factory: str
    """`package.module:function`, which returns the program."""
    input: str
    output: str
    instructions: Literal["own", "base_prompt"]
    max_calls: int
    state: str
    """What DSPy saves of it, as JSON, without the model."""
    source: str | None
    """SHA-256 of the file that makes it."""

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        return {key: getattr(self, key) for key in ("name", "factory", "input", "output", "instructions", "max_calls", "state", "source")}


@dataclass(frozen=True, eq=False, slots=True)
class Strategy:
    """How one arm asks: from the first call of a trial to its answer.

    `parameters` is a frozen dataclass or plain data, and decides the arm's identity together with `name`. `sampling` is sent in
    place of the experiment's own. `needs` may hold `choices` (items must have options), `verifier` (the score of each attempt, an
    oracle) or `reader` (what the scoring reads in each), which `run` gets last, and `prompts` (the strategy writes its own messages).
    """

    name: str
    run: Callable[[Call, Trial, Any], Steps[Answer]]
    parameters: Any = None
    max_calls: int = 1
    n_first: int = 1
    """How many calls it makes at once to begin with: no trial has fewer."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    scores_attempts: bool = False
    """Whether each answer is an attempt with a score of its own."""
    solved_at: float = 1.0
    """The score at which an attempt counts as right."""
    library: str = ""
    """The loop that a treatment belongs to; empty elsewhere."""

    @property
    def oracle(self) -> bool:
        """Whether the scorer stops it: such a score is not that of a single answer."""
        return "verifier" in self.needs


@dataclass(frozen=True, slots=True)
class Arm:
    """All that may differ between two paired trials but the model: one stimulus, or none, in one setting."""

    name: str
    role: Role
    stimulus: Stimulus | None
    setting: Setting
    placement: Placement
    """What `setting.placement` names."""
    strategy: Strategy
    """What `setting.strategy` names; arms of a loop share the setting and differ in its parameters."""

    @property
    def loop(self) -> Loop | None:
        """The parameters of its feedback loop."""
        return self.strategy.parameters if isinstance(self.strategy.parameters, Loop) else None

    @property
    def program(self) -> Program | None:
        """The program under test."""
        return self.strategy.parameters if isinstance(self.strategy.parameters, Program) else None

    @property
    def library(self) -> str | None:
        """The library, or the loop, whose effect the arm is part of."""
        return self.stimulus.library if self.stimulus and not self.loop else self.strategy.library or None


@dataclass(frozen=True, slots=True)
class Trial:
    """One item shown once to one model in one arm. `order` is its place in the run."""

    order: int
    task: str
    item: Item
    arm: Arm
    model: str
    replicate: int

    @property
    def id(self) -> str:
        """Stable over runs of the same experiment: a digest of everything that names the trial."""
        s = self.arm.setting
        parts = [self.task, self.item.id, self.arm.name, s.prompt, s.placement, s.shots, s.strategy, self.model, self.replicate]
        if s.sampling:
            parts.append(canonical_json(dict(s.sampling)))
        return digest_of_text(plain_json(parts))[:20]

"""Conditions and trials: all that may differ between two paired answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from promptlab.nouns.identity import digest_of_text, plain_json
from promptlab.nouns.item import Item
from promptlab.nouns.stimulus import Loop, Stimulus
from promptlab.nouns.words import Position, Role


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


@dataclass(frozen=True, slots=True)
class Condition:
    """One arm in one setting: all that may differ between paired trials."""

    arm: str
    role: Role
    stimulus: Stimulus | None
    base_prompt: str
    placement: Placement
    shots: int = 0
    strategy: str = "single"
    loop: Loop | None = None
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One item shown once to one model under one condition. `order` is its place in the run."""

    order: int
    task: str
    item: Item
    condition: Condition
    model: str
    replicate: int

    @property
    def id(self) -> str:
        """Stable over runs of the same experiment: a digest of everything that names the trial."""
        c = self.condition
        parts = [self.task, self.item.id, c.arm, c.base_prompt, c.placement.name, c.shots, c.strategy, self.model, self.replicate]
        return digest_of_text(plain_json(parts))[:20]

"""Items and tasks, the questions; and prompts, what a model gets, with named variables for what changes from item to item."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from promptlab.nouns.words import Benchmark, Suite


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a task: an input, the answers that count as right, and the options where there are any."""

    id: str
    input: str
    targets: tuple[str, ...]
    choices: tuple[str, ...] = ()
    cluster: str | None = None
    scores: tuple[float, ...] = ()
    """The grade of each choice, in their order, where they are graded in fractions; empty: 1 for targets, 0 for the rest."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One worked example for a few-shot prompt, drawn from a pool that holds no test item."""

    input: str
    output: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What BIG-bench puts around the input and the answer of one task; the defaults are its own."""

    input_prefix: str = "\nQ: "
    output_prefix: str = "\nA: "
    choice_prefix: str = "\n  choice: "
    separator: str = "\n"
    instruction_end: str = "\n"

    def canonical(self) -> list[str]:
        """What decides prompts, as plain data."""
        return [self.input_prefix, self.output_prefix, self.choice_prefix, self.separator, self.instruction_end]


@dataclass(frozen=True, slots=True)
class Task:
    """Items scored by one metric, with the base prompts that ask for them.

    `metric` is the rule in force, `strict` the kind of answer that promptlab's own scorer reads. Options are shown behind the
    input only where `options` says so; elsewhere they are labels that the prompt names, or that nobody told.
    `chance` is the expected score of blind guessing (None where guessing is hopeless), `low` the zero of BIG-bench's
    normalised preferred metric.
    """

    name: str
    suite: Suite
    benchmark: Benchmark
    metric: str
    base_prompts: Mapping[str, str]
    items: tuple[Item, ...]
    demos: tuple[Demo, ...] = ()
    chance: float | None = None
    low: float = 0.0
    source: str = ""
    licence: str = ""
    defects: tuple[str, ...] = ()
    strict: str = "text"
    options: Literal["shown", "hidden"] = "shown"
    frame: Frame = Frame()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What a scoring that is no plain metric is made with."""
    fixed_order: bool = False
    """Whether options keep the published order instead of one drawn by the seed."""
    own: Any = field(default=None, compare=False, repr=False)
    """The `Scoring` by a function of the user's own, which is the rule of every scorer."""

    @property
    def id(self) -> str:
        """`suite/name`: the same task from the official files and from our twin are different tasks."""
        return f"{self.suite}/{self.name}"


VARIABLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages (role, content) whose contents may hold `{variables}`. A base prompt in its layout is one, and so is a whole chat."""

    name: str
    messages: tuple[Mapping[str, str], ...]
    source: str = ""

    @property
    def variables(self) -> list[str]:
        """The names between braces, in order, with repeats."""
        return [name for message in self.messages for name in variables(message["content"])]

    def filler(self, variable: str, values: Mapping[str, str]) -> Callable[[str], tuple[Mapping[str, str], ...]]:
        """Gives the messages for each value of `variable`; all others are put in once.

        Every variable is replaced once: values are never searched again. KeyError for one without a value.
        """
        around = [(message, _around(message["content"], variable, values)) for message in self.messages]
        return lambda value: tuple([{**message, "content": value.join(texts)} for message, texts in around])

    def canonical(self) -> list[dict[str, str]]:
        """What decides its answers, as plain data."""
        return [dict(message) for message in self.messages]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace every {name} once, from left to right; a name without a value raises KeyError."""
    parts = list(_split(template))
    parts[1::2] = [values[name] for name in parts[1::2]]
    return "".join(parts)


@lru_cache(maxsize=1024)
def _split(template: str) -> tuple[str, ...]:
    """Text and names by turns: text comes first and last."""
    return tuple(VARIABLE.split(template))


def _around(template: str, variable: str, values: Mapping[str, str]) -> list[str]:
    """The filled texts before, between and after the places of one variable."""
    texts = [""]
    for n, part in enumerate(_split(template)):
        if n % 2 and part == variable:
            texts.append("")
        else:
            texts[-1] += values[part] if n % 2 else part
    return texts


def variables(template: str) -> list[str]:
    """The names between braces, in order, with repeats."""
    return VARIABLE.findall(template)

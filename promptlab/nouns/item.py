"""Items and tasks, the questions; and prompts, what a model gets, with named variables for what changes from item to item."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from promptlab.nouns.grouping import grouped
from promptlab.nouns.setting import Fixed
from promptlab.nouns.words import Benchmark, Suite

NO_COLUMNS: Mapping[str, Any] = Fixed()
UNDRAWN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
INSERTED = "messages"
"""The role of a placeholder in a whole prompt for the messages of a column."""


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
    columns: Mapping[str, Any] = field(default=NO_COLUMNS, hash=False)
    """What whole prompts take from the row: a text by the name of its column, or a tuple of messages."""


def as_read(text: str) -> str:
    """What a reader sees in a text: without case, further spaces and characters that are not drawn, and in one form of Unicode."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", UNDRAWN.sub("", unicodedata.normalize("NFC", text)).casefold())
    return " ".join(text.casefold().split())


def _asking(text: str) -> str:
    """What a text asks: `as_read`, without the signs that end a sentence, unless there is nothing else."""
    read = as_read(text)
    return read.rstrip(" .?!…。？！\"'“”’") or read


def together(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items, those that ask the same, whatever sign ends them, in one cluster where they have none of their own."""
    found = tuple(items)
    alike = grouped((_asking(item.input) or item.id, item) for item in found)
    if len(alike) == len(found):
        return found
    names = {
        item.id: name
        for same in alike.values() if len(same) > 1
        for name in [next((own.cluster for own in same if own.cluster), same[0].input)] for item in same
    }  # fmt: skip
    return tuple(replace(item, cluster=item.cluster or names.get(item.id)) for item in found)


@dataclass(frozen=True, slots=True)
class Demo:
    """One worked example for a few-shot prompt, drawn from a pool that holds no test item."""

    input: str
    output: str
    choices: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default=NO_COLUMNS, hash=False)


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

    `metric` is the rule in force, `strict` the kind of answer that promptlab's own scorer reads. Options are shown after the
    input only where `options` says so; elsewhere they are labels that the prompt names, or that are unknown.
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
    both_orders: bool = False
    """Whether every item is sent twice, the second time with its options in reverse; both are one cluster."""
    labels: tuple[str, ...] = ()
    """The options of every item, in the order of its file."""
    columns: tuple[str, ...] = ()
    """The columns of its rows, as whole prompts may name them; `asks` hold the input, `answers` what is right."""
    asks: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
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
    names: tuple[str, ...] = ()
    """The variables of a whole prompt; other text in braces stays as it is."""

    def filled(self, values: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
        """The messages of a whole prompt: each of its `names` is replaced once, in one pass over what was written."""
        found: list[Mapping[str, str]] = []
        for message in self.messages:
            parts = pieces(message["content"], self.names)
            if message["role"] == INSERTED:
                found.extend(values[parts[1]])
            else:
                found.append({**message, "content": "".join(values[part] if n % 2 else part for n, part in enumerate(parts))})
        return tuple(found)

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


BRACES = re.compile(r"\{\{([^{}\n]+)\}\}|\{([^{}\n]+)\}")


def braces(text: str) -> list[str]:
    """The text between single or double braces of a whole prompt, in order, with repeats."""
    return [double.strip() or single for double, single in BRACES.findall(text)]


@lru_cache(maxsize=1024)
def pieces(text: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Text and names of variables by turns: text comes first and last."""
    found, at = [], 0
    for match in BRACES.finditer(text):
        name = (match[1] or "").strip() or match[2]
        if name in names:
            found += [text[at : match.start()], name]
            at = match.end()
    return (*found, text[at:])


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

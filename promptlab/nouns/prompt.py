"""Prompts: what a model is sent, with named variables for what changes from item to item."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

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

    def filled(self, values: Mapping[str, str]) -> tuple[Mapping[str, str], ...]:
        """The messages with every variable replaced once: values are never searched again. KeyError for one without a value."""
        return tuple({**message, "content": fill(message["content"], values)} for message in self.messages)

    def canonical(self) -> list[dict[str, str]]:
        """What decides its answers, as plain data."""
        return [dict(message) for message in self.messages]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace every {name} once, from left to right; a name without a value raises KeyError."""
    return VARIABLE.sub(lambda match: values[match.group(1)], template)


def variables(template: str) -> list[str]:
    """The names between braces, in order, with repeats."""
    return VARIABLE.findall(template)

"""What an experiment varies besides prompts, models and stimuli, and which of it is compared."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from pydantic import Field, model_validator

from promptlab.nouns import fixed
from promptlab.sources.spec.models import Params, Part, ResponseFormat, Thinking, is_unset

PROMPT, MODEL, STIMULUS = "prompt", "model", "stimulus"
"""Factors of every experiment, as `interactions` names them."""
Shots = Annotated[int, Field(ge=0, le=50)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]


class SampledFormats(Part):
    """Formats drawn from promptlab's grammar: separators, casing and styles of labels."""

    sample: Annotated[int, Field(ge=1, le=100, description="how many, besides the format as it is written")]
    seed: Annotated[int, Field(ge=0)] = 0


class Level(Part):
    """One combination of levels, where they are listed."""

    shots: Annotated[Shots | None, Field(exclude_if=is_unset)] = None
    temperature: Annotated[Temperature | None, Field(exclude_if=is_unset)] = None
    reasoning_effort: Annotated[str | None, Field(min_length=1, exclude_if=is_unset)] = None
    max_completion_tokens: Annotated[Tokens | None, Field(exclude_if=is_unset)] = None
    thinking: Annotated[Thinking | None, Field(exclude_if=is_unset)] = None
    response_format: Annotated[ResponseFormat | None, Field(exclude_if=is_unset)] = None
    params: Annotated[Params, Field(exclude_if=is_unset)] = {}


class Vary(Part):
    """Factors with several levels, crossed; the first level of each is the one that the others are compared with."""

    temperature: list[Temperature] = []
    reasoning_effort: list[Annotated[str, Field(min_length=1)]] = []
    max_completion_tokens: Annotated[list[Tokens], Field(exclude_if=is_unset)] = []
    thinking: Annotated[list[Thinking], Field(exclude_if=is_unset)] = []
    response_format: Annotated[list[ResponseFormat], Field(exclude_if=is_unset)] = []
    params: Annotated[list[Params], Field(exclude_if=is_unset)] = []
    shots: Annotated[list[Shots], Field(description="worked examples, in place of the key 'shots'", exclude_if=is_unset)] = []
    format: Annotated[SampledFormats | None, Field(description="{sample: 10, seed: 1}: formats by chance", exclude_if=is_unset)] = None
    listed: Annotated[list[Level], Field(description="combinations one by one, in place of crossed levels", exclude_if=is_unset)] = []

    @model_validator(mode="after")
    def _listed(self) -> Vary:
        if self.listed and len(self.model_fields_set) > 1:
            raise ValueError("levels are either listed or crossed; leave one of the two out")
        return self

    def samplings(self) -> list[dict[str, Any]]:
        """Every combination of levels, as what is sent in place of the experiment's own sampling."""
        given = self.model_dump(mode="json", exclude={"shots", "format", "listed"})
        levels = {name: list(dict.fromkeys(map(fixed, values))) for name, values in given.items() if values}
        return [dict(zip(levels, chosen, strict=True)) for chosen in itertools.product(*levels.values())]

    def blocks(self, shots: list[int]) -> list[tuple[list[int], list[dict[str, Any]]]]:
        """Numbers of examples and samplings that are crossed with each other; those that are listed one by one.

        `shots` are those of the experiment's own key.
        """
        if not self.listed:
            return [(self.shots or shots, self.samplings())]
        rows = [level.model_dump(mode="json", exclude_none=True) for level in self.listed]
        return [([row.pop("shots", shots[0])], [{name: fixed(value) for name, value in row.items()}]) for row in rows]

    @property
    def names(self) -> set[str]:
        """The factors that have more than one level here."""
        plain = self.model_dump(mode="json", exclude={"format", "listed"})
        found = {name for name, levels in plain.items() if len({*map(fixed, levels)}) > 1}
        listed = [block for n, block in enumerate(self.blocks([0])) if self.listed and block not in self.blocks([0])[:n]]
        return found | ({"format"} if self.format else set()) | ({"setting"} if len(listed) > 1 else set())


def vary_of(value: object) -> object:
    """A list is a list of combinations."""
    return {"listed": value} if isinstance(value, list) else value


class Compare(Part):
    """What is compared besides stimuli, prompts and the factors under `vary`."""

    models: Annotated[bool, Field(description="every model with the first one, item by item")] = False

"""How a task file says what scores its answers: a metric, a scoring with parameters, or assertions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from promptlab.nouns import Model, UsageProblem, checked
from promptlab.scoring.judged import Panel
from promptlab.scoring.rules import SCORINGS
from promptlab.sources.spec.models import ModelEntry, Part

ASSERTIONS = "assertions"
"""The metric of a task that has assertions."""


def metric_entry(value: str | dict[str, dict[str, Any]]) -> str | dict[str, dict[str, Any]]:
    """A scoring that is no plain metric, with its parameters as nouns."""
    name = value if isinstance(value, str) else next(iter(value), "")
    if isinstance(value, str) and name not in SCORINGS:
        return value
    if name not in SCORINGS or (len(value) > 1 and not isinstance(value, str)):
        raise ValueError(f"only one of these has parameters: {', '.join(SCORINGS) or 'none'}; found {', '.join(value)}")
    return {name: judged_by(name, {} if isinstance(value, str) else value[name])}


def judged_by(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a scoring that asks a model, its models as nouns; ValueError where one is wrong."""
    hints = get_type_hints(SCORINGS[name])
    found = {key: _models(key, one, hints.get(key)) for key, one in given.items()}
    try:
        SCORINGS[name](**checked(f"the metric {name!r}", SCORINGS[name], found))
    except UsageProblem as problem:
        raise ValueError(str(problem)) from None
    return found


def _models(key: str, value: Any, kind: object) -> Any:  # noqa: ANN401 (a parameter of a file)
    if kind == Panel:
        return tuple(_model(key, one) for one in (value if isinstance(value, list) else [value]))
    return _model(key, value) if kind is Model else value


def _model(key: str, value: object) -> Model:
    try:
        return ModelEntry.model_validate({"model": value} if isinstance(value, str) else value).resolved()
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join([key, *map(str, first['loc'])])}: {first['msg'].removeprefix('Value error, ')}") from None


class AssertionEntry(BaseModel):
    """One assertion: one key that names its kind, with its parameters, and perhaps `name` and `weight`."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, defer_build=True)
    name: Annotated[str, Field(min_length=1, max_length=60, description="its name in reports; without it its kind")] | None = None
    weight: Annotated[float, Field(ge=0, le=1000, description="in the score; 0: a named outcome alone")] = 1.0

    @model_validator(mode="after")
    def _one_kind(self) -> AssertionEntry:
        if len(self.model_extra or {}) != 1:
            raise ValueError(f"an assertion has one key that names its kind, found {', '.join(self.model_extra or {}) or 'none'}")
        return self

    @property
    def kind(self) -> str:
        return next(iter(self.model_extra or {}))

    @property
    def given(self) -> Any:  # noqa: ANN401 (whatever the file says)
        return (self.model_extra or {})[self.kind]


class Example(Part):
    """An answer, and what it must score."""

    answer: str
    item: Annotated[str, Field(min_length=1, description="the id of its item; without it the first one")] | None = None
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    parts: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(description="scores of assertions by name")] = {}

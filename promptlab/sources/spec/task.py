"""The file that describes a task of the user's own: where its items are, how they are scored, what asks for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_type_hints

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from promptlab.nouns import Model, UsageProblem, checked
from promptlab.scoring.rules import SCORINGS
from promptlab.sources.spec.experiment import NAME, ModelEntry, Part

Column = Annotated[str, Field(min_length=1)]
Label = Annotated[str, Field(min_length=1)]


class Columns(Part):
    """Which column holds what."""

    input: Annotated[Column, Field(description="what is asked")]
    target: Annotated[Column, Field(description="the right answer, or a list of right answers")] | None = None
    id: Annotated[Column, Field(description="a name for each row; without it rows are numbered from 1")] | None = None
    choices: Annotated[Column, Field(description="the options of each row")] | None = None
    target_scores: Annotated[Column, Field(description="an object that grades every option, as in BIG-bench")] | None = None
    cluster: Annotated[Column, Field(description="rows with the same value are not independent")] | None = None

    @model_validator(mode="after")
    def _answers(self) -> Columns:
        if (self.target is None) == (self.target_scores is None):
            raise ValueError("name one column of answers: 'target', or 'target_scores' where every option has a grade")
        if self.target_scores is not None and self.choices is not None:
            raise ValueError("'target_scores' holds the options already; leave 'choices' out")
        return self


def _metric(value: str | dict[str, dict[str, Any]]) -> str | dict[str, dict[str, Any]]:
    """A scoring that is no plain metric, with its parameters as nouns."""
    name = value if isinstance(value, str) else next(iter(value), "")
    if isinstance(value, str) and name not in SCORINGS:
        return value
    if name not in SCORINGS or (len(value) > 1 and not isinstance(value, str)):
        raise ValueError(f"only one of these has parameters: {', '.join(SCORINGS) or 'none'}; found {', '.join(value)}")
    hints = get_type_hints(SCORINGS[name])
    given = {} if isinstance(value, str) else value[name]
    given = {key: _model(key, one) if hints.get(key) is Model else one for key, one in given.items()}
    try:
        SCORINGS[name](**checked(f"the metric {name!r}", SCORINGS[name], given))
    except UsageProblem as problem:
        raise ValueError(str(problem)) from None
    return {name: given}


def _model(key: str, value: object) -> Model:
    try:
        return ModelEntry.model_validate({"model": value} if isinstance(value, str) else value).resolved()
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join([key, *map(str, first['loc'])])}: {first['msg'].removeprefix('Value error, ')}") from None


def _human(value: object) -> object:
    return {"human": value} if isinstance(value, str) else value


class TaskFile(Part):
    """A task in four lines: items, columns, metric, base_prompts. The rest has defaults."""

    items: Annotated[
        str, Field(min_length=1, description="CSV, TSV, JSON, JSON lines or Parquet, path from this file; or hf:owner/name, a dataset")
    ]
    columns: Columns
    metric: Annotated[
        str | dict[str, dict[str, Any]],
        AfterValidator(_metric),
        Field(min_length=1, description="a metric's name, regex:PATTERN, package.module:function, or {name: {parameter: value}}"),
    ]
    base_prompts: Annotated[
        dict[str, Annotated[str, Field(min_length=1)]],
        BeforeValidator(_human),
        Field(min_length=1, description="what asks for the task: one text (called 'human'), or several by name"),
    ]
    name: Annotated[str, Field(pattern=NAME, description="the task's name; without it that of this file")] | None = None
    labels: Annotated[list[Label], Field(description="the same options for every row; the prompt names them, so they are not shown")] = []
    separator: Annotated[str, Field(min_length=1, description="what stands between several answers or options in one cell")] | None = None
    target_is: Annotated[
        Literal["text", "index", "letter"], Field(description="what 'target' holds: the answer, or its place among the options")
    ] = "text"
    demos: Annotated[str, Field(min_length=1, description="a file like 'items' to draw worked examples from")] | None = None
    config: Annotated[str, Field(pattern=NAME, description="the configuration of an hf: dataset")] = "default"
    split: Annotated[str, Field(pattern=NAME, description="the split of an hf: dataset")] = "test"
    revision: Annotated[str, Field(pattern=r"^[\w./-]{1,100}$", description="a commit of an hf: dataset's Parquet branch")] | None = None
    chance: Annotated[float, Field(ge=0, le=1, description="mean score of blind guessing")] | None = None
    source: str = "the user's own"
    licence: str = ""

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: list[str]) -> list[str]:
        if len(value) == 1 or len(set(value)) != len(value):
            raise ValueError("labels must be at least two different texts")
        return value

    @model_validator(mode="after")
    def _options(self) -> TaskFile:
        columns = self.columns
        if self.labels and (columns.choices or columns.target_scores):
            raise ValueError("options come from 'labels' or from a column, not from both")
        if self.target_is != "text" and not (self.labels or columns.choices):
            raise ValueError(f"target_is: {self.target_is} needs options: 'labels', or 'choices' under columns")
        if self.metric == "choice" and not (self.labels or columns.choices or columns.target_scores):
            raise ValueError("metric: choice needs options: 'labels', or 'choices' or 'target_scores' under columns")
        return self

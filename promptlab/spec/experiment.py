"""The experiment file: what is measured. How it is run (workers, folders) is said by flags, and no flag changes a score."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from promptlab.defects import Handling
from promptlab.render import FRAME_FIELDS, PRESETS, placeholders
from promptlab.schema import Model, Placement, Position, Price, Scorer
from promptlab.spec.strict_yaml import Document, read, validate
from promptlab.strategies import STRATEGIES

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names that become file names; the pattern is Rust's, whose `$` does not accept a trailing newline."""


class Part(BaseModel):
    """A block of a file: unknown keys are errors, values are not converted between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Sampling(Part):
    """What is asked of the model beside the messages. A key left out is left to the provider."""

    temperature: Annotated[float, Field(ge=0, le=2, description="0 is greedy; repeats then mostly agree")] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000, description="upper limit of an answer's length")] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    stop: list[str] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    reasoning_effort: str | None = None

    def asked(self) -> dict[str, Any]:
        """Only what the file says."""
        return self.model_dump(exclude_none=True)


class PriceEntry(Part):
    """USD per million tokens, where the price table does not know the model or your contract differs."""

    input_usd_per_mtok: Annotated[float, Field(ge=0)]
    output_usd_per_mtok: Annotated[float, Field(ge=0)]


class ModelEntry(Part):
    """One model: `sim/planted`, `openai/gpt-4o-mini`, `anthropic/...`, or any OpenAI-compatible server with `api_base`."""

    model: Annotated[str, Field(min_length=1, description="a LiteLLM name such as openai/gpt-4o-mini, or sim/planted")]
    name: Annotated[str, Field(pattern=NAME, description="the short name in frames and reports")] | None = None
    api_base: Annotated[str, Field(pattern=r"^https?://\S+$", description="address of an OpenAI-compatible server")] | None = None
    api_key_env: (
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="name of the variable that holds the key")] | None
    ) = None
    sampling: Sampling = Sampling()
    price: PriceEntry | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0

    @field_validator("model")
    @classmethod
    def _litellm_name(cls, value: str) -> str:
        if not re.match(r"^[A-Za-z0-9][A-Za-z0-9._:@/-]*\Z", value):
            raise ValueError(f"{value!r} is not a model name; write provider/model, for example openai/gpt-4o-mini")
        return value

    def resolved(self) -> Model:
        """The entry as the noun that the rest of promptlab uses."""
        own = self.price
        price = Price(own.input_usd_per_mtok, own.output_usd_per_mtok, "experiment file") if own else None
        return Model(
            name=self.name or self.model,
            litellm_name=self.model,
            api_base=self.api_base,
            api_key_env=self.api_key_env,
            sampling=self.sampling.asked(),
            price=price,
            timeout_s=self.timeout_s,
        )


Preset = Literal["paper", "negativeprompt-code", "instruction-induction", "ape", "bigbench", "promptbench", "letters"]


class PlacementEntry(Part):
    """Where the stimulus goes; a preset's values hold wherever a key is left out."""

    preset: Preset = "paper"
    name: Annotated[str, Field(pattern=NAME, description="the short name in frames and reports")]
    position: Position | None = None
    separator: str | None = None
    template: Annotated[str, Field(description="text with {instruction}, {demos} and {input}")] | None = None
    demo: Annotated[str, Field(description="text with {input} and {output}")] | None = None
    demo_separator: str | None = None
    demos_end: str | None = None
    choice: Annotated[str, Field(description="text with {choice}, perhaps {letter}, repeated for each option")] | None = None
    options: Annotated[Literal["task", "all", "none"], Field(description="whose options are shown behind the input")] | None = None

    @model_validator(mode="after")
    def _placeholders(self) -> PlacementEntry:
        wanted = {"template": ["demos", "input", "instruction"], "demo": ["input", "output"], "choice": ["choice"]}
        for key, names in wanted.items():
            text = getattr(self, key)
            held = placeholders(text) if text else names
            extra = [n for n in held if n not in names and n not in FRAME_FIELDS and not (key == "choice" and n == "letter")]
            if extra or sorted(n for n in held if n in names) != names:
                raise ValueError(f"{key} must hold {', '.join('{' + n + '}' for n in names)} once each, found {placeholders(text)}")
        return self

    def resolved(self) -> Placement:
        """The preset with this entry's values put in."""
        own = self.model_dump(exclude_none=True, exclude={"preset"})
        return Placement(**{**{key: getattr(PRESETS[self.preset], key) for key in Placement.__dataclass_fields__}, **own})


class Controls(Part):
    """The arms that make a stimulus effect readable. The baseline and its A/A repeat are in every run and need no key."""

    placebos: Annotated[
        Literal["matched"] | list[str],
        Field(description="'matched': neutral sentences nearest in length to each stimulus; or a list of names; or [] with a reason"),
    ] = "matched"
    per_stimulus: Annotated[int, Field(ge=1, le=20, description="how many placebos 'matched' takes for each stimulus")] = 3
    no_placebo_reason: Annotated[str, Field(description="why there is no placebo arm; printed in every report")] | None = None

    @model_validator(mode="after")
    def _reason(self) -> Controls:
        if self.placebos == [] and not self.no_placebo_reason:
            raise ValueError("without a placebo arm add 'no_placebo_reason'; without one no effect may be called the stimulus's own")
        return self


class Analysis(Part):
    """Error rates and margins, fixed before the first call."""

    alpha: Annotated[float, Field(gt=0, lt=0.5, description="family-wise error rate of primary and stimulus claims")] = 0.05
    fdr: Annotated[float, Field(gt=0, lt=0.5, description="false discovery rate over the cells of a model")] = 0.05
    margin_mean_points: Annotated[float, Field(gt=0, le=100, description="smaller mean effects count as the same")] = 2.0
    margin_cell_points: Annotated[float, Field(gt=0, le=100, description="smaller effects in one task count as the same")] = 5.0


def _entry(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


def _preset(value: object) -> object:
    return {"preset": value, "name": value} if isinstance(value, str) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


class Experiment(Part):
    """One question, and everything that decides its answer."""

    name: Annotated[str, Field(pattern=NAME, description="letters, digits, '.', '_' or '-', at most 64; names the run folder")]
    question: Annotated[str, Field(min_length=1, description="the question in one sentence")]
    suite: Annotated[Literal["twin", "official"], Field(description="'twin': promptlab's own items; 'official': the imported files")] = (
        "twin"
    )
    tasks: Annotated[list[str], Field(min_length=1, description="task names or globs, for example [sum, translation_*]")]
    models: Annotated[list[Annotated[ModelEntry, BeforeValidator(_entry)]], Field(min_length=1, description="at least one model")]
    base_prompts: Annotated[list[str], Field(min_length=1, description="which prompts ask for the task: human, ape")] = ["human"]
    stimuli: Annotated[list[str], Field(min_length=1, description="names or globs, for example [emotionprompt/EP02]")]
    task_files: Annotated[list[str], Field(description="tasks of your own: task files or BIG-bench task.json, paths from this file")] = []
    stimulus_files: Annotated[list[str], Field(description="stimulus libraries of your own, paths from this file")] = []
    controls: Controls = Controls()
    strategies: Annotated[list[str], Field(min_length=1)] = ["single"]
    placements: Annotated[
        list[Annotated[PlacementEntry, BeforeValidator(_preset)]],
        Field(min_length=1, validate_default=True, description="presets (paper, negativeprompt-code) or blocks"),
    ] = ["paper"]  # type: ignore[list-item]  # goes through the validator like the file's own text
    items: Annotated[int, Field(ge=1, description="items per task (fewer where a task has fewer)")] = 100
    shots: Annotated[
        list[Annotated[int, Field(ge=0, le=50)]],
        BeforeValidator(_listed),
        Field(min_length=1, description="worked examples before the input; a number or a list"),
    ] = [0]
    replicates: Annotated[int, Field(ge=1, le=1000, description="how often each trial is drawn")] = 1
    scorer: Annotated[
        Scorer,
        Field(description="'strict': promptlab's; 'reference': the benchmark authors'; 'negativeprompt': the published lenient code"),
    ] = "strict"
    defects: Annotated[
        Handling, Field(description="known defects of official items: 'keep' as published, 'drop' the items, 'fix' what can be fixed")
    ] = "fix"
    sampling: Sampling = Sampling()
    seed: Annotated[int, Field(ge=0, description="decides items, demonstrations, option orders and simulated answers")] = 0
    analysis: Analysis = Analysis()
    budget_usd: Annotated[float, Field(gt=0, description="the run stops before it could spend more")] | None = None

    @field_validator("strategies")
    @classmethod
    def _strategies(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in STRATEGIES:
                raise ValueError(f"the strategy {name!r} is not known; known: {', '.join(STRATEGIES)}")
        return value

    def resolved_placements(self) -> list[Placement]:
        """Presets and blocks as nouns, in the file's order."""
        return [entry.resolved() for entry in self.placements]

    def canonical(self) -> dict[str, Any]:
        """The experiment as plain data with every default filled in: what is hashed."""
        return self.model_dump(mode="json")


def load_experiment(path: Path) -> tuple[Experiment, Document]:
    """Read an experiment file; FileProblems lists everything that is wrong with its form."""
    document = read(path)
    return validate(document, Experiment), document


def experiment_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an experiment file, for editors."""
    schema = Experiment.model_json_schema()
    models = schema["properties"]["models"]
    models["items"] = {"anyOf": [{"type": "string"}, models["items"]]}
    placements = schema["properties"]["placements"]
    placements["items"] = {"anyOf": [{"enum": list(PRESETS)}, placements["items"]]}
    schema["properties"]["shots"] = {"anyOf": [{"type": "integer", "minimum": 0}, schema["properties"]["shots"]], "default": 0}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "promptlab experiment"}

"""Stimulus libraries, the task suite, tasks of the user's own and simulated models: the other files that people write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from promptlab.nouns import PACKAGE, Cue, FileProblems, Problem, Stimulus, did_you_mean, filled, shipped
from promptlab.nouns.words import Benchmark, Demand, Emotion, Valence
from promptlab.sources.spec.models import NAME, Part, PriceEntry, Sampling, is_unset
from promptlab.sources.spec.scorings import ASSERTIONS, AssertionEntry, Example, metric_entry
from promptlab.sources.spec.strict_yaml import Document, load, read


class StimulusEntry(Part):
    """One sentence."""

    key: Annotated[str, Field(pattern=NAME, description="its name inside the library")]
    text: Annotated[str, Field(min_length=1, description="the sentence, exactly as it is added")]
    theory: str = ""
    theory_earlier: Annotated[str, Field(description="the label that an earlier version of the same work gave it")] = ""
    valence: str = ""
    demands: Annotated[list[Demand], Field(description="what the text requests besides its affect")] = []
    code_number: Annotated[int, Field(ge=1)] | None = None
    joined_by: Annotated[str, Field(description="a literal variant: the text between instruction and text")] | None = None
    of: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._+-]+$", description="the stimulus that it rewords")] | None = None


class Library(Part):
    """A file of stimuli that belong together."""

    library: Annotated[str, Field(pattern=NAME, description="its name; stimuli are called library/key")]
    title: str = ""
    role: Literal["stimulus", "placebo", "paraphrase"] = "stimulus"
    source: Annotated[str, Field(min_length=1, description="where the sentences come from: a citation, or 'our own'")]
    licence: str = ""
    stimuli: Annotated[list[StimulusEntry], Field(min_length=1, description="at least one stimulus with key and text")]


def load_library(path: Path) -> tuple[Stimulus, ...]:
    """The stimuli of one file; FileProblems on a wrong form, a repeated key or a repeated text."""
    library, document = load(path, Library)
    problems = _repeated(document, "stimuli", library.stimuli)
    for index, entry in enumerate(library.stimuli):
        if (library.role == "paraphrase") != (entry.of is not None):
            problems.append(document.problem(("stimuli", index, "key"), "paraphrases, and they alone, say with 'of' what they reword"))
        if entry.text != entry.text.strip():
            problems.append(
                document.problem(("stimuli", index, "text"), "the text begins or ends in white space; the placement's separator adds it")
            )
    if problems:
        raise FileProblems(problems)
    return tuple(
        filled(Stimulus, entry, library, id=f"{library.library}/{entry.key}", demands=tuple(entry.demands)) for entry in library.stimuli
    )


def _repeated(document: Document, where: str, entries: Sequence[StimulusEntry] | Sequence[CueEntry]) -> list[Problem]:
    """Keys and texts that occur twice in a library."""
    problems: list[Problem] = []
    for what in ("key", "text"):
        seen: dict[str, int] = {}
        for index, entry in enumerate(entries):
            value = getattr(entry, what)
            if value in seen:
                first = document.line((where, seen[value], what))
                message = f"the {what} {value!r} occurs here again (first on line {first}); keep one"
                problems.append(document.problem((where, index, what), message))
            seen.setdefault(value, index)
    return problems


class CueEntry(Part):
    """One remark."""

    key: Annotated[str, Field(pattern=NAME)]
    emotion: Emotion
    valence: Valence
    text: Annotated[str, Field(min_length=1, description="the affect alone: no verdict, no request")]


class CueFile(Part):
    """A file of remarks for feedback loops. The order of an emotion's cues is their strength, mild first."""

    library: Annotated[str, Field(pattern=NAME)]
    title: str = ""
    role: Literal["cue"]
    source: Annotated[str, Field(min_length=1)]
    licence: str = ""
    verdict: Annotated[str, Field(min_length=1, description="says in oracle loops that the answer is wrong")]
    request: Annotated[str, Field(min_length=1, description="asks for another answer")]
    reflection: Annotated[str, Field(min_length=1, description="asks to look for mistakes, without affect")]
    cues: Annotated[list[CueEntry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class CueLibrary:
    """Remarks by emotion, with the sentences around them; neutral ones are in the order of their emotional counterparts."""

    name: str
    source: str
    verdict: str
    request: str
    reflection: str
    cues: tuple[Cue, ...]

    def of(self, emotion: str) -> tuple[Cue, ...]:
        """The cues of one emotion, mild first."""
        return tuple(cue for cue in self.cues if cue.emotion == emotion)


def load_cues(path: Path) -> CueLibrary:
    """A cue library; FileProblems on a wrong form, a repeated key or text, or where a cue has no neutral counterpart."""
    file, document = load(path, CueFile)
    problems = _repeated(document, "cues", file.cues)
    neutral = [entry for entry in file.cues if entry.emotion == "neutral"]
    n_emotional = len(file.cues) - len(neutral)
    if len(neutral) != n_emotional or not neutral:
        problems.append(
            document.problem(
                ("cues",),
                f"every emotional cue needs a neutral counterpart, in the same order: found {n_emotional} emotional and {len(neutral)} "
                "neutral ones; without them no effect can be attributed to emotion",
            )
        )
    if problems:
        raise FileProblems(problems)
    cues = tuple(Cue(entry.key, entry.emotion, entry.valence, entry.text) for entry in file.cues)
    return filled(CueLibrary, file, name=file.library, cues=cues)


def is_cue_file(path: Path) -> bool:
    """Whether a library holds cues for loops, and not stimuli; False for a file that cannot be read."""
    try:
        return bool(read(path).value.get("role") == "cue")
    except FileProblems:
        return False


class FrameEntry(Part):
    """The text around input and answer of one BIG-bench task; a key that is left out has BIG-bench's own default."""

    input_prefix: str | None = None
    output_prefix: str | None = None
    choice_prefix: str | None = None
    separator: str | None = None
    instruction_end: str | None = None


class TaskEntry(Part):
    """What a suite file says about one task, besides its items."""

    benchmark: Benchmark
    metric: str
    strict: str
    options: Literal["shown", "hidden"] = "shown"
    labels: list[str] = []
    frame: FrameEntry = FrameEntry()
    base_prompts: dict[str, str]
    chance: Annotated[float, Field(ge=0, le=1)] | None = None
    low: Annotated[float, Field(ge=0, le=1)] = 0.0
    source: str
    licence: str
    defects: list[str] = []


class SuiteFile(Part):
    """The tasks that promptlab knows."""

    tasks: dict[str, TaskEntry]


def load_suite(path: Path) -> Mapping[str, TaskEntry]:
    """Task entries by name."""
    return load(path, SuiteFile)[0].tasks


class Shift(Part):
    """A planted effect, in points of the score, on the trials that match everything that it says."""

    stimulus: Annotated[str | None, Field(description="a stimulus name or glob; else any text or none", exclude_if=is_unset)] = None
    task: Annotated[str, Field(description="a task name or glob")] = "*"
    points: Annotated[float, Field(ge=-100, le=100)]
    when: Annotated[
        dict[str, Any],
        Field(description="levels: prompt, shots, placement, strategy, temperature, ...; a value, a glob or a list", exclude_if=is_unset),
    ] = {}

    @field_validator("when")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        known = ["prompt", "shots", "placement", "strategy", *Sampling.model_fields]
        for name in value:
            if name not in known:
                raise ValueError(f"{name!r} is no factor; {did_you_mean(name, known)}".rstrip("; "))
        return value


class Rate(Part):
    """How often something goes wrong, on the trials that match."""

    stimulus: str = "*"
    task: str = "*"
    rate: Annotated[float, Field(ge=0, le=1)]


SENTENCES = 6


class SimTaste(Part):
    """What a simulated judge or rater makes of a free text, whose quality lies from 0 to 1. All numbers are on that scale."""

    noise: Annotated[float, Field(ge=0, le=2, description="standard deviation of a judgement")] = 0.1
    slope: Annotated[float, Field(ge=-2, le=2, description="how much of a difference in quality is seen")] = 1.0
    offset: Annotated[float, Field(ge=-1, le=1, description="added to every rating")] = 0.0
    length_bias: Annotated[float, Field(ge=-2, le=2, description="for each unit of the log of the number of words")] = 0.0
    position_bias: Annotated[float, Field(ge=-2, le=2, description="for the answer that is first")] = 0.0
    self_preference: Annotated[float, Field(ge=-2, le=2, description="for texts of the model `likes_style_of`")] = 0.0
    likes_style_of: str = ""
    blind: Annotated[bool, Field(description="sees no quality at all")] = False
    obeys: Annotated[str | None, Field(description="words that make an answer seem perfect", exclude_if=is_unset)] = None


class SimModel(Part):
    """A simulated model with a known truth. Rates are probabilities, points are percentage points of the score."""

    title: str = ""
    truth: Annotated[str, Field(description="in words: what an honest analysis must find")] = ""
    accuracy: Annotated[float, Field(gt=0, lt=1, description="mean score without any stimulus")] = 0.7
    flip_rate: Annotated[
        float, Field(ge=0, le=0.5, description="share of items whose correctness differs between two draws of one request")
    ] = 0.05
    effects: list[Shift] = []
    spread: Annotated[
        dict[Literal["prompt", "placement"], Annotated[float, Field(ge=0, le=50)]],
        Field(description="standard deviation, in points, of an effect drawn for each prompt or format", exclude_if=is_unset),
    ] = {}
    retry_points: Annotated[float, Field(ge=-100, le=100, description="what a remark of any kind adds to the next attempt")] = 0.0
    emotion_points: Annotated[dict[Emotion, Annotated[float, Field(ge=-100, le=100)]], Field(description="and of one emotion")] = {}
    variety_points: Annotated[
        float, Field(ge=-100, le=100, description="what remarks in different words add to the next attempt", exclude_if=lambda n: not n)
    ] = 0.0
    token_points: Annotated[
        float, Field(ge=0, le=100, description="what as many tokens as the first request's add", exclude_if=lambda n: not n)
    ] = 0.0
    points_per_added_token: Annotated[float, Field(ge=-100, le=100, description="response to length alone")] = 0.0
    tokens_until_flat: Annotated[int, Field(ge=1)] = 20
    format_drift: Annotated[list[Rate], Field(description="right answers wrapped in a sentence that a strict scorer misses")] = []
    truncation: list[Rate] = []
    refusal: list[Rate] = []
    error_rate: Annotated[float, Field(ge=0, lt=1, description="share of requests answered 500 or 429 at the first attempt")] = 0.0
    latency_ms: Annotated[float, Field(ge=0)] = 0.0
    agreement: Annotated[
        float | None,
        Field(ge=0, le=1, description="a judge: how often its verdict is what the targets say", exclude_if=lambda share: share is None),
    ] = None
    taste: Annotated[SimTaste | None, Field(description="a judge of free texts", exclude_if=lambda taste: taste is None)] = None
    longer: Annotated[list[Shift], Field(description="planted length of free texts: points are per cent", exclude_if=lambda x: not x)] = []
    sentences: Annotated[int, Field(ge=1, le=200, description="of a free text", exclude_if=lambda n: n == SENTENCES)] = SENTENCES
    seed: int = 0
    price: PriceEntry = PriceEntry(input_usd_per_mtok=0.15, output_usd_per_mtok=0.6)

    @property
    def judges(self) -> bool:
        """Whether it scores answers and gives none."""
        return self.agreement is not None or self.taste is not None


class SimFile(Part):
    """A file of simulated models, and of simulated raters."""

    models: dict[str, SimModel]
    raters: dict[str, SimTaste] = {}


def all_stimuli(extra: Sequence[Path] = ()) -> dict[str, Stimulus]:
    """Every stimulus by id; two libraries with one name are a problem of the second."""
    found: dict[str, Stimulus] = {}
    shipped_ones = [path for path in sorted(shipped("stimuli").glob("*.yaml")) if not is_cue_file(path)]
    for path in [*shipped_ones, *extra]:
        for stimulus in _kept(path) if path in shipped_ones else load_library(path):
            if stimulus.id in found:
                raise FileProblems.one(path, f"the stimulus {stimulus.id!r} exists already; give this library another name", 1)
            found[stimulus.id] = stimulus
    return found


_kept = lru_cache(maxsize=64)(load_library)
"""Reading the libraries of promptlab takes most of the time of a small plan; they do not change while it runs."""


def sim_models() -> Mapping[str, SimModel]:
    """The simulated models that come with promptlab, by the name after `sim/`."""
    return _simulated().models


def sim_raters() -> Mapping[str, SimTaste]:
    """The simulated raters, by name."""
    return _simulated().raters


def _simulated() -> SimFile:
    return load(PACKAGE / "data" / "sim.yaml", SimFile)[0]


Column = Annotated[str, Field(min_length=1)]
Label = Annotated[str, Field(min_length=1)]


ANSWERS = "name one column of answers: 'target', or 'target_scores' where every option has a grade"


class Columns(Part):
    """Which column holds what."""

    input: Annotated[Column, Field(description="the question")]
    target: Annotated[Column, Field(description="the right answer, or a list of right answers")] | None = None
    id: Annotated[Column, Field(description="a name for each row; without it rows are numbered from 1")] | None = None
    choices: Annotated[Column, Field(description="the options of each row")] | None = None
    target_scores: Annotated[Column, Field(description="an object that grades every option, as in BIG-bench")] | None = None
    cluster: Annotated[Column, Field(description="rows with the same value are not independent")] | None = None

    @model_validator(mode="after")
    def _answers(self) -> Columns:
        if self.target is not None and self.target_scores is not None:
            raise ValueError(ANSWERS)
        if self.target_scores is not None and self.choices is not None:
            raise ValueError("'target_scores' holds the options already; leave 'choices' out")
        return self


def _human(value: object) -> object:
    return {"human": value} if isinstance(value, str) else value


class TaskFile(Part):
    """A task in four lines: items, columns, metric, base_prompts (unless the experiment has whole prompts). The rest has defaults."""

    items: Annotated[str, Field(min_length=1, description="CSV, TSV, JSON, JSON lines, Parquet, Excel, from this file; or hf:owner/name")]
    columns: Columns
    metric: Annotated[
        str | dict[str, dict[str, Any]],
        AfterValidator(metric_entry),
        Field(min_length=1, description="a metric's name, regex:PATTERN, package.module:function, or {name: {parameter: value}}"),
    ] = ASSERTIONS
    assertions: Annotated[
        list[AssertionEntry], Field(description="checks of an answer, in place of a metric: {kind: parameters, name, weight}")
    ] = []
    examples: Annotated[list[Example], Field(description="answers on which `task check` tries the metric or the assertions")] = []
    base_prompts: Annotated[
        dict[str, Annotated[str, Field(min_length=1)]],
        BeforeValidator(_human),
        Field(description="what asks for the task: one text (called 'human'), or several by name; not needed for whole prompts"),
    ] = {}
    name: Annotated[str, Field(pattern=NAME, description="the task's name; without it that of this file")] | None = None
    labels: Annotated[list[Label], Field(description="the same options for every row; the prompt names them, so they are not shown")] = []
    separator: Annotated[str, Field(min_length=1, description="the text between several answers or options in one cell")] | None = None
    target_is: Annotated[
        Literal["text", "index", "letter"], Field(description="what 'target' holds: the answer, or its place among the options")
    ] = "text"
    both_orders: Annotated[bool, Field(description="send every item twice, the second time with its options in reverse")] = False
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
        if bool(self.assertions) != (self.metric == ASSERTIONS):
            raise ValueError("a task has a metric, or assertions; found " + ("both" if self.assertions else "none of them"))
        if self.assertions and not any(entry.weight for entry in self.assertions):
            raise ValueError("every assertion has the weight 0, so nothing is scored; give one a weight")
        if not (columns.target or columns.target_scores) and not (self.assertions or isinstance(self.metric, dict)):
            raise ValueError(f"{ANSWERS}; only assertions and judges do without")
        if self.demos and not (columns.target or columns.target_scores):
            raise ValueError("worked examples need right answers: name their column under columns: target")
        if self.labels and (columns.choices or columns.target_scores or self.both_orders):
            raise ValueError("options come from 'labels' or from a column, not from both; both_orders needs a column")
        if self.target_is != "text" and not (self.labels or columns.choices):
            raise ValueError(f"target_is: {self.target_is} needs options: 'labels', or 'choices' under columns")
        if (self.both_orders or self.metric == "choice") and not (self.labels or columns.choices or columns.target_scores):
            raise ValueError("metric: choice needs options: 'labels', or 'choices' or 'target_scores' under columns")
        return self

"""The experiment file: what is measured. How it is run (workers, folders) is set by flags, and no flag changes a score.

Above 400 lines: the class is the file format, one field for each key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from promptlab.design.cross import NEAREST
from promptlab.design.defects import Handling
from promptlab.design.formats import sampled
from promptlab.design.render import FRAME_FIELDS, PRESETS
from promptlab.nouns import Placement, UsageProblem, checked, did_you_mean, filled, variables
from promptlab.nouns.words import Benchmark, Generalise, LoopMode, Position, Scorer, Settle
from promptlab.sources.spec.factors import MODEL, PROMPT, STIMULUS, Compare, Shots, Vary, vary_of
from promptlab.sources.spec.libraries import SimModel
from promptlab.sources.spec.models import NAME, ModelEntry, Part, Sampling, is_unset
from promptlab.sources.spec.prompts import PromptEntry, entry_of
from promptlab.sources.spec.strict_yaml import Document, load
from promptlab.strategies import STRATEGIES, strategy_of

Preset = Literal[
    "paper", "negativeprompt-code", "instruction-induction", "ape", "bigbench", "promptbench", "letters", "end", "start", "system"
]


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
    options: Annotated[Literal["task", "all", "none"], Field(description="whose options are shown after the input")] | None = None

    @model_validator(mode="after")
    def _placeholders(self) -> PlacementEntry:
        wanted = {"template": ["demos", "input", "instruction"], "demo": ["input", "output"], "choice": ["choice"]}
        for key, names in wanted.items():
            text = getattr(self, key)
            held = variables(text) if text else names
            extra = [n for n in held if n not in names and n not in FRAME_FIELDS and not (key == "choice" and n == "letter")]
            if extra or sorted(n for n in held if n in names) != names:
                raise ValueError(f"{key} must hold {', '.join('{' + n + '}' for n in names)} once each, found {variables(text)}")
        return self

    def resolved(self) -> Placement:
        """The preset with this entry's values put in."""
        return filled(Placement, PRESETS[self.preset], **self.model_dump(exclude_none=True, exclude={"preset"}))


class Controls(Part):
    """The arms that make a stimulus effect readable. The baseline and its A/A repeat are in every run and need no key."""

    placebos: Annotated[
        Literal["matched"] | list[str],
        Field(description="'matched': neutral sentences nearest in length to each stimulus; or a list of names; or [] with a reason"),
    ] = "matched"
    per_stimulus: Annotated[
        int | None,
        Field(ge=1, le=20, description="how many placebos 'matched' takes for each stimulus; left out, stimuli of similar length share"),
    ] = None
    kinds: Annotated[
        list[Literal["neutral", "shuffled", "whitespace"]],
        Field(min_length=1, description="neutral sentences of its length; its own words shuffled; as many spaces as it has characters"),
    ] = ["neutral"]
    no_placebo_reason: Annotated[str, Field(description="why there is no placebo arm; printed in every report")] | None = None

    @model_validator(mode="after")
    def _reason(self) -> Controls:
        if self.placebos == [] and not self.no_placebo_reason:
            raise ValueError("without a placebo arm add 'no_placebo_reason'; without one no effect may be called the stimulus's own")
        return self


Emotional = Literal["happiness", "sadness", "fear", "anger", "surprise", "disgust"]
LoopControl = Literal["neutral_feedback", "neutral_paraphrase", "resample", "self_reflection", "chain_of_thought"]


class LoopEntry(Part):
    """A feedback loop and its controls of equal budget: the same rounds, stop rule and verifier in every arm."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="names the setting and its arms")] = "heart"
    rounds: Annotated[int, Field(ge=2, le=20, description="attempts, the first one included")] = 3
    mode: Annotated[
        LoopMode,
        Field(description="'oracle': the scorer stops it; 'verifier_free': all rounds, then 'settle'; 'self_judge': the model stops it"),
    ] = "oracle"
    settle: Annotated[Settle, Field(description="verifier_free: the last answer, the most frequent, or one made of all")] = "last"
    policies: Annotated[
        list[str | list[Emotional]],
        Field(min_length=1, description="alternate, random, an emotion (held), escalate-EMOTION, or a list of emotions in order"),
    ] = ["alternate"]
    controls: Annotated[list[LoopControl], Field(min_length=1, description="primary: as many affect-free wordings")] = [
        "neutral_paraphrase", "neutral_feedback", "resample", "self_reflection", "chain_of_thought",
    ]  # fmt: skip
    candidates: Annotated[
        int,
        Field(ge=1, le=20, description="answers in each round, of which the best or most frequent continues", exclude_if=lambda n: n == 1),
    ] = 1
    cues: Annotated[str, Field(min_length=1, description="'heart', or a cue library of your own, path from this file")] = "heart"
    solved_at: Annotated[float, Field(gt=0, le=1, description="the score at which an oracle says right")] = 1.0
    token_budget: Annotated[int, Field(ge=1, description="no new round once so many tokens were answered")] | None = None

    @property
    def strategy(self) -> str:
        """The name of the loop's setting, which says so where an oracle stops it."""
        return f"{self.name}-oracle" if self.mode == "oracle" else self.name

    @field_validator("policies")
    @classmethod
    def _policies(cls, value: list[str | list[Emotional]]) -> list[str | list[Emotional]]:
        emotions = get_args(Emotional)
        known = ["alternate", "random", *emotions, *(f"escalate-{emotion}" for emotion in emotions)]
        for policy in value:
            if isinstance(policy, str) and policy not in known:
                raise ValueError(
                    f"the policy {policy!r} is not known; {did_you_mean(policy, known)}; known: {', '.join(known[:8])}, escalate-..."
                )
            if isinstance(policy, list) and not policy:
                raise ValueError("a list of emotions must name at least one")
        return value

    @model_validator(mode="after")
    def _honest(self) -> LoopEntry:
        if not {"neutral_paraphrase", "neutral_feedback"} & set(self.controls):
            raise ValueError("controls must hold neutral_paraphrase: only against it can an effect be attributed to emotion")
        if self.settle != "last" and self.mode != "verifier_free":
            raise ValueError(f"settle: {self.settle} belongs to mode: verifier_free; in mode {self.mode} the last answer counts")
        return self


class ProgramEntry(Part):
    """A DSPy program as the system under test; stimuli are joined to its instructions. Its code runs with the experiment."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="names the setting; to be listed in strategies")]
    factory: Annotated[
        str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="package.module:function, which returns a dspy.Module")
    ]
    state: Annotated[str, Field(min_length=1, description="what program.save(...) wrote, JSON; path from this file")] | None = None
    input: Annotated[str, Field(min_length=1, description="the field that takes the item; its only input field by default")] | None = None
    output: Annotated[str, Field(min_length=1, description="the field that holds the answer; its last output field by default")] | None = (
        None
    )
    instructions: Annotated[
        Literal["own", "base_prompt"],
        Field(description="'own': each predictor's own with the stimulus joined to it; 'base_prompt': the task's base prompt instead"),
    ] = "own"
    max_calls: Annotated[int, Field(ge=1, le=100, description="a trial that asks more often is an error; the estimate counts all")] = 5


class Analysis(Part):
    """Error rates and margins, fixed before the first call."""

    alpha: Annotated[float, Field(gt=0, lt=0.5, description="family-wise error rate of primary and stimulus claims")] = 0.05
    fdr: Annotated[float, Field(gt=0, lt=0.5, description="false discovery rate over the cells of a model")] = 0.05
    margin_mean_points: Annotated[float, Field(gt=0, le=100, description="smaller mean effects count as the same")] = 2.0
    margin_cell_points: Annotated[float, Field(gt=0, le=100, description="smaller effects in one task count as the same")] = 5.0
    generalise: Annotated[
        Generalise,
        Field(description="which tasks a verdict over the tasks is about: these, or tasks like them", exclude_if=lambda of: of == "these"),
    ] = "these"
    neutral: Annotated[
        Generalise,
        Field(description="which neutral sentences a verdict is about: these, or sentences like them", exclude_if=lambda of: of == "these"),
    ] = "these"
    generalise_prompts: Annotated[
        bool, Field(description="whether prompts are a sample: then their spread is the result", exclude_if=lambda value: not value)
    ] = False
    looks: Annotated[
        int,
        Field(ge=1, le=5, description="interim analyses at which a sentence may stop early; 1: none", exclude_if=lambda looks: looks == 1),
    ] = 1


def _entry(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


def _preset(value: object) -> object:
    return {"preset": value, "name": value} if isinstance(value, str) else value


def _strategy(value: str | dict[str, dict[str, Any]]) -> str | dict[str, dict[str, Any]]:
    """A strategy with its parameters, without those that have their defaults: a plain name where none is left."""
    if isinstance(value, str):
        return value
    try:
        strategy_of(value)
    except UsageProblem as problem:
        raise ValueError(str(problem)) from None
    [(name, given)] = value.items()
    own = checked(name, STRATEGIES[name], given)
    return {name: own} if own else name


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
    models: Annotated[
        list[Annotated[ModelEntry, BeforeValidator(_entry)]], Field(min_length=1, max_length=1000, description="at least one model")
    ]
    base_prompts: Annotated[
        list[str] | dict[Benchmark, Annotated[list[str], Field(min_length=1)]],
        Field(min_length=1, description="which prompts ask for the task: human, ape; a list, or one for each benchmark"),
    ] = ["human"]
    prompts: Annotated[
        dict[Annotated[str, Field(pattern=NAME)], Annotated[PromptEntry, BeforeValidator(entry_of)]],
        Field(description="whole prompts by name, each an arm: text, a list of messages, or {file: PATH}", exclude_if=is_unset),
        Field(max_length=1000),
    ] = {}
    incumbent: Annotated[
        str | None,
        Field(description="the prompt that runs today, which the others are compared with: by default the first", exclude_if=is_unset),
    ] = None
    stimuli: Annotated[
        list[str | Annotated[list[str], Field(min_length=2)]],
        Field(description="names or globs, for example [emotionprompt/EP02]; a list inside is one arm, its sentences stacked in order"),
    ] = []
    wordings: Annotated[
        Literal["published", "paraphrased"],
        Field(description="'paraphrased': each item meets one of a stimulus's wordings: the wording as a random factor"),
    ] = "published"
    loops: Annotated[
        list[LoopEntry], Field(max_length=100, description="feedback loops (after HEART), each with controls of equal budget")
    ] = []
    task_files: Annotated[list[str], Field(description="tasks of your own: task files or BIG-bench task.json, paths from this file")] = []
    stimulus_files: Annotated[list[str], Field(description="stimulus libraries of your own, paths from this file")] = []
    controls: Controls = Controls()
    programs: Annotated[list[ProgramEntry], Field(description="DSPy programs, each a strategy by its name")] = []
    strategies: Annotated[
        list[Annotated[str | dict[str, dict[str, Any]], AfterValidator(_strategy)]],
        Field(min_length=1, validate_default=True, description="strategies or programs by name; or {name: {parameter: value}}"),
    ] = ["single"]
    placements: Annotated[
        list[Annotated[PlacementEntry, BeforeValidator(_preset)]],
        Field(min_length=1, validate_default=True, description="presets (paper, negativeprompt-code) or blocks"),
    ] = ["paper"]  # type: ignore[list-item]  # goes through the validator like the file's own text
    vary: Annotated[
        Vary,
        BeforeValidator(vary_of),
        Field(
            description="factors with several levels: shots, temperature, reasoning_effort, format, params; or a list of settings",
            exclude_if=lambda v: v == Vary(),
        ),
    ] = Vary()
    compare: Annotated[Compare, Field(description="{models: true}: models are arms too", exclude_if=lambda c: c == Compare())] = Compare()
    interactions: Annotated[
        list[Annotated[list[str], Field(min_length=2, max_length=2)]] | None,
        Field(description="pairs of factors; a factor with itself: all pairs of its levels", exclude_if=lambda pairs: pairs is None),
    ] = None
    simulators: Annotated[
        dict[Annotated[str, Field(pattern=NAME)], SimModel],
        Field(description="simulated models of your own, used as sim/NAME: what is true of them", exclude_if=is_unset),
    ] = {}
    items: Annotated[int, Field(ge=1, description="items per task (fewer where a task has fewer)")] = 100
    shots: Annotated[
        list[Shots],
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
    confirm: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="share of the items that confirm: the others choose the arms that go on to them",
            exclude_if=lambda share: share is None,
        ),
    ] = None
    compare_to: Annotated[
        str | None,
        Field(description="an earlier run, by name or folder: its arms join the families, paired by item", exclude_if=is_unset),
    ] = None
    sampling: Sampling = Sampling()
    seed: Annotated[int, Field(ge=0, description="decides items, demonstrations, option orders and simulated answers")] = 0
    analysis: Analysis = Analysis()
    budget_usd: Annotated[float, Field(gt=0, description="the run stops before it could spend more")] | None = None
    probe: Annotated[bool, Field(description="the first trial of each model goes alone, before any other; not hashed")] = True

    @model_validator(mode="before")
    @classmethod
    def _placed(cls, value: Any) -> Any:  # noqa: ANN401
        """Whole prompts have no frame around them."""
        return {"placements": ["end"], **value} if isinstance(value, dict) and value.get("prompts") else value

    @model_validator(mode="after")
    def _something(self) -> Experiment:
        models = self.compare.models and len(self.models) > 1
        if not (self.stimuli or self.loops or len(self.prompts) > 1 or self.factors or models):
            raise ValueError(
                "there is nothing to compare: write two 'prompts', 'stimuli', 'loops', two levels under 'vary', or two models with "
                "'compare: {models: true}'"
            )
        self._prompted()
        names = [entry.name for entry in self.loops]
        if len(set(names)) != len(names):
            raise ValueError("two loops have one name; give each its own 'name'")
        if len({entry.strategy for entry in self.loops}) != len(names):
            raise ValueError("the settings of two loops have one name: an oracle loop's ends in '-oracle'; give one of them another 'name'")
        named = [program.name for program in self.programs]
        taken = {
            **STRATEGIES,
            **dict.fromkeys(strategy_of(entry).name for entry in self.strategies if entry not in named),
            **dict.fromkeys(named),
        }
        if {entry.strategy for entry in self.loops} & taken.keys():
            raise ValueError(f"a loop cannot be named like a strategy: {', '.join(taken)}")
        if len({*STRATEGIES, *named}) != len(STRATEGIES) + len(named):
            raise ValueError(f"programs need names of their own, and other ones than {', '.join(STRATEGIES)}; found {', '.join(named)}")
        return self

    def _prompted(self) -> None:
        """Whether the statements about prompts and factors fit together."""
        known = list(self.prompts)
        if self.prompts and "base_prompts" in self.model_fields_set:
            raise ValueError("'prompts' are whole prompts and 'base_prompts' parts of one; leave one of the two out")
        if self.prompts and self.programs:
            raise ValueError("a program writes its own prompts; leave 'prompts' or 'programs' out")
        named = [("incumbent", self.incumbent), *((f"prompts.{n}.paraphrase_of", p.paraphrase_of) for n, p in self.prompts.items())]
        for where, name in named:
            if name is not None and name not in known:
                raise ValueError(f"{where}: the prompt {name!r} is not known; {did_you_mean(name, known)}".rstrip("; "))
        if self.prompts and (framed := [entry.name for entry in self.placements if entry.template is not None]):
            raise ValueError(f"the placement {framed[0]!r} has a template, and 'prompts' are whole; leave 'template' out")
        if self.vary.shots and "shots" in self.model_fields_set:
            raise ValueError("shots are written twice: under 'vary' and outside; leave one of the two out")
        if self.vary.format and len(self.placements) > 1:
            raise ValueError("formats are drawn around one placement; leave one in 'placements'")
        factors = [PROMPT, MODEL, STIMULUS, *self.factors]
        for pair in self.interactions or []:
            for name in pair:
                if name not in factors:
                    raise ValueError(f"interactions: {name!r} is no factor here; {did_you_mean(name, factors)}".rstrip("; "))

    @property
    def prompt_names(self) -> list[str]:
        """What asks for the tasks: whole prompts, or base prompts."""
        by_benchmark = self.base_prompts.values() if isinstance(self.base_prompts, dict) else [self.base_prompts]
        return list(self.prompts) or list(dict.fromkeys(name for names in by_benchmark for name in names))

    def prompts_of(self, benchmark: Benchmark) -> list[str]:
        """The base prompts that ask for the tasks of a benchmark: the human ones where a mapping does not name it."""
        return self.base_prompts.get(benchmark, ["human"]) if isinstance(self.base_prompts, dict) else self.base_prompts

    @property
    def reference_prompt(self) -> str | None:
        """The prompt that the others are compared with; None where there are no whole prompts."""
        return self.incumbent or next(iter(self.prompts), None)

    @property
    def shots_asked(self) -> list[int]:
        """How many worked examples there are, each number once."""
        return list(dict.fromkeys(n for shots, _ in self.vary.blocks(self.shots) for n in shots))

    @property
    def factors(self) -> list[str]:
        """Factors whose levels are compared: those under `vary`; without stimuli and loops those that are lists elsewhere, too."""
        found = self.vary.names
        if self.prompts or not (self.stimuli or self.loops):
            lists: dict[str, Sequence[object]] = {"shots": self.shots, "placement": self.placements, "strategy": self.strategies}
            found |= {name for name, levels in lists.items() if len(levels) > 1}
        order = ["shots", "placement", "format", "strategy", "setting", *Vary.model_fields]
        return sorted(found, key=order.index)

    @property
    def interacting(self) -> list[tuple[str, str]]:
        """The pairs of factors whose interaction is judged."""
        if self.interactions is not None:
            return [(first, second) for first, second in self.interactions]
        several = len(self.prompts) > 1
        pairs = [(PROMPT, MODEL, len(self.models) > 1), (STIMULUS, PROMPT, bool(self.stimuli))]
        return [(first, second) for first, second, there in pairs if there and several]

    @field_validator("strategies")
    @classmethod
    def _strategies(cls, value: list[str | dict[str, Any]], info: ValidationInfo) -> list[str | dict[str, Any]]:
        if "programs" not in info.data:  # they are wrong themselves, which is told already
            return value
        programs = [program.name for program in info.data["programs"]]
        known = [*STRATEGIES, *programs]
        for name in value:
            if isinstance(name, str) and name not in known:
                raise ValueError(f"the strategy {name!r} is not known; known: {', '.join(known)}")
        unused = [name for name in programs if name not in value]
        if unused:
            raise ValueError(f"the program {unused[0]!r} is not used; write it here, as in strategies: [{unused[0]}]")
        return value

    def resolved_placements(self) -> list[Placement]:
        """Presets, blocks and drawn formats as nouns, in the file's order."""
        placements = [entry.resolved() for entry in self.placements]
        drawn = self.vary.format
        return sampled(placements[0], drawn.sample, drawn.seed) if drawn else placements

    def as_asked(self, n_looks: int | None, scorer: Scorer | None = None) -> Experiment:
        """The experiment with this number of planned interim analyses, where its file leaves that at 1, and with this scorer."""
        update: dict[str, Any] = {} if scorer is None else {"scorer": scorer}
        if n_looks is not None and self.analysis.looks == 1:
            update["analysis"] = self.analysis.model_copy(update={"looks": n_looks})
        return self.model_copy(update=update) if update else self

    def canonical(self) -> dict[str, Any]:
        """The experiment as plain data with every default filled in: what is hashed. How it is sent is no part of it."""
        return self.explicit().model_dump(mode="json", exclude={"probe"})

    def explicit(self) -> Experiment:
        """The experiment with a number of placebos for each stimulus; left out, it is the number that they have on average."""
        if self.controls.per_stimulus is not None:
            return self
        return self.model_copy(update={"controls": self.controls.model_copy(update={"per_stimulus": NEAREST})})


def load_experiment(path: Path) -> tuple[Experiment, Document]:
    """Read an experiment file; FileProblems lists everything that is wrong with its form."""
    return load(path, Experiment)


def experiment_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an experiment file, for editors."""
    schema = Experiment.model_json_schema()
    models = schema["properties"]["models"]
    models["items"] = {"anyOf": [{"type": "string"}, models["items"]]}
    placements = schema["properties"]["placements"]
    placements["items"] = {"anyOf": [{"enum": list(PRESETS)}, placements["items"]]}
    schema["properties"]["shots"] = {"anyOf": [{"type": "integer", "minimum": 0}, schema["properties"]["shots"]], "default": 0}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "promptlab experiment"}

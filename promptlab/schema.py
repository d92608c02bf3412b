"""The nouns of promptlab: one class per idea, and the columns of every frame.

Everything here is frozen data without behaviour beyond derived facts. Modules from the layers above import these;
this module imports nothing of ours. Scores and effects are fractions in [0, 1] and [-1, 1] everywhere inside;
only what a person reads multiplies them by 100 and calls them points.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import orjson

Outcome = Literal["ok", "truncated", "refused", "empty", "parse_failed", "error"]
Verdict = Literal["helps", "hurts", "negligible", "same", "unclear", "refused"]
Role = Literal["baseline", "aa", "placebo", "stimulus", "loop", "loop_control"]
Position = Literal["prefix", "suffix", "system", "after_input"]
Suite = Literal["twin", "official", "own"]
Benchmark = Literal["instruction_induction", "bigbench", "own"]
Control = Literal["none", "placebo", "neutral_feedback", "neutral_paraphrase", "resample", "self_reflection", "chain_of_thought", "single"]
Emotion = Literal["happiness", "sadness", "fear", "anger", "surprise", "disgust", "neutral"]
Valence = Literal["positive", "negative", "neutral"]
Demand = Literal["confidence", "check_again", "explain", "persist", "reason"]
LoopMode = Literal["oracle", "verifier_free", "self_judge"]
Settle = Literal["last", "majority", "synthesis"]
Purpose = Literal["answer", "judge", "synthesis"]
Scorer = Literal["strict", "reference", "negativeprompt"]
Status = Literal[
    "ok",
    "n_too_small",
    "no_discordant_pairs",
    "zero_variance",
    "missing_pairs",
    "duplicate_keys",
    "unbalanced_repeats",
    "too_few_clusters",
    "separation",
    "not_planned",
    "cannot_be_significant",
    "aa_failed",
]

NONE_ARM = "none"
AA_ARM = "none_aa"
OWN_PROMPT = "program"
"""The base prompt of a program that keeps its own instructions."""
KEY_VERSION = 1
"""Part of every cache key: raised when the meaning of a key changes, so that old entries become misses."""


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    return digest_of_text(_CANONICAL.encode(value))


def plain_json(value: object) -> str:
    """The canonical JSON of a value without fractions (which are written in more than one way): the same text, in a tenth of the time."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # half a surrogate pair, a long number
        return _CANONICAL.encode(value)


def _sampling_json(sampling: Mapping[str, Any]) -> str:
    """The canonical JSON of sampling parameters, which hold fractions; most calls of a run have the same."""
    try:
        return _canonical_pairs(tuple(sampling.items()), tuple(map(repr, sampling.values())))
    except TypeError:  # a list among them
        return _CANONICAL.encode(dict(sampling))


@lru_cache(maxsize=256)
def _canonical_pairs(pairs: tuple[tuple[str, object], ...], as_written: tuple[str, ...]) -> str:
    del as_written  # 0, 0.0, -0.0 and false are equal, and written differently
    return _CANONICAL.encode(dict(pairs))


def digest_of_text(text: str) -> str:
    """SHA-256 (hex) of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
    fixed_order: bool = False
    """Whether options keep the published order instead of one drawn by the seed."""

    @property
    def id(self) -> str:
        """`suite/name`: the same task from the official files and from our twin are different tasks."""
        return f"{self.suite}/{self.name}"


@dataclass(frozen=True, slots=True)
class Stimulus:
    """The added text: the independent variable. `id` is `library/key`."""

    id: str
    text: str
    role: Literal["stimulus", "placebo", "paraphrase"] = "stimulus"
    theory: str = ""
    theory_earlier: str = ""
    """The label that an earlier version of the same work gave it, where it differs."""
    valence: str = ""
    source: str = ""
    code_number: int | None = None
    """The number that the published code gives this sentence, where it differs from the paper's order."""
    demands: tuple[Demand, ...] = ()
    """What the text asks for beside its affect."""
    joined_by: str | None = None
    """What stands between the instruction and a literal variant, in place of the placement's separator."""
    of: str | None = None
    """The stimulus that a paraphrase rewords."""
    wordings: tuple[str, ...] = ()
    """Several wordings of one stimulus, one drawn for each item: the wording as a random factor."""
    parts: tuple[str, ...] = ()
    """The stimuli that a stack consists of, in order."""

    @property
    def library(self) -> str:
        return self.id.split("/", 1)[0]

    @property
    def n_words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True, slots=True)
class Cue:
    """One remark of a feedback loop, without the verdict and the request around it."""

    key: str
    emotion: Emotion
    valence: Valence
    text: str


@dataclass(frozen=True, slots=True)
class Loop:
    """How one arm of a feedback loop goes on after its first answer.

    `rounds` counts attempts, the first one included. `cues` holds, for each remark in turn, the cues that one is drawn from.
    In mode `oracle` the scorer says whether an answer is right, and the loop stops there: its scores are no single-answer scores.
    """

    kind: Literal["single", "resample", "feedback"]
    rounds: int
    mode: LoopMode
    settle: Settle = "last"
    cues: tuple[tuple[Cue, ...], ...] = ()
    verdict: str = ""
    request: str = ""
    solved_at: float = 1.0
    token_budget: int | None = None
    seed: int = 0
    library: str = ""
    """The loop that a treatment belongs to; empty for controls."""

    @property
    def oracle(self) -> bool:
        return self.mode == "oracle"

    @property
    def max_calls(self) -> int:
        """The most calls that one trial can take."""
        judged = self.rounds - 1 if self.mode == "self_judge" else 0
        return self.rounds + judged + int(self.mode == "verifier_free" and self.settle == "synthesis")


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
class Price:
    """What tokens cost, in USD per million."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the experiment names it. `api_key_env` is the name of a variable, never a key."""

    name: str
    litellm_name: str
    api_base: str | None = None
    api_key_env: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    timeout_s: float = 60.0

    @property
    def simulated(self) -> bool:
        return self.litellm_name.startswith("sim/")

    @property
    def provider(self) -> str:
        return self.litellm_name.split("/", 1)[0] if "/" in self.litellm_name else "openai"


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


@dataclass(frozen=True, slots=True)
class Call:
    """All that decides an answer; and `round`, `purpose`, `cue` and `emotion`, which say what it is for and are not in its key.

    `draw` separates repeated requests with the same text: replicate k of the baseline and of its A/A arm must not share
    one cached answer.
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    sampling: Mapping[str, Any]
    draw: int = 0
    api_base: str | None = None
    round: int = 0
    purpose: Purpose = "answer"
    cue: str | None = None
    emotion: str | None = None

    @property
    def key(self) -> str:
        """SHA-256 (hex) of the canonical request."""
        return self.key_as(self.model)

    def key_as(self, model: str) -> str:
        """The key of the same request under another name of its model."""
        return digest_of_text(
            f'{{"api_base":{plain_json(self.api_base)},"draw":{self.draw},"messages":{plain_json([dict(m) for m in self.messages])},'
            f'"model":{plain_json(model)},"sampling":{_sampling_json(self.sampling)},"version":{KEY_VERSION}}}'
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer and its price. A None cost is unknown, never free; `error` is redacted text."""

    text: str
    outcome: Outcome
    finish_reason: str | None = None
    model_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float = 0.0
    cached: bool = False
    attempts: int = 1
    requested: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    top_logprobs: tuple[tuple[str, float], ...] = ()
    """The likeliest first tokens with their log-probabilities, where they were asked for and given."""
    fingerprint: str | None = None
    """What the provider calls the system that answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a strategy settles on: the text that the metric scores, the outcome, and with outcome `error` what was wrong."""

    text: str
    outcome: Outcome
    error: str | None = None


Strategy = Generator[Call, Completion, Answer]
"""Yields a Call, is sent its Completion, returns an Answer; does no I/O."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A metric's result: score in [0, 1], and what it read in the answer (None when it found no answer there)."""

    score: float
    extracted: str | None


TRIAL_COLUMNS: Mapping[str, str] = {
    "trial": "str",
    "order": "int",
    "model": "str",
    "simulated": "bool",
    "suite": "str",
    "task": "str",
    "item": "str",
    "cluster": "str?",
    "arm": "str",
    "role": "str",
    "stimulus": "str?",
    "library": "str?",
    "base_prompt": "str",
    "placement": "str",
    "shots": "int",
    "strategy": "str",
    "replicate": "int",
    "outcome": "str",
    "score": "float?",
    "extracted": "str?",
    "compliant": "bool?",
    "echoed": "bool?",
    "declined": "bool?",
    "answer": "str",
    "oracle": "bool?",
    "n_rounds": "int?",
    "solved_round": "int?",
    "n_calls": "int",
    "input_tokens": "int?",
    "output_tokens": "int?",
    "cost_usd": "float?",
    "paid_usd": "float?",
    "latency_s": "float",
    "cached": "bool",
    "attempts": "int",
    "model_version": "str?",
    "error": "str?",
}
"""The trials frame: one row per trial. `task` is the bare name, `suite` beside it.

`compliant` (the reply has the form that was asked for), `echoed` (it is the input again) and `declined` (it refuses in words)
stand beside the score and never change it. `cost_usd` is the price of the answer, `paid_usd` what this run paid for it (0 when
every call came from the cache).
"""

CIRCUMSTANCE_COLUMNS = ("latency_s", "cached", "attempts", "paid_usd")
"""Columns that may differ between two runs of the same experiment that gave the same answers."""

CALL_COLUMNS: Mapping[str, str] = {
    "trial": "str",
    "turn": "int",
    "key": "str",
    "messages": "str",
    "requested": "str",
    "effective": "str",
    "text": "str",
    "outcome": "str",
    "finish_reason": "str?",
    "model_version": "str?",
    "input_tokens": "int?",
    "output_tokens": "int?",
    "cost_usd": "float?",
    "latency_s": "float",
    "cached": "bool",
    "attempts": "int",
    "error": "str?",
    "top_logprobs": "str?",
    "round": "int?",
    "purpose": "str?",
    "cue": "str?",
    "emotion": "str?",
    "score": "float?",
    "fingerprint": "str?",
}
"""The calls frame: one row per call of a trial; `messages`, `requested`, `effective` and `top_logprobs` (the likeliest first
tokens with their log-probabilities, where a strategy asks for them) are JSON text."""

ITEM_COLUMNS: Mapping[str, str] = {
    "suite": "str",
    "task": "str",
    "item": "str",
    "input": "str",
    "targets": "str",
    "choices": "str",
    "cluster": "str?",
    "scores": "str?",
}
"""The items that a run used; `targets`, `choices` and `scores` (the grade of each choice) are JSON lists."""

SETTING_COLUMNS = ("placement", "shots", "strategy")
"""Factors that are compared within, never across; base prompts are averaged inside an item (a random factor)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treatment minus control, and what it means. Scores and effects are fractions; None is "not available", never NaN.

    scope: cell (one task), stimulus (one stimulus over the tasks), primary (all stimuli of a library over the tasks),
    aa (the baseline against its own repeat). `task` is None beyond cells.
    """

    scope: Literal["cell", "stimulus", "primary", "aa"]
    family: str
    n_family: int
    model: str
    simulated: bool
    suite: str
    task: str | None
    placement: str
    shots: int
    strategy: str
    control: str
    control_arms: tuple[str, ...]
    treatment: str
    library: str | None
    n_planned: int
    n_pairs: int
    n_missing: int
    n_tasks: int
    mean_control: float | None
    mean_treatment: float | None
    diff: float | None
    ci_low: float | None
    ci_high: float | None
    gained: int | None
    lost: int | None
    p_value: float | None
    p_adjusted: float | None
    p_tost: float | None
    p_tost_adjusted: float | None
    margin: float
    mde: float | None
    method: str
    ci_method: str
    adjustment: str
    status: Status
    verdict: Verdict
    sentence: str
    notes: tuple[str, ...] = ()
    ci_fixed_low: float | None = None
    ci_fixed_high: float | None = None
    se: float | None = None
    """Standard error of a cell's difference, robust where items come in clusters."""
    oracle: bool = False
    """Whether an oracle stopped the loops that are compared: such a score is not that of a single answer."""

    @property
    def treated(self) -> str:
        """The treatment as a person reads it: an oracle is never left out."""
        return f"{self.treatment} (with oracle)" if self.oracle else self.treatment


COMPARISON_COLUMNS = tuple(Comparison.__dataclass_fields__)

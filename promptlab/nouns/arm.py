"""Arms and trials, all that may differ between two paired answers: added texts, loops, strategies.

Strategies and scorings are generators of calls, which do no I/O.
"""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from promptlab.nouns.call import Answer, Call, Model, Scored
from promptlab.nouns.identity import canonical_json, digest_of_text, plain_json
from promptlab.nouns.item import Item, Prompt
from promptlab.nouns.setting import Setting
from promptlab.nouns.words import Demand, Emotion, LoopMode, Position, Role, Settle, Valence


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
    """What the text requests besides its affect."""
    joined_by: str | None = None
    """The text between the instruction and a literal variant, in place of the placement's separator."""
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

    def canonical(self) -> list[str]:
        """The cue as plain data."""
        return [self.key, self.emotion, self.valence, self.text]


@dataclass(frozen=True, slots=True)
class Loop:
    """How one arm of a feedback loop continues after its first answer.

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
    candidates: int = 1
    """Answers that are drawn at once in each round; the loop continues from the best (oracle) or the most frequent of them."""

    @property
    def oracle(self) -> bool:
        return self.mode == "oracle"

    @property
    def max_calls(self) -> int:
        """The most calls that one trial can take."""
        judged = self.rounds - 1 if self.mode == "self_judge" else 0
        return self.rounds * self.candidates + judged + int(self.mode == "verifier_free" and self.settle == "synthesis")

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        names = ("kind", "rounds", "mode", "settle", "verdict", "request", "solved_at", "token_budget", "seed", "library")
        several = {"candidates": self.candidates} if self.candidates > 1 else {}
        own = {name: getattr(self, name) for name in names}
        return {**own, **several, "cues": [[cue.canonical() for cue in step] for step in self.cues]}


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """Python code of the user's that a scoring wants run: in a worker thread, or awaited where it returns an awaitable."""

    function: Callable[..., Any | Awaitable[Any]]
    arguments: tuple[Any, ...]


Steps = Generator[Call | Sequence[Call] | Work, Any, T]
"""Yields a Call and is sent its Completion; or a list of Calls, sent in parallel, and their Completions; or Work and its result."""
Verifier = Callable[[str], Steps[float]]
"""The score of an answer text; handed to strategies that need `verifier` and to no other."""
Reader = Callable[[str], Steps[str | None]]
"""What the scoring reads in an answer text, without its score; handed to strategies that need `reader` and to no other."""
Metric = Callable[[str, Item], Scored]
"""A pure function from an answer and its item to a score."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a scoring may know of a trial besides its answer and item."""

    baseline: bool = False
    """Whether it is an answer to the bare prompt: on some of these judges are controlled."""
    stimulus: str = ""
    """The text that the prompt had added, which an answer may repeat."""
    opponent: Callable[[], Steps[Answer]] | None = None
    """Gives the baseline's answer to the same item, by the same calls as the baseline's own trial; None for the baseline itself."""
    spent: Callable[[], tuple[float | None, float]] = lambda: (None, 0.0)
    """USD (None where unknown) and seconds that the answer took."""


@dataclass(frozen=True, eq=False, slots=True)
class Scoring:
    """How an answer becomes a score in [0, 1]: a pure metric, or a generator of calls and work, which may raise ScoringFailed."""

    name: str
    metric: Metric | None
    run: Callable[[str, Item, Case], Steps[Scored]] | None = None
    """In place of a metric: given the answer, the item and what else is known of the trial."""
    max_calls: int = 0
    """How many calls one answer takes at most."""
    models: tuple[Model, ...] = ()
    """The models that it asks, with all the sampling parameters that they are sent."""
    identity: Any = None
    """What decides its scores besides its name, as plain data: part of a run's identity."""
    refused: str = ""
    """Why it gives no score: it is code, and nobody has consented to run it."""
    control_calls: int = 0
    """How many calls more a baseline answer takes that is a control of the judge."""
    needs_opponent: bool = False
    """Whether an answer is scored next to the baseline's to the same item."""

    def steps(self, answer: str, item: Item, case: Case = Case()) -> Steps[Scored]:
        """The score of one answer."""
        if self.run is None or self.metric is not None:
            raise TypeError(f"the scoring {self.name!r} is a metric, which is called")
        return (yield from self.run(answer, item, case))


LETTERS = string.ascii_uppercase
"""What options are lettered with."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the stimulus goes and what the prompt around it looks like.

    `template` holds the placeholders {instruction}, {demos} and {input}; `demo` holds {input} and {output}; `choice`
    holds {choice} and perhaps {letter}, and is repeated after the input for every option (empty: options are not shown).
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
    casing: str = ""
    """Of a drawn format (`design.formats`), with `colon` and `between`: how whole prompts write the labels of their fields."""
    colon: str = ""
    between: str = ""

    def plain(self) -> dict[str, Any]:
        """As the plan holds it: a format only where one was drawn."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return own if self.casing else {name: value for name, value in own.items() if name not in ("casing", "colon", "between")}


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

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        return {key: getattr(self, key) for key in ("name", "factory", "input", "output", "instructions", "max_calls", "state", "source")}


@dataclass(frozen=True, eq=False, slots=True)
class Strategy:
    """How one arm asks: from the first call of a trial to its answer.

    `parameters` is a frozen dataclass or plain data, and decides the arm's identity together with `name`. `sampling` is sent in
    place of the experiment's own. `needs` may hold `choices` (items must have options), `verifier` (the score of each attempt, an
    oracle) or `reader` (what the scoring reads in each), which `run` gets last, and `prompts` (the strategy writes its own messages).
    """

    name: str
    run: Callable[[Call, Trial, Any], Steps[Answer]]
    parameters: Any = None
    max_calls: int = 1
    n_first: int = 1
    """How many calls it makes at once to begin with: no trial has fewer."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    scores_attempts: bool = False
    """Whether each answer is an attempt with a score of its own."""
    solved_at: float = 1.0
    """The score at which an attempt counts as right."""
    library: str = ""
    """The loop that a treatment belongs to; empty elsewhere."""

    @property
    def oracle(self) -> bool:
        """Whether the scorer stops it: such a score is not that of a single answer."""
        return "verifier" in self.needs


@dataclass(frozen=True, slots=True)
class Arm:
    """All that may differ between two paired trials but the model: one stimulus, or none, in one setting."""

    name: str
    role: Role
    stimulus: Stimulus | None
    setting: Setting
    placement: Placement
    """What `setting.placement` names."""
    strategy: Strategy
    """What `setting.strategy` names; arms of a loop share the setting and differ in its parameters."""
    prompt: Prompt | None = None
    """The whole prompt that `setting.prompt` names; None where that is a base prompt of the task."""

    @property
    def loop(self) -> Loop | None:
        """The parameters of its feedback loop."""
        return self.strategy.parameters if isinstance(self.strategy.parameters, Loop) else None

    @property
    def program(self) -> Program | None:
        """The program under test."""
        return self.strategy.parameters if isinstance(self.strategy.parameters, Program) else None

    @property
    def library(self) -> str | None:
        """The library, or the loop, whose effect the arm is part of."""
        return self.stimulus.library if self.stimulus and not self.loop else self.strategy.library or None


@dataclass(frozen=True, slots=True)
class Trial:
    """One item shown once to one model in one arm. `order` is its place in the run."""

    order: int
    task: str
    item: Item
    arm: Arm
    model: str
    replicate: int

    @property
    def id(self) -> str:
        """Stable over runs of the same experiment: a digest of everything that names the trial."""
        s = self.arm.setting
        parts = [self.task, self.item.id, self.arm.name, s.prompt, s.placement, s.shots, s.strategy, self.model, self.replicate]
        if s.sampling:
            parts.append(canonical_json(dict(s.sampling)))
        return digest_of_text(plain_json(parts))[:20]

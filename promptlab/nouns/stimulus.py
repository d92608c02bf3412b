"""Added texts, and the remarks and rounds of feedback loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from promptlab.nouns.words import Demand, Emotion, LoopMode, Settle, Valence


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

    def canonical(self) -> list[str]:
        """The cue as plain data."""
        return [self.key, self.emotion, self.valence, self.text]


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

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        names = ("kind", "rounds", "mode", "settle", "verdict", "request", "solved_at", "token_budget", "seed", "library")
        return {**{name: getattr(self, name) for name in names}, "cues": [[cue.canonical() for cue in step] for step in self.cues]}

"""What every importer hands over: results as they stand in a file, before anything is paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptlab.nouns.errors import FileProblems, Problem
from promptlab.nouns.words import Outcome

Kind = Literal["auto", "promptfoo", "inspect", "lm-eval", "table", "counts"]
KINDS: tuple[Kind, ...] = ("auto", "promptfoo", "inspect", "lm-eval", "table", "counts")
COLUMNS = ("item", "arm", "score", "model", "task", "repeat", "answer", "prompt", "cluster", "outcome")
"""What a column of a table can be named as holding."""
PARAMETERS = (
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "max_gen_toks", "frequency_penalty",
    "presence_penalty", "reasoning_effort", "reasoning_tokens", "stop", "stop_seqs", "until", "do_sample", "seed",
)  # fmt: skip
"""Sampling parameters that are kept; of a provider's configuration nothing else is, because the rest may hold keys."""


@dataclass(frozen=True, slots=True)
class Result:
    """One answer to one item under one arm, as a tool scored it. `score` is on the tool's own scale; None is missing."""

    arm: str
    model: str
    task: str
    item: str
    score: float | None
    where: str
    """Where it stands in its file, for messages."""
    repeat: int = 0
    outcome: Outcome = "ok"
    answer: str = ""
    extracted: str | None = None
    messages: tuple[Mapping[str, str], ...] = ()
    input: str = ""
    targets: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    cluster: str | None = None
    model_version: str | None = None
    """As the provider named it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float = 0.0
    attempts: int = 1
    finish_reason: str | None = None
    cached: bool = False
    error: str | None = None
    marked_simulated: bool = False

    @property
    def simulated(self) -> bool:
        """Whether promptlab made the answer up: the file says so, or the model is one of promptlab's simulated ones."""
        return self.marked_simulated or self.model.startswith("sim/")


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was read, once."""

    path: Path
    content: bytes
    sha256: str
    arm: str | None = None
    """The arm that the user gave it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where results come from: the file's bare name, its digest, and the tool that wrote it."""

    file: str
    sha256: str
    tool: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read, and what whoever reads the verdicts must know."""

    results: tuple[Result, ...]
    sources: tuple[Source, ...]
    metric: str
    texts: Mapping[str, str] = field(default_factory=dict)
    """What an arm asks or adds, by arm, where the file says so."""
    notes: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    """Columns that were taken for what their names say."""
    one_arm: str = ""
    """Why there is only one arm, in the words of the format; empty: the usual words."""
    secrets: tuple[str, ...] = ()
    """Keys that stand in the file, to be taken out of everything that is stored."""
    reconstructed: bool = False
    """Whether items were made up from counts."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to read and pair; all of it is part of the run's id."""

    kind: Kind = "auto"
    baseline: str | None = None
    placebos: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    scorer: str | None = None
    scale: tuple[float, float] | None = None
    per_model: bool = False
    force: bool = False


def refusal(path: Path, message: str, line: int | None = None) -> FileProblems:
    """One reason why a file is not imported."""
    return FileProblems([Problem(path, line, message)])


def listed(names: Sequence[object], most: int = 8) -> str:
    """Names as a message quotes them, cut after `most`."""
    shown = [repr(str(name))[:80] for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")

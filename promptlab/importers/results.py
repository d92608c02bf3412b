"""What every importer hands over: results as they stand in a file, before anything is paired, and which arm a file is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptlab.importers.values import name_of, short
from promptlab.nouns import FileProblems, Outcome, UsageProblem

Kind = Literal["auto", "promptfoo", "inspect", "lm-eval", "table", "counts"]
KINDS: tuple[Kind, ...] = ("auto", "promptfoo", "inspect", "lm-eval", "table", "counts")
COLUMNS = ("item", "arm", "score", "model", "task", "repeat", "answer", "prompt", "cluster", "outcome")
"""What a column of a table can be named as holding."""
UNNAMED = "the files do not say how they differ; say it with --arm-name FILE=NAME for each"


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
    base_prompt: str = ""
    """Which of several prompts the item was asked with, whatever its arm adds."""
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


refusal = FileProblems.one
"""One reason why a file is not imported."""


def listed(names: Sequence[object], most: int = 8) -> str:
    """Names as a message quotes them, cut after `most`."""
    shown = [repr(str(name))[:80] for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(frozen=True, slots=True)
class Described:
    """What a file says about itself."""

    file: File
    task: str
    model: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """What may tell its arm from the others', by name, such as the arguments of its task."""


@dataclass(frozen=True, slots=True)
class Place:
    """The arm and task of one file."""

    arm: str
    task: str


def places(files: Sequence[Described]) -> list[Place]:
    """An arm and a task for each file: as the user names them, else by the facts that differ, else by the tasks' names."""
    given = [d.file.arm for d in files]
    if any(given):
        unnamed = [d.file.path.name for d, arm in zip(files, given, strict=True) if not arm]
        if unnamed:
            raise UsageProblem(f"--arm-name is given for some files and not for {listed(unnamed)}; name them all")
        return _one_task([Place(str(d.file.arm), d.task) for d in files])
    varying = [key for key in dict.fromkeys(k for d in files for k in d.facts) if len({d.facts.get(key, "") for d in files}) > 1]
    if varying:
        return _one_task([Place(_arm(d.facts, varying), d.task) for d in files])
    if len({d.task for d in files}) > 1:
        return _one_task([Place(d.task, d.task) for d in files])
    return [Place(files[0].task, d.task) for d in files]


def _arm(facts: Mapping[str, str], varying: Sequence[str]) -> str:
    if len(varying) == 1:
        return short(name_of(facts.get(varying[0], "") or "none"))
    return short(name_of(", ".join(f"{key}={facts.get(key, '')}" for key in varying)))


def _one_task(found: Sequence[Place]) -> list[Place]:
    """Where every arm has a task of its own name, these are one task: `sums_none` and `sums_career` are two arms of `sums`."""
    tasks: dict[str, set[str]] = defaultdict(set)
    for place in found:
        tasks[place.arm].add(place.task)
    alone = all(len(names) == 1 for names in tasks.values())
    if not alone or len({next(iter(names)) for names in tasks.values()}) < max(2, len(tasks)):
        return list(found)
    prefix = re.sub(r"[^_.\-/ ]*\Z", "", _common([place.task for place in found]))
    task = prefix.rstrip("_.-/ ") or "imported"
    cut = all(place.arm == place.task for place in found) and prefix
    return [Place(place.arm.removeprefix(prefix) if cut else place.arm, task) for place in found]


def _common(names: Sequence[str]) -> str:
    """The characters that all names begin with."""
    low, high = min(names), max(names)
    return next((low[:i] for i, c in enumerate(low) if c != high[i : i + 1]), low)

"""What every importer hands over: results as they are in a file, before anything is paired, and which arm a file is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from promptlab.importers.files import File
from promptlab.importers.values import common_start, name_of, short, task_name
from promptlab.nouns import Outcome, UsageProblem, listed

Kind = Literal["auto", "promptfoo", "inspect", "lm-eval", "table", "counts"]
KINDS: tuple[Kind, ...] = ("auto", "promptfoo", "inspect", "lm-eval", "table", "counts")
COLUMNS = ("item", "arm", "score", "model", "task", "repeat", "answer", "prompt", "base_prompt", "cluster", "outcome")
"""What a column of a table can be named as holding."""
BY_MODEL = "model"
"""What --arm takes where models are to be compared, and not prompts."""


@dataclass(slots=True)  # not frozen: half a million are made in some seconds, and freezing triples the time of each
class Result:
    """One answer to one item under one arm, as a tool scored it. `score` is on the tool's own scale; None is missing."""

    arm: str
    model: str
    task: str
    item: str
    score: float | None
    where: str
    """Its place in its file, for messages."""
    repeat: int = 0
    base_prompt: str = ""
    """Which of several prompts the item was run with, whatever its arm adds."""
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
    latency_s: float | None = None
    attempts: int = 1
    finish_reason: str | None = None
    cached: bool = False
    error: str | None = None
    marked_simulated: bool = False
    content: str = ""
    """A digest of what the item asks, where the tool numbers its items and says what they ask; empty: the id alone tells."""
    file: int = 0
    """The place of its file among those given."""

    @property
    def simulated(self) -> bool:
        """Whether promptlab made the answer up: the file says so, or the model is one of promptlab's simulated ones."""
        return self.marked_simulated or self.model.startswith("sim/")


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
    """Columns that were used as their names say."""
    one_arm: str = ""
    """Why there is only one arm, in the words of the format; empty: the usual words."""
    secrets: tuple[str, ...] = ()
    """Keys in the file, to be taken out of everything that is stored."""
    reconstructed: bool = False
    """Whether items were made up from counts."""
    higher_is_better: bool | None = None
    """What the files say about the metric's direction."""
    metrics: tuple[str, ...] = ()
    """The scores that --metric can choose from."""
    by_content: bool = False
    """Whether items are known by what they ask, so that the same item in two files is one item."""

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools of the sources, each with its version where that is known."""
        return tuple(dict.fromkeys(f"{s.tool} {s.version}" if s.version else s.tool for s in self.sources))


@dataclass(frozen=True, slots=True)
class Options:
    """How to read and pair; all of it is part of the run's id."""

    kind: Kind = "auto"
    baseline: str | None = None
    placebos: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    """The only arms that are taken; empty: all."""
    drop: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    wide: tuple[str, ...] = ()
    """ARM=COLUMN for each arm of a table with a row an item and a column an arm."""
    sheet: str | None = None
    metric: str | None = None
    scorer: str | None = None
    scale: tuple[float, float] | None = None
    higher_is_better: bool | None = None
    task_name: str | None = None
    per_model: bool = False
    force: bool = False
    all_asked: bool = False
    """Items that only one arm holds were never asked of the other; without it they are missing answers."""


def quoted(text: str) -> str:
    """A word of a command as a shell takes it."""
    return text if re.fullmatch(r"[\w./=,:%+-]+", text, re.ASCII) else "'" + text.replace("'", "'\\''") + "'"


def arm_names_for(files: Sequence[File]) -> str:
    """The flags that name the arm of each file, ready to be completed."""
    shown = [f"--arm-name {quoted(f'{file.path}={name}')}" for file, name in zip(files[:4], ("none", "ARM", "ARM2", "ARM3"), strict=False)]
    return " ".join(shown)


def compare_models(results: Sequence[Result]) -> None:
    """Make arms of models, on the same prompt: each prompt becomes a task of its own where there are several."""
    several = len({r.arm for r in results}) > 1
    for r in results:
        r.task = task_name(f"{r.task}-{r.arm}") if several else r.task
        r.arm, r.model, r.model_version = r.model, "all models", None


def unnamed(files: Sequence[File], what: str) -> str:
    """Why there is one arm, where each file is one and they do not say how they differ."""
    models = "; to compare their models: --arm model"
    if len(files) == 1:
        return f"{what} holds one arm; give the files of all arms"
    return f"the files do not say how they differ; name the arm of each: {arm_names_for(files)}{models}"


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


def places(files: Sequence[Described], given_task: str | None = None) -> list[Place]:
    """An arm and a task for each file: as the user names them, else by the facts that differ, else by the tasks' names."""
    found = _places(files)
    return [Place(place.arm, given_task) for place in found] if given_task else found


def _places(files: Sequence[Described]) -> list[Place]:
    if files_named([d.file for d in files]):
        return _one_task([Place(str(d.file.arm), d.task) for d in files])
    varying = [key for key in dict.fromkeys(k for d in files for k in d.facts) if len({d.facts.get(key, "") for d in files}) > 1]
    if varying:
        return _one_task([Place(_arm(d.facts, varying), d.task) for d in files])
    if len({d.task for d in files}) > 1:
        return _one_task([Place(d.task, d.task) for d in files])
    return [Place(files[0].task, d.task) for d in files]


def files_named(files: Sequence[File]) -> bool:
    """Whether the user named the arm of each file; UsageProblem where only some are named."""
    unnamed = [file.path.name for file in files if not file.arm]
    if unnamed and len(unnamed) < len(files):
        raise UsageProblem(f"--arm-name is given for some files and not for {listed(unnamed)}; name them all")
    return not unnamed


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
    prefix = re.sub(r"[^_.\-/ ]*\Z", "", common_start([place.task for place in found]))
    task = prefix.rstrip("_.-/ ") or "imported"
    cut = all(place.arm == place.task for place in found) and prefix
    return [Place(place.arm.removeprefix(prefix) if cut else place.arm, task) for place in found]

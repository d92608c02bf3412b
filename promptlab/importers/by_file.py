"""Which arm a file is, where a tool writes one file for each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptlab.importers.results import File, listed
from promptlab.importers.values import name_of, short
from promptlab.nouns.errors import UsageProblem

UNNAMED = "the files do not say how they differ; say it with --arm-name FILE=NAME for each"


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

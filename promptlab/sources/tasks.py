"""Tasks by name, from promptlab's own items (suite `twin`) or from the official files (suite `official`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

from promptlab.design.defects import FIRST_OPTION_RIGHT, Handling, handled
from promptlab.nouns import PACKAGE, DataMissing, Demo, Frame, Item, Suite, Task, filled
from promptlab.sources.official.reading import load_bigbench, load_instruction_induction
from promptlab.sources.spec.libraries import TaskEntry, load_suite

TWIN = PACKAGE / "data" / "twin"
OWN = "promptlab's own items, written for it"


@cache
def entries() -> Mapping[str, TaskEntry]:
    """What the suite file says about every task."""
    return load_suite(PACKAGE / "data" / "tasks.yaml")


def task_names(suite: Suite) -> list[str]:
    """The tasks of a suite, in alphabetical order."""
    return sorted(name for name in entries() if suite == "official" or (TWIN / f"{name}.jsonl").exists())


def load_task(name: str, suite: Suite, defects: Handling = "fix") -> Task:
    """One task with all of its items, known defects handled; DataMissing when the official files are absent or damaged."""
    entry = entries()[name]
    demos: tuple[Demo, ...] = ()
    if suite == "twin":
        items = read_items(TWIN / f"{name}.jsonl")
    elif entry.benchmark == "instruction_induction":
        items, demos = load_instruction_induction(name)
        items = handled(name, items, defects)
    else:
        items, demos, extras = load_bigbench(name)
        own = [item for item, fields in extras["item_fields"].items() if "task_prefix" in fields]
        items = handled(name, items, defects, own)
    if entry.labels:
        items = tuple(replace(item, choices=tuple(entry.labels)) for item in items)
        items = tuple(item if set(item.targets) & set(item.choices) else replace(item, choices=()) for item in items)
    return filled(
        Task,
        entry,
        name=name,
        suite=suite,
        options="hidden" if entry.labels else entry.options,
        fixed_order=suite == "official" and defects == "keep" and name in FIRST_OPTION_RIGHT,
        frame=Frame(**entry.frame.model_dump(exclude_none=True)),
        items=items,
        demos=demos,
        source=OWN if suite == "twin" else entry.source,
        licence="Apache-2.0" if suite == "twin" else entry.licence,
        defects=() if suite == "twin" else tuple(entry.defects),
    )


@lru_cache(maxsize=128)
def _loaded(name: str, suite: Suite) -> Task:
    return load_task(name, suite)


def task_here(name: str, suite: Suite) -> Task | None:
    """The task, read once; None where its official files are not here, which may change at any time."""
    try:
        return _loaded(name, suite)
    except DataMissing:
        return None


def read_items(path: Path) -> tuple[Item, ...]:
    """Items of one JSON-lines file; DataMissing names the file and line of anything wrong."""
    items: dict[str, Item] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            item = Item(row["id"], row["input"], tuple(row["targets"]), tuple(row.get("choices") or ()), row.get("cluster"))
        except (ValueError, KeyError, TypeError) as error:
            raise DataMissing(f"{path}:{number}: not an item ({error}); each line holds id, input and targets as JSON") from None
        if item.id in items or not item.targets:
            raise DataMissing(f"{path}:{number}: the item {item.id!r} " + ("stands twice" if item.id in items else "has no target"))
        items[item.id] = item
    return tuple(items.values())

"""Tasks by name, from promptlab's own items (suite `twin`) or from the official files (suite `official`), which are read here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.design.defects import FIRST_OPTION_RIGHT, Handling, handled
from promptlab.nouns import PACKAGE, DataMissing, Demo, Frame, Item, Suite, Task, filled
from promptlab.sources.official.files import HOW_TO_GET, OfficialFile, data_dir, file_of, read_file, sha256_of, short
from promptlab.sources.spec.libraries import TaskEntry, load_suite


class BigBenchTask(NamedTuple):
    """A BIG-bench file as read: `extras` holds its other fields, and under "item_fields" what single items add."""

    items: tuple[Item, ...]
    demos: tuple[Demo, ...]
    extras: Mapping[str, Any]


def load_instruction_induction(task: str) -> tuple[tuple[Item, ...], tuple[Demo, ...]]:
    """Items (the `execute` file) and demonstrations (the `induce` file) of one Instruction Induction task.

    Ids are the published keys; cause_and_effect gives each pair in both orders, as its authors do, the second one with the
    id "N-swapped" and both in cluster N. Demonstrations whose input is a test item's are left out. DataMissing names the
    file, and the item if one is wrong.
    """
    execute = file_of(task, "instruction_induction/raw/execute/")
    induce = file_of(task, "instruction_induction/raw/induce/")
    items: list[Item] = []
    with _Reading(execute) as reading:
        for key, row in reading.examples(keyed=True):
            targets = _answers(task, row)
            for text, suffix in _inputs(task, row):
                items.append(Item(key + suffix, text, targets, cluster=key if task == "cause_and_effect" else None))
    taken = {item.input for item in items}
    demos: list[Demo] = []
    with _Reading(induce) as reading:
        for _, row in reading.examples(keyed=True):
            # These two tasks have no "output"; elsewhere the first accepted answer need not be the one the authors show.
            output = _text(row, "output") if "output" in row else _answers(task, row)[0]
            demos += [Demo(text, output) for text, _ in _inputs(task, row) if text not in taken and output.strip()]
    return tuple(items), tuple(demos)


def load_bigbench(task: str) -> BigBenchTask:
    """Items of one BIG-bench task; there is no published split, so there are no demonstrations.

    Ids are 0-based indices. Choices keep the order of the published keys, which gives answers away in question_selection:
    the caller shuffles. DataMissing names the file, and the item if one is wrong.
    """
    items: list[Item] = []
    item_fields: dict[str, Mapping[str, Any]] = {}
    with _Reading(file_of(task, "bigbench/")) as reading:
        for index, row in reading.examples(keyed=False):
            text = _text(row, "input")
            targets, choices = _scored_options(row)
            items.append(Item(index, text, targets, choices))
            if more := {k: v for k, v in row.items() if k not in ("input", "target", "target_scores")}:
                item_fields[index] = more
        extras = {k: v for k, v in reading.document.items() if k != "examples"} | {"item_fields": item_fields}
    return BigBenchTask(tuple(items), (), extras)


class _Malformed(Exception):
    """What is wrong with one item, before the file and the item are known."""


class _Reading:
    """One data file while it is read: names the file and the item in every error, and checks the SHA-256 last.

    Last, because what is wrong with an item says more to a person than a checksum; but a file that only looks right is
    refused all the same.
    """

    def __init__(self, file: OfficialFile) -> None:
        self.file = file
        self.path = data_dir() / file.path
        self.item: str | None = None
        self.document: Mapping[str, Any] = {}
        self.found = ""

    def __enter__(self) -> _Reading:
        try:
            content = read_file(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise DataMissing(f"{self.path} is not imported yet: {HOW_TO_GET}") from None
        except OSError as error:
            raise self.damaged(f"could not be read: {error}") from error
        self.found = sha256_of(content)
        try:
            self.document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"not JSON: {short(error)}") from error
        if not isinstance(self.document, dict):
            raise self.damaged("not a JSON object")
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, _Malformed):
            where = f"item {self.item!r}: " if self.item is not None else ""
            raise self.damaged(f"{where}{error}") from None
        if error is None and self.found != self.file.sha256:
            raise self.damaged(f"expected SHA-256 {self.file.sha256}, found {self.found}")

    def damaged(self, what: str) -> DataMissing:
        return DataMissing(f"{self.path} is damaged: {what}; to replace it {HOW_TO_GET}")

    def examples(self, keyed: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The items by their keys, or by their places in a list."""
        found = self.document.get("examples")
        if not isinstance(found, dict if keyed else list) or not found:
            raise _Malformed(f"'examples' is not {'an object' if keyed else 'a list'} with items")
        for key, row in found.items() if isinstance(found, dict) else enumerate(found):
            self.item = str(key)
            if not isinstance(row, dict):
                raise _Malformed(f"not an object: {row!r}")
            yield self.item, row
        self.item = None


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise _Malformed(f"{field!r} must be text, found {value!r}" if field in row else f"{field!r} is missing")
    return value


def _texts(row: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """One text or a list of texts, without blank ones; at least one must be left."""
    value = row.get(field)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _Malformed(f"{field!r} must be text or a list of texts, found {value!r}" if field in row else f"{field!r} is missing")
    # The dictionaries behind the translations left empty answers, which would accept an empty reply.
    if not (answers := tuple(text for text in texts if text.strip())):
        raise _Malformed(f"{field!r} holds no answer")
    return answers


def _inputs(task: str, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The input text, with the suffix of its id: one for every row, two for a cause and its effect."""
    if task == "cause_and_effect":
        cause, effect = _text(row, "cause"), _text(row, "effect")
        return [(f"Sentence 1: {cause} Sentence 2: {effect}", ""), (f"Sentence 1: {effect} Sentence 2: {cause}", "-swapped")]
    if task == "common_concept":
        return [(", ".join(_texts(row, "items")), "")]
    return [(_text(row, "input"), "")]


ANSWER_FIELDS = {
    "cause_and_effect": "cause",
    "common_concept": "all_common_concepts",
    "rhymes": "other_rhymes",
    "translation_en-de": "possible_translations",
    "translation_en-es": "possible_translations",
    "translation_en-fr": "possible_translations",
    "word_in_context": "possible_outputs",
}
"""Where the accepted answers are; "output" for all other Instruction Induction tasks."""


def _answers(task: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return _texts(row, ANSWER_FIELDS.get(task, "output"))


def _scored_options(row: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Targets and choices. dyck_languages has both fields and is scored by its `target`."""
    if "target" in row:
        return _texts(row, "target"), ()
    scores = row.get("target_scores")
    if not isinstance(scores, dict) or not scores:
        raise _Malformed("'target' and 'target_scores' are missing" if scores is None else f"'target_scores' holds no options: {scores!r}")
    targets = tuple(option for option, score in scores.items() if score == 1)
    if not targets:
        raise _Malformed("'target_scores' gives no option the score 1")
    return targets, tuple(scores)


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
            raise DataMissing(f"{path}:{number}: the item {item.id!r} " + ("occurs twice" if item.id in items else "has no target"))
        items[item.id] = item
    return tuple(items.values())

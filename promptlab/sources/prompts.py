"""What is a variable in a whole prompt, and what the rows of a task hold for it.

`{name}` stands for a column of the task's table or for one of `BUILT_IN`. Other text in braces stays, as long as it
does not look like a variable that somebody misspelled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptlab.nouns import Demo, FileProblems, Item, Problem, Prompt, Task, did_you_mean
from promptlab.nouns.item import INSERTED, NO_COLUMNS, braces
from promptlab.nouns.setting import Fixed
from promptlab.sources.own.rows import RowProblem, as_text, chat_of
from promptlab.sources.spec.prompts import PromptEntry, load_prompt
from promptlab.sources.spec.strict_yaml import Document

BUILT_IN: Mapping[str, str] = {
    "input": "the input of the item",
    "choices": "its options, one in each line",
    "labels": "the task's labels, or the item's options, with commas between them",
    "demos": "the demonstrations, where shots are more than 0",
    "instruction": "the task's base prompt",
}
"""Variables of every task, besides its columns."""
DOUBLE = re.compile(r"\{\{[^{}\n]+\}\}")
MOST_TOLD = 100
"""Variables of a prompt that are reported."""
WORD = re.compile(r"[A-Za-z_]\w*")
"""What looks like a variable: other text between braces is not reported."""


def read_prompts(
    entries: Mapping[str, PromptEntry],
    document: Document,
    file_of: Callable[[str], Path],
    tasks: Sequence[Task],
    problems: list[Problem],
    notes: list[str],
) -> dict[str, Prompt]:
    """The prompts of an experiment, each with the variables that it holds; `problems` and `notes` get what there is to say."""
    found: dict[str, Prompt] = {}
    for name, entry in entries.items():
        try:
            path = file_of(entry.file) if entry.file is not None else None
            prompt = load_prompt(name, entry, path)
        except FileProblems as error:
            problems.extend(error.problems)
            continue
        place = _Place(name, document, path)
        problems += [place.problem(said, variable) for variable, said in _wrong(prompt, entry.literal, tasks).items()]
        known = {variable for task in tasks for variable in (*task.columns, *BUILT_IN)} - set(entry.literal)
        found[name] = replace(prompt, names=tuple(variable for variable in _braces(prompt) if variable in known))
        if any(DOUBLE.search(message["content"]) for message in prompt.messages):
            notes.append(f"prompt {name!r}: double braces are read as a variable, as single ones are")
    return found


def _braces(prompt: Prompt) -> list[str]:
    """The text between braces in any message, each once."""
    return list(dict.fromkeys(name for message in prompt.messages for name in braces(message["content"])))


def _wrong(prompt: Prompt, literal: Sequence[str], tasks: Sequence[Task]) -> dict[str, str]:
    """What is wrong with each variable of a prompt, in words; of the whole prompt under ''."""
    found: dict[str, str] = {}
    inserted = {name for message in prompt.messages if message["role"] == INSERTED for name in braces(message["content"])}
    as_text = set(literal) - inserted
    names = [name for name in _braces(prompt) if name not in as_text]
    if not inserted and all(message["role"] != "user" for message in prompt.messages):
        found[""] = "it asks nothing: no message has the role user"
    for task in tasks:
        known = [*task.columns, *(name for name in BUILT_IN if name not in task.columns)]
        for name in names:
            if len(found) >= MOST_TOLD:
                break
            if name in task.answers:
                found[name] = f"{{{name}}} is the right answer of each item of {task.id!r}; the options are {{labels}} or {{choices}}"
            elif name == "instruction" and name not in task.columns and not task.base_prompts:
                found[name] = f"{{{name}}} is the base prompt of a task, and {task.id!r} has none"
            elif name in inserted and name not in task.columns:
                found[name] = f"{{{name}}} stands for messages, and the task {task.id!r} has no column of that name"
            elif name not in known and WORD.fullmatch(name):
                hint = did_you_mean(name, known)
                way = f"{hint}; where it is text, write the word under 'literal'".removeprefix("; ")
                found[name] = f"{{{name}}} is no variable of the task {task.id!r}: {way}"
        if not found and not {"input", *task.asks} & set(names):
            asks = " or ".join(f"{{{name}}}" for name in dict.fromkeys((*task.asks, "input")))
            found[""] = f"it never shows the input of the task {task.id!r}; write {asks} where that goes"
    return found


@dataclass(frozen=True)
class _Place:
    """Where a prompt is written: in the experiment file, or at a path of its own."""

    name: str
    document: Document
    path: Path | None

    def problem(self, said: str, variable: str) -> Problem:
        """A problem of the prompt at the first line of a variable, or at its own."""
        file, text, start = self.document.path, self.document.text, self.document.line(("prompts", self.name)) or 1
        if self.path is not None:
            file, text, start = self.path, self.path.read_text(encoding="utf-8-sig"), 1
        rest = text.split("\n", start - 1)[-1]
        found = re.search(rf"\{{\s*{re.escape(variable)}\s*\}}", rest) if variable else None
        return Problem(file, start + (rest.count("\n", 0, found.start()) if found else 0), f"prompt {self.name!r}: {said}")


def with_columns(task: Task, prompts: Iterable[Prompt], problem: Callable[[str], None]) -> Task:
    """The task with those columns of its rows that prompts use, as text or messages; `problem` gets what is wrong with a row."""
    every = list(prompts)
    used = {name: False for prompt in every for name in prompt.names if name in task.columns}
    used |= {name: True for prompt in every for m in prompt.messages if m["role"] == INSERTED for name in braces(m["content"])}
    in_text = {name for p in every for m in p.messages if m["role"] != INSERTED for name in braces(m["content"]) if name in p.names}
    for name in sorted(in_text & {name for name, is_chat in used.items() if is_chat}):
        problem(f"the column {name!r} holds messages; write '{{{name}}}' alone, in place of a message")
    items = tuple(_with(item, used, task, problem) for item in task.items)
    demos = tuple(_with(demo, used, task, problem) for demo in task.demos)
    return replace(task, items=items, demos=demos, columns=tuple(used))


def _with(row: Item | Demo, used: Mapping[str, bool], task: Task, problem: Callable[[str], None]) -> Any:  # noqa: ANN401
    """A row with the values of the columns that are used."""
    found: dict[str, Any] = {}
    for name, is_chat in used.items():
        value = row.columns.get(name)
        about = f"{task.id}, item {row.id}" if isinstance(row, Item) else f"{task.id}, a demonstration"
        try:
            chat = chat_of(value) if is_chat or not isinstance(value, str) else None
            if is_chat and chat is None:
                problem(f"{about}: the column {name!r} must hold a list of messages, each with role and content")
            elif not is_chat and chat is not None:
                problem(f"{about}: the column {name!r} holds messages; write '{{{name}}}' alone, in place of a message")
            found[name] = chat if is_chat else value if isinstance(value, str) else _text(value, name)
        except RowProblem as error:
            problem(f"{about}: {error}")
    return replace(row, columns=Fixed(found) if found else NO_COLUMNS)


def _text(value: object, column: str) -> str:
    """A cell as text: nothing where it is empty, JSON where it is a list or an object."""
    return json.dumps(value, ensure_ascii=False, default=list) if isinstance(value, list | dict) else as_text(value, column) or ""

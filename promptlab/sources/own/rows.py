"""One row of a table as an item, or everything that is wrong with it; and a task.json in the form of BIG-bench (Srivastava et al. 2022).

The fields of the latter are those of BIG-bench's documentation of JSON tasks. What cannot be done as text is reported, never guessed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptlab.nouns import FileProblems, Frame, Item, Problem, ScoringFailed, Task, UsageProblem, did_you_mean
from promptlab.nouns.setting import Fixed
from promptlab.scoring.patterns import searched
from promptlab.sources.spec.libraries import TaskFile
from promptlab.sources.spec.models import NAME
from promptlab.sources.tables import Row, read_json

HALF_A_PAIR = re.compile("[\ud800-\udfff]")
MOST_TOLD = 40
"""Problems that are reported one by one; of the rest only the number."""


class RowProblem(Exception):
    """What is wrong with one row."""


@dataclass(slots=True)
class Collector:
    """Items as they are read, and the problems of all rows."""

    items: list[Item] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _rows: dict[str, int] = field(default_factory=dict)

    def add(self, path: Path, row: Row, found: Item | str) -> None:
        """A row's item, or what is wrong with the row."""
        if isinstance(found, Item) and found.id in self._rows:
            found = f"the id {found.id!r} is in row {self._rows[found.id]} already"
        if isinstance(found, Item):
            self._rows[found.id] = row.number
            self.items.append(found)
        else:
            self.problems.append(Problem(path, row.line, f"row {row.number}: {found}"))

    def done(self) -> tuple[Item, ...]:
        """All items; FileProblems when any row is wrong."""
        if self.problems:
            told = self.problems[:MOST_TOLD]
            if more := len(self.problems) - len(told):
                told.append(Problem(told[-1].file, 10**9, f"and {more:,} more rows like these"))
            raise FileProblems(told)
        return tuple(self.items)


def read_row(row: Row, number: str, spec: TaskFile, whole: bool = False) -> Item | str:
    """The item of one row, or what is wrong with it, in words. `whole`: it keeps all of its columns."""
    found = _item_of(row, number, spec)
    return replace(found, columns=Fixed(row.values)) if whole and isinstance(found, Item) else found


def _item_of(row: Row, number: str, spec: TaskFile) -> Item | str:
    if row.problem is not None:
        return row.problem
    columns = spec.columns
    try:
        name = number if columns.id is None else one_text(row.values, columns.id)
        chat = None if isinstance(row.values.get(columns.input), str) else chat_of(row.values.get(columns.input))
        asked = "\n".join(f"{m['role']}: {m['content']}" for m in chat) if chat else one_text(row.values, columns.input)
        cluster = None if columns.cluster is None else one_text(row.values, columns.cluster)
        if columns.target_scores is not None:
            targets, choices, scores = graded(row.values.get(columns.target_scores), columns.target_scores)
            return Item(name, asked, targets, choices, cluster, scores)
        choices = tuple(spec.labels)
        if columns.choices is not None:
            choices = texts(row.values, columns.choices, spec.separator)
            if len(choices) < 2 or len(set(choices)) != len(choices):
                raise RowProblem(f"{columns.choices!r} must hold at least two different options, found {shown(choices)}")
        targets = _targets(row.values, columns.target, choices, spec) if columns.target is not None else ()
        return Item(name, asked, targets, choices, cluster)
    except RowProblem as problem:
        return str(problem)


def _targets(values: Mapping[str, Any], column: str, choices: Sequence[str], spec: TaskFile) -> tuple[str, ...]:
    found = texts(values, column, spec.separator)
    if spec.target_is != "text":
        return tuple(_placed(text, column, choices, spec.target_is == "letter") for text in found)
    for text in found:
        if choices and text not in choices:
            raise RowProblem(f"the answer {shown(text)} is none of the options; {did_you_mean(text, choices)}".rstrip("; "))
    return found


def _placed(text: str, column: str, choices: Sequence[str], letter: bool) -> str:
    place = ord(text.strip().upper()) - ord("A") if letter and len(text.strip()) == 1 else -1
    if not letter and text.strip().isdecimal():
        place = int(text)
    if not 0 <= place < len(choices):
        what = f"a letter from A to {chr(ord('A') + len(choices) - 1)}" if letter else f"a place from 0 to {len(choices) - 1}"
        raise RowProblem(f"{column!r} must be {what}, found {shown(text)}")
    return choices[place]


def one_text(values: Mapping[str, Any], column: str) -> str:
    """A cell as text; RowProblem when there is nothing in it, or no text."""
    text = values.get(column)
    if type(text) is not str or not text.isascii():
        text = as_text(text, column)
    if not text or text.isspace():
        raise RowProblem(f"{column!r} is empty")
    return text


def chat_of(value: object) -> tuple[Mapping[str, str], ...] | None:
    """The messages that a cell holds, as a list or as the JSON of one; None where it holds none."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or not value:
        return None
    for part in value:
        if (
            not isinstance(part, Mapping)
            or part.get("role") not in ("system", "user", "assistant")
            or not isinstance(part.get("content"), str)
        ):
            return None
        _whole(part["content"], "content")
    return tuple(Fixed(role=part["role"], content=part["content"]) for part in value)


def texts(values: Mapping[str, Any], column: str, separator: str | None = None) -> tuple[str, ...]:
    """A cell with one text or several, blank ones left out; RowProblem when none is left."""
    value = values.get(column)
    if isinstance(value, list | tuple):
        found = [as_text(part, column) for part in value]
    else:
        text = value if type(value) is str and value.isascii() else as_text(value, column)
        if text and not separator and not text.isspace():
            return (text,)
        found = list(text.split(separator)) if text is not None and separator else [text]
        found = [part.strip() for part in found if part] if separator else found
    left = tuple(dict.fromkeys(text for text in found if text and text.strip()))
    if not left:
        raise RowProblem(f"{column!r} holds no answer" if column in values else f"{column!r} is missing")
    return left


def graded(value: object, column: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[float, ...]]:
    """Right answers, options, and their grades where any is a fraction; the right answers are those with the best grade."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    grades = {str(k): v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else {}
    if len(grades) < 2:
        raise RowProblem(f"{column!r} must be an object with a grade for each of at least two options")
    for option, grade in grades.items():
        if isinstance(grade, bool) or not isinstance(grade, int | float) or not 0 <= grade <= 1:
            raise RowProblem(f"{column!r} gives {shown(option)} the grade {shown(grade)}; grades are numbers from 0 to 1")
        if not option.strip():
            raise RowProblem(f"{column!r} has an option without text")
        _whole(option, column)
    best = max(grades.values())
    if best <= 0:
        raise RowProblem(f"{column!r} gives no option a grade above 0, so there is no right answer")
    scores = tuple(float(grade) for grade in grades.values())
    targets = tuple(option for option, grade in grades.items() if grade == best)
    return targets, tuple(grades), () if set(scores) <= {0.0, 1.0} else scores


def as_text(value: object, column: str) -> str | None:
    """Text, a number or a truth value as text; None where there is nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | int | str):
        return _whole(str(value), column)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    raise RowProblem(f"{column!r} must be text, found {type(value).__name__}: {shown(value)}")


def _whole(text: str, column: str) -> str:
    if not text.isascii() and HALF_A_PAIR.search(text):
        raise RowProblem(f"{column!r} holds half of a surrogate pair, which is no text: {shown(text)}")
    return text


def shown(value: object) -> str:
    """A value as a message quotes it: cut, with control characters spelled out."""
    text = ascii(value) if any("\ud800" <= c <= "\udfff" for c in str(value)) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


FRAME_KEYS = {
    "example_input_prefix": "input_prefix",
    "example_output_prefix": "output_prefix",
    "choice_prefix": "choice_prefix",
    "few_shot_example_separator": "separator",
}
RULES = {"exact_str_match": ("bigbench_exact", "text"), "multiple_choice_grade": ("choice", "choice")}
"""BIG-bench's metrics that read text: our metric, and the kind of answer that the strict scorer reads."""


def load_task_json(path: Path) -> tuple[Task, tuple[str, ...]]:
    """The task of one file, and notes about what it says beyond items; FileProblems tells everything that is wrong."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise FileProblems.one(path, f"expected a BIG-bench task, a JSON object with 'examples', found {type(document).__name__}")
    examples = document.get("examples")
    if not isinstance(examples, list) or not examples:
        found = "" if examples is None else f", found {type(examples).__name__}"
        raise FileProblems.one(path, f"'examples' must be a list with items{found}")
    collector = Collector()
    for index, example in enumerate(examples):
        collector.add(path, Row(index, None, {}), _item(str(index), example))
    items = collector.done()
    own = sum("task_prefix" in example for example in examples)
    rule, strict, notes = _rule(path, document, items)
    if document.get("stop_string"):
        notes = (*notes, f"stop_string {shown(document['stop_string'])} is not applied; ask for it with sampling.stop in the experiment")
    if own:
        notes = (*notes, f"{own} items have a task_prefix of their own, which is not used")
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", str(document.get("name") or path.parent.name or path.stem)).strip("_.-")[:64]
    if not re.match(NAME, name):
        raise FileProblems.one(path, f"'name' {shown(document.get('name'))} is no name for a task")
    asked = document.get("task_prefix") or document.get("description")
    if not isinstance(asked, str) or not asked.strip():
        raise FileProblems.one(path, "neither 'task_prefix' nor 'description' holds the instruction; add one of them")
    frame = {ours: document[theirs] for theirs, ours in FRAME_KEYS.items() if isinstance(document.get(theirs), str)}
    chance = sum(1 / len(item.choices) for item in items) / len(items) if all(item.choices for item in items) else None
    shows = document.get("append_choices_to_input", True) is not False
    task = Task(
        name=name,
        suite="own",
        benchmark="own",
        metric=rule,
        strict=strict,
        options="shown" if shows else "hidden",
        frame=Frame(**frame),
        base_prompts={"human": asked.strip()},
        items=items,
        chance=chance,
        low=chance or 0.0,
        source=f"BIG-bench JSON task {document.get('name') or path.name}",
    )
    return task, notes


def _item(name: str, example: object) -> Item | str:
    if not isinstance(example, dict):
        return f"expected an object with 'input' and 'target', found {shown(example)}"
    try:
        asked = one_text(example, "input")
        # Where both stand, as in dyck_languages, the target is the answer and the scores are those of sampled options.
        if "target" in example:
            return Item(name, asked, texts(example, "target"))
        if "target_scores" not in example:
            return "neither 'target' nor 'target_scores' says what is right"
        targets, choices, scores = graded(example["target_scores"], "target_scores")
        return Item(name, asked, targets, choices, scores=scores)
    except RowProblem as problem:
        return str(problem)


def _rule(path: Path, document: Mapping[str, Any], items: tuple[Item, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Metric, strict kind and notes: the preferred metric, else the first one that reads text, else what the items call for."""
    listed = document.get("metrics")
    named = [document.get("preferred_score"), *(listed if isinstance(listed, list) else ())]
    chosen = next((name for name in named if isinstance(name, str) and name in RULES), None)
    has_choices = all(item.choices for item in items)
    if chosen is None or (chosen == "multiple_choice_grade") != has_choices:
        chosen = "multiple_choice_grade" if has_choices else "exact_str_match"
    first = next((str(name) for name in named if name), None)
    notes = () if first in (None, chosen) else (f"scored by {chosen}; {shown(first)} is not available for these items",)
    rule, strict = RULES[chosen]
    pattern = document.get("output_regex")
    if chosen == "exact_str_match" and isinstance(pattern, str) and pattern:
        try:
            searched(pattern, "")
        except (UsageProblem, ScoringFailed) as error:
            raise FileProblems.one(path, f"'output_regex' {shown(pattern)} is no pattern: {error}") from None
        return f"regex:{pattern}", "", notes
    return rule, strict, notes

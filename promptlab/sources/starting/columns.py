"""What the cells of a column are: texts, labels, numbers, lists, conversations; and the names that say what a column is for."""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from promptlab.nouns import shipped_table
from promptlab.sources.own.rows import RowProblem, as_text, chat_of, graded

_NAMES = shipped_table("columns")["data"]
INPUTS, TARGETS, CONTEXTS = _NAMES["inputs"], _NAMES["targets"], _NAMES["contexts"]
OPTIONS, IDS, CLUSTERS = _NAMES["options"], _NAMES["ids"], _NAMES["clusters"]
SEPARATORS = (";", "|", ",")
GONE = frozenset({"", "nan", "null", "#n/a", "<na>"})
MOST_LABELS = 200
NUMBER = re.compile(r"[-+]?[$€£]?\s?\d[\d,.']*(?: \d{3})*[\d,.']*\s?([%€$£]|[^\W\d_]{1,9}[²³]?(?:/[^\W\d_]+)?|)")
"""A number and its unit."""


class Column:
    """What the cells of a column are."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        self.name = name
        self.plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
        self.values = [value for value in values if not missing(value)]
        self.n_rows, self.n = len(values), len(self.values)
        self.texts = [said(value) for value in self.values]
        self.distinct = len(set(self.texts))
        self.words = sorted(len(text.split()) for text in self.texts)[self.n // 2] if self.n else 0
        self.length = sum(map(len, self.texts)) / self.n if self.n else 0.0
        self.is_chat = self.n > 0 and all(chat(value) is not None for value in self.values[:50])
        self.is_rows = self.n > 0 and not self.is_chat and all(text.startswith("[{") for text in self.texts)
        """Whether each cell holds objects in a list: rows inside of a row."""
        self.is_prose = self.words > 3 and 5 * sum(text.rstrip().endswith((".", "!", "?")) for text in self.texts) > 4 * self.n
        self.is_list = self.n > 0 and not self.is_chat and all(listed(value) is not None for value in self.values)
        self.is_grades = self.n > 0 and all(_has_grades(value) for value in self.values[:50])
        units = {match[1] if (match := NUMBER.fullmatch(text.strip())) else None for text in self.texts}
        self.is_number = len(units) == 1 and None not in units
        self.is_date = self.n > 0 and all(re.match(r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4}", text) for text in self.texts)

    @property
    def is_id(self) -> bool:
        """Whether it names its rows: by its own name, each value once and none missing."""
        named = (
            (self.plain in IDS and (self.words <= 1 or self.plain not in IDS[-2:]))
            or self.plain.endswith(("_id", "_uuid"))
            or self.name.endswith("ID")
        )
        return named and self.n == self.n_rows and self.distinct == self.n and self.words <= 3 and not self.is_list

    @property
    def is_labels(self) -> bool:
        """Whether few short texts repeat."""
        return 2 <= self.distinct <= MOST_LABELS and self.n >= 3 * self.distinct and max(map(len, self.texts)) <= 80

    def usual_spellings(self) -> dict[str, str]:
        """Each text of the column, and the most frequent of those that differ from it only in case and space."""
        groups: dict[str, Counter[str]] = {}
        for text in self.texts:
            groups.setdefault(" ".join(text.casefold().split()), Counter())[text.strip()] += 1
        return {text: groups[" ".join(text.casefold().split())].most_common(1)[0][0] for text in set(self.texts)}

    def parts(self) -> list[list[str]] | None:
        """The answers of each cell, where cells hold several: lists, or texts with one separator whose parts repeat."""
        if self.is_list:
            return [listed(value) or [] for value in self.values]
        for mark in SEPARATORS:
            n = sum(mark in text for text in self.texts)
            cells = [[part.strip() for part in text.split(mark) if part.strip()] for text in self.texts]
            parts = Counter(part for cell in cells for part in cell)
            is_short = max(len(part.split()) for part in parts) <= 4 if parts else False
            is_often = 5 * n >= self.n and sum(parts.values()) >= 3 * len(parts) and len(parts) < self.distinct
            if is_short and is_often and all(cells) and not self.is_number:
                return cells
        return None

    def rank(self, names: Sequence[str]) -> float:
        """Its place among names that say what a column is; infinite where it is none of them, nor has one as a word."""
        last = self.plain.rsplit("_", 1)[-1]
        for way, found in enumerate((self.plain, last, self.plain.split("_")[0])):
            if found in names:
                return names.index(found) + 1000 * way
        return math.inf


def missing(value: object) -> bool:
    """Whether a cell holds nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return (isinstance(value, str) and value.strip().casefold() in GONE) or value in ([], {})


def said(value: object) -> str:
    """A cell as text."""
    try:
        return as_text(value, "") or ""
    except RowProblem:
        return json.dumps(value, ensure_ascii=False, default=str)


def _unwritten(value: object) -> object:
    """The value that a text writes as a list, in JSON or as Python prints it into a table; else the text."""
    if not isinstance(value, str) or not (value.lstrip().startswith("[") and value.rstrip().endswith("]")):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value


def listed(value: object) -> list[str] | None:
    """The texts of a list, or of a text that writes one; None where it is not one."""
    value = _unwritten(value)
    if not isinstance(value, list) or any(isinstance(part, list | dict) or part is None for part in value):
        return None
    return [said(part) for part in value]


def chat(value: object) -> Any:  # noqa: ANN401
    """The messages of a cell, or None; also where they are written as `from` and `value`, as some data sets have them."""
    value = _unwritten(value)
    roles = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
    if isinstance(value, list) and value and all(isinstance(p, dict) and p.get("from") in roles and "value" in p for p in value):
        value = [{"role": roles[part["from"]], "content": part["value"]} for part in value]
    try:
        return chat_of(value)
    except RowProblem:
        return None


def _has_grades(value: object) -> bool:
    try:
        graded(value, "")
    except RowProblem:
        return False
    return True

"""A table as it was found: any encoding, separator or nesting. It says what a task file could not read unchanged.

Rows of a large file are a random sample, drawn by a fixed seed while the file goes by once.
"""

from __future__ import annotations

import codecs
import datetime
import io
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from promptlab.nouns import FileProblems, counted, no_file
from promptlab.sources.encodings import MARKS, as_utf8
from promptlab.sources.foreign import check_regular, json_value
from promptlab.sources.own.rows import chat_of
from promptlab.sources.starting.columns import missing, said
from promptlab.sources.tables import Table, content_of, csv_form, csv_rows, dataset_files, dataset_splits, read_table, sheet_rows

READ_WHOLE = 16 * 2**20
"""Bytes of a text file that is read whole; of a larger one `SAMPLE` rows are drawn."""
LARGEST = 2 * 2**30
SAMPLE = 2_000
MOST_COLUMNS = 500
"""More columns than a person looks at."""
DEEPEST = 3
WRAPPED = 5
"""Keys of an object around the rows; one of more keys holds the rows by name."""
HEAD = 40
"""Lines in which the names of the columns and the separator are looked for."""
PLAIN = re.compile(r"\w[\w .-]{0,59}")
"""A column's name that can be a variable in a prompt."""
WHOLE = ("expected", "expected_output", "output", "target", "gold", "response", "completion", "reference")
"""Fields whose objects are answers in JSON, and are not spread over columns."""
LISTS = ("data", "rows", "items", "examples", "records", "questions", "tests", "samples")
OTHERS: Mapping[str, str] = {
    ".xls": "save it as .xlsx", ".ods": "save it as .xlsx or .csv", ".gz": "unpack it first", ".zip": "unpack it first",
    ".db": "export its table as CSV", ".sqlite": "export its table as CSV", ".arrow": "save it as Parquet",
    ".feather": "save it as Parquet",
}  # fmt: skip


@dataclass(slots=True)
class Looked:
    """Columns and rows of a table. `copied` says why a copy must be made of it: empty where a task file can name the file itself."""

    source: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    n_rows: int
    copied: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    where: Mapping[str, str] = field(default_factory=dict)
    """Keys of a task file that say more about the source: config and split of a dataset."""


def look(path: Path, sheet: str | None = None) -> Looked:
    """A table file of any known format; FileProblems says why it cannot be one, and what to do."""
    suffix = path.suffix.lower()
    if suffix in OTHERS:
        raise FileProblems.one(path, f"files that end in {suffix!r} are not read; {OTHERS[suffix]}")
    try:
        size = check_regular(path, LARGEST)
    except FileNotFoundError:
        raise FileProblems.one(path, no_file(path, path.suffix)) from None
    except OSError as error:
        raise FileProblems.one(path, f"cannot be read: {error.strerror or error}; make a part of it a file of its own") from None
    found = Looked(str(path), (), [], 0)
    if suffix in (".csv", ".tsv", ".txt"):
        _of_cells(path, size, found)
    elif suffix in (".jsonl", ".ndjson"):
        _of_lines(path, size, found)
    elif suffix == ".json":
        _of_json(path, found)
    elif suffix in (".xlsx", ".xlsm"):
        held, notes = sheet_rows(path, content_of(path), sheet)
        found.notes += notes
        rows = [list(cells) for _, cells in held]
        wide = max(map(len, rows), default=0)
        if sheet:
            found.copied.append(f"holds the sheet {sheet!r}")
        _of_rows(path, iter([*row, *[None] * (wide - len(row))] for row in rows), size=0, found=found)
    else:
        _of_table(read_table(path), found)
    return _flat(found, path)


def dataset(name: str, config: str | None, split: str | None) -> Looked:
    """A dataset of the Hugging Face hub: its named split, or the first that it has of those that hold items to ask."""
    splits = dataset_splits(name)
    configs = list(dict.fromkeys(c for c, _ in splits))
    config = config or ("default" if "default" in configs or not configs else configs[0])
    of_it = [s for c, s in splits if c == config]
    split = split or next((s for s in ("test", "validation", "dev", "train") if s in of_it), of_it[0] if of_it else "test")
    paths, _ = dataset_files(name, config, split)
    found = Looked(f"hf:{name}", (), [], 0, where={"config": config, "split": split})
    for path in paths:
        _of_table(read_table(path), found)
    if len(splits) > 1:
        others = ", ".join(f"{c}/{s}" for c, s in splits[:8] if (c, s) != (config, split))
        found.notes.append(f"{config}/{split} was taken; it also has {others} (--config, --split)")
    return _flat(found, Path(name))


def _of_cells(path: Path, size: int, found: Looked) -> None:
    """A table in text, with or without a line of names."""
    suffix = path.suffix.lower()
    with _opened(path, size, found) as file:
        head = file.readline()
        delimiter, skipped = csv_form(head, suffix)
        lines: Iterable[str] = file if skipped else [head]
        if not skipped:
            below = list(itertools.islice(file, HEAD))
            other = _separator(below, delimiter)
            if other not in head:
                delimiter = other
                found.copied.append(f"separates cells by {delimiter!r} below its first line only")
            lines = itertools.chain(lines, below, file)
        if delimiter == "|":
            found.copied.append("separates cells by '|'")
        if suffix == ".txt":
            found.copied.append("ends in .txt")
        _of_rows(path, (cells for _, cells in csv_rows(path, lines, delimiter)), size, found, f": is {delimiter!r} the separator?")


def _separator(lines: Sequence[str], first: str) -> str:
    """What four of five lines hold equally often, `first` before others; empty where there is none."""
    for mark in dict.fromkeys((first, *",;\t|")):
        counts = Counter(re.sub(r'"[^"]*"', "", line).count(mark) for line in lines)
        if any(n and 5 * times >= 4 * len(lines) for n, times in counts.items()):
            return str(mark)
    return ""


def _of_rows(path: Path, rows: Iterator[Sequence[Any]], size: int, found: Looked, doubt: str = "") -> None:
    """A table in rows of cells: with or without a line of names, and with titles above it."""
    head = [*itertools.islice(rows, HEAD)]
    if not head:
        raise FileProblems.one(path, "the file is empty; it needs a first line with names of columns, and rows")
    if n_titles := _titles(head):
        found.copied.append(f"has {counted(n_titles, 'line')} above the names of its columns")
    first, *below = head[n_titles:]
    kept, found.n_rows = _sampled(itertools.chain(below, rows), size)
    names = [_text(name).strip() for name in first]
    if len(names) > MOST_COLUMNS:
        raise FileProblems.one(
            path, f"its first line has {len(names):,} cells, and at most {MOST_COLUMNS} columns are looked at; keep those that matter"
        )
    if not _names(names, kept):
        kept, found.n_rows, names = [first, *kept], found.n_rows + 1, [f"column {n}" for n in range(1, len(names) + 1)]
        found.copied.append("has no line of names: columns are called column 1, column 2, ...")
    odd = [row for row in kept if len(row) != len(names)]
    if len(odd) > len(kept) / 2:
        raise FileProblems.one(
            path, f"most rows do not have the {len(names)} cells of the first line{doubt} Quote cells that hold it" if doubt
            else f"most rows do not have the {len(names)} cells of the first", 1
        )  # fmt: skip
    if odd:
        found.copied.append(f"has {counted(len(odd), 'row')} with more or fewer cells than its first line, left out")
    found.columns = tuple(names)
    found.rows = [dict(zip(_unique(names), row, strict=True)) for row in kept if len(row) == len(names)]


def _text(cell: object) -> str:
    return "" if cell is None else said(cell)


def _titles(head: Sequence[Sequence[Any]]) -> int:
    """How many lines before the names of the columns hold a title, a date or nothing: few cells, the first one of them."""
    filled = [sum(not missing(cell) for cell in row) for row in head]
    width = sorted(filled)[len(head) // 2]
    n = next(n for n, of in enumerate(filled) if of >= width)
    few = all(of <= max(1, width // 2) and (not of or not missing(row[0])) for of, row in zip(filled[:n], head[:n], strict=True))
    return n if width > 1 and few and _names([_text(cell) for cell in head[n]], head[n + 1 :]) else 0


def _of_lines(path: Path, size: int, found: Looked) -> None:
    """JSON lines; other lines are skipped and counted."""
    with _opened(path, size, found) as file:
        kept, found.n_rows = _sampled((line for line in file if line.strip()), size)
    bad = []
    for line in kept:
        try:
            value = json_value(line, once=True)
        except ValueError as error:
            bad.append(str(error))
            continue
        if isinstance(value, dict):
            found.rows.append(value)
        else:
            bad.append(f"{type(value).__name__}, no object")
    if len(bad) > len(kept) / 2 or not kept:
        raise FileProblems.one(path, f"not JSON lines: {bad[0] if bad else 'the file is empty'}; each line must be an object")
    if bad:
        found.copied.append(f"has {counted(len(bad), 'line')} without a JSON object, left out")


def _of_json(path: Path, found: Looked) -> None:
    """A list of objects, or an object that holds one."""
    content, encoding = as_utf8(path, content_of(path))
    if encoding:
        found.copied.append(f"is {encoding} text")
    try:
        value = json_value(content, once=True)
    except ValueError as error:
        try:
            _of_lines(path, 0, found)
        except FileProblems:
            raise FileProblems.one(path, f"not JSON that can be read: {error}; is the file whole?") from None
        found.copied.append("holds JSON lines, which a task file reads from files called .jsonl")
        return
    value = _records(value, found)
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        found.copied.append("holds lists of cells")
        _of_rows(path, iter(value), 0, found)
        return
    if not isinstance(value, list) or not any(isinstance(row, dict) for row in value):
        raise FileProblems.one(path, f"expected a list of objects, found {'none' if value in ([], {}) else 'no object in it'}")
    found.rows = [row for row in value if isinstance(row, dict)]
    found.n_rows = len(value)
    if len(found.rows) < len(value):
        found.copied.append(f"has {len(value) - len(found.rows):,} entries that are no objects, which are left out")


def _records(value: Any, found: Looked, at: str = "", depth: int = 0) -> Any:  # noqa: ANN401
    """The rows of a JSON value: its list of objects, wherever it is; objects by name; or columns, as data frames write them."""
    if not isinstance(value, dict) or not value:
        return value
    if lists := {key: rows for key, rows in value.items() if isinstance(rows, list) and rows and isinstance(rows[0], dict)}:
        name = next((key for key in LISTS if key in lists), next(iter(lists)))
        found.copied.append(f"holds its rows under '{at}{name}'")
        return lists[name]
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return [value["columns"], *value["data"]]
    parts = [[*part.values()] if isinstance(part, dict) and "0" in part else part for part in value.values()]
    if all(isinstance(part, list) for part in parts) and len({len(part) for part in parts}) == 1:
        found.copied.append("holds columns, which become rows")
        return [dict(zip(value, row, strict=True)) for row in zip(*parts, strict=True)]
    if depth < DEEPEST and len(value) <= WRAPPED:
        for key, part in value.items():
            if isinstance(rows := _records(part, found, f"{at}{key}.", depth + 1), list) and rows and isinstance(rows[0], dict | list):
                return rows
    if not at and all(isinstance(row, dict) for row in parts):
        found.copied.append("is an object of rows by name")
        return [{"id": key, **row} for key, row in value.items()]
    return value


def _of_table(table: Table, found: Looked) -> None:
    """Rows that a reader made; those with a problem are left out."""
    rows = [dict(row.values) for row in table.rows if row.problem is None]
    if len(rows) < len(table.rows):
        found.copied.append(f"has {counted(len(table.rows) - len(rows), 'row')} that cannot be read, left out")
    found.columns = tuple(dict.fromkeys((*found.columns, *table.columns)))
    found.n_rows += len(table.rows)
    found.rows += rows


def _opened(path: Path, size: int, found: Looked) -> TextIO:
    """The text of a file, whole or as a stream; the encoding is reported where it is not UTF-8."""
    if size <= READ_WHOLE:
        content, encoding = as_utf8(path, content_of(path))
        if encoding:
            found.copied.append(f"is {encoding} text")
        return io.StringIO(content.decode("utf-8-sig"), newline="")
    with path.open("rb") as file:
        head = file.read(2**16)
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), "")
    if not encoding:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)
        except UnicodeDecodeError:
            encoding = "cp1252"
    found.copied.append(f"has {size / 2**20:,.0f} MB, of which {SAMPLE:,} random rows are taken")
    return path.open(encoding="utf-8-sig" if encoding in ("", "utf-8") else encoding, errors="replace", newline="")


def _sampled(rows: Iterable[Any], size: int) -> tuple[list[Any], int]:
    """All rows of a small file; of a large one as many as a sample has, each with the same chance, in their order."""
    if size <= READ_WHOLE:
        kept = list(rows)
        return kept, len(kept)
    rng = random.Random(0)
    sample: list[tuple[int, Any]] = []
    n = 0
    for n, row in enumerate(rows, 1):
        if len(sample) < SAMPLE:
            sample.append((n, row))
        elif (place := rng.randrange(n)) < SAMPLE:
            sample[place] = (n, row)
    return [row for _, row in sorted(sample, key=lambda pair: pair[0])], n


def _names(first: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the first line names columns: no number over a column of numbers, no long text, nothing that the column holds again."""
    if not rows:
        return True
    for place, name in enumerate(first):
        cells = [_text(row[place]) for row in rows[:500] if place < len(row)]
        if len(name) > 80 or (len(name.split()) > 8 and name.rstrip().endswith((".", "!", "?"))):
            return False
        if re.fullmatch(r"[-+]?\d+([.,]\d+)?", name) and all(re.fullmatch(r"[-+]?\d+([.,]\d+)?", cell.strip()) for cell in cells):
            return len(first) > 1 and [*first] == [str(n) for n in range(len(first))]  # numbers of columns, as data frames write them
        if name and len(set(cells)) < len(cells) and name in [cell.strip() for cell in cells]:
            return False
    return True


def _unique(names: Sequence[str]) -> list[str]:
    """Names with a number where one is empty or is used already."""
    seen: Counter[str] = Counter()
    found = []
    for n, name in enumerate(names, 1):
        name = name or f"column {n}"  # noqa: PLW2901
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return found


def _flat(found: Looked, path: Path) -> Looked:
    """The rows with objects spread over columns of their own, dates as text, and names that can be variables."""
    if not found.rows:
        raise FileProblems.one(path, "holds no rows")
    if any(_nested(value) for row in found.rows for value in row.values()):
        found.copied.append("holds objects inside of cells: their fields become columns")
        found.rows = [dict(_fields(row)) for row in found.rows]
        found.columns = ()
    if any(isinstance(value, datetime.date | datetime.time) for row in found.rows for value in row.values()):
        found.copied.append("holds dates, which become text")
    names = list(found.columns) or list(dict.fromkeys(str(name) for row in found.rows for name in row))
    if len(names) > MOST_COLUMNS:
        raise FileProblems.one(path, f"has {len(names):,} columns, and at most {MOST_COLUMNS} are looked at; keep those that matter")
    unique = _unique(names)
    clean = _unique([name if PLAIN.fullmatch(name) else re.sub(r"[^\w-]+", "_", name).strip("_")[:40] for name in unique])
    renamed = [f"{name[:30]!r} as {new!r}" for name, new in zip(names, clean, strict=True) if name != new]
    if renamed:
        found.copied.append(f"has columns whose names a prompt cannot use: {', '.join(renamed[:4])}{', ...' if renamed[4:] else ''}")
    found.rows = [{new: _value(row.get(old)) for old, new in zip(unique, clean, strict=True) if old in row} for row in found.rows]
    found.columns = tuple(clean)
    return found


def _nested(value: object) -> bool:
    """Whether a cell is an object that is neither empty nor a grade for each option."""
    return isinstance(value, dict) and bool(value) and not _grades(value)


def _grades(value: Mapping[str, Any]) -> bool:
    return len(value) > 1 and all(isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v <= 1 for v in value.values())


def _fields(row: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and name in WHOLE and len(value) > 1 and not any(isinstance(v, dict | list) for v in value.values()):
            yield f"{before}{name}", json.dumps(value, ensure_ascii=False, default=str)
        elif isinstance(value, dict) and _nested(value):
            if depth < DEEPEST:
                yield from _fields(value, f"{before}{name}.", depth + 1)
            else:
                yield f"{before}{name}", json.dumps(value, ensure_ascii=False, default=str)
        else:
            yield f"{before}{name}", value


def _value(value: object) -> object:
    """A cell as a copy may hold it: a list of anything but texts, numbers and messages becomes JSON."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, list) and chat_of(value) is None and any(isinstance(part, list | dict) for part in value):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value

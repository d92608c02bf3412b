"""Files of other tools, read with bounds and never executed; and long tables.

A long table has one row for each item and arm, and for each model, task and repeat where there are several.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from promptlab.importers.results import File, Options, Reading, Result, Source, listed, refusal
from promptlab.importers.values import mapping, name_of, number, short, task_name, text, whole
from promptlab.nouns import FileProblems, Outcome, Problem, UsageProblem, did_you_mean
from promptlab.sources.foreign import json_value
from promptlab.sources.tables import READERS, Row, Table, content_of

UNPACKED_LIMIT = 2**30
"""Bytes of all entries of an archive together."""
ENTRY_LIMIT = 64 * 2**20
MOST_DENSE = 100
"""Bytes that a byte of an archive unpacks to at most, beyond the limit of one entry."""
MOST_ENTRIES = 200_000
ZSTD = 93
"""The compression method of a zip entry that Python 3.11 does not know and newer inspect_ai logs use."""


def read_file(path: Path, arm: str | None = None) -> File:
    """A file's bytes and their digest; FileProblems when it is absent, no regular file, or too large."""
    content = content_of(path)
    if not content.strip():
        raise refusal(path, "the file is empty")
    return File(path, content, hashlib.sha256(content).hexdigest(), arm)


def parsed(path: Path, content: bytes, place: str = "", line: int | None = None, n_packed: int | None = None) -> Any:  # noqa: ANN401
    """The value of JSON text that came as `n_packed` bytes; FileProblems says why it is none."""
    inside = f"{place}: " if place else ""
    try:
        return json_value(content.decode("utf-8-sig"), n_packed)
    except UnicodeDecodeError:
        raise refusal(path, f"{inside}not UTF-8 text", line) from None
    except json.JSONDecodeError as error:
        raise refusal(path, f"{inside}not JSON: {error.msg}; is the file whole?", line or error.lineno) from None
    except ValueError as error:  # nested too deeply, or a number of thousands of digits
        raise refusal(path, f"{inside}not JSON that can be read: {error}", line) from None


def json_lines(file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line that is not blank."""
    for line, row in enumerate(file.content.split(b"\n"), 1):
        if not row.strip():
            continue
        value = parsed(file.path, row, line=line)
        if not isinstance(value, dict):
            raise refusal(file.path, f"expected a JSON object, found {type(value).__name__}", line)
        yield line, value


class Archive:
    """A zip file that is read entry by entry, never unpacked to a disk."""

    def __init__(self, file: File) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(file.content))
            self.entries = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
            raise refusal(file.path, f"not a readable zip archive: {error}") from None
        if len(self.entries) > MOST_ENTRIES:
            raise refusal(file.path, f"the archive holds {len(self.entries):,} files; at most {MOST_ENTRIES:,} are read")
        unpacked = sum(info.file_size for info in self._zip.infolist())
        if unpacked > (limit := min(UNPACKED_LIMIT, max(ENTRY_LIMIT, MOST_DENSE * len(file.content)))):
            raise refusal(file.path, f"the archive holds {unpacked:,} bytes unpacked; of its size at most {limit // 2**20} MB are read")

    def json(self, name: str) -> Any:  # noqa: ANN401
        """The value of one entry."""
        return parsed(self._file.path, self._bytes(name), name, n_packed=self.entries[name].compress_size)

    def _bytes(self, name: str) -> bytes:
        info = self.entries[name]
        path = self._file.path
        if info.file_size > ENTRY_LIMIT:
            raise refusal(path, f"{name}: {info.file_size:,} bytes unpacked; at most {ENTRY_LIMIT // 2**20} MB are read")
        if info.flag_bits & 0x1:
            raise refusal(path, f"{name}: encrypted; write the log without a password")
        try:
            if info.compress_type == ZSTD:
                return self._zstd(info)
            with self._zip.open(info) as entry:
                return entry.read(info.file_size + 1)
        except NotImplementedError:
            raise refusal(path, f"{name}: packed by method {info.compress_type}, which is not read; pack it with deflate") from None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, struct.error) as error:
            raise refusal(path, f"{name}: damaged ({str(error)[:200]})") from None

    def _zstd(self, info: zipfile.ZipInfo) -> bytes:
        import pyarrow as pa

        start = info.header_offset
        name_length, extra_length = struct.unpack("<HH", self._file.content[start + 26 : start + 30])
        start += 30 + name_length + extra_length
        packed = self._file.content[start : start + info.compress_size]
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            unpacked = bytes(stream.read(info.file_size + 1))
        if len(unpacked) != info.file_size or zlib.crc32(unpacked) != info.CRC:
            raise ValueError("the content does not match its checksum")
        return unpacked


T = TypeVar("T")
OBVIOUS: Mapping[str, tuple[str, ...]] = {
    "item": ("item", "item_id", "itemid", "doc_id", "question_id", "sample_id", "example_id", "id", "qid", "question"),
    "arm": ("arm", "condition", "variant", "stimulus", "treatment", "prompt_variant", "prompt_name", "prompt_id", "group"),
    "score": ("score", "correct", "is_correct", "accuracy", "acc", "exact_match", "passed", "right"),
    "model": ("model", "model_name", "model_id"),
    "task": ("task", "task_name", "dataset", "benchmark"),
    "repeat": ("repeat", "replicate", "repetition", "epoch", "rep"),
    "answer": ("answer", "output", "response", "completion", "prediction"),
    "prompt": ("prompt", "prompt_text", "messages"),
    "base_prompt": ("base_prompt",),
    "cluster": ("cluster", "cluster_id"),
    "outcome": ("outcome", "status"),
}
FURTHER: Mapping[str, tuple[str, ...]] = {
    "input": ("input", "question"),
    "target": ("target", "targets", "expected", "reference"),
    "cost_usd": ("cost_usd", "cost"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "latency_s": ("latency_s",),
    "version": ("model_version",),
    "error": ("error", "error_message"),
    "simulated": ("simulated", "metadata_simulated"),
}
SAMPLING = ("temperature", "top_p", "max_tokens")
NEEDED = {
    "item": "without item ids no answer of one arm can be paired with the answer of another",
    "arm": "without it nothing can be compared",
    "score": "without it there is nothing to judge",
}
OUTCOMES: Mapping[str, Outcome] = {
    "ok": "ok", "success": "ok", "completed": "ok", "stop": "ok", "truncated": "truncated", "length": "truncated",
    "refused": "refused", "content_filter": "refused", "empty": "empty", "parse_failed": "parse_failed",
    "error": "error", "exception": "error", "timeout": "error",
}  # fmt: skip
SCORES = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0, **dict.fromkeys(("", "na", "n/a", "nan", "none", "null"))}
MOST_TOLD = 20


def read(files: Sequence[File], options: Options) -> Reading:
    """All rows of the tables; FileProblems tells every row that cannot be read."""
    results: list[Result] = []
    guessed: dict[str, None] = {}
    columns: dict[str, str] = {}
    for file in files:
        table = read_rows(file)
        columns, guesses = chosen_columns(table, options.columns, OBVIOUS)
        guessed.update(dict.fromkeys(guesses))
        if file.arm is not None:
            columns = {**columns, "arm": ""}
        _need(table, columns)
        results += each_row(table, partial(_result, columns=columns, file=file, task=files[0].path.stem if len(files) == 1 else "items"))
    return Reading(
        tuple(results),
        tuple(Source(file.path.name, file.sha256, "a table") for file in files),
        metric=columns.get("score", "score"),
        guessed=tuple(guessed),
        one_arm=f"the column {columns.get('arm')!r} holds one value only" if columns.get("arm") else "",
    )


def read_rows(file: File) -> Table:
    """The file as a table, by the end of its name."""
    reader = READERS.get(file.path.suffix.lower())
    if reader is None:
        raise refusal(file.path, f"files that end in {file.path.suffix!r} are not read as tables; known: {', '.join(READERS)}")
    try:
        table = reader(file.path, file.content)
    except RecursionError:
        raise refusal(file.path, "nested too deeply for a table") from None
    except ValueError as error:
        raise refusal(file.path, f"cannot be read as a table: {error}") from None
    if not table.rows:
        raise refusal(file.path, "the table has no rows")
    return table


def chosen_columns(table: Table, given: Mapping[str, str], obvious: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[str]]:
    """Which column holds what: as the user says, else by obvious names; and what was guessed, in words."""
    found: dict[str, str] = {}
    for what, column in given.items():
        if column not in table.columns:
            raise UsageProblem(
                f"--{what} {column}: {table.path.name} has no column {column!r}; {did_you_mean(column, table.columns)}".rstrip("; ")
            )
        found[what] = column
    by_name = {column.strip().lower(): column for column in reversed(table.columns)}
    guesses = []
    for what, names in {**obvious, **FURTHER}.items():
        taken = {column for other, column in found.items() if what in obvious or other != "item"}
        name = next((n for n in names if n in by_name and by_name[n] not in taken), None)
        if what not in found and name is not None:
            found[what] = by_name[name]
            guesses += [f"{what} is the column {by_name[name]!r}"] if what in obvious else []
    return found, guesses


def _need(table: Table, columns: Mapping[str, str]) -> None:
    missing = [what for what in NEEDED if what not in columns]
    if missing:
        said = "; ".join(f"no column for the {what} was found ({NEEDED[what]}), name it with --{what} COLUMN" for what in missing)
        raise refusal(table.path, f"{said}. The columns are {listed(table.columns, 30)}", 1)


def each_row(table: Table, read_row: Callable[[Row], T | str]) -> list[T]:
    """What is read in every row; FileProblems where `read_row` says in words what is wrong with one."""
    found: list[T] = []
    problems: list[Problem] = []
    for row in table.rows:
        one = row.problem or read_row(row)
        if isinstance(one, str):
            problems.append(Problem(table.path, row.line, f"row {row.number}: {one}"))
        else:
            found.append(one)
    if problems:
        told = problems[:MOST_TOLD]
        if len(problems) > len(told):
            told.append(Problem(table.path, 10**9, f"and {len(problems) - len(told):,} more rows like these"))
        raise FileProblems(told)
    return found


NAMES = ("item", "arm", "model", "task", "repeat", "base_prompt", "cluster", "outcome")
"""Columns whose cells are names."""


def _result(row: Row, columns: Mapping[str, str], file: File, task: str) -> Result | str:
    cells = {what: row.values.get(column) for what, column in columns.items() if column}
    names = {what: cell_text(cells.get(what)) for what in NAMES}
    arm = file.arm if not columns.get("arm") else names["arm"]
    for what, value in (("item", names["item"]), ("arm", arm)):
        if not value:
            return f"{columns.get(what) or what!r} is empty"
    score = read_score(cells.get("score"))
    if isinstance(score, str):
        return score
    outcome = OUTCOMES.get(names["outcome"].lower()) if names["outcome"] else "ok"
    if outcome is None:
        return (
            f"the outcome {names['outcome']!r} is not known (a wrong answer and a failed call must not be mixed up); known: "
            f"{', '.join(OUTCOMES)}. Name another column with --outcome, or change the value"
        )
    if outcome == "error":
        score = None
    return Result(
        arm=name_of(arm),
        model=name_of(names["model"] or "model"),
        task=task_name(names["task"] or task),
        item=short(names["item"]),
        score=score,
        where=f"row {row.number}",
        repeat=_repeat(cells.get("repeat")),
        base_prompt=name_of(names["base_prompt"]),
        outcome=outcome,
        answer=text(_value(cells.get("answer"))),
        messages=as_messages(cells.get("prompt")),
        input=text(_value(cells.get("input"))) or names["item"],
        targets=_targets(cells.get("target")),
        cluster=names["cluster"] or None,
        model_version=cell_text(cells.get("version")) or None,
        params={p: _plain(row.values[p]) for p in SAMPLING if _value(row.values.get(p)) is not None},
        input_tokens=whole(_plain(cells.get("input_tokens"))),
        output_tokens=whole(_plain(cells.get("output_tokens"))),
        cost_usd=number(_plain(cells.get("cost_usd"))),
        latency_s=number(_plain(cells.get("latency_s"))) or 0.0,
        error=cell_text(cells.get("error")) or None,
        marked_simulated=cell_text(cells.get("simulated")).lower() in ("true", "1", "yes"),
    )


def read_score(value: object) -> float | str | None:
    """A score, None where there is none, or what is wrong with it in words."""
    value = _value(value)
    if value is None:
        return None
    if isinstance(value, str) and (word := value.strip().lower()) in SCORES:
        return SCORES[word]
    if (found := number(_plain(value))) is not None:
        return found
    return f"the score {repr(str(value))[:60]} is no number; scores are numbers, true or false, or empty where there is none"


def cell_text(value: object) -> str:
    """A cell as one line of text; whole numbers that a table kept as floats lose their '.0'."""
    value = _value(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else " ".join(text(value).split())


def as_messages(value: object) -> tuple[Mapping[str, str], ...]:
    """A prompt as messages: a list of messages as it is, a list as JSON text read, any other text as the user's."""
    value = _value(value)
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, list) and value and all("role" in mapping(m) and "content" in mapping(m) for m in value):
        return tuple({"role": text(m["role"]), "content": text(m["content"])} for m in value)
    return ({"role": "user", "content": text(value)},) if value is not None and value != "" else ()


def _value(value: object) -> Any:  # noqa: ANN401
    """The cell without the not-a-numbers that tables keep for nothing, and nothing that JSON could not hold."""
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (not a number)
        return None
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _plain(value: object) -> Any:  # noqa: ANN401
    """A number where the text is one."""
    value = _value(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _repeat(value: object) -> int:
    """A repeat as a number; names of repeats get one that depends on the name alone."""
    found = whole(_plain(value))
    if found is not None:
        return found
    name = cell_text(value)
    return int(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12], 16) if name else 0


def _targets(value: object) -> tuple[str, ...]:
    value = _value(value)
    if value is None or value == "":
        return ()
    return tuple(text(part) for part in value) if isinstance(value, list) else (text(value),)

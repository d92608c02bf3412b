"""Tables that people keep items in, read row by row: CSV, TSV, JSON, JSON lines, Parquet, Excel.

A row that cannot be read is a row with a problem, so that all of them are reported at once; only a file that cannot be read as
a whole raises FileProblems. Datasets of the Hugging Face hub come as the Parquet files that the hub makes of every public one.

Above 400 lines: every form of file yields the same rows, and they share what makes a row.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import orjson

from promptlab.nouns import DataMissing, FileProblems
from promptlab.sources.foreign import CHARS, SMALL, decoded, json_value, parquet_table, unique
from promptlab.sources.foreign import content_of as bounded_content

SIZE_LIMIT = 256 * 2**20
"""Bytes of a file; larger ones are refused unread."""
LONGEST_CELL = 2**24
"""Characters of a cell of CSV, of which each takes up to eight bytes while it is read."""
TOP, LOOKED_AT = 10, 20_000
"""Rows and characters at the beginning of a table among which its columns' names are."""
MOST_NAMED = 100
"""Columns that a problem names."""
HIDDEN = re.compile(rb'<(?:\w+:)?(row|col) ([^>]*\bhidden="(?:1|true)"[^>]*)')
"""A row or columns of an Excel sheet that its program does not show."""
OF_CELLS = re.compile(r"xl/(worksheets/|sharedStrings)", re.IGNORECASE)
"""The parts of an Excel file that grow with its cells."""
SHEET = re.compile(rb"<(?:\w+:)?sheet[\s/>]")
MOST_STYLES, MOST_SHEETS, DEEPEST_XML = 200_000, 1_000, 100
"""Tags of any other part, sheets that it names, and the levels of tags."""
KEY = re.compile(r'"[ \t\r\n]*:')
"""The end of a key in JSON, which a text may hold as well."""
LONG_NUMBER = re.compile(r"[0-9]{16}")
"""What orjson may read as a fraction."""


class Row(NamedTuple):
    """One row: its number from 1, its line in a text file, its values by column, and what is wrong with it."""

    number: int
    line: int | None
    values: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file as read. `columns` are in the order of the file; `notes` say what a reader of the file may not have seen."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]
    notes: tuple[str, ...] = ()

    def drained(self) -> Iterator[Row]:
        """The rows in order, each of them let go: of a large file only what is made of them stays."""
        self.rows.reverse()
        while self.rows:
            yield self.rows.pop()


def read_table(path: Path) -> Table:
    """Any of the known formats, by the end of the file's name."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise FileProblems.one(path, f"files that end in {path.suffix!r} are not read; known: {', '.join(READERS)}")
    return reader(path, content_of(path))


def content_of(path: Path) -> bytes:
    """The bytes of a file of bounded size; FileProblems where it is absent or cannot be read."""
    return bounded_content(path, SIZE_LIMIT, path.suffix)


def text_of(path: Path) -> str:
    """The text of a file of bounded size; FileProblems where it cannot be read, or is not UTF-8."""
    return decoded(path, content_of(path))


def csv_form(head: str, suffix: str) -> tuple[str, int]:
    """The text between the cells of a table by its first line, and how many characters go before it: Excel's `sep=;`."""
    if named := re.fullmatch(r'"?sep=(.)"?\r?\n?', head):
        return named[1], len(head)
    bare = re.sub(r'"[^"]*"', "", head)
    return "\t" if suffix == ".tsv" else max(",;\t|", key=bare.count), 0


def csv_rows(path: Path, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is not empty; FileProblems where a quote stays open. A `sep=` line is not among `lines`."""
    limit = csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if cells:
                yield line, cells
    except csv.Error as error:
        raise FileProblems.one(path, f"not CSV: {error}; a quote that is opened must be closed", start) from None
    finally:
        csv.field_size_limit(limit)


def _csv(path: Path, content: bytes) -> Table:
    top = decoded(path, content)[:LOOKED_AT].splitlines(keepends=True)[:TOP] or [""]
    delimiter, skipped = csv_form(next((line for line in top if re.search(r"[,;\t|]", line)), top[0]), path.suffix.lower())
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")  # the whole text would take four bytes a character
    lines.read(skipped)
    filled = ((line, cells) for line, cells in csv_rows(path, lines, delimiter) if any(map(str.strip, cells)))
    columns, first = headed(path, top_rows := list(itertools.islice(filled, TOP)))
    rows: list[Row] = []
    n = len(columns)
    for line, cells in itertools.chain(top_rows[first:], filled):
        if len(cells) > n and not any(map(str.strip, cells[n:])):
            del cells[n:]
        found = f"{len(cells)} cells, and the first line names {n}; quote cells that hold {delimiter!r}"
        rows.append(Row(len(rows) + 1, line, dict(zip(columns, cells, strict=False)), None if len(cells) == n else found))
    return Table(path, tuple(columns), rows)


def headed(path: Path, top: Sequence[tuple[int, Sequence[Any]]]) -> tuple[list[str], int]:
    """The names of the columns, and how many of the first rows are no data; FileProblems where two columns have one name.

    A line with one cell above a table of three columns or more is its title. Names in merged cells are joined with those below, where
    these are the same below each.
    """
    words = [["" if cell is None else str(cell).strip() for cell in cells] for _, cells in top]
    filled = [sum(map(bool, row)) for row in words]
    start = next((i for i, n in enumerate(filled) if n > 1 or max(filled) <= 2), 0)
    names = words[start] if words else []
    below = words[start + 1] if len(words) > start + 1 else []
    both: list[tuple[str, str]] = []
    spanned: dict[str, list[str]] = {}
    for name, under in itertools.zip_longest(names, below, fillvalue=""):
        both.append((name or (both[-1][0] if both else ""), under))
        spanned.setdefault(both[-1][0], []).append(under)
    spans = [part for part in spanned.values() if len(part) > 1]
    if len(spans) > 1 and all(part == spans[0] for part in spans) and not re.search(r"\d", "".join(below)):
        return [" ".join(filter(None, pair)) for pair in both], start + 2
    n_filled = max((n for row in words[start + 1 :] for n, cell in enumerate(row, 1) if cell), default=0)
    while len(names) > max(1, n_filled) and not names[-1]:
        names.pop()
    if names.count("") > 1:
        names = [name or f"column {n}" for n, name in enumerate(names, 1)]
    if len(set(names)) != len(names):
        raise FileProblems.one(path, f"two columns have one name: {', '.join(names[:MOST_NAMED])}", top[start][0])
    return names, start + 1


def _json_lines(path: Path, content: bytes) -> Table:
    rows: list[Row] = []
    n_bytes, lines = len(content), decoded(path, content).split("\n")
    del content
    for line, text in enumerate(lines, 1):
        if not text or not text.strip():
            continue
        try:
            value = _value(text)
        except (ValueError, RecursionError) as error:
            rows.append(Row(len(rows) + 1, line, {}, f"not JSON: {error}"))
            continue
        rows.append(_object(len(rows) + 1, line, value))
    return _of_objects(path, rows, n_bytes)


def _value(text: str) -> Any:  # noqa: ANN401
    """The value of a text in JSON, as the standard library reads it, in less time where that is the same; no object holds a key twice."""
    with contextlib.suppress(orjson.JSONDecodeError):  # not JSON, or what orjson alone refuses: NaN, half a surrogate pair
        value = None if LONG_NUMBER.search(text) else orjson.loads(text)
        if isinstance(value, dict) and _n_keys(value) == len(KEY.findall(text)):
            return value
    return json.loads(text, object_pairs_hook=unique)


def _n_keys(value: Any) -> int:  # noqa: ANN401 (the value of JSON text)
    """How many keys the objects in a value have together."""
    parts = value.values() if isinstance(value, dict) else value
    return (len(value) if isinstance(value, dict) else 0) + sum(_n_keys(part) for part in parts if isinstance(part, dict | list))


def read_json(path: Path) -> Any:  # noqa: ANN401
    """The value of a JSON file; FileProblems names the line where it ends to be JSON."""
    return _parsed(path, content_of(path))


def _parsed(path: Path, content: bytes) -> Any:  # noqa: ANN401
    try:
        return json_value(decoded(path, content), once=True)
    except json.JSONDecodeError as error:
        raise FileProblems.one(path, f"not JSON: {error.msg}; is the file whole?", error.lineno) from None
    except ValueError as error:  # nested too deeply, or a whole number of thousands of digits
        raise FileProblems.one(path, f"not JSON that can be read: {error}") from None


def _json(path: Path, content: bytes) -> Table:
    value = _parsed(path, content)
    if not isinstance(value, list):
        raise FileProblems.one(path, f"expected a JSON list of objects, found {type(value).__name__}")
    rows = [_object(number, None, row) for number, row in enumerate(value, 1)]
    return _of_objects(path, rows, len(content))


def _of_objects(path: Path, rows: list[Row], n_bytes: int) -> Table:
    """The table of objects, with all of their keys; FileProblems where these are more than a table of its size has columns."""
    columns: dict[str, None] = {}
    for row in rows:
        if not row.values.keys() <= columns.keys():
            columns.update(dict.fromkeys(row.values))
    if len(rows) * len(columns) > max(SMALL // 4, n_bytes):
        raise FileProblems.one(path, f"its {len(rows):,} rows have {len(columns):,} different keys, which is too much for a table")
    return Table(path, tuple(columns), rows)


def _object(number: int, line: int | None, value: object) -> Row:
    if isinstance(value, dict):
        return Row(number, line, value)
    return Row(number, line, {}, f"expected a JSON object, found {type(value).__name__}")


def _parquet(path: Path, content: bytes) -> Table:
    import pyarrow as pa

    try:
        table = parquet_table(content)
        values = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileProblems.one(path, f"not a readable Parquet file: {str(error).splitlines()[0][:200]}") from None
    names = _class_names(table.schema.metadata or {})
    for row in values:
        for column, labels in names.items():
            if isinstance(index := row.get(column), int) and 0 <= index < len(labels):
                row[column] = labels[index]
    return Table(path, tuple(table.column_names), [Row(n, None, row) for n, row in enumerate(values, 1)])


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Columns of numbers that stand for names: the library `datasets` writes the names into the file's metadata."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {column: list(kind["names"]) for column, kind in features.items() if isinstance(kind, dict) and "names" in kind}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def read_sheet(path: Path, content: bytes, wanted: str | None = None) -> Table:
    """A sheet of an Excel file: the one that is named, else the only one with rows. The first row that holds anything names the columns."""
    held, notes = sheet_rows(path, content, wanted)
    held = held or [(1, ())]
    columns, first = headed(path, held[:TOP])
    columns = [name or f"column {n}" for n, name in enumerate(columns, 1)]
    rows = [Row(n, line, dict(zip(columns, row, strict=False))) for n, (line, row) in enumerate(held[first:], 1)]
    return Table(path, tuple(columns), rows, tuple(notes))


def sheet_rows(path: Path, content: bytes, wanted: str | None = None) -> tuple[list[tuple[int, tuple[Any, ...]]], list[str]]:
    """Number and cells of every row that holds anything, of the sheet that is named, else of the only visible one with rows; and notes.

    Hidden rows and columns are data like all others, as those that a filter hides are in every formula; the notes count them.
    """
    import openpyxl

    check_zipped(path, content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        names = [wanted] if wanted else [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if unknown := [name for name in names if name not in book.sheetnames]:
            raise FileProblems.one(path, f"has no sheet {unknown[0]!r}; its sheets are {', '.join(book.sheetnames)}")
        found = {name: rows for name in names if (rows := list(_cells(book[name], max(SMALL // 2, len(content)))))}
        notes = [note for name, rows in found.items() for note in _hidden(path, book[name], rows)]
    except FileProblems:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers do
        raise FileProblems.one(path, f"not a readable Excel file: {str(error).splitlines()[0][:200] if str(error) else error!r}") from None
    if len(found) > 1:
        raise FileProblems.one(path, f"several sheets hold rows ({', '.join(found)}); choose one with --sheet")
    if unseen := [] if wanted else [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]:
        notes.append(f"{path.name}: hidden sheets are not read ({', '.join(unseen)}); --sheet NAME reads one")
    return next(iter(found.values()), []), notes


def _hidden(path: Path, sheet: Any, rows: Sequence[tuple[int, tuple[Any, ...]]]) -> Iterator[str]:  # noqa: ANN401
    """Notes on how many of the rows and columns that hold anything are hidden."""
    from openpyxl.utils import get_column_letter

    lines: set[int] = set()
    spans: set[tuple[int, int]] = set()
    width = max(map(len, dict(rows).values()))
    with sheet._get_source() as source:  # read-only sheets know nothing of what is hidden
        for kind, attributes in HIDDEN.findall(source.read()):
            number = {name: int(value) for name, value in re.findall(rb'\b(r|min|max)="(\d{1,7})"', attributes)}
            if kind == b"row":
                lines.add(number.get(b"r", 0))
            else:
                spans.add((number.get(b"min", 1), min(number.get(b"max", 0), width) + 1))
    is_hidden = bytearray(width + 1)
    for first, end in spans:
        is_hidden[first:end] = b"\1" * (end - first)
    if n := len(lines & dict(rows).keys()):
        yield (
            f"{path.name}: {n:,} of its rows are hidden, perhaps by a filter, and are read like all others; to leave them out, copy "
            "the visible rows into a new file"
        )
    if columns := [n for n, hidden in enumerate(is_hidden) if hidden and n]:
        yield f"{path.name}: hidden columns are read, too ({', '.join(map(get_column_letter, columns[:20]))})"


def _cells(sheet: Any, most: int) -> Iterator[tuple[int, tuple[Any, ...]]]:  # noqa: ANN401
    """The rows of a sheet that hold anything, without empty cells at their ends; ValueError for more cells than `most`.

    Cells may share one text, which a file holds once: each counts for what it shows.
    """
    n_cells = n_chars = 0
    sheet.reset_dimensions()
    for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
        n_cells += 1 + len(row)
        if n_cells > most:
            raise ValueError(f"it holds more than {most:,} cells")
        n_chars += sum(len(cell) for cell in row if isinstance(cell, str))
        if n_chars > CHARS * most:
            raise ValueError(f"its cells hold more than {n_chars:,} characters, most of them shared")
        while row and (row[-1] is None or row[-1] == ""):
            row = row[:-1]  # noqa: PLW2901
        if row:
            yield line, row


def check_zipped(path: Path, content: bytes) -> None:
    """Refuse an Excel file that unpacks to much more than its size, or defines entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(info.file_size for info in archive.infolist())
            if size > (limit := min(SIZE_LIMIT, max(SIZE_LIMIT // 4, 100 * len(content)))):
                raise FileProblems.one(path, f"unpacks to {size:,} bytes; of its size at most {limit // 2**20} MB are read")
            n_tags, most_tags = 0, max(SMALL, 2 * len(content))
            for info in archive.infolist():
                with archive.open(info) as entry:
                    part = entry.read(info.file_size + 1)
                plain = part.replace(b"\0", b"")  # as UTF-16 writes it
                if len(part) > info.file_size or b"<!ENTITY" in plain or b"<!DOCTYPE" in plain:
                    raise FileProblems.one(
                        path, "no Excel file as a spreadsheet program writes it: damaged, or with definitions of its own"
                    )
                n = part.count(b"<") + part.count(b"/>")  # as many as where an empty one were written as two
                n_tags += n
                is_of_cells = OF_CELLS.match(info.filename)
                if n_tags > most_tags or (not is_of_cells and (n > MOST_STYLES or len(SHEET.findall(part)) > MOST_SHEETS)):
                    raise FileProblems.one(path, f"unpacks to {n_tags:,} parts, which is too much to be read")
                if n > MOST_STYLES:
                    _check_depth(part)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise FileProblems.one(path, f"not a readable Excel file: {str(error)[:200]}") from None


def _check_depth(part: bytes) -> None:
    """ValueError where tags are nested deeper than any spreadsheet program writes them."""
    depth = 0

    def opened(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST_XML:
            raise ValueError("nested too deeply")

    def closed(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    with contextlib.suppress(expat.ExpatError):  # who reads it says so
        parser.Parse(part, True)


READERS: Mapping[str, Callable[[Path, bytes], Table]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".xlsx": read_sheet,
    ".xlsm": read_sheet,
}


PARQUET_BRANCH = "refs/convert/parquet"


def dataset_files(name: str, config: str, split: str, revision: str | None = None, endpoint: str | None = None) -> tuple[list[Path], str]:
    """The local copies of a split's Parquet files, downloaded once into the hub's own cache, and the commit they come from.

    `revision` is a commit of the dataset's Parquet branch (None: its newest). DataMissing says what is not there, what is
    there instead, or that the hub cannot be reached; a private dataset needs the variable HF_TOKEN.
    """
    api = _hub(endpoint)
    where = f"the dataset {name!r}"
    with _told(where):
        info = api.dataset_info(name, revision=revision or PARQUET_BRANCH, files_metadata=True)
        parts = {s.rfilename: s.size or 0 for s in info.siblings or () if s.rfilename.endswith(".parquet")}
        splits = _splits(parts)
        wanted = sorted(path for path in parts if path.startswith(f"{config}/{split}/"))
        if not wanted:
            has = ", ".join(f"config: {c}, split: {s}" for c, s in splits[:12]) or "no Parquet files"
            raise DataMissing(f"{where} has no split {split!r} in the configuration {config!r}; it has {has}")
        size = sum(parts[path] for path in wanted)
        if size > SIZE_LIMIT:
            raise DataMissing(
                f"{where}: the split has {size:,} bytes; at most {SIZE_LIMIT // 2**20} MB are read. Save a part of it as Parquet"
            )
        found = [Path(api.hf_hub_download(name, path, repo_type="dataset", revision=info.sha)) for path in wanted]
    return found, str(info.sha)


def dataset_splits(name: str) -> list[tuple[str, str]]:
    """The configurations and splits of a dataset of the hub, in their order; DataMissing as of `dataset_files`."""
    with _told(f"the dataset {name!r}"):
        return _splits(s.rfilename for s in _hub(None).dataset_info(name, revision=PARQUET_BRANCH).siblings or ())


def _splits(paths: Iterable[str]) -> list[tuple[str, str]]:
    return sorted({(parts[0], parts[1]) for path in paths if path.endswith(".parquet") and len(parts := path.split("/")) > 2})


def _hub(endpoint: str | None) -> Any:  # noqa: ANN401 (the hub's client)
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint, library_name="promptlab")


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """What the hub, or the way to it, refuses, as DataMissing."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        raise DataMissing(f"{where} cannot be fetched: HF_HUB_OFFLINE is set; unset it, or save the dataset as Parquet") from None
    except HFValidationError as error:
        raise DataMissing(f"{where}: {error}; write hf:owner/name") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise DataMissing(
            f"{where} cannot be fetched: the hub answered {status}. Check the name and the revision; a private or gated dataset needs "
            "the variable HF_TOKEN"
        ) from None
    except (httpx.HTTPError, OSError) as error:
        raise DataMissing(
            f"{where} cannot be fetched: {type(error).__name__}. Without a connection, save it as Parquet and name that"
        ) from None

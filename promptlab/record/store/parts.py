"""Parts and journal: how rows become lines of JSON and Parquet, and are read again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from promptlab.nouns.columns import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.record import CallRow, TrialRow
from promptlab.nouns.setting import Setting
from promptlab.record.store.files import write_whole

DAMAGED = "damaged"
"""Where repair puts what cannot be read."""
SAME_ROW = ("trial", "outcome", "answer", "latency_s", "attempts", "error")
ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
Row = Mapping[str, Any]


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a frame of these columns."""
    return pa.schema([pa.field(name, ARROW[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in columns.items()])


def written(value: object, *, ordered: bool = False) -> str:
    """JSON in one cell of a frame: text as it is, keys as they are or in order."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if ordered else 0).decode()
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.dumps(value, sort_keys=ordered)


def line_of(trial: TrialRow | Row, calls: Sequence[CallRow | Row]) -> bytes:
    """One trial with its calls as a line of the journal."""
    line = {"trial": trial, "calls": list(calls)}
    try:
        return orjson.dumps(line) + b"\n"
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.dumps(line, ensure_ascii=True, default=vars).encode() + b"\n"


def journal_rows(data: bytes) -> list[dict[str, Any]]:
    """The whole lines of a journal: each a trial with its calls, of the kinds that a part takes."""
    return [row for row in journal_lines(data) if _fits(row)]


def journal_lines(data: bytes) -> Iterator[dict[str, Any]]:
    """The rows of a journal: in each line a trial with its calls."""
    for _, row in whole_lines(data):
        yield row


def whole_lines(data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The lines of a journal that are whole, with the rows in them."""
    for line in data.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the torn tail of a killed process
        if isinstance(row, dict) and "trial" in row:
            trial = row["trial"]
            if isinstance(trial, dict) and "setting" not in trial and "placement" in trial:  # a run of format 1
                trial["setting"] = Setting.of(trial).id
                line = line_of(trial, row.get("calls", ())).rstrip(b"\n")  # noqa: PLW2901
            yield line, row


def _fits(row: Mapping[str, Any]) -> bool:
    try:
        pa.Table.from_pylist([row["trial"]], schema=schema(TRIAL_COLUMNS))
        pa.Table.from_pylist(row["calls"], schema=schema(CALL_COLUMNS))
        return isinstance(row["trial"]["trial"], str)
    except (pa.ArrowException, KeyError, TypeError, AttributeError, ValueError):
        return False


def part_rows(path: Path, columns: Mapping[str, str]) -> list[Row]:
    """The rows of one Parquet part; RunProblem, caused by what is wrong with it, where it cannot be read."""
    rows: list[Row] = read_part(path, columns).to_pylist()
    return rows


def read_part(path: Path, columns: Mapping[str, str]) -> pa.Table:
    """These columns of one Parquet part; RunProblem where it cannot be read. A nullable column that the part lacks is null."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            there = set(file.schema_arrow.names)
            table = file.read(columns=[name for name in columns if name in there], use_threads=False)
        if "setting" in columns and "setting" not in there:  # a run of format 1
            table = table.append_column("setting", settings_of(table))
            there.add("setting")
        for name in [name for name in columns if name not in there]:  # a run of an earlier version
            if not columns[name].endswith("?"):
                raise pa.ArrowInvalid(f"the column {name} is missing")
            table = table.append_column(name, pa.nulls(len(table), ARROW[columns[name].rstrip("?")]))
        return table.select(list(columns)).cast(schema(columns))
    except (pa.ArrowException, OSError) as error:
        raise RunProblem(
            f"{path}: a part cannot be read ({error}); restore it from a copy, or move it aside with "
            f"`promptlab runs repair {path.parent.parent}`"
        ) from error


def settings_of(table: pa.Table) -> pa.ChunkedArray:
    """The ids of the settings of rows that name their factors only."""
    factors = [table[name].cast(pa.string()) for name in ("placement", "shots", "strategy")]
    return pc.binary_join_element_wise(*factors, "/")


def table_of(rows: Sequence[Row], columns: Mapping[str, str]) -> pa.Table:
    """Rows as a table of these columns."""
    wanted = schema(columns)
    arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in wanted]
    return pa.Table.from_arrays(arrays, schema=wanted)


def write_table(path: Path, table: pa.Table) -> None:
    """A table as one Parquet file, whole or not at all."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    write_whole(path, sink.getvalue().to_pybytes())


def write_part(folder: Path, number: int, lines: Sequence[bytes]) -> None:
    """Make a part of the journal's lines."""
    try:
        trials, calls = _read_lines(b"".join(lines))
    except pa.ArrowException:  # half a surrogate pair, or a number of another kind
        rows = [json.loads(line) for line in lines]
        trials = table_of([row["trial"] for row in rows], TRIAL_COLUMNS)
        calls = table_of([call for row in rows for call in row["calls"]], CALL_COLUMNS)
    name = f"part-{number:05d}.parquet"
    write_table(folder / "calls" / name, calls)  # calls first: a trial that a part holds always has its calls
    write_table(folder / "trials" / name, trials)


def _read_lines(data: bytes) -> tuple[pa.Table, pa.Table]:
    """Trials and calls of a journal, read by Arrow, which lets other threads go on; columns that are not known are kept."""
    trial, call = (pa.struct(list(schema(columns))) for columns in (TRIAL_COLUMNS, CALL_COLUMNS))
    read = pj.read_json(
        pa.BufferReader(data),
        pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        pj.ParseOptions(pa.schema([("trial", trial), ("calls", pa.list_(call))]), unexpected_field_behavior="infer"),
    )
    trials, calls = read["trial"].combine_chunks(), read["calls"].combine_chunks().flatten()
    return pa.Table.from_struct_array(trials), pa.Table.from_struct_array(calls)


def next_part(folder: Path) -> int:
    """A number that no part has, nor one that repair moved aside."""
    taken = [path.stem.removeprefix("part-") for place in ("trials", f"{DAMAGED}/*") for path in folder.glob(f"{place}/part-*.parquet")]
    return max((int(number) for number in taken if number.isdigit()), default=-1) + 1


def n_in_newest_part(folder: Path, trials: Sequence[Row]) -> int:
    """How many of a journal's first rows are the newest part: a process ended before it took them out. Asked again is another row."""
    newest = max((folder / "trials").glob("part-*.parquet"), default=None)
    if newest is None:
        return 0
    try:
        in_part = part_rows(newest, {name: TRIAL_COLUMNS[name] for name in SAME_ROW})
    except RunProblem:  # whoever reads the run says so
        return 0
    first = [{name: row.get(name) for name in SAME_ROW} for row in trials[: len(in_part)]]
    return len(in_part) if first == in_part else 0

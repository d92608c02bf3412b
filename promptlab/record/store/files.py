"""The files of a run folder: its lock, files that are replaced whole, and rows as lines of JSON and as Parquet parts."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptlab.nouns import CALL_COLUMNS, TRIAL_COLUMNS, CallRow, RunProblem, Setting, TrialRow

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
DAMAGED = "damaged"
"""Where repair puts what cannot be read."""
ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
Row = Mapping[str, Any]


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary name, make it durable, rename: readers see the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunProblem(f"{path}: cannot be written: {error.strerror}; {space_left(path.parent)}") from None


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def runs_in(folder: Path) -> list[Path]:
    """The run folders below `folder`, newest first."""
    found = [path.parent for path in folder.glob("*/manifest.json")] if folder.is_dir() else []
    return sorted(found, key=lambda path: (path / "manifest.json").stat().st_mtime, reverse=True)


def is_locked(folder: Path) -> bool:
    """Whether a process is writing this run now."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other writer out of a run folder; RunProblem where one is in it."""
    lock = locked(folder)
    try:
        yield
    finally:
        os.close(lock)


def locked(folder: Path) -> int:
    """An open file that keeps every other writer out until it is closed; RunProblem where one is in the folder."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 200).decode(errors="replace").strip()
        os.close(handle)
        raise RunProblem(f"{folder}: another process ({holder or 'unknown'}) is writing this run; wait for it or stop it") from None
    os.truncate(handle, 0)
    os.write(handle, f"pid {os.getpid()}".encode())
    return handle


def space_left(folder: Path) -> str:
    """How much room a folder has, and what to do about it."""
    try:
        stat = os.statvfs(folder)
    except OSError:
        return "the folder cannot be reached"
    free_mb = stat.f_bavail * stat.f_frsize / 1e6
    return f"{free_mb:,.1f} MB are free there; make room and run the same command again"


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a frame of these columns."""
    return pa.schema([pa.field(name, ARROW[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in columns.items()])


def written(value: object, *, ordered: bool = False) -> str:
    """JSON in one cell of a frame: text as it is, keys as they are or in order."""
    try:
        return orjson.dumps(value, default=dict, option=orjson.OPT_SORT_KEYS if ordered else 0).decode()
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.dumps(value, default=dict, sort_keys=ordered)


def line_of(trial: TrialRow | Row, calls: Sequence[CallRow | Row]) -> bytes:
    """One trial with its calls as a line of the journal."""
    line = {"trial": trial, "calls": list(calls)}
    try:
        return orjson.dumps(line) + b"\n"
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.dumps(line, ensure_ascii=True, default=vars).encode() + b"\n"


def journal_rows(data: bytes) -> list[dict[str, Any]]:
    """The whole lines of a journal: each a trial with its calls, of the kinds that a part takes."""
    return [row for _, row in whole_lines(data) if _fits(row)]


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
            factors = [table[name].cast(pa.string()) for name in ("placement", "shots", "strategy")]
            table = table.append_column("setting", pc.binary_join_element_wise(*factors, "/"))
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

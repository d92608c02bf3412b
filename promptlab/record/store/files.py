"""The files of a run folder: its lock, files that are replaced whole, and rows as lines of JSON and as Parquet parts."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import shlex
import stat
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptlab.nouns import CALL_COLUMNS, ITEM_COLUMNS, TRIAL_COLUMNS, CallRow, RunProblem, Setting, TrialRow, home
from promptlab.sources.foreign import KeyTwice, check_regular, json_value, opened_to_write, parquet_table, read_bytes

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
DAMAGED = "damaged"
"""Where repair puts what cannot be read."""
AFTER = b'{"after":'
"""How the first line of a fetched journal begins; it is no trial."""
"""What to do about a file that cannot be read."""
CHECKSUM = b',"crc32":'
"""The text before the CRC-32 of a journal's line without it."""
KINDS = {"str": (str,), "int": (int, float), "float": (float, int), "bool": (bool,)}
HELD = (errno.EWOULDBLOCK, errno.EACCES)
"""How the system says that another process holds a lock."""
MOST = {(int, "int"): 2**63 - 1, (float, "int"): 2**53, (int, "float"): 2**53, (float, "float"): sys.float_info.max}
"""What a column holds at most of a number of Python."""
JSON_LIMIT = 64 * 2**20
JOURNAL_LIMIT = 2**30
ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
Row = Mapping[str, Any]


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary name, make it durable, rename: readers see the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(opened_to_write(temporary, os.O_TRUNC), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from None


def sync(path: Path) -> None:
    """Make durable what a file holds, or which names a folder holds."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return _second(int(time.time()))


@lru_cache(maxsize=4)  # hundreds of answers come in one
def _second(since_1970: int) -> str:
    return datetime.datetime.fromtimestamp(since_1970, datetime.UTC).isoformat(timespec="seconds")


def runs_in(folder: Path) -> list[Path]:
    """The run folders below `folder`, newest first."""
    found = [path.parent for path in folder.glob("*/manifest.json")] if folder.is_dir() else []
    return sorted(found, key=lambda path: (path / "manifest.json").stat().st_mtime, reverse=True)


def is_locked(folder: Path) -> bool:
    """Whether a process is writing this run now."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:  # another user's: who cannot look believes what the manifest says
        return True
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in HELD
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
    path = folder / "lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        check_regular(path, JSON_LIMIT)
    except OSError as error:
        if why := denied(path, error):
            raise RunProblem(f"{folder}: {why}") from None
        raise RunProblem(f"{path}: cannot be used ({error.strerror or error}); {remedy_of(folder)}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(handle, 200).decode(errors="replace").strip()
        os.close(handle)
        if error.errno not in HELD:
            remedy = f"keep the record there with --runs {folder.resolve().parent.as_uri()}, which needs none, or take a local folder"
            if folder.resolve().is_relative_to(home().resolve()):  # the copy here of a run at an address
                remedy = "set PROMPTLAB_HOME to a local folder"
            raise RunProblem(
                f"{folder}: the file system there has no locks ({error.strerror}), so nothing could keep a second sweep from writing the "
                f"same run; {remedy}"
            ) from None
        raise RunProblem(f"{folder}: another process ({holder or 'unknown'}) is writing this run; wait for it or stop it") from None
    os.truncate(handle, 0)
    os.write(handle, f"pid {os.getpid()}".encode())
    return handle


def denied(path: Path, error: BaseException) -> str | None:
    """Whose permission it takes to write or make a file, and what to do; None where the error has another cause."""
    is_read_only = getattr(error, "errno", None) == errno.EROFS
    if not isinstance(error, PermissionError) and not is_read_only:
        return None
    path = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if (uid := path.lstat().st_uid) != os.geteuid() and not is_read_only:
        return (
            f"another user (uid {uid}) writes here, and only its owner can; copy the run to a folder of your own, and give it with --runs"
        )
    return f"{path} is read-only for this user; allow writing there, or choose another folder with --runs"


def remedy_of(folder: Path) -> str:
    """What to do about a damaged file of a run folder."""
    return f"restore it from a copy, or move it aside with `promptlab runs repair {shlex.quote(str(folder))}`"


def reason_of(error: BaseException) -> str:
    """What is wrong with a damaged file, at most 200 characters of it: an error's message without its path and without `remedy_of`."""
    text = re.split(r"[;:] restore it from a copy", (str(error).splitlines() or [""])[0])[0]
    return (text.partition(": ")[2] or text)[:200]


def unwritable(path: Path, error: BaseException) -> RunProblem:
    """A file of a run that cannot be written, why, and what to do about it."""
    remedy = denied(path, error)
    if remedy is None:
        try:
            stat = os.statvfs(path.parent)
            remedy = f"{stat.f_bavail * stat.f_frsize / 1e6:,.1f} MB are free there; make room and run the same command again"
        except OSError:
            remedy = "the folder cannot be reached"
    return RunProblem(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}; {remedy}")


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
        data = orjson.dumps(line)
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        data = json.dumps(line, ensure_ascii=True, default=vars).encode()
    return b"%b%b%d}\n" % (data[:-1], CHECKSUM, zlib.crc32(data))


def journal_rows(data: bytes) -> list[dict[str, Any]]:
    """The rows of a journal's whole lines: each a trial with its calls."""
    return [row for _, row in whole_lines(data)]


def whole_lines(data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """The lines of a journal that are as they were written, each with its rows, of the kinds that a part takes.

    Lines of earlier versions have no checksum. What is no such line is the torn tail of a killed process, or damaged.
    """
    for line in data.split(b"\n"):
        before, mark, checksum = line.rpartition(CHECKSUM)
        if mark and checksum != b"%d}" % zlib.crc32(before + b"}"):
            continue
        try:
            row = json_value(line)
            trial, calls = row["trial"], row["calls"]
            if "setting" not in trial:  # a run of format 1
                trial["setting"] = Setting.of(trial).id
                line = line_of(trial, calls).rstrip(b"\n")  # noqa: PLW2901
            fits = len(row) == (3 if mark else 2) and _fits(trial, TRIAL_COLUMNS) and all(_fits(call, CALL_COLUMNS) for call in calls)
            if b"\\ud" in line:
                json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair is no text of a part
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if fits:
            yield line, row


def damaged_lines(data: bytes) -> list[bytes]:
    """The lines of a journal that were written whole and are not so any more; the torn tail of a killed process is not one."""
    lines, twice = data.split(b"\n")[:-1], set(lines_with_a_key_twice(data))
    return [line for line in lines if line.strip() and not line.startswith(AFTER) and (line in twice or not journal_rows(line))]


def lines_with_a_key_twice(data: bytes) -> list[bytes]:
    """The whole lines of a journal that hold a key twice: people see the first value, and readers take the last."""
    found = []
    for line in data.split(b"\n")[:-1]:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # no such line, which others report, or not in this quick way
            row = orjson.loads(line)
            if line.count(b'":') - line.count(b'\\":') == len(row) + len(row["trial"]) + sum(map(len, row["calls"])):
                continue  # as many keys are written as are read
        try:
            json_value(line, once=True)
        except KeyTwice:
            found.append(line)
        except ValueError:
            continue
    return found


def set_aside(folder: Path, lines: Sequence[bytes]) -> None:
    """Keep damaged lines next to the run: nothing that could be read by a person is thrown away."""
    if lines:
        path = way_aside(folder) / "journal.jsonl"
        with open(opened_to_write(free(path) if _is_strange(path) else path, os.O_APPEND), "ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))


def way_aside(folder: Path, place: Path = Path()) -> Path:
    """The folder for what repair moves out of a folder of the run; a link or a file on the way there is renamed, never followed."""
    way = folder / DAMAGED
    for part in (way, *(way / parent for parent in reversed((place / "x").parents[:-1]))):
        if os.path.lexists(part) and (part.is_symlink() or not part.is_dir()):
            part.rename(free(part))
    (way / place).mkdir(parents=True, exist_ok=True)
    return way / place


def free(path: Path) -> Path:
    """The path, or where something lies there one like it."""
    while os.path.lexists(path):
        path = path.with_name(f"{path.name}.again")
    return path


def strangers(folder: Path) -> list[Path]:
    """The links, pipes and devices in a run folder, besides those that repair moved aside: no writer meets one."""
    found = []
    for place, folders, files in os.walk(folder):
        found += [path for name in (*folders, *files) if _is_strange(path := Path(place, name), stat.S_ISREG, stat.S_ISDIR)]
        folders[:] = [name for name in folders if Path(place, name) != folder / DAMAGED]
    return sorted(found)


def _is_strange(path: Path, *right: Callable[[int], bool]) -> bool:
    """Whether there is something of another kind than these; by default, than a file."""
    return os.path.lexists(path) and not any(is_right(path.lstat().st_mode) for is_right in right or (stat.S_ISREG,))


def _fits(row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
    """Whether a row has what its columns take."""
    return all(_takes(kind, row.get(name)) for name, kind in columns.items())


def _takes(kind: str, value: object) -> bool:
    """Whether a column of this kind takes the value."""
    bare = kind.rstrip("?")
    if value is None or type(value) not in KINDS[bare]:
        return value is None and bare != kind
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    most = MOST[type(value), bare]
    return -most - 1 <= value <= most and (bare == "float" or value == int(value))


def read_file(path: Path, limit: int = JSON_LIMIT) -> bytes:
    """A file of a run folder; FileNotFoundError where it is missing, RunProblem where it is no regular file of the folder, or too large."""
    try:
        return read_bytes(path, limit, path.parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        remedy = "its owner must allow it" if isinstance(error, PermissionError) else remedy_of(path.parent)
        raise RunProblem(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from error


def journal_of(folder: Path) -> bytes:
    """The journal of a run folder; empty where there is none."""
    try:
        return read_file(folder / "journal.jsonl", JOURNAL_LIMIT)
    except FileNotFoundError:
        return b""


def leftovers(folder: Path) -> list[Path]:
    """Temporary files in a run folder of processes that have ended."""
    found = [path for place in (".", "trials", "calls") for path in sorted((folder / place).glob(".*.tmp"))]
    return [path for path in found if not is_alive(path.name.rsplit(".", 2)[-2])]


def clear(paths: Iterable[Path]) -> None:
    """Remove files, those that are gone already included."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def is_alive(pid: str) -> bool:
    """Whether a process of this number runs."""
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


PART = re.compile(r"part-\d{5,9}\.parquet\Z")


def parts_in(folder: Path, kind: str) -> list[Path]:
    """The parts of a run folder, `trials` or `calls`, in their order."""
    return sorted(path for path in (folder / kind).glob("part-*.parquet") if PART.match(path.name))


def _run_of(path: Path) -> Path:
    return path.parent.parent if PART.match(path.name) else path.parent


def part_rows(path: Path, columns: Mapping[str, str]) -> list[Row]:
    """The rows of one Parquet part; RunProblem, caused by what is wrong with it, where it cannot be read."""
    rows: list[Row] = read_part(path, columns).to_pylist()
    return rows


def read_part(path: Path, columns: Mapping[str, str]) -> pa.Table:
    """These columns of one Parquet part; RunProblem where it cannot be read. A nullable column that the part lacks is null."""
    try:
        table = parquet_table(path, {*columns, "placement", "shots", "strategy"} if "setting" in columns else columns, _run_of(path))
        there = set(table.column_names)
        if "setting" in columns and "setting" not in there:  # a run of format 1
            factors = [table[name].cast(pa.string()) for name in ("placement", "shots", "strategy")]
            table = table.append_column("setting", pc.binary_join_element_wise(*factors, "/"))
            there.add("setting")
        if missing := [name for name in columns if name not in there]:
            names = set(pq.read_schema(path).names)
            if strange := names - {*TRIAL_COLUMNS, *CALL_COLUMNS, *ITEM_COLUMNS}:
                raise ValueError(f"the column {missing[0]} is missing, and {min(strange)!r} is not one that any version writes")
        for name in missing:  # a run of an earlier version
            if not columns[name].endswith("?"):
                raise pa.ArrowInvalid(f"the column {name} is missing")
            table = table.append_column(name, pa.nulls(len(table), ARROW[columns[name].rstrip("?")]))
        table = table.select(list(columns)).cast(schema(columns))
        if empty := [name for name, kind in columns.items() if not kind.endswith("?") and table[name].null_count]:
            raise ValueError(f"the column {empty[0]} has rows without a value")
        return table
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise RunProblem(f"{path}: a part cannot be read ({error}); {remedy_of(_run_of(path))}") from error

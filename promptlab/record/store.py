"""The run folder: the record of an experiment, appended while it runs, readable at any moment.

runs/<id>/
  manifest.json      what ran, from which hashes, in what state; rewritten whole
  plan.json          families, margins and counts, written before the first call
  looks.json         what planned looks decided, where there are any
  experiment.yaml    the file as it was given
  items.parquet      the items that the run uses
  trials/, calls/    Parquet parts
  journal.jsonl      trials that are not in a part yet: one line each, a torn last line is read past
  lock               held by the process that writes

A trial is acknowledged when its line is in the journal. A part is made of the journal's lines in a thread, while more of them come; it
is renamed into place before they leave the journal. A crash between the two leaves rows in both, and reading keeps one of each.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from promptlab.nouns.columns import CALL_COLUMNS, ITEM_COLUMNS, TRIAL_COLUMNS
from promptlab.nouns.errors import RunProblem, did_you_mean
from promptlab.nouns.identity import digest
from promptlab.nouns.item import Task
from promptlab.nouns.manifest import Manifest
from promptlab.nouns.plan import READABLE, Plan
from promptlab.nouns.setting import Setting

PART_ROWS = 2_000
PART_BYTES = 64 * 2**20
"""A part is made of so many trials, or of as many as fill so much of the journal."""
FEW_VALUES = (
    "model", "suite", "task", "item", "cluster", "arm", "role", "stimulus", "library", "base_prompt", "setting", "placement", "strategy",
    "outcome", "model_version", "error",
)  # fmt: skip
JOURNAL = -1
"""The number of what is no part yet."""
GROUP_ROWS = 50_000
ITEMS_AT_ONCE = 10_000
SAME_ROW = ("trial", "outcome", "answer", "latency_s", "attempts", "error")
DAMAGED = "damaged"
"""Where repair puts what cannot be read."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
Row = Mapping[str, Any]
Whole = TypeVar("Whole", Plan, Manifest)


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a frame declared in `promptlab.nouns.columns`."""
    return pa.schema([pa.field(name, ARROW[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in columns.items()])


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
        raise RunProblem(f"{path}: cannot be written: {error.strerror}; {_space(path.parent)}") from None


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Run:
    """Reads one run folder, finished or not. Frames are pandas, one row per trial or call, columns as in `promptlab.nouns.columns`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            names = [p.name for p in runs_in(folder.parent)]
            raise RunProblem(f"{folder}: there is no such run; {did_you_mean(folder.name, names)}".rstrip("; "))
        self.manifest = _typed(folder / "manifest.json", Manifest)[0]

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def plan(self) -> Plan:
        """Families, margins and counts as frozen before the first call."""
        return frozen_plan(self.folder)[0]

    @property
    def looks(self) -> dict[str, Any]:
        """What the planned looks decided so far; empty in a run without looks."""
        return _json(self.folder / "looks.json") if (self.folder / "looks.json").exists() else {}

    @property
    def state(self) -> str:
        """The manifest's state; a run that says `running` while nobody holds its lock was interrupted."""
        state = self.manifest.state
        return "interrupted" if state == "running" and not is_locked(self.folder) else state

    def trials(self, *, compact: bool = False) -> pd.DataFrame:
        """The trials recorded so far, in the order in which the design sends them.

        `compact` makes columns with few values categorical: a million trials take a third of the memory.
        """
        table = self._table("trials", TRIAL_COLUMNS, FEW_VALUES if compact else ())
        order = table["order"].to_numpy()
        rank = np.argsort(order, kind="stable")
        rank = rank[np.append(order[rank][1:] != order[rank][:-1], True)] if len(rank) else rank  # of one trial the last row
        columns = {}
        for name in table.column_names:  # one at a time, so that never two copies of all are held
            columns[name] = table[name].take(rank).to_pandas()
            table = table.drop_columns([name])
        del table
        pa.default_memory_pool().release_unused()
        return pd.DataFrame(columns, copy=False)

    def calls(self) -> pd.DataFrame:
        """Every call of every trial, with its exact messages and the answer as it came."""
        frame: pd.DataFrame = self._table("calls", CALL_COLUMNS).to_pandas()
        return frame.drop_duplicates(["trial", "turn"], keep="last").reset_index(drop=True)

    def records(self) -> Iterator[tuple[Row, list[Row]]]:
        """Every recorded trial with its calls, part by part: a large run is never in memory as a whole."""
        for path in self._parts("trials"):
            calls: dict[str, list[Row]] = {}
            for call in part_rows(self.folder / "calls" / path.name, CALL_COLUMNS):
                calls.setdefault(call["trial"], []).append(call)
            for trial in part_rows(path, TRIAL_COLUMNS):
                yield trial, calls.get(trial["trial"], [])
        for line in self._journal():
            yield line["trial"], line["calls"]

    def items(self) -> pd.DataFrame:
        """The items of the run; `targets` and `choices` are lists."""
        frame: pd.DataFrame = pq.read_table(self.folder / "items.parquet").to_pandas()
        return frame.assign(targets=frame["targets"].map(json.loads), choices=frame["choices"].map(json.loads))

    def each_item(self) -> Iterator[Row]:
        """The same, one item after the other: of hundreds of thousands none has to stay."""
        with pq.ParquetFile(self.folder / "items.parquet") as file:
            for batch in file.iter_batches(ITEMS_AT_ONCE):
                for row in batch.to_pylist():
                    yield {**row, "targets": json.loads(row["targets"]), "choices": json.loads(row["choices"])}

    def part_of(self) -> pd.Series[int]:
        """The number of the part that holds each trial, by the trial's order; -1 for the journal. Of one trial the last counts."""
        found = [
            (int(path.stem.removeprefix("part-")), pq.read_table(path, columns=["order"])["order"].to_numpy())
            for path in self._parts("trials")
        ]
        found.append((JOURNAL, np.array([line["trial"]["order"] for line in self._journal()], dtype=np.int64)))
        orders = np.concatenate([orders for _, orders in found])
        parts = np.repeat([part for part, _ in found], [len(orders) for _, orders in found])
        series = pd.Series(parts, index=orders, dtype=np.int64)
        return series[~series.index.duplicated(keep="last")]

    def calls_of(self, trial: str, part: int | None = None) -> pd.DataFrame:
        """The calls of one trial, in turn order; quicker where the part that holds them is known."""
        wanted = schema(CALL_COLUMNS)
        rows = [row for line in self._journal() for row in line["calls"] if row["trial"] == trial]
        paths = [path for path in self._parts("calls") if part in (None, JOURNAL) or path.stem == f"part-{part:05d}"]
        tables = [pq.read_table(path, schema=wanted, filters=[("trial", "=", trial)]) for path in paths]
        frame: pd.DataFrame = pa.concat_tables([*tables, pa.Table.from_pylist(rows, schema=wanted)]).to_pandas()
        return frame.drop_duplicates("turn", keep="last").sort_values("turn", ignore_index=True)

    def _table(self, kind: str, columns: Mapping[str, str], few: Sequence[str] = ()) -> pa.Table:
        wanted = schema(columns)
        rows: list[Row] = []
        for line in self._journal():
            rows.extend([line["trial"]] if kind == "trials" else line["calls"])
        tables = [_encoded(_part(path, columns), few) for path in self._parts(kind)]
        tables.append(_encoded(pa.Table.from_pylist(list(rows), schema=wanted), few))
        return pa.concat_tables(tables).unify_dictionaries()

    def _parts(self, kind: str) -> list[Path]:
        return sorted((self.folder / kind).glob("part-*.parquet"))

    def _journal(self) -> list[dict[str, Any]]:
        path = self.folder / "journal.jsonl"
        return list(_lines(path.read_bytes())) if path.exists() else []


def frozen_plan(folder: Path) -> tuple[Plan, str]:
    """The plan of a run, and the SHA-256 of its JSON as the file holds it, whatever its format: that of the manifest's hashes."""
    plan, found = _typed(folder / "plan.json", Plan)
    return plan, digest(found)


def _typed(path: Path, kind: type[Whole]) -> tuple[Whole, dict[str, Any]]:
    """A file of a run folder as an object, and as it is written."""
    found = _json(path)
    if found.get("format") not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise RunProblem(f"{path.parent}: written in run format {found.get('format')}, and this promptlab reads {known}")
    try:
        return kind.read(found), found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunProblem(f"{path}: has not the fields that it must have ({error}); was it edited?") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunProblem(f"{path}: missing, so this folder is not a run; run the sweep again, or point at another folder") from None
    except ValueError as error:
        raise RunProblem(f"{path}: not readable as JSON ({error}); restore it from a copy, or run the sweep again") from None
    if not isinstance(found, dict):
        raise RunProblem(f"{path}: holds no object; restore it from a copy, or run the sweep again")
    return found


def write_trials(path: Path, trials: pd.DataFrame, part_of: pd.Series[int]) -> None:
    """A trials frame as one Parquet file in its order, with the number of the part that holds each trial's calls."""
    parts = part_of.reindex(trials["order"]).to_numpy(dtype=np.int64, na_value=JOURNAL)
    table = pa.Table.from_pandas(trials.assign(part=parts), preserve_index=False)
    pq.write_table(table, path, compression="zstd", row_group_size=GROUP_ROWS)


class Recorded(NamedTuple):
    """What a run folder holds before a sweep goes on."""

    trials: frozenset[str]
    paid_usd: float
    paid_tokens: int


def recorded_in(folder: Path) -> Recorded:
    """What the parts of a run folder hold; its journal is not read."""
    columns = ["trial", "outcome", "paid_usd", "input_tokens", "output_tokens", "cached"]
    parts = sorted((folder / "trials").glob("part-*.parquet"))
    rows = [row for path in parts for row in part_rows(path, {name: TRIAL_COLUMNS[name] for name in columns})]
    last = {row["trial"]: row["outcome"] for row in rows}
    done = frozenset(trial for trial, outcome in last.items() if outcome != "error")
    tokens = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in rows if not row["cached"])
    return Recorded(done, sum(row["paid_usd"] or 0.0 for row in rows), tokens)


def written(value: object, *, ordered: bool = False) -> str:
    """JSON in one cell of a frame: text as it is, keys as they are or in order."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if ordered else 0).decode()
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.dumps(value, sort_keys=ordered)


def line_of(trial: Row, calls: Sequence[Row]) -> bytes:
    """One trial with its calls as a line of the journal."""
    line = {"trial": trial, "calls": list(calls)}
    try:
        return orjson.dumps(line) + b"\n"
    except TypeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.dumps(line, ensure_ascii=True).encode() + b"\n"


class RunWriter:
    """Appends to one run folder; holds its lock from creation to `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for sub in (folder, folder / "trials", folder / "calls"):
            sub.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        self._path = folder / "journal.jsonl"
        self._journal: IO[bytes] | None = None
        self._open: list[bytes] = []
        """The journal's lines, oldest first."""
        self._n_bytes = 0
        """Of those lines that no part is being made of."""
        self._making: tuple[int, Future[None]] | None = None
        """How many of the lines a part is being made of, and when it is there."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="promptlab-parts")
        if self._path.exists():
            lines = list(_whole_lines(self._path.read_bytes()))
            n = _n_in_newest_part(folder, [row["trial"] for _, row in lines])
            self._open = [line + b"\n" for line, _ in lines[n:]]
            self._compact()

    def append(self, trial: Row, calls: Sequence[Row]) -> None:
        """Acknowledge one trial: after this returns, a killed process loses nothing of it."""
        self.append_line(line_of(trial, calls))

    def append_line(self, line: bytes) -> None:
        """The same for a trial that `line_of` has already written, perhaps in another process."""
        if self._making and self._making[1].done():
            self._end_part()
        try:
            if self._journal is None:
                self._journal = self._path.open("ab", buffering=0)
            if self._journal.write(line) != len(line):  # a full disk may take half a line without an error
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RunProblem(f"{self._path}: cannot be written: {error.strerror}; {_space(self.folder)}") from None
        self._open.append(line)
        self._n_bytes += len(line)
        if len(self._open) - (self._making[0] if self._making else 0) >= PART_ROWS or self._n_bytes >= PART_BYTES:
            self._end_part()
            self._begin_part()

    def recorded(self) -> Recorded:
        """What needs no further call (everything recorded whose outcome is not an error), and what was paid so far."""
        self._compact()
        return recorded_in(self.folder)

    def looks(self) -> dict[str, Any]:
        """What the planned looks decided before a sweep goes on."""
        return Run(self.folder).looks

    def write_plan(self, plan: Plan) -> None:
        """Freeze the plan."""
        self.write_json("plan.json", plan.plain())

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        write_manifest(self.folder, manifest)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace one of the folder's JSON files."""
        write_whole(self.folder / name, _written(value))

    def write_text(self, name: str, text: str) -> None:
        """Replace one of the folder's text files."""
        write_whole(self.folder / name, text.encode("utf-8"))

    def write_items(self, tasks: Iterable[Task]) -> None:
        """The items that the run uses, once."""
        rows = [
            {
                "suite": task.suite,
                "task": task.name,
                "item": item.id,
                "input": item.input,
                "targets": json.dumps(item.targets, ensure_ascii=False),
                "choices": json.dumps(item.choices, ensure_ascii=False),
                "cluster": item.cluster,
                "scores": json.dumps(item.scores) if item.scores else None,
            }
            for task in tasks
            for item in task.items
        ]
        _write_table(self.folder / "items.parquet", _table_of(rows, ITEM_COLUMNS))

    def close(self) -> None:
        """Move what is open into parts and release the lock."""
        try:
            self._compact()
        finally:
            self._thread.shutdown()
            if self._journal:
                self._journal.close()
            os.close(self._lock)

    def _compact(self) -> None:
        """Everything into parts, here and now."""
        self._end_part()
        if self._open:
            self._begin_part()
            self._end_part()
        self._path.unlink(missing_ok=True)

    def _begin_part(self) -> None:
        """Make a part of all lines, in a thread: while it is made, trials go on coming into the journal."""
        self._making = len(self._open), self._thread.submit(_write_part, self.folder, _next_part(self.folder), list(self._open))
        self._n_bytes = 0

    def _end_part(self) -> None:
        """Wait for the part that is being made, and take its lines out of the journal."""
        if self._making is None:
            return
        (n, made), self._making = self._making, None
        made.result()
        self._open = self._open[n:]
        if self._journal:
            self._journal.close()
            self._journal = None
        if self._open:
            write_whole(self._path, b"".join(self._open))
        else:
            self._path.unlink(missing_ok=True)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a run that this process holds."""
    write_whole(folder / "manifest.json", _written(manifest.plain()))


def _written(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _n_in_newest_part(folder: Path, trials: Sequence[Row]) -> int:
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


def _write_part(folder: Path, number: int, lines: Sequence[bytes]) -> None:
    """Make a part of the journal's lines."""
    try:
        trials, calls = _read_lines(b"".join(lines))
    except pa.ArrowException:  # half a surrogate pair, or a number of another kind
        rows = [json.loads(line) for line in lines]
        trials = _table_of([row["trial"] for row in rows], TRIAL_COLUMNS)
        calls = _table_of([call for row in rows for call in row["calls"]], CALL_COLUMNS)
    name = f"part-{number:05d}.parquet"
    _write_table(folder / "calls" / name, calls)  # calls first: a trial that a part holds always has its calls
    _write_table(folder / "trials" / name, trials)


def _read_lines(data: bytes) -> tuple[pa.Table, pa.Table]:
    """Trials and calls of a journal, read by Arrow, which lets other threads go on."""
    trial, call = (pa.struct(list(schema(columns))) for columns in (TRIAL_COLUMNS, CALL_COLUMNS))
    read = pj.read_json(
        pa.BufferReader(data),
        pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        pj.ParseOptions(pa.schema([("trial", trial), ("calls", pa.list_(call))]), unexpected_field_behavior="ignore"),
    )
    trials, calls = read["trial"].combine_chunks(), read["calls"].combine_chunks().flatten()
    return pa.Table.from_struct_array(trials), pa.Table.from_struct_array(calls)


def _table_of(rows: Sequence[Row], columns: Mapping[str, str]) -> pa.Table:
    wanted = schema(columns)
    arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in wanted]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _write_table(path: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    write_whole(path, sink.getvalue().to_pybytes())


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


def _lock(folder: Path) -> int:
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


def part_rows(path: Path, columns: Mapping[str, str]) -> list[Row]:
    """The rows of one Parquet part; RunProblem, caused by what is wrong with it, where it cannot be read."""
    rows: list[Row] = _part(path, columns).to_pylist()
    return rows


def journal_rows(data: bytes) -> list[dict[str, Any]]:
    """The whole lines of a journal: each a trial with its calls, of the kinds that a part takes."""
    return [row for row in _lines(data) if _fits(row)]


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other writer out of a run folder; RunProblem where one is in it."""
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _fits(row: Mapping[str, Any]) -> bool:
    try:
        pa.Table.from_pylist([row["trial"]], schema=schema(TRIAL_COLUMNS))
        pa.Table.from_pylist(row["calls"], schema=schema(CALL_COLUMNS))
        return isinstance(row["trial"]["trial"], str)
    except (pa.ArrowException, KeyError, TypeError, AttributeError, ValueError):
        return False


def _part(path: Path, columns: Mapping[str, str]) -> pa.Table:
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


def settings_of(table: pa.Table) -> pa.Array:
    """The ids of the settings of rows that name their factors only."""
    factors = [table[name].cast(pa.string()) for name in ("placement", "shots", "strategy")]
    return pc.binary_join_element_wise(*factors, "/")


def _encoded(table: pa.Table, few: Sequence[str]) -> pa.Table:
    """The table with these columns as codes and a list of their values."""
    for name in few:
        table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
    return table


def _next_part(folder: Path) -> int:
    """A number that no part has, nor one that repair moved aside."""
    taken = [path.stem.removeprefix("part-") for place in ("trials", f"{DAMAGED}/*") for path in folder.glob(f"{place}/part-*.parquet")]
    return max((int(number) for number in taken if number.isdigit()), default=-1) + 1


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for _, row in _whole_lines(data):
        yield row


def _whole_lines(data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
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


def _space(folder: Path) -> str:
    try:
        stat = os.statvfs(folder)
    except OSError:
        return "the folder cannot be reached"
    free_mb = stat.f_bavail * stat.f_frsize / 1e6
    return f"{free_mb:,.1f} MB are free there; make room and run the same command again"

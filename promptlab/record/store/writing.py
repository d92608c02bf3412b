"""Writing a run folder: one process at a time, every trial durable from the moment it is acknowledged."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from promptlab.nouns import CALL_COLUMNS, ITEM_COLUMNS, TRIAL_COLUMNS, CallRow, ItemRow, Manifest, Plan, RunProblem, Task, TrialRow
from promptlab.record.store.chain import Chain, State
from promptlab.record.store.files import (
    DAMAGED,
    Row,
    clear,
    damaged_lines,
    journal_of,
    leftovers,
    line_of,
    locked,
    part_rows,
    parts_in,
    remedy_of,
    schema,
    set_aside,
    strangers,
    sync,
    unwritable,
    whole_lines,
    write_whole,
)  # fmt: skip
from promptlab.record.store.reading import Recorded, Run, recorded_in

SAME_ROW = ("trial", "outcome", "answer", "latency_s", "attempts", "error")
SYNC_WITHIN_S = 0.2
"""So long after it is written a trial also survives a power cut."""
CLOSED = -1
PART_ROWS = 2_000
PART_BYTES = 64 * 2**20
"""A part is made of so many trials, or of as many as fill so much of the journal."""


class RunWriter:
    """Appends to one run folder; holds its lock from creation to `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for sub in (folder, folder / "trials", folder / "calls"):
            if sub != folder and os.path.lexists(sub) and (sub.is_symlink() or not sub.is_dir()):
                raise RunProblem(f"{sub}: no folder of this run, but a link or a file; {remedy_of(folder)}")
            sub.mkdir(parents=True, exist_ok=True)
        if strange := strangers(folder):
            raise RunProblem(f"{strange[0]}: a link or a pipe, which no run has; {remedy_of(folder)}")
        self._lock = locked(folder)
        clear(leftovers(folder))
        self.chain = Chain(folder)
        self._path = folder / "journal.jsonl"
        self._journal: IO[bytes] | None = None
        self._open: list[bytes] = []
        """The journal's lines, oldest first."""
        self._n_bytes = 0
        """Of those lines that no part is being made of."""
        self._making: tuple[int, Future[None], str, State] | None = None
        """How many of the lines a part is being made of, when it is there, its name, and the chain after those lines."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="promptlab-parts")
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="promptlab-sync")
        self._sync: Future[None] | None = None
        self._closing = threading.Event()
        if os.path.lexists(self._path):
            try:
                self._take_over()
            except BaseException:
                os.close(self._lock)  # nobody can close what was never made
                raise

    def _take_over(self) -> None:
        """The journal of a process that ended."""
        data = journal_of(self.folder)
        damaged = dict.fromkeys(damaged_lines(data))
        lines = [one for one in whole_lines(data) if one[0] not in damaged]
        set_aside(self.folder, list(damaged))
        n = n_in_newest_part(self.folder, [row["trial"] for _, row in lines])
        self._open = [line + b"\n" for line, _ in lines[n:]]
        self.chain.add(self._open)
        self.compact()

    def append(self, trial: TrialRow | Row, calls: Sequence[CallRow | Row]) -> None:
        """Record one trial: after this returns, a killed process loses nothing of it, and `SYNC_WITHIN_S` later a power cut neither."""
        self.append_lines([line_of(trial, calls)])

    def append_lines(self, lines: Sequence[bytes]) -> None:
        """The same for trials that `line_of` has already written, perhaps in another process."""
        self._check_place()
        data = b"".join(lines)
        if self._making and self._making[1].done():
            self._end_part()
        try:
            if self._journal is None:
                self._journal = self._path.open("ab", buffering=0)
            if (n := self._journal.write(data)) != len(data):  # a full disk may take half of it without an error
                written = [line + b"\n" for line in data[:n].split(b"\n")[:-1]]
                self._open += written
                self.chain.add(written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise unwritable(self._path, error) from None
        if self._sync is None or self._sync.done():
            if self._sync and (failed := self._sync.exception()):
                raise unwritable(self._path, failed)
            self._sync = self._syncer.submit(self._sync_soon)
        self._open += lines
        self.chain.add(lines)
        self._n_bytes += len(data)
        if len(self._open) - (self._making[0] if self._making else 0) >= PART_ROWS or self._n_bytes >= PART_BYTES:
            self._end_part()
            self._begin_part()

    def _check_place(self) -> None:
        """RunProblem where the folder is no longer the one whose lock this process holds."""
        if self._lock == CLOSED:
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(self.folder / "lock"), os.fstat(self._lock)):
                return
        raise RunProblem(
            f"{self.folder}: the folder was moved or deleted during the sweep, so nothing more is sent; everything recorded is in it: "
            f"move it back, and run the same command again"
        )

    def _sync_soon(self) -> None:
        """Make durable what is in the journal by then; a journal that has become a part is so already."""
        self._closing.wait(SYNC_WITHIN_S)
        with contextlib.suppress(FileNotFoundError):
            sync(self._path)
            sync(self.folder)

    def recorded(self) -> Recorded:
        """What needs no further call (everything recorded whose outcome is not an error), and what was paid so far."""
        self.compact()
        return recorded_in(self.folder)

    def looks(self) -> dict[str, Any]:
        """What the planned interim analyses decided before a sweep continues."""
        return Run(self.folder).looks

    def write_plan(self, plan: Plan) -> None:
        """Freeze the plan."""
        self.write_json("plan.json", plan.plain())

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        self._check_place()
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
            ItemRow(
                suite=task.suite,
                task=task.name,
                item=item.id,
                input=item.input,
                targets=json.dumps(item.targets, ensure_ascii=False),
                choices=json.dumps(item.choices, ensure_ascii=False),
                cluster=item.cluster,
                scores=json.dumps(item.scores) if item.scores else None,
                columns=json.dumps(item.columns, ensure_ascii=False) if item.columns else None,
            )
            for task in tasks
            for item in task.items
        ]
        write_table(self.folder / "items.parquet", table_of([vars(row) for row in rows], ITEM_COLUMNS))

    def close(self) -> None:
        """Move what is open into parts and release the lock."""
        try:
            self.compact()
        finally:
            self._thread.shutdown()
            self._closing.set()
            self._syncer.shutdown()
            if self._journal:
                self._journal.close()
            os.close(self._lock)
            self._lock = CLOSED

    def compact(self) -> None:
        """Everything into parts, here and now."""
        self._check_place()
        self._end_part()
        if self._open:
            self._begin_part()
            self._end_part()
        self._path.unlink(missing_ok=True)

    def _begin_part(self) -> None:
        """Make a part of all lines, in a thread: while it is made, trials continue coming into the journal."""
        number = next_part(self.folder)
        made = self._thread.submit(write_part, self.folder, number, list(self._open))
        self._making = len(self._open), made, part_name(number), self.chain.state
        self._n_bytes = 0

    def _end_part(self) -> None:
        """Wait for the part that is being made, and take its lines out of the journal."""
        if self._making is None:
            return
        (n, made, name, state), self._making = self._making, None
        try:
            made.result()
            self.chain.seal(name, state)
        except RunProblem:
            self._check_place()
            raise
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
    name = part_name(number)
    write_table(folder / "calls" / name, calls)  # calls first: a trial that a part holds always has its calls
    write_table(folder / "trials" / name, trials)


def part_name(number: int) -> str:
    """The file name of a part."""
    return f"part-{number:05d}.parquet"


def _read_lines(data: bytes) -> tuple[pa.Table, pa.Table]:
    """Trials and calls of a journal, read by Arrow, which lets other threads continue; columns that are not known are kept."""
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
    """How many of a journal's first rows are the newest part: a process ended before it took them out. Sent again, it is another row."""
    newest = max(parts_in(folder, "trials"), default=None)
    if newest is None:
        return 0
    try:
        in_part = part_rows(newest, {name: TRIAL_COLUMNS[name] for name in SAME_ROW})
    except RunProblem:  # whoever reads the run says so
        return 0
    first = [{name: row.get(name) for name in SAME_ROW} for row in trials[: len(in_part)]]
    return len(in_part) if first == in_part else 0

"""Reading a run folder, finished or not.

Above 400 lines: rows, items, plan and manifest are read in one way, which says what cannot be read and what to do about it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptlab.nouns import READABLE, BatchPart, Manifest, NoRun, Plan, RunProblem, did_you_mean, digest, look_rows, readable, runs_folder
from promptlab.nouns.grouping import grouped
from promptlab.nouns.record import CALL_COLUMNS, ITEM_COLUMNS, TRIAL_COLUMNS
from promptlab.nouns.typed import typed
from promptlab.record.store.bounds import check_bounds
from promptlab.record.store.files import (
    Row,
    is_locked,
    journal_of,
    journal_rows,
    part_rows,
    parts_in,
    read_file,
    read_part,
    remedy_of,
    runs_in,
    schema,
)
from promptlab.sources.foreign import json_value

if TYPE_CHECKING:
    import pandas as pd  # its import takes long: only who reads frames needs it

FEW_VALUES = [name for name, kind in TRIAL_COLUMNS.items() if kind.startswith("str") and name not in ("trial", "extracted", "answer")]
FEW_IN_CALLS = ("outcome", "purpose", "first_run")
Whole = TypeVar("Whole", Plan, Manifest)
BATCHES, BATCH_FOLDER = "batches.json", "batches"
JOURNAL = -1
"""The number of what is no part yet."""
GROUP_ROWS = 50_000
ITEMS_AT_ONCE = 10_000


MISSING = "{}: missing from this run; the same sweep command writes it again"
MADE_FIRST = ("manifest.json", "plan.json", "trials")
"""What a run folder holds from its beginning: one of them tells a damaged run from any other folder."""


class Run:
    """Reads one run folder, finished or not. Frames are pandas, one row per trial or call, columns as in `promptlab.nouns.record`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            names = [p.name for where in dict.fromkeys((folder.parent, runs_folder())) for p in runs_in(where)]
            raise NoRun(f"{folder}: there is no such run; {did_you_mean(folder.name, names)}".rstrip("; "))
        self.manifest = manifest_in(folder)
        self._plan: tuple[tuple[int, ...], Plan] | None = None

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def experiment_file(self) -> Path | None:
        """The file that the run came from, where it still is: as seen from here, or from where the folder of runs is."""
        path = Path(self.manifest.experiment_path or "")
        return next((place / path for place in (Path(), self.folder.parent.parent) if (place / path).is_file()), None)

    @property
    def plan(self) -> Plan:
        """Families, margins and counts as frozen before the first call; read again only where the file is another."""
        with contextlib.suppress(OSError):
            stat = (self.folder / "plan.json").stat()
            at = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if self._plan is None or self._plan[0] != at:
                self._plan = at, frozen_plan(self.folder)[0]
            return self._plan[1]
        return frozen_plan(self.folder)[0]

    @property
    def looks(self) -> dict[str, Any]:
        """What the planned interim analyses decided so far; empty in a run without them."""
        return looks_in(self.folder)

    @property
    def state(self) -> str:
        """The manifest's state; a run that says `running` while nobody holds its lock was interrupted."""
        state = self.manifest.state
        return "interrupted" if state == "running" and not is_locked(self.folder) else state

    def trials(self, *, compact: bool = False) -> pd.DataFrame:
        """The trials recorded so far, in the order in which the design sends them.

        `compact` makes columns with few values categorical: a million trials take a third of the memory.
        """
        import pandas as pd

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

    def calls(self, names: Collection[str] = tuple(CALL_COLUMNS)) -> pd.DataFrame:
        """Every call of every trial, with its exact messages and the answer as it came.

        `names` chooses columns, `trial` and `turn` among them; those with few values are categorical then.
        """
        columns = {name: CALL_COLUMNS[name] for name in names}
        few = [name for name in FEW_IN_CALLS if name in columns and len(columns) < len(CALL_COLUMNS)]
        frame: pd.DataFrame = self._table("calls", columns, few).to_pandas()
        return frame.drop_duplicates(["trial", "turn"], keep="last").reset_index(drop=True)

    def records(self) -> Iterator[tuple[Row, list[Row]]]:
        """Every recorded trial with its calls, part by part: a large run is never in memory as a whole."""
        return self._records(self._parts("trials"))

    def drawn(self, most: int, most_parts: int) -> list[tuple[Row, list[Row]]]:
        """So many trials of so many parts at most and of the journal, with their calls, drawn at random each time.

        Besides them as many failed trials, which come first.
        """
        dice, parts = random.SystemRandom(), self._parts("trials")

        def some(failed: Sequence[bool], share: int = 1) -> list[int]:
            """The places of as many of both kinds, in any order; of those that did not fail only this share."""
            bad, good = ([n for n, one in enumerate(failed) if one == is_failed] for is_failed in (True, False))
            return [*dice.sample(bad, min(most, len(bad))), *dice.sample(good, min(-(-most // share), len(good)))]

        chosen = dice.sample(parts, min(most_parts, len(parts)))
        found = list(self._records(chosen, lambda failed: some(failed, len(chosen))))
        return [found[n] for n in some([trial["outcome"] == "error" for trial, _ in found])]

    def _records(
        self, parts: Sequence[Path], chosen: Callable[[Sequence[bool]], Sequence[int]] | None = None
    ) -> Iterator[tuple[Row, list[Row]]]:
        """The trials of these parts with their calls, and those of the journal; `chosen` picks rows of a part by which of them failed."""
        for path in parts:
            trials, of_calls = read_part(path, TRIAL_COLUMNS), read_part(self.folder / "calls" / path.name, CALL_COLUMNS)
            if chosen is not None:
                trials = trials.take(pa.array(chosen(pc.equal(trials["outcome"], "error").to_pylist()), pa.int64()))
                of_calls = of_calls.filter(pc.is_in(of_calls["trial"], trials["trial"].combine_chunks()))
            calls = grouped((call["trial"], call) for call in of_calls.to_pylist())
            for trial in trials.to_pylist():
                yield trial, calls.get(trial["trial"], [])
        for line in self._journal():
            yield line["trial"], line["calls"]

    def items(self) -> pd.DataFrame:
        """The items of the run; `targets` and `choices` are lists."""
        frame: pd.DataFrame = read_part(self.folder / "items.parquet", ITEM_COLUMNS).to_pandas()
        return frame.assign(targets=frame["targets"].map(json.loads), choices=frame["choices"].map(json.loads))

    def each_item(self, named: Collection[str] | None = None) -> Iterator[Row]:
        """The same, one item after the other: of hundreds of thousands none has to stay. `named` chooses by the item's name."""
        return items_in(self.folder, named)

    def part_of(self) -> pd.Series[int]:
        """The number of the part that holds each trial, by the trial's order; -1 for the journal. Of one trial the last counts."""
        import pandas as pd

        found = [
            (int(path.stem.removeprefix("part-")), read_part(path, {"order": "int"})["order"].to_numpy()) for path in self._parts("trials")
        ]
        found.append((JOURNAL, np.array([line["trial"]["order"] for line in self._journal()], dtype=np.int64)))
        orders = np.concatenate([orders for _, orders in found])
        parts = np.repeat([part for part, _ in found], [len(orders) for _, orders in found])
        series = pd.Series(parts, index=orders, dtype=np.int64)
        return series[~series.index.duplicated(keep="last")]

    def orders(self) -> npt.NDArray[np.int64]:
        """The order of each row of the trials, as they were recorded: of a trial that was sent again, every row."""
        return np.asarray(self._table("trials", {"order": "int"})["order"].to_numpy(), dtype=np.int64)

    def calls_of(self, trial: str, part: int | None = None) -> pd.DataFrame:
        """The calls of one trial, in turn order; quicker where the part that holds them is known."""
        return self.calls_in([trial], part)

    def calls_in(self, trials: Collection[str], part: int | None = None) -> pd.DataFrame:
        """The calls of some trials of one part (None: of any), by trial and in turn order."""
        wanted, named = schema(CALL_COLUMNS), set(trials)
        rows = [row for line in self._journal() for row in line["calls"] if row["trial"] in named]
        paths = [path for path in self._parts("calls") if part in (None, JOURNAL) or path.stem == f"part-{part:05d}"]
        among = pa.array(sorted(named))
        tables = [found.filter(pc.is_in(found["trial"], among)) for found in (read_part(path, CALL_COLUMNS) for path in paths)]
        frame: pd.DataFrame = pa.concat_tables([*tables, pa.Table.from_pylist(rows, schema=wanted)]).to_pandas()
        return frame.drop_duplicates(["trial", "turn"], keep="last").sort_values(["trial", "turn"], ignore_index=True)

    def _table(self, kind: str, columns: Mapping[str, str], few: Sequence[str] = ()) -> pa.Table:
        wanted = schema(columns)
        rows: list[Row] = []
        for line in self._journal():
            rows.extend([line["trial"]] if kind == "trials" else line["calls"])
        tables = [_encoded(read_part(path, columns), few) for path in self._parts(kind)]
        tables.append(_encoded(pa.Table.from_pylist(list(rows), schema=wanted), few))
        return pa.concat_tables(tables).unify_dictionaries()

    def paid_by_trial(self) -> dict[int, float]:
        """USD paid for each recorded trial, by its order; 0 where that is not known. Of one trial the last row counts."""
        columns = {name: TRIAL_COLUMNS[name] for name in ("order", "paid_usd")}
        rows = [row for path in self._parts("trials") for row in part_rows(path, columns)]
        return {row["order"]: row.get("paid_usd") or 0.0 for row in [*rows, *(line["trial"] for line in self._journal())]}

    def _parts(self, kind: str) -> list[Path]:
        return parts_in(self.folder, kind)

    def _journal(self) -> list[dict[str, Any]]:
        return journal_rows(journal_of(self.folder))


def manifest_in(folder: Path) -> Manifest:
    """The manifest of a run; RunProblem where there is none that can be read."""
    return _typed(folder / "manifest.json", Manifest)[0]


def items_in(folder: Path, named: Collection[str] | None = None) -> Iterator[Row]:
    """The items of a run folder one by one, those of some names or all; RunProblem where one cannot be read."""
    path = folder / "items.parquet"
    if not os.path.lexists(path):
        raise RunProblem(MISSING.format(path))
    with readable(f"{path}: not the items of a run; {remedy_of(folder)}"):
        table = read_part(path, ITEM_COLUMNS)
        if named is not None:
            table = table.filter(pc.is_in(table["item"], pa.array(sorted(named), pa.string())))
        for batch in table.to_batches(ITEMS_AT_ONCE):
            for row in batch.to_pylist():
                yield {**row, "targets": _texts(row["targets"]), "choices": _texts(row["choices"])}


def _texts(written: str) -> Any:  # noqa: ANN401
    try:
        return orjson.loads(written)  # in a quarter of the time
    except ValueError:  # half a surrogate pair, or no JSON
        return json_value(written)


def looks_in(folder: Path) -> dict[str, Any]:
    """What the planned interim analyses of a run folder decided so far."""
    path = folder / "looks.json"
    found = _json(path) if os.path.lexists(path) else {}
    with readable(f"{path}: not the interim analyses of a run; {remedy_of(folder)}"):
        look_rows(found)
    return found


def batches_in(folder: Path) -> tuple[str | None, list[BatchPart]]:
    """The mark of a run folder in the names of its batches, and the batches; RunProblem where they cannot be read."""
    path = folder / BATCHES
    if not os.path.lexists(path):
        return None, []
    with readable(f"{path}: not readable; it says which batches are paid for: {remedy_of(folder)} and pay again"):
        found = json_value(read_file(path), once=True)
        mark, parts = found["mark"], [typed(BatchPart, entry) for entry in found["batches"]]
        if not isinstance(mark, str) or len({part.number for part in parts}) < len(parts):
            raise ValueError("two batches have one number, or the mark is no text")
        return mark, parts


def batch_keys_path(folder: Path, part: BatchPart) -> Path:
    """Where the keys of a batch's requests are."""
    return folder / BATCH_FOLDER / f"{part.number:04d}.json"


def batch_keys_in(folder: Path, part: BatchPart) -> dict[str, str]:
    """The keys of a batch's requests by their names in its file."""
    path = batch_keys_path(folder, part)
    found = _json(path).get("keys")
    if (
        not isinstance(found, dict)
        or len(found) != part.n_requests
        or not all(isinstance(key, str) and key.startswith(name) for name, key in found.items())
    ):
        raise RunProblem(f"{path}: does not hold the {part.n_requests:,} keys of its batch; {remedy_of(folder)} and pay again")
    return found


def frozen_plan(folder: Path, *, bounded: bool = True) -> tuple[Plan, str]:
    """The plan of a run, and the SHA-256 of its JSON as the file holds it, whatever its format: that of the manifest's hashes.

    RunProblem where it cannot be read, and, where `bounded`, for a foreign plan that holds more than its folder makes likely.
    """
    plan, found = _typed(folder / "plan.json", Plan, bounded)
    return plan, digest(found)


def _typed(path: Path, kind: type[Whole], bounded: bool = False) -> tuple[Whole, dict[str, Any]]:
    """A file of a run folder as an object, and as it is written."""
    found = _json(path)
    if found.get("format") not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise RunProblem(f"{path.parent}: written in run format {found.get('format')}, and this promptlab reads {known}")
    try:
        for name in kind.NEEDED:
            found[name]
        if bounded:
            check_bounds(path.parent, found)
        return kind.read(found), found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunProblem(f"{path}: has not the fields that it must have ({error}); was it edited? {remedy_of(path.parent)}") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json_value(read_file(path), once=True)
    except FileNotFoundError:
        if any((path.parent / name).exists() for name in MADE_FIRST):
            raise RunProblem(MISSING.format(path)) from None
        raise NoRun(f"{path}: missing, so this folder is not a run; run the sweep again, or point at another folder") from None
    except ValueError as error:
        raise RunProblem(f"{path}: not readable as JSON ({error}); {remedy_of(path.parent)}") from None
    if not isinstance(found, dict):
        raise RunProblem(f"{path}: holds no object; {remedy_of(path.parent)}")
    return found


def write_trials(path: Path, trials: pd.DataFrame, part_of: pd.Series[int]) -> None:
    """A trials frame as one Parquet file in its order, with the number of the part that holds each trial's calls."""
    parts = part_of.reindex(trials["order"]).to_numpy(dtype=np.int64, na_value=JOURNAL)
    table = pa.Table.from_pandas(trials.assign(part=parts), preserve_index=False)
    pq.write_table(table, path, compression="zstd", row_group_size=GROUP_ROWS)


class Recorded(NamedTuple):
    """What a run folder holds before a sweep continues."""

    trials: frozenset[str]
    paid_usd: float
    paid_tokens: int
    longest: Mapping[str, int]
    """By model: the tokens out of its longest answer, averaged over the calls of a trial."""
    n_sent: int
    """Calls whose answers were sent for: as many requests were sent, or more."""
    n_unpriced: int
    """Of those, the ones with an answer whose price is unknown."""
    first_at: str | None
    """When the first of those answers came, as ISO 8601; None where nothing says so."""
    served: Mapping[str, frozenset[str]]
    """By model: the versions that answered."""


def recorded_in(folder: Path) -> Recorded:
    """What the parts of a run folder hold; its journal is not read."""
    columns = ["trial", "outcome", "model", "model_version", "paid_usd", "n_calls", "input_tokens", "output_tokens", "cached"]
    rows = [row for path in parts_in(folder, "trials") for row in part_rows(path, {name: TRIAL_COLUMNS[name] for name in columns})]
    last = {row["trial"]: row["outcome"] for row in rows}
    done = frozenset(trial for trial, outcome in last.items() if outcome != "error")
    tokens = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in rows if not row["cached"])
    longest: dict[str, int] = {}
    for row in rows:
        length = (row["output_tokens"] or 0) // max(1, row["n_calls"] or 1)
        if length > longest.get(row["model"], 0):
            longest[row["model"]] = length
    served: dict[str, set[str]] = {}
    for model, version in {(row["model"], row["model_version"]) for row in rows if row["model_version"]}:
        served.setdefault(model, set()).add(version)
    sent = [_sent(path) for path in parts_in(folder, "calls")]
    return Recorded(
        done, sum(row["paid_usd"] or 0.0 for row in rows), tokens, longest,
        n_sent=sum(n for n, _, _ in sent),
        n_unpriced=sum(n for _, n, _ in sent),
        first_at=min((first for _, _, first in sent if first), default=None),
        served={model: frozenset(versions) for model, versions in served.items()},
    )  # fmt: skip


def _sent(path: Path) -> tuple[int, int, str | None]:
    """A part's calls that were sent, and whose answers came from no cache: how many, how many without a price, when the first was answered.

    Nothing of a part that others say is damaged.
    """
    try:
        calls = read_part(path, {name: CALL_COLUMNS[name] for name in ("cached", "attempts", "outcome", "cost_usd", "answered_at")})
    except RunProblem:
        return 0, 0, None
    sent = calls.filter(pc.and_(pc.invert(calls["cached"]), pc.greater(calls["attempts"], 0)))
    unpriced = pc.and_(pc.is_null(sent["cost_usd"]), pc.not_equal(sent["outcome"], "error"))
    return len(sent), int(pc.sum(unpriced).as_py() or 0), pc.min(sent["answered_at"]).as_py()


class Evidence(NamedTuple):
    """Who says of the answers of a run when they came: counts over its calls, and times as ISO 8601; None where nothing says so."""

    calls: int
    response_ids: int
    request_ids: int
    fingerprints: tuple[str, ...]
    dated: int
    first_dated: str | None
    last_dated: str | None
    first_answered: str | None
    last_answered: str | None

    @property
    def words(self) -> str:
        """As a sentence without its end."""
        ids = (
            f"{self.response_ids:,} of {self.calls:,} calls have the provider's id of the answer, {self.request_ids:,} that of the request"
        )
        prints = f"; {len(self.fingerprints):,} fingerprints ({', '.join(self.fingerprints[:4])})" if self.fingerprints else ""
        dates = f"; dated {self.first_dated} to {self.last_dated} by the provider ({self.dated:,})" if self.dated else ""
        here = f"; answered {self.first_answered} to {self.last_answered} by this clock" if self.first_answered else ""
        undated = self.calls - self.dated
        whose = (
            f"; no provider dated {f'{undated:,} of them' if self.dated else 'them'}, so those times are the author's word"
            if undated
            else ""
        )
        return f"{ids}{prints}{dates}{here}{whose}"


def evidence_in(folder: Path) -> Evidence:
    """What the calls of a run keep of their providers."""
    names = ("response_id", "request_id", "fingerprint", "dated", "answered_at")
    columns = dict.fromkeys(names, "str?")
    rows = [{name: call.get(name) for name in names} for line in journal_rows(journal_of(folder)) for call in line["calls"]]
    tables = [read_part(path, columns) for path in parts_in(folder, "calls")]
    table = pa.concat_tables([*tables, pa.Table.from_pylist(rows, schema=schema(columns))])
    n = {name: len(table) - table[name].null_count for name in names}
    ends = [pc.min_max(table[name]).as_py() for name in ("dated", "answered_at")]
    prints = sorted(value for value in pc.unique(table["fingerprint"]).to_pylist() if value)
    times = [ends[0]["min"], ends[0]["max"], ends[1]["min"], ends[1]["max"]]
    return Evidence(len(table), n["response_id"], n["request_id"], tuple(prints), n["dated"], *times)


def older_in(folder: Path) -> list[str]:
    """The runs that first used answers which the parts of a run hold."""
    found = (pc.unique(read_part(path, {"older": "str?"})["older"]).to_pylist() for path in parts_in(folder, "trials"))
    return sorted({run for runs in found for run in runs if run})


def _encoded(table: pa.Table, few: Sequence[str]) -> pa.Table:
    """The table with these columns as codes and a list of their values."""
    for name in few:
        table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
    return table

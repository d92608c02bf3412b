"""A run prepared for looking: its trials in one sorted file that queries read in place, its verdicts as JSON.

Made once for each state of the run folder, next to the cache and never inside the run. A page then costs a query, not a reading of
the run, however long the run is. A long run is prepared by a process of its own, so that whoever looks stays small.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict

from promptlab.nouns import AA_ARM, CONTROLS, NONE_ARM, Comparison, Manifest, Plan, PlannedArm, Setting, home
from promptlab.nouns.errors import UNREADABLE, PromptlabError, RunProblem, first_line
from promptlab.planning.earlier import extended
from promptlab.record.store import Run, write_trials
from promptlab.record.store.files import is_alive
from promptlab.reporting.build import Judged, Report, build
from promptlab.reporting.checked import failures
from promptlab.reporting.summary import Summary, across_models, summaries
from promptlab.running.so_far import so_far
from promptlab.sources.foreign import LARGEST_PART, check_regular, make_private, read_bytes
from promptlab.stats import Screening

if TYPE_CHECKING:
    import duckdb

VERSION = 8
"""Raised when what is kept changes, so that older files are recreated."""
OWN_PROCESS_FROM = 50_000
"""Trials from which a run is prepared by a process of its own."""
JUDGED_LIMIT = 2**30
VIEWS, WRITABLE = "the folder of prepared runs", "what it holds need not be what was found"
MOST_KEPT = 12
"""Runs that are kept ready; the one looked at longest ago goes first."""
MOST_ROWS_HELD, MOST_ROWS_IN_ALL = 50_000, 200_000
"""Rows of one answer to a query that are kept, and of all of them."""
MOST_ANSWERS_HELD = 100
RIGHT = 0.5
"""An answer counts as right from this score on; graded metrics give scores in between."""
WHOLE = "SELECT t.*, i.input, i.targets FROM trials t LEFT JOIN items i USING (suite, task, item)"
Stamp = tuple[tuple[str, int, int], ...]
Row = dict[str, Any]


class _Kept(BaseModel):
    """What is kept of a report: everything but the trials, the plan and the manifest."""

    model_config = ConfigDict(ser_json_inf_nan="constants", arbitrary_types_allowed=False, defer_build=True)

    version: int
    stamp: Stamp
    read_at: str
    judged: Judged
    baselines: list[Row]


ACROSS = ""
"""Stands for all models together, where they are what is compared: no model has this name."""


@dataclass(frozen=True)
class Store:
    """A run ready for looking. `report` holds everything of `promptlab.reporting.build` but the trials, which `query` reads.

    Nothing here grows with the run.
    """

    folder: Path
    report: Report
    read_at: str
    stamp: Stamp
    _db: duckdb.DuckDBPyConnection = field(repr=False, compare=False)
    _found: dict[tuple[str, str], pd.DataFrame] = field(repr=False, compare=False, default_factory=dict)
    """The last answers to queries, so that a page that is opened again asks nothing."""

    @classmethod
    def of(cls, folder: Path, at: Stamp | None = None) -> Self:
        """The run prepared, from what is kept where it is of the folder's state `at` (None: as it is now), else recreated."""
        run = Run(folder)
        kept = _kept(folder, stamp(folder) if at is None else at)
        if kept is None:
            _make(folder)
            kept = _kept(folder, None)
            if kept is None:
                raise RunProblem(f"{place(folder)}: what was prepared of the run cannot be read; remove that folder and open the run again")
        with contextlib.suppress(OSError):
            os.utime(place(folder))
        plan = run.plan
        if plan.confirm:
            plan = Screening(plan, kept.judged.screening).confirming
        plan = extended(plan)
        report = Report(
            run=run.id, manifest=so_far(run), plan=plan, state=run.state, trials=pd.DataFrame(),
            baselines=pd.DataFrame(kept.baselines), **vars(kept.judged),
        )  # fmt: skip
        return cls(folder, report, kept.read_at, kept.stamp, _connected(folder))

    def query(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> pd.DataFrame:
        """The answer to a query over `trials` (columns of the trials frame, and `part`) and `items`; RunProblem where a file is gone."""
        import duckdb

        asked = sql, repr(values)
        with _one_at_a_time:
            if asked in self._found:
                self._found[asked] = self._found.pop(asked)  # asked last
                return self._found[asked].copy(deep=False)
        cursor = self._db.cursor()
        try:
            found: pd.DataFrame = cursor.execute(sql, values or None).df()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise RunProblem(f"{self.folder}: what was prepared of it cannot be read ({first_line(error)}); open it again") from None
        finally:
            cursor.close()
        if len(found) <= MOST_ROWS_HELD:
            with _one_at_a_time:
                self._found[asked] = found
                while len(self._found) > MOST_ANSWERS_HELD or sum(map(len, self._found.values())) > MOST_ROWS_IN_ALL:
                    del self._found[next(iter(self._found))]
            return found.copy(deep=False)
        return found

    def calls(self, trial: str) -> pd.DataFrame:
        """The calls of one trial, in turn order; damage in the folder is a RunProblem."""
        try:
            found = self.query("SELECT part FROM trials WHERE trial = ?", [trial])
            part = None if found.empty else int(found["part"].iloc[0])
            return Run(self.folder).calls_of(trial, part)
        except UNREADABLE as error:
            raise RunProblem(f"{self.folder / 'calls'}: the calls of trial {trial} cannot be read ({first_line(error)})") from None

    @cached_property
    def summaries(self) -> Mapping[str, Summary]:
        """The first screen of each model, and under `ACROSS` that of the models as arms; made once, since every part of a page asks."""
        models = across_models(self.report)
        return {summary.model: summary for summary in summaries(self.report)} | ({ACROSS: models} if models else {})

    @property
    def n_trials(self) -> int:
        return self.report.n_trials

    @property
    def plan(self) -> Plan:
        return self.report.plan

    @property
    def manifest(self) -> Manifest:
        return self.report.manifest

    @property
    def simulated(self) -> bool:
        return self.manifest.simulated

    @property
    def models(self) -> list[str]:
        return self.report.models

    @property
    def tasks(self) -> list[str]:
        return list(self.plan.task_of)

    @property
    def arms(self) -> dict[str, PlannedArm]:
        """The arms of the plan by name."""
        return {arm.name: arm for arm in self.plan.arms}

    @property
    def stimuli(self) -> list[str]:
        return [name for name, arm in self.arms.items() if arm.role in ("stimulus", "loop")]

    @property
    def controls(self) -> list[str]:
        """The controls that were planned, neutral sentences and neutral feedback first."""
        return self.report.controls or ["none"]

    @property
    def settings(self) -> dict[str, Setting]:
        """Settings by the words that name them."""
        return {setting.words: setting for setting in self.plan.settings}

    def arm_words(self) -> dict[str, str]:
        """How each arm is shown in a list: its name and the beginning of its text."""
        words = {name: f"{name}{' (neutral)' if arm.role == 'placebo' else ''}: {arm.text}" for name, arm in self.arms.items()}
        base = self.plan.called(NONE_ARM)
        unchanged = "the prompt without any added text" if base == CONTROLS[NONE_ARM].name else base
        plain = {NONE_ARM: unchanged, AA_ARM: "the same again, to see how much answers vary by themselves"}
        return words | {name: f"{name}: {said}" for name, said in plain.items() if name in words}

    def comparisons(self, model: str, setting: Setting, control: str | None, scopes: Sequence[str]) -> list[Comparison]:
        """The planned comparisons of one model and setting, in the plan's order."""
        return [c for c in self.report.of(None, model, control, setting) if c.scope in scopes]

    def whole(self, model: str, setting: Setting, task: str, arms: Sequence[str], items: Sequence[str]) -> pd.DataFrame:
        """Trials with everything recorded, and `input` and `targets` of the item: for as many items as a page shows."""
        asked = "t.model = ? AND t.setting = ? AND t.task = ? AND list_contains(?, t.arm) AND list_contains(?, t.item)"
        return self.query(f"{WHOLE} WHERE {asked} ORDER BY t.order", [model, setting.id, task, list(arms), list(items)])

    def trial(self, trial: str) -> dict[str, Any] | None:
        """Everything recorded of one trial, with `input` and `targets` of its item; None where there is no such trial."""
        found = self.query(f"{WHOLE} WHERE t.trial = ?", [trial])
        return None if found.empty else records(found)[0]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def is_kept(folder: Path) -> bool:
    """Whether a run is ready as it is now, so that opening it takes a moment."""
    return _kept(folder, stamp(folder)) is not None


def stamp(folder: Path) -> Stamp:
    """What the folder holds now: names, times and sizes of everything that decides what is shown."""
    names = ["plan.json", "looks.json", "items.parquet", "journal.jsonl"]
    for part, first, last in (("trials", "part-", ""), ("ratings", "", ".jsonl")):
        with contextlib.suppress(OSError):
            listed = os.listdir(folder / part)  # a long run has hundreds of parts, and every page looks at them
            names += sorted(f"{part}/{name}" for name in listed if name.startswith(first) and name.endswith(last))
    found = []
    for name in names:
        with contextlib.suppress(OSError):  # between two reads a journal becomes a part
            stat = os.stat(f"{folder}/{name}")
            found.append((name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def place(folder: Path) -> Path:
    """Where what is prepared of a run is kept."""
    where = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    return home() / "views" / f"{folder.name}-{where}"


def prepare(folder: Path) -> None:
    """Make a run ready in this process, whatever is kept of it."""
    now = stamp(folder)
    run = Run(folder)
    built = build(run)
    keep(run, replace(built, failed=tuple(failures(run, built.trials))), now)


def keep(run: Run, report: Report, now: Stamp) -> None:
    """Keep a run that is judged already for whoever looks at it; `now` is the folder's state from before it was read."""
    kept = place(run.folder)
    temporary = kept.with_name(f".{kept.name}.{os.getpid()}")
    try:
        make_private(kept.parent, VIEWS, WRITABLE)
        temporary.mkdir(mode=0o700, exist_ok=True)
        write_trials(temporary / "trials.parquet", report.trials, run.part_of())
        _write(temporary, now, report)
        with _one_at_a_time:
            shutil.rmtree(kept, ignore_errors=True)
            temporary.replace(kept)
    except OSError as error:
        raise RunProblem(f"{kept}: cannot be written: {error.strerror}; make room there, or set PROMPTLAB_HOME to another place") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _forget_oldest(kept)


_one_at_a_time = threading.Lock()


def _write(where: Path, now: Stamp, report: Report) -> None:
    kept = _Kept(
        version=VERSION, stamp=now, read_at=time.strftime("%H:%M:%S UTC", time.gmtime()),
        baselines=json.loads(report.baselines.to_json(orient="records", double_precision=15)),
        judged=Judged(**{name: getattr(report, name) for name in Judged.__dataclass_fields__}),
    )  # fmt: skip
    judged = kept.model_dump_json().encode()
    (where / "judged.json").write_bytes(_digest(judged, where).encode() + b"\n" + judged)


def _digest(judged: bytes, where: Path) -> str:
    """What tells damage in a prepared run: the SHA-256 of the verdicts and of the trials."""
    with (where / "trials.parquet").open("rb") as file:
        return hashlib.sha256(hashlib.file_digest(file, "sha256").digest() + judged).hexdigest()


def _kept(folder: Path, wanted: Stamp | None) -> _Kept | None:
    """What is kept of the run, where it can be read and is of the state wanted (None: of any)."""
    where = place(folder)
    make_private(where.parent, VIEWS, WRITABLE)
    try:
        digest, _, judged = read_bytes(where / "judged.json", JUDGED_LIMIT, where.parent).partition(b"\n")
        check_regular(where / "trials.parquet", LARGEST_PART, where.parent)
        kept = _Kept.model_validate_json(judged)
        right = digest.decode() == _digest(judged, where)
    except (OSError, ValueError):
        return None
    return kept if right and kept.version == VERSION and (wanted is None or kept.stamp == wanted) else None


def _make(folder: Path) -> None:
    if _n_recorded(folder) < OWN_PROCESS_FROM:
        prepare(folder)
        return
    command = [sys.executable, "-P", "-m", "promptlab.reporting.prepared", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own module)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RunProblem(said[-1] if said else f"{folder}: making it ready ended with code {done.returncode}; is memory short?")


def _n_recorded(folder: Path) -> int:
    try:
        return Run(folder).manifest.counts.done
    except PromptlabError:
        return 0


def _connected(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory over the files; it never fetches an extension."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": 2, "memory_limit": "300MB",
        "allow_community_extensions": "false",
    }  # fmt: skip
    db = duckdb.connect(":memory:", config=config)
    try:
        db.read_parquet(_name(place(folder) / "trials.parquet")).create_view("trials")
        db.read_parquet(_name(folder / "items.parquet")).create_view("items")
    except duckdb.Error as error:
        raise RunProblem(f"{folder / 'items.parquet'}: cannot be read ({first_line(error)}); restore it from a copy") from None
    return db


def _name(path: Path) -> str:
    """A path that DuckDB takes literally: it would read `*`, `?` and `[` in a name as a pattern."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", str(path))


def _forget_oldest(kept: Path) -> None:
    folders = [path for path in kept.parent.iterdir() if path.is_dir()]
    found = [path for path in folders if not path.name.startswith(".")]
    for path in folders:
        if path.name.startswith(".") and not is_alive(path.name.rpartition(".")[2]):  # its process was killed
            shutil.rmtree(path, ignore_errors=True)
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[MOST_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    """`python -m promptlab.reporting.prepared FOLDER`: make one run ready."""
    try:
        prepare(Path(sys.argv[1]))
    except PromptlabError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()

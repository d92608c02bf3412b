"""A run folder that cannot be read in part is made readable again, and what that loses is told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from promptlab.nouns import CALL_COLUMNS, TRIAL_COLUMNS, Manifest, RunProblem
from promptlab.record.store.files import DAMAGED, Row, held, is_locked, journal_rows, now, part_rows, write_whole
from promptlab.record.store.writing import write_manifest


class Repair(NamedTuple):
    """What repairing a run folder did, or with a dry run would do."""

    leftovers: tuple[str, ...]
    """Temporary files of processes that ended, removed."""
    n_torn: int
    """Lines of the journal that are no whole trial, dropped: they were never acknowledged."""
    aside: tuple[tuple[str, str], ...]
    """Files moved into `damaged/`, and why."""
    n_lost: int
    """Trials that were in those files and are nowhere else."""
    n_trials: int
    n_errors: int
    paid_usd: float
    paid_before_usd: float | None
    """What the manifest says; None where it says nothing, or where nothing was paid because the models are simulated."""
    manifest: bool
    """Whether the manifest's counts were put right."""

    @property
    def needed(self) -> bool:
        return bool(self.leftovers or self.n_torn or self.aside or self.manifest)


def repair(folder: Path, dry_run: bool = False) -> Repair:
    """Make a run folder readable again and lose nothing that can be read; RunProblem while a process writes to it.

    Trials and calls of one part go aside together, so that no trial is left without its messages.
    """
    if not any((folder / name).exists() for name in ("manifest.json", "plan.json", "trials")):
        raise RunProblem(f"{folder}: this folder is not a run; `promptlab runs ls` lists the runs")
    if is_locked(folder):
        raise RunProblem(f"{folder}: a process is writing this run, and repair would be in its way; wait for it or stop it")
    with contextlib.nullcontext() if dry_run else held(folder):
        return _repair(folder, dry_run)


def _repair(folder: Path, dry_run: bool) -> Repair:
    leftovers = [path for place in (".", "trials", "calls") for path in sorted((folder / place).glob(".*.tmp")) if not _is_written(path)]
    aside: dict[Path, str] = {}
    last: dict[str, str] = {}
    lost: set[str] = set()
    all_known = True
    paid_usd = 0.0
    for name in sorted({path.name for kind in ("trials", "calls") for path in (folder / kind).glob("part-*.parquet")}):
        pair = [folder / kind / name for kind in ("trials", "calls")]
        if not pair[0].exists():  # a crash between the two: the journal has these trials
            continue
        (trials, of_trials), (calls, of_calls) = _read(pair[0], TRIAL_COLUMNS), _read(pair[1], CALL_COLUMNS)
        if not of_trials and not of_calls:
            for row in trials:
                last[row["trial"]] = row["outcome"]
                paid_usd += row["paid_usd"] or 0.0
            continue
        all_known = all_known and not (of_trials and of_calls)
        lost |= {row["trial"] for row in [*trials, *calls]}
        aside |= {path: why or "its other half cannot be read" for path, why in zip(pair, (of_trials, of_calls), strict=True)}
    journal = folder / "journal.jsonl"
    lines = [line for line in journal.read_bytes().split(b"\n") if line.strip()] if journal.exists() else []
    good = [line for line in lines if journal_rows(line)]
    for line in good:
        [found] = journal_rows(line)
        last[found["trial"]["trial"]] = found["trial"]["outcome"]
        paid_usd += found["trial"].get("paid_usd") or 0.0
    manifest, why = _manifest(folder)
    if why:
        aside[folder / "manifest.json"] = why
    told = Manifest() if manifest is None else manifest
    n_errors = sum(outcome == "error" for outcome in last.values())
    n_lost = len(lost - set(last)) if all_known else max(len(lost - set(last)), told.counts.done - len(last))
    state = {"running": "interrupted", "complete": "incomplete" if aside else "complete"}.get(told.state, told.state)
    right = replace(told, state=state, counts=replace(told.counts, done=len(last), errors=n_errors), paid_usd=paid_usd)
    changed = manifest is not None and (bool(aside) or state != told.state or right.counts != told.counts)
    if not dry_run:
        for path in leftovers:
            path.unlink(missing_ok=True)
        for path in aside:
            if path.exists():
                _move_aside(folder, path)
        if len(good) < len(lines):
            write_whole(journal, b"".join(line + b"\n" for line in good))
        if changed:
            write_manifest(folder, replace(right, updated_at=now()))
    return Repair(
        leftovers=tuple(str(path.relative_to(folder)) for path in leftovers),
        n_torn=len(lines) - len(good),
        aside=tuple((str(path.relative_to(folder)), reason) for path, reason in aside.items()),
        n_lost=n_lost,
        n_trials=len(last),
        n_errors=n_errors,
        paid_usd=paid_usd,
        paid_before_usd=None if manifest is None or manifest.simulated else manifest.paid_usd,
        manifest=changed,
    )


def _read(path: Path, columns: Mapping[str, str]) -> tuple[list[Row], str]:
    """The rows of a part, and why it has none that can be read."""
    if not path.exists():
        return [], "it is missing"
    try:
        return part_rows(path, columns), ""
    except RunProblem as error:
        return [], str(error.__cause__).splitlines()[0].rsplit("': ", 1)[-1][:200]


def _manifest(folder: Path) -> tuple[Manifest | None, str]:
    """The manifest, or None and why it cannot be read (nothing when it is missing)."""
    path = folder / "manifest.json"
    if not path.exists():
        return None, ""
    try:
        return Manifest.read(json.loads(path.read_bytes())), ""
    except ValueError as error:
        return None, f"it is not readable as JSON ({error})"
    except (TypeError, AttributeError):
        return None, "it holds no manifest"


def _is_written(path: Path) -> bool:
    """Whether the process that a temporary file is named after still runs."""
    number = path.name.rsplit(".", 2)[-2]
    return number.isdigit() and Path("/proc", number).exists()


def _move_aside(folder: Path, path: Path) -> None:
    place = folder / DAMAGED / path.relative_to(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    while place.exists():
        place = place.with_name(f"{place.name}.again")
    path.rename(place)

"""A run folder that cannot be read in part is made readable again, and what that loses is reported."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.nouns import CALL_COLUMNS, TRIAL_COLUMNS, UNREADABLE, Manifest, NoRun, Plan, RunProblem, counted, first_line
from promptlab.record.store.chain import CHAIN, Chain, unlike, verified
from promptlab.record.store.files import (
    DAMAGED,
    Row,
    clear,
    damaged_lines,
    free,
    held,
    is_locked,
    journal_of,
    leftovers,
    now,
    part_rows,
    parts_in,
    reason_of,
    set_aside,
    strangers,
    way_aside,
    whole_lines,
    write_whole,
)  # fmt: skip
from promptlab.record.store.reading import (
    BATCH_FOLDER,
    BATCHES,
    MADE_FIRST,
    batch_keys_in,
    batches_in,
    frozen_plan,
    items_in,
    looks_in,
    manifest_in,
)  # fmt: skip
from promptlab.record.store.writing import write_manifest

FILES = (BATCHES, "manifest.json", "plan.json", "looks.json", "items.parquet", "experiment.yaml", "journal.jsonl", "lock", CHAIN)
STRANGE = "it is a link, or no file of this kind"
KINDS = {**dict.fromkeys(FILES, stat.S_ISREG), **dict.fromkeys((BATCH_FOLDER, "trials", "calls"), stat.S_ISDIR)}


class Repair(NamedTuple):
    """What repairing a run folder did, or with a dry run would do."""

    leftovers: tuple[str, ...]
    """Temporary files of processes that ended, removed."""
    n_torn: int
    """Lines of the journal that a killed process left half written, dropped: they were never acknowledged."""
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
    """Whether the manifest's counts were corrected."""
    chain: tuple[str, ...] = ()
    """What was wrong with the hash chain, which was rebuilt."""
    missing: tuple[str, ...] = ()
    """Files that are not there, which the same sweep writes again."""
    n_damaged: int = 0
    """Lines of the journal that were written whole and are not so any more, kept in `damaged/`: each may have been a trial."""

    @property
    def needed(self) -> bool:
        return bool(self.leftovers or self.n_torn or self.n_damaged or self.aside or self.manifest or self.chain)


def repair(folder: Path, dry_run: bool = False) -> Repair:
    """Make a run folder readable again and lose nothing that can be read; RunProblem while a process writes to it.

    Trials and calls of one part go aside together, so that no trial is left without its messages.
    """
    if not any((folder / name).exists() for name in MADE_FIRST):
        raise NoRun(f"{folder}: this folder is not a run; `promptlab runs ls` lists the runs")
    if os.access(folder / "lock", os.R_OK | os.W_OK) and is_locked(folder):
        raise RunProblem(f"{folder}: a process is writing this run, and repair would be in its way; wait for it or stop it")
    if folder / DAMAGED in strangers(folder) and not dry_run:
        way_aside(folder)
    aside = dict.fromkeys(strangers(folder), STRANGE)
    aside |= {path: STRANGE for name, right in KINDS.items() if os.path.lexists(path := folder / name) and not right(path.lstat().st_mode)}
    if not dry_run and aside.pop(folder / "lock", ""):
        move_aside(folder, folder / "lock")
    with contextlib.nullcontext() if dry_run else held(folder):
        return _repair(folder, aside, dry_run)


def _repair(folder: Path, aside: dict[Path, str], dry_run: bool) -> Repair:
    left = leftovers(folder)
    manifest, why = _manifest(folder)
    if why:
        aside.setdefault(folder / "manifest.json", why)
    if manifest is not None and _is_of_another(manifest, folder):
        aside[folder / "manifest.json"], manifest = "it is of another run", None
    plan, why = _plan(folder, manifest)
    if why:
        aside.setdefault(folder / "plan.json", why)
    if why := _damage(looks_in, folder):
        aside.setdefault(folder / "looks.json", why)
    if why := _damage(_check_batches, folder):
        aside.setdefault(folder / BATCHES, f"{why}; its batches are no longer known, so what was sent in them is sent and paid again")
    found = _of_parts(folder, aside, plan)
    last = found.last
    journal = folder / "journal.jsonl"
    data = b"" if journal in aside else journal_of(folder)
    damaged = dict.fromkeys(damaged_lines(data))
    lines, good = [line for line in data.split(b"\n") if line.strip()], [one for one in whole_lines(data) if one[0] not in damaged]
    for _, line in good:
        row = line["trial"]
        last[row["trial"]] = row["outcome"]
        found.items.add((row["suite"], row["task"], row["item"]))
        found.paid_usd += row.get("paid_usd") or 0.0
        found.count(line["calls"], [row])
    missing = tuple(name for name in ("manifest.json", "plan.json", "items.parquet") if not os.path.lexists(folder / name))
    no_items = plan is not None and "items.parquet" in missing
    if plan is not None and not no_items and (why := _damage(lambda: _check_items(folder, found.items))):
        aside.setdefault(folder / "items.parquet", why)
    told = Manifest() if manifest is None else manifest
    n_errors = sum(outcome == "error" for outcome in last.values())
    n_lost = len(found.lost - set(last)) if found.all_known else max(len(found.lost - set(last)), told.counts.done - len(last))
    state = {"running": "interrupted", "complete": "incomplete" if aside or no_items else "complete"}.get(told.state, told.state)
    right = replace(_ended(told, found), state=state, paid_usd=found.paid_usd)
    right = replace(right, counts=replace(right.counts, done=len(last), errors=n_errors))
    wrong, gone = _wrong(folder, told.chain), tuple(name for name, _ in unlike(folder))
    broken = bool(told.chain) and bool(wrong)
    rebuilt = tuple(said for said in wrong if not said.startswith(gone))  # the chain stays where a part goes aside
    changed = manifest is not None and (bool(aside) or state != told.state or right.counts != told.counts or broken)
    if not dry_run:
        clear(left)
        for path in aside:
            if os.path.lexists(path):
                move_aside(folder, path)
        if len(good) < len(lines):
            set_aside(folder, list(damaged))
            write_whole(journal, b"".join(line + b"\n" for line, _ in good))
        if broken or rebuilt or (folder / CHAIN).exists():
            right = replace(right, chain=_linked(folder, [line + b"\n" for line, _ in good], rebuilt))
        if changed:
            write_manifest(folder, replace(right, updated_at=now()))
    return Repair(
        leftovers=tuple(str(path.relative_to(folder)) for path in left),
        n_torn=sum(line not in damaged for line in lines) - len(good),
        aside=tuple((str(path.relative_to(folder)), reason) for path, reason in aside.items()),
        n_lost=n_lost,
        n_trials=len(last),
        n_errors=n_errors,
        paid_usd=found.paid_usd,
        paid_before_usd=None if manifest is None or manifest.simulated else manifest.paid_usd,
        manifest=changed,
        chain=rebuilt,
        missing=missing,
        n_damaged=sum(line in damaged for line in lines),
    )


def _ended(told: Manifest, found: _Found) -> Manifest:
    """The manifest with the requests and versions that a killed sweep could not write at its end."""
    if told.state != "running":
        return told
    models = dict.fromkeys([*told.served, *found.served])
    served = {model: tuple(dict.fromkeys([*told.served.get(model, ()), *found.served.get(model, ())])) for model in models}
    return replace(told, served=served, counts=replace(told.counts, sent=max(told.counts.sent, found.sent)))


def _wrong(folder: Path, told: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with the run's chain, or does not lead to what the manifest says of it."""
    try:
        return verified(folder, told).problems
    except UNREADABLE:
        return (f"{CHAIN} cannot be read",)


def _linked(folder: Path, journal: list[bytes], rebuilt: Sequence[str]) -> Mapping[str, Any]:
    """The head of the run's chain, after it records which parts are gone, and why it was rebuilt."""
    chain = Chain(folder)
    if gone := [name for name, _ in unlike(folder)]:
        chain.gone(gone)
    if rebuilt:
        chain.rebuilt(rebuilt)
    chain.add(journal)
    return chain.plain()


@dataclass
class _Found:
    """What the parts of a run hold."""

    last: dict[str, str] = field(default_factory=dict)
    """The last outcome of each trial."""
    items: set[tuple[str, str, str]] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    """Trials in parts that go aside."""
    all_known: bool = True
    """Whether those are all that go aside."""
    paid_usd: float = 0.0
    sent: int = 0
    """Calls that were sent, not taken from the cache."""
    served: dict[str, list[str]] = field(default_factory=dict)
    """The versions that answered, by model."""

    def count(self, calls: Sequence[Row], trials: Sequence[Row]) -> None:
        self.sent += sum(not call["cached"] and (call["attempts"] or 0) > 0 for call in calls)
        for row in trials:
            if row["model_version"] is not None and row["model_version"] not in (known := self.served.setdefault(row["model"], [])):
                known.append(row["model_version"])


def _of_parts(folder: Path, aside: dict[Path, str], plan: Plan | None) -> _Found:
    """Read all parts; those that cannot be kept are put into `aside`."""
    found = _Found()
    changed = {name: "it is not what was written" for name, how in unlike(folder) if how == "changed"}
    names = {path.name for kind in ("trials", "calls") if folder / kind not in aside for path in parts_in(folder, kind)}
    for name in sorted(names):
        pair = [folder / kind / name for kind in ("trials", "calls")]
        if not os.path.lexists(pair[0]):  # a crash between the two: the journal has these trials
            if why := _read(pair[1], CALL_COLUMNS)[1]:
                aside[pair[1]] = why
            continue
        columns = (TRIAL_COLUMNS, CALL_COLUMNS)
        (trials, of_trials), (calls, of_calls) = (
            ([], aside[path]) if path in aside else _read(path, of) for path, of in zip(pair, columns, strict=True)
        )
        if not of_trials and not of_calls and (why := changed.get(name) or _unlike(trials, calls, plan)):
            of_trials = of_calls = why
        if not of_trials and not of_calls:
            for row in trials:
                found.items.add((row["suite"], row["task"], row["item"]))
                found.last[row["trial"]] = row["outcome"]
                found.paid_usd += row["paid_usd"] or 0.0
            found.count(calls, trials)
            continue
        found.all_known = found.all_known and not (of_trials and of_calls)
        found.lost |= {row["trial"] for row in [*trials, *calls]}
        aside |= {path: why or "its other half cannot be read" for path, why in zip(pair, (of_trials, of_calls), strict=True)}
    return found


def _read(path: Path, columns: Mapping[str, str]) -> tuple[list[Row], str]:
    """The rows of a part, and why it has none that can be read."""
    if not os.path.lexists(path):
        return [], "it is missing"
    try:
        return part_rows(path, columns), ""
    except RunProblem as error:
        return [], first_line(error.__cause__ or error).rsplit("': ", 1)[-1]


def _manifest(folder: Path) -> tuple[Manifest | None, str]:
    """The manifest, or None and why it cannot be read (nothing when it is missing)."""
    if not os.path.lexists(folder / "manifest.json"):
        return None, ""
    try:
        return manifest_in(folder), ""
    except RunProblem as error:
        return None, reason_of(error)


def _is_of_another(manifest: Manifest, folder: Path) -> bool:
    """Whether the folder's plan, not its manifest, belongs to it."""
    with contextlib.suppress(RunProblem):
        plan, found = frozen_plan(folder, bounded=False)
        return plan.run == folder.name != manifest.id and manifest.hashes.get("plan", found) != found
    return False


def _plan(folder: Path, manifest: Manifest | None) -> tuple[Plan | None, str]:
    """The plan, or None and why it is not one (nothing when it is missing)."""
    if not os.path.lexists(folder / "plan.json"):
        return None, ""
    try:
        plan, found = frozen_plan(folder, bounded=False)
    except RunProblem as error:
        return None, reason_of(error)
    frozen = manifest.hashes.get("plan", found) if manifest else found
    return (plan, "") if found == frozen else (None, "it is not the plan that the manifest names")


def _unlike(trials: list[Row], calls: list[Row], plan: Plan | None) -> str:
    """Why two halves of a part do not belong together, or not to this run."""
    with_calls, those = {row["trial"] for row in calls}, {row["trial"]: row["n_calls"] for row in trials}
    if not with_calls <= set(those) or any(n and trial not in with_calls for trial, n in those.items()):
        return "its two halves are not of the same trials"
    known = plan and not plan.imported and (plan.model_of, plan.task_of, plan.setting_of)
    if known and any(row[name] not in of for row in trials for name, of in zip(("model", "task", "setting"), known, strict=True)):
        return "it holds trials of another run"
    return ""


def _check_items(folder: Path, wanted: set[tuple[str, str, str]]) -> None:
    """Raise where the items cannot be read, or lack some that a trial used."""
    there = {(row["suite"], row["task"], row["item"]) for row in items_in(folder)}
    if missing := wanted - there:
        raise RunProblem(f"items.parquet: it lacks {counted(len(missing))} that trials have")


def _check_batches(folder: Path) -> None:
    """Raise where the batches of a run, or the keys of one, cannot be read."""
    for part in batches_in(folder)[1]:
        batch_keys_in(folder, part)


def _damage(read: Callable[..., object], *arguments: object) -> str:
    """What goes wrong in reading; empty where nothing does."""
    try:
        read(*arguments)
    except UNREADABLE as error:
        return reason_of(error)
    return ""


def move_aside(folder: Path, path: Path) -> None:
    """Move a damaged file of a run into its folder `damaged`, next to what is there."""
    path.rename(free(way_aside(folder, path.relative_to(folder).parent) / path.name))

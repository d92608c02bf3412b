"""What a run folder and its copy at an address hold, and how a fetched journal joins a local one."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from promptlab.nouns import TRIAL_COLUMNS, RunProblem
from promptlab.record.store.files import journal_rows, part_rows, write_whole
from promptlab.sources.foreign import json_value

INDEX, JOURNAL, MANIFEST, LOOKS = "parts.json", "journal.jsonl", "manifest.json", "looks.json"
ONCE = re.compile(r"(?:experiment\.yaml|plan\.json|items\.parquet|(?:calls|trials)/part-\d{5,9}\.parquet)\Z")


def content(path: Path) -> bytes | None:
    """The bytes of a local file; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def entry_of(data: bytes) -> dict[str, Any]:
    """What parts.json says of a file: its size in bytes and its SHA-256."""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def whole_parts(folder: Path) -> list[str]:
    """The parts of a run folder whose both halves are there, calls before trials."""
    names = sorted(path.name for path in (folder / "trials").glob("part-*.parquet") if (folder / "calls" / path.name).exists())
    return [name for kind in ("calls", "trials") for part in names if ONCE.match(name := f"{kind}/{part}")]


def written_once(folder: Path) -> list[str]:
    """The files of a run folder that never change once they are there."""
    return [name for name in ("experiment.yaml", "plan.json", "items.parquet", *whole_parts(folder)) if (folder / name).exists()]


def _newest(names: list[str]) -> str:
    return max((name.removeprefix("trials/") for name in names if name.startswith("trials/")), default="")


def journal_of(folder: Path) -> bytes:
    """The whole lines of the journal below a line that names the part before it; what changes while it is read is read again."""
    while True:
        before = _newest(whole_parts(folder))
        data = content(folder / JOURNAL) or b""
        if _newest(whole_parts(folder)) == before:
            return json.dumps({"after": before}).encode() + b"\n" + data[: data.rfind(b"\n") + 1]


def merge_journal(folder: Path, theirs: bytes, entries: Mapping[str, Any]) -> None:
    """Bring the local journal to what parts do not have: the address's lines, and those that only this folder has.

    What was an error in a journal and is answered in a part must not come after it: readers take the last.
    """
    newest = _newest(list(entries))
    after, theirs = _headed(theirs)
    later = [name for name in entries if name.startswith("trials/") and after is not None and _newest([name]) > after]
    in_parts = _outcomes(folder, later) if theirs else {}
    fetched_after, ours = _headed(content(folder / JOURNAL) or b"")
    if fetched_after is not None:
        ours = b""  # an earlier fetch's: the address has these
    shared = _outcomes(folder, [name for name in whole_parts(folder) if name in entries]) if ours else {}
    own = [line for line, trial, outcome in _trials(ours) if not (outcome == "error" and trial in shared)]
    known = _outcomes(folder, [name for name in whole_parts(folder) if name not in entries])
    known |= {trial: outcome for _, trial, outcome in _trials(ours)}
    new = [
        line
        for line, trial, outcome in _trials(theirs)
        if trial not in in_parts and known.get(trial, "error") == "error" and (trial not in known or outcome != "error")
    ]
    head = [] if own else [json.dumps({"after": after or newest}).encode()]
    if own or new:
        write_whole(folder / JOURNAL, b"\n".join([*head, *own, *new]) + b"\n")
    else:
        (folder / JOURNAL).unlink(missing_ok=True)


def _headed(journal: bytes) -> tuple[str | None, bytes]:
    """The part that a pushed journal comes after, and its lines; None for a journal that a sweep of this machine writes."""
    head, _, body = journal.partition(b"\n")
    found = json_of(head)
    return (str(found["after"]), body) if "after" in found else (None, journal)


def _trials(journal: bytes) -> Iterator[tuple[bytes, str, str]]:
    """Line, trial and outcome of every whole line."""
    for line in journal.split(b"\n"):
        for row in journal_rows(line):
            yield line, row["trial"]["trial"], row["trial"]["outcome"]


def _outcomes(folder: Path, names: list[str]) -> dict[str, str]:
    columns = {name: TRIAL_COLUMNS[name] for name in ("trial", "outcome")}
    return {row["trial"]: row["outcome"] for name in names if name.startswith("trials/") for row in part_rows(folder / name, columns)}


def keep_ours(folder: Path, entries: Mapping[str, Any]) -> None:
    """Give readable parts of this folder, which are another machine's by name but not by content, a number that nobody has."""
    for name in entries:
        ours = content(folder / name) if name.startswith("trials/") else None
        pair = [folder / kind / Path(name).name for kind in ("calls", "trials")]
        if ours is not None and entry_of(ours) != entries[name] and all(map(_is_readable, pair)):
            taken = [*(Path(n).name for n in entries), *(path.name for path in folder.rglob("part-*.parquet"))]
            number = max(int(part[5:-8]) for part in taken if part.startswith("part-")) + 1
            for path in pair:
                path.rename(path.with_name(f"part-{number:05d}.parquet"))


def _is_readable(part: Path) -> bool:
    try:
        part_rows(part, {"trial": TRIAL_COLUMNS["trial"]})
    except RunProblem:
        return False
    return True


def json_of(data: bytes | None) -> dict[str, Any]:
    """The JSON object in these bytes; an empty one where there is none."""
    try:
        found = json_value(data or b"{}", once=True)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def seconds_of(iso: object) -> float:
    """A time in ISO 8601 as seconds since 1970; 0 where it is not one."""
    try:
        return datetime.datetime.fromisoformat(str(iso)).timestamp()
    except ValueError:
        return 0.0


def age_of(manifest: bytes | None) -> tuple[float, float]:
    """What grows from one manifest of a run to the next: its sessions, which no clock can set back, then the time."""
    if not manifest:
        return -1.0, 0.0
    found = json_of(manifest)
    sessions = found.get("sessions")
    return float(sessions) if isinstance(sessions, int) else 0.0, seconds_of(found.get("updated_at"))

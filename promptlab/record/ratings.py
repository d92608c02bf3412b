"""Ratings by people in a run folder: `ratings/RATER.jsonl`, one line for each act, on the disk before anything follows from it.

Nothing here names a person: a rater is a token. A line is never changed; what is undone is undone by a later line.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from promptlab.nouns import UNREADABLE, FileProblems, Problem, RunProblem, UsageProblem
from promptlab.nouns.typed import typed
from promptlab.record.lines import chained, rows_in
from promptlab.record.store.files import locked, remedy_of, write_whole
from promptlab.record.store.reading import manifest_in
from promptlab.record.store.writing import write_manifest
from promptlab.scoring.judged import CHOICES
from promptlab.sources.foreign import opened_to_write, read_bytes
from promptlab.sources.tables import csv_rows

FOLDER = "ratings"
LIMIT = 2**26
OTHERS = "others"
"""The key of a line that holds the length and the hash of each other rater's file at that time, so that none goes without a trace."""
RATER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
DIGITS = 15
"""Of a number of milliseconds."""
COLUMNS = ("rater", "unit", "kind", "rubric", "value", "ms", "trial_a", "trial_b", "digest", "at")
"""Of a CSV: one row for each rubric of a rating; of a pair the rubric is empty and the value A, B or tie. An empty value: cannot judge."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one rater said of one unit: numbers by rubric, or of a pair `A`, `B` or `tie`; nothing where it cannot be judged."""

    rater: str
    unit: str
    kind: str
    """`rate`, `repeat` or `attention`."""
    values: Mapping[str, Any]
    trial_a: str = ""
    """The trial whose answer was shown, of a pair the one that was first."""
    trial_b: str = ""
    digest: str = ""
    """SHA-256 of what was shown, its first 12 digits."""
    ms: int | None = None
    at: str = ""
    version: str = ""
    undone: bool = False
    """Whether this line takes back what the rater said of the unit before."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What a line of a later version says beyond these."""


def file_of(folder: Path, rater: str) -> Path:
    """Where a rater's lines are; UsageProblem where the token is not one."""
    if not RATER.fullmatch(rater):
        raise UsageProblem(f"a rater is a token of letters, digits, _ and -, at most 32 of them, found {rater!r}")
    return folder / FOLDER / f"{rater}.jsonl"


def add(folder: Path, *ratings: Rating) -> None:
    """Append lines; they are on the disk when this returns, and the manifest names the length and the hash of every rater's file.

    While a sweep holds the folder the manifest stays as it is, until the next rating.
    """
    for rater, of_rater in groupby(ratings, key=lambda rating: rating.rater):
        _append(folder, file_of(folder, rater), list(of_rater))
    with contextlib.suppress(RunProblem):
        manifest_in(folder)  # a folder without one gets no lock either
        lock = locked(folder)
        try:
            files = {path.stem: _lines(folder, path) for path in sorted((folder / FOLDER).glob("*.jsonl"))}
            write_manifest(folder, replace(manifest_in(folder), ratings=_named(files)))
        finally:
            os.close(lock)


def files_in(folder: Path) -> dict[str, bytes]:
    """The files with ratings of a run or a bundle, by their places in it."""
    return {f"{FOLDER}/{path.name}": _lines(folder, path) for path in sorted((folder / FOLDER).glob("*.jsonl"))}


def copied(source: Path, folder: Path) -> None:
    """Copy the ratings of a bundle into the run that its answers give, where nobody has rated."""
    if not (folder / FOLDER).exists():
        for name, data in files_in(source).items():
            path = file_of(folder, Path(name).stem)
            path.parent.mkdir(exist_ok=True)
            write_whole(path, data)


def _named(files: Mapping[str, bytes]) -> dict[str, list[Any]]:
    """Length and hash of what each rater's file holds."""
    return {name: [len(lines), hashlib.sha256(lines).hexdigest()] for name, lines in files.items()}


def _append(folder: Path, path: Path, ratings: Sequence[Rating]) -> None:
    rows = [{**{k: v for k, v in asdict(rating).items() if k != "more"}, **rating.more} for rating in ratings]
    is_new = not path.exists()
    before = _lines(folder, path)
    theirs = {other.stem: _lines(folder, other) for other in sorted(path.parent.glob("*.jsonl")) if other != path}
    rows[0] |= {OTHERS: _named(theirs)} if theirs else {}
    try:
        path.parent.mkdir(exist_ok=True)
        number = opened_to_write(path, os.O_APPEND, 0o600)
    except OSError as error:
        raise RunProblem(f"{path}: cannot be written: {error.strerror or error}") from None
    with open(number, "ab") as file:
        file.write(chained(before, *rows))
        file.flush()
        os.fsync(number)
    if is_new:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def unlike(folder: Path) -> list[str]:
    """Lines that are not what was written after those before them; a file without any chain is of an earlier version.

    Whoever edits a file can compute its chain again: this tells damage and careless edits.
    """
    found = []
    others: dict[str, Any] = {}
    with contextlib.suppress(RunProblem):
        others |= manifest_in(folder).ratings
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        for row, wrong in rows_in(_lines(folder, path)):
            found += [wrong.format(f"{FOLDER}/{path.name}")] if wrong else []
            with contextlib.suppress(*UNREADABLE):
                others |= {name: max(known, others.get(name, known)) for name, known in (row or {}).get(OTHERS, {}).items()}
    for name, (n, known) in ((name, said) for name, said in others.items() if _is_trace(said)):
        if RATER.fullmatch(name) and hashlib.sha256(_lines(folder, file_of(folder, name))[:n]).hexdigest() != known:
            found.append(f"{FOLDER}/{name}.jsonl is not, or no longer, what the manifest or other raters' lines name")
    return found


def _is_trace(said: Any) -> bool:  # noqa: ANN401
    """Whether a line's word on another rater's file has the form of `OTHERS`."""
    return isinstance(said, list | tuple) and list(map(type, said)) == [int, str]


def ratings_of(folder: Path, rater: str | None = None) -> list[Rating]:
    """What holds: the last word of each rater on each unit and kind, in order; lines that cannot be read are left out."""
    found: dict[tuple[str, str, str], Rating] = {}
    own = {f.name for f in fields(Rating)}
    for path in [file_of(folder, rater)] if rater else sorted((folder / FOLDER).glob("*.jsonl")):
        for data, _ in rows_in(_lines(folder, path)):
            try:
                one = replace(typed(Rating, data or {}), more={k: v for k, v in (data or {}).items() if k not in (*own, OTHERS)})
                if not all(isinstance(value, str | int | float) for value in one.values.values()):
                    continue
            except UNREADABLE:
                continue
            place = (one.rater, one.unit, one.kind)
            found.pop(place, None)
            if not one.undone:
                found[place] = one
    return list(found.values())


def _lines(folder: Path, path: Path) -> bytes:
    """What a rater's file holds; RunProblem where it is no regular file of the run, or too large."""
    try:
        if path.parent.is_symlink():
            raise OSError("a link, which is not followed")
        return read_bytes(path, LIMIT, folder)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunProblem(f"{path}: cannot be read ({error.strerror or error}); {remedy_of(folder)}") from None


def rows_of(ratings: Iterable[Rating]) -> list[list[Any]]:
    """Ratings as rows of a CSV with these `COLUMNS`, one row for each rubric."""
    return [
        [one.rater, one.unit, one.kind, rubric, value, one.ms, one.trial_a, one.trial_b, one.digest, one.at]
        for one in ratings
        for rubric, value in one.values.items() or [("", "")]
    ]


def from_csv(path: Path, text: str) -> list[Rating]:
    """Ratings from a CSV in the form of `rows_of`; `rater`, `unit` (or `trial_a`) and `value` are needed, the rest may be left out.

    FileProblems tells every row that is wrong.
    """
    lines = csv_rows(path, io.StringIO(text.removeprefix("\ufeff"), newline=""), ",")
    heads = next(lines, (1, []))[1]
    have = set(heads)
    if missing := [name for name in ("rater", "value") if name not in have] + ([] if have & {"unit", "trial_a"} else ["unit or trial_a"]):
        raise FileProblems.one(path, f"has no column {', '.join(missing)}", 1)
    if twice := [name for name, n in Counter(heads).items() if n > 1 and name in COLUMNS]:
        raise FileProblems.one(path, f"two columns have one name: {', '.join(twice)}", 1)
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    problems = []
    for number_of_line, cells in lines:
        row = dict(zip(heads, cells, strict=False))
        rater, value = (row.get("rater") or "").strip(), (row.get("value") or "").strip()
        unit = (row.get("unit") or row.get("trial_a") or "").strip()
        if not RATER.fullmatch(rater) or not unit:
            problems.append(Problem(path, number_of_line, f"expected a rater's token and a unit, found {rater!r} and {unit!r}"))
            continue
        kind = (row.get("kind") or "rate").strip()
        rating = found.setdefault((rater, unit, kind), {"values": {}, "row": row})
        if value:
            rubric, number = (row.get("rubric") or "").strip(), value.replace(".", "", 1).isdecimal()
            read = float(value) if number else value
            if not number and value not in CHOICES:
                problems.append(Problem(path, number_of_line, f"{value!r} is no rating: a number, A, B, tie, or nothing"))
            elif rating["values"].setdefault(rubric, read) != read:
                said = f"{rater} says {rating['values'][rubric]} and {value} of one answer ({unit})"
                problems.append(Problem(path, number_of_line, said.replace(".0 ", " ")))
    if problems:
        raise FileProblems(problems)
    return [
        Rating(
            rater, unit, kind, one["values"], ms=int(ms) if (ms := one["row"].get("ms") or "").isdecimal() and len(ms) <= DIGITS else None,
            trial_a=one["row"].get("trial_a") or "", trial_b=one["row"].get("trial_b") or "", digest=one["row"].get("digest") or "",
            at=one["row"].get("at") or "",
        )
        for (rater, unit, kind), one in found.items()
    ]  # fmt: skip

"""Golden files: how they are written, read and compared, and how intended differences are taken out of the comparison.

A golden file is JSON. A list of objects with the same keys is kept as `{"all": {...}, "columns": [...], "rows": [...]}`, a row a line, and
under `all` what is the same in all of them. A long text, and a long list or object inside a row, stands once under `texts`, by its digest.
Where only digests may be kept, `texts` is left out, and digests are compared.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from characterise.cases import CASES, HERE, Case, Observed, timeless

GOLDEN = HERE / "golden"
INTENDED = HERE / "intended.yaml"
LONG = 24
"""Characters of a text with spaces from which on it is kept under its digest."""
MARK = "#"
SAME = 1e-9
"""Relative difference of numbers that is the processor's, not ours."""
SHOWN = 25
PARTS = ("report", "trials", "calls", "bodies")


def write(case: Case, observed: Observed) -> None:
    """Make the golden files of a case anew."""
    folder = GOLDEN / case.name
    folder.mkdir(parents=True, exist_ok=True)
    for part, value in observed.parts():
        path = folder / f"{part}.json"
        if part == "bodies" and not value:
            path.unlink(missing_ok=True)
            continue
        path.write_text(_written(value, keep_texts=not (case.recorded and part != "report")), encoding="utf-8")


def read(case: Case, part: str) -> Any:
    """One golden file as plain values; digests stay where the texts may not be kept."""
    path = GOLDEN / case.name / f"{part}.json"
    if part == "bodies" and not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    value = _unpacked(found["value"], found.get("texts"))
    return timeless(value) if part == "report" else value


def as_kept(case: Case, part: str, value: Any) -> Any:
    """What is observed, in the form in which `read` gives it."""
    return _digested(value) if case.recorded and part != "report" else json.loads(json.dumps(value))


def _digest(text: str) -> str:
    return MARK + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _is_long(text: str) -> bool:
    return len(text) >= LONG and any(c.isspace() for c in text)


def _digested(value: Any) -> Any:
    """Every text that could be the data's own as its digest; names of columns and short words stay."""
    if isinstance(value, dict):
        return {name: _digest(v) if isinstance(v, str) and name in OF_DATA else _digested(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_digested(v) for v in value]
    return _digest(value) if isinstance(value, str) and _is_long(value) else value


OF_DATA = ("content", "text", "answer", "extracted", "input", "output")


def _packed(value: Any, texts: dict[str, Any]) -> Any:
    if isinstance(value, str) and _is_long(value):
        texts[_digest(value)] = value
        return _digest(value)
    if isinstance(value, dict):
        return {name: _packed(v, texts) for name, v in sorted(value.items())}
    if isinstance(value, list):
        names = list(value[0]) if value and isinstance(value[0], dict) else []
        if len(value) > 1 and names and all(isinstance(v, dict) and set(v) == set(names) for v in value):
            plain = {name: {json.dumps(v[name], sort_keys=True) for v in value} for name in sorted(names)}
            own = [name for name in plain if len(plain[name]) > 1]
            alike = {name: _packed(value[0][name], texts) for name in plain if name not in own}
            return {"all": alike, "columns": own, "rows": [[_cell(v[name], texts) for name in own] for v in value]}
        return [_packed(v, texts) for v in value]
    return value


def _cell(value: Any, texts: dict[str, Any]) -> Any:
    packed = _packed(value, texts)
    text = json.dumps(packed, ensure_ascii=False)
    if not isinstance(packed, dict | list) or len(text) < 2 * LONG:
        return packed
    texts[_digest(text)] = packed
    return _digest(text)


def _unpacked(value: Any, texts: Mapping[str, Any] | None) -> Any:
    if isinstance(value, str):
        kept = (texts or {}).get(value, value)
        return kept if isinstance(kept, str) else _unpacked(kept, texts)
    if isinstance(value, list):
        return [_unpacked(v, texts) for v in value]
    if isinstance(value, dict):
        if set(value) == {"all", "columns", "rows"}:
            alike = _unpacked(value["all"], texts)
            return [{**alike, **dict(zip(value["columns"], (_unpacked(v, texts) for v in row), strict=True))} for row in value["rows"]]
        return {name: _unpacked(v, texts) for name, v in value.items()}
    return value


def _written(value: Any, *, keep_texts: bool) -> str:
    texts: dict[str, Any] = {}
    packed = _packed(value, texts) if keep_texts else _digested(value)
    whole = {"value": packed, **({"texts": dict(sorted(texts.items()))} if keep_texts else {})}
    return _lines(whole, 0) + "\n"


def _lines(value: Any, depth: int) -> str:
    """JSON with one line for each row and each short value."""
    flat = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(value, dict | list) or (len(flat) < 100 and depth > 1) or (isinstance(value, list) and not _has_rows(value)):
        return flat
    if isinstance(value, dict):
        inner = [f"{json.dumps(name, ensure_ascii=False)}:{_lines(v, depth + 1)}" for name, v in value.items()]
        return "{\n" + ",\n".join(inner) + "\n}"
    return "[\n" + ",\n".join(json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in value) + "\n]"


def _has_rows(value: list[Any]) -> bool:
    return any(isinstance(v, dict | list) or (isinstance(v, str) and len(v) > LONG) for v in value)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value with its path, such as `comparisons.3.p_value`; empty lists and objects are values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None or not value:
        yield path, value
        return
    for name, v in inner:
        yield from flat(v, f"{path}.{name}" if path else str(name))


@dataclass
class Entry:
    """One intended difference of intended.yaml."""

    number: int
    kind: str
    """`differs` (path), `added`, `removed`, `renamed`, `values`, `run_ids`."""
    where: str | None
    reason: str
    told: Any
    path: str | None
    cases: tuple[str, ...]
    used_by: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"entry {self.number} of {INTENDED.name} ({self.kind} {self.told if self.told is not True else ''} in {self.where or 'all'})"

    def of(self, case: str, part: str) -> bool:
        return case in self.cases and self.where in (None, part)


KINDS = ("added", "removed", "renamed", "values", "run_ids")


def intended(text: str) -> list[Entry]:
    """The intended differences; ValueError for an entry that is not of the form, or has no reason."""
    found = []
    for number, entry in enumerate(yaml.safe_load(text) or [], 1):
        kinds = [kind for kind in KINDS if kind in entry]
        path = entry.get("path")
        kind = kinds[0] if kinds else "differs"
        extra = set(entry) - {"where", "reason", "cases", "path", *KINDS}
        where = entry.get("where")
        wrong = (
            f"unknown keys {sorted(extra)}" if extra
            else "no reason" if not str(entry.get("reason") or "").strip()
            else f"several kinds: {', '.join(kinds)}" if len(kinds) > 1
            else f"'where' must be one of {', '.join(PARTS)}" if kind != "run_ids" and where not in PARTS
            else "no path" if kind in ("differs", "values") and not path
            else f"unknown cases {sorted(set(entry['cases']) - set(CASES))}" if set(entry.get("cases", ())) - set(CASES)
            else None
        )  # fmt: skip
        if wrong:
            raise ValueError(f"{INTENDED.name}, entry {number}: {wrong}")
        told = entry[kind] if kinds else path
        cases = tuple(entry.get("cases", CASES))
        found.append(Entry(number, kind, where, entry["reason"], told, path, cases))
    return found


def differences(case: Case, part: str, golden: Any, now: Any, ids: tuple[str, str], entries: list[Entry]) -> list[str]:
    """What differs between a golden file and what is observed, beyond what is intended; an entry that applies notes the case."""
    before, after = dict(flat(golden)), dict(flat(now))
    frame = part != "report"
    for entry in entries:
        if entry.of(case.name, part) and _applied(entry, before, after, ids, frame):
            entry.used_by.add(case.name)
    lines = [f"- {path}: {_short(before[path])}" for path in before if path not in after]
    lines += [f"+ {path}: {_short(after[path])}" for path in after if path not in before]
    lines += [
        f"! {path}: {_short(before[path], after[path])} -> {_short(after[path], before[path])}"
        for path in before
        if path in after and not same(before[path], after[path])
    ]
    return lines


def shown(case: Case, part: str, lines: list[str]) -> str:
    """Differences as a message: the first of them, and what to do."""
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([f"{case.name}, {part}: {len(lines)} differences (- golden only, + now only, ! golden -> now)", *lines[:SHOWN], *more])


def same(one: Any, other: Any) -> bool:
    """Equal; numbers up to the last digits."""
    if isinstance(one, float) and isinstance(other, int | float) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=SAME, abs_tol=1e-12)
    return type(one) is type(other) and bool(one == other)


def _applied(entry: Entry, before: dict[str, Any], after: dict[str, Any], ids: tuple[str, str], frame: bool) -> bool:
    """Take one intended difference out of both sides; whether there was any."""
    if entry.kind == "run_ids":
        if ids[0] == ids[1]:
            return False
        for side, name in ((before, ids[0]), (after, ids[1])):
            side.update({path: value.replace(name, "RUN") for path, value in side.items() if isinstance(value, str)})
        return True
    if entry.kind == "renamed":
        done = [_renamed(before, after, _path(old, frame), _path(new, frame)) for old, new in entry.told.items()]
        return all(done)
    if entry.kind == "values":
        fits = _matcher([_path(entry.path or "", frame)])
        changed = [p for p, v in before.items() if fits(p) and not isinstance(v, list | dict) and v in entry.told]
        before.update({path: entry.told[before[path]] for path in changed})
        return bool(changed)
    paths = [entry.told] if isinstance(entry.told, str) else list(entry.told)
    fits = _matcher([_path(path, frame) for path in paths])
    if entry.kind == "added":
        gone = [path for path in after if path not in before and fits(path)]
        for path in gone:
            del after[path]
    elif entry.kind == "removed":
        gone = [path for path in before if path not in after and fits(path)]
        for path in gone:
            del before[path]
    else:
        gone = [path for path in before if path in after and fits(path) and not same(before[path], after[path])]
        for path in gone:
            del before[path], after[path]
    return bool(gone)


def _path(path: str, frame: bool) -> str:
    """A column of a frame means that column in every row."""
    return f"*.{path}" if frame and not path.startswith("*.") else path


def _matcher(paths: list[str]) -> Callable[[str], bool]:
    """Whether a path is one of these, or below it; `*` is any one step."""
    patterns = [re.compile(_regex(path) + r"(\..*)?") for path in paths]
    return lambda path: any(pattern.fullmatch(path) for pattern in patterns)


def _regex(path: str) -> str:
    return r"\.".join("([^.]*)" if step == "*" else re.escape(step) for step in path.split("."))


def _renamed(before: dict[str, Any], after: dict[str, Any], old: str, new: str) -> bool:
    pattern = re.compile(_regex(old) + r"(?P<below>\..*)?")
    done = False
    for path in list(before):
        if not (match := pattern.fullmatch(path)):
            continue
        steps = iter(match.groups())
        renamed = ".".join(next(steps) if step == "*" else step for step in new.split(".")) + (match["below"] or "")
        if renamed in after and path not in after:
            before[renamed] = before.pop(path)
            done = True
    return done


def _short(value: Any, other: Any = None) -> str:
    """A value on one line; of two long texts, the place where they part."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= 160:
        return text
    against = json.dumps(other, ensure_ascii=False)
    at = next((i for i, (a, b) in enumerate(zip(text, against, strict=False)) if a != b), 0) if isinstance(other, str) else 0
    return f"{'...' if at > 60 else ''}{text[max(0, at - 60) : at + 100]}..."

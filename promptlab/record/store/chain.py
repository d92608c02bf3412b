"""A hash chain over what a run records: each line of the journal extends it, each part is a link, and the manifest holds its head.

It tells damage and careless edits. Whoever edits a run can compute it again, so a stamp of its head by somebody else
is what tells more (docs/audit.md).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.nouns import RunProblem, counted, digest
from promptlab.record.store.files import AFTER, journal_of, lines_with_a_key_twice, parts_in, read_file, sync, way_aside, write_whole
from promptlab.sources.foreign import json_value, sha256_of

CHAIN = "chain.jsonl"
GENESIS = digest("promptlab chain 1")


class State(NamedTuple):
    """How far a chain is: the lines it covers, and the hash after the last of them."""

    n: int
    head: str

    def extended(self, lines: Iterable[bytes]) -> State:
        """The state after more lines of the journal, each with its end."""
        n, head = self.n, bytes.fromhex(self.head)
        for line in lines:
            n, head = n + 1, hashlib.sha256(head + line).digest()
        return State(n, head.hex())


class Chain:
    """The chain of one run folder while it is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        links = _repaired(folder)
        self.n_links = len(links)
        self.link = str(links[-1]["link"]) if links else GENESIS
        self.state = _state_of(links[-1]) if links else State(0, GENESIS)
        if unlinked := [path.name for path in parts_in(folder, "trials") if path.name not in _parts_of(links)]:
            self.adopt(unlinked)

    def add(self, lines: Sequence[bytes]) -> None:
        """Extend it by lines that were appended to the journal."""
        self.state = self.state.extended(lines)

    def adopt(self, parts: Iterable[str]) -> None:
        """Link parts that no chain covered: of an earlier version, of another machine, or left by a kill."""
        for name in parts:
            self._append({"adopted": name, **files_of(self._folder, name)}, self.state)

    def seal(self, part: str, state: State) -> None:
        """Link a part that was made of the lines up to `state`."""
        self._append({"part": part, **files_of(self._folder, part)}, state)

    def gone(self, parts: Sequence[str]) -> None:
        """Link what repair moved aside or did not find."""
        self._append({"gone": list(parts)}, self.state)

    def rebuilt(self, why: Sequence[str]) -> None:
        """Link that repair rebuilt the chain, and what was wrong with it."""
        self._append({"rebuilt": list(why)}, self.state)

    def plain(self) -> dict[str, Any]:
        """As the manifest holds it."""
        return {"lines": self.state.n, "head": self.state.head, "links": self.n_links, "link": self.link}

    def _append(self, what: Mapping[str, Any], state: State) -> None:
        row = {**what, "lines": state.n, "head": state.head}
        self.link, self.n_links = digest([self.link, row]), self.n_links + 1
        with (self._folder / CHAIN).open("ab") as file:
            file.write(json.dumps({**row, "link": self.link}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if self.n_links == 1:
            sync(self._folder)


def files_of(folder: Path, part: str) -> dict[str, str | None]:
    """The SHA-256 of both halves of a part; None for one that is missing."""
    return {kind: _sha256(folder / kind / part) for kind in ("trials", "calls")}


def links_in(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """The links of a run folder up to the first that does not follow, and what is wrong with that one; a torn last line is not one."""
    try:
        data = read_file(folder / CHAIN)
    except FileNotFoundError:
        return [], ""
    except RunProblem:
        return [], f"{CHAIN} cannot be read"
    found: list[dict[str, Any]] = []
    last = GENESIS
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            row = json_value(line, once=True)
            link = row.pop("link")
            _state_of(row)
            follows = link == digest([last, row])
        except (ValueError, KeyError, TypeError, AttributeError):
            follows = False
        if not follows:
            return found, f"line {number} of {CHAIN} does not follow from the one before"
        found.append({**row, "link": link})
        last = link
    return found, ""


def _repaired(folder: Path) -> list[dict[str, Any]]:
    """The links that follow from each other; a file that holds more than those goes into `damaged/`, and is rewritten."""
    links, broken = links_in(folder)
    path = folder / CHAIN
    if broken or (path.exists() and not path.read_bytes().endswith(b"\n")):
        path.rename(way_aside(folder) / CHAIN)
        write_whole(path, b"".join(json.dumps(link).encode() + b"\n" for link in links))
    return links


class Verified(NamedTuple):
    """What following a chain came to."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    n_lines: int | None
    """Lines that the chain covers; None where there is no chain."""


def verified(folder: Path, told: Mapping[str, Any]) -> Verified:
    """Follow the chain of a run folder from the plan to its head; `told` is what the manifest says of it."""
    links, broken = links_in(folder)
    if not links and not told and not broken:
        return Verified((), ("The run has no hash chain: an earlier version or another tool wrote it.",), None)
    problems, notes = [broken] if broken else [], []
    of_part, gone = _parts_of(links), {name for link in links for name in link.get("gone", ())}
    present = {path.name for path in parts_in(folder, "trials")}
    journal = journal_of(folder)
    lines = [line + b"\n" for line in journal.split(b"\n")[:-1] if not line.startswith(AFTER)]
    if twice := lines_with_a_key_twice(journal):
        problems.append(f"{counted(len(twice), 'line')} of the journal give{'s' * (len(twice) == 1)} a key twice")
    for name, link in sorted(of_part.items()):
        if name in gone:
            notes.append(f"{name} was moved aside by `promptlab runs repair`.")
        elif files_of(folder, name) != {kind: link[kind] for kind in ("trials", "calls")}:
            problems.append(f"{name} is {'not what was written' if name in present else 'missing'}")
    strange = sorted(present - set(of_part))
    if len(strange) > 1 or (strange and strange[0] < max(present)):  # a kill between a part and its link leaves the newest
        problems += [f"{name} is no part that the chain knows" for name in strange]
    notes += [f"`promptlab runs repair` rebuilt the chain: {'; '.join(map(str, link['rebuilt']))}." for link in links if "rebuilt" in link]
    if "adopted" in {key for link in links for key in link}:
        notes.append("Parts without lines of a chain were taken over: an earlier version or another machine wrote them.")
    starts = [State(0, GENESIS), *map(_state_of, links)]
    if told and (why := _contradicted(told, links, starts, lines)):
        problems.append(why)
    return Verified(tuple(problems), tuple(dict.fromkeys(notes)), int(told.get("lines", 0)) if told else starts[-1].n)


def _contradicted(told: Mapping[str, Any], links: Sequence[Mapping[str, Any]], starts: Sequence[State], lines: Sequence[bytes]) -> str:
    """Why the manifest's head is not that of this chain; empty where it is, or where a power cut took what would show it."""
    n, head, n_links = told.get("lines"), told.get("head"), told.get("links")
    if not isinstance(n, int) or not isinstance(n_links, int) or n_links > len(links):
        return f"the manifest knows {n_links} links of the chain, and there are {len(links)}"
    if n_links and links[n_links - 1]["link"] != told.get("link"):
        return "the manifest's head is not that of the chain"
    if n < starts[-1].n:
        return "" if all(start.head == head for start in starts if start.n == n) else "the manifest's head is not that of the chain"
    for start in starts[-2:]:  # a kill may leave lines in the journal that are in the last part already
        if 0 <= n - start.n <= len(lines) and start.extended(lines[: n - start.n]).head == head:
            return ""
    return "" if n - starts[-1].n > len(lines) else "the journal's lines are not those that the manifest's head covers"


def _parts_of(links: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The last link of each part."""
    return {str(link.get("part") or link.get("adopted")): link for link in links if "part" in link or "adopted" in link}


def unlike(folder: Path) -> Iterator[tuple[str, str]]:
    """Parts that are not what was written, and parts that are gone: name, and which of both."""
    links, _ = links_in(folder)
    known_gone = {name for link in links for name in link.get("gone", ())}
    for name, link in _parts_of(links).items():
        now = files_of(folder, name)
        if name not in known_gone and now != {kind: link[kind] for kind in now}:
            yield name, "gone" if None in now.values() else "changed"


def _state_of(link: Mapping[str, Any]) -> State:
    n, head = link["lines"], link["head"]
    if not isinstance(n, int) or len(bytes.fromhex(head)) != hashlib.sha256().digest_size:
        raise ValueError("no state of a chain")
    return State(n, head)


def _sha256(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None

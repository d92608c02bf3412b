"""Completions by call key, in diskcache's own table: read and added to here in blocks, anything else through diskcache."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal, NamedTuple

import diskcache
import orjson
from diskcache.core import DBNAME, MODE_RAW

from promptlab.nouns import Completion, RunProblem
from promptlab.running.cache.claims import Claims
from promptlab.running.cache.guard import SETTINGS, VALUE_LIMIT, NotText, check_database, check_locks, make_folder, value_file, value_text
from promptlab.running.cache.rows import Request, packed, request_in, unpacked

log = logging.getLogger("promptlab.cache")
Use = Literal["use", "refresh", "off", "imported", "replay"]
"""Reuse answers and keep new ones; send all again and overwrite; neither read nor write; as `use`, and imported answers too; only what is
there, imported or not, and send nothing."""
IMPORTED = "imported:"
"""The text before the key of an answer out of a bundle: nobody can tell who gave it, so only `imported` and `replay` use it."""
PRAGMAS = ("synchronous", "cache_size", "mmap_size")
"""Those of diskcache's settings that belong to a connection."""
BLOCK = 900
"""Keys in one statement; SQLite before 3.32 takes no more than 999."""


class NotCached(RunProblem):
    """A call that a replay needs and the cache does not hold."""


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys and values are text, in files that diskcache named itself; no other kind of row is read, written or removed."""

    def put(self, key: object) -> tuple[Any, bool]:
        if not isinstance(key, str):
            raise NotText(f"a key must be text, not {type(key).__name__}")
        return super().put(key)  # type: ignore[no-any-return]

    def get(self, key: object, raw: bool) -> Any:  # noqa: ANN401
        if not raw or not isinstance(key, str):
            raise NotText("a key in the cache is not text")
        return key

    def store(self, value: object, read: bool, key: Any = None) -> Any:  # noqa: ANN401
        if read or not isinstance(value, str):
            raise NotText(f"a value must be text, not {type(value).__name__}")
        return super().store(value, read, key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:  # noqa: ANN401
        if read:
            raise NotText("a value in the cache is never a file handle")
        return value_text(Path(self._directory), mode, filename, value)

    def remove(self, file_path: str) -> None:
        try:
            value_file(Path(self._directory), file_path)
        except NotText as error:
            log.warning("a cache row names the file %r, which is left alone: %s", file_path, error)
            return
        super().remove(file_path)


class Stored(NamedTuple):
    """One row as it lies in the cache: with a completion, or with what is wrong with it."""

    row: int
    key: str
    stored_at: float
    completion: Completion | None
    request: Request | None
    problem: str | None


class Cache:
    """Completions by call key. Only answers that a provider gave are kept; errors never are."""

    def __init__(self, folder: Path, use: Use = "use") -> None:
        self.folder = folder
        self.use = use
        self._also_imported = use in ("imported", "replay")
        self._asked_again: set[str] = set()
        make_folder(folder)
        try:
            check_locks(folder)
            check_database(folder)
            self._store = diskcache.Cache(str(folder), disk=TextDisk, timeout=30, **SETTINGS)
            self._db = sqlite3.connect(folder / DBNAME, timeout=30, isolation_level=None)
            self._adding = sqlite3.connect(folder / DBNAME, timeout=30, isolation_level=None, check_same_thread=False)
            for pragma in PRAGMAS:
                self._adding.execute(f"PRAGMA {pragma} = {SETTINGS[f'sqlite_{pragma}']}")
            self.claims = Claims(folder) if use in ("use", "imported") else None
            """Requests in flight in other processes; a cache that sends again, or only reads, waits for none."""
        except (sqlite3.DatabaseError, diskcache.Timeout, OSError) as error:
            raise self._damaged(error) from None
        self._db.text_factory = _decoded
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_LIMIT)
        self.beside: Cache | None = None
        """Where answers are looked up that are not here."""

    def get(self, key: str) -> Completion | None:
        """The stored answer; None when there is none, or when the row is damaged (with a warning)."""
        if self.use == "refresh" and key not in self._asked_again:
            return None
        if self._also_imported and (found := next(self._answers(_SELECT_ONE, (IMPORTED + key,)), None)):
            return found[1]
        found = next(self._answers(_SELECT_ONE, (key,)), None)
        return found[1] if found else self.beside.get(key) if self.beside is not None else None

    def get_many(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The stored answers of those keys that have one; a damaged row is left out, with a warning."""
        wanted = list(dict.fromkeys(key for key in keys if self.use != "refresh" or key in self._asked_again))
        found: dict[str, Completion] = {}
        for start in range(0, len(wanted), BLOCK):
            block = wanted[start : start + BLOCK]
            found.update(self._answers(_select(len(block)), block))
            if self._also_imported:
                imported = self._answers(_select(len(block)), [IMPORTED + key for key in block])
                found.update({key.removeprefix(IMPORTED): completion for key, completion in imported})
        return {**self.beside.get_many(key for key in wanted if key not in found), **found} if self.beside is not None else found

    def put(self, key: str, completion: Completion, request: Request | None = None) -> None:
        """Keep an answer, durable before this returns; outcome `error` is not an answer. `request` is what `key` is the digest of."""
        self.put_many([(key, completion, request)])

    def put_many(self, answers: Sequence[tuple[str, Completion, Request | None]]) -> None:
        """Keep several answers, durable before this returns."""
        self.put_packed({key: packed(key, completion, request) for key, completion, request in answers if completion.outcome != "error"})

    def put_packed(self, kept: Mapping[str, str]) -> None:
        """The same for rows as `rows.packed` writes them, by key: in one transaction where all are new and short.

        It may be called from a thread next to the one that reads, and lets that one continue while the database works.
        """
        short = [(key, text) for key, text in kept.items() if len(text) < SETTINGS["disk_min_file_size"]]
        try:
            n_new = self._adding.execute(_INSERT, (time.time(), orjson.dumps(short).decode())).rowcount if short else 0
            if n_new < len(kept):  # diskcache knows what becomes of a row that is there, and where a long one goes
                with self._store.transact():
                    for key, text in kept.items():
                        self._store.set(key, text)
        except (sqlite3.DatabaseError, diskcache.Timeout, OSError) as error:
            raise self._damaged(error) from None
        if self.use == "refresh":
            self._asked_again.update(kept)

    def stored(self) -> Iterator[Stored]:
        """Every row, oldest first, one at a time; planted and damaged ones with their problem."""
        query = "SELECT rowid, store_time, key, raw, mode, filename, value FROM Cache ORDER BY rowid"
        for row, stored_at, key, raw, mode, filename, value in self._read(query, ()):
            completion, text, problem = self._checked(key, raw, mode, filename, value)
            request = request_in(text) if completion is not None else None
            at = float(stored_at) if isinstance(stored_at, int | float) else 0.0
            yield Stored(row, key if isinstance(key, str) else repr(key)[:40], at, completion, request, problem)

    def remove(self, rows: Sequence[Stored]) -> int:
        """Take these rows out, unless they were rewritten since; returns how many went."""
        n_gone = 0
        try:
            for start in range(0, len(rows), BLOCK):
                files: list[object] = []
                with self._db:  # commits, or rolls back
                    self._db.execute("BEGIN IMMEDIATE")
                    for row in rows[start : start + BLOCK]:
                        same = "rowid = ? AND (store_time = ? OR typeof(store_time) NOT IN ('real', 'integer'))"
                        values = (row.row, row.stored_at)
                        gone = self._db.execute(f"SELECT filename FROM Cache WHERE {same}", values).fetchall()  # noqa: S608
                        self._db.execute(f"DELETE FROM Cache WHERE {same}", values)  # noqa: S608 (fixed text)
                        n_gone += len(gone)
                        files += [name for (name,) in gone if name is not None]
                for name in files:
                    with contextlib.suppress(NotText, OSError):
                        value_file(self.folder, name).unlink()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None
        return n_gone

    def shrink(self) -> None:
        """Give the space of removed rows back to the disk."""
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None

    def n_bytes(self) -> int:
        """What the cache takes on disk."""
        paths = (Path(folder) / name for folder, _, names in os.walk(self.folder) for name in names)
        return sum(path.lstat().st_size for path in paths if path.exists())

    def __len__(self) -> int:
        [(n,)] = self._read("SELECT COUNT(*) FROM Cache", ())
        return int(n)

    def close(self) -> None:
        """Release the file."""
        self._db.close()
        self._adding.close()
        if self.beside is not None:
            self.beside.close()
        if self.claims is not None:
            self.claims.close()
        self._store.close()

    def _answers(self, query: str, keys: Sequence[str]) -> Iterator[tuple[str, Completion]]:
        for key, raw, mode, filename, value in self._read(query, keys):
            completion, _, problem = self._checked(key, raw, mode, filename, value)
            if completion is not None:
                yield key, completion
            else:
                log.warning("cache row %s %s; sent again", str(key)[:12], problem)

    def _read(self, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None

    def _checked(self, key: object, raw: object, mode: object, name: object, value: object) -> tuple[Completion | None, str, str | None]:
        """The completion and the text of a row, or what is wrong with it."""
        if raw != 1 or not isinstance(key, str):
            return None, "", "has a key that is not text"
        try:
            text = value_text(self.folder, mode, name, value)
        except (NotText, OSError, UnicodeDecodeError) as error:
            return None, "", f"is not readable ({error})"
        completion = unpacked(key, text)
        return completion, text, None if completion is not None else "does not match its digest"

    def _damaged(self, error: Exception) -> RunProblem:
        busy = isinstance(error, diskcache.Timeout) or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        what = "another process holds it" if busy else str(error)
        remedy = "free some space if the disk is full, else move the folder away"
        if isinstance(error, PermissionError) or getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
            remedy = "allow writing there, also where answers are only read, or set PROMPTLAB_HOME to another folder"
        return RunProblem(
            f"{self.folder}: the cache cannot be used ({what}); {remedy}: "
            f"finished trials are in the run folder, so nothing of them is paid again"
        )


def _select(n: int) -> str:
    return f"SELECT key, raw, mode, filename, value FROM Cache WHERE key IN ({','.join('?' * n)})"  # noqa: S608 (question marks)


_SELECT_ONE = _select(1)
_INSERT = f"""
INSERT OR IGNORE INTO Cache (key, raw, store_time, access_time, access_count, size, mode, value)
SELECT json_extract(value, '$[0]'), 1, ?1, ?1, 0, 0, {MODE_RAW}, json_extract(value, '$[1]') FROM json_each(?2)
"""  # noqa: S608 (a constant)
"""Rows as diskcache writes them, in one statement, which holds the interpreter up only once."""

_decoded = methodcaller("decode", "utf-8", "replace")
"""A flipped byte is one damaged row, not an error of the whole database."""

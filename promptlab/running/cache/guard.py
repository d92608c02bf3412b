"""Whether a cache's folder, database and files can be used: looked at before diskcache opens any of them.

Whoever can write into the folder can make up answers, and diskcache obeys what it finds there: it runs the settings of its
database as pragmas, follows file names out of the folder, and deletes what they name.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path

from diskcache.core import DBNAME, DEFAULT_SETTINGS, METADATA, MODE_RAW, MODE_TEXT

from promptlab.nouns import RunProblem
from promptlab.running.cache.claims import NAME
from promptlab.sources.foreign import make_private, read_bytes

log = logging.getLogger("promptlab.cache")
SETTINGS = {**DEFAULT_SETTINGS, "eviction_policy": "none", "cull_limit": 0, "sqlite_synchronous": 2}
"""All of diskcache's settings, so that none is taken from the file. Its defaults drop entries without a word beyond 1 GiB, and what a
power cut finds in no checkpoint; here each transaction is synced before anything follows from it.
"""
DROPS_ROWS = ("eviction_policy", "cull_limit")
KNOWN = frozenset(SETTINGS) | frozenset(METADATA)
VALUE_LIMIT = 64 * 2**20
FILE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
TABLES = frozenset({
    "CREATE TABLE Settings ( key TEXT NOT NULL UNIQUE, value)",
    "CREATE TABLE Cache ( rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL, expire_time REAL, access_time REAL, "
    "access_count INTEGER DEFAULT 0, tag BLOB, size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)",
})  # fmt: skip
"""Each column as diskcache makes it: one that is computed, or has another default, could be of any size."""
INDEX = re.compile(r"CREATE (UNIQUE )?INDEX Cache_\w+ ON Cache ?\(\w+(, \w+)?\)")
TRIGGER = re.compile(
    r"CREATE TRIGGER Settings_\w+ AFTER (INSERT|UPDATE|DELETE) ON Cache FOR EACH ROW BEGIN "
    r'UPDATE Settings SET value = value( [+-] (1|NEW\.size|OLD\.size))+ WHERE key = "(count|size)"; END'
)


class NotText(Exception):
    """A row that is not text: written by something else, or planted."""


def make_folder(folder: Path) -> None:
    """Make the folder for its owner alone; RunProblem for one that others can write to, or that is not where it seems to be."""
    if os.path.expandvars(os.path.expanduser(folder)) != str(folder):  # diskcache would do so, and open another folder
        raise RunProblem(f"{folder}: the cache cannot be in a folder with '~' or a variable in its name; set PROMPTLAB_HOME to another one")
    make_private(folder, "the cache", "its answers need not be a provider's")
    for name in (DBNAME, f"{DBNAME}-wal", f"{DBNAME}-shm", f"{DBNAME}-journal", NAME):
        path = folder / name
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise RunProblem(f"{path}: not a regular file, so promptlab did not make it; move the folder {folder} away")


def check_locks(folder: Path) -> None:
    """Refuse a folder on a file system without locks: SQLite would wait for them, and then say that another process holds them."""
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunProblem(
                f"{folder}: the file system there has no locks ({error.strerror}), which the cache needs; set PROMPTLAB_HOME to a local "
                f"folder, or leave the cache out with --no-cache"
            ) from None


def check_database(folder: Path) -> None:
    """Refuse a database with anything but diskcache's own tables and settings; put settings right that would drop answers."""
    path = folder / DBNAME
    if not path.exists() or not path.stat().st_size:
        return
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
        db.text_factory = lambda data: data.decode("utf-8", "replace")
        db.execute("PRAGMA trusted_schema = OFF")
        objects = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        for kind, name, sql in objects:
            if not _is_diskcaches(kind, str(name), str(sql)):
                raise RunProblem(f"{path}: holds the {kind} {str(name)!r}, which diskcache does not make; move the folder {folder} away")
        if not any(name == "Settings" for _, name, _ in objects):  # diskcache makes it
            return
        found = dict(db.execute("SELECT key, value FROM Settings").fetchall())
        strange = sorted(repr(name) for name in found if name not in KNOWN)
        if strange:
            raise RunProblem(
                f"{path}: its settings hold {', '.join(strange[:5])}, which diskcache does not write; move the folder {folder} away"
            )
        changed = {name: value for name, value in found.items() if name in SETTINGS and value != SETTINGS[name]}
        for name in changed:  # here, because diskcache runs what it finds as pragmas before it takes what it is given
            db.execute("UPDATE Settings SET value = ? WHERE key = ?", (SETTINGS[name], name))
    dropping = sorted(name for name in changed if name in DROPS_ROWS)
    if dropping:
        log.warning("%s: %s would have dropped answers; corrected", path, " and ".join(dropping))


def _is_diskcaches(kind: str, name: str, sql: str) -> bool:
    made = " ".join(sql.replace("IF NOT EXISTS ", "").split())
    if kind == "table":
        return made in TABLES
    if kind == "index":
        return name == "sqlite_autoindex_Settings_1" or INDEX.fullmatch(made) is not None
    return kind == "trigger" and TRIGGER.fullmatch(made) is not None


def value_file(folder: Path, name: object) -> Path:
    """The file that a row names; NotText when diskcache would not have named it so, or when it lies elsewhere."""
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
        raise NotText("it names a file that diskcache would not")
    path = folder / name
    if os.path.realpath(path) != os.path.join(os.path.realpath(folder), name):
        raise NotText("it names a file outside the cache")
    return path


def value_text(folder: Path, mode: object, name: object, value: object) -> str:
    """The text of a row, from the row itself or from its file; NotText or OSError when there is none."""
    if mode == MODE_RAW and name is None and isinstance(value, str):
        return value
    if mode == MODE_TEXT and value is None:
        return read_bytes(value_file(folder, name), VALUE_LIMIT).decode("utf-8")
    raise NotText("it is not text")

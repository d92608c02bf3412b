"""A run folder among others: its name, its lock, and files that are replaced whole."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from promptlab.nouns.errors import RunProblem

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary name, make it durable, rename: readers see the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunProblem(f"{path}: cannot be written: {error.strerror}; {space_left(path.parent)}") from None


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def runs_in(folder: Path) -> list[Path]:
    """The run folders below `folder`, newest first."""
    found = [path.parent for path in folder.glob("*/manifest.json")] if folder.is_dir() else []
    return sorted(found, key=lambda path: (path / "manifest.json").stat().st_mtime, reverse=True)


def is_locked(folder: Path) -> bool:
    """Whether a process is writing this run now."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other writer out of a run folder; RunProblem where one is in it."""
    lock = locked(folder)
    try:
        yield
    finally:
        os.close(lock)


def locked(folder: Path) -> int:
    """An open file that keeps every other writer out until it is closed; RunProblem where one is in the folder."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 200).decode(errors="replace").strip()
        os.close(handle)
        raise RunProblem(f"{folder}: another process ({holder or 'unknown'}) is writing this run; wait for it or stop it") from None
    os.truncate(handle, 0)
    os.write(handle, f"pid {os.getpid()}".encode())
    return handle


def space_left(folder: Path) -> str:
    """How much room a folder has, and what to do about it."""
    try:
        stat = os.statvfs(folder)
    except OSError:
        return "the folder cannot be reached"
    free_mb = stat.f_bavail * stat.f_frsize / 1e6
    return f"{free_mb:,.1f} MB are free there; make room and run the same command again"

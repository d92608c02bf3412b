"""What a run has sent and paid, kept by each of its processes in one small file: a kill forgets none of it.

The file is written in place before a request is sent and after it is settled. What was reserved when a process was killed may
have been billed, so it counts as spent from then on, and as "at most" in addition to what was paid. Where no answer has shown
that a provider keeps to limits, what is held for a request is the most that it can bill.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import struct
import zlib
from collections.abc import Iterable, Mapping
from operator import add
from pathlib import Path
from typing import NamedTuple

FORM = struct.Struct("<7d")
CHECKSUM = struct.Struct("<I")
CHECKED = struct.Struct("<7dI")
MOST = 1e15
"""No sum of a run is as large; a file that says so is not one."""


class Sums(NamedTuple):
    """Requests sent, USD paid and perhaps paid besides, and what the budget counts as spent and holds for requests in flight."""

    n_sent: float = 0.0
    paid_usd: float = 0.0
    unsure_usd: float = 0.0
    spent_usd: float = 0.0
    spent_tokens: float = 0.0
    held_usd: float = 0.0
    held_tokens: float = 0.0

    def settled(self) -> Sums:
        """The same where nobody is left to settle what is held."""
        held_usd, held_tokens = self.held_usd, self.held_tokens
        return Sums(self.n_sent, self.paid_usd, self.unsure_usd + held_usd, self.spent_usd + held_usd, self.spent_tokens + held_tokens)


NOTHING = Sums()


class Ledger:
    """One process's file. A run without a folder of its own (on another machine) has none: then nothing is kept."""

    def __init__(self, folder: Path | None, number: int = 0, before: Sums = NOTHING) -> None:
        self._before = before
        self._file: int | None = None
        if folder is not None:
            with contextlib.suppress(OSError):  # the journal says what is wrong with the folder
                self._file = os.open(_path(folder, number), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        self.keep(NOTHING)

    def keep(self, sums: Sums) -> None:
        """Write what there is next to what was before."""
        if self._file is not None:
            data = FORM.pack(*map(add, self._before, sums))
            try:
                os.pwrite(self._file, data + CHECKSUM.pack(zlib.crc32(data)), 0)
            except OSError:
                return  # the journal says what is wrong with the folder

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def taken_over(folder: Path) -> Sums:
    """What earlier sessions kept, in one file from now on; only for who holds the run's lock."""
    found = _found(folder)
    if not found:
        return NOTHING
    whole = _whole(found).settled()
    Ledger(folder, 0, whole).close()
    for path in found:
        if path != _path(folder, 0):
            with contextlib.suppress(OSError):
                path.unlink()
    return whole


def kept_in(folder: Path) -> Sums:
    """What all processes of a run kept so far; nothing is changed."""
    return _whole(_found(folder))


def _whole(found: Mapping[Path, Sums]) -> Sums:
    return Sums(*map(sum, zip(*found.values(), strict=True))) if found else NOTHING


def _found(folder: Path) -> dict[Path, Sums]:
    read = ((path, _read(path)) for path in folder.glob("ledger-*"))
    return {path: sums for path, sums in read if sums is not None}


def _read(path: Path) -> Sums | None:
    """The sums of a file; None where it is not one."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        data = os.read(handle, CHECKED.size + 1) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)
    if len(data) != CHECKED.size or CHECKED.unpack(data)[-1] != zlib.crc32(data[: FORM.size]):
        return None
    sums = FORM.unpack(data[: FORM.size])
    return Sums(*sums) if _are_sums(sums) else None


def _are_sums(values: Iterable[float]) -> bool:
    return all(math.isfinite(value) and 0 <= value < MOST for value in values)


def _path(folder: Path, number: int) -> Path:
    return folder / f"ledger-{number}"

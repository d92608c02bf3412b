"""Requests in flight, for other processes with the same cache: an equal one waits for the answer in place of paying for another.

A claim is a lock on one byte of a file, at the place that the request's key says. The system frees it when the process ends,
however it ends, so there is no lease to renew and no clock to trust. The database of the cache rests on locks of the same kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import stat
import struct
import time
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger("promptlab.cache")
NAME = "claims"
OWN_FILE = getattr(fcntl, "F_OFD_SETLK", None)
"""Locks of an open file, not of a process, so that two sweeps of one process meet as well; Linux has them."""
LOCK = struct.Struct("hhqqi4x")
"""A lock as the system takes it: kind, from where, place, length, and no process."""
HELD = (errno.EAGAIN, errno.EACCES)


POLL_S = (0.01, 0.2)
"""How soon a request that another process has in flight is claimed again: at first, and at most."""


class Unsent(Exception):
    """A request waited for another process's answer when the sweep was to stop."""


class Claims:
    """The claims of one open cache. The file grows by a byte with each block of answers, so that its size says when others stored some."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = os.open(folder / NAME, flags, 0o600)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            os.close(self._file)
            raise OSError(errno.EINVAL, f"{NAME} is not a regular file")
        self._n_own = 0
        self._works = True

    def take(self, key: str) -> bool:
        """Claim a request; False where another process has it in flight."""
        if not self._works:
            return True
        try:
            self._lock(fcntl.LOCK_EX, key)
        except OSError as error:
            if error.errno in HELD:
                return False
            self._works = False
            log.warning("no locks where the cache is (%s): another sweep at the same time may pay for the same answers", error.strerror)
        return True

    async def wait(self, key: str, stop: asyncio.Event, patience_s: float) -> None:
        """Claim a request once another process has done with it, or continue without where all others have stored nothing for so long."""
        pause_s, since, seen = POLL_S[0], time.monotonic(), self.n_foreign()
        while not self.take(key):
            if stop.is_set():
                raise Unsent
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, POLL_S[1])
            if (n_foreign := self.n_foreign()) != seen:
                seen, since = n_foreign, time.monotonic()
            elif time.monotonic() - since > patience_s:
                return

    def n_foreign(self) -> int:
        """A number that another one follows when another process has stored answers."""
        return os.lseek(self._file, 0, os.SEEK_END) - self._n_own

    def release(self, keys: Iterable[str], *, stored: bool = False) -> None:
        """Give up claims, those of answers that the cache holds from now on with `stored`."""
        if stored:
            with contextlib.suppress(OSError):  # a full disk: whoever waits looks the answer up all the same
                self._n_own += os.write(self._file, b".")
        if self._works:
            for key in keys:
                try:
                    self._lock(fcntl.LOCK_UN, key)
                except OSError:  # a file system that lost its locks: they end with the process
                    continue

    def close(self) -> None:
        """Give up every claim."""
        os.close(self._file)

    def _lock(self, how: int, key: str) -> None:
        place = int(key[:15], 16)
        if OWN_FILE is None:
            fcntl.lockf(self._file, how | fcntl.LOCK_NB, 1, place)
            return
        kind = fcntl.F_WRLCK if how == fcntl.LOCK_EX else fcntl.F_UNLCK
        fcntl.fcntl(self._file, OWN_FILE, LOCK.pack(kind, os.SEEK_SET, place, 1, 0))

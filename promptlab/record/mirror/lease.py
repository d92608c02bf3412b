"""An address that fsspec knows, whole objects there, who writes a run there, and the thread that pushes what changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from promptlab.nouns import RunProblem, UsageProblem, digest, home, known_secrets, redact
from promptlab.record.mirror.copies import INDEX, JOURNAL, LOOKS, MANIFEST, content, entry_of, journal_of, json_of, seconds_of, written_once
from promptlab.record.store import ID, now, write_whole
from promptlab.record.store.chain import CHAIN

T = TypeVar("T")
ATTEMPTS = 5
FIRST_WAIT_S = 0.5
WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"}
"""Stores in which an object appears whole or not at all, and which have no folders to make."""
PUSH_EVERY_S = 3.0
FRESH_S = 60.0
"""A writer that gave no sign of life for so long has ended."""
SIGN_EVERY_S = 10.0
LONGEST_END_S = 900.0
WRITER = "writer.json"
Tell = Callable[[str], None]


class Remote:
    """An address below which run folders are kept: its objects, and the local folder that mirrors it."""

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        if "::" in address or "?" in rest or "#" in rest or "@" in rest:
            raise UsageProblem(
                "an address of runs is like s3://bucket/folder: without '::', '?', '#' and '@'; "
                "keys and passwords come from the environment or from fsspec's own settings"
            )
        self.address = f"{scheme}://{rest.rstrip('/')}"
        self.folder = home() / "mirrors" / digest(self.address)[:16]
        import fsspec

        try:
            self._fs, path = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise UsageProblem(f"{self.address}: {safe(error)}") from None
        except Exception as error:
            raise RunProblem(f"{self.address}: cannot be reached: {safe(error)}") from None
        self._path = str(path).rstrip("/")
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        self._whole = bool(protocols & WHOLE)

    def names(self) -> list[str]:
        """The runs at the address."""

        def listed() -> list[str]:
            self._fs.invalidate_cache()
            try:
                return [str(path).rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._path, detail=False)]
            except FileNotFoundError:
                return []

        return sorted(name for name in self.tried(listed) if ID.match(name))

    def got(self, run: str, name: str) -> bytes | None:
        """The same as `get`, tried several times; RunProblem where that does not help."""
        return self.tried(partial(self.get, run, name))

    def get(self, run: str, name: str) -> bytes | None:
        """The bytes of one object; None where there is none."""
        try:
            data: bytes = self._fs.cat_file(f"{self._path}/{run}/{name}")
        except FileNotFoundError:
            return None
        return data

    def put(self, run: str, name: str, data: bytes) -> None:
        """Write one object whole."""
        path = f"{self._path}/{run}/{name}"
        if self._whole:
            self._fs.pipe_file(path, data)
            return
        folder, _, last = path.rpartition("/")
        self._fs.makedirs(folder, exist_ok=True)
        self._fs.pipe_file(f"{folder}/.{last}.tmp", data)
        self._fs.mv(f"{folder}/.{last}.tmp", path)

    def remove(self, run: str, name: str) -> None:
        """Remove one object."""
        self._fs.rm_file(f"{self._path}/{run}/{name}")

    def tried(self, act: Callable[[], T]) -> T:
        """What `act` returns, tried several times; RunProblem where that does not help."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return act()
            except RunProblem:
                raise
            except Exception as error:
                if attempt == ATTEMPTS or isinstance(error, PermissionError | ImportError):
                    raise RunProblem(f"{self.address}: cannot be reached: {safe(error)}") from None
            wait(attempt)
        raise AssertionError


def wait(n_failed: int) -> None:
    """Wait before another attempt: twice as long after each one that failed."""
    time.sleep(FIRST_WAIT_S * 2 ** (n_failed - 1))


def safe(error: Exception) -> str:
    """An error in words, redacted and cut to 400 characters."""
    return redact(f"{type(error).__name__}: {error}"[:400], known_secrets())


class Pusher:
    """What keeps the address up to date while a sweep runs."""

    def __init__(self, place: Remote, run: str, token: Path, tell: Tell, stop: Callable[[], None]) -> None:
        self.place, self.run = place, run
        self.folder = place.folder / run
        self.pushed: dict[str, Any] = {}
        """Files written once that the address has, as parts.json names them."""
        self.failed: str | None = None
        """Why the address has not got everything, at the end."""
        self._tell, self._stop = tell, stop
        self._token = secrets.token_hex(8)
        self._last: dict[str, str] = {}
        self._signed_at = 0.0
        self._mine = token
        self._over = threading.Event()
        self._lost: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="promptlab-mirror")

    def claim(self) -> None:
        """Become the writer; RunProblem where another one gave a sign of life just now."""
        holder, age = holder_of(self.place, self.run)
        mine = (content(self._mine) or b"").decode(errors="replace")
        # A process of this machine that was killed has let go of its lock.
        if holder and holder.get("token") != mine and age < FRESH_S:
            raise RunProblem(
                f"{self.place.address}/{self.run}: {named(holder)} is writing this run, last heard of {age:.0f} s ago; "
                f"wait for it or stop it (it counts as ended after {FRESH_S:.0f} s of silence)"
            )
        write_whole(self._mine, self._token.encode())
        self.place.tried(self._sign)
        self.place.tried(self._check)

    def release(self) -> None:
        """Nobody writes any more."""
        with contextlib.suppress(Exception):  # it goes stale by itself
            if self._lost is None and json_of(self.place.get(self.run, WRITER)).get("token") == self._token:
                self.place.remove(self.run, WRITER)

    def start(self) -> None:
        """Push every few seconds, in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Push the rest, several times if need be, and let go of the address."""
        self._over.set()
        self._thread.join(LONGEST_END_S)
        if self._thread.is_alive():
            self.failed = f"{self.place.address} has not answered for {LONGEST_END_S:.0f} s"
        if self.failed:
            self._tell(f"not pushed: {self.failed}; all is kept in {self.folder}")

    def push(self) -> None:
        """Bring the address to the present local state, read from the manifest to the parts and sent from the parts to the manifest."""
        self._check()
        self._sign()
        changing = {name: data for name in (MANIFEST, LOOKS, CHAIN) if (data := content(self.folder / name)) is not None}
        journal = journal_of(self.folder)
        report = content(self.folder / "report.html")
        new = [name for name in written_once(self.folder) if name not in self.pushed]
        index = dict(self.pushed)
        for name in new:
            data = (self.folder / name).read_bytes()
            self._put(name, data)
            index[name] = entry_of(data)
        if new:
            self._check()
            self._put(INDEX, (json.dumps(index, indent=1) + "\n").encode())
            self.pushed = index
        last = [(name, changing.get(name)) for name in (CHAIN, LOOKS)]
        for name, data in ((JOURNAL, journal), *last, ("report.html", report), (MANIFEST, changing.get(MANIFEST))):
            if data is not None and self._last.get(name) != (sha := hashlib.sha256(data).hexdigest()):
                self._put(name, data)
                self._last[name] = sha

    def _run(self) -> None:
        troubled = False
        while not self._over.wait(PUSH_EVERY_S):
            try:
                self.push()
            except _TakenOver as error:
                self._lost = str(error)
                self._tell(f"note: {self._lost}; this sweep ends here")
                self._stop()
                break
            except Exception as error:
                if not troubled:
                    self._tell(f"note: {self.place.address} cannot be written ({safe(error)}); it is tried again, and all is kept here")
                troubled = True
            else:
                if troubled:
                    self._tell(f"note: {self.place.address} is up to date again")
                troubled = False
        self._over.wait()
        self.failed = self._lost or self._last_push()
        self.release()

    def _last_push(self) -> str | None:
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                wait(attempt)
            try:
                self.push()
            except _TakenOver as error:
                self._lost = str(error)
                return self._lost
            except Exception as error:
                problem = safe(error)
            else:
                return None
        return f"{self.place.address} could not be written {ATTEMPTS} times ({problem})"

    def _put(self, name: str, data: bytes) -> None:
        if time.monotonic() - self._signed_at > SIGN_EVERY_S:
            self._check()
            self._sign()
        self.place.put(self.run, name, data)

    def _sign(self) -> None:
        said = {"host": socket.gethostname(), "pid": os.getpid(), "time": now(), "token": self._token}
        self.place.put(self.run, WRITER, (json.dumps(said) + "\n").encode())
        self._signed_at = time.monotonic()

    def _check(self) -> None:
        holder = json_of(self.place.get(self.run, WRITER))
        if holder and holder.get("token") != self._token:
            raise _TakenOver(f"{named(holder)} has taken over {self.place.address}/{self.run}")


class _TakenOver(RunProblem):
    """Another writer holds the address."""


def holder_of(place: Remote, run: str) -> tuple[Mapping[str, Any], float]:
    """Who signed last as the writer of a run, and how many seconds ago; a time to come, of a clock that was set back, is as long ago."""
    holder = json_of(place.got(run, WRITER))
    return holder, abs(time.time() - seconds_of(holder.get("time")))


def named(holder: Mapping[str, Any]) -> str:
    """The holder of a lease in words."""
    return f"a sweep on {str(holder.get('host'))[:80]} (pid {str(holder.get('pid'))[:20]})"

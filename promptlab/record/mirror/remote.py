"""An address that fsspec knows, and reading and writing whole objects there."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from promptlab.nouns.errors import RunProblem, UsageProblem
from promptlab.nouns.identity import digest
from promptlab.nouns.places import home
from promptlab.nouns.redact import known_secrets, redact
from promptlab.record.store import ID

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"}
"""Stores in which an object appears whole or not at all, and which have no folders to make."""


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
        found: bytes | None = self.tried(partial(self.get, run, name))
        return found

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

    def tried(self, act: Callable[[], Any]) -> Any:  # noqa: ANN401
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

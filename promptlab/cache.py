"""Answers already paid for, on disk, by the digest of their request. It saves money; the run folder is the record.

Text only. diskcache unpickles whatever a row's mode tells it to, its JSONDisk included (CVE-2025-69872), so the disk class
here knows no other mode than text and treats everything else as absent.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_RAW, MODE_TEXT

from promptlab.errors import RunProblem
from promptlab.schema import Completion, digest

log = logging.getLogger("promptlab.cache")
FIELDS = ("text", "outcome", "finish_reason", "model_version", "input_tokens", "output_tokens", "cost_usd", "latency_s", "effective")


class NotText(Exception):
    """A row that is not text: written by something else, or planted."""


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys and values are text; no other kind of row is read or written."""

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
        plain = mode == MODE_RAW and isinstance(value, str)
        if read or not (plain or mode == MODE_TEXT):
            raise NotText("a value in the cache is not text")
        return super().fetch(mode, filename, value, read)


class Cache:
    """Completions by call key. Only answers that a provider gave are kept; errors never are."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        self.folder = folder
        try:
            # The defaults drop entries without a word beyond 1 GiB.
            self._store = diskcache.Cache(str(folder), disk=TextDisk, eviction_policy="none", cull_limit=0, timeout=30)
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None

    def get(self, key: str) -> Completion | None:
        """The stored answer; None when there is none, or when the row is damaged (with a warning)."""
        try:
            text = self._store.get(key)
        except (NotText, OSError, UnicodeDecodeError) as error:
            log.warning("cache row %s is not readable (%s); asked again", key[:12], error)
            return None
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None
        if text is None:
            return None
        found = _unpacked(key, text)
        if found is None:
            log.warning("cache row %s does not match its digest; asked again", key[:12])
        return found

    def put(self, key: str, completion: Completion) -> None:
        """Keep an answer; outcome `error` is not an answer."""
        if completion.outcome == "error":
            return
        body = {name: getattr(completion, name) for name in FIELDS}
        body["effective"] = dict(completion.effective)
        if completion.top_logprobs:
            body["top_logprobs"] = [list(pair) for pair in completion.top_logprobs]
        text = json.dumps({"key": key, "digest": digest([key, body]), "completion": body}, ensure_ascii=True)
        try:
            self._store.set(key, text)
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None

    def __len__(self) -> int:
        return len(self._store)

    def close(self) -> None:
        """Release the file."""
        self._store.close()

    def _damaged(self, error: Exception) -> RunProblem:
        return RunProblem(
            f"{self.folder}: the cache cannot be used ({error}); free some space if the disk is full, else move the folder away: "
            f"finished trials are in the run folder, so nothing of them is paid again"
        )


def _unpacked(key: str, text: str) -> Completion | None:
    try:
        row: Mapping[str, Any] = json.loads(text)
        body = row["completion"]
        if row["key"] != key or row["digest"] != digest([key, body]) or set(body) - {"top_logprobs"} != set(FIELDS):
            return None
        top = tuple((str(token), float(value)) for token, value in body.pop("top_logprobs", ()))
        return Completion(**body, top_logprobs=top, cached=True)
    except (ValueError, KeyError, TypeError):
        return None

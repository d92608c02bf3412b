"""What the files of an ended batch say about each of its requests. They come from outside: anything may be wrong in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptlab.nouns.call import Reply
from promptlab.running.gateway.wire import WireError, read_boundary, safe

NOT_ASKED = frozenset({"batch_expired", "batch_cancelled"})
"""Codes of requests that the provider never sent to the model."""
Read = Callable[[int, bytes], Reply]
"""The reply in the body of a response with this status; WireError where it is none."""


@dataclass(slots=True)
class Results:
    """By key: what every request of a batch that was answered brought. Lines that cannot be used are counted."""

    heard: dict[str, Reply | WireError] = field(default_factory=dict)
    n_unreadable: int = 0
    n_unknown: int = 0
    n_repeated: int = 0

    @property
    def odd(self) -> str:
        """The lines that could not be used, in words; empty where there were none."""
        counts = (
            (self.n_unreadable, "not readable"),
            (self.n_unknown, "about requests that this batch does not hold"),
            (self.n_repeated, "about a request that an earlier line had answered"),
        )
        return ", ".join(f"{n:,} {what}" for n, what in counts if n)


def read_results(files: Iterable[bytes], keys: Mapping[str, str], read: Read, secrets: tuple[str, ...]) -> Results:
    """The results in a batch's files, in any order; `keys` are those of its requests by the names that they were given."""
    results = Results()
    named: set[str] = set()
    for text in filter(bytes.strip, (text for data in files for text in data.split(b"\n"))):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        name = line.get("custom_id") if isinstance(line, dict) else None
        if not isinstance(line, dict) or not isinstance(name, str):
            results.n_unreadable += 1
        elif name not in keys:
            results.n_unknown += 1
        elif name in named:
            results.n_repeated += 1
        elif (heard := _heard(line, read, secrets)) is None:
            results.n_unreadable += 1
        else:
            named.add(name)
            if not isinstance(heard, str):
                results.heard[keys[name]] = heard
    return results


def _heard(line: Mapping[str, Any], read: Read, secrets: tuple[str, ...]) -> Reply | WireError | str | None:
    """What one line brings; the code of a request that was not asked; None where the line says neither."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict):
        status, body = response.get("status_code"), response.get("body")
        if type(status) is not int or not isinstance(body, dict):
            return None
        try:
            return read(status, json.dumps(body).encode())
        except WireError as said:
            return said
    if not isinstance(error, dict):
        return None
    code = str(error.get("code"))
    if code in NOT_ASKED:
        return code
    message = f"{error.get('message')} [{code}]"
    boundary = read_boundary(429, message)
    return WireError("quota" if boundary == "quota" else read_boundary(500, message), safe(message, secrets))

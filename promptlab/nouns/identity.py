"""Identity comes from data: canonical JSON and its SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

import orjson

N_KNOWN = 64
KEY_VERSION = 1
"""Part of every cache key: raised when the meaning of a key changes, so that old entries become misses."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=dict)


Value = TypeVar("Value")


class Once(Generic[Value]):
    """A function of a mapping that nobody changes, which runs once for each object: calls one after the other often share one."""

    def __init__(self, function: Callable[[Mapping[str, Any]], Value]) -> None:
        self._function = function
        self._known: dict[int, tuple[Mapping[str, Any], Value]] = {}  # an object that is kept here keeps its id

    def __call__(self, mapping: Mapping[str, Any]) -> Value:
        known = self._known.get(id(mapping))
        if known is None:
            if len(self._known) >= N_KNOWN:
                self._known.clear()
            known = self._known[id(mapping)] = mapping, self._function(mapping)
        return known[1]


def digest(value: object) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    return digest_of_text(canonical_json(value))


def plain_json(value: object) -> str:
    """The canonical JSON of a value without fractions (which are written in more than one way): the same text, in a tenth of the time."""
    try:
        return orjson.dumps(value, default=dict, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # half a surrogate pair, a long number
        return _PLAIN.encode(value)


@lru_cache(maxsize=256)
def word_json(word: str | None) -> str:
    """The canonical JSON of a name that many requests hold."""
    return plain_json(word)


def _sampling_json(sampling: Mapping[str, Any]) -> str:
    """The canonical JSON of sampling parameters, which hold fractions; most calls of a run have the same."""
    try:
        return _canonical_pairs(tuple(sampling.items()), tuple(map(repr, sampling.values())))
    except TypeError:  # a list among them
        return _CANONICAL.encode(dict(sampling))


@lru_cache(maxsize=256)
def _canonical_pairs(pairs: tuple[tuple[str, object], ...], as_written: tuple[str, ...]) -> str:
    del as_written  # 0, 0.0, -0.0 and false are equal, and written differently
    return _CANONICAL.encode(dict(pairs))


def canonical_json(value: object) -> str:
    """A value as canonical JSON: sorted keys, no spaces, UTF-8."""
    return _CANONICAL.encode(value)


def digest_of_text(text: str) -> str:
    """SHA-256 (hex) of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

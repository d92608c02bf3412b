"""What one row holds: the completion, the request that it answers, and a digest of both with the key.

A row is three lines of ASCII: `2 <SHA-256 of the key and of what follows>`, the completion as JSON, the request as JSON (empty where
it is not known). Checking it takes one hash of the unchanged text. Rows of the first format, one JSON object with a digest of the
canonical completion and no request, are read as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import urlsplit, urlunsplit

import orjson

from promptlab.nouns import KEY_VERSION, MARK, Call, Completion, Outcome, digest, known_secrets, redact

Request = Mapping[str, Any]
"""What decides an answer, as in `Call.key`; the address without credentials."""
NOT_STORED = frozenset({"cached", "requested", "unknown"})
"""Fields of a completion that say how it came, or that the request says."""
ALWAYS = ("text", "outcome", "finish_reason", "model_version", "input_tokens", "output_tokens", "cost_usd", "latency_s", "effective")
"""Fields that every row has, since the first format; all others only where they are not what they are by default."""
OPTIONAL: Mapping[str, Any] = {f.name: f.default for f in fields(Completion) if f.name not in {*ALWAYS, *NOT_STORED}}
NOTHING = type(None)
KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,), "Outcome": (str,), "str | None": (str, NOTHING), "int": (int,), "int | None": (int, NOTHING), "float": (float, int),
    "float | None": (float, int, NOTHING), "Mapping[str, Any]": (dict,), "tuple[tuple[str, float], ...]": (list,),
}  # fmt: skip
"""By the type of a field: what JSON holds for it."""
STORED = {f.name: KINDS[str(f.type)] for f in fields(Completion) if f.name not in NOT_STORED}
ANSWERS = frozenset(get_args(Outcome)) - {"error"}
REQUEST_FIELDS = frozenset({"version", "model", "api_base", "messages", "sampling", "draw"})
MOST = 10**12
"""No count, amount or time of an answer is as high."""
MISREAD = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading text that somebody else wrote can end in."""
HEAD = "2 "
HEAD_END = len(HEAD) + 64
ASCII_JSON = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def request_of(call: Call, model: str | None = None) -> Request:
    """What `call.key`, or `call.key_as(model)`, is the digest of, with the address as it may be stored."""
    return {
        "version": KEY_VERSION,
        "model": model or call.model,
        "api_base": None if call.api_base is None else shown_address(call.api_base),
        "messages": [dict(m) for m in call.messages],
        "sampling": dict(sorted(call.sampling.items())),
        "draw": call.draw,
    }


@lru_cache(maxsize=64)
def shown_address(api_base: str) -> str:
    """The address without user, password, query and whatever looks like a key."""
    try:
        parts = urlsplit(api_base)
    except ValueError:
        return MARK
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit((parts.scheme, host if host == parts.netloc else f"{MARK}@{host}", parts.path, MARK if parts.query else "", ""))
    return redact(bare, known_secrets())


def body_of(completion: Completion) -> dict[str, Any]:
    """A completion as it is stored, with what came with it that this version does not know."""
    body = {name: getattr(completion, name) for name in ALWAYS}
    body["effective"] = dict(sorted(completion.effective.items()))
    for name, default in OPTIONAL.items():
        value = getattr(completion, name)
        if value != default:
            body[name] = [list(pair) for pair in value] if name == "top_logprobs" else value
    return {**completion.unknown, **body}


def completion_of(body: object) -> Completion:
    """A stored completion, with the fields that this version does not know apart.

    ValueError where a field is missing or is what `body_of` would not have written. Digests do not tell who wrote a row.
    """
    if not isinstance(body, dict):
        raise ValueError("a completion lacks fields")
    numbers, strange = _form(tuple(body), tuple(map(type, body.values())))
    known = dict(body)
    unknown = {name: known.pop(name) for name in strange}
    if known["outcome"] not in ANSWERS or known.get("attempts") == 0 or not all(0 <= known[name] < MOST for name in numbers):
        raise ValueError("a field of the completion is of another kind")  # NaN is in no range
    if "top_logprobs" in known:
        known["top_logprobs"] = tuple((str(token), float(value)) for token, value in known["top_logprobs"])
    return Completion(**known, cached=True, unknown=unknown)


@lru_cache(maxsize=256)
def _form(names: tuple[str, ...], kinds: tuple[type, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which fields of a stored completion are numbers, and which are not known; ValueError where one lacks or is of another kind."""
    if not set(names) >= set(ALWAYS):
        raise ValueError("a completion lacks fields")
    known = {name: kind for name, kind in zip(names, kinds, strict=True) if name in STORED}
    if any(kind not in STORED[name] for name, kind in known.items()):
        raise ValueError("a field of the completion is of another kind")
    return tuple(name for name, kind in known.items() if kind in (int, float)), tuple(name for name in names if name not in known)


def request_from(value: object) -> Request:
    """A stored request; ValueError for anything that `request_of` would not have written."""
    if not isinstance(value, dict) or value.keys() != REQUEST_FIELDS:
        raise ValueError("a request has other fields")
    right = (
        isinstance(value["model"], str)
        and (value["api_base"] is None or isinstance(value["api_base"], str))
        and isinstance(value["messages"], list)
        and all(isinstance(m, dict) and all(isinstance(part, str) for part in m.values()) for m in value["messages"])
        and isinstance(value["sampling"], dict)
        and type(value["draw"]) is int
    )
    if not right:
        raise ValueError("a field of the request is of another kind")
    return value


def packed(key: str, completion: Completion, request: Request | None) -> str:
    """A row's text."""
    rest = f"\n{write_json(body_of(completion))}\n{write_json(request) if request is not None else ''}"
    return f"{HEAD}{_hashed(key, rest)}{rest}"


def unpacked(key: str, text: str) -> Completion | None:
    """The completion in a row's text; None when the row is not what was written under this key."""
    try:
        if text.startswith(HEAD):
            if text[len(HEAD) : HEAD_END] != _hashed(key, text[HEAD_END:]):
                return None
            return completion_of(_parsed(text[HEAD_END + 1 : text.index("\n", HEAD_END + 1)]))
        row: Mapping[str, Any] = json.loads(text)
        body = row["completion"]
        return completion_of(body) if row["key"] == key and row["digest"] == digest([key, body]) else None
    except MISREAD:
        return None


def request_in(text: str) -> Request | None:
    """The request in the text of a row that `unpacked` read; None where it holds none."""
    if not text.startswith(HEAD):
        return None
    found = text[text.index("\n", HEAD_END + 1) + 1 :]
    try:
        return request_from(json.loads(found)) if found else None
    except MISREAD:
        return None


def write_json(value: object) -> str:
    """JSON in ASCII. What most answers are made of is written in a fifth of the time."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, a long number
        return ASCII_JSON.encode(value)
    return text if text.isascii() else ASCII_JSON.encode(value)


def _parsed(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # half a surrogate pair, which only JSON's own escapes can hold
        return json.loads(text)


def _hashed(key: str, rest: str) -> str:
    return hashlib.sha256((key + rest).encode("ascii")).hexdigest()

"""The content of the cells of tables that people and tools keep: numbers, marks for right and wrong, messages, and nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from promptlab.importers.values import mapping, number, text, whole

RIGHT = (
    "true yes y t pass passed correct right success succeeded ok good accepted ✓ ✔ ☑ ✅ 👍 "
    "wahr richtig ja vrai oui juste verdadero cierto correcto sí si vero corretto verdadeiro correto sim juist goed rätt rigtig riktig "
    "tak prawda ano igen kyllä evet doğru да верно так 是 对 正确 はい 正解 예 맞음 نعم"
)
WRONG = (
    "false no n f fail failed incorrect wrong failure ko nok bad rejected ✗ ✘ ✖ ✕ × ☒ ❌ ❎ 👎 "
    "falsch nein faux non falso incorrecto incorreto errato não nao onwaar onjuist fout fel forkert feil "
    "nie fałsz ne nem ei hayır yanlış нет неверно ні 否 错 错误 いいえ 不正解 아니요 틀림 لا"
)
NOTHING = "na n/a nan none null nil - -- – — #n/a #value! #ref! #div/0! #name? #num! <na> error"
WORDS: Mapping[str, float | None] = {
    **dict.fromkeys(RIGHT.split(), 1.0), **dict.fromkeys(WRONG.split(), 0.0), **dict.fromkeys(NOTHING.split()), "": None, "waar": 1.0,
}  # fmt: skip
"""What tables write for right, wrong and nothing, as spreadsheets of several languages do."""
AS_SEEN = str.maketrans({"\u00a0": " ", "\u202f": " ", "\ufe0e": None, "\ufe0f": None, "\u2212": "-"})
"""Spaces, variants of marks and the minus that only look like others."""
SHARE = re.compile(r"(\d+) ?(?:/|of|out of) ?([1-9]\d*)")
PERCENT = re.compile(r"([-+]?\d+(?:[.,]\d+)?) ?%")
COMMA = re.compile(r"[-+]?\d+,\d+")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
MARKED = re.compile(r"\S{1,2} \[(.+)\]")
"""As DSPy prints a score."""


def read_score(value: object) -> float | str | None:
    """A score, None where there is none, or what is wrong with it in words."""
    if isinstance(value, str):
        return _score_in(value)
    value = cell(value)
    if value is None or (found := number(value)) is not None:
        return None if value is None else found
    return _no_score(value)


@lru_cache(maxsize=4096)
def _score_in(value: str) -> float | str | None:
    word = value.translate(AS_SEEN).strip().lower()
    mark, _, rest = word.partition(" ")
    if word in WORDS or (not mark.isalnum() and WORDS.get(mark) is not None and WORDS.get(mark) == WORDS.get(rest)):
        return WORDS[mark if rest else word]
    if (found := SHARE.fullmatch(word)) and int(found[1]) <= int(found[2]):
        return int(found[1]) / int(found[2])
    if found := PERCENT.fullmatch(word):
        return float(found[1].replace(",", ".")) / 100
    if COMMA.fullmatch(word):
        if THOUSANDS.fullmatch(word):
            return f"the score {value[:60]!r} could be a thousand or a fraction; write fractions with a point"
        word = word.replace(",", ".")
    if found := MARKED.fullmatch(word):
        return _score_in(found[1])
    with contextlib.suppress(ValueError):
        if "_" not in word and (score := number(float(word))) is not None:
            return score
    return _no_score(value)


def _no_score(value: object) -> str:
    return (
        f"the score {repr(str(value))[:60]} is no number; scores are numbers, 85%, or words for right and wrong (true, pass, ✓; false, "
        "fail, ✗), and empty where there is none"
    )


def cell_text(value: object) -> str:
    """A cell as one line of text; whole numbers that a table kept as floats lose their '.0'."""
    if isinstance(value, str):
        if value.isalnum() and value.isascii():
            return value
    else:
        value = cell(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
    return "" if value is None else " ".join(text(value).split())


def as_messages(value: object) -> tuple[Mapping[str, str], ...]:
    """A prompt as messages: a list of messages as it is, a list as JSON text read, any other text as the user's."""
    value = cell(value)
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, list) and value and all("role" in mapping(m) and "content" in mapping(m) for m in value):
        return tuple({"role": text(m["role"]), "content": text(m["content"])} for m in value)
    return ({"role": "user", "content": text(value)},) if value is not None and value != "" else ()


def cell(value: object) -> Any:  # noqa: ANN401
    """The cell without the not-a-numbers that tables keep for nothing, and nothing that JSON could not hold."""
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (not a number)
        return None
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def plain(value: object) -> Any:  # noqa: ANN401
    """A number where the text is one."""
    value = cell(value)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return value if "_" in value else float(value)
    return value


def repeat_of(value: object) -> int:
    """A repeat as a number; names of repeats get one that depends on the name alone."""
    found = whole(plain(value))
    if found is not None:
        return found
    name = cell_text(value)
    return int(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12], 16) if name else 0


def targets_of(value: object) -> tuple[str, ...]:
    """The right answers in a cell."""
    value = cell(value)
    if value is None or value == "":
        return ()
    return tuple(text(part) for part in value) if isinstance(value, list) else (text(value),)


def inside(name: str, value: object) -> Iterator[tuple[str, Any]]:
    """The named values in a cell that holds several: an object, a list of objects with a name each, or either as JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    for part in value if isinstance(value, list) else []:
        part = mapping(part)  # noqa: PLW2901
        called = part.get("name", part.get("metric", part.get("key")))
        called = mapping(called).get("name", called)  # as HELM names a statistic
        if isinstance(called, str) and not mapping(part.get("name")).get("perturbation"):
            yield f"{name}.{called}", next((part[k] for k in ("score", "value", "mean") if k in part), None)
    for key, one in mapping(value).items():
        found = one if not isinstance(one, list) else one[0] if len(one) == 1 else None
        if isinstance(found, dict):
            found = next((found[k] for k in ("score", "value", "mean") if k in found), None)
        yield f"{name}.{key}", found

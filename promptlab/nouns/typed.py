"""Frozen dataclasses from plain data and back: one codec for all that run folders hold as JSON.

A key that a class does not know is kept in `more` and written back, so a file of a later version loses nothing. A class reads
itself with `of` and writes itself with `plain` where its plain form is not simply its fields.

Parameters that a file may set are the keyword parameters of the function that makes the thing: their names, types and defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, Literal, TypeVar, cast, dataclass_transform, get_args, get_origin, get_type_hints

from promptlab.nouns.errors import UsageProblem, did_you_mean

_T = TypeVar("_T")


def key(name: str) -> Any:  # noqa: ANN401 (as dataclasses.field)
    """A required field that the file calls `name`."""
    return field(metadata={"key": name})


@dataclass(frozen=True, kw_only=True)
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field, key))
class Typed:
    """A row with named fields; `more` holds what the file says beyond them. Its subclasses are frozen dataclasses without saying so."""

    more: Mapping[str, Any] = field(default_factory=dict)

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)


def typed(kind: Callable[..., _T], data: Any) -> _T:  # noqa: ANN401
    """An object of a dataclass from plain data; a missing key takes the field's default."""
    if isinstance(data, cast("type[_T]", kind)):
        return data
    if of := getattr(kind, "of", None):
        made: _T = of(data)
        return made
    known = _fields(kind)
    values = {name: read(data[key]) for key, (name, read) in known.items() if key in data}
    more = {"more": {name: value for name, value in data.items() if name not in known}} if issubclass(cast("type", kind), Typed) else {}
    return kind(**values, **more)


def values_of(kind: Callable[..., Any], data: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """Every field of a dataclass but those named, from plain data; KeyError where one is missing, TypeError where it is of another kind."""
    return {name: read(data[key]) for key, (name, read) in _fields(kind).items() if name not in without}


def number(data: Any) -> float:  # noqa: ANN401
    """A number of plain data; TypeError where it is not one."""
    return float(_of_kind(data, float))


def plain(value: Any) -> Any:  # noqa: ANN401
    """Plain data of any value that `typed` reads, as JSON takes it."""
    if hasattr(value, "plain"):
        return value.plain()
    if is_dataclass(value):
        return fields_of(value)
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, tuple | list) else value


def fields_of(value: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of a dataclass by their keys, and what else its file said."""
    return {key: plain(getattr(value, name)) for key, (name, _) in _fields(value.__class__).items()} | dict(getattr(value, "more", {}))


def filled(kind: Callable[..., _T], /, *sources: object, **given: Any) -> _T:  # noqa: ANN401
    """An object of a dataclass: a field that is not given is the attribute of its name of the first source that has one."""
    names = [f.name for f in fields(cast("Any", kind)) if f.name not in given]
    found = {name: getattr(source, name) for source in reversed(sources) for name in names if hasattr(source, name)}
    return kind(**found, **given)


@cache
def _fields(kind: Callable[..., Any]) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    hints = get_type_hints(kind)
    return {f.metadata.get("key", f.name): (f.name, _reader(hints[f.name])) for f in fields(cast("type", kind)) if f.name != "more"}


def _reader(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """How a field of this annotation is read."""
    inner, origin = get_args(kind), get_origin(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return lambda data: typed(kind, data)
    if kind in PLAIN:
        return lambda data: _of_kind(data, kind)
    if origin is Literal:
        return lambda data: _of_kind(data, str, inner)
    if origin is tuple:
        part = _reader(inner[0])
        return lambda data: tuple(map(part, _of_kind(data, (list, tuple))))
    if origin is Mapping:
        of = _reader(inner[1])
        return lambda data: {name: of(value) for name, value in data.items()}
    if NoneType in inner:
        some = _reader(next(one for one in inner if one is not NoneType))
        return lambda data: None if data is None else some(data)
    return lambda data: data


def _of_kind(data: Any, kind: Any, known: Container[Any] = ()) -> Any:  # noqa: ANN401
    """The data; TypeError where it is of another kind, or none of those that are known."""
    right = type(data) is int if kind is int else type(data) in (int, float) if kind is float else isinstance(data, kind)
    if not right or (known and data not in known):
        raise TypeError(f"found {repr(data)[:60]}, expected {'one of ' + str(known) if known else PLAIN.get(kind, 'a list')}")
    return data


PLAIN: Mapping[type, str] = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def checked(what: str, factory: Callable[..., object], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given values that are not the defaults, in the order of the signature; UsageProblem where one does not fit."""
    known, hints = inspect.signature(factory).parameters, get_type_hints(factory)
    for name, value in given.items():
        if name not in known:
            hint = did_you_mean(name, known) if known else "it has none"
            raise UsageProblem(f"{what} has no parameter {name!r}; {hint}".rstrip("; "))
        wanted = hints[name]
        if wanted in PLAIN and type(value) is not wanted and not (wanted is float and type(value) is int):
            raise UsageProblem(f"{name} of {what} must be {PLAIN[wanted]}, found {value!r}")
    if missing := [name for name, parameter in known.items() if parameter.default is parameter.empty and name not in given]:
        raise UsageProblem(f"{what} needs {' and '.join(missing)}")
    return {name: given[name] for name, parameter in known.items() if name in given and given[name] != parameter.default}

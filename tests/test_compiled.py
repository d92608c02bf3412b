"""Patterns that are compiled late: each is one, and each acts as Python's own."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import promptlab.scoring
from promptlab.scoring.compiled import _Later, regex


def patterns() -> Iterator[tuple[str, Any]]:
    def inside(value: Any) -> Iterator[Any]:
        if isinstance(value, _Later):
            yield value
        elif isinstance(value, tuple | list):
            for one in value:
                yield from inside(one)
        elif isinstance(value, dict):
            yield from inside(list(value.values()))

    for module in pkgutil.walk_packages(promptlab.scoring.__path__, "promptlab.scoring."):
        for name, value in vars(importlib.import_module(module.name)).items():
            yield from ((f"{module.name}.{name}", one) for one in inside(value))


def test_every_pattern_of_the_scorers_compiles():
    found = list(patterns())
    assert len(found) > 200
    for name, one in found:
        assert re.compile(one.pattern, one.flags & ~re.UNICODE).flags == one.flags, name


def test_a_late_pattern_acts_as_any_other():
    late, own = regex(r"(?P<n>\d+)", re.I), re.compile(r"(?P<n>\d+)", re.I)
    assert "search" not in vars(late)  # nothing is compiled before it is used
    assert late.sub("x", "a1b22") == own.sub("x", "a1b22")
    assert [m["n"] for m in late.finditer("a1b22")] == ["1", "22"]
    assert (late.flags, late.groups, late.groupindex, late.pattern) == (own.flags, own.groups, own.groupindex, own.pattern)
    with pytest.raises(AttributeError):
        late.compiled  # noqa: B018
    with pytest.raises(re.error):
        regex("(").search("")

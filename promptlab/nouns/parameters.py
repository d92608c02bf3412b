"""Parameters that a file may set are the keyword parameters of the function that makes the thing: their names, types and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from promptlab.nouns.errors import UsageProblem, did_you_mean

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

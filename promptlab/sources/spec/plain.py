"""Plain data that a machine wrote, checked against the noun it should be."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from promptlab.nouns.errors import UsageProblem

Noun = TypeVar("Noun")


def checked(plain: object, noun: type[Noun], what: str) -> Noun:
    """`plain` as `noun`; UsageProblem with the first thing that does not fit."""
    try:
        return TypeAdapter(noun).validate_python(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise UsageProblem(f"this is no {what}: {where}: {first['msg'].lower()}") from None

"""One assertion of promptfoo as an assertion of a task file, or why it has no counterpart here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.importers.values import mapping, number, text
from promptlab.nouns import ScoringFailed, UsageProblem
from promptlab.scoring.assertions import assertion

BY_ITEM: Mapping[str, tuple[str, dict[str, Any]]] = {
    "equals": ("equals", {}), "contains": ("contains", {"match_case": True}), "icontains": ("contains", {}),
    "starts-with": ("starts_with", {"match_case": True}), "is-exactly": ("equals", {}), "iequals": ("equals", {"match_case": False}),
    "contains-any": ("contains", {"match_case": True}), "icontains-any": ("contains", {}),
}  # fmt: skip
"""Assertions whose value may be a right answer of the item."""
RUBRICS = ("llm-rubric", "model-graded-closedqa", "g-eval", "model-graded-factuality", "factuality")
CODE = ("javascript", "python", "ruby", "webhook")
CRITERION = "The answer meets the criterion that the reference states."
FACTS = "The answer agrees with the facts of the reference."


class CannotBe(Exception):
    """Why an assertion has no counterpart."""


def converted(given: str, value: Any, threshold: object, targets: list[str], *, shared: bool, judge: Any) -> dict[str, Any]:  # noqa: ANN401
    """The assertion of a type and a value. `targets`, the test's right answers, get a value that is not `shared` with all tests.

    CannotBe says why there is none.
    """
    kind = given.removeprefix("not-")
    before = "" if kind == given else "not_"
    if kind in CODE:
        raise CannotBe("it is code, which is not run; write it as `python: module:function`")
    if kind in RUBRICS:
        if before:
            raise CannotBe("a rubric is not negated here; write it the other way round")
        facts = kind.endswith("factuality")
        rubric = text(value)
        if facts or not (shared or targets):
            rubric, by_item = (FACTS if facts else CRITERION), [rubric]
            if targets not in ([], by_item):
                raise CannotBe("the test has another right answer")
            targets[:] = by_item
        return {"rubric": {"judges": judge, "text": rubric}}
    made = _checked(kind, value, threshold)
    if kind in BY_ITEM:
        name, parameters = BY_ITEM[kind]
        values = _texts(value if isinstance(value, list) or not kind.endswith("any") else text(value).split(","))
        if not values:
            raise CannotBe("it has no value")
        if not (shared or before) and targets in ([], values):
            targets[:] = values
            return {name: dict(parameters)}
        made = {name: {**parameters, ("any" if name == "contains" else "text"): values}}
    if not made:
        raise CannotBe("")
    [(name, parameters)] = made.items()
    try:
        assertion(before + name, parameters, len)
    except (UsageProblem, ScoringFailed, ValueError) as error:
        raise CannotBe(str(error)) from None
    return {before + name: parameters}


def _checked(kind: str, value: Any, threshold: object) -> dict[str, Any]:  # noqa: ANN401
    """An assertion whose value is the same for all tests of a task; nothing where there is no counterpart."""
    if kind in ("contains-all", "icontains-all"):
        texts = _texts(value if isinstance(value, list) else text(value).split(","))
        return {"contains": {"all": texts, **({} if kind.startswith("i") else {"match_case": True})}}
    if kind == "regex":
        return {"regex": text(value)}
    if kind in ("is-json", "contains-json"):
        anywhere = {"anywhere": True} if kind == "contains-json" else {}
        return {"json_schema": {"schema": value, **anywhere}} if isinstance(value, dict) else {"json": anywhere}
    most = number(threshold)
    if kind in ("cost", "latency") and most:
        return {kind: most if kind == "cost" else most / 1000}
    if kind == "is-refusal":
        return {"refusal": True}
    if kind == "word-count":
        limits = mapping(value) or {"min": value, "max": value}
        found = {ours: number(limits.get(theirs)) for theirs, ours in (("min", "least"), ("max", "most"))}
        return {"length": {ours: int(limit) for ours, limit in found.items() if limit is not None}}
    return {}


def _texts(value: object) -> list[str]:
    parts: Sequence[object] = value if isinstance(value, list) else [value]
    return [one for part in parts if (one := text(part).strip())]


def of_cell(cell: str) -> dict[str, Any]:
    """An assertion as promptfoo's tables write it: `contains: text`, or a bare text that the answer equals."""
    kind, colon, value = cell.partition(":")
    kind = re.sub(r"\([\d.]+\)$", "", kind.strip())
    known = (
        *BY_ITEM,
        *RUBRICS,
        *CODE,
        "contains-all",
        "icontains-all",
        "regex",
        "is-json",
        "contains-json",
        "is-refusal",
        "similar",
        "grade",
    )
    if kind.removeprefix("not-") in known and (colon or kind.startswith(("is-", "contains-json"))):
        return {"type": "llm-rubric" if kind == "grade" else kind, **({"value": value.strip()} if value.strip() else {})}
    return {"type": "equals", "value": cell}

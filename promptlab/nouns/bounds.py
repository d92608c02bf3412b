"""How much a plan may hold, by the bytes of its run folder: reading and judging take time for each of its parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

MOST_COMPARISONS, BYTES_A_COMPARISON = 800, 1_250
"""What any plan may hold, and how many bytes of its folder each one more needs; the same below."""
MOST_LISTED, BYTES_LISTED = 1_000, 1_000
"""Entries of any one list, and of all lists of one kind together."""
MOST_CELLS, BYTES_A_CELL = 50_000, 20
"""A cell is an arm of a model in a setting on a task with a base prompt."""
DEEPEST = 20
"""Levels of lists, with the mappings in them."""
ITEMS = frozenset({"confirm"})
"""Keys that list items, of which a run has many."""


def too_much(plan: Mapping[str, Any], n_bytes: int) -> str | None:
    """The part of a plan, as its JSON says it, that is more than a folder of `n_bytes` may hold, in words; None where none is.

    ValueError where it is nested too deeply.
    """
    for name, value in plan.items():
        judged = name == "hypotheses"
        most = max(MOST_COMPARISONS, n_bytes // BYTES_A_COMPARISON) if judged else max(MOST_LISTED, n_bytes // BYTES_LISTED)
        if (n := max(_lengths(value, judged), default=0)) > most and name not in ITEMS:
            return f"{n:,} {'comparisons' if judged else f'entries in {name!r}'}"
    tasks = [task for task in _listed(plan, "tasks") if isinstance(task, Mapping)]
    asked = sum(max(1, len(_listed(task, "base_prompts")), len(_listed(plan, "prompts"))) for task in tasks)
    n_cells = asked * math.prod(max(1, len(_listed(plan, name))) for name in ("models", "settings", "arms"))
    return f"{n_cells:,} cells" if n_cells > max(MOST_CELLS, n_bytes // BYTES_A_CELL) else None


def _listed(holder: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 (a list or a mapping)
    found = holder.get(name)
    return found if isinstance(found, list | dict) else ()


def _lengths(value: Any, judged: bool, depth: int = 1) -> Iterator[int]:  # noqa: ANN401
    """The length of a list, and below it, key by key, those of the lists of all its entries together; of each where they are `judged`."""
    if not isinstance(value, list | dict):
        return
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    yield len(value)
    below: dict[str, int] = {}
    for entry in value.values() if isinstance(value, dict) else value:
        for key, inner in entry.items() if isinstance(entry, dict) else [("", entry)]:
            for n in _lengths(inner, judged, depth + 1):
                below[key] = max(below.get(key, 0), n) if judged else below.get(key, 0) + n
    yield from below.values()

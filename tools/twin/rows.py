"""What all generated tasks share: the seeded random numbers and the form of a row."""

from __future__ import annotations

import random
from collections.abc import Sequence

Row = dict[str, object]

N_ITEMS = 212
"""200 items to be asked and some demonstrations; the rest is a reserve."""


def seeded(task: str) -> random.Random:
    """The random numbers of one task; they do not depend on which other tasks are made."""
    return random.Random(f"twin/{task}")


def row(text: str, targets: Sequence[str], cluster: str | None = None, choices: Sequence[str] = ()) -> Row:
    """One item, still without its id."""
    shown: Row = {"choices": list(choices)} if choices else {}
    return {"input": text, "targets": list(targets), **shown, "cluster": cluster}


def numbered(prefix: str, rows: Sequence[Row]) -> list[Row]:
    """The rows with their ids, first in every row."""
    return [{"id": f"{prefix}-{number:03d}", **each} for number, each in enumerate(rows, start=1)]


def spread(values: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """`count` values as evenly distributed as they can be, in random order."""
    repeated = [values[i % len(values)] for i in range(count)]
    rng.shuffle(repeated)
    return repeated

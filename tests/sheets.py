"""Tables of 60 support tickets as people have them, and what `promptlab init` makes of a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptlab.sources import starting
from promptlab.sources.starting import Wishes

N = 60
TEAMS = ("billing", "bug", "how-to")
TEXTS = [
    f"Message {n}: the {word} does not {verb}." for n in range(20) for word, verb in (("app", "open"), ("bill", "add up"), ("menu", "show"))
]


def rows(**columns: Callable[[int], Any]) -> list[dict[str, Any]]:
    """`N` rows; each column makes its cell from the number of the row."""
    return [{name: made(n) for name, made in columns.items()} for n in range(N)]


TICKETS = rows(id=lambda n: f"t{n}", message=lambda n: TEXTS[n], team=lambda n: TEAMS[n % 3])


def csv_of(table: list[dict[str, Any]], mark: str = ",", head: bool = True) -> str:
    lines = [list(table[0])] * head + [list(row.values()) for row in table]
    return "\n".join(mark.join('"' + str(cell).replace('"', '""') + '"' for cell in line) for line in lines) + "\n"


def lines_of(table: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table)


def started(folder: Path, name: str, content: str | bytes, wishes: Wishes = Wishes(), model: str = "sim/planted") -> Any:  # noqa: B008
    """What `promptlab init` proposes for a file of that name and content, and the files that it wrote into the folder."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    made = starting.propose(starting.look(path), wishes)
    found = starting.start(made, model, folder)
    for file, text in found.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return made, found

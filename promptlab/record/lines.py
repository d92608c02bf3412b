"""Files that are only appended to, one JSON object a line, each line with the hash of itself and of all bytes before it.

Whoever edits a file can compute its chain again, or leave out its last lines: this tells damage and careless edits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from promptlab.nouns import UNREADABLE, digest
from promptlab.sources.foreign import json_value

CHAINED = "chained"
"""The key of a line that holds the hash of the line and of all before it."""


def chained(before: bytes, *rows: Mapping[str, Any]) -> bytes:
    """Rows as the next lines of a file that holds `before`; a line that a power cut left half is ended first."""
    cut = b"\n" if before and not before.endswith(b"\n") else b""
    so_far, lines = hashlib.sha256(before + cut), [cut]
    for row in rows:
        link = digest([so_far.hexdigest(), json.loads(json.dumps(row))])
        lines.append((json.dumps({**row, CHAINED: link}, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        so_far.update(lines[-1])
    return b"".join(lines)


UNCHAINED = "was not written by promptlab"
"""What readers report of a line without a hash after one that has it: an earlier version wrote it, or somebody else."""


def rows_in(data: bytes) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Each line without its hash, None where it cannot be read, and what is wrong with it: empty where it follows from those before.

    Lines without a hash before the first that has one are of an earlier version.
    """
    before, has_chain = hashlib.sha256(), False
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        row: Any = None
        link: str | None
        wrong = ""
        try:
            row = json_value(line, once=True)
            link = row.pop(CHAINED, None)
        except UNREADABLE:
            link = None if line.strip() else ""  # half a line, by a power cut
        if link and link != digest([before.hexdigest(), row]):
            wrong = f"line {number} of {{}} is not what was written there"
        elif link is None and has_chain and line.endswith(b"}\n"):
            wrong = f"line {number} of {{}} {UNCHAINED}"
        has_chain |= bool(link)
        before.update(line)
        yield (row if isinstance(row, dict) else None), wrong

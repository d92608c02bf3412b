"""Whether the plan of a run folder may be read: one that nobody vouches for holds no more than its folder makes likely."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.nouns import RunProblem, digest, too_much
from promptlab.nouns.places import configuration

ROOM, PACKED = 4096, 8
"""Bytes that a file may have without any on the disk, and how many for each byte there."""


def check_bounds(folder: Path, found: Mapping[str, Any]) -> None:
    """RunProblem for a plan beyond `too_much`, unless its run got answers on this machine, or lies in a trusted folder."""
    if not too_much(found, 0):
        return
    n_bytes = sum(_n_bytes(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if (what := too_much(found, n_bytes)) is None:
        return
    from promptlab.record import registry
    from promptlab.sources.spec.user import consent  # of few plans

    known = registry.read().plans.get(folder.name, {}).get("plan")
    if known != digest(found) and not consent().covers("", folder, folder):
        raise RunProblem(
            f"{folder / 'plan.json'}: {what} are more than a run folder of {n_bytes:,} bytes may hold that was not swept on this machine; "
            f"where you trust it, list the folder that it is in under 'trusted' in {configuration()}"
        )


def _n_bytes(path: Path) -> int:
    """The size of a file, of one with holes little more than what it takes on the disk, compressed or not."""
    found = path.stat()
    blocks = getattr(found, "st_blocks", None)  # not on Windows
    return found.st_size if blocks is None else min(found.st_size, ROOM + PACKED * blocks * 512)

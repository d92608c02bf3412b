"""Where the files that come with promptlab lie: in a checkout beside the package, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent.parent


def shipped(name: str) -> Path:
    """The path of `stimuli`, `experiments`, `notebooks` or `app.py`."""
    inside = PACKAGE / "shipped_files" / name
    return inside if inside.exists() else PACKAGE.parent / name

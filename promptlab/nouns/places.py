"""Where files lie (the user's data, what comes with promptlab), and reading other people's with bounds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).parent.parent


def home() -> Path:
    """The user's promptlab folder: the variable PROMPTLAB_HOME, else the platform's place for user data."""
    chosen = os.environ.get("PROMPTLAB_HOME")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("promptlab")


def shipped(name: str) -> Path:
    """The path of `stimuli`, `experiments`, `notebooks` or `app.py`: beside the package in a checkout, inside it in an installed wheel."""
    inside = PACKAGE / "shipped_files" / name
    return inside if inside.exists() else PACKAGE.parent / name


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file; OSError for anything else, and for files of more than `limit` bytes, which are not read."""
    # Asked before opening: opening a pipe would wait for a writer for ever.
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    if status.st_size > limit:
        raise OSError(f"{status.st_size:,} bytes is more than the limit of {limit // 2**20} MB")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"more than the limit of {limit // 2**20} MB")
    return content

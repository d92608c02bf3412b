"""Files of other people, read with bounds: only regular files, and none above a limit."""

from __future__ import annotations

import stat
from pathlib import Path


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

"""Open a recorded run, on this machine or at an address."""

from __future__ import annotations

from pathlib import Path

from promptlab.record.mirror import fetched
from promptlab.record.store import Run


def open_run(folder: str | Path) -> Run:
    """Open a recorded run: `open_run("runs/quickstart-1a2b3c4d").trials()` is its frame. One at an address (s3://...) is fetched first."""
    if isinstance(folder, str) and "://" in folder:
        return Run(fetched(folder))
    return Run(Path(folder))

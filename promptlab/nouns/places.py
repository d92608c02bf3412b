"""Where promptlab keeps the data of its user."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The user's promptlab folder: the variable PROMPTLAB_HOME, else the platform's place for user data."""
    chosen = os.environ.get("PROMPTLAB_HOME")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("promptlab")

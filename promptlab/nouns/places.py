"""Where files lie: the user's data, and what comes with promptlab."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent


def home() -> Path:
    """The user's promptlab folder: the variable PROMPTLAB_HOME, else the platform's place for user data."""
    if chosen := os.environ.get("PROMPTLAB_HOME"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("promptlab")


def configuration() -> Path:
    """The user's configuration file: the variable PROMPTLAB_CONFIG, else config.yaml in the platform's place for configuration."""
    if chosen := os.environ.get("PROMPTLAB_CONFIG"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_config_path("promptlab") / "config.yaml"


def shipped(name: str) -> Path:
    """The path of `stimuli`, `experiments`, `notebooks` or `app.py`: next to the package in a checkout, inside it in an installed wheel."""
    inside = PACKAGE / "shipped_files" / name
    return inside if inside.exists() else PACKAGE.parent / name


@cache
def shipped_table(name: str) -> dict[str, Any]:
    """What the file `data/NAME.toml` of the package holds."""
    return tomllib.loads((PACKAGE / "data" / f"{name}.toml").read_text(encoding="utf-8"))


def runs_folder() -> Path:
    """Where runs are kept on this machine: the variable PROMPTLAB_RUNS unless it is an address, else `runs`."""
    chosen = os.environ.get("PROMPTLAB_RUNS", "")
    return Path(chosen).expanduser() if chosen and "://" not in chosen else Path("runs")


def run_named(run: Path) -> Path:
    """The folder of a run: the path itself, or the run of that name in `runs_folder()`."""
    kept = runs_folder() / run
    return kept if len(run.parts) == 1 and not run.exists() and kept.is_dir() else run

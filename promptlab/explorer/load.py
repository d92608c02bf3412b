"""Run folders as the pages see them: read once per state of the folder, never more often than needed while a sweep writes."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from promptlab.nouns.errors import UNREADABLE, PromptlabError, RunProblem, first_line
from promptlab.record.store import Run, runs_in
from promptlab.reporting.prepared import Stamp, stamp
from promptlab.reporting.store import Store

REREAD_S = 15.0


def folders(runs: Path) -> dict[str, Path]:
    """Run folders by name, newest first; then those that look like one and have no manifest."""
    found = {path.name: path for path in runs_in(runs)}
    if runs.is_dir():
        for path in sorted(runs.iterdir()):
            if path.name not in found and any((path / name).exists() for name in ("plan.json", "trials", "journal.jsonl")):
                found[path.name] = path
    return found


def opened(folder: Path) -> Run:
    """The run's folder with its manifest read; any damage is a RunProblem."""
    try:
        run = Run(folder)
        str(run.state)
    except PromptlabError:
        raise
    except UNREADABLE as error:
        raise RunProblem(f"{folder / 'manifest.json'}: not a run's manifest ({type(error).__name__}: {first_line(error)})") from None
    return run


def open_store(folder: Path) -> Store:
    """The run as it is now; of a run in progress the last reading, unless that is older than 15 seconds."""
    now = stamp(folder)
    kept: tuple[str, float, Stamp] | None = st.session_state.get("reading")
    if kept and kept[0] == str(folder) and now != kept[2] and time.monotonic() - kept[1] < REREAD_S and opened(folder).state == "running":
        now = kept[2]
    else:
        st.session_state["reading"] = (str(folder), time.monotonic(), now)
    try:
        return _read(str(folder), repr(now), (folder / "manifest.json").stat().st_mtime_ns, now)
    except PromptlabError:
        raise
    except UNREADABLE as error:
        raise RunProblem(f"{folder}: not a complete run ({type(error).__name__}: {first_line(error)})") from None


def open_other(folder: Path) -> Store:
    """Another run beside the one that is looked at."""
    opened(folder)
    try:
        now = stamp(folder)
        return _read(str(folder), repr(now), (folder / "manifest.json").stat().st_mtime_ns, now)
    except PromptlabError:
        raise
    except UNREADABLE as error:
        raise RunProblem(f"{folder}: not a complete run ({type(error).__name__}: {first_line(error)})") from None


def read_again() -> None:
    """Forget the last reading, so that the next one is fresh."""
    st.session_state.pop("reading", None)


@st.cache_resource(max_entries=4, show_spinner="Reading the run")
def _read(folder: str, at: str, manifest_at: int, _at: Stamp) -> Store:
    del at, manifest_at  # only parts of the key: to make one of a whole stamp takes longer than a page
    return Store.of(Path(folder), _at)

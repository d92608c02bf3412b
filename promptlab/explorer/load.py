"""Run folders as the pages see them: read once per state of the folder, never more often than needed while a sweep writes.

Also the parts of a page that keep up with a sweep: drawn again every 15 seconds, while what was chosen and scrolled to stays.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from promptlab.explorer import plain
from promptlab.explorer.filters import moved
from promptlab.nouns import PromptlabError, readable
from promptlab.record.store import Run, runs_in
from promptlab.reporting.prepared import Stamp, Store, stamp

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
    with readable(f"{folder / 'manifest.json'}: not a run's manifest"):
        run = Run(folder)
        str(run.state)
        return run


def open_store(folder: Path) -> Store:
    """The run as it is now; of a run in progress the last reading, unless that is older than 15 seconds."""
    now = stamp(folder)
    kept: tuple[str, float, Stamp] | None = st.session_state.get("reading")
    if kept and kept[0] == str(folder) and now != kept[2] and time.monotonic() - kept[1] < REREAD_S and opened(folder).state == "running":
        now = kept[2]
    else:
        st.session_state["reading"] = (str(folder), time.monotonic(), now)
    return _store(folder, now)


def open_other(folder: Path) -> Store:
    """Another run next to the one that is looked at."""
    opened(folder)
    return _store(folder)


def _store(folder: Path, now: Stamp | None = None) -> Store:
    with readable(f"{folder}: not a complete run"):
        now = now or stamp(folder)
        return _read(str(folder), repr(now), (folder / "manifest.json").stat().st_mtime_ns, now)


def read_again() -> None:
    """Forget the last reading, so that the next one is fresh."""
    st.session_state.pop("reading", None)


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(folder: str, at: str, manifest_at: int, _at: Stamp) -> Store:
    del at, manifest_at  # only parts of the key: to make one of a whole stamp takes longer than a page
    return Store.of(Path(folder), _at)


# Parts of a page that keep up with a sweep.

AGAIN_S = REREAD_S + 0.5
"""A little more than a reading is kept, so that every redrawing finds a new one."""


def kept_fresh(store: Store, draw: Callable[[Store], None]) -> None:
    """Draw, and while the sweep continues draw again every 15 seconds with what is recorded by then.

    Widgets inside `draw` may change the address: the whole page then follows.
    """
    if store.report.state != "running":
        draw(store)
        return

    def newest() -> None:
        try:
            draw(open_store(store.folder))
        except PromptlabError as error:
            unreadable(error)

    again_every(AGAIN_S, newest)


def again_every(seconds: float | None, draw: Callable[[], None]) -> None:
    """Draw, and again every so many seconds (None: only when asked), without the rest of the page."""

    @st.fragment(run_every=seconds)
    def live() -> None:
        if moved():
            st.rerun()
        draw()

    live()


def unreadable(error: PromptlabError) -> None:
    """Say that a run cannot be read, and why."""
    st.error("This run cannot be read.")
    plain.line(error)
    for command in re.findall(r"`(promptlab [^`]+)`", str(error)):
        plain.block(command)
    st.caption("Choose another run above, or make this one again: promptlab sweep with the same experiment file completes it.")

"""Parts of a page that keep up with a sweep: drawn again every 15 seconds, while what was chosen and scrolled to stays."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from promptlab.explorer import plain
from promptlab.explorer.filters import moved
from promptlab.explorer.load import REREAD_S, open_store
from promptlab.nouns.errors import PromptlabError
from promptlab.reporting.store import Store

AGAIN_S = REREAD_S + 0.5
"""A little more than a reading is kept, so that every redrawing finds a new one."""


def kept_fresh(store: Store, draw: Callable[[Store], None]) -> None:
    """Draw, and while the sweep goes on draw again every 15 seconds with what is recorded by then.

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
    st.caption("Choose another run above, or make this one again: promptlab sweep with the same experiment file completes it.")

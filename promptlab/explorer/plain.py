"""The only way for text from models, items, stimuli and file names to reach the screen.

Such text is never Markdown or HTML: it goes through `st.text`, `st.code(language=None)` or a table, with the characters that
would hide or reorder it spelled out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, Literal

import pandas as pd
import streamlit as st

from promptlab.nouns import inert
from promptlab.reporting.words import TINTS

LONGEST = 20_000
CELL = 300
CHOSEN = "→"
TALL = 420
ROW_PX = 35
MOST_ROWS_SHOWN = 14
MOST_ROWS_WHOLE = 60


def clip(text: str, longest: int = LONGEST) -> str:
    """At most `longest` characters, and how many are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … [{len(text) - longest:,} more characters are in the run folder]"


def cell(text: object, longest: int = CELL) -> str:
    """One line for a table."""
    if text is None or (isinstance(text, float) and math.isnan(text)):
        return ""
    whole = str(text)
    shown = whole[:longest] + (" …" if len(whole) > longest else "")
    return inert(shown).replace("\n", " ⏎ ").replace("\t", " ")


def line(text: object) -> None:
    """A paragraph of text as it is."""
    st.text(inert(clip(str(text))))


def block(text: object) -> None:
    """Text in a frame, in a fixed-width face, wrapped; tall texts scroll."""
    shown = inert(clip(str(text)))
    rows = sum(1 + len(part) // 80 for part in shown.split("\n"))
    exact = f"\n{shown}\n" if shown else "(nothing)"  # one newline at either end is taken off again
    st.code(exact, language=None, wrap_lines=True, height=TALL if rows > 16 else "content")


def table(frame: pd.DataFrame, *, tinted: str | None = None, narrow: bool = False) -> None:
    """A whole table of inert text and numbers; words of the column `tinted` get the style of `TINTS`."""
    width: Literal["content", "stretch"] = "content" if narrow else "stretch"
    shown = _styled(clean(frame), [tinted] if tinted else [])
    st.dataframe(shown, hide_index=True, height=_height(len(frame), MOST_ROWS_WHOLE), width=width, placeholder="")


def choosable(
    frame: pd.DataFrame, key: str, choose: Callable[[int, str], None], *, tinted: bool = False, height: int | None = None
) -> None:
    """A table in which a click on a cell calls `choose(row, column)`."""

    def selected() -> None:
        cells = st.session_state[key].selection.cells
        if cells:
            row, column = cells[0]
            choose(int(row), str(column))

    shown = clean(frame)
    st.dataframe(
        _styled(shown, [*shown.columns] if tinted else []), hide_index=True, height=height or _height(len(frame)), placeholder="",
        key=key, on_select=selected, selection_mode="single-cell",
    )  # fmt: skip


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with inert text in cells and column names; numbers stay numbers."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        columns[inert(name)] = column if numeric else column.map(cell)
    return pd.DataFrame(columns, index=frame.index).reset_index(drop=True)


def _styled(frame: pd.DataFrame, tinted: list[Hashable]) -> Any:  # noqa: ANN401
    if not tinted or frame.empty:
        return frame
    return frame.style.map(lambda value: next((css for sign, css in TINTS.items() if str(value).startswith(sign)), ""), subset=tinted)


def _height(n_rows: int, shown: int = MOST_ROWS_SHOWN) -> int:
    return ROW_PX * (min(max(n_rows, 1), shown) + 1) + 3

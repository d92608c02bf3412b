"""The only way for text from models, items, stimuli and file names to reach the screen.

Such text is never Markdown, and never HTML of its own: it goes through `st.text`, `st.code(language=None)`, a table, or the holes of
a fixed piece of HTML, where it is escaped; the characters that would hide or reorder it are spelled out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Literal

import pandas as pd
import streamlit as st
from markupsafe import Markup

from promptlab.nouns import VERDICTS, inert
from promptlab.reporting.diff import difference_html
from promptlab.reporting.palette import DARK, LIGHT, Palette

LONGEST = 20_000
CELL = 300
TALL = 420
ROW_PX = 35
MOST_ROWS_SHOWN = 14
MOST_ROWS_WHOLE = 60
TALLEST = 720
LONG_HEAD = 28
"""Characters of a column's name above which it would push the other columns off the screen."""
SHORT = st.column_config.TextColumn(width=200)
DECIMAL = st.column_config.NumberColumn(format="%.1f")


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


def palette() -> Palette:
    """The colours of the theme that the browser shows."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def piece(template: str, **values: object) -> Markup:
    """Fixed HTML with values in its holes; what is not HTML made here is escaped and inert."""
    safe = {name: value if isinstance(value, Markup | int | float) else inert(value) for name, value in values.items()}
    return Markup(template).format(**safe)  # noqa: S704 (the tests allow literals alone as templates)


def html(template: str, *, width: Literal["stretch", "content"] = "stretch", **values: object) -> None:
    """Draw such a piece."""
    st.html(piece(template, **values), width=width)


def joined(pieces: Iterable[Markup], between: str = "") -> Markup:
    """Pieces one after the other."""
    return Markup(between).join(pieces)  # noqa: S704 (as above)


def box(text: object, label: str, longest: int = LONGEST) -> None:
    """A text of any length in the face of texts; tall ones scroll, by key as well."""
    shown = clip(str(text), longest) or "(nothing)"
    html('<div class="box" tabindex="0" role="region" aria-label="{label}">{text}</div>', label=label, text=shown)


def difference(before: str, after: str, label: str) -> None:
    """Two texts as one: what only the second has is marked, what only the first has is underlined, long equal runs are folded."""
    found = Markup(difference_html(clip(before), clip(after)))  # noqa: S704 (escaped there)
    html('<div class="box" tabindex="0" role="region" aria-label="{label}">{found}</div>', label=label, found=found)


def label(text: object) -> str:
    """A word on a button: one line, and no sign of Markdown acts."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", cell(text, 80))


def line(text: object) -> None:
    """A paragraph of text as it is."""
    st.text(inert(clip(str(text))))


def lines(texts: Iterable[object]) -> None:
    """Many texts, one a line, as one element: a thousand elements take longer than all else about a page."""
    html('<div class="lines">{all}</div>', all="\n".join(clip(str(text)) for text in texts))


def block(text: object) -> None:
    """Text in a frame, in a fixed-width face, wrapped; tall texts scroll."""
    shown = inert(clip(str(text)))
    rows = sum(1 + len(part) // 80 for part in shown.split("\n"))
    exact = f"\n{shown}\n" if shown else "(nothing)"  # one newline at either end is taken off again
    st.code(exact, language=None, wrap_lines=True, height=TALL if rows > 16 else "content")


def table(frame: pd.DataFrame, *, tinted: str | None = None, narrow: bool = False) -> None:
    """A whole table of inert text and numbers; words of the column `tinted` get the colour of the verdict that they begin with."""
    width: Literal["content", "stretch"] = "content" if narrow else "stretch"
    shown = styled(clean(frame), [tinted] if tinted else [])
    st.dataframe(shown, hide_index=True, height=_height(len(frame), MOST_ROWS_WHOLE), width=width, placeholder="", row_height=ROW_PX)


def choosable(
    frame: pd.DataFrame, key: str, choose: Callable[[int, str], None], *, tinted: bool = False, row_height: int = ROW_PX,
    widths: Mapping[str, int] | None = None, alt: str = "A click on a row opens it",
) -> None:  # fmt: skip
    """A table in which a click on a cell calls `choose(row, column)`; `widths` are pixels of columns."""

    def selected() -> None:
        cells = st.session_state[key].selection.cells
        if cells:
            row, column = cells[0]
            choose(int(row), str(column))

    shown = clean(frame)
    height = min(_height(len(frame), row_px=row_height), TALLEST)
    st.dataframe(
        styled(shown, [*shown.columns] if tinted else []), hide_index=True, height=height, placeholder="", row_height=row_height,
        key=key, on_select=selected, selection_mode="single-cell", alt=alt,
        column_config={str(name): DECIMAL for name in shown if pd.api.types.is_float_dtype(shown[name])}
        | {str(name): SHORT for name in shown if len(str(name)) > LONG_HEAD}
        | {name: st.column_config.TextColumn(width=width) for name, width in (widths or {}).items()},
    )  # fmt: skip


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with inert text in cells and column names; numbers stay numbers."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        columns[inert(name)] = column if numeric else column.map(cell)
    return pd.DataFrame(columns, index=frame.index).reset_index(drop=True)


def styled(frame: pd.DataFrame, tinted: list[Hashable]) -> Any:  # noqa: ANN401
    """The frame with words of these columns in the colour of the verdict whose sign they begin with."""
    if not tinted or frame.empty:
        return frame
    tints = {VERDICTS[name].sign: tint for name, tint in palette().verdicts.items()}
    css = {sign: f"color: {tint.ink}; background-color: {tint.ground}" for sign, tint in tints.items()}
    return frame.style.map(lambda value: css.get(str(value)[:1], ""), subset=tinted)


def _height(n_rows: int, shown: int = MOST_ROWS_SHOWN, row_px: int = ROW_PX) -> int:
    return row_px * min(max(n_rows, 1), shown) + ROW_PX + 3

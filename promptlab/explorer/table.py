"""The table of arms: verdict, name, points, and the interval drawn to one scale in every row."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain
from promptlab.nouns import VERDICTS, Verdict
from promptlab.reporting.palette import Palette
from promptlab.stats import chance, p_figure

ROW_PX = 38
DRAWN_PX = 240
MOST_ROWS = 14
EDGE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow:
    """One arm as the table shows it. Differences are fractions of what it is measured against; None is "not known"."""

    arm: str
    """How people read it; no two rows of a table share it."""
    name: str
    """The arm's name in the plan."""
    model: str
    setting: str
    prompt: str | None
    incumbent: bool
    verdict: Verdict | None
    diff: float | None
    low: float | None
    high: float | None
    p: float | None = None
    corrected: float | None = None
    chance: float | None = None
    items: int
    lost: float
    """The share of answers that were cut, empty, refused or failed."""
    usd: float | None
    tokens: float | None
    why: str = ""
    control_arms: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Sign and word."""
        return "· incumbent" if self.incumbent else f"{VERDICTS[self.verdict].sign} {self.verdict}" if self.verdict else "- not planned"


def frame(rows: Sequence[ArmRow]) -> pd.DataFrame:
    """The rows as numbers and words, for the screen and for files."""

    def points(value: float | None) -> float | None:
        return None if value is None else 100 * value

    return pd.DataFrame(
        {
            "verdict": [row.words for row in rows], "arm": [row.arm for row in rows], "points": [points(row.diff) for row in rows],
            "low": [points(row.low) for row in rows], "high": [points(row.high) for row in rows],
            "adjusted p": [row.p for row in rows], "chance to be best, %": [points(row.chance) for row in rows],
            "not whole, %": [100 * row.lost for row in rows], "USD for 1,000": [row.usd for row in rows],
            "tokens": [row.tokens for row in rows],
            "why not settled": [row.why if row.verdict in ("unclear", "refused") else "" for row in rows],
        }
    )  # fmt: skip


def draw(rows: Sequence[ArmRow], margin: float, key: str, choose: Callable[[int], None]) -> None:
    """Show the rows; a click anywhere in one calls `choose` with its number. `margin` is the difference that counts as none."""
    whole, palette = frame(rows), plain.palette()
    low = min([value for row in rows for value in (row.low, row.diff) if value is not None] + [-0.05, -margin])
    high = max([value for row in rows for value in (row.high, row.diff) if value is not None] + [0.05, margin])
    pictures = [interval_svg(row, low, high, margin, palette) for row in rows]
    shown = plain.clean(whole.drop(columns=["low", "high", "tokens", "why not settled"]))  # the reason is below the table, in full
    shown.insert(3, "effect", pictures)
    shown.insert(4, "95 %", [_ends(row) for row in rows])
    shown["chance to be best, %"] = ["" if row.chance is None else chance(row.chance) for row in rows]
    shown["adjusted p"] = ["" if row.p is None else p_figure(row.p) for row in rows]
    shown = shown.loc[:, [name for name in shown if name in ALWAYS or (shown[name].notna().any() and (shown[name] != "").any())]]

    def selected() -> None:
        cells = st.session_state[key].selection.cells
        if cells:
            choose(int(cells[0][0]))

    column, wide = st.column_config, min(290, max(120, 24 + 7 * max((len(row.arm) for row in rows), default=0)))
    height: Any = "content" if len(rows) <= MOST_ROWS else (MOST_ROWS + 1) * ROW_PX
    number, figures = column.NumberColumn, plain.styled(shown, ["verdict"])
    st.dataframe(
        figures.format({"points": signed}), hide_index=True, row_height=ROW_PX, height=height, key=key, placeholder="",
        on_select=selected, selection_mode="single-cell", alt="One row for each arm: verdict, name, points, 95 % interval",
        column_config={
            "verdict": column.TextColumn(width=98), "arm": column.TextColumn(width=wide), "points": number(width=70),
            "effect": column.ImageColumn(minus(f"{100 * low:+.0f} to {100 * high:+.0f} points"), width=DRAWN_PX + 24),
            "95 %": column.TextColumn(width=120), "adjusted p": column.TextColumn(width=84),
            "chance to be best, %": column.TextColumn("P(best)", width=70), "not whole, %": number(format="%.1f", width=92),
            "USD for 1,000": number("$/1,000", format="$%.3f", width=80),
        },
    )  # fmt: skip


ALWAYS = ("verdict", "arm", "points", "effect", "95 %")


def span(row: ArmRow) -> str:
    """Points and their interval, for a narrow screen."""
    return f"{signed(100 * (row.diff or 0.0))} ({_ends(row)})"


def _ends(row: ArmRow) -> str:
    if row.low is None or row.high is None:
        return ""
    return minus(f"{100 * row.low:+.1f} … {100 * row.high:+.1f}")


def signed(points: float) -> str:
    """Points as they are shown; they sort as numbers."""
    return "" if pd.isna(points) else minus(f"{points:+.1f}")


def minus(figures: str) -> str:
    """Figures with the sign of subtraction, which is as wide as the plus."""
    return figures.replace("-", "−")


def interval_svg(row: ArmRow, low: float, high: float, margin: float, palette: Palette) -> str:
    """Estimate and interval as a picture of a row's height, with the margin as a band and a line at 0."""

    def x(value: float) -> str:
        return f"{EDGE + (value - low) / (high - low) * (DRAWN_PX - 2 * EDGE):.1f}"

    parts = [
        f"<rect x='{x(-margin)}' width='{float(x(margin)) - float(x(-margin)):.1f}' height='{ROW_PX}' fill='{palette.band}'/>",
        f"<line x1='{x(0)}' x2='{x(0)}' y2='{ROW_PX}' stroke='{palette.zero}'/>",
    ]
    if row.diff is not None and row.verdict is not None:
        colour, middle = palette.verdicts[row.verdict].ink, ROW_PX // 2
        filled = row.verdict not in ("unclear", "refused")
        if row.low is not None and row.high is not None:
            line = f"<line x1='{x(row.low)}' x2='{x(row.high)}' y1='{middle}' y2='{middle}' stroke='{colour}' stroke-width='3'/>"
            parts.append(line)
        inside = colour if filled else palette.page
        parts.append(f"<circle cx='{x(row.diff)}' cy='{middle}' r='5' fill='{inside}' stroke='{colour}' stroke-width='2'/>")
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='{DRAWN_PX}' height='{ROW_PX}'>{''.join(parts)}</svg>"
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()

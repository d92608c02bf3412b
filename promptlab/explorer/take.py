"""Charts and tables that can be downloaded: exactly what is shown, as CSV and Parquet, SVG and PNG, by one menu a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain
from promptlab.nouns import Manifest
from promptlab.reporting import charts, written
from promptlab.reporting.palette import LIGHT
from promptlab.reporting.table import Table

SIMULATED = "simulated"
"""Which models are simulated, and whether any is not, for those who take something of the page along."""
LISTED = "to_take"
"""What the page that is drawn offers for download: for each file how it is made, and its kind."""


def begin() -> None:
    """A page begins: nothing is listed yet."""
    st.session_state[LISTED] = {}
    answers_of()


def menu(folder: Path | None) -> None:
    """One menu with everything that the page offers for download, and the run's report where there is one."""
    files: dict[str, tuple[Callable[[], bytes], str]] = dict(st.session_state.get(LISTED, {}))
    if folder is not None and (page := folder / "report.html").is_file():
        files["report.html"] = (page.read_bytes, "text/html")
    if not files:
        return
    with st.popover("Export"):
        st.caption(
            "Tables as CSV and Parquet, charts as SVG and PNG. The address of this page holds what you chose: copy it to share the view."
        )
        for file, (made, mime) in files.items():
            _button(file, made, mime)


def _button(label: str, made: Callable[[], bytes], mime: str) -> None:
    st.download_button(label, made, label, mime, key=f"take/{label}", on_click="ignore", type="tertiary")


def section(label: str, table: Table, name: str) -> None:
    """A table below a heading."""
    st.header(label)
    shown(table, name)


def folded(label: str, table: Table, name: str) -> None:
    """A table that is seen when its heading is clicked."""
    with st.expander(label):
        shown(table, name)


def shown(table: Table, name: str) -> None:
    """A table with its note above it and downloads below it; `name` is that of the files, and the column `result` is tinted by its word."""
    if table.note:
        plain.line(table.note)
    if table.frame.empty:
        st.caption("Nothing is recorded for this yet.")
        return
    alike = [column for column in ALIKE if column in table.frame and table.frame[column].nunique() == 1]
    alike = [column for column in alike if len(table.frame) > 1 or column == "setting"]
    plain.table(table.frame.drop(columns=alike), tinted="result" if "result" in table.frame else None)
    frame(table.frame, name)


ALIKE = ("model", "setting", "loop")
"""Columns that are shown only where rows differ in them: the page names the run, and what was chosen."""


def answers_of(*runs: Manifest) -> None:
    """Say whose answers the page shows: the manifests of its runs; none for a page without answers."""
    simulated = {name for run in runs for name in run.simulated_models}
    real = {name for run in runs for name in run.models if name not in run.simulated_models}
    st.session_state[SIMULATED] = (simulated, bool(real))


def _marked(name: str) -> str:
    return f"SIMULATED-{name}" if st.session_state.get(SIMULATED, (set(), False))[0] else name


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """With a column that says of every row whether its model is simulated; where no row names a model, of all or some of the run's."""
    simulated, real = st.session_state.get(SIMULATED, (set(), False))
    if not simulated or rows.empty:
        return rows
    if real and "model" in rows:
        return rows.assign(simulated=rows["model"].isin(simulated))
    return rows.assign(simulated="some models" if real else True)


def frame(rows: pd.DataFrame, name: str) -> None:
    """List a table: CSV, where no cell is run as a formula, and Parquet. Of a simulated model the file and every row say so."""
    rows, name = _labelled(rows), _marked(name)
    for ending, mime in ((".csv", "text/csv"), (".parquet", "application/vnd.apache.parquet")):
        _list(f"{name}{ending}", partial(written, rows, ending), mime)


def drawing(drawn: Any, name: str) -> None:  # noqa: ANN401 (altair's own type varies)
    """List a chart: SVG and PNG, on a white ground."""
    name = _marked(name)
    _list(f"{name}.svg", partial(charts.svg, drawn), "image/svg+xml")
    _list(f"{name}.png", partial(charts.png, drawn), "image/png")


def _list(file: str, made: Callable[[], Any], mime: str) -> None:
    st.session_state.setdefault(LISTED, {})[plain.cell(file, 80)] = (made, mime)


def chart(drawn: Any, name: str, about: str) -> None:  # noqa: ANN401
    """A chart as wide as the page, in the colours of the theme; `about` says in words what it shows, for screen readers."""
    spec = fitted(themed(drawn.to_dict(validate=False)))  # the tests check the charts
    plain.html("<b>{title}</b>", title=spec.pop("title")["text"])  # above the chart a long title wraps
    st.vega_lite_chart(spec=spec | {"autosize": {"type": "fit-x", "contains": "padding"}}, theme=None, alt=plain.cell(about, 300))
    drawing(drawn, name)


NARROW = "windowSize()[0] < 640"
LONG_NAMES = 400
"""Pixels that a name may take in a chart of few series: on a phone one is below the other."""
AT_THE_END = {"value": "width"}
"""Where a row's words are."""


def fitted(spec: Any) -> Any:  # noqa: ANN401 (Vega-Lite)
    """The chart with legends above it; on a phone with short names, and without the words at the right, which the table repeats."""
    if isinstance(spec, list):
        return [fitted(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    found = {name: part if name in ("data", "datasets") else fitted(part) for name, part in spec.items()}
    is_legend, limit = "symbolOpacity" in found, found.get("labelLimit", 0)
    columns = 1 if limit > LONG_NAMES else 2
    if limit:
        found["labelLimit"] = {"expr": f"{NARROW} ? {190 if is_legend and columns == 1 else 120} : {limit}"}
    if is_legend:
        found |= {"orient": "top", "columns": {"expr": f"{NARROW} ? {columns} : 5"}}
    if found.get("x") == AT_THE_END and "text" in found:
        found["text"] = {"condition": {"test": f"!({NARROW})", **found["text"]}, "value": ""}
    return found


def themed(spec: Any) -> Any:  # noqa: ANN401 (Vega-Lite)
    """The chart on the page's own ground, its ink that of the theme."""
    palette = plain.palette()
    swapped = {charts.INK: palette.ink, "white": "transparent"} | ({} if palette is LIGHT else DARKER)

    def of(value: Any, key: str = "") -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {name: part if name in ("data", "datasets") else of(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [of(part, key) for part in value]
        if not isinstance(value, str) or (value == "white" and key != "background"):
            return value
        return swapped.get(value) or (_lighter(value) if key == "range" and palette is not LIGHT and value.startswith("#") else value)

    return of(spec)


DARKER = {"#0072B2": "#6CB8F5", "#000000": "#E8EBEE", "#222222": "#E8EBEE", "#D55E00": "#FF9D5C", "#009E73": "#5CD0A8"}
"""Colours of series that would be hard to see on a dark ground."""
FAINT = 330
"""The sum of red, green and blue, each to 255, below which a further colour is hard to see there."""


def _lighter(colour: str) -> str:
    """A colour half way to white, where it would be hard to see on a dark ground."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{(part + 255) // 2:02X}" for part in parts) if sum(parts) < FAINT else colour

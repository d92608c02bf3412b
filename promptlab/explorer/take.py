"""Charts and tables that can be taken along: exactly what is shown, as CSV and Parquet, SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain
from promptlab.nouns import Manifest
from promptlab.reporting import charts, written
from promptlab.reporting.table import Table

SIMULATED = "simulated"
"""Which models are simulated, and whether any is not, for those who take something of the page along."""


def section(label: str, table: Table, name: str) -> None:
    """A table below a heading."""
    st.subheader(label)
    shown(table, name)


def folded(label: str, table: Table, name: str) -> None:
    """A table that is seen when its heading is clicked."""
    with st.expander(label):
        shown(table, name)


def shown(table: Table, name: str) -> None:
    """A table with its note above it and downloads below it; `name` is that of the files, and the column `says` is tinted by its word."""
    if table.note:
        plain.line(table.note)
    if table.frame.empty:
        st.caption("Nothing is recorded for this yet.")
        return
    plain.table(table.frame, tinted="says" if "says" in table.frame else None)
    frame(table.frame, name)


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
    """Downloads of a table: CSV, where no cell is run as a formula, and Parquet. Of a simulated model the file and every row say so."""
    rows, name = _labelled(rows), _marked(name)
    with st.popover("Download this table", type="tertiary"):
        for label, mime in (("CSV", "text/csv"), ("Parquet", "application/vnd.apache.parquet")):
            ending = f".{label.lower()}"
            file = f"{name}{ending}"
            st.download_button(label, partial(written, rows, ending), file, mime, key=f"take/{file}", on_click="ignore")


def chart(drawn: Any, name: str, about: str, choose: Callable[[str], None] | None = None) -> None:  # noqa: ANN401 (altair's own type varies)
    """A chart with downloads below it; `about` says in words what it shows, for those who hear the page.

    A click on a cell of `charts.matrix` calls `choose` with what was clicked.
    """
    spec = drawn.to_dict(validate=False)  # the tests check the charts
    name = _marked(name)
    key = f"chart/{name}"
    clicked: Any = {"key": key, "on_select": partial(_clicked, key, choose), "selection_mode": charts.PICKED} if choose else {}
    st.vega_lite_chart(spec=spec, width="content", theme=None, alt=plain.cell(about, 300), **clicked)
    with st.popover("Download this chart", type="tertiary"):
        for label, made, mime in (("SVG", partial(charts.svg, drawn), "image/svg+xml"), ("PNG", partial(charts.png, drawn), "image/png")):
            file = f"{name}.{label.lower()}"
            st.download_button(label, made, file, mime, key=f"take/{file}", on_click="ignore")


def _clicked(key: str, choose: Callable[[str], None]) -> None:
    picked = st.session_state[key].selection.get(charts.PICKED) or []
    if picked and isinstance(cell := picked[0].get("cell"), str):
        choose(cell)

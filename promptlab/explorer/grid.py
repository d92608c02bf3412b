"""Every item across all arms: ✓ right, ✕ wrong, a number for what lies between, and nothing where no answer has a score."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import streamlit as st

from promptlab.explorer import drawer, plain, take
from promptlab.explorer.filters import OF_A_DRAWER, Filters, go, model_of, setting_of
from promptlab.nouns import NONE_ARM, Setting, counted
from promptlab.reporting.flips import Side
from promptlab.reporting.prepared import RIGHT, Store
from promptlab.reporting.table import Table

PAGE_ROWS = 50
ALL = "all"
WHICH = {"all": "All items", "differ": "Arms differ", "none": "No arm right", "every": "Every arm right"}
HAVING = {"all": "TRUE", "differ": "min(mean) < max(mean)", "none": f"max(mean) < {RIGHT}", "every": f"min(mean) >= {RIGHT}"}
"""What the means of an item's arms must be, as SQL."""
CELLS = (
    "WITH cells AS (SELECT suite, task, item, arm, avg(score) AS mean, min(t.order) AS place FROM trials t "
    "WHERE model = ? AND setting = ? AND (? IS NULL OR task = ?) GROUP BY suite, task, item, arm), "
    "wanted AS (SELECT suite, task, item, min(place) AS place FROM cells GROUP BY suite, task, item HAVING {}) "
)


class Page(NamedTuple):
    """One page of the grid: names of items and arms as they are, and the cells as words."""

    n: int
    number: int
    n_pages: int
    tasks: list[str]
    items: list[str]
    arms: list[str]
    frame: pd.DataFrame


def render(store: Store, filters: Filters) -> None:
    """Show the view."""
    model, setting, task = _chosen(store, filters)
    page = _page(store, filters, model, setting, task)
    if page.frame.empty:
        st.caption("No item.")
        st.button("Clear filters", on_click=go, kwargs={"which": None, "task": None, "n": None})
        return

    def choose(row: int, column: str) -> None:
        shown = {plain.cell(name): name for name in page.arms}
        drawer.asked()
        go(**{**dict.fromkeys(OF_A_DRAWER), "arm": shown.get(column, page.arms[0]), "item": page.items[row], "of": page.tasks[row]})

    key = f"grid/{model}/{setting.id}/{task}/{page.number}/{drawer.n_opened()}"
    plain.choosable(page.frame, key, choose, alt="Items down, arms across, best arm first")
    st.caption("Arms from the highest mean score to the lowest. Click a cell to read the answer next to the baseline's.")
    take.frame(page.frame, "grid")
    arm = filters.choice("arm", list(store.arms), None)
    if arm is not None:
        base = NONE_ARM if NONE_ARM in store.arms and arm != NONE_ARM else next(name for name in page.arms if name != arm)
        drawer.open_pair(Side(store, model, setting, arm), Side(store, model, setting, base), filters)


def tables(store: Store, filters: Filters) -> list[Table]:
    """One page of the grid."""
    model, setting, task = _chosen(store, filters)
    page = _page(store, filters, model, setting, task)
    note = f"{model}, {setting.words}: {counted(page.n)}; page {page.number:,} of {page.n_pages:,}. Arms by their mean score."
    return [Table("Every item across all arms", note, page.frame)]


def _chosen(store: Store, filters: Filters) -> tuple[str, Setting, str | None]:
    three, one, two = filters.columns(3)
    model = model_of(store, filters, one) if len(store.models) > 1 or not filters.drawn else store.models[0]
    setting = setting_of(store, filters, two)
    task = filters.pick("Task", "task", [ALL, *store.tasks], ALL, {ALL: "all tasks"}, drops=("n", *OF_A_DRAWER), place=three)
    return model, setting, None if task == ALL else task


def _page(store: Store, filters: Filters, model: str, setting: Setting, task: str | None) -> Page:
    which = filters.switch("Which items", "which", WHICH, "all", drops=("n", *OF_A_DRAWER))
    values = [model, setting.id, task, task]
    wanted = store.query(f"{CELLS.format(HAVING[which])}SELECT * FROM wanted ORDER BY place", values)  # noqa: S608 (fixed texts)
    n_pages = max(1, -(-len(wanted) // PAGE_ROWS))
    number = filters.page_number("n", n_pages, drops=OF_A_DRAWER)
    page = wanted.iloc[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    listed = store.query(
        "SELECT suite, task, item, arm, avg(score) AS mean FROM trials WHERE model = ? AND setting = ? AND list_contains(?, task) "
        "AND list_contains(?, item) GROUP BY ALL",
        [model, setting.id, page["task"].unique().tolist(), page["item"].tolist()],
    ).merge(page, on=["suite", "task", "item"])
    means = store.query(
        "SELECT arm, avg(score) AS mean FROM trials WHERE model = ? AND setting = ? AND (? IS NULL OR task = ?) GROUP BY arm "
        "ORDER BY mean DESC NULLS LAST, arm", values,
    )  # fmt: skip
    arms = means["arm"].tolist()
    rows = listed.set_index(["place", "task", "item", "arm"])["mean"].unstack("arm").sort_index().reset_index()
    columns = {name: rows[name].tolist() for name in (("task", "item") if len(store.tasks) > 1 and task is None else ("item",))}
    columns |= {arm: [_word(mean) for mean in rows[arm]] for arm in arms if arm in rows}
    return Page(len(wanted), number, n_pages, rows["task"].tolist(), rows["item"].tolist(), arms=arms, frame=pd.DataFrame(columns))


def _word(mean: float) -> str:
    return "" if pd.isna(mean) else "✓" if mean == 1 else "✕" if mean == 0 else f"{mean:.2f}"

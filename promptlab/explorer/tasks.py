"""Every arm in every task, arms by their mean; and of loops what each round brings."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from promptlab.explorer import drawer, loops, plain, take
from promptlab.explorer.filters import OF_A_DRAWER, Filters, choose, go
from promptlab.explorer.table import minus
from promptlab.nouns import NONE_ARM, VERDICTS, Comparison, inert
from promptlab.reporting import charts, words
from promptlab.reporting.flips import Side
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table
from promptlab.stats import points

VIEWS = {"tasks": "Tasks", "rounds": "Rounds of the loops"}
SORTS = {"task": "by task", "mean": "by mean", "spread": "by spread"}
WHICH = {"all": "all tasks", "changed": "with a finding"}
SETTLED = ("helps", "hurts", "negligible", "same")


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    plain.html('<h1 class="pl-h1">In which tasks?</h1>')
    if (store.plan.looped or filters.get("view") == "rounds") and filters.switch("View", "view", VIEWS, "tasks") == "rounds":
        loops.render(store, filters)
        return
    model, control, setting = choose(store, filters)
    cells = store.comparisons(model, setting, control, ["cell"])
    if not cells:
        st.caption("Nothing was planned for this choice.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sort = filters.switch("Sort the tasks", "sort", SORTS, "task")
        which = filters.switch("Which tasks", "which", WHICH, "all")
    tasks, arms = ordered(cells, sort, which)
    if not tasks:
        st.caption("No task.")
        st.button("Clear filters", on_click=go, kwargs={"which": None, "sort": None})
        return

    def open_cell(row: int, column: str) -> None:
        shown = {inert(name): name for name in arms}
        drawer.asked()
        go(**{**dict.fromkeys(OF_A_DRAWER), "arm": shown.get(column, arms[0]), "of": tasks[row]})

    key = f"tasks/{model}/{control}/{setting.id}/{sort}/{which}/{drawer.n_opened()}"
    plain.choosable(table(cells, tasks, arms), key, open_cell, tinted=True, alt="Tasks down, arms across: sign and points of each")
    st.caption("Points: ▲ helps, ▼ hurts, ◆ or ■ too small to matter, ○ unclear, ✕ no verdict. Click a cell to read its answers.")
    take.frame(words.verdict_table(cells, {}, "task"), "tasks")
    if any(c.diff is not None for c in cells):
        take.drawing(charts.matrix(cells, "Difference in points in each task", store.simulated), "tasks")
    with st.expander("Each cell in a sentence"):
        plain.lines(f"{words.verdict(c)}  {words.treated(c)}: {c.sentence}" for c in cells if c.task in tasks)
    arm, of = filters.get("arm"), filters.get("of")
    picked = next((c for c in cells if (c.treatment, c.task) == (arm, of)), None)
    if picked is not None:
        against = NONE_ARM if control in ("none", "single") or not picked.control_arms else picked.control_arms[0]
        drawer.open_pair(Side(store, model, setting, picked.treatment), Side(store, model, setting, against), filters)


def ordered(cells: Sequence[Comparison], sort: str, which: str) -> tuple[list[str], list[str]]:
    """Tasks in the order that is requested, and arms from the highest mean difference to the lowest."""
    known = pd.DataFrame([(c.task, c.treatment, c.diff, c.verdict in SETTLED) for c in cells], columns=["task", "arm", "diff", "settled"])
    known["diff"] = known["diff"].astype(float)
    means = known.groupby("arm", sort=False)["diff"].mean().sort_values(ascending=False, kind="stable")
    if which == "changed":
        known = known[known["settled"].astype(bool)]
    by_task = known.groupby("task", sort=False)["diff"]
    of_tasks = {"mean": by_task.mean(), "spread": by_task.max() - by_task.min()}.get(sort, by_task.size() * 0)
    return of_tasks.sort_values(ascending=False, kind="stable").index.tolist(), means.index.tolist()


def tables(store: Store, filters: Filters) -> list[Table]:
    """Every cell of the chosen model, control and setting."""
    model, control, setting = choose(store, filters)
    cells = store.comparisons(model, setting, control, ["cell"])
    return [Table("Difference in points in each task", "", words.verdict_table(cells, {}, "task"))]


def table(cells: Sequence[Comparison], tasks: Sequence[str], arms: Sequence[str]) -> pd.DataFrame:
    """Tasks down, arms across, sign and points in the cells."""
    found = {(c.task, c.treatment): f"{VERDICTS[c.verdict].sign} {minus(points(c.diff))}" for c in cells}
    columns = {"task": list(tasks)} | {name: [found.get((task, name), "") for task in tasks] for name in arms}
    return pd.DataFrame(columns)

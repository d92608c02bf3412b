"""Every added text in every task: where the mean over tasks comes from."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import OF_A_PAIR, Filters, choose, go
from promptlab.nouns import NONE_ARM, VERDICTS, Comparison, inert
from promptlab.reporting import charts, words
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table
from promptlab.stats import points


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    model, control, setting = choose(store, filters)
    cells = store.comparisons(model, setting, control, ["cell"])
    if not cells:
        st.caption("Nothing was planned for this choice.")
        return

    def open_cell(cell: str) -> None:
        treatment, _, task = cell.partition("\t")
        go(task=task, a=treatment, **dict.fromkeys(OF_A_PAIR))

    tasks = [task for task in store.tasks if any(c.task == task for c in cells)]
    stimuli = list(dict.fromkeys(c.treatment for c in cells))
    task = filters.choice("task", tasks, None)
    stimulus = filters.choice("a", list(store.arms), None)
    if any(c.diff is not None for c in cells):
        take.chart(
            charts.matrix(cells, "Difference in points in each task", store.simulated, (stimulus, task)), f"matrix-{model}",
            "A grid of added texts and tasks with the difference in points and the verdict in each cell; the table below says the same.",
            open_cell,
        )  # fmt: skip
        st.caption("Click a cell to see its sentence and to open its answers.")
    picked = next((c for c in cells if c.task == task and c.treatment == stimulus), None)
    if picked is not None:
        _cell(store, picked, control)
    st.subheader("The same as a table")
    st.caption(
        "Points gained or lost: ▲ helps, ▼ hurts, ◆ or ■ too small to matter, ● unclear, ✕ no verdict. A click shows the cell's sentence "
        "above the table."
    )

    def open_row(row: int, column: str) -> None:
        shown = {inert(name): name for name in stimuli}
        go(task=tasks[row], **({"a": shown[column]} if column in shown else {}), **dict.fromkeys(OF_A_PAIR))

    plain.choosable(table(cells, tasks, stimuli), f"matrix/{model}/{control}/{setting}", open_row, tinted=True)
    take.frame(words.verdict_table(cells, {}, "task"), f"matrix-{model}")


def _cell(store: Store, c: Comparison, control: str) -> None:
    against = NONE_ARM if control in ("none", "single") or not c.control_arms else c.control_arms[0]
    plain.line(f"{words.verdict(c)}  {words.treated(c)}: {c.sentence}")
    arm = store.arms.get(c.treatment)
    plain.line(f"{c.treatment} says: {arm.text if arm else None}")
    gone = dict.fromkeys(OF_A_PAIR)
    st.button("Compare the answers item by item", type="primary", on_click=go, kwargs={**gone, "page": "compare", "b": against})


def tables(store: Store, filters: Filters) -> list[Table]:
    """Every cell of the chosen model, control and setting."""
    model, control, setting = choose(store, filters)
    cells = store.comparisons(model, setting, control, ["cell"])
    return [Table("Difference in points in each task", "", words.verdict_table(cells, {}, "task"))]


def table(cells: Sequence[Comparison], tasks: Sequence[str], stimuli: Sequence[str]) -> pd.DataFrame:
    """Tasks down, stimuli across, sign and points in the cells."""
    found = {(c.task, c.treatment): f"{VERDICTS[c.verdict].sign} {points(c.diff)}" for c in cells}
    columns = {"task": list(tasks)} | {name: [found.get((task, name), "") for task in tasks] for name in stimuli}
    return pd.DataFrame(columns)

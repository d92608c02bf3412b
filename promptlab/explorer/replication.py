"""Replication: does the paper's figure come out again here?

The paper's Table 1 next to this run, cell by cell and average with average; what keeps a cell from being compared; and what the papers'
protocol reports on these very answers next to what can be said of them.
"""

from __future__ import annotations

import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters, model_of
from promptlab.reporting import PAPERS, charts, replicated
from promptlab.reporting.prepared import Store
from promptlab.reporting.replicate import AVERAGE, N_ITEMS, N_TASKS, Paper, models_of, stimuli_of
from promptlab.reporting.table import Table
from promptlab.stats import interval, points

TITLES = {
    "emotionprompt": "EmotionPrompt (Li et al. 2023, arXiv 2307.11760)",
    "negativeprompt": "NegativePrompt (Wang et al. 2024, arXiv 2405.02814)",
}


def render(store: Store, filters: Filters, model: str) -> None:
    """Show the section for a model."""
    paper, model, found = _chosen(store, filters, model)
    if found.report is None:
        _needed(paper, found.reason)
    else:
        _cells(store, found, model, paper)
    protocol = replicated.figures(store, model, paper)
    st.header("The papers' protocol next to the honest figure")
    if protocol:
        rows = [f.drawn(f"{points(f.value)} ({interval(f.low, f.high)})") for f in protocol]
        take.chart(
            charts.protocol(rows, "What is reported, and what can be said", store.simulated), "protocol",
            "Each figure of the papers' protocol with the range that it has when nothing works, and the mean over all sentences with its "
            "95 % interval; the table below says the same.",
        )  # fmt: skip
    take.shown(replicated.protocol_table(protocol), "protocol")


def tables(store: Store, filters: Filters) -> list[Table]:
    """The tables of the page; nothing is drawn."""
    paper, model, found = _chosen(store, filters)
    shown = [replicated.cell_table(found, model), replicated.abstract_table(found), replicated.difference_table(found, model)]
    return [*shown, replicated.protocol_table(replicated.figures(store, model, paper))]


def _chosen(store: Store, filters: Filters, model: str | None = None) -> tuple[Paper, str, replicated.Found]:
    """The paper, the model, and what can be set next to the paper."""
    left, middle, right = filters.columns(3)
    default = next((paper for paper in PAPERS if stimuli_of(store.plan, paper)), PAPERS[0])  # the first paper whose sentences the run has
    name = filters.pick("Paper", "paper", PAPERS, default, TITLES, drops=("as",), place=left)
    paper = next(paper for paper in PAPERS if paper == name)
    several = model is None
    model = model or model_of(store, filters, middle)
    by_name = {replicated.BY_NAME: "model of the same name, else the average"}
    known = [replicated.BY_NAME, *models_of(paper), AVERAGE]
    like = filters.pick("Compare it with the paper's", "as", known, replicated.BY_NAME, by_name, place=right if several else middle)
    return paper, model, replicated.beside(store, paper, model, like)


def _cells(store: Store, found: replicated.Found, model: str, paper: Paper) -> None:
    cells = replicated.cells_of(found, model)
    plain.line(replicated.in_short(cells, model))
    st.header("Cell by cell")
    if cells:
        rows, axis = replicated.chart_rows(cells), "mean gain of all sentences, in points"
        about = "For each cell the paper's mean gain with the range of a repetition, and this run's with its 95 % interval."
        take.chart(charts.estimates(rows, replicated.KINDS, axis, TITLES[paper], store.simulated), "replication", about)
    take.shown(replicated.cell_table(found, model), "replication")
    take.section("The figure of the abstract", replicated.abstract_table(found), "abstract")
    take.section("What differs from the paper", replicated.difference_table(found, model), "differences")


def _needed(paper: Paper, reason: str) -> None:
    st.header("What a comparison would need")
    plain.line(reason)
    n_induction, n_bigbench = N_TASKS["instruction_induction"], N_TASKS["bigbench"]
    plain.line(
        f"The paper asked {n_induction} tasks of Instruction Induction and {n_bigbench} of BIG-bench, {N_ITEMS} items each, with and "
        f"without each of its sentences. An experiment can be set next to it with these lines, and one of the paper's models: "
        f"{', '.join(models_of(paper))}."
    )
    plain.block(replicated.NEEDED.format(paper=paper, n_items=N_ITEMS))

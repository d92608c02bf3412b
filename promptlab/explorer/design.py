"""Was this planned before the first answer, and has anything changed since? The frozen plan, its hashes, and every deviation from it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters
from promptlab.planning.audit import Check, audit
from promptlab.record.store import Run
from promptlab.reporting import words
from promptlab.reporting.deviations import (
    commands,
    counted_cells,
    deviation_table,
    experiment_text,
    family_names,
    family_table,
    gap_table,
    hash_table,
    headline,
    hypothesis_table,
    parameter_table,
    provenance_table,
    term_table,
    version_table,
)
from promptlab.reporting.store import Store
from promptlab.reporting.table import Table

PARTS = {"frozen": "As it was frozen", "plan": "Plan and hypotheses", "again": "Where it comes from, and again"}


def render(store: Store, filters: Filters) -> None:
    """Show the page: one part at a time, since all of it at once would be slow to come."""
    found, cells = audit(Run(store.folder)), counted_cells(store)
    odd = deviation_table(store, cells)
    plain.line(headline(store, found, odd))
    part = filters.switch("Part", "part", PARTS, "frozen")
    if part == "frozen":
        _as_frozen(store, found, cells, odd)
    elif part == "plan":
        _the_plan(store, filters)
    else:
        _again(store)


def _as_frozen(store: Store, found: Sequence[Check], cells: pd.DataFrame, odd: Table) -> None:
    st.subheader("Does what is here match what was frozen?")
    take.shown(hash_table(found), "hashes", tints=words.TINTS, tinted="says")
    st.subheader("Deviations from the plan")
    take.shown(odd, "deviations", tints=words.TINTS, tinted="says")
    with st.expander("Arms and tasks with fewer trials than planned"):
        take.shown(gap_table(store, cells), "missing-trials")
    with st.expander("Versions that served the answers"):
        take.shown(version_table(store), "served-versions")
    with st.expander("Parameters asked and sent"):
        take.shown(parameter_table(store), "parameters", tints=words.TINTS, tinted="says")


def _the_plan(store: Store, filters: Filters) -> None:
    st.subheader("The frozen plan")
    take.shown(term_table(store), "plan")
    st.subheader("Families of hypotheses")
    take.shown(family_table(store), "families")
    names = family_names(store)
    if names:
        family = filters.pick("Hypotheses of the family", "family", names, names[0])
        take.shown(hypothesis_table(store, family), "hypotheses")


def _again(store: Store) -> None:
    st.subheader("Where it comes from")
    take.shown(provenance_table(store), "provenance")
    st.subheader("The experiment file")
    text = experiment_text(store)
    if text is None:
        st.caption("This run folder holds no experiment file.")
    else:
        plain.block(text)
    st.subheader("Do it again")
    if store.plan.imported:
        st.caption("This run was imported from results of another tool, so promptlab cannot ask it again.")
        return
    for title, command in commands(store):
        plain.line(title)
        plain.block(command)


def tables(store: Store, filters: Filters) -> list[Table]:
    """Every table of the page, and the texts that it shows, as frames."""
    found, cells, names = audit(Run(store.folder)), counted_cells(store), family_names(store)
    family = filters.choice("family", names, names[0] if names else None)
    made = [
        hash_table(found), deviation_table(store, cells), gap_table(store, cells), version_table(store), parameter_table(store),
        term_table(store), family_table(store), hypothesis_table(store, family), provenance_table(store),
        Table("The experiment file", "", pd.DataFrame({"line": (experiment_text(store) or "").splitlines()})),
    ]  # fmt: skip
    if not store.plan.imported:
        made.append(Table("Do it again", "", pd.DataFrame(commands(store), columns=["what", "command"])))
    return made

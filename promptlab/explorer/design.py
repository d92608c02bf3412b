"""Was this planned before the first answer, and has anything changed since? The frozen plan, its hashes, and every deviation from it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters
from promptlab.planning.audit import Check, audit
from promptlab.record.store import Run
from promptlab.reporting import deviations
from promptlab.reporting.store import Store
from promptlab.reporting.table import Table

PARTS = {"frozen": "As it was frozen", "plan": "Plan and hypotheses", "again": "Where it comes from, and again"}


def render(store: Store, filters: Filters) -> None:
    """Show the page: one part at a time, since all of it at once would be slow to come."""
    found, cells = audit(Run(store.folder)), deviations.counted_cells(store)
    odd = deviations.deviation_table(store, cells)
    plain.line(deviations.headline(store, found, odd))
    part = filters.switch("Part", "part", PARTS, "frozen")
    if part == "frozen":
        _as_frozen(store, found, cells, odd)
    elif part == "plan":
        _the_plan(store, filters)
    else:
        _again(store)


def _as_frozen(store: Store, found: Sequence[Check], cells: pd.DataFrame, odd: Table) -> None:
    take.section("Does what is here match what was frozen?", deviations.hash_table(found), "hashes")
    take.section("Deviations from the plan", odd, "deviations")
    take.folded("Arms and tasks with fewer trials than planned", deviations.gap_table(store, cells), "missing-trials")
    take.folded("Versions that served the answers", deviations.version_table(store), "served-versions")
    take.folded("Parameters asked and sent", deviations.parameter_table(store), "parameters")


def _the_plan(store: Store, filters: Filters) -> None:
    take.section("The frozen plan", deviations.term_table(store), "plan")
    take.section("Families of hypotheses", deviations.family_table(store), "families")
    family = _family(store, filters)
    if family:
        take.shown(deviations.hypothesis_table(store, family), "hypotheses")


def _family(store: Store, filters: Filters) -> str | None:
    names = deviations.family_names(store)
    return filters.pick("Hypotheses of the family", "family", names, names[0]) if names else filters.choice("family", (), None)


def _again(store: Store) -> None:
    take.section("Where it comes from", deviations.provenance_table(store), "provenance")
    st.subheader("The experiment file")
    text = deviations.experiment_text(store)
    if text is None:
        st.caption("This run folder holds no experiment file.")
    else:
        plain.block(text)
    st.subheader("Do it again")
    if store.plan.imported:
        st.caption("This run was imported from results of another tool, so promptlab cannot ask it again.")
        return
    for title, command in deviations.commands(store):
        plain.line(title)
        plain.block(command)


def tables(store: Store, filters: Filters) -> list[Table]:
    """Every table of the page, and the texts that it shows, as frames."""
    found, cells = audit(Run(store.folder)), deviations.counted_cells(store)
    made = [
        deviations.hash_table(found),
        deviations.deviation_table(store, cells),
        deviations.gap_table(store, cells),
        deviations.version_table(store),
        deviations.parameter_table(store),
        deviations.term_table(store),
        deviations.family_table(store),
        deviations.hypothesis_table(store, _family(store, filters)),
        deviations.provenance_table(store),
        Table("The experiment file", "", pd.DataFrame({"line": (deviations.experiment_text(store) or "").splitlines()})),
    ]
    if not store.plan.imported:
        made.append(Table("Do it again", "", pd.DataFrame(deviations.commands(store), columns=["what", "command"])))
    return made

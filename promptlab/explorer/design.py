"""Was this planned before the first answer, and has anything changed since? The frozen plan, its hashes, and every deviation from it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters
from promptlab.planning.audit import Check, audit
from promptlab.record.store import Run
from promptlab.reporting import deviations
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table, table

PARTS = {"frozen": "As it was frozen", "plan": "Plan and hypotheses", "again": "Source and rerun"}


def render(store: Store, filters: Filters) -> None:
    """Show the page: one part at a time, since all of it at once would be slow to come."""
    found, cells = list(_checks(store.folder, _as_read(store.folder))), deviations.counted_cells(store)
    odd = deviations.deviation_table(store, cells)
    plain.html('<h1 class="pl-h1">Was this planned before the first answer?</h1>')
    plain.html('<div class="verdict">{said}</div>', said=deviations.headline(store, found, odd))
    part = filters.switch("Part", "part", PARTS, "frozen")
    if part == "frozen":
        take.section("Does what is here match what was frozen?", deviations.hash_table(found), "hashes")
        take.section("Deviations from the plan", odd, "deviations")
        take.folded("Arms and tasks with fewer trials than planned", deviations.gap_table(store, cells), "missing-trials")
        take.folded("Versions that served the answers", deviations.version_table(store), "served-versions")
        take.folded("Parameters requested and sent", deviations.parameter_table(store), "parameters")
    elif part == "plan":
        take.section("The frozen plan", deviations.term_table(store), "plan")
        take.section("Families of hypotheses", deviations.family_table(store), "families")
        if family := _family(store, filters):
            take.shown(deviations.hypothesis_table(store, family), "hypotheses")
    else:
        _again(store)


READ = ("manifest.json", "plan.json", "experiment.yaml", "items.parquet")
"""The files of a run that its hashes are computed of."""


def _as_read(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells one state of these files from another."""
    there = [(name, (folder / name).stat()) for name in READ if (folder / name).exists()]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in there)


@lru_cache(maxsize=16)
def _checks(folder: Path, at: tuple[tuple[str, int, int], ...]) -> tuple[Check, ...]:
    """Every frozen hash computed again, once for each state of the files."""
    del at  # only a part of the key
    return tuple(audit(Run(folder)))


def _family(store: Store, filters: Filters) -> str | None:
    names = deviations.family_names(store)
    return filters.pick("Hypotheses of the family", "family", names, names[0]) if names else filters.choice("family", (), None)


def _again(store: Store) -> None:
    take.section("Where it comes from", deviations.provenance_table(store), "provenance")
    st.header("The experiment file")
    text = deviations.experiment_text(store)
    if text is None:
        st.caption("This run folder holds no experiment file.")
    else:
        plain.block(text)
    st.header("How to rerun it")
    if store.plan.imported:
        st.caption("This run was imported from results of another tool, so promptlab cannot run it again.")
    for title, command in deviations.commands(store):
        plain.line(title)
        plain.block(command)


def tables(store: Store, filters: Filters) -> list[Table]:
    """Every table of the page, and the texts that it shows, as frames."""
    found, cells = audit(Run(store.folder)), deviations.counted_cells(store)
    by_store = (deviations.version_table, deviations.parameter_table, deviations.term_table, deviations.family_table)
    made = [
        deviations.hash_table(found), deviations.deviation_table(store, cells), deviations.gap_table(store, cells),
        *(of(store) for of in by_store), deviations.hypothesis_table(store, _family(store, filters)), deviations.provenance_table(store),
        Table("The experiment file", "", pd.DataFrame({"line": (deviations.experiment_text(store) or "").splitlines()})),
    ]  # fmt: skip
    again = deviations.commands(store)
    return [*made, *([table("How to rerun it", "", ("what", "command"), again)] if again else ())]

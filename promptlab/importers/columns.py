"""Which column of a table holds what: as the user says, as the tool that wrote it does, or by names that are obvious."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptlab.importers.cells import cell_text
from promptlab.nouns import UsageProblem, did_you_mean, grouped, listed, shipped_table
from promptlab.sources.tables import Table

OBVIOUS: Mapping[str, Sequence[str]] = shipped_table("columns")["results"]
FURTHER: Mapping[str, Sequence[str]] = shipped_table("columns")["further"]


def chosen_columns(
    table: Table, given: Mapping[str, str], obvious: Mapping[str, Sequence[str]], shaped_as: Mapping[str, str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """Which column holds what: as the user says, else as the tool's shape says, else by obvious names; and what was guessed, in words."""
    found: dict[str, str] = {}
    for what, column in given.items():
        if column not in table.columns:
            near = did_you_mean(column, table.columns)
            raise UsageProblem(f"--{what.replace('_', '-')} {column}: {table.path.name} has no column {column!r}; {near}".rstrip("; "))
        found[what] = column
    if shaped_as is not None:
        found = {what: column for what, column in shaped_as.items() if column not in found.values()} | found
    by_name = grouped((column.strip().lower(), column) for column in table.columns)
    guesses = []
    for what, names in {**obvious, **FURTHER}.items():
        if shaped_as and what in ("item", "answer", "prompt"):
            continue
        taken = {column for other, column in found.items() if what in obvious or other != "item"}
        name = next((n for n in names if n in by_name and by_name[n][0] not in taken), None)
        if what not in found and name is not None:
            if _differ(table, by_name[name]):
                flag = f"choose one with --{what.replace('_', '-')}, or " if what in obvious else ""
                called = f"{table.path.name} could be the {what.replace('_', ' ')} ({listed(by_name[name])})"
                raise UsageProblem(f"several columns of {called}; {flag}rename the others")
            found[what] = by_name[name][0]
            guesses += [f"{what} is the column {by_name[name][0]!r}"] if what in obvious else []
    return found, guesses


def _differ(table: Table, columns: Sequence[str]) -> bool:
    """Whether columns hold different values in some row."""
    return len(columns) > 1 and any(len({cell_text(row.values.get(name)) for name in columns}) > 1 for row in table.rows)

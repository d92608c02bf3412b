"""What a page shows, as tables for the terminal and for files: `promptlab report RUN --page NAME`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptlab.explorer import load, plain, shell
from promptlab.explorer.filters import NAMES, Filters
from promptlab.nouns import UsageProblem, did_you_mean
from promptlab.reporting import written
from promptlab.reporting.formats import section
from promptlab.reporting.store import Store
from promptlab.reporting.table import Table


def filters_of(given: Sequence[str]) -> dict[str, str]:
    """`name=value` pairs as in the explorer's address; UsageProblem for any other."""
    found = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageProblem(f"--where takes name=value, found {pair!r}; the names are those in the explorer's address, such as task=sum")
        if name not in NAMES or name in ("run", "page"):
            raise UsageProblem(f"the filter {name!r} is not known; {did_you_mean(name, NAMES)}".rstrip("; "))
        found[name] = value
    return found


def page_tables(folder: Path, page: str, given: Mapping[str, str]) -> list[Table]:
    """The tables of a page of one run. UsageProblem for a page that is not there, or a value that the run does not know."""
    if page not in shell.PAGES:
        raise UsageProblem(f"the page {page!r} is not known; {did_you_mean(page, shell.PAGES)}".rstrip("; "))
    filters = Filters(given)
    module = shell.page_module(page)
    if page == shell.OF_ALL_RUNS:
        found: list[Table] = module.tables(load.folders(folder.resolve().parent), filters)
    else:
        found = module.tables(Store.of(folder), filters)
    if filters.notes:
        raise UsageProblem(f"the run does not know {', '.join(filters.notes)}; open `promptlab view` to see which values there are")
    return found


def text_of(found: Sequence[Table], format: str, simulated: bool) -> str:  # noqa: A002 (the option's word)
    """The tables as `csv` (one below the other), `json` or `markdown`; text of others is spelled out and runs nowhere."""
    titles = [f"SIMULATED: {shown.title}" if simulated else shown.title for shown in found]
    if format == "json":
        value = [
            {"title": title, "note": shown.note, "rows": json.loads(shown.frame.to_json(orient="records", double_precision=15))}
            for title, shown in zip(titles, found, strict=True)
        ]
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    parts = []
    for title, shown in zip(titles, found, strict=True):
        rows = [[plain.cell(value, 2_000) for value in row] for row in shown.frame.astype(object).values.tolist()]
        if format == "markdown":
            parts.append("\n".join(section(title, shown.note, shown.head, rows)) + "\n")
        else:
            parts.append(f'"{title.replace(chr(34), chr(39))}"\n' + written(shown.frame, ".csv").decode("utf-8"))
    return "\n".join(parts)

"""Answers: two arms item by item, all arms on every item, or every answer one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.explorer import grid, pairs, plain, singles
from promptlab.explorer.filters import Filters
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table

VIEWS: Mapping[str, str] = {"pairs": "Two arms", "grid": "All arms", "all": "Every answer"}
BY_VIEW: Mapping[str, Any] = {"pairs": pairs, "grid": grid, "all": singles}


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    plain.html('<h1 class="pl-h1">Answers</h1>')
    view = filters.switch("View", "view", VIEWS, "pairs", drops=("n", "item", "items", "trial", "arm", "of"))
    BY_VIEW[view].render(store, filters)


def tables(store: Store, filters: Filters) -> list[Table]:
    """The tables of the chosen view."""
    found: list[Table] = BY_VIEW[filters.switch("View", "view", VIEWS, "pairs")].tables(store, filters)
    return found

"""The explorer without a browser: Streamlit's driver, which looks for components once, and what the pages show.

As it comes it reads the metadata of every package before every drawing of a page, which takes three times as long as the drawing.
"""

from __future__ import annotations

import functools
import html
import re
import sys
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from conftest import ROOT

__all__ = ["PAGES", "AppTest", "elements", "opened", "table_with", "tables", "texts"]

manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)

PAGES = ["overview", "matrix", "compare", "loops", "replication", "cost", "plan", "design", "library", "samples"]
"""By their earlier names, each of which leads to its page and section of today."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the explorer with these arguments and this address."""

    def open_app(*arguments: object, **query: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["app.py", *(str(argument) for argument in arguments)])
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return open_app


def texts(app: AppTest) -> str:
    """All that the page says, without its tables."""
    found = [
        element.value
        for kind in ("text", "caption", "warning", "error", "info", "markdown", "header", "subheader")
        for element in app.get(kind)
    ]
    drawn = [html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", element.proto.body, flags=re.DOTALL)) for element in app.get("html")]
    return "\n".join(str(value) for value in found + drawn + [element.value for element in app.code])


def tables(app: AppTest) -> list[pd.DataFrame]:
    return [element.value for element in app.dataframe]


def table_with(app: AppTest, column: str) -> pd.DataFrame:
    return next(table for table in tables(app) if column in table.columns)


def elements(block: Any) -> Iterator[Any]:
    """Everything below a block of the page."""
    for child in getattr(block, "children", {}).values():
        yield child
        yield from elements(child)

"""The one table: what terminal, Markdown, HTML, CSV, JSON, explorer and notebooks draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

Plain = tuple[str, str, tuple[str, ...], tuple[tuple[str, ...], ...]]


class Table(NamedTuple):
    """Rows with a title and what to know of them.

    `formats` says how a number of a column is written for people (`"{:.1f}"`); for programs numbers stay numbers.
    """

    title: str
    note: str
    frame: pd.DataFrame
    formats: Mapping[str, str] = {}

    @property
    def plain(self) -> Plain:
        """Title, note, columns and rows, each cell as text."""
        return self.title, self.note, tuple(self.head), tuple(tuple(map(str, row)) for row in self.rows)

    @property
    def head(self) -> list[str]:
        """The names of the columns."""
        return [str(name) for name in self.frame.columns]

    @property
    def rows(self) -> list[list[Any]]:
        """The cells as people read them: numbers by their format, everything else as it is."""
        forms = [self.formats.get(name) for name in self.head]
        return [
            [value if form is None or value is None else form.format(value) for value, form in zip(row, forms, strict=True)]
            for row in self.frame.astype(object).itertuples(index=False, name=None)
        ]


def table(title: str, note: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table from rows; cells keep their own type, and None stays None."""
    return Table(title, note, pd.DataFrame([list(row) for row in rows], columns=list(columns), dtype=object).infer_objects())


def shown_number(value: float | None, form: str, scale: float = 1.0) -> str:
    """A number as `form` writes it, or a dash."""
    return "-" if value is None else form.format(scale * value)

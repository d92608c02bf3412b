"""A report as an object that shows itself: what `promptlab.report` returns."""

from __future__ import annotations

import io
from dataclasses import fields

import pandas as pd
from rich.console import Console

from promptlab.nouns import Scorer, inert
from promptlab.record.store import Run
from promptlab.reporting import build as judged
from promptlab.reporting.build import Report as Judged
from promptlab.reporting.build import arm_table, comparison_frame, headline
from promptlab.reporting.formats import to_csv, to_json, to_markdown
from promptlab.reporting.html import to_html
from promptlab.reporting.terminal import WIDTH_OFF_TERMINAL, to_text


class Report(Judged):
    """A run with its comparisons. Shown as text, in notebooks too: what models answered is never shown as HTML of its own."""

    @property
    def headline(self) -> list[str]:
        """The sentences that come first: what was found, and what keeps it from being believed."""
        return headline(self)

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each comparison; effects and intervals as fractions, p-values as computed and adjusted."""
        return comparison_frame(self)

    @property
    def arms(self) -> pd.DataFrame:
        """One row for each model, setting and arm: trials, mean score, outcomes, tokens and cost."""
        return arm_table(self)

    def to_html(self) -> str:
        """The whole report as one HTML file that needs no other."""
        return to_html(self)

    def to_markdown(self) -> str:
        """The whole report as Markdown."""
        return to_markdown(self)

    def to_json(self) -> str:
        """The whole report as JSON."""
        return to_json(self)

    def to_csv(self) -> str:
        """All comparisons as CSV."""
        return to_csv(self)

    def __repr__(self) -> str:
        text = io.StringIO()
        to_text(self, Console(file=text, width=WIDTH_OFF_TERMINAL, force_jupyter=False, force_terminal=False))
        return "\n".join(inert(line.rstrip()) for line in text.getvalue().strip().split("\n"))


def whole(run: Run, scorer: Scorer | None = None) -> Report:
    """Judge a run by its frozen plan, as `build` does."""
    built = judged(run, scorer)
    return Report(**{field.name: getattr(built, field.name) for field in fields(built)})

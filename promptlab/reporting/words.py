"""How verdicts, numbers and trials are put into words; the same on every page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from promptlab.nouns import VERDICTS, Comparison
from promptlab.reporting.prepared import RIGHT
from promptlab.stats import interval, p_figure, points


def verdict(c: Comparison) -> str:
    """Sign and word."""
    return f"{VERDICTS[c.verdict].sign} {c.verdict}"


def treated(c: Comparison) -> str:
    """What was added, and where, as a sentence names it."""
    name = f"all of {c.library}" if c.scope == "primary" else c.treated
    return f"{name} in {c.task}" if c.task else name


ITS_WORDS = "its words"
"""The column of added texts."""


def verdict_table(comparisons: Sequence[Comparison], texts: Mapping[str, str | None], *also: str) -> pd.DataFrame:
    """One row per comparison; differences in points. `also` names further fields of a comparison that come first."""
    rows = [
        [
            *(getattr(c, name) for name in also), verdict(c), f"all of {c.library}" if c.scope == "primary" else c.treated, points(c.diff),
            interval(c.ci_low, c.ci_high), p_figure(c.p_adjusted), c.n_tasks, c.n_pairs, c.n_missing, texts.get(c.treatment) or "",
        ]
        for c in comparisons
    ]  # fmt: skip
    head = "added text" if all(c.contrast is None for c in comparisons) else "arm"
    heads = ["verdict", head, "points", "95 % interval", "adjusted p", "tasks", "pairs", "missing", ITS_WORDS]
    found = pd.DataFrame(rows, columns=[*also, *heads])
    return found if head == "added text" or found[ITS_WORDS].any() else found.drop(columns=ITS_WORDS)


def score_word(score: object) -> str:
    """`right`, `wrong`, or the score where it is neither 0 nor 1; nothing was scored: `no score`."""
    if score is None or not isinstance(score, int | float) or math.isnan(score):
        return "no score"
    if score in (0, 1):
        return "right" if score else "wrong"
    return f"{'right' if score >= RIGHT else 'wrong'} ({score:.2f})"


def percent(value: float | None) -> str:
    """A mean score as a percentage."""
    return "n/a" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def or_unknown(value: object, form: str = "{}") -> str:
    """The value, or `unknown` where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return "unknown"
    return form.format(value)


def mark(text: str, stimulus: str | None) -> tuple[str, int]:
    """The text with every occurrence of the stimulus between ▶ and ◀, and how many there are."""
    if not stimulus:
        return text, 0
    found = text.count(stimulus)
    return text.replace(stimulus, f"▶{stimulus}◀"), found

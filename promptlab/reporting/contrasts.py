"""Tables of contrasts: prompts, models, settings; and what an added text does in each base prompt."""

from __future__ import annotations

from promptlab.nouns import FINDINGS, Comparison, grouped
from promptlab.reporting.build import Report
from promptlab.reporting.questions import CONTRASTED, parts_of, verdict_words
from promptlab.reporting.rows import cells, named
from promptlab.reporting.table import Table, table
from promptlab.stats import p_figure

NOTE = (
    "Each line is treatment minus control on the same items, base prompt by base prompt. A line of the form (a) x (b) is the difference "
    "between two differences: how much a changes with b. Families are frozen, one for each question (Holm); single tasks are corrected by "
    "Benjamini and Hochberg and listed where something was found."
)
BY_PROMPT_NOTE = (
    "The effect of each added text in each base prompt, then how much it differs between two of them. Where it differs, no mean over the "
    "base prompts describes any of them."
)
SPREAD_NOTE = (
    "Levels that were drawn by chance get no verdict one by one. The standard deviation is between levels, in points, without what chance "
    "adds; p is that of Cochran's Q."
)
SPREAD_HEADS = ("model", "factor", "prompt", "levels", "items", "lowest", "highest", "standard deviation", "95 % CI", "p")
FIGURES = ("n", "missing", "points", "95 % CI", "gained/lost", "adjusted p", "verdict")


def contrast_tables(report: Report) -> list[Table]:
    """The contrasts of a run, and the effects of added texts by base prompt: those that have rows."""
    every = [(c, parts_of(c)) for scope in (*CONTRASTED, "by_prompt") for c in report.of(scope)]
    plain = [
        [named(report, c.model), *cells(report, c)[1:3], *_figures(report, c)]
        for c, parts in every
        if parts is None and (c.task is None or c.verdict in FINDINGS)
    ]
    by_text = grouped(((c.model, c.setting.id, parts.control, parts.text), (c, parts)) for c, parts in every if parts is not None)
    rows = [
        [named(report, c.model), parts.text, report.plan.called(parts.control), " - ".join(parts.prompts), *_figures(report, c)]
        for group in by_text.values()
        for c, parts in sorted(group, key=lambda one: one[0].scope)
    ]
    tables = [
        table("Prompts, models and settings", NOTE, ("model", "comparison", "task", *FIGURES), plain),
        table("Effects by base prompt", BY_PROMPT_NOTE, ("model", "sentence", "against", "base prompt", *FIGURES), rows),
    ]
    spreads = [
        [
            named(report, r.model), r.factor, r.prompt or "-", str(r.n_levels), str(r.n_items), f"{100 * r.low:.1f} ({r.lowest})",
            f"{100 * r.high:.1f} ({r.highest})", f"{100 * r.sd:.1f}", f"{100 * r.sd_low:.1f} to {100 * r.sd_high:.1f}", p_figure(r.p_value),
        ]
        for r in report.beside.levels
    ]  # fmt: skip
    tables.append(table("Spread over sampled levels", SPREAD_NOTE, SPREAD_HEADS, spreads))
    return [found for found in tables if len(found.frame)]


def _figures(report: Report, c: Comparison) -> list[str]:
    return [*cells(report, c)[4:-1], verdict_words(c)]

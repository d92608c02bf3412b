"""The report as one HTML file: no script, no network, printable."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from promptlab import charts
from promptlab.inert import inert
from promptlab.report.build import CONTROL_NAMES, VERDICT_WORDS, Report, arm_table, headline
from promptlab.report.rows import GAP_COLUMNS, baseline_cells, baseline_columns, beside_tables, cells, gap_cells, loop_tables
from promptlab.report.suites import CAVEAT
from promptlab.schema import Comparison
from promptlab.stats.sentences import setting_words

TEMPLATE = Path(__file__).parent / "report.html.j2"


def to_html(report: Report) -> str:
    """The whole report; every text from outside is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_inert)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    m, plan = report.manifest, report.plan
    return template.render(
        report=report,
        m=m,
        plan=plan,
        headline=headline(report),
        pictures=_pictures(report),
        cells=cells,
        control_names=CONTROL_NAMES,
        verdict_words=VERDICT_WORDS,
        scopes=[
            ("primary", "All sentences of a library, over the tasks"),
            ("stimulus", "Each sentence, over the tasks"),
            ("cell", "Each sentence in each task"),
        ],
        arms=[
            {str(k): v for k, v in row.items()}
            for row in arm_table(report).astype(object).where(lambda f: f.notna(), None).to_dict("records")
        ],
        families=_families(report),
        more_tables=[*beside_tables(report), *loop_tables(report)],
        baseline_columns=baseline_columns(),
        baseline_rows=baseline_cells(report),
        gap_columns=GAP_COLUMNS,
        gap_rows=gap_cells(report, report.gaps),
        gap_caveat=CAVEAT,
        effective=json.dumps(m["effective"], indent=2, ensure_ascii=False),
        signs=charts.SIGNS,
        is_figure=_is_figure,
    )


FIGURE = re.compile(r"(?:-|[-+]?\.?\d.*|p [=<] .*)")
LONGEST_FIGURE = 30


def _is_figure(cell: str) -> bool:
    """Whether a cell holds a number and perhaps its interval: those stand to the right and never break."""
    return len(cell) <= LONGEST_FIGURE and FIGURE.fullmatch(cell) is not None


def _inert(value: object) -> object:
    """Text without the characters that hide or reorder it; markup of our own as it is."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _pictures(report: Report) -> list[dict[str, Any]]:
    """For each model and control the forest of sentences over tasks and the matrix of cells, as SVG."""
    found = []
    for model in report.models:
        simulated = bool(report.simulated and model in report.manifest["simulated_models"])
        for control, setting in itertools.product(report.controls, report.settings):
            title = f"{model}, against {CONTROL_NAMES[control]}"
            if len(report.settings) > 1:
                title += f" ({setting_words(*setting)})"
            over, each = (
                [c for c in report.of(scope, model, control) if (c.placement, c.shots, c.strategy) == setting]
                for scope in ("stimulus", "cell")
            )
            found.append(
                {
                    "title": title,
                    "forest": _svg(over, f"{title}: mean over tasks", simulated, "forest"),
                    "matrix": _svg(each, f"{title}: task by task", simulated, "matrix"),
                }
            )
    return found


def _svg(comparisons: list[Comparison], title: str, simulated: bool, kind: str) -> Markup | None:
    if not any(c.diff is not None for c in comparisons):
        return None
    drawn = charts.forest(comparisons, title, simulated) if kind == "forest" else charts.matrix(comparisons, title, simulated)
    return Markup(charts.svg(drawn))  # noqa: S704 (SVG that vl-convert wrote from data; it escapes the texts in it)


def _families(report: Report) -> list[tuple[str, int, str]]:
    found: dict[str, list[Comparison]] = {}
    for c in report.comparisons:
        if c.scope != "aa":
            found.setdefault(c.family, []).append(c)
    words = {"fdr_bh": "false discovery rate, Benjamini-Hochberg", "holm": "family-wise error, Holm"}
    return [(family, len(members), words[members[0].adjustment]) for family, members in found.items()]

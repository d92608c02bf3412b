"""The report as one HTML file: a first screen for everybody, then all that a referee needs; no script, no network, printable."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from promptlab.nouns import OF_TEXTS, SCOPES, Comparison, grouped, inert
from promptlab.reporting import frozen, rows
from promptlab.reporting.arms import decision_table, repeat_tables
from promptlab.reporting.build import Report, headline, tally
from promptlab.reporting.changed import Pair, changed
from promptlab.reporting.contrasts import contrast_tables
from promptlab.reporting.decide import Line, cautions, lines
from promptlab.reporting.drawing import NotDrawn
from promptlab.reporting.fragments import template, verdict_table
from promptlab.reporting.questions import CONTRASTED
from promptlab.reporting.rows import cells, named, result
from promptlab.reporting.sensitivity import MOST_TRIALS_BY_TASK, Bound, Rescoring, bounds, rescoring
from promptlab.reporting.summary import first_summaries
from promptlab.stats import interval, p_figure
from promptlab.stats.contrasts import WITH_CELLS

MOST_OPEN = 60
"""Rows up to which a table gives every sentence; beyond, it has the figures alone, folded by what was added."""
FIGURE = re.compile(r"(?:-|unknown|nothing|[-+]?\.?\d.*|p [=<] .*)")
LONGEST_FIGURE = 30


SECTIONS = {
    "changed": "Items that changed",
    "tasks": "Task by task",
    "found": "What was found, in sentences",
    "screening": "Screening",
    "decision": "Decision",
    "design": "Design, fixed before the first call",
    "comparisons": "Every comparison",
    "scorers": "Would another scorer say so?",
    "missing": "What missing answers could hide",
    "protocol": "The papers' protocol, and the honest one",
    "arms": "Cost and reliability by arm",
    "beside": "Next to the verdicts",
    "loops": "Feedback loops",
    "looks": "Interim analyses",
    "provenance": "Provenance",
    "again": "How to do it again",
    "words": "How to read this",
}
"""The parts of the page that the table of contents names."""


def to_html(report: Report) -> str:
    """The whole report; every text from outside is escaped."""
    told, matrices = lines(report), _matrices(report)
    contrasted = [c for scope in (*CONTRASTED, "by_prompt") for c in report.of(scope)]
    cells_ = [*report.of("cell"), *(c for c in contrasted if c.task is not None)]
    scored = rescoring(report)
    beside = [*rows.beside_tables(report), *repeat_tables(report)]
    decision = decision_table(report)
    looks = [table for table in beside if table.title == rows.LOOKS_TITLE]
    screening = [table for table in beside if table.title == rows.SCREENING_TITLE]
    loops = rows.loop_tables(report)
    tables = _tables(report)
    sections = SECTIONS | ({"design": "Design, as imported"} if report.plan.imported else {})
    some = {
        "changed": any(arms for *_, arms in tables), "loops": loops, "looks": looks, "decision": decision.rows, "screening": screening,
        "protocol": report.of("stimulus"), "tasks": matrices,
    }  # fmt: skip
    sections = {name: title for name, title in sections.items() if some.get(name, True)}
    return template("report.html.j2").render(
        report=report,
        frozen=frozen,
        rows=rows,
        sections=sections,
        titles={name: f"{number}. {title}" for number, (name, title) in enumerate(sections.items(), 1)},
        tables=tables,
        cautions=[*cautions(report), *_scorer_caution(told, scored)],
        size=_size(report),
        headline=headline(report),
        matrices=matrices,
        drawn_rounds=_rounds(report),
        row=lambda c: _row(report, c),
        groups=_groups(report),
        contrasts=contrast_tables(report),
        scored=scored,
        scored_rows=_scored(report, scored, [*report.of("primary"), *report.of("stimulus"), *(c for c in contrasted if c.task is None)]),
        n_cells=len(cells_),
        scored_cells=_scored(report, scored, [c for c in cells_ if scored.changes(c)]),
        most_by_task=MOST_TRIALS_BY_TASK,
        extremes=[_extreme(report, bound) for bound in bounds(report)],
        beside=beside,
        decision=decision,
        loops=loops,
        looks=looks,
        screening=screening,
        look_shares=[[f"{s.effect:g}", f"{100 * s.asked:.0f} %", f"{100 * s.power:.0f} %"] for s in report.plan.look_shares],
        effective=json.dumps(report.manifest.effective, indent=2, ensure_ascii=False),
        figures=_figures,
    )


def _is_figure(cell: str) -> bool:
    """Whether a cell holds a number and perhaps its interval: those are on the right and never break."""
    return len(cell) <= LONGEST_FIGURE and FIGURE.fullmatch(cell) is not None


def _figures(rows: Sequence[Sequence[str]], first: int) -> list[bool]:
    """For each column from `first` on whether it holds figures: all of its cells are one, or nothing, and not all are nothing."""
    columns = list(zip(*rows, strict=True))
    return [i >= first and all(map(_is_figure, cells)) and any(cell != "-" for cell in cells) for i, cells in enumerate(columns)]


def _size(report: Report) -> str:
    n = report.plan.counts
    texts = len({c.treatment for c in report.of("stimulus")})
    many = [(n.models, "model"), (n.tasks, "task"), (n.items, "item"), (len(report.plan.prompts), "prompt"), (texts, "text")]
    return ", ".join(f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in many if count)


def _scorer_caution(told: Sequence[Line], scored: Rescoring) -> list[str]:
    n = sum(scored.changes(line.comparison) for line in told) if scored.by else 0
    return [f"Another scorer would give another verdict on {n} of these {len(told)} lines; see the part on scorers."] if n else []


def _row(report: Report, c: Comparison) -> dict[str, Any]:
    """A comparison as the words of its row."""
    shown = cells(report, c)
    p = "-" if c.p_value is None else p_figure(c.p_value)
    figures = [shown[6], shown[7], shown[4], shown[5], shown[8], p, shown[9], str(c.n_family) if c.n_family else "-"]
    return {"names": shown[:4], "figures": figures, "method": c.method or "-", "notes": c.notes, "sentence": c.sentence}


def _groups(report: Report) -> list[dict[str, Any]]:
    """Tables of comparisons in the order of their scope; long ones folded sentence by sentence."""
    found: list[dict[str, Any]] = []
    for scope in OF_TEXTS:
        title, members = SCOPES[scope].title, report.shown(scope)
        if len(members) <= MOST_OPEN:
            found += [{"title": title, "parts": [("", members)]}] if members else []
            continue
        parts = grouped(((c.model, c.control, report.name(c)), c) for c in members)
        called = report.plan.called
        named = [(f"{model}: {name}, against {called(control)}: {tally(of)}", of) for (model, control, name), of in parts.items()]
        found.append({"title": title, "parts": named})
    return found


def _scored(report: Report, scored: Rescoring, among: Sequence[Comparison]) -> list[tuple[list[str], list[tuple[str, str]], bool]]:
    """Names, result by scorer (verdict and words), and whether the verdict changes."""
    return [(_names(report, c), [_result(other) for other in scored.others(c)], scored.changes(c)) for c in among]


def _names(report: Report, c: Comparison) -> list[str]:
    """Model, sentence, task and control."""
    return [named(report, c.model), *cells(report, c)[1:4]]


def _result(c: Comparison | None) -> tuple[str, str]:
    return ("refused", "not judged") if c is None else (c.verdict, result(c))


def _extreme(report: Report, bound: Bound) -> dict[str, Any]:
    c = bound.comparison
    return {
        "names": _names(report, c),
        "missing": f"{100 * (c.missing_treatment or 0):.1f} % / {100 * (c.missing_control or 0):.1f} %",
        "all": interval(c.worst_low, c.worst_high),
        "results": [_result(one) for one in (c, bound.against, bound.favour)],
        "holds": bound.holds,
        "word": "may change" if not bound.holds else "holds" if bound.against.verdict == c.verdict else f"{bound.against.verdict} at both",
    }


def _tables(report: Report) -> list[tuple[dict[str, Any], dict[int, tuple[str, str]], list[tuple[str, str, str, tuple[Pair, ...]]]]]:
    """For each model its verdict table, a link for each row that changed items, and those items: id, arm, how many, in full."""
    found = []
    for n, summary in enumerate(first_summaries(report)):
        links, arms = {}, []
        for place, one in changed(report, summary).items():
            many, id_ = one.gained + one.lost, f"changed-{n}-{place}"
            links[summary.shown.index(summary.rows[place])] = (
                id_,
                f"{len(one.pairs)} of {many} changed items" if many > 1 else "1 changed item",
            )
            arms.append((id_, summary.rows[place].arm, f"{one.gained} gained, {one.lost} lost", one.pairs))
        found.append((verdict_table(report, summary), links, arms))
    return found


def _matrices(report: Report) -> list[dict[str, Any]]:
    """For each model and control the verdicts in single tasks: tasks down, arms across by their estimate over the tasks.

    Prompts, levels and models have one for each model: what is compared across.
    """
    found: list[dict[str, Any]] = []
    asked: list[tuple[str, str, Sequence[Comparison]]] = []
    for model, control, setting in itertools.product(report.models, report.controls, report.plan.settings):
        where = f" ({setting.words})" if len(report.plan.settings) > 1 else ""
        both = [*report.of("cell", model, control, setting), *report.of("stimulus", model, control, setting)]
        asked.append((model, f"against {report.plan.called(control)}{where}", both))
    for model in report.models:
        asked.append((model, "prompts, models and settings", [c for s in WITH_CELLS for c in report.of(s, model)]))
    for model, what, of in asked:
        each = [c for c in of if c.task is not None]
        if all(c.diff is None for c in each):
            continue
        over = {c.treated: c.diff or 0.0 for c in of if c.task is None}
        tasks, names = (list(dict.fromkeys(values)) for values in ((str(c.task) for c in each), (c.treated for c in each)))
        names.sort(key=lambda name: -over.get(name, 0.0))
        by = {(str(c.task), c.treated): c for c in each}
        title = f"{'SIMULATED: ' if model in report.manifest.simulated_models else ''}{model}, {what}"
        found.append({"title": title, "names": names, "rows": [(task, [by.get((task, name)) for name in names]) for task in tasks]})
    return found


def _rounds(report: Report) -> list[Markup]:
    """Items solved by round for each model and loop, as SVG."""
    drawn = []
    for model, loop in dict.fromkeys((str(row["model"]), str(row["loop"])) for row in report.rounds):
        of_loop = [row for row in report.rounds if (row["model"], row["loop"]) == (model, loop)]
        last = {str(row["arm"]): f"{row['arm']} {100 * row['solved']:.1f} % by round {row['round']}" for row in of_loop}
        simulated = model in report.manifest.simulated_models
        known = any(row["tokens"] is not None for row in of_loop)
        for chart, words in (("rounds", "by round"), ("spent", "by tokens spent"))[: 1 + known]:
            drawn.append(_drawn(chart, of_loop, f"{model}, {loop}: items solved {words}", simulated, "; ".join(last.values())))
    return drawn


def _drawn(chart: str, what: Sequence[Any], title: str, simulated: bool, words: str) -> Markup:
    """A chart as SVG, with a title and a description for those who do not see it."""
    from promptlab.reporting import charts  # altair takes a quarter of a second, and most commands draw nothing

    try:
        start, _, rest = charts.svg(getattr(charts, chart)(what, title, simulated)).partition(">")
    except NotDrawn as error:
        return Markup("<p>The chart {} could not be drawn ({}); the tables hold its numbers.</p>").format(repr(inert(title)), inert(error))
    said = f"<title>{escape(inert(title))}</title><desc>{escape(inert(words))}</desc>"
    return Markup(f'{start} role="img" aria-label="{escape(inert(title))}">{said}{rest}')  # noqa: S704 (vl-convert escapes the texts in it)

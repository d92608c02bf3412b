"""What to do with each arm, with the figures for it; and what repeats of the same question say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.nouns import counted
from promptlab.reporting.build import Report
from promptlab.reporting.decide import Kind, lines, needed
from promptlab.reporting.names import only_whole
from promptlab.reporting.rows import CONTRAST, PLACE, named
from promptlab.reporting.table import Table, shown_number, table
from promptlab.stats import ArmRow, Extra, Interval, chance, decided, interval, p_text, points

DECISION_NOTE = (
    "Each arm against what it would replace. Points are drawn towards those of the other arms, because the largest of many "
    "is partly luck; the range holds the true effect with a chance of 95 %, and so do the chances next to it. Costs, tokens and "
    "seconds are for each answer, more than the incumbent's. Ship: better by the test that was planned, against neutral text where there "
    "is any and against the incumbent; keep: shown not to be; collect: neither is shown."
)
REPEATS_NOTE = (
    "Right once: at least one of so many answers is right (pass@k). Right every time: all are (pass^k). Flaky: items with right and wrong "
    "answers. Ranges are 95 % intervals over items. A score of one half or more counts as right."
)
SWINGS_NOTE = (
    "The questions that changed most. Where the sentence does nothing, the largest change among all questions has the median and the "
    "upper end given here (it passes that once in twenty); p is the chance that some question changes as much. Drawn: what is left of "
    "the change when what chance explains is taken away."
)
KINDS: Mapping[Kind, tuple[bool, bool]] = {"go": (True, True), "no": (False, True), "wait": (False, False)}
"""Whether a line says that the sentence is better, and whether the question is settled."""


def decisions(report: Report) -> list[dict[str, Any]]:
    """Each arm's figures, what to do, why, and how many more items a task it takes (None: not run, or unknown)."""
    said = {(line.comparison.model, line.comparison.setting.id, line.comparison.treatment): line for line in lines(report)}
    found = []
    for row in report.beside.arms:
        line = said.get((row.model, row.setting.id, row.treatment))
        if line is not None:
            what = decided(*KINDS[line.kind])
            need = needed(report, line.comparison) if what == "collect more" else None
            more = need.more if need and not need.least else None
            found.append({"row": row, "decision": what, "because": line.because, "more_items": more})
    return found


def decision_table(report: Report) -> Table:
    """What to do with each sentence, and the figures for it; without rows where nothing was judged over the tasks."""
    rows = []
    for found in decisions(report):
        r: ArmRow = found["row"]
        more = found["more_items"]
        rows.append(
            [
                named(report, r.model), r.setting.words, r.treatment, report.plan.called(r.control), points(r.diff),
                f"{points(r.shrunk)} ({interval(r.ci_low, r.ci_high)})",
                *(chance(p) for p in (r.p_above_zero, r.p_above_margin, r.p_best)),
                _extra(r.cost, 1000, "{:+.4f}"), _extra(r.tokens, 1, "{:+.1f}"), _extra(r.seconds, 1, "{:+.2f}"),
                shown_number(r.usd_per_right, "{:.6f}"),
                f"{found['decision']}: {counted(more)} a task" if more else found["decision"],
            ]
        )  # fmt: skip
    margin = f"{100 * report.plan.margin:g}"
    heads = (
        *CONTRAST, "points", "drawn together (95 %)", "better", f"by {margin} or more", "the best", "USD for 1,000 answers", "tokens",
        "seconds", "USD for one more right", "decision",
    )  # fmt: skip
    return _headed(report, table("Decision", DECISION_NOTE, heads, rows))


def arm_tables(report: Report) -> list[Table]:
    """The decision, and what repeats say: the tables that have rows."""
    decision = decision_table(report)
    return [*([decision] if decision.rows else []), *repeat_tables(report)]


def _extra(e: Extra, scale: float, form: str) -> str:
    if e.diff is None:
        return "unknown"
    ends = f" ({form.format(scale * e.ci[0])} to {form.format(scale * e.ci[1])})" if e.ci else ""
    return form.format(scale * e.diff) + ends


def _percent(value: float | None, ends: Interval | None = None) -> str:
    words = shown_number(value, "{:.1f}", 100)
    return f"{words} ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})" if ends else words


def repeat_tables(report: Report) -> list[Table]:
    """What repeats say, as words; nothing where each question has one answer."""
    tables = [
        table(
            "Answers to the same question, sent again", REPEATS_NOTE,
            (*PLACE, "arm", "items", "answers each", "right, %", "right once, %", "right every time, %", "flaky, %",
             "two answers differ, %"),
            [
                [
                    named(report, r.model), r.setting.words, r.arm, str(r.n_items), str(r.repeats), _percent(r.pass_1),
                    _percent(r.pass_at, r.pass_at_ci), _percent(r.pass_every, r.pass_every_ci), _percent(r.flaky, r.flaky_ci),
                    _percent(r.disagree),
                ]
                for r in report.beside.repeats
            ],
        ),
        table(
            "Single questions that changed most", SWINGS_NOTE,
            (*CONTRAST, "task", "item", "right", "points", "drawn", "largest, if nothing worked", "of questions", "p"),
            [
                [
                    named(report, r.model), r.setting.words, r.treatment, report.plan.called(r.control), r.task, r.item,
                    f"{r.right_control}/{r.asked_control} to {r.right_treatment}/{r.asked_treatment}", points(r.diff), points(r.shrunk),
                    f"{100 * r.null_median:.0f} (95 %: {100 * r.null_95:.0f})", str(r.n_items), p_text(r.p_largest),
                ]
                for r in report.beside.swings
            ],
        ),
    ]  # fmt: skip
    return [_headed(report, found) for found in tables if len(found.frame)]


def _headed(report: Report, found: Table) -> Table:
    """The table with the word for what is compared: an arm, where no sentence is added to anything."""
    return found._replace(frame=found.frame.rename(columns={"sentence": "arm"})) if only_whole(report.plan) else found

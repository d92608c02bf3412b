"""The first screen: one table of arms for each model, the best arm corrected for the choice, and what to do.

Terminal, Markdown, HTML, JSON, explorer and notebooks show these rows. Nothing here is a test of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from promptlab.nouns import CONTROLS, NONE_ARM, VERDICTS, Comparison, Verdict
from promptlab.reporting.arms import decisions
from promptlab.reporting.build import Report
from promptlab.reporting.decide import PLAIN, Line, about, lines, needed
from promptlab.reporting.table import Table, table
from promptlab.stats import ArmRow, Standing, interval, points

Decision = Literal["incumbent", "ship", "runner-up", "keep the incumbent", "collect more", "do not judge"]
CONTROL_ROLES = ("aa", "placebo", "loop_control")
"""Arms that are there to judge others by: nobody ships them, so they have no row."""
OPEN = ("unclear", "refused")
MOST_NAMED = 4
"""Arms without a finding that are named with the items they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """One arm of one model. Scores, differences and shares are fractions; None is "not known".

    `diff` is the arm minus the incumbent, and `verdict` is that of the same comparison (None for the incumbent itself, and where
    it was not planned). `against_neutral` is the arm minus neutral text, where the run has some, with its verdict.
    """

    model: str
    simulated: bool
    arm: str
    """How people read it: prompt, sentence, and what tells its setting from the others."""
    text_of: str
    """The arm's name in the plan, which holds its text."""
    setting: str
    incumbent: bool
    answers: int
    items: int
    score: float | None
    score_low: float | None
    score_high: float | None
    diff: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p_adjusted: float | None = None
    verdict: Verdict | None = None
    against_neutral: float | None = None
    against_neutral_verdict: Verdict | None = None
    corrected: float | None = None
    """The difference drawn towards those of the other arms: the largest of many is partly luck."""
    corrected_low: float | None = None
    corrected_high: float | None = None
    p_best: float | None = None
    tokens: float | None
    usd_per_1000: float | None
    seconds: float | None
    truncated: float
    empty: float
    refused: float
    failed: float
    decision: Decision
    why: str = ""
    more_items: int | None = None
    """How many more items a task would settle it; None where that was not asked or cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the first screen says of one model: the arms by their estimate, the best one, and what to do."""

    model: str
    simulated: bool
    where: str
    """Tasks and items."""
    against: str
    """What the differences are measured against."""
    rows: tuple[SummaryRow, ...]
    best: str
    """One sentence that names the best arm, corrected for the choice."""
    advice: str
    neutral: str
    """Which arms do more, or less, than neutral text; empty where the run has none."""
    reasons: tuple[str, ...]
    """Why arms are without a finding."""


def summaries(report: Report) -> list[Summary]:
    """One for each model, in the order of the plan."""
    said = {_key(line.comparison): line for line in lines(report)}
    decided = {(d["row"].model, d["row"].setting.id, d["row"].treatment): d for d in decisions(report)}
    return [_of_model(report, model, said, decided) for model in report.models]


def rows_of(report: Report) -> list[dict[str, Any]]:
    """The rows of all models as plain data: `summary` of the JSON report."""
    return [asdict(row) for summary in summaries(report) for row in summary.rows]


HEADS = (
    "verdict", "arm", "score, %", "95 %", "points", "95 % interval", "P(best)", "USD for 1,000 answers", "tokens", "seconds",
    "cut/empty/refused/failed, %", "decision",
)  # fmt: skip


def summary_table(summary: Summary) -> Table:
    """The rows of one model as words, with the sentence of the best arm as title and the advice as note."""
    rows = [
        [
            verdict_words(row), row.arm, shown_number(row.score, "{:.1f}", 100), percent_range(row.score_low, row.score_high, "{:.1f}"),
            "-" if row.diff is None else points(row.diff), percent_range(row.ci_low, row.ci_high, "{:+.1f}"), chance(row.p_best),
            shown_number(row.usd_per_1000, "{:.4f}"), shown_number(row.tokens, "{:,.0f}"), shown_number(row.seconds, "{:.2f}"),
            lost_words(row),
            f"{row.decision}: {about(row.more_items)} items a task" if row.more_items and row.decision == "collect more" else row.decision,
        ]
        for row in summary.rows
    ]  # fmt: skip
    return table(head_words(summary), " ".join(filter(None, (summary.best, summary.advice, summary.neutral))), HEADS, rows)


def head_words(summary: Summary) -> str:
    """Model, tasks, items, and what the points are measured against."""
    model = f"SIMULATED {summary.model} (made-up answers)" if summary.simulated else summary.model
    return f"{model}: {summary.where}; points against {summary.against}"


def verdict_words(row: SummaryRow) -> str:
    """Sign and verdict; of the incumbent its part."""
    if row.incumbent:
        return "· incumbent"
    return f"{VERDICTS[row.verdict].sign} {row.verdict}" if row.verdict else "- not planned"


def chance(p: float | None) -> str:
    """A chance as a whole percentage."""
    return "-" if p is None else "> 99 %" if p > 0.99 else "< 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def lost_words(row: SummaryRow) -> str:
    """Shares of answers that were cut, empty, refused or failed, in percent."""
    return "/".join(f"{100 * share:.0f}" for share in (row.truncated, row.empty, row.refused, row.failed))


def shown_number(value: float | None, form: str, scale: float = 1.0) -> str:
    """A number as `form` writes it, or a dash."""
    return "-" if value is None else form.format(scale * value)


def percent_range(low: float | None, high: float | None, form: str) -> str:
    """Both ends in percent or points; an end near 0 keeps the digits that its sign needs."""
    if low is None or high is None:
        return "-"
    return f"[{', '.join(points(end) if '+' in form else form.format(100 * end) for end in (low, high))}]"


Key = tuple[str, str, str]


def _key(c: Comparison) -> Key:
    return c.model, c.setting.id, c.treatment


def _of_model(report: Report, model: str, said: Mapping[Key, Line], decided: Mapping[Key, Any]) -> Summary:
    silent = any(c.status == "aa_failed" for c in report.of("aa", model))
    made = [
        _row(report, s, said, decided, silent) for s in report.standings if s.model == model and (s.role not in CONTROL_ROLES or _plain(s))
    ]
    rows = _with_the_best(sorted(made, key=lambda row: -(row.diff or 0.0)))
    lines_of = {key: line for key, line in said.items() if key[0] == model}
    return Summary(
        model=model,
        simulated=model in report.manifest.simulated_models,
        where=_where(report),
        against=_against(rows),
        rows=tuple(rows),
        best=_best(rows, silent),
        advice=_advice(report, rows, silent),
        neutral=_neutral(rows),
        reasons=tuple(_reasons(report, model, rows, list(lines_of.values()))),
    )


def _plain(s: Standing) -> bool:
    """Whether an arm is what a loop would take the place of: one answer without it."""
    return s.arm in PLAIN


def _row(report: Report, s: Standing, said: Mapping[Key, Line], decided: Mapping[Key, Any], silent: bool) -> SummaryRow:
    facts: dict[str, Any] = {name: getattr(s, name) for name in SHARED}
    facts |= {"simulated": s.model in report.manifest.simulated_models, "setting": s.setting.id, "text_of": s.arm}
    facts["arm"] = _name(report, s)
    if _plain(s):
        return SummaryRow(**facts, incumbent=True, decision="incumbent")
    key = (s.model, s.setting.id, s.arm)
    mine = [c for c in report.of("stimulus", s.model, setting=s.setting) if c.treatment == s.arm]
    c = next((c for c in mine if c.control in PLAIN), mine[0] if mine else None)
    neutral = next((c for c in mine if c.control in ("placebo", "neutral_feedback")), None)
    line, found = said.get(key), decided.get(key)
    if c is not None:
        facts |= {name: getattr(c, name) for name in ("diff", "ci_low", "ci_high", "p_adjusted", "verdict")}
    if neutral is not None and neutral is not c:
        facts |= {"against_neutral": neutral.diff, "against_neutral_verdict": neutral.verdict}
    if found is not None:
        arm: ArmRow = found["row"]
        facts |= {"corrected": arm.shrunk, "corrected_low": arm.ci_low, "corrected_high": arm.ci_high, "p_best": arm.p_best}
        facts["more_items"] = found["more_items"]
    if line is not None:
        facts["why"] = line.because
    return SummaryRow(**facts, incumbent=False, decision=DECISIONS[line.kind] if line is not None and not silent else "do not judge")


DECISIONS: Mapping[str, Decision] = {"go": "ship", "no": "keep the incumbent", "wait": "collect more"}
SHARED = (
    "model", "answers", "items", "score", "score_low", "score_high", "tokens", "usd_per_1000", "seconds", "truncated", "empty", "refused",
    "failed",
)  # fmt: skip
"""The fields of a standing that its row carries."""


def _name(report: Report, s: Standing) -> str:
    """The arm as people read it: prompt, sentence, and what tells its setting from the others."""
    looped = s.strategy in report.plan.looped
    parts = [words for words in s.setting.apart(report.plan.settings) if not (looped and words == s.strategy)]
    name = CONTROLS["none"].name if s.arm == NONE_ARM else CONTROLS["single"].name if s.arm == "single" else s.arm
    if s.prompt is not None:
        name = s.prompt if s.arm == NONE_ARM else f"{s.prompt} + {s.arm}"
    oracle = looped and s.arm not in PLAIN and report.plan.looped[s.strategy].oracle
    return f"{name}{' (with oracle)' if oracle else ''}" + (f" [{', '.join(parts)}]" if parts else "")


def _with_the_best(rows: Sequence[SummaryRow]) -> list[SummaryRow]:
    """The rows with one arm to ship: the largest corrected difference; other arms that help are runners-up. And the incumbent's chance."""
    ship = [row for row in rows if row.decision == "ship"]
    first = max(ship, key=lambda row: row.corrected if row.corrected is not None else row.diff or 0.0, default=None)
    found = [replace(row, decision="runner-up") if row.decision == "ship" and row is not first else row for row in rows]
    settings = {row.setting for row in rows}
    if len(settings) > 1:
        return found
    chances = [row.p_best for row in rows if row.p_best is not None]
    return [replace(row, p_best=max(0.0, 1 - sum(chances))) if row.incumbent and chances else row for row in found]


def _where(report: Report) -> str:
    tasks = report.plan.tasks
    items = sum(task.n_items for task in tasks)
    return f"{f'mean over {len(tasks)} tasks' if len(tasks) > 1 else tasks[0].name}, {items:,} items"


def _neutral(rows: Sequence[SummaryRow]) -> str:
    """Findings against neutral text by verdict; the arms without one are counted."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.against_neutral_verdict is not None:
            found.setdefault(row.against_neutral_verdict, []).append(f"{row.arm} {points(row.against_neutral)}")
    if not found:
        return ""
    said = [f"{', '.join(names)} {verdict}" for verdict, names in found.items() if verdict not in OPEN]
    n_open = sum(len(names) for verdict, names in found.items() if verdict in OPEN)
    said += [f"{n_open} not settled"] if n_open else []
    return f"Against neutral text: {'; '.join(said)}."


def _against(rows: Sequence[SummaryRow]) -> str:
    names = list(dict.fromkeys(row.arm for row in rows if row.incumbent))
    return names[0] if len(names) == 1 else "the incumbent of the same setting"


def _best(rows: Sequence[SummaryRow], silent: bool) -> str:
    judged = [row for row in rows if not row.incumbent and row.diff is not None and row.verdict != "refused"]
    if silent or not judged:
        return ""
    best = max(judged, key=lambda row: row.corrected if row.corrected is not None else row.diff or 0.0)
    value = best.corrected if best.corrected is not None else best.diff or 0.0
    ends = (best.corrected_low, best.corrected_high) if best.corrected is not None else (best.ci_low, best.ci_high)
    chosen = f", corrected for the choice among {len(judged)}" if len(judged) > 1 and best.corrected is not None else ""
    if value <= 0:
        return "No arm has a better estimate than the incumbent."
    text = f"Best: {best.arm}, {points(value)} points{chosen} (95 % {interval(*ends)})."
    tied = [row for row in judged if row is not best and row.ci_high is not None and row.ci_high >= value]
    if tied:
        text += f" {len(tied)} of {len(judged) - 1} others cannot be told from it."
    return text


def _advice(report: Report, rows: Sequence[SummaryRow], silent: bool) -> str:
    """One line: ship one arm, keep the incumbent, or collect more."""
    if silent:
        return "Decide nothing: the baseline differs from its own repeat; find out why first."
    if not report.complete:
        return "Wait: the run is not finished; the same command goes on."
    others = [row for row in rows if not row.incumbent]
    ship = next((row for row in others if row.decision == "ship"), None)
    keep = "the incumbent" if len({row.arm for row in rows if row.incumbent}) != 1 else next(row.arm for row in rows if row.incumbent)
    if ship is not None:
        return f"Ship {ship.arm}. {ship.why}"
    open_ = [row for row in others if row.decision == "collect more"]
    if not open_:
        blocked = next((row for row in others if row.verdict == "helps"), None)
        return (
            "" if not others else f"Keep {keep}. {blocked.arm}: {blocked.why}" if blocked else f"Keep {keep}: no arm is shown to be better."
        )
    likely = max(open_, key=lambda row: (row.p_best or 0.0, row.diff or -1.0))
    if likely.verdict == "refused" or not likely.more_items:
        return f"Keep {keep} for now; {likely.arm} is not settled. {likely.why}"
    return f"Keep {keep} for now, or collect about {about(likely.more_items)} more items a task to settle {likely.arm}."


def _reasons(report: Report, model: str, rows: Sequence[SummaryRow], said: Sequence[Line]) -> list[str]:
    """Why arms are without a finding, in few lines: those that lack items together, others by their reason."""
    more: list[tuple[str, int]] = []
    other: dict[tuple[Verdict, str], list[str]] = {}
    for line in said:
        c = line.comparison
        if c.verdict not in OPEN:
            continue
        found = needed(report, c) if c.status == "ok" else None
        if found is not None and found.more:
            more.append((line.name, found.more))
        else:
            other.setdefault((c.verdict, line.because), []).append(line.name)
    text = []
    if 0 < len(more) <= MOST_NAMED:
        text.append("unclear: more items a task needed: " + "; ".join(f"{name}, {about(n)}" for name, n in more) + ".")
    elif more:
        counts = sorted(n for _, n in more)
        text.append(f"unclear: {len(more)} arms; {about(counts[0])} to {about(counts[-1])} more items a task would settle them.")
    for (verdict, why), names in other.items():
        who = ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} arms"
        text.append(f"{VERDICTS[verdict].sign} {verdict}: {who}: {why}")
    return text

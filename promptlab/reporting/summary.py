"""The first screen: one table of arms for each model, the best arm corrected for the choice, and what to do.

Terminal, Markdown, HTML, JSON, explorer and notebooks show these rows. Nothing here is a test of its own.

Above 400 lines: the rows of one table, and the sentences about them, belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from promptlab.nouns import AA_ARM, FINDINGS, Comparison, Verdict, counted, grouped
from promptlab.nouns.words import MANY
from promptlab.reporting.arms import decisions
from promptlab.reporting.build import Report, screening_words
from promptlab.reporting.causes import causes
from promptlab.reporting.decide import MOST_NAMED, Line, Open, about, bounds, items_more, lines, open_reasons, reason
from promptlab.reporting.earlier import earlier_words
from promptlab.reporting.names import PLAIN, arm_name, is_told
from promptlab.reporting.questions import dependences, parts_of
from promptlab.reporting.questions import verdict_words as words_of
from promptlab.stats import ArmRow, Standing, error_of, interval, points, shrunken
from promptlab.stats.contrasts import arm_of, exact, incumbent_of, of_arms
from promptlab.stats.paired import DECIMALS
from promptlab.stats.sentences import above_incumbent

Decision = Literal["incumbent", "ship", "runner-up", "keep the incumbent", "collect more", "depends on the prompt", "do not judge"]
CONTROL_ROLES = ("aa", "placebo", "loop_control")
"""Arms that are there to judge others by: nobody ships them, so they have no row."""
OPEN = ("unclear", "refused")
TOO_FEW = ("n_too_small", "too_few_clusters")  # no chance means anything
NEUTRAL = ("placebo", "neutral_paraphrase", "neutral_feedback")
"""Controls without affect, the first that a run has."""


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
    prompt: str | None
    """The prompt, where prompts are arms."""
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
    worst_low: float | None = None
    worst_high: float | None = None
    """Between what `diff` lies, whatever the answers that either arm lacks were."""
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
    """How many more items a task would settle it; None where nothing says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the first screen says of one model: the arms by their estimate, the best one, and what to do."""

    model: str
    simulated: bool
    where: str
    """Tasks and items."""
    against: str
    """What the differences are measured against."""
    with_its_repeat: float | None
    """The mean score of the incumbent and its repeat, where differences are against that and it is not the incumbent's own score."""
    rows: tuple[SummaryRow, ...]
    best: str
    """One sentence that names the best arm, corrected for the choice."""
    advice: str
    neutral: str
    """Which arms do more, or less, than neutral text; empty where the run has none."""
    beside: tuple[str, ...]
    """Interactions that were found, and how models differ."""
    reasons: tuple[str, ...]
    """Why arms are without a finding."""
    models: tuple[str, ...] = ()
    """The models, where they are the arms."""

    @property
    def shown(self) -> list[SummaryRow]:
        """The rows, a baseline that several loops share once."""
        once = {(row.arm, row.score, row.items): row for row in reversed(self.rows) if row.incumbent}
        return [row for row in self.rows if not row.incumbent or once[row.arm, row.score, row.items] is row]


def summaries(report: Report) -> list[Summary]:
    """One for each model, in the order of the plan."""
    said = {_key(line.comparison): line for line in lines(report)}
    decided = {(d["row"].model, d["row"].setting.id, d["row"].treatment): d for d in decisions(report)}
    return [_of_model(report, model, said, decided) for model in report.models]


def rows_of(report: Report) -> list[dict[str, Any]]:
    """The rows of all models as plain data: `summary` of the JSON report."""
    return [asdict(row) for summary in summaries(report) for row in summary.rows]


Key = tuple[str, str, str]


def _key(c: Comparison) -> Key:
    return c.model, c.setting.id, c.treatment


def _of_model(report: Report, model: str, said: Mapping[Key, Line], decided: Mapping[Key, Any]) -> Summary:
    silent = any(c.status == "aa_failed" for c in report.of("aa", model))
    own = [s for s in report.standings if s.model == model and (s.role not in CONTROL_ROLES or _plain(s))]
    open_rows: list[Open]
    if of_arms(report.plan):
        rows = _arms(report, model, own, silent)
        open_rows = _open_rows(rows)
        beside = _beside(report, model)
    else:
        rows = [_row(report, s, said, decided, silent) for s in own]
        open_rows = [_open(report, line) for key, line in said.items() if key[0] == model and line.comparison.verdict in OPEN]
        rows, beside = _split(report, model, rows), _beside(report, model)
    beside = [*earlier_words(report.plan, report.trials, report.n_old, report.n_trials), *screening_words(report, model), *beside]
    return _summary(report, model, rows, open_rows, beside, silent)


def across_models(report: Report) -> Summary | None:
    """The models of a run as arms, each model's incumbent against that of the first; None where models are not what it compares."""
    known, models = exact(report.comparisons), list(report.plan.model_of)
    places = {model: known.get((incumbent_of(report.plan, model), incumbent_of(report.plan, models[0]))) for model in models[1:]}
    if not report.plan.compare_models or all(place is None for place in places.values()):
        return None
    several = {model in report.manifest.simulated_models for model in models} == {True, False}
    judged: list[Judged] = []
    for s in report.standings:
        if arm_of(report.plan, s.model, s.setting.id, s.prompt, s.arm) != incumbent_of(report.plan, s.model):
            continue
        facts = _facts(report, s)
        facts["arm"] = f"{s.model} (SIMULATED)" if several and facts["simulated"] else s.model
        place = places.get(s.model)
        judged.append((facts, None if place is None else report.comparisons[place], s.model == models[0]))
    silent = any(c.status == "aa_failed" for c in report.of("aa"))
    rows = rows_against(report, judged, silent)
    found = _summary(report, counted(len(models), "model"), rows, _open_rows(rows), [], silent)
    return replace(found, models=tuple(models), simulated=set(models) <= set(report.manifest.simulated_models), with_its_repeat=None)


def first_summaries(report: Report) -> list[Summary]:
    """What a first screen shows: the models as arms where they are compared, and each model that has other arms than its incumbent."""
    models, each = across_models(report), summaries(report)
    return each if models is None else [models, *(one for one in each if any(not row.incumbent for row in one.rows) or one.beside)]


def _open_rows(rows: Sequence[SummaryRow]) -> list[Open]:
    return [
        (f"{row.arm}{bounds(row.verdict, row.worst_low, row.worst_high)}", row.why, row.verdict, row.more_items)
        for row in rows
        if row.verdict in OPEN
    ]


def _summary(
    report: Report, model: str, rows: Sequence[SummaryRow], open_rows: Sequence[Open], beside: Sequence[str], silent: bool
) -> Summary:
    rows = _with_the_best(sorted(rows, key=lambda row: -round(row.diff or 0.0, DECIMALS)))
    advice = _advice(report, rows, silent)
    told = _likely(report, rows) if advice.startswith("Keep ") else None
    return Summary(
        model=model,
        simulated=model in report.manifest.simulated_models,
        where=_where(report),
        against=_against(rows),
        with_its_repeat=_with_its_repeat(report, model, rows),
        rows=tuple(rows),
        best=_best(rows, silent),
        advice=advice,
        neutral=_neutral(rows),
        beside=tuple(beside),
        reasons=tuple(open_reasons(open_rows, told.arm if told is not None else "")),
    )


def _with_its_repeat(report: Report, model: str, rows: Sequence[SummaryRow]) -> float | None:
    if of_arms(report.plan):  # differences are against the incumbent's own score
        return None
    over = [c for c in report.of("stimulus", model) if c.task is None and c.control in ("none", "single")]
    own = [c.mean_control for c in over if AA_ARM in c.control_arms]
    means, scores = ({f"{100 * x:.1f}" for x in of if x is not None} for of in (own, [row.score for row in rows if row.incumbent]))
    return own[0] if len(means) == len(scores) == 1 and means != scores else None


def _open(report: Report, line: Line) -> Open:
    c = line.comparison
    return f"{line.name}{bounds(c.verdict, c.worst_low, c.worst_high)}", line.because, c.verdict, items_more(report, c)


def _arms(report: Report, model: str, own: Sequence[Standing], silent: bool) -> list[SummaryRow]:
    """The rows of a run that compares prompts, settings or models: every arm against the incumbent of its model."""
    plan = report.plan
    base = incumbent_of(plan, model)
    known = exact(report.comparisons)
    judged: list[Judged] = []
    for s in own:
        arm = arm_of(plan, model, s.setting.id, s.prompt, s.arm)
        place = known.get((arm, base))
        judged.append((_facts(report, s), None if arm == base or place is None else report.comparisons[place], arm == base))
    return rows_against(report, judged, silent)


Judged = tuple[dict[str, Any], Comparison | None, bool]
"""What a row says of an arm by itself, its comparison with the incumbent, and whether it is the incumbent."""


def rows_against(report: Report, judged: Sequence[Judged], silent: bool) -> list[SummaryRow]:
    """A row for each arm against the one incumbent; `silent` where its own repeat differs, so that nothing can be read."""
    with_error = [c for _, c, _ in judged if c is not None and c.diff is not None and error_of(c) and c.verdict != "refused"]
    drawn = {}
    if with_error and not silent:
        found = shrunken([c.diff or 0.0 for c in with_error], [error_of(c) or 0.0 for c in with_error], margin=with_error[0].margin)
        drawn = {id(c): i for i, c in enumerate(with_error)}
    rows = []
    for facts, c, incumbent in judged:
        if c is None:
            rows.append(SummaryRow(**facts, incumbent=incumbent, decision="incumbent" if incumbent else "do not judge"))
            continue
        facts |= {name: getattr(c, name) for name in FIGURES}
        if (i := drawn.get(id(c))) is not None and c.status not in TOO_FEW:
            facts |= {"corrected": float(found.effect[i]), "corrected_low": float(found.low[i]), "corrected_high": float(found.high[i]),
                      "p_best": float(found.best[i])}  # fmt: skip
        decision: Decision = "do not judge" if silent or c.verdict == "refused" else OF_VERDICT[c.verdict]
        if decision == "ship" and not report.complete:
            decision = "collect more"
        why = above_incumbent(c) if c.verdict == "helps" else reason(report, c)
        rows.append(SummaryRow(**facts, incumbent=False, decision=decision, why=why, more_items=items_more(report, c)))
    return rows


FIGURES = ("diff", "ci_low", "ci_high", "p_adjusted", "worst_low", "worst_high", "verdict")
OF_VERDICT: Mapping[str, Decision] = {
    "helps": "ship", "hurts": "keep the incumbent", "same": "keep the incumbent", "negligible": "keep the incumbent",
    "unclear": "collect more",
}  # fmt: skip


def _split(report: Report, model: str, rows: Sequence[SummaryRow]) -> list[SummaryRow]:
    """Where a sentence does one thing in one base prompt and another thing in another, a row for each prompt and none for their mean."""
    found: list[SummaryRow] = []
    depends = dependences(report.comparisons)
    for row in rows:
        if row.incumbent or (model, row.setting, row.text_of, "none") not in depends:
            found.append(row)
            continue
        for c in report.of("by_prompt", model):
            parts = parts_of(c)
            if c.task is None and parts and (c.setting.id, parts.text, parts.control) == (row.setting, row.text_of, "none"):
                facts = {name: getattr(c, name) for name in FIGURES}
                found.append(
                    replace(row, **facts, arm=f"{row.arm} in prompt {parts.prompts[0]}", score=c.mean_treatment, score_low=None,
                            score_high=None, against_neutral=None, against_neutral_verdict=None, corrected=None, corrected_low=None,
                            corrected_high=None, p_best=None, decision="depends on the prompt",
                            why="What it does depends on the base prompt.", more_items=None)
                )  # fmt: skip
    return found


def _beside(report: Report, model: str) -> list[str]:
    """Sentences that depend on the prompt, with every effect; other interactions that were found; and models against the first."""
    said = [
        f"{text} depends on the prompt: {found.effects}."
        for (of_model, _, text, control), found in dependences(report.comparisons).items()
        if of_model == model and control == "none" and found.effects
    ]
    said += [row["sentence"] for row in causes(report.loop_contrasts, report.plan) if row["model"] == model]
    for c in report.comparisons:
        if c.task is not None or c.contrast is None or c.diff is None or parts_of(c) is not None:
            continue
        about = any(ref.model == model for ref in c.contrast.side(1))
        if c.scope == "model" and set(c.contrast.side(1)) == incumbent_of(report.plan, model):  # a row of `across_models`
            continue
        if about and (c.scope in ("model", "wording") or (c.scope == "interaction" and c.verdict in FINDINGS)):
            said.append(f"{c.name}: {points(c.diff)} points ({interval(c.ci_low, c.ci_high)}), {words_of(c)}.")
    return said


def _plain(s: Standing) -> bool:
    """Whether an arm is what a loop would take the place of: one answer without it."""
    return s.arm in PLAIN


def _facts(report: Report, s: Standing) -> dict[str, Any]:
    """What a row says of the arm by itself."""
    simulated = s.model in report.manifest.simulated_models
    name = arm_name(report.plan, s.setting, s.arm, s.prompt)
    own = {"simulated": simulated, "setting": s.setting.id, "text_of": s.arm, "prompt": s.prompt, "arm": name}
    return {name: getattr(s, name) for name in SHARED} | own


def _row(report: Report, s: Standing, said: Mapping[Key, Line], decided: Mapping[Key, Any], silent: bool) -> SummaryRow:
    facts = _facts(report, s)
    if _plain(s):
        return SummaryRow(**facts, incumbent=True, decision="incumbent")
    key = (s.model, s.setting.id, s.arm)
    mine = [c for c in report.of("stimulus", s.model, setting=s.setting) if c.treatment == s.arm]
    c = next((c for c in mine if c.control in PLAIN), mine[0] if mine else None)
    neutral = min((c for c in mine if c.control in NEUTRAL), key=lambda c: NEUTRAL.index(c.control), default=None)
    line, found = said.get(key), decided.get(key)
    if c is not None:
        facts |= {name: getattr(c, name) for name in FIGURES}
    if neutral is not None and neutral is not c:
        facts |= {"against_neutral": neutral.diff, "against_neutral_verdict": neutral.verdict}
    if found is not None:
        if c is None or c.status not in TOO_FEW:
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


def _with_the_best(rows: Sequence[SummaryRow]) -> list[SummaryRow]:
    """The rows with one arm to ship: the largest corrected difference; other arms that help are runners-up. And the incumbent's chance."""
    ship = [row for row in rows if row.decision == "ship"]
    first = max(ship, key=_estimate, default=None)
    found = [replace(row, decision="runner-up") if row.decision == "ship" and row is not first else row for row in rows]
    if sum(row.incumbent for row in rows) != 1:
        return found
    chances = [row.p_best for row in rows if row.p_best is not None]
    return [replace(row, p_best=max(0.0, 1 - sum(chances))) if row.incumbent and chances else row for row in found]


def _where(report: Report) -> str:
    tasks = report.plan.tasks
    items = sum(task.n_items for task in tasks)
    part = " that confirm" if report.plan.confirm else ""
    return f"{f'mean over {len(tasks)} tasks' if len(tasks) > 1 else tasks[0].name}, {counted(items)}{part}"


def _neutral(rows: Sequence[SummaryRow]) -> str:
    """Findings against neutral text by verdict; the arms without one are counted."""
    found = grouped(
        (row.against_neutral_verdict, f"{row.arm} {points(row.against_neutral)}") for row in rows if row.against_neutral_verdict is not None
    )
    if not found:
        return ""
    named = {v: ", ".join(names) if v in FINDINGS or len(names) <= MOST_NAMED else counted(len(names), "arm") for v, names in found.items()}
    said = [f"{named[v]} {MANY.get(v, v) if len(names) > 1 else v}" for v, names in found.items() if v not in OPEN]
    n_open = sum(len(names) for verdict, names in found.items() if verdict in OPEN)
    said += [f"{n_open} not settled"] if n_open else []
    return f"Against neutral text: {'; '.join(said)}."


def _against(rows: Sequence[SummaryRow]) -> str:
    names = list(dict.fromkeys(row.arm for row in rows if row.incumbent))
    return names[0] if len(names) == 1 else "the incumbent of the same setting" if names else "the incumbent"


def _estimate(row: SummaryRow) -> float:
    """The difference corrected for the choice where that is known: what the best arm is, and the one to collect more of."""
    return row.corrected if row.corrected is not None else row.diff if row.diff is not None else -1.0


def _best(rows: Sequence[SummaryRow], silent: bool) -> str:
    judged = [row for row in rows if not row.incumbent and row.diff is not None and row.verdict != "refused"]
    if silent or not judged:
        return ""
    best = max(judged, key=_estimate)
    value = _estimate(best)
    if value <= 0:
        chosen = f"Corrected for choosing among {len(judged)}, no" if value < (best.diff or 0.0) and len(judged) > 1 else "No"
        return f"{chosen} arm has a better estimate than the incumbent."
    which = "" if best.diff == max(row.diff or 0.0 for row in judged) else " once corrected for the choice"
    spread = "no interval" if best.ci_low is None else f"95 % {interval(best.ci_low, best.ci_high)}"
    figures = f"{points(best.diff)} points ({spread}, {counted(best.items)})"
    text = f"{best.arm} has the largest gain{which}: {figures}"
    if len(judged) > 1 and best.corrected is not None:
        text += f". Corrected for choosing among {len(judged)}: {points(value)} ({interval(best.corrected_low, best.corrected_high)})"
    tied = [row for row in judged if row is not best and row.ci_high is not None and row.ci_high >= value]
    n = len(judged) - 1
    few = f"all {n}" if len(tied) == n else f"{len(tied) or 'none'} of {n}"
    rest = f"the other one {'may be' if tied else 'is not'}" if n == 1 else f"{few} others may be"
    return f"{text}; {rest} as good." if n else f"{text}."


def _advice(report: Report, rows: Sequence[SummaryRow], silent: bool) -> str:
    """One line: ship one arm, keep the incumbent, or collect more."""
    if silent:
        return "Decide nothing: the baseline differs from its own repeat; find out why first."
    if not report.complete:
        return "Wait: the run is not finished; the same command continues."
    others = [row for row in rows if not row.incumbent]
    ship = next((row for row in others if row.decision == "ship"), None)
    keep = "the incumbent" if len({row.arm for row in rows if row.incumbent}) != 1 else next(row.arm for row in rows if row.incumbent)
    if ship is not None:
        return f"Ship {ship.arm}. {ship.why}"
    open_ = [row for row in others if row.decision == "collect more"]
    depends = [row.text_of for row in others if row.decision == "depends on the prompt"]
    if depends:
        return f"Decide prompt by prompt: what {depends[0]} does depends on the base prompt."
    if not open_:
        blocked = next((row for row in others if row.verdict == "helps"), None)
        return (
            "" if not others else f"Keep {keep}. {blocked.arm}: {blocked.why}" if blocked else f"Keep {keep}: no arm is shown to be better."
        )
    likely = _likely(report, rows) or open_[0]
    if likely.verdict == "refused" or not likely.more_items:
        return f"Keep {keep} for now; {likely.arm} is not settled. {likely.why}"
    than = " against neutral text, where it is open" if likely.verdict == "helps" else ""
    return f"Keep {keep} for now, or collect about {about(likely.more_items)} more items a task to settle {likely.arm}{than}."


def _likely(report: Report, rows: Sequence[SummaryRow]) -> SummaryRow | None:
    """The arm to collect more of: the one with the best estimate, where there is a choice one that nothing told the right answers."""
    open_ = [row for row in rows if row.decision == "collect more"]
    untold = [row for row in open_ if not is_told(report.plan, report.plan.setting_of[row.setting].strategy, row.text_of)]
    return max(untold or open_, key=_estimate, default=None)

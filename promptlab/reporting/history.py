"""The runs of one question over time: scores, best arms, versions of the models, and whether a provider drifted between two runs.

Drift is an A/A: the arm that runs today, sent again in a later run to the same items, with answers of its own on both sides. It is
called drift only where its interval excludes 0 after the correction for all comparisons of the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from promptlab.nouns import NONE_ARM, RunProblem, UsageProblem, did_you_mean
from promptlab.record.store import Run, runs_in
from promptlab.reporting.build import Report, build
from promptlab.reporting.checked import failures
from promptlab.reporting.pair import Side, pairs_of, shared_items
from promptlab.reporting.summary import summaries
from promptlab.reporting.table import Table, shown_number, table
from promptlab.stats import LEAST_ITEMS, Pairs, infer, interval, item_tables, points

ALPHA = 0.05
FAILS = "fails its audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The same arm in a run and in the one before it: later minus earlier, as fractions; None where nothing can be paired."""

    since: str
    n_items: int
    diff: float | None = None
    low: float | None = None
    high: float | None = None
    """At 95 % after the correction (Bonferroni over the comparisons of the history)."""
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model of one run; scores and differences as fractions."""

    run: str
    begun: str
    state: str
    model: str
    simulated: bool
    version: str
    """The model's name and address, and the version that answered."""
    incumbent: str
    n_items: int
    score: float | None
    low: float | None
    high: float | None
    best: str | None
    """The arm with the largest difference to the incumbent."""
    diff: float | None
    diff_low: float | None
    diff_high: float | None
    verdict: str | None
    drift: Drift | None = None


def history(name: str, runs: Path) -> list[Entry]:
    """The runs in a folder that ask one question, oldest first: of the experiment `name`, else with the task or the question `name`.

    UsageProblem where there is none. Runs that cannot be read are left out.
    """
    known = [run for folder in runs_in(runs) if (run := _readable(folder)) is not None]
    meant = [run for run in known if name in (run.manifest.name, run.id)]
    if any(run.id == name for run in meant):
        meant = [run for run in known if run.manifest.name == meant[0].manifest.name]
    meant = meant or [run for run in known if name in run.plan.task_of or name == run.manifest.question]
    if not meant:
        names = sorted({run.manifest.name for run in known})
        raise UsageProblem(f"{runs} has no run of the question {name!r}; {did_you_mean(name, names)}".rstrip("; "))
    meant.sort(key=lambda run: (run.manifest.created_at, _frozen_at(run), run.id))
    reports = [(run, build(run)) for run in meant if run.manifest.counts.done]
    found: list[tuple[Entry, str, list[Pairs] | str | None]] = []
    before: dict[str, tuple[Run, Report]] = {}
    for run, report in reports:
        for entry in _entries(run, report):
            earlier = before.get(entry.model)
            paired = None if earlier is None else _paired(earlier, (run, report), entry.model)
            found.append((entry, earlier[0].id if earlier else "", paired))
            if earlier is None or paired != CACHED:  # the last one that was sent again
                before[entry.model] = run, report
    m = max(1, sum(isinstance(paired, list) for *_, paired in found))
    return [entry if paired is None else replace(entry, drift=_drift(since, paired, 1 - ALPHA / m)) for entry, since, paired in found]


def _frozen_at(run: Run) -> int:
    """When the plan was written: what orders runs that began in the same second."""
    try:
        return (run.folder / "plan.json").stat().st_mtime_ns
    except OSError:  # a run at an address
        return 0


def _readable(folder: Path) -> Run | None:
    try:
        run = Run(folder)
        return run if run.plan.hypotheses and not run.manifest.imported else None
    except RunProblem:
        return None


def _entries(run: Run, report: Report) -> list[Entry]:
    found, state = [], FAILS if failures(run, report.trials) else report.state
    for summary in summaries(report):
        today = next((row for row in summary.rows if row.incumbent), None)
        others = {arm.name for arm in report.plan.earlier.arms} if report.plan.earlier else set()
        own = (row for row in summary.rows if row.diff is not None and not {row.text_of, row.prompt} & others)
        best = max(own, key=lambda row: row.diff or 0.0, default=None)
        asked, served = run.manifest.models.get(summary.model), ", ".join(run.manifest.served.get(summary.model, ()))
        asked_name = asked.litellm_name if asked else ""
        found.append(
            Entry(
                run=run.id, begun=run.manifest.created_at, state=state, model=summary.model, simulated=summary.simulated,
                version=(asked.words if asked else "unknown") + (f", served by {served}" if served and served != asked_name else ""),
                incumbent=today.arm if today else "", n_items=today.items if today else 0, score=today.score if today else None,
                low=today.score_low if today else None, high=today.score_high if today else None, best=best.arm if best else None,
                diff=best.diff if best else None, diff_low=best.ci_low if best else None, diff_high=best.ci_high if best else None,
                verdict=best.verdict if best else None,
            )
        )  # fmt: skip
    return found


CACHED = "not sent again: its answers came from the cache"


def _paired(before: tuple[Run, Report], after: tuple[Run, Report], model: str) -> list[Pairs] | str:
    """The baseline of one model in two runs, on the items that the later one sent again; or why there are no such pairs."""
    (run, report), (later, later_report) = before, after
    sides = [_side(one, of, model) for one, of in (before, after)]
    if _text(report, sides[0]) != _text(later_report, sides[1]) or sides[0].setting.id != sides[1].setting.id:
        return "not comparable: what runs today is another prompt or setting"
    sent = [one.manifest.effective.get(model) for one in (run, later)]
    if report.plan.scorer != later_report.plan.scorer or (None not in sent and sent[0] != sent[1]):
        return "not comparable: another scorer, or other parameters were sent"
    own = zip([one.trials() for one in (run, later)], sides, strict=True)
    trials = [t[(t["model"] == model) & (t["arm"] == NONE_ARM) & (t["setting"] == side.setting.id)] for t, side in own]
    trials[1] = trials[1][~trials[1]["cached"].astype(bool)]
    if trials[1].empty:
        return CACHED
    tables = [item_tables(t).get((model, s.setting.id), {}) for t, s in zip(trials, sides, strict=True)]
    shared, arms = shared_items(run, later), [(NONE_ARM,)] * 2
    tasks = [task for task in report.plan.task_of if all(task in one for one in tables)]
    found = [pairs_of([one[task] for one in tables], sides, arms, shared)[0] for task in tasks]
    n = sum(len(p.s) for p in found)
    return [p for p in found if len(p.s)] if n >= LEAST_ITEMS else f"too few items: both runs sent {n} of them"


def _drift(since: str, paired: list[Pairs] | str, conf: float) -> Drift:
    if isinstance(paired, str):
        return Drift(since=since, n_items=0, says=paired)
    inference = infer(paired)
    low, high = inference.interval(conf) or (inference.diff, inference.diff)
    says = "drift" if low > 0 or high < 0 else "no drift seen"
    says = "too few groups of items to tell" if inference.status == "too_few_clusters" else says
    return Drift(since=since, n_items=sum(len(p.s) for p in paired), diff=inference.diff, low=low, high=high, says=says)


def _side(run: Run, report: Report, model: str) -> Side:
    plan = report.plan
    setting = next((s for s in plan.settings if s.strategy not in plan.looped), plan.settings[0])
    return Side(run.id, model, NONE_ARM, setting, plan.model_of[model].simulated, plan.incumbent)


def _text(report: Report, side: Side) -> object:
    """What is sent without an added text: the incumbent's messages, or the base prompts of the tasks."""
    if side.prompt is not None:
        return next(prompt.sha256 for prompt in report.plan.prompts if prompt.name == side.prompt)
    return {task.name: task.base_prompts for task in report.plan.tasks}


NOTE = (
    "Score: what runs today, with its 95 % interval. Best: the arm with the largest difference to it, with the verdict of its own run. "
    "Drift: what runs today on the same items, in this run and the last one before it that sent it again (A/A). The interval is "
    "corrected for all comparisons of this table, and only one that excludes 0 is called drift."
)


def history_table(entries: Sequence[Entry]) -> Table:
    """The entries as words."""
    rows = [
        [
            e.begun[:16].replace("T", " "), e.run + ("" if e.state == "complete" else f" ({e.state})"),
            f"{e.version}{' (SIMULATED)' if e.simulated else ''}", e.incumbent, str(e.n_items),
            shown_number(e.score, "{:.1f}", 100), "-" if e.low is None or e.high is None else f"{100 * e.low:.1f} to {100 * e.high:.1f}",
            e.best or "-",
            "-" if e.diff is None else f"{e.verdict or ''} {points(e.diff)} ({interval(e.diff_low, e.diff_high)})".strip(), _words(e.drift),
        ]
        for e in entries
    ]  # fmt: skip
    heads = ("begun", "run", "model", "runs today", "items", "score, %", "95 %", "best", "difference", "against the run before")
    return table("Runs of one question", NOTE, heads, rows)


def _words(drift: Drift | None) -> str:
    if drift is None:
        return "-"
    if drift.diff is None:
        return drift.says
    return f"{drift.says}: {points(drift.diff)} ({interval(drift.low, drift.high)}; n {drift.n_items})"


def plain(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The entries as JSON; fractions."""
    return [asdict(entry) for entry in entries]


def chart_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The scores of what runs today, run by run, one line for each model."""
    order = {run: n for n, run in enumerate(dict.fromkeys(e.run for e in entries), 1)}
    return [
        {"arm": e.model, "round": order[e.run], "run": order[e.run], "n": e.n_items, "share": e.score, "low": e.low, "high": e.high}
        for e in entries
        if e.score is not None and e.low is not None
    ]

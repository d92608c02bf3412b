"""What every rendering says: comparisons, arms, and the few sentences that come first.

Above 400 lines: every rendering reads one object, and its parts are computed together once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from promptlab.nouns import COMPARISON_COLUMNS, Comparison, LookRow, Manifest, Plan, RunProblem, ScreenRow, Setting, flat, grouped, readable
from promptlab.nouns.words import AA_ARM, BAD_ENDS, CONTROLS, FINDINGS, NONE_ARM, VERDICTS, Scorer, counted, tallied
from promptlab.record.mirror import open_run
from promptlab.record.ratings import Rating, ratings_of
from promptlab.record.store import Run
from promptlab.reporting.causes import loop_contrasts
from promptlab.reporting.earlier import earlier_words, joined, n_old
from promptlab.reporting.judged import ground, grounded
from promptlab.reporting.judged_tables import judged_tables
from promptlab.reporting.loops import ORACLE_NOTE, emotion_transitions, loop_arms, loop_rounds, progress
from promptlab.reporting.names import AGAIN, arm_name
from promptlab.reporting.older import aged
from promptlab.reporting.questions import Dependence, Key, dependences, questions
from promptlab.reporting.rescore import rescored, scorer_table
from promptlab.reporting.suites import suite_gaps
from promptlab.reporting.table import Plain
from promptlab.running.so_far import so_far
from promptlab.stats import Screening, Shares, Standing, Supplement, ended, remedy, shares_of, standings, supplement
from promptlab.stats.core import DOMINATED
from promptlab.stats.looks import Looks, Saved, analyse, place_of, saved
from promptlab.stats.sentences import said_to_rest


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the trials of a run say: everything of a report that is worked out and not read."""

    n_trials: int
    comparisons: tuple[Comparison, ...]
    rounds: tuple[Mapping[str, Any], ...]
    """Loops round by round: rows of `loop_rounds`."""
    loop_arms: tuple[Mapping[str, Any], ...]
    emotions: tuple[Mapping[str, Any], ...]
    loop_contrasts: tuple[Mapping[str, Any], ...]
    """Arms of loops at equal rounds, tokens and USD: rows of `loop_contrasts`."""
    beside: Supplement
    """The best in task, the spread over tasks, the papers' protocol and variance components."""
    looks: tuple[LookRow, ...]
    """What each planned interim analysis decided."""
    saved: Saved | None
    """What stopping early left unsent; None in a sweep without interim analyses."""
    n_old: int | None
    """Answers that are older than the run, which came from the cache; None where no comparison with an earlier run was planned."""
    screening: tuple[ScreenRow, ...]
    """Of a run that screens first: each arm on the screening part. Everything else of the report is of the confirming part."""
    gaps: tuple[Mapping[str, Any], ...]
    """Official minus twin, where another run in the same folder asked the other suite: rows of `suite_gaps`."""
    shares: tuple[Shares, ...]
    """How many answers of each arm are not whole."""
    standings: tuple[Standing, ...]
    """Each arm by itself: score, price, and how its answers ended."""
    by_judge: tuple[Plain, ...] = ()
    """The tables that accompany the verdicts of a judged run."""
    history: tuple[str, ...] = ()
    """What was known before the plan: its registration, other runs of the question, answers that are older."""
    failed: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """What no report can check of the run, in sentences."""
    """Why the run fails its audit: comes first in every form of a report that was forced."""


@dataclass(frozen=True, kw_only=True)
class Report(Judged):
    """A run with its comparisons."""

    run: str
    manifest: Manifest
    plan: Plan
    state: str
    trials: pd.DataFrame
    baselines: pd.DataFrame
    """Every task's score without any stimulus under every scorer, as `scorer_table` gives it."""
    ratings: tuple[Rating, ...] = ()
    """What people said of answers of the run."""
    folder: Path | None = None
    """Where the run lies, for what is read only when it is needed; None where that is not known."""

    @property
    def simulated(self) -> bool:
        return self.manifest.simulated

    @property
    def paid(self) -> str:
        """What the run cost so far, in words."""
        return self.manifest.paid

    def of(
        self, scope: str | None, model: str | None = None, control: str | None = None, setting: Setting | None = None
    ) -> list[Comparison]:
        """The comparisons of one scope (None: of all), and of one model, control and setting where they are given."""
        asked = {"scope": scope, "model": model, "control": control, "setting": setting}
        wanted = {name: value for name, value in asked.items() if value is not None}
        return [c for c in self.comparisons if all(getattr(c, name) == value for name, value in wanted.items())]

    def shown(self, scope: str, model: str | None = None, control: str | None = None) -> list[Comparison]:
        """What is listed of one scope: with one task its cells are its means, and are listed once."""
        return [] if scope == "cell" and len(self.plan.tasks) == 1 else self.of(scope, model, control)

    @property
    def complete(self) -> bool:
        """Whether every trial that the plan still wants is recorded."""
        skipped = self.saved.n_trials if self.saved else 0
        return self.state == "complete" and self.n_trials + skipped >= self.plan.counts.trials

    @property
    def models(self) -> list[str]:
        return list(self.plan.model_of)

    def name(self, c: Comparison) -> str:
        """The sentence of a comparison, with what tells its setting from the others where a run has several."""
        if c.contrast is not None:
            return c.name
        looped = c.strategy in self.plan.looped  # its arms say it
        parts = [words for words in c.setting.apart(self.plan.settings) if not (looped and words == c.strategy)]
        return f"{c.treated} [{', '.join(parts)}]" if parts else c.treated

    def against(self, c: Comparison) -> str:
        """What a comparison is measured against, in a table."""
        return self.plan.called(c.control) if c.contrast is None else c.against.name

    @property
    def controls(self) -> list[str]:
        """The planned controls; neutral sentences and neutral feedback first: only those contrasts are the stimulus's own."""
        planned = {h.control for h in self.plan.hypotheses if h.contrast is None}
        return [control for control in CONTROLS if control in planned]

    @property
    def oracles(self) -> set[str]:
        """The strategies whose answers an oracle stopped."""
        return {loop.strategy for loop in self.plan.loops if loop.oracle}


def build(run: Run, scorer: Scorer | None = None, *, just_made: bool = False) -> Report:
    """Read a run and judge it by its frozen plan; with `scorer`, its stored answers are rescored, and nothing is sent.

    With `just_made` this process has made all of it from the experiment as it is, which it does not read again.
    """
    from promptlab.reporting.remade import unchecked  # which loads the engine

    with readable(f"{run.folder}: not a complete run"):
        plan, trials = run.plan, run.trials(compact=True)
        _must_fit(run, trials, plan)
        screening = Screening.thawed(plan, run.looks) if plan.confirm else None
        if screening is not None:
            plan, trials = screening.confirming, screening.of(trials)
        as_run, n_trials = trials, len(trials)
        trials, plan = joined(run, trials, plan)
        if scorer is not None and scorer != plan.scorer:
            trials, plan = rescored(trials, run.each_item(), plan, scorer), replace(plan, scorer=scorer, ran_by=plan.scorer)
        looks = Looks.thawed(plan, run.looks) if plan.looks else None
        ratings = tuple(ratings_of(run.folder))
        judged = grounded(analyse(trials, plan, looks.rows if looks else ()), trials, plan, ratings)
        if plan.imported:
            judged = [replace(c, sentence=c.sentence.replace("against no added text", f"against {plan.called(c.control)}")) for c in judged]
        comparisons, history = aged(run, plan, trials, tuple(judged))
        gaps = tuple(suite_gaps(run, trials, plan))
        calls = run.calls() if plan.loops else None
        steps = progress(as_run, calls, plan) if calls is not None else None
        return Report(
            run=run.id,
            manifest=so_far(run),
            plan=plan,
            state=run.state,
            trials=trials,
            n_trials=n_trials,
            n_old=n_old(run) if plan.earlier else None,
            comparisons=comparisons,
            history=history,
            baselines=scorer_table(trials, run.each_item(), plan),
            rounds=tuple(loop_rounds(steps)) if steps is not None else (),
            loop_arms=tuple(loop_arms(as_run, steps, plan)) if steps is not None else (),
            emotions=tuple(emotion_transitions(steps, calls)) if steps is not None and calls is not None else (),
            loop_contrasts=tuple(loop_contrasts(as_run, steps, plan)) if steps is not None else (),
            gaps=gaps,
            shares=tuple(shares_of(trials, bool(plan.prompts))),
            standings=tuple(standings(trials, plan)),
            beside=supplement(trials, plan, comparisons),
            looks=tuple(looks.rows) if looks else (),
            saved=saved(trials, looks) if looks else None,
            screening=tuple(screening.rows) if screening else (),
            folder=run.folder,
            by_judge=tuple(one.plain for one in judged_tables(trials, plan, ratings)),
            ratings=ratings,
            unchecked=tuple(unchecked(run, just_made)),  # last: `failures` takes over the study that it resolves
        )


def _must_fit(run: Run, trials: pd.DataFrame, plan: Plan) -> None:
    """A plan that does not name what the trials hold belongs to another run, or was edited."""
    arms = {arm.name for arm in plan.arms}
    for column, names in {"model": plan.model_of, "task": plan.task_of, "arm": arms, "setting": plan.setting_of}.items():
        odd = next((str(name) for name in trials[column].unique() if name not in names), None)
        if odd is not None:
            raise RunProblem(f"{run.folder}: the trials hold the {column} {odd!r}, which plan.json does not name; was the folder edited?")


def comparison_frame(report: Report) -> pd.DataFrame:
    """All comparisons as a frame with the columns of `schema.COMPARISON_COLUMNS`; lists are joined by '; '.

    In a run with contrasts the last column names them, as in `prompt expert - current`.
    """
    some = any(c.contrast for c in report.comparisons)
    failed = {"audit": "; ".join(failed_words(report))} if report.failed else {}
    rows = [
        {name: "; ".join(map(str, value)) if isinstance(value, tuple) else value for name, value in flat(c).items()}
        | ({"contrast": c.contrast and c.contrast.name} if some else {})
        | failed
        for c in report.comparisons
    ]
    return pd.DataFrame(rows, columns=[*COMPARISON_COLUMNS, *(["contrast"] if some else []), *failed])


def verdicts(run: Run | str | Path) -> pd.DataFrame:
    """A recorded run, or its folder or address, judged by its frozen plan: the frame of `comparison_frame`."""
    return comparison_frame(build(run if isinstance(run, Run) else open_run(run)))


def arm_table(report: Report) -> pd.DataFrame:
    """One row for each model, setting and arm: trials, mean score, what was lost, how answers ended, tokens and cost (None: unknown).

    Settings are never pooled: the score of a loop with an oracle is not the score of a single answer. Neither are whole prompts; then a
    column `prompt` names them.
    """
    return pd.DataFrame([row for row, _ in by_arm(report)])


def by_arm(report: Report) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """The rows of `arm_table`, each with its trials."""
    found = []
    within = {"prompt": "base_prompt"} if report.plan.prompts else {}
    for (model, setting, arm, *of), group in report.trials.groupby(
        ["model", "setting", "arm", *within.values()], sort=False, observed=True
    ):
        ends, scores, tokens = Counter(group["outcome"]), group["score"], group["output_tokens"]
        row = {
            "model": model, "setting": report.plan.setting_of[str(setting)].words, **dict(zip(within, of, strict=True)), "arm": arm,
            "role": group["role"].iloc[0],
            "n": len(group), "mean_score": None if scores.isna().all() else float(scores.mean()),
            **{outcome: ends.get(outcome, 0) for outcome in BAD_ENDS},
            "output_tokens_mean": None if tokens.isna().all() else float(tokens.mean()),
            "cost_usd": float(group["cost_usd"].sum()) if group["cost_usd"].notna().all() else None,
        }  # fmt: skip
        found.append((row, group))
    order = {arm.name: i for i, arm in enumerate(report.plan.arms)}
    return sorted(found, key=lambda one: (one[0]["model"], one[0]["setting"], order[one[0]["arm"]]))


def in_prompt(arm: str, prompt: str | None) -> str:
    """An arm with its whole prompt, where prompts are arms."""
    added = {NONE_ARM: "", AA_ARM: AGAIN}.get(arm, f" + {arm}")
    return f"{prompt}{added}" if prompt else arm


def headline(report: Report) -> list[str]:
    """The first sentences of a report: what is simulated, how far it is, what was found against which control."""
    found: list[str] = failed_words(report)
    if report.simulated:
        names = ", ".join(report.manifest.simulated_models)
        found.append(f"SIMULATED. {names}: promptlab makes up the answers; they say nothing about any real model.")
    if report.plan.imported:
        found += list(report.plan.notes)
    found += report.history
    n, planned = report.n_trials, report.plan.counts.trials
    if report.saved:
        found.append(looks_words(report))
    if not report.complete:
        found.append(f"The run is {report.state}: {n:,} of {planned:,} trials are recorded, so every figure may still move.")
    found += [*earlier_words(report.plan, report.trials, report.n_old, report.n_trials), *waiting(report)]
    found += [*report.unchecked, *unwhole(report), *resting(report), *ground(report.comparisons, report.plan)]
    so = "so a difference between arms may be one between versions, and no effect of a sentence."
    found += [f"{served}, {so}" for served in report.manifest.several_versions]
    for model in report.models:
        found += _of_model(report, model)
    if report.oracles:
        found.append(ORACLE_NOTE)
    if report.rounds and (ran_by := report.plan.ran_by):
        found.append(
            f"The loops were run by the scorer {ran_by}: it was the oracle where there is one, and the tables of rounds are by it. "
            f"Verdicts here are by {report.plan.scorer}, on the answers that the loops ended with."
        )
    if "none" in report.controls and "placebo" not in report.controls:
        reason = report.plan.no_placebo_reason or "none was requested"
        found.append(
            f"There is no placebo arm ({reason}). A change against {report.plan.called('none')} may come from any added text, so "
            "none of it can be attributed to what the sentences say."
        )
    return found


def failed_words(report: Report) -> list[str]:
    """That the run fails its audit, as a sentence."""
    return [f"THIS RUN FAILS ITS AUDIT: {'; '.join(report.failed)}."] if report.failed else []


def screening_words(report: Report, model: str) -> list[str]:
    """What the screening part chose for a model, or that it has not, as a sentence; nothing in a run that does not screen."""
    confirm = report.plan.confirm
    if confirm is None:
        return []
    first, items = sum(map(len, confirm.screening.values())), sum(confirm.items)
    rows = [row for row in report.screening if row.model == model]
    if not rows:
        return [f"Screening: {counted(first, 'item', 'is')} to choose the arms that {items:,} others confirm; nothing is chosen yet."]
    names = ", ".join(dict.fromkeys(row.treatment for row in rows if row.chosen))
    return [
        f"Screened and confirmed: {counted(first)} chose {sum(row.chosen for row in rows)} of {len(rows)} arms ({names}); every figure "
        f"is of the {items:,} other items, which had no say in that. Arms that were dropped were not run there."
    ]


def waiting(report: Report) -> list[str]:
    """How many trials wait in batches, as a sentence."""
    batches = report.manifest.batches
    n = batches.get("waiting_trials")
    return (
        [f"{counted(n, 'trial', 'waits')} in {counted(batches['open'], 'batch')} at the provider; the same sweep command collects them."]
        if n
        else []
    )


MOST_UNWHOLE = 0.02
"""Share of an arm's answers that may be cut, empty, refused, thoughts alone or failed before the first screen says so."""
MOST_NAMED = 4


def unwhole(report: Report) -> list[str]:
    """One sentence for each model with an arm of which more answers than that are not whole; the arms with most of them are named."""
    found = []
    for model in report.models:
        arms = sorted((one for one in report.shares if one.model == model), key=lambda one: -one.unwhole)
        many = [one for one in arms if one.unwhole > MOST_UNWHOLE]
        if not many:
            continue
        names = [arm_name(report.plan, report.plan.setting_of[one.setting], one.arm, one.prompt) for one in many[:MOST_NAMED]]
        named = "; ".join(f"{name} {ended(one.shares)}" for name, one in zip(names, many, strict=False))
        more = f"; and {len(many) - MOST_NAMED} more arms" if len(many) > MOST_NAMED else ""
        cure = "" if report.plan.imported else f" {remedy(many[0].shares)}"
        found.append(f"Answers of {model} that are not whole: {named}{more}.{cure}")
    return found


def resting(report: Report) -> list[str]:
    """On what verdicts over the tasks rest: mainly answers that are not whole, or in which the scorer found none; or few items."""
    over = [c for c in report.comparisons if c.scope != "aa" and (c.task is None or len(report.plan.tasks) == 1)]
    several = len(report.models) > 1
    said = grouped((rests, f"{report.name(c)}{f' of {c.model}' if several else ''}") for c in over for rests in _rests(c))
    found = [f"{_some(list(dict.fromkeys(names)))}: {rests}" for rests, names in said.items()]
    return [
        *found[:MOST_NAMED],
        *([f"And {len(found) - MOST_NAMED} more verdicts rest on such answers."] if len(found) > MOST_NAMED else []),
    ]


def _rests(c: Comparison) -> list[str]:
    """What a comparison's sentence says that it rests on, and that few items make a verdict which test and interval are too sure of."""
    few = c.verdict not in ("refused", "unclear") and DOMINATED in c.notes
    return [*filter(None, [said_to_rest(c.sentence)]), *([f"{DOMINATED.partition(': ')[2].capitalize()}."] if few else [])]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def looks_words(report: Report) -> str:
    """What the planned interim analyses did, in one sentence."""
    saved, looks = report.saved, len(report.plan.looks)
    stopped = [row for row in report.looks if row.stops]
    if saved is None or not stopped:
        return f"Sequential: {looks} interim analyses were planned, and none has stopped a sentence so far."
    money = "" if saved.usd is None else f", about ${saved.usd:.4f}" + (" in simulated prices" if report.simulated else "")
    n_found = sum(row.decision == "efficacy" for row in stopped)
    return (
        f"Sequential: {len(stopped)} of {len({(place_of(r), r.treatment) for r in report.looks})} sentences stopped before the end of "
        f"{looks} planned interim analyses, {n_found} at the boundary and {len(stopped) - n_found} for futility; {saved.n_trials:,} of "
        f"{counted(saved.n_planned, 'trial', 'was')} not sent{money}."
    )


def _of_model(report: Report, model: str) -> list[str]:
    failed = [c for c in report.of("aa", model) if c.status == "aa_failed"]
    if failed:
        return [failed[0].sentence]
    n_tasks, depends = len(report.plan.tasks), dependences(report.of(None, model))
    found = [f"{model}. {said}" for said in screening_words(report, model)]
    where = f"over {n_tasks} tasks" if n_tasks > 1 else "in its task"
    for control in report.controls:
        over_tasks, cells = report.of("stimulus", model, control), report.of("cell", model, control)
        groups = {verdict: [c for c in over_tasks if c.verdict == verdict] for verdict in VERDICTS}
        parts = [f"{VERDICTS[verdict].headline}: {_names(report, group, depends)}" for verdict, group in groups.items() if group]
        against = f"{model}. Against {report.plan.called(control)}"
        found.append(f"{against}, {where}: {'; '.join(parts)}.")
        found += [f"{against}, task by task: {tally(cells)} of {len(cells)}."] if n_tasks > 1 else []
    found += [f"{model}. {said}" for said in questions(report.of(None, model))]
    found += [f"{model}. {said.sentence}" for key, said in depends.items() if _decides(report, key)]
    found += [f"{model}. {row.sentence}" for row in report.beside.levels if row.model == model]
    found += [f"{model}. The papers' protocol: {row.sentence}" for row in report.beside.protocols if row.model == model]
    whole = [c for c in report.of("aa", model) if c.task is None]
    return found + list(dict.fromkeys(f"{model}. {c.sentence}" for c in whole))


def tally(comparisons: Sequence[Comparison]) -> str:
    """How many have each verdict, in words."""
    counts: Counter[str] = Counter(c.verdict for c in comparisons)
    return ", ".join(tallied({verdict: counts[verdict] for verdict in VERDICTS}))


def _decides(report: Report, key: Key) -> bool:
    """Whether a dependence is on the control that comes first."""
    return key[3] == report.controls[0]


MOST_OPEN = 20
"""Arms without a finding that a sentence names; more are counted."""


def _names(report: Report, group: Sequence[Comparison], depends: Mapping[Key, Dependence]) -> str:
    if len(group) > MOST_OPEN and group[0].verdict not in FINDINGS:
        return counted(len(group), "arm")
    found = []
    for c in group:
        mean = " as a mean of base prompts that differ" if (c.model, c.setting.id, c.treatment, c.control) in depends else ""
        found.append(report.name(c) if c.diff is None else f"{report.name(c)} ({100 * c.diff:+.1f} points{mean})")
    return ", ".join(found)

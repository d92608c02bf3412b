"""`promptlab plan`: what an experiment will ask, cost and be able to see."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from promptlab.cli.common import (
    AllowCode,
    AsJson,
    Batch,
    Concurrency,
    ExperimentFile,
    Runs,
    Sequential,
    exit_json,
    load,
    print_json,
    print_lines,
    print_table,
    say,
    show,
)
from promptlab.nouns import FileProblems
from promptlab.nouns.words import counted

if TYPE_CHECKING:
    from promptlab.nouns import Plan
    from promptlab.planning.study import Study


def plan(
    experiment: ExperimentFile,
    concurrency: Concurrency = 16,
    pilot: Annotated[
        bool, Option("--pilot", help="First run the baseline twice on 20 items of 3 tasks (paid), and plan with the result.")
    ] = False,
    sequential: Sequential = False,
    batch: Batch = False,
    runs: Runs = Path("runs"),
    allow_code: AllowCode = False,
    details: Annotated[bool, Option("--details", help="Every table: words of arms and prompts, interim analyses, families.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show on one screen what an experiment will ask, cost and be able to see. Sends nothing, unless --pilot is given."""
    from promptlab.planning.plan import make_plan, outlook, repriced
    from promptlab.running.gateway.providers import asked_where
    from promptlab.running.preflight import preflight, requests_of

    study = load(experiment, allow_code, sequential=sequential)
    made, priced = make_plan(study), study
    if batch:
        from promptlab.running.batch import at_batch_prices, check_models

        check_models(study)
        priced = at_batch_prices(study)
        made = repriced(made, priced)
    shown = _pilot(study, runs, concurrency) if pilot else None
    if shown is not None:
        made = replace(made, outlook=outlook(priced, shown["discordance_high"]))
    found = preflight(study)
    errors = [finding.problem for finding in found if finding.is_error]
    if as_json:
        value = {
            **made.plain(),
            "requests": requests_of(study),
            **({"batch": True} if batch else {}),
            **({"pilot": shown} if shown else {}),
        }
        if not errors:
            exit_json(value)
        print_json(value)
        raise FileProblems(errors)
    show_plan(made, concurrency, details=details)
    real = [model for model in study.models if not model.simulated]
    for model in real if details else real[:MOST_NOTES]:
        say(f"{model.name}: {asked_where(model)}")
    findings = [str(finding) for finding in found if not finding.is_error]
    for text in findings if details else findings[:MOST_SHOWN]:
        say(text)
    if not details:
        said = f"; {len(findings) - MOST_SHOWN} more problems" if len(findings) > MOST_SHOWN else ""
        say(f"all tables: promptlab plan {shlex.quote(str(experiment))} --details{said}")
    if shown is not None:
        for model, own in shown["models"].items():
            said = f"{model}: " if len(shown["models"]) > 1 else ""
            say(
                f"pilot:         {said}{own['changed']} of {own['of']} answers changed when sent again "
                f"({100 * own['discordance']:.1f} %, at most {100 * own['discordance_high']:.1f} % with 80 % confidence"
                f"{', as above' if model == shown['model'] else ''}); "
                f"the baseline scored {100 * own['baseline']:.1f} %; {counted(own['tokens_out'], 'token')} out an answer"
            )
        say(f"               {shown['paid']}; {shown['run']} (a sweep of this experiment takes these answers from the cache)")
    if errors:
        raise FileProblems(errors)


def _pilot(study: Study, runs: Path, concurrency: int) -> dict[str, Any]:
    """The baseline and its repeat on a few items: how many answers change, and what an answer really costs."""
    from promptlab.nouns import RunProblem, home
    from promptlab.planning.pilot import pilot_of, pilot_shows
    from promptlab.record.store import Run
    from promptlab.running.progress import Execution
    from promptlab.running.sweep import run_sweep

    small = pilot_of(study)
    done = run_sweep(small, runs, home() / "cache", Execution(concurrency), lambda _: None)
    if done.state != "complete":
        raise RunProblem(
            f"the pilot is {done.state}: {done.progress.last_error or '; '.join(done.progress.stopped.values())}; {done.folder}"
        )
    run = Run(done.folder)
    return {**pilot_shows(run.trials()), "paid": run.manifest.paid, "run": str(done.folder)}


MOST_SHOWN = 6
"""Models, rows and names of a kind that a plan on one screen shows."""
MOST_NOTES = 3


def show_plan(made: Plan, concurrency: int, *, details: bool = False) -> None:
    """The plan on one screen; with `details` every table of it."""
    from promptlab.planning.price import minutes
    from promptlab.reporting.judged_tables import label_table
    from promptlab.reporting.planned import compared_with, confirm_lines, outlook_table, power_table

    counts = made.counts
    say(f"{made.name}: {made.question}")
    size = f"{counted(counts.models, 'model')} x {counted(counts.tasks, 'task')}, {counted(counts.items)}"
    size += f" x {counted(counts.conditions, 'arm')}"
    calls = f"{counted(counts.trials, 'trial')}, {counted(counts.calls, 'call')} (fewer where answers are cached)"
    if made.confirm is None:
        say(f"{size} x {counted(made.replicates, 'replicate')} = {calls}")
    else:
        say(f"{size}, at most {calls}")
        for line in confirm_lines(made, made.confirm):
            say(line)
    (_show_compared if details else _say_compared)(made)
    show_cost(made, None if details else MOST_SHOWN)
    low, high = minutes(made.estimates, concurrency)
    if made.waves is not None:
        say(f"by batch: at most {counted(made.waves, 'wave')} of batches, each within 24 hours")
    else:
        say(f"about {duration(low, high)} with {counted(concurrency, 'call')} in flight")
    families = Counter(h.family for h in made.hypotheses)
    labels = label_table(made)
    if not details:
        for found in (power_table(made.power, compared_with(made)), outlook_table(made.outlook)):
            lines = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in found.rows[:MOST_SHOWN]]
            columns = _telling(lines)
            head = [SHORT.get(found.head[i], found.head[i]) for i in columns]
            print_lines(head, [[line[i] for i in columns] for line in lines], right=range(1, len(columns)), title=found.title)
        if made.looks:
            say(f"Interim analyses, fixed before the first call: {len(made.looks)}; a sentence may stop early at each of them but the last")
        say(f"Families, fixed before the first call: {len(families)}, with {counted(sum(families.values()), 'comparison')} in all")
        if len(labels.frame):
            print_lines(labels.head, [list(map(str, row)) for row in labels.rows[:MOST_SHOWN]], title=labels.title)
        for note in made.notes[:MOST_NOTES]:
            say(f"note: {note}")
        return
    show(power_table(made.power, compared_with(made)))
    if made.looks:
        _show_looks(made)
    show(outlook_table(made.outlook))
    print_table("Families, fixed before the first call", ["family", "hypotheses"], list(families.items()))
    for note in made.notes:
        say(f"note: {note}")
    if len(labels.frame):
        show(labels)


def _telling(lines: Sequence[Sequence[str]]) -> list[int]:
    """The columns that say something, and not what one before them says: with one task its mean is the task again."""
    columns = [tuple(column) for column in zip(*lines, strict=True)]
    silent = ({"-"}, {"needs 3 tasks"})
    return [i for i, column in enumerate(columns) if i < 2 or (set(column) not in silent and column not in columns[2:i])]


SHORT = {
    "answers that change": "change", "one cell, alone": "one task", "one cell, among all": "one of all tasks",
    "mean over these tasks": "mean", "mean over tasks like these": "mean, like these",
}  # fmt: skip
"""Heads of the table of smallest effects, for one screen."""


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _say_compared(made: Plan) -> None:
    """What is compared, in a line for each kind."""
    if made.prompts:
        named = [f"{p.name} ({'incumbent, ' if p.name == made.incumbent else ''}{p.n_tokens} tokens)" for p in made.prompts]
        say(f"prompts: {_some(named)}")
    for f in made.factors[:MOST_SHOWN]:
        say(f"factor {f.name}: {_some(f.levels)}; {'their spread' if f.random else f'each against {f.reference}'}")
    for role, word in ARMS.items():
        if names := [a.name for a in made.arms if a.role == role]:
            say(f"{word} ({len(names)}): {_some(names)}")
    if made.no_placebo_reason and len(made.arms) > 2:
        say(f"No placebo arm: {made.no_placebo_reason}")


ARMS = {"placebo": "neutral texts", "stimulus": "texts under test", "loop": "loops under test", "loop_control": "controls of loops"}


def _show_compared(made: Plan) -> None:
    """Prompts, factors and arms as tables, with all their words."""
    arms = [[a.name, a.role, a.n_words, a.text or "(nothing added)"] for a in made.arms]
    note = f"No placebo arm: {made.no_placebo_reason}" if made.no_placebo_reason else ""
    if made.prompts:
        prompts = [
            [p.name + (" (incumbent)" if p.name == made.incumbent else ""), p.n_tokens, m["role"], m["content"]]
            for p in made.prompts
            for m in p.messages
        ]
        print_table("Prompts", ["prompt", "tokens", "role", "words"], prompts)
    if made.factors:
        factors = [[f.name, ", ".join(f.levels), "their spread" if f.random else f"each against {f.reference}"] for f in made.factors]
        print_table("Factors", ["factor", "levels", "compared"], factors)
    if len(made.arms) > 2:  # more than the baseline and its repeat
        print_table("Arms", ["arm", "role", "words", "text"], arms, note)


def duration(low: float, high: float) -> str:
    """A range of minutes in words; below a minute in seconds."""
    if high >= 1:
        return f"{low:,.1f} to {high:,.1f} minutes"
    least, most = max(1, round(60 * low)), max(1, round(60 * high))
    return f"{least} to {most} seconds" if least < most else counted(most, "second")


def show_cost(made: Plan, most: int | None = None) -> None:
    """What each model will be sent and cost; `most` models, and the sum of what is known of the others."""
    costs = [
        [
            e.model + (" (SIMULATED)" if e.simulated else ""), f"{e.calls:,}",
            *("unknown" if usd is None else f"{usd:.4f}" for usd in e.usd),
            "unknown: add 'price' to the model" if e.price is None else f"{e.price[0]:g}/{e.price[1]:g} ({e.price[2]})",
            *(f"{low:,}-{high:,}" for low, high in (e.input_tokens, e.output_tokens)),
        ]
        for e in made.estimates[:most]
    ]  # fmt: skip
    left = made.estimates[len(costs) :]
    heads = ["model", "calls", "USD low", "USD high", "USD per M tokens, in/out", "input tokens", "output tokens"]
    print_lines(heads, costs, right=(1, 2, 3), title="Cost")
    if left:
        ends = [sum(e.usd[end] or 0.0 for e in left) for end in (0, 1)]
        say(f"{len(left)} more models: {ends[0]:.4f} to {ends[1]:.4f} USD where a price is known")
    for e in made.estimates[:most]:
        if e.usd_cached is not None:
            low, high = e.usd_cached
            say(f"{e.model}: {low:.4f} to {high:.4f} USD where the provider reads what prompts share from its cache")


def _show_looks(made: Plan) -> None:
    print_table(
        f"Interim analyses, fixed before the first call (level {made.look_level:.4f} for each sentence of the largest family)",
        ["look", "items a task", "information", "|z| to stop"],
        [
            [n, f"{min(look.items)}" + (f"-{max(look.items)}" if len(set(look.items)) > 1 else ""),
             f"{100 * look.fraction:.0f} %", f"{look.z:.2f}"]
            for n, look in enumerate(made.looks, 1)
        ],
        f"A sentence also stops where an effect that this design finds four times of five would still be found with less than "
        f"{100 * (made.futility or 0.0):.0f} % chance. Items sent on average: "
        + ", ".join(f"{100 * s.asked:.0f} % if {_effect_words(s.effect)}" for s in made.look_shares)
        + ". Single tasks get no verdict.",
    )  # fmt: skip


def _effect_words(times: float) -> str:
    return f"it is {times:g} of that effect" if times else "nothing works"

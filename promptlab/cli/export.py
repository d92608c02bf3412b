"""`promptlab export`: what a run found, in the form that another tool takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptlab.cli.report import RunFolder
from promptlab.cli.screen import say
from promptlab.nouns import UsageProblem, did_you_mean

if TYPE_CHECKING:
    from promptlab.nouns import Plan
    from promptlab.reporting import Winner


ExportFormat = Literal["long", "evalstats", "inspect-frame", "dspy"]


def export(
    run: RunFolder,
    format: Annotated[  # noqa: A002
        ExportFormat, typer.Option("--format", "-f", help="long, evalstats, inspect-frame: a table of the trials; dspy: a program a task.")
    ] = "long",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file (.csv, .jsonl, .parquet), or with dspy the folder; beside the run when left out."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="dspy: the model whose verdicts decide; the run's only one when left out.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="dspy: this task only; may be given several times.")] = None,
    arm: Annotated[str | None, typer.Option(help="dspy: this arm instead of the one found to help.")] = None,
    setting: Annotated[str | None, typer.Option(help="dspy, with --arm: the strategy or loop of it, where the run has several.")] = None,
    base_prompt: Annotated[str | None, typer.Option(help="dspy: this base prompt; the run's first when left out.")] = None,
) -> None:
    """Write a run's trials as a table for other tools, or (dspy) the arm found to help as a program that sends its messages."""
    if format != "dspy":
        _table(run, format, out)
        return
    from promptlab import reporting as reports
    from promptlab.programs import saved_arm
    from promptlab.record.store import Run, write_whole

    built = reports.build(Run(run))
    plan = built.plan
    if plan.imported:
        raise UsageProblem("an imported run does not say how its prompts were built, so no program can be made of it; --format long can")
    chosen_model = _one("model", model, built.models)
    prompt = _one("base prompt", base_prompt or plan.base_prompts[0], plan.base_prompts)
    tasks = [_one("task", name, list(plan.task_of)) for name in task or plan.task_of]
    chosen = _asked(plan, arm, setting) if arm else reports.winner(built, chosen_model)
    simulated = " (SIMULATED)" if plan.model_of[chosen_model].simulated else ""
    source = f"run {built.run}, model {chosen_model}{simulated}: {chosen.why}"
    if chosen.strategy == "logprobs":
        raise UsageProblem("the strategy logprobs weighs the options' probabilities, which no DSPy program does; choose another --setting")
    odd = next((name for name in tasks if not re.fullmatch(FILE_NAME, name)), None)
    if odd is not None:  # a plan that somebody else wrote must not say where files go
        raise UsageProblem(f"the task {odd!r} cannot name a file; letters, digits, '.', '_' and '-' can")
    folder = out or run / "dspy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"{folder}: cannot be made: {error.strerror}; choose another place with --out") from None
    say(f"arm:           {chosen.arm} [{chosen.strategy}]{simulated}")
    say(f"why:           {chosen.why}")
    for name in tasks:
        text = saved_arm(plan, name, chosen.arm, chosen.setting, prompt, source)
        write_whole(folder / f"{name}.json", text.encode("utf-8", "replace"))
        say(f"written:       {folder / f'{name}.json'}")


FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
ENDINGS = (".csv", ".jsonl", ".parquet")


def _table(run: Path, format: str, out: Path | None) -> None:  # noqa: A002
    from promptlab.record.store import Run, write_whole
    from promptlab.reporting import FRAMES, written

    path = out or run / f"{format}.csv"
    if path.suffix not in ENDINGS:
        raise UsageProblem(f"the ending of {path.name!r} says what is written: {', '.join(ENDINGS)}")
    frame = FRAMES[format](Run(run))
    write_whole(path, written(frame, path.suffix))
    say(f"written: {path} ({len(frame):,} rows, {len(frame.columns)} columns)")


def _one(what: str, name: str | None, known: Sequence[str]) -> str:
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise UsageProblem(f"the run has several {what}s ({', '.join(known)}); choose one with --{what.replace(' ', '-')}")
    if name not in known:
        raise UsageProblem(f"the run has no {what} {name!r}; {did_you_mean(name, known)}")
    return name


def _asked(plan: Plan, arm: str, strategy: str | None) -> Winner:
    """The arm that the user names, in the first setting that has it."""
    from promptlab.reporting import Winner

    fitting = plan.settings_with(arm)
    if not fitting:
        raise UsageProblem(f"the run has no arm {arm!r}; {did_you_mean(arm, [a.name for a in plan.arms])}")
    named = [s for s in fitting if strategy in (None, s.strategy)]
    if not named:
        raise UsageProblem(f"the arm {arm!r} has no setting {strategy!r}; it has {', '.join(dict.fromkeys(s.strategy for s in fitting))}")
    return Winner(arm, named[0], "chosen by hand, not by a verdict")

"""`promptlab export` and `notebook`: what a run found, in the form that another tool takes, and as a notebook that reads the run.

The notebook is written for the run but without a word of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Option

from promptlab.cli.common import Force, RunFolder, say
from promptlab.nouns import PACKAGE, UsageProblem, counted, did_you_mean, full_name

if TYPE_CHECKING:
    from promptlab.nouns import Plan
    from promptlab.reporting import Winner


ExportFormat = Literal["long", "evalstats", "inspect-frame", "dspy"]


def export(
    run: RunFolder,
    format: Annotated[  # noqa: A002
        ExportFormat, Option("--format", "-f", help="long, evalstats, inspect-frame: a table of the trials; dspy: a program a task.")
    ] = "long",
    out: Annotated[
        Path | None, Option("--out", "-o", help="The file (.csv, .jsonl, .parquet), or with dspy the folder; default: in the run folder.")
    ] = None,
    model: Annotated[str | None, Option(help="dspy: the model whose verdicts decide; default: the run's only one.")] = None,
    task: Annotated[list[str] | None, Option(help="dspy: this task only; may be given several times.")] = None,
    arm: Annotated[str | None, Option(help="dspy: this arm instead of the one found to help.")] = None,
    setting: Annotated[str | None, Option(help="dspy, with --arm: the strategy or loop of it, where the run has several.")] = None,
    base_prompt: Annotated[str | None, Option(help="dspy: this base prompt; default: the run's first.")] = None,
    force: Force = False,
) -> None:
    """Write a run's trials as a table for other tools, or (dspy) the arm found to help as a program that sends its messages."""
    from promptlab.record.store import Run
    from promptlab.reporting.checked import checked

    if setting is not None and arm is None:
        raise UsageProblem("--setting says which setting of --arm is meant, and --arm is not given; add it, or leave --setting out")
    for said in checked(Run(run), force):
        say(f"FAILS ITS AUDIT: {said}")
    if format != "dspy":
        _table(run, format, out)
        return
    from promptlab import reporting as reports
    from promptlab.programs import saved_arm
    from promptlab.record.store import write_whole

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
    texts = {name: saved_arm(plan, name, chosen.arm, chosen.setting, prompt, source) for name in tasks}
    folder = out or run / "dspy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"{folder}: cannot be made: {error.strerror}; choose another place with --out") from None
    say(f"arm:           {chosen.arm} [{chosen.strategy}]{simulated}")
    say(f"why:           {chosen.why}")
    for name, text in texts.items():
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
    say(f"written: {path} ({counted(len(frame), 'row')}, {counted(len(frame.columns), 'column')})")


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

    arm = full_name(arm, (a.name for a in plan.arms))
    fitting = plan.settings_with(arm)
    if not fitting:
        raise UsageProblem(f"the run has no arm {arm!r}; {did_you_mean(arm, [a.name for a in plan.arms])}")
    named = [s for s in fitting if strategy in (None, s.strategy)]
    if not named:
        raise UsageProblem(f"the arm {arm!r} has no setting {strategy!r}; it has {', '.join(dict.fromkeys(s.strategy for s in fitting))}")
    return Winner(arm, named[0], "chosen by hand, not by a verdict")


NAME = "notebook.ipynb"
Cell = tuple[str, str, str]
"""Kind (markdown or code), id, and source."""

SIMULATED = """

**SIMULATED**: promptlab made up answers of this run. Such answers say nothing about any real model."""


def notebook(
    run: RunFolder,
    out: Annotated[Path | None, Option("--out", "-o", help=f"The notebook; default: {NAME} in the run folder.")] = None,
    force: Annotated[bool, Option("--force", help="Replace a notebook that is there already.")] = False,
) -> None:
    """Write a Jupyter notebook that opens the run: verdicts, charts, an item that flipped, loops, cost. It calls no model."""
    from promptlab.record.store import Run, write_whole

    found = Run(run)
    path = out or run / NAME
    if path.suffix != ".ipynb":
        raise UsageProblem(f"{path}: a notebook's name ends in .ipynb")
    if os.path.lexists(path) and not force:
        raise UsageProblem(f"{path} is there already, perhaps with changes of yours; replace it with --force, or add --out new-{path.name}")
    folder = os.path.relpath(run.resolve(), path.parent.resolve())
    made = cells(folder, simulated=bool(found.manifest.simulated), loops=bool(found.plan.loops))
    write_whole(path, as_json(made).encode())
    say(f"written: {path}")


def cells(folder: str, *, simulated: bool, loops: bool) -> Iterator[Cell]:
    """The cells for a run at `folder`, seen from the notebook's own folder; nothing else in them comes from outside."""
    every = (PACKAGE / "data" / "notebook.txt").read_text(encoding="utf-8")
    for part in re.split(r"^%% ", every, flags=re.MULTILINE)[1:]:
        head, _, source = part.partition("\n")
        kind, key = head.split()
        if loops or not key.startswith("loops"):
            filled = source.rstrip().replace("{simulated}", SIMULATED if simulated else "").replace("{folder}", ascii(folder))
            yield kind, key, filled


def as_json(made: Iterator[Cell]) -> str:
    """A notebook of format 4.5 without outputs."""
    written: list[dict[str, Any]] = []
    for kind, key, source in made:
        empty: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
        written.append({"cell_type": kind, "id": key, "metadata": {}, "source": source.splitlines(keepends=True), **empty})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": written, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"

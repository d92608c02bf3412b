"""`promptlab init`: from a table, another tool's configuration or a shipped example to files that `plan` and `sweep` take."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from promptlab.cli.common import say, source
from promptlab.nouns import FileProblems, UsageProblem, counted, did_you_mean, no_file, shipped

if TYPE_CHECKING:
    from promptlab.planning.study import Study
    from promptlab.sources.starting import Looked, Wishes

SHOWN = 3
"""Items whose prompt is shown."""
WIDEST = 1_500
"""Characters of a prompt that are shown."""
SIMULATED = "sim/factors"


def init(
    data: Annotated[str | None, Argument(help="A CSV, TSV, JSON, JSON lines, Parquet or Excel file, or hf:owner/name.")] = None,
    model: Annotated[str | None, Option(help="The model to call; without one and without a key, a SIMULATED one.")] = None,
    from_: Annotated[Path | None, Option("--from", help="A promptfoo configuration (promptfooconfig.yaml) to convert.")] = None,
    example: Annotated[str | None, Option(help="Copy a shipped experiment and the files that it names.")] = None,
    input_: Annotated[str | None, Option("--input", help="The column that holds the input.")] = None,
    target: Annotated[str | None, Option(help="The column of right answers.")] = None,
    metric: Annotated[str | None, Option(help="What scores the answers: docs/reference/own-tasks.md.")] = None,
    rubric: Annotated[str | None, Option(help="A sentence on what a good answer is: a judge rates by it.")] = None,
    judge: Annotated[str | None, Option(help="The model that rates by the rubric; default: one of another family with a key.")] = None,
    ask: Annotated[str | None, Option(help="What the model should do, in a sentence.")] = None,
    prompt: Annotated[list[Path] | None, Option(help="A file with a prompt of yours, the one in use first; give it twice.")] = None,
    sentences: Annotated[Path | None, Option(help="A file with a sentence in each line, each to be tried in each prompt.")] = None,
    name: Annotated[str | None, Option(help="The experiment's name; default: from the data.")] = None,
    sheet: Annotated[str | None, Option(help="The sheet of an Excel file.")] = None,
    config: Annotated[str | None, Option(help="The configuration of a dataset.")] = None,
    split: Annotated[str | None, Option(help="The split of a dataset.")] = None,
    into: Annotated[Path, Option(help="The folder that gets the files.")] = Path(),
    force: Annotated[bool, Option("--force", help="Overwrite files.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Skip the questions and accept the proposal.")] = False,
) -> None:
    """Propose a task, two prompts and an experiment for your data; shows three prompts and the price. Sends nothing."""
    if sum(given is not None for given in (data, from_, example)) != 1:
        raise UsageProblem("name one thing to start from: a table of data, --from promptfooconfig.yaml, or --example quickstart")
    if example is not None:
        _copy(example, into, force)
        return
    from promptlab.sources.starting import MODELS

    chosen = model or next((name for key, name in MODELS.items() if os.environ.get(key)), SIMULATED)
    if from_ is not None:
        from promptlab.importers.promptfoo_config import converted

        started = converted(from_, model, SIMULATED)
    else:
        from promptlab.sources.starting import Given, Wishes, propose, start

        looked = _looked(str(data), sheet, config, split)
        wishes = Wishes(input_, target, metric, rubric)
        made = propose(looked, wishes)
        if not yes and sys.stdin.isatty() and sys.stdout.isatty():
            wishes, ask = _asked(looked, wishes, ask)
            made = propose(looked, wishes)
        names = [*looked.columns[:12], *(["..."] if looked.columns[12:] else [])]
        say(f"{looked.source}: {counted(looked.n_rows, 'row')}; columns {', '.join(names)}")
        say(f"input:         {made.input}" + (f", with {', '.join(made.shown)}" if made.shown else ""))
        say(f"right answer:  {made.target or made.graded or 'none'}: {made.kind}")
        say(f"scored by:     {'a judge' if made.rubric else made.metric or ', '.join(next(iter(one)) for one in made.assertions)}")
        started = start(made, chosen, into, Given(name, ask, prompt or (), sentences, judge))
    for given in prompt or ():
        if not given.is_file():
            raise UsageProblem(f"{given}: {no_file(given, given.suffix)}")
    _write(started.files, into, force)
    for note in started.notes:
        say(f"note: {note}")
    for what in started.left_out:
        say(f"not converted: {what}")
    _show(into / started.experiment)


def _looked(data: str, sheet: str | None, config: str | None, split: str | None) -> Looked:
    from promptlab.sources.starting import dataset, look

    path = Path(data)
    is_dataset = data.startswith("hf:") or (data.count("/") == 1 and not path.suffix and not path.exists() and not path.parent.is_dir())
    return dataset(data.removeprefix("hf:"), config, split) if is_dataset else look(path, sheet)


def _asked(looked: Looked, wishes: Wishes, ask: str | None) -> tuple[Wishes, str | None]:
    """The proposal as questions, each with its answer; only where somebody is there to answer."""
    from promptlab.sources.starting import Wishes, propose
    from promptlab.sources.starting import prompt as plain_prompt

    made = propose(looked, wishes)
    say(f"columns: {', '.join(looked.columns)}")
    wanted = typer.prompt("Which column holds the input?", default=made.input)
    right = typer.prompt("Which column holds the right answer ('none' for none)?", default=made.target or made.graded or "none")
    wishes = Wishes(wanted, None if right == "none" and right not in looked.columns else right, wishes.metric, wishes.rubric)
    told = propose(looked, wishes)
    if ask is None and not told.is_chat:
        first = str(plain_prompt(told, None)).split("\n", 1)[0]
        answer = typer.prompt("What is the model asked to do?", default=first)
        ask = None if answer == first else answer
    return wishes, ask


def _write(files: dict[str, str], into: Path, force: bool) -> None:
    """All of the files or none: never over another one without --force."""
    from promptlab.record.store import write_whole

    taken = [str(into / name) for name in files if os.path.lexists(into / name)]
    if taken and not force:
        raise UsageProblem(f"{', '.join(taken)} exist already; nothing was written. --force overwrites; to write elsewhere, add --into new")
    for name, text in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode("utf-8"))
        say(f"wrote {path}")


def _show(path: Path) -> None:
    """Three prompts as the model will get them, the price, and what to do next."""
    from promptlab.cli.plan import show_cost
    from promptlab.planning.plan import make_plan
    from promptlab.planning.resolve import resolve

    try:
        study = resolve(path)
        made = make_plan(study)
    except FileProblems as error:
        say(f"Wrote the files. Fix what is wrong in them:\n{error}\nthen: promptlab plan {path}")
        raise typer.Exit(error.exit_code) from None
    _prompts(study)
    show_cost(made)
    dear = max((e.usd[1] or 0.0 for e in made.estimates), default=0.0)
    if study.experiment.budget_usd is not None and dear > study.experiment.budget_usd:
        say(f"note: it may cost more than budget_usd: {study.experiment.budget_usd:g}; raise that, or lower 'items'")
    say(f"next: read and change {path}, then:")
    say(f"  promptlab plan {path}     # what it can find; sends nothing")
    say(f"  promptlab sweep {path}    # runs, and ends with the verdict")


def _prompts(study: Study) -> None:
    from promptlab.design.render import render

    arms = [arm for arm in study.design.arms if arm.prompt is not None and arm.stimulus is None]
    for n, item in enumerate(study.design.tasks[0].items[:SHOWN]):
        arm = arms[n % len(arms)]
        say(f"--- item {item.id} in the prompt {arm.setting.prompt}, right: {', '.join(item.targets) or 'not known'}")
        text = "\n".join(f"[{message['role']}] {message['content']}" for message in render(study.design.tasks[0], item, arm))
        say(text if len(text) <= WIDEST else text[:WIDEST] + f"... ({len(text):,} characters)")


def _copy(example: str, into: Path, force: bool) -> None:
    """A shipped experiment, and the files next to it that it names, under their own names."""
    from promptlab.sources.starting import example_files

    known = {file.stem: file for file in sorted(shipped("experiments").glob("*.yaml"))}
    if example not in known:
        near = did_you_mean(example, known) or f"known: {', '.join(known)}; for example --example quickstart"
        raise UsageProblem(f"no experiment {example!r} comes with promptlab; {near}")
    path = source(known[example])
    _write(example_files(path), into, force)
    say(f"next: promptlab plan {into / path.name}, promptlab sweep {into / path.name}")

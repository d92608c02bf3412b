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
from promptlab.nouns import UsageProblem, counted, did_you_mean, full_name

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
        Path | None, Option("--out", "-o", help="The file (.csv, .jsonl, .parquet), or with dspy the folder; default: next to the run.")
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

INTRO = """# One run, from the record

This notebook reads a run folder and calls no model: no key, no network. Run all its cells, then change what you like; `promptlab
notebook` rewrites it. Names, prompts and answers are read when it runs and shown as text.{simulated}"""
SIMULATED = """

**SIMULATED**: promptlab made up answers of this run. Such answers say nothing about any real model."""

OPEN = """from pathlib import Path

import pandas as pd
from IPython.display import SVG, display

from promptlab import open_run
from promptlab import reporting as report
from promptlab.nouns.inert import inert
from promptlab.reporting import charts, flips

run = open_run(Path({folder}).resolve())
built = report.build(run)
pd.set_option("display.html.use_mathjax", False, "display.max_colwidth", None)


def plain(text: object) -> str:
    \"\"\"Text of the run, with what hides or steers a screen spelled out.\"\"\"
    return "\\n".join(inert(line) for line in str(text).split("\\n"))


def table(frame: pd.DataFrame) -> pd.DataFrame:
    \"\"\"The frame with its texts and column names as plain text.\"\"\"
    shown = frame.map(lambda value: plain(value) if isinstance(value, str) else value)
    return shown.rename(columns=plain).reset_index(drop=True)


def drawn(chart: object) -> None:
    \"\"\"Show a chart as SVG, drawn here.\"\"\"
    display(SVG(charts.svg(chart)))


print(*map(plain, report.headline(built)), sep="\\n")"""

CHOICE_WORDS = """## What to look at

A run may have several models and controls. The first control is the one that isolates what the sentences say, where the run has it."""
CHOICE = """model = built.models[0]
control = next(iter(built.controls), None)
print("models:  ", *map(plain, built.models), sep="  ")
print("controls:", *map(plain, built.controls), sep="  ")"""

VERDICT_WORDS = """## Verdicts

Treatment minus control over the tasks, as fractions, with 95 % intervals; `p_adjusted` is corrected for all comparisons of its family.
`docs/reference/statistics.md` says how each verdict comes about."""
VERDICT = """verdicts = report.comparison_frame(built)
numbers = ["diff", "ci_low", "ci_high"]
verdicts[numbers] = verdicts[numbers].astype(float).round(3)
verdicts["p_adjusted"] = ["-" if pd.isna(p) else f"{p:.2g}" for p in verdicts["p_adjusted"]]
where = ["model", *(name for name in ("placement", "shots", "strategy", "oracle") if verdicts[name].nunique() > 1)]
means = verdicts[verdicts["scope"].isin(["primary", "stimulus"])]
table(means[[*where, "control", "treatment", "scope", "n_tasks", "n_pairs", "n_missing", *numbers, "p_adjusted", "verdict"]])"""

FOREST_WORDS = """## Over the tasks

One chart for each setting: the difference in points, its interval, n and the verdict in words. The grey band is the margin."""
FOREST = """def of(scope: str, setting) -> list:
    \"\"\"The comparisons of one scope with the chosen model, control and setting.\"\"\"
    return [c for c in built.of(scope, model, control) if c.setting == setting]


for setting in built.plan.settings:
    if of("stimulus", setting):
        name = f"{model}, against {control}: {setting.words}"
        drawn(charts.forest([*of("primary", setting), *of("stimulus", setting)], name, built.simulated))"""

MATRIX_WORDS = """## Task by task"""
MATRIX = """for setting in built.plan.settings:
    if of("cell", setting):
        name = f"{model}, against {control}: {setting.words}"
        drawn(charts.matrix(of("cell", setting), name, built.simulated))"""

LOOK_WORDS = """## Cells that need a look

No verdict, pairs lost, or a loss: the sentence says why. An empty table is good news."""
LOOK = """cells = verdicts[(verdicts["scope"] == "cell") & (verdicts["model"] == model) & (verdicts["control"] == control)]
odd = cells[cells["verdict"].isin(["refused", "hurts"]) | (cells["n_missing"] > 0)]
table(odd[["task", "treatment", "n_pairs", "n_missing", "diff", "verdict", "sentence"]].sort_values(["verdict", "task"]))"""

FLIP_WORDS = """## One item that flipped

From the cell with the largest difference: the item that changed most between the two arms, with both prompts as they were sent and both
answers. Model output is text: it is printed, never rendered."""
FLIP = """print(plain(flips.largest(run, built, model, control)))"""

LOOP_WORDS = """## Feedback loops

Pass@k is the share of items of which any of the first k answers was right, with Wilson's interval. More attempts, the news that an
answer is wrong, and any remark at all can help; only the difference to the same loop with affect-free remarks can be attributed to
emotion. A loop with an oracle cannot be compared with single answers."""
LOOP = """for loop in run.plan.loops:
    rows = [row for row in built.rounds if row["model"] == model and row["loop"] == loop.strategy]
    if rows:
        drawn(charts.rounds(rows, " ".join([model, loop.strategy]), built.simulated))"""
LOOP_ROUNDS = """table(pd.DataFrame(built.rounds).round(3))"""
LOOP_ARMS = """table(pd.DataFrame(built.loop_arms))"""
LOOP_EMOTIONS = """table(pd.DataFrame(built.emotions))"""

COST_WORDS = """## Cost

What was paid, and for each arm how answers ended, tokens and the price of the answers. Unknown is not 0."""
COST = """print(plain(built.paid))
table(report.arm_table(built))"""


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
    yield "markdown", "intro", INTRO.format(simulated=SIMULATED if simulated else "")
    yield "code", "open", OPEN.replace("{folder}", ascii(folder))
    for key, words, codes in (
        ("choice", CHOICE_WORDS, [CHOICE]),
        ("verdicts", VERDICT_WORDS, [VERDICT]),
        ("forest", FOREST_WORDS, [FOREST]),
        ("matrix", MATRIX_WORDS, [MATRIX]),
        ("look", LOOK_WORDS, [LOOK]),
        ("flip", FLIP_WORDS, [FLIP]),
        *([("loops", LOOP_WORDS, [LOOP, LOOP_ROUNDS, LOOP_ARMS, LOOP_EMOTIONS])] if loops else []),
        ("cost", COST_WORDS, [COST]),
    ):
        yield "markdown", f"{key}-words", words
        for number, code in enumerate(codes):
            yield "code", f"{key}-{number}", code


def as_json(made: Iterator[Cell]) -> str:
    """A notebook of format 4.5 without outputs."""
    written: list[dict[str, Any]] = []
    for kind, key, source in made:
        empty: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
        written.append({"cell_type": kind, "id": key, "metadata": {}, "source": source.splitlines(keepends=True), **empty})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": written, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"

"""`promptlab notebook`: a notebook that reads one run, written for the run but without a word of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from promptlab.cli.report import RunFolder
from promptlab.cli.screen import say
from promptlab.nouns import UsageProblem

NAME = "notebook.ipynb"
Cell = tuple[str, str, str]
"""Kind (markdown or code), id, and source."""

INTRO = """# One run, from the record

This notebook reads a run folder and calls no model: no key, no network. Run all its cells, then change what you like; `promptlab
notebook` writes it anew. Names, prompts and answers are read when it runs and shown as text.{simulated}"""
SIMULATED = """

**SIMULATED**: promptlab made up answers of this run. Such answers say nothing about any real model."""

OPEN = """from pathlib import Path

import pandas as pd
from IPython.display import SVG, display

from promptlab import open_run
from promptlab import reporting as report
from promptlab.nouns.inert import inert
from promptlab.reporting import charts

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
`docs/statistics.md` says how each verdict comes about."""
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
FLIP = """import json


def told(trial: str) -> str:
    \"\"\"The messages of a trial's last call, and its answer.\"\"\"
    calls = run.calls_of(trial)
    if calls.empty:
        return "(no call is recorded)"
    last = calls.iloc[-1]
    said = [f"{message.get('role')}: {message.get('content')}" for message in json.loads(last["messages"])]
    return "\\n".join([*said, f"answer: {last['text']}"])


def flip() -> str:
    \"\"\"The largest change of one item in the cell with the largest difference.\"\"\"
    judged = [c for c in built.of("cell", model, control) if c.diff]
    if not judged:
        return "No cell has a difference yet."
    c = max(judged, key=lambda c: abs(c.diff))
    trials = built.trials
    mine = trials[(trials["model"] == c.model) & (trials["task"] == c.task) & (trials["strategy"] == c.strategy)]
    mine = mine[(mine["placement"] == c.placement) & (mine["shots"] == c.shots)]
    columns = ["item", "base_prompt", "replicate", "trial", "arm", "score"]
    pairs = mine.loc[mine["arm"].isin(c.control_arms), columns].merge(
        mine.loc[mine["arm"] == c.treatment, columns], on=columns[:3], suffixes=("_control", "_treated")
    )
    change = (pairs["score_treated"] - pairs["score_control"]) * (1 if c.diff > 0 else -1)
    if change.empty or not change.max() > 0:
        return "No single item flipped."
    pair = pairs.loc[change.idxmax()]
    [item] = run.items()[lambda items: (items["task"] == c.task) & (items["item"] == pair["item"])].to_dict("records")[:1]
    return "\\n".join(
        [
            f"{c.task}, item {pair['item']}; right: {' or '.join(map(str, item['targets']))}",
            "",
            f"{pair['arm_control']}, score {pair['score_control']:g}",
            told(pair["trial_control"]),
            "",
            f"{pair['arm_treated']}, score {pair['score_treated']:g}",
            told(pair["trial_treated"]),
        ]
    )


print(plain(flip()))"""

LOOP_WORDS = """## Feedback loops

Pass@k is the share of items of which any of the first k answers was right, with Wilson's interval. More attempts, the news that an
answer is wrong, and any remark at all can help; only the difference to the same loop with affect-free remarks can be put down to
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
    out: Annotated[Path | None, typer.Option("--out", "-o", help=f"The notebook; {NAME} in the run folder when left out.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a notebook that is there already.")] = False,
) -> None:
    """Write a Jupyter notebook that opens the run: verdicts, charts, an item that flipped, loops, cost. It calls no model."""
    from promptlab.record.store import Run, write_whole

    found = Run(run)
    path = out or run / NAME
    if path.suffix != ".ipynb":
        raise UsageProblem(f"{path}: a notebook's name ends in .ipynb")
    if os.path.lexists(path) and not force:
        raise UsageProblem(f"{path} is there already, perhaps with changes of yours; choose another --out, or replace it with --force")
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

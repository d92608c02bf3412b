"""`promptlab import`: results of other tools as a run."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from promptlab.cli.common import AsJson, Runs, exit_json, print_table, say
from promptlab.nouns import UsageProblem, inert
from promptlab.nouns.words import counted

if TYPE_CHECKING:
    from promptlab.importers import Brought, Explained


From = Literal["auto", "promptfoo", "inspect", "lm-eval", "table", "counts"]
Column = Annotated[str | None, Option(help="A table's column that holds it.")]
Variable = Annotated[str | None, Option(help="A table's column that holds it, or promptfoo's test variable.")]
Several = list[str] | None


def bring(
    files: Annotated[list[Path], Argument(help="The results of one tool; several files where it writes one for each arm.")],
    runs: Runs = Path("runs"),
    name: Annotated[str | None, Option(help="The run's name; default: from the file's name.")] = None,
    from_: Annotated[From, Option("--from", help="promptfoo, inspect, lm-eval, table or counts; default: recognised.")] = "auto",
    explain: Annotated[bool, Option("--explain", help="Report the content of the files and the choices, and import nothing.")] = False,
    baseline: Annotated[str | None, Option(help="The arm without the added text, by its name or its prompt.")] = None,
    placebo: Annotated[Several, Option(help="An arm with a neutral text; may be given several times.")] = None,
    arms: Annotated[str | None, Option(help="ARM,ARM: take these arms only.")] = None,
    drop: Annotated[Several, Option(help="Leave an arm out; may be given several times.")] = None,
    arm_name: Annotated[Several, Option(help="FILE=NAME: the arm that a file holds; may be given several times.")] = None,
    task_name: Annotated[str | None, Option(help="The name of the task.")] = None,
    metric: Annotated[
        str | None, Option(help="The score to take where there are several; promptfoo: pass or score; lm-eval: METRIC or METRIC,FILTER.")
    ] = None,
    scorer: Annotated[str | None, Option(help="The scorer of inspect_ai to take where there are several.")] = None,
    lower_is_better: Annotated[
        bool | None, Option("--lower-is-better/--higher-is-better", help="The direction of the score, where the files do not say it.")
    ] = None,
    scale: Annotated[str | None, Option(help="LOW,HIGH: the ends of the scores' scale, where it is not 0,1.")] = None,
    wide: Annotated[Several, Option(help="ARM=COLUMN,ARM=COLUMN: a table with a row an item and a column of scores an arm.")] = None,
    sheet: Annotated[str | None, Option(help="The sheet of an Excel file, where several hold rows.")] = None,
    per_model: Annotated[bool, Option("--per-model", help="Counts: judge each model separately.")] = False,
    force: Annotated[bool, Option("--force", help="Import arms that were run with different versions or parameters.")] = False,
    all_asked: Annotated[bool, Option("--all-asked", help="All arms ran every item: one that an arm lacks is a missing answer.")] = False,
    item: Variable = None,
    arm: Annotated[
        str | None, Option(help="A table's column that holds it, promptfoo's test variable, or `model`: compare models.")
    ] = None,
    score: Column = None,
    model: Column = None,
    task: Column = None,
    repeat: Column = None,
    answer: Column = None,
    prompt: Column = None,
    base_prompt: Column = None,
    cluster: Variable = None,
    outcome: Column = None,
    as_json: AsJson = False,
) -> None:
    """Turn results of another tool, or a table, into a run that `report` and `view` read; docs/import.md shows a command for each."""
    from promptlab import importers

    columns = {
        "item": item, "arm": arm, "score": score, "model": model, "task": task, "repeat": repeat, "answer": answer, "prompt": prompt,
        "base_prompt": base_prompt, "cluster": cluster, "outcome": outcome,
    }  # fmt: skip
    options = importers.Options(
        kind=from_, baseline=baseline, placebos=tuple(placebo or ()), metric=metric, scorer=scorer, scale=_scale(scale),
        columns={what: column for what, column in columns.items() if column is not None}, per_model=per_model, force=force,
        all_asked=all_asked,
        arms=tuple(part.strip() for part in (arms or "").split(",") if part.strip()), drop=tuple(drop or ()), wide=tuple(wide or ()),
        sheet=sheet, task_name=task_name, higher_is_better=None if lower_is_better is None else not lower_is_better,
    )  # fmt: skip
    if explain:
        told = importers.explain(files, options, _arm_names(arm_name or ()))
        if as_json:
            exit_json(asdict(told))
        _say_explained(told)
        return
    done = importers.bring(files, runs, options, name=name, arm_names=_arm_names(arm_name or ()), watch=_watch())
    if as_json:
        exit_json(_row(done))
    _say(done)


def _watch() -> Callable[[str, float], None]:
    """Lines on stderr about an import that takes more than some seconds."""
    next_at = time.monotonic() + QUIET_S

    def watch(what: str, share: float) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + QUIET_S
            typer.echo(f"{inert(what)}: {100 * share:.0f} %", err=True)

    return watch


def _say_explained(told: Explained) -> None:
    say(f"recognised:    {', '.join(told.tools)}, as --from {told.kind}")
    for name, value in told.found.items():
        say(f"{name}:".ljust(15) + value)
    if told.arms:
        print_table(
            "Arms", ["arm", "results", "with a score", "prompt or text"], [[*arm[:3], " ".join(arm[3].split())[:100]] for arm in told.arms]
        )
    for note in told.notes:
        say(f"note:          {note}")
    say(f"choices:       {', '.join(told.flags)}")
    command = shlex.join(word for word in sys.argv[1:] if word != "--explain")
    say(f"to be chosen:  {told.open}" if told.open else f"import it:     promptlab {command}")


QUIET_S = 3.0
"""For so long nothing is printed."""


def _scale(given: str | None) -> tuple[float, float] | None:
    if given is None:
        return None
    try:
        low, high = (float(part) for part in given.split(","))
    except ValueError:
        raise UsageProblem(f"--scale {given}: expected two numbers and a comma between them, such as --scale 0,100") from None
    return low, high


def _arm_names(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        file, sign, name = text.rpartition("=")
        if not sign or not file or not name.strip():
            raise UsageProblem(f"--arm-name {text}: expected FILE=NAME, such as --arm-name samples_sums.jsonl=none")
        found[file] = name.strip()
    return found


def _row(done: Brought) -> dict[str, object]:
    row = {key: value for key, value in asdict(done).items() if key != "folder"}
    arms = [{key: getattr(arm, key) for key in ("name", "imported_as", "role", "text")} for arm in done.arms]
    return {"run": done.folder.name, "folder": str(done.folder), **row, "arms": arms}


def _say(done: Brought) -> None:
    for guess in done.guessed:
        say(f"guessed:       {guess}")
    for note in done.notes:
        say(f"note:          {note}")
    say(
        f"{'imported' if done.written else 'is there already'}:".ljust(15)
        + f"{done.n_results:,} results of {', '.join(done.tools)}: {counted(len(done.arms), 'arm')}, {counted(done.n_items)}, "
        f"{counted(len(done.models), 'model')}, {counted(len(done.tasks), 'task')}"
    )
    for arm in done.arms:
        named = f" ({arm.imported_as!r} in the file)" if arm.imported_as != arm.name else ""
        text = f": {' '.join(arm.text.split())[:100]}" if arm.text and arm.role != "baseline" else ""
        say(f"  {arm.role:12} {arm.name}{named}{text}")
    if done.sign_tests:
        rows = [[t.model, t.task, t.arm, t.gained, t.lost, t.p_exact, t.p_holm] for t in done.sign_tests]
        columns = ["model", "task", "arm", "gained", "lost", "exact p", "p after Holm"]
        print_table("Exact sign tests of the changed items", columns, rows)
    say("not frozen:    the comparison was fixed after these results were there, which every report of this run should say")
    say(f"run:           {done.folder}")
    say(f"judge it:      promptlab report {done.folder}")

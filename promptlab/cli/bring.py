"""`promptlab import`: results of other tools as a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptlab.cli.common import AsJson, Runs, exit_json, print_table, say
from promptlab.nouns import UsageProblem

if TYPE_CHECKING:
    from promptlab.importers import Brought


From = Literal["auto", "promptfoo", "inspect", "lm-eval", "table", "counts"]
Column = Annotated[str | None, typer.Option(help="A table's column that holds it.", show_default=False)]
Variable = Annotated[str | None, typer.Option(help="A table's column that holds it, or promptfoo's test variable.", show_default=False)]


def bring(
    files: Annotated[
        list[Path], typer.Argument(help="The results of one tool; several files where it writes one for each arm.", show_default=False)
    ],
    runs: Runs = Path("runs"),
    name: Annotated[str | None, typer.Option(help="The run's name; from the file's name when left out.")] = None,
    from_: Annotated[From, typer.Option("--from", help="promptfoo, inspect, lm-eval, table or counts; found out when left out.")] = "auto",
    baseline: Annotated[str | None, typer.Option(help="The arm without the added text.")] = None,
    placebo: Annotated[list[str] | None, typer.Option(help="An arm with a neutral text; may be given several times.")] = None,
    arm_name: Annotated[list[str] | None, typer.Option(help="FILE=NAME: the arm that a file holds; may be given several times.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="The score to take where a tool gives several; lm-eval: METRIC or METRIC,FILTER.")
    ] = None,
    scorer: Annotated[str | None, typer.Option(help="The scorer of inspect_ai to take where there are several.")] = None,
    scale: Annotated[str | None, typer.Option(help="LOW,HIGH: the ends of the scores' scale, where it is not 0,1.")] = None,
    per_model: Annotated[bool, typer.Option("--per-model", help="Counts: judge every model by itself instead of all together.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Import arms that were asked with different versions or parameters.")] = False,
    item: Variable = None,
    arm: Variable = None,
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
    """Turn results of promptfoo, inspect_ai, lm-evaluation-harness or a table into a run that `report` and `view` read."""
    from promptlab.importers import Options, bring

    columns = {
        "item": item, "arm": arm, "score": score, "model": model, "task": task, "repeat": repeat, "answer": answer, "prompt": prompt,
        "base_prompt": base_prompt, "cluster": cluster, "outcome": outcome,
    }  # fmt: skip
    options = Options(
        kind=from_, baseline=baseline, placebos=tuple(placebo or ()), metric=metric, scorer=scorer, scale=_scale(scale),
        columns={what: column for what, column in columns.items() if column is not None}, per_model=per_model, force=force,
    )  # fmt: skip
    done = bring(files, runs, options, name=name, arm_names=_arm_names(arm_name or ()))
    if as_json:
        exit_json(_row(done))
    _say(done)


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
        + f"{done.n_results:,} results of {', '.join(done.tools)}: {len(done.arms)} arms, {done.n_items:,} items, "
        f"{len(done.models)} model(s), {len(done.tasks)} task(s)"
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

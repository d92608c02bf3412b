"""`promptlab task`: tasks of the user's own, looked over before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import AsJson
from promptlab.cli.screen import print_json, say
from promptlab.nouns.errors import EXIT_USAGE

if TYPE_CHECKING:
    from promptlab.nouns.item import Item, Task

task = typer.Typer(name="task", help="Tasks of your own: check a task file before it is asked.", no_args_is_help=True)
MOST_TOLD = 20


@task.callback()
def _task() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@task.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A task file (YAML), or a BIG-bench task.json.", show_default=False)], as_json: AsJson = False
) -> None:
    """Say what is wrong with a task of your own, row by row, and show three prompts. Exit code 2 when something is wrong."""
    from promptlab.sources.own import check_task, load_own

    own = load_own(file)
    checked = check_task(own)
    found = own.task
    examples = [{"item": item.id, "prompt": prompt, "targets": list(item.targets)} for item, prompt in first_prompts(found)]
    row: dict[str, Any] = {
        "task": found.id,
        "n_items": len(found.items),
        "n_demos": len(found.demos),
        "metric": found.metric,
        "says": "scored by" if found.parameters else "every right answer scores 1 by",
        "chance": found.chance,
        "base_prompts": dict(found.base_prompts),
        "source": found.source,
        "gold_below_1": [{"item": item.id, "target": target, "score": score} for item, target, score in checked.gold.below_1],
        "gold_failed": [{"item": item.id, "target": target, "why": why} for item, target, why in checked.gold.failed],
        "notes": list(checked.notes),
        "examples": examples,
    }
    if as_json:
        print_json(row)
    else:
        _say(file, row)
    if any(checked.gold):
        raise typer.Exit(EXIT_USAGE)


def first_prompts(found: Task) -> list[tuple[Item, str]]:
    """The first three items of a task, and what a model is asked for each."""
    from promptlab.design.render import PRESETS, render
    from promptlab.strategies import plain_arm

    arm = plain_arm(next(iter(found.base_prompts)), PRESETS["paper"])
    return [(item, render(found, item, arm)[-1]["content"]) for item in found.items[:3]]


def _say(file: Path, row: dict[str, Any]) -> None:
    for example in row["examples"]:
        say(f"--- item {example['item']}, answers {example['targets']}\n{example['prompt']}\n")
    wrong, failed = row["gold_below_1"], row["gold_failed"]
    for one in wrong[:MOST_TOLD]:
        say(f"item {one['item']}: the right answer {one['target']!r} scores {one['score']:g} by the metric {row['metric']}")
    for one in failed[:MOST_TOLD]:
        say(f"the right answer {one['target']!r} gets no score: {one['why']}")
    for these, what in ((wrong, "do not score 1"), (failed, "get no score")):
        if len(these) > MOST_TOLD:
            say(f"and {len(these) - MOST_TOLD:,} more right answers that {what}")
    for note in row["notes"]:
        say(f"note: {note}")
    if failed:
        say(f"{file}: {len(failed):,} right answers get no score; mend the metric")
    if wrong:
        say(f"{file}: {len(wrong):,} right answers do not score 1; choose another metric, or mend the answers")
    elif not failed:
        say(f"{file}: ok ({row['task']}, {row['n_items']:,} items, {row['says']} {row['metric']})")
        say(f"ask it: name it in an experiment with task_files: [{file}] and tasks: [{row['task'].partition('/')[2]}]")

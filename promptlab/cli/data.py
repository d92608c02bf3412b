"""`promptlab data`, `task` and `stimuli`: the official files, verified always; tasks and libraries of the user's own, looked over first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument

from promptlab.cli.common import AllowCode, AsJson, exit_json, print_json, print_rows, say
from promptlab.nouns import EXIT_ERROR, EXIT_USAGE, counted

if TYPE_CHECKING:
    from promptlab.nouns import Item, Stimulus, Task

data = typer.Typer(name="data", help="The official data files: import, pull, list, verify.", no_args_is_help=True)


@data.command("import")
def import_(
    directory: Annotated[Path, Argument(help="A folder or checkout that holds the official files.")],
) -> None:
    """Copy the official files from a folder; each is checked against its SHA-256 first."""
    from promptlab.sources.official import files as official

    done = official.import_from(directory)
    say(f"{counted(len(done.copied), 'file')} imported, {len(done.kept)} there before, {len(done.missing)} missing, in {done.folder}")
    for path in done.missing:
        say(f"missing: {path}")


@data.command("pull")
def pull(names: Annotated[list[str] | None, Argument(help="Tasks or file paths; default: all.")] = None) -> None:
    """Download the official files from their public GitHub addresses at pinned commits; verified files are skipped."""
    from promptlab.sources.official import files as official

    done = official.pull(names or None, lambda path, n, total: say(f"{n}/{total} {path}"))
    say(f"{counted(len(done.copied), 'file')} pulled, {len(done.kept)} were there already, in {done.folder}")


@data.command("ls")
def ls(as_json: AsJson = False) -> None:
    """Every official file, whether it is here, and where it comes from."""
    from promptlab.sources.official import files as official

    rows = [asdict(state) for state in official.listing()]
    note = f"in {official.data_dir()}; get them with `promptlab data import DIR` or `promptlab data pull`"
    print_rows("Official files", rows, {"path": "file", "state": "state", "bytes": "bytes", "licence": "licence"}, note, as_json=as_json)


@data.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Recompute every file's SHA-256; exit code 1 when one is damaged."""
    from promptlab.sources.official import files as official

    rows = [asdict(state) for state in official.verify()]
    damaged = [row for row in rows if row["state"] == "damaged"]
    if as_json:
        print_json(rows)
    else:
        counts = {state: sum(row["state"] == state for row in rows) for state in ("present", "absent", "damaged")}
        say(", ".join(f"{n} {state}" for state, n in counts.items()) + f", in {official.data_dir()}")
        for row in damaged:
            say(f"damaged: {row['path']}; import or pull it again")
    if damaged:
        raise typer.Exit(EXIT_ERROR)


task = typer.Typer(name="task", help="Tasks of your own: check a task file before a sweep uses it.", no_args_is_help=True)
MOST_TOLD = 20


@task.callback()
def _task() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@task.command("check")
def check_task(
    file: Annotated[Path, Argument(help="A task file (YAML), or a BIG-bench task.json.")],
    allow_code: AllowCode = False,
    as_json: AsJson = False,
) -> None:
    """Report problems of a task of your own, row by row, and show three prompts. Exit code 2 where there are any."""
    from promptlab.sources import own
    from promptlab.sources.spec.user import consent

    loaded = own.load_own(file, consent(allow_code))
    checked, found = own.check_task(loaded), loaded.task
    examples = [{"item": item.id, "prompt": prompt, "targets": list(item.targets)} for item, prompt in first_prompts(found)]
    says = "scored by" if found.parameters or found.metric == "assertions" else "every right answer scores 1 by"
    says = "not scored by" if found.own is not None and found.own.refused else says
    row: dict[str, Any] = {
        "task": found.id, "n_items": len(found.items), "n_demos": len(found.demos), "metric": found.metric,
        "says": says, "chance": found.chance,
        "base_prompts": dict(found.base_prompts), "source": found.source,
        "gold_below_1": [{"item": item.id, "target": target, "score": score} for item, target, score in checked.gold.below_1],
        "gold_failed": [{"item": item.id, "target": target, "why": why} for item, target, why in checked.gold.failed],
        "notes": list(checked.notes), "examples": examples, "tried": [asdict(one) for one in checked.examples],
    }  # fmt: skip
    if as_json:
        print_json(row)
    else:
        _say(file, row)
    if any(checked.gold) or any(one.wrong for one in checked.examples):
        raise typer.Exit(EXIT_USAGE)


def first_prompts(found: Task) -> list[tuple[Item, str]]:
    """The first three items of a task, and the prompt that a model gets for each."""
    from promptlab.design.render import PRESETS, render
    from promptlab.strategies import plain_arm

    if not found.base_prompts:
        return [(item, item.input) for item in found.items[:3]]
    arm = plain_arm(next(iter(found.base_prompts)), PRESETS["paper"])
    return [(item, render(found, item, arm)[-1]["content"]) for item in found.items[:3]]


def _say(file: Path, row: dict[str, Any]) -> None:
    for example in row["examples"]:
        say(f"--- item {example['item']}, answers {example['targets']}\n{example['prompt']}\n")
    for one in row["tried"]:
        scores = ", ".join(
            f"{name} {score:g}" if isinstance(score, float | int) else f"{name}: {score}" for name, score in one["found"].items()
        )
        say(f"example {one['answer'][:60]!r} for item {one['item']}: {scores}")
        for told in one["wrong"]:
            say(f"  {told}")
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
        say(f"{file}: {len(failed):,} right answers get no score; correct the metric")
    if wrong:
        say(f"{file}: {len(wrong):,} right answers do not score 1; choose another metric, or correct the answers")
    bad = sum(bool(one["wrong"]) for one in row["tried"])
    if bad:
        say(f"{file}: {bad} of {len(row['tried'])} examples are not scored as they say; correct the assertions, or the examples")
    elif not failed and not wrong:
        say(f"{file}: ok ({row['task']}, {counted(row['n_items'])}, {row['says']} {row['metric']})")
        say(f"use it: name it in an experiment with task_files: [{file}] and tasks: [{row['task'].partition('/')[2]}]")


stimuli = typer.Typer(name="stimuli", help="Stimulus libraries of your own: check one before a sweep uses it.", no_args_is_help=True)
PER_STIMULUS = 3


@stimuli.callback()
def _stimuli() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@stimuli.command("check")
def check_stimuli(
    file: Annotated[Path, Argument(help="A library of stimuli, placebos, paraphrases or cues (YAML).")],
    as_json: AsJson = False,
) -> None:
    """Report problems of a library, and for each text its length and what it is compared with. Exit code 2 where there are any."""
    from promptlab.sources.spec.libraries import all_stimuli, is_cue_file, load_cues
    from promptlab.sources.tokens import DEFAULT, n_tokens

    if is_cue_file(file):
        library = load_cues(file)
        counts = {emotion: len(library.of(emotion)) for emotion in dict.fromkeys(cue.emotion for cue in library.cues)}
        if as_json:
            exit_json({"library": library.name, "cues": counts})
        say(f"{file}: ok ({library.name}, cues: " + ", ".join(f"{n} {emotion}" for emotion, n in counts.items()) + ")")
        return
    known, shipped = all_stimuli([file]), all_stimuli()
    own = [s for name, s in known.items() if name not in shipped]
    rows: list[dict[str, Any]] = []
    for s in own:
        near = matched(s, known.values()) if s.role == "stimulus" else ()
        apart = [abs(n_tokens(p.text) - n_tokens(s.text)) for p in near]
        facts = {"stimulus": s.id, "role": s.role, "n_words": s.n_words, "n_tokens": n_tokens(s.text)}
        rows.append({**facts, "placebos": [p.id for p in near], "tokens_apart": apart, "text": s.text})
    if as_json:
        exit_json(rows)
    heads = {"n_words": "words", "n_tokens": "tokens", "placebos": "compared with"}
    columns = {key: heads.get(key, key) for key in ("stimulus", "role", *heads, "text")}
    print_rows("", rows, columns, f"tokens by {DEFAULT}")
    far = [r["stimulus"] for r in rows if r["tokens_apart"] and min(r["tokens_apart"]) > 1]
    if far:
        say(f"note: no neutral sentence within a token of {', '.join(far)}; add some of that length, or use kinds: [shuffled, whitespace]")
    unknown = [s.id for s in own if s.role == "paraphrase" and s.of not in known]
    if unknown:
        say(f"note: {', '.join(unknown)} reword stimuli that are in no library here")
    say(f"{file}: ok ({counted(len(own), 'text')}); name it in an experiment under stimulus_files")


def matched(stimulus: Stimulus, known: Iterable[Stimulus]) -> tuple[Stimulus, ...]:
    """The neutral sentences that a stimulus would be matched with."""
    from promptlab.design.cross import matched_placebos
    from promptlab.sources.tokens import n_tokens

    neutral = [s for s in known if s.role == "placebo"]
    lengths = {s.id: n_tokens(s.text) for s in (stimulus, *neutral)}
    return matched_placebos([stimulus], neutral, lengths, PER_STIMULUS, ["neutral"], 0)

"""SHA-256 of each part of an experiment that decides a result: computed before the first call, and again by an audit."""

from __future__ import annotations

import contextlib
import gc
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import promptlab
from promptlab.nouns import Frame, Loop, Model, Program, Stimulus, Task, digest, digest_of_text, plain_json
from promptlab.sources.spec.experiment import Experiment
from promptlab.sources.spec.libraries import SimModel

HASH_FORMAT = 2
"""1 wrote loops and programs in another form, and left out frames, clusters and how a text is joined: its runs keep their names."""


def hash_of_experiment(experiment: Experiment) -> str:
    """Of the experiment's keys and values: comments, and values that are the defaults, change nothing."""
    return digest(experiment.canonical())


def hash_of_data(tasks: Sequence[Task], format: int = HASH_FORMAT) -> str:  # noqa: A002 (the word of the run folder)
    """Of items, demonstrations, base prompts and scorers of all tasks, and of what else decides prompts and clusters."""
    with nothing_to_collect():
        items = [
            [t.id, t.metric, t.strict, dict(t.base_prompts), [(i.id, i.input, i.targets, i.choices, i.scores) for i in t.items]]
            for t in tasks
        ]
        demos = [[t.id, [[d.input, d.output, d.choices] for d in t.demos]] for t in tasks]
        more = {t.id: found for t in tasks if (found := _beyond_format_1(t))} if format > 1 else {}
        hashed = [items, demos, *([more] if more else [])]
        graded = any(item.scores for task in tasks for item in task.items)  # fractions, which not every writer writes alike
        return digest(hashed) if graded else digest_of_text(plain_json(hashed))


def _beyond_format_1(task: Task) -> dict[str, Any]:
    """What format 1 forgot of a task, where it is not the default."""
    found: dict[str, Any] = {"options": task.options} if task.options != "shown" else {}
    if task.frame != Frame():
        found["frame"] = task.frame.canonical()
    if task.columns:
        found["columns"] = [dict(row.columns) for rows in (task.items, task.demos) for row in rows]
    if any(item.cluster for item in task.items):
        found["clusters"] = [item.cluster for item in task.items]
    return found


def hash_of_stimuli(
    stimuli: Iterable[Stimulus],
    loops: Iterable[tuple[str, str, Loop]],
    programs: Iterable[tuple[str, Program]] = (),
    format: int = HASH_FORMAT,  # noqa: A002 (the word of the run folder)
) -> str:
    """Of all texts that are added; loops come with their strategy and arm, programs with their strategy."""
    every = list(stimuli)
    texts = sorted({(s.id, s.text, s.wordings) for s in every})
    joined = {s.id: s.joined_by for s in every if s.joined_by is not None}
    loop_of = {(strategy, arm): loop for strategy, arm, loop in loops}
    program_of = dict(programs)
    of_loop: Callable[[Loop], object] = _loop_1 if format == 1 else Loop.canonical
    of_program: Callable[[Program], object] = _program_1 if format == 1 else Program.canonical
    looped = [[*key, of_loop(loop_of[key])] for key in sorted(loop_of)]
    programs_of = [[key, of_program(program_of[key])] for key in sorted(program_of)]
    return digest([texts, looped, programs_of, *([joined] if joined and format > 1 else [])])


def _loop_1(loop: Loop) -> str:
    """A loop as format 1 hashed it."""
    steps = [_tuple_1(f"Cue({_fields_1(cue, 'key emotion valence text')})" for cue in step) for step in loop.cues]
    before, after = _fields_1(loop, "kind rounds mode settle"), _fields_1(loop, "verdict request solved_at token_budget seed library")
    return f"Loop({before}, cues={_tuple_1(steps)}, {after})"


def _program_1(program: Program) -> str:
    """A program as format 1 hashed it."""
    return f"Program({_fields_1(program, 'name factory input output instructions max_calls state source')})"


def _fields_1(noun: object, names: str) -> str:
    return ", ".join(f"{name}={getattr(noun, name)!r}" for name in names.split())


def _tuple_1(parts: Iterable[str]) -> str:
    found = list(parts)
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"


def hash_of_simulators(models: Iterable[Model], sims: Mapping[str, SimModel]) -> str:
    """Of the simulated models among these, as `sims` defines them by the name after `sim/`."""
    used = {model.litellm_name.removeprefix("sim/") for model in models if model.simulated}
    return digest({name: sims[name].model_dump(mode="json") for name in sorted(used)})


def name_of_run(experiment: str, hashes: Mapping[str, str]) -> str:
    """`name-xxxxxxxx`: the same experiment on the same data, stimuli and prices is the same run."""
    return f"{experiment}-{digest(hashes)[:8]}"


@contextlib.contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Hundreds of thousands of items are made that all stay: looking for garbage among them takes longer than making them."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.unfreeze()  # to the oldest: else the very next allocation has all of them looked through
            gc.enable()


@cache
def commit() -> str | None:
    """The commit of promptlab's own code, where it runs from a checkout."""
    root = Path(promptlab.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

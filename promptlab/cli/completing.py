"""What a shell completes: runs, experiments, tasks, stimuli, and the arms of the run on the line. Silent where something is wrong."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import typer

from promptlab.nouns import PromptlabError


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Names of run folders; below a path that is begun, the runs in it."""
    from promptlab.nouns import runs_folder
    from promptlab.record.store import runs_in

    folder, _, _ = incomplete.rpartition("/")
    with contextlib.suppress(OSError, PromptlabError):
        if folder:
            return _beginning((f"{folder}/{found.name}" for found in runs_in(Path(folder))), incomplete)
        return _beginning((found.name for found in runs_in(runs_folder())), incomplete)
    return []


def experiments(incomplete: str) -> list[str]:
    """YAML files and folders that begin so, and the names of shipped experiments."""
    from promptlab.nouns import shipped

    folder, _, start = incomplete.rpartition("/")
    place = Path(folder or ("/" if incomplete.startswith("/") else "."))
    files = [
        os.path.join(folder, path.name) + ("/" if path.is_dir() else "")
        for path in sorted(place.glob(f"{glob_safe(start)}*"))
        if path.is_dir() or path.suffix in (".yaml", ".yml")
    ]
    return files + _beginning((path.stem for path in sorted(shipped("experiments").glob("*.yaml"))), incomplete)


def glob_safe(text: str) -> str:
    """The text as a pattern that matches itself alone."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)


def runs_and_experiments(incomplete: str) -> list[str]:
    """Both, for commands that take either."""
    return runs(incomplete) + experiments(incomplete)


def tasks(incomplete: str) -> list[str]:
    """The shipped tasks."""
    from promptlab.sources.tasks import entries

    return _beginning(entries(), incomplete)


def stimuli(incomplete: str) -> list[str]:
    """The shipped stimuli and neutral texts."""
    from promptlab.sources.spec.libraries import all_stimuli

    return _beginning(all_stimuli(), incomplete)


def arms(context: typer.Context, incomplete: str) -> list[str]:
    """The arms and whole prompts of the run before it on the line."""
    from promptlab.nouns import run_named
    from promptlab.record.store import frozen_plan

    words = [word for word in context.args if not word.startswith("-")]  # an option that still lacks its value ends the parsing before
    given = context.params.get("run_a") or context.params.get("run") or next(iter(words), None)
    with contextlib.suppress(OSError, PromptlabError):
        if given:
            plan, _ = frozen_plan(run_named(Path(str(given))))
            return _beginning(dict.fromkeys([*(prompt.name for prompt in plan.prompts), *(arm.name for arm in plan.arms)]), incomplete)
    return []

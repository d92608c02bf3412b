"""A line to type where a value or a file on the command line is not one: what was given, with something in its place that there is."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from promptlab.nouns import PromptlabError

EXAMPLES = {
    "--max-cost": "1", "--max-tokens": "100000", "--batch-wait": "3600", "--margin": "3", "--labels": "100", "--ask": "20",
    "--max-cost-increase": "10",
}  # fmt: skip
"""Values of flags that have no default."""
NUMBER = re.compile(r"\W*(\d[\d,_']*(?:\.\d+)?)\W*(?:usd|eur|s|points|items|tokens)?\W*", re.IGNORECASE)
"""A number as people write it."""
CHOICES = re.compile(r"'([^']*)' is not one of '([^']*)'")
EXTRA = re.compile(r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)")
LISTED = {"task check": ["ls", "tasks"], "stimuli check": ["ls", "stimuli"], "init": ["init", "--example", "quickstart"]}
"""Commands that name what there is, by the command whose file is not there."""
TABLES = (".csv", ".jsonl", ".json", ".tsv", ".xlsx", ".parquet")


def command(words: Sequence[str]) -> str:
    """A command of promptlab, quoted for copying; the words follow `promptlab`."""
    return f"promptlab {shlex.join(words)}"


def with_value(
    error: Any, said: str, given: Sequence[str], value: str | None, whole: Callable[[], Any],  # noqa: ANN401 (the parser's own exception)
) -> str | None:  # fmt: skip
    """What was given, with a value that fits its flag: the number in what was typed, else the default, else an example.

    `whole` gives the command line with all of its commands.
    """
    if extra := EXTRA.search(said):
        words = extra.group(1).split(" ")
        kept = list(given)
        for word in words:
            if word not in kept:
                return None
            kept.reverse()
            kept.remove(word)
            kept.reverse()
        return command(kept)
    parameter = getattr(error, "param", None)
    name = getattr(error, "option_name", None) or next((one for one in getattr(parameter, "opts", ()) if one.startswith("--")), "")
    parameter = parameter or _parameter(whole(), given, name)
    if choices := CHOICES.search(said):
        value, first = choices.groups()
    else:
        first = None
    default = getattr(parameter, "default", None)
    is_value = isinstance(default, int | float | str) and not isinstance(default, bool)
    fits = EXAMPLES.get(name) or (str(default) if is_value and default != "" else first)
    if fits is None:
        return None
    if value is None:  # none was given
        return command([*given, fits]) if given and given[-1].startswith("-") and "requires an argument" in said else None
    if "a number" in said or "a whole number" in said:
        fits = _number(value, whole="a whole number" in said) or fits
    return replaced(given, value, fits)


def _parameter(at: Any, given: Sequence[str], name: str) -> Any:  # noqa: ANN401 (the parser's own types)
    """The parameter of a flag of the command that was given; None where there is none."""
    for word in given:
        at = getattr(at, "commands", {}).get(word, at)
    return next((one for one in at.params if name in one.opts), None)


def _number(text: str, *, whole: bool) -> str | None:
    """The one number in a text, as a program reads it."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    number = float(re.sub(r"[,_']", "", found.group(1)))
    return f"{int(number)}" if whole or number == int(number) else f"{number:g}"


def replaced(given: Sequence[str], value: str, fits: str) -> str | None:
    """What was given, with the value of a flag replaced; None where it does not occur."""
    for place, word in enumerate(given):
        name, sign, after = word.partition("=")
        if word == value:
            new = fits
        elif sign and after == value:
            new = f"{name}={fits}"
        elif word.startswith("-") and not word.startswith("--") and word[2:] == value:  # -c=many, -cmany
            new = f"{word[:2]}{fits}"
        else:
            continue
        return command([*given[:place], new, *given[place + 1 :]])
    return None


def instead(given: Sequence[str]) -> str | None:
    """A line for a file or a folder that is not there: with one that is, or what lists or makes one."""
    name = " ".join(given[:2])
    if name == "cache import":
        return _bundle()
    if line := LISTED.get(name) or LISTED.get(given[0]):
        return command(line)
    if given[0] == "import":
        here = sorted(path for path in Path().iterdir() if path.suffix in TABLES and path.is_file())
        return command(["import", "--explain", str(here[0])]) if here else command(["import", "--help"])
    return _experiment(given)


def _experiment(given: Sequence[str]) -> str:
    """What was given, with the only experiment of this folder or a shipped one; of several the newest, whose plan costs nothing."""
    from promptlab.cli.home import experiments_here

    there = experiments_here()
    words = list(given[: 2 if given[0] == "cache" else 1])
    if not there:
        return command([*words, "quickstart"])
    newest = str(max(there, key=lambda path: path.stat().st_mtime))
    return command([*words, newest] if len(there) == 1 or given[0] not in ("sweep", "gate") else ["plan", newest])


def _bundle() -> str:
    """A bundle of this folder is imported, or the newest run makes one, or a first run is made."""
    from promptlab.nouns import runs_folder
    from promptlab.record.store import runs_in

    here = sorted(path.parent for path in Path().glob("*/answers*.jsonl"))
    if here:
        return command(["cache", "import", str(here[0])])
    try:
        newest = next(iter(runs_in(runs_folder())), None)
    except (OSError, PromptlabError):
        newest = None
    if newest is None:
        return command(["sweep", "quickstart"])
    return command(["cache", "export", os.path.relpath(newest), "--to", f"{newest.name}-answers"])

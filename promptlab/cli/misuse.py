"""A wrong command, flag or value on the command line: the message about it, and the line to type next."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from promptlab.cli.instead import command, with_value
from promptlab.cli.remedies import remedy
from promptlab.nouns import PromptlabError, UsageProblem

QUOTED = re.compile(r"'([^']+)'|(?<![\w-])(--?[a-zA-Z][\w-]*)")
MEANT = {
    "run": "sweep", "start": "sweep", "test": "sweep", "eval": "sweep", "again": "sweep", "power": "plan", "size": "plan", "cost": "plan",
    "dry-run": "plan", "validate": "check", "lint": "check", "diff": "compare", "serve": "view", "ui": "view", "explore": "view",
    "explorer": "view", "open": "view", "results": "report", "judge": "report", "verify": "audit", "new": "init", "load": "import",
}  # fmt: skip
"""Words by which other tools call a command of promptlab."""
BOUND = re.compile(r"expected (-?[\d.]+) or (?:more|less), found '")
WANTED = (
    (re.compile(r"a valid number\b.*"), "a number"), (re.compile(r"a valid integer\b.*"), "a whole number"),
    (re.compile(r"greater than or equal to (\S+)$"), r"\1 or more"), (re.compile(r"less than or equal to (\S+)$"), r"\1 or less"),
    (re.compile(r"greater than (\S+)$"), r"more than \1"),
)  # fmt: skip
"""What the parser wants of a value, and promptlab's words for it."""


def misuse(error: Any, given: Sequence[str], whole: Callable[[], Any]) -> tuple[UsageProblem, str]:  # noqa: ANN401 (the parser's own exception)
    """What the parser found wrong as an error of promptlab, and the line to type next.

    `given` is what was typed after `promptlab`; `whole` gives the command line with all of its commands.
    """
    at, parameter = error.ctx, getattr(error, "param", None)
    known = [name for one in at.command.params for name in one.opts if name.startswith("--")] if at else []
    commands = list(getattr(at.command, "commands", ())) if at and at.parent else []
    value = _value(error)
    said = error.format_message()
    if said.startswith("No such command") and given[0] in MEANT and repr(given[0]) in said:
        found = UsageProblem(f"No such command '{given[0]}'; did you mean '{MEANT[given[0]]}'?")
    else:
        found = UsageProblem(misused(said, value, commands if said.startswith("No such command") else known))
    path = at.command_path if at else f"promptlab {given[0]}"
    line = remedy(found, given) or corrected(str(found), given, value)
    if line is None and parameter is not None and said.startswith("Missing argument"):
        there, line = filled(f"{parameter.name} {parameter.metavar or ''}", given)
        found = UsageProblem(f"{found}{there}")
    return found, line or with_value(error, str(found), given, value, whole) or f"{path} --help"


def _value(error: Any) -> str | None:  # noqa: ANN401
    """The value that does not fit its flag, as it was typed; None where the error is of another kind."""
    errors = getattr(error.__cause__, "errors", None)
    first: dict[str, Any] = next(iter(errors()), {}) if callable(errors) else {}
    return first["input"] if isinstance(first.get("input"), str) else None


def filled(name: str, given: Sequence[str]) -> tuple[str, str | None]:
    """What could stand for a missing run or experiment: words that end the message, and the line with the newest one there is.

    Of several experiments none is chosen for a command that pays.
    """
    from promptlab.cli.home import MOST_NAMED, experiments_here
    from promptlab.nouns import runs_folder
    from promptlab.record.store import runs_in

    if re.match(r"runs?(_a)?\b", name, re.IGNORECASE) or " RUN" in name or given[0] == "history":
        try:
            newest = next(iter(runs_in(runs_folder())), None)
        except (OSError, PromptlabError):
            return "", None
        if newest is None:
            return f"; no runs in {runs_folder()}", command(["sweep", "quickstart"])
        return "", command([*given, os.path.relpath(newest)])
    if not name.startswith("experiment"):
        return "", None
    there = experiments_here()
    if not there:
        return "; none in this folder, but one comes with promptlab", command([*given, "quickstart"])
    more = f" and {len(there) - MOST_NAMED} more" if len(there) > MOST_NAMED else ""
    latest = max(there, key=lambda path: path.stat().st_mtime)
    pays = given[0] == "sweep" and len(there) > 1
    return f"; here: {', '.join(map(str, there[:MOST_NAMED]))}{more}", None if pays else command([*given, str(latest)])


def misused(message: str, given: str | None = None, options: Sequence[str] = ()) -> str:
    """The message about a wrong command, flag or value, with the nearest right one.

    `given` is the value of the flag that is named; `options` are the flags or commands that there are, named where none of them is near.
    """
    message = message.replace("Value error, ", "")
    wrong, *known = [a or b for a, b in QUOTED.findall(message.partition(": ")[2] if message.startswith("Invalid") else message)] or [""]
    near = difflib.get_close_matches(wrong, known, 1)
    head = re.split(r" \(Possible options|\. Did you mean|\.$", re.sub(r"\. Choose from:\s*(.*)", _choices, message, flags=re.S))[0]
    head = head.replace(f": {wrong}", f" '{wrong}'") if wrong else head
    if near:
        return f"{head}; did you mean '{near[0]}'?"
    if head.startswith("No such") and options:
        return f"{head}; known: {', '.join(options)}"
    what, sign, wanted = head.partition(": Input should be ")
    if sign and given is not None:
        for pattern, plain in WANTED:
            wanted = pattern.sub(plain, wanted)
        return f"{what}: expected {wanted}, found '{given}'"
    return head


def corrected(message: str, given: Sequence[str], value: str | None) -> str | None:
    """What was given, with a number that is out of bounds replaced by the bound; None where no bound is named."""
    bound = BOUND.search(message)
    if not bound or value is None:
        return None
    whole = bound.group(1).removesuffix(".0")
    for place, word in enumerate(given):
        name, sign, after = word.partition("=")
        if word == value or (sign and after == value):
            return command([*given[:place], f"{name}={whole}" if sign and word != value else whole, *given[place + 1 :]])
    return None


def _choices(found: re.Match[str]) -> str:
    return "; known: " + " ".join(found.group(1).split())

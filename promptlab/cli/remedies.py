"""The command that fixes an error, where there is one: the last line of what a command says when it fails, quoted for copying."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from promptlab.cli.instead import command, instead
from promptlab.nouns import FileProblems, PromptlabError

NEAR = re.compile(r"did you mean '([^']+)'|known: '([^']+)'$")
IN_TICKS = re.compile(r"`((?:promptlab|pip|python|export) [^`]+)`")
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b(?![_=])")
"""A word that stands for something of the reader's, such as DIR."""
ONE_OF = re.compile(r"(?:with|give|by|add) (--[a-z-]+): '?([^\s,;']+)")
ADDED = re.compile(r"(?:for example|add) (--[a-z-]+) (?:'([^']+)'|([\w.-]*\w(?:[,/=][\w.-]*\w)*))")
SUCH_AS = re.compile(r"^(--[a-z-]+) .*\bsuch as (?:--[a-z-]+ )?([^\s,;]+)$")
OF_EACH = re.compile(r"such as --prompt (.+) --prompt-b (.+)$")
FIRST_PAGE = re.compile(r"the page '[^']*' is not known; known: '([^']+)'")
COLUMN = re.compile(r"name (?:it|one) with --[a-z]+ COLUMN")
LIBRARY = re.compile(r"Install (\w+) to ")
LISTS = {
    "there is no such run": ["runs", "ls"], "so this folder is not a run": ["runs", "ls"],
    "has no run of the question": ["runs", "ls"], "no official task": ["ls", "tasks"],
    "has no arm": ["show", "run"], "no task of it is scored by a judge": ["show", "run"],
}  # fmt: skip
"""Commands that list what a name may be, by what a message says; "run": of the run that was given."""
SHOWN = {"task": "tasks", "stimulus": "stimuli"}
"""What `show` shows, and the list of it."""
GROUPS = ("ls", "show", "task", "stimuli", "data", "cache", "runs")
"""Commands that have commands of their own."""
READS_A_FILE = ("plan", "sweep", "calibrate", "gate")


def remedy(error: PromptlabError, given: Sequence[str]) -> str | None:
    """The command to type next; `given` is what was typed after `promptlab`. None where only a person can know."""
    message = str(error)
    in_a_file = isinstance(error, FileProblems) and error.problems[0].file.is_file()  # then no word of what was typed is the wrong one
    if not in_a_file and (near := NEAR.search(message)):
        corrected = _replaced(given, near.group(1) or near.group(2), message)
        if corrected:
            return corrected
    ticks = [found for found in IN_TICKS.findall(message) if not PLACEHOLDER.search(found)]
    if ticks:
        return str(ticks[-1])
    if isinstance(error, FileProblems) and in_a_file and given and given[0] in READS_A_FILE:
        return command(["check", next((word for word in given[1:] if _is_experiment(word)), str(error.problems[0].file))])
    if given and given[0] == "import" and "; known: " in message:  # which column, arm or score is meant, only its reader knows
        return _explained(given)
    for words, listing in LISTS.items():
        if words in message and not (listing[-1] == "run" and len(given) < 2):
            return command([*listing, given[1]] if listing[-1] == "run" else listing)
    for rule in (ONE_OF, ADDED):
        if found := rule.search(message):
            option, *values = found.groups()
            return command(_with(given, option, next(filter(None, values))))
    if both := OF_EACH.search(message):
        return command(_with(_with(given, "--prompt", shlex.split(both.group(1))[0]), "--prompt-b", shlex.split(both.group(2))[0]))
    if such := SUCH_AS.search(message):
        return command(_with(given, *such.groups()))
    if pages := FIRST_PAGE.search(message):
        return command(_with([word for word in given if not word.startswith("--page=")], "--page", pages.group(1)))
    if "and --batch is not given" in message:
        return command([*given, "--batch"])
    if len(given) > 1 and given[0] == "show" and given[1] in SHOWN and "is not known" in message:
        return command(["ls", SHOWN[given[1]]])
    if given and given[0] == "import" and COLUMN.search(message):
        return _explained(given)
    if isinstance(error, FileProblems) and in_a_file and (line := error.problems[0].line):  # the reader corrects it there
        return f"${{EDITOR:-vi}} +{line} {shlex.quote(str(error.problems[0].file))}"
    if given and ("there is no such file" in message or "there is no such folder" in message):
        return instead(given)
    library = LIBRARY.search(message)
    return f"python -m pip install {library.group(1)}" if library else None


def _is_experiment(word: str) -> bool:
    return Path(word).suffix in (".yaml", ".yml") and Path(word).is_file()


def _explained(given: Sequence[str]) -> str:
    """What lists the choices of the files that were given."""
    return command(["import", "--explain", *(word for word in given[1:] if Path(word).is_file())])


def _with(given: Sequence[str], option: str, value: str) -> list[str]:
    """What was given, with an option set to a value."""
    if option in given[:-1]:
        at = given.index(option) + 1
        return [*given[:at], value, *given[at + 1 :]]
    return [*given, option, value]


def _replaced(given: Sequence[str], right: str, message: str) -> str | None:
    """What was given with the wrong word, which the message names, made right; None where no word is the wrong one."""
    told = message.partition("did you mean")[0]
    found: list[tuple[bool, float, int, str]] = []
    for place, word in enumerate(given):
        name, sign, value = word.partition("=")
        folder, last = str(Path(word).parent), Path(word).name if "/" in word else ""
        whole = f"{folder}/{right}" if (Path(folder) / right).exists() else right
        if word.startswith("-") and not sign and not right.startswith("-"):
            continue  # a flag whose value is wrong
        parts = word.split(",")
        of_list = [(part, ",".join(right if other == part else other for other in parts)) for part in parts if len(parts) > 1]
        for wrong, corrected in ((word, right), (last, whole), (value if sign else "", f"{name}={right}"), *of_list):
            if wrong and wrong != right and wrong in told:
                named = f"'{wrong}'" in told or told.startswith(f"{word}:")
                found.append(
                    (named, difflib.SequenceMatcher(None, wrong, right).ratio(), place, whole if wrong == word and last else corrected)
                )
    if not found:
        return None
    *_, place, corrected = max(found, key=lambda one: one[:2])
    return command([*given[:place], corrected, *given[place + 1 :]])

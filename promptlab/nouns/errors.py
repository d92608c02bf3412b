"""Every error that promptlab raises on purpose, and the exit code that each one ends a command with.

PromptlabError                  1   something went wrong, and the message says what to do
├── FileProblems                2   a file that a person wrote is wrong: every problem at once, with its line
├── UsageProblem                2   a flag or a name is wrong
├── DataMissing                 2   official data not imported yet, or a file of it damaged
├── RunProblem                  1   a run folder cannot be read, fails a check, or is in use
│   └── NoRun                   2   the run that was named is not there
├── BudgetReached               4   the next call could have cost more than the budget leaves
└── ProviderStopped             1   a provider refused for good: wrong key, no quota
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_BUDGET = 4
EXIT_GATE = 5
EXIT_INTERRUPTED = 130
LONGEST_NAME = 200
MOST_NAMES = 5_000
MOST_HINTS = 100
_looked: list[Any] = [(), 0]
"""The names that near ones were last looked for in, and how often in a row."""


class PromptlabError(Exception):
    """Base of every error raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = EXIT_ERROR


class UsageProblem(PromptlabError):
    """A flag, a name or an argument is wrong."""

    exit_code = EXIT_USAGE


class DataMissing(PromptlabError):
    """Official data files are absent or do not match their SHA-256."""

    exit_code = EXIT_USAGE


class RunProblem(PromptlabError):
    """A run folder is absent, unreadable, or held by another process."""


class NoRun(RunProblem):
    """The run that was named is not there, or the folder is none."""

    exit_code = EXIT_USAGE


class BudgetReached(PromptlabError):
    """The next call could cost more than what is left of the budget."""

    exit_code = EXIT_BUDGET


class ScoringFailed(PromptlabError):
    """An answer got no score: the code or the judge that should give it failed. The trial is missing, and the sweep continues."""


class ProviderStopped(PromptlabError):
    """No later call to `model` can succeed: a wrong key, an exhausted quota, no server, no such model."""

    def __init__(self, message: str, model: str = "") -> None:
        super().__init__(message)
        self.model = model


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: where, what was found, and what to do next."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.message}"


class FileProblems(PromptlabError):
    """Everything that is wrong with one file, in the order of its lines."""

    exit_code = EXIT_USAGE

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (str(p.file), p.line or 0)))
        super().__init__("\n".join(str(p) for p in self.problems))

    @classmethod
    def one(cls, file: Path | str, message: str, line: int | None = None) -> FileProblems:
        """The only thing that is wrong."""
        return cls([Problem(Path(file), line, message)])


UNREADABLE = (
    PromptlabError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError,
    NotImplementedError,
)  # fmt: skip
"""What a damaged run folder can raise on its way through the reader and the analysis."""


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Damage of any kind within the block, or the function, is a RunProblem that says `what` is wrong."""
    try:
        yield
    except PromptlabError:
        raise
    except UNREADABLE as error:
        raise RunProblem(f"{what} ({type(error).__name__}: {first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 200 characters."""
    return (str(error).splitlines() or [""])[0][:200]


def full_name(name: str, known: Iterable[str]) -> str:
    """The one known name that ends in `/name` ("EP02" for "emotionprompt/EP02"); `name` itself where it is known, or not one fits."""
    names = set(known)
    inside = [] if name in names else [n for n in names if n.rsplit("/", 1)[-1] == name]
    return inside[0] if len(inside) == 1 else name


def _near(name: str, names: tuple[str, ...]) -> list[str]:
    """The names most like one; none from the 101st unknown name in a row on."""
    _looked[:] = [names, _looked[1] + 1 if _looked[0] == names else 1]
    if _looked[1] > MOST_HINTS:
        return []
    near = difflib.get_close_matches(name, [n for n in names if len(n) <= LONGEST_NAME], n=3, cutoff=0.6)
    if not near and len(name) > 2:  # a run without what its name ends with: "heart" should find "heart-bcfa5980"
        near = [n for n in names if n.startswith(name)][:3]
    if not near:  # names inside a library: "EP2" should find "emotionprompt/EP02"
        short = {n.rsplit("/", 1)[-1]: n for n in names if len(n) <= LONGEST_NAME}
        near = [short[s] for s in difflib.get_close_matches(name.rsplit("/", 1)[-1], list(short), n=3, cutoff=0.6)]
    return near


def no_file(path: Path, *ends: str) -> str:
    """What is wrong where a file is absent, with near names of its folder that end so; without `ends`, of all."""
    folder = path.parent
    near = did_you_mean(path.name, (p.name for p in folder.iterdir() if p.suffix in ends or not ends)) if folder.is_dir() else ""
    return f"there is no such file; {near}".rstrip("; ")


def listed(names: Sequence[object], most: int = 8) -> str:
    """Names as a message quotes them, cut after `most`."""
    shown = [repr(str(name))[:80] for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that ends a message about an unknown name: near names, else all of a short list.

    Thousands of names, and names as long as a text, get none: to compare them takes minutes.
    """
    names = tuple(sorted(set(known)))
    if len(name) > LONGEST_NAME or len(names) > MOST_NAMES:
        return ""
    if near := _near(name, names):
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    if 0 < len(names) <= 12:
        return "known: " + ", ".join(repr(n) for n in names)
    return ""

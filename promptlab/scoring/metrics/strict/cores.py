"""Options named by their own words, where several begin or end alike: "Sam's office" of "The office was Sam's office"."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile

from promptlab.scoring.answers.text import key
from promptlab.scoring.compiled import regex

_NOT_BUT = regex(r"\bit is not [^.;\n]{1,70}?(?:, but|[.;]) ", re.I)
"""What a reply denies before it says its own."""


def by_core(text: str, options: tuple[str, ...]) -> str | None:
    """The only option whose own words a text has, where several begin or end alike: "Sam's office" of "The office was Sam's office"."""
    cores = _cores(options)
    said = f" {key(_NOT_BUT.sub('', text))} " if cores else ""
    named = [option for option, core in cores if core in said]
    if not named:  # "the vet's" is said of the vet as well
        named = [option for option, core in cores if "'s" in option and core.endswith("s ") and f"{core[:-2]} " in said]
    return named[0] if len(named) == 1 else None


@lru_cache(maxsize=4096)
def _cores(options: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The options with their own words; none where no two begin or end alike, or one has no words of its own."""
    each = [key(option).split() for option in options]
    long = [words for words in each if len(words) > 2]
    first = _alike(long)
    last = _alike([words[first:][::-1] for words in long])
    own = [words[first : len(words) - last] if words in long else words for words in each]
    return tuple((option, f" {' '.join(words)} ") for option, words in zip(options, own, strict=True)) if first + last and all(own) else ()


def _alike(several: list[list[str]]) -> int:
    """With how many equal words several texts begin; 0 for one text."""
    columns = zip(*several, strict=False) if len(several) > 1 else ()
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))

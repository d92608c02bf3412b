"""What every match of a pattern holds, taken from the pattern itself: a text that holds none of it is not searched.

A new alternative of a pattern needs no second list of words, and costs no search of the texts that do not hold it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from promptlab.scoring.answers.text import spaced, words

_FOLDED = frozenset("ſKıİ")
"""Letters outside of ASCII that match one of ASCII where case does not count."""
_SIDES = (_constants.ASSERT, _constants.ASSERT_NOT)
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def may_hold(*patterns: re.Pattern[str]) -> Callable[[str], bool]:
    """Whether it is worth to search a text for one of the patterns, whose case does not count: never False where one is found."""

    @cache
    def parts() -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]] | None:
        found = [held(pattern.pattern) for pattern in patterns]
        if None in found:
            return None
        every = {part for one in found for part in one or ()}
        least = {part for part in every if not any(other in part for other in every - {part})}
        whole = {part for part in least if part[0] == part[-1] == " " and part.strip().isalnum()}
        signs = {part for part in least if not any(map(str.isalnum, part))}
        return frozenset(part.strip() for part in whole), tuple(sorted(least - whole - signs)), tuple(sorted(signs))

    def may(text: str) -> bool:
        if not text.isascii() or (known := parts()) is None:
            return True
        whole, inside, signs = known
        return not whole.isdisjoint(words(text)) or any(map(spaced(text).__contains__, inside)) or any(map(text.__contains__, signs))

    return may


def held(source: str) -> set[str] | None:
    """Parts of which each match in a text of ASCII holds one, in lower case with spaces for what is no letter or digit; signs as they are.

    A space at an end is the edge of a word. None where a match may hold anything.
    """
    return _of_sequence(_parser.parse(source), False, False)


def _of_sequence(items: Iterable[Any], begins: bool, ends: bool) -> set[str] | None:
    """The best of what the items hold one after the other; `begins` and `ends`: whether a word begins or ends there at the latest."""
    each = [item for item in items if item[0] not in _SIDES or _is_edge(item)]
    edges = [begins, *map(_is_edge, each), ends]
    best: set[str] | None = None
    literal = ""
    for n, (kind, value) in enumerate(each):
        if kind is _constants.LITERAL:
            literal += chr(value).lower()
            if n + 1 < len(each) and each[n + 1][0] is _constants.LITERAL:
                continue
            found = _of_literal(literal, edges[n + 1 - len(literal)], edges[n + 2])
            literal = ""
        else:
            found = _of_one(kind, value, edges[n], edges[n + 2])
        if found is not None and (best is None or _worth(found) > _worth(best)):
            best = found
    return best


def _is_edge(item: Any) -> bool:  # noqa: ANN401 (of Python's parser)
    """Whether an item says that a word begins or ends: `\\b`, or no letter at one side."""
    if item[0] is _constants.ASSERT_NOT:
        only = list(item[1][1])
        return len(only) == 1 and only[0][0] is _constants.IN and (_constants.CATEGORY, _constants.CATEGORY_WORD) in only[0][1]
    return bool(item == (_constants.AT, _constants.AT_BOUNDARY))


_MARK = "\ue000"
"""From this letter on, letters are marks that a rule puts into a text before it is searched: what they stand for is not known."""


def _of_literal(literal: str, begins: bool, ends: bool) -> set[str] | None:
    if max(literal) >= _MARK:
        return None
    if not literal.isascii():
        return set() if _FOLDED.isdisjoint(literal) else None
    part = spaced(literal)[1:-1]
    if not part.strip():
        return {literal} if literal.strip() else None
    return {" " * (begins and part[0] != " ") + part + " " * (ends and part[-1] != " ")}


def _of_one(kind: Any, value: Any, begins: bool, ends: bool) -> set[str] | None:  # noqa: ANN401 (of Python's parser)
    if kind is _constants.SUBPATTERN:
        return _of_sequence(value[3], begins, ends)
    if kind in _REPEATS and value[0]:
        return _of_sequence(value[2], False, False)
    if kind is _constants.BRANCH:
        found = [_of_sequence(one, begins, ends) for one in value[1]]
        return None if None in found else {part for one in found for part in one or ()}
    foreign = kind is _constants.IN and all(
        (of is _constants.LITERAL and 127 < what < ord(_MARK)) or (of is _constants.RANGE and 127 < what[0] <= what[1] < ord(_MARK))
        for of, what in value
    )
    return set() if foreign else None


_COMMON = frozenset(str.split("a an and are as de der die en es est i is ist it la le of or que that the this to was"))


def _worth(parts: set[str]) -> int:
    """The length of the shortest part, 1 where that is a word of most texts; nothing at all is best: no text of ASCII matches then."""
    return min((1 if part[-1] == " " and part.strip() in _COMMON else len(part) for part in parts), default=1000)

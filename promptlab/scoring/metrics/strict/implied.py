"""Options that a reply names by what they say: a yes or no by the question's own words, or one by its place."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.remarks import sentences
from promptlab.scoring.answers.text import CACHED, fold, key, words
from promptlab.scoring.compiled import regex

_ASKED = regex(r"(?<!\w)(?:do|does|did|will|would|can|could|should|is|are|was|were|has|have|had) (?P<rest>[^?.!\"]{4,150})\?", re.I)
_SMALL = frozenset(str.split("a an the i you he she it we they me my your his her its our their to of for at on in and or that this"))
_UNSURE = regex(r"\b(?:whether|if|unless|may|might|could|would|either|unclear|unsure|unknown|ambiguous|doubt|question)\b|\?", re.I)
_SO = regex(
    r"(?:^|[\s,;.])(?:so|thus|therefore|hence|which means)(?: that)?,? (?:you|i|he|she|it|we|they) "
    r"(?P<verb>(?:\w+(?:n't)? ){0,3}\w+)\W*$",
    re.I,
)
"""A reply that ends in the verb of the question alone: "so you do not return"."""
_FAILS = regex(r"\b(?:unable|refus\w+|fail\w*|without)\b", re.I)
_NTH = regex(
    r"\W*(?:(?:it(?:'s| is)|i(?:'d)? (?:choose|pick|say)) )?(?:the )?"
    r"(?P<nth>first|second|third|fourth|fifth|former|latter)(?: (?!and\b|or\b)\w+)?\W*",
    re.I,
)
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}
_OF_TWO = {"former": 0, "latter": 1}


_NAMES_PLACE = words("first second third fourth fifth former latter")


def names_place(text: str) -> bool:
    """Whether a text may name an option by its place."""
    return not _NAMES_PLACE.isdisjoint(words(text))


@lru_cache(maxsize=CACHED)
def _question(asked: str) -> tuple[str, ...]:
    """The words that matter of the only yes-or-no question of an input; none where it has none or several."""
    found = _ASKED.findall(fold(asked)) if asked.count("?") == 1 else []
    return tuple(word for word in key(found[0]).split() if word not in _SMALL) if len(found) == 1 else ()


def agrees(reply: Reply, asked: str) -> bool | None:
    """Whether a reply says what its input asks, or denies it; None where it says neither, or is not sure."""
    wanted = _question(asked) if len(reply.unremarked) < 500 else ()
    if not wanted:
        return None
    if (so := _SO.search(reply.unremarked)) is not None and any(_same(wanted[0], word) for word in key(so["verb"]).split()):
        return not denying(so[0]) if _UNSURE.search(so[0]) is None else None
    said = set()
    for sentence in (part for whole in sentences(reply.unremarked) for part in whole.split("; ")):
        told = key(sentence).split()
        if _UNSURE.search(sentence) is None and len(told) < 3 * len(wanted) + 20 and all(any(_same(a, b) for b in told) for a in wanted):
            said.add(not denying(sentence) and _FAILS.search(sentence) is None)
    return said.pop() if len(said) == 1 else None


def _same(one: str, other: str) -> bool:
    """Whether two words may be forms of one: "come" and "coming"."""
    stem = max(3, min(len(one), len(other)) - 1)
    return one == other or (one[:stem] == other[:stem] and abs(len(one) - len(other)) < 4)


def placed(reply: Reply, n: int) -> int | None:
    """The number of the option, from 0 of `n`, that a reply names by its place alone: "the third option", "the latter"."""
    found = _NTH.fullmatch(reply.said) if names_place(reply.said) else None
    places = _PLACES | _OF_TWO if n == 2 else _PLACES
    return places.get(found["nth"].casefold()) if found is not None else None

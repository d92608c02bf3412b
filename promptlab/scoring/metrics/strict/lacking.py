"""The words of an item's targets, and whether a text lacks them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache

from promptlab.scoring.answers.text import CACHED, CJK, fold, kept, key, words
from promptlab.scoring.compiled import regex

_JOINED = regex(r"['*_<>=+^-]")
_APART = bytes(n for n in range(128) if not chr(n).isdigit() and chr(n) not in "'*_<>=^+-`&#%")
"""What a text of ASCII has besides digits and signs that join or count."""
_DIGIT = regex(r"\d")
_BEFORE_DIGIT = regex(r"[-.,]\d")
_JOINED_DIGITS = regex(r"\d[.,]\d")
_CJK = regex(f"[{CJK}]")


@lru_cache(maxsize=CACHED)
def keys(targets: tuple[str, ...]) -> frozenset[str]:
    """The targets in compared form."""
    return frozenset(key(target) or fold(target) for target in targets)


_Wanted = tuple[frozenset[str], tuple[frozenset[str], ...], frozenset[str]]


@lru_cache(maxsize=CACHED)
def _words(targets: tuple[str, ...]) -> _Wanted | None:
    """The targets of one word, the words of each other, and all words of targets; nothing where one has none."""
    each = [frozenset(key(target).split()) for target in targets]
    single = frozenset().union(*(one for one in each if len(one) == 1))
    return (single, tuple(one for one in each if len(one) > 1), single.union(*each)) if all(each) else None


@kept(1024)
def said_words(text: str) -> Collection[str] | None:
    """The words of a text in compared form; None where marks may hold together what readings take apart."""
    if text.isascii():
        signs = text.encode().translate(None, _APART)
        if not signs or (signs.isdigit() and _BEFORE_DIGIT.search(text) is None):
            said = words(text)
            return said if "can" not in said or "not" not in said else None
    if (
        _JOINED.search(text)
        or {"can", "not"}.issubset(words(text))
        or (_DIGIT.search(text) and _JOINED_DIGITS.search(text))
        or (not text.isascii() and _CJK.search(text))
    ):
        return None
    return frozenset(key(text).split())


def longer(text: str, most: int) -> bool:
    """Whether a text is known to say more than `most` words; False also where it was not looked at before."""
    said = _looked_at.get(text)
    return said is not None and len(said) > most and not ("can" in said and "not" in said)  # "CAN NOT" is one


_looked_at: Mapping[str, Collection[str] | None] = said_words.__self__  # type: ignore[attr-defined]


def unsaid(text: str, targets: tuple[str, ...]) -> bool:
    """Whether a text lacks words of each target.

    Readings take words away and never make any, but for those that marks hold together: no target is read then.
    """
    return _lacks(text, _words(targets))


def unsaying(targets: tuple[str, ...]) -> Callable[[str], bool]:
    """As `unsaid`, for several texts and the same targets."""
    wanted = _words(targets)
    return lambda text: _lacks(text, wanted)


def _lacks(text: str, wanted: _Wanted | None) -> bool:
    if wanted is None or (said := said_words(text)) is None or not wanted[0].isdisjoint(said):
        return False
    return not any(target.issubset(said) for target in wanted[1]) if wanted[1] else True


def unlisted(text: str, targets: tuple[str, ...]) -> bool:
    """Whether a text is no list of targets: it says fewer than two words of them."""
    if (wanted := _words(targets)) is None or (said := said_words(text)) is None:
        return False
    several = wanted[2].intersection(said)
    return not several or (len(several) == 1 and key(text).split().count(*several) < 2)


@lru_cache(maxsize=CACHED)
def longest(targets: tuple[str, ...]) -> int:
    """The most words of a target."""
    return max((len(target.split()) for target in keys(targets)), default=0)

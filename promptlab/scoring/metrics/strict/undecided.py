"""Replies that say that nothing decides, or that leave one option by ruling out all others."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from promptlab.scoring.answers.text import key, words
from promptlab.scoring.compiled import regex

_UNDECIDED = regex(
    r"\bi do not know whether\b|\bno (?:telling|way (?:to (?:tell|know|say)|of (?:telling|knowing)))\b"
    r"|\b(?:can(?:not|'t)|can not|could not|couldn't) "
    r"(?:really )?(?:tell"
    r"|know|say|determine|decide|be (?:sure|certain|determined|known|told|decided|resolved))\b"
    r"|\bimpossible to (?:say|tell|know|determine|decide)\b"
    r"|\b(?:does|do)(?:n't| not) (?:say|specify|tell|reveal|indicate|clarify|make (?:it )?clear|settle|decide)\b"
    r"|\b(?:un|not )clear (?:who|whom|which|whose|what)\b|\b(?:could|can|may|might) (?:refer|apply|point|belong) to (?:either|both|any)\b"
    r"|\bboth (?:readings|interpretations|meanings|are|options) (?:are )?(?:equally )?(?:possible|plausible|valid|work)\b"
    r"|\bhard to (?:say|tell)\b"
    r"|\bnothing (?:in|about) [^.;\n]{1,40} (?:settles|decides|tells|says|indicates|resolves)\b"
    r"|\b(?:lässt|läßt) sich (?:hier )?n(?:icht|ot) (?:sagen|bestimmen|entscheiden|feststellen)\b"
    r"|\bkann (?:man )?(?:hier )?n(?:icht|ot) (?:wissen|sagen|entscheiden)\b"
    r"|\bunklar, (?:wer|wessen|wen|wem|auf wen)\b|\b(?:on )?ne peut (?:pas|guère) (?:savoir|dire|déterminer|trancher)\b"
    r"|\bimpossible de (?:dire|savoir|déterminer)\b|\bimposible (?:saber|decir|determinar)\b|\bnot? se puede (?:saber|decir|determinar)\b"
    r"|\bno (?:queda|está) claro\b"
    r"|(?:无法|無法|不能|难以|難以)(?:判断|判斷|确定|確定|得知|知道|看出|断定)|(?:判断|特定|断定)(?:でき|がつか)(?:ま|な)|分かりません|わかりません|不明です"
    r"|알 수 없|판단할 수 없|확실하지 않|불분명",
    re.I,
)
_DECIDES = regex(r"\b(?:but|yet|however|still|though|aber|doch|mais|pero)\b|但|不过|しかし|ただ|하지만|그러나", re.I)


_SAYS = words(
    "know telling way tell cannot can could impossible does do say unclear clear refer apply point belong both hard nothing sich kann "
    "unklar peut savoir imposible puede queda está"
)


def may_undecide(text: str) -> bool:
    """Whether it is worth looking for words that nothing decides."""
    return not text.isascii() or not _SAYS.isdisjoint(words(text))


class Undecided(NamedTuple):
    """The option that says that nothing decides, and what a reply says after it has said so."""

    option: str
    after: str


@lru_cache(maxsize=4096)
def ambiguous(options: tuple[str, ...]) -> str | None:
    """The option that says that nothing decides among the others."""
    found = [option for option in options if key(option) in ("ambiguous", "unclear", "undecidable", "cannot be determined", "can't tell")]
    return found[0] if len(found) == 1 else None


def undecided(text: str, options: tuple[str, ...]) -> Undecided | None:
    """The option "ambiguous" of a reply that says that nobody can tell, without its word; None where it goes on to decide."""
    if (option := ambiguous(options)) is None or not may_undecide(text) or (found := _UNDECIDED.search(text)) is None:
        return None
    after = text[found.end() :]
    return Undecided(option, after) if _DECIDES.search(after) is None else None


_REMAINING = regex(
    r"\b(?:the|only the|one|only one) (?:(?:remaining|other|third|last|only other) )?(?:label|option|one|category|choice|answer|relation)\b"
    r"[^.;\n]{0,20}\b(?:remains|applies|fits|is left|holds)\b"
    r"|\bthat (?:only )?leaves (?:only )?(?:the (?:remaining|other|third|last)|one) \w+\W*$"
    r"|\bthe (?:remaining|third|other) (?:label|option|one)\W*$"
    r"|\bbleibt (?:nur )?d(?:as|ie) (?:dritte|letzte|andere|übrige)\b|\breste (?:que )?l[ae] (?:troisième|dernière?)\b"
    r"|\bqueda (?:la|el) (?:tercera?|últim[ao]|otr[ao])\b",
    re.I,
)
_LEFT = words("remains applies fits left holds leaves remaining third other bleibt reste queda")


def remaining(text: str, options: tuple[str, ...]) -> str | None:
    """The option that a reply does not name, where it rules out all others and says that one is left; None of other replies."""
    if len(options) < 3 or len(text) > 600 or _LEFT.isdisjoint(words(text)) or _REMAINING.search(text) is None:
        return None
    said = f" {key(text)} "
    unnamed = [option for option in options if f" {key(option)} " not in said]
    return unnamed[0] if len(unnamed) == 1 else None

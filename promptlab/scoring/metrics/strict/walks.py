"""Whether a reply says that a walk ends where it began, in words of places and distances instead of yes or no."""

from __future__ import annotations

import re

from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.remarks import sentences
from promptlab.scoring.answers.text import words
from promptlab.scoring.compiled import regex

_ASKS = regex(r"\b(?:return|come back|get back|end up)\b[^?\n]*\b(?:start\w*|origin)|\b(?:take|walk|go) \d+ steps?\b", re.I)
_N = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|several|some)"
_START = (
    r"(?:where (?:you|we|i|it|they|one) (?:first |had )?(?:start(?:ed)?|began|begin)|(?:the |your |my |its |our )?"
    r"(?:start\w*|origin\w*|initial|first|beginning)(?: (?:point|position|place|spot|location|one))?)"
)
_AWAY = regex(
    rf"\b{_N} (?:steps?|units?|paces?|moves?) (?:away|ahead|from|short|behind|in front|forward|off|past|beyond|to the"
    rf"|left|right|north|south"
    rf"|east|west)\b|\bshort of {_START}|\bsomewhere else\b|\b(?:a|at a) different (?:place|point|spot|position|location)\b"
    rf"|\bnot (?:at |on |in )?{_START}(?=\W*(?:$|[.;,!\n]))|\b(?:displacement|distance)\b[^.;\n]{{0,20}}\b(?!0\b)\d+"
    r"|\b(?:schritte?|einheiten?)\b[^.;\n]{0,40}\bentfernt\b|\bà \d+ pas (?:de|du)\b|\ba \d+ pasos (?:de|del)\b"
    r"|离(?:起点|原点|出发点|原处)[^。;\n]{0,6}\d+ ?步|\d+ ?步(?:之外|远)|\d+ ?歩(?:離れ|先|手前)|\d+ ?걸음 (?:떨어|앞|뒤)",
    re.I,
)
_BACK = regex(
    rf"\b(?:back|end(?:s|ed)? up|ends?|finish(?:es|ed)?|return\w*|lands?|arrives?|are|is|am)\b[^.;\n]{{0,30}}?\b"
    rf"(?:at |to |in |on |exactly |right |precisely )*{_START}(?=\W*(?:$|[.;,!\n]))"
    rf"|\b(?:same|identical|equal|coincides?)\b[^.;\n]{{0,20}} {_START}"
    rf"|\b(?:displacement|distance|sum|total)\b[^.;\n]{{0,24}}\b(?:zero|0|none)\b"
    r"|\bcancel(?:s|led|ed)?(?: each other)?(?: out)?\b|\b(?:wieder|zurück) am (?:ausgangs|start)punkt\b",
    re.I,
)
_TELLS = words(
    "back end ends ended finish finishes finished return returns returned land lands away ahead short somewhere displacement "
    "distance cancel cancels same identical coincides entfernt pas pasos ausgangspunkt startpunkt steps step units unit are is am position"
)
_SUPPOSES = regex(r"\b(?:if|unless|whether|would|could|might|may|must|should)\b|\?", re.I)


def ends_where_it_began(text: str, asked: str) -> bool | None:
    """Whether a reply says that the walk of its input ends at its start, or elsewhere; None where it says neither, or both."""
    if len(text) > 1_500 or _ASKS.search(asked) is None or (text.isascii() and _TELLS.isdisjoint(words(text))):
        return None
    said: list[bool] = []
    for sentence in sentences(text):
        if _SUPPOSES.search(sentence) is not None:
            continue
        if _AWAY.search(sentence) is not None:
            said.append(False)
        elif _BACK.search(sentence) is not None:
            said.append(not denying(sentence))
    return said[-1] if said else None

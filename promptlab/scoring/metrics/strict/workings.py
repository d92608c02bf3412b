"""Numbers that a reply works out or decides on: the last result of a chain, and what its writer answers outright."""

from __future__ import annotations

import re
from decimal import Decimal

from promptlab.scoring.answers.text import words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.figures import figures

_ANSWERS = regex(
    r"\b(?:i|we)(?:'d|'ll| would| will)? (?:answer|say|go with|choose|pick|settle on|stick with)(?: that)?(?: it(?: is|'s))? "
    r"(?P<value>-?\d[\d.,]*)(?=[\"')]*\s*(?:$|[.;!\n]))",
    re.I,
)
"""A number that the writer says outright: "I'd answer 51. The gap between them is 19"."""
_SAYS = words("answer say go choose pick settle stick")


def answered(text: str) -> Decimal | None:
    """The number that a text says outright as the writer's answer; None where it says none."""
    if _SAYS.isdisjoint(words(text)) or not (found := list(_ANSWERS.finditer(text))):
        return None
    values = figures(found[-1]["value"].rstrip(".,"))
    return values[0].value if len(values) == 1 else None


def follows(text: str, new: set[Decimal]) -> bool:
    """Whether a number of the input is the last result of a text, worked out of a new one."""
    return "=" in text and (_CHAIN.search(text) is not None or (len(new) == 1 and _applied(text, *new)))


def _applied(text: str, value: Decimal) -> bool:
    """Whether the last equation of a text only applies something to a number: "op 34 = 17" says 17."""
    before = text.rpartition("=")[0].rpartition("=")[2]
    return re.search(rf"[A-Za-z]\s?\(?{re.escape(str(value))}\)?\s*$", before) is not None


_CHAIN = regex(r"=[^=\n]*[-+*/×÷][^=\n]*=\s?-?[\d.,]*\d(?:\s*\([^()\n]{1,60}\))?\W*$")
"""A sum that is worked out at the end: "op -17 = -17 + 17 = 0" says 0."""


_BY_THE_WAY = regex(
    r"(?P<first>[^\n]{1,40}?[.!。])\s*(?:\(?(?:note|by the way|btw|incidentally|as an aside|for comparison|remarque|à noter|au passage"
    r"|hinweis|achtung|anmerkung|übrigens|nota|por cierto)\b|注意|顺便|另外|备注|ちなみに|なお|参考|참고로|덧붙여)"
    r"[^\n]*?(?:\b(?:if|would|had|wenn|wäre|falls|si|serait|sería)\b|如果|若|なら|면 )[^\n]*",
    re.I,
)
_NOTES = words("note by btw incidentally aside comparison remarque noter passage hinweis achtung anmerkung übrigens nota por")


def aside_after(text: str) -> str:
    """What a text says before a remark on what another case would give: "117. Note: if you subtract, it is 67"; '' elsewhere."""
    if (text.isascii() and _NOTES.isdisjoint(words(text))) or (found := _BY_THE_WAY.fullmatch(text)) is None:
        return ""
    return found["first"]

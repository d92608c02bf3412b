"""Results of two operations in one reply: the one that the task asks for counts. "Sum: 20, difference: 6"; "13 + 7 = 20, 13 - 7 = 6"."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from promptlab.nouns.item import Item
from promptlab.scoring.answers.text import CACHED, fold, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.figures import figures

_TWO = regex(r"\s*(-?\d+)[\s,;]+(-?\d+)\s*")
_LABELS = {
    "+": r"(?:sum|summe|somme|suma|soma|somma|总?和|合計|合计|합계?)",
    "-": r"(?:difference|differenz|différence|diferencia|diferença|differenza|差(?:額|额|值)?|차이?)",
}
_OF_LABEL = (
    r"(?P<{}>(?<![^\W_]){}) ?(?:[:=]|은|는|が|は|是|为|為|(?:(?:is|equals|(?:comes|came|amounts) to|ist|est|es|è|é|beträgt) )?(?=[ -]?\d))"
    r" ?(?P<{}>-?\d+(?:[.,]\d+)*)(?!\d| ?[-+*/×÷=] ?[\d(])"
)
_WITH_LABEL = (
    r"(?P<{2}>(?<![\d.,+*/×÷=-])(?<![-+*/×÷=] )-?\d+(?:[.,]\d+)*)(?: ?[=(-]| (?:is|as|ist|est|es|è|é))?"
    r" ?(?:(?:the|die|la|der|el|a|o) )?(?P<{0}>{1}(?![^\W_]))\)?"
)
_RESULT, _RESULT_FIRST = (
    regex(rf"{named.format('plus', _LABELS['+'], 'summed')}|{named.format('minus', _LABELS['-'], 'rest')}", re.I)
    for named in (_OF_LABEL, _WITH_LABEL)
)
_NAMES = words("sum summe somme suma soma somma difference differenz diferencia differenza")
_BETWEEN = regex(r"\W*(?:(?:and|und|et|y|e|while|(?<=while )|the|die|la|l'|der|el|a|o) ?|\W)*\Z", re.I)
_EQUATION = regex(r"(?P<left>-?\d+) ?(?P<sign>[-+−]) ?(?P<right>-?\d+) ?= ?(?P<value>-?\d+)(?![\d.])")


@lru_cache(maxsize=CACHED)
def _asks(item: Item) -> tuple[str, frozenset[Decimal]] | None:
    """The sign of the operation whose result an item of two numbers has as its target, and the numbers; None where no single one is."""
    given = _TWO.fullmatch(item.input)
    wanted = {one.value for target in item.targets for one in figures(fold(target))}
    if given is None or len(wanted) != 1:
        return None
    left, right = Decimal(given[1]), Decimal(given[2])
    signs = [sign for sign, value in (("+", left + right), ("-", left - right)) if value in wanted]
    return (signs[0], frozenset((left, right))) if len(signs) == 1 else None


def result(text: str, item: Item) -> Decimal | None:
    """The result of the operation asked for, where a folded reply says nothing but the results of a sum and of a difference."""
    if not 7 <= len(text) <= 300 or (text.isascii() and "=" not in text and _NAMES.isdisjoint(words(text))):
        return None
    if (asked := _asks(item)) is None:
        return None
    sign, given = asked
    for named in (_RESULT, _RESULT_FIRST):
        labelled = list(named.finditer(text))
        if len(labelled) != 2 or bool(labelled[0]["plus"]) == bool(labelled[1]["plus"]):
            continue
        if _BETWEEN.sub("", named.sub("", text)).strip(" .;,。、|/-*\n"):
            continue
        one = next(one for one in labelled if bool(one["plus"]) == (sign == "+"))
        said = figures(one["summed"] or one["rest"])
        return said[0].value if len(said) == 1 else None
    worked = list(_EQUATION.finditer(text))
    if len(worked) == 2 and {one["sign"] for one in worked} == {"+", "-"}:
        own = all({Decimal(one["left"]), Decimal(one["right"])} == given for one in worked)
        if own and not _EQUATION.sub("", text).strip(" .;,。、|/\n"):
            return next(Decimal(one["value"]) for one in worked if one["sign"] == sign)
    return None

"""Answers that are levels of a scale."""

from __future__ import annotations

import re

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.answers.text import key, western, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.notations import spelled_number
from promptlab.scoring.metrics.strict.numerals import numbered

_NOT_LEVEL = regex(
    r"(?:^\W*(?:less than|more than|at least|at most|below|above|under|over)|\bnot|n't)\s+(?:a\s+)?[0-5]\b(?!.*\b(?:but"
    r"|it is|it's)\b)",
    re.I,
)
_NO_LEVEL = regex(
    r"\bsentences? \d\b(?: and \d)?|\b(?:two|zwei|one|first|second) (?:\w+ )?(?:sentences?|statements?|texts?|phrases?|descriptions?|people"
    r"|men|women|dogs|children)\b|\b[0-5] (?:=|means|would be|is) (?:identical|unrelated)\w*|\band [0-5] (?:identical|unrelated)"
    r"|\([a-z][^()\n]*\)|\bscale (?:of|from) [^.\n]*?\d\s*(?:to|-)\s*\d|/ ?5\b|\bout of (?:5|five)\b|\bfrom \d to \d\b",
    re.I,
)
_OF_FIVE = regex(
    r"\b(?:sur|sobre|von|de|auf|di) (?:maximal )?(?:5|cinq|cinco|fünf|cinque)\b(?: (?:punkten|points|puntos))?"
    r"|5 ?(?:点満点で?|点中|分满分|分制|점 ?만점(?:에|으로|에서)?|점 중)|满分(?:为|是)? ?5 ?分?|[0-5] ?(?:から|到|至|에서|부터) ?5\b",
    re.I,
)
_N = r"\d+(?:\.\d+)?"
_COMPARED = regex(
    rf"\b(?:difference|differenz|unterschied|différence|diferencia|distance|gap) (?:between|from|of|zwischen|von|entre"
    rf"|de) {_N} (?:and|to|und|et|y|bis|a|à)"
    rf" {_N}(?: \w+){{0,2}}? (?:is|ist|est|es|equals|of|beträgt|=) {_N}|{_N} (?:(?:is|ist|est|es) (?:\w+ )?(?:less|more|greater"
    r"|higher|lower|larger"
    rf"|smaller|bigger|better|kleiner|größer|höher|niedriger|plus \w+|moins \w+|mayor|menor|más \w+|menos \w+)"
    rf" (?:than|als|que|qu')|[<>]) ?{_N}"
    rf"|{_N} ?(?:-|minus|moins|menos) ?{_N} ?(?:=|is|equals|ist|est|es|makes|gives) ?{_N}|\bratio of {_N} to {_N}|{_N}[ -]to[ -]{_N}"
    rf"(?: ratio(?: of {_N} to {_N})?)?|{_N} ?(?:和|与|と|와|과|跟) ?{_N} ?(?:之间)?[的の의]? ?(?:差[别值距]?|차이?)[는은は是为]? ?{_N}"
    rf"|{_N} ?[は은는比이가] ?{_N} ?(?:より|보다)? ?[大小高低크작높낮]",
    re.I,
)
"""Figures that a reply compares with each other: they rate nothing."""
_COMPARING = words(
    "difference differenz unterschied diferencia distance gap ratio minus moins menos less more greater higher lower larger smaller bigger "
    "better kleiner niedriger mayor menor plus to"
)
_BESIDE = regex(r"[-<>]\s?\d")
_TOO = regex(
    r"(?:\b(?:an?|une?|eine?|un) )?(?<![\d.])[0-5](?![\d.]*\d)(?: ?[点分점])?(?: \([^()\n]*\))?(?!\W*[0-5])[^.;,。、\d\n]{0,40}?"
    r"(?:\btoo (?:high|low|generous|harsh|strict|much|little|severe)\b|\bzu (?:viel|hoch|niedrig|wenig|streng|großzügig|gering)\b"
    r"|\btrop (?:haut|élevé|bas|sévère|généreu\w+|faible|dur)\b|\bdemasiad[oa] (?:alt|baj|generos|sever|poc|much)\w+|\bdemasiado\b"
    r"|\bexcesiv[oa]\b|\bexagerad[oa]\b|\bexagérée?\b|\bexcessi(?:f|ve)\b|\bübertrieben\b|[高低甘厳]すぎ|(?:太|过)[高低]|너무 [높낮]\w*)",
    re.I,
)
"""A level that a reply calls too high or too low."""


_TOO_CUES = words("too zu trop demasiado demasiada excesivo excesiva exagerado exagerada exagéré exagérée excessif excessive übertrieben")
_OUT_OF = words("sur sobre von de auf di")


def level(reply: Reply, item: Item) -> Scored:
    """A level of a scale, "3 - probably": by its number, or by its words alone."""
    text = reply.text
    compares = not text.isascii() or not _COMPARING.isdisjoint(words(text)) or _BESIDE.search(text) is not None
    if compares and (rest := _COMPARED.sub(" ", reply.text)) != reply.text:
        reply = located(rest)
    levels = {key(target.partition("-")[2]) for target in item.targets}
    if key(reply.text) in levels:
        return Scored(1.0, key(reply.text), "whole")
    named = any(word and key(reply.text).startswith(word) for word in levels)
    if not named and reply.corrected is None and (reply.denied or (reply.concluded is None and _NOT_LEVEL.search(reply.text))):
        return Scored(0.0, None, "denied")
    corrected = [(reply.corrected, "correction")] if reply.corrected else []
    concluded = [(reply.concluded.text, "conclusion")] if reply.concluded else []
    places = (*corrected, *concluded, (reply.unremarked.split("\n")[0], "first line"), (reply.unremarked, "whole"))
    for raw, rule in places:
        place = _NO_LEVEL.sub(" ", raw)
        named_words = words(place)
        if not place.isascii() or not _OUT_OF.isdisjoint(named_words):
            place = _OF_FIVE.sub(" ", place)
        if not western(place) or not _TOO_CUES.isdisjoint(named_words):
            place = _TOO.sub(" ", place)
        found = set(re.findall(r"(?<![\d.])[0-5](?:\.0+)?(?![\d.]*\d)", place))
        if not found:
            found = {str(n) for n in spelled_number(place) if 0 <= n <= 5}
        if found:
            level = next(iter(found))[0] if len({f[0] for f in found}) == 1 else None
            if (
                level is None
                and (lead := re.match(r"\W*([0-5])(?:\.0+)?\s*(?:-|:|\(|$|[.,]\s)", place))
                and not re.match(r"\W*[0-5]\s*(?:or|,|-|/)\s*[0-5]", place)
            ):
                level = lead[1]
            if level is None and len(found) < 4 and (value := numbered(located(place))[0]) is not None:
                level = str(value)[:1]
            return Scored(float(level is not None and level in {target[:1] for target in item.targets}), level, rule)
    for raw, rule in places:
        said = f"{key(raw)} "
        if any(said.startswith(f"{word} ") and not said.startswith(f"{word} not ") for word in levels):
            return Scored(1.0, key(raw), rule)
    return Scored(0.0, key(reply.text) or None)

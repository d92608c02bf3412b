"""Answers that are one letter of the input word."""

from __future__ import annotations

import re

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.phrases import word

_ORDINALS = {"first": "first", "1st": "first", "second": "second", "2nd": "second"}
_IS_ORDINAL = regex(r"[\"']?\b([a-z])\b[\"']? (?:is|comes|stands) (?:the )?(first|second|1st|2nd)\b")


_PLACES = (
    r"(?:first|1st|erste\w*|premi[èe]\w+|primer\w*|第一|第?1 ?(?:番目|位|个)|一番目|첫 ?번?째?)",
    r"(?:second|2nd|zweite\w*|deuxième|seconde?|segund\w+|第二|第?2 ?(?:番目|位|个)|二番目|두 ?번째)",
    r"(?:third|fourth|fifth|sixth|last|later|next|\d(?:rd|th)|(?:dritte|vierte|fünfte|letzte)\w*|(?:troisi|quatri|cinqui)ème|derni[èe]re?"
    r"|tercer\w*|cuart\w+|quint\w+|últim\w+|第[三四五]|第?[3-9] ?(?:番目|位|个)|三番目|[세네] ?번째|마지막)",
)
_SOMEWHERE = (
    r"(?:^|[;,.。、]\s*)(?:(?:and|but|while|und|aber|während|et|mais|y|pero|mientras que|而|但)\s?)?(?:the letter |the )?[\"'][a-z][\"'] ?"
    r"(?:(?!{1})[^;.。\"'\n]){{0,40}}?{0}[^;。.]*[;。.]?"
    r"|[,;]? (?:and|but|while) the {0} (?:letter |one )?(?:is|comes) [\"'][a-z][\"']"
)
_ELSEWHERE = {
    "first": regex(_SOMEWHERE.format(f"(?:{_PLACES[1]}|{_PLACES[2]})", _PLACES[0]), re.I),
    "second": regex(_SOMEWHERE.format(f"(?:{_PLACES[0]}|{_PLACES[2]})", _PLACES[1]), re.I),
}
"""What a reply says of a letter in another place than the requested one: '"a" only comes third'."""


def letter(reply: Reply, item: Item) -> Scored:
    """One letter of the input word; "p is first, l is second" is read by the place that is requested."""
    said = {_ORDINALS[place]: found for found, place in _IS_ORDINAL.findall(reply.text.casefold())}
    if len(said) == 2 and item.targets:
        place = (
            "first" if item.input[:1].casefold() == item.targets[0].casefold() and said["first"] == item.targets[0].casefold() else "second"
        )
        return Scored(float(said[place] == item.targets[0].casefold()), said[place], "statement")
    if reply.text.count('"') > 2 or reply.text.count("'") > 2:
        asked = "first" if item.targets and item.input[:1].casefold() == item.targets[0].casefold() else "second"
        rest = _ELSEWHERE[asked].sub(" ", reply.text).strip()
        reply = located(rest) if rest and rest != reply.text else reply
    scored = word(reply, item)
    if scored.score or len(reply.text) > 500:
        return scored
    first = bool(item.targets) and item.input[:1].casefold() == item.targets[0].casefold()
    text = reply.said.casefold()
    told = {found["letter"] or found["there"] for found in (_STARTS if first else _SECOND).finditer(text)} or set(_SINGLE.findall(text))
    if len(told) == 1 and item.targets:
        return Scored(float(told == {item.targets[0].casefold()}), told.pop(), "only letter")
    return scored


_LETTER = r"(?:is|:|=)?\s*(?:the (?:letter )?|an? )?[\"']?(?P<letter>[a-z])(?![\w'])"
_THERE = (
    r"(?:buchstabe|lettre|letra)\b[^.;\n]{0,40}? (?:ist|lautet|est|es) (?:l[ae] |el |das |der |une? |una |ein )?"
    r"[\"']?(?P<there>[a-z])(?![\w'])"
)
_STARTS = regex(
    rf"\b(?:(?:starts?|begins?|starting|beginning) with|(?:first|1st)(?: letter)?(?: \w+ [\"']?\w+[\"']?)?)\s*{_LETTER}"
    rf"|\b(?:erste|premi[èe]re|primera) {_THERE}"
)
_SECOND = regex(rf"\b(?:second|2nd)(?: letter)?(?: \w+ [\"']?\w+[\"']?)?\s*{_LETTER}|\b(?:zweite|deuxième|seconde|segunda) {_THERE}")
_SINGLE = regex(r"(?<![\w'])[b-hj-z](?![\w'])")

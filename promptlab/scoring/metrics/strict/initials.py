"""Answers that are one letter of the input word."""

from __future__ import annotations

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.phrases import word

_ORDINALS = {"first": "first", "1st": "first", "second": "second", "2nd": "second"}
_IS_ORDINAL = regex(r"\"?\b([a-z])\b\"? is (?:the )?(first|second|1st|2nd)\b")


def letter(reply: Reply, item: Item) -> Scored:
    """One letter of the input word; "p is first, l is second" is read by the place that is requested."""
    said = {_ORDINALS[place]: found for found, place in _IS_ORDINAL.findall(reply.text.casefold())}
    if len(said) == 2 and item.targets:
        place = (
            "first" if item.input[:1].casefold() == item.targets[0].casefold() and said["first"] == item.targets[0].casefold() else "second"
        )
        return Scored(float(said[place] == item.targets[0].casefold()), said[place], "statement")
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

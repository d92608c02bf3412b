"""Which of two animals is the larger one where a reply only gives their sizes: "A wren weighs 10 g, a yak 300 kg"."""

from __future__ import annotations

import re
from typing import NamedTuple

from promptlab.scoring.answers.denials import denying
from promptlab.scoring.compiled import regex

_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("mg", "milligram", "milligrams", "毫克"), ("mass", 1e-6)),
    **dict.fromkeys(("g", "gram", "grams", "gramm", "gramme", "grammes", "gramo", "gramos", "克", "グラム", "그램"), ("mass", 1e-3)),
    **dict.fromkeys(
        ("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "kilogramm", "kilogramme", "kilogrammes", "kilogramo", "kilogramos")
        + ("公斤", "千克", "キロ", "キログラム", "킬로그램", "킬로"),
        ("mass", 1.0),
    ),
    **dict.fromkeys(("斤",), ("mass", 0.5)),
    **dict.fromkeys(
        ("t", "ton", "tons", "tonne", "tonnes", "tonnen", "tonelada", "toneladas", "吨", "噸", "トン", "톤"), ("mass", 1000.0)
    ),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds", "livres", "libras"), ("mass", 0.4536)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("mass", 0.02835)),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres", "毫米", "ミリ"), ("length", 1e-3)),
    **dict.fromkeys(
        ("cm", "centimeter", "centimeters", "centimetre", "centimetres", "zentimeter", "centímetros", "centimètres", "厘米", "公分")
        + ("センチ", "センチメートル", "센티미터", "센티"),
        ("length", 1e-2),
    ),
    **dict.fromkeys(
        ("m", "meter", "meters", "metre", "metres", "metern", "mètre", "mètres", "metro", "metros", "米", "メートル", "미터"), ("length", 1.0)
    ),
    **dict.fromkeys(("inch", "inches"), ("length", 0.0254)),
    **dict.fromkeys(("ft", "foot", "feet"), ("length", 0.3048)),
}
"""Units as replies write them: what they measure, and how many kilograms or metres one is."""
_NUMBER = r"\d{1,3}(?:[ '.,]\d{3})+(?!\d)|\d+(?:[.,]\d+)?"
_SIZE = regex(
    rf"(?<![0-9A-Za-z.,])(?:(?P<from>{_NUMBER})\s?(?:(?:to|bis|à|a|or|oder|and)\s|[-~至到から]+\s?))?(?P<to>{_NUMBER})[\s-]?"
    rf"(?P<unit>{'|'.join(sorted((re.escape(unit) for unit in _UNITS), key=len, reverse=True))})(?![a-zà-ÿ²³/])",
    re.I,
)
_ELSE = regex(
    r"\b(?:smaller|smallest|lighter|shorter|former|latter|first|second|however|though|yet|wrong|unless|if|baby|babies|newborn|young|cub|calf"
    r"|difference|per|each day|eats?|runs?|faster|hour|kleiner|leichter|aber|wenn|baby|petite?|mais|si|pequeñ[oa]|pero|jung\w*|isst|frisst"
    r"|mange|come|h)\b|小|轻|但|如果|吃|每|しかし|食べ|子|もし|작|하지만|새끼|먹|\?",
    re.I,
)
"""What says something else than how large the two are, or turns the other way."""


class _Size(NamedTuple):
    """A size: what it measures, and between which values it lies, in kilograms or metres."""

    measures: str
    least: float
    most: float
    at: int


def _values(said: str) -> tuple[float, ...]:
    """The numbers that digits may mean: "1.200" is 1.2 or 1200."""
    if re.fullmatch(r"\d{1,3}(?:[ ',]\d{3})+", said):
        return (float(re.sub(r"\D", "", said)),)
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", said):
        whole = float(said.replace(".", ""))
        return (float(said), whole) if said.count(".") == 1 else (whole,)
    return (float(re.sub(r"[ ']", "", said).replace(",", ".")),)


def _sizes(text: str) -> list[_Size]:
    found = []
    for one in _SIZE.finditer(text):
        measures, factor = _UNITS[one["unit"].lower()]
        values = [factor * value for said in (one["from"], one["to"]) if said for value in _values(said)]
        found.append(_Size(measures, min(values), max(values), one.start()))
    return found


def may_measure(text: str) -> bool:
    """Whether a text may give two sizes."""
    return sum(map(str.isdigit, text)) > 1


def heavier(text: str, mentions: re.Pattern[str]) -> int | None:
    """Which of two names has the larger sizes; None where not all sizes say so, or the reply says more of a name than its size.

    `mentions` has one group `o0`, `o1` for each of the two names.
    """
    if len(text) > 1000 or not may_measure(text) or len(sizes := _sizes(text)) < 2:
        return None
    if denying(text) or _ELSE.search(_SIZE.sub(" ", text)) is not None:
        return None
    named = [(one.start(), int(str(one.lastgroup)[1:])) for one in mentions.finditer(text)]
    if sorted(n for _, n in named) != [0, 1]:
        return None
    (first, one), (second, other) = named
    if sizes[0].at > first:
        of = {one: [size for size in sizes if size.at < second], other: [size for size in sizes if size.at > second]}
    elif sizes[-1].at < second:
        of = {one: [size for size in sizes if size.at < first], other: [size for size in sizes if size.at > first]}
    else:
        return None
    larger = set()
    for measures in {one.measures for one in of[0]} & {one.measures for one in of[1]}:
        sides = [[one for one in of[n] if one.measures == measures] for n in (0, 1)]
        least, most = ([choose(values) for values in ([one[i] for one in side] for side in sides)] for i, choose in ((1, min), (2, max)))
        larger.add(0 if least[0] > most[1] else 1 if least[1] > most[0] else -1)
    return larger.pop() if len(larger) == 1 and -1 not in larger else None

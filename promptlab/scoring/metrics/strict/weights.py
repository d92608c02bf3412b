"""Which of two animals is the larger one where a reply only gives their sizes: "A wren weighs 10 g, a yak 300 kg"."""

from __future__ import annotations

import re
from typing import NamedTuple

from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.text import words
from promptlab.scoring.compiled import regex

_NAMED = (
    ("mass", 1e-6, "mg milligram milligrams 毫克"),
    ("mass", 1e-3, "g gram grams gramm gramme grammes gramo gramos 克 グラム 그램"),
    ("mass", 1.0, "kg kgs kilo kilos kilogram kilograms kilogramm kilogramme kilogrammes kilogramo kilogramos"),
    ("mass", 1.0, "公斤 千克 キロ キログラム 킬로그램 킬로"),
    ("mass", 0.5, "斤"),
    ("mass", 1000.0, "t ton tons tonne tonnes tonnen tonelada toneladas 吨 噸 トン 톤"),
    ("mass", 0.4536, "lb lbs pound pounds livres libras"),
    ("mass", 0.02835, "oz ounce ounces"),
    ("length", 1e-3, "mm millimeter millimeters millimetre millimetres 毫米 ミリ"),
    ("length", 1e-2, "cm centimeter centimeters centimetre centimetres zentimeter centímetros centimètres"),
    ("length", 1e-2, "厘米 公分 センチ センチメートル 센티미터 센티"),
    ("length", 1.0, "m meter meters metre metres metern mètre mètres metro metros 米 メートル 미터"),
    ("length", 0.0254, "inch inches"),
    ("length", 0.3048, "ft foot feet"),
)
_UNITS = {unit: (measures, factor) for measures, factor, units in _NAMED for unit in units.split()}
"""Units as replies write them: what they measure, and how many kilograms or metres one is."""
_NUMBER = r"\d{1,3}(?:[ '.,]\d{3})+(?!\d)|\d+(?:[.,]\d+)?"
_SIZE = regex(
    rf"(?<![0-9A-Za-z.,])(?:(?P<from>{_NUMBER})\s?(?:(?:to|bis|à|a|or|oder|and)\s|[-~至到から]+\s?))?(?P<to>{_NUMBER})[\s-]?"
    rf"(?P<unit>{'|'.join(sorted((re.escape(unit) for unit in _UNITS), key=len, reverse=True))})(?![a-zà-ÿ²³/])",
    re.I,
)
_TELLS = words(
    "a an the is are was at about around roughly approximately approx some up to maybe perhaps probably can may could reach "
    "reaches reaching grow grows growing weigh weighs weighing weighed weight weights mass size length height long tall high heavy "
    "of or and while whereas but between over under only just even more less than nearly almost usually typically normally often "
    "mere adult adults male males female average typical large small big body it its in comes measures measuring measure has have "
    "with vs versus for against compared as much many animal full grown by from well max maximum s ein eine einer der die das "
    "wiegt wiegen etwa ca circa rund ungefähr bis zu und während nur kann über mehr als schwer lang hoch groß ist sind gewicht von "
    "im schnitt durchschnittlich ausgewachsener ausgewachsene dagegen hingegen aber bringt es auf un une le la les l pèse pèsent "
    "environ jusqu à et tandis que alors peut peser plus de mesure seulement est fait poids mais en moyenne el los las pesa pesan "
    "unos unas alrededor aproximadamente hasta y mientras puede pesar más mide solo sólo peso pero promedio cerca"
)
"""The words of a text that only tells how large two animals are."""
_TELLS_EAST = regex(
    r"的?(?:体重|體重|重量|身長|身长|体長|体长|身高|长度|高度)|大约|大約|约为|约|約|左右|重达|可达|达到?|可以?|重|长|長|高|只有|仅|成年的?|一[只头頭匹条條]|通常|一般"
    r"|而|则|和|与|是|为|有|也|体重は|ほど|くらい|ぐらい|程度|あります|ある|です|ます|なり|に達し|最大で?|平均で?|一方|は|が|で|の|も|に|と"
    r"|몸무게|무게|체중|길이|키|약|대략|정도|까지|최대|평균|나갑니다|나가고|나가며|입니다|이고|이며|인데|이지만|됩니다|되고|반면|보통|은|는|이|가|의|에|도|와|과|로|쯤"
    r"|[、。，：；（）・~～]"
)


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


_TWO_NUMBERS = regex(r"\d\D+\d")


def may_measure(text: str) -> bool:
    """Whether a text may give two sizes."""
    return _TWO_NUMBERS.search(text) is not None


def _tells_only(text: str) -> bool:
    """Whether the words around names and sizes only tell of sizes."""
    return words(_TELLS_EAST.sub(" ", text) if not text.isascii() else text) <= _TELLS


_CLAUSES = regex(
    r"[.;,]\s|\n|[、。，；]|\b(?:and|while|whereas|but|versus|vs|against|compared|und|während|aber|gegen|et|mais|tandis|contre|y|mientras|pero|contra)\b",
    re.I,
)


def lighter(text: str, mentions: re.Pattern[str]) -> int | None:
    """Which of two names has the smaller size, each in a clause with no other name; None where not both have one."""
    if len(text) > 1000 or not may_measure(text) or len(_sizes(text)) < 2:
        return None
    of: dict[int, set[float]] = {}
    for clause in _CLAUSES.split(text):
        named, sizes = {int(str(one.lastgroup)[1:]) for one in mentions.finditer(clause)}, _sizes(clause)
        if len(named) == 1 and len(sizes) == 1 and sizes[0].measures == "mass":
            of.setdefault(named.pop(), set()).add(sizes[0].most)
    if of.keys() != {0, 1} or len(of[0]) != 1 or len(of[1]) != 1 or of[0] == of[1]:
        return None
    return int(max(of[0]) > max(of[1]))


def heavier(text: str, mentions: re.Pattern[str]) -> int | None:
    """Which of two names has the larger sizes; None where not all sizes say so, or the reply says more of a name than its size.

    `mentions` has one group `o0`, `o1` for each of the two names.
    """
    if len(text) > 1000 or not may_measure(text) or len(sizes := _sizes(text)) < 2:
        return None
    until = max(sizes[-1].at, *(one.end() for one in mentions.finditer(text)), 0)
    if not _tells_only(_SIZE.sub(" ", mentions.sub(" ", text[:until]))) or denying(text):
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
        least = [min(one.least for one in side) for side in sides]
        most = [max(one.most for one in side) for side in sides]
        larger.add(0 if least[0] > most[1] else 1 if least[1] > most[0] else -1)
    return larger.pop() if len(larger) == 1 and -1 not in larger else None

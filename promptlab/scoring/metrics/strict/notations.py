"""Notations of numbers: words of several languages, fractions, scales and powers of ten, each as plain digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from promptlab.design.defects import NUMBER_WORDS
from promptlab.scoring.answers.text import CACHED, words
from promptlab.scoring.compiled import regex

UNITS = {name: n for n, name in enumerate(NUMBER_WORDS[:20])}
TENS = {name: 10 * n for n, name in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = regex(r"[a-z]+", re.I)


def spelled_number(text: str) -> list[int]:
    """Every number that a text spells out in English, in order; "one hundred and four" is one number, "one, two" are two."""
    return [value for value, _, _ in _english(text)]


def _english(text: str) -> Iterator[tuple[int, int, int]]:
    """(value, start, end) of every number that a text spells out."""
    total = group = 0
    last = 0  # the smallest place that the open number has filled; 0 when none is open
    start = end = 0
    for match in _WORD.finditer(text):
        name = match[0].casefold()
        if name in SCALES and last:
            scale = SCALES[name]
            if scale == 100:
                group *= 100
            else:
                total, group = total + group * scale, 0
            last, end = scale, match.end()
            continue
        value = UNITS.get(name, TENS.get(name))
        if value is None:
            if name == "and" and last >= 100:
                continue
            if last:
                yield total + group, start, end
            total = group = last = 0
            continue
        place = 10 if name in TENS else 1
        fits = last >= 100 or (last == 10 and place == 1 and value and value < 10)
        if last and not fits:
            yield total + group, start, end
            total = group = last = 0
        if not last:
            start = match.start()
        group += value
        last, end = place, match.end()
    if last:
        yield total + group, start, end


def _german() -> dict[str, int]:
    ones = str.split("null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf")
    names = {name: n for n, name in enumerate(ones)} | {
        f"{stem}zehn": n for n, stem in enumerate(str.split("drei vier fünf sech sieb acht neun"), 13)
    }
    for n, ten in enumerate(str.split("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"), 2):
        names |= {ten: 10 * n} | {f"{'ein' if one == 'eins' else one}und{ten}": 10 * n + k for k, one in enumerate(ones[1:10], 1)}
    return names | {name.replace("ß", "ss").replace("ü", "ue").replace("ö", "oe"): n for name, n in names.items()}


def _french() -> dict[str, int]:
    ones = str.split(
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf"
    )
    names = {name: n for n, name in enumerate(ones)}
    tens = (
        (20, "vingt", 10),
        (30, "trente", 10),
        (40, "quarante", 10),
        (50, "cinquante", 10),
        (60, "soixante", 20),
        (80, "quatre-vingt", 20),
    )
    for base, ten, many in tens:
        names |= {ten + ("s" if base == 80 else ""): base} | {f"{ten}-{ones[k]}": base + k for k in range(1, many)}
        names |= {f"{ten} et {one}": base + k for k, one in ((1, "un"), (11, "onze")) if k < many}
    return names | {name.replace("-", " "): n for name, n in names.items()}


def _spanish() -> dict[str, int]:
    ones = str.split(
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
        "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
        "veintiocho veintinueve"
    )
    names = {name: n for n, name in enumerate(ones)}
    for n, ten in enumerate(str.split("treinta cuarenta cincuenta sesenta setenta ochenta noventa"), 3):
        names |= {ten: 10 * n} | {f"{ten} y {one}": 10 * n + k for k, one in enumerate(ones[1:10], 1)}
    return names


_HUNDREDS = {"cien": 100, "ciento": 100, "einhundert": 100, "quinientos": 500, "setecientos": 700, "novecientos": 900} | {
    f"{name}cientos": 100 * n for n, name in ((2, "dos"), (3, "tres"), (4, "cuatro"), (6, "seis"), (8, "ocho"))
}
_TIMES = {"hundert": 100, "cent": 100, "cents": 100, "tausend": 1000, "eintausend": 1000, "mille": 1000, "mil": 1000}
_ATOMS = {**_german(), **_french(), **_spanish(), **_HUNDREDS, **_TIMES}
_ATOMS |= {name.casefold(): n for name, n in _ATOMS.items()}  # "fünfunddreissig"
_ATOM = regex("|".join(sorted(map(re.escape, _ATOMS), key=len, reverse=True)), re.I)
_FOREIGN = regex(rf"(?<!\w)(?:{_ATOM.pattern})(?:(?:[ -]|und| y | et )?(?:{_ATOM.pattern}))*(?!\w)", re.I)
_COMMON = frozenset({"once", "un", "uno", "six", "cent", "cents", "null", "eins", "elf", "mil"})
"""Number words that are other words elsewhere: alone they count only where they are all that a text says."""
_AMONG = {"elf": words("sind insgesamt ist zähle habe ergibt dinge gegenstände stück stücke ergebnis antwort zusammen sachen macht")} | {
    "once": words("son hay total tengo objetos cosas resultado respuesta suman cuento"),
}
"""Words of a sentence in which such a word is a number."""
_DIGITS = {**dict(zip("零一二三四五六七八九", range(10), strict=True)), "〇": 0, "两": 2, "兩": 2} | {
    **dict(zip("영일이삼사오육칠팔구", range(10), strict=True)),
    "공": 0,
}
_PLACES = {"十": 10, "百": 100, "千": 1000, "십": 10, "백": 100, "천": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "만": 10**4, "億": 10**8, "亿": 10**8, "억": 10**8}
_CHINESE = "零〇一二两兩三四五六七八九十百千万萬億亿"
_KOREAN = "영공일이삼사오육칠팔구십백천만억"
_EAST = regex(
    rf"(?:(?<![\u4e00-\u9fff])|(?<=[或者]))[{_CHINESE}]{{1,20}}(?=\s*(?:[。.!！、,，です个個つ本台只件枚人]|$))"
    rf"|[{_CHINESE}]{{0,20}}[十百千](?!分之)(?<!之[十百千])[{_CHINESE}]{{0,20}}"
    rf"|(?<=[是为為有：は共计計负負])[{_CHINESE}]{{1,20}}"
    rf"|(?<![\uac00-\ud7af])[{_KOREAN}]{{1,20}}(?=\s*(?:입니다|이에요|예요|이다|개|[.!]|$))"
)
_NATIVE = {name: n for n, name in enumerate(str.split("하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열"), 1)} | dict(
    zip("한두세네", range(1, 5), strict=True)
)
_NATIVE |= {
    ten + one: 10 * n + k
    for n, ten in enumerate(str.split("열 스물 서른 마흔 쉰 예순 일흔 여든 아흔"), 1)
    for k, one in enumerate(["", *list(_NATIVE)[:9]])
}
_NATIVE |= {f"{ten}{one}": 10 * n + k for n, ten in ((1, "열"), (2, "스물")) for k, one in enumerate("한두세네", 1)}
_IN_KOREAN = regex(
    rf"(?<![\uac00-\ud7af])(?:{'|'.join(sorted(_NATIVE, key=len, reverse=True))})"
    r"(?=\s*(?:입니다|이에요|예요|이다|개|마리|명|권|그루|송이|자루|[.!]|$))"
)
_EAST_LAST = regex(
    rf"(?<=[是为為于於即得出负負有共计計=→はとが])[{_CHINESE}]{{1,20}}(?=(?:です|になり(?:ます)?|となり(?:ます)?|だ)?[^\w]*$)"
    rf"|(?<=[은는이가스] )[{_KOREAN}]{{1,20}}(?=(?:입니다|이에요|예요|이다|[이가] (?:됩니다|돼요|나옵니다))[^\w]*$)"
)
"""A number in letters of East Asia that ends a sentence."""


def _foreign(match: re.Match[str]) -> str:
    name = match[0].casefold()
    if name in _COMMON and match[0] != match.string.strip(" .!\"'*") and words(match.string).isdisjoint(_AMONG.get(name, ())):
        return match[0]
    total = group = 0
    for name in _ATOM.findall(match[0]):
        times = _TIMES.get(name.casefold())
        if times == 1000:
            total, group = total + (group or 1) * 1000, 0
        else:
            group = (group or 1) * times if times else group + _ATOMS[name.casefold()]
    return str(total + group)


def _eastern(match: re.Match[str]) -> str:
    total = group = digit = 0
    if not any(sign in _PLACES or sign in _MYRIADS for sign in match[0]):
        return "".join(str(_DIGITS[sign]) for sign in match[0])
    for sign in match[0]:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _PLACES:
            group, digit = group + (digit or 1) * _PLACES[sign], 0
        else:
            total, group, digit = total + (group + digit or 1) * _MYRIADS[sign], 0, 0
    return str(total + group + digit)


_HALVES = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "eighth": 8, "tenth": 10}
_PART = regex(
    rf"\b(?:(?P<whole>\d+) and )?(?P<top>an?|one|\d+)?[ -]?\b(?P<part>{'|'.join(_HALVES)}|halves)s?\b(?! (?:of|a dozen|a|is|was|number))",
    re.I,
)
_FRACTION = regex(
    r"(?<![\d/.,])(?:(?P<whole>\d{1,6})[ -]?(?=\d{1,6}(?:\s?[/⁄]| over )|\())?\(?(?P<top>\d{1,6})\)?(?:\s?[/⁄]\s?"
    r"| over )\(?(?P<low>[1-9]\d{0,5})\)?(?![\d/])"
)
_POINT = regex(r"(?<=\d) (?:point|komma|comma|coma|virgule) (?=\d)", re.I)
_SCALED = regex(
    r"(?<![\w.,])(?P<digits>\d[\d,]*(?:\.\d+)?)(?:\s?(?:[×x*·]|\btimes\b)\s?10\s?\^?\s?\{?(?P<power>[-+]?\d{1,2})\}?"
    r"|(?P<scale>k(?![\w²^])|\s?(?:hundred|thousand|million|billion|dozens?|tens)\b)|\s?(?P<myriad>[万萬만億亿억])\s?(?P<rest>\d{1,4}(?!\d)"
    r")?)",
    re.I,
)
_TERM = r"\d[\d,]*(?:\.\d+)? (?:hundred|thousand|million|billion|ten|one|unit)s?\b"
_TERMS = regex(rf"(?<![\w.,-])(?:{_TERM}(?:,? and |, | \+ | ))+(?:{_TERM}|(?<!, )(?<!\+ )\d{{1,3}}(?![\w.,:]*\d)(?! \w*s\b))", re.I)
"""A number by its places: "9 tens and 5 ones", "6 thousand and 50"."""
_DOZEN = regex(r"\b(?P<half>half )?an? dozen\b|\bhalf a dozen\b|(?<![\w.,])dozen\b", re.I)
_DIGIT = regex(r"\d")
_SPLIT = regex(r"(?<=[\n.!?;:。！？：])(?=\s)|(?<=[。：])|(?=\()|(?<=\))")
_LINES = regex(rf"{_SPLIT.pattern}|(?<=\n)(?=[^\W\d])")
_NAMES = frozenset({*UNITS, *TENS, *SCALES}) - {"one"}
_SPLITS = regex(r"[\n.!?;:。！？：()](?:\s|(?<=[。：()]))")
_SET_SIGN = regex(r"[⁄/^万萬만億亿억]|\d ?k\b", re.I)
_SET = (*str.split("hundred thousand million billion dozen tens half halves third quarter fourth fifth point komma"), " over ")
"""What a text holds where digits alone are not its numbers."""


@lru_cache(maxsize=CACHED)
def arabic(text: str) -> str:
    """The text with fractions, scales and powers of ten in plain digits; words of numbers too, in sentences without digits."""
    digits = _DIGIT.search(text) is not None
    lines = "\n" in text and (not text.isascii() or not _NAMES.isdisjoint(words(text)))
    if (
        digits
        and not lines
        and _SET_SIGN.search(text) is None
        and _SPLITS.search(text) is None
        and not any(map(text.casefold().__contains__, _SET))
    ):
        return _ending(text)
    parts = (_LINES if lines else _SPLIT).split(text) if digits else [text]
    text = "".join(_ending(part) if _DIGIT.search(part) else _digits(part) for part in parts)
    text = _TERMS.sub(_summed, text)
    text = _DOZEN.sub(lambda match: "6" if "half" in match[0].casefold() else "12", text)
    text = _POINT.sub(".", text)
    text = _PART.sub(_part, text)
    text = _FRACTION.sub(_fraction, text)
    return _SCALED.sub(_scaled, text)


_MONTH = (
    r"(?:jan(?:uary?|vier)?|feb(?:ruary?|rero)?|février|mar(?:ch|s|zo)?|märz|apr(?:il)?|avril|abril|may|mai|mayo|jun[ei]?|juin|junio"
    r"|jul[yi]?|juillet|julio|aug(?:ust)?|août|agosto|sept?(?:ember|embre|iembre)?|o[ck]t(?:ober|obre|ubre)?"
    r"|nov(?:ember|embre|iembre)?|de[cz](?:ember)?|décembre|diciembre|enero)\b\.?"
)
_DATED = regex(
    rf"\b(?P<month>{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?,? (?=\d{{4}}\b)"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|er|\.)? (?:of |de )?(?P<named>{_MONTH}),? (?:of |de |del )?(?=\d{{4}}\b)"
    r"|(?<=\d[年년]) ?\d{1,2} ?[月월](?: ?\d{1,2} ?[日일])?",
    re.I,
)
_YEAR = regex(r"\d{4}")
_MONTHS = frozenset(str.split("jan feb mar apr avr abr may mai jun jui jul aug ago sep oct okt nov dec dez ene"))
"""How the months begin that are written in ASCII."""


def undated(text: str) -> str:
    """The text with the year alone of each full date: "September 2, 1945" is one number at most."""
    if _YEAR.search(text) is None or (text.isascii() and _MONTHS.isdisjoint([word[:3] for word in words(text)])):
        return text
    return _DATED.sub(lambda date: f"{date['month'] or date['named'] or ''} ", text)


_SIX = regex(r"\bsix (?=mille\b|cent\b|ou\b)", re.I)
"""The French number that begins as an English one."""
_A_HUNDRED = regex(r"\ban? (?=(?:hundred|thousand|million)\b)", re.I)


def _digits(part: str) -> str:
    """A sentence without digits, its number words in digits."""
    part = _A_HUNDRED.sub("one ", part)
    if "six " in part and _SIX.search(part):
        part = _FOREIGN.sub(_foreign, part)
    found = list(_english(part))
    if found:
        for value, start, end in reversed(found):
            part = f"{part[:start]}{value}{part[end:]}"
        return part
    part = _FOREIGN.sub(_foreign, part)
    return part if part.isascii() else _IN_KOREAN.sub(lambda match: str(_NATIVE[match[0]]), _EAST.sub(_eastern, part))


_LAST = regex(r"(?:^|[\s:=>])(?P<words>[^\W\d_]+(?:(?:,? |-)[^\W\d_]+){0,9})[^\w]*$")


_COUNTING = regex(
    r"(?P<says>\b(?:there (?:are|is)|(?:i|you|we) (?:have|count|see)|(?:es|das) (?:sind|gibt)|es gibt|ich (?:zähle|habe)|il y a|je compte"
    r"|hay|tengo|tienes|cuento|son) (?:exactly |genau |exactement |exactamente |in total |insgesamt )?)(?P<words>[^\W\d_]+(?:-[^\W\d_]+)?)"
    r"(?= (?!(?:numbers?|digits?|zahlen|nombres?|números|steps?|parts?|options?|sentences?|words?|kinds?|types?"
    r"|groups?|ways?|things? to)\b)[^\W\d_]{2,})",
    re.I,
)
"""What a sentence with digits counts in words: "There are five animals, and 1 piano"."""
_COUNTS = words("there i you we es das ich il je hay tengo tienes cuento son")


def _counted(match: re.Match[str]) -> str:
    said = [value for value, start, end in _english(match["words"]) if not start and end == len(match["words"])]
    if not said and (foreign := _FOREIGN.fullmatch(match["words"])) is not None and match["words"].casefold() not in _COMMON:
        said = [int(_foreign(foreign))]
    return f"{match['says']}{said[0]}" if said and said[0] > 1 else match[0]


def _ending(part: str) -> str:
    """A sentence with digits, the number words that end it or that it counts in digits as well: "8 minus 3 gives five"."""
    if not part.isascii():
        part = _IN_KOREAN.sub(lambda match: str(_NATIVE[match[0]]), _EAST_LAST.sub(_eastern, part))
    if not _COUNTS.isdisjoint(words(part)):
        part = _COUNTING.sub(_counted, part)
    bare = part.rstrip(" .!?,;:)\"'*")
    last = _LAST.search(part, max(0, len(bare) - 120)) if bare[-1:].isalpha() else None
    if last is None:
        return part
    found = list(_english(last["words"]))
    if found and found[-1][2] == len(last["words"]):
        value, start, end = found[-1]
    else:
        named = [match for match in _FOREIGN.finditer(last["words"]) if match.end() == len(last["words"])]
        if not named or named[0][0].casefold() in _COMMON | {"una"}:
            return part
        value, start, end = int(_foreign(named[0])), named[0].start(), named[0].end()
    if value == 1:
        return part
    at = last.start("words")
    return f"{part[: at + start]}{value}{part[at + end :]}"


def _summed(match: re.Match[str]) -> str:
    """The value of a number by its places, the largest first; other lists stay."""
    values = [(Decimal(one["n"].replace(",", "")), one["place"] or "") for one in _PLACE.finditer(match[0])]
    each = [n * {"ten": 10, "": 1, "one": 1, "unit": 1}.get(place.casefold(), SCALES.get(place.casefold(), 1)) for n, place in values]
    return f"{sum(each):f}" if all(a > b for a, b in pairwise(each)) else match[0]


_PLACE = regex(r"(?P<n>\d[\d,]*(?:\.\d+)?)(?: (?P<place>hundred|thousand|million|billion|ten|one|unit)s?\b)?", re.I)


def _part(match: re.Match[str]) -> str:
    top = match["top"] if (match["top"] or "").isdigit() else "1"
    low = _HALVES.get(match["part"].casefold(), 2)
    if not match["top"] and (match["whole"] or match[0].casefold() != match.string.strip(" .!").casefold()):
        return match[0]
    lead = " " if match[0].startswith(" ") else ""
    return f"{lead}{Decimal(match['whole'] or 0) + Decimal(top) / low}"


def _fraction(match: re.Match[str]) -> str:
    """A fraction as a decimal; one that is a whole number is a division, and stays."""
    top, low = Decimal(match["top"]), Decimal(match["low"])
    return match[0] if top % low == 0 else str(Decimal(match["whole"] or 0) + top / low)


def _scaled(match: re.Match[str]) -> str:
    value = Decimal(match["digits"].replace(",", ""))
    if match["power"]:
        value = value.scaleb(int(match["power"]))
    elif match["myriad"]:
        value = value * _MYRIADS[match["myriad"]] + int(match["rest"] or 0)
    else:
        name = match["scale"].strip().casefold()
        value *= SCALES.get(name, 1000 if name == "k" else 12 if name.startswith("dozen") else 10)
    return f"{value.normalize():f}"

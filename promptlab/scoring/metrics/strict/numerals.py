"""Answers that are numbers, in digits or in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from promptlab.design.defects import NUMBER_WORDS
from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.conclusions import EXPLANATION, sentences
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.text import CACHED, fold, key
from promptlab.scoring.metrics.strict import replies

_CURRENCY = r"[$€£¥₹]"
_FIGURE = re.compile(
    rf"(?<![A-Za-zÀ-ɏ\d_.,:^/])(?<![A-Za-z]'){_CURRENCY}?\s?(?P<sign>[-+]?)\s?{_CURRENCY}?\s?(?P<digits>"
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]*\d)|\d{1,3}(?:\.\d{3}){2,}(?!\d)|\d{1,3}(?:\.\d{3})+,\d+(?!\d)"
    r"|\d{1,3}(?:[ ']\d{3})+(?:\.\d+)?(?![\d.,]*\d)|\d+,\d{1,2}(?![\d,])"
    r"|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\.\d+)(?![\d:]*[:]\d)(?!\s*\^|\*\*)(?!(?:st|nd|rd|th)\b)(?![A-Za-z]\d"
    r"|x\b)(?P<scale>\s?(?:thousand|million|billion)\b)?",
    re.I,
)
_MINUS = re.compile(
    r"(?:\b(?:minus|negative|neg\.?|moins|menos)\s*|(?<=[:=(])\s*-\s+|\b(?:is|are|be|equals|ist|est|es)\s+-\s+|マイナス|负|負|마이너스\s*)$",
    re.I,
)
_OPERATOR = r"\s*(?:[-+*/×÷x·]|\bplus\b|\bminus\b|\btimes\b|\bdivided by\b|\bmultiplied by\b)\s*"
_LABEL = re.compile(
    r"(?m)^\s*(?:step|question|q|item|example|exercise|problem|case|option|line|part)\s*#?\d{1,3}\s*[:.)-]?\s+|^[ \t]*[-*•][ \t]+(?=\S)"
    r"|\b(?:step|sentence|question|example|option|item|line|input|number|no\.)\s+#?\d{1,3}\b(?=\s*[:,)]"
    r"|\s+(?:and|to|is)\b)(?=[^.\n]*\d)|(?<!\w)\(\d{1,2}\)\s+(?=[A-Za-z])",
    re.I,
)
_COMPARED = re.compile(
    r"(?:\b(?:less|more|greater|fewer|smaller|larger|bigger|higher|lower|other|rather) than|\bat (?:least"
    r"|most)|\b(?:over|under|above|below|up to|no more than|not more than|between|within|near(?:ly)?"
    r"|almost|from|exceeds?|beyond|weniger als|mehr als|moins de|plus de|menos de|más de)|(?<![-=])[<>≤≥≠]=?)\s*(?:the number\s*)?$",
    re.I,
)
_REJECTED = re.compile(
    r"(?:[❌✗✘]|\b(?:wrong|incorrect|false)\s*:|\b(?:don't|do not|doesn't|didn't|cannot|can't|won't|not) (?:think"
    r"|believe|say|mean)\b(?: that)?(?: (?:it(?:'s| is| would be| was)|there (?:are|is)|the answer is))?"
    r"|\bdoubt\b(?: that)?(?: it(?:'s| is))?|\banything but|\brefuse to say|\bnicht, dass es"
    r"|\b(?:wrong|incorrect) answer is)\s*(?:the number\s*)?$",
    re.I,
)
_DENIED = re.compile(
    r"(?:\b(?:not|never|neither|nor|instead of|unlike|except|isn't|aren't|wasn't|can't be|cannot be|couldn't be"
    r"|doesn't (?:equal|make)|don't (?:get|make)|nicht|kein\w*|n'est pas|pas|no es)|n't|不是|不)"
    r"\s*(?:be|equal(?: to)?|exactly|simply|just|just the number|the number|necessarily|really|actually|a)?\s*$",
    re.I,
)
_VERB = re.compile(
    r"(?:\b(?:is|are|was|were|be|makes?|gives?|get|gets|got|equals?|have|has|had|yields?|leaves?|left with"
    r"|becomes?|comes? (?:out )?to|totals?|adds? up to|sums? to|returns?|obtain|find|count(?:ed)?|reach"
    r"|results? in|amounts? to|ist|sind|ergibt|macht|gibt|bleiben|beträgt|est|sont|font|fait|donne|égale? à"
    r"|igual a|zusammen|insgesamt|au total|en total|i\.e\.,?|or rather|es|son"
    r"|da|hay|therefore|so|thus|hence|(?:for|in) (?:a )?total(?: of)?)\b(?:\s+(?:is|are|it is|we have|we get))?"
    r"|->|→|⇒|=>|\b(?:that|it|there|which)'s|合わせて|합은|합계는|是|等于|得到|得|为|は|合計|모두|총)"
    r"[\s:,]*(?:(?:a )?(?:grand )?total of|equal to|exactly|therefore|thus|then|just|only|simply|about"
    r"|approximately|around|roughly|there (?:is|are)|the number|also|now|us|you|me|to)?[\s:]*$",
    re.I,
)
_OR = re.compile(r"\s*(?:,?\s*\bor\b(?: maybe| perhaps| even)?|/|,?\s*\bto\b|-|,|,?\s*\band\b|~)\s*(?:or|and|maybe)?\s*$", re.I)
_ITEMS = re.compile(r"\b(?:there (?:is|are)|have|has|total|count|contains?|i see|in all|altogether)\b", re.I)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a text: its value and place, and whether the text only compares with it or denies it."""

    value: Decimal
    start: int
    end: int
    barred: bool


MOST = 200
"""Numbers of a text that are looked at, the first and the last: an endless reply is not read for minutes."""


def figures(text: str) -> list[Figure]:
    """The numbers of a text in digits; where there are none, those in words."""
    found: list[Figure] = []
    matches = list(_FIGURE.finditer(text)) if _DIGIT.search(text) else []
    for match in matches if len(matches) <= MOST else [*matches[: MOST // 2], *matches[-MOST // 2 :]]:
        start = match.start("digits")
        sign = match["sign"]
        if sign == "-" and not _signs(text, match.start("sign"), start):
            sign = ""
        begin = match.start("sign") if sign else start
        value = _decimal(match["digits"]) * _SCALES.get((match["scale"] or "").strip().casefold(), 1)
        before = text[max(0, match.start() - 40) : match.start()] + text[match.start() : begin].replace("$", "")
        if before.strip() and (minus := _MINUS.search(before)) is not None and not _ends_in_figure(before[: minus.start()]):
            value, before = -value, before[: minus.start()]
        also = bool(found) and found[-1].barred and _OR.fullmatch(text[found[-1].end : begin]) is not None
        compares = _BARRED_AFTER.match(text, match.end()) is not None
        found.append(Figure(-value if sign == "-" else value, begin, match.end(), also or compares or _barred(before)))
    return found or _in_words(text)


def _signs(text: str, at: int, digits: int) -> bool:
    """Whether a hyphen before digits is a sign: it touches them, or nothing but a mark stands before it; no bullet, no operator."""
    before = text[:at].rstrip()
    if before and (before[-1].isalnum() or before[-1] in ")%") and (text[at - 1] != " " or digits - at > 1):
        return bool(re.search(r"\b(?:is|are|be|equals?|get|gives?|makes?|ist|est|es)$", before, re.I)) and text[at - 1] == " "
    return digits - at == 1 or (digits - at > 1 and bool(before) and before[-1] in ":=($€£") or text[at + 1 : digits].strip() != ""


def _ends_in_figure(text: str) -> bool:
    return bool(re.search(r"(?:\d|\b(?:" + "|".join((*_UNITS, *_TENS, *_SCALES)) + r"))\s*$", text, re.I))


def _barred(before: str) -> bool:
    return bool(before.strip()) and any(pattern.search(before) is not None for pattern in (_COMPARED, _DENIED, _REJECTED))


def _decimal(digits: str) -> Decimal:
    if re.fullmatch(r"\d+,\d{1,2}|\d{1,3}(?:\.\d{3})+,\d+", digits):
        return Decimal(digits.replace(".", "").replace(",", "."))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", digits):
        return Decimal(digits.replace(".", ""))
    return Decimal(re.sub(r"[, ']", "", digits))


def _in_words(text: str) -> list[Figure]:
    found = []
    for value, start, end in _spelled(text):
        before = text[max(0, start - 60) : start]
        minus = re.search(r"\b(?:minus|negative)[\s-]+$", before, re.I)
        negative = minus is not None and not _ends_in_figure(before[: minus.start()])
        found.append(
            Figure(Decimal(-value if negative else value), start, end, _barred(before[: minus.start()] if minus and negative else before))
        )
    return found


_ENUMERATED = re.compile(r"(?m)^[ \t]*\(?(\d{1,3})[.)][ \t]+(?=\S)")


def _unnumbered(text: str) -> str:
    """The text without the numbers of a list: of two lines or more, or of one that is numbered 1 and holds another number."""
    found = _ENUMERATED.findall(text)
    listed = len(found) > 1 or (found == ["1"] and any(c.isdigit() for c in text[text.index("1") + 1 :]))
    return _ENUMERATED.sub("", text) if listed else text


def _values(found: list[Figure]) -> set[Decimal]:
    return {one.value for one in found}


def concluded(text: str) -> tuple[bool, Decimal | None]:
    """Whether a text that holds an answer settles on a number or on none of several, and the number."""
    for part in sentences(_unnumbered(text)) or [text]:
        settled, value = _of_sentence(part)
        if settled:
            return settled, value
    return False, None


def _before(text: str, one: Figure) -> str:
    return text[max(0, one.start - 80) : one.start].rstrip("$€£ ") + " "


_ASIDE = re.compile(
    r",?\s(?:since|because|as|weil|denn|car|parce que|porque)\s|\s?\(|\s-\s(?=[A-Za-z])|,\sand\s(?:the"
    r"|its|their)\s|\s[—–]\s",
    re.I,
)
_IN_TOTAL = re.compile(r"^(?:\s[\w-]+){0,2}\s(?:in total|altogether|in all|overall|en tout|insgesamt|en total)\b", re.I)


def _of_sentence(text: str, alone: bool = True) -> tuple[bool, Decimal | None]:
    text = _LABEL.sub(" ", text)
    if (aside := _ASIDE.search(text)) is not None and aside.start() and figures(text[: aside.start()]):
        settled, value = _of_sentence(text[: aside.start()], alone=False)
        if settled and value is not None:
            return True, value
    if "=" in text and (equal := _equated(text)) is not None:
        return True, equal
    every = figures(text)
    usable = [one for one in every if not one.barred]
    if not usable:
        return bool(every) and alone, None
    if len(_values(usable)) == 1:
        return True, usable[0].value
    usable = [*usable[:5], *usable[5:][-40:]]
    totals = [one for one in usable if _IN_TOTAL.match(text[one.end : one.end + 60])]
    if len(_values(totals)) == 1:
        return True, totals[0].value
    between = [text[a.end : b.start] for a, b in pairwise(usable)]
    operators = [re.fullmatch(_OPERATOR, gap, re.I) is not None for gap in between]
    first = usable[0]
    if (
        not text[: first.start].strip(" \"'(*$€£")
        and not operators[0]
        and not _OR.fullmatch(between[0])
        and not re.search(r",\s*(?:and\s+)?$|\sand\s+$", between[0])
        and re.match(
            r"\s*(?:%|[A-Za-z°%]+)?(?:\s+[A-Za-z-]+){0,3}\s*(?:[.:!;(\n]|,\s|$|\b(?:because|since|as|is (?:the|my|what))\b|\s-\s)",
            text[first.end :],
            re.I,
        )
    ):
        return True, first.value
    head, colon, tail = text.partition(":")
    if colon and (heads := [one for one in figures(head) if not one.barred]) and len(_values(heads)) == 1 and _ITEMS.search(head):
        return True, heads[0].value
    for n in range(len(usable) - 1, -1, -1):
        one = usable[n]
        if _VERB.search(_before(text, one)) is None:
            continue
        if n < len(between) and (operators[n] or _OR.fullmatch(between[n])):
            if operators[n] and _VERB.search(between[-1]) is None:
                continue
            return True, None
        return True, one.value
    if colon and (tails := [one for one in figures(tail) if not one.barred]) and len(_values(tails)) == 1:
        return True, tails[0].value
    if all(_OR.fullmatch(gap) or op for gap, op in zip(between, operators, strict=True)):
        return alone, None
    return False, None


def _equated(text: str) -> Decimal | None:
    """The number that an equation ends in; the one before it where the other side is a sum: "5 = 2 + 3"."""
    parts = re.split(r"(?<![<>!=])=(?!=|>)", text)
    for left, right in zip(parts[-2::-1], parts[:0:-1], strict=False):
        rights = [one for one in figures(right) if not one.barred]
        lefts = [one for one in figures(left) if not one.barred]
        sums = len(rights) > 1 and re.match(_OPERATOR, right[rights[0].end :], re.I) is not None
        if rights and not sums:
            if len(rights) > 1 and _OR.fullmatch(right[rights[0].end : rights[1].start]):
                continue
            return rights[0].value
        if sums and len(_values(lefts)) == 1 and not re.search(rf"{_OPERATOR}$", left[: lefts[0].start], re.I):
            return lefts[0].value
    return None


def number(reply: Reply, item: Item) -> Scored:
    """A number: what the reply concludes; else its bare first line, its last equation or statement, or the only number at all."""
    value, rule = _number(reply)
    if value is None:
        return Scored(0.0, None, rule)
    return Scored(float(value in _wanted(item.targets)), str(value), rule)


@lru_cache(maxsize=CACHED)
def _wanted(targets: tuple[str, ...]) -> frozenset[Decimal]:
    return frozenset(one.value for target in targets for one in figures(fold(target)))


def _number(reply: Reply) -> tuple[Decimal | None, str]:
    if _PLAIN.fullmatch(reply.text):
        return Decimal(reply.text.rstrip(".")), reply.wrapper or "whole"
    if (bare := _bare(reply.text)) is not None:
        return bare, reply.wrapper or "whole"
    for text, rule in ((reply.corrected, "correction"), (reply.concluded.text if reply.concluded else None, "conclusion")):
        settled, value = concluded(text) if text else (False, None)
        if settled and (value is not None or rule == "conclusion"):
            return value, rule
    text = _unnumbered(reply.unremarked)
    cut = EXPLANATION.search(text, 1)
    body = text[: cut.start()] if cut and figures(text[: cut.start()]) else text
    parts = [_LABEL.sub(" ", part) for part in sentences(body)]
    stated = [part for part in parts if not part.endswith("?")] or (parts if _bare(text.rstrip("? ")) is not None else [])
    if stated and (bare := _bare(stated[0])) is not None and (len(stated) == 1 or _bare(stated[1]) in (None, bare)):
        return bare, "first line"
    if (checked := _checked(stated)) is not None:
        return checked, "equation"
    for part in reversed(stated):
        if (aside := _ASIDE.search(part)) is not None and aside.start() and figures(part[: aside.start()]):
            settled, value = _of_sentence(part[: aside.start()], alone=False)
            if settled and value is not None:
                return value, "statement"
        if "=" in part and (value := _equated(part)) is not None:
            return value, "equation"
        found = [one for one in figures(part) if not one.barred]
        if found and (
            any(_IN_TOTAL.match(part[one.end : one.end + 60]) for one in found)
            or _VERB.search(_before(part, found[-1]))
            or len(stated) == 1
        ):
            settled, value = _of_sentence(part)
            if settled:
                return value, "statement"
    every = [one for part in stated for one in figures(part)]
    usable = [one for one in every if not one.barred]
    if len(_values(usable)) == 1:
        return usable[0].value, "only number"
    for part in stated:
        settled, value = _of_sentence(part, alone=False)
        if settled:
            return value, "first line"
    return None, ""


_BARRED_AFTER = re.compile(
    r"\s*(?:[<>≤≥≠](?!-)|ではありません|ではない|じゃない|ではなく|이 아니|가 아니|이 아닙|가 아닙|是错|不对|[❌✗✘]"
    r"|\((?:wrong|incorrect|false|not)\b|(?:is|are|was|would be|ist|est|es)\s+(?:not\b|n't|wrong|incorrect"
    r"|false|too (?:high|low|big|small|large)|impossible|an? (?:common |typical |frequent )?(?:wrong|mistake"
    r"|error)|falsch|faux|incorrect\w*|close)\b)",
    re.I,
)


def _checked(parts: list[str]) -> Decimal | None:
    """The result of a first equation that a second one only checks, by going back to a number of the first."""
    equations = [part for part in parts if "=" in part]
    if len(equations) != 2:
        return None
    first, second = (_equated(part) for part in equations)
    asked, again = ({one.value for one in figures(part.partition("=")[0])} for part in equations)
    return first if second in asked and first in again and len(asked) > 1 else None


_DIGIT = re.compile(r"\d")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?\.?")


def _bare(text: str) -> Decimal | None:
    """The number that a text is, with at most a unit behind it."""
    if len(text) > 80 or "=" in text:
        return None
    if (fraction := re.fullmatch(r"(-?\d{1,9})/([1-9]\d{0,8})", text.strip(" .$*\"'"))) is not None:
        return Decimal(fraction[1]) / Decimal(fraction[2])
    found = figures(text)
    if len(found) != 1 or found[0].barred:
        return None
    one = found[0]
    before = re.sub(r"(?i)minus|negative|[\W_]", "", text[: one.start])
    after = text[one.end :]
    return (
        one.value
        if not before
        and re.fullmatch(r"\s*(?:[%°]?\s*[A-Za-z²³]{0,12})?(?:\s[A-Za-z]{1,12})?[\W_]*", after)
        and not re.match(r"\s*(?:or|to|and)\b", after)
        else None
    )


def denied(reply: Reply) -> bool:
    """Whether a reply concludes only what the answer is not."""
    return reply.concluded is not None and not reply.concluded.text and reply.corrected is None


def spelled(reply: Reply, item: Item) -> Scored:
    """A number in English words; with or without "and", hyphens and commas; digits do not count."""
    wanted = {n for target in item.targets for n in spelled_number(fold(target))}
    if denied(reply):
        return Scored(0.0, None, "denied")
    concluded = reply.concluded is not None and bool(reply.concluded.text)
    for reading, rule in replies.readings(reply):
        if concluded and rule != "conclusion":
            continue
        says = replies.SAYS.match(reading)
        for part in (says["tail"], reading) if says else (reading,):
            if any(c.isdigit() for c in part):
                continue
            found = spelled_number(part)
            if len(found) == 1:
                return Scored(float(found[0] in wanted), part, rule)
    return Scored(0.0, None)


_NOT_LEVEL = re.compile(
    r"(?:^\W*(?:less than|more than|at least|at most|below|above|under|over)|\bnot|n't)\s+(?:a\s+)?[0-5]\b(?!.*\b(?:but"
    r"|it is|it's)\b)",
    re.I,
)
_NO_LEVEL = re.compile(
    r"\bsentences? \d\b(?: and \d)?|\bscale (?:of|from) [^.\n]*?\d\s*(?:to|-)\s*\d|/ ?5\b|\bout of (?:5|five)\b|\bfrom \d to \d\b", re.I
)


def level(reply: Reply, item: Item) -> Scored:
    """A level of a scale, "3 - probably": by its number, or by its words alone."""
    if denied(reply) or (reply.concluded is None and _NOT_LEVEL.search(reply.text)):
        return Scored(0.0, None, "denied")
    concluded = [(reply.concluded.text, "conclusion")] if reply.concluded else []
    places = (*concluded, (reply.unremarked.split("\n")[0], "first line"), (reply.unremarked, "whole"))
    for raw, rule in places:
        place = _NO_LEVEL.sub(" ", raw)
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
            return Scored(float(level is not None and level in {target[:1] for target in item.targets}), level, rule)
    for raw, rule in places:
        said = key(raw)
        if any(said and said == key(target.partition("-")[2]) for target in item.targets):
            return Scored(1.0, said, rule)
    return Scored(0.0, key(reply.text) or None)


_UNITS = {name: n for n, name in enumerate(NUMBER_WORDS[:20])}
_TENS = {name: 10 * n for n, name in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = re.compile(r"[a-z]+", re.I)


def spelled_number(text: str) -> list[int]:
    """Every number that a text spells out, in order; "one hundred and four" is one number, "one, two" are two."""
    return [value for value, _, _ in _spelled(text)]


def _spelled(text: str) -> Iterator[tuple[int, int, int]]:
    """(value, start, end) of every number that a text spells out."""
    total = group = 0
    last = 0  # the smallest place that the open number has filled; 0 when none is open
    start = end = 0
    for match in _WORD.finditer(text):
        name = match[0].casefold()
        if name in _SCALES and last:
            scale = _SCALES[name]
            if scale == 100:
                group *= 100
            else:
                total, group = total + group * scale, 0
            last, end = scale, match.end()
            continue
        value = _UNITS.get(name, _TENS.get(name))
        if value is None:
            if name == "and" and last >= 100:
                continue
            if last:
                yield total + group, start, end
            total = group = last = 0
            continue
        place = 10 if name in _TENS else 1
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

"""Answers that are numbers, in digits or in words."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from promptlab.design.defects import NUMBER_WORDS
from promptlab.nouns import Item, Scored
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.replies import fold, key

_NUMBER = re.compile(r"(?<![\w.,])-?\d[\d,]*(?:\.\d+)?(?![\w])|(?<![\w.,])-?\.\d+")


def _numbers(text: str) -> list[Decimal | None]:
    """The numbers of a text, in digits or in words; None for digits that are no number, as "1,50"."""
    found: list[Decimal | None] = []
    for raw in _NUMBER.findall(text):
        digits = raw.rstrip(",")
        grouped = "," not in digits or re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits)
        try:
            found.append(Decimal(digits.replace(",", "")) if grouped else None)
        except InvalidOperation:
            found.append(None)
    return found or [Decimal(n) for n in spelled_number(text)]


def number(answer: str, item: Item) -> Scored:
    """A number: behind the last "=" or a conclusion, else the only one in the first line that has any."""
    text = replies.clean(answer)
    wanted = {n for target in item.targets for n in _numbers(fold(target))}
    places = [text[match.end() :].split("\n")[0] for match in replies.CONCLUSION.finditer(text)][-1:]
    places += [line.rpartition("=")[2] for line in text.split("\n") if "=" in line][-1:]
    for place in places:
        if found := _numbers(place):
            return Scored(float(found[0] in wanted), str(found[0]))
    for line in text.split("\n"):
        if not (found := _numbers(line)):
            continue
        if len(set(found)) > 1:
            head = _NUMBER.match(line)
            tail = re.search(r"(?:\bis|\bare|\bhave|\bequals|\bgives|->)\s+(?:a total of\s+)?(-?[\w,.-]+(?: \w+)?)\W*$", line)
            found = _numbers(tail[1]) if tail else found[:1] if head and re.match(r"[.!]?\s*(?:\(|$|because)", line[head.end() :]) else []
        return Scored(float(len(set(found)) == 1 and found[0] in wanted), str(found[0]) if found else None)
    return Scored(0.0, None)


def spelled(answer: str, item: Item) -> Scored:
    """A number in English words; with or without "and", hyphens and commas; digits do not count."""
    wanted = {n for target in item.targets for n in spelled_number(fold(target))}
    for reading in replies.readings(replies.clean(answer)):
        says = replies.SAYS.match(reading)
        for part in (says["tail"], reading) if says else (reading,):
            if any(c.isdigit() for c in part):
                continue
            found = spelled_number(part)
            if len(found) == 1:
                return Scored(float(found[0] in wanted), part)
    return Scored(0.0, None)


_NO_LEVEL = re.compile(r"\bsentences? \d\b(?: and \d)?|\bscale (?:of|from) [^.\n]*?\d\s*(?:to|-)\s*\d|/ ?5\b", re.I)


def level(answer: str, item: Item) -> Scored:
    """A level of a scale, "3 - probably": by its number, or by its words alone."""
    text = _NO_LEVEL.sub(" ", replies.clean(answer))
    concluded = [text[match.end() :].split("\n")[0] for match in replies.CONCLUSION.finditer(text)][-1:]
    for place in (*concluded, text.split("\n")[0], text):
        found = set(re.findall(r"(?<![\d.])[0-5](?:\.0+)?(?![\d.]*\d)", place))
        if not found:
            found = {str(n) for n in spelled_number(place) if 0 <= n <= 5}
        if found:
            level = next(iter(found))[0] if len({f[0] for f in found}) == 1 else None
            return Scored(float(level is not None and level in {target[:1] for target in item.targets}), level)
    said = key(text)
    right = [target for target in item.targets if said and said == key(target.partition("-")[2])]
    return Scored(float(bool(right)), said or None)


_UNITS = {name: n for n, name in enumerate(NUMBER_WORDS[:20])}
_TENS = {name: 10 * n for n, name in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_WORD = re.compile(r"[a-z]+")


def spelled_number(text: str) -> list[int]:
    """Every number that a text spells out, in order; "one hundred and four" is one number, "one, two" are two."""
    found: list[int] = []
    total = group = 0
    last = 0  # the smallest place that the open number has filled; 0 when none is open
    for name in _WORD.findall(text.casefold().replace("-", " ")):
        if name in _SCALES and last:
            scale = _SCALES[name]
            if scale == 100:
                group *= 100
            else:
                total, group = total + group * scale, 0
            last = scale
            continue
        value = _UNITS.get(name, _TENS.get(name))
        if value is None:
            if name == "and" and last >= 100:
                continue
            if last:
                found.append(total + group)
            total = group = last = 0
            continue
        place = 10 if name in _TENS else 1
        fits = last >= 100 or (last == 10 and place == 1 and value and value < 10)
        if last and not fits:
            found.append(total + group)
            total = group = 0
        group += value
        last = place
    if last:
        found.append(total + group)
    return found

"""English number words to whole numbers."""

from __future__ import annotations

import re

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_UNITS = {name: n for n, name in enumerate(_SMALL)}
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

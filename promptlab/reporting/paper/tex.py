"""Text and tables as LaTeX that compiles whatever they hold: every character is one that T1 fonts have, a symbol of mathematics,
or its code point in a box. The files are ASCII throughout.
"""

from __future__ import annotations

import bisect
import itertools
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptlab.nouns import shipped_table
from promptlab.nouns.inert import HIDDEN
from promptlab.reporting.table import Table

CHARACTERS: Mapping[str, Mapping[str, str]] = shipped_table("latex")
SPECIAL, SYMBOLS, ACCENTS = CHARACTERS["special"], CHARACTERS["symbols"], CHARACTERS["accents"]
LIGATURES = "-',"
"""Characters that fonts join with their like."""
JOINED = re.compile(rf"([{LIGATURES}])(?=\1)")
NUMBER = re.compile(r"(?<![\w.)-])-(?=\d)|^-$")
LONG_WORD = re.compile(r"\S{12,}")
VERY_LONG, BREAK_EVERY = 25, 4
"""A word of so many characters may break after every fourth, not only after the marks in it."""
MARKS = "/-_.,;=&?"
PORTRAIT, LANDSCAPE = 116, 174
"""Characters of a table's type in a line of the page, upright and turned."""
NARROWEST, MOST_UNFOLDED = 11, 32
"""The narrowest column whose cells fold, and the widest whose cells need not where others do."""
BETWEEN = 1.8
"""Characters that the space between two columns takes."""
LONGEST_CELL, MOST_LINES = 500, 30
"""Characters, and lines in its column, of a cell of a table, which no page break divides; its CSV file has all of it."""
NARROW, WIDE = "fijltI.,;:'|!()-/ ", "mwMW%@+<>=~#"


def char(c: str) -> str:
    """One character as LaTeX."""
    if c in SPECIAL:
        return SPECIAL[c]
    if " " <= c <= "~":
        return c
    if HIDDEN.match(c):
        return rf"\unibox{{U+{ord(c):04X}}}"
    if c == "\t":
        return r"\gap{4}"
    if c in SYMBOLS:
        return rf"\ensuremath{{{SYMBOLS[c]}}}"
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[1] in ACCENTS and parts[0].isascii() and parts[0].isalpha():
        letter = {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0])
        return rf"\{ACCENTS[parts[1]]}{{{letter}}}"
    return rf"\uni{{{ord(c):04X}}}"


def tex(text: object) -> str:
    """Text of any origin inside a paragraph: white space is one space, and very long words may break."""
    words = " ".join(str(text).split())
    return "".join(r"\textminus{}" if piece is None else _breakable(piece) for piece in _signed(words))


def _signed(words: str) -> Iterable[str | None]:
    """The pieces between minus signs, and None for each of those."""
    last = 0
    for found in NUMBER.finditer(words):
        yield words[last : found.start()]
        yield None if found.end() < len(words) else "-"
        last = found.end()
    yield words[last:]


def _breakable(words: str, exact: bool = False) -> str:
    made, last = [], 0
    one = _exact if exact else char
    for found in LONG_WORD.finditer(words):
        made += [one(c) for c in words[last : found.start()]]
        for n, piece in enumerate(re.split(f"(?<=[{re.escape(MARKS)}])", found.group())):  # between letters only where no mark is near
            every = BREAK_EVERY if len(piece) >= VERY_LONG else VERY_LONG
            made += [(r"\brk{}" if i % every == 0 and i + n else "") + one(c) for i, c in enumerate(piece)]
        last = found.end()
    return JOINED.sub(r"\1{}", "".join([*made, *(one(c) for c in words[last:])]))


def _exact(c: str) -> str:
    """One character as it is typed: no ligatures, no curly quotes."""
    return {"'": r"\textquotesingle{}"}.get(c) or (f"{c}{{}}" if c in LIGATURES else char(c))


def verbatim(text: str) -> str:
    """Text as it was sent, character by character and line by line, in a type with letters of one width."""
    lines = []
    for line in text.split("\n"):
        made = [rf"\gap{{{len(piece)}}}" if i % 2 and (len(piece) > 1 or not i - 1) else _breakable(piece, exact=True)
                for i, piece in enumerate(re.split(r"( {2,}|^ +)", line))]  # fmt: skip
        lines.append(r"\sent{" + "".join(made) + "}")
    return "\n".join([r"\begin{prompttext}", *lines, r"\end{prompttext}"])


def _widths(text: str) -> Iterator[float]:
    """The width of each character, in mean characters of the type."""
    for c in text:
        one = char(c)
        boxed = one.startswith((r"\uni", r"\unibox"))
        yield 5.5 if boxed else 0.6 if c in NARROW else 1.8 if c in WIDE else 1.45 if c.isupper() else 1.1


def _width(text: str) -> float:
    return sum(_widths(text))


def _cut(text: str, room: float) -> str:
    """The text, or as much of it as fits into so many characters."""
    if len(text) * 0.6 > room or _width(text) > room:
        n = bisect.bisect(list(itertools.accumulate(_widths(text[: int(room / 0.6) + 1]))), room)
        return f"{text[:n]} ..." if n < len(text) else text
    return text


def tabular(shown: Table, label: str, mark: str = "") -> str:
    """A table as a longtable of booktabs with its caption and note, upright or turned, in a type in which it fits."""
    head, rows = shown.head, [["-" if cell is None else _cut(str(cell), LONGEST_CELL) for cell in row] for row in shown.rows]
    widths, turned = _fitted([_natural(name, [row[i] for row in rows]) for i, name in enumerate(head)])
    figures = [_all_figures([row[i] for row in rows]) for i in range(len(head))]
    whole = LANDSCAPE if turned else PORTRAIT
    columns, heads = [], []
    for name, (width, wraps), figure in zip(head, widths, figures, strict=True):
        share = f"{width / whole:.4f}"
        columns.append(rf">{{\cell}}p{{{share}\linewidth}}" if wraps else "r" if figure else "l")
        folded = r"\\".join(tex(line) for line in textwrap.wrap(name.strip(), max(int(width), 4), break_long_words=False) or [""])
        heads.append(rf"\begin{{tabular}}[b]{{@{{}}{'r' if figure and not wraps else 'l'}@{{}}}}{folded}\end{{tabular}}")
    caption = f"{mark}{shown.title}".rstrip(".")
    fits = [[_cut(cell, MOST_LINES * width) if wraps else cell for cell, (width, wraps) in zip(row, widths, strict=True)] for row in rows]
    body = [" & ".join(map(tex, row)) + r" \\" for row in fits]
    lines = [
        *([r"\begin{landscape}"] if turned else []),
        r"{\tabletype",
        rf"\begin{{longtable}}{{@{{}}{''.join(columns)}@{{}}}}",
        rf"\caption{{{tex(caption)}.}}\label{{{label}}}\\",
        rf"\toprule {' & '.join(heads)} \\ \midrule \endfirsthead",
        rf"\multicolumn{{{len(head)}}}{{@{{}}l@{{}}}}{{\emph{{Table \thetable, continued}}}} \\",
        rf"\toprule {' & '.join(heads)} \\ \midrule \endhead",
        r"\midrule \endfoot \bottomrule \endlastfoot",
        *body,
        r"\end{longtable}}",
        *([rf"\tablenote{{{tex(shown.note)}}}"] if shown.note else []),
        *([r"\end{landscape}"] if turned else []),
    ]
    return "\n".join(lines) + "\n"


def _all_figures(cells: Sequence[str]) -> bool:
    return any(cell != "-" for cell in cells) and all(re.fullmatch(r"-|[<>]? ?[-+]?[\d.][\d.,/]* ?%?(?: .{0,3})?", cell) for cell in cells)


def _natural(name: str, cells: Sequence[str]) -> tuple[float, float]:
    """The longest cell, and the longest word that should not break, in characters; a head may be folded."""
    head = max(map(_width, name.split()), default=1)
    words = max((_width(word) for cell in cells for word in re.split(r"\s|(?<=[/_.,;=&?-])", cell)), default=1)
    return max([head, *map(_width, cells)]), max(head, min(words, VERY_LONG))


def _fitted(natural: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, bool]], bool]:
    """The width of each column and whether its cells are folded; and whether the table has to be turned."""
    for turned, budget in ((False, PORTRAIT), (True, LANDSCAPE)):
        room = budget - BETWEEN * (len(natural) - 1)
        if sum(longest for longest, _ in natural) <= room:
            return [(longest, False) for longest, _ in natural], turned
        least = [min(longest, max(word, NARROWEST)) for longest, word in natural]
        if sum(least) <= room:
            return _poured([longest for longest, _ in natural], least, room), turned
    least = [min(longest, NARROWEST) for longest, _ in natural]
    scale = min(1.0, room / sum(least))
    return [(width * scale, True) for width in least], True


def _poured(longest: Sequence[float], least: Sequence[float], room: float) -> list[tuple[float, bool]]:
    """Each column its least, and the rest of the room where it is wanted: all get the same until they have enough."""
    low, high = 0.0, float(max(longest))
    for _ in range(40):
        cap = (low + high) / 2
        filled = sum(max(small, min(long, cap)) for long, small in zip(longest, least, strict=True))
        low, high = (cap, high) if filled <= room else (low, cap)
    return [(max(small, min(long, low)), long > min(max(small, low), MOST_UNFOLDED)) for long, small in zip(longest, least, strict=True)]

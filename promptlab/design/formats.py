"""Formats by chance: the labels of fields, the text after and between them, and how options are labelled.

After the grammar of FormatSpread (Sclar et al. 2023, arXiv 2310.11324), with fewer separators: `GRAMMAR` is all of it. A field is a
line that begins with a label and a colon, followed by a variable or by the end: `Ticket: {text}`, `Output: `. Nothing else of a
prompt changes.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from promptlab.nouns import Placement

GRAMMAR: Mapping[str, tuple[str, ...]] = {
    "casing": ("as written", "lower", "title", "upper"),
    "colon": (": ", ":", " : ", " - ", " = ", ":\n", "::\n"),
    "between": ("\n", "\n\n", " ", " || ", " ; ", " -- "),
    "choice": (
        "\n{choice}", "\n- {choice}", "\n({letter}) {choice}", "\n{letter}. {choice}", "\n[{letter}] {choice}", " ({letter}) {choice}",
        " <{letter}> {choice}",
    ),
}  # fmt: skip
"""Casing of labels; the text between a label and its value, between two fields, and around each option."""
FIELD = re.compile(r"(^|\n+)([A-Za-z][\w ]{0,40}):[ \t]*\n?(?=\{|\Z)")
CASINGS: Mapping[str, Callable[[str], str]] = {"as written": str, "lower": str.lower, "title": str.title, "upper": str.upper}


def sampled(placement: Placement, n: int, seed: int) -> list[Placement]:
    """The placement as it is, then `n` others whose formats are drawn without repeats."""
    every = list(itertools.product(*GRAMMAR.values()))
    drawn = random.Random(f"{seed}/formats").sample(every, n)
    return [placement, *(_formatted(placement, f"f{number}", *chosen) for number, chosen in enumerate(drawn, 1))]


def _formatted(placement: Placement, name: str, casing: str, colon: str, between: str, choice: str) -> Placement:
    made = replace(placement, name=name, casing=casing, colon=colon, between=between, choice=choice)
    return replace(made, template=in_format(placement.template, made), demo=in_format(placement.demo, made))


def in_format(text: str, placement: Placement) -> str:
    """The text with its fields in the placement's format; as it is where the placement has none."""
    if not placement.casing:
        return text
    return FIELD.sub(lambda m: f"{placement.between if m[1] else ''}{CASINGS[placement.casing](m[2])}{placement.colon}", text)

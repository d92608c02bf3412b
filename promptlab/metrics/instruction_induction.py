"""The metrics of Instruction Induction (Honovich et al. 2022), by the rules of its published scoring, flaws included.

With several accepted answers the best one counts. The rules are strict by design: a right answer inside a sentence ("The
answer is 47.") scores 0, and so do curly quotes or full-width digits; what stands after the first period is not read.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable

from promptlab.schema import Item, Scored

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """The text as it is compared: first line, up to the first period, lower case, no ASCII punctuation.

    The order of the steps is part of the rules. " and " and the two labels go first and are case-sensitive; white space is
    stripped before the cuts and never again.
    """
    text = text.replace(" and ", " ").replace("Sentence 1:", " ").replace("Sentence 2:", " ").strip()
    text = text.split("\n", 1)[0].split(".", 1)[0]
    return text.lower().replace("-", " ").translate(_NO_PUNCTUATION)


def em(answer: str, item: Item) -> Scored:
    """1 when the normalised texts are equal."""
    return _best(answer, item, lambda said, wanted: float(said == wanted))


def f1(answer: str, item: Item) -> Scored:
    """F1 of the words of both texts, with multiplicity; 0 when they share none."""
    return _best(answer, item, _word_f1)


def exact_set(answer: str, item: Item) -> Scored:
    """1 when both texts have the same set of words, in any order and number."""
    return _best(answer, item, lambda said, wanted: float(set(said.split()) == set(wanted.split())))


def contains(answer: str, item: Item) -> Scored:
    """1 when an accepted answer occurs in the reply between word boundaries."""
    return _best(answer, item, lambda said, wanted: float(re.search(rf"\b({re.escape(wanted)})\b", said) is not None))


def _best(answer: str, item: Item, score: Callable[[str, str], float]) -> Scored:
    said = normalize(answer)
    return Scored(max((score(said, normalize(target)) for target in item.targets), default=0.0), said or None)


def _word_f1(said: str, wanted: str) -> float:
    said_words, wanted_words = said.split(), wanted.split()
    n_shared = sum((Counter(said_words) & Counter(wanted_words)).values())
    if not n_shared:
        return 0.0
    precision, recall = n_shared / len(said_words), n_shared / len(wanted_words)
    return 2 * precision * recall / (precision + recall)

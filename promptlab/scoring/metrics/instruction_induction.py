"""The scorers of Instruction Induction (Honovich et al. 2022), rule by rule, for every published defect included.

They read the first line up to the first full stop, and know no Unicode punctuation. docs/reference/tasks.md lists what that costs.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from promptlab.nouns import Item, Scored

PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """What the reference scorers compare: the order of the steps matters, and case counts until the last but three."""
    text = text.replace(" and ", " ").replace("Sentence 1:", " ").replace("Sentence 2:", " ").strip()
    text = text.split("\n")[0].split(".")[0]
    return text.lower().replace("-", " ").translate(PUNCTUATION)


_target = lru_cache(maxsize=16_384)(normalize)
LONG = 200
"""Characters from which an answer is not expected a second time."""


def _best(score: Callable[[str, str], float], answer: str, item: Item) -> Scored:
    if not answer.strip():
        return Scored(0.0, None)  # also where a target normalises to nothing: an absent answer is never right
    read = _target(answer) if len(answer) < LONG else normalize(answer)
    best = max([score(read, _target(target)) for target in item.targets], default=0.0)
    return Scored(best, read or (answer.strip() if best else None))


def em(answer: str, item: Item) -> Scored:
    """Exact match after normalisation, best target."""
    return _best(lambda read, target: float(read == target), answer, item)


def f1(answer: str, item: Item) -> Scored:
    """F1 of the words with multiplicity, best target."""
    return _best(lambda read, target: token_f1(read.split(), target.split()), answer, item)


def exact_set(answer: str, item: Item) -> Scored:
    """Equal sets of words, best target."""
    return _best(lambda read, target: float(set(read.split()) == set(target.split())), answer, item)


def contains(answer: str, item: Item) -> Scored:
    """A target is in the answer between word boundaries."""
    return _best(lambda read, target: float(target in read and _bounded(target).search(read) is not None), answer, item)


@lru_cache(maxsize=16_384)
def _bounded(target: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(target)}\b")


def token_f1(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """F1 of two lists of words, with multiplicity; 0 when they share none."""
    left = Counter(theirs)
    common = 0
    for word in ours:
        if left.get(word):
            left[word] -= 1
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(ours), common / len(theirs)
    return 2 * precision * recall / (precision + recall)

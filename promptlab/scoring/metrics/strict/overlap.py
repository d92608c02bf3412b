"""Answers in words of the reply's own: how much of the best target they share."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.text import key
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.instruction_induction import token_f1
from promptlab.scoring.metrics.strict import replies


@lru_cache(maxsize=4096)
def _split(targets: tuple[str, ...]) -> tuple[list[str], ...]:
    return tuple(key(target).split() for target in targets)


@lru_cache(maxsize=4096)
def _sets(targets: tuple[str, ...]) -> tuple[tuple[frozenset[str], list[str]], ...]:
    return tuple((frozenset(target), target) for target in _split(targets))


def _f1(text: str, targets: tuple[tuple[frozenset[str], list[str]], ...]) -> float:
    tokens = key(text).split()
    said = frozenset(tokens)
    once = len(said) == len(tokens)
    best = 0.0
    for each, target in targets:
        if common := len(said & each):
            if once and len(each) == len(target):
                precision, recall = common / len(tokens), common / len(target)
                best = max(best, 2 * precision * recall / (precision + recall))
            else:
                best = max(best, token_f1(tokens, target))
    return best


def f1(reply: Reply, item: Item) -> Scored:
    """Overlap of words with the best target, as F1; of what the reply concludes, else of its text without what introduces it."""
    targets = _split(item.targets)
    if reply.concluded is not None and reply.concluded.text:
        main, others, rule = reply.concluded.text, reply.concluded.raw, "conclusion"
    else:
        main, rule = reply.unremarked, "whole"
        first, _, below = reply.head.partition("\n")
        lines = (first, below.partition("\n")[0] if first.endswith(":") and not replies.other_label(first) else "")
        others = (*lines, main.split("\n", 1)[0], reply.text, *([reply.states] if reply.states else []))
    if (prefix := replies.PREFIX.match(main)) is not None:
        main = main[prefix.end() :]
    if cut := replies.explains(main):
        others = (*others, cut)
    if (they := _THEY.search(main)) is not None:
        others = (*others, main[they.end() :], main[they.end() :].partition(":")[0])
    readings = [main.strip(replies.OUTSIDE), main.split("\n", 1)[0].strip(replies.OUTSIDE)]
    readings += [part.strip(replies.OUTSIDE) for part in others if key(part).split() in targets]
    sets = _sets(item.targets)
    scored = [(_f1(part, sets), part, rule) for part in dict.fromkeys(readings) if part]
    best, read, rule = max(scored, key=lambda one: one[0], default=(0.0, "", ""))
    if best and denying(read) and not any(denying(target) for target in item.targets):
        return Scored(0.0, read, "denied")
    return Scored(best, read or None, rule) if best else Scored(0.0, None)


_THEY = regex(r"\b(?:they|these|which|and [\w ]{1,40}?)(?: \w+)? (?:all|both) |\b(?:they|that they) (?:all )?|\ball (?=\w)", re.I)

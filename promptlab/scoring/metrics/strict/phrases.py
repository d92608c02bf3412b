"""Answers that are a word, a phrase or a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.metrics.instruction_induction import token_f1
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.replies import key


def text(answer: str, item: Item) -> Scored:
    """A sentence or phrase: equal to a target in case-blind words."""
    return replies.found(answer, item, replies.readings)


_SAID_OF = re.compile(r"^(?:the|a|an|one|its)\s", re.I)


def word(answer: str, item: Item) -> Scored:
    """A word or short phrase, in a sentence that says so or in a list of right answers only; articles do not count."""
    targets = {key(target) for target in item.targets}
    asked = key(item.input)

    def readings(text: str) -> Iterator[str]:
        for reading in replies.readings(text):
            yield from _bare(reading)
            if len(reading) > 300:
                continue
            if (says := replies.SAYS.match(reading)) is not None:
                tail = says["tail"].strip(" \"'.!")
                head = says["head"].strip(" \"'")
                if not re.search(r"\b(?:not|no|never)\b|n't\b", head):
                    yield from _bare(tail)
                    if (cut := replies.EXPLAINS.search(tail)) is not None:
                        yield from _bare(tail[: cut.start()])
                if _SAID_OF.match(tail) and key(head) != asked and not key(tail).startswith("not "):
                    yield from _bare(head)
            listed = [part for part in replies.LISTED.split(replies.NUMBERED.sub("\n", reading).strip()) if part]
            if 1 < len(listed) <= 8 and all(any(key(b) in targets and key(b) != asked for b in _bare(part)) for part in listed):
                yield listed[0]

    return replies.found(answer, item, readings)


def _bare(text: str) -> Iterator[str]:
    yield text
    without = replies.ARTICLE.sub("", text.strip(" \"'"))
    if without != text:
        yield without


def rhyme(answer: str, item: Item) -> Scored:
    """A word that rhymes; the input itself never does."""
    targets = tuple(target for target in item.targets if key(target) != key(item.input))
    return word(answer, replace(item, targets=targets)) if key(answer) != key(item.input) else Scored(0.0, None)


_ORDINALS = {"first": "first", "1st": "first", "second": "second", "2nd": "second"}
_IS_ORDINAL = re.compile(r"\"?\b([a-z])\b\"? is (?:the )?(first|second|1st|2nd)\b")


def letter(answer: str, item: Item) -> Scored:
    """One letter of the input word; "p is first, l is second" is read by the place that is asked for."""
    said = {_ORDINALS[place]: found for found, place in _IS_ORDINAL.findall(replies.clean(answer).casefold())}
    if len(said) == 2 and item.targets:
        place = (
            "first" if item.input[:1].casefold() == item.targets[0].casefold() and said["first"] == item.targets[0].casefold() else "second"
        )
        return Scored(float(said[place] == item.targets[0].casefold()), said[place])
    return word(answer, item)


def f1(answer: str, item: Item) -> Scored:
    """Overlap of words with the best target, as F1; over the whole reply, without what introduces it."""
    text = replies.clean(answer)
    targets = [key(target).split() for target in item.targets]
    readings = [*replies.spans(text)]
    readings += [span[match.end() :] for span in readings if (match := replies.PREFIX.match(span))]
    best, read = max(((max(token_f1(key(r).split(), t) for t in targets), r) for r in readings), default=(0.0, ""))
    return Scored(best, read or None)

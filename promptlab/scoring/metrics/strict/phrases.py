"""Answers that are words: one, a phrase, a sentence, or several parts, in order or in any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from promptlab.nouns import Item, Scored
from promptlab.scoring.metrics.instruction_induction import token_f1
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.replies import fold, key


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


def letters(answer: str, item: Item) -> Scored:
    """Single letters in order, however they are separated."""
    wanted = key(item.targets[0]).split() or None
    for reading in replies.readings(replies.NUMBERED.sub(" ", replies.clean(answer))):
        if (tokens := key(reading).split()) == wanted:
            return Scored(1.0, " ".join(tokens))
    return Scored(0.0, key(answer) or None)


def sequence(answer: str, item: Item) -> Scored:
    """Words in order, separated by spaces, commas or lines."""
    wanted = _wanted(item.targets)
    text = replies.clean(answer)
    # Readings take marks and words away: where a word of a target stands nowhere, no reading holds the target.
    said = {form for word in (*_sortable(text), *_sortable(text.replace(":", " "))) for form in (word, word.strip("'_"))}
    if not any(said.issuperset(words) for words in wanted):
        return Scored(0.0, text or None)
    for reading in (*replies.readings(replies.NUMBERED.sub(" ", text)), *(text.partition(":")[2:] if ":" in text else ())):
        if (tokens := _sortable(reading)) and tokens in wanted:
            return Scored(1.0, " ".join(tokens))
    return Scored(0.0, text or None)


@lru_cache(maxsize=4096)
def _wanted(targets: tuple[str, ...]) -> tuple[list[str], ...]:
    return tuple(_sortable(target) for target in targets)


def _sortable(text: str) -> list[str]:
    return [bare for raw in re.split(r"[\s,;]+", fold(text).casefold()) if (bare := raw.strip('"*`.()[]:'))]


_BRACKETS = re.compile(r"[\[\]{}()<>]")


def brackets(answer: str, item: Item) -> Scored:
    """Closing brackets in order; the whole sequence with its completion counts as well."""
    text = replies.clean(answer)
    wanted = ["".join(_BRACKETS.findall(target)) for target in item.targets]
    asked = "".join(_BRACKETS.findall(item.input))
    for span in (*replies.spans(text), text.replace("\n", " ")):
        read = "".join(_BRACKETS.findall(span))
        if read and (read in wanted or read.removeprefix(asked) in wanted):
            return Scored(1.0, " ".join(read))
    return Scored(0.0, text or None)


def listed(answer: str, item: Item) -> Scored:
    """The set of names in a list, in any order."""
    wanted = [{key(part) for part in target.split(",")} for target in item.targets]
    return _set(answer, wanted, lambda reading: {key(part) for part in replies.LISTED.split(reading) if key(part)})


def words(answer: str, item: Item) -> Scored:
    """The set of words, in any order; an "and" between them counts only where it is asked for."""
    wanted = [set(key(target).split()) for target in item.targets]
    return _set(answer, wanted, lambda reading: set(key(reading).split())) if wanted else Scored(0.0, None)


def _set(answer: str, wanted: Sequence[set[str]], parts: Callable[[str], set[str]]) -> Scored:
    text = replies.clean(answer)
    plain = replies.NUMBERED.sub("\n", text).strip()
    spans = [*replies.spans(text), plain, plain.replace("\n", ", ")]
    spans += [span[match.end() :] for span in spans if (match := replies.PREFIX.match(span))]
    spans += [says["tail"] for span in spans if len(span) < 500 and (says := replies.SAYS.match(span))]
    if ":" in text.split("\n")[0]:
        spans.append(plain.partition(":")[2].strip().replace("\n", ", "))
    for span in spans:
        read = parts(span)
        if read in wanted or ("and" in read and read - {"and"} in wanted):
            return Scored(1.0, span.strip())
    return Scored(0.0, text or None)

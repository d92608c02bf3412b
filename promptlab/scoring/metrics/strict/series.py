"""Answers with several parts, in order or in any."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.replies import fold, key


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

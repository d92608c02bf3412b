"""Answers that are words: one, a phrase, a sentence, or several parts, in order or in any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.conclusions import statement
from promptlab.scoring.answers.places import CONFIDENCE, Reply
from promptlab.scoring.answers.text import fold, key
from promptlab.scoring.metrics.instruction_induction import token_f1
from promptlab.scoring.metrics.strict import replies


def text(reply: Reply, item: Item) -> Scored:
    """A sentence or phrase: equal to a target in case-blind words."""
    return replies.found(reply, item, _sentences)


def _sentences(reply: Reply) -> Iterator[tuple[str, str]]:
    yield from replies.readings(reply)
    if len(reply.text) < 2000 and reply.concluded is None and (says := _QUOTES.match(reply.unremarked)) is not None:
        yield says["said"], "quoted"


_QUOTES = re.compile(r"^[^\"\n]{1,200}?\s(?:is|are|would be|as|=|:|->)[\s:]+\"(?P<said>[^\"]+)\"[.!]?$")
_SAID_OF = re.compile(r"^(?:the|a|an|one|its)\s", re.I)
_DENIES = re.compile(r"\b(?:not|no|never|nicht|kein\w*|pas)\b|n't\b")


def word(reply: Reply, item: Item) -> Scored:
    """A word or short phrase, in a sentence that says so or in a list of right answers only; articles do not count."""
    targets = replies.keys(item.targets)
    asked = key(item.input)

    def readings(reply: Reply) -> Iterator[tuple[str, str]]:
        for reading, rule in replies.readings(reply):
            yield from ((bare, rule) for bare in _bare(reading))
            if len(reading) > 300:
                continue
            if len(reading) < 200 and not _DENIES.search(reading):
                yield from ((bare, rule) for tail in _told(reading, asked) for bare in _bare(tail))
            if (says := replies.SAYS.match(reading)) is not None:
                tail = says["tail"].strip(" \"'.!")
                head = says["head"].strip(" \"'")
                if not _DENIES.search(head):
                    yield from ((bare, rule) for bare in _bare(tail))
                    if (cut := replies.EXPLAINS.search(tail)) is not None:
                        yield from ((bare, rule) for bare in _bare(tail[: cut.start()]))
                if _SAID_OF.match(tail) and key(head) != asked and not key(tail).startswith("not "):
                    yield from ((bare, rule) for bare in _bare(head))
            listed = [part for part in replies.LISTED.split(replies.bulleted(replies.NUMBERED.sub("\n", reading).strip())) if part]
            if 1 < len(listed) <= 8 and all(any(key(b) in targets and key(b) != asked for b in _bare(part)) for part in listed):
                yield listed[0], rule

    return replies.found(reply, item, readings)


_SAYS_LAST = re.compile(r"^.{1,200}\s(?:is|are|means|becomes|would be)[\s:]+(?P<tail>.+)$", re.S)
_QUOTED = re.compile(r"(?<!\w)[\"']([^\"'\n]{1,60})[\"'](?!\w)")
_BESIDE = re.compile(r"\s*(?:->|=>|→|↔|⟷|⇄|<->|≠|-|:|/|\||=|\bvs\.?)\s*")


def _told(reading: str, asked: str) -> Iterator[str]:
    """What a sentence says last, its only quoted words that are not the input's, a numbered line, and what stands beside the input."""
    if (last := _SAYS_LAST.match(reading)) is not None:
        yield last["tail"].strip(" \"'.!")
    quoted = {text for text in _QUOTED.findall(reading) if key(text) != asked}
    if len(quoted) == 1:
        yield quoted.pop()
    if (bare := replies.NUMBERED.sub("", reading, count=1)) != reading:
        yield bare.strip()
    beside = _BESIDE.split(reading, maxsplit=1)
    if len(beside) == 2 and key(beside[0]) == asked:
        yield beside[1]


def _bare(text: str) -> Iterator[str]:
    yield text
    if (plain := _ADVERB.sub("", text)) != text:
        yield plain.strip(replies.OUTSIDE)
    without = replies.ARTICLE.sub("", text.strip(replies.OUTSIDE))
    if without != text:
        yield without
    named = _NAMED.sub("", without)
    if named != without:
        yield named


_ADVERB = re.compile(
    r"^(?:therefore|thus|probably|simply|likely|definitely|just|maybe|clearly|actually)[\s:,]+|,?\s+(?:indeed"
    r"|probably)$",
    re.I,
)
_NAMED = re.compile(r"^(?:word|letter|term|phrase|name|plural(?: form)?|opposite|antonym|synonym)\s+", re.I)


def rhyme(reply: Reply, item: Item) -> Scored:
    """A word that rhymes; the input itself never does."""
    targets = tuple(target for target in item.targets if key(target) != key(item.input))
    return word(reply, replace(item, targets=targets)) if key(reply.text) != key(item.input) else Scored(0.0, None)


_ORDINALS = {"first": "first", "1st": "first", "second": "second", "2nd": "second"}
_IS_ORDINAL = re.compile(r"\"?\b([a-z])\b\"? is (?:the )?(first|second|1st|2nd)\b")


def letter(reply: Reply, item: Item) -> Scored:
    """One letter of the input word; "p is first, l is second" is read by the place that is asked for."""
    said = {_ORDINALS[place]: found for found, place in _IS_ORDINAL.findall(reply.text.casefold())}
    if len(said) == 2 and item.targets:
        place = (
            "first" if item.input[:1].casefold() == item.targets[0].casefold() and said["first"] == item.targets[0].casefold() else "second"
        )
        return Scored(float(said[place] == item.targets[0].casefold()), said[place], "statement")
    return word(reply, item)


def f1(reply: Reply, item: Item) -> Scored:
    """Overlap of words with the best target, as F1; of what the reply concludes, else of its text without what introduces it."""
    targets = [key(target).split() for target in item.targets]
    if reply.concluded is not None and reply.concluded.text:
        main, others, rule = reply.concluded.text, reply.concluded.raw, "conclusion"
    else:
        main, rule = reply.unremarked, "whole"
        others = (main.split("\n", 1)[0], reply.text, *([states] if (states := statement(main)) else []))
    if (prefix := replies.PREFIX.match(main)) is not None:
        main = main[prefix.end() :]
    if (cut := replies.EXPLAINS.search(main)) is not None and cut.start():
        others = (*others, main[: cut.start()])
    readings = [main.strip(replies.OUTSIDE), main.split("\n", 1)[0].strip(replies.OUTSIDE)]
    readings += [part.strip(replies.OUTSIDE) for part in others if key(part).split() in targets]
    scored = [(max((token_f1(key(part).split(), target) for target in targets), default=0.0), part, rule) for part in readings if part]
    best, read, rule = max(scored, key=lambda one: one[0], default=(0.0, "", ""))
    return Scored(best, read or None, rule) if best else Scored(0.0, None)


def letters(reply: Reply, item: Item) -> Scored:
    """Single letters in order, however they are separated."""
    wanted = key(item.targets[0]).split() or None
    for reading, rule in replies.readings(reply):
        for form in (reading, replies.NUMBERED.sub(" ", reading), replies.bulleted(reading)):
            if (tokens := key(form).replace("-", " ").split()) == wanted:
                return Scored(1.0, " ".join(tokens), rule)
    concluded = reply.concluded.text if reply.concluded else reply.text
    return Scored(0.0, key(concluded) or None, "conclusion" if reply.concluded else "whole")


def sequence(reply: Reply, item: Item) -> Scored:
    """Words in order, separated by spaces, commas or lines."""
    wanted = _wanted(item.targets)
    text = reply.text
    # Readings take marks and words away: where a word of a target stands nowhere, no reading holds the target.
    said = {form for word in (*_sortable(text), *_sortable(text.replace(":", " "))) for form in (word, word.strip("'_"))}
    if text.isascii() and not any(said.issuperset(words) for words in wanted):
        return Scored(0.0, text or None, "whole")
    for reading, rule in replies.readings(reply):
        for form in (reading, replies.NUMBERED.sub(" ", reading), replies.bulleted(reading)):
            for said_so in (
                form,
                *([form.partition(":")[2]] if ":" in form else []),
                *([says["tail"]] if (says := replies.SAYS.match(form)) else []),
            ):
                if (tokens := _sortable(said_so)) and tokens in wanted:
                    return Scored(1.0, " ".join(tokens), rule)
    return Scored(0.0, text or None, "whole")


@lru_cache(maxsize=4096)
def _wanted(targets: tuple[str, ...]) -> tuple[list[str], ...]:
    return tuple(_sortable(target) for target in targets)


def _sortable(text: str) -> list[str]:
    return [bare for raw in re.split(r"[\s,;]+|->|→", fold(text).casefold()) if (bare := _AROUND.sub("", raw))]


_AROUND = re.compile(r"^\W+|\W+$")


_BRACKETS = re.compile(r"[\[\]{}()<>]")


def brackets(reply: Reply, item: Item) -> Scored:
    """Closing brackets in order; the whole sequence with its completion counts as well."""
    if reply.concluded is not None and not reply.concluded.text:
        return Scored(0.0, None, "denied")
    text = re.sub("[-=]>", " ", CONFIDENCE.sub("", fold(reply.aloud)))
    if (box := text.rfind("\\boxed{")) >= 0:  # its brackets need not be balanced
        text = text[box + 7 :].rstrip(" $.").removesuffix("}")
    wanted = ["".join(_BRACKETS.findall(target)) for target in item.targets]
    asked = "".join(_BRACKETS.findall(item.input))
    lines = text.split("\n")
    places = [*lines, text.replace("\n", " ")] if reply.concluded is None else [reply.concluded.text, text.replace("\n", " "), *lines[:1]]
    places += [reply.text] if reply.wrapper else []
    for place in places:
        read = "".join(_BRACKETS.findall(place))
        if read and (read in wanted or read.removeprefix(asked) in wanted):
            return Scored(1.0, " ".join(read), "brackets")
    return Scored(0.0, text or None, "whole")


def listed(reply: Reply, item: Item) -> Scored:
    """The set of names in a list, in any order."""
    wanted = [{key(part) for part in target.split(",")} for target in item.targets]
    return _set(
        reply,
        wanted,
        lambda reading: {key(replies.ARTICLE.sub("", part.strip(replies.OUTSIDE))) for part in replies.LISTED.split(reading) if key(part)},
    )


def words(reply: Reply, item: Item) -> Scored:
    """The set of words, in any order; an "and" between them counts only where it is asked for."""
    wanted = [set(key(target).split()) for target in item.targets]
    return _set(reply, wanted, lambda reading: set(key(reading).split())) if wanted else Scored(0.0, None)


def _set(reply: Reply, wanted: Sequence[set[str]], parts: Callable[[str], set[str]]) -> Scored:
    for raw, rule in replies.readings(reply):
        plain = replies.bulleted(raw)
        spans = [raw, plain, plain.replace("\n", ", ")]
        spans += [span[match.end() :] for span in spans if (match := replies.PREFIX.match(span))]
        spans += [says["tail"] for span in spans if len(span) < 500 and (says := replies.SAYS.match(span))]
        if ":" in raw.split("\n")[0]:
            spans.append(replies.bulleted(raw.partition(":")[2].strip()).replace("\n", ", "))
        for span in spans:
            read = parts(span.strip(replies.OUTSIDE + ".!"))
            if read in wanted or ("and" in read and read - {"and"} in wanted):
                return Scored(1.0, span.strip(), rule)
    return Scored(0.0, reply.text or None, "whole")

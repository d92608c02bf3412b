"""Answers that choose among options, told or untold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.text import fold, key
from promptlab.scoring.metrics import bigbench
from promptlab.scoring.metrics.strict import phrases, replies

_POLARITY = {"pos": "positive", "neg": "negative"}


def _settled(reply: Reply, item: Item) -> Scored:
    """The option that the clearest place of a reply settles on."""
    scored = Scored(0.0, None)
    for text, rule in _places(reply, item.choices or item.targets):
        scored = replace(bigbench.choice(text, item), rule=rule)
        if scored.extracted is not None:
            return scored
    return scored


def _places(reply: Reply, options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if reply.corrected is not None:
        yield reply.corrected, "correction"
    if reply.wrapper:
        yield reply.text, reply.wrapper
    if reply.concluded is not None:
        yield reply.concluded.text, "conclusion"
    if reply.unremarked != reply.text:
        remarks = f" {key(reply.text.replace(reply.unremarked, ' '))} "
        if reply.unremarked and not any(f" {key(option)} " in remarks for option in options):
            yield reply.unremarked, "without remarks"
    yield reply.whole, "whole"


def label(reply: Reply, item: Item) -> Scored:
    """One of the item's options, where an abbreviation is clear."""
    options = [option.casefold() for option in item.choices]
    for text in (reply.concluded.text if reply.concluded else "", reply.unremarked, reply.text):
        short = key(text)
        if short in _POLARITY and _POLARITY[short] in options:
            return bigbench.choice(_POLARITY[short], item)
    return _settled(reply, item)


_INFLECTED = {"entails": "entailment", "entailed": "entailment", "contradicts": "contradiction", "contradicted": "contradiction"}
_LOOSE = re.compile(r"\bnon[ -]?entailment\b", re.I)
_RULED_OUT = re.compile(
    r"\b(?:rul(?:es?|ed|ing) out|exclud(?:es?|ed|ing)|eliminat(?:es?|ed|ing)|no longer|can't be|cannot be"
    r"|instead of|rather than)\s+(?:the )?[\w-]+(?:\s+(?:and|or)\s+(?:the )?[\w-]+)?",
    re.I,
)


def choice(reply: Reply, item: Item) -> Scored:
    """The option that a reply settles on; its own grade where options are graded in fractions."""
    options = item.choices or item.targets
    if reply.text in options:
        return bigbench.choice(reply.text, item)
    for text in (reply.text, reply.unremarked):
        if (inflected := _INFLECTED.get(key(text))) is not None and inflected in options:
            return bigbench.choice(inflected, item)
        if key(text) in ("true", "false") and {key(option) for option in options} == {"yes", "no"}:
            return bigbench.choice(next(option for option in options if key(option) == ("yes" if key(text) == "true" else "no")), item)
    if "non-entailment" in options and _LOOSE.search(reply.text):
        reply = Reply(_LOOSE.sub("non-entailment", reply.whole))
    scored = _settled(reply, item)
    if scored.extracted is None and reply.text:
        keys = {key(replies.ARTICLE.sub("", option)): option for option in options}
        if len(keys) == len(options):
            for place in (reply.text, *(text for text, _ in _places(reply, options))):
                if (same := keys.get(key(replies.ARTICLE.sub("", place)))) is not None:
                    return bigbench.choice(same, item)
        for head, rule in _opening(reply.text, options):
            if (opened := bigbench.choice(head, item)).extracted is not None:
                return replace(opened, rule=rule)
    return scored


_CLAUSE_ENDS = re.compile(
    r";\s|,\s(?:while|whereas|and not|not|but|because|since|although|though)\b|\swhile\b|\swhereas\b|\s\(|\s-\s|[.!]\s|\n"
)


def _opening(text: str, options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The text without what it rules out, and its first clause where more than options follows it: the rest explains."""
    without = _RULED_OUT.sub(" ", text)
    if without != text:
        yield without, "not ruled out"
    end = _CLAUSE_ENDS.search(text)
    named = {word for option in options for word in key(option).split()} | {"and", "or", "a", "b", "c", "d", "the"}
    if (
        end is not None
        and len(set(key(text[end.start() :]).split()) - named) > 1
        and not re.search(r"\b(?:not|n't|never|either|whether|or|if)\b", text[: end.start()], re.I)
    ):
        yield text[: end.start()], "first clause"


_BIGGER = (
    r"(?:much |far |significantly |considerably |slightly |definitely |clearly )*(?:larger|bigger|greater"
    r"|taller|heavier|longer|largest|biggest|more massive)"
)
_SMALLER = r"(?:much |far |significantly |considerably |slightly |definitely |clearly )*(?:smaller|shorter|lighter|tinier|smallest)"


_COMPARES = re.compile(r"er\b|est\b|more massive")


def larger(reply: Reply, item: Item) -> Scored:
    """One of the two animals of the input."""
    asked, said = _pair(item)
    places = [reply.concluded.text] if reply.concluded is not None else []
    for place in dict.fromkeys((*places, reply.unremarked, reply.text)):
        text = place.casefold()
        if said is not None and _COMPARES.search(text) and (found := said.search(text)) is not None:
            if (name := found["bigger"] or found["other"] or found["named"]) is not None:
                return replace(bigbench.choice(name, asked), rule="statement")
            small = found["small"] or found["smaller"]
            other = next((option for option in asked.choices if fold(option).casefold() != small), None)
            if other is not None:
                return replace(bigbench.choice(other, asked), rule="statement")
        scored = bigbench.choice(text, asked)
        if scored.extracted is None:
            for head, _ in _opening(text, asked.choices):
                if (scored := bigbench.choice(head, asked)).extracted is not None:
                    break
        if scored.extracted is not None:
            return replace(scored, rule="conclusion" if places and place is places[0] else "whole")
    return Scored(0.0, None)


@lru_cache(maxsize=4096)
def _pair(item: Item) -> tuple[Item, re.Pattern[str] | None]:
    """The item with its two names as options, and the pattern of a sentence that compares them."""
    pair = tuple(name.strip() for name in item.input.split(","))
    asked = replace(item, input="", choices=pair)
    if not all(pair):
        return asked, None
    names = "|".join(re.escape(fold(name).casefold()) for name in sorted(pair, key=len, reverse=True))
    the = r"(?:the |an? )?"
    return asked, re.compile(
        rf"(?<!not )\b(?P<bigger>{names})s? (?:is|are)(?! not\b| n't) (?:the )?{_BIGGER}\b(?! than (?!{the}(?:{names})))"
        rf"|\b{_SMALLER} than {the}(?P<other>{names})\b"
        rf"|\b(?:the )?{_BIGGER}\b(?: (?:one|animal|of the two|of these|of them|animal of the two|of the pair"
        rf"|of the two animals|of both|of these two))*(?: is"
        rf"| would be|:)(?! not\b)\s*{the}[\"'*]?(?P<named>{names})\b(?!s?,? (?:and|or) (?:an? |the )?(?:{names})\b)"
        rf"|\b(?P<smaller>{names})s? (?:is|are)(?! not\b) (?:the )?{_SMALLER}\b|\bthe {_SMALLER}(?: (?:one|animal"
        rf"|of the two))* is {the}[\"'*]?(?P<small>{names})\b"
    )


def cause(reply: Reply, item: Item) -> Scored:
    """One of the two sentences of the input, or its number."""
    found = re.fullmatch(r"Sentence 1: (.+?) Sentence 2: (.+)", item.input.strip(), re.S)
    if found is None:
        return phrases.text(reply, item)
    pair = found.groups()
    keys = [key(sentence) for sentence in pair]
    concluded = [reply.concluded.text] if reply.concluded is not None else []
    settled = [key(reading).removeprefix("sentence 1 ").removeprefix("sentence 2 ") for reading, _ in replies.readings(reply)]
    only = {str(keys.index(k) + 1) for k in settled if k in keys}
    for text in dict.fromkeys((*concluded, reply.unremarked, reply.text)):
        read = key(text)
        numbered = set(re.findall(r"\b(?:sentence|statement|number|option) ([12])\b", read)) or ({read} if read in ("1", "2") else set())
        numbered |= {
            place
            for place, word in (("1", "first"), ("2", "second"))
            if re.search(rf"\bthe {word} (?:one|sentence|statement)\b|^{word}$", read)
        }
        named = {str(i + 1) for i, k in enumerate(keys) if f" {k} " in f" {read} "}
        chosen = (
            named
            if len(named) == 1
            else numbered
            if len(numbered) == 1 and not named
            else only
            if len(only) == 1 and len(named) < 2
            else set()
        )
        if len(chosen) != 1 and (
            opening := re.match(
                r"sentence ([12]) (?:is|was) the cause\b|(?:the )?cause (?:of (?:sentence [12]|it|this) )?(?:is|was) sentence ([12])\b",
                read,
            )
        ):
            chosen = {opening[1] or opening[2]}
        if len(chosen) == 1:
            sentence = pair[int(chosen.pop()) - 1]
            right = key(sentence) in {key(target).removeprefix("sentence 1 ").removeprefix("sentence 2 ") for target in item.targets}
            return Scored(float(right), sentence, "conclusion" if concluded and text is concluded[0] else "whole")
    return Scored(0.0, None)


_DIFFERENT = re.compile(r"\b(?:different|differs?|distinct|unrelated)\b")
_SAME = re.compile(r"\b(?:same|identical|similar)\b")


def sense(reply: Reply, item: Item) -> Scored:
    """Same or not the same, in the words that models use for it."""
    places = [(last.text or last.raw[0], "conclusion") for last in reply.conclusions[-1:]]
    for place, rule in (*places, (reply.unremarked, "without remarks"), (reply.text, "whole")):
        if (same := _same(key(place))) is not None:
            right = any(key(target) == ("same" if same else "not the same") for target in item.targets)
            return Scored(float(right), "same" if same else "not the same", rule)
    return Scored(0.0, None)


_NOT_SAME = re.compile(r"\b(?:not|no|don't|do not) (?:\w+ ){0,3}(?:same|identical|similar)\b")
_NOT_DIFFERENT = re.compile(r"\bnot (?:\w+ )?(?:different|distinct|unrelated)")


def _same(read: str) -> bool | None:
    """What a text says about two senses: the same, not, or None where it says both or nothing. A leading yes or no counts."""
    says_not = _NOT_SAME.search(read) is not None
    says_same = _SAME.search(_NOT_SAME.sub(" ", read)) is not None
    differs = _DIFFERENT.search(_NOT_DIFFERENT.sub(" ", read)) is not None
    first = next(iter(read.split()), "")
    if first in ("yes", "true", "no", "false"):
        same = first in ("yes", "true")
        return None if (same and says_not) or (not same and says_same and not differs) else same
    if (says_same and (says_not or differs)) or len(_SAME.findall(read)) > 2:
        return None
    if says_not or differs:
        return False
    return True if says_same or _NOT_DIFFERENT.search(read) else None

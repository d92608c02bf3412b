"""Answers that choose among options, told or untold."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from promptlab.nouns import Item, Scored
from promptlab.scoring.metrics import bigbench
from promptlab.scoring.metrics.strict import phrases, replies
from promptlab.scoring.metrics.strict.replies import fold, key

_POLARITY = {"pos": "positive", "neg": "negative"}


def label(answer: str, item: Item) -> Scored:
    """One of the item's options, where an abbreviation is clear."""
    options = [option.casefold() for option in item.choices]
    short = key(answer)
    return bigbench.choice(_POLARITY[short] if short in _POLARITY and _POLARITY[short] in options else replies.clean(answer), item)


_INFLECTED = {"entails": "entailment", "entailed": "entailment", "contradicts": "contradiction", "contradicted": "contradiction"}
_LOOSE = re.compile(r"\bnon[ -]?entailment\b", re.I)


def choice(answer: str, item: Item) -> Scored:
    """The option that a reply settles on; its own grade where options are graded in fractions."""
    text = replies.clean(answer)
    options = item.choices or item.targets
    if "non-entailment" in options:
        text = _LOOSE.sub("non-entailment", text)
    if (inflected := _INFLECTED.get(key(text))) in options and inflected is not None:
        text = inflected
    scored = bigbench.choice(text, item)
    if scored.extracted is None and text:
        keys = {key(replies.ARTICLE.sub("", option)): option for option in options}
        same = keys.get(key(replies.ARTICLE.sub("", text)))
        if same is not None and len(keys) == len(options):
            return bigbench.choice(same, item)
    return scored


_BIGGER = r"(?:much |far |significantly |considerably )?(?:larger|bigger|greater|taller|heavier|longer)"
_SMALLER = r"(?:much |far |significantly |considerably )?(?:smaller|shorter|lighter|tinier)"


def larger(answer: str, item: Item) -> Scored:
    """One of the two animals of the input."""
    asked, said = _pair(item)
    text = replies.clean(answer).casefold()
    if said is not None and (found := said.search(text)) is not None:
        text = found["bigger"] or found["other"]
    return bigbench.choice(text, asked)


@lru_cache(maxsize=4096)
def _pair(item: Item) -> tuple[Item, re.Pattern[str] | None]:
    """The item with its two names as options, and the pattern of a sentence that compares them."""
    pair = tuple(name.strip() for name in item.input.split(","))
    asked = replace(item, input="", choices=pair)
    if not all(pair):
        return asked, None
    names = "|".join(re.escape(fold(name).casefold()) for name in sorted(pair, key=len, reverse=True))
    return asked, re.compile(rf"\b(?P<bigger>{names})s? (?:is|are) (?:the )?{_BIGGER}\b|{_SMALLER} than (?:the |an? )?(?P<other>{names})\b")


def cause(answer: str, item: Item) -> Scored:
    """One of the two sentences of the input, or its number."""
    found = re.fullmatch(r"Sentence 1: (.+?) Sentence 2: (.+)", item.input.strip(), re.S)
    if found is None:
        return phrases.text(answer, item)
    pair = found.groups()
    reply = replies.clean(answer)
    keys = [key(sentence) for sentence in pair]
    read = key(reply)
    numbered = set(re.findall(r"\bsentence ([12])\b", read)) or ({read} if read in ("1", "2") else set())
    named = {str(i + 1) for i, k in enumerate(keys) if f" {k} " in f" {read} "}
    settled = [key(reading).removeprefix("sentence 1 ").removeprefix("sentence 2 ") for reading in replies.readings(reply)]
    only = {str(keys.index(k) + 1) for k in settled if k in keys}
    chosen = (
        named if len(named) == 1 else numbered if len(numbered) == 1 and not named else only if len(only) == 1 and len(named) < 2 else set()
    )
    if len(chosen) != 1:
        return Scored(0.0, None)
    sentence = pair[int(chosen.pop()) - 1]
    return Scored(float(key(sentence) in map(key, item.targets)), sentence)


_DIFFERENT = re.compile(r"\b(?:different|differs?|distinct|unrelated)\b")
_SAME = re.compile(r"\b(?:same|identical|similar)\b")


def sense(answer: str, item: Item) -> Scored:
    """Same or not the same, in the words that models use for it."""
    read = key(replies.clean(answer))
    first = next(iter(read.split()), "")
    same: bool | None = None
    if (_DIFFERENT.search(read) and _SAME.search(read) and first not in ("yes", "no")) or len(_SAME.findall(read)) > 1:
        same = None  # both are named
    elif first in ("yes", "true"):
        same = True
    elif first in ("no", "false"):
        same = False
    elif _DIFFERENT.search(read) and not _SAME.search(read):
        same = bool(re.search(r"\bnot (?:\w+ )?(?:different|distinct|unrelated)", read))
    elif _SAME.search(read):
        same = not re.search(r"\bnot (?:\w+ ){0,3}(?:same|identical|similar)\b|\bno\b", read)
    if same is None:
        return Scored(0.0, None)
    right = any(key(target) == ("same" if same else "not the same") for target in item.targets)
    return Scored(float(right), "same" if same else "not the same")

"""Replies as text: what two texts are compared by, and where in a reply an answer may stand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps

from promptlab.nouns import Item, Scored

Kind = Callable[[str, Item], Scored]

_TRANSLATED = str.maketrans(
    {
        **dict.fromkeys("‘’‛′´ʼ", "'"),
        **dict.fromkeys("“”„‟″«»‹›", '"'),
        **dict.fromkeys("‐‑‒−﹣－", "-"),
        **dict.fromkeys("–—―", " - "),
        "\u00ad": "",
    }
)
_SPECIAL = re.compile(f"[{''.join(map(chr, _TRANSLATED))}]")
CONFIDENCE = re.compile(
    r"[\s(\[,;.-]*\bconfidence(?: (?:score|level))?\s*(?:is|of|[:=])?\s*(?:\d+(?:\.\d+)?\s*%?|high|low|medium)[)\]]*\.?", re.I
)
_THOUGHT = re.compile(r"^.*</think>", re.S)
CONCLUSION = re.compile(
    r"(?:\b(?:final |correct |right |short |best )?(?:answer|output|result|solution|conclusion|response|sum|difference|total)\b"
    r"(?: (?:to|of|for|in) [^\n:=]{1,60}?)?\s*(?::|=|\bis\b|\bwould be\b|\bshould be\b)|\\boxed\{)[\s:]*",
    re.I,
)
_FILLER = re.compile(
    r"^(?:sure|okay|ok|certainly|of course|absolutely|let me think|let's see"
    r"|let's think step by step|here (?:is|are) [^\n]{0,80}|here's [^\n]{0,80})"
    r"[\s!.,:]*$",
    re.I,
)
PREFIX = re.compile(r"^[^\W\d][\w '\-]{0,40}:\s+")
SAYS = re.compile(r"^(?P<head>.{1,200}?)\s(?:is|are|was|would be|should be|becomes|means|=|->|=>|→)[\s:]+(?P<tail>.+)$", re.S)
ARTICLE = re.compile(r"^(?:the|an?|le|la|les|l'|un|une|el|los|las|una|der|die|das|ein|eine|to)(?:\s+|(?<='))", re.I)
EXPLAINS = re.compile(r"\s+-\s+|\s*\(|\s*;\s|,\s(?:because|since|as|which|meaning|and i am|but)\b|\s(?:because|since)\s")
LISTED = re.compile(r"\s*(?:,|/|;|\||\n)\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+")
NUMBERED = re.compile(r"(?m)^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+|(?<!\S)\d{1,3}[.)] ")
_NOT_WORD = re.compile(r"[^\w*]+")
_CONTRACTED = (
    (re.compile(r"\bcan't\b|\bcan not\b"), "cannot"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"n't\b"), " not"),
)
_CACHED = 16_384
"""Texts that are kept in compared form: those of the items of a task, and the last replies."""
_JOINED = re.compile(r"['*_]|can not")
_LONGEST_READ = 20_000
"""Characters of a reply that are read: an endless reply is cut, never searched for minutes."""


@lru_cache(maxsize=_CACHED)
def fold(text: str) -> str:
    """Compatibility forms, kinds of quotes, dashes and spaces made one; case kept; lines stay lines."""
    text = text.replace("`", "'")
    if not text.isascii():
        text = text.translate(_TRANSLATED) if _SPECIAL.search(text) else text
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFC", text))
    lines = text.splitlines()
    if len(lines) == 1:
        return " ".join(text.split())
    return "\n".join(line for raw in lines if (line := " ".join(raw.split())))


@lru_cache(maxsize=_CACHED)
def key(text: str) -> str:
    """What two texts are compared by: folded, without case, punctuation and contractions; "*" stays, it carries meaning."""
    text = fold(text).casefold()
    if "'" in text or "can not" in text:
        for pattern, full in _CONTRACTED:
            text = pattern.sub(full, text)
    return " ".join(_NOT_WORD.sub(" ", text.replace("'", "")).replace("_", " ").split())


def clean(answer: str) -> str:
    """The reply without thoughts, confidence and markup."""
    text = answer[:_LONGEST_READ]
    if "</think>" in text:
        text = _THOUGHT.sub("", text)
    text = fold(text)
    if "onfidence" in text:
        text = CONFIDENCE.sub("", text)
    return text.replace("**", "").replace("__", "").strip() if "**" in text or "__" in text else text


def read(kind: Kind) -> Kind:
    """The kind with what holds for all: nothing is read in an empty reply, nor in the input again unless that is an answer."""

    @wraps(kind)
    def score(answer: str, item: Item) -> Scored:
        if not answer.strip():
            return Scored(0.0, None)
        if (said := key(answer) or fold(answer)) == (key(item.input) or fold(item.input)) and said not in map(key, item.targets):
            return Scored(0.0, None)
        scored = kind(answer, item)
        if scored.extracted or (scored.extracted is None and not scored.score):
            return scored
        return Scored(scored.score, answer.strip() if scored.score else None)

    return score


def spans(text: str) -> Iterator[str]:
    """Where an answer may stand, from the clearest place to the weakest: each one is a reading of the reply as a whole."""
    yield text
    lines = text.split("\n")
    if len(lines) > 1:
        lines = [line for line in lines if not _FILLER.match(line)] or lines
        yield " ".join(lines)
    concluded = [text[match.end() :].split("\n", maxsplit=1)[0] for match in CONCLUSION.finditer(text)]
    if concluded and concluded[-1].strip():
        yield concluded[-1]
        return
    if len(lines) > 1 or lines[0] is not text:
        yield lines[0]
    if (match := PREFIX.match(lines[0])) is not None:
        yield lines[0][match.end() :]
    elif lines[0].endswith(":") and len(lines) > 1:
        yield lines[1]
        yield " ".join(lines[1:])


def readings(text: str) -> Iterator[str]:
    """Every span, and what is left of it without quotes, a prefix or a remark behind it."""
    for span in spans(text):
        bare = span.strip(" \"'*_`")
        yield bare
        if (match := PREFIX.match(bare)) is not None:
            yield bare[match.end() :].strip(" \"'*_`")
        if (end := bare.find(". ")) > 0:
            yield bare[:end]
        if (match := EXPLAINS.search(bare)) is not None and match.start():
            yield bare[: match.start()]


@lru_cache(maxsize=_CACHED)
def _keys(targets: tuple[str, ...]) -> frozenset[str]:
    return frozenset(key(target) or fold(target) for target in targets)


@lru_cache(maxsize=_CACHED)
def _words(targets: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """The words of each target; nothing where one has none."""
    words = tuple(frozenset(key(target).split()) for target in targets)
    return words if all(words) else ()


def found(answer: str, item: Item, readings: Callable[[str], Iterator[str]]) -> Scored:
    """1 with the first reading that is a target; else 0 with the first reading at all."""
    text = clean(answer)
    if not text:
        return Scored(0.0, None)
    targets = _keys(item.targets)
    # Readings take words away and never make any, but for those that marks hold together: without its words no target is read.
    if not _JOINED.search(text) and (words := _words(item.targets)) and (bare := text.strip(' "`')):
        said = set(key(text).split())
        if not any(target <= said for target in words):
            return Scored(0.0, bare)
    first = None
    for reading in readings(text):
        read = key(reading) or reading
        first = first or reading
        if read and read in targets:
            return Scored(1.0, reading)
    return Scored(0.0, first or None)

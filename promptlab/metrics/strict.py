"""promptlab's own scorer: what a careful reader would mark right, and nothing else.

Replies are read as text of any form (Unicode, quotes, markup, "The answer is ...", a stated confidence, several lines), but only
a reply that settles on an answer scores: an echo of the input, a list of all options or a label inside another label do not.
`STRICT` names the kinds of answers; each is a function of the reply and the item.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache, wraps

from promptlab.metrics import bigbench
from promptlab.metrics.instruction_induction import token_f1
from promptlab.metrics.spelled import spelled_number
from promptlab.schema import Item, Scored

Kind = Callable[[str, Item], Scored]

_TRANSLATED = str.maketrans(
    {
        **dict.fromkeys("‘’‛′`´ʼ", "'"),
        **dict.fromkeys("“”„‟″«»‹›", '"'),
        **dict.fromkeys("‐‑‒−﹣－", "-"),
        **dict.fromkeys("–—―", " - "),
        "\u00ad": "",
    }
)
_CONFIDENCE = re.compile(
    r"[\s(\[,;.-]*\bconfidence(?: (?:score|level))?\s*(?:is|of|[:=])?\s*(?:\d+(?:\.\d+)?\s*%?|high|low|medium)[)\]]*\.?", re.I
)
_THOUGHT = re.compile(r"^.*</think>", re.S)
_CONCLUSION = re.compile(
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
_PREFIX = re.compile(r"^[^\W\d][\w '\-]{0,40}:\s+")
_SAYS = re.compile(r"^(?P<head>.{1,200}?)\s(?:is|are|was|would be|should be|becomes|means|=|->|=>|→)[\s:]+(?P<tail>.+)$", re.S)
_SAID_OF = re.compile(r"^(?:the|a|an|one|its)\s", re.I)
_ARTICLE = re.compile(r"^(?:the|an?|le|la|les|l'|un|une|el|los|las|una|der|die|das|ein|eine|to)(?:\s+|(?<='))", re.I)
_EXPLAINS = re.compile(r"\s+-\s+|\s*\(|\s*;\s|,\s(?:because|since|as|which|meaning|and i am|but)\b|\s(?:because|since)\s")
_LISTED = re.compile(r"\s*(?:,|/|;|\||\n)\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+")
_NUMBERED = re.compile(r"(?m)^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+|(?<!\S)\d{1,3}[.)] ")
_NOT_WORD = re.compile(r"[^\w*]+")
_CONTRACTED = (
    (re.compile(r"\bcan't\b|\bcan not\b"), "cannot"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"n't\b"), " not"),
)
_LONGEST_READ = 20_000
"""Characters of a reply that are read: an endless reply is cut, never searched for minutes."""


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Compatibility forms, kinds of quotes, dashes and spaces made one; case kept; lines stay lines."""
    text = unicodedata.normalize("NFC", text.translate(_TRANSLATED))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return "\n".join(line for raw in text.splitlines() if (line := " ".join(raw.split())))


@lru_cache(maxsize=65_536)
def key(text: str) -> str:
    """What two texts are compared by: folded, without case, punctuation and contractions; "*" stays, it carries meaning."""
    text = fold(text).casefold()
    if "'" in text or "can not" in text:
        for pattern, full in _CONTRACTED:
            text = pattern.sub(full, text)
    return " ".join(_NOT_WORD.sub(" ", text.replace("'", "")).replace("_", " ").split())


def _clean(answer: str) -> str:
    """The reply without thoughts, confidence and markup."""
    text = answer[:_LONGEST_READ]
    if "</think>" in text:
        text = _THOUGHT.sub("", text)
    text = fold(text)
    if "onfidence" in text:
        text = _CONFIDENCE.sub("", text)
    return text.replace("**", "").replace("__", "").strip() if "**" in text or "__" in text else text


def _read(kind: Kind) -> Kind:
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


def _spans(text: str) -> Iterator[str]:
    """Where an answer may stand, from the clearest place to the weakest: each one is a reading of the reply as a whole."""
    yield text
    lines = text.split("\n")
    if len(lines) > 1:
        lines = [line for line in lines if not _FILLER.match(line)] or lines
        yield " ".join(lines)
    concluded = [text[match.end() :].split("\n", maxsplit=1)[0] for match in _CONCLUSION.finditer(text)]
    if concluded and concluded[-1].strip():
        yield concluded[-1]
        return
    if len(lines) > 1 or lines[0] is not text:
        yield lines[0]
    if (match := _PREFIX.match(lines[0])) is not None:
        yield lines[0][match.end() :]
    elif lines[0].endswith(":") and len(lines) > 1:
        yield lines[1]
        yield " ".join(lines[1:])


def _readings(text: str) -> Iterator[str]:
    """Every span, and what is left of it without quotes, a prefix or a remark behind it."""
    for span in _spans(text):
        bare = span.strip(" \"'*_`")
        yield bare
        if (match := _PREFIX.match(bare)) is not None:
            yield bare[match.end() :].strip(" \"'*_`")
        if (end := bare.find(". ")) > 0:
            yield bare[:end]
        if (match := _EXPLAINS.search(bare)) is not None and match.start():
            yield bare[: match.start()]


def _found(answer: str, item: Item, readings: Callable[[str], Iterator[str]]) -> Scored:
    text = _clean(answer)
    if not text:
        return Scored(0.0, None)
    targets = {key(target) or fold(target) for target in item.targets}
    first = None
    for reading in readings(text):
        read = key(reading) or reading
        first = first or reading
        if read and read in targets:
            return Scored(1.0, reading)
    return Scored(0.0, first or None)


def text(answer: str, item: Item) -> Scored:
    """A sentence or phrase: equal to a target in case-blind words."""
    return _found(answer, item, _readings)


def word(answer: str, item: Item) -> Scored:
    """A word or short phrase, in a sentence that says so or in a list of right answers only; articles do not count."""
    targets = {key(target) for target in item.targets}
    asked = key(item.input)

    def readings(text: str) -> Iterator[str]:
        for reading in _readings(text):
            yield from _bare(reading)
            if len(reading) > 300:
                continue
            if (says := _SAYS.match(reading)) is not None:
                tail = says["tail"].strip(" \"'.!")
                head = says["head"].strip(" \"'")
                if not re.search(r"\b(?:not|no|never)\b|n't\b", head):
                    yield from _bare(tail)
                    if (cut := _EXPLAINS.search(tail)) is not None:
                        yield from _bare(tail[: cut.start()])
                if _SAID_OF.match(tail) and key(head) != asked and not key(tail).startswith("not "):
                    yield from _bare(head)
            listed = [part for part in _LISTED.split(_NUMBERED.sub("\n", reading).strip()) if part]
            if 1 < len(listed) <= 8 and all(any(key(b) in targets and key(b) != asked for b in _bare(part)) for part in listed):
                yield listed[0]

    return _found(answer, item, readings)


def _bare(text: str) -> Iterator[str]:
    yield text
    without = _ARTICLE.sub("", text.strip(" \"'"))
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
    said = {_ORDINALS[place]: found for found, place in _IS_ORDINAL.findall(_clean(answer).casefold())}
    if len(said) == 2 and item.targets:
        place = (
            "first" if item.input[:1].casefold() == item.targets[0].casefold() and said["first"] == item.targets[0].casefold() else "second"
        )
        return Scored(float(said[place] == item.targets[0].casefold()), said[place])
    return word(answer, item)


_NUMBER = re.compile(r"(?<![\w.,])-?\d[\d,]*(?:\.\d+)?(?![\w])|(?<![\w.,])-?\.\d+")


def _numbers(text: str) -> list[Decimal | None]:
    """The numbers of a text, in digits or in words; None for digits that are no number, as "1,50"."""
    found: list[Decimal | None] = []
    for raw in _NUMBER.findall(text):
        digits = raw.rstrip(",")
        grouped = "," not in digits or re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits)
        try:
            found.append(Decimal(digits.replace(",", "")) if grouped else None)
        except InvalidOperation:
            found.append(None)
    return found or [Decimal(n) for n in spelled_number(text)]


def number(answer: str, item: Item) -> Scored:
    """A number: behind the last "=" or a conclusion, else the only one in the first line that has any."""
    text = _clean(answer)
    wanted = {n for target in item.targets for n in _numbers(fold(target))}
    places = [text[match.end() :].split("\n")[0] for match in _CONCLUSION.finditer(text)][-1:]
    places += [line.rpartition("=")[2] for line in text.split("\n") if "=" in line][-1:]
    for place in places:
        if found := _numbers(place):
            return Scored(float(found[0] in wanted), str(found[0]))
    for line in text.split("\n"):
        if not (found := _numbers(line)):
            continue
        if len(set(found)) > 1:
            head = _NUMBER.match(line)
            tail = re.search(r"(?:\bis|\bare|\bhave|\bequals|\bgives|->)\s+(?:a total of\s+)?(-?[\w,.-]+(?: \w+)?)\W*$", line)
            found = _numbers(tail[1]) if tail else found[:1] if head and re.match(r"[.!]?\s*(?:\(|$|because)", line[head.end() :]) else []
        return Scored(float(len(set(found)) == 1 and found[0] in wanted), str(found[0]) if found else None)
    return Scored(0.0, None)


def spelled(answer: str, item: Item) -> Scored:
    """A number in English words; with or without "and", hyphens and commas; digits do not count."""
    wanted = {n for target in item.targets for n in spelled_number(fold(target))}
    for reading in _readings(_clean(answer)):
        says = _SAYS.match(reading)
        for part in (says["tail"], reading) if says else (reading,):
            if any(c.isdigit() for c in part):
                continue
            found = spelled_number(part)
            if len(found) == 1:
                return Scored(float(found[0] in wanted), part)
    return Scored(0.0, None)


def letters(answer: str, item: Item) -> Scored:
    """Single letters in order, however they are separated."""
    wanted = key(item.targets[0]).split() or None
    for reading in _readings(_NUMBERED.sub(" ", _clean(answer))):
        if (tokens := key(reading).split()) == wanted:
            return Scored(1.0, " ".join(tokens))
    return Scored(0.0, key(answer) or None)


def sequence(answer: str, item: Item) -> Scored:
    """Words in order, separated by spaces, commas or lines."""
    wanted = [_sortable(target) for target in item.targets]
    text = _clean(answer)
    for reading in (*_readings(_NUMBERED.sub(" ", text)), *(text.partition(":")[2:] if ":" in text else ())):
        if (tokens := _sortable(reading)) and tokens in wanted:
            return Scored(1.0, " ".join(tokens))
    return Scored(0.0, text or None)


def _sortable(text: str) -> list[str]:
    return [bare for raw in re.split(r"[\s,;]+", fold(text).casefold()) if (bare := raw.strip('"*`.()[]:'))]


_BRACKETS = re.compile(r"[\[\]{}()<>]")


def brackets(answer: str, item: Item) -> Scored:
    """Closing brackets in order; the whole sequence with its completion counts as well."""
    text = _clean(answer)
    wanted = ["".join(_BRACKETS.findall(target)) for target in item.targets]
    asked = "".join(_BRACKETS.findall(item.input))
    for span in (*_spans(text), text.replace("\n", " ")):
        read = "".join(_BRACKETS.findall(span))
        if read and (read in wanted or read.removeprefix(asked) in wanted):
            return Scored(1.0, " ".join(read))
    return Scored(0.0, text or None)


def listed(answer: str, item: Item) -> Scored:
    """The set of names in a list, in any order."""
    wanted = [{key(part) for part in target.split(",")} for target in item.targets]
    return _set(answer, wanted, lambda reading: {key(part) for part in _LISTED.split(reading) if key(part)})


def words(answer: str, item: Item) -> Scored:
    """The set of words, in any order; an "and" between them counts only where it is asked for."""
    wanted = [set(key(target).split()) for target in item.targets]
    return _set(answer, wanted, lambda reading: set(key(reading).split())) if wanted else Scored(0.0, None)


def _set(answer: str, wanted: Sequence[set[str]], parts: Callable[[str], set[str]]) -> Scored:
    text = _clean(answer)
    plain = _NUMBERED.sub("\n", text).strip()
    spans = [*_spans(text), plain, plain.replace("\n", ", ")]
    spans += [span[match.end() :] for span in spans if (match := _PREFIX.match(span))]
    spans += [says["tail"] for span in spans if len(span) < 500 and (says := _SAYS.match(span))]
    if ":" in text.split("\n")[0]:
        spans.append(plain.partition(":")[2].strip().replace("\n", ", "))
    for span in spans:
        read = parts(span)
        if read in wanted or ("and" in read and read - {"and"} in wanted):
            return Scored(1.0, span.strip())
    return Scored(0.0, text or None)


def f1(answer: str, item: Item) -> Scored:
    """Overlap of words with the best target, as F1; over the whole reply, without what introduces it."""
    text = _clean(answer)
    targets = [key(target).split() for target in item.targets]
    readings = [*_spans(text)]
    readings += [span[match.end() :] for span in readings if (match := _PREFIX.match(span))]
    best, read = max(((max(token_f1(key(r).split(), t) for t in targets), r) for r in readings), default=(0.0, ""))
    return Scored(best, read or None)


_POLARITY = {"pos": "positive", "neg": "negative"}


def label(answer: str, item: Item) -> Scored:
    """One of the item's options, where an abbreviation is clear."""
    options = [option.casefold() for option in item.choices]
    short = key(answer)
    return bigbench.choice(_POLARITY[short] if short in _POLARITY and _POLARITY[short] in options else _clean(answer), item)


_INFLECTED = {"entails": "entailment", "entailed": "entailment", "contradicts": "contradiction", "contradicted": "contradiction"}
_LOOSE = re.compile(r"\bnon[ -]?entailment\b", re.I)


def choice(answer: str, item: Item) -> Scored:
    """The option that a reply settles on; its own grade where options are graded in fractions."""
    text = _clean(answer)
    options = item.choices or item.targets
    if "non-entailment" in options:
        text = _LOOSE.sub("non-entailment", text)
    if (inflected := _INFLECTED.get(key(text))) in options and inflected is not None:
        text = inflected
    scored = bigbench.choice(text, item)
    if scored.extracted is None and text:
        keys = {key(_ARTICLE.sub("", option)): option for option in options}
        same = keys.get(key(_ARTICLE.sub("", text)))
        if same is not None and len(keys) == len(options):
            return bigbench.choice(same, item)
    return scored


_BIGGER = r"(?:much |far |significantly |considerably )?(?:larger|bigger|greater|taller|heavier|longer)"
_SMALLER = r"(?:much |far |significantly |considerably )?(?:smaller|shorter|lighter|tinier)"


def larger(answer: str, item: Item) -> Scored:
    """One of the two animals of the input."""
    pair = tuple(name.strip() for name in item.input.split(","))
    text = _clean(answer).casefold()
    if pair and all(pair):
        names = "|".join(re.escape(fold(name).casefold()) for name in sorted(pair, key=len, reverse=True))
        said = re.search(rf"\b({names})s? (?:is|are) (?:the )?{_BIGGER}\b", text) or re.search(
            rf"{_SMALLER} than (?:the |an? )?({names})\b", text
        )
        if said:
            text = said[1]
    return bigbench.choice(text, replace(item, input="", choices=pair))


def cause(answer: str, item: Item) -> Scored:
    """One of the two sentences of the input, or its number."""
    found = re.fullmatch(r"Sentence 1: (.+?) Sentence 2: (.+)", item.input.strip(), re.S)
    if found is None:
        return text(answer, item)
    pair = found.groups()
    reply = _clean(answer)
    keys = [key(sentence) for sentence in pair]
    read = key(reply)
    numbered = set(re.findall(r"\bsentence ([12])\b", read)) or ({read} if read in ("1", "2") else set())
    named = {str(i + 1) for i, k in enumerate(keys) if re.search(rf"\b{re.escape(k)}\b", read)}
    settled = [key(reading).removeprefix("sentence 1 ").removeprefix("sentence 2 ") for reading in _readings(reply)]
    only = {str(keys.index(k) + 1) for k in settled if k in keys}
    chosen = (
        named if len(named) == 1 else numbered if len(numbered) == 1 and not named else only if len(only) == 1 and len(named) < 2 else set()
    )
    if len(chosen) != 1:
        return Scored(0.0, None)
    sentence = pair[int(chosen.pop()) - 1]
    return Scored(float(key(sentence) in map(key, item.targets)), sentence)


def level(answer: str, item: Item) -> Scored:
    """A level of a scale, "3 - probably": by its number, or by its words alone."""
    text = re.sub(r"\bsentences? \d\b(?: and \d)?|\bscale (?:of|from) [^.\n]*?\d\s*(?:to|-)\s*\d|/ ?5\b", " ", _clean(answer), flags=re.I)
    concluded = [text[match.end() :].split("\n")[0] for match in _CONCLUSION.finditer(text)][-1:]
    for place in (*concluded, text.split("\n")[0], text):
        found = set(re.findall(r"(?<![\d.])[0-5](?:\.0+)?(?![\d.]*\d)", place))
        if not found:
            found = {str(n) for n in spelled_number(place) if 0 <= n <= 5}
        if found:
            level = next(iter(found))[0] if len({f[0] for f in found}) == 1 else None
            return Scored(float(level is not None and level in {target[:1] for target in item.targets}), level)
    said = key(text)
    right = [target for target in item.targets if said and said == key(target.partition("-")[2])]
    return Scored(float(bool(right)), said or None)


_DIFFERENT = re.compile(r"\b(?:different|differs?|distinct|unrelated)\b")
_SAME = re.compile(r"\b(?:same|identical|similar)\b")


def sense(answer: str, item: Item) -> Scored:
    """Same or not the same, in the words that models use for it."""
    read = key(_clean(answer))
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


STRICT: Mapping[str, Kind] = {
    kind.__name__: _read(kind)
    for kind in (
        *(brackets, cause, choice, f1, label, larger, letter, letters, level, listed, number, rhyme, sense, sequence, spelled, text),
        *(word, words),
    )
}
"""The kinds of answers, by name."""

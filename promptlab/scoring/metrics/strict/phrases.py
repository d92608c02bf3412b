"""Answers that are words: one, a phrase, a sentence, or several parts, in order or in any."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.conclusions import statement
from promptlab.scoring.answers.denials import denied_before, denying
from promptlab.scoring.answers.places import CONFIDENCE, Reply
from promptlab.scoring.answers.text import fold, key
from promptlab.scoring.metrics.instruction_induction import token_f1
from promptlab.scoring.metrics.strict import replies


def text(reply: Reply, item: Item) -> Scored:
    """A sentence or phrase: equal to a target in case-blind words."""
    return replies.found(reply, item, _sentences)


def _sentences(reply: Reply) -> Iterator[tuple[str, str]]:
    yield from replies.readings(reply)
    if len(reply.text) < 2000 and reply.concluded is None:
        for quoted in _QUOTES.finditer(reply.unremarked):
            if not denied_before(reply.unremarked[: quoted.start()]):
                yield quoted["said"], "quoted"


_QUOTES = re.compile(r"(?:\b(?:is|are|would be|as|becomes|to|but)[\s:]+|[=:>]\s*|^)\"(?P<said>[^\"\n]+)\"(?=[.!]?$|[.!]?\s)")
_LANGUAGE = re.compile(r"(?:en|auf|in) \w+", re.I)
_MEANS = re.compile(r"\s(?:means|bedeutet|significa|signifie|veut dire|translates (?:to|as))\s", re.I)
_MEANS_OF = re.compile(r"^(?:the|an?|to) | in english$")
_SAID_OF = re.compile(r"^(?:the|a|an|one|its|das|die|der|ein|eine|le|la|el|un|une|una|opposite (?:to|of))\s", re.I)


def word(reply: Reply, item: Item) -> Scored:
    """A word or short phrase, in a sentence that says so or in a list of right answers only; articles do not count."""
    targets = replies.keys(item.targets)
    asked = key(item.input)

    def readings(reply: Reply) -> Iterator[tuple[str, str]]:
        for reading, rule in replies.readings(reply):
            yield from ((bare, rule) for bare in _bare(reading))
            if len(reading) > 300:
                continue
            if len(reading) < 200 and not denying(reading) and not _OTHER_WORD.search(reading):
                yield from ((bare, rule) for tail in _told(reading, asked) for bare in _bare(tail))
            if (says := replies.SAYS.match(reading)) is not None:
                tail = says["tail"].strip(" \"'.!")
                head = says["head"].strip(" \"'")
                if not denying(head):
                    yield from ((bare, rule) for bare in _bare(tail))
                    if cut := replies.explains(tail):
                        yield from ((bare, rule) for bare in _bare(cut))
                if _LANGUAGE.fullmatch(tail):
                    yield from ((bare, rule) for bare in _bare(head))
                if _MEANS.search(reading) and asked and _MEANS_OF.sub("", key(tail)) == asked:
                    yield from ((bare, rule) for bare in _bare(head))
                if (
                    (_SAID_OF.match(tail) or (asked and key(tail).startswith(f"{asked} ")))
                    and key(head) != asked
                    and not key(tail).startswith("not ")
                    and key(tail) != "a synonym"
                    and not _OTHER_WORD.search(reading)
                ):
                    yield from ((bare, rule) for bare in _bare(head))
            yield from ((bare, rule) for named in _related(reading) for bare in _bare(named))
            if (only := _only_other(reading, asked)) is not None:
                yield from ((bare, rule) for bare in _bare(only))
            listed = [part for part in replies.LISTED.split(replies.bulleted(replies.NUMBERED.sub("\n", reading).strip())) if part]
            if 1 < len(listed) <= 8 and all(any(key(b) in targets and key(b) != asked for b in _bare(part)) for part in listed):
                yield listed[0], rule

    return replies.found(reply, item, readings)


_OTHER_WORD = re.compile(r"\bsynonym\b.*\b(?:antonym|opposite)\b")
_LINE = re.compile(r"^[-*• ]*[^:\n]{1,40}:\s+(?P<value>[^\n]+)$", re.M)


_RELATION = re.compile(r"\b(?:antonym|opposite|plural|translation|rhyme)\b", re.I)
_RELATED = re.compile(
    rf"(?:the|its|an?) [^.;\n]{{0,30}}?{_RELATION.pattern}[^.;\n]{{0,40}}? (?:is|would be):? (?P<last>[^.;\n]+)"
    rf"|(?P<first>[^.;\n]+?) (?:is|would be) (?:the|its|an?) (?:\w+ )?{_RELATION.pattern}.*",
    re.I,
)


def _related(reading: str) -> Iterator[str]:
    """What the clauses of a text give the requested relation: "warm is a synonym; the antonym is cold"."""
    for clause in re.split(r"[;.,]\s+", reading) if _RELATION.search(reading) else ():
        if (match := _RELATED.fullmatch(clause.strip(" .!"))) is not None and not denying(clause):
            yield (match["last"] or match["first"]).strip(replies.OUTSIDE)


def _only_other(reading: str, asked: str) -> str | None:
    """The value of the only line "name: value" that is not the input's, where one line is."""
    values = [match["value"].strip(replies.OUTSIDE) for match in _LINE.finditer(reading)] if "\n" in reading else []
    others = [value for value in values if key(value) != asked]
    return others[0] if len(others) == 1 and len(others) < len(values) else None


_SAYS_LAST = re.compile(r"^.{1,200}\s(?:is|are|means|becomes|would be)[\s:]+(?P<tail>.+)$", re.S)
_QUOTED = re.compile(r"(?<!\w)[\"']([^\"'\n]{1,60})[\"'](?!\w)")
_MANY = re.compile(r"(?:one|an?) .+[,;] (?:two|many|several|three) (.+?)[.!]?", re.I)
_AFTER_ASKED = re.compile(r"^(?:par|como|por|as|to|into|mit|als|in \w+)[\s:]+", re.I)
_PARENTHESIS = re.compile(r"\s*\([^()\n]*\)\s*")
_BESIDE = re.compile(r"\s*(?:->|=>|→|↔|⟷|⇄|<->|≠|-|:|/|\||=|\bvs\.?|rhymes with)\s*")


def _told(reading: str, asked: str) -> Iterator[str]:
    """What a sentence says last, its only quoted words that are not the input's, a numbered line, and what accompanies the input."""
    if (last := _SAYS_LAST.match(reading)) is not None:
        yield last["tail"].strip(" \"'.!")
    quoted = {text for text in _QUOTED.findall(reading) if key(text) != asked}
    if len(quoted) == 1:
        yield quoted.pop()
    if (bare := replies.NUMBERED.sub("", reading, count=1)) != reading:
        yield bare.strip()
    if (many := _MANY.fullmatch(reading)) is not None:
        yield many[1]
    if asked and (
        of := re.match(
            rf"{re.escape(asked)} is (?:the |an? )?(?:opposite|antonym|synonym|singular|contrary) (?:of|to|for) (.+)", reading, re.I
        )
    ):
        yield of[1].strip(" \"'.!")
    if asked and (at := reading.casefold().rfind(asked)) > 0:
        yield _AFTER_ASKED.sub("", reading[at + len(asked) :].strip(replies.OUTSIDE))
    beside = _BESIDE.split(_PARENTHESIS.sub(" ", reading), maxsplit=1)
    if len(beside) == 2 and asked in (key(beside[0]), key(replies.ARTICLE.sub("", beside[0]))):
        yield beside[1]


def _bare(text: str) -> Iterator[str]:
    yield text
    if (plain := _ADVERB.sub("", text)) != text:
        yield plain.strip(replies.OUTSIDE)
    without = replies.ARTICLE.sub("", text.strip(replies.OUTSIDE).rstrip(".!"))
    if without != text:
        yield without
    named = _NAMED.sub("", without)
    if named != without:
        yield named
    if (plain := _GRAMMAR.sub("", without)) != without and plain:
        yield plain


_GRAMMAR = re.compile(
    r"(?:\s*(?:/[^/\n]+/|\[[^\]\n]+\])|,?\s+[({]?(?:m|f|n|nt|der|die|das|el|la|le|masc\w*|fem\w*|neut\w*|noun|adj\w*|verb)\.?[)}]?"
    r"|,\s*(?:-[\w-]{1,6}|(?:die|les|los|las|plural:?|pl\.?|mehrzahl:?|pluriel:?)(?: \w+){1,2})|\s\([\w .]+\)|,? as (?:in|a) .*"
    r"|,? in (?:the )?(?:plural|german|french|spanish|english)(?: form)?|,? (?:en|auf) \w+)+$",
    re.I,
)
"""What a dictionary says of a word: its sound, its gender, its plural."""


_ADVERB = re.compile(
    r"^(?:therefore|thus|probably|simply|likely|definitely|just|maybe|perhaps|possibly|clearly|actually)[\s:,]+|,?\s+(?:indeed"
    r"|probably)$",
    re.I,
)
_NAMED = re.compile(r"^(?:word|letter|term|phrase|name|plural(?: form)?|opposite|antonym|synonym|opp\.|ant\.|syn\.)\s+", re.I)


def rhyme(reply: Reply, item: Item) -> Scored:
    """A word that rhymes; the input itself never does."""
    targets = tuple(target for target in item.targets if key(target) != key(item.input))
    return word(reply, replace(item, targets=targets)) if key(reply.text) != key(item.input) else Scored(0.0, None)


_ORDINALS = {"first": "first", "1st": "first", "second": "second", "2nd": "second"}
_IS_ORDINAL = re.compile(r"\"?\b([a-z])\b\"? is (?:the )?(first|second|1st|2nd)\b")


def letter(reply: Reply, item: Item) -> Scored:
    """One letter of the input word; "p is first, l is second" is read by the place that is requested."""
    said = {_ORDINALS[place]: found for found, place in _IS_ORDINAL.findall(reply.text.casefold())}
    if len(said) == 2 and item.targets:
        place = (
            "first" if item.input[:1].casefold() == item.targets[0].casefold() and said["first"] == item.targets[0].casefold() else "second"
        )
        return Scored(float(said[place] == item.targets[0].casefold()), said[place], "statement")
    scored = word(reply, item)
    if scored.score or len(reply.text) > 500:
        return scored
    first = bool(item.targets) and item.input[:1].casefold() == item.targets[0].casefold()
    text = reply.said.casefold()
    told = {found["letter"] for found in (_STARTS if first else _SECOND).finditer(text)} or set(_SINGLE.findall(text))
    if len(told) == 1 and item.targets:
        return Scored(float(told == {item.targets[0].casefold()}), told.pop(), "only letter")
    return scored


_LETTER = r"(?:is|:|=)?\s*(?:the letter |an? )?[\"']?(?P<letter>[a-z])(?![\w'])"
_STARTS = re.compile(rf"\b(?:(?:starts?|begins?|starting|beginning) with|(?:first|1st)(?: letter)?(?: \w+ [\"']?\w+[\"']?)?)\s*{_LETTER}")
_SECOND = re.compile(rf"\b(?:second|2nd)(?: letter)?(?: \w+ [\"']?\w+[\"']?)?\s*{_LETTER}")
_SINGLE = re.compile(r"(?<![\w'])[b-hj-z](?![\w'])")


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
    if cut := replies.explains(main):
        others = (*others, cut)
    if (they := _THEY.search(main)) is not None:
        others = (*others, main[they.end() :], main[they.end() :].partition(":")[0])
    readings = [main.strip(replies.OUTSIDE), main.split("\n", 1)[0].strip(replies.OUTSIDE)]
    readings += [part.strip(replies.OUTSIDE) for part in others if key(part).split() in targets]
    scored = [(max((token_f1(key(part).split(), target) for target in targets), default=0.0), part, rule) for part in readings if part]
    best, read, rule = max(scored, key=lambda one: one[0], default=(0.0, "", ""))
    if best and denying(read) and not any(denying(target) for target in item.targets):
        return Scored(0.0, read, "denied")
    return Scored(best, read or None, rule) if best else Scored(0.0, None)


_THEY = re.compile(r"\b(?:they|these|which|and [\w ]{1,40}?)(?: \w+)? (?:all|both) |\b(?:they|that they) (?:all )?|\ball (?=\w)", re.I)


def letters(reply: Reply, item: Item) -> Scored:
    """Single letters in order, however they are separated."""
    wanted = key(item.targets[0]).split() or None
    for reading, rule in replies.readings(reply):
        for form in (reading, replies.NUMBERED.sub(" ", reading), replies.bulleted(reading)):
            if (tokens := key(form).replace("-", " ").split()) == wanted:
                return Scored(1.0, " ".join(tokens), rule)
        single = [] if denying(reading) else [match.casefold() for match in _ONE_LETTER.findall(reading)]
        if single == wanted:
            return Scored(1.0, " ".join(single), rule)
    concluded = reply.concluded.text if reply.concluded else reply.text
    return Scored(0.0, key(concluded) or None, "conclusion" if reply.concluded else "whole")


_ONE_LETTER = re.compile(r"(?<!\w)[A-Za-z](?!\w)")


_JOINS = frozenset({"and", "then", "sorted"})


def sequence(reply: Reply, item: Item) -> Scored:
    """Words in order, separated by spaces, commas or lines."""
    wanted = _wanted(item.targets)
    text = reply.text
    given = set(_sortable(item.input.rpartition(":")[2] or item.input))
    named = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", reply.said.casefold())
    strange = [
        word for word in named if word not in given | _JOINS and len(word) > 1 and not word.isdigit() and len(named) <= len(given) + 3
    ]
    named = [word for word in named if word in given]
    if given and not strange and len(wanted[0]) > 1 and len(named) in (len(given), 2 * len(given)) and named[-len(given) :] in wanted:
        return Scored(1.0, " ".join(named[-len(given) :]), "in order")
    # Readings take marks and words away: where a word of a target stands nowhere, no reading holds the target.
    said = {form for word in (*_sortable(text), *_sortable(text.replace(":", " "))) for form in (word, word.strip("'_"))}
    if text.isascii() and not any(said.issuperset(words) for words in wanted):
        return Scored(0.0, text or None, "whole")
    for reading, rule in replies.readings(reply):
        for form in (reading, replies.NUMBERED.sub(" ", reading), replies.bulleted(reading)):
            for said_so in (
                form,
                *([form.partition(":")[2]] if ":" in form and not replies.other_label(form.partition(":")[0]) else []),
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


_MATH = re.compile(r"\\[()\[\]]")
_TALK = re.compile(r"\([^()\n]*[A-Za-z]{2}[^()\n]*\)")
_RUN = re.compile(r"[\[\]{}()<>](?:[\s,\"'`]*[\[\]{}()<>])*")
_BRACKETS = re.compile(r"[\[\]{}()<>]")


def brackets(reply: Reply, item: Item) -> Scored:
    """Closing brackets in order; the whole sequence with its completion counts as well."""
    if reply.concluded is not None and not reply.concluded.text:
        return Scored(0.0, None, "denied")
    text = re.sub("[-=]>", " ", CONFIDENCE.sub("", fold(_MATH.sub(" ", html.unescape(reply.aloud)))))
    text = _TALK.sub(" ", text)
    if (box := text.rfind("\\boxed{")) >= 0:  # its brackets need not be balanced
        text = text[box + 7 :].rstrip(" $.").removesuffix("}")
    wanted = ["".join(_BRACKETS.findall(target)) for target in item.targets]
    asked = "".join(_BRACKETS.findall(item.input))
    lines = text.split("\n")
    places = [*lines, text.replace("\n", " ")] if reply.concluded is None else [reply.concluded.text, text.replace("\n", " "), *lines[:1]]
    places += [reply.text] if reply.wrapper else []
    if reply.concluded is None and not reply.denied:
        places += [*_RUN.findall(text)[-1:], *re.split(r":|→|\bis\b|;|, because", text)[1:]]
    for place in places:
        read = "".join(_BRACKETS.findall(place))
        if read and (read in wanted or read.removeprefix(asked) in wanted):
            return Scored(1.0, " ".join(read), "brackets")
    return Scored(0.0, text or None, "whole")


def listed(reply: Reply, item: Item) -> Scored:
    """The set of names in a list, in any order."""
    wanted = [{key(part) for part in target.split(",")} for target in item.targets]
    scored = _set(
        reply,
        wanted,
        lambda reading: {key(replies.ARTICLE.sub("", part.strip(replies.OUTSIDE))) for part in replies.LISTED.split(reading) if key(part)},
    )
    if not scored.score and len(reply.text) < 2000 and "," in item.input:
        named = _members(reply.said.casefold(), [fold(part).strip().casefold() for part in item.input.split(",")])
        if {key(name) for name in named} in wanted:
            return Scored(1.0, ", ".join(sorted(named)), "members")
    return scored


_MARKED = r"\W{0,4}(?:\([^()]*\)\W*)?(?:(?P<yes>yes|true|✅|✓|✔|(?:an? )?animal)|no|false|❌|✗|✘|not)(?!\w)"
_OUT = re.compile(
    r"\b(?:not (?:an? )?\w+|non[- ]?\w+|objects?|others?|other \w+|things|isn't|aren't|is not|are not|except|excluding|exclude"
    r"|without|remaining)\b"
)
_PARTS = re.compile(r"(?:[.;](?=\s|$)|,? \b(?:whereas|while|but)\b|\()")


_LEFT_OUT = re.compile(
    r"^(?:excluding|except(?: for)?|apart from|leaving out|removing|besides|aside from)\b[^.\n]*?, (?=we|the|i|you|there|it)"
)


def _members(text: str, items: list[str]) -> set[str]:
    """The items that a text says belong: by marks after them, or named outside of what it excludes."""
    one = re.compile(rf"(?<!\w)(?P<item>{'|'.join(re.escape(part) for part in sorted(items, key=len, reverse=True))})s?(?!\w)")
    marks = list(re.finditer(one.pattern + _MARKED, text))
    if len(marks) > 1:
        return {match["item"] for match in marks if match["yes"]}
    text = _LEFT_OUT.sub("", text)
    found: set[str] = set()
    out = False
    for line in text.split("\n"):
        for part in _PARTS.split(line):
            named = {match["item"] for match in one.finditer(part)}
            if named and any(re.fullmatch(r"\w+", chunk.strip(" *.")) and not one.search(chunk) for chunk in replies.LISTED.split(part)):
                return set()
            excludes = _OUT.search(part) is not None
            if part.rstrip().endswith(":"):
                out = excludes
            elif named and not excludes and not out:
                found |= named
    return found


def words(reply: Reply, item: Item) -> Scored:
    """The set of words, in any order; an "and" between them counts only where it is requested."""
    wanted = [set(key(target).split()) for target in item.targets]
    return _set(reply, wanted, lambda reading: set(key(_ASIDES.sub(" ", reading)).split())) if wanted else Scored(0.0, None)


_ASIDES = re.compile(r"\([^()]{0,40}\)|\S{1,40}\s?[❌✗✘]|[✅✓✔]")


def _set(reply: Reply, wanted: Sequence[set[str]], parts: Callable[[str], set[str]]) -> Scored:
    for raw, rule in replies.readings(reply):
        plain = replies.bulleted(raw)
        spans = [raw, plain, plain.replace("\n", ", ")]
        spans += [replies.NUMBERED.sub(" ", raw), " ".join(_QUOTED.findall(raw))]
        spans += [span[match.end() :] for span in spans if (match := replies.PREFIX.match(span)) and not replies.other_label(match[0])]
        spans += [says["tail"] for span in spans if len(span) < 500 and (says := replies.SAYS.match(span))]
        if ":" in raw.split("\n")[0] and not replies.other_label(raw.partition(":")[0] + ":"):
            spans.append(replies.bulleted(raw.partition(":")[2].strip()).replace("\n", ", "))
        for span in spans:
            read = parts(span.strip(replies.OUTSIDE + ".!"))
            if read in wanted or ("and" in read and read - {"and"} in wanted):
                return Scored(1.0, span.strip(), rule)
    return Scored(0.0, reply.text or None, "whole")

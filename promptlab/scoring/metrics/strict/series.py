"""Answers of several parts, in order or in any: letters, words, names, brackets."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.places import CONFIDENCE, Reply
from promptlab.scoring.answers.text import fold, key
from promptlab.scoring.answers.text import words as words_of
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.lacking import unsaid


def letters(reply: Reply, item: Item) -> Scored:
    """Single letters in order, however they are separated."""
    wanted = key(item.targets[0]).split() or None
    missing = reply.text.isascii() and _are_letters(item.targets[0]) and not words_of(reply.text).issuperset(wanted or ())
    for reading, rule in replies.readings(reply) if not missing else ():
        for form in (reading, replies.unnumbered(reading, " "), replies.bulleted(reading)):
            if (tokens := key(form).replace("-", " ").split()) == wanted:
                return Scored(1.0, " ".join(tokens), rule)
        single = [] if denying(reading) else [match.casefold() for match in _ONE_LETTER.findall(reading)]
        if single == wanted:
            return Scored(1.0, " ".join(single), rule)
    concluded = reply.concluded.text if reply.concluded else reply.text
    return Scored(0.0, key(concluded) or None, "conclusion" if reply.concluded else "whole")


@lru_cache(maxsize=4096)
def _are_letters(target: str) -> bool:
    """Whether a target is single letters: no reading makes one that the reply does not hold as a word."""
    return all(len(part) == 1 and part.isalpha() for part in key(target).split())


_ONE_LETTER = regex(r"(?<!\w)[A-Za-z](?!\w)")


_JOINS = frozenset(
    str.split(
        "puis ensuite enfin d'abord et dann danach zuerst schließlich zuletzt und luego después finalmente primero por último y "
        "然后 接着 最后 首先 再"
        " 次に 最後に まず そして 그다음 마지막으로 먼저 그리고"
    )
) | frozenset({"and", "then", "sorted", "first", "next", "last", "lastly", "finally", "followed", "by"})


def sequence(reply: Reply, item: Item) -> Scored:
    """Words in order, separated by spaces, commas or lines."""
    wanted = _wanted(item.targets)
    text = reply.text
    given = _given(item.input)
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
        for form in (reading, replies.unnumbered(reading, " "), replies.bulleted(reading)):
            for said_so in (
                form,
                *([form.partition(":")[2]] if ":" in form and not replies.other_label(form.partition(":")[0] + ":") else []),
                *([says["tail"]] if (says := replies.SAYS.match(form)) else []),
            ):
                tokens = _sortable(said_so)
                tokens = [word for word in tokens if word in given or word not in _JOINS] if len(tokens) > len(given) else tokens
                if tokens and tokens in wanted:
                    return Scored(1.0, " ".join(tokens), rule)
    return Scored(0.0, text or None, "whole")


@lru_cache(maxsize=4096)
def _given(asked: str) -> frozenset[str]:
    """The words to sort."""
    return frozenset(_sortable(asked.rpartition(":")[2] or asked))


@lru_cache(maxsize=4096)
def _wanted(targets: tuple[str, ...]) -> tuple[list[str], ...]:
    return tuple(_sortable(target) for target in targets)


def _sortable(text: str) -> list[str]:
    return [bare for raw in _APART.split(fold(text).casefold()) if (bare := raw if raw.isalnum() else _AROUND.sub("", raw))]


_APART = regex(r"[\s,;]+|->|→")
_AROUND = regex(r"^\W+|\W+$")


_MATH = regex(r"\\[()\[\]]")
_TALK = regex(r"\([^()\n]*[A-Za-z]{2}[^()\n]*\)")
_RUN = regex(r"[\[\]{}()<>](?:[\s,\"'`]*[\[\]{}()<>])*")
_BRACKETS = regex(r"[\[\]{}()<>]")


def brackets(reply: Reply, item: Item) -> Scored:
    """Closing brackets in order; the whole sequence with its completion counts as well."""
    if reply.concluded is not None and not reply.concluded.text:
        return Scored(0.0, None, "denied")
    text = re.sub("[-=]>", " ", CONFIDENCE.sub("", fold(_MATH.sub(" ", html.unescape(reply.aloud)))))
    text = _TALK.sub(" ", text)
    if (box := text.rfind("\\boxed{")) >= 0:  # its brackets need not be balanced
        text = text[box + 7 :].rstrip(" $.").removesuffix("}")
        text = text.removeprefix("\\text{").removesuffix("}") if text.startswith("\\text{") else text
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
    scored = _set(
        reply,
        item.targets,
        _named(item.targets),
        lambda reading: {key(replies.ARTICLE.sub("", part.strip(replies.OUTSIDE))) for part in replies.LISTED.split(reading) if key(part)},
    )
    if not scored.score and len(reply.text) < 2000 and "," in item.input:
        named = _members(reply.said.casefold(), [fold(part).strip().casefold() for part in item.input.split(",")])
        if {key(name) for name in named} in _named(item.targets):
            return Scored(1.0, ", ".join(sorted(named)), "members")
    return scored


@lru_cache(maxsize=4096)
def _named(targets: tuple[str, ...]) -> tuple[set[str], ...]:
    return tuple({key(part) for part in target.split(",")} for target in targets)


_MARKED = (
    r"(?:\s(?:is|are)\b)?\W{0,4}(?:\([^()]*\)\W*)?(?:(?P<yes>yes|true|ja|oui|sí|si|是|はい|예|네|tier|✅|✓|✔|(?:an? )?animal)"
    r"|no|nein|non|否|不是|いいえ|아니요|아니오|false|❌|✗|✘|not)(?!\w)"
)
_MARKING = words_of("yes true ja oui si tier animal no nein non false not")
"""Each mark of ASCII has one of these words."""
_OUT = regex(
    r"\b(?:not (?:an? )?\w+|non[- ]?\w+|objects?|others?|other \w+|things|isn't|aren't|is not|are not|except|excluding|exclude"
    r"|without|remaining|(?:pas|non|no) \w+|keine?|nicht|neither|weder|ni|né|nem"
    r"|ne sont pas|n'en sont pas|ne le sont pas|no son|no lo son|não são|non sono|gegenständ\w+"
    r"|dinge|objekte|sachen|objets|choses|objetos|cosas)\b|不是|不属于|不算|物品|物体|(?<!動)物です"
    r"|사물|물건|非|以外|違い?ま|違う|ではな|ではあり|아니|아닌|아닙|아님"
)
_PARTS = regex(
    r"(?:[.;](?=\s|$)|。|,? \b(?:whereas|while|but|während|mientras que|tandis que|alors que)\b|\()"
    r"|, (?:and |und |et |y )?(?=(?:not|pas|non|no) \w)|,? (?:and|et|y) (?=(?:not|pas|non|no) \w)"
    r"|, (?=[^,.;]{1,60} nicht(?:[.!]|$))|[,;]? (?:und )?(?=(?:die|alle) (?:anderen|übrigen|restlichen)\b|der rest\b)"
    r"|[,;]? (?:et |mais )?(?=(?:tous )?les autres\b|le reste\b)|[,;]? (?:y |pero )?(?=(?:todos )?l[oa]s (?:demás|otr[oa]s)\b|el resto\b)"
    r"|[,;]? (?:and )?(?=(?:all )?(?:of )?the (?:others?|rest|remaining)\b)|,? (?=(?:so|thus|therefore"
    r"|which leaves|leaving|also|donc|il reste|así que|por lo (?:tanto|que)|quedan)\b)|, (?=bei\b)"
    r"|(?<=[\u3040-\u30ff])、|(?<=[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af])[,;] ?|(?<=므로)\s|(?<=이고)\s"
    r"|(?:;| ?/ ?)(?=[\u4e00-\u9fff\uac00-\ud7af])|(?<=지만)\s|(?=其[他余它]|剩下|残り"
    r"|それ以外|その他|他の|ほかの|他は|나머지|그 외|다른)"
)


_LEFT_OUT = regex(
    r"^除了?[^,。]*, ?(?:其[余他它](?:的)?(?:都是|均为|均是|是)?)?|^(?:excluding|except(?: for)?"
    r"|apart from|leaving out|removing|besides|aside from)\b[^.\n]*?, (?=we"
    r"|the|i|you|there|it)"
)


_SAID = regex(r"\b(?:is|are) (?:both |all |the |an? )?(?:only )?animals?\b")
"""What says outright that the items of a clause belong; those of other clauses do not then."""


@lru_cache(maxsize=4096)
def _item(items: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The patterns of an item that is named, and of one that is marked."""
    one = rf"(?<!\w)(?P<item>{'|'.join(re.escape(part) for part in sorted(items, key=len, reverse=True))})s?(?!\w)"
    return re.compile(one), regex(one + _MARKED)


def _members(text: str, items: list[str]) -> set[str]:
    """The items that a text says belong: by marks after them, or named outside of what it excludes."""
    one, marked = _item(tuple(items))
    marks = list(marked.finditer(text)) if not text.isascii() or not _MARKING.isdisjoint(words_of(text)) else []
    if len(marks) > 1:
        return {match["item"] for match in marks if match["yes"]}
    text = _LEFT_OUT.sub("", text)
    found: set[str] = set()
    said: set[str] = set()
    out = False
    for line in text.split("\n"):
        for part in _PARTS.split(line):
            named = {match["item"] for match in one.finditer(part)}
            if named and any(_strange(chunk.strip(" *."), one) for chunk in replies.LISTED.split(part)):
                return set()
            excludes = _OUT.search(part) is not None or (":" in part and replies.other_label(f"{part.strip().partition(':')[0]}:"))
            if part.rstrip().endswith(":"):
                out = excludes
            elif named and not excludes and not out:
                found |= named
                said |= named if _SAID.search(part) else set()
    return said or found


_NO_THING = frozenset(str.split("on i we it there they both only also so hay il elles die es sont son sind"))
_WORD = regex(r"\w+")


def _strange(chunk: str, one: re.Pattern[str]) -> bool:
    """Whether a part of a list is a word that names no item."""
    return _WORD.fullmatch(chunk) is not None and one.search(chunk) is None and chunk not in _NO_THING


def words(reply: Reply, item: Item) -> Scored:
    """The set of words, in any order; an "and" between them counts only where it is requested."""
    wanted = _word_sets(item.targets)
    return _set(reply, item.targets, wanted, _words) if wanted else Scored(0.0, None)


def _words(reading: str) -> set[str]:
    return set(key(reading if reading.isascii() and "(" not in reading else _ASIDES.sub(" ", reading)).split())


@lru_cache(maxsize=4096)
def _word_sets(targets: tuple[str, ...]) -> tuple[set[str], ...]:
    return tuple(set(key(target).split()) for target in targets)


_ASIDES = regex(r"\([^()]{0,40}\)|\S{1,40}\s?[❌✗✘]|[✅✓✔]")


def _set(reply: Reply, targets: tuple[str, ...], wanted: Sequence[set[str]], parts: Callable[[str], set[str]]) -> Scored:
    if unsaid(reply.text, targets):
        return Scored(0.0, reply.text or None, "whole")
    tried: set[str] = set()
    for raw, rule in replies.readings(reply):
        plain = replies.bulleted(raw)
        spans = list(dict.fromkeys((raw, plain, plain.replace("\n", ", "))))
        spans += [replies.unnumbered(raw, " ")] if replies.may_number(raw) else []
        spans += [" ".join(replies.QUOTED.findall(raw))] if '"' in raw or "'" in raw else []
        if ":" in raw:
            spans += [span[match.end() :] for span in spans if (match := replies.PREFIX.match(span)) and not replies.other_label(match[0])]
        if replies.may_say(raw):
            spans += [says["tail"] for span in spans if len(span) < 500 and (says := replies.SAYS.match(span))]
        if ":" in raw.split("\n")[0] and not replies.other_label(raw.partition(":")[0] + ":"):
            spans.append(replies.bulleted(raw.partition(":")[2].strip()).replace("\n", ", "))
        for span in spans:
            if (bare := span.strip(replies.OUTSIDE + ".!")) in tried:
                continue
            tried.add(bare)
            read = parts(bare)
            if read in wanted or ("and" in read and read - {"and"} in wanted):
                return Scored(1.0, span.strip(), rule)
    return Scored(0.0, reply.text or None, "whole")

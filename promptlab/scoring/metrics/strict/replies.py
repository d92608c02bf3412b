"""Readings of a reply: the texts that its places hold, from the clearest to the weakest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, wraps

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.acknowledged import unprovoked
from promptlab.scoring.answers.conclusions import NEGATED
from promptlab.scoring.answers.denials import denies
from promptlab.scoring.answers.places import Place, Reply, located
from promptlab.scoring.answers.remarks import sentences
from promptlab.scoring.answers.text import CACHED, CJK, LONGEST_KEPT, fold, kept, key, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics import bigbench
from promptlab.scoring.metrics.strict.again import behind, own_item, repeated
from promptlab.scoring.metrics.strict.english import IN_ENGLISH, put_in_english, settles_nothing, speaks_plainly
from promptlab.scoring.metrics.strict.lacking import keys, longer, longest, unsaid
from promptlab.scoring.metrics.strict.polarity import in_options
from promptlab.scoring.metrics.strict.undecided import ambiguous
from promptlab.scoring.metrics.strict.vocabulary import with_labels

Kind = Callable[[Reply, Item], Scored]
"""A kind of answer: scores what a reply says."""

SCORES_KEPT = 65_536
"""Scores of a kind that are kept."""

_FILLER = regex(
    r"^(?:sure|okay|ok|certainly|of course|absolutely|let me think|let's see|let's think step by step"
    r"|here (?:is|are) [^\n]{0,80}|here's [^\n]{0,80})[\s!.,:]*$",
    re.I,
)
PREFIX = regex(r"^[^\W\d][\w '\-]{0,40}\s?:\s+")
SAYS = regex(
    r"^(?P<head>.{1,200}?)(?:'s|\s(?:is|are|was|would be|should be|becomes|means|spells?|makes?|gives?"
    r"|(?:unscrambles?|rearranges?|(?:can be )?(?:unscrambled|rearranged)) (?:to|into|as)(?: (?:spell|form|make|give))?"
    r"|translates (?:to|as)|se dit|se dice|se traduit par|se traduce (?:como|por)|significa|signifie|veut dire|bedeutet|ist"
    r"|sind|lautet|heißt(?: auf \w+)?|est|sont|(?:happened|occurred|took place|began|started|ended|was|is) (?:on|in)"
    r"|es|son|=|->|=>|→))[\s:]+(?P<tail>.+)$",
    re.S,
)
_SAYING = words(
    "s is are was were would should becomes means spell spells make makes give gives unscramble unscrambles rearrange rearranges can "
    "unscrambled rearranged translates se significa signifie veut bedeutet ist sind lautet heißt est sont happened occurred took began "
    "started ended es son"
)
_SAYING_SIGN = regex("[=>→]")


def may_say(text: str) -> bool:
    """Whether it is worth to look for what a text says of something."""
    return not _SAYING.isdisjoint(words(text)) or _SAYING_SIGN.search(text) is not None


ARTICLE = regex(r"^(?:es (?=\w+ \w))?(?:the|an?|le|la|les|l'|un|une|el|los|las|una|der|die|das|ein|eine|du|to|es)(?:\s+|(?<='))", re.I)
_EXPLAINS = regex(
    r"(?=[\s(;,?])(?:\s+-\s+|\s*\(|\s*;\s|,\s(?:because|since|as|[iI] (?:think|believe|guess)|of course"
    r"|definitely|for sure|the (?:opposite|antonym|synonym|plural)"
    r"|the (?:one|letter|word|animal)|hope|obviously|naturally|though|probably|clearly|certainly|final|which|meaning"
    r"|and i am|but|not|rather than|so|and not|nicht"
    r"|pas|et non|y no|while|whereas|während|wohingegen|tandis que|alors que|mientras que|que (?:suena|rima)|qui rime|das sich reimt"
    r"|was sich reimt)\b"
    r"|[,、]\s?(?:(?:and|und|et|y)\s)?[\"']?[\w'-]{1,25}[\"']? {1,2}(?:is|ist|est|es|would be|wäre|serait|sería)"
    r" (?:wrong|incorrect\w*|falsch|faux|fausse)\b"
    r"|,\s(?:i\.e\.|e\.g\.|that is|for example|for instance|such as)\s|\?\s+[yY]es\b|\s(?:because|since|rather than|instead of"
    r"|and not|as opposed to|as it|as they|weil"
    r"|parce que|porque)\s)"
)


_REASONS = words("because since rather instead and as weil parce porque")
_ASIDE = regex(
    r"[(;?,-](?:(?<=[(;?])|(?<=-)\s|(?<=,)\s(?:because|since|as|i|the|of|definitely|for|hope|obviously|naturally|though|probably|clearly|certainly"
    r"|final|which|meaning|and|but|not|rather|so|nicht|pas|und|et|y|[\w\"']+ (?:is|ist|est|es)|e\.g|that|such|while|whereas"
    r"|während|wohingegen|tandis|alors|mientras|que|qui|das|was)\b)",
    re.I,
)


def explains(text: str) -> str:
    """The text before what only explains it; empty where nothing does."""
    opens = "," in text or "(" in text or "-" in text or ";" in text or "?" in text
    cut = _EXPLAINS.search(text) if (opens and _ASIDE.search(text)) or not _REASONS.isdisjoint(words(text)) else None
    return text[: cut.start()] if cut is not None else ""


JOINS = r"and|or|oder|und|ou|et|o|y|或者|或|还是|和|か|または|もしくは|あるいは|と|또는|혹은|이나|와|과"
"""Words that join the members of a list."""
LISTED = regex(rf"(?=[\s,/;|、])(?:\s*(?:,|/|;|\||\n|、)\s*(?:(?:{JOINS})\s+)?|\s+(?:{JOINS})\s+)")
NUMBERED = regex(r"(?m)^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+|(?<!\S)\d{1,3}[.)] ")


def may_number(text: str) -> bool:
    """Whether a text may have bullets or numbers that list."""
    return ". " in text or ") " in text or "- " in text or "* " in text or "• " in text or "\t" in text


def unnumbered(text: str, instead: str = "", most: int = 0) -> str:
    """The text with `instead` in place of bullets and numbers that list, of the first `most` where that is not 0."""
    return NUMBERED.sub(instead, text, count=most) if may_number(text) else text


_BULLETS = regex(r"(?:^|(?<=\s))[-*•·]\s+(?=\S)")
QUOTED = regex(rf"[\"'](?<![^\W{CJK}][\"'])([^\"'\n]{{1,60}})[\"'](?![^\W{CJK}])")
OUTSIDE = " \"'*_`¡¿"
_CJK = regex(f"[{CJK}]")


def read(kind: Kind, chooses: bool = False) -> Callable[[str, Item], Scored]:
    """The kind as a metric, with what holds for all: nothing is read in an empty reply, nor in the input again unless that is an answer.

    A reply that only denies says nothing, unless it chooses among options; where the input opens it, the rest is read as well.
    """

    framed, numbers = kind.__name__ in IN_ENGLISH, kind.__name__ == "number"

    def fresh(answer: str, item: Item, asked: _Asked) -> Scored:
        if not answer.strip():
            return Scored(0.0, None)
        reply = located(answer)
        if reply.thought_only:
            return Scored(0.0, None, "thought only")
        if (said := key(reply.whole) or reply.whole) == asked.echo and not _MARKS.search(reply.whole):
            return Scored(0.0, None, "echo")
        if ":" in reply.text and ("\n" in reply.text or reply.text.count(":") > 1):
            reply = own_item(reply, item.input)
        without = "" if (bare := unprovoked(reply.text)) is reply.text else bare
        if without and chooses and _says_one(without, item):
            reply = located(without)
        if framed and not speaks_plainly(reply.text):
            reply = put_in_english(reply, item, numbers)
            if rule := settles_nothing(reply.text, item.choices if chooses else None):
                open_one = ambiguous(item.choices) if chooses and (rule == "unsure" or len(sentences(reply.text)) < 2) else None
                return Scored(0.0, None, rule) if open_one is None else replace(bigbench.choice(open_one, item), rule=rule)
        scored = kind(reply, item)
        if not scored.score:
            longer = len(reply.text) > len(asked.folded)
            rest = (longer and behind(reply.text, asked.folded, asked.opening)) or (" " in reply.text and repeated(reply.text))
            rest = rest or ("" if chooses else without)
            scored = kind(located(rest), item) if rest else scored
        told = said not in asked.keys or _MARKS.search(reply.text) is not None
        if scored.score and told and not chooses and scored.rule not in ("members", "reason", "meaning", "trial") and reply.denied:
            return scored if _denying(item.targets) else Scored(0.0, None, "denied")
        if scored.extracted or (scored.extracted is None and not scored.score):
            return scored
        return Scored(scored.score, answer.strip() if scored.score else None, scored.rule)

    known: dict[int, _Asked] = {}
    equal: dict[Item, _Asked] = {}
    count = 0

    @wraps(kind)
    def score(answer: str, item: Item) -> Scored:
        nonlocal count
        asked = known.get(id(item))
        if (asked is None or asked.item is not item) and (asked := equal.get(item)) is None:
            asked = known[id(item)] = equal[item] = _Asked(item)
        if (told := asked.scores.get(answer)) is not None:
            return Scored(*told)
        scored = fresh(answer, item, asked)
        count += 1
        if count % SCORES_KEPT == 0:
            known.clear()
            equal.clear()
        if len(answer) <= LONGEST_KEPT:
            asked.scores[answer] = (scored.score, scored.extracted, scored.rule)
        return scored

    return score


_FRAME = regex(
    r"\W*(?:(?:so|therefore|thus|hence|also|donc|entonces),? )?"
    r"(?:(?:(?:the|my) (?:\w+ )?(?:answer|label|meaning|statement|sentence|verdict|choice)"
    r"|it|this|that|speaker 2(?:'s (?:answer|reply|response))?|she|he|sie|es|c'|cela|ça|die antwort|la réponse|la respuesta|das)"
    r"[ :]*)?(?:(?:is|means|'s|implies|ist|bedeutet|heißt|est|signifie|es|significa|意思是|是)[ :]*)?",
    re.I,
)
"""How a sentence that gives an answer opens: "It means", "The statement is"."""
_ENDS_ANSWER = regex(r"\W*\Z|[\"')]*\s*(?:[.!;:(\n。]|-\s|,?\s?(?:not|nicht|pas)\b|,?\s?(?:because|since|as|weil|car|porque)\b)")


def _says_one(text: str, item: Item) -> bool:
    """Whether a text begins by saying one of an item's options outright."""
    item = item if item.choices else with_labels(item)
    options = item.choices
    if not options or len(text) > 2000:
        return False
    first = next(iter(sentences(text)), text)
    said = in_options(first.strip(" \"'*()"), options).lstrip()
    frame = _FRAME.match(said)
    for start in {0, frame.end() if frame is not None else 0}:
        rest = said[start:].lstrip(" \"'*(")
        for option in options:
            name = option.strip("()")
            if rest[: len(name)].casefold() == name.casefold() and _ENDS_ANSWER.match(rest, len(name)) is not None:
                return True
    return False


class _Asked:
    """What all replies to an item share: its input and targets in compared form, and the scores of the last replies."""

    __slots__ = ("echo", "folded", "item", "keys", "opening", "scores")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.folded = fold(item.input)
        self.opening = self.folded.casefold()
        said = key(item.input) or self.folded
        self.echo = None if said in map(key, item.targets) else said
        self.keys = keys(item.targets)
        self.scores: dict[str, tuple[float, str | None, str]] = {}
        """By answer, for arms often get one to an item: tuples of plain values, which the garbage collector does not walk through."""


_MARKS = regex("[❌✗✘✖✅✓✔]")


@lru_cache(maxsize=CACHED)
def _denying(targets: tuple[str, ...]) -> bool:
    """Whether an answer itself is a denial."""
    return any(NEGATED.match(fold(text)) or denies(fold(text)) for target in targets for text in (target, f"X is {target}", f"{target} X"))


def bulleted(text: str) -> str:
    """A list with bullets, on lines or in one, as a list with commas; other text as it is."""
    if not may_number(text) and "\n" not in text and not text.startswith(("-", "*", "•", "·")) and "· " not in text:
        return text
    parts = [part.strip(" ,;") for part in _BULLETS.split(NUMBERED.sub("\n", text).replace("\n", " - ").strip(" -")) if part.strip(" ,;-")]
    return ", ".join(parts) if len(parts) > 1 and (_BULLETS.search(text) or NUMBERED.search(text)) else text


def _parts(place: Place) -> Iterator[str]:
    """A place as a whole, its lines joined, and its first line or what a colon announces."""
    text = place.text
    yield text
    lines = text.split("\n")
    if len(lines) > 1 and may_number(text) and len(NUMBERED.findall(text)) > 1:
        lines = [text]
    if len(lines) > 1:
        lines = [line for line in lines if not _FILLER.match(line)] or lines
        if not any(":" in line and other_label(line.partition(":")[0] + ":") for line in lines[1:]):
            yield " ".join(lines)
        yield lines[0]
        if len(lines[0].split()) > 6 or lines[0].endswith((":", ".", "!")):
            yield lines[-1]
    if ":" not in lines[0]:
        return
    if (match := PREFIX.match(lines[0])) is not None and not other_label(match[0]):
        yield lines[0][match.end() :]
    elif lines[0].endswith(":") and len(lines) > 1 and not other_label(lines[0]):
        yield lines[1]
        yield " ".join(lines[1:])


def readings(reply: Reply) -> Iterator[tuple[str, str]]:
    """As `_readings`; once all were read, they are kept with the reply."""
    if reply.readings is not None:
        yield from reply.readings
        return
    made = []
    for reading in _readings(reply):
        made.append(reading)
        yield reading
    reply.readings = tuple(made)  # of tuples of texts: the garbage collector does not walk through it


def _readings(reply: Reply) -> Iterator[tuple[str, str]]:
    """Every part of every place with its rule, and what is left of it without quotes, a prefix or a remark after it."""
    for place in reply.places:
        settled = (reply.concluded is not None and bool(reply.concluded.text)) or reply.corrected is not None
        whole = settled and place.rule not in ("conclusion", "correction")
        simple = not may_announce(place.text)
        for part in (place.text,) if whole or (simple and "\n" not in place.text) else _parts(place):
            bare = part.strip(OUTSIDE)
            if not simple and bare.count('"') % 2:
                bare = part.strip(OUTSIDE.replace('"', ""))
            if bare[:2].lower() in _OPENERS and (opened := _OPENING.match(bare)) is not None:
                yield bare[opened.end() :], place.rule
            yield bare, place.rule
            if whole:
                continue
            if ":" in bare and not place.explicit and (match := PREFIX.match(bare)) is not None and not other_label(match[0]):
                yield bare[match.end() :].strip(OUTSIDE), place.rule
            if (end := bare.find(". ")) > 0:
                yield bare[:end], place.rule
                if place.explicit:
                    yield bare[:end].strip(OUTSIDE), place.rule
            if cut := explains(bare):
                yield cut.strip(OUTSIDE), place.rule
        if not whole and not simple:
            yield from ((told, place.rule) for told in _announced(place.text))


_OPENING = regex(
    r"(?:(?:no|yes|well|right|okay|ok|sure|so)[,.!]|(?:what|which|who|how|when|where|welche\w*|quel\w*"
    r"|cuál|the|its|my)\b[^.!?\n]{1,150}\?)\s+(?=\S)",
    re.I,
)
_OPENERS = frozenset(str.split("no ye we ri ok su so wh ho qu cu th it my"))


def may_announce(text: str) -> bool:
    """Whether a text may announce its answer by a colon, a dash, an arrow or quotes, or say it in letters of East Asia."""
    if text.isascii():
        return "-" in text or ":" in text or ">" in text or '"' in text
    return _MAY_ANNOUNCE.search(text) is not None


_MAY_ANNOUNCE = regex('[-:：→➡>"\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]')
_ANNOUNCES = regex(rf"(?:[:：](?!\S)|(?<=[{CJK}])[:：]|→|[-=]+>|➡|\s-(?=\s)|\b(?:becomes|gives|is|are)(?=\s\"))\s*")
_OTHER = regex(
    r"(?:^|\n|[.;,(。]\s*|[*-] )(?:the |an? )?(?:not?|wrong|in(?:correct|put)|un(?!scrambl)\w{3,12}|non|(?:\w+ )?original\w*"
    r"|before|active|objects?|others?|effect"
    r"|previous\w*|false|fals\w+|faux|fausse|incorrect[oae]|kein\w*|nicht|não|pas|ander[en]?|autres|otros|altri|outros"
    r"|objets?|objetos?|oggetti|gegenstände|dinge|sachen"
    r"|(?:vorher|avant|antes|prima)(?= ?[:：])|ausgangs\w+|ausge\w+|excl\w+|esclus\w+"
    r"|aktiv|(?:voix |voz )?acti(?:f|ve|va))\b[^:,.]{0,25}[:：]\s*$"
    r"|(?:^|[\n.;,(。\s])(?:[原元非]|不是|排除|除外|제외|[误誤错錯]|間違|틀린|오답"
    r"|其[他它余]|その他|[가-힣]*기타|원[문래]|비동물|아닌|主动|主動|能[动動]|능동)[^:,.。\n]{0,15}[:：]\s*$"
    r"|(?:(?<!名)前|(?:^|\s)전|以外|では?ない|でない|아닌 ?것)(?:の文| ?문장)?\s?[:：]\s*$",
    re.I,
)
"""What a word before a colon says of something else than the answer."""
EASTERN = regex(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]+")


_COLON = regex("[:：]")
NOT_EASTERN = regex("不是|ではな|ではあり|じゃな|아니|아닙|아닌")


@kept(1024)
def other_label(label: str) -> bool:
    """Whether the text before a colon announces something else than the answer: "Wrong:", "Unsorted:", "Others:"."""
    return _OTHER.search(label) is not None


def _announced(text: str) -> Iterator[str]:
    """The text after a colon, a dash or an arrow, to the end of the line or sentence; and all that is not in letters of East Asia."""
    if len(text) > 2000:
        return
    labels = [
        match for match in _ANNOUNCES.finditer(text) if not other_label(text[max(0, match.start() - 40) : match.end()].rsplit("\n", 1)[-1])
    ]
    for match in labels:
        if match is labels[-1] or match[0] not in (":", "："):  # of labels that touch their text only the last one
            line = text[match.end() :].split("\n", 1)[0].strip(OUTSIDE)
            yield line
            if (end := line.find(". ")) > 0:
                yield line[:end].strip(OUTSIDE)
            if cut := explains(line):
                yield cut.strip(OUTSIDE)
    if (
        _CJK.search(text)
        and NOT_EASTERN.search(text) is None
        and not any(other_label(text[max(0, match.start() - 40) : match.end()].rsplit("\n", 1)[-1]) for match in _COLON.finditer(text))
    ):
        yield EASTERN.sub(" ", text.replace("、", ", ")).strip(OUTSIDE + ":：。.,")


_EITHER_VERB = (("'s", (" is", " has")), ("'d", (" had",)))


def found(reply: Reply, item: Item, readings: Callable[[Reply], Iterator[tuple[str, str]]]) -> Scored:
    """1 with the first reading that is a target; else 0 with the first reading of the clearest place."""
    text = reply.text
    if not text:
        return Scored(0.0, None)
    targets = keys(item.targets)
    if (key(text) or text) in targets:
        return Scored(1.0, text.strip(OUTSIDE), reply.wrapper or "whole")
    if (bare := text.strip(' "`')) and unsaid(text, item.targets):
        one = reply.concluded
        return Scored(0.0, one.text, "conclusion") if one else Scored(0.0, bare, "whole")
    first = None
    most = longest(item.targets)
    for reading, rule in readings(reply):
        read = "" if longer(reading, most) else key(reading) or reading
        if reading and (first is None or (rule == "conclusion" and first[1] != rule)):
            first = (reading, rule)
        if read and read in targets:
            return Scored(1.0, reading, rule)
        for short, verbs in _EITHER_VERB if "'" in reading else ():
            if short in reading and any(key(reading.replace(short, verb)) in targets for verb in verbs):
                return Scored(1.0, reading, rule)
    return Scored(0.0, *first) if first else Scored(0.0, None)

"""Answers that are numbers, in digits or in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import may_deny
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.answers.remarks import EXPLANATION, sentences
from promptlab.scoring.answers.text import CACHED, fold, kept, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict import operations, replies, tried
from promptlab.scoring.metrics.strict.figures import DOTTED, OR, VERB, Figure, figures, leads, unlabelled
from promptlab.scoring.metrics.strict.notations import arabic, undated
from promptlab.scoring.metrics.strict.workings import answered, aside_after, follows

_OPERATOR = regex(r"\s*(?:[-+*/×÷x·]|\bplus\b|\bminus\b|\btimes\b|\bdivided by\b|\bmultiplied by\b)\s*", re.I)
_ITEMS = regex(r"\b(?:there (?:is|are)|have|has|total|count|contains?|i see|in all|altogether)\b|[有共总総合計모총]", re.I)
_ENUMERATED = regex(r"(?m)^[ \t]*\(?(\d{1,3})[.)][ \t]+(?=\S)")


def _unnumbered(text: str) -> str:
    """The text without the numbers of a list: of two lines or more, or of one that is numbered 1 and holds another number."""
    found = _ENUMERATED.findall(text) if replies.may_number(text) else []
    listed = len(found) > 1 or (found == ["1"] and any(c.isdigit() for c in text[text.index("1") + 1 :]))
    return _ENUMERATED.sub("", text) if listed else text


def _values(found: Sequence[Figure]) -> set[Decimal]:
    return {one.value for one in found}


def concluded(text: str) -> tuple[bool, Decimal | None]:
    """Whether a text that holds an answer settles on a number or on none of several, and the number."""
    if _PLAIN.fullmatch(text):
        return True, Decimal(text.rstrip("."))
    for part in [part for sentence in sentences(_unnumbered(text)) for part in sentence.split("; ")] or [text]:
        settled, value = _of_sentence(part)
        if settled:
            return settled, value
    return False, None


def _corrected(text: str) -> tuple[bool, Decimal | None]:
    """The same of a correction, which may be worked out once more."""
    value = _number(located(text))[0] if len(sentences(text)) > 1 else None
    return (True, value) if value is not None else concluded(text)


_ASIDE = regex(
    r"(?=[(,\s])(?:(?=\()(?s:(?!.*\)\s*[-+*/×÷=]))(?<![-+*/×÷=(])(?<![-+*/×÷=] )\((?!or\b|total\b)"
    r"|,?\s(?:since|because|as|weil|denn|car|parce que|porque)\s"
    r"|,\s(?:after|having|following|nach|nachdem|après|tras|después)\s(?![^.]*(?:,|\b(?:makes?|gives?|is|gets?|becomes?|comes?|leaves?)\b))"
    r"|\s-\s(?=[A-Za-z])(?!or\b)|,\sand\s(?:the"
    r"|its|their)\s(?![^.]*\b(?:makes?|gives?|brings?)\b)|\s[—–]\s)",
    re.I,
)
_ASIDES = words("since because as weil denn car parce porque")


@kept(1024)
def _aside(text: str) -> int:
    """Where a text begins to explain; 0 where it never does, or explains from its start."""
    may = "(" in text or "," in text or "-" in text or not text.isascii() or not _ASIDES.isdisjoint(words(text))
    found = _ASIDE.search(text) if may else None
    return found.start() if found is not None else 0


_AFTER = regex(r"(?:After|Having|Although|Nach|Nachdem|Après|Tras|Aunque)\s[^,.;]*\d[^,.;]*,\s+(?=[^\d,.;]{3,}\d)")
"""A clause that comes before what the sentence says: "After having begun in 1939, it ended in 1945"."""
_IN_TOTAL = regex(r"^(?:\s[\w-]+){0,2}\s(?:in total|altogether|in all|overall|en tout|insgesamt|en total)\b", re.I)


_KINDS = regex(r"(?: (?:different|distinct|separate))? (?:kinds?|types?|sorts?|categor(?:y|ies)|variet(?:y|ies)|groups?)\b", re.I)
"""What a number counts that is no number of things, where another one is."""


def _things(found: Sequence[Figure], text: str) -> Sequence[Figure]:
    """The numbers that count things, where one does; else all."""
    return [one for one in found if not _KINDS.match(text, one.end)] or found


def _of_sentence(text: str, alone: bool = True) -> tuple[bool, Decimal | None]:
    text = unlabelled(text)
    if (aside := _aside(text)) and figures(text[:aside]):
        settled, value = _of_sentence(text[:aside], alone=False)
        if settled and value is not None:
            return True, value
    if text[:1] in "AHNT" and (after := _AFTER.match(text)) is not None:
        settled, value = _of_sentence(text[after.end() :], alone=False)
        if settled and value is not None:
            return True, value
    every = figures(text)
    if (
        "=" in text
        and every
        and (last := _ENDS_WITH.search(text)) is not None
        and text.find("=", last.start()) < 0
        and not every[-1].barred
    ):
        return True, every[-1].value
    if "=" in text and (equal := _equated(text)) is not None:
        return True, equal
    usable: Sequence[Figure] = [one for one in every if not one.barred]
    if not usable:
        return bool(every) and alone, None
    if len(_values(usable)) == 1:
        return True, usable[0].value
    usable = [*usable[:5], *usable[5:][-40:]]
    totals = [one for one in usable if _IN_TOTAL.match(text[one.end : one.end + 60])]
    if len(_values(totals)) == 1:
        return True, totals[0].value
    usable = _things(usable, text)
    if len(_values(usable)) == 1:
        return True, usable[0].value
    between = [text[a.end : b.start] for a, b in pairwise(usable)]
    operators = [_OPERATOR.fullmatch(gap) is not None for gap in between]
    first = usable[0]
    if (
        not text[: first.start].strip(" \"'(*$€£")
        and not operators[0]
        and not OR.fullmatch(between[0])
        and not re.search(r",\s*(?:and\s+)?$|\sand\s+$", between[0])
        and not (_MOVES_ON.match(text, first.end) is not None and leads(text, usable[-1]))
        and re.match(
            r"\s*(?:%|[A-Za-z°%]+)?(?:\s+[A-Za-z-]+){0,3}\s*(?:[.:!;(\n]|,\s|$|\b(?:because|since|as|is (?:the|my|what))\b|\s-\s)",
            text[first.end :],
            re.I,
        )
    ):
        return True, first.value
    head, colon, tail = text.partition(":")
    if colon and (heads := [one for one in figures(head) if not one.barred]) and len(_values(heads)) == 1 and _ITEMS.search(head):
        return True, heads[0].value
    for n in range(len(usable) - 1, -1, -1):
        one = usable[n]
        if not leads(text, one):
            continue
        if n and not text.isascii() and _EITHER.fullmatch(between[n - 1]):
            return True, None
        if n < len(between) and (operators[n] or OR.fullmatch(between[n])):
            if operators[n] and VERB.search(between[-1]) is None:
                continue
            return True, None
        return True, one.value
    if colon and (tails := [one for one in figures(tail) if not one.barred]) and len(_values(tails)) == 1:
        return True, tails[0].value
    if all(OR.fullmatch(gap) or op for gap, op in zip(between, operators, strict=True)):
        return alone, None
    return False, None


_MOVES_ON = regex(r",?\s(?:and|then|plus|adding|und|dann|et|puis|y|luego)\b", re.I)
"""How a sentence adds to the number that opens it: "130, and with the carried one we arrive at 131"."""
_EITHER = regex("[个個つ개]?[,、]? ?(?:または|もしくは|あるいは|还是)\\s*")


_THAT_IS = regex(
    r"\d[ ,;(-]+(?:soit|also|das heißt|d\. ?h\.|c'est[- ]à[- ]dire|bref|o sea|es decir|esto es|i\.e\.|that is|namely"
    r"|which (?:is|makes|gives)"
    r"|ce qui (?:fait|donne)|was|lo que (?:da|hace))\b[\s,:]*|\d[、,，; ]*(?:即|也就是|就是|つまり|すなわち|즉|곧)[は、,是 ]*",
    re.I,
)
"""What a chain of sums is in the end: "170 - 3, that is 167"."""


def _equated(text: str) -> Decimal | None:
    """The number that an equation ends in; the one before it where the other side is a sum: "5 = 2 + 3"."""
    parts = re.split(r"(?<![<>!=])=+(?!>)", text)
    if (that_is := _THAT_IS.search(parts[-1])) is not None and len(ends := figures(parts[-1][that_is.end() :])) == 1 and not ends[0].barred:
        return ends[0].value
    for left, right in zip(parts[-2::-1], parts[:0:-1], strict=False):
        rights = [one for one in figures(right) if not one.barred]
        lefts = [one for one in figures(left) if not one.barred]
        sums = len(rights) > 1 and _OPERATOR.match(right, rights[0].end) is not None
        if rights and not sums:
            if len(rights) > 1 and leads(right, rights[-1]):
                return rights[-1].value
            if len(rights) > 1 and OR.fullmatch(right[rights[0].end : rights[1].start]):
                continue
            return rights[0].value
        if sums and len(_values(lefts)) == 1 and not re.search(rf"{_OPERATOR.pattern}$", left[: lefts[0].start], re.I):
            return lefts[0].value
    return None


def number(reply: Reply, item: Item) -> Scored:
    """A number: what the reply concludes; else its bare first line, its last equation or statement, or the only number at all."""
    if (of_both := operations.result(reply.head, item)) is not None:
        return Scored(float(of_both in _wanted(item.targets)), str(of_both), "operation")
    value, rule, plain = numbered(reply)
    if rule != "trial" and (value is None or rule in ("equation", "statement", "only number")) and len(plain) < 2000:
        value, rule = _beside_input(plain, item.input, value, rule)
    if value is None:
        return Scored(0.0, None, rule)
    wanted = _wanted(item.targets)
    if rule in ("equation", "statement") and may_deny(plain) and _worked_out(plain, value):
        rule = "reason"
    return Scored(float(value in wanted or any(other in wanted for other in _also(value, plain))), str(value), rule)


def _worked_out(text: str, value: Decimal) -> bool:
    """Whether a text works out a number to deny another one: "It is not 45, because 18 + 25 is 43"."""
    each = figures(text)
    denied = {one.value for one in each if one.barred}
    given = [one for one in each if not one.barred]
    return bool(denied) and value not in denied and len(given) > 2 and given[-1].value == value


def numbered(reply: Reply) -> tuple[Decimal | None, str, str]:
    """The number that a reply says, the rule that found it, and the text with its numbers in digits."""
    if reply.number is None:
        plain = reply.text if _PLAIN.fullmatch(reply.text) else undated(arabic(reply.text.replace(" bzw. ", " oder ")))
        reply.number = *_number(reply if plain == reply.text else located(plain)), plain
    return reply.number


@lru_cache(maxsize=CACHED)
def _plain_number(text: str) -> Decimal | None:
    """The value of a text that is a number in digits and nothing else."""
    return Decimal(text.rstrip(".")) if _PLAIN.fullmatch(text) else None


def valued(reply: Reply, options: tuple[str, ...]) -> str | None:
    """The option whose number a reply says, where each option is another number."""
    values = _numbers_of(options)
    said = numbered(reply)[0] if values else None
    return values.get(said) if said is not None else None


@lru_cache(maxsize=4096)
def _numbers_of(options: tuple[str, ...]) -> dict[Decimal, str]:
    """The options by their numbers; empty where one is no number."""
    values = {value: option for option in options if (value := _plain_number(option)) is not None}
    return values if len(values) == len(options) else {}


def _beside_input(text: str, asked: str, value: Decimal | None, rule: str) -> tuple[Decimal | None, str]:
    """The only number of a text that its input does not hold, where the text says those of the input again."""
    given = _given(asked)
    plain = _unnumbered(text)
    usable = _values(_things([one for one in figures(plain) if not one.barred], plain))
    new = usable - given
    keeps = value is not None and (value not in given or (rule in ("equation", "statement") and follows(plain, new)))
    return (new.pop(), "new number") if len(new) == 1 and usable & given and not keeps else (value, rule)


@lru_cache(maxsize=CACHED)
def _given(asked: str) -> frozenset[Decimal]:
    """The numbers of an input; "a violin" is one."""
    asked = arabic(fold(asked))
    return frozenset(_values(figures(asked)) | ({Decimal(1)} if re.search(r"\ban?\b", asked) else set()))


def _also(value: Decimal, text: str) -> Iterator[Decimal]:
    """What else the same figure means: a full stop between thousands, a percentage, a separate minus."""
    if value.as_tuple().exponent == -3 and 1 <= abs(value) < 1000 and (DOTTED.search(text) or 1000 * value in _values(figures(text))):
        yield 1000 * value
    if "%" in text:
        yield value / 100
    if "\n" not in text and re.search(r"(?:^|: ?)- \d", text):
        yield -value


@lru_cache(maxsize=CACHED)
def _wanted(targets: tuple[str, ...]) -> frozenset[Decimal]:
    return frozenset(one.value for target in targets for one in figures(arabic(fold(target))))


_ENDS_WITH = regex(r":\s*-?[\d.,]*\d\W*$")
_WONDERS = regex(r"\W*(?:is|are|was|does|do|could|would|can|might|should)\b", re.I)


def _number(reply: Reply) -> tuple[Decimal | None, str]:
    if _PLAIN.fullmatch(reply.text):
        return Decimal(reply.text.rstrip(".")), reply.wrapper or "whole"
    if (bare := _bare(reply.text)) is not None:
        return bare, reply.wrapper or "whole"
    if (first := aside_after(reply.head)) and (bare := _bare(first)) is not None:
        return bare, "first line"
    says = reply.concluded
    said = says.text if says is not None and (says.strength or not figures(reply.head[: says.at])) else None
    for text, rule in ((reply.corrected, "correction"), (said, "conclusion")):
        settled, value = (concluded if rule == "conclusion" else _corrected)(text) if text else (False, None)
        if settled and (value is not None or rule == "conclusion"):
            return value, rule
    if said is None and reply.corrected is None:
        settled, value = tried.fitting(reply.unremarked)
        if settled:
            return value, "trial"
    if (own := answered(reply.unremarked)) is not None:
        return own, "decision"
    text = _unnumbered(reply.unremarked)
    cut = EXPLANATION.search(text, 1) if "\n" in text else None
    body = text[: cut.start()] if cut and figures(text[: cut.start()]) else text
    parts = [unlabelled(part) for sentence in sentences(body) for part in sentence.split("; ")]
    stated = [part for part in parts if not part.endswith("?")]
    stated = stated if any(figures(part) for part in stated) else [part for part in parts if not _WONDERS.match(part)]
    if len(stated) > 1 and _RATED.fullmatch(stated[-1]) is not None and _bare(stated[0]) is not None:
        del stated[-1]
    if stated and (bare := _bare(stated[0])) is not None and (len(stated) == 1 or _bare(stated[1]) in (None, bare)):
        return bare, "first line"
    if (checked := _checked(stated)) is not None:
        return checked, "equation"
    for part in reversed(stated):
        if (aside := _aside(part)) and figures(part[:aside]):
            settled, value = _of_sentence(part[:aside], alone=False)
            if settled and value is not None:
                return value, "statement"
        if "=" in part and (value := _equated(part)) is not None:
            return value, "equation"
        found = [one for one in figures(part) if not one.barred]
        if found and (
            any(_IN_TOTAL.match(part[one.end : one.end + 60]) for one in found)
            or leads(part, found[-1])
            or len(stated) == 1
            or (part is stated[-1] and (_bare(part) is not None or _ENDS_WITH.search(part)))
        ):
            settled, value = _of_sentence(part)
            if settled:
                return value, "statement"
    every = [one for part in stated for one in figures(part)]
    usable = [one for one in every if not one.barred]
    if len(_values(usable)) == 1:
        return usable[0].value, "only number"
    for part in stated:
        settled, value = _of_sentence(part, alone=False)
        if settled:
            return value, "statement"
    return None, ""


_CHECKS = regex(
    r"\b(?:(?:double[ -]?)?check(?:s|ing)?|verif\w+"
    r"|proof|prove|confirm\w*|probe|kontrolle|gegenprobe|vérif\w+|comprob\w+|prueba|verificación)\b"
    r"|验算|檢算|检验|検算|確認|검산|확인",
    re.I,
)
_RATED = regex(r"\W*(?:\d{1,3}/(?:5|10|100)|\(\d{1,3} (?:steps?|digits?|tokens?|words?|numbers?|operations?|additions?)\))\W*", re.I)
"""What a reply says last of its own answer: "10/10", "(1 step)"."""


def _checked(parts: list[str]) -> Decimal | None:
    """The result that a last equation only checks: a second one that goes back to a number of the first, or one that says so."""
    equations = [part for part in parts if "=" in part]
    if len(equations) > 2 and _CHECKS.search(equations[-1]) is not None:
        before = _equated(equations[-2])
        return before if before in {one.value for one in figures(equations[-1].partition("=")[0])} else None
    if len(equations) != 2:
        return None
    first, second = (_equated(part) for part in equations)
    asked, again = ({one.value for one in figures(part.partition("=")[0])} for part in equations)
    return first if second in asked and first in again and len(asked) > 1 else None


_PLAIN = regex(r"-?\d+(?:\.\d+)?\.?")


def _bare(text: str) -> Decimal | None:
    """The number that a text is, with at most a unit after it."""
    if len(text) > 80 or "=" in text:
        return None
    if "/" in text and (fraction := re.fullmatch(r"(-?\d{1,9})/([1-9]\d{0,8})", text.strip(" .$*\"'"))) is not None:
        return Decimal(fraction[1]) / Decimal(fraction[2])
    found = figures(text)
    if len(found) != 1 or found[0].barred:
        return None
    one = found[0]
    before = re.sub(r"(?i)minus|negative|[\W_]", "", text[: one.start])
    after = text[one.end :]
    return (
        one.value
        if not before
        and re.fullmatch(r"\s*(?:[%°]?\s*[A-Za-z²³]{0,12})?(?:\s[A-Za-z]{1,12})?[\W_]*", after)
        and not re.match(r"\s*(?:or|to|and)\b", after)
        else None
    )

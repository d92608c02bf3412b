"""Two sentences in other forms of their words: "the vase shattering" for "The vase shattered on the floor"."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.answers.text import key, words
from promptlab.scoring.compiled import regex

_LINKS = regex(
    r"(\s*(?:[;:.,!?\n→]|\b(?:is|was|are|were|not|isn't|wasn't|because(?: of)?|since|due to|caused by|causes|caused|causing|led to|leads to"
    r"|leading to|resulted in|results in|resulted from|results from|made|makes|triggered|triggers|produced|while|whereas|so|therefore|hence"
    r"|which|and|but|as a (?:result|consequence)(?: of)?|the (?:\w+ )?(?:cause|effect|result|reason|consequence"
    r"|outcome)(?: of| for)?(?: that)?)(?![\w'])|\s-\s)\s*)+",
    re.I,
)
"""What separates the parts of a reply that may name a sentence: roles, relations, and the ends of clauses."""
_TELLS = words(
    "cause causes caused causing effect result results resulted reason consequence outcome because since due led leads leading made makes "
    "triggered triggers produced so therefore hence"
)
_SMALL = frozenset(
    str.split(
        "as a an the of to in on at by for from with and or it its he she they his her hers their them him this that "
        "these those i you we my your"
        " is was are were be been being had has have having do does did event fact act action sentence first second "
        "one other that there when"
        " after before up down out off over into then just very"
    )
)
_SO = regex(r"\b(?:so|therefore|thus|hence)\b(?=[^.;\n]*\b(?:cause|effect|result)\b)", re.I)
"""What concludes, and does not relate two events: "so it is the cause"."""
LONGEST = 400
"""Characters of the longest reply that is compared in words of other forms."""


def _stem(word: str) -> str:
    """What the forms of a regular word share: "shatter" of "shattering" and "shattered"; a final double letter is one."""
    for end in ("ingly", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(end) and len(word) - len(end) > 2:
            word = word[: -len(end)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word.removesuffix("e")


_FORMS = (
    "break broke broken; fall fell fallen; get got gotten; run ran; go went gone; come came; lose lost; win won; buy bought; "
    "catch caught; drive drove driven; eat ate eaten; feel felt; find found; fly flew flown; forget forgot; give gave given; "
    "leave left; make made; sell sold; see saw seen; sit sat; sleep slept; speak spoke spoken; spend spent; steal stole "
    "stolen; take took taken; teach taught; tell told; think thought; throw threw thrown; wear wore worn; write wrote "
    "written; ring rang rung; sing sang sung; swim swam swum; burn burnt; spill spilt; hear heard; hold held; keep kept; lead "
    "led; pay paid; rise rose risen; send sent; shake shook shaken; shine shone; sink sank sunk; stand stood; stick stuck; "
    "strike struck; wake woke woken; bite bit bitten; blow blew blown; build built; choose chose chosen; dig dug; draw drew "
    "drawn; drink drank drunk; freeze froze frozen; grow grew grown; hide hid hidden; know knew known; lie lay lain; meet "
    "met; ride rode; say said; tear tore torn; begin began begun; fight fought; die died dying"
)
_IRREGULAR = {form: verb.split()[0] for verb in _FORMS.split(";") for form in verb.split()}
"""Verbs by their irregular forms."""


@lru_cache(maxsize=4096)
def _content(text: str) -> frozenset[str]:
    """The stems of a text's words that carry meaning."""
    return frozenset(_stem(_IRREGULAR.get(word, word)) for word in key(text.replace("'s", "")).split() if word not in _SMALL)


def _held(said: frozenset[str], wanted: frozenset[str]) -> set[str]:
    """The stems that another text has as well, or of which one is the beginning of the other: "accident", "accidental"."""
    return {a for a in said if a in wanted or (len(a) > 4 and any(len(b) > 4 and (a.startswith(b) or b.startswith(a)) for b in wanted))}


def may_name(text: str) -> bool:
    """Whether a text may name a sentence in other forms of its words."""
    return len(text) <= LONGEST and not _TELLS.isdisjoint(words(text))


def named(text: str, pair: tuple[str, ...]) -> str:
    """The text with "sentence 1" and "sentence 2" in place of other forms of them; the same text where it has none.

    A form holds words of one sentence alone, two or more; a single word counts only where a reply names both sentences.
    """
    if not may_name(text):
        return text
    wanted = [_content(sentence) for sentence in pair]
    told: list[str] = []
    sure: set[int] = set()
    maybe: set[int] = set()
    end = 0
    for link in [*_LINKS.finditer(text), None]:
        part = text[end : link.start() if link is not None else len(text)]
        said = _content(part)
        held = [_held(said, one) for one in wanted]
        of = [n for n in (0, 1) if said and len(held[n]) == len(said) > len(held[1 - n])]
        if len(of) == 1:
            told.append(f" sentence {of[0] + 1} ")
            (sure if len(said) > 1 else maybe).add(of[0])
        elif said and len(held[0] & held[1]) < len(said):
            return text
        else:
            told.append(part)
        if link is not None:
            told.append(link[0])
            end = link.end()
    told_of = maybe == {0, 1} or len(sure | maybe) == 2 or (bool(sure) and maybe <= sure)
    return " ".join(_SO.sub(" ", "".join(told)).split()) if told_of else text


_CAUSE_AND_EFFECT = regex(
    r"\bcause\b(?: (?:of|in|for) (?:sentence|statement) \d)? (?:is|was) (?P<cause>[^.;\n]{3,120}?)(?:,|;|\.)? (?:and "
    r"|while )?(?:the )?effect\b"
    r"(?: (?:of|in|for) (?:sentence|statement) \d)? (?:is|was) (?P<effect>[^.\n]{3,120})",
    re.I,
)


def as_cause(text: str, pair: tuple[str, ...]) -> int | None:
    """The sentence whose words a reply gives the cause, where it gives the effect words of the other one; None where it does not."""
    if len(text) > LONGEST or "effect" not in text or (told := _CAUSE_AND_EFFECT.search(text)) is None:
        return _headed(text, pair) if len(text) <= 2 * LONGEST else None
    return _of_roles(told["cause"], told["effect"], pair)


def _of_roles(of_cause: str, of_effect: str, pair: tuple[str, ...]) -> int | None:
    wanted = [_content(sentence) for sentence in pair]
    cause, effect = ([len(_held(_content(said), one)) for one in wanted] for said in (of_cause, of_effect))
    return next((n for n in (0, 1) if cause[n] > cause[1 - n] and effect[1 - n] > effect[n]), None)


_HEAD = regex(
    r"(?m)^[^\w\n]*(?:\d[.)]\s?)?(?:(?:the|die|der|la|el|le|l')\s?)?(?:(?P<cause>causes?|ursache|auslöser|grund|causa|raison|razón|原因|원인)"
    r"|(?:effects?|results?|consequence|outcome|wirkung|folge|effet|conséquence|résultat|efecto|consecuencia|resultado|结果|結果|결과|影响|영향))"
    r"(?: \([^()\n]{1,30}\))?[ *_\"')]*(?:[:=|]|-+>|→| - |$)\s*",
    re.I,
)
"""A heading or a label that says that a cause or an effect follows."""
_may_head = may_hold(_HEAD)


def _headed(text: str, pair: tuple[str, ...]) -> int | None:
    """The sentence below the heading "cause", where that below "effect" is the other one; None where not both have words of one."""
    if "\n" not in text or not _may_head(text):
        return None
    found = list(_HEAD.finditer(text))
    if len(found) != 2 or (found[0]["cause"] is None) == (found[1]["cause"] is None):
        return None
    below = [text[found[0].end() : found[1].start()].strip(), text[found[1].end() :].strip().split("\n")[0]]
    if "\n" in below[0]:
        return None
    cause, effect = below if found[0]["cause"] is not None else below[::-1]
    numbers = [set(_BY_NUMBER.findall(part)) for part in (cause, effect)]
    if numbers[0] | numbers[1] == {"1", "2"} and len(numbers[0]) == len(numbers[1]) == 1:
        return int(numbers[0].pop()) - 1
    return _of_roles(cause, effect, pair)


_BY_NUMBER = regex(r"(?<![a-z])(?:sentence|statement|satz|phrase|oración|frase|number|句子?|文|문장)\s?#?([12])(?!\d)", re.I)


_IN_ENGLISH = words("the my his her she they their of and")
_EXPLAINS = words(
    "cause causes caused because since reason effect result results happen happens happened first before after event led leads this that "
    "it why explains explain therefore so sentence statement answer correct other one"
)


def of_neither(text: str, pair: tuple[str, ...]) -> bool:
    """Whether a text in English is a sentence that shares no word with either of the two, and explains nothing."""
    told = words(text)
    if not text[:1].isupper() or _IN_ENGLISH.isdisjoint(told) or not _EXPLAINS.isdisjoint(told):
        return False
    said = _content(text)
    return len(said) > 1 and not any(_held(said, _content(sentence)) for sentence in pair)

"""Replies put in English around their answer, and those that only ask or doubt."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.nouns.item import Item
from promptlab.scoring.answers.abroad import FRAMED, in_english
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.answers.text import CACHED, CJK, fold, key, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.notations import arabic

_ASKS = regex(r"(?:is|are|was|were|does|do|did|can|could|would|should|which|what|who) [^.!?\n]*\?", re.I)
"""A reply that is a question and nothing else."""
_UNSURE = regex(
    r"\W*[^?\n]{1,30}\? ?\W*[^?\n]{1,30}\? ?(?:it(?:'s| is) |that(?:'s| is) )?(?:(?:hard|difficult"
    r"|impossible|tough) to (?:say|tell|decide)|schwer zu sagen"
    r"|difficile à dire|difícil de decir|很难说|说不好|難しい|말하기 어렵)[^.\n]*\W*$|"
    r"whether [^.!?;\n]{1,120} (?:is|remains) (?:really |still )?(?:anyone's guess|anybody's guess"
    r"|open|debatable|a matter of \w+|unclear|uncertain|not clear"
    r"|ambiguous|(?:hard|difficult|impossible) to (?:say|tell|know))\W*$|"
    r"(?:it(?:'s| is) )?(?:really |still |rather )?(?:(?:i(?:'m| am) )?(?:not (?:really |quite "
    r"|entirely )?(?:sure|clear|certain)|unsure|unclear|uncertain)|(?:hard|difficult|impossible) to"
    r" (?:say|tell|know|determine|decide)|i (?:really )?(?:do not|don't|can't|cannot|could not|couldn't) (?:know"
    r"|tell|say|decide|determine|be sure))"
    r"(?: (?:here|from this|about it))?,? (?:whether|if|which|between)\b(?![^.!?;\n]*(?:,|\bbut\b) )[^.!?;\n]*[.!?。]?$",
    re.I,
)
"""A reply that only says that it does not know."""
_LEFT_OPEN = regex(
    r"(?P<before>[^.!?;\n]*?)\b(?:(?:unclear|ambiguous|uncertain|undetermined|not (?:clear|certain)|(?:impossible|hard"
    r"|difficult) to (?:tell|say"
    r"|know|determine|decide))(?: (?:here|from this))?|(?:cannot|can't|can not|couldn't|could not) (?:be (?:determined|told|decided|known"
    r"|said|settled|inferred)|(?:tell|say|determine|decide|know)))"
    r" (?:which|(?P<who>whom?|what))\b(?:(?! (?:but|so|however|yet)\b)[^.!?;:\n,]){0,80}(?:[.!]\s+(?P<cut>[\w ,]{1,15}))?\W*\Z",
    re.I,
)
"""A reply whose last words leave open which one it is, whatever it says before."""
_OPENS = words("unclear ambiguous uncertain undetermined clear certain impossible hard difficult cannot can could couldn")
_GRANTS = words("although though while whilst even may might despite if would why")
_SAYS_OPEN = frozenset({"neutral", "nonentailment", "ambiguous", "unclear", "unknown"})
"""Options that say the same as such an end."""
_DOUBTS = words("whether if which between")
_TALKS = FRAMED | _DOUBTS | _OPENS
IN_ENGLISH = ("cause", "choice", "label", "larger", "letter", "level", "number", "rhyme", "word")
"""Kinds whose answers are options, names or numbers, so that the words around them may be put in English."""


@lru_cache(maxsize=CACHED)
def _asking(options: tuple[str, ...]) -> bool:
    """Whether an option is a question itself."""
    return any("?" in option for option in options)


def put_in_english(reply: Reply, item: Item, numbers: bool) -> Reply:
    """The reply with its frames in English, where none of the item's answers has such words itself."""
    text = reply.text
    told = in_english(text, _judged(item.choices)) if " " in text or not text.isascii() else text
    if numbers and told is not text:
        told = in_english(arabic(text))
    return reply if told is text or _framed(item.choices or item.targets) else located(told)


@lru_cache(maxsize=CACHED)
def _judged(options: tuple[str, ...]) -> bool:
    """Whether saying that something is right or wrong is no answer itself."""
    return not {"correct", "incorrect", "true", "false", "right", "wrong", "yes", "no"} & set(map(key, options))


@lru_cache(maxsize=CACHED)
def _framed(answers: tuple[str, ...]) -> bool:
    """Whether an answer is changed where it is put in English."""
    return any(in_english(fold(answer)) != fold(answer) for answer in answers)


def speaks_plainly(text: str) -> bool:
    """Whether a text has nothing that is put in English, and asks and doubts nothing."""
    return text.isascii() and "?" not in text and _TALKS.isdisjoint(words(text))


_UNSURE_ABROAD = regex(
    r"[^。.!?\n]{1,120}(?:分か(?:りません|らない)|わか(?:りません|らない)|(?:判断|断定|判定)(?:でき|が?つき)(?:ません|ない)|不明(?:です|だ)?"
    r"|迷います|(?:无法|难以|不能|很难)(?:判断|判定|确定|断定|说清)|不知道|不清楚|说不准|(?:모르겠|알 수 없|판단할 수 없|단정할 수 없"
    r"|(?:판단|단정)하기(?:는|가)? 어렵)\w*)(?:です)?[。.!]?"
    r"|(?:もし|仮に)[^。.!?\n]{1,80}(?:なら|れば|たら)ば?[^。.!?\n]{1,80}[。.]?|如果[^。.!?\n]{1,60}[,，](?:则|就|那么)[^。.!?\n]{1,60}[。.]?"
    r"|[^。.!?\n,]{1,60}(?:(?<!사람이)(?<!사람들이)라면|다면),? [^。.!?\n]{1,60}[.]?|[^。.!?\n]{1,60}I do not know whether it is[。.]?"
    r"|ob [^.!?;\n]{1,100},? (?:weiß ich nicht|ist (?:mir )?unklar|lässt sich nicht \w+|bleibt offen)[.!]?"
    r"|(?:il est |c'est )?(?:difficile|impossible) (?:de|à) (?:dire|savoir)[^.!?;\n]{0,100}[.!]?",
    re.I,
)
"""A reply of one sentence in another language that does not know, only supposes, or asks."""
_ASKS_EAST = regex(f"(?=.*[{CJK}])[^。.!?\n]{{1,120}}\\?")
_CONCLUDES_ABROAD = regex("所以|因此|したがって|よって|なので|ので|ため|따라서|그러므로|므로|但|でも|しかし|하지만|지만")
_ABROAD = words("ob difficile impossible")


def settles_nothing(text: str, options: tuple[str, ...] | None) -> str:
    """Why a reply settles on nothing: it only asks, where it is to choose among `options`, or does not know; '' where it may settle."""
    if options is not None and text.endswith("?") and _ASKS.fullmatch(text) is not None and not _asking(options):
        return "question"
    if options and not _OPENS.isdisjoint(words(text)) and _left_open(text, options):
        return "left open"
    if (
        options is not None
        and text.endswith("?")
        and not text.isascii()
        and _ASKS_EAST.fullmatch(text) is not None
        and not _asking(options)
    ):
        return "question"
    abroad = not text.isascii() or not _ABROAD.isdisjoint(words(text))
    if abroad and _UNSURE_ABROAD.fullmatch(text) is not None and _CONCLUDES_ABROAD.search(text) is None and not _asking(options or ()):
        return "unsure"
    may_doubt = text.count("?") > 1 or not text.isascii() or not _DOUBTS.isdisjoint(words(text))
    return "unsure" if may_doubt and _UNSURE.match(text) is not None else ""


def _left_open(text: str, options: tuple[str, ...]) -> bool:
    """Whether a reply that concludes nothing ends by saying that it is unclear which one of the options it is."""
    open_ones = [name for option in options if (name := key(option).replace(" ", "")) in _SAYS_OPEN]
    if any(name != "ambiguous" or name in words(text) for name in open_ones) or (found := _LEFT_OPEN.search(text[-400:])) is None:
        return False
    if found["who"] and not any(" " in option for option in options):
        return False
    cut = words(found["cut"] or "")
    return _GRANTS.isdisjoint(words(found["before"])) and cut.isdisjoint(words(" ".join(options))) and located(text).concluded is None

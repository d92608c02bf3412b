"""Answers that say whether a word has the same sense twice."""

from __future__ import annotations

import re

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import DENIES, may_deny
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.text import CJK, full, key, western, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.english import settles_nothing

_SAME = regex(
    r"\b(?:same|identical(?:ly)?|similar|alike|no (?:real |\w+ )?difference|nothing differs|gleich\w*|dasselbe"
    r"|d(?:ie|er|em)selben?|identisch\w*|mêmes?|identiques?|mism[oa]s?|igual(?:es)?|idéntic[oa]s?)\b|(?<!不)相同"
    r"|(?<!不)一[样樣致](?!的?是)|同样的?(?=意|含|词)"
    r"|同じ|同一|같[은다아습]|동일"
)
_DIFFERENT = regex(
    r"\b(?:different(?:ly)?|differs?|distinct|unrelated|two (?:meanings|senses)|unterschiedlich\w*"
    r"|verschieden\w*|différ\w*|unterscheide\w*|andere\w* (?:bedeutung|sinn)"
    r"|autres? (?:chose|signification)|otr[oa] (?:cosa|significado|sentido)|autres? sens|diferente\w*|difieren?|distint[oa]s?)\b"
    r"|不同|不一[样樣致]|不相同|有别|违|違[うい]|異な[るりっ]|別の意味|同じで(?:は|も)?な|同じとは"
    r"|다르|다른|다릅|달[라리]|상이|같지 않|동일하지 않"
)
_ELSEWHERE = regex(
    r"\b(?:the )?same (?:word|form|spelling|care|information|topic|subject|idea|structure|length|story|event|letters"
    r"|pronunciation)\b|\bword(?: itself)? is the same\b(?<!of the word is the same)(?<!of this word is the same)"
    r"|\b(?:\w+ )?(?:contexts?|sentences|examples"
    r"|situations)(?: are| is)?(?: \w+)?"
    r" different\b|\bdifferent (?:\w+ )?(?:structures?|information|topics?|subjects?|contexts?|sentences|examples|situations"
    r"|opinions?|objects?)\b|\bif it\b.*"
    r"|\b(?:gleich\w*|dieselbe|verschieden\w*|anders) wäre\b.*\b(?:wenn|falls)\b.*|\b(?:serait|sería)\b.*\bsi\b.*"
    r"|\bno different (?:sense|meaning)\b|\b(?:an?|any|the) (?:different|distinct|same|second) \w+ would\b(?! be\b).*"
)
"""What may be the same or differ besides the meaning."""
_NOT_SAME = regex(rf"(?:{DENIES}|\bno|\bdo(?:es)? not|\bnot|\bno se \w+)\s+(?:\w+ ){{0,3}}(?:{_SAME.pattern})")
_NOT_DIFFERENT = regex(
    rf"(?:{DENIES}\s+(?:\w+ )?|\b(?:et non|y no|no|e non) (?:une?|un[oa]) (?:sens |sentido |significado )?)(?:{_DIFFERENT.pattern})"
)
_TRUTH = {
    **dict.fromkeys(("ja", "oui", "sí", "はい", "ええ", "네", "예", "是", "是的", "对"), True),
    **dict.fromkeys(("nein", "non", "いいえ", "아니요", "아니오", "否", "不"), False),
    "yes": True,
    "true": True,
    "t": True,
    "y": True,
    "no": False,
    "false": False,
    "f": False,
    "n": False,
}


_TELLS = words(
    "bedeutungsunterschied change changes changed else means mean unterscheiden unterscheidet unterschied anderes andere "
    "distincts "
    "cambia cambian diferencia selben"
)


def sense(reply: Reply, item: Item) -> Scored:
    """Same or not the same, in the words that models use for it."""
    corrected = [(reply.corrected, "correction")] if reply.corrected else []
    places = [*corrected, *((last.text or "".join(last.raw[:1]).partition(". ")[0], "conclusion") for last in reply.conclusions[-1:])]
    for place, rule in (*places, (reply.unremarked, "without remarks"), (reply.text, "whole")):
        if not western(place):
            place = _EAST_SUPPOSES.sub("", place)  # noqa: PLW2901 (what it only supposes is not read)
        if not place.strip() or settles_nothing(place, ()) or (not western(place) and _EAST_UNSURE.search(place) is not None):
            continue
        if (of_meaning := _of_meaning(place)) is not None:
            place, rule = of_meaning, "meaning"  # noqa: PLW2901 (what it says of other things is not read)
        told = _eastern(place) if not western(place) and _EAST.search(place) is not None else None
        if (same := _same(_PUNCTUATION.sub(" ", full(place.casefold().rpartition("→")[2])).strip()) if told is None else told) is not None:
            right = any(key(target) == ("same" if same else "not the same") for target in item.targets)
            return Scored(float(right), "same" if same else "not the same", rule)
    return Scored(0.0, None)


_CLAUSE = regex(r"[.;\n]\s|,\s?(?=(?:but|yet|though|although|while|whereas|aber|doch|mais|pero|the|le|la|el|die|das|der)\b)", re.I)
_OF_MEANING = regex(r"\b(?:meanings?|senses?|means?|bedeut\w+|sinn\w*|signifi\w+|sens|sentidos?)\b", re.I)
_OF_WORD = regex(
    r"\b(?:words?|terms?|wort|mot|palabra)\b[^.;\n]{0,12}(?:\"[^\"\n]{1,30}\"|is|are|ist|est|es)\b[^.;\n]*\b(?:differ|versch|unter|diff|disti)",
    re.I,
)
"""What says of the word itself that it differs, which may be its meaning."""
_WOULD = regex(r"\b(?:would|if|could|might|wäre|serait|sería)\b", re.I)
_COMPARES = regex(rf"{_SAME.pattern}|{_DIFFERENT.pattern}", re.I)


_MEANINGS = words(
    "meaning meanings sense senses means mean bedeutung bedeutungen bedeutet bedeuten sinn sinne signification significations signifie "
    "signifient significado significados significa significan sens sentido sentidos"
)
_JOINS = (". ", ", ", "; ", "\n")


def _of_meaning(text: str) -> str | None:
    """The only clause that compares meanings, of a text of several clauses; None elsewhere, and after a leading yes or no."""
    if text.isascii() and _MEANINGS.isdisjoint(words(text)):
        return None
    if (
        not any(map(text.__contains__, _JOINS))
        or len(text) > 600
        or not western(text)
        or re.split(r"\W+", text.strip(" *\"'(").lower(), maxsplit=1)[0] in _TRUTH
    ):
        return None
    clauses = _CLAUSE.split(text)
    compared = [clause for clause in clauses if _COMPARES.search(clause) is not None]
    own = [clause for clause in compared if _OF_MEANING.search(clause) is not None and _WOULD.search(clause) is None]
    if any(clause.count(" ") < 2 for clause in compared):  # it opens with its answer
        return None
    if len(own) != 1 or len(clauses) < 2 or any(_OF_WORD.search(clause) is not None for clause in compared if clause is not own[0]):
        return None
    return own[0]


_PUNCTUATION = regex(r"(?:[^\w':]|_)+")


_EAST = regex(f"[{CJK}]")
_EAST_SAME = regex(r"同じ|同一|同義|相同|一[样樣致]|同[样樣]|同义|同个意思|共通|같[은다아습음이지]|동일|동의|일치|(?<!\w)(?:same)(?!\w)")
_EAST_DIFFERENT = regex(
    r"違[うい]|違って|違わ|異な|別(?:の|です|々|物|義)|相違|不同|不一[样樣致]|不相同|有别|有[异異]|[异異]义|다르|다른|다릅|다름|달[라리]|상이|별개|차이"
    r"|(?<!\w)(?:different)(?!\w)"
)
_EAST_ELSEWHERE = regex(
    r"(?:同じ|同一の|異なる|違う|別の|相同的?|同一个|同样的?|不同的?|不一样的|같은|동일한|다른|서로 다른)\s*"
    r"(?:単語|言葉|語(?!義)|漢字|形|綴り|表記|文脈|文(?!意)|場面|状況|対象|例|词(?!义|意)|单词|词语|字|形式|语境|句子|场景|上下文|情境|情况"
    r"|对象|例子|领域|단어|말(?!뜻)|표기|형태|철자|문맥|맥락|문장|상황|대상|예문|분야)"
    r"|(?:文脈|場面|状況|対象|単語|綴り|语境|场景|上下文|对象|单词|词形|문맥|맥락|상황|대상|단어|철자)(?:[はがも은는이가都也] ?|虽然|虽)?"
    r"(?:違[いう]\w*|異な\w*|同じ\w*|不同|相同|一样|不一样|다르\w*|달라\w*|같\w*|다릅니다)"
)
"""What is the same or differs in a reply of East Asia besides the meaning."""
_EAST_SUPPOSES = regex(
    r"(?:^|(?<=[。.!?]))[^。.!?\n]*(?:なら(?!な|ず)|であれば|だったら|になるのは|라면 |다면 |려면 |如果|若|的话|假如)[^。.!?\n]*[。.]?"
)
"""A sentence of East Asia that only supposes."""
_EAST_UNSURE = regex(r"かどうか|か否か|是否|인지|다면 |라면 |もし|如果|なら\s")
_EAST_SEEMS = regex(r"(?:見え|思え)(?:ます|る)?(?:が|けれど|けど)?$|보이(?:지만|나|는데)$|^(?:看起来|看似|乍看|表面)")
"""A clause of East Asia that only says what something seems to be."""
_EAST_NOT = regex(r"(?<!\w)not(?!\w)|ない|ません|なく|ず(?=[、,。]|$)|不(?!同|一)|没|并非|非(?!常)|않|아니|아닙|아닌|없|못")
_EAST_CLAUSES = regex(r"[。.!?;,，、\n]|(?<=[고며])(?<![다라]고)\s|(?<=지만)\s|(?<=므로)\s")
_EAST_LEADS = regex(r"\W*(?:はい|いいえ|いえ|네|예|아니[요오]|是的?|不是?|否|对|yes|no|true|false)(?=\W*$)")


def _eastern(place: str) -> bool | None:
    """What the clauses of a text in Chinese, Japanese or Korean say about two senses; None where they say nothing, or several things."""
    said: set[bool] = set()
    for clause in map(str.strip, _EAST_CLAUSES.split(_EAST_ELSEWHERE.sub(" ", place))):
        differs = _EAST_DIFFERENT.search(clause) is not None
        same = _EAST_SAME.search(_EAST_DIFFERENT.sub(" ", clause)) is not None
        if same == differs or _EAST_LEADS.match(clause) or _EAST_SEEMS.search(clause):
            continue
        said.add(same != (_EAST_NOT.search(_EAST_DIFFERENT.sub(" ", clause)) is not None))
    return said.pop() if len(said) == 1 else None


_CHANGES = regex(
    r"\b(?:(?:meanings?|senses?|it) (?:does not |do not |doesn't |don't )?change[sd]?|(?:means|mean) something (?:else"
    r"|different)|unterscheid\w+|\w*unterschied\w*"
    r"|ändert sich|etwas anderes|eine andere|diff[éè]r\w+|sens (?:ne )?change|change (?:pas|d'une)|distincts?|cambian?|diferencias?)\b"
    r"|区别|变化|差[别異异]|違い|変わ|차이|다르지"
)
_SAME_ABROAD = regex(r"\b(?:im|in) selben sinn\w*\b")
_NOT_ABROAD = regex(r"\b(?:not|no|nicht|keine[nr]?|pas|et non|don't|doesn't)\b|没有|不|无|ない|ません|없|않")
_LEADING = regex(r"^(?:no (?=the|el|la|it|they)|nein |non |いいえ|아니[요오] ?|不 )")
"""A no that answers the question before the sentence says why."""
_NOT_SAME_EAST = regex(r"(?:同じ|같은|동일한)[^。.]{0,8}(?:ではな|ではあり|じゃな|아니|아닙|아닌)")


def _told(read: str) -> bool | None:
    """Whether a text says that a sense changes or does not; None where it says neither."""
    if _SAME_ABROAD.search(read) is not None:
        return _NOT_ABROAD.search(read) is None
    if _NOT_SAME_EAST.search(read) is not None:
        return False
    return None if _CHANGES.search(read) is None else _NOT_ABROAD.search(_LEADING.sub("", read)) is not None


def _same(read: str) -> bool | None:
    """What a text says about two senses: the same, not, or None where it says both or nothing. A leading yes or no counts."""
    changes = _told(read) if not read.isascii() or not _TELLS.isdisjoint(words(read)) else None
    if changes is False or (changes and _SAME.search(read) is None):
        return changes
    if (told := re.search(r"\b(same|different)[\w ]{0,20}: ?(true|yes|false|no)\b", read)) is not None:
        return (told[1] == "same") == _TRUTH[told[2]]
    read = _ELSEWHERE.sub(" ", read)
    may = may_deny(read) or " non " in read
    says_not = may and _NOT_SAME.search(read) is not None
    not_different = may and _NOT_DIFFERENT.search(read) is not None
    says_same = _SAME.search(_DIFFERENT.sub(" ", _NOT_SAME.sub(" ", read) if may else read)) is not None
    differs = _DIFFERENT.search(_NOT_DIFFERENT.sub(" ", read) if may else read) is not None
    first = next(iter(read.split()), "")
    if first in _TRUTH and not _SAME.match(read) and (len(first) > 1 or read.strip() == first):
        same = _TRUTH[first]
        return None if (same and says_not) or (not same and says_same and not differs and not not_different) else same
    if (says_same and (says_not or differs)) or len(_SAME.findall(read)) > 2:
        return None
    if says_not or differs:
        return False
    return True if says_same or not_different else None

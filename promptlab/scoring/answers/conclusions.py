"""The words by which a reply says that its answer follows, in seven languages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptlab.scoring.answers.denials import denied_before
from promptlab.scoring.answers.remarks import EXPLANATION, without_remarks
from promptlab.scoring.answers.text import beginnings, western, words
from promptlab.scoring.compiled import regex

_MODIFIED = r"(?: (?:to|of|for|in|from|here|after|when|with|that|you|we|i)(?:'re|'ve|'d)?\b [^\n:=]{1,80}?)?(?: \([^()\n]{1,30}\))?"
_ADVERB = (
    r"(?:therefore|thus|then|hence|simply|just|probably|clearly|likely|most likely|indeed|definitely|certainly|actually|obviously|really)"
)
_LINK = (
    rf"(?:\s*(?::|=+>?|->|→|=)|\s+- |,? {_ADVERB}\b,?|\s*\bis\b|'s\b|\s*\b(?:would|should|must|will|has to"
    rf"|ought to|might|could|may|can) be\b"
    r"|\s*\bcan(?:no|')?t be\b|\s*\bcan not be\b|\s*\bis(?:n't)\b|\s*\b(?:comes?|came) (?:out )?to\b|\s*\bequals\b"
    r"|\s*\bwas\b|\s*\bbecomes\b|\s*\bturns out to be\b)"
)
_DE = (
    r"\b(?:(?:end)?antwort|(?:end)?ergebnis|lösung|fazit|übersetzung|gesamtergebnis|endwert)\b[^\n:=.]{0,40}?(?:\s*[:=]"
    r"|\s(?:ist|lautet|wäre|heißt|bleibt)\b(?: also| daher| somit)?)"
)
_FR = (
    r"\b(?:réponse|résultat|solution|conclusion|traduction|reponse|resultat|valeur finale)\b[^\n:=.]{0,40}?(?:\s*[:=]"
    r"|\s(?:est|serait|sera|donne)\b(?: donc)?|\s?n'est\b)"
)
_ES = (
    r"\b(?:respuesta|resultado|solución|conclusión|traducción|solucion|traduccion|resposta|resultado|risposta"
    r"|risultato|valor final)\b[^\n:=.]{0,40}?(?:\s*[:=]|\s(?:es|sería|seria|será|é|è)\b(?: entonces)?|\sno es\b)"
)
_ZH = (
    r"(?:最终答案|正确答案|答案|结果|結果|结论|結論|答(?![えこ])|译文|翻译|反义词|同义词|复数|(?<=的)(?:单词|词语?|字母)(?=是))"
    r"(?:应该|應該|应当)?(?:不?是|为|為|等于|等於)?\s*[:=]?"
)
_JA = (
    r"(?:最終的な答え|最終回答|正しい答え|答え|正解|回答|解答|こたえ|訳|対義語|反対語?|類義語|合計|[差和](?=\s*[はが是为為等:=]))"
    r"(?:は|が|是|为|為|等于)?\s*[、,:=]?"
)
_KO = r"(?:최종 ?답변?|정답|답변|답(?!니다)|결과|결론|해답|번역|합계?(?!니다)|반의어|반대말|유의어|동의어)(?:으?로는|은|는|이|가)?\s*[:=]?"
_ANSWER = r"(?:answer|ans|answers|response|solution|conclusion|verdict|final (?:result|choice|decision))"
_LESSER = r"(?:result|output|total|sum|difference|product|translation|count|value|completion|completed sequence|sorted list)"
CONCLUDES = regex(
    rf"(?P<final>\bfinal {_ANSWER}\b|最终答案|最終的な答え|최종 ?답변?)?(?:"
    rf"(?P<answer>(?<![\w<\"])(?:{_ANSWER})\b{_MODIFIED}{_LINK}|(?<=final)\s*{_LINK}|{_DE}|{_FR}|{_ES}|"
    rf"{_ZH}|{_JA}|{_KO})"
    rf"|(?P<lesser>(?<![\w<\"])\b{_LESSER}\b{_MODIFIED}{_LINK}))[\s:]*",
    re.I,
)
_WRONG_ONE = regex(
    r"\b(?:wrong|incorrect|previous|earlier|old|first|common|typical|tempting|absolute|confident in (?:this|my|the))\s$", re.I
)
_NO_NOUN = regex(r"\b(?:let's|us|let me|i'll|i|we|you|to|will|can|now|must)\s$|\d[^\n.:;]{0,60} in\s$", re.I)
"""What makes the next word no heading of an answer: a verb ("let's count:"), or an adverb after its number ("7 in total:")."""
_COUNTED = regex(
    r"(?:total|count) (?:number )?of (?:\d+|[a-z]+teen|one|two|three|four|five|six|seven|eight|nine"
    r"|ten|eleven|twelve)(?: [a-z-]+){0,3}\s*:\s*",
    re.I,
)
"""A total before its parts: "a total of 4 objects: a stove, ..."."""
_BESIDE = regex(r"difference|product", re.I)
"""Results that a reply may give besides the requested sum."""
CONCLUDING = words(
    "answer ans answers response solution conclusion verdict final result output total sum difference product translation "
    "count value completion completed sorted antwort endantwort ergebnis endergebnis gesamtergebnis fazit traduction reponse "
    "resultat respuesta resultado solucion conclusion traduccion resposta risposta risultato correct right choice decision "
    "richtige bonne choose pick endwert valeur valor"
)
_ABROAD = CONCLUDING | {"lösung", "übersetzung", "répon", "résult", "soluci", "traducci"}
_CONCLUDING_ABROAD = tuple(word for word in _ABROAD if not any(other in word for other in _ABROAD - {word}))
_CJK_WORD = regex(r"[答结結论論译翻正回解こ訳정답결해번합반유동複复类類対義义词单母差和]")


WORD = regex(r"\w+")
_OPENS_ONE = frozenset(
    str.split("ans res sol con ver fin out tot sum dif pro tra cou val com sor ant erg end ges faz rep ris lös übe rép rés")
)
"""How the words of Europe, in lower case, begin that open a conclusion; one may also begin where "final" ends."""


_FINAL = regex("final")


def _concluding(text: str) -> Iterator[re.Match[str]]:
    """As `CONCLUDES.finditer`, which would try all of its words at every character."""
    low = text.lower()
    if not western(text) or len(low) != len(text):
        yield from CONCLUDES.finditer(text)
        return
    end = 0
    if text.isascii():
        finals = [at.start() for at in _FINAL.finditer(low)] if "final" in low else []
        for start in sorted({*beginnings(text, CONCLUDING), *finals, *(at + 5 for at in finals)}):
            if start >= end and (match := CONCLUDES.match(text, start)) is not None:
                yield match
                end = match.end()
        return
    for word in WORD.finditer(low):
        if (name := word[0])[:3] not in _OPENS_ONE and "final" not in name:
            continue
        for start in (word.start(), *(word.start() + at.end() for at in _FINAL.finditer(name))) if "final" in name else (word.start(),):
            if start >= end and (match := CONCLUDES.match(text, start)) is not None:
                yield match
                end = match.end()


def _may_conclude(text: str) -> bool:
    if text.isascii():
        return not CONCLUDING.isdisjoint(words(text))
    low = text.casefold()
    return any(map(low.__contains__, _CONCLUDING_ABROAD)) or _CJK_WORD.search(text) is not None


_HEADING = regex(
    rf"(?m)^[#*\s]*(?:(?:the |my )?(?:final |correct )?{_ANSWER}|antwort|réponse|respuesta|答案|答え|정답|답)[.:*\s]*\n+", re.I
)
_IS_THE = (
    r" (?:clearly |definitely |indeed )?(?:(?:the|my|our) (?:final "
    r"|correct |right |best |only )*(?:answer|solution|result|choice|one)\b|what (?:i|we)(?:'d| would|'ll| will)? (?:say|choose"
    r"|pick|answer|get|go)\b|correct\b(?! (?:if|only)\b)|right\b(?! (?:of"
    r"|to|from|if|only)\b))"
)
_IS_THE_FOREIGN = (
    r"|ist (?:die (?:richtige )?(?:antwort|lösung)|(?:richtig|korrekt)(?=[.!]?$))\b|est la (?:bonne )?(?:réponse"
    r"|solution)\b|es la (?:respuesta"
    r"|solución)(?: correcta)?\b|이 정답|是(?:正确)?答案|が(?:答え|正解)"
)
_IS_IT = rf"(?:(?:is|are|was|would be|should be|=){_IS_THE}{_IS_THE_FOREIGN})"
_BACKWARD = regex(
    rf"(?:^|(?<=[.!?;\n。])\s*|\b(?:so|therefore|thus|hence|think|believe|but)\b,? )(?:\"(?P<quoted>[^\"\n]{{1,300}})\""
    rf"|(?P<said>[^\n.!?;。:]{{1,200}}?))\s*{_IS_IT}",
    re.I | re.M,
)
_ENDS_ONE = regex("|".join(f"{verb}{_IS_THE}" for verb in ("is", "are", "was", "would be", "should be", "=")) + _IS_THE_FOREIGN)
"""The same as `_IS_IT` for a text in lower case; each alternative begins with a letter, which Python's engine looks for fast."""
NEGATED = regex(
    r"^(?:(?:definitely|certainly|probably|clearly|simply|likely|most likely|obviously) )?(?:not|never(?=\s+\w)"
    r"|neither|n't|nicht|kein\w*|pas|no es|不是|並非|并非)\b(?! only)"
    r"|^(?:hardly|anything but|unlikely)\b|^不",
    re.I,
)
_INSTEAD = regex(
    r"(?:,|;)?\s*\b(?:but(?: rather)?|sondern|mais|sino|rather|instead)\b,?\s+(?:it(?:'s| is) )?|[,，]?\s?(?:而是|是(?!不))|, it(?:'s"
    r"| is) |[:;]\s+(?=-?\d[\d.,]*\W*$)",
    re.I,
)
_LINK_NEGATED = regex(r"(?:n't(?: be)?|cannot be|can not be|can't be|\bno es|n'est|不是)[\s:]*$", re.I)
_NOT_THIS = regex(r"^[^\n.。]{1,60}?(?:ではなく|じゃなくて|이 아니라|가 아니라)[、,]?\s*(\S.*)$", re.S)
_NEGATED_AFTER = regex(r"^[^\n.!?。]{0,60}?(?:ではありません|ではない|じゃない|이 아닙니다|가 아닙니다|이 아니|가 아니|\bpas\b)")
CORRECTS = regex(
    r"(?:^|[.!?\n,;…(]|\.\.\.| -)\s*(?:(?:oh|oops|hmm|ah|äh|no|nein|hang on)[,.!]? ){0,2}"
    r"(?:(?:wait|correction|korrektur|corrección|rectification|espera|perdón|attende?z|attends|pardon|moment mal|scratch that"
    r"|strike that|hold on|i meant?|ich meine?|i mean to say|oops|on (?:second thought|reflection)"
    r"|let me correct (?:that|myself)|i was (?:wrong|mistaken)|or rather|edit|revised answer|sorry,? (?:i meant?|no)|sorry(?=[,:.!-])"
    r"|(?:that|this)(?:'s| is| was) (?:wrong|not right|incorrect|not correct)|not quite right)\b(?: it(?: is"
    r"|'s))?[\s,:.!-]*(?:no\b[\s,:.!-]+(?=\w))?(?:(?:that|this)(?:'s| is| was) [^.\n]{1,40}\.\s+(?=\S))?"
    r"(?:(?:no|actually|sorry|i meant?|(?:that|this)(?:'s| is| was) (?:wrong|not right|incorrect|not correct))\b[\s,:.!-]*(?=\w))*)"
    r"|[.!]\s+(?:no|nope|nein|non),\s+(?=\S+\W*$)|(?:等等|等一下|不对|不對|更正|我错了|訂正|いや"
    r"|失礼|間違えました|計算(?:を|し)間違\w*|訂正します|(?:我)?(?:算|看|说)错了|抱歉,|(?:아, |앗, )?(?:제가 )?(?:잘못"
    r"|실수)[^.。]{0,12}[.。]|정정|아니,|잠깐)[,、。.!:\s]*"
    r"|(?:[.!?\n;…]|\.\.\.|,? -)\s*actually,?\s+|(?:\?|\.\.\.|…| -)\s*(?:(?:oh|oops|hmm+|ah|uh|well),? )?(?:no|nope|nein"
    r"|non)\b[,:.!](?![^\n]* - (?:yes|no)\b)\s*(?:actually\s+)?(?:(?:that"
    r"|this)(?:'s| is| was) [^.\n]{1,40}\.\s+(?=\S))?"
    r"|(?: -|\.\.\.|…)\s*sorry,?\s+"
    r"|[.!?;]\s+(?:however|but|yet),? (?:on|upon|after) (?:closer|further|second|more careful) \w+,?\s+",
    re.I,
)
TAKES_BACK = words(
    "wait correction correct scratch strike hold mean meant meine mein oops thought reflection wrong mistaken rather "
    "edit korrektur corrección perdón rectification espera attends attendez pardon moment revised sorry "
    "right actually incorrect no nope nein non closer further careful second"
)


def may_correct(text: str) -> bool:
    """Whether it is worth looking for a correction."""
    return not western(text) or not TAKES_BACK.isdisjoint(words(text))


def breaks_off(text: str) -> bool:
    """Whether it is worth looking for a correction after what a text says first."""
    return may_correct(text) and (not text.isascii() or _BREAKS_OFF.search(text) is not None)


_BREAKS_OFF = regex(
    r"[.!?\n,;(-]\s*(?:oh|oops|hm|ah|no|hang|wait|corr|korr|rect|espera|att|pardon|mom|scratch|strike|hold|i|let|or|edit|revis|sorry|that"
    r"|this|act|well|uh|how|but|yet|on|ne)",
    re.I,
)
"""The marks and the beginnings of words with which what `CORRECTS` finds begins in a text of ASCII, unless it opens the text."""


_NOT_OTHER = regex(
    r"(?<=\S)[,.]*\s+(?:and not|not|rather than|instead of|as opposed to|unlike|y no|et non|und nicht|nicht)\s+[^\n]*$|,\s+(?:no"
    r"|non)\s+[^\n]*$",
    re.I,
)
_OTHERS = ("no", "rather", "instead", "opposed", "unlike", "nicht")
_LEADS = regex(
    rf"^(?:{_ADVERB}|as follows|the following|given by|equal to|below(?=\s*[:.]|\s*$)|that|i (?:think|believe)(?: that)?"
    rf"|it(?:'s| is| would be)|they are|to be|exactly"
    r"|indeed|de|que|dass|est|is|simplemente|:|-|=)(?:[\s,:]+|$)",
    re.I,
)
_CJK_END = regex(r"\s*(?:です|でございます|だ|である|となります|になります|입니다|이다|이에요|예요|임|입니당)?\s*[。．.!！]?\s*$")
_CJK_SENTENCE = regex(r"(?<=\S) ?(?:(?:です|である|입니다|이다|예요|이에요)\s*[.!]\s+|。\s*)(?=\S)")
MOST = 50
"""Conclusions of a reply that are looked at, the last ones: one that concludes endlessly must not take quadratic time."""


class Conclusion(NamedTuple):
    """A place where a reply says its answer, how strongly (3 final, 2 answer, 1 result, 0 another result), and the text there.

    `raw` keeps what may only lead to the answer or follow it ("I think it is ..."); `text` is empty where it denies an answer.
    """

    text: str
    raw: tuple[str, ...]
    strength: int
    at: int


def conclusions(text: str) -> Sequence[Conclusion]:
    """The explicit conclusions of a folded text, in its order; one that only says what the answer is not has an empty text."""
    if (text.isalnum() and text.isascii()) or not _may_conclude(text):
        return ()
    found = []
    headed = {match.end() for match in deque(_HEADING.finditer(text), MOST)} if "\n" in text else set()
    ends = [(match.end(), match) for match in deque(_concluding(text), MOST)]
    for end, match in ends:
        strength = 3 if match["final"] else 2 if match["answer"] else 0 if _BESIDE.match(match[0]) else 1
        if _WRONG_ONE.search(text, max(0, match.start() - 30), match.start()):
            continue
        if strength < 2 and _COUNTED.fullmatch(match[0]):
            continue
        if strength < 2 and _NO_NOUN.search(text, max(0, match.start() - 70), match.start()):
            continue
        if denied_before(text[max(0, match.start() - 60) : match.start()].rpartition("\n")[2]):
            found.append(Conclusion("", (), strength, match.start()))
            continue
        if (said := _tail(text, end, match[0])) is not None:
            found.append(Conclusion(*said, strength, match.start()))
    known = {end for end, _ in ends}
    for end in sorted(headed - known):
        if not any(abs(end - other) <= 2 for other in known) and (said := _tail(text, end, "")) is not None:
            found.append(Conclusion(*said, 2, end))
    for match in deque(_BACKWARD.finditer(text), MOST) if _ENDS_ONE.search(text.lower()) else ():
        named = (match["quoted"] or match["said"]).strip(" \"'*_")
        if (
            named
            and not re.search(r"\b(?:this|that|it)$", named, re.I)
            and not re.match(r"(?:this|that|it|which|what|who|one|here|there|of these|so|he|she|they|the)$", named, re.I)
            and not re.search(r"\bnot$|n't$|\b(?:answer|think|believe)\b", named, re.I)
        ):
            named = named.rpartition(", but ")[2]
            led = re.sub(r"^(?:so|therefore|thus|hence|i think|i believe)\b,? (?:that )?", "", named, flags=re.I)
            found.append(Conclusion(led, (named,), 2, match.start()))
    return sorted(found, key=lambda one: one.at)


_ANOTHER = regex(r"(?<=\S)\s*\|\s*(?=\w[\w ]{0,30}:\s)")
"""What separates a result from another that has a label: "Sum: 113 | Difference: 55"."""


def _tail(text: str, end: int, link: str) -> tuple[str, tuple[str, ...]] | None:
    """What a conclusion says: the rest of its line, or the lines below where nothing is there; None where nothing does.

    Without and with the words that lead to it.
    """
    tail = text[end:].split("\n", 1)[0]
    begun_below = "\n" in link[len(link.rstrip()) :] or not tail.strip()
    if begun_below:
        tail = text[end:].strip()
        cut = EXPLANATION.search(tail, 1)
        tail = tail[: cut.start()] if cut else tail
    tail = raw = without_remarks(_ANOTHER.split(tail, maxsplit=1)[0] if "|" in tail else tail)
    while (lead := _LEADS.match(tail)) is not None and tail[lead.end() :].strip():
        tail = tail[lead.end() :]
    if NEGATED.match(tail) or (_may_negate(link) and _LINK_NEGATED.search(link)):
        instead = _INSTEAD.search(tail, 1)
        if instead is None or not tail[instead.end() :].strip():
            return "", (plain_end(raw),)
        tail = tail[instead.end() :]
    eastern = not western(tail)
    if eastern and (other := _NOT_THIS.match(tail)) is not None:
        tail = other[1]
    if (eastern or "pas" in tail.lower()) and _NEGATED_AFTER.match(tail):
        return "", (plain_end(raw),)
    low = tail.lower()
    bare = _NOT_OTHER.sub("", tail) if any(map(low.__contains__, _OTHERS)) else tail
    said = plain_end(_CJK_SENTENCE.split(bare, maxsplit=1)[0] if eastern else bare) or plain_end(tail)
    if eastern and said:  # what another sentence says is no part of the conclusion
        tail, raw = (_CJK_SENTENCE.split(one, maxsplit=1)[0] for one in (tail, raw))
    return (said, (plain_end(tail), plain_end(raw))) if said else None


def _may_negate(link: str) -> bool:
    low = link.lower()
    return "n'" in low or "not" in low or "no es" in low or not low.isascii()


def plain_end(tail: str) -> str:
    """The text without the words and marks with which an eastern sentence ends."""
    tail = tail.strip()
    if tail.isascii() or re.search(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af。]", tail) is None:
        return tail
    return _CJK_END.sub("", tail, count=1).strip()


def strongest(found: Sequence[Conclusion]) -> Conclusion | None:
    """The last of the strongest conclusions."""
    if not found:
        return None
    saying = [one for one in found if one.text] or found
    top = max(one.strength for one in saying)
    return next((one for one in reversed(saying) if one.strength == top), None)

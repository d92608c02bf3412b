"""Words by which a reply says what its answer is not: before the thing, after it, and about a reply as a whole."""

from __future__ import annotations

import re

from promptlab.scoring.answers.text import western, words
from promptlab.scoring.compiled import regex

_NOT = (
    r"(?:\b(?:not|never|neither|nor|hardly|scarcely|barely|anything but|far from|by no means|in no way|no way|no longer|instead of"
    r"|rather than|unlike|except|nothing|nicht|kaum|(?:nur|bloß) scheinbar|only (?:apparently|seemingly"
    r"|superficially)|s[oó]lo (?:aparentemente|en apariencia)|(?<!ein )wenig|(?<!un )(?:peu|poco)"
    r"|kein\w{0,2}|n'est pas|pas"
    r"|weder|ni|no (?:es|son|hay)|non è|não é|ne sont pas|(?<!no )(?<!without )doubt(?:ful)?"
    r"|disagree|deny|unlikely|refuse|reject|dismiss|rule out|loin d'être|lejos de ser|queda descartad[oa]"
    r"|hesitate to|fails? to|wrong to|incorrect to|mistake to|impossible)\b(?![\"'])|n't\b|cannot\b|不一定|未必"
    r"|不见得|不是|不|並非|并非|排除了?)"
)
_THING = (
    r"(?:correct |right |final |best |larger |plural |first |second )?(?:answer|letters?|order|words?|sequence|list|form|animals"
    r"|result|sum|total|number|difference|count|word|letter|opposite"
    r"|antonym|synonym|translation|plural|rhyme|cause|sentence|review|value|option|choice|solution|level|meaning|animal)"
)
_ON = (
    rf"(?:,?\s*\b(?:(?:the|my) {_THING}|be|been|to|compute|calculate|know|tell|a|an|the|at all|really|actually|exactly|quite|very"
    rf"|simply|just the|necessarily"
    rf"|entirely|completely|fully|purely"
    r"|particularly|equal|make|get|it|it's|it is|(?:this|that) one|this|that|there|they|is|are|was|were|would|think|believe|say"
    r"|call|called|what|i'd"
    r"|i would|i|describe|rate|label|classify|suggests?|indicates?|mean|consider"
    r"|considered|described|as|sound|seem|seems|look|looks|imply|implies|number|option|choice|answer|whether|if|confident|convinced"
    r"|agree|es|dass|ist|que|of|égale?|à|igual|gleich|l[ae]|el|d(?:er|ie|as)|ganz|del todo|franchement|vraiment"
    r"|tout à fait|nada|realmente|wirklich|besonders|forcément|unbedingt|une?|una|eine?|als|comme|como|opción|aussage)\b)"
)
DENIES = rf"{_NOT}(?! (?:only|just|merely)\b){_ON}{{0,7}}"
"""What denies the thing that follows it: "not", "I doubt that it is", "I wouldn't call this"; a pattern without its flags."""
_WRONG = (
    r"(?:wrong|incorrect|false|mistaken|impossible|out|ruled out|excluded|falsch|fau(?:x|sse)|fals[oa]|incorrect[oae]"
    r"|err[oó]ne[oa]|off(?=[.!\"')]|$)"
    r"|(?:the|a|an) (?:common |typical "
    r"|frequent )?(?:wrong|slip|typo|misprint|miscalculation|mistake"
    r"|error|incorrect)\w*|close\b|too (?:high|low|big|small|large)|not (?:it|right|correct|true|possible|the (?:\w+ )?(?:answer"
    r"|one|opposite"
    r"|antonym|case)))"
)
_EAST = (
    r"(?:を?という(?:意味|こと|わけ)|이?라는 ?[뜻의]미?)?(?:では(?:ありません|な[いくし])|じゃな[いく]|で(?:な[いく]|ありません)"
    r"|[이가은는도] 아(?:닙니다|닌(?!가)|니(?:다|에요|야|라)?))"
    r"|く(?:は|も)?(?:ありません|ない|なく)|は?し(?:て(?:は|も)?い)?(?:ない|ません|なかった)|せず|しておら|してはおら"
    r"|(?:だ|である)?と(?:まで)?は?(?:言え|いえ|言い(?:難|がた|きれ)|思え|思わ|考えられ|限[らり]|みなせ|言って|言いませ)(?!ば|る|ます)"
    r"|[가-힣]?지(?:는|도)? ?(?:않|못)|(?:の|的)?(?:関係|관계|关系|性)? ?(?:は|が|も|に(?:は)?"
    r"|[이가은는에])? ?(?:成り立(?:ち?ません|た(?:ない|ず))"
    r"|成立し(?:ない|ません|て(?:い)?(?:ない|ません))|성립(?:하지|되지) ?않|있지 않|ありません|を欠|が欠け|不成立)|是错|不对"
)
DENIED_EAST = rf"\s*[\"')]?\s*(?:{_EAST})"
"""What denies the thing before it in Chinese, Japanese and Korean; a pattern without its flags."""
DENIED_AFTER = (
    r"\s*[\"')]?\s*(?:\?\s*i doubt (?:it|that)\b|\?\s*(?:that|this|it)(?:'s| is| was|) ?(?:can't be|cannot be|isn't|not|wrong\b"
    r"|incorrect\b)(?: be)?"
    rf"(?: (?:right|correct|true|it)\b)?|\?\s*(?:no|nope|nein|non|hardly|never|not really)(?: way| chance)?\b[.!]*\s*$|[❌✗✘✖]|(?:-|:"
    rf"|\()\s*{_WRONG}\b"
    rf"|(?:is|are|was|were|(?:would|must|has to|have to|can only) be|ist|est|es|seems|too|(?:looks|sounds|feels)(?! wrong to)"
    rf"|appears|(?:muss|kann nur)(?= [\w ]{{1,20}}sein\b)|doit être|debe(?: de)? ser|tiene que ser|parece|semble|scheint)\s+(?:to be )?"
    rf"(?:(?:simply|clearly|definitely|obviously|surely|certainly|probably|most likely) )?{_WRONG}\b"
    r"|(?:is|was|can|could|would|ca|does)\s?(?:n't|not)\s+(?:possibly )?(?:be )?(?:it|right|correct[oae]?|true"
    r"|possible|the (?:\w+ )?(?:answer"
    r"|one|case|sum|result|total))\b"
    r"|(?:is|was) not (?:what|how) \w+|(?:ist|est|es|queda|está) (?:ausgeschlossen|exclue?|excluid[oa]|descartad[oa])\b"
    r"|\?\s*(?:그럴 리|まさか|そんなはず|怎么可能)|(?:[はを은는을를] ?)?(?:除外|제외)(?=[。.]?$|する|합|됩)"
    r"|kann (?:so |hier )?(?:gar )?(?:nicht|not) (?:stimmen|richtig sein|sein)\b|ne peut pas être (?:correcte?|juste"
    r"|exacte?|vraie?|bonne?|la bonne)\b"
    r"|no puede ser (?:correct[oa]|ciert[oa]|la (?:respuesta|correcta))\b"
    rf"|{_EAST})"
)
"""What denies the thing before it: "is wrong", "isn't the answer", a cross."""
_DENIED_BEFORE = regex(rf"{DENIES}\s*[\"'(]*$", re.I)
_OFFERS = regex(
    r"\b(?:but|instead|rather(?! than)|sondern|mais|sino)\b|[;:]\s|\.\s|,? (?:(?:so|therefore|hence|thus|which means|meaning) )?"
    r"(?:that )?(?:(?:it|this|that)(?:'s| is| would be| has to be| must be| should be| can only be)"
    r"|(?:it|that|this) (?:only )?leaves) (?!not\b)"
    r"|,? así que (?:tiene que ser|es) (?!no\b)"
    r"|\n|→|而是",
    re.I,
)
_OPENS = regex(
    rf"^\W*(?:(?:it|this|that|they|i|there|(?:the|my) {_THING})\s?(?:is|are|was|were|does|do|did"
    rf"|can|could|would|will|ca|wo|'s|'re|'m)?\s*"
    rf")?(?!instead|rather|unlike|except|nothing)(?:so |really |very |certainly |definitely |clearly |probably |seriously "
    rf"|highly )?{DENIES}\s+[^\s,.;]",
    re.I,
)
_CLOSES = regex(
    rf"^(?:(?![.!?;]\s|,\s(?:and|und|et|y|while|whereas|though|although)\s|[,、][^\W\d])[^\n]){{1,300}}?"
    rf"(?:{DENIED_AFTER}|[\"')]? (?:is|are|was|were)(?:n't| not) (?:the|a|an|in) [^\n]{{1,40}})\W*$",
    re.I,
)
_LABELLED = regex(
    r"^\W*(?:wrong|incorrect|false|not [\w ]{1,20}|non[ -]\w{1,20}|un\w{3,12}|original|input)(?: answer"
    r"| order)?\s*:\s",
    re.I,
)


CUES = words(
    "scheinbar apparently seemingly superficially aparentemente apariencia kaum wenig peu poco not t cannot nor never neither "
    "hardly scarcely barely but far means way no less than nicht kein keine keinen keiner pas "
    "doubt doubtful disagree deny unlikely refuse hesitate fail fails wrong incorrect incorrecto mistake mistaken error false "
    "ausgeschlossen exclu exclue excluido excluida descartado reject dismiss rule loin lejos queda descartado "
    "descartada slip typo misprint miscalculation off fausse falso "
    "falsa incorrecte incorrecta impossible instead rather unlike "
    "except nothing too out excluded unrelated poor "
    "falsch faux weder ni close nope nein non agree"
)
"""A text of ASCII that denies something has one of these words."""
_DENIES = regex(DENIES, re.I)


def may_deny(text: str) -> bool:
    """Whether it is worth looking for a denial: the patterns of denials are slow, and few texts hold one."""
    return not text.isascii() or not CUES.isdisjoint(words(text))


def _may_hold(text: str) -> bool:
    """Whether a text may hold what `DENIES` finds."""
    return not CUES.isdisjoint(words(text)) or (not text.isascii() and (not western(text) or "kein" in text.casefold()))


def denying(text: str) -> bool:
    """Whether a text denies anything."""
    return _may_hold(text) and _DENIES.search(text) is not None


def denied_before(before: str) -> bool:
    """Whether a text denies what comes next."""
    return _may_hold(before) and _DENIED_BEFORE.search(before) is not None


def offered(text: str) -> str:
    """What a text that denies something first says instead: "not X but Y"; nothing where it does not."""
    if len(text) > 400 or not may_deny(text):
        return ""
    if (short := _SHORT.fullmatch(text)) is not None:
        return short[1]
    if text.isascii() and _OFFERING.isdisjoint(words(text)) and _OFFERS_IT.search(text) is None:
        return ""
    opens = _OPENS.match(text)
    instead = _INSTEAD.search(text, opens.end()) if opens is not None else None
    return text[instead.end() :].strip() if instead is not None else ""


_OFFERING = words("but sondern mais sino instead rather")
_OFFERS_IT = regex(r";|[,.]\s*(?:so )?it", re.I)
_SHORT = regex(r"\W*not \w+, (\w+)\W*", re.I)
_INSTEAD = regex(
    r"[,;]?\s*\b(?:but(?: rather)?|sondern|mais|sino|instead|rather(?! than))\b,?\s+(?:it(?:'s| is) )?|[,;.]\s*(?:so )?it(?:'s"
    r"| is) (?!not\b)|，?而是"
    r"|;\s+",
    re.I,
)


_OF_OTHERS = regex(
    r"\S.*(?:\b(?:the (?:others?|rest|remaining \w+)|die (?:anderen|übrigen|restlichen)|der rest"
    r"|les autres|le reste|l[oa]s (?:demás|otr[oa]s)|el resto)\b"
    r"|其[他余它]|剩下|残り|それ以外|その他|나머지|그 외)[^.。;]{0,40}\W*$",
    re.I | re.S,
)
"""What is denied of all others only: "X and Y are animals, the others are not"."""


def _may_say_others(text: str) -> bool:
    low = text.lower()
    others = "other" in low or "otr" in low or "rest" in low or "remaining" in low or "anderen" in low or "autres" in low
    return others or not text.isascii()


_BOTH_BOUNDS = (
    r"(?:\b(?:no|not|nothing|neither) (?:a single one )?(?:more|fewer|less),? (?:and|or|nor|but),? (?:also )?"
    r"(?:(?:no|not|nothing) )?(?:more|fewer|less) than"
    r"|\bnicht (?:mehr|weniger) und (?:auch )?nicht (?:weniger|mehr) als|\bni (?:plus|moins) ni (?:moins|plus) (?:que|de)"
    r"|\bni (?:más|menos) ni (?:menos|más) (?:que|de)|\bn[eé] più né meno (?:di|che)|\bnem mais nem menos (?:que|do que|de))"
)
_EXACT = regex(_BOTH_BOUNDS, re.I)
EXACTLY = regex(rf"{_BOTH_BOUNDS}\s*$", re.I)
"""Both bounds at once: "no more and no fewer than 8" is exactly 8."""


def denies(text: str) -> bool:
    """Whether a whole reply only says what its answer is not, and offers no other: "not X", "X is wrong", "Wrong: X"."""
    if len(text) > 400 or "✅" in text or not may_deny(text) or (_may_say_others(text) and _OF_OTHERS.search(text)):
        return False
    if _CLOSES.match(text):
        return True
    opens = _LABELLED.match(text) or _OPENS.match(text)
    return opens is not None and _OFFERS.search(text, opens.end()) is None and _EXACT.search(text) is None

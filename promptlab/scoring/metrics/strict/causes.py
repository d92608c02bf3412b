"""Which of two sentences a reply names as the cause."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import denies, denying, may_deny
from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.answers.text import fold, full, key, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict import paraphrase, phrases
from promptlab.scoring.metrics.strict.roles import Roles, by_role

_CAUSES = Roles(
    regex(
        r"\bcaus(?:e|al)\b|\breason\b|\bcausa\b|\bursache\b|\btrigger\b|\b(?:auslöser|déclencheur|desencadenante)\b|原因|원인"
        r"|\b(?:happen(?:s|ed)|c[ao]mes?|occur(?:s|red)|is|was) first\b|\bfirst$|✅",
        re.I,
    ),
    regex(
        r"\b(?:effect|results?(?= of\b)|consequence|outcome|caused by"
        r"|(?:happen(?:s|ed)|c[ao]mes?|occur(?:s|red)) (?:later|after(?:wards)?)$"
        r"|efecto|effet|wirkung|folge|consecuencia|conséquence)\b|結果|结果|결과|❌",
        re.I,
    ),
    regex(
        r"\b(?:caus(?:es|ed|ing)(?! by)|(?:led|leads|leading) to|made|makes|so|therefore|thus|hence|precede[sd]?|resulted in|results in"
        r"|(?:happen(?:s|ed)|occur(?:s|red)|came|comes|took place|takes place|was|is) before|geschah vor|(?:a eu lieu"
        r"|s'est produite?) avant"
        r"|ocurrió antes (?:de|que)"
        r"|brought about|brings? about|triggers?(?!\s?:)|(?<!is )(?<!was )triggered|explains?(?: why)?"
        r"|accounts? for|is why|erklärt\w*|explique|explica|(?:the )?reason (?:for|why|behind)|verursach\w+"
        r"|führt\w* zu|bewirkt\w*|(?:der )?grund für"
        r"|caus(?:e|a)(?:nt)?(?! d|\s?:)|provo(?:qu|c)\w+|entraîn\w+|(?:la )?raison de|(?:el )?motivo de"
        r"|d(?:a|io) lugar a|origin[aó]\w*|conduit à|mène à"
        r"|lleva a|conduce a|as a (?:result|consequence)(?! of)|consequently"
        r"|then|(?:which|this|that) is why|for (?:this|that) reason|accordingly|the cause of)\b|→|[-=]>",
        re.I,
    ),
    regex(
        r"\b(?:because|since|(?:caused|triggered) by|due to"
        r"|as a result of|result(?:s|ed)? from|results? of|(?:is|was) explained by|depend(?:s|ed) on"
        r"|follow(?:s|ed) from|effect of|consequence of|after"
        r"|as(?! a (?:result|consequence)\b(?! of))|folge (?:von|aus)|ergibt sich aus|resultiert aus"
        r"|entsteh\w+ (?:aus|durch)|wegen|aufgrund"
        r"|conséquence de|(?:résult|découl)\w+ de?|causée?s? par|provoquée?s? par|entraînée?s? par|due? à|à cause d"
        r"|consecuencia de|result[ae]\w* de|(?:causad|provocad)[oa]s? por|se deb\w+ a|efecto de|debido a|a causa de)\b|←|<[-=]"
        r"|是(?:由|因为|由于|因)|durch(?= \W*$)|durch ",
        re.I,
    ),
)
_C, _E = "(?P<c>[\ue000\ue001])", "[\ue000\ue001]"
_TOLD = regex(
    rf"\b(?:because of|due to|owing to|as a (?:result|consequence) of|wegen|aufgrund(?: von)?|à cause de|en raison de|debido a|a causa de"
    rf"|por culpa de) \W*(?:la |the )?{_C}[^.]{{1,60}}?{_E}"
    rf"|^\W*(?:because|since|weil|da|parce que|comme|puisque|como|porque|ya que|dado que) [^.\ue000\ue001]{{1,100}}?(?P<c9>{_E})"
    rf"[^.]{{1,100}}?{_E}"
    rf"|(?:(?:因为|由于) ?(?P<c1>{_E})[^。.]{{0,20}}?{_E})|(?P<c2>{_E})[^。.\ue000\ue001]{{0,8}}(?:导致"
    rf"|引起|造成|引发|使得|促使)[^。.\ue000\ue001]{{0,4}}{_E}"
    rf"|{_E} ?[はがは是은는이가] ?(?P<c3>{_E}) ?[的の의] ?(?:结果|結果|后果|影響|결과)"
    rf"|(?P<c4>{_E}) ?(?:が原因(?:となって|で)|のため(?:に)?|のせいで|により|によって|때문에|(?:으)?로 인해서?"
    rf"|(?:으)?로 인하여|덕분에|탓에|에 의해)[、,]? ?{_E}"
    rf"|{_E} ?[はが은는이가] ?(?P<c5>{_E}) ?(?:によって|により|が原因で|のせいで|때문에|(?:으)?로 인해|에 의해|에서 비롯)"
    rf"|(?P<c6>{_E}) ?[はが은는이가] ?{_E} ?(?:を(?:引き起こ|もたら|招|生じさせ)|[을를] ?(?:일으|초래|유발|야기))"
    rf"|{_E} ?[의の的] ?(?:原因|理由|원인|이유)[はが是은는이가]? ?(?P<c7>{_E})"
    rf"|(?P<c11>{_E}) ?解释了? ?{_E}|{_E}'s (?:cause|reason|trigger) (?:is|was) \W*(?P<c12>{_E})"
    rf"|{_E} (?:is|was|seems) less (?:likely|probable|plausible) (?:(?:to be )?the cause )?than \W*(?P<c14>{_E})"
    rf"|\b(?:(?:der )?grund für|(?:la )?raison d[eu]|(?:la )?razón de) \W*(?:la )?{_E} (?:ist|est|es) \W*(?:la )?(?P<c13>{_E})"
    rf"|(?P<c10>{_E}) ?(?:の結果(?:として)?|의 결과(?:로)?)[、,]? ?{_E}"
    rf"|(?P<c8>{_E})\W+(?:hat|löst|löste|zieht|ruft|brachte|bringt)\W+{_E}\W+(?:ausgelöst|verursacht"
    rf"|bewirkt|herbeigeführt|aus|nach sich|hervor)\b",
    re.I,
)
"""Causes that a sentence tells where no word between the two does: "because of A, B happened", "AがBを引き起こした"."""
_may_tell = may_hold(_TOLD)
_RESULT = (
    r"(?:effect|result|consequence|outcome|aftermath|folge|wirkung|ergebnis|auswirkung|conséquence|effet|résultat|efecto|consecuencia"
    r"|resultado|结果|結果|后果|결과)"
)
_ANSWERED = regex(
    rf"\A\W*(?:(?:so|it(?: is|'s)?|es ist|c'est|es|the (?:answer|cause) is|答案是|原因是) ?)?(?:the |l[ae] |el |die "
    rf"|der )?(?P<c>{_E})(?:です|입니다|だ|이다)?"
    rf"(?:\W+(?:and |und |et |y )?(?:not|nicht|pas|non|no|而?不是|rather than)\W+(?:the |la )?(?P<other>{_E}|[12])\W*\Z"
    rf"|[\W]*(?:(?:because|since|as|for|denn|weil|da|car|parce que?|puisque|porque|ya que|pues|因为|由于|なぜなら|왜냐하면)\b)?[\W]*(?:"
    rf"(?:the |la |der )?(?P<effect>{_E}) ?(?:en )?(?:(?:is|was|describes?|states?|shows?|gives?|ist|beschreibt|en est|est"
    rf"|décrit|es|describe|是|は|が|은|는|이) ?)"
    rf"(?:(?:only|just|clearly|the|an?|its|die|das|der|l[ae]|el|un|una|l') ?){{0,3}}{_RESULT}(?!\W*(?:by|ではな|じゃな|가 아|이 아))"
    rf"(?! (?:of|von|de) {_E})"
    rf"|(?:la |the |der )?(?P<verb>{_E}) (?:nur )?(?:die|das|eine?) {_RESULT} (?:beschreibt|ist|zeigt|nennt)\b"
    rf"|(?:la |the |der )?(?P<later>{_E}) (?:(?:can|could|did) ?not (?:possibly )?(?:have )?cause|(?:is|was) (?:only )?(?:what"
    rf"|something that) (?:happened|came|followed)"
    rf"|(?:happened|came|occurred|followed|comes|happens|follows) (?:later|after(?:wards)?\b(?! {_E}|\w))|geschah (?:erst )?danach"
    rf"|(?:a lieu|vient|s'est produite?) (?:après|ensuite)|ocurrió después)"
    rf"|(?:it|this|that|sie|es|er|elle|cela|esta|esto|(?P<again>{_E})) (?:must have |has to have )?"
    rf"(?:happen(?:ed|s)?|occur(?:red|s)?|came|comes|come|took place|takes place|is|was|geschah|passierte|a lieu|se produit"
    rf"|ocurrió|sucedió) "
    rf"(?:first\b|earlier\b|(?:right |long |just )?(?:before|prior to|vor|avant|antes de) (?:la |the )?(?P<before>{_E}))))",
    re.I,
)
"""A sentence that is named as the answer, with a reason that speaks of the other one: "Sentence 1, because sentence 2 is the result"."""


def _answered(marked: str) -> int | None:
    """The sentence that a reply names first, where what follows says that the other one is not it or comes after it."""
    found = _ANSWERED.match(marked)
    if found is None:
        return None
    one = found["c"]
    others = [found[name] for name in ("effect", "verb", "later", "before") if found[name]]
    if found["other"]:
        others.append(found["other"] if found["other"] >= "\ue000" else "\ue000\ue001"[int(found["other"]) - 1])
    if one in others or found["again"] not in (None, one):
        return None
    return ord(one) - 0xE000


_EITHER = regex("[\ue000\ue001] ?(?:or|and|/|&|oder|ou|o|y) ?(?:sentence )?(?:[12]\\b|[\ue000\ue001])")
_RELATED = regex(
    r"\W*([\ue000\ue001])[\s,;]{1,3}(?:(?P<because>because|since|due to|as a result of)"
    r"|so|which (?:is why|caused|made|led to))\b"
)
"""One sentence in full, and the other in words of the reply's own: "The glass broke because he dropped it"."""
_REASONED = regex(r"\W*(?:because|since|as|when|after) [^,]{3,80}, ([\ue000\ue001])\W*")
_NUMBERED = regex(r"\W*(?:the )?(?:sentence|statement|option|number|first|second|former|latter|\d)\b")
_BARE_NUMBER = regex(r"\W*([12])\b(?=[).]?\s*(?:[,;:(]|-\s|because\b|since\b|as\b))(?!\W*(?:or|and|,|/)\W*[12]\b)")
_BECAUSE = regex(r"^\W*(?:because|since|as|after|once|when|given that|weil|da)\s+(?=\ue000|\ue001)", re.I)


_NOT_THE_OTHER_CUES = words("rather instead fit makes sense")
_NOT_THE_OTHER = regex(
    r"[ ,]+(?:rather than|instead of) (?:the |la )?[\ue000\ue001]|[ ,]+(?:because|since|as) (?:the "
    r"|la )?[\ue000\ue001] (?:does not fit|makes no sense)[^.]*"
)
"""What says of the other sentence only that it is not the one."""
_OTHER = (
    r"(?:(?:so|but|it is|it must be|es|c'est|also|sondern|donc|sino) )*(?:the|la|el|die|l') ?(?:other|otra|otro"
    r"|autre|andere)(?: one| sentence)?"
)
_DENIED_ONE = regex(
    rf"\W*(?:{_OTHER}\W+)?(?:[\w', ]{{0,30}}?\b(?:not|never|cannot)(?: (?:be|say|think|believe|that|it|is|the|la|answer|cause))*)?"
    r" ?(?:the |la )?[\"'(]*[\ue000\ue001]\W*(?:(?:is|was|ist|est|es) (?:not (?:correct|right|the (?:answer"
    rf"|cause|one))|wrong|incorrect|falsch|faux))?\W*(?:{_OTHER})?\W*"
)
"""A reply that denies one of the two sentences, and says nothing else."""


_QUOTING = regex("[12] ?[.:)]|which is the")
_QUOTES = regex(
    r"\A\W*(?:the )?(?:sentence|statement|option|number)? ?#?[12]\s?[:).]\s*(?P<said>[^\n.;]{8,150})"
    r"|(?:\A|[.!?\n]\s*)(?P<called>[^.!?\n]{8,150}?), which is the (?:correct |right )?(?:answer|cause|one)\b",
    re.I,
)
"""What a reply gives as the text of a sentence by its number, or calls the answer."""


def cause(reply: Reply, item: Item) -> Scored:
    """One of the two sentences of the input, or its number."""
    pair, mentions = _sentences(item.input)
    if mentions is None:
        return phrases.text(reply, item)
    for quoted in _QUOTES.finditer(reply.unremarked) if _QUOTING.search(reply.unremarked) is not None else ():
        if paraphrase.of_neither(quoted["said"] or quoted["called"], pair):
            return Scored(0.0, None, "another sentence")
    told = paraphrase.as_cause(reply.unremarked, pair)
    chosen, rule = _cause(reply, pair, mentions) if told is None else (told, "role")
    if chosen is None and not rule and paraphrase.may_name(reply.unremarked) and mentions.search(reply.unremarked) is None:
        text = paraphrase.named(reply.unremarked, pair)
        chosen, rule = _cause(located(text), pair, mentions) if text != reply.unremarked else (None, "")
        chosen = chosen if rule == "role" else None
    if chosen is None:
        return Scored(0.0, None)
    sentence = pair[chosen]
    right = key(sentence) in {re.sub("^sentence [12] ", "", key(target)) for target in item.targets}
    return Scored(float(right), sentence, rule)


@lru_cache(maxsize=4096)
def _sentences(asked: str) -> tuple[tuple[str, ...], re.Pattern[str] | None]:
    """The two sentences of an input, and the pattern of their mentions in compared form: their words, number or place."""
    found = re.fullmatch(r"Sentence 1: (.+?) Sentence 2: (.+)", asked.strip(), re.S)
    if found is None:
        return (), None
    numbered = (
        r"(?:the )?(?:(?:event|action|fact) in )?(?:sentence|statement|number|option|\bs|文|句子?|문장|satz"
        r"|phrase|oración|frase) ?#?(?:{n}(?!\d)"
        r"|{word}\b)|(?:(?<=: )|(?<=원인은 )|(?<=결과는 )|(?<=[因果][は是])){n}(?!\d)"
        r"|第{east}(?:个|個)?(?:句话?|句子|文)|{east}(?:つ|番)目の文|{korean} ?번째 문장"
        r"|\bthe {place}(?: one| sentence| statement| event)?\b|\b{place} (?:one|sentence|statement|event)\b"
    )
    each = (
        rf"(?P<o{i}>(?:\b(?:sentence|statement) {i + 1}\W*)?[\"'(]{{0,3}}{_loosely(found[i + 1])}[\"')]*"
        rf"|{numbered.format(n=i + 1, place=place, word=word, east=east, korean=korean)})"
        for i, (place, word, east, korean) in enumerate(
            (("(?:first|former)", "one", "[1一]", "첫"), ("(?:second|latter)", "two", "[2二]", "두"))
        )
    )
    return found.groups(), regex("|".join(each), re.I)


def _loosely(sentence: str) -> str:
    """A pattern of a sentence's words with any punctuation between and after them."""
    named = re.findall(r"[\w']+", full(fold(sentence).casefold()))
    return r"\b" + r"\W+".join(map(re.escape, named)) + r"\b(?:\.(?=[\"')]|\s*(?:→|[-=]>|\()))?"


def _marked(place: str, mentions: re.Pattern[str]) -> str:
    """A place with each mention of a sentence as one private character."""
    return mentions.sub(lambda match: chr(0xE000 + int(str(match.lastgroup)[1:])), place)


def _cause(reply: Reply, pair: tuple[str, ...], mentions: re.Pattern[str]) -> tuple[int | None, str]:
    text = full((reply.corrected or reply.head).casefold())
    if not _NOT_THE_OTHER_CUES.isdisjoint(words(text)):
        marked = _marked(text, mentions)
        if (without := _NOT_THE_OTHER.sub("", marked)) != marked and re.search("[\ue000\ue001]", without):
            reply = located(without.replace("\ue000", "sentence 1").replace("\ue001", "sentence 2"))
            text = reply.head
    if not reply.corrected and (answered := _answered(_marked(text, mentions))) is not None:
        return answered, "role"
    if _may_tell(text) and (told := _TOLD.search(_marked(text, mentions))) is not None and not denying(told[0]):
        return ord(next(one for one in told.groups() if one)) - 0xE000, "role"
    if (chosen := by_role(text, mentions, _CAUSES)) is not None:
        return chosen, "role"
    concluded = [text] if reply.corrected else [full(reply.concluded.text.casefold())] if reply.concluded is not None else []
    states = full((reply.states or "").casefold())
    for place in dict.fromkeys((*concluded, states, full(reply.unremarked.casefold()), full(reply.text.casefold()))):
        marked = _marked(place, mentions)
        if _EITHER.search(marked):
            return None, ""
        named = set(re.findall("[\ue000\ue001]", marked))
        if len(named) == 1 and (told := _RELATED.match(marked)) is not None and not _NUMBERED.match(place):
            return (ord(told[1]) - 0xE000) ^ (told["because"] is not None), "role"
        if (told := _REASONED.fullmatch(marked)) is not None and len(named) == 1 and not _NUMBERED.search(place):
            return 1 - (ord(told[1]) - 0xE000), "role"
        if _BECAUSE.match(marked):
            named = {re.findall("[\ue000\ue001]", marked)[0]}
        if not named and place.strip(" .()#") in ("1", "2"):
            return int(place.strip(" .()#")) - 1, "whole"
        if not named and (told := _BARE_NUMBER.match(place)) is not None and not any(c.isdigit() for c in place[told.end() :]):
            return int(told[1]) - 1, "number"
        denied = len(named) == 1 and may_deny(place) and denies(marked)
        if denied and _DENIED_ONE.fullmatch(marked) is not None:
            return 1 - (ord(named.pop()) - 0xE000), "the other one"
        if len(named) == 1 and not denied:
            return ord(named.pop()) - 0xE000, "conclusion" if concluded and place == concluded[0] else "whole"
    return None, ""

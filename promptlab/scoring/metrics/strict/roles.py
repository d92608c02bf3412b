"""Options by the roles that a text gives them: "the larger one is A", "B is the effect", "A is bigger than B"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.compiled import regex

_FIRST = 0xE000
_ONE = "[\ue000-\ue00f]"
_CLAUSES = regex(
    r"[;\n。]|[.!?](?=\s|$)|,(?! (?:which|who|is|was|being)\b)|、"
    r"|\b(?:while|whereas|and|but|mais|sino|sondern|though|although|because|since|alors que|tandis que|mientras(?: que)?"
    r"|während|wohingegen|compared (?:to|with)|y|und|et)\b|(?<=[고며])\s|(?<=므로)\s|(?<=\S) (?=(?:원인|결과)[은는] )|(?<=지만)\s"
    r"| e "
    r"|(?<=\S) (?=(?:ursache|wirkung|folge|cause|effect|effet|result|causa|efecto|trigger|outcome)\s?:)"
    r"|(?<=\S) (?=(?:結果|原因|大き|小さ|较|較|결과|원인)\S{0,3}:)"
    r"|(?<=[✅❌✔✗✘])(?=\s*\S)"
    r"|\s[|/]\s"
    r"|(?<=\S)(?<!\bnot)(?<!\bno)(?<!\bnon)(?<!\bnicht)(?<!\bpas)(?<!\bless)(?<!\btimes)(?<!\bmuch)(?<!\bfar)(?<!\bnão) "
    r"(?=\W{0,3}(?:(?:non-|not |un)?(?:sarcastic|ironic)|sincere|literal|genuine|serious|larger|bigger"
    r"|greater|taller|heavier"
    r"|smaller|shorter|lighter|größer|kleiner|sarkastisch|ironisch|ernst(?: gemeint)?|aufrichtig|plus (?:grande?|petite?)"
    r"|sarcastique|ironique"
    r"|sincère|más (?:grande|pequeñ[oa])|sarcástic[oa]|irónic[oa]|sincer[oa])\s?:)",
    re.I,
)
_DENIED_AFTER = regex("没有|并无|毫无|ではな|ではあり|じゃな|くな[いか]|くありま|지 않|[이가은는] 아니|아닙|아닌")
_BOTH = regex(
    f"\\b(?:of|between|from|entre|zwischen|de|von) (?:an? |the |l[ea] |el |une? |d(?:er|em|ie|as) "
    f"|eine[rm]? )?{_ONE},? ?(?:and|or|et|ou|y|o|und|oder|,)"
    f" (?:an? |the |l[ea] |el |une? |d(?:er|em|ie|as) |eine[rm]? )?{_ONE}"
    f"|{_ONE} ?(?:와|과|랑|하고|,) ?{_ONE} ?(?:중(?:에서?)?|가운데)",
    re.I,
)
_BESIDE = regex(
    f"\\b(?:im vergleich zu[mr]?|verglichen mit|gegenüber|comparée? (?:à|aux?)|par rapport (?:à"
    f"|aux?)|en comparación con|comparad[oa] con|frente al?)"
    f" (?:d(?:er|em|en|ie|as) |l[ea] |el |l')?{_ONE},?|(?:[与與和跟同] ?)?{_ONE} ?相比(?:之下|起来)?,?|相比 ?{_ONE},?"
    f"|{_ONE} ?(?:と|に)(?:比べ(?:る|れば)?(?:て|と)?|比較(?:して|すると))[、,]?|{_ONE} ?[와과] ?비교(?:하면"
    f"|해서|해|했을 때),?|{_ONE} ?에 비(?:해|하면|교하면)(?:서)?,?",
    re.I,
)
"""What one of the two is compared with: "im Vergleich zu B ist A winzig"."""
_CAUSE_OF = regex(f"({_ONE})([^\ue000-\ue00f。.;\n]{{0,20}}?)(?:la cause de|la causa de|die ursache (?:für|von)) (?:l[ae] )?({_ONE})", re.I)
_CAUSE_OF_EAST = regex(f"({_ONE}) ?[はがは是은는이가] ?({_ONE}) ?[の的의] ?(?:原因|원인)")
_ORDER = regex(r"\bthe (?:(?P<former>former)|latter)\b", re.I)
_ONLY_IF = regex(r"\bwould (?:only )?be\b.*\b(?:only|if|in an?other|in a (?:strange|different|odd)\b)|\bcould only be\b", re.I)
"""What says of one only what would make it so: "A would be sarcastic only in another context"."""
_NO_MORE = regex(r"\bno (?:\w+er|more)\b|\bnowhere near\b", re.I)
_OF = regex(
    f"(?<=cause|ffect) of {_ONE}|(?<=eason) (?:for|behind|of|why) {_ONE}(?: (?:happen(?:s|ed)|occur(?:s|red)|took place|came about))?", re.I
)
_IN = regex(f"(?:^|(?<=[.;!\\n] ))in ({_ONE}),", re.I | re.M)
_MAY_LOOK = regex(
    f"{_ONE} (?:may|might|could|can|seems|looks|sounds|appears|mag|könnte|klingt|wirkt|scheint|peut|pourrait|semble|paraît|puede|podría"
    "|parece|suena)\\b[^.;\\n\ue000-\ue00f]{0,60}?"
    "(?:[,;]| (?=but|yet)) ?(?:(?:but|yet|though|however,?|aber|doch|mais|pourtant|pero|sin embargo,?) )?"
    f"(?:(?:it is|es ist|c'est) )?(?:actually |really )?({_ONE}) "
    "(?:(?:actually |really )?(?:is|does)(?: so| the one| it)?|that (?:really |actually )?is|ist es(?: aber)?|es wirklich ist"
    "|(?:qui )?l'est|(?:sí )?lo es)\\W*\\Z",
    re.I,
)
"""What only looks like one, and the one that is: "B might look sarcastic, but A is"."""
_IS_ROLE = regex(
    r"\b(?:is|was|=|:) the (?:cause|effect|result)\b(?! of)|\b(?:the|la|die|el|l') ?(?:cause|effect"
    r"|result|causa|ursache|efecto|wirkung|effet)"
    r" (?:is|was|est|es|ist)\b|\b(?:est|es|ist) (?:la|die|el) (?:cause|causa|ursache|efecto|wirkung|folge)\b(?! (?:de|von|für)\b)"
    r"|\band the (?:cause|effect|result) of$",
    re.I,
)
_PAIR = regex(f"({_ONE})(?P<between>[^\ue000-\ue00f\n]{{1,80}}?)(?=({_ONE}))")


@dataclass(frozen=True, slots=True)
class Roles:
    """Words of the role that is requested, of the other one, and of relations whose first or whose second member has it."""

    asked: re.Pattern[str]
    other: re.Pattern[str]
    first: re.Pattern[str]
    second: re.Pattern[str]
    each: tuple[tuple[Callable[[str], bool], re.Pattern[str]], ...] = field(init=False)

    def __post_init__(self) -> None:
        found = ((may_hold(pattern), pattern) for pattern in (self.asked, self.other, self.first, self.second))
        object.__setattr__(self, "each", tuple(found))


def _mark(match: re.Match[str]) -> str:
    return chr(_FIRST + int(str(match.lastgroup)[1:]))


def _ordered(text: str, mentions: re.Pattern[str]) -> str:
    """The text with marks; "the former" and "the latter" are those that it names before, where it names both."""
    marked = mentions.sub(lambda match: match[0] if _ORDER.match(match[0]) is not None else _mark(match), text)
    order = list(dict.fromkeys(re.findall(_ONE, marked)))
    return _ORDER.sub(lambda match: order[0 if match["former"] else 1], marked) if len(order) == 2 else mentions.sub(_mark, text)


def by_role(text: str, mentions: re.Pattern[str], roles: Roles) -> int | None:
    """The index of the option that has the role asked for; None where the text gives none or several.

    `mentions` has one group `o0`, `o1` ... for each of two options.
    """
    if len(text) > 2000 or not any(may_tell(text) and pattern.search(text) for may_tell, pattern in roles.each):
        return None
    marked = _ordered(text, mentions) if "former" in text or "latter" in text else mentions.sub(_mark, text)
    if not text.isascii() or "compar" in text or "ergl" in text or "caus" in text or "rsache" in text:
        marked = _CAUSE_OF_EAST.sub(r"\1 the cause of \2", _CAUSE_OF.sub(r"\1\2the cause of \3", _BESIDE.sub(" ", marked)))
    marked = _BOTH.sub(" ", marked.replace("cause and effect", " "))
    if "in \ue000" in marked.lower() or "in \ue001" in marked.lower():
        marked = _IN.sub(r"\1", marked)
    if (looks := _MAY_LOOK.search(marked)) is not None and roles.asked.search(looks[0]) and looks[0][0] != looks[1]:
        return ord(looks[1]) - _FIRST
    good: set[int] = set()
    bad: set[int] = set()
    for pair in _PAIR.finditer(marked):
        left, right = ord(pair[1]) - _FIRST, ord(pair[3]) - _FIRST
        first, second = roles.first.search(pair["between"]), roles.second.search(pair["between"])
        told = _IS_ROLE.search(pair["between"].rstrip()) is not None
        if left == right or bool(first) == bool(second) or told:
            continue
        denied = denying(pair["between"]) or _NO_MORE.search(pair["between"]) is not None
        denied = denied != marked[: pair.start()].lower().endswith(("no ", "no other "))
        good.add(left if bool(first) != denied else right)
    for clause in _CLAUSES.split(_OF.sub("", marked)) if not good else ():
        named = {ord(mark) - _FIRST for mark in re.findall(_ONE, clause or "")}
        if len(named) != 1 or " than " in clause or (" would " in clause and _ONLY_IF.search(clause) is not None):
            continue
        other = roles.other.search(clause)
        asked = roles.asked.search(roles.other.sub(" ", clause))
        if bool(asked) == bool(other):
            continue
        has = bool(asked) != (denying(clause) or _DENIED_AFTER.search(clause) is not None)
        (good if has else bad).update(named)
    if len(good) == 1 and not good & bad:
        return good.pop()
    return 1 - bad.pop() if not good and len(bad) == 1 else None


_THAN = regex(
    "(?:(?:(?<!相)比|(?<=没)有|(?<=不)[如及])(?:[\u4e00-\u9fff]{1,10} ?\\()?\\W*(?P<than>[\ue000\ue001])"
    "|(?P<than_>[\ue000\ue001])\\W*(?:より"
    "|보다|ほど|만큼))(?P<rest>[^。,.!\n]*)"
)
_BIG, _LITTLE, _NOT = regex("大|重|高|[크큽큰큼]|무[거겁]"), regex("[小轻軽矮低]|작|가[벼볍]"), regex("不|没|ない|ません|않|덜 ")
"""Comparisons of East Asia, where the relation follows both names: "A比B大", "AはBより大きい", "A가 B보다 크다"."""
NEVER = regex("(?!)")


def compared(place: str, mentions: re.Pattern[str], more: re.Pattern[str] = _BIG, less: re.Pattern[str] = _LITTLE) -> int | None:
    """Which of two names a text in Chinese, Japanese or Korean calls the larger one; None where it compares nothing."""
    if not any(map(place.__contains__, ("比", "没有", "不如", "不及", "より", "보다", "ほど", "만큼"))):
        return None
    marked = mentions.sub(lambda match: chr(0xE000 + int(str(match.lastgroup)[1:])), place)
    if (told := _THAN.search(marked)) is None:
        return None
    big, little = more.search(told["rest"]) is not None, less.search(told["rest"]) is not None
    than = ord(told["than"] or told["than_"]) - 0xE000
    denied = _NOT.search(told["rest"]) is not None or marked[: told.start()].endswith(("不", "没"))
    return None if big == little else 1 - than if big != denied else than

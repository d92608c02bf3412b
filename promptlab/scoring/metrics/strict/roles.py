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
    r"|\b(?:while|whereas|and|but|though|although|because|since|compared (?:to|with)|y|und|et)\b|(?<=이고)\s|(?<=이며)\s| e "
    r"|(?<=\S) (?=(?:結果|原因|大き|小さ|较|較|결과|원인)\S{0,3}:)"
    r"|(?<=[✅❌✔✗✘])(?=\s*\S)",
    re.I,
)
_DENIED_AFTER = regex("ではな|ではあり|じゃな|くな[いか]|くありま|지 않|[이가은는] 아니|아닙|아닌")
_BOTH = regex(f"\\b(?:of|between|from) (?:an? |the )?{_ONE},? ?(?:and|or|,) (?:an? |the )?{_ONE}", re.I)
_ORDER = regex(r"\bthe (?:(?P<former>former)|latter)\b", re.I)
_NO_MORE = regex(r"\bno (?:\w+er|more)\b", re.I)
_OF = regex(f"(?<=cause|ffect) of {_ONE}", re.I)
_IS_ROLE = regex(r"\b(?:is|was|=|:) the (?:cause|effect|result)\b(?! of)", re.I)
_PAIR = regex(f"({_ONE})(?P<between>[^\ue000-\ue00f\n]{{1,80}}?)(?=({_ONE}))")


@dataclass(frozen=True, slots=True)
class Roles:
    """Words of the role that is requested, of the other one, and of relations whose first or whose second member has it."""

    asked: re.Pattern[str]
    other: re.Pattern[str]
    first: re.Pattern[str]
    second: re.Pattern[str]
    may_tell: Callable[[str], bool] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "may_tell", may_hold(self.asked, self.other, self.first, self.second))


def by_role(text: str, mentions: re.Pattern[str], roles: Roles) -> int | None:
    """The index of the option that has the role asked for; None where the text gives none or several.

    `mentions` has one group `o0`, `o1` ... for each of two options.
    """
    if len(text) > 2000 or not roles.may_tell(text):
        return None
    if not any(pattern.search(text) for pattern in (roles.asked, roles.other, roles.first, roles.second)):
        return None
    marked = mentions.sub(lambda match: chr(_FIRST + int(str(match.lastgroup)[1:])), text)
    if _ORDER.search(marked) and len(order := list(dict.fromkeys(re.findall(_ONE, marked)))) == 2:
        marked = _ORDER.sub(lambda match: order[0 if match["former"] else 1], marked)
    marked = _BOTH.sub(" ", marked.replace("cause and effect", " "))
    good: set[int] = set()
    bad: set[int] = set()
    for pair in _PAIR.finditer(marked):
        left, right = ord(pair[1]) - _FIRST, ord(pair[3]) - _FIRST
        first, second = roles.first.search(pair["between"]), roles.second.search(pair["between"])
        told = _IS_ROLE.search(pair["between"]) is not None
        if left == right or bool(first) == bool(second) or told:
            continue
        good.add(left if bool(first) != (denying(pair["between"]) or _NO_MORE.search(pair["between"]) is not None) else right)
    for clause in _CLAUSES.split(_OF.sub("", marked)) if not good else ():
        named = {ord(mark) - _FIRST for mark in re.findall(_ONE, clause or "")}
        if len(named) != 1 or " than " in clause:
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

"""A yes or no as what people, or the reply itself, say of the question: "most would not call it intentional"."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.remarks import sentences
from promptlab.scoring.answers.text import CACHED, fold, full, key
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.implied import same

_WHO = (
    r"(?:most(?: of us| \w+)?|(?:an? |the )?(?:typical|average|ordinary|reasonable|normal|regular|common|everyday|lay) \w+|people"
    r"|folks|laypeople"
    r"|the (?:vast )?majority(?: of \w+)?|everyone|everybody|anyone|(?P<none>nobody|no one|few(?: people)?|hardly anyone)|i|we|one|you)"
)
_SAYS = (
    r"(?:say|call|judge|consider|regard|see|view|describe|conclude|think|hold|agree|deem|believe|maintain|claim|classify|count|label|treat)"
)
_FRAME = regex(
    rf"\b{_WHO} (?:(?:\w+,? ){{0,3}}?(?:would|will)(?: (?:therefore|thus|then|probably|likely|also|still|hence|so|readily|generally"
    rf"|normally"
    rf"|typically|usually|really|certainly|surely|definitely|clearly|and|(?P<not>not))){{0,3}} |(?:(?:generally|usually|typically"
    rf"|normally) )?"
    rf"(?:do (?P<dont>not) |tend to )?){_SAYS}s?\b"
    r"|\A\W*it is (?P<framed>not )?(?:that )?(?=(?:he|she|it|they) (?!is\b|was\b|so\b))",
    re.I,
)
"""Who says it, and that they say it."""
_HEDGES = regex(
    r"\b(?:whether|if|unless|may|might|could|either|unclear|unsure|unknown|ambiguous|doubt|question|some|at first|but|however"
    r"|although|though"
    r"|while|yet|or|only|both|partly|partially|depends|tempt\w*|wrong\w*|mistake[n]?)\b|\?",
    re.I,
)
_NOT = regex(r"\b(?:not|never|no|nor|neither|nobody|without|hardly|unable|refus\w+|fail\w*)\b", re.I)
_ASKS = (
    (regex(r"\b(?:intention\w*|deliberate\w*|on purpose|knowing\w*|purpose(?:ful)?ly)\b", re.I), "intent"),
    (regex(r"\bcaus\w+", re.I), "cause"),
)
_OPPOSITE = regex(r"\b(?:unintention\w*|accident(?:al|ally)?|by (?:mistake|accident)|inadvertent\w*|unknowing\w*|not on purpose)\b", re.I)
_MEANT = _ASKS[0][0]
_CAUSED = regex(
    r"\b(?:caus\w+|brought \w+ about|brought about|responsible for|is to blame for|(?:was|is|were|are|being|to be"
    r"|as) the (?:\w+ )?cause)\b",
    re.I,
)
_GENERIC = frozenset(
    str.split(
        "a an the i you he she it we they him her them his its their my your our this that these those of to for at on in and by as with "
        "do does did done is are was were be been being has have had would will so then therefore thus indeed really actually clearly "
        "act acts action actions event outcome result harm incident thing matter what happened all same way case here deed shot shooting "
        "killing "
        "cause causes caused causing brought about responsible blame sort kind truly having"
    )
)
_ASKED = regex(r"(?<!\w)(?:do|does|did|is|are|was|were|has|have|had) (?P<rest>[^?.!\"]{4,200})\?", re.I)
_CUT = regex(r"[,;:]? ?\b(?:because|since|as he|as she|as they|as it|given|due to|even|here|when|which)\b|[,;:]", re.I)
_may_tell = may_hold(_MEANT, _OPPOSITE, _CAUSED)
_SUPPOSES = regex(r"\b(?:if|unless|without|otherwise|suppos\w+|were it not|had (?:\w+ ){1,3}(?:been|not))\b|\A\W*had\b", re.I)
"""What makes a judgment one of another case."""
_OWN = regex(r"\A\W*(?:(?:so|thus|therefore|hence),? )?(?=(?:he|she|they|it|this|that|(?:the|his|her) \w+ (?:is|was)) )", re.I)
"""How a reply begins that is one sentence on what the question asks: "She did not hit him intentionally"."""


@lru_cache(maxsize=CACHED)
def _question(asked: str) -> tuple[str, frozenset[str]] | None:
    """What the last question of an input asks, "intent" or "cause", and its words."""
    found = list(_ASKED.finditer(fold(asked)))
    if not found or asked.count("?") > 2:
        return None
    kind = next((name for pattern, name in _ASKS if pattern.search(found[-1]["rest"])), None)
    return (kind, frozenset(key(found[-1]["rest"].replace("'s", "")).split())) if kind is not None else None


def judged(text: str, asked: str) -> bool | None:
    """Whether the last sentence of a reply says that people would say yes to the question of its input; None where it says neither."""
    if not _may_tell(text) or (question := _question(asked)) is None:
        return None
    each = sentences(text)
    last = full(fold(each[-1] if each else text).casefold())
    frame = next(reversed(list(_FRAME.finditer(last))), None)
    if frame is None and len(each) == 1:
        frame = _OWN.match(last)
    if frame is None or _HEDGES.search(last[frame.start() :]) is not None or _SUPPOSES.search(last[: frame.start()]) is not None:
        return None
    said = last[frame.end() :]
    cut = _CUT.search(said)
    said = said[: cut.start()] if cut is not None and cut.start() else said
    kind, wanted = question
    concept = (_OPPOSITE.search(said) or _MEANT.search(said)) if kind == "intent" else _CAUSED.search(said)
    if concept is None:
        return None
    rest = f"{said[: concept.start()]} {said[concept.end() :]}"
    told = key(_NOT.sub(" ", rest.replace("'s", ""))).split()
    if any(word not in _GENERIC and not any(same(word, one) for one in wanted) for word in told):
        return None
    denials = len(_NOT.findall(rest)) + sum(value is not None for value in frame.groupdict().values())
    denials += kind == "intent" and _OPPOSITE.match(concept[0]) is not None
    return denials == 0 if denials < 2 else None


_YES_NO = {frozenset({"yes", "no"}): ("no", "yes"), frozenset({"true", "false"}): ("false", "true")}
_ANSWERS = regex(r"\W*(?:yes|no|true|false)\b(?=\W*\Z|[\"')]*[,.!:;\n-]| -)", re.I)


def judgment(reply: Reply, asked: str, options: tuple[str, ...]) -> str | None:
    """The yes or no, of options that are these, that people would give by a reply that neither opens with one nor concludes."""
    if (both := _yes_no(options)) is None or reply.concluded is not None or reply.corrected is not None:
        return None
    text = reply.unremarked
    said = judged(text, asked) if _ANSWERS.match(text) is None else None
    return both[said] if said is not None else None


@lru_cache(maxsize=CACHED)
def _yes_no(options: tuple[str, ...]) -> tuple[str, str] | None:
    return _YES_NO.get(frozenset(map(key, options)))

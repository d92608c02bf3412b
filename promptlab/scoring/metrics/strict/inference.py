"""Whole clauses about two sentences, put as labels: that one follows from the other, or contradicts it, or that it does not."""

from __future__ import annotations

import re
from functools import partial

from promptlab.scoring.answers.text import western, words
from promptlab.scoring.compiled import regex

_OF = r"(?:[^.,;:!?\n]{0,60}? )?"
_NOT_FOLLOWING = (
    rf"(?:does|do|did) not (?:\w+ )?(?:imply|follow)\b|cannot be (?:\w+ )?(?:inferred|deduced|derived|concluded)\b"
    rf"|(?:impliziert|folgt|ergibt sich|lässt sich) {_OF}(?:nicht|not)\b(?! nur)(?: (?:logisch |zwingend )?(?:aus"
    rf"|ableiten|folgern|schließen))?"
    rf"|(?:nicht|not) aus {_OF}(?:ableiten|folgern|schließen|herleiten)\b|(?:on|nous) ne peu(?:t"
    rf"|vons) pas (?:en )?(?:déduire|conclure|inférer)"
    r"|n'(?:implique|entraîne)(?:nt)? (?:pas|nullement)|ne (?:découle|suit|se déduit) pas|ne s'ensuit pas"
    r"|n'est pas (?:impliquée?|déductible)"
    r"|ne (?:peut|permet) pas (?:être déduite?|se déduire|de (?:conclure|déduire))"
    r"|no (?:implica|se (?:sigue|deduce|desprende|infiere|deriva)|(?:est[áa] )?implicada?\b)|no se puede (?:inferir|deducir|concluir)"
    r"|pas d'implication|no hay (?:una )?implicación|sin implicación|keine? (?:logische )?(?:folgerung|implikation)\b"
    r"|(?:无法|不能|不可|难以|不足以)[^。.,，;]{0,20}?(?:推出|推导出?|得出|推断出?)"
    r"|not [^。.,，;]{0,20}?(?:導かれるわけ|(?:도출|추론)되는 것)|推不出|(?:not |不能说)[^。.,，;]{0,12}?蕴[含涵]"
    r"|導(?:かれるわけで[はも]?(?:ない|ありません)|けない|けません|けず|かれ(?:ない|ません|ず)|き出(?:せ|され)(?:ない|ません|ず)|(?:く|き出す)ことは?でき(?:ない|ません|ず))"
    r"|(?:도출|추론|유추)되는 것은 아\w+|(?:도출|추론|유추|수반|함축)(?:되|하|될|할)?\S{0,2}(?:지(?:는|도)? ?(?:않"
    r"|못)| 수(?:는|가)? ?없)\w*|따라(?:서)? ?나오지 않\w*"
)
_FOLLOWING = (
    r"implies\b|follows (?:logically |necessarily )?from\b|impliziert\b|folgt (?:logisch |zwingend |direkt )?aus\b|ergibt sich aus\b"
    r"|implique\b|découle\b|se déduit de\b|s'ensuit\b|est impliquée?\b"
    r"|implica\b|se (?:sigue|deduce|desprende|infiere) de\b|está implicada?\b"
    r"|(?:une|cette) implication\b|(?:una )?implicación\b(?! es)|eine (?:logische )?(?:folgerung|implikation)\b|^\W*implikation\W*$"
    r"|推出|推导出|推得出|導(?:かれ|け|き出(?:せ|され))(?:る(?!わけ)|ます)|(?:도출|추론|유추)(?:됩|된|됨|할 수 있)\w*"
    r"|따라(?:서)? ?나[옵온]\w*"
    r"|수반(?=합|한다|하며|됩|관계|$|[.])|함축(?=합|한다|하며|$|[.])"
)
_NOT_CONTRADICTING = (
    r"widerspruch (?:liegt|besteht) (?:\w+ )?(?:nicht|not)(?: vor)?|"
    rf"(?:does|do|did) not (?:\w+ )?contradict\b|widerspr(?:icht|echen) {_OF}(?:nicht|not)\b|ne (?:se |le |la |lui )?contredi(?:t|sent) pas"
    r"|no (?:se |la |lo )?contradicen?\b|(?:pas|sans|aucune) (?:de |une )?contradiction\b|(?:ninguna|sin) contradicción\b"
)
_CONTRADICTING = r"widerspr(?:icht|echen)\b|contredi(?:t|sent)\b|contradicen?\b"
_CLAUSES = tuple(
    (label, denied, regex(pattern, re.I))
    for label, denied, pattern in (
        ("entailment", True, _NOT_FOLLOWING),
        ("contradiction", True, _NOT_CONTRADICTING),
        ("entailment", False, _FOLLOWING),
        ("contradiction", False, _CONTRADICTING),
    )
)
_CUES = words(
    "imply implies follow follows inferred deduced derived concluded contradict impliziert folgt ergibt folgerung implikation widerspricht "
    "widersprechen lässt implique entraîne découle suit ensuit implication implicación implica sigue deduce desprende "
    "infiere contradice contradicen "
    "contredit contredisent contradiction inferir deducir concluir permet peut implicada implicado est"
)
_SECOND = r"(?:2|two|second\w*|zweite\w*|deuxième|segund[oa]|hypothes[ei]s?|hypothese|hypothèse|hipótesis|仮説|假设|가설|结论|結論|결론)"
_FIRST = r"(?:1|one|first|erste\w*|premi[eè]re?|primera?|premisa|prämisse|prémisse|前提|전제)"
_TURNED = regex(
    rf"{_SECOND}\W{{1,3}}(?:\w+\W{{1,3}})?(?:implies|impliziert|implique|implica|sentence)?$|(?:[从由]\W?{_SECOND}|{_SECOND}\W?(?:から|에서|(?:으)?로부터))[^。.]*$",
    re.I,
)
_FROM = regex(
    r"follow|folgt|ergibt|découle|dédui|suit|sigue|deduce|desprende|infer|infiere|deriv|deduc|conclu|ableit|implied|impliquée|implicad",
    re.I,
)
_TURNED_FROM = regex(rf"{_FIRST}\W{{1,3}}$", re.I)
"""What comes before a clause that infers the first sentence from the second one, which nobody asks."""


_QUESTION = regex(r"[^。.!?\n]*\?")


def in_labels(text: str, options: dict[str, str]) -> str:
    """The text with the labels "entailment" and "contradiction" in place of clauses that say the same.

    `options` are the item's own names of these labels. What infers the first sentence from the second one stays.
    """
    if western(text) and _CUES.isdisjoint(words(text)):
        return text
    if "?" in text and (rest := _QUESTION.sub(" ", text)).strip():
        text = rest
    for label, denied, pattern in _CLAUSES:
        if (option := options.get(label)) is not None:
            text = pattern.sub(partial(_labelled, option=option, denied=denied), text)
    return text


def _labelled(found: re.Match[str], option: str, denied: bool) -> str:
    before = found.string[max(0, found.start() - 40) : found.start()]
    if option == "entailment" and (_TURNED_FROM if _FROM.search(found[0]) else _TURNED).search(before):
        return found[0]
    return f" not {option} " if denied else f" {option} "

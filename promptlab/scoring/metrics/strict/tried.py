"""The value that fits where a reply tries several: "k = 3 gives 7, too small; k = 5 gives 9, that fits"."""

from __future__ import annotations

import re
from decimal import Decimal

from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.figures import figures

_TRIES = (
    r"(?:try(?:ing)?|test(?:ing|en|e)?|guess(?:ing)?|suppose|take|let|with|if|is it|say|check(?:ing)?|plug(?:ging)? in|put(?:ting)?"
    r"|versuch(?:en|e)?|probier(?:en|e)?|nehmen|setz(?:en|e)|mit|essay(?:ons|ez|e|er)|test(?:ons|er)|prenons|avec"
    r"|prob(?:emos|ar|ando|amos|ando)|pruebo|intent(?:o|emos)|tomemos|con|si|试试?|尝试|若|如果|当|假设|令|取|代入)"
)
_TRIAL = regex(
    rf"(?:(?:\A|(?<=[.;,:!?。；，、\n✓✔✅✗✘❌)]))[\s*•-]*(?:\d[.)] )?"
    rf"(?:(?:now|then|next|first|and|let's|let us|we|so|also|again|dann|nun|jetzt"
    rf"|puis|ensuite|luego|ahora|再|先|然后|まず|次に|먼저|다음|이제),? ){{0,3}}"
    rf"(?:{_TRIES} ?(?:wir |es |now |then |(?:the )?(?:value|number|zahl|nombre|número) )?(?:mit |with |avec |con |on |in )?(?:[a-z] ?= ?)?"
    rf"|(?:(?:for|bei|für|pour|para) )?[a-z] ?= ?))(?P<value>-?\d{{1,7}}(?:\.\d{{1,4}})?)(?![\d/%]|[.,]\d)"
    r"(?=\s*(?:[:;,.!?→✓✔✅✗✘❌=+×*(<>≠-]|\Z|(?:we|it|you|that|this|gives?|is|works?|fits?|does|would|makes?|ergibt|gibt|passt|ist"
    r"|macht|donne|cela"
    r"|on|nous|il|da|es|funciona|encaja|wir|man|für|pour|para|as|for|instead)\b|[得则则时時为為,是,。，、]|なら|だと|では|を|は|で|[이가은는을를로]|으로|일))",
    re.I,
)
"""Where a reply begins to try a value: "Try k = 3", "with 5", "x = 4"."""
_FITS = regex(
    r"\b(?:fits?|works?|match(?:es)?|correct|right(?! (?:side|hand))|yes|exactly|perfect(?:ly)?|bingo|hits?(?: it)?|checks? out|passt"
    r"|stimmt|klappt"
    r"|richtig|genau|ja|convient|marche|fonctionne|correcte?|juste|exact|oui|bon|encaja|funciona|cumple|correcto|exacto|cuadra|sirve|sí)\b"
    r"|[✓✔✅]|符合|正好|正确|合适|刚好|成立|满足|可以|対|ちょうど|合(?:う|い|っ)|一致|正解|成り立|맞|일치|성립|정답|만족",
    re.I,
)
_UNFIT = regex(
    r"(?:\b(?:not|nicht|no|never|doesn't|isn't|don't|kein\w*)\b|n't\b|\bn[e'] ?)(?: \w+){0,2}? ?"
    r"\b(?:fit|work|match|correct|right|exact|passend|richtig|convient|marche|fonctionne|correcte?|juste|encaja|funciona|cumple|sirve"
    r"|cuadra)\b"
    r"|\b(?:passt|stimmt|klappt) (?:\w+ )?nicht\b|不(?:符合|正确|合适|对|成立|满足|可以|一致)"
    r"|(?:맞|일치하|성립하)지 않|合(?:わな|いません)|一致し(?:な|ま)",
    re.I,
)
_FAILS = regex(
    r"\b(?:too|not|n't|no|nope|wrong|off|fails?|short|instead of|higher|lower|more than|less than|over|under|zu|nicht|nein|falsch"
    r"|trop|pas|non|faux"
    r"|demasiado|muy|falla|incorrecto)\b|[✗✘❌≠<>]|太|不|偏|没|过[大小高低]|すぎ|違|ない|ません|足り|너무|않|아니|안 |작다|크다|틀",
    re.I,
)
_HEDGES = regex(
    r"\b(?:but|however|although|maybe|perhaps|almost|nearly|also|both|either|or|aber|mais|pero|fast|presque|casi)\b|但|しかし|하지만|でも",
    re.I,
)
_may_tell = may_hold(_FITS, _FAILS)


def fitting(text: str) -> tuple[bool, Decimal | None]:
    """Whether a reply tries several values with what comes of each, and the only one that fits; None where none or several do."""
    if len(text) > 2000 or sum(map(str.isdigit, text)) < 2 or not _may_tell(text):
        return False, None
    found = list(_TRIAL.finditer(text))
    if len(found) < 2:
        return False, None
    fits: list[Decimal] = []
    for one, after in zip(found, [*(next_.start() for next_ in found[1:]), len(text)], strict=True):
        told = _UNFIT.sub("✗", text[one.end() : after])
        works, fails = _FITS.search(told) is not None, _FAILS.search(told) is not None
        if works == fails or (works and _HEDGES.search(told) is not None):
            return False, None
        if works:
            fits.append(Decimal(one["value"]))
    last = text[found[-1].end() :]
    verdict = _FITS.search(last) or _FAILS.search(last)
    if verdict is None or figures(last[verdict.end() :]):
        return False, None
    if not fits:
        return True, None
    return True, fits[0] if len(set(fits)) == 1 else None

"""The numbers of a text: their values and places, and whether the text only compares with them or denies them."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from promptlab.scoring.answers.denials import CUES, DENIED_AFTER, EXACTLY, denied_before
from promptlab.scoring.answers.text import kept, words
from promptlab.scoring.compiled import regex

_CURRENCY = r"[$€£¥₹]"
_FIGURE = regex(
    rf"(?=[\s\d.+$€£¥₹-])(?<![A-Za-zÀ-ɏ\d_.,:^/])(?<![A-Za-z]'){_CURRENCY}?\s?(?P<sign>[-+]?)\s?{_CURRENCY}?\s?(?P<digits>"
    r"0,\d+(?![\d,])|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]*\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d{1,3}(?:_\d{3})+(?!\d)"
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)|\d{1,3}(?:[. ']\d{3})+,\d+(?!\d)"
    r"|\d{1,3}(?:[ ']\d{3})+(?:\.\d+)?(?![\d.,]*\d)|\d+,\d{1,2}(?![\d,])"
    r"|\d+(?:[.·]\d+)?(?:e[-+]?\d+)?|\.\d+)(?![\d:]*[:]\d)(?!\s*\^|\*\*)(?!(?:st|nd|rd|th)\b)(?![A-Za-z]\d|x\b)",
    re.I,
)
_MINUS = regex(
    r"(?:\b(?:minus|negative|neg\.?|moins|menos)[\s-]*|(?<=[:=(])\s*-\s+|\b(?:is|are|be|equals|ist|est|es)\s+-\s+|マイナス|负|負|마이너스\s*)$",
    re.I,
)
_COMPARED = regex(
    r"(?:\b(?:less|more|greater|fewer|smaller|larger|bigger|higher|lower|other) than|\bat (?:least"
    r"|most)|\b(?:over|under|above|below|(?<!add )(?<!adds )(?<!sums )up to|no more than|not more than|between|within|near(?:ly)?"
    r"|almost|no|casi|presque|knapp|close to|from|exceeds?|beyond|weniger als|mehr als|moins de|plus de|menos de|más de)"
    r"|(?<![-=])[<>≤≥≠]=?)\s*(?:the number\s*)?$",
    re.I,
)
_REJECTED = regex(
    r"(?:(?:^|\n)\s*[❌✗✘]|\b(?:wrong|incorrect|false)\s*:|\b(?:wrong|incorrect|previous|old|earlier|first)(?: \w+)? (?:answer|guess"
    r"|result)"
    r"(?: is| was|:|,)|\bpreviously[\w ,]{0,20}|\bcould (?:also )?be|\bif it were|\bdifference (?:is|would be|:)"
    r"|\bproduct (?:of [^.\n]{1,20} )?"
    r"(?:is|would be|:))\s*(?:the number\s*)?$",
    re.I,
)
_AFTER = regex(
    rf"\s*[<>≤≥≠](?!-)|{DENIED_AFTER}|\s*\((?:wrong|incorrect|false|not)\b"
    r"|\s\(?(?:would|might|could|is|was|wären?|serait|serían?) (?:have been |be )?"
    r"(?:(?:one|two|three|far|way|much|a|bit|little|\d+|zwei|eins?) )*"
    r"(?:too (?:many|few|much|high|low|big|small|large)|short(?=\W|$)|off by \w+|zu (?:viel|wenig|hoch)\w*|trop\b|demasiad[oa]s?)"
    r"|,? (?:it|that|this) (?:ain't|isn't|is not|was not|wasn't)(?=\W*(?:$|[.;!]))"
    r"|,? (?:ce n'est pas|no es|es nicht)(?: ça| esto| eso)?(?=\W*(?:$|[.;!]))",
    re.I,
)
_LOW = regex(r"\s?(?:\w+ )?(?:below|unter|bajo|sous) (?:zero|null|cero|zéro|0)\b", re.I)
_ELSE = regex(
    r"\"?\s(?:(?:is|was) what (?:you|we|one|i)(?:'d| would| might)|would (?:be|have been) (?:right|correct|true|the \w+))\b"
    r"[^.\n]*\b(?:but|yet|however)\b",
    re.I,
)
"""What only another case would give: "43 is what you would get ..., but"."""
OR = regex(
    r"\s*(?:,?\s*(?:- )?\bor\b(?: maybe| perhaps| even| was it| is it)?|,?\s*\b(?:possibly|maybe|perhaps)\b|/|,?\s*\bto\b|-|[,、]"
    r"|,?\s*\band\b|~|,?\s*\b(?:oder|ou|[oó]|bzw|soit)\b\.?(?: vielleicht| peut-être| quizás?| tal vez| forse| talvez)?"
    r"|[个個つ개]?[,、]? ?(?:か|または|もしくは|あるいは|或者?|还是|또는|혹은|이?나))\s*(?:or|and"
    r"|maybe|soit)?\s*$",
    re.I,
)
DOTTED = regex(
    r"€|,-|\b(?:antwort|ergebnis|lösung|summe|differenz|beträgt|ergibt|ergeben|ist|sind|macht|zusammen|insgesamt|zahlen|und|lautet|wir"
    r"|es|son|suman?|diferencia|respuesta|resultado|total de|los|las|números|numeri|entonces|soma|diferença|resposta|são|é|dos|os|dá"
    r"|somma|differenza|risposta|risultato|sono|è|fa|fanno|somme|différence|réponse|résultat|est|font|donne|égale?|nombres?|vaut)\b",
    re.I,
)
"""What tells that a full stop separates thousands."""
_REPLACED = regex(
    r"\W*(?:rather than|instead of|(?:an)?statt(?: der)?|anstelle von|plutôt que"
    r"|au lieu de|en (?:lugar|vez) de|invece di|em vez de)\s*(?:the )?",
    re.I,
)
"""What names a number that another one replaces: "rather than 90, 92"."""
_DIGIT = regex(r"\d")
MOST = 200
"""Numbers of a text that are looked at, the first and the last: an endless reply is not read for minutes."""


class Figure(NamedTuple):
    """A number of a text: its value and place, and whether the text only compares with it or denies it."""

    value: Decimal
    start: int
    end: int
    barred: bool


_BARS = CUES | words(
    "minus negative neg moins menos than least most over under above below to between within near nearly almost no "
    "from exceed casi presque knapp "
    "exceeds beyond als de wrong incorrect false previous old earlier first previously could if difference product unter bajo sous "
    "what would too short off trop zu demasiado demasiados demasiada demasiadas wären serait ain"
)
"""In a text of ASCII without one of these words and of "<", ">" and "-" no number is denied, compared with or negative."""


@lru_cache(maxsize=2048)
def figures(text: str) -> tuple[Figure, ...]:
    """The numbers of a text in digits."""
    found: list[Figure] = []
    matches = list(_FIGURE.finditer(text)) if _DIGIT.search(text) else []
    plain = bool(matches) and text.isascii() and "<" not in text and ">" not in text and "-" not in text and _BARS.isdisjoint(words(text))
    for match in matches if len(matches) <= MOST else [*matches[: MOST // 2], *matches[-MOST // 2 :]]:
        start = match.start("digits")
        if plain:
            found.append(Figure(_decimal(match["digits"]), match.start("sign") if match["sign"] else start, match.end(), False))
            continue
        sign = match["sign"]
        if sign == "-" and not _signs(text, match.start("sign"), start):
            sign = ""
        begin = match.start("sign") if sign else start
        value = _decimal(match["digits"])
        before = text[max(0, match.start() - 60) : match.start()] + text[match.start() : begin].replace("$", "")
        if before.strip() and (minus := _MINUS.search(before)) is not None and not re.search(r"\d\s*$", before[: minus.start()]):
            value, begin, before = -value, begin - len(before) + minus.start(), before[: minus.start()]
        also = bool(found) and found[-1].barred and OR.fullmatch(between := text[found[-1].end : begin]) is not None
        also = also and not (between.strip() == "," and _REPLACED.fullmatch(text[: found[-1].start]) is not None)
        compares = _AFTER.match(text, match.end()) is not None or _ELSE.match(text, match.end()) is not None
        if sign != "-" and _LOW.match(text, match.end()) is not None:
            value = -abs(value)
        found.append(Figure(-value if sign == "-" else value, begin, match.end(), also or compares or _barred(before)))
    return tuple(found)


def _signs(text: str, at: int, digits: int) -> bool:
    """Whether a hyphen before digits is a sign: it touches them, or nothing but a mark precedes it; no bullet, no operator."""
    before = text[:at].rstrip()
    if before and before[-1] >= "\u3040" and before[-1].isalpha():
        return digits - at == 1
    if before and (before[-1].isalnum() or before[-1] in ")%") and (text[at - 1] != " " or digits - at > 1):
        return bool(re.search(r"\b(?:is|are|be|equals?|get|gives?|makes?|ist|est|es)$", before, re.I)) and text[at - 1] == " "
    return digits - at == 1 or (digits - at > 1 and bool(before) and before[-1] in ":=($€£") or text[at + 1 : digits].strip() != ""


_CUE = regex(r"[^\W\d_]|[<>≤≥≠❌✗✘]")


def _barred(before: str) -> bool:
    return (
        _CUE.search(before) is not None
        and (_COMPARED.search(before) is not None or _REJECTED.search(before) is not None or denied_before(before))
        and EXACTLY.search(before) is None
    )


def _decimal(digits: str) -> Decimal:
    if digits.isdecimal():
        return Decimal(digits)
    if re.fullmatch(r"0,\d+|\d+,\d{1,2}|\d{1,3}(?:[. ']\d{3})+,\d+", digits):
        return Decimal(re.sub(r"[. ']", "", digits).replace(",", "."))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", digits):
        return Decimal(digits.replace(".", ""))
    return Decimal(re.sub(r"[, '_]", "", digits).replace("·", "."))


_LABEL = regex(
    r"(?m)^\s*(?:step|question|q|item|example|exercise|problem|case|option|line|part)\s*#?\d{1,3}\s*[:.)-]?\s+|^[ \t]*[-*•][ \t]+(?=\S)"
    r"|\b(?:step|sentence|question|example|option|item|line|input|number|no\.)\s+#?\d{1,3}\b(?=\s*[:,)]"
    r"|\s+(?:and|to|is)\b)(?=[^.\n\d]*\d)|(?<!\w)\(\d{1,2}\)\s+(?=[A-Za-z])",
    re.I,
)
_LABELS_LINE = regex(r"[ \t]*[-*•]|\s*(?:step|question|q|item|example|exercise|problem|case|option|line|part)", re.I)
_AFTER_LABEL = regex(r"\d(?:\s*[:,)]|\s+(?:and|to|is)\b)", re.I)
_LONGEST_LABEL = 40
"""Characters of a label with the spaces, the sign and the digits after it, which are three at most."""
_LABELS = ("step", "sentence", "question", "example", "option", "item", "line", "input", "number", "no.")


@kept(1024)
def unlabelled(text: str) -> str:
    """The text without the numbers of steps, questions and examples."""
    return _LABEL.sub(" ", text) if _may_label(text) else text


def _may_label(text: str) -> bool:
    if "\n" in text or "(" in text or not text.isascii() or _LABELS_LINE.match(text):
        return True
    for found in _AFTER_LABEL.finditer(text):
        before = text[max(0, found.start() - _LONGEST_LABEL) : found.start()].rstrip("0123456789").rstrip().removesuffix("#")
        if before.rstrip().lower().endswith(_LABELS):
            return True
    return False


VERB = regex(
    r"(?:\b(?:is|are|was|were|be|makes?|gives?|get|gets|got|equals?|have|has|had|yields?|leaves?|left with"
    r"|becomes?|comes? (?:out )?to|computed?|calculated?|determined?|leads? to|brings? (?:us |me |you )?to|works? out (?:to|at|as)"
    r"|totals?|adds? up to|sums? to|returns?|obtain|find|count(?:ed)?|reach"
    r"|results? in|amounts? to|arriv(?:e|es|ed|ing) at"
    r"|end(?:s|ed)? up (?:with|at)|land(?:s|ed)? (?:on|at|bei)|landen (?:wir|sie) bei"
    r"|ist|sind|ergibt|macht|gibt|bleiben|beträgt|est|sont|font|fait|donne|égale? à"
    r"|igual a|zusammen|insgesamt|au total|en total|in totale?|erhält man|erhalten wir|bekommt man"
    r"|(?:kommt man|kommen wir|komme ich|man kommt|wir kommen|ich komme)(?: also| so| damit| dann)? auf|(?:sind|wären) wir bei"
    r"|(?:on arrive|nous arrivons|j'arrive|on tombe|on aboutit)(?: donc| ainsi| alors)? (?:à|sur)|llegamos a|se llega a|llego a|ergeben"
    r"|(?:on|nous) obt(?:ient|enons)|(?:como|por) resultado|obtenemos"
    r"|se obtiene|si ottiene|obtém-se|dá|dà|fa|fanno|è|é|são|sono|or rather|giving|making|should be|es|son"
    r"|da|hay|therefore|so|thus|hence|donc|por (?:lo )?tanto|folglich|somit|demnach|(?:for"
    r"|in) (?:a )?total(?: of)?)\b(?:\s+(?:is|are|it is|we have|we get))?"
    r"|\btotal|[すくる]と|->|→|⇒|=>|\bi\.e\.|[이으]므로|ので|共|有|总共"
    r"|\b(?:that|it|there|which)'s|合わせて|합은|합계는|면 |是|等于|得到|得出|得|最后到|为|は|合計|모두|총)"
    r"[\s:,、]*(?:(?:a )?(?:grand )?total of|equal to|exactly|therefore|thus|then|just|only|simply|about"
    r"|approximately|around|roughly|actually|really|in fact|indeed|there (?:is|are)|the number|also|now|(?:us|you|me)(?: with)?|with"
    r"|das|dies|es|cela|ça|eso|nous|nos|to)?[\s:]*$",
    re.I,
)
_SAYS = words(
    "is are was were be make makes give gives get gets got equal equals have has had yield yields leave leaves become becomes compute "
    "computed calculate calculated determine determined total totals return returns obtain find count counted reach ist sind ergibt macht "
    "gibt bleiben est sont font fait donne zusammen insgesamt giving making es son da hay therefore so thus hence "
    "ergeben obtenemos fa fanno sono donc tanto folglich somit demnach"
)
"""Words that say a number which follows at once."""
_LEADS = words(
    "with to at as up in that us you me a grand of exactly then just only simply about approximately around roughly actually really fact "
    "indeed there number also now on bei sur das dies cela eso nous nos it which rather we igual au en for say égale man wir auf obtient "
    "obtenons obtiene ottiene totale resultado"
)
"""Other words that may occur between such a word and its number, or end it."""


def _before(text: str, one: Figure) -> str:
    return text[max(0, one.start - 80) : one.start].rstrip("$€£ ") + " "


def leads(text: str, one: Figure) -> bool:
    """Whether a text leads to a number: "makes 7", "a total of exactly 7"."""
    before = _before(text, one)
    last = before.rstrip(" :,").rpartition(" ")[2].lower()
    if last.isalpha() and last.isascii():
        if last in _SAYS:
            return True
        if last not in _LEADS or (last == "number" and not before.lower().endswith("the number ")):
            return False
    return VERB.search(before) is not None

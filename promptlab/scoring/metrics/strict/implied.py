"""Options that a reply names by what they say: a yes or no by the question's own words, or one by its place."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.remarks import sentences
from promptlab.scoring.answers.text import CACHED, fold, key, words
from promptlab.scoring.compiled import regex

_ASKED = regex(r"(?<!\w)(?:do|does|did|will|would|can|could|should|is|are|was|were|has|have|had) (?P<rest>[^?.!\"]{4,150})\?", re.I)
_SMALL = frozenset(str.split("a an the i you he she it we they me my your his her its our their to of for at on in and or that this"))
_UNSURE = regex(r"\b(?:whether|if|unless|may|might|could|would|either|unclear|unsure|unknown|ambiguous|doubt|question)\b|\?", re.I)
_SO = regex(
    r"(?:^|[\s,;.])(?:so|thus|therefore|hence|which means)(?: that)?,? (?:you|i|he|she|it|we|they) "
    r"(?P<verb>(?:\w+(?:n't)? ){0,3}\w+)\W*$",
    re.I,
)
"""A reply that ends in the verb of the question alone: "so you do not return"."""
_FAILS = regex(r"\b(?:unable|refus\w+|fail\w*|without)\b", re.I)
_NTH = regex(
    r"\W*(?:(?:it(?:'s| is)|i(?:'d)? (?:choose|pick|say)) )?(?:the )?"
    r"(?P<nth>first|second|third|fourth|fifth|former|latter)(?: (?!and\b|or\b)\w+)?\W*",
    re.I,
)
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4}
_OF_TWO = {"former": 0, "latter": 1}


_NAMES_PLACE = words("first second third fourth fifth former latter")


def names_place(text: str) -> bool:
    """Whether a text may name an option by its place."""
    return not _NAMES_PLACE.isdisjoint(words(text))


@lru_cache(maxsize=CACHED)
def _question(asked: str) -> tuple[str, ...]:
    """The words that matter of the only yes-or-no question of an input; none where it has none or several."""
    found = _ASKED.findall(_untitled(fold(asked))) if asked.count("?") == 1 else []
    return tuple(word for word in key(found[0]).split() if word not in _SMALL) if len(found) == 1 else ()


_ASKS_ABROAD = (
    (
        regex(r"intention|deliberate|on purpose|knowing", re.I),
        regex(
            r"absicht|vorsätzlich|willentlich|intention|exprès|délibér|intencion|a propósito|adrede|deliberad"
            r"|故意|有意|意図|わざと|고의|의도|일부러",
            re.I,
        ),
    ),
    (
        regex(r"\b(?:caus|becaus|responsib|fault|due to|lead|led\b|result)", re.I),
        regex(
            r"verursach|ursache|ausgelöst|schuld|verantwortlich|herbeigeführt|wegen|provoqu|caus|responsable"
            r"|à l'origine|à cause|culpa|ocasion"
            r"|引起|导致|導致|造成|原因|因为|引き起こ|招い|せい|責任|일으|초래|원인|때문|책임",
            re.I,
        ),
    ),
    (
        regex(r"\bsteps?\b|return|come back|end up", re.I),
        regex(
            r"zurück|ausgangspunkt|startpunkt|revien|retour|point de départ|vuelv|volver|regres|punto de (?:partida"
            r"|inicio)|起点|起點|原点|出发|回到|返回"
            r"|戻|出発|시작점|출발점|돌아|제자리|원점",
            re.I,
        ),
    ),
)
"""What a yes-or-no question asks, and the words for it in other languages."""
_DENIES_ABROAD = regex(
    r"\b(?:not|nicht|keine?[rsnm]?|ne|pas|no|nunca|niemals|jamais)\b|\bn'|不|没|未|并非|ない|ません|なかっ|なく|않|아니|아닙|없|못", re.I
)
_UNSURE_ABROAD = regex(
    r"unklar|unsicher|weiß nicht|nicht (?:eindeutig|zu sagen|sagen|beurteil|bestimm)|\bob\b|\bwenn\b"
    r"|vielleicht|impossible|\bsais pas|pas (?:clair|certain|sûr)"
    r"|peut-être|\bsi\b|no (?:sé|está claro|es posible)|no se puede (?:saber|determinar)|quizá|tal vez"
    r"|不(?:知道|确定|清楚|明)|无法|难以|是否|可能|也许|如果"
    r"|難し|分か[らり]|わか[らり]|判断でき|かどうか|かもしれ|場合|모르|알 수 없|어렵|인지|면 |또는|\?",
    re.I,
)


def _agrees_abroad(text: str, asked: str) -> bool | None:
    """The same of a reply in another language, by its words for the question."""
    if text.isascii() and _WESTERN.isdisjoint(words(text)):
        return None
    last = sentences(text)[-1:]
    if last and _SAYING.search(last[0]) is not None:
        text = last[0]
        if _TWICE.search(text) is not None or _OPEN.search(text) is not None:
            return None
        text = _PEOPLE.sub(" ", text)
    if len(text) > 500:
        return None
    said = set()
    for concept, named in _ASKS_ABROAD:
        if concept.search(asked) is not None and named.search(text) is not None:
            said = {
                _DENIES_ABROAD.search(part) is None
                for part in sentences(text)
                if named.search(part) is not None and _UNSURE_ABROAD.search(part) is None
            }
            break
    return said.pop() if len(said) == 1 else None


_PEOPLE = regex(
    r"사람(?:들)?(?:이?라면|이면)|人(?:なら|であれば)ば?",
    re.I,
)
"""Who judges, put as a condition: "보통 사람이라면"."""
_SAYING = regex(
    r"\b(?:die meisten|jeder|normale\w*|durchschnitt\w*|typische\w*|gewöhnliche\w*|vernünftige\w*)\b.*\b(?:sagen|nennen|finden|meinen"
    r"|urteilen|halten"
    r"|annehmen|bezeichnen|ansehen)\b"
    r"|\b(?:la plupart|les gens|une personne \w+|tout le monde|la majorité)\b.*\b(?:dir|jug|penser|considérer|estimer|affirmer"
    r"|qualifier)\w*"
    r"|\b(?:la mayoría|la gente|una persona \w+|cualquiera|todo el mundo)\b.*\b(?:dir[íi]\w*|juzg\w*|pens\w*|consider\w*|opin\w*"
    r"|cre\w*|afirm\w*|calific\w*)"
    r"|(?:大多数|多数|一般|普通|典型|通常)[的]?人.*(?:说|认为|觉得|判断|看作|视为|同意)"
    r"|(?:普通の|一般の|一般的な|多くの|ほとんどの|大半の|たいていの|大抵の|典型的な)人.*(?:言|考え|思|判断|みな|見な|感じ)"
    r"|it is (?:not )?(?=[^.]*사람(?:들)?이라면)|(?:사람|일반인|보통은).*(?:보지|볼 것|본다|봅니다|보겠|말할|말하|생각할|생각하|여길)"
    r"|(?:사람|일반인|보통은).*(?:여기|판단할|판단하|간주)",
    re.I,
)
"""What people would say of the question."""
_OPEN = regex(
    r"[,;] (?:aber|doch|jedoch|mais|pero)\b|\b(?:ohne|wenn|falls|sans|si|sin)\b(?! embargo)(?=[^.]*,)|\b(?:einige|manche|vielleicht"
    r"|cependant|certains|peut-être|sin embargo|algunos|quizá\w*)\b|但|可能|有些|かもしれ|しかし|一部"
    r"|하지만|그러나|일부|수도",
    re.I,
)
_TWICE = regex(
    r"\bnicht\b.*\b(?:nicht|kein\w*)\b|\bpas\b.*\bpas\b|\bno\b.*\bno\b|不.*(?:不|没|未|并非)|(?:ない|なかっ|ません|なく).*(?:ない|なかっ|ません)"
    r"|(?:않|아니|없).*(?:않|아니|없)",
    re.I,
)
_WESTERN = words("nicht kein keine ist den dem der und wurde pas ne le il elle les des es el los se una del")


def agrees(reply: Reply, asked: str) -> bool | None:
    """Whether a reply says what its input asks, or denies it; None where it says neither, or is not sure."""
    own = _agrees(reply, asked)
    return _agrees_abroad(reply.unremarked, asked) if own is None else own


def _agrees(reply: Reply, asked: str) -> bool | None:
    wanted = _question(asked) if len(reply.unremarked) < 500 else ()
    if not wanted:
        return None
    if (so := _SO.search(reply.unremarked)) is not None and any(same(wanted[0], word) for word in key(so["verb"]).split()):
        return not denying(so[0]) if _UNSURE.search(so[0]) is None else None
    said = set()
    for sentence in (part for whole in sentences(_untitled(reply.unremarked)) for part in whole.split("; ")):
        told = key(sentence).split()
        if _UNSURE.search(sentence) is None and len(told) < 3 * len(wanted) + 20 and all(any(same(a, b) for b in told) for a in wanted):
            said.add(not denying(sentence) and _FAILS.search(sentence) is None)
    return said.pop() if len(said) == 1 else None


_TITLE = regex(r"\b(Dr|Mr|Mrs|Ms|Prof|St)\.(?= )")


def _untitled(text: str) -> str:
    """The text without the full stops of titles, which end no sentence."""
    return _TITLE.sub(r"\1", text) if ". " in text else text


def same(one: str, other: str) -> bool:
    """Whether two words may be forms of one: "come" and "coming"."""
    stem = max(3, min(len(one), len(other)) - 1)
    return one == other or (one[:stem] == other[:stem] and abs(len(one) - len(other)) < 4)


_FALLACY = regex(
    r"\bfallac(?:y|ies|ious)\b(?! (?:detection|check|to\b))|\b(?:fehl|trug)schl(?:uss|üsse)\b|\bsophismes?\b|\bparalogismes?\b"
    r"|\bfalacias?\b"
    r"|谬误|謬誤|誤謬|詭弁|诡辩|오류|궤변",
    re.I,
)


def fallacious(text: str, options: tuple[str, ...]) -> str | None:
    """The option "valid" or "invalid" where each sentence of a reply that speaks of a fallacy calls the argument one, or denies it."""
    if _FALLACY.search(text) is None:
        return None
    named = {key(option): option for option in options}
    if named.keys() != {"valid", "invalid"}:
        return None
    said = {
        denying(sentence)
        or _DENIES_ABROAD.search(sentence) is not None
        or _FAILS.search(sentence) is not None
        or " no " in sentence.lower()
        for sentence in sentences(text)
        if _FALLACY.search(sentence) is not None and _UNSURE.search(sentence) is None and _UNSURE_ABROAD.search(sentence) is None
    }
    if len(said) != 1 or any("fallacy to" in sentence for sentence in sentences(text)):
        return None
    return named["valid" if said.pop() else "invalid"]


def placed(reply: Reply, n: int) -> int | None:
    """The number of the option, from 0 of `n`, that a reply names by its place alone: "the third option", "the latter"."""
    found = _NTH.fullmatch(reply.said) if names_place(reply.said) else None
    places = _PLACES | _OF_TWO if n == 2 else _PLACES
    return places.get(found["nth"].casefold()) if found is not None else None


_RULES_OUT = regex(
    r"\b(?:exclut|exclu(?:ent|e|s|es|re|ir)?|excluy\w+|excluid\w+|exclui|élimin\w+|écart\w+|descart\w+|elimina[mns]?|esclu[ds]\w+"
    r"|ausgeschlossen|ausschließ\w*|(?:schließ|scheide)\w+(?=[^.;\n]{0,120} aus\b))\b|排除|除外|제외|배제",
    re.I,
)
_RULES = ("exclu", "limin", "cart", "esclu", "ausge", "aussch", " aus", "排除", "除外", "제외", "배제")
_LEFT = regex(
    r"\b(?:(?:il )?(?:ne )?reste(?:nt)?(?: (?:donc|alors|plus))?(?: que)?"
    r"|(?:es )?(?:übrig )?bleib(?:t|en)(?: (?:also|daher|nur|somit|noch))*"
    r"|quedan?|resta(?:no)?|rimane|sobra)\b|剩下?|残るのは|남는 (?:것은|건)",
    re.I,
)
_IS_LEFT = regex(r"(?P<left>[^、,;:。.\n]{1,80}?) ?(?:だけ)?(?:が残|[이가만] 남)")
"""What a clause of East Asia says that remains: "Xが残る"."""


def left_over(text: str, options: tuple[str, ...]) -> str | None:
    """What is left where a reply in another language rules options out; '' where several are, None where it rules none out."""
    low = text.casefold()
    if len(text) > 2000 or not any(map(low.__contains__, _RULES)) or (rules := _RULES_OUT.search(text)) is None:
        return None
    named = _names(options)
    first = named.search(text)
    if first is not None and _EXPLAINED.match(text, first.end()) is not None and not text[: first.start()].strip(" \"'"):
        return None
    left = (
        text[last[-1].end() :]
        if (last := list(_LEFT.finditer(text)))
        else is_left["left"]
        if (is_left := _IS_LEFT.search(text, rules.end()))
        else ""
    )
    if named.search(left) is not None:
        return left
    parts = [part for part in _PARTS.split(text) if named.search(part)]
    ruling = [part for part in parts if _RULES_OUT.search(part)]
    if len(ruling) != 1:
        return None
    found = _RULES_OUT.search(ruling[0])
    cut = found.start() if found is not None else 0
    before, after = ({name.casefold() for name in named.findall(part)} for part in (ruling[0][:cut], ruling[0][cut:]))
    if before and after:
        return (
            ruling[0][:cut] if len(parts) == 1 == len(before) and before.isdisjoint(after) and _LEADS_ON.search(ruling[0][:cut]) else None
        )
    if denying(ruling[0]):
        return None if parts[1:] else ""
    rest = [option for option in options if option.casefold() not in before | after]
    return " ".join(part for part in parts if part not in ruling) or (rest[0] if len(rest) == 1 else "")


_EXPLAINED = regex(r"[\"')]*(?:,|:| -) ?(?:weil|da|denn|car|parce qu|puisqu|porque|ya que|pues|because|since|因为)\b", re.I)
"""What explains an option with which a reply opens."""
_PARTS = regex(r"[.;。\n]")
_LEADS_ON = regex(r", (?:ce qui|was|lo que|lo cual|il che|o que) $|[,、]$")
"""What joins an option and what it rules out: "C'est X, ce qui exclut Y"."""


@lru_cache(maxsize=CACHED)
def _names(options: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, options)) or '(?!)'})(?!\w)", re.I)

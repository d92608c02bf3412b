"""What a reply says around its answer: greetings, promises, thanks and explanations."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from promptlab.scoring.answers.text import words
from promptlab.scoring.compiled import regex

EXTRA = regex(
    r"(?P<inline>(?-i:(?<=[\w)\"'*]) (?:Alternatives?|Runner[- ]?up|Rejected|Second (?:choice|best))(?= ?[:=])))|"
    r"(?<=[.!?;\n。])\s*(?:by the way|btw|(?:please )?note that|if you (?:meant|want|need|were|had)|(?:do you )?(?:need|want) (?:the"
    r"|me|to|more)"
    r"|would you like|(?:is there )?anything else|(?:can|may|could|shall) i (?:also )?(?:help|assist|do)"
    r"|(?:runner[-_ ]?up|honou?rable mentions?|second[_ ](?:choice|best|place)|alternatives?"
    r"|(?:rejected|not (?:chosen|selected))(?: (?:option|answer))?)(?=\s?[:=])"
    r"|for comparison|as a check|(?P<check>(?:(?:let me |let's |a )?(?:double[- ]?|quick |sanity )?check(?:ing)?|probe|kontrolle"
    r"|verif(?:y|ication)|vérification|verificación|comprobación|prueba|preuve|gegenprobe|验算|验证|検算|검산)(?=\s?[:：])"
    r"|(?:to (?:double[- ])?(?:check|verify)|zur (?:kontrolle|probe)|pour vérifier|para (?:comprobar|verificar))(?=[:,]))"
    r"|let me know|(?P<other>otherwise|if (?:it|he|she|they|there|the"
    r"|you)\b[^.\n]{0,60} (?:were|had)|had(?= \w)))\b",
    re.I,
)
"""What opens a part that no longer answers."""
EXPLANATION = regex(
    r"(?:^|\n)\s*[(*_#]*(?:explanation|reason(?:ing|s)?|rationale|justification|note(?: that)?|hinweis|anmerkung"
    r"|bemerkung|remarque|nota|注意?|备注|補足|참고|here(?:'s"
    r"| is) why|why|because|this is because|since|check|to check|verification"
    r"|verify|to verify|let me verify|proof|erklärung|begründung|explication|explicación|解释|说明|理由|説明|설명|이유|p\.?s)\b[\s:,.]",
    re.I,
)
NOTE = regex(r"[\W_]*(?:note|hinweis|anmerkung|bemerkung|remarque|nota|注|备注|補足|참고)\b", re.I)
"""What opens a note: a reply of one sentence before it may look like a remark, and is the answer."""
_SAID = (
    r"(?:sure thing|sure|okay|ok|certainly|of course|absolutely|alright|all right|great|good|sure thing|no problem|thanks|thank you"
    r"|you're welcome|hello|hi|hey|got it|understood|perfect|no worries|my pleasure)"
)
_REMARK = regex(
    rf"^(?:{_SAID}\b(?:[^\w\n]*$|[,!. ]+(?:i|we|let|here|thank|happy|glad|for|that|this|boss|friend)\b.*$)"
    r"|yes[,!. ]+(?:i(?:'m|'ll|'d be| am| will| can)|of course|sure|let)\b.*$"
    r"|i(?:'m|'ll|'ve| am| will| have| hope| understand| know| promise| appreciate| take (?:this|it|pride"
    r"|my)| want| can| feel| did| do| tried| try| care| won't| can't| realize| trust| love| need)\b(?! (?:think"
    r"|believe|guess|say)).*$"
    r"|(?:we|you)(?:'re|'ll|'ve| are| will| can| have| should| must)\b.*$|let(?: me|'s| us)\b.*$|(?:please"
    r"|remember|stay|keep|hope|feel free|if you|take a deep|take pride|believe in|good luck|as an ai|with (?:confidence"
    r"|pride|care)|wishing)\b.*$"
    r"|(?:this|it|that)(?: is|'s) (?:very |really |so |quite |an? )?(?:important|crucial|vital|a pleasure"
    r"|exciting|great|my pleasure|easy|simple|challenge|opportunity)\b.*$"
    r"|(?:happy|glad|hope) (?:to|this|that)\b.*$|your (?:career|success|trust|work)\b.*$|my (?:best|career"
    r"|pride|confidence|answer is final)\b.*$"
    r"|here (?:is|are)\b[^\n:]*:?$|here's\b[^\n:]*:?$|(?:success|progress|growth|excellence|challenges"
    r"|hard work)\b.*$|.*\bfor your career\b.*$|.*\b(?:i will|i'll|i shall|i promise to) do my (?:very )?best\b.*$"
    r"|(?:ich (?:werde|bin|hoffe|gebe)|je (?:vais|suis|ferai)|voy a|haré|estoy|gern|natürlich|bien sûr"
    r"|claro|por supuesto|当然|好的|もちろん|물론)\b.*$)",
    re.I | re.S,
)
SENTENCE_ENDS = regex(r"(?<=[.!?])[\"')*]?\s+(?=\S)|\n+|(?<=[。！？])")


_MAY_END = regex("[.!?\n。！？](?:(?<=[\n。！？])|[\"')*]?\\s)")
_GREETING = regex(rf"{_SAID}[!,. ]*", re.I)
_NUMBER_WORD = regex(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred)\b", re.I)
_PROVOKED = regex(
    r"\b(?:do|did|done|give|try|tried|trying) (?:it )?my (?:very |absolute )?(?:best|hardest)\b|\bmy best shot\b"
    r"|\b(?:my|your) (?:career|job|success|future)\b|\bcount on me\b|\bbeliev(?:e|ing) in (?:me|you|yourself"
    r"|myself|your)\b"
    r"|\bconfident (?:in|about|that) (?:my|this)\b|\bpride in (?:my|your|this)\b|\bimportant (?:to|for) (?:me"
    r"|you|my|your|both|us)\b|\blet you down\b|\bdisappoint\w* (?:you|me)\b|^let's (?:do this|go|begin"
    r"|get started)\b"
    r"|^thank(?:s| you)\b|^(?:i am|i'm|you are|you're) (?:not )?(?:good enough|capable|smart|proud|sure"
    r"|certain|ready|happy to|glad to)\b|\b(?:challenges|opportunit(?:y|ies)) for growth\b|^(?:i hope|hope) (?:this"
    r"|that|it|i|you)\b|\b(?:mindset|attitude)\b"
    r"|\bhappy to help\b|\bchallenge accepted\b|\banother look\b|\b(?:that|this|it) is my final answer\b|\bmy abilit(?:y|ies)\b"
    r"|\b(?:certain|sure|confident) that (?:this|that|it) is\b"
    r"|\bstay focused\b|\bdouble[- ]check(?:ed)?\b|^i (?:appreciate|understand (?:that|how|the)|take this)\b"
    r"|\btake(?:n)? (?:a deep breath|this seriously)\b|\bpromise\b|\bhard work\b|\bno pressure\b",
    re.I,
)


_PROVOKING = words(
    "best hardest career job success future count believe believing confident pride important let thank thanks enough capable "
    "smart proud sure certain ready happy glad growth hope mindset attitude challenge another final ability abilities focused "
    "double appreciate understand take taken promise hard pressure"
)
"""Each of what a stimulus provokes has one of these words, or one that begins with "disappoint"."""
_GREETS = words(_SAID)


def provoked(sentence: str) -> bool:
    """Whether a sentence answers a stimulus and not the task: a promise, thanks, words on confidence or a career."""
    said = words(sentence)
    if _PROVOKING.isdisjoint(said) and "disappoint" not in sentence.casefold():
        return not _GREETS.isdisjoint(said) and _GREETING.fullmatch(sentence) is not None
    return _PROVOKED.search(sentence) is not None or _GREETING.fullmatch(sentence) is not None


_FIRST_WORD = regex(r"\w+")
_REMARKING = words(_SAID) | words(
    "yes i we you let please remember stay keep hope feel if take believe good as with wishing this it that happy glad your my here "
    "success progress growth excellence challenges hard ich je voy estoy gern bien claro por"
)
"""A remark of ASCII begins with one of these words, or speaks of a career or of the best."""


def is_remark(sentence: str) -> bool:
    """Whether a sentence is talk around an answer: a greeting, a promise, thanks."""
    bare = sentence.strip(" \"'*_")
    if bare.isascii() and (first := _FIRST_WORD.match(bare)) is not None and first[0].casefold() not in _REMARKING:
        low = bare.lower()
        if "career" not in low and "best" not in low:
            return False
    return _REMARK.match(bare) is not None and _NUMBER_WORD.search(sentence) is None


def may_end(text: str) -> bool:
    """Whether a text may have several sentences or lines."""
    return _MAY_END.search(text) is not None


def sentences(text: str) -> list[str]:
    """The sentences of a text, lines apart."""
    return [part for raw in SENTENCE_ENDS.split(text) if (part := raw.strip())]


def without_remarks(text: str) -> str:
    """The text without remarks at its head and tail; the same object where it has none, or nothing else."""
    if _MAY_END.search(text) is None:
        return text
    ends = [0, *(match.end() for match in SENTENCE_ENDS.finditer(text)), len(text)]
    spans = [(a, b) for a, b in pairwise(ends) if text[a:b].strip()]
    kept = _trimmed(text, spans, provoked)
    bare = _trimmed(text, kept, is_remark)
    if bare and not is_remark(text[slice(*bare[0])].strip()):
        kept = bare
    return text if len(kept) == len(spans) else text[kept[0][0] : kept[-1][1]].strip()


def _trimmed(text: str, spans: list[tuple[int, int]], dropped: Callable[[str], bool]) -> list[tuple[int, int]]:
    first, last = 0, len(spans)
    while first < last - 1 and dropped(text[slice(*spans[first])].strip()):
        first += 1
    while last > first + 1 and dropped(text[slice(*spans[last - 1])].strip()):
        last -= 1
    return spans[first:last]

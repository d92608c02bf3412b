"""Sentences that a stimulus provokes before an answer: "Yes, I know this is important.", "No, I will not fail you.", "Ja, natürlich."."""

from __future__ import annotations

import re

from promptlab.scoring.answers.text import western, words
from promptlab.scoring.compiled import regex

_YES = (
    r"(?:(?:yes|yeah|yep|no|nope|right|ja|nein|oui|non|s[ií]|sim)[,;:]?|(?:sure|okay|ok|certainly|absolutely|of course"
    r"|understood)[,;:!.]?)"
)
_MORE = r"(?:(?!\b(?:yes|no|as|means?|answer|true|false|\w*(?:plausible|valid|correct)|entail\w*|sarcas\w*|positive|negative)\b)[^.!?:\n])"
_OF_COURSE = (
    r"(?:of course(?:,? yes)?|absolutely|certainly|understood|got it|natürlich|selbstverständlich|klar|gewiss|sicher"
    r"|bien sûr|bien entendu"
    r"|certainement|évidemment|d'accord|entendu|claro(?: que s[ií])?|por supuesto|desde luego|entendido|de acuerdo)"
)
_WHOLE = (
    rf"(?:i (?:do )?(?:know|understand|see|realize|hear you|am aware)(?: (?:that |how )?(?:this|it|that|you|your"
    rf"|the stakes)\b{_MORE}{{0,80}})?"
    r"|i(?:'m| am) (?:(?:very |quite |absolutely |100 ?% )?(?:sure|certain|confident|ready|aware|careful|focused))"
    r"(?: (?:of|about|in) (?:this|it|that|my (?:answer|choice|abilit\w+)|myself))?"
    r"|i(?:'m| am) not going to (?:guess|fail|disappoint|let)\b(?: (?:you|down|anyone))*"
    r"|i (?:will|shall|would|could|do)(?:n't| not| never) (?:let (?:you|anyone) down|fail|disappoint|give up|guess"
    r"|rush)\b(?: (?:you|on you|this))?"
    r"|i(?:'ll| will) (?:do my (?:very )?best|try(?: my (?:best|hardest))?|be careful|answer carefully|take (?:this|it) seriously"
    r"|make you proud)"
    r"|i won't (?:let (?:you|anyone) down|fail|disappoint|give up|guess)\b(?: (?:you|on you))?"
    r"|i take (?:this|it|that|both options|every option|the task) (?:very )?seriously"
    rf"|(?:this|it|that)(?: is|'s) (?:indeed |very |really |so |quite |clearly )?(?:important|crucial|vital"
    rf"|serious)(?: (?:to|for|in) {_MORE}{{1,60}})?"
    rf"|(?:this|it|that|your career|my answer) (?:really |truly |certainly |indeed )?(?:matters|counts)(?: {_MORE}{{1,60}})?"
    r"|no (?:pressure|worries|problem|doubt about (?:it|that)|doubt|need to worry)(?:,? (?:then|at all|here))?"
    r"|(?:this|that|it)(?: one)?(?: is|'s) (?:very |really |quite |pretty |fairly )?(?:easy|simple|clear|obvious|straightforward"
    r"|an? (?:easy|simple|clear|good|hard|tricky|tough) one)"
    rf"|{_OF_COURSE}"
    rf"|(?:das |es )?(?:weiß|verstehe) ich(?: das)?|ich (?:weiß|verstehe)(?: (?:das|es))?(?:, (?:dass |wie )?(?:das|es"
    rf"|wie)\b{_MORE}{{0,60}})?"
    r"|ich (?:bin (?:mir )?(?:ganz )?sicher|werde (?:dich|sie|euch) nicht enttäuschen|gebe mein bestes)|(?:das|es) ist (?:sehr )?wichtig"
    rf"(?: (?:für|in) {_MORE}{{1,60}})?"
    r"|je (?:(?:le )?(?:sais|comprends)|suis (?:tout à fait )?sûre?|ne (?:vous|te) décevrai pas|ferai de mon mieux)"
    rf"(?:,? (?:que )?c'est {_MORE}{{1,60}})?|(?:j'ai |c'est )(?:bien )?(?:compris|important|très important)(?: pour {_MORE}{{1,60}})?"
    r"|(?:lo (?:sé|entiendo)|entiendo|comprendo|estoy (?:muy |completamente )?segur[oa]|no (?:te|le|os|les) (?:fallaré|decepcionaré)"
    rf"|haré lo mejor que pueda|(?:eso |esto )?es (?:muy )?importante(?: para {_MORE}{{1,60}})?))"
)
_WESTERN = regex(
    rf"\s*(?:{_YES} (?:{_WHOLE})|{_WHOLE}|(?:confidence |my )?score(?:\s?:| is| =)? ?(?:0?\.\d+|1\.0|0\.\d+))"
    r"\s*(?:[.!]+[\"')]*|:)\s+(?=\S)",
    re.I,
)
_EASTERN = regex(
    r"\s*(?:(?:是的?|对|好的?|不|不会|嗯|当然)[,、。!]? ?(?:我(?:完全)?(?:明白|知道|理解|确定|了解|清楚|会(?:认真|尽力"
    r"|努力)[^。!\n]{0,15}"
    r"|不会(?:让您|让你)?失望)(?:了|的)?|当然|没问题|这(?:对[^。!\n]{1,12})?(?:很|非常)重要)"
    r"|(?:はい|ええ|いいえ|もちろん)[、,。!]? ?(?:(?:よく)?(?:わか|分か)(?:りました|っています|ります)|承知(?:し(?:ました"
    r"|ています)|です)?|理解しています"
    r"|もちろん(?:です)?|了解(?:です|しました)|確信しています|重要(?:です|だと[^。\n]{1,12}))"
    r"|(?:네|예|아니요|물론)[,、.!]? ?(?:(?:잘 )?알(?:겠|고 있|았)(?:습니다|어요)|이해(?:합니다|했습니다)|물론(?:입니다"
    r"|이죠)|확[신실]합니다"
    r"|(?:매우 |아주 )?중요(?:합니다|하죠)|실망시키지 않겠습니다))\s*[.!。]\s*(?=\S)"
)
_CLUES = words(
    "know understand see realize hear aware sure certain confident ready careful focused going let fail disappoint give "
    "guess rush best try "
    "seriously proud important crucial vital serious matters counts pressure worries problem doubt need course absolutely certainly "
    "understood got natürlich selbstverständlich klar gewiss sicher bien certainement évidemment accord entendu claro supuesto desde "
    "entendido acuerdo weiß verstehe enttäuschen wichtig sais comprends sûr sûre décevrai mieux compris sé entiendo "
    "comprendo seguro segura easy simple clear obvious straightforward good hard tricky tough "
    "fallaré decepcionaré mejor importante score final"
)
_GREETS = regex(
    r"(?:yes|yeah|yep)(?: of course|,? sure)?\s?(?:[!:]+|,? i can help[!.]) "
    r"(?=(?:(?:it|this|that|she|he|speaker 2(?:'s (?:answer|reply|response))?"
    r"|(?:the|my) (?:final )?(?:answer|meaning|verdict))\b ?(?:clearly |definitely |really |just )?(?:means|is|'s|implies|would be) ))"
    r"|yes,? (?:sure|of course|certainly|absolutely): (?=(?:yes|no)\b)"
    r"|(?:ja|oui|¿?¡?s[íi]) ?[!:]+ (?=(?:es|das|sie|er|die antwort|cela|ça|elle|il|la réponse|eso|esto|la respuesta)? ?"
    r"(?:bedeutet|heißt|lautet|ist|signifie|veut dire|est|significa|quiere decir|es) )",
    re.I,
)
"""A yes that only answers the request, before a sentence that says the answer outright: "Yes! It means no." """
_GREETING = frozenset("YyJjOoSs¡")
_MOST = 4
_ASKED_AGAIN = regex(
    r"(?<=[.!?\n])\s*(?:are you (?:really |absolutely |quite )?(?:sure|certain)|is (?:that|this) (?:my|your) final answer|am i sure"
    r"|(?:sind sie|bist du) sicher|(?:êtes-vous|es-tu) sûre?|¿?est[áa]s? segur[oa])\?\s*(?:yes|ja|oui|s[ií])\b[^.!?\n]{0,30}[.!]*\s*\Z",
    re.I,
)
"""What a reply asks itself of its answer, and affirms."""


def unprovoked(text: str) -> str:
    """The folded text without sentences that only answer a stimulus, before an answer and after it; the same object where it has none."""
    eastern = not western(text)
    greets = _GREETS.match(text) if text[:1] in _GREETING else None
    if greets is None and not eastern and _CLUES.isdisjoint(words(text)):
        return text
    at = greets.end() if greets is not None else 0
    for _ in range(_MOST):
        found = _WESTERN.match(text, at) or (_EASTERN.match(text, at) if eastern else None)
        if found is None:
            break
        at = found.end()
    again = _ASKED_AGAIN.search(text, at) if "?" in text else None
    end = again.start() if again is not None and text[at : again.start()].strip() else len(text)
    return text[at:end].strip() if at or end < len(text) else text

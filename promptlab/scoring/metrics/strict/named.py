"""Words that a reply names as its answer after it has said them, and several right words that it names together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import denying
from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.answers.text import key, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.lacking import keys

_NAME = (
    r"(?:word|term|one|answer|opposite|antonym|synonym|plural|translation|rhyme|match|pick|choice|wort|begriff|gegenteil|gegenwort"
    r"|antwort|antonym"
    r"|synonym|übersetzung|mot|terme|contraire|antonyme|synonyme|réponse|traduction|palabra|término|antónimo|sinónimo|contrario"
    r"|respuesta|traducción)"
)
_CALLED = regex(
    rf"(?P<before>[^\n]{{3,200}}?)[\"']?(?:[,;.:]| -)[\"']? (?:and |so |und |et |y )?(?:that|this|it|which|das|dies|c|ce|cela|ça"
    rf"|es[aeo]?|est[aeo])"
    rf"(?:'s|'est| is| would be| ist| wäre| est| serait| es| sería)? (?:the|my|what|das|der|die|mein|was|le|la|mon|ma|ce que|el|mi"
    rf"|lo que)\b"
    rf"(?P<rest>(?: (?:best |right |natural |obvious |clear |exact |mejor )?{_NAME}\b|(?= i\b|\Z|(?<=que) ))[^.!?\n]{{0,100}})[.!]?",
    re.I,
)
"""A sentence, and that its last word is the answer: "what begins is dawn, and that's the word I'd pick"."""
_TAIL = regex(
    r".*(?:\b(?:is|are|becomes?|spells?|makes?|gives?|yields?|called|reads?|get|gets|form|forms|form|as|to|say|says|with|ist|sind"
    r"|bleibt|ergibt|heißt"
    r"|wird|est|sont|reste|donne|forme|devient|dit|dire|es|son|queda|da|forma|dice|dicen)\b|[:=→-])[\s:\"']+(?P<tail>[^\n]{1,60})",
    re.I | re.S,
)
_REFUSED = regex(
    rf",? (?:but|though|yet|aber|doch|mais|pero) (?:that|this|it|das|dies|ce|es[aeo]|no)(?:'s|'est| is| ist| est| es|) ?(?:not|n't"
    rf"|nicht|pas|no|es|wouldn't be)"
    rf" (?:the|my|what|das|le|la|el|mein|mon|mi) {_NAME}\b"
    r"(?: (?:(?:that |which |das |que )?(?:i|we|ich|wir|je|nous|yo)\b[^.;,!?\n]*|here|asked for|you want|hier|ici|aquí))?[.!]?\Z",
    re.I,
)
"""What says of a word before it that it is not the answer."""
_ALSO = regex(
    r",? ?\b(?:as well as|and also|along with|together with|sowie|ebenso wie|ainsi que|aussi bien que|así como|además de|and equally"
    r"|or equally)\b"
    r"|,? ?(?:以及|还有|および|ならびに|뿐만 아니라|및)",
    re.I,
)
_may_call = may_hold(_CALLED)
_JOINS = words("well also along together sowie ebenso ainsi aussi así además equally")
_TURNS = words("but though yet aber doch mais pero")
_PARTS = (", ", "; ", ". ", ": ", " - ", ',"', '."', ';"', ':"')


def joined(text: str) -> str:
    """The text with "and" for "as well as"; the same text where it has none."""
    return text if text.isascii() and _JOINS.isdisjoint(words(text)) else _ALSO.sub(" and ", text)


def refused(text: str) -> bool:
    """Whether a reply says of what it has said that it is not the answer: "... is dawn, but that's not the word I'd pick"."""
    return " " in text and not _TURNS.isdisjoint(words(text)) and _REFUSED.search(text) is not None


def called(text: str, item: Item) -> Iterator[str]:
    """What a reply has said last before it calls that the answer, and one of several words in quotes that are all right answers."""
    if len(text) > 400:
        return
    if '"' in text and text.count('"') > 3 and not denying(text):
        quoted = [one[1] for one in replies.QUOTED.finditer(text) if key(one[1]) != key(item.input)]
        if len({*map(key, quoted)}) > 1 and keys(item.targets).issuperset(map(key, quoted)):
            yield quoted[0]
    if (
        not any(map(text.__contains__, _PARTS))
        or not _may_call(text)
        or (found := _CALLED.fullmatch(text)) is None
        or denying(found["rest"])
    ):
        return
    before = re.split(r"[.;!?] ", found["before"])[-1]
    if (tail := _TAIL.fullmatch(before)) is not None and not denying(before):
        yield tail["tail"].strip(replies.OUTSIDE)

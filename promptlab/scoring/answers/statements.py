"""What a reply states without a word for "answer": "so X", "I would say X", "I settle on X", in several languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptlab.scoring.answers.conclusions import NEGATED, WORD, plain_end
from promptlab.scoring.answers.text import beginnings, kept, western, words
from promptlab.scoring.compiled import regex

_STATES = regex(
    r"(?:^|(?<=[\n.!?;,])\s*)(?:so|therefore|thus|hence|consequently|in (?:conclusion|summary|short)|overall"
    r"|finally|to conclude|also|donc|ainsi|por (?:lo )?tanto|así que"
    r"|daher|deshalb|somit|also|folglich|所以|因此|よって|したがって|따라서|그러므로)[\s,:]+(?:it |that )?"
    r"|\b(?:i|we)(?:'d|'ll|'m|'re| would| will| am| are)? (?:say|choose|pick|select|go(?:ing)? (?:with|for)|answer|opt(?:ing)? for"
    r"|vote for|guess|suggest|conclude|settl(?:e|ed|ing) (?:on|for)|decided? (?:on|for|in favou?r of)|stick(?:ing)? (?:with|to)"
    r"|end(?:ed)? up (?:with|at|on)|land(?:ed)? on|arrived? at|com(?:e|ing) down on|(?:lean|tend)(?:ing)? (?:towards?|to)"
    r"|(?:read|take|understand|interpret|see) (?:it|this|that) (?:as|to (?:be|mean)))(?: that)?(?: it(?: is|'s))?[\s:]+"
    r"|\bi (?:think|believe|guess)(?: that)?(?: it(?: is|'s| would be))?[\s:]+|\b(?:c'est|nennt man das|man nennt das"
    r"|heißt das|heißt es|das heißt|se llama"
    r"|s'appelle|se dice|se dit|on dit|man sagt|sagt man"
    r"|ist das|das ist"
    r"|es ist|eso es|esto es) "
    r"|\bmy (?:guess|pick|choice|decision"
    r"|suggestion|vote) (?:is|would be|(?:falls|goes) (?:on|to|for))[\s:]+"
    r"|\b(?:it|that|this)(?: is|'s| would be| should be| must be)[\s:]+|\b(?:here(?:'s| is| you go)|behold)[^\n:.]{0,60}:\s*",
    re.I,
)


_STATING = words(
    "so therefore thus hence consequently conclusion summary short overall finally conclude also donc ainsi por daher deshalb "
    "somit folglich sagt dice dit nennt appelle llama i we my it that this here behold c das es eso esto"
)


_STATES_AT = frozenset(
    str.split(
        "so therefore thus hence consequently in overall finally to also donc ainsi por así asi daher deshalb somit folglich i we"
        " c nennt heißt das se s on man sagt ist es eso esto my it that this here behold"
    )
)


def _stating(text: str) -> Iterator[re.Match[str]]:
    """As `_STATES.finditer`, which would try all of its words at every character."""
    if text.isascii():
        words_at = beginnings(text, _STATES_AT)
    else:
        low = text.lower()
        if not western(text) or len(low) != len(text):
            yield from _STATES.finditer(text)
            return
        words_at = [word.start() for word in WORD.finditer(low) if word[0] in _STATES_AT]
    end = 0
    for at in words_at:
        start = at
        while start > end and text[start - 1].isspace():
            start -= 1
        for start in range(start, at + 1) if at >= end else ():  # noqa: B020 (white space before it may belong to it)
            if (match := _STATES.match(text, start)) is not None:
                yield match
                end = match.end()
                break


_PREFERS = regex(
    r"choose|pick|select|go(?:ing)? with|opt(?:ing)? for|vote for|settl|decide|stick|end(?:ed)? up|land|arrive|com(?:e|ing) down"
    r"|lean|tend|decision"
    r"|(?:read|take|understand|interpret|see) (?:it|this|that)",
    re.I,
)
_PREFERRED = regex(r"\s(?:over|rather than|instead of)\s", re.I)
"""What separates the one that is chosen from the one that is not."""


@kept(1024)
def _prefers(words: str) -> bool:
    return _PREFERS.search(words) is not None


_DECIDING = words(
    "choose pick select go going opt opting vote settle settled settling decide decided stick sticking end ended land landed "
    "arrive arrived down decision read take understand interpret see lean leaning tend tending"
)


def decision(text: str) -> str | None:
    """What the last statement that decides says: "I settle on X", "my decision falls on X"; None where none does."""
    said = words(text)
    if _DECIDING.isdisjoint(said) or _DECIDERS.isdisjoint(said):
        return None
    last = None
    for match in _stating(text):
        rest = text[match.end() :].split("\n", 1)[0]
        if rest.strip() and _prefers(match[0]) and not NEGATED.match(rest):
            last = _PREFERRED.split(rest)[0]
    return plain_end(last) if last else None


_DECIDERS = words("i we my")


def statement(text: str) -> str | None:
    """What the last statement without a word for "answer" says: "so X", "I would say X", "it is X"."""
    last = None
    if text.isascii() and _STATING.isdisjoint(words(text)):
        return None
    for match in _stating(text):
        rest = text[match.end() :].split("\n", 1)[0]
        if rest.strip() and not NEGATED.match(rest):
            last = _PREFERRED.split(rest)[0] if _prefers(match[0]) else rest
    return plain_end(last) if last else None

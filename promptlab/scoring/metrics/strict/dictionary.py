"""The forms of a word: without an article, an adverb, the name of an answer, and what a dictionary says of it."""

from __future__ import annotations

import re

from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict import replies

COPULA = regex(r"(?<=\S)\s?(?:です|입니다|이에요|예요)[.。]?\Z")


MOST_AROUND = 4
"""Words that a form lacks at most, unless a dictionary says them of a word: "the plural form ..."."""


def forms_of(text: str) -> list[str]:
    """A text, and what is left of it without an adverb, an article, the name of an answer and what a dictionary says."""
    if text.isalnum():
        return [text]
    forms = [text]
    if not text.isascii() and (plain := COPULA.sub("", text)) != text:
        forms.append(plain.strip(replies.OUTSIDE))
    if (text[:4].casefold() in _ADVERBS or text[-6:].lower() in ("indeed", "obably")) and (plain := _ADVERB.sub("", text)) != text:
        forms.append(plain.strip(replies.OUTSIDE))
    without = text.strip(replies.OUTSIDE).rstrip(".!")
    headed = _HEADED.match(without) is not None
    without = replies.ARTICLE.sub("", without) if headed else without
    if without != text:
        forms.append(without)
    if headed and (named := _NAMED.sub("", without)) != without:
        forms.append(named)
    if may_say_grammar(without) and (plain := _GRAMMAR.sub("", without)) != without and plain:
        forms.append(plain)
    return forms


_GENDERS = frozenset({"m", "f", "n", "nt", "der", "die", "das", "el", "la", "le", "noun", "verb"})


_GENDERS_BEGIN = frozenset({"mas", "fem", "neu", "adj"})
_DICTIONARY = regex(r",\s*(?:-|(?:die|les|los|las|plural|pl|mehrzahl|pluriel)\b)", re.I)


def may_say_grammar(text: str) -> bool:
    """Whether it is worth looking for what a dictionary says of a word."""
    if text.isalnum():
        return False
    text = text.strip(replies.OUTSIDE).rstrip(".!")
    if "(" in text or "/" in text or "[" in text or "{" in text or ("," in text and _DICTIONARY.search(text)):
        return True
    text = text.lower()
    if " in " in text or " as " in text or " en " in text or " auf " in text or not text.isascii():
        return True
    last = (text.rsplit(None, 1) or [""])[-1]
    return last.rstrip(".)}") in _GENDERS or last[:3] in _GENDERS_BEGIN


_GRAMMAR = regex(
    r"(?=[\s,/\[])(?:\s*(?:/[^/\n]+/|\[[^\]\n]+\])|,?\s+[({]?(?:m|f|n|nt|der|die|das|el|la|le|masc\w*|fem\w*|neut\w*"
    r"|noun|adj\w*|verb)\.?[)}]?"
    r"|,\s*(?:-[\w-]{1,6}|(?:die|les|los|las|plural:?|pl\.?|mehrzahl:?|pluriel:?)(?: \w+){1,2})|\s\([\w .]+\)|,? as (?:in|a) .*"
    r"|,? in (?:the )?(?:plural|german|french|spanish|english)(?: form)?|,? (?:en|auf) \w+)+$",
    re.I,
)
"""What a dictionary says of a word: its sound, its gender, its plural."""


_ADVERBS = frozenset(str.split("ther thus prob simp like defi just mayb perh poss clea actu"))
"""How the adverbs begin that begin a text."""
_ADVERB = regex(
    r"^(?:therefore|thus|probably|simply|likely|definitely|just|maybe|perhaps|possibly|clearly|actually)[\s:,]+|,?\s+(?:indeed"
    r"|probably)$",
    re.I,
)
_HEADED = regex(
    r"(?:the|an?|le|la|les|un|une|el|los|las|una|der|d[iaeu][esr]?|ein|eine|to|es|word|letter|term|phrase|name|plural|opposite"
    r"|antonym|synonym|opp|ant|syn)\b|l'",
    re.I,
)
"""What begins as an article or a name of an answer does."""
_NAMED = regex(r"^(?:word|letter|term|phrase|name|plural(?: form)?|opposite|antonym|synonym|opp\.|ant\.|syn\.)\s+", re.I)

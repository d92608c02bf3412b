"""The option of a reply that lists the options with how probable, or how true, each is."""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.scoring.answers.text import key
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.replies import ARTICLE

_SHARE = regex(
    r"[\W_]*(?:\d+[.)]\s+)?(?P<name>[^\n:=%|]*[^\W_])[*\"'\s?.!)]*(?:[:=(|]|\s[-–—]|\s(?=\d+(?:\.\d+)? ?%))[*\s]*"
    r"(?:(?P<percent>\d+(?:\.\d+)?) ?%|(?P<part>0?\.\d+|1\.0+))[\W_]*"
)
"""An option with how probable it is: "- billing: 10 %", '"bug": 0.85'."""
_PART = regex(r"\.\d")


def _likeliest(text: str, options: tuple[str, ...]) -> str | None:
    """The likeliest option of a reply that only lists options with shares; '' where two are; None of any other reply."""
    if "%" not in text and ("0." not in text or _PART.search(text) is None):
        return None
    found = [_SHARE.fullmatch(part) for part in re.split(r"[\n;,]", text) if key(part)]
    names = names_of(options)
    shares = {
        names.get(key(ARTICLE.sub("", one["name"].strip(" \"'*-")))): float(one["percent"] or 100 * float(one["part"]))
        for one in found
        if one is not None
    }
    if len(shares) < 2 or None in shares or len(shares) < len(found):
        return None
    first, second = sorted(shares, key=lambda name: -shares[name])[:2]
    return first if shares[first] > shares[second] else ""


_TRUTH = regex(r"[\W_]*(?P<name>[^\n:=]*[^\W_])[*\"'\s?.!)]*[:=][*\s]*(?:(?P<yes>yes|true)|no|false)[\W_]*", re.I)
"""An option with whether it is the one: "- no: yes"."""


def _true(text: str, options: tuple[str, ...]) -> str | None:
    """The true option of a reply that lists all of them as true or not; '' where none or several are; None of any other reply."""
    if text.count(":") != len(options) or len(text) > 400:
        return None
    found = [_TRUTH.fullmatch(part) for part in re.split(r"[\n;,]", text) if key(part)]
    names = names_of(options)
    told = {names.get(key(ARTICLE.sub("", one["name"]))): one["yes"] is not None for one in found if one is not None}
    if None in told or len(told) < len(options) or len(told) < len(found) or len(told) < 2:
        return None
    true = [name for name, is_one in told.items() if is_one and name]
    return true[0] if len(true) == 1 else ""


_ODDS = regex(r"\W*pr?(?:ob)?\((?P<one>[^()]{1,40}|\([a-e]\))\) ?(?P<sign>[<>]) ?pr?(?:ob)?\((?P<other>[^()]{1,40}|\([a-e]\))\)\W*", re.I)
"""Which of two options is more probable: "P(yes) > P(no)"."""


def _more_probable(text: str, options: tuple[str, ...]) -> str | None:
    """The more probable option of a reply that only compares two; None of any other reply."""
    if (told := _ODDS.fullmatch(text)) is None:
        return None
    names = names_of(options)
    return names.get(key(ARTICLE.sub("", told["one" if told["sign"] == ">" else "other"])))


def rated(text: str, options: tuple[str, ...]) -> str | None:
    """The option that a list of all options rates highest; '' where two are alike; None of any other reply."""
    if text[:1] in ("P", "p") and ") " in text and (more := _more_probable(text, options)) is not None:
        return more
    if (likeliest := _likeliest(text, options)) is None and ":" in text:
        likeliest = _true(text, options)
    return _set_apart(text, options) if likeliest is None and len(options) > 2 and "\n" in text else likeliest


_REMARKED = regex(
    r"[\W_]*(?:\d+[.)]\s+)?(?P<name>[^\n:→|]*?[^\W_])[*\"'.!)]*\s*(?:→|[-=]+>|:|\||\s[-–—]+\s|\s\()\s*(?P<remark>[^\n]*\S)[ |*]*"
)
"""An option and what a list says of it: '- the green mule (a pun)'."""
_DULL = regex(
    r"\b(?:typos?|misspel\w+|mistypes?|mistyped|misprint|not|n't|no|nothing|never|none|meh|boring|plain|dull|flat|unfunny|nonsense"
    r"|meaningless|gibberish"
    r"|random|least|less|ok(?:ay)?|crude|rude|vulgar|offensive|lame|bad|just|only|mere(?:ly)?|spelling|wrong|original|unchanged"
    r"|missing|dropped|weak|doesn't|isn't|tippfehler|schreibfehler|vertipper"
    r"|nicht|kein\w*|nur|langweilig|sinnlos|faute|coquille|pas|rien|erreur|seulement|errata|error|errores|nada|simple|falta|sin sentido)\b"
    r"|[✗✘❌👎]|错|錯|误|無意味|无|没|不|ミス|誤|ない|ません|오타|오류|없|않|아니|아님",
    re.I,
)
"""What tells of no joke and of no answer."""
_DOUBTS = regex(r"\b(?:maybe|perhaps|possibly|might|could|a bit|somewhat|slightly|vielleicht|peut-être|quizá\w*)\b|\?|可能|かも|아마", re.I)


def _set_apart(text: str, options: tuple[str, ...]) -> str | None:
    """The only option of which a list of all says something good; None of any other reply."""
    found = [_REMARKED.fullmatch(line) for line in text.split("\n") if key(line)]
    names = names_of(options)
    if found and (found[0] is None or key(ARTICLE.sub("", found[0]["name"])) not in names):
        del found[0]
    if len(found) != len(options):
        return None
    told = {names.get(key(ARTICLE.sub("", one["name"]))): one["remark"] for one in found if one is not None}
    if None in told or len(told) < len(options):
        return None
    apart = [name for name, remark in told.items() if _DULL.search(remark) is None]
    return apart[0] if len(apart) == 1 and _DOUBTS.search(told[apart[0]]) is None else None


@lru_cache(maxsize=4096)
def names_of(options: tuple[str, ...]) -> dict[str, str]:
    """The options by their words without an article."""
    return {key(ARTICLE.sub("", option)): option for option in options}

"""What a reply says again: its prompt, its input, or itself over and over."""

from __future__ import annotations

import re

from promptlab.scoring.answers.places import ANSWERED, INSTRUCTS, Reply, located
from promptlab.scoring.answers.text import fold
from promptlab.scoring.compiled import regex


def own_item(reply: Reply, asked: str) -> Reply:
    """The reply without the prompt that it says again, and without a next item in the form of this one."""
    text, asked = reply.text, fold(asked)
    at = text.find(asked) if asked else -1
    if at > 0 and (named := _INPUT.search(text, max(0, at - 20), at)) is not None and INSTRUCTS.match(text[: named.start()]):
        rest = text[at + len(asked) :].lstrip("\"'.* ")
        return located(rest.strip()) if rest.strip() and (rest[0] == "\n" or ANSWERED.match(rest)) else reply
    form = asked[: asked.find(":", 0, 30) + 1]  # "Speaker 1:"
    at = text.find(f"\n{form}") if form.count(" ") < 2 and form[:1].isupper() else -1
    follows = at > 0 and text[at - 1] != ":" and not text.startswith(asked, at + 1) and ANSWERED.search(text, at) is not None
    return located(text[:at]) if follows else reply


_INPUT = regex(r"(?<!\w)(?:input|question|q|text|sentences?|words?|review|numbers?|user|human|problem|query|prompt)\s?:[\s\"'*]*\Z", re.I)


def repeated(text: str) -> str:
    """The words that a text says three times or more and nothing else, but for the start of them at its end."""
    first = text.partition(" ")[0]
    if not first or text.count(f" {first}") < 2 > text.count(f" {first.lower()}"):
        return ""
    said = text.casefold().split()
    if said[0] not in said[1:5]:
        return ""
    if said[0] != said[-1] and said[0].startswith(said[-1]):
        said.pop()
    for n in range(1, 5):
        if len(said) > 2 * n + (n > 1) and said[n] == said[0] and said[n:] == said[:-n] and (n == 1 or not any(map(str.isdigit, text))):
            return " ".join(text.split()[:n])
    return ""


def behind(text: str, folded: str, opening: str) -> str:
    """What follows the input, folded and as it opens in lower case, where a reply opens with it; nothing where it does not."""
    text, n = text.strip("| "), len(folded)
    if not n or text[:n].casefold() != opening or n > 500:
        return ""
    return _LINKED.sub("", text[n:], count=1) if _LINKED.match(text, n) else ""


_LINKED = regex(r"\s*(?:[,:|=;≠↔]|[-=]+>|→|➡|-(?=\s))\s*|\s+(?=[^\s(])")

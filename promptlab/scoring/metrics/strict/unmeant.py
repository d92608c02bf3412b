"""What says of a statement that nobody can mean it seriously: it is sarcastic."""

from __future__ import annotations

import re

from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.compiled import regex

_SERIOUS = (
    r"(?:serious(?:ly)?|literal(?:ly)?|sincere(?:ly)?|genuine(?:ly)?|earnest(?:ly)?|in earnest|at face value|with a straight face"
    r"|for real|honestly)"
)
_UNMEANT = regex(
    r"\b(?:nobody|no one|no-one|no (?:sane |reasonable |sensible )?(?:person|speaker|human|man|woman)|hardly anyone|hardly anybody"
    r"|few people"
    r"|(?:i |you |one |we |people |anyone |it |this |that |the speaker |the writer |they |he |she )?(?:can(?:'t|not)|could(?:n't| not)"
    r"|would(?:n't| not)|won't)"
    r"|(?:it's |it is )?(?:hard|difficult|impossible) to (?:imagine|believe|see|think|picture)(?: that)?(?: anyone| anybody| someone"
    r"| a person)?"
    r"|who (?:could|would))"
    rf" (?:\w+ ){{0,3}}?(?:mean|say|saying|meaning|take|believe|think|intend|meant|said|intended|taken|write|utter"
    rf"|be)\b[^.!?\n]{{0,40}}?\b{_SERIOUS}\b"
    r"|\b(?:niemand|kein(?:er| mensch)?|kaum jemand) (?:\w+ ){0,6}?(?:ernst(?:haft)?|wörtlich|aufrichtig|ehrlich)\b(?: \w+){0,2}"
    r"|\b(?:kann|könnte|würde)(?: \w+){0,3} (?:nicht|unmöglich|niemand|keiner) (?:\w+ ){0,3}?(?:ernst(?:haft)?|wörtlich)\b(?: \w+){0,2}"
    r"|\b(?:personne|nul|aucune personne) (?:ne |n')[^.!?\n]{0,60}?(?:sérieu\w+|sincère\w*|premier degré|au pied de la lettre)"
    r"|\b(?:on|cela|ça) ne (?:peut|pourrait|saurait) (?:pas )?[^.!?\n]{0,60}?(?:sérieu\w+|sincère\w*|premier degré)"
    r"|\b(?:nadie|ninguna persona) [^.!?\n]{0,60}?(?:en serio|seriamente|sinceramente|literalmente|de verdad)"
    r"|\b(?:no|nunca) (?:se )?(?:puede|podría|puedes|podría) [^.!?\n]{0,60}?(?:en serio|seriamente|sinceramente|literalmente)"
    r"|(?:没有?人|没谁|谁也不|无人|沒有人)[^。!?\n]{0,20}(?:[认認]真|真[心诚誠]|当真|[严嚴]肃)[^。!?\n]{0,8}"
    r"|(?:誰(?:も|だって)|(?:普通|まとも)な?人は?)[^。!?\n]{0,25}(?:本気|真面目|真剣|文字通り)[^。!?\n]{0,15}(?:ない|ません)"
    r"|(?:아무도|누구도)[^.!?\n]{0,25}(?:진심|진지|정말로|문자 그대로)[^.!?\n]{0,15}(?:않|없|못)[^.!?\n]{0,8}",
    re.I,
)
"""Whole clauses by which nobody can mean a statement."""
_may_be = may_hold(_UNMEANT)


def as_sarcastic(text: str) -> str:
    """The text with "is sarcastic" in place of a clause that says that nobody can mean it; the same text where it has none."""
    if not _may_be(text):
        return text
    marked = _UNMEANT.sub(lambda found: f"{' '.join(_MENTION.findall(found[0]))} is sarcastic", text)
    return _APART.sub(" ", marked) if marked != text else text


_MENTION = regex(r"\([ab]\)|\b(?:the )?(?:first|second|former|latter)(?: one| statement| sentence)?\b", re.I)
_APART = regex(r"\s*[.!,;。][\"')]*\s*(?= ?is sarcastic)")

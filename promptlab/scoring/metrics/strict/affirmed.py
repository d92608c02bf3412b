"""A yes or no, true or false in another language, put as the option that it is."""

from __future__ import annotations

import re

from promptlab.scoring.answers.text import CJK, fold, words
from promptlab.scoring.compiled import regex

_ABROAD = words(
    "verdad exact stimmt ja nein oui non sí não sim wahr falsch vrai vraie faux fausse verdadero verdadera cierto cierta falso falsa sense"
)
_LETTER = f"[{CJK}]"
_YES_ABROAD = regex(
    rf"(?<!\w)(?:ja|oui|sí|sim)(?!\w)|はい(?!いえ)|ええ(?=[、,。]|です|$)|(?<![\uac00-\ud7af])(?:네|예)(?=\W"
    rf"|입니다|라고|이라|이에요|예요|이고|[가는를]|$)"
    rf"|(?<![ァ-ヶー])イエス(?![ァ-ヶー])|是的|(?<!不)对的|(?:(?<!{_LETTER})|(?<=[是选选为]))[是对](?!{_LETTER}|\s*[\"']?[A-Za-z]|\s*[\"']{_LETTER})",
    re.I,
)
_NO_ABROAD = regex(
    rf"(?<!\w)(?:nein|non|não)(?!\w)|(?<![ァ-ヶー])ノー(?![ァ-ヶー])|いいえ|いえ(?=[、,])|아니[요오](?!\w)|아니[요오](?=입니다|라고)|아뇨|不是的|(?<!{_LETTER})不是(?=\W*$|\s*\()"
    rf"|(?:(?<!{_LETTER})|(?<=[是选为]))(?:否|不)(?!{_LETTER}|\s*[\"']?[A-Za-z]|\s*[\"']{_LETTER})",
    re.I,
)
_EITHER_EAST = regex("(?:是 ?(?:or|或者?|还是) ?[否不]|[否不] ?(?:or|或者?|还是) ?是)(?:的)?")
_SAID_YES = regex(r"(?<=[\"'])[是对](?=[\"'])")
_SAID_NO = regex(r"(?<=[\"'])不是(?=[\"'])|(?<=答)不是|(?<=[\"'])[否不](?=[\"'])")
_TRUE_ABROAD = regex(
    rf"(?<!\w)(?:stimmt(?! (?:so |leider |hier )?(?:nicht|not))|wahr|verdad|exact(?=\W*$)|vraie?|verdader[oa]|ciert[oa])(?!\w)|正しい|正确"
    rf"|(?<!{_LETTER})真(?!{_LETTER})|(?<=[是为])真(?!{_LETTER})"
    rf"|(?<![\uac00-\ud7af])참(?=\W|입니다|이|라고|[은는가]|$)",
    re.I,
)
_FALSE_ABROAD = regex(
    rf"(?<!\w)(?:stimmt (?:so |leider |hier )?(?:nicht|not)|falsch|fausse|faux|fals[oa])(?!\w)|間違い|誤り"
    rf"|正しく(?:な[いく]|ありません)|错误"
    rf"|(?:(?<!{_LETTER})|(?<=[是为]))错的?(?!{_LETTER})|(?<!{_LETTER})不对(?!{_LETTER})|틀[렸렵립]\w*|틀림(?!없)|偽(?!り)|(?:(?<!{_LETTER})|(?<=[是为]))假(?!{_LETTER})|거짓",
    re.I,
)


def yes_or_no(text: str, options: tuple[str, ...], keys: list[str]) -> str:
    """The text with a yes or no, true or false of another language as the option."""
    if text.isascii() and _ABROAD.isdisjoint(words(text)):
        return text
    text = _EITHER_EAST.sub("yes or no", text)
    truths = "true" in keys
    for pattern, n in ((_YES_ABROAD, 0), (_NO_ABROAD, 1), *(((_TRUE_ABROAD, 0), (_FALSE_ABROAD, 1)) if truths else ())):
        text = _CALLED_WRONG.sub(r'not "\g<one>"', text) if pattern is _FALSE_ABROAD else text
        name = next((option for option, one in zip(options, keys, strict=True) if one in (("yes", "true"), ("no", "false"))[n]), None)
        if name is not None:
            if '"' in text or "不" in text:
                text = (_SAID_NO if n else _SAID_YES).sub(name, text)
            text = pattern.sub(name, text).replace(f"'{name}'", f'"{name}"')
    return fold(_CALLED_WRONG.sub(r'not "\g<one>"', text))


_CALLED_WRONG = regex(
    r"(?<![A-Za-z])(?P<quote>[\"']?)(?P<one>yes|no|true|false)(?P=quote)(?![A-Za-z])\s?(?:(?:and )?makes (?:no|without) sense"
    r"|(?:という(?:答え|回答|返答|の)?|이?라는 (?:답변?|대답))?(?:(?<=[\"\'])(?=不|错|錯|틀)|(?:ist|wäre|est|serait"
    r"|would be|(?:(?<=[\"\'] )|(?<=s ))(?:es|sería|resultaría)|是|も?[はが]|[은는이가])"
    r"(?: ?(?:hier|ici|aquí|ja|aber|also|donc|claramente|clairement|eindeutig|klar|una?e?|ein|eine|ein klarer|明らかに|显然))*\s?"
    r"(?:falsch|unpassend|unzutreffend|nicht (?:richtig|korrekt)|fehler|faux|fausse|erreur|error|err[oó]ne[oa]|equivocad[oa]"
    r"|incorrect[oae]?|wrong|不?错(?:误)?的?|錯|不对|不正确|間違い|不正解|誤り|正しく(?:ない|ありません)|違[うい]"
    r"|틀[렸린림]\w*|오답\w*|잘못\w*"
    r"|맞지 않\w*|it is not (?:정답|답))))(?:です|だ|답입니다| 답\w*)?",
    re.I,
)
"""A yes or no that is called wrong, in another language."""

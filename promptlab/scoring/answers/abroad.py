"""What replies in German, French, Spanish, Chinese, Japanese and Korean say around an answer, put as an English reply would.

Only frames are put in English: denials, alternatives, doubts, corrections and contrasts ("nicht X, sondern Y" becomes
"not X, but Y"). Answers stay as they are, and the rules for English replies then read what is left.
"""

from __future__ import annotations

import re
from functools import lru_cache

from promptlab.scoring.answers.frames import english, french, german, spanish
from promptlab.scoring.answers.frames.east import CHINESE, JAPANESE, KOREAN
from promptlab.scoring.answers.text import western, words
from promptlab.scoring.compiled import regex

LONGEST = 1_500
"""Characters of the longest reply whose frames are put in English."""
_FRAMES = {"de": german.FRAMES, "fr": french.FRAMES, "es": spanish.FRAMES, "zh": CHINESE, "ja": JAPANESE, "ko": KOREAN}
_IN_ENGLISH = tuple((words(needs), (regex(frame, re.I), instead, bool(judges))) for needs, frame, instead, *judges in english.FRAMES)
_COMPILED = {
    language: tuple((regex(frame, re.I), instead, bool(judges)) for frame, instead, *judges in frames)
    for language, frames in _FRAMES.items()
}
_MARKS = tuple(
    (language, words(own.WORDS), (words(own.WORDS) - words(own.SHARED)) | words(own.COMMON))
    for language, own in (("de", german), ("fr", french), ("es", spanish))
)
"""For each language of Europe the words of its frames, and those by which it is known."""
_KNOWING = frozenset[str]().union(*(own for _, _, own in _MARKS))
_KANA, _HANGUL, _HAN = regex("[\u3040-\u30ff]"), regex("[\uac00-\ud7af]"), regex("[\u4e00-\u9fff]")


_ENGLISH_WORDS = frozenset[str]().union(*(needs for needs, _ in _IN_ENGLISH))
_ENGLISH = words("the is are and or but not of to than answer my would because that this rather so only both it its an could be from with")


FRAMED = _ENGLISH_WORDS.union(*(framed for _, framed, _ in _MARKS))
"""Words of frames: a text of ASCII without them has none."""


_QUOTED = regex(r'(?<!\w)"[^"\n]{2,80}"(?!\w)')


def _language(text: str) -> str:
    """The language whose frames a text may have; '' for a text without frames."""
    if not western(text):
        for language, script in (("ko", _HANGUL), ("ja", _KANA), ("zh", _HAN)):
            if script.search(text):
                return language
    said = words(text)
    if FRAMED.isdisjoint(said):
        return ""
    if _KNOWING.isdisjoint(said):
        return "" if _ENGLISH_WORDS.isdisjoint(said) else "en"
    own_words = words(_QUOTED.sub(" ", text)) if '"' in text else said  # a title in quotes is of another language
    said = said if FRAMED.isdisjoint(own_words) else own_words
    found = [(len(said & own), language) for language, framed, own in _MARKS if not framed.isdisjoint(said) and not own.isdisjoint(said)]
    most, language = max(found, default=(0, ""))
    if most > len(said & _ENGLISH):
        return language
    return "" if _ENGLISH_WORDS.isdisjoint(said) else "en"


def in_english(text: str, judges: bool = True) -> str:
    """The text with its frames in English; the same object where it has none.

    Without `judges` what says that something is right or wrong stays: where the options are right and wrong it is the answer.
    """
    told = _told(text, judges) if len(text) <= LONGEST else None
    return text if told is None else told


_PLACES = {word: tuple(n for n, (needs, _) in enumerate(_IN_ENGLISH) if word in needs) for word in _ENGLISH_WORDS}
"""For each word of English frames the places of the frames that need it or another one."""


def _needed(said: frozenset[str]) -> list[tuple[re.Pattern[str], str, bool]]:
    """The English frames that have one of the words that they need, in order."""
    return [_IN_ENGLISH[n][1] for n in sorted({n for word in said & _ENGLISH_WORDS for n in _PLACES[word]})]


@lru_cache(maxsize=4096)
def _told(text: str, judges: bool) -> str | None:
    """The text with its frames in English; None where it has none."""
    if not (language := _language(text)):
        return None
    told = text
    frames = _COMPILED.get(language) or _needed(words(text))
    for pattern, instead, judging in frames:
        if judges or not judging:
            told = pattern.sub(instead, told)
    return " ".join(told.split(" ")) if told != text else None

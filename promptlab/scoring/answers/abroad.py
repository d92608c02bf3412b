"""What replies in German, French, Spanish, Chinese, Japanese and Korean say around an answer, put as an English reply would.

Only frames are put in English: denials, alternatives, doubts, corrections and contrasts ("nicht X, sondern Y" becomes
"not X, but Y"). Answers stay as they are, and the rules for English replies then read what is left.
"""

from __future__ import annotations

import re

from promptlab.scoring.answers.frames_east import CHINESE, JAPANESE, KOREAN
from promptlab.scoring.answers.frames_europe import ENGLISH, FRENCH, GERMAN, SPANISH
from promptlab.scoring.answers.text import western, words
from promptlab.scoring.compiled import regex

LONGEST = 1_500
"""Characters of the longest reply whose frames are put in English."""
_FRAMES = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
    "zh": CHINESE,
    "ja": JAPANESE,
    "ko": KOREAN,
}
_COMPILED = {language: tuple((regex(frame[0], re.I), frame[1], len(frame) > 2) for frame in frames) for language, frames in _FRAMES.items()}
_GERMAN_WORDS = words(
    "nein nichts nicht oder sondern statt anstatt anstelle weder entweder eher keine keinen keinem keinesfalls keineswegs niemals mitnichten "
    "ob blick tatsächlich wirklichkeit vielleicht teils könnte könnten kann richtig korrekt bezweifle alles abhängt hängt zuerst "
    "zunächst anfangs ursprünglich dachte "
    "erste erster erstes ersten zweite zweiter zweites zweiten letztere moment halt entscheide wähle tippe fällt nehme klar "
    "eindeutig vermutlich wahrscheinlich wohl meiner ehesten beantworten antworten"
)
_FRENCH_WORDS = words(
    "pas ou non ne n premier seconde deuxième dernière nullement aucun soit peut pourrait plutôt lieu d abord première car je "
    "j mon cela ça il probablement clairement avis"
)
_SPANISH_WORDS = words(
    "no o u ni segunda segundo ningún ninguna ningún nada sino pero porque ya tanto depende quizá quizás tal más bien lugar "
    "vez primero primera "
    "falso incorrecto erróneo podría puede queda elijo me quedo inclino escojo selecciono opto trata probablemente claramente "
    "opinión sin duda diría absoluto"
)
_MARKS = (
    (
        "de",
        _GERMAN_WORDS,
        (_GERMAN_WORDS - words("ob halt alles moment hängt"))
        | words("ist die der das es ich und aber antwort von auf ob ein eine einen sind wird mit für dieser diese dieses dem den zu"),
    ),
    (
        "fr",
        _FRENCH_WORDS,
        (_FRENCH_WORDS - words("non ne n soit lieu abord d c j première premier"))
        | words("est les la le une mais c j réponse il ce cet cette en que qui à et de des du sont plus elle rien"),
    ),
    (
        "es",
        _SPANISH_WORDS,
        (_SPANISH_WORDS - words("no u ya me tal vez sin"))
        | words("es el los las la una respuesta y de del en que se esta este por son con"),
    ),
)
_KANA, _HANGUL, _HAN = regex("[\u3040-\u30ff]"), regex("[\uac00-\ud7af]"), regex("[\u4e00-\u9fff]")


_ENGLISH_WORDS = words(
    "also equally may might could glance sight surface superficially circumstances account case rather means question say sound look seem read"
)
_IN_ENGLISH = words(
    "the is are and or but not of to than answer my would because that this rather so only both it its an could be from with"
)


_FRAMED = _ENGLISH_WORDS.union(*(framed for _, framed, _ in _MARKS))


def _language(text: str) -> str:
    """The language whose frames a text may have; '' for a text without frames."""
    if not western(text):
        for language, script in (("ko", _HANGUL), ("ja", _KANA), ("zh", _HAN)):
            if script.search(text):
                return language
    said = words(text)
    if _FRAMED.isdisjoint(said):
        return ""
    found = [(len(said & own), language) for language, framed, own in _MARKS if not framed.isdisjoint(said) and not own.isdisjoint(said)]
    most, language = max(found, default=(0, ""))
    if most > len(said & _IN_ENGLISH):
        return language
    return "" if _ENGLISH_WORDS.isdisjoint(said) else "en"


def in_english(text: str, judges: bool = True) -> str:
    """The text with its frames in English; the same object where it has none.

    Without `judges` what says that something is right or wrong stays: where the options are right and wrong it is the answer.
    """
    if len(text) > LONGEST or not (language := _language(text)):
        return text
    told = text
    for pattern, instead, judging in _COMPILED[language]:
        if judges or not judging:
            told = pattern.sub(instead, told)
    return " ".join(told.split(" ")) if told != text else text

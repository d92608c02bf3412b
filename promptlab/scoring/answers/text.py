"""Texts as they are compared: kinds of quotes, dashes, spaces, case and contractions do not count; signs that carry meaning do."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_TRANSLATED = str.maketrans(
    {
        **dict.fromkeys("‘’‛′´ʼ", "'"),
        **dict.fromkeys("“”„‟″«»‹›「」『』", '"'),
        **dict.fromkeys("‐‑‒−﹣－", "-"),
        **dict.fromkeys("–—―", " - "),
        **{sign: f" {top}/{low}" for sign, top, low in (("½", 1, 2), ("⅓", 1, 3), ("⅔", 2, 3), ("¼", 1, 4), ("¾", 3, 4), ("⅛", 1, 8))},
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\ufe0f\u20e3", ""),
    }
)
_SPECIAL = re.compile(f"[{''.join(map(chr, _TRANSLATED))}]")
_DASHED = re.compile(r"(?:(?<=^)|(?<=[\n\s:=(]))[–—―](?=\d)")
"""A dash that is a minus: digits touch it, and nothing else does."""
_ARROW = re.compile(r"[-=]+>|<(?:-+|==+)(?=\s)|[⇒⟹➜➔→]")
_SEPARATOR = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SIGNS = "*+<>=^%¬±×÷≤≥≠≈∧∨√∞∪∩⊂⊆∈∉∀∃#"
"""What a text may not lose: C++ is not C, x < y is not x > y, 5 % is not 5."""
_NO_SIGN = re.compile(r"(?<=[\w)])-|-(?!\.?\d)|\.(?!\d)|(?<=[^\W\d])\.")
"""A hyphen that is no minus, a full stop that is no decimal point."""
_NOT_WORD = re.compile(rf"[^\w.{re.escape(_SIGNS)}-]+|(?<!\w)#+")
_SIGN = re.compile(rf"\s*([{re.escape(_SIGNS.replace('*', ''))}]+)\s*")
_HAS_SIGN = re.compile(rf"[{re.escape(_SIGNS.replace('*', ''))}]")
_GUILLEMETS = re.compile(r"(?<=«)\s+|\s+(?=»)")
_CONTRACTED = (
    (re.compile(r"\s+n't\b"), "n't"),
    (re.compile(r"\bain't\b"), "is not"),
    (re.compile(r"\bcan't\b|\bcan not\b"), "cannot"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"\b(i|you|he|she|it|we|they|who|that|there)'d\b"), r"\1 would"),
    (re.compile(r"\b(he|she|it|that|this|there|here|what|where|who|how|when)'s\b"), r"\1 is"),
)
_CJK = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af"
_SCRIPTS = re.compile(rf"(?<=[A-Za-z)])(?=[{_CJK}])|(?<=[{_CJK}])(?=[A-Za-z(])")
"""Where Latin letters touch letters of East Asia: no word continues there."""
CACHED = 16_384
"""Texts that are kept in compared form: those of the items of a task, and the last replies."""


@lru_cache(maxsize=CACHED)
def fold(text: str) -> str:
    """Compatibility forms, kinds of quotes, dashes and spaces made one; case kept; lines stay lines."""
    text = text.replace("`", "'")
    if not text.isascii():
        text = _DASHED.sub("-", text)
        text = _GUILLEMETS.sub("", text) if "«" in text else text
        text = text.translate(_TRANSLATED) if _SPECIAL.search(text) else text
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFC", text))
        text = _SCRIPTS.sub(" ", text)
    lines = text.splitlines()
    if len(lines) == 1:
        return " ".join(text.split())
    return "\n".join(line for raw in lines if (line := " ".join(raw.split())))


_WORDS = re.compile(r"[^\W_]+")


@lru_cache(maxsize=CACHED)
def words(text: str) -> frozenset[str]:
    """The words of a text, to see at once whether a slow pattern is worth a search: "isn't" is two, "isn" and "t"."""
    return frozenset(_WORDS.findall(text.casefold()))


def full(text: str) -> str:
    """A folded text with its contractions written out."""
    if "'" in text or "can not" in text:
        for pattern, words in _CONTRACTED:
            text = pattern.sub(words, text)
    return text


@lru_cache(maxsize=CACHED)
def key(text: str) -> str:
    """What two texts are compared by: folded, without case, contractions and punctuation, with the signs that carry meaning."""
    text = full(fold(text).casefold()).replace("'", "")
    bare = text.strip(' .!?,;:()"')
    if bare.replace(" ", "").isalnum():
        return bare
    if ">" in text or "<" in text or not text.isascii():
        text = _ARROW.sub(" ", text)
    if "," in text:
        text = _SEPARATOR.sub("", text)
    text = _NOT_WORD.sub(" ", _NO_SIGN.sub(" ", text.replace("&", " and "))).replace("_", " ")
    return " ".join((_SIGN.sub(r"\1", text) if _HAS_SIGN.search(text) else text).split())

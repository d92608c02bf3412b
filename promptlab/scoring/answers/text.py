"""Texts as they are compared: kinds of quotes, dashes, spaces, case and contractions do not count; signs that carry meaning do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from promptlab.scoring.compiled import regex

T = TypeVar("T")
_TRANSLATED = str.maketrans(
    {
        **dict.fromkeys("‘’‛′´ʼ", "'"),
        **dict.fromkeys("“”„‟″«»‹›「」『』《》", '"'),
        **dict.fromkeys("‐‑‒−﹣－", "-"),
        **dict.fromkeys("–—―", " - "),
        **{sign: f" {top}/{low}" for sign, top, low in (("½", 1, 2), ("⅓", 1, 3), ("⅔", 2, 3), ("¼", 1, 4), ("¾", 3, 4), ("⅛", 1, 8))},
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\ufe0f\u20e3", ""),
    }
)
_SPECIAL = regex(f"[{''.join(map(chr, _TRANSLATED))}]")
_DASHED = regex(r"(?:(?<=^)|(?<=[\n\s:=(]))[–—―](?=\d)")
"""A dash that is a minus: digits touch it, and nothing else does."""
_ARROW = regex(r"[-=]+>|<(?:-+|==+)(?=\s)|[⇒⟹➜➔→]")
_SEPARATOR = regex(r",(?<=\d,)(?=\d{3}(?!\d))")
_SIGNS = "*+<>=^%¬±×÷≤≥≠≈∧∨√∞∪∩⊂⊆∈∉∀∃#"
"""What a text may not lose: C++ is not C, x < y is not x > y, 5 % is not 5."""
_NO_SIGN = regex(r"[-.](?:(?<=[\w)]-)|(?<=-)(?!\.?\d)|(?<=\.)(?!\d)|(?<=[^\W\d]\.))")
"""A hyphen that is no minus, a full stop that is no decimal point."""
_NOT_WORD = regex(rf"[^\w.{re.escape(_SIGNS)}-]+|(?<!\w)#+")
_DIGIT = regex(r"\d")
_BEFORE_DIGIT = regex(r"[-.,]\d")
_OTHER_SIGN = regex("['`&#_*+<>=^%\x80-\xbf\xd7\xf7\u0100-\U0010ffff]")
"""What makes a text more than words and stops in Latin letters."""
_PLAIN = bytes(n for n in range(128) if not chr(n).isdigit() and chr(n) not in "'`&#_*+<>=^%")
"""What a text of ASCII has besides digits and these signs."""
_ONLY_WORDS = bytes(ord(chr(n).lower()) if n < 128 and chr(n).isalnum() else 32 for n in range(256))
"""Letters of ASCII in lower case and spaces for all that is no letter or digit; bytes are translated four times as fast as text."""
_SPACED = "".join(chr(n) if chr(n) in f"{_SIGNS}.-" or chr(n).isalnum() else " " for n in range(128))
_SIGN = regex(rf"\s*([{re.escape(_SIGNS.replace('*', ''))}]+)\s*")
_HAS_SIGN = regex(rf"[{re.escape(_SIGNS.replace('*', ''))}]")
_GUILLEMETS = regex(r"(?<=«)\s+|\s+(?=»)")
_CONTRACTED = (
    ("n't", regex(r"\s+n't\b"), "n't"),
    ("ain't", regex(r"\bain't\b"), "is not"),
    ("can", regex(r"\bcan't\b|\bcan not\b"), "cannot"),
    ("won't", regex(r"\bwon't\b"), "will not"),
    ("shan't", regex(r"\bshan't\b"), "shall not"),
    ("let's", regex(r"\blet's\b"), "let us"),
    ("n't", regex(r"n't\b"), " not"),
    ("'m", regex(r"'m\b"), " am"),
    ("'re", regex(r"'re\b"), " are"),
    ("'ve", regex(r"'ve\b"), " have"),
    ("'ll", regex(r"'ll\b"), " will"),
    ("'d", regex(r"\b(i|you|he|she|it|we|they|who|that|there)'d\b"), r"\1 would"),
    ("'s", regex(r"\b(he|she|it|that|this|there|here|what|where|who|how|when)'s\b"), r"\1 is"),
)
"""What each of them holds, the pattern, and the words in full."""
CJK = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af"
_SCRIPTS = regex(rf"(?<=[A-Za-z)])(?=[{CJK}])|(?<=[{CJK}])(?=[A-Za-z(])|(?<=[{CJK}][,:])(?=\d)")
"""Where Latin letters touch letters of East Asia: no word continues there."""
CACHED = 16_384
"""Texts that are kept in compared form: those of the items of a task, and the last replies."""
LONGEST_KEPT = 2_000
"""Characters of the longest reply whose reading is kept."""


_EASTERN = regex("[\u2000-\U0010ffff]")


def western(text: str) -> bool:
    """Whether all of a text is in Latin, Greek, Cyrillic or similar: no letters of East Asia, no arrows, no crosses."""
    return text.isascii() or _EASTERN.search(text) is None


class _Kept(dict[str, T]):
    """What a function gives for the last texts: the texts and what they become are nothing that the garbage collector walks through."""

    def __init__(self, compute: Callable[[str], T], most: int) -> None:
        super().__init__()
        self.compute, self.most = compute, most

    def __missing__(self, text: str) -> T:
        value = self.compute(text)
        if len(self) >= self.most:
            self.clear()
        self[text] = value
        return value


def kept(most: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """As functools.lru_cache for a function of one text; all are dropped where there are more than `most`."""
    return lambda compute: _Kept(compute, most).__getitem__


@kept(CACHED)
def fold(text: str) -> str:
    """Compatibility forms, kinds of quotes, dashes and spaces made one; case kept; lines stay lines."""
    if text.isascii():
        text = text.replace("`", "'")
    else:
        text = text.replace("`", "'")
        text = _DASHED.sub("-", text) if "–" in text or "—" in text or "―" in text else text
        text = _GUILLEMETS.sub("", text) if "«" in text else text
        text = text.translate(_TRANSLATED) if _SPECIAL.search(text) else text
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFC", text))
        text = text if western(text) else _SCRIPTS.sub(" ", text)
    lines = text.splitlines()
    if len(lines) < 2:
        return " ".join(text.split())
    return "\n".join(line for raw in lines if (line := " ".join(raw.split())))


_WORDS = regex(r"[^\W_]+")


@kept(1024)
def words(text: str) -> frozenset[str]:
    """The words of a text, to see at once whether a slow pattern is worth a search: "isn't" is two, "isn" and "t"."""
    if text.isascii():
        return frozenset(text.encode().translate(_ONLY_WORDS).decode().split())
    return frozenset(_WORDS.findall(text.casefold()))


@kept(1024)
def spaced(text: str) -> str:
    """A text of ASCII in lower case, with spaces around it and for each of its characters that is no letter or digit."""
    return f" {text.encode().translate(_ONLY_WORDS).decode()} "


def beginnings(text: str, names: frozenset[str]) -> list[int]:
    """Where those whole words of a text of ASCII begin, in order: each is found at once, and no word is looked at one by one."""
    found = []
    low = spaced(text)
    for name in names & words(text):
        at = low.find(f" {name} ")
        while at >= 0:
            found.append(at)
            at = low.find(f" {name} ", at + 1)
    found.sort()
    return found


def full(text: str) -> str:
    """A folded text with its contractions written out."""
    if "'" in text or "can not" in text:
        for held, pattern, words in _CONTRACTED:
            if held in text:
                text = pattern.sub(words, text)
    return text


@kept(CACHED)
def key(text: str) -> str:
    """What two texts are compared by: folded, without case, contractions and punctuation, with the signs that carry meaning."""
    if text.isascii():
        raw = text.encode()
        signs = raw.translate(None, _PLAIN)
        if not signs or (signs.isdigit() and _BEFORE_DIGIT.search(text) is None):
            said = " ".join(raw.translate(_ONLY_WORDS).decode().split())
            if "can" not in said or "not" not in said or not {"can", "not"}.issubset(said.split()):
                return said
    elif _OTHER_SIGN.search(text) is None and (_DIGIT.search(text) is None or _BEFORE_DIGIT.search(text) is None):
        each = _WORDS.findall(text.casefold())
        if "can" not in each or "not" not in each:
            return " ".join(each)
    text = full(fold(text).casefold()).replace("'", "")
    bare = text.strip(' .!?,;:()"')
    if bare.replace(" ", "").isalnum():
        return bare
    if ">" in text or "<" in text or not text.isascii():
        text = _ARROW.sub(" ", text)
    if "," in text:
        text = _SEPARATOR.sub("", text)
    if "-" in text or "." in text:
        text = _NO_SIGN.sub(" ", text)
    text = text.replace("&", " and ")
    text = (text.translate(_SPACED) if text.isascii() and "#" not in text else _NOT_WORD.sub(" ", text)).replace("_", " ")
    return " ".join((_SIGN.sub(r"\1", text) if _HAS_SIGN.search(text) else text).split())

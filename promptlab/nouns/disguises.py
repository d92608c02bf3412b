"""Whether a text holds a secret in another form: it is decoded in every way that is known here, again and again, and then compared.

So forms may be combined (hex of base64 of UTF-16), and what comes before, between or after them does not matter. A cipher of
somebody's own is not found: who has a secret can always hide it.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import functools
import html
import math
import re
import string
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

DEEPEST = 3
"""How often what was decoded is decoded again."""
MOST_VIEWS, MOST_RUNS, LONGEST_VIEW = 100, 16, 2**20
"""Views of a text, runs of each, and characters of a view."""
LEAST = 12
"""Letters and digits of a secret that is looked for."""
GAPS = (24, 12, 6, 3)
"""Characters between two of a secret that is spelled, at most: the first number with which chance would not find it."""
CHANCE = 1e-6
RUN = re.compile(r"\S{12,}|\S{8,}(?:\s+\S{8,})+")
"""What may be a code: without blanks, or in lines."""
NUMBER_MARKS = re.compile(r"\\[xuUo]\{?|%(?:25)*|&#[xX]?|\b0[xXbBo]|\bU\+|[=\\]|\bchr\(")
NUMBERS = {2: (8, re.compile(r"\b[01]+\b")), 8: (3, re.compile(r"\b[0-7]+\b")), 10: (3, re.compile(r"\b\d+\b"))}
NUMBERS[16] = 2, re.compile(r"\b[0-9A-Fa-f]+\b")
"""By base: digits of a byte where numbers have nothing between them, and what a number looks like."""
FROM85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
TO_Z85 = str.maketrans(FROM85, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
LOOKALIKES = str.maketrans("АаВвЕеКкМмНОоРрСсТтУуХхІіЈјЅѕԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧνοι", "AaBbEeKkMmHOoPpCcTtYyXxIiJjSsdqwABEZHIKMNOPTYXvoi")
LETTERS = string.ascii_lowercase
VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Characters that only choose how the one before them is drawn: any number may stand anywhere, and each can be a byte."""
FROM32 = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV")


class Known(NamedTuple):
    """What a secret looks like: its letters and digits; the same with other alphabets, and in base 32; and what is in the text as it is."""

    core: str
    bare: tuple[str, ...]
    exact: tuple[str, ...]
    """Each printed character replaced by one at the same distance; base 85."""


def hidden(text: str, secrets: tuple[str, ...]) -> bool:
    """Whether some decoding of the text holds one of the secrets that have letters and digits enough to be no words."""
    known = [found for found in map(_known, secrets) if found]
    least = min((len(one.core) for one in known), default=0)
    if not known or len(text) < least:
        return False
    return any(_holds(view, one) for view in _views(text, least) for one in known)


@functools.lru_cache(maxsize=256)
def _known(secret: str) -> Known | None:
    """None where the secret is too short, or letters or digits alone."""
    core = _core(secret)
    if len(core) < LEAST or core.isalpha() or core.isdigit():
        return None
    tables = [str.maketrans(LETTERS, LETTERS[n:] + LETTERS[:n]) for n in range(1, 26)] + [str.maketrans(LETTERS, LETTERS[::-1])]
    turned = [core.translate(table) for table in tables]
    shifted = ["".join(chr(33 + (ord(c) - 33 + n) % 94) if " " < c <= "~" else c for c in secret) for n in range(1, 94)]
    shifted += ["".join(chr(ord(c) + n) for c in secret) for n in range(1, 4)]
    data = secret.encode("utf-8", "replace")
    in_32 = [_core(part) for code in (base64.b32encode, base64.b32hexencode) for part in _inside(data, 5, 8, code)]
    in_85 = [part for code in (base64.b85encode, base64.a85encode, _z85) for part in _inside(data, 4, 5, code)]
    return Known(core, (*turned, *(one[::-1] for one in turned), *in_32), (*shifted, *in_85))


def _inside(data: bytes, n_bytes: int, n_chars: int, code: Callable[[bytes], bytes]) -> Iterator[str]:
    """The groups of a code that are the data's own, wherever it begins in a group."""
    for before in range(n_bytes):
        after = -(before + len(data)) % n_bytes
        groups = code(bytes([1] * before) + data + bytes([1] * after)).decode()
        found = groups[n_chars * (before > 0) : len(groups) - n_chars * (after > 0)]
        if len(found) >= 2 * n_chars:
            yield found


def _z85(data: bytes) -> bytes:
    return base64.b85encode(data).decode().translate(TO_Z85).encode()


def _holds(view: str, known: Known) -> bool:
    core, bare = known.core, _core(view)
    if core in bare or core[::-1] in bare:
        return True
    if RUN.search(view) and (any(one in bare for one in known.bare) or any(one in view for one in known.exact)):
        return True
    lower = view.lower()
    counts = {c: lower.count(c) for c in sorted(set(core))}  # digits first, of which texts have few
    return all(n >= core.count(c) for c, n in counts.items()) and _spelled(core, lower, counts)


def _core(text: str) -> str:
    """The letters and digits of ASCII, in small letters; what looks like one of them is one of them."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", VARIANTS.sub("", text).translate(LOOKALIKES))
        text = "".join(c if c < "\u2800" else chr(ord(c) & 0xFF if c < "\U000e0000" else ord(c) & 0x7F) for c in text)
    return text.encode("ascii", "ignore").translate(None, MARKS).decode().lower()


def _spelled(core: str, text: str, counts: Mapping[str, int]) -> bool:
    """Whether the characters occur in the text in this order or in the opposite one, each near the one before. Positions are bits."""
    rates = sum(math.log(counts[c] / len(text)) for c in core) + math.log(len(text) / CHANCE)
    gap = next((gap for gap in GAPS if rates + len(core) * math.log(gap) < 0), 0)
    data = text.encode("latin-1", "replace")
    at = {c: int(data.translate(bytes(49 if code == ord(c) else 48 for code in range(256))), 2) for c in counts} if gap else {}
    for order in (core, core[::-1]) if gap else ():
        reached = at[order[0]]
        for c in order[1:]:
            near, width = reached >> 1, 1
            while width < gap:
                near |= near >> min(width, gap - width)
                width *= 2
            reached = near & at[c]
            if not reached:
                break
        else:
            return True
    return False


def _views(text: str, least: int) -> Iterator[str]:
    """The text, and whatever it can be decoded to that is `least` characters long."""
    seen, level = {text}, [text]
    yield text
    for _ in range(DEEPEST):
        level = [view for one in level for view in _decoded(one, least)]
        level = [view for view in dict.fromkeys(level) if view not in seen and least <= len(view) <= LONGEST_VIEW][: MOST_VIEWS - len(seen)]
        seen.update(level)
        yield from level


def _decoded(text: str, least: int) -> Iterator[str]:
    """What a text may be the code of."""
    if not text.isascii() and len(variants := VARIANTS.findall(text)) >= least:
        yield "".join(chr(ord(c) - 0xFE00 if c < "\uff00" else ord(c) - 0xE0100 + 16) for c in variants)
    if "%" in text or "&" in text:
        yield html.unescape(unquote_to_bytes(text).decode("latin-1"))
    if sum(map(text.count, string.digits)) >= least // 2:
        yield from _of_numbers(NUMBER_MARKS.sub(" ", text), least)
    runs = ["".join(run.split()) for run in RUN.findall(text)]
    for run in [run for run in runs if len(run) >= least][:MOST_RUNS]:
        for one in (run, run[::-1]):
            for data in _of_run(one, least):
                for plain in (data, *_unpacked(data)) if data[:1] in PACKED else (data,):
                    found = plain.replace(b"\0", b"")
                    if len(found) >= least and len(found.translate(None, READABLE)) * 8 <= len(found) * 3:
                        yield found.decode("latin-1")


MARKS = bytes(code for code in range(128) if not chr(code).isalnum())
READABLE, PACKED = string.printable.encode(), (b"\x1f", b"x", b"B")


def _of_numbers(text: str, least: int) -> Iterator[str]:
    """Codes of characters, in every base."""
    for base, (width, pattern) in NUMBERS.items():
        numbers = pattern.findall(text)
        if sum(map(len, numbers)) < 2 * least:
            continue
        for split in (False, True):
            parts = [n[i : i + width] for n in numbers for i in range(0, len(n), width)] if split else numbers
            codes = [int(part, base) for part in parts if len(part) < 24]
            found = "".join(chr(code) for code in codes if 32 <= code < 127)
            if len(found) >= least:
                yield found


def _of_run(run: str, least: int) -> Iterator[bytes]:
    """The bytes that a run of characters may be the code of, wherever in it that begins."""
    if len(kept := NO_BASE64.sub("", run).translate(URL_SAFE)) * 3 >= least * 4:
        for start in range(4):
            part = kept[start:]
            yield binascii.a2b_base64(part[: len(part) - (len(part) % 4 == 1)] + "==")
    if len(kept := NO_HEX.sub("", run)) >= least * 2:
        for start in range(2):
            yield bytes.fromhex(kept[start : len(kept) - (len(kept) - start) % 2])
    if (run.isupper() or run.islower()) and len(run) <= LONGEST_32:
        capitals = run.upper()
        for kept in (NO_BASE32.sub("", capitals).translate(FROM32), NO_HEX32.sub("", capitals)):
            number, length = int(kept or "0", 32), len(kept) * 5 // 8
            for shift in range(8) if length >= least else ():
                yield (number >> shift & (1 << 8 * length) - 1).to_bytes(length)


NO_BASE64, NO_HEX = re.compile("[^A-Za-z0-9+/_-]+"), re.compile("[^0-9A-Fa-f]+")
NO_BASE32, NO_HEX32 = re.compile("[^A-Z2-7]+"), re.compile("[^0-9A-V]+")
URL_SAFE = str.maketrans("-_", "+/")
LONGEST_32 = 4096
"""Characters of a run that is decoded as one number."""


def _unpacked(data: bytes) -> Iterator[bytes]:
    """What compressed data unpacks to."""
    for mark, open_ in ((b"\x1f\x8b", lambda: zlib.decompressobj(31)), (b"x", zlib.decompressobj), (b"BZh", bz2.BZ2Decompressor)):
        if data.startswith(mark):
            try:
                yield open_().decompress(data, LONGEST_VIEW)
            except (zlib.error, OSError, ValueError):
                continue

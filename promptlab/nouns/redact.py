"""Keys never leave the process except in the request that needs them."""

from __future__ import annotations

import base64
import binascii
import functools
import os
import re
import string
from collections.abc import Sequence
from urllib.parse import quote

from promptlab.nouns.disguises import hidden

SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|JWT|AUTHORIZATION)", re.IGNORECASE)
SHORTEST = 8
SHORT = 128
"""Characters of a text that may come again and again: the name of a model, why an answer ended, a short answer."""
PIECE = 12
"""Characters of a piece of a value that is removed wherever the rest is."""
MARK = "[redacted]"
PATTERNS = (
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|gho|AIza|AKIA)[-_]?[A-Za-z0-9_\-]{12,}"),
    re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=\-]{8,}"),
    re.compile(r"(?i)\b(api[-_ ]?key|authorization|x-api-key)(['\"]?\s*[:=]\s*['\"]?)[^\s'\",}]{8,}"),
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),
)


def known_secrets(names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Values of every variable that is named like a secret, and of those in `names`; longest first."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.search(name) or name in names}
    return tuple(sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True))


@functools.lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[tuple[str, ...], tuple[tuple[bytes, re.Pattern[str]], ...]]:
    """What a value looks like in text: written forms, byte by byte or reversed, and the letters and digits alone of itself, hex, base32
    and base64 (at any offset, or twice), each with a pattern of it with marks or spaces between its characters."""
    data = secret.encode("utf-8", "replace")
    written = {secret, secret[::-1], quote(secret, safe=""), quote(quote(secret, safe=""), safe="")}
    for byte, between in (
        ("%{:02x}", ""), ("%{:02X}", ""), ("\\u{:04x}", ""), ("\\x{:02x}", ""), ("0x{:02x}", ","), ("0x{:02x}", ", "), ("&#{};", ""),
        ("&#x{:x};", ""), ("{}", " "), ("{}", ","), ("{}", ", "),
    ):  # fmt: skip
        written.add(between.join(byte.format(one) for one in data))
    number = int.from_bytes(data)
    written |= {str(number), f"{number:o}", *(_in_digits(number, digits) for digits in DIGITS), binascii.b2a_uu(data[:45]).decode().strip()}
    spelled = {secret, data.hex(), base64.b32encode(data).decode()}
    twice, wide = base64.b64encode(data).rstrip(b"="), secret.encode("utf-16-le", "replace")
    for offset, inside in ((0, data), (1, data), (2, data), (0, twice), (0, wide)):
        groups = base64.b64encode(b"\0" * offset + inside).decode().rstrip("=")  # what stands before it moves its groups of three bytes
        spelled.add(groups[(offset * 8 + 5) // 6 : len(groups) - (1 if (offset + len(inside)) % 3 else 0)])
    cores = {core for form in spelled if len(core := _bare(form)) >= SHORTEST}
    patterns = {core: re.compile(r"[^A-Za-z0-9]{0,12}".join(core.decode()), re.IGNORECASE if len(core) >= LONG else 0) for core in cores}
    exact = sorted((form for form in written if len(form) >= SHORTEST), key=len, reverse=True)
    return tuple(exact), tuple((core.lower() if len(core) >= LONG else core, found) for core, found in patterns.items())


def _in_digits(number: int, digits: str) -> str:
    """A whole number with these digits."""
    found = ""
    while number:
        number, one = divmod(number, len(digits))
        found = digits[one] + found
    return found


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = (
    string.digits + LETTERS.lower(), string.digits + LETTERS, string.digits + LETTERS + LETTERS.lower(),
    string.digits + LETTERS.lower() + LETTERS,
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
)  # fmt: skip
"""Base 36, 62 and 58."""


def _bare(text: str) -> bytes:
    """The letters and digits of ASCII in a text."""
    return text.encode("ascii", "ignore").translate(None, MARKS)


MARKS = bytes(code for code in range(128) if not chr(code).isalnum())
LONG = 16
"""From so many letters and digits on a value is found in capitals, too; a shorter one may be a word."""


def redact_known(text: str, secrets: tuple[str, ...]) -> str:
    """`text` without the given values, in whatever form they occur; nothing else changes, so that an answer stays as it was."""
    if not secrets or len(text) < SHORTEST:
        return text
    return _known_short(text, secrets) if len(text) <= SHORT else _redacted(text, secrets)


@functools.lru_cache(maxsize=1024)
def _known_short(text: str, secrets: tuple[str, ...]) -> str:
    return _redacted(text, secrets)


def _redacted(text: str, secrets: tuple[str, ...]) -> str:
    bare = _bare(text)
    lower = bare.lower()
    for secret in secrets:
        forms, cores = _forms(secret)
        for form in forms:
            if form in text:
                text = text.replace(form, MARK)
        for core, split in cores:
            if core in (lower if len(core) >= LONG else bare):
                text = split.sub(MARK, text)
        text = _without_pieces(text, secret)
    return MARK if hidden(text, secrets) else text


def _without_pieces(text: str, secret: str) -> str:
    """The text without longer pieces of a value that is no path and no word."""
    if secret.startswith(("/", "~", ".")) or not (any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))):
        return text
    for start in range(0, len(secret) - PIECE + 1, PIECE // 3):
        while (at := text.find(secret[start : start + PIECE])) >= 0:
            first, last, end = start, start + PIECE, at + PIECE
            while first and at and secret[first - 1] == text[at - 1]:
                first, at = first - 1, at - 1
            while last < len(secret) and end < len(text) and secret[last] == text[end]:
                last, end = last + 1, end + 1
            text = text[:at] + MARK + text[end:]
    return text


def without_pieces(texts: Sequence[str | None], secrets: tuple[str, ...]) -> list[str | None]:
    """The texts, those replaced that are or hold pieces of one secret, where these are `PIECE` letters and digits together."""
    bares = [_bare(text or "") for text in texts]
    for core in map(_bare, secrets):
        windows = [core[start : start + SHORTEST] for start in range(len(core) - SHORTEST + 1)]
        found = [
            len(bare) if len(bare) > 2 and bare in core else SHORTEST if len(bare) >= SHORTEST and any(w in bare for w in windows) else 0
            for bare in bares
        ]
        if sum(found) >= PIECE and len(core) >= PIECE:
            texts = [MARK if n else text for n, text in zip(found, texts, strict=True)]
    return list(texts)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the given values and without anything that looks like a key: for error messages."""
    text = redact_known(text, secrets)
    for pattern in PATTERNS:
        text = pattern.sub(lambda m: "".join(m.groups()) + MARK if m.groups() else MARK, text)
    return text

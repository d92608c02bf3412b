"""Keys never leave the process except in the request that needs them."""

from __future__ import annotations

import base64
import functools
import os
import re
from urllib.parse import quote

SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|JWT|AUTHORIZATION)", re.IGNORECASE)
SHORTEST = 8
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
def _forms(secret: str) -> tuple[tuple[str, ...], str, re.Pattern[str]]:
    """What a value looks like in text: written forms (itself, hex, base64 at any offset, URL-encoded, reversed), its letters and
    digits alone, and a pattern of it with marks or spaces between its characters."""
    data = secret.encode("utf-8", "replace")
    written = {secret, secret[::-1], data.hex(), data.hex().upper(), quote(secret, safe=""), "".join(f"%{byte:02x}" for byte in data)}
    written |= {
        "".join(f"%{byte:02X}" for byte in data),
        " ".join(f"{byte:02x}" for byte in data),
        "".join(f"\\u{byte:04x}" for byte in data),
    }
    for offset in range(3):  # what stands before it moves where its bytes fall in the groups of three
        groups = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        inner = groups[(offset * 8 + 5) // 6 : len(groups) - (1 if (offset + len(data)) % 3 else 0)]
        written |= {inner, inner.replace("+", "-").replace("/", "_")}
    core = "".join(c for c in secret if c.isalnum())
    between = r"[^A-Za-z0-9]{0,12}"
    return tuple(sorted((form for form in written if len(form) >= SHORTEST), key=len, reverse=True)), core, re.compile(between.join(core))


_MARKS = {code: None for code in range(128) if not chr(code).isalnum()}
_MARKS |= dict.fromkeys((0xA0, 0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x2010, 0x2011, 0x2013, 0x2014))


def redact_known(text: str, secrets: tuple[str, ...]) -> str:
    """`text` without the given values, in whatever form they occur; nothing else changes, so that an answer stays as it was."""
    if not secrets or len(text) < SHORTEST:
        return text
    bare = text.translate(_MARKS)
    for secret in secrets:
        forms, core, split = _forms(secret)
        for form in forms:
            if form in text:
                text = text.replace(form, MARK)
        if len(core) >= SHORTEST and core in bare:
            text = split.sub(MARK, text)
    return text


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the given values and without anything that looks like a key: for error messages."""
    text = redact_known(text, secrets)
    for pattern in PATTERNS:
        text = pattern.sub(lambda m: "".join(m.groups()) + MARK if m.groups() else MARK, text)
    return text

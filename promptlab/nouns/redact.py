"""Keys never leave the process except in the request that needs them."""

from __future__ import annotations

import os
import re

SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)
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


def redact_known(text: str, secrets: tuple[str, ...]) -> str:
    """`text` without the given values; nothing else changes, so that a model's answer stays as it was."""
    for secret in secrets:
        text = text.replace(secret, MARK)
    return text


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the given values and without anything that looks like a key: for error messages."""
    text = redact_known(text, secrets)
    for pattern in PATTERNS:
        text = pattern.sub(lambda m: "".join(m.groups()) + MARK if m.groups() else MARK, text)
    return text

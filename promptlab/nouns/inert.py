"""Text from outside (models, items, stimuli, files, providers) that a screen shows and does not obey.

Inside a prompt such text is between marks that it cannot close, since they hold its own digest.
"""

from __future__ import annotations

import json
import re

from promptlab.nouns.identity import digest_of_text

HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ud800-\udfff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def inert(text: object) -> str:
    """The text with control, direction and invisible characters spelled out, and lone surrogates too, which no browser is sent."""
    return HIDDEN.sub(_escape, str(text))


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def inert_json(text: str) -> str:
    """The same for JSON text, as JSON spells such characters: a program reads the value that it had."""
    return HIDDEN.sub(lambda found: json.dumps(found.group())[1:-1], text)


MARKED = re.compile(r"<(\w+) ([0-9a-f]{12})>\n(.*?)\n</\1 \2>", re.DOTALL)


def fenced(name: str, text: str) -> str:
    """The text between marks of its name."""
    mark = f"{name} {digest_of_text(text)[:12]}"
    return f"<{mark}>\n{text}\n</{mark}>"


def unfenced(prompt: str) -> list[tuple[str, str]]:
    """Name and text of everything that is fenced in a prompt, in its order."""
    return [(name, text) for name, mark, text in MARKED.findall(prompt) if digest_of_text(text)[:12] == mark]

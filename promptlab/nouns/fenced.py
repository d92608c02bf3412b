"""Text from outside inside a prompt: between marks that the text cannot close, since they hold its own digest."""

from __future__ import annotations

import re

from promptlab.nouns.identity import digest_of_text

MARKED = re.compile(r"<(\w+) ([0-9a-f]{12})>\n(.*?)\n</\1 \2>", re.DOTALL)


def fenced(name: str, text: str) -> str:
    """The text between marks of its name."""
    mark = f"{name} {digest_of_text(text)[:12]}"
    return f"<{mark}>\n{text}\n</{mark}>"


def unfenced(prompt: str) -> list[tuple[str, str]]:
    """Name and text of everything that is fenced in a prompt, in its order."""
    return [(name, text) for name, mark, text in MARKED.findall(prompt) if digest_of_text(text)[:12] == mark]

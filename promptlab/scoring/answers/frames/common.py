"""What the frames of several languages share."""

from __future__ import annotations

JUDGES = "judges"
"""Marks a frame that says whether something is right, which is an answer where the options are right and wrong."""
X = r"([^.!?;:\n,]{1,70}?)"
"""What a frame holds: an answer, within a clause."""
BUT = r"It is not \1, but "
"""What replaces a frame that grants one answer before it gives another one."""
FIRST, SECOND = "the first sentence", "the second sentence"
NOUN = r"(?:une? [\w-]+ (?=[\w-]+\s?(?:[.,;!]|$))|una? [\w-]+ (?=[\w-]+\s?(?:[.,;!]|$)))?(?:une? |una? )?"
"""What a language of the south puts before an adjective: "un argumento válido"."""

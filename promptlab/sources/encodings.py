"""Text that other programs wrote, in whichever encoding: UTF-8, UTF-16, UTF-32, or that of Windows in Western Europe."""

from __future__ import annotations

import codecs
from pathlib import Path

from promptlab.nouns import FileProblems

MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""What a text may begin with to tell its encoding; the longer marks first."""
WINDOW = 4 * 2**20
"""Characters of a long text that are decoded at a time."""


def as_utf8(path: Path, content: bytes) -> tuple[bytes, str]:
    """Text in UTF-8, and the encoding that it was in where that was another."""
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "")
    head = content[:4096]
    if not encoding and head.count(b"\0") > len(head) // 4:
        encoding = "utf-16-le" if head[1::2].count(b"\0") > head[::2].count(b"\0") else "utf-16-be"
    if encoding == "utf-8":
        content, encoding = content[len(codecs.BOM_UTF8) :], ""
    if encoding:
        try:
            return content.decode(encoding).encode(), encoding.upper()
        except UnicodeError:
            raise FileProblems.one(
                path, f"begins as {encoding.upper()} text and is not UTF-8 nor whole {encoding.upper()}; save it as UTF-8"
            ) from None
    line = _first_fault(content)
    if line is None:
        return content, ""
    good = sum(1 for c in content.decode("utf-8", "ignore") if c > "\x7f")
    bad = content.decode("utf-8", "replace").count("\ufffd")
    try:
        if good >= bad:
            raise UnicodeError
        return content.decode("cp1252").encode(), "cp1252 (Windows, Western Europe)"
    except UnicodeError:
        raise FileProblems.one(path, "not UTF-8 text, nor UTF-16 or cp1252; save the file as UTF-8", line) from None


def _first_fault(content: bytes) -> int | None:
    """The line of the first byte that is not UTF-8; long texts are looked through part by part."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), WINDOW):
        part = content[start : start + WINDOW]
        try:
            decoder.decode(part, final=start + WINDOW >= len(content))
        except UnicodeDecodeError as error:
            return content.count(b"\n", 0, start + error.start) + 1
    return None

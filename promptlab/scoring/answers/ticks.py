"""Boxes that a reply ticks: the options whose box is ticked are what it says, and the others are not."""

from __future__ import annotations

import re

from promptlab.scoring.compiled import regex

_TICK, _CROSS = "✓✔✅√", "✗✘✖✕×❌"
_BOX = regex(
    rf"(?<!\w)(?:(?P<tick>[☑🗹]|\[[{_TICK}]\]|\([{_TICK}•]\))|(?P<cross>☒|\[[xX{_CROSS}]\]|\([xX{_CROSS}]\))"
    r"|(?P<empty>[☐⬜]|\[[ \u00a0\u3000_]\]|\([ \u00a0\u3000_]\)))(?!\w)"
)
_MARK = regex(r"(?P<tick>[✓✔✅])|(?P<cross>[✗✘✖❌])|(?P<empty>(?!))")
"""Marks that precede options as boxes do: "✓ yes ✗ no"."""
_AHEAD = regex(r"[\W_]*(?:\d{1,2}[.)][\W_]*)?")
"""What may precede the first box of a line: a bullet, a number."""
_LISTS = regex(r"^[\s,;|/]+(?:(?:and|or)\s+)?|\s+(?:\d{1,2}[.)]|[-*•|])?\s*$|[\s,;|/]+$")
"""What separates the options of one line."""


def may_tick(text: str) -> bool:
    """Whether a text may have boxes or marks before options."""
    return "[" in text or "( )" in text or (not text.isascii() and _SIGN.search(text) is not None)


_SIGN = regex("[☑🗹☒☐⬜✓✔✅✗✘✖❌\u00a0\u3000]")


def ticked(text: str) -> str:
    """The text with the options whose box is ticked, and without the others; the same object where it has no boxes.

    A cross is a tick where the other boxes are empty, and none next to a tick.
    """
    boxes = _boxes(text, _BOX)
    if not boxes:
        marks = _boxes(text, _MARK)
        return _only_ticked(text, _MARK, False) if len({one.lastgroup for one in marks}) == 2 and _each_has_one(text) else text
    kinds = {one.lastgroup for one in boxes}
    round_ones = any(one[0][0] == "(" for one in boxes)
    crosses = "tick" not in kinds
    alone = len(boxes) == 1
    if alone and (boxes[0][0] not in ("[x]", "[X]", "☑", "☐", "[ ]") or not _AHEAD.fullmatch(text[: boxes[0].start()])):
        return text
    if kinds == {"empty"} and not _AHEAD.fullmatch(text[: boxes[0].start()].rpartition("\n")[2]):
        return text
    if round_ones and len(kinds) < 2:
        return text
    if not alone and kinds == {"cross"} and any(one[0] == "☒" for one in boxes):
        return text
    return _only_ticked(text, _BOX, crosses)


def _boxes(text: str, box: re.Pattern[str]) -> list[re.Match[str]]:
    """The boxes of a text, where each has words next to it."""
    found = list(box.finditer(text))
    return found if len(found) <= 40 and len(re.findall(r"[^\W\d_]\w*|\d+", box.sub(" ", text))) >= len(found) else []


def _each_has_one(text: str) -> bool:
    """Whether a mark opens a text and none ends it, or the other way round: it is clear then to what each belongs."""
    first = _MARK.search(text)
    opens = first is not None and _AHEAD.fullmatch(text[: first.start()]) is not None
    return opens != (_MARK.search(text.rstrip()[-1:]) is not None)


def _only_ticked(text: str, box: re.Pattern[str], crosses: bool) -> str:
    lines = []
    for line in text.splitlines():
        boxes = list(box.finditer(line))
        has = [one["tick"] is not None or (crosses and one["cross"] is not None) for one in boxes]
        if len(boxes) < 2:
            if all(has):
                lines.append(box.sub(" ", line))
            continue
        head, tail = line[: boxes[0].start()], line[boxes[-1].end() :]
        before = _AHEAD.fullmatch(head) is not None or head.rstrip().endswith((":", "："))
        if before or any(map(str.isalnum, tail)):
            ends = [*(one.start() for one in boxes[1:]), len(line)]
            parts = [line[one.end() : end] for one, end in zip(boxes, ends, strict=True)]
        else:
            parts = [line[start : one.start()] for start, one in zip([0, *(one.end() for one in boxes)], boxes, strict=False)]
            head = ""
        said = ", ".join(_LISTS.sub("", part) for part, kept in zip(parts, has, strict=True) if kept)
        lines.append(f"{head} {said}".strip() if said or head.rstrip().endswith(":") else "")
    return "\n".join(lines)

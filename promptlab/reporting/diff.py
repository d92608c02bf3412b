"""What differs between two texts, word by word, for the explorer, the HTML report and notebooks."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from promptlab.nouns import inert

Kind = Literal["equal", "added", "removed"]
LONGEST_EQUAL = 320
"""Characters of an equal run that are shown; of a longer one, its two ends of half as many."""
MOST_WORDS = 4_000
"""Two stretches with more words than this are not compared word by word: the one counts as removed, the other as added."""
QUICK = 250_000
"""Up to this product of two lengths, words that occur often count for the comparison as well."""
_WIDE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # scripts that put no space between words: each character is a word
_WORD = re.compile(rf"(\s*)([{_WIDE}]|[^\s{_WIDE}]+|$)")
DIFF_CSS = (
    ".diff {white-space: pre-wrap; overflow-wrap: anywhere} "
    ".diff mark {background: var(--helps-bg); color: var(--helps); font-weight: 600} "
    ".diff del {background: var(--hurts-bg); color: var(--hurts); text-decoration: underline} "
    ".diff i {color: var(--soft)}"
)
"""Needs the variables of `palette.Palette.css`."""


class Segment(NamedTuple):
    """A run of text that is in both texts, in the second alone (`added`) or in the first alone (`removed`).

    `n_hidden` counts the characters in the middle of an equal run that are left out; `text` and `tail` are its two ends.
    """

    kind: Kind
    text: str
    n_hidden: int = 0
    tail: str = ""


def differences(before: str, after: str) -> list[Segment]:
    """The two texts as one. Equal and removed segments joined are `before`, equal and added ones are `after`, letter by letter."""
    if before == after:
        return [Segment("equal", before)] if before else []
    pieces = _by_line(before.splitlines(keepends=True), after.splitlines(keepends=True))
    merged = groupby(_removed_first(list(pieces)), key=lambda piece: piece.kind)
    return [Segment(kind, "".join(piece.text for piece in run)) for kind, run in merged]


def folded(segments: Sequence[Segment], longest: int = LONGEST_EQUAL) -> list[Segment]:
    """The same segments; of equal runs longer than `longest` characters the middle is left out and counted."""
    half = longest // 2
    return [
        Segment(kind, text[:half], n_hidden=len(text) - 2 * half, tail=text[-half:]) if kind == "equal" and len(text) > longest else segment
        for segment in segments
        for kind, text in (segment[:2],)
    ]


def difference_html(before: str, after: str) -> str:
    """One escaped block: words of `after` alone in `<mark>`, of `before` alone in `<del>`; long equal runs are folded."""
    return f'<div class="diff">{"".join(map(_markup, folded(differences(before, after))))}</div>'


def _markup(segment: Segment) -> str:
    if segment.kind == "equal":
        fold = f"<i> … {segment.n_hidden:,} characters the same in both … </i>" if segment.n_hidden else ""
        return _escaped(segment.text) + fold + _escaped(segment.tail)
    shown = segment.text.replace("\n", "⏎\n") if segment.text.strip() else segment.text.replace("\n", "⏎\n").replace(" ", "␣")
    tag = "mark" if segment.kind == "added" else "del"
    return f"<{tag}>{_escaped(shown)}</{tag}>"


def _escaped(text: str) -> str:
    return html.escape(inert(text))


def _by_line(before: Sequence[str], after: Sequence[str]) -> Iterator[Segment]:
    for equal, i, j, k, m in _runs(before, after):
        if equal:
            yield Segment("equal", "".join(before[i:j]))
        else:
            yield from _by_word("".join(before[i:j]), "".join(after[k:m]))


def _by_word(before: str, after: str) -> Iterator[Segment]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > MOST_WORDS:
        yield from (Segment("removed", before), Segment("added", after))
        return
    for equal, i, j, k, m in _runs([word for _, word in old], [word for _, word in new]):
        if not equal:
            yield from (Segment("removed", _joined(old[i:j])), Segment("added", _joined(new[k:m])))
            continue
        for (gap_before, word), (gap_after, _) in zip(old[i:j], new[k:m], strict=True):
            if gap_before == gap_after:
                yield Segment("equal", gap_before + word)
            else:
                yield from (Segment("removed", gap_before), Segment("added", gap_after), Segment("equal", word))


def _runs(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Whether `before[i:j]` equals `after[k:m]`, and i, j, k, m. What both begin and end with is found at once, at any length."""
    pairs = zip(before, after, strict=False)
    start = next((n for n, (one, two) in enumerate(pairs) if one != two), min(len(before), len(after)))
    backwards = zip(reversed(before[start:]), reversed(after[start:]), strict=False)
    end = next((n for n, (one, two) in enumerate(backwards) if one != two), min(len(before), len(after)) - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    yield True, 0, start, 0, start
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) * len(new) > QUICK)
    for tag, i, j, k, m in matcher.get_opcodes():
        yield tag == "equal", start + i, start + j, start + k, start + m
    yield True, len(before) - end, len(before), len(after) - end, len(after)


def _joined(words: Sequence[tuple[str, str]]) -> str:
    return "".join(gap + word for gap, word in words)


def _removed_first(pieces: Sequence[Segment]) -> Iterator[Segment]:
    """Between two equal runs everything removed precedes everything added."""
    for equal, run in groupby((piece for piece in pieces if piece.text), key=lambda piece: piece.kind == "equal"):
        kept = list(run)
        yield from kept if equal else sorted(kept, key=lambda piece: piece.kind == "added")

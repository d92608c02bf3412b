"""BIG-bench scoring of text: exact match after its output pattern, and the option that an answer names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from promptlab.schema import Item, Scored

DEFAULT_PATTERN = r"[^\.\?\!\;\n]+"
OPERATORS_PATTERN = r"([-+]?\d+)[.]{0,1}$"
QUOTES = str.maketrans(dict.fromkeys("‘’‚‛´`", "'") | dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‐‑‒–—−", "-"))
CONCLUSION = re.compile(r"(?:\banswer\b(?:\s+is)?|\bconclusion\b|\btherefore\b|\bfinal choice\b)\s*[:,]?\s*(.+)$", re.IGNORECASE)
OUTER = " \t\"'.,:;!?*_()[]"
LABEL = re.compile(r"^(?:option|choice|answer)?\s*[\(\[]?([a-z]|\d{1,2})[\)\].:]?$", re.IGNORECASE)
LABEL_FIRST = re.compile(r"^[\(\[]?([a-z]|\d{1,2})[\)\].:]\s+(.+)$", re.IGNORECASE | re.DOTALL)


def exact_str_match(pattern: str = DEFAULT_PATTERN, stop: str | None = None) -> Callable[[str, Item], Scored]:
    """A metric: what `pattern` first finds in the answer (before `stop`) is, to the letter, one of the targets."""
    compiled = re.compile(pattern)

    def metric(answer: str, item: Item) -> Scored:
        text = answer.split(stop, maxsplit=1)[0] if stop else answer
        found = compiled.search(text)
        if found is None:
            return Scored(0.0, None)
        read = found.group(1) if compiled.groups else found.group()
        return Scored(float(read in item.targets), read.strip() or None)

    return metric


def choice(answer: str, item: Item) -> Scored:
    """The one option that the answer settles on, scored against the targets; an answer that settles on none scores 0.

    Read in this order: the whole answer is an option or its label; a concluding line names one; quoted text is one; exactly
    one option stands in the answer. An answer that lists several options without a conclusion names none.
    """
    picked = pick(answer, item)
    return Scored(0.0, None) if picked is None else Scored(float(picked in item.targets), picked)


def pick(answer: str, item: Item) -> str | None:
    """The option that an answer names, as it is spelled in the item; None when it names none or several."""
    plain = {_plain(option): option for option in item.choices}
    text = answer.strip()
    if not text or not plain:
        return None
    whole = _as_option(text, item, plain)
    if whole is not None:
        return whole
    lines = [line for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        concluded = CONCLUSION.search(line)
        if concluded:
            found = _as_option(concluded.group(1), item, plain) or _only(_named(concluded.group(1), plain, item))
            if found is not None:
                return found
    quoted = [_plain(part) for part in re.findall(r"[\"“]([^\"“”]+)[\"”]|'([^']+)'", text) for part in part if part]
    found = _only({plain[part] for part in quoted if part in plain})
    return found if found is not None else _only(_named(text, plain, item))


def _as_option(text: str, item: Item, plain: dict[str, str]) -> str | None:
    """The text as a whole: an option, its label, or a label followed by its option."""
    read = _plain(text)
    if read in plain:
        return plain[read]
    bare = text.strip().strip("*_\"' \t.")
    label = LABEL.match(bare)
    if label:
        return _labelled(label.group(1), item)
    both = LABEL_FIRST.match(text.strip())
    if both and _plain(both.group(2)) in plain:
        return plain[_plain(both.group(2))]
    return None


def _labelled(label: str, item: Item) -> str | None:
    index = int(label) - 1 if label.isdigit() else ord(label.lower()) - ord("a")
    return item.choices[index] if 0 <= index < len(item.choices) else None


def _named(text: str, plain: dict[str, str], item: Item) -> set[str]:
    """Options that stand in the text between word boundaries; the longest wins where one lies inside another."""
    rest = _plain(text)
    found: set[str] = set()
    for read in sorted(plain, key=len, reverse=True):
        pattern = re.compile(rf"(?<!\w){re.escape(read)}(?!\w)")
        if read and pattern.search(rest):
            found.add(plain[read])
            rest = pattern.sub(" ", rest)
    if len(found) > 1:  # a reply often repeats the name it was asked about, which some items offer as an option
        found.discard(plain.get(_plain(item.input), ""))
    return found


def _only(found: Iterable[str]) -> str | None:
    names = list(found)
    return names[0] if len(names) == 1 else None


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).translate(QUOTES).casefold()
    return " ".join(folded.split()).strip(OUTER)

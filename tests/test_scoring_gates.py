"""The cheap checks before the slow patterns of the strict scorer hide nothing: with and without them replies score the same."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from promptlab.nouns import Item, Scored
from promptlab.scoring import answers
from promptlab.scoring.answers import abroad, conclusions, denials, places, remarks, statements, text
from promptlab.scoring.answers.held import held, may_hold
from promptlab.scoring.metrics import bigbench, strict
from promptlab.scoring.metrics.strict import (
    STRICT,
    dictionary,
    english,
    figures,
    implied,
    notations,
    numerals,
    operations,
    options,
    phrases,
    polarity,
    rated,
    replies,
    senses,
    series,
    undecided,
    walks,
)
from promptlab.sources.tasks import load_task, task_names

MODULES = (
    bigbench,
    *(
        import_module(f"{package.__name__}.{found.name}")
        for package in (answers, strict)
        for found in iter_modules(package.__path__)
        if not found.ispkg
    ),
)
"""All modules that read answers."""
MARKS = (
    ". ",
    ", ",
    "; ",
    ": ",
    " - ",
    "\n",
    "? ",
    "! ",
    " = ",
    " (",
    ") ",
    '"',
    "'",
    "... ",
    " → ",
    "1. ",
    "- ",
    "❌",
    "✅",
    "5 %",
    " 12",
    "-3",
    "#",
    "<",
)


ALWAYS = re.compile("")


class _Everything:
    """What a check finds in every text."""

    def isdisjoint(self, words: object) -> bool:
        return False

    def __contains__(self, word: object) -> bool:
        return True


def patterns() -> list[Any]:
    return [one for module in MODULES for one in vars(module).values() if isinstance(getattr(one, "pattern", None), str)]


def replies_made_up(n: int) -> list[tuple[str, str, Item]]:
    """Texts of the words that the patterns look for, with answers, options and marks; the same ones each time."""
    rng = random.Random(3)
    words = sorted({word for one in patterns() for word in re.findall(r"[A-Za-zÀ-ɏ]+(?:'[a-z]+)?|[가-힣ぁ-ヿ一-鿿]+", one.pattern)})
    items = [(task.strict, item) for task in [load_task(name, "twin") for name in task_names("twin")] for item in task.items[:3]]
    made = []
    for _ in range(n):
        kind, item = rng.choice(items)
        own = [*item.targets, *item.choices, item.input]
        parts = [
            part for _ in range(rng.randint(1, 9)) for part in (
                rng.choice(own) if rng.random() < 0.35 else rng.choice((str.lower, str.title))(rng.choice(words)),
                rng.choice(MARKS) if rng.random() < 0.35 else " ",
            )
        ]  # fmt: skip
        made.append((kind, "".join(parts)[:400], item))
    return made


def test_checks_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replies_made_up(900)
    fast = [STRICT[kind](reply, item) for kind, reply, item in made]
    for module, name, value in (
        (conclusions, "_concluding", conclusions.CONCLUDES.finditer), (statements, "_stating", statements._STATES.finditer),
        (remarks, "_PROVOKING", _Everything()), (remarks, "_GREETS", _Everything()), (remarks, "_REMARKING", _Everything()),
        (places, "_TALKS", _Everything()), (english, "_TALKS", _Everything()), (abroad, "_KNOWING", _Everything()),
        (conclusions, "TAKES_BACK", _Everything()), (conclusions, "_BREAKS_OFF", ALWAYS), (denials, "_OFFERING", _Everything()),
        (denials, "_may_say_others", lambda _: True), (phrases, "_MEAN", _Everything()), (phrases, "_may_fit", lambda _: True),
        (phrases, "_may_be_alike", lambda _: True), (phrases, "_FORMS", ("",)), (polarity, "_may_stand_alone", lambda _: lambda _: True),
        (replies, "longest", lambda _: 10_000),
        (phrases, "longest", lambda _: 10_000), (rated, "_PART", ALWAYS), (series, "_MARKING", _Everything()),
        (bigbench, "_SAYS_REACH", 10_000),
        (conclusions, "_OTHERS", ("",)), (conclusions, "western", lambda _: False),
        (conclusions, "_ENDS_ONE", ALWAYS), (figures, "_BARS", _Everything()), (figures, "_may_label", lambda _: True),
        (figures, "_SAYS", frozenset()), (figures, "_LEADS", _Everything()), (notations, "_MONTHS", _Everything()),
        (notations, "_SET", ("",)), (replies, "may_number", lambda _: True), (replies, "_REASONS", _Everything()),
        (replies, "_OPENERS", _Everything()), (replies, "may_say", lambda _: True), (replies, "_MAY_ANNOUNCE", ALWAYS),
        (english, "_DOUBTS", _Everything()), (numerals, "_ASIDES", _Everything()),
        (polarity, "_may_turn_down", lambda *_: True), (polarity, "_SHARES", ALWAYS),
        (dictionary, "may_say_grammar", lambda _: True), (dictionary, "_HEADED", ALWAYS), (phrases, "_LISTS", ALWAYS),
        (phrases, "_LIST_MARKS", ALWAYS), (phrases, "_IS", _Everything()), (phrases, "_RELATES", ALWAYS),
        (options, "_REMAINS", replace_pattern(options._REMAINS)), (options, "_OTHERS", _Everything()), (options, "_RULING", _Everything()),
        (implied, "_NAMES_PLACE", _Everything()), (implied, "_RULES", ("",)), (phrases, "_JOINS", _Everything()),
        (bigbench, "_CONCLUDING", ("",)), (bigbench, "_DENYING", ("",)),
        (bigbench, "_BREAK", ALWAYS), (text, "_OTHER_SIGN", ALWAYS), (text, "_PLAIN", b""), (places, "_MARKED_UP", ALWAYS),
        (places, "may_tick", lambda _: True), (statements, "_DECIDING", _Everything()), (statements, "_DECIDERS", _Everything()),
        (senses, "_JOINS", ("",)), (walks, "_TELLS", _Everything()), (undecided, "_LEFT", _Everything()),
        (undecided, "may_undecide", lambda _: True), (operations, "_NAMES", _Everything()), (senses, "_MEANINGS", _Everything()),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    forget()
    slow = [STRICT[kind](f"{reply} ", item) for kind, reply, item in made]  # another text to what is kept, and no other reply
    assert [unstripped(one) for one in fast] == [unstripped(one) for one in slow]
    assert 0.1 < sum(bool(one.score) for one in fast) / len(fast) < 0.9


def test_what_a_pattern_holds_is_in_all_that_it_finds() -> None:
    """Of every pattern: a text that `may_hold` turns down is one in which the search finds nothing."""
    texts = [reply for _, reply, _ in replies_made_up(500) if reply.isascii()]
    tests = [(one, may_hold(one)) for one in patterns()]
    hidden = [(one.pattern, text) for one, may in tests for text in texts if one.search(text) and not may(text)]
    assert hidden == []
    assert len(texts) > 100
    assert sum(not may(texts[0]) for _, may in tests) > len(tests) / 4  # and it does turn texts down


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (r"\b(?:led|leads) to\b|→", {" le"}), (r"(?<!\w)caus(?:e|al)", {" caus"}), (r"[-=]>", {">"}), (r"\bn't\b", {" n t "}),
        (r"größer|\bas big as\b", {" as big as "}), (r"\w+", None), (r"a|\d", None), ("[大小]", set()),
    ],
)  # fmt: skip
def test_parts_that_each_match_holds(source: str, parts: set[str] | None) -> None:
    assert held(source) == parts


@pytest.mark.parametrize(("form", "most"), [("{} ", 0.5), ("{}. ", 0.5), ("I think it is {}. ", 1.75)])
def test_a_plain_reply_runs_few_of_the_slow_patterns(form: str, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all long patterns, a bare answer, right or wrong, runs less than one in two replies: a new rule has a check before its pattern."""
    slow = [one for one in patterns() if len(one.pattern) > 300 and hasattr(one, "_flags")]
    runs: Counter[str] = Counter()
    for one in slow:
        for name in ("search", "match", "fullmatch", "finditer", "findall", "sub", "split"):
            monkeypatch.setitem(vars(one), name, counted(runs, one.pattern, getattr(one, name)))
    scored = 0
    for task in (load_task(name, "twin") for name in task_names("twin")):
        for n, item in enumerate(task.items[:20]):
            for target in (item.targets[0], task.items[-1 - n].targets[0]):
                STRICT[task.strict](form.format(target), item)
                scored += 1
    assert len(slow) > 40
    assert scored > 1500
    assert sum(runs.values()) / scored < most, runs.most_common(3)


def counted(runs: Counter[str], name: str, function: Any) -> Any:
    def count(*given: Any, **named: Any) -> Any:
        runs[name] += 1
        return function(*given, **named)

    return count


def forget() -> None:
    """Drops what is kept of texts."""
    figures.figures.cache_clear()
    notations.arabic.cache_clear()
    abroad._told.cache_clear()
    polarity._patterns.cache_clear()
    for one in (one for module in MODULES for one in vars(module).values() if isinstance(getattr(one, "__self__", None), text._Kept)):
        one.__self__.clear()


def test_forms_that_are_not_made_are_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form without the words of a target is not made; with all forms the scores are the same."""
    made = [one for one in replies_made_up(1200) if one[0] in ("letter", "rhyme", "text", "word")]
    fast = [STRICT[kind](reply, item).score for kind, reply, item in made]
    monkeypatch.setattr(replies, "unsaid", lambda *_: False)
    monkeypatch.setattr(phrases, "unsaying", lambda _: lambda _: False)
    assert fast == [STRICT[kind](f"{reply} ", item).score for kind, reply, item in made]
    assert any(fast)


def unstripped(scored: Scored) -> Scored:
    return replace(scored, extracted=(scored.extracted or "").strip())


def replace_pattern(pattern: Any) -> Any:
    return type("_Always", (), {"pattern": pattern.pattern, "search": lambda *_: True})()


def test_keys_as_by_the_patterns_as_they_are_said() -> None:
    """A hyphen that is no minus and a full stop that is no decimal point are spaces, and so is what is neither a word nor a sign."""
    told = re.compile(r"(?<=[\w)])-|-(?!\.?\d)|\.(?!\d)|(?<=[^\W\d])\.")
    for _, reply, _ in replies_made_up(300):
        folded = text.full(text.fold(reply).casefold()).replace("'", "")
        said = re.sub(
            r"(?<=\d),(?=\d{3}(?!\d))", "", text._ARROW.sub(" ", folded) if not folded.isascii() or set("<>") & set(folded) else folded
        )
        said = text._NOT_WORD.sub(" ", told.sub(" ", said).replace("&", " and ")).replace("_", " ")
        assert text.key(reply).split() == text._SIGN.sub(r"\1", said).split()

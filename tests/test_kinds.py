"""Kinds of replies that strict scoring reads, right and wrong: labels, numbers, words, lists, levels and causes in seven languages.

`kinds.json` holds the replies. `labels`: by task and option what settles on it, with "" for what settles on none. `targets`: by task and
input replies with an answer that is right, or none, and one that is not. `levels` and `counts`: replies to one item with what they say.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import promptlab
from promptlab.nouns import Item
from promptlab.scoring.metrics.strict import STRICT, inference, levels, notations, paraphrase
from promptlab.sources.tasks import entries
from replies import mislabelled, misrated, misread
from test_scoring_gates import _Everything

KINDS = json.loads(Path(__file__).with_name("kinds.json").read_text(encoding="utf-8"))
LEVELS = ("0 - definitely not", "1 - probably not", "2 - possibly", "3 - probably", "4 - almost perfectly", "5 - perfectly")
THINGS = "I have a goat, a cow, a bear, a fish, a snail, and a lamp. How many animals do I have?"


@pytest.mark.parametrize("task", KINDS["labels"])
def test_replies_settle_on_a_label(task: str) -> None:
    kind = KINDS["labels"][task]
    assert mislabelled(task, kind["input"], kind["options"], kind["replies"]) == []


@pytest.mark.parametrize(("task", "asked", "replies"), KINDS["targets"], ids=lambda each: each if isinstance(each, str) else "")
def test_replies_say_an_answer(task: str, asked: str, replies: list[tuple[str, str | None, str | None]]) -> None:
    assert misread(task, asked, replies) == []


def test_replies_say_a_level() -> None:
    assert misrated(LEVELS, KINDS["levels"]) == []


def test_replies_count_what_is_asked_for() -> None:
    wrong = []
    for reply, right, other in KINDS["counts"]:
        if right is not None and not promptlab.score("object_counting", reply, input=THINGS, targets=right):
            wrong.append((reply, "does not say", right))
        if other is not None and promptlab.score("object_counting", reply, input=THINGS, targets=other):
            wrong.append((reply, "says", other))
    assert wrong == []


def test_cheap_checks_hide_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the checks before slow patterns and without them each reply has the same score."""
    made = [
        (entries()[task].strict, f"{reply}{end}", Item("1", kind["input"], (label or kind["options"][0],), tuple(kind["options"])))
        for task, kind in KINDS["labels"].items() for label, replies in kind["replies"].items() for reply in replies for end in ("", " ")
    ]  # fmt: skip
    made += [
        (entries()[task].strict, f"{reply}{end}", Item("1", asked, (right or other or "",)))
        for task, asked, replies in KINDS["targets"] for reply, right, other in replies for end in ("", " ")
    ]  # fmt: skip
    made += [("number", f"{reply}{end}", Item("1", THINGS, ("five", "5"))) for reply, _, _ in KINDS["counts"] for end in ("", " ")]
    made += [("level", f"{reply}{end}", Item("1", "", (LEVELS[2],))) for reply, _ in KINDS["levels"] for end in ("", " ")]
    fast = [STRICT[kind](reply, item).score for kind, reply, item in made if not reply.endswith(" ")]
    for module, name, value in (
        (inference, "_CUES", _Everything()), (paraphrase, "_TELLS", _Everything()), (levels, "_TOO_CUES", _Everything()),
        (levels, "_OUT_OF", _Everything()), (notations, "_COUNTS", _Everything()),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    assert fast == [STRICT[kind](reply, item).score for kind, reply, item in made if reply.endswith(" ")]
    assert 0.5 < sum(fast) / len(fast) < 1

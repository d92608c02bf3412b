"""Whole replies: those that a reader marked, repeated questions, dates, shares among options, and endless ones."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

import promptlab
from conftest import ROOT
from growth import growth
from promptlab.nouns import Item
from promptlab.scoring.metrics.strict import STRICT


@pytest.mark.parametrize(
    ("asked", "target", "right", "wrong"),
    [
        ("When did it end?", "4 March 2019", "It ended on 4 March 2019.", "It did not end on 4 March 2019."),
        ("At what time?", "14:30", "The train leaves at 14:30.", "The train leaves at 14:03."),
    ],
)
def test_a_date_is_read_behind_its_preposition(asked: str, target: str, right: str, wrong: str) -> None:
    item = Item("1", asked, (target,))
    assert [STRICT["text"](reply, item).score for reply in (target, right, wrong)] == [1, 1, 0]


_CAPITAL = "What is the capital of Australia?"


@pytest.mark.parametrize(
    ("kind", "target", "reply", "expected"),
    [
        ("number", "1945", "It ended on September 2, 1945.", 1),
        ("number", "1945", "Am 2. September 1945 endete er.", 1),
        ("number", "1945", "El 2 de septiembre de 1945", 1),
        ("number", "1945", "Le 2 septembre 1945.", 1),
        ("number", "1945", "1945年9月2日に終わりました。", 1),
        ("number", "1945", "1945년 9월 2일에 끝났습니다.", 1),
        ("number", "2", "It ended on September 2, 1945.", 0),
        ("number", "1945", "It ended in 1945, after having begun in 1939.", 1),
        ("number", "1939", "It ended in 1945, after having begun in 1939.", 0),
        ("number", "1945", "Terminó en 1945, tras haber empezado en 1939.", 1),
        ("number", "1945", "After having begun in 1939, it ended in 1945.", 1),
        ("number", "113", "We start with 29, after adding 84 we get 113.", 1),
        ("text", "Canberra", "The capital of Australia is Canberra.", 1),
        ("text", "Canberra", "Canberra is the capital of Australia.", 1),
        ("text", "Canberra", "I think the capital of Australia is Canberra.", 1),
        ("text", "Canberra", "Australia's capital is Canberra.", 1),
        ("text", "Canberra", "The capital of Australia is not Canberra.", 0),
        ("text", "Canberra", "The capital of New Zealand is Canberra.", 0),
        ("text", "Canberra", "The capital of Australia is Sydney or Canberra.", 0),
    ],
)
def test_an_answer_that_repeats_its_question_or_tells_a_date(kind: str, target: str, reply: str, expected: int) -> None:
    assert STRICT[kind](reply, Item("1", _CAPITAL, (target,))).score == expected


def test_an_empty_option_is_never_named() -> None:
    assert STRICT["choice"]("positive: 95 %, negative: 5 % (2)", Item("1", "x", ("",))).score == 0


@pytest.mark.parametrize(("reply", "expected"), [("法国的首都是巴黎。", 1), ("法国的首都不是巴黎。", 0), ("德国的首都是巴黎。", 0)])
def test_a_question_is_repeated_without_spaces(reply: str, expected: int) -> None:
    assert STRICT["text"](reply, Item("1", "法国的首都是哪里?", ("巴黎",))).score == expected


with (Path(__file__).with_name("replies.jsonl")).open(encoding="utf-8") as lines:
    MARKED = [json.loads(line) for line in lines]
"""Items with replies of many kinds that a reader marked right or wrong."""


@pytest.mark.parametrize("item", MARKED, ids=lambda item: f"{item['task']}-{item['input'][:12]}")
def test_replies_are_read_as_a_reader_marked_them(item: dict[str, Any]) -> None:
    def right(reply: str) -> bool:
        return (
            promptlab.score(item["task"], reply, input=item["input"], targets=item.get("targets"), target_scores=item.get("target_scores"))
            >= 0.5
        )

    assert [reply for reply in item["right"] if not right(reply)] == []
    assert [reply for reply in item["wrong"] if right(reply)] == []


ENDLESS = runpy.run_path(str(ROOT / "benchmarks" / "scoring.py"))["PARTS"]
"""What an endless reply repeats; `benchmarks/scoring.py --endless` shows the slowest."""


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("- billing: 10%\n- other: 85%\n- bug: 5%", "other"),
        ("billing (10 %), bug (90 %)", "bug"),
        ('```json\n{"billing": 0.1, "bug": 0.85}\n```', "bug"),
        ("1. bug: 80%\n2. billing: 20%", "bug"),
        ("| bug | 90% |\n| billing | 10% |", "bug"),
        ("**billing** – 95%\n**bug** – 5%", "billing"),
        ("billing: 50%\nbug: 50%", None),
        ("Bug: 90%", "bug"),
        ("label: other\nrunner_up: billing\nconfidence: high", "other"),
        ("Category = bug; alternative = billing", "bug"),
        ("Between billing and bug, the latter.", "bug"),
        ("Of bug and billing, I'd pick the former.", "bug"),
        ("Between billing and bug, neither.", None),
    ],
)
def test_shares_runners_up_and_one_of_two_among_options(reply: str, said: str | None) -> None:
    item = Item("1", "A ticket", ("bug",), ("billing", "bug", "account", "other"))
    assert STRICT["choice"](reply, item).extracted == said


@pytest.mark.long(but=8)
@pytest.mark.parametrize("part", ENDLESS)
def test_an_endless_reply_takes_no_time(part: str) -> None:
    """Four times the length takes four times the time, and not sixteen times."""
    slow = {}
    for kind in ("number", "word", "text", "choice", "listed", "larger", "spelled", "f1", "sense", "words", "cause"):
        item = Item("1", "ox, hen", ("ox",), ("ox", "hen"))
        STRICT[kind](part * 3, item)  # which compiles the patterns that it meets
        found = growth(lambda n, kind=kind, item=item: STRICT[kind](part * (n // len(part)), item), 4_000)  # type: ignore[misc]
        if found > 9:
            slow[kind] = found
    assert slow == {}

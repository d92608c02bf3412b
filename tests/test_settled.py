"""Replies that settle on one label, or on none: both labels, other statements, questions left open, and denials around an answer.

`settled.json` holds them by task and label, with "" for what settles on none; `said.json` those of other kinds, with an answer that
is right or none, and what they do not say; its `labels` are replies that name an option in words of their own, and `several` those
that name several right words together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import promptlab
from promptlab.nouns import Item
from promptlab.scoring.metrics.strict import STRICT
from replies import mislabelled, misrated, misread

SETTLED = json.loads(Path(__file__).with_name("settled.json").read_text(encoding="utf-8"))
SAID = json.loads(Path(__file__).with_name("said.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("task", SETTLED)
def test_replies_settle_on_one_label(task: str) -> None:
    kind = SETTLED[task]
    assert mislabelled(task, kind["input"], kind["options"], kind["replies"]) == []


@pytest.mark.parametrize(("task", "asked", "replies"), SAID["targets"], ids=lambda each: each if isinstance(each, str) else "")
def test_replies_say_one_answer(task: str, asked: str, replies: list[tuple[str, str | None, str | list[str] | None]]) -> None:
    assert misread(task, asked, replies) == []


@pytest.mark.parametrize("kind", SAID["labels"], ids=lambda kind: f"{kind['task']} {kind['input'][-30:]}")
def test_replies_name_a_label_in_words_of_their_own(kind: dict[str, Any]) -> None:
    assert mislabelled(kind["task"], kind["input"], kind["options"], kind["replies"]) == []


def test_several_right_words_that_are_named_together_are_right() -> None:
    kind = SAID["several"]
    scored = {
        reply: promptlab.score(kind["task"], reply, input=kind["input"], targets=kind["targets"]) for reply in kind["right"] + kind["wrong"]
    }
    assert [reply for reply in kind["right"] if scored[reply] != 1] == []
    assert [reply for reply in kind["wrong"] if scored[reply] != 0] == []


def test_figures_that_are_compared_rate_nothing() -> None:
    assert misrated([f"{n} - level" for n in range(6)], SAID["levels"]) == []


OPTIONS = [("billing", "bug", "account"), ("refund", "delivery", "praise", "spam"), ("low risk", "medium risk", "high risk")]
NONE_OF = """
The {0} label does not apply here.
The {0} category doesn't really fit.
the {0} queue isn't the right one
The {0} option is wrong.
The {0} tag would be incorrect
{0} label: no
{0} is a poor fit.
This has nothing to do with {0}.
It is unrelated to {0}
{0}? I don't think so.
The '{0}' class is not applicable.
"""
FIRST_OF = """
The {1} label does not apply here, {0} does.
The {1} option is wrong. The {0} option fits.
{1}? I don't think so. {0}!
It has nothing to do with {1}: {0}
The {0} category isn't perfect, but it is my answer: {0}
The {0} queue should be chosen.
The {0} class is right
The {1} tag would be wrong, so {0}
{0}. The {1} category is a poor match.
"""


@pytest.mark.parametrize("options", OPTIONS, ids=lambda each: each[0])
@pytest.mark.parametrize("kind", ["choice", "label"])
def test_an_option_is_denied_with_the_word_for_what_it_is(kind: str, options: tuple[str, ...]) -> None:
    def said(reply: str) -> list[str]:
        return [one for one in options if STRICT[kind](reply, Item("i", "Which one is it?", (one,), options)).score]

    wrong = [(reply, found) for reply in NONE_OF.strip().splitlines() if (found := said(reply.format(*options)))]
    wrong += [(reply, found) for reply in FIRST_OF.strip().splitlines() if (found := said(reply.format(*options))) != [options[0]]]
    assert wrong == []

"""Replies that settle on one label, or on none: both labels, other statements, questions left open, and denials around an answer.

`settled.json` holds them by task and label, with "" for what settles on none; `said.json` those of other kinds, with an answer that
is right or none, and what they do not say.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import promptlab

SETTLED = json.loads(Path(__file__).with_name("settled.json").read_text(encoding="utf-8"))
SAID = json.loads(Path(__file__).with_name("said.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("task", SETTLED)
def test_replies_settle_on_one_label(task: str) -> None:
    asked, options = SETTLED[task]["input"], SETTLED[task]["options"]
    wrong = []
    for label, replies in SETTLED[task]["replies"].items():
        for reply in replies:
            settled = [
                one for one in options
                if promptlab.score(task, reply, input=asked, targets=[one], target_scores={each: float(each == one) for each in options})
            ]  # fmt: skip
            if settled != [label] * bool(label):
                wrong.append((reply, settled, label))
    assert wrong == []


@pytest.mark.parametrize(("task", "asked", "replies"), SAID["targets"], ids=lambda each: each if isinstance(each, str) else "")
def test_replies_say_one_answer(task: str, asked: str, replies: list[tuple[str, str | None, str | list[str] | None]]) -> None:
    wrong = []
    for reply, right, others in replies:
        if right is not None and not promptlab.score(task, reply, input=asked, targets=[right]):
            wrong.append((reply, "does not say", right))
        for other in [others] if isinstance(others, str) else others or []:
            if promptlab.score(task, reply, input=asked, targets=[other]):
                wrong.append((reply, "says", other))
    assert wrong == []


def test_figures_that_are_compared_rate_nothing() -> None:
    asked = "Sentence 1: A man is speaking. Sentence 2: A man is spitting."
    wrong = []
    for reply, wanted in SAID["levels"]:
        said = [n for n in range(6) if promptlab.score("sentence_similarity", reply, input=asked, targets=[f"{n} - level"])]
        if said != [n for n in range(6) if n == wanted]:
            wrong.append((reply, said))
    assert wrong == []

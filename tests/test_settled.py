"""Replies that settle on one label, or on none: both labels, other statements, questions left open, and denials around an answer.

`settled.json` holds them by task and label, with "" for what settles on none.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import promptlab

SETTLED = json.loads(Path(__file__).with_name("settled.json").read_text(encoding="utf-8"))


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

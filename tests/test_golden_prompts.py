"""Golden prompts: every published template reproduced byte for byte by a preset."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from conftest import SHARED
from promptlab.design.render import PRESETS, render
from promptlab.nouns.arm import Stimulus
from promptlab.nouns.item import Demo, Frame, Item, Task
from promptlab.sources.tasks import entries
from promptlab.strategies import plain_arm

pytestmark = pytest.mark.shared
PRESET_OF = {
    "negativeprompt": "negativeprompt-code",
    "big-bench": "bigbench",
    "instruction-induction": "instruction-induction",
    "automatic_prompt_engineer": "ape",
    "promptbench": "promptbench",
}


def rendered(line: dict[str, Any]) -> str:
    """The line's prompt by its preset; inputs of the golden file hold their options already, so none are added."""
    entry = entries()[line["task"]]
    task = Task(
        name=line["task"],
        suite="official",
        benchmark=entry.benchmark,
        metric=entry.metric,
        base_prompts={"human": line["instruction"].rstrip("\n")},
        items=(),
        demos=tuple(Demo(demo["input"], demo["output"]) for demo in line["demos"]),
        frame=Frame(**entry.frame.model_dump(exclude_none=True)),
    )
    stimulus = Stimulus("golden/one", line["stimulus"]) if line["stimulus"] else None
    arm = plain_arm("human", PRESETS[PRESET_OF[line["implementation"]]], stimulus, len(line["demos"]))
    [message] = render(task, Item("1", line["input"], ("x",)), arm)
    return message["content"]


def test_every_golden_prompt() -> None:
    lines = [json.loads(line) for line in (SHARED / "data" / "golden_prompts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 198
    wrong = Counter(line["implementation"] for line in lines if rendered(line) != line["prompt"])
    assert not wrong

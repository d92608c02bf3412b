"""Golden lines of the published scorers: Instruction Induction whole, BIG-bench text and choices."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from conftest import SHARED
from promptlab.nouns.item import Item
from promptlab.scoring.metrics import METRICS, metric

pytestmark = pytest.mark.shared
II = {"em": "ii_em", "f1": "ii_f1", "es": "ii_exact_set", "contains": "ii_contains"}


@cache
def lines() -> tuple[dict[str, Any], ...]:
    path = SHARED / "data" / "golden_scores.jsonl"
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def item(line: dict[str, Any]) -> Item:
    return Item(str(line["item"]), line["input"], tuple(line["answers"]), tuple(line.get("target_scores") or ()))


def test_instruction_induction_whole() -> None:
    chosen = [line for line in lines() if line["implementation"] == "instruction-induction"]
    wrong = [
        line["id"] for line in chosen if metric(II[line["metric"]])(line["prediction"], item(line)).score != pytest.approx(line["score"])
    ]
    assert len(chosen) == 142
    assert wrong == []


def test_big_bench_text() -> None:
    chosen = [line for line in lines() if line["implementation"] == "big-bench" and line["metric"] == "exact_str_match"]
    assert len(chosen) == 26
    for line in chosen:
        name = "bigbench_operators" if line["task"] == "operators" else "bigbench_exact"
        assert METRICS[name](line["prediction"], item(line)).score == line["score"], line["id"]


def test_big_bench_choices() -> None:
    chosen = [line for line in lines() if line["implementation"] == "big-bench" and line["metric"] == "multiple_choice_grade"]
    assert len(chosen) == 28
    whole = [line for line in chosen if set(line["target_scores"].values()) <= {0, 1}]
    assert len(whole) >= 20
    for line in whole:
        right = tuple(option for option, value in line["target_scores"].items() if value == 1)
        shown = Item("1", line["input"], right, tuple(line["target_scores"]))
        assert metric("choice")(line["prediction"], shown).score == line["score"], line["id"]

"""docs/reference/tasks.md says what the suite file and the twin items say; the twins share no sentence with the official files."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, SHARED
from promptlab.sources.tasks import load_task, task_names

GENERATED = {
    *("active_to_passive", "diff", "dyck_languages", "epistemic_reasoning", "first_word_letter", "larger_animal", "letters_list"),
    *("linguistics_puzzles", "navigate", "negation", "num_to_verbal", "object_counting", "operators", "orthography_starts_with"),
    *("rhymes", "second_word_letter", "singular_to_plural", "sum", "taxonomy_animal", "tense", "word_sorting", "word_unscrambling"),
}
WORD = re.compile(r"\w+")


def test_the_page_is_the_data() -> None:
    spec = importlib.util.spec_from_file_location("make_task_docs", ROOT / "tools" / "make_task_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "reference" / "tasks.md").read_text(encoding="utf-8") == module.text()


@pytest.mark.parametrize("name", task_names("twin"))
def test_a_twin_is_large_enough_and_balanced(name: str) -> None:
    items = load_task(name, "twin").items
    assert len(items) >= (200 if name in GENERATED else 100)
    assert len({item.input for item in items}) == len(items)
    labels = [item.targets[0] for item in items if item.choices and len(item.choices) == 2]
    if labels and len(set(labels)) == 2:
        assert 0.45 <= labels.count(labels[0]) / len(labels) <= 0.55


def runs(text: str) -> Iterator[tuple[str, ...]]:
    words = WORD.findall(text.lower())
    yield from (tuple(words[i : i + 8]) for i in range(len(words) - 7))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


@pytest.mark.long
@pytest.mark.shared
def test_no_twin_shares_eight_words_with_the_official_files(shared: Path) -> None:
    own: dict[int, str] = {}
    for name in task_names("twin"):
        for item in load_task(name, "twin").items:
            for text in (item.input, *item.targets, *item.choices):
                own |= {hash(run): f"{name}/{item.id}" for run in runs(text)}
    found = set()
    files = [*(SHARED / "data" / "instruction_induction").rglob("*.json"), *(SHARED / "data" / "bigbench").rglob("task.json")]
    assert len(files) == 69
    for path in files:
        examples = json.loads(path.read_text(encoding="utf-8"))["examples"]
        for text in strings(examples):
            found |= {own[hash(run)] for run in runs(text) if hash(run) in own}
    assert found == set()

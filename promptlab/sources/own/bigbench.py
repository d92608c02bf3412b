"""A task.json in the form of BIG-bench (Srivastava et al. 2022), as a task of the user's own.

The fields are those of BIG-bench's documentation of JSON tasks. What cannot be done as text is said, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.nouns import FileProblems, Frame, Item, Task
from promptlab.sources.own.rows import Collector, RowProblem, graded, one_text, shown, texts
from promptlab.sources.spec.experiment import NAME
from promptlab.sources.tables import Row, read_json

FRAME_KEYS = {
    "example_input_prefix": "input_prefix",
    "example_output_prefix": "output_prefix",
    "choice_prefix": "choice_prefix",
    "few_shot_example_separator": "separator",
}
RULES = {"exact_str_match": ("bigbench_exact", "text"), "multiple_choice_grade": ("choice", "choice")}
"""BIG-bench's metrics that read text: our metric, and the kind of answer that the strict scorer reads."""


def load_task_json(path: Path) -> tuple[Task, tuple[str, ...]]:
    """The task of one file, and notes about what it says beyond items; FileProblems tells everything that is wrong."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise FileProblems.one(path, f"expected a BIG-bench task, a JSON object with 'examples', found {type(document).__name__}")
    examples = document.get("examples")
    if not isinstance(examples, list) or not examples:
        found = "" if examples is None else f", found {type(examples).__name__}"
        raise FileProblems.one(path, f"'examples' must be a list with items{found}")
    collector = Collector()
    for index, example in enumerate(examples):
        collector.add(path, Row(index, None, {}), _item(str(index), example))
    items = collector.done()
    own = sum("task_prefix" in example for example in examples)
    rule, strict, notes = _rule(path, document, items)
    if document.get("stop_string"):
        notes = (*notes, f"stop_string {shown(document['stop_string'])} is not applied; ask for it with sampling.stop in the experiment")
    if own:
        notes = (*notes, f"{own} items have a task_prefix of their own, which is not used")
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", str(document.get("name") or path.parent.name or path.stem)).strip("_.-")[:64]
    if not re.match(NAME, name):
        raise FileProblems.one(path, f"'name' {shown(document.get('name'))} is no name for a task")
    asked = document.get("task_prefix") or document.get("description")
    if not isinstance(asked, str) or not asked.strip():
        raise FileProblems.one(path, "neither 'task_prefix' nor 'description' says what is asked; add one of them")
    frame = {ours: document[theirs] for theirs, ours in FRAME_KEYS.items() if isinstance(document.get(theirs), str)}
    chance = sum(1 / len(item.choices) for item in items) / len(items) if all(item.choices for item in items) else None
    shows = document.get("append_choices_to_input", True) is not False
    task = Task(
        name=name,
        suite="own",
        benchmark="own",
        metric=rule,
        strict=strict,
        options="shown" if shows else "hidden",
        frame=Frame(**frame),
        base_prompts={"human": asked.strip()},
        items=items,
        chance=chance,
        low=chance or 0.0,
        source=f"BIG-bench JSON task {document.get('name') or path.name}",
    )
    return task, notes


def _item(name: str, example: object) -> Item | str:
    if not isinstance(example, dict):
        return f"expected an object with 'input' and 'target', found {shown(example)}"
    try:
        asked = one_text(example, "input")
        # Where both stand, as in dyck_languages, the target is the answer and the scores are those of sampled options.
        if "target" in example:
            return Item(name, asked, texts(example, "target"))
        if "target_scores" not in example:
            return "neither 'target' nor 'target_scores' says what is right"
        targets, choices, scores = graded(example["target_scores"], "target_scores")
        return Item(name, asked, targets, choices, scores=scores)
    except RowProblem as problem:
        return str(problem)


def _rule(path: Path, document: Mapping[str, Any], items: tuple[Item, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Metric, strict kind and notes: the preferred metric, else the first one that reads text, else what the items call for."""
    listed = document.get("metrics")
    named = [document.get("preferred_score"), *(listed if isinstance(listed, list) else ())]
    chosen = next((name for name in named if isinstance(name, str) and name in RULES), None)
    has_choices = all(item.choices for item in items)
    if chosen is None or (chosen == "multiple_choice_grade") != has_choices:
        chosen = "multiple_choice_grade" if has_choices else "exact_str_match"
    first = next((str(name) for name in named if name), None)
    notes = () if first in (None, chosen) else (f"scored by {chosen}; {shown(first)} is not available for these items",)
    rule, strict = RULES[chosen]
    pattern = document.get("output_regex")
    if chosen == "exact_str_match" and isinstance(pattern, str) and pattern:
        try:
            re.compile(pattern)
        except re.error as error:
            raise FileProblems.one(path, f"'output_regex' {shown(pattern)} is no pattern: {error}") from None
        return f"regex:{pattern}", "", notes
    return rule, strict, notes

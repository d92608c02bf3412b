"""Writes docs/reference/tasks.md from the suite file and the twin items; a test compares. Usage: python tools/make_task_docs.py"""

from __future__ import annotations

from pathlib import Path

from promptlab.design.defects import CLUSTERS, REPAIRS, REPEATS
from promptlab.sources.tasks import entries, load_task

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "tasks.md"
INTRO = """# The 45 tasks

Find a task, its scorers and its known defects. `python tools/make_task_docs.py` writes this page from `promptlab/data/tasks.yaml` and
`promptlab/data/twin/`; a test compares them.

`suite: official` reads the published files (`promptlab data import DIR` or `promptlab data pull`). `suite: twin` reads promptlab's own
items in the same form.

- `scorer: strict` (the default) is promptlab's own rule, named here by the kind of answer that it reads.
- `scorer: reference` is the benchmark authors' rule.
- `scorer: negativeprompt` is the published lenient code, with its errors.

`promptlab report RUN --scorer NAME` judges a recorded run by another scorer without a request to a model. `promptlab scores RUN` shows all
three next to each other, raw and normalised: 100 (raw - low) / (1 - low), negative below guessing.

- `defects: fix` (the default) repairs official items with known defects, and drops those that cannot be repaired.
- `defects: drop` drops all of them.
- `defects: keep` runs the items as published.

Rows that belong together form clusters in every mode, and intervals count clusters, not rows. Some tasks share their material and are
not independent: first_word_letter, second_word_letter and letters_list (the same 100 words), and sum and diff.

BIG-bench grades multiple choice by the probabilities of the options. Here promptlab reads replies as text, or weighs the options by
`strategies: [logprobs]`. Prompts show options after the input where the published task shows them. The preset `letters` shows and letters
the options of every task.

## At a glance

| task | benchmark | strict | reference | chance | low | options | twin items | official items repaired or dropped |
|---|---|---|---|---|---|---|---|---|
"""


def text() -> str:
    """The whole page."""
    rows, parts = [], []
    for name, entry in entries().items():
        task = load_task(name, "twin")
        treated = "repairs" if name in REPAIRS else "repeats" if name in REPEATS else ""
        cells = [name, entry.benchmark, entry.strict, entry.metric, entry.chance, entry.low if entry.benchmark == "bigbench" else None]
        cells += [task.options if any(item.choices for item in task.items) else None, len(task.items), treated]
        rows.append("| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |")
        lines = [f"### {name}", "", *(f"- {kind}: `{prompt}`" for kind, prompt in entry.base_prompts.items()), f"- source: {entry.source}"]
        lines += [f"- official licence: {entry.licence}"]
        if name in CLUSTERS:
            lines.append("- rows that belong together form clusters")
        lines += [f"- defect: {defect}" for defect in entry.defects]
        parts.append("\n".join(lines))
    return INTRO + "\n".join(rows) + "\n\n## Task by task\n\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")

"""Writes the generated twin items, 212 a task: promptlab/data/twin/TASK.jsonl.

Usage: python tools/make_twin_items.py [--out FOLDER] [TASK ...]

Seeded and deterministic: a second run writes the same bytes. The other twin tasks are written by hand; this script leaves
them alone. The 60 items of active_to_passive that were written by hand are read from promptlab/data/twin and kept in front.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from twin import bigbench, instruction_induction, operators, puzzles
from twin.rows import Row

FOLDER = Path(__file__).resolve().parents[1] / "promptlab" / "data" / "twin"


def write(path: Path, rows: Sequence[Row]) -> None:
    """One JSON object a line, UTF-8, LF."""
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Write the tasks that are named, or all."""
    parser = argparse.ArgumentParser(description="Writes the generated twin items.")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="where to write (default: promptlab/data/twin)")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="tasks to write (default: all): " + ", ".join(TASKS))
    arguments = parser.parse_args()
    for task in arguments.tasks:
        if task not in TASKS:
            parser.error(f"no generated task is named {task!r}; they are {', '.join(TASKS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for task in arguments.tasks or TASKS:
        write(arguments.out / f"{task}.jsonl", TASKS[task]())


TASKS: dict[str, Callable[[], list[Row]]] = {
    "active_to_passive": instruction_induction.active_to_passive,
    "diff": instruction_induction.diff,
    "dyck_languages": bigbench.dyck_languages,
    "epistemic_reasoning": bigbench.epistemic_reasoning,
    "first_word_letter": instruction_induction.first_word_letter,
    "larger_animal": instruction_induction.larger_animal,
    "letters_list": instruction_induction.letters_list,
    "linguistics_puzzles": puzzles.linguistics_puzzles,
    "navigate": bigbench.navigate,
    "num_to_verbal": instruction_induction.num_to_verbal,
    "object_counting": bigbench.object_counting,
    "operators": operators.operators,
    "orthography_starts_with": instruction_induction.orthography_starts_with,
    "second_word_letter": instruction_induction.second_word_letter,
    "singular_to_plural": instruction_induction.singular_to_plural,
    "sum": instruction_induction.add,
    "taxonomy_animal": instruction_induction.taxonomy_animal,
    "tense": bigbench.tense,
    "word_sorting": bigbench.word_sorting,
    "word_unscrambling": bigbench.word_unscrambling,
}

if __name__ == "__main__":
    main()

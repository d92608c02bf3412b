"""Make a table of items from the TruthfulQA.csv of Lin et al. 2022 (Apache-2.0, github.com/sylinrl/TruthfulQA).

    python tools/make_truthfulqa.py TruthfulQA.csv experiments/own/truthfulqa.csv    # then `items: truthfulqa.csv` in own/truthfulqa.yaml

The published lists of options can be answered without the question. So each question keeps its best answer and one wrong answer, by a
rule of our own: the first incorrect answer at most a quarter longer or shorter than the best one, else the one nearest in length.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

ALIKE = 1.25
"""How many times longer one of two answers of similar length may be."""
SEPARATOR = " | "
COLUMNS = ("id", "question", "best", "options", "correct")


def several(cell: str) -> list[str]:
    """The answers in one cell."""
    return [text for part in cell.split(";") if (text := part.strip())]


def wrong(best: str, incorrect: list[str]) -> str:
    """The incorrect answer that is set against the best one."""
    apart = {text: max(len(text), len(best)) / min(len(text), len(best)) for text in incorrect if text != best}
    return next((text for text, ratio in apart.items() if ratio <= ALIKE), min(apart, key=lambda text: apart[text]))


def main(source: Path, to: Path) -> None:
    """Read the published file and write ours."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with to.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for number, row in enumerate(rows, 1):
            best = row["Best Answer"].strip()
            options = [best, wrong(best, several(row["Incorrect Answers"]))]
            correct = SEPARATOR.join(several(row["Correct Answers"]))
            out.writerow([f"{number:03}", row["Question"].strip(), best, SEPARATOR.join(options), correct])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))

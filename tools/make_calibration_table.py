"""Writes the table of error rates into docs/reference/statistics.md from what `make calibrate` measured.

python tools/make_calibration_table.py ROWS.jsonl
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs" / "reference" / "statistics.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
BOUNDS = {"at most": "at most", "at least": "at least", "wrong": "must be above"}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as one Markdown table for each part; of a row that was measured twice the last one."""
    kept = {(row["part"], row["what"], row["setting"]): row for row in rows}
    runs = [row["n"] for row in kept.values()]
    lines = [
        f"Every row is a share of {min(runs):,} to {max(runs):,} simulated runs with its Monte Carlo standard error. A bound holds\n"
        "with three of these errors to spare. Analyses that are wrong on purpose must show it.\n"
        "Rows through a table share a baseline by twenties.",
    ]
    for part in dict.fromkeys(part for part, _, _ in kept):
        lines += ["", f"**{part}**", "", "| measured | setting | % | error | bound |", "|---|---|---:|---:|---|"]
        for row in (row for (of, _, _), row in kept.items() if of == part):
            error = 100 * math.sqrt(row["share"] * (1 - row["share"]) / row["n"])
            bound = f"{BOUNDS[row['kind']]} {100 * row['bound']:.3g}"
            lines.append(f"| {row['what']} | {row['setting']} | {100 * row['share']:.1f} | {error:.1f} | {bound} |")
    return "\n".join(lines)


def main() -> None:
    """Put the table between its marks."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")
    sys.stdout.write(f"{len(rows)} rows, in {DOCS.name}\n")


if __name__ == "__main__":
    main()

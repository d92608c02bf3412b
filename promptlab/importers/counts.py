"""Counts of items that got better and worse, for each variant and perhaps each model: results without their items.

Items are made up so that the paired table of every variant has exactly these counts. The baseline is shared: of n items it has
as many wrong as any variant gained, and the rest right. What was right or wrong among unchanged items is not in the counts, so
on such items only the test of the changed ones (McNemar's, the sign test) means anything.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from promptlab.importers.cells import cell_text
from promptlab.importers.columns import chosen_columns
from promptlab.importers.doubts import without_totals
from promptlab.importers.files import File
from promptlab.importers.results import Options, Reading, Result, Source
from promptlab.importers.tabular import each_row, read_rows
from promptlab.importers.values import name_of, refusal, task_name, whole
from promptlab.nouns import NONE_ARM, UsageProblem, grouped, listed, shipped_table
from promptlab.sources.tables import Row, Table

OBVIOUS: Mapping[str, Sequence[str]] = shipped_table("columns")["counts"]
MOST_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Counts:
    """One line: what changed under one variant."""

    arm: str
    model: str
    task: str
    gained: int
    lost: int
    ties: int
    line: int


def are_counts(columns: Sequence[str]) -> bool:
    """Whether a table's columns are counts of changes and no items."""
    names = {column.strip().lower() for column in columns}
    return bool(names & set(OBVIOUS["gained"])) and bool(names & set(OBVIOUS["lost"])) and not names & {"item", "item_id", "doc_id"}


def header(file: File) -> tuple[str, ...]:
    """The names in the first line of a CSV file, without reading the rest."""
    first = file.content[:10_000].decode("utf-8-sig", "replace").split("\n", 1)[0]
    delimiter = "\t" if file.path.suffix.lower() == ".tsv" else ";" if ";" in first and "," not in first else ","
    try:
        return tuple(next(csv.reader(io.StringIO(first), delimiter=delimiter), ()))
    except csv.Error:
        return ()


def read(files: Sequence[File], options: Options) -> Reading:
    """Items made up to have these counts; models are pooled unless each is to be judged by itself."""
    if len(files) > 1:
        raise UsageProblem(f"counts are read from one file, and {len(files)} are given")
    file = files[0]
    table, notes = without_totals(read_rows(file))
    lines, guessed, ties_known = _lines(table, options.columns)
    models = list(dict.fromkeys(line.model for line in lines))
    pooled = len(models) > 1 and not options.per_model
    clustered = "cluster" in options.columns
    model = f"{len(models)} models pooled"
    results: list[Result] = []
    blocks = grouped(((line.model, line.task), line) for line in lines)
    for (name, task), block in blocks.items():
        results += _made_up(file, block, model if pooled else name, task, f"{name} #" if pooled else "#", clustered)
    return Reading(
        tuple(results),
        (Source(file.path.name, file.sha256, "a table of counts"),),
        metric="better or worse than the baseline",
        notes=(*notes, *_notes(len(models) if pooled else 0, clustered, ties_known)),
        guessed=guessed,
        reconstructed=True,
    )


def _lines(table: Table, given: Mapping[str, str]) -> tuple[list[Counts], tuple[str, ...], bool]:
    columns, guessed = chosen_columns(table, {what: column for what, column in given.items() if what in OBVIOUS}, OBVIOUS)
    if "cluster" in given and given["cluster"] != columns.get("model"):
        raise UsageProblem(f"--cluster {given['cluster']}: counts know no clusters but their models, the column {columns.get('model')!r}")
    missing = [what for what in ("gained", "lost", "arm") if what not in columns]
    if missing:
        raise refusal(
            table.path,
            f"counts need a column for {', '.join(missing)}; known names: "
            + "; ".join(f"{what}: {', '.join(OBVIOUS[what])}" for what in missing)
            + f". The columns are {listed(table.columns, 30)}",
            1,
        )
    lines = each_row(table, partial(_line, columns=columns))
    if sum(line.gained + line.lost + line.ties for line in lines) > MOST_ITEMS:
        raise refusal(table.path, f"the counts add up to more than {MOST_ITEMS:,} items, which cannot be made up one by one")
    return lines, tuple(guessed), "ties" in columns


def _line(row: Row, columns: Mapping[str, str]) -> Counts | str:
    values = {what: row.values.get(column) for what, column in columns.items()}
    counts: dict[str, int] = {}
    for what in ("gained", "lost", "ties"):
        shown = cell_text(values[what]) if what in columns else "0"
        count = whole(float(shown)) if shown.replace(".", "", 1).isdigit() else None
        if count is None:
            return f"{columns[what]!r} must be a whole number that is not negative, found {shown!r}"
        counts[what] = count
    arm = name_of(cell_text(values["arm"]))
    if not arm:
        return f"{columns['arm']!r} is empty"
    if arm == NONE_ARM:
        return f"a variant is called {NONE_ARM!r}, which is what the baseline is called here; give it another name"
    model, task = name_of(cell_text(values.get("model"))) or "model", task_name(cell_text(values.get("task")) or "items")
    return Counts(arm, model, task, line=row.line or row.number, **counts)


def _made_up(file: File, block: Sequence[Counts], model: str, task: str, prefix: str, by_model: bool) -> list[Result]:
    """Items of one model and task: the first ones wrong without added text, as many as any variant gained, the rest right."""
    arms = [line.arm for line in block]
    if len(set(arms)) != len(arms):
        twice = next(line for line in block if arms.count(line.arm) > 1)
        raise refusal(
            file.path, f"the variant {twice.arm!r} occurs twice for the model {twice.model!r} and the task {twice.task!r}", twice.line
        )
    wrong = max(line.gained for line in block)
    total = max(line.gained + line.lost + line.ties for line in block)
    worst = max(block, key=lambda line: line.lost)
    if worst.lost > total - wrong:
        raise refusal(
            file.path,
            f"the counts of the model {worst.model!r} cannot come from one set of right and wrong answers: a variant gained {wrong} items "
            f"that the baseline had wrong, {worst.arm!r} lost {worst.lost} that it had right, and there are {total}",
            worst.line,
        )
    cluster = block[0].model if by_model else None

    def made(arm: str, item: int, score: float | None) -> Result:
        return Result(arm, model, task, f"{prefix}{item + 1}", score, f"item {item + 1}", input=MADE_UP, cluster=cluster)

    results = [made(NONE_ARM, item, float(item >= wrong)) for item in range(total)]
    for line in block:
        kept_right = wrong + line.lost
        unchanged = [*range(total - 1, kept_right - 1, -1), *range(wrong - 1, line.gained - 1, -1)]
        left_out = set(unchanged[: total - line.gained - line.lost - line.ties])  # a variant may have fewer items than the others
        right = {item: None if item in left_out else float(item < line.gained or item >= kept_right) for item in range(total)}
        results += [made(line.arm, item, score) for item, score in right.items()]
    return results


MADE_UP = "(not known: this item was made up from counts)"


def _notes(n_pooled: int, clustered: bool, ties_known: bool) -> tuple[str, ...]:
    notes = [
        "items are reconstructed from counts: which items changed, and whether unchanged ones were right or wrong, is not known, so only "
        "the test of the changed items (McNemar's test, which is the sign test) means anything; mean scores of an arm do not"
    ]
    if n_pooled and not clustered:
        notes.append(
            f"{n_pooled} models are pooled into one: every (model, item) pair counts as an item of its own, as if the answers of one "
            "model, and of all models to one question, were independent; --cluster with the model's column drops the first half of that"
        )
    if not ties_known:
        notes.append("there is no column of unchanged items, so points are of the changed items only and say nothing about all items")
    return tuple(notes)

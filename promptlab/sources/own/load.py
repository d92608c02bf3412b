"""From a file of the user's own to a Task; everything wrong with its rows is told at once."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from promptlab.nouns import DataMissing, Demo, FileProblems, Item, Task, UsageProblem, did_you_mean, filled
from promptlab.scoring.metrics import METRICS, metric
from promptlab.scoring.metrics.strict import STRICT
from promptlab.scoring.own import is_own, own_scoring
from promptlab.sources.hub import dataset_files
from promptlab.sources.own.rows import Collector, load_task_json, read_row
from promptlab.sources.spec.experiment import NAME
from promptlab.sources.spec.strict_yaml import Document, load
from promptlab.sources.spec.task import TaskFile
from promptlab.sources.tables import READERS, Table, read_table


@dataclass(frozen=True, slots=True)
class Own:
    """A task of the user's own, the files that it came from, and what there is to know about it."""

    task: Task
    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def load_own(path: Path) -> Own:
    """A task file (YAML) or a BIG-bench task.json; FileProblems tells everything that is wrong, row by row."""
    if path.suffix.lower() == ".json":
        task, notes = load_task_json(path)
        return Own(task, (path,), notes)
    if path.suffix.lower() in READERS:
        raise FileProblems.one(path, _suggested(path))
    spec, document = load(path, TaskFile)
    name = spec.name or path.stem
    if not re.fullmatch(NAME, name):
        raise FileProblems([document.problem((), f"the file's name {name!r} is no name for a task; add 'name'")])
    rule = _metric(spec, document)
    tables, source = _tables(spec.items, "items", spec, document)
    items = _items(spec, document, tables)
    demos: tuple[Demo, ...] = ()
    if spec.demos is not None:
        taken = {item.input for item in items}
        pool = _items(spec, document, _tables(spec.demos, "demos", spec, document)[0])
        demos = tuple(Demo(item.input, item.targets[0], item.choices) for item in pool if item.input not in taken)
    task = filled(
        Task,
        spec,
        name=name,
        suite="own",
        benchmark="own",
        metric=rule,
        parameters={} if isinstance(spec.metric, str) else spec.metric[rule],
        strict="",
        options="hidden" if spec.labels else "shown",
        items=_clustered(items),
        demos=demos,
        low=spec.chance or 0.0,
        source="; ".join(part for part in (spec.source, source) if part),
    )
    return Own(task, (path, *(table.path for table in tables)), ())


def _metric(spec: TaskFile, document: Document) -> str:
    """The metric's name in full: kinds of answers are those of the strict scorer."""
    if not isinstance(spec.metric, str):
        return next(iter(spec.metric))
    name = f"strict_{spec.metric}" if spec.metric in STRICT else spec.metric
    try:
        own_scoring(name) if is_own(name) else metric(name)
    except UsageProblem as error:
        known = [*STRICT, *(n for n in METRICS if not n.startswith("strict_"))]
        hint = f"; kinds of answers: {', '.join(STRICT)}" if ":" not in name else ""
        message = f"the metric {spec.metric!r} is not known; {did_you_mean(spec.metric, known)}".rstrip("; ") if hint else str(error)
        raise FileProblems([document.problem(("metric",), message + hint)]) from None
    return name


def _tables(source: str, key: str, spec: TaskFile, document: Document) -> tuple[list[Table], str]:
    """The tables that a source means, and where they come from, in words."""
    if not source.startswith("hf:"):
        return [read_table(document.path.parent / source)], ""
    try:
        paths, commit = dataset_files(source.removeprefix("hf:").lstrip("/"), spec.config, spec.split, spec.revision)
    except DataMissing as error:
        raise FileProblems([document.problem((key,), str(error))]) from None
    return [read_table(path) for path in paths], f"{source}, {spec.config}/{spec.split} at {commit}"


def _items(spec: TaskFile, document: Document, tables: list[Table]) -> tuple[Item, ...]:
    collector = Collector()
    number = 0
    for table in tables:
        unknown = [
            document.problem(
                ("columns", role), f"{table.path} has no column {column!r}; {did_you_mean(column, table.columns)}".rstrip("; ")
            )
            for role, column in spec.columns.model_dump(exclude_none=True).items()
            if column not in table.columns
        ]
        if unknown and table.rows:
            raise FileProblems(unknown)
        for row in table.drained():
            number += 1
            collector.add(table.path, row, read_row(row, str(number), spec))
    if not collector.items and not collector.problems:
        raise FileProblems.one(tables[0].path, "holds no rows")
    return collector.done()


def _clustered(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Rows that ask the same belong together, unless a column says what does."""
    seen = Counter(item.input for item in items)
    if len(seen) == len(items):
        return items
    return tuple(replace(item, cluster=item.input) if item.cluster is None and seen[item.input] > 1 else item for item in items)


def _suggested(path: Path) -> str:
    """What to write, when the table itself is given instead of a task file."""
    columns = read_table(path).columns
    known = ", ".join(map(repr, columns)) or "none"
    return (
        f"this is the table of items; name a task file, for example {path.stem}.yaml:\n"
        f"  items: {path.name}\n"
        f"  columns: {{input: {columns[0] if columns else '...'}, target: {columns[-1] if columns else '...'}}}  # of {known}\n"
        "  metric: text\n"
        "  base_prompts: What the model is asked to do."
    )

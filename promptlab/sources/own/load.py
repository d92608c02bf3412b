"""From a file of the user's own to a Task; one message lists everything wrong with its rows.

And what there is to know about a task before a sweep: wrong gold answers, small numbers, what guessing would score.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from promptlab.design.defects import SMALL
from promptlab.nouns import Call, DataMissing, Demo, FileProblems, Item, Scorer, Scoring, ScoringFailed, Task, UsageProblem
from promptlab.nouns.errors import did_you_mean
from promptlab.nouns.typed import filled
from promptlab.scoring.code import Code, Consent, found
from promptlab.scoring.metrics import METRICS, metric
from promptlab.scoring.metrics.strict import STRICT
from promptlab.scoring.own import is_own, own_scoring, settled
from promptlab.scoring.rules import task_scoring
from promptlab.sources.own.rows import Collector, load_task_json, read_row
from promptlab.sources.spec.libraries import TaskFile
from promptlab.sources.spec.models import NAME
from promptlab.sources.spec.strict_yaml import Document, load
from promptlab.sources.tables import READERS, Table, dataset_files, read_table
from promptlab.sources.tasks import entries


@dataclass(frozen=True, slots=True)
class Own:
    """A task of the user's own, the files that it came from, and what there is to know about it."""

    task: Task
    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    code: Code | None = None
    """The function that it names as its metric."""


def load_own(path: Path, consent: Consent | None = None, beside: Sequence[Path] = (), whole: bool = False) -> Own:
    """A task file (YAML) or a BIG-bench task.json; FileProblems tells everything that is wrong, row by row.

    A function that it names as its metric lies beside it, or in a folder of `beside`, and runs with consent alone. `whole`: items
    keep all columns of their rows, for prompts that name them.
    """
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
    code, scoring = _own_scoring(rule, document, consent or Consent(), beside) if is_own(rule) else (None, None)
    tables, source = _tables(spec.items, "items", spec, document)
    columns = tuple(dict.fromkeys(column for table in tables for column in table.columns)) if whole else ()
    items = _items(spec, document, tables, whole)
    demos: tuple[Demo, ...] = ()
    if spec.demos is not None:
        taken = {item.input for item in items}
        pool = _items(spec, document, _tables(spec.demos, "demos", spec, document)[0], whole)
        demos = tuple(Demo(item.input, item.targets[0], item.choices, item.columns) for item in pool if item.input not in taken)
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
        labels=tuple(spec.labels),
        columns=columns,
        asks=(spec.columns.input,),
        answers=tuple(filter(None, (spec.columns.target, spec.columns.target_scores))),
        source="; ".join(part for part in (spec.source, source) if part),
        own=scoring,
    )
    return Own(task, (path, *(table.path for table in tables)), (code.refused,) if code and code.refused else (), code)


def _own_scoring(name: str, document: Document, consent: Consent, beside: Sequence[Path]) -> tuple[Code, Scoring]:
    """The function of the user's own that scores a task, and the scoring by it."""
    path = document.path
    try:
        code = found(name, f"the metric {name!r}", path, [path.parent, *beside], consent)
        if code.refused:
            code = replace(code, refused=f"{path}:{document.line(('metric',))}: {code.refused}")
        return code, own_scoring(code)
    except UsageProblem as error:
        raise FileProblems([document.problem(("metric",), str(error))]) from None


def _metric(spec: TaskFile, document: Document) -> str:
    """The metric's name in full: kinds of answers are those of the strict scorer."""
    if not isinstance(spec.metric, str):
        return next(iter(spec.metric))
    name = f"strict_{spec.metric}" if spec.metric in STRICT else spec.metric
    try:
        if not is_own(name):
            metric(name)
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


def _items(spec: TaskFile, document: Document, tables: list[Table], whole: bool) -> tuple[Item, ...]:
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
            collector.add(table.path, row, read_row(row, str(number), spec, whole))
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


REFLEXIVE = ("ii_em", "ii_exact_set")
"""Metrics that read an answer and a target in one way and ask whether they are equal: no target that holds anything scores less than 1."""
AT_ONCE = 32
"""Threads in which a metric of the user's own is checked."""


class Gold(NamedTuple):
    """Right answers that are not the best answers: those with a lower score, and those that the metric gives none, with why."""

    below_1: tuple[tuple[Item, str, float], ...]
    failed: tuple[tuple[Item, str, str], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """`gold`: what the task's metric makes of the items' own answers; `notes`: what is worth knowing."""

    gold: Gold
    notes: tuple[str, ...]


def check_task(own: Own) -> Checked:
    """Scores every gold answer by the task's metric, and looks for what makes a comparison weak."""
    task = own.task
    name = (f"a task of promptlab's own is called {task.name!r}; give this one another 'name' to use it",) if task.name in entries() else ()
    asked = [f"scored by {model.name}, which is not asked here" for model in task_scoring(task, "reference").models]
    return Checked(check_gold(task), (*name, *own.notes, *asked, *_notes(task)))


def check_gold(task: Task) -> Gold:
    """What the task's own metrics make of its right answers. Nothing is sent: answers that only a judge can score are left out."""
    if task.metric in REFLEXIVE and not task.strict:
        return Gold((), ())
    pairs = [(target, item) for item in task.items for target in item.targets]
    below: dict[tuple[str, str], tuple[Item, str, float]] = {}
    failed: dict[tuple[str, str], tuple[Item, str, str]] = {}
    scorers: tuple[Scorer, ...] = ("reference", "strict") if task.strict else ("reference",)
    for scorer in scorers:
        for (target, item), score in zip(pairs, _scores(task, pairs, scorer), strict=True):
            if isinstance(score, str):
                failed[item.id, target] = item, target, score
            elif score is not None and score < (max(item.scores) if item.scores else 1.0):
                below[item.id, target] = item, target, score
    return Gold(tuple(below.values()), tuple(failed.values()))


def gold_notes(task: Task, path: str) -> list[str]:
    """How many right answers of the items are none to the task's metric; `path` is what a user checks to see them."""
    gold = check_gold(task)
    counts = ((len(gold.below_1), "do not score 1"), (len(gold.failed), "get no score"))
    return [f"{task.id}: {n} right answers of items that are asked {what}; see `promptlab task check {path}`" for n, what in counts if n]


def _scores(task: Task, pairs: Sequence[tuple[str, Item]], scorer: Scorer = "reference") -> list[float | str | None]:
    """The score of each answer to its item, or why it has none; None for all where a model would have to be asked."""
    scoring = task_scoring(task, scorer)
    if (metric := scoring.metric) is not None:
        return [metric(text, item).score for text, item in pairs]
    if scoring.models or scoring.refused:
        return [None] * len(pairs)

    def scored(pair: tuple[str, Item]) -> float | str:
        try:
            return settled(scoring.steps(*pair, Call("", (), {}))).score
        except ScoringFailed as problem:
            return str(problem)

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return list(workers.map(scored, pairs))


def _notes(task: Task) -> list[str]:
    items = task.items
    n = len(items)
    notes = []
    if n < SMALL:
        notes.append(f"{n} items: too few for a verdict of its own; {SMALL} or more are needed")
    usual, times = Counter(item.targets[0] for item in items).most_common(1)[0]
    if n > 1 and times > 1:
        scores = [score for score in _scores(task, [(usual, item) for item in items]) if isinstance(score, float | int)]
        if scores:
            notes.append(f"answering {usual[:60]!r} every time would score {100 * sum(scores) / len(scores):.1f}")
    echoed = _scores(task, [(item.input, item) for item in items])
    echoes = sum(isinstance(score, float | int) and score >= 1 for score in echoed)
    if echoes:
        notes.append(f"{echoes} of {n} inputs are right when they are only repeated")
    if failed := [score for score in echoed if isinstance(score, str)]:
        notes.append(f"{len(failed)} of {n} inputs get no score when they are only repeated; the first: {failed[0]}")
    answers: dict[str, list[tuple[str, ...]]] = {}
    for item in items:
        answers.setdefault(item.input, []).append(item.targets)
    repeated = [wanted for wanted in answers.values() if len(wanted) > 1]
    if repeated:
        differ = sum(len(set(wanted)) > 1 for wanted in repeated)
        notes.append(
            f"{len(repeated)} inputs stand in several rows, which count as one cluster"
            + (f"; {differ} of them want different answers" * bool(differ))
        )
    return notes

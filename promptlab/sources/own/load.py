"""From a file of the user's own to a Task; one message lists everything wrong with its rows.

And what there is to know about a task before a sweep: wrong gold answers, small numbers, what guessing would score.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.design.defects import SMALL
from promptlab.nouns import Demo, Item, Scorer, Scoring, Task, counted, grouped, together
from promptlab.nouns.errors import DataMissing, FileProblems, ScoringFailed, UsageProblem, did_you_mean, no_file
from promptlab.nouns.typed import filled
from promptlab.scoring.assertions import Part, assertion, combined
from promptlab.scoring.code import Code, Consent, found
from promptlab.scoring.metrics import METRICS, metric
from promptlab.scoring.metrics.strict import STRICT
from promptlab.scoring.own import is_own, own_scoring, settled, timed_scoring
from promptlab.scoring.rules import SCORINGS, task_scoring
from promptlab.sources.own.rows import Collector, load_task_json, read_row
from promptlab.sources.spec.libraries import TaskFile
from promptlab.sources.spec.models import NAME
from promptlab.sources.spec.scorings import ASSERTIONS, AssertionEntry, Example, judged_by
from promptlab.sources.spec.strict_yaml import Document, load
from promptlab.sources.tables import READERS, Table, dataset_files, read_table
from promptlab.sources.tasks import entries
from promptlab.sources.tokens import n_tokens


@dataclass(frozen=True, slots=True)
class Own:
    """A task of the user's own, and what there is to know about it."""

    task: Task
    notes: tuple[str, ...]
    code: tuple[Code, ...] = ()
    """The functions that it names as metric or assertion."""
    assertions: tuple[Part, ...] = ()
    examples: tuple[Example, ...] = ()


def load_own(path: Path, consent: Consent | None = None, beside: Sequence[Path] = (), whole: bool = False) -> Own:
    """A task file (YAML) or a BIG-bench task.json; FileProblems tells everything that is wrong, row by row.

    A function that it names as its metric lies next to it, or in a folder of `beside`, and runs with consent alone. `whole`: items
    keep all columns of their rows, for prompts that name them.
    """
    if path.suffix.lower() == ".json":
        task, notes = load_task_json(path)
        return Own(task, notes)
    if path.suffix.lower() in READERS:
        raise FileProblems.one(path, _suggested(path))
    spec, document = load(path, TaskFile)
    name = spec.name or path.stem
    if not re.fullmatch(NAME, name):
        raise FileProblems([document.problem((), f"the file's name {name!r} is no name for a task; add 'name'")])
    rule = _metric(spec, document)
    codes: list[Code] = []
    by_code = partial(_own_scoring, document=document, consent=consent or Consent(), beside=beside, codes=codes)
    parts = _uniquely_named([_part(entry, index, document, by_code) for index, entry in enumerate(spec.assertions)])
    scoring = combined(parts) if parts else by_code(rule, ("metric",)) if is_own(rule) else None
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
        parameters=_parameters(spec, parts, rule),
        strict="",
        options="hidden" if spec.labels else "shown",
        items=together(items),
        demos=demos,
        low=spec.chance or 0.0,
        labels=tuple(spec.labels),
        columns=columns,
        asks=(spec.columns.input,),
        answers=tuple(filter(None, (spec.columns.target, spec.columns.target_scores))),
        source="; ".join(part for part in (spec.source, source) if part),
        own=scoring,
    )
    notes = tuple(code.refused for code in codes if code.refused)
    return Own(task, notes, tuple(codes), parts, tuple(spec.examples))


def _own_scoring(
    name: str, loc: tuple[str | int, ...], *, document: Document, consent: Consent, beside: Sequence[Path], codes: list[Code]
) -> Scoring:
    """The scoring by a function of the user's own, which `codes` gets."""
    path = document.path
    try:
        code = found(name, f"the metric {name!r}", path, [path.parent, *beside], consent)
        if code.refused:
            code = replace(code, refused=f"{path}:{document.line(loc)}: {code.refused}")
        codes.append(code)
        return own_scoring(code)
    except UsageProblem as error:
        raise FileProblems([document.problem(loc, str(error))]) from None


def _part(entry: AssertionEntry, index: int, document: Document, by_code: Callable[[str, tuple[str | int, ...]], Scoring]) -> Part:
    """One assertion of a task file."""
    kind, given, loc = entry.kind, entry.given, ("assertions", index, entry.kind)
    try:
        if kind == "python" and isinstance(given, str):
            scoring = by_code(given, loc)
        elif kind in SCORINGS:
            scoring = SCORINGS[kind](**judged_by(kind, given if isinstance(given, dict) else {}))
        elif kind == "metric" and isinstance(given, str):
            name = f"strict_{given}" if given in STRICT else given
            scoring = timed_scoring(name, metric(name)) if name.startswith("regex:") else Scoring(name, metric(name))
        else:
            scoring = assertion(kind, given, n_tokens)
    except (UsageProblem, ValueError, ScoringFailed) as error:
        raise FileProblems([document.problem(loc, str(error))]) from None
    return Part(entry.name or kind, entry.weight, scoring)


def _uniquely_named(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Assertions of one name are numbered."""
    n = Counter(part.name for part in parts)
    seen: Counter[str] = Counter()
    found = []
    for part in parts:
        seen[part.name] += 1
        found.append(replace(part, name=f"{part.name} {seen[part.name]}") if n[part.name] > 1 else part)
    return tuple(found)


def _parameters(spec: TaskFile, parts: Sequence[Part], rule: str) -> Mapping[str, Any]:
    """What the plan says of the scoring."""
    if not spec.assertions:
        return {} if isinstance(spec.metric, str) else spec.metric[rule]
    rows = zip(parts, spec.assertions, strict=True)
    judged = {entry.kind: judged_by(entry.kind, entry.given or {}) for entry in spec.assertions if entry.kind in SCORINGS}
    return {ASSERTIONS: [{entry.kind: judged.get(entry.kind, entry.given), "name": p.name, "weight": p.weight} for p, entry in rows]}


def _metric(spec: TaskFile, document: Document) -> str:
    """The metric's name in full: kinds of answers are those of the strict scorer."""
    if not isinstance(spec.metric, str):
        return next(iter(spec.metric))
    name = f"strict_{spec.metric}" if spec.metric in STRICT else spec.metric
    if name == ASSERTIONS:
        return name
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
        path = document.path.parent / source
        if not path.exists():
            raise FileProblems([document.problem((key,), f"{source}: {no_file(path, path.suffix)}")])
        return [read_table(path)], ""
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
NEED_A_CALL = ("cost", "latency")
"""Assertions on what an answer cost."""
ROUNDING = 0.005
MOST_GOLD = 100
"""Right answers of an item that are checked: each is compared with all of them."""
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
    examples: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """An example of a task file as it was scored: by name of each assertion (or of the metric) a score, or why there is none."""

    answer: str
    item: str
    found: Mapping[str, float | str]
    wrong: tuple[str, ...]
    """What the example says otherwise, in words."""


def try_examples(own: Own) -> tuple[Tried, ...]:
    """Every example scored by every assertion that asks no model, or by the task's metric; nothing is sent."""
    if not own.examples:
        return ()
    items = {item.id: item for item in own.task.items}
    parts = own.assertions or (Part(own.task.metric, 1.0, task_scoring(own.task, "reference")),)
    return tuple(_tried(example, items, parts) for example in own.examples)


def _tried(example: Example, items: Mapping[str, Item], parts: Sequence[Part]) -> Tried:
    item = items.get(example.item) if example.item is not None else next(iter(items.values()))
    if item is None:
        return Tried(example.answer, str(example.item), {}, (f"there is no item {example.item!r}",))
    found: dict[str, float | str] = {}
    for part in parts:
        scoring = part.scoring
        try:
            if scoring.models or scoring.refused or scoring.name in NEED_A_CALL:
                found[part.name] = scoring.refused or "is not tried here: it needs a call"
            elif scoring.metric is not None:
                found[part.name] = scoring.metric(example.answer, item).score
            else:
                found[part.name] = settled(scoring.steps(example.answer, item)).score
        except ScoringFailed as problem:
            found[part.name] = str(problem)
    scores = {name: score for name, score in found.items() if isinstance(score, float | int)}
    total = sum(part.weight for part in parts)
    score = sum(part.weight * scores[part.name] for part in parts) / total if scores.keys() == found.keys() and total else None
    said = {**example.parts, **({} if example.score is None else {"score": example.score})}
    have = {**found, "score": "has no value here" if score is None else score}
    wrong = [
        f"{name} is {have.get(name, 'not known')}, and the example says {value:g}"
        for name, value in said.items()
        if not isinstance(got := have.get(name), float | int) or abs(got - value) > ROUNDING
    ]
    return Tried(example.answer, item.id, {**found, **({} if score is None else {"score": score})}, tuple(wrong))


def check_task(own: Own) -> Checked:
    """Scores every gold answer by the task's metric, and looks for what makes a comparison weak."""
    task = own.task
    name = (f"a task of promptlab's own is called {task.name!r}; give this one another 'name' to use it",) if task.name in entries() else ()
    asked = [f"scored by {model.name}, which is not asked here" for model in task_scoring(task, "reference").models]
    return Checked(check_gold(task), (*name, *own.notes, *asked, *_notes(task)), try_examples(own))


def check_gold(task: Task) -> Gold:
    """What the task's own metrics make of its right answers. Nothing is sent: answers that only a judge can score are left out."""
    if (task.metric in REFLEXIVE and not task.strict) or task.metric == ASSERTIONS:
        return Gold((), ())
    pairs = [(target, item) for item in task.items for target in item.targets[:MOST_GOLD]]
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
    """How many right answers of the items the task's metric rejects; `path` is what a user checks to see them."""
    gold = check_gold(task)
    counts = ((len(gold.below_1), "do not score 1"), (len(gold.failed), "get no score"))
    return [f"{task.id}: {n} right answers of items in use {what}; see `promptlab task check {path}`" for n, what in counts if n]


def _scores(task: Task, pairs: Sequence[tuple[str, Item]], scorer: Scorer = "reference") -> list[float | str | None]:
    """The score of each answer to its item, or why it has none; None for all where a model would have to be called."""
    scoring = task_scoring(task, scorer)
    if (metric := scoring.metric) is not None:
        return [metric(text, item).score for text, item in pairs]
    if scoring.models or scoring.refused:
        return [None] * len(pairs)

    def scored(pair: tuple[str, Item]) -> float | str:
        try:
            return settled(scoring.steps(*pair)).score
        except ScoringFailed as problem:
            return str(problem)

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return list(workers.map(scored, pairs))


def _notes(task: Task) -> list[str]:
    items = task.items
    n = len(items)
    notes = []
    if n < SMALL:
        notes.append(f"{counted(n)}: too few for a verdict of its own; {SMALL} or more are needed")
    usual, times = Counter(item.targets[0] for item in items if item.targets).most_common(1)[0] if items[0].targets else ("", 0)
    if n > 1 and times > 1 and task.metric != ASSERTIONS:
        scores = [score for score in _scores(task, [(usual, item) for item in items]) if isinstance(score, float | int)]
        if scores:
            notes.append(f"answering {usual[:60]!r} every time would score {100 * sum(scores) / len(scores):.1f}")
    echoed = _scores(task, [(item.input, item) for item in items]) if task.metric != ASSERTIONS else []
    echoes = sum(isinstance(score, float | int) and score >= 1 for score in echoed)
    if echoes:
        notes.append(f"{echoes} of {n} inputs are right when they are only repeated")
    if failed := [score for score in echoed if isinstance(score, str)]:
        notes.append(f"{len(failed)} of {n} inputs get no score when they are only repeated; the first: {failed[0]}")
    answers = grouped((item.input, item.targets) for item in items)
    repeated = [wanted for wanted in answers.values() if len(wanted) > 1]
    if repeated:
        differ = sum(len(set(wanted)) > 1 for wanted in repeated)
        notes.append(
            f"{len(repeated)} inputs occur in several rows, which count as one cluster"
            + (f"; {differ} of them want different answers" * bool(differ))
        )
    return notes

"""The shapes in which tools export rows: LangSmith, Langfuse, MLflow, W&B, Braintrust, DSPy, DeepEval, ragas, OpenAI evals, HELM.

A shape is known by its columns. It says which of them tell the item, which hold scores, and under which name the answer is;
everything else is a table's. Rows that such a tool renumbers in each run are known by what they ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptlab.importers.cells import inside, read_score
from promptlab.importers.files import File
from promptlab.importers.values import common_start, entries, mapping, name_of, number, refusal
from promptlab.nouns import UsageProblem, did_you_mean, shipped_table
from promptlab.sources.tables import Row, Table

LISTS = ("testCases", "test_cases", "test_results", "testResults", "results", "rows", "data", "samples", "examples", "records", "events")
"""Keys under which a document keeps its rows."""
MOST_SPREAD = 200
"""Columns that the cells of one column may become."""


MOST_ARMS = 12
"""Columns of scores that can be arms; more are many scores of one answer."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one tool's rows are read. Columns are patterns that must match the whole name."""

    tool: str
    needs: tuple[str, ...] = ()
    """Every one of these is a column."""
    scores: str = ""
    """Columns that are scores: the groups `metric` (else it is called pass) and `arm`, where the name says them."""
    item: str = ""
    """Columns with an id that the same item has in every run; none: the question identifies it."""
    asked: str = ""
    """Columns that hold the question."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """By what they hold: answer, target, model, task, repeat, error, and what counts as passed."""
    spread: str = ""
    """Columns of several named values each."""


SHAPES = tuple(Shape(**{**entry, "needs": tuple(entry["needs"])}) for entry in shipped_table("shapes")["shape"])
NOT_SCORES = re.compile(
    r"(?i)(.*[_./ ])?(id|ids|index|idx|nr|no|number|row|seed|epoch|repeat|cluster|tokens?|latency|cost|duration|time|timestamp|length|n|"
    r"created_at|execution_time|temperature|top_p|max_tokens|year|age|retrieved_contexts|reference_contexts|contexts|unnamed: \d+)"
)


@dataclass(frozen=True, slots=True)
class Shaped:
    """A table with what its shape says about its columns."""

    table: Table
    shape: Shape | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """By what they hold."""
    scores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By metric: the score's column by arm; the arm is empty where the shape says none."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """The answer's column by arm."""
    asked: tuple[str, ...] = ()


def document_table(file: File, value: object) -> Table:
    """A JSON document as a table: a list of objects, columns with data, or rows under one of the known keys."""
    rows = _rows_of(value)
    if rows is None:
        raise refusal(
            file.path,
            "a JSON document of no known tool: promptfoo's have results.results, inspect_ai's eval and status, a table "
            "is a list of objects; make a list of objects of it, one for each answer. A results file of lm-evaluation-harness holds "
            "means only: its version 0.4 or later writes the samples as well, with --log_samples",
        )
    made = [Row(n, None, row, None if isinstance(row, dict) else "expected a JSON object") for n, row in enumerate(rows, 1)]
    return Table(file.path, tuple(dict.fromkeys(name for row in made if not row.problem for name in row.values)), made)


def _rows_of(value: object) -> list[Any] | None:
    if isinstance(value, list):
        triples = value and all(isinstance(row, list) and len(row) == 3 and isinstance(row[0], dict) for row in value)
        return [dict(zip(("example", "prediction", "score"), row, strict=True)) for row in value] if triples else value
    document = mapping(value)
    columns, data = document.get("columns"), document.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(map(str, columns), row, strict=False)) for row in data]
    for name in LISTS:
        if isinstance(rows := document.get(name), list) and rows and isinstance(rows[0], dict | list):
            return _rows_of(rows)
    parts = list(document.values())
    if parts and all(isinstance(part, list) and len(part) == len(parts[0]) for part in parts):
        return [dict(zip(document, row, strict=True)) for row in zip(*parts, strict=True)]
    if parts and all(isinstance(part, dict) and part.keys() == parts[0].keys() for part in parts):
        return [{name: part[key] for name, part in document.items()} for key in parts[0]]
    return None


def events(table: Table) -> Table:
    """OpenAI evals' log as one row for each scored sample, HELM's without its perturbed copies; any other table as it is."""
    if {"instance_id", "stats"} <= set(table.columns):
        return Table(table.path, table.columns, [row for row in table.rows if not row.values.get("perturbation")])
    if not {"spec", "event_id"} <= set(table.columns):
        return table
    spec: Mapping[str, Any] = next((mapping(row.values["spec"]) for row in table.rows if "spec" in row.values), {})
    known = {"spec.model": (entries(spec.get("completion_fns")) or [""])[0], "spec.task": spec.get("base_eval") or spec.get("eval_name")}
    rows: dict[tuple[object, ...], Row] = {}
    for row in table.rows:
        data = mapping(row.values.get("data"))
        scored = [name for name, part in data.items() if number(part) is not None]
        if "sample_id" in row.values and row.values.get("type") not in ("sampling", "raw_sample", "function_call", "embedding") and scored:
            sample: tuple[object, ...] = (row.values["sample_id"],)
            while sample in rows and not mapping(rows[sample].values["data"]).keys().isdisjoint(scored):
                sample = (*sample, 1)  # another event with the same scores
            before = mapping(rows[sample].values["data"]) if sample in rows else {}
            rows[sample] = Row(row.number, row.line, {**row.values, **known, "data": {**before, **data}})
    return Table(table.path, ("sample_id", "event_id", "type", "data", *known), list(rows.values()))


def shaped(table: Table) -> Shaped:
    """What the table's columns say about the tool that wrote it."""
    table = events(table)
    flat = _spread(table, list(_nested(table)), lenient=True)
    for one in (table,) if flat is table else (table, flat):
        lines = "\n".join(name for name in one.columns if "\n" not in name)
        for shape in SHAPES:
            if all(re.search(f"^(?:{need})$", lines, re.MULTILINE) for need in shape.needs):
                return _as(shape, spread(one, shape.spread))
    return Shaped(flat)


def _nested(table: Table) -> Iterator[str]:
    """Columns whose first cell that holds anything is an object."""
    for name in table.columns:
        if isinstance(next((found for row in table.rows if (found := row.values.get(name)) is not None), None), dict):
            yield name


def _as(shape: Shape, table: Table) -> Shaped:
    names = table.columns
    scores: dict[str, dict[str, str]] = {}
    for name in names:
        if shape.scores and (found := re.fullmatch(shape.scores, name)):
            named = found.groupdict()
            metric = named.get("metric") or named.get("other") or "pass"
            scores.setdefault(metric, {})[named.get("arm") or ""] = name
    if not shape.scores:
        scores = {name: {"": name} for name in scores_in(table, [n for n in names if _matches(shape, n)])}
    else:
        scores = {metric: of for metric, of in scores.items() if any(_are_scores(table, name) for name in of.values())}
    columns = {what: col for what, pattern in shape.columns.items() if (col := _first(pattern, names))}
    if shape.item and (item := next((n for part in shape.item.split("|") if (n := _first(part, names))), None)):
        columns["item"] = item
    answers = {
        arm: name
        for name in names
        if (found := re.fullmatch(shape.columns.get("answer", ""), name)) and (arm := (*found.groups(), None)[0])
    }
    asked = tuple(name for name in names if shape.asked and re.fullmatch(shape.asked, name))
    return Shaped(table, shape, columns, scores, answers, asked)


def _matches(shape: Shape, name: str) -> bool:
    return any(re.fullmatch(p, name) for p in (*shape.needs, *shape.columns.values(), shape.asked) if p)


def _first(pattern: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if re.fullmatch(pattern, name)), None)


def spread(table: Table, pattern: str) -> Table:
    """The table with a column for each named value of the columns that match; FileProblems for too many names."""
    return _spread(table, [name for name in table.columns if pattern and re.fullmatch(pattern, name)])


def _spread(table: Table, wanted: Sequence[str], *, lenient: bool = False) -> Table:
    """`spread` of these columns; with `lenient` the table as it is, where there are too many names."""
    if not wanted:
        return table
    added: dict[str, None] = {}
    rows = []
    for row in table.rows:
        parts = {name: value for column in wanted for name, value in inside(column, row.values.get(column))}
        added.update(dict.fromkeys(parts))
        rows.append(row._replace(values={**row.values, **parts}))
    if len(added) > MOST_SPREAD and lenient:
        return table
    if len(added) > MOST_SPREAD:
        raise refusal(table.path, f"the column {wanted[0]!r} holds {len(added):,} different names, which are no metrics")
    return Table(table.path, (*table.columns, *added), rows)


def scores_in(table: Table, others: Sequence[str]) -> Iterator[str]:
    """Columns whose cells are all scores, and not what an item is called."""
    return (name for name in table.columns if name not in others and not NOT_SCORES.fullmatch(name) and _are_scores(table, name))


def _are_scores(table: Table, name: str) -> bool:
    values = [read_score(row.values.get(name)) for row in table.rows]
    return not any(isinstance(value, str) for value in values) and any(value is not None for value in values)


def wide_arms(table: Table, given: Sequence[str]) -> list[tuple[str, str]]:
    """The arms of a wide table and their columns."""
    pairs = []
    for word in given:
        for part in [word] if word.partition("=")[2] in table.columns else re.split(r",(?=[^,=]+(?:=|,|\Z))", word):
            arm, sign, column = part.partition("=")
            column = column if sign else arm
            if column not in table.columns:
                raise UsageProblem(
                    f"--wide {part}: {table.path.name} has no column {column!r}; {did_you_mean(column, table.columns)}".rstrip("; ")
                )
            pairs.append((name_of(arm) or column, column))
    if len({arm for arm, _ in pairs}) < len(pairs):
        raise UsageProblem(f"--wide {' '.join(given)}: one arm occurs twice; give each column an arm of its own")
    return pairs


def candidates(found: Shaped, columns: Mapping[str, str]) -> list[tuple[str, str]]:
    """Arms and columns that may be a wide table's."""
    others = [column for what, column in columns.items() if what != "score"]
    names = list(scores_in(found.table, others))
    start, end, _ = affix(names)
    return [(name[len(start) : len(name) - len(end)] or name, name) for name in names] if len(names) <= MOST_ARMS else []


def affix(names: Sequence[str]) -> tuple[str, str, str]:
    """What names begin and end with alike, cut at marks between words; and that as a word."""
    if len(names) < 2:
        return "", "", ""
    start = re.sub(r"[^_.\-/: ]*\Z", "", common_start(names))
    end = re.sub(r"\A[^_.\-/: ]*", "", common_start([name[::-1] for name in names])[::-1])
    return start, end, (start or end).strip("_.-/: ")

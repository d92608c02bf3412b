"""The forms in which promptfoo writes its results, each as rows of one shape: JSON of every version, JSON lines, YAML, CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptlab.importers.cells import inside, read_score
from promptlab.importers.files import File, Stream, json_lines
from promptlab.importers.values import entries, mapping, refusal
from promptlab.sources.foreign import yaml_value
from promptlab.sources.tables import csv_form

FAILED_CALL = 2
"""promptfoo's failureReason of a call that failed; 1 is an assertion that did, which is a wrong answer."""
FACTS = ("Status", "Score", "Named Scores", "Grader Reason", "Comment")
"""The columns after each prompt's in a CSV file; older files write the mark before the answer."""
MARK = re.compile(r"\[(PASS|FAIL|ERROR)\](?: \((\d+(?:\.\d+)?)\))? ?")
CUT = "\n---\n"
COLUMN = re.compile(r"\[([^\]]*)\] (.+)", re.DOTALL)
Row = Mapping[str, Any]


@dataclass(slots=True)
class Document:
    """A result file: its rows, which can be read once, and the text around them, which is known when they have been."""

    rows: Iterable[Row]
    prompts: Sequence[Any] = ()
    config: Row = field(default_factory=dict)
    metadata: Row = field(default_factory=dict)
    results_version: object = None

    @property
    def version(self) -> str | None:
        if found := self.metadata.get("promptfooVersion"):
            return str(found)[:40]
        return f"(results version {self.results_version})" if self.results_version else None


def document(file: File) -> Document:
    """A result file of promptfoo, in any form that it writes."""
    if file.suffix in (".jsonl", ".ndjson"):
        return Document(_lines(file))
    if file.suffix in (".yaml", ".yml"):
        return _whole(file, _yaml(file))
    if file.suffix in (".csv", ".tsv"):
        return Document(_table(file))
    found = Document(())
    found.rows = _streamed(file, found)
    return found


def is_results(stream: Stream) -> bool:
    """Whether the object that begins here, the value of `results`, is promptfoo's: it holds `results` or `table`."""
    for key in stream.members():
        if (key == "results" and stream.peek() == "[") or key == "table":
            return True
        stream.value()
    return False


def is_line(row: Mapping[str, Any]) -> bool:
    """Whether a JSON line is a result of promptfoo."""
    return "prompt" in row and "vars" in row and ("promptIdx" in row or "provider" in row)


def is_table(file: File) -> bool:
    """Whether a CSV file is promptfoo's: each prompt's column is followed by its facts, or its cells begin with a mark."""
    rows = _cells(file, 100_000)
    head, first = next(rows, []), next(rows, [])
    return ("Status" in head and "Score" in head and "Grader Reason" in head) or any(MARK.match(cell) for cell in first)


def _lines(file: File) -> Iterator[Row]:
    for line, row in json_lines(file):
        if not is_line(row):
            raise refusal(file.path, "not promptfoo's JSON lines: a line has no prompt or no vars", line)
        yield row


def _yaml(file: File) -> Any:  # noqa: ANN401
    try:
        return yaml_value(file.content.decode())
    except ValueError as error:
        raise refusal(file.path, f"not YAML that can be read: {error}") from None


def _whole(file: File, value: object) -> Document:
    results = mapping(mapping(value).get("results"))
    if not isinstance(results.get("results"), list) and "table" not in results:
        raise refusal(file.path, "not a result file of promptfoo: it has neither results.results nor results.table")
    rows = [row for row in entries(results.get("results")) if isinstance(row, dict)]
    prompts = results.get("prompts") or mapping(mapping(results.get("table")).get("head")).get("prompts")
    return Document(
        rows or _older(mapping(results.get("table"))),
        entries(prompts),
        mapping(mapping(value).get("config")),
        mapping(mapping(value).get("metadata")),
        results.get("version"),
    )


def _streamed(file: File, found: Document) -> Iterator[Row]:
    stream = Stream(file)
    table: Mapping[str, Any] = {}
    n = 0
    known = False
    for key in stream.members():
        if key == "results" and stream.peek() == "{":
            for inner in stream.members():
                if inner == "results" and stream.peek() == "[":
                    known = True
                    for row in stream.elements():
                        if isinstance(row, dict):
                            n += 1
                            yield row
                    continue
                value = stream.value()
                if inner == "table":
                    known = True
                    found.prompts = found.prompts or entries(mapping(mapping(value).get("head")).get("prompts"))
                    table = {} if n else mapping(value)
                elif inner == "prompts":
                    found.prompts = entries(value)
                elif inner == "version":
                    found.results_version = value
            continue
        value = stream.value()
        if key in ("config", "metadata"):
            setattr(found, key, mapping(value))
    if not known:
        raise refusal(file.path, "not a result file of promptfoo: it has neither results.results nor results.table")
    if not n:
        yield from _older(table)


def _older(table: Mapping[str, Any]) -> Iterator[Row]:
    """The cells of an older file's table in the shape of today's results."""
    head = mapping(table.get("head"))
    names = [str(name) for name in entries(head.get("vars"))]
    prompts = entries(head.get("prompts"))
    for index, line in enumerate(entries(table.get("body"))):
        values = mapping(line).get("vars")
        given = dict(zip(names, values, strict=False)) if isinstance(values, list) else mapping(values)
        for column, cell in enumerate(entries(mapping(line).get("outputs"))):
            cell = mapping(cell)  # noqa: PLW2901
            reason, cut, answer = str(cell.get("text") or "").partition(CUT)
            failed = bool(cut) and not answer.strip() and not cell.get("pass") and not cell.get("gradingResult")
            prompt = mapping(prompts[column]) if column < len(prompts) else {}
            yield {
                **cell,
                "testIdx": index,
                "promptIdx": column,
                "vars": given,
                "provider": {"id": cell.get("provider") or prompt.get("provider")},
                "prompt": {"raw": cell.get("prompt"), "label": prompt.get("label") or prompt.get("display") or prompt.get("raw")},
                "response": {
                    "output": answer if cut and not cell.get("pass") else cell.get("text"),
                    "tokenUsage": cell.get("tokenUsage"),
                    "cached": cell.get("cached"),
                    "error": reason if failed else None,
                },
                "testCase": mapping(line).get("test") or {},
            }


def _cells(file: File, most: int | None = None) -> Iterator[list[str]]:
    text = file.content[:most].decode("utf-8", "replace" if most else "strict")
    delimiter, skipped = csv_form(text[: text.find("\n") + 1], file.suffix)
    reader = csv.reader(io.StringIO(text[skipped:], newline=""), delimiter=delimiter)
    limit = csv.field_size_limit(len(text) + 1)
    try:
        yield from reader
    except csv.Error as error:
        if most is None:
            raise refusal(file.path, f"not CSV: {error}", reader.line_num) from None
    finally:
        csv.field_size_limit(limit)


def _table(file: File) -> Iterator[Row]:
    rows = _cells(file)
    head = next(rows, [])
    asked = [i for i, name in enumerate(head[:-1]) if head[i + 1] == FACTS[0] and name not in FACTS]
    first = next(rows, [])
    if not asked:
        asked = [i for i, cell in enumerate(first) if MARK.match(cell)]
    if not asked:
        raise refusal(file.path, "not a CSV file of promptfoo: no column of a prompt, with Status and Score after it, is in it", 1)
    ends = [*asked[1:], len(head)] if FACTS[0] in head else [start + 1 for start in asked]
    facts = {i for start, end in zip(asked, ends, strict=True) for i in range(start, end)}
    for line, row in enumerate((first, *rows)):
        if len(row) < len(head):
            raise refusal(file.path, f"row {line + 1} has {len(row)} cells, and the first line names {len(head)}")
        given = {name: value for i, (name, value) in enumerate(zip(head, row, strict=False)) if i not in facts}
        for index, (start, end) in enumerate(zip(asked, ends, strict=True)):
            provider, label = _heading(head[start])
            yield {
                "promptIdx": index,
                "testIdx": line,
                "vars": given,
                "provider": {"id": provider},
                "prompt": {"label": label},
                **_judged(file, row[start], dict(zip(head[start + 1 : end], row[start + 1 : end], strict=False)), line),
            }


def _heading(name: str) -> tuple[str, str]:
    """Provider and label of a prompt's column; files of 2023 put the whole prompt there, as JSON."""
    if name.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            prompt = mapping(json.loads(name))
            return "provider", str(prompt.get("display") or prompt.get("raw") or name)
    found = COLUMN.fullmatch(name)
    return (found[1], found[2]) if found else ("provider", name)


def _judged(file: File, answer: str, facts: Mapping[str, str], line: int) -> Row:
    status, score = facts.get("Status", ""), facts.get("Score")
    if not status and (mark := MARK.match(answer)):
        status, score, answer = mark[1], mark[2], answer[mark.end() :]
        if status == "FAIL":  # the reason stands before the answer, and after a failed call there is none
            reason, cut, answer = answer.partition(CUT)
            status, answer = ("ERROR", reason) if cut and not answer.strip() else (status, answer if cut else reason)
    if status not in ("PASS", "FAIL", "ERROR"):
        raise refusal(file.path, f"row {line + 1}: the status {status[:40]!r} is none of promptfoo's (PASS, FAIL, ERROR)")
    found = read_score(score)
    return {
        "success": status == "PASS",
        "score": float(status == "PASS") if found is None or isinstance(found, str) else found,
        "failureReason": FAILED_CALL if status == "ERROR" else 0,
        "response": {"output": answer},
        "error": answer if status == "ERROR" else None,
        "namedScores": {name.partition(".")[2]: value for name, value in inside("", facts.get("Named Scores"))},
        "gradingResult": {"reason": facts.get("Grader Reason")},
    }

"""Tables: one row for each item and arm (and for each model, task and repeat where there are several), or one column for each arm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from promptlab.importers.cells import as_messages, cell, cell_text, plain, read_score, repeat_of, targets_of
from promptlab.importers.columns import OBVIOUS, chosen_columns
from promptlab.importers.doubts import doubtful, without_totals
from promptlab.importers.files import File, parsed
from promptlab.importers.results import Options, Reading, Result, Source, arm_names_for, files_named, quoted
from promptlab.importers.shapes import Shaped, affix, candidates, document_table, shaped, wide_arms
from promptlab.importers.values import known_by, less_may_be_better, name_of, number, refusal, short, task_name, text, whole
from promptlab.nouns import FileProblems, Outcome, Problem, UsageProblem, did_you_mean, listed
from promptlab.sources.tables import READERS, Row, Table, read_sheet

T = TypeVar("T")
SAMPLING = ("temperature", "top_p", "max_tokens")
NEEDED = {
    "item": "without item ids no answer of one arm can be paired with the answer of another",
    "arm": "without it nothing can be compared",
    "score": "without it there is nothing to judge",
}
OUTCOMES: Mapping[str, Outcome] = {
    "ok": "ok", "success": "ok", "completed": "ok", "stop": "ok", "truncated": "truncated", "length": "truncated",
    "refused": "refused", "content_filter": "refused", "empty": "empty", "parse_failed": "parse_failed",
    "error": "error", "exception": "error", "timeout": "error",
}  # fmt: skip


def _words(value: object) -> str | None:
    return cell_text(value) or None


FACTS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "answer": ("answer", lambda value: text(cell(value))), "prompt": ("messages", as_messages), "target": ("targets", targets_of),
    "base_prompt": ("base_prompt", lambda value: name_of(cell_text(value))), "cluster": ("cluster", _words), "error": ("error", _words),
    "version": ("model_version", _words), "simulated": ("marked_simulated", lambda value: cell_text(value).lower() in ("true", "1", "yes")),
    **{name: (name, lambda value: whole(plain(value))) for name in ("input_tokens", "output_tokens")},
    **{name: (name, lambda value: number(plain(value))) for name in ("cost_usd", "latency_s")},
}  # fmt: skip
"""Further columns by what they hold: the field of a result, and how a cell becomes its value."""
MOST_TOLD = 5
DIGITS_OR_PERCENT = frozenset("0123456789%")


def read(files: Sequence[File], options: Options) -> Reading:
    """All rows of the tables; FileProblems tells every row that cannot be read."""
    named = files_named(files)
    results: list[Result] = []
    guessed: dict[str, None] = {}
    metrics: dict[str, None] = {}
    metric, one_arm, tool = "score", "", "a table"
    sources = []
    notes: list[str] = []
    marked = False
    for index, file in enumerate(files):
        table, more = without_totals(read_rows(file, options.sheet))
        notes += [*table.notes, *more]
        found = shaped(table)
        tool = found.shape.tool if found.shape else "a table"
        metrics.update(dict.fromkeys(found.scores))
        columns, guesses = chosen_columns(found.table, options.columns, OBVIOUS, found.columns)
        if "item" not in columns and not found.asked and "input" in columns:
            found = replace(found, asked=(columns["input"],))
            guesses.append(f"items are identified by what the column {columns['input']!r} asks")
        guessed.update(dict.fromkeys(guesses))
        metric, arms = _arms(found, columns, file, options, alone=len(files) == 1)
        if "item" not in columns and not found.asked and not (options.wide and len(files) == 1):  # a row of a wide table is one item
            raise _missing(found, columns)
        of_file = [_Rows(found, {**columns, **arm}, file, index, options) for arm in arms]
        results += each_row(found.table, of_file, file)
        marked |= any(rows.marked for rows in of_file)
        sources.append(Source(file.path.name, file.sha256, tool))
        one_arm = _one_arm(found, columns, files, named)
    notes += doubtful(results, files[0].path, marked=marked)
    return Reading(
        tuple(results),
        tuple(sources),
        metric=metric if tool == "a table" else f"{tool} {metric}",
        guessed=tuple(guessed),
        one_arm=one_arm,
        metrics=tuple(metrics),
        notes=tuple(notes),
    )


def read_rows(file: File, sheet: str | None = None) -> Table:
    """The file as a table, by the end of its name."""
    reader = READERS.get(file.suffix)
    if file.content.startswith(b"\xd0\xcf\x11\xe0") or file.suffix in (".xls", ".ods", ".numbers"):
        raise refusal(file.path, "an older or other spreadsheet; save it as .xlsx or .csv")
    if reader is None:
        raise refusal(file.path, f"files that end in {file.suffix!r} are not read as tables; known: {', '.join(READERS)}")
    if sheet is not None and reader is not read_sheet:
        raise UsageProblem(f"--sheet {sheet}: {file.path.name} is no Excel file")
    try:
        if reader is read_sheet:
            table = read_sheet(file.path, file.content, sheet)
        elif file.suffix == ".json":
            table = document_table(file, parsed(file.path, file.content, n_packed=file.n_packed))
        else:
            table = reader(file.path.with_suffix("") if file.n_packed else file.path, file.content)
    except RecursionError:
        raise refusal(file.path, "nested too deeply for a table") from None
    except ValueError as error:
        raise refusal(file.path, f"cannot be read as a table: {error}") from None
    if not table.rows:
        raise refusal(file.path, "the table has no rows")
    if all(row.problem for row in table.rows):
        raise refusal(file.path, f"no row can be read, the first for this reason: {table.rows[0].problem}", table.rows[0].line)
    return table


def _arms(found: Shaped, columns: Mapping[str, str], file: File, options: Options, *, alone: bool) -> tuple[str, list[dict[str, str]]]:
    """The score's name, and for each arm that has columns of its own what these are; one entry without an arm where rows tell it."""
    if options.wide:
        pairs = wide_arms(found.table, options.wide)
        loss = next((column for _, column in pairs if less_may_be_better(column)), "")
        return affix([column for _, column in pairs])[2] or loss or "score", [
            {"arm": "", "arm name": arm, "score": column} for arm, column in pairs
        ]
    if "score" in options.columns:
        metric, of = options.columns["score"], {"": options.columns["score"]}
    elif found.shape:
        metric, of = _metric(found, options.metric)
    elif options.metric:
        if options.metric not in found.table.columns:
            raise UsageProblem(
                f"--metric {options.metric}: no column of {file.path.name} is called so; "
                f"{did_you_mean(options.metric, found.table.columns)}"
            )
        metric, of = options.metric, {"": options.metric}
    elif "score" in columns and ("arm" in columns or file.arm is not None or "item" not in columns or not candidates(found, columns)[1:]):
        metric, of = columns["score"], {"": columns["score"]}
        _one_score(found.table, metric)
    else:
        raise _missing(found, columns)
    if set(of) != {""}:
        if file.arm is not None:
            raise UsageProblem(f"--arm-name {file.path}=...: this file holds several arms, {listed(sorted(of))}; leave --arm-name out")
        answers = [found.answers.get(arm, columns.get("answer", "")) for arm in of]
        return metric, [
            {"arm": "", "arm name": arm or "none", "score": column, "answer": answer}
            for (arm, column), answer in zip(of.items(), answers, strict=True)
        ]
    if file.arm is not None:
        return metric, [{"arm": "", "arm name": file.arm, "score": of[""]}]
    if "arm" in columns:
        return metric, [{"score": of[""]}]
    if found.shape or not alone:  # one run a file: told as such once all files are read
        return metric, [{"arm": "", "arm name": "run", "score": of[""]}]
    raise _missing(found, columns)


def _one_score(table: Table, chosen: str) -> None:
    """Refuse to guess between columns that are called like scores and differ."""
    others = [name for name in table.columns if name.strip().lower() in OBVIOUS["score"] and name != chosen]
    for name in others:
        pairs = [(read_score(row.values.get(chosen)), read_score(row.values.get(name))) for row in table.rows]
        if not any(isinstance(other, str) for _, other in pairs) and any(one != other for one, other in pairs):
            names = listed([chosen, *others])
            raise UsageProblem(f"several columns of {table.path.name} could be the score ({names}); choose one with --score")


def _metric(found: Shaped, wanted: str | None) -> tuple[str, dict[str, str]]:
    names = list(found.scores)
    tool = found.shape.tool if found.shape else "the table"
    if not names:
        raise refusal(
            found.table.path,
            f"{tool} wrote no score into it; name the column with --score COLUMN. The columns are {listed(found.table.columns, 30)}",
        )
    if wanted is not None and wanted not in names:
        raise UsageProblem(
            f"--metric {wanted}: {tool} wrote no such score; {did_you_mean(wanted, names) or 'the scores are ' + listed(names)}"
        )
    if wanted is None and len(names) > 1:
        raise UsageProblem(
            f"the file holds several scores of {tool} ({listed(names, 20)}); choose one with --metric, for example "
            f"--metric {quoted(names[0])}"
        )
    return wanted or names[0], dict(found.scores[wanted or names[0]])


def _missing(found: Shaped, columns: Mapping[str, str]) -> Exception:
    """What a table lacks, and the flags that would say it."""
    table, arms = found.table, candidates(found, columns)
    lacks = [what for what in NEEDED if what not in columns and not (what == "item" and found.asked)]
    if "arm" in lacks and len(arms) > 1:
        wide = ",".join(f"{arm}={column}" for arm, column in arms)
        flag = (
            f"--wide {quoted(wide)}"
            if "," not in "".join(c for _, c in arms)
            else " ".join(f"--wide {quoted(f'{a}={c}')}" for a, c in arms)
        )
        return UsageProblem(
            f"{table.path.name} has several columns of scores. If a row is an item and each of these an arm, import it with {flag} "
            "(ARM=COLUMN for each; call the baseline none; leave out what is no arm). If there is a row for each arm, name the arm's "
            f"column with --arm COLUMN. The columns are {listed(table.columns, 30)}"
        )
    said = "; ".join(f"no column for the {what} was found ({NEEDED[what]}), name it with --{what} COLUMN" for what in lacks)
    if lacks == ["score"] and arms:
        said += f" (scores are in {listed([column for _, column in arms])})"
    if lacks == ["arm"]:
        said += f"; or where each file is an arm, name them: {arm_names_for([File(table.path, b'', '')])} and so on for each file"
    if lacks == ["arm"] and "prompt" in columns:  # the text that was sent, or which prompt it was: only a person knows
        said += f". Where the column {columns['prompt']!r} says which prompt it was, add --arm {quoted(columns['prompt'])}"
    return FileProblems.one(table.path, f"{said}. The columns are {listed(table.columns, 30)}", 1)


def _one_arm(found: Shaped, columns: Mapping[str, str], files: Sequence[File], named: bool) -> str:
    if named or "arm" in columns:
        return f"the column {columns['arm']!r} holds one value only; name another with --arm COLUMN" if columns.get("arm") else ""
    other = replace(files[0], path=files[0].path.with_name(f"OTHER{files[0].path.suffix}"))
    what = f"{found.shape.tool} writes a file for each run" if found.shape else "no column tells the arms apart"
    return (
        f"{what}. Name the arm of each file: {arm_names_for(files if len(files) > 1 else [files[0], other])}. Where a "
        "column tells the arms "
        f"apart, name it with --arm COLUMN; the columns are {listed(found.table.columns, 30)}"
    )


def each_row(table: Table, read_row: Callable[[Row], T | str] | Sequence[Callable[[Row], T | str]], file: File | None = None) -> list[T]:
    """What is read in every row; FileProblems where one of `read_row` says in words what is wrong with one."""
    found: list[T] = []
    problems: list[Problem] = []
    total = len(table.rows)
    readers = read_row if isinstance(read_row, Sequence) else [read_row]
    for row in table.drained():
        if file is not None and row.number % 5000 == 0:
            file.watch(row.number / total)
        for one_of in readers:
            one = row.problem or one_of(row)
            if isinstance(one, str):
                problems.append(Problem(table.path, row.line, f"row {row.number}: {one}"))
                break
            found.append(one)
    if problems:
        told = problems[:MOST_TOLD]
        if len(problems) > len(told):
            told.append(Problem(table.path, 10**9, f"and {len(problems) - len(told):,} more rows like these"))
        raise FileProblems(told)
    return found


class _Rows:
    """Reads the rows of one table, or those of one arm of it, with what is the same in all of them found once."""

    def __init__(self, found: Shaped, columns: Mapping[str, str], file: File, index: int, options: Options) -> None:
        self._arm = columns.get("arm name", "")
        self._columns = {what: column for what, column in columns.items() if column and what != "arm name"}
        self._asked = () if "item" in columns else found.asked
        self._sampling = [name for name in SAMPLING if name in found.table.columns]
        self._task = options.task_name
        self._index, self._prefix = index, f"{file.path.name} row "
        self._params: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._repeats: dict[tuple[str, str, str], int] = defaultdict(int)
        self._percent: bool | None = None
        self.marked = False
        """Whether a score was a word or mark for right."""

    def __call__(self, row: Row) -> Result | str:
        values, columns = row.values, self._columns
        get = {what: values.get(column) for what, column in columns.items()}
        arm = self._arm or cell_text(get.get("arm"))
        item, shown = self._item(row, get)
        for what, value in (("item", item), ("arm", arm)):
            if not value:
                return f"{columns.get(what) or what!r} is empty" + ("; write none where nothing was added" if what == "arm" else "")
        score = read_score(get.get("score"))
        if isinstance(score, str):
            return score
        if score:
            way = str(get["score"]).rstrip()[-1:]
            if way not in DIGITS_OR_PERCENT:
                self.marked = True
            elif (way == "%") is not self._percent:
                if self._percent is not None:
                    return (
                        f"the score {get['score']!r} is written another way than those above (with or without %); write all of them alike"
                    )
                self._percent = way == "%"
        outcome: Outcome = "ok"
        if "outcome" in columns and (word := cell_text(get["outcome"])):
            outcome = OUTCOMES.get(word.lower(), outcome)
            if word.lower() not in OUTCOMES:
                return (
                    f"the outcome {word!r} is not known (a wrong answer and a failed call must not be mixed up); known: "
                    f"{', '.join(OUTCOMES)}. Name another column with --outcome, or change the value"
                )
        model = name_of(cell_text(get.get("model")) or "model") if "model" in columns else "model"
        found = Result(
            name_of(arm),
            model,
            task_name(self._task or (cell_text(get.get("task")) if "task" in columns else "") or "items"),
            item,
            None if outcome == "error" else score,
            f"{self._prefix}{row.number}",
            outcome=outcome,
            input=shown,
            params=self._sampled(values),
            file=self._index,
        )
        if "repeat" in columns:
            found.repeat = repeat_of(get["repeat"])
        elif self._asked:  # rows that are known by what they ask
            found.repeat = self._repeats[arm, model, item]
            self._repeats[arm, model, item] += 1
        self._rest(found, get)
        if found.error and score == 0 and "answer" in columns and not found.answer.strip():
            found.score = None  # a failed call, which its tool or its owner counted as wrong
        return found

    def _item(self, row: Row, get: Mapping[str, Any]) -> tuple[str, str]:
        if self._asked:
            asked = [cell(row.values.get(name)) for name in self._asked]
            return known_by("item", asked), text(asked[0]) if len(asked) == 1 else "\n".join(
                text(part) for part in asked if part is not None
            )
        name = cell_text(get.get("item")) if "item" in self._columns else f"row {row.number}"
        name = name[:-2] if name.endswith(".0") and name[:-2].isdigit() else name
        return short(name), text(cell(get.get("input"))) or name

    def _sampled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = tuple(text(v) if isinstance(v := plain(values.get(name)), list | dict) else v for name in self._sampling)
        if found not in self._params:
            self._params[found] = {name: value for name, value in zip(self._sampling, found, strict=True) if value is not None}
        return self._params[found]

    def _rest(self, found: Result, get: Mapping[str, Any]) -> None:
        """The facts that a table may have: of most it has few."""
        for what in self._columns.keys() - {"item", "arm", "score", "model", "task", "outcome", "repeat", "input"}:
            if what in FACTS:
                name, read_as = FACTS[what]
                setattr(found, name, read_as(get[what]))

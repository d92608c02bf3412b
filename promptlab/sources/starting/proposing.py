"""What a person would make of a table: the column of inputs, that of right answers, their kind, and what scores them.

A kind of answer is taken only where every right answer of the table scores 1 by it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptlab.nouns import Item, UsageProblem, counted, did_you_mean
from promptlab.scoring.metrics import METRICS
from promptlab.scoring.metrics.strict import STRICT
from promptlab.sources.own.rows import chat_of
from promptlab.sources.starting.columns import (
    CLUSTERS,
    CONTEXTS,
    INPUTS,
    MOST_LABELS,
    OPTIONS,
    SEPARATORS,
    TARGETS,
    Column,
    chat,
    listed,
    missing,
    said,
)
from promptlab.sources.starting.looking import Looked

LONG_WORDS = 12
"""A right answer of more words is a reference for a judge, and no text to be met."""
TRIED = 400
"""Right answers on which a kind of answer is tried."""
LETTERED = re.compile(r"(?i)(?:option|choice|answer|opt|ans|ending|ant?wort)?[ _.-]*([a-h]|[0-9])")
ANYTHING = "The answer is correct, does what is asked, and is clear."


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user said already."""

    input: str | None = None
    target: str | None = None
    metric: str | None = None
    rubric: str | None = None


@dataclass(slots=True)
class Proposal:
    """A task over the table. `rows` are those that can be run, by the columns that they are written with."""

    looked: Looked
    input: str
    target: str | None = None
    choices: str | None = None
    graded: str | None = None
    id: str | None = None
    cluster: str | None = None
    shown: list[str] = field(default_factory=list)
    """Columns that the prompts show before the input."""
    is_chat: bool = False
    kind: str = ""
    """In words."""
    metric: str | None = None
    assertions: list[dict[str, Any]] = field(default_factory=list)
    rubric: str | None = None
    labels: list[str] = field(default_factory=list)
    separator: str | None = None
    target_is: str = "text"
    rows: list[dict[str, Any]] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def propose(looked: Looked, wishes: Wishes = Wishes()) -> Proposal:
    """The task that the table most likely is; UsageProblem where no column can be the input."""
    columns = {name: Column(name, [row.get(name) for row in looked.rows]) for name in looked.columns}
    for wanted in (wishes.input, wishes.target):
        if wanted is not None and wanted not in columns:
            raise UsageProblem(f"{looked.source} has no column {wanted!r}; {did_you_mean(wanted, columns)}".rstrip("; "))
    if wishes.metric and ":" not in wishes.metric and wishes.metric not in (known := (*STRICT, *METRICS)):
        hint = did_you_mean(wishes.metric, [*STRICT, *(name for name in METRICS if not name.startswith("strict_"))])
        raise UsageProblem(f"the metric {wishes.metric!r} is not known; {hint or f'known: {known}'}")
    made = Proposal(looked, "", rows=list(looked.rows), copied=list(looked.copied), notes=list(looked.notes))
    _lettered(made, columns, wishes)
    made.notes += [
        f"{c.name!r} holds lists of objects; if each of those is to be asked, make each a row" for c in columns.values() if c.is_rows
    ]
    made.id = next((c.name for c in columns.values() if c.is_id and c.name not in (wishes.input, wishes.target)), None)
    made.input = wishes.input or _input(columns, made, wishes)
    if not columns[made.input].n:
        raise UsageProblem(f"{looked.source}: the column {made.input!r} is empty; name the one to ask with --input")
    made.is_chat = columns[made.input].is_chat
    if made.is_chat:
        turns = [[dict(m) for m in chat(row[made.input])] for row in made.rows if not missing(row.get(made.input))]
        if any(chat_of(value) is None for value in columns[made.input].values):
            _rewrite(made, made.input, turns, f"writes {made.input!r} in another form than role and content")
        if any(message["role"] == "system" for of in turns for message in of):
            made.notes.append("conversations have system messages of their own; some providers refuse a second one, as 'expert' adds it")
    made.target = wishes.target or _target(columns, made)
    if made.is_chat and made.target is None:
        _last_turns(made, columns)
    _beside(made, columns, wishes)
    if made.target is None:
        _free(made, wishes)
    elif columns[made.target].is_grades:
        made.graded, made.target, made.choices = made.target, None, None
        made.kind, made.metric = "options with a grade each", "choice"
    else:
        _answers(made, columns, wishes)
    _askable(made)
    _renamed(made)
    return made


def _renamed(made: Proposal) -> None:
    """A column that is called like a variable of every prompt, which is needed here, gets another name."""
    for name, needed in (("choices", made.choices or made.graded), ("labels", made.labels)):
        if needed and name in made.looked.columns:
            new = f"{name} column"
            made.rows = [{new if key == name else key: value for key, value in row.items()} for row in made.rows]
            made.copied.append(f"calls a column {name!r}, which prompts use for something else: it becomes {new!r}")
            for role in ("input", "target", "choices", "graded", "id", "cluster"):
                if getattr(made, role) == name:
                    setattr(made, role, new)
            made.shown = [new if shown == name else shown for shown in made.shown]


def _input(columns: Mapping[str, Column], made: Proposal, wishes: Wishes) -> str:
    """The input column: by its name, else the longest text."""
    free = [
        c
        for c in columns.values()
        if c.n and not c.is_list and not c.is_rows and not c.is_grades and c.name not in (made.id, wishes.target)
    ]
    named = [c for c in free if c.rank(INPUTS) < math.inf and not (c.is_labels and c.words <= 3 and len(free) > 1) and not c.is_id]
    if named:
        return min(named, key=lambda c: (not c.is_chat, 2 * c.n < 1.8 * c.n_rows, c.rank(INPUTS) >= 1000, c.rank(INPUTS))).name
    rest = [c for c in free if c.rank(TARGETS) == math.inf and not c.is_date] or free
    if not rest:
        raise UsageProblem(f"{made.looked.source}: no column holds texts for an input ({', '.join(columns)}); name one with --input")
    return max(rest, key=lambda c: (c.is_chat, not c.is_number, 0.0 if c.is_number else c.length)).name


def _target(columns: Mapping[str, Column], made: Proposal) -> str | None:
    """The column of right answers: by its name, else one of few texts that repeat."""
    free = [
        c
        for c in columns.values()
        if c.n and c.name not in (made.input, made.choices, made.id) and not (c.is_chat or c.is_rows or _about(c))
    ]
    named = sorted((c for c in free if c.rank(TARGETS) < math.inf), key=lambda c: c.rank(TARGETS))
    alike = [c for c in free if c.is_labels and not c.is_date]
    found = named or alike[-1:]
    others = [c.name for c in (named[1:] if named else alike[:-1]) if c.rank(CONTEXTS) == math.inf]
    if found and others:
        made.notes.append(f"{found[0].name!r} is taken for the right answer; it could be {', '.join(map(repr, others[:4]))} (--target)")
    if not found and len(free) == 1 and free[0].rank(CONTEXTS) == math.inf and not free[0].is_id and not free[0].is_date:
        found = free  # the only other column
    return found[0].name if found else None


def _about(column: Column) -> bool:
    """Whether a column says something about its row: when it was made, or by whom."""
    return column.is_id or bool(set(column.plain.split("_")) & {"id", "date", "time", "timestamp", "created", "updated", "url", "user"})


def _beside(made: Proposal, columns: Mapping[str, Column], wishes: Wishes) -> None:
    """Options, context and clusters: what else of a row matters."""
    taken = {made.input, made.target, made.id}
    for column in columns.values():
        if column.name in taken or not column.n:
            continue
        if made.choices is None and column.rank(OPTIONS) < math.inf and made.target is not None:
            if (cells := _options(column)) is not None:
                made.choices = column.name
                _rewrite(made, column.name, cells, f"has other marks than those of lists in {column.name!r}")
        elif not made.is_chat and _is_context(column):
            made.shown.append(column.name)
        elif made.cluster is None and _is_cluster(column):
            made.cluster = column.name
    if made.shown and wishes.input is None:
        made.notes.append(f"prompts show {', '.join(map(repr, made.shown))} next to {made.input!r}")


def _is_context(column: Column) -> bool:
    """Whether it says more about the question: a context, or an `input` next to an instruction."""
    named = column.plain == "input" or (column.rank(CONTEXTS) < math.inf and column.n == column.n_rows and not column.is_labels)
    return named and not column.is_list


def _is_cluster(column: Column) -> bool:
    """Whether it says which rows belong together: a user, a conversation."""
    named = set(column.plain.split("_")) & set(CLUSTERS)
    return bool(named) and 1 < column.distinct < column.n == column.n_rows and column.words <= 3 and not column.is_list


def _options(column: Column) -> list[list[str]] | None:
    """The options of each row; None where its cells are not options."""
    cells = [listed(value) for value in column.values]
    if any(cell is None for cell in cells):
        mark = next((s for s in ("\n", *SEPARATORS) if all(s in text for text in column.texts)), None)
        cells = [[part.strip() for part in text.split(mark) if part.strip()] for text in column.texts] if mark else [None]
    return cells if all(cell and len(set(cell)) == len(cell) >= 2 for cell in cells) and column.n == column.n_rows else None  # type: ignore[return-value]


def _lettered(made: Proposal, columns: dict[str, Column], wishes: Wishes) -> None:
    """Columns A, B, C, ... or option1, option2, ... become one column of options."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in columns:
        if (match := LETTERED.fullmatch(name)) and name not in (wishes.input, wishes.target):
            found.setdefault(name[: match.start(1)].casefold(), []).append((match[1].casefold(), name))
    groups = [[*zip(*sorted(pairs), strict=True)] for pairs in found.values() if len(pairs) > 1]
    marks, names = max(groups, key=lambda pair: len(pair[0]), default=((), ()))
    if not names or marks[0] not in ("a", "0", "1") or len(names) == len(columns):
        return
    options = [[said(row.get(name)) for name in names if not missing(row.get(name))] for row in made.rows]
    if any(len(set(of)) != len(of) or len(of) < 2 for of in options):
        return
    made.rows = [{**row, "listed options": of} for row, of in zip(made.rows, options, strict=True)]
    made.choices = "listed options"
    made.copied.append(f"has its options in the columns {', '.join(names)}: they become one")
    for name in names:
        del columns[name]


def _rewrite(made: Proposal, column: str, values: Sequence[Any], why: str) -> None:
    """Other values in the cells of a column that hold something; a copy where that changes any."""
    new = iter(values)
    changed = [{**row, column: next(new)} if not missing(row.get(column)) else row for row in made.rows]
    if changed != made.rows:
        made.rows = changed
        made.copied.append(why)


def _last_turns(made: Proposal, columns: dict[str, Column]) -> None:
    """Conversations that end with the assistant: its last turn is the right answer of what goes before."""
    turns = [chat(row.get(made.input)) for row in made.rows]
    if not all(turn is None or (len(turn) > 1 and turn[-1]["role"] == "assistant") for turn in turns):
        return
    made.rows = [
        {**row, made.input: [dict(m) for m in turn[:-1]], "last_turn": turn[-1]["content"]} if turn else row
        for row, turn in zip(made.rows, turns, strict=True)
    ]
    made.target = "last_turn"
    made.copied.append(f"ends its {made.input!r} with the assistant: that last turn becomes the right answer")
    columns["last_turn"] = Column("last_turn", [row.get("last_turn") for row in made.rows])


def _free(made: Proposal, wishes: Wishes) -> None:
    made.kind = "free text without right answers"
    made.rubric = wishes.rubric or ANYTHING
    made.notes += [] if wishes.rubric else ["no column of right answers: a judge rates by --rubric TEXT; or name the column with --target"]
    if wishes.metric:
        raise UsageProblem(f"--metric {wishes.metric} needs right answers; name their column with --target")


def _answers(made: Proposal, columns: Mapping[str, Column], wishes: Wishes) -> None:
    """The kind of answer that the right ones are."""
    target = made.target or ""
    column = columns[target]
    if not column.n:
        raise UsageProblem(f"{made.looked.source}: the column {made.target!r} holds no answer; name another with --target")
    if wishes.rubric:
        made.kind, made.rubric = "free text with a reference", wishes.rubric
        return
    if column.is_list and all(len(listed(value) or ()) == 1 for value in column.values):
        _rewrite(made, target, [(listed(value) or [""])[0] for value in column.values], f"has lists of one answer each in {target!r}")
        column = Column(target, [row.get(target) for row in made.rows])
    if made.choices is not None:
        _placed(made)
        made.kind = "one of the options of each row"
        kinds = ["choice"]
    elif (parts := column.parts()) is not None:
        vocabulary = Counter(part for of in parts for part in of)
        if len(vocabulary) <= MOST_LABELS and sum(vocabulary.values()) >= 3 * len(vocabulary) and max(map(len, vocabulary)) <= 60:
            made.kind = f"several of {len(vocabulary)} labels at once"
            made.labels = sorted(vocabulary)
            _rewrite(
                made, target, [", ".join(of) for of in parts], f"writes several labels in {made.target!r}, now with commas between them"
            )
            kinds = ["listed"]
        else:
            made.kind = "text, with several right answers"
            _rewrite(made, target, parts, f"has right answers in {made.target!r} that become lists")
            kinds = ["word", "text"]
    elif column.is_labels and not column.is_date and (not column.is_number or column.distinct <= 10):
        usual = column.usual_spellings()
        if usual.keys() != {*usual.values()}:
            _rewrite(
                made, target, [usual[text] for text in column.texts], f"writes labels in {target!r} in several ways, now in the usual one"
            )
        made.labels = sorted({*usual.values()}, key=lambda text: (float(text) if text.isdecimal() else 0.0, text))
        yes = "yes or no" if {t.strip().casefold() for t in made.labels} <= {"yes", "no", "true", "false", "y", "n"} else ""
        made.kind = yes or f"one of {len(made.labels)} labels"
        kinds = ["label", "choice"]
        if {t.strip().casefold() for t in made.labels} == {"0", "1"}:
            made.notes.append(f"{made.target!r} holds 0 and 1; a model does better with words: write in the prompts what they stand for")
    elif column.is_number and not column.is_date:
        made.kind, kinds = "a number", ["number"]
    elif column.words > LONG_WORDS or column.is_prose:
        made.kind = "free text with a reference"
        made.rubric = "The answer says the same as one of the references, whatever its words."
        return
    elif all(text.strip().startswith("{") for text in column.texts):
        made.kind = "JSON"
        made.assertions = [{"json": {}}]
        made.notes.append(f"the JSON in {made.target!r} is not compared field by field; add `field: {{path: ...}}` for what must be right")
        return
    else:
        made.kind = "a date" if column.is_date else "a word or short text"
        kinds = ["word", "text"] if column.words <= 3 and not column.is_date else ["text"]
    _chosen(made, [wishes.metric] if wishes.metric else kinds)


def _placed(made: Proposal) -> None:
    """Whether right answers are options, their letters, or their places; other places than those from 0 are written as options."""
    target, choices = made.target or "", made.choices or ""
    options = [(said(row[target]).strip(), listed(row[choices]) or []) for row in made.rows if not missing(row.get(target))]
    ways: Mapping[str, Callable[[str, list[str]], int]] = {
        "text": lambda answer, of: of.index(answer) if answer in of else -1,
        "letter": lambda answer, of: ord(answer.upper()) - 65 if len(answer) == 1 and answer.isalpha() else -1,
        "index": lambda answer, of: int(answer) if answer.isdecimal() else -1,
        "from 1": lambda answer, of: int(answer) - 1 if answer.isdecimal() else -1,
    }
    for way, place in ways.items():
        if all(0 <= place(answer, of) < len(of) for answer, of in options):
            if way == "from 1" or made.choices == "listed options":
                texts = [of[place(answer, of)] for answer, of in options]
                _rewrite(made, made.target or "", texts, f"has places in {made.target!r} that become the options themselves")
            else:
                made.target_is = way
            return
    bad = next(answer for answer, of in options if answer not in of)
    made.notes.append(f"the answer {bad[:40]!r} is none of the options in {made.choices!r}: the options are not used")
    made.choices = None


def _chosen(made: Proposal, kinds: Sequence[str]) -> None:
    """The first kind by which right answers score 1; where none does, the answer must hold them."""
    if made.choices is None and kinds == ["choice"]:
        kinds = ["word", "text"]
    failed: list[str] = []
    for kind in kinds:
        if kind not in STRICT:
            made.metric = kind
            return
        failed = list(dict.fromkeys(answer for answer, item in _items(made) if STRICT[kind](answer, item).score < 1))
        if not failed:
            made.metric = kind
            return
    made.assertions = [{"contains": {}}]
    made.notes.append(
        f"{len(failed)} right answers, {failed[0][:60]!r} first, are not read as {kinds[0]}: an answer counts where it holds its own"
    )


def _items(made: Proposal) -> list[tuple[str, Item]]:
    """Right answers of some rows, each with its item."""
    found = []
    step = max(1, len(made.rows) // TRIED)
    for row in made.rows[::step]:
        value = row.get(made.target or "")
        if missing(value):
            continue
        answers = listed(value) if isinstance(value, list) else [said(value)]
        options = tuple(made.labels) if made.metric != "listed" else ()
        if made.choices:
            options = tuple(listed(row[made.choices]) or ())
            if made.target_is != "text":
                place = ord(answers[0].strip().upper()) - 65 if made.target_is == "letter" else int(answers[0])  # type: ignore[index]
                answers = [options[place]]
        found += [(answer, Item("1", said(row.get(made.input)), tuple(answers or ()), options)) for answer in answers or ()]
    return found


def _askable(made: Proposal) -> None:
    """Rows without an input or an answer are left out; repeats are reported."""
    needed = [name for name in (made.input, made.target, made.graded) if name is not None]
    kept = [row for row in made.rows if not any(missing(row.get(name)) for name in needed)]
    lost = Counter(next(name for name in needed if missing(row.get(name))) for row in made.rows if any(missing(row.get(n)) for n in needed))
    for name, n in lost.items():
        made.copied.append(f"has {counted(n, 'row')} without {name!r}, which are left out")
    if not kept:
        raise UsageProblem(f"{made.looked.source}: no row has both an input and a right answer")
    made.rows = kept
    inputs: dict[str, set[str]] = {}
    for row in kept:
        inputs.setdefault("\n".join(said(row.get(name)) for name in (*made.shown, made.input)), set()).add(said(row.get(made.target or "")))
    if len(inputs) < len(kept):
        made.notes.append(f"{counted(len(kept) - len(inputs), 'row', 'asks')} what another row asks; such rows count as one cluster")
    if made.target and (torn := sum(len(answers) > 1 for answers in inputs.values())):
        made.notes.append(f"{torn:,} inputs have several different right answers; look at them first")
    if len(kept) < 50:
        made.notes.append(f"{counted(len(kept), 'row', 'is')} few: only a large difference can be found")

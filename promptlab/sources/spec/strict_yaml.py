"""YAML as data: no tags, no aliases, no repeated keys, YAML 1.2 scalars, and the line of every value.

PyYAML alone reads `no` as False, `012` as 10 and `12:30` as 750, keeps the last of two equal keys without a word, and
expands aliases without bound. Here `no` and `12:30` are text, and the rest is an error with its line.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from promptlab.nouns import FileProblems, Problem, UsageProblem, did_you_mean
from promptlab.sources.foreign import content_of, decoded

MAX_BYTES = 5 * 2**20
MAX_DEPTH = 20
MAX_VALUES = 50_000
PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
"""Texts that are written without quotes."""
Loc = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
Noun = TypeVar("Noun")


YAML = "tag:yaml.org,2002:"


class Scalars(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    n_values = depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next value; what no file of ours holds ends the reading where it is."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self.n_values += 1
        self.depth += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise Refused(event.start_mark, "anchors and aliases (& and *) are not read; write the value out, or quote the text")
        if self.n_values > MAX_VALUES:
            raise Refused(event.start_mark, f"more than {MAX_VALUES:,} values; split the file, or keep items in a table")
        if self.depth > MAX_DEPTH + 2:
            raise Refused(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class Refused(Exception):
    """Where a file holds what is not read, and what that is."""


KINDS: Mapping[str, tuple[str, Sequence[str], Callable[[str], Any]]] = {
    "bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF", lambda text: text.lower() == "true"),
    "int": (r"^[-+]?[0-9]+$", "-+0123456789", int),
    "float": (r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789", float),
    "null": (r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""], lambda _: None),
}
"""Scalars that are no text: how they look, how they begin, and what they mean."""
for _kind_of, (_pattern, _first, _) in KINDS.items():
    Scalars.add_implicit_resolver(f"{YAML}{_kind_of}", re.compile(_pattern), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content as plain data, and the line (from 1) of every value in it."""

    path: Path
    value: Any
    lines: Mapping[Loc, int]
    text: str

    def line(self, loc: Iterable[str | int]) -> int | None:
        """The line of the value at `loc`, or of the nearest thing around it that is in the file."""
        at = tuple(loc)
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at)

    def problem(self, loc: Iterable[str | int], message: str) -> Problem:
        return Problem(self.path, self.line(loc), message)


def read(path: Path) -> Document:
    """Read one file; anything that is not plain strict YAML raises FileProblems. Nobody changes what is read: it may be shared."""
    text = decoded(path, content_of(path, MAX_BYTES, ".yaml", ".yml"))
    return parsed(path, text.replace("\r\n", "\n").replace("\r", "\n"))


@lru_cache(maxsize=32)
def parsed(path: Path, text: str) -> Document:
    """The document that a text is; `path` names it in problems. Libraries are read for every experiment, and are the same each time."""
    document = parsed_value(path, text)
    if not isinstance(document.value, dict):
        found = _kind(document.value)
        raise FileProblems([document.problem((), f"expected keys with values at the top of the file, found {found}{_of_table(path)}")])
    return document


def parsed_value(path: Path, text: str) -> Document:
    """The same, whatever is at the top of it."""
    try:
        node = yaml.compose(text, Loader=Scalars)
    except Refused as refused:
        mark, why = refused.args
        raise FileProblems.one(path, why, mark.line + 1) from None
    except yaml.YAMLError as error:
        raise FileProblems([_syntax_problem(path, text, error)]) from None
    if node is None:
        raise FileProblems.one(path, "the file is empty")
    lines: dict[Loc, int] = {}
    problems: list[Problem] = []
    value = _construct(node, (), path, lines, problems)
    if problems:
        raise FileProblems(problems)
    return Document(path, value, lines, text)


def written(value: object) -> str:
    """Plain data as YAML that `parsed` reads back as it was: every key and element on a line of its own, in the order given."""
    return yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, default_flow_style=False, width=math.inf)


class _Writer(yaml.SafeDumper):
    """Writes a text without quotes only where no reader could take it for anything else; never writes aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text_node(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = PLAIN.fullmatch(text) and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return writer.represent_scalar(f"{YAML}str", text, style=None if plain else '"')


_Writer.add_representer(str, _text_node)


def validate(document: Document, model: type[M]) -> M:
    """The document as `model`; every pydantic error becomes a problem with a line and a next step."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        deeper = {_in_file(document, detail["loc"]) for detail in details}
        problems = [_problem(document, model, detail) for detail in details if not _other_form(document, detail, deeper)]
        raise FileProblems(list(dict.fromkeys(problems))) from None


def load(path: Path, model: type[M]) -> tuple[M, Document]:
    """Read one file as `model`; FileProblems lists everything that is wrong with its form."""
    document = read(path)
    return validate(document, model), document


def checked(plain: object, noun: type[Noun], what: str) -> Noun:
    """Plain data that a machine wrote, as `noun`; UsageProblem with the first thing that does not fit."""
    try:
        return TypeAdapter(noun).validate_python(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise UsageProblem(f"this is no {what}: {where}: {first['msg'].lower()}") from None


def _syntax_problem(path: Path, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    start = getattr(error, "context_mark", None)
    at = start or mark
    line = at.line + 1 if at else None
    what = ", ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part) or "not readable"
    rows = text.splitlines()
    tabs = [n for n, row in enumerate(rows, 1) if row[: len(row) - len(row.lstrip())].count("\t")]
    if tabs:
        return Problem(path, tabs[0], "a tab indents this line; YAML allows spaces only: replace each tab by two spaces")
    advice = _of_table(path) or "; check the indentation, and quote text that holds ': ', '#' or a brace"
    return Problem(path, line, f"not valid YAML: {what}{advice}")


def _of_table(path: Path) -> str:
    """What to do with a table that was given for an experiment; '' for other files."""
    return f"; of a table, `promptlab init {shlex.quote(str(path))}` makes an experiment" if path.suffix.lower() in TABLES else ""


def _construct(node: yaml.Node, loc: Loc, path: Path, lines: dict[Loc, int], problems: list[Problem]) -> Any:  # noqa: ANN401
    line = node.start_mark.line + 1
    lines[loc] = line
    if len(loc) > MAX_DEPTH:
        problems.append(Problem(path, line, f"nested deeper than {MAX_DEPTH} levels"))
        return None
    if node.tag.startswith(("!", f"{YAML}python")):
        problems.append(Problem(path, line, f"the tag {node.tag!r} is not read; files hold data only"))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, loc, path, lines, problems)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*loc, i), path, lines, problems) for i, child in enumerate(node.value)]
    _, _, meant = KINDS.get(node.tag.removeprefix(YAML), ("", "", str))
    try:
        return meant(node.value)
    except ValueError:  # a whole number of thousands of digits, or a tag that does not fit
        problems.append(Problem(path, line, f"not {node.tag.removeprefix(YAML)}: {node.value[:40]!r}"))
        return None


def _mapping(node: yaml.MappingNode, loc: Loc, path: Path, lines: dict[Loc, int], problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(path, line, "a key must be plain text"))
            continue
        key = str(key_node.value)
        if key in first:
            problems.append(Problem(path, line, f"the key {key!r} occurs here again (first on line {first[key]}); keep one of the two"))
            continue
        first[key] = line
        found[key] = _construct(value_node, (*loc, key), path, lines, problems)
        lines[(*loc, key)] = line
    return found


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    return repr(value if not isinstance(value, str) or len(value) <= MOST_SHOWN else f"{value[:MOST_SHOWN]}...")


TABLES = (".csv", ".tsv")
MOST_SHOWN = 60
"""Characters of a wrong text that an error shows."""
WANTED = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "keys with values",
    "model": "keys with values",
}
"""What a value should have been, by the first word of pydantic's kind of error."""


PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a name: at most 64 letters, digits, '.', '_' and '-', the first a letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$": "a name: at most 32 letters, digits, '_' and '-', the first a letter or digit",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "a name: letters, digits and '_', the first no digit",
    r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$": "code, as in module:function",
    r"^[A-Za-z0-9._-]+/[A-Za-z0-9._+-]+$": "a stimulus, as in library/key",
    r"^[\w./-]{1,100}$": "a revision, such as a commit",
    r"^\{[^{}]+\}$": "a variable in braces, as in {demos}",
    r"^https?://[^\s\\]+$": "an address that begins with http:// or https://",
}
"""What a text should have been, by the pattern that it does not match."""


def _problem(document: Document, model: type[BaseModel], detail: Any) -> Problem:  # noqa: ANN401 (pydantic's ErrorDetails)
    loc = _in_file(document, detail["loc"])
    name = ".".join(str(part) for part in loc) or "the file"
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        hint = did_you_mean(str(loc[-1]), _keys(model, loc[:-1]))
        return document.problem(loc, f"unknown key {str(loc[-1])!r}; {hint}".rstrip("; "))
    if kind == "missing":
        missing = str(detail["loc"][-1])
        field = _keys(model, loc[:-1] if loc and loc[-1] == missing else loc).get(missing, "")
        around = f" in {name}" if loc else ""
        return document.problem(loc, f"the key {missing!r} is missing{around}; add it: {field}".rstrip(": "))
    found = _kind(detail["input"])
    wanted, _, why = kind.partition("_")
    if wanted in WANTED and why in ("type", "parsing", "from_float", "attributes_type"):
        return document.problem(loc, f"{name}: expected {WANTED[wanted]}, found {found}")
    if kind == "literal_error":
        known = [part.strip().strip("'") for part in re.split(r",| or ", str(context.get("expected", ""))) if part.strip()]
        return document.problem(loc, f"{name}: {found} is not known; {did_you_mean(str(detail['input']), known)}".rstrip("; "))
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        about, colon, _ = message.partition(": ")
        at = (*loc, *about.split("."))
        if colon and at in document.lines:  # several keys decide, and the rule says which one is wrong
            return document.problem(at, f"{'.'.join(map(str, loc))}.{message}".lstrip("."))
        return document.problem(loc, f"{name}: {message}")
    if kind == "string_pattern_mismatch":
        said = f"{name}: {found} is not {PATTERNS.get(str(context.get('pattern')), 'written as it must be')}"
        return document.problem(loc, said)
    return document.problem(loc, f"{name}: must be {message}, found {found}".replace("must be String should", "text should"))


def _other_form(document: Document, detail: Any, found: Iterable[Loc]) -> bool:  # noqa: ANN401
    """Whether a problem only says that a value has not another form that it might have had, and one inside the value says what is wrong."""
    loc = _in_file(document, detail["loc"])
    wrong_form = detail["type"].endswith("_type") and isinstance(detail["input"], dict | list)
    return wrong_form and any(len(other) > len(loc) and other[: len(loc)] == loc for other in found)


def _in_file(document: Document, loc: Iterable[str | int]) -> Loc:
    """Pydantic puts the names of union members and of missing keys into a location; only what is in the file is kept."""
    kept: Loc = ()
    for part in loc:
        if (*kept, part) in document.lines:
            kept = (*kept, part)
    return kept


def _models(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def _keys(model: type[BaseModel], loc: Loc) -> dict[str, str]:
    """The keys that a place may have, with their descriptions."""
    found = [model]
    for part in loc:
        if isinstance(part, str) and any(part in outer.model_fields for outer in found):  # else the name of an entry: of what it is stays
            found = [inner for outer in found if part in outer.model_fields for inner in _models(outer.model_fields[part].annotation)]
    return {key: field.description or "" for one in reversed(found) for key, field in one.model_fields.items()}

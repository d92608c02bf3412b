"""Experiments from Python objects: written as the files that say the same, and read as those files are.

So an experiment built in Python has the hashes and the run id of its files, and its run folder holds them: `experiment.yaml`, and
under `given/` each task and the stimuli that were given as objects. Problems name the object (`tasks[0]`) instead of a line.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

from promptlab.nouns import FileProblems, Problem
from promptlab.sources.spec import experiment as spec
from promptlab.sources.spec.models import NAME
from promptlab.sources.spec.strict_yaml import Document, Loc, parsed, validate, written

FILE = Path("experiment.yaml")
NOTE = "# Written by promptlab from Python objects. Paths outside of given/ are relative to the folder that the program named.\n"
GIVEN = "given"
"""The folder of what was given as objects, below the folder of the experiment's file."""
ROWS = ("items", "demos")
LIBRARY = "own"
"""The library of stimuli that are given as objects: the stimulus `calm` is `own/calm`."""


class Experiment(spec.Experiment):
    """An experiment as Python objects: the keys of an experiment file, with values as in the file.

    Two keys take more. An element of `tasks` may be a dict with the keys of a task file, whose `items` (and `demos`) are a list of
    dicts or a pandas DataFrame; `columns` may be left out where the rows have `input` and `target`; `metric` may be a function of a
    module. `stimuli` may be a dict of name and text, or a list that has one such dict in it: the stimulus `calm` is then `own/calm`.

    `folder` is what paths are relative to (`task_files`, `stimulus_files`, cues, programs). FileProblems lists everything that is wrong.
    """

    model_config = ConfigDict(defer_build=False)  # its signature is that of `__init__` once it is built

    _folder: Path = PrivateAttr()
    _files: dict[str, str] = PrivateAttr()
    """What was given as objects, as files: text by path from the experiment's file."""
    _places: dict[str, str] = PrivateAttr()
    """The place of each file's object, such as `tasks[0]`, by the same path."""
    _code: dict[str, str | None] = PrivateAttr()
    """Functions that were given as objects, by name: the folder that their module is imported from."""

    def __init__(
        self,
        *,
        name: str,
        question: str,
        tasks: Sequence[str | Mapping[str, Any]],
        models: Sequence[str | Mapping[str, Any]],
        stimuli: Mapping[str, Any] | Sequence[str | Sequence[str] | Mapping[str, Any]] = (),
        folder: str | Path = ".",
        **more: Any,  # noqa: ANN401
    ) -> None:
        files: dict[str, str] = {}
        places: dict[str, str] = {}
        code: dict[str, str | None] = {}
        fields = {"name": name, "question": question, "tasks": _tasks(tasks, files, places, code), "models": models}
        fields |= {"stimuli": _stimuli(stimuli, files, places)} if stimuli else {}
        for key, given in (("task_files", "tasks["), ("stimulus_files", "stimuli")):
            own = [path for path, place in places.items() if place.startswith(given)]
            if own or key in more:
                fields[key] = [*more.pop(key, ()), *own]
        document = _document(_plain({**fields, **more}))
        with _placed(Path(), document, {}):
            checked = validate(document, spec.Experiment)
        super().__init__(**{key: getattr(checked, key) for key in checked.model_fields_set})
        self._folder, self._files, self._places, self._code = Path(folder), files, places, code


def given_code(experiment: spec.Experiment) -> Mapping[str, str | None]:
    """Functions that the caller's own code gave an experiment, by name, each with the folder that its module is imported from."""
    return experiment._code if isinstance(experiment, Experiment) else {}


@contextlib.contextmanager
def as_files(experiment: spec.Experiment) -> Iterator[tuple[Document, Path, Mapping[str, str]]]:
    """The experiment as a document whose folder holds what was given as objects, for as long as the context is open.

    With it the folder that other paths are relative to, and the texts of these files by their paths from the document. A problem of
    one of them that is raised inside is raised as one of the object.
    """
    files: dict[str, str] = {}
    places: dict[str, str] = {}
    base = Path()
    if isinstance(experiment, Experiment):
        files, places, base = experiment._files, experiment._places, experiment._folder
    with tempfile.TemporaryDirectory(prefix="promptlab-") as held:
        folder = Path(held)
        document = _document(experiment.model_dump(mode="json", exclude_unset=True), folder)
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        with _placed(folder, document, places):
            yield document, base, files


def _document(value: object, folder: Path = Path()) -> Document:
    try:
        text = NOTE + written(value)
        text.encode()
    except (ValueError, TypeError) as error:
        raise FileProblems.one("experiment", f"holds what no file can hold: {error}") from None
    return parsed(folder / FILE, text)


@contextlib.contextmanager
def _placed(folder: Path, document: Document, places: Mapping[str, str]) -> Iterator[None]:
    """Problems of files in `folder` as problems of the objects that were written there."""
    try:
        yield
    except FileProblems as error:
        of_file: dict[Path, tuple[str, Document | None]] = {folder / path: (place, None) for path, place in places.items()}
        of_file[document.path] = "", document
        rows = {folder / GIVEN / f"{Path(path).stem}.{key}.jsonl": f"{places[path]}.{key}" for path in places for key in ROWS}
        found = []
        for problem in error.problems:
            message = problem.message.replace(f"{folder}/", "") if folder.parts else problem.message
            if problem.file in of_file:
                place, known = of_file[problem.file]
                loc = _locs(known or parsed(problem.file, problem.file.read_text(encoding="utf-8"))).get(problem.line or 0, ())
                inside = loc[1:] if known is None and loc[:1] == ("stimuli",) else loc  # its place says that
                found.append(Problem(Path(_spelled(place, inside) or "experiment"), None, message))
            elif problem.file in rows:  # the message says which row
                found.append(Problem(Path(rows[problem.file]), None, message))
            else:
                found.append(problem)
        raise FileProblems(list(dict.fromkeys(found))) from None


def _locs(document: Document) -> dict[int, Loc]:
    """What is on each line: of several the outermost."""
    found: dict[int, Loc] = {}
    for loc, line in document.lines.items():
        if line not in found or len(loc) < len(found[line]):
            found[line] = loc
    return {line: loc for line, loc in found.items() if loc}


def _spelled(place: str, loc: Loc) -> str:
    for part in loc:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _tasks(tasks: Sequence[str | Mapping[str, Any]], files: dict[str, str], places: dict[str, str], code: dict[str, str | None]) -> object:
    """The names of the tasks; those that are objects are written to `files`, and their functions to `code`."""
    if isinstance(tasks, str) or not isinstance(tasks, Sequence):
        return tasks  # which the file's own rules refuse
    names = []
    for index, task in enumerate(tasks):
        place = f"tasks[{index}]"
        if not isinstance(task, Mapping):
            names.append(task)
            continue
        name = task.get("name")
        if not isinstance(name, str) or not re.fullmatch(NAME, name):
            raise FileProblems.one(place, f"'name' must be letters, digits, '.', '_' or '-', at most 64; found {name!r}")
        if name in names:
            raise FileProblems.one(place, f"two tasks are called {name!r}; give one of them another 'name'")
        names.append(name)
        own = dict(task)
        for key in ROWS:
            if key in own and not (isinstance(own[key], str) and own[key].startswith("hf:")):
                rows = _rows(own[key], f"{place}.{key}")
                files[f"{GIVEN}/{name}.{key}.jsonl"] = "".join(f"{row}\n" for row in rows)
                own[key] = f"{name}.{key}.jsonl"
                if key == "items" and "columns" not in own and rows and {"input", "target"} <= set(json.loads(rows[0])):
                    own["columns"] = {"input": "input", "target": "target"}
        if callable(metric := own.get("metric")):
            own["metric"] = _name_of(metric, f"{place}.metric")
            code[own["metric"]] = _imported_from(metric)
        files[f"{GIVEN}/{name}.yaml"] = _document(_plain(own)).text
        places[f"{GIVEN}/{name}.yaml"] = place
    return names


def _rows(given: Any, place: str) -> list[str]:  # noqa: ANN401
    """Rows as lines of JSON: of a DataFrame, or of a list of dicts."""
    rows = given.to_dict("records") if hasattr(given, "to_dict") else given
    if isinstance(rows, str | Mapping) or not isinstance(rows, Sequence):
        raise FileProblems.one(
            place, "must be a list of dicts, a pandas DataFrame, or hf:owner/name; for a table in a file name a task file under task_files"
        )
    lines = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(json.dumps(_plain(row), ensure_ascii=False))
            lines[-1].encode()
        except (TypeError, ValueError) as error:
            raise FileProblems.one(place, f"row {number} holds what no file can hold: {error}") from None
    return lines


def _name_of(function: Callable[..., Any], place: str) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or not name.isidentifier():
        raise FileProblems.one(
            place, "a metric given as a function must be defined with def in a module of its own: its source is part of what a run is"
        )
    return f"{module}:{name}"


def _imported_from(function: Callable[..., Any]) -> str | None:
    """The folder that the packages of a function's module lie in; None for a module without a file."""
    module = sys.modules[function.__module__]
    path = Path(getattr(module, "__file__", None) or "")
    depth = module.__name__.count(".") + (path.name == "__init__.py")
    return str(path.resolve().parents[depth]) if path.suffix == ".py" else None


def _stimuli(stimuli: Any, files: dict[str, str], places: dict[str, str]) -> object:  # noqa: ANN401
    """The stimuli as a file names them; a dict of texts becomes a library, which is named whole."""
    alone = isinstance(stimuli, Mapping)
    entries = [stimuli] if alone else stimuli
    dicts = {f"stimuli[{i}]": entry for i, entry in enumerate(entries) if isinstance(entry, Mapping)}
    if len(dicts) > 1:
        raise FileProblems.one(list(dicts)[1], "a second dict of texts; put all of them into one")
    for place, texts in dicts.items():
        library = [{"key": key, **(given if isinstance(given, Mapping) else {"text": given})} for key, given in texts.items()]
        value = {"library": LIBRARY, "source": "the user's own", "stimuli": library}
        files[f"{GIVEN}/_{LIBRARY}.yaml"] = _document(_plain(value)).text
        places[f"{GIVEN}/_{LIBRARY}.yaml"] = "stimuli" if alone else place
    return [f"{LIBRARY}/*" if isinstance(entry, Mapping) else entry for entry in entries]


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Objects as data that a file can hold: blocks of an experiment, tuples, and numbers of numpy."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return _plain(value.tolist()) if hasattr(value, "tolist") else value

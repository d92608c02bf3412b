"""A proposal as files: a task file, an experiment file with comments, and a copy of the table where one is needed."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptlab.nouns import UsageProblem, family_of, inert
from promptlab.sources.encodings import as_utf8
from promptlab.sources.own.rows import HALF_A_PAIR
from promptlab.sources.prices import PriceTable
from promptlab.sources.spec.libraries import Library
from promptlab.sources.spec.models import ModelEntry
from promptlab.sources.spec.strict_yaml import load, read, written
from promptlab.sources.starting.columns import missing
from promptlab.sources.starting.proposing import Proposal
from promptlab.sources.tables import content_of

MOST_ITEMS = 300
"""Items that a first experiment asks."""
BUDGET_USD = 2.0
MODELS: Mapping[str, str] = {"OPENAI_API_KEY": "openai/gpt-4o-mini", "ANTHROPIC_API_KEY": "anthropic/claude-haiku-4-5"}
"""Which model is proposed where the environment has a key."""
SENTENCES = """# Sentences to add to each prompt, each judged against neutral ones of its length (a file of your own: docs/start.md):
# stimulus_files: [sentences.yaml]
# stimuli: [sentences/*]
"""


@dataclass(slots=True)
class Started:
    """Files by name, as text, and which of them to run."""

    name: str
    experiment: str
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What another tool's file says and these files do not."""


def judge_of(model: str, wanted: str | None = None) -> tuple[Any, list[str]]:
    """Who rates a model's free texts, as a task file names it, and what is to be said of that.

    Where nobody is wanted: of the models whose key the environment has one of another family; else the tested model's own kin, which
    may prefer its own answers. By a name of its own, since the same model may be the one under test.
    """
    if wanted is None and model.startswith("sim/"):
        return "sim/reader", []
    usable = [name for key, name in MODELS.items() if os.environ.get(key)] or [*MODELS.values()]
    judge = wanted or min(usable, key=lambda name: family_of(name) == family_of(model))
    if family_of(judge) == family_of(model) != "":
        note = f"the judge {judge} is of the tested model's family and may prefer its answers"
    else:
        note = f"the judge is {judge}"
    return (judge if judge.startswith("sim/") else {"model": judge, "name": "judge"}), [f"{note}; --judge MODEL names another"]


def plain_name(text: str, other: str = "task") -> str:
    """A name for files and tasks: letters, digits, '.', '_' and '-'."""
    found = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("_.-")[:48].rstrip("_.-")
    return found if re.match(r"[A-Za-z0-9]", found) else other


@dataclass(frozen=True, slots=True)
class Given:
    """What the user has already: the task in a sentence, files with prompts (the one in use first) and with sentences, a judge."""

    name: str | None = None
    ask: str | None = None
    prompts: Sequence[Path] = ()
    sentences: Path | None = None
    judge: str | None = None


def start(made: Proposal, model: str, folder: Path, given: Given = Given()) -> Started:
    """The files of a proposal, to be written into `folder`."""
    ask, name = given.ask, given.name
    looked = made.looked
    name = plain_name(name or Path(looked.source.removeprefix("hf:")).stem)
    started = Started(name, f"{name}.yaml", notes=list(made.notes))
    if made.copied:
        source = f"{name}_items.jsonl"
        started.files[source] = "".join(_line(row) for row in made.rows)
        started.notes.append(f"{looked.source} stays as it is; {source} is a copy of its rows, because it " + "; it ".join(made.copied))
    else:
        source = looked.source if looked.source.startswith("hf:") else os.path.relpath(looked.source, folder)
    columns = {
        "input": made.input, "target": made.target, "target_scores": made.graded, "choices": made.choices, "id": made.id,
        "cluster": made.cluster,
    }  # fmt: skip
    task: dict[str, Any] = {
        "items": source,
        **({} if made.copied else looked.where),
        "columns": {role: column for role, column in columns.items() if column},
        **({"labels": made.labels} if made.labels and made.metric != "listed" else {}),
        **({"separator": made.separator} if made.separator else {}),
        **({"target_is": made.target_is} if made.target_is != "text" else {}),
    }
    if given.judge and not made.rubric:
        raise UsageProblem("--judge is for answers that a judge rates: give a --rubric, too")
    if made.rubric:
        judge, notes = judge_of(model, given.judge)
        task["metric"] = {"rubric": {"judges": judge, "text": made.rubric}}
        started.notes += notes
    elif made.assertions:
        task["assertions"] = made.assertions
    else:
        task["metric"] = made.metric
    started.files[f"{name}_task.yaml"] = task_text(task, f"What each row of {source} asks, and what is right: {made.kind}.")
    prompts: dict[str, Any] = {}
    for path in given.prompts:
        label = next(n for n in _numbered(plain_name(path.stem, "prompt")) if n not in prompts)
        prompts[label] = {"file": os.path.relpath(path, folder)}
    if len(prompts) < 2:
        plain = prompt(made, ask)
        if not prompts:
            prompts = {"current": plain, "expert": _expert(made, ask)}
        elif not given.sentences:  # with sentences, one prompt is enough to compare
            prompts[next(n for n in _numbered("plain") if n not in prompts)] = plain
    started.files[started.experiment] = experiment_text(
        name,
        [f"{name}_task.yaml"],
        prompts,
        model,
        len(made.rows),
        note=""
        if given.prompts
        else "Put the prompt that you use today in the place of `current`, and the one to try in that of `expert`.",
        more=_sentences(given.sentences, name, folder, started) if given.sentences else None,
    )
    return started


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{n}" for n in itertools.count(2))


def _sentences(path: Path, name: str, folder: Path, started: Started) -> dict[str, Any]:
    """Keys of an experiment for the sentences of a file: a library, or a text file with a sentence in each line."""
    if path.suffix.lower() in (".yaml", ".yml"):
        library, file = load(path, Library)[0].library, os.path.relpath(path, folder)
    else:
        content, _ = as_utf8(path, content_of(path))
        lines = list(dict.fromkeys(line.strip() for line in content.decode().splitlines() if line.strip()))
        library, file = f"{name[:40]}_sentences", f"{name}_sentences.yaml"
        entries = [{"key": f"S{n}", "text": line} for n, line in enumerate(lines, 1)]
        started.files[file] = written({"library": library, "source": "our own", "stimuli": entries})
    return {"stimulus_files": [file], "stimuli": [f"{library}/*"]}


def _line(row: Mapping[str, Any]) -> str:
    line = json.dumps({name: value for name, value in row.items() if not missing(value)}, ensure_ascii=False, default=str)
    return HALF_A_PAIR.sub("?", line).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085") + "\n"


def prompt(made: Proposal, ask: str | None) -> Any:  # noqa: ANN401
    """The plain prompt: the instruction, and the row."""
    if made.is_chat:
        return [f"{{{made.input}}}"]
    order = {name: n for n, name in enumerate(made.looked.columns)}
    shown = [f"{_words(name)}: {{{name}}}" for name in sorted([*made.shown, made.input], key=lambda name: order.get(name, len(order)))]
    options = ["Options:\n{choices}"] if made.choices or made.graded else []
    return "\n\n".join([ask or instruction(made), *shown, *options])


def _expert(made: Proposal, ask: str | None) -> list[Any]:
    system = "You are a careful expert. Read everything first, and answer exactly what is asked, in the form that is asked for."
    plain = prompt(made, ask)
    if made.is_chat:
        return [{"role": "system", "content": system}, *plain]
    return [{"role": "system", "content": system}, {"role": "user", "content": plain}]


def instruction(made: Proposal) -> str:
    """The instruction, from the names of the columns and the kind of answer."""
    what, of = _words(made.target or "").lower(), _words(made.input).lower()
    known = "answer" if what in ("target", "expected", "gold", "output", "label", "correct answer", "answer key", "") else what
    if made.choices or made.graded:
        return f"Answer the {of} with one of the options. Reply with that option alone."
    if made.metric == "listed":
        return (
            f"Which {known} belong to this {of}? Choose from: {', '.join(made.labels)}. Reply with those alone, with commas between them."
        )
    if made.labels:
        return f"What is the {known} of this {of}? Reply with one of these alone: {{labels}}"
    if made.metric == "number":
        return f"Give the {known} of this {of}. Reply with the number alone."
    if made.rubric:
        return f"Answer this {of}." if made.target is None or known == "answer" else f"Give the {known} of this {of}."
    if made.assertions and "json" in made.assertions[0]:
        return f"Give the {known} of this {of} as JSON alone."
    return f"Give the {known} of this {of}. Reply with that alone, in a few words."


def _words(name: str) -> str:
    return " ".join(re.split(r"[\W_]+", name)).strip().capitalize() or name


def task_text(task: Mapping[str, Any], about: str) -> str:
    """A task file with its comments."""
    comments = {
        "columns": "which column holds what",
        "metric": "docs/reference/own-tasks.md lists the others",
        "assertions": "the score is their mean",
    }
    lines = [f"# {inert(about)} `promptlab task check` tries it."]
    for name, value in task.items():
        text = written({name: value}).rstrip("\n")
        lines.append(f"# {comments[name]}:\n{text}" if name in comments else text)
    return "\n".join(lines) + "\n"


def experiment_text(
    name: str,
    tasks: Sequence[str],
    prompts: Mapping[str, Any],
    model: str | Sequence[Any],
    n_items: int,
    *,
    note: str = "",
    sampling: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> str:
    """An experiment file over task files, with its comments."""
    models = [model] if isinstance(model, str) else list(model)
    simulated = all(isinstance(one, str) and one.startswith("sim/") for one in models)
    current, *others = prompts
    question = f"Is {' or '.join(others[:3])} better than {current}, the prompt in use?" if others else f"Does a sentence help {current}?"
    parts = [
        f"# promptlab plan {name}.yaml shows calls, price and what can be found; promptlab sweep {name}.yaml asks and judges.",
        written({"name": name, "question": question, "task_files": list(tasks), "tasks": [Path(t).stem for t in tasks]}).rstrip(),
        "# SIMULATED: name your model here, such as openai/gpt-4o-mini; its key comes from the environment." if simulated else "",
        written({"models": models}).rstrip(),
        f"# {note} {{column}} stands for a column of the table." if note else "",
        "prompts:",
        *(_entry(prompt_name, value) for prompt_name, value in prompts.items()),
        f"incumbent: {current}  # what the others are compared with",
        SENTENCES.rstrip() if not more else written(dict(more)).rstrip(),
        f"items: {min(n_items, MOST_ITEMS)}" + (f"  # of {n_items:,}" if n_items > MOST_ITEMS else ""),
        written({"sampling": dict(sampling)}).rstrip() if sampling else "",
        "seed: 1",
        f"budget_usd: {BUDGET_USD:g}  # it stops before it could spend more"
        if all(map(_has_price, models))
        else f"# budget_usd: {BUDGET_USD:g}  # a limit needs a price: write `price` to each model, see docs/reference/models.md",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _has_price(model: object) -> bool:
    entry = ModelEntry.model_validate({"model": model} if isinstance(model, str) else model).resolved()
    return entry.simulated or PriceTable.load().price(entry) is not None


def _entry(name: str, value: object) -> str:
    """One prompt, its text as a block where that reads back as it was."""
    if isinstance(value, str) and _is_block(value):
        return f"  {name}: |-\n" + "\n".join(f"    {line}" if line else "" for line in value.split("\n"))
    if isinstance(value, list) and all(isinstance(part, str) or _is_block(part["content"]) for part in value):
        lines = [f"  {name}:"]
        for part in value:
            if isinstance(part, str):
                lines.append(f"    - {json.dumps(part, ensure_ascii=False)}")
            else:
                block = "\n".join(f"        {line}" if line else "" for line in part["content"].split("\n"))
                lines.append(f"    - role: {part['role']}\n      content: |-\n{block}")
        return "\n".join(lines)
    return "\n".join(f"  {line}" for line in written({name: value}).rstrip("\n").split("\n"))


def _is_block(text: str) -> bool:
    return bool(text) and text == text.strip() and all(line == inert(line) and line.isprintable() for line in text.split("\n"))


def example_files(path: Path) -> dict[str, str]:
    """A shipped experiment and every file that it, or a task file of it, names in its folder: by path from there, as text."""
    found = {path.name: path.read_text(encoding="utf-8")}
    todo = [path]
    while todo:
        here = todo.pop()
        for word in _texts_in(read(here).value):
            other = here.parent / word.split(":", 1)[0]
            for candidate in (other, other.with_name(other.name + ".py")):
                inside = candidate.is_file() and candidate.resolve().is_relative_to(path.parent.resolve())
                name = candidate.relative_to(path.parent).as_posix() if inside else ""
                if name and name not in found:
                    found[name] = candidate.read_text(encoding="utf-8")
                    if candidate.suffix == ".yaml":
                        todo.append(candidate)
    return found


def _texts_in(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() and "\n" not in value and len(value) < 200 else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts_in(part)]

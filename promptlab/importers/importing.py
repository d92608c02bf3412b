"""One import from files to a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from promptlab.importers import counts, inspect_log, lm_eval, promptfoo, promptfoo_files, tabular
from promptlab.importers.files import File, Stream, read_file
from promptlab.importers.pairing import Paired, pair
from promptlab.importers.record import NAME, Import, run_name, write
from promptlab.importers.results import BY_MODEL, COLUMNS, Kind, Options, Reading
from promptlab.importers.values import name_of, refusal
from promptlab.nouns import NONE_ARM, PlannedArm, UsageProblem, filled
from promptlab.planning.hashes import nothing_to_collect
from promptlab.sources import tables

READERS: Mapping[Kind, tuple[Callable[[Sequence[File], Options], Reading], frozenset[str]]] = {
    "promptfoo": (promptfoo.read, frozenset({"item", "arm", "cluster", "metric", "arm-name", "task-name"})),
    "inspect": (inspect_log.read, frozenset({"arm", "scorer", "arm-name", "task-name"})),
    "lm-eval": (lm_eval.read, frozenset({"arm", "metric", "arm-name", "task-name"})),
    "table": (tabular.read, frozenset({*(name.replace("_", "-") for name in COLUMNS), "metric", "wide", "sheet", "arm-name", "task-name"})),
    "counts": (counts.read, frozenset({"arm", "model", "task", "cluster", "per-model"})),
}
"""How files of a kind are read, and the flags that mean something for them.

Other flags are refused, because one without effect would not be noticed. --baseline, --placebo, --arms, --drop, --scale,
--lower-is-better, --all-asked and --force mean something for all.
"""
Watch = Callable[[str, float], None]
"""Called with what is being done, and how much of it is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class SignTest:
    """The exact sign test of one arm that was made up from counts, and Holm over all arms of its model and task."""

    model: str
    task: str
    arm: str
    gained: int
    lost: int
    p_exact: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Brought:
    """What was imported, and where it is."""

    folder: Path
    written: bool
    kind: Kind
    arms: tuple[PlannedArm, ...]
    n_results: int
    n_items: int
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    tools: tuple[str, ...]
    guessed: tuple[str, ...]
    notes: tuple[str, ...]
    sign_tests: tuple[SignTest, ...]


def bring(
    paths: Sequence[Path],
    runs: Path,
    options: Options | None = None,
    *,
    name: str | None = None,
    arm_names: Mapping[str, str] | None = None,
    watch: Watch = lambda what, share: None,
) -> Brought:
    """Import files of another tool as one run below `runs`; the same files and options give the same run.

    `arm_names` gives the arm of a file by its path as in `paths`, or by its bare name. `watch` receives how far a long import is.
    Raises FileProblems for what is wrong with a file, UsageProblem for a choice that has to be made or was made wrongly; nothing is
    written then.
    """
    options = options or Options()
    if name is not None and not NAME.match(name):
        raise UsageProblem(f"--name {name!r}: names hold letters, digits, dots, dashes and underscores, begin with a letter or digit, and "
                           "have at most 64 characters")  # fmt: skip
    if options.scale is not None and not options.scale[0] < options.scale[1]:
        raise UsageProblem(f"--scale {options.scale[0]:g},{options.scale[1]:g}: the low end must be below the high end")
    files = read_files(paths, arm_names or {}, watch)
    kind = kind_of_all(files, options)
    with nothing_to_collect():
        try:
            reading = read_as(kind, files, options)
            paired = pair(reading, options, files, READERS[kind][1])
        except RecursionError:
            raise refusal(files[0].path, "nested too deeply, which no evaluation tool writes") from None
        chosen = name or run_name(files[0].path.name.split(".")[0] if len(files) == 1 else min(paired.items))
        what = Import(chosen, paired, reading, options, _given_arms(files))
        tests = sign_tests(paired) if reading.reconstructed else ()
        folder, written = write(what, runs, [sign_words(tests)] if tests else [], partial(watch, "writing the run"))
    return filled(
        Brought,
        paired,
        reading,
        folder=folder,
        written=written,
        kind=kind,
        n_results=len(paired.results),
        n_items=sum(len(items) for items in paired.items.values()),
        tasks=tuple(paired.items),
        tools=reading.tools,
        sign_tests=tests,
    )


def _given_arms(files: Sequence[File]) -> dict[str, str]:
    """The arms that the user gave, by the digest of a file, in whatever order the files are."""
    named = [file for file in files if file.arm]
    return {file.sha256: ", ".join(sorted(str(other.arm) for other in named if other.sha256 == file.sha256)) for file in named}


def read_as(kind: Kind, files: Sequence[File], options: Options) -> Reading:
    """What files of one kind hold, with notes on how they had to be read."""
    reading = READERS[kind][0](files, options)
    notes = tuple(dict.fromkeys(note for file in files for note in file.notes))
    return replace(reading, notes=(*notes, *reading.notes)) if notes else reading


def kind_of_all(files: Sequence[File], options: Options) -> Kind:
    """The kind of the files; UsageProblem where there are several, or where a flag means nothing for it."""
    kinds = {str(file.path): kind_of(file) if options.kind == "auto" else options.kind for file in files}
    if len(set(kinds.values())) > 1:
        raise UsageProblem(
            "the files are of several tools (" + ", ".join(f"{n}: {k}" for n, k in kinds.items()) + "); import them one by one"
        )
    kind = next(iter(kinds.values()))
    _check_flags(kind, READERS[kind][1], options, any(file.arm for file in files))
    return kind


def kind_of(file: File) -> Kind:
    """Which tool wrote a file, from its name's end and its first content."""
    suffix = file.suffix
    if suffix in (".xlsx", ".xlsm"):
        return "table"
    if suffix == ".eval" or file.content[:2] == b"PK":
        return "inspect"
    if suffix in (".jsonl", ".ndjson"):
        first = file.content.lstrip().split(b"\n", 1)[0]
        try:
            row = json.loads(first)
        except (ValueError, RecursionError):
            return "table"  # whose reader says what is wrong, line by line
        if isinstance(row, dict) and lm_eval.is_sample(row):
            return "lm-eval"
        return "promptfoo" if isinstance(row, dict) and promptfoo_files.is_line(row) else "table"
    if suffix == ".json":
        return _kind_of_json(Stream(file))
    if suffix in (".yaml", ".yml"):
        return "promptfoo"
    if suffix in (".csv", ".tsv"):
        return "counts" if counts.are_counts(counts.header(file)) else "promptfoo" if promptfoo_files.is_table(file) else "table"
    if suffix in (*tables.READERS, ".xls", ".ods", ".numbers"):
        return "table"
    raise refusal(
        file.path,
        f"files that end in {suffix!r} are not read; known: .json, .jsonl, .eval, .yaml, .csv, .tsv, .xlsx, .parquet, "
        "and each of them packed "
        "as .gz. Tools that write pages or text (.html, .xml, .txt) write JSON or CSV as well: export that",
    )


def _kind_of_json(stream: Stream) -> Kind:
    keys = set()
    if stream.peek() == "[":
        first = next(stream.elements(), None)
        return "lm-eval" if isinstance(first, dict) and lm_eval.is_sample(first) else "table"
    for key in stream.members() if stream.peek() == "{" else ():
        keys.add(key)
        if {"eval", "status"} <= keys:
            return "inspect"
        if key == "results" and stream.peek() == "{":
            if promptfoo_files.is_results(stream):
                return "promptfoo"
        else:
            stream.value()
    return "table"


def sign_tests(paired: Paired) -> tuple[SignTest, ...]:
    """The exact sign test of each arm, adjusted by Holm over the arms of one model and task."""
    from promptlab.stats import adjust, mcnemar

    base = {(r.model, r.task, r.item): r.score for r in paired.results if r.arm == NONE_ARM}
    table: dict[tuple[str, str, str], list[int]] = {}
    for r in paired.results:
        before = base.get((r.model, r.task, r.item))
        if r.arm != NONE_ARM and before is not None and r.score is not None:
            cells = table.setdefault((r.model, r.task, r.arm), [0, 0, 0, 0])
            cells[(0 if r.score else 2) if before else (1 if r.score else 3)] += 1
    found = []
    for model, task in dict.fromkeys((model, task) for model, task, _ in table):
        mine = {arm: cells for (m, t, arm), cells in table.items() if (m, t) == (model, task)}
        exact = [float(mcnemar(*cells).p_exact) for cells in mine.values()]
        holm = adjust(exact, method="holm")
        found += [
            SignTest(model=model, task=task, arm=arm, gained=cells[1], lost=cells[2], p_exact=p, p_holm=float(q))
            for (arm, cells), p, q in zip(mine.items(), exact, holm, strict=True)
        ]
    return tuple(found)


def sign_words(tests: Sequence[SignTest]) -> str:
    """The exact tests as one note."""
    each = "; ".join(f"{t.arm} {t.gained} gained, {t.lost} lost, p = {t.p_exact:.4g}, after Holm {t.p_holm:.4g}" for t in tests[:40])
    kept = [t.arm for t in tests if t.p_holm <= 0.05]
    n = len({t.arm for t in tests})
    return f"exact sign tests, Holm over {n} arms: {each}. At 5 % after Holm {'nothing' if not kept else ', '.join(kept)} is left"


def _check_flags(kind: Kind, known: frozenset[str], options: Options, arm_names: bool) -> None:
    flags = {
        "metric": options.metric, "scorer": options.scorer, "per-model": options.per_model or None, "arm-name": arm_names or None,
        "wide": options.wide or None, "sheet": options.sheet, "task-name": options.task_name,
    }  # fmt: skip
    given = {*(name.replace("_", "-") for name in options.columns), *(flag for flag, value in flags.items() if value is not None)}
    if wrong := sorted(given - known):
        flag, *take = (f"--{name}".replace("_", "-") for name in (wrong[0], *sorted(known)))
        raise UsageProblem(f"{flag} means nothing for files of the kind {kind!r}, which take {', '.join(take)}")
    arm = options.columns.get("arm", BY_MODEL)
    if kind in ("inspect", "lm-eval") and arm != BY_MODEL:
        raise UsageProblem(
            f"--arm {arm}: files of the kind {kind!r} take --arm {BY_MODEL} only; name the arm of a file with --arm-name FILE=NAME"
        )


def read_files(paths: Sequence[Path], arm_names: Mapping[str, str], watch: Watch = lambda what, share: None) -> list[File]:
    """The files, each with the arm that the user gave it."""
    unused = set(arm_names)
    files = []
    names = [path.name for path in paths]
    for path in paths:
        key = next((k for k in (str(path), path.name) if k in arm_names), None)
        if key == path.name != str(path) and names.count(path.name) > 1:
            raise UsageProblem(f"--arm-name {key}=...: several files are called so; name them by their paths")
        unused.discard(key or "")
        files.append(read_file(path, None if key is None else name_of(arm_names[key]), partial(watch, f"reading {path.name}")))
    if unused:
        raise UsageProblem(f"--arm-name {min(unused)}=...: this file is not among those given")
    return files

"""What would be imported, and which choices there are: nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptlab.importers.importing import READERS, kind_of_all, read_as, read_files
from promptlab.importers.pairing import pair
from promptlab.importers.results import Kind, Options, Reading
from promptlab.importers.shapes import shaped
from promptlab.importers.tabular import read_rows
from promptlab.nouns import PromptlabError, listed

COMMON = ("baseline", "placebo", "arms", "drop", "scale", "lower-is-better", "all-asked", "force")


@dataclass(frozen=True, slots=True)
class Explained:
    """What was recognised. `arms` are (name, results, with a score, text); `open` says what must still be chosen, empty where nothing."""

    kind: Kind
    tools: tuple[str, ...]
    found: Mapping[str, str]
    arms: tuple[tuple[str, int, int, str], ...]
    open: str
    notes: tuple[str, ...]
    flags: tuple[str, ...]


def explain(paths: Sequence[Path], options: Options, arm_names: Mapping[str, str] | None = None) -> Explained:
    """What files hold as `bring` would read them; FileProblems where nobody can read them."""
    files = read_files(paths, arm_names or {})
    kind = kind_of_all(files, options)
    flags = tuple(f"--{flag}" for flag in (*sorted(READERS[kind][1]), *COMMON))
    found: dict[str, str] = {}
    if kind == "table":
        shapes = [shaped(read_rows(file, options.sheet)) for file in files]
        found["columns"] = listed(list(dict.fromkeys(name for shape in shapes for name in shape.table.columns)), 40)
        if scores := list(dict.fromkeys(name for shape in shapes for name in shape.scores)):
            found["scores"] = listed(scores, 20)
    tools: tuple[str, ...] = tuple(dict.fromkeys(s.shape.tool for s in shapes if s.shape)) if kind == "table" else (kind,)
    try:
        reading = read_as(kind, files, options)
    except PromptlabError as error:
        return Explained(kind, tools or ("a table",), found, arms=(), open=str(error), notes=(), flags=flags)
    found |= _facts(reading)
    sizes: Counter[str] = Counter(r.arm for r in reading.results)
    scored: Counter[str] = Counter(r.arm for r in reading.results if r.score is not None)
    arms = tuple((arm, n, scored[arm], reading.texts.get(arm, "")) for arm, n in sorted(sizes.items()))
    told, notes = "", reading.notes
    try:
        notes = pair(replace(reading, results=tuple(replace(r) for r in reading.results)), options, files, READERS[kind][1]).notes
    except PromptlabError as error:
        told = str(error)
    return Explained(kind, reading.tools, found, arms=arms, open=told, notes=notes, flags=flags)


def _facts(reading: Reading) -> dict[str, Any]:
    results = reading.results
    found = {
        "score": reading.metric,
        "scores": listed(reading.metrics, 20) if len(reading.metrics) > 1 else "",
        "direction": {None: "more is better (the files do not say)", True: "more is better", False: "less is better"}[
            reading.higher_is_better
        ],
        "models": listed(list(dict.fromkeys(r.model for r in results))),
        "tasks": listed(list(dict.fromkeys(r.task for r in results))),
        "items": f"{len({(r.task, r.item) for r in results}):,}",
        "guessed": "; ".join(reading.guessed),
    }
    return {name: value for name, value in found.items() if value}

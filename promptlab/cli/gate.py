"""`promptlab gate`: for continuous integration, whether a prompt may take the place of the one that runs today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from promptlab.cli import completing
from promptlab.cli.common import AllowCode, Concurrency, Runs, run_folder, say, source
from promptlab.nouns import EXIT_GATE, EXIT_INCOMPLETE, EXIT_OK, inert_json, known_secrets, redact


def gate(
    run: Annotated[
        str,
        Argument(
            metavar="RUN|FILE", help="A run, or an experiment file, which is run first.", autocompletion=completing.runs_and_experiments
        ),
    ],
    arm: Annotated[str | None, Option(help="The arm to judge; needed where the run has several besides the incumbent.")] = None,
    margin: Annotated[float | None, Option(min=0.01, max=100, help="Largest loss that passes, in points; default: the plan's.")] = None,
    max_cost_increase: Annotated[
        float | None, Option(metavar="PERCENT", help="Largest increase of the cost of an answer, in percent.")
    ] = None,
    summary: Annotated[Path | None, Option(help="Append a Markdown summary to this file.")] = None,
    junit: Annotated[Path | None, Option(help="Write JUnit XML to this file.")] = None,
    as_json: Annotated[bool, Option("--json", help="Print one line of JSON for each model and nothing else.")] = False,
    runs: Runs = Path("runs"),
    concurrency: Concurrency = 16,
    max_cost: Annotated[float | None, Option(min=0, help="Spending limit in USD where a file is run.")] = None,
    allow_code: AllowCode = False,
) -> None:
    """Test that an arm is not worse than the incumbent by more than a margin. Exit codes: 0 pass, 5 fail, 3 not enough data."""
    from promptlab.record.store import Run, write_whole
    from promptlab.reporting import gate as gates

    folder = _folder(run, runs, concurrency, max_cost, allow_code, quiet=as_json)
    found = gates.gate(Run(folder), arm, margin=margin, max_cost_increase=max_cost_increase)
    for one in found:
        say(inert_json(json.dumps(one.plain(), ensure_ascii=False)) if as_json else f"{'SIMULATED ' if one.simulated else ''}{one.words}")
        if one.next and not as_json:
            say(f"next: {one.next}")
    if summary is not None:
        summary.parent.mkdir(parents=True, exist_ok=True)
        with summary.open("a", encoding="utf-8", errors="replace") as file:
            file.write(redact(gates.to_markdown(found), known_secrets()))
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        write_whole(junit, redact(gates.to_junit(found), known_secrets()).encode("utf-8", "replace"))
    raise typer.Exit({gates.PASS: EXIT_OK, gates.FAIL: EXIT_GATE, gates.OPEN: EXIT_INCOMPLETE}[gates.worst(found)])


def _folder(given: str, runs: Path, concurrency: int, max_cost: float | None, allow_code: bool, *, quiet: bool) -> Path:
    """The run folder; an experiment file is run to its end first, and what it was answered before costs nothing."""
    from promptlab import api

    folder = run_folder(given)
    if folder.is_dir():
        return folder
    path = source(Path(given))
    return Path(api.run(path, runs=runs, concurrency=concurrency, max_cost=max_cost, allow_code=allow_code, progress=not quiet).folder)

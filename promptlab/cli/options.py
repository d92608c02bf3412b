"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlab.nouns import UsageProblem


def path(text: str | Path) -> Path:
    """A local folder, for commands that work in it."""
    if "://" in str(text):
        raise UsageProblem(f"{text}: this command needs a local folder; sweep, view and ls take an address")
    return Path(text)


def run_folder(text: str | Path) -> Path:
    """A run folder; one at an address is fetched first."""
    if "://" not in str(text):
        return Path(text)
    from promptlab.record.mirror import fetched

    return fetched(str(text))


ExperimentFile = Annotated[Path, typer.Argument(help="The experiment's YAML file.", show_default=False)]
Runs = Annotated[Path, typer.Option("--runs", envvar="PROMPTLAB_RUNS", help="Where run folders are kept.", parser=path, metavar="PATH")]
RunsAnywhere = Annotated[
    str,
    typer.Option("--runs", envvar="PROMPTLAB_RUNS", help="Where run folders are kept: a folder, or an address such as s3://bucket/runs."),
]
Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, max=1024, help="Calls under way at once.")]
LOOKS = 4
Sequential = Annotated[
    bool, typer.Option("--sequential", help=f"Plan {LOOKS} looks at which a sentence may stop early (analysis.looks of the experiment).")
]
Batch = Annotated[bool, typer.Option("--batch", help="Through the providers' batch APIs: half the price at most, within a day.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

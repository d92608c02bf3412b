"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ExperimentFile = Annotated[Path, typer.Argument(help="The experiment's YAML file.", show_default=False)]
Runs = Annotated[Path, typer.Option("--runs", envvar="PROMPTLAB_RUNS", help="Where run folders are kept.")]
Concurrency = Annotated[int, typer.Option("--concurrency", "-c", min=1, max=1024, help="Calls under way at once.")]
LOOKS = 4
Sequential = Annotated[
    bool, typer.Option("--sequential", help=f"Plan {LOOKS} looks at which a sentence may stop early (analysis.looks of the experiment).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

"""`promptlab paper`: tables, figures, Methods and appendices of a run for a publication."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from promptlab.cli.common import RunFolder, path, say
from promptlab.nouns import UsageProblem


def paper(
    run: RunFolder,
    to: Annotated[Path | None, Option("--to", help="The folder to write; default: `paper` in the run folder.", parser=path)] = None,
    force: Annotated[bool, Option("--force", help="Replace files of a paper that is there already.")] = False,
) -> None:
    """Write what a publication needs: LaTeX tables, figures, Methods, flow of trials, prompts, BibTeX, checklist, and a zip of it all."""
    from promptlab import api
    from promptlab.record.store import Run
    from promptlab.reporting.paper import licence_problem, write_kit

    folder = to or run / "paper"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not force:
        raise UsageProblem(f"{folder} is there already, perhaps with changes of yours; replace its files with --force, or add --to paper-2")
    report = api.report(run)
    document, archive = write_kit(Run(run), report, folder)
    say(f"written:       {document}{' (SIMULATED)' if report.simulated else ''}")
    say(f"archive:       {archive} ({archive.stat().st_size // 1000:,} kB)")
    say(f"compile:       cd {document.parent} && latexmk -pdf {document.name}")
    if problem := licence_problem(report):
        say(f"licences:      {problem}")

"""`promptlab runs`: list the run folders, verify one against what was frozen, repair a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.look import ls_runs
from promptlab.cli.options import AsJson, run_folder
from promptlab.cli.screen import print_json, print_rows, say
from promptlab.nouns.errors import EXIT_ERROR

runs = typer.Typer(name="runs", help="Run folders: list them, verify or repair one.", no_args_is_help=True)
runs.command("ls")(ls_runs)


@runs.command("repair")
def repair(
    run: Annotated[Path, typer.Argument(help="A run folder.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move aside what cannot be read, clear leftovers of killed processes, and put the manifest's counts right."""
    from promptlab.record.repair import repair as mend

    done = mend(run, dry_run)
    if as_json:
        print_json({**done._asdict(), "needed": done.needed, "dry_run": dry_run})
        return
    if not done.needed:
        say(f"{run}: nothing to repair ({done.n_trials:,} trials, {done.n_errors:,} errors)")
        return
    would = "would be " if dry_run else ""
    for name in done.leftovers:
        say(f"leftover:      {name} {would}removed; the process that wrote it has ended")
    if done.n_torn:
        say(f"journal:       {done.n_torn:,} torn line(s) {would}dropped; no such line was ever a recorded trial")
    for name, reason in done.aside:
        say(f"moved aside:   {name} {would}moved to damaged/{name}: {reason}")
    if done.aside:
        say(f"lost:          {done.n_lost:,} trials; the same sweep command asks them again, from the cache where it has their answers")
    if done.paid_before_usd is not None and done.paid_before_usd - done.paid_usd > 1e-9:
        gone = done.paid_before_usd - done.paid_usd
        say(f"paid:          ${gone:.4f} that the lost trials cost no longer counts against budget_usd")
    say(f"{'would hold:' if dry_run else 'holds now:':15}{done.n_trials:,} trials, {done.n_errors:,} errors")


@runs.command("verify")
def verify(
    run: Annotated[str, typer.Argument(help="A run folder, or its address.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Compute again every hash that was frozen before the first call; exit code 1 if one differs."""
    from promptlab.planning.audit import DIFFERS, audit, result
    from promptlab.record.store import Run

    checks = audit(Run(run_folder(run)))
    if as_json:
        print_json({"run": run, "result": result(checks), "checks": [{**check._asdict(), "says": check.says} for check in checks]})
    else:
        print_rows(f"Hashes of {run}", [check.row() for check in checks], checks[0].row())
        say(result(checks))
    if any(check.says == DIFFERS for check in checks):
        raise typer.Exit(EXIT_ERROR)

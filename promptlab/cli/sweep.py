"""`promptlab check`, `plan` and `sweep`."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import LOOKS, Concurrency, ExperimentFile, Runs, Sequential
from promptlab.cli.plan import plan
from promptlab.cli.screen import say

if TYPE_CHECKING:
    from promptlab.run import Progress


def check(experiment: ExperimentFile) -> None:
    """Say everything that is wrong with an experiment file, and nothing if nothing is."""
    from promptlab.resolve import resolve

    study = resolve(experiment)
    for note in study.notes:
        say(f"note: {note}")
    say(f"{experiment}: ok ({study.design.n_trials:,} trials, run {study.run_id})")


def sweep(
    experiment: ExperimentFile,
    runs: Runs = Path("runs"),
    concurrency: Concurrency = 16,
    sequential: Sequential = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and send nothing.")] = False,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep and reuse paid answers.")] = True,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html into the run folder at the end.")] = True,
) -> None:
    """Run an experiment. The same command resumes where it ended; nothing recorded or cached is paid twice."""
    if dry_run:
        plan(experiment, concurrency, sequential=sequential)
        return
    from promptlab.official import home
    from promptlab.resolve import resolve
    from promptlab.sweep import run_sweep

    study = resolve(experiment, LOOKS if sequential else None)
    for note in study.notes:
        say(f"note: {note}")
    simulated = [model.name for model in study.design.models if model.simulated]
    if simulated:
        say(f"SIMULATED. {', '.join(simulated)}: promptlab makes up the answers; they say nothing about any real model.")
    say(f"run {study.run_id}: {study.design.n_trials:,} trials, {len(study.design.models)} model(s), {len(study.design.tasks)} task(s)")
    started = time.monotonic()
    with _watch(study.design.n_trials) as observe:
        done = run_sweep(study, runs, home() / "cache" if cache else None, concurrency, observe)
    _end(done, time.monotonic() - started, len(simulated), len(study.design.models))
    if done.progress.n_recorded_before + done.progress.n_done:
        from promptlab.cli.report import after_sweep

        after_sweep(done.folder, write_html=report)
    again = f"{me()} {' '.join(sys.argv[1:])}"
    if done.state == "complete":
        say(f"look at it:    {me()} view {done.folder}")
    elif done.state == "interrupted":
        say(f"interrupted; nothing is lost. Resume with:    {again}")
    elif done.state == "budget":
        say(f"{done.progress.budget_reached}. Raise budget_usd in a copy of the experiment, or keep what there is.")
    else:
        say(f"incomplete; the same command asks only for what is missing:    {again}")
    raise typer.Exit(done.exit_code)


def me() -> str:
    """This command as the user can type it again: by name where the shell finds it, else by its path."""
    if Path(sys.argv[0]).name != "promptlab":
        return "python -m promptlab"
    return "promptlab" if shutil.which("promptlab") else os.path.relpath(sys.argv[0])


def _end(done: Any, seconds: float, n_simulated: int, n_models: int) -> None:  # noqa: ANN401
    from promptlab.gateway.prices import paid_words

    p = done.progress
    paid = paid_words(p.paid_usd, p.n_unpriced, n_simulated, n_models)
    n_recorded = p.n_recorded_before + p.n_done
    say(
        f"{n_recorded:,} of {p.n_planned:,} trials recorded ({p.n_recorded_before:,} of them before), {p.n_sent:,} calls sent, "
        + (f"{p.n_skipped:,} not needed after a look, " if p.n_skipped else "")
        + f"{p.n_cached:,} answers from the cache, {p.n_errors:,} errors, {paid}, {seconds:.1f} s"
    )
    for message in p.stopped.values():
        say(f"stopped: {message}")
    if p.n_errors:
        say(f"last error: {p.last_error}")


class _watch:
    """Progress while a sweep runs: a live bar on a terminal, a plain line every few seconds elsewhere."""

    EVERY_S = 5.0

    def __init__(self, n_planned: int) -> None:
        self._n_planned = n_planned
        self._started = time.monotonic()
        self._said_at = self._started
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Any:  # noqa: ANN401
        if sys.stdout.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[detail]}"),
                TimeRemainingColumn(), refresh_per_second=4,
            )  # fmt: skip
            self._task = self._bar.add_task("trials", total=self._n_planned, detail="")
            self._bar.start()
        return self._observe

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _observe(self, p: Progress) -> None:
        now = time.monotonic()
        rate = p.n_done / max(now - self._started, 1e-6)
        detail = f"{rate:.0f}/s  ${p.paid_usd:.4f}  {p.n_errors} errors"
        done = p.n_recorded_before + p.n_done
        if self._bar is not None:
            self._bar.update(self._task, completed=done, detail=detail)
        elif now - self._said_at >= self.EVERY_S:
            self._said_at = now
            left = (p.n_planned - done) / rate if rate else float("nan")
            say(f"{done:,}/{p.n_planned:,} trials  {detail}  about {left:.0f} s left")

"""`promptlab` alone: what this folder holds, what the newest run found, and the next step."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from promptlab.cli.common import print_lines, say
from promptlab.nouns import PromptlabError

if TYPE_CHECKING:
    from promptlab.nouns import Manifest
    from promptlab.record.store import Run

SIGNS = {"complete": "✓", "running": "▶", "budget": "■", "interrupted": "‖", "incomplete": "!", "failed": "!"}
"""By the state of a run; others have a question mark."""
IS_EXPERIMENT = re.compile(r"^models\s*:", re.MULTILINE)
MOST_NAMED = 6
QUICK = 5_000
"""Answers up to which a run is judged for its last verdict; a larger one only where its verdicts are kept."""
AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))


class RunLine(NamedTuple):
    """A run as one line: sign and state, name, answers, failed, cost, and when."""

    state: str
    run: str
    answers: str
    failed: str
    cost: str
    when: str


def ago(when: str, now: datetime | None = None) -> str:
    """How long ago a time of a manifest is, in its largest unit."""
    try:
        then = datetime.fromisoformat(when)
    except ValueError:
        return "-"
    seconds = ((now or datetime.now(UTC)) - then.astimezone(UTC)).total_seconds()
    return next((f"{seconds // unit:.0f} {name} ago" for unit, name in AGES if seconds >= unit), "just now")


def run_line(run: Run, state: str | None = None, told: Manifest | None = None) -> RunLine:
    """The line of a run that can be read; `told` is how far it is, where that is known."""
    from promptlab.running.so_far import so_far

    m, state = told or so_far(run), state or run.state
    waits = m.batches.get("waiting_trials", 0)
    word = f"{state}, {waits:,} wait in batches" if waits else state
    n = m.counts
    answers = f"{n.done:,}" if n.done >= n.planned else f"{n.done:,}/{n.planned:,}"
    return RunLine(
        f"{SIGNS.get(state, '?')} {word}", run.id, answers, f"{n.errors:,}", _cost(m),
        ago(m.updated_at),
    )  # fmt: skip


def _cost(m: Manifest) -> str:
    """What was paid; with calls of unknown price only what is known, if anything is."""
    if m.simulated or m.imported:
        return "SIMULATED" if m.simulated else "-"
    if m.counts.unpriced:
        return f"> ${m.paid_usd:.4f}" if m.paid_usd else "unknown"
    return f"<= ${m.paid_usd + m.unsure_usd:.4f}" if m.unsure_usd else f"${m.paid_usd:.4f}"


def show_runs(lines: Sequence[RunLine]) -> None:
    """Runs as a table, one line a run from 80 columns on; a longer name loses its middle."""
    print_lines(["", "run", "answers", "failed", "cost", "when"], lines, right=(2, 3, 4, 5), cut=1, short=0)


def home(runs: Path) -> None:
    """Print the state of the folder and what to do next."""
    from promptlab import __version__
    from promptlab.record.store import Run, runs_in

    say(f"promptlab {__version__} in {Path.cwd()}")
    found: list[Run] = []
    for folder in runs_in(runs):
        try:
            found.append(Run(folder))
        except PromptlabError:
            continue
    say()
    if found:
        say(f"Runs in {runs}: {len(found)}")
        show_runs([run_line(run) for run in found[:MOST_NAMED]])
        if len(found) > MOST_NAMED:
            say(f"{len(found) - MOST_NAMED} more: promptlab runs ls")
        say()
        say(f"Last verdict ({found[0].id}): {_verdict(found[0])}")
    else:
        say(f"No runs in {runs}.")
    experiments = experiments_here()
    if experiments:
        named = ", ".join(map(str, experiments[:MOST_NAMED]))
        say(f"Experiments: {named}" + (f" and {len(experiments) - MOST_NAMED} more" if len(experiments) > MOST_NAMED else ""))
    say()
    say(f"Next: {_next(found, experiments, runs)}")
    say("All commands: promptlab --help")


def experiments_here() -> list[Path]:
    """The experiments of this folder and of `experiments` in it, by path."""
    return sorted(path for place in (Path(), Path("experiments")) for path in place.glob("*.yaml") if _is_experiment(path))


def _verdict(run: Run) -> str:
    """What the newest run says to do, where that takes no more than a moment."""
    from promptlab.reporting.build import build
    from promptlab.reporting.prepared import Store, is_kept
    from promptlab.reporting.summary import first_summaries

    try:
        if is_kept(run.folder):
            report = Store.of(run.folder).report
        elif run.manifest.counts.done <= QUICK:
            report = build(run)
        else:
            return f"promptlab report {_quoted(run)}"
        said = [
            f"{'SIMULATED ' if summary.simulated else ''}{summary.model}: {' '.join(filter(None, (summary.best, summary.advice)))}"
            for summary in first_summaries(report)
        ]
    except PromptlabError as error:
        return str(error)
    return "\n".join(said) or "nothing was planned to be judged"


def _next(found: Sequence[Run], experiments: Sequence[Path], runs: Path) -> str:
    where = "" if str(runs) == "runs" else f" --runs {shlex.quote(str(runs))}"
    if found and found[0].state not in ("complete", "running"):
        path = found[0].manifest.experiment_path
        return f"promptlab sweep {shlex.quote(path)}{where}" if path else f"promptlab report {_quoted(found[0])}"
    if found:
        return f"promptlab report {_quoted(found[0])}    or: promptlab view{where}"
    if experiments:
        first = next((path for path in experiments if path.stem == "quickstart"), experiments[0])
        return f"promptlab plan {shlex.quote(str(first))}{where}"
    return "promptlab init DATA.csv    or, without data and key: promptlab sweep quickstart"


def _quoted(run: Run) -> str:
    return shlex.quote(os.path.relpath(run.folder))


LARGEST = 2**20
"""Bytes of a file that may be an experiment; pipes, devices and longer files are none."""


def _is_experiment(path: Path) -> bool:
    from promptlab.sources.foreign import read_bytes

    try:
        return IS_EXPERIMENT.search(read_bytes(path, LARGEST).decode("utf-8")[:20_000]) is not None
    except (OSError, UnicodeDecodeError):
        return False

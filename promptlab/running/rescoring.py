"""Stored answers scored again: the experiment as it is now, over what a run recorded. Nothing is sent, and the run is not touched."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from promptlab.nouns import Scorer, UsageProblem
from promptlab.planning.resolve import Study, resolve
from promptlab.record.store import Run
from promptlab.running.bundle import BLOCK, of_run
from promptlab.running.cache import Cache
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import Sweep, run_sweep


def study_again(run: Run, experiment: Path | None = None, scorer: Scorer | None = None) -> Study:
    """The experiment of a run as its files are now, perhaps under another scorer; UsageProblem where that would be the same run.

    `experiment` is the file where it is no longer at the path that the run knows.
    """
    plan = run.plan
    if plan.imported:
        raise UsageProblem(f"{run.folder}: an imported run holds no requests, so its answers cannot be scored again")
    path = experiment or Path(run.manifest.experiment_path or "")
    if not path.is_file():
        raise UsageProblem(f"the run comes from {path}, which is not there; name the file with --experiment")
    study = resolve(path, len(plan.looks) or None, scorer=scorer)
    if study.run_id == run.id:
        raise UsageProblem(f"{run.id}: nothing has changed since, neither the metric nor the scorer, so there is nothing to score again")
    return study


def rescore(run: Run, study: Study, runs: Path, observe: Callable[[Progress], None]) -> Sweep:
    """A sweep of `study` whose answers all come from the record of `run`; trials that need another answer are left out and counted."""
    with tempfile.TemporaryDirectory(prefix="promptlab-") as folder:
        answers = Cache(Path(folder))
        found = of_run(run)
        while block := list(islice(found, BLOCK)):
            answers.put_many(block)
        answers.close()
        return run_sweep(study, runs, Path(folder), Execution(cache="replay"), observe)

"""One sweep from a resolved study to a recorded run: plan frozen, trials run and appended, manifest kept true all the while."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import promptlab
from promptlab.cache import Cache
from promptlab.design import trials
from promptlab.errors import EXIT_BUDGET, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, RunProblem
from promptlab.gateway import Gateway
from promptlab.plan import make_plan
from promptlab.resolve import Study
from promptlab.run import Budget, Engine, Progress, rows, unrecorded
from promptlab.schema import digest
from promptlab.scoring import task_metric
from promptlab.simulate import World
from promptlab.stats import Looks
from promptlab.store import FORMAT, Run, RunWriter, now

State = Literal["running", "complete", "incomplete", "budget", "interrupted", "failed"]
MANIFEST_EVERY_S = 2.0
PACKAGES = ("litellm", "openai", "numpy", "scipy", "statsmodels", "pandas", "pyarrow", "diskcache")


@dataclass(frozen=True, slots=True)
class Sweep:
    """How a sweep ended."""

    folder: Path
    state: State
    progress: Progress

    @property
    def exit_code(self) -> int:
        return {"complete": EXIT_OK, "budget": EXIT_BUDGET, "interrupted": EXIT_INTERRUPTED}.get(self.state, EXIT_INCOMPLETE)


def run_sweep(study: Study, runs: Path, cache_folder: Path | None, concurrency: int, observe: Callable[[Progress], None]) -> Sweep:
    """Run what is not recorded yet. The same study always goes to the same folder, so that the same command resumes."""
    folder = runs / study.run_id
    try:
        writer = RunWriter(folder)
    except OSError as error:
        raise RunProblem(f"{folder}: cannot be written: {error.strerror}; choose another place with --runs") from None
    try:
        return asyncio.run(_sweep(study, writer, cache_folder, concurrency, observe))
    finally:
        writer.close()


async def _sweep(
    study: Study, writer: RunWriter, cache_folder: Path | None, concurrency: int, observe: Callable[[Progress], None]
) -> Sweep:
    design = study.design
    recorded = writer.recorded()
    plan = freeze(study, writer)
    progress = Progress(n_planned=design.n_trials, n_recorded_before=len(recorded.trials))
    manifest = _Manifest(study, writer, progress, digest(plan), recorded.paid_usd)
    manifest.write("running")
    cache = Cache(cache_folder) if cache_folder else None
    world = World(design, study.sims) if any(model.simulated for model in design.models) else None
    state: State = "failed"
    try:
        if len(recorded.trials) < design.n_trials:
            gateway = Gateway(design.models, study.prices, world)
            engine = Engine(
                design=design,
                metrics={
                    (task.id, model.name): task_metric(task, study.experiment.scorer, model.name)
                    for task in design.tasks
                    for model in design.models
                },
                sampling=study.experiment.sampling.asked(),
                prices=study.prices,
                gateway=gateway,
                cache=cache,
                budget=Budget(study.experiment.budget_usd, spent_usd=recorded.paid_usd),
                progress=progress,
                programs=study.programs,
            )
            manifest.effective = engine.effective()
            stop = _stop_on_interrupt()
            looks = Looks.thawed(plan, writer.looks()) if plan.get("looks") else None
            every, start = trials(design), 0
            for number, end in enumerate(looks.ends if looks else [design.n_trials]):
                unneeded = looks.unneeded() if looks else frozenset()
                todo = unrecorded(engine, islice(every, end - start), recorded.trials, unneeded)
                async with aclosing(rows(engine, todo, concurrency, stop)) as finished:
                    async for row, calls in finished:
                        writer.append(row, calls)
                        manifest.seen(row)
                        observe(progress)
                if stop.is_set() or progress.budget_reached:
                    break
                start = end
                if looks and end < design.n_trials and looks.decide(Run(writer.folder).trials(), number):
                    writer.write_json("looks.json", looks.frozen())
            interrupted = stop.is_set()
        else:
            interrupted = False
        state = _state(progress, interrupted)
        return Sweep(writer.folder, state, progress)
    finally:
        manifest.write(state)
        observe(progress)
        if cache:
            cache.close()


def freeze(study: Study, writer: RunWriter) -> dict[str, Any]:
    """Write plan, items and experiment once; a run that has them keeps them."""
    plan = make_plan(study)
    if not (writer.folder / "plan.json").exists():
        writer.write_text("experiment.yaml", study.text)
        writer.write_items(study.design.tasks)
        writer.write_json("plan.json", plan)
    return plan


def _state(progress: Progress, interrupted: bool) -> State:
    if interrupted:
        return "interrupted"
    if progress.budget_reached:
        return "budget"
    n_good = progress.n_recorded_before + progress.n_done - progress.n_errors
    return "complete" if n_good + progress.n_skipped >= progress.n_planned else "incomplete"


def _stop_on_interrupt() -> asyncio.Event:
    """The first Ctrl-C (or SIGTERM) stops sending and lets paid requests finish; the second ends at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle() -> None:
        if stop.is_set():
            for task in asyncio.all_tasks(loop):
                task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, handle)
        except (ValueError, RuntimeError):  # not the main thread: whoever embeds this handles signals
            break
    return stop


class _Manifest:
    """What the run folder says about itself."""

    def __init__(self, study: Study, writer: RunWriter, progress: Progress, plan_digest: str, paid_before_usd: float) -> None:
        self._study = study
        self._writer = writer
        self._progress = progress
        self._plan_digest = plan_digest
        self._written_at = 0.0
        self._served: dict[str, set[str]] = {}
        self.effective: dict[str, Any] = {}
        before = self._before()
        self._created = before.get("created_at", now())
        self._sessions = int(before.get("sessions", 0)) + 1
        self._paid_before_usd = paid_before_usd
        self._sent_before = int(before.get("counts", {}).get("sent", 0))
        self._unpriced_before = int(before.get("counts", {}).get("unpriced", 0))
        for name, versions in before.get("served", {}).items():
            self._served[name] = set(versions)

    def _before(self) -> dict[str, Any]:
        try:
            return Run(self._writer.folder).manifest
        except RunProblem:
            return {}

    def seen(self, row: dict[str, Any]) -> None:
        if row["model_version"]:
            self._served.setdefault(row["model"], set()).add(row["model_version"])
        if time.monotonic() - self._written_at > MANIFEST_EVERY_S:
            self.write("running")

    def write(self, state: State) -> None:
        study, progress = self._study, self._progress
        self._written_at = time.monotonic()
        simulated = [model.name for model in study.design.models if model.simulated]
        self._writer.write_json(
            "manifest.json",
            {
                "format": FORMAT,
                "id": self._writer.folder.name,
                "name": study.experiment.name,
                "question": study.experiment.question,
                "state": state,
                "simulated": bool(simulated),
                "simulated_models": simulated,
                "created_at": self._created,
                "updated_at": now(),
                "sessions": self._sessions,
                "counts": {
                    "planned": progress.n_planned,
                    "done": progress.n_recorded_before + progress.n_done,
                    "errors": progress.n_errors,
                    "cached": progress.n_cached,
                    "skipped": progress.n_skipped,
                    "sent": self._sent_before + progress.n_sent,
                    "unpriced": self._unpriced_before + progress.n_unpriced,
                },
                "paid_usd": self._paid_before_usd + progress.paid_usd,
                "last_error": progress.last_error,
                "stopped": progress.stopped,
                "budget_usd": study.experiment.budget_usd,
                "budget_reached": progress.budget_reached,
                "hashes": {**study.hashes, "plan": self._plan_digest},
                "prices": {
                    name: None
                    if p is None
                    else {"input_usd_per_mtok": p.input_usd_per_mtok, "output_usd_per_mtok": p.output_usd_per_mtok, "source": p.source}
                    for name, p in study.prices.items()
                },
                "models": {model.name: {"litellm_name": model.litellm_name, "api_base": model.api_base} for model in study.design.models},
                "effective": self.effective,
                "served": {name: sorted(versions) for name, versions in sorted(self._served.items())},
                "versions": _versions(),
                "commit": _commit(),
                "experiment_path": os.path.relpath(study.path),
            },
        )


def _versions() -> dict[str, str]:
    found = {"promptlab": promptlab.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of promptlab's own code, where it runs from a checkout."""
    root = Path(promptlab.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

"""What `import promptlab` offers: plan, run, judge and compare experiments from Python, in a script, a notebook or an event loop.

Everything heavy is imported when a function is called, so that `import promptlab` costs nothing. The command line calls these too.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
import warnings
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from promptlab.nouns import Plan, Scorer
    from promptlab.nouns.words import CacheUse
    from promptlab.record.store import Run
    from promptlab.reporting.pair import PairReport
    from promptlab.reporting.whole import Report
    from promptlab.running.progress import Progress
    from promptlab.sources.spec.experiment import Experiment

T = TypeVar("T")
CANCELLED_EVERY_S = 0.1
"""How often a blocked event loop looks whether its task is to end."""
ProgressShown = bool | Callable[["Progress"], None]


def plan(experiment: str | Path | Experiment, *, allow_code: bool = False) -> Plan:
    """What an experiment will send, cost and be able to detect, as `promptlab plan` shows it; sends nothing.

    The plan has attributes: `.counts.trials`, `.estimates` by model, `.power`, `.arms`, `.hypotheses`. FileProblems lists everything
    that is wrong with the experiment.
    """
    from promptlab.planning.plan import make_plan
    from promptlab.planning.resolve import resolve
    from promptlab.sources.spec.user import consent

    return make_plan(resolve(_source(experiment), consent=consent(allow_code)))


def run(
    experiment: str | Path | Experiment,
    *,
    runs: str | Path | None = None,
    cache: CacheUse = "use",
    max_cost: float | None = None,
    max_tokens: int | None = None,
    concurrency: int = 16,
    workers: int = 1,
    progress: ProgressShown = True,
    allow_code: bool = False,
    allow_keys: Sequence[str] = (),
) -> Run:
    """Run an experiment, from its file or as an object, and return the recorded run. The same call resumes where the last one ended.

    Works in a script and inside a running event loop, which it blocks; `arun` does not. Ctrl-C, or a notebook's interrupt, sends
    nothing more, records what is in flight and raises KeyboardInterrupt. The arguments are those of `arun`.
    """
    return _until_done(
        arun(
            experiment, runs=runs, cache=cache, max_cost=max_cost, max_tokens=max_tokens, concurrency=concurrency, workers=workers,
            progress=progress, allow_code=allow_code, allow_keys=allow_keys,
        )
    )  # fmt: skip


async def arun(
    experiment: str | Path | Experiment,
    *,
    runs: str | Path | None = None,
    cache: CacheUse = "use",
    max_cost: float | None = None,
    max_tokens: int | None = None,
    concurrency: int = 16,
    workers: int = 1,
    progress: ProgressShown = True,
    allow_code: bool = False,
    allow_keys: Sequence[str] = (),
) -> Run:
    """Run an experiment in the running event loop and return the recorded run; several may run at once.

    `runs` is the folder of run folders (the variable PROMPTLAB_RUNS, else `runs`). `cache`: use and keep paid answers, refresh them,
    leave the cache `off`, use `imported` answers too,
    or `replay` from it and send nothing. `max_cost` (USD) and `max_tokens` (input and output) limit the whole
    run, earlier sessions included. `concurrency` calls are in flight at once, over all of `workers` processes. `progress`: a bar where
    somebody sees it, False for none, or a function that is called with the counts. `allow_code` runs the code that files name (metrics,
    programs); functions that are given as objects are the caller's own and need no consent. `allow_keys` names the variables whose
    values a file may send to an address of its own.

    Cancelling it sends nothing more and records what is in flight before CancelledError is raised; a second time gives that up.
    A run that is not complete gives a UserWarning that says why; `.state` says it too. Errors: FileProblems, UsageProblem, RunProblem.
    """
    from promptlab.nouns import UsageProblem, home
    from promptlab.planning.resolve import resolve
    from promptlab.record.store import Run
    from promptlab.running.progress import Execution, place_of_python, watched
    from promptlab.running.sweep import arun_sweep
    from promptlab.sources.spec.user import consent

    folder = str(runs if runs is not None else os.environ.get("PROMPTLAB_RUNS", "runs"))
    if "://" in folder:
        raise UsageProblem(f"{folder}: runs must be a local folder here; `promptlab sweep --runs {folder}` works at an address")
    study = resolve(_source(experiment), consent=consent(allow_code))
    how = Execution(concurrency, cache, max_cost_usd=max_cost, max_tokens=max_tokens, workers=workers, allow_keys=tuple(allow_keys))
    place = watched(place_of_python() if progress else "nowhere") if isinstance(progress, bool) else contextlib.nullcontext(progress)
    with place as observe:
        done = await arun_sweep(study, Path(folder), home() / "cache", how, observe)
    if done.state != "complete":
        warnings.warn(f"{done.folder} is {done.state}: {done.reason}; the same call resumes it", stacklevel=2)
    return Run(done.folder)


def report(run: Run | str | Path, *, scorer: Scorer | None = None, force: bool = False) -> Report:
    """Judge a run, finished or not, by its frozen plan; with `scorer`, its stored answers are scored again. No request is sent.

    RunProblem where the run fails its audit; with `force` the report says so in place of that.
    """
    from promptlab.reporting.whole import whole

    return whole(_opened(run), scorer, force)


def compare(
    run: Run | str | Path,
    a: str = "none",
    b: str | None = None,
    *,
    other: Run | str | Path | None = None,
    model: str | None = None,
    other_model: str | None = None,
    prompt: str | None = None,
    other_prompt: str | None = None,
    setting: str | None = None,
    other_setting: str | None = None,
    strategy: str | None = None,
    force: bool = False,
) -> PairReport:
    """Pair arm `a` of a run with arm `b` of the same run, or of the run `other`, by item: b minus a. Exploratory, so without a verdict.

    `b` is the same arm where it is left out; an arm may be the name of a whole prompt. `model`, `prompt`, `setting` (an id), those of
    the other side, and `strategy` say which ones are meant where there are several.
    UsageProblem where runs were sent different sampling parameters, unless `force` is given.
    """
    from promptlab.reporting.pair import paired

    first = _opened(run)
    second = first if other is None else _opened(other)
    return paired(
        first, second, a, b or a, models=(model, other_model or (model if other is None else None)), strategy=strategy, force=force,
        prompts=(prompt, other_prompt or prompt), settings=(setting, other_setting or setting),
    )  # fmt: skip


def _opened(run: Run | str | Path) -> Run:
    from promptlab.record.mirror import open_run

    return open_run(run) if isinstance(run, str | Path) else run


def _source(experiment: str | Path | Experiment) -> Path | Experiment:
    return Path(experiment) if isinstance(experiment, str | Path) else experiment


def _until_done(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns; inside a running event loop it has a loop of its own, in a thread."""
    try:
        around = asyncio.current_task()
    except RuntimeError:
        return asyncio.run(coroutine)
    begun, done = threading.Event(), threading.Event()
    found: list[T] = []
    failed: list[BaseException] = []
    inner: list[asyncio.Task[T]] = []

    async def alone() -> None:
        inner.append(asyncio.ensure_future(coroutine))
        begun.set()
        try:
            found.append(await inner[0])
        except BaseException as error:
            failed.append(error)

    def cancel() -> None:
        begun.wait()
        with contextlib.suppress(RuntimeError):  # its loop has just ended
            inner[0].get_loop().call_soon_threadsafe(inner[0].cancel)

    def work() -> None:
        try:
            asyncio.run(alone())
        finally:
            done.set()

    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="promptlab-run").start()
    interrupted: type[BaseException] | None = None
    while not done.is_set():
        try:
            done.wait(CANCELLED_EVERY_S)
            if interrupted is None and around is not None and around.cancelling():
                interrupted = asyncio.CancelledError  # by Ctrl-C under `asyncio.run`, or from another thread
                cancel()
        except KeyboardInterrupt:  # the second one gives up what is under way
            interrupted = KeyboardInterrupt
            cancel()
    if found:
        return found[0]
    raise interrupted() if interrupted is not None else failed[0]

"""Trials become rows, many at a time, yielded when they may be recorded. The only place with concurrency besides gateway and cache."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Set
from typing import TYPE_CHECKING

from promptlab.nouns import BudgetReached, ProviderStopped, Trial
from promptlab.running.cache import NotCached, Unsent
from promptlab.running.engine import BLOCK, Engine, Pending
from promptlab.running.progress import Progress
from promptlab.running.trial_rows import Rows

if TYPE_CHECKING:
    from promptlab.stats import ArmKey

WATCH_EVERY_S = 5.0
GC_EVERY = 100_000
"""New objects after which the youngest are looked through; Python looks after 700, which is often where a call makes hundreds."""
SWITCH_S = 0.0005
"""After which a thread that waits for the interpreter gets its turn; Python's own 5 ms are as much as an answer takes."""

_TUNED: list[tuple[tuple[int, int, int], float]] = []
"""What the interpreter was set to, for each who asked to tune it: the first holds what it goes back to."""
_TUNED_LOCK = threading.Lock()


class _Workers:
    """At most `concurrency` tasks, each of which takes one trial after the other: what they bring lies in `over` and `stored`."""

    def __init__(self, engine: Engine, todo: Iterator[Trial], concurrency: int, stop: asyncio.Event) -> None:
        self.engine = engine
        self.ahead = engine.started(todo)
        self.concurrency = concurrency
        self.stop = stop
        self.tasks: set[asyncio.Task[None]] = set()
        self.broken: Exception | None = None
        """What nobody foresaw: nothing more is pending, and what is in flight finishes."""
        self.over: deque[tuple[int, Rows]] = deque()
        """Trials that were sent: the number of the last answer that must be kept before one is recorded, and what came of it."""
        self.stored: deque[Rows] = deque()
        """Trials that needed nothing."""
        self.news = asyncio.Event()
        engine.behind.on_kept = self.news.set
        engine.stop = stop

    def fill(self) -> None:
        """Start workers while there is something to do for them."""
        while len(self.tasks) < self.concurrency and (pending := self._following()) is not None:
            task = asyncio.create_task(self._work(pending))
            task.add_done_callback(self._ended)
            self.tasks.add(task)

    def take(self) -> list[Rows]:
        """The trials that may be recorded now."""
        taken = list(self.stored)
        self.stored.clear()
        while self.over and self.engine.behind.is_kept(self.over[0][0]):
            taken.append(self.over.popleft()[1])
        return taken

    async def wait(self, seconds: float) -> None:
        """Until there is news, or for so long."""
        self.news.clear()
        alarm = asyncio.get_running_loop().call_later(seconds, self.news.set)
        await self.news.wait()
        alarm.cancel()

    async def end(self) -> None:
        """Leave everything in flight."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _work(self, pending: Pending | None) -> None:
        """One trial after the other, the next when the answers of the last are kept: no more than `concurrency` can be lost."""
        while pending is not None:
            try:
                done = await self.engine.go_on(pending)
                self.over.append((pending.number, done))
            except Exception as error:
                if not _told(error, self.engine):
                    self.broken = self.broken or error
            if self.engine.behind.is_kept(pending.number):
                self.news.set()
                await asyncio.sleep(0)  # others' turn: a trial may have come to its end without waiting for anything
            else:
                await self.engine.behind.kept(pending.number)
            pending = self._following()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.news.set()

    def _following(self) -> Pending | None:
        """The next trial that needs an answer; those that need none are laid aside."""
        while len(self.stored) < BLOCK and self.broken is None and _goes_on(self.engine, self.stop):
            try:
                pending = next(self.ahead)
            except Exception as error:  # a cache that cannot be read any more
                self.broken = error
                return None
            if not isinstance(pending, tuple):
                return pending
            self.stored.append(pending)
            self.news.set()
        return None


async def rows(engine: Engine, todo: Iterator[Trial], concurrency: int, stop: asyncio.Event) -> AsyncGenerator[list[Rows], None]:
    """Run the trials of `todo`; yield those that finished since, at most `concurrency` in flight.

    Setting `stop` sends nothing more and waits for what is in flight: it is paid for. A stopped provider ends its own models
    only; a reached budget, or providers that fall silent, end the sweep. All are reported in `engine.progress`. `todo` may end and
    continue again: it is called once more whenever a trial finishes.
    """
    progress, engine.payer.stop = engine.progress, stop
    workers = _Workers(engine, todo, concurrency, stop)
    try:
        while True:
            workers.fill()
            is_stored = bool(workers.stored)
            if taken := workers.take():
                yield [counted(some, progress) for some in taken]
                if is_stored:
                    await asyncio.sleep(0)
            elif not workers.tasks and not workers.over:
                engine.behind.flush()
                if (problem := engine.behind.failed or workers.broken) is not None:
                    raise problem
                return
            else:
                await workers.wait(WATCH_EVERY_S)
                if not workers.over and (why := engine.gateway.stalled()):
                    progress.stalled = why
                    return
    finally:
        await workers.end()
        engine.behind.flush()


def _goes_on(engine: Engine, stop: asyncio.Event) -> bool:
    return not stop.is_set() and engine.progress.budget_reached is None and engine.behind.failed is None


@contextlib.contextmanager
def tuned() -> Iterator[None]:
    """The interpreter set up for many short calls, until the last of those who asked for it has ended.

    It looks for cycles of garbage less often, and not among what is there for good: calls make many objects that die by themselves.
    Threads that write take turns with the event loop sooner: a worker waits for them.
    """
    with _TUNED_LOCK:
        _TUNED.append((gc.get_threshold(), sys.getswitchinterval()))
        if len(_TUNED) == 1:
            gc.freeze()  # garbage as well, until the end: looking for it takes longer than starting
            gc.set_threshold(GC_EVERY, *gc.get_threshold()[1:])
            sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        with _TUNED_LOCK:
            before, interval_s = _TUNED[0]
            if len(_TUNED) == 1:
                sys.setswitchinterval(interval_s)
                gc.set_threshold(*before)
                gc.unfreeze()
            _TUNED.pop()


def unrecorded(engine: Engine, segment: Iterable[Trial], recorded: Set[str], unneeded: Set[ArmKey] = frozenset()) -> Iterator[Trial]:
    """Those trials of a segment that must be sent: not recorded yet, of no stopped provider, of no arm that an interim analysis ended."""
    for trial in segment:
        if _is_stopped(engine, trial) or (recorded and trial.id in recorded):
            continue
        if unneeded:
            arm = (trial.model, trial.arm.setting.id, trial.arm.name)
            if arm in unneeded or (*arm, trial.arm.setting.prompt or "") in unneeded:
                engine.progress.n_skipped += 1
                continue
        yield trial


def _is_stopped(engine: Engine, trial: Trial) -> bool:
    """Whether a trial's model is stopped, or one that judges its answer."""
    stopped = engine.progress.stopped
    return bool(stopped) and any(
        name in stopped for name in (trial.model, *(m.name for m in engine.scorings[trial.task, trial.model].models))
    )


def _told(error: Exception, engine: Engine) -> bool:
    """Whether a trial ended without a row for a reason that is no fault of promptlab's: then `progress` reports it."""
    progress = engine.progress
    if isinstance(error, ProviderStopped):
        is_judge = all(model.name != error.model for model in engine.design.models)
        progress.stopped.setdefault(error.model, f"{'the judge ' if is_judge else ''}{error}")
    elif isinstance(error, Unsent):
        pass
    elif isinstance(error, NotCached):
        progress.n_not_cached += 1
    elif isinstance(error, BudgetReached):
        progress.budget_reached = progress.budget_reached or str(error)
    else:
        return False
    return True


def counted(result: Rows, progress: Progress) -> Rows:
    """A finished trial, reported in `progress`."""
    row, _ = result
    progress.n_done += 1
    if row.outcome == "error":
        progress.failed(row.error)
    return result

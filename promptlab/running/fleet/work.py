"""What one worker does: take blocks of items from the hub, run their trials, and send back each row as the record will hold it."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator, Mapping, Set
from contextlib import aclosing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptlab.design.cross import trials
from promptlab.nouns import Trial
from promptlab.planning.study import Study
from promptlab.record.store.files import line_of
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache
from promptlab.running.engine import engine_of
from promptlab.running.fleet.hub import Message, Socket
from promptlab.running.ledger import Ledger
from promptlab.running.progress import COUNTS, REASONS, Execution, Progress
from promptlab.running.rows import rows, unrecorded

if TYPE_CHECKING:
    from promptlab.stats import ArmKey

TALK_EVERY_S = 0.05
ROWS_A_MESSAGE = 64


class Worker:
    """One event loop's part of a sweep."""

    def __init__(
        self, study: Study, link: Socket, execution: Execution, recorded: Set[str], cache_folder: Path | None,
        served_at: Mapping[str, str] = MappingProxyType({}), ledger: Ledger | None = None,
    ) -> None:  # fmt: skip
        self._study, self._link, self._how = study, link, execution
        self._recorded = set(recorded)
        self._cache = Cache(cache_folder, execution.cache) if cache_folder and execution.cache != "off" else None
        self._progress = Progress(study.design.n_trials)
        limits = 0.0 if execution.max_cost_usd is not None else None, 0 if execution.max_tokens is not None else None
        self._budget = Budget(*limits, borrow=self._borrow)
        self._engine = engine_of(study, self._cache, self._budget, self._progress, execution, served_at)
        self._gateway = self._engine.gateway
        self._engine.payer.ledger = ledger or self._engine.payer.ledger
        self._effective = self._engine.effective()
        self._stop = asyncio.Event()
        self._todo: deque[Iterator[Trial]] = deque()
        self._ended = False
        self._finished: list[list[Any]] = []
        self._served: dict[str, set[str]] = {}
        self._talking = asyncio.Lock()

    def __iter__(self) -> Worker:
        return self

    def __next__(self) -> Trial:
        while self._todo:
            trial = next(self._todo[0], None)
            if trial is not None:
                return trial
            self._todo.popleft()
        raise StopIteration  # for now: the next block may be on its way

    async def run(self) -> None:
        """Work until the hub says that all is done."""
        talk = asyncio.create_task(self._talk())
        try:
            while not self._ended:
                if not self._todo or self._stop.is_set():
                    await self._exchange(idle=True)
                    if not self._todo or self._stop.is_set():
                        await asyncio.sleep(TALK_EVERY_S)
                        continue
                async with aclosing(rows(self._engine, self, self._how.concurrency, self._stop)) as finished:
                    async for some in finished:
                        for row, calls in some:
                            self._finished.append([row.trial, row.outcome, row.error, line_of(row, calls).decode()])
                            if row.model_version:
                                self._served.setdefault(row.model, set()).add(row.model_version)
                        if len(self._finished) >= ROWS_A_MESSAGE:
                            await self._exchange()
                if self._progress.budget_reached:
                    self._todo.clear()
        finally:
            talk.cancel()
            await self._gateway.aclose()
            if self._cache:
                self._cache.close()

    async def _borrow(self, usd: float, tokens: int) -> str | None:
        """Ask the hub for money and tokens; why it has not enough, where that is so."""
        answer = await self._exchange(need=[usd, tokens])
        more_usd, more_tokens = (float(x) for x in answer["granted"])
        if not more_usd and not more_tokens:
            return str(answer["short"])
        if self._budget.limit_usd is not None and math.isfinite(more_usd):
            self._budget.limit_usd += more_usd
        if self._budget.limit_tokens is not None and math.isfinite(more_tokens):
            self._budget.limit_tokens += int(more_tokens)
        return None

    async def _talk(self) -> None:
        while not self._ended:
            await asyncio.sleep(TALK_EVERY_S)
            await self._exchange()

    async def _exchange(self, *, idle: bool = False, need: list[float] | None = None) -> Message:
        async with self._talking:
            sent, self._finished = self._finished, []
            message: Message = {
                "rows": sent,
                "want": len(self._todo) < 2 and not self._stop.is_set() and not self._progress.budget_reached,
                "idle": idle and not self._todo,
                "counts": {
                    **{name: getattr(self._progress, name) for name in COUNTS},
                    "spent_usd": self._budget.spent_usd,
                    "spent_tokens": self._budget.spent_tokens,
                },
                "notes": self._progress.notes,
                "longest": self._engine.payer.longest,
                "served": {model: sorted(versions) for model, versions in self._served.items()},
                "stopped": dict(self._progress.stopped),
                "noted": dict(self._progress.noted),
                "pauses": self._gateway.pauses(),
                "effective": self._effective,
                **{name: getattr(self._progress, name) for name in REASONS},
            }
            if need is not None:
                message["need"] = need
            if idle and not self._todo:
                message["give_back"] = self._budget.give_back()
            try:
                answer = await self._link.exchange(message)
            except ConnectionError:  # nobody is left to record anything
                self._ended = True
                self._stop.set()
                raise
        self._take_in(answer)
        return answer

    def _take_in(self, answer: Message) -> None:
        if answer["halt"]:
            self._stop.set()
            self._todo.clear()
        self._ended = self._ended or (bool(answer["end"]) and not self._finished)
        for model, why in answer.get("stopped", {}).items():
            self._progress.stopped.setdefault(model, why)
        for model, length in answer.get("longest", {}).items():
            self._engine.payer.learn(model, int(length))
        for model, seconds in answer.get("pauses", {}).items():
            self._gateway.pause(model, seconds)
        if (chunk := answer.get("chunk")) and not self._stop.is_set():
            self._recorded |= set(answer["recorded"])
            unneeded: frozenset[ArmKey] = frozenset(tuple(arm) for arm in answer["unneeded"])
            segment = trials(self._study.design, int(chunk[0]), int(chunk[1]))
            self._todo.append(unrecorded(self._engine, segment, self._recorded, unneeded))

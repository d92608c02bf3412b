"""Trials become rows by batch: stored answers take each trial as far as they go, and the next calls of all trials are a wave.

A model's next wave is sent when all its batches are collected. Answers are durable before their batch counts as collected, and a batch
is in the ledger before it is begun, so that a kill at any point loses no answer and pays none twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptlab.nouns import CALL_COLUMNS, BatchPart, Call, CallRow, Completion, Trial, TrialRow
from promptlab.planning.study import Study
from promptlab.record.store.files import part_rows
from promptlab.record.store.reading import BATCH_FOLDER
from promptlab.running.batch.service import MAX_BYTES, MAX_REQUESTS, batch_summary
from promptlab.running.batch.submission import Ended, Ledger, Submitter
from promptlab.running.cache import Cache, Request, request_of
from promptlab.running.engine import Engine, Pending
from promptlab.running.gateway import Reply, WireError
from promptlab.running.gateway.failures import STOPPING
from promptlab.running.paying import NOTHING_TAKEN, Taken
from promptlab.running.rows import counted
from promptlab.running.trial_rows import Rows, total

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0
STORED_AT_ONCE = 500
TRIALS_AT_ONCE = 100
Kept = list[tuple[str, Completion, Request | None]]


def answers_of(folder: Path, cache: Cache | None) -> Cache:
    """Where the answers of a run's batches are kept: in the cache, or in the run folder where that may not be read."""
    own = folder / BATCH_FOLDER / "answers"
    if cache is None or cache.use != "use":
        own.parent.mkdir(mode=0o700, exist_ok=True)
        return Cache(own)
    if own.is_dir():  # an earlier session went without the cache, or somebody else did: no other run may get these answers
        cache.beside = Cache(own, "replay")
    return cache


@dataclass(slots=True)
class _Draft:
    """A file that is being filled, and what its requests reserve."""

    keys: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    n_bytes: int = 0
    usd: float = 0.0
    tokens: int = 0

    def takes(self, line: bytes) -> bool:
        """Whether there is room for one more request."""
        return len(self.keys) < MAX_REQUESTS and self.n_bytes + len(line) <= MAX_BYTES

    def add(self, key: str, line: bytes, usd: float, tokens: int) -> None:
        """One more request."""
        self.keys.append(key)
        self.lines.append(line)
        self.n_bytes += len(line)
        self.usd += usd
        self.tokens += tokens


class Waves:
    """The batches of one run. One instance belongs to one event loop; `aclose` ends it.

    `engine` prices calls as batches do, and keeps answers where `answers_of` says; `also` is a cache to overwrite next to it. For
    `wait_s` seconds from now on batches are waited for.
    """

    def __init__(self, study: Study, engine: Engine, folder: Path, wait_s: float = 0.0, also: Cache | None = None) -> None:
        self._study, self._engine, self._also = study, engine, also
        self._progress, self._budget = engine.progress, engine.budget
        self._ledger = Ledger(folder)
        self._submitter = Submitter(study.models, engine.gateway.secrets, self._ledger, engine.progress)
        self._pending: set[str] = set()
        self._later: set[str] = set()
        """Keys that this session requested in vain: the next one sends them again."""
        self._unpaid: set[str] = set()
        """Keys of answers that batches brought and that no recorded trial has paid for yet."""
        self.unrecorded_usd = self._taken_up(folder)
        """What earlier sessions paid for answers that no recorded trial holds yet."""
        self._left: list[Trial] = []
        self._ends_at = time.monotonic() + wait_s

    @property
    def held(self) -> bool:
        """Whether trials of the last segment are still to be recorded, besides those of stopped models."""
        return any(trial.model not in self._progress.stopped for trial in self._left)

    def summary(self) -> dict[str, Any]:
        """What the manifest says of the batches."""
        return batch_summary(self._ledger.parts, self._progress.n_waiting, self._study.models)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._submitter.aclose()

    async def rows(self, todo: Iterator[Trial], until: int, stop: asyncio.Event) -> AsyncGenerator[list[Rows], None]:
        """Collect what has ended, yield the trials that this finishes, send the next wave; and again, while there is time to wait.

        `until` is the order at which the segment of these trials ends. What is in flight at the end is in the ledger.
        """
        self._left = list(todo)
        first, pause = True, FIRST_PAUSE_S
        while True:
            for part in await self._submitter.settle_doubts(self._open(until), stop):
                self._forget(part)
            ended = await self._submitter.ended(self._open(until))
            if first or ended:
                priced = self._store({key: heard for batch in ended for key, heard in batch.results.heard.items()})
                for batch in ended:
                    self._close(batch, priced)
                async with aclosing(self._wave(until, stop)) as finished:
                    async for row, calls in finished:
                        yield [counted(self._attributed(row, calls), self._progress)]
                first, pause = False, FIRST_PAUSE_S
            under_way = any(part.model not in self._progress.stopped for part in self._open(until))
            left_s = self._ends_at - time.monotonic()
            if not under_way or stop.is_set() or left_s <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(pause, left_s))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _wave(self, until: int, stop: asyncio.Event) -> AsyncGenerator[Rows, None]:
        """Yield the trials that stored answers finish, and send the next calls of the others."""
        progress = self._progress
        progress.budget_reached = None
        busy = {part.model for part in self._open(until)}
        drafts: dict[str, _Draft] = {}
        waiting: list[tuple[Trial, str]] = []
        for n, trial in enumerate(self._left):
            if not n % TRIALS_AT_ONCE:
                await asyncio.sleep(0)  # Ctrl-C gets its turn
            driven = self._drive(trial)
            if isinstance(driven, Pending) and driven.work is not None:
                driven = await self._engine.worked(driven)
            if isinstance(driven, tuple):
                yield driven
                continue
            driven.steps.close()
            waiting += [(trial, key) for key in driven.keys]
            for call, key in zip(driven.calls, driven.keys, strict=True):
                if call.model not in busy and not stop.is_set() and (line := self._line(call, key)):
                    if call.model in drafts and not drafts[call.model].takes(line):
                        await self._send(call.model, drafts.pop(call.model), until)
                    drafts.setdefault(call.model, _Draft()).add(key, line, *self._engine.payer.upper_cost(call))
        for model, draft in drafts.items():
            if stop.is_set():
                self._unsent(draft)
            else:
                await self._send(model, draft, until)
        self._left = list({trial.order: trial for trial, _ in waiting}.values())
        progress.n_waiting, progress.n_batches = sum(key in self._pending for _, key in waiting), len(self._ledger.open)

    def _taken_up(self, folder: Path) -> float:
        """Read what earlier sessions left; returns what they paid for answers that no recorded trial holds."""
        if not self._ledger.parts:
            return 0.0
        columns = {name: CALL_COLUMNS[name] for name in ("key", "cached", "cost_usd")}
        paths = sorted((folder / "calls").glob("part-*.parquet"))
        told = {row["key"]: row["cost_usd"] or 0.0 for path in paths for row in part_rows(path, columns) if not row["cached"]}
        usd = 0.0
        for part in self._ledger.parts:
            keys = self._ledger.keys(part).values()
            if part.closed:
                self._unpaid.update(key for key in keys if key not in told)
                usd += part.paid_usd - sum(told.get(key, 0.0) for key in keys)
            else:
                self._pending.update(keys)
                self._budget.take(part.reserved_usd, part.reserved_tokens)
        return max(0.0, usd)

    def _open(self, until: int) -> list[BatchPart]:
        return [part for part in self._ledger.open if part.until <= until]

    def _drive(self, trial: Trial) -> Pending | Rows:
        """A trial as far as stored answers and failures take it."""
        before = self._progress.n_cached  # a trial is driven several times
        pending = self._engine.begin(trial)
        self._progress.n_cached = before
        return pending

    def _attributed(self, row: TrialRow, calls: list[CallRow]) -> Rows:
        """A finished trial, which pays for those answers of this run's batches that none before it has paid for."""
        attributed = []
        for call in calls:
            attributed.append(replace(call, cached=call.cached and call.key not in self._unpaid))
            self._unpaid.discard(call.key)
        costs = [0.0 if call.cached else call.cost_usd for call in attributed]
        self._progress.n_cached += sum(call.cached for call in attributed)
        return replace(row, paid_usd=total(costs), cached=all(call.cached for call in attributed)), attributed

    def _store(self, heard: Mapping[str, Reply | WireError]) -> dict[str, Completion]:
        """Make answers durable, and return them by key; their requests are known to the trials that wait for them."""
        done: dict[str, Completion] = {}
        kept: Kept = []
        for trial in self._left if heard else ():
            pending = self._drive(trial)
            if isinstance(pending, tuple):
                continue
            pending.steps.close()
            for call, key in zip(pending.calls, pending.keys, strict=True):
                if key in done or (answer := heard.get(key)) is None or _stops(answer):
                    continue
                completion = done[key] = self._engine.first_used(self._engine.gateway.answered(call, answer))
                self._engine.payer.seen(call, completion)
                if completion.cost_usd is None:
                    completion.at_most_usd = max(self._engine.payer.upper_cost(call)[0], self._taken(call, answer).usd) or None
                if completion.outcome == "error":
                    self._engine.failures[key] = completion
                else:
                    kept.append((key, completion, request_of(self._engine.asked(call))))
            if len(kept) >= STORED_AT_ONCE:
                self._keep(kept)
                kept = []
        self._keep(kept)
        return done

    def _taken(self, call: Call, answer: Reply | WireError) -> Taken:
        """What a failed answer says that it took."""
        said = answer.said if isinstance(answer, WireError) else None
        return NOTHING_TAKEN if said is None else self._engine.payer.taken(call, said)

    def _keep(self, answers: Kept) -> None:
        for cache in (self._engine.cache, self._also):
            if cache is not None and answers:
                cache.put_many(answers)

    def _close(self, batch: Ended, priced: Mapping[str, Completion]) -> None:
        """Settle a batch whose answers are stored; those that no trial waits for any more are priced by their tokens alone."""
        part, remote, results = batch
        progress, heard = self._progress, results.heard
        keys = self._ledger.keys(part).values()
        unfinished = [key for key in keys if key not in heard or _stops(heard[key])]
        unknown, answered = Call(part.model, (), {}), self._engine.gateway.answered
        answers = [priced.get(key) or answered(unknown, answer) for key, answer in heard.items() if _is_answer(answer)]
        costs = [answer.cost_usd for answer in answers]
        tokens = [total([answer.input_tokens, answer.output_tokens]) for answer in answers]
        failed = [self._taken(unknown, answer) for answer in heard.values() if not _is_answer(answer)]
        unsure_usd = costs.count(None) * part.reserved_usd / part.n_requests + sum(one.usd for one in failed)
        part.paid_usd = sum(cost for cost in costs if cost is not None)
        part.n_answers, part.n_unfinished = len(answers), len(unfinished)
        part.n_errors = part.n_requests - part.n_answers - part.n_unfinished
        part.closed = True
        self._ledger.save()
        self._budget.settle(  # what is not known counts as what was set aside
            part.reserved_usd,
            part.reserved_tokens,
            part.paid_usd + unsure_usd,
            sum(n for n in tokens if n is not None)
            + tokens.count(None) * part.reserved_tokens // part.n_requests
            + sum(one.tokens for one in failed),
        )
        progress.paid_usd += part.paid_usd
        progress.unsure_usd += unsure_usd
        progress.n_unpriced += costs.count(None)
        self._pending.difference_update(keys)
        self._later.update(unfinished)
        self._unpaid.update(heard)
        for answer in heard.values():
            if isinstance(answer, WireError) and _stops(answer):
                self._submitter.unsent(part.model, answer)
                break
        self._tell(part, remote.why, results.odd)

    def _tell(self, part: BatchPart, why: str, odd: str) -> None:
        which = f"batch {part.batch} of {part.model!r}"
        if odd:
            self._progress.notes.append(f"{which}: left out of its results: {odd}")
        if part.n_unfinished:
            self._progress.notes.append(
                f"{which} is {part.status}{f' ({why})' if why else ''}: {part.n_unfinished:,} of {part.n_requests:,} requests have no "
                f"answer; the same command sends them again"
            )

    def _line(self, call: Call, key: str) -> bytes | None:
        """A trial's next call as a line of a file; None where it is on its way, was sent in vain, or may not be sent."""
        progress = self._progress
        if key in self._pending or key in self._later or call.model in progress.stopped or progress.budget_reached:
            return None
        usd, tokens = self._engine.payer.upper_cost(call)
        if not self._budget.fits(usd, tokens):
            progress.budget_reached = self._budget.reason(usd, tokens, by_batch=True)
            return None
        if (line := self._submitter.line(key, call)) is not None:
            self._budget.take(usd, tokens)
            self._pending.add(key)
        return line

    async def _send(self, model: str, draft: _Draft, until: int) -> None:
        part = self._ledger.add(model, until, draft.keys, draft.usd, draft.tokens)
        if not await self._submitter.send(part, b"".join(draft.lines)):
            self._unsent(draft)

    def _forget(self, part: BatchPart) -> None:
        """Give up a part that was never begun: the next session sends its requests."""
        keys = list(self._ledger.keys(part).values())
        self._ledger.drop(part)
        self._unsent(_Draft(keys, usd=part.reserved_usd, tokens=part.reserved_tokens))

    def _unsent(self, draft: _Draft) -> None:
        self._budget.settle(draft.usd, draft.tokens, 0.0, 0)
        self._pending.difference_update(draft.keys)
        self._later.update(draft.keys)


def _is_answer(heard: Reply | WireError) -> bool:
    """Whether something was paid for; an error costs nothing, and a refusal is an answer."""
    return isinstance(heard, Reply) or heard.boundary == "policy"


def _stops(answer: Reply | WireError) -> bool:
    """Whether no later request to this model can succeed."""
    return isinstance(answer, WireError) and answer.boundary in STOPPING

"""How many calls to one provider may be in flight, and when the next may start."""

from __future__ import annotations

import asyncio
from collections import deque

SPREAD = 0.85
"""Of the time that an answer takes, the part over which as many calls start as may be in flight: a little faster than they can continue."""
GRAIN_S = 0.004
"""How much too early a call may start, so that one alarm serves several."""
LEAST_APART_S, MOST_APART_S = 0.0001, 0.0005
"""Calls are spread no finer than an event loop can, and no further than it takes to read an answer and to send the next call."""
STEP = 1.02
"""By which factor an answer moves what the next is expected to take."""


class Limiter:
    """Slots that grow by addition and shrink by halves, as congestion control does (Chiu & Jain 1989), under a fixed ceiling.

    Many calls are spread over the time that an answer takes. Those that start together are answered together, and while the answers of
    such a burst are worked off one after the other, slots stay empty; spread out, each answer finds its reader free.

    Whoever shares a provider, an address and a key shares one limiter, and so one pause. One instance belongs to one event loop.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = max(1, ceiling)
        self.limit = float(self.ceiling)
        self.under_way = 0
        self.stopped: str | None = None
        self._step = max(1.0, self.ceiling / 16)
        """Slots that are won back in one round of answers: a few rounds undo a halving, whatever the ceiling."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume_at = 0.0
        self._shrunk_at = -1.0
        self._timer: asyncio.TimerHandle | None = None
        self._answer_s = 0.0
        """How long an answer takes: about the median of late, which no single slow answer moves far."""
        self._next_at = 0.0
        """When the next call starts at the earliest, so that calls are spread out."""

    async def acquire(self) -> float:
        """Wait for a slot, in order of arrival; returns the loop's time at which it is taken. A stopped limiter makes nobody wait."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        free = not self._waiting and self.under_way < int(self.limit) and now >= self._resume_at and now >= self._next_at - GRAIN_S
        if free or self.stopped is not None:
            self._take(now)
            return now
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the slot was given in the moment of cancelling
            raise
        return loop.time()

    def release(self) -> None:
        """Give a slot back."""
        self.under_way -= 1
        if self._waiting:
            self._wake()

    def answered(self, took_s: float = 0.0) -> None:
        """A call went well, and took so long: room for a little more."""
        if self.limit < self.ceiling:
            self.limit = min(float(self.ceiling), self.limit + self._step / self.limit)
        self._answer_s = self._answer_s * (STEP if took_s > self._answer_s else 1 / STEP) if self._answer_s else took_s

    def overloaded(self, sent_at: float) -> None:
        """The provider had too much: half of what was. Calls sent before the last halving say nothing new."""
        if sent_at > self._shrunk_at:
            self.limit = max(1.0, min(self.limit, self.under_way) / 2)
            self._shrunk_at = asyncio.get_running_loop().time()

    def pause(self, seconds: float) -> None:
        """Start nothing for so long; the longest pause holds."""
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)

    @property
    def paused_s(self) -> float:
        """For how much longer nothing starts."""
        return max(0.0, self._resume_at - asyncio.get_running_loop().time())

    def stop(self, why: str) -> None:
        """No later call can succeed: whoever waits comes through at once, and finds out."""
        self.stopped = self.stopped or why
        self._wake()

    def _take(self, now: float) -> None:
        self.under_way += 1
        apart = min(SPREAD * self._answer_s / self.limit, MOST_APART_S)
        if apart > LEAST_APART_S:
            self._next_at = max(self._next_at, now) + apart

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and (self.stopped is not None or self.under_way < int(self.limit)):
            start_at = max(self._resume_at, self._next_at - GRAIN_S)
            if self.stopped is None and start_at > now:
                if self._timer is None:
                    self._timer = loop.call_at(start_at, self._ring)
                return
            turn = self._waiting.popleft()
            if not turn.done():
                self._take(now)
                turn.set_result(None)

    def _ring(self) -> None:
        self._timer = None  # the pause may have grown: then the next alarm is set
        self._wake()

"""The one place that several workers share: which blocks of items are open, the money and tokens that are left, pauses, and the record.

A worker says everything in one message and receives everything in the answer (`Hub.exchange`), over a socket on one machine or as a
call to an actor on a cluster. Messages are JSON, so nothing that a worker sends is executed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptlab.nouns import PromptlabError
from promptlab.running.budget import tokens_reached, usd_reached
from promptlab.running.progress import REASONS, kind_of

if TYPE_CHECKING:
    from promptlab.stats import ArmKey

CHUNKS_A_WORKER = 64
"""About so many chunks a worker gets in all: small enough that nobody waits long for the last one."""
LEASES = 20
"""A lease is about this part of what is left for one worker, so that all end close to the limit."""
LONGEST_LINE = 1 << 28
Message = dict[str, Any]


@dataclass(slots=True)
class Limit:
    """A budget that is lent in parts: what is lent counts as spent until it is given back."""

    limit: float | None
    lent: float = 0.0

    def lend(self, need: float, workers: int) -> float:
        """As much as is needed, and some for later; 0 when that is not left."""
        if self.limit is None:
            return float("inf")
        left = self.limit - self.lent
        if need > left:
            return 0.0
        granted = min(left, max(need, left / (LEASES * workers)))
        self.lent += granted
        return granted

    def give_back(self, amount: float) -> None:
        if self.limit is not None:
            self.lent = max(0.0, self.lent - amount)


@dataclass(slots=True)
class _Worker:
    held: list[tuple[int, int]] = field(default_factory=list)
    idle: bool = True
    counts: Mapping[str, float] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    gone: bool = False


class Hub:
    """State of a sweep with several workers. Safe to be called from several threads."""

    def __init__(self, block: int, workers: int, usd: Limit, tokens: Limit, append: Callable[[bytes], None]) -> None:
        self.block = block
        self.usd, self.tokens = usd, tokens
        self.stopped: dict[str, str] = {}
        self.budget_reached: str | None = None
        self.failed: str | None = None
        self.stalled: str | None = None
        self.effective: Mapping[str, Any] = {}
        self.served: dict[str, set[str]] = {}
        self.n_done = self.n_errors = self.n_not_cached = 0
        self.last_error: str | None = None
        self.errors: Counter[str] = Counter()
        self.noted: dict[str, str] = {}
        self.notes: list[str] = []
        self.longest: dict[str, int] = {}
        self.first_not_cached: str | None = None
        self.halt = False
        self.ended = False
        self._append = append
        self._lock = threading.Lock()
        self._open: deque[tuple[int, int]] = deque()
        self._left_behind: dict[tuple[int, int], set[str]] = {}
        self._unneeded: list[ArmKey] = []
        self._workers = {n: _Worker() for n in range(workers)}
        self._pauses: dict[str, float] = {}

    def open_segment(self, start: int, end: int, unneeded: frozenset[ArmKey]) -> None:
        """Let workers take the trials from `start` up to `end`, in whole blocks of items."""
        blocks = max(1, -(-(end - start) // self.block))
        size = max(1, blocks // (CHUNKS_A_WORKER * len(self._workers))) * self.block
        with self._lock:
            self._unneeded = sorted(unneeded)
            self._open.extend((at, min(at + size, end)) for at in range(start, end, size))
            for worker in self._workers.values():
                worker.idle = worker.gone

    @property
    def segment_done(self) -> bool:
        """Whether nothing is open, or all is over, and nobody works."""
        with self._lock:
            return (not self._open or self.over) and all(worker.idle or worker.gone for worker in self._workers.values())

    @property
    def over(self) -> bool:
        """Whether something ended the sweep before everything was sent."""
        return self.halt or bool(self.failed or self.stalled or self.budget_reached)

    @property
    def nothing_open(self) -> bool:
        return not self._open

    @property
    def all_gone(self) -> bool:
        return all(worker.gone for worker in self._workers.values())

    def total(self, name: str) -> float:
        """One of COUNTS over all workers."""
        return sum(worker.counts.get(name, 0) for worker in self._workers.values())

    def lost(self, number: int) -> None:
        """A worker ended: what it held and did not record is open again, for the others."""
        with self._lock:
            worker = self._workers[number]
            if worker.gone:
                return
            worker.gone = worker.idle = True
            for chunk in worker.held:
                self._open.appendleft(chunk)
                self._left_behind[chunk] = self._left_behind.get(chunk, set()) | worker.recorded
            worker.held = []
            for other in self._workers.values():
                if self._open and not other.gone:
                    other.idle = False

    def exchange(self, number: int, message: Message) -> Message:
        """Take in what a worker says, and tell it what it needs to know."""
        with self._lock:
            worker = self._workers[number]
            if worker.gone:  # taken for lost, and its blocks are with others
                return {"end": True, "halt": True}
            self._take_in(worker, message)
            answer: Message = {"halt": self.halt or bool(self.failed or self.stalled), "end": self.ended}
            if need := message.get("need"):
                answer["granted"] = [self.usd.lend(need[0], self._live), self.tokens.lend(need[1], self._live)]
                if 0.0 in answer["granted"]:
                    self.usd.give_back(answer["granted"][0])
                    self.tokens.give_back(answer["granted"][1])
                    answer["granted"] = [0.0, 0.0]
                    answer["short"] = self._short(*need)
            if message.get("want") and self._open and not answer["halt"]:
                chunk = self._open.popleft()
                worker.held.append(chunk)
                worker.idle = False
                answer |= {"chunk": list(chunk), "unneeded": self._unneeded, "recorded": sorted(self._left_behind.pop(chunk, ()))}
            elif message.get("idle"):
                worker.idle, worker.held = True, []
            now = time.monotonic()
            answer["pauses"] = {lane: until - now for lane, until in self._pauses.items() if until > now}
            answer["stopped"] = self.stopped
            answer["longest"] = self.longest
            return answer

    def _short(self, usd: float, tokens: int) -> str:
        """Why nothing is lent."""
        if self.usd.limit is not None and usd > self.usd.limit - self.usd.lent:
            return usd_reached(self.usd.limit, f"${self.usd.lent:.4f} is spent or reserved", usd)
        return tokens_reached(self.tokens.limit or 0, f"{self.tokens.lent:,.0f} are used or reserved", tokens)

    @property
    def _live(self) -> int:
        return max(1, sum(not worker.gone for worker in self._workers.values()))

    def _take_in(self, worker: _Worker, message: Message) -> None:
        for trial, outcome, error, line in message.get("rows", ()):
            self._append(line.encode())
            worker.recorded.add(trial)
            self.n_done += 1
            if outcome == "error":
                self.n_errors += 1
                self.last_error = error
                self.errors[kind_of(error)] += 1
        worker.counts = message.get("counts", worker.counts)
        self.usd.give_back(message.get("give_back", (0, 0))[0])
        self.tokens.give_back(message.get("give_back", (0, 0))[1])
        for model, why in message.get("stopped", {}).items():
            self.stopped.setdefault(model, why)
        for model, note in message.get("noted", {}).items():
            self.noted.setdefault(model, note)
        self.notes += [note for note in message.get("notes", ()) if note not in self.notes]
        for model, length in message.get("longest", {}).items():
            self.longest[model] = max(self.longest.get(model, 0), length)
        for name in ("failed", "effective", *REASONS):
            setattr(self, name, getattr(self, name) or message.get(name, getattr(self, name)))
        for model, versions in message.get("served", {}).items():
            self.served.setdefault(model, set()).update(versions)
        now = time.monotonic()
        for lane, seconds in message.get("pauses", {}).items():
            self._pauses[lane] = max(self._pauses.get(lane, 0.0), now + seconds)


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def serve(hub: Hub, number: int, ours: socket.socket) -> None:
    """Answer one worker until it ends; then what it held is open to the others."""
    try:
        with ours, ours.makefile("rb") as said:
            for message in said:
                ours.sendall(line(hub.exchange(number, json.loads(message))))
    except (OSError, ValueError):
        pass  # it ended in the middle of a message
    except PromptlabError as error:  # the record cannot be written
        hub.failed = hub.failed or str(error)
    finally:
        hub.lost(number)


class Socket:
    """A worker's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def exchange(self, message: Message) -> Message:
        """Send a message, and receive one; ConnectionError when the hub is gone."""
        self._writer.write(line(message))
        await self._writer.drain()
        return await self.heard()

    async def heard(self) -> Message:
        """The next message."""
        answer = await self._reader.readline()
        if not answer:
            raise ConnectionError("the sweep that started this worker has ended")
        found: Message = json.loads(answer)
        return found

"""Answers on their way into the cache: there for whoever asks from the moment they come, and written in parallel to the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from promptlab.nouns import Completion
from promptlab.running.cache.rows import Request, packed
from promptlab.running.cache.store import Cache


class WriteBehind:
    """Writes to a cache in a thread, one transaction after the other, each with everything that came during the one before.

    An answer is numbered as it comes, by `n_come`, and durable once `n_kept` has reached its number. One instance belongs to one
    event loop; `flush` ends its thread, and a later answer starts another one.
    """

    def __init__(self, cache: Cache | None) -> None:
        self.n_come = 0
        self.n_kept = 0
        self.failed: BaseException | None = None
        """Why answers can no longer be kept; nobody waits for them then."""
        self.on_kept: Callable[[], None] = lambda: None
        """Called whenever more is kept, and when that fails."""
        self.on_stored: Callable[[Iterable[str]], None] = lambda keys: None
        """Called with the keys of each block that the cache holds from now on."""
        self._cache = cache
        self._coming: dict[str, tuple[Completion, Request]] = {}
        self._writing: dict[str, tuple[Completion, Request]] = {}
        self._write: Future[None] | None = None
        self._up_to = 0
        self._scheduled = False
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def get(self, key: str) -> Completion | None:
        """An answer that the cache need not have yet."""
        found = self._coming.get(key) or self._writing.get(key)
        return replace(found[0], cached=True) if found else None

    def put(self, key: str, completion: Completion, request: Request) -> None:
        """Take an answer in; it is written in the loop's next turn, with those that come in this one, or after what is being written."""
        self.n_come += 1
        self._coming[key] = completion, request
        if self._write is None and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def is_kept(self, number: int) -> bool:
        """Whether nobody needs to wait for the answer of this number."""
        return self.n_kept >= number or self.failed is not None

    async def kept(self, number: int) -> None:
        """Wait until the answer of this number, the latest so far, is durable, or cannot be."""
        if not self.is_kept(number):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((number, future))
            await future

    def flush(self) -> None:
        """Write what is left, here and now."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
        if self._write is not None:
            self._end(self._write)
        if self._cache is not None and self._coming and self.failed is None:
            write: Future[None] = Future()
            try:
                self._cache.put_packed(self._packed())
                write.set_result(None)
            except Exception as error:
                write.set_exception(error)
            self._end(write)

    def _start(self) -> None:
        self._scheduled = False
        if self._cache is None or self._write is not None or not self._coming or self.failed is not None:
            return
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="promptlab-cache")
        self._write = self._thread.submit(self._cache.put_packed, self._packed())
        loop = asyncio.get_running_loop()
        self._write.add_done_callback(lambda done: loop.call_soon_threadsafe(self._written, done))

    def _written(self, done: Future[None]) -> None:
        if done is self._write:  # else `flush` was quicker
            self._end(done)
            self._start()

    def _packed(self) -> Mapping[str, str]:
        """The rows of all that came, from now on being written."""
        self._writing, self._coming = self._coming, {}
        self._up_to = self.n_come
        return {key: packed(key, *answer) for key, answer in self._writing.items()}  # here: the thread would have to wait for its turn

    def _end(self, write: Future[None]) -> None:
        """What a write came to, for those who wait for it."""
        self.failed = self.failed or write.exception()
        if self.failed is None:
            self.n_kept = self._up_to
            self.on_stored(self._writing)
        self._write, self._writing = None, {}
        while self._waiting and self.is_kept(self._waiting[0][0]):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
        self.on_kept()

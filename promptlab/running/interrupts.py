"""What Ctrl-C and SIGTERM do to a sweep: the first lets it end cleanly, the second ends it at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptlab.running.fleet.cluster import Cluster
    from promptlab.running.fleet.hub import Hub
    from promptlab.running.fleet.local import Processes


def stop_on_interrupt() -> asyncio.Event:
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


@contextlib.contextmanager
def halt_on_interrupt(hub: Hub, workers: Processes | Cluster) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) lets workers finish what is paid for; the second ends them at once."""

    def handle(*_: object) -> None:
        if hub.halt:
            workers.kill()
        hub.halt = True

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)

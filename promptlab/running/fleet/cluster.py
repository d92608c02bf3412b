"""Workers as tasks of a Ray cluster. Ray starts them and says where; what they say goes over a connection of their own to the hub.

The record, the budget and the looks stay with the process that started the sweep, which must be on a machine that the cluster's
nodes reach. A worker whose node is lost leaves its blocks to the others. Ray comes with the extra `ray`; its transport pickles the
resolved study in memory, so a cluster is as trusted as the code that it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import threading
from collections.abc import Set
from typing import TYPE_CHECKING, Any, TypeAlias

from promptlab.nouns import PromptlabError, UsageProblem
from promptlab.running.fleet.hub import LONGEST_LINE, Hub, Socket, line, serve

if TYPE_CHECKING:
    from promptlab.planning.resolve import Study
    from promptlab.running.progress import Execution

    Shared: TypeAlias = tuple[Study, frozenset[str], Execution, bool, dict[str, str]]
    """What all workers get: study, trials that are recorded, how to run it, whether to cache, and addresses of served models."""

TOKEN_BYTES = 32
CONNECT_S = 120.0
"""How long a worker may take to start: the node may have to import everything first."""


def connected(address: str | None) -> Any:  # noqa: ANN401 (the ray module)
    """Ray, joined to an existing cluster."""
    try:
        import ray
    except ImportError:
        raise UsageProblem("--engine ray needs Ray: install promptlab[ray], in the same versions on every node") from None
    if not ray.is_initialized():
        try:
            ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageProblem(
                f"there is no Ray cluster at {address or 'the address in RAY_ADDRESS, or on this machine'} ({error}); "
                f"start one with 'ray start --head', or say where it is with --ray-address"
            ) from None
    return ray


class Cluster:
    """The workers of one sweep on a cluster. Environment variables with keys are those of the nodes, never sent from here."""

    def __init__(self, hub: Hub, workers: int, address: str | None, shared: Shared) -> None:
        self._ray = connected(address)
        self._token = secrets.token_hex(TOKEN_BYTES)
        self._listener = socket.create_server((self._ray.util.get_node_ip_address(), 0))
        self._listener.settimeout(CONNECT_S)
        self._threads: list[threading.Thread] = []
        host, port = self._listener.getsockname()[:2]
        put = self._ray.put(shared)
        task = self._ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(_work)
        self._tasks = [task.remote(host, port, number, self._token, put) for number in range(workers)]
        self._accepting = threading.Thread(target=self._accept, args=(hub, workers), daemon=True)
        self._accepting.start()

    def _accept(self, hub: Hub, workers: int) -> None:
        """Let each worker in once; one that does not come in time is lost."""
        waiting = set(range(workers))
        with contextlib.suppress(OSError):  # nobody came in time, or the sweep is over
            while waiting:
                ours, _ = self._listener.accept()
                number = self._named(ours, waiting)
                if number is None:
                    ours.close()
                    continue
                waiting.discard(number)
                thread = threading.Thread(target=serve, args=(hub, number, ours), daemon=True)
                thread.start()
                self._threads.append(thread)
        for number in waiting:
            hub.lost(number)

    def _named(self, ours: socket.socket, waiting: Set[int]) -> int | None:
        """The number of a worker that knows the token; anybody else is turned away."""
        ours.settimeout(10.0)
        said = b""
        try:
            while not said.endswith(b"\n") and len(said) < 4 * TOKEN_BYTES:
                more = ours.recv(256)
                if not more:
                    return None
                said += more
            token, _, number = said.decode("ascii").strip().partition(" ")
            if not hmac.compare_digest(token, self._token) or int(number) not in waiting:
                return None
            ours.sendall(line({"welcome": True}))
        except (OSError, ValueError):
            return None
        ours.settimeout(None)
        return int(number)

    def join(self) -> None:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join()

    def kill(self) -> None:
        """End them at once: what is under way is lost."""
        self._listener.close()
        for task in self._tasks:
            with contextlib.suppress(Exception):  # it has ended, or its node is gone
                self._ray.cancel(task, force=True)


def _work(host: str, port: int, number: int, token: str, shared: Shared) -> None:
    """One worker, on whatever node Ray put it."""
    from promptlab.nouns import home
    from promptlab.running.fleet.work import Worker

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    study, recorded, execution, caches, served_at = shared
    cache = home() / "cache" if caches else None
    if served_at:  # asked directly, as a model with an address is; the gateway has the address of each
        os.environ.setdefault("HOSTED_VLLM_API_BASE", next(iter(served_at.values())))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=LONGEST_LINE)
        writer.write(f"{token} {number}\n".encode())
        link = Socket(reader, writer)
        try:
            await link.heard()
            await Worker(study, link, execution, recorded, cache, served_at).run()
        except PromptlabError as error:
            await link.exchange({"failed": str(error)})
        except ConnectionError:
            pass  # the sweep was killed
        finally:
            writer.close()  # Ray keeps the process

    asyncio.run(work())

"""Workers as tasks of a Ray cluster, and open models on its GPUs.

Ray starts workers and says where; what they say goes over a connection of their own to the hub.

The record, the budget and the interim analyses stay with the process that started the sweep, which must be on a machine that the cluster's
nodes reach. A worker whose node is lost leaves its blocks to the others. Ray comes with the extra `ray`; its transport pickles the
resolved study in memory, so a cluster is as trusted as the code that it runs.

Models are served by vLLM's OpenAI-compatible server for each, placed by Ray, up for as long as the sweep. Addresses are given to the
workers' gateways alone. Calls, cache keys, plan and run id name the model and no address, so that the same sweep on other nodes is the
same sweep. A server inherits its node's environment, so HF_HUB_OFFLINE, HF_HOME and similar variables hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import http.client
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Set
from typing import Any, TypeAlias

from promptlab.nouns import PromptlabError, RunProblem, UsageProblem, home, known_secrets, redact
from promptlab.planning.study import Study
from promptlab.running.fleet.hub import LONGEST_LINE, Hub, Socket, line, serve
from promptlab.running.fleet.work import Worker
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
        """End them at once: what is in flight is lost."""
        self._listener.close()
        for task in self._tasks:
            with contextlib.suppress(Exception):  # it has ended, or its node is gone
                self._ray.cancel(task, force=True)


def _work(host: str, port: int, number: int, token: str, shared: Shared) -> None:
    """One worker, on whatever node Ray put it."""
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


PROVIDER = "hosted_vllm"
COMMAND = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
START_S = 1800.0
"""How long a server may take until it answers: large weights load slowly."""
STOP_S = 30.0
LOG_TAIL = 3000
GUARD = """
import ctypes, os, signal, subprocess, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
libc = ctypes.CDLL(None)
def born():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: Ray kills what a worker started, this process too
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, preexec_fn=born)
def end():
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)
    try:
        child.wait(float(sys.argv[1]))
    finally:
        os.killpg(0, signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
sys.exit(child.wait())
"""
"""Starts a server in a group of its own and ends the group when whoever started it ends, however that happens."""


class Server:
    """A server process: started, waited for, stopped."""

    def __init__(self, model: str, host: str, seed: int, gpus: int) -> None:
        with socket.create_server((host, 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.host, self.url = host, f"http://{host}:{self.port}/v1"
        self._model, self._log = model, tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server)
        options = {"model": model, "host": host, "port": self.port, "seed": seed, "tensor-parallel-size": gpus}
        command = [*COMMAND, *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", GUARD, str(STOP_S), *command], stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT,
            env={"VLLM_NO_USAGE_STATS": "1", **os.environ}, start_new_session=True,
        )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Until it answers; RunProblem, with what it said last, where it ends before or takes longer."""
        deadline = time.monotonic() + seconds
        while not (self._answers("/health") or self._answers("/v1/models")):
            if self._process.poll() is not None:
                raise RunProblem(f"vLLM for {self._model} ended with code {self._process.returncode} before it answered; {self._tail()}")
            if time.monotonic() > deadline:
                raise RunProblem(f"vLLM for {self._model} did not answer within {seconds:,.0f} s; {self._tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it and all that it started."""
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S + 5)

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _tail(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LOG_TAIL))
        return "the end of its log:\n" + redact(self._log.read().decode(errors="replace"), known_secrets())


class _Placed:
    """One server on the node where Ray put it, with the GPUs that Ray gave it."""

    def start(self, model: str, host: str | None, seed: int, gpus: int) -> tuple[str | None, str]:
        """Its address, or None and why there is none: an error of ours would arrive as one of Ray's."""
        if host is None:
            import ray

            host = str(ray.util.get_node_ip_address())
        self._server = Server(model, host, seed, gpus)
        try:
            self._server.wait(START_S)
        except RunProblem as error:
            self._server.stop()
            return None, str(error)
        return self._server.url, ""

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


@contextlib.contextmanager
def serving(study: Study, address: str | None, gpus: int) -> Iterator[dict[str, str]]:
    """A server for every model `hosted_vllm/NAME` without an address; their addresses by the model's name here."""
    wanted = {m.name: m.litellm_name for m in study.models if m.provider == PROVIDER and m.api_base is None}
    if not wanted:
        raise UsageProblem(f"--serve-vllm serves models '{PROVIDER}/NAME' without api_base, and the experiment has none")
    ray = connected(address)
    names, there = sorted(set(wanted.values())), ray.cluster_resources().get("GPU", 0)
    if there < gpus * len(names):
        raise UsageProblem(f"{len(names)} model(s) with {gpus} GPU(s) each need {gpus * len(names)}, and the cluster has {there:g}")
    placed = ray.remote(num_gpus=gpus, num_cpus=1, max_restarts=0)(_Placed)
    actors = {name: placed.remote() for name in names}
    try:
        started = {name: a.start.remote(name.partition("/")[2], None, study.design.seed, gpus) for name, a in actors.items()}
        found = dict(zip(started, ray.get(list(started.values())), strict=True))
        for url, problem in found.values():
            if url is None:
                raise RunProblem(problem)
        yield {model: found[name][0] for model, name in wanted.items()}
    finally:
        for actor in actors.values():
            with contextlib.suppress(Exception):  # its node is gone
                ray.get(actor.stop.remote(), timeout=STOP_S + 10)
            with contextlib.suppress(Exception):
                ray.kill(actor)

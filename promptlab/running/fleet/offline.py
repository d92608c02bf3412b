"""Open models on the cluster's own GPUs: vLLM's OpenAI-compatible server for each, placed by Ray, up for as long as the sweep.

Addresses are given to the workers' gateways alone. Calls, cache keys, plan and run id name the model and no address, so that the
same sweep on other nodes is the same sweep. A server inherits its node's environment, so HF_HUB_OFFLINE, HF_HOME and the like hold.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from promptlab.nouns import RunProblem, UsageProblem
from promptlab.running.fleet.cluster import connected

if TYPE_CHECKING:
    from promptlab.planning.resolve import Study

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
        from promptlab.nouns import known_secrets, redact

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

"""vLLM's server on a cluster: started, waited for, asked, stopped. vLLM and Ray are stand-ins here; neither GPU nor Ray is needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import ROOT
from promptlab.nouns.errors import RunProblem, UsageProblem
from promptlab.nouns.manifest import ModelAsked
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.running.fleet import cluster
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import run_sweep
from runs import experiment
from servers import Server

FAKE = """
import argparse, os, sys, threading, time
sys.path[:0] = [{tests!r}]
import servers
known = argparse.ArgumentParser()
for name in ("model", "host", "port", "seed", "tensor-parallel-size"):
    known.add_argument("--" + name, required=True)
given = known.parse_args()
print("loading", given.model, "offline:", os.environ.get("HF_HUB_OFFLINE"), "key sk-abcdefghijklmnop1234", flush=True)
if given.model == "broken":
    sys.exit("no such weights")
if given.model == "forever":
    time.sleep(600)
time.sleep(0.3)
running = servers.start(int(given.port))
open({log!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
threading.Event().wait()
"""
TWO = "  - {model: hosted_vllm/ok, name: a}\n  - {model: hosted_vllm/slow-2, name: b}"


def told(_: Progress) -> None:
    """Nobody watches."""


@pytest.fixture(autouse=True)
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script, log = tmp_path / "vllm.py", tmp_path / "started.txt"
    script.write_text(FAKE.format(tests=str(ROOT / "tests"), log=str(log)))
    monkeypatch.setattr(cluster, "COMMAND", (sys.executable, str(script)))
    monkeypatch.setattr(cluster, "STOP_S", 2.0)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "x")  # so that it is put back
    monkeypatch.delenv("HOSTED_VLLM_API_BASE")
    return log


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gone(port: int) -> bool:
    deadline = time.monotonic() + 10
    while answers(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not answers(port)


def test_a_server_is_started_waited_for_and_stopped(vllm: Path) -> None:
    server = cluster.Server("org/model", "127.0.0.1", 7, 2)
    server.wait(30)
    assert answers(server.port)
    expected = f"--model org/model --host 127.0.0.1 --port {server.port} --seed 7 --tensor-parallel-size 2"
    assert vllm.read_text().strip() == expected
    server.stop()
    assert gone(server.port)


@pytest.mark.parametrize(("model", "says"), [("broken", "ended with code 1 before"), ("forever", "did not answer within 1 s")])
def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(model: str, says: str) -> None:
    server = cluster.Server(model, "127.0.0.1", 0, 1)
    with pytest.raises(RunProblem, match=says) as error:
        server.wait(30 if model == "broken" else 1)
    assert f"loading {model} offline: 1" in str(error.value)
    assert "sk-abc" not in str(error.value)
    server.stop()
    assert server._process.poll() is not None


def test_a_server_ends_when_whoever_started_it_is_killed() -> None:
    code = (
        "import sys\nfrom promptlab.running.fleet import cluster\n"
        f"cluster.COMMAND = {cluster.COMMAND!r}\ncluster.STOP_S = 2.0\n"
        "server = cluster.Server('ok', '127.0.0.1', 0, 1)\nserver.wait(30)\nprint(server.port, flush=True)\nsys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout
    port = int(parent.stdout.readline())
    assert answers(port)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert gone(port)


def test_a_server_ends_when_ray_kills_what_its_worker_started() -> None:
    server = cluster.Server("ok", "127.0.0.1", 0, 1)
    server.wait(30)
    server._process.kill()
    assert gone(server.port)


class FakeRay:
    """As much of Ray as is used: tasks are threads, actors are objects, and nothing leaves this process."""

    def __init__(self, gpus: float) -> None:
        self.util = SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1")
        self.gpus = gpus
        self.asked: list[dict[str, Any]] = []
        self.killed: list[Any] = []

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"GPU": self.gpus}

    def put(self, value: Any) -> Any:
        return value

    def get(self, found: Any, timeout: float | None = None) -> Any:
        return found

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def cancel(self, task: Any, force: bool = False) -> None:
        """Threads end by themselves."""

    def remote(self, **options: Any) -> Any:
        self.asked.append(options)

        def of(what: Any) -> Any:
            if not isinstance(what, type):
                return SimpleNamespace(remote=lambda *given: threading.Thread(target=what, args=given, daemon=True).start())

            def actor() -> Any:
                made = what()
                return SimpleNamespace(start=SimpleNamespace(remote=made.start), stop=SimpleNamespace(remote=made.stop))

            return SimpleNamespace(remote=actor)

        return of


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay(gpus=4)
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def ports(log: Path) -> list[int]:
    return [int(line.split("--port ")[1].split()[0]) for line in log.read_text().splitlines()]


def frame(run: Run) -> Any:
    return run.trials()[[name for name in run.trials().columns if name not in CIRCUMSTANCE_COLUMNS]]


def test_a_sweep_over_served_models_is_the_sweep_over_any_server(
    tmp_path: Path, ray: FakeRay, vllm: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    study: Study = resolve(experiment(tmp_path, models=TWO, items=8))
    served = run_sweep(study, tmp_path / "served", None, Execution(8, workers=2, ray=True), told, 2)
    assert served.state == "complete"
    assert ray.asked[0] == {"num_gpus": 2, "num_cpus": 1, "max_restarts": 0}
    assert len(ray.killed) == 2
    first, second = ports(vllm)
    assert first != second
    assert gone(first)
    assert gone(second)
    found = Run(served.folder)
    assert sorted(found.manifest.served_at.values()) == sorted(f"http://127.0.0.1:{port}/v1" for port in (first, second))
    assert found.manifest.models["a"] == ModelAsked(litellm_name="hosted_vllm/ok")
    assert not any(str(port) in found.folder.joinpath("plan.json").read_text() for port in (first, second))
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
    one = Run(run_sweep(study, tmp_path / "one", None, Execution(8), told).folder)
    assert frame(one).equals(frame(found))
    keyed = ["trial", "turn", "key", "requested", "effective"]
    both = [run.calls().sort_values(["trial", "turn"], ignore_index=True)[keyed] for run in (one, found)]
    assert both[0].equals(both[1])
    assert one.plan == found.plan
    again = run_sweep(study, tmp_path / "served", None, Execution(8, workers=2, ray=True), told, 2)
    assert (again.state, len(ports(vllm))) == ("complete", 2)  # nothing is started for nothing
    assert Run(again.folder).manifest.served_at == found.manifest.served_at


def test_what_cannot_be_served_is_told(tmp_path: Path, ray: FakeRay, vllm: Path) -> None:
    study = resolve(experiment(tmp_path, models=TWO, items=5))
    on_ray = Execution(8, ray=True)
    with pytest.raises(UsageProblem, match="add --engine ray"):
        run_sweep(study, tmp_path / "runs", None, Execution(8), told, 1)
    with pytest.raises(UsageProblem, match=r"2 model\(s\) with 8 GPU\(s\) each need 16, and the cluster has 4"):
        run_sweep(study, tmp_path / "runs", None, on_ray, told, 8)
    other = resolve(experiment(tmp_path, name="other", items=5))
    with pytest.raises(UsageProblem, match="the experiment has none"):
        run_sweep(other, tmp_path / "runs", None, on_ray, told, 1)
    broken = resolve(experiment(tmp_path, name="broken", models=TWO.replace("slow-2", "broken"), items=5))
    with pytest.raises(RunProblem, match="no such weights"):
        run_sweep(broken, tmp_path / "runs", None, on_ray, told, 1)
    assert all(gone(port) for port in ports(vllm))
    assert len(ray.killed) == 2
    assert Run(tmp_path / "runs" / broken.run_id).state == "failed"
    assert "HOSTED_VLLM_API_BASE" not in os.environ

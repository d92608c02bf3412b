"""A sweep on two Ray nodes of this machine. Ray is an extra: without it these tests skip."""

from __future__ import annotations

import hmac
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from promptlab.nouns.errors import UsageProblem
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.fleet import cluster
from promptlab.running.fleet.hub import Hub, Limit
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import run_sweep
from runs import experiment, served
from servers import Server

PRICE = ", price: {input_usd_per_mtok: 1.0, output_usd_per_mtok: 2.0}"


def told(_: Progress) -> None:
    """Nobody watches."""


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageProblem, match=r"promptlab\[ray\]"):
        run_sweep(resolve(experiment(tmp_path)), tmp_path / "runs", None, Execution(workers=2, ray=True), told)


def test_only_a_worker_with_the_token_is_let_in_and_only_once() -> None:
    found = cluster.Cluster.__new__(cluster.Cluster)
    found._token = "right"
    answers: dict[str, Any] = {}
    for said in (b"right 1\n", b"wrong 1\n", b"right 7\n", b"right x\n", b"GET / HTTP/1.1\r\n\r\n", b"", b"\xff 1\n"):
        ours, theirs = socket.socketpair()
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        answers[repr(said)] = found._named(ours, {0, 1})
        ours.close()
        theirs.close()
    assert [value for value in answers.values() if value is not None] == [1]
    assert answers[repr(b"right 1\n")] == 1


def test_workers_that_never_come_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(1, 2, Limit(None), Limit(None), lambda _: None)
    found = cluster.Cluster.__new__(cluster.Cluster)
    found._listener = socket.create_server(("127.0.0.1", 0))
    found._listener.settimeout(0.2)
    found._token, found._threads = "t", []
    waiting = threading.Thread(target=found._accept, args=(hub, 2))
    waiting.start()
    waiting.join(5)
    assert hub.all_gone
    found._listener.close()
    assert hmac.compare_digest(found._token, "t")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="Ray is not installed (promptlab[ray])")
    from ray.cluster_utils import Cluster

    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}:{Path(ray.__file__).parent.parent}")
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    few: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100_000_000}
    found = Cluster(initialize_head=True, head_node_args=few)
    found.second = found.add_node(**few)
    yield found
    ray.shutdown()
    found.shutdown()
    patch.undo()


def same(a: Path, b: Path) -> bool:
    first, second = Run(a).trials(), Run(b).trials()
    columns = [name for name in first.columns if name not in CIRCUMSTANCE_COLUMNS]
    return bool(first[columns].equals(second[columns]))


def test_two_nodes_give_the_frame_of_one_process_and_a_lost_one_changes_nothing(tmp_path: Path, server: Server, nodes: Any) -> None:
    study = resolve(experiment(tmp_path, models=served(server.url, "slow-20", PRICE), items=60))
    one = run_sweep(study, tmp_path / "one", None, Execution(8), told)
    execution = Execution(8, workers=2, ray=True, ray_address=nodes.address)
    two = run_sweep(study, tmp_path / "two", None, execution, told)
    assert same(one.folder, two.folder)
    capped = run_sweep(
        study, tmp_path / "cap", None, Execution(8, workers=2, ray=True, ray_address=nodes.address, max_cost_usd=0.003), told
    )
    assert capped.state == "budget"
    assert 0.001 < Run(capped.folder).manifest.paid_usd <= 0.003
    before = len(server.requests)

    def lose() -> None:
        while len(server.requests) < before + 120:
            time.sleep(0.02)
        nodes.remove_node(nodes.second, allow_graceful=False)

    loser = threading.Thread(target=lose)
    loser.start()
    three = run_sweep(study, tmp_path / "three", None, execution, told)
    loser.join()
    assert three.state == "complete"
    assert same(one.folder, three.folder)

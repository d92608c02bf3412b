"""Several workers on one sweep: the same frame as one process, whoever dies; one record, one budget, one pause."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from promptlab.nouns.errors import RunProblem, UsageProblem
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, runs_in
from promptlab.running.fleet.hub import Hub, Limit
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import run_sweep
from runs import experiment, run, served, start, wait_until
from servers import Server

PRICE = ", price: {input_usd_per_mtok: 1.0, output_usd_per_mtok: 2.0}"


def only_run(folder: Path) -> Run:
    (found,) = runs_in(folder)
    return Run(found)


def told(_: Progress) -> None:
    """Nobody watches."""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def same(a: Run, b: Run) -> bool:
    columns = [name for name in a.trials().columns if name not in CIRCUMSTANCE_COLUMNS]
    return bool(a.trials()[columns].equals(b.trials()[columns]))


# --- the hub ---------------------------------------------------------------------------------------------------------


def hub(workers: int = 2, usd: float | None = None, tokens: float | None = None) -> tuple[Hub, list[bytes]]:
    lines: list[bytes] = []
    return Hub(10, workers, Limit(usd), Limit(tokens), lines.append), lines


def test_blocks_are_handed_out_once_and_come_back_when_their_worker_is_lost() -> None:
    found, lines = hub()
    found.open_segment(0, 95, frozenset())
    taken: dict[int, list[tuple[int, int]]] = {0: [], 1: []}
    for turn in range(6):
        answer = found.exchange(turn % 2, {"want": True})
        taken[turn % 2].append(tuple(answer["chunk"]))
    found.exchange(0, {"rows": [["a", "ok", None, "{}\n"], ["b", "error", "no", "{}\n"]]})
    assert (len(lines), found.n_done, found.n_errors, found.last_error) == (2, 2, 1, "no")
    found.lost(0)
    assert found.exchange(0, {"want": True}) == {"end": True, "halt": True}
    assert not found.segment_done
    rest = []
    told_of: set[str] = set()
    while "chunk" in (answer := found.exchange(1, {"want": True})):
        rest.append(tuple(answer["chunk"]))
        told_of |= set(answer["recorded"])
    assert sorted(taken[1] + rest) == [(at, min(at + 10, 95)) for at in range(0, 95, 10)]
    assert told_of == {"a", "b"}
    assert not found.segment_done
    found.exchange(1, {"idle": True})
    assert found.segment_done


def test_what_is_lent_never_exceeds_the_limit_and_comes_back() -> None:
    found, _ = hub(4, usd=1.0, tokens=1000)
    lent = 0.0
    for turn in range(200):
        usd, tokens = found.exchange(turn % 4, {"need": [0.03, 10]})["granted"]
        assert (usd == 0) == (tokens == 0)
        lent += usd
        assert lent <= 1.0 + 1e-9
        assert found.tokens.lent <= 1000
    assert lent > 0.9
    assert found.exchange(0, {"need": [0.03, 10]})["granted"] == [0.0, 0.0]
    before = found.tokens.lent
    found.exchange(0, {"give_back": [0.5, 100]})
    assert found.usd.lent == pytest.approx(lent - 0.5)
    assert found.tokens.lent == before - 100
    assert found.exchange(1, {"need": [0.4, 10]})["granted"][0] >= 0.4


def test_a_pause_and_a_stopped_provider_are_told_to_everybody() -> None:
    found, _ = hub()
    found.exchange(0, {"pauses": {"m": 5.0}, "stopped": {"n": "no key"}, "served": {"m": ["v1"]}})
    answer = found.exchange(1, {})
    assert 4.5 < answer["pauses"]["m"] <= 5.0
    assert answer["stopped"] == {"n": "no key"}
    found.halt = True
    assert found.exchange(1, {"want": True})["halt"]


# --- sweeps ----------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.fresh
def test_two_workers_give_the_frame_of_one_process(tmp_path: Path) -> None:
    study = resolve(experiment(tmp_path, items=40))
    one = run_sweep(study, tmp_path / "one", None, Execution(8), told)
    seen: list[int] = []
    two = run_sweep(study, tmp_path / "two", None, Execution(8, workers=2), lambda p: seen.append(p.n_done))
    assert two.state == "complete"
    assert same(Run(one.folder), Run(two.folder))
    assert seen[-1] == study.design.n_trials
    first, second = Run(one.folder).manifest, Run(two.folder).manifest
    for key in ("counts", "effective", "served", "state"):
        assert getattr(first, key) == getattr(second, key)
    assert second.paid_usd == pytest.approx(first.paid_usd)
    assert run_sweep(study, tmp_path / "two", None, Execution(8, workers=2), told).progress.n_sent == 0


@pytest.mark.long
def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-15"), items=50)
    one = run_sweep(resolve(path), tmp_path / "one", None, Execution(8), told)
    planned = len(server.requests)
    arguments = ("sweep", str(path), "--runs", str(tmp_path / "two"), "-w", "2", "-c", "8", "--no-report", "--cache", "off")
    process = start(*arguments)
    wait_until(lambda: len(server.requests) >= planned + planned // 3, process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert same(Run(one.folder), only_run(tmp_path / "two"))
    assert planned <= len(server.requests) - planned <= planned + 4 + 64 // 8  # under way, or answered and on its way to the record


@pytest.mark.long
def test_when_all_are_killed_the_same_command_goes_on(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-20"), items=40)
    arguments = ("sweep", str(path), "--runs", str(tmp_path / "runs"), "-w", "2", "-c", "8", "--no-report")
    process = start(*arguments, env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    wait_until(lambda: len(server.requests) >= 60, process)
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "all 2 workers ended" in err
    assert "Traceback" not in err
    n = len(only_run(tmp_path / "runs").trials())
    assert 0 < n < 320
    done = run(*arguments, env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr
    assert len(only_run(tmp_path / "runs").trials()) == 320


def test_ctrl_c_lets_workers_finish_what_is_paid_for(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-50"), items=60)
    process = start("sweep", str(path), "--runs", str(tmp_path / "runs"), "-w", "2", "-c", "8", "--no-report", "--cache", "off")
    wait_until(lambda: len(server.requests) >= 40, process)
    os.killpg(os.getpgid(process.pid), 0)
    for pid in (process.pid, *children(process.pid)):  # as a terminal does
        os.kill(pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert len(only_run(tmp_path / "runs").trials()) == len(server.requests)


def test_a_killed_parent_takes_its_workers_with_it(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-50"), items=100)
    process = start("sweep", str(path), "--runs", str(tmp_path / "runs"), "-w", "2", "-c", "8", "--no-report", "--cache", "off")
    wait_until(lambda: len(server.requests) >= 40, process)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert only_run(tmp_path / "runs").state == "interrupted"


def test_one_budget_holds_over_all_workers(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-2", PRICE), items=100)
    cap = 0.004
    done = run_sweep(resolve(path), tmp_path / "runs", None, Execution(16, max_cost_usd=cap, workers=2), told)
    assert done.state == "budget"
    assert done.exit_code == 4
    spent = len(server.requests) * (5 * 1.0 + 2 * 2.0) / 1e6
    assert spent <= cap
    assert spent > 0.3 * cap
    assert Run(done.folder).manifest.paid_usd == pytest.approx(spent)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_cap_on_tokens_holds_and_goes_on_counting(workers: int, tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-2"), items=100)
    study, execution = resolve(path), Execution(4, max_tokens=3000, workers=workers)
    done = run_sweep(study, tmp_path / "runs", None, execution, told)
    assert done.state == "budget"
    used = 7 * len(server.requests)
    assert 1000 < used <= 3000
    again = run_sweep(study, tmp_path / "runs", None, execution, told)
    assert again.state == "budget"
    assert 7 * len(server.requests) <= 3000
    assert "tokens" in str(again.progress.budget_reached)


def test_a_cap_on_money_needs_prices(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url))
    with pytest.raises(UsageProblem, match=r"price of served is unknown.*--max-tokens"):
        run_sweep(resolve(path), tmp_path / "runs", None, Execution(max_cost_usd=1.0), told)


def test_a_wrong_key_ends_all_workers_at_once(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "echo-401"), items=50)
    done = run_sweep(resolve(path), tmp_path / "runs", None, Execution(8, workers=2), told)
    assert done.state == "incomplete"
    assert "served" in done.progress.stopped
    assert len(server.requests) <= 16


@pytest.mark.long
def test_looks_are_taken_between_the_workers_segments(tmp_path: Path) -> None:
    path = experiment(
        tmp_path, models="  - sim/planted", items=80, more="analysis: {looks: 4}\n", stimuli="emotionprompt/EP02, emotionprompt/EP03"
    )
    study = resolve(path)
    one = run_sweep(study, tmp_path / "one", None, Execution(16), told)
    two = run_sweep(study, tmp_path / "two", None, Execution(16, workers=2), told)
    assert Run(one.folder).looks == Run(two.folder).looks
    assert same(Run(one.folder), Run(two.folder))
    assert two.progress.n_skipped == one.progress.n_skipped > 0


def test_an_experiment_that_changes_under_its_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = experiment(tmp_path)
    study = resolve(path)
    path.write_text(path.read_text().replace("seed: 1", "seed: 2"))
    with pytest.raises(RunProblem, match="changed while its sweep was starting"):
        run_sweep(study, tmp_path / "runs", None, Execution(workers=2), told)

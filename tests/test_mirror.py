"""Runs at an address: the local folder and the address agree, whoever writes, however a push or a process ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner

from conftest import ROOT
from promptlab import open_run
from promptlab.cli.main import app
from promptlab.nouns.errors import PromptlabError, RunProblem, UsageProblem
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record import mirror
from promptlab.record.mirror import INDEX, JOURNAL, MANIFEST, WRITER, Place
from promptlab.record.store import Run, RunWriter, recorded_in
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import Sweep, run_sweep
from runs import experiment, served, start, wait_until
from servers import Server

MEMORY = "memory://bucket/runs"


def told(_: Progress) -> None:
    """Nobody watches."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("promptlab.record.mirror.lease.PUSH_EVERY_S", 0.05)
    monkeypatch.setattr("promptlab.record.mirror.lease.FIRST_WAIT_S", 0.01)
    yield
    fsspec.filesystem("memory").store.clear()


def sweep(study: Study, address: str, cap: int | None = None) -> tuple[Sweep, mirror.Pusher, list[str]]:
    said: list[str] = []
    place = Place(address)
    with place.sharing(study.run_id, said.append) as pusher:
        done = run_sweep(study, place.folder, None, Execution(8, max_tokens=cap), told)
    return done, pusher, said


def same(a: Run, b: Run) -> bool:
    columns = [name for name in a.trials().columns if name not in CIRCUMSTANCE_COLUMNS]
    return bool(a.trials()[columns].equals(b.trials()[columns]))


def other_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "other") -> None:
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / name))


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_run_at_an_address_is_the_run_in_a_folder(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = MEMORY if scheme == "memory" else f"file://{tmp_path}/far/runs"
    study = resolve(experiment(tmp_path, items=5))
    one = run_sweep(study, tmp_path / "one", None, Execution(8), told)
    two, pusher, said = sweep(study, address)
    assert (two.state, pusher.failed, said) == ("complete", None, [])
    other_home(tmp_path, monkeypatch)
    found = open_run(f"{address}/{study.run_id}")
    assert str(tmp_path / "other") in str(found.folder)
    assert same(Run(one.folder), found)
    assert found.plan == Run(one.folder).plan
    assert len(found.calls()) == len(Run(one.folder).calls())
    assert found.items().equals(Run(one.folder).items())
    assert found.state == "complete"
    place = Place(address)
    assert place.names() == [study.run_id]
    assert place.writer(study.run_id) is None
    again, _, _ = sweep(study, address)
    assert (again.progress.n_sent, again.state) == (0, "complete")
    if scheme == "file":
        assert not list((tmp_path / "far").rglob(".*.tmp"))


def test_a_capped_sweep_goes_on_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    study = resolve(experiment(tmp_path, models=served(server.url)))
    first, _, _ = sweep(study, MEMORY, cap=500)
    assert first.state == "budget"
    asked = len(server.requests)
    other_home(tmp_path, monkeypatch)
    second, _, _ = sweep(study, MEMORY)
    assert second.state == "complete"
    assert len(server.requests) == study.design.n_trials
    assert second.progress.n_recorded_before == asked
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "third"))
    assert len(open_run(f"{MEMORY}/{study.run_id}").trials()) == study.design.n_trials


def test_commands_take_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = experiment(tmp_path, items=5)

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        if isinstance(done.exception, PromptlabError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    said = command("sweep", str(path), "--runs", MEMORY)
    (name,) = Place(MEMORY).names()
    assert f"view {MEMORY}/{name}" in said
    assert fsspec.filesystem("memory").exists(f"/bucket/runs/{name}/report.html")
    other_home(tmp_path, monkeypatch)
    monkeypatch.setenv("PROMPTLAB_RUNS", MEMORY)
    assert [(row["run"], row["state"]) for row in json.loads(command("ls", "runs", "--json"))] == [(name, "complete")]
    assert json.loads(command("report", f"{MEMORY}/{name}", "-f", "json"))["run"] == name
    assert json.loads(command("show", "run", f"{MEMORY}/{name}", "--json"))["id"] == name
    command("export", f"{MEMORY}/{name}", "-o", str(tmp_path / "out.csv"))
    assert len((tmp_path / "out.csv").read_text().splitlines()) > 40
    with pytest.raises(RunProblem, match="there is no such run"):
        command("report", f"{MEMORY}/small-00000000")
    with pytest.raises(UsageProblem, match="local folder"):
        command("sweep", str(path), "--batch")
    with pytest.raises(UsageProblem, match="needs a local folder"):
        command("import", str(path))


def test_fsspec_is_loaded_for_addresses_only(tmp_path: Path) -> None:
    code = "import sys, promptlab.record.mirror, promptlab.cli; sys.exit('fsspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# --- what a reader sees ----------------------------------------------------------------------------------------------


def test_no_reader_ever_sees_a_manifest_that_promises_more_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setattr("promptlab.record.store.writing.PART_ROWS", 7)
    monkeypatch.setattr("promptlab.running.progress.MANIFEST_EVERY_S", 0.0)
    monkeypatch.setattr("promptlab.record.mirror.lease.PUSH_EVERY_S", 0.0)
    study = resolve(experiment(tmp_path, models=served(server.url, "slow-5"), items=6))
    place = Place(MEMORY)
    states: list[dict[str, bytes]] = []
    put = Place.put

    def noted(self: Place, run: str, name: str, data: bytes) -> None:
        put(self, run, name, data)
        states.append({path: file.getvalue() for path, file in fsspec.filesystem("memory").store.items()})

    monkeypatch.setattr(Place, "put", noted)
    with place.sharing(study.run_id, lambda _: None):
        run_sweep(study, place.folder, None, Execution(8), told)
    counts = []
    memory = fsspec.filesystem("memory")
    for number, state in enumerate(states[:: max(1, len(states) // 12)]):
        memory.store.clear()
        for path, data in state.items():
            memory.pipe_file(path, data)
        if not any(path.endswith(MANIFEST) for path in state):
            continue
        monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / f"reader{number}"))
        found = open_run(f"{MEMORY}/{study.run_id}")
        counts.append(found.manifest.counts.done)
        assert len(found.trials()) >= counts[-1]
    assert counts == sorted(counts)
    assert len(set(counts)) > 3


def rows_of(path: Path, outcome: str = "ok") -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    found = Run(path)
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in found.calls().to_dict("records"):
        calls.setdefault(str(call["trial"]), []).append({k: None if v != v else v for k, v in call.items()})
    rows = [{k: None if v != v else v for k, v in row.items()} for row in found.trials().to_dict("records")]
    return [({**row, "outcome": outcome}, calls[row["trial"]]) for row in rows]


@pytest.fixture
def rows(tmp_path: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    study = resolve(experiment(tmp_path, name="source", items=5))
    return rows_of(run_sweep(study, tmp_path / "source", None, Execution(8), told).folder)


def pushed(place: Place, run: str) -> mirror.Pusher:
    return mirror.Pusher(place, run, place.folder / "token", lambda _: None, lambda: None)


def test_a_journal_that_became_a_part_does_not_come_after_later_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any]
) -> None:
    """The pushed journal says error; later parts say ok; the push ended before the journal was replaced."""
    place = Place(MEMORY)
    pusher = pushed(place, "r-1")
    writer = RunWriter(pusher.folder)
    writer.write_json(MANIFEST, {"format": 1, "counts": {}, "updated_at": "2026-01-01T00:00:00+00:00"})
    for row, calls in rows[:3]:
        writer.append({**row, "outcome": "error"}, calls)
    pusher.push()
    other_home(tmp_path, monkeypatch, "reader")
    assert set(open_run(f"{MEMORY}/r-1").trials()["outcome"]) == {"error"}
    writer.recorded()  # compacts
    for row, calls in rows[:3]:
        writer.append(row, calls)
    writer.recorded()
    put = Place.put

    def cut(self: Place, run: str, name: str, data: bytes) -> None:
        if name == JOURNAL:
            raise OSError("cut off")
        put(self, run, name, data)

    monkeypatch.setattr(Place, "put", cut)
    with pytest.raises(OSError, match="cut off"):
        pusher.push()
    writer.close()
    for home in ("reader", "new"):
        other_home(tmp_path, monkeypatch, home)
        found = open_run(f"{MEMORY}/r-1")
        assert list(found.trials()["outcome"]) == ["ok"] * 3, home
        assert len(recorded_in(found.folder).trials) == 3


def test_two_machines_that_both_wrote_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any]) -> None:
    other_home(tmp_path, monkeypatch, "a")
    ours = Place(MEMORY)
    with RunWriterAt(ours, "r-1") as writer:  # never pushed
        for row, calls in rows[:4]:
            writer.append(row, calls)
        writer.recorded()
        writer.append(*rows[4])
        killed = (ours.folder / "r-1" / JOURNAL).read_bytes()
    (ours.folder / "r-1" / "trials" / "part-00001.parquet").unlink()
    (ours.folder / "r-1" / JOURNAL).write_bytes(killed)
    other_home(tmp_path, monkeypatch, "b")
    theirs = Place(MEMORY)
    with RunWriterAt(theirs, "r-1") as writer:
        for row, calls in rows[5:8]:
            writer.append(row, calls)
        writer.recorded()
        writer.append(*rows[8])
        pushed(theirs, "r-1").push()
    other_home(tmp_path, monkeypatch, "a")
    assert set(open_run(f"{MEMORY}/r-1").trials()["trial"]) == {row["trial"] for row, _ in rows[:9]}
    assert len(list((ours.folder / "r-1" / "trials").iterdir())) == 2
    pusher = pushed(ours, "r-1")
    fsspec.filesystem("memory").rm_file(f"/bucket/runs/r-1/{WRITER}")
    pusher.pushed = ours.fetch("r-1")
    pusher.push()
    other_home(tmp_path, monkeypatch, "c")
    found = open_run(f"{MEMORY}/r-1")
    assert set(found.trials()["trial"]) == {row["trial"] for row, _ in rows[:9]}
    assert len(found.calls()) == sum(len(calls) for _, calls in rows[:9])


class RunWriterAt:
    def __init__(self, place: Place, name: str) -> None:
        self._writer = RunWriter(place.folder / name)
        self._writer.write_json(MANIFEST, {"format": 1, "counts": {}, "updated_at": "2026-01-01T00:00:00+00:00"})

    def __enter__(self) -> RunWriter:
        return self._writer

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def test_a_damaged_local_part_comes_back_and_a_damaged_remote_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = resolve(experiment(tmp_path, items=5))
    done, _, _ = sweep(study, MEMORY)
    part = done.folder / "trials" / "part-00000.parquet"
    good = part.read_bytes()
    part.write_bytes(good[:100] + b"xxxx" + good[104:-4] + b"oops")
    open_run(f"{MEMORY}/{study.run_id}")
    assert part.read_bytes() == good
    fsspec.filesystem("memory").pipe_file(f"/bucket/runs/{study.run_id}/calls/part-00000.parquet", b"PAR1")
    other_home(tmp_path, monkeypatch)
    with pytest.raises(RunProblem, match=r"calls/part-00000\.parquet: damaged at the address"):
        open_run(f"{MEMORY}/{study.run_id}")


# --- two writers -----------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_by_name_and_a_silent_one_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = resolve(experiment(tmp_path, items=5))
    memory = fsspec.filesystem("memory")
    other = f"/bucket/runs/{study.run_id}/{WRITER}"
    memory.pipe_file(other, json.dumps({"host": "otherhost", "pid": 77, "time": mirror.now(), "token": "t"}).encode())
    with pytest.raises(RunProblem, match=r"a sweep on otherhost \(pid 77\) is writing this run"):
        sweep(study, MEMORY)
    assert Place(MEMORY).writer(study.run_id) == "a sweep on otherhost (pid 77)"
    memory.pipe_file(other, json.dumps({"host": "otherhost", "pid": 77, "time": "2026-01-01T00:00:00+00:00", "token": "t"}).encode())
    assert sweep(study, MEMORY)[0].state == "complete"
    assert not memory.exists(other)
    with Place(MEMORY).sharing(study.run_id, lambda _: None), pytest.raises(RunProblem, match="another process"):
        sweep(study, MEMORY)


def test_a_writer_that_was_taken_over_stops_and_pushes_nothing_more(tmp_path: Path) -> None:
    said: list[str] = []
    stopped: list[bool] = []
    place = Place(MEMORY)
    memory = fsspec.filesystem("memory")
    with place.sharing("r-1", said.append, lambda: stopped.append(True)) as pusher:
        pusher.folder.mkdir(parents=True, exist_ok=True)
        memory.pipe_file(f"/bucket/runs/r-1/{WRITER}", json.dumps({"host": "h", "pid": 1, "time": mirror.now(), "token": "t"}).encode())
        deadline = time.monotonic() + 5
        while not stopped and time.monotonic() < deadline:
            time.sleep(0.01)
        (pusher.folder / MANIFEST).write_text("{}")
    assert stopped == [True]
    assert "taken over" in str(pusher.failed)
    assert not memory.exists(f"/bucket/runs/r-1/{MANIFEST}")
    assert memory.exists(f"/bucket/runs/r-1/{WRITER}")


# --- trouble ---------------------------------------------------------------------------------------------------------


def test_a_push_that_fails_twice_is_tried_again_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = resolve(experiment(tmp_path, items=8))
    put, failures = Place.put, iter([True, True])

    def flaky(self: Place, run: str, name: str, data: bytes) -> None:
        if name != WRITER and next(failures, False):
            raise OSError("the network is down, key sk-abcdefghijklmnop1234")
        put(self, run, name, data)

    monkeypatch.setattr(Place, "put", flaky)
    done, pusher, said = sweep(study, MEMORY)
    assert (done.state, pusher.failed) == ("complete", None)
    assert "sk-abc" not in "".join(said)
    other_home(tmp_path, monkeypatch)
    assert same(Run(done.folder), open_run(f"{MEMORY}/{study.run_id}"))


def test_an_address_that_stays_away_ends_the_sweep_incomplete_and_the_same_command_pushes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = experiment(tmp_path, items=5)
    put = Place.put

    def away(self: Place, run: str, name: str, data: bytes) -> None:
        if name != WRITER:
            raise OSError("no route to host, key sk-abcdefghijklmnop1234")
        put(self, run, name, data)

    monkeypatch.setattr(Place, "put", away)
    done = CliRunner().invoke(app, ["sweep", str(path), "--runs", MEMORY, "--no-report"])
    assert done.exit_code == 3
    assert "not pushed: " in done.output
    assert "no route to host" in done.output
    assert "sk-abc" not in done.output
    assert "pushes what is missing and sends nothing again" in done.output
    monkeypatch.setattr(Place, "put", put)
    again = CliRunner().invoke(app, ["sweep", str(path), "--runs", MEMORY, "--no-report"])
    assert again.exit_code == 0, again.output
    assert " 0 calls sent" in again.output
    other_home(tmp_path, monkeypatch)
    assert len(open_run(f"{MEMORY}/{Place(MEMORY).names()[0]}").trials()) == resolve(path).design.n_trials


def test_killed_in_the_middle_and_resumed_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-40"), items=10)
    study = resolve(path)
    one = run_sweep(study, tmp_path / "one", None, Execution(64), told)
    before = len(server.requests)
    address = f"file://{tmp_path}/far"
    code = "from promptlab.record.mirror import lease\nlease.PUSH_EVERY_S = 0.2\nfrom promptlab.cli import main\nmain()"
    process = start("-c", code, "sweep", str(path), "--runs", address, "-c", "2", env={"PROMPTLAB_HOME": str(tmp_path / "first")})
    journal = tmp_path / "far" / study.run_id / JOURNAL
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 20, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    other_home(tmp_path, monkeypatch)
    known = set(open_run(f"{address}/{study.run_id}").trials()["trial"])
    assert 20 <= len(known) < study.design.n_trials
    with pytest.raises(RunProblem, match=r"pid \d+\) is writing this run, last heard of"):
        sweep(study, address)
    monkeypatch.setattr("promptlab.record.mirror.lease.FRESH_S", 0.0)
    asked = len(server.requests)
    second, pusher, _ = sweep(study, address)
    assert (second.state, pusher.failed) == ("complete", None)
    assert len(server.requests) - asked == study.design.n_trials - len(known)
    assert asked - before >= len(known)
    assert same(Run(one.folder), Run(second.folder))
    other_home(tmp_path, monkeypatch, "third")
    assert same(Run(one.folder), open_run(f"{address}/{study.run_id}"))


def test_killed_on_this_machine_the_same_command_goes_on_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(MEMORY)
    own = place.folder / ".r-1"
    own.mkdir(parents=True)
    killed = mirror.Pusher(place, "r-1", own / "token", lambda _: None, lambda: None)
    killed.claim()
    with place.sharing("r-1", lambda _: None):
        pass
    killed.claim()
    other_home(tmp_path, monkeypatch)
    with pytest.raises(RunProblem, match="is writing this run"):
        Place(MEMORY).sharing("r-1", lambda _: None).__enter__()


# --- names and addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../../escaped", "trials/../../x.parquet", "/etc/passwd", "trials/part-1.parquet", "calls/part-00001.parquet\n", "lock"]
)
def test_no_name_at_the_address_leaves_the_mirror(name: str, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file(f"/bucket/runs/r-1/{INDEX}", json.dumps({name: {"size": 1, "sha256": "00"}}).encode())
    with pytest.raises(RunProblem, match="is no file of a run; nothing was fetched"):
        open_run(f"{MEMORY}/r-1")
    assert not list(tmp_path.rglob("*escaped*"))


def test_only_names_of_runs_are_listed_and_fetched() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("good-1", ".hidden", "a b", "-x"):
        memory.pipe_file(f"/bucket/runs/{name}/{MANIFEST}", b"{}")
    assert Place(MEMORY).names() == ["good-1"]
    with pytest.raises(UsageProblem, match="is not the name of a run"):
        open_run(f"{MEMORY}/..")


@pytest.mark.parametrize("address", ["s3://key:secret@bucket/r", "simplecache::s3://b/r", "https://h/r?sig=secret", "nosuch://x"])
def test_an_address_without_secrets_is_asked_for(address: str) -> None:
    with pytest.raises(UsageProblem) as told_:
        Place(address)
    assert "secret" not in str(told_.value)

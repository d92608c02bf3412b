"""Sweeps end to end: killed, interrupted, out of money, refused, and the same frame in the end."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promptlab.nouns.manifest import Tally, beside_trials
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, runs_in
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep
from runs import experiment, run, served, start, wait_until
from servers import Server


def sweep(path: Path, runs: Path, cache: Path | None = None, concurrency: int = 8) -> tuple[Sweep, Run]:
    done = run_sweep(resolve(path), runs, cache, Execution(concurrency), lambda progress: None)
    return done, Run(done.folder)


def only_run(folder: Path) -> Run:
    [found] = runs_in(folder)
    return Run(found)


def settled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=list(CIRCUMSTANCE_COLUMNS))


def test_only_a_record_that_a_sweep_made_itself_is_not_made_again_to_check_it(tmp_path: Path) -> None:
    study, runs, cache = resolve(experiment(tmp_path, items=8)), tmp_path / "runs", tmp_path / "cache"
    ways = [(runs, "use", True), (runs, "use", False), (tmp_path / "other", "use", True), (tmp_path / "replayed", "replay", False)]
    for folder, use, is_own in ways:
        done = run_sweep(study, folder, cache, Execution(cache=use), lambda progress: None)  # type: ignore[arg-type]
        assert (done.state, done.is_own) == ("complete", is_own)


def test_a_sweep_records_everything_and_again_asks_nothing(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, more=", price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"))
    done, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    n = done.progress.n_planned
    assert (done.state, done.exit_code, n) == ("complete", 0, 2 * 20 * 4)
    assert len(server.requests) == n
    trials, calls = found.trials(), found.calls()
    assert len(trials) == len(calls) == n
    assert trials["outcome"].eq("ok").all()
    assert trials["score"].notna().all()
    first = calls.iloc[0]
    assert json.loads(first["messages"])[-1]["content"].startswith("Instruction: ")
    assert json.loads(first["requested"]) == {"temperature": 0, "max_tokens": 64}
    assert json.loads(first["effective"])["max_tokens"] == 64
    assert found.manifest.counts == Tally(planned=n, done=n, sent=n)
    assert found.manifest.paid_usd == pytest.approx(n * (5 * 1 + 2 * 2) / 1e6)
    assert found.manifest.served == {"served": ("ok-v1",)}
    assert set(found.manifest.hashes) == {"experiment", "data", "stimuli", "prices", "simulators", "plan"}
    again, _ = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert (again.progress.n_sent, len(server.requests), again.state) == (0, n, "complete")
    elsewhere, other = sweep(path, tmp_path / "elsewhere", tmp_path / "cache")
    assert (elsewhere.progress.n_sent, elsewhere.progress.n_cached) == (0, n)
    pd.testing.assert_frame_equal(settled(other.trials()), settled(trials))
    assert other.trials()["paid_usd"].eq(0).all()


def test_the_aa_arm_is_paid_for_itself(tmp_path: Path, server: Server) -> None:
    sweep(experiment(tmp_path, models=served(server.url)), tmp_path / "runs", tmp_path / "cache")
    prompts = [json.dumps(body["messages"]) for body in server.requests]
    assert max(prompts.count(p) for p in set(prompts)) == 2


def test_errors_are_missing_and_asked_again(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, tasks="sum", models=served(server.url, "fail-408-1", ", retries: 0"))
    done, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    n = done.progress.n_planned
    assert (done.state, done.exit_code) == ("incomplete", 3)
    assert found.trials()["score"].isna().sum() == done.progress.n_errors > 0
    again, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert again.state == "complete"
    assert again.progress.n_recorded_before == n - done.progress.n_errors
    assert found.trials()["score"].notna().all()


def test_a_budget_is_never_passed(tmp_path: Path, server: Server) -> None:
    price = ", price: {input_usd_per_mtok: 1000, output_usd_per_mtok: 1000}"
    path = experiment(tmp_path, models=served(server.url, "slow-20", price), more="budget_usd: 0.5\n")
    done, found = sweep(path, tmp_path / "runs", tmp_path / "cache", concurrency=16)
    assert (done.state, done.exit_code) == ("budget", 4)
    assert 0 < found.manifest.paid_usd <= 0.5
    assert found.manifest.paid_usd > 0.3  # what is set aside for requests under way is given back, not lost
    assert 0 < len(server.requests) < done.progress.n_planned
    again, _ = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert again.state == "budget"
    assert only_run(tmp_path / "runs").manifest.paid_usd <= 0.5


def test_unknown_prices_stay_unknown(tmp_path: Path, server: Server) -> None:
    done, found = sweep(experiment(tmp_path, models=served(server.url)), tmp_path / "runs")
    assert found.trials()["cost_usd"].isna().all()
    assert done.progress.n_unpriced == done.progress.n_planned


def test_a_wrong_key_stops_its_models_and_no_other(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINE_KEY", "another-key-than-that")
    models = served(server.url, "echo-401") + f"\n  - {{model: openai/ok, name: fine, api_base: '{server.url}', api_key_env: FINE_KEY}}"
    done, found = sweep(experiment(tmp_path, models=models), tmp_path / "runs")
    assert done.state == "incomplete"
    assert set(found.trials()["model"]) == {"fine"}
    assert len(found.trials()) == done.progress.n_planned // 2
    assert sum(body["model"] == "echo-401" for body in server.requests) <= 8
    assert "refused the call without a key" in done.progress.stopped["served"]


def test_concurrency_is_bounded(tmp_path: Path, server: Server) -> None:
    sweep(experiment(tmp_path, tasks="sum", models=served(server.url, "slow-10")), tmp_path / "runs", concurrency=3)
    assert server.peak == 3


def test_a_full_disk_stops_the_sweep_and_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    import errno

    from promptlab.nouns.errors import RunProblem
    from promptlab.record import store

    path = experiment(tmp_path, tasks="sum", models=served(server.url))
    real, written = store.RunWriter.append_lines, []

    def append(self: store.RunWriter, lines: list[bytes]) -> None:
        fits = lines[: 30 - len(written)]
        written.extend(fits)
        real(self, fits)
        if fits != lines:
            raise RunProblem(f"{self.folder}: {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(store.RunWriter, "append_lines", append)
    with pytest.raises(RunProblem, match="No space left"):
        sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert len(only_run(tmp_path / "runs").trials()) == 30
    assert only_run(tmp_path / "runs").state == "failed"
    assert len(server.requests) <= 30 + 2 * 8


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One sweep killed at half and taken up again, and the same sweep undisturbed, over HTTP."""
    import servers

    tmp = tmp_path_factory.mktemp("killed")
    results: dict[str, Any] = {}
    for name in ("killed", "undisturbed"):
        server = servers.start(int(results.get("port", 0)))
        results.setdefault("port", server.server_port)
        path = experiment(tmp, tasks="sum, sentiment, object_counting", models=served(server.url, "slow-15"), items=20)
        arguments = ("sweep", str(path), "--runs", str(tmp / name), "--concurrency", "8", "--no-report")
        env = {"PROMPTLAB_HOME": str(tmp / f"home-{name}")}
        if name == "killed":
            process = start(*arguments, env=env)
            requests = server.requests
            wait_until(lambda: len(requests) >= 120, process)  # noqa: B023 (waited for here)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            time.sleep(0.1)
            results["rows_at_kill"] = len(only_run(tmp / name).trials())
            results["state_at_kill"] = only_run(tmp / name).state
            results["sent_at_kill"] = len(server.requests)
        done = run(*arguments, env=env)
        assert done.returncode == 0, done.stderr
        results[name] = (only_run(tmp / name), len(server.requests), done.stdout)
        server.shutdown()
        server.server_close()
    return results


@pytest.mark.long
def test_killed_at_half_the_frame_is_the_same_row_for_row(killed: dict[str, Any]) -> None:
    assert killed["state_at_kill"] == "interrupted"
    assert killed["sent_at_kill"] - 8 <= killed["rows_at_kill"] <= killed["sent_at_kill"]
    a, b = killed["killed"][0].trials(), killed["undisturbed"][0].trials()
    pd.testing.assert_frame_equal(settled(a), settled(b))
    assert len(a) == 3 * 20 * 4


def test_killed_at_half_only_what_was_under_way_is_paid_again(killed: dict[str, Any]) -> None:
    planned = 3 * 20 * 4
    assert killed["undisturbed"][1] == planned
    assert planned <= killed["killed"][1] <= planned + 8


def test_after_a_kill_the_calls_of_all_sessions_fit_the_answers(killed: dict[str, Any]) -> None:
    found, n_sent, said = killed["killed"]
    counts = found.manifest.counts
    assert counts.done <= n_sent <= counts.sent
    assert f"calls sent ({counts.sent:,} in all sessions" in said
    assert "in all sessions" not in killed["undisturbed"][2]


@pytest.mark.parametrize("lost", [1, 100])
def test_a_kill_forgets_no_call_of_a_simulated_run(tmp_path: Path, lost: int) -> None:
    """Which keeps no ledger, and whose manifest a kill leaves up to two seconds behind."""
    path = experiment(tmp_path, items=20)
    _, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    manifest, n = found.folder / "manifest.json", len(found.trials())
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["counts"]["sent"] -= lost
    manifest.write_text(json.dumps({**told, "state": "running"}), encoding="utf-8")
    done, again = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert (done.progress.n_sent, again.manifest.counts.done) == (0, n)
    assert n <= again.manifest.counts.sent <= told["counts"]["sent"] + lost


@pytest.mark.parametrize(
    ("n_sent", "n_trials", "n_failed", "why"),
    [
        (4, 4, 0, ""), (5, 4, 1, "was sent again"), (3, 4, 0, "the cache, a batch, or an equal call"),
        (0, 2, 2, "need not have sent any"), (0, 3, 2, "the cache, a batch, or an equal call"),
    ],
)  # fmt: skip
def test_why_calls_and_trials_are_not_as_many(n_sent: int, n_trials: int, n_failed: int, why: str) -> None:
    assert beside_trials(n_sent, n_trials, n_failed).endswith(why)
    assert bool(beside_trials(n_sent, n_trials, n_failed)) == bool(why)


def test_fresh_on_a_recorded_run_says_what_to_type(tmp_path: Path) -> None:
    path = experiment(tmp_path, items=4)
    env, words = {"PROMPTLAB_HOME": str(tmp_path / "home")}, ("sweep", path.name, "--no-report")
    assert "keeps them" not in run(*words, "--fresh", env=env, cwd=tmp_path).stdout, "nothing was recorded before"
    for flag in ("--fresh", "--no-cache"):
        said = next(line for line in run(*words, flag, env=env, cwd=tmp_path).stdout.splitlines() if line.startswith("note: "))
        assert said.startswith("note: nothing was sent, since this run has recorded all trials and keeps them; for new answers to all, ")
        typed = shlex.split(said.partition("run it into another folder:")[2])
        assert typed[-6:] == ["sweep", path.name, "--no-report", flag, "--runs", "runs-fresh"]
    again = run(*typed[typed.index("sweep") :], env=env, cwd=tmp_path)
    assert "(0 of them before)" in again.stdout
    assert " 0 calls sent" not in again.stdout
    assert only_run(tmp_path / "runs-fresh").manifest.counts.cached == 0


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-50"))
    process = start("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    wait_until(lambda: len(server.requests) >= 20, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.search(r"Resume with:\s+.*promptlab sweep .*small\.yaml", out)
    assert "Traceback" not in err
    found = only_run(tmp_path / "runs")
    assert found.state == "interrupted"
    assert len(found.trials()) == len(server.requests)


def test_two_sweeps_of_one_run_never_meet(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url, "slow-2000"))
    arguments = ("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report")
    first = start(*arguments, env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    wait_until(lambda: bool(server.requests), first)
    second = run(*arguments, env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert second.returncode == 1
    assert "another process (pid" in second.stderr
    first.kill()
    first.communicate()


CANARY = "sk-CANARY-4711-never-to-be-seen-anywhere"


@pytest.mark.parametrize("model", ["echo-401", "echo-ok"])
def test_a_key_appears_nowhere(tmp_path: Path, server: Server, model: str) -> None:
    path = experiment(tmp_path, tasks="sum", models=served(server.url, model, ", api_key_env: MY_PROVIDER"))
    env = {"PROMPTLAB_HOME": str(tmp_path / "home"), "MY_PROVIDER": CANARY, "OPENAI_API_KEY": CANARY + "2"}
    done = run("sweep", str(path), "--runs", str(tmp_path / "runs"), env=env)
    assert done.returncode == (3 if model == "echo-401" else 0), done.stderr
    assert server.requests
    assert "CANARY" not in done.stdout + done.stderr
    if model == "echo-401":
        assert "refused the key in MY_PROVIDER" in done.stdout
    else:
        assert only_run(tmp_path / "runs").trials()["answer"].eq("you sent Bearer [redacted]").all()
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 5
    for file in files:
        assert b"CANARY" not in file.read_bytes(), file
    for frame in (only_run(tmp_path / "runs").trials(), only_run(tmp_path / "runs").calls()):
        assert "CANARY" not in frame.to_json()

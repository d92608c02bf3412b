"""Sweeps by batch, against our own server: the same frame, nothing paid twice, whatever ends when."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import servers
from promptlab.cli import main
from promptlab.nouns.call import Call, Completion, Model
from promptlab.nouns.errors import RunProblem, UsageProblem
from promptlab.nouns.manifest import Spent
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS, EVIDENCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.reporting.checked import failures
from promptlab.running.batch import submission, waves
from promptlab.running.batch.service import not_batched, price_share
from promptlab.running.cache import Cache
from promptlab.running.cache.rows import request_of
from promptlab.running.gateway import RetryPolicy
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep
from promptlab.sources.spec.libraries import all_stimuli
from runs import experiment, served, start
from servers import Server

PRICE = ", price: {input_usd_per_mtok: 1000, output_usd_per_mtok: 2000}"
ONE_CALL = (5 * 1000 + 2 * 2000) / 1e6
CANARY = "sk-CANARY-4711-never-to-be-seen-anywhere"


shipped_stimuli = functools.cache(all_stimuli)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits in these tests, and the shipped sentences are read once."""
    monkeypatch.setattr("promptlab.planning.resolve.all_stimuli", lambda extra=(): shipped_stimuli())
    monkeypatch.setattr(submission, "POLICY", RetryPolicy(attempts=3, rate_attempts=3, first_wait_s=0.01, longest_wait_s=0.02))
    monkeypatch.setattr(submission, "SETTLE_S", 0.2)
    monkeypatch.setattr(waves, "FIRST_PAUSE_S", 0.02)


@pytest.fixture(scope="module")
def one_server() -> Iterator[Server]:
    running = servers.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def server(one_server: Server) -> Server:
    """The server of all these tests, as if it were new: with one address, an experiment is resolved once."""
    one_server.forget()
    return one_server


@functools.cache
def resolved(text: str, looks: int | None, base: str) -> Study:
    """An experiment by its text; its place is no part of what it asks."""
    folder = Path(tempfile.mkdtemp())
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    try:
        return resolve(folder / "small.yaml", looks)
    finally:
        shutil.rmtree(folder)


class Lab:
    """One experiment, its run folder and its cache; every sweep of it is a session of its own."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.folder, self.path = folder, experiment(folder, **{"tasks": "sum", **values})

    def study(self, looks: int | None = None) -> Study:
        return resolved(self.path.read_text(encoding="utf-8"), looks, os.environ.get("OPENAI_BASE_URL", ""))

    def sweep(self, where: str = "batch", looks: int | None = None, **how: Any) -> Sweep:
        how = {"batch": where == "batch", **how}
        return run_sweep(self.study(looks), self.folder / where, self.folder / f"cache-{where}", Execution(8, **how), lambda _: None)

    def run(self, where: str = "batch") -> Run:
        [found] = (self.folder / where).iterdir()
        return Run(found)

    def state(self) -> dict[str, Any]:
        return json.loads((self.run().folder / "batches.json").read_text())

    def parts(self) -> list[dict[str, Any]]:
        return self.state()["batches"]

    def finish(self, **how: Any) -> tuple[Sweep, int]:
        """The same command again and again; how often."""
        for n in range(1, 12):
            done = self.sweep(**how)
            if done.state == "complete":
                return done, n
        raise AssertionError(done)


@pytest.fixture
def lab(tmp_path: Path, server: Server) -> Lab:
    return Lab(tmp_path, models=served(server.url, more=PRICE), items=10)


def settled(run: Run, *more: str) -> pd.DataFrame:
    return run.trials().drop(columns=[*CIRCUMSTANCE_COLUMNS, *more])


def same(a: Run, b: Run, *but: str) -> None:
    """The same trials and the same calls, whichever way they were asked."""
    pd.testing.assert_frame_equal(settled(a, *but), settled(b, *but))
    order = ["trial", "turn"]
    dropped = ["latency_s", "cached", "attempts", "at_most_usd", *EVIDENCE_COLUMNS, *but]
    calls = [r.calls().drop(columns=dropped).sort_values(order, ignore_index=True) for r in (a, b)]
    pd.testing.assert_frame_equal(*calls)


def test_the_second_command_collects_and_the_frame_is_that_of_an_ordinary_sweep(lab: Lab, server: Server) -> None:
    sent = lab.sweep()
    n = sent.progress.n_planned
    assert (sent.state, sent.exit_code) == ("incomplete", 3)
    assert (sent.progress.n_sent, sent.progress.n_waiting, sent.progress.n_batches, sent.progress.n_done) == (n, n, 1, 0)
    assert lab.run().manifest.batches == {
        "open": 1, "waiting_trials": n, "collected": 0, "waves": 1, "requests": n, "price_share": {"served": 1.0},
    }  # fmt: skip
    [part] = lab.parts()
    assert (part["batch"], part["input_file"], part["wave"], part["status"]) == ("batch_1", "file-1", 1, "validating")
    assert part["tag"] == server.batches.made["batch_1"]["metadata"]["promptlab"]
    assert part["tag"].startswith(lab.run().id)
    keys = json.loads((lab.run().folder / "batches" / "0001.json").read_text())["keys"]
    assert {line["custom_id"] for line in server.batches.lines("file-1")} == set(keys)
    assert not server.requests
    done = lab.sweep()
    assert (done.state, done.progress.n_sent, done.progress.n_done, done.progress.n_cached) == ("complete", 0, n, 0)
    assert server.batches.asked == ["POST /v1/files", "POST /v1/batches", "GET /v1/batches/batch_1", "GET /v1/files/file-2/content"]
    by_batch = [json.dumps(line["body"], sort_keys=True) for line in server.batches.requests()]
    server.requests.clear()
    lab.sweep("ordinary")
    assert Counter(by_batch) == Counter(json.dumps(body, sort_keys=True) for body in server.requests)
    a, b = lab.run(), lab.run("ordinary")
    same(a, b)
    assert set(a.calls()["key"]) == set(keys.values())
    assert a.trials()["latency_s"].eq(0.0).all()
    assert not a.trials()["cached"].any()
    assert a.manifest.paid_usd == pytest.approx(n * ONE_CALL) == pytest.approx(b.manifest.paid_usd)
    assert (a.manifest.spent.usd, a.manifest.spent.tokens) == (pytest.approx(n * ONE_CALL), 7 * n)
    assert a.manifest.counts == b.manifest.counts
    assert a.manifest.counts.sent == n
    assert failures(a) == failures(b) == []
    again = run_sweep(lab.study(), lab.folder / "elsewhere", lab.folder / "cache-batch", Execution(), lambda _: None)
    assert (again.progress.n_sent, again.progress.n_cached) == (0, n), "the answers are in the cache"


def test_a_kill_forgets_no_request_of_a_batch(lab: Lab) -> None:
    sent = lab.sweep()
    manifest = lab.run().folder / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["counts"]["sent"] = 0  # a kill leaves the manifest behind
    manifest.write_text(json.dumps(told), encoding="utf-8")
    done = lab.sweep()
    assert (done.state, done.progress.n_sent) == ("complete", 0)
    assert lab.run().manifest.counts.sent == sent.progress.n_sent


def test_only_what_is_neither_recorded_nor_stored_is_sent_and_each_request_once(lab: Lab, server: Server) -> None:
    small = Lab(lab.folder, name="small", items=5, models=served(server.url, more=PRICE))
    small.sweep("ordinary")
    n_stored = len(server.requests)
    assert n_stored
    lab = Lab(lab.folder, items=20, models=served(server.url, more=PRICE))
    study = lab.study()
    done = run_sweep(study, lab.folder / "batch", lab.folder / "cache-ordinary", Execution(batch=True), lambda _: None)
    assert done.progress.n_done == done.progress.n_cached == n_stored
    assert done.progress.n_sent == done.progress.n_planned - n_stored == len(server.batches.requests())


def test_loops_go_on_one_wave_at_a_time(tmp_path: Path, server: Server) -> None:
    loop = "loops:\n  - {name: heart, rounds: 3, mode: oracle, policies: [alternate, random]}\n"
    lab = Lab(tmp_path, models=served(server.url, more=PRICE), items=4, more=loop)
    text = lab.path.read_text().replace("stimuli: [emotionprompt/EP02]\n", "").replace("temperature: 0", "temperature: 1")
    lab.path.write_text(text)
    waiting = [lab.sweep(cache="off" if n == 1 else "use").progress for n in range(3)]
    assert [p.n_batches for p in waiting] == [1, 1, 1]
    assert waiting[0].n_waiting == waiting[0].n_planned
    assert waiting[1].n_done, "the first round solves some, and arms of one answer are finished"
    assert lab.run().manifest.paid_usd == pytest.approx(sum(len(server.batches.lines(f"file-{n}")) for n in (1, 3)) * ONE_CALL)
    lab.finish()
    assert [part["wave"] for part in lab.parts()] == [1, 2, 3]
    lab.sweep("ordinary")
    a, b = lab.run(), lab.run("ordinary")
    same(a, b)
    n_sent = sum(part["n_requests"] for part in lab.parts())
    assert n_sent == a.calls()["key"].nunique() < len(a.calls()), "the shared first round is sent once"
    assert a.trials()["paid_usd"].sum() == pytest.approx(n_sent * ONE_CALL), "and paid by one trial"
    assert a.manifest.paid_usd == pytest.approx(b.manifest.paid_usd)
    assert (~a.calls()["cached"]).sum() == n_sent


@pytest.mark.parametrize("cache", ["off", "refresh"])
def test_answers_of_earlier_waves_are_kept_in_the_run_where_the_cache_may_not_be_read(tmp_path: Path, server: Server, cache: str) -> None:
    loop = "loops:\n  - {name: heart, rounds: 2, mode: verifier_free, policies: [alternate]}\n"
    lab = Lab(tmp_path, models=served(server.url), items=3, more=loop)
    lab.finish(cache=cache)
    sent = [line["custom_id"] for line in server.batches.requests()]
    assert len(sent) == len(set(sent)) == lab.run().calls()["key"].nunique()
    again = run_sweep(lab.study(), tmp_path / "other", tmp_path / "cache-batch", Execution(), lambda _: None).progress
    assert (again.n_sent == 0) == (cache == "refresh"), "refresh overwrites the cache, off leaves it alone"


def test_answers_in_a_run_folder_reach_no_other_run(tmp_path: Path) -> None:
    """Whoever sends a run folder could plant answers to any request in it."""
    call = Call("m", ({"role": "user", "content": "x"},), {}, 0, None)
    (tmp_path / "run" / waves.BATCH_FOLDER).mkdir(parents=True)
    planted, key = Cache(tmp_path / "run" / waves.BATCH_FOLDER / "answers"), call.key_as("openai/gpt-4o")
    planted.put(key, Completion("planted", "ok"), request_of(call, "openai/gpt-4o"))
    planted.close()
    kept = waves.answers_of(tmp_path / "run", Cache(tmp_path / "cache"))
    assert {found.text for found in (kept.get(key), kept.get_many([key])[key]) if found} == {"planted"}
    kept.close()
    cache = Cache(tmp_path / "cache")
    assert cache.get(key) is None
    cache.close()


def test_half_the_price_in_plan_and_record_where_a_provider_is_known_to_give_it(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    lab = Lab(tmp_path, models="  - {model: openai/gpt-4o-mini, name: mini}", items=6)
    plans = []
    for flags in ([], ["--batch"]):
        monkeypatch.setattr(sys, "argv", ["promptlab", "plan", str(lab.path), "--json", *flags])
        main_code()
        plans.append(json.loads(capsys.readouterr().out))
    usd = [plan["estimates"][0]["usd"][1] for plan in plans]
    assert usd[1] == pytest.approx(usd[0] / 2)
    assert plans[1]["outlook"][0]["usd"][0] == pytest.approx(plans[0]["outlook"][0]["usd"][0] / 2)
    assert plans[0]["run"] == plans[1]["run"], "how a run is sent is no part of its name"
    lab.finish(batch_wait_s=10)
    lab.sweep("ordinary")
    a, b = lab.run(), lab.run("ordinary")
    assert a.id == b.id
    assert a.manifest.hashes == b.manifest.hashes
    same(a, b, "cost_usd")
    assert a.trials()["cost_usd"].to_numpy() == pytest.approx(b.trials()["cost_usd"].to_numpy() / 2)
    assert a.manifest.paid_usd == pytest.approx(b.manifest.paid_usd / 2)
    assert failures(a) == failures(b) == []
    assert server.batches.keys == {f"Bearer {CANARY}"}


def test_a_price_is_halved_only_where_that_is_known() -> None:
    shares = {
        ("openai/gpt-4o", None): 0.5,
        ("openai/x", "http://localhost:1/v1"): 1.0,
        ("openai/x", "https://eu.api.openai.com/v1"): 0.5,
        ("openai/x", "https://api.openai.com.example.org/v1"): 1.0,
        ("hosted_vllm/x", "http://localhost:1/v1"): 1.0,
        ("azure/x", None): 0.5,
    }
    assert {key: price_share(Model("m", *key)) for key in shares} == shares
    refused = {"sim/null": "makes up", "anthropic/claude": "no batch API", "openrouter/x": "no batch API", "vertex_ai/claude": "Gemini"}
    for name, why in refused.items():
        assert why in (not_batched(Model("m", name)) or "")
    assert "password" in (not_batched(Model("m", "openai/x", "http://a:b@localhost/v1")) or "")


def test_killed_between_begin_and_record_nothing_is_begun_twice(lab: Lab, server: Server) -> None:
    server.batches.hang_after_create = True
    process = start(
        "sweep", str(lab.path), "--batch", "--runs", str(lab.folder / "batch"), env={"PROMPTLAB_HOME": str(lab.folder / "home")}
    )
    deadline = time.monotonic() + 60
    while not server.batches.made and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    [part] = lab.parts()
    assert (part["status"], part["batch"], part["input_file"]) == ("uploaded", None, "file-1")
    server.batches.hang_after_create = False
    for _ in range(3):  # other batches of the same account: the list has pages
        server.batches.create({"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"})
        server.batches.made[f"batch_{len(server.batches.made)}"]["input_file_id"] = "another"
    done, n = lab.finish(batch_wait_s=10)
    assert (done.state, n) == ("complete", 1)
    assert server.batches.asked.count("POST /v1/batches") == server.batches.asked.count("POST /v1/files") == 1
    assert lab.parts()[0]["batch"] == "batch_1"


def test_killed_before_the_batch_is_begun_it_is_begun_from_the_same_file(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(submission.OpenAIBatches, "upload", killed)
        with pytest.raises(KeyboardInterrupt):
            lab.sweep()
    assert [part["status"] for part in lab.parts()] == ["prepared"]
    with monkeypatch.context() as patched:
        patched.setattr(submission.OpenAIBatches, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            lab.sweep()
    assert [part["status"] for part in lab.parts()] == ["uploaded"], "what was only prepared is forgotten"
    with pytest.raises(RunProblem, match=r"requests of this run wait in 1 batch.*--batch"):
        lab.sweep(batch=False)
    assert not server.requests
    lab.finish(batch_wait_s=10)
    assert server.batches.asked.count("POST /v1/batches") == server.batches.asked.count("POST /v1/files") == 1


@pytest.mark.parametrize("point", ["_close", "_attributed"])
def test_killed_while_collecting_all_is_recorded_and_paid_once(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    n = lab.sweep().progress.n_planned
    real, calls = getattr(waves.Waves, point), []

    def killed(self: waves.Waves, *arguments: Any) -> Any:
        calls.append(1)
        if point == "_close" or len(calls) > 30:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(waves.Waves, point, killed)
        with pytest.raises(KeyboardInterrupt):
            lab.sweep()
    assert len(lab.run().trials()) == (0 if point == "_close" else 30)
    done = lab.sweep()
    assert (done.state, done.progress.n_sent) == ("complete", 0)
    assert len(server.batches.made) == 1
    manifest = lab.run().manifest
    assert manifest.paid_usd == pytest.approx(n * ONE_CALL) == pytest.approx(manifest.spent.usd)
    assert lab.run().trials()["paid_usd"].sum() == pytest.approx(n * ONE_CALL)


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_requests_of_a_batch_that_did_not_finish_are_asked_again(lab: Lab, server: Server, end: str) -> None:
    server.batches.end, server.batches.answered = end, 30
    n = lab.sweep().progress.n_planned
    done = lab.sweep(batch_wait_s=10)
    assert (done.state, done.progress.n_done, done.progress.n_sent) == ("incomplete", 30, 0), "not by itself: it could go on for ever"
    assert done.progress.notes == [
        f"batch batch_1 of 'served' is {end}: {n - 30} of {n} requests have no answer; the same command sends them again"
    ]
    assert lab.run().manifest.paid_usd == pytest.approx(30 * ONE_CALL)
    server.batches.end, server.batches.answered = "completed", None
    lab.finish()
    assert [part["n_requests"] for part in lab.parts()] == [n, n - 30]
    lab.sweep("ordinary")
    same(lab.run(), lab.run("ordinary"))


def test_a_batch_that_failed_says_why_and_costs_nothing(lab: Lab, server: Server) -> None:
    server.batches.end = "failed"
    server.batches.errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}] * 2
    n = lab.sweep().progress.n_planned
    done = lab.sweep()
    assert done.exit_code == 3
    assert f"is failed (Enqueued token limit reached [token_limit_exceeded], and 1 more): {n} of {n}" in done.progress.notes[0]
    assert lab.run().manifest.spent == Spent()
    server.batches.end = "completed"
    lab.finish()


@pytest.mark.long
def test_whatever_a_model_does_is_recorded_as_in_an_ordinary_sweep(tmp_path: Path, server: Server) -> None:
    names = ["context", "policy", "filter", "length", "null", "nousage", "think", "nochoices", "refusal", "unicode", "othermodel"]
    names.append("facts-openrouter")
    models = "\n".join(f"  - {{model: openai/{name}, name: {name}, api_base: '{server.url}', retries: 1{PRICE}}}" for name in names)
    lab = Lab(tmp_path, models=models, items=1)
    lab.sweep()
    done, ordinary = lab.sweep(), lab.sweep("ordinary")
    same(lab.run(), lab.run("ordinary"))
    assert (done.state, done.progress.n_errors) == (ordinary.state, ordinary.progress.n_errors)
    assert done.progress.n_unpriced == ordinary.progress.n_unpriced > 0
    pd.testing.assert_series_equal(lab.run().trials()["paid_usd"], lab.run("ordinary").trials()["paid_usd"])
    told = lab.run().trials().query("model == 'facts-openrouter'")
    assert told["reported_cost_usd"].tolist() == [0.00025] * len(told)


def test_requests_in_the_error_file_are_errors_and_asked_again(tmp_path: Path, server: Server) -> None:
    lab = Lab(tmp_path, models=served(server.url, "fail-404-1", PRICE))
    lab.sweep()
    done = lab.sweep(batch_wait_s=5)
    frame, n = lab.run().trials(), done.progress.n_errors
    assert (done.state, frame["outcome"].eq("error").sum(), frame["score"].isna().sum()) == ("incomplete", n, n)
    assert frame["error"].dropna().unique().tolist() == ["model: HTTP 404: broken on purpose"]
    assert lab.run().manifest.paid_usd == pytest.approx((done.progress.n_planned - n) * ONE_CALL)
    lab.finish()
    assert [(part["n_requests"], part["n_errors"]) for part in lab.parts()] == [(done.progress.n_planned, n), (n, 0)]
    assert lab.run().trials()["score"].notna().all()


def test_a_budget_holds_as_many_as_fit_and_goes_on_with_what_is_left_of_it(tmp_path: Path, server: Server) -> None:
    lab = Lab(tmp_path, models=served(server.url, more=PRICE), more="budget_usd: 6\n")
    done = lab.sweep()
    n = done.progress.n_sent
    assert (done.state, done.exit_code, 0 < n < done.progress.n_planned) == ("budget", 4, True)
    assert re.search(r"budget of \$6 is reached: \$0.0000 is spent, \$\d.\d+ reserved for batches", done.progress.budget_reached or "")
    assert sum(part["reserved_usd"] for part in lab.parts()) <= 6
    again = lab.sweep(batch_wait_s=10)
    assert again.state == "complete", "what was set aside beyond the cost is free again"
    assert len(lab.parts()) > 1
    assert lab.run().manifest.paid_usd <= 6
    (tmp_path / "tokens").mkdir()
    done = Lab(tmp_path / "tokens", models=served(server.url)).sweep(max_tokens=1000)
    assert (done.exit_code, done.progress.n_sent > 0) == (4, True)
    assert "limit of 1,000 tokens is reached" in (done.progress.budget_reached or "")


def main_code() -> int:
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def no_canary(*folders: Path) -> None:
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 5
    for file in files:
        assert b"CANARY" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("model", "refused", "expected"),
    [
        ("echo-401", None, "refused the key in MY_PROVIDER"),
        ("quota", None, "is used up"),
        ("ok", "POST /v1/files", "refused the key in MY_PROVIDER"),
        ("ok", "POST /v1/batches", "refused the key in MY_PROVIDER"),
        ("ok", "GET /v1/batches/batch_1", "refused the key in MY_PROVIDER"),
        ("ok", "GET /v1/files/file-2/content", "refused the key in MY_PROVIDER"),
    ],
)
def test_a_wrong_key_and_a_used_up_quota_stop_the_model(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, model: str, refused: str | None, expected: str
) -> None:
    monkeypatch.setenv("MY_PROVIDER", CANARY)
    if refused:
        server.batches.refuse[refused] = (401, {"error": {"message": f"Incorrect API key provided: Bearer {CANARY}"}})
    lab = Lab(tmp_path, items=4, models=served(server.url, model, ", api_key_env: MY_PROVIDER"))
    done = lab.sweep(batch_wait_s=10)
    assert done.exit_code == 3
    assert expected in done.progress.stopped["served"]
    assert len(lab.run().trials()) == 0
    assert server.batches.keys == {f"Bearer {CANARY}"}
    assert "CANARY" not in repr(done)
    no_canary(tmp_path)


def test_a_key_appears_nowhere(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    for name, value in (("PROMPTLAB_HOME", str(home)), ("MY_PROVIDER", CANARY), ("OPENAI_API_KEY", CANARY + "2")):
        monkeypatch.setenv(name, value)
    path = experiment(tmp_path, tasks="sum", items=4, models=served(server.url, "echo-ok", ", api_key_env: MY_PROVIDER"))
    arguments = ["promptlab", "sweep", str(path), "--batch", "--batch-wait", "10", "--runs", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", arguments)
    code = main_code()
    out, err = capsys.readouterr()
    assert code == 0, out + err
    assert "CANARY" not in out + err
    assert server.batches.keys == {f"Bearer {CANARY}"}
    assert Run(next((tmp_path / "runs").iterdir())).trials()["answer"].eq("you sent Bearer [redacted]").all()
    no_canary(tmp_path)


def test_a_server_of_ones_own_never_gets_the_key_of_a_public_provider(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    lab.finish()
    assert server.batches.keys == {"Bearer none"}


def test_lines_that_cannot_be_used_are_left_out_and_told(lab: Lab, server: Server) -> None:
    def mangle(lines: list[bytes]) -> list[bytes]:
        first = json.loads(lines[0])
        stranger = json.dumps({**first, "custom_id": "0" * 40}).encode()
        other = json.dumps({**first, "response": {"status_code": 200, "body": {"choices": []}}}).encode()
        empty = json.dumps({"custom_id": json.loads(lines[3])["custom_id"], "response": None, "error": None}).encode()
        return [b'{"custom_id": "half', lines[0], other, stranger, b"[1]", *lines[4:], empty, b""]

    server.batches.mangle = mangle
    n = lab.sweep().progress.n_planned
    done = lab.sweep()
    assert done.progress.n_done == n - 3
    assert done.progress.notes == [
        "batch batch_1 of 'served': left out of its results: 3 not readable, 1 about requests that this batch does not hold, "
        "1 about a request that an earlier line had answered",
        f"batch batch_1 of 'served' is completed: 3 of {n} requests have no answer; the same command sends them again",
    ]
    server.batches.mangle = lambda lines: lines
    lab.finish()
    assert [part["n_requests"] for part in lab.parts()] == [n, 3]
    lab.sweep("ordinary")
    same(lab.run(), lab.run("ordinary"))


def test_a_failed_answer_of_a_batch_that_reports_a_usage_counts_as_what_it_says(lab: Lab, server: Server) -> None:
    def fail(lines: list[bytes]) -> list[bytes]:
        first = json.loads(lines[0])
        body = first["response"]["body"]
        body["choices"][0]["finish_reason"] = "error"
        body["usage"] = {"prompt_tokens": 20, "completion_tokens": 70_000, "total_tokens": 70_020}
        return [json.dumps(first).encode(), *lines[1:]]

    server.batches.mangle = fail
    lab.sweep()
    done = lab.sweep()
    price = lab.study().prices["served"]
    assert price is not None
    usd = (20 * price.input_usd_per_mtok + 70_000 * price.output_usd_per_mtok) / 1e6
    assert done.progress.n_errors > 0
    assert done.progress.unsure_usd == pytest.approx(usd)
    assert lab.run().manifest.unsure_usd == pytest.approx(usd)
    calls = lab.run().calls()
    assert calls.loc[calls["outcome"] == "error", "at_most_usd"].unique().tolist() == [pytest.approx(usd)]


def test_files_have_limits_and_one_model_each(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves, "MAX_REQUESTS", 30)
    models = served(server.url) + f"\n  - {{model: openai/length, name: second, api_base: '{server.url}'}}"
    lab = Lab(tmp_path, models=models)
    done = lab.sweep()
    assert done.progress.n_planned == 2 * 20 * 4
    assert sorted((part["model"], part["n_requests"]) for part in lab.parts()) == [
        ("second", 20), ("second", 30), ("second", 30), ("served", 20), ("served", 30), ("served", 30),
    ]  # fmt: skip
    assert {part["wave"] for part in lab.parts()} == {1}
    lab.finish()
    lab.sweep("ordinary")
    same(lab.run(), lab.run("ordinary"))
    monkeypatch.setattr(waves, "MAX_BYTES", 5_000)
    (tmp_path / "large").mkdir()
    Lab(tmp_path / "large", models=models).sweep()
    assert all(len(data) <= 5_000 for name, data in server.batches.files.items() if int(name[5:]) > 12)


@pytest.mark.long
def test_looks_are_taken_between_waves(tmp_path: Path, server: Server) -> None:
    lab = Lab(tmp_path, tasks="sum, sentiment", models=served(server.url), items=40)
    first = lab.sweep(looks=2)
    assert first.progress.n_sent == first.progress.n_planned // 2, "what lies behind the first look is not sent before it"
    assert any(not lab.sweep(looks=2).progress.n_waiting for _ in range(50))
    lab.sweep("ordinary", looks=2)
    a, b = lab.run(), lab.run("ordinary")
    same(a, b)
    assert a.looks == b.looks
    assert len(a.looks["looks"])
    assert (a.state, a.manifest.counts.skipped) == (b.state, b.manifest.counts.skipped)


def test_arms_are_chosen_between_waves(tmp_path: Path, server: Server) -> None:
    stimuli = "emotionprompt/EP02, emotionprompt/EP03, emotionprompt/EP04"
    lab = Lab(tmp_path, tasks="sum", models=served(server.url), items=40, stimuli=stimuli, more="confirm: 0.5\n")
    first = lab.sweep()
    assert (first.progress.n_sent, lab.run().looks) == (20 * 5, {}), "the screening part, without neutral sentences"
    assert any(lab.sweep().state == "complete" for _ in range(50))
    lab.sweep("ordinary")
    a, b = lab.run(), lab.run("ordinary")
    same(a, b)
    assert a.looks == b.looks
    assert [row["chosen"] for row in a.looks["screening"]].count(True) == 2


def test_waiting_ends_with_the_batch_and_ctrl_c_ends_waiting(lab: Lab, server: Server) -> None:
    def interrupt() -> None:
        while server.batches.polls["batch_1"] < 3:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    server.batches.delay = 10**9
    lab.sweep()
    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    stopped = lab.sweep(batch_wait_s=60)
    assert (stopped.state, stopped.exit_code) == ("interrupted", 130)
    assert time.monotonic() - started < 30
    server.batches.delay = 5 + server.batches.polls["batch_1"]
    done = lab.sweep(batch_wait_s=60)
    assert (done.state, len(server.batches.made)) == ("complete", 1)


def test_what_is_said_about_batches_that_wait(lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["promptlab", "sweep", str(lab.path), "--batch", "--runs", str(lab.folder / "batch"), "--no-report"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert main_code() == 3
    assert re.search(r"incomplete; 40 trials wait in 1 batch; the same command collects them: .* sweep .* --batch", capsys.readouterr().out)
    assert lab.run().state == "incomplete"
    monkeypatch.setattr(sys, "argv", ["promptlab", "runs", "ls", "--runs", str(lab.folder / "batch"), "--json"])
    main_code()
    [row] = json.loads(capsys.readouterr().out)
    assert (row["state"], row["waiting"]) == ("incomplete", 40)
    monkeypatch.setattr(sys, "argv", ["promptlab", "report", str(lab.run().folder)])
    main_code()
    assert "40 trials wait in 1 batch" in " ".join(capsys.readouterr().out.split())


def test_what_cannot_be_done_by_batch_is_refused_before_anything_is_sent(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for how, expected in (
        ({"workers": 2}, "nothing for workers to do"),
        ({"ray": True}, "nothing for workers to do"),
        ({"cache": "replay"}, "--cache replay sends nothing"),
    ):
        with pytest.raises(UsageProblem, match=expected):
            lab.sweep(**how)
    with pytest.raises(UsageProblem, match=r"'sim/null' \(promptlab makes up its answers\)"):
        Lab(lab.folder, name="simulated").sweep()
    assert not (lab.folder / "batch").exists()
    monkeypatch.setattr(sys, "argv", ["promptlab", "sweep", str(lab.path), "--batch-wait", "5"])
    assert main_code() == 2
    server.batches.refuse["POST /v1/files"] = (404, {"error": {"message": "Not Found"}})
    done = lab.sweep()
    assert done.exit_code == 3
    assert done.progress.stopped["served"].endswith("does not take files and batches (HTTP 404: Not Found); leave --batch out")
    assert lab.parts() == []
    lab.sweep(batch=False)
    assert lab.run().state == "complete"


def test_a_server_in_trouble_is_asked_again_and_never_begins_two(lab: Lab, server: Server) -> None:
    server.batches.refuse["POST /v1/files"] = (500, {"error": {"message": "oops"}})
    done = lab.sweep()
    assert "no batch could be begun (HTTP 500: oops); run the same command again" in done.progress.stopped["served"]
    assert (lab.parts(), server.batches.asked.count("POST /v1/files")) == ([], 3)
    server.batches.refuse = {"POST /v1/batches": (500, {"error": {"message": "oops"}})}
    done = lab.sweep()
    assert "nobody knows whether a batch of 'served' was begun (HTTP 500: oops)" in done.progress.notes[0]
    assert server.batches.asked.count("GET /v1/batches") == 2, "looked for before each further attempt"
    server.batches.refuse = {"GET /v1/batches": (404, {"error": {"message": "no lists"}})}
    done = lab.sweep()
    assert "take its entry out of batches.json" in done.progress.notes[0]
    assert not server.batches.made
    server.batches.refuse, server.batches.delay = {}, 1
    lab.sweep()
    assert server.batches.asked.count("POST /v1/files") == 4
    server.batches.refuse = {"GET /v1/batches/batch_1": (503, {"error": {"message": "later"}})}
    assert lab.sweep().progress.notes == [
        "batch batch_1 of 'served' could not be collected (HTTP 503: later); the same command tries again"
    ]
    server.batches.refuse = {}
    assert lab.sweep().state == "complete"
    assert len(server.batches.made) == 1


def test_what_may_have_been_begun_is_kept_and_what_was_not_is_forgotten(lab: Lab, server: Server) -> None:
    server.batches.refuse = {"POST /v1/batches": (502, {}), "GET /v1/batches": (404, {"error": {"message": "no lists"}})}
    done = lab.sweep()
    assert "nobody knows whether a batch of 'served' was begun (HTTP 404: no lists)" in done.progress.notes[0]
    assert [(part["status"], part["batch"]) for part in lab.parts()] == [("uploaded", None)]
    server.batches.refuse = {"POST /v1/batches": (400, {"error": {"message": "Input file expired"}})}
    done = lab.sweep()
    assert "the provider took no batch (HTTP 400: Input file expired)" in done.progress.stopped["served"]
    assert lab.parts() == []
    assert done.progress.n_waiting == 0
    server.batches.refuse = {}
    lab.finish()
    assert len(server.batches.made) == 1


def test_results_that_the_provider_has_deleted_are_asked_again(lab: Lab, server: Server) -> None:
    n = lab.sweep().progress.n_planned
    server.batches.refuse["GET /v1/files/file-2/content"] = (404, {"error": {"message": "No such File object"}})
    done = lab.sweep()
    assert "its results are no longer there (HTTP 404: No such File object)" in done.progress.notes[0]
    lab.finish()
    assert [part["n_requests"] for part in lab.parts()] == [n, n]


def test_a_damaged_ledger_is_not_paid_over(lab: Lab) -> None:
    lab.sweep()
    (lab.run().folder / "batches.json").write_text("{")
    for by_batch in (True, False):
        with pytest.raises(RunProblem, match=r"batches.json: not readable; it says which batches are paid for.*runs repair"):
            lab.sweep(batch=by_batch)


def test_nobody_gives_a_request_the_answer_of_another(lab: Lab) -> None:
    lab.sweep()
    path = lab.run().folder / "batches" / "0001.json"
    found = json.loads(path.read_text())
    names = list(found["keys"])
    found["keys"] = dict(zip(names, [found["keys"][name] for name in reversed(names)], strict=True))
    path.write_text(json.dumps(found))
    with pytest.raises(RunProblem, match=r"0001.json: does not hold the [\d,]+ keys of its batch"):
        lab.sweep()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:coroutine 'AzureOpenAIFilesAPI:RuntimeWarning")  # LiteLLM's own
def test_litellm_translates_and_makes_the_same_batches(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from promptlab.running.batch.service import LiteLLMBatches
    from promptlab.running.gateway.by_litellm import LiteLLMWire

    monkeypatch.setenv("MY_AZURE", CANARY)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    messages = ({"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"})

    async def check() -> None:
        for name, sampling in (("openai/gpt-5-mini", {"max_tokens": 64, "seed": 3}), ("openai/o3", {"max_tokens": 9})):
            model, call = Model(name, name, server.url), Call(name, messages, sampling, 0, server.url)
            await LiteLLMWire([model], ()).send(call)
            over = LiteLLMBatches([model], ())
            assert over.body(model, call) == server.requests[-1] == submission.OpenAIBatches([model], (), over.body).body(model, call)
        for provider, base in (("openai", server.url), ("azure", server.url.removesuffix("/v1"))):
            model = Model("m", f"{provider}/ok", base, "MY_AZURE")
            over = LiteLLMBatches([model], (CANARY,))
            call = Call("m", messages, {"temperature": 0}, 0, base)
            line = {"custom_id": "a" * 40, "method": "POST", "url": "/v1/chat/completions", "body": over.body(model, call)}
            file = await over.upload(model, json.dumps(line).encode() + b"\n")
            made = await over.create(model, file, "the/tag")
            found = await over.find(model, "another", "the/tag", time.time())
            assert found is not None
            assert (found.id, found.input_file) == (made.id, file)
            ended = await over.status(model, made.id)
            assert (ended.status, ended.counts["completed"]) == ("completed", 1)
            assert json.loads(await over.content(model, ended.output_file or ""))["custom_id"] == "a" * 40

    asyncio.run(check())

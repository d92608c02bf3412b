"""Batches that are killed, expire, fail or come back damaged: nothing is begun or paid twice, and what lacks an answer is asked again."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from batches import ONE_CALL, PRICE, Lab, hurried, lab, one_server, same, server  # noqa: F401 (fixtures)
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.manifest import Spent
from promptlab.running.batch import submission, waves
from runs import served, start
from servers import Server


def test_a_kill_forgets_no_request_of_a_batch(lab: Lab) -> None:
    sent = lab.sweep()
    manifest = lab.run().folder / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["counts"]["sent"] = 0  # a kill leaves the manifest behind
    manifest.write_text(json.dumps(told), encoding="utf-8")
    done = lab.sweep()
    assert (done.state, done.progress.n_sent) == ("complete", 0)
    assert lab.run().manifest.counts.sent == sent.progress.n_sent


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

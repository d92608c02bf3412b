"""Sweeps by batch, against our own server: the same frame as an ordinary sweep, wave by wave, at the price that the provider gives."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from batches import CANARY, ONE_CALL, PRICE, Lab, hurried, lab, main_code, one_server, same, server  # noqa: F401 (fixtures)
from promptlab.nouns.call import Call, Completion, Model
from promptlab.nouns.errors import UsageProblem
from promptlab.reporting.checked import failures
from promptlab.running.batch import submission, waves
from promptlab.running.batch.service import not_batched, price_share
from promptlab.running.cache import Cache
from promptlab.running.cache.rows import request_of
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import served
from servers import Server


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

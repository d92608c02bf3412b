"""What may go wrong around a sweep, and what must not be lost by it: the threats of the design's table that concern the engine.

Here: kill -9 at random moments, SIGTERM, a full disk, a wrong clock, providers that lie about usage, send text that is none, never close,
never end, fall silent or change the model; text that looks like a template; names that are paths. Tested elsewhere:

key in logs, cache, results      test_sweep (a key appears nowhere), test_gateway and test_wires (redaction), test_cache (rows)
runaway cost                     test_sweep (a budget is never passed, unknown prices), test_fleet (one budget, caps)
cache poisoning, pickle          test_cache_planted, test_cache_commands (bundles that were changed)
kill -9 of a process or worker   test_sweep (once, by the command line), test_fleet (a worker, all workers, the parent)
kill -9 in the middle of a file  test_store (torn tail, part and journal), test_repair, test_cache
two sweeps of one run            test_sweep, test_store
empty, cut, filtered, refused    test_gateway (faults), test_wires (68 behaviours over both wires)
no JSON, HTML, resets            test_wires
storm of 429, quota, wrong key   test_wires (load, pauses, stopped providers), test_fleet
hanging and dripping servers     test_gateway, test_wires (deadline, silence noticed by the gateway)
a large answer with its length   test_wires
redirections, proxies            test_wires
YAML, placeholders, own tables   test_bad_files, test_render_and_design, test_own
output that is shown             test_explorer_inert, test_browser, test_report_inert, test_compare_export (spreadsheets)
code in data folders, releases   test_report_inert (opening a run loads no code), test_architecture (no pickle), test_guard
100,000 trials with mixed faults benchmarks/soak.py
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp  # noqa: F401  # loaded before children are forked
import pandas as pd
import pytest

import promptlab.running.rows
from promptlab.cli import main
from promptlab.design.cross import trials
from promptlab.nouns.call import Completion
from promptlab.nouns.errors import FileProblems, RunProblem
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter, runs_in
from promptlab.reporting import build, headline
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache
from promptlab.running.engine import engine_of
from promptlab.running.gateway import Gateway, RetryPolicy, wire
from promptlab.running.gateway.failures import read_retry_after
from promptlab.running.gateway.wire import read_top_logprobs
from promptlab.running.paying import most_tokens
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import Sweep, run_sweep
from runs import experiment, served
from servers import Handler, Server

CONCURRENCY = 8
CLOCK = time.time
"""That of the server, whatever becomes of ours."""
PRICE = ", price: {input_usd_per_mtok: 1000, output_usd_per_mtok: 1000}"
LIES: dict[str, str] = {
    "negative": '{"prompt_tokens": -5000000, "completion_tokens": 2}',
    "negativeout": '{"prompt_tokens": 5, "completion_tokens": -2}',
    "huge": '{"prompt_tokens": 5, "completion_tokens": 1' + "0" * 30 + "}",
    "billion": '{"prompt_tokens": 1000000000, "completion_tokens": 2}',
    "text": '{"prompt_tokens": "5", "completion_tokens": "2"}',
    "fraction": '{"prompt_tokens": 5.0, "completion_tokens": 2.5}',
    "infinite": '{"prompt_tokens": 5, "completion_tokens": Infinity}',
    "nan": '{"prompt_tokens": NaN, "completion_tokens": NaN}',
    "true": '{"prompt_tokens": true, "completion_tokens": true}',
    "nested": '{"prompt_tokens": {"n": 5}, "completion_tokens": [2]}',
    "list": "[5, 2]",
    "word": '"7 tokens"',
}
SAID: dict[str, str] = {
    "half": "half \ud83d a pair",
    "halves": "\udc00\ud83d",
    "control": "a\x00b\x1b[31mc\x07\x7f\x85d",
    "direction": "\u202eabc\u2066\u200f",
    "lines": "a\r\nb\rc\u2028d\u2029e\x0bf",
    "marks": "\ufeffa\ufffe\uffff\U0010ffff",
    "pair": "\U0001f600 ok",
}
HALF = "half \ud83d a word"
WHOLE = "half \ufffd a word"


class Hostile(Handler):
    """More behaviours: usage that is none, text that is none, answers that never end or never close."""

    def behave(self, body: dict[str, Any], attempt: int, under_way: int) -> None:
        name, _, how = body["model"].rsplit("/", 1)[-1].partition("-")
        plain: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}
        reply: dict[str, Any] = {"id": "1", "model": "m-1", "choices": [plain], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
        if name == "lies":
            return self.raw(200, json.dumps({**reply, "usage": "?"}).replace('"?"', LIES[how]).encode(), "application/json")
        if name == "says":
            plain["message"]["content"] = SAID[how]
        elif name == "version":
            reply["model"] = reply["system_fingerprint"] = HALF
        elif name == "swaps":
            reply["model"] = f"m-{len(self.server.requests) % 2}"
        elif name == "back" and attempt == 1:
            return self.error(429, "slow down", headers={"Retry-After": formatdate(CLOCK() + 1, usegmt=True)})
        elif name == "complains":
            return self.error(int(how), HALF)
        elif name == "open":  # no length: the answer ends when the connection does, and it does not
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())
            self.wfile.flush()
            time.sleep(5)
            return None
        elif name == "endless":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(10_000):
                self.wfile.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
            return None
        else:
            return super().behave(body, attempt, under_way)
        return self.json(200, reply)


@pytest.fixture
def server(server: Server) -> Server:
    server.RequestHandlerClass = Hostile
    return server


def quiet(_: Progress) -> None:
    """Nobody watches."""


def settled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=list(CIRCUMSTANCE_COLUMNS))


def sweep(path: Path, runs: Path, cache: Path | None = None, **how: Any) -> tuple[Sweep, Run]:
    done = run_sweep(resolve(path), runs, cache, Execution(**{"concurrency": CONCURRENCY, **how}), quiet)
    return done, Run(done.folder)


def few(folder: Path, server: Server, model: str, entry: str = "", **settings: Any) -> Path:
    """Twenty trials of one model; `entry` is what its entry holds beside its name and address."""
    return experiment(folder, tasks="sum", items=5, models=served(server.url, model, entry), **settings)


def several(folder: Path, server: Server, names: Sequence[str], entry: str = "", more: str = "") -> Path:
    """Twenty trials of each of several models, each called like what it does."""
    models = "\n".join(f"  - {{model: openai/{name}, name: {name}, api_base: '{server.url}'{entry}}}" for name in names)
    return experiment(folder, tasks="sum", items=5, models=models, more=more)


# --- killed --------------------------------------------------------------------------------------------------------------


def forked(study: Study, runs: Path, cache: Path | None, tell: int) -> int:
    """A sweep in a child; it writes the id of a trial to `tell` when the sweep has told that it is recorded."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        appended: list[str] = []
        real = RunWriter.append_lines

        def append(self: RunWriter, lines: Any) -> None:
            real(self, lines)
            appended.extend(json.loads(line)["trial"]["trial"] for line in lines)

        def observe(_: Progress) -> None:
            while appended:
                os.write(tell, f"{appended.pop()}\n".encode())

        RunWriter.append_lines = append  # type: ignore[method-assign]  # of this child alone
        code = run_sweep(study, runs, cache, Execution(CONCURRENCY, "use" if cache else "off"), observe).exit_code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def asked_for(server: Server, n: int, pid: int) -> None:
    """Wait until the server was asked so often, or the process has ended."""
    deadline = time.monotonic() + 10
    while len(server.requests) < n and time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.001)


@pytest.mark.long
def test_killed_thirty_times_at_random_moments_nothing_acknowledged_is_lost(tmp_path: Path, server: Server) -> None:
    """One run after the other, without and with cache in turn, each killed up to eight times, until it comes to its end."""
    study = resolve(experiment(tmp_path, tasks="sum", items=75, models=served(server.url, "slow-5")))
    n = study.design.n_trials
    assert n == 300
    undisturbed = run_sweep(study, tmp_path / "undisturbed", None, Execution(CONCURRENCY), quiet)
    whole = settled(Run(undisturbed.folder).trials())
    rng = random.Random(4711)
    n_killed = n_in_flight = n_runs = 0
    while n_killed < 30:
        runs = tmp_path / f"runs-{n_runs}"
        cache = runs / "cache" if n_runs % 2 else None
        n_runs += 1
        folder, acknowledged, kills, code = runs / study.run_id, set[str](), 0, -1
        n_before = len(server.requests)
        while code:
            told, tell = os.pipe()
            pid = forked(study, runs, cache, tell)
            os.close(tell)
            if kills < 8 and n_killed + kills < 30:
                asked_for(server, len(server.requests) + rng.randrange(90), pid)
                time.sleep(rng.uniform(0.0, 0.006))
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            with os.fdopen(told, "rb") as lines:
                acknowledged |= set(lines.read().decode().split())
            code = os.waitstatus_to_exitcode(status)
            assert code in (0, -signal.SIGKILL)
            kills += code != 0
            recorded = Run(folder).trials() if (folder / "manifest.json").exists() else pd.DataFrame({"trial": []})
            assert acknowledged <= set(recorded["trial"])
            n_in_flight += code != 0 and 0 < len(recorded) < n
        n_sent = len(server.requests) - n_before
        assert n <= n_sent <= n + CONCURRENCY * kills
        n_killed += kills
        pd.testing.assert_frame_equal(settled(Run(folder).trials()), whole)
        assert Run(folder).state == "complete"
    assert n_killed == 30
    assert n_runs >= 4
    assert n_in_flight >= 5  # kills that hit a sweep at work, and not before its first trial


def test_sigterm_ends_cleanly_and_the_same_sweep_goes_on(tmp_path: Path, server: Server) -> None:
    study = resolve(experiment(tmp_path, tasks="sum", models=served(server.url, "slow-20")))
    told, tell = os.pipe()
    pid = forked(study, tmp_path / "runs", None, tell)
    os.close(tell)
    with os.fdopen(told, "rb") as lines:
        lines.readline()
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        n_told = 1 + len(lines.readlines())
    assert os.waitstatus_to_exitcode(status) == 130
    found = Run(tmp_path / "runs" / study.run_id)
    assert found.state == "interrupted"
    assert len(found.trials()) == len(server.requests) == n_told < study.design.n_trials
    again = run_sweep(study, tmp_path / "runs", None, Execution(CONCURRENCY), quiet)
    assert (again.state, len(server.requests)) == ("complete", study.design.n_trials)


# --- a full disk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes of memory as a disk."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("full", ["runs", "cache"])
def test_a_disk_that_is_really_full_ends_the_sweep_and_keeps_what_was_recorded(
    tmp_path: Path, server: Server, small_disk: Path, full: str
) -> None:
    path = experiment(tmp_path, tasks="sum", items=15, models=served(server.url, "big-45000"))
    places = {"runs": tmp_path / "runs", "cache": tmp_path / "cache", full: small_disk / full}
    n = resolve(path).design.n_trials
    with pytest.raises(RunProblem) as told:
        sweep(path, places["runs"], places["cache"])
    assert str(small_disk) in str(told.value)
    assert "space" in str(told.value)
    if full == "runs":
        assert "MB are free there; make room and run the same command again" in str(told.value)
    [folder] = runs_in(places["runs"])
    kept, n_sent = Run(folder).trials(), len(server.requests)
    assert 0 < len(kept) < n
    assert n_sent <= len(kept) + 2 * CONCURRENCY
    assert not list(folder.rglob("*.tmp"))
    assert not list(places["cache"].rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again, found = sweep(path, places["runs"], places["cache"])
    assert again.state == "complete"
    assert n <= len(server.requests) <= n + CONCURRENCY
    trials = found.trials()
    pd.testing.assert_frame_equal(trials[trials["trial"].isin(kept["trial"])].reset_index(drop=True), kept)
    other, undisturbed = sweep(path, tmp_path / "undisturbed")
    assert other.state == "complete"
    pd.testing.assert_frame_equal(settled(trials), settled(undisturbed.trials()))


@pytest.mark.parametrize("n_good", [0, 1, 2])
def test_a_cache_that_cannot_be_read_any_more_ends_the_sweep_and_says_so(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, n_good: int
) -> None:
    real, looked_up = Cache.get_many, []

    def get_many(self: Cache, keys: Any) -> Any:
        looked_up.append(1)
        if len(looked_up) > n_good:
            raise RunProblem("the disk is gone")
        return real(self, keys)

    monkeypatch.setattr(Cache, "get_many", get_many)
    path = experiment(tmp_path, tasks="sum", items=75, models=served(server.url, "slow-1"))
    with pytest.raises(RunProblem, match="the disk is gone"):
        sweep(path, tmp_path / "runs", tmp_path / "cache")
    [folder] = runs_in(tmp_path / "runs")
    assert len(Run(folder).trials()) == len(server.requests) == 64 * n_good  # what was asked is recorded
    monkeypatch.undo()
    again, _ = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert (again.state, len(server.requests)) == ("complete", 300)


# --- the clock -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_changes_neither_ids_nor_durations(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    path = few(tmp_path, server, "past-1")
    _, straight = sweep(path, tmp_path / "straight")
    server.by_prompt.clear()
    real, jumps = time.time, itertools.cycle([0.0, 864_000.0, -864_000.0, 3.0])
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    started = time.monotonic()
    done, found = sweep(path, tmp_path / "jumping", tmp_path / "cache")
    assert time.monotonic() - started < 10
    assert done.state == "complete"
    assert done.folder.name == straight.folder.name
    pd.testing.assert_frame_equal(settled(found.trials()), settled(straight.trials()))
    assert found.trials()["latency_s"].between(0, 10).all()
    _, cached = sweep(path, tmp_path / "again", tmp_path / "cache")
    assert cached.trials()["cached"].all()


@pytest.mark.parametrize("skew_days", [-10, 10])
def test_a_date_to_come_back_read_by_a_wrong_clock_makes_nobody_wait_for_days(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, skew_days: int
) -> None:
    monkeypatch.setattr(time, "time", lambda: CLOCK() + 86_400 * skew_days)
    started = time.monotonic()
    done, found = sweep(few(tmp_path, server, "back"), tmp_path / "runs")
    assert time.monotonic() - started < 10
    if skew_days > 0:  # the date looks long past
        assert done.state == "complete"
    else:  # it looks ten days away
        assert (done.state, done.exit_code) == ("incomplete", 3)
        assert "the provider asks to wait 86" in done.progress.stopped["served"]
        assert found.trials()["outcome"].eq("error").any()


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Thu, 01 Jan 99999 00:00:00 GMT",
        *("1e999", "-inf", "", "\x00", "\u0661"),
    ],
)
def test_any_time_to_come_back_is_read_or_passed_over(value: str) -> None:
    found = read_retry_after({"retry-after": value})
    assert found is None or found >= 0


# --- lies ----------------------------------------------------------------------------------------------------------------


def test_a_usage_that_is_none_is_unknown_and_counts_as_what_was_set_aside(tmp_path: Path, server: Server) -> None:
    names = ["nousage", *(f"lies-{lie}" for lie in LIES)]
    path = several(tmp_path, server, names, PRICE, "budget_usd: 100\n")
    done, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert done.state == "complete"
    trials = found.trials()
    assert trials["model"].value_counts().to_dict() == dict.fromkeys(names, 20)
    assert trials["outcome"].isin(["ok", "parse_failed"]).all()
    assert trials[["input_tokens", "output_tokens", "cost_usd", "paid_usd"]].isna().all(axis=None)
    assert done.progress.n_unpriced == len(trials)
    spent = found.manifest.spent
    honest = trials.loc[trials["model"] == "nousage", "trial"]
    asked = found.calls().loc[lambda calls: calls["trial"].isin(honest), "messages"].map(json.loads)
    aside = sum(most_tokens(messages[-1]["content"]) + 16 + 64 for messages in asked)
    assert spent.tokens == len(names) * aside
    assert spent.usd == pytest.approx(spent.tokens * 1000 / 1e6)
    again, cached = sweep(path, tmp_path / "again", tmp_path / "cache")
    assert again.progress.n_sent == 0
    assert cached.trials()["cached"].all()


@pytest.mark.parametrize("lie", ["negative", "huge"])
def test_no_lie_opens_a_cap(tmp_path: Path, server: Server, lie: str) -> None:
    path = few(tmp_path, server, f"lies-{lie}", PRICE)
    done, found = sweep(path, tmp_path / "runs", max_tokens=1000)
    n = len(server.requests)
    assert (done.state, done.exit_code) == ("budget", 4)
    assert 0 < n * 64 < found.manifest.spent.tokens <= 1000
    again, _ = sweep(path, tmp_path / "runs", max_tokens=1000)
    assert (again.state, len(server.requests)) == ("budget", n)


@pytest.mark.parametrize("value", [10**400, -(10**400), 1000.0, float("inf"), float("-inf"), float("nan"), True, False, None, "-1", [-1]])
def test_a_log_probability_that_is_none_is_left_out_or_is_never(value: Any) -> None:
    top = [{"token": "A", "logprob": -0.5}, {"token": "B", "logprob": value}]
    found = dict(read_top_logprobs({"content": [{"top_logprobs": top}]}))
    assert found.pop("A") == -0.5
    assert found in ({}, {"B": wire.LEAST_LOGPROB})


def test_a_model_that_is_swapped_in_silence_is_told(tmp_path: Path, server: Server) -> None:
    done, found = sweep(few(tmp_path, server, "swaps"), tmp_path / "runs")
    assert done.state == "complete"
    assert found.manifest.served == {"served": ("m-0", "m-1")}
    assert any("served by 2 versions" in line for line in headline(build(found)))


# --- text that is none ---------------------------------------------------------------------------------------------------


def repaired(text: str) -> str:
    return "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def test_any_text_survives_wire_cache_and_record(tmp_path: Path, server: Server) -> None:
    path = several(tmp_path, server, [f"says-{kind}" for kind in SAID])
    done, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert done.state == "complete"
    assert not (done.folder / "journal.jsonl").exists()  # all of it is in parts
    again, cached = sweep(path, tmp_path / "again", tmp_path / "cache")
    assert again.progress.n_sent == 0
    pd.testing.assert_frame_equal(settled(cached.trials()), settled(found.trials()))
    expected = {f"says-{kind}": [repaired(text)] * 20 for kind, text in SAID.items()}
    for run in (found, cached):
        trials = run.trials()
        texts = run.calls().set_index("trial").loc[trials["trial"], "text"].tolist()
        assert trials.groupby("model")["answer"].agg(list).to_dict() == expected
        assert trials.assign(text=texts).groupby("model")["text"].agg(list).to_dict() == expected


def test_half_a_pair_in_a_stored_answer_does_not_end_a_sweep(tmp_path: Path, server: Server) -> None:
    path = few(tmp_path, server, "ok")
    _, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    cache = Cache(tmp_path / "cache")  # as an earlier version kept it
    cache.put_many([(key, Completion(HALF, "ok", "stop", "m-1", 5, 2), None) for key in found.calls()["key"]])
    cache.close()
    done, found = sweep(path, tmp_path / "again", tmp_path / "cache")
    assert (done.state, done.progress.n_sent) == ("complete", 0)
    assert set(found.trials()["answer"]) == {WHOLE}


def test_half_a_pair_elsewhere_in_an_answer_is_stored(tmp_path: Path, server: Server) -> None:
    done, found = sweep(several(tmp_path, server, ["version", "complains-400"]), tmp_path / "runs", tmp_path / "cache")
    trials = found.trials()
    assert trials.loc[trials["model"] == "version", "model_version"].eq(WHOLE).all()
    assert trials.loc[trials["model"] == "complains-400", "error"].str.contains(WHOLE).all()
    assert WHOLE in str(done.progress.last_error)
    assert Run(done.folder).manifest.last_error == done.progress.last_error


def test_half_a_pair_in_what_stops_a_provider_leaves_a_run_that_can_be_read(tmp_path: Path, server: Server) -> None:
    done, found = sweep(few(tmp_path, server, "complains-401"), tmp_path / "runs")
    assert done.state == "incomplete"
    assert WHOLE in found.manifest.stopped["served"]


# --- servers that do not end ---------------------------------------------------------------------------------------------


def quick(monkeypatch: pytest.MonkeyPatch, attempts: int = 2) -> None:
    monkeypatch.setattr("promptlab.running.gateway.gateway.RetryPolicy", lambda: RetryPolicy(attempts=attempts, first_wait_s=0.01))


def test_an_answer_that_never_closes_ends_at_the_deadline(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    started = time.monotonic()
    done, found = sweep(few(tmp_path, server, "open", ", timeout_s: 0.2"), tmp_path / "runs", concurrency=20)
    assert time.monotonic() - started < 5
    assert (done.state, done.progress.n_errors) == ("incomplete", 20)
    assert found.trials()["error"].eq("timeout: no complete answer within 0.2 s").all()
    assert found.trials()["attempts"].eq(2).all()


def test_requests_that_time_out_count_against_the_cap_each_time(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch, attempts=50)
    path = few(tmp_path, server, "hang", ", timeout_s: 0.1")
    study = resolve(path)
    engine = engine_of(study, None, Budget(None), Progress(0, 0), Execution())
    gateway = engine.gateway
    _, most = engine.payer.upper_cost(engine.call(next(trials(study.design))))
    asyncio.run(gateway.aclose())
    cap = most * 6 + most // 2
    done, _ = sweep(path, tmp_path / "runs", concurrency=2, max_tokens=cap)
    assert done.state == "budget"
    assert 5 <= len(server.requests) <= 6  # the most that the cap pays for, not fifty for each of two trials
    assert Run(done.folder).manifest.spent.tokens <= cap


def test_an_answer_without_length_or_end_is_cut_off(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_ANSWER_BYTES", 100_000)
    _, found = sweep(few(tmp_path, server, "endless"), tmp_path / "runs")
    assert found.trials()["error"].eq("size: the answer is larger than 100,000 bytes; set max_tokens").all()
    assert len(server.requests) == 20  # paid for, and not asked for again


def test_silence_ends_the_sweep_as_incomplete_and_says_so(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Gateway.__init__

    def hasty(self: Gateway, *arguments: Any, **settings: Any) -> None:
        real(self, *arguments, **settings)
        self.patience_s = 0.3

    monkeypatch.setattr(Gateway, "__init__", hasty)
    monkeypatch.setattr(promptlab.running.rows, "WATCH_EVERY_S", 0.05)
    models = served(server.url, "hang") + f"\n  - {{model: openai/ok, name: quick, api_base: '{server.url}'}}"
    path = experiment(tmp_path, tasks="sum", items=5, models=models)
    monkeypatch.setattr(
        sys, "argv", ["promptlab", "sweep", str(path), *["--no-report", "--concurrency", "20", "--runs"], str(tmp_path / "runs")]
    )
    started = time.monotonic()
    with pytest.raises(SystemExit) as end:
        main()
    assert time.monotonic() - started < 10
    assert end.value.code == 3
    told = capsys.readouterr().out
    assert "given up: no provider has answered any of the 20 calls in flight for" in told
    assert "the same command sends only what is missing" in told
    [folder] = runs_in(tmp_path / "runs")
    assert Run(folder).state == "incomplete"
    assert set(Run(folder).trials()["model"]) == {"quick"}
    assert 0 < len(Run(folder).trials()) <= 20


# --- templates and names -------------------------------------------------------------------------------------------------

TEMPLATES = [
    "{x}",
    "{{ 7*7 }}",
    "{input} {demos} {instruction}",
    "{% raw %}{#",
    "${HOME} $(id) `id`",
    "%s %(x)s {0}",
    "{",
    "}}{{",
    "\\{x\\}",
]


def test_text_that_looks_like_a_template_stays_as_it_is(tmp_path: Path, server: Server) -> None:
    rows = [{"q": text, "a": f"answer {{x}} {{{{ {n} }}}}"} for n, text in enumerate(TEMPLATES)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = "Copy {x} and {{ y }} and {{input}}."
    (tmp_path / "t.yaml").write_text(
        f"items: t.jsonl\ncolumns: {{input: q, target: a}}\nmetric: text\nbase_prompts: {json.dumps(asked)}\n", encoding="utf-8"
    )
    path = experiment(tmp_path, tasks="t", items=len(rows), models=served(server.url), more="task_files: [t.yaml]\n")
    done, found = sweep(path, tmp_path / "runs", tmp_path / "cache")
    assert done.state == "complete"
    sent = [body["messages"][-1]["content"] for body in server.requests]
    assert all(asked in text for text in sent)
    for text in TEMPLATES:
        assert sum(f"Input: {text}\n" in prompt for prompt in sent) == 4
    assert set(found.items()["input"]) == set(TEMPLATES)
    assert {target for targets in found.items()["targets"] for target in targets} == {row["a"] for row in rows}


NAMES = ["a\n", "../x", "x" * 300, "a\x00b", "..", "/etc/x", "a/b", "", ".hidden", "a b", "é", "a\u202eb"]


@pytest.mark.parametrize("place", ["name", "model", "task", "library", "own"])
def test_names_that_are_no_names_are_refused_before_anything_is_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "own.csv").write_text("q,a\none,1\ntwo,2\n", encoding="utf-8")
    together = place in ("model", "task")  # all in one file, and all are told at once
    for names in [NAMES] if together else [[name] for name in NAMES[:3]]:
        path = experiment(tmp_path)
        text, quoted = path.read_text(encoding="utf-8"), json.dumps(names[0])
        if place == "name":
            text = text.replace("name: small", f"name: {quoted}")
        elif place == "model":
            text = text.replace("  - sim/null", "\n".join(f"  - {{model: sim/null, name: {json.dumps(name)}}}" for name in names))
        elif place == "task":
            text = text.replace("[sum, sentiment]", json.dumps(names))
        elif place == "library":
            text += "stimulus_files: [library.yaml]\n"
            library = f"library: {quoted}\nsource: ours\nstimuli:\n  - {{key: one, text: A sentence.}}\n"
            (tmp_path / "library.yaml").write_text(library, encoding="utf-8")
        else:
            text = text.replace("[sum, sentiment]", "[sum]") + "task_files: [own.yaml]\n"
            own = f'name: {quoted}\nitems: own.csv\ncolumns: {{input: q, target: a}}\nmetric: word\nbase_prompts: "Say it."\n'
            (tmp_path / "own.yaml").write_text(own, encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(FileProblems) as told:
            resolve(path)
        assert len(told.value.problems) >= len(names)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_links_elsewhere_writes_nothing_there(tmp_path: Path, server: Server) -> None:
    path = few(tmp_path, server, "ok")
    victim = tmp_path / "victim.json"
    victim.write_text("untouched", encoding="utf-8")
    folder = tmp_path / "runs" / resolve(path).run_id
    folder.mkdir(parents=True)
    (folder / "manifest.json").symlink_to(victim)
    with pytest.raises(RunProblem, match="a link or a pipe, which no run has"):
        sweep(path, tmp_path / "runs")
    assert victim.read_text(encoding="utf-8") == "untouched"
    repair(folder)
    done, _ = sweep(path, tmp_path / "runs")
    assert done.state == "complete"
    assert victim.read_text(encoding="utf-8") == "untouched"
    shutil.rmtree(folder)

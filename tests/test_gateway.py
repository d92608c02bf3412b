"""Every way in which a provider can fail, over real sockets: what is retried, how long, and what becomes of it."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import aclosing
from typing import Any

import pytest

from promptlab.nouns.call import Call, Completion, Model, Price
from promptlab.nouns.errors import ProviderStopped, UsageProblem
from promptlab.nouns.redact import known_secrets, redact
from promptlab.running.gateway import Gateway, PriceTable, WireError
from promptlab.running.gateway.failures import read_boundary
from promptlab.running.gateway.gateway import RetryPolicy
from promptlab.sources.prices import cost_usd
from servers import Server

QUICK = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.05)


def ask(server: Server, name: str, *, timeout_s: float = 5.0, n: int = 1, policy: RetryPolicy = QUICK, **sampling: Any) -> list[Completion]:
    model = Model("m", f"openai/{name}", api_base=server.url, timeout_s=timeout_s)

    async def run() -> list[Completion]:
        calls = [Call("m", ({"role": "user", "content": f"question {i}"},), sampling, api_base=server.url) for i in range(n)]
        async with aclosing(Gateway([model], {"m": Price(1.0, 2.0)}, policy=policy)) as gateway:
            return await asyncio.gather(*(gateway.complete(call) for call in calls))

    return asyncio.run(run())


def test_an_answer_with_its_price(server: Server) -> None:
    [found] = ask(server, "ok", temperature=0, max_tokens=9)
    assert found.text == "answer to question 0"
    assert (found.outcome, found.finish_reason, found.attempts, found.cached) == ("ok", "stop", 1, False)
    assert (found.input_tokens, found.output_tokens, found.model_version, found.fingerprint) == (5, 2, "ok-v1", "fp")
    assert found.cost_usd == pytest.approx((5 * 1.0 + 2 * 2.0) / 1e6)
    assert found.requested == {"temperature": 0, "max_tokens": 9}
    sent = server.requests[0]
    assert {key: sent[key] for key in ("temperature", "max_tokens")} == {"temperature": 0, "max_tokens": 9}
    assert {key: found.effective[key] for key in ("temperature", "max_tokens")} == {"temperature": 0, "max_tokens": 9}


@pytest.mark.parametrize(
    ("name", "outcome", "n_requests"),
    [
        ("fail-500-2", "ok", 3),
        ("fail-503-1", "ok", 2),
        ("fail-429-2", "ok", 3),
        ("fail-500-99", "error", 5),
        ("fail-400-99", "error", 1),
        ("reset", "error", 5),
        ("badjson", "error", 5),
        ("empty", "empty", 1),
        ("null", "empty", 1),
        ("length", "truncated", 1),
        ("filter", "refused", 1),
        ("refusal", "refused", 1),
        ("policy", "refused", 1),
    ],
)
def test_faults(server: Server, name: str, outcome: str, n_requests: int) -> None:
    [found] = ask(server, name)
    assert found.outcome == outcome
    assert len(server.requests) == n_requests
    assert found.attempts == n_requests
    assert (found.error is not None) == (outcome == "error" or name == "policy")


def test_missing_usage_is_an_unknown_cost(server: Server) -> None:
    [found] = ask(server, "nousage")
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (None, None, None)


@pytest.mark.parametrize(("name", "n_requests"), [("echo-401", 3), ("quota", 1), ("fail-404-99", 3)])
def test_what_no_later_call_can_change_stops_the_model(server: Server, name: str, n_requests: int) -> None:
    with pytest.raises(ProviderStopped, match="run the same command again"):
        ask(server, name)
    assert len(server.requests) == n_requests


@pytest.mark.parametrize("name", ["hang", "drip"])
def test_a_deadline_holds_whatever_the_server_does(server: Server, name: str) -> None:
    started = time.monotonic()
    [found] = ask(server, name, timeout_s=0.5, policy=RetryPolicy(attempts=2, first_wait_s=0.01))
    assert found.outcome == "error"
    assert "timeout" in str(found.error)
    assert time.monotonic() - started < 5


def test_retry_after_is_obeyed_by_everybody(server: Server) -> None:
    found = ask(server, "retry-1-1", n=4)
    assert [c.outcome for c in found] == ["ok"] * 4
    first_retry = sorted(server.times)[4] - sorted(server.times)[3]
    assert first_retry >= 0.8


def test_a_pause_beyond_the_cap_gives_up(server: Server) -> None:
    started = time.monotonic()
    [found] = ask(server, "retry-9-9999")
    assert found.outcome == "error"
    assert len(server.requests) == 1
    assert time.monotonic() - started < 5


def test_a_refused_connection_stops_the_model_and_names_the_address() -> None:
    dead = Server()
    dead.server_close()
    with pytest.raises(ProviderStopped, match=f"nothing answers at {dead.url}"):
        ask(dead, "ok")


def test_a_parameter_that_a_provider_does_not_take_is_told_before_the_first_call() -> None:
    async def run() -> None:
        model = Model("c", "anthropic/claude-opus-4-7")
        Gateway([model], {"c": None}).effective(model, {"seed": 3})

    with pytest.raises(UsageProblem, match="does not take these sampling parameters"):
        asyncio.run(run())


def test_a_server_of_ones_own_never_gets_the_public_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-public-key-of-another-provider")
    [found] = ask(server, "echo-ok")
    assert found.text == "you sent Bearer none"


def test_backoff_grows_and_is_jittered() -> None:
    error = WireError("server", "x")
    rng = random.Random(1)
    waits = [RetryPolicy().wait_s(attempt, error, rng) for attempt in (1, 2, 3, 4)]
    assert all(low * 0.5 <= wait <= low for low, wait in zip((0.5, 1, 2, 4), waits, strict=True))
    assert RetryPolicy().wait_s(1, WireError("rate", "x", 429, 7.0), rng) >= 7.0


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (503, "invalid_request_error", "server"),
        (401, "", "auth"),
        (500, "Missing credentials. Please pass an `api_key`, or set the `OPENAI_API_KEY` environment variable.", "auth"),
        (429, "insufficient_quota", "quota"),
        (429, "", "rate"),
        (408, "", "timeout"),
        (None, "", "connection"),
        (400, "content_policy_violation", "policy"),
        (422, "", "request"),
    ],
)
def test_errors_are_told_apart_by_status(status: int | None, text: str, expected: str) -> None:
    assert read_boundary(status, text) == expected


def test_prices_come_from_the_table_or_the_file_and_unknown_is_not_free() -> None:
    table = PriceTable.load()
    known = table.price(Model("a", "openai/gpt-4o-mini"))
    assert known is not None
    assert (known.input_usd_per_mtok, known.output_usd_per_mtok) == (pytest.approx(0.15), pytest.approx(0.6))
    assert "litellm" in known.source
    assert table.price(Model("a", "openai/no-such-model")) is None
    assert table.price(Model("a", "openai/gpt-4o-mini", api_base="http://127.0.0.1:1/v1")) is None
    own = Price(3.0, 4.0, "experiment file")
    assert table.price(Model("a", "openai/gpt-4o-mini", price=own)) == own
    assert cost_usd(None, 5, 5) is None
    assert cost_usd(own, None, 5) is None


def test_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "hunter2-hunter2")
    secrets = known_secrets()
    text = redact(
        "key hunter2-hunter2, sk-proj-ABCDEFGHIJKLMNOP1234, Authorization: Bearer abcdefgh12345678, api_key='qwertyuiop'", secrets
    )
    for secret in ("hunter2", "ABCDEFGH", "abcdefgh1234", "qwertyuiop"):
        assert secret not in text
    assert redact("the answer is 42", secrets) == "the answer is 42"

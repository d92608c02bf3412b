"""Tokens and money: every form in which providers say what a request took, prices by exact name, and caps that hold against liars."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing import PRICE, Said, Scripted, chat
from conftest import ROOT
from promptlab.nouns import Call, Completion, Model, Price, Reply, paid_words
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.build import build
from promptlab.running.budget import Budget
from promptlab.running.engine import engine_of
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice, WireError
from promptlab.running.gateway.usage import booked, counted, read_usage
from promptlab.running.ledger import Ledger, Sums
from promptlab.running.paying import most_input
from promptlab.running.progress import Execution, Progress
from promptlab.running.so_far import so_far
from promptlab.running.sweep import Sweep, run_sweep
from promptlab.sources.prices import PriceTable
from runs import experiment, run

QUICK = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02)
RATES = Price(10.0, 30.0, "test", cached_input_usd_per_mtok=1.0, written_input_usd_per_mtok=12.5)


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[dict[str, Any]], Said]], Scripted]]:
    opened: list[Scripted] = []

    def serve(answer: Callable[[dict[str, Any]], Said]) -> Scripted:
        opened.append(Scripted(answer))
        return opened[-1]

    yield serve
    for server in opened:
        server.__exit__()


Serve = Callable[[Callable[[dict[str, Any]], Said]], Scripted]


def ask(server: Scripted, choice: WireChoice, name: str = "openai/m", price: Price = RATES, **more: Any) -> Completion:
    model = Model("m", name, api_base=server.url, timeout_s=10.0, **more)

    async def run() -> Completion:
        call = Call("m", ({"role": "user", "content": "How much is 20 + 12?"},), model.sampling, api_base=server.url)
        async with aclosing(Gateway([model], {"m": price}, policy=QUICK, wire=choice)) as gateway:
            return await gateway.complete(call)

    return asyncio.run(run())


def usd(n_input: int, n_output: int, n_cached: int = 0, n_written: int = 0) -> float:
    """By hand: what RATES come to."""
    return ((n_input - n_cached - n_written) * 10 + n_cached * 1 + n_written * 12.5 + n_output * 30) / 1e6


# --- forms of usage: (usage as sent; input, output, reasoning, cached, written tokens; USD) ----------------------------------------

FORMS: dict[str, tuple[dict[str, Any], tuple[int | None, ...], float]] = {
    "plain": ({"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}, (50, 7, None, None, None), 0.00071),
    "with a decimal point": ({"prompt_tokens": 50.0, "completion_tokens": 7.0, "total_tokens": 57.0}, (50, 7, None, None, None), 0.00071),
    "input and sum alone": ({"prompt_tokens": 50, "total_tokens": 57}, (50, 7, None, None, None), 0.00071),
    "openai cached": (
        {"prompt_tokens": 2050, "completion_tokens": 7, "total_tokens": 2057, "prompt_tokens_details": {"cached_tokens": 2000}},
        (2050, 7, None, 2000, None),
        0.00271,
    ),
    "openai reasoning": (
        {"prompt_tokens": 50, "completion_tokens": 207, "total_tokens": 257, "completion_tokens_details": {"reasoning_tokens": 200}},
        (50, 207, 200, None, None),
        0.00671,
    ),
    "deepseek": (
        {"prompt_tokens": 2050, "completion_tokens": 7, "prompt_cache_hit_tokens": 2000, "prompt_cache_miss_tokens": 50},
        (2050, 7, None, 2000, None),
        0.00271,
    ),
    "anthropic cached, through a proxy": (
        {"prompt_tokens": 10, "completion_tokens": 7, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 100},
        (2110, 7, None, 2000, 100),
        0.00356,
    ),
    "openrouter written": (
        {"prompt_tokens": 2110, "completion_tokens": 7, "total_tokens": 2117,
         "prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 100}},
        (2110, 7, None, 2000, 100),
        0.00356,
    ),
    "reasoning next to the completion": (
        {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 257, "completion_tokens_details": {"reasoning_tokens": 200}},
        (50, 207, 200, None, None),
        0.00671,
    ),
    "thoughts in the sum alone": ({"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 257}, (50, 207, None, None, None), 0.00671),
    "responses": (
        {"input_tokens": 2050, "output_tokens": 7, "total_tokens": 2057, "input_tokens_details": {"cached_tokens": 2000}},
        (2050, 7, None, 2000, None),
        0.00271,
    ),
    "anthropic": (
        {"input_tokens": 3000, "output_tokens": 7, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 100},
        (5100, 7, None, 2000, 100),
        0.03346,
    ),
    "anthropic, with the other names empty": (
        {"input_tokens": 3000, "output_tokens": 7, "prompt_tokens": None, "completion_tokens": None, "cache_read_input_tokens": 2000},
        (5000, 7, None, 2000, None),
        0.03221,
    ),
    "gemini": (
        {"promptTokenCount": 2050, "candidatesTokenCount": 7, "thoughtsTokenCount": 200, "totalTokenCount": 2257,
         "cachedContentTokenCount": 2000},
        (2050, 207, 200, 2000, None),
        0.00871,
    ),
    "reported": ({"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57, "cost": 0.0004}, (50, 7, None, None, None), 0.0004),
}  # fmt: skip


@pytest.mark.parametrize("choice", ["direct", "litellm"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_usage_is_read_and_priced(scripted: Serve, form: str, choice: WireChoice) -> None:
    usage, tokens, cost = FORMS[form]
    found = ask(scripted(lambda _: Said(chat("32", usage))), choice)
    read = (found.input_tokens, found.output_tokens, found.reasoning_tokens, found.cached_input_tokens, found.written_input_tokens)
    assert tuple(n or 0 for n in read) == tuple(n or 0 for n in tokens)
    assert found.cost_usd == pytest.approx(cost)


def anthropic(_: object) -> Said:
    usage = {"input_tokens": 10, "output_tokens": 7, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 100}
    return Said({"id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": "end_turn", "stop_sequence": None,
                 "content": [{"type": "thinking", "thinking": "20 and 12", "signature": "s"}, {"type": "text", "text": "32"}],
                 "usage": usage})  # fmt: skip


def gemini(_: object) -> Said:
    usage = {
        "promptTokenCount": 2050,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 200,
        "totalTokenCount": 2257,
        "cachedContentTokenCount": 2000,
    }
    candidate = {"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "32"}]}}
    return Said({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "g"})


def xai(_: object) -> Said:
    usage = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 257, "completion_tokens_details": {"reasoning_tokens": 200}}
    return Said(chat("32", usage))


@pytest.mark.parametrize(
    ("name", "answer", "tokens", "cost"),
    [
        ("anthropic/claude-sonnet-4-5", anthropic, (2110, 7, 0, 2000, 100), 0.00356),
        ("gemini/gemini-2.5-pro", gemini, (2050, 207, 200, 2000, 0), 0.00871),
        ("xai/grok-4", xai, (50, 207, 200, 0, 0), 0.00671),
        ("deepseek/deepseek-chat", lambda _: Said(chat("32", FORMS["deepseek"][0])), (2050, 7, 0, 2000, 0), 0.00271),
    ],
)
def test_native_interfaces_are_read_through_litellm(
    scripted: Serve, name: str, answer: Callable[[object], Said], tokens: tuple[int, ...], cost: float
) -> None:
    found = ask(scripted(answer), "litellm", name)
    read = (found.input_tokens, found.output_tokens, found.reasoning_tokens, found.cached_input_tokens, found.written_input_tokens)
    assert tuple(n or 0 for n in read) == tokens
    assert found.cost_usd == pytest.approx(cost)


@pytest.mark.parametrize("choice", ["direct", "litellm"])
def test_a_proxys_own_price_stands_in_a_header(scripted: Serve, choice: WireChoice) -> None:
    usage = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}
    found = ask(scripted(lambda _: Said(chat("32", usage), headers={"x-litellm-response-cost": "0.0005"})), choice)
    assert (found.reported_cost_usd, found.cost_usd) == (0.0005, 0.0005)


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        ({"cost": {"input_tokens_cost": 0.1, "request_cost": 0.005, "total_cost": 0.006}}, 0.006),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 0.021),
        ({"cost": -1}, None),
        ({"cost": math.nan}, None),
        ({"cost": "0.5"}, None),
    ],
)
def test_reported_prices_in_their_forms(usage: dict[str, Any], reported: float | None) -> None:
    found = read_usage({"prompt_tokens": 5, "completion_tokens": 2, **usage})["reported_cost_usd"]
    assert found == (reported if reported is None else pytest.approx(reported))


def test_openrouter_is_asked_for_its_price(scripted: Serve) -> None:
    server = scripted(lambda _: Said(chat("32", {"prompt_tokens": 5, "completion_tokens": 2, "cost": 0.25})))
    for choice in ("direct", "litellm"):
        assert ask(server, choice, "openrouter/openai/gpt-4o", Price(0.0, 0.0)).cost_usd == 0.25
    assert [seen["body"]["usage"] for seen in server.seen] == [{"include": True}] * 2


# --- usage that cannot be ---------------------------------------------------------------------------------------------------------

LONG = "word " * 200


@pytest.mark.parametrize(
    "usage",
    [
        *({"prompt_tokens": a, "completion_tokens": b} for a, b in ((1, 1), (0, 300), (300, 1), (-5, -7), ("12", "7"), (12.0, 7.5))),
        *({"prompt_tokens": a, "completion_tokens": a} for a in (True, 10**9, math.nan, None)), {}, None,
    ],
    ids=str,
)  # fmt: skip
def test_an_impossible_usage_is_unknown(usage: Any) -> None:
    call = Call("m", ({"role": "user", "content": LONG},), {})
    reply = counted(Reply(LONG, "ok", **read_usage(usage)))
    found = booked(reply, call, RATES)
    assert (found.cost_usd, found.reply.input_tokens, found.reply.output_tokens) == (None, None, None)
    assert found.doubt


def test_an_empty_answer_of_no_tokens_is_possible() -> None:
    call = Call("m", ({"role": "user", "content": "?"},), {})
    assert booked(Reply("", "empty", input_tokens=10, output_tokens=0), call, RATES).cost_usd == pytest.approx(usd(10, 0))


def test_a_reported_price_that_is_far_too_low_is_not_believed() -> None:
    call = Call("m", ({"role": "user", "content": "?"},), {})
    reply = Reply("four", "ok", input_tokens=1000, output_tokens=100, reported_cost_usd=0.0)
    assert booked(reply, call, RATES).cost_usd == pytest.approx(usd(1000, 100))
    assert booked(reply, call, None).cost_usd == 0.0  # a free model has no price elsewhere
    assert booked(replace(reply, reported_cost_usd=0.005), call, RATES).cost_usd == 0.005


def test_input_is_counted_high_in_every_script() -> None:
    def most(text: str) -> int:
        return most_input(Call("m", ({"role": "user", "content": text},), {}))

    assert most("a" * 100) == 66
    assert most("漢" * 100) == 316
    assert most("🙂" * 10) == 56


# --- prices -----------------------------------------------------------------------------------------------------------------------

TABLE = PriceTable(
    {
        "gpt-5": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 8e-6, "max_output_tokens": 128000,
                  "cache_read_input_token_cost": 1e-7, "input_cost_per_token_flex": 5e-7, "output_cost_per_token_flex": 4e-6},
        "gpt-5-search-preview": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 8e-6,
                                 "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.02}},
        "perplexity/sonar": {"litellm_provider": "perplexity", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6,
                             "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_high": 0.012}},
        "gemini/pro": {"litellm_provider": "gemini", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5,
                       "cache_read_input_token_cost": 1e-7, "input_cost_per_token_above_200k_tokens": 2e-6,
                       "output_cost_per_token_above_200k_tokens": 1.5e-5, "cache_read_input_token_cost_above_200k_tokens": 2e-7},
        "anthropic.claude": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 3e-6, "output_cost_per_token": 15e-6,
                             "cache_creation_input_token_cost": 3.75e-6},
        "gemini-pro": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5},
        "davinci": {"litellm_provider": "text-completion-openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
    },
    "test",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((name, True) for name in ("openai/gpt-5", "gemini/pro", "bedrock/anthropic.claude", "vertex_ai/gemini-pro", "openai/davinci")),
        *((f"{provider}/gpt-5", False) for provider in ("litellm_proxy", "hosted_vllm", "lm_studio", "openrouter", "azure")),
        ("openai/pro", False), ("groq/perplexity/sonar", False), ("openai/gpt-5-mini", False),
    ],
)  # fmt: skip
def test_a_price_is_that_of_the_exact_name(name: str, known: bool) -> None:
    assert (TABLE.price(Model("m", name)) is not None) == known
    assert TABLE.price(Model("m", name, api_base="http://127.0.0.1:1/v1")) is None
    own = Price(1.0, 1.0)
    assert TABLE.price(Model("m", name, price=own)) is own


@pytest.mark.parametrize(
    ("name", "sampling", "tokens", "cost"),
    [
        ("openai/gpt-5", {}, (1000, 100), 0.0018),
        ("openai/gpt-5", {}, (1000, 100, 800), 0.00108),
        ("openai/gpt-5", {"params": {"service_tier": "flex"}}, (1000, 100), 0.0009),
        ("gemini/pro", {}, (200_000, 100), 0.201),
        ("gemini/pro", {}, (200_001, 100), 0.401502),
        ("gemini/pro", {}, (300_000, 100, 250_000), 0.1515),
        ("bedrock/anthropic.claude", {}, (1000, 0, 0, 1000), 0.00375),
        ("perplexity/sonar", {}, (1000, 100), 0.0061),
        ("perplexity/sonar", {"params": {"web_search_options": {"search_context_size": "high"}}}, (1000, 100), 0.0131),
        ("openai/gpt-5-search-preview", {}, (1000, 100), 0.0218),
    ],
)
def test_prices_by_hand(name: str, sampling: dict[str, Any], tokens: tuple[int, ...], cost: float) -> None:
    price = TABLE.price(Model("m", name, sampling=sampling))
    assert price is not None
    assert price.cost(*tokens) == pytest.approx(cost)
    assert price.most(*tokens[:2]) >= price.cost(*tokens)


def test_real_models_have_limits_and_cached_prices() -> None:
    table = PriceTable.load()
    price = table.price(Model("m", "openai/gpt-5-mini"))
    assert price is not None
    assert price.cached_input_usd_per_mtok == pytest.approx(price.input_usd_per_mtok / 10)
    assert table.most_output("openai/gpt-5-mini") == 128_000
    assert table.most_output("openai/no-such-model") is None
    assert table.is_completion("openai/gpt-3.5-turbo-instruct")
    assert not table.is_completion("openai/gpt-4o-mini")


# --- what may have been billed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "may_be"),
    [
        *((WireError(*error), True) for error in (("timeout", "late"), ("timeout", "gateway", 504), ("server", "boom", 500))),
        *((WireError(*error), True) for error in (("server", "no JSON", 200), ("connection", "cut"), ("size", "large"))),
        *((WireError(*error), False) for error in (("server", "overloaded", 529), ("server", "later", 503, 2.0), ("rate", "slow", 429))),
        *((WireError(*error), False) for error in (("request", "no", 400), ("auth", "key", 401))),
    ],
    ids=str,
)  # fmt: skip
def test_which_failures_may_have_been_billed(error: WireError, may_be: bool) -> None:
    assert error.may_be_billed == may_be


@pytest.mark.parametrize("choice", ["direct", "litellm"])
def test_a_connection_that_was_never_made_is_not_billed(choice: WireChoice) -> None:
    model = Model("m", "openai/m", api_base="http://127.0.0.1:9/v1", retries=0)

    async def run() -> Completion:
        async with aclosing(Gateway([model], {"m": RATES}, policy=RetryPolicy(1), wire=choice)) as gateway:
            return await gateway.complete(Call("m", ({"role": "user", "content": "?"},), {}, api_base=model.api_base))

    found = asyncio.run(run())
    assert (found.outcome, found.cost_usd) == ("error", 0.0)


CAP = 0.02
MOST = 64
"""The limit of an answer in `experiment`."""


def truth(body: dict[str, Any]) -> tuple[int, int]:
    return sum(len(message["content"]) for message in body["messages"]) // 4, MOST


LIARS: dict[str, Callable[[dict[str, Any]], Said]] = {
    "one token": lambda body: Said(chat("42" * 50, {"prompt_tokens": 1, "completion_tokens": 1}), billed=truth(body)),
    "no usage": lambda body: Said(chat("42", None), billed=truth(body)),
    "negative": lambda body: Said(chat("42", {"prompt_tokens": -5, "completion_tokens": -7}), billed=truth(body)),
    "absurd": lambda body: Said(chat("42", {"prompt_tokens": 10**9, "completion_tokens": 10**9}), billed=truth(body)),
    "free": lambda body: Said(chat("42", {"prompt_tokens": 50, "completion_tokens": MOST, "cost": 0.0}), billed=(50, MOST)),
    "504": lambda body: Said(b"<html>504</html>", 504, billed=truth(body)),
    "502": lambda body: Said(b"<html>502</html>", 502, billed=truth(body)),
    "cut": lambda body: Said(chat("42", {"prompt_tokens": 50, "completion_tokens": MOST}), billed=truth(body), cut=True),
    "broken": lambda body: Said(b'{"id": "x", "choi', billed=truth(body)),
    "reasoning beyond max_tokens": lambda body: Said(
        chat("42", {"prompt_tokens": 50, "completion_tokens": 100, "total_tokens": 150}), billed=(50, 100)
    ),
    "a hundred times too long": lambda body: Said(
        chat("42", {"prompt_tokens": 50, "completion_tokens": 100 * MOST, "total_tokens": 50 + 100 * MOST}), billed=(50, 100 * MOST)
    ),
}


def swept(folder: Path, server: Scripted, concurrency: int = 4, **execution: Any) -> Sweep:
    price = f"price: {{input_usd_per_mtok: {PRICE[0]}, output_usd_per_mtok: {PRICE[1]}}}"
    path = experiment(folder, tasks="sum", items=100, models=f"  - {{model: openai/m, name: m, api_base: '{server.url}', {price}}}")
    return run_sweep(resolve(path), folder / "runs", None, Execution(concurrency, **execution), lambda _: None)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Gateway.__init__

    def quick(self: Gateway, *arguments: Any, **settings: Any) -> None:
        real(self, *arguments, **{**settings, "policy": QUICK})

    monkeypatch.setattr(Gateway, "__init__", quick)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("liar", LIARS)
def test_no_liar_spends_more_than_the_cap_and_what_was_under_way(tmp_path: Path, scripted: Serve, liar: str) -> None:
    server = scripted(LIARS[liar])
    done = swept(tmp_path, server, max_cost_usd=CAP)
    assert done.state == "budget"
    longest = 100 * MOST if "hundred" in liar else 100
    assert 0 < server.billed_usd <= CAP + 4 * (50 * PRICE[0] + longest * PRICE[1]) / 1e6
    manifest = Run(done.folder).manifest
    assert manifest.spent.usd <= max(CAP, server.billed_usd) + 1e-9
    if liar not in ("free", "reasoning beyond max_tokens", "a hundred times too long"):
        assert manifest.paid_usd + manifest.unsure_usd == pytest.approx(manifest.spent.usd)
        assert "(at most $" in manifest.paid
    doubts = [note for note in done.progress.notes if "ended without an answer" not in note]
    assert len(done.progress.notes) - len(doubts) == (manifest.unsure_usd >= 0.0001), "what counts as spent without an answer"
    assert (len(doubts) == 1) == (liar in ("one token", "no usage", "negative", "absurd", "free"))


def test_where_the_provider_tells_the_truth_the_cost_is_right(tmp_path: Path, scripted: Serve) -> None:
    def answer(body: dict[str, Any]) -> Said:
        n_input, n_output = truth(body)[0] + 1, 3
        return Said(chat("42", {"prompt_tokens": n_input, "completion_tokens": n_output}), billed=(n_input, n_output))

    server = scripted(answer)
    done = swept(tmp_path, server)
    manifest = Run(done.folder).manifest
    assert done.state == "complete"
    assert manifest.paid_usd == pytest.approx(server.billed_usd, rel=1e-6)
    assert manifest.unsure_usd == 0
    assert "at most" not in manifest.paid


@pytest.mark.long
@pytest.mark.usefixtures("hurried")
def test_a_failed_attempt_is_booked_as_at_most_in_its_row(tmp_path: Path, scripted: Serve) -> None:
    failed: list[int] = []

    def answer(body: dict[str, Any]) -> Said:
        if len(failed) < 1:
            failed.append(1)
            return Said(b"<html>504</html>", 504, billed=truth(body))
        return Said(chat("42", {"prompt_tokens": 50, "completion_tokens": 3}), billed=(50, 3))

    done = swept(tmp_path, scripted(answer), concurrency=1)
    run = Run(done.folder)
    calls = run.calls()
    assert calls["at_most_usd"].notna().sum() == 1
    row = calls[calls["at_most_usd"].notna()].iloc[0]
    assert row["at_most_usd"] - row["cost_usd"] == pytest.approx(run.manifest.unsure_usd)
    assert run.manifest.unsure_usd > 64 * PRICE[1] / 1e6


# --- what is set aside, and what a plan says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "sampling", "n_output"),
    [
        ("openai/gpt-5-mini", "{temperature: 1}", 128_000),
        ("openai/gpt-5-mini", "{max_tokens: 500}", 500),
        ("openai/gpt-5-mini", "{max_completion_tokens: 700}", 700),
        ("anthropic/claude-sonnet-4-5", "{max_tokens: 1000, thinking: {budget_tokens: 4000}}", 5000),
        ("openai/no-such-model", "{temperature: 1}", 4096),
    ],
)
def test_what_is_set_aside_for_an_answer(tmp_path: Path, model: str, sampling: str, n_output: int) -> None:
    path = experiment(tmp_path, tasks="sum", models=f"  - {{model: {model}, name: m}}")
    path.write_text(path.read_text().replace("sampling: {temperature: 0, max_tokens: 64}", f"sampling: {sampling}"))
    study = resolve(path)
    engine = engine_of(study, None, Budget(None), Progress(0), None)
    call = Call("m", ({"role": "user", "content": "ab"},), {**study.experiment.sampling.asked(), **study.design.models[0].sampling})
    assert engine.payer.upper_cost(call)[1] == 17 + n_output


def own_task(folder: Path, n_chars: int) -> Path:
    (folder / "items.jsonl").write_text("".join(json.dumps({"id": str(n), "q": f"item {n}?", "a": "yes"}) + "\n" for n in range(30)))
    prompt = json.dumps("Read this. " * (n_chars // 11))
    (folder / "task.yaml").write_text(
        f"name: long\nitems: items.jsonl\ncolumns: {{id: id, input: q, target: a}}\nmetric: word\nbase_prompts: {{human: {prompt}}}\n"
    )
    return folder / "task.yaml"


@pytest.mark.parametrize(
    ("model", "n_chars", "is_cached"),
    [("openai/gpt-5-mini", 12_000, True), ("openai/gpt-5-mini", 3000, False), ("anthropic/claude-sonnet-4-5", 12_000, False)],
)
def test_a_plan_says_what_long_beginnings_cost_with_and_without_a_cache(tmp_path: Path, model: str, n_chars: int, is_cached: bool) -> None:
    own_task(tmp_path, n_chars)
    path = experiment(tmp_path, tasks="long", models=f"  - {{model: {model}, name: m}}", more="task_files: [task.yaml]\n")
    [row] = make_plan(resolve(path)).estimates
    assert (row.usd_cached is not None) == is_cached
    if row.usd_cached is not None:
        assert row.usd[0] is not None
        assert 0.05 * row.usd[0] < row.usd_cached[0] < 0.5 * row.usd[0]


def test_the_page_of_providers_says_what_the_cases_say() -> None:
    spec = importlib.util.spec_from_file_location("make_provider_docs", ROOT / "tools" / "make_provider_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "reference" / "providers.md").read_text(encoding="utf-8") == module.page()


def test_what_a_kill_may_have_cost_is_told_with_why_and_what_to_do(tmp_path: Path, scripted: Serve) -> None:
    """The provider got one request and was killed off before its answer: the cap is used up by what it can have billed."""
    server = scripted(lambda body: Said(chat("42", {"prompt_tokens": 1, "completion_tokens": 1}), billed=(1, 1)))
    first = swept(tmp_path, server, max_cost_usd=1e-9)
    Ledger(first.folder).keep(Sums(n_sent=1, held_usd=1.98))
    again = swept(tmp_path, server, max_cost_usd=1.0)
    assert (again.state, again.progress.n_sent, server.billed_usd) == ("budget", 0, 0)
    assert again.progress.notes[-1].startswith("$1.9800 counts as spent for calls that ended without an answer")
    assert "raise --max-cost by the difference" in again.progress.notes[-1]


KILLED = """
import os, signal, sys
from pathlib import Path
from promptlab.planning.resolve import resolve
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
def observe(p):
    if p.n_done >= 5: os.kill(os.getpid(), signal.SIGKILL)
run_sweep(resolve(Path(sys.argv[1])), Path("runs"), Path("cache"), Execution(concurrency=1), observe)
"""


def test_a_killed_run_says_how_far_it_got_and_what_it_can_have_cost(tmp_path: Path) -> None:
    run("-c", KILLED, str(experiment(tmp_path, tasks="sum", models="  - sim/planted")), cwd=tmp_path)
    [folder] = (tmp_path / "runs").iterdir()
    assert (Run(folder).manifest.counts.done, len(Run(folder).trials())) == (0, 5)
    ledger = Ledger(folder)
    ledger.keep(Sums(n_sent=7, paid_usd=0.25, unsure_usd=0.25, held_usd=0.5))
    ledger.close()
    [listed] = json.loads(run("ls", "runs", "--json", cwd=tmp_path).stdout)
    assert (listed["state"], listed["done"], listed["paid_usd"]) == ("interrupted", 5, 0.25)
    assert re.search(rf" 5/{listed['planned']} ", run(cwd=tmp_path).stdout)
    told = so_far(Run(folder))
    assert (told.counts.sent, told.paid_usd, told.unsure_usd) == (7, 0.25, 0.75), "what was held may have been billed"
    assert paid_words(told.paid_usd, told.unsure_usd, 0, 0, 1) == "$0.2500 paid (at most $1.0000)"
    assert build(Run(folder)).manifest == told

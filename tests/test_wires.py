"""All wires are one: the same server behaviour becomes the same completion, whichever way a model is asked; and what paces them."""

from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import ROOT
from promptlab.nouns.call import Call, Completion, Model, Price
from promptlab.nouns.environment import PUBLIC, address_variables
from promptlab.nouns.errors import ProviderStopped, UsageProblem
from promptlab.nouns.record import EVIDENCE_COLUMNS
from promptlab.nouns.redact import redact
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.gateway import Gateway, Reply, RetryPolicy, WireChoice, wire
from promptlab.running.gateway.answers import Said, fault_in, in_utf8, said_in
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.failures import read_retry_after
from promptlab.running.gateway.limiter import Limiter
from promptlab.running.gateway.providers import DIRECT, PLAIN_PARAMETERS, not_direct
from promptlab.running.gateway.wire import SimulatedError
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from servers import Server

pytestmark = [pytest.mark.filterwarnings("ignore:Pydantic serializer")]
KEY = "hunter2-SENTINEL-0123456789"
QUICK = RetryPolicy(attempts=2, rate_attempts=3, first_wait_s=0.01, longest_wait_s=0.02)
WIRES: tuple[WireChoice, ...] = ("direct", "litellm")


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """LiteLLM takes seconds to import; no test's clock should hold them."""
    import litellm  # noqa: F401


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_KEY", KEY)


def using(models: Sequence[Model], ask: Callable[[Gateway], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        prices = {model.name: Price(1.0, 2.0) for model in models}
        async with aclosing(Gateway(models, prices, **{"policy": QUICK, **settings})) as gateway:
            return await ask(gateway)

    return asyncio.run(run())


def question(model: Model, text: str = "question 0", **sampling: Any) -> Call:
    return Call(model.name, ({"role": "user", "content": text},), sampling, api_base=model.api_base)


def asked(server: Server, name: str, choice: WireChoice, *, timeout_s: float = 5.0, **sampling: Any) -> dict[str, Any]:
    """The completion as a dictionary, the error as its boundary and the status that the server gave."""
    model = Model("m", f"openai/{name}", server.url, "SENTINEL_KEY", timeout_s=timeout_s)
    n_before = len(server.requests)

    async def ask(gateway: Gateway) -> Completion | str:
        try:
            return await gateway.complete(question(model, **sampling))
        except ProviderStopped as error:
            return str(error)

    found = using([model], ask, wire=choice)
    assert KEY not in repr(found)
    if isinstance(found, str):
        return {"stopped": "quota" if "quota" in found else "key", "n": len(server.requests) - n_before}
    fields = asdict(found)
    del fields["latency_s"], fields["dated"]
    if found.error is not None:
        assert len(found.error) <= 500
        boundary, status = re.match(r"(\w+): (?:HTTP (\d+): )?", found.error).groups()  # type: ignore[union-attr]
        sent = re.match(r"(?:fail|plain|echo|error200)-(\d+)", name)
        assert sent is None or status == sent[1]
        fields["error"] = boundary
    return {**fields, "n": len(server.requests) - n_before}


FAULTS = [
    *("ok", "echo-ok", "unicode", "inject", "big-100000", "think", "reasoned", "othermodel", "nomodel", "nofinish", "toolcall", "parts"),
    *("empty", "null", "nochoices", "length", "filter", "refusal", "policy", "context"),
    *("nousage", "nullusage", "halfusage", "finish-eos", "finish-max_tokens", "finish-SAFETY", "finish-weird"),
    *("badjson", "html200", "truncated", "blank", "list", "reset", "error200", "error200-429", "error200-400"),
    *("fail-500-1", "fail-429-1", "fail-503-1", "retryms-1-20", "past-1", "retry-1-nan", "retry-1-9999", "retry-1-inf", "retrydate-1-3"),
    *(f"fail-{status}-99" for status in (400, 402, 404, 408, 409, 413, 422, 429, 451, 500, 502, 503, 504, 529)),
    *(f"plain-{status}" for status in (404, 429, 500, 503)),
    *("echo-400", "echo-401", "echo-500", "quota", "noaccess"),
]


@pytest.mark.long(but=20)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_the_same_completion_over_both_wires(server: Server, name: str) -> None:
    direct = asked(server, name, "direct", temperature=0, max_tokens=5)
    server.by_prompt.clear()
    assert direct == asked(server, name, "litellm", temperature=0, max_tokens=5)


FACTS: dict[str, dict[str, Any]] = {
    "think": {"reasoning": "two and\ntwo"},
    "facts-openai": {"reasoning_tokens": 1, "cached_input_tokens": 4},
    "facts-openrouter": {"reasoning": "two and two", "reasoning_tokens": 0, "reported_cost_usd": 0.00025},
    "facts-deepseek": {"reasoning": "two and two", "cached_input_tokens": 3},
    "facts-openai-key": {"reasoning": "the key is Bearer [redacted]", "reasoning_tokens": 1, "cached_input_tokens": 4},
}


@pytest.mark.parametrize("choice", WIRES)
@pytest.mark.parametrize("name", FACTS)
def test_what_a_provider_says_beside_its_answer_is_kept_and_its_own_price_holds(server: Server, name: str, choice: WireChoice) -> None:
    names = ("reasoning", "reasoning_tokens", "cached_input_tokens", "reported_cost_usd")
    found = asked(server, name, choice, temperature=0, max_tokens=5)
    assert {key: found[key] for key in names} == {**dict.fromkeys(names), **FACTS[name]}
    plain = asked(server, "ok", choice, temperature=0, max_tokens=5)
    cost = plain["cost_usd"] if found["reported_cost_usd"] is None else found["reported_cost_usd"]
    assert (found["text"], found["cost_usd"], found["output_tokens"]) == ("four", cost, plain["output_tokens"])


@pytest.mark.parametrize("charset", ["latin1-latin1", "cp1252-iso8859", "utf8-latin1", "utf16-utf16", "utf8-unheard", "latin1-utf8"])
def test_a_body_is_read_by_the_charset_that_it_declares_and_then_as_utf_8(server: Server, charset: str) -> None:
    assert asked(server, f"charset-{charset}", "direct")["text"] == ("Zoë" if charset != "latin1-utf8" else "")


@pytest.mark.parametrize("codec", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "rot13", "zlib", "undefined"])
def test_a_server_chooses_no_codec_that_is_no_charset(codec: str) -> None:
    """Of some of them half a megabyte takes seconds."""
    body = b"a" * 400_000 + b"-" + b"9" * 200_000 + rb"\u0022"
    started = time.process_time()
    assert in_utf8(body, f"application/json; charset={codec}") == body
    assert time.process_time() - started < 1


@pytest.mark.parametrize("odd", ["1", -1, True, 1.5, [], 10**12, float("nan")], ids=str)
def test_a_fact_of_another_kind_is_unknown(odd: Any) -> None:
    usage = {
        "prompt_tokens": 5, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": odd},
        "prompt_tokens_details": {"cached_tokens": odd}, "cost": "free" if odd == 1.5 else odd,
    }  # fmt: skip
    answer: Any = Said("four", "stop", 7)  # type: ignore[arg-type]
    found = wire.read_answer({"choices": [{"message": {}}], "usage": usage}, answer, None, ())
    assert (found.reasoning, found.reasoning_tokens, found.cached_input_tokens, found.reported_cost_usd) == (None, None, None, None)
    assert (found.input_tokens, found.output_tokens) == (5, 2)


@pytest.mark.parametrize("places", [(0, 1), (1, 0), (2, 1, 0), (None, None), (1, 2), ("0", 1)], ids=str)
def test_of_several_choices_the_first_by_its_own_count_is_the_answer(places: tuple[Any, ...]) -> None:
    choices = [{"index": at, "message": {"content": f"text {n}"}, "error": {"code": n}} for n, at in enumerate(places)]
    first = places.index(0) if 0 in places else 0
    assert said_in({"choices": choices}).text == f"text {first}"
    assert fault_in({"choices": choices}) == {"code": first}


@pytest.mark.parametrize(
    ("parts", "text", "refusal"),
    [
        ([{"type": "text", "text": "four"}, {"type": "refusal", "refusal": ""}], "four", None),
        ([{"type": "text", "text": "four"}, {"type": "refusal", "refusal": None}], "four", None),
        ([{"type": "refusal", "refusal": "No."}], "", "No."),
        ([{"type": "refusal", "refusal": "No."}, {"type": "refusal", "refusal": ""}], "", "No."),
        ([{"type": "refusal"}], "", "refusal"),
    ],
)
def test_an_empty_refusal_refuses_nothing(parts: list[dict[str, Any]], text: str, refusal: str | None) -> None:
    found = said_in({"choices": [{"message": {"content": parts}}]})
    assert (found.text, found.refusal) == (text, refusal)


@pytest.mark.parametrize("choice", WIRES)
@pytest.mark.parametrize("name", ["hang", "drip"])
def test_no_wire_waits_longer_than_the_deadline(server: Server, name: str, choice: WireChoice) -> None:
    started = time.monotonic()
    found = asked(server, name, choice, timeout_s=0.2)
    assert (found["outcome"], found["error"], found["attempts"]) == ("error", "timeout", 2)
    assert time.monotonic() - started < 3


def test_log_probabilities_are_read_alike(server: Server) -> None:
    found = [asked(server, "logprobs", choice, logprobs=True, top_logprobs=3) for choice in WIRES]
    assert found[0] == found[1]
    assert found[0]["top_logprobs"][0] == (" B", -0.3)


@pytest.mark.parametrize("choice", WIRES)
def test_an_answer_beyond_the_limit_is_paid_for_once_and_not_kept(
    server: Server, choice: WireChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LARGEST_ANSWER_BYTES", 50_000)
    found = asked(server, "big-100000", choice)
    assert (found["error"], found["attempts"], found["cost_usd"]) == ("size", 1, None)


@pytest.mark.parametrize("status", [302, 308])
def test_prompts_and_keys_go_to_the_given_address_only(server: Server, status: int) -> None:
    found = asked(server, f"moved-{status}", "direct")
    assert (found["error"], found["n"]) == ("request", 1)


@pytest.mark.parametrize("provider", DIRECT)
def test_both_wires_send_the_same_request_with_the_same_key(server: Server, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = DIRECT[provider]
    monkeypatch.setenv(address_variables(provider)[0], server.url)
    monkeypatch.setenv(known.key_env[0], KEY)
    model = Model("m", f"{provider}/some/ok")
    messages = ({"role": "system", "content": "be brief"}, {"role": "user", "content": "Zoë 😀"}, {"role": "assistant", "content": "yes"})
    call = Call("m", (*messages, {"role": "user", "content": "and?"}), {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "seed": 3})
    found = [using([model], lambda gateway: gateway.complete(call), wire=choice) for choice in WIRES]
    assert server.requests[0] == server.requests[1]
    assert server.paths == ["/v1/chat/completions"] * 2
    assert server.keys == [f"Bearer {KEY}"] * 2
    assert found[0].outcome == "ok"
    assert found[0].model_version == found[1].model_version
    assert found[0].effective == found[1].effective == call.sampling


@pytest.mark.parametrize("choice", WIRES)
def test_keys_are_sent_by_one_rule(server: Server, choice: WireChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-public-provider")
    asked(server, "ok", choice)
    own = Model("m", "openai/ok", server.url)
    using([own], lambda gateway: gateway.complete(question(own)), wire=choice)
    assert server.keys == [f"Bearer {KEY}", "Bearer none"]
    unset = Model("m", "openai/ok", server.url, "NO_SUCH_VARIABLE")
    with pytest.raises(ProviderStopped, match="NO_SUCH_VARIABLE is not set"):
        using([unset], lambda gateway: gateway.complete(question(unset)), wire=choice)
    assert len(server.keys) == 2


def test_a_public_provider_needs_its_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    model = Model("m", "openai/ok")
    with pytest.raises(ProviderStopped, match="OPENAI_API_KEY is not set"):
        using([model], lambda gateway: gateway.complete(question(model)))
    assert server.keys == []


@pytest.mark.parametrize("choice", WIRES)
def test_a_proxy_of_the_environment_is_used(server: Server, choice: WireChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    far, near = Model("far", "openai/ok", f"http://{choice}.invalid/v1"), Model("near", "openai/ok", server.url)
    for model in (far, near):
        assert using([model], lambda gateway, m=model: gateway.complete(question(m)), wire=choice).outcome == "ok"
    assert server.paths == [f"http://{choice}.invalid/v1/chat/completions", "/v1/chat/completions"]


def test_the_table_of_providers_is_litellms() -> None:
    import litellm

    for name in DIRECT:
        public = PUBLIC.get(name)
        assert name == "openai" or name in litellm.provider_list
        _, found, _, base = litellm.get_llm_provider(f"{name}/some-model")
        assert found == name
        assert base in (None, public)
        assert public is None or base == public or f'"{public}"' in inspect.getsource(litellm.main)


def test_the_direct_wire_takes_only_what_litellm_passes_on_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    from promptlab.running.gateway.by_litellm import LiteLLMWire

    for provider in DIRECT:
        monkeypatch.setenv(address_variables(provider)[0], "http://127.0.0.1:1/v1")
    over, direct = LiteLLMWire([], ()), DirectWire([], ())
    names = {"openai/my-own", "openai/gpt-oss-20b", "hosted_vllm/qwen/qwen3-8b", "lm_studio/m", "llamafile/m", "openrouter/openai/gpt-4o"}
    for name, entry in litellm.model_cost.items():
        provider = entry.get("litellm_provider")
        full = name if name.startswith(f"{provider}/") else f"{provider}/{name}"
        if provider not in DIRECT or not_direct(Model("m", full), {}):
            continue
        assert entry.get("mode") != "responses", full
        assert provider != "openai" or entry.get("mode") != "completion", full
        if entry.get("mode") == "chat":
            names.add(full)
    assert len(names) > 100
    values = {"stop": ["x"], "logprobs": True, "top_logprobs": 5, "max_tokens": 5, "seed": 3}
    sampling = {parameter: values.get(parameter, 0.5) for parameter in PLAIN_PARAMETERS}
    for name in sorted(names):
        assert over.effective(Model("m", name), sampling) == direct.effective(Model("m", name), sampling), name


@pytest.mark.parametrize(
    ("name", "sampling", "expected"),
    [
        ("openai/gpt-4o-mini", {"temperature": 0, "max_tokens": 5}, "DirectWire"),
        ("openai/gpt-4.1", {}, "DirectWire"),
        ("openai/ft:gpt-4o-mini:us:x:1", {}, "DirectWire"),
        ("hosted_vllm/openai/gpt-oss-20b", {}, "DirectWire"),
        ("openai/o3-mini", {}, "LiteLLMWire"),
        ("openai/ft:o4-mini:us:x:1", {}, "LiteLLMWire"),
        ("openai/gpt-5.1-mini", {}, "LiteLLMWire"),
        ("openai/gpt-7", {}, "LiteLLMWire"),
        ("openrouter/openai/o1", {}, "LiteLLMWire"),
        ("openai/gpt-3.5-turbo-instruct", {}, "LiteLLMWire"),
        ("groq/qwen3-32b", {"reasoning_effort": "none"}, "LiteLLMWire"),
        ("anthropic/claude-sonnet-4-5", {}, "LiteLLMWire"),
        ("sim/null", {}, "SimulatedWire"),
    ],
)
def test_how_a_model_is_asked(name: str, sampling: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://127.0.0.1:1/v1")
    model = Model("m", name)
    gateway = Gateway([model], {}, simulator)
    assert type(gateway._wire(model, sampling)).__name__ == expected
    forced = Gateway([model], {}, simulator, wire="direct")
    if expected == "LiteLLMWire":
        with pytest.raises(UsageProblem, match="cannot be called directly"):
            forced.effective(model, sampling)
    else:
        assert forced.effective(model, sampling) == sampling


def test_an_address_that_is_missing_or_holds_a_password() -> None:
    assert "no address" in str(not_direct(Model("m", "lm_studio/x"), {}))
    assert "password" in str(not_direct(Model("m", "openai/x", "http://me:secret@127.0.0.1/v1"), {}))
    assert "secret" not in redact("Cannot connect to http://me:secret@127.0.0.1/v1")


def test_asking_directly_and_simulating_need_no_litellm(server: Server) -> None:
    code = f"""
import asyncio, sys
from promptlab.running.gateway import Gateway, Reply
from promptlab.nouns.call import Call
from promptlab.nouns.call import Model
async def simulator(model, messages, sampling):
    return Reply("a", "ok", "stop", None, 1, 1)
async def run():
    models = [Model("d", "openai/ok", "{server.url}"), Model("s", "sim/x")]
    gateway = Gateway(models, {{}}, simulator)
    for model in models:
        found = await gateway.complete(Call(model.name, ({{"role": "user", "content": "q"}},), {{}}))
        assert found.outcome == "ok", found
    await gateway.aclose()
asyncio.run(run())
assert not {{"litellm", "openai", "pandas"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


async def simulator(model: str, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> Reply:
    """Behaves as its prompt says."""
    said = messages[-1]["content"]
    if said == "slow":
        await asyncio.sleep(5)
    if said.startswith("fail"):
        status = int(said.split()[1])
        raise SimulatedError(status, f"broken on purpose, {KEY}", {"retry-after-ms": "5"} if status == 429 else {})
    return {
        "ok": Reply(f"seed {sampling.get('seed')}", "ok", "stop", "sim/x", 5, 2),
        "cut": Reply("half an ans", "truncated", "length", "sim/x", 5, 3),
        "refuse": Reply("I will not", "refused", "stop", "sim/x", 5, 3),
        "empty": Reply("", "ok", "stop", "sim/x", 5, 0),
        "top": Reply("A", "truncated", "length", "sim/x", 5, 1, top_logprobs=(("A", -0.25), ("B", -1.5))),
        "unfinished": Reply("a", "ok", None, None, None, None),
        "echo": Reply(f"the key is {KEY}", "ok", "stop", "sim/x", 5, 2),
    }[said]


@pytest.mark.parametrize("said", ["ok", "cut", "refuse", "empty", "top", "unfinished", "echo", "slow", "fail 429", "fail 500", "fail 400"])
def test_a_simulated_model_is_the_same_in_this_process_and_through_litellm(said: str) -> None:
    model = Model("m", "sim/x", timeout_s=0.1 if said == "slow" else 5.0)
    found = []
    for choice in ("auto", "litellm"):
        call = question(model, said, temperature=0.0, max_tokens=9, seed=4, stop=["x"])
        completion = using([model], lambda gateway, call=call: gateway.complete(call), simulator=simulator, wire=choice)
        assert KEY not in repr(completion)
        fields = asdict(completion)
        error = fields.pop("error")
        found.append({**fields, "latency_s": 0, "error": error and re.match(r"(\w+: (?:HTTP \d+)?)", error)[1]})  # type: ignore[index]
    assert found[0] == found[1]


def test_the_wire_changes_neither_the_run_nor_its_record(tmp_path: Path) -> None:
    file = tmp_path / "wires.yaml"
    file.write_text(
        "name: wires\nquestion: Is it the same?\ntasks: [sum]\nmodels: [sim/planted]\nstimuli: [emotionprompt/EP01]\n"
        "items: 6\nsampling: {temperature: 0, max_tokens: 20}\n"
    )
    found = []
    for choice in ("auto", "litellm"):
        done = run_sweep(resolve(file), tmp_path / choice, None, Execution(4, wire=choice), lambda _: None)
        assert done.state == "complete"
        calls = (
            Run(done.folder).calls().sort_values(["trial", "turn"]).drop(columns=["latency_s", *EVIDENCE_COLUMNS]).reset_index(drop=True)
        )
        found.append((done.folder.name, calls))
    assert found[0][0] == found[1][0]
    assert len(found[0][1]) > 12
    pd.testing.assert_frame_equal(found[0][1], found[1][1])


def many(gateway: Gateway, model: Model, n: int, name: str = "question") -> Awaitable[list[Completion]]:
    return asyncio.gather(*(gateway.complete(question(model, f"{name} {i}")) for i in range(n)))


def test_a_storm_of_429_lowers_the_load_and_calm_brings_it_back(server: Server) -> None:
    stormy, calm = Model("stormy", "openai/storm-6-80", server.url), Model("calm", "openai/slow-80", server.url)

    async def ask(gateway: Gateway) -> tuple[list[int], list[int]]:
        first = await many(gateway, stormy, 80)
        assert {c.outcome for c in first} == {"ok"}
        during = list(server.loads)
        await many(gateway, calm, 160)
        return during, server.loads[len(during) :]

    policy = RetryPolicy(rate_attempts=30, first_wait_s=0.005, longest_wait_s=0.02)
    during, after = using([stormy, calm], ask, policy=policy, concurrency=32)
    assert max(during[:32]) > 16
    assert max(during[-20:]) <= 14
    assert max(after[:8]) <= 14
    assert max(after) > 16


def test_a_pause_holds_for_everybody_who_shares_the_provider(server: Server) -> None:
    told, other = Model("told", "openai/retry-1-1", server.url), Model("other", "openai/ok", server.url)
    elsewhere = Model("elsewhere", "openai/ok", server.url, "SENTINEL_KEY")

    async def ask(gateway: Gateway) -> None:
        first = asyncio.create_task(gateway.complete(question(told)))
        await asyncio.sleep(0.2)
        await gateway.complete(question(elsewhere))
        await asyncio.gather(first, gateway.complete(question(other)))

    using([told, other, elsewhere], ask)
    paused, free, *rest = server.times
    assert free - paused < 0.9
    assert all(at - paused >= 0.99 for at in rest)


def test_waiting_for_a_slot_does_not_count_to_the_deadline(server: Server) -> None:
    model = Model("m", "openai/slow-100", server.url, timeout_s=0.3)
    found = using([model], lambda gateway: many(gateway, model, 5), concurrency=1)
    assert [(c.outcome, c.attempts) for c in found] == [("ok", 1)] * 5
    assert all(c.latency_s < 0.3 for c in found)
    assert server.peak == 1


@pytest.mark.parametrize(("name", "others_stop"), [("quota", True), ("echo-401", True), ("noaccess", False), ("retry-9-9999", False)])
def test_a_stopped_provider_stops_all_models_with_its_key(server: Server, name: str, others_stop: bool) -> None:
    bad, same = Model("bad", f"openai/{name}", server.url), Model("same", "openai/ok", server.url)
    other_key = Model("other", "openai/ok", server.url, "SENTINEL_KEY")

    async def ask(gateway: Gateway) -> list[Any]:
        await asyncio.gather(gateway.complete(question(bad)), return_exceptions=True)
        n_before.append(len(server.requests))
        return await asyncio.gather(*(gateway.complete(question(m)) for m in (bad, same, other_key)), return_exceptions=True)

    n_before: list[int] = []
    found = using([bad, same, other_key], ask)
    assert n_before == [3 if name in ("echo-401", "noaccess") else 1]
    assert isinstance(found[0], ProviderStopped)
    assert isinstance(found[1], ProviderStopped) == others_stop
    assert found[2].outcome == "ok"
    assert len(server.requests) == n_before[0] + 1 + (not others_stop)


def test_calls_that_wait_for_a_stopped_provider_end_at_once(server: Server) -> None:
    model = Model("m", "openai/quota", server.url)
    found = using(
        [model], lambda g: asyncio.gather(*(g.complete(question(model)) for _ in range(20)), return_exceptions=True), concurrency=2
    )
    assert all(isinstance(error, ProviderStopped) and str(error).startswith("m: ") for error in found)
    assert len(server.requests) <= 2


def test_silence_of_every_provider_is_noticed(server: Server) -> None:
    model = Model("m", "openai/hang", server.url)

    async def ask(gateway: Gateway) -> list[str | None]:
        assert gateway.patience_s == 3 * 60 + 120
        gateway.patience_s = 0.2
        found = [gateway.stalled()]
        call = asyncio.create_task(gateway.complete(question(model)))
        for _ in range(2):
            await asyncio.sleep(0.15)
            found.append(gateway.stalled())
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return [*found, gateway.stalled()]

    before, early, late, after = using([model], ask)
    assert (before, early, after) == (None, None, None)
    assert "no provider has answered" in str(late)


def test_slots_are_given_in_order_and_come_back() -> None:
    async def run() -> None:
        limiter, order = Limiter(2), []

        async def work(n: int) -> None:
            await limiter.acquire()
            order.append(n)
            await asyncio.sleep(0.01)
            limiter.release()

        tasks = [asyncio.create_task(work(n)) for n in range(6)]
        await asyncio.sleep(0.001)
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [0, 1, 2, 4, 5]
        assert limiter.under_way == 0

    asyncio.run(run())


def test_the_limit_halves_once_an_episode_and_grows_by_steps() -> None:
    async def run() -> None:
        limiter = Limiter(64)
        sent = [await limiter.acquire() for _ in range(64)]
        for at in sent:
            limiter.overloaded(at)
            limiter.release()
        assert limiter.limit == 32
        limiter.overloaded(await limiter.acquire())
        assert limiter.limit == 1  # nothing else was under way: the limit was not what held
        before = limiter.limit
        for _ in range(200):
            limiter.answered()
        assert before < limiter.limit < 64
        for _ in range(2000):
            limiter.answered()
        assert limiter.limit == 64

    asyncio.run(run())


@pytest.mark.parametrize(
    ("ceiling", "answer_s", "least_s", "most_s"),
    [
        (200, 0.04, 0.02, 0.2),  # 0.17 ms apart
        (200, 20.0, 0.08, 0.5),  # 0.5 ms apart, and no more, however long an answer takes
        (8, 20.0, 0.0, 0.02),  # few calls need no spreading
        (200, 0.0001, 0.0, 0.02),  # nor do answers that come at once
    ],
)
def test_many_calls_that_could_start_together_are_spread(ceiling: int, answer_s: float, least_s: float, most_s: float) -> None:
    async def run() -> list[float]:
        limiter = Limiter(ceiling)
        first = [await limiter.acquire() for _ in range(ceiling)]
        assert first[-1] - first[0] < 0.02  # nothing is known yet
        for _ in first:
            limiter.answered(answer_s)
            limiter.release()
        return await asyncio.gather(*(limiter.acquire() for _ in range(ceiling)))

    starts = asyncio.run(run())
    assert starts == sorted(starts)
    assert least_s <= starts[-1] - starts[0] <= most_s


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({}, None, None),
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25, 0.25),
        ({"retry-after": "-3"}, 0, 0),
        ({"retry-after": "nan"}, 0, 0),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "Thu, 01 Jan 2015 00:00:00 GMT"}, 0, 0),
        ({"retry-after": "Thu, 01 Jan 2015 00:00:00 -0000"}, 0, 0),
        ({"retry-after": "in an hour"}, 3590, 3601),
    ],
)
def test_when_to_come_back_is_read_in_every_form(headers: dict[str, str], low: float | None, high: float | None) -> None:
    if headers.get("retry-after") == "in an hour":  # by the clock of the test, not of its collection
        headers = {"retry-after": formatdate(time.time() + 3600, usegmt=True)}
    found = read_retry_after(headers)
    assert found == low if low is None or high is None else low <= found <= high  # type: ignore[operator]

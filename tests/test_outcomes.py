"""What an answer amounts to: one table for both wires and for batches. A provider's failure is never an answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from promptlab.nouns import Call, Completion, Model, Price, digest, finish_outcome
from promptlab.running.batch.service import OpenAIBatches, read_results
from promptlab.running.bundle import _exchange
from promptlab.running.cache.rows import body_of
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice, WireError
from promptlab.running.gateway.answers import native_refusal
from promptlab.running.gateway.failures import read_boundary, read_fault, read_wait
from scripted import Scripted, chat, stream

pytestmark = [pytest.mark.filterwarnings("ignore:Pydantic serializer")]
QUICK = RetryPolicy(attempts=2, rate_attempts=2, first_wait_s=0.01, longest_wait_s=0.02)
WIRES: tuple[WireChoice, ...] = ("direct", "litellm")
TABLE = {
    "ok": "stop end_turn stop_sequence STOP COMPLETE eos tool_calls Stop EndTurn FinishReason.STOP FINISH_REASON_STOP completed",
    "truncated": """length max_tokens MAX_TOKENS model_length max_output_tokens token_limit model_context_window_exceeded incomplete
        FinishReason.MAX_TOKENS FINISH_REASON_MAX_TOKENS a_new_word load FINISH_REASON_UNSPECIFIED OTHER""",
    "refused": "content_filter refusal SAFETY guardrail_intervened ERROR_TOXIC CONTENT_FILTER gemini/SAFETY RECITATION BLOCKLIST",
    "error": "error insufficient_system_resource abort cancelled timeout MALFORMED_FUNCTION_CALL ERROR FinishReason.ERROR network_error",
}


@pytest.mark.parametrize(("reason", "outcome"), [(reason, outcome) for outcome, words in TABLE.items() for reason in words.split()])
def test_every_word_of_the_table(reason: str, outcome: str) -> None:
    assert finish_outcome(reason, "yes") == outcome
    assert finish_outcome(reason.upper(), "yes") == finish_outcome(reason.lower(), "yes") == outcome
    is_known = reason not in ("a_new_word", "load", "FINISH_REASON_UNSPECIFIED", "OTHER")
    assert finish_outcome(reason, " ") == ("empty" if outcome == "ok" else outcome if is_known else "error")


def test_a_missing_reason_is_unknown_and_a_refusal_is_one() -> None:
    assert [finish_outcome(None, text) for text in ("yes", "")] == ["truncated", "error"]
    assert [finish_outcome(reason, "", "I will not") for reason in ("stop", None, "error")] == ["refused", "refused", "error"]


def asked(server: Scripted, choice: WireChoice, provider: str = "openai", base: str | None = None) -> tuple[Completion, Gateway]:
    model = Model("m", f"{provider}/m", base or server.url)

    async def run() -> tuple[Completion, Gateway]:
        async with aclosing(Gateway([model], {"m": Price(1.0, 2.0)}, policy=QUICK, wire=choice)) as gateway:
            return await gateway.complete(Call("m", ({"role": "user", "content": "q"},), {}, api_base=model.api_base)), gateway

    return asyncio.run(run())


THOUGHTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm no"}]}, {"type": "text", "text": "yes"}]
LEGACY = {
    "id": "1",
    "object": "text_completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "text": "yes", "finish_reason": "stop"}],
}
BROKEN = chat()
FORMS: dict[str, tuple[Any, str, str, str | None]] = {
    "stop": (chat(), "ok", "yes", None),
    "eos": (chat(finish="eos"), "ok", "yes", None),
    "length": (chat(finish="max_tokens"), "truncated", "yes", None),
    "enumeration": (chat(finish="FinishReason.MAX_TOKENS"), "truncated", "yes", None),
    "context window": (chat(finish="model_context_window_exceeded"), "truncated", "yes", None),
    "native": (chat(choice={"native_finish_reason": "MAX_TOKENS"}), "truncated", "yes", None),
    "native, filtered": (chat(choice={"native_finish_reason": "SAFETY"}), "refused", "yes", None),
    "native, whole": (chat(choice={"native_finish_reason": "end_turn"}), "ok", "yes", None),
    "native, new": (chat(choice={"native_finish_reason": "a_new_word"}), "ok", "yes", None),
    "unknown": (chat(finish="a_new_word"), "truncated", "yes", None),
    "unknown, empty": (chat("", "a_new_word"), "error", "", None),
    "no reason": (chat(finish=None), "truncated", "yes", None),
    "no reason, empty": (chat("", None), "error", "", None),
    "safety": (chat("", "SAFETY"), "refused", "", None),
    "refusal": (chat(None, refusal="I will not"), "refused", "I will not", None),
    "refusal part": (chat([{"type": "refusal", "refusal": "I will not"}]), "refused", "I will not", None),
    "error": (chat("ye", "error"), "error", "", None),
    "resource": (chat("ye", "insufficient_system_resource"), "error", "", None),
    "choice error": (chat("", "error", choice={"error": {"code": 502, "message": "died"}}), "error", "", None),
    "choice error with text": (chat("yes", "stop", choice={"error": {"code": 503, "message": "died"}}), "error", "", None),
    "choice policy": (chat("", "error", choice={"error": {"code": 403, "message": "input was flagged"}}), "refused", "", None),
    "top policy": ({"error": {"code": "content_policy_violation", "message": "no"}}, "refused", "", None),
    "error text": ({"error": "out of order"}, "error", "", None),
    "parts": (chat(THOUGHTS), "ok", "yes", "hm no"),
    "thought only": (chat(THOUGHTS[:1]), "empty", "", "hm no"),
    "reasoning, cut": (chat(None, "length", reasoning_content="hm no"), "truncated", "", "hm no"),
    "reasoning, null": (chat(None, reasoning="hm no"), "empty", "", "hm no"),
    "text": (LEGACY, "ok", "yes", None),
    "stream": (stream("ye", "s"), "ok", "yes", None),
    "stream, cut": (stream("ye", finish="length"), "truncated", "ye", None),
    "stream, unfinished": (stream("yes", finish=None), "truncated", "yes", None),
    "prompt blocked": ({"choices": [], "promptFeedback": {"blockReason": "SAFETY"}}, "refused", "", None),
    "no choices": ({**BROKEN, "choices": []}, "error", "", None),
    "null choices": ({**BROKEN, "choices": None}, "error", "", None),
    "null message": ({**BROKEN, "choices": [{"index": 0, "message": None, "finish_reason": "stop"}]}, "error", "", None),
    "null usage": ({**BROKEN, "usage": None}, "ok", "yes", None),
    "a number": (chat(7), "error", "", None),
    "a number in a part": (chat([{"type": "text", "text": 7}]), "error", "", None),
    "half": (json.dumps(BROKEN).encode()[:60], "error", "", None),
    "page": (b"<html>log in</html>", "error", "", None),
}  # fmt: skip
KINDS = {"page": "text/html", "stream": "text/event-stream", "stop": "text/plain"}


@pytest.mark.long(but=24)
@pytest.mark.parametrize("choice", WIRES)
@pytest.mark.parametrize("form", FORMS)
def test_both_wires_read_every_form(form: str, choice: WireChoice) -> None:
    body, outcome, text, reasoning = FORMS[form]
    kind = KINDS.get(form.partition(",")[0], "application/json")
    if choice == "litellm" and form == "stop":
        kind = "application/json"  # the SDK under LiteLLM believes the header
    with Scripted(lambda _, __: (200, body, kind)) as server:
        found, gateway = asked(server, choice)
        assert (found.outcome, found.text, found.reasoning) == (outcome, text, reasoning), found
        is_retried = outcome == "error"
        assert len(server.requests) == found.attempts == 1 + is_retried
        assert (found.error is not None) == (outcome == "error" or "policy" in form)
        notes = {"unknown": "'a_new_word'", "no reason": "None", "stream, unfinished": "None"}
        assert (notes[form] in gateway.notes["m"]) if form in notes else not gateway.notes
        if "usage" not in form and form not in ("text",) and outcome in ("ok", "truncated"):
            assert (found.input_tokens, found.output_tokens) == (5, 2)


@pytest.mark.parametrize("form", FORMS)
def test_batches_read_every_form_alike(form: str) -> None:
    body, outcome, text, reasoning = FORMS[form]
    if isinstance(body, bytes):
        assert form.partition(",")[0] in ("page", "half", "stream")  # a line of results holds JSON
        return
    batches = OpenAIBatches([], (), lambda model, call: {})
    line = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}).encode()
    model = Model("m", "openai/m")
    results = read_results([line], {"a": "key"}, lambda status, data: batches.read(model, status, data), ())
    heard = results.heard["key"]
    found = Gateway([model], {"m": None}).answered(Call("m", (), {}), heard)
    assert isinstance(heard, WireError) == (outcome == "error" or "policy" in form)
    assert (found.outcome, found.text, found.reasoning) == (outcome, text, reasoning)


def anthropic(reason: str) -> dict[str, Any]:
    return {
        "id": "1", "type": "message", "role": "assistant", "model": "c", "content": [{"type": "text", "text": "yes"}],
        "stop_reason": reason, "usage": {"input_tokens": 5, "output_tokens": 2},
    }  # fmt: skip


def gemini(reason: str | None, text: str = "yes") -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text}] if text else [], "role": "model"}, "finishReason": reason, "index": 0}
    return {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}}


def cohere(reason: str) -> dict[str, Any]:
    usage = {"tokens": {"input_tokens": 5, "output_tokens": 2}, "billed_units": {"input_tokens": 5, "output_tokens": 2}}
    return {
        "id": "1",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
        "finish_reason": reason,
        "usage": usage,
    }


def ollama(reason: str, **answer: Any) -> dict[str, Any]:
    return {"model": "m", "created_at": "x", "done": True, "done_reason": reason, "prompt_eval_count": 5, "eval_count": 2, **answer}


SPOKEN = {"message": {"role": "assistant", "content": "yes"}}


@pytest.mark.parametrize(
    ("provider", "body", "outcome"),
    [
        ("anthropic", anthropic("end_turn"), "ok"),
        ("anthropic", anthropic("model_context_window_exceeded"), "truncated"),
        ("anthropic", anthropic("refusal"), "refused"),
        ("gemini", gemini("STOP"), "ok"),
        ("gemini", gemini("MAX_TOKENS"), "truncated"),
        ("gemini", gemini("MALFORMED_FUNCTION_CALL"), "error"),
        ("gemini", gemini(None), "truncated"),
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}, "refused"),
        ("cohere", cohere("COMPLETE"), "ok"),
        ("cohere", cohere("ERROR_TOXIC"), "refused"),
        ("cohere", cohere("ERROR"), "error"),
        ("ollama", ollama("stop", response="yes"), "ok"),
        ("ollama", ollama("length", response="yes"), "truncated"),
        ("ollama_chat", ollama("load", **SPOKEN), "truncated"),
        ("mistral", chat(THOUGHTS, "model_length"), "truncated"),
        ("deepseek", chat("ye", "insufficient_system_resource"), "error"),
        ("openrouter", chat("ye", "error"), "error"),
        ("azure", chat(THOUGHTS), "ok"),
    ],
)
def test_what_litellm_calls_stop_is_looked_up_in_the_response(
    provider: str, body: dict[str, Any], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC", "GEMINI", "COHERE", "MISTRAL", "DEEPSEEK", "OPENROUTER", "AZURE"):
        monkeypatch.setenv(f"{name}_API_KEY", "none")
    with Scripted(lambda _, __: (200, body)) as server:
        base = server.address if provider.startswith(("ollama", "anthropic", "gemini")) else server.url
        found, _ = asked(server, "litellm", provider, base)
    assert found.outcome == outcome, found
    assert found.text == ("yes" if outcome in ("ok", "truncated") or (provider in ("anthropic", "cohere") and outcome == "refused") else "")


@pytest.mark.parametrize(
    ("provider", "status", "body", "billed"),
    [
        ("anthropic", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, False),
        ("anthropic", 500, {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}, True),
        ("gemini", 503, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "The model is overloaded."}}, True),
        ("cohere", 529, {"message": "Overloaded"}, False),
        ("mistral", 529, {"error": {"message": "Overloaded"}}, False),
    ],
)
def test_the_status_is_the_providers_and_not_litellms(
    provider: str, status: int, body: dict[str, Any], billed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC", "GEMINI", "COHERE", "MISTRAL"):
        monkeypatch.setenv(f"{name}_API_KEY", "none")
    with Scripted(lambda _, __: (status, body)) as server:
        found, _ = asked(server, "litellm", provider, server.address if provider in ("anthropic", "gemini") else server.url)
    said = body.get("message") or body["error"]["message"]
    assert found.error == f"server: HTTP {status}: {said}"
    assert (found.cost_usd is None) == billed


def test_an_error_in_an_answer_that_litellm_cannot_read_is_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "none")
    with Scripted(lambda _, __: (200, {"error": {"code": 429, "message": "upstream is busy"}})) as server:
        found, _ = asked(server, "litellm", "groq")
    assert found.error == "rate: HTTP 429: upstream is busy"


FAILURES: list[tuple[int | None, str, str]] = [
    (429, "You exceeded your current quota. Please retry in 1.2s. GenerateRequestsPerMinutePerProject", "rate"),
    (429, 'You exceeded your current quota {"quotaId": "GenerateRequestsPerDayPerProject"} Please retry in 34s', "quota"),
    (429, "Quota exceeded for quota metric 'Generate Content API requests per day'", "quota"),
    (429, "You exceeded your current quota, please check your plan", "quota"),
    (429, '{"message": "Too many tokens per day"}', "quota"),
    (400, '{"error": {"code": 400, "message": "blocked", "status": "INVALID_ARGUMENT"}}', "policy"),
    (400, "The prompt was blocked", "policy"),
    (403, "the address is blocked", "auth"),
    (429, "Rate limit reached on requests per day (RPD): Limit 3. Please try again in 20s.", "rate"),
    (400, "Your credit balance is too low to access the Anthropic API.", "quota"),
    (402, "", "quota"),
    (403, "This team doesn't have any credits yet", "quota"),
    (403, "Your chosen model requires moderation and your input was flagged", "policy"),
    (400, "Your request was rejected as a result of our safety system.", "policy"),
    (400, "Output blocked by content filtering policy", "policy"),
    (400, "triggering Azure OpenAI's content management policy", "policy"),
    (403, "<!DOCTYPE html><html>blocked</html>", "forbidden"),
    (403, "Project does not have access", "auth"),
    (400, "API key not valid. Please pass a valid API key. API_KEY_INVALID", "auth"),
    (404, "", "model"),
    (400, "nope/nope is not a valid model ID", "model"),
    (400, "The model `gpt-4.1-mimi` does not exist", "model"),
    (400, "The provided model identifier is invalid.", "model"),
    (403, "no access, model_not_found", "model"),
    (400, "Unsupported value: 'temperature' does not support 0 with this model. Only the default is supported.", "parameter"),
    (400, "This model's maximum context length is 8192 tokens.", "length"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", "length"),
    (None, "Cannot connect to host 127.0.0.1:9 [Connect call failed]", "unreachable"),
    (None, "[Errno -2] Name or service not known", "unreachable"),
    (None, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", "certificate"),
    (407, "<html>proxy authentication required</html>", "proxy"),
    (None, "ClientHttpProxyError: 407, message='Proxy Authentication Required', url='http://127.0.0.1:9'", "proxy"),
    (None, "RequestError: 403, message='Forbidden', url='http://127.0.0.1:9'", "proxy"),
    (None, "RequestError: 502, message='Bad Gateway', url='http://127.0.0.1:9'", "connection"),
    (None, "Server disconnected", "connection"),
    (None, "ClientPayloadError: 400, message='Not enough data to satisfy content length header.'", "connection"),
    (None, "ClientResponseError: 400, message=\"Invalid HTTP header: b'http://other/\\x00x'\", url='http://one/'", "protocol"),
    (None, "RequestError: 400, message='Got more than 8190 bytes when reading: ...', url='http://one/'", "protocol"),
    (500, "Missing Gemini API key. Set the GEMINI_API_KEY or GOOGLE_API_KEY environment variable.", "auth"),
    (500, "Missing credentials. Please pass an `api_key`", "auth"),
    (529, "Overloaded", "server"),
]
"""What a failed request says, and at which boundary it failed."""


@pytest.mark.parametrize(("status", "text", "boundary"), FAILURES)
def test_where_a_request_failed(status: int | None, text: str, boundary: str) -> None:
    assert read_boundary(status, text) == boundary


def test_a_refusal_of_the_responses_interface_is_one() -> None:
    thought = {"type": "reasoning", "summary": []}
    said = {"type": "message", "content": [{"type": "refusal", "refusal": "I will not"}]}
    assert native_refusal({"object": "response", "output": [thought, said]}) == "I will not"
    for other in (None, [], {}, {"output": None}, {"output": [thought, {"content": [{"type": "output_text", "text": "yes"}]}]}):
        assert native_refusal(other) is None


def test_times_and_errors_in_messages() -> None:
    assert [read_wait(text) for text in ("Please retry in 1.2s.", "try again in 7m12s", "try again in 250ms", "again")] == [
        1.2,
        432.0,
        0.25,
        None,
    ]
    assert read_wait('"retryDelay": "34s"') == 34.0
    assert read_fault({"code": "502", "message": "x"}) == ('{"code": "502", "message": "x"}', "x", 502)
    assert [(read_fault({"code": code}) or ("", "", 0))[2] for code in ("rate_limit_exceeded", "overloaded_error", None)] == [429, 503, 0]
    assert read_fault({"message": "", "code": None}) is read_fault("") is None


@pytest.mark.parametrize(
    ("reason", "outcome", "is_taken"),
    [
        ("stop", "ok", True),
        ("error", "ok", False),
        ("length", "ok", False),
        ("odd", "ok", False),
        ("odd", "truncated", True),
        (None, "ok", True),
    ],
)
def test_no_bundle_brings_a_failure_as_an_answer(reason: str | None, outcome: Any, is_taken: bool) -> None:
    body = body_of(Completion("yes", outcome, reason))
    row = {"key": "a" * 64, "digest": digest(["a" * 64, body, None]), "completion": body, "request": None}
    if is_taken:
        assert _exchange(row).completion.outcome == outcome
    else:
        with pytest.raises(ValueError, match="is not what the finish reason"):
            _exchange(row)

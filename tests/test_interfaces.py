"""Each interface of a provider: where a request goes, what it holds, and what is read in the answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any, NamedTuple

import pytest

from billing import Said, Scripted, chat
from promptlab.nouns import Call, Completion, Model
from promptlab.running.gateway import Gateway
from test_ledger import RATES

USAGE = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}
PLAIN = {"temperature": 0.2, "max_tokens": 100}
MESSAGES = "/v1/messages"
CHAT = "/v1/chat/completions"


class Interface(NamedTuple):
    """A model of the provider, what follows the address of the server, the path, and the parameters in the body for PLAIN."""

    model: str
    base: str
    path: str
    sent: dict[str, Any]
    answer: dict[str, Any]
    asked: dict[str, Any] = PLAIN


ANTHROPIC = {
    "id": "1", "type": "message", "role": "assistant", "model": "c", "content": [{"type": "text", "text": "32"}],
    "stop_reason": "end_turn", "usage": {"input_tokens": 50, "output_tokens": 7},
}  # fmt: skip
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": "32"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 7, "totalTokenCount": 57},
}
COHERE = {
    "id": "1", "message": {"role": "assistant", "content": [{"type": "text", "text": "32"}]}, "finish_reason": "COMPLETE",
    "usage": {"tokens": {"input_tokens": 50, "output_tokens": 7}, "billed_units": {"input_tokens": 1, "output_tokens": 7}},
}  # fmt: skip
OLLAMA = {
    "model": "m", "created_at": "x", "message": {"role": "assistant", "content": "32"}, "done": True, "done_reason": "stop",
    "prompt_eval_count": 50, "eval_count": 7,
}  # fmt: skip
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "32"}]}}, "stopReason": "end_turn", "metrics": {"latencyMs": 1},
    "usage": {"inputTokens": 50, "outputTokens": 7, "totalTokens": 57},
}  # fmt: skip
TEXT = {
    "id": "1", "object": "text_completion", "created": 1, "model": "m", "usage": USAGE,
    "choices": [{"index": 0, "text": "32", "finish_reason": "stop"}],
}  # fmt: skip
THINKING = {"max_tokens": 3000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
SAID = chat("32", USAGE)
INTERFACES: dict[str, Interface] = {
    "OpenAI and compatible ones": Interface("openai/gpt-4o-mini", "/v1", CHAT, PLAIN, SAID),
    "OpenAI, models that reason": Interface(
        "openai/gpt-5-mini", "/v1", CHAT, {"max_completion_tokens": 100}, SAID, {"max_tokens": 100}
    ),
    "OpenRouter": Interface("openrouter/a/b", "/v1", CHAT, {**PLAIN, "usage": {"include": True}}, SAID),
    "text completions": Interface("text-completion-openai/gpt-3.5-turbo-instruct", "/v1", "/v1/completions", PLAIN, TEXT),
    "Azure": Interface(
        "azure/my-model", "", "/openai/deployments/my-model/chat/completions?api-version=2024-10-21", PLAIN, SAID,
        {**PLAIN, "api_version": "2024-10-21"},
    ),
    "Anthropic": Interface("anthropic/claude-sonnet-4-5", "", MESSAGES, PLAIN, ANTHROPIC),
    "Anthropic, thinking": Interface("anthropic/claude-sonnet-4-5", "", MESSAGES, THINKING, ANTHROPIC, THINKING),
    "Gemini": Interface(
        "gemini/gemini-2.5-flash", "/v1beta", "/v1beta/models/gemini-2.5-flash:generateContent",
        {"generationConfig": {"temperature": 0.2, "max_output_tokens": 100}}, GEMINI,
    ),
    "Bedrock": Interface(
        "bedrock/anthropic.claude-3-haiku-20240307-v1:0", "", "/model/anthropic.claude-3-haiku-20240307-v1:0/converse",
        {"inferenceConfig": {"temperature": 0.2, "maxTokens": 100}}, CONVERSE,
    ),
    "Cohere": Interface("cohere_chat/command-r-plus", "/v2/chat", "/v2/chat", PLAIN, COHERE),
    "Ollama": Interface(
        "ollama_chat/llama3", "", "/api/chat", {"options": {"temperature": 0.2, "num_predict": 100}, "stream": False}, OLLAMA
    ),
    "Hugging Face TGI": Interface("huggingface/tgi", "/v1", CHAT, PLAIN, SAID),
}  # fmt: skip
TEXTS = ("model", "messages", "contents", "prompt", "system", "tools", "options.tools")


@pytest.mark.long(but=3)
@pytest.mark.parametrize("name", INTERFACES)
def test_each_interface_is_asked_and_read_as_the_page_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = INTERFACES[name]
    if name == "Bedrock":
        pytest.importorskip("botocore")
    provider = one.model.partition("/")[0]
    for variable in (f"{provider.removesuffix('_chat').upper()}_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "none")
    monkeypatch.setenv("AWS_REGION_NAME", "us-east-1")
    server = Scripted(lambda _: Said(one.answer))
    model = Model("m", one.model, server.url.removesuffix("/v1") + one.base, sampling=one.asked, timeout_s=10.0)

    async def ask() -> Completion:
        async with aclosing(Gateway([model], {"m": RATES})) as gateway:
            return await gateway.complete(Call("m", ({"role": "user", "content": "20 + 12?"},), model.sampling, api_base=model.api_base))

    try:
        found = asyncio.run(ask())
    finally:
        server.__exit__()
    assert (found.outcome, found.text, found.input_tokens, found.output_tokens) == ("ok", "32", 50, 7), found.error
    assert found.cost_usd == pytest.approx((50 * 10 + 7 * 30) / 1e6)
    [seen] = server.seen
    assert seen["path"].replace("%3A", ":") == one.path
    assert {key: value for key, value in seen["body"].items() if key not in TEXTS} == one.sent, json.dumps(seen["body"])

"""No wire follows a redirect: what an address sends on to would get the prompts, and the key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from promptlab.nouns import Call, Model
from promptlab.running.gateway.by_litellm import LiteLLMWire
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.failures import WireError
from promptlab.running.gateway.wire import Wire

KEY = "sk-secretsecretsecret1234"
NAMES = (
    "openai/m", "anthropic/claude-3-5-haiku-20241022", "gemini/gemini-2.0-flash", "mistral/m", "cohere/command-r", "groq/m",
    "deepseek/deepseek-chat", "openrouter/a/b", "ollama/m", "ollama_chat/m", "together_ai/m", "xai/grok-2", "azure/m", "perplexity/sonar",
    "fireworks_ai/m", "huggingface/tgi/m", "text-completion-openai/m", "hosted_vllm/m",
)  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    to = ""
    heard: list[str]
    status = 307

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.heard.append(self.path)
        self.send_response(self.status)
        self.send_header("Location", self.to + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def servers() -> Iterator[tuple[str, type[Handler], type[Handler]]]:
    class First(Handler):
        pass

    class Second(Handler):
        status = 404

    First.heard, Second.heard = [], []
    started = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (First, Second)]
    for server in started:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    First.to = f"http://127.0.0.1:{started[1].server_port}"
    yield f"http://127.0.0.1:{started[0].server_port}", First, Second
    for server in started:
        server.shutdown()
        server.server_close()


async def sent(wire: Wire, name: str) -> WireError:
    try:
        with pytest.raises(WireError) as caught:
            await wire.send(Call(name, ({"role": "user", "content": "hi"},), {"max_tokens": 5}))
        return caught.value
    finally:
        await wire.aclose()


@pytest.mark.long(but=18)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("name", NAMES)
def test_litellm_follows_no_redirect(
    name: str, status: int, servers: tuple[str, type[Handler], type[Handler]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, first, second = servers
    first.status = status
    monkeypatch.setenv("OWN_KEY", KEY)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-06-01")
    model = Model(name, name, api_base=address, api_key_env="OWN_KEY")
    error = asyncio.run(sent(LiteLLMWire([model], (KEY,)), name))
    assert first.heard
    assert second.heard == []
    assert "redirects to" in str(error)
    assert "api_base" in str(error)
    assert error.status == status
    assert KEY not in str(error)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_direct_wire_follows_no_redirect(
    status: int, servers: tuple[str, type[Handler], type[Handler]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, first, second = servers
    first.status = status
    monkeypatch.setenv("OWN_KEY", KEY)
    model = Model("openai/m", "openai/m", api_base=address, api_key_env="OWN_KEY")
    error = asyncio.run(sent(DirectWire([model], (KEY,)), "openai/m"))
    assert (len(first.heard), second.heard, error.status) == (1, [], status)


def test_other_clients_of_the_process_still_follow(servers: tuple[str, type[Handler], type[Handler]]) -> None:
    import httpx

    address, _, second = servers
    LiteLLMWire([], ())
    assert httpx.post(address, follow_redirects=True).status_code == 404
    assert second.heard == ["/"]

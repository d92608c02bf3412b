"""No wire follows a redirect: what an address sends on to would get the prompts, and the key."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from promptlab.nouns import Call, Model, ProviderStopped
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice
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


LOCATIONS = {
    "control characters": (b"http://other.example/\x01\x1b[31m", r"http://other.example/\x01\x1b[31m"),
    "a tab": (b"http://other.example/a\tb", "http://other.example/a b"),
    "delete": (b"http://other.example/\x7f", r"http://other.example/\x7f"),
    "no port": (b"http://[::1", "http://[::1"),
    "nothing": (b"", "nowhere"),
    "none": (None, "nowhere"),
}
"""What a server sends its clients on to, and how an error names it."""
BROKEN = {"a zero byte": b"http://other.example/\x00", "too long": b"http://other.example/" + b"a" * 70_000}
"""Headers that no client reads."""


@contextmanager
def raw(location: bytes | None) -> Iterator[tuple[str, list[int]]]:
    """The address of a server that answers every request so, and how many it got."""
    listening, heard = socket.create_server(("127.0.0.1", 0)), []

    def answer() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                heard.append(len(connection.recv(65_536)))
                line = b"" if location is None else b"Location: " + location + b"\r\n"
                connection.sendall(b"HTTP/1.1 302 Found\r\n" + line + b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@pytest.mark.parametrize("wire", [LiteLLMWire, DirectWire])
@pytest.mark.parametrize("what", LOCATIONS)
def test_whatever_an_address_redirects_to_it_is_one_sentence(
    what: str, wire: type[LiteLLMWire | DirectWire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    location, shown = LOCATIONS[what]
    with raw(location) as (address, heard):
        error = asyncio.run(sent(wire([Model("openai/m", "openai/m", api_base=address, api_key_env="OWN_KEY")], (KEY,)), "openai/m"))
    assert str(error) == f"the address redirects to {shown}; set api_base to the address that answers"
    assert (error.boundary, error.status, len(heard)) == ("request", 302, 1)


def test_litellm_stops_at_a_redirect_that_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw(b"http://other.example/\x01") as (address, heard):
        model = Model("m", "anthropic/claude-3-5-haiku-20241022", api_base=address)
        said = asyncio.run(stopped(model))
    assert len(heard) <= 7
    assert r"redirects to http://other.example/\x01; set api_base" in said


@pytest.mark.parametrize("choice", ["litellm", "direct"])
@pytest.mark.parametrize("what", BROKEN)
def test_an_answer_that_is_no_http_stops_a_model_after_a_few(what: str, choice: WireChoice) -> None:
    with raw(BROKEN[what]) as (address, heard):
        said = asyncio.run(stopped(Model("m", "openai/m", api_base=address), choice))
    assert 1 <= len(heard) <= 4
    assert f"the answers of {address} break the rules of HTTP (" in said


async def stopped(model: Model, choice: WireChoice = "litellm") -> str:
    """Why a model stops, of which eight calls ask in vain."""
    calls = [Call("m", ({"role": "user", "content": f"q {i}"},), {}, api_base=model.api_base) for i in range(8)]
    async with aclosing(Gateway([model], {"m": None}, policy=RetryPolicy(first_wait_s=0.001), wire=choice)) as gateway:
        found = await asyncio.gather(*map(gateway.complete, calls), return_exceptions=True)
    return str(next(one for one in found if isinstance(one, ProviderStopped)))

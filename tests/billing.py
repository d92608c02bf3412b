"""A server on loopback that answers every request with what a test gives it, and counts what it would bill."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICE = (10.0, 30.0)
"""USD per million tokens in and out that the server bills."""


@dataclass
class Said:
    """One answer: status, body (bytes as they are, anything else as JSON), headers, and the tokens that it is billed for."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    billed: tuple[int, int] = (0, 0)
    cut: bool = False
    """Whether the connection ends in the middle of the body."""


def chat(text: str | None, usage: Any, **message: Any) -> dict[str, Any]:
    """A chat completion with this usage."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice], "usage": usage}


class Scripted(ThreadingHTTPServer):
    """`answer` makes an answer of a request's body."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer: Callable[[dict[str, Any]], Said]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.seen: list[dict[str, Any]] = []
        """Path, headers and body of every request."""
        self.billed_usd = 0.0
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def note(self, seen: dict[str, Any], said: Said) -> None:
        with self._lock:
            self.seen.append(seen)
            self.billed_usd += (said.billed[0] * PRICE[0] + said.billed[1] * PRICE[1]) / 1e6

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = self.server.answer(body)
        self.server.note({"path": self.path, "headers": dict(self.headers), "body": body}, said)
        data = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if said.cut else data)
        self.close_connection = said.cut

    def log_message(self, *_: object) -> None:
        pass

"""A server on loopback that answers what a test says, and the bodies that providers of several kinds send."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any, str] | tuple[int, Any]
"""Status, body (bytes as they are, else JSON), and content type."""


class Scripted(ThreadingHTTPServer):
    """`answer` is given each request's body and what number it has."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer: Callable[[dict[str, Any], int], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients of these tests go away on purpose

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Scripted

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        with self.server.lock:
            self.server.requests.append(body)
            self.server.keys.append(self.headers.get("Authorization"))
            number = len(self.server.requests)
        status, answer, *kind = self.server.answer(body, number)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind[0] if kind else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def chat(text: Any = "yes", finish: Any = "stop", *, choice: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    """A chat completion as OpenAI words it."""
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish, **(choice or {})}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }  # fmt: skip


def stream(*texts: str, finish: str | None = "stop") -> bytes:
    """The same answer as server-sent events."""
    events: list[dict[str, Any]] = [{"model": "m", "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    events.append({"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    events.append({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
    return b": ping\n\n" + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def error(status: int, message: str, code: Any = None, **more: Any) -> Answer:
    """An error as OpenAI words it."""
    return status, {"error": {"message": message, "type": "error", "code": code, **more}}

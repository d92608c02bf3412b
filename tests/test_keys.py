"""Keys and trial ids are written quickly, and are the same digests as ever: an answer that was paid for is found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.nouns.call import Call
from promptlab.nouns.identity import KEY_VERSION, digest, digest_of_text, plain_json
from promptlab.record.store import Run

TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # half a surrogate pair among them
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SAMPLING = st.dictionaries(TEXT, st.none() | st.integers() | st.floats(allow_nan=False) | TEXT, max_size=4)
MESSAGE = st.fixed_dictionaries({"role": TEXT, "content": TEXT})


@given(PLAIN)
def test_plain_json_is_the_canonical_json(value: Any) -> None:
    assert plain_json(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest_of_text(plain_json(value)) == digest(value)


@given(TEXT, st.lists(MESSAGE, max_size=3), SAMPLING, st.integers(0, 10**6), st.none() | TEXT, TEXT)
def test_a_key_is_the_digest_of_the_request(
    model: str, messages: list[dict[str, str]], sampling: dict[str, Any], draw: int, api_base: str | None, other: str
) -> None:
    call = Call(model, tuple(messages), sampling, draw, api_base)
    request = {"version": KEY_VERSION, "api_base": api_base, "messages": messages, "sampling": sampling, "draw": draw}
    assert call.key == digest({**request, "model": model})
    assert call.key_as(other) == digest({**request, "model": other})


def test_a_key_of_the_first_version_stays() -> None:
    call = Call("openai/gpt-4o-mini", ({"role": "user", "content": 'Say "né"\n'},), {"temperature": 0.0, "max_tokens": 64, "seed": 7}, 1)
    assert call.key == "2a064cd581ae6e276036531114e02265e0fb2d59bfb3352230a047d1567659f4"


def test_a_key_planted_in_evidence_of_an_answer_is_redacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, fingerprint and headers of an answer come from the server, which may repeat the key there."""
    import base64
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import runs

    key = "sk-planted0secret1key2abcdef3456"
    hidden = base64.b64encode(key.encode()).decode()

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            choice = {"index": 0, "message": {"role": "assistant", "content": "7"}, "finish_reason": "stop"}
            body = json.dumps({"id": key, "model": f"m-{key}", "system_fingerprint": hidden, "choices": [choice]}).encode()
            self.send_response(200)
            for name, value in (("x-request-id", key), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("PLANTED_API_KEY", key)
    models = runs.served(f"http://127.0.0.1:{server.server_port}/v1", more=", api_key_env: PLANTED_API_KEY")
    try:
        done = runs.run("sweep", str(runs.experiment(tmp_path, models=models, items=2)), "--runs", str(tmp_path / "runs"), cwd=tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    [folder] = (tmp_path / "runs").iterdir()
    calls = Run(folder).calls()
    assert set(calls["request_id"]) == {"[redacted]"}, done.stderr
    kept = [calls.to_json().encode(), *(path.read_bytes() for path in folder.rglob("*") if path.is_file())]
    for data in [*kept, done.stdout.encode(), done.stderr.encode()]:
        assert key.encode() not in data
        assert hidden[:30].encode() not in data

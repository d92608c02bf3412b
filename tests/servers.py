"""An OpenAI-compatible server on loopback whose behaviour follows from the model's name. Standard library only.

ok                 answers "answer to <last line of the prompt>", 5 tokens in, 2 out
slow-MS            the same after MS milliseconds
fail-STATUS-N      STATUS for the first N requests of a prompt, then ok
retry-N-SECONDS    429 with Retry-After for the first N, then ok
retryms-N-MS       the same with Retry-After-Ms
retrydate-N-DAYS   the same with an HTTP date so many days away; past-N: a date long ago
storm-LIMIT-MS     429 to whatever comes while LIMIT are under way, else ok, both after MS milliseconds
echo-STATUS        an error whose message repeats the Authorization header
echo-ok            an answer that repeats the Authorization header
quota, noaccess    429 insufficient_quota; 403
plain-STATUS       an error that is a page of HTML
moved-STATUS       a redirection to the model "ok"
hang, drip         no answer, or a byte a second for ever
reset              the connection is closed in the middle
badjson, html200, truncated, blank, list, error200, error200-CODE
                   200 with something that is no answer
logprobs           " B" with the log-probabilities of four tokens, where they are asked for
big-BYTES          a long answer
parts, toolcall, unicode, inject, think, reasoned, othermodel, nomodel, nofinish, finish-REASON
                   answers of another form or content
empty, null, nochoices, length, filter, refusal, policy, context, nousage, nullusage, halfusage
"""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.by_prompt: Counter[str] = Counter()
        self.under_way = 0
        self.peak = 0
        self.loads: list[int] = []
        """How many requests were under way as each one arrived."""
        self.paths: list[str] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients of these tests go away on purpose


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: in two, the second waits 40 ms for the client's acknowledgement
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        with self.server.lock:
            body = {"n": len(self.server.requests), "peak": self.server.peak}
        self.json(200, body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        prompt = json.dumps(body["messages"])
        with self.server.lock:
            self.server.requests.append(body)
            self.server.times.append(time.monotonic())
            self.server.paths.append(self.path)
            self.server.keys.append(self.headers.get("Authorization"))
            key = f"{body['model']} {prompt} {body.get('seed')}"
            self.server.by_prompt[key] += 1
            attempt = self.server.by_prompt[key]
            self.server.under_way += 1
            under_way = self.server.under_way
            self.server.peak = max(self.server.peak, under_way)
            self.server.loads.append(under_way)
        try:
            self.behave(body, attempt, under_way)
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def behave(self, body: dict[str, Any], attempt: int, under_way: int) -> None:
        name, *numbers = body["model"].rsplit("/", 1)[-1].split("-")
        text = "answer to " + body["messages"][-1]["content"].strip().splitlines()[-1]
        if name == "slow":
            time.sleep(float(numbers[0]) / 1000)
        if name == "fail" and attempt <= int(numbers[1]):
            return self.error(int(numbers[0]), "broken on purpose")
        if name == "retry" and attempt <= int(numbers[0]):
            return self.error(429, "slow down", headers={"Retry-After": numbers[1]})
        if name == "retryms" and attempt <= int(numbers[0]):
            return self.error(429, "slow down", headers={"Retry-After-Ms": numbers[1]})
        if name == "retrydate" and attempt <= int(numbers[0]):
            when = email.utils.formatdate(time.time() + 86_400 * int(numbers[1]), usegmt=True)
            return self.error(429, "slow down", headers={"Retry-After": when})
        if name == "past" and attempt <= int(numbers[0]):
            return self.error(429, "slow down", headers={"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"})
        if name == "storm":
            time.sleep(float(numbers[1]) / 1000)
            if under_way > int(numbers[0]):
                return self.error(429, "too many at once")
        if name == "echo" and numbers != ["ok"]:
            return self.error(int(numbers[0]), f"Incorrect API key provided: {self.headers.get('Authorization')}")
        if name == "echo":
            text = f"you sent {self.headers.get('Authorization')}"
        if name == "quota":
            return self.error(429, "You exceeded your current quota", code="insufficient_quota")
        if name == "noaccess":
            return self.error(403, "no access to this model", code="model_not_found")
        if name == "context":
            return self.error(400, "This model's maximum context length is 8 tokens.", code="context_length_exceeded")
        if name == "plain":
            return self.raw(int(numbers[0]), b"<html><body>gateway</body></html>", "text/html")
        if name == "moved":
            return self.raw(int(numbers[0]), b"", "text/plain", {"Location": "/v1/elsewhere"})
        if name == "policy":
            return self.error(400, "rejected by the safety system", code="content_policy_violation")
        if name == "hang":
            time.sleep(30)
            return None
        if name == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(30):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(1)
            return None
        if name == "reset":
            self.close_connection = True
            return self.connection.close()
        if name == "badjson":
            return self.raw(200, b'{"choices": [{"mess', "application/json")
        if name == "html200":
            return self.raw(200, b"<html>log in</html>", "text/html")
        if name == "blank":
            return self.raw(200, b"", "application/json")
        if name == "list":
            return self.raw(200, b"[1, 2]", "application/json")
        if name == "error200":
            return self.error(200, "upstream is broken", code=int(numbers[0]) if numbers else None)
        if name == "truncated":
            data = b'{"choices": [{"index": 0, "message": {"role": "assi'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(2 * len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True
            return None
        if name == "big":
            text = "x" * int(numbers[0])
        return self.answer(name, numbers, body, text)

    def answer(self, name: str, numbers: list[str], body: dict[str, Any], text: str | None) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        finish = "stop"
        if name == "empty":
            message["content"] = ""
        if name == "null":
            message["content"] = None
        if name == "length":
            finish = "length"
        if name == "filter":
            finish, message["content"] = "content_filter", ""
        if name == "refusal":
            message |= {"content": None, "refusal": "I will not"}
        if name == "finish":
            finish = numbers[0]
        if name == "think":
            message["content"] = "<think>two and\ntwo</think>four"
        if name == "reasoned":
            message |= {"content": "<think>in the answer</think>four", "reasoning_content": "two and two"}
        if name == "parts":
            message["content"] = [{"type": "text", "text": "answer in "}, {"type": "text", "text": "parts"}]
        if name == "toolcall":
            call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            finish, message["content"], message["tool_calls"] = "tool_calls", None, [call]
        if name == "unicode":
            message["content"] = "Zoë \u202e😀\u200b\n\tdone"
        if name == "inject":
            message["content"] = "<script>alert(1)</script> ![x](http://127.0.0.1:9/x) =HYPERLINK(1) {input}"
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish}
        if name == "nofinish":
            del choice["finish_reason"]
        if name == "logprobs" and body.get("logprobs"):
            top = [{"token": t, "logprob": v, "bytes": None} for t, v in ((" B", -0.3), ("A", -1.6), ("B", -3.0), ("the", -4.0))]
            message["content"] = " B"
            choice |= {"finish_reason": "length", "logprobs": {"content": [{**top[0], "top_logprobs": top[: body["top_logprobs"]]}]}}
        choices = [] if name == "nochoices" else [choice]
        reply: dict[str, Any] = {"id": "1", "object": "chat.completion", "created": 0, "model": f"{body['model']}-v1", "choices": choices}
        reply |= {"service_tier": "default", "system_fingerprint": "fp"}
        if name == "othermodel":
            reply["model"] = "another-model-2024-01-01"
        if name == "nomodel":
            del reply["model"]
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        if name == "nullusage":
            reply["usage"] = None
        elif name == "halfusage":
            reply["usage"] = {"prompt_tokens": 5}
        elif name != "nousage":
            reply["usage"] = usage
        self.json(200, reply)

    def error(self, status: int, message: str, code: str | int | None = None, headers: dict[str, str] | None = None) -> None:
        self.json(status, {"error": {"message": message, "type": code or "error", "code": code}}, headers)

    def json(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.raw(status, json.dumps(body).encode(), "application/json", headers)

    def raw(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)


def start(port: int = 0) -> Server:
    server = Server(port)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server

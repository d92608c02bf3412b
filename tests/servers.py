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
judge-N            the answer N
essay-MS, pair-MS  a text that depends on the request; A or B, whichever text has the higher digest; after so many milliseconds
facts-PROVIDER, parts, toolcall, unicode, inject, think, reasoned, othermodel, nomodel, nofinish, finish-REASON
                   answers of another form or content
empty, null, nochoices, length, filter, refusal, policy, context, nousage, nullusage, halfusage

The same models answer in batches, at /v1/files and /v1/batches; `Server.batches` says how.
"""

from __future__ import annotations

import email
import email.utils
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from promptlab.nouns.inert import unfenced

BATCH = re.compile(r"/(batches|files)(/|$|\?)")

FACTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": ({}, {"completion_tokens_details": {"reasoning_tokens": 1}, "prompt_tokens_details": {"cached_tokens": 4}}),
    "openrouter": ({"reasoning": "two and two"}, {"cost": 0.00025, "completion_tokens_details": {"reasoning_tokens": 0}}),
    "deepseek": ({"reasoning_content": "two and two"}, {"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 2}),
}
"""What providers say of an answer beside it: in the message, and in its usage."""


class Batches:
    """The files and batches of a server, as OpenAI documents them, and how it deals with them; tests change the attributes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.made: dict[str, dict[str, Any]] = {}
        self.polls: Counter[str] = Counter()
        self.asked: list[str] = []
        """Method and path of every request, in order."""
        self.keys: set[str | None] = set()
        self.delay = 0
        """How often a batch is asked after before it has ended."""
        self.end = "completed"
        self.answered: int | None = None
        """How many requests of a batch are answered before it ends; None: all."""
        self.errors: list[dict[str, Any]] = []
        """The errors of a batch that failed."""
        self.refuse: dict[str, tuple[int, dict[str, Any]]] = {}
        """Status and body for a path such as `POST /v1/files`, in place of an answer."""
        self.hang_after_create = False
        """Make the batch, and say nothing."""
        self.mangle: Callable[[list[bytes]], list[bytes]] = lambda lines: lines[::-1]
        """What becomes of the lines of a file of results; their order means nothing."""

    def lines(self, file: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[file].splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        """Every request of every batch that was begun."""
        return [line for batch in self.made.values() for line in self.lines(batch["input_file_id"])]

    def put(self, data: bytes) -> str:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = data
        return name

    def upload(self, kind: str, data: bytes) -> dict[str, Any]:
        form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + data)
        parts = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in form.get_payload()}
        assert parts["purpose"] == b"batch"
        made = {"bytes": len(parts["file"]), "created_at": int(time.time()), "filename": "promptlab.jsonl", "status": "processed"}
        return {"id": self.put(parts["file"]), "object": "file", "purpose": "batch", **made}

    def create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        assert wanted["input_file_id"] in self.files
        batch = {
            "id": f"batch_{len(self.made) + 1}", "object": "batch", "status": "validating", "created_at": int(time.time()), **wanted,
            "errors": None, "output_file_id": None, "error_file_id": None, "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }  # fmt: skip
        self.made[batch["id"]] = batch
        return batch

    def listed(self, after: str | None) -> dict[str, Any]:
        """A page, newest first; pages are small, so that there are several."""
        names = list(self.made)[::-1]
        start = names.index(after) + 1 if after else 0
        return {"object": "list", "data": [self.made[name] for name in names[start : start + 2]], "has_more": start + 2 < len(names)}

    def status(self, name: str, asked: Handler) -> dict[str, Any]:
        batch = self.made[name]
        self.polls[name] += 1
        if self.polls[name] > self.delay and batch["status"] in ("validating", "in_progress"):
            self.finish(batch, asked)
        elif batch["status"] == "validating":
            batch["status"] = "in_progress"
        return batch

    def finish(self, batch: dict[str, Any], asked: Handler) -> None:
        """Answer the requests of a batch as they would be answered one by one."""
        lines = self.lines(batch["input_file_id"])
        assert batch["endpoint"] == "/v1/chat/completions"
        assert len({line["custom_id"] for line in lines}) == len(lines) <= 50_000
        assert len({line["body"]["model"] for line in lines}) == 1
        n = 0 if self.end == "failed" else len(lines) if self.answered is None else self.answered
        out: dict[str, list[bytes]] = {"output_file_id": [], "error_file_id": []}
        for line in lines[:n]:
            heard = Line(asked)
            heard.chat(line["body"])
            response = {"status_code": heard.status, "request_id": "r", "body": json.loads(heard.data)}
            said = {"id": "batch_req_1", "custom_id": line["custom_id"], "response": response, "error": None}
            out["output_file_id" if heard.status < 300 else "error_file_id"].append(json.dumps(said).encode())
        for line in lines[n:] if self.end in ("expired", "cancelled") else ():
            said = {"custom_id": line["custom_id"], "response": None, "error": {"code": f"batch_{self.end}", "message": "too late"}}
            out["error_file_id"].append(json.dumps(said).encode())
        for name, made in out.items():
            if made:
                batch[name] = self.put(b"\n".join(self.mangle(made)) + b"\n")
        batch["request_counts"] = {"total": len(lines), "completed": len(out["output_file_id"]), "failed": len(out["error_file_id"])}
        batch["errors"] = {"object": "list", "data": self.errors} if self.errors else None
        batch["status"] = self.end


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.forget()

    def forget(self) -> None:
        """Become as new."""
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
        self.batches = Batches()
        self.says: Callable[[list[dict[str, str]]], str] | None = None
        """What the model "ok" answers to these messages, where a test knows better."""

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
        if BATCH.search(self.path):
            self.batch_request(b"")
            return
        with self.server.lock:
            body = {"n": len(self.server.requests), "peak": self.server.peak}
        self.json(200, body)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if BATCH.search(self.path):
            self.batch_request(data)
        else:
            self.chat(json.loads(data))

    def batch_request(self, data: bytes) -> None:
        desk, path = self.server.batches, self.path.partition("?")[0]
        query = dict(parse_qsl(self.path.partition("?")[2]))
        name = path.rsplit("/", 2)[-2] if path.endswith("/content") else path.rsplit("/", 1)[-1]
        desk.asked.append(f"{self.command} {path}")
        desk.keys.add(self.headers.get("Authorization"))
        if refusal := desk.refuse.get(f"{self.command} {path}"):
            self.json(*refusal)
        elif name == "files":
            self.json(200, desk.upload(self.headers["Content-Type"], data))
        elif name == "batches" and self.command == "GET":
            self.json(200, desk.listed(query.get("after")))
        elif name == "batches":
            batch = desk.create(json.loads(data))
            if desk.hang_after_create:
                time.sleep(30)
            self.json(200, batch)
        elif path.endswith("/content") and name in desk.files:
            self.raw(200, desk.files[name], "application/jsonl")
        elif name in desk.made:
            self.json(200, desk.status(name, self))
        else:
            self.error(404, f"No such object: {name}")

    def chat(self, body: dict[str, Any]) -> None:
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
        says = self.server.says
        text = says(body["messages"]) if says else "answer to " + body["messages"][-1]["content"].strip().splitlines()[-1]
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
        if name == "judge":
            message["content"] = numbers[0]
        if name in ("essay", "pair"):
            time.sleep(int(numbers[0]) / 1000 if numbers else 0)
            asked = body["messages"][-1]["content"]
            said = {part: hashlib.sha256(text.encode()).hexdigest() for part, text in unfenced(asked)}
            longer = "A" if said.get("answer_A", "") > said.get("answer_B", "") else "B"
            message["content"] = longer if name == "pair" else f"Answer {hashlib.sha256(asked.encode()).hexdigest()[:8]}."
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
        elif name == "facts":
            message |= {"content": "four", **FACTS[numbers[0]][0]}
            if "key" in numbers:
                message["reasoning_content"] = f"the key is {self.headers.get('Authorization')}"
            reply["usage"] = {**usage, **FACTS[numbers[0]][1]}
        elif name != "nousage":
            reply["usage"] = usage
        if name == "charset":
            charset, declared = numbers[0], numbers[-1]
            said = json.dumps(reply, ensure_ascii=False).replace(str(message["content"]), "Zoë")
            self.raw(200, said.encode(charset), f'application/json; charset="{declared}"')
            return
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


class Line(Handler):
    """The answer to one request of a batch: what the same request would get by itself."""

    def __init__(self, asked: Handler) -> None:
        self.server, self.headers, self.path = asked.server, asked.headers, asked.path
        self.status, self.data = 500, b"{}"

    def raw(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.data = status, data


def start(port: int = 0) -> Server:
    server = Server(port)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server

"""A chat-completions endpoint on loopback that costs almost nothing: the same completion to everything, at once or after 200 ms.

nginx where it is installed; else a small aiohttp server, which takes more of the CPU that the client needs. Both write one line a request,
so that the calls of every tool are counted and timed in one way: from the first request to the last answer, as the endpoint saw them.

    python benchmarks/peers/endpoint.py      serves until interrupted, and prints its addresses
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ANSWER = "42"
DELAY_S = 0.2
DSPY_ANSWER = f"[[ ## answer ## ]]\n{ANSWER}\n\n[[ ## completed ## ]]"
"""DSPy asks again, in another format, where its field markers are missing."""
PATHS = {"/v1/chat/completions": ANSWER, "/dspy/v1/chat/completions": DSPY_ANSWER}
FLUSH_S = 0.5
MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/share/nginx/modules"), Path("/usr/lib64/nginx/modules"))


class Seen(NamedTuple):
    """What came in: requests, those that failed, and when the first came and the last was answered (seconds since 1970)."""

    n: int
    n_failed: int
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where it answers, and what it has seen."""

    kind: str
    at_once: str
    """Base address, up to but without /v1."""
    delayed: str | None
    log: Path

    def forget(self) -> None:
        """Start counting anew."""
        time.sleep(2 * FLUSH_S)
        with self.log.open("w", encoding="ascii"):
            pass

    def seen(self) -> Seen:
        """Everything since `forget`, once it is written."""
        time.sleep(2 * FLUSH_S)
        ends, begins, n_failed = [], [], 0
        for line in self.log.read_text(encoding="ascii").splitlines():
            end, took, status = line.split()
            ends.append(float(end))
            begins.append(float(end) - float(took))
            n_failed += status != "200"
        return Seen(len(ends), n_failed, min(begins, default=0.0), max(ends, default=0.0))


def completion(answer: str) -> str:
    """The body of every answer."""
    message = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 41, "completion_tokens": 2, "total_tokens": 43}
    return json.dumps({
        "id": "mock", "object": "chat.completion", "created": 1767225600, "model": "mock", "choices": [message], "usage": usage,
    })  # fmt: skip


def nginx_config(folder: Path, ports: tuple[int, int], echo_module: Path | None) -> str:
    """The configuration file; without the echo module there is no delayed port."""

    def quoted(answer: str) -> str:
        return "'" + completion(answer).replace("\\", "\\\\") + "'"

    at_once = "\n".join(f"    location = {path} {{ return 200 {quoted(answer)}; }}" for path, answer in PATHS.items())
    delayed = "\n".join(f"    location = {path} {{ echo_sleep {DELAY_S}; echo -n {quoted(answer)}; }}" for path, answer in PATHS.items())
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    slow = f"server {{ listen 127.0.0.1:{ports[1]} backlog=8192;\n{delayed}\n  }}" if echo_module else ""
    return f"""\
{f"load_module {echo_module};" if echo_module else ""}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  log_format seen '$msec $request_time $status'; access_log {folder}/seen.log seen buffer=256k flush={FLUSH_S * 1000:.0f}ms;
  default_type application/json; keepalive_timeout 300s; keepalive_requests 100000000; tcp_nodelay on;
  client_body_buffer_size 256k; client_max_body_size 16m;
{temporary}
  server {{ listen 127.0.0.1:{ports[0]} backlog=8192;
{at_once}
  }}
  {slow}
}}
"""


def free_ports() -> tuple[int, int]:
    """Two ports of loopback on which nothing listens now."""
    with socket.socket() as one, socket.socket() as other:
        for held in (one, other):
            held.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@contextlib.contextmanager
def serving() -> Iterator[Endpoint]:
    """The endpoint, for as long as the block lasts."""
    ports = free_ports()
    with tempfile.TemporaryDirectory(prefix="endpoint-") as name:
        folder = Path(name)
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        echo_module = next((found for modules in MODULES for found in modules.glob("ngx_http_echo_module.so")), None)
        if nginx:
            config = folder / "nginx.conf"
            config.write_text(nginx_config(folder, ports, echo_module), encoding="utf-8")
            command = [nginx, "-e", str(folder / "error.log"), "-p", name, "-c", str(config)]
        else:
            command = [sys.executable, __file__, "serve", name, *map(str, ports)]
        process = subprocess.Popen(command)
        try:
            _wait(process, ports[0])
            delayed = f"http://127.0.0.1:{ports[1]}" if echo_module or not nginx else None
            kind = "nginx" if nginx else "an aiohttp server (nginx is not installed), which takes CPU that the client needs"
            yield Endpoint(kind, f"http://127.0.0.1:{ports[0]}", delayed, folder / "seen.log")
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit(f"the endpoint ended with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/chat/completions", b"{}", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise SystemExit("the endpoint does not answer")


async def serve(folder: Path, ports: tuple[int, int]) -> None:
    """What stands in for nginx."""
    from aiohttp import web

    lines: list[str] = []

    def handler(answer: str, delay_s: float) -> Callable[[web.Request], Awaitable[web.Response]]:
        body = completion(answer).encode()

        async def answered(request: web.Request) -> web.Response:
            begun = time.time()
            await request.read()
            if delay_s:
                await asyncio.sleep(delay_s)
            end = time.time()
            lines.append(f"{end:.3f} {end - begun:.3f} 200\n")
            return web.Response(body=body, content_type="application/json")

        return answered

    for port, delay_s in zip(ports, (0.0, DELAY_S), strict=True):
        app = web.Application()
        for path, answer in PATHS.items():
            app.router.add_post(path, handler(answer, delay_s))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=8192).start()
    while True:
        with (folder / "seen.log").open("a", encoding="ascii") as log:
            log.writelines(lines)
        lines.clear()
        await asyncio.sleep(FLUSH_S)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4]))))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that nginx ends with it
    with serving() as endpoint, contextlib.suppress(KeyboardInterrupt):
        print(f"{endpoint.kind}\nat once:  {endpoint.at_once}/v1\ndelayed:  {endpoint.delayed}/v1", flush=True)
        while True:
            time.sleep(60)

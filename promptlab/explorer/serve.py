"""The explorer's server as a child process: it ends when whoever started it does, however that ends.

The parent holds the other end of stdin. Streamlit is run as a module, so that nothing of it is imported here. It checks the host
on its websocket only; here every request is checked, files and downloads included.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import threading
from collections.abc import Collection, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Names under which other programs of this machine have pages, too."""


def main() -> None:
    """`python -m promptlab.explorer.serve ARGUMENTS-OF-STREAMLIT`."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    options = sys.argv[1 : sys.argv.index("--")]
    guard_every_route([name for flag, name in pairwise(options) if flag == "--server.allowedHosts"])
    read_no_configuration_of(Path.cwd())
    sys.argv = ["streamlit", *sys.argv[1:]]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def read_no_configuration_of(folder: Path) -> None:
    """Have Streamlit read the user's own configuration alone: a folder of somebody else could open an interface, or fetch fonts."""
    config: Any = importlib.import_module("streamlit.config")  # which is about to run in this process, and nothing else of promptlab is
    files = config.get_config_files
    config.get_config_files = lambda file_name: [
        path for path in files(file_name) if Path(path).parent.parent != folder or folder == Path.home()
    ]


def guard_every_route(hosts: Collection[str]) -> None:
    """Have the server answer only requests to one of these hosts, from no page but its own."""
    from starlette.applications import Starlette

    answer = Starlette.__call__

    async def checked(self: Starlette, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 (ASGI)
        if scope["type"] == "lifespan" or is_asked_rightly(scope["headers"], hosts):
            if scope["type"] == "http" and "." not in scope["path"]:  # a page, uncompressed so that it can be completed
                scope["headers"] = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
                send = with_root(send)
            await answer(self, scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"The explorer answers only under the name that it was started with."})

    Starlette.__call__ = checked  # type: ignore[method-assign]


ROOT = b"<script>window.__streamlit = {BACKEND_BASE_URL: location.origin, MAIN_PAGE_BASE_URL: location.origin}</script><script "
"""Tells the browser where the server is; it would otherwise look below the page's own address first, which is an error in its console."""


def with_root(send: Any) -> Any:  # noqa: ANN401 (ASGI)
    """The same way to answer; a page of HTML says where its server is."""
    start: dict[str, Any] = {}

    async def sent(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and (b"text/html" in dict(message["headers"]).get(b"content-type", b"")):
            start.update(message)
        elif not start:
            await send(message)
        else:
            start["body"] = start.get("body", b"") + message.get("body", b"")
            if not message.get("more_body"):
                body = start.pop("body").replace(b"<script ", ROOT, 1)
                kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
                await send({"type": "http.response.body", "body": body})

    return sent


def is_asked_rightly(headers: Iterable[tuple[bytes, bytes]], hosts: Collection[str]) -> bool:
    """Whether a request names one of the hosts, and comes from no other page: a link that is followed may, nothing else."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    host, origin = found.get("host", []), found.get("origin", [])
    if len(host) != 1 or len(origin) > 1 or _name(f"//{host[0]}") not in {name.lower().strip("[]") for name in hosts}:
        return False
    if origin and urlsplit(origin[0]).netloc != host[0] and (_name(origin[0]) in LOCAL or _name(origin[0]) not in hosts):
        return False
    return found.get("sec-fetch-site") != ["cross-site"] or found.get("sec-fetch-mode") == ["navigate"]


def _name(address: str) -> str:
    """The host of an address in lower case, without its port; empty where it is no address."""
    try:
        parts = urlsplit(address)
        return "" if "@" in parts.netloc or parts.path or parts.query else (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _end_with_the_parent() -> None:
    os.read(0, 1)  # nothing is ever written: this returns when the other end is gone
    os._exit(0)


if __name__ == "__main__":
    main()

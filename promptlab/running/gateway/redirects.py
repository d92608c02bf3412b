"""No request of the LiteLLM wire is sent on to another address: the clients that LiteLLM makes follow redirects, some with the key."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from promptlab.running.gateway.failures import WireError

SENDING: ContextVar[bool] = ContextVar("sending", default=False)
"""Whether this task sends a request of the wire: other code in the process keeps its clients as they are."""


def refuse_redirects() -> None:
    """Make every httpx client answer with the redirect itself while the wire sends, whatever the client's settings."""
    import httpx

    for client in (httpx.AsyncClient, httpx.Client):
        if not hasattr(client.send, "follows"):
            setattr(client, "send", _asynchronous(client.send) if client is httpx.AsyncClient else _synchronous(client.send))  # noqa: B010


def _asynchronous(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(send)
    async def sent(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (httpx)
        return _stays(await send(*arguments, **({**options, "follow_redirects": False} if SENDING.get() else options)))

    sent.follows = False  # type: ignore[attr-defined]
    return sent


def _synchronous(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sent(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (httpx)
        return _stays(send(*arguments, **({**options, "follow_redirects": False} if SENDING.get() else options)))

    sent.follows = False  # type: ignore[attr-defined]
    return sent


def _stays(response: Any) -> Any:  # noqa: ANN401 (httpx)
    if SENDING.get() and response.has_redirect_location:
        raise redirected(response.headers.get("Location", "nowhere"), response.status_code)
    return response


def redirected(where: str, status: int) -> WireError:
    """The error for a server that names another address; `where` is text of the server's."""
    return WireError("request", f"the address redirects to {where}; set api_base to the address that answers", status)

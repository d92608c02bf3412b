"""No request of the LiteLLM wire is sent on to another address: the clients that LiteLLM makes follow redirects, some with the key."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from promptlab.nouns import inert
from promptlab.running.gateway.failures import WireError


@dataclass(slots=True)
class Sending:
    """One call of the wire, and how many requests its clients have sent for it."""

    n_requests: int = 0


SENDING: ContextVar[Sending | None] = ContextVar("sending", default=None)
"""The call of the wire that this task sends, None where it sends none: other code in the process keeps its clients as they are."""
LONGEST_ADDRESS = 300
"""Characters of an address that an error shows."""


def refuse_redirects() -> None:
    """Make every httpx client answer with the redirect itself while the wire sends, whatever the client's settings."""
    import httpx

    for client in (httpx.AsyncClient, httpx.Client):
        if not hasattr(client.send, "follows"):
            setattr(client, "send", _asynchronous(client.send) if client is httpx.AsyncClient else _synchronous(client.send))  # noqa: B010


def _asynchronous(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(send)
    async def sent(client: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (httpx)
        if (sending := SENDING.get()) is None:
            return await send(client, *arguments, **options)
        sending.n_requests += 1
        _listen(client, _stays_async)
        return await send(client, *arguments, **{**options, "follow_redirects": False})

    sent.follows = False  # type: ignore[attr-defined]
    return sent


def _synchronous(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sent(client: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (httpx)
        if (sending := SENDING.get()) is None:
            return send(client, *arguments, **options)
        sending.n_requests += 1
        _listen(client, _stays)
        return send(client, *arguments, **{**options, "follow_redirects": False})

    sent.follows = False  # type: ignore[attr-defined]
    return sent


def _listen(client: Any, hook: Callable[[Any], object]) -> None:  # noqa: ANN401 (httpx)
    """Check each response of a client before httpx reads the address in it, and fails at one that it cannot read."""
    hooks = client.event_hooks
    if hook not in hooks["response"]:
        client.event_hooks = {**hooks, "response": [hook, *hooks["response"]]}


def _stays(response: Any) -> None:  # noqa: ANN401 (httpx)
    if SENDING.get() is not None and 300 <= response.status_code < 400:
        raise redirected(response.headers.get("Location", ""), response.status_code)


async def _stays_async(response: Any) -> None:  # noqa: ANN401 (httpx)
    _stays(response)


def redirected(where: str, status: int) -> WireError:
    """The error for a server that names another address; `where` is text of the server's, empty where it names none."""
    to = " ".join(inert(where[:LONGEST_ADDRESS]).split()) or "nowhere"
    return WireError("request", f"the address redirects to {to}; set api_base to the address that answers", status)

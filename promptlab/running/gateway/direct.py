"""The wire to OpenAI-compatible servers, over aiohttp: what LiteLLM would send and read, at a tenth of its cost.

It needs no litellm, whose import alone takes seconds. What is sent follows providers.py, which names only what LiteLLM passes on
unchanged; redirections are not followed, because prompts and keys are for the address that was given.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from promptlab.nouns import Call, Model, Reply, UsageProblem
from promptlab.running.gateway import wire
from promptlab.running.gateway.answers import UNREADABLE, body_of, in_utf8
from promptlab.running.gateway.failures import WireError, read_message
from promptlab.running.gateway.network import certificates, proxy_of
from promptlab.running.gateway.parameters import headers_of, messages_of, request_body
from promptlab.running.gateway.providers import DIRECT, base_of, is_own_host, key_of, not_direct
from promptlab.running.gateway.redirects import redirected
from promptlab.running.gateway.wire import Wire, late, safe, too_large

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

ENDPOINT = "chat/completions"
OPENAI_HEADERS: Mapping[str, str] = {
    "OPENAI_ORG_ID": "OpenAI-Organization",
    "OPENAI_ORGANIZATION": "OpenAI-Organization",
    "OPENAI_PROJECT_ID": "OpenAI-Project",
}
"""Variables that OpenAI's own client turns into headers; the last one that is set holds."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Everything about one model that is the same in every call."""

    model: str
    """The name that the experiment has for it; `name` is the one that is sent."""
    url: URL
    name: str
    extra: Mapping[str, Any]
    served_prefix: str
    timeout_s: float
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)
    certificates: ssl.SSLContext | bool


class _Answer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class DirectWire(Wire):
    """Sends one call at a time, over connections that all models share, opened by the first call in each event loop."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...]) -> None:
        super().__init__(models, secrets)
        self._targets: dict[str, _Target] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        """By the name of a model: each sends its headers, which need not be put together for every call."""
        self._connector: aiohttp.TCPConnector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        if why := not_direct(model, sampling):
            raise UsageProblem(f"the model {model.name!r} cannot be called directly: {why}; leave the choice to promptlab (--wire auto)")
        return super().effective(model, sampling)

    async def send(self, call: Call) -> Reply:
        target = self._targets.get(call.model) or self._target(self._models[call.model])
        return self._reply(target.served_prefix, *await self._answered(target, "POST", target.url, _written(self._body(target, call))))

    async def exchange(
        self,
        model: Model,
        method: str,
        path: str,
        data: bytes | None = None,
        kind: str = "application/json",
        *,
        timeout_s: float | None = None,
        limit: int | None = None,
    ) -> bytes:
        """What the model's server answers at another path than its chat completions, asked with the same key; WireError for an error.

        The answer may hold `limit` bytes.
        """
        from yarl import URL

        target = self._targets.get(model.name) or self._target(model)
        base = str(target.url).partition(f"/{ENDPOINT}")[0]
        target = replace(target, timeout_s=timeout_s or target.timeout_s)
        return (await self._answered(target, method, URL(f"{base}/{path}", encoded=True), data, limit, kind=kind)).body

    async def aclose(self) -> None:
        """Close all connections; the next call opens others."""
        for session in self._sessions.values():
            await session.close()
        if self._connector is not None:
            await self._connector.close()
        self._sessions, self._connector, self._loop = {}, None, None

    def _body(self, target: _Target, call: Call) -> dict[str, Any]:
        return {"model": target.name, "messages": messages_of(call), **target.extra, **request_body(call.sampling)}

    async def _answered(
        self, target: _Target, method: str, url: URL, data: bytes | None, limit: int | None = None, *, kind: str | None = None
    ) -> _Answer:
        """An answer; WireError where there is none, or an error. `kind` is the type of the data where it is not JSON."""
        import aiohttp

        request = self._open(target).request(
            method, url, data=data, headers={"Content-Type": kind} if kind else None, proxy=target.proxy, ssl=target.certificates,
            allow_redirects=False,
        )  # fmt: skip
        try:
            async with asyncio.timeout(target.timeout_s), request as response:
                answer = await _read(response, wire.LARGEST_ANSWER_BYTES if limit is None else limit)
        except TimeoutError:
            raise late(target.timeout_s) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unheard(error) from None
        if limit is None:  # a file has no charset
            answer = in_utf8(answer, response.headers.get("Content-Type", ""))
        if response.status >= 300:
            raise self._refused(response.status, response.headers, answer)
        return _Answer(response.status, answer, {name: value for name in wire.READ_HEADERS if (value := response.headers.get(name))})

    def _open(self, target: _Target) -> aiohttp.ClientSession:
        """The session that sends a model's headers."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            import aiohttp

            self._loop, self._sessions = loop, {}
            self._connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)  # the limiter limits
        session = self._sessions.get(target.model)
        if session is None:
            import aiohttp

            session = self._sessions[target.model] = aiohttp.ClientSession(
                connector=self._connector,
                connector_owner=False,
                headers=target.headers,
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session

    def _target(self, model: Model) -> _Target:
        from yarl import URL

        provider = DIRECT[model.provider]
        base = (base_of(model) or "").rstrip("/")
        headers = {
            "Authorization": f"Bearer {key_of(model)}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "promptlab",
        }
        if model.provider == "openai" and (model.api_base is None or (model.base_env and is_own_host(model))):
            headers |= {header: value for name, header in OPENAI_HEADERS.items() if (value := os.environ.get(name))}
        headers |= headers_of(model)
        target = _Target(
            model=model.name, url=URL(base if ENDPOINT in base else f"{base}/{ENDPOINT}"), name=model.litellm_name.partition("/")[2],
            extra=provider.extra, served_prefix=provider.served_prefix, timeout_s=model.timeout_s, headers=headers,
            proxy=proxy_of(base), certificates=certificates() if base.startswith("https") else True,
        )  # fmt: skip
        self._targets[model.name] = target
        return target

    def _refused(self, status: int, headers: Mapping[str, str], data: bytes) -> WireError:
        if status < 400:
            where = safe(headers.get("Location", "nowhere"), self._secrets)
            return redirected(where, status)
        said, message = _complaint(data)
        return self._error(status, said, message, headers)

    def _reply(self, served_prefix: str, status: int, data: bytes, headers: Mapping[str, str] = wire.NONE) -> Reply:
        try:
            answer = body_of(data)
            served = answer.get("model")
            return self._completion(answer, f"{served_prefix}{served}" if served else None, headers=headers)
        except UNREADABLE:
            shown = safe(data[: wire.READ_LIMIT].decode(errors="replace"), self._secrets)
            message = f"the answer is no chat completion: {shown!r}"[: wire.MESSAGE_LIMIT]
            raise WireError("server", message, status) from None


def _written(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # half a surrogate pair, a long number
        return json.dumps(body).encode()


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body, which may be larger than it says."""
    if (response.content_length or 0) > limit:
        raise too_large()
    parts, size = [], 0
    while part := await response.content.readany():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large()
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _complaint(data: bytes) -> tuple[str, str]:
    """What an error's body says: for telling errors apart, and for people."""
    text = data[: wire.READ_LIMIT].decode(errors="replace")
    try:
        return text, read_message(json.loads(data) if data[:1] in (b"{", b"[") else None) or text
    except (ValueError, RecursionError):
        return text, text

"""What promptlab needs of a batch API, which models have one, what an answer costs there, and what its files of results say.

There are two ways to one: OpenAI's API over HTTP, at OpenAI and at any server that follows it, and LiteLLM.

All that a provider sends comes from outside: anything may be wrong in it.
"""

from __future__ import annotations

import json
import secrets as random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from promptlab.nouns import BatchPart, Call, Model, Reply, UsageProblem, redact_known
from promptlab.planning.study import Study
from promptlab.running.gateway.by_litellm import LiteLLMWire
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.failures import WireError, read_boundary
from promptlab.running.gateway.parameters import given, messages_of, request_body
from promptlab.running.gateway.providers import DIRECT, base_of, not_direct
from promptlab.running.gateway.wire import safe

MAX_REQUESTS = 50_000
"""Requests in one file at most: OpenAI's limit."""
MAX_BYTES = 200_000_000
"""Bytes of one file at most: OpenAI's 200 MB."""
LARGEST_RESULTS = 2**30
FILE_TIMEOUT_S = 1800.0
ENDPOINT = "/v1/chat/completions"
WINDOW = "24h"
TAG = "promptlab"
"""The field of a batch's metadata that says which part of which run it is."""
LISTED_AT_ONCE = 100
MOST_PAGES = 50
CLOCKS_DIFFER_S = 3600.0
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
NONE_OF_ITS_OWN = frozenset({"openrouter", "together_ai"})
"""Public providers of the direct wire whose batch API is absent or another one."""
OVER_LITELLM = frozenset({"azure", "vertex_ai"})
"""Providers whose batches LiteLLM makes and can list: without a list, a batch that a killed process made is never found again."""
HALF_PRICE = frozenset({"openai", "groq", "azure", "vertex_ai"})
HALF_PRICE_HOSTS = ("api.openai.com", ".api.openai.com", ".openai.azure.com", "api.groq.com")
"""Public addresses at which a model with an api_base costs half as well."""

NOT_ASKED = frozenset({"batch_expired", "batch_cancelled"})
"""Codes of requests that the provider never sent to the model."""
Read = Callable[[int, bytes], Reply]
"""The reply in the body of a response with this status; WireError where it is not one."""


class Remote(NamedTuple):
    """A batch as its provider tells it."""

    id: str
    status: str
    input_file: str | None
    output_file: str | None
    error_file: str | None
    counts: Mapping[str, int]
    why: str
    """What the provider says is wrong with it; empty where nothing is."""
    tag: str | None
    created_at: int | None


def not_batched(model: Model) -> str | None:
    """Why a model cannot be sent by batch; None where it can."""
    if model.simulated:
        return "promptlab makes up its answers"
    if model.provider in OVER_LITELLM:
        if model.provider == "vertex_ai" and "gemini" not in model.litellm_name:
            return "LiteLLM makes batches of Gemini models only there"
        return None
    if model.provider not in DIRECT:
        return f"the provider {model.provider!r} has no batch API that follows OpenAI's, or none that LiteLLM can list"
    if model.provider in NONE_OF_ITS_OWN and (model.api_base is None or model.base_env):
        return f"the provider {model.provider!r} has no batch API that follows OpenAI's"
    base = base_of(model)
    if base is None:
        return "it has no address; add api_base"
    if "@" in urlsplit(base).netloc:
        return "its address holds a password"
    return None


def check_models(study: Study) -> None:
    """UsageProblem with every model that cannot be sent by batch."""
    if why := [f"{model.name!r} ({reason})" for model in study.models if (reason := not_batched(model))]:
        raise UsageProblem(
            f"--batch is not possible with {', '.join(why)}; leave --batch out, or the model out of a copy of the experiment"
        )


def price_share(model: Model) -> float:
    """What an answer costs by batch, as a share of the ordinary price; 1 where no discount is known."""
    if model.api_base is None or model.base_env:
        return 0.5 if model.provider in HALF_PRICE else 1.0
    host = urlsplit(model.api_base).hostname or ""
    return 0.5 if any(host.endswith(known) if known.startswith(".") else host == known for known in HALF_PRICE_HOSTS) else 1.0


def batch_summary(parts: Sequence[BatchPart], n_waiting: int, models: Iterable[Model]) -> dict[str, Any]:
    """What the manifest says of the batches of a run, of which `n_waiting` trials wait for an answer."""
    n_open = sum(not part.closed for part in parts)
    return {
        "open": n_open,
        "waiting_trials": n_waiting,
        "collected": len(parts) - n_open,
        "waves": max((part.wave for part in parts), default=0),
        "requests": sum(part.n_requests for part in parts),
        "price_share": {model.name: price_share(model) for model in models},
    }


def at_batch_prices(study: Study) -> Study:
    """The study with what its models cost by batch. Its hashes are not those of the run, which is the same either way."""
    prices = dict(study.prices)
    for model in study.models:
        price, share = prices[model.name], price_share(model)
        if price is not None and share != 1:
            prices[model.name] = price.times(share, f"{price.source or 'given'}, times {share:g} by batch")
    return replace(study, prices=prices)


def _file(name: object, secrets: tuple[str, ...]) -> str | None:
    usable = isinstance(name, str) and 0 < len(name) <= 1000 and name.isprintable() and redact_known(name, secrets) == name
    return name if usable and isinstance(name, str) else None


def _why(errors: object, secrets: tuple[str, ...]) -> str:
    """The first of a batch's own errors, and how many there are."""
    listed = errors.get("data") if isinstance(errors, Mapping) else None
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], Mapping):
        return ""
    first = listed[0]
    code, line = first.get("code"), first.get("line")
    said = f"{first.get('message')}" + (f" (line {line})" if line is not None else "") + (f" [{code}]" if code else "")
    return safe(said, secrets) + (f", and {len(listed) - 1:,} more" if len(listed) > 1 else "")


class Service:
    """One way to a batch API, with what every way shares. WireError where a request brings no answer."""

    _secrets: tuple[str, ...]

    def remote_of(self, body: object) -> Remote:
        """A batch from what a provider sends; WireError where it is not one. Ids go into addresses and files, so they are looked at."""
        if not isinstance(body, Mapping) or not isinstance(body.get("status"), str):
            raise WireError("server", f"the answer is no batch: {safe(str(body), self._secrets)!r}")
        counts = body.get("request_counts")
        metadata = body.get("metadata")
        tag = metadata.get(TAG) if isinstance(metadata, Mapping) else None
        created_at = body.get("created_at")
        return Remote(
            id=self.id_of(body),
            status=safe(body["status"], self._secrets)[:40],
            input_file=_file(body.get("input_file_id"), self._secrets),
            output_file=_file(body.get("output_file_id"), self._secrets),
            error_file=_file(body.get("error_file_id"), self._secrets),
            counts={name: n for name, n in counts.items() if isinstance(n, int)} if isinstance(counts, Mapping) else {},
            why=_why(body.get("errors"), self._secrets),
            tag=tag if isinstance(tag, str) else None,
            created_at=created_at if isinstance(created_at, int) else None,
        )

    def id_of(self, body: object) -> str:
        """The id of a file or batch; WireError for what cannot be one."""
        found = body.get("id") if isinstance(body, Mapping) else None
        name = _file(found, self._secrets)
        if name is None:
            raise WireError("server", f"the answer has no id that can be used: {safe(str(body), self._secrets)!r}")
        return name

    async def page(self, model: Model, after: str | None) -> Any:  # noqa: ANN401 (whatever a provider sends)
        """A page of the provider's list of batches, newest first: what follows the batch `after`."""
        raise NotImplementedError

    async def find(self, model: Model, file: str, tag: str, since: float) -> Remote | None:
        """The batch of this file or tag, begun after `since` (seconds since 1970); None where there is none."""
        after: str | None = None
        for _ in range(MOST_PAGES):
            page = await self.page(model, after)
            listed = page.get("data") if isinstance(page, Mapping) else None
            if not isinstance(listed, list):
                raise WireError("server", f"the answer is no list of batches: {safe(str(page), self._secrets)!r}")
            found = [self.remote_of(body) for body in listed]
            for remote in found:
                if remote.tag == tag or remote.input_file == file:
                    return remote
            oldest = found[-1].created_at if found else None
            if not found or not page.get("has_more") or (oldest is not None and oldest < since - CLOCKS_DIFFER_S):
                return None
            if found[-1].id == after:
                break
            after = found[-1].id
        raise WireError("request", "the provider's list of batches could not be read far enough back", 404)


LEFT_OUT = ("not readable", "about requests that this batch does not hold", "about a request that an earlier line had answered")
UNREADABLE, UNKNOWN, REPEATED = LEFT_OUT


@dataclass(slots=True)
class Results:
    """By key: what every request of a batch that was answered brought. Lines that cannot be used are counted."""

    heard: dict[str, Reply | WireError] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def odd(self) -> str:
        """The lines that could not be used, in words; empty where there were none."""
        return ", ".join(f"{self.left_out[what]:,} {what}" for what in LEFT_OUT if self.left_out[what])


def read_results(files: Iterable[bytes], keys: Mapping[str, str], read: Read, secrets: tuple[str, ...]) -> Results:
    """The results in a batch's files, in any order; `keys` are those of its requests by the names that they were given."""
    results = Results()
    named: set[str] = set()
    for text in filter(bytes.strip, (text for data in files for text in data.split(b"\n"))):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        name = line.get("custom_id") if isinstance(line, dict) else None
        if not isinstance(line, dict) or not isinstance(name, str):
            results.left_out[UNREADABLE] += 1
        elif name not in keys:
            results.left_out[UNKNOWN] += 1
        elif name in named:
            results.left_out[REPEATED] += 1
        elif (heard := _heard(line, read, secrets)) is None:
            results.left_out[UNREADABLE] += 1
        else:
            named.add(name)
            if not isinstance(heard, str):
                results.heard[keys[name]] = heard
    return results


def _heard(line: Mapping[str, Any], read: Read, secrets: tuple[str, ...]) -> Reply | WireError | str | None:
    """What one line brings; the code of a request that was not asked; None where the line says neither."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict):
        status, body = response.get("status_code"), response.get("body")
        if type(status) is not int or not isinstance(body, dict):
            return None
        try:
            return read(status, json.dumps(body).encode())
        except WireError as said:
            return said
    if not isinstance(error, dict):
        return None
    code = str(error.get("code"))
    if code in NOT_ASKED:
        return code
    message = f"{error.get('message')} [{code}]"
    boundary = read_boundary(429, message)
    return WireError("quota" if boundary == "quota" else read_boundary(500, message), safe(message, secrets))


class OpenAIBatches(DirectWire, Service):
    """The same keys, headers, proxies, bodies and readings as the direct wire's, for files of requests."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...], translated: Callable[[Model, Call], dict[str, Any]]) -> None:
        super().__init__(models, secrets)
        self._translated = translated

    def body(self, model: Model, call: Call) -> dict[str, Any]:
        if not_direct(model, call.sampling):
            return self._translated(model, call)  # LiteLLM renames parameters
        return self._body(self._targets.get(model.name) or self._target(model), call)

    def read(self, model: Model, status: int, data: bytes) -> Reply:
        """The reply in the body of one response, of whatever provider; WireError where it is not one."""
        if status >= 300:
            raise self._refused(status, {}, data)
        return self._reply(DIRECT[model.provider].served_prefix if model.provider in DIRECT else "", status, data)

    async def upload(self, model: Model, lines: bytes) -> str:
        mark = f"promptlab-{random.token_hex(16)}"
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="promptlab.jsonl"\r\n'
            f"Content-Type: application/jsonl\r\n\r\n"
        )
        data = head.encode() + lines + f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        return self.id_of(self._json(await self.exchange(model, "POST", "files", data, kind, timeout_s=FILE_TIMEOUT_S)))

    async def create(self, model: Model, file: str, tag: str) -> Remote:
        wanted = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": WINDOW, "metadata": {TAG: tag}}
        return self.remote_of(self._json(await self.exchange(model, "POST", "batches", json.dumps(wanted).encode())))

    async def status(self, model: Model, batch: str) -> Remote:
        return self.remote_of(self._json(await self.exchange(model, "GET", f"batches/{quote(batch, safe='')}")))

    async def page(self, model: Model, after: str | None) -> Any:  # noqa: ANN401 (whatever a provider sends)
        more = f"&after={quote(after, safe='')}" if after else ""
        return self._json(await self.exchange(model, "GET", f"batches?limit={LISTED_AT_ONCE}{more}"))

    async def content(self, model: Model, file: str) -> bytes:
        path = f"files/{quote(file, safe='')}/content"
        return await self.exchange(model, "GET", path, timeout_s=FILE_TIMEOUT_S, limit=LARGEST_RESULTS)

    def _json(self, data: bytes) -> Any:  # noqa: ANN401
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            shown = safe(data[:1000].decode(errors="replace"), self._secrets)
            raise WireError("server", f"the answer is no JSON: {shown!r}") from None


class LiteLLMBatches(LiteLLMWire, Service):
    """The same keys, parameters and readings of errors as LiteLLM's wire."""

    def body(self, model: Model, call: Call) -> dict[str, Any]:
        name, provider, *_ = self._litellm.get_llm_provider(model.litellm_name, api_base=model.api_base)
        messages = messages_of(call)
        if provider == "vertex_ai":  # translated by LiteLLM when the file is sent
            return {"model": name, "messages": messages, **request_body(call.sampling)}
        known = self._litellm.LlmProviders(provider)
        config = self._litellm.utils.ProviderConfigManager.get_provider_chat_config(model=name, provider=known)
        asked = self._optional_params(model=name, custom_llm_provider=provider, drop_params=False, **self._parameters(model, call.sampling))
        body = config.transform_request(model=name, messages=messages, optional_params=asked, litellm_params={}, headers={})
        more = body.pop("extra_body", None) or {}
        return given({**body, "model": name, **more, "stream": None})

    async def upload(self, model: Model, lines: bytes) -> str:
        sent = await self._ask(model, "acreate_file", FILE_TIMEOUT_S, file=("promptlab.jsonl", lines), purpose="batch")
        return self.id_of(_plain(sent))

    async def create(self, model: Model, file: str, tag: str) -> Remote:
        wanted = {"completion_window": WINDOW, "endpoint": ENDPOINT, "input_file_id": file, "metadata": {TAG: tag}}
        return self.remote_of(_plain(await self._ask(model, "acreate_batch", **wanted)))

    async def status(self, model: Model, batch: str) -> Remote:
        return self.remote_of(_plain(await self._ask(model, "aretrieve_batch", batch_id=batch)))

    async def page(self, model: Model, after: str | None) -> Any:  # noqa: ANN401 (whatever a provider sends)
        found = _plain(await self._ask(model, "alist_batches", after=after, limit=LISTED_AT_ONCE))
        return {**found, "data": [_plain(body) for body in found.get("data") or ()]}

    async def content(self, model: Model, file: str) -> bytes:
        data = (await self._ask(model, "afile_content", FILE_TIMEOUT_S, file_id=file)).content
        return data if isinstance(data, bytes) else str(data).encode()

    async def _ask(self, model: Model, function: str, timeout_s: float | None = None, /, **arguments: Any) -> Any:  # noqa: ANN401
        """What a function of LiteLLM's returns."""
        return await self._asked(model, function, timeout_s or model.timeout_s, custom_llm_provider=model.provider, **arguments)


def _plain(value: Any) -> Any:  # noqa: ANN401 (a litellm type)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump()
    return value if isinstance(value, dict) else dict(getattr(value, "__dict__", {}))

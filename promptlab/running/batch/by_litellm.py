"""Batches over LiteLLM: what it would send to a model, and the providers whose files and batches it maps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from promptlab.nouns.call import Call
from promptlab.nouns.model import Model
from promptlab.running.batch.service import ENDPOINT, FILE_TIMEOUT_S, LISTED_AT_ONCE, TAG, WINDOW, Remote, find_in, id_of, remote_of
from promptlab.running.gateway.by_litellm import LiteLLMWire
from promptlab.running.gateway.providers import own_key
from promptlab.running.gateway.wire import WireError


class LiteLLMBatches(LiteLLMWire):
    """The same keys, parameters and readings of errors as LiteLLM's wire."""

    def body(self, model: Model, call: Call) -> dict[str, Any]:
        name, provider, *_ = self._litellm.get_llm_provider(model.litellm_name, api_base=model.api_base)
        messages = [dict(message) for message in call.messages]
        if provider == "vertex_ai":  # translated by LiteLLM when the file is sent
            return {"model": name, "messages": messages, **call.sampling}
        known = self._litellm.LlmProviders(provider)
        config = self._litellm.utils.ProviderConfigManager.get_provider_chat_config(model=name, provider=known)
        asked = self._optional_params(model=name, custom_llm_provider=provider, drop_params=False, **call.sampling)
        body = config.transform_request(model=name, messages=messages, optional_params=asked, litellm_params={}, headers={})
        more = body.pop("extra_body", None) or {}
        return {key: value for key, value in {**body, "model": name, **more}.items() if value not in ({}, None) and key != "stream"}

    async def upload(self, model: Model, lines: bytes) -> str:
        sent = self._litellm.acreate_file(file=("promptlab.jsonl", lines), purpose="batch", **self._to(model, FILE_TIMEOUT_S))
        return id_of(_plain(await self._within(sent, FILE_TIMEOUT_S)), self._secrets)

    async def create(self, model: Model, file: str, tag: str) -> Remote:
        made = self._litellm.acreate_batch(
            completion_window=WINDOW, endpoint=ENDPOINT, input_file_id=file, metadata={TAG: tag}, **self._to(model)
        )
        return remote_of(_plain(await self._within(made, model.timeout_s)), self._secrets)

    async def status(self, model: Model, batch: str) -> Remote:
        asked = self._litellm.aretrieve_batch(batch_id=batch, **self._to(model))
        return remote_of(_plain(await self._within(asked, model.timeout_s)), self._secrets)

    async def find(self, model: Model, file: str, tag: str, since: float) -> Remote | None:
        async def page(after: str | None) -> Any:  # noqa: ANN401
            asked = self._litellm.alist_batches(after=after, limit=LISTED_AT_ONCE, **self._to(model))
            found = _plain(await self._within(asked, model.timeout_s))
            return {**found, "data": [_plain(body) for body in found.get("data") or ()]}

        return await find_in(page, file, tag, since, self._secrets)

    async def content(self, model: Model, file: str) -> bytes:
        asked = self._litellm.afile_content(file_id=file, **self._to(model, FILE_TIMEOUT_S))
        data = (await self._within(asked, FILE_TIMEOUT_S)).content
        return data if isinstance(data, bytes) else str(data).encode()

    def _to(self, model: Model, timeout_s: float | None = None) -> dict[str, Any]:
        return {
            "custom_llm_provider": model.provider,
            "api_base": model.api_base,
            "api_key": own_key(model),
            "timeout": timeout_s or model.timeout_s,
            "max_retries": 0,
        }

    async def _within(self, asked: Awaitable[Any], timeout_s: float) -> Any:  # noqa: ANN401
        try:
            async with asyncio.timeout(timeout_s):
                return await asked
        except TimeoutError:
            raise WireError("timeout", f"no complete answer within {timeout_s:g} s") from None
        except Exception as error:  # litellm raises the classes of many libraries
            raise self._classified(error) from None


def _plain(value: Any) -> Any:  # noqa: ANN401 (a litellm type)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump()
    return value if isinstance(value, dict) else dict(getattr(value, "__dict__", {}))

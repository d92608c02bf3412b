"""Batches over LiteLLM: what it would send to a model, and the providers whose files and batches it maps."""

from __future__ import annotations

from typing import Any

from promptlab.nouns import Call, Model
from promptlab.running.batch.service import ENDPOINT, FILE_TIMEOUT_S, LISTED_AT_ONCE, TAG, WINDOW, Remote, Service
from promptlab.running.gateway.by_litellm import LiteLLMWire
from promptlab.running.gateway.wire import given


class LiteLLMBatches(LiteLLMWire, Service):
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

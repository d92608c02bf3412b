"""OpenAI's batch API over HTTP, at OpenAI and at any server that follows it."""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from promptlab.nouns import Call, Model, Reply
from promptlab.running.batch.service import ENDPOINT, FILE_TIMEOUT_S, LARGEST_RESULTS, LISTED_AT_ONCE, TAG, WINDOW, Remote, Service
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.providers import DIRECT, not_direct
from promptlab.running.gateway.wire import WireError, safe


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
        """The reply in the body of one response, of whatever provider; WireError where it is none."""
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

"""The wire to simulated models: in this process, without a client library, by the rules of every other wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptlab.nouns.call import Call, Reply
from promptlab.nouns.model import Model
from promptlab.running.gateway.wire import SimulatedError, Simulator, WireError, judged, read_boundary, read_retry_after, safe


class SimulatedWire:
    """Asks the simulator what LiteLLM's custom provider `sim` would ask it."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...], simulator: Simulator) -> None:
        self._models = {model.name: model for model in models}
        self._secrets = secrets
        self._simulator = simulator

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in sampling.items() if value not in ({}, None)}

    async def send(self, call: Call) -> Reply:
        model = self._models[call.model]
        name = model.litellm_name.removeprefix("sim/")
        try:
            async with asyncio.timeout(model.timeout_s):
                reply = await self._simulator(name, call.messages, self.effective(model, call.sampling))
        except TimeoutError:
            raise WireError("timeout", f"no complete answer within {model.timeout_s:g} s") from None
        except SimulatedError as error:
            boundary = read_boundary(error.status, error.message)
            raise WireError(boundary, safe(error.message, self._secrets), error.status, read_retry_after(error.headers)) from None
        said = replace(reply, finish_reason=reply.finish_reason or "stop", model_version=f"sim/{name}")
        return judged(said, reply.text if reply.outcome == "refused" else None, self._secrets)

    async def aclose(self) -> None:
        """Nothing is open."""

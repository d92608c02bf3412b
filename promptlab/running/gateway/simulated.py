"""The wire to simulated models: in this process, without a client library, by the rules of every other wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from promptlab.nouns.call import Call, Reply
from promptlab.nouns.model import Model
from promptlab.running.gateway.wire import (
    SimulatedError,
    Simulator,
    Wire,
    WireError,
    given,
    judged,
    late,
    read_boundary,
    read_retry_after,
    safe,
)


class SimulatedWire(Wire):
    """Asks the simulator what LiteLLM's custom provider `sim` would ask it."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...], simulator: Simulator) -> None:
        super().__init__(models, secrets)
        self._simulator = simulator

    async def send(self, call: Call) -> Reply:
        model = self._models[call.model]
        name = model.litellm_name.removeprefix("sim/")
        try:
            async with asyncio.timeout(model.timeout_s):
                reply = await self._simulator(name, call.messages, given(call.sampling))
        except TimeoutError:
            raise late(model.timeout_s) from None
        except SimulatedError as error:
            boundary = read_boundary(error.status, error.message)
            raise WireError(boundary, safe(error.message, self._secrets), error.status, read_retry_after(error.headers)) from None
        said = replace(reply, finish_reason=reply.finish_reason or "stop", model_version=f"sim/{name}")
        return judged(said, reply.text if reply.outcome == "refused" else None, self._secrets)

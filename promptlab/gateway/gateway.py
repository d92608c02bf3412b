"""Call -> Completion: retried, paced, priced, recorded as asked and as sent."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.errors import ProviderStopped
from promptlab.gateway.prices import cost_usd
from promptlab.gateway.wire import RETRIED, STOPPING, LiteLLMWire, Reply, Simulator, WireError
from promptlab.schema import Call, Completion, Model, Price


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently one call is tried. The only retry layer there is."""

    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0

    def wait_s(self, attempt: int, error: WireError, rng: random.Random) -> float:
        """Seconds before attempt `attempt` + 1: what the server asks, else exponential with full jitter."""
        backoff = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1)) * (0.5 + rng.random() / 2)
        if error.retry_after_s is None:
            return backoff
        return error.retry_after_s + 0.1 * backoff


class Gateway:
    """All models of a run. One instance belongs to one event loop."""

    def __init__(
        self,
        models: Sequence[Model],
        prices: Mapping[str, Price | None],
        simulator: Simulator | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._wire = LiteLLMWire(models, simulator)
        self._models = {model.name: model for model in models}
        self._prices = dict(prices)
        self._policy = policy or RetryPolicy()
        self._rng = random.Random()
        self._resume_at: dict[str, float] = {}
        self._stopped: dict[str, str] = {}
        self._effective: dict[tuple[str, str], dict[str, Any]] = {}
        self.n_sent = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must not be shown; held in memory only."""
        return self._wire.secrets

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """What the provider is sent for `sampling`; computed once for each model and set of parameters."""
        fixed = {key: value for key, value in sampling.items() if key != "seed"}
        key = (model.name, repr(sorted(fixed.items(), key=lambda kv: kv[0])) + str("seed" in sampling))
        if key not in self._effective:
            self._effective[key] = self._wire.effective(model, sampling)
        found = dict(self._effective[key])
        if "seed" in found:
            found["seed"] = sampling["seed"]
        return found

    async def complete(self, call: Call) -> Completion:
        """One answer. Every failure that the provider may recover from is retried; what is left becomes outcome `error`.

        ProviderStopped is raised when no later call to this model can succeed (wrong key, exhausted quota).
        """
        model = self._models[call.model]
        effective = self.effective(model, call.sampling)
        started = time.monotonic()
        for attempt in range(1, self._policy.attempts + 1):
            await self._pause(model)
            sent_at = time.monotonic()
            self.n_sent += 1
            try:
                reply = await self._wire.send(call)
            except WireError as error:
                if error.boundary in STOPPING:
                    self._stopped[model.name] = error.message
                    raise ProviderStopped(_stop_message(model, error)) from None
                if error.boundary == "policy":
                    return self._failed(call, effective, error, "refused", attempt, started)
                wait = self._policy.wait_s(attempt, error, self._rng)
                hopeless = error.boundary not in RETRIED or wait > self._policy.longest_retry_after_s
                if hopeless or attempt == self._policy.attempts:
                    return self._failed(call, effective, error, "error", attempt, started)
                if error.boundary == "rate":  # everybody waits, not only the one who was told
                    self._resume_at[model.provider] = max(self._resume_at.get(model.provider, 0.0), time.monotonic() + wait)
                else:
                    await asyncio.sleep(wait)
                continue
            return self._priced(call, effective, reply, attempt, time.monotonic() - sent_at)
        raise AssertionError("unreachable: the last attempt returns")

    async def _pause(self, model: Model) -> None:
        if model.name in self._stopped:
            raise ProviderStopped(f"{model.name}: {self._stopped[model.name]}")
        while (wait := self._resume_at.get(model.provider, 0.0) - time.monotonic()) > 0:  # noqa: ASYNC110 (the hour may move)
            await asyncio.sleep(wait)

    def _priced(self, call: Call, effective: Mapping[str, Any], reply: Reply, attempt: int, latency_s: float) -> Completion:
        return Completion(
            text=reply.text,
            outcome=reply.outcome,
            finish_reason=reply.finish_reason,
            model_version=reply.model_version,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cost_usd=cost_usd(self._prices.get(call.model), reply.input_tokens, reply.output_tokens),
            latency_s=latency_s,
            attempts=attempt,
            requested=dict(call.sampling),
            effective=effective,
            top_logprobs=reply.top_logprobs,
        )

    def _failed(self, call: Call, effective: Mapping[str, Any], error: WireError, outcome: str, attempt: int, started: float) -> Completion:
        status = f"HTTP {error.status}: " if error.status else ""
        return Completion(
            text="",
            outcome="refused" if outcome == "refused" else "error",
            cost_usd=0.0 if error.boundary == "request" else None,
            latency_s=time.monotonic() - started,
            attempts=attempt,
            requested=dict(call.sampling),
            effective=effective,
            error=f"{error.boundary}: {status}{error.message}",
        )


def _stop_message(model: Model, error: WireError) -> str:
    if error.boundary == "quota":
        return f"{model.name}: the provider's quota is used up ({error.message}); top it up and run the same command again"
    where = f"the key in {model.api_key_env}" if model.api_key_env else f"the key of provider {model.provider!r} in the environment"
    return f"{model.name}: the provider refused {where} ({error.message}); set it right and run the same command again"

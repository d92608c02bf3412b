"""Call -> Completion: routed, retried, paced, priced, recorded as asked and as sent."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from promptlab.nouns import Call, Completion, Model, Price, ProviderStopped, Reply, known_secrets
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.limiter import Limiter
from promptlab.running.gateway.providers import not_direct
from promptlab.running.gateway.wire import MESSAGE_LIMIT, RETRIED, STOPPING, SimulatedError, Simulator, Wire, WireError, given, judged, late
from promptlab.sources.prices import cost_usd

WireChoice = Literal["auto", "litellm", "direct"]
OVERLOAD_STATUS = frozenset({429, 503, 529})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently one call is tried. The only retry layer there is."""

    attempts: int = 5
    rate_attempts: int = 10
    """As many where the provider says "too many requests": it answers, and the pause is shared."""
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0

    def wait_s(self, attempt: int, error: WireError, rng: random.Random) -> float:
        """Seconds before attempt `attempt` + 1: what the server asks, else exponential with full jitter."""
        backoff = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1)) * (0.5 + rng.random() / 2)
        if error.retry_after_s is None:
            return backoff
        return error.retry_after_s + 0.1 * backoff


class SimulatedWire(Wire):
    """Asks the simulator in this process what LiteLLM's custom provider `sim` would ask it, by the rules of every other wire."""

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
            raise self._error(error.status, error.message, error.message, error.headers) from None
        said = replace(reply, finish_reason=reply.finish_reason or "stop", model_version=f"sim/{name}")
        return judged(said, reply.text if reply.outcome == "refused" else None, self._secrets)


class _Route(NamedTuple):
    """How one model is asked with one set of parameters, and what it is really sent."""

    wire: Wire
    effective: dict[str, Any]


class Gateway:
    """All models of a run. One instance belongs to one event loop; `aclose` ends it.

    `wire` chooses how models are asked: `auto` directly where LiteLLM would send the same, simulated ones in this process, the
    rest over LiteLLM; `litellm` everything over LiteLLM; `direct` nothing over it. No choice changes an answer or a record.
    `concurrency` is the most that one provider is asked at once.
    """

    def __init__(
        self,
        models: Sequence[Model],
        prices: Mapping[str, Price | None],
        simulator: Simulator | None = None,
        policy: RetryPolicy | None = None,
        wire: WireChoice = "auto",
        concurrency: int = 64,
    ) -> None:
        self.secrets = known_secrets(tuple(m.api_key_env for m in models if m.api_key_env))
        """Values that must not be shown; held in memory only."""
        self.n_sent = 0
        self.patience_s = 3 * max((model.timeout_s for model in models), default=0.0) + 120.0
        self._models = {model.name: model for model in models}
        self._prices = dict(prices)
        self._simulator = simulator
        self._policy = policy or RetryPolicy()
        self._choice: WireChoice = wire
        self._rng = random.Random()
        lanes: dict[tuple[str, str | None, str | None], Limiter] = {}
        self._lanes = {m.name: lanes.setdefault((m.provider, m.api_base, m.api_key_env), Limiter(concurrency)) for m in models}
        self._stopped: dict[str, str] = {}
        self._direct = DirectWire(models, self.secrets)
        self._simulated = SimulatedWire(models, self.secrets, simulator) if simulator else None
        self._litellm: Wire | None = None
        self._routes: dict[tuple[str, str, bool], _Route] = {}
        self._last: dict[str, tuple[Mapping[str, Any], _Route]] = {}
        self._n_inside = 0
        self._heard_at = 0.0

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """What the provider is sent for `sampling`; UsageProblem when it does not take one."""
        return self._route(model, sampling).effective

    async def complete(self, call: Call, before_resending: Callable[[], Awaitable[None]] | None = None) -> Completion:
        """One answer. Every failure that the provider may recover from is retried; what is left becomes outcome `error`.

        `before_resending` is awaited before a request that timed out is sent anew: the provider may have answered it, and be paid.
        ProviderStopped is raised when no later call to this model can succeed (wrong key, exhausted quota).
        """
        if not self._n_inside:
            self._heard_at = time.monotonic()
        self._n_inside += 1
        try:
            return await self._complete(call, before_resending)
        finally:
            self._n_inside -= 1

    def answered(self, call: Call, heard: Reply | WireError) -> Completion:
        """The completion of a call that another way than `complete` has sent, and that was answered like this."""
        return self._completion(call, self.effective(self._models[call.model], call.sampling), heard, 1, 0.0)

    def stalled(self) -> str | None:
        """Why a sweep should give up: calls are waiting, and no provider has said anything for `patience_s`."""
        silent_s = time.monotonic() - self._heard_at
        if not self._n_inside or silent_s <= self.patience_s:
            return None
        return f"no provider has answered any of the {self._n_inside:,} calls under way for {silent_s:.0f} s"

    def pauses(self) -> dict[str, float]:
        """Models whose provider asked for a pause, and for how many seconds more: for whoever else asks it."""
        return {name: seconds for name, lane in self._lanes.items() if (seconds := lane.paused_s)}

    def pause(self, model: str, seconds: float) -> None:
        """Start nothing to the model's provider for so long: another process was told so."""
        self._lanes[model].pause(seconds)

    async def aclose(self) -> None:
        """Close every connection."""
        for wire in (self._direct, self._simulated, self._litellm):
            if wire is not None:
                await wire.aclose()

    async def _complete(self, call: Call, before_resending: Callable[[], Awaitable[None]] | None) -> Completion:
        model = self._models[call.model]
        wire, effective = self._route(model, call.sampling)
        lane = self._lanes[model.name]
        started = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            sent_at = await lane.acquire()
            try:
                if why := self._stopped.get(model.name) or lane.stopped:
                    raise ProviderStopped(f"{model.name}: {why}")
                self.n_sent += 1
                asked_at = time.monotonic()
                reply = await wire.send(call)
                self._heard_at = time.monotonic()
                lane.answered(self._heard_at - asked_at)
                return self._completion(call, effective, reply, attempt, self._heard_at - asked_at)
            except WireError as error:
                if error.answered:
                    self._heard_at = time.monotonic()
                wait = self._next(model, lane, error, attempt, sent_at)
                if wait is None:
                    return self._completion(call, effective, error, attempt, time.monotonic() - started)
                perhaps_paid = error.boundary == "timeout" and not error.answered
            finally:
                lane.release()
            if perhaps_paid and before_resending is not None:
                await before_resending()
            await asyncio.sleep(wait)

    def _next(self, model: Model, lane: Limiter, error: WireError, attempt: int, sent_at: float) -> float | None:
        """Seconds after which a failed call is tried again, and what its failure means for others; None: no more."""
        policy = self._policy
        if error.boundary in STOPPING:
            why = stop_reason(model, error)
            if error.status == 403:  # perhaps of this model alone
                self._stopped.setdefault(model.name, why)
            else:
                lane.stop(why)
            raise ProviderStopped(f"{model.name}: {why}") from None
        if error.boundary not in RETRIED:
            return None
        if error.status in OVERLOAD_STATUS:
            lane.overloaded(sent_at)
        if error.retry_after_s is not None and error.retry_after_s > policy.longest_retry_after_s:
            error.message = (
                f"the provider asks to wait {_seconds(error.retry_after_s)}, and a pause lasts {policy.longest_retry_after_s:g} s at most: "
                f"{error.message}"
            )
            self._stopped.setdefault(model.name, f"{error.message}; run the same command again then")
            return None
        if attempt >= (policy.rate_attempts if error.boundary == "rate" else policy.attempts):
            return None
        wait = policy.wait_s(attempt, error, self._rng)
        if error.boundary != "rate":
            return wait
        lane.pause(wait)  # everybody waits, not only the one who was told
        return 0.0

    def _route(self, model: Model, sampling: Mapping[str, Any]) -> _Route:
        """Chosen and computed once for each model and set of parameters; only the seed differs between calls."""
        known = self._last.get(model.name)
        if known is not None and known[0] is sampling:  # an engine gives all calls of a model one mapping, unless each has a seed
            return known[1]
        key = (model.name, repr([pair for pair in sampling.items() if pair[0] != "seed"]), "seed" in sampling)
        route = self._routes.get(key)
        if route is None:
            wire = self._wire(model, sampling)
            route = self._routes[key] = _Route(wire, wire.effective(model, sampling))
        if "seed" in route.effective:
            return _Route(route.wire, {**route.effective, "seed": sampling["seed"]})
        self._last[model.name] = sampling, route
        return route

    def _wire(self, model: Model, sampling: Mapping[str, Any]) -> Wire:
        if self._choice != "litellm":
            if model.simulated and self._simulated is not None:
                return self._simulated
            if self._choice == "direct" or not_direct(model, sampling) is None:
                return self._direct
        if self._litellm is None:
            from promptlab.running.gateway.by_litellm import LiteLLMWire

            self._litellm = LiteLLMWire(list(self._models.values()), self.secrets, self._simulator)
        return self._litellm

    def _completion(self, call: Call, effective: Mapping[str, Any], heard: Reply | WireError, attempt: int, latency_s: float) -> Completion:
        """An answer with its price, or a failure in words."""
        how = {"latency_s": latency_s, "attempts": attempt, "requested": call.sampling, "effective": effective}
        if isinstance(heard, Reply):
            return Completion.of(heard, cost_usd=cost_usd(self._prices.get(call.model), heard.input_tokens, heard.output_tokens), **how)
        status = f"HTTP {heard.status}: " if heard.status else ""
        return Completion.of(
            Reply("", "refused" if heard.boundary == "policy" else "error"),
            cost_usd=0.0 if heard.boundary == "request" else None,
            error=f"{heard.boundary}: {status}{heard.message}"[:MESSAGE_LIMIT],
            **how,
        )


def stop_reason(model: Model, error: WireError) -> str:
    """Why no later call to a model can succeed, and what to do."""
    if error.boundary == "quota":
        return f"the provider's quota is used up ({error.message}); top it up and run the same command again"
    where = f"the key in {model.api_key_env}" if model.api_key_env else f"the key of provider {model.provider!r} in the environment"
    return f"the provider refused {where} ({error.message}); set it right and run the same command again"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < float("inf") else "for ever"

"""Call -> Completion: routed, retried, paced, priced, recorded as asked and as sent."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from promptlab.nouns import FINISH_OUTCOMES, Call, Completion, Model, Price, ProviderStopped, Reply, finish_word, known_secrets
from promptlab.running.gateway import network
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.failures import REPEATED, RETRIED, STOPS_AFTER, WireError
from promptlab.running.gateway.limiter import Limiter
from promptlab.running.gateway.parameters import differences, request_body
from promptlab.running.gateway.providers import not_direct
from promptlab.running.gateway.stopping import PROBES, Probation, is_of_all, stop_reason
from promptlab.running.gateway.usage import booked
from promptlab.running.gateway.wire import MESSAGE_LIMIT, SimulatedError, Simulator, Wire, judged, late

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
                reply = await self._simulator(name, call.messages, request_body(call.sampling))
        except TimeoutError:
            raise late(model.timeout_s) from None
        except SimulatedError as error:
            raise self._error(error.status, error.message, error.message, error.headers) from None
        said = replace(reply, finish_reason=reply.finish_reason or "stop", model_version=f"sim/{name}")
        return judged(said, reply.text if reply.outcome == "refused" else None, self._secrets)


class _Route(NamedTuple):
    """How one model is called with one set of parameters, and what it is really sent."""

    wire: Wire
    effective: dict[str, Any]


class Gateway:
    """All models of a run. One instance belongs to one event loop; `aclose` ends it.

    `wire` chooses how requests are sent: `auto` directly where LiteLLM would send the same, simulated ones in this process, the
    rest over LiteLLM; `litellm` everything over LiteLLM; `direct` nothing over it. No choice changes an answer or a record.
    `concurrency` limits the requests of this process to one provider at a time; `workers` processes share the sweep.
    With `probe` the first call to each real model goes alone, until it is answered or stops the model.
    """

    def __init__(
        self,
        models: Sequence[Model],
        prices: Mapping[str, Price | None],
        simulator: Simulator | None = None,
        policy: RetryPolicy | None = None,
        wire: WireChoice = "auto",
        concurrency: int = 64,
        workers: int = 1,
        *,
        probe: bool = True,
    ) -> None:
        named = [name for m in models for name in (m.api_key_env, *m.header_envs.values()) if name]
        self.secrets = known_secrets(tuple(named))
        """Values that must not be shown; held in memory only."""
        self.n_sent = 0
        self.on_sent: Callable[[], None] = lambda: None
        """Called before each request."""
        self.doubts: dict[str, str] = {}
        """By model: what was wrong with the first usage that could not be believed."""
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
        probes = 1 if probe else PROBES
        self._probations = {model.name: Probation(workers, probes, is_proven=model.simulated) for model in models}
        self.notes: dict[str, str] = {}
        """By model: what a reader of its answers must know."""
        if not network.is_checked() and not all(model.simulated for model in models):
            self.notes["SSL_VERIFY"] = network.UNCHECKED
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

    def changed(self, model: Model, sampling: Mapping[str, Any]) -> str | None:
        """What of `sampling` the provider is sent otherwise, in words; None where it is sent as it is."""
        found = differences(sampling, self.effective(model, sampling))
        return f"{model.name}: {'; '.join(found)}" if found else None

    async def complete(
        self, call: Call, before_resending: Callable[[], Awaitable[None]] | None = None, failed: Callable[[Reply], None] | None = None
    ) -> Completion:
        """One answer. Every failure that the provider may recover from is retried; what is left becomes outcome `error`.

        `before_resending` is awaited before a request is sent again that may have been billed, though it brought no answer. `failed`
        is called before that with what a failed answer says that it took.
        ProviderStopped is raised when no later call to this model can succeed (wrong key, exhausted quota).
        """
        if not self._n_inside:
            self._heard_at = time.monotonic()
        self._n_inside += 1
        try:
            return await self._complete(call, before_resending, failed)
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
        return f"no provider has answered any of the {self._n_inside:,} calls in flight for {silent_s:.0f} s"

    def pauses(self) -> dict[str, float]:
        """Models whose provider asked for a pause, and for how many seconds more: for whoever else asks it."""
        return {name: seconds for name, lane in self._lanes.items() if (seconds := lane.paused_s)}

    def pause(self, model: str, seconds: float) -> None:
        """Start nothing to the model's provider for so long: another process received it."""
        self._lanes[model].pause(seconds)

    async def aclose(self) -> None:
        """Close every connection."""
        for wire in (self._direct, self._simulated, self._litellm):
            if wire is not None:
                await wire.aclose()

    async def _complete(
        self, call: Call, before_resending: Callable[[], Awaitable[None]] | None, failed: Callable[[Reply], None] | None
    ) -> Completion:
        model = self._models[call.model]
        wire, effective = self._route(model, call.sampling)
        lane, probation = self._lanes[model.name], self._probations[model.name]
        started = time.monotonic()
        attempt, n_unsent, is_probe = 0, 0, False
        try:
            while True:
                attempt += 1
                is_probe = is_probe or (not probation.is_proven and await probation.enter())
                sent_at = await lane.acquire()
                try:
                    if why := self._stopped.get(model.name) or lane.stopped:
                        probation.stop()
                        raise ProviderStopped(f"{model.name}: {why}", model.name)
                    self.n_sent += 1
                    self.on_sent()
                    asked_at = time.monotonic()
                    reply = await wire.send(call)
                    self._heard_at = time.monotonic()
                    lane.answered(self._heard_at - asked_at)
                    probation.answered()
                    return self._completion(call, effective, reply, attempt, self._heard_at - asked_at)
                except WireError as error:
                    if not error.was_sent:
                        n_unsent += 1
                        self.n_sent -= 1
                        self.on_sent()
                    if error.answered:
                        self._heard_at = time.monotonic()
                    if error.said is not None and failed is not None:
                        failed(error.said)
                    wait = self._next(model, lane, error, attempt, sent_at)
                    if wait is None:
                        n_attempts = 0 if attempt == n_unsent else attempt
                        return self._completion(call, effective, error, n_attempts, time.monotonic() - started)
                    perhaps_paid = error.may_be_billed and not model.simulated
                    if is_probe and (probation.has_answered or error.boundary not in REPEATED):  # else it goes first again
                        probation.leave()
                        is_probe = False
                finally:
                    lane.release()
                if perhaps_paid and before_resending is not None:
                    await before_resending()
                await asyncio.sleep(wait)
        finally:
            if is_probe:
                probation.leave()

    def _next(self, model: Model, lane: Limiter, error: WireError, attempt: int, sent_at: float) -> float | None:
        """Seconds after which a failed call is tried again, and what its failure means for others; None: no more."""
        policy, probation = self._policy, self._probations[model.name]
        if probation.failed(error, sent_at):
            why = stop_reason(model, error)
            if is_of_all(error) and not (error.boundary == "auth" and self._takes_key(lane)):
                lane.stop(why)
            else:
                self._stopped.setdefault(model.name, why)
            probation.stop()
            raise ProviderStopped(f"{model.name}: {why}", model.name) from None
        if error.boundary not in RETRIED | REPEATED or (error.boundary == "parameter" and probation.has_answered):
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
        most = policy.rate_attempts if error.boundary == "rate" else policy.attempts
        if error.boundary in REPEATED:  # up to the end, which leaves no failed trials behind
            most = max(most, STOPS_AFTER[error.boundary])
        if attempt >= (most if model.retries is None else model.retries + 1):
            return None
        wait = policy.wait_s(max(attempt, probation.n_alike), error, self._rng)
        if error.boundary not in ("rate", "unreachable"):
            return wait
        lane.pause(wait)  # everybody waits, not only the one who was told
        return 0.0

    def _takes_key(self, lane: Limiter) -> bool:
        """Whether a model was answered with the key that all of a lane share."""
        return any(self._probations[name].has_answered for name, own in self._lanes.items() if own is lane)

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
        price = self._prices.get(call.model)
        if isinstance(heard, Reply):
            if heard.outcome == "truncated" and finish_word(heard.finish_reason or "") not in FINISH_OUTCOMES:
                self.notes.setdefault(
                    call.model,
                    f"{call.model}: an answer ended with the finish reason {heard.finish_reason!r}, which promptlab does not know; "
                    f"such answers count as truncated",
                )
            reply, cost, fee, doubt = booked(heard, call, price)
            if doubt and price is not None:
                self.doubts.setdefault(call.model, f"{call.model}: {doubt}; such answers count as the most that they can cost")
            return Completion.of(reply, cost_usd=cost, fee_usd=fee, **how)
        status = f"HTTP {heard.status}: " if heard.status else ""
        return Completion.of(
            Reply("", "refused" if heard.boundary == "policy" else "error"),
            cost_usd=None if heard.boundary == "policy" or heard.may_be_billed else 0.0,
            error=f"{heard.boundary}: {status}{heard.message}"[:MESSAGE_LIMIT],
            **how,
        )


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < float("inf") else "for ever"

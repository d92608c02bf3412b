"""One trial: render -> strategy -> cache -> budget -> gateway -> metric -> a row, and what it made on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from promptlab.design.cross import Design, draw_number
from promptlab.design.render import render
from promptlab.nouns.arm import Trial
from promptlab.nouns.call import Answer, Call, Completion, Strategy
from promptlab.nouns.item import Task
from promptlab.nouns.model import Model, Price
from promptlab.planning.resolve import Study
from promptlab.record.store import written
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache, NotCached, Use, WriteBehind, request_of
from promptlab.running.gateway import Gateway, WireChoice
from promptlab.running.gateway.wire import storable
from promptlab.running.simulate import World
from promptlab.scoring.metrics import Metric, compliant, declines, echoed
from promptlab.scoring.rules import task_metric
from promptlab.sources.prices import cost_usd
from promptlab.strategies import SAMPLING, StrategyOf, strategy_of

N = TypeVar("N", int, float)
Row = dict[str, Any]
AT_ONCE = 64
"""Trials whose first answers are looked up together, and trials with stored answers that are done before anything else gets its turn."""
FRESH_S = 1.0
"""For how long it holds that the cache has no answer, as far as other processes go."""
UNKNOWN_OUTPUT_TOKENS = 4096
"""What an answer may cost at most, in tokens, where the experiment sets no max_tokens."""


@dataclass(slots=True)
class Progress:
    """Counts of a sweep, read by whoever shows them."""

    n_planned: int
    n_recorded_before: int = 0
    n_done: int = 0
    n_errors: int = 0
    n_cached: int = 0
    n_skipped: int = 0
    """Trials of arms that a planned look had stopped."""
    n_unpriced: int = 0
    n_not_cached: int = 0
    """Trials that a replay could not answer."""
    first_not_cached: str | None = None
    paid_usd: float = 0.0
    n_sent: int = 0
    last_error: str | None = None
    stopped: dict[str, str] = field(default_factory=dict)
    budget_reached: str | None = None
    stalled: str | None = None
    """Why the sweep was given up: no provider answered any more."""
    n_waiting: int = 0
    """Trials whose next answer a batch is to bring."""
    n_batches: int = 0
    """Batches that are not collected."""
    told: list[str] = field(default_factory=list)
    """What became of batches that did not end well."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a sweep is run. Nothing in it changes an answer or a score, so none of it is hashed."""

    concurrency: int = 16
    """Calls under way at once, over all workers."""
    cache: Use = "use"
    wire: WireChoice = "auto"
    max_cost_usd: float | None = None
    """Spent by this run at most, earlier sessions included; the experiment's own budget holds beside it."""
    max_tokens: int | None = None
    """Input and output tokens sent and received at most, earlier sessions included."""
    workers: int = 1
    ray: bool = False
    """Whether the workers are tasks of a Ray cluster instead of processes of this machine."""
    ray_address: str | None = None
    batch: bool = False
    """Whether calls go through the providers' batch APIs."""
    batch_wait_s: float = 0.0
    """For how long batches are waited for."""


@dataclass(slots=True)
class Begun:
    """A trial that needs an answer which is not stored."""

    trial: Trial
    strategy: Strategy
    made: list[tuple[Call, str, Completion]]
    call: Call = field(init=False)
    key: str = field(init=False)
    is_missing: bool = field(init=False, default=False)
    """Whether the cache was just seen not to hold the answer."""
    number: int = field(init=False, default=0)
    """That of the last answer that must be kept before the trial is recorded."""


@dataclass(slots=True)
class Engine:
    """Everything that a trial needs beside itself."""

    design: Design
    metrics: Mapping[tuple[str, str], Metric]
    """By task id and model name."""
    sampling: Mapping[str, Any]
    prices: Mapping[str, Price | None]
    gateway: Gateway
    cache: Cache | None
    budget: Budget
    progress: Progress
    programs: Mapping[str, StrategyOf] = field(default_factory=dict)
    """Strategies that are programs of the user's, by name."""
    _models: dict[str, Model] = field(init=False)
    _tasks: dict[str, Task] = field(init=False)
    _under_way: dict[str, asyncio.Future[Completion]] = field(init=False, default_factory=dict)
    behind: WriteBehind | None = field(init=False)
    """Answers on their way into the cache; where they can no longer be kept, nothing more is sent."""
    _sampling: dict[str, dict[str, Any]] = field(init=False)
    """By model name: one mapping for all its calls."""
    _texts: dict[int, tuple[Mapping[str, Any], str]] = field(init=False, default_factory=dict)
    _come: set[str] = field(init=False, default_factory=set)
    """Keys whose answers came since trials were last looked up together."""

    def __post_init__(self) -> None:
        self._models = {model.name: model for model in self.design.models}
        self._tasks = {task.id: task for task in self.design.tasks}
        self._sampling = {
            model.name: {**({"seed": self.design.seed} if model.simulated else {}), **self.sampling, **model.sampling}
            for model in self.design.models
        }
        self.behind = WriteBehind(self.cache) if self.cache is not None else None

    def call(self, trial: Trial) -> Call:
        """The first call of a trial."""
        model = self._models[trial.model]
        draw = draw_number(trial, self.design.replicates)
        sampling = self._sampling[model.name]
        if "seed" in sampling:  # one seed for all would make every repeat the same answer
            sampling = {**sampling, "seed": sampling["seed"] + draw}
        return Call(
            model=trial.model,
            messages=() if trial.condition.program else render(self._tasks[trial.task], trial.item, trial.condition),
            sampling=sampling,
            draw=draw,
            api_base=model.api_base,
        )

    def effective(self) -> dict[str, dict[str, Any]]:
        """What each provider is sent beside the messages; UsageProblem when one does not take what the experiment asks."""
        for strategy in {condition.strategy for condition in self.design.conditions if condition.loop is None} & set(SAMPLING):
            for model in self.design.models:
                self.gateway.effective(model, {**self._sampling[model.name], **SAMPLING[strategy]})
        return {model.name: self.gateway.effective(model, self._sampling[model.name]) for model in self.design.models}

    def _written(self, params: Mapping[str, Any]) -> str:
        """Parameters as JSON; those of one call after the other are often one mapping."""
        known = self._texts.get(id(params))
        if known is None or known[0] is not params:
            if len(self._texts) >= AT_ONCE:
                self._texts.clear()
            known = self._texts[id(params)] = params, written(dict(params), ordered=True)
        return known[1]

    async def run(self, trial: Trial) -> tuple[Row, list[Row]]:
        """One trial as a row, and its calls."""
        started = self.begin(trial)
        return started if isinstance(started, tuple) else await self.go_on(started)

    def begin(self, trial: Trial) -> Begun | tuple[Row, list[Row]]:
        """A trial as far as stored answers take it: its row where that is to the end. Nothing is sent, and nobody waits."""
        return next(self.begin_all([trial]))

    def begin_all(self, trials: Sequence[Trial]) -> Iterator[Begun | tuple[Row, list[Row]]]:
        """The same for several trials, whose first answers are looked up together; each goes on when it is asked for."""
        first = [self._step(self._begun(trial)) for trial in trials]
        keys = [begun.key for begun in first if isinstance(begun, Begun)]
        stored = self.cache.get_many(keys) if self.cache is not None else {}
        looked_up_at = time.monotonic()
        come = self._come = set()
        for begun in first:
            if not isinstance(begun, Begun):
                yield begun
                continue
            key = begun.key
            after = self._on(begun, stored.get(key) or self._coming(key))
            if isinstance(after, Begun):
                after.is_missing = after.key != key or (key not in come and time.monotonic() - looked_up_at < FRESH_S)
            yield after

    def started(self, todo: Iterator[Trial]) -> Iterator[Begun | tuple[Row, list[Row]] | None]:
        """All of `todo`, begun block by block; None where there is none at the moment."""
        while True:
            block = list(islice(todo, AT_ONCE))
            if block:
                yield from self.begin_all(block)
            else:
                yield None

    def take(self, begun: Begun, completion: Completion) -> Begun | tuple[Row, list[Row]]:
        """A trial with the answer that it needs, and as far as stored answers take it from there."""
        after = self._step(begun, completion)
        return self._on(after, self._stored(after.key)) if isinstance(after, Begun) else after

    def _begun(self, trial: Trial) -> Begun:
        metric = self.metrics[(trial.task, trial.model)]
        return Begun(trial, strategy_of(self.call(trial), trial, lambda text: metric(text, trial.item).score, self.programs), [])

    def _on(self, begun: Begun, found: Completion | None) -> Begun | tuple[Row, list[Row]]:
        """On with a stored answer, and with those that are stored to what it asks next."""
        while found is not None and begun.key not in self._under_way:
            self.progress.n_cached += 1
            after = self._step(begun, found)
            if not isinstance(after, Begun):
                return after
            found = self._stored(begun.key)
        return begun

    def _step(self, begun: Begun, completion: Completion | None = None) -> Begun | tuple[Row, list[Row]]:
        """The trial with the call that it makes first, or after an answer; its row where there is none."""
        strategy = begun.strategy
        try:
            if completion is None:
                begun.call = next(strategy)
            else:
                begun.made.append((begun.call, begun.key, completion))
                begun.call = strategy.send(completion)
        except StopIteration as stop:
            return self._rows(begun.trial, stop.value, begun.made)
        except BaseException:
            strategy.close()
            raise
        begun.key = self._key(begun.call)
        return begun

    async def go_on(self, begun: Begun) -> tuple[Row, list[Row]]:
        """The rest of a trial: its row, and its calls."""
        call, key, made = begun.call, begun.key, begun.made
        is_missing = begun.is_missing
        with closing(begun.strategy) as strategy:
            while True:
                completion = await self.complete(call, key, is_missing)
                is_missing = False
                made.append((call, key, completion))
                if self.behind is not None:
                    begun.number = self.behind.n_come
                try:
                    call = strategy.send(completion)
                except StopIteration as stop:
                    return self._rows(begun.trial, stop.value, made)
                if self.behind is not None:
                    await self.behind.kept(begun.number)  # so that whatever ends this process, only what is under way is asked again
                key = self._key(call)

    async def complete(self, call: Call, key: str, is_missing: bool = False) -> Completion:
        """The stored answer, or a paid one; two equal requests at the same time are paid once. With `is_missing` the cache is not asked."""
        if key in self._under_way:
            return replace(await asyncio.shield(self._under_way[key]), cached=True)
        found = self._coming(key) if is_missing else self._stored(key)
        if found is not None:
            self.progress.n_cached += 1
            return found
        if self.cache is not None and self.cache.use == "replay":
            missing = NotCached(f"call {key[:12]} to {call.model}, draw {call.draw}, which asks {_end_of(call)!r}")
            self.progress.first_not_cached = self.progress.first_not_cached or str(missing)
            raise missing
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._under_way[key] = future
        try:
            completion = await self._paid(call, key)
            future.set_result(completion)
            return completion
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # read here, so that asyncio does not complain when nobody else waited
            raise
        finally:
            del self._under_way[key]

    def _stored(self, key: str) -> Completion | None:
        """An answer that is there already."""
        return None if self.cache is None else self._coming(key) or self.cache.get(key)

    def _coming(self, key: str) -> Completion | None:
        """An answer that is on its way into the cache."""
        return None if self.behind is None else self.behind.get(key)

    def keep(self) -> None:
        """Keep what is left."""
        if self.behind is not None:
            self.behind.flush()

    def keep_or_fail(self) -> None:
        """Keep what is left; raise what made that, or an earlier keeping, impossible."""
        self.keep()
        if self.failed is not None:
            raise self.failed

    @property
    def failed(self) -> BaseException | None:
        """Why answers can no longer be kept."""
        return None if self.behind is None else self.behind.failed

    def asked(self, call: Call) -> Call:
        """The call under the name that LiteLLM knows the model by: a short name must not decide what is paid twice."""
        return replace(call, model=self._models[call.model].litellm_name)

    def _key(self, call: Call) -> str:
        return call.key_as(self._models[call.model].litellm_name)

    async def _paid(self, call: Call, key: str) -> Completion:
        usd, tokens = self.most(call)
        await self.budget.reserve(usd, tokens)
        completion, reserved = None, True

        async def again() -> None:
            nonlocal reserved
            self.budget.settle(usd, tokens, None, None)  # the request that timed out counts as answered at the longest
            reserved = False
            await self.budget.reserve(usd, tokens)
            reserved = True

        try:
            completion = await self.gateway.complete(call, again)
        finally:
            if not reserved:
                pass
            elif completion is None:
                self.budget.settle(usd, tokens, 0.0, 0)
            else:
                n_tokens = (
                    None
                    if completion.input_tokens is None or completion.output_tokens is None
                    else completion.input_tokens + completion.output_tokens
                )
                self.budget.settle(usd, tokens, completion.cost_usd, n_tokens)
            self.progress.n_sent = self.gateway.n_sent
        if completion.cost_usd is None and completion.outcome != "error":
            self.progress.n_unpriced += 1
        self.progress.paid_usd += completion.cost_usd or 0.0
        if self.behind is not None and completion.outcome != "error":
            self._come.add(key)
            self.behind.put(key, completion, request_of(call, self._models[call.model].litellm_name))
        return completion

    def most(self, call: Call) -> tuple[float, int]:
        """An upper estimate of what a request takes, in USD and tokens: one token for every two characters, and the longest answer."""
        n_input = sum(len(message["content"]) for message in call.messages) // 2 + 16
        n_output = call.sampling.get("max_tokens", UNKNOWN_OUTPUT_TOKENS)
        return cost_usd(self.prices.get(call.model), n_input, n_output) or 0.0, n_input + n_output

    def _rows(self, trial: Trial, answer: Answer, made: list[tuple[Call, str, Completion]]) -> tuple[Row, list[Row]]:
        name = trial.id
        task = self._tasks[trial.task]
        metric = self.metrics[(task.id, trial.model)]
        last = made[-1][2] if made else None  # a program may fail before it asks anything
        outcome, score, extracted = answer.outcome, None, None
        text, error = storable(answer.text), answer.error or (last.error if last else None)
        if outcome != "error":  # a failed call is missing, never 0; whatever a model says or refuses to say is scored
            scored = metric(text, trial.item)
            score, extracted = scored.score, scored.extracted
            if outcome == "ok" and extracted is None:
                outcome = "parse_failed"
        c = trial.condition
        by_call = [
            None
            if call.purpose != "answer" or completion.outcome == "error"
            else metric(completion.text, trial.item).score
            if c.loop
            else score  # what a strategy makes of the only answer, which need not be its text
            for call, _, completion in made
        ]
        if c.program:  # the calls before the last are steps of its own
            by_call = [score if n == len(made) else None for n in range(1, len(made) + 1)]
        answers = [value for (call, _, _), value in zip(made, by_call, strict=True) if call.purpose == "answer"][-1 if c.program else 0 :]
        solved_at = c.loop.solved_at if c.loop else 1.0
        total = _Totals([completion for _, _, completion in made])
        row: Row = {
            "trial": name,
            "order": trial.order,
            "model": trial.model,
            "simulated": self._models[trial.model].simulated,
            "suite": task.suite,
            "task": task.name,
            "item": trial.item.id,
            "cluster": trial.item.cluster,
            "arm": c.arm,
            "role": c.role,
            "stimulus": c.stimulus.id if c.stimulus else None,
            "library": (c.loop.library or None) if c.loop else c.stimulus.library if c.stimulus else None,
            "base_prompt": c.base_prompt,
            "placement": c.placement.name,
            "shots": c.shots,
            "strategy": c.strategy,
            "replicate": trial.replicate,
            "outcome": outcome,
            "score": score,
            "extracted": extracted,
            "compliant": None if outcome == "error" else compliant(text, trial.item),
            "echoed": None if outcome == "error" else echoed(text, trial.item),
            "declined": None if outcome == "error" else outcome == "refused" or declines(text),
            "answer": text,
            "oracle": c.loop is not None and c.loop.oracle,
            "n_rounds": len(answers),
            "solved_round": next((n for n, value in enumerate(answers, 1) if value is not None and value >= solved_at), None),
            "n_calls": len(made),
            "input_tokens": total.input_tokens,
            "output_tokens": total.output_tokens,
            "cost_usd": total.cost_usd,
            "paid_usd": total.paid_usd,
            "latency_s": total.latency_s,
            "cached": total.cached,
            "attempts": total.attempts,
            "model_version": last.model_version if last else None,
            "error": storable(error) if error else error,
        }
        calls = [
            {
                "trial": name,
                "turn": turn,
                "key": key,
                "messages": written([dict(m) for m in call.messages]),
                "requested": self._written(call.sampling),
                "effective": self._written(completion.effective),
                "text": storable(completion.text),
                "outcome": completion.outcome,
                "finish_reason": completion.finish_reason,
                "model_version": completion.model_version,
                "input_tokens": completion.input_tokens,
                "output_tokens": completion.output_tokens,
                "cost_usd": completion.cost_usd,
                "latency_s": completion.latency_s,
                "cached": completion.cached,
                "attempts": completion.attempts,
                "error": completion.error,
                "top_logprobs": written([list(pair) for pair in completion.top_logprobs]) if completion.top_logprobs else None,
                "round": call.round,
                "purpose": call.purpose,
                "cue": call.cue,
                "emotion": call.emotion,
                "score": by_call[turn],
                "fingerprint": completion.fingerprint,
            }
            for turn, (call, key, completion) in enumerate(made)
        ]
        return row, calls


def _end_of(call: Call) -> str:
    text = call.messages[-1]["content"] if call.messages else ""
    return f"...{text[-60:]}" if len(text) > 60 else text


def engine_of(study: Study, cache: Cache | None, budget: Budget, progress: Progress, execution: Execution) -> tuple[Engine, Gateway]:
    """The engine of a study, and the gateway that it asks: close it at the end."""
    design = study.design
    world = World(design, study.sims) if any(model.simulated for model in design.models) else None
    gateway = Gateway(design.models, study.prices, world, wire=execution.wire, concurrency=execution.concurrency)
    scorer = study.experiment.scorer
    metrics = {(task.id, model.name): task_metric(task, scorer, model.name) for task in design.tasks for model in design.models}
    sampling = study.experiment.sampling.asked()
    return Engine(design, metrics, sampling, study.prices, gateway, cache, budget, progress, study.programs), gateway


class _Totals:
    """What the answers of one trial took together; None as soon as it is unknown of one."""

    __slots__ = ("attempts", "cached", "cost_usd", "input_tokens", "latency_s", "output_tokens", "paid_usd")

    def __init__(self, completions: Sequence[Completion]) -> None:
        self.input_tokens: int | None = 0
        self.output_tokens: int | None = 0
        self.cost_usd: float | None = 0
        self.paid_usd: float | None = 0
        self.latency_s: float = 0
        self.cached = True
        self.attempts = 0
        for one in completions:
            self.input_tokens = _plus(self.input_tokens, one.input_tokens)
            self.output_tokens = _plus(self.output_tokens, one.output_tokens)
            self.cost_usd = _plus(self.cost_usd, one.cost_usd)
            self.paid_usd = _plus(self.paid_usd, 0.0 if one.cached else one.cost_usd)
            self.latency_s += one.latency_s
            self.cached = self.cached and one.cached
            self.attempts += one.attempts


def _plus(total: N | None, more: N | None) -> N | None:
    return None if total is None or more is None else total + more

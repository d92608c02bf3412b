"""One trial: render -> strategy -> cache -> budget -> gateway -> scoring -> a row, and what it made on the way.

Above 400 lines: one trial is one function of its caches, budget and gateway, and splitting it hides the order of their effects.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, cast

from promptlab.design.cross import Design
from promptlab.nouns import Call, Case, Completion, Model, Outcome, Price, Scored, Scoring, ScoringFailed, Steps, Trial, Work, merged
from promptlab.nouns.identity import Once
from promptlab.planning.study import Study
from promptlab.record.store.files import now, written
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache, Claims, NotCached, WriteBehind, request_of
from promptlab.running.first import FirstCalls
from promptlab.running.gateway import Gateway
from promptlab.running.gateway.wire import storable
from promptlab.running.paying import AT_FIRST, Payer
from promptlab.running.progress import Execution, Progress
from promptlab.running.simulate import World
from promptlab.running.trial_rows import Finished, Made, Rows, rows_of, total
from promptlab.strategies import begun

BLOCK = 64
"""Trials whose first answers are looked up together, and trials with stored answers that are done before anything else gets its turn."""
FRESH_S = 1.0
"""For how long it holds that the cache has no answer, as far as other processes go."""
SCORED_AT_ONCE = 32
"""Threads in which metrics of the user's own run."""


@dataclass(slots=True)
class Pending:
    """A trial that waits for answers which are not stored, or for work."""

    trial: Trial
    steps: Steps[Finished]
    made: list[Made]
    calls: Sequence[Call] = ()
    """What it asks next: one call, or several at once; nothing where it waits for work."""
    keys: Sequence[str] = ()
    is_list: bool = False
    work: Work | None = None
    missed_at: int | None = None
    """`Cache.n_foreign` when the cache was just seen not to hold the answers."""
    n_come: int = 0
    """How many answers of this process had come by then."""
    number: int = 0
    """That of the last answer that must be kept before the trial is recorded."""

    def answered(self, completions: Sequence[Completion]) -> Any:  # noqa: ANN401 (what the generator is sent)
        """Take the answers to all of its calls; returns what its generator is sent."""
        self.made.extend(zip(self.calls, self.keys, completions, strict=True))
        return list(completions) if self.is_list else completions[0]


@dataclass(slots=True)
class Engine:
    """Everything that a trial needs besides itself."""

    design: Design
    scorings: Mapping[tuple[str, str], Scoring]
    """By task id and model name."""
    sampling: Mapping[str, Any]
    prices: Mapping[str, Price | None]
    gateway: Gateway
    cache: Cache | None
    budget: Budget
    progress: Progress
    judges: Sequence[Model] = ()
    """Models that only scorings ask."""
    own: Mapping[tuple[str, str], Completion] = field(default_factory=dict)
    """By trial and key: answers, and failures, that one trial alone had."""
    run_id: str = ""
    """The id of the run that asks."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """By model name: the most tokens that one answer can have, where that is known."""
    payer: Payer = field(init=False)
    claims: Claims | None = field(init=False, default=None)
    """Where other processes may pay for equal requests at the same time."""
    stop: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    """Set where nothing more is to be sent."""
    _models: dict[str, Model] = field(init=False)
    _first: FirstCalls = field(init=False)
    _under_way: dict[str, asyncio.Future[Completion]] = field(init=False, default_factory=dict)
    behind: WriteBehind = field(init=False)
    """Answers on their way into the cache; where they can no longer be kept, nothing more is sent."""
    failures: dict[str, Completion] = field(init=False, default_factory=dict)
    """By key: what failed by another way than the gateway, and is not sent again."""
    _written: Once[str] = field(init=False, default_factory=lambda: Once(partial(written, ordered=True)))
    """Parameters as JSON."""
    _come: set[str] = field(init=False, default_factory=set)
    """Keys whose answers came since trials were last looked up together."""
    _workers: ThreadPoolExecutor = field(init=False)
    """Where the user's own metrics run."""

    def __post_init__(self) -> None:
        self._models = {model.name: model for model in (*self.judges, *self.design.models)}
        self._first = FirstCalls(self.design, self.sampling)
        self.behind = WriteBehind(self.cache)
        if self.gateway is not None and self.cache is not None and (claims := self.cache.claims) is not None:
            self.claims = claims
            self.behind.on_stored = lambda keys: claims.release(keys, stored=True)
        self.payer = Payer(self._models, self.prices, self.limits, gateway=self.gateway, budget=self.budget, progress=self.progress)
        self._workers = ThreadPoolExecutor(SCORED_AT_ONCE, thread_name_prefix="promptlab-metrics")

    def call(self, trial: Trial) -> Call:
        """The first call of a trial."""
        return self._first.call(trial)

    def effective(self) -> dict[str, dict[str, Any]]:
        """What each provider is sent besides the messages, and a note of what differs from what the experiment requests.

        UsageProblem when one does not accept that.
        """
        found = [changed for model, sampling in self.samplings() if (changed := self.gateway.changed(model, sampling))]
        self.progress.notes += [note for note in dict.fromkeys(found) if note not in self.progress.notes]
        return {model.name: self.gateway.effective(model, self._first.sampling[model.name]) for model in self.design.models}

    def samplings(self) -> Iterator[tuple[Model, Mapping[str, Any]]]:
        """Each model with every set of parameters that its requests have."""
        yield from ((judge, judge.sampling) for judge in self.judges)
        for own in {written({**a.strategy.sampling, **dict(a.setting.sampling)}): a for a in self.design.arms}.values():
            for model in self.design.models:
                yield model, merged(self._first.sampling[model.name], dict(own.setting.sampling), own.strategy.sampling)

    def steps(self, trial: Trial, made: Sequence[Made]) -> Steps[Finished]:
        """A trial from its first call to its score; `made` is filled with its calls and their answers by whoever drives it."""
        scoring = self.scorings[trial.task, trial.model]
        item, strategy, metric = trial.item, trial.arm.strategy, scoring.metric
        known: dict[str, Scored] = {}
        first = self.call(trial)

        def case() -> Case:
            asked = [completion for call, _, completion in made if call.purpose != "score"]
            return Case(
                trial.arm.role == "baseline", self._first.added(trial), self._first.opponent(trial) if scoring.needs_opponent else None,
                lambda: (total([one.cost_usd for one in asked]), sum(one.latency_s for one in asked)),
            )  # fmt: skip

        def scored(text: str) -> Steps[Scored]:
            found = known.get(text)
            if found is None:
                found = known[text] = metric(text, item) if metric is not None else (yield from scoring.steps(text, item, case()))
            return found

        def verified(text: str) -> Steps[float]:
            return (yield from scored(text)).score

        def read(text: str) -> Steps[str | None]:
            return (yield from scored(text)).extracted

        by_call: list[float | None] = []
        text, result = "", None
        outcome: Outcome = "error"
        try:
            answer = yield from begun(first, trial, verified, read)
            text, outcome, error = storable(answer.text), answer.outcome, answer.error
            if outcome != "error":  # a failed call is missing, never 0; whatever a model says or refuses to say is scored
                result = metric(text, item) if metric is not None and not known else (yield from scored(text))
                if outcome == "ok" and result.extracted is None:
                    outcome = "parse_failed"
            for call, _, completion in tuple(made) if strategy.scores_attempts else ():
                is_attempt = call.purpose == "answer" and completion.outcome != "error"
                by_call.append((yield from scored(completion.text)).score if is_attempt else None)
        except ScoringFailed as problem:  # missing, as a failed call is
            return Finished(text, "error", str(problem), None, [None] * len(made))
        if not strategy.scores_attempts and len(made) == 1:
            call, _, completion = made[0]
            by_call = [result.score if result and call.purpose == "answer" and completion.outcome != "error" else None]
        elif not strategy.scores_attempts:  # what a strategy makes of the only answer, which need not be its text
            asked = [n for n, (call, _, completion) in enumerate(made) if call.purpose == "answer" and completion.outcome != "error"]
            own = len(made) - 1 if trial.arm.program else asked[0] if len(asked) == 1 else None
            by_call = [result.score if result and n == own else None for n in range(len(made))]
        return Finished(text, outcome, error, result, [*by_call, *[None] * (len(made) - len(by_call))])

    async def run(self, trial: Trial) -> Rows:
        """One trial as a row, and its calls."""
        started = self.begin(trial)
        return started if isinstance(started, tuple) else await self.go_on(started)

    def begin(self, trial: Trial) -> Pending | Rows:
        """A trial as far as stored answers take it: its row where that is to the end. Nothing is sent, and nobody waits."""
        return next(self.begin_all([trial]))

    def begin_all(self, trials: Sequence[Trial]) -> Iterator[Pending | Rows]:
        """The same for several trials, whose first answers are looked up together; each continues when it is requested."""
        first = [self.first(trial) for trial in trials]
        wanted = [key for pending in first if isinstance(pending, Pending) for key in pending.keys]
        n_foreign = self._n_foreign()
        on_its_way = {key: found for key in wanted if (found := self.behind.get(key))}  # before the cache, where they may be in a moment
        stored = on_its_way | (self.cache.get_many(wanted) if self.cache is not None else {})
        looked_up_at = time.monotonic()
        come = self._come = set()
        for pending in first:
            if not isinstance(pending, Pending):
                yield pending
                continue
            keys = pending.keys
            own = [self.own.get((pending.trial.id, key)) for key in keys] if self.own else [None] * len(keys)
            each = zip(own, keys, strict=True)
            after = self._on(pending, [one or stored.get(key) or self.failures.get(key) or self.behind.get(key) for one, key in each])
            if isinstance(after, Pending):
                is_fresh = come.isdisjoint(keys) and time.monotonic() - looked_up_at < FRESH_S
                after.missed_at = n_foreign if not after.is_list and (after.keys is not keys or is_fresh) else None
                after.n_come = self.behind.n_come
            yield after

    def started(self, todo: Iterator[Trial]) -> Iterator[Pending | Rows | None]:
        """All of `todo`, begun block by block; None where there is none at the moment."""
        while True:
            block = list(islice(todo, BLOCK))
            if block:
                yield from self.begin_all(block)
            else:
                yield None

    def first(self, trial: Trial) -> Pending | Rows:
        """A trial that waits for its first answer or work, or that needs none; nothing is looked up."""
        made: list[Made] = []
        return self.step(Pending(trial, self.steps(trial, made), made), None)

    def _on(self, pending: Pending, found: Sequence[Completion | None]) -> Pending | Rows:
        """On with stored answers, and with those that are stored to what it asks next."""
        while pending.work is None and all(found) and not (self._under_way and self._under_way.keys() & set(pending.keys)):
            self.progress.n_cached += len(found)
            after = self.step(pending, pending.answered(cast("Sequence[Completion]", found)))
            if not isinstance(after, Pending):
                return after
            found = self._found(pending)
        return pending

    def _found(self, pending: Pending) -> list[Completion | None]:
        """What is there of the answers that a trial waits for."""
        return [self.own.get((pending.trial.id, key)) or self._stored(key) for key in pending.keys]

    def step(self, pending: Pending, sent: Any) -> Pending | Rows:  # noqa: ANN401 (what generators are sent)
        """The trial with what it wants first, or after what it is sent; its row where it is finished."""
        try:
            request = pending.steps.send(sent)
        except StopIteration as stop:
            return self._rows(pending.trial, stop.value, pending.made)
        except BaseException:
            pending.steps.close()
            raise
        if isinstance(request, Call):
            pending.work, pending.is_list, pending.calls, pending.keys = None, False, (request,), (self.key(request),)
        elif isinstance(request, Work):
            pending.work, pending.is_list, pending.calls, pending.keys = request, False, (), ()
        else:
            pending.work, pending.is_list, pending.calls, pending.keys = None, True, request, [self.key(call) for call in request]
        return pending

    async def go_on(self, pending: Pending) -> Rows:
        """The rest of a trial: its row, and its calls."""
        with closing(pending.steps):
            while True:
                if pending.work is not None:
                    sent = await self._worked(pending.work)
                elif not pending.is_list:
                    [call], [key] = pending.calls, pending.keys
                    missed_at = pending.missed_at if pending.n_come == self.behind.n_come else None  # else it may have come meanwhile
                    sent = pending.answered([await self.complete(call, key, missed_at)])
                else:
                    sent = pending.answered(await self._complete_all(pending))
                pending.missed_at = None
                pending.number = self.behind.n_come
                after = self.step(pending, sent)
                if not isinstance(after, Pending):
                    return after
                await self.behind.kept(pending.number)  # so that whatever ends this process, only what is under way is sent again

    async def worked(self, pending: Pending) -> Pending | Rows:
        """A trial that waits for work, until it needs an answer that is not stored."""
        while pending.work is not None:
            after = self.step(pending, await self._worked(pending.work))
            if isinstance(after, tuple) or isinstance(after := self._on(after, self._found(after)), tuple):
                return after
        return pending

    async def _complete_all(self, pending: Pending) -> list[Completion]:
        """The answers to calls that are sent together; where one cannot be sent, what the others bring is kept all the same."""
        found = await asyncio.gather(*map(self.complete, pending.calls, pending.keys), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return cast("list[Completion]", found)

    async def _worked(self, work: Work) -> Any:  # noqa: ANN401 (what the user's code returns)
        """The result of the user's code, or the exception that it raised: no such code runs on the event loop, unless it is async."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._workers, work.function, *work.arguments)
            return await result if inspect.isawaitable(result) else result
        except (Exception, SystemExit) as error:  # whatever code of the user's raises
            return error

    async def complete(self, call: Call, key: str, missed_at: int | None = None) -> Completion:
        """The stored answer, or a paid one; two equal requests at the same time are paid once. With `missed_at` the cache is not asked."""
        if key in self._under_way:
            return replace(await asyncio.shield(self._under_way[key]), cached=True)
        n_foreign = self._n_foreign() if missed_at is None else missed_at
        found = self._stored(key) if missed_at is None else self.behind.get(key)
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
            completion = await self._paid_once(call, key, n_foreign)
            future.set_result(completion)
            return completion
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # read here, so that asyncio does not complain when nobody else waited
            raise
        finally:
            del self._under_way[key]

    async def _paid_once(self, call: Call, key: str, n_foreign: int) -> Completion:
        """A paid answer, unless another process pays for it now or has done so since `n_foreign`."""
        claims = self.claims if not self._models[call.model].simulated else None
        if claims is None or self.cache is None:
            return await self._paid(call, key)
        if not claims.take(key):
            await claims.wait(key, self.stop, self.gateway.patience_s)
        on_its_way = False
        try:
            if claims.n_foreign() != n_foreign and (found := self.cache.get(key)) is not None:
                self.progress.n_cached += 1
                return found
            completion = await self._paid(call, key)
            on_its_way = completion.outcome != "error"
            return completion
        finally:
            if not on_its_way:
                claims.release([key])

    def _n_foreign(self) -> int:
        return self.claims.n_foreign() if self.claims is not None else 0

    def _stored(self, key: str) -> Completion | None:
        """An answer that is there already, or on its way into the cache."""
        return self.failures.get(key) or self.behind.get(key) or (self.cache.get(key) if self.cache is not None else None)

    def asked(self, call: Call) -> Call:
        """The call under the name that LiteLLM knows the model by: a short name must not decide what is paid twice."""
        return replace(call, model=self._models[call.model].litellm_name)

    def key(self, call: Call) -> str:
        """The key of `asked(call)`."""
        return call.key_as(self._models[call.model].litellm_name)

    async def _paid(self, call: Call, key: str) -> Completion:
        completion = self.first_used(await self.payer.paid(call))
        if self.cache is not None and completion.outcome != "error":
            self._come.add(key)
            self.behind.put(key, completion, request_of(call, self._models[call.model].litellm_name))
        return completion

    def first_used(self, completion: Completion) -> Completion:
        """A new answer, which from now on says when it came and for which run."""
        completion.answered_at, completion.first_run = now(), self.run_id
        return completion

    def _rows(self, trial: Trial, done: Finished, made: Sequence[Made]) -> Rows:
        return rows_of(trial, self._first.shared(trial).row, done, made, self._written, self.run_id)


def _end_of(call: Call) -> str:
    text = call.messages[-1]["content"] if call.messages else ""
    return f"...{text[-60:]}" if len(text) > 60 else text


def engine_of(
    study: Study, cache: Cache | None, budget: Budget, progress: Progress, execution: Execution | None,
    served_at: Mapping[str, str] = MappingProxyType({}),
) -> Engine:  # fmt: skip
    """The engine of a study, with a gateway of its own: close that at the end. Without `execution` it can send nothing.

    `served_at` gives addresses by the model's name to the gateway alone, so that no key and no record holds them.
    """
    design = study.design
    gateway = cast("Gateway", None)
    if execution is not None:
        models = [replace(model, api_base=served_at.get(model.name, model.api_base)) for model in study.models]
        world = World(design, study.sims) if any(model.simulated for model in models) else None
        gateway = Gateway(
            models,
            study.prices,
            world,
            wire=execution.wire,
            concurrency=execution.concurrency,
            workers=execution.workers,
            probe=execution.probe and study.experiment.probe,
        )
        progress.noted = gateway.notes
    sampling = study.experiment.sampling.asked()
    engine = Engine(
        design, study.scorings, sampling, study.prices, gateway, cache, budget=budget, progress=progress, judges=study.judges,
        limits=study.limits, run_id=study.run_id,
    )  # fmt: skip
    if execution is not None:
        engine.payer.at_first = max(1, AT_FIRST // execution.workers)
        gateway.on_sent = engine.payer.keep
    return engine

"""Trials become rows: render -> strategy -> cache -> budget -> gateway -> metric. The only place with concurrency besides the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from promptlab.cache import Cache
from promptlab.design import Design, draw_number
from promptlab.errors import BudgetReached, ProviderStopped
from promptlab.gateway import Gateway
from promptlab.gateway.prices import cost_usd
from promptlab.metrics import Metric, compliant, declines, echoed
from promptlab.render import render
from promptlab.schema import Answer, Call, Completion, Model, Price, Task, Trial
from promptlab.strategies import SAMPLING, StrategyOf, strategy_of

Row = dict[str, Any]
Arm = tuple[str, str, int, str, str]
"""Model, placement, shots, strategy and arm."""
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
    paid_usd: float = 0.0
    n_sent: int = 0
    last_error: str | None = None
    stopped: dict[str, str] = field(default_factory=dict)
    budget_reached: str | None = None


@dataclass(slots=True)
class Budget:
    """Money is set aside before each request and settled after it, so that concurrent requests cannot overshoot together."""

    limit_usd: float | None
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, amount_usd: float) -> None:
        """Set money aside. Waits while requests under way hold more than they will cost; BudgetReached when that is not enough."""
        while self.limit_usd is not None and self.spent_usd + self.reserved_usd + amount_usd > self.limit_usd:
            if not self.reserved_usd:
                raise BudgetReached(
                    f"the budget of ${self.limit_usd:g} is reached: ${self.spent_usd:.4f} is spent, and the next request could cost "
                    f"${amount_usd:.4f}"
                )
            self._settled.clear()
            await self._settled.wait()
        self.reserved_usd += amount_usd

    def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """Replace what was set aside by what it cost; an unknown cost counts as what was set aside."""
        self.reserved_usd = max(0.0, self.reserved_usd - reserved_usd)
        if self.reserved_usd < 1e-12:
            self.reserved_usd = 0.0  # sums of floats do not come back to 0 by themselves
        self.spent_usd += reserved_usd if cost_usd is None else cost_usd
        self._settled.set()


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

    def __post_init__(self) -> None:
        self._models = {model.name: model for model in self.design.models}
        self._tasks = {task.id: task for task in self.design.tasks}

    def call(self, trial: Trial) -> Call:
        """The first call of a trial."""
        model = self._models[trial.model]
        draw = draw_number(trial, self.design.replicates)
        sampling = self._sampling(model)
        if "seed" in sampling:  # one seed for all would make every repeat the same answer
            sampling["seed"] += draw
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
                self.gateway.effective(model, {**self._sampling(model), **SAMPLING[strategy]})
        return {model.name: self.gateway.effective(model, self._sampling(model)) for model in self.design.models}

    def _sampling(self, model: Model) -> dict[str, Any]:
        asked = {**self.sampling, **model.sampling}
        if model.simulated:
            asked.setdefault("seed", self.design.seed)
        return asked

    async def run(self, trial: Trial) -> tuple[Row, list[Row]]:
        """One trial as a row, and its calls."""
        metric = self.metrics[(trial.task, trial.model)]
        strategy = strategy_of(self.call(trial), trial, lambda text: metric(text, trial.item).score, self.programs)
        made: list[tuple[Call, Completion]] = []
        completion: Completion | None = None
        with closing(strategy):
            while True:
                try:
                    call = next(strategy) if completion is None else strategy.send(completion)
                except StopIteration as stop:
                    return self._rows(trial, stop.value, made)
                completion = await self.complete(call)
                made.append((call, completion))

    async def complete(self, call: Call) -> Completion:
        """The cached answer, or a paid one; two equal requests at the same time are paid once."""
        key = self._key(call)
        if key in self._under_way:
            return replace(await asyncio.shield(self._under_way[key]), cached=True)
        if self.cache is not None and (found := self.cache.get(key)) is not None:
            self.progress.n_cached += 1
            return found
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

    def _key(self, call: Call) -> str:
        """The call's key under the name that LiteLLM knows the model by: a short name must not decide what is paid twice."""
        return replace(call, model=self._models[call.model].litellm_name).key

    async def _paid(self, call: Call, key: str) -> Completion:
        reserved = self._most_usd(call)
        await self.budget.reserve(reserved)
        completion = None
        try:
            completion = await self.gateway.complete(call)
        finally:
            self.budget.settle(reserved, completion.cost_usd if completion else 0.0)
            self.progress.n_sent = self.gateway.n_sent
        if completion.cost_usd is None and completion.outcome != "error":
            self.progress.n_unpriced += 1
        self.progress.paid_usd += completion.cost_usd or 0.0
        if self.cache is not None:
            self.cache.put(key, completion)
        return completion

    def _most_usd(self, call: Call) -> float:
        """An upper estimate of what a request costs: one token for every two characters, and the longest answer allowed."""
        n_input = sum(len(message["content"]) for message in call.messages) // 2 + 16
        n_output = call.sampling.get("max_tokens", UNKNOWN_OUTPUT_TOKENS)
        return cost_usd(self.prices.get(call.model), n_input, n_output) or 0.0

    def _rows(self, trial: Trial, answer: Answer, made: list[tuple[Call, Completion]]) -> tuple[Row, list[Row]]:
        task = self._tasks[trial.task]
        metric = self.metrics[(task.id, trial.model)]
        last = made[-1][1] if made else None  # a program may fail before it asks anything
        outcome, score, extracted = answer.outcome, None, None
        if outcome != "error":  # a failed call is missing, never 0; whatever a model says or refuses to say is scored
            scored = metric(answer.text, trial.item)
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
            for call, completion in made
        ]
        if c.program:  # the calls before the last are steps of its own
            by_call = [score if n == len(made) else None for n in range(1, len(made) + 1)]
        answers = [value for (call, _), value in zip(made, by_call, strict=True) if call.purpose == "answer"][-1 if c.program else 0 :]
        solved_at = c.loop.solved_at if c.loop else 1.0
        costs = [completion.cost_usd for _, completion in made]
        row: Row = {
            "trial": trial.id,
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
            "compliant": None if outcome == "error" else compliant(answer.text, trial.item),
            "echoed": None if outcome == "error" else echoed(answer.text, trial.item),
            "declined": None if outcome == "error" else outcome == "refused" or declines(answer.text),
            "answer": answer.text,
            "oracle": c.loop is not None and c.loop.oracle,
            "n_rounds": len(answers),
            "solved_round": next((n for n, value in enumerate(answers, 1) if value is not None and value >= solved_at), None),
            "n_calls": len(made),
            "input_tokens": _total([completion.input_tokens for _, completion in made]),
            "output_tokens": _total([completion.output_tokens for _, completion in made]),
            "cost_usd": _total(costs),
            "paid_usd": _total([0.0 if completion.cached else completion.cost_usd for _, completion in made]),
            "latency_s": sum(completion.latency_s for _, completion in made),
            "cached": all(completion.cached for _, completion in made),
            "attempts": sum(completion.attempts for _, completion in made),
            "model_version": last.model_version if last else None,
            "error": answer.error or (last.error if last else None),
        }
        calls = [
            {
                "trial": trial.id,
                "turn": turn,
                "key": self._key(call),
                "messages": json.dumps([dict(m) for m in call.messages], ensure_ascii=False),
                "requested": json.dumps(dict(call.sampling), sort_keys=True),
                "effective": json.dumps(dict(completion.effective), sort_keys=True),
                "text": completion.text,
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
                "top_logprobs": json.dumps(completion.top_logprobs) if completion.top_logprobs else None,
                "round": call.round,
                "purpose": call.purpose,
                "cue": call.cue,
                "emotion": call.emotion,
                "score": by_call[turn],
            }
            for turn, (call, completion) in enumerate(made)
        ]
        return row, calls


def _total(values: list[Any]) -> Any:  # noqa: ANN401 (int or float, as given)
    return None if any(value is None for value in values) else sum(values)


async def rows(engine: Engine, todo: Iterator[Trial], concurrency: int, stop: asyncio.Event) -> AsyncGenerator[tuple[Row, list[Row]], None]:
    """Run the trials of `todo`; yield each as it finishes, at most `concurrency` under way.

    Setting `stop` sends nothing more and waits for what is under way: it is paid for. A stopped provider ends its own models
    only; a reached budget ends the sweep. Both are told in `engine.progress`.
    """
    progress = engine.progress
    pending: set[asyncio.Task[tuple[Row, list[Row]]]] = set()
    try:
        while True:
            while len(pending) < concurrency and not stop.is_set() and progress.budget_reached is None:
                trial = next(todo, None)
                if trial is None:
                    break
                pending.add(asyncio.create_task(engine.run(trial), name=trial.model))
            if not pending:
                return
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for finished in done:
                result = _result(finished, progress)
                if result is not None:
                    yield result
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def unrecorded(engine: Engine, segment: Iterable[Trial], recorded: Set[str], unneeded: Set[Arm] = frozenset()) -> Iterator[Trial]:
    """Those trials of a segment that must be sent: not recorded yet, of no stopped provider, of no arm that a look ended."""
    for trial in segment:
        c = trial.condition
        if trial.model in engine.progress.stopped or trial.id in recorded:
            continue
        if unneeded and (trial.model, c.placement.name, c.shots, c.strategy, c.arm) in unneeded:
            engine.progress.n_skipped += 1
            continue
        yield trial


def _result(finished: asyncio.Task[tuple[Row, list[Row]]], progress: Progress) -> tuple[Row, list[Row]] | None:
    try:
        row, calls = finished.result()
    except ProviderStopped as error:
        progress.stopped.setdefault(finished.get_name(), str(error))
        return None
    except BudgetReached as error:
        progress.budget_reached = progress.budget_reached or str(error)
        return None
    progress.n_done += 1
    if row["outcome"] == "error":
        progress.n_errors += 1
        progress.last_error = row["error"]
    return row, calls

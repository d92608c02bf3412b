"""What an experiment costs: calls, tokens, USD and time of every model, from the most calls of strategies and scorings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from operator import attrgetter
from typing import Any, overload

from promptlab.design.cross import Design
from promptlab.design.render import render
from promptlab.nouns import (
    Answer,
    Arm,
    Call,
    Case,
    Counts,
    Estimate,
    Item,
    Model,
    Price,
    Scoring,
    Steps,
    Strategy,
    Task,
    Trial,
    Work,
    merged,
    most_output,
)
from promptlab.planning.requests import cached_tokens, caches_by_itself
from promptlab.planning.study import Study
from promptlab.strategies import begun

SECONDS_A_CALL = (0.4, 3.0)
"""A short answer from a hosted model, low and high: for the minutes only."""
CHARS_A_TOKEN = (5.0, 3.0)
OUTPUT_TOKENS_UNSET = (5, 300)
SAMPLE_ITEMS = 20


def counts(study: Study) -> Counts:
    """How much there is of everything."""
    design = study.design
    n_items = sum(len(task.items) for task in design.tasks)
    return Counts(
        models=len(design.models),
        tasks=len(design.tasks),
        items=n_items,
        arms=len({arm.name for arm in design.arms}),
        conditions=len(design.arms),
        trials=design.n_trials,
        calls=_calls(design, attrgetter("max_calls")) * len(design.models) + sum(n_calls[1] for _, _, n_calls in _judged(study)),
    )


def _calls(design: Design, of_strategy: Callable[[Strategy], int]) -> int:
    """Calls of one model over all items and arms."""
    each = (len(task.items) * sum(of_strategy(arm.strategy) for arm in design.arms_of(task)) for task in design.tasks)
    return design.replicates * sum(each)


def estimates(study: Study) -> tuple[Estimate, ...]:
    """What each model takes, those that only scorings ask included."""
    return (*(estimate(study, model.name) for model in study.design.models), *(_estimated_judge(study, judge) for judge in study.judges))


def _judged(study: Study) -> list[tuple[Task, Scoring, tuple[int, int]]]:
    """Tasks whose scorings ask models, and how many calls that takes, at least and at most."""
    design, found = study.design, []
    strategies = [arm.strategy for arm in design.arms]
    n_scored = sum(s.max_calls if s.scores_attempts or s.needs & {"verifier", "reader"} else 1 for s in strategies)
    for task in design.tasks:
        scoring = study.scorings[task.id, design.models[0].name]
        a_pass = len(task.items) * len(design.models) * design.replicates
        if scoring.models:
            controls = sum(arm.role == "baseline" for arm in design.arms) * scoring.control_calls * a_pass
            found.append((task, scoring, (a_pass * len(strategies), a_pass * n_scored * scoring.max_calls + controls)))
    return found


def _estimated_judge(study: Study, judge: Model) -> Estimate:
    """The same for a model that scores: the answers that it reads are as long as their models may make them."""
    asked = study.experiment.sampling.asked()
    longest = max(most_output(merged(asked, model.sampling)) or OUTPUT_TOKENS_UNSET[1] for model in study.design.models)
    answers = (min(OUTPUT_TOKENS_UNSET[0], longest), longest)
    calls, tokens = [0, 0], [0, 0]
    for task, scoring, n_calls in _judged(study):
        if judge in scoring.models:
            sample = task.items[:SAMPLE_ITEMS]
            chars = sum(_first_chars(scoring.steps("?", item, Case(opponent=_silent))) for item in sample) / len(sample)
            for i in (0, 1):
                calls[i] += n_calls[i]
                tokens[i] += int(n_calls[i] * (chars / CHARS_A_TOKEN[i] + answers[i]))
    return _priced(study, judge, calls, tokens, most_output(judge.sampling) or OUTPUT_TOKENS_UNSET[1])


def estimate(study: Study, model_name: str) -> Estimate:
    """What one model takes.

    Prompts of up to 20 items a task are rendered in every arm; the rest is their mean.
    """
    design = study.design
    model = next(m for m in design.models if m.name == model_name)
    chars = most_chars = 0.0
    for task in design.tasks:
        sample = task.items[:SAMPLE_ITEMS]
        each = [(_chars(task, item, arm), arm) for item in sample for arm in design.arms_of(task)]
        first = sum(n * arm.strategy.n_first for n, arm in each)
        every = sum(n * arm.strategy.max_calls + _said(arm) for n, arm in each)
        chars += first / max(len(sample), 1) * len(task.items) * design.replicates
        most_chars += every / max(len(sample), 1) * len(task.items) * design.replicates
    n_calls = [_calls(design, attrgetter(name)) for name in ("n_first", "max_calls")]
    asked = merged(study.experiment.sampling.asked(), model.sampling)
    most = max(most_output(merged(asked, dict(arm.setting.sampling))) or OUTPUT_TOKENS_UNSET[1] for arm in design.arms)
    tokens = [int(chars / CHARS_A_TOKEN[0]), int(most_chars / CHARS_A_TOKEN[1]) + _answers_again(design, most)]
    price = study.prices[model.name]
    may_cache = price is not None and price.cached_input_usd_per_mtok is not None and caches_by_itself(model)
    cached = cached_tokens(design) if may_cache else 0
    return _priced(study, model, n_calls, tokens, most, cached=cached)


def _priced(study: Study, model: Model, n_calls: Sequence[int], n_input: Sequence[int], most: int, *, cached: int = 0) -> Estimate:
    """A row of the estimates: calls and input tokens low and high, the most tokens of one answer, and input that may be cached."""
    tokens = [(n_input[0], n_calls[0] * min(OUTPUT_TOKENS_UNSET[0], most)), (n_input[1], n_calls[1] * most)]
    price = study.prices[model.name]
    seconds = SECONDS_A_CALL
    if model.simulated:
        latency = study.sims[model.litellm_name.removeprefix("sim/")].latency_ms / 1000
        seconds = (latency + 0.05, latency + 0.2)  # what the client itself needs for a call, at 16 under way on two cores
    return Estimate(
        model=model.name,
        simulated=model.simulated,
        calls=n_calls[1],
        input_tokens=(tokens[0][0], tokens[1][0]),
        output_tokens=(tokens[0][1], tokens[1][1]),
        usd=tuple(_usd(price, n, *pair) for n, pair in zip(n_calls, tokens, strict=True)),
        usd_cached=tuple(_usd(price, n, *pair, cached) for n, pair in zip(n_calls, tokens, strict=True))
        if cached and price is not None
        else None,
        price=None if price is None else (price.input_usd_per_mtok, price.output_usd_per_mtok, price.source),
        seconds_one_by_one=(n_calls[0] * seconds[0], n_calls[1] * seconds[1]),
    )


@overload
def _usd(price: None, n_calls: int, n_input: int, n_output: int, n_cached: int = 0) -> None: ...
@overload
def _usd(price: Price, n_calls: int, n_input: int, n_output: int, n_cached: int = 0) -> float: ...
def _usd(price: Price | None, n_calls: int, n_input: int, n_output: int, n_cached: int = 0) -> float | None:
    """What so many calls cost that take so many tokens together."""
    return None if price is None else n_calls * price.cost(*(n / max(n_calls, 1) for n in (n_input, n_output, n_cached)))


def minutes(estimates: Sequence[Estimate], concurrency: int) -> tuple[float, float]:
    """Minutes for all models at `concurrency` calls under way, low and high."""
    low, high = (sum(row.seconds_one_by_one[i] for row in estimates) / concurrency / 60 for i in (0, 1))
    return low, high


def _said(arm: Arm) -> int:
    """Characters of all remarks that the calls of a loop repeat."""
    loop = arm.loop
    if loop is None or loop.kind != "feedback":
        return 0
    longest = max((len(cue.text) for step in loop.cues for cue in step), default=0) + len(loop.verdict) + len(loop.request)
    return longest * loop.candidates * loop.rounds * (loop.rounds - 1) // 2


def _answers_again(design: Design, most: int) -> int:
    """Tokens of earlier answers that the calls of loops send again, at most."""
    a_pass = sum(len(task.items) for task in design.tasks) * design.replicates
    again = sum(
        loop.candidates * loop.rounds * (loop.rounds - 1) // 2 for arm in design.arms if (loop := arm.loop) and loop.kind == "feedback"
    )
    return a_pass * again * most


def _chars(task: Task, item: Item, arm: Arm) -> int:
    """Characters of the first call's messages; a strategy that writes its own is run until it asks."""
    if "prompts" not in arm.strategy.needs:
        return sum(len(message["content"]) for message in render(task, item, arm))
    return _first_chars(begun(Call("", (), {}), Trial(0, task.id, item, arm, "", 0)))


def _silent() -> Steps[Answer]:
    """The baseline's answer to any item, for an estimate."""
    yield from ()
    return Answer("??", "ok")


def _first_chars(steps: Steps[Any]) -> int:
    """Characters of the first call of a strategy or a scoring; it is run until it asks, and no code of the user's is."""
    with closing(steps):
        try:
            first = next(steps)
            while isinstance(first, Work):
                first = steps.send(True)
        except StopIteration:
            return 0
        first = first[0] if isinstance(first, list) else first
    return sum(len(message["content"]) for message in first.messages) if isinstance(first, Call) else 0

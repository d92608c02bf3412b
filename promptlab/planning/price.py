"""What an experiment costs: calls, tokens, USD and time of every model, from the most calls of strategies and scorings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import combinations
from operator import attrgetter
from typing import Any, overload

from promptlab.design.cross import Design, placebos_of
from promptlab.design.render import render
from promptlab.nouns import Answer, Call, Counts, Estimate, Item, Model, Price, Setting, Task, merged, most_output
from promptlab.nouns.arm import Arm, Case, Scoring, Steps, Strategy, Trial, Work
from promptlab.planning.requests import cached_tokens, caches_by_itself
from promptlab.planning.study import Study
from promptlab.stats import MOST
from promptlab.strategies import begun

SECONDS_A_CALL = (0.4, 3.0)
"""A short answer from a hosted model, low and high: for the minutes only."""
CHARS_A_TOKEN = (5.0, 3.0)
OUTPUT_TOKENS_UNSET = (5, 300)
SAMPLE_ITEMS = 20


def parts(study: Study, n_chosen: int = MOST) -> tuple[Study, ...]:
    """The study as it is sent: its screening part, and its confirming part with so many of the arms that are chosen among, the dearest
    ones; the study itself where nothing is screened.
    """
    design = study.design
    if not design.screened:
        return (study,)
    first = study.experiment.reference_prompt
    reference = next((arm.setting for arm in design.arms if arm.setting.prompt == first), design.arms[0].setting)
    texts = any(arm.role == "stimulus" for arm in design.arms) and not study.prompts
    neutral = [arm.stimulus for arm in design.arms if arm.role == "placebo" and arm.stimulus]
    always: set[int] = set()
    by_place: dict[Setting | None, dict[str, set[int]]] = {}
    for number, arm in enumerate(design.arms):
        if arm.role in ("stimulus", "loop"):
            place = arm.setting.pooled if texts or arm.loop else None
            group = by_place.setdefault(place, {}).setdefault(arm.name if place else f"{arm.setting} {arm.name}", set())
            names = {placebo.id for placebo in placebos_of(arm.stimulus, neutral, study.n_tokens)} if arm.stimulus and neutral else set()
            group |= {number, *(n for n, other in enumerate(design.arms) if other.name in names and other.setting == arm.setting)}
        elif arm.role == "baseline" and not texts and not arm.loop and arm.setting != reference:
            by_place.setdefault(None, {})[f"{arm.setting} {arm.name}"] = {number}
        elif arm.role != "placebo":
            always.add(number)
    task = design.tasks[0]
    weight = [_chars(task, task.items[0], arm) * arm.strategy.max_calls for arm in design.arms]
    for of_place in by_place.values():
        unions = (set[int]().union(*some) for some in combinations(of_place.values(), min(n_chosen, len(of_place))))
        always |= max(unions, key=lambda numbers: sum(weight[n] for n in numbers))
    asked = [arm for arm in design.arms if arm.role not in ("placebo", "loop_control")]
    both = [
        (asked, [slice(n) for n in design.screened]),
        ([arm for number, arm in enumerate(design.arms) if number in always], [slice(n, None) for n in design.screened]),
    ]
    return tuple(
        replace(study, design=replace(design, arms=tuple(arms), screened=(), tasks=tuple(
            replace(task, items=task.items[part]) for task, part in zip(design.tasks, split, strict=True)
        )))
        for arms, split in both
    )  # fmt: skip


def counts(study: Study, n_chosen: int = MOST) -> Counts:
    """How much there is of everything; of a run that screens first, what is sent at most where so many arms continue."""
    if study.design.screened:
        first, rest = (counts(part) for part in parts(study, n_chosen))
        whole = counts(replace(study, design=replace(study.design, screened=())))
        return replace(whole, trials=first.trials + rest.trials, calls=first.calls + rest.calls)
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


def estimates(study: Study, n_chosen: int = MOST) -> tuple[Estimate, ...]:
    """What each model takes, those that only scorings ask included; of a run that screens first, as `counts` has it."""
    if study.design.screened:
        return tuple(_both(*pair) for pair in zip(*(estimates(part) for part in parts(study, n_chosen)), strict=True))
    return (*(estimate(study, model.name) for model in study.design.models), *(_estimated_judge(study, judge) for judge in study.judges))


def _both(one: Estimate, other: Estimate) -> Estimate:
    """Two parts of a run together."""
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in SUMMED}
    sums: dict[str, Any] = {
        name: None if None in pair else tuple(None if None in ab else sum(ab) for ab in zip(*pair, strict=True))
        for name, pair in pairs.items()
    }
    return replace(one, calls=one.calls + other.calls, **sums)


SUMMED = ("input_tokens", "output_tokens", "usd", "usd_cached", "seconds_one_by_one")


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
            chars = sum(_first_chars(scoring.steps("?", item, Case(opponent=_silent, spent=lambda: (0.0, 0.0)))) for item in sample) / len(
                sample
            )
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
    """Minutes for all models at `concurrency` calls in flight, low and high."""
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

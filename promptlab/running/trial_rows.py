"""From a finished trial to its rows of the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from promptlab.nouns import Arm, Call, Completion, Model, Outcome, Scored, Task, Trial
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS, CallRow, TrialRow, made_of, shared, totals
from promptlab.record.store.files import written
from promptlab.running.gateway.wire import storable
from promptlab.scoring.metrics import form_of

Rows = tuple[TrialRow, list[CallRow]]
"""A trial's row, and those of its calls."""
Made = tuple[Call, str, Completion]
"""A call, its key, and its answer."""
SHARED = shared(CallRow, Completion)
FACTS_OF = attrgetter(*SHARED)
TOTALS = totals(TrialRow)
TOTALS_OF = attrgetter(*TOTALS)
NO_TRIAL: Mapping[str, Any] = dict.fromkeys(TRIAL_COLUMNS)
NO_CALL: Mapping[str, Any] = dict.fromkeys(CALL_COLUMNS)
"""A row without any value: a copy of it grows no more, which is most of what making a row takes."""


@dataclass(slots=True)
class Finished:
    """What a trial came to: the answer of its strategy, and its score; None where it has none."""

    text: str
    outcome: Outcome
    error: str | None
    scored: Scored | None
    by_call: Sequence[float | None]
    """The score of each call, in the order in which they were made."""


def rows_of(
    trial: Trial, shared: Mapping[str, Any], done: Finished, made: Sequence[Made], parameters: Callable[[Mapping[str, Any]], str], run: str
) -> Rows:
    """The trial's row and those of its calls. `shared` are the `constants` of its row; `parameters` writes JSON; `run` is the run's id."""
    name, arm, item = trial.id, trial.arm, trial.item
    text, outcome, scored = done.text, done.outcome, done.scored
    calls: list[CallRow] = []
    answers: list[Completion] = []
    attempts: list[tuple[int, float | None]] = []
    paid: float | None = 0.0
    is_cached, older = True, None
    for turn, ((call, key, one), score) in enumerate(zip(made, done.by_call, strict=True)):
        if call.purpose != "score":
            answers.append(one)
        if call.purpose == "answer":
            attempts.append((call.round, score))
        if not one.cached:
            is_cached, paid = False, total((paid, one.cost_usd))
        if older is None and one.first_run != run:
            older = one.first_run
        of_call = dict(NO_CALL)  # which has room for all
        of_call.update(zip(SHARED, FACTS_OF(one), strict=True))
        of_call["trial"], of_call["turn"], of_call["key"], of_call["score"] = name, turn, key, score
        of_call["messages"] = written(call.messages)
        of_call["requested"] = parameters(call.sampling)
        of_call["effective"] = parameters(one.effective)
        of_call["top_logprobs"] = written(one.top_logprobs) if one.top_logprobs else None
        of_call["round"], of_call["purpose"], of_call["cue"], of_call["emotion"] = call.round, call.purpose, call.cue, call.emotion
        of_call["text"] = storable(one.text)
        calls.append(made_of(CallRow, of_call))
    last = answers[-1] if answers else None  # a program may fail before it asks anything
    error = done.error or (last.error if last else None)
    attempts = attempts[-1:] if arm.program else attempts  # the calls before the last are steps of its own
    is_missing = outcome == "error"
    is_compliant, is_echoed, is_declined = (None, None, None) if is_missing else form_of(text, item)
    sums = TOTALS_OF(answers[0]) if len(answers) == 1 else [total([getattr(one, field) for one in answers]) for field in TOTALS]
    row = dict(shared)
    row["trial"], row["order"], row["replicate"] = name, trial.order, trial.replicate
    row["item"], row["cluster"] = item.id, item.cluster
    row["outcome"], row["answer"], row["n_calls"] = outcome, text, len(made)
    row["score"] = None if scored is None else scored.score
    row["extracted"] = None if scored is None else scored.extracted
    row["rule"] = None if scored is None else scored.rule or None
    row["parts"] = written(dict(scored.parts)) if scored is not None and scored.parts else None
    row["compliant"], row["echoed"] = is_compliant, is_echoed
    row["declined"] = is_declined or (outcome == "refused" if not is_missing else None)
    row["n_rounds"] = len({number for number, _ in attempts})
    row["solved_round"] = next((n + 1 for n, value in attempts if value is not None and value >= arm.strategy.solved_at), None)
    row["paid_usd"], row["cached"], row["older"] = paid, is_cached, older
    row["model_version"] = last.model_version if last else None
    row["error"] = storable(error) if error else error
    row.update(zip(TOTALS, sums, strict=True))
    return made_of(TrialRow, row), calls


def constants(arm: Arm, task: Task, model: Model) -> dict[str, Any]:
    """What the rows of all trials of an arm, a task and a model share, in a row that lacks the rest."""
    setting = arm.setting
    return {
        **NO_TRIAL,
        "model": model.name,
        "simulated": model.simulated,
        "suite": task.suite,
        "task": task.name,
        "arm": arm.name,
        "role": arm.role,
        "stimulus": arm.stimulus.id if arm.stimulus else None,
        "library": arm.library,
        "base_prompt": setting.prompt or "",
        "setting": setting.id,
        "placement": setting.placement,
        "shots": setting.shots,
        "strategy": setting.strategy,
        "oracle": arm.strategy.oracle,
    }


def completion_in(call: CallRow) -> Completion:
    """The completion that a row of a call was made of, but for the parameters that were requested."""
    top = json.loads(call.top_logprobs) if call.top_logprobs else ()
    facts = dict(zip(SHARED, FACTS_OF(call), strict=True))
    return Completion(**facts, effective=json.loads(call.effective), top_logprobs=tuple((token, value) for token, value in top))


def total(values: Iterable[Any]) -> Any:  # noqa: ANN401 (a count or an amount)
    """The sum; None as soon as one of them is unknown."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total

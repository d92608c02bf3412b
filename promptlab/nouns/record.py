"""The rows of a record: one dataclass for each kind, from whose fields columns, files and totals follow.

A field that a later version adds is nullable: rows of earlier versions do not have it, and read as None. Readers ignore columns
that they do not know. A field with `words` is a fact that exports and the explorer show by itself; one that is a `total` of a trial
is the sum over its calls, None as soon as it is unknown of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def _fact(words: str | None = None, *, total: bool = False) -> Any:  # noqa: ANN401 (as `dataclasses.field`)
    return field(default=None, metadata={"words": words, "total": total})


@dataclass(kw_only=True)  # not frozen: thousands are made in a second, and freezing doubles the time of each
class TrialRow:
    """One trial. `task` is the bare name, `suite` next to it.

    `compliant` (the reply has the form that was requested), `echoed` (it is the input again) and `declined` (it refuses in words)
    never change the score. `rule` names how `extracted` was found in the answer.
    `cost_usd` is the price of the answer, that of scoring it left out; `paid_usd` what this run paid for both (0 when
    every call came from the cache). `parts` are the named scores that make the score, as a JSON object.
    """

    trial: str
    order: int
    model: str
    simulated: bool
    suite: str
    task: str
    item: str
    cluster: str | None = None
    arm: str
    role: str
    stimulus: str | None = None
    library: str | None = None
    base_prompt: str
    setting: str
    """The id of the setting in the plan; placement, shots and strategy name its factors."""
    placement: str
    shots: int
    strategy: str
    replicate: int
    outcome: str
    score: float | None = None
    extracted: str | None = None
    rule: str | None = None
    parts: str | None = None
    compliant: bool | None = None
    echoed: bool | None = None
    declined: bool | None = None
    answer: str
    oracle: bool | None = None
    n_rounds: int | None = None
    solved_round: int | None = None
    n_calls: int
    input_tokens: int | None = _fact(total=True)
    output_tokens: int | None = _fact(total=True)
    cost_usd: float | None = _fact(total=True)
    paid_usd: float | None = None
    latency_s: float | None = field(default=None, metadata={"total": True})
    cached: bool
    attempts: int = field(metadata={"total": True})
    model_version: str | None = None
    error: str | None = None
    reasoning_tokens: int | None = _fact("reasoning tokens", total=True)
    cached_input_tokens: int | None = _fact("input tokens from the provider's cache", total=True)
    written_input_tokens: int | None = _fact("input tokens written to the provider's cache", total=True)
    reported_cost_usd: float | None = _fact("price that the provider reports, in USD", total=True)
    older: str | None = None
    """The run that first used one of its answers, where that is another one."""


@dataclass(kw_only=True)
class CallRow:
    """One call of a trial. `messages`, `requested`, `effective` and `top_logprobs` are JSON text.

    `top_logprobs` holds the likeliest first tokens with their log-probabilities, where a strategy asks for them.
    """

    trial: str
    turn: int
    key: str
    messages: str
    requested: str
    effective: str
    text: str
    outcome: str
    finish_reason: str | None = None
    model_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    cached: bool
    attempts: int
    error: str | None = None
    top_logprobs: str | None = None
    round: int | None = None
    purpose: str | None = None
    cue: str | None = None
    emotion: str | None = None
    score: float | None = None
    fingerprint: str | None = None
    reasoning: str | None = _fact("reasoning")
    reasoning_tokens: int | None = _fact("reasoning tokens")
    cached_input_tokens: int | None = _fact("input tokens from the provider's cache")
    written_input_tokens: int | None = _fact("input tokens written to the provider's cache")
    fee_usd: float | None = _fact("fee of the request, in USD")
    at_most_usd: float | None = _fact("cost at most, in USD")
    reported_cost_usd: float | None = _fact("price that the provider reports, in USD")
    response_id: str | None = _fact("id of the answer")
    request_id: str | None = _fact("id of the request")
    dated: str | None = _fact("date by the provider's clock")
    answered_at: str | None = _fact("answered at")
    first_run: str | None = _fact("first used by the run")


@dataclass(frozen=True, kw_only=True)
class ItemRow:
    """One item that a run used; `targets`, `choices` and `scores` (the grade of each choice) are JSON lists.

    `columns` is a JSON object of what whole prompts take from its row.
    """

    suite: str
    task: str
    item: str
    input: str
    targets: str
    choices: str
    cluster: str | None = None
    scores: str | None = None
    columns: str | None = None


def columns_of(kind: type[Any]) -> Mapping[str, str]:
    """The columns of a kind of row, in order: `str`, `int`, `float` or `bool`, with `?` where it may be null."""
    return {f.name: str(f.type).replace(" | None", "?") for f in fields(kind)}


def made_of(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """A row of a value for every column, in a quarter of the time that calling its kind takes."""
    row = object.__new__(kind)
    row.__dict__ = values
    return row


def row_of(kind: type[Kind], row: Mapping[str, Any]) -> Kind:
    """A stored row as its dataclass: what it lacks is None, what is not known is ignored."""
    return kind(**{name: row[name] for name in kind.__dataclass_fields__ if name in row})  # type: ignore[attr-defined]


def shared(kind: type[Any], other: type[Any]) -> tuple[str, ...]:
    """The fields of a kind of row that another dataclass has as well, under the same name and type; what a row may lack it shares too."""
    theirs = {f.name: str(f.type) for f in fields(other)}
    return tuple(f.name for f in fields(kind) if theirs.get(f.name) in (f.type, str(f.type).removesuffix(" | None"), "Outcome"))


def facts_of(kind: type[Any]) -> Mapping[str, str]:
    """The facts of a kind of row that are shown by themselves, with the words for them."""
    return {f.name: f.metadata["words"] for f in fields(kind) if f.metadata.get("words")}


def totals(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a trial's row that are sums over its calls."""
    return tuple(f.name for f in fields(kind) if f.metadata.get("total"))


TRIAL_COLUMNS, CALL_COLUMNS, ITEM_COLUMNS = columns_of(TrialRow), columns_of(CallRow), columns_of(ItemRow)
EVIDENCE_COLUMNS = ("response_id", "request_id", "dated", "answered_at", "first_run")
"""Columns of calls that say who answered when, and for which run."""
CIRCUMSTANCE_COLUMNS = ("latency_s", "cached", "attempts", "paid_usd", "older")
"""Columns that may differ between two runs of the same experiment that gave the same answers."""

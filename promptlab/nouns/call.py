"""Models as the experiment names them and their prices, requests, their answers, and what a strategy and a metric return."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, TypeVar

from promptlab.nouns.identity import KEY_VERSION, _sampling_json, digest_of_text, plain_json, word_json
from promptlab.nouns.redact import MARK
from promptlab.nouns.words import Outcome, Purpose

CONNECTION = ("headers", "api_version", "region", "organisation", "chat_template", "environment")
"""Sampling parameters that decide an answer and are not sent in the body of a request; `environment` is no file's, but the variables that
decide who answers.
"""


@dataclass(frozen=True, slots=True)
class Tier:
    """Prices of a request with more input tokens than `above_tokens`, in USD per million; None: as the input."""

    above_tokens: int
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    written_input_usd_per_mtok: float | None = None


BUDGET = re.compile(r"(?:max_)?(?:thinking|reasoning|thought)s?_?(?:budget|tokens)(?:_tokens)?|thinkingBudget|budget_tokens")
"""Names of parameters that say how many tokens a model may think."""
Rates = TypeVar("Rates", "Price", Tier)


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in USD per million; `request_usd` is a fee for each request, such as that of a search."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    source: str = ""
    cached_input_usd_per_mtok: float | None = None
    """Of input tokens that the provider reads from its cache; None: as the input."""
    written_input_usd_per_mtok: float | None = None
    """Of input tokens that it writes to its cache."""
    reasoning_usd_per_mtok: float | None = None
    """Of reasoning tokens; None: as the output."""
    request_usd: float = 0.0
    tiers: tuple[Tier, ...] = ()
    """By rising `above_tokens`; the last that fits holds for all tokens of a request."""

    def cost(self, n_input: float, n_output: float, n_cached: float = 0, n_written: float = 0, n_reasoning: float = 0) -> float:
        """USD of one request. Cached and written tokens are part of the input, reasoning tokens of the output."""
        rates: Price | Tier = self
        for tier in self.tiers:
            rates = tier if n_input > tier.above_tokens else rates
        n_cached = min(n_cached, n_input)
        n_written = min(n_written, n_input - n_cached)
        n_reasoning = min(n_reasoning, n_output) if self.reasoning_usd_per_mtok is not None else 0
        full = rates.input_usd_per_mtok
        cached, written = rates.cached_input_usd_per_mtok, rates.written_input_usd_per_mtok
        usd = (n_input - n_cached - n_written) * full + (n_output - n_reasoning) * rates.output_usd_per_mtok
        usd += n_cached * (full if cached is None else cached) + n_written * (full if written is None else written)
        return (usd + n_reasoning * (self.reasoning_usd_per_mtok or 0.0)) / 1e6 + self.request_usd

    def most(self, n_input: int, n_output: int) -> float:
        """The most that a request of so many tokens can cost."""
        if self.written_input_usd_per_mtok is self.reasoning_usd_per_mtok is None and not self.tiers:
            return self.cost(n_input, n_output)
        return max(self.cost(n_input, n_output, 0, n_written, n_reasoning) for n_written in (0, n_input) for n_reasoning in (0, n_output))

    def times(self, share: float, source: str) -> Price:
        """The price with tokens at a share of it."""
        return _times(replace(self, source=source, tiers=tuple(_times(tier, share) for tier in self.tiers)), share)


def _times(rates: Rates, share: float) -> Rates:
    names = [name for name in rates.__dataclass_fields__ if name.endswith("_per_mtok") and getattr(rates, name) is not None]
    return replace(rates, **{name: getattr(rates, name) * share for name in names})


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the experiment names it. `api_key_env` is the name of a variable, never a key."""

    name: str
    litellm_name: str
    api_base: str | None = None
    api_key_env: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of its requests; `params` goes into the body as it is, and those in CONNECTION do not go into the body."""
    price: Price | None = None
    timeout_s: float = 60.0
    retries: int | None = None
    """How often a failed call is sent again; None: as often as promptlab finds right."""
    base_env: str | None = None
    """The variable that `api_base` comes from, where it is not the experiment's."""

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        return {"name": self.name, "litellm_name": self.litellm_name, "api_base": self.api_base, "sampling": dict(self.sampling)}

    @property
    def simulated(self) -> bool:
        return self.litellm_name.startswith("sim/")

    @property
    def provider(self) -> str:
        return self.litellm_name.split("/", 1)[0] if "/" in self.litellm_name else "openai"

    @property
    def header_envs(self) -> Mapping[str, str]:
        """Names of headers, with the variables that hold their values."""
        return {name: value["env"] for name, value in self.sampling.get("headers", {}).items()}


def family_of(litellm_name: str) -> str:
    """Which kin a model is of, by the first letters of its name without provider; empty for a simulated one."""
    letters = re.match(r"(?:chat)?([a-z]*)", litellm_name.rpartition("/")[2].lower())
    family = "" if litellm_name.startswith("sim/") or letters is None else letters[1]
    return "gpt" if family == "o" else family


def merged(*samplings: Mapping[str, Any]) -> dict[str, Any]:
    """Sampling parameters, where the later ones hold; those under `params` are merged one by one."""
    found: dict[str, Any] = {}
    for sampling in samplings:
        params = {**found.get("params", {}), **sampling.get("params", {})}
        found = {**found, **sampling, **({"params": params} if params else {})}
    return found


def in_body(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling parameters that belong into a request's body, without `params`."""
    return {name: value for name, value in sampling.items() if name not in CONNECTION and name != "params"}


def as_sent(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """Sampling parameters by the names that a request gives them, as they may be recorded: headers without their values."""
    beside = {name: sampling[name] for name in CONNECTION if name in sampling}
    headers = {"headers": dict.fromkeys(sampling["headers"], MARK)} if "headers" in sampling else {}
    return {**in_body(sampling), **sampling.get("params", {}), **beside, **headers}


def most_output(sampling: Mapping[str, Any]) -> int | None:
    """The most output tokens that a request allows, reasoning included; None where it sets no limit."""
    asked = {**in_body(sampling), **sampling.get("params", {})}
    limits: list[int] = [
        asked[name] for name in ("max_tokens", "max_completion_tokens", "max_output_tokens") if type(asked.get(name)) is int
    ]
    if not limits:
        return None
    thinking = asked.get("thinking")
    budget = int(thinking.get("budget_tokens", 0)) if isinstance(thinking, Mapping) else 0
    return max(limits) + (budget if budget >= max(limits) else 0) + sum(_budgets(asked))


def _budgets(part: Mapping[str, Any]) -> Iterator[int]:
    """What a model may think besides its answer, under every name that providers have for it but Anthropic's."""
    for name, value in part.items():
        if isinstance(value, Mapping) and name != "thinking":
            yield from _budgets({"reasoning_tokens" if key == "max_tokens" else key: inner for key, inner in value.items()})
        elif type(value) is int and value > 0 and BUDGET.fullmatch(name):
            yield value


@dataclass(frozen=True, slots=True)
class Call:
    """All that decides an answer; and `round`, `purpose`, `cue` and `emotion`, which say what it is for and are not in its key.

    `draw` separates repeated requests with the same text: replicate k of the baseline and of its A/A arm must not share
    one cached answer.
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    sampling: Mapping[str, Any]
    draw: int = 0
    api_base: str | None = None
    round: int = 0
    purpose: Purpose = "answer"
    cue: str | None = None
    emotion: str | None = None

    @property
    def key(self) -> str:
        """SHA-256 (hex) of the canonical request."""
        return self.key_as(self.model)

    def key_as(self, model: str) -> str:
        """The key of the same request under another name of its model."""
        return digest_of_text(
            f'{{"api_base":{word_json(self.api_base)},"draw":{self.draw},"messages":{plain_json(self.messages)},'
            f'"model":{word_json(model)},"sampling":{_sampling_json(self.sampling)},"version":{KEY_VERSION}}}'
        )


@dataclass(slots=True)  # not frozen, as rows are not: one is made for every answer
class Reply:
    """What a provider says in answer to one request, before it is priced; None is what it does not say."""

    text: str
    outcome: Outcome
    finish_reason: str | None = None
    model_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    top_logprobs: tuple[tuple[str, float], ...] = field(default=(), kw_only=True)
    """The likeliest first tokens with their log-probabilities, where they were requested and given."""
    fingerprint: str | None = field(default=None, kw_only=True)
    """What the provider calls the system that answered (`system_fingerprint`)."""
    reasoning: str | None = field(default=None, kw_only=True)
    """The model's reasoning before its answer; not scored."""
    reasoning_tokens: int | None = field(default=None, kw_only=True)
    """Tokens of that reasoning; most providers count them among the output tokens, some in addition to them."""
    cached_input_tokens: int | None = field(default=None, kw_only=True)
    """Those input tokens that the provider had in its own cache, and may price lower."""
    written_input_tokens: int | None = field(default=None, kw_only=True)
    """Those that it wrote into its cache, and may price higher."""
    reported_cost_usd: float | None = field(default=None, kw_only=True)
    """The price that the provider itself reports."""
    response_id: str | None = field(default=None, kw_only=True)
    """What the provider calls this answer."""
    request_id: str | None = field(default=None, kw_only=True)
    """What its server calls the request, in a header."""
    dated: str | None = field(default=None, kw_only=True)
    """When the server says that it answered: its Date header, as ISO 8601 in UTC."""


REPLY_FIELDS = tuple(Reply.__dataclass_fields__)
_reply_fields = attrgetter(*REPLY_FIELDS)


@dataclass(slots=True)
class Completion(Reply):
    """An answer and its price. A None cost is unknown, never free; `error` is redacted text."""

    cost_usd: float | None = None
    fee_usd: float | None = None
    """The fee of the request that is part of the cost."""
    at_most_usd: float | None = None
    """The most it can have cost, where an attempt failed after it may have been billed or the usage is not known."""
    latency_s: float = 0.0
    cached: bool = False
    attempts: int = 1
    """How often it was tried; 0 where no request could be sent."""
    requested: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    answered_at: str | None = None
    """When the answer came, by this machine's clock, as ISO 8601 in UTC."""
    first_run: str | None = None
    """The run that asked for it."""
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """What a stored answer holds that this version does not know: written back as it is."""

    @classmethod
    def of(cls, reply: Reply, **more: Any) -> Completion:  # noqa: ANN401 (its own fields)
        """The completion of a reply, with the fields that a reply does not have; the reply itself where it is one already."""
        if type(reply) is not cls:
            return cls(**dict(zip(REPLY_FIELDS, _reply_fields(reply), strict=True)), **more)
        for name, value in more.items():
            setattr(reply, name, value)
        return reply


@dataclass(frozen=True, slots=True)
class Answer:
    """What a strategy settles on: the text that the metric scores, the outcome, and with outcome `error` what was wrong."""

    text: str
    outcome: Outcome
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A metric's result: score in [0, 1], what it read in the answer (None when it found no answer there), and by which rule."""

    score: float
    extracted: str | None
    rule: str = field(default="", compare=False)
    parts: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    """What the score is made of: named scores, each from 0 to 1."""

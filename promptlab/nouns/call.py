"""Models as the experiment names them, requests, their answers, and what a strategy and a metric return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from promptlab.nouns.identity import KEY_VERSION, _sampling_json, digest_of_text, plain_json, word_json
from promptlab.nouns.words import Outcome, Purpose


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in USD per million."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the experiment names it. `api_key_env` is the name of a variable, never a key."""

    name: str
    litellm_name: str
    api_base: str | None = None
    api_key_env: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    timeout_s: float = 60.0
    retries: int | None = None
    """How often a failed call is sent again; None: as often as promptlab finds right."""

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        return {"name": self.name, "litellm_name": self.litellm_name, "api_base": self.api_base, "sampling": dict(self.sampling)}

    @property
    def simulated(self) -> bool:
        return self.litellm_name.startswith("sim/")

    @property
    def provider(self) -> str:
        return self.litellm_name.split("/", 1)[0] if "/" in self.litellm_name else "openai"


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
    """The likeliest first tokens with their log-probabilities, where they were asked for and given."""
    fingerprint: str | None = field(default=None, kw_only=True)
    """What the provider calls the system that answered (`system_fingerprint`)."""
    reasoning: str | None = field(default=None, kw_only=True)
    """The model's reasoning before its answer; not scored."""
    reasoning_tokens: int | None = field(default=None, kw_only=True)
    """Tokens of that reasoning; most providers count them among the output tokens, some beside them."""
    cached_input_tokens: int | None = field(default=None, kw_only=True)
    """Those input tokens that the provider had in its own cache, and may price lower."""
    reported_cost_usd: float | None = field(default=None, kw_only=True)
    """The price that the provider itself reports."""


REPLY_FIELDS = tuple(Reply.__dataclass_fields__)
_reply_fields = attrgetter(*REPLY_FIELDS)


@dataclass(slots=True)
class Completion(Reply):
    """An answer and its price. A None cost is unknown, never free; `error` is redacted text."""

    cost_usd: float | None = None
    latency_s: float = 0.0
    cached: bool = False
    attempts: int = 1
    requested: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """What a stored answer holds that this version does not know: written back as it is."""

    @classmethod
    def of(cls, reply: Reply, **more: Any) -> Completion:  # noqa: ANN401 (its own fields)
        """The completion that a reply comes to, with the fields that a reply does not have."""
        return cls(**dict(zip(REPLY_FIELDS, _reply_fields(reply), strict=True)), **more)


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

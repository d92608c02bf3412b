"""What every wire to a model shares: the reply, the error, and the rules by which an answer or a failure is read.

Errors are told apart by status code: the classes of client libraries differ between versions and providers.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Literal, Protocol

from promptlab.nouns import Call, Model, Outcome, Reply, redact, redact_known

Boundary = Literal["auth", "quota", "rate", "server", "timeout", "connection", "policy", "request", "size"]
RETRIED: frozenset[Boundary] = frozenset({"rate", "server", "timeout", "connection"})
STOPPING: frozenset[Boundary] = frozenset({"auth", "quota"})
LONGEST_FINGERPRINT = 200
MESSAGE_LIMIT = 500
READ_LIMIT = 20_000
"""How much of a provider's message is looked at, in characters: redaction comes before the cut to MESSAGE_LIMIT."""
LARGEST_ANSWER_BYTES = 32 * 2**20
MOST_TOKENS = 10**8
"""No request takes as many; a usage beyond is none."""
MOST_USD = 10**6
"""No request costs as much."""
LEAST_LOGPROB = -1e9
NO_KEY = "none"
"""What a server of the user's own is sent in place of a key: never the key of a public provider that happens to be set."""
THOUGHT = re.compile(r"<(?:think|thinking|budget:thinking)>(.*?)</(?:think|thinking|budget:thinking)>", re.DOTALL)


class WireError(Exception):
    """A request that brought no answer: at which boundary, with what status, and when to come back."""

    def __init__(self, boundary: Boundary, message: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.boundary = boundary
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def answered(self) -> bool:
        """Whether a server said this, and not its silence."""
        return self.boundary != "connection" and (self.boundary != "timeout" or self.status is not None)


@dataclass(frozen=True, slots=True)
class SimulatedError(Exception):
    """What a simulator raises to be answered with an HTTP status."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Simulator(Protocol):
    """A simulated model: sees what a provider would see."""

    async def __call__(self, model: str, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> Reply: ...


class Wire:
    """One way to ask models; every wire gives the same Reply or WireError for the same behaviour of a provider."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...]) -> None:
        self._models = {model.name: model for model in models}
        self._secrets = secrets

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that the provider will really be sent for `sampling`; UsageProblem when it does not take one."""
        return given(sampling)

    async def send(self, call: Call) -> Reply:
        """One request with a wall-clock deadline; WireError when it brings no answer."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close what is open."""

    def _error(self, status: int | None, said: str, message: str, headers: Mapping[str, str], kind: str = "") -> WireError:
        """A provider's error: `said` is all that tells errors apart, `message` is for people, `kind` the class of a library's error."""
        return WireError(read_boundary(status, said, kind), safe(message, self._secrets), status, read_retry_after(headers))


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those parameters that have a value."""
    return {name: value for name, value in parameters.items() if value is not None and value != {}}


def late(seconds: float) -> WireError:
    """No complete answer came in time."""
    return WireError("timeout", f"no complete answer within {seconds:g} s")


def read_answer(
    response: Any,  # noqa: ANN401 (a library's type, or a provider's dictionary)
    text: str,
    finish_reason: str | None,
    model_version: str | None,
    secrets: tuple[str, ...],
    *,
    reasoning: str | None = None,
) -> Reply:
    """The reply that a chat completion amounts to, with the answer's text and the end that a wire read in it.

    `reasoning` is what the wire took out of the text; a field of its own comes first.

    Usage that is missing, filled with zeros, or no count of tokens is unknown and not 0.
    """
    choices = _field(response, "choices")
    choice = choices[0] if choices else None
    message, usage = _field(choice, "message"), _field(response, "usage")
    refusal = _field(message, "refusal") or _field(_field(message, "provider_specific_fields"), "refusal")
    said = Reply(
        text,
        "ok",
        finish_reason,
        model_version or None,
        _field(usage, "prompt_tokens"),
        _field(usage, "completion_tokens"),
        top_logprobs=read_top_logprobs(_field(choice, "logprobs")),
        fingerprint=_field(response, "system_fingerprint"),
        reasoning=_field(message, "reasoning_content") or _field(message, "reasoning") or reasoning,
        reasoning_tokens=_field(_field(usage, "completion_tokens_details"), "reasoning_tokens"),
        cached_input_tokens=_first(
            _field(_field(usage, "prompt_tokens_details"), "cached_tokens"),
            _field(usage, "prompt_cache_hit_tokens"),  # DeepSeek
            _field(usage, "cache_read_input_tokens"),  # Anthropic
        ),
        reported_cost_usd=_field(usage, "cost"),  # OpenRouter
    )
    return judged(said, refusal, secrets)


def judged(said: Reply, refusal: object, secrets: tuple[str, ...]) -> Reply:
    """What a provider said, as it may be stored: its outcome named, text redacted, and None for what is no count or no text."""
    reasoning = said.reasoning if isinstance(said.reasoning, str) else ""
    if len(said.text) + len(reasoning) > LARGEST_ANSWER_BYTES:
        raise too_large()

    def clean(text: object, length: int | None = None) -> str | None:
        return redact_known(storable(text[:length]), secrets) if isinstance(text, str) and text else None

    text = clean(said.text) or ""
    outcome: Outcome = "ok"
    if refusal or said.finish_reason == "content_filter":
        outcome, text = "refused", text or clean(str(refusal or "")) or ""
    elif said.finish_reason == "length":
        outcome = "truncated"
    elif not text.strip():
        outcome = "empty"
    n_input, n_output = _count(said.input_tokens), _count(said.output_tokens)
    known = n_input is not None and n_output is not None and (n_output > 0 or (n_input > 0 and not text))
    return Reply(
        text,
        outcome,
        said.finish_reason,
        storable(said.model_version) if said.model_version else None,
        n_input if known else None,
        n_output if known else None,
        top_logprobs=said.top_logprobs,
        fingerprint=clean(said.fingerprint, LONGEST_FINGERPRINT),
        reasoning=clean(reasoning),
        reasoning_tokens=_count(said.reasoning_tokens),
        cached_input_tokens=_count(said.cached_input_tokens),
        reported_cost_usd=_amount(said.reported_cost_usd),
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < MOST_TOKENS else None


def _amount(value: object) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value < MOST_USD else None  # type: ignore[operator, arg-type]  # NaN is in no range


def _first(*values: object) -> Any:  # noqa: ANN401
    return next((value for value in values if value is not None), None)


def storable(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair: JSON can send one, and no file in UTF-8 can hold it."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def too_large() -> WireError:
    """An answer beyond LARGEST_ANSWER_BYTES: paid for, and not asked for again."""
    return WireError("size", f"the answer is larger than {LARGEST_ANSWER_BYTES:,} bytes; set max_tokens")


def read_top_logprobs(logprobs: Any) -> tuple[tuple[str, float], ...]:  # noqa: ANN401 (a library's type, or a provider's dictionary)
    """The alternatives to the first token; empty where there are none or they have another form."""
    content = _field(logprobs, "content")
    first = content[0] if isinstance(content, list) and content else None
    top = _field(first, "top_logprobs")
    pairs = [(_field(t, "token"), _field(t, "logprob")) for t in top] if isinstance(top, list) else []
    return tuple(
        (token, float(max(value, LEAST_LOGPROB)))
        for token, value in pairs
        if isinstance(token, str) and type(value) in (int, float) and value < 1  # the logarithm of a probability, give or take
    )


def _field(value: Any, name: str) -> Any:  # noqa: ANN401
    return None if value is None else value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def read_boundary(status: int | None, text: str, kind: str = "") -> Boundary:
    """Where a request failed: by its status, then by what the provider says; `kind` is the class of a library's error."""
    lowered = text.lower()
    if status in (401, 403) or (status == 400 and "api key" in lowered and "invalid" in lowered):
        return "auth"
    if status in (402, 429) and ("insufficient_quota" in lowered or "exceeded your current quota" in lowered or status == 402):
        return "quota"
    if status == 429:
        return "rate"
    if status in (408, 504) or "timeout" in kind.lower():
        return "timeout"
    if "contentpolicy" in kind.lower() or "content_policy" in lowered or "content_filter" in lowered:
        return "policy"
    if kind == "APIError" and status is None:  # an error that came with status 200
        return "server"
    if status is None or "connection error" in lowered or "connect" in kind.lower():
        return "connection"
    return "server" if status >= 500 or status == 409 else "request"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, in seconds, milliseconds or as a date; 0 for the past, None where it says nothing."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            pass
        try:
            when = email.utils.parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - time.time())
    return None


def safe(text: str, secrets: tuple[str, ...]) -> str:
    """A provider's message as it may be stored: redacted, then cut."""
    return redact(storable(text[:READ_LIMIT]), secrets)[:MESSAGE_LIMIT]

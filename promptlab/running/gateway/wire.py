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

from promptlab.nouns.call import Call
from promptlab.nouns.model import Model
from promptlab.nouns.redact import redact, redact_known
from promptlab.nouns.words import Outcome

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
LEAST_LOGPROB = -1e9
NO_KEY = "none"
"""What a server of the user's own is sent in place of a key: never the key of a public provider that happens to be set."""
THOUGHT = re.compile(r"<(?:think|thinking|budget:thinking)>.*?</(?:think|thinking|budget:thinking)>", re.DOTALL)


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
class Reply:
    """What came back for one request, before it is priced."""

    text: str
    outcome: Outcome
    finish_reason: str | None
    model_version: str | None
    input_tokens: int | None
    output_tokens: int | None
    top_logprobs: tuple[tuple[str, float], ...] = ()
    fingerprint: str | None = None
    """What the provider calls the state of its backend (`system_fingerprint`), where it says so."""


@dataclass(frozen=True, slots=True)
class SimulatedError(Exception):
    """What a simulator raises to be answered with an HTTP status."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Simulator(Protocol):
    """A simulated model: sees what a provider would see."""

    async def __call__(self, model: str, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> Reply: ...


class Wire(Protocol):
    """One way to ask models; every wire gives the same Reply or WireError for the same behaviour of a provider."""

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that the provider will really be sent for `sampling`; UsageProblem when it does not take one."""

    async def send(self, call: Call) -> Reply:
        """One request with a wall-clock deadline; WireError when it brings no answer."""

    async def aclose(self) -> None:
        """Close what is open."""


def read_answer(
    text: str,
    finish_reason: str | None,
    refusal: str | None,
    model_version: str | None,
    tokens: tuple[Any, Any],
    secrets: tuple[str, ...],
    top_logprobs: tuple[tuple[str, float], ...] = (),
    fingerprint: object = None,
) -> Reply:
    """The reply that an answer amounts to. Usage that is missing, filled with zeros, or no count of tokens is unknown and not 0."""
    if len(text) > LARGEST_ANSWER_BYTES:
        raise too_large()
    text = redact_known(storable(text), secrets)
    outcome: Outcome = "ok"
    if refusal or finish_reason == "content_filter":
        outcome, text = "refused", text or redact_known(storable(str(refusal or "")), secrets)
    elif finish_reason == "length":
        outcome = "truncated"
    elif not text.strip():
        outcome = "empty"
    n_input, n_output = tokens
    known = _is_count(n_input) and _is_count(n_output) and (n_output > 0 or (n_input > 0 and not text))
    model_version = storable(model_version) if model_version else None
    return Reply(
        text=text,
        outcome=outcome,
        finish_reason=finish_reason,
        model_version=model_version,
        input_tokens=n_input if known else None,
        output_tokens=n_output if known else None,
        top_logprobs=top_logprobs,
        fingerprint=redact_known(storable(fingerprint[:LONGEST_FINGERPRINT]), secrets)
        if isinstance(fingerprint, str) and fingerprint
        else None,
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST_TOKENS


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
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


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

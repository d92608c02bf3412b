"""What every wire to a model shares: how it is used, and how an answer or a failure becomes a Reply or a WireError."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from promptlab.nouns import Call, Completion, Model, Reply, as_sent, finish_outcome, redact, redact_known, without_pieces
from promptlab.nouns.environment import located
from promptlab.running.gateway.answers import Said, fault_in, first_of, said_in
from promptlab.running.gateway.failures import WireError, read_boundary, read_fault, read_retry_after
from promptlab.running.gateway.parameters import given, headers_of
from promptlab.running.gateway.usage import COST_HEADER, counted, read_usage
from promptlab.running.gateway.usage import field_of as _field

LONGEST_FINGERPRINT = 200
PIECES = ("model_version", "finish_reason", "fingerprint", "response_id", "request_id")
"""Fields that may hold a piece of a key each."""
MESSAGE_LIMIT = 500
Headers = Mapping[str, Any]
NONE: Headers = MappingProxyType({})
REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid")
READ_HEADERS = (*REQUEST_IDS, "date", COST_HEADER)
"""All that is read of the headers of an answer."""
READ_LIMIT = 20_000
"""How much of a provider's message is looked at, in characters: redaction comes before the cut to MESSAGE_LIMIT."""
LARGEST_ANSWER_BYTES = 32 * 2**20
LEAST_LOGPROB = -1e9
SSL_NOISE = re.compile(r" ssl:(?:<[^>]*>|\S+)")
"""What aiohttp says of its TLS settings in every error."""
NO_KEY = "none"
"""What a server of the user's own is sent in place of a key: never the key of a public provider that happens to be set."""


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
        self._models = {model.name: located(model) for model in models}
        self._secrets = secrets

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that the provider will really be sent for `sampling`; UsageProblem when it does not take one."""
        headers_of(model)
        return given(as_sent(sampling))

    async def send(self, call: Call) -> Reply:
        """One request with a wall-clock deadline; WireError when it brings no answer."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close what is open."""

    def _error(self, status: int | None, said: str, message: str, headers: Mapping[str, str], kind: str = "") -> WireError:
        """A provider's error: `said` is all that tells errors apart, `message` is for people, `kind` the class of a library's error."""
        return WireError(read_boundary(status, said, kind), safe(message, self._secrets), status, read_retry_after(headers, said))

    def _unheard(self, error: BaseException) -> WireError:
        """The error of a connection that brought no answer, as the system or a client library words it."""
        said = f"{type(error).__name__}: {SSL_NOISE.sub('', str(error))}"
        return self._error(None, said, said, {}, type(error).__name__)

    def _completion(self, answer: Any, model_version: str | None, facts: Any = None, headers: Headers = NONE) -> Reply:  # noqa: ANN401
        """The reply in a chat completion; WireError for the error in one. `facts` is what its usage is read from, if not the same."""
        if fault := read_fault(fault_in(answer)):
            said, message, status = fault
            error = WireError("server", safe(message, self._secrets)) if status is None else self._error(status, said, message, {})
            usage = read_usage(_field(facts or answer, "usage"), headers.get(COST_HEADER))
            error.said = counted(Completion("", "error", **usage))
            raise error
        own_id = answer.get("id") if isinstance(answer, dict) else None
        return read_answer(facts or answer, said_in(answer), model_version, self._secrets, headers, own_id)


def late(seconds: float) -> WireError:
    """No complete answer came in time."""
    return WireError("timeout", f"no complete answer within {seconds:g} s")


def read_answer(
    response: Any,  # noqa: ANN401 (a library's type, or a provider's dictionary)
    answer: Said,
    model_version: str | None,
    secrets: tuple[str, ...],
    headers: Headers = NONE,
    own_id: object = None,
) -> Reply:
    """The reply that a chat completion amounts to, with what a wire read in it and in the headers, by their names in lower case.

    `own_id` is the provider's own id of the answer. Usage that is missing, filled with zeros, or no count of tokens is unknown and not 0.
    """
    choices = _field(response, "choices")
    choice = first_of(choices) if choices else None
    message = _field(choice, "message")
    refusal = answer.refusal or _field(_field(message, "provider_specific_fields"), "refusal")
    said = Completion(  # which its gateway prices
        answer.text,
        "ok",
        answer.finish_reason,
        model_version or None,
        top_logprobs=read_top_logprobs(_field(choice, "logprobs")),
        fingerprint=_field(response, "system_fingerprint"),
        reasoning=answer.reasoning,
        response_id=own_id,  # type: ignore[arg-type]  # `judged` keeps text alone
        request_id=_request_id(headers),
        dated=_iso(headers.get("date")),
        **read_usage(_field(response, "usage"), headers.get(COST_HEADER)),
    )
    return judged(said, refusal, secrets)


def judged(said: Reply, refusal: object, secrets: tuple[str, ...]) -> Reply:
    """What a provider said, changed to what may be stored: its outcome named, text redacted, and None for what is no count or no text.

    WireError where its end says that it is no answer.
    """
    reasoning = said.reasoning if isinstance(said.reasoning, str) else ""
    if len(said.text) + len(reasoning) > LARGEST_ANSWER_BYTES:
        raise too_large()
    text = _clean(said.text, secrets) or ""
    reason = said.finish_reason = _clean(said.finish_reason, secrets, LONGEST_FINGERPRINT)
    said.outcome = finish_outcome(reason, text, refusal)
    if said.outcome == "error":
        error = WireError("server", f"the answer is not finished: finish reason {reason!r}, {len(text):,} characters")
        error.said = counted(said)
        raise error
    if said.outcome == "refused":
        text = text or _clean(str(refusal or ""), secrets) or ""
    said.text = text
    said.reasoning = _clean(reasoning, secrets)
    said.model_version = _clean(said.model_version, secrets, LONGEST_FINGERPRINT)
    said.fingerprint = _clean(said.fingerprint, secrets, LONGEST_FINGERPRINT)
    said.response_id = _clean(said.response_id, secrets, LONGEST_FINGERPRINT)
    said.request_id = _clean(said.request_id, secrets, LONGEST_FINGERPRINT)
    if said.top_logprobs:
        said.top_logprobs = tuple((_clean(token, secrets) or token, value) for token, value in said.top_logprobs)
    if secrets:
        for name, value in zip(PIECES, without_pieces([getattr(said, name) for name in PIECES], secrets), strict=True):
            setattr(said, name, value)
        if said.top_logprobs:
            tokens = without_pieces([token for token, _ in said.top_logprobs], secrets)
            said.top_logprobs = tuple((token or "", value) for token, (_, value) in zip(tokens, said.top_logprobs, strict=True))
    return counted(said)


def _clean(text: object, secrets: tuple[str, ...], length: int | None = None) -> str | None:
    """Text as it may be stored, at most so long; None for what is none."""
    if not text or not isinstance(text, str):
        return None
    text = storable(text if length is None else text[:length])
    return redact_known(text, secrets) if secrets else text


def _request_id(headers: Headers) -> str | None:
    for name in REQUEST_IDS if headers else ():
        if found := headers.get(name):
            return str(found)
    return None


@lru_cache(maxsize=64)  # answers of one second have one date
def _iso(date: str | None) -> str | None:
    """A Date header as ISO 8601 in UTC; None where it is not one."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC).isoformat() if date else None
    except (ValueError, TypeError, OverflowError):
        return None


def storable(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair: JSON can send one, and no file in UTF-8 can hold it."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def too_large() -> WireError:
    """An answer beyond LARGEST_ANSWER_BYTES: paid for, and not asked for again."""
    return WireError("size", f"the answer is larger than {LARGEST_ANSWER_BYTES:,} bytes; set max_tokens")


def read_top_logprobs(logprobs: Any) -> tuple[tuple[str, float], ...]:  # noqa: ANN401 (a library's type, or a provider's dictionary)
    """The alternatives to the first token; empty where there are none or they have another form."""
    if logprobs is None:
        return ()
    content = _field(logprobs, "content")
    first = content[0] if isinstance(content, list) and content else None
    top = _field(first, "top_logprobs")
    pairs = [(_field(t, "token"), _field(t, "logprob")) for t in top] if isinstance(top, list) else []
    return tuple(
        (token, float(max(value, LEAST_LOGPROB)))
        for token, value in pairs
        if isinstance(token, str) and type(value) in (int, float) and value < 1  # the logarithm of a probability, give or take
    )


def safe(text: str, secrets: tuple[str, ...]) -> str:
    """A provider's message as it may be stored: redacted, then cut."""
    return redact(storable(text[:READ_LIMIT]), secrets)[:MESSAGE_LIMIT]

"""What a failed request means: at which boundary it failed, whether another attempt may go well, and after how many a model stops.

Status code and message tell errors apart: the classes of client libraries differ between versions.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from promptlab.nouns import Reply

Boundary = Literal[
    "auth", "quota", "rate", "server", "timeout", "connection", "policy", "request", "size", "protocol",
    "model", "parameter", "length", "setup", "unreachable", "certificate", "forbidden", "proxy",
]  # fmt: skip
"""`model`: no such model. `length`: more text than the model takes. `setup`: a package is missing. `forbidden`: 403 with a page.
`protocol`: an answer that breaks the rules of HTTP. `proxy`: a proxy of the environment lets no request through."""
RETRIED: frozenset[Boundary] = frozenset({"rate", "server", "timeout", "connection", "unreachable", "forbidden", "protocol"})
STOPPING: frozenset[Boundary] = frozenset({"auth", "quota", "setup"})
STOPS_AFTER: Mapping[Boundary, int] = {
    "quota": 1, "setup": 1, "auth": 3, "model": 3, "parameter": 3, "certificate": 3, "proxy": 3, "protocol": 4, "unreachable": 6,
    "forbidden": 6, "request": 7, "server": 30, "connection": 30,
}  # fmt: skip
"""After so many failures alike in a row, and no answer in between, no more is sent to a model."""
REPEATED: frozenset[Boundary] = frozenset({"auth", "model", "parameter", "certificate", "proxy", "unreachable"})
"""A call is sent again all the same, a few times, so that its model stops without failed trials."""
FLAGGED = re.compile(
    r"content.?polic|content.?filter|content.?management|requires moderation|flagged_input|(?:input|prompt) was flagged"
    r"|responsibleaipolicyviolation|safety system|data_inspection_failed|prohibited_content"
    r"|\"message\":\s*\"blocked\"|(?:prompt|input|output|response|content) (?:was |is |has been )?blocked"
)
NO_CREDIT = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|funds)|credit balance is too low|exceeded[_ ](?:your )?current[_ ]quota|out of credits"
    r"|(?:no|any|more) credits|billing_(?:hard_limit|not_active)|billing hard limit|arrearage|account (?:is )?(?:not active|suspended)"
)
A_DAY = re.compile(r"quota.*(?:per.?day|daily)", re.DOTALL)
DAILY = re.compile(r"\bper[ -]day\b|\bdaily\b")
"""A limit of a day, where no time to wait is named."""
NO_MODEL = re.compile(
    r"model_?not_?(?:found|available|supported|exist)|(?:un(?:known|supported)|invalid|no such|unable to find) model|model_id_invalid"
    r"|model(?:[^.{}]|\.(?=\S)){0,120}(?:does not exist|is not (?:found|available|supported)|not found|is not a valid)"
    r"|not a valid model|model identifier is invalid|deploymentnotfound"
)
TOO_LONG = re.compile(
    r"context.?(?:length|window)|maximum (?:number of tokens|context)|prompt is too long|too many (?:input )?tokens|string_above_max_length"
)
NOT_TAKEN = re.compile(
    r"unsupported[_ ](?:value|parameter)|unrecognized (?:request )?argument|extra inputs are not permitted|unknown (?:name|parameter|field)"
    r"|(?:temperature|top_[pk]|max_tokens|seed|stop|reasoning\S*|penalty|logprobs)\W.{0,60}(?:(?:not |un)support|deprecated|not allowed)"
)
"""How a provider says that it does not take a parameter, or not this value of it."""
PAGE = re.compile(r"<(?:!doctype\s+)?html")
NOT_FOUND = re.compile(
    r"connect call failed|connection refused|actively refused|name or service not known|nodename nor servname|getaddrinfo failed"
    r"|name resolution|no address associated|network is unreachable|no route to host|cannot connect to host"
)
NO_CREDENTIALS = re.compile(r"missing (?:credentials|[\w -]{0,20}api.?key)")
"""What a library says without a key, with the status 500."""
NO_HTTP = re.compile(r"\b400, message=\W*(?:invalid|expected|got more than|bad )|illegal (?:header|status)|badstatusline")
"""How client libraries word an answer that they cannot read as HTTP; they give it the status 400 themselves. One that is cut is none."""
BY_PROXY = re.compile(r"\b4(?:0[1-9]|[1-9]\d), message=")
"""How client libraries word the refusal of a proxy to open a tunnel; a server's own refusal has a status."""
WAIT = re.compile(
    r"(?:retry|try again) (?:in|after) ((?:\d{1,9}(?:\.\d{1,9})?\s?(?:ms|s|m|h|d)[a-z]*\s?)+)|\"retrydelay\":\s*\"([\d.]{1,20}s)\""
)
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
CODES: tuple[tuple[str, int], ...] = (
    ("rate", 429), ("quota", 429), ("overload", 503), ("unavailable", 503), ("timeout", 504), ("api_key", 401), ("authentication", 401),
    ("moderation", 403), ("content", 400), ("policy", 400), ("context_length", 400), ("not_found", 404), ("invalid_request", 400),
)  # fmt: skip
"""The status that a word in an error's code or type stands for, where it came with status 200."""


class WireError(Exception):
    """A request that brought no answer: at which boundary, with what status, and when to come back."""

    def __init__(self, boundary: Boundary, message: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.boundary = boundary
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.said: Reply | None = None
        """What the request took, where the failed answer reports a usage: it is billed all the same."""

    @property
    def answered(self) -> bool:
        """Whether a server said this, and not its silence."""
        return self.boundary not in ("connection", "unreachable", "certificate") and (self.boundary != "timeout" or self.status is not None)

    @property
    def may_be_billed(self) -> bool:
        """Whether the model may have answered all the same: no answer in time, a cut connection, a failure behind the server, a usage."""
        if self.said is not None and self.said.output_tokens:
            return True
        if self.boundary == "server":  # with Retry-After, or as overloaded, a server has turned the request away
            return self.status not in (409, 529) and not (self.status == 503 and self.retry_after_s is not None)
        return self.boundary in ("timeout", "size", "connection", "protocol")

    @property
    def was_sent(self) -> bool:
        """Whether a request left this machine: none does without a key, a package, a connection, or parameters that can be sent."""
        needs_status = self.boundary in ("auth", "request")  # a server's own word has one
        return self.boundary not in ("setup", "unreachable", "certificate", "proxy") and not (needs_status and self.status is None)

    @property
    def kind(self) -> str:
        """What it has in common with failures alike: numbers and quoted parts differ between two."""
        said = re.sub(r"[\"'`].*?[\"'`]|\d+", "", self.message) if self.boundary == "request" else ""
        return f"{self.boundary} {self.status if self.boundary in ('auth', 'request') else ''} {said}"


def read_boundary(status: int | None, text: str, kind: str = "") -> Boundary:
    """Where a request failed: by its status, then by what the provider says; `kind` is the class of a library's error."""
    lowered, kind = text.lower(), kind.lower()
    if status in (402, 429):
        return _limited(status, lowered)
    if status == 407:
        return "proxy"
    if status in (408, 504) or "timeout" in kind:
        return "timeout"
    if status is None and kind != "apierror":  # an APIError without one came with status 200
        return _silent(lowered, kind)
    names_key = "api" in lowered and re.search(r"api.?key.{0,9}(?:in|not )valid|invalid.{0,9}api.?key", lowered)
    if status == 401 or (status == 400 and names_key) or NO_CREDENTIALS.search(lowered):
        return "auth"
    is_refused = status in (400, 403, 422)
    if "contentpolicy" in kind or FLAGGED.search(lowered):
        return "policy"
    if is_refused and NO_CREDIT.search(lowered):
        return "quota"
    if status == 404 or (is_refused and NO_MODEL.search(lowered)):
        return "model"
    if status == 403:
        return "forbidden" if PAGE.search(lowered) else "auth"
    if status is None or status >= 500 or status == 409:
        return "server"
    if TOO_LONG.search(lowered):
        return "length"
    return "parameter" if NOT_TAKEN.search(lowered) else "request"


def _limited(status: int, lowered: str) -> Boundary:
    """402 and 429: a limit that ends with a minute is waited for, one that ends with a day or with money is not."""
    if status == 402 or "insufficient_quota" in lowered or A_DAY.search(lowered):
        return "quota"
    is_final = NO_CREDIT.search(lowered) or DAILY.search(lowered)
    return "quota" if is_final and read_wait(lowered) is None and "perminute" not in lowered else "rate"


def _silent(lowered: str, kind: str) -> Boundary:
    """No answer came at all."""
    if "certificate" in kind or "certificate verify failed" in lowered or "certificate_verify_failed" in lowered:
        return "certificate"
    if NO_HTTP.search(lowered):
        return "protocol"
    if BY_PROXY.search(lowered):
        return "proxy"
    return "unreachable" if NOT_FOUND.search(lowered) else "connection"


def read_wait(text: str) -> float | None:
    """Seconds that a message asks to wait, as in "Please retry in 1.2s"; None where it names no time."""
    found = WAIT.search(text.lower())
    if found is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)\s?(ms|s|m|h|d)", found[1] or found[2])
    return sum(float(value) * UNITS[unit] for value, unit in parts) if parts else None


def read_retry_after(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds that a server asks to wait, in seconds, milliseconds, as a date or in its message; 0 for the past, None for nothing."""
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
    return read_wait(text)


def read_message(body: Any) -> str | None:  # noqa: ANN401 (whatever a server sends)
    """What the body of an error says to people; None where it has no such part."""
    body = body[0] if isinstance(body, list) and body else body
    if not isinstance(body, dict):
        return None
    error = body.get("error", body)
    message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return str(message) if message else None


def read_fault(error: Any) -> tuple[str, str, int | None] | None:  # noqa: ANN401 (whatever a server sends)
    """All that an error inside an answer says, its message, and its status; None for the empty one that some servers always send."""
    if not isinstance(error, dict):
        return (str(error), str(error), None) if error else None
    code = error.get("code")
    if not error.get("message") and code is None:
        return None
    said = json.dumps(error, default=str)
    for value in map(str, (code, error.get("status"), error.get("status_code"))):
        if value.isdecimal() and 400 <= int(value[:9]) < 600:
            return said, str(error.get("message")), int(value)
    word = f"{code} {error.get('type')} {error.get('status')}".lower()
    return said, str(error.get("message") or code), next((status for part, status in CODES if part in word), None)

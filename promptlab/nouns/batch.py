"""A file of requests that a provider answers by batch, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class BatchPart:
    """One file of requests to one model, and the batch that answers it."""

    number: int
    wave: int
    """Which wave of its model; the calls of a loop come one wave after the other."""
    model: str
    tag: str
    until: int
    """The order at which the segment of the run ends that its trials belong to."""
    n_requests: int
    reserved_usd: float
    reserved_tokens: int
    input_file: str | None = None
    batch: str | None = None
    status: str = "prepared"
    asked_at: float | None = None
    """When the provider was last asked to begin it, in seconds since 1970: it may exist from then on."""
    submitted_at: str | None = None
    closed: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    """The provider's own."""
    n_answers: int = 0
    n_errors: int = 0
    n_unfinished: int = 0
    paid_usd: float = 0.0
    said: str = ""
    """What the provider said is wrong with it."""

"""How a sweep is run, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptlab.running.cache import Use
from promptlab.running.gateway import WireChoice


@dataclass(slots=True)
class Progress:
    """Counts of a sweep, read by whoever shows them."""

    n_planned: int
    n_recorded_before: int = 0
    n_done: int = 0
    n_errors: int = 0
    n_cached: int = 0
    n_skipped: int = 0
    """Trials of arms that a planned look had stopped."""
    n_unpriced: int = 0
    n_not_cached: int = 0
    """Trials that a replay could not answer."""
    first_not_cached: str | None = None
    paid_usd: float = 0.0
    n_sent: int = 0
    last_error: str | None = None
    stopped: dict[str, str] = field(default_factory=dict)
    budget_reached: str | None = None
    stalled: str | None = None
    """Why the sweep was given up: no provider answered any more."""
    n_waiting: int = 0
    """Trials whose next answer a batch is to bring."""
    n_batches: int = 0
    """Batches that are not collected."""
    notes: list[str] = field(default_factory=list)
    """What became of batches that did not end well."""


COUNTS = ("n_sent", "n_cached", "n_skipped", "n_unpriced", "n_not_cached", "paid_usd")
"""What is summed over the workers of a sweep."""
REASONS = ("first_not_cached", "budget_reached", "stalled")
"""What holds for a sweep as soon as one worker says so."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a sweep is run. Nothing in it changes an answer or a score, so none of it is hashed."""

    concurrency: int = 16
    """Calls under way at once, over all workers."""
    cache: Use = "use"
    wire: WireChoice = "auto"
    max_cost_usd: float | None = None
    """Spent by this run at most, earlier sessions included; the experiment's own budget holds beside it."""
    max_tokens: int | None = None
    """Input and output tokens sent and received at most, earlier sessions included."""
    workers: int = 1
    ray: bool = False
    """Whether the workers are tasks of a Ray cluster instead of processes of this machine."""
    ray_address: str | None = None
    batch: bool = False
    """Whether calls go through the providers' batch APIs."""
    batch_wait_s: float = 0.0
    """For how long batches are waited for."""

"""Generators of calls, which do no I/O, and scorings, which are values made of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from promptlab.nouns.call import Call, Scored
from promptlab.nouns.item import Item
from promptlab.nouns.model import Model

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """Python code of the user's that a scoring wants run: in a worker thread, or awaited where it returns an awaitable."""

    function: Callable[..., Any | Awaitable[Any]]
    arguments: tuple[Any, ...]


Steps = Generator[Call | Sequence[Call] | Work, Any, T]
"""Yields a Call and is sent its Completion; or a list of Calls, sent in parallel, and their Completions; or Work and its result."""
Verifier = Callable[[str], Steps[float]]
"""The score of an answer text; handed to strategies that need `verifier` and to no other."""
Reader = Callable[[str], Steps[str | None]]
"""What the scoring reads in an answer text, without its score; handed to strategies that need `reader` and to no other."""
Metric = Callable[[str, Item], Scored]
"""A pure function from an answer and its item to a score."""


@dataclass(frozen=True, eq=False, slots=True)
class Scoring:
    """How an answer becomes a score in [0, 1]: a pure metric, or a generator of calls and work, which may raise ScoringFailed."""

    name: str
    metric: Metric | None
    run: Callable[[str, Item, Call], Steps[Scored]] | None = None
    """In place of a metric: given the answer, the item and the first call of the trial."""
    max_calls: int = 0
    """How many calls one answer takes at most."""
    models: tuple[Model, ...] = ()
    """The models that it asks, with all the sampling parameters that they are sent."""
    identity: Any = None
    """What decides its scores beside its name, as plain data: part of a run's identity."""

    def steps(self, answer: str, item: Item, call: Call) -> Steps[Scored]:
        """The score of one answer."""
        if self.run is None or self.metric is not None:
            raise TypeError(f"the scoring {self.name!r} is a metric, which is called")
        return (yield from self.run(answer, item, call))

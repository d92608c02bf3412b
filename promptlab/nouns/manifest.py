"""The manifest of a run: what ran, from which hashes, in what state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

from promptlab.nouns.call import Price
from promptlab.nouns.plan import FORMAT
from promptlab.nouns.typed import Typed, fields_of, typed


class Tally(Typed):
    """How far a run is: `cached`, `skipped` and `errors` of the last session, `sent` and `unpriced` of all."""

    planned: int = 0
    done: int = 0
    errors: int = 0
    cached: int = 0
    skipped: int = 0
    sent: int = 0
    unpriced: int = 0


class Spent(Typed):
    """What all sessions took from the budget; where a price or a usage was unknown, what was set aside for it."""

    usd: float = 0.0
    tokens: int = 0


class ModelAsked(Typed):
    """Under which name, and at which address, a model was asked."""

    litellm_name: str = ""
    api_base: str | None = None


class Manifest(Typed):
    """What a run folder says about itself; rewritten whole while the run goes on."""

    NEEDED: ClassVar = ("counts",)
    """Keys without which a file is no manifest."""
    id: str = ""
    name: str = ""
    question: str = ""
    state: str = ""
    imported: bool = False
    provenance: Mapping[str, Any] | None = None
    """Of an import: files, tool, options, metric, what was guessed."""
    simulated: bool = False
    simulated_models: tuple[str, ...] = ()
    created_at: str = ""
    updated_at: str = ""
    sessions: int = 0
    counts: Tally = field(default_factory=Tally)
    paid_usd: float = 0.0
    spent: Spent = field(default_factory=Spent)
    last_error: str | None = None
    stopped: Mapping[str, str] = field(default_factory=dict)
    """Models whose provider ended them, and why."""
    budget_usd: float | None = None
    budget_reached: str | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    models: Mapping[str, ModelAsked] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    """By model: the sampling parameters as sent."""
    batches: Mapping[str, Any] = field(default_factory=dict)
    served: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By model: the versions that answered."""
    served_at: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    experiment_path: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Manifest:
        """A manifest of any readable format."""
        return typed(cls, {name: value for name, value in data.items() if name != "format"})

    def plain(self) -> dict[str, Any]:
        """As manifest.json holds it."""
        return {"format": FORMAT, **fields_of(self)}

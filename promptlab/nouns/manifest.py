"""The manifest of a run: what ran, from which hashes, in what state, and what was paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar

from promptlab.nouns.call import Price
from promptlab.nouns.plan import FORMAT
from promptlab.nouns.typed import Typed, fields_of, typed
from promptlab.nouns.words import counted


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
    """What all sessions took from the budget; where a price or a usage was unknown, what was reserved for it."""

    usd: float = 0.0
    tokens: int = 0


class ModelAsked(Typed):
    """The name and the address under which a run used a model."""

    litellm_name: str = ""
    api_base: str | None = None

    @property
    def words(self) -> str:
        return self.litellm_name + (f" at {self.api_base}" if self.api_base else "")


class Manifest(Typed):
    """What a run folder says about itself; rewritten whole while the run continues."""

    WHERE_SET: ClassVar = ("earlier", "registered", "ratings", "environment")
    """Keys that are left out where they say nothing."""
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
    concurrency: int = 0
    """The most calls in flight at once; 0 where that is not known: several processes, batches, an earlier version."""
    counts: Tally = field(default_factory=Tally)
    paid_usd: float = 0.0
    unsure_usd: float = 0.0
    """What requests that failed after they may have been billed, or whose usage is not known, may have cost besides."""
    spent: Spent = field(default_factory=Spent)
    last_error: str | None = None
    stopped: Mapping[str, str] = field(default_factory=dict)
    """Models whose provider ended them, and why."""
    budget_usd: float | None = None
    budget_reached: str | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    chain: Mapping[str, Any] = field(default_factory=dict)
    """The head of the hash chain over what was recorded; empty where an earlier version wrote the run."""
    earlier: Mapping[str, Any] = field(default_factory=dict)
    """What is known of the plans that first used answers of this run, by run."""
    registered: Mapping[str, Any] = field(default_factory=dict)
    """When and under which hash the plan was registered; empty where it was not."""
    ratings: Mapping[str, Any] = field(default_factory=dict)
    """By rater: length and SHA-256 of the file with the ratings, when somebody last rated."""
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By model: the variables that decided where its requests went, with their values."""
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

    @property
    def several_versions(self) -> list[str]:
        """A sentence, without its end, for each model that more than one version served."""
        served = ((model, versions) for model, versions in self.served.items() if len(versions) > 1)
        return [f"{model} was served by {len(versions)} versions ({', '.join(versions)})" for model, versions in served]

    @property
    def paid(self) -> str:
        """What the run cost so far, in words."""
        if self.imported and not self.paid_usd:
            return "no price recorded"
        return paid_words(self.paid_usd, self.unsure_usd, self.counts.unpriced, len(self.simulated_models), len(self.models))

    def plain(self) -> dict[str, Any]:
        """As manifest.json holds it."""
        return {"format": FORMAT, **{name: value for name, value in fields_of(self).items() if value or name not in self.WHERE_SET}}


def beside_trials(n_sent: int, n_trials: int, n_failed: int = 0) -> str:
    """Why more, or fewer, calls were sent than trials that no cache answered; `n_failed` of these failed. Empty where they are as many."""
    if n_sent > n_trials:
        return "some trials took several, or a call was sent again"
    if n_sent < n_trials - n_failed:
        return "the other answers came from the cache, a batch, or an equal call"
    return "a trial that fails need not have sent any" if n_sent < n_trials else ""


def paid_words(paid_usd: float, unsure_usd: float, n_unpriced: int, n_simulated_models: int, n_models: int) -> str:
    """What a run cost, in words: a simulated price is no money, and an unknown one is not 0."""
    if n_simulated_models == n_models:
        paid = f"${paid_usd:.4f} in simulated prices, nothing paid"
    elif n_unpriced and not paid_usd and not unsure_usd:
        return f"price unknown ({counted(n_unpriced, 'call')})"
    else:
        paid = f"{'at least ' if n_unpriced else ''}${paid_usd:.4f} paid" if paid_usd or unsure_usd else "nothing paid"
        paid += f" (at most ${paid_usd + unsure_usd:.4f})" if unsure_usd > 0 else ""
        paid += ", simulated prices included" if n_simulated_models else ""
    return paid + (f"; the price of {counted(n_unpriced, 'call')} is unknown" if n_unpriced else "")

"""What tokens cost: the experiment's own price first, then the table that ships inside litellm, else unknown.

The table is read as a file, without importing litellm, so that a plan costs milliseconds and no network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from promptlab.nouns import Model, Price, digest
from promptlab.sources.spec.libraries import SimModel
from promptlab.sources.tokens import litellm_folder

FILE = "model_prices_and_context_window_backup.json"


@dataclass(frozen=True, slots=True)
class PriceTable:
    """USD per million tokens by model name."""

    entries: Mapping[str, Any]
    source: str

    @classmethod
    def load(cls) -> PriceTable:
        """The table of the installed litellm; its version is part of the source."""
        path = litellm_folder() / FILE
        if not path.is_file():
            return cls({}, "no table found")
        return cls(json.loads(path.read_text(encoding="utf-8")), f"litellm {version('litellm')}")

    def price(self, model: Model) -> Price | None:
        """What one model costs; None when nobody says, which is not the same as free.

        A model behind an address of the user's own has no table price: the table's is that of the public provider.
        """
        if model.price is not None:
            return model.price
        if model.api_base is not None:
            return None
        entry = self.entries.get(model.litellm_name) or self.entries.get(model.litellm_name.split("/", 1)[-1])
        if not isinstance(entry, dict) or "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
            return None
        return Price(entry["input_cost_per_token"] * 1e6, entry["output_cost_per_token"] * 1e6, self.source)


def cost_usd(price: Price | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
    """Tokens times price; None when either is unknown."""
    if price is None or input_tokens is None or output_tokens is None:
        return None
    return (input_tokens * price.input_usd_per_mtok + output_tokens * price.output_usd_per_mtok) / 1e6


def price_digest(models: Mapping[str, Price | None]) -> str:
    """SHA-256 of the prices that an experiment uses: part of what is frozen before the first call."""
    return digest({name: [p.input_usd_per_mtok, p.output_usd_per_mtok] if p else None for name, p in sorted(models.items())})


def paid_words(paid_usd: float, n_unpriced: int, n_simulated_models: int, n_models: int) -> str:
    """What a run cost, in words: a simulated price is no money, and an unknown one is not 0."""
    if n_simulated_models == n_models:
        paid = f"${paid_usd:.4f} in simulated prices, nothing paid"
    else:
        paid = f"{'at least ' if n_unpriced else ''}${paid_usd:.4f} paid{', simulated prices included' if n_simulated_models else ''}"
    return paid + (f"; the price of {n_unpriced:,} calls is unknown" if n_unpriced else "")


def sim_prices(models: Mapping[str, SimModel]) -> dict[str, Price]:
    """The pretended price of every simulated model, by its full name."""
    return {f"sim/{name}": Price(m.price.input_usd_per_mtok, m.price.output_usd_per_mtok, "simulated") for name, m in models.items()}

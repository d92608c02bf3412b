"""What tokens cost: the experiment's own price first, then the table that ships inside litellm, else unknown.

The table is read as a file, without importing litellm, so that a plan costs milliseconds and no network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from promptlab.nouns import Model, Price, Tier, did_you_mean, digest
from promptlab.sources.spec.libraries import SimModel
from promptlab.sources.tokens import litellm_folder

FILE = "model_prices_and_context_window_backup.json"


PROVIDERS = {"bedrock_converse": "bedrock", "cohere_chat": "cohere", "text-completion-openai": "openai"}
"""Providers in the price table that have another name in front of a model."""
ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
SEARCHES = re.compile(r"^perplexity/|-search(?:-preview|-api)?\b")
"""Models that search for every request."""
TEXT_MODES = ("chat", "completion", "responses")
"""Kinds of models that answer a prompt with text."""
M = 1_000_000
ADD_PRICE = (
    "add 'price: {input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}' with your figures to the model (both 0 where nothing is paid)"
)
"""How to make a price known, in USD for a million tokens; messages end with it."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """LiteLLM's table: prices, limits and modes by model name."""

    entries: Mapping[str, Any]
    source: str

    @classmethod
    def load(cls) -> PriceTable:
        """The table of the installed litellm, which a process reads once; its version is part of the source."""
        path = litellm_folder() / FILE
        if not path.is_file():
            return cls({}, "no table found")
        return _read(path, path.stat().st_mtime_ns)

    def entry(self, litellm_name: str) -> Mapping[str, Any]:
        """What the table says of a model: by its whole name, or by the rest of it where that belongs to the same provider; else nothing."""
        provider, _, rest = litellm_name.partition("/")
        whole, bare = self.entries.get(litellm_name), self.entries.get(rest)
        found = whole if isinstance(whole, dict) else bare if isinstance(bare, dict) and provider_of(bare) == provider else {}
        return found if litellm_name != "sample_spec" else {}

    def named(self) -> dict[str, Mapping[str, Any]]:
        """The models that answer prompts with text, by the name that an experiment gives them."""
        chats = {name: entry for name, entry in self.entries.items() if isinstance(entry, dict) and entry.get("mode") in TEXT_MODES}
        return {name if "/" in name else f"{provider_of(entry)}/{name}": entry for name, entry in chats.items()}

    def meant(self, model: Model) -> str:
        """Names alike that answer prompts, as a hint: of the same provider, else of one whose name is alike; empty where there is none.

        A model at an address of the experiment's has a name of its own.
        """
        named = self.named()
        if model.litellm_name in named or (model.api_base and not model.base_env):
            return ""
        of_provider = [name for name in named if name.startswith(f"{model.provider}/")]
        if not of_provider:
            rest = model.litellm_name.partition("/")[2]
            providers = {name.partition("/")[0] for name in named if name.partition("/")[2] == rest}
            of_provider = [f"{name}/{rest}" for name in providers]
        return hint if (hint := did_you_mean(model.litellm_name, of_provider)).startswith("did") else ""

    def price(self, model: Model) -> Price | None:
        """What one model costs; None when nobody says, which is not the same as free.

        A model at an address of the experiment's has no table price: the table's is that of the public provider. It holds for an
        address of the environment, which mostly passes on to that provider.
        """
        if model.price is not None:
            return model.price
        entry = self.entry(model.litellm_name) if model.api_base is None or model.base_env else {}
        if "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
            return None
        served = model.sampling.get("params", {}).get("service_tier")
        tier = f"_{served}" if f"input_cost_per_token_{served}" in entry else ""
        reasoning = entry.get("output_cost_per_reasoning_token")
        return Price(
            **_rates(entry, tier), source=self.source, tiers=_tiers(entry, tier), request_usd=_fee(entry, model),
            reasoning_usd_per_mtok=None if reasoning in (None, entry["output_cost_per_token"]) else reasoning * M,
        )  # fmt: skip

    def most_output(self, litellm_name: str) -> int | None:
        """The most tokens that one answer of a model can have, reasoning included; None where the table does not say."""
        entry = self.entry(litellm_name)
        limit = entry.get("max_output_tokens") or entry.get("max_tokens")
        return int(limit) if isinstance(limit, int | float) and limit > 0 else None

    def is_completion(self, litellm_name: str) -> bool:
        """Whether a model completes one text, and takes no chat messages."""
        return litellm_name.startswith("text-completion-") or self.entry(litellm_name).get("mode") == "completion"


@lru_cache(maxsize=1)
def _read(path: Path, changed_at: int) -> PriceTable:
    """One file; `changed_at` makes a file that was replaced another one."""
    return PriceTable(json.loads(path.read_text(encoding="utf-8")), f"litellm {version('litellm')}")


def provider_of(entry: Mapping[str, Any]) -> str:
    """The text before the name of a model of this entry."""
    provider = str(entry.get("litellm_provider", ""))
    return "vertex_ai" if provider.startswith("vertex_ai") else PROVIDERS.get(provider, provider.removeprefix("text-completion-"))


def _rates(entry: Mapping[str, Any], suffix: str = "") -> dict[str, Any]:
    """The four prices of an entry whose keys end like this, in USD per million tokens."""
    keys = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost")
    plain, output, cached, written = (entry.get(key + suffix) for key in keys)
    plain = entry["input_cost_per_token"] if plain is None else plain
    return {
        "input_usd_per_mtok": plain * M,
        "output_usd_per_mtok": (entry["output_cost_per_token"] if output is None else output) * M,
        "cached_input_usd_per_mtok": None if cached is None else cached * M,
        "written_input_usd_per_mtok": None if not written else written * M,  # 0 where nothing is charged beyond the input
    }


def _tiers(entry: Mapping[str, Any], suffix: str) -> tuple[Tier, ...]:
    """Prices of long requests."""
    above = sorted(int(found[1]) for key in entry if (found := ABOVE.fullmatch(key)))
    tiers = [Tier(n * 1000, **_rates(entry, f"_above_{n}k_tokens{suffix if _has(entry, n, suffix) else ''}")) for n in above]
    ranges = [part for part in entry.get("tiered_pricing") or () if part.get("range", [0])[0] and "input_cost_per_token" in part]
    return (*tiers, *(Tier(int(part["range"][0]), **_rates({**entry, **part})) for part in ranges))


def _has(entry: Mapping[str, Any], n: int, suffix: str) -> bool:
    return f"input_cost_per_token_above_{n}k_tokens{suffix}" in entry


def _fee(entry: Mapping[str, Any], model: Model) -> float:
    """The fee of a request to a model that searches for each; the provider chooses the size of a search that sets none."""
    fees = entry.get("search_context_cost_per_query")
    if not isinstance(fees, dict) or not SEARCHES.search(model.litellm_name):
        return float(entry.get("input_cost_per_request") or 0.0)
    options = model.sampling.get("params", {}).get("web_search_options") or {}
    size = options.get("search_context_size") or ("low" if model.provider == "perplexity" else "medium")
    return float(fees.get(f"search_context_size_{size}") or 0.0)


def cost_usd(price: Price | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
    """Tokens times price; None when either is unknown."""
    if price is None or input_tokens is None or output_tokens is None:
        return None
    return price.cost(input_tokens, output_tokens)


def price_digest(models: Mapping[str, Price | None]) -> str:
    """SHA-256 of the prices that an experiment uses: part of what is frozen before the first call."""
    return digest({name: [p.input_usd_per_mtok, p.output_usd_per_mtok] if p else None for name, p in sorted(models.items())})


def sim_prices(models: Mapping[str, SimModel]) -> dict[str, Price]:
    """The pretended price of every simulated model, by its full name."""
    return {f"sim/{name}": Price(m.price.input_usd_per_mtok, m.price.output_usd_per_mtok, "simulated") for name, m in models.items()}

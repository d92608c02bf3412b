"""The providers of a promptfoo configuration as models by LiteLLM's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from promptlab.importers.values import mapping, sampling, text
from promptlab.sources.spec.models import Sampling
from promptlab.sources.starting import plain_name

PROVIDERS = {
    "openai": "openai", "anthropic": "anthropic", "mistral": "mistral", "google": "gemini", "vertex": "vertex_ai", "bedrock": "bedrock",
    "groq": "groq", "deepseek": "deepseek", "openrouter": "openrouter", "ollama": "ollama", "azure": "azure", "azureopenai": "azure",
    "cohere": "cohere", "xai": "xai", "togetherai": "together_ai",
}  # fmt: skip
"""promptfoo's names of providers, and LiteLLM's."""
KINDS_OF_CALL = ("chat", "messages", "completion", "completions", "responses")
KEYS = ("id", "label", "config")


def models(given: object, lost: Counter[str]) -> tuple[list[Any], dict[str, Any]]:
    """Models, each with its own parameters where they differ, and the parameters that all share; `lost` counts what has no counterpart."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for entry in given if isinstance(given, list) else [given] if given else []:
        inside = mapping(entry)
        if len(inside) == 1 and "id" not in inside:
            inside = {"id": next(iter(inside)), **mapping(next(iter(inside.values())))}
        name = text(inside.get("id") or entry)
        provider, _, rest = name.partition(":")
        parts = [part for part in rest.split(":") if part and part not in KINDS_OF_CALL]
        if provider not in PROVIDERS or not parts or name.startswith("file:"):
            lost[f"provider {name[:60]!r}"] += 1
            continue
        config = mapping(inside.get("config"))
        params = {
            key: value
            for key, value in sampling(config).items()
            if key in Sampling.model_fields and isinstance(value, str) == (key == "reasoning_effort")
        }
        others = [*(key for key in inside if key not in KEYS), *(f"config.{key}" for key in config if key not in params)]
        for key in others:
            lost[f"{key[:60]!r} of provider {name[:60]!r}"] += 1
        found.append((f"{PROVIDERS[provider]}/{':'.join(parts)}", plain_name(text(inside.get("label")), ""), params))
    first = found[0][2] if found else {}
    shared = {key: value for key, value in first.items() if all(params.get(key) == value for *_, params in found)}
    entries: dict[str, Any] = {}
    for model, label, params in found:
        own = {key: value for key, value in params.items() if key not in shared}
        twice = any(other == model and mine != params for other, _, mine in found)
        name = (label or f"{plain_name(model)}-{len(entries) + 1}") if twice else ""
        entries.setdefault(name or model, {"model": model, **({"name": name} if name else {}), "sampling": own} if own or name else model)
    return list(entries.values()), shared


def without_settings(entry: Mapping[str, Any] | str) -> str:
    """The name of a model entry."""
    return entry if isinstance(entry, str) else text(entry["model"])

"""Models as the experiment names them, and their prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in USD per million."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the experiment names it. `api_key_env` is the name of a variable, never a key."""

    name: str
    litellm_name: str
    api_base: str | None = None
    api_key_env: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    timeout_s: float = 60.0

    def canonical(self) -> dict[str, Any]:
        """What decides its answers, as plain data."""
        return {"name": self.name, "litellm_name": self.litellm_name, "api_base": self.api_base, "sampling": dict(self.sampling)}

    @property
    def simulated(self) -> bool:
        return self.litellm_name.startswith("sim/")

    @property
    def provider(self) -> str:
        return self.litellm_name.split("/", 1)[0] if "/" in self.litellm_name else "openai"

"""The setting of an arm: everything that may vary besides its stimulus and its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptlab.nouns.identity import canonical_json


@dataclass(frozen=True, slots=True)
class Setting:
    """Arms are compared within one setting, never across.

    `prompt` is the base prompt of an arm; None in a comparison, which averages the base prompts of an item. `sampling` holds the
    parameters that this setting sends in place of the experiment's own, sorted by name.
    """

    placement: str
    shots: int = 0
    strategy: str = "single"
    sampling: tuple[tuple[str, Any], ...] = ()
    prompt: str | None = None

    @property
    def id(self) -> str:
        """The name of the setting in the column `setting` of every frame; base prompts share one."""
        return setting_id(self.placement, self.shots, self.strategy, dict(self.sampling))

    @property
    def pooled(self) -> Setting:
        """The same setting over all base prompts."""
        return replace(self, prompt=None)

    def canonical(self) -> dict[str, Any]:
        """The setting as plain data; what an earlier version did not know is left out where it is not set."""
        plain: dict[str, Any] = {"placement": self.placement, "shots": self.shots, "strategy": self.strategy}
        return plain | ({"sampling": dict(self.sampling)} if self.sampling else {})

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Setting:
        """A setting from plain data, such as a row of the plan."""
        return cls(plain["placement"], plain["shots"], plain["strategy"], tuple(sorted(plain.get("sampling", {}).items())))


def setting_id(placement: str, shots: int, strategy: str, sampling: Mapping[str, Any]) -> str:
    """`placement/shots/strategy`, and `/name=value` for each parameter of its own."""
    return "/".join([placement, str(shots), strategy, *(f"{name}={canonical_json(sampling[name])}" for name in sorted(sampling))])

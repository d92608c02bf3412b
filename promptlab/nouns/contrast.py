"""What is judged: planned comparisons by name, and the arms that each of them means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from promptlab.nouns.setting import InSetting, Setting, flat
from promptlab.nouns.words import Control

Scope = Literal["cell", "stimulus", "primary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis(InSetting):
    """One planned comparison. `treatment` is a stimulus, or a library for the mean over its stimuli."""

    family: str
    scope: Scope
    model: str
    task: str | None
    treatment: str
    library: str
    control: Control
    setting: Setting

    def plain(self) -> dict[str, Any]:
        """As a row of the plan: the setting by its id and by its factors."""
        return flat(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Treatment minus control, as arms of one setting and model.

    `controls` holds for each treatment arm the arms that it is compared with. A side is the mean over the treatment arms, or over
    the means of their controls; one group of controls stands for all treatment arms.
    """

    treatments: tuple[str, ...]
    controls: tuple[tuple[str, ...], ...]
    scope: Scope
    family: str
    margin: float
    """A fraction: the smallest difference that counts."""
    kind: Literal["difference"] = "difference"

    @property
    def control_arms(self) -> tuple[str, ...]:
        """Every control arm once."""
        return tuple(dict.fromkeys(arm for group in self.controls for arm in group))

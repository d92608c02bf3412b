"""Which arm of a run deserves to be used: the one with the verdict `helps`, or else the plain prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptlab.nouns.columns import SETTING_COLUMNS
from promptlab.nouns.wording import CONTROLS
from promptlab.nouns.words import NONE_ARM
from promptlab.reporting.build import Report

DECISIVE = ("placebo", "neutral_feedback", "none")
"""The contrasts that decide, the first planned one for each setting: against neutral text where there is any."""


@dataclass(frozen=True, slots=True)
class Winner:
    """An arm in its setting, and why it is that one."""

    arm: str
    placement: str
    shots: int
    strategy: str
    why: str


def winner(report: Report, model: str) -> Winner:
    """The arm with the largest gain among those with the verdict `helps` over the tasks; the plain prompt when there is none.

    An oracle's loop is left out: in use nobody knows the right answer.
    """
    decided = []
    for setting in report.settings:
        own = [c for c in report.of("stimulus", model) if tuple(getattr(c, name) for name in SETTING_COLUMNS) == setting]
        control = next((name for name in DECISIVE if any(c.control == name for c in own)), None)
        decided += [c for c in own if c.control == control and c.verdict == "helps" and not c.oracle]
    if decided:
        best = max(decided, key=lambda c: c.diff or 0.0)
        return Winner(best.treatment, best.placement, best.shots, best.strategy, f"against {CONTROLS[best.control].name}: {best.sentence}")
    placement, shots, strategy = _plain(report.plan, report.settings)
    return Winner(NONE_ARM, placement, shots, strategy, f"no arm was found to help {model}, so this is the prompt without any added text")


def _plain(plan: Mapping[str, Any], settings: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    looped = {loop["strategy"] for loop in plan.get("loops", ())}
    return next((s for s in settings if s[2] not in looped), settings[0])

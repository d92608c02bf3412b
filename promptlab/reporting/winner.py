"""Which arm of a run deserves to be used: the one with the verdict `helps`, or else the plain prompt."""

from __future__ import annotations

from dataclasses import dataclass

from promptlab.nouns.setting import InSetting, Setting
from promptlab.nouns.wording import CONTROLS
from promptlab.nouns.words import NONE_ARM
from promptlab.reporting.build import Report

DECISIVE = ("placebo", "neutral_feedback", "none")
"""The contrasts that decide, the first planned one for each setting: against neutral text where there is any."""


@dataclass(frozen=True, slots=True)
class Winner(InSetting):
    """An arm in its setting, and why it is that one."""

    arm: str
    setting: Setting
    why: str


def winner(report: Report, model: str) -> Winner:
    """The arm with the largest gain among those with the verdict `helps` over the tasks; the plain prompt when there is none.

    An oracle's loop is left out: in use nobody knows the right answer.
    """
    decided = []
    for setting in report.plan.settings:
        own = report.of("stimulus", model, setting=setting)
        control = next((name for name in DECISIVE if any(c.control == name for c in own)), None)
        decided += [c for c in own if c.control == control and c.verdict == "helps" and not c.oracle]
    if decided:
        best = max(decided, key=lambda c: c.diff or 0.0)
        return Winner(best.treatment, best.setting, f"against {CONTROLS[best.control].name}: {best.sentence}")
    settings = report.plan.settings
    plain = next((setting for setting in settings if setting.strategy not in report.plan.looped), settings[0])
    return Winner(NONE_ARM, plain, f"no arm was found to help {model}, so this is the prompt without any added text")

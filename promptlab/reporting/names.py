"""What people read for an arm, the same wherever a report names it."""

from __future__ import annotations

from promptlab.nouns import AA_ARM, CONTROLS, NONE_ARM, Plan, Setting
from promptlab.stats.contrasts import of_arms

PLAIN = (NONE_ARM, "single")
"""What the sentence would be added to: the prompt as it is, or one answer without a loop."""
AGAIN = ", again"
"""Follows the name of the baseline where it is its own repeat."""


def arm_name(plan: Plan, setting: Setting, arm: str, prompt: str | None) -> str:
    """The arm's prompt, its sentence, and what tells its setting from the others."""
    if arm == AA_ARM:
        return f"{arm_name(plan, setting, NONE_ARM, prompt)}{AGAIN}"
    if of_arms(plan):
        labels = [f"{f.name} {f.of[setting.id]}" for f in plan.factors if not f.random and setting.id in f.of]
        parts = [*([prompt] if prompt else []), *([arm] if arm != NONE_ARM else [])]
        return " + ".join([*parts, *labels]) or plan.called(NONE_ARM)
    words = [words for words in setting.apart(plan.settings) if not (setting.strategy in plan.looped and words == setting.strategy)]
    name = plan.called(NONE_ARM) if arm == NONE_ARM else CONTROLS["single"].name if arm == "single" else arm
    return f"{name}{' (with oracle)' if is_told(plan, setting.strategy, arm) else ''}" + (f" [{', '.join(words)}]" if words else "")


def only_whole(plan: Plan) -> bool:
    """Whether prompts, settings or models are compared, and no text is added to any."""
    return of_arms(plan) and not any(arm.role in ("stimulus", "loop") for arm in plan.arms)


def only_models(plan: Plan) -> bool:
    """Whether models are all that is compared: each has one arm, and perhaps its repeat."""
    return plan.compare_models and only_whole(plan) and len(plan.prompts) < 2 and len(plan.settings) == 1


def without_text(plan: Plan) -> str:
    """Follows `score` where it is that of prompts as they are; empty where no text is added to any."""
    return "" if only_whole(plan) else " without any stimulus"


def is_told(plan: Plan, strategy: str, arm: str) -> bool:
    """Whether something told an arm when an answer was right, so that nobody can ship it."""
    return strategy in plan.looped and arm not in PLAIN and plan.looped[strategy].oracle

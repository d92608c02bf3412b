"""What tables of costs and reliability call an arm: where prompts are compared, the prompt is part of its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.nouns import AA_ARM, NONE_ARM
from promptlab.reporting.names import AGAIN
from promptlab.reporting.prepared import Store


def of_prompts(store: Store) -> bool:
    """Whether the run compares prompts: then a prompt is part of an arm's name here, since its arms all add the same text."""
    return len(store.plan.prompts) > 1


def recorded(store: Store, arms: Sequence[Mapping[str, Any]]) -> list[str]:
    """The plan's own names of the arms in these rows."""
    names, prompts = {row["arm"] for row in arms}, [prompt.name for prompt in store.plan.prompts] if of_prompts(store) else [""]
    return [arm for arm in store.arms if any(arm_named(store, prompt, arm) in names for prompt in prompts)]


def arm_named(store: Store, prompt: str, arm: str) -> str:
    """An arm as the tables of costs call it."""
    if not of_prompts(store):
        plain = store.plan.called(NONE_ARM)
        return {NONE_ARM: plain, AA_ARM: f"{plain}{AGAIN}"}.get(arm, arm)
    return prompt + {NONE_ARM: "", AA_ARM: AGAIN}.get(arm, f" + {arm}")


def baseline_named(store: Store) -> str:
    """What the other arms are compared with, as these tables call it."""
    return arm_named(store, (store.plan.incumbent or store.plan.prompts[0].name) if of_prompts(store) else "", NONE_ARM)


def arm_sql(store: Store) -> str:
    """`arm_named` in SQL."""
    if not of_prompts(store):
        plain = store.plan.called(NONE_ARM).replace("'", "''")
        return f"CASE arm::VARCHAR WHEN '{NONE_ARM}' THEN '{plain}' WHEN '{AA_ARM}' THEN '{plain}{AGAIN}' ELSE arm::VARCHAR END"
    named = f"CASE arm::VARCHAR WHEN '{NONE_ARM}' THEN '' WHEN '{AA_ARM}' THEN '{AGAIN}' ELSE ' + ' || arm::VARCHAR END"
    return f"base_prompt::VARCHAR || {named}"

"""An arm of a run as the JSON that DSPy loads. Reads the frozen plan only: no code of a run is executed."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from dspy.utils.saving import get_dependency_versions

from promptlab.design.render import join
from promptlab.nouns import Placement, Plan, Setting, Stimulus
from promptlab.programs.module import PromptProgram
from promptlab.programs.recipe import recipe_of
from promptlab.sources.spec.strict_yaml import checked


def saved_arm(plan: Plan, task: str, arm: str, setting: Setting, base_prompt: str, source: str) -> str:
    """One arm on one task as JSON: a program of promptlab, or the tested program itself with the stimulus in its instructions."""
    tested = next((p for p in plan.programs if p["name"] == setting.strategy), None)
    if tested is None:
        state = PromptProgram(recipe_of(plan, task, arm, setting, base_prompt, source)).dump_state()
    else:
        state = _with_stimulus(plan, tested, task, arm, setting.placement, base_prompt)
    state["metadata"] = {"dependency_versions": get_dependency_versions()}
    return json.dumps(state, indent=2, ensure_ascii=False) + "\n"


def _with_stimulus(plan: Plan, tested: Mapping[str, Any], task: str, arm: str, placement: str, base_prompt: str) -> dict[str, Any]:
    """The tested program's state; a stimulus with several wordings comes in its first."""
    row = next(row for row in plan.arms if row.name == arm and not row.loop)
    stimulus = checked(row.stimulus, Stimulus, "stimulus of a plan") if row.stimulus else None
    where = checked(plan.placements[placement], Placement, "placement of a plan")
    state: dict[str, Any] = copy.deepcopy(tested["state"])
    for predictor in [state] if "signature" in state else [part for part in state.values() if "signature" in part]:
        own = predictor["signature"]["instructions"]
        if tested["instructions"] == "base_prompt":
            own = plan.task_of[task].base_prompts[base_prompt]
        predictor["signature"]["instructions"] = join(
            own, stimulus.text if stimulus else None, where, stimulus.joined_by if stimulus else None
        )
    return state

"""All that makes the messages of one arm on one task, as plain data: what a program saves, and what a plan holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from promptlab.nouns import Arm, Demo, Frame, Item, Loop, Placement, Plan, Setting, Stimulus, Task, Trial, UsageProblem, filled
from promptlab.sources.spec.strict_yaml import checked
from promptlab.strategies.loop import looped
from promptlab.strategies.single import SINGLE


@dataclass(frozen=True, slots=True)
class Recipe:
    """One arm on one task: its prompt, its stimulus or loop, and which run found what about it."""

    suite: Literal["twin", "official", "own"]
    task: str
    arm: str
    role: Literal["baseline", "aa", "placebo", "stimulus", "loop", "loop_control"]
    instruction: str
    placement: Placement
    frame: Frame = field(default_factory=Frame)
    options: Literal["shown", "hidden"] = "shown"
    demos: tuple[Demo, ...] = ()
    stimulus: Stimulus | None = None
    loop: Loop | None = None
    source: str = ""
    """The run that the recipe comes from, the model it was measured on, and the verdict, in words."""
    format: Literal[1] = 1

    def trial(self, instruction: str, demos: tuple[Demo, ...], item: Item, replicate: int) -> tuple[Task, Trial]:
        """The trial that a sweep would make of an item, with the instruction and demonstrations that the program has by now."""
        prompts = {"": instruction}
        task = filled(Task, self, name=self.task, benchmark="own", metric="", base_prompts=prompts, items=(item,), demos=demos)
        strategy = SINGLE if self.loop is None else looped("loop", self.loop)
        setting = Setting(self.placement.name, len(demos), strategy.name, prompt="")
        return task, Trial(0, task.id, item, Arm(self.arm, self.role, self.stimulus, setting, self.placement, strategy), "", replicate)

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def recipe_from(plain: object) -> Recipe:
    """A recipe that was saved; UsageProblem when it is none."""
    return checked(plain, Recipe, "recipe of a promptlab program")


def recipe_of(plan: Plan, task: str, arm: str, setting: Setting, base_prompt: str, source: str) -> Recipe:
    """One arm of a run, from its frozen plan."""
    row, asked = next((row for row in plan.arms_of(setting) if row.name == arm), None), plan.task_of.get(task)
    if row is None or asked is None:
        raise UsageProblem(f"the run has no arm {arm!r} on the task {task!r} in this setting")
    if not plan.placements:
        raise UsageProblem("the run was planned by an earlier version, which did not keep its prompts; run the same experiment again")
    return recipe_from(
        {
            "suite": asked.suite,
            "task": task,
            "arm": arm,
            "role": row.role,
            "instruction": asked.base_prompts[base_prompt],
            "placement": plan.placements[setting.placement],
            "frame": asked.frame,
            "options": asked.options,
            "demos": asked.demos[: setting.shots],
            "stimulus": row.stimulus,
            "loop": row.spec,
            "source": source,
        }
    )

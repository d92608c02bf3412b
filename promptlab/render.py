"""From a task's item and a condition to the exact messages that are sent.

Joining a stimulus to a prompt happens here and nowhere else. Placeholders are replaced in one pass: text that comes from an
item or a stimulus is never searched for placeholders again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from promptlab.schema import Condition, Demo, Item, Placement, Task

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

PRESETS: Mapping[str, Placement] = {
    # One space between prompt and stimulus, as both papers print it. The frame is that of Zhou et al. 2022 (APE), on which
    # the papers build; neither prints its own.
    "paper": Placement(
        name="paper",
        template="Instruction: {instruction}\n\n{demos}Input: {input}\nOutput: ",
        choice="\n  choice: {choice}",
    ),
    # What the published NegativePrompt code sends (main.py, config.py at 9e7dc40), byte for byte: no separator, an empty
    # slot where the demonstrations would be, demonstrations that say "Output:" above a query that says "Answer:".
    "negativeprompt-code": Placement(
        name="negativeprompt-code",
        template="Instruction: {instruction}\n\n{demos}\nInput: {input}\nAnswer: ",
        separator="",
        demos_end="",
    ),
}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace every {name} once, from left to right; a name without a value raises KeyError."""
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], template)


def placeholders(template: str) -> list[str]:
    """The names between braces, in order, with repeats."""
    return PLACEHOLDER.findall(template)


def render_input(item: Item, placement: Placement) -> str:
    """The item's input, followed by its options where it has any and the placement shows them."""
    if not placement.choice:
        return item.input
    return item.input + "".join(fill(placement.choice, {"choice": choice}) for choice in item.choices)


def render_demos(demos: Sequence[Demo], placement: Placement) -> str:
    """Worked examples, joined; the empty string when there are none."""
    if not demos:
        return ""
    shown = (fill(placement.demo, {"input": demo.input, "output": demo.output}) for demo in demos)
    return placement.demo_separator.join(shown) + placement.demos_end


def join(instruction: str, stimulus: str | None, placement: Placement) -> str:
    """The instruction with the stimulus before or after it; unchanged when the stimulus goes elsewhere."""
    if stimulus is None or placement.position not in ("prefix", "suffix"):
        return instruction
    parts = (stimulus, instruction) if placement.position == "prefix" else (instruction, stimulus)
    return placement.separator.join(parts)


def render(task: Task, item: Item, condition: Condition) -> tuple[Mapping[str, str], ...]:
    """The chat messages of one trial: one user message, and a system message where the placement asks for it."""
    placement = condition.placement
    stimulus = condition.stimulus.text if condition.stimulus else None
    shown = render_input(item, placement)
    if stimulus is not None and placement.position == "after_input":
        shown = placement.separator.join((shown, stimulus))
    user = fill(
        placement.template,
        {
            "instruction": join(task.base_prompts[condition.base_prompt], stimulus, placement),
            "demos": render_demos(task.demos[: condition.shots], placement),
            "input": shown,
        },
    )
    messages: list[Mapping[str, str]] = []
    if stimulus is not None and placement.position == "system":
        messages.append({"role": "system", "content": stimulus})
    messages.append({"role": "user", "content": user})
    return tuple(messages)

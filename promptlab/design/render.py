"""From a task's item and an arm to the exact messages that are sent.

Joining a stimulus to a prompt happens here and nowhere else. Placeholders are replaced in one pass: text that comes from an
item or a stimulus is never searched for placeholders again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from promptlab.design.formats import in_format
from promptlab.nouns import LETTERS, Arm, Demo, Frame, Item, Placement, Prompt, Stimulus, Task, fill
from promptlab.nouns.item import INSERTED

FRAME_FIELDS = tuple(Frame.__dataclass_fields__)

PLAIN = Placement(name="end", template="{instruction}\n\n{demos}{input}", choice="\n{choice}")
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
        choice="{choice_prefix}{choice}",
    ),
    # Honovich et al. 2022 (orhonovich/instruction-induction at f7304ae): no empty line, no space behind "Output:".
    "instruction-induction": Placement(
        name="instruction-induction",
        template="Instruction: {instruction}\n{demos}Input: {input}\nOutput:",
        choice="\n  choice: {choice}",
    ),
    # Zhou et al. 2022 (keirp/automatic_prompt_engineer at eac521c), the evaluation template of its README.
    "ape": Placement(
        name="ape",
        template="Instruction: {instruction}\n\n{demos}Input: {input}\nOutput: ",
        choice="{choice_prefix}{choice}",
    ),
    # Srivastava et al. 2022 (google/BIG-bench): every task has a frame of its own, and no "Instruction:".
    "bigbench": Placement(
        name="bigbench",
        template="{instruction}{instruction_end}{demos}{input_prefix}{input}{output_prefix}",
        demo="{input_prefix}{input}{output_prefix}{output}",
        demo_separator="{separator}",
        demos_end="{separator}",
        choice="{choice_prefix}{choice}",
    ),
    # microsoft/promptbench at fcda538: the stimulus on a line of its own behind the input, then a form for the answer.
    "promptbench": Placement(
        name="promptbench",
        template="{instruction}\n{demos}{input}\nPlease output your answer at the end as ##<your answer (No format restrictions)>",
        position="after_input",
        separator="\n",
        choice="\n{choice}",
    ),
    # Ours: the options with letters, which models answer most reliably; labels that a prompt never names are told as well.
    "letters": Placement(
        name="letters",
        template="{instruction}\n\n{demos}{input}\n\nAnswer: ",
        demo="{input}\n\nAnswer: {output}",
        choice="\n({letter}) {choice}",
        options="all",
    ),
    # Ours, without a frame: what whole prompts have, whose layout is their own.
    "end": PLAIN,
    "start": replace(PLAIN, name="start", position="prefix"),
    "system": replace(PLAIN, name="system", position="system"),
}


@lru_cache(maxsize=256)
def _values(frame: Frame) -> Mapping[str, str]:
    """What a frame's placeholders stand for."""
    return asdict(frame)


def render_input(text: str, choices: Sequence[str], task: Task, placement: Placement) -> str:
    """An input, followed by its options where it has any and both task and placement show them."""
    shown = placement.options == "all" or (placement.options == "task" and task.options == "shown")
    return text + render_choices(choices, task, placement) if placement.choice and shown else text


def render_choices(choices: Sequence[str], task: Task, placement: Placement) -> str:
    """Options as a placement writes them."""
    frame = _values(task.frame)
    return "".join(
        fill(placement.choice, {**frame, "choice": choice, "letter": LETTERS[n % len(LETTERS)]}) for n, choice in enumerate(choices)
    )


def render_demos(demos: Sequence[Demo], task: Task, placement: Placement) -> str:
    """Worked examples, joined; the empty string when there are none."""
    if not demos:
        return ""
    frame = _values(task.frame)
    shown = (
        fill(placement.demo, {**frame, "input": render_input(demo.input, demo.choices, task, placement), "output": demo.output})
        for demo in demos
    )
    return fill(placement.demo_separator, frame).join(shown) + fill(placement.demos_end, frame)


def stimulus_text(stimulus: Stimulus | None, task: Task, item: Item) -> str | None:
    """The words of a stimulus for one item: one of its wordings, drawn by name, where it has several."""
    if stimulus is None or not stimulus.wordings:
        return stimulus.text if stimulus else None
    return random.Random(f"{stimulus.id}/{task.id}/{item.id}").choice(stimulus.wordings)


def join(instruction: str, stimulus: str | None, placement: Placement, joined_by: str | None = None) -> str:
    """The instruction with the stimulus before or after it; unchanged when the stimulus goes elsewhere."""
    if stimulus is None or placement.position not in ("prefix", "suffix"):
        return instruction
    parts = (stimulus, instruction) if placement.position == "prefix" else (instruction, stimulus)
    return (placement.separator if joined_by is None else joined_by).join(parts)


@lru_cache(maxsize=256)
def prompt_of(layout: str, template: str, has_system: bool) -> Prompt:
    """The prompt that a layout makes of a base prompt: one user message, after a system message where the stimulus goes there."""
    messages = ({"role": "system", "content": "{stimulus}"}, {"role": "user", "content": template})
    return Prompt(layout, messages if has_system else messages[1:])


def render(task: Task, item: Item, arm: Arm) -> tuple[Mapping[str, str], ...]:
    """The chat messages of one trial: the arm's prompt with every variable replaced once."""
    return renderer(task, arm)(item)


def renderer(task: Task, arm: Arm) -> Callable[[Item], tuple[Mapping[str, str], ...]]:
    """`render` for the items of one task in one arm: what they share is worked out once."""
    if arm.prompt is not None:
        return _whole(task, arm, arm.prompt)
    placement, stimulus = arm.placement, arm.stimulus
    prompt = prompt_of(placement.name, placement.template, stimulus is not None and placement.position == "system")
    demos = render_demos(task.demos[: arm.setting.shots], task, placement)

    def said(text: str | None) -> Callable[[str], tuple[Mapping[str, str], ...]]:
        instruction = join(task.base_prompts[arm.setting.prompt or ""], text, placement, stimulus.joined_by if stimulus else None)
        return prompt.filler("input", {**_values(task.frame), "instruction": instruction, "demos": demos, "stimulus": text or ""})

    fixed = None if stimulus and stimulus.wordings else said(stimulus.text if stimulus else None)

    def rendered(item: Item) -> tuple[Mapping[str, str], ...]:
        text = stimulus_text(stimulus, task, item)
        shown = render_input(item.input, item.choices, task, placement)
        if text is not None and placement.position == "after_input":
            shown = placement.separator.join((shown, text))
        return (fixed or said(text))(shown)

    return rendered


def _whole(task: Task, arm: Arm, prompt: Prompt) -> Callable[[Item], tuple[Mapping[str, str], ...]]:
    """The messages of a whole prompt: demonstrations where it holds {demos}, else as turns before its last question."""
    placement, stimulus = arm.placement, arm.stimulus
    messages = tuple({**message, "content": in_format(message["content"], placement)} for message in prompt.messages)
    asks = max((n for n, message in enumerate(messages) if message["role"] in ("user", INSERTED)), default=0)
    before, question, after = (
        replace(prompt, messages=part) for part in (messages[:asks], messages[asks : asks + 1], messages[asks + 1 :])
    )
    demos = task.demos[: arm.setting.shots]
    fixed = {"instruction": task.base_prompts.get(next(iter(task.base_prompts), ""), ""), "demos": render_demos(demos, task, placement)}
    says_options = bool({"choices", "labels"} & set(prompt.names))

    def values(row: Item | Demo) -> dict[str, Any]:
        def built_in(name: str) -> str:
            if name == "input":
                return row.input if says_options else render_input(row.input, row.choices, task, placement)
            if name == "choices":
                return render_choices(row.choices, task, placement).lstrip()
            return ", ".join(task.labels or row.choices) if name == "labels" else fixed[name]

        return {name: row.columns[name] if name in row.columns else built_in(name) for name in prompt.names}

    turns: list[Mapping[str, str]] = []
    if "demos" not in prompt.names:
        for demo in demos:
            turns += [*question.filled(values(demo)), {"role": "assistant", "content": demo.output}]

    def rendered(item: Item) -> tuple[Mapping[str, str], ...]:
        own = values(item)
        said = (*before.filled(own), *turns, *question.filled(own), *after.filled(own))
        text = stimulus_text(stimulus, task, item)
        return said if text is None or stimulus is None else with_text(said, text, placement, stimulus.joined_by)

    return rendered


def with_text(
    messages: Sequence[Mapping[str, str]], text: str, placement: Placement, joined_by: str | None = None
) -> tuple[Mapping[str, str], ...]:
    """A chat with an added text: at an end of its last user message, or of its system message, which is made where there is none."""
    role = "system" if placement.position == "system" else "user"
    place = max((n for n, message in enumerate(messages) if message["role"] == role), default=None)
    if place is None:
        return ({"role": role, "content": text}, *messages) if role == "system" else (*messages, {"role": role, "content": text})
    own = messages[place]["content"]
    parts = (text, own) if placement.position == "prefix" else (own, text)
    joined = {**messages[place], "content": (placement.separator if joined_by is None else joined_by).join(parts)}
    return (*messages[:place], joined, *messages[place + 1 :])

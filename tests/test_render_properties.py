"""Properties of every prompt: texts are sent byte for byte, and the stimulus stands where the placement says and nowhere else."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import designs
from promptlab.design.render import LETTERS, PRESETS, render
from promptlab.nouns.arm import Placement, Stimulus
from promptlab.nouns.call import Call
from promptlab.nouns.item import Demo, Frame, Item, Task
from promptlab.nouns.words import Position

QUICK = settings(deadline=None, max_examples=60, derandomize=True)
POSITIONS: tuple[Position, ...] = get_args(Position)
PLACEMENTS = [replace(preset, position=position) for preset, position in itertools.product(PRESETS.values(), POSITIONS)]
SHOTS = (0, 1, 3)
AWKWARD = [
    "{input}", "{instruction} {demos}", "{{input}}", "{% if x %}{{ 7 * 7 }}{% endif %}", "{0} {} {x!r:>10}",
    "%s %(input)s %%", "$input ${input} $$", r"\1 \g<0> \g<input> \n \\", "a\r\nb\rc\n\n",
    "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd", "half \ud83d and \udc00", "e\u0301 \u00e9", "\x00\x1b[31m",
    "  \t ", "", "\ufeff\u200b", "<b>&amp;</b>", "word " * 40_000,
]  # fmt: skip
anything = hs.sampled_from(AWKWARD) | hs.text(hs.characters(exclude_categories=()), max_size=30)
parts = hs.lists(anything, max_size=3)


def of(texts: Mapping[str, Any]) -> tuple[Task, Item, Stimulus]:
    """A task, its item and a stimulus of these texts."""
    frame = Frame(*texts["frame"]) if texts["frame"] else Frame()
    demos = tuple(Demo(question, answer, tuple(texts["demo_choices"])) for question, answer in texts["demos"])
    task = replace(designs.task([], n_demos=0), base_prompts={"human": texts["instruction"]}, demos=demos, frame=frame)
    return task, Item("i", texts["input"], ("x",), tuple(texts["choices"])), Stimulus("lib/A", texts["stimulus"])


def marks(texts: Any, path: str = "") -> Any:
    """The same with a mark in place of every text."""
    if isinstance(texts, Mapping):
        return {key: marks(value, f"{path}.{key}") for key, value in texts.items()}
    if isinstance(texts, list | tuple):
        return [marks(value, f"{path}.{n}") for n, value in enumerate(texts)]
    return f"\ue000{path}\ue001"


def by_mark(texts: Any, marked: Any) -> dict[str, str]:
    if isinstance(marked, str):
        return {marked: texts}
    pairs = [(texts[key], marked[key]) for key in marked] if isinstance(marked, Mapping) else zip(texts, marked, strict=True)
    return {mark: text for one, other in pairs for mark, text in by_mark(one, other).items()}


all_texts = hs.fixed_dictionaries(
    {
        "instruction": anything, "input": anything, "stimulus": anything, "choices": parts, "demo_choices": parts,
        "demos": hs.lists(hs.tuples(anything, anything), min_size=3, max_size=3), "frame": hs.none() | hs.tuples(*[anything] * 5),
    }
)  # fmt: skip


@given(all_texts, hs.sampled_from(PLACEMENTS), hs.sampled_from(SHOTS), hs.booleans())
@QUICK
def test_every_text_is_sent_as_it_is(texts: dict[str, Any], placement: Placement, shots: int, stimulated: bool) -> None:
    """A prompt of marks in which each mark is replaced by its text is the prompt of the texts: none is read, cut or changed."""
    texts["frame"] = texts["frame"] or ["\nQ: ", "\nA: ", "\n  choice: ", "\n", "\n"]
    marked = marks(texts)
    known = by_mark(texts, marked)
    sent, plain = (
        [*render(task, item, designs.arm(s if stimulated else None, placement, shots))] for task, item, s in (of(texts), of(marked))
    )
    assert [message["role"] for message in sent] == [message["role"] for message in plain]
    for message, skeleton in zip(sent, plain, strict=True):
        pieces = re.split("(\ue000[^\ue001]*\ue001)", skeleton["content"])
        assert message["content"] == "".join(known.get(piece, piece) for piece in pieces)


@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
def test_an_awkward_text_arrives_and_is_part_of_the_key(text: str) -> None:
    task = designs.task([])
    for stimulus in (None, Stimulus("lib/A", text)):
        messages = render(task, Item("1", text, ("x",)), designs.arm(stimulus, PRESETS["paper"]))
        asked = "Do it." if stimulus is None else f"Do it. {text}"
        assert messages == ({"role": "user", "content": f"Instruction: {asked}\n\nInput: {text}\nOutput: "},)
        assert json.loads(json.dumps(messages)) == list(messages)
        others = [replace_last(messages, change) for change in (lambda t: t + " ", lambda t: t.replace("\n", "\r\n", 1), str.swapcase)]
        assert len({Call("m", m, {}).key for m in (messages, *others)}) == 4


def replace_last(messages: Sequence[Mapping[str, str]], change: Any) -> tuple[Mapping[str, str], ...]:
    return (*messages[:-1], {**messages[-1], "content": change(messages[-1]["content"])})


MARKED: dict[str, Any] = marks(
    {
        "instruction": "",
        "input": "",
        "stimulus": "",
        "choices": [""] * 2,
        "demo_choices": [""] * 2,
        "demos": [("", "")] * 3,
        "frame": [""] * 5,
    }
)
INSTRUCTION, INPUT, STIMULUS = MARKED["instruction"], MARKED["input"], MARKED["stimulus"]


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda p: f"{p.name}-{p.position}")
def test_the_stimulus_stands_where_the_placement_says_and_nowhere_else(placement: Placement, shots: int) -> None:
    task, item, stimulus = of(MARKED)
    [plain] = render(task, item, designs.arm(None, placement, shots))
    *before, last = render(task, item, designs.arm(stimulus, placement, shots))
    without, content = plain["content"], last["content"]
    space = placement.separator
    shown = "".join(
        placement.choice.format(choice=choice, letter=letter, choice_prefix=task.frame.choice_prefix)
        for choice, letter in zip(item.choices, "AB", strict=True)
    )
    assert INPUT + shown in without, "options stand behind the input in their order"
    expected = {
        "prefix": without.replace(INSTRUCTION, STIMULUS + space + INSTRUCTION),
        "suffix": without.replace(INSTRUCTION, INSTRUCTION + space + STIMULUS),
        "after_input": without.replace(INPUT + shown, INPUT + shown + space + STIMULUS),
        "system": without,
    }
    assert content == expected[placement.position]
    assert before == ([{"role": "system", "content": STIMULUS}] if placement.position == "system" else [])
    assert (plain["role"], last["role"]) == ("user", "user")
    assert content.count(STIMULUS) == (placement.position != "system")
    for part in (INSTRUCTION, INPUT):
        assert without.count(part) == 1
    demos = [demo.input for demo in task.demos]
    assert [demo in without for demo in demos] == [n < shots for n in range(3)], "the first demonstrations, as many as shots"
    places = [without.index(demo) for demo in demos[:shots]] + [without.index(INPUT)]
    assert places == sorted(places), "in their order, before the input"


@pytest.mark.parametrize("position", POSITIONS)
def test_a_literal_variant_brings_its_own_separator(position: Position) -> None:
    placement = replace(PRESETS["paper"], position=position, separator="|")
    task, item, stimulus = of(MARKED)
    content = render(task, item, designs.arm(replace(stimulus, joined_by=", "), placement))[-1]["content"]
    usual = render(task, item, designs.arm(stimulus, placement))[-1]["content"]
    joined = {"prefix": STIMULUS + "|" + INSTRUCTION, "suffix": INSTRUCTION + "|" + STIMULUS}.get(position, "|")
    assert content == (usual.replace(joined, joined.replace("|", ", ")) if position in ("prefix", "suffix") else usual)
    none = render(task, item, designs.arm(replace(stimulus, joined_by=""), placement))[-1]["content"]
    assert (STIMULUS + INSTRUCTION in none, INSTRUCTION + STIMULUS in none) == (position == "prefix", position == "suffix")


@pytest.mark.parametrize("options", ["task", "all", "none"])
@pytest.mark.parametrize("of_task", ["shown", "hidden"])
def test_options_are_shown_where_task_and_placement_say_so(options: str, of_task: str) -> None:
    placement = replace(PRESETS["letters"], options=options)
    task, item, _ = of(MARKED)
    [message] = render(replace(task, options=of_task), item, designs.arm(None, placement, 1))  # type: ignore[arg-type]
    shown = options == "all" or (options == "task" and of_task == "shown")
    for choices in (item.choices, task.demos[0].choices):
        text = f"\n(A) {choices[0]}\n(B) {choices[1]}"
        assert (text in message["content"]) == shown
        assert (choices[1] in message["content"]) == shown
    [bare] = render(task, item, designs.arm(None, replace(placement, choice="")))
    assert item.choices[0] not in bare["content"]


@given(hs.permutations(list("abcdef")))
@QUICK
def test_options_are_lettered_in_the_order_of_the_item(order: list[str]) -> None:
    [message] = render(designs.task([]), Item("i", "Which?", ("a",), tuple(order)), designs.arm(None, PRESETS["letters"]))
    lettered = "".join(f"\n({letter}) {choice}" for letter, choice in zip(LETTERS, order, strict=False))
    assert message["content"] == f"Do it.\n\nWhich?{lettered}\n\nAnswer: "


@given(all_texts, hs.sampled_from(PLACEMENTS), hs.sampled_from(SHOTS), anything, anything)
@QUICK
def test_two_arms_of_a_pair_differ_in_the_stimulus_alone(
    texts: dict[str, Any], placement: Placement, shots: int, one: str, other: str
) -> None:
    """Around the two stimuli every byte is the same; and it is the same around none, but for the separator."""
    task, item, _ = of(texts)
    first, second = (render(task, item, designs.arm(Stimulus("lib/x", text), placement, shots)) for text in (one, other))
    assert len(first) == len(second)
    [*_, a], [*_, b] = first, second
    if placement.position == "system":
        assert a == b == render(task, item, designs.arm(None, placement, shots))[-1]
        assert (first[0]["content"], second[0]["content"]) == (one, other)
        return
    around, place = around_of(task, item, placement, shots)
    assert a["content"] == around[:place] + one + around[place:]
    assert b["content"] == around[:place] + other + around[place:]


def around_of(task: Task, item: Item, placement: Placement, shots: int) -> tuple[str, int]:
    """The prompt of an empty stimulus, and where in it the stimulus stands: found with one of a length that nothing else has."""
    empty, longer = (render(task, item, designs.arm(Stimulus("l/x", text), placement, shots))[-1]["content"] for text in ("", "\ue005"))
    place = next(n for n, (x, y) in enumerate(zip(f"{empty}\ue006", longer, strict=True)) if x != y)
    return empty, place


def test_braces_of_a_template_that_name_nothing_stay() -> None:
    placement = replace(PRESETS["paper"], template='{instruction} {"a": {input}} {} {X} {0}{demos}')
    [message] = render(designs.task([]), Item("i", "{x}", ("y",)), designs.arm(None, placement))
    assert message["content"] == 'Do it. {"a": {x}} {} {X} {0}'


def test_a_prompt_with_demonstrations_to_the_byte() -> None:
    for shots, demos in ((0, ""), (2, "Input: demo 0\nOutput: out 0\n\nInput: demo 1\nOutput: out 1\n\n")):
        [message] = render(designs.task([]), Item("i", "x", ("y",)), designs.arm(shots=shots))
        assert message["content"] == f"Instruction: Do it.\n\n{demos}Input: x\nOutput: "


def test_base_prompts_are_those_of_the_arm() -> None:
    task = designs.task([])
    for name, prompt in task.base_prompts.items():
        [message] = render(task, Item("i", "x", ("y",)), designs.arm(base_prompt=name))
        assert message["content"] == f"Instruction: {prompt}\n\nInput: x\nOutput: "
    with pytest.raises(KeyError):
        render(task, Item("i", "x", ("y",)), designs.arm(base_prompt="unknown"))

"""Prompts to the byte, and pairs of trials that differ in their stimulus alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from conftest import SHARED
from promptlab.design.cross import Design, cross, draw, draw_number, matched_placebos, placebos_of, settings_of, trials
from promptlab.design.render import PRESETS, fill, render
from promptlab.nouns.arm import Stimulus
from promptlab.nouns.call import Model
from promptlab.nouns.item import Demo, Item, Task
from promptlab.nouns.words import AA_ARM
from promptlab.strategies import SINGLE, plain_arm

STIMULI = (Stimulus("lib/A", "This matters to me."), Stimulus("lib/B", "One two three four five six seven."))
PLACEBOS = tuple(Stimulus(f"neutral/{n}", " ".join(["word"] * n), role="placebo") for n in (3, 4, 7, 20))


def task(n: int = 6, name: str = "toy") -> Task:
    items = tuple(Item(f"i{i}", f"input {i}", (f"target {i}",), ("a", "b", "c", "d") if i % 2 else ()) for i in range(n))
    demos = tuple(Demo(f"demo {i}", f"out {i}") for i in range(9))
    return Task(name, "twin", "bigbench", "choice", {"human": "Do it.", "ape": "do the thing"}, items, demos)


def design(**changes: object) -> Design:
    given = {"n_tasks": 2, "replicates": 2, "seed": 3} | changes
    tasks = tuple(draw(task(name=f"toy{i}"), None, 5, int(given["seed"])) for i in range(int(given["n_tasks"])))
    placements = [replace(PRESETS["paper"], name=p, position=p) for p in ("prefix", "suffix", "system", "after_input")]
    arms = cross(STIMULI, PLACEBOS[:2], settings_of(["human", "ape"], placements, [0, 2], [SINGLE]))
    return Design(tasks, arms, (Model("m1", "sim/null"), Model("m2", "sim/null")), int(given["replicates"]), int(given["seed"]))


@pytest.mark.shared
@pytest.mark.parametrize("suite", ["instruction_induction", "bigbench"])
def test_golden_prompts_of_the_published_code(suite: str) -> None:
    lines = [json.loads(line) for line in (SHARED / "data" / "golden_prompts.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line["implementation"] == "negativeprompt" and line["suite"] == suite]
    assert len(lines) == 72
    for line in lines:
        demos = tuple(Demo(d["input"], d["output"]) for d in line["demos"])
        toy = Task(line["task"], "official", suite, "ii_em", {"human": line["instruction"]}, (), demos)
        stimulus = Stimulus("np/x", line["stimulus"]) if line["stimulus"] else None
        arm = plain_arm("human", PRESETS["negativeprompt-code"], stimulus, len(demos))
        [message] = render(toy, Item("1", line["input"], ("",)), arm)
        assert message == {"role": "user", "content": line["prompt"]}, line["id"]


def test_the_paper_preset_puts_one_space() -> None:
    arm = plain_arm("human", PRESETS["paper"], STIMULI[0])
    [message] = render(task(), Item("1", "3 4", ("7",), ("x", "y")), arm)
    assert message["content"] == "Instruction: Do it. This matters to me.\n\nInput: 3 4\n  choice: x\n  choice: y\nOutput: "


@given(text=hs.text(), stimulus=hs.text(min_size=1))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_item_text_stays_as_it_is(text: str, stimulus: str) -> None:
    arm = plain_arm("human", PRESETS["paper"], Stimulus("x/y", stimulus))
    [message] = render(task(), Item("1", text, ("7",)), arm)
    assert text in message["content"]
    assert stimulus in message["content"]


def test_placeholders_in_an_input_stay_literal() -> None:
    assert fill("{input}|{demos}", {"input": "{demos} {x}", "demos": "D"}) == "{demos} {x}|D"


def test_pairs_differ_in_the_stimulus_alone() -> None:
    made = design()
    tasks = {t.id: t for t in made.tasks}
    by_pair: dict[tuple[object, ...], dict[str, object]] = {}
    for trial in trials(made):
        c = trial.arm
        key = (trial.task, trial.item.id, trial.model, trial.replicate, c.setting)
        by_pair.setdefault(key, {})[c.name] = (c, render(tasks[trial.task], trial.item, c))
    checked = 0
    for arms in by_pair.values():
        _, plain = arms["none"]  # type: ignore[misc]
        assert arms[AA_ARM][1] == plain  # type: ignore[index]
        for c, messages in arms.values():  # type: ignore[misc]
            if c.stimulus is None:
                continue
            added = c.stimulus.text
            if c.placement.position == "system":
                assert messages[0] == {"role": "system", "content": added}
                assert messages[1:] == plain
            else:
                assert messages[0]["content"].replace(f" {added}", "", 1).replace(f"{added} ", "", 1) == plain[0]["content"]
            checked += 1
    assert checked > 200


def test_every_trial_once_and_in_blocks() -> None:
    made = design()
    found = list(trials(made))
    assert len(found) == made.n_trials == len({t.id for t in found})
    assert [t.order for t in found] == list(range(len(found)))
    size = len(made.arms) * len(made.models) * made.replicates
    for start in range(0, len(found), size):
        block = found[start : start + size]
        assert len({(t.task, t.item.id) for t in block}) == 1
        assert Counter(t.arm.name for t in block).most_common()[0][1] == Counter(t.arm.name for t in block).most_common()[-1][1]
    assert [t.arm.name for t in found[:size]] != sorted(t.arm.name for t in found[:size])


def test_the_aa_arm_draws_anew() -> None:
    made = design()
    numbers: dict[str, set[int]] = {"none": set(), AA_ARM: set()}
    for trial in trials(made):
        if trial.arm.name in numbers:
            numbers[trial.arm.name].add(draw_number(trial, made.replicates))
    assert numbers == {"none": {0, 1}, AA_ARM: {2, 3}}


def test_adding_a_task_reshuffles_no_other() -> None:
    one, two = design(n_tasks=1), design(n_tasks=2)
    assert one.tasks[0] == two.tasks[0]
    arms = [(t.item.id, t.arm.name, t.model) for t in trials(one)]
    assert arms == [(t.item.id, t.arm.name, t.model) for t in trials(two) if t.task == one.tasks[0].id]


def test_another_seed_is_another_draw_of_the_same_items() -> None:
    a, b = draw(task(40), None, 3, 1), draw(task(40), None, 3, 2)
    assert [i.id for i in a.items] != [i.id for i in b.items]
    assert {i.id for i in a.items} == {i.id for i in b.items}
    assert draw(task(40), 10, 3, 1).items == a.items[:10]


def test_option_orders_are_balanced() -> None:
    first = Counter(item.choices[0] for item in draw(task(800), None, 0, 5).items if item.choices)
    assert set(first) == {"a", "b", "c", "d"}
    assert max(first.values()) < 130


def test_placebos_are_matched_by_length() -> None:
    lengths = {s.id: s.n_words for s in (*STIMULI, *PLACEBOS)}
    chosen = matched_placebos(STIMULI, PLACEBOS, lengths, 1, ["neutral"], 0)
    assert [p.n_words for p in chosen] == [4, 7]
    assert [p.id for p in placebos_of(STIMULI[1], PLACEBOS, lengths)] == ["neutral/7"]
    assert placebos_of(STIMULI[1], (), lengths) == ()

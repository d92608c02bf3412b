"""Properties of every design: each draw follows from the seed and the name of what it draws, and from nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import designs
from promptlab.design.cross import (
    Design,
    draw,
    draw_number,
    matched_placebos,
    n_available,
    placebos_of,
    shuffled,
    spare_demos,
    stack,
    trials,
    trials_an_item,
    with_wordings,
)
from promptlab.design.render import PRESETS, stimulus_text
from promptlab.nouns.arm import Cue, Loop, Stimulus, Trial
from promptlab.nouns.item import Demo, Item, Task
from promptlab.nouns.words import AA_ARM, NONE_ARM
from promptlab.strategies.loop import chosen_cue

QUICK = settings(deadline=None, max_examples=40, derandomize=True)
STIMULI = tuple(Stimulus(f"lib/{key}", f"This matters to {key}.") for key in "ABC")
PLACEBO = Stimulus("neutral/P", "The sky is above.", role="placebo")
WORDS = Stimulus("lib/W", "alpha beta gamma delta epsilon zeta eta theta iota kappa")
PARAPHRASES = tuple(Stimulus(f"lib/W{n}", f"wording {n}", role="paraphrase", of="lib/W") for n in range(6))
CUES = tuple(Cue(f"c{n}", "neutral", "neutral", f"remark {n}") for n in range(1000))
LOOP = Loop("feedback", 4, "verifier_free", cues=(CUES,))

seeds = hs.integers(0, 2**32)


@hs.composite
def all_designs(pick: Any) -> Design:
    """Tasks of different lengths, some with a pool of demonstrations, several models, replicates, placements and shots."""
    n_demos = pick(hs.integers(0, 3))
    tasks = [
        designs.task(designs.items(pick(hs.integers(1, 9))), f"t{n}", pick(hs.sampled_from([0, 9]))) for n in range(pick(hs.integers(1, 4)))
    ]
    placements = [PRESETS[name] for name in pick(hs.lists(hs.sampled_from(sorted(PRESETS)), min_size=1, max_size=2, unique=True))]
    found = designs.arms(STIMULI[: pick(hs.integers(1, 3))], [PLACEBO] * pick(hs.integers(0, 1)), placements, sorted({0, n_demos}))
    return designs.design(
        tasks, found, pick(seeds), pick(hs.none() | hs.integers(1, 9)), n_demos, pick(hs.integers(1, 2)), pick(hs.integers(1, 3))
    )


# --- one generator for each draw --------------------------------------------------------------------------------------

Drawn = Callable[[int, Task], Any]


def order_of_items(seed: int, task: Task) -> list[str]:
    return [item.id for item in draw(task, None, 0, seed).items]


def order_of_options(seed: int, task: Task) -> list[tuple[str, ...]]:
    return [item.choices for item in sorted(draw(task, None, 0, seed).items, key=lambda item: item.id)]


def demonstrations(seed: int, task: Task) -> list[str]:
    return [demo.input for demo in draw(task, None, 6, seed).demos]


def order_of_blocks(seed: int, task: Task) -> dict[str, list[str]]:
    made = designs.design([task], designs.arms(STIMULI), seed)
    return {item: [t.arm.name for t in block] for item, block in groupby(trials(made), lambda t: t.item.id)}


def cues(seed: int, task: Task) -> list[str]:
    arm = designs.loop_arm(replace(LOOP, seed=seed))
    asked = [designs.trial(item, arm, task.id, replicate) for item in task.items for replicate in range(2)]
    return [chosen_cue(replace(LOOP, seed=seed), one, number).key for one in asked for number in (1, 2)]


def wordings(seed: int, task: Task) -> list[str | None]:
    drawn = with_wordings(WORDS, PARAPHRASES, seed)
    return [stimulus_text(drawn, task, item) for item in task.items]


DRAWS: dict[str, Drawn] = {
    "items": order_of_items, "options": order_of_options, "demonstrations": demonstrations, "blocks": order_of_blocks, "cues": cues,
    "wordings": wordings,
}  # fmt: skip
TOY = designs.task(designs.items(30))


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_follows_from_the_seed_and_its_task(name: str) -> None:
    drawn = DRAWS[name]
    first = drawn(1, TOY)
    assert drawn(1, TOY) == first
    assert drawn(2, TOY) != first, "another seed"
    assert drawn(1, replace(TOY, name="other")) != first, "another task with the same items"
    assert drawn(1, replace(TOY, suite="official")) != first, "a task of the same name from another suite"


@pytest.mark.parametrize("name", ["options", "cues", "wordings"])
def test_what_is_drawn_for_an_item_does_not_know_the_others(name: str) -> None:
    more = replace(TOY, items=(*TOY.items, *(replace(item, id=f"new {item.id}") for item in TOY.items)))
    for seed in range(5):
        few = DRAWS[name](seed, TOY)
        assert DRAWS[name](seed, more)[: len(few)] == few


def test_a_block_does_not_know_the_other_items() -> None:
    more = replace(TOY, items=(*TOY.items, Item("new", "new", ("new",))))
    assert {item: order for item, order in order_of_blocks(1, more).items() if item != "new"} == order_of_blocks(1, TOY)


def test_items_alike_are_drawn_for_each_by_itself() -> None:
    """A generator named without the item would give all of them one order."""
    alike = designs.task([Item(f"i{n}", f"input {n}", ("a",), tuple("abcdefgh")) for n in range(6)])
    assert len(set(order_of_options(1, alike))) == 6
    assert len({tuple(order) for order in order_of_blocks(1, alike).values()}) == 6
    assert len(set(cues(1, alike))) == 6 * 2 * 2, "nor one for each replicate, nor for each round"
    assert len(set(wordings(1, alike))) > 1


def test_wordings_are_drawn_by_stimulus() -> None:
    one, other = (replace(WORDS, id=name, wordings=tuple(map(str, range(6)))) for name in ("lib/W", "lib/V"))
    assert [stimulus_text(one, TOY, item) for item in TOY.items] != [stimulus_text(other, TOY, item) for item in TOY.items]
    renamed = [replace(p, of="lib/V") for p in PARAPHRASES]
    assert with_wordings(WORDS, PARAPHRASES, 1).wordings != with_wordings(replace(WORDS, id="lib/V"), renamed, 1).wordings


def test_words_of_a_placebo_are_shuffled_by_seed_and_stimulus() -> None:
    assert shuffled(WORDS, 1) == shuffled(WORDS, 1)
    assert len({shuffled(WORDS, seed).text for seed in range(4)}) == 4
    assert shuffled(replace(WORDS, id="lib/V"), 1).text != shuffled(WORDS, 1).text
    made = [matched_placebos([WORDS, *more], [], {}, 1, ["shuffled"], 3)[0] for more in ([], STIMULI)]
    assert made[0] == made[1] == shuffled(WORDS, 3), "whatever else is made"


NEUTRAL = tuple(Stimulus(f"neutral/{n}", " ".join(["word"] * n), role="placebo") for n in (3, 4, 5, 9))


def test_sentences_of_one_stack_are_matched_by_different_neutral_ones() -> None:
    parts = [Stimulus(f"lib/{key}", "one two three") for key in "XY"]
    lengths = {s.id: s.n_words for s in (*parts, *NEUTRAL)}
    made = matched_placebos([stack(parts)], NEUTRAL, lengths, 2, ["neutral"], 1)
    assert [placebo.parts for placebo in made] == [("neutral/3", "neutral/4"), ("neutral/4", "neutral/5")]


def test_of_neutral_sentences_of_as_many_tokens_the_one_of_as_many_words_is_nearest() -> None:
    asked = Stimulus("lib/X", "one two three four five")
    alike = dict.fromkeys([asked.id, *(s.id for s in NEUTRAL)], 7)
    assert [p.id for p in matched_placebos([asked], NEUTRAL, alike, 2, ["neutral"], 1)] == ["neutral/5", "neutral/4"]
    assert {p.id for p in placebos_of(asked, NEUTRAL, alike)} == {s.id for s in NEUTRAL}, "all are of its length"
    apart = {s.id: 7 + 9 * s.n_words for s in NEUTRAL}
    assert [p.id for p in placebos_of(asked, NEUTRAL, {**apart, asked.id: 7})] == ["neutral/3"], "none is, so the nearest"


def test_a_placebo_made_of_one_stimulus_is_none_of_another() -> None:
    made = matched_placebos([WORDS, STIMULI[0]], [], {}, 1, ["shuffled", "whitespace"], 1)
    lengths = dict.fromkeys([WORDS.id, STIMULI[0].id], 1)
    for stimulus in (WORDS, STIMULI[0]):
        assert {p.of for p in placebos_of(stimulus, made, lengths)} == {stimulus.id}
    assert len(made) == 4


def test_one_word_has_no_other_order() -> None:
    assert matched_placebos([Stimulus("lib/X", "Please")], [], {}, 1, ["shuffled"], 1) == ()
    assert matched_placebos([Stimulus("lib/X", "go go go")], [], {}, 1, ["shuffled"], 1) == ()


def test_two_draws_of_one_seed_are_not_one_draw() -> None:
    """Generators of the same name would order demonstrations as they order items."""
    same = [Item(f"i{n}", f"{n:02}", ("x",)) for n in range(20)]
    task = replace(designs.task(same), demos=tuple(Demo(item.input, "x") for item in same))
    drawn = draw(task, None, 20, 1)
    assert [item.input for item in drawn.items] != [demo.input for demo in drawn.demos]
    positions = list(range(20))
    random.Random("1/twin/toy/items").shuffle(positions)
    assert [item.input for item in drawn.items] == [f"{n:02}" for n in positions], "named by what it draws"
    assert [demo.input for demo in drawn.demos] == random.Random("1/twin/toy/demos").sample([f"{n:02}" for n in range(20)], 20)


def test_draws_of_seed_1_stay_as_they_are() -> None:
    """What these name is written into every run: another order is another experiment under the same id."""
    task = designs.task(designs.items(6))
    drawn = draw(task, 4, 3, 1)
    assert [item.id for item in drawn.items] == ["i5", "i1", "i3", "i0"]
    assert ["".join(item.choices) for item in drawn.items] == ["adcb", "badc", "dbca", ""]
    assert [demo.input for demo in drawn.demos] == ["demo 3", "demo 7", "demo 5"]
    assert order_of_blocks(1, replace(task, items=task.items[:1]))["i0"] == [
        "none_aa",
        "lib/A",
        "lib/A",
        "none",
        "lib/B",
        "lib/B",
        "none_aa",
        "lib/C",
        "none",
        "lib/C",
    ]
    assert cues(1, replace(task, items=task.items[:1])) == ["c693", "c224", "c741", "c19"]
    assert wordings(1, replace(task, items=task.items[:3])) == ["wording 0", "wording 4", "wording 3"]
    assert shuffled(WORDS, 1).text == "delta kappa iota eta gamma beta alpha epsilon theta zeta"


# --- demonstrations ---------------------------------------------------------------------------------------------------


def test_a_demonstration_shares_neither_input_nor_cluster_with_an_item_that_is_asked() -> None:
    asked = [Item("1", "one", ("1",), cluster="c1"), Item("2", "two", ("2",))]
    rest = [
        Item("3", "three", ("3",), cluster="c1"),
        Item("4", "two", ("4",)),
        Item("5", "five", ("5", "V"), ("x", "y"), cluster="c2"),
        Item("6", "six", ("6",)),
    ]
    assert spare_demos(asked, rest) == [Demo("five", "5", ("x", "y")), Demo("six", "6")]


@given(
    hs.lists(hs.tuples(hs.integers(0, 6), hs.none() | hs.sampled_from("pqrs")), min_size=1, max_size=30), hs.integers(1, 10),
    hs.integers(0, 4), seeds,
)  # fmt: skip
@QUICK
def test_no_demonstration_gives_an_item_away(rows: list[tuple[int, str | None]], n_items: int, n_demos: int, seed: int) -> None:
    of = [Item(f"i{n}", f"input {value}", (f"target {n}",), cluster=cluster) for n, (value, cluster) in enumerate(rows)]
    drawn = draw(designs.task(of, n_demos=0), n_items, n_demos, seed)
    by_target = {item.targets[0]: item for item in of}
    for demo in drawn.demos:
        source = by_target[demo.output]
        assert source not in drawn.items
        assert source.input not in {item.input for item in drawn.items}
        assert source.cluster is None or source.cluster not in {item.cluster for item in drawn.items}
    assert len(drawn.demos) <= n_demos
    assert 1 <= len(drawn.items) <= n_items


@given(hs.integers(1, 40), hs.integers(0, 5), hs.booleans(), seeds)
@QUICK
def test_as_many_items_are_there_to_ask_as_are_drawn(n: int, n_demos: int, pool: bool, seed: int) -> None:
    task = designs.task(designs.items(n), n_demos=9 if pool else 0)
    assert len(draw(task, None, n_demos, seed).items) == n_available(task, n_demos)
    assert n_available(task, n_demos) == (n if pool else max(1, n - 2 * n_demos))


def test_the_order_of_a_pool_does_not_matter() -> None:
    drawn = draw(TOY, None, 4, 1).demos
    assert draw(replace(TOY, demos=TOY.demos[::-1]), None, 4, 1).demos == drawn
    assert len(set(drawn)) == 4


# --- items and options ------------------------------------------------------------------------------------------------


@given(hs.integers(1, 40), hs.integers(0, 3), hs.booleans(), seeds)
@QUICK
def test_any_prefix_of_the_items_is_the_prefix_of_a_longer_draw(n: int, n_demos: int, pool: bool, seed: int) -> None:
    task = designs.task(designs.items(n), n_demos=9 if pool else 0)
    longest = draw(task, None, n_demos, seed)
    for fewer in range(1, n + 1):
        assert draw(task, fewer, n_demos, seed).items == longest.items[:fewer]
    assert len({item.id for item in longest.items}) == len(longest.items)


@given(hs.integers(2, 9), seeds)
@QUICK
def test_options_move_with_their_grades_and_nothing_else_changes(n: int, seed: int) -> None:
    item = Item("i", "input", ("o1",), tuple(f"o{i}" for i in range(n)), "c", tuple(i / 10 for i in range(n)))
    [drawn] = draw(designs.task([item]), None, 0, seed).items
    assert sorted(drawn.choices) == sorted(item.choices)
    assert drawn.scores == tuple(int(choice[1:]) / 10 for choice in drawn.choices)
    assert replace(drawn, choices=(), scores=()) == replace(item, choices=(), scores=())
    assert draw(designs.task([item], fixed_order=True), None, 0, seed).items == (item,), "a published order stays"


# --- trials -----------------------------------------------------------------------------------------------------------


@given(all_designs())
@QUICK
def test_every_trial_once_and_blocks_are_whole(made: Design) -> None:
    found = list(trials(made))
    assert [t.order for t in found] == list(range(made.n_trials))
    planned = {
        (task.id, item.id, condition, model.name, replicate)
        for task in made.tasks
        for item in task.items
        for condition in map(repr, made.arms)
        for model in made.models
        for replicate in range(made.replicates)
    }
    assert {(t.task, t.item.id, repr(t.arm), t.model, t.replicate) for t in found} == planned
    assert len(planned) == len(found)
    assert len({t.id for t in found}) == len(found), "and no two have one id"
    size = trials_an_item(made)
    for start in range(0, len(found), size):
        assert len({(t.task, t.item.id) for t in found[start : start + size]}) == 1
    asked = [(t.task, t.item.id) for t in found[::size]]
    assert asked == [(t.id, t.items[n].id) for n in range(9) for t in made.tasks if n < len(t.items)], "tasks take turns"


@given(all_designs(), hs.data())
@QUICK
def test_the_rest_is_the_same_wherever_it_begins(made: Design, data: hs.DataObject) -> None:
    found = list(trials(made))
    start = data.draw(hs.integers(0, made.n_trials))
    end = data.draw(hs.integers(start, made.n_trials))
    assert list(trials(made, start)) == found[start:]
    assert list(trials(made, start, end)) == found[start:end]


@given(all_designs())
@QUICK
def test_all_arms_of_a_pair_meet_the_same_item_demonstrations_and_options(made: Design) -> None:
    tasks = {task.id: task for task in made.tasks}
    pairs: dict[Any, list[Trial]] = {}
    for t in trials(made):
        c = t.arm
        pairs.setdefault((t.task, t.item.id, c.setting, t.model, t.replicate), []).append(t)
    for (task, item, *_), pair in pairs.items():
        assert len({t.arm.name for t in pair}) == len(pair)
        assert {NONE_ARM, AA_ARM} <= {t.arm.name for t in pair}
        [original] = [one for one in tasks[task].items if one.id == item]
        assert all(t.item is original for t in pair), "one object, and so one order of its options"


@given(all_designs(), hs.integers(0, 2))
@QUICK
def test_ids_and_orders_stay_when_a_task_joins(made: Design, place: int) -> None:
    new = draw(designs.task(designs.items(4), "new"), None, 1, made.seed)
    more = replace(made, tasks=(*made.tasks[:place], new, *made.tasks[place:]))

    def of(t: Trial) -> tuple[str, str, str]:
        return t.id, t.item.id, t.arm.name

    assert [of(t) for t in trials(more) if t.task != new.id] == [of(t) for t in trials(made)]


@given(all_designs())
@QUICK
def test_no_two_trials_of_one_request_share_a_draw(made: Design) -> None:
    """The A/A arm sends what the baseline sends: the same number would let the cache answer it, and it would agree with itself."""
    drawn: dict[Any, list[int]] = {}
    for t in trials(made):
        if t.arm.name in (NONE_ARM, AA_ARM):
            c = t.arm
            drawn.setdefault((t.task, t.item.id, c.setting, t.model), []).append(draw_number(t, made.replicates))
    assert all(sorted(numbers) == list(range(2 * made.replicates)) for numbers in drawn.values())


IDS = [
    {"task": "twin/other"}, {"replicate": 1}, {"item": Item("i1", "input", ("x",))}, {"arm": designs.arm(STIMULI[0])},
    {"arm": designs.arm(base_prompt="ape")}, {"arm": designs.arm(shots=1)},
    {"arm": designs.arm(placement=replace(designs.PAPER, name="other"))},
    {"arm": replace(designs.arm(), setting=replace(designs.arm().setting, strategy="logprobs"))}, {"model": "other"},
]  # fmt: skip


def test_a_trial_is_named_by_all_that_tells_it_from_others_and_by_nothing_else() -> None:
    one = designs.trial(Item("i0", "input", ("x",)), designs.arm())
    names = [replace(one, **change).id for change in IDS]  # type: ignore[arg-type]
    assert len({one.id, *names}) == 1 + len(IDS)
    assert replace(one, order=5, item=replace(one.item, input="other", choices=("p", "q"))).id == one.id
    assert one.id == "ce9837e1a41449dbd05f", "ids are written into runs: another one would ask everything again"

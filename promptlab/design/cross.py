"""Factors crossed into trials: which items, which arms, in which order. Pure and seeded: no files, no clock.

And what is added to a prompt, and what that is compared with: stacks, wordings, and placebos made to measure.

The same items, demonstrations and option orders meet every arm, so that a pair of trials differs in its stimulus
alone. Every draw has a generator of its own, named after what it draws, so that adding a task reshuffles no other.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from promptlab.nouns import AA_ARM, NONE_ARM, OWN_PROMPT, Demo, Item, Model, Setting, Stimulus, Task, grouped
from promptlab.nouns.arm import Arm, Placement, Program, Strategy, Trial
from promptlab.nouns.item import as_read

PlaceboKind = Literal["neutral", "shuffled", "whitespace"]
NEAREST = 3
"""Neutral sentences for each stimulus, on average over the stimuli."""
LEAST_SHARED = 5
"""Neutral sentences that can stand for others like them."""
MOST_SHARED = 8
"""Beyond so many, more of them hardly make a mean any surer."""


def stack(parts: Sequence[Stimulus]) -> Stimulus:
    """Several stimuli as one arm, in order, one space between them (as the papers print their combinations)."""
    libraries = {part.library for part in parts}
    library = libraries.pop() if len(libraries) == 1 else "stack"
    keys = "+".join(part.id.partition("/")[2] for part in parts)
    return Stimulus(
        id=f"{library}/{keys}",
        text=" ".join(part.text for part in parts),
        theory="; ".join(dict.fromkeys(part.theory for part in parts if part.theory)),
        valence="; ".join(dict.fromkeys(part.valence for part in parts if part.valence)),
        source="; ".join(dict.fromkeys(part.source for part in parts)),
        demands=tuple(dict.fromkeys(demand for part in parts for demand in part.demands)),
        parts=tuple(part.id for part in parts),
    )


def with_wordings(stimulus: Stimulus, known: Sequence[Stimulus], seed: int) -> Stimulus:
    """The stimulus with its own wording and all its paraphrases, in an order by seed: items draw a place in it."""
    wordings = [stimulus.text, *(s.text for s in known if s.of == stimulus.id)]
    random.Random(f"{seed}/{stimulus.id}/wordings").shuffle(wordings)
    return replace(stimulus, wordings=tuple(wordings)) if len(wordings) > 1 else stimulus


def shuffled(stimulus: Stimulus, seed: int) -> Stimulus:
    """The words of a stimulus in another order: its length and vocabulary without what it says."""
    words = stimulus.text.split()
    order = list(words)
    rng = random.Random(f"{seed}/{stimulus.id}/shuffled")
    for _ in range(20):  # a short text may come out as it went in
        rng.shuffle(order)
        if order != words:
            break
    return _made("shuffled", stimulus, " ".join(order))


def whitespace(stimulus: Stimulus) -> Stimulus:
    """As many spaces as the stimulus has characters."""
    return _made("whitespace", stimulus, " " * len(stimulus.text))


def _made(kind: str, stimulus: Stimulus, text: str) -> Stimulus:
    key = stimulus.id.replace("/", ".")
    return Stimulus(
        f"{kind}/{key}", text, role="placebo", theory="none", valence="neutral", source=f"made from {stimulus.id}", of=stimulus.id
    )


def matched_placebos(
    stimuli: Sequence[Stimulus],
    neutral: Sequence[Stimulus],
    n_tokens: Mapping[str, int],
    per_stimulus: int | None,
    kinds: Sequence[PlaceboKind],
    seed: int,
) -> tuple[Stimulus, ...]:
    """For every stimulus the neutral sentences nearest in tokens, and what is made of its own text; each once. A stack is matched
    part by part. Without `per_stimulus` stimuli of similar length share theirs.

    `n_tokens` holds the length of every stimulus, part and neutral sentence by id.
    """
    chosen: dict[str, Stimulus] = {}
    if per_stimulus is None and "neutral" in kinds:
        chosen |= {placebo.id: placebo for placebo in shared([s for s in stimuli if not s.parts], neutral, n_tokens)}
    for stimulus in stimuli:
        if "neutral" in kinds and stimulus.parts:
            each = [nearest(n_tokens[part], None, neutral, n_tokens) for part in stimulus.parts]
            made = [_stacked([near[(place + n) % len(near)] for n, near in enumerate(each)]) for place in range(per_stimulus or NEAREST)]
            chosen |= {placebo.id: placebo for placebo in made}
        elif "neutral" in kinds and per_stimulus is not None:
            near = nearest(n_tokens[stimulus.id], stimulus.n_words, neutral, n_tokens)
            chosen |= {placebo.id: placebo for placebo in near[:per_stimulus]}
        if "shuffled" in kinds and len(set(stimulus.text.split())) > 1:
            words = shuffled(stimulus, seed)
            chosen[words.id] = words
        if "whitespace" in kinds:
            spaces = whitespace(stimulus)
            chosen[spaces.id] = spaces
    return tuple(chosen.values())


def nearest(length: int, n_words: int | None, neutral: Sequence[Stimulus], n_tokens: Mapping[str, int]) -> list[Stimulus]:
    """Neutral sentences by their distance from a length in tokens, then in words where given; ties in the library's order."""
    return sorted(neutral, key=lambda p: (abs(n_tokens[p.id] - length), 0 if n_words is None else abs(p.n_words - n_words)))


def shared(stimuli: Sequence[Stimulus], neutral: Sequence[Stimulus], n_tokens: Mapping[str, int]) -> list[Stimulus]:
    """Neutral sentences that stimuli of similar length share: three for each, then five, then eight, as long as there are at most three
    times as many as stimuli. One stimulus alone has its three nearest.
    """
    chosen: dict[str, Stimulus] = {}
    for want in (NEAREST, LEAST_SHARED, MOST_SHARED):
        for stimulus in sorted(stimuli, key=lambda s: n_tokens[s.id]):
            near = nearest(n_tokens[stimulus.id], stimulus.n_words, neutral, n_tokens)
            near = [p for p in near if alike(n_tokens[stimulus.id], n_tokens[p.id])] or near[:want]
            missing = want - sum(p.id in chosen for p in near)
            for placebo in [p for p in near if p.id not in chosen][: max(missing, 0)]:
                if want == NEAREST or len(chosen) < NEAREST * len(stimuli):
                    chosen[placebo.id] = placebo
    return [p for p in neutral if p.id in chosen]


def alike(length: int, other: int) -> bool:
    """Whether two texts are of similar length: within two tokens, or a fifth of the first."""
    return abs(length - other) <= max(2, length // 5)


def _stacked(parts: Sequence[Stimulus]) -> Stimulus:
    """A placebo for stacks: a neutral sentence for each sentence."""
    return replace(stack(parts), role="placebo", theory="none", valence="neutral")


def placebos_of(stimulus: Stimulus, placebos: Sequence[Stimulus], n_tokens: Mapping[str, int]) -> tuple[Stimulus, ...]:
    """Of the placebos that a run has, those against which a stimulus is judged: what was made of it, and all neutral sentences of
    similar length, a stack's with as many parts; where there are none, those nearest in tokens, then in words.
    """
    neutral = [p for p in placebos if p.of is None and len(p.parts) == len(stimulus.parts)] or [p for p in placebos if p.of is None]
    gaps = {p.id: (abs(n_tokens[p.id] - n_tokens[stimulus.id]), abs(p.n_words - stimulus.n_words)) for p in neutral}
    least = min(gaps.values(), default=(0, 0))
    meant = {p.id for p in neutral if alike(n_tokens[stimulus.id], n_tokens[p.id])} or {name for name, gap in gaps.items() if gap == least}
    return tuple(p for p in placebos if p.of == stimulus.id or p.id in meant)


SWAPPED = " swapped"
"""What the id of an item ends in that shows its options in reverse."""


@dataclass(frozen=True, slots=True)
class Design:
    """Everything that is crossed: tasks (with their drawn items), arms, models, replicates."""

    tasks: tuple[Task, ...]
    arms: tuple[Arm, ...]
    models: tuple[Model, ...]
    replicates: int
    seed: int
    screened: tuple[int, ...] = ()
    """Of each task how many of its items, the first ones, choose the arms for the others; empty where all judge all arms."""
    left_out: frozenset[tuple[str, str | None]] = frozenset()
    """Ids of tasks with base prompts that do not ask for them."""

    @property
    def n_trials(self) -> int:
        return sum(len(task.items) * trials_an_item(self, task) for task in self.tasks)

    def arms_of(self, task: Task) -> Sequence[Arm]:
        """The arms that a task has: all but those whose base prompt does not ask for it."""
        return [arm for arm in self.arms if (task.id, arm.setting.prompt) not in self.left_out] if self.left_out else self.arms


def draw(task: Task, n_items: int | None, n_demos: int, seed: int) -> Task:
    """The task with `n_items` of its items in a shuffled order (None: all), options shuffled, demonstrations drawn.

    Any prefix of the items is a random sample, options are shuffled because one published file lists the right one first,
    and demonstrations are drawn once, from a pool that holds no test item.
    """
    items = list(task.items)
    random.Random(f"{seed}/{task.id}/items").shuffle(items)
    if not task.fixed_order and any(item.choices for item in items):
        items = [shuffle_choices(item, f"{seed}/{task.id}/{item.id}/choices") for item in items]
    chosen, rest = _split(items, n_items, 0 if task.demos else n_demos)
    spare = task.demos or spare_demos(chosen, rest) if n_demos else ()
    pool = sorted(spare, key=lambda demo: (demo.input, demo.output))
    chosen = [order for item in chosen for order in _both_orders(item)] if task.both_orders else chosen
    demos = random.Random(f"{seed}/{task.id}/demos").sample(pool, min(n_demos, len(pool)))
    return replace(task, items=tuple(chosen), demos=tuple(demos))


def screened(tasks: Sequence[Task], confirm: float) -> list[tuple[Task, int]]:
    """Each task with the items that screen before those that confirm, and how many screen; both in their drawn, random order.

    Whole clusters make up the share `confirm` of each task, in the order of their first items, as long as that comes nearer to it. Items
    whose inputs differ only in case and space stay together, also in different tasks (as do rows of own tasks of one source), and so do
    the clusters that hold them: no text that helped to choose an arm in one task may confirm it in another.
    """
    above: dict[str, str] = {}

    def top(mark: str) -> str:
        while (other := above.setdefault(mark, mark)) != mark:
            above[mark] = mark = above[other]
        return mark

    places = [(number, item) for number, task in enumerate(tasks) for item in task.items]
    asked = [f"input {as_read(item.input)}" for _, item in places]
    for (number, item), mark in zip(places, asked, strict=True):
        task = tasks[number]
        if item.cluster:
            above[top(mark)] = top(f"cluster {item.cluster}")
        if task.suite == "own" and task.source:
            above[top(mark)] = top(f"row {item.id} of {task.source}")
    groups = grouped((top(mark), (number, item.id)) for (number, item), mark in zip(places, asked, strict=True))
    alike = grouped((frozenset(number for number, _ in group), group) for group in groups.values())
    seen, taken, chosen = Counter[int](), Counter[int](), set[tuple[int, str]]()
    for shared in sorted(alike, key=len, reverse=True):
        seen.update(number for number, _ in itertools.chain(*alike[shared]))
        for group in alike[shared]:
            sizes = Counter(number for number, _ in group)
            if sum(abs(taken[n] + size - confirm * seen[n]) - abs(taken[n] - confirm * seen[n]) for n, size in sizes.items()) < 0:
                taken += sizes
                chosen.update(group)
    found = []
    for number, task in enumerate(tasks):
        own = {item for n, item in chosen if n == number}
        items = sorted(task.items, key=lambda item: item.id in own)
        found.append((replace(task, items=tuple(items)), len(items) - taken[number]))
    return found


def n_available(task: Task, n_demos: int) -> int:
    """How many items there are to ask where `n_demos` demonstrations are drawn."""
    return (1 + task.both_orders) * len(_split(task.items, None, 0 if task.demos else n_demos)[0])


def _both_orders(item: Item) -> tuple[Item, Item]:
    """The item, and again with its options in reverse: a cluster of two."""
    own = replace(item, cluster=item.cluster or item.id)
    return own, replace(own, id=f"{item.id}{SWAPPED}", choices=item.choices[::-1], scores=item.scores[::-1])


def _split(items: Sequence[Item], n_items: int | None, n_demos: int) -> tuple[Sequence[Item], Sequence[Item]]:
    """The items to ask, and those left for demonstrations; a task without a pool of its own gives up some of its last items."""
    end = min(n_items if n_items is not None else len(items), max(1, len(items) - 2 * n_demos))
    return items[:end], items[end:]


def spare_demos(chosen: Sequence[Item], rest: Sequence[Item]) -> list[Demo]:
    """Demonstrations from items that are not asked, and that share neither an input nor a cluster with one that is."""
    taken = {item.input for item in chosen} | {item.cluster for item in chosen if item.cluster}
    free = [item for item in rest if item.input not in taken and item.cluster not in taken]
    return [Demo(item.input, item.targets[0], item.choices, item.columns) for item in free]


def shuffle_choices(item: Item, name: str) -> Item:
    """The item with its options in the order that `name` decides."""
    if not item.choices:
        return item
    order = list(range(len(item.choices)))
    random.Random(name).shuffle(order)
    scores = tuple(item.scores[i] for i in order) if item.scores else ()
    return replace(item, choices=tuple(item.choices[i] for i in order), scores=scores)


def cross(
    stimuli: Sequence[Stimulus],
    placebos: Sequence[Stimulus],
    settings: Sequence[tuple[Setting, Placement, Strategy]],
    repeated: Setting | None = None,
) -> tuple[Arm, ...]:
    """Every arm in every setting: the baseline, its A/A repeat (only in `repeated` where that is given), the placebos and the stimuli."""
    found = []
    for rest in settings:
        found.append(Arm(NONE_ARM, "baseline", None, *rest))
        if repeated in (None, rest[0]):
            found.append(Arm(AA_ARM, "aa", None, *rest))
        found.extend(Arm(s.id, "placebo", s, *rest) for s in placebos)
        found.extend(Arm(s.id, "stimulus", s, *rest) for s in stimuli)
    return tuple(found)


def settings_of(
    prompts: Sequence[str],
    placements: Sequence[Placement],
    shots: Sequence[int],
    strategies: Sequence[Strategy],
    samplings: Sequence[Mapping[str, Any]] = ({},),
) -> list[tuple[Setting, Placement, Strategy]]:
    """Every combination of factors once.

    A program that keeps its own instructions meets no base prompt, so it is a setting once, whatever their number.
    """
    crossed = itertools.product(prompts, placements, shots, strategies, samplings)
    found = {
        Setting(p.name, k, s.name, tuple(sorted(sampling.items())), OWN_PROMPT if _has_own_prompt(s) else prompt): (p, s)
        for prompt, p, k, s, sampling in crossed
    }
    return [(setting, *rest) for setting, rest in found.items()]


def _has_own_prompt(strategy: Strategy) -> bool:
    return isinstance(strategy.parameters, Program) and strategy.parameters.instructions == "own"


def trials(design: Design, start: int = 0, end: int | None = None, among: Sequence[int] | None = None) -> Iterator[Trial]:
    """All trials in the order in which they are sent; or those whose order is at least `start` and below `end`, and one of `among`.

    Tasks take turns, and within a block of one item all arms and replicates come in a shuffled order, so that a provider
    that drifts hits every arm alike and a run that stops early has whole blocks of every task.
    """
    order = 0
    last = design.n_trials if end is None else end
    wanted = sorted(among or ())
    for task_number, position in blocks(design):
        if order >= last:
            return
        task = design.tasks[task_number]
        an_item = trials_an_item(design, task)
        place = bisect_left(wanted, order)
        mine = set(wanted[place : bisect_left(wanted, order + an_item, place)])
        if order + an_item <= start or not (mine or among is None):
            order += an_item
            continue
        item = task.items[position]
        block = [
            (arm, model, replicate) for arm in design.arms_of(task) for model in design.models for replicate in range(design.replicates)
        ]
        random.Random(f"{design.seed}/{task.id}/{item.id}/block").shuffle(block)
        for arm, model, replicate in block:
            if start <= order < last and (among is None or order in mine):
                yield Trial(order, task.id, item, arm, model.name, replicate)
            order += 1


def blocks(design: Design) -> Iterator[tuple[int, int]]:
    """Task (by its number) and place of its item, in the order in which items are sent; all that screen come first."""
    sizes = [len(task.items) for task in design.tasks]
    parts = [([0] * len(sizes), design.screened), (design.screened, sizes)] if design.screened else [([0] * len(sizes), sizes)]
    for first, end in parts:
        for step in range(max((b - a for a, b in zip(first, end, strict=True)), default=0)):
            yield from ((number, a + step) for number, (a, b) in enumerate(zip(first, end, strict=True)) if a + step < b)


def trials_an_item(design: Design, task: Task | None = None) -> int:
    """How many trials one item has (of a task, where tasks differ in their base prompts): the size of a block."""
    return len(design.arms if task is None else design.arms_of(task)) * len(design.models) * design.replicates


def draw_number(trial: Trial, replicates: int) -> int:
    """Which of the repeated draws of one request a trial takes: the A/A arm takes those after the baseline's."""
    return trial.replicate + (replicates if trial.arm.role == "aa" else 0)

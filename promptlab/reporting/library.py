"""The sentences, tasks and prompts that come with promptlab, and those of a run: what a library page lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from promptlab.design.cross import matched_placebos
from promptlab.design.render import PRESETS, render_input, stimulus_text
from promptlab.design.render import render as rendered
from promptlab.nouns import BENCHMARKS, Arm, Demo, Frame, Item, Placement, PlannedArm, PlannedTask, Stimulus, Suite, Task, counted, filled
from promptlab.nouns.item import Prompt
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.rescore import item_of
from promptlab.reporting.table import Table, table
from promptlab.reporting.words import mark, or_unknown
from promptlab.sources.official import files as official
from promptlab.sources.spec.libraries import all_stimuli
from promptlab.sources.tasks import entries, task_here, task_names
from promptlab.sources.tokens import DEFAULT, n_tokens
from promptlab.strategies import plain_arm

ITEMS = 3
"""Items shown at once."""
MATCHED = 3
MOST_SHOTS = 10
ROLES = {"all": "All", "stimulus": "Under test", "placebo": "Neutral", "paraphrase": "Reworded", "loop": "Loops"}
SUITES = {"run": "This run", "twin": "promptlab's own items", "official": "Official benchmark files"}
BRING = "promptlab data import DIR\npromptlab data pull"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One added text, or one arm of a run without one."""

    name: str
    role: str
    text: str | None
    stimulus: Stimulus | None
    in_run: bool
    n_tokens: int | None
    placebos: tuple[str, ...]
    theory: str
    source: str


@dataclass(frozen=True, slots=True)
class Known:
    """A task as it is listed: its items are read where it is looked at."""

    id: str
    name: str
    suite: Suite
    in_run: bool
    n_items: int
    benchmark: str
    metric: str
    chance: float | None
    base_prompts: Mapping[str, str]
    defects: tuple[str, ...]
    licence: str
    source: str
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    """The whole prompts of the run, which then replace the base prompts."""

    @property
    def asked_by(self) -> Sequence[str]:
        """The names of the prompts that can be shown; empty where a run holds none."""
        return list(self.prompts or self.base_prompts)


def sentences(store: Store | None) -> list[Sentence]:
    """The run's own arms first, then every other text that comes with promptlab."""
    encoding = str(store.plan.encoding or DEFAULT) if store else DEFAULT
    found: dict[str, Sentence] = {}
    for arm in store.plan.arms if store else ():
        if arm.role in ("baseline", "aa") or arm.name in found:
            continue
        found[arm.name] = Sentence(
            name=arm.name, role="loop" if arm.loop else arm.role, text=arm.text, stimulus=None if arm.loop else _thawed(arm), in_run=True,
            n_tokens=arm.n_tokens, placebos=tuple(store.plan.placebos_of.get(arm.name, ())) if store else (),
            theory=arm.theory or "", source=arm.source or "",
        )  # fmt: skip
    ours = sorted(found.values(), key=lambda s: list(ROLES).index(s.role) if s.role in ROLES else len(ROLES))
    return [*ours, *(sentence for sentence in shipped(encoding) if sentence.name not in found)]


@lru_cache(maxsize=4)
def shipped(encoding: str) -> tuple[Sentence, ...]:
    """Every text that comes with promptlab, with the neutral sentences that an experiment would match it with."""
    known = all_stimuli()
    neutral = [s for s in known.values() if s.role == "placebo"]
    lengths = {s.id: n_tokens(s.text, encoding) for s in known.values()}
    return tuple(
        filled(
            Sentence, s, name=s.id, stimulus=s, in_run=False, n_tokens=lengths[s.id],
            placebos=tuple(p.id for p in matched_placebos([s], neutral, lengths, MATCHED, ["neutral"], 0)) if s.role == "stimulus" else (),
        )
        for s in known.values()
    )  # fmt: skip


def _thawed(arm: PlannedArm) -> Stimulus | None:
    """An arm's text as the noun that prompts are made of; of an imported run as far as it is known."""
    if arm.stimulus:
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in arm.stimulus.items()}
        return Stimulus(**{key: value for key, value in fields.items() if key in Stimulus.__dataclass_fields__})
    return Stimulus(arm.name, arm.text) if arm.text and not arm.loop else None


def roles_in(every: Sequence[Sentence]) -> dict[str, str]:
    """The roles that are there, with the words for them; all of them first."""
    there = {"all", *(sentence.role for sentence in every)}
    return {role: word for role, word in ROLES.items() if role in there}


def of_role(every: Sequence[Sentence], role: str) -> list[Sentence]:
    """The sentences of one role."""
    return [sentence for sentence in every if role in ("all", sentence.role)]


def sentence_table(store: Store | None, every: Sequence[Sentence], role: str) -> Table:
    """The sentences of one role, with how often a run used them."""
    listed = of_role(every, role)
    rows = [
        [
            s.name, *(["yes" if s.in_run else ""] if store else ()), s.text or "", s.role, len(s.text.split()) if s.text else 0,
            or_unknown(s.n_tokens), ", ".join(s.placebos), s.theory, ", ".join(s.stimulus.demands) if s.stimulus else "", s.source,
        ]
        for s in listed
    ]  # fmt: skip
    first = " Those of this run come first." if store else ""
    note = (
        f"{counted(len(listed), 'text')}. Click one to see it in a prompt. Neutral sentences are matched by tokens, then by words.{first}"
    )
    heads = ("text", "role", "words", "tokens", "compared with", "theory", "asks for", "source")
    return table("Sentences", note, ("id", *(("in this run",) if store else ()), *heads), rows)


def suites_in(store: Store | None) -> dict[str, str]:
    """Whose items can be looked at."""
    return {key: word for key, word in SUITES.items() if key != "run" or store}


def tasks_in(store: Store | None, suite: str) -> list[Known]:
    """The tasks of a suite, or of the run."""
    if suite == "run" and store:
        whole = _whole_prompts(store)
        return [replace(_known(task, task.n_items, True), prompts=whole) for task in store.plan.tasks]
    ran = {f"{task.suite}/{task.name}" for task in store.plan.tasks} if store else set()
    of_run = _whole_prompts(store) if store else {}
    listed = library("official" if suite == "official" else "twin")
    return [replace(task, in_run=task.id in ran, prompts=of_run if task.id in ran else {}) for task in listed]


def _whole_prompts(store: Store) -> dict[str, Prompt]:
    return {prompt.name: filled(Prompt, prompt, names=prompt.variables) for prompt in store.plan.prompts}


def library(suite: Suite) -> tuple[Known, ...]:
    """The tasks of a suite that can be read; none of the official ones where their files are not here."""
    if suite == "official" and not any(state.state == "present" for state in official.listing()):
        return ()
    found = (task_here(name, suite) for name in task_names(suite))
    return tuple(_known(task, len(task.items), False) for task in found if task)


def _known(task: Task | PlannedTask, n_items: int, in_run: bool) -> Known:
    entry = entries().get(task.name) if task.suite != "own" else None
    benchmark = BENCHMARKS[entry.benchmark] if entry else "your own"
    return filled(Known, task, id=f"{task.suite}/{task.name}", in_run=in_run, n_items=n_items, benchmark=benchmark)


def _chance(known: Known) -> str:
    return "near 0 %" if known.chance is None else f"{100 * known.chance:.0f} %"


def task_table(tasks: Sequence[Known]) -> Table:
    """The tasks with their scorers, chance and sources."""
    rows = [
        [
            task.id, "yes" if task.in_run else "", task.n_items, task.benchmark, task.metric, _chance(task), ", ".join(task.asked_by),
            str(len(task.defects)) if task.defects else "", task.licence, task.source,
        ]
        for task in tasks
    ]  # fmt: skip
    note = f"{counted(len(tasks), 'task')}. Click one to see its prompts. Chance is the expected score of blind guessing."
    heads = ("task", "in this run", "items", "benchmark", "scored by", "chance", "asked by", "known defects", "licence", "source")
    return table("Tasks", note, heads, rows)


@dataclass(frozen=True)
class View:
    """What is looked at: a sentence in a prompt of a task (empty where it has none), in a layout, with so many worked examples."""

    sentence: Sentence | None
    known: Known
    task: Task
    prompt: str
    layout: Placement
    shots: int

    @property
    def n_pages(self) -> int:
        return max(1, -(-self.known.n_items // ITEMS))

    def items(self, store: Store | None, number: int) -> list[Item]:
        """The items of one page, counted from 1: the run's own, in its order, where the task is of the run."""
        start = (number - 1) * ITEMS
        if not self.prompt:
            return []
        if self.task.items or store is None:
            return list(self.task.items[start : start + ITEMS])
        rows = store.query(
            "SELECT * FROM items WHERE suite = ? AND task = ? LIMIT ? OFFSET ?",
            [self.known.suite, self.known.name, ITEMS, start],
        )
        return [replace(item_of(row), columns=json.loads(row.get("columns") or "{}")) for row in records(rows)]

    @property
    def arm(self) -> Arm:
        arm = plain_arm(self.prompt, self.layout, self.sentence.stimulus if self.sentence else None, self.shots)
        return replace(arm, prompt=self.known.prompts.get(self.prompt))


def layouts_of(store: Store | None) -> dict[str, Placement]:
    """The run's layouts, then the presets that it does not have."""
    ours = {str(name): Placement(**fields) for name, fields in store.plan.placements.items()} if store else {}
    return ours | {name: preset for name, preset in PRESETS.items() if name not in ours}


def whole_task(store: Store | None, known: Known) -> Task:
    """The task that prompts are made of: as the run froze it, its items left to a query; else from promptlab's files."""
    if store and known.in_run:
        for task in (task for task in store.plan.tasks if f"{task.suite}/{task.name}" == known.id):
            demos = tuple(Demo(demo["input"], demo["output"], tuple(demo["choices"]), demo.get("columns") or {}) for demo in task.demos)
            frame = Frame(**task.frame)
            return filled(Task, known, benchmark="own", items=(), demos=demos, frame=frame, options=task.options)
    return task_here(known.name, known.suite) or Task(known.name, known.suite, "own", known.metric, known.base_prompts, ())


def marked(view: View, item: Item, text: str) -> str:
    """A message with the added text between ▶ and ◀."""
    stimulus = view.sentence.stimulus if view.sentence else None
    return mark(text, stimulus_text(stimulus, view.task, item))[0]


def labels_note(view: View) -> str:
    """What is not as it was sent where a whole prompt lists labels: a run keeps them for each item, not in the order of the task's file."""
    whole = view.known.prompts.get(view.prompt)
    if whole is None or "labels" not in whole.names or view.task.options != "hidden":
        return ""
    return "The labels are in an order of the item's own here; the page Answers shows them as they were sent."


def about_table(view: View) -> Table:
    """The single facts about one task."""
    known = view.known
    rows = [
        ("task", known.id),
        ("benchmark", known.benchmark),
        ("scored by", known.metric),
        ("chance", _chance(known)),
        ("items", f"{known.n_items:,}"),
        ("source", known.source),
        ("licence", known.licence),
        *(("known defect", defect) for defect in known.defects),
    ]
    return table("About the task", "", ("what", "value"), rows)


def prompt_texts(view: View) -> Table:
    """The base prompts of one task, or the messages of the run's whole prompts."""
    if view.known.prompts:
        rows = [(prompt.name, message["role"], message["content"]) for prompt in view.known.prompts.values() for message in prompt.messages]
        return table("Whole prompts", "", ("prompt", "role", "text"), rows)
    return table("Base prompts", "", ("base prompt", "text"), view.known.base_prompts.items())


def prompt_table(view: View, items: Sequence[Item]) -> Table:
    """Whole prompts for some items, message by message."""
    rows = [
        [
            item.id, message["role"], marked(view, item, message["content"]),
            render_input(item.input, item.choices, view.task, view.layout), "  or  ".join(item.targets),
        ]
        for item in items
        for message in rendered(view.task, item, view.arm)
    ]  # fmt: skip
    name = view.sentence.name if view.sentence else "nothing"
    kind = "prompt" if view.known.prompts else "base prompt"
    note = f"{name} added to {view.known.id}, {kind} {view.prompt}, layout {view.layout.name}. The added text is between ▶ and ◀."
    note = " ".join(filter(None, [note, labels_note(view)]))
    return table("Prompts", note, ("item", "role", "message", "input", "right answers"), rows)

"""What exactly are the sentences, the tasks and the prompts? All that comes with promptlab, and first what a run has of its own."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from promptlab.design.render import render as rendered
from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters, go
from promptlab.nouns import NONE_ARM
from promptlab.reporting import library
from promptlab.reporting.library import Known, Sentence, View
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table


def render(store: Store | None, filters: Filters) -> None:
    """Show the page; without a run what comes with promptlab."""
    st.header("Sentences")
    every = library.sentences(store)
    role = filters.switch("Which sentences", "role", library.roles_in(every), "all", drops=("sentence",))
    listed = library.of_role(every, role)
    if not listed:
        st.caption("There is no such sentence here.")
    else:
        table = library.sentence_table(store, every, role)
        plain.line(table.note)

        def choose(row: int, _: str) -> None:
            if listed[row].stimulus:  # what a loop says is in no prompt
                go(sentence=listed[row].name)

        plain.choosable(table.frame, f"library/sentences/{role}", choose, alt="Sentences; a click shows one in the prompt")
        take.frame(table.frame, "sentences")
    st.header("Tasks")
    suites = library.suites_in(store)
    suite = filters.switch("Whose items", "suite", suites, next(iter(suites)), drops=("exercise", "three"))
    tasks = library.tasks_in(store, suite)
    if suite == "official" and not tasks:
        st.info("The official benchmark files are not here, so promptlab's own items are shown. These commands bring them:")
        plain.block(library.BRING)
        tasks = library.tasks_in(store, "twin")
    table = library.task_table(tasks)
    plain.line(table.note)

    def choose_task(row: int, _: str) -> None:
        go(exercise=tasks[row].id, three=None, prompt=None, shots=None)

    plain.choosable(table.frame, f"library/tasks/{suite}", choose_task, alt="Tasks; a click shows the prompts of one")
    take.frame(table.frame, "tasks")
    st.header("The prompt")
    _prompt(store, filters, every, tasks)


def tables(store: Store | None, filters: Filters) -> list[Table]:
    """Every table of the page, and the prompts that it shows, as frames."""
    every = library.sentences(store)
    role = filters.switch("Which sentences", "role", library.roles_in(every), "all")
    suites = library.suites_in(store)
    suite = filters.switch("Whose items", "suite", suites, next(iter(suites)))
    tasks = library.tasks_in(store, suite) or library.tasks_in(store, "twin")
    view = _chosen(store, filters, every, tasks)
    items = view.items(store, filters.page_number("three", view.n_pages))
    return [
        library.sentence_table(store, every, role), library.task_table(tasks), library.about_table(view), library.prompt_texts(view),
        library.prompt_table(view, items),
    ]  # fmt: skip


def _prompt(store: Store | None, filters: Filters, every: Sequence[Sentence], tasks: Sequence[Known]) -> None:
    view = _chosen(store, filters, every, tasks)
    _notes(store, view)
    take.shown(library.about_table(view), "task")
    take.folded("How its prompts ask", library.prompt_texts(view), "prompts")
    number = filters.page_number("three", view.n_pages)
    items = view.items(store, number)
    if not view.prompt:
        st.caption("This task has no prompts here.")
        return
    if not items:
        st.caption("This task has no items here.")
        return
    if view.sentence:
        st.caption("The added text is between ▶ and ◀.")
    for item, column in zip(items, st.columns(len(items)), strict=True):
        with column:
            plain.line(f"item {item.id}")
            for message in rendered(view.task, item, view.arm):
                plain.line(f"{message['role']}:")
                plain.block(library.marked(view, item, message["content"]))
            plain.line(f"Right: {'  or  '.join(item.targets)}")


def _notes(store: Store | None, view: View) -> None:
    if view.sentence and view.sentence.stimulus and view.sentence.stimulus.wordings:
        st.caption("This arm draws one of its wordings for each item.")
    if not view.known.in_run and any(item.choices for item in view.task.items):
        st.caption("The options are in the order of the file; an experiment shuffles them by its seed.")
    if view.known.in_run and store and store.plan.programs:
        st.caption("A DSPy program of this run makes messages of its own; the page Answers shows them as they were sent.")
    if note := library.labels_note(view):
        plain.line(note)
    if store and store.plan.imported:
        st.caption("This run was imported: promptlab did not make its prompts, and these are only what it would send.")


def _chosen(store: Store | None, filters: Filters, every: Sequence[Sentence], tasks: Sequence[Known]) -> View:
    """The sentence, the task and the layout whose prompts are shown."""
    usable = {s.name: s for s in every if s.stimulus is not None}
    own = store is not None and bool(store.plan.prompts)  # who compares whole prompts adds a sentence of the run, or none
    first = next((s.name for s in usable.values() if s.role == "stimulus" and (s.in_run or not own)), NONE_ARM)
    sentences = {NONE_ARM: "none: nothing is added"} | {name: f"{name}: {s.text}" for name, s in usable.items()}
    of_task, layouts = {task.id: task for task in tasks}, library.layouts_of(store)
    one, two, three, four = filters.columns(4)
    name = filters.pick("Sentence", "sentence", sentences, first, sentences, place=one)
    drops = ("three", "prompt", "shots")
    known = of_task[filters.pick("Task", "exercise", of_task, next(iter(of_task)), drops=drops, place=two)]
    prompts = known.asked_by
    if known.prompts:
        prompt = filters.pick("Prompt", "prompt", prompts, prompts[0], place=three)
    else:
        prompt = filters.pick("Base prompt", "prompt", prompts, prompts[0], place=three) if prompts else ""
    layout = filters.pick("Layout", "layout", layouts, next(iter(layouts)), place=four)
    task = library.whole_task(store, known)
    shots = 0
    if task.demos:
        most = min(library.MOST_SHOTS, len(task.demos))
        usual = min(most, max((setting.shots for setting in store.plan.settings), default=0)) if store and known.in_run else 0
        shots = filters.number("Worked examples", "shots", 0, most, usual)
    return View(usable.get(name), known, task, prompt, layouts[layout], shots)

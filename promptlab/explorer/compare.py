"""Two arms, of one run or of two, on the same items: which answers flipped, and what was sent and answered for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take, trial
from promptlab.explorer.filters import OF_A_PAIR, Filters, Place, go, model_of, setting_of, task_of
from promptlab.explorer.load import folders, open_other
from promptlab.nouns import NONE_ARM
from promptlab.reporting import charts, flips, words
from promptlab.reporting.flips import KINDS, Side
from promptlab.reporting.pair import differences
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.table import Table
from promptlab.stats import interval, p_text, points, wilson

PAGE_ROWS = 50
HERE = "this run"
NOT_PLANNED = (
    "This pair was not planned before the run, so it gets no verdict: among many pairs some differ by chance. Planned are the added texts "
    "against their controls."
)
KIND_WORDS = {"a": "Only A right", "b": "Only B right", "both": "Both right", "neither": "Both wrong"}


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    st.caption(
        "An arm is the prompt with one added text, or without any. Choose two arms; below stand the items that only one of them "
        "got right. Click an item to see both prompts and both answers."
    )
    task, a, b = _sides(store, filters)
    if b is None:
        return
    if (a.store is b.store) and a.key == b.key:
        st.caption("A and B are the same arm. Choose another one to compare.")
        return
    pairs = flips.paired(a, b, task)
    _summary(a, b, task, pairs)
    if pairs.empty:
        st.caption("No item has a scored answer in both arms yet.")
        return
    n = _by_kind(pairs)
    matrix = flips.flip_matrix(n)
    plain.table(matrix, narrow=True)
    take.frame(matrix, "flips")
    if not pairs[["mean_a", "mean_b"]].isin([0, 1]).all(axis=None):
        st.caption("Scores between 0 and 1 occur here; an item counts as right from a mean score of 0.5 on.")
    _items(filters, a, b, task, pairs)
    _tasks(a, b, task)


def tables(store: Store, filters: Filters) -> list[Table]:
    """The verdict and the flip matrix of the chosen task, its items of one kind, both prompts and answers of one of them, and all tasks."""
    task, a, b = _sides(store, filters)
    if b is None:
        return []
    pairs = flips.paired(a, b, task)
    c, _ = flips.planned(a, b, task)
    said = [(words.verdict(c), words.treated(c), c.sentence)] if c else [("none", a.label, NOT_PLANNED)]
    who = f"A is {a.label}, B is {b.label}."
    found = [
        Table(f"Verdict in {task}", who, pd.DataFrame(said, columns=["verdict", "what", "in words"])),
        Table(f"Flips in {task}", who, flips.flip_matrix(_by_kind(pairs))),
    ]
    shown = _listed(filters, a, b, task, pairs)
    if shown.names:
        note = f"{_by_kind(pairs)[shown.kind]:,} items; page {shown.number:,} of {shown.n_pages:,}."
        found.append(Table(KIND_WORDS[shown.kind], note, shown.frame.drop(columns="shown")))
        for name, side, rows in (("A", a, shown.of_a), ("B", b, shown.of_b)):
            trials = rows["trial"][:1]
            found += [table._replace(title=f"{name}: {table.title}") for one in trials for table in trial.tables(side.store, one)[:2]]
    return [*found, Table("Task by task", "The largest loss of A against B comes first.", flips.by_task(a, b))]


def _sides(store: Store, filters: Filters) -> tuple[str, Side, Side | None]:
    """Task, arm A and arm B."""
    one, two, three = filters.columns(3)
    model, task, setting = model_of(store, filters, one), task_of(store, filters, two), setting_of(store, filters, three)
    first, second = flips.default_arms(store, model, setting, task)
    left, right = filters.columns(2)
    prompt, words_of = _prompt(store, filters, False, left), flips.names(store)
    name = filters.pick("Arm A", "a", list(words_of), NONE_ARM if prompt else first, words_of, drops=OF_A_PAIR, place=left)
    a = flips.side(store, model, setting, name, prompt)
    b = _other_side(store, filters, a, NONE_ARM if prompt else second, right)
    return task, a if b is None or a.prompt else replace(a, prompt=b.prompt), b


def _prompt(store: Store, filters: Filters, of_b: bool, place: Place) -> str | None:
    """The whole prompt of an arm: of A one that is tried, of B the incumbent."""
    names, incumbent = [prompt.name for prompt in store.plan.prompts], store.plan.incumbent
    if not names:
        return None
    if of_b:
        return filters.pick("Prompt B", "prompt_b", names, incumbent or names[0], drops=OF_A_PAIR, place=place)
    tried = next((name for name in names if name != incumbent), names[0])
    return filters.pick("Prompt A", "prompt_a", names, tried, drops=OF_A_PAIR, place=place)


def _by_kind(pairs: pd.DataFrame) -> dict[str, int]:
    return {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}


class Listed(NamedTuple):
    """One page of the items of one kind, and both arms' trials of the item that is chosen; no names where there is no such item."""

    kind: str
    number: int
    n_pages: int
    names: list[str]
    frame: pd.DataFrame
    of_a: pd.DataFrame
    of_b: pd.DataFrame


def _listed(filters: Filters, a: Side, b: Side, task: str, pairs: pd.DataFrame) -> Listed:
    n = _by_kind(pairs)
    labels = {kind: f"{text} ({n[kind]})" for kind, text in KIND_WORDS.items()}
    kind = filters.switch("Which items", "items", labels, flips.default_kind(filters.get("item"), pairs, n), drops=("item", "pair", "n"))
    every = pairs.loc[pairs["kind"] == kind, "item"].tolist()
    if not every:
        return Listed(kind, 1, 1, [], pairs, of_a=pairs, of_b=pairs)
    n_pages = -(-len(every) // PAGE_ROWS)
    number = filters.page_number("n", n_pages, drops=("item", "pair"))
    names = every[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    item = filters.choice("item", every, names[0])
    sides = [side.whole(task, sorted({*names, item})) for side in (a, b)]
    firsts = [rows.drop_duplicates("item").set_index("item").loc[names].reset_index() for rows in sides]
    rows = [
        [plain.CHOSEN if name == item else "", name, one["input"], trial.targets(one).replace("\n", "  or  "), one["answer"], two["answer"]]
        for name, one, two in zip(names, *map(records, firsts), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["shown", "item", "input", "right answers", "answer A", "answer B"])
    of_a, of_b = (rows[rows["item"] == item] for rows in sides)
    return Listed(kind, number, n_pages, names, frame, of_a=of_a, of_b=of_b)


def _other_side(store: Store, filters: Filters, a: Side, default: str, place: Place) -> Side | None:
    """Arm B: of the same run, or of another one beside it."""
    others = [name for name in folders(store.folder.parent) if name != store.folder.name] if filters.drawn else []
    other, model, setting = store, a.model, a.setting
    if others:
        name = filters.pick("B is from", "other", [HERE, *others], HERE, drops=("b", "model_b", *OF_A_PAIR), place=place)
        if name != HERE:
            other = open_other(store.folder.parent / name)
            take.answers_of(store.manifest, other.manifest)
            default_model = model if model in other.models else other.models[0]
            if len(other.models) > 1 or model not in other.models:
                model = filters.pick("Model of B", "model_b", other.models, default_model, drops=OF_A_PAIR, place=place)
            settings = list(other.settings.values())
            setting = setting if setting in settings else settings[0]
    if not other.arms:
        return None
    if other is store and len(store.models) > 1:
        model = filters.pick("Model of B", "model_b", store.models, model, drops=OF_A_PAIR, place=place)
    if other is store and len(store.settings) > 1:
        setting = store.settings[
            filters.pick("Layout of B", "setting_b", list(store.settings), setting.words, drops=OF_A_PAIR, place=place)
        ]
    prompt = _prompt(other, filters, True, place)
    words_of = flips.names(other)
    default = a.name if other is not store and a.name in words_of else default if default in other.arms else next(iter(other.arms))
    name = filters.pick("Arm B", "b", list(words_of), default, words_of, drops=OF_A_PAIR, place=place)
    return flips.side(other, model, setting, name, prompt or (None if a.store.plan.prompts else a.prompt))


def _summary(a: Side, b: Side, task: str, pairs: pd.DataFrame) -> None:
    if a.store is not b.store or (a.model, a.setting) != (b.model, b.setting):
        for sentence in differences(a.store.report, a.model, a.setting, b.store.report, b.model, b.setting):
            plain.line(f"A and B differ beside the arm: {sentence}.")
    if pairs.empty:
        return
    mean_a, mean_b = float(pairs["mean_a"].mean()), float(pairs["mean_b"].mean())
    n_only, found = flips.count_only(a, b, task), flips.difference(pairs)
    plain.line(
        f"A scores {words.percent(mean_a)}, B scores {words.percent(mean_b)}: a difference of {points(mean_a - mean_b)} points "
        f"({interval(*(found.ci or (None, None)))}, 95 % interval; {p_text(found.p_value)}, not corrected) on {len(pairs):,} items."
        + (f" {n_only:,} items have a score in one arm only and are left out." if n_only else "")
    )
    c, several = flips.planned(a, b, task)
    if c is None:
        plain.line(NOT_PLANNED)
        return
    plain.line(f"{words.verdict(c)}: {c.sentence}")
    if several:
        plain.line(f"That verdict is against the mean of {', '.join(c.control_arms)}; the items below show one of them.")


def _items(filters: Filters, a: Side, b: Side, task: str, pairs: pd.DataFrame) -> None:
    st.subheader("Items")
    shown = _listed(filters, a, b, task, pairs)
    if not shown.names:
        st.caption("There is no such item.")
        return

    def choose(row: int, _: str) -> None:
        go(item=shown.names[row], pair=None, items=shown.kind, a=a.name, b=b.name)

    key = f"items/{task}/{a.key}/{b.key}/{b.store.folder.name}/{shown.kind}/{shown.number}"
    plain.choosable(shown.frame, key, choose)
    take.frame(shown.frame.drop(columns="shown"), f"items-{shown.kind}")
    _both(filters, a, b, shown.of_a, shown.of_b)


def _both(filters: Filters, a: Side, b: Side, rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> None:
    keys = ["replicate"] if a.prompt and b.prompt else ["base_prompt", "replicate"]
    of_a, of_b = (
        {"-".join(str(row[name]) for name in keys): row for row in records(rows)}
        for rows in (rows_a.drop_duplicates(keys), rows_b.drop_duplicates(keys, keep="last"))
    )
    labels = {key: f"base prompt {row['base_prompt']}, repeat {row['replicate'] + 1}" for key, row in of_a.items() if key in of_b}
    if not labels:
        st.caption("The two arms never asked this item with the same base prompt and repeat.")
        return
    chosen = next(iter(labels))
    if len(labels) > 1:
        chosen = filters.pick("Asked several times; show", "pair", labels, chosen, labels)
    row_a, row_b = of_a[chosen], of_b[chosen]
    plain.line(f"Item {row_a['item']}. Right: {trial.targets(row_a)}".replace("\n", "  or  "))
    for column, side, row, name in zip(st.columns(2), (a, b), (row_a, row_b), "AB", strict=True):
        with column:
            plain.line(f"{name}: {side.label}, {words.score_word(row['score'])}")
            if trial.added(side.store, row):
                st.caption("The prompt; the added text stands between ▶ and ◀")
            else:
                st.caption("The prompt; nothing was added in this arm")
            trial.messages(side.store, row)
            st.caption("The answer")
            plain.block(row["answer"])
    st.caption("The answers word by word: [-only in A-], {+only in B+}")
    same = row_a["answer"] == row_b["answer"]
    plain.block("The two answers are the same." if same else flips.word_diff(row_a["answer"], row_b["answer"]))
    one, two = st.columns(2)
    with one:
        st.button("Everything recorded about answer A", on_click=go, kwargs=_link(a, row_a, a))
    with two:
        st.button("Everything recorded about answer B", on_click=go, kwargs=_link(b, row_b, a))


def _link(side: Side, row: Mapping[str, Any], here: Side) -> dict[str, Any]:
    there = {} if side.store is here.store else {"run": side.store.folder.name, "other": None, "model": side.model}
    return {"page": "samples", "trial": row["trial"], "arm": side.arm, "n": None, **there}


def _tasks(a: Side, b: Side, task: str) -> None:
    st.subheader("Task by task")
    frame = flips.by_task(a, b)
    if frame.empty:
        return
    st.caption("The largest loss of A against B comes first.")
    dots = []
    for row in records(frame):
        dots.append({"task": row["task"], "n": row["items"]})
        for axis, name in (("a", "B"), ("b", "A")):
            low, high = wilson(round(row[name] / 100 * row["items"]), row["items"], 0.95)
            dots[-1] |= {axis: row[name] / 100, f"half_{axis}": (high - low) / 2}
    simulated = a.store.simulated or b.store.simulated
    drawn = charts.scatter(dots, (f"B: {b.label}, %", f"A: {a.label}, %"), "Above the line A is better", simulated)
    take.chart(drawn, "scatter", "One point for each task: the mean score of B across and of A up; the table below says the same.")

    def choose(row: int, _: str) -> None:
        go(task=str(frame["task"].iloc[row]), **dict.fromkeys(OF_A_PAIR))

    st.caption("Click a row: the items of that task are then shown above.")
    shown = [plain.CHOSEN if name == task else "" for name in frame["task"]]
    marked = frame.round(1).assign(shown=shown)[["shown", *frame.columns]]
    plain.choosable(marked, f"tasks/{a.key}/{b.key}/{b.store.folder.name}", choose)
    take.frame(frame, "tasks")

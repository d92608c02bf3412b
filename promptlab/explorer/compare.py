"""Two arms, of one run or of two, on the same items: which answers flipped, and what was sent and answered for one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take, trial
from promptlab.explorer.choices import OF_A_PAIR, chosen, model_of, setting_of, task_of
from promptlab.explorer.filters import Filters, go
from promptlab.explorer.load import folders, open_other
from promptlab.reporting import charts, words
from promptlab.reporting.flips import (
    KINDS,
    Side,
    by_task,
    count_only,
    default_arms,
    default_kind,
    flip_matrix,
    paired,
    planned,
    shared_items,
    word_diff,
)
from promptlab.reporting.pair import differences
from promptlab.reporting.store import Store, records
from promptlab.reporting.table import Table
from promptlab.stats.intervals import wilson
from promptlab.stats.sentences import points

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
    one, two, three = st.columns(3)
    with one:
        model = model_of(store, filters)
    with two:
        task = task_of(store, filters)
    with three:
        setting = setting_of(store, filters)
    first, second = default_arms(store, model, setting, task)
    left, right = st.columns(2)
    with left:
        arm = filters.pick("Arm A", "a", list(store.arms), first, store.arm_words(), drops=OF_A_PAIR)
    a = Side(store, model, setting, arm)
    with right:
        b = _other_side(store, filters, a, second)
    if b is None:
        return
    if (a.store is b.store) and (a.model, a.arm) == (b.model, b.arm):
        st.caption("A and B are the same arm. Choose another one to compare.")
        return
    means_a, means_b = a.means(task), b.means(task)
    pairs = paired(means_a, means_b, shared_items(a, b, task))
    _summary(a, b, task, pairs, count_only(means_a, means_b))
    if pairs.empty:
        st.caption("No item has a scored answer in both arms yet.")
        return
    n = {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
    flips = flip_matrix(n)
    plain.table(flips, narrow=True)
    take.frame(flips, "flips")
    if not pairs["mean_a"].isin([0, 1]).all() or not pairs["mean_b"].isin([0, 1]).all():
        st.caption("Scores between 0 and 1 occur here; an item counts as right from a mean score of 0.5 on.")
    _items(filters, a, b, task, pairs, n)
    _tasks(a, b, task)


def tables(store: Store, filters: Filters) -> list[Table]:
    """The verdict and the flip matrix of the chosen task, its items of one kind, both prompts and answers of one of them, and all tasks."""
    model, _, setting = chosen(store, filters)
    task = filters.choice("task", store.tasks, store.tasks[0]) or store.tasks[0]
    first, second = default_arms(store, model, setting, task)
    arms = list(store.arms)
    a, b = (Side(store, model, setting, filters.choice(name, arms, arm) or arm) for name, arm in (("a", first), ("b", second)))
    pairs = paired(a.means(task), b.means(task))
    n = {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
    c, _ = planned(a, b, task)
    said = [(words.verdict(c), words.treated(c), c.sentence)] if c else [("none", a.arm, NOT_PLANNED)]
    return [
        Table(f"Verdict in {task}", f"A is {a.arm}, B is {b.arm}.", pd.DataFrame(said, columns=["verdict", "what", "in words"])),
        Table(f"Flips in {task}", f"A is {a.arm}, B is {b.arm}.", flip_matrix(n)),
        *_item_tables(filters, a, b, task, pairs, n),
        Table("Task by task", "The largest loss of A against B comes first.", by_task(a, b)),
    ]


def _item_tables(filters: Filters, a: Side, b: Side, task: str, pairs: pd.DataFrame, n: Mapping[str, int]) -> list[Table]:
    default = default_kind(filters.get("item"), pairs, n)
    kind = filters.choice("items", KINDS, default) or default
    every = pairs.loc[pairs["kind"] == kind, "item"].tolist()
    if not every:
        return []
    n_pages = max(1, -(-len(every) // PAGE_ROWS))
    number = int(filters.choice("n", [str(i) for i in range(1, n_pages + 1)], "1") or 1)
    names = every[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    item = filters.choice("item", every, names[0]) or names[0]
    whole_a, whole_b = (side.store.whole(side.model, side.setting, task, (side.arm,), sorted({*names, item})) for side in (a, b))
    shown = _item_table(whole_a, whole_b, names, item).drop(columns="shown")
    found = [Table(KIND_WORDS[kind], f"{n[kind]:,} items; page {number:,} of {n_pages:,}.", shown)]
    for name, side, rows in (("A", a, whole_a), ("B", b, whole_b)):
        first = records(rows[rows["item"] == item].sort_values(["base_prompt", "replicate"]))[:1]
        found += [table._replace(title=f"{name}: {table.title}") for row in first for table in trial.tables(side.store, row["trial"])[:2]]
    return found


def _other_side(store: Store, filters: Filters, a: Side, default: str) -> Side | None:
    """Arm B: of the same run, or of another one beside it."""
    others = [name for name in folders(store.folder.parent) if name != store.folder.name]
    other, model, setting = store, a.model, a.setting
    if others:
        name = filters.pick("B is from", "other", [HERE, *others], HERE, drops=("b", "model_b", *OF_A_PAIR))
        if name != HERE:
            other = open_other(store.folder.parent / name)
            take.answers_of(store.manifest, other.manifest)
            default_model = model if model in other.models else other.models[0]
            if len(other.models) > 1 or model not in other.models:
                model = filters.pick("Model of B", "model_b", other.models, default_model, drops=OF_A_PAIR)
            settings = list(other.settings.values())
            setting = setting if setting in settings else settings[0]
    if not other.arms:
        return None
    arms = list(other.arms)
    default = a.arm if other is not store and a.arm in arms else default if default in arms else arms[0]
    return Side(
        other, model, setting, filters.pick("Arm B", "b", arms, default, other.arm_words(), drops=OF_A_PAIR)
    )  # fmt: skip


def _summary(a: Side, b: Side, task: str, pairs: pd.DataFrame, n_only: int) -> None:
    if a.store is not b.store:
        for sentence in differences(a.store.report, a.model, a.setting, b.store.report, b.model, b.setting):
            plain.line(f"The runs differ beside the arm: {sentence}.")
    if pairs.empty:
        return
    mean_a, mean_b = float(pairs["mean_a"].mean()), float(pairs["mean_b"].mean())
    plain.line(
        f"A scores {words.percent(mean_a)}, B scores {words.percent(mean_b)}: a difference of {points(mean_a - mean_b)} points on "
        f"{len(pairs):,} items." + (f" {n_only:,} items have a score in one arm only and are left out." if n_only else "")
    )
    c, several = planned(a, b, task)
    if c is None:
        plain.line(NOT_PLANNED)
        return
    plain.line(f"{words.verdict(c)}: {c.sentence}")
    if several:
        plain.line(f"That verdict is against the mean of {', '.join(c.control_arms)}; the items below show one of them.")


def _items(filters: Filters, a: Side, b: Side, task: str, pairs: pd.DataFrame, n: Mapping[str, int]) -> None:
    labels = {kind: f"{text} ({n[kind]})" for kind, text in KIND_WORDS.items()}
    st.subheader("Items")
    asked = filters.get("item")
    kind = filters.switch("Which items", "items", labels, default_kind(asked, pairs, n), drops=("item", "pair", "n"))
    every = pairs.loc[pairs["kind"] == kind, "item"].tolist()
    if not every:
        st.caption("There is no such item.")
        return
    number = filters.page_number("n", max(1, -(-len(every) // PAGE_ROWS)), drops=("item", "pair"))
    names = every[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    item = filters.choice("item", [asked] if asked is not None and asked in set(every) else names, names[0]) or names[0]
    wanted = sorted({*names, item})
    whole_a, whole_b = (side.store.whole(side.model, side.setting, task, (side.arm,), wanted) for side in (a, b))

    def choose(row: int, column: str) -> None:
        del column
        go(item=names[row], pair=None, items=kind, a=a.arm, b=b.arm)

    shown = _item_table(whole_a, whole_b, names, item)
    plain.choosable(shown, f"items/{a.model}/{task}/{a.arm}/{b.arm}/{b.store.folder.name}/{kind}/{number}", choose)
    take.frame(shown.drop(columns="shown"), f"items-{kind}")
    _both(filters, a, b, whole_a[whole_a["item"] == item], whole_b[whole_b["item"] == item])


def _item_table(a: pd.DataFrame, b: pd.DataFrame, names: Sequence[str], chosen: str) -> pd.DataFrame:
    first_a, first_b = (rows.drop_duplicates("item").set_index("item") for rows in (a, b))
    return pd.DataFrame(
        {
            "shown": [plain.CHOSEN if name == chosen else "" for name in names],
            "item": list(names),
            "input": [first_a.loc[name, "input"] for name in names],
            "right answers": [trial.targets(records(first_a.loc[[name]])[0]).replace("\n", "  or  ") for name in names],
            "answer A": [first_a.loc[name, "answer"] for name in names],
            "answer B": [first_b.loc[name, "answer"] for name in names],
        }
    )


def _both(filters: Filters, a: Side, b: Side, rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> None:
    keys = ["base_prompt", "replicate"]
    in_b = {(row["base_prompt"], row["replicate"]): row for row in records(rows_b.drop_duplicates(keys, keep="last"))}
    both = [row for row in records(rows_a.drop_duplicates(keys)) if (row["base_prompt"], row["replicate"]) in in_b]
    if not both:
        st.caption("The two arms never asked this item with the same base prompt and repeat.")
        return
    both.sort(key=lambda row: (row["base_prompt"], row["replicate"]))
    labels = {
        f"{row['base_prompt']}-{row['replicate']}": f"base prompt {row['base_prompt']}, repeat {row['replicate'] + 1}" for row in both
    }
    chosen = next(iter(labels))
    if len(both) > 1:
        chosen = filters.pick("Asked several times; show", "pair", list(labels), chosen, labels)
    row_a = next(row for row in both if f"{row['base_prompt']}-{row['replicate']}" == chosen)
    row_b = in_b[(row_a["base_prompt"], row_a["replicate"])]
    plain.line(f"Item {row_a['item']}. Right: {trial.targets(row_a)}".replace("\n", "  or  "))
    left, right = st.columns(2)
    for column, side, row, name in ((left, a, row_a, "A"), (right, b, row_b, "B")):
        with column:
            _one(side, row, name)
    st.caption("The answers word by word: [-only in A-], {+only in B+}")
    plain.block("The two answers are the same." if row_a["answer"] == row_b["answer"] else word_diff(row_a["answer"], row_b["answer"]))
    one, two = st.columns(2)
    with one:
        st.button("Everything recorded about answer A", on_click=go, kwargs=_link(a, row_a, a))
    with two:
        st.button("Everything recorded about answer B", on_click=go, kwargs=_link(b, row_b, a))


def _one(side: Side, row: Mapping[str, Any], name: str) -> None:
    plain.line(f"{name}: {row['arm']}, {words.score_word(row['score'])}")
    if trial.added(side.store, row):
        st.caption("The prompt; the added text stands between ▶ and ◀")
    else:
        st.caption("The prompt; nothing was added in this arm")
    trial.messages(side.store, row)
    st.caption("The answer")
    plain.block(row["answer"])


def _link(side: Side, row: Mapping[str, Any], here: Side) -> dict[str, Any]:
    there = {} if side.store is here.store else {"run": side.store.folder.name, "other": None, "model": side.model}
    return {"page": "samples", "trial": row["trial"], "arm": side.arm, "n": None, **there}


def _tasks(a: Side, b: Side, task: str) -> None:
    st.subheader("Task by task")
    frame = by_task(a, b)
    if frame.empty:
        return
    st.caption("The largest loss of A against B comes first.")
    dots = []
    for row in records(frame):
        bounds = [wilson(round(row[name] / 100 * row["items"]), row["items"], 0.95) for name in ("A", "B")]
        half = [(high - low) / 2 for low, high in bounds]
        dots.append(
            {"task": row["task"], "a": row["B"] / 100, "b": row["A"] / 100, "n": row["items"], "half_a": half[1], "half_b": half[0]}
        )
    take.chart(
        charts.scatter(dots, (f"B: {b.arm}, %", f"A: {a.arm}, %"), "Above the line A is better", a.store.simulated or b.store.simulated),
        "scatter", "One point for each task: the mean score of B across and of A up; the table below says the same.",
    )  # fmt: skip

    def choose(row: int, column: str) -> None:
        del column
        go(task=str(frame["task"].iloc[row]), **dict.fromkeys(OF_A_PAIR))

    st.caption("Click a row: the items of that task are then shown above.")
    marked = frame.round(1)
    marked.insert(0, "shown", [plain.CHOSEN if name == task else "" for name in frame["task"]])
    plain.choosable(marked, f"tasks/{a.model}/{a.arm}/{b.arm}/{b.store.folder.name}", choose)
    take.frame(frame, "tasks")

"""Two arms, of one run or of two, on the same items: which answers flipped. A click opens one item with both prompts and both answers."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pandas as pd
import streamlit as st

from promptlab.explorer import drawer, plain, take, trial
from promptlab.explorer.filters import OF_A_PAIR, Filters, Place, go, model_of, setting_of
from promptlab.explorer.load import folders, open_other
from promptlab.nouns import AA_ARM, NONE_ARM, counted
from promptlab.reporting import charts, flips, words
from promptlab.reporting.flips import KINDS, Side
from promptlab.reporting.names import AGAIN, arm_name, only_models
from promptlab.reporting.pair import differences
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.table import Table
from promptlab.stats import interval, p_text, points, wilson

PAGE_ROWS = 50
ROW_PX = 72
HERE = "this run"
ALL = "all"
NOT_PLANNED = (
    "This pair was not planned before the run, so it gets no verdict: among many pairs some differ by chance. The first page shows "
    "what was planned."
)
KIND_WORDS = {"all": "All", "differ": "Differ", "a": "Gained", "b": "Lost", "both": "Both right", "neither": "Both wrong"}
GRADED = "Scores between 0 and 1 occur here; an item counts as right from a mean score of 0.5 on."


def render(store: Store, filters: Filters) -> None:
    """Show the view."""
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
    take.frame(flips.flip_matrix(_by_kind(pairs)), "flips")
    _items(filters, a, b, pairs)
    if not pairs[["mean_a", "mean_b"]].isin([0, 1]).all(axis=None):
        st.caption(GRADED)
    if task is None and len(a.store.tasks) > 1:
        _tasks(a, b)
    if filters.get("item") is not None:
        drawer.open_pair(a, b, filters, task)


def tables(store: Store, filters: Filters) -> list[Table]:
    """The verdict and the flip matrix, the items of one kind, both prompts and answers of the item that is requested, and all tasks."""
    task, a, b = _sides(store, filters)
    if b is None:
        return []
    pairs = flips.paired(a, b, task)
    c, _ = flips.planned(a, b, task)
    said = [(words.verdict(c), words.treated(c), c.sentence)] if c else [("none", a.label, NOT_PLANNED)]
    who, where = f"A is {a.label}, B is {b.label}.", task or "all tasks"
    found = [
        Table(f"Verdict in {where}", who, pd.DataFrame(said, columns=["verdict", "what", "in words"])),
        Table(f"Flips in {where}", who, flips.flip_matrix(_by_kind(pairs))),
    ]
    shown = _listed(filters, a, b, pairs)
    if not shown.frame.empty:
        note = f"{counted(shown.n)}; page {shown.number:,} of {shown.n_pages:,}."
        found.append(Table(KIND_WORDS[shown.kind], note, shown.frame))
    if (item := filters.get("item") or next(iter(shown.frame["item"]), None)) is not None:
        tasks = pairs.loc[pairs["item"] == item, "task"]
        if tasks.empty:
            filters.notes.append(f"item={item}")
        for name, side in (("A", a), ("B", b)) if len(tasks) else ():
            for one in side.whole(str(tasks.iloc[0]), [item])["trial"][:1]:
                found += [table._replace(title=f"{name}: {table.title}") for table in trial.tables(side.store, one)[:2]]
    return [*found, Table("Task by task", "The largest loss of A against B comes first.", flips.by_task(a, b))]


def _sides(store: Store, filters: Filters) -> tuple[str | None, Side, Side | None]:
    """Task (None: all), arm A and arm B."""
    one, two, three = filters.columns(3)
    several = len(store.models) > 1 or not filters.drawn
    model, setting = model_of(store, filters, three) if several else store.models[0], setting_of(store, filters, three)
    chosen = filters.pick("Task", "task", [ALL, *store.tasks], ALL, {ALL: "all tasks"}, drops=OF_A_PAIR, place=three)
    task = None if chosen == ALL else chosen
    first, second = flips.default_arms(store, model, setting, task)
    prompt, name = _prompt(store, filters, False, one)
    name = _arm(store, filters, "A", name or (NONE_ARM if prompt or only_models(store.plan) else first), prompt, one)
    a = flips.side(store, model, setting, name, prompt)
    b = _other_side(store, filters, a, NONE_ARM if prompt else second, (two, three))
    return task, a if b is None or a.prompt else replace(a, prompt=b.prompt), b


def _prompt(store: Store, filters: Filters, of_b: bool, place: Place) -> tuple[str | None, str | None]:
    """The whole prompt of an arm, of A one that is tried and of B the incumbent; and the arm, where the choice names its repeat."""
    names, incumbent = [prompt.name for prompt in store.plan.prompts], store.plan.incumbent
    if not names:
        return None, None
    first = incumbent or names[0]
    again = f"{first}{AGAIN}"
    options = [*names, again] if _whole_only(store) and AA_ARM in store.arms and again not in names else names
    tried = first if of_b else next((name for name in names if name != incumbent), names[0])
    if of_b:
        chosen = filters.pick("Prompt B", "prompt_b", options, tried, drops=OF_A_PAIR, place=place)
    else:
        chosen = filters.pick("Prompt A", "prompt_a", options, tried, drops=OF_A_PAIR, place=place)
    return (first, AA_ARM) if chosen == again and again not in names else (chosen, None)


def _whole_only(store: Store) -> bool:
    """Whether arms are whole prompts, and no text is added to any."""
    return bool(store.plan.prompts) and {*store.arms} <= {NONE_ARM, AA_ARM}


def _arm(store: Store, filters: Filters, which: str, default: str, prompt: str | None, place: Place) -> str:
    """The added text of an arm; no choice where prompts or models say all."""
    words_of = flips.names(store)
    if only_models(store.plan) or (prompt is not None and _whole_only(store)):
        return filters.choice(which.lower(), words_of, default)
    if which == "B":
        return filters.pick("Arm B", "b", list(words_of), default, words_of, drops=OF_A_PAIR, place=place)
    return filters.pick("Arm A", "a", list(words_of), default, words_of, drops=OF_A_PAIR, place=place)


def _by_kind(pairs: pd.DataFrame) -> dict[str, int]:
    return {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}


class Listed(NamedTuple):
    """One page of the items of one kind."""

    kind: str
    n: int
    number: int
    n_pages: int
    frame: pd.DataFrame


def _listed(filters: Filters, a: Side, b: Side, pairs: pd.DataFrame) -> Listed:
    n = _by_kind(pairs)
    counts = {"all": len(pairs), "differ": n["a"] + n["b"], **n}
    labels = {kind: f"{text} {counts[kind]:,}" for kind, text in KIND_WORDS.items()}
    usual = "differ" if counts["differ"] else "all"
    asked = filters.get("items") or usual  # as an earlier version called it
    kind = filters.switch("Which items", "which", labels, asked if asked in labels and not filters.drawn else usual, drops=OF_A_PAIR)
    kinds = {"all": KINDS, "differ": ("a", "b")}.get(kind, (kind,))
    every = pairs[pairs["kind"].isin(kinds)]
    n_pages = max(1, -(-len(every) // PAGE_ROWS))
    number = filters.page_number("n", n_pages, drops=("item", "items"))
    page = every.iloc[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    rows = []
    wholes = [side.firsts(page["task"].astype(str).tolist(), page["item"].astype(str).tolist()) for side in (a, b)]
    for one in records(page):
        key = (str(one["task"]), str(one["item"]))
        of_a, of_b = (whole[key] for whole in wholes)
        rows.append([*key, _sign(one["mean_a"]), _sign(one["mean_b"]), of_a["input"], of_a["answer"], of_b["answer"], trial.targets(of_a)])
    columns = ["task", "item", "A", "B", "input", "answer A", "answer B", "right answers"]
    return Listed(kind, len(every), number, n_pages, pd.DataFrame(rows, columns=columns))


def _sign(mean: float) -> str:
    return "✓" if mean == 1 else "✕" if mean == 0 else f"{'✓' if mean >= 0.5 else '✕'} {mean:.2f}"


def _other_side(store: Store, filters: Filters, a: Side, default: str, places: tuple[Place, Place]) -> Side | None:
    """Arm B: of the same run, or of another one next to it; the second of the places is for which run."""
    place, of_the_run = places
    others = [name for name in folders(store.folder.parent) if name != store.folder.name] if filters.drawn else []
    other, model, setting = store, a.model, a.setting
    if others:
        name = filters.pick("B is from", "other", [HERE, *others], HERE, drops=("b", "model_b", *OF_A_PAIR), place=of_the_run)
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
        usual = next(one for one in store.models if one != model) if only_models(store.plan) else model
        model = filters.pick("Model of B", "model_b", store.models, usual, drops=OF_A_PAIR, place=place)
    if other is store and len(store.settings) > 1:
        setting = store.settings[
            filters.pick("Layout of B", "setting_b", list(store.settings), setting.words, drops=OF_A_PAIR, place=place)
        ]
    prompt, named = _prompt(other, filters, True, place)
    words_of = flips.names(other)
    default = a.name if other is not store and a.name in words_of else default if default in other.arms else next(iter(other.arms))
    name = _arm(other, filters, "B", named or default, prompt, place)
    return flips.side(other, model, setting, name, prompt or (None if a.store.plan.prompts else a.prompt))


def _summary(a: Side, b: Side, task: str | None, pairs: pd.DataFrame) -> None:
    if a.store is not b.store or (a.model, a.setting) != (b.model, b.setting):
        for sentence in differences(a.store.report, a.model, a.setting, b.store.report, b.model, b.setting):
            plain.line(f"A and B differ besides the arm: {sentence}.")
    if pairs.empty:
        return
    over = pairs.groupby("task", sort=False)[["mean_a", "mean_b"]].mean().mean()
    mean_a, mean_b = float(over["mean_a"]), float(over["mean_b"])
    n_only, found = flips.count_only(a, b, task), flips.difference(pairs)
    plain.line(
        f"A scores {words.percent(mean_a)}, B scores {words.percent(mean_b)}: a difference of {points(mean_a - mean_b)} points "
        f"({interval(*(found.ci or (None, None)))}, 95 % interval; {p_text(found.p_value)}, not corrected) on {counted(len(pairs))}."
        + (f" {counted(n_only)} with a score in one arm only left out." if n_only else "")
    )
    c, several = flips.planned(a, b, task)
    if c is None:
        plain.line(NOT_PLANNED)
        return
    plain.line(f"{words.verdict(c)}: {c.sentence}")
    if several:
        controls = " and ".join(arm_name(a.store.plan, b.setting, arm, b.prompt) for arm in c.control_arms)
        plain.line(f"That verdict is against the mean of {controls}; the items below show one of them.")


def _items(filters: Filters, a: Side, b: Side, pairs: pd.DataFrame) -> None:
    shown = _listed(filters, a, b, pairs)
    if shown.frame.empty:
        st.caption("No item.")
        st.button("Clear filters", on_click=go, kwargs={**dict.fromkeys(OF_A_PAIR), "which": "all"})
        return

    def choose(row: int, _: str) -> None:
        drawer.asked()
        item = shown.frame.iloc[row]
        go(item=str(item["item"]), of=str(item["task"]), items=None)

    frame = shown.frame if len(a.store.tasks) > 1 else shown.frame.drop(columns="task")
    key = f"items/{a.key}/{b.key}/{b.store.folder.name}/{shown.kind}/{shown.number}/{drawer.n_opened()}"
    plain.choosable(frame, key, choose, row_height=ROW_PX, alt="Items with both answers; a click opens one")
    take.frame(shown.frame, "items")


def _tasks(a: Side, b: Side) -> None:
    plain.html("<h2>Task by task</h2>")
    frame = flips.by_task(a, b)
    if frame.empty:
        return
    dots = []
    for row in records(frame):
        dots.append({"task": row["task"], "n": row["items"]})
        for axis, name in (("a", "B"), ("b", "A")):
            low, high = wilson(round(row[name] / 100 * row["items"]), row["items"], 0.95)
            dots[-1] |= {axis: row[name] / 100, f"half_{axis}": (high - low) / 2}
    simulated = a.store.simulated or b.store.simulated
    take.drawing(charts.scatter(dots, (f"B: {b.label}, %", f"A: {a.label}, %"), "Above the line A is better", simulated), "scatter")

    def choose(row: int, _: str) -> None:
        go(task=str(frame["task"].iloc[row]), **dict.fromkeys(OF_A_PAIR))

    st.caption("The largest loss of A against B comes first. Click a task to see its items alone.")
    plain.choosable(frame, f"tasks/{a.key}/{b.key}/{b.store.folder.name}", choose, alt="Both arms in each task")
    take.frame(frame, "tasks")

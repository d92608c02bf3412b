"""Two arms on the same items: which answers flipped, and what was sent and answered for one of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, trial, words
from promptlab.explorer.choices import OF_A_PAIR, model_of, setting_of, task_of
from promptlab.explorer.filters import Filters, go
from promptlab.explorer.load import RIGHT, Setting, Store, records
from promptlab.schema import NONE_ARM, Comparison
from promptlab.stats.sentences import points

KINDS = ("a", "b", "both", "neither")
MOST_WORDS = 1_500
PAGE_ROWS = 50
WORD = re.compile(r"\s+|[^\s]+")


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
    arms = list(store.arms)
    with left:
        a = filters.pick("Arm A", "a", arms, first, store.arm_words(), drops=("items", *OF_A_PAIR))
    with right:
        b = filters.pick("Arm B", "b", arms, second, store.arm_words(), drops=("items", *OF_A_PAIR))
    if a == b:
        st.caption("A and B are the same arm. Choose another one to compare.")
        return
    rows = store.of(model, setting, task, (a, b))
    pairs = paired(rows, a, b)
    _summary(store, model, setting, task, a, b, pairs, n_only=(count_only(rows, a, b)))
    if pairs.empty:
        st.caption("No item has a scored answer in both arms yet.")
        return
    n = {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
    _flip_matrix(n)
    if not pairs["mean_a"].isin([0, 1]).all() or not pairs["mean_b"].isin([0, 1]).all():
        st.caption("Scores between 0 and 1 occur here; an item counts as right from a mean score of 0.5 on.")
    _items(store, filters, rows, pairs, n, a, b)


def default_arms(store: Store, model: str, setting: Setting, task: str) -> tuple[str, str]:
    """The stimulus with the largest gain in this task (the first one while there is none) and the baseline."""
    cells = [c for c in store.comparisons(model, setting, NONE_ARM, ["cell"]) if c.task == task and c.diff is not None]
    best = max(cells, key=lambda c: c.diff or 0.0, default=None)
    arms = list(store.arms)
    first = best.treatment if best else next(iter(store.stimuli), arms[-1])
    return first, NONE_ARM if NONE_ARM in arms else arms[0]


def paired(rows: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Items that both arms have a score for, with mean scores over repeats and which of the two was right, in the run's order."""
    means = rows[rows["arm"].isin([a, b])].groupby(["item", "arm"], sort=False)["score"].mean().unstack("arm")
    means = means.reindex(columns=[a, b]).dropna()
    frame = pd.DataFrame({"item": means.index.astype(str), "mean_a": means[a].to_numpy(), "mean_b": means[b].to_numpy()})
    right_a, right_b = frame["mean_a"] >= RIGHT, frame["mean_b"] >= RIGHT
    frame["kind"] = "neither"
    frame.loc[right_a & right_b, "kind"] = "both"
    frame.loc[right_a & ~right_b, "kind"] = "a"
    frame.loc[~right_a & right_b, "kind"] = "b"
    return frame


def count_only(rows: pd.DataFrame, a: str, b: str) -> int:
    """How many items only one of the two arms has a score for."""
    scored = rows.dropna(subset=["score"])
    return len(set(scored.loc[scored["arm"] == a, "item"]) ^ set(scored.loc[scored["arm"] == b, "item"]))


def planned(store: Store, model: str, setting: Setting, task: str, a: str, b: str) -> tuple[Comparison | None, bool]:
    """The planned comparison of these two arms, and whether it has more control arms than the one shown."""
    for treatment, control in ((a, b), (b, a)):
        for c in store.comparisons(model, setting, None, ["cell"]):
            if c.task == task and c.treatment == treatment and control in c.control_arms:
                return c, len(c.control_arms) > 1
    return None, False


def word_diff(a: str, b: str) -> str:
    """Both answers as one text: words of A alone as [-word-], words of B alone as {+word+}."""
    left, right = WORD.findall(a)[:MOST_WORDS], WORD.findall(b)[:MOST_WORDS]
    parts: list[str] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            parts += left[i:j]
            continue
        if i < j:
            parts.append(f"[-{''.join(left[i:j])}-]")
        if k < m:
            parts.append(f"{{+{''.join(right[k:m])}+}}")
    return "".join(parts)


def _summary(store: Store, model: str, setting: Setting, task: str, a: str, b: str, pairs: pd.DataFrame, n_only: int) -> None:
    if pairs.empty:
        return
    mean_a, mean_b = float(pairs["mean_a"].mean()), float(pairs["mean_b"].mean())
    plain.line(
        f"A scores {words.percent(mean_a)}, B scores {words.percent(mean_b)}: a difference of {points(mean_a - mean_b)} points on "
        f"{len(pairs):,} items." + (f" {n_only:,} items have a score in one arm only and are left out." if n_only else "")
    )
    c, several = planned(store, model, setting, task, a, b)
    if c is None:
        st.caption(
            "This pair was not planned before the run, so it gets no verdict: among many pairs some differ by chance. "
            "Planned are the added texts against their controls."
        )
        return
    plain.line(f"{words.verdict(c)}: {c.sentence}")
    if several:
        plain.line(f"That verdict is against the mean of {', '.join(c.control_arms)}; the items below show one of them.")


def _flip_matrix(n: Mapping[str, int]) -> None:
    plain.table(
        pd.DataFrame({"items": ["A right", "A wrong"], "B right": [n["both"], n["b"]], "B wrong": [n["a"], n["neither"]]}), narrow=True
    )


def _items(store: Store, filters: Filters, rows: pd.DataFrame, pairs: pd.DataFrame, n: Mapping[str, int], a: str, b: str) -> None:
    labels = {
        "a": f"Only A right ({n['a']})",
        "b": f"Only B right ({n['b']})",
        "both": f"Both right ({n['both']})",
        "neither": f"Both wrong ({n['neither']})",
    }
    fallback = next((kind for kind in KINDS if n[kind]), "a")
    asked = filters.get("item")
    of_item = pairs.loc[pairs["item"] == asked, "kind"]
    default = str(of_item.iloc[0]) if len(of_item) else fallback
    st.subheader("Items")
    kind = filters.switch("Which items", "items", labels, default, drops=("item", "pair", "n"))
    shown = pairs[pairs["kind"] == kind]
    if shown.empty:
        st.caption("There is no such item.")
        return
    every = shown["item"].tolist()
    asked = filters.get("item")
    number = filters.page_number("n", max(1, -(-len(every) // PAGE_ROWS)), drops=("item", "pair"))
    names = every[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    item = filters.choice("item", [asked] if asked in set(every) and asked is not None else names, names[0]) or names[0]
    known = rows.iloc[0]
    setting = (str(known["placement"]), int(known["shots"]), str(known["strategy"]))
    whole = store.whole(str(known["model"]), setting, str(known["task"]), (a, b), sorted({*names, item}))

    def choose(row: int, column: str) -> None:
        del column
        go(item=names[row], pair=None, items=kind, a=a, b=b)

    plain.choosable(_item_table(whole, names, item, a, b), f"items/{known['model']}/{known['task']}/{a}/{b}/{kind}/{number}", choose)
    _both(store, filters, whole[whole["item"] == item], a, b)


def _item_table(rows: pd.DataFrame, names: list[str], chosen: str, a: str, b: str) -> pd.DataFrame:
    first = {arm: rows[rows["arm"] == arm].drop_duplicates("item").set_index("item") for arm in (a, b)}
    return pd.DataFrame(
        {
            "shown": [plain.CHOSEN if name == chosen else "" for name in names],
            "item": names,
            "input": [first[a].loc[name, "input"] for name in names],
            "right answers": [trial.targets(records(first[a].loc[[name]])[0]).replace("\n", "  or  ") for name in names],
            "answer A": [first[a].loc[name, "answer"] for name in names],
            "answer B": [first[b].loc[name, "answer"] for name in names],
        }
    )


def _both(store: Store, filters: Filters, rows: pd.DataFrame, a: str, b: str) -> None:
    keys = ["base_prompt", "replicate"]
    in_b = rows.loc[rows["arm"] == b].drop_duplicates(keys).set_index(keys)
    both = [row for row in records(rows[rows["arm"] == a].drop_duplicates(keys)) if (row["base_prompt"], row["replicate"]) in in_b.index]
    if not both:
        return
    both.sort(key=lambda row: (row["base_prompt"], row["replicate"]))
    labels = {
        f"{row['base_prompt']}-{row['replicate']}": f"base prompt {row['base_prompt']}, repeat {row['replicate'] + 1}" for row in both
    }
    chosen = next(iter(labels))
    if len(both) > 1:
        chosen = filters.pick("Asked several times; show", "pair", list(labels), chosen, labels)
    row_a = next(row for row in both if f"{row['base_prompt']}-{row['replicate']}" == chosen)
    found = in_b.loc[(row_a["base_prompt"], row_a["replicate"])]
    row_b: dict[str, Any] = {**found.to_dict(), "base_prompt": row_a["base_prompt"], "replicate": row_a["replicate"]}
    plain.line(f"Item {row_a['item']}. Right: {trial.targets(row_a)}".replace("\n", "  or  "))
    left, right = st.columns(2)
    for column, row, name in ((left, row_a, "A"), (right, row_b, "B")):
        with column:
            plain.line(f"{name}: {row['arm']}, {words.score_word(row['score'])}")
            if trial.added(store, row):
                st.caption("The prompt; the added text stands between ▶ and ◀")
            else:
                st.caption("The prompt; nothing was added in this arm")
            trial.messages(store, row)
            st.caption("The answer")
            plain.block(row["answer"])
    st.caption("The answers word by word: [-only in A-], {+only in B+}")
    plain.block("The two answers are the same." if row_a["answer"] == row_b["answer"] else word_diff(row_a["answer"], row_b["answer"]))
    one, two = st.columns(2)
    with one:
        st.button(
            "Everything recorded about answer A", on_click=go, kwargs={"page": "samples", "trial": row_a["trial"], "arm": a, "n": None}
        )
    with two:
        st.button(
            "Everything recorded about answer B", on_click=go, kwargs={"page": "samples", "trial": row_b["trial"], "arm": b, "n": None}
        )

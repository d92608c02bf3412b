"""The drawer: what two arms made of one item, with both prompts and both answers, and a key to the next item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, trial
from promptlab.explorer.filters import OF_A_DRAWER, Filters, go
from promptlab.nouns import NONE_ARM, OUTCOMES, RunProblem
from promptlab.reporting import flips
from promptlab.reporting.flips import KINDS, Side
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.words import score_word

OPENED = "drawers_opened"
WHERE = "drawer"
"""Where the open drawer is: sides, task, kind, item and view; a key press changes it without the rest of the page."""
KIND_WORDS = {"a": "Gained", "b": "Lost", "both": "Both right", "neither": "Both wrong"}
ALL_TASKS = "all tasks"
VIEWS = ("Difference", "A", "B", "Raw")


def n_opened() -> int:
    """How many drawers were opened: a table with this in its key forgets which row was clicked, so that it can be clicked again."""
    return int(st.session_state.get(OPENED, 0))


def asked() -> None:
    """A click opens a drawer; for callbacks."""
    st.session_state[OPENED] = n_opened() + 1
    st.session_state.pop(WHERE, None)


def open_pair(a: Side, b: Side, filters: Filters, task: str | None = None) -> None:
    """Open it on the items that arm A changed against arm B, from those and the item that the address names."""
    if not filters.drawn:
        return
    key = (a.store.folder.name, *a.key, b.store.folder.name, *b.key)
    if st.session_state.get(WHERE, {}).get("key") != key:
        given = filters.get("of") or task
        tasks = _tasks(a, b)
        st.session_state[WHERE] = {
            "key": key, "task": given if given in tasks else tasks[0], "kind": filters.get("items"), "item": filters.get("item"),
            "view": "Difference",
        }  # fmt: skip
    _pair(a, b)


def _closed() -> None:
    st.session_state.pop(WHERE, None)
    go(**dict.fromkeys(OF_A_DRAWER))


def said(side: Side) -> str:
    """What an arm is called in a sentence."""
    return side.store.plan.called(NONE_ARM) if side.label == NONE_ARM else side.label


def _tasks(a: Side, b: Side) -> list[str]:
    shared = [task for task in a.store.tasks if task in b.store.tasks]
    return [ALL_TASKS, *shared] if len(shared) > 1 else shared or [ALL_TASKS]


@st.dialog("Items that changed", position="right", width=760, on_dismiss=_closed)
def _pair(a: Side, b: Side) -> None:
    at: dict[str, Any] = st.session_state[WHERE]
    plain.html("<div><b>{a}</b> against {b}</div>", a=said(a), b=said(b))
    tasks = _tasks(a, b)
    if len(tasks) > 1:
        _kept("task", tasks, partial(_select, "Task", "task"))
    pairs = flips.paired(a, b, None if at["task"] == ALL_TASKS else at["task"])
    if pairs.empty:
        st.caption("No item has a scored answer in both arms yet.")
        return
    n = {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
    if at["kind"] not in KINDS:
        at["kind"] = flips.default_kind(at["item"], pairs, n)
    labels = {kind: f"{word} {n[kind]:,}" for kind, word in KIND_WORDS.items()}
    _kept("kind", list(KINDS), partial(_buttons, "Which items", "kind"), labels)
    listed = pairs.loc[pairs["kind"] == at["kind"], ["task", "item"]].to_numpy().tolist()
    if not listed:
        st.caption("No such item.")
        return
    names = [item for _, item in listed]
    place = names.index(at["item"]) if at["item"] in names else 0
    task, item = listed[place]
    steps(names, place, item)
    _item(a, b, str(task), str(item))
    _settle(at, str(item))


def steps(names: list[str], place: int, item: str) -> None:
    """Buttons to the item before and after, with their keys."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Previous", shortcut="K", on_click=_step, args=(names[max(0, place - 1)],), disabled=place == 0)
        st.button("Next", shortcut="J", on_click=_step, args=(names[min(len(names) - 1, place + 1)],), disabled=place == len(names) - 1)
        plain.html('<span class="soft">{item} · {place:,} of {n:,}</span>', item=plain.cell(item, 60), place=place + 1, n=len(names),
                   width="content")  # fmt: skip


def _step(name: str) -> None:
    st.session_state[WHERE]["item"] = name


def _kept(name: str, options: list[str], draw: Callable[..., object], words: Mapping[str, str] | None = None) -> None:
    """A widget of the drawer that shows what is kept of it; `words` says how each option is shown."""
    at = st.session_state[WHERE]
    st.session_state[f"drawer_{name}"] = at[name] if at[name] in options else options[0]
    shown = {option: plain.cell((words or {}).get(option, option), 120) for option in options}
    draw(options, lambda option: shown[option])


def _select(label: str, name: str, options: list[str], words: Callable[[str], str]) -> None:
    st.selectbox(
        label, options, key=f"drawer_{name}", format_func=words, on_change=_changed, args=(name,), label_visibility="collapsed",
    )  # fmt: skip


def _buttons(label: str, name: str, options: list[str], words: Callable[[str], str]) -> None:
    st.segmented_control(
        label, options, key=f"drawer_{name}", required=True, format_func=words, on_change=_changed, args=(name,),
        label_visibility="collapsed",
    )  # fmt: skip


def _changed(name: str) -> None:
    at = st.session_state[WHERE]
    at[name] = st.session_state[f"drawer_{name}"]
    if name == "task":
        at["kind"] = None
    if name in ("task", "kind"):
        at["item"] = None


def _settle(at: Mapping[str, Any], item: str) -> None:
    """Put the item into the address."""
    wanted = {"items": at["kind"], "item": item, **({"of": at["task"]} if at["task"] != ALL_TASKS else {})}
    now = st.query_params.to_dict()
    if any(now.get(name) != value for name, value in wanted.items()):
        st.query_params.from_dict({**{name: value for name, value in now.items() if name != "of"}, **wanted})


def _item(a: Side, b: Side, task: str, item: str) -> None:
    keys = ["replicate"] if a.prompt and b.prompt else ["base_prompt", "replicate"]
    sides = [{tuple(str(row[name]) for name in keys): row for row in records(side.whole(task, [item]))} for side in (a, b)]
    shared = [key for key in sides[0] if key in sides[1]]
    if not shared:
        shared = [next(iter(sides[0]))]
        sides[1] = {shared[0]: next(iter(sides[1].values()))}
    chosen = shared[0]
    if len(shared) > 1:
        words = {key: f"base prompt {sides[0][key]['base_prompt']}, repeat {sides[0][key]['replicate'] + 1}" for key in shared}
        by_name = {"/".join(key): key for key in shared}
        st.session_state[WHERE].setdefault("repeat", next(iter(by_name)))
        _kept("repeat", list(by_name), partial(_select, "Repeat", "repeat"), {n: words[key] for n, key in by_name.items()})
        chosen = by_name.get(st.session_state["drawer_repeat"], chosen)
    both = [(a, sides[0][chosen]), (b, sides[1][chosen])]
    _prompts(both)
    for column, (side, row), name in zip(st.columns(2), both, "AB", strict=True):
        with column:
            _answer(side, row, name)
    one, two = both[0][1], both[1][1]
    plain.line(f"Right answer: {trial.targets(one)}".replace("\n", "  or  "))
    with st.expander("The answers word by word"):
        plain.difference(str(two["answer"]), str(one["answer"]), "Both answers as one")
    for column, (side, row), name in zip(st.columns(2), both, "AB", strict=True):
        with column, st.expander("Everything recorded"):
            plain.line(f"{name}: {said(side)}")
            calls = _calls(side.store, row)
            plain.table(trial.facts(row, calls, trial.by_scorer(side.store, row)))


def _calls(store: Store, row: Mapping[str, Any]) -> pd.DataFrame:
    try:
        return store.calls(str(row["trial"]))
    except RunProblem:
        return pd.DataFrame()


def sent(store: Store, row: Mapping[str, Any]) -> str | None:
    """The messages of a trial's last call as one text; None where they cannot be read."""
    calls = _calls(store, row)
    if calls.empty:
        return None
    messages = trial.messages_of(calls["messages"].iloc[-1])
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{message['role']}:\n{message['content']}" for message in messages)


def _prompts(both: list[tuple[Side, dict[str, Any]]]) -> None:
    texts = [sent(side.store, row) for side, row in both]
    if any(text is None for text in texts):
        trial.without_messages(both[0][0].store)
        return
    text_a, text_b = (text or "" for text in texts)
    _kept("view", list(VIEWS), partial(_buttons, "Prompt", "view"))
    view = st.session_state["drawer_view"]
    if view == "Raw":
        for name, text in (("A", text_a), ("B", text_b)):
            plain.line(name)
            plain.block(text)
    elif view == "Difference":
        plain.difference(text_b, text_a, "Both prompts as one")
        if text_a == text_b:
            st.caption("The two prompts are the same, word for word.")
        else:
            plain.html('<div class="soft"><span class="diff"><mark>in A only</mark> <del>in B only</del></span></div>')
    else:
        plain.box(text_a if view == "A" else text_b, "The prompt of one arm")


def _answer(side: Side, row: Mapping[str, Any], name: str) -> None:
    word = score_word(row["score"])
    look = "good" if word.startswith("right") else "warning"
    sign = "✓" if word.startswith("right") else "✕"
    plain.html('<div><span class="chip {look}">{sign} {word}</span> {label}</div>', look=look, sign=sign, word=word, label=said(side))
    plain.box(row["answer"], f"The answer of {name}")
    if not pd.isna(row["error"]):
        plain.line(row["error"])
    known = [("output_tokens", "{:,.0f} tokens", 1), ("cost_usd", "${:.3f} for 1,000", 1000), ("latency_s", "{:.2f} s", 1)]
    figures = [form.format(of * row[column]) for column, form, of in known if not pd.isna(row[column])]
    plain.html(
        '<div class="soft">read as: {read} · {figures}</div>',
        read=plain.cell(trial.read_in(row), 80),
        figures=" · ".join([*figures, OUTCOMES.get(row["outcome"], str(row["outcome"]))]),
    )  # fmt: skip


@st.dialog("One answer", position="right", width=760, on_dismiss=_closed)
def _one(store: Store, names: list[str]) -> None:
    at = st.session_state[WHERE]
    place = names.index(at["item"]) if at["item"] in names else 0
    steps(names, place, names[place])
    trial.show(store, names[place])
    if st.query_params.get("trial") != names[place]:
        st.query_params["trial"] = names[place]


def open_one(store: Store, names: list[str], name: str) -> None:
    """Open it on one of the answers that are listed."""
    at = st.session_state.get(WHERE, {})
    if at.get("key") != ("one", store.folder.name):
        st.session_state[WHERE] = {"key": ("one", store.folder.name), "item": name}
    _one(store, names if name in names else [name])

"""Feedback loops: how many items are solved by which round, what follows which emotion, and one conversation from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from promptlab import charts
from promptlab.explorer import plain
from promptlab.explorer.address import Address
from promptlab.explorer.filters import OF_A_PAIR, model_of, task_of
from promptlab.explorer.load import View, records
from promptlab.explorer.trial import messages_of
from promptlab.explorer.words import or_unknown, score_word
from promptlab.report.loops import EMOTION_NOTE, ORACLE_NOTE, WAYS

PURPOSES = {"answer": "answer", "judge": "the model judges its answer", "synthesis": "one answer made of all"}
Messages = Sequence[Mapping[str, str]]


def render(view: View, address: Address) -> None:
    """Show the page."""
    loops = {str(loop["strategy"]): loop for loop in view.plan.get("loops", ())}
    if not loops:
        st.info("This run has no feedback loop. An experiment gets one with the key loops.")
        return
    left, middle = st.columns(2)
    with left:
        model = model_of(view, address)
    with middle:
        strategy = address.pick("Loop", "loop", list(loops), next(iter(loops)), drops=OF_A_PAIR)
    if loops[strategy]["oracle"]:
        st.warning("With an oracle: these scores cannot be compared with single answers.")
        plain.line(ORACLE_NOTE)
    plain.line(EMOTION_NOTE)
    rows = [row for row in view.report.rounds if row["model"] == model and row["loop"] == strategy]
    if not rows:
        st.caption("Nothing is recorded yet for this choice.")
        return
    st.altair_chart(charts.rounds(rows, "Items solved by round (pass@k)", view.simulated), width="content", theme=None)
    st.subheader("Round by round")
    plain.table(round_table(rows))
    st.subheader("What followed each emotion")
    st.caption("Counts of remarks over all items; descriptive only.")
    plain.table(emotion_table([row for row in view.report.emotions if row["model"] == model and row["loop"] == strategy]))
    st.subheader("One conversation")
    _conversation(view, address, model, strategy)


def round_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Percentages as words, one row for each arm and round."""
    return pd.DataFrame(
        {
            "arm": [row["arm"] for row in rows],
            "round": [row["round"] for row in rows],
            "items asked": [row["n_asked"] for row in rows],
            "solved so far": [f"{100 * row['pass_at_k']:.1f} %" for row in rows],
            "95 % interval": [f"{100 * row['ci_low']:.1f} to {100 * row['ci_high']:.1f}" for row in rows],
            "right at this round": [f"{100 * row['accuracy']:.1f} %" for row in rows],
            "turned right": [row["gained"] for row in rows],
            "turned wrong": [row["lost"] for row in rows],
        }
    )


def emotion_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Counts of what the next answer did, by arm and emotion."""
    columns = {"arm": [row["arm"] for row in rows], "emotion": [row["emotion"] for row in rows], "remarks": [row["n"] for row in rows]}
    return pd.DataFrame(columns | {way.replace("_", " to "): [row[way] for row in rows] for way in WAYS})


def _conversation(view: View, address: Address, model: str, strategy: str) -> None:
    mine = view.trials[(view.trials["model"] == model) & (view.trials["strategy"] == strategy)]
    arms = [arm for arm in view.arms if arm in set(mine["arm"])]
    left, middle, right = st.columns(3)
    with left:
        arm = address.pick("Arm", "a", arms, next((a for a in arms if view.arms[a]["role"] == "loop"), arms[0]), drops=("item",))
    with middle:
        task = task_of(view, address)
    rows = mine[(mine["arm"] == arm) & (mine["task"] == task) & (mine["replicate"] == mine["replicate"].min())]
    if rows.empty:
        st.caption("Nothing is recorded yet for this choice.")
        return
    items = list(rows.sort_values("n_rounds", ascending=False, kind="stable")["item"])
    with right:
        item = address.pick("Item", "item", items, items[0])
    row = records(rows[rows["item"] == item])[0]
    plain.line(
        f"{row['arm']}  ·  {row['task']}  ·  item {row['item']}  ·  {or_unknown(row['n_rounds'])} rounds  ·  {score_word(row['score'])}"
    )
    for turn in turns(records(view.calls(str(row["trial"])))):
        plain.line(turn["head"])
        plain.block(turn["text"])


def turns(calls: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A conversation without repeats: what each call says that was not said before, then its answer with score and emotion."""
    found: list[dict[str, str]] = []
    said: Messages = ()
    for call in calls:
        messages = messages_of(call["messages"])
        begins = list(messages[: len(said)]) == list(said)
        if not begins:
            found.append({"head": "a new conversation", "text": "-"})
        emotion = f", {call['emotion']}" if isinstance(call.get("emotion"), str) else ""
        for message in messages[len(said) :] if begins else messages:
            if message["role"] != "assistant":  # answers are shown as they came
                found.append({"head": f"{message['role']}{emotion if message is messages[-1] else ''}", "text": message["content"]})
        purpose = PURPOSES.get(str(call.get("purpose")), "answer")
        judged = f", {score_word(call.get('score'))}" if call.get("purpose") == "answer" else ""
        number = call.get("round")
        which = "" if number is None or pd.isna(number) else f"round {int(number) + 1}: "
        found.append({"head": f"{which}{purpose}{judged}", "text": str(call["text"]) or "(nothing)"})
        said = [*messages, {"role": "assistant", "content": str(call["text"])}] if call.get("purpose") == "answer" else said
    return found

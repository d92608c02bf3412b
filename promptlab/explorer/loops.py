"""Feedback loops: how many items are solved by which round, what follows which emotion, and one conversation from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import OF_A_PAIR, Filters, model_of, task_of
from promptlab.explorer.trial import messages_of
from promptlab.reporting import charts
from promptlab.reporting.loops import EMOTION_NOTE, ORACLE_NOTE, WAYS
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.table import Table
from promptlab.reporting.words import or_unknown, score_word
from promptlab.stats import wilson

PURPOSES = {"answer": "answer", "judge": "the model judges its answer", "synthesis": "one answer made of all"}
MOST_ITEMS = 500
"""Items to choose from, those with the most rounds first."""
Rows = Sequence[Mapping[str, Any]]
Messages = Sequence[Mapping[str, str]]


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    loops = store.plan.looped
    if not loops:
        st.info("This run has no feedback loop. An experiment gets one with the key loops.")
        return
    model, strategy, rows, emotions = _chosen(store, filters)
    if loops[strategy].oracle:
        st.warning("With an oracle: these scores cannot be compared with single answers.")
        plain.line(ORACLE_NOTE)
    plain.line(EMOTION_NOTE)
    if not rows:
        st.caption("Nothing is recorded yet for this choice.")
        return
    about = "For each arm the share of {}, with 95 % intervals; the table below says the same."
    drawn = charts.rounds(rows, "Items solved by round (pass@k)", store.simulated)
    take.chart(drawn, f"rounds-{strategy}", about.format("items solved by each round"))
    st.header("Drift: are right answers talked away")
    drawn = charts.drift(with_intervals(rows), "Right answers at each round", store.simulated)
    take.chart(drawn, f"drift-{strategy}", about.format("right answers at each round"))
    for sentence in drift_words(rows):
        plain.line(sentence)
    st.header("Round by round")
    plain.table(round_table(rows))
    take.frame(round_table(rows), f"rounds-{strategy}")
    st.header("What followed each emotion")
    st.caption("Counts of remarks over all items; descriptive only.")
    plain.table(emotion_table(emotions))
    st.header("One conversation")
    _conversation(store, filters, model, strategy)


def tables(store: Store, filters: Filters) -> list[Table]:
    """The rounds and the emotions of the chosen model and loop."""
    if not store.plan.looped:
        return []
    _, _, rows, emotions = _chosen(store, filters)
    return [
        Table("Round by round", " ".join(drift_words(rows)), round_table(rows)),
        Table("What followed each emotion", EMOTION_NOTE, emotion_table(emotions)),
    ]


def _chosen(store: Store, filters: Filters) -> tuple[str, str, Rows, Rows]:
    """Model and loop, and their rounds and emotions."""
    left, middle = filters.columns(2)
    model, loops = model_of(store, filters, left), store.plan.looped
    strategy = filters.pick("Loop", "loop", loops, next(iter(loops)), drops=OF_A_PAIR, place=middle)
    rounds, emotions = (
        [row for row in each if row["model"] == model and row["loop"] == strategy] for each in (store.report.rounds, store.report.emotions)
    )
    return model, strategy, rounds, emotions


def round_table(rows: Rows) -> pd.DataFrame:
    """Percentages as words, one row for each arm and round."""
    shown = [
        [
            row["arm"], row["round"], row["n_asked"], f"{100 * row['pass_at_k']:.1f} %",
            f"{100 * row['ci_low']:.1f} to {100 * row['ci_high']:.1f}", f"{100 * row['accuracy']:.1f} %", row["gained"], row["lost"],
        ]
        for row in rows
    ]  # fmt: skip
    heads = ["arm", "round", "items asked", "solved so far", "95 % interval", "right at this round", "turned right", "turned wrong"]
    return pd.DataFrame(shown, columns=heads)


def with_intervals(rows: Rows) -> list[dict[str, Any]]:
    """The same rows with `low` and `high`: Wilson's 95 % interval of the share that is right at the round."""
    ends = (wilson(round(row["accuracy"] * row["n"]), row["n"], 0.95) for row in rows)
    return [{**row, "low": low, "high": high} for row, (low, high) in zip(rows, ends, strict=True)]


def drift_words(rows: Rows) -> list[str]:
    """For each arm how many answers turned right and how many turned wrong after the first round."""
    found = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        gained, lost = sum(row["gained"] for row in mine), sum(row["lost"] for row in mine)
        change = 100 * (mine[-1]["accuracy"] - mine[0]["accuracy"])
        found.append(
            f"{arm}: {gained:,} answers turned right and {lost:,} turned wrong after the first round; from the first round to the last "
            f"the share of right answers changed by {change:+.1f} points on {mine[0]['n']:,} items."
        )
    return found


def emotion_table(rows: Rows) -> pd.DataFrame:
    """Counts of what the next answer did, by arm and emotion."""
    names = {"arm": "arm", "emotion": "emotion", "n": "remarks"} | {way: way.replace("_", " to ") for way in WAYS}
    return pd.DataFrame(rows, columns=list(names)).rename(columns=names)


def _conversation(store: Store, filters: Filters, model: str, strategy: str) -> None:
    there = store.query("SELECT DISTINCT arm FROM trials WHERE model = ? AND strategy = ?", [model, strategy])["arm"]
    arms = [arm for arm in store.arms if arm in set(there)]
    left, middle, right = filters.columns(3)
    first = next((arm for arm in arms if store.arms[arm].role == "loop"), arms[0])
    arm, task = filters.pick("Arm", "a", arms, first, drops=("item",), place=left), task_of(store, filters, middle)
    rows = store.query(
        "SELECT trial, item, arm, task, n_rounds, score FROM trials WHERE model = ? AND strategy = ? AND arm = ? AND task = ? "
        "AND replicate = 0 ORDER BY n_rounds DESC, trials.order LIMIT ?",
        [model, strategy, arm, task, MOST_ITEMS],
    )
    if rows.empty:
        st.caption("Nothing is recorded yet for this choice.")
        return
    items = list(dict.fromkeys(rows["item"]))
    item = filters.pick("Item", "item", items, items[0], place=right)
    row = records(rows[rows["item"] == item])[0]
    plain.line(
        f"{row['arm']}  ·  {row['task']}  ·  item {row['item']}  ·  {or_unknown(row['n_rounds'])} rounds  ·  {score_word(row['score'])}"
    )
    for turn in turns(records(store.calls(str(row["trial"])))):
        plain.line(turn["head"])
        plain.block(turn["text"])


def turns(calls: Rows) -> list[dict[str, str]]:
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

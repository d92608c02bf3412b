"""Feedback loops: how many items are solved by which round, what follows which emotion, and one conversation from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import OF_A_PAIR, Filters, model_of, task_of
from promptlab.explorer.trial import messages_of
from promptlab.nouns import counted
from promptlab.reporting import charts
from promptlab.reporting.loops import EMOTION_NOTE, ORACLE_NOTE, WAYS
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.rows import contrast_table, share_ends
from promptlab.reporting.table import Table
from promptlab.reporting.words import or_unknown, score_word

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
    model, strategy, rows, emotions, contrasts = _chosen(store, filters)
    if loops[strategy].oracle:
        st.warning("With an oracle: these scores cannot be compared with single answers.")
        plain.line(ORACLE_NOTE)
    if not rows:
        plain.line(EMOTION_NOTE)
        st.caption("Nothing is recorded yet for this choice.")
        return
    plain.line(EMOTION_NOTE)
    take.section("What helped", contrast_table(store.report, contrasts), f"helped-{strategy}")
    about = "For each arm the share of {}, with 95 % intervals; the table below says the same."
    drawn = charts.rounds(rows, "Items solved by round", store.simulated)
    take.chart(drawn, f"rounds-{strategy}", about.format("items solved by each round"))
    for unit, words in (("tokens", "tokens"), ("usd", "USD")):
        if any(row[unit] is not None for row in rows):
            drawn = charts.spent(rows, f"Items solved by {words} spent", store.simulated, unit)
            take.chart(drawn, f"{unit}-{strategy}", about.format(f"items solved against what an item has cost in {words}"))
    st.header("Drift: are right answers lost")
    drawn = charts.drift(rows, "Right answers at each round", store.simulated)
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
    """What helped, the rounds and the emotions of the chosen model and loop."""
    if not store.plan.looped:
        return []
    _, _, rows, emotions, contrasts = _chosen(store, filters)
    return [
        contrast_table(store.report, contrasts),
        Table("Round by round", " ".join(drift_words(rows)), round_table(rows)),
        Table("What followed each emotion", EMOTION_NOTE, emotion_table(emotions)),
    ]


def _chosen(store: Store, filters: Filters) -> tuple[str, str, Rows, Rows, Rows]:
    """Model and loop, and their rounds, emotions and contrasts."""
    left, middle = filters.columns(2)
    model, loops = model_of(store, filters, left), store.plan.looped
    strategy = filters.pick("Loop", "loop", loops, next(iter(loops)), drops=OF_A_PAIR, place=middle if len(store.models) > 1 else left)
    report = store.report
    rounds, emotions, contrasts = (
        [row for row in each if row["model"] == model and row["loop"] == strategy]
        for each in (report.rounds, report.emotions, report.loop_contrasts)
    )
    return model, strategy, rounds, emotions, contrasts


def round_table(rows: Rows) -> pd.DataFrame:
    """Percentages as words, one row for each arm and round."""
    shown = [
        [
            row["arm"], row["round"], row["n_asked"], f"{100 * row['solved']:.1f} %", share_ends(row),
            f"{100 * row['accuracy']:.1f} %", row["gained"], row["lost"], or_unknown(row["tokens"], "{:.0f}"),
        ]
        for row in rows
    ]  # fmt: skip
    heads = ["arm", "round", "items sent", "solved so far", "95 % interval", "right at this round", "turned right", "turned wrong"]
    return pd.DataFrame(shown, columns=[*heads, "tokens so far"])


def drift_words(rows: Rows) -> list[str]:
    """For each arm how many answers turned right and how many turned wrong after the first round."""
    found = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        gained, lost = sum(row["gained"] for row in mine), sum(row["lost"] for row in mine)
        change = 100 * (mine[-1]["accuracy"] - mine[0]["accuracy"])
        found.append(
            f"{arm}: {counted(gained, 'answer')} turned right and {lost:,} turned wrong after the first round; from the first to the last "
            f"the share of right answers changed by {change:+.1f} points on {counted(mine[0]['n'])}."
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

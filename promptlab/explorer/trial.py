"""One trial: the exact messages with the stimulus marked, the answer, and everything recorded about the call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain
from promptlab.nouns import OUTCOMES, CallRow, RunProblem, Setting, facts_of
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.rescore import scores_of
from promptlab.reporting.table import Table, table
from promptlab.reporting.words import mark, or_unknown, score_word

CALL_FACTS = facts_of(CallRow)


def show(store: Store, trial: str) -> None:
    """Everything about one trial."""
    row = store.trial(trial)
    if row is None:
        st.caption("This trial is not in the run.")
        return
    plain.line(f"{row['model']}  ·  {row['task']}  ·  item {row['item']}  ·  {row['arm']}  ·  {score_word(row['score'])}")
    left, right = st.columns(2)
    with left:
        if added(store, row):
            st.caption("What was sent; the added text is between ▶ and ◀")
        else:
            st.caption("What was sent; nothing was added in this arm")
        calls = messages(store, row)
    with right:
        if calls.empty or str(calls["text"].iloc[-1]) == row["answer"]:
            st.caption("The answer, as received")
        else:
            st.caption("The answer made of the replies; the replies are on the left, unchanged")
        plain.block(row["answer"])
        st.caption("Read as")
        plain.block(read_in(row))
        st.caption("Right answers")
        plain.block(targets(row))
        if not pd.isna(row["error"]):
            st.caption("Error")
            plain.block(row["error"])
    st.caption("What is recorded about it")
    plain.table(facts(row, calls, by_scorer(store, row)))


def tables(store: Store, name: str) -> list[Table]:
    """The same as tables; nothing is drawn."""
    row = store.trial(name)
    if row is None:
        return []
    calls = store.calls(name)
    who = f"{row['model']}, {row['task']}, item {row['item']}, {row['arm']}: {score_word(row['score'])}"
    sent = [
        (number, message["role"], message["content"])
        for number, call in enumerate(records(calls), start=1)
        for message in [*messages_of(call["messages"]), {"role": "reply", "content": call["text"]}]
    ]
    came = [("answer", row["answer"]), ("what the metric read in it", read_in(row)), ("right", targets(row))]
    return [
        table("What was sent", who, ("call", "role", "text"), sent),
        table("What came back", who, ("what", "text"), came),
        Table("What is recorded about it", who, facts(row, calls, by_scorer(store, row))),
    ]


def added(store: Store, row: Mapping[str, Any]) -> str | None:
    """The text that the trial's arm adds to the prompt."""
    arm = store.arms.get(str(row["arm"]))
    return arm.text or None if arm else None


def read_in(row: Mapping[str, Any]) -> str:
    """What the metric read in an answer."""
    return "(no answer found)" if pd.isna(row["extracted"]) else str(row["extracted"])


def without_messages(store: Store) -> None:
    """Say why nothing that was sent is shown."""
    if store.plan.imported:
        st.caption("The imported file holds no prompts.")
    else:
        st.warning("The messages of this trial cannot be read.")


def messages(store: Store, row: Mapping[str, Any]) -> pd.DataFrame:
    """Show the messages of every call of a trial with the stimulus marked; the calls come back for what else they hold."""
    text = added(store, row)
    try:
        calls = store.calls(row["trial"])
    except RunProblem as error:
        without_messages(store)
        plain.line(error)
        return pd.DataFrame()
    if calls.empty:
        st.caption("No call is recorded for this trial.")
        return calls
    n_marked = 0
    for number, call in enumerate(records(calls), start=1):
        if len(calls) > 1:
            plain.line(f"call {number} of {len(calls)}")
        for message in messages_of(call["messages"]):
            marked, found = mark(message["content"], text)
            n_marked += found
            plain.line(f"{message['role']}:")
            plain.block(marked)
            if found:
                with st.popover("To copy: the same as it was sent", type="tertiary"):
                    plain.block(message["content"])
        if len(calls) > 1 or call["text"] != row["answer"]:
            plain.line("reply:")
            plain.block(call["text"])
    if text and not n_marked:
        st.caption("The added text is not word for word in these messages.")
    return calls


def targets(row: Mapping[str, Any]) -> str:
    """The accepted answers, one a line."""
    try:
        found = json.loads(row["targets"])
    except (TypeError, ValueError):
        return "unknown: the item is not among the run's items"
    return "\n".join(str(target) for target in found) or "(none)"


def by_scorer(store: Store, row: Mapping[str, Any]) -> dict[str, float | None]:
    """The score of a trial's answer under every scorer; nothing where the call failed or the item is not there."""
    if row["outcome"] == "error":
        return {}
    items = store.query("SELECT * FROM items WHERE suite = ? AND task = ? AND item = ?", [row["suite"], row["task"], row["item"]])
    if items.empty:
        return {}
    try:
        return scores_of(str(row["answer"]), records(items)[0], store.plan, str(row["model"]))
    except (KeyError, TypeError, ValueError):
        return {}


def facts(row: Mapping[str, Any], calls: pd.DataFrame, scores: Mapping[str, float | None]) -> pd.DataFrame:
    """Name and value of everything else that is recorded, and the score under every scorer."""
    tokens = f"{or_unknown(row['input_tokens'], '{:,.0f}')} in, {or_unknown(row['output_tokens'], '{:,.0f}')} out"
    pairs = [
        ("outcome", OUTCOMES.get(row["outcome"], row["outcome"])),
        ("score", or_unknown(row["score"], "{:g}") if not pd.isna(row["score"]) else "no score"),
        ("read by the rule", or_unknown(row.get("rule"))),
        *((f"score by the scorer {name}", or_unknown(value, "{:g}")) for name, value in scores.items()),
        ("tokens", tokens),
        ("price of the answer", or_unknown(row["cost_usd"], "${:.6f} simulated" if row["simulated"] else "${:.6f}")),
        ("paid by this run", "nothing (simulated)" if row["simulated"] else or_unknown(row["paid_usd"], "${:.6f}")),
        ("time", f"{row['latency_s']:.2f} s"),
        ("from the cache", "yes" if row["cached"] else "no"),
        ("attempts", str(row["attempts"])),
        ("model version", or_unknown(row["model_version"])),
        ("base prompt", row["base_prompt"]),
        ("placement", Setting.of(row).words),
        ("repeat", str(int(row["replicate"]) + 1)),
    ]
    for number, call in enumerate(records(calls), start=1):
        which = f" of call {number}" if len(calls) > 1 else ""
        pairs += [
            (f"parameters requested{which}", call["requested"]),
            (f"parameters sent{which}", call["effective"]),
            (f"finish reason{which}", or_unknown(call["finish_reason"])),
            *((f"{words}{which}", _shown(call[name])) for name, words in CALL_FACTS.items() if not pd.isna(call[name])),
            (f"cache key{which}", call["key"]),
        ]
    pairs.append(("trial", row["trial"]))
    return pd.DataFrame(pairs, columns=["what", "value"])


def _shown(value: object) -> str:
    return f"{value:,.10g}" if isinstance(value, int | float) else str(value)


def messages_of(text: str) -> list[dict[str, str]]:
    """The messages of a call as recorded; what cannot be read is shown unchanged."""
    try:
        found = json.loads(text)
        return [{"role": str(message["role"]), "content": str(message["content"])} for message in found]
    except (ValueError, TypeError, KeyError):
        return [{"role": "unreadable", "content": str(text)}]

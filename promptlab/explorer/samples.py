"""Every trial of the run, to filter, search and read."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, trial, words
from promptlab.explorer.address import Address, go
from promptlab.explorer.load import RIGHT, View

PAGE_ROWS = 50
ALL = "all"
RESULTS = {ALL: "all", "right": "right", "wrong": "wrong", "none": "no score"}
DROPS = ("n", "trial")


def render(view: View, address: Address) -> None:
    """Show the page."""
    every = {ALL: "all"}
    one, two, three = st.columns(3)
    with one:
        model = address.pick("Model", "model", [ALL, *view.models], ALL, every, DROPS)
        outcome = address.pick("Outcome", "outcome", [ALL, *words.OUTCOMES], ALL, every | words.OUTCOMES, DROPS)
    with two:
        task = address.pick("Task", "task", [ALL, *view.tasks], ALL, every, DROPS)
        result = address.pick("Score", "result", list(RESULTS), ALL, RESULTS, DROPS)
    with three:
        arm = address.pick("Arm", "arm", [ALL, *view.arms], ALL, every | view.arm_words(), DROPS)
        text = address.search("Text", "find", "in the input, the answer or the item's name", DROPS)
    found = select(view.trials, model, task, arm, outcome, result, text)
    n_pages = max(1, -(-len(found) // PAGE_ROWS))
    known = set(view.trials["trial"])
    asked = address.get("trial")
    plain.line(f"{len(found):,} of {len(view.trials):,} answers. Click one to read it below.")
    number = address.page_number("n", n_pages, drops=("trial",))
    page = found.iloc[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    if found.empty:
        st.caption("No trial matches. Take a filter back.")
        return
    names = page["trial"].tolist()
    chosen = address.choice("trial", [asked] if asked in known and asked is not None else names, names[0]) or names[0]

    def choose(row: int, column: str) -> None:
        del column
        go(trial=names[row])

    plain.choosable(_table(page, chosen), f"samples/{number}/{model}/{task}/{arm}/{outcome}/{result}/{text}", choose, height=420)
    trial.show(view, chosen)


def select(trials: pd.DataFrame, model: str, task: str, arm: str, outcome: str, result: str, text: str) -> pd.DataFrame:
    """The trials that pass every filter; the text is looked for as it is, in either case."""
    rows = pd.Series(True, index=trials.index)
    for column, value in (("model", model), ("task", task), ("arm", arm), ("outcome", outcome)):
        if value != ALL:
            rows &= trials[column] == value
    if result == "right":
        rows &= trials["score"] >= RIGHT
    elif result == "wrong":
        rows &= trials["score"] < RIGHT
    elif result == "none":
        rows &= trials["score"].isna()
    if text:
        hits = pd.Series(False, index=trials.index)
        for column in ("answer", "input", "item", "trial"):
            hits |= trials[column].fillna("").astype(str).str.contains(text, case=False, regex=False)
        rows &= hits
    return trials[rows]


def _table(page: pd.DataFrame, chosen: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "shown": [plain.CHOSEN if name == chosen else "" for name in page["trial"]],
            "score": [words.score_word(score) for score in page["score"]],
            "task": page["task"],
            "item": page["item"],
            "arm": [
                arm if strategy == "single" else f"{arm} [{strategy}]" for arm, strategy in zip(page["arm"], page["strategy"], strict=True)
            ],
            "input": page["input"],
            "answer": page["answer"],
            "outcome": page["outcome"],
            "model": page["model"],
        }
    )

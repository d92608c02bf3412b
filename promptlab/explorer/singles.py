"""Every trial of the run, to filter, search and read."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from promptlab.explorer import drawer, plain, take, trial
from promptlab.explorer.filters import Filters, go
from promptlab.explorer.load import kept_fresh
from promptlab.nouns import OUTCOMES
from promptlab.reporting import words
from promptlab.reporting.prepared import RIGHT, WHOLE, Store
from promptlab.reporting.table import Table

PAGE_ROWS = 50
ALL = "all"
RESULTS = {ALL: "all", "right": "right", "wrong": "wrong", "none": "no score"}
DROPS = ("n", "trial")
LOOKED_IN = ("answer", "item", "trial")
Sieve = tuple[str, list[object]]


def render(store: Store, filters: Filters) -> None:
    """Show the view."""
    sieve, key = _sieve(store, filters)
    n_found = count(store, sieve)
    asked = filters.get("trial")
    counted = store.stamp

    def counts(newest: Store) -> None:
        n = n_found if newest.stamp == counted else count(newest, sieve)
        plain.line(f"{n:,} of {newest.n_trials:,} answers." + (" Click one to read it." if n else ""))
        if newest.manifest.last_error and filters.get("outcome") == "error":
            plain.line(f"Last error: {plain.clip(str(newest.manifest.last_error), 300)}")

    kept_fresh(store, counts)
    number = filters.page_number("n", max(1, -(-n_found // PAGE_ROWS)), drops=("trial",))
    page = select(store, sieve, (number - 1) * PAGE_ROWS, PAGE_ROWS)
    if page.empty:
        st.caption("No answer.")
        st.button("Clear filters", on_click=go, kwargs=dict.fromkeys(("outcome", "task", "result", "arm", "find", "n")))
        return
    names = page["trial"].tolist()

    def choose(row: int, _: str) -> None:
        drawer.asked()
        go(trial=names[row])

    shown = _table(page)
    plain.choosable(shown, f"answers/{number}/{key}/{drawer.n_opened()}", choose, alt="One row for each answer; a click opens it")
    take.frame(shown, "answers")
    if asked is not None:
        if store.trial(asked) is None:
            filters.notes.append(f"trial={asked}")
        else:
            drawer.open_one(store, names, asked)


def tables(store: Store, filters: Filters) -> list[Table]:
    """One page of the answers that pass the filters; with `trial` everything about that one."""
    sieve, _ = _sieve(store, filters)
    n_found = count(store, sieve)
    n_pages = max(1, -(-n_found // PAGE_ROWS))
    number = filters.page_number("n", n_pages)
    page = select(store, sieve, (number - 1) * PAGE_ROWS, PAGE_ROWS)
    columns = ["trial", "model", "task", "item", "arm", "outcome", "score", "input", "answer"]
    asked = filters.get("trial")
    if asked is not None and store.trial(asked) is None:
        filters.notes.append(f"trial={asked}")
    answers = Table("Answers", f"{n_found:,} of {store.n_trials:,} answers; page {number:,} of {n_pages:,}.", page[columns])
    return [answers, *(trial.tables(store, asked) if asked else [])]


def _sieve(store: Store, filters: Filters) -> tuple[Sieve, str]:
    """What the choices let through, and the choices as one word."""
    every = {ALL: "all"}
    models = {m.name: f"{m.name} (SIMULATED)" for m in store.plan.models if m.simulated}
    one, two, three = filters.columns(3)
    one_model = len(store.models) == 1 and filters.drawn
    model = ALL if one_model else filters.pick("Model", "model", [ALL, *store.models], ALL, every | models, drops=DROPS, place=one)
    outcome = filters.pick("Outcome", "outcome", [ALL, *OUTCOMES], ALL, every | OUTCOMES, drops=DROPS, place=one)
    task = filters.pick("Task", "task", [ALL, *store.tasks], ALL, every, drops=DROPS, place=two)
    result = filters.pick("Score", "result", RESULTS, ALL, RESULTS, drops=DROPS, place=one if one_model else two)
    arm = filters.pick("Arm", "arm", [ALL, *store.arms], ALL, every | store.arm_words(), drops=DROPS, place=three)
    text = filters.search("Text", "find", "in the input, the answer or the item's name", drops=DROPS, place=two if one_model else three)
    return where(model, task, arm, outcome, result, text), f"{model}/{task}/{arm}/{outcome}/{result}/{text}"


def where(model: str, task: str, arm: str, outcome: str, result: str, text: str) -> Sieve:
    """What a trial must be to pass every filter, as SQL and its values; the text is looked for as it is, in either case."""
    parts = ["TRUE"]
    values: list[object] = []
    for column, value in (("model", model), ("task", task), ("arm", arm), ("outcome", outcome)):
        if value != ALL:
            parts.append(f"{column} = ?")
            values.append(value)
    parts += {"right": [f"score >= {RIGHT}"], "wrong": [f"score < {RIGHT}"], "none": ["score IS NULL"]}.get(result, [])
    if text:
        inside = "(suite, task, item) IN (SELECT (suite, task, item) FROM items WHERE contains(lower(input), lower(?)))"
        parts.append(f"({' OR '.join(f'contains(lower({column}), lower(?))' for column in LOOKED_IN)} OR {inside})")
        values += [text] * (len(LOOKED_IN) + 1)
    return " AND ".join(parts), values


def count(store: Store, sieve: Sieve) -> int:
    """How many trials pass."""
    sql, values = sieve
    return int(store.query(f"SELECT count(*) AS n FROM trials WHERE {sql}", values)["n"].iloc[0])  # noqa: S608 (fixed text)


def select(store: Store, sieve: Sieve, start: int, n: int) -> pd.DataFrame:
    """`n` of those that pass, in the run's order, with `input` and `targets` of their items."""
    sql, values = sieve
    sentence = f"SELECT trials.order AS place FROM trials WHERE {sql} ORDER BY place LIMIT ? OFFSET ?"  # noqa: S608 (fixed text)
    places = store.query(sentence, [*values, n, start])["place"].tolist()
    if not places:
        return store.query(f"{WHOLE} LIMIT 0")
    near = [places[0], places[-1], places]  # the file is in this order, so that a range reads a part of it
    return store.query(f"{WHOLE} WHERE t.order BETWEEN ? AND ? AND list_contains(?, t.order) ORDER BY t.order", near)


def _table(page: pd.DataFrame) -> pd.DataFrame:
    shown = page.assign(
        score=[words.score_word(score) for score in page["score"]],
        arm=page["arm"].where(page["strategy"] == "single", page["arm"] + " [" + page["strategy"] + "]"),
    )
    return shown[["score", "task", "item", "arm", "input", "answer", "outcome", "model"]]

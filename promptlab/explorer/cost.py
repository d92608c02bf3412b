"""Cost and reliability: what did it cost, and can the answers be relied on?"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.choices import model_of, setting_of
from promptlab.explorer.filters import Filters
from promptlab.nouns.setting import Setting
from promptlab.nouns.words import AA_ARM, NONE_ARM
from promptlab.reporting import charts
from promptlab.reporting.reliability import (
    BAD,
    LOST,
    NO_AA_NOTE,
    ONCE_NOTE,
    SAME_SCORE,
    SAME_TEXT,
    aa_table,
    again_table,
    agreement_rows,
    cost_table,
    form_table,
    has_repeats,
    is_simulated,
    missing_rows,
    missing_table,
    request_table,
    served,
    spend_table,
    time_rows,
    time_table,
    uneven,
    unpriced,
)
from promptlab.reporting.store import Store
from promptlab.reporting.table import Table
from promptlab.reporting.totals import EVERY_REPLICATE, Row, asked_again, by_arm, spreads_of, sums_of

PARTS = {
    "money": "Money", "time": "Tokens and time", "missing": "Missing and form", "repeats": "Asked again", "requests": "Requests",
}  # fmt: skip


def render(store: Store, filters: Filters) -> None:
    """Show the page: one part at a time, since all of it at once would be slow to come."""
    sums = sums_of(store)
    for sentence in unpriced(store, sums):
        plain.line(sentence)
    part = filters.switch("Part", "part", PARTS, "money")
    left, middle, _ = st.columns(3)
    with left:
        model = model_of(store, filters)
    with middle:
        setting = setting_of(store, filters)
    arms = by_arm(store, sums, model, setting)
    if part == "money":
        _money(store, sums, arms, model)
    elif part == "time":
        _time(store, arms, model, setting)
    elif part == "missing":
        _missing(store, arms)
    elif part == "repeats":
        _agreements(store, filters, arms, model, setting)
    else:
        _requests(store, sums)


def _money(store: Store, sums: Sequence[Row], arms: Sequence[Row], model: str) -> None:
    st.subheader("What it cost")
    take.shown(spend_table(store, sums), "spend")
    st.subheader("What a right answer costs")
    take.shown(cost_table(arms, is_simulated(store, model)), "cost")


def _time(store: Store, arms: Sequence[Row], model: str, setting: Setting) -> None:
    st.subheader("Tokens and time")
    spreads = spreads_of(store, model, setting)
    timed = time_rows(arms, spreads)
    if timed:
        take.chart(
            charts.estimates(timed, ["median"], "seconds; the line holds 90 of 100 answers", "Time of an answer", store.simulated),
            "time", "For each arm the median time of an answer, and from which to which time 90 of 100 answers took; as in the table.",
        )  # fmt: skip
    take.shown(time_table(arms, spreads), "tokens-and-time")


def _missing(store: Store, arms: Sequence[Row]) -> None:
    st.subheader("Missing answers")
    for sentence in uneven(arms):
        plain.line(sentence)
    lost = missing_rows(arms)
    if lost:
        take.chart(
            charts.estimates(lost, [LOST, BAD], "% of the trials of an arm", "Missing answers by arm", store.simulated),
            "missing", "For each arm the share of trials without a score, and with any other end than ok, each with its 95 % interval.",
        )  # fmt: skip
    take.shown(missing_table(arms), "missing")
    st.subheader("Form of the answers")
    take.shown(form_table(arms), "form")


def _agreements(store: Store, filters: Filters, arms: Sequence[Row], model: str, setting: Setting) -> None:
    st.subheader("Does asking again give the same?")
    if has_repeats(store):
        arm = _pick_arm(store, filters, arms)
        again = asked_again(store, model, setting, [arm], EVERY_REPLICATE)
        _agreement(store, again, f"Answers of {arm} asked again", "repeats")
        take.shown(again_table(store, again, arm), "repeats")
    else:
        plain.line(ONCE_NOTE)
    st.subheader("The baseline against its own repeat")
    if AA_ARM in store.arms:
        for c in store.comparisons(model, setting, None, ["aa"]):
            if c.task is None:
                plain.line(c.sentence)
        twice = asked_again(store, model, setting, [NONE_ARM, AA_ARM], 1)
        _agreement(store, twice, "The prompt without added text, asked twice", "baseline-repeat")
        take.shown(aa_table(store, twice), "baseline-repeat")
    else:
        plain.line(NO_AA_NOTE)


def _requests(store: Store, sums: Sequence[Row]) -> None:
    st.subheader("Requests")
    for sentence in served(store):
        plain.line(sentence)
    take.shown(request_table(store, sums), "requests")


def tables(store: Store, filters: Filters) -> list[Table]:
    """The tables of the page; nothing is drawn."""
    sums = sums_of(store)
    model = filters.choice("model", store.models, store.models[0]) or store.models[0]
    names = list(store.settings)
    setting = store.settings[filters.choice("setting", names, names[0]) or names[0]]
    arms = by_arm(store, sums, model, setting)
    arm, again = NONE_ARM, list[Row]()
    if has_repeats(store):
        there = [str(row["arm"]) for row in arms] or [NONE_ARM]
        arm = filters.choice("arm", there, there[0]) or there[0]
        again = asked_again(store, model, setting, [arm], EVERY_REPLICATE)
    return [
        spend_table(store, sums),
        cost_table(arms, is_simulated(store, model)),
        time_table(arms, spreads_of(store, model, setting)),
        missing_table(arms),
        again_table(store, again, arm),
        aa_table(store, asked_again(store, model, setting, [NONE_ARM, AA_ARM], 1)),
        request_table(store, sums),
        form_table(arms),
    ]


def _agreement(store: Store, rows: Sequence[Row], title: str, name: str) -> None:
    points = agreement_rows(rows)
    if points:
        take.chart(
            charts.estimates(points, [SAME_SCORE, SAME_TEXT], "% of the questions asked again", title, store.simulated, (0.0, 100.0)),
            name, "For each task how many questions got the same score, and the same text, when asked again, with 95 % intervals.",
        )  # fmt: skip


def _pick_arm(store: Store, filters: Filters, arms: Sequence[Row]) -> str:
    there = [str(row["arm"]) for row in arms] or [NONE_ARM]
    return filters.pick("Repeats of the arm", "arm", there, there[0], store.arm_words())

"""Cost and reliability: what did it cost, and can the answers be relied on?"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters, model_of, setting_of
from promptlab.nouns import AA_ARM, NONE_ARM, Setting
from promptlab.reporting import arm_names, charts, reliability
from promptlab.reporting.prepared import Store
from promptlab.reporting.reliability import EVERY_REPLICATE, Row, asked_again, by_arm, spreads_of, sums_of
from promptlab.reporting.table import Table

PARTS = {
    "money": "Money", "time": "Tokens and time", "missing": "Missing and form", "repeats": "Sent again", "requests": "Requests",
}  # fmt: skip


def render(store: Store, filters: Filters) -> None:
    """Show the page: one part at a time, since all of it at once would be slow to come."""
    sums = sums_of(store)
    plain.html('<h1 class="pl-h1">What did it cost, and can the answers be relied on?</h1>')
    for sentence in reliability.unpriced(store, sums):
        plain.line(sentence)
    _cards(store, filters, sums)
    part = filters.switch("Part", "part", PARTS, "money")
    left, middle, _ = filters.columns(3)
    model, setting = model_of(store, filters, left), setting_of(store, filters, middle)
    arms = by_arm(store, sums, model, setting)
    if part == "money":
        take.section("What it cost", reliability.spend_table(store, sums), "spend")
        take.section("What a right answer costs", reliability.cost_table(arms, store.plan.model_of[model].simulated), "cost")
    elif part == "time":
        _time(store, arms, model, setting)
    elif part == "missing":
        _missing(store, arms)
    elif part == "repeats":
        _repeats(store, filters, arms, model, setting)
        _baseline(store, model, setting)
    else:
        st.header("Requests")
        for served in store.manifest.several_versions:
            plain.line(f"{served}: a difference may be one between versions.")
        take.shown(reliability.request_table(store, sums), "requests")


def _cards(store: Store, filters: Filters, sums: Sequence[Row]) -> None:
    """Four numbers: what all answers cost, 1,000 answers of the cheapest and the dearest arm, failed answers, and repeats."""
    model, setting = filters.get("model"), filters.get("setting")
    model = model if model in store.models else store.models[0]
    layout = store.settings.get(setting or "", next(iter(store.settings.values())))
    arms = by_arm(store, sums, str(model), layout)
    prices = [1000 * row["cost_usd"] / row["n_fine"] for row in arms if row["n_fine"] and not row["n_unpriced"]]
    whole = sum(row["cost_usd"] for row in sums)
    known = any(row["n_fine"] > row["n_unpriced"] for row in sums)
    counts = store.manifest.counts
    cards = (
        f"${whole:,.4f}" if known else "unknown",
        " to ".join(dict.fromkeys(f"${end(prices):.3f}" for end in (min, max))) if prices else "unknown",
        f"{counts.errors:,} of {counts.done:,}", f"{store.plan.replicates:,}",
    )  # fmt: skip
    note = " (simulated)" if store.simulated else ""
    heads = (f"All answers{note}", f"1,000 answers of an arm{note}", "Failed", "Answers to each prompt")
    cells = [
        plain.piece("<div><span>{head}</span><b>{value}</b></div>", head=head, value=card) for head, card in zip(heads, cards, strict=True)
    ]
    plain.html('<div class="pl-cards">{cells}</div>', cells=plain.joined(cells))


def tables(store: Store, filters: Filters) -> list[Table]:
    """The tables of the page; nothing is drawn."""
    sums = sums_of(store)
    model, setting = model_of(store, filters), setting_of(store, filters)
    arms = by_arm(store, sums, model, setting)
    arm, again = _again(store, filters, arms, model, setting) if store.plan.replicates > 1 else (NONE_ARM, [])
    return [
        reliability.spend_table(store, sums),
        reliability.cost_table(arms, store.plan.model_of[model].simulated),
        reliability.time_table(arms, spreads_of(store, model, setting)),
        reliability.missing_table(arms),
        reliability.again_table(store, again, arm),
        reliability.aa_table(store, asked_again(store, model, setting, [NONE_ARM, AA_ARM], 1)),
        reliability.request_table(store, sums),
        reliability.form_table(arms),
    ]


def _time(store: Store, arms: Sequence[Row], model: str, setting: Setting) -> None:
    st.header("Tokens and time")
    spreads = spreads_of(store, model, setting)
    timed = reliability.time_rows(arms, spreads)
    if timed:
        drawn = charts.estimates(timed, ["median"], "seconds; the line holds 90 of 100 answers", "Time of an answer", store.simulated)
        about = "For each arm the median time of an answer, and from which to which time 90 of 100 answers took; as in the table."
        take.chart(drawn, "time", about)
    take.shown(reliability.time_table(arms, spreads), "tokens-and-time")


def _missing(store: Store, arms: Sequence[Row]) -> None:
    st.header("Missing answers")
    for sentence in reliability.uneven(arms, arm_names.baseline_named(store)):
        plain.line(sentence)
    lost = reliability.missing_rows(arms)
    if lost:
        kinds = [reliability.LOST, reliability.BAD]
        about = "For each arm the share of trials without a score, and with any other end than ok, each with its 95 % interval."
        drawn = charts.estimates(lost, kinds, "% of the trials of an arm", "Missing answers by arm", store.simulated)
        take.chart(drawn, "missing", about)
    take.shown(reliability.missing_table(arms), "missing")
    take.section("Form of the answers", reliability.form_table(arms), "form")


def _repeats(store: Store, filters: Filters, arms: Sequence[Row], model: str, setting: Setting) -> None:
    st.header("Do repeats agree?")
    if store.plan.replicates < 2:
        plain.line(reliability.ONCE_NOTE)
        return
    arm, again = _again(store, filters, arms, model, setting)
    _agreement(store, again, f"Answers of {arm} to prompts sent again", "repeats", reliability.again_table(store, again, arm))


def _again(store: Store, filters: Filters, arms: Sequence[Row], model: str, setting: Setting) -> tuple[str, list[Row]]:
    """An arm and how its repeats agree."""
    there = arm_names.recorded(store, arms) or [NONE_ARM]
    arm = filters.pick("Repeats of the arm", "arm", there, there[0], store.arm_words())
    return arm, asked_again(store, model, setting, [arm], EVERY_REPLICATE)


def _baseline(store: Store, model: str, setting: Setting) -> None:
    st.header("The baseline against its own repeat")
    if AA_ARM not in store.arms:
        plain.line(reliability.NO_AA_NOTE)
        return
    for c in store.comparisons(model, setting, None, ["aa"]):
        if c.task is None:
            plain.line(c.sentence)
    twice = asked_again(store, model, setting, [NONE_ARM, AA_ARM], 1)
    _agreement(store, twice, "The prompt without added text, sent twice", "baseline-repeat", reliability.aa_table(store, twice))


def _agreement(store: Store, rows: Sequence[Row], title: str, name: str, table: Table) -> None:
    points = reliability.agreement_rows(rows)
    if points:
        kinds, axis = [reliability.SAME_SCORE, reliability.SAME_TEXT], "% of the questions sent again"
        about = "For each task how many questions got the same score, and the same text, when sent again, with 95 % intervals."
        take.chart(charts.estimates(points, kinds, axis, title, store.simulated, (0.0, 100.0)), name, about)
    take.shown(table, name)

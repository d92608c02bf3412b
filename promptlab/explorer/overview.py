"""The first page: the question, how far the run is, and what each added text does over the tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from promptlab import reporting
from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters, choose
from promptlab.explorer.load import kept_fresh
from promptlab.nouns import VERDICTS, Comparison, Setting
from promptlab.reporting import charts, words
from promptlab.reporting.prepared import Store
from promptlab.reporting.replicated import Figure
from promptlab.reporting.table import Table

FEWEST_TIED = 2
OVER_TASKS = "What each added text does, averaged over the tasks"


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    plain.line(store.manifest.question or "This run states no question.")
    model, control, setting = choose(store, filters)
    kept_fresh(store, lambda newest: _first(newest, model))
    kept_fresh(store, lambda newest: _results(newest, model, control, setting))


def _first(store: Store, model: str) -> None:
    """The table of arms, the best one corrected for the choice, and what to do."""
    for summary in reporting.summaries(store.report):
        if summary.model == model:
            found = reporting.summary_table(summary)
            plain.line(found.title)
            for said in (summary.best, summary.advice, summary.neutral, *summary.beside, *summary.reasons):
                if said:
                    plain.line(said)
            plain.table(found.frame, tinted="verdict")
            take.frame(found.frame, "arms")


def _headline(store: Store) -> None:
    st.subheader("In words")
    for sentence in reporting.headline(store.report):
        plain.line(f"•  {sentence}")


def _results(store: Store, model: str, control: str, setting: Setting) -> None:
    shown = store.comparisons(model, setting, control, ["primary", "stimulus"])
    means = [c for c in shown if c.scope == "stimulus"]
    verdicts = _verdicts(store, shown)

    if store.report.state == "running":
        plain.line(f"Read at {store.read_at} from {store.n_trials:,} trials, and again every 15 seconds while the sweep goes on.")
    st.subheader("What each added text does, averaged over the tasks")
    if control == "none" and "placebo" not in store.controls:
        st.caption("This run has no neutral sentences, so a change may come from any added text, not from what it says.")
        if store.plan.no_placebo_reason:
            plain.line(f"Reason given: {store.plan.no_placebo_reason}")
    if not means:
        st.caption("Nothing was planned for this choice.")
        _headline(store)
        return
    if any(c.diff is not None for c in means):
        about = "For each added text its difference in points with a 95 % interval, n and the verdict; the table below says the same."
        take.chart(charts.forest(means, "Difference in points, averaged over the tasks", store.simulated), "overview", about)
        plain.line(f"The grey band: differences below {100 * store.plan.margins.mean:g} points, which this run counts as none.")
    for sentence in ties(store, model, setting):
        plain.line(sentence)
    plain.table(verdicts, tinted="verdict")
    take.frame(verdicts, "verdicts")
    _headline(store)
    _published(store, model, setting)
    with st.expander("Each verdict in a sentence"):
        for c in shown:
            plain.line(f"{words.verdict(c)}  {words.treated(c)}: {c.sentence}")
            for note in c.notes:
                plain.line(f"    Note: {note}")
    with st.expander("What the verdicts mean"):
        plain.table(pd.DataFrame({"verdict": f"{wording.sign} {v}", "means": wording.meaning} for v, wording in VERDICTS.items()))
    with st.expander("Beside the verdicts"):
        st.caption("Of the whole run. Nothing here is a verdict.")
        for table in (*reporting.arm_tables(store.report), *reporting.beside_tables(store.report)):
            plain.line(table.title)
            plain.line(table.note)
            plain.table(table.frame)
    aa = store.comparisons(model, setting, None, ["aa"])
    with st.expander("How much answers vary by themselves"):
        st.caption("The prompt without added text was asked twice; the difference between the two is noise.")
        for c in aa:
            plain.line(f"{c.task or 'all tasks'}: {c.sentence}")
        if not aa:
            st.caption("Nothing is recorded yet.")
    with st.expander("About this run"):
        for simulated in (m for m in store.plan.models if m.truth):
            plain.line(f"What the simulated model {simulated.name} was made to do: {simulated.truth}.")
        plain.table(_about(store))


def _published(store: Store, model: str, setting: Setting) -> None:
    rows = published_beside_honest(store, model, setting)
    if not rows:
        return
    st.subheader("The papers' arithmetic beside it")
    st.caption(
        "Papers report the best of many sentences, chosen on the very items that are reported. The range beside their figure is what dice "
        "alone give it in this run; the range beside an honest figure is its 95 % interval."
    )
    take.chart(
        charts.protocol(rows, "Published arithmetic and honest figures", store.simulated), "protocol",
        "; ".join(f"{row['figure']}: {row['words']}" for row in rows),
    )  # fmt: skip
    take.frame(pd.DataFrame(rows), "protocol")


def published_beside_honest(store: Store, model: str, setting: Setting) -> list[dict[str, Any]]:
    """What the papers' protocol reports for a model and setting, and what can be said honestly; rows as `charts.protocol` takes them."""
    rows: list[dict[str, Any]] = []

    def add(figure: str, kind: str, value: float, ends: tuple[float | None, float | None], about: str) -> None:
        low, high = ends
        span = "" if low is None or high is None else f" ({about} {100 * low:+.1f} to {100 * high:+.1f})"
        rows.append(Figure(figure, kind, value, low, high, "").drawn(f"{100 * value:+.1f}{span}"))

    beside = store.report.beside
    for p in (row.protocol for row in beside.protocols if (row.model, row.setting) == (model, setting)):
        add("papers: the best of each task", "published", p.best_per_task, p.null_best_per_task[::2], "dice")
        add("papers: the best over the tasks", "published", p.best_single, p.null_best_single[::2], "dice")
    if not rows:
        return []
    for best in beside.bests:
        if best.task is None and (best.model, best.setting) == (model, setting) and best.estimate is not None:
            add(f"the best, corrected for the choice: {best.winner}", "honest", best.estimate, (best.ci_low, best.ci_high), "95 %")
    for c in store.comparisons(model, setting, store.controls[0], ["primary"]):
        if c.diff is not None:
            add(f"all of {c.library} together, against its control", "honest", c.diff, (c.ci_low, c.ci_high), "95 %")
    return rows


def ties(store: Store, model: str, setting: Setting) -> list[str]:
    """Which sentences cannot be told from the best one: their intervals over the tasks reach its estimate."""
    every = store.comparisons(model, setting, store.controls[0], ["stimulus"])
    means = [c for c in every if c.diff is not None and c.ci_high is not None]
    if len(means) < FEWEST_TIED:
        return []
    best = max(means, key=lambda c: c.diff or 0.0)
    tied = [c.treated for c in means if c is not best and (c.ci_high or 0.0) >= (best.diff or 0.0)]
    return (
        []
        if not tied
        else [f"{best.treated} has the largest estimate; {len(tied)} of {len(means) - 1} others cannot be told from it: {', '.join(tied)}."]
    )


def tables(store: Store, filters: Filters) -> list[Table]:
    """The verdicts over the tasks, the papers' arithmetic beside them, and what stands beside the verdicts."""
    model, control, setting = choose(store, filters)
    verdicts = _verdicts(store, store.comparisons(model, setting, control, ["primary", "stimulus"]))
    published = Table("The papers' arithmetic beside it", "", pd.DataFrame(published_beside_honest(store, model, setting)))
    first = [reporting.summary_table(summary) for summary in reporting.summaries(store.report) if summary.model == model]
    return [*first, Table(OVER_TASKS, "", verdicts), published, *reporting.arm_tables(store.report), *reporting.beside_tables(store.report)]


def _verdicts(store: Store, shown: Sequence[Comparison]) -> pd.DataFrame:
    return words.verdict_table(shown, {name: arm.text for name, arm in store.arms.items()})


def _about(store: Store) -> pd.DataFrame:
    m, plan = store.manifest, store.plan
    margins = plan.margins
    rows = [
        ("run", store.report.run),
        ("experiment file", m.experiment_path),
        ("started", m.created_at),
        ("last written", m.updated_at),
        ("suite", {"twin": "twin: items written for promptlab", "official": "official benchmark files"}.get(plan.suite, plan.suite)),
        ("items, arms, tasks", ", ".join(f"{getattr(plan.counts, name)} {name}" for name in ("items", "arms", "tasks"))),
        ("sampling", ", ".join(f"{name} {value}" for name, value in plan.sampling.items()) or "the provider's own"),
        ("margins", f"{100 * margins.cell:g} points in one task, {100 * margins.mean:g} over the tasks"),
        ("served by", "; ".join(f"{name}: {', '.join(found)}" for name, found in m.served.items())),
        ("code", ", ".join(f"{name} {number}" for name, number in m.versions.items())),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])

"""The first page: the question, how far the run is, and what each added text does over the tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from promptlab import charts, report
from promptlab.explorer import plain, take, words
from promptlab.explorer.choices import control_of, model_of, setting_of
from promptlab.explorer.filters import Filters
from promptlab.explorer.load import REREAD_S, Setting, Store, open_store


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    plain.line(store.manifest.get("question") or "This run states no question.")
    _kept_fresh(store, _headline)
    left, middle, right = st.columns(3)
    with left:
        model = model_of(store, filters)
    with middle:
        control = control_of(store, filters)
    with right:
        setting = setting_of(store, filters)
    _kept_fresh(store, lambda newest: _results(newest, model, control, setting))


def _kept_fresh(store: Store, draw: Callable[[Store], None]) -> None:
    """Draw, and while the sweep goes on draw again every 15 seconds."""
    if store.report.state != "running":
        draw(store)
        return

    @st.fragment(run_every=REREAD_S)
    def live() -> None:
        draw(open_store(store.folder))

    live()


def _headline(store: Store) -> None:
    if store.report.state == "running":
        plain.line(f"Read at {store.read_at} from {store.n_trials:,} trials, and again every 15 seconds while the sweep goes on.")
    for sentence in report.headline(store.report):
        plain.line(f"•  {sentence}")


def _results(store: Store, model: str, control: str, setting: Setting) -> None:
    shown = store.comparisons(model, setting, control, ["primary", "stimulus"])
    means = [c for c in shown if c.scope == "stimulus"]
    texts: Mapping[str, str | None] = {name: arm["text"] for name, arm in store.arms.items()}

    st.subheader("What each added text does, averaged over the tasks")
    if control == "none" and "placebo" not in store.controls:
        st.caption("This run has no neutral sentences, so a change may come from any added text, not from what it says.")
        if store.plan.get("no_placebo_reason"):
            plain.line(f"Reason given: {store.plan['no_placebo_reason']}")
    if not means:
        st.caption("Nothing was planned for this choice.")
        return
    if any(c.diff is not None for c in means):
        take.chart(
            charts.forest(means, "Difference in points, averaged over the tasks", store.simulated), "overview",
            "For each added text its difference in points with a 95 % interval, n and the verdict; the table below says the same.",
        )  # fmt: skip
    plain.table(words.verdict_table(shown, texts), tints=words.TINTS, tinted="verdict")
    take.frame(words.verdict_table(shown, texts), "verdicts")
    with st.expander("Each verdict in a sentence"):
        for c in shown:
            plain.line(f"{words.verdict(c)}: {c.sentence}")
            for note in c.notes:
                plain.line(f"    Note: {note}")
    with st.expander("What the verdicts mean"):
        plain.table(
            pd.DataFrame([(f"{words.SIGNS[v]} {v}", meaning) for v, meaning in words.MEANINGS.items()], columns=["verdict", "means"])
        )
    with st.expander("Beside the verdicts"):
        st.caption("Of the whole run. Nothing here is a verdict.")
        for title, note, heads, rows in report.beside_tables(store.report):
            plain.line(title)
            plain.line(note)
            plain.table(pd.DataFrame(rows, columns=list(heads)))
    aa = store.comparisons(model, setting, None, ["aa"])
    with st.expander("How much answers vary by themselves"):
        st.caption("The prompt without added text was asked twice; the difference between the two is noise.")
        for c in aa:
            plain.line(f"{c.task or 'all tasks'}: {c.sentence}")
        if not aa:
            st.caption("Nothing is recorded yet.")
    with st.expander("About this run"):
        _truth(store)
        plain.table(_about(store))


def _truth(store: Store) -> None:
    for model in store.plan["models"]:
        if model.get("truth"):
            plain.line(f"What the simulated model {model['name']} was made to do: {model['truth']}.")


def _about(store: Store) -> pd.DataFrame:
    m, plan = store.manifest, store.plan
    margins = plan["margins"]
    rows = [
        ("run", store.report.run),
        ("experiment file", m.get("experiment_path")),
        ("started", m.get("created_at")),
        ("last written", m.get("updated_at")),
        ("suite", {"twin": "twin: items written for promptlab", "official": "official benchmark files"}.get(plan["suite"], plan["suite"])),
        ("items, arms, tasks", ", ".join(f"{plan['counts'][name]} {name}" for name in ("items", "arms", "tasks"))),
        ("sampling", ", ".join(f"{name} {value}" for name, value in plan["sampling"].items()) or "the provider's own"),
        ("margins", f"{100 * margins['cell']:g} points in one task, {100 * margins['mean']:g} over the tasks"),
        ("served by", "; ".join(f"{name}: {', '.join(found)}" for name, found in m.get("served", {}).items())),
        ("code", ", ".join(f"{name} {number}" for name, number in m.get("versions", {}).items())),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])

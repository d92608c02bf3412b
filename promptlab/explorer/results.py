"""The first page: which arm, by how much, how sure, at what price, and may it be believed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from promptlab import reporting
from promptlab.explorer import drawer, plain, replication, take
from promptlab.explorer.filters import OF_A_DRAWER, Filters, go, model_of
from promptlab.explorer.load import kept_fresh
from promptlab.explorer.table import ArmRow, draw, frame, span
from promptlab.nouns import VERDICTS, Comparison, Setting, counted
from promptlab.nouns.words import tallied
from promptlab.reporting import charts, words
from promptlab.reporting.build import failed_words, unwhole, waiting
from promptlab.reporting.decide import cautions, open_reasons, reason
from promptlab.reporting.flips import Side
from promptlab.reporting.prepared import ACROSS, Store
from promptlab.reporting.replicate import PAPERS, stimuli_of
from promptlab.reporting.replicated import Figure
from promptlab.reporting.table import Table
from promptlab.stats import interval, points

TODAY = "none"
"""Measured against what is in use today: the incumbent, or the prompt without added text."""
SHOWN: Mapping[str, tuple[str, Sequence[str]]] = {
    "all": ("all", ()), "helps": ("helps", ("helps",)), "hurts": ("hurts", ("hurts",)),
    "settled": ("no difference", ("same", "negligible")), "open": ("not settled", ("unclear", "refused")),
}  # fmt: skip
MORE = {
    "words": "In words", "beside": "Next to the verdicts", "published": "The papers' arithmetic", "replication": "Replication",
    "about": "About this run",
}  # fmt: skip
OPEN, SHUT = plain.piece("open"), plain.piece("")
OVER_TASKS = "Every verdict over the tasks"
NARROWED_FROM = 5
"""Arms from which the table can be narrowed."""


def render(store: Store, filters: Filters) -> None:
    """Show the page."""
    plain.html('<h1 class="pl-h1">{question}</h1>', question=plain.cell(store.manifest.question or "This run states no question.", 400))
    with st.container():
        verdict = st.container()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            model, control = _choices(store, filters)
            rows = arm_rows(store, model, control)
            labels = {name: label for name, (label, _) in SHOWN.items()}
            show = filters.switch("Show", "show", labels, "all") if len(rows) > NARROWED_FROM else "all"
    with verdict:
        kept_fresh(store, lambda newest: _verdict(newest, model, control))
    kept_fresh(store, lambda newest: _table(newest, filters, (model, control, show)))
    _believed(store, model)
    _more(store, filters, model, control)


def _choices(store: Store, filters: Filters) -> tuple[str, str]:
    """Model and control; each is shown only where there is a choice. Models that are compared come first, all of them as `ACROSS`."""
    if ACROSS in store.summaries:
        with_arms = [model for model in store.models if any(not row.incumbent for row in store.summaries[model].rows)]
        if not with_arms and filters.drawn:
            return ACROSS, TODAY
        several = filters.pick("Compared", "model", [ACROSS, *store.models], ACROSS, {ACROSS: "the models"}, drops=OF_A_DRAWER)
        if several == ACROSS:
            return ACROSS, TODAY
    model = model_of(store, filters) if len(store.models) > 1 or not filters.drawn else store.models[0]
    names = [TODAY, *(name for name in store.controls if name not in ("none", "single"))] if _has_texts(store, model) else [TODAY]
    said = {TODAY: store.summaries[model].against} | {name: store.plan.called(name) for name in names}
    if len(names) == 1 and filters.drawn:
        return model, TODAY
    return model, filters.switch("Measured against", "control", said, TODAY, seen=True)


def _has_texts(store: Store, model: str) -> bool:
    return bool(store.report.of("stimulus", model))


def arm_rows(store: Store, model: str, control: str) -> list[ArmRow]:
    """The arms of a model by their estimate, measured against what is in use or against a control."""
    found = store.summaries[model]
    shared: dict[tuple[str, str, str, str | None], dict[str, Any]] = {
        (row.model, row.setting, row.text_of, row.prompt): {
            "items": row.items, "lost": row.truncated + row.empty + row.refused + row.failed, "usd": row.usd_per_1000,
            "tokens": row.tokens,
        }
        for row in found.rows
    }  # fmt: skip
    if control == TODAY:
        return [
            ArmRow(
                arm=row.arm, name=row.text_of, model=row.model, setting=row.setting, prompt=row.prompt, incumbent=row.incumbent,
                verdict=row.verdict,
                diff=row.diff, low=row.ci_low, high=row.ci_high, p=row.p_adjusted, corrected=row.corrected, chance=row.p_best,
                why=row.why, **shared[row.model, row.setting, row.text_of, row.prompt],
            )
            for row in found.shown
        ]  # fmt: skip
    names = {(row.setting, row.text_of): row.arm for row in found.rows}
    rows = []
    for c in store.report.of("stimulus", model, control):
        key = (c.setting.id, c.treatment)
        nothing: dict[str, Any] = {"items": c.n_pairs, "lost": 0.0, "usd": None, "tokens": None}
        rows.append(
            ArmRow(
                arm=names.get(key, c.treated), name=c.treatment, model=model, setting=c.setting.id, prompt=None, incumbent=False,
                verdict=c.verdict,
                diff=c.diff, low=c.ci_low, high=c.ci_high, p=c.p_adjusted, why=reason(store.report, c), control_arms=c.control_arms,
                **shared.get((model, *key, None), nothing),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: -(row.diff if row.diff is not None else -9.0))


def leading(rows: Sequence[ArmRow]) -> tuple[ArmRow | None, list[ArmRow]]:
    """The arm with the largest gain, corrected for the choice where that is known, and those whose interval reaches it."""
    judged = [row for row in rows if not row.incumbent and row.diff is not None and row.verdict not in (None, "refused")]
    if not judged:
        return None, []

    def value(row: ArmRow) -> float:
        return row.corrected if row.corrected is not None else row.diff or 0.0

    best = max(judged, key=value)
    return best, [row for row in judged if row is not best and row.high is not None and row.high >= value(best)]


def _verdict(store: Store, model: str, control: str) -> None:
    rows, found = arm_rows(store, model, control), store.summaries[model]
    against = found.against if control == TODAY else store.plan.called(control)
    best, tied = leading(rows)
    n = sum(not row.incumbent for row in rows)
    if best is None or best.diff is None or best.verdict is None:
        first = plain.piece("<b>No arm can be judged yet.</b>")
    elif best.diff <= 0:
        first = plain.piece("<b>No arm has a better estimate than {against}.</b>", against=against)
    else:
        first = plain.piece(
            '<b style="color: var(--{verdict})">{sign} {arm}</b> <b>has the largest gain: {gain} points</b> '
            "(95 % interval {ends}, {items} items).",
            verdict=best.verdict, sign=VERDICTS[best.verdict].sign, arm=best.arm, gain=points(best.diff),
            ends=interval(best.low, best.high), items=f"{best.items:,}",
        )  # fmt: skip
    counts = {label: sum(row.verdict in verdicts for row in rows) for label, verdicts in SHOWN.values() if verdicts}
    said = [
        *([f"Corrected for choosing the best of {n}: {points(best.corrected)}."] if best and best.corrected is not None and n > 1 else ()),
        *([f"{f'{len(tied)} of the other {n - 1}' if n > 2 else 'The other one'} may be as good."] if tied else ()),
        f"Against {against}, {found.where}: " + (", ".join(tallied(counts)) or "nothing is judged yet") + ".",
        *([price] if (price := _price(rows, best)) else ()),
    ]
    live = (
        f"Read at {store.read_at} from {counted(store.n_trials, 'trial')}; the sweep continues." if store.report.state == "running" else ""
    )
    plain.html(
        '<div class="verdict"><div class="first">{first}</div><div>{said}</div><div><b>{advice}</b></div>'
        '<div class="soft">{neutral} {live}</div></div>',
        first=first, said=" ".join(said), advice=found.advice if control == TODAY else "", neutral=found.neutral, live=live,
    )  # fmt: skip


def _price(rows: Sequence[ArmRow], best: ArmRow | None) -> str:
    base = next((row.usd for row in rows if row.incumbent), None)
    if best is None or best.usd is None or base is None:
        return ""
    more = best.usd - base
    return (
        "No extra price."
        if abs(more) < 0.005 * max(base, 1e-9)
        else f"${abs(more):.{3 if abs(more) >= 0.001 else 5}f} {'more' if more > 0 else 'less'} for 1,000 answers."
    )


def _table(store: Store, filters: Filters, chosen: tuple[str, str, str]) -> None:
    model, control, show = chosen
    wanted = SHOWN[show][1]
    every = arm_rows(store, model, control)
    rows = [row for row in every if not wanted or row.verdict in wanted]
    if not every:
        st.caption("Nothing is judged yet.")
        return
    if not rows:
        st.caption("No arm.")
        st.button("Clear filters", on_click=go, kwargs={"show": None})
        return
    if control == "none" and "placebo" not in store.controls and _has_texts(store, model):
        st.caption("This run has no neutral sentences, so a change may come from any added text, not from what it says.")

    def choose(number: int) -> None:
        drawer.asked()
        go(**{**dict.fromkeys(OF_A_DRAWER), "arm": rows[number].arm})

    draw(rows, store.plan.margin, f"arms/{model}/{control}/{show}/{drawer.n_opened()}", choose)
    ends = [plain.piece("<li>{words}</li>", words=f"{row.words} {row.arm} {span(row)}") for row in rows if row.low is not None]
    plain.html('<ul class="phone">{ends}</ul>', ends=plain.joined(ends))
    for why in _open(store, model, control, rows):
        plain.line(why)
    st.caption("Click a row to read the answers that it changed, each with both prompts. Grey band: differences that count as none.")
    take.frame(frame(every), "verdicts")
    means = store.report.of("model") if model == ACROSS else store.report.of("stimulus", model, control)
    means = [c for c in means if c.diff is not None and c.task is None]
    if means:
        take.drawing(charts.forest(means, "Difference in points, averaged over the tasks", store.simulated), "verdicts")
    asked = filters.choice("arm", [row.arm for row in every], None)
    if asked is not None:
        row = next(row for row in every if row.arm == asked)
        drawer.open_pair(*sides(store, row, every), filters)


def _open(store: Store, model: str, control: str, rows: Sequence[ArmRow]) -> Sequence[str]:
    """Why arms are not settled, but for what the advice says."""
    if control == TODAY:
        return store.summaries[model].reasons
    return open_reasons([(row.arm, row.why, row.verdict, None) for row in rows if row.verdict in ("unclear", "refused")])


def sides(store: Store, row: ArmRow, rows: Sequence[ArmRow]) -> tuple[Side, Side]:
    """The arm of a row, and what it is measured against: the incumbent or a control of its setting; for the baseline, the best."""
    settings = {setting.id: setting for setting in store.plan.settings}
    if row.incumbent:
        best, _ = leading(rows)
        row = best or row
    base = [other for other in rows if other.incumbent]
    other = next((b for b in base if b.setting == row.setting), base[0] if base else None)
    a = Side(store, row.model, settings[row.setting], row.name, row.prompt)
    if row.control_arms:
        return a, Side(store, row.model, settings[row.setting], row.control_arms[0], row.prompt)
    if other is None:
        name = "none" if "none" in store.arms else next(iter(store.arms))
        return a, Side(store, row.model, settings[row.setting], name, row.prompt)
    return a, Side(store, other.model, settings[other.setting], other.name, other.prompt)


def _believed(store: Store, model: str) -> None:
    """What is against reading the table as it is."""
    above = failed_words(store.report)  # at the top of the page
    against = list(dict.fromkeys([*waiting(store.report), *unwhole(store.report), *cautions(store.report)]))
    twice = [c.sentence for c in store.report.of("aa", model or None) if c.task is None]
    reasons = [f"Reason given for no neutral sentences: {store.plan.no_placebo_reason}"] if store.plan.no_placebo_reason else []
    against, others = [said for said in against if said not in above], [said for said in (*twice, *reasons) if said not in against]
    against += ["The audit failed, as the top of the page says."] * bool(above)
    head = "May this be believed?"
    items = [plain.piece("<li>{text}</li>", text=text) for text in against]
    lines = [plain.piece("<div>{text}</div>", text=text) for text in others or ["Nothing in the record is against it."] * (not against)]
    parts = plain.piece("<ul>{items}</ul>{lines}", items=plain.joined(items), lines=plain.joined(lines))
    count = "No caution." if not against else "1 caution" if len(against) == 1 else f"{len(against)} cautions"
    plain.html("<details {open}><summary><b>{head}</b> {n}</summary>{parts}</details>", head=head, parts=parts,
               open=OPEN if against else SHUT, n=count)  # fmt: skip


def _more(store: Store, filters: Filters, model: str, control: str) -> None:
    """The text after and next to the verdicts, one section at a time."""
    has = {"published": bool(store.report.beside.protocols), "replication": any(stimuli_of(store.plan, paper) for paper in PAPERS)}
    sections = {name: label for name, label in MORE.items() if has.get(name, True) or filters.get("more") == name}
    more = filters.switch("More", "more", sections, "words")
    if more == "replication":
        replication.render(store, filters, model or store.models[0])
    elif more == "beside":
        _beside(store)
    elif more == "published":
        for setting in store.plan.settings:
            _published(store, model, setting)
    elif more == "about":
        for simulated in (m for m in store.plan.models if m.truth):
            plain.line(f"What the simulated model {simulated.name} was made to do: {simulated.truth}.")
        plain.table(_about(store))
    else:
        _in_words(store, model, control)


def _in_words(store: Store, model: str, control: str) -> None:
    found = store.summaries[model]
    above = failed_words(store.report)
    for sentence in [*found.beside, *(said for said in reporting.headline(store.report) if said not in above)]:
        plain.line(f"•  {sentence}")
    shown = _over_tasks(store, model, control)
    if shown:
        verdicts = _verdicts(store, shown)
        plain.table(verdicts.drop(columns=words.ITS_WORDS, errors="ignore"), tinted="verdict")
        take.frame(verdicts, "every-verdict")
        with st.expander("Each verdict in a sentence"):
            for c in shown:
                plain.line(f"{words.verdict(c)}  {words.treated(c)}: {c.sentence}")
        if words.ITS_WORDS in verdicts:
            with st.expander("The added texts"):
                texts = {c.treatment: store.arms[c.treatment].text for c in shown if c.treatment in store.arms}
                for name, text in texts.items():
                    plain.line(f"{name}: {text}")


def _over_tasks(store: Store, model: str, control: str) -> list[Comparison]:
    """What was judged over the tasks, of one model and control or of the models that are compared."""
    every = store.report.of(None, model or None, None if control == TODAY else control)
    return [c for c in every if c.task is None and c.scope != "aa"]


def _beside(store: Store) -> None:
    st.caption("Nothing here is a verdict.")
    found = [*reporting.arm_tables(store.report), *reporting.beside_tables(store.report)]
    for number, beside in enumerate(found):
        plain.html("<h2>{title}</h2>", title=beside.title)
        take.shown(beside, f"beside-{number}")
    if not found:
        st.caption("Nothing is recorded for this yet.")


def _published(store: Store, model: str, setting: Setting) -> None:
    rows = published_beside_honest(store, model, setting)
    if not rows:
        return
    st.caption(
        "Papers report the best of many sentences, chosen on the very items that are reported. The range next to their figure is what "
        "chance alone gives in this run; the range next to an honest figure is its 95 % interval."
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


def tables(store: Store, filters: Filters) -> list[Table]:
    """The arms of a model, the papers' arithmetic next to them, and what accompanies the verdicts."""
    model, control = _choices(store, filters)
    shown = _over_tasks(store, model, control)
    first = [reporting.summary_table(store.summaries[model])]
    published = [row for setting in store.plan.settings for row in published_beside_honest(store, model, setting)]
    beside = [*([Table("The papers' arithmetic next to it", "", pd.DataFrame(published))] if published else ())]
    return [*first, Table(OVER_TASKS, "", _verdicts(store, shown)), *beside, *reporting.arm_tables(store.report),
            *reporting.beside_tables(store.report)]  # fmt: skip


def _verdicts(store: Store, shown: Sequence[Comparison]) -> pd.DataFrame:
    found = words.verdict_table(shown, {name: arm.text for name, arm in store.arms.items()})
    found.insert(2, "against", [store.report.against(c) for c in shown])
    return found


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

"""How many items and repeats are needed, what would that cost, and how long would it take? With a run, as measured in it.

Everything is worked out by `promptlab.planning`: one calculator for this page and for `promptlab plan`. Nothing is sent and nothing is
kept: the experiment is shown as text, to download.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from promptlab.explorer import library, plain, take
from promptlab.explorer.filters import Filters, Place
from promptlab.nouns import Plan
from promptlab.planning.draft import (
    FILE,
    MOST_OTHERS,
    Choices,
    Compared,
    Draft,
    drafted,
    experiment_text,
    priced_models,
    stimuli_for,
    suite_of,
    tasks_for,
)
from promptlab.planning.size import MOST_ITEMS
from promptlab.reporting import charts
from promptlab.reporting.planned import Measured, curve, curve_table, file_tables, in_a_sentence, measured, short_table, ways_table
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.table import Table

FLIPS = 10.0
CHANCE = 0.5
"""The share of flips that counts as chance where no run says how often the same prompt flips when it is sent again."""
ACCURACY = 70.0
PLACEBOS = 3
VIEWS = {"size": "How many items", "file": "The experiment file and its price", "texts": "Texts and tasks"}
COMPARED: dict[Compared, str] = {
    "sentences": "Added sentences", "prompts": "Whole prompts", "models": "Models", "shots": "Examples", "temperature": "Temperature",
}  # fmt: skip
BY_HAND: dict[Compared, str] = {
    "prompts": "Write your prompts into the file, and your own tasks under task_files; then type promptlab plan planned.yaml.",
    "models": "For more models, add them under models in the file, and type promptlab plan planned.yaml.",
    "shots": "For more factors at once, add them under vary in the file, and type promptlab plan planned.yaml.",
    "temperature": "For more factors at once, add them under vary in the file, and type promptlab plan planned.yaml.",
}
"""What is planned by the file alone, and what to type for it."""
OVER = {"mean": "Mean over the tasks", "cell": "One task"}


def render(store: Store | None, filters: Filters) -> None:
    """Show the page; without a run from what `promptlab plan` takes for granted."""
    plain.html('<h1 class="pl-h1">How many items, and at what price?</h1>')
    view = filters.switch("View", "view", VIEWS, "size" if filters.get("part") != "file" else "file", drops=("part",))
    if view == "texts":
        library.render(store, filters)
        return
    known = _measured(store, filters)
    chosen = _choices(store, filters, known)
    for remark in chosen.remarks():
        plain.line(f"Note: {remark}")
    if by_hand := BY_HAND.get(chosen.compared):
        plain.line(by_hand)
    with st.spinner("Pricing the experiment"):
        draft = _draft(store, chosen)
        draft.estimates  # noqa: B018 (kept for what follows)
    plain.html('<div class="verdict">{said}</div>', said=in_a_sentence(chosen))
    if view == "size":
        _size(store, chosen, draft)
    else:
        _file(chosen, draft)


def _size(store: Store | None, chosen: Choices, draft: Draft) -> None:
    simulated = bool(store and store.simulated)
    drawn = charts.power(records(curve(chosen)), chosen.per_task, "How often a true effect would be seen", simulated)
    take.chart(drawn, "power", f"Power against items a task, a line for each effect. {in_a_sentence(chosen)}")
    take.section("In short", short_table(chosen, draft), "plan")
    take.section("Items and repeats", ways_table(chosen, draft), "items-and-repeats")


def _file(chosen: Choices, draft: Draft) -> None:
    st.header("The experiment file")
    if draft.study is None:
        st.warning("No valid experiment can be made of these choices.")
        for problem in draft.problems:
            plain.line(problem)
        return
    st.caption("Nothing has been written. Download it, change what you like, and run these commands where you saved it.")
    plain.block(draft.text)
    st.download_button("Download the experiment", draft.text.encode(), FILE, "application/yaml", key="take/planned", on_click="ignore")
    plain.block(chosen.commands())
    for note in draft.study.notes:
        plain.line(f"Note: {note}")
    cost, seen, more = file_tables(chosen, draft)
    take.section("What the file asks", cost, "cost")
    take.section("The smallest effects that it sees, in points", seen, "smallest-effects")
    take.section("What more items of these tasks buy, in points", more, "more-items")


def tables(store: Store | None, filters: Filters) -> list[Table]:
    """Every table of the page, for the choices in the address."""
    chosen = _choices(store, filters, _measured(store, filters))
    draft = _draft(store, chosen)
    column, lines = ("line", draft.text.splitlines()) if draft.study else ("problem", list(draft.problems))
    file = Table("The experiment file", "", pd.DataFrame({column: lines}))
    return [short_table(chosen, draft), ways_table(chosen, draft), curve_table(chosen), file, *file_tables(chosen, draft)]


def _measured(store: Store | None, filters: Filters) -> Measured:
    if store is None:
        if filters.drawn:
            plain.line("No run is open, so flips and accuracy start from usual values. Open a run to start from what it measured.")
        return Measured()
    model = store.models[0]
    if len(store.models) > 1 or not filters.drawn:
        model = filters.pick("Measured with", "model", store.models, model, drops=("flips", "again", "accuracy"))
    known = measured(store, model)
    if not filters.drawn:
        return known
    if known.flips is None and known.accuracy is None:
        plain.line("This run has no scores yet, so flips and accuracy start from usual values.")
    else:
        said = [
            f"the {'incumbent' if store.plan.prompts else 'baseline'} scores {known.accuracy:.1f} %" if known.accuracy is not None else "",
            f"{known.flips:.1f} % of items flip when a sentence is added" if known.flips is not None else "",
            f"{known.again:.1f} % flip when the same prompt is sent again" if known.again is not None else "",
        ]
        simulated = " (SIMULATED)" if store.simulated else ""
        plain.line(f"As measured in this run with {model}{simulated}: {'; '.join(part for part in said if part)}. The choices start there.")
    return known


def _choices(store: Store | None, filters: Filters, known: Measured) -> Choices:
    """What the controls say; they start from the run."""
    plan = store.plan if store else Plan()
    names, sentences, models = tasks_for(plan), stimuli_for(store.stimuli if store else ()), priced_models()
    own = [m for m in dict.fromkeys(m.litellm_name for m in plan.models) if m in models]
    flips = _within(known.again if known.flips is None else known.flips, FLIPS)
    again = round(CHANCE * flips, 1) if known.again is None else round(known.again, 1)  # noise that was measured stays
    n_items = min((task.n_items for task in plan.tasks), default=100)
    n_tasks = min(max(len(plan.tasks), 1) if store else 6, len(names))
    n_placebos = sum(arm.role == "placebo" for arm in plan.arms)
    asked = next(iter(own), models[0])
    starts: Compared = "prompts" if len(plan.prompts) > 1 and not (store and store.stimuli) else "sentences"
    words = {str(kind): word for kind, word in COMPARED.items()}
    chosen = filters.switch("What is compared", "compared", words, starts, drops=("comparisons", "n_stimuli"), seen=True)
    compared = next(kind for kind in COMPARED if kind == chosen)
    of_sentences = compared == "sentences"
    most = len(sentences) if of_sentences else MOST_OTHERS[compared]
    usual = max(len(store.stimuli), 1) if store else 3
    n_others = min(usual if of_sentences else max(len(plan.prompts) - 1, 1) if compared == "prompts" else 1, most)
    placebos = max(1, min(20, round(n_placebos / n_others))) if n_placebos else PLACEBOS
    over = filters.switch("Judged over", "over", OVER, "mean", drops=("comparisons",))
    one, two, three, four = filters.columns(4)
    more = filters.folded("More: effect, flips, price")
    many = ("comparisons",)
    per_task = filters.number("Items a task", "per_task", 2, MOST_ITEMS, max(n_items, 2), place=one)
    stimuli = _others(filters, compared, most, n_others, two)
    tasks = filters.number("Tasks", "n_tasks", 1, len(names), n_tasks, drops=many, place=three)
    repeats = filters.number("Answers for each", "repeats", 1, 100, min(plan.replicates, 100), place=four)
    effect = filters.number("True effect, points", "effect", 0.1, 50.0, 3.0, place=more)
    placebos = filters.number("Neutral sentences for each", "per_stimulus", 0, 20, placebos, place=more) if of_sentences else 0
    flips = filters.number("Items that flip, %", "flips", 0.1, 100.0, flips, place=more)
    again = filters.number(
        "Flip when sent again, %", "again", 0.0, 100.0, again if known.again is not None else min(again, flips), place=more
    )
    accuracy = filters.number("Baseline scores, %", "accuracy", 0.0, 100.0, _within(known.accuracy, ACCURACY), place=more)
    family = stimuli if over == "mean" else stimuli * tasks
    comparisons = filters.number("Comparisons in the family", "comparisons", 1, 10_000, family, place=more)
    simulated = {m: f"{m} (SIMULATED)" for m in models if m.startswith("sim/")}
    model = filters.pick("Model", "asked", models, asked, simulated, drops=("other",), place=more)
    others = [name for name in models if name != model and (name in simulated) == (model in simulated)]
    other = ""
    if compared == "models":
        usual_other = next((name for name in own if name in others), others[0])
        other = filters.pick("Compared with the model", "other", others, usual_other, simulated, place=two)
    under_way = filters.number("Calls in flight", "under_way", 1, 1_000, 16, place=more)
    return Choices(
        over="cell" if over == "cell" else "mean", per_task=per_task, repeats=repeats, effect=effect, flips=flips, again=again,
        accuracy=accuracy, n_tasks=tasks, n_stimuli=stimuli, comparisons=comparisons, model=model, per_stimulus=placebos,
        under_way=under_way, compared=compared, other=other,
    )  # fmt: skip


def _others(filters: Filters, compared: Compared, most: int, usual: int, place: Place) -> int:
    """How many are compared with the first; of models there is one, which is chosen by name."""
    many = ("comparisons",)
    match compared:
        case "sentences":
            return filters.number("Added sentences", "n_stimuli", 1, most, usual, drops=many, place=place)
        case "prompts":
            return filters.number("Prompts besides the first", "n_stimuli", 1, most, usual, drops=many, place=place)
        case "shots":
            return filters.number("Numbers of examples besides none", "n_stimuli", 1, most, usual, drops=many, place=place)
        case "temperature":
            return filters.number("Temperatures besides the first", "n_stimuli", 1, most, usual, drops=many, place=place)
        case _:
            return 1


def _within(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else min(max(round(value, 1), 0.1), 100.0)


def _draft(store: Store | None, chosen: Choices) -> Draft:
    plan = store.plan if store else Plan()
    tasks, stimuli = tasks_for(plan)[: chosen.n_tasks], stimuli_for(store.stimuli if store else ())[: chosen.n_stimuli]
    return drafted(experiment_text(chosen, suite_of(plan), tasks, stimuli, plan.sampling, plan.seed if store else 1))

"""How many items and repeats are needed, what would that cost, and how long would it take? With a run, as measured in it.

Power and margins are those of `promptlab.stats`, prices and minutes those of `promptlab plan`. Nothing is asked and nothing is kept:
the experiment is shown as text, to be taken along.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from promptlab.design.cross import Design, cross, draw, settings_of, trials_an_item
from promptlab.design.stimuli import matched_placebos
from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters
from promptlab.explorer.library import task_here
from promptlab.explorer.load import Store, records
from promptlab.explorer.take import Shown
from promptlab.nouns.errors import FileProblems
from promptlab.nouns.model import Model
from promptlab.nouns.stimulus import Stimulus
from promptlab.nouns.words import Suite
from promptlab.planning.plan import TAU, counts, estimate, minutes, outlook, power
from promptlab.planning.resolve import Study, all_stimuli, sim_models
from promptlab.reporting import charts
from promptlab.sources.prices import PriceTable, sim_prices
from promptlab.sources.spec import Experiment, load_experiment
from promptlab.sources.spec.experiment import Sampling
from promptlab.sources.tasks import task_names
from promptlab.sources.tokens import encoding_name, n_tokens
from promptlab.stats import power_mcnemar, power_paired_t, smallest_effect_macro, smallest_effect_mcnemar, smallest_margin
from promptlab.strategies import strategy_of

FILE = "planned.yaml"
WANTED = 0.8
KEPT = 8
"""Experiments kept in memory with their items."""
FIRST = ("emotionprompt", "negativeprompt")
"""Libraries that come first where no run says which."""
MOST_ITEMS = 100_000
MEASURED_TRIALS = 200_000
"""Trials of a run that its flips are measured on: whole blocks of items, from the first on."""
EFFECTS = (1.0, 2.0, 3.0, 5.0, 10.0)
REPEATS = (1, 2, 3, 5, 10)
FLIPS = 10.0
CHANCE = 0.5
"""The share of flips that is taken for chance where no run says how often the same prompt flips when it is asked again."""
ACCURACY = 70.0
PLACEBOS = 3
PARTS = {"size": "How many items", "file": "The experiment file and its price"}
OVER = {"mean": "Mean over the tasks", "cell": "One task"}
PROVIDERS = {"bedrock_converse": "bedrock", "cohere_chat": "cohere"}
"""Providers in the price table that have another name in front of a model."""
SAMPLING: Mapping[str, Any] = {"temperature": 0.7, "max_tokens": 64}
Over = Literal["mean", "cell"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run showed of itself, in percent; None is not known. `again` is how often the baseline's own repeat differs."""

    flips: float | None = None
    again: float | None = None
    accuracy: float | None = None
    n_pairs: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """What is asked of the design. `effect` in points; `flips`, `again` and `accuracy` in percent."""

    over: Over
    per_task: int
    repeats: int
    effect: float
    flips: float
    again: float
    accuracy: float
    n_tasks: int
    n_stimuli: int
    comparisons: int
    model: str
    per_stimulus: int
    under_way: int

    @property
    def psi(self) -> float:
        """The share of items that flips in one asking: no less than the effect itself takes."""
        return max(self.flips, self.effect) / 100


@dataclass(frozen=True)
class Draft:
    """The experiment of the choices, resolved; or why it is none."""

    text: str
    study: Study | None
    problems: tuple[str, ...] = ()


def render(store: Store | None, filters: Filters) -> None:
    """Show the page; without a run from what `promptlab plan` takes for granted."""
    known = _measured(store, filters, drawn=True)
    chosen = _choices(store, filters, known, drawn=True)
    for remark in _remarks(chosen):
        plain.line(f"Note: {remark}")
    with st.spinner("Pricing the experiment"):
        draft = _draft(store, chosen)
        _estimate(draft.text)
    plain.line(_sentence(chosen))
    part = filters.switch("Part", "part", PARTS, "size")
    if part == "size":
        _size(store, chosen, draft)
    else:
        _file(chosen, draft)


def _size(store: Store | None, chosen: Choices, draft: Draft) -> None:
    curve = _curve(chosen)
    take.chart(
        charts.power(
            records(curve.assign(power=curve["power"] / 100)), chosen.per_task, "How often a true effect would be seen",
            bool(store and store.simulated),
        ), "power",
        f"Power against items a task, a line for each effect. {_sentence(chosen)}",
    )  # fmt: skip
    st.subheader("In short")
    take.shown(_short(chosen, draft), "plan")
    st.subheader("Items and repeats")
    take.shown(_ways(chosen, draft), "items-and-repeats")


def _file(chosen: Choices, draft: Draft) -> None:
    st.subheader("The experiment file")
    if draft.study is None:
        st.warning("No valid experiment can be made of these choices.")
        for problem in draft.problems:
            plain.line(problem)
        return
    st.caption("Nothing has been written. Take it along, change what you like, and run these commands where you saved it.")
    plain.block(draft.text)
    st.download_button("Download the experiment", draft.text.encode(), FILE, "application/yaml", key="take/planned", on_click="ignore")
    plain.block(_commands(chosen))
    for note in draft.study.notes:
        plain.line(f"Note: {note}")
    st.subheader("What the file asks")
    take.shown(_cost(draft.study), "cost")
    st.subheader("The smallest effects that it sees")
    take.shown(_seen(draft.study), "smallest-effects")
    st.subheader("What more items of these tasks buy")
    take.shown(_more(draft.study, chosen), "more-items")


def tables(store: Store | None, filters: Filters) -> list[Shown]:
    """Every table of the page, for the choices in the address."""
    chosen = _choices(store, filters, _measured(store, filters), drawn=False)
    draft = _draft(store, chosen)
    found = [
        _short(chosen, draft),
        _ways(chosen, draft),
        Shown("Power against items", "In percent; effects in points.", _curve(chosen).drop(columns="asked")),
    ]
    if draft.study is None:
        return [*found, Shown("The experiment file", "", pd.DataFrame({"problem": list(draft.problems)}))]
    lines = Shown("The experiment file", "", pd.DataFrame({"line": draft.text.splitlines()}))
    return [*found, lines, _cost(draft.study), _seen(draft.study), _more(draft.study, chosen)]


def measured(store: Store, model: str) -> Measured:
    """What one model of a run shows: flips against the baseline, flips between its two askings, and the baseline's mean score.

    For scores between 0 and 1 the mean squared difference, which for right and wrong is the share that flips.
    """
    rows = store.query(MEASURE, [model, MEASURED_TRIALS])
    found = {str(row["what"]): row for row in records(rows)}

    def of(what: str) -> float | None:
        row = found.get(what)
        return None if row is None or pd.isna(row["value"]) else 100 * float(row["value"])

    return Measured(of("stimulus"), of("aa"), of("baseline"), int(found["stimulus"]["n"]) if "stimulus" in found else 0)


MEASURE = """
WITH s AS (
    SELECT suite, task, item, base_prompt, placement, shots, strategy, replicate, arm, role, score FROM trials
    WHERE model = ? AND trials.order < ? AND score IS NOT NULL AND role IN ('baseline', 'aa', 'stimulus')
)
SELECT t.role AS what, count(*) AS n, avg((t.score - b.score) ** 2) AS value
FROM s t JOIN s b USING (suite, task, item, base_prompt, placement, shots, strategy, replicate)
WHERE b.role = 'baseline' AND t.role <> 'baseline' GROUP BY t.role
UNION ALL
SELECT 'baseline', count(*), avg(score) FROM s WHERE role = 'baseline'
"""


@lru_cache(maxsize=8192)
def seen(n_items: int, n_tasks: int, effect: float, psi: float, noise: float, repeats: int, level: float) -> float:
    """How often an effect (a fraction) is found at this level, over `n_tasks` tasks of `n_items` items each.

    One asking of one task is McNemar's mid-p, as in the verdicts; else the paired t of item means, whose noise repeats divide.
    """
    if n_tasks == 1 and repeats == 1:
        return power_mcnemar(n_items, (psi + effect) / 2, max(psi - effect, 0.0) / 2, level).midp
    n, spread = n_items * n_tasks, math.sqrt(max(left(psi, noise, repeats) - effect**2, 1e-9))
    if n < 2:
        return 0.0
    return power_paired_t(n, effect, spread, level).power


def left(psi: float, noise: float, repeats: int) -> float:
    """What is left of the flips when each item is the mean of its repeats: chance is divided, the rest stays."""
    return psi - min(noise, psi) * (1 - 1 / repeats)


def needed(chosen: Choices, level: float, repeats: int) -> int | None:
    """The fewest items a task with which the effect is seen with 80 % power; None where 100,000 do not do."""

    def enough(n: int) -> bool:
        return seen(n, _n_tasks(chosen), chosen.effect / 100, chosen.psi, chosen.again / 100, repeats, level) >= WANTED

    low, high = 0, 2
    while not enough(high):
        low, high = high, high * 2
        if low >= MOST_ITEMS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _n_tasks(chosen: Choices) -> int:
    return chosen.n_tasks if chosen.over == "mean" else 1


def _level(chosen: Choices) -> float:
    """The strictest level of the family: that of its smallest p-value."""
    analysis = Experiment.model_fields["analysis"].default
    return float(analysis.alpha if chosen.over == "mean" else analysis.fdr) / chosen.comparisons


# --- what is chosen ---------------------------------------------------------------------------------------------------


def _measured(store: Store | None, filters: Filters, drawn: bool = False) -> Measured:
    if store is None:
        if drawn:
            plain.line("No run is open, so flips and accuracy start from usual values. Open a run to start from what it measured.")
        return Measured()
    if drawn and len(store.models) > 1:
        model = filters.pick("Measured with", "model", store.models, store.models[0], drops=("flips", "again", "accuracy"))
    else:
        model = filters.choice("model", store.models, store.models[0]) or store.models[0]
    known = measured(store, model)
    if not drawn:
        return known
    if known.flips is None and known.accuracy is None:
        plain.line("This run has no scores yet, so flips and accuracy start from usual values.")
    else:
        said = [
            f"the baseline scores {known.accuracy:.1f} %" if known.accuracy is not None else "",
            f"{known.flips:.1f} % of items flip when a sentence is added" if known.flips is not None else "",
            f"{known.again:.1f} % flip when the same prompt is asked again" if known.again is not None else "",
        ]
        simulated = " (SIMULATED)" if store.simulated else ""
        plain.line(
            f"As measured in this run with {model}{simulated}: {'; '.join(part for part in said if part)}. That is where this starts."
        )
    return known


def _choices(store: Store | None, filters: Filters, known: Measured, drawn: bool) -> Choices:
    names, sentences, models = _tasks(store), _stimuli(store), model_names()
    plan: Mapping[str, Any] = store.plan if store else {}
    own = [m for m in dict.fromkeys(str(m["litellm_name"]) for m in plan.get("models", ())) if m in models]
    flips = _within(known.again if known.flips is None else known.flips, FLIPS)
    again = min(flips, round(CHANCE * flips, 1) if known.again is None else round(known.again, 1))
    accuracy = _within(known.accuracy, ACCURACY)
    n_items = min((int(task["n_items"]) for task in plan.get("tasks", ())), default=100)
    n_repeats = int(plan.get("replicates", 1))
    n_tasks = min(max(len(plan.get("tasks", ())), 1), len(names)) if store else min(6, len(names))
    n_stimuli = min(max(len(store.stimuli), 1), len(sentences)) if store else 3
    n_placebos = sum(arm["role"] == "placebo" for arm in plan.get("arms", ()))
    placebos = max(1, min(20, round(n_placebos / n_stimuli))) if n_placebos else PLACEBOS
    if not drawn:
        over: Over = "cell" if filters.choice("over", list(OVER), "mean") == "cell" else "mean"
        tasks, stimuli = filters.amount("n_tasks", 1, len(names), n_tasks), filters.amount("n_stimuli", 1, len(sentences), n_stimuli)
        flips = filters.amount("flips", 0.1, 100.0, flips)
        return Choices(
            over, filters.amount("per_task", 2, MOST_ITEMS, max(n_items, 2)), filters.amount("repeats", 1, 100, min(n_repeats, 100)),
            filters.amount("effect", 0.1, 50.0, 3.0), flips, filters.amount("again", 0.0, 100.0, min(again, flips)),
            filters.amount("accuracy", 0.0, 100.0, accuracy), tasks, stimuli,
            filters.amount("comparisons", 1, 10_000, stimuli if over == "mean" else stimuli * tasks),
            filters.choice("asked", models, next(iter(own), models[0])) or models[0], filters.amount("per_stimulus", 0, 20, placebos),
            filters.amount("under_way", 1, 1_000, 16),
        )  # fmt: skip
    over = "cell" if filters.switch("Judged over", "over", OVER, "mean", drops=("comparisons",)) == "cell" else "mean"
    one, two, three, four = st.columns(4)
    with one:
        per_task = filters.number("Items a task", "per_task", 2, MOST_ITEMS, max(n_items, 2))
        repeats = filters.number("Times each is asked", "repeats", 1, 100, min(n_repeats, 100))
        tasks = filters.number("Tasks", "n_tasks", 1, len(names), n_tasks, drops=("comparisons",))
    with two:
        effect = filters.number("True effect, points", "effect", 0.1, 50.0, 3.0)
        stimuli = filters.number("Added sentences", "n_stimuli", 1, len(sentences), n_stimuli, drops=("comparisons",))
        placebos = filters.number("Neutral sentences for each", "per_stimulus", 0, 20, placebos)
    with three:
        flips = filters.number("Items that flip, %", "flips", 0.1, 100.0, flips)
        again = filters.number("Flip when asked again, %", "again", 0.0, 100.0, min(again, flips))
        accuracy = filters.number("Baseline scores, %", "accuracy", 0.0, 100.0, accuracy)
    with four:
        family = stimuli if over == "mean" else stimuli * tasks
        comparisons = filters.number("Comparisons in the family", "comparisons", 1, 10_000, family)
        model = filters.pick("Model asked", "asked", models, next(iter(own), models[0]), _model_words())
        under_way = filters.number("Calls under way", "under_way", 1, 1_000, 16)
    return Choices(
        over, per_task, repeats, effect, flips, again, accuracy, tasks, stimuli, comparisons, model, placebos, under_way
    )  # fmt: skip


def _within(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else min(max(round(value, 1), 0.1), 100.0)


def _remarks(chosen: Choices) -> list[str]:
    """What cannot be, and what is done about it."""
    found = []
    if chosen.effect > chosen.flips:
        found.append(f"an effect of {chosen.effect:g} points flips at least {chosen.effect:g} % of the items; so many are taken here.")
    if chosen.effect > 100 - chosen.accuracy:
        found.append(
            f"where the baseline scores {chosen.accuracy:g} %, no sentence can add {chosen.effect:g} points; it can still lose them."
        )
    if chosen.again > chosen.flips:
        found.append(f"no more than all of the {chosen.flips:g} % that flip can be chance; so many are taken here.")
    if not chosen.per_stimulus:
        found.append("without neutral sentences no effect can be put down to what a sentence says.")
    return found


@lru_cache(maxsize=1)
def model_names() -> tuple[str, ...]:
    """The simulated models, then every chat model of the price table with its provider in front."""
    found = dict.fromkeys(f"sim/{name}" for name, sim in sim_models().items() if sim.agreement is None)
    planted = "sim/planted"
    found = {planted: None, **found} if planted in found else found
    for name, entry in sorted(_prices().entries.items()):
        if not isinstance(entry, dict) or entry.get("mode") not in ("chat", "completion", "responses"):
            continue
        provider = str(entry.get("litellm_provider", ""))
        provider = "vertex_ai" if provider.startswith("vertex_ai") else PROVIDERS.get(provider, provider.removeprefix("text-completion-"))
        whole = name if "/" in name else f"{provider}/{name}"
        if _prices().price(Model(whole, whole)) is not None:
            found[whole] = None
    return tuple(found)


@lru_cache(maxsize=1)
def _model_words() -> dict[str, str]:
    return {name: f"{name} (SIMULATED)" for name in model_names() if name.startswith("sim/")}


@lru_cache(maxsize=1)
def _prices() -> PriceTable:
    return PriceTable.load()


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Stimulus]:
    return all_stimuli()


@lru_cache(maxsize=4096)
def _length(text: str, encoding: str) -> int:
    return n_tokens(text, encoding)


def _suite(store: Store | None) -> Suite:
    """The official files where the run is of them and they are here; else promptlab's own items."""
    of = {str(task["suite"]) for task in store.plan["tasks"]} if store else set()
    there = store is not None and of == {"official"} and all(task_here(name, "official") for name in store.tasks)
    return "official" if there else "twin"


def _tasks(store: Store | None) -> list[str]:
    """The run's tasks that come with promptlab, then the others."""
    known = task_names("twin") if _suite(store) == "twin" else [n for n in task_names("official") if task_here(n, "official")]
    return [*(name for name in (store.tasks if store else ()) if name in known), *(n for n in known if not store or n not in store.tasks)]


def _stimuli(store: Store | None) -> list[str]:
    """The run's sentences that come with promptlab, then the others."""
    known = [name for name, stimulus in _shipped().items() if stimulus.role == "stimulus"]
    known.sort(key=lambda name: FIRST.index(name.split("/")[0]) if name.split("/")[0] in FIRST else len(FIRST))
    first = [name for name in (store.stimuli if store else ()) if name in known]
    return [*first, *(name for name in known if name not in first)]


# --- the experiment ---------------------------------------------------------------------------------------------------


def _draft(store: Store | None, chosen: Choices) -> Draft:
    plan: Mapping[str, Any] = store.plan if store else {}
    asked = {key: value for key, value in plan.get("sampling", {}).items() if key in Sampling.model_fields} or dict(SAMPLING)
    return drafted(
        experiment_text(
            chosen, _suite(store), _tasks(store)[: chosen.n_tasks], _stimuli(store)[: chosen.n_stimuli], asked, int(plan.get("seed", 1))
        )
    )


def experiment_text(
    chosen: Choices, suite: str, tasks: Sequence[str], stimuli: Sequence[str], sampling: Mapping[str, Any], seed: int
) -> str:
    """The choices as an experiment file. JSON is YAML, so every name is written as JSON text."""
    controls: dict[str, Any] = {"placebos": "matched", "per_stimulus": chosen.per_stimulus}
    if not chosen.per_stimulus:
        controls = {"placebos": [], "no_placebo_reason": "none were chosen when this was planned"}
    which = "the added sentence" if len(stimuli) == 1 else f"one of {len(stimuli)} added sentences"
    keys: dict[str, Any] = {
        "name": "planned",
        "question": f"Does {which} change the score?",
        "suite": suite,
        "tasks": list(tasks),
        "models": [chosen.model],
        "stimuli": list(stimuli),
        "controls": controls,
        "items": chosen.per_task,
        "replicates": chosen.repeats,
        "sampling": dict(sampling),
        "seed": seed,
    }
    lines = ["# Made on the plan page of promptlab's explorer; nothing in it has been asked yet."]
    for key, value in keys.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {json.dumps(part)}" for part in value)]
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {json.dumps(part)}" for name, part in value.items())]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=KEPT)
def drafted(text: str) -> Draft:
    """The experiment of a text, read as a file is and resolved from what comes with promptlab."""
    try:
        with tempfile.TemporaryDirectory() as folder:  # what reads an experiment reads a file
            path = Path(folder) / FILE
            path.write_text(text, encoding="utf-8")
            experiment, _ = load_experiment(path)
        return Draft(text, _study(experiment, text))
    except FileProblems as error:
        return Draft(text, None, tuple(f"line {p.line}: {p.message}" if p.line else p.message for p in error.problems))


def _study(e: Experiment, text: str) -> Study:
    """As `promptlab.planning.resolve.resolve` makes it, from libraries and tasks that are read once for all choices."""
    known, sims, notes = _shipped(), sim_models(), []
    models = [entry.resolved() for entry in e.models]
    encoding = encoding_name([model.litellm_name for model in models])
    stimuli = [known[name] for name in e.stimuli if isinstance(name, str)]
    neutral = [s for s in known.values() if s.role == "placebo"]
    lengths = {s.id: _length(s.text, encoding) for s in (*neutral, *stimuli)}
    placebos: tuple[Stimulus, ...] = ()
    if e.controls.placebos == "matched":
        placebos = matched_placebos(stimuli, neutral, lengths, e.controls.per_stimulus, e.controls.kinds, e.seed)
    whole = [task for task in (task_here(name, e.suite) for name in e.tasks) if task]
    tasks = [draw(task, e.items, max(e.shots), e.seed) for task in whole]
    for task in tasks:
        if e.items > len(task.items):
            notes.append(f"{task.id} has {len(task.items)} items to ask; {e.items} were asked for, so all of them are used")
    simulated = sim_prices(sims)
    strategies = [strategy_of(entry) for entry in e.strategies]
    arms = cross(stimuli, placebos, settings_of(e.base_prompts, e.resolved_placements(), e.shots, strategies))
    return Study(
        experiment=e, path=Path(FILE), text=text, design=Design(tuple(tasks), arms, tuple(models), e.replicates, e.seed), sims=sims,
        prices={m.name: simulated.get(m.litellm_name) if m.simulated else _prices().price(m) for m in models},
        price_source=_prices().source, n_tokens={s.id: lengths[s.id] for s in (*stimuli, *placebos)}, encoding=encoding,
        notes=tuple(notes), available={task.id: len(task.items) for task in whole},
    )  # fmt: skip


@lru_cache(maxsize=256)
def _estimate(text: str) -> dict[str, Any] | None:
    study = drafted(text).study
    return None if study is None else estimate(study, study.design.models[0].name)


def _commands(chosen: Choices) -> str:
    lines = [f"promptlab plan {FILE}", f"promptlab sweep {FILE}"]
    baseline, psi = chosen.accuracy / 100, chosen.psi
    if 0.02 <= baseline <= 0.98 and 0.001 <= psi <= 0.5 and psi < 2 * baseline * (1 - baseline):
        lines.insert(1, f"promptlab calibrate {FILE} --effect {chosen.effect:g} --baseline {baseline:g} --discordance {psi:g}")
    return "\n".join(lines)


# --- what comes of it -------------------------------------------------------------------------------------------------


def _sentence(chosen: Choices) -> str:
    level = _level(chosen)
    share = seen(
        chosen.per_task, _n_tasks(chosen), chosen.effect / 100, chosen.psi, chosen.again / 100, chosen.repeats, level
    )  # fmt: skip
    n = needed(chosen, level, chosen.repeats)
    where = f"each of {chosen.n_tasks:,} tasks" if chosen.over == "mean" and chosen.n_tasks > 1 else "a task"
    times = "once" if chosen.repeats == 1 else f"{chosen.repeats:,} times"
    enough = f"{n:,} items a task would make it 80 %" if n else f"more than {MOST_ITEMS:,} items a task would be needed for 80 %"
    return (
        f"With {chosen.per_task:,} items in {where}, asked {times}, a true effect of {chosen.effect:g} points is found in "
        f"{_share(share)} of such runs; {enough}."
    )


def _smallest(chosen: Choices, tau: float = 0.0) -> float | None:
    """The smallest effect seen with 80 % power, as a fraction."""
    n_tasks, level = _n_tasks(chosen), _level(chosen)
    if n_tasks == 1 and chosen.repeats == 1:
        return smallest_effect_mcnemar(chosen.per_task, chosen.psi, level)
    return smallest_effect_macro([chosen.per_task] * n_tasks, left(chosen.psi, chosen.again / 100, chosen.repeats), tau, level)


def _short(chosen: Choices, draft: Draft) -> Shown:
    level, n_tasks = _level(chosen), _n_tasks(chosen)
    smallest = _smallest(chosen)
    margin = smallest_margin(
        [chosen.per_task] * n_tasks, left(chosen.psi, chosen.again / 100, chosen.repeats), 0.0, level
    )  # fmt: skip
    n = needed(chosen, level, chosen.repeats)
    share = seen(chosen.per_task, n_tasks, chosen.effect / 100, chosen.psi, chosen.again / 100, chosen.repeats, level)
    rows = [
        (f"runs that find {chosen.effect:g} points", _share(share)),
        ("smallest effect seen", _points(smallest, "none")),
        ("shown to be none within", _points(margin)),
        ("items a task it takes", f"{n:,}" if n else f"more than {MOST_ITEMS:,}"),
        ("strictest level", f"{level:.4g}, of {chosen.comparisons:,} comparisons"),
    ]
    if n_tasks > 2:
        rows.insert(
            2, ("the same for tasks like these", _points(_smallest(chosen, TAU)))
        )  # fmt: skip
    rows += _money(chosen, draft, chosen.per_task, chosen.repeats).items()
    note = (
        "Seen, shown and takes: with 80 % power, against one other arm; the mean of several neutral sentences lets smaller effects be "
        f"seen. Tasks like these: if their effects differ by {100 * TAU:g} points. Calls, price "
        f"and minutes are of as many items as you chose, whether or not the tasks have them.{_simulated(draft)}"
    )
    return Shown("In short", note, pd.DataFrame(rows, columns=["what", "value"]))


def _ways(chosen: Choices, draft: Draft) -> Shown:
    """For each number of repeats the items that the effect takes, and what they cost."""
    rows = []
    for repeats in sorted({*REPEATS, chosen.repeats}):
        n = needed(chosen, _level(chosen), repeats)
        rows.append(
            {
                "times asked": repeats,
                "items a task": f"{n:,}" if n else f"more than {MOST_ITEMS:,}",
                **(_money(chosen, draft, n, repeats) if n else dict.fromkeys(("calls", "price", "minutes"), "")),
            }
        )
    note = (
        f"What finds {chosen.effect:g} points with 80 % power, if {100 * chosen.psi:g} % of items flip. Repeats help as far as flips are "
        f"chance ({min(chosen.again, 100 * chosen.psi):g} % flip when asked again); items divide all flips.{_simulated(draft)}"
    )
    return Shown("Items and repeats", note, pd.DataFrame(rows))


def _money(chosen: Choices, draft: Draft, n_items: int, repeats: int) -> dict[str, str]:
    """Calls, price and minutes of so many items a task; the price of a call is that of the file."""
    made = _estimate(draft.text)
    if draft.study is None or made is None or not made["calls"]:
        return dict.fromkeys(("calls", "price", "minutes"), "unknown")
    design = replace(draft.study.design, replicates=repeats)
    n_calls = n_items * len(design.tasks) * trials_an_item(design)
    share = n_calls / made["calls"]
    low, high = minutes({"estimates": [made]}, chosen.under_way)
    return {
        "calls": f"{n_calls:,}",
        "price": price_words([None if usd is None else usd * share for usd in made["usd"]]),
        "minutes": f"{low * share:,.1f} to {high * share:,.1f}",
    }


def price_words(usd: Sequence[float | None]) -> str:
    """A range of prices; what is unknown is not 0."""
    low, high = usd
    if low is None or high is None:
        return "unknown"
    return f"${low:,.2f} to ${high:,.2f}"


def _simulated(draft: Draft) -> str:
    """That a simulated price is no money."""
    made = _estimate(draft.text)
    return " Prices are simulated: nothing is paid." if made and made["simulated"] else ""


def _curve(chosen: Choices) -> pd.DataFrame:
    """Power in percent by items, for the usual effects and the chosen one; every effect that flips allow."""
    level = _level(chosen)
    n = needed(chosen, level, chosen.repeats) or MOST_ITEMS
    last = min(MOST_ITEMS, max(2 * n, 2 * chosen.per_task, 200))
    first = max(2, min(10, chosen.per_task))
    steps = 22
    every = {round(first * (last / first) ** (step / steps)) for step in range(steps + 1)} | {chosen.per_task}
    effects = sorted({effect for effect in EFFECTS if effect <= 100 * chosen.psi} | {chosen.effect})
    return pd.DataFrame(
        [
            {
                "effect": effect,
                "items": items,
                "power": 100 * seen(items, _n_tasks(chosen), effect / 100, chosen.psi, chosen.again / 100, chosen.repeats, level),
                "asked": effect == chosen.effect,
            }
            for effect in effects
            for items in sorted(every)
        ]
    )


def _cost(study: Study) -> Shown:
    made = _estimate(study.text)
    if made is None:
        return Shown("What the file asks", "", pd.DataFrame())
    n = counts(study)
    price = made["price"]
    rows = [
        ("model", made["model"] + (" (SIMULATED)" if made["simulated"] else "")),
        ("tasks, items in all", f"{n['tasks']:,}, {n['items']:,}"),
        ("arms", f"{n['arms']:,} (the baseline, its repeat, neutral and added sentences)"),
        ("trials", f"{n['trials']:,}"),
        ("calls", f"{made['calls']:,}, fewer where answers are stored"),
        ("input tokens", f"{made['input_tokens'][0]:,} to {made['input_tokens'][1]:,}"),
        ("output tokens", f"{made['output_tokens'][0]:,} to {made['output_tokens'][1]:,}"),
        ("price", price_words(made["usd"]) + (" in simulated prices, nothing paid" if made["simulated"] else "")),
        ("USD per million tokens, in and out", "unknown" if price is None else f"{price[0]:g} and {price[1]:g} ({price[2]})"),
    ]
    return Shown("What the file asks", "As promptlab plan shows it.", pd.DataFrame(rows, columns=["what", "value"]))


@lru_cache(maxsize=256)
def _power(text: str) -> tuple[dict[str, Any], ...]:
    study = drafted(text).study
    return () if study is None else tuple(power(study, 0))


def _seen(study: Study) -> Shown:
    rows = [
        {
            "items that flip": f"{100 * p['discordance']:.0f} %",
            "one task, alone": _points(p["cell_alone"]),
            "one task, among all": _points(p["cell_in_family"]),
            "mean over these tasks": _points(p["mean"]),
            "mean over tasks like these": "needs 3 tasks" if p["mean_like_these"] is None else _points(p["mean_like_these"]),
        }
        for p in _power(study.text)
    ]
    note = "With 80 % power, as promptlab plan shows it: each item asked once. x: none is seen."
    return Shown("The smallest effects that it sees", note, pd.DataFrame(rows))


@lru_cache(maxsize=256)
def _outlook(text: str, psi: float) -> tuple[dict[str, Any], ...]:
    study = drafted(text).study
    if study is None:
        return ()
    return tuple(outlook(replace(study, design=replace(study.design, models=())), psi))  # the price of a call is known already


def _more(study: Study, chosen: Choices) -> Shown:
    made = _estimate(study.text)
    if made is None:
        return Shown("What more items of these tasks buy", "", pd.DataFrame())
    rows = []
    for r in _outlook(study.text, chosen.psi):
        least, most = min(r["n_items"]), max(r["n_items"])
        share = sum(r["n_items"]) / sum(len(task.items) for task in study.design.tasks)
        rows.append(
            {
                "items a task": f"{least:,}" + ("" if least == most else f" to {most:,}"),
                "calls": f"{round(made['calls'] * share):,}",
                "price": price_words([None if usd is None else usd * share for usd in made["usd"]]),
                "seen in a task": _points(r["cell"]),
                "seen in the mean": _points(r["mean"]),
                "shown to be none in a task": _points(r["margin_cell"]),
                "shown to be none in the mean": _points(r["margin_mean"]),
            }
        )
    note = f"As far as the tasks have items, if {100 * chosen.psi:g} % of them flip. Differences in points, seen with 80 % power. x: none."
    if made["simulated"]:
        note += " Prices are simulated: nothing is paid."
    return Shown("What more items of these tasks buy", note, pd.DataFrame(rows))


def _share(value: float) -> str:
    """A share of runs; no design finds an effect always, or never."""
    if 0.001 <= value <= 0.999:
        return f"{100 * value:.1f} %"
    return "more than 99.9 %" if value > 0.5 else "less than 0.1 %"


def _points(value: float | None, otherwise: str = "x") -> str:
    return otherwise if value is None else f"{100 * value:.1f} points"

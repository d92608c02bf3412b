"""What a design can see and what it costs, as tables: those of `promptlab plan`, of the plan page and of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from promptlab.nouns import Counts, Estimate, OutlookRow, Plan, PlannedConfirm, PowerRow, counted, planned_control
from promptlab.planning.draft import AGAINST, Choices, Draft, more_items
from promptlab.planning.plan import TAU
from promptlab.planning.price import counts
from promptlab.planning.size import MOST_ITEMS
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table, table

EFFECTS = (1.0, 2.0, 3.0, 5.0, 10.0)
REPEATS = (1, 2, 3, 5, 10)
MEASURED_TRIALS = 200_000
"""Trials of a run that its flips are measured on: whole blocks of items, from the first on."""
MEASURE = """
WITH s AS (
    SELECT suite, task, item, base_prompt, setting, replicate, arm, role, score FROM trials
    WHERE model = ? AND trials.order < ? AND score IS NOT NULL AND role IN ('baseline', 'aa', 'stimulus')
)
SELECT t.role AS what, count(*) AS n, avg((t.score - b.score) ** 2) AS value
FROM s t JOIN s b USING (suite, task, item, base_prompt, setting, replicate)
WHERE b.role = 'baseline' AND t.role <> 'baseline' GROUP BY t.role
UNION ALL
SELECT 'baseline', count(*), avg(score) FROM s WHERE role = 'baseline' AND base_prompt = coalesce(?, base_prompt)
"""


class Measured(NamedTuple):
    """What a run showed of itself, in percent; None is not known. `again` is how often the baseline's own repeat differs."""

    flips: float | None = None
    again: float | None = None
    accuracy: float | None = None
    n_pairs: int = 0


def measured(run: Store, model: str) -> Measured:
    """What one model of a run shows: flips against the baseline, flips between its two askings, and the baseline's mean score.

    In a run that compares prompts the mean is that of the incumbent.

    For scores between 0 and 1 the mean squared difference, which for right and wrong is the share that flips.
    """
    plan = run.plan
    today = plan.incumbent or (plan.prompts[0].name if plan.prompts else None)
    rows = run.query(MEASURE, [model, MEASURED_TRIALS, today]).set_index("what")
    values = {str(what): 100 * float(value) for what, value in rows["value"].dropna().items()}
    n_pairs = int(rows["n"].get("stimulus", 0))
    return Measured(values.get("stimulus"), values.get("aa"), values.get("baseline"), n_pairs)


def confirm_lines(made: Plan, confirm: PlannedConfirm) -> list[str]:
    """What a plan that screens first does, and what that costs, in a few lines."""
    items, first = sum(confirm.items), sum(map(len, confirm.screening.values()))
    lines = [
        f"Screen and confirm: {counted(first)} choose, {items:,} others confirm what was chosen, and give every figure of the report.",
        f"The rule: of the arms of a question the {confirm.most} with the largest difference continue, without those that the "
        f"{100 * confirm.level:.0f} % interval puts below the best one. All others are not sent on the confirming items.",
        f"Trials: at most {made.counts.trials:,}, expected {confirm.trials_likely:,} "
        f"(where nothing works, {confirm.likely:.1f} arms continue).",
    ]
    for e in made.estimates:
        lines.append(f"{e.model}: USD at most {price_words(e.usd)}, expected {price_words(confirm.usd_likely.get(e.model, (None, None)))}")
    return lines


def against_words(row: PowerRow, incumbent: str = "") -> str:
    """What arms are compared with, and of how many arms it is the mean."""
    return f"{planned_control(row.control, incumbent)} ({row.n_controls})"


def compared_with(plan: Plan) -> str:
    """What whole prompts or models are compared with, by its name; empty where added texts, levels or loops are compared."""
    if plan.loops or plan.factors or any(arm.role == "stimulus" for arm in plan.arms):
        return ""
    if len(plan.prompts) > 1:
        return plan.incumbent or plan.prompts[0].name
    return plan.models[0].name if plan.compare_models else ""


def power_table(rows: Sequence[PowerRow], incumbent: str = "") -> Table:
    """The smallest effects that a design sees: rows of a plan's `power`, against the `incumbent` where there is one."""
    words = [
        [
            against_words(p, incumbent),
            f"{100 * p.discordance:.0f} %",
            *map(_points, (p.cell_alone, p.cell_in_family, p.mean)),
            _points(p.mean_like_these, "needs 3 tasks"),
        ]
        for p in rows
    ]
    note = (
        f"A cell has {counted(rows[0].n_items_cell)} or more; in it at least {counted(rows[0].least_changed, 'answer')} must change, all "
        f"one way, before anything can be concluded. 'Among all' is the strictest level of {rows[0].n_cells} cells a model."
    ) if rows else ""  # fmt: skip
    columns = [
        "against (arms)",
        "answers that change",
        "one cell, alone",
        "one cell, among all",
        "mean over these tasks",
        "mean over tasks like these",
    ]
    return table("Smallest effect seen with 80 % power, in points (x: not even if all wrong answers became right)", note, columns, words)


def outlook_table(rows: Sequence[OutlookRow]) -> Table:
    """What more items of the same tasks buy: rows of a plan's `outlook`."""
    words = [
        [
            " to ".join(map(str, dict.fromkeys((min(r.n_items), max(r.n_items))))), r.calls,
            "unknown" if r.usd[1] is None else f"{r.usd[0]:.2f} to {r.usd[1]:.2f}", _points(r.cell), _points(r.mean),
            _points(r.mean_like_these, "-"), _points(r.margin_cell), _points(r.margin_mean), f"{r.n_hopeless_cells} of {len(r.n_items)}",
        ]
        for r in rows
    ]  # fmt: skip
    columns = [
        "items a task", "calls", "USD", "seen: a task", "seen: the mean", "like these", "same: a task", "same: the mean", "hopeless",
    ]  # fmt: skip
    note = (
        "Seen: the smallest effect with 80 % power ('like these': for tasks like these). Same: the smallest margin that no effect at all "
        "can be shown to keep. Hopeless: tasks in which too few answers change to judge one sentence. New items buy at least "
        "as much as repeats of the same items."
    )
    psi = rows[0].discordance if rows else 0.0
    return table(f"What more items buy, if {100 * psi:.0f} % of answers change; points", note, columns, words)


def in_a_sentence(chosen: Choices) -> str:
    """How often the design finds the effect, and how many items it takes."""
    n = chosen.size.items_needed(chosen.effect / 100)
    where = f"each of {chosen.n_tasks:,} tasks" if chosen.over == "mean" and chosen.n_tasks > 1 else "a task"
    times = "once" if chosen.repeats == 1 else f"{chosen.repeats:,} times"
    enough = f"{counted(n)} a task would make it 80 %" if n else f"more than {MOST_ITEMS:,} items a task would be needed for 80 %"
    return (
        f"With {counted(chosen.per_task)} in {where}, sent {times}, a true effect of {chosen.effect:g} points is found in "
        f"{_share(chosen.size.power(chosen.effect / 100))} of such runs; {enough}."
    )


def short_table(chosen: Choices, draft: Draft) -> Table:
    """Power, smallest effect, items and price of the choices, in one table."""
    size = chosen.size
    n = size.items_needed(chosen.effect / 100)
    family = chosen.comparisons if chosen.over == "mean" else 1
    rows = [
        (f"runs that find {chosen.effect:g} points", _share(size.power(chosen.effect / 100))),
        ("smallest effect seen", _in_points(size.smallest_effect(), "none")),
        ("no effect shown to within", _in_points(size.smallest_margin(0.05 / family))),
        ("items a task needed", f"{n:,}" if n else f"more than {MOST_ITEMS:,}"),
        ("strictest significance level", f"{chosen.level:.4g}, of {counted(chosen.comparisons, 'comparison')}"),
    ]
    if len(size.tasks) > 2:
        rows.insert(2, ("smallest effect seen, tasks like these", _in_points(size.smallest_effect(TAU))))
    rows += _money(chosen, draft, chosen.per_task, chosen.repeats).items()
    note = (
        f"Effects and items: with 80 % power, against {_against(chosen)}. Tasks like these: if their effects differ by "
        f"{100 * TAU:g} points. Calls, price and minutes are of as many items as you chose, whether or not the tasks have them."
        f"{_simulated(draft)}"
    )
    return Table("In short", note, pd.DataFrame(rows, columns=["what", "value"]))


def _against(chosen: Choices) -> str:
    """The control of the choices."""
    per_stimulus = chosen.per_stimulus
    if not chosen.of_sentences:
        return AGAINST[chosen.compared]
    if not per_stimulus:
        return "the mean of the baseline and its repeat"
    return "one neutral sentence" if per_stimulus == 1 else f"the mean of {per_stimulus} neutral sentences"


def ways_table(chosen: Choices, draft: Draft) -> Table:
    """For each number of repeats the items that the effect takes, and what they cost."""
    rows = []
    for repeats in sorted({*REPEATS, chosen.repeats}):
        n = replace(chosen.size, repeats=repeats).items_needed(chosen.effect / 100)
        money = _money(chosen, draft, n, repeats) if n else dict.fromkeys(("calls", "price", "minutes"), "")
        rows.append({"repeats": repeats, "items a task": f"{n:,}" if n else f"more than {MOST_ITEMS:,}", **money})
    flips = 100 * chosen.size.flips(chosen.effect / 100)
    note = (
        f"What finds {chosen.effect:g} points with 80 % power, if {flips:.3g} % of items flip. Repeats help as far as flips are chance "
        f"({chosen.again:g} % flip when sent again); items divide all flips.{_simulated(draft)}"
    )
    return Table("Items and repeats", note, pd.DataFrame(rows))


def curve(chosen: Choices) -> pd.DataFrame:
    """Power (a share) by items a task, for the usual effects and the chosen one; every effect that flips allow."""
    n = chosen.size.items_needed(chosen.effect / 100) or MOST_ITEMS
    last = min(MOST_ITEMS, max(2 * n, 2 * chosen.per_task, 200))
    first = max(2, min(10, chosen.per_task))
    steps = 22
    every = {round(first * (last / first) ** (step / steps)) for step in range(steps + 1)} | {chosen.per_task}
    effects = sorted({effect for effect in EFFECTS if effect <= 100 * chosen.psi} | {chosen.effect})
    sizes = {items: chosen.size.with_items(items) for items in sorted(every)}
    rows = [
        {"effect": effect, "items": items, "power": size.power(effect / 100), "asked": effect == chosen.effect}
        for effect in effects
        for items, size in sizes.items()
    ]
    return pd.DataFrame(rows)


def curve_table(chosen: Choices) -> Table:
    """The same in percent."""
    frame = curve(chosen)
    return Table("Power against items", "In percent; effects in points.", frame.assign(power=100 * frame["power"]).drop(columns="asked"))


def file_tables(chosen: Choices, draft: Draft) -> list[Table]:
    """What the file of the choices asks and costs, the smallest effects that it sees, and what more items buy; none without a file."""
    if draft.study is None or not draft.estimates:
        return []
    return [
        _cost(chosen, draft.estimates, counts(draft.study)),
        power_table(draft.power),
        outlook_table(more_items(draft.text, chosen.psi)),
    ]


def _cost(chosen: Choices, estimates: Sequence[Estimate], n: Counts) -> Table:
    """A column for each model; of one model it is the value."""
    columns = [_cost_of(made, n, of_sentences=chosen.of_sentences) for made in estimates]
    rows = [(what, *(column[i][1] for column in columns)) for i, (what, _) in enumerate(columns[0])]
    names = ["value"] if len(estimates) == 1 else [f"value {i}" for i, _ in enumerate(estimates, 1)]
    return Table("What the file asks", "As promptlab plan shows it.", pd.DataFrame(rows, columns=["what", *names]))


def _cost_of(made: Estimate, n: Counts, *, of_sentences: bool) -> list[tuple[str, str]]:
    price = made.price
    arms = (
        f"{n.arms:,} (the baseline, its repeat, neutral and added sentences)" if of_sentences else "what is compared, and the first again"
    )
    return [
        ("model", made.model + (" (SIMULATED)" if made.simulated else "")),
        ("tasks, items in all", f"{n.tasks:,}, {n.items:,}"),
        ("arms", arms),
        ("trials", f"{n.trials:,}"),
        ("calls", f"{made.calls:,}, fewer where answers are stored"),
        ("input tokens", f"{made.input_tokens[0]:,} to {made.input_tokens[1]:,}"),
        ("output tokens", f"{made.output_tokens[0]:,} to {made.output_tokens[1]:,}"),
        ("price", price_words(made.usd) + (" in simulated prices, nothing paid" if made.simulated else "")),
        ("USD per million tokens, in and out", "unknown" if price is None else f"{price[0]:g} and {price[1]:g} ({price[2]})"),
    ]


def _money(chosen: Choices, draft: Draft, n_items: int, repeats: int) -> dict[str, str]:
    """Calls, price and minutes of so many items a task."""
    found = draft.money(n_items, repeats, chosen.under_way)
    if found is None:
        return dict.fromkeys(("calls", "price", "minutes"), "unknown")
    low, high = found["minutes"]
    return {"calls": f"{found['calls']:,}", "price": price_words(found["usd"]), "minutes": f"{low:,.1f} to {high:,.1f}"}


def price_words(usd: Sequence[float | None]) -> str:
    """A range of prices; what is unknown is not 0."""
    low, high = usd
    return "unknown" if low is None or high is None else f"${low:,.2f} to ${high:,.2f}"


def _simulated(draft: Draft) -> str:
    """That a simulated price is no money."""
    simulated = [made.model for made in draft.estimates if made.simulated]
    return f" The price is that of {' and '.join(simulated)} (SIMULATED): nothing is paid." if simulated else ""


def _share(value: float) -> str:
    """A share of runs; no design finds an effect always, or never."""
    if 0.001 <= value <= 0.999:
        return f"{100 * value:.1f} %"
    return "more than 99.9 %" if value > 0.5 else "less than 0.1 %"


def _points(value: float | None, otherwise: str = "x") -> str:
    return otherwise if value is None else f"{100 * value:.1f}"


def _in_points(value: float | None, otherwise: str = "x") -> str:
    return otherwise if value is None else f"{100 * value:.1f} points"

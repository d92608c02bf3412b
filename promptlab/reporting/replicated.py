"""A paper's table next to a run that is ready for looking: cells, averages, differences, and the papers' protocol, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import BENCHMARKS, NONE_ARM, UsageProblem, counted, grouped
from promptlab.reporting.prepared import Store, records
from promptlab.reporting.replicate import SAME, Cell, Held, Paper, ReplicationReport, TaskMeans, benchmarks_of, beside_paper, stimuli_of
from promptlab.reporting.table import Table
from promptlab.reporting.words import or_unknown, verdict
from promptlab.stats import Place, cluster_mean, interval, points

BY_NAME = "by-name"
"""A model of the run stands for the paper's model of the same name, if there is one."""
AGREEMENTS = {
    "consistent": "consistent: inside the range of a repetition",
    "smaller": "smaller than the paper's",
    "larger": "larger than the paper's",
    "opposite": "opposite: the other direction",
    "not comparable": "not comparable",
}
KINDS = ("the paper; its line is where a repetition would fall", "this run, with its 95 % interval")
CELLS_NOTE = (
    "In points. Average with average: the mean over all sentences minus no added text, of the mean over the tasks. The range is where a "
    "repetition like this one falls with 95 % chance if the paper's figure is the truth. The best columns are chosen on the test items and "
    "are never compared."
)
ABSTRACT_NOTE = (
    "Relative gains in percent, of all models of this run. The abstract takes the best sentence, chosen on the test items, so the same "
    "arithmetic gives more than 0 even where nothing works. The paper's wording can be read as the best of each task or the best of all."
)
DIFFERENCES_NOTE = "Whatever keeps a cell from being compared has to change before this run can speak for or against the paper."
PROTOCOL_NOTE = (
    "In points, of all sentences of this run. The range of a published figure is what the same arithmetic gives on these very answers when "
    "the arms are shuffled inside every item, so that nothing works (5 % to 95 %); that of an honest one is its 95 % interval."
)
CELL_COLUMNS = [
    "cell", "paper: mean gain", "range of a repetition", "here: mean gain", "95 % interval", "agreement", "tasks", "items",
    "paper: no added text, %", "here: no added text, %", "paper: best", "here: best of each task", "here: best single",
]  # fmt: skip
PROTOCOL_COLUMNS = ["figure", "kind", "points", "range", "verdict"]
NEEDED = """suite: official
scorer: reference
tasks: ["*"]
stimuli: ["{paper}/*"]
base_prompts: [human]
items: {n_items}
sampling: {{temperature: 0.7, max_tokens: 64}}"""


class Found(NamedTuple):
    """A run next to a paper: the report, or in one sentence why there is none."""

    report: ReplicationReport | None
    reason: str


class Figure(NamedTuple):
    """One figure about a run, as fractions."""

    figure: str
    kind: str
    value: float
    low: float | None
    high: float | None
    verdict: str

    def drawn(self, words: str) -> dict[str, Any]:
        """A row of `charts.protocol`, in points."""
        low, high = (None if end is None else 100 * end for end in (self.low, self.high))
        return {"figure": self.figure, "kind": self.kind, "points": 100 * self.value, "low": low, "high": high, "words": words}


def beside(store: Store, paper: Paper, model: str, like: str = BY_NAME) -> Found:
    """The run next to a paper, with `model` standing for the paper's model `like`. What a cell needs is aggregated where the trials lie."""
    if not stimuli_of(store.plan, paper):
        return Found(None, "This run has no sentence of the paper.")
    if not benchmarks_of(store.plan):
        return Found(None, "This run has no task of the paper's benchmarks.")
    same_as = {} if like == BY_NAME else {model: like}
    try:
        return Found(beside_paper(store.plan, store.simulated, paper, same_as, _held(store, paper)), "")
    except UsageProblem:
        return Found(None, "Nothing can be set next to the paper yet: no task has two items that every sentence and the baseline answered.")


def _held(store: Store, paper: Paper) -> Held:
    """What `promptlab.reporting.replicate` makes of the trials frame, by query: one row for each task of a setting."""
    plan = store.plan
    arms, tasks = [NONE_ARM, *stimuli_of(plan, paper)], list(benchmarks_of(plan))
    looped = list(plan.looped)
    there = store.query("SELECT DISTINCT base_prompt, arm FROM trials WHERE list_contains(?, arm)", [arms])
    held: dict[tuple[str, Place], list[TaskMeans]] = {}
    for base_prompt in plan.base_prompts:
        present = set(there.loc[there["base_prompt"] == base_prompt, "arm"])
        names = [arm for arm in arms if arm in present]
        if len(names) < 2 or names[0] != NONE_ARM:
            continue
        found = store.query(_task_means(len(names)), [*names, base_prompt, names, looped, tasks])
        rows = {(str(row["model"]), str(row["setting"]), str(row["task"])): row for row in records(found)}
        for setting in dict.fromkeys(key[:2] for key in rows):
            for task in (task for task in tasks if (*setting, task) in rows):
                row = rows[(*setting, task)]
                means = tuple(float(row[f"m{i}"]) for i in range(len(names)))
                sizes = np.asarray(row["sizes"], dtype=int)
                df = cluster_mean(np.zeros(sizes.sum()), np.repeat(np.arange(len(sizes)), sizes)).df_cr2 or 1.0
                diff, se = float(row["diff"]), float(row["se"])
                made = TaskMeans(task, int(sizes.sum()), diff, se, means, float(row["changed"]), df=df, arms=tuple(names[1:]))
                held.setdefault((base_prompt, setting), []).append(made)
    return held


def _task_means(n_arms: int) -> str:
    """A query for the mean of every arm, and of their difference from the first, over the items that all of them have."""
    arms = [f"a{i}" for i in range(n_arms)]
    cell = ", ".join(f"avg(score) FILTER (WHERE arm = ?) AS {name}" for name in arms)
    diff = f"(({' + '.join(arms[1:])}) / {n_arms - 1} - a0)"
    changed = f"(({' + '.join(f'(abs({name} - a0) > {SAME})::INTEGER' for name in arms[1:])}) / {n_arms - 1})"
    means = ", ".join(f"avg({name}) AS m{i}" for i, name in enumerate(arms))
    whole = " AND ".join(f"{name} IS NOT NULL" for name in arms)
    return f"""
        WITH of_items AS (
            SELECT model, setting, task, item, coalesce(any_value(cluster), item) AS unit, {cell} FROM trials
            WHERE base_prompt = ? AND list_contains(?, arm) AND NOT list_contains(?::VARCHAR[], strategy) AND list_contains(?, task)
            GROUP BY model, setting, task, item
        ), whole AS (
            SELECT *, {diff} AS d, {changed} AS moved, count(*) OVER own AS n, avg({diff}) OVER own AS mean
            FROM of_items WHERE {whole} WINDOW own AS (PARTITION BY model, setting, task)
        ), units AS (
            SELECT model, setting, task, unit, count(*) AS size, any_value(n) AS n,
                pow(sum(d - mean), 2) / nullif(1 - count(*) / any_value(n), 0) AS square
            FROM whole GROUP BY model, setting, task, unit
        ), errors AS (
            SELECT model, setting, task, coalesce(sqrt(sum(square)), 0) / any_value(n) AS se, list(size) AS sizes FROM units
            GROUP BY model, setting, task
        )
        SELECT model, setting, task, any_value(sizes) AS sizes, avg(d) AS diff, any_value(se) AS se, avg(moved) AS changed, {means}
        FROM whole JOIN errors USING (model, setting, task) GROUP BY model, setting, task HAVING count(*) > 1
        ORDER BY model, setting, task
    """  # noqa: S608 (column names made here; values are bound)


def cell_table(found: Found, model: str) -> Table:
    """Paper and run side by side, one row for each cell of a model; without cells the note says why."""
    cells = cells_of(found, model)
    rows = [
        (
            cell_name(c, cells), c.gain(c.published_average, "unknown"), c.expected("unknown"), f"{c.our_average:+.1f}",
            f"{c.our_low:+.1f} to {c.our_high:+.1f}", AGREEMENTS[c.verdict], c.n_tasks, c.n_items, or_unknown(c.original, "{:.1f}"),
            f"{c.our_baseline:.1f}", c.gain(c.published_best, "unknown"), f"{c.our_best_per_task:+.1f}",
            or_unknown(c.our_best_single, "{:+.1f}"),
        )
        for c in cells
    ]  # fmt: skip
    note = f"{found.report.source}. {CELLS_NOTE}" if found.report else found.reason
    return Table("Cell by cell", note, pd.DataFrame(rows, columns=CELL_COLUMNS))


def abstract_table(found: Found) -> Table:
    """The figure of the paper's abstract next to what its arithmetic gives in the whole run."""
    rows = [
        (BENCHMARKS[benchmark], f"{theirs:+.2f} %", *("unknown" if our is None else f"{our:+.2f} %" for our in ours))
        for benchmark, theirs, *ours in (found.report.headlines if found.report else ())
    ]
    columns = ["benchmark", "the abstract says", "here, best sentence of each task", "here, best single sentence"]
    return Table("The figure of the abstract", ABSTRACT_NOTE if rows else found.reason, pd.DataFrame(rows, columns=columns))


def difference_table(found: Found, model: str) -> Table:
    """All that differs from the paper, and whether it keeps a cell from being compared."""
    cells = cells_of(found, model)
    where = grouped(((what, what in c.obstacles), cell_name(c, cells)) for c in cells for what in c.deviations)
    rows = [
        ("prevents a comparison" if stops else "differs as well", what, "every cell" if len(names) == len(cells) else "; ".join(names))
        for (what, stops), names in sorted(where.items(), key=lambda entry: not entry[0][1])
    ]
    note = DIFFERENCES_NOTE if rows else found.reason
    return Table("What differs from the paper", note, pd.DataFrame(rows, columns=["effect", "difference", "where"]))


def figures(store: Store, model: str, paper: Paper) -> list[Figure]:
    """What the papers' protocol reports on a model's answers, and this run's own estimates, setting by setting."""
    several = len(store.plan.settings) > 1
    found: list[Figure] = []
    for row in store.report.beside.protocols:
        if row.model != model:
            continue
        p, where = row.protocol, f" [{row.setting.words}]" if several else ""
        best = "best sentence of each task, chosen on its own items", "best single sentence, chosen on the same items"
        for name, value, null in zip(best, (p.best_per_task, p.best_single), (p.null_best_per_task, p.null_best_single), strict=True):
            dice = "within what chance gives" if null[0] <= value <= null[2] else "outside what chance gives"
            found.append(Figure(name + where, "published", value, null[0], null[2], dice))
    for c in store.report.comparisons:
        if c.scope == "primary" and c.model == model and c.diff is not None and (c.library or "").startswith(paper):
            where = f" [{c.setting.words}]" if several else ""
            against = {"none": "no added text", "placebo": "neutral sentences"}.get(c.control, c.control)
            found.append(Figure(f"mean of all of {c.library} against {against}{where}", "honest", c.diff, c.ci_low, c.ci_high, verdict(c)))
    return found


def cell_name(cell: Cell, among: Sequence[Cell]) -> str:
    """A cell as a person reads it: benchmark, base prompt, examples, and what else tells it from the others."""
    parts = [BENCHMARKS[cell.benchmark], f"{cell.base_prompt} prompt", f"{counted(cell.shots, 'example')}"]
    parts += [f"placement {cell.placement}"] if len({c.placement for c in among}) > 1 else []
    return ", ".join(parts + ([cell.strategy] if len({c.strategy for c in among}) > 1 else []))


def in_short(cells: Sequence[Cell], model: str) -> str:
    """The answer to the page's question in one sentence."""
    if not cells:
        return f"No task of {model} has two items that every sentence and the baseline answered."
    compared = [c for c in cells if c.verdict != "not comparable"]
    if not compared:
        return "Nothing can be said yet about whether the paper's figure comes out again: no cell is comparable, for the reasons below."
    counts = {verdict: sum(c.verdict == verdict for c in compared) for verdict in AGREEMENTS}
    words = "; ".join(f"{n} {AGREEMENTS[verdict]}" for verdict, n in counts.items() if n)
    n_left = len(cells) - len(compared)
    rest = f" {n_left} cannot be compared, for the reasons below." if n_left else ""
    return f"Of {len(compared)} cells that can be compared: {words}.{rest}"


def chart_rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The points of the chart: the paper's where it has the cell, and ours."""
    rows: list[dict[str, Any]] = []
    for c in cells:
        name = cell_name(c, cells)
        if c.check is not None:
            value, low, high = (100 * v for v in (c.check.published, c.check.prediction_low, c.check.prediction_high))
            words = f"paper {value:+.1f} ({low:+.1f} to {high:+.1f})"
            rows.append({"row": name, "kind": KINDS[0], "value": value, "low": low, "high": high, "words": words})
        words = f"here {c.our_average:+.1f} ({c.our_low:+.1f} to {c.our_high:+.1f}), {counted(c.n_tasks, 'task')}: {c.verdict}"
        rows.append({"row": name, "kind": KINDS[1], "value": c.our_average, "low": c.our_low, "high": c.our_high, "words": words})
    return rows


def protocol_table(found: Sequence[Figure]) -> Table:
    """The papers' protocol and the honest figure, one row each."""
    rows = [(f.figure, f.kind, points(f.value), interval(f.low, f.high), f.verdict) for f in found]
    note = PROTOCOL_NOTE if rows else "This run has too little for it: at least two sentences, and items that all arms answered."
    return Table("The papers' protocol next to the honest figure", note, pd.DataFrame(rows, columns=PROTOCOL_COLUMNS))


def cells_of(found: Found, model: str) -> list[Cell]:
    """The cells of one model."""
    return [c for c in found.report.cells if c.model == model] if found.report else []

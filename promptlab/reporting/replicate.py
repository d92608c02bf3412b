"""A run beside the tables of the paper whose stimuli it used: cell by cell, average with average, with all that differs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import NONE_ARM, PACKAGE, InSetting, Plan, Setting, UsageProblem, did_you_mean
from promptlab.record.store import Run
from promptlab.sources.tasks import entries
from promptlab.stats import Place, Replication, averaged, published_headline, replication_check

Paper = Literal["emotionprompt", "negativeprompt"]
PAPERS: tuple[Paper, ...] = ("emotionprompt", "negativeprompt")
N_TASKS = {"instruction_induction": 24, "bigbench": 21}
N_ITEMS = 100
AVERAGE = "Average"
Z = 1.959964
SAME = 1e-9
"""Means of one item that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Cell(InSetting):
    """One model in one setting of the paper, and ours where the run has it. All but `check` in points."""

    model: str
    paper_model: str | None
    benchmark: str
    base_prompt: str
    original: float | None
    published_average: float | None
    published_best: float | None
    n_tasks: int
    n_items: int
    our_baseline: float
    our_average: float
    our_low: float
    our_high: float
    our_best_per_task: float
    check: Replication | None
    verdict: Literal["consistent", "smaller", "larger", "opposite", "not comparable"]
    deviations: tuple[str, ...]
    """All that differs from the paper, the obstacles first."""
    obstacles: tuple[str, ...]
    """Those of the deviations for which the cell is not compared."""
    setting: Setting


@dataclass(frozen=True, slots=True)
class ReplicationReport:
    """All cells of a run, and the paper's own figure recomputed beside what the same arithmetic gives here."""

    paper: str
    source: str
    simulated: bool
    cells: tuple[Cell, ...]
    headlines: tuple[tuple[str, float, float | None], ...]
    """Benchmark, the paper's headline in percent, and ours by the same arithmetic (None without a cell)."""


class TaskMeans(NamedTuple):
    """What one task gives under one setting and base prompt, over the items that the baseline and every stimulus have; fractions."""

    task: str
    n_items: int
    diff: float
    """Mean over items of the mean of all stimuli minus the baseline."""
    sd: float
    """Standard deviation of that difference between items."""
    means: tuple[float, ...]
    """Mean score of each arm, the baseline first."""
    changed: float
    """Share of items by stimuli whose score is not the baseline's."""


Held = Mapping[tuple[str, Place], Sequence[TaskMeans]]
"""The tasks of every base prompt, model and setting."""


@dataclass(frozen=True, slots=True)
class _Here:
    """What a cell of the run holds."""

    paper: Paper
    model: str
    setting: Setting
    benchmark: str
    base_prompt: str
    found: Sequence[TaskMeans]
    n_stimuli: int


@cache
def published() -> tuple[Mapping[str, str], ...]:
    """Table 1 of both papers: facts, with their source in every row."""
    with (PACKAGE / "data" / "published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def headline(paper: Paper, benchmark: str) -> float:
    """The percentage in the paper's abstract, from the 'Average' column of its Table 1."""
    rows = [r for r in published() if r["paper"] == paper and r["benchmark"] == benchmark and r["model"] == AVERAGE]
    settings = list(dict.fromkeys((r["shots"], r["base_prompt"]) for r in rows))
    values = {(r["shots"], r["base_prompt"], r["condition"]): float(r["value"]) for r in rows}
    columns = [[values[(*s, name)] for s in settings] for name in ("original", "average", "best")]
    return published_headline([" ".join(s) for s in settings], *columns).headline_percent


def models_of(paper: Paper) -> list[str]:
    """The models of a paper's Table 1, in alphabetical order."""
    return sorted({r["model"] for r in published() if r["paper"] == paper} - {AVERAGE})


def stimuli_of(plan: Plan, paper: Paper) -> list[str]:
    """The arms of a plan whose sentences are the paper's."""
    return [arm.name for arm in plan.arms if arm.role == "stimulus" and (arm.library or "").startswith(paper)]


def benchmarks_of(plan: Plan) -> dict[str, str]:
    """The tasks of a plan that belong to the papers' benchmarks, and to which."""
    return {task.name: entries()[task.name].benchmark for task in plan.tasks if task.name in entries() and task.suite != "own"}


def replicate(run: Run, paper: Paper, same_as: Mapping[str, str]) -> ReplicationReport:
    """Compare a run with a paper. `same_as` says which of the paper's models a model of the run is, where the name does not."""
    plan = run.plan
    check_names(plan, paper, same_as)
    return beside_paper(plan, run.manifest.simulated, paper, same_as, _held(plan, run.trials(), paper))


def check_names(plan: Plan, paper: Paper, same_as: Mapping[str, str]) -> None:
    """UsageProblem where the plan has no stimulus of the paper, or `same_as` names a model that run or paper do not have."""
    if not stimuli_of(plan, paper):
        raise UsageProblem(f"the run has no stimulus of {paper!r}; its arms are {', '.join(arm.name for arm in plan.arms)}")
    known = models_of(paper)
    for name, meant in same_as.items():
        if name not in plan.model_of:
            raise UsageProblem(f"the run has no model {name!r}; {did_you_mean(name, list(plan.model_of))}")
        if meant not in known:
            raise UsageProblem(f"{paper} has no model {meant!r}; {did_you_mean(meant, known)}")


def _held(plan: Plan, trials: pd.DataFrame, paper: Paper) -> Held:
    stimuli, benchmarks, looped = stimuli_of(plan, paper), benchmarks_of(plan), plan.looped
    held: dict[tuple[str, Place], list[TaskMeans]] = {}
    for base_prompt in plan.base_prompts:
        own = trials[(trials["base_prompt"] == base_prompt) & trials["arm"].isin([NONE_ARM, *stimuli])]
        for place, task, _, (arms,), means, _, _ in averaged(own, ["arm"]):
            if plan.setting_of[place[1]].strategy in looped or task not in benchmarks or NONE_ARM not in arms:
                continue
            columns = [list(arms).index(name) for name in (NONE_ARM, *stimuli) if name in arms]
            whole = means[:, columns][np.isfinite(means[:, columns]).all(axis=1)]
            if len(columns) > 1 and len(whole) > 1:
                held.setdefault((base_prompt, place), []).append(_condensed(task, whole))
    return held


def _condensed(task: str, table: np.ndarray) -> TaskMeans:
    """Items by arms, the baseline first, as what a cell needs of them."""
    d = table[:, 1:].mean(axis=1) - table[:, 0]
    changed = float((np.abs(table[:, 1:] - table[:, :1]) > SAME).mean())
    return TaskMeans(task, len(table), float(d.mean()), float(d.std(ddof=1)), tuple(float(m) for m in table.mean(axis=0)), changed)


def beside_paper(plan: Plan, simulated: bool, paper: Paper, same_as: Mapping[str, str], held: Held) -> ReplicationReport:
    """A run's tasks beside the paper's table; UsageProblem where none of them can stand there. `replicate` makes `held` from trials."""
    check_names(plan, paper, same_as)
    known, n_stimuli = models_of(paper), len(stimuli_of(plan, paper))
    benchmarks = benchmarks_of(plan)
    cells: list[Cell] = []
    for (base_prompt, (model, setting)), rows in held.items():
        for benchmark in dict.fromkeys(benchmarks[row.task] for row in rows):
            found = [row for row in rows if benchmarks[row.task] == benchmark]
            here = _Here(
                paper=paper, model=model, setting=plan.setting_of[setting], benchmark=benchmark, base_prompt=base_prompt, found=found,
                n_stimuli=n_stimuli,
            )  # fmt: skip
            cells.append(_cell(plan, here, same_as.get(model, model if model in known else None)))
    if not cells:
        raise UsageProblem("the run has no scores of the baseline and a stimulus on a task of the paper's benchmarks")
    heads = []
    for benchmark in dict.fromkeys(c.benchmark for c in cells):
        mine = [c for c in cells if c.benchmark == benchmark]
        positive = [c for c in mine if c.our_baseline > 0]
        ours = (
            published_headline(
                [c.base_prompt for c in positive], [c.our_baseline for c in positive], [c.our_baseline + c.our_average for c in positive],
                [c.our_baseline + c.our_best_per_task for c in positive],
            ).headline_percent
            if positive
            else None
        )  # fmt: skip
        heads.append((benchmark, headline(paper, benchmark), ours))
    source = next(r["source"] for r in published() if r["paper"] == paper)
    return ReplicationReport(paper, source, simulated, tuple(cells), tuple(heads))


def _cell(plan: Plan, here: _Here, paper_model: str | None) -> Cell:
    paper, benchmark, base_prompt, found = here.paper, here.benchmark, here.base_prompt, here.found
    widths = [1 / (1 - (plan.task_of[row.task].low or 0.0)) if benchmark == "bigbench" else 1.0 for row in found]
    lows = [(plan.task_of[row.task].low or 0.0) if benchmark == "bigbench" else 0.0 for row in found]
    effects = np.array([w * row.diff for w, row in zip(widths, found, strict=True)])
    ses = np.array([w * row.sd / np.sqrt(row.n_items) for w, row in zip(widths, found, strict=True)])
    gains = [w * (max(row.means[1:]) - row.means[0]) for w, row in zip(widths, found, strict=True)]
    base = [w * (row.means[0] - low) for w, low, row in zip(widths, lows, found, strict=True)]
    changed = float(np.mean([row.changed for row in found]))
    facts = {
        r["condition"]: float(r["value"])
        for r in published()
        if r["paper"] == paper and r["benchmark"] == benchmark and r["base_prompt"] == base_prompt and int(r["shots"]) == here.setting.shots
        and r["model"] == paper_model
    }  # fmt: skip
    check = None
    estimate, se = float(effects.mean()), float(np.sqrt((ses**2).sum())) / len(found)
    if facts:
        check = replication_check(
            published=(facts["average"] - facts["original"]) / 100, ours=estimate, se_ours=se,
            baseline=facts["original"] / 100 if benchmark == "instruction_induction" else 0.5, discordance=changed,
            n_tasks=N_TASKS[benchmark], n_items=N_ITEMS, scale=float(np.mean(widths)),
        )  # fmt: skip
    stop, others = _deviations(plan, here, paper_model, bool(facts))
    return Cell(
        model=here.model,
        paper_model=paper_model,
        benchmark=benchmark,
        base_prompt=base_prompt,
        original=facts.get("original"),
        published_average=facts.get("average"),
        published_best=facts.get("best"),
        n_tasks=len(found),
        n_items=sum(row.n_items for row in found),
        our_baseline=100 * float(np.mean(base)),
        our_average=100 * estimate,
        our_low=100 * (estimate - Z * se),
        our_high=100 * (estimate + Z * se),
        our_best_per_task=100 * float(np.mean(gains)),
        check=check,
        verdict="not comparable" if stop or check is None else check.agreement,
        deviations=(*stop, *others),
        obstacles=tuple(stop),
        setting=here.setting,
    )


def _deviations(plan: Plan, here: _Here, paper_model: str | None, has_facts: bool) -> tuple[list[str], list[str]]:
    """What makes the cells not comparable, and what else differs."""
    model, setting = here.model, here.setting
    paper, benchmark, base_prompt, found, n_stimuli = here.paper, here.benchmark, here.base_prompt, here.found, here.n_stimuli
    stop, others = [], []
    if paper_model is None:
        stop.append(f"{model} is no model of the paper (say which one it is with --same-as)")
    elif not has_facts:
        stop.append(f"the paper has no cell for {setting.shots} examples and the base prompt {base_prompt!r} in this benchmark")
    if plan.model_of[model].simulated:
        stop.append("the model is simulated")
    suites = {plan.task_of[row.task].suite for row in found}
    if suites != {"official"}:
        stop.append(f"other items: suite {', '.join(sorted(suites))}, the paper used the official ones")
    if plan.scorer == "strict":
        stop.append("another scorer: strict, the papers used their benchmarks' own (reference) or, in code, a lenient one (negativeprompt)")
    if len(found) != N_TASKS[benchmark]:
        stop.append(f"{len(found)} of the paper's {N_TASKS[benchmark]} tasks")
    n_items = [row.n_items for row in found]
    if set(n_items) != {N_ITEMS}:
        others.append(f"{_range(n_items)} items a task, the paper's code drew {N_ITEMS} without a seed, anew for each stimulus")
    else:
        others.append("items are drawn once and shared by all arms; the paper's code drew them anew for each stimulus")
    wanted = 11 if paper == "emotionprompt" else 10
    if n_stimuli != wanted:
        stop.append(f"{n_stimuli} of the paper's {wanted} stimuli")
    if setting.placement not in ("paper", "negativeprompt-code"):
        others.append(f"placement {setting.placement}")
    if setting.strategy != "single":
        others.append(f"strategy {setting.strategy}")
    temperature = plan.sampling.get("temperature")
    if temperature != 0.7:
        others.append(f"temperature {'of the provider' if temperature is None else temperature}, the papers name 0.7 where they name one")
    if plan.defects != "keep":
        others.append(f"known defects of the items: {plan.defects}")
    others.append("the papers give neither seeds nor model snapshots nor item-level results")
    return stop, others


def _range(values: Sequence[int]) -> str:
    return str(min(values)) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"

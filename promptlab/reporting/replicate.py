"""A run next to the tables of the paper whose stimuli it used: cell by cell, average with average, with all that differs."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import NONE_ARM, PACKAGE, InSetting, Plan, Setting, UsageProblem, did_you_mean, filled
from promptlab.record.store import Run
from promptlab.sources.tasks import entries
from promptlab.stats import Place, Replication, error_of_task, item_tables, published_headline, replication_check

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

    def gain(self, value: float | None, otherwise: str) -> str:
        """A figure of the paper as its gain over the paper's baseline."""
        return otherwise if value is None or self.original is None else f"{value - self.original:+.1f}"

    def expected(self, otherwise: str) -> str:
        """Where a repetition of the paper's figure falls."""
        return f"{100 * self.check.prediction_low:+.1f} to {100 * self.check.prediction_high:+.1f}" if self.check else otherwise


@dataclass(frozen=True, slots=True)
class ReplicationReport:
    """All cells of a run, and the paper's own figure recomputed next to what the same arithmetic gives here."""

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
    se: float
    """Standard error of that difference, robust where items come in clusters."""
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
    held: dict[tuple[str, Place], list[TaskMeans]] = defaultdict(list)
    for base_prompt in plan.base_prompts:
        own = trials[(trials["base_prompt"] == base_prompt) & trials["arm"].isin([NONE_ARM, *stimuli])]
        for place, task, table in ((place, task, table) for place, of in item_tables(own).items() for task, table in of.items()):
            if plan.setting_of[place[1]].strategy in looped or task not in benchmarks or NONE_ARM not in table.arms:
                continue
            present = [name for name in stimuli if name in table.arms]
            here = np.isfinite(table.mean([NONE_ARM, *present]))
            whole = table.scores[here][:, [table.arms[name] for name in (NONE_ARM, *present)]]
            if present and len(whole) > 1:
                found = table.pairs(table.mean([NONE_ARM, *present]) * 0 + table.mean(present), table.mean([NONE_ARM]))
                changed, arm_means = float((np.abs(whole[:, 1:] - whole[:, :1]) > SAME).mean()), tuple(map(float, whole.mean(axis=0)))
                made = TaskMeans(task, len(whole), float(found.d.mean()), error_of_task(found), arm_means, changed)
                held[base_prompt, place].append(made)
    return held


def beside_paper(plan: Plan, simulated: bool, paper: Paper, same_as: Mapping[str, str], held: Held) -> ReplicationReport:
    """A run's tasks next to the paper's table; UsageProblem where it has none of them. `replicate` makes `held` from trials."""
    check_names(plan, paper, same_as)
    known, benchmarks = models_of(paper), benchmarks_of(plan)
    cells: list[Cell] = []
    for (base_prompt, (model, setting)), rows in held.items():
        for benchmark in dict.fromkeys(benchmarks[row.task] for row in rows):
            found = [row for row in rows if benchmarks[row.task] == benchmark]
            here = _Here(
                paper=paper, model=model, setting=plan.setting_of[setting], benchmark=benchmark, base_prompt=base_prompt, found=found
            )
            cells.append(_cell(plan, here, same_as.get(model, model if model in known else None)))
    if not cells:
        raise UsageProblem("the run has no scores of the baseline and a stimulus on a task of the paper's benchmarks")
    heads = []
    for benchmark in dict.fromkeys(c.benchmark for c in cells):
        positive = [c for c in cells if c.benchmark == benchmark and c.our_baseline > 0]
        ours = None
        if positive:
            base, average, best = np.array([(c.our_baseline, c.our_average, c.our_best_per_task) for c in positive]).T
            ours = published_headline([c.base_prompt for c in positive], base, base + average, base + best).headline_percent
        heads.append((benchmark, headline(paper, benchmark), ours))
    source = next(r["source"] for r in published() if r["paper"] == paper)
    return ReplicationReport(paper, source, simulated, tuple(cells), tuple(heads))


def _cell(plan: Plan, here: _Here, paper_model: str | None) -> Cell:
    paper, benchmark, base_prompt, found = here.paper, here.benchmark, here.base_prompt, here.found
    lows = [(plan.task_of[row.task].low or 0.0) if benchmark == "bigbench" else 0.0 for row in found]
    widths = 1 / (1 - np.array(lows))
    effects = widths * [row.diff for row in found]
    ses = widths * [row.se for row in found]
    gains = widths * [max(row.means[1:]) - row.means[0] for row in found]
    base = widths * [row.means[0] - low for low, row in zip(lows, found, strict=True)]
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
    return filled(
        Cell,
        here,
        paper_model=paper_model,
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
    )


def _deviations(plan: Plan, here: _Here, paper_model: str | None, has_facts: bool) -> Iterator[list[str]]:
    """What makes the cells not comparable, and what else differs."""
    model, setting = here.model, here.setting
    paper, benchmark, base_prompt, found = here.paper, here.benchmark, here.base_prompt, here.found
    n_stimuli = len(stimuli_of(plan, paper))
    suites = {plan.task_of[row.task].suite for row in found}
    n_items, wanted = sorted({row.n_items for row in found}), 11 if paper == "emotionprompt" else 10
    temperature = plan.sampling.get("temperature")
    stop = {
        f"{model} is no model of the paper (say which one it is with --same-as)": paper_model is None,
        f"the paper has no cell for {setting.shots} examples and the base prompt {base_prompt!r} in this benchmark":
            paper_model is not None and not has_facts,
        "the model is simulated": plan.model_of[model].simulated,
        f"other items: suite {', '.join(sorted(suites))}, the paper used the official ones": suites != {"official"},
        "another scorer: strict, the papers used their benchmarks' own (reference) or, in code, a lenient one (negativeprompt)":
            plan.scorer == "strict",
        f"{len(found)} of the paper's {N_TASKS[benchmark]} tasks": len(found) != N_TASKS[benchmark],
        f"{n_stimuli} of the paper's {wanted} stimuli": n_stimuli != wanted,
    }  # fmt: skip
    n_words = " to ".join(map(str, dict.fromkeys((n_items[0], n_items[-1]))))
    others = {
        f"{n_words} items a task, the paper's code drew {N_ITEMS} without a seed, again for each stimulus": n_items != [N_ITEMS],
        "items are drawn once and shared by all arms; the paper's code drew them again for each stimulus": n_items == [N_ITEMS],
        f"placement {setting.placement}": setting.placement not in ("paper", "negativeprompt-code"),
        f"strategy {setting.strategy}": setting.strategy != "single",
        f"temperature {'of the provider' if temperature is None else temperature}, the papers name 0.7 where they name one":
            temperature != 0.7,
        f"known defects of the items: {plan.defects}": plan.defects != "keep",
        "the papers give neither seeds nor model snapshots nor item-level results": True,
    }  # fmt: skip
    return ([what for what, differs in found.items() if differs] for found in (stop, others))

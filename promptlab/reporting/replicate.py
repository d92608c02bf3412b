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

from promptlab.nouns import NONE_ARM, PACKAGE, InSetting, Plan, Setting, UsageProblem, counted, did_you_mean, filled
from promptlab.record.store import Run
from promptlab.reporting.checked import LISTS, checked
from promptlab.sources.tasks import entries
from promptlab.stats import Place, Replication, error_of_task, item_tables, normal_error, published_headline, replication_check

Paper = Literal["emotionprompt", "negativeprompt"]
PAPERS: tuple[Paper, ...] = ("emotionprompt", "negativeprompt")
N_TASKS = {"instruction_induction": 24, "bigbench": 21}
N_ITEMS = 100
FEWER_ITEMS = {"cause_and_effect": 25, "common_concept": 16, "informal_to_formal": 15}
"""Tasks of which the papers' test files hold fewer than `N_ITEMS`."""
AVERAGE = "Average"
KEYS = {"EmotionPrompt 2307.11760v7": "emotionprompt", "NegativePrompt 2405.02814v2": "negativeprompt"}
CITED = {
    "emotionprompt": "Li et al. 2023, arXiv 2307.11760v7",
    "negativeprompt": "Wang et al. 2024, arXiv 2405.02814v2",
}
CONDITIONS = {"Original": "original", "+Zero-shot-CoT": "chain_of_thought", "+Ours (avg)": "average", "+Ours (max)": "best"}
"""The rows of Table 1, and what they are called here."""
COT_ARM = "chain_of_thought/CT01"
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
    published_cot: float | None
    published_average: float | None
    published_best: float | None
    n_tasks: int
    n_items: int
    our_baseline: float
    our_average: float
    our_low: float
    our_high: float
    our_best_per_task: float
    our_best_single: float | None
    """Gain of the one sentence that is best over the tasks; None where tasks have other sentences."""
    our_cot: float | None
    """Gain of "Let's think step by step", where the run has it."""
    run: str
    check: Replication | None
    verdict: Literal["consistent", "smaller", "larger", "opposite", "not comparable"]
    deviations: tuple[str, ...]
    """All that differs from the paper, the obstacles first."""
    obstacles: tuple[str, ...]
    """Those of the deviations for which the cell is not compared."""
    setting: Setting

    @property
    def beside(self) -> str:
        """What of the paper it is compared with: one of its models, or the average over them."""
        return self.paper_model or AVERAGE

    def gain(self, value: float | None, otherwise: str) -> str:
        """A figure of the paper as its gain over the paper's baseline."""
        return otherwise if value is None or self.original is None else f"{value - self.original:+.1f}"

    @property
    def side_by_side(self) -> list[tuple[str, float | None, float | None]]:
        """Every row of Table 1 in points: what it is, the paper's figure, and ours; both readings of the paper's best."""
        cot = None if self.our_cot is None else self.our_baseline + self.our_cot
        single = None if self.our_best_single is None else self.our_baseline + self.our_best_single
        return [
            ("no added text", self.original, self.our_baseline),
            ("zero-shot chain of thought", self.published_cot, cot),
            ("all sentences, average", self.published_average, self.our_baseline + self.our_average),
            ("best sentence of each task", self.published_best, self.our_baseline + self.our_best_per_task),
            ("best single sentence", self.published_best, single),
        ]

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
    headlines: tuple[tuple[str, float, float | None, float | None], ...]
    """Benchmark, the paper's headline in percent, and ours by the same arithmetic (None without a cell): with the best sentence of each
    task, and with the best single sentence.
    """


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
    df: float
    """Degrees of freedom of `se`: few where items come in few clusters."""
    arms: tuple[str, ...] = ()
    """The sentences, in the order of `means`."""
    cot: float | None = None
    """Mean gain of zero-shot chain of thought on these items, where the run has it."""


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
    run: str


@cache
def figures() -> tuple[Mapping[str, str], ...]:
    """Every published figure that promptlab knows, with its table and source: facts, as printed, digitised or second-hand."""
    with (PACKAGE / "data" / "published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def published() -> tuple[Mapping[str, str], ...]:
    """Table 1 of both papers by paper, benchmark, shots, base prompt, model and condition (see `CONDITIONS`)."""
    return tuple(
        {
            "paper": (paper := KEYS[row["paper"]]),
            "benchmark": "instruction_induction" if row["suite_or_task"].startswith("instruction") else "bigbench",
            "shots": "5" if row["setting"].startswith("few-shot") else "0",
            "base_prompt": "ape" if "APE" in row["setting"] else "human",
            "model": row["model"],
            "condition": CONDITIONS[row["condition"]],
            "value": row["value"],
            "source": f"{CITED[paper]}, Table 1",
        }
        for row in figures()
        if row["table"] == "Table 1" and row["paper"] in KEYS
    )


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


def replicate(runs: Run | Sequence[Run], paper: Paper, same_as: Mapping[str, str]) -> ReplicationReport:
    """Compare one or several runs with a paper. `same_as` says which of the paper's models a model of a run is, where the name does not.

    A model that is none of the paper's is shown next to the paper's average over its models, and is not compared unless `same_as` says so.
    """
    every = [runs] if isinstance(runs, Run) else runs
    for name in same_as:
        if not any(name in run.plan.model_of for run in every):
            raise UsageProblem(f"the run has no model {name!r}; {did_you_mean(name, [m for run in every for m in run.plan.model_of])}")
    found = []
    for run in every:
        checked(run, remedy=LISTS)
        own = {name: meant for name, meant in same_as.items() if name in run.plan.model_of}
        check_names(run.plan, paper, own)
        found.append(beside_paper(run.plan, run.manifest.simulated, paper, own, _held(run.plan, run.trials(), paper)))
    cells = tuple(cell for one in found for cell in one.cells)
    simulated = any(one.simulated for one in found)
    return ReplicationReport(paper, found[0].source, simulated, cells, tuple(_headlines(paper, cells)))


def check_names(plan: Plan, paper: Paper, same_as: Mapping[str, str]) -> None:
    """UsageProblem where the plan has no stimulus of the paper, or `same_as` names a model that run or paper do not have."""
    if not stimuli_of(plan, paper):
        arms = ", ".join(arm.name for arm in plan.arms)
        raise UsageProblem(
            f"the run {plan.run} has no stimulus of {paper!r}; its arms are {arms}; `promptlab sweep {paper}_table1` makes one that has"
        )
    known = [*models_of(paper), AVERAGE]
    for name, meant in same_as.items():
        if name not in plan.model_of:
            raise UsageProblem(f"the run has no model {name!r}; {did_you_mean(name, list(plan.model_of))}")
        if meant not in known:
            raise UsageProblem(f"{paper} has no model {meant!r}; {did_you_mean(meant, known)}")


def _held(plan: Plan, trials: pd.DataFrame, paper: Paper) -> Held:
    stimuli, benchmarks, looped = stimuli_of(plan, paper), benchmarks_of(plan), plan.looped
    held: dict[tuple[str, Place], list[TaskMeans]] = defaultdict(list)
    for base_prompt in plan.base_prompts:
        own = trials[(trials["base_prompt"] == base_prompt) & trials["arm"].isin([NONE_ARM, COT_ARM, *stimuli])]
        for place, task, table in ((place, task, table) for place, of in item_tables(own).items() for task, table in of.items()):
            if plan.setting_of[place[1]].strategy in looped or task not in benchmarks or NONE_ARM not in table.arms:
                continue
            present = [name for name in stimuli if name in table.arms]
            here = np.isfinite(table.mean([NONE_ARM, *present]))
            whole = table.scores[here][:, [table.arms[name] for name in (NONE_ARM, *present)]]
            if present and len(whole) > 1:
                found = table.pairs(table.mean([NONE_ARM, *present]) * 0 + table.mean(present), table.mean([NONE_ARM]))
                changed, arm_means = float((np.abs(whole[:, 1:] - whole[:, :1]) > SAME).mean()), tuple(map(float, whole.mean(axis=0)))
                cot = None
                if COT_ARM in table.arms:
                    gain = table.scores[here][:, table.arms[COT_ARM]] - whole[:, 0]
                    cot = float(np.nanmean(gain)) if np.isfinite(gain).any() else None
                se, df = error_of_task(found)
                made = TaskMeans(task, len(whole), float(found.d.mean()), se, arm_means, changed, df=df, arms=tuple(present), cot=cot)
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
                paper=paper, model=model, setting=plan.setting_of[setting], benchmark=benchmark, base_prompt=base_prompt, found=found,
                run=plan.run,
            )  # fmt: skip
            cells.append(_cell(plan, here, same_as.get(model, model if model in known else None)))
    if not cells:
        raise UsageProblem("the run has no scores of the baseline and a stimulus on a task of the paper's benchmarks")
    source = next(r["source"] for r in published() if r["paper"] == paper)
    return ReplicationReport(paper, source, simulated, tuple(cells), tuple(_headlines(paper, cells)))


def _headlines(paper: Paper, cells: Sequence[Cell]) -> Iterator[tuple[str, float, float | None, float | None]]:
    for benchmark in dict.fromkeys(c.benchmark for c in cells):
        positive = [c for c in cells if c.benchmark == benchmark and c.our_baseline > 0]
        names, base = [c.base_prompt for c in positive], np.array([c.our_baseline for c in positive])
        average = base + [c.our_average for c in positive]
        ours = [
            published_headline(names, base, average, base + [gain or 0.0 for gain in gains]).headline_percent
            if positive and None not in gains
            else None
            for gains in ([c.our_best_per_task for c in positive], [c.our_best_single for c in positive])
        ]
        yield benchmark, headline(paper, benchmark), ours[0], ours[1]


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
        and r["model"] == (paper_model or AVERAGE)
    }  # fmt: skip
    several = {row.arms for row in found}
    by_sentence = (
        np.mean([[w * (m - row.means[0]) for m in row.means[1:]] for w, row in zip(widths, found, strict=True)], axis=0)
        if (len(several) == 1)
        else None
    )
    cots = [w * row.cot for w, row in zip(widths, found, strict=True) if row.cot is not None]
    check = None
    estimate, se = float(effects.mean()), normal_error(ses, [row.df for row in found])
    if facts:
        check = replication_check(
            published=(facts["average"] - facts["original"]) / 100, ours=estimate, se_ours=se,
            baseline=facts["original"] / 100 if benchmark == "instruction_induction" else 0.5, discordance=changed,
            n_tasks=N_TASKS[benchmark], n_items=_items_a_task(benchmark), scale=float(np.mean(widths)),
        )  # fmt: skip
    stop, others = _deviations(plan, here, paper_model, bool(facts))
    return filled(
        Cell,
        here,
        paper_model=paper_model,
        original=facts.get("original"),
        published_cot=facts.get("chain_of_thought"),
        published_average=facts.get("average"),
        published_best=facts.get("best"),
        n_tasks=len(found),
        n_items=sum(row.n_items for row in found),
        our_baseline=100 * float(np.mean(base)),
        our_average=100 * estimate,
        our_low=100 * (estimate - Z * se),
        our_high=100 * (estimate + Z * se),
        our_best_per_task=100 * float(np.mean(gains)),
        our_best_single=None if by_sentence is None else 100 * float(by_sentence.max()),
        our_cot=100 * float(np.mean(cots)) if len(cots) == len(found) else None,
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
    wanted = 11 if paper == "emotionprompt" else 10
    others_n = [row for row in found if row.n_items != FEWER_ITEMS.get(row.task, N_ITEMS)]
    temperature = plan.sampling.get("temperature")
    stand_in = f"the paper's average over its {counted(len(models_of(paper)), 'model')} stands for {model}"
    has_code = paper == "negativeprompt"
    stop = {
        f"{model} is no model of the paper; {stand_in} (--same-as names another, or the average)": paper_model is None,
        f"the paper has no cell for {setting.shots} examples and the base prompt {base_prompt!r} in this benchmark": not has_facts,
        "the model is simulated": plan.model_of[model].simulated,
        f"other items: suite {', '.join(sorted(suites))}, the paper used the official ones": suites != {"official"},
        "another scorer: strict; the benchmarks' own is reference, and what the code of NegativePrompt does is negativeprompt":
            plan.scorer == "strict",
        f"{len(found)} of the paper's {N_TASKS[benchmark]} tasks": len(found) != N_TASKS[benchmark],
        f"{n_stimuli} of the paper's {wanted} stimuli": n_stimuli != wanted,
    }  # fmt: skip
    n_words = " to ".join(map(str, dict.fromkeys((min(row.n_items for row in found), max(row.n_items for row in found)))))
    fewer = " (cause_and_effect 25, common_concept 16, informal_to_formal 15)" if benchmark == "instruction_induction" else ""
    others = {
        stand_in: paper_model == AVERAGE,
        f"{n_words} items a task, the paper has {N_ITEMS}{fewer}": bool(others_n),
        "Instruction Induction items are the same in every condition of the paper too; here demonstrations are as well":
            benchmark == "instruction_induction",
        "which items of BIG-bench the paper drew is not published; here all arms share them": benchmark == "bigbench",
        f"{setting.shots} demonstrations, drawn once a task and the same in every arm; "
        + ("the paper's code draws 5 again for every item and condition" if has_code else "the paper samples 5 and does not say how often"):
            setting.shots > 0,
        f"{counted(plan.replicates, 'answer')} to an item; the paper asks once": plan.replicates > 1,
        "a chat message, to which a server may apply the model's chat template; "
        + ("the paper's code sends plain text" if has_code else "the paper does not say how its prompts were sent"): True,
        f"placement {setting.placement}": setting.placement not in ("paper", "negativeprompt-code"),
        f"strategy {setting.strategy}": setting.strategy != "single",
        f"temperature {'of the provider' if temperature is None else temperature}; the paper names 0.7 for "
        + ("ChatGPT" if has_code else "ChatGPT, GPT-4 and Llama 2"): temperature != 0.7,
        f"known defects of the items: {plan.defects}": plan.defects != "keep",
        "the paper gives no seeds and no answers to single items"
        + ("; its published code does not run unchanged" if has_code else "; it names gpt-3.5-turbo-0613; no code of it exists"): True,
    }  # fmt: skip
    return ([what for what, differs in found.items() if differs] for found in (stop, others))


def _items_a_task(benchmark: str) -> float:
    """As many items in every task would give the published mean over tasks the errors that it has."""
    fewer = [1 / n for n in FEWER_ITEMS.values()] if benchmark == "instruction_induction" else []
    n_tasks = N_TASKS[benchmark]
    return n_tasks / (sum(fewer) + (n_tasks - len(fewer)) / N_ITEMS)

"""What accompanies the verdicts: the best stimulus corrected for the choice, how tasks differ, the papers' arithmetic, variances.

Computed from the same item means and comparisons as the verdicts. A model whose A/A check failed gets none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from promptlab.nouns import NONE_ARM, Comparison, InSetting, Plan, Setting, Status, grouped
from promptlab.stats.best import best_stimulus
from promptlab.stats.components import components_of
from promptlab.stats.decision import ArmRow, arm_rows
from promptlab.stats.macro import random_effects
from promptlab.stats.multiplicity import hierarchical_fdr, replicability_count
from promptlab.stats.papers import Protocol, best_of_protocol
from promptlab.stats.repeats import RepeatRow, Repeats, SwingRow, repeats_of
from promptlab.stats.sentences import p_text, points
from promptlab.stats.spread import LevelSpread, level_spreads
from promptlab.stats.tables import Groups, ItemTable, averaged, table_groups, tables_of

RESAMPLES = 1_999
"""Joint sign flips for each best in task: hundreds of tasks in a report, and none of the levels asked is below .01."""
BOOTSTRAPS = 500
PERMUTATIONS = 200
TASKS_AS_UNITS = 10
"""From so many tasks on, a best over the tasks is named with tasks as its units."""
NAMED = 0.05
REPEATS_PAY_FROM = 0.2
"""The share of the variance that repeats can still take away: below a fifth they no longer pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(InSetting):
    """What is known of one model in one setting."""

    model: str
    setting: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class BestRow(Row):
    """The best stimulus of one task (None: over the tasks), against no added text."""

    task: str | None
    winner: str | None
    naive: float
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    p_adjusted: float | None
    p_best: float | None
    runner_up_gap: float | None
    tie: bool
    n: int
    n_stimuli: int
    status: Status
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadRow(Row):
    """How one stimulus's effect differs between tasks; tau and the prediction interval are fractions."""

    control: str
    treatment: str
    n_tasks: int
    estimate: float
    tau: float
    i2_percent: float
    q_p: float
    prediction_low: float | None
    prediction_high: float | None
    n_tasks_replicated: int
    """In at least so many tasks there is an effect, with 95 % confidence (Bonferroni partial conjunction)."""
    tasks_named: tuple[str, ...]
    """Those with an effect of their own by Holm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByStimulusRow(Row):
    """Whether one stimulus has any effect, and in which tasks: false discovery rate over stimuli first, then inside (hierarchical)."""

    control: str
    treatment: str
    p_simes: float
    """Of "no effect in any task"."""
    selected: bool
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolRow(Row):
    """The papers' protocol on this run."""

    n_items: int
    protocol: Protocol
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow(Row):
    """Mean variance components over the tasks of one model and setting, and what they advise."""

    n_tasks: int
    n_repeats: int
    var_item: float
    var_item_by_arm: float
    var_repeat: float
    sentence: str


class Supplement(NamedTuple):
    """Everything besides the verdicts."""

    bests: tuple[BestRow, ...]
    spreads: tuple[SpreadRow, ...]
    protocols: tuple[ProtocolRow, ...]
    components: tuple[ComponentRow, ...]
    by_stimulus: tuple[ByStimulusRow, ...]
    arms: tuple[ArmRow, ...] = ()
    repeats: tuple[RepeatRow, ...] = ()
    swings: tuple[SwingRow, ...] = ()
    levels: tuple[LevelSpread, ...] = ()


def supplement(trials: pd.DataFrame, plan: Plan, comparisons: Sequence[Comparison]) -> Supplement:
    """All of it for a run; lists are empty where the design has nothing to say."""
    if plan.looks:  # arms that stopped at different looks have not answered the same items
        return Supplement((), (), (), (), (), tuple(arm_rows(trials, plan, comparisons)))
    failed = {c.model for c in comparisons if c.status == "aa_failed"}
    settings, looped = plan.setting_of, plan.looped
    stimuli = [arm.name for arm in plan.arms if arm.role == "stimulus"]
    groups = table_groups(trials) if len(stimuli) > 1 and plan.best_in_task else None
    bests, protocols = _chosen(trials, plan, groups, failed, stimuli) if groups else ([], [])
    within, arms = tuple(_by_stimulus(comparisons, failed, plan.fdr)), tuple(arm_rows(trials, plan, comparisons, groups))
    del groups
    components: list[ComponentRow] = []
    if plan.replicates > 1:
        cubes = grouped(
            (place, cube)
            for place, _, _, (names, _), cube, _, _ in averaged(trials[trials["arm"].isin([NONE_ARM, *stimuli])], ["arm", "replicate"])
            if place[0] not in failed and settings[place[1]].strategy not in looped and len(names) > 1
        )
        components = [row for (model, own), of_tasks in cubes.items() for row in _components(of_tasks, model, settings[own])]
    again = Repeats()
    if plan.replicates > 1:
        again = repeats_of(trials[~trials["model"].isin(failed)], plan.replicates, stimuli, settings)
    spreads = tuple(_spreads(comparisons, failed))
    return Supplement(
        bests=tuple(bests), spreads=spreads, protocols=tuple(protocols), components=tuple(components), by_stimulus=within, arms=arms,
        repeats=again.rows, swings=again.swings, levels=tuple(row for row in level_spreads(trials, plan) if row.model not in failed),
    )  # fmt: skip


def _chosen(
    trials: pd.DataFrame, plan: Plan, groups: Groups | None, failed: set[str], stimuli: Sequence[str]
) -> tuple[list[BestRow], list[ProtocolRow]]:
    """The best stimulus in each task, and what the papers' protocol would say of each model and setting."""
    bests: list[BestRow] = []
    protocols: list[ProtocolRow] = []
    [tables] = tables_of(trials, [trials["score"]], groups)
    for (model, own), by_task in tables.items():
        setting = plan.setting_of[own]
        if model in failed or setting.strategy in plan.looped:
            continue
        present = [name for name in stimuli if any(table.has(name) for table in by_task.values())]
        if len(present) > 1:
            whole = _tables(by_task, present)
            bests += [_best(unit, present, plan.seed, model, setting) for unit in _units(whole)]
            protocols += [_protocol({task: scores for task, (scores, _) in whole.items()}, plan.seed, model, setting)] if whole else []
    return bests, protocols


def _tables(by_task: Mapping[str, ItemTable], stimuli: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """For each task the scores of the baseline and all stimuli on the items that all of them have, arms by items; and the clusters."""
    found = {}
    for task, table in by_task.items():
        if all(name in table.arms for name in (NONE_ARM, *stimuli)):
            scores = table.scores[:, [table.arms[name] for name in (NONE_ARM, *stimuli)]]
            whole = np.isfinite(scores).all(axis=1)
            if whole.sum() > 1:
                found[task] = scores[whole].T, None if table.clusters is None else table.clusters[whole]
    return found


Unit = tuple[str | None, np.ndarray, np.ndarray | None]
"""A task (None: all tasks, each as one unit), differences from the baseline (stimuli by items), and the clusters of the items."""


def _units(tables: Mapping[str, tuple[np.ndarray, np.ndarray | None]]) -> list[Unit]:
    units: list[Unit] = [(task, table[1:] - table[:1], clusters) for task, (table, clusters) in tables.items()]
    if len(tables) >= TASKS_AS_UNITS:
        units.append((None, np.array([d.mean(axis=1) for _, d, _ in units]).T, None))
    return units


def _best(unit: Unit, stimuli: Sequence[str], seed: int, model: str, setting: Setting) -> BestRow:
    task, d, clusters = unit
    fewest = {} if task else {"fewest": TASKS_AS_UNITS}
    b = best_stimulus(d, seed=seed, n_resamples=RESAMPLES, n_bootstrap=BOOTSTRAPS, clusters=clusters, **fewest)
    winner = None if b.winner is None else stimuli[b.winner]
    where = f"in {task}" if task else f"on average over {d.shape[1]} tasks"
    low, high = b.ci if b.ci is not None else (None, None)
    if winner is None:
        text = f"No best {where}: all {b.n_stimuli} stimuli scored alike."
    elif b.estimate is None or low is None or high is None:
        text = f"Too few items to name a best {where} ({b.n_items}); {winner} scored highest, which choosing alone would also give."
    else:
        text = (
            f"{winner} scored highest {where}; corrected for choosing among {b.n_stimuli}: {points(b.estimate)} points "
            f"({points(low)} to {points(high)}, adjusted {p_text(b.p)}). "
            f"The uncorrected {points(b.naive)} is what picking the maximum gives."
        )
        if b.tie:
            text += " The runner-up cannot be distinguished from it."
    same = {name: getattr(b, name) for name in ("naive", "estimate", "p_best", "runner_up_gap", "tie", "n_stimuli", "status")}
    return BestRow(
        model=model, setting=setting, task=task, winner=winner, ci_low=low, ci_high=high, p_adjusted=b.p, n=b.n_items, sentence=text, **same
    )


def _protocol(tables: Mapping[str, np.ndarray], seed: int, model: str, setting: Setting) -> ProtocolRow:
    p = best_of_protocol(list(tables.values()), PERMUTATIONS, np.random.default_rng(seed))
    low, middle, high = p.null_best_per_task
    relative = "" if p.relative_best_per_task is None else f" ({p.relative_best_per_task:+.1f} % of the baseline)"
    text = (
        f"Taking the best of {p.n_stimuli} stimuli in each of {p.n_tasks} tasks, on the items that chose it, would report "
        f"{points(p.best_per_task)} points{relative}. With arms shuffled inside items, so that nothing works, the same arithmetic reports "
        f"{points(middle)} ({points(low)} to {points(high)}). The mean over all stimuli is {points(p.average)}."
    )
    n_items = sum(table.shape[1] for table in tables.values())
    return ProtocolRow(model=model, setting=setting, n_items=n_items, protocol=p, sentence=text)


def _components(cubes: Sequence[np.ndarray], model: str, setting: Setting) -> list[ComponentRow]:
    found = [c for cube in cubes if (c := components_of(cube)).var_item_by_arm is not None]  # the two others are known as well
    if not found:
        return []
    var_item, by_arm, repeat = (float(np.mean([getattr(c, name) for c in found])) for name in ("var_item", "var_item_by_arm", "var_repeat"))
    k = max(c.n_repeats for c in found)
    # Var(mean d) = (2 var_item_by_arm + 2 var_repeat / K) / n: more items shrink both parts, more repeats only the second.
    share = (repeat / k) / (by_arm + repeat / k) if by_arm + repeat > 0 else 0.0
    rest = "more repeats no longer pay" if share < REPEATS_PAY_FROM else "once all items are used, more repeats still pay"
    text = (
        f"{100 * share:.0f} % of the variance of a difference comes from answers that change when sent again ({k} repeats each). "
        f"New items are the better buy while there are any; {rest}."
    )
    return [
        ComponentRow(
            model=model, setting=setting, n_tasks=len(found), n_repeats=k, var_item=var_item, var_item_by_arm=by_arm, var_repeat=repeat,
            sentence=text,
        )
    ]  # fmt: skip


def _spreads(comparisons: Sequence[Comparison], failed: set[str]) -> list[SpreadRow]:
    groups = grouped(
        ((c.model, c.setting.id, c.control, c.treatment), c)
        for c in comparisons
        if c.scope == "cell" and c.model not in failed and c.diff is not None and c.se is not None
    )
    found = []
    for cells in groups.values():
        if len(cells) < 3:
            continue
        effects = [cast("float", c.diff) for c in cells]
        r = random_effects(effects, [_variance(c) for c in cells])
        if r.pm is None or r.tau is None or r.q_p is None or r.i2_percent_dl is None:
            continue
        counted = replicability_count([1.0 if c.p_value is None else c.p_value for c in cells], NAMED)
        low, high = r.pm.pi_hk if r.pm.pi_hk is not None else (None, None)
        named = tuple(str(cells[i].task) for i in counted.holm_rejected)
        c = cells[0]
        found.append(
            SpreadRow(
                model=c.model, setting=c.setting, control=c.control, treatment=c.treatment, n_tasks=len(cells), estimate=r.pm.estimate,
                tau=r.tau, i2_percent=r.i2_percent_dl, q_p=r.q_p, prediction_low=low, prediction_high=high,
                n_tasks_replicated=counted.k_bonferroni, tasks_named=named,
            )
        )  # fmt: skip
    return found


def _by_stimulus(comparisons: Sequence[Comparison], failed: set[str], q: float) -> list[ByStimulusRow]:
    """Planned cells by stimulus; one that was refused counts with p = 1, as in its family."""
    groups: dict[tuple[str, ...], dict[str, dict[str, float]]] = {}
    settings: dict[str, Setting] = {}
    for c in comparisons:
        if c.scope == "cell" and c.model not in failed:
            p = 1.0 if c.p_value is None or c.verdict == "refused" else c.p_value
            settings[c.setting.id] = c.setting
            group = groups.setdefault((c.model, c.setting.id, c.control), {})
            group.setdefault(c.treatment, {})[str(c.task)] = p
    found = []
    for (model, own, control), by_stimulus in groups.items():
        tasks = list(next(iter(by_stimulus.values())))
        if len(by_stimulus) < 2 or len(tasks) < 2:
            continue
        h = hierarchical_fdr([[p.get(task, 1.0) for task in tasks] for p in by_stimulus.values()], q)
        for i, name in enumerate(by_stimulus):
            within = tuple(tasks[j] for j in h.rejected_within[i])
            found.append(
                ByStimulusRow(
                    model=model, setting=settings[own], control=control, treatment=name, p_simes=h.family_p_simes[i],
                    selected=i in h.selected_families, tasks=within,
                )
            )  # fmt: skip
    return found


def _variance(c: Comparison) -> float:
    """A squared error that is never 0: half an answer more changed each way, where answers are single."""
    n = c.n_pairs
    if c.gained is not None and c.lost is not None and c.method == "McNemar mid-p":
        gained, lost = (c.gained + 0.5) / (n + 1), (c.lost + 0.5) / (n + 1)
        return (gained + lost - (gained - lost) ** 2) / n
    return max(cast("float", c.se) ** 2, 1 / (n + 1) / n)

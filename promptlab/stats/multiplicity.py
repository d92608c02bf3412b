"""Many comparisons at once: which hypotheses are tested, in which families, before there is any data; adjusted p-values.

And what could not have been detected however it came out. What is in no family gets no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from promptlab.nouns import Comparison, Control, Hypothesis, Plan, Setting
from promptlab.stats.intervals import Array


def hypotheses(
    models: Sequence[str],
    tasks: Sequence[str],
    stimuli: Sequence[tuple[str, str]],
    settings: Sequence[Setting],
    controls: Sequence[Control],
    primary: Sequence[Control] | None = None,
) -> list[Hypothesis]:
    """Every hypothesis of an experiment: cells, stimuli over tasks, and libraries over tasks and stimuli.

    `stimuli` holds (id, library), `primary` the controls of primary hypotheses (all when None). One family holds: all primary
    hypotheses of the experiment; the stimuli of one library under one model and control; the cells of one model and control.
    """
    found: list[Hypothesis] = []
    libraries = list(dict.fromkeys(library for _, library in stimuli))
    for model, control, setting in product(models, controls, settings):
        planned = partial(Hypothesis, model=model, control=control, setting=setting)
        if primary is None or control in primary:
            found += [planned(family="primary", scope="primary", task=None, treatment=lib, library=lib) for lib in libraries]
        for name, library in stimuli:
            of_stimulus = f"stimulus/{model}/{library}/{control}"
            found.append(planned(family=of_stimulus, scope="stimulus", task=None, treatment=name, library=library))
            of_cell = f"cell/{model}/{control}"
            found += [planned(family=of_cell, scope="cell", task=task, treatment=name, library=library) for task in tasks]
    return found


def margin_of(h: Hypothesis, plan: Plan) -> float:
    """The smallest difference that counts for a hypothesis."""
    return plan.margin if h.task is None else plan.margins.cell


def adjustment_of(h: Hypothesis | Comparison) -> str:
    """How the family of a hypothesis is corrected: single tasks by false discoveries, all pairs by their joint law, else Holm."""
    return "fdr_bh" if h.task is not None else "maxt" if h.scope == "pair" else "holm"


class MinDiscordant(NamedTuple):
    """The fewest discordant pairs with which a test can reach a level, all of them one way."""

    midp: int
    exact: int


class Adjusted(NamedTuple):
    """p-values adjusted by every method, each in the order given."""

    bonferroni: Array
    holm: Array
    hochberg: Array
    hommel: Array
    fdr_bh: Array
    fdr_by: Array


def adjust_pvalues(p: Sequence[float | None] | Array, m: int | None = None) -> Adjusted:
    """p-values adjusted by every method; see `adjust` for missing values and `m`."""
    return Adjusted(*(adjust(p, method, m) for method in METHODS))


METHODS = Adjusted._fields


def adjust(p: Sequence[float | None] | Array, method: str, m: int | None = None) -> Array:
    """p-values adjusted for their number, in the order given.

    A missing p (None or NaN) stays NaN and does not count, unless `m` says how many hypotheses were planned: then what is
    not in `p` counts as p = 1. Methods: bonferroni, holm, hochberg, hommel, fdr_bh (Benjamini and Hochberg 1995), fdr_by.
    """
    if method not in METHODS:
        raise ValueError(f"the method {method!r} is not known; known: {', '.join(METHODS)}")
    values = np.array([np.nan if x is None else x for x in p], dtype=np.float64)
    here = ~np.isnan(values)
    n = int(here.sum())
    if ((values[here] < 0) | (values[here] > 1)).any():
        raise ValueError("p-values must lie between 0 and 1")
    if m is not None and m < n:
        raise ValueError(f"m = {m} planned hypotheses is less than the {n} p-values given")
    found = np.full(len(values), np.nan)
    if n:
        padded = np.concatenate([values[here], np.ones((m or n) - n)])
        found[here] = _adjusted(padded, method)[:n]
    return found


def _adjusted(p: Array, method: str) -> Array:
    """Holm and false discovery rates here, because statsmodels collects garbage in each call, 30 ms in a session of any size."""
    if method == "holm":
        order = np.argsort(p)
        stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
        return np.minimum(stepped, 1.0)[np.argsort(order)]
    if method == "fdr_bh":
        order = np.argsort(p)[::-1]  # the highest first
        stepped = np.minimum.accumulate(p[order] * (len(p) / np.arange(len(p), 0, -1)))
        return np.clip(stepped, 0.0, 1.0)[np.argsort(order)]
    from statsmodels.stats.multitest import multipletests

    name = "simes-hochberg" if method == "hochberg" else method
    return np.asarray(multipletests(p, method=name)[1], dtype=np.float64)


class HierarchicalFDR(NamedTuple):
    """Families first (Simes), then inside those that were selected; positions from 0, ascending."""

    family_p_simes: tuple[float, ...]
    selected_families: tuple[int, ...]
    rejected_within: tuple[tuple[int, ...], ...]


class Replicability(NamedTuple):
    """In how many tasks an effect shows, with confidence 1 - alpha, and which ones by Holm (positions from 0)."""

    k_bonferroni: int
    k_fisher: int
    p_partial_conjunction_bonferroni: tuple[float, ...]
    """For u = 1, 2, ...: the p-value of "fewer than u tasks have an effect", made monotone."""
    holm_rejected: tuple[int, ...]


def hierarchical_fdr(p: Sequence[Sequence[float]] | Array, q: float = 0.05) -> HierarchicalFDR:
    """Benjamini and Bogomolov (2014): rows are families (stimuli), columns their hypotheses (tasks); NaN is not a hypothesis.

    BH at q over the families' Simes p-values, then BH at q R / S inside each of the R families selected of S.
    """
    table = np.asarray(p, dtype=np.float64)
    if table.ndim != 2 or not 0 < q < 1:
        raise ValueError(f"p must be a table of families by hypotheses and 0 < q < 1; found shape {table.shape}, q = {q}")
    simes = []
    for row in table:
        here = np.sort(row[~np.isnan(row)])
        simes.append(min(1.0, float((len(here) * here / np.arange(1, len(here) + 1)).min())) if len(here) else np.nan)
    selected = [int(i) for i in np.flatnonzero(adjust(simes, "fdr_bh") <= q)]
    level = q * len(selected) / len(table) if len(table) else q
    within = tuple(
        tuple(int(j) for j in np.flatnonzero(adjust(row, "fdr_bh") <= level)) if i in selected else () for i, row in enumerate(table)
    )
    return HierarchicalFDR(tuple(simes), tuple(selected), within)


def replicability_count(p: Sequence[float] | Array, alpha: float = 0.05) -> Replicability:
    """Partial conjunction counts over tasks (Dror et al. 2017): Bonferroni's for dependent, Fisher's for independent tasks.

    Missing p-values (NaN) are left out; positions refer to the list as given.
    """
    values = np.asarray(p, dtype=np.float64)
    here = np.flatnonzero(~np.isnan(values))
    ordered = np.sort(values[here])
    n = len(ordered)
    bonferroni = np.maximum.accumulate(np.minimum(1.0, (n - np.arange(n)) * ordered))
    fisher = np.maximum.accumulate([float(chdtrc(2 * (n - u), -2 * np.log(np.maximum(ordered[u:], TINY)).sum())) for u in range(n)])
    named = here[adjust(values[here], "holm") <= alpha]
    return Replicability(
        int((bonferroni <= alpha).sum()), int((fisher <= alpha).sum()), tuple(float(x) for x in bonferroni), tuple(int(i) for i in named)
    )


TINY = 1e-300
"""Stands for a p-value of 0, whose logarithm Fisher's method could not add."""


def min_discordant(alpha: float) -> MinDiscordant:
    """How many answers must change, all one way, before McNemar's test can give p <= alpha: mid-p 2^-m, exact 2^(1-m)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, found {alpha}")
    midp = math.ceil(-math.log2(alpha) - 1e-12)
    return MinDiscordant(midp, midp + 1)

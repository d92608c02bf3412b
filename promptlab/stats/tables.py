"""From a frame of trials to item means: for every setting and task a table of items by arms.

And from any long frame of scores to pairs of one baseline and one stimulus on the same items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import OWN_PROMPT, Status
from promptlab.stats.intervals import Array
from promptlab.stats.paired import lattice
from promptlab.stats.pairs import Pairs

SAME_ANSWERS = 1e-9
MOSTLY_SAME = 0.99
FEW_CODES = 10_000_000

Place = tuple[str, str]
"""A model, and the id of a setting."""
Averaged = tuple[Place, str, np.ndarray, list[Any], np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class ItemTable:
    """Item means of one task in one setting: items down, arms across, NaN where there is no score."""

    task: str
    items: np.ndarray
    arms: Mapping[str, int]
    scores: np.ndarray
    counts: np.ndarray
    """How many scored answers each mean has."""
    clusters: np.ndarray | None = None
    """The name of each item's cluster (an item without one is its own); None where every item is its own."""
    notes: tuple[str, ...] = ()
    """What is odd about the repeats of the means."""
    by_prompt: Mapping[str, ItemTable] = field(default_factory=dict)
    """The same items and arms in each base prompt."""

    def within(self, prompt: str) -> ItemTable | None:
        """The part of one base prompt; a program with instructions of its own replaces all of them."""
        return self.by_prompt.get(prompt) or self.by_prompt.get(OWN_PROMPT)

    def mean(self, arms: Sequence[str]) -> np.ndarray:
        """The mean over arms of every item; NaN for an item that lacks one of them."""
        if not arms or any(arm not in self.arms for arm in arms):
            return np.full(len(self.items), np.nan)
        means: np.ndarray = self.scores[:, [self.arms[arm] for arm in arms]].mean(axis=1)
        return means

    def pairs(self, s: np.ndarray, b: np.ndarray, n_planned: int | None = None, controls: tuple[float, ...] = ()) -> Pairs:
        """The items that have both scores; without `n_planned` no other was planned."""
        both = np.isfinite(s) & np.isfinite(b)
        clusters = None if self.clusters is None else self.clusters[both]
        if clusters is not None and len(set(clusters)) == len(clusters):
            clusters = None
        planned = int(both.sum()) if n_planned is None else n_planned
        return Pairs(task=self.task, s=s[both], b=b[both], clusters=clusters, n_planned=planned, notes=self.notes, controls=controls)

    def has(self, arm: str) -> bool:
        """Whether any item has a score under an arm."""
        return arm in self.arms and bool(np.isfinite(self.scores[:, self.arms[arm]]).any())


def item_tables(trials: pd.DataFrame) -> dict[Place, dict[str, ItemTable]]:
    """Scores averaged inside (item, arm), for every model, setting and task of a trials frame; items in sorted order."""
    return tables_of(trials, [trials["score"]])[0]


def tables_of(
    trials: pd.DataFrame, columns: Sequence[pd.Series[Any]], groups: Groups | None = None
) -> list[dict[Place, dict[str, ItemTable]]]:
    """The same of each of several columns of numbers next to the trials; `groups` are `table_groups` of them, where they are known."""
    clusters = clusters_of(trials)
    groups = groups or table_groups(trials)
    return [{} if groups is None else _tables(groups.averaged(column), clusters) for column in columns]


def table_groups(trials: pd.DataFrame) -> Groups | None:
    """The trials by what a table averages over and by what it tells apart; None without a trial."""
    return None if trials.empty else Groups.of(with_prompts(trials), ["base_prompt", "arm"])


def _tables(averages: Iterable[Averaged], clusters: Mapping[str, Mapping[str, str]]) -> dict[Place, dict[str, ItemTable]]:
    found: dict[Place, dict[str, ItemTable]] = {}
    for place, task, items, (prompts, arms), means, counts, squares in averages:
        of_task = clusters.get(task)
        named = np.array([of_task.get(item, item) for item in items], dtype=object) if of_task else None
        here = np.flatnonzero(counts.any(axis=(0, 2)))
        n = counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            pooled = means[:, here[0]] if len(here) == 1 else np.nansum(means * counts, axis=1) / n
        whole = ItemTable(
            task=task, items=items, arms={str(name): i for i, name in enumerate(arms)}, scores=pooled, counts=n, clusters=named,
            notes=_about_repeats(means, counts, squares),
        )  # fmt: skip
        parts = {str(prompts[i]): replace(whole, scores=means[:, i], counts=counts[:, i]) for i in here}
        found.setdefault(place, {})[task] = replace(whole, by_prompt=parts)
    return found


def with_prompts(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with a column for the base prompt; a frame without one has a single prompt."""
    return trials if "base_prompt" in trials else trials.assign(base_prompt="")


def clusters_of(trials: pd.DataFrame) -> dict[str, dict[str, str]]:
    """For each task with any the clusters of its items."""
    found: dict[str, dict[str, str]] = {}
    if "cluster" in trials:
        rows = trials.dropna(subset=["cluster"]).drop_duplicates(["task", "item"])
        for task, item, cluster in zip(rows["task"], rows["item"], rows["cluster"], strict=True):
            found.setdefault(str(task), {})[str(item)] = str(cluster)
    return found


def _about_repeats(means: np.ndarray, counts: np.ndarray, squares: np.ndarray) -> tuple[str, ...]:
    """Notes where items were answered unequally often in one prompt and arm, or where sending again changed nothing."""
    here = counts > 0
    if not here.any() or counts.max() == 1:
        return ()
    notes = []
    if len(np.unique(counts[here])) > 1:
        least, most = int(counts[here].min()), int(counts.max())
        notes.append(
            f"unbalanced_repeats: items have {least} to {most} scored answers an arm; every item counts once, whatever their number"
        )
    several = counts > 1
    same = squares[several] - counts[several] * means[several] ** 2 < SAME_ANSWERS
    if same.mean() >= MOSTLY_SAME:
        notes.append("repeats_identical: nearly all repeats of an item scored alike, so they add nothing to one answer each")
    return tuple(notes)


def averaged(trials: pd.DataFrame, within: Sequence[str]) -> Iterator[Averaged]:
    """For every model, setting and task: its items, the values of the columns `within`, and for items by those values the mean score, how
    many there are, and the sum of their squares.
    """
    if not trials.empty:
        yield from Groups.of(trials, within).averaged(trials["score"])


class Groups(NamedTuple):
    """The rows of a frame by model, setting, task, item and other columns: by whole numbers instead of a group-by over columns of text, so
    that a million and a half rows take a second, not ten.
    """

    cell: np.ndarray
    places: list[tuple[Any, ...]]
    items: list[tuple[Any, ...]]
    values: list[list[Any]]

    @classmethod
    def of(cls, trials: pd.DataFrame, within: Sequence[str]) -> Groups:
        """The groups of a frame."""
        coded = {name: pd.factorize(trials[name]) for name in ("model", "setting", "task", "item", *within)}
        place, places = _combined([coded["model"], coded["setting"]])
        item, items = _combined([coded["task"], coded["item"]])
        order = sorted(range(len(items)), key=lambda i: (str(items[i][0]), str(items[i][1])))
        rank = np.empty(len(items), dtype=np.int64)
        rank[order] = np.arange(len(items))
        cell = place * len(items) + rank[item]
        for name in within:
            cell = cell * len(coded[name][1]) + coded[name][0]
        return cls(cell, places, [items[i] for i in order], [list(coded[name][1]) for name in within])

    def averaged(self, column: pd.Series[Any]) -> Iterator[Averaged]:
        """A column of numbers, as `averaged` has it."""
        score = column.to_numpy(dtype=np.float64, na_value=np.nan)
        here = np.isfinite(score)
        cell, score = (self.cell, score) if here.all() else (self.cell[here], score[here])
        shape = (len(self.places), len(self.items), *map(len, self.values))
        counts, sums, squares = (
            np.bincount(cell, weights=weights, minlength=math.prod(shape)).reshape(shape) for weights in (None, score, score**2)
        )
        with np.errstate(invalid="ignore"):
            means = sums / counts
        tasks = np.array([str(task) for task, _ in self.items])
        names = np.array([str(item) for _, item in self.items], dtype=object)
        for s, (model, setting) in enumerate(self.places):
            for task in dict.fromkeys(tasks.tolist()):
                rows = tasks == task
                if np.isfinite(means[s, rows]).any():
                    yield (str(model), str(setting)), task, names[rows], self.values, means[s, rows], counts[s, rows], squares[s, rows]


def _combined(columns: Sequence[tuple[np.ndarray, Any]]) -> tuple[np.ndarray, list[tuple[Any, ...]]]:
    """Several coded columns as one: codes from 0, and the values that each of them stands for."""
    code = np.zeros(len(columns[0][0]), dtype=np.int64)
    columns = [(codes, list(values)) for codes, values in columns]  # pandas takes its time for one value
    for codes, values in columns:
        code = code * max(len(values), 1) + codes
    size = math.prod(max(len(values), 1) for _, values in columns)
    if size <= FEW_CODES:  # counting is quicker than sorting
        kept = np.flatnonzero(np.bincount(code, minlength=size))
        place = np.zeros(size, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        combined = place[code]
    else:
        kept, combined = np.unique(code, return_inverse=True)
    labels = []
    for rest in kept.tolist():
        left, parts = rest, []
        for _, values in reversed(columns):
            left, at = divmod(left, max(len(values), 1))
            parts.append(values[at])
        labels.append(tuple(reversed(parts)))
    return combined, labels


KEY = ["item_id", "arm", "repeat"]


class DuplicateKeys(ValueError):
    """One (model, task, arm, item, repeat, template) has more than one score."""


class Paired(NamedTuple):
    """Item means of two arms on the items that both have, and what was lost on the way."""

    paired_items: tuple[str, ...]
    difference: Array
    stimulus: Array
    baseline: Array
    clusters: tuple[object, ...] | None
    n_items: int
    n_paired: int
    n_dropped_items: int
    n_missing_scores: int
    duplicated_keys: tuple[str, ...]
    unbalanced_repeats: bool
    lattice: int | None
    status: Status


def pair_scores(df: pd.DataFrame, stimulus: str, baseline: str = "none", *, strict: bool = True) -> Paired:
    """Pair two arms by item, after averaging repeats and templates inside (item, arm).

    `df` has the columns arm, item_id, repeat, score and may have model, task, template, cluster_id; it must hold one model
    and one task. A missing score is missing, never 0. In strict mode a repeated key raises DuplicateKeys; otherwise every
    row of that key is dropped and the key listed as "item arm repeat".
    """
    for column in ("model", "task"):
        if column in df.columns and df[column].nunique() > 1:
            raise ValueError(f"the frame holds {df[column].nunique()} values of {column!r}; pair one at a time")
    key = [*KEY, *(["template"] if "template" in df.columns else [])]
    rows = df[df["arm"].isin([stimulus, baseline])]
    twice = rows.duplicated(key, keep=False)
    names = rows.loc[twice, key].drop_duplicates()
    listed = tuple(" ".join(str(part) for part in row) for row in names.itertuples(index=False))
    if listed and strict:
        raise DuplicateKeys(f"{len(listed)} keys have more than one score, the first: {listed[0]!r}")
    rows = rows[~twice]
    n_missing = int(rows["score"].isna().sum())
    scored = rows.dropna(subset=["score"])
    grouped = scored.groupby(["item_id", "arm"], sort=False)["score"]
    means, sizes = grouped.mean().unstack("arm"), grouped.size().unstack("arm")
    means = means.reindex(columns=[stimulus, baseline])
    items = list(dict.fromkeys(df.loc[df["arm"].isin([stimulus, baseline]), "item_id"]))
    both = [item for item in items if item in means.index and means.loc[item].notna().all()]
    s, b = means.loc[both, stimulus].to_numpy(float), means.loc[both, baseline].to_numpy(float)
    counts = sizes.reindex(index=both, columns=[stimulus, baseline]).to_numpy(float)
    clusters = None
    if "cluster_id" in df.columns:
        of_item = dict(zip(df["item_id"], df["cluster_id"], strict=True))
        clusters = tuple(of_item[item] for item in both)
    unbalanced = bool(counts.size and (counts != counts.flat[0]).any())
    return Paired(
        paired_items=tuple(str(item) for item in both),
        difference=np.round(s - b, 9),
        stimulus=s,
        baseline=b,
        clusters=clusters,
        n_items=len(items),
        n_paired=len(both),
        n_dropped_items=len(items) - len(both),
        n_missing_scores=n_missing,
        duplicated_keys=listed,
        unbalanced_repeats=unbalanced,
        lattice=lattice(np.concatenate([s, b])),
        status="duplicate_keys" if listed else "unbalanced_repeats" if unbalanced else "ok",
    )

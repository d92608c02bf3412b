"""From a long frame of scores to pairs of one baseline and one stimulus on the same items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from promptlab.nouns.words import Status
from promptlab.stats.paired import lattice

Array = npt.NDArray[np.float64]
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
    row of that key is set aside and the key listed as "item arm repeat".
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

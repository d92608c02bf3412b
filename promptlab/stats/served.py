"""Versions of a model: a verdict that may be one between versions, because others answered one side, is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from promptlab.nouns import ArmRef, Comparison, Contrast, Plan, contrast_of
from promptlab.stats import sentences as say
from promptlab.stats.tables import with_prompts

__all__ = ["by_version", "far"]
PLACE = ("model", "setting", "arm", "base_prompt", "task")
FAR = 2.58
"""Standard errors between the shares of a version on two sides; chance puts them further apart once in a hundred times."""


class Served:
    """Which version of each model gave the scored answers of a run; answers whose version nobody named are left out."""

    def __init__(self, trials: pd.DataFrame) -> None:
        rows = with_prompts(trials)
        named = rows.loc[rows["model_version"].notna() & rows["score"].notna()]
        self.rows = named[[*PLACE, "item", "model_version"]].astype(str)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """The number of answers of each version, with model, setting, arm, base prompt and task."""
        by = [self.rows[name] for name in PLACE]
        return pd.crosstab(by, self.rows["model_version"]).reset_index()

    @cached_property
    def mostly(self) -> dict[tuple[str, str], str]:
        """By model and setting: the version that gave most answers, of equals the first by name."""
        found: dict[tuple[str, str], str] = {}
        for (model, setting), rows in self.rows.groupby(["model", "setting"]):
            counts = rows["model_version"].value_counts()
            found[str(model), str(setting)] = min(counts.index[counts == counts.max()])
        return found

    def apart(self, contrast: Contrast, task: str | None) -> tuple[float, float] | None:
        """Where a version answered one side more often than chance explains: its shares of the treatment's and of the control's answers.

        Only arms of one model and setting are set against each other: another setting or model may well be another version. They are
        counted on the items that both sides have answers to. None where no version is.
        """
        for place in dict.fromkeys((ref.model, ref.setting) for ref, _ in contrast.weights):
            sides = [[ref for ref in contrast.side(sign) if (ref.model, ref.setting) == place] for sign in (1, -1)]
            if not all(sides):
                continue
            versions = [name for name in self.counts if name not in PLACE]
            if far(*(self.counts.loc[_at(self.counts, refs, task), versions].sum().to_numpy() for refs in sides)) is None:
                continue
            rows = [self.rows[_at(self.rows, refs, task)] for refs in sides]
            pairs = [pd.MultiIndex.from_frame(side[["task", "item"]]) for side in rows]
            shared = [rows[one]["model_version"][pairs[one].isin(pairs[1 - one])] for one in (0, 1)]
            counts = [side.value_counts().reindex(versions, fill_value=0).to_numpy() for side in shared]
            if (most := far(*counts)) is not None:
                return float(counts[0][most] / counts[0].sum()), float(counts[1][most] / counts[1].sum())
        return None


def _at(frame: pd.DataFrame, refs: Sequence[ArmRef], task: str | None) -> NDArray[np.bool_]:
    """Which rows are of some arms of one model and setting, in one task or in all."""
    first = (frame["model"] == refs[0].model) & (frame["setting"] == refs[0].setting)
    arms = np.zeros(len(frame), dtype=bool)
    for ref in refs:
        arms |= ((frame["arm"] == ref.arm) & (True if ref.prompt is None else frame["base_prompt"] == ref.prompt)).to_numpy()
    return first.to_numpy() & arms & (True if task is None else (frame["task"] == task).to_numpy())


def far(treated: NDArray[Any], control: NDArray[Any]) -> int | None:
    """The place of the version whose shares of two sides are furthest apart, where they are by more than FAR standard errors."""
    n = treated.sum(), control.sum()
    if not all(n):
        return None
    pooled = (treated + control) / sum(n)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n[0] + 1 / n[1]))
    gaps = np.abs(treated / n[0] - control / n[1])
    most = int(gaps.argmax())
    return most if gaps[most] > FAR * error[most] else None


def by_version(
    found: Sequence[Comparison], trials: pd.DataFrame, plan: Plan, without: Callable[[pd.DataFrame], list[Comparison]]
) -> list[Comparison]:
    """The comparisons with what versions of a model mean for them.

    Where a version gave one side more of its answers than chance explains, and the verdict is another `without` the answers of all
    versions but the most frequent one, there is no verdict. Source: Hernan and Robins 2020 (confounding, restriction).
    """
    if "model_version" not in trials or (trials.groupby("model", observed=True)["model_version"].nunique() < 2).all():
        return list(found)
    served = Served(trials)
    others: list[Comparison] | None = None
    result = []
    for number, c in enumerate(found):
        if c.scope != "aa" and c.verdict not in ("refused", "unclear"):
            shares = served.apart(contrast_of(plan.hypotheses[number], plan), c.task)
            if shares is not None:
                others = without(_of_one(trials, served)) if others is None else others
                if (other := others[number]).verdict != c.verdict:
                    c = replace(  # noqa: PLW2901
                        c, status="uneven_versions", verdict="refused", sentence=say.uneven_versions(*shares, other.verdict)
                    )
        result.append(c)
    return result


def _of_one(trials: pd.DataFrame, served: Served) -> pd.DataFrame:
    """The trials of each model's most frequent version in each setting, and those whose version nobody named."""
    version = trials["model_version"].astype(object)
    wanted = [served.mostly.get(place) for place in zip(trials["model"].astype(str), trials["setting"].astype(str), strict=True)]
    return trials.loc[(version.isna() | (version == pd.Series(wanted, index=trials.index, dtype=object))).to_numpy()]

"""How much scores spread over the levels of a random factor, such as sampled formats, beyond what chance gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promptlab.nouns import NONE_ARM, Plan
from promptlab.stats import laws as st
from promptlab.stats.paired import DECIMALS
from promptlab.stats.sentences import p_text

FEWEST_LEVELS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSpread:
    """The levels of a random factor in one model; scores are fractions.

    `sd` is the standard deviation between levels without what chance adds, with its 95 % interval. `p_value` is that of Cochran's Q,
    with the variance within items of all tasks (for right and wrong answers in one task it is his).
    """

    model: str
    factor: str
    prompt: str | None
    """The whole prompt that has these levels; None where base prompts are averaged."""
    n_levels: int
    n_items: int
    lowest: str
    low: float
    highest: str
    high: float
    sd: float
    sd_low: float
    sd_high: float
    p_value: float
    sentence: str


def level_spreads(trials: pd.DataFrame, plan: Plan) -> Iterator[LevelSpread]:
    """A row for each random factor, model and whole prompt, from the answers to which nothing was added; then one for the wordings of
    the incumbent, where prompts are paraphrases of it.
    """
    plain = trials[(trials["arm"] == NONE_ARM) & ~trials["setting"].isin([s.id for s in plan.settings if s.strategy in plan.looped])]
    everything: list[str | None] = [None]
    for factor in plan.factors:
        if not factor.random:
            continue
        names = plain["base_prompt"] if factor.name == "prompt" else plain["setting"].map(dict(factor.of))
        whole = [prompt.name for prompt in plan.prompts] if factor.name != "prompt" else []
        for model in plan.model_of:
            for prompt in whole or everything:
                here = (plain["model"] == model) & (True if prompt is None else plain["base_prompt"] == prompt)
                if row := _spread(plain[here].assign(level=names[here].astype(object)), model, factor.name, prompt):
                    yield row
    worded = plain[plain["base_prompt"].isin(plan.wordings)]
    for model in plan.model_of if len(plan.wordings) >= FEWEST_LEVELS else ():
        own = worded[worded["model"] == model]
        if row := _spread(own.assign(level=own["base_prompt"].astype(object)), model, "wording", plan.incumbent):
            yield row


def _spread(trials: pd.DataFrame, model: str, factor: str, prompt: str | None) -> LevelSpread | None:
    """The spread over the levels of these trials; None with too few of them, or without an item that all of them answered."""
    unit = trials["item"].astype(object)
    unit = trials["cluster"].astype(object).fillna(unit) if "cluster" in trials else unit
    wide = trials.assign(unit=unit).groupby(["task", "unit", "level"], observed=True)["score"].mean().unstack("level").dropna()
    k, tasks = wide.shape[1], [part.to_numpy() for _, part in wide.groupby(level="task", observed=True)]
    if k < FEWEST_LEVELS or not tasks:
        return None
    means = np.mean([part.mean(axis=0) for part in tasks], axis=0)
    noise = float(sum(part.var(axis=1, ddof=1).sum() / len(part) ** 2 for part in tasks)) / len(tasks) ** 2
    total = float(((means - means.mean()) ** 2).sum())
    below, above = (max(0.0, total / st.chi2.ppf(at, k - 1) - noise) ** 0.5 for at in (0.975, 0.025))
    sd = max(0.0, total / (k - 1) - noise) ** 0.5
    p = float(st.chi2.sf(total / noise, k - 1)) if noise else 1.0
    low, high = int(means.round(DECIMALS).argmin()), int(means.round(DECIMALS).argmax())
    names = [str(name) for name in wide.columns]
    what = f"{factor}s" + (f" of the prompt {prompt}" if prompt else "")
    text = (
        f"Over {k} {what} scores go from {100 * means[low]:.1f} ({names[low]}) to {100 * means[high]:.1f} ({names[high]}); "
        f"beyond chance their standard deviation is {100 * sd:.1f} points ({100 * below:.1f} to {100 * above:.1f}; {p_text(p)})."
    )
    return LevelSpread(
        model=model, factor=factor, prompt=prompt, n_levels=k, n_items=len(wide), lowest=names[low], low=float(means[low]),
        highest=names[high], high=float(means[high]), sd=sd, sd_low=below, sd_high=above, p_value=p, sentence=text,
    )  # fmt: skip

"""What an earlier run says in the report of a run that was planned against it: its trials under their names there."""

from __future__ import annotations

import pandas as pd

from promptlab.nouns import Plan
from promptlab.planning.earlier import earlier_run, extended
from promptlab.record.store import Run
from promptlab.reporting.rescore import rescored


def joined(run: Run, trials: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, Plan]:
    """The trials with those of the earlier run on the same items, and the plan with its arms; both as they are without one.

    Rows of the earlier run have an order below 0 and the role of a stimulus, so that nothing takes them for this run's own.
    """
    if plan.earlier is None:
        return trials, plan
    other = earlier_run(plan, run.folder)
    if other is None or trials.empty:
        return trials, extended(plan)
    found = other.trials()
    if other.plan.scorer != plan.scorer and plan.scorer is not None:
        found = rescored(found, other.each_item(), other.plan, plan.scorer)
    column = "base_prompt" if plan.prompts else "arm"
    names = {(arm.setting, arm.arm, arm.prompt): arm.name for arm in plan.earlier.arms}
    keys = zip(found["setting"], found["arm"], found["base_prompt"] if plan.prompts else [None] * len(found), strict=True)
    here = set(zip(trials["task"].astype(str), trials["item"].astype(str), strict=True))
    found[column] = [names.get((str(setting), str(arm), prompt)) for setting, arm, prompt in keys]
    found = found.assign(
        trial=f"{other.id}/" + found["trial"].astype(str), order=-1 - found["order"].astype(int), role="stimulus",
        older=found["older"].fillna(other.id),
    )  # fmt: skip
    kept = [pair in here for pair in zip(found["task"], found["item"], strict=True)]
    found = found[found[column].notna() & found["model"].isin(list(plan.model_of)) & pd.Series(kept, index=found.index)]
    names_of = [name for name in trials if isinstance(trials[name].dtype, pd.CategoricalDtype)]
    whole = pd.concat([trials.astype(dict.fromkeys(names_of, object)), found], ignore_index=True)
    return whole.astype(dict.fromkeys(names_of, "category")), extended(plan)


def own_rows(trials: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The trials without those that `joined` took from the earlier run."""
    if plan.earlier is None:
        return trials
    return trials[~trials["trial"].astype(str).str.startswith(f"{plan.earlier.run}/")]


def n_old(run: Run) -> int:
    """Trials all of whose answers are older than the run: they came from the cache, and no call of the run had asked for them."""
    calls = run.calls()
    own = set(calls.loc[~calls["cached"].astype(bool), "key"])
    old = calls["cached"].astype(bool) & ~calls["key"].isin(own)
    return int(old.groupby(calls["trial"]).all().sum())


def earlier_words(plan: Plan, trials: pd.DataFrame, n_old: int | None, n_trials: int) -> list[str]:
    """What a planned comparison with an earlier run rests on, as sentences."""
    found = plan.earlier
    if found is None:
        return []
    begun = found.created_at[:16].replace("T", " ")
    said = [
        f"Compared with the earlier run {found.run} (begun {begun}), as planned: its arms carry its name. "
        f"{n_old or 0:,} of {n_trials:,} answers of this run are older than it: they came from the cache."
    ]
    there = {str(name) for column in ("base_prompt", "arm") for name in trials.get(column, pd.Series(dtype=str)).unique()}
    if not trials.empty and not there & {arm.name for arm in found.arms}:
        said.append(f"The run {found.run} is not there any more, or is another one, so its arms cannot be judged.")
    return said

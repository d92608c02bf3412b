"""Feedback loops round by round: pass@k, answers that flip, rounds and cost to solve, and what follows which emotion."""

from __future__ import annotations

from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, Plan
from promptlab.stats import wilson

ORACLE_NOTE = (
    "With an oracle: the scorer tells the loop when an answer is right, so a score says that one of the attempts was right (pass@k). "
    "It cannot be compared with single answers, and nobody has that oracle in use."
)
EMOTION_NOTE = (
    "More attempts, the news that an answer is wrong, and any remark at all can help. Only the difference to the same loop with "
    "affect-free remarks can be put down to emotion. The cues are promptlab's own; HEART's were never published."
)
Rows = list[dict[str, Any]]
WAYS = ("wrong_right", "wrong_wrong", "right_right", "right_wrong")
"""How an answer can differ from the one before it."""


def loop_rounds(trials: pd.DataFrame, calls: pd.DataFrame, plan: Plan) -> Rows:
    """One row for each model, loop, arm and round k (from 1).

    `pass_at_k` is the share of items of which any of the first k answers was right, with Wilson's interval; `accuracy` the share
    right at round k, where items that stopped before keep their last answer; `gained` and `lost` count answers that turned right
    or wrong at this round; `n_asked` is how many items were asked at it. Items without a score are left out.
    """
    loops = plan.looped
    found: Rows = []
    used = _used(trials, plan)
    answers = {str(trial): list(map(float, group)) for trial, group in _answers(calls, used["trial"]).groupby("trial", sort=False)["score"]}
    for (model, strategy, arm), group in used.groupby(["model", "strategy", "arm"], sort=False, observed=True):
        solved_at = loops[str(strategy)].solved_at
        right = {trial: [score >= solved_at for score in answers.get(trial, ())] for trial in group["trial"]}
        right = {trial: values for trial, values in right.items() if values}
        n, n_rounds = len(right), max(map(len, right.values()), default=0)
        for k in range(1, n_rounds + 1):
            asked = [values for values in right.values() if len(values) >= k]
            solved = sum(any(values[:k]) for values in right.values())
            low, high = wilson(solved, n, 0.95)
            found.append(
                {
                    "model": model, "loop": strategy, "arm": arm, "round": k, "n": n, "n_asked": len(asked), "pass_at_k": solved / n,
                    "ci_low": low, "ci_high": high, "accuracy": sum(values[min(k, len(values)) - 1] for values in right.values()) / n,
                    "gained": sum(k > 1 and values[k - 1] and not values[k - 2] for values in asked),
                    "lost": sum(k > 1 and not values[k - 1] and values[k - 2] for values in asked),
                }
            )  # fmt: skip
    return found


def loop_arms(trials: pd.DataFrame, plan: Plan) -> Rows:
    """One row for each model, loop and arm: items solved, rounds to solve (an unsolved item counts as one round more than there
    are), tokens, and USD for each solved item (None: nothing solved, or a price unknown).
    """
    loops = plan.looped
    found: Rows = []
    used = _used(trials, plan)
    for (model, strategy, arm), group in used.groupby(["model", "strategy", "arm"], sort=False, observed=True):
        loop = loops[str(strategy)]
        solved = group["solved_round"].notna()
        known = group["cost_usd"].notna().all()
        tokens = group[["input_tokens", "output_tokens"]]
        found.append(
            {
                "model": model, "loop": strategy, "arm": arm, "oracle": loop.oracle, "n": len(group),
                "n_solved": int(solved.sum()), "score": float(group["score"].mean()),
                "rounds_to_solve": float(group["solved_round"].astype("Float64").fillna(loop.rounds + 1).mean()),
                "rounds_asked": float(group["n_rounds"].mean()), "calls": float(group["n_calls"].mean()),
                "tokens": None if tokens.isna().any().any() else float(tokens.sum(axis=1).mean()),
                "usd_per_solved": float(group["cost_usd"].sum() / solved.sum()) if known and solved.any() else None,
            }
        )  # fmt: skip
    return found


def emotion_transitions(trials: pd.DataFrame, calls: pd.DataFrame, plan: Plan) -> Rows:
    """What followed the remarks of each emotion: one row for each model, loop, arm and emotion, with the counts of all four ways."""
    loops = plan.looped
    used = trials[trials["strategy"].isin(list(loops)) & trials["score"].notna()].set_index("trial")
    rows = _answers(calls, used.index)
    before = rows.groupby("trial", sort=False)["score"].shift()
    rows = rows.assign(before=before)[before.notna() & rows["emotion"].notna()]
    counts: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for trial, emotion, was, now in zip(rows["trial"], rows["emotion"], rows["before"], rows["score"], strict=True):
        info = used.loc[trial]
        solved_at = loops[info["strategy"]].solved_at
        key = (str(info["model"]), str(info["strategy"]), str(info["arm"]), str(emotion))
        way = ("right" if was >= solved_at else "wrong") + "_" + ("right" if now >= solved_at else "wrong")
        counts.setdefault(key, dict.fromkeys(WAYS, 0))[way] += 1
    return [
        dict(zip(("model", "loop", "arm", "emotion"), key, strict=True)) | {"n": sum(row.values())} | row for key, row in counts.items()
    ]


def _used(trials: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The scored trials of loops, arms in the order of the plan; the A/A arm answers once and stays out."""
    order = {arm.name: place for place, arm in enumerate(plan.arms)}
    used = trials[trials["strategy"].isin(list(plan.looped)) & trials["score"].notna() & (trials["arm"] != AA_ARM)]
    return used.sort_values("arm", key=lambda arms: arms.map(order), kind="stable")


def _answers(calls: pd.DataFrame, trials: pd.Index | pd.Series) -> pd.DataFrame:
    """The scored answers of these trials, by trial and turn."""
    rows = calls[(calls["purpose"] == "answer") & calls["trial"].isin(trials) & calls["score"].notna()]
    return rows.sort_values(["trial", "turn"])

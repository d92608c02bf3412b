"""Feedback loops round by round: pass@k, answers that flip, rounds and cost to solve, and what follows which emotion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, Plan
from promptlab.nouns.grouping import grouped
from promptlab.nouns.plan import PlannedLoop
from promptlab.stats import mean_score, wilson
from promptlab.strategies.loop import majority

ORACLE_NOTE = (
    "With an oracle: the scorer tells the loop when an answer is right, so a score says that one of the attempts was right (pass@k). "
    "It cannot be compared with single answers, and nobody has that oracle in use."
)
EMOTION_NOTE = (
    "More attempts, the news that an answer is wrong, any remark at all, and varied wording can help. Only the difference to the same loop "
    "with as many affect-free wordings can be attributed to emotion. The cues are promptlab's own; HEART's were never published."
)
Rows = list[dict[str, Any]]
LOOP_ARM = ["model", "strategy", "arm"]
WAYS = ("wrong_right", "wrong_wrong", "right_right", "right_wrong")
"""How an answer can differ from the one before it."""


def progress(trials: pd.DataFrame, calls: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row for each scored trial of a loop and each round (from 1) that was run, arms in the order of the plan.

    `right`: the answer that the round ended with; `seen`: any answer so far; `solved`: what the loop would answer were it to end here,
    and at the end its answer; `tokens` and `usd`: what the trial cost so far, NaN where that is not known.
    """
    loops = plan.looped
    used = _used(trials, plan)
    names = ("trial", "purpose", "round", "score", "text", "input_tokens", "output_tokens", "cost_usd")
    rows = calls[(calls["purpose"] != "score") & calls["trial"].isin(used["trial"])].sort_values(["trial", "turn"]).reindex(columns=names)
    typed = rows.astype(dict.fromkeys(names[-3:], float)).itertuples(index=False, name=None)
    made = grouped((str(trial), tuple(call)) for trial, *call in typed)
    found = []
    for trial, strategy, score in used[["trial", "strategy", "score"]].itertuples(index=False, name=None):
        found += [(trial, *row) for row in _rounds(made.get(str(trial), ()), loops[str(strategy)], float(score))]
    columns = ["trial", "round", "right", "seen", "solved", "tokens", "usd"]
    own = ["trial", "model", "strategy", "setting", "arm", "task", "item", "cluster"]
    return pd.DataFrame(found, columns=columns).merge(used.reindex(columns=own), on="trial", how="left")


def _rounds(calls: Sequence[tuple[Any, ...]], loop: PlannedLoop, score: float) -> Iterator[tuple[Any, ...]]:
    """The rounds of one trial; none where no answer of it has a score."""
    last = max((int(number) for purpose, number, *_ in calls if purpose == "answer"), default=-1)
    scores: list[float] = []
    texts: list[str] = []
    tokens = usd = 0.0
    for number in range(last + 1):
        here = [call for call in calls if min(int(call[1]), last) == number]
        answers = [(float(value), str(text)) for purpose, _, value, text, *_ in here if purpose == "answer" and pd.notna(value)]
        tokens += sum(n_input + n_output for *_, n_input, n_output, _ in here)
        usd += sum(price for *_, price in here)
        if not answers:
            return
        mine, said = map(list, zip(*answers, strict=True))
        scores += mine
        texts += said
        right = (max(mine) if loop.oracle else majority(mine, said)) >= loop.solved_at
        seen = max(scores) >= loop.solved_at
        solved = majority(scores, texts) >= loop.solved_at if loop.settle == "majority" else right
        solved = seen if loop.oracle else score >= loop.solved_at if number == last else solved
        yield number + 1, right, seen, solved, tokens, usd


class Held(NamedTuple):
    """One arm of a loop on one model: for each trial (rows) and round (columns) its state; what ended before stays as it is."""

    trials: Sequence[str]
    asked: np.ndarray
    """Whether a trial was run at a round."""
    values: Mapping[str, np.ndarray]
    """`right`, `seen`, `solved`, `tokens` and `usd`, as in `progress`."""
    items: np.ndarray
    """The place of each trial's item."""
    clusters: np.ndarray | None
    """Of each item, where items come in clusters."""

    def by_item(self, values: np.ndarray) -> np.ndarray:
        """The mean over the trials of each item."""
        sums: np.ndarray = np.bincount(self.items, weights=values)
        return sums / np.bincount(self.items)

    def share(self, values: np.ndarray) -> tuple[float, float | None, float | None]:
        """The mean over items with its 95 % interval, which is by item, or by cluster of items, never by trial."""
        means = self.by_item(values)
        if self.clusters is None and np.isin(means, (0.0, 1.0)).all():
            return float(means.mean()), *wilson(float(means.sum()), len(means), 0.95)
        mean, ci = mean_score([(means, self.clusters)])
        return mean, *(ci or (None, None))


def held(rows: pd.DataFrame) -> Held:
    """The rows of `progress` of one arm on one model."""
    trials, names = pd.factorize(rows["trial"])
    at = trials, rows["round"].to_numpy() - 1
    asked = np.zeros((len(names), int(rows["round"].max())), dtype=bool)
    asked[at] = True
    values = {}
    for name in ("right", "seen", "solved", "tokens", "usd"):
        values[name] = np.zeros(asked.shape)
        values[name][at] = rows[name].to_numpy(dtype=float)
        for k in range(1, asked.shape[1]):
            values[name][:, k] = np.where(asked[:, k], values[name][:, k], values[name][:, k - 1])
    own = rows.drop_duplicates("trial")
    items, _ = pd.factorize(own["task"].astype(str) + "\0" + own["item"].astype(str))
    first = own[~pd.Series(items, index=own.index).duplicated()]
    named = first["cluster"].notna()
    clusters = (
        first["task"].astype(str) + "\0" + first["cluster"].astype(object).where(named, first["item"].astype(object)).astype(str)
    ).to_numpy(dtype=object)
    return Held(list(map(str, names)), asked, values, items, clusters if named.any() else None)


def loop_rounds(steps: pd.DataFrame) -> Rows:
    """One row for each model, loop, arm and round k (from 1) of the rows of `progress`. Shares are over items, with 95 % intervals.

    `solved` is the share that the loop has solved by then: with an oracle by any of the answers so far (pass@k, given for every loop as
    `pass_at_k`), else by what it would answer were it to end there. `accuracy` is the share right at round k, where trials that
    stopped before keep their last answer; `gained` and `lost` count answers that turned right or wrong at this round; `n_asked` trials
    were run at it. `tokens` and `usd` are what an item cost so far.
    """
    found: Rows = []
    for (model, strategy, arm), group in steps.groupby(LOOP_ARM, sort=False, observed=True):
        of_arm = held(group)
        right = of_arm.values["right"]
        change = np.diff(right, axis=1, prepend=right[:, :1])
        for k in range(right.shape[1]):
            solved, low, high = of_arm.share(of_arm.values["solved"][:, k])
            accuracy, accuracy_low, accuracy_high = of_arm.share(right[:, k])
            spent = {name: of_arm.by_item(of_arm.values[name][:, k]).mean() for name in ("tokens", "usd")}
            found.append(
                {
                    "model": model, "loop": strategy, "arm": arm, "round": k + 1, "n": int(of_arm.items.max()) + 1,
                    "n_asked": int(of_arm.asked[:, k].sum()), "pass_at_k": float(of_arm.by_item(of_arm.values["seen"][:, k]).mean()),
                    "solved": solved, "ci_low": low, "ci_high": high,
                    "accuracy": accuracy, "accuracy_low": accuracy_low, "accuracy_high": accuracy_high,
                    "gained": int((change[:, k] > 0).sum()), "lost": int((change[:, k] < 0).sum()),
                    **{name: None if pd.isna(value) else float(value) for name, value in spent.items()},
                }
            )  # fmt: skip
    return found


def loop_arms(trials: pd.DataFrame, steps: pd.DataFrame, plan: Plan) -> Rows:
    """One row for each model, loop and arm: items solved, rounds to solve with a 95 % interval by item, tokens, and USD for each solved
    answer (None: nothing solved, or a price unknown).

    Without an oracle solved means that the loop's final answer is right, and takes every round that was run. What is not solved
    counts as one round more than there are.
    """
    loops = plan.looped
    found: Rows = []
    used = _used(trials, plan).set_index("trial")
    for (model, strategy, arm), rows in steps.groupby(LOOP_ARM, sort=False, observed=True):
        loop, of_arm = loops[str(strategy)], held(rows)
        group = used.loc[list(of_arm.trials)]
        solved = of_arm.values["solved"][:, -1] > 0
        took = 1 + (of_arm.values["seen"] == 0).sum(axis=1) if loop.oracle else of_arm.asked.sum(axis=1)
        took = np.where(solved, took, loop.rounds + 1)
        rounds = [None if end is None else 1 + loop.rounds * end for end in of_arm.share((took - 1) / loop.rounds)]
        known = group["cost_usd"].notna().all()
        tokens = group[["input_tokens", "output_tokens"]]
        found.append(
            {
                "model": model, "loop": strategy, "arm": arm, "oracle": loop.oracle, "n": int(of_arm.items.max()) + 1,
                "answers": len(group), "n_solved": int(solved.sum()), "score": float(group["score"].mean()),
                "rounds_to_solve": rounds[0], "rounds_low": rounds[1], "rounds_high": rounds[2],
                "rounds_asked": float(group["n_rounds"].mean()), "calls": float(group["n_calls"].mean()),
                "tokens": None if tokens.isna().any().any() else float(tokens.sum(axis=1).mean()),
                "usd_per_solved": float(group["cost_usd"].sum() / solved.sum()) if known and solved.any() else None,
            }
        )  # fmt: skip
    return found


def emotion_transitions(steps: pd.DataFrame, calls: pd.DataFrame) -> Rows:
    """What followed the remarks of each emotion: one row for each model, loop, arm and emotion, with the counts of all four ways."""
    said = calls[(calls["purpose"] == "answer") & calls["emotion"].notna()].drop_duplicates(["trial", "round"])
    if steps.empty or said.empty:
        return []
    after = steps.assign(before=steps.groupby("trial", sort=False)["right"].shift(), index=steps["round"] - 1)
    after = after.merge(said[["trial", "round", "emotion"]], left_on=["trial", "index"], right_on=["trial", "round"])
    after = after[after["before"].notna()]
    found = []
    for key, group in after.groupby([*LOOP_ARM, "emotion"], sort=False, observed=True):
        words = {True: "right", False: "wrong"}
        ways = (group["before"].astype(bool).map(words) + "_" + group["right"].astype(bool).map(words)).value_counts()
        place = zip(("model", "loop", "arm", "emotion"), map(str, key), strict=True)
        found.append({**dict(place), "n": len(group), **{way: int(ways.get(way, 0)) for way in WAYS}})
    return found


def _used(trials: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The scored trials of loops, by model, loop and arm in the order of the plan; the A/A arm answers once and stays out."""
    arms = dict.fromkeys(arm.name for arm in plan.arms)
    order = {name: place for names in (plan.model_of, plan.looped, arms) for place, name in enumerate(names)}
    used = trials[trials["strategy"].isin(list(plan.looped)) & trials["score"].notna() & (trials["arm"] != AA_ARM)]
    return used.sort_values(LOOP_ARM, key=lambda names: names.astype(str).map(order), kind="stable")

"""What would be found of an arm where a judge scores the answers, and people rate a random part of them; on made-up answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promptlab.nouns import UsageProblem, counted
from promptlab.planning.calibrate import JudgedRates, one_arm, rate
from promptlab.planning.made_up import Answers, made_up
from promptlab.planning.study import Study
from promptlab.stats import Labels, Pairs, anchored, infer


def judged_by(study: Study, sweeps: int, effect: float, answers: Answers, *, n_labels: int, errors: float, bias: float) -> JudgedRates:
    """The first planted arm on the first model where a judge scores and people rate a random part of the items.

    What people would say is made up like scores; the judge errs, and likes the treatment. UsageProblem where items are too few.
    """
    one = one_arm(study)
    place = pd.factorize(pd.MultiIndex.from_frame(one.rows[["task", "item"]].astype(str)))[0]
    task = pd.factorize(one.rows["task"])[0][np.unique(place, return_index=True)[1]]
    sides = [np.bincount(place, weights=side) for side in (one.arm.rows, ~one.arm.rows)]
    most = int(task.max()) + 1
    if not 2 * most <= n_labels <= len(task) - 2 * most:
        raise UsageProblem(f"--labels {n_labels}: people rate at least 2 items of each task, and not all of the {counted(len(task))}")

    def difference(scores: np.ndarray) -> np.ndarray:
        first, second = (
            np.bincount(place, weights=scores * side) / n for side, n in zip((one.arm.rows, ~one.arm.rows), sides, strict=True)
        )
        found: np.ndarray = first - second
        return found

    rng = np.random.default_rng(study.design.seed)
    seen: dict[float, list[tuple[bool, bool]]] = {0.0: [], effect: []}
    for true, findings in seen.items():
        for _ in range(sweeps):
            people = made_up(one.rows, one.shape, answers, rng, (one.arm, true))["score"].to_numpy()
            judge = np.where(rng.random(len(people)) < errors, 1 - people, people)
            judge = np.where(one.arm.rows & (rng.random(len(people)) < bias), 1.0, judge)
            rated = np.zeros(len(task), dtype=bool)
            for t in range(most):
                mine = np.flatnonzero(task == t)
                rated[rng.choice(mine, max(2, round(n_labels * len(mine) / len(task))), replace=False)] = True
            y, f = difference(people), difference(judge)
            of_tasks = [(task == t) for t in range(most)]
            alone = infer([Pairs("", f[mine], np.zeros(mine.sum()), None, int(mine.sum())) for mine in of_tasks])
            both = anchored([Labels(y[mine & rated], f[mine & rated], f[mine & ~rated]) for mine in of_tasks])
            findings.append(((alone.p_value or 0.0) <= one.plan.alpha, both.p_value <= one.plan.alpha))
    null, planted = ([rate(sum(own), sweeps) for own in zip(*findings, strict=True)] for findings in seen.values())
    return JudgedRates(
        n_labels=n_labels, n_items=len(task), errors=errors, bias=bias, judge_alone=null[0], with_labels=null[1], found=planted[1]
    )

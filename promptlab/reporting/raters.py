"""Ratings rater by rater: what each says of an arm, and a check of the mean that takes items and raters as random."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promptlab.nouns import Plan
from promptlab.reporting.people import People, contrasts, drawn, judgings, rated, rater_tables
from promptlab.reporting.table import Table, table
from promptlab.stats import Labels, anchored, crossed, interval, points

BY_RATER_NOTE = "Differences to the baseline in points, between answers that this rater rated; within the random sample."
CROSSED_NOTE = (
    "A check, not a verdict: the mean over items, with items and raters as crossed random effects (raters like these), by the method of "
    "moments. Standard deviations in points. With two or three raters the interval is wide, because their taste is hardly known."
)


def rater_table(trials: pd.DataFrame, plan: Plan, found: People) -> list[Table]:
    """The difference of each arm to the baseline by each rater, and over raters like these; without rows where nobody rated."""
    if not found.ratings:
        return []
    tables, rows, over = rater_tables(found, trials), [], []
    for task in judgings(plan):
        items = drawn(plan, task, map(str, trials.loc[(trials["task"] == task) & trials["score"].notna(), "item"]))
        for name, contrast in contrasts(plan).items():
            people = rated(contrast, task, tables, items)
            if not people.by_rater:
                continue
            for rater, of_items in people.by_rater.items():
                y = np.array(list(of_items.values()))
                rest = anchored([Labels(y, y, y[:0])]) if len(y) > 1 else None
                said = interval(rest.human_low, rest.human_high) if rest else "-"
                rows.append([task, name, rater, str(len(y)), points(float(y.mean())), said])
            of = [(value, item, rater) for rater, found_ in people.by_rater.items() for item, value in found_.items()]
            try:
                d, of_item, of_rater = (list(column) for column in zip(*of, strict=True))
                one = crossed(d, of_item, of_rater)
            except ValueError:  # one rater, or no item with two
                continue
            sds = [f"{100 * sd:.1f}" for sd in (one.sd_items, one.sd_raters, one.sd_rest)]
            over.append([task, name, str(one.n_items), str(one.n_raters), points(one.estimate), interval(one.ci_low, one.ci_high), *sds])
    rows += [["-", "-", rater, "0", "-", f"does not count: {why}"] for rater, why in found.left_out.items()]
    place = ("task", "arm")
    return [
        table("Differences by rater", BY_RATER_NOTE, (*place, "rater", "items", "points", "95 % CI"), rows),
        table(
            "Items and raters as random effects", CROSSED_NOTE,
            (*place, "items", "raters", "points", "95 % CI", "SD of items", "SD of raters", "SD of the rest"), over,
        ),
    ]  # fmt: skip

"""Counts, sums and quantiles of a run's trials by model, setting and arm, computed where the trials lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from promptlab.nouns import BAD_ENDS, Setting
from promptlab.reporting.store import RIGHT, Store, records

FLAGS = ("compliant", "echoed", "declined")
Row = dict[str, Any]
SUMS = f"""
    WITH kinds AS (
        SELECT model, setting, arm, outcome, cached, compliant, echoed, declined,
            attempts > greatest(n_calls, 1) AS again, score >= {RIGHT} AS is_right, outcome <> 'error' AS fine,
            count(*) AS n, count(score) AS n_scored, count(cost_usd) AS n_priced, count(paid_usd) AS n_paid,
            sum(cost_usd) AS cost_usd, sum(paid_usd) AS paid_usd, sum(input_tokens)::DOUBLE AS input_tokens,
            sum(output_tokens)::DOUBLE AS output_tokens, count(input_tokens) AS n_input, count(output_tokens) AS n_output,
            sum(n_calls) AS n_calls, sum(latency_s) AS latency_s, max(attempts) AS most_attempts
        FROM trials GROUP BY ALL
    )
    SELECT model, setting, arm, sum(n) AS n, sum(n) FILTER (WHERE fine) AS n_fine, sum(n_scored) AS n_scored,
        sum(n) FILTER (WHERE is_right) AS n_right, sum(n - n_priced) FILTER (WHERE fine) AS n_unpriced,
        sum(n - n_paid) FILTER (WHERE fine) AS n_unpaid, sum(cost_usd) AS cost_usd, sum(paid_usd) AS paid_usd,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(latency_s) FILTER (WHERE fine) AS latency_s,
        sum(n_input) AS n_input, sum(n_output) AS n_output, sum(n_calls) AS n_calls, sum(n) FILTER (WHERE cached) AS n_cached,
        sum(n) FILTER (WHERE again) AS n_again, max(most_attempts) AS most_attempts,
        {", ".join(f"sum(n) FILTER (WHERE outcome = '{end}') AS {end}" for end in BAD_ENDS)},
        {", ".join(f"sum(n) FILTER (WHERE {flag}) AS {flag}, sum(n) FILTER (WHERE {flag} IS NOT NULL) AS n_{flag}" for flag in FLAGS)}
    FROM kinds GROUP BY ALL ORDER BY model, setting
"""  # noqa: S608 (fixed text)
"""One row for each arm of a model and setting, in two steps: the first leaves few rows, so that the many sums of the second are quick."""
KEY = ("model", "setting", "arm")
AMOUNTS = ("cost_usd", "paid_usd", "input_tokens", "output_tokens", "latency_s")
SPREADS = """
    SELECT arm, quantile_disc(input_tokens, [0.5, 0.95]) AS input_tokens, quantile_disc(output_tokens, [0.5, 0.95]) AS output_tokens,
        quantile_disc(latency_s, [0.05, 0.5, 0.95]) FILTER (WHERE outcome <> 'error') AS latency_s,
        count(input_tokens) AS n_input_tokens, count(output_tokens) AS n_output_tokens,
        count(*) FILTER (WHERE outcome <> 'error') AS n_latency_s
    FROM trials WHERE model = ? AND setting = ? GROUP BY arm
"""
AGAIN = """
    WITH asked AS (
        SELECT task, item, base_prompt, count(score) AS n_scored, max(score) - min(score) < 1e-9 AS same_score,
            count(*) FILTER (WHERE outcome <> 'error') AS n_texts,
            min(hash(answer)) FILTER (WHERE outcome <> 'error') = max(hash(answer)) FILTER (WHERE outcome <> 'error') AS same_text
        FROM trials
        WHERE model = ? AND setting = ? AND list_contains(?, arm) AND replicate < ?
        GROUP BY task, item, base_prompt
    )
    SELECT task, count(*) FILTER (WHERE n_scored > 1) AS n_scored, count(*) FILTER (WHERE n_scored > 1 AND same_score) AS same_score,
        count(*) FILTER (WHERE n_texts > 1) AS n_texts, count(*) FILTER (WHERE n_texts > 1 AND same_text) AS same_text,
        max(n_texts) AS most
    FROM asked GROUP BY task
"""
EVERY_REPLICATE = 2_147_483_647


def sums_of(store: Store) -> list[Row]:
    """Counts and sums of every arm of every model and setting; what nothing was recorded of is 0."""
    return [
        {
            name: value if name in KEY else (0 if pd.isna(value) else float(value) if name in AMOUNTS else int(value))
            for name, value in row.items()
        }
        for row in records(store.query(SUMS))
    ]


def by_arm(store: Store, sums: Sequence[Row], model: str, setting: Setting) -> list[Row]:
    """The sums of one model and setting, one row for each recorded arm in the plan's order."""
    found = {row["arm"]: row for row in sums if (row["model"], row["setting"]) == (model, setting.id)}
    return [found[arm] for arm in store.arms if arm in found]


def spreads_of(store: Store, model: str, setting: Setting) -> dict[str, Row]:
    """Quantiles by arm: median and p95 of tokens, and p5, median and p95 of seconds; None where nothing is known."""
    n_of = {"input_tokens": 2, "output_tokens": 2, "latency_s": 3}
    return {
        str(row["arm"]): {name: [None] * n if row[f"n_{name}"] == 0 else list(row[name]) for name, n in n_of.items()}
        for row in records(store.query(SPREADS, [model, setting.id]))
    }


def asked_again(store: Store, model: str, setting: Setting, arms: Sequence[str], below: int) -> list[Row]:
    """Questions with more than one answer in these arms, of replicates below a number: how many agree, over all tasks and in each."""
    found = {str(row["task"]): row for row in records(store.query(AGAIN, [model, setting.id, list(arms), below]))}
    counts = ("n_scored", "same_score", "n_texts", "same_text")
    rows: list[Row] = [
        {"task": task, **{name: int(found[task][name]) for name in (*counts, "most")}}
        for task in store.tasks
        if task in found and (found[task]["n_texts"] or found[task]["n_scored"])
    ]
    if len(rows) < 2:
        return rows
    total = {name: sum(int(row[name]) for row in rows) for name in counts}
    return [{"task": "all tasks", **total, "most": max(int(row["most"]) for row in rows)}, *rows]

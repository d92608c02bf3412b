"""What a run cost, and whether its answers can be relied on: facts and tables.

Spending, tokens and time; answers that are missing or ended badly, arm by arm; whether repeats agree; what the requests
needed; and the form of the answers. Everything is aggregated where the trials lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, BAD_ENDS, OUTCOMES, Setting, counted, grouped
from promptlab.reporting.arm_names import arm_named, arm_sql, of_prompts
from promptlab.reporting.prepared import RIGHT, Store, records
from promptlab.reporting.table import Table
from promptlab.reporting.words import or_unknown
from promptlab.stats import unpaired_difference, wilson

FLAGS = ("compliant", "echoed", "declined")
Row = dict[str, Any]
SUMS = f"""
    WITH kinds AS (
        SELECT model, setting, {{arm}} AS arm, outcome, cached, compliant, echoed, declined,
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
    SELECT {arm} AS arm, quantile_disc(input_tokens, [0.5, 0.95]) AS input_tokens,
        quantile_disc(output_tokens, [0.5, 0.95]) AS output_tokens,
        quantile_disc(latency_s, [0.05, 0.5, 0.95]) FILTER (WHERE outcome <> 'error') AS latency_s,
        count(input_tokens) AS n_input_tokens, count(output_tokens) AS n_output_tokens,
        count(latency_s) FILTER (WHERE outcome <> 'error') AS n_latency_s
    FROM trials WHERE model = ? AND setting = ? GROUP BY ALL
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
CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
LOST, BAD = "no score: the call failed", "any other end than ok"
SAME_SCORE, SAME_TEXT = "the same score", "the same text"
NAMED = 3
"""Arms that the sentence about missing answers names."""
MEASURES = (("input_tokens", "n_input", "{:.1f}"), ("output_tokens", "n_output", "{:.1f}"), ("latency_s", "n_fine", "{:.3f}"))
"""What is measured of an answer, of how many it is known, and how a mean of it is written."""
SPEND_NOTE = (
    "Price: what the answers cost where they are paid for, those from the cache included. Paid: what this run paid, so nothing for the "
    "cache. Failed calls have no known price and are left out. A score of one half or more counts as right."
)
COST_NOTE = "What 1,000 right answers cost in each arm: what adds tokens has to earn them. Unknown as soon as one price is."
TIME_NOTE = (
    "Of calls that did not fail. A p95 is the value that 95 of 100 answers do not pass; time is what the provider took, and an answer "
    "from the cache keeps the time of its first request."
)
MISSING_NOTE = (
    "How trials ended, with Wilson's 95 % interval. Only a failed call has no score; all other answers are scored as they are, so those "
    "that were cut, refused or empty mostly count as wrong."
)
AGAIN_NOTE = (
    "One question is one item under one base prompt; it counts as the same only if all of its answers are. Wilson's 95 % interval over "
    "questions."
)
ONCE_NOTE = "Every question is sent once in each arm; an experiment with replicates: 2 sends it again, and this table then shows changes."
NO_AA_NOTE = "This run asks the prompt without added text only once, so how much answers vary by themselves is not known."
AA_NOTE = (
    "The prompt without added text and its planned repeat none_aa: the first answer of each, question by question. What differs here "
    "differs without any cause that the experiment knows."
)
REQUESTS_NOTE = "Sent again: trials with more requests than calls, because the provider failed or refused for the moment."
FORM_NOTE = "Of the answers for which it is known: in the requested form, the input said back, a refusal in words. No score depends on it."


def sums_of(store: Store) -> list[Row]:
    """Counts and sums of every arm of every model and setting; what nothing was recorded of is 0."""
    return [
        {
            name: value if name in KEY else (0 if pd.isna(value) else float(value) if name in AMOUNTS else int(value))
            for name, value in row.items()
        }
        for row in records(store.query(SUMS.format(arm=arm_sql(store))))
    ]


def by_arm(store: Store, sums: Sequence[Row], model: str, setting: Setting) -> list[Row]:
    """The sums of one model and setting, one row for each recorded arm in the plan's order."""
    found = {row["arm"]: row for row in sums if (row["model"], row["setting"]) == (model, setting.id)}
    prompts = [prompt.name for prompt in store.plan.prompts] if of_prompts(store) else [""]
    return [found[name] for prompt in prompts for arm in store.arms if (name := arm_named(store, prompt, arm)) in found]


def spreads_of(store: Store, model: str, setting: Setting) -> dict[str, Row]:
    """Quantiles by arm: median and p95 of tokens, and p5, median and p95 of seconds; None where nothing is known."""
    n_of = {"input_tokens": 2, "output_tokens": 2, "latency_s": 3}
    return {
        str(row["arm"]): {name: [None] * n if row[f"n_{name}"] == 0 else list(row[name]) for name, n in n_of.items()}
        for row in records(store.query(SPREADS.format(arm=arm_sql(store)), [model, setting.id]))
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


def unpriced(store: Store, sums: Sequence[Row]) -> list[str]:
    """Which models have answers whose price is unknown, how many, and why."""
    prices = store.manifest.prices
    found = []
    for model in store.models:
        n = sum(row["n_unpriced"] for row in sums if row["model"] == model)
        if n:
            why = "the provider did not say how many tokens they took" if prices.get(model) else "nobody says what the model costs"
            found.append(f"{model}: the price of {counted(n, 'answer')} is unknown, because {why}. It is counted nowhere, and is not 0.")
    return found


def spend_table(store: Store, sums: Sequence[Row]) -> Table:
    """Every model and setting: what was paid, what the answers cost, tokens, and the price of 1,000 right answers."""
    rows = []
    for model, setting, total in _by_setting(store, sums):
        simulated = store.plan.model_of[model].simulated
        paid = "nothing (simulated)" if simulated else usd(total["paid_usd"], total["n_unpaid"], total["n_fine"])
        rows.append(
            (
                model, setting, f"{total['n']:,}", paid, _price(total, simulated), f"{total['n_unpriced']:,}",
                *(or_unknown(total[f"{way}_tokens"] if total[f"n_{way}"] else None, "{:,.0f}") for way in ("input", "output")),
                f"{total['n_right']:,}", each(total, simulated),
            )
        )  # fmt: skip
    columns = [
        "model", "setting", "trials", "paid by this run", "price of the answers", "price unknown", "input tokens", "output tokens",
        "right answers", "price of 1,000 right answers",
    ]  # fmt: skip
    return Table("What it cost", SPEND_NOTE, pd.DataFrame(rows, columns=columns))


def cost_table(arms: Sequence[Row], simulated: bool) -> Table:
    """The arms of one model: right answers, what all answers cost, and what a right one does."""
    rows = [
        (row["arm"], f"{row['n']:,}", f"{row['n_right']:,}", _price(row, simulated), f"{row['n_unpriced']:,}", each(row, simulated))
        for row in arms
    ]
    columns = ["arm", "trials", "right answers", "price of the answers", "price unknown", "price of 1,000 right answers"]
    return Table("What a right answer costs", COST_NOTE, pd.DataFrame(rows, columns=columns))


def time_table(arms: Sequence[Row], spreads: Mapping[str, Row]) -> Table:
    """The arms of one model: mean, median and p95 of tokens and seconds."""
    rows = []
    for row in arms:
        own: list[str] = [row["arm"], f"{row['n_fine']:,}"]
        for name, n, form in MEASURES:
            spread = spreads[row["arm"]][name]
            own.append(or_unknown(row[name] / row[n] if row[n] else None, form))
            own += [or_unknown(value, form.replace(".1f", ".0f")) for value in spread[-2:]]
        rows.append(own)
    columns = ["arm", "answers"]
    for name in ("input tokens", "output tokens", "seconds"):
        columns += [f"{name}: mean", f"{name}: median", f"{name}: p95"]
    return Table("Tokens and time", TIME_NOTE, pd.DataFrame(rows, columns=columns))


def time_rows(arms: Sequence[Row], spreads: Mapping[str, Row]) -> list[Row]:
    """The points of the chart of times."""
    found = []
    for row in arms:
        low, middle, high = spreads[row["arm"]]["latency_s"]
        if middle is not None:
            words = f"{middle:.3f} s ({low:.3f} to {high:.3f})"
            found.append({"row": row["arm"], "kind": "median", "value": middle, "low": low, "high": high, "words": words})
    return found


def missing_table(arms: Sequence[Row]) -> Table:
    """The arms of one model: trials without a score, and every bad end, as n, % and interval."""
    rows = [(row["arm"], f"{row['n']:,}", share(_n_lost(row), row["n"]), *(share(row[end], row["n"]) for end in BAD_ENDS)) for row in arms]
    columns = ["arm", "trials", "no score", *(OUTCOMES[end] for end in BAD_ENDS)]
    return Table("Missing answers", MISSING_NOTE, pd.DataFrame(rows, columns=columns))


def missing_rows(arms: Sequence[Row]) -> list[Row]:
    """The points of the chart of missing answers: two for each arm, in percent."""
    found = []
    for row in arms:
        found += [_point(row["arm"], kind, k, row["n"]) for kind, k in ((LOST, _n_lost(row)), (BAD, _n_bad(row)))]
    return found


def uneven(arms: Sequence[Row], base: str) -> list[str]:
    """A sentence for each way of going missing in which an arm differs from the baseline, else one that none does.

    Newcombe's interval of two independent shares, Bonferroni's level over the arms; the pairing by item makes it cautious.
    """
    baseline = next((row for row in arms if row["arm"] == base), None)
    others = [row for row in arms if row["arm"] != base]
    if baseline is None or not others:
        return []
    found = []
    for what, count in (("no score", _n_lost), (BAD, _n_bad)):
        differ = []
        reference = _scores(count(baseline), baseline["n"])
        for row in others:
            gap = unpaired_difference(_scores(count(row), row["n"]), reference, conf=1 - ALPHA / len(others))
            low, high = gap.ci or (0.0, 0.0)
            if low > 0 or high < 0:
                words = f"{100 * gap.diff:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"
                differ.append((abs(gap.diff), f"{row['arm']} {_percent(count(row), row['n'])} ({words})"))
        if differ:
            differ.sort(reverse=True)
            more = f", and {len(differ) - NAMED} more arms" if len(differ) > NAMED else ""
            found.append(
                f"Arms differ in how many trials have {what}: {base} {_percent(count(baseline), baseline['n'])}, "
                f"{', '.join(words for _, words in differ[:NAMED])}{more}. What is missing may be the effect. Where the answers "
                "that only one side lost could turn a verdict, none is given."
            )
    ways = "in how many trials have no score or end otherwise than ok"
    return found or [f"No arm differs from {base} by more than chance allows {ways} (95 % intervals over {len(others)} arms together)."]


def _scores(k: int, n: int) -> np.ndarray:
    """`k` ones and the rest zeros."""
    return np.repeat([1.0, 0.0], [k, n - k])


def again_table(store: Store, again: Sequence[Row], arm: str) -> Table:
    """Task by task, how often all repeats of a question got the same score, and gave the same text."""
    note = f"Arm {arm}. {AGAIN_NOTE}" if store.plan.replicates > 1 else ONCE_NOTE
    return Table("Do repeats agree?", note, _agreement_frame(again))


def aa_table(store: Store, twice: Sequence[Row]) -> Table:
    """Task by task, how often the baseline and its planned repeat agree."""
    note = AA_NOTE if AA_ARM in store.arms else NO_AA_NOTE
    return Table("The baseline against its own repeat", note, _agreement_frame(twice))


def _agreement_frame(rows: Sequence[Row]) -> pd.DataFrame:
    shown = [
        (
            row["task"], f"{row['n_texts']:,}", f"{row['most']}", share(row["same_score"], row["n_scored"]),
            share(row["same_text"], row["n_texts"]),
        )
        for row in rows
    ]  # fmt: skip
    return pd.DataFrame(shown, columns=["task", "questions sent again", "answers each, at most", SAME_SCORE, SAME_TEXT])


def agreement_rows(rows: Sequence[Row]) -> list[Row]:
    """The points of a chart of agreement: two for each task, in percent."""
    return [
        _point(row["task"], kind, row[k], row[n])
        for row in rows
        for kind, k, n in ((SAME_SCORE, "same_score", "n_scored"), (SAME_TEXT, "same_text", "n_texts"))
        if row[n]
    ]


def request_table(store: Store, sums: Sequence[Row]) -> Table:
    """Every model and setting: calls, answers from the cache, and how many trials needed another request."""
    rows = [
        (
            model, setting, f"{total['n']:,}", f"{total['n_calls']:,}", share(total["n_cached"], total["n"]),
            share(total["n_again"], total["n"]), f"{total['most_attempts']:,}", share(total["error"], total["n"]),
        )
        for model, setting, total in _by_setting(store, sums)
    ]  # fmt: skip
    columns = ["model", "setting", "trials", "calls", "from the cache", "sent again", "requests of one trial, at most", "failed for good"]
    return Table("Requests", REQUESTS_NOTE, pd.DataFrame(rows, columns=columns))


def form_table(arms: Sequence[Row]) -> Table:
    """The arms of one model: answers in the requested form, echoes of the input, refusals in words."""
    rows = [(row["arm"], f"{row['n_fine']:,}", *(share(row[flag], row[f"n_{flag}"]) for flag in FLAGS)) for row in arms]
    columns = ["arm", "answers", "in the requested form", "echoes", "declined"]
    return Table("Form of the answers", FORM_NOTE, pd.DataFrame(rows, columns=columns))


def share(k: int, n: int) -> str:
    """`k`, its percentage of `n` and Wilson's interval of that."""
    if not n:
        return "unknown"
    low, high = wilson(k, n, CONFIDENCE)
    return f"{k:,} ({_percent(k, n)}, {100 * low:.1f} to {100 * high:.1f})"


def usd(value: float, n_unknown: int, n: int) -> str:
    """An amount; at least that where some of `n` are unknown, unknown where all are."""
    if n and n_unknown >= n:
        return "unknown"
    return f"{'at least ' if n_unknown else ''}${value:.4f}"


def each(total: Mapping[str, Any], simulated: bool) -> str:
    """The price of 1,000 right answers; unknown where one price is, and none where nothing is right."""
    if total["n_unpriced"] or not total["n_fine"]:
        return "unknown"
    if not total["n_right"]:
        return "no right answer"
    return f"{small(1000 * total['cost_usd'] / total['n_right'])}{' simulated' if simulated else ''}"


def small(usd: float) -> str:
    """An amount with three digits that count, and no fewer than cents."""
    digits = 2 if usd <= 0 else max(2, 2 - math.floor(math.log10(usd)))
    return f"${usd:.{digits}f}"


def _price(total: Mapping[str, Any], simulated: bool) -> str:
    words = usd(total["cost_usd"], total["n_unpriced"], total["n_fine"]) if total["n_fine"] else "unknown"
    return f"{words} simulated" if simulated and words != "unknown" else words


def _by_setting(store: Store, sums: Sequence[Row]) -> list[tuple[str, str, Row]]:
    """Model, setting in words, and the sums over its arms."""
    groups = grouped((tuple(row[name] for name in KEY[:-1]), row) for row in sums)
    found = []
    for (model, setting), rows in groups.items():
        total = {name: sum(row[name] for row in rows) for name in rows[0] if name not in KEY}
        total["most_attempts"] = max(row["most_attempts"] for row in rows)
        found.append((str(model), store.plan.setting_of[setting].words, total))
    return found


def _point(row: str, kind: str, k: int, n: int) -> Row:
    low, high = wilson(k, n, CONFIDENCE)
    words = f"{_percent(k, n)} ({100 * low:.1f} to {100 * high:.1f}) of {n:,}"
    return {"row": row, "kind": kind, "value": 100 * k / n, "low": 100 * low, "high": 100 * high, "words": words}


def _n_lost(row: Row) -> int:
    return int(row["n"] - row["n_scored"])


def _n_bad(row: Row) -> int:
    return int(sum(row[end] for end in BAD_ENDS if end != "error"))


def _percent(k: int, n: int) -> str:
    return f"{100 * k / n:.1f} %"

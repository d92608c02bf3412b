"""Judged runs next to the papers' judged tables: EmotionPrompt's human study (Figure 5), and TruthfulQA of both papers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pandas as pd

from promptlab.design.cross import SWAPPED
from promptlab.nouns import NONE_ARM, Plan
from promptlab.record.ratings import ratings_of
from promptlab.record.store import Run
from promptlab.reporting.people import judgings
from promptlab.reporting.replicate import CITED, COT_ARM, KEYS, Paper, figures, stimuli_of
from promptlab.reporting.table import Table, table
from promptlab.stats import Labels, anchored, interval, item_tables, points

HUMAN_STUDY = ("performance", "truthfulness", "responsibility")
TRUTHFUL = ("true", "info")
BOTH = "true and info"
LEAST_ITEMS = 2
AVERAGE = "average over the sentences"
BASELINE = "no added text"
ROWS = {"Original": BASELINE, "+Zero-shot-CoT": "zero-shot chain of thought", "AVG": AVERAGE, "Vanilla": BASELINE, "EmotionPrompt": AVERAGE}
"""Conditions of the papers' tables, and what they are called here; every other is the code of a sentence."""
INTERVALS = "Intervals are of single gains, paired by question; verdicts are in the report."
QUESTIONS = "The papers asked the 817 questions of TruthfulQA; the task as shipped asks 24 of our own."
TRUTHFUL_NOTE = (
    "Scores in %, gains in points. The papers' judges were fine-tuned models that are gone: these figures are another judge's. A refusal "
    f"is true and says nothing: only 'true and info' counts both, and no paper prints it. {QUESTIONS} {INTERVALS}"
)
BEST_NOTE = (
    " The abstract's 19 % and 12 % are the best of eleven sentences, chosen for each model and measure on these very questions; the "
    "table's own averages over the models are +3 and -5 points."
)
HUMAN_NOTE = (
    "Means on the scale from 1 to 5; the judge's gains in points of 100. The paper's figures are digitised from Figure 5: one answer of "
    "GPT-4 for each question, 106 raters, no placebo; its 10.9 % is the mean of the three relative gains. Question 29 has a text of ours. "
    + INTERVALS
)
BINARY_NOTE = (
    "Neither paper has this figure. Accuracy in % over both orders, and gains in points; same: the share of questions whose two orders "
    f"have one answer; first: how often the first option is the answer, 50 % without a habit of place. {QUESTIONS} {INTERVALS}"
)


def study_tables(run: Run, paper: Paper) -> list[Table]:
    """A run's judged studies next to what the paper prints of them; none where the run holds no such study."""
    plan, trials = run.plan, run.trials()
    mine = trials[trials["score"].notna()]
    found = []
    for task in plan.tasks:
        rows = mine[mine["task"] == task.name]
        rubrics = tuple(judgings(plan)[task.name].rubrics) if task.name in judgings(plan) else ()
        if rubrics == TRUTHFUL:
            found.append(_truthful(rows, plan, paper))
        elif rubrics == HUMAN_STUDY and paper == "emotionprompt":
            found.append(_human(rows, run, paper))
        elif rows["item"].astype(str).str.endswith(SWAPPED).any():
            found.append(_binary(rows, run, paper))
    return [one for one in found if len(one.frame)]


def _published(paper: Paper, task: str) -> dict[tuple[str, str], dict[str, float]]:
    """What the paper prints of a task: by row and measure the figure of each of its models."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in figures():
        if KEYS.get(row["paper"]) == paper and row["suite_or_task"] == task:
            measure = row["metric"].lstrip("%").split()[0].lower()
            place = ROWS.get(row["condition"], row["condition"]), measure
            found.setdefault(place, {})[row["model"]] = float(row["value"])
    return found


def _conditions(plan: Plan, paper: Paper) -> dict[str, list[str]]:
    """The rows of a study, and the arms of each: the baseline, chain of thought, every sentence of the paper, and their average."""
    sentences = stimuli_of(plan, paper)
    cot = {ROWS["+Zero-shot-CoT"]: [COT_ARM]} if COT_ARM in {arm.name for arm in plan.arms} else {}
    return {BASELINE: [NONE_ARM], **cot, **{name.rpartition("/")[2]: [name] for name in sentences}, AVERAGE: sentences}


def _measured(rows: pd.DataFrame, scores: Sequence[float], plan: Plan, paper: Paper) -> Iterator[tuple[str, str, float, str, str]]:
    """For each model and row of a study its mean, the gain over the baseline (paired by item), and the 95 % interval of the gain."""
    for (model, setting), of_task in item_tables(rows.assign(score=scores)).items():
        name = model if len(plan.settings) == 1 else f"{model} {plan.setting_of[setting].words}"
        for scored in of_task.values():
            for condition, arms in _conditions(plan, paper).items():
                pairs = scored.pairs(scored.mean(arms), scored.mean([NONE_ARM]))
                if len(pairs.d) < LEAST_ITEMS:
                    continue
                gain = anchored([Labels(pairs.d, pairs.d, pairs.d[:0], None if pairs.clusters is None else list(pairs.clusters))])
                said = ("-", "-") if condition == BASELINE else (points(gain.estimate), interval(gain.ci_low, gain.ci_high))
                yield name, condition, float(pairs.s.mean()), *said


def _truthful(rows: pd.DataFrame, plan: Plan, paper: Paper) -> Table:
    parts = [json.loads(text) for text in rows["parts"]]
    theirs = _published(paper, "truthfulqa")
    models = list(dict.fromkeys(model for of in theirs.values() for model in of))
    made = []
    for measure in (*TRUTHFUL, BOTH):
        scores = [min(part[name] for name in TRUTHFUL) if measure == BOTH else part[measure] for part in parts]
        for model, condition, mean, *gain in _measured(rows, scores, plan, paper):
            printed = theirs.get((condition, measure), {})
            said = [f"{100 * printed[name]:.0f}" if name in printed else "-" for name in models]
            made.append([model, measure, condition, *said, f"{100 * mean:.1f}", *gain])
    note = TRUTHFUL_NOTE + BEST_NOTE * (paper == "emotionprompt")
    heads = ("model", "measure", "row", *(f"paper: {name}" for name in models), "here", "gain here", "95 % CI")
    return table(f"TruthfulQA as generation, {_cited(paper, 'truthfulqa')}", note, heads, made)


def _human(rows: pd.DataFrame, run: Run, paper: Paper) -> Table:
    parts = [json.loads(text) for text in rows["parts"]]
    theirs, how = _published(paper, "human_study"), next(iter(judgings(run.plan).values()))
    arm_of = dict(zip(rows["trial"], rows["arm"], strict=True))
    rated = [(arm_of.get(one.trial_a), one.values) for one in ratings_of(run.folder) if one.kind == "rate"]
    arms, made = _conditions(run.plan, paper), []
    for rubric in HUMAN_STUDY:
        printed = {condition: next(iter(of.values())) for (condition, measure), of in theirs.items() if measure == rubric}
        for model, condition, mean, *gain in _measured(rows, [part[rubric] for part in parts], run.plan, paper):
            said = f"{printed[condition]:.2f}" if condition in printed else "-"
            relative = f"{100 * (printed[condition] / printed[BASELINE] - 1):+.1f} %" if condition == AVERAGE else "-"
            by_people = [float(values[rubric]) for arm, values in rated if arm in arms[condition] and rubric in values]
            people = f"{sum(by_people) / len(by_people):.2f} ({len(by_people)})" if by_people else "-"
            made.append([model, rubric, condition, said, relative, people, f"{how.low + (how.high - how.low) * mean:.2f}", *gain])
    heads = ("model", "rubric", "row", "paper", "paper's gain", "people here (ratings)", "judge here", "judge's gain, points", "95 % CI")
    return table(f"The human study, {_cited(paper, 'human_study')}", HUMAN_NOTE, heads, made)


def _binary(rows: pd.DataFrame, run: Run, paper: Paper) -> Table:
    options = {str(item["item"]): str(item["choices"][0]) for item in run.each_item() if item["choices"]}
    first = [float(options.get(str(item)) == answer) for item, answer in zip(rows["item"], rows["answer"], strict=True)]
    pair = [rows[name] for name in ("model", "setting", "arm", "replicate")] + [rows["item"].astype(str).str.removesuffix(SWAPPED)]
    same = (rows["answer"].groupby(pair, observed=True).transform("nunique") == 1).astype(float)
    of = [list(_measured(rows, scores, run.plan, paper)) for scores in ([*rows["score"]], [*same], first)]
    made = [
        [model, condition, "-", f"{100 * mean:.1f}", *gain, f"{100 * agreed[2]:.0f} %", f"{100 * habit[2]:.0f} %"]
        for (model, condition, mean, *gain), agreed, habit in zip(*of, strict=True)
    ]
    heads = ("model", "row", "paper", "here", "gain here", "95 % CI", "same", "first")
    return table("TruthfulQA as a choice of two, each pair in both orders", BINARY_NOTE, heads, made)


def _cited(paper: Paper, task: str) -> str:
    where = next(row["table"] for row in figures() if KEYS.get(row["paper"]) == paper and row["suite_or_task"] == task)
    return f"{CITED[paper]}, {where}"

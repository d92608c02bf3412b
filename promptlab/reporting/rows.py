"""The rows of a report's tables as words: the same cells on the terminal, in Markdown and in HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from promptlab.nouns import BAD_ENDS, NONE_ARM, SCORERS, Comparison, LookRow
from promptlab.reporting.build import Report, by_arm, in_prompt, looks_words, tally
from promptlab.reporting.causes import UNITS, causes
from promptlab.reporting.decide import DECISIVE
from promptlab.reporting.loops import EMOTION_NOTE, ORACLE_NOTE, WAYS
from promptlab.reporting.names import without_text
from promptlab.reporting.suites import CAVEAT
from promptlab.reporting.table import Table, shown_number, table
from promptlab.stats import BestRow, ByStimulusRow, ComponentRow, Protocol, ProtocolRow, SpreadRow, interval, p_text, points
from promptlab.stats.sentences import p_figure

Contrast = SpreadRow | ByStimulusRow | LookRow

PLACE = ("model", "setting")
CONTRAST = (*PLACE, "sentence", "against")
COLUMNS = ("model", "sentence", "task", "against", "n", "missing", "points", "95 % CI", "gained/lost", "adjusted p", "verdict")
"""What `cells` gives of a comparison."""
LOOKS_TITLE = "Planned interim analyses"
SCREENING_TITLE = "SCREENING: what chose the arms, on other items than every other figure here"
DECISIONS = {
    "continue": "continues",
    "efficacy": "stops: boundary passed",
    "futility": "stops: effect out of sight",
    "undecided": "nothing could be judged",
}


def cells(report: Report, c: Comparison) -> list[str]:
    """One comparison as the words of a table's row."""
    flips = "-" if c.gained is None else f"{c.gained}/{c.lost}"
    tasks = report.plan.tasks
    where = c.task or (tasks[0].name if len(tasks) == 1 else f"mean over {c.n_tasks}")
    ci = interval(c.ci_low, c.ci_high) if c.diff is not None else "-"
    p = "-" if c.p_adjusted is None else p_figure(c.p_adjusted)
    lost = f"{100 * (c.missing_treatment or 0):.1f} % / {100 * (c.missing_control or 0):.1f} %"
    hidden = not c.n_missing and (c.missing_treatment or c.missing_control)  # answers, of items that keep another one
    return [
        c.model, report.name(c), where, report.against(c), str(c.n_pairs), lost if hidden else str(c.n_missing),
        points(c.diff) if c.diff is not None else "-", ci, flips, p, c.verdict,
    ]  # fmt: skip


def result(c: Comparison) -> str:
    """A comparison's verdict with its figures, in the fewest words."""
    return c.verdict if c.diff is None else f"{c.verdict} {points(c.diff)} ({interval(c.ci_low, c.ci_high)})"


def arm_words(report: Report) -> Table:
    """Rows of `arm_table` as words, and after them what is recorded and how it came; settings only where there are several."""
    rows = []
    plan = report.plan  # of one arm is planned, looks aside:
    planned = sum(task.n_items * (plan.replicates if plan.prompts else plan.answers_an_item(task)) for task in plan.tasks)
    for row, group in by_arm(report):
        asked = group.loc[~group["cached"].astype(bool) & (group["outcome"] != "error"), "latency_s"].astype(float)
        rows.append(
            [
                named(report, row["model"]), row["setting"], in_prompt(row["arm"], row.get("prompt")), row["role"], str(row["n"]),
                shown_number(row["mean_score"], "{:.3f}"), *(str(row[name]) for name in BAD_ENDS),
                shown_number(row["output_tokens_mean"], "{:.1f}"),
                "unknown" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}",
                f"{row['n']:,} of {planned:,}", _hundredths(group["score"].notna()), _hundredths(group["cached"]),
                _hundredths(group["attempts"] > 1), *("-" if asked.empty else f"{asked.quantile(q):.2f}" for q in (0.5, 0.95)),
            ]
        )  # fmt: skip
    heads = [
        *PLACE, "arm", "role", "trials", "mean score", "missing (error)", "cut off", "refused", "empty", "no answer found",
        "tokens out", "USD", "of planned", "scored, %", "from cache, %", "sent again, %", "seconds, median", "seconds, 95 %",
    ]  # fmt: skip
    found = table("How answers ended, and what they cost, by arm", "", heads, rows)
    return found if len(report.plan.settings) > 1 else found._replace(frame=found.frame.drop(columns="setting"))


def _hundredths(values: pd.Series[Any]) -> str:
    return f"{100 * float(values.astype(float).mean()):.1f}"


def paired_protocol(report: Report) -> list[Table]:
    """For each model and setting with several sentences: what the papers' arithmetic reports, what it reports where nothing works,
    and this run's own estimate of the same."""
    found = []
    for row in report.beside.protocols:
        p = row.protocol
        mine = [c for c in report.comparisons if c.model == row.model and c.setting == row.setting]
        control = next((name for name in DECISIVE if any(c.control == name for c in mine)), "none")
        against = f"against {report.plan.called(control)}"
        in_tasks = [c for c in mine if c.scope == "cell" and c.control == control]
        over = [c for c in mine if c.scope == "stimulus" and c.diff is not None]
        first = max((c for c in over if c.control == "none"), key=lambda c: c.diff or 0.0, default=None)
        same = next((c for c in over if first is not None and c.control == control and c.treatment == first.treatment), None)
        means = [f"{c.treatment}: {result(c)}" for c in mine if c.scope == "primary" and c.control == control]
        rows = [
            ["Best sentence of each task, chosen on the items that judge it", _with_percent(p), _band(p.null_best_per_task),
             f"{tally(in_tasks)} of {len(in_tasks)} sentences in tasks, {against}, corrected for all of them"],
            ["Best single sentence over the tasks", points(p.best_single), _band(p.null_best_single),
             "no sentence can be judged" if same is None else f"{same.treatment}: {result(same)}, {against}"],
            ["Mean of all sentences", points(p.average), "0", f"{'; '.join(means) or 'not planned'}, {against}"],
        ]  # fmt: skip
        title = named(report, row.model) + (f", {row.setting.words}" if len(report.plan.settings) > 1 else "")
        heads = ("figure", "published arithmetic, points", "the same if nothing worked", "this run's estimate")
        found.append(table(title, "", heads, rows))
    return found


def gap_table(report: Report, gaps: Sequence[Mapping[str, Any]]) -> Table:
    """Rows of official minus twin as words."""
    rows = [
        [
            named(report, row["model"]), report.plan.setting_of[row["setting"]].words,
            row["task"] or "mean over the tasks",
            str(row["n_official"]), str(row["n_twin"]), f"{row['official']:.3f}", f"{row['twin']:.3f}", points(row["diff"]),
            interval(row["ci_low"], row["ci_high"]) if row["ci_low"] is not None else "-", row["other_run"],
        ]
        for row in gaps
    ]  # fmt: skip
    heads = (*PLACE, "task", "n official", "n twin", "official", "twin", "points", "95 % CI", "other run")
    return table("Official minus twin", CAVEAT, heads, rows)


TAKES_NOTE = (
    "With an oracle an item is solved by any right answer, else only by the answer that the loop ends with. What is not solved counts as "
    "one round more than there are."
)


def share_ends(row: Mapping[str, Any], name: str = "ci", scale: int = 100) -> str:
    """The interval of a share in percent, or of a number."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "no interval" if low is None or high is None else f"{scale * low:.1f} to {scale * high:.1f}"


EQUAL_NOTE = (
    "Differences in the share of items solved, in points, with 95 % intervals by item. At equal tokens or USD the dearer arm is cut at the "
    "round, or between two rounds, at which it has cost as much as the other. A rung differs from its control by one cause."
)


def contrast_table(report: Report, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Arms of loops at equal rounds, tokens and USD; the sentences that say what helped are above it."""
    by: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        by.setdefault((row["model"], row["loop"], row["setting"], row["arm"], row["control"], row["cause"]), {})[row["unit"]] = row

    def shown(row: Mapping[str, Any] | None) -> str:
        return "-" if row is None or row["diff"] is None else f"{points(row['diff'])} ({interval(row['ci_low'], row['ci_high'])})"

    cells = [
        [
            named(report, model), loop, arm, "one answer" if control == NONE_ARM else control, cause or "-",
            *(shown(at.get(unit)) for unit in UNITS), at["rounds"]["verdict"] if "rounds" in at else "-",
            at["tokens"]["verdict"] if "tokens" in at else "-", f"{at['tokens']['budget']:.0f}" if "tokens" in at else "-",
        ]
        for (model, loop, _, arm, control, cause), at in by.items()
    ]  # fmt: skip
    heads = ("model", "loop", "arm", "against", "rung: its cause", "equal rounds", "equal tokens", "equal USD", "verdict, rounds",
             "verdict, tokens", "tokens an item")  # fmt: skip
    said = " ".join(row["sentence"] for row in causes(rows, report.plan))
    return table("Feedback loops: what helped", f"{said} {EQUAL_NOTE}", heads, cells)


def loop_tables(report: Report) -> list[Table]:
    """The tables about feedback loops as words; nothing without loops."""
    if not report.rounds:
        return []

    def loop(r: Mapping[str, Any]) -> list[str]:
        return [named(report, r["model"]), r["loop"], r["arm"]]

    heads = ("model", "loop", "arm")
    return [
        contrast_table(report, report.loop_contrasts),
        table(
            "Feedback loops round by round", f"{ORACLE_NOTE} {EMOTION_NOTE}" if report.oracles else EMOTION_NOTE,
            (*heads, "round", "asked", "solved (with an oracle pass@k), %", "95 % CI by item", "right at this round, %",
             "turned right/wrong", "tokens so far"),
            [
                [
                    *loop(r), str(r["round"]), str(r["n_asked"]), shown_number(r["solved"], "{:.1f}", 100), share_ends(r),
                    shown_number(r["accuracy"], "{:.1f}", 100), f"{r['gained']}/{r['lost']}", shown_number(r["tokens"], "{:.0f}"),
                ]
                for r in report.rounds
            ],
        ),
        table(
            "Feedback loops: what solving takes", TAKES_NOTE,
            (*heads, "solved", "rounds to solve", "95 % CI by item", "calls", "tokens", "USD for each solved"),
            [
                [
                    *loop(r), f"{r['n_solved']} of {r['answers']}", shown_number(r["rounds_to_solve"], "{:.2f}"),
                    share_ends(r, "rounds", 1), f"{r['calls']:.2f}", shown_number(r["tokens"], "{:.0f}"),
                    shown_number(r["usd_per_solved"], "{:.6f}"),
                ]
                for r in report.loop_arms
            ],
        ),
        table(
            "What followed each emotion", "Counts of remarks; descriptive only.",
            (*heads, "emotion", "remarks", *(way.replace("_", " to ") for way in WAYS)),
            [[*loop(r), r["emotion"], *(str(r[way]) for way in ("n", *WAYS))] for r in report.emotions],
        ),
    ]  # fmt: skip


PROTOCOL_TITLE = "What the papers' arithmetic would report"
PROTOCOL_NOTE = (
    "What Li et al. 2023 and Wang et al. 2024 report as the gain: the best stimulus of each task, chosen on the items that judge it. "
    "The band is what the same arithmetic gives on these very answers when the arms are shuffled inside every item, so that nothing works "
    "(5 % to 95 %). Nothing here is a verdict."
)
BEST_NOTE = (
    "Against no added text. Chosen on nine tenths of the items and measured on the rest (ten folds, median of 20 splits); the interval is "
    "simultaneous over all stimuli and lies around the uncorrected value; p is adjusted for the choice (step-down maxT)."
)
BY_STIMULUS_NOTE = (
    "The cells once more, by sentence: first whether it has any effect at all (Simes), with the false discovery rate held over the "
    "sentences, then in which tasks, held inside those that were selected (Benjamini and Bogomolov 2014). A second view; verdicts are "
    "those above."
)
SPREAD_NOTE = (
    "tau is the standard deviation of the true effect between tasks; the last interval is where the effect of another such task would lie. "
    "Replicated: in at least so many tasks there is an effect, with 95 % confidence. Never a verdict."
)


def beside_tables(report: Report) -> list[Table]:
    """What accompanies the verdicts as words; tables without rows are left out."""
    beside = report.beside

    def place(r: BestRow | ProtocolRow | ComponentRow | Contrast) -> list[str]:
        return [named(report, r.model), r.setting.words]

    def pair(r: Contrast) -> list[str]:
        return [*place(r), r.treatment, report.plan.called(r.control)]

    tables = [
        screening_table(report),
        table(
            PROTOCOL_TITLE, PROTOCOL_NOTE,
            (*PLACE, "baseline, %", "best in each task", "that, if nothing worked", "best single", "and that, if nothing worked",
             "mean of all"),
            [
                [
                    *place(r), f"{100 * r.protocol.baseline:.1f}", _with_percent(r.protocol), _band(r.protocol.null_best_per_task),
                    points(r.protocol.best_single), _band(r.protocol.null_best_single), points(r.protocol.average),
                ]
                for r in beside.protocols
            ],
        ),
        table(
            "The best stimulus, corrected for the choice", BEST_NOTE,
            (*PLACE, "task", "scored highest", "uncorrected", "corrected", "95 % CI", "adjusted p", "best in resamples", "tied", "n"),
            [
                [
                    *place(r), r.task or "mean over the tasks", r.winner or "none", points(r.naive),
                    "-" if r.estimate is None else points(r.estimate), interval(r.ci_low, r.ci_high) if r.winner else "-",
                    p_text(r.p_adjusted) if r.p_adjusted is not None else "-", "-" if r.p_best is None else f"{100 * r.p_best:.0f} %",
                    "yes" if r.tie else "no", str(r.n),
                ]
                for r in beside.bests
            ],
        ),
        table(
            "Does a sentence do anything anywhere, and where", BY_STIMULUS_NOTE,
            (*CONTRAST, "p, no task", "any effect", "in the tasks"),
            [[*pair(r), p_text(r.p_simes), "yes" if r.selected else "no", ", ".join(r.tasks) or "none"] for r in beside.by_stimulus],
        ),
        table(
            "How tasks differ", SPREAD_NOTE,
            (*CONTRAST, "tasks", "points", "tau", "I2", "another task", "replicated in", "tasks by Holm"),
            [
                [
                    *pair(r), str(r.n_tasks), points(r.estimate), f"{100 * r.tau:.1f}", f"{r.i2_percent:.0f} %",
                    interval(r.prediction_low, r.prediction_high), str(r.n_tasks_replicated), ", ".join(r.tasks_named) or "none",
                ]
                for r in beside.spreads
            ],
        ),
        table(
            LOOKS_TITLE,
            f"Decisions on the trials recorded by then; p is repeated, its level the sentence's share. {looks_words(report)}",
            (*CONTRAST, "look", "items", "points", "p", "level", "chance ahead", "decision"),
            [
                [
                    *pair(r), str(r.look + 1), str(r.n_pairs), "-" if r.diff is None else points(r.diff),
                    "-" if r.p is None else p_text(r.p), f"{r.level:.4f}",
                    "-" if r.conditional_power is None else f"{100 * r.conditional_power:.0f} %", DECISIONS[r.decision],
                ]
                for r in report.looks
            ],
        ),
        table(
            "Where the variance comes from", "Means over the tasks, single scores; items, items by arm, the same question sent again.",
            (*PLACE, "tasks", "repeats", "items", "items by arm", "repeats'", "advice"),
            [
                [
                    *place(r), str(r.n_tasks), str(r.n_repeats), f"{r.var_item:.4f}", f"{r.var_item_by_arm:.4f}", f"{r.var_repeat:.4f}",
                    r.sentence,
                ]
                for r in beside.components
            ],
        ),
    ]  # fmt: skip
    return [*(table(*one) for one in report.by_judge), *(found for found in tables if len(found.frame))]


def screening_table(report: Report) -> Table:
    """Each arm on the screening part, as words; no rows in a run that does not screen, or has not chosen yet."""
    most, level = (report.plan.confirm.most, report.plan.confirm.level) if report.plan.confirm else (0, 0.0)
    note = (
        "These figures chose the arms and are no result: the largest of several is partly luck, so they are too large for what was chosen. "
        f"At most {most} arms of a question continue, those with the largest difference, unless the {100 * level:.0f} % interval of their "
        "distance to the best one lies below 0."
    )
    rows = [
        [named(report, r.model), r.setting.words, r.name, str(r.n_pairs), "-" if r.score is None else f"{100 * r.score:.1f}",
         "-" if r.diff is None else points(r.diff), interval(r.ci_low, r.ci_high) if r.diff is not None else "-",
         "-" if r.to_best is None else points(r.to_best), "continues" if r.chosen else "dropped", r.why]
        for r in report.screening
    ]  # fmt: skip
    heads = (*PLACE, "arm", "items", "score, %", "difference", "95 % CI", "to the best", "then", "why")
    return table(SCREENING_TITLE, note, heads, rows)


def _with_percent(p: Protocol) -> str:
    gain = p.relative_best_per_task
    return f"{points(p.best_per_task)} ({'no relative gain: the baseline is 0' if gain is None else f'{gain:+.1f} %'})"


def _band(null: tuple[float, float, float]) -> str:
    """What the same arithmetic gives where nothing works: median, and 5 % to 95 %."""
    return f"{points(null[1])} ({interval(null[0], null[2])})"


def baseline_table(report: Report) -> Table:
    """Scores without any stimulus as words: raw by every scorer, and normalised (0 is guessing, below it negative) by the one in force."""
    scorer = str(report.plan.scorer or ("the tool" if report.plan.imported else "reference"))
    rows = [
        [
            named(report, row["model"]), ", ".join(filter(None, [row.get("prompt"), row["setting"]])), row["task"], str(row["n"]),
            *(shown_number(row[name], "{:.3f}") for name in SCORERS), scorer, shown_number(row["normalised"], "{:.1f}"),
            *(shown_number(row.get(flag), "{:.3f}") for flag in ("compliant", "echoed", "declined")),
        ]
        for row in records(report.baselines)
    ]  # fmt: skip
    heads = (*PLACE, "task", "n", *SCORERS, "scored by", "normalised", "in form", "echoes", "declines")
    return table(f"Scores{without_text(report.plan)}, by every scorer", "", heads, rows)


def named(report: Report, model: str) -> str:
    """A model's name, which says so where it is simulated."""
    return f"{model} (SIMULATED)" if model in report.manifest.simulated_models else model


def records(frame: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (a pandas frame)
    """The rows of a frame as plain values; missing ones are None."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:  # noqa: ANN401
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value

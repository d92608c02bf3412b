"""The flow of trials, from planned to paired: what was not sent, what came without a score, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptlab.nouns import OUTCOMES, Comparison, counted, inert
from promptlab.reporting.build import Report
from promptlab.reporting.paper.tex import tex
from promptlab.reporting.rows import named
from promptlab.reporting.table import Table, table

MOST_REASONS = 6
LONGEST_REASON = 90


@dataclass(frozen=True)
class Flow:
    """Numbers of trials. Each is a part of the one before it."""

    planned: int
    skipped: int
    """Left out because an interim analysis had ended their comparison."""
    recorded: int
    answered: int
    scored: int
    lost: Sequence[tuple[str, int]]
    """Recorded trials without a score, by reason."""
    ends: Mapping[str, int]
    """Answers that are not whole but count, by outcome."""

    @property
    def unsent(self) -> int:
        """Planned, neither recorded nor left out by a look."""
        return max(0, self.planned - self.skipped - self.recorded)


def flow_of(report: Report) -> Flow:
    """The flow of all trials of a run."""
    trials = report.trials
    failed = trials["outcome"] == "error"
    reasons = Counter(_reason(error) for error in trials.loc[failed, "error"].astype(object))
    unscored = int((~failed & trials["score"].isna()).sum())
    lost = [(f"failed: {reason}", n) for reason, n in reasons.most_common(MOST_REASONS)]
    rest = sum(reasons.values()) - sum(n for _, n in lost)
    lost += [("failed for other reasons", rest)] if rest else []
    lost += [("answered, but without a score", unscored)] if unscored else []
    ends = Counter(trials.loc[~failed, "outcome"].astype(str))
    ends.pop("ok", None)
    return Flow(
        planned=max(report.plan.counts.trials, len(trials)), skipped=report.saved.n_trials if report.saved else 0, recorded=len(trials),
        answered=int((~failed).sum()), scored=int(trials["score"].notna().sum()), lost=lost, ends=dict(ends),
    )  # fmt: skip


def _reason(error: object) -> str:
    """The first line of an error without what differs from call to call."""
    words = inert(str(error if isinstance(error, str) and error else "no reason recorded").split("\n", 1)[0])
    words = re.sub(r"\b[0-9a-f-]{12,}\b|\b\d{4,}\b", "...", words)
    return words if len(words) <= LONGEST_REASON else words[: LONGEST_REASON - 3] + "..."


def flow_table(report: Report) -> Table:
    """The flow by model and arm: planned is what the plan asks of each arm."""
    plan, rows = report.plan, []
    for model in report.models:
        mine = report.trials[report.trials["model"] == model]
        by_arm = dict(tuple(mine.groupby("arm", sort=False, observed=True)))
        for arm in dict.fromkeys(arm.name for arm in plan.arms):
            group = by_arm.get(arm)
            asked = sum(
                task.n_items * plan.n_prompts_of(setting, one, task) * plan.replicates
                for setting in plan.settings
                for one in plan.arms_of(setting)
                if one.name == arm
                for task in plan.tasks
            )
            planned = "-" if plan.imported else f"{asked:,}"
            if group is None:
                rows.append([named(report, model), arm, planned, *["0"] * 5])
                continue
            ends = Counter(group["outcome"].astype(str))
            whole = [ends.pop("ok", 0), ends.pop("error", 0)]
            counts = (len(group), whole[1], len(group) - whole[1], sum(ends.values()), int(group["score"].notna().sum()))
            rows.append([named(report, model), arm, planned, *(f"{n:,}" for n in counts)])
    heads = ("model", "arm", "planned", "recorded", "failed", "answered", "not whole", "scored")
    return table(
        "Trials by model and arm",
        "Not whole: answers that were cut off, refused, empty or unreadable; they are kept.",
        heads,
        [r[:8] for r in rows],
    )


def paired_table(report: Report) -> Table:
    """How many pairs each comparison over the tasks was planned to have, has, and has lost."""
    rows = [
        [
            named(report, c.model), report.name(c), report.against(c), f"{c.n_planned:,}", f"{c.n_pairs:,}", f"{c.n_planned - c.n_pairs:,}",
            *(f"{100 * (share or 0):.1f}" for share in (c.missing_treatment, c.missing_control)), c.status.replace("_", " "),
        ]
        for c in _over(report)
    ]  # fmt: skip
    heads = (
        "model", "comparison", "against", "planned pairs", "paired", "lost", "missing in treatment, %", "missing in control, %", "status"
    )  # fmt: skip
    return table("From answers to pairs", "A pair is an item with a score on both sides; a lost pair is in no test.", heads, rows)


def _over(report: Report) -> list[Comparison]:
    """Comparisons over the tasks; with one task those in it."""
    return [c for c in report.comparisons if c.scope != "aa" and (c.task is None or len(report.plan.tasks) == 1)]


def diagram(flow: Flow, report: Report) -> str:
    """The flow as boxes, from planned to paired, with what leaves it at the right."""
    left = [*([f"{flow.skipped:,} not sent: an interim analysis had ended the comparison"] if flow.skipped else [])]
    left += [f"{flow.unsent:,} not sent or not finished"] if flow.unsent else []
    over = _over(report)
    pairs = sorted(c.n_pairs for c in over)
    paired = f"{pairs[0]:,} to {pairs[-1]:,} pairs of items in {counted(len(over), 'comparison')}" if pairs else "no comparison was planned"
    if pairs and pairs[0] == pairs[-1]:
        paired = f"{pairs[0]:,} pairs of items in each of {len(over):,} comparisons"
    lost_pairs = sum(c.n_planned - c.n_pairs for c in over)
    kept = [f"{n:,} kept although {OUTCOMES.get(name, name)}" for name, n in flow.ends.items()]
    steps = [
        (f"Planned: {counted(flow.planned, 'trial')}", left or ["none left out"]),
        (f"Recorded: {counted(flow.recorded, 'trial')}", [f"{n:,} {words}" for words, n in flow.lost] or ["none without a score"]),
        (f"Scored: {counted(flow.scored, 'answer')}", kept or ["all whole"]),
        (f"Paired: {paired}", [f"{counted(lost_pairs, 'pair')} lost over all comparisons" if lost_pairs else "no pair lost"]),
    ]
    lines = []
    for i, (box, beside) in enumerate(steps):
        out = r"\\ ".join(tex(words) for words in beside)
        lines.append(rf"\flowbox{{{tex(box)}}} & $\rightarrow$ & \flowside{{{out}}} \\")
        lines += [r"\multicolumn{1}{c}{$\downarrow$} \\"] if i + 1 < len(steps) else []
    return "\n".join([r"\begin{center}\begin{tabular}{@{}c@{\ }c@{\ }l@{}}", *lines, r"\end{tabular}\end{center}", ""])

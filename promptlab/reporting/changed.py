"""Items that an arm changed against the incumbent: which they are, and what was sent and answered in both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from promptlab.nouns import UsageProblem, did_you_mean
from promptlab.nouns.grouping import grouped
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.prepared import records
from promptlab.reporting.summary import Summary, SummaryRow
from promptlab.reporting.words import score_word

MOST_SHOWN = 3
KEYS = ["task", "item", "base_prompt", "replicate"]
COLUMNS = [*KEYS, "trial", "order", "score", "extracted", "answer"]
INTO = "base_prompt"


@dataclass(frozen=True, slots=True)
class Seen:
    """One arm's side of an item: the messages of its last call, the answer, and what was read in it."""

    arm: str
    sent: str
    answer: str
    read_as: str
    score: str
    """`right`, `wrong`, or the score in words."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An item in two arms: the control first."""

    task: str
    item: str
    right: str
    before: Seen
    after: Seen


@dataclass(frozen=True, slots=True)
class Changed:
    """Items that an arm got right and its control wrong (`gained`), and the other way round; a few of them in full."""

    gained: int
    lost: int
    pairs: tuple[Pair, ...]


def changed(report: Report, summary: Summary) -> dict[int, Changed]:
    """For each row of a summary, by its place, what it changed against its incumbent; rows without a pair of trials are left out."""
    if report.folder is None or report.trials.empty:
        return {}
    bases = [row for row in summary.rows if row.incumbent]
    own = summary.models or [one for one in report.models if one == summary.model]
    mine = report.trials[report.trials["model"].isin(own)]
    mine = mine[mine["order"] >= 0] if "order" in mine else mine  # an earlier run's calls are in its own folder
    counted: dict[int, tuple[int, int]] = {}
    chosen: dict[int, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    seen = set()
    for place, row in enumerate(summary.rows):
        key = (row.model, row.setting, row.text_of, row.prompt)
        base = next((one for one in bases if one.setting == row.setting), bases[0] if len(bases) == 1 else None)
        if base is None or row.incumbent or key in seen:
            continue
        seen.add(key)
        pairs = _paired(_of(mine, base), _of(mine, row))
        change = pairs["score_after"] - pairs["score_before"]
        counted[place] = int((change > 0).sum()), int((change < 0).sum())
        chosen[place] = [_sides(one) for one in _telling(pairs.assign(change=change), (row.diff or 0.0) >= 0)]
    read = _Reader(Run(report.folder), [side for pairs in chosen.values() for pair in pairs for side in pair])
    names = {row.incumbent: row.arm for row in summary.rows}
    return {
        place: Changed(*counted[place], tuple(read.pair(pair, (names.get(True, ""), summary.rows[place].arm)) for pair in pairs))
        for place, pairs in chosen.items()
        if pairs
    }


def item_in(report: Report, item: str, a: str, b: str) -> list[Pair]:
    """One item, by its id or as TASK/ITEM, in the arms (or whole prompts) `a` and `b`: a pair for each model and setting."""
    trials = report.trials
    task, _, alone = item.rpartition("/")
    here = trials["item"].astype(str).eq(item) | (trials["item"].astype(str).eq(alone) & trials["task"].astype(str).eq(task))
    found = trials[here]
    if found.empty or report.folder is None:
        raise UsageProblem(f"no item {item!r} in this run; {did_you_mean(item, trials['item'].astype(str).unique())}".rstrip("; "))
    sides = []
    for name in (a, b):
        column = "base_prompt" if report.plan.prompts and name not in set(found["arm"]) else "arm"
        one = found[found[column].astype(str).eq(name)]
        if one.empty:
            raise UsageProblem(f"no arm {name!r} in this run; {did_you_mean(name, found[column].astype(str).unique())}".rstrip("; "))
        sides.append(one)
    pairs = [
        _sides(row) for model in report.models for row in records(_paired(*(one[one["model"].astype(str).eq(model)] for one in sides)))[:1]
    ]
    read = _Reader(Run(report.folder), [side for pair in pairs for side in pair])
    return [read.pair(pair, (a, b)) for pair in pairs]


def _of(trials: pd.DataFrame, row: SummaryRow) -> pd.DataFrame:
    mine = trials["model"].eq(row.model) & trials["setting"].eq(row.setting) & trials["arm"].eq(row.text_of)
    return trials[mine & trials["base_prompt"].eq(row.prompt) if row.prompt else mine]


def _paired(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Both sides of each item, paired within base prompt and repeat; two single prompts pair whatever their names."""
    single = before[INTO].nunique() < 2 and after[INTO].nunique() < 2
    keys = [key for key in KEYS if key != INTO or not single]
    left, right = (side[COLUMNS].astype({name: str for name in keys if name != "replicate"}) for side in (before, after))
    return left.merge(right, on=keys, suffixes=("_before", "_after"))


def _telling(pairs: pd.DataFrame, up: bool) -> list[dict[str, Any]]:
    """Two items that changed the way the arm does and one that changed the other way, of different tasks where there are some."""
    sides = []
    for sign in (1, -1) if up else (-1, 1):
        side = pairs[sign * pairs["change"] > 0]
        ranked = side.assign(size=side["change"].abs(), turn=side.groupby("task").cumcount())
        sides.append(records(ranked.sort_values(["turn", "size", "order_after"], ascending=[True, False, True]).head(MOST_SHOWN)))
    with_it, against = sides
    taken = with_it[: MOST_SHOWN - min(1, len(against))]
    return taken + against[: MOST_SHOWN - len(taken)]


def _sides(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two trials of a pair, each by the names of its columns."""
    both = {name: value for name, value in row.items() if not name.endswith(("_before", "_after"))}
    return tuple(both | {name: row[f"{name}{end}"] for name in COLUMNS if f"{name}{end}" in row} for end in ("_before", "_after"))  # type: ignore[return-value]


class _Reader:
    """The calls of a few trials, each part of the record read once."""

    def __init__(self, run: Run, trials: Sequence[Mapping[str, Any]]) -> None:
        self.targets = _targets(run, {(str(one["task"]), str(one["item"])) for one in trials})
        self.calls: dict[str, Mapping[str, Any]] = {}
        parts: Mapping[Any, Any] | pd.Series[int] = run.part_of() if trials else {}
        here = (trial for trial in trials if trial["order"] in parts)  # those of an earlier run have their calls there
        for part, names in grouped((int(parts[one["order"]]), str(one["trial"])) for one in here).items():
            for call in records(run.calls_in(names, part)):
                self.calls[str(call["trial"])] = call  # the last one stays

    def pair(self, pair: tuple[Mapping[str, Any], Mapping[str, Any]], arms: tuple[str, str]) -> Pair:
        task, item = str(pair[0]["task"]), str(pair[0]["item"])
        before, after = (self._seen(trial, arm) for trial, arm in zip(pair, arms, strict=True))
        return Pair(task, item, self.targets.get((task, item), ""), before, after)

    def _seen(self, trial: Mapping[str, Any], arm: str) -> Seen:
        call = self.calls.get(str(trial["trial"]))
        answer = trial["answer"] if call is None or not isinstance(call["text"], str) else call["text"]
        read = trial["extracted"]
        return Seen(
            arm, "(no call is recorded)" if call is None else sent_words(call["messages"]), answer if isinstance(answer, str) else "",
            read if isinstance(read, str) else "", score_word(trial["score"]),
        )  # fmt: skip


def sent_words(messages: str) -> str:
    """The messages of a call as one text; roles are named where there are several."""
    found = json.loads(messages)
    texts = [one["content"] if isinstance(one.get("content"), str) else json.dumps(one.get("content"), ensure_ascii=False) for one in found]
    return texts[0] if len(texts) == 1 else "\n\n".join(f"{one.get('role')}: {text}" for one, text in zip(found, texts, strict=True))


def _targets(run: Run, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    left, found = set(wanted), {}
    for row in run.each_item():
        if (key := (str(row["task"]), str(row["item"]))) in left:
            found[key] = " or ".join(map(str, row["targets"]))
            left.discard(key)
            if not left:
                break
    return found

"""Two arms, of one run or of two, item by item: which answers flipped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, Comparison, Setting, UsageProblem, did_you_mean
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.names import AGAIN, only_models
from promptlab.reporting.pair import PairReport
from promptlab.reporting.prepared import RIGHT, Store, records
from promptlab.stats import Inference, Pairs, infer, prompt_names

KINDS = ("a", "b", "both", "neither")
KEYS = ["suite", "task", "item"]
FIRSTS = (
    "SELECT t.task, t.item, t.base_prompt, t.replicate, t.answer, i.input, i.targets FROM trials t "
    "JOIN (SELECT unnest(?::VARCHAR[]) AS task, unnest(?::VARCHAR[]) AS item) asked ON t.task = asked.task AND t.item = asked.item "
    "LEFT JOIN items i ON i.suite = t.suite AND i.task = t.task AND i.item = t.item "
    "WHERE t.model = ? AND t.setting = ? AND t.arm = ? AND (? IS NULL OR t.base_prompt = ?) ORDER BY t.order"
)


@dataclass(frozen=True)
class Side:
    """One of the two arms that are compared."""

    store: Store
    model: str
    setting: Setting
    arm: str
    prompt: str | None = None
    """The base prompt; None for all of them, each paired with itself."""

    @property
    def name(self) -> str:
        """What it is chosen by: a base prompt's name, or an arm's."""
        return self.prompt if self.prompt and self.arm == NONE_ARM and not self.store.plan.prompts else self.arm

    @property
    def label(self) -> str:
        """What it is called."""
        if only_models(self.store.plan) and self.arm in (NONE_ARM, AA_ARM):
            return self.model + (AGAIN if self.arm == AA_ARM else "")
        return self.arm if self.prompt is None else self.prompt if self.arm == NONE_ARM else f"{self.prompt}, {self.arm}"

    @property
    def key(self) -> tuple[str | None, ...]:
        """What tells it from the other arms of its run."""
        return self.model, self.setting.id, self.arm, self.prompt

    def means(self, task: str | None) -> pd.DataFrame:
        """The mean score of each item of a task (None: of all tasks) in each base prompt, in the run's order; NaN where none is scored."""
        return self.store.query(
            "SELECT suite, task, item, base_prompt, any_value(cluster) AS cluster, avg(score) AS mean FROM trials t WHERE t.model = ? "
            "AND t.setting = ? AND t.arm = ? AND (? IS NULL OR base_prompt = ?) AND (? IS NULL OR task = ?) "
            "GROUP BY suite, task, item, base_prompt ORDER BY min(t.order)",
            [self.model, self.setting.id, self.arm, self.prompt, self.prompt, task, task],
        )

    def whole(self, task: str, items: Sequence[str]) -> pd.DataFrame:
        """Trials with everything recorded, sorted by base prompt and repeat."""
        rows = self.store.whole(self.model, self.setting, task, (self.arm,), items)
        rows = rows if self.prompt is None else rows[rows["base_prompt"] == self.prompt]
        return rows.sort_values(["base_prompt", "replicate"], kind="stable")

    def firsts(self, tasks: Sequence[str], items: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
        """By task and item, which come in pairs: input, accepted answers and answer of the first base prompt and repeat."""
        rows = self.store.query(FIRSTS, [list(tasks), list(items), self.model, self.setting.id, self.arm, self.prompt, self.prompt])
        rows = rows.sort_values(["base_prompt", "replicate"], kind="stable").drop_duplicates(["task", "item"])
        return {(str(row["task"]), str(row["item"])): row for row in records(rows)}


def names(store: Store) -> dict[str, str]:
    """What can be compared, and how it is shown: arms, and where a run has several base prompts each of them without added text."""
    prompts = [] if store.plan.prompts else prompt_names(store.plan)
    more = {name: f"prompt {name}, without any added text" for name in prompts if len(prompts) > 1 and name not in store.arms}
    return dict.fromkeys(store.arms, "") | store.arm_words() | more


def side(store: Store, model: str, setting: Setting, name: str, prompt: str | None = None) -> Side:
    """The side of a name: that of an arm, within a prompt where one is given, or that of a prompt without added text."""
    return Side(store, model, setting, name, prompt) if name in store.arms else Side(store, model, setting, NONE_ARM, name)


def default_arms(store: Store, model: str, setting: Setting, task: str | None) -> tuple[str, str]:
    """The stimulus with the largest gain in this task (None: over the tasks; the first one while there is none) and the baseline."""
    scope = "cell" if task else "stimulus"
    cells = [c for c in store.comparisons(model, setting, NONE_ARM, [scope]) if c.task == task and c.diff is not None]
    best = max(cells, key=lambda c: c.diff or 0.0, default=None)
    arms = list(store.arms)
    first = best.treatment if best else next(iter(store.stimuli), arms[-1])
    return first, NONE_ARM if NONE_ARM in arms else arms[0]


def paired(a: Side, b: Side, task: str | None) -> pd.DataFrame:
    """Items that both arms have a score for in the same base prompt, with both means over those prompts, and which was right.

    Of two runs those items only that are the same in both.
    """
    means = [one.means(task).dropna(subset="mean") for one in (a, b)]
    single = all(frame["base_prompt"].nunique() < 2 for frame in means)  # two single prompts make a pair, whatever their names
    keys = KEYS if single else [*KEYS, "base_prompt"]
    frame = means[0].rename(columns={"mean": "mean_a"}).merge(means[1][[*keys, "mean"]].rename(columns={"mean": "mean_b"}), on=keys)
    frame = frame.groupby(KEYS, sort=False, as_index=False).agg({"mean_a": "mean", "mean_b": "mean", "cluster": "first"})
    shared = shared_items(a, b, task)
    if shared is not None:
        frame = frame.merge(shared, on=KEYS)
    right_a, right_b = frame["mean_a"] >= RIGHT, frame["mean_b"] >= RIGHT
    frame["kind"] = "neither"
    frame.loc[right_a & right_b, "kind"] = "both"
    frame.loc[right_a & ~right_b, "kind"] = "a"
    frame.loc[~right_a & right_b, "kind"] = "b"
    return frame


def difference(pairs: pd.DataFrame) -> Inference:
    """A minus B, averaged over the tasks, by the core that gives the verdicts."""
    found = []
    clusters = pairs["cluster"].where(pairs["cluster"].notna(), pairs["item"]).to_numpy()
    s, b = (pairs[name].to_numpy(dtype=np.float64) for name in ("mean_a", "mean_b"))
    for task, here in _of_tasks(pairs):
        own = clusters[here]
        grouped = own if len(set(own)) < len(own) else None
        found.append(Pairs(task=task, s=s[here], b=b[here], clusters=grouped, n_planned=len(here)))
    return infer(found)


def _of_tasks(pairs: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Each task and the places of its rows, in the order in which tasks come."""
    codes, names = pd.factorize(pairs["task"])
    for i, name in enumerate(names):
        yield str(name), np.flatnonzero(codes == i)


def count_only(a: Side, b: Side, task: str | None) -> int:
    """How many items only one of the two arms has a score for."""
    scored = [set(one.means(task).dropna(subset="mean")[KEYS].itertuples(index=False, name=None)) for one in (a, b)]
    return len(scored[0] ^ scored[1])


def planned(a: Side, b: Side, task: str | None) -> tuple[Comparison | None, bool]:
    """The planned comparison of these two arms, and whether it has more control arms than the one shown."""
    if a.store is not b.store:
        return None, False
    for c in a.store.report.comparisons:
        refs = [(r.model, r.setting, NONE_ARM if r.arm == AA_ARM else r.arm, r.prompt) for r, _ in c.contrast.weights] if c.contrast else []
        if set(refs) == {a.key, b.key} and (c.task == task or (c.task is None and len(a.store.tasks) == 1)):
            return c, False
    if (a.model, a.setting) != (b.model, b.setting) or a.prompt or b.prompt:
        return None, False
    for treatment, control in ((a.arm, b.arm), (b.arm, a.arm)):
        for c in a.store.comparisons(a.model, a.setting, None, ["cell" if task else "stimulus"]):
            if c.task == task and c.treatment == treatment and control in c.control_arms:
                return c, len(c.control_arms) > 1
    return None, False


def flip_matrix(n: Mapping[str, int]) -> pd.DataFrame:
    """How many items both, one or neither of the arms got right."""
    return pd.DataFrame({"items": ["A right", "A wrong"], "B right": [n["both"], n["b"]], "B wrong": [n["a"], n["neither"]]})


def most_telling(n: Mapping[str, int]) -> str:
    """The kind of items to show first: the larger of the two kinds that flipped, else one that there is."""
    return max(("a", "b"), key=lambda kind: n[kind]) if n["a"] or n["b"] else "both" if n["both"] else "neither"


def by_task(a: Side, b: Side) -> pd.DataFrame:
    """One row for each task that both have: items, mean scores in percent, the difference in points, flips; the largest loss first."""
    pairs = paired(a, b, None)
    rows = []
    means, kinds = [pairs[name].to_numpy(dtype=np.float64) for name in ("mean_a", "mean_b")], pairs["kind"].to_numpy()
    for task, here in _of_tasks(pairs):
        (mean_a, mean_b), kind = (float(mean[here].mean()) for mean in means), kinds[here]
        rows.append(
            {
                "task": task, "items": len(here), "A": 100 * mean_a, "B": 100 * mean_b, "points": 100 * (mean_a - mean_b),
                "only A right": int((kind == "a").sum()), "only B right": int((kind == "b").sum()),
            }
        )  # fmt: skip
    columns = ["task", "items", "A", "B", "points", "only A right", "only B right"]
    return pd.DataFrame(rows, columns=columns).sort_values("points", kind="stable", ignore_index=True)


def shared_items(a: Side, b: Side, task: str | None) -> pd.DataFrame | None:
    """Of two runs the items that are the same word for word; None within one run."""
    if a.store is b.store:
        return None
    found = [
        side.store.query("SELECT suite, task, item, input, targets FROM items WHERE ? IS NULL OR task = ?", [task, task]) for side in (a, b)
    ]
    return found[0].merge(found[1], on=[*KEYS, "input", "targets"])[KEYS].drop_duplicates()


def default_kind(asked: str | None, pairs: pd.DataFrame, n: Mapping[str, int]) -> str:
    """The kind of the item that is requested, else the more telling one."""
    of_item = pairs.loc[pairs["item"] == asked, "kind"]
    return str(of_item.iloc[0]) if len(of_item) else most_telling(n)


def largest(run: Run, report: Report, model: str, control: str | None) -> str:
    """The item that changed most in the cell with the largest difference: both scores, both prompts as they were sent, both answers."""
    judged = [c for c in report.of("cell", model, control) if c.diff]
    if not judged:
        return "No cell has a difference yet."
    c = max(judged, key=lambda c: abs(c.diff or 0.0))
    trials, columns = report.trials, ["item", "base_prompt", "replicate", "trial", "arm", "score"]
    mine = trials.loc[(trials["model"] == c.model) & (trials["task"] == c.task) & (trials["setting"] == c.setting.id), columns]
    sides = mine[mine["arm"].isin(c.control_arms)], mine[mine["arm"] == c.treatment]
    pairs = sides[0].merge(sides[1], on=columns[:3], suffixes=("_control", "_treated"))
    change = (pairs["score_treated"] - pairs["score_control"]) * (1 if (c.diff or 0.0) > 0 else -1)
    rows = pairs.assign(change=change).dropna(subset=["change"]).to_dict("records")
    pair, items = max(rows, key=lambda row: row["change"], default={"change": 0.0}), run.items()
    if pair["change"] <= 0:
        return "No single item flipped."
    [targets] = items.loc[(items["task"] == c.task) & (items["item"] == pair["item"]), "targets"][:1]
    found = [f"{c.task}, item {pair['item']}; right: {' or '.join(map(str, targets))}"]
    for side in ("control", "treated"):
        found += ["", f"{pair[f'arm_{side}']}, score {pair[f'score_{side}']:g}", said(run.calls_of(str(pair[f"trial_{side}"])))]
    return "\n".join(found)


def meant(run: Run, item: str) -> tuple[str, str]:
    """The task and the id of an item, by its id or as TASK/ITEM; UsageProblem with what is near where it is not one item of the run."""
    items = run.items()
    known = [(str(task), str(name)) for task, name in zip(items["task"], items["item"], strict=True)]
    found = dict.fromkeys(one for one in known if item in ("/".join(one), one[1]))
    if len(found) == 1:
        return next(iter(found))
    if found:
        raise UsageProblem(f"several tasks have an item {item!r}; name one of {', '.join('/'.join(one) for one in found)}")
    near = did_you_mean(item, ["/".join(one) for one in known] if "/" in item else [name for _, name in known])
    raise UsageProblem(f"no item {item!r} in {run.id}; {near or 'write TASK/ITEM, such as ' + '/'.join(known[0])}")


def example(runs: tuple[Run, Run], found: PairReport, task: str, item: str) -> str:
    """One item of two sides that were compared: all messages of both as they were sent, and both answers."""
    items = runs[0].items()
    [targets, *_] = items.loc[(items["task"] == task) & (items["item"] == item), "targets"]
    lines = [f"{task}, item {item}; right: {' or '.join(map(str, targets))}"]
    for name, run, one in zip(("first", "second"), runs, (found.a, found.b), strict=True):
        trials = run.trials()
        here = (trials["task"] == task) & (trials["item"] == item) & (trials["arm"] == one.arm) & (trials["model"] == one.model)
        mine = trials[here & (trials["setting"] == one.setting.id) & (trials["base_prompt"] == (one.prompt or trials["base_prompt"]))]
        for row in mine.sort_values(["base_prompt", "replicate"]).to_dict("records")[:1]:
            lines += ["", f"{name}: {one.label}, score {row['score']:g}", said(run.calls_of(str(row["trial"])))]
    return "\n".join(lines)


def said(calls: pd.DataFrame) -> str:
    """The messages of a trial's last call, and its answer."""
    if calls.empty:
        return "(no call is recorded)"
    last = calls.iloc[-1]
    said = [f"{message.get('role')}: {message.get('content')}" for message in json.loads(last["messages"])]
    return "\n".join([*said, f"answer: {last['text']}"])

"""Two arms, of one run or of two, item by item: which answers flipped."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from promptlab.nouns import NONE_ARM, Comparison, Setting
from promptlab.reporting.store import RIGHT, Store

KINDS = ("a", "b", "both", "neither")
MOST_WORDS = 1_500
WORD = re.compile(r"\s+|[^\s]+")
KEYS = ["suite", "task", "item"]


@dataclass(frozen=True)
class Side:
    """One of the two arms that are compared."""

    store: Store
    model: str
    setting: Setting
    arm: str

    def means(self, task: str | None) -> pd.DataFrame:
        """The mean score of each item of a task (None: of all tasks) over its repeats, in the run's order; NaN where none is scored."""
        return self.store.query(
            "SELECT suite, task, item, avg(score) AS mean FROM trials t WHERE t.model = ? AND t.setting = ? "
            "AND t.arm = ? AND (? IS NULL OR task = ?) GROUP BY ALL ORDER BY min(t.order)",
            [self.model, self.setting.id, self.arm, task, task],
        )


def default_arms(store: Store, model: str, setting: Setting, task: str) -> tuple[str, str]:
    """The stimulus with the largest gain in this task (the first one while there is none) and the baseline."""
    cells = [c for c in store.comparisons(model, setting, NONE_ARM, ["cell"]) if c.task == task and c.diff is not None]
    best = max(cells, key=lambda c: c.diff or 0.0, default=None)
    arms = list(store.arms)
    first = best.treatment if best else next(iter(store.stimuli), arms[-1])
    return first, NONE_ARM if NONE_ARM in arms else arms[0]


def paired(a: pd.DataFrame, b: pd.DataFrame, shared: pd.DataFrame | None = None) -> pd.DataFrame:
    """Items that both arms have a score for, with both means (as `Side.means` gives them) and which of the two was right.

    `shared` (columns suite, task, item) keeps those items only that are the same in two runs.
    """
    frame = a.rename(columns={"mean": "mean_a"}).merge(b.rename(columns={"mean": "mean_b"}), on=KEYS).dropna()
    if shared is not None:
        frame = frame.merge(shared, on=KEYS)
    right_a, right_b = frame["mean_a"] >= RIGHT, frame["mean_b"] >= RIGHT
    frame["kind"] = "neither"
    frame.loc[right_a & right_b, "kind"] = "both"
    frame.loc[right_a & ~right_b, "kind"] = "a"
    frame.loc[~right_a & right_b, "kind"] = "b"
    return frame


def count_only(a: pd.DataFrame, b: pd.DataFrame) -> int:
    """How many items only one of the two arms has a score for."""
    scored = [set(means.dropna()[KEYS].itertuples(index=False, name=None)) for means in (a, b)]
    return len(scored[0] ^ scored[1])


def planned(a: Side, b: Side, task: str) -> tuple[Comparison | None, bool]:
    """The planned comparison of these two arms, and whether it has more control arms than the one shown."""
    if a.store is not b.store or a.model != b.model:
        return None, False
    for treatment, control in ((a.arm, b.arm), (b.arm, a.arm)):
        for c in a.store.comparisons(a.model, a.setting, None, ["cell"]):
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
    pairs = paired(a.means(None), b.means(None), shared_items(a, b, None))
    rows = []
    for task, group in pairs.groupby("task", sort=False):
        mean_a, mean_b = float(group["mean_a"].mean()), float(group["mean_b"].mean())
        rows.append(
            {
                "task": str(task), "items": len(group), "A": 100 * mean_a, "B": 100 * mean_b, "points": 100 * (mean_a - mean_b),
                "only A right": int((group["kind"] == "a").sum()), "only B right": int((group["kind"] == "b").sum()),
            }
        )  # fmt: skip
    columns = ["task", "items", "A", "B", "points", "only A right", "only B right"]
    return pd.DataFrame(rows, columns=columns).sort_values("points", kind="stable", ignore_index=True)


def word_diff(a: str, b: str) -> str:
    """Both answers as one text: words of A alone as [-word-], words of B alone as {+word+}."""
    left, right = WORD.findall(a)[:MOST_WORDS], WORD.findall(b)[:MOST_WORDS]
    parts: list[str] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            parts += left[i:j]
            continue
        if i < j:
            parts.append(f"[-{''.join(left[i:j])}-]")
        if k < m:
            parts.append(f"{{+{''.join(right[k:m])}+}}")
    return "".join(parts)


def shared_items(a: Side, b: Side, task: str | None) -> pd.DataFrame | None:
    """Of two runs the items that are the same word for word; None within one run."""
    if a.store is b.store:
        return None
    found = [
        side.store.query("SELECT suite, task, item, input, targets FROM items WHERE ? IS NULL OR task = ?", [task, task]) for side in (a, b)
    ]
    return found[0].merge(found[1], on=[*KEYS, "input", "targets"])[KEYS].drop_duplicates()


def default_kind(asked: str | None, pairs: pd.DataFrame, n: Mapping[str, int]) -> str:
    """The kind of the item that is asked for, else the more telling one."""
    of_item = pairs.loc[pairs["item"] == asked, "kind"]
    return str(of_item.iloc[0]) if len(of_item) else most_telling(n)

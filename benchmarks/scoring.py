"""Microseconds of processor time for each (prediction, item) pair of every scorer, over all tasks, side by side in one run.

    python benchmarks/scoring.py [--pairs 1000000] [--suite twin|official]
    python benchmarks/scoring.py --endless [--most 25]

Predictions are right and wrong answers, bare, in a sentence and with an explanation; every pair is scored once, so that the caches of the
strict scorer help it only as they do in a sweep. The reference column is promptlab's own version of the published rules. Processor time
does not count what other processes take, but a busy machine lengthens it too: the two columns are to be compared with each other.

With `--endless` the slowest replies of one repeated part are shown instead, with the time at half the length and at the full one: the ratio
of a rule that takes a time in proportion to the length is near 2, and of one that takes its square near 4.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable, Iterator

from promptlab.nouns import SCORERS, Item, Metric
from promptlab.scoring.metrics.strict import STRICT
from promptlab.scoring.rules import task_metric
from promptlab.sources.tasks import load_task, task_names

FORMS = ("{}", "{}.", "The answer is {}.", "{}\n\nExplanation: that is what was asked for.", "**{}**", "I think it is {}, number {n}.")
PARTS = (
    "a", " ", "- ", "the answer is ", "answer: not ", "wait, ", "1, ", "1 + ", "= ", "{", "[", "<think>", "</think>", "<answer>",
    "\\boxed{", "```", "not ", "so ", "I will ", "一", "答案", "is 1 or ", '{"answer": ', "(1) ", "####", "no. ", "same ", "七", "isn't ",
    "ox is larger than ", "| a ", "| - ", "ox ", "ox, ", "ox or ", "'s ", "is ", ". ", ".5", ",000", "-1", "→ ", "number 1, ", "final ",
    '" ', "the ", "\n",
)  # fmt: skip
LENGTH = 15_000


def pairs(items: tuple[Item, ...], n: int, rng: random.Random) -> Iterator[tuple[str, Item]]:
    """Pairs with right and wrong answers in turn; a running number makes some predictions new every time."""
    for i in range(n):
        item = items[i % len(items)]
        source = item if rng.random() < 0.6 else rng.choice(items)
        yield rng.choice(FORMS).replace("{n}", str(i)).replace("{}", rng.choice(source.targets)), item


def seconds(metric: Metric, made: Iterable[tuple[str, Item]]) -> float:
    """Processor time of scoring the pairs."""
    start = time.process_time()
    for prediction, item in made:
        metric(prediction, item)
    return time.process_time() - start


def endless(most: int) -> None:
    """Print the slowest endless replies: milliseconds at half the length and at the full one, and their ratio."""
    item = Item("1", "ox, hen", ("ox",), ("ox", "hen"))
    rows = []
    for part in PARTS:
        for kind, metric in STRICT.items():
            metric(part * 3, item)  # compiles the patterns that it meets
            half, full = (seconds(metric, [(part * (length // len(part)), item)]) for length in (LENGTH // 2, LENGTH))
            rows.append((full, half, kind, part))
    print(f"{'kind':12}{'part':24}{f'{LENGTH // 2} chars':>14}{f'{LENGTH} chars':>14}{'ratio':>8}   ms")
    for full, half, kind, part in sorted(rows, reverse=True)[:most]:
        print(f"{kind:12}{part!r:24}{1e3 * half:14.1f}{1e3 * full:14.1f}{full / half:8.2f}")


def main() -> None:
    """Print one line a task and the means, or the slowest endless replies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--suite", default="twin", choices=("twin", "official"))
    parser.add_argument("--endless", action="store_true")
    parser.add_argument("--most", type=int, default=25, help="rows of --endless")
    asked = parser.parse_args()
    if asked.endless:
        endless(asked.most)
        return
    names = task_names(asked.suite)
    totals = dict.fromkeys(SCORERS, 0.0)
    n = asked.pairs // len(names)
    print(f"{'task':36}" + "".join(f"{scorer:>16}" for scorer in SCORERS) + "   us a pair")
    for name in names:
        task = load_task(name, asked.suite)
        made = list(pairs(task.items, n, random.Random(name)))
        row = {scorer: seconds(task_metric(task, scorer), made) for scorer in SCORERS}
        for scorer in SCORERS:
            totals[scorer] += row[scorer]
        print(f"{name:36}" + "".join(f"{1e6 * row[scorer] / n:16.2f}" for scorer in SCORERS), flush=True)
    print(f"{'mean':36}" + "".join(f"{1e6 * totals[scorer] / n / len(names):16.2f}" for scorer in SCORERS))
    print(f"strict takes {totals['strict'] / totals['reference']:.2f} times the reference rules")


if __name__ == "__main__":
    main()

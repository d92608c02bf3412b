"""Microseconds for each (prediction, item) pair of every scorer, over all tasks, side by side in one run.

    python benchmarks/scoring.py [--pairs 1000000] [--suite twin|official]

Predictions are right and wrong answers, bare, in a sentence and with an explanation; every pair is scored once, so that the caches of the
strict scorer help it only as they do in a sweep. The reference column is promptlab's own version of the published rules.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator

from promptlab.nouns import SCORERS, Item
from promptlab.scoring.rules import task_metric
from promptlab.sources.tasks import load_task, task_names

FORMS = ("{}", "{}.", "The answer is {}.", "{}\n\nExplanation: that is what was asked for.", "**{}**", "I think it is {}, number {n}.")


def pairs(items: tuple[Item, ...], n: int, rng: random.Random) -> Iterator[tuple[str, Item]]:
    """Pairs with right and wrong answers in turn; a running number makes some predictions new every time."""
    for i in range(n):
        item = items[i % len(items)]
        source = item if rng.random() < 0.6 else rng.choice(items)
        yield rng.choice(FORMS).replace("{n}", str(i)).replace("{}", rng.choice(source.targets)), item


def main() -> None:
    """Print one line a task and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--suite", default="twin", choices=("twin", "official"))
    asked = parser.parse_args()
    names = task_names(asked.suite)
    totals = dict.fromkeys(SCORERS, 0.0)
    n = asked.pairs // len(names)
    print(f"{'task':36}" + "".join(f"{scorer:>16}" for scorer in SCORERS) + "   us a pair")
    for name in names:
        task = load_task(name, asked.suite)
        made = list(pairs(task.items, n, random.Random(name)))
        row = {}
        for scorer in SCORERS:
            metric = task_metric(task, scorer)
            start = time.perf_counter()
            for prediction, item in made:
                metric(prediction, item)
            row[scorer] = time.perf_counter() - start
            totals[scorer] += row[scorer]
        print(f"{name:36}" + "".join(f"{1e6 * row[scorer] / n:16.2f}" for scorer in SCORERS), flush=True)
    print(f"{'mean':36}" + "".join(f"{1e6 * totals[scorer] / n / len(names):16.2f}" for scorer in SCORERS))
    print(f"strict takes {totals['strict'] / totals['reference']:.2f} times the reference rules")


if __name__ == "__main__":
    main()

"""Writes the generated twin items: promptlab/data/twin/sum.jsonl and object_counting.jsonl.

Usage: python tools/make_twin_items.py

Seeded and deterministic: a second run writes the same bytes. The other twin tasks are written by hand; this script leaves
them alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "promptlab" / "data" / "twin"
N_ITEMS = 60
SUM_SEED = 5
COUNTING_SEED = 1

WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)

# Separate things only: no pairs, no sets, nothing measured by weight or volume. None of them is in the official sentences.
NOUNS = {
    "balloon": "balloons",
    "basket": "baskets",
    "bell": "bells",
    "bottle": "bottles",
    "brick": "bricks",
    "broom": "brooms",
    "bucket": "buckets",
    "button": "buttons",
    "candle": "candles",
    "coin": "coins",
    "comb": "combs",
    "cushion": "cushions",
    "doll": "dolls",
    "fork": "forks",
    "hammer": "hammers",
    "hat": "hats",
    "kettle": "kettles",
    "kite": "kites",
    "ladder": "ladders",
    "lantern": "lanterns",
    "marble": "marbles",
    "mirror": "mirrors",
    "mug": "mugs",
    "needle": "needles",
    "padlock": "padlocks",
    "pillow": "pillows",
    "plate": "plates",
    "ribbon": "ribbons",
    "shovel": "shovels",
    "spoon": "spoons",
    "suitcase": "suitcases",
    "teapot": "teapots",
    "umbrella": "umbrellas",
    "vase": "vases",
    "wallet": "wallets",
    "whistle": "whistles",
}


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def listing(parts: Sequence[str]) -> str:
    """The parts with commas, and a comma before the last 'and', as the official sentences have it."""
    return f"{parts[0]} and {parts[1]}" if len(parts) == 2 else ", ".join(parts[:-1]) + ", and " + parts[-1]


def sums() -> list[dict[str, object]]:
    """Sixty pairs of different numbers below 100. The larger stands first: the official files always put it last."""
    pairs = [(x, y) for x in range(100) for y in range(x)]
    chosen = random.Random(SUM_SEED).sample(pairs, N_ITEMS)
    return [
        {"id": f"sum-{number:03d}", "input": f"{x} {y}", "targets": [str(x + y)], "cluster": None}
        for number, (x, y) in enumerate(chosen, start=1)
    ]


def counts() -> list[dict[str, object]]:
    """Sixty inventories of three to ten kinds; everything that is named is counted, up to a total of twenty."""
    rng = random.Random(COUNTING_SEED)
    items: list[dict[str, object]] = []
    while len(items) < N_ITEMS:
        kinds = 3 + len(items) % 8
        nouns = rng.sample(sorted(NOUNS), kinds)
        amounts = [1 if rng.random() < 0.6 else rng.randint(2, 5) for _ in nouns]
        total = sum(amounts)
        if total > 20:
            continue
        parts = [article(noun) if n == 1 else f"{WORDS[n]} {NOUNS[noun]}" for noun, n in zip(nouns, amounts, strict=True)]
        items.append(
            {
                "id": f"counting-{len(items) + 1:03d}",
                "input": f"I have {listing(parts)}.",
                "targets": [WORDS[total], str(total)],
                "cluster": None,
            }
        )
    return items


def write(name: str, items: Sequence[dict[str, object]]) -> None:
    """One JSON object per line, UTF-8, LF."""
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("sum", sums())
    write("object_counting", counts())


if __name__ == "__main__":
    main()

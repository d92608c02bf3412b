"""Support tickets in our own words, made by a seed, and a model on loopback whose true accuracy with each prompt is known."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Mapping
from pathlib import Path

QUEUES = {
    "billing": ("the invoice of {month} lists {thing} twice", "I was charged for {thing} after I cancelled it"),
    "bug": ("{thing} closes by itself when I press save", "since {month} {thing} shows an empty page"),
    "account": ("I cannot sign in to {thing} with my new address", "please delete my profile and {thing} with it"),
    "other": ("do you offer {thing} for schools", "where do I find the roadmap of {thing}"),
}
THINGS = ("the editor", "the export", "team storage", "the calendar", "the mobile app")
MONTHS = ("March", "June", "October")
TASK = """items: tickets.csv
columns: {input: text, target: queue}
labels: [billing, bug, account, other]
metric: choice
"""


def tickets(n: int = 120, seed: int = 4) -> list[dict[str, str]]:
    """`n` tickets with their queues, each text once."""
    rng = random.Random(seed)
    found = []
    for number in range(n):
        queue = rng.choice(list(QUEUES))
        words = rng.choice(QUEUES[queue]).format(thing=rng.choice(THINGS), month=rng.choice(MONTHS))
        found.append({"text": f"Ticket {number + 1}: {words}.", "queue": queue, "customer": f"customer {rng.randrange(900)}"})
    return found


def written(folder: Path, rows: list[dict[str, str]]) -> None:
    """The table and its task file."""
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "tickets.yaml").write_text(TASK, encoding="utf-8")


def answering(rows: list[dict[str, str]], accuracy: Callable[[str], float]) -> Callable[[list[dict[str, str]]], str]:
    """A model that is right on exactly that share of the tickets that `accuracy` says for the whole text of a request.

    Tickets come in one order of difficulty: with a higher accuracy it is right on the same ones and on more.
    """
    places: Mapping[str, int] = {row["text"]: place for place, row in enumerate(random.Random(7).sample(rows, len(rows)))}

    def says(messages: list[dict[str, str]]) -> str:
        said = "\n".join(message["content"] for message in messages)
        row = next(row for row in rows if row["text"] in messages[-1]["content"])
        is_right = places[row["text"]] < round(accuracy(said) * len(rows))
        return row["queue"] if is_right else next(queue for queue in QUEUES if queue != row["queue"])

    return says

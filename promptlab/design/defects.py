"""Known defects of the official items, and what is done about them: `keep` them, `drop` the items, or `fix` what can be fixed.

Pure: items in, items out. Clusters are set in every mode, because rows that belong together are not independent whatever
else is done. docs/reference/tasks.md lists the defects of every task.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Literal

from promptlab.nouns import Item, together

Handling = Literal["keep", "drop", "fix"]
Items = tuple[Item, ...]
SMALL = 30
"""Tasks with fewer items than this are too small for a verdict of their own."""

NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
AMOUNTS = {word: number for number, word in enumerate(NUMBER_WORDS)} | {"a": 1, "an": 1}


def handled(task: str, items: Items, handling: Handling, own_instruction: Collection[str] = ()) -> Items:
    """The items of an official task under a way of handling its defects; `own_instruction` are ids with an instruction of their own."""
    items = clustered(task, items)
    if handling == "keep":
        return items
    items = REPAIRS[task](items, handling) if task in REPAIRS else items
    if own_instruction:
        items = tuple(item for item in items if item.id not in own_instruction)
    return _without_repeats(items) if task in REPEATS else items


def clustered(task: str, items: Items) -> Items:
    """Items with the name of the group that they belong to, where a task has such groups, or asks the same twice."""
    name = CLUSTERS.get(task)
    if name is None:
        return together(items)
    groups = Counter(name(item) for item in items)
    return tuple(replace(item, cluster=item.cluster or (group if groups[group := name(item)] > 1 else None)) for item in items)


def unanswerable_object_counting(items: Iterable[Item]) -> set[str]:
    """Ids of object_counting items whose answer is not the plain total of the things listed.

    BIG-bench asks how many things of one category there are; the edited copy lost that question, so that only items where
    everything counts can be answered: 789 of 1,000.
    """
    return {item.id for item in items if str(_total(item.input)) not in item.targets}


def _total(text: str) -> int | None:
    """Everything in "I have a violin, and two flutes." counted; None for text of another form."""
    match = re.fullmatch(r"I have (.+?)\.?\s*", text)
    if match is None:
        return None
    first_words = [part.split(" ", 1)[0] for part in re.split(r",\s+(?:and\s+)?|\s+and\s+", match[1])]
    if not all(word in AMOUNTS for word in first_words):
        return None
    return sum(AMOUNTS[word] for word in first_words)


def _object_counting(items: Items, _: Handling) -> Items:
    unanswerable = unanswerable_object_counting(items)
    return tuple(item for item in items if item.id not in unanswerable)


def _rhymes(items: Items, _: Handling) -> Items:
    """Every item accepts its own input; without it each still has an answer, so nothing is dropped."""
    kept = (replace(item, targets=tuple(t for t in item.targets if t.casefold() != item.input.casefold())) for item in items)
    return tuple(item for item in kept if item.targets)


def _tense(items: Items, handling: Handling) -> Items:
    trailing = [item for item in items if any(target != target.strip() for target in item.targets)]
    if handling == "drop":
        return tuple(item for item in items if item not in trailing)
    return tuple(replace(item, targets=tuple(target.strip() for target in item.targets)) for item in items)


_SCRAMBLED = re.compile(r"^The word (.+?) is a scrambled version of the English word $")


def _word_unscrambling(items: Items, handling: Handling) -> Items:
    found = []
    for item in items:
        match = _SCRAMBLED.match(item.input)
        letters = match[1] if match else ""
        if letters in item.targets:
            continue
        true = tuple(target for target in item.targets if sorted(target) == sorted(letters))
        if len(true) == len(item.targets):
            found.append(item)
        elif true and handling == "fix":
            found.append(replace(item, targets=true))
    return tuple(found)


def _contradictory(items: Items, _: Handling) -> Items:
    """Without rows that ask the same and want something else."""
    wanted: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for item in items:
        wanted[item.input].add(item.targets)
    return tuple(item for item in items if len(wanted[item.input]) == 1)


def _without_repeats(items: Items) -> Items:
    seen: dict[tuple[str, tuple[str, ...], frozenset[str]], Item] = {}
    for item in items:
        seen.setdefault((item.input, item.targets, frozenset(item.choices)), item)
    return tuple(seen.values())


REPAIRS: Mapping[str, Callable[[Items, Handling], Items]] = {
    "causal_judgment": _contradictory,
    "object_counting": _object_counting,
    "rhymes": _rhymes,
    "tense": _tense,
    "winowhy": _contradictory,
    "word_unscrambling": _word_unscrambling,
}
REPEATS = frozenset({"operators", "question_selection", "sports_understanding", "winowhy", "common_concept"})
"""Tasks with rows that are exactly the same; one of each is kept."""

FIRST_OPTION_RIGHT = frozenset({"question_selection"})
"""Tasks whose published options have an order that gives the answer away: `keep` shows them so."""

CLUSTERS: Mapping[str, Callable[[Item], str]] = {
    "causal_judgment": lambda item: item.input,
    "logical_fallacy_detection": lambda item: " ".join(item.input.rpartition("?")[2].split()) or item.input,
    "movie_recommendation": lambda item: item.input,
    "operators": lambda item: item.input.split("\n")[0],
    "orthography_starts_with": lambda item: item.input.rpartition(" [")[0],
    "presuppositions_as_nli": lambda item: item.input.partition("Sentence 2:")[0].strip(),
    "question_selection": lambda item: item.input.partition(" Context: ")[2],
    "rhymes": lambda item: min(item.targets),
    "ruin_names": lambda item: item.input,
    "sports_understanding": lambda item: item.input,
    "winowhy": lambda item: re.split(r" The '[^']+' refers to ", item.input)[0],
}
"""What the rows of one group have in common."""

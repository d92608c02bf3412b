"""The generated twins of Instruction Induction tasks: one function a task, each returning its rows."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

from twin.rows import N_ITEMS, Row, numbered, row, seeded
from twin.sentences import PASSIVE_FRAMES, STARTS_WITH
from twin.words import ANIMALS, MORE_ANIMALS, OTHER_THINGS, PLURALS, SPELLING

TWIN = Path(__file__).resolve().parents[2] / "promptlab" / "data" / "twin"
N_HAND_WRITTEN = 60
"""Items of active_to_passive that were written by hand; they stay as they are, in front."""

UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def active_to_passive() -> list[Row]:
    """The hand-written items, then "The SUBJECT VERBed the OBJECT." made from frames that go together: two a verb."""
    path = TWIN / "active_to_passive.jsonl"
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:N_HAND_WRITTEN]]
    rng = seeded("active_to_passive")
    made = [each for frame in PASSIVE_FRAMES.split("\n") if frame for each in _passives(frame, rng)]
    rng.shuffle(made)
    return numbered("passive", [*kept, *made[: N_ITEMS - len(kept)]])


def _passives(frame: str, rng: random.Random) -> list[Row]:
    """Two sentences of one frame that share neither the subject nor the object."""
    past, participle, subjects, objects = frame.split("|")
    doers, things = subjects.split(","), objects.split(",")
    rng.shuffle(things)
    rows = []
    for doer, thing in zip(doers, things, strict=True):
        subject, _ = _one_form(doer, rng)
        target, plural = _one_form(thing, rng)
        passive = f"The {target} {'were' if plural else 'was'} {participle} by the {subject}."
        rows.append(row(f"The {subject} {past} the {target}.", [passive]))
    return rows


def _one_form(noun: str, rng: random.Random) -> tuple[str, bool]:
    """A form of "singular:plural" and whether it is the plural; "singular" and ":plural" leave no choice."""
    singular, _, plural = noun.partition(":")
    use_plural = bool(plural) and (not singular or rng.random() < 0.5)
    return (plural if use_plural else singular), use_plural


def add() -> list[Row]:
    """Pairs of numbers below 1,000, one of them above 99: the official files hold every pair below 100."""
    rng = seeded("sum")
    return numbered("sum", [row(f"{x} {y}", [str(x + y)]) for x, y in _pairs(rng, lambda x, y: max(x, y) > 99)])


def diff() -> list[Row]:
    """Pairs of numbers below 1,000, the larger one first; the official ones have both y and the result below 100."""
    rng = seeded("diff")
    pairs = _pairs(rng, lambda x, y: x >= y and (y > 99 or x - y > 99))
    return numbered("diff", [row(f"{x} {y}", [str(x - y)]) for x, y in pairs])


def _pairs(rng: random.Random, wanted: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Different pairs that are wanted; every third has a number below 100."""
    pairs: dict[tuple[int, int], None] = {}
    while len(pairs) < N_ITEMS:
        pair = [rng.randrange(1000), rng.randrange(100 if len(pairs) % 3 == 0 else 1000)]
        rng.shuffle(pair)
        if wanted(*pair):
            pairs.setdefault((pair[0], pair[1]))
    return list(pairs)


def num_to_verbal() -> list[Row]:
    """Numbers of five digits (the official files hold every smaller one), a third of them with one zero or more inside."""
    rng = seeded("num_to_verbal")
    chosen: dict[int, None] = {}
    while len(chosen) < N_ITEMS:
        digits = list(str(rng.randrange(10_000, 100_000)))
        if len(chosen) % 3 == 0:
            for place in rng.sample(range(1, 5), rng.randint(1, 3)):
                digits[place] = "0"
        chosen.setdefault(int("".join(digits)))
    return numbered("numeral", [row(str(n), list(dict.fromkeys([in_words(n, "and "), in_words(n, "")]))) for n in chosen])


def in_words(number: int, link: str) -> str:
    """A number below 100,000 in words, as the official answers have it: "five thousand, two hundred and six"; `link` is "and "."""
    thousands, rest = divmod(number, 1000)
    if thousands and rest:
        return f"{in_words(thousands, link)} thousand" + (f", {in_words(rest, link)}" if rest > 99 else f" {link}{in_words(rest, link)}")
    if thousands:
        return f"{in_words(thousands, link)} thousand"
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{UNITS[hundreds]} hundred" + (f" {link}{in_words(rest, link)}" if rest else "")
    if number < 20:
        return UNITS[number]
    return TENS[number // 10] + (f"-{UNITS[number % 10]}" if number % 10 else "")


def first_word_letter() -> list[Row]:
    """The first letter of a word."""
    return numbered("first-letter", [row(word, [word[0]]) for word in _third(0, "first_word_letter")])


def second_word_letter() -> list[Row]:
    """The second letter of a word."""
    return numbered("second-letter", [row(word, [word[1]]) for word in _third(1, "second_word_letter")])


def letters_list() -> list[Row]:
    """The letters of a word with spaces between them."""
    return numbered("letters", [row(word, [" ".join(word)]) for word in _third(2, "letters_list")])


def _third(which: int, task: str) -> list[str]:
    """Words for one of the three spelling tasks, which share none."""
    return seeded(task).sample(SPELLING[which::3], N_ITEMS)


def singular_to_plural() -> list[Row]:
    """A noun and all of its plurals."""
    chosen = seeded("singular_to_plural").sample(PLURALS, N_ITEMS)
    pairs = [entry.partition(":")[::2] for entry in chosen]
    return numbered("plural", [row(singular, plurals.split("/")) for singular, plurals in pairs])


def larger_animal() -> list[Row]:
    """Two animals, one of them at least twice as long and six times as heavy; half of the pairs are not far beyond that."""
    rng = seeded("larger_animal")
    clear = [pair for pair in product(ANIMALS, repeat=2) if _ratios(*pair)[0] >= 2 and _ratios(*pair)[1] >= 6]
    near = [pair for pair in clear if _ratios(*pair)[1] <= 150]
    chosen = rng.sample(near, N_ITEMS // 2)
    chosen += rng.sample([pair for pair in clear if pair not in near], N_ITEMS - len(chosen))
    rng.shuffle(chosen)
    texts = [(f"{large}, {small}" if i % 2 else f"{small}, {large}", large) for i, (large, small) in enumerate(chosen)]
    rng.shuffle(texts)
    return numbered("larger", [row(text, [large]) for text, large in texts])


def _ratios(large: str, small: str) -> tuple[float, float]:
    """How many times longer and heavier the first animal is."""
    (length, weight), (length_of_small, weight_of_small) = ANIMALS[large], ANIMALS[small]
    return length / length_of_small, weight / weight_of_small


def taxonomy_animal() -> list[Row]:
    """Lists of five to nine words, two to five of them animals; the answer names the animals in the order of the list."""
    rng = seeded("taxonomy_animal")
    animals = sorted({*MORE_ANIMALS, *(name for name in ANIMALS if name not in ("mole", "seal", "robin", "yak") and " " not in name)})
    rows = []
    for i in range(N_ITEMS):
        length = 5 + i % 5
        n_animals = rng.randint(2, min(5, length - 2))
        listed = rng.sample(animals, n_animals)
        words = listed + rng.sample(OTHER_THINGS, length - n_animals)
        rng.shuffle(words)
        rows.append(row(", ".join(words), [", ".join(word for word in words if word in listed)]))
    rng.shuffle(rows)
    return numbered("taxonomy", rows)


def orthography_starts_with() -> list[Row]:
    """Every sentence with two letters, one of them with several words where there is such a letter; in lower case as published."""
    rng = seeded("orthography_starts_with")
    rows = []
    for number, sentence in enumerate(STARTS_WITH.strip().split("\n"), start=1):
        by_letter: dict[str, list[str]] = {}
        for word in re.findall(r"[a-z]+", sentence.lower()):
            by_letter.setdefault(word[0], []).append(word)
        fit = [letter for letter, words in by_letter.items() if len(words) <= 4 and not {*words} <= {"a", "the"}]
        several = [letter for letter in fit if len(by_letter[letter]) > 1]
        first = rng.choice(several or fit)
        short = [letter for letter, words in by_letter.items() if len(words) <= 4]
        second = rng.choice([letter for letter in fit if letter != first] or [letter for letter in short if letter != first])
        rows += [row(f"{sentence} [{letter}]", [" ".join(by_letter[letter])], f"sentence-{number:03d}") for letter in (first, second)]
    rng.shuffle(rows)
    return numbered("starts-with", rows)

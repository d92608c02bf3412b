"""The generated twins of BIG-Bench tasks (operators and linguistics_puzzles have files of their own): one function a task."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise

from twin.instruction_induction import UNITS
from twin.rows import N_ITEMS, Row, numbered, row, seeded, spread
from twin.sentences import CLAUSES, NAMES, TENSE_FRAMES
from twin.words import COUNTED, PLURALS, SPELLING, UNSCRAMBLE

BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
DYCK_LENGTHS = ((6, 9),) * 6 + ((10, 19),) * 5 + ((20, 29),) * 3 + ((30, 39),) * 2 + ((40, 59),) * 2 + ((60, 79),) * 2 + ((80, 99),) * 2
"""Lengths of what is given, about as often as published; shorter ones would repeat published sequences."""


def dyck_languages() -> list[Row]:
    """Sequences of four kinds of brackets that lack the last one, two or three; the answer closes them."""
    rng = seeded("dyck_languages")
    seen: set[str] = set()
    rows = []
    while len(rows) < N_ITEMS:
        n_missing = 1 + len(rows) % 3
        low, high = DYCK_LENGTHS[len(rows) // 3 % len(DYCK_LENGTHS)]
        text, answer = _unfinished(rng.choice([n for n in range(low, high + 1) if n % 2 == n_missing % 2]), n_missing, rng)
        if text not in seen:
            seen.add(text)
            rows.append(row(text, [answer]))
    rng.shuffle(rows)
    return numbered("dyck", rows)


def _unfinished(length: int, n_missing: int, rng: random.Random) -> tuple[str, str]:
    """A random sequence of `length` brackets with `n_missing` open ones, and what closes it."""
    shown: list[str] = []
    open_ones: list[str] = []
    for left in range(length, 0, -1):
        must_open = not open_ones or left == n_missing - len(open_ones)
        must_close = left == len(open_ones) - n_missing
        if must_open or (not must_close and rng.random() < 0.5):
            open_ones.append(rng.choice("([{<"))
            shown.append(open_ones[-1])
        else:
            shown.append(BRACKETS[open_ones.pop()])
    return " ".join(shown), " ".join(BRACKETS[bracket] for bracket in reversed(open_ones))


FACTIVE = ("understands", "knows", "remembers", "recognizes", "sees", "learns")
NON_FACTIVE = ("believes", "thinks", "suspects", "assumes")
RELATIONS = ("entailment", "non-entailment")
# What an item asks, with how many of the 212 ask it; the published items are of these kinds and no others.
ENTAILED = ("drop a factive inner", "keep a non-factive inner of a factive outer", "weaken")
NOT_ENTAILED = (
    *("drop a non-factive inner", "keep an inner of a non-factive outer", "keep a factive inner of a non-factive outer"),
    *("swap the two", "weaken for another person"),
)


def epistemic_reasoning() -> list[Row]:
    """Premises about what one person holds (about what another holds), and hypotheses that follow by the published rules or not.

    Knowing is factive: what is known is so, also inside of what somebody merely believes. Every clause is used up to three
    times, in different kinds of items; these share a cluster.
    """
    rng = seeded("epistemic_reasoning")
    kinds = [kind for pair in zip(_kinds(ENTAILED, rng), _kinds(NOT_ENTAILED, rng), strict=True) for kind in pair]
    clauses = CLAUSES.strip().split("\n")
    rng.shuffle(clauses)
    rows = []
    for i, kind in enumerate(kinds):
        number = i % len(clauses)
        text, follows = _epistemic(kind, *clauses[number].split("|"), rng)
        rows.append(row(text, [RELATIONS[not follows]], f"clause-{number + 1:02d}", RELATIONS))
    rng.shuffle(rows)
    return numbered("epistemic", rows)


def _kinds(kinds: Sequence[str], rng: random.Random) -> list[str]:
    """Half of the items' kinds."""
    return spread(kinds, N_ITEMS // 2, rng)


def _epistemic(kind: str, clause: str, weaker: str, rng: random.Random) -> tuple[str, bool]:
    """One item of a kind and whether its hypothesis follows."""
    one, other = rng.sample(NAMES, 2)
    knows, knows_too = rng.choice(FACTIVE), rng.choice(FACTIVE)
    believes, believes_too = rng.choice(NON_FACTIVE), rng.choice(NON_FACTIVE)
    either = rng.choice((knows, believes))
    verbs = {
        "drop a factive inner": (believes, knows),
        "keep a non-factive inner of a factive outer": (knows, believes),
        "drop a non-factive inner": (believes, believes_too),
        "keep an inner of a non-factive outer": (believes, believes_too),
        "keep a factive inner of a non-factive outer": (believes, knows),
        "swap the two": (knows_too, believes),
    }
    if kind.startswith("weaken"):
        who = one if kind == "weaken" else other
        premise, hypothesis = f"{one} {either} that {clause}", f"{who} {either} that {weaker}"
    else:
        outer, inner = f"{one} {verbs[kind][0]} that", f"{other} {verbs[kind][1]} that"
        premise = f"{outer} {inner} {clause}"
        kept = f"{inner} {outer}" if kind.startswith("swap") else outer if kind.startswith("drop") else inner
        hypothesis = f"{kept} {clause}"
    return f"Premise: {premise}. Hypothesis: {hypothesis}.", kind in ENTAILED


HEADINGS = ("forward", "right", "backward", "left")
TURNS = {"Turn left.": 3, "Turn right.": 1, "Turn around.": 2}
STEPS = range(11, 61)
TRUTH = ("True", "False")
Moves = list[tuple[int, int]]


def navigate() -> list[Row]:
    """Walks that end where they began or not, half of them with turns; those that do not miss by one changed number or turn."""
    rng = seeded("navigate")
    rows: dict[str, Row] = {}
    while len(rows) < N_ITEMS:
        number = len(rows)
        turning, returns, n_moves = number % 2 == 1, number % 4 < 2, 2 + number // 4 % 7
        text = _walk(turning, returns, n_moves, rng)
        rows.setdefault(text, row(text, [TRUTH[not returns]], choices=TRUTH))
    shuffled = list(rows.values())
    rng.shuffle(shuffled)
    return numbered("navigate", shuffled)


def _walk(turning: bool, returns: bool, n_moves: int, rng: random.Random) -> str:
    """Instructions with `n_moves` stretches that return, or do not after one of them was changed."""
    moves = _round_trip(n_moves, rng)
    while not returns:
        changed = list(moves)
        at = rng.randrange(n_moves)
        heading, steps = changed[at]
        changed[at] = (rng.randrange(4), steps) if rng.random() < 0.5 else (heading, rng.choice(STEPS))
        if _end(changed) != (0, 0):
            moves = changed
            break
    return _with_turns(moves, rng) if turning else _facing_forward(moves)


def _end(moves: Moves) -> tuple[int, int]:
    """Where the stretches lead: to the right and forward."""
    far = [sum(steps for heading, steps in moves if heading == wanted) for wanted in range(4)]
    return far[1] - far[3], far[0] - far[2]


def _round_trip(n_moves: int, rng: random.Random) -> Moves:
    """Random stretches that lead back: the last one against a direction is as long as it must be."""
    while True:
        moves = [(rng.randrange(4), rng.choice(STEPS)) for _ in range(n_moves)]
        for axis in (0, 1):
            off = _end(moves)[1 - axis]
            with_it = [i for i, (heading, _) in enumerate(moves) if heading == axis]
            against = [i for i, (heading, _) in enumerate(moves) if heading == axis + 2]
            if with_it and against:
                at = rng.choice(against)
                moves[at] = (axis + 2, moves[at][1] + off)
        if _end(moves) == (0, 0) and all(steps in STEPS for _, steps in moves):
            return moves


def _facing_forward(moves: Moves) -> str:
    """The walk of somebody who never turns."""
    return " ".join(["Always face forward.", *(f"Take {steps} steps {HEADINGS[heading]}." for heading, steps in moves)])


def _with_turns(moves: Moves, rng: random.Random) -> str:
    """The walk of somebody who turns before walking: at most two turns in a row, some needless, some at the end.

    Whether a walk returns does not depend on its first heading, so a turn before the first stretch is for show.
    """
    facing = moves[0][0]
    parts = [rng.choice(list(TURNS))] if rng.random() < 0.3 else []
    for i, (heading, steps) in enumerate(moves):
        turn = (heading - facing) % 4
        if turn == 0 and rng.random() < 0.15 and i:
            parts += rng.choice((["Turn around.", "Turn around."], ["Turn left.", "Turn right."], ["Turn right.", "Turn left."]))
        elif turn and rng.random() < 0.25:
            parts += _two_turns(turn, rng)
        elif turn:
            parts.append(next(text for text, quarter in TURNS.items() if quarter == turn))
        parts.append(f"Take {steps} steps.")
        facing = heading
    if rng.random() < 0.3:
        parts.append(rng.choice(list(TURNS)))
    return " ".join(parts)


def _two_turns(turn: int, rng: random.Random) -> list[str]:
    """Two turns that make one."""
    return list(rng.choice([(a, b) for a in TURNS for b in TURNS if (TURNS[a] + TURNS[b]) % 4 == turn]))


def object_counting() -> list[Row]:
    """Inventories of two to ten kinds of things; everything that is named is counted, up to a total of nineteen."""
    rng = seeded("object_counting")
    plural = dict(entry.split(":") for entry in COUNTED)
    rows: list[Row] = []
    while len(rows) < N_ITEMS:
        nouns = rng.sample(sorted(plural), 2 + len(rows) % 9)
        amounts = [1 if rng.random() < 0.55 else rng.randint(2, 5) for _ in nouns]
        if sum(amounts) < len(UNITS):
            parts = [_article(noun) if n == 1 else f"{UNITS[n]} {plural[noun]}" for noun, n in zip(nouns, amounts, strict=True)]
            rows.append(row(f"I have {_listing(parts)}.", [UNITS[sum(amounts)], str(sum(amounts))]))
    rng.shuffle(rows)
    return numbered("counting", rows)


def _article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" and not noun.startswith("uni") else f"a {noun}"


def _listing(parts: Sequence[str]) -> str:
    """The parts with commas, and a comma before the last "and" of three or more, as the official sentences have it."""
    return f"{parts[0]} and {parts[1]}" if len(parts) == 2 else ", ".join(parts[:-1]) + ", and " + parts[-1]


TENSES = tuple(
    f"{time}{aspect}"
    for aspect in ("", " CONTINUOUS", " PERFECT", " PERFECT CONTINUOUS")
    for time in (("SIMPLE PRESENT", "SIMPLE PAST", "SIMPLE FUTURE") if not aspect else ("PRESENT", "PAST", "FUTURE"))
)


def tense() -> list[Row]:
    """Every sentence frame four times, each time from another tense into another; every fourth frame is negative."""
    rng = seeded("tense")
    rows = []
    for number, frame in enumerate(TENSE_FRAMES.strip().split("\n")):
        wanted = [TENSES[(4 * number + k) % 12] for k in range(4)]
        given = rng.sample(TENSES, 4)
        while any(a == b for a, b in zip(given, wanted, strict=True)):
            given = rng.sample(TENSES, 4)
        negative = number % 4 == 3
        for source, target in zip(given, wanted, strict=True):
            text = f"{_in_tense(frame, source, negative)[0]} Change tense to {target}: "
            rows.append(row(text, _in_tense(frame, target, negative), f"sentence-{number + 1:02d}"))
    rng.shuffle(rows)
    return numbered("tense", rows)


def _in_tense(frame: str, name: str, negative: bool) -> list[str]:
    """The sentence of a frame in one tense; more than one where the verb has two forms."""
    subject, base, third, past, participle, ing, rest = frame.split("|")
    lone = base != third
    have = "has" if lone else "have"
    be, was = ("am", "was") if subject == "I" else ("is", "was") if lone else ("are", "were")
    doing = {"SIMPLE PRESENT": f"{'does' if lone else 'do'} not {base}", "SIMPLE PAST": f"did not {base}"}
    verbs = {
        "SIMPLE PRESENT": [third],
        "SIMPLE PAST": past.split("/"),
        "SIMPLE FUTURE": [f"will {base}"],
        "PRESENT CONTINUOUS": [f"{be} {ing}"],
        "PAST CONTINUOUS": [f"{was} {ing}"],
        "FUTURE CONTINUOUS": [f"will be {ing}"],
        "PRESENT PERFECT": [f"{have} {form}" for form in participle.split("/")],
        "PAST PERFECT": [f"had {form}" for form in participle.split("/")],
        "FUTURE PERFECT": [f"will have {form}" for form in participle.split("/")],
        "PRESENT PERFECT CONTINUOUS": [f"{have} been {ing}"],
        "PAST PERFECT CONTINUOUS": [f"had been {ing}"],
        "FUTURE PERFECT CONTINUOUS": [f"will have been {ing}"],
    }[name]
    if negative:
        verbs = [doing[name]] if name in doing else [verb.replace(" ", " not ", 1) for verb in verbs]
    return [f"{subject[0].upper()}{subject[1:]} {verb} {rest}." for verb in verbs]


def word_sorting() -> list[Row]:
    """Lists of two to twelve words, a third of them of words with the same first letter, never sorted already."""
    rng = seeded("word_sorting")
    rows = []
    for i in range(N_ITEMS):
        pool, length = SPELLING, 2 + i % 11
        if i % 3 == 0:
            letter = rng.choice("bcfgmprst")
            pool = [word for word in SPELLING if word[0] == letter]
        words = rng.sample(pool, length)
        while all(a < b for a, b in pairwise(words)):
            rng.shuffle(words)
        rows.append(row(" ".join(words), [" ".join(sorted(words))]))
    rng.shuffle(rows)
    return numbered("sorting", rows)


def word_unscrambling() -> list[Row]:
    """Letters to put in order; every English word that they make is a target, and they are no word as they stand."""
    rng = seeded("word_unscrambling")
    known = {*SPELLING, *(entry.partition(":")[0] for entry in PLURALS)}
    entries = rng.sample(UNSCRAMBLE, N_ITEMS)
    return numbered("unscramble", [_unscramble(entry.split("/"), known, rng) for entry in entries])


def _unscramble(words: Sequence[str], known: set[str] | Mapping[str, object], rng: random.Random) -> Row:
    """One item from a word and its anagrams; the first and the last letter may stay, the order must change."""
    letters = list(words[0])
    while (scrambled := "".join(letters)) in known or scrambled in words or scrambled == words[0][::-1]:
        rng.shuffle(letters)
    return row(f"The letters {scrambled} are a scrambled form of the English word ", words)

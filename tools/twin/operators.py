"""The generated twin of BIG-Bench's operators: definitions of "op", written for it, each asked two or three times."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from twin.instruction_induction import in_words
from twin.rows import N_ITEMS, Row, numbered, row, seeded

Draw = Callable[[random.Random], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Definition:
    """What op means: the sentence, the form of a question, what it comes to, and suitable operands."""

    text: str
    form: str
    compute: Callable[..., int]
    draw: Draw


def operators() -> list[Row]:
    """Results of operators that the item defines; items of one definition share a cluster."""
    rng = seeded("operators")
    extra = N_ITEMS - 2 * len(DEFINITIONS)
    rows = []
    for number, definition in enumerate(DEFINITIONS):
        made = _questions(definition, 3 if number < extra else 2, rng)
        rows += [row(text, [str(result)], f"definition-{number + 1:02d}") for text, result in made]
    rng.shuffle(rows)
    return numbered("operators", rows)


def _questions(definition: Definition, count: int, rng: random.Random) -> list[tuple[str, int]]:
    """Different questions on one definition, not by a sign alone, with different results where the first tries find them."""
    found: dict[str, tuple[str, int]] = {}
    tries = 0
    while len(found) < count:
        operands = definition.draw(rng)
        text, result = f"{definition.text}\n{_question(definition.form, operands)}", definition.compute(*operands)
        tries += 1
        if tries > 50 or all(result != other for _, other in found.values()):
            found.setdefault(text.replace("-", ""), (text, result))
    return list(found.values())


def _question(form: str, operands: Sequence[int]) -> str:
    """The form with its operands: {0}, {1} and so on are single ones, {all} is the list."""
    return form.format(*operands, all=" ".join(map(str, operands)))


def _whole(*ranges: tuple[int, int]) -> Draw:
    """One random number for every range, both ends included."""
    return lambda rng: [rng.randint(low, high) for low, high in ranges]


def _digits(count: int, *more: tuple[int, int]) -> Draw:
    """A number of `count` different digits that are not zero, then numbers of the ranges."""
    return lambda rng: [int("".join(map(str, rng.sample(range(1, 10), count)))), *_whole(*more)(rng)]


def _several(low: int, high: int, least: int = 4, most: int = 6) -> Draw:
    """Four to six different numbers."""
    return lambda rng: rng.sample(range(low, high + 1), rng.randint(least, most))


def _with_repeats(rng: random.Random) -> list[int]:
    """Five to seven numbers, some of them the same."""
    return [rng.choice((3, 8, 8, 14, 21, 21, 30)) for _ in range(rng.randint(5, 7))]


def _occurrences(rng: random.Random) -> list[int]:
    """A number of seven digits and one of its digits, which stands in it more than once."""
    digit, others = rng.randint(1, 9), rng.choices(range(1, 10), k=7)
    for place in rng.sample(range(7), rng.randint(1, 3)):
        others[place] = digit
    return [int("".join(map(str, others))), digit]


def _ones(rng: random.Random) -> list[int]:
    """A number of five digits, some of them 1."""
    return [int("".join(str(rng.choice((1, 1, 2, 4, 7, 8))) for _ in range(5)))]


def _percentage(rng: random.Random) -> list[int]:
    """A percentage and a number of which it is a whole number."""
    return [rng.choice((5, 10, 15, 20, 30, 40, 60, 70, 80, 90)), 20 * rng.randint(3, 30)]


def _even_sum(rng: random.Random) -> list[int]:
    """Two numbers with a whole average."""
    first = rng.randint(-30, 60)
    return [first, first + 2 * rng.randint(3, 40)]


def _first_or_second(rng: random.Random) -> list[int]:
    """Two numbers and 1 or 2."""
    return [*rng.sample(range(10, 100), 2), rng.choice((1, 2))]


def _maybe_multiple(of: int) -> Draw:
    """A number that is a multiple half of the time."""
    return lambda rng: [of * rng.randint(3, 20) + (rng.randint(1, of - 1) if rng.random() < 0.5 else 0)]


def _sorted_digits(i: int, reverse: bool) -> int:
    return int("".join(sorted(str(i), reverse=reverse)))


def _digits_of(i: int) -> list[int]:
    return [int(digit) for digit in str(i)]


def _divisors(i: int) -> list[int]:
    return [d for d in range(1, i + 1) if i % d == 0]


def _fibonacci(i: int) -> int:
    a, b = 1, 1
    for _ in range(i - 1):
        a, b = b, a + b
    return a


def _alternating(numbers: Iterable[int]) -> int:
    return sum(n if place % 2 == 0 else -n for place, n in enumerate(numbers))


ONE, TWO, THREE, LIST = "op {0}", "{0} op {1}", "op {0} {1} {2}", "op {all}"
DEFINITIONS = [
    Definition(*parts)
    for parts in (
        ("op i is three times i, minus 4.", ONE, lambda i: 3 * i - 4, _whole((-9, 40))),
        ("op i multiplies i by itself and takes i away again.", ONE, lambda i: i * i - i, _whole((4, 25))),
        ("op i is the sum of the digits of i.", ONE, lambda i: sum(_digits_of(i)), _whole((100, 99999))),
        ("op i is what you get by multiplying all digits of i.", ONE, lambda i: math.prod(_digits_of(i)), _digits(3)),
        ("op i is the number of digits of i.", ONE, lambda i: len(str(i)), lambda rng: [rng.randrange(10 ** rng.randint(2, 9))]),
        ("op i is the largest digit of i.", ONE, lambda i: max(_digits_of(i)), _whole((1000, 999999))),
        ("op i is the smallest digit of i.", ONE, lambda i: min(_digits_of(i)), _digits(4)),
        ("op i counts the even digits of i.", ONE, lambda i: sum(d % 2 == 0 for d in _digits_of(i)), _digits(7)),
        ("op i is how many positive divisors i has, 1 and i included.", ONE, lambda i: len(_divisors(i)), _whole((6, 60))),
        ("op i adds up all whole numbers from 1 to i.", ONE, lambda i: i * (i + 1) // 2, _whole((5, 30))),
        ("op i rounds i down to a multiple of 10.", ONE, lambda i: i // 10 * 10, _whole((11, 999))),
        ("op i is the smallest multiple of 100 that is not below i.", ONE, lambda i: -(-i // 100) * 100, _whole((101, 5000))),
        (
            "op i is the smallest divisor of i above 1.",
            ONE,
            lambda i: _divisors(i)[1],
            lambda rng: [rng.choice((33, 35, 49, 58, 77, 91, 95, 121))],
        ),
        ("op i is the largest divisor of i below i itself.", ONE, lambda i: _divisors(i)[-2], _whole((12, 90))),
        (
            "op i makes the first and the last digit of i change places.",
            ONE,
            lambda i: int(f"{str(i)[-1]}{str(i)[1:-1]}{str(i)[0]}"),
            _digits(5),
        ),
        ("op i writes the digits of i in ascending order.", ONE, lambda i: _sorted_digits(i, False), _digits(5)),
        ("op i writes the digits of i in descending order.", ONE, lambda i: _sorted_digits(i, True), _digits(6)),
        ("op i leaves out the middle one of the three digits of i.", ONE, lambda i: int(f"{str(i)[0]}{str(i)[2]}"), _digits(3)),
        ("op i writes i twice in a row.", ONE, lambda i: int(f"{i}{i}"), _whole((12, 999))),
        ("op i adds i to the number that its digits form from right to left.", ONE, lambda i: i + int(str(i)[::-1]), _digits(3)),
        ("op i is 1 if i is a multiple of 7, and 0 if it is not.", ONE, lambda i: int(i % 7 == 0), _maybe_multiple(7)),
        ("op i is the largest digit of i minus its smallest digit.", ONE, lambda i: max(_digits_of(i)) - min(_digits_of(i)), _digits(5)),
        ("op i takes 6 from i as often as the result stays at 0 or above, and is what is left.", ONE, lambda i: i % 6, _whole((20, 95))),
        ("op i is the cube of i, less one.", ONE, lambda i: i**3 - 1, _whole((2, 11))),
        (
            "op i halves i if it is a multiple of 4, and adds 3 to it otherwise.",
            ONE,
            lambda i: i + 3 if i % 4 else i // 2,
            _maybe_multiple(4),
        ),
        ("op i is how many multiples of 3 there are from 1 to i.", ONE, lambda i: i // 3, _whole((10, 99))),
        ("op i counts the letters of i when i is written as an English word.", ONE, lambda i: len(in_words(i, "")), _whole((1, 20))),
        ("op i turns i hours into minutes.", ONE, lambda i: 60 * i, _whole((3, 24))),
        ("op i is the number of days in i weeks.", ONE, lambda i: 7 * i, _whole((4, 52))),
        ("op i is the last digit of the square of i.", ONE, lambda i: i * i % 10, _whole((11, 99))),
        ("op i squares each digit of i and adds the squares.", ONE, lambda i: sum(d * d for d in _digits_of(i)), _digits(3)),
        ("op i subtracts from i the sum of its digits.", ONE, lambda i: i - sum(_digits_of(i)), _whole((20, 999))),
        ("op i is the greatest square number that is not above i.", ONE, lambda i: math.isqrt(i) ** 2, _whole((10, 200))),
        ("op i is the ith term of the sequence 2, 5, 8, 11, 14 and so on.", ONE, lambda i: 3 * i - 1, _whole((6, 40))),
        (
            "op i is the ith term of 1, 1, 2, 3, 5, 8 and so on, where each term adds up the two before it.",
            ONE,
            _fibonacci,
            _whole((7, 16)),
        ),
        ("op i replaces every 1 in i by a 9.", ONE, lambda i: int(str(i).replace("1", "9")), _ones),
        ("op i changes the sign of i and then adds 10.", ONE, lambda i: 10 - i, _whole((-40, 40))),
        ("op i is how far i is from 50.", ONE, lambda i: abs(i - 50), _whole((1, 120))),
        ("i op j is twice i plus three times j.", TWO, lambda i, j: 2 * i + 3 * j, _whole((-9, 30), (2, 20))),
        ("i op j multiplies i by j and takes their sum away.", TWO, lambda i, j: i * j - i - j, _whole((2, 15), (2, 15))),
        ("i op j is the square of i minus the square of j.", TWO, lambda i, j: i * i - j * j, _whole((1, 15), (1, 15))),
        ("i op j is the distance between i and j on the number line.", TWO, lambda i, j: abs(i - j), _whole((-50, 50), (-50, 50))),
        (
            "i op j is the sum of all whole numbers from i to j, i and j included.",
            TWO,
            lambda i, j: sum(range(i, j + 1)),
            _whole((2, 9), (10, 14)),
        ),
        ("i op j counts the whole numbers that are above i and below j.", TWO, lambda i, j: j - i - 1, _whole((-20, 20), (25, 70))),
        (
            "i op j is the largest number that divides both i and j.",
            TWO,
            math.gcd,
            lambda rng: [6 * rng.randint(2, 15), 4 * rng.randint(2, 15)],
        ),
        ("i op j is the smallest positive number that i and j both divide.", TWO, math.lcm, _whole((4, 20), (4, 20))),
        (
            "i op j multiplies the last digit of i by the first digit of j.",
            TWO,
            lambda i, j: i % 10 * int(str(j)[0]),
            _whole((101, 999), (101, 999)),
        ),
        ("i op j is the remainder when the sum of i and j is divided by 9.", TWO, lambda i, j: (i + j) % 9, _whole((10, 80), (10, 80))),
        ("i op j lies halfway between i and j.", TWO, lambda i, j: (i + j) // 2, _even_sum),
        ("i op j is the area of a rectangle with sides i and j.", TWO, lambda i, j: i * j, _whole((5, 30), (3, 20))),
        ("i op j is the perimeter of a rectangle with sides i and j.", TWO, lambda i, j: 2 * (i + j), _whole((5, 60), (3, 60))),
        ("i op j is i if j is even, and j if it is odd.", TWO, lambda i, j: j if j % 2 else i, _whole((10, 99), (10, 99))),
        ("i op j adds j to i and doubles the outcome.", TWO, lambda i, j: 2 * (i + j), _whole((-20, 50), (1, 50))),
        ("i op j doubles i and then takes j away.", TWO, lambda i, j: 2 * i - j, _whole((5, 80), (5, 99))),
        ("i op j is how often the digit j occurs in i.", TWO, lambda i, j: str(i).count(str(j)), _occurrences),
        ("i op j is the jth digit of i, counted from the left.", TWO, lambda i, j: int(str(i)[j - 1]), _digits(7, (2, 6))),
        ("i op j is the jth multiple of i above 100.", TWO, lambda i, j: (100 // i + j) * i, _whole((6, 40), (1, 5))),
        ("i op j writes the digit i j times side by side.", TWO, lambda i, j: int(str(i) * j), _whole((2, 9), (2, 7))),
        ("i op j is i percent of j.", TWO, lambda i, j: i * j // 100, _percentage),
        ("i op j is 100 less the product of i and j.", TWO, lambda i, j: 100 - i * j, _whole((2, 15), (2, 12))),
        ("i op j moves the first j digits of i to its end.", TWO, lambda i, j: int(str(i)[j:] + str(i)[:j]), _digits(6, (1, 4))),
        (
            "i op j divides the larger of i and j by the smaller one and drops the fraction.",
            TWO,
            lambda i, j: max(i, j) // min(i, j),
            _whole((3, 20), (30, 200)),
        ),
        ("i op j is the square of the sum of i and j.", TWO, lambda i, j: (i + j) ** 2, _whole((-10, 10), (1, 10))),
        ("op i j k is the middle one of i, j and k when they are put in order.", THREE, lambda *n: sorted(n)[1], _several(-50, 99, 3, 3)),
        ("op i j k is i times j, plus k.", THREE, lambda i, j, k: i * j + k, _whole((2, 15), (2, 15), (-20, 50))),
        ("op i j k adds the two largest of i, j and k.", THREE, lambda *n: sum(n) - min(n), _several(-20, 80, 3, 3)),
        ("op i j k adds i and j and multiplies the result by k.", THREE, lambda i, j, k: (i + j) * k, _whole((-9, 20), (3, 30), (2, 9))),
        ("op i j k is the largest of the three numbers minus the smallest.", THREE, lambda *n: max(n) - min(n), _several(-40, 90, 3, 3)),
        ("op i j k is i if k is 1, and j if k is 2.", THREE, lambda i, j, k: (i, j)[k - 1], _first_or_second),
        (
            "op a b c d is the product of a and d minus the product of b and c.",
            "op {0} {1} {2} {3}",
            lambda a, b, c, d: a * d - b * c,
            _whole((1, 12), (1, 12), (1, 12), (1, 12)),
        ),
        ("op n1 n2 ... nn counts the negative numbers in the list.", LIST, lambda *n: sum(x < 0 for x in n), _several(-40, 40, 5, 8)),
        ("op n1 n2 ... nn adds up only the even numbers of the list.", LIST, lambda *n: sum(x for x in n if x % 2 == 0), _several(1, 40)),
        ("op n1 n2 ... nn adds the first number to the last.", LIST, lambda *n: n[0] + n[-1], _several(-30, 90)),
        ("op n1 n2 ... nn counts how many different numbers are listed.", LIST, lambda *n: len(set(n)), _with_repeats),
        ("op n1 n2 ... nn adds up the list without its largest number.", LIST, lambda *n: sum(n) - max(n), _several(1, 60)),
        (
            "op n1 n2 ... nn takes the first number and subtracts all others from it.",
            LIST,
            lambda *n: 2 * n[0] - sum(n),
            _several(2, 50, 3, 5),
        ),
        (
            "op n1 n2 ... nn adds and subtracts in turn: n1 minus n2 plus n3 and so on.",
            LIST,
            lambda *n: _alternating(n),
            _several(1, 40, 3, 6),
        ),
        ("op n1 n2 ... nn is the second largest number of the list.", LIST, lambda *n: sorted(n)[-2], _several(-60, 99, 4, 7)),
        ("op n1 n2 ... nn counts the odd numbers of the list.", LIST, lambda *n: sum(x % 2 for x in n), _several(1, 99, 5, 8)),
        (
            "i op1 j is i plus twice j; i op2 j is i minus j.",
            "({0} op1 {1}) op2 {2}",
            lambda a, b, c: a + 2 * b - c,
            _whole((2, 30), (2, 30), (2, 30)),
        ),
        ("op1 i is i plus 1; op2 i is i times 3.", "op1 (op2 {0})", lambda i: 3 * i + 1, _whole((-9, 30))),
        (
            "op1 i is the last digit of i; i op2 j multiplies i by j.",
            "op1 ({0} op2 {1})",
            lambda i, j: i * j % 10,
            _whole((12, 49), (3, 19)),
        ),
    )
]
"""What op may mean. None of these sentences is among the published ones."""

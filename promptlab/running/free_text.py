"""Free answers of a planted quality, and simulated judges and raters of known bias who read it: pure, decided by `draw`.

The quality of a text is the share of its sentences that are good ones. What is no sentence of this module counts as bad.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence

from promptlab.nouns import LETTERS, digest_of_text, unfenced
from promptlab.sources.spec.libraries import SimTaste

GOOD, POOR = "{}, point {} is answered by a checked fact.", "{}, point {} is answered by a loose guess."
STYLES = ("Plainly", "In short", "As asked", "To begin with", "Put simply", "In other words", "For the record", "Briefly")
_GOOD = re.compile(r"point \d+ is answered by a checked fact")
_SENTENCE = re.compile(r"[.!?]+(?=\s|\Z)")
USUAL_WORDS = 40
TIED = 0.15
"""How far apart two answers must seem for a judge to prefer one."""


def style_of(model: str) -> str:
    """How the sentences of a simulated model begin."""
    return STYLES[int(digest_of_text(model)[:6], 16) % len(STYLES)]


def written(model: str, quality: float, n_sentences: int, rng: random.Random) -> str:
    """A text of so many sentences, each good with the probability `quality`."""
    style = style_of(model)
    points = (GOOD if rng.random() < quality else POOR for _ in range(n_sentences))
    return " ".join(point.format(style, rng.randrange(1, 1000)) for point in points)


def quality_of(text: str) -> float:
    """The planted quality of a text, from 0 to 1."""
    return min(1.0, len(_GOOD.findall(text)) / max(1, len(_SENTENCE.findall(text))))


def seems(taste: SimTaste, text: str) -> float:
    """How good a text seems, before any noise: its quality, and what the judge is biased by."""
    if taste.obeys and taste.obeys in text.casefold():
        return 1.5
    quality = 0.5 if taste.blind else quality_of(text)
    length = math.log(max(1, len(text.split())) / USUAL_WORDS)
    own = taste.self_preference if taste.likes_style_of and style_of(taste.likes_style_of) in text else 0.0
    return taste.offset + 0.5 + taste.slope * (quality - 0.5) + taste.length_bias * length + own


def rated(taste: SimTaste, text: str, low: int, high: int, rng: random.Random) -> float:
    """A rating on a scale, not rounded."""
    return low + (high - low) * min(1.0, max(0.0, seems(taste, text) + rng.gauss(0, taste.noise)))


def preferred(taste: SimTaste, a: str, b: str, rng: random.Random) -> str:
    """A, B or tie."""
    apart = seems(taste, a) - seems(taste, b) + taste.position_bias + rng.gauss(0, taste.noise)
    return "tie" if abs(apart) < TIED else LETTERS[0] if apart > 0 else LETTERS[1]


def judged(taste: SimTaste, said: str, rng: random.Random) -> tuple[str, tuple[tuple[str, float], ...]]:
    """The reply to a request for a judgement, and the log-probabilities of its first token."""
    parts: Mapping[str, str] = dict(unfenced(said))
    if "answer_A" in parts:
        choice = preferred(taste, parts["answer_A"], parts["answer_B"], rng)
        return (f"Both were read.\nVerdict: {choice}" if "Verdict:" in said else choice), ()
    low, high = (int(number) for number in re.findall(r"from (\d+) to (\d+)", said)[-1])
    value = rated(taste, parts["answer"], low, high, rng)
    number = math.floor(value + 0.5)
    return (f"It was read.\nScore: {number}" if "Score:" in said else str(number)), _around(value, range(low, high + 1))


def _around(value: float, scale: Sequence[int]) -> tuple[tuple[str, float], ...]:
    """Log-probabilities of the numbers of a scale, whose mean is near the value."""
    weights = {number: math.exp(-2 * (number - value) ** 2) for number in scale}
    total = sum(weights.values())
    return tuple(sorted(((str(n), math.log(max(w / total, 1e-9))) for n, w in weights.items()), key=lambda pair: -pair[1]))

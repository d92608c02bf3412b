"""How the means of one item differ between two arms, and what the sign-flip test of one task sees of it before any money is spent."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, ndtr, ndtri

from promptlab.stats import laws as st
from promptlab.stats.intervals import Array
from promptlab.stats.multiplicity import min_discordant


class ChangeLaw(NamedTuple):
    """How the means of one item differ: the share of items that differ at all, and the first four moments over all items."""

    share: float
    mean: float
    square: float
    cube: float
    fourth: float


@lru_cache(maxsize=1024)
def item_changes(repeats: int, controls: int, accuracy: float, discordance: float, part: float) -> ChangeLaw:
    """The differences of item means, where an item's chance of a right answer follows a beta law (Skellam 1948).

    Each item has `repeats` answers to the treatment and as many from each of the `controls` arms. The law has the mean `accuracy`, and
    two runs of one prompt disagree on a share `discordance`. The effect makes a `part` of the wrong answers right.
    """
    within = min(max(discordance / (2 * accuracy * (1 - accuracy)), 1e-6), 1 - 1e-6)
    spread = within / (1 - within)
    a, b, many = accuracy * spread, (1 - accuracy) * spread, repeats * controls
    right, others = np.arange(repeats + 1.0), np.arange(many + 1.0)
    both = right[:, None] + others
    ways = _log_choose(repeats, right)[:, None] + _log_choose(many, others)
    before = np.exp(ways + betaln(a + both, b + repeats + many - both) - betaln(a, b))
    made = st.binom.pmf(right[:, None] - right, repeats - right, min(part, 1.0))  # from so many right (columns) to so many (rows)
    law = np.where(right[:, None] >= right, made, 0.0) @ before
    numerators = right[:, None] * controls - others
    d = numerators / many
    return ChangeLaw(float(law[numerators != 0].sum()), *(float((law * d**k).sum()) for k in range(1, 5)))


def _log_choose(n: int, k: Array) -> Array:
    """The logarithm of the number of ways to take k of n."""
    return np.asarray(-np.log(n + 1.0) - betaln(n - k + 1.0, k + 1.0))


def power_signflip(n: int, law: ChangeLaw, alpha: float) -> float:
    """Power of the sign-flip test on n item means: by enumeration of how many differ, of each by the normal law of its own edge.

    With m differing items the test asks for a sum of at least z times the root of their squares, and for so many items that they can
    reject at all.
    """
    if n < 1 or not 0 < alpha < 1:
        raise ValueError(f"n >= 1 and 0 < alpha < 1 are needed; found {n}, {alpha}")
    if law.share <= 0:
        return 0.0
    share = min(law.share, 1.0)
    middle, wide = n * share, 9 * math.sqrt(n * share * (1 - share)) + 20
    m = np.arange(max(min_discordant(alpha).midp, math.floor(middle - wide)), min(n, math.ceil(middle + wide)) + 1)
    if not len(m):
        return 0.0
    mean, square, cube, fourth = (moment / share for moment in law[1:])
    z = float(-ndtri(alpha / 2))
    slope = z / (2 * np.sqrt(m * square))  # the edge grows with the squares themselves
    variance = (square - mean**2) - 2 * slope * (cube - mean * square) + slope**2 * (fourth - square**2)
    found = ndtr((m * mean - z * np.sqrt(m * square)) / np.sqrt(m * np.maximum(variance, 1e-12)))
    return float(np.sum(st.binom.pmf(m, n, share) * found))

"""Does a new, unselected estimate agree with a published one? Prediction interval and small telescopes."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from scipy import stats as st

Agreement = Literal["consistent", "smaller", "larger", "opposite"]


class Replication(NamedTuple):
    """A published difference and ours, as fractions, and how they agree."""

    published: float
    se_published_unpaired: float
    """Bound for arms that met different items: sqrt(sum of 2 p (1 - p) / n) / T."""
    se_published_paired: float
    """For arms that met the same items, at our share of changed answers: sqrt(sum of psi / n) / T."""
    ours: float
    se_ours: float
    ci_low: float
    ci_high: float
    prediction_low: float
    """Where a repetition like ours falls with 95 % chance if the published effect is the truth (Patil, Peng and Leek 2016)."""
    prediction_high: float
    p_small_telescope: float
    """One-sided: is ours below the effect that the original had 33 % power for? (Simonsohn 2015)"""
    agreement: Agreement
    detectable_33: float


def replication_check(
    published: float, ours: float, se_ours: float, baseline: float, discordance: float, n_tasks: int, n_items: int = 100, scale: float = 1.0
) -> Replication:
    """Compare an average over stimuli that was published with ours; the published best of many is never compared.

    `baseline` is the published share of right answers (its errors need it), `discordance` our share of changed answers,
    `scale` how much wider the published scale is than raw scores (normalised scores).
    """
    if n_tasks < 1 or n_items < 1 or se_ours < 0 or not 0 <= discordance <= 1:
        raise ValueError(
            f"n_tasks and n_items of at least 1 and a discordance from 0 to 1 are needed; found {n_tasks}, {n_items}, {discordance}"
        )
    p = min(max(baseline, 0.0), 1.0)
    unpaired = scale * math.sqrt(2 * p * (1 - p) / n_items / n_tasks)
    paired = scale * math.sqrt(discordance / n_items / n_tasks)
    half = 1.959964 * math.sqrt(unpaired**2 + se_ours**2)
    low, high = published - half, published + half
    ci = (ours - 1.959964 * se_ours, ours + 1.959964 * se_ours)
    if low <= ours <= high:
        agreement: Agreement = "consistent"
    elif (published > 0 and ci[1] < 0) or (published < 0 and ci[0] > 0):
        agreement = "opposite"
    else:
        agreement = "smaller" if abs(ours) < abs(published) or ours * published < 0 else "larger"
    small = (1.959964 + float(st.norm.ppf(0.33))) * unpaired
    signed = ours if published >= 0 else -ours
    p_small = float(st.norm.cdf((signed - small) / se_ours)) if se_ours > 0 else float(signed < small)
    return Replication(
        published=published, se_published_unpaired=unpaired, se_published_paired=paired, ours=ours, se_ours=se_ours, ci_low=ci[0],
        ci_high=ci[1], prediction_low=low, prediction_high=high, p_small_telescope=p_small, agreement=agreement, detectable_33=small,
    )  # fmt: skip

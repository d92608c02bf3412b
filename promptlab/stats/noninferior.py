"""The gate: whether one arm is at most a margin worse than what runs today. A claim of its own, so it is corrected for nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import bdtr, bdtrc, bdtri, ndtri

from promptlab.nouns import ArmRef, Contrast, Plan, counted
from promptlab.stats.analysis import LEAST_ITEMS, Analysis
from promptlab.stats.core import FEW, Inference, infer
from promptlab.stats.intervals import tango_score
from promptlab.stats.outcomes import ODD, UNEVEN, Outcomes
from promptlab.stats.pairs import Pairs

Outcome = Literal["pass", "fail", "not enough data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiority:
    """Arm minus incumbent, as fractions. `low` and `high` are the ends of two one-sided intervals at 1 - alpha."""

    outcome: Outcome
    diff: float | None
    low: float | None
    high: float | None
    margin: float
    alpha: float
    n_items: int
    n_tasks: int
    why: str
    exact: bool = False
    """Whether an end is an exact bound, which is wider than the score interval: few answers changed, or all one way."""
    n_needed: int | None = None
    """Where the interval leaves it open: items a task with which 80 % of gates pass if nothing changes on average."""


def non_inferiority(
    trials: pd.DataFrame, plan: Plan, arm: Sequence[ArmRef], incumbent: Sequence[ArmRef], *, margin: float, alpha: float = 0.05
) -> NonInferiority:
    """Whether the mean over the tasks of `arm` minus `incumbent` is above -margin (a fraction), one-sided at `alpha`.

    It passes where the lower end is above -margin, also with the answers that only one side lost put in against the arm, and, where
    the sides differ in their shares of answers that are cut, empty or refused, also without those. It fails
    where the arm is shown to be worse (the upper end is below 0) and the lower end is not above -margin. Anything else needs more
    data. Score-type and exact bounds are used where few answers change, errors by cluster where items come in clusters
    (`promptlab.stats.core`). Source: ICH E9 and E10; Schuirmann 1987.
    """
    if not 0 < margin <= 1 or not 0 < alpha < 0.5:
        raise ValueError(f"margin must be above 0 and at most 1, alpha above 0 and below 0.5; found {margin} and {alpha}")
    weights = {ref: 1 / len(arm) for ref in arm} | {ref: -1 / len(incumbent) for ref in incumbent}
    contrast = Contrast(name="arm - incumbent", weights=tuple(weights.items()))
    analysis = Analysis(trials, plan)
    found = [_ends(one, contrast, margin, alpha) for one in (analysis, analysis.at_worst(False))]
    (diff, low, high, n, n_tasks, why, inference), (_, low_at_worst, *_) = found
    outcome: Outcome = "not enough data"
    needed = None
    if not why and low is not None and high is not None:
        if low > -margin and low_at_worst is not None and low_at_worst > -margin:
            outcome, why = _without_unwhole(trials, plan, contrast, margin, alpha)
        elif low <= -margin and high < 0:
            outcome = "fail"
        elif low > -margin:
            why = "answers that only one side lost could turn it"
        else:
            why = "the interval leaves open whether it loses more than the margin"
            needed = None if inference is None else _needed(inference, n, n_tasks, margin, alpha)
    return NonInferiority(
        outcome=outcome, diff=diff, low=low, high=high, margin=margin, alpha=alpha, n_items=n, n_tasks=n_tasks, why=why,
        exact=inference is not None and inference.bounded, n_needed=needed,
    )  # fmt: skip


def _needed(inference: Inference, n: int, n_tasks: int, margin: float, alpha: float) -> int | None:
    """Items a task with which 80 % of gates pass where nothing changes on average; None where nothing says how much answers vary."""
    if inference.table is not None and n_tasks == 1 and inference.n_nonzero:
        return items_of_gate(min(inference.n_nonzero / n, 0.99), margin, alpha)
    if not inference.error:
        return None
    return math.ceil(n / n_tasks * ((float(ndtri(1 - alpha)) + float(ndtri(0.8))) * inference.error / margin) ** 2)


def _without_unwhole(trials: pd.DataFrame, plan: Plan, contrast: Contrast, margin: float, alpha: float) -> tuple[Outcome, str]:
    """A pass, unless it hangs on answers of the incumbent that are not whole."""
    outcomes = Outcomes(trials, plan)
    if outcomes.odd.any():
        arm, incumbent = (sum(outcomes.share(contrast.side(sign), None).get(end, 0.0) for end in ODD) for sign in (1, -1))
        if abs(arm - incumbent) > UNEVEN:
            _, low, *_ = _ends(Analysis(trials[~outcomes.odd], plan, complete=False), contrast, margin, alpha)
            if low is None or low <= -margin:
                return "not enough data", "more answers of one side are cut, empty or refused, and without those it does not pass"
    return "pass", ""


def _ends(
    analysis: Analysis, contrast: Contrast, margin: float, alpha: float
) -> tuple[float | None, float | None, float | None, int, int, str, Inference | None]:
    """Difference, both one-sided ends, pairs, tasks, why there is no conclusion, and what the ends come from."""
    pairs: list[Pairs] = [analysis.compared(contrast, task).pairs for task in analysis.n_items]
    some = [p for p in pairs if len(p.s)]
    n, planned = sum(len(p.s) for p in some), sum(p.n_planned for p in pairs)
    if len(some) < len(pairs) or not n:
        return None, None, None, n, len(some), "a task has no item with both answers", None
    inference = infer(some)
    ends = inference.equivalence(margin, alpha)
    why = ""
    if n < LEAST_ITEMS:
        why = f"{counted(n)}: too few"
    elif n < planned / 2:
        why = f"only {n} of {planned} items have both answers"
    elif inference.status == "too_few_clusters":
        why = "too few groups of items"
    elif ends is None:
        why = "all items moved alike, so there is no error to judge it by"
    elif inference.ups and not inference.downs and ends[1] <= -margin:
        enough = math.ceil(math.log(alpha) / math.log1p(-margin))
        why = f"no answer got worse, and it may help; but of {counted(n)} up to {-100 * ends[1]:.1f} % could still get worse. {enough:,} " \
              f"items without a loss would exclude {100 * margin:g} points"  # fmt: skip
    low, high = (None, None) if ends is None else ends[1:]
    return float(np.mean([p.d.mean() for p in some])), low, high, n, len(some), why, inference


def items_of_gate(discordance: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Items with which a share `power` of gates passes where nothing changes on average.

    `discordance` and `margin` are fractions. Exact, from the gate's own score statistic (Tango 1998) and bound (Clopper and Pearson 1934).
    """
    z_alpha, z_power = float(ndtri(1 - alpha)), float(ndtri(power))
    one_item = tango_score(discordance / 2, discordance / 2, 1, -margin)
    n = math.ceil((z_alpha / one_item + z_power * math.sqrt(discordance) / margin) ** 2)
    while passing(n, discordance / 2, discordance / 2, margin, alpha) < power:
        n += 1 + n // 500
    return n


def passing(n: int, gained: float, lost: float, margin: float, alpha: float = 0.05) -> float:
    """The share of gates of `n` single answers that pass, by trinomial law, where such shares of the answers are gained and lost."""
    z, middle, far = float(ndtri(1 - alpha)), n * lost, 8 * math.sqrt(n * lost) + 8
    share, least = 0.0, 0
    for x in range(max(0, int(middle - far)), min(n, int(middle + far)) + 1):
        while least <= n - x and tango_score(least, x, n, -margin) <= z:
            least += 1
        need = max(least, max(FEW - x, 1) if bdtri(x, n, alpha) >= margin else 0)
        if need <= n - x:
            chance = bdtr(x, n, lost) - (bdtr(x - 1, n, lost) if x else 0.0)
            share += float(chance * (bdtrc(need - 1, n - x, gained / (1 - lost)) if need else 1.0))
    return share

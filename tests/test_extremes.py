"""What is counted once for all comparisons, and comparisons that stay as they are at the extremes of what was lost."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from promptlab.nouns import Plan, contrast_of
from promptlab.stats.analysis import Analysis, settled
from promptlab.stats.looks import _of, lost_alike
from promptlab.stats.outcomes import Outcomes
from test_contrasts import frame, plan


def lossy(of: Plan, rng: np.random.Generator, lost: float) -> pd.DataFrame:
    """Random scores, ends and refusals, of which some calls failed, more in one arm than in another."""
    trials = frame(of, lambda *_: rng.integers(0, 2, of.tasks[0].n_items).astype(float))
    trials["outcome"] = rng.choice(["ok", "truncated", "empty", "parse_failed"], len(trials), p=[0.7, 0.1, 0.1, 0.1])
    trials["declined"] = rng.random(len(trials)) < 0.1
    failed = (rng.random(len(trials)) < lost) & (trials["arm"] != "none_aa") & (trials["task"] == "t")
    return trials.assign(score=trials["score"].mask(failed), outcome=trials["outcome"].mask(failed, "error"))


@pytest.mark.parametrize("whole", [True, False])
def test_shares_of_a_side_are_those_of_its_trials(whole: bool) -> None:
    of = plan(
        {"t": 12, "u": 12}, prompts=("current", "expert", "terse"), models=("m", "n"), stimuli=["lib/s", "lib/t"], whole_prompts=whole
    )
    trials = lossy(of, np.random.default_rng(3), 0.2)
    outcomes = Outcomes(trials, of)
    for h in of.hypotheses:
        contrast = contrast_of(h, of)
        for refs, task in itertools.product(
            (contrast.side(1), contrast.side(-1), [ref for ref, _ in contrast.weights] * 2), (h.task, "t", None)
        ):
            rows = np.zeros(len(trials), dtype=bool)
            for ref in refs:
                here = (trials["model"] == ref.model) & (trials["setting"] == ref.setting) & (trials["arm"] == ref.arm)
                rows |= here if ref.prompt is None else here & (trials["base_prompt"] == ref.prompt)
            mine = trials[rows if task is None else rows & (trials["task"] == task)]
            assert {end: share for end, share in outcomes.share(refs, task).items() if share} == {
                end: pytest.approx(share) for end, share in mine["outcome"].value_counts(normalize=True).items()
            }
            odd = mine["outcome"].isin(["truncated", "empty"]) | mine["declined"]
            assert outcomes.idle(refs, task) == pytest.approx((odd & ~(mine["score"] > 0)).mean())
    assert outcomes.share([], None) == {}
    assert outcomes.idle([], None) == 0


@pytest.mark.parametrize("lost", [0.0, 0.02, 0.3])
def test_a_comparison_whose_sides_lost_alike_is_itself_at_the_extremes(lost: float) -> None:
    """They are not computed again; those that lost unevenly are, and may differ."""
    of = plan({"t": 24, "u": 24}, stimuli=["lib/s", "lib/t"], whole_prompts=False)
    analysis = Analysis(lossy(of, np.random.default_rng(8), lost), of)
    recorded = [analysis.compare(h) for h in of.hypotheses]
    alike = [lost_alike(result) for result in recorded]
    assert all(alike) if not lost else not all(alike)
    assert any(alike)
    for favour in (False, True):
        extreme = [analysis.at_worst(favour).compare(h) for h in of.hypotheses]
        for one, other, same in zip(recorded, extreme, alike, strict=True):
            for name in ("diff", "p_value", "p_tost", "ci_low", "ci_high", "n_pairs", "verdict", "status") if same else ():
                before, after = getattr(one.comparison, name), getattr(other.comparison, name)
                assert before == (pytest.approx(after, abs=1e-12) if isinstance(after, float) else after)
    assert settled(_of(analysis)) == settled(
        lambda favour: [(analysis if favour is None else analysis.at_worst(favour)).compare(h) for h in of.hypotheses]
    )

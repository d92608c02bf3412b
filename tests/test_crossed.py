"""Items and raters as crossed random effects: coverage, and variances that come out as planted."""

from __future__ import annotations

import numpy as np
import pytest

from promptlab.stats import crossed

TRUTH = 0.1


def drawn(rng: np.random.Generator, n: tuple[int, int], sd: tuple[float, float, float], lost: float = 0.0) -> tuple[np.ndarray, ...]:
    """Differences of every item by every rater, some of them lost."""
    items, raters = (axis.ravel() for axis in np.meshgrid(range(n[0]), range(n[1]), indexing="ij"))
    d = TRUTH + rng.normal(0, sd[0], n[0])[items] + rng.normal(0, sd[1], n[1])[raters] + rng.normal(0, sd[2], len(items))
    kept = rng.random(len(d)) >= lost
    kept[: n[1]] = True
    return d[kept], items[kept], raters[kept]


@pytest.mark.calibration
@pytest.mark.parametrize(
    ("n", "sd", "lost"),
    [((30, 3), (0.2, 0.05, 0.2), 0), ((30, 5), (0.2, 0.15, 0.2), 0.4), ((40, 3), (0, 0.1, 0.3), 0.2)],
)
def test_items_and_raters_like_these_are_covered(n: tuple[int, int], sd: tuple[float, float, float], lost: float) -> None:
    rng = np.random.default_rng(1)
    found = [crossed(*drawn(rng, n, sd, lost)) for _ in range(600)]
    assert np.mean([one.ci_low <= TRUTH <= one.ci_high for one in found]) >= 0.93
    if sd[1] >= 0.1:
        items_alone = [1.96 * np.sqrt(one.sd_items**2 / n[0] + one.sd_rest**2 / one.n) for one in found]
        assert np.mean([abs(one.estimate - TRUTH) <= half for one, half in zip(found, items_alone, strict=True)]) < 0.9


def test_variances_are_those_planted_and_what_cannot_be_known_is_refused() -> None:
    found = crossed(*drawn(np.random.default_rng(2), (400, 40), (0.2, 0.1, 0.3)))
    assert (found.sd_items, found.sd_raters, found.sd_rest) == pytest.approx((0.2, 0.1, 0.3), rel=0.2)
    assert found.estimate == pytest.approx(TRUTH, abs=0.06)
    for d, items, raters, said in (
        ([1.0, 2.0], list("ab"), list("xx"), "two raters"),
        ([1.0, 2.0], list("ab"), list("xy"), "several of them rated"),
        ([1.0, 2.0], list("aa"), list("xx"), "twice"),
        ([1.0, np.nan], list("ab"), list("xy"), "finite"),
    ):
        with pytest.raises(ValueError, match=said):
            crossed(d, items, raters)

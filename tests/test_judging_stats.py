"""Labels by people and a judge together: coverage where the judge alone fails, false claims on nulls, length, strengths."""

from __future__ import annotations

import functools
import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.running.free_text import preferred, rated, written
from promptlab.scoring.assertions import words_of
from promptlab.sources.spec.libraries import SimTaste, sim_models, sim_raters
from promptlab.stats import Labels, anchored, bradley_terry, control_failed, label_effect, labels_needed, length_adjusted, ppi_mean
from promptlab.stats.judging import Anchored, LengthAdjusted

REPEATS = 400
POOL = 6000
"""Items made once, of which every repeat draws its own with replacement: the truth is then known exactly, and a draw is one index."""
MCSE = 3 * math.sqrt(0.05 * 0.95 / REPEATS)
BASE = 0.45
IN_CLUSTER = 3


@dataclass(frozen=True)
class World:
    """Texts of a planted quality, a judge and a rater, as sim.yaml has them."""

    judge: SimTaste
    rater: SimTaste
    effect: float
    longer: float = 1.0
    rival: str = "essays"
    """Whose style the control's texts have."""
    apart: float = 0.0
    """How much the effect differs between clusters of items: a standard deviation."""

    def difference(self, rng: random.Random, more: float = 0.0) -> tuple[float, float, float]:
        """One item: treatment minus control by a person, by the judge, and the log of the lengths' ratio; `more` is its cluster's own."""
        own = min(1.0, max(0.0, rng.gauss(BASE, 0.15)))
        texts = [
            written(model, min(1.0, max(0.0, own + added)), max(1, round(n * rng.uniform(2 / 3, 4 / 3))), rng)
            for model, n, added in (("essays", 6 * self.longer, self.effect + more), (self.rival, 6, 0.0))
        ]
        by = [[math.floor(rated(taste, text, 1, 5, rng) + 0.5) / 4 for text in texts] for taste in (self.rater, self.judge)]
        return by[0][0] - by[0][1], by[1][0] - by[1][1], math.log(words_of(texts[0]) / words_of(texts[1]))

    @functools.cached_property
    def pool(self) -> np.ndarray:
        """`POOL` items; each three in a row are a cluster."""
        rng = random.Random(2)
        own = [rng.gauss(0, self.apart) for _ in range(0, POOL, IN_CLUSTER)]
        return np.array([self.difference(rng, own[i // IN_CLUSTER]) for i in range(POOL)])

    @property
    def truth(self) -> float:
        """What people say of all items of the pool, on average."""
        return float(self.pool[:, 0].mean())

    def sample(self, n: int, seed: int) -> np.ndarray:
        """`n` items in whole clusters."""
        chosen = np.random.default_rng(seed).integers(0, POOL // IN_CLUSTER, -(-n // IN_CLUSTER))
        return self.pool.reshape(-1, IN_CLUSTER, 3)[chosen].reshape(-1, 3)[:n]


def labels(found: np.ndarray, n: int, clustered: bool = False) -> Anchored:
    """An anchored mean of items of which people rated the first `n`."""
    names = [str(i // IN_CLUSTER) for i in range(len(found))]
    return anchored([Labels(found[:n, 0], found[:n, 1], found[n:, 1], *((names[:n], names[n:]) if clustered else ()))])


def experiment(world: World, n: int, more: int, seed: int) -> tuple[Anchored, tuple[float, float]]:
    """An anchored mean, and the interval of the judge alone."""
    found = world.sample(n + more, seed)
    alone = found[:, 1]
    half = 1.96 * alone.std(ddof=1) / math.sqrt(len(alone))
    return labels(found, n), (alone.mean() - half, alone.mean() + half)


@pytest.mark.long(but=1)
@pytest.mark.calibration
@pytest.mark.parametrize("judge", ["reader_of_length", "reader_who_is_blind"])
def test_planted_effects_are_covered_where_the_judge_alone_is_not(judge: str) -> None:
    taste = sim_models()[judge].taste
    assert taste is not None
    world = World(taste, sim_raters()["careful"], 0.15, longer=1.6)
    truth = world.truth
    found = [experiment(world, 30, 120, seed) for seed in range(REPEATS)]
    covered = np.mean([a.ci_low <= truth <= a.ci_high for a, _ in found])
    alone = np.mean([low <= truth <= high for _, (low, high) in found])
    narrower = np.mean([(a.ci_high - a.ci_low) / (a.human_high - a.human_low) for a, _ in found])
    assert covered >= 0.93
    assert alone < 0.8
    assert narrower < 1.01
    if judge == "reader_of_length":
        assert narrower < 0.85, "a judge that sees quality makes the interval narrower"


@pytest.mark.long
@pytest.mark.calibration
def test_on_nulls_few_claims_are_false_though_the_judge_loves_what_changed() -> None:
    taste = sim_models()["reader_of_length"].taste
    assert taste is not None
    world = World(taste, sim_raters()["careful"], 0.0, longer=1.6)
    found = [experiment(world, 30, 120, seed) for seed in range(REPEATS)]
    assert np.mean([a.p_value <= 0.05 for a, _ in found]) <= 0.05 + MCSE
    assert np.mean([low > 0 for _, (low, _) in found]) > 0.5, "the judge alone claims a gain"
    adjusted = [length_adjusted(data[:, 1], data[:, 2]) for data in (world.sample(80, seed) for seed in range(REPEATS))]
    assert np.mean([a.raw_interval[0] > 0 for a in adjusted]) > 0.5
    assert np.mean([wrong(a) for a in adjusted]) <= 0.05 + MCSE


def wrong(a: LengthAdjusted) -> bool:
    """Whether a null is said to have an effect at equal length."""
    return a.adjusted_interval is not None and not a.adjusted_interval[0] <= 0 <= a.adjusted_interval[1]


@pytest.mark.calibration
def test_a_judge_that_prefers_its_own_kind_is_corrected_by_people() -> None:
    taste = sim_models()["reader_of_itself"].taste
    assert taste is not None
    world = World(taste, sim_raters()["careful"], 0.0, rival="another")
    found = [experiment(world, 30, 60, seed) for seed in range(REPEATS)]
    assert np.mean([low > 0 for _, (low, _) in found]) > 0.9, "the judge alone claims that its own kind is better"
    assert np.mean([a.p_value <= 0.05 for a, _ in found]) <= 0.05 + MCSE
    assert np.mean([a.ci_low <= 0 <= a.ci_high for a, _ in found]) >= 0.93


@pytest.mark.calibration
def test_items_in_clusters_are_covered_where_single_items_are_not() -> None:
    taste = sim_models()["reader"].taste
    assert taste is not None
    world = World(taste, sim_raters()["careful"], 0.0, apart=0.4)
    found = [world.sample(90, seed) for seed in range(REPEATS)]
    truth = world.truth
    by_cluster, by_item = (
        np.mean([a.ci_low <= truth <= a.ci_high for a in (labels(data, 60, clustered) for data in found)]) for clustered in (True, False)
    )
    assert by_cluster >= 0.93
    assert by_item < 0.93


def pair(world: World, rng: random.Random) -> tuple[float, float]:
    """Two texts in both orders: the share that the first wins less a half, as a baseline has, and the log of the lengths' ratio."""
    own = min(1.0, max(0.0, rng.gauss(0.75, 0.15)))
    long, short = (written("essays", own, max(1, round(n * rng.uniform(2 / 3, 4 / 3))), rng) for n in (6 * world.longer, 6))
    points = {"A": 1.0, "tie": 0.5, "B": 0.0}
    first, second = points[preferred(world.judge, long, short, rng)], 1 - points[preferred(world.judge, short, long, rng)]
    return (first if first == second else 0.5) - 0.5, math.log(words_of(long) / words_of(short))


@pytest.mark.long(but=1)
@pytest.mark.calibration
@pytest.mark.parametrize("longer", [1.0, 1.6])
def test_pairs_of_a_judge_who_can_prefer_no_more_are_adjusted_without_false_gains(longer: float) -> None:
    taste = sim_models()["reader_of_length"].taste
    assert taste is not None
    world = World(taste.model_copy(update={"length_bias": 0.5}), sim_raters()["careful"], 0.0, longer)
    rng = random.Random(1)
    pool = np.array([pair(world, rng) for _ in range(POOL // 2)])
    each = [pool[np.random.default_rng(seed).integers(0, len(pool), 40)] for seed in range(REPEATS)]
    found = [length_adjusted(data[:, 0], data[:, 1], reach=0.5) for data in each]
    assert np.mean([a.adjusted is not None for a in found]) > 0.9
    assert np.mean([wrong(a) for a in found]) <= 0.05 + MCSE


def test_what_no_answer_tells_of_equal_lengths_is_not_said() -> None:
    rng = np.random.default_rng(3)
    diff, ratio = rng.choice([0.0, 0.5], 60), rng.normal(1.0, 0.1, 60)
    found = length_adjusted(diff, ratio, reach=0.5)
    assert (found.adjusted, found.adjusted_interval, found.slope) == (None, None, None)
    assert found.raw_interval[0] < found.raw < found.raw_interval[1]
    assert length_adjusted(diff, np.full(60, 1.0), reach=0.5).adjusted is None, "each twice as long or more: it may be the length"
    with pytest.raises(ValueError, match="equally long"):
        length_adjusted(diff, np.zeros(60), reach=0.5)
    equal = length_adjusted(diff, rng.normal(0.0, 0.1, 60), reach=0.5)
    assert equal.adjusted == pytest.approx(equal.raw, abs=0.02)
    with pytest.raises(ValueError, match="within"):
        length_adjusted(diff * 3, ratio, reach=0.5)


def test_a_swap_exposes_a_judge_of_places() -> None:
    rng = random.Random(1)
    texts = [[written("essays", 0.5, 6, rng) for _ in "ab"] for _ in range(200)]
    for name, usable in (("reader", True), ("reader_of_place", False)):
        taste = sim_models()[name].taste
        assert taste is not None
        turned = {"A": "B", "B": "A", "tie": "tie"}
        same = [preferred(taste, a, b, rng) == turned[preferred(taste, b, a, rng)] for a, b in texts]
        assert control_failed(sum(same), len(same), 0.6) is not usable


def test_it_is_ppi_with_smaller_samples_in_mind_and_people_alone_where_there_is_no_judge() -> None:
    rng = np.random.default_rng(1)
    f = rng.normal(size=330)
    y = f[:30] * 0.8 + rng.normal(size=30) * 0.5
    ours, theirs = anchored([Labels(y, f[:30], f[30:])]), ppi_mean(y, f[:30], f[30:])
    assert ours.estimate == pytest.approx(theirs.estimate, abs=0.02)
    assert ours.ci_high - ours.ci_low == pytest.approx(theirs.small_high - theirs.small_low, rel=0.04)
    alone = anchored([Labels(y, f[:30], f[:0])])
    assert (alone.estimate, alone.ci_low) == pytest.approx((alone.human_estimate, alone.human_low))
    twice = anchored([Labels(np.repeat(y, 2), np.repeat(f[:30], 2), f[30:], [str(i // 2) for i in range(60)], None)])
    assert twice.se == pytest.approx(ours.se, rel=0.1), "two rows of one cluster tell what one tells"
    with pytest.raises(ValueError, match="at least 2"):
        anchored([Labels(y[:1], f[:1], f[30:])])


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(2, 200), st.floats(0, 0.99), st.floats(0.05, 1))
def test_more_labels_see_more_and_the_number_needed_is_the_fewest(n: int, rho: float, sd: float) -> None:
    effect = label_effect(n, sd=sd, rho=rho, n_items=400)
    assert label_effect(n + 1, sd=sd, rho=rho, n_items=400) < effect
    assert labels_needed(effect * 1.0000001, sd=sd, rho=rho, n_items=400) == n
    assert label_effect(n, sd=sd, rho=min(0.99, rho + 0.005), n_items=400) <= effect


def test_strengths_of_pairs_with_ties_and_clusters() -> None:
    rng = np.random.default_rng(2)
    truth = {"none": 0.0, "a": 0.8, "b": -0.5}
    names = list(truth)
    pairs = [(names[i], names[j]) for i in range(3) for j in range(3) if i != j for _ in range(300)]
    p = [1 / (1 + math.exp(truth[b] - truth[a])) for a, b in pairs]
    share = [0.5 if tie else float(win) for win, tie in zip(rng.random(len(p)) < p, rng.random(len(p)) < 0.0, strict=True)]
    found = bradley_terry([a for a, _ in pairs], [b for _, b in pairs], share, base="none")
    for name, strength, se in zip(found.names, found.strength, found.se, strict=True):
        assert abs(strength - truth[name]) <= 4 * se + 1e-9
    wide = bradley_terry([a for a, _ in pairs] * 4, [b for _, b in pairs] * 4, share * 4, [*range(len(pairs))] * 4, base="none")
    assert wide.se == pytest.approx(found.se, rel=0.01), "copies in one cluster add nothing"
    with pytest.raises(ValueError, match="never won"):
        bradley_terry(["a", "a"], ["b", "b"], [1, 1])

"""The error rates that the defaults keep on simulated nulls: `make calibrate` runs all settings 2,000 times, the suite some 400 times.

Items have a chance of a right answer each; the stimulus moves it up for some and down for others, with mean 0 (the weak null), so
that an analysis which takes repeats of an item for items is caught.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy import stats as st

from calibrated import WHOLE, R, keep, mcse
from promptlab import stats
from promptlab.stats.intervals import newcombe

pytestmark = pytest.mark.calibration
SIZES = (20, 50, 100, 300) if WHOLE else (20, 100)
BASELINES = (0.1, 0.5, 0.9) if WHOLE else (0.5, 0.9)
DISCORDANCES = (0.05, 0.1, 0.2, 0.3) if WHOLE else (0.1, 0.3)
SPREADS = (0.0, 0.15, 0.3) if WHOLE else (0.0, 0.3)
GRID = [
    (n, base, psi, spread)
    for n, base, psi, spread in itertools.product(SIZES, BASELINES, DISCORDANCES, SPREADS)
    if psi < 1.9 * base * (1 - base)  # more cannot differ between two runs of one model
]


MOST = 0.05 + 3 * mcse(0.05)


def looser(bound: float) -> float:
    """A bound that was measured at 2,000 runs, for fewer."""
    return bound if WHOLE else bound - 3 * mcse(bound)


def drawn(n: int, base: float, psi: float, spread: float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two arms without a mean difference: runs by items by repeats."""
    rng = np.random.default_rng([n, int(100 * base), int(100 * psi), int(100 * spread), k])
    share = psi / (2 * base * (1 - base))
    p = rng.beta(base * share / (1 - share), (1 - base) * share / (1 - share), (R, n))
    shift = np.minimum(spread, np.minimum(p, 1 - p)) * rng.choice([-1.0, 1.0], (R, n))
    s, b = (rng.random((R, n, k)) < q[..., None] for q in (p + shift, p))
    return s.astype(np.float64), b.astype(np.float64)


@cache
def midp(b: int, c: int) -> float:
    return stats.mcnemar(0, b, c, 0).p_midp


def rejected(s: np.ndarray, b: np.ndarray) -> float:
    """How often the default test of single answers gives p <= .05."""
    gained, lost = (s > b).sum(axis=1), (s < b).sum(axis=1)
    return float(np.mean([midp(int(x), int(y)) <= 0.05 for x, y in zip(gained, lost, strict=True)]))


def test_single_answers_are_rejected_no_more_often_than_5_percent() -> None:
    shy, worst = [], []
    for n, base, psi, spread in GRID:
        s, b = drawn(n, base, psi, spread, 1)
        rate = rejected(s[..., 0], b[..., 0])
        worst.append(rate)
        assert rate <= MOST, (n, base, psi, spread, rate)
        if float((s != b).mean()) * n >= 10:
            shy.append(rate)
    assert np.mean(shy) >= 0.035, "not uselessly shy"
    keep(CELL, f"false finding, single answers (the worst of {len(GRID)} settings)", "20 to 300 items", ran(max(worst)), 0.05)


@pytest.mark.parametrize("k", [3, 10])
def test_item_means_are_rejected_no_more_often_than_5_percent_and_their_interval_covers(k: int) -> None:
    for n, base, psi, spread in GRID if WHOLE else GRID[:: 3 if k == 3 else 5]:
        s, b = (x.mean(axis=2) for x in drawn(n, base, psi, spread, k))
        p = [stats.signflip_test(x, y).p_midp for x, y in zip(s, b, strict=True)]
        rate = float(np.mean(np.array(p) <= 0.05))
        assert rate <= MOST, (n, base, psi, spread, rate)
        if n * psi * k >= 30:
            ends = [stats.mean_difference_ci(x, y).ci for x, y in zip(s, b, strict=True)]
            covered = np.mean([ci is not None and ci[0] <= 0 <= ci[1] for ci in ends])
            assert covered >= looser(0.935), (n, base, psi, spread, covered)


def test_newcombe_covers() -> None:
    found = []
    for n, base, psi, spread in GRID:
        s, b = drawn(n, base, psi, spread, 1)
        s, b = s[..., 0], b[..., 0]
        if float((s != b).mean()) * n < 10:
            continue
        counts = [(s * b).sum(axis=1), (s > b).sum(axis=1), (s < b).sum(axis=1), ((1 - s) * (1 - b)).sum(axis=1)]
        tables = np.stack(counts, axis=1).astype(int)
        ends = [newcombe(*(int(x) for x in row), 0.95) for row in tables]
        covered = float(np.mean([low <= 0 <= high for low, high in ends]))
        assert covered >= looser(0.925), (n, base, psi, spread, covered)
        found.append(covered)
    assert np.mean(found) >= looser(0.945)
    keep(CELL, "Newcombe's interval covers 0 (the lowest of all settings)", "20 to 300 items", ran(min(found)), 0.925, "at least")


CELL, FAMILY = "One task", "Families and looks"


def ran(rate: float, runs: int = R) -> np.ndarray:
    """Runs of which this share had it."""
    return np.arange(runs) < round(rate * runs)


def pooled(s: np.ndarray, b: np.ndarray) -> float:
    """The wrong analysis: every repeat of an item counts as an item."""
    return rejected(s.reshape(len(s), -1), b.reshape(len(b), -1))


def test_taking_repeats_for_items_fails_these_bounds() -> None:
    s, b = drawn(100, 0.5, 0.3, 0.3, 10)
    assert pooled(s, b) > 0.15
    keep(CELL, "repeats taken for items, which is wrong", "100 items, 10 answers each", ran(pooled(s, b)), 0.05, "wrong")


def family_wise(effects: np.ndarray, decide: Callable[[np.ndarray], np.ndarray], runs: int, seed: int) -> float:
    """How often any of the rows without effect is rejected, all of them against one shared baseline."""
    rng = np.random.default_rng(seed)
    bad = 0
    for _ in range(runs):
        p = rng.beta(1.5, 1.5, 100)
        base = rng.random(100) < p
        arms = rng.random((len(effects), 100)) < np.clip(p + effects[:, None], 0, 1)
        bad += bool(decide(arms.astype(float) - base)[effects == 0].any())
    return bad / runs


@pytest.mark.long(but=1)
@pytest.mark.parametrize("n_true", [0, 3])
def test_stepdown_maxt_keeps_the_family_wise_error(n_true: int) -> None:
    effects = np.zeros(21)
    effects[:n_true] = 0.1
    rate = family_wise(effects, lambda d: np.array(stats.maxt_stepdown(d, exact=False, n_resamples=399).p_adjusted) <= 0.05, R, 1)
    keep(FAMILY, "any false finding, step-down maxT", f"21 sentences, {n_true} of them work", ran(rate), 0.05)


@pytest.mark.long
def test_a_sweep_of_945_null_cells_reports_hardly_ever_anything() -> None:
    rng = np.random.default_rng(2)
    any_bh = any_holm = 0
    for _ in range(R):
        p = rng.beta(0.7, 0.7, (45, 100))
        base = rng.random((45, 100)) < p
        arms = rng.random((21, 45, 100)) < p
        gained, lost = (arms & ~base).sum(axis=2).ravel(), (~arms & base).sum(axis=2).ravel()
        values = [midp(int(x), int(y)) for x, y in zip(gained, lost, strict=True)]
        any_bh += bool((stats.adjust(values, "fdr_bh") <= 0.05).any())
        any_holm += bool((stats.adjust(values, "holm") <= 0.05).any())
    keep(FAMILY, "any finding after Benjamini-Hochberg", "945 cells, nothing works", ran(any_bh / R), 0.05)
    keep(FAMILY, "any finding after Holm", "945 cells, nothing works", ran(any_holm / R), 0.05)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("tau", [0.0, 0.02])
@pytest.mark.parametrize("n", SIZES)
def test_the_mean_over_45_tasks_keeps_its_level(tau: float, n: int) -> None:
    rng = np.random.default_rng([n, int(100 * tau)])
    runs = 5 * R
    task = rng.normal(0, tau, (runs, 45, 1)) if tau else np.zeros((runs, 45, 1))
    up = rng.binomial(n, np.clip(0.05 + task / 2, 0.001, 0.999))
    down = rng.binomial(n, np.clip(0.05 - task / 2, 0.001, 0.999))
    effect = ((up - down) / n)[..., 0]
    p = [stats.macro_effect(row, np.full(45, 0.01)).p_random or 1.0 for row in effect]
    rate = float(np.mean(np.array(p) <= 0.05))
    assert abs(rate - 0.05) <= 3 * math.sqrt(0.05 * 0.95 / runs) + 0.004


def test_planned_looks_keep_the_level_and_unplanned_ones_do_not() -> None:
    rng = np.random.default_rng(4)
    runs, n, looks = 5 * R, 300, 4
    d = np.where(rng.random((runs, n)) < 0.2, rng.choice([-1.0, 1.0], (runs, n)), 0.0)
    at = (np.arange(1, looks + 1) * n // looks) - 1
    gained, lost = (d > 0).cumsum(axis=1), (d < 0).cumsum(axis=1)
    z = np.abs(gained - lost) / np.sqrt(np.maximum(gained + lost, 1))
    planned = (z[:, at] >= np.array(stats.group_sequential_boundaries(looks).z)).any(axis=1).mean()
    assert planned <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs) + 0.003
    peeked = (z[:, 24::25] >= st.norm.isf(0.025)).any(axis=1).mean()
    keep(FAMILY, "false finding at 4 planned looks", "300 items", ran(float(planned), runs), 0.053)
    keep(FAMILY, "a look every 25 items with the fixed test, which is wrong", "300 items", ran(float(peeked), runs), 0.08, "wrong")
    evidence = np.array([stats.eprocess_discordant(row).first_crossing_alpha05 is not None for row in d[:R]])
    assert evidence.mean() <= MOST


def test_p_values_of_continuous_scores_are_uniform() -> None:
    rng = np.random.default_rng(5)
    d = rng.normal(0, 0.2, (R, 60))
    p = stats.signflip_many(d, 4_999)
    assert st.kstest(p, "uniform").pvalue > 0.001


PPI_DESIGNS = [(20, 200, 0.8), (30, 300, 0.8), (60, 600, 0.5), (60, 600, 0.95), (100, 1_000, 0.0)]


@pytest.mark.parametrize(("n", "more", "rho"), PPI_DESIGNS)
def test_few_human_labels_and_a_biased_judge_cover_the_truth_and_the_judge_alone_does_not(n: int, more: int, rho: float) -> None:
    rng, runs = np.random.default_rng([6, n, more]), max(R, 1_000)
    y = np.rint(rng.normal(0.2, 1, (runs, n + more)))  # differences of marks: the mean stays .2
    f = np.rint(rho * y + math.sqrt(1 - rho**2) * rng.normal(0, 1, y.shape) + (1 - rho) * 0.2 + 1 / 3)
    held, judge, width = 0, 0, []
    for human, said in zip(y, f, strict=True):
        found = stats.ppi_mean(human[:n], said[:n], said[n:])
        low, high = (found.small_low, found.small_high) if n < stats.FEW_LABELS else (found.ci_low, found.ci_high)
        held += low <= 0.2 <= high
        judge += abs(said.mean() - 0.2) <= 1.96 * said.std(ddof=1) / math.sqrt(len(said))
        width.append((high - low) / (found.human_high - found.human_low))
    words = f"{n} human labels, {more:,} more by a judge that agrees {rho:g}"
    keep("Prediction-powered inference", "interval covers the truth", words, ran(held / runs, runs), 0.93, "at least")
    keep("Prediction-powered inference", "the judge alone misses it, which is wrong", words, ran(1 - judge / runs, runs), 0.5, "wrong")
    assert judge / runs <= 0.2, "a judge alone is no interval"
    assert np.mean(width) <= {0.95: 0.65, 0.8: 0.85}.get(rho, 1.01)


@pytest.mark.parametrize(("items", "repeats"), [(20, 3), (60, 10), (298, 25)][: 3 if WHOLE else 2])
def test_the_largest_change_of_a_question_passes_its_chance_bound_in_5_percent(items: int, repeats: int) -> None:
    rng = np.random.default_rng([7, items])
    passed = []
    for _ in range(R):
        p = rng.beta(0.6, 0.7, items)
        a, b = rng.binomial(repeats, p), rng.binomial(repeats, p)
        asked = np.full(items, repeats)
        passed.append(stats.largest_by_chance(a, asked, b, asked).p(float(np.abs(a - b).max()) / repeats) <= 0.05)
    assert np.mean(passed) <= MOST


@pytest.mark.long(but=1)
@pytest.mark.parametrize("k", [1, 3, 5, 12] if WHOLE else [3, 12])
def test_shrunken_effects_cover(k: int) -> None:
    rng, own = np.random.default_rng([8, k]), 0.02
    for tau in (0.0, 0.01, 0.02, 0.05) if WHOLE else (0.0, 0.05):
        held = []
        for _ in range(R):
            true = rng.normal(0.01, tau, k)
            errors = own * (rng.normal(0, math.sqrt(0.5)) + rng.normal(0, math.sqrt(0.5), k))  # one control for all arms
            found = stats.shrunken(true + errors, np.full(k, own), margin=0.02, draws=10)
            held.append(((found.low <= true) & (true <= found.high)).mean())
        assert np.mean(held) >= looser(0.93), (k, tau, np.mean(held))


def test_the_gate_lets_through_what_is_a_margin_worse_in_5_percent() -> None:
    rng, margin = np.random.default_rng(9), 0.05
    d = rng.normal(-margin, 0.3, (5 * R, 40))
    se = d.std(axis=1, ddof=1) / math.sqrt(40)
    passed = [stats.non_inferior(float(m), float(e), margin, df=39).passes for m, e in zip(d.mean(axis=1), se, strict=True)]
    assert np.mean(passed) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(passed))
    gained, lost = (rng.binomial(200, rate, R) for rate in (0.05, 0.1))
    ends = [newcombe(100, int(b), int(c), 100 - int(b + c), 0.95) for b, c in zip(gained, lost, strict=True)]
    errors = [(high - low) / 2 / float(st.norm.ppf(0.975)) for low, high in ends]
    passed = [stats.non_inferior((b - c) / 200, e, margin).passes for b, c, e in zip(gained, lost, errors, strict=True)]
    assert np.mean(passed) <= MOST

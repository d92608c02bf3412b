"""The statistics beside the default tests: choosing the best, many hypotheses, looking early, spread over tasks; and library traps."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from scipy import stats as st
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

from promptlab import stats
from promptlab.nouns.plan import Plan, PlannedArm
from promptlab.stats.intervals import wilson
from promptlab.stats.multiplicity import adjust
from test_verdicts import plan, trials

BINARY = hs.lists(hs.tuples(hs.integers(0, 1), hs.integers(0, 1)), min_size=2, max_size=60)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- choosing the best


def test_maxt_of_one_row_is_the_sign_flip_test_of_t() -> None:
    d = rng().normal(0.2, 1, 12)
    both = stats.maxt_stepdown([d], exact=True)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=12)))
    flipped = signs * d
    t = np.abs(flipped.mean(axis=1)) / (flipped.std(axis=1, ddof=1) / math.sqrt(12))
    assert both.p_raw[0] == both.p_adjusted[0] == pytest.approx((t >= abs(both.t[0]) - 1e-9).mean())


@given(hs.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_maxt_adjusts_upwards_and_keeps_the_order(seed: int) -> None:
    table = np.round(rng(seed).normal(0.1, 1, (4, 10)), 1)
    found = stats.maxt_stepdown(table, exact=True)
    order = np.argsort(-np.abs(found.t))
    assert all(raw <= adjusted + 1e-12 for raw, adjusted in zip(found.p_raw, found.p_adjusted, strict=True))
    assert (np.diff(np.array(found.p_adjusted)[order]) >= -1e-12).all()


def test_maxt_random_flips_agree_with_all_flips() -> None:
    table = rng(3).normal(0.3, 1, (5, 13))
    every = stats.maxt_stepdown(table, exact=True)
    some = stats.maxt_stepdown(table, exact=False, n_resamples=20_000, rng=rng(1))
    assert np.allclose(every.p_adjusted, some.p_adjusted, atol=0.015)
    assert every.critical == pytest.approx(some.critical, abs=0.1)


def test_maxt_edges() -> None:
    ties = stats.maxt_stepdown(np.zeros((3, 30)))
    assert (ties.p_raw, ties.p_adjusted, ties.t) == ((1.0,) * 3, (1.0,) * 3, (0.0,) * 3)
    constant = np.vstack([np.full(12, 0.5), np.tile([1.0, -1.0], 6)])
    found = stats.maxt_stepdown(constant)
    assert found.t[0] == math.inf
    assert found.p_adjusted[0] == pytest.approx(2 * stats.signflip_test(constant[0], np.zeros(12)).p_midp)
    gaps = rng().normal(0, 1, (2, 40))
    gaps[0, :10] = np.nan
    own = stats.maxt_stepdown(gaps)
    assert own.t[0] == pytest.approx(st.ttest_1samp(gaps[0, 10:].round(9), 0).statistic)
    with pytest.raises(ValueError, match="at least two items"):
        stats.maxt_stepdown([[1.0]])


def test_the_best_of_nothing_is_corrected_to_nothing() -> None:
    naive, corrected, covered = [], [], 0
    for seed in range(60):
        table = (rng(seed).random((11, 100)) < 0.1).astype(float) - (rng(seed + 999).random((11, 100)) < 0.1)
        found = stats.best_stimulus(table, seed=seed, n_resamples=499, n_bootstrap=50)
        assert found.estimate is not None
        assert found.ci is not None
        naive.append(found.naive)
        corrected.append(found.estimate)
        covered += found.ci[0] <= 0 <= found.ci[1]
    assert np.mean(naive) > 0.05, "picking the maximum alone gains five points and more"
    assert abs(float(np.mean(corrected))) < 0.02
    assert covered >= 52


def test_a_real_best_is_found() -> None:
    table = (rng(1).random((6, 200)) < 0.1).astype(float) - (rng(2).random((6, 200)) < 0.1)
    table[3] = (rng(3).random(200) < 0.25).astype(float) - (rng(4).random(200) < 0.05)
    found = stats.best_stimulus(table)
    assert (found.winner, found.tie, found.status) == (3, False, "ok")
    assert found.p is not None
    assert found.p < 0.01
    assert found.p_best is not None
    assert found.p_best > 0.95
    assert found.runner_up_gap is not None
    assert found.runner_up_gap > 0.05


def test_a_best_needs_a_choice_and_items() -> None:
    same = np.tile(rng().integers(-1, 2, 60).astype(float), (4, 1))
    alike = stats.best_stimulus(same)
    assert (alike.winner, alike.tie, alike.estimate) == (None, True, None)
    few = stats.best_stimulus(rng().integers(-1, 2, (3, 20)).astype(float))
    assert (few.estimate, few.status) == (None, "n_too_small")
    with pytest.raises(ValueError, match="lacks a pair"):
        stats.best_stimulus([[1.0, np.nan], [0.0, 1.0]])


# --- many hypotheses


@given(hs.lists(hs.floats(0, 1), min_size=1, max_size=12), hs.sampled_from([0.01, 0.05, 0.2]))
def test_replicability_counts_are_bounded_by_what_holm_names(p: list[float], alpha: float) -> None:
    found = stats.replicability_count(p, alpha)
    assert len(found.holm_rejected) == found.k_bonferroni
    assert found.k_bonferroni <= len(p)
    assert list(found.p_partial_conjunction_bonferroni) == sorted(found.p_partial_conjunction_bonferroni)
    with_gap = stats.replicability_count([math.nan, *p], alpha)
    assert with_gap.holm_rejected == tuple(i + 1 for i in found.holm_rejected)


@given(hs.lists(hs.lists(hs.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6))
def test_hierarchical_fdr_rejects_only_inside_selected_families(p: list[list[float]]) -> None:
    found = stats.hierarchical_fdr(p)
    for i, within in enumerate(found.rejected_within):
        assert not within or i in found.selected_families
    simes = [min(3 * x / (j + 1) for j, x in enumerate(sorted(row))) for row in p]
    assert np.allclose(found.family_p_simes, np.minimum(simes, 1))


def test_e_bh_by_hand() -> None:
    assert stats.e_bh([30, 20, 20, 1], 0.2).rejected == (0, 1, 2)
    assert stats.e_bh([19.9], 0.05).n_rejected == 0
    assert stats.e_bh([20], 0.05).rejected == (0,)
    assert stats.e_bh([], 0.05).n_rejected == 0
    with pytest.raises(ValueError, match="at least 0"):
        stats.e_bh([-1.0])


# --- looking early


@pytest.mark.parametrize("looks", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("spending", ["obrien_fleming", "pocock"])
def test_planned_looks_spend_alpha_and_no_more(looks: int, spending: Any) -> None:
    found = stats.group_sequential_boundaries(looks, 0.05, spending=spending)
    assert found.alpha_spent_cumulative_two_sided[-1] == pytest.approx(0.05)
    n = 200_000
    steps = rng(looks).normal(0, math.sqrt(1 / looks), (n, looks)).cumsum(axis=1)
    z = np.abs(steps / np.sqrt(np.array(found.information)))
    crossed = (z >= np.array(found.z)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=3.5 * math.sqrt(0.05 * 0.95 / n))


def test_one_look_is_the_fixed_test_and_unequal_looks_count() -> None:
    assert stats.group_sequential_boundaries(1).z[0] == pytest.approx(1.959964, abs=1e-5)
    early = stats.group_sequential_boundaries([0.3, 0.6, 1.0])
    assert early.z[0] > early.z[1] > early.z[2] > 1.959
    assert stats.group_sequential_boundaries(3, 0.025, sided=1).z == pytest.approx(stats.group_sequential_boundaries(3, 0.05).z, abs=1e-9)
    for looks in (0, [0.5, 0.4, 1.0], [0.5], 11):
        with pytest.raises(ValueError, match="looks must be"):
            stats.group_sequential_boundaries(looks)


def test_conditional_power() -> None:
    assert stats.conditional_power(0.0, 0.5, 2.0, 2.8) == pytest.approx(st.norm.sf((2.0 - 1.4) / math.sqrt(0.5)))
    assert stats.conditional_power(3.0, 0.9, 2.0, 2.8) > 0.99
    assert stats.conditional_power(-3.0, 0.9, 2.0, 2.8) > 0.99, "harm is in sight as well"
    assert stats.conditional_power(0.1, 0.9, 2.0, 2.8) < 0.01


@given(hs.lists(hs.sampled_from([-1, 0, 1]), max_size=80))
def test_evidence_does_not_move_on_ties_and_mirrors(d: list[int]) -> None:
    found, mirrored = stats.eprocess_discordant(d), stats.eprocess_discordant([-x for x in d])
    assert np.allclose(found.log_e, mirrored.log_e)
    assert (np.diff(found.anytime_p) <= 1e-12).all()
    moved = stats.eprocess_discordant([x for x in d if x])
    if d and any(d):
        assert found.log_e[-1] == pytest.approx(moved.log_e[-1])


def test_evidence_at_any_time_keeps_its_level() -> None:
    crossed = 0
    for seed in range(400):
        d = np.where(rng(seed).random(300) < 0.2, rng(seed + 10_000).choice([-1.0, 1.0], 300), 0.0)
        crossed += stats.eprocess_discordant(d).first_crossing_alpha05 is not None
    assert crossed <= 0.05 * 400 + 3 * math.sqrt(0.05 * 0.95 * 400)
    with pytest.raises(ValueError, match="-1, 0 or 1"):
        stats.eprocess_discordant([0.5])


# --- spread over tasks, variances


def test_random_effects_edges() -> None:
    assert stats.random_effects([0.1], [0.01]).status == "n_too_small"
    two = stats.random_effects([0.1, 0.2], [0.01, 0.01])
    assert two.pm is not None
    assert two.pm.pi_hk is None
    assert stats.random_effects([0.1, math.nan, 0.2], [0.01, 0.01, 0.01]).n_tasks == 2
    with pytest.raises(ValueError, match="above 0"):
        stats.random_effects([0.1, 0.2], [0.0, 0.01])


@given(hs.lists(hs.tuples(hs.floats(-0.5, 0.5), hs.floats(1e-4, 0.05)), min_size=2, max_size=20))
@settings(deadline=None)
def test_shrinking_goes_towards_the_mean_and_never_past_it(rows: list[tuple[float, float]]) -> None:
    effect, variance = [r[0] for r in rows], [r[1] for r in rows]
    found = stats.shrink_effects(effect, variance)
    assert found.tau2 >= 0
    for raw, pulled in zip(effect, found.shrunk, strict=True):
        low, high = sorted((raw, found.grand_mean))
        assert low - 1e-9 <= pulled <= high + 1e-9


def test_variance_components_are_recovered() -> None:
    n, k = 4000, 4
    item = rng(1).normal(0, 0.3, (n, 1, 1))
    both = rng(2).normal(0, 0.2, (n, 2, 1))
    score = 0.5 + item + both + rng(3).normal(0, 0.4, (n, 2, k))
    at = np.indices((n, 2, k)).reshape(3, -1)
    found = stats.variance_components(at[0], at[1], at[2], score.ravel())
    assert found.var_item == pytest.approx(0.09, rel=0.15)
    assert found.var_item_by_arm == pytest.approx(0.04, rel=0.15)
    assert found.var_repeat == pytest.approx(0.16, rel=0.05)
    assert found.var_of_mean_difference == pytest.approx((2 * 0.04 + 2 * 0.16 / k) / n, rel=0.1)


def test_one_repeat_cannot_tell_the_parts_and_gaps_are_dropped() -> None:
    item, arm, repeat = [1, 1, 2, 2, 3, 3], ["a", "b"] * 3, [1] * 6
    once = stats.variance_components(item, arm, repeat, [0, 1, 1, 1, 0, 0])
    assert (once.var_repeat, once.var_item_by_arm, once.n_repeats) == (None, None, 1)
    gap = stats.variance_components(item, arm, repeat, [0, 1, 1, math.nan, 0, 0])
    assert (gap.n_items, gap.n_dropped_items) == (2, 1)
    with pytest.raises(ValueError, match="two scores"):
        stats.variance_components([1, 1, 1], ["a", "a", "b"], [1, 1, 1], [0, 1, 1])


def test_wordings_are_a_component_of_their_own() -> None:
    n = 3000
    wording = rng(5).integers(0, 10, n)
    shift = rng(6).normal(0, 0.3, 10)
    base = rng(7).normal(0.5, 0.1, n)
    score = np.stack([base, base + shift[wording] + rng(8).normal(0, 0.1, n)], axis=1)
    item, arm = np.indices((n, 2)).reshape(2, -1)
    found = stats.variance_components(item, arm, np.zeros(2 * n), score.ravel(), paraphrase=[f"w{wording[i]}" for i in item])
    assert found.var_arm_by_paraphrase == pytest.approx(float(shift.var(ddof=1)), rel=0.3)


# --- options


def test_bootstrap_of_what_does_not_vary_is_none() -> None:
    assert stats.bootstrap_ci([1, 1, 1], [0, 0, 0])[:2] == (None, None)
    assert stats.bootstrap_ci([1], [0]).status == "n_too_small"
    s, b = rng(1).random(40), rng(2).random(40)
    found = stats.bootstrap_ci(s, b)
    assert found.bca is not None
    assert found.bca[0] < float((s - b).mean()) < found.bca[1]
    assert stats.bootstrap_ci(s, b) == found, "seeded"
    assert stats.bootstrap_ci(s, b, method="percentile").bca is None


def test_wilcoxon_without_change_is_1_and_signs_do_not_matter() -> None:
    assert stats.wilcoxon_signed([1, 0], [1, 0])[:2] == (1.0, 1.0)
    s, b = rng(1).random(30), rng(2).random(30)
    assert stats.wilcoxon_signed(s, b).p_pratt_asymptotic == pytest.approx(stats.wilcoxon_signed(b, s).p_pratt_asymptotic)


def test_cochran_q_of_two_arms_is_mcnemar() -> None:
    table = (rng(1).random((80, 2)) < [0.4, 0.6]).astype(float)
    b, c = int(((table[:, 0] == 1) & (table[:, 1] == 0)).sum()), int(((table[:, 0] == 0) & (table[:, 1] == 1)).sum())
    assert stats.cochran_q(table).p == pytest.approx(stats.mcnemar(0, b, c, 0).p_asymptotic)
    assert stats.cochran_q(np.ones((5, 3)))[:3] == (0.0, 2, 1.0)


def test_an_arm_with_one_outcome_has_no_log_odds() -> None:
    task, item, arm = [1] * 8, [1, 1, 2, 2, 3, 3, 4, 4], [0, 1] * 4
    assert stats.glmm_logit(task, item, arm, [0, 1, 0, 0, 0, 1, 0, 0]).status == "separation"


def test_many_sign_flips_at_once_agree_with_one_by_one() -> None:
    d = rng(1).normal(0.05, 0.3, (20, 80))
    d[3] = 0
    together = stats.signflip_many(d, 20_000)
    for row, p in zip(d, together, strict=True):
        assert p == pytest.approx(stats.signflip_test(row, np.zeros(80), n_resamples=20_000).p_midp, abs=0.015)
    lattice = rng(2).integers(-1, 2, (10, 60)).astype(float)
    exact = [stats.signflip_test(row, np.zeros(60)).p_midp for row in lattice]
    assert np.allclose(stats.signflip_many(lattice, 40_000), exact, atol=0.01)


# --- traps of the libraries, each shown and each avoided


def test_trap_continuity_correction_with_equal_counts() -> None:
    assert sm_mcnemar([[0, 7], [7, 0]], exact=False, correction=True).pvalue < 1
    assert stats.mcnemar(0, 7, 7, 0).p_asymptotic == 1


def test_trap_asymptotic_mcnemar_without_change() -> None:
    with np.errstate(all="ignore"):
        assert math.isnan(sm_mcnemar([[3, 0], [0, 3]], exact=False, correction=False).pvalue)
    assert stats.mcnemar(3, 0, 0, 3).p_asymptotic == 1


def test_trap_dersimonian_laird_below_0() -> None:
    effect, variance = np.array([0.1, 0.1001, 0.0999]), np.array([0.01, 0.01, 0.01])
    assert combine_effects(effect, variance, method_re="dl").tau2 < 0
    assert stats.paule_mandel(effect, variance) == 0
    found = stats.random_effects(effect, variance)
    assert found.dl is not None
    assert found.dl.tau2 == 0
    assert found.i2_percent_dl == 0


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.2])
def test_paule_and_mandel_are_those_of_statsmodels(spread: float) -> None:
    rng = np.random.default_rng(4)
    for k in range(2, 60):
        variance = rng.uniform(1e-5, 0.05, k)
        effect = rng.normal(0, spread, k) + rng.normal(0, 1, k) * np.sqrt(variance)
        assert stats.paule_mandel(effect, variance) == max(0.0, combine_effects(effect, variance, method_re="iterated").tau2)


def test_trap_missing_p_values_are_counted() -> None:
    p = [0.01, 0.02, math.nan]
    assert multipletests([0.01, 0.02], method="bonferroni")[1][0] == pytest.approx(0.02)
    assert list(adjust(p, "bonferroni"))[:2] == pytest.approx([0.02, 0.04])
    assert math.isnan(adjust(p, "fdr_bh")[2]), "scipy's false_discovery_control raises here"
    with pytest.raises(ValueError, match=r"p-values|between"):
        st.false_discovery_control([0.1, math.nan])


def test_trap_equivalence_of_identical_arms() -> None:
    with np.errstate(all="ignore"):
        assert ttost_paired(np.ones(3), np.ones(3), -0.05, 0.05)[0] == 0
    assert stats.tost_paired([1, 1, 1], [1, 1, 1], 0.05).p_tost is None


@pytest.mark.filterwarnings("ignore")
def test_trap_constant_change() -> None:
    assert st.ttest_1samp(np.full(10, 0.1), 0).pvalue < 1e-10
    assert stats.mean_difference_ci(np.full(10, 0.1), np.zeros(10)).p_t is None
    assert math.isnan(st.bootstrap((np.ones(10),), np.mean, method="BCa").confidence_interval.low)
    with pytest.raises(ValueError, match=r"two|sample|observation"):
        st.permutation_test((np.array([1.0]), np.array([0.5])), lambda x, y: float(np.mean(x) - np.mean(y)), permutation_type="samples")
    assert stats.signflip_test([1.0], [0.5]).p_midp == 0.5


def test_wilson_and_tost_are_those_of_statsmodels() -> None:
    for k, n in ((0, 5), (3, 10), (10, 10), (47, 100)):
        low, high = proportion_confint(k, n, method="wilson")
        assert wilson(k, n, 0.95) == pytest.approx((max(0.0, low), min(1.0, high)), abs=1e-12)
    s, b = rng(1).random(25), rng(2).random(25)
    theirs = ttost_paired(s.round(9), b.round(9), -0.1, 0.1)
    ours = stats.tost_paired(s, b, 0.1)
    assert ours.p_tost == pytest.approx(theirs[0], rel=1e-6)


# --- properties of the defaults


@given(BINARY, hs.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_labels_and_types_change_nothing(pairs: list[tuple[int, int]], random: Any) -> None:
    s, b = [p[0] for p in pairs], [p[1] for p in pairs]
    shuffled = list(pairs)
    random.shuffle(shuffled)
    first = stats.signflip_test(s, b)
    again = stats.signflip_test(np.array([p[0] for p in shuffled], dtype=np.float32), [float(p[1]) for p in shuffled])
    assert (first.p_midp, first.mean_difference) == pytest.approx((again.p_midp, again.mean_difference))
    swapped = stats.signflip_test(b, s)
    assert (swapped.p_midp, swapped.mean_difference) == pytest.approx((first.p_midp, -first.mean_difference))


@given(hs.integers(0, 30), hs.integers(0, 30), hs.integers(0, 50))
def test_an_item_that_both_arms_get_alike_is_no_evidence(b: int, c: int, ties: int) -> None:
    assert stats.mcnemar(ties + 1, b, c, 0).p_midp >= stats.mcnemar(ties, b, c, 0).p_midp - 1e-12


@given(hs.lists(hs.tuples(hs.floats(0, 1), hs.floats(0, 1)), min_size=3, max_size=20))
def test_points_are_a_hundred_times_fractions(pairs: list[tuple[float, float]]) -> None:
    s, b = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    one, hundred = stats.mean_difference_ci(s, b), stats.mean_difference_ci(100 * s, 100 * b)
    assert hundred.mean_difference == pytest.approx(100 * one.mean_difference, abs=1e-5)
    if one.ci is not None and hundred.ci is not None and one.status == "ok":
        assert hundred.ci == pytest.approx([100 * x for x in one.ci], abs=1e-4)


@given(BINARY, hs.integers(2, 5))
@settings(deadline=None, max_examples=40)
def test_identical_repeats_are_one_answer(pairs: list[tuple[int, int]], k: int) -> None:
    def frame(repeats: int) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {"item_id": str(i), "arm": arm, "repeat": r, "score": float(value)}
                for i, pair in enumerate(pairs) for arm, value in zip(("s", "none"), pair, strict=True) for r in range(repeats)
            ]
        )  # fmt: skip

    one, many = stats.pair_scores(frame(1), "s"), stats.pair_scores(frame(k), "s")
    assert (one.difference == many.difference).all()


# --- beside the verdicts


def drawn(effects: dict[str, float], n_tasks: int, n_items: int, repeats: int = 1, seed: int = 0) -> tuple[pd.DataFrame, Plan]:
    """Trials of a made-up model, and their plan: each arm adds its effect to every item's chance of a right answer."""
    names = [name for name in effects if not name.startswith("none")]
    tasks = {f"t{i:02d}": n_items for i in range(n_tasks)}
    arms = tuple(PlannedArm(name=name, role="stimulus" if name in names else "baseline") for name in effects)
    made = replace(plan(tasks, names), seed=1, replicates=repeats, best_in_task=len(names) > 1, arms=arms)
    draw = rng(seed)
    frames = []
    for repeat in range(repeats):
        scores = {
            arm: {
                task: [float(draw.random() < min(1, max(0, 0.25 + 0.5 * (i % 2) + effect))) for i in range(n)] for task, n in tasks.items()
            }
            for arm, effect in effects.items()
        }
        frames.append(trials(scores).assign(replicate=repeat, base_prompt="human"))
    return pd.concat(frames, ignore_index=True), made


def test_the_papers_protocol_gains_where_the_verdicts_find_nothing() -> None:
    frame, made = drawn({"none": 0, "none_aa": 0, **{f"s{i}": 0.0 for i in range(11)}}, 20, 60)
    comparisons = stats.analyse(frame, made)
    found = stats.supplement(frame, made, comparisons)
    (row,) = found.protocols
    assert row.protocol.best_per_task > 0.08
    assert row.protocol.null_best_per_task[0] <= row.protocol.best_per_task + 0.03
    assert "so that nothing works" in row.sentence
    assert not [c for c in comparisons if c.verdict in ("helps",) and c.scope != "cell"]
    assert len(found.bests) == 21
    assert found.bests[-1].task is None
    over = found.bests[-1]
    assert over.p_adjusted is not None
    assert over.p_adjusted > 0.05


def test_a_planted_best_is_named_in_its_task() -> None:
    frame, made = drawn({"none": 0, "none_aa": 0, "s0": 0, "s1": 0.25, "s2": 0}, 3, 150)
    found = stats.supplement(frame, made, stats.analyse(frame, made))
    assert {row.winner for row in found.bests} == {"s1"}
    assert all(row.p_adjusted is not None and row.p_adjusted < 0.05 and not row.tie for row in found.bests)
    assert all(
        "corrected for choosing among 3" in row.sentence and "is what picking the maximum gives" in row.sentence for row in found.bests
    )
    assert next(row.selected for row in found.by_stimulus if row.treatment == "s1")
    assert next(row.tasks for row in found.by_stimulus if row.treatment == "s1") == ("t00", "t01", "t02")
    spread = {(row.treatment, row.control): row for row in found.spreads}
    assert spread["s1", "none"].n_tasks_replicated == 3
    assert spread["s1", "none"].tasks_named == ("t00", "t01", "t02")
    assert spread["s0", "none"].n_tasks_replicated <= 1


def test_one_stimulus_and_a_failed_model_have_no_best() -> None:
    frame, made = drawn({"none": 0, "none_aa": 0, "s0": 0.1}, 2, 60)
    assert stats.supplement(frame, made, stats.analyse(frame, made)).bests == ()
    frame, made = drawn({"none": 0, "none_aa": 0.3, "s0": 0.1, "s1": 0.1}, 4, 100)
    comparisons = stats.analyse(frame, made)
    assert {c.status for c in comparisons if c.scope == "stimulus"} == {"aa_failed"}
    assert not any(stats.supplement(frame, made, comparisons))


def test_repeats_give_components_and_advice() -> None:
    frame, made = drawn({"none": 0, "none_aa": 0, "s0": 0.05, "s1": 0}, 2, 80, repeats=3)
    (row,) = stats.supplement(frame, made, stats.analyse(frame, made)).components
    assert (row.n_repeats, row.n_tasks) == (3, 2)
    assert row.var_repeat > row.var_item_by_arm
    assert "more repeats still pay" in row.sentence
    once, made = drawn({"none": 0, "none_aa": 0, "s0": 0.05, "s1": 0}, 2, 80)
    assert stats.supplement(once, made, stats.analyse(once, made)).components == ()


def test_published_headlines_need_a_baseline() -> None:
    with pytest.raises(ValueError, match="above 0"):
        stats.published_headline(["a"], [0.0], [1.0], [2.0])
    with pytest.raises(ValueError, match="same arms"):
        stats.best_of_protocol([np.ones((3, 4)), np.ones((2, 4))])

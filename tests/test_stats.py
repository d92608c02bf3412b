"""The statistics against brute force, the libraries' own words, and laws that hold for any data."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw
from scipy import stats as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from promptlab import stats

COUNTS = draw.integers(0, 40)
TABLES = draw.tuples(COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda t: sum(t) > 0)
BITS = draw.lists(draw.tuples(draw.integers(0, 1), draw.integers(0, 1)), min_size=2, max_size=40)
THIRDS = draw.lists(draw.tuples(draw.integers(0, 3), draw.integers(0, 3)), min_size=2, max_size=9)


def table(pairs: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    count = [pairs.count(kind) for kind in ((1, 1), (1, 0), (0, 1), (0, 0))]
    return count[0], count[1], count[2], count[3]


# --- McNemar -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("b", range(13))
@pytest.mark.parametrize("c", range(13))
def test_mcnemar_is_the_binomial_sum(b: int, c: int) -> None:
    m = b + c
    law = [Fraction(math.comb(m, k), 2**m) for k in range(m + 1)]
    as_far = sum((p for k, p in enumerate(law) if abs(2 * k - m) >= abs(b - c)), Fraction(0))
    further = sum((p for k, p in enumerate(law) if abs(2 * k - m) > abs(b - c)), Fraction(0))
    found = stats.mcnemar(5, b, c, 7)
    assert found.p_exact == pytest.approx(float(as_far))
    assert found.p_midp == pytest.approx(1.0 if b == c else float((as_far + further) / 2))
    assert found.n_discordant == m
    if m:
        assert found.p_exact == pytest.approx(statsmodels_mcnemar([[5, b], [c, 7]], exact=True).pvalue)


@given(TABLES)
def test_mcnemar_does_not_care_which_arm_is_called_treatment(t: tuple[int, int, int, int]) -> None:
    a, b, c, d = t
    one, other = stats.mcnemar(a, b, c, d), stats.mcnemar(a, c, b, d)
    assert one == other
    assert 0 < one.p_midp <= one.p_exact <= 1
    assert stats.mcnemar(a + 9, b, c, d + 9) == one, "concordant pairs say nothing"


def test_mcnemar_without_change_is_no_evidence_and_no_crash() -> None:
    assert stats.mcnemar(10, 0, 0, 5) == (1.0, 1.0, 1.0, 0, "no_discordant_pairs")


@pytest.mark.parametrize("bad", [(-1, 0, 0, 0), (1, 2.5, 0, 0)])
def test_mcnemar_wants_counts(bad: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="whole and not negative"):
        stats.mcnemar(*bad)


# --- intervals ---------------------------------------------------------------------------------------------------------


@given(TABLES)
def test_intervals_of_a_difference_hold_it_and_mirror(t: tuple[int, int, int, int]) -> None:
    a, b, c, d = t
    found, mirrored = stats.risk_difference_ci(a, b, c, d), stats.risk_difference_ci(a, c, b, d)
    for name in ("newcombe", "tango", "bonett_price"):
        low, high = getattr(found, name)
        assert -1 <= low < high <= 1
        if name != "bonett_price":  # that one shrinks towards 0
            assert low - 1e-9 <= found.estimate <= high + 1e-9
        assert getattr(mirrored, name) == pytest.approx((-high, -low), abs=1e-9)


def test_rounding_does_not_push_an_interval_beyond_its_ends() -> None:
    for n in range(1, 200):
        for table in ((0, 0, n, 0), (0, n, 0, 0)):
            low, high = stats.risk_difference_ci(*table).newcombe
            assert -1 <= low < high <= 1


@given(TABLES)
def test_more_confidence_is_a_wider_interval(t: tuple[int, int, int, int]) -> None:
    narrow, wide = (stats.risk_difference_ci(*t, conf=conf).newcombe for conf in (0.9, 0.99))
    assert wide[0] <= narrow[0] < narrow[1] <= wide[1]
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_no_change_is_not_certainty() -> None:
    low, high = stats.risk_difference_ci(70, 0, 0, 30).newcombe
    assert (low, high) == (pytest.approx(-high), high)
    assert 0.005 < high < 0.05


@given(draw.integers(1, 200).flatmap(lambda n: draw.tuples(draw.integers(0, n), draw.just(n))))
def test_accuracy_stays_between_0_and_1(pair: tuple[int, int]) -> None:
    found = stats.accuracy_ci(*pair)
    for low, high in found[1:]:
        assert 0 <= low <= high <= 1
    assert found.wilson[0] - 1e-12 <= found.estimate <= found.wilson[1] + 1e-12


# --- sign flips --------------------------------------------------------------------------------------------------------


def brute(d: list[Fraction]) -> tuple[float, float]:
    seen = abs(sum(d, Fraction(0)))
    sums = [abs(sum((sign * x for sign, x in zip(signs, d, strict=True)), Fraction(0))) for signs in product((1, -1), repeat=len(d))]
    above, equal = sum(x > seen for x in sums), sum(x == seen for x in sums)
    return (above + equal) / len(sums), (above + equal / 2) / len(sums)


@settings(max_examples=60, deadline=None)
@given(THIRDS)
def test_sign_flips_on_a_lattice_are_exact(pairs: list[tuple[int, int]]) -> None:
    found = stats.signflip_test([s / 3 for s, _ in pairs], [b / 3 for _, b in pairs])
    moved = [Fraction(s - b, 3) for s, b in pairs if s != b]
    if not moved:
        assert (found.p_midp, found.status) == (1.0, "no_discordant_pairs")
        return
    full, midp = brute(moved)
    assert (found.p_full, found.p_midp) == (pytest.approx(full), pytest.approx(midp))


def test_equal_differences_are_equal_in_floats_too() -> None:
    """1 - 2/3 and 1/3 - 0 are other floats; a test that compares them raw loses the tie."""
    s, b = [1.0, 1 / 3, 0.0, 2 / 3], [2 / 3, 0.0, 1 / 3, 1 / 3]
    assert (np.asarray(s) - np.asarray(b))[0] != (np.asarray(s) - np.asarray(b))[1]
    found = stats.signflip_test(s, b)
    assert found.p_full == pytest.approx(brute([Fraction(1), Fraction(1), Fraction(-1), Fraction(1)])[0])


@settings(deadline=None)
@given(BITS)
def test_sign_flips_of_single_answers_are_mcnemar(pairs: list[tuple[int, int]]) -> None:
    flips = stats.signflip_test([float(s) for s, _ in pairs], [float(b) for _, b in pairs])
    exact = stats.mcnemar(*table(pairs))
    assert flips.p_full == pytest.approx(exact.p_exact)
    if exact.n_discordant and table(pairs)[1] != table(pairs)[2]:
        assert flips.p_midp == pytest.approx(exact.p_midp)


def test_enumeration_convolution_and_random_signs_agree() -> None:
    rng = np.random.default_rng(3)
    s, b = rng.random(12), rng.random(12)
    enumerated = stats.signflip_test(s, b)
    assert enumerated.method == "exact by enumeration"
    sampled = stats.signflip_test(s, b, exact=False, n_resamples=20_000)
    assert "random sign vectors" in sampled.method
    assert sampled.p_full == pytest.approx(enumerated.p_full, abs=0.015)
    oracle = st.permutation_test((s - b,), lambda x: abs(x.sum()), permutation_type="samples", alternative="greater", n_resamples=np.inf)
    assert enumerated.p_full == pytest.approx(oracle.pvalue)


def test_random_signs_never_give_0_and_repeat_themselves() -> None:
    s, b = np.linspace(0.5, 0.9, 40) + 0.001 * np.sqrt(np.arange(40)), np.zeros(40)
    one, two = (stats.signflip_test(s, b, exact=False, n_resamples=999) for _ in range(2))
    assert one == two
    assert one.p_full == 1 / 1000
    assert one.p_midp == 1 / 1000


@pytest.mark.parametrize(
    ("s", "b", "says"), [([1.0, math.nan], [0.0, 1.0], "missing"), ([1.0], [1.0, 0.0], "equal length"), ([], [], "no pair")]
)
def test_a_missing_score_is_never_taken_for_a_number(s: list[float], b: list[float], says: str) -> None:
    for function in (stats.signflip_test, stats.mean_difference_ci):
        with pytest.raises(ValueError, match=says):
            function(s, b)
    with pytest.raises(ValueError, match=says):
        stats.tost_paired(s, b, margin=0.1)


# --- means -------------------------------------------------------------------------------------------------------------


@given(draw.lists(draw.tuples(draw.floats(0, 1), draw.floats(0, 1)), min_size=2, max_size=30))
def test_a_mean_and_its_interval_are_students(pairs: list[tuple[float, float]]) -> None:
    s, b = [x for x, _ in pairs], [y for _, y in pairs]
    found = stats.mean_difference_ci(s, b)
    d = np.round(np.asarray(s) - np.asarray(b), 9)
    if d.std(ddof=1) < 1e-12:
        assert found.status in ("no_discordant_pairs", "zero_variance")
        assert found.p_t is None or found.p_t == 1.0
        return
    oracle = st.ttest_1samp(d, 0)
    assert found.ci == pytest.approx(tuple(oracle.confidence_interval()), abs=1e-9)
    assert found.p_t == pytest.approx(oracle.pvalue)


def test_a_constant_change_has_no_interval_and_one_item_none_either() -> None:
    constant = stats.mean_difference_ci([0.5, 0.6], [0.4, 0.5])
    assert (constant.ci, constant.t, constant.dz, constant.status) == (None, None, None, "zero_variance")
    assert stats.mean_difference_ci([1.0], [0.0])[2:] == (None, None, None, None, None, "n_too_small")
    ties = stats.mean_difference_ci([1.0] * 50, [1.0] * 50)
    assert ties.ci == pytest.approx((-(1 - 0.025**0.02), 1 - 0.025**0.02))


def test_clusters_of_one_item_are_no_clusters() -> None:
    rng = np.random.default_rng(5)
    d = rng.normal(size=30)
    alone = stats.cluster_mean(d, np.arange(30))
    assert alone.se_cr2 == pytest.approx(d.std(ddof=1) / math.sqrt(30))
    assert alone.df_cr2 == pytest.approx(29)


def test_copies_in_a_cluster_add_no_information() -> None:
    rng = np.random.default_rng(6)
    d = rng.normal(size=20)
    copied = stats.cluster_mean(np.repeat(d, 5), np.repeat(np.arange(20), 5))
    assert copied.se_cr2 == pytest.approx(d.std(ddof=1) / math.sqrt(20))
    assert copied.mean_difference == pytest.approx(d.mean())
    assert stats.cluster_mean([0.1, 0.2], ["a", "a"]).status == "too_few_clusters"


# --- effect sizes ------------------------------------------------------------------------------------------------------


def test_a_relative_gain_over_almost_nothing_is_not_printed() -> None:
    assert not stats.effect_sizes(2, 5, 0, 93).relative_gain_printable
    assert not stats.effect_sizes(2, 5, 0, 13).relative_gain_printable, "10 % of 20 may be 3 %"
    assert stats.effect_sizes(40, 5, 2, 53).relative_gain_printable
    none = stats.effect_sizes(0, 5, 0, 95)
    assert (none.ratio, none.ratio_ci, none.relative_gain_percent) == (None, None, None)


@given(TABLES)
def test_effect_sizes_are_never_nan(t: tuple[int, int, int, int]) -> None:
    found = stats.effect_sizes(*t)
    numbers = [x for x in found if isinstance(x, float)] + list(found.ratio_ci or ())
    assert not any(math.isnan(x) for x in numbers)
    odds = stats.matched_odds_ratio(t[1], t[2])
    assert odds.estimate is None or not math.isnan(odds.estimate)
    if odds.exact:
        assert odds.exact[0] <= odds.estimate <= odds.exact[1]


# --- many comparisons --------------------------------------------------------------------------------------------------

P_VALUES = draw.lists(draw.floats(0, 1), min_size=1, max_size=25)


def test_holm_and_bh_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    found = stats.adjust_pvalues(p)
    assert found.holm == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert found.fdr_bh == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert found.bonferroni == pytest.approx([0.04, 0.16, 0.12, 0.02])


@given(P_VALUES)
def test_adjusting_never_helps_and_keeps_the_order(p: list[float]) -> None:
    found = stats.adjust_pvalues(p)
    for values in found:
        assert ((values >= np.asarray(p) - 1e-12) & (values <= 1)).all()
        order = np.argsort(p, kind="stable")
        assert (np.diff(values[order]) >= -1e-12).all()
    assert (found.fdr_bh <= found.holm + 1e-12).all()
    assert (found.holm <= found.bonferroni + 1e-12).all()


@pytest.mark.parametrize("method", ["holm", "fdr_bh"])
def test_the_order_of_comparisons_does_not_matter(method: str) -> None:
    p = [0.04, 0.001, 0.02, 0.02, 0.7]
    expected = dict(zip(p, stats.adjust(p, method), strict=True))
    for shuffled in permutations(p):
        assert list(stats.adjust(shuffled, method)) == pytest.approx([expected[x] for x in shuffled])


@pytest.mark.long(but=1)
@pytest.mark.parametrize("method", ["holm", "fdr_bh"])
def test_our_own_steps_are_those_of_statsmodels(method: str) -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(7)
    for n in (1, 2, 7, 200):
        p = np.round(rng.random(n) ** 3, 3)  # rounded, so that some are equal
        assert stats.adjust(p, method) == pytest.approx(multipletests(p, method=method)[1], abs=1e-15)


def test_a_missing_p_does_not_count_unless_it_was_planned() -> None:
    """multipletests counts NaN among the hypotheses and then returns NaN for all of them."""
    found = stats.adjust([0.01, None, 0.03, math.nan], "holm")
    assert found[[0, 2]] == pytest.approx([0.02, 0.03])
    assert np.isnan(found[[1, 3]]).all()
    planned = stats.adjust([0.01, None, 0.03, math.nan], "holm", m=4)
    assert planned[[0, 2]] == pytest.approx([0.04, 0.09])
    with pytest.raises(ValueError, match="planned"):
        stats.adjust([0.1, 0.2], "holm", m=1)
    with pytest.raises(ValueError, match="not known"):
        stats.adjust([0.1], "fdr")
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.adjust([1.2], "holm")


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 21, 0.05 / 945, 0.25])
def test_the_fewest_changes_that_can_be_told(alpha: float) -> None:
    least = stats.min_discordant(alpha)
    for kind, m in zip(("p_midp", "p_exact"), least, strict=True):
        assert getattr(stats.mcnemar(0, m, 0, 0), kind) <= alpha
        assert getattr(stats.mcnemar(0, m - 1, 0, 0), kind) > alpha or m == 1


# --- equivalence -------------------------------------------------------------------------------------------------------


def test_equivalence_is_shown_only_with_enough_items() -> None:
    few, many = stats.tost_binary(40, 5, 5, 50, margin=0.05), stats.tost_binary(400, 50, 50, 500, margin=0.05)
    assert (few.equivalent_newcombe, many.equivalent_newcombe) == (False, True)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.02, 200)
    assert stats.tost_paired(0.5 + noise, np.full(200, 0.5), margin=0.02).equivalent
    assert not stats.tost_paired(0.53 + noise, np.full(200, 0.5), margin=0.02).equivalent


def test_identical_arms_are_not_proof_of_sameness() -> None:
    """Without variance the t form gives p = 0 for any n, two items included."""
    same = stats.tost_paired([1.0, 0.0], [1.0, 0.0], margin=0.05)
    assert (same.p_tost, same.equivalent, same.status) == (None, False, "zero_variance")
    with pytest.raises(ValueError, match="positive"):
        stats.tost_paired([1.0, 0.0], [0.0, 0.0], margin=0.0)


@given(draw.integers(20, 300), draw.floats(0.02, 0.2))
def test_both_one_sided_tests_count(n: int, margin: float) -> None:
    d = np.resize([0.0, 0.1, -0.05, 0.2], n)
    found = stats.tost_paired(d, np.zeros(n), margin)
    mirrored = stats.tost_paired(-d, np.zeros(n), margin)
    assert found.p_tost == max(found.p_lower, found.p_upper) == pytest.approx(mirrored.p_tost)
    assert found.equivalent == (found.p_tost <= 0.05) == (-margin <= found.ci90[0] and found.ci90[1] <= margin)


# --- means over tasks --------------------------------------------------------------------------------------------------


def test_tasks_count_alike_whatever_their_size_or_error() -> None:
    found = stats.macro_effect([0.0, 0.3], [0.001, 0.2])
    assert found.estimate == pytest.approx(0.15)
    assert found.se_tasks_fixed == pytest.approx(math.hypot(0.001, 0.2) / 2)
    assert found.se_tasks_random == pytest.approx(np.std([0.0, 0.3], ddof=1) / math.sqrt(2))


def test_one_task_says_nothing_about_tasks_like_it() -> None:
    alone = stats.macro_effect([0.1], [0.02])
    assert (alone.ci_random, alone.p_random, alone.n_tasks) == (None, None, 1)
    alike = stats.macro_effect([0.1] * 12, [0.02] * 12)
    assert alike.p_random is None
    with pytest.raises(ValueError, match="finite"):
        stats.macro_effect([0.1, math.nan], [0.1, 0.1])


# --- power -------------------------------------------------------------------------------------------------------------


def test_power_by_simulation() -> None:
    rng = np.random.default_rng(9)
    n, gained, lost, rounds = 80, 0.2, 0.06, 4_000
    counts = rng.multinomial(n, [gained, lost, 1 - gained - lost], size=rounds)
    rejected = np.mean([stats.mcnemar(0, int(b), int(c), 0).p_midp <= 0.05 for b, c, _ in counts])
    assert stats.power_mcnemar(n, gained, lost).midp == pytest.approx(rejected, abs=0.025)


def test_the_smallest_effect_is_the_one_with_that_power() -> None:
    for n in (60, 200):
        delta = stats.smallest_effect_mcnemar(n, 0.2, 0.05)
        assert delta is not None
        assert stats.power_mcnemar(n, (0.2 + delta) / 2, (0.2 - delta) / 2).midp == pytest.approx(0.8, abs=0.02)
    assert stats.smallest_effect_mcnemar(400, 0.2, 0.05) < stats.smallest_effect_mcnemar(100, 0.2, 0.05)
    assert stats.smallest_effect_mcnemar(20, 0.1, 0.05) is None, "two changed answers are never enough"


def test_more_items_more_power_and_a_stricter_level_less() -> None:
    by_n = [stats.power_mcnemar(n, 0.15, 0.05).midp for n in (40, 80, 160, 320)]
    assert by_n == sorted(by_n)
    assert stats.power_mcnemar(100, 0.15, 0.05, alpha=0.001).midp < stats.power_mcnemar(100, 0.15, 0.05).midp
    assert stats.power_mcnemar(100, 0.0, 0.0).midp == 0.0
    assert stats.power_paired_t(50, 0.0, 0.3).power == pytest.approx(0.05)
    assert stats.power_paired_t(10**6, 0.01, 1.0).power == pytest.approx(1.0), "where the noncentral t cannot be computed"
    assert stats.smallest_effect_macro([100] * 12, 0.1, tau=0.02) > stats.smallest_effect_macro([100] * 12, 0.1, tau=0.0)
    with pytest.raises(ValueError, match="tau"):
        stats.smallest_effect_macro([100], 0.1, tau=0.02)


# --- pairing -----------------------------------------------------------------------------------------------------------


def frame(rows: list[tuple[str, str, int, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["item_id", "arm", "repeat", "score"])


def test_repeats_are_averaged_before_pairing_and_lost_items_counted() -> None:
    found = stats.pair_scores(
        frame([
            ("i1", "none", 0, 1.0), ("i1", "none", 1, 0.0), ("i1", "s", 0, 1.0), ("i1", "s", 1, 1.0),
            ("i2", "none", 0, 1.0), ("i2", "none", 1, 1.0), ("i2", "s", 0, None), ("i2", "s", 1, None),
            ("i3", "none", 0, 0.0), ("i3", "none", 1, 0.0), ("i3", "s", 0, 0.0), ("i3", "s", 1, None),
        ]),
        "s",
    )  # fmt: skip
    assert found.paired_items == ("i1", "i3")
    assert list(found.difference) == [0.5, 0.0]
    assert (found.n_items, found.n_dropped_items, found.n_missing_scores, found.unbalanced_repeats) == (3, 1, 3, True)


def test_a_key_with_two_scores_is_an_error() -> None:
    rows = frame([("i1", "none", 0, 1.0), ("i1", "none", 0, 0.0), ("i1", "s", 0, 1.0)])
    with pytest.raises(stats.DuplicateKeys, match="i1 none 0"):
        stats.pair_scores(rows, "s")
    assert stats.pair_scores(rows, "s", strict=False).n_paired == 0
    mixed = rows.assign(model=["a", "b", "a"])
    with pytest.raises(ValueError, match="one at a time"):
        stats.pair_scores(mixed, "s")

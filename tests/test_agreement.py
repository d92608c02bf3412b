"""Agreement of raters, preference of labels, and means from few human labels and many of a judge."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from promptlab import stats

MARKS = hs.lists(hs.lists(hs.one_of(hs.none(), hs.integers(1, 5)), min_size=12, max_size=12), min_size=2, max_size=4)
RATED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5],
]
"""Near Krippendorff's own example (2011), with missing values."""


def golden(shared: Path, name: str) -> Any:
    path = shared / "data" / "golden_sets" / name
    if not path.exists():
        pytest.skip(f"the reference data has no {name}")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.shared
def test_golden_agreement(shared: Path) -> None:
    for case in golden(shared, "agreement.json")["cases"]:
        for level, expected in case["alpha"].items():
            assert stats.krippendorff_alpha(case["ratings_by_rater"], level=level) == pytest.approx(expected, abs=1e-9)
        for weights, expected in case["cohen_kappa_first_two"].items():
            got = stats.cohen_kappa(*case["ratings_by_rater"][:2], weights=None if weights == "plain" else weights)
            assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.shared
def test_golden_ppi(shared: Path) -> None:
    for case in golden(shared, "ppi_mean.json")["cases"]:
        found = stats.ppi_mean(case["human"], case["judge_on_human"], case["judge_only"], alpha=case["alpha"])
        for name, expected in case["expected_power_tuned"].items():
            assert getattr(found, name) == pytest.approx(expected, abs=1e-9)


@pytest.mark.shared
def test_golden_preference(shared: Path) -> None:
    case = golden(shared, "esconv_preference_bias.json")
    found = stats.preference_bias(case["predicted_by_gold"])
    assert found.bias == pytest.approx(case["preference_bias_B"], abs=1e-9)
    assert found.preference == pytest.approx(case["preference"], abs=1e-9)
    assert (found.macro_f1, found.weighted_f1) == pytest.approx((case["macro_f1"], case["weighted_f1"]), abs=1e-12)


def test_alpha_of_small_tables_by_hand() -> None:
    pair = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    assert stats.krippendorff_alpha(pair, level="nominal") == pytest.approx(1 - 19 * 4 / (6 * 14)), "Krippendorff 2011, example A"
    assert stats.krippendorff_alpha([["a", "b", "c"], ["a", "b", "c"]], level="nominal") == 1
    assert stats.krippendorff_alpha([[1, 2], [2, 1]], level="interval") == pytest.approx(-0.5)
    assert stats.krippendorff_alpha([[0, 0, 2], [0, 0, 2]], level="ratio") == 1


def test_kappa_of_small_tables_by_hand() -> None:
    a, b = [1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert stats.cohen_kappa(a, b) == pytest.approx(0.4)
    assert stats.cohen_kappa(a, b, weights="linear") == stats.cohen_kappa(a, b, weights="quadratic") == pytest.approx(0.4)
    assert stats.cohen_kappa([1, None, 5], [1, 3, 5], weights="linear") == 1
    assert stats.cohen_kappa([1, 1, 5], [1, 5, 5], weights="linear") == stats.cohen_kappa([1, 1, 2], [1, 2, 2]), "by distance, of its scale"


@given(MARKS, hs.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_alpha_knows_no_order_of_raters_or_items_and_no_names(rows: list[list[int | None]], random: Any) -> None:
    if all(sum(row[i] is not None for row in rows) < 2 for i in range(12)):
        return
    levels: tuple[stats.Level, ...] = ("nominal", "ordinal", "interval", "ratio")
    places, other = random.sample(range(12), 12), random.sample(rows, len(rows))
    for level in levels:
        found = stats.krippendorff_alpha(rows, level=level)
        mixed = stats.krippendorff_alpha([[row[i] for i in places] for row in other], level=level)
        assert found == pytest.approx(mixed, nan_ok=True)
        assert math.isnan(found) or found <= 1
    renamed = [[None if x is None else "edcba"[x - 1] for x in row] for row in rows]
    assert stats.krippendorff_alpha(renamed, level="nominal") == pytest.approx(stats.krippendorff_alpha(rows, level="nominal"), nan_ok=True)
    moved = [[math.nan if x is None else 3.5 * x + 2 for x in row] for row in rows]
    for level in levels[1:3]:
        assert stats.krippendorff_alpha(moved, level=level) == pytest.approx(stats.krippendorff_alpha(rows, level=level), nan_ok=True)


@given(hs.lists(hs.tuples(hs.integers(1, 5), hs.integers(1, 5)), min_size=3, max_size=30))
@settings(max_examples=40, deadline=None)
def test_kappa_knows_no_order_of_raters_and_no_names(pairs: list[tuple[int, int]]) -> None:
    a, b = zip(*pairs, strict=True)
    plain = stats.cohen_kappa(a, b)
    assert plain == pytest.approx(stats.cohen_kappa(b, a), nan_ok=True)
    assert plain == pytest.approx(stats.cohen_kappa(["edcba"[x - 1] for x in a], ["edcba"[x - 1] for x in b]), nan_ok=True)
    for weights in ("linear", "quadratic"):
        moved = stats.cohen_kappa([7 - 2 * x for x in a], [7 - 2 * x for x in b], weights=weights)  # type: ignore[arg-type]
        assert stats.cohen_kappa(a, b, weights=weights) == pytest.approx(moved, nan_ok=True)  # type: ignore[arg-type]


def test_ratings_that_cannot_be_judged() -> None:
    assert math.isnan(stats.krippendorff_alpha([[3, 3], [3, None]], level="ordinal")), "one value: nothing could disagree"
    assert math.isnan(stats.cohen_kappa(["a"], ["a"]))
    for rows, words in (
        ([[1, 2]], "two or more raters"),
        ([[1], [1, 2]], "one rating an item"),
        ([[1, None], [None, 2]], "no item has two"),
    ):
        with pytest.raises(ValueError, match=words):
            stats.krippendorff_alpha(rows, level="nominal")
    with pytest.raises(ValueError, match="level must be one of"):
        stats.krippendorff_alpha(RATED, level="marks")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be numbers"):
        stats.krippendorff_alpha([["good"], ["bad"]], level="ordinal")
    with pytest.raises(ValueError, match="not be negative"):
        stats.krippendorff_alpha([[-1, 2], [1, 2]], level="ratio")
    with pytest.raises(ValueError, match="finite"):
        stats.krippendorff_alpha([[math.inf, 2], [1, 2]], level="interval")
    for a, b, words in (([1], [1, 2], "one rating an item"), ([], [], "rated by both"), ([1, None], [None, 1], "rated by both")):
        with pytest.raises(ValueError, match=words):
            stats.cohen_kappa(a, b)
    with pytest.raises(ValueError, match="weights must be"):
        stats.cohen_kappa([1], [1], weights="cubic")  # type: ignore[arg-type]


def test_preference_of_labels() -> None:
    even = stats.preference_bias([[5, 2, 2], [2, 5, 2], [2, 2, 5]])
    assert (even.bias, even.preference) == (pytest.approx(0), pytest.approx((1, 1, 1)))
    pair = stats.preference_bias([[10, 6], [2, 10]])
    assert pair.preference[0] / pair.preference[1] == pytest.approx(3), "one pair: the ratio of the mistakes"
    assert pair.macro_f1 == pytest.approx(20 / 28)
    right = stats.preference_bias([[3, 0], [0, 4]])
    assert (right.bias, right.preference, right.macro_f1) == (0, (1, 1), 1)
    assert math.isnan(stats.preference_bias([[3, 2], [0, 4]]).bias), "a label that was never missed is preferred without bound"
    assert stats.preference_bias([[3, 2, 1], [1, 4, 1], [0, 0, 0]]).preference[2] == 0
    for table, words in (([[1, 2]], "a row and a column"), ([], "a row and a column"), ([[0]], "counts"), ([[1, -1], [0, 1]], "counts")):
        with pytest.raises(ValueError, match=words):
            stats.preference_bias(table)


@given(hs.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_preference_knows_no_order_of_labels(order: list[int]) -> None:
    table = np.random.default_rng(4).integers(1, 30, (4, 4))
    whole, mixed = stats.preference_bias(table.tolist()), stats.preference_bias(table[np.ix_(order, order)].tolist())
    assert mixed.preference == pytest.approx([whole.preference[i] for i in order], abs=1e-3), "20 rounds are near the fixed point"
    assert mixed.macro_f1 == pytest.approx(whole.macro_f1)


def drawn(rng: np.random.Generator, n: int, rho: float, shift: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Human differences of n items with mean .2, and a judge's with a bias."""
    y = rng.normal(0.2, 1, n)
    return y, shift + rho * y + math.sqrt(1 - rho**2) * rng.normal(0, 1, n)


@pytest.mark.parametrize(("rho", "least", "most"), [(0.95, 0.0, 0.8), (0.0, 0.9, 1.02)])
def test_a_judge_narrows_the_interval_as_far_as_it_agrees(rho: float, least: float, most: float) -> None:
    ratios = []
    for seed in range(60):
        (y, f), (_, g) = drawn(rng := np.random.default_rng(seed), 60, rho), drawn(rng, 600, rho)
        found = stats.ppi_mean(y, f, g)
        assert 0 <= found.judge_weight <= 1
        ratios.append((found.small_high - found.small_low) / (found.human_high - found.human_low))
    assert least <= float(np.mean(ratios)) <= most
    assert max(ratios) <= 1.03, "never much wider than human labels alone"


def test_a_judge_that_is_always_right_adds_its_items_in_full() -> None:
    y = np.random.default_rng(1).normal(0, 1, 600)
    found = stats.ppi_mean(y[:60], y[:60], y[60:])
    assert found.judge_weight == pytest.approx(60 / 66, abs=0.25)
    assert found.estimate == pytest.approx(y.mean(), abs=0.06)
    assert found.ci_high - found.ci_low < 0.5 * (found.human_high - found.human_low)


def test_ppi_figures_and_errors() -> None:
    blind = stats.ppi_mean([1.0, 2.0, 3.0, 4.0], [1.0] * 4, [1.0] * 9)
    assert (blind.judge_weight, blind.estimate, blind.se) == (0, 2.5, pytest.approx(math.sqrt(1.25 / 4)))
    assert (blind.small_low, blind.small_high) == pytest.approx((blind.human_low, blind.human_high)), "a judge that says one thing"
    twice, shifted = (
        stats.ppi_mean(*(a * np.array(x) + b for x in ([1, 2, 4, 3], [1, 2, 3, 3], [2, 4, 1, 1, 3]))) for a, b in ((2, 0), (1, 5))
    )
    once = stats.ppi_mean([1, 2, 4, 3], [1, 2, 3, 3], [2, 4, 1, 1, 3])
    assert (twice.estimate, twice.se) == pytest.approx((2 * once.estimate, 2 * once.se))
    assert (shifted.ci_low, shifted.ci_high) == pytest.approx((once.ci_low + 5, once.ci_high + 5))
    assert "4 human labels" in once.sentence
    for args, words in (
        (([1, 2], [1], [1, 2]), "equal length"),
        (([1], [1], [1, 2]), "at least two labels"),
        (([1, 2], [1, 2], []), "at least two labels"),
        (([1, math.nan], [1, 2], [1, 2]), "finite"),
    ):
        with pytest.raises(ValueError, match=words):
            stats.ppi_mean(*args)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha"):
        stats.ppi_mean([1, 2], [1, 2], [1, 2], alpha=0)
    assert "according to this judge" in stats.judge_alone(0.4, (0.1, 0.7))

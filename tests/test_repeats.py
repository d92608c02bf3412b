"""Repeats as outcomes, and the decision for each arm: exact values by hand, properties, and what a report shows of them."""

from __future__ import annotations

import io
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from rich.console import Console

from promptlab import stats
from promptlab.nouns.plan import Plan
from promptlab.record.mirror import open_run
from promptlab.reporting import Report, to_html, to_json, to_markdown, to_text
from promptlab.reporting.arms import KINDS, decision_table, decisions, repeat_tables
from promptlab.reporting.decide import lines
from promptlab.reporting.whole import whole
from runs import experiment, run
from test_stats_beside import drawn

COUNTS = hs.lists(hs.integers(0, 8).flatmap(lambda n: hs.tuples(hs.integers(0, n), hs.just(n))), min_size=2, max_size=20)


# --- pass@k, pass^k, flaky


def test_pass_rates_are_shares_of_all_choices_of_k_answers() -> None:
    items = [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 1, 1, 0]]
    for k in range(1, 6):
        chosen = [list(itertools.combinations(item, k)) for item in items]
        found = stats.pass_rate([sum(item) for item in items], [5] * 4, k)
        assert found.at == pytest.approx(np.mean([np.mean([max(c) for c in of]) for of in chosen]))
        assert found.every == pytest.approx(np.mean([np.mean([min(c) for c in of]) for of in chosen]))
        assert found.n_items == 4
        assert found.at_ci is not None
        assert found.at is not None
        assert found.at_ci[0] < found.at < found.at_ci[1], "four items are few, however often they are asked"


def test_pass_rates_count_items_and_leave_out_those_with_fewer_answers() -> None:
    assert stats.pass_rate([1, 3], [2, 3], 3)[:2] == (3, 1.0)
    assert stats.pass_rate([1, 3], [2, 3], 3).n_items == 1
    assert stats.pass_rate([1], [2], 3) == (3, None, None, None, None, 0)
    two_prompts = stats.pass_rate([[3, 0], [3, 3]], [[3, 3], [3, 3]], 3)
    assert (two_prompts.every, two_prompts.n_items) == (0.75, 2), "base prompts are averaged inside the item"
    many = stats.pass_rate([50_000], [100_000], 100)
    assert many.every == pytest.approx(0.5**100, rel=0.2)


def test_pass_rates_are_unbiased() -> None:
    p = 0.3
    law = [math.comb(6, c) * p**c * (1 - p) ** (6 - c) for c in range(7)]
    for k in (1, 2, 4):
        found = [stats.pass_rate([c], [6], k) for c in range(7)]
        assert sum(w * (f.at or 0) for w, f in zip(law, found, strict=True)) == pytest.approx(1 - (1 - p) ** k)
        assert sum(w * (f.every or 0) for w, f in zip(law, found, strict=True)) == pytest.approx(p**k)
    assert sum(w * (stats.flaky([c], [6]).disagree or 0) for c, w in enumerate(law)) == pytest.approx(2 * p * (1 - p))


def test_flaky_items() -> None:
    found = stats.flaky([0, 1, 3, 1], [3, 3, 3, 1])
    assert (found.share, found.n_items, found.disagree) == (pytest.approx(1 / 3), 3, pytest.approx(2 / 9))
    assert stats.flaky([1, 0], [1, 1]).share is None


@given(COUNTS)
@settings(max_examples=50, deadline=None)
def test_shrinkage_lies_between_an_item_and_the_mean(counts: list[tuple[int, int]]) -> None:
    c, n = zip(*counts, strict=True)
    if not sum(n):
        return
    found = stats.beta_binomial(c, n)
    assert 0 <= found.rho <= 1
    for right, asked, to in zip(c, n, found.shrunk, strict=True):
        own = right / asked if asked else found.mean
        assert min(own, found.mean) - 1e-9 <= to <= max(own, found.mean) + 1e-9


def test_shrinkage_finds_the_spread_of_chances() -> None:
    rng = np.random.default_rng(5)
    p = rng.beta(2, 3, 4_000)
    found = stats.beta_binomial(c := rng.binomial(6, p), np.full(4_000, 6))
    assert found.rho == pytest.approx(1 / (2 + 3 + 1), abs=0.02)
    assert np.allclose(found.shrunk, (c + 2) / (6 + 5), atol=0.03), "the posterior mean of the beta-binomial model"
    assert ((found.shrunk - p) ** 2).mean() < 0.6 * ((c / 6 - p) ** 2).mean()
    assert stats.beta_binomial([0, 4], [4, 4]).rho == 1
    assert stats.beta_binomial(rng.binomial(20, 0.4, 500), np.full(500, 20)).rho < 0.02


# --- the largest change of a single question


def test_published_swings_are_what_chance_gives() -> None:
    at_25, at_100 = stats.planned_swing(298, 25), stats.planned_swing(198, 100)
    assert (at_25.quantile(0.5), at_25.quantile(0.95)) == (0.36, 0.48)
    assert (at_100.quantile(0.5), at_100.quantile(0.95)) == (0.18, pytest.approx(0.235, abs=0.006))
    assert at_25.p(0.36) > 0.5
    assert at_100.p(0.6) < 1e-6, "60 points at 100 repeats are more than chance"


def test_the_chance_null_is_fishers_law_item_by_item() -> None:
    one = stats.largest_by_chance([3], [3], [0], [3])
    assert (one.values.tolist(), one.at_most.tolist()) == ([pytest.approx(1 / 3), 1.0], [pytest.approx(0.9), pytest.approx(1)])
    assert (one.p(1.0), one.p(0.3), one.p(0)) == (pytest.approx(0.1), 1, 1)
    two = stats.largest_by_chance([3, 3], [3, 3], [0, 0], [3, 3])
    assert two.p(1.0) == pytest.approx(1 - 0.9**2)
    assert stats.largest_by_chance([3, 0], [3, 0], [0, 1], [3, 1]).p(1.0) == pytest.approx(0.1), "an item without one arm is left out"


def test_the_largest_change_passes_its_bound_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(2)
    passed = 0
    for _ in range(400):
        p = rng.beta(0.6, 0.7, 60)
        a, b = rng.binomial(10, p), rng.binomial(10, p)
        passed += stats.largest_by_chance(a, [10] * 60, b, [10] * 60).p(float(np.abs(a - b).max()) / 10) <= 0.05
    assert passed / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_wrong_counts_are_refused() -> None:
    for c, n, words in (
        ([2], [1], "right at most asked"),
        ([0.5], [1], "must be counts"),
        ([1], [1, 2], "one count"),
        ([], [], "one count"),
    ):
        with pytest.raises(ValueError, match=words):
            stats.pass_rate(c, n, 1)
    with pytest.raises(ValueError, match="k must be"):
        stats.pass_rate([1], [1], 0)
    with pytest.raises(ValueError, match="no item has an answer"):
        stats.beta_binomial([0], [0])
    with pytest.raises(ValueError, match="under both arms"):
        stats.largest_by_chance([0], [0], [1], [1])
    with pytest.raises(ValueError, match="at least 1"):
        stats.planned_swing(0, 3)


# --- the decision


def test_one_arm_is_not_shrunken_and_many_alike_become_their_mean() -> None:
    one = stats.shrunken([0.04], [0.02], margin=0.02)
    assert (one.effect[0], one.low[0]) == (pytest.approx(0.04), pytest.approx(0.04 - 1.96 * 0.02, abs=1e-4))
    assert (one.above_zero[0], one.best[0]) == (pytest.approx(0.97725), pytest.approx(0.97725, abs=0.005))
    assert one.above_margin[0] == pytest.approx(0.8413, abs=1e-3)
    alike = stats.shrunken([0.01, 0.02, 0.03, 0.02], [0.02] * 4, margin=0.02)
    assert np.ptp(alike.effect) < 0.008
    apart = stats.shrunken([-0.2, 0.0, 0.2, 0.1], [0.005] * 4, margin=0.02)
    assert np.allclose(apart.effect, [-0.2, 0.0, 0.2, 0.1], atol=0.004)
    assert apart.tau > 3 * alike.tau
    assert apart.best.round(2).tolist() == [0, 0, 1, 0]


def test_shrinkage_without_shared_errors_and_with_tau_known_is_that_of_shrink_effects() -> None:
    y, s = np.array([-0.02, 0.01, 0.06, 0.03]), np.array([0.02, 0.01, 0.02, 0.015])
    known = stats.shrink_effects(y, s**2)
    fit = stats.decision._given(y, s, 0.0, math.sqrt(known.tau2))
    assert fit.mean == pytest.approx(known.shrunk)
    assert fit.sd == pytest.approx(known.posterior_se)


@given(hs.permutations(range(4)))
@settings(max_examples=12, deadline=None)
def test_the_order_of_arms_does_not_matter(order: list[int]) -> None:
    y, s = np.array([-0.02, 0.01, 0.06, 0.03]), np.array([0.02, 0.01, 0.02, 0.015])
    first, other = stats.shrunken(y, s, margin=0.02), stats.shrunken(y[order], s[order], margin=0.02)
    assert other.effect == pytest.approx(first.effect[order])
    assert other.best == pytest.approx(first.best[order], abs=0.02)
    assert 0 < first.best.sum() <= 1
    assert (first.above_margin <= first.above_zero).all()


@pytest.mark.parametrize("s", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("n", [2, 5, 9])
def test_arms_that_are_alike_have_the_same_chance_to_be_the_best(n: int, s: float) -> None:
    found = stats.shrunken([0.02] * n, [s] * n, margin=0.02)
    assert found.best == pytest.approx(found.best.mean(), abs=0.012), "also where none differs from another, and rounding decides"
    assert found.best.sum() == pytest.approx(1 if s < 0.01 else found.best.sum())


def test_chances_of_the_best_are_those_of_the_posterior() -> None:
    y, s = np.array([-0.02, 0.04, 0.05]), np.array([0.03, 0.05, 0.02])
    rng, errors = np.random.default_rng(3), 0.5 * np.outer(s, s)
    np.fill_diagonal(errors, s**2)
    wanted, weights = np.zeros(3), []
    for tau in np.linspace(0, 0.15, 31):
        spread = tau**2 * np.eye(3) + errors
        precision = np.linalg.inv(spread)
        over = 1 / precision.sum()
        mu = over * (precision @ y).sum()
        weight = math.exp(-((tau / 0.05) ** 2) / 2 - (y - mu) @ precision @ (y - mu) / 2) * math.sqrt(over * np.linalg.det(precision))
        weights.append(weight)
        common = rng.normal(mu, math.sqrt(over), 40_000)[:, None]  # step by step: the common mean, then the effects around it
        gain = tau**2 * precision
        noise = rng.multivariate_normal(np.zeros(3), tau**2 * np.eye(3) - tau**2 * gain, 40_000, method="svd") if tau else 0.0
        effects = common + (y - common) @ gain.T + noise
        top = np.isclose(effects, effects.max(axis=1, keepdims=True), rtol=0, atol=1e-12) & (effects.max(axis=1, keepdims=True) > 0)
        wanted += weight * (top / np.maximum(top.sum(axis=1, keepdims=True), 1)).mean(axis=0)
    assert stats.shrunken(y, s, margin=0.02).best == pytest.approx(wanted / sum(weights), abs=0.012)


def test_tiny_errors_beside_large_ones_have_a_spread() -> None:
    with np.errstate(invalid="raise", divide="raise", over="raise"):
        found = stats.shrunken([0.1, -0.1, 0.05, 0.02, 0.01], [1e-9, 1e-6, 0.1, 0.3, 5], margin=0.02)
    assert (found.low < found.high).all()
    assert found.best.sum() == pytest.approx(1)
    assert found.effect[:2] == pytest.approx([0.1, -0.1])


def test_the_gate_and_the_rule() -> None:
    assert stats.non_inferior(0.0, 0.01, 0.02) == (pytest.approx(-0.01645, abs=1e-5), True)
    assert not stats.non_inferior(-0.005, 0.01, 0.02).passes
    assert not stats.non_inferior(0.0, 0.01, 0.02, df=3).passes
    assert stats.decided(True, True) == "ship"
    assert stats.decided(False, True) == "keep the incumbent"
    assert stats.decided(False, False) == "collect more"
    assert stats.decided(False, True, not_worse=True, cheaper=True, cheaper_will_do=True) == "ship"
    assert stats.decided(False, True, not_worse=True, cheaper=True) == "keep the incumbent", "only where the plan says so"
    with pytest.raises(ValueError, match="margin"):
        stats.non_inferior(0, 0.01, 0)
    for effect, se, words in (([], [], "equal length"), ([0.1], [0.0], "above 0"), ([math.nan], [0.1], "finite")):
        with pytest.raises(ValueError, match=words):
            stats.shrunken(effect, se, margin=0.02)


def judged(effects: dict[str, float], cost: dict[str, float]) -> tuple[stats.ArmRow, ...]:
    frame, made = drawn({"none": 0, "none_aa": 0, **effects}, 3, 100)
    frame = frame.assign(
        cost_usd=frame["arm"].map(cost), input_tokens=10, output_tokens=frame.index * 7 % 11 % 5, latency_s=1.0, outcome="ok"
    )
    frame.loc[frame.index % 7 == 0, "outcome"] = "error"
    return stats.supplement(frame, made, stats.analyse(frame, made)).arms


def test_costs_are_paired_and_what_is_unknown_stays_unknown() -> None:
    good, bad = judged({"s0": 0.3, "s1": -0.2}, {"none": 0.001, "none_aa": 0.001, "s0": 0.002, "s1": 0.001})
    assert (good.cost.diff, good.cost.ci) == (pytest.approx(0.001), pytest.approx((0.001, 0.001)))
    assert good.usd_per_right == pytest.approx(0.001 / good.shrunk)
    assert bad.usd_per_right is None, "there is no additional right answer"
    assert (good.p_above_margin, good.p_best, bad.p_best) == (pytest.approx(1, abs=0.01), pytest.approx(1), pytest.approx(0))
    assert good.ci_low < good.shrunk < good.ci_high
    assert good.non_inferior
    assert not bad.non_inferior
    assert good.tokens.ci is not None
    assert good.tokens.ci[0] < (good.tokens.diff or 0) < good.tokens.ci[1]
    unknown = judged({"s0": 0.3}, {"none": 0.001, "none_aa": 0.001})[0]
    assert (unknown.cost, unknown.usd_per_right) == ((None, None), None)


def test_clusters_widen_what_costs_are_said_to_be() -> None:
    frame, made = drawn({"none": 0, "none_aa": 0, "s0": 0.3}, 1, 100)
    number = frame["item"].str.rpartition("-")[2].astype(int)
    frame = frame.assign(cost_usd=0.001 + 0.001 * (frame["arm"] == "s0") * (number // 10), outcome="ok")
    alone, together = (
        stats.supplement(f, made, stats.analyse(f, made)).arms[0].cost.ci for f in (frame, frame.assign(cluster=(number // 10).astype(str)))
    )
    assert alone is not None
    assert together is not None
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_a_failed_model_gets_no_decision_and_a_run_without_repeats_no_table_of_them() -> None:
    frame, made = drawn({"none": 0, "none_aa": 0.3, "s0": 0.1}, 4, 100)
    assert stats.supplement(frame, made, stats.analyse(frame, made)).arms == ()
    frame, made = drawn({"none": 0, "none_aa": 0, "s0": 0.1}, 2, 60)
    found = stats.supplement(frame, made, stats.analyse(frame, made))
    assert (found.repeats, found.swings) == ((), ())


def repeated(made: Plan | None = None) -> stats.Supplement:
    frame, plan = drawn({"none": 0, "none_aa": 0, "s0": 0.2}, 2, 40, repeats=4)
    return stats.supplement(frame, made or plan, stats.analyse(frame, made or plan))


def test_repeats_are_counted_by_item() -> None:
    found = repeated()
    by_arm = {row.arm: row for row in found.repeats}
    assert set(by_arm) == {"none", "none_aa", "s0"}
    base = by_arm["none"]
    assert (base.n_items, base.repeats) == (80, 4)
    assert base.pass_1 == pytest.approx(0.5, abs=0.1)
    assert base.pass_every == pytest.approx((0.25**4 + 0.75**4) / 2, abs=0.1)
    assert base.pass_at == pytest.approx(1 - base.pass_every, abs=0.15)
    assert base.disagree == pytest.approx(2 * 0.25 * 0.75, abs=0.1)
    assert len(found.swings) == stats.SHOWN_SWINGS
    first = found.swings[0]
    assert first.diff == first.right_treatment / first.asked_treatment - first.right_control / first.asked_control
    assert abs(first.shrunk) < abs(first.diff)
    assert first.null_median <= first.null_95
    assert [abs(s.diff) for s in found.swings] == sorted((abs(s.diff) for s in found.swings), reverse=True)


@pytest.fixture(scope="module")
def thrice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thrice")
    stimuli = "emotionprompt/EP02, emotionprompt/EP08, negativeprompt/NP10"
    path = experiment(folder, name="thrice", models="  - sim/planted", stimuli=stimuli, items=40, more="replicates: 3\n")
    run("sweep", str(path), "--runs", str(folder / "runs"))
    [found] = (folder / "runs").glob("thrice-*")
    return found


def said(report: Report) -> str:
    """What a terminal shows of all tables."""
    out = io.StringIO()
    to_text(report, Console(file=out, width=200, force_terminal=True, color_system=None), tasks=True)
    return out.getvalue()


def test_every_format_shows_decision_and_repeats(thrice: Path) -> None:
    report = whole(open_run(thrice))
    told = decisions(report)
    by_line = {line.comparison.treatment: line for line in lines(report)}
    assert {found["row"].treatment for found in told} == set(by_line)
    for found in told:
        line = by_line[found["row"].treatment]
        assert found["decision"] == stats.decided(*KINDS[line.kind]), "the table says what the lines say"
    assert {f["row"].treatment: f["decision"] for f in told}["negativeprompt/NP10"] == "keep the incumbent"
    value = json.loads(to_json(report))
    assert [row["decision"] for row in value["decision"]] == [found["decision"] for found in told]
    assert {"cost", "p_best", "shrunk", "more_items", "because"} <= set(value["decision"][0])
    assert len(value["repeats"]) == len({row["arm"] for row in value["repeats"]})
    assert value["largest_changes"][0]["null_95"] <= 1
    titles = [decision_table(report).title, *(found.title for found in repeat_tables(report))]
    assert len(titles) == 3
    for text in (to_markdown(report), to_html(report), said(report)):
        assert all(title in text for title in titles)


def test_an_unfinished_run_ships_nothing(thrice: Path) -> None:
    report = whole(open_run(thrice))
    early = replace(report, state="interrupted")
    assert {found["decision"] for found in decisions(early)} == {"collect more"}


def test_a_number_of_answers_that_no_item_has_takes_no_time() -> None:
    assert stats.pass_rate([1, 0], [2, 2], 10**12).n_items == 0

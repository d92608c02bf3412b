"""The laws by scipy.special are those of scipy.stats to the bit, and a sweep judges without loading scipy.stats."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from scipy import stats as st
from scipy.stats import false_discovery_control

from promptlab.stats import laws
from promptlab.stats.multiplicity import _adjusted


def test_laws_are_those_of_scipy_stats() -> None:
    rng = np.random.default_rng(0)
    q, x, df = rng.random(2_000), rng.normal(size=2_000) * 6, rng.random(2_000) * 60 + 0.3
    for name in ("ppf", "isf", "sf", "cdf", "pdf"):
        at = q if name in ("ppf", "isf") else x
        assert np.array_equal(getattr(laws.norm, name)(at), getattr(st.norm, name)(at)), name
    assert np.array_equal(laws.norm.pdf(x, 0.3), st.norm.pdf(x, scale=0.3))
    assert np.array_equal(laws.t.ppf(q, df), st.t.ppf(q, df))
    assert np.array_equal(laws.t.sf(x, df), st.t.sf(x, df))
    assert np.array_equal(laws.chi2.ppf(q, 7), st.chi2.ppf(q, 7))
    assert np.array_equal(laws.chi2.isf(q, 7), st.chi2.isf(q, 7))
    assert np.array_equal(laws.chi2.sf(np.abs(x), 7), st.chi2.sf(np.abs(x), 7))
    assert np.isnan(laws.chi2.sf(1.0, 0))
    assert all(laws.at_most(0.99, n, 0.05) == st.binom.ppf(0.99, n, 0.05) for n in range(1, 200))


def test_laws_of_counts_are_those_of_scipy_stats() -> None:
    rng = np.random.default_rng(2)
    n = rng.integers(0, 300, 4_000)
    k, p = rng.integers(-2, n + 3), rng.choice([0.0, 0.5, 1.0, 0.3], 4_000) * rng.choice([1.0, rng.random()], 4_000)
    for name in ("pmf", "cdf", "sf"):
        assert np.array_equal(getattr(laws.binom, name)(k, n, p), getattr(st.binom, name)(k, n, p)), name
    assert np.array_equal(laws.binom.ppf(0.025, n, 0.5), st.binom.ppf(0.025, n, 0.5))
    assert np.array_equal(laws.binom.ppf(0.0004, n, 0.5), st.binom.ppf(0.0004, n, 0.5))
    for count in (1, 6, 40):
        every = np.arange(count + 1)
        assert np.array_equal(laws.betabinom.pmf(every, count, 0.6, 0.7), st.betabinom.pmf(every, count, 0.6, 0.7))
        for right in range(0, 2 * count + 1, 3):
            some = np.arange(max(0, right - count), min(right, count) + 1)
            assert np.array_equal(laws.hypergeom.pmf(some, 2 * count, right, count), st.hypergeom.pmf(some, 2 * count, right, count))


def test_false_discovery_rates_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    for n in (1, 2, 30):
        p = np.round(rng.random(n), 1)  # with ties
        assert np.array_equal(_adjusted(p, "fdr_bh"), false_discovery_control(p, method="bh"))


def test_the_engine_loads_without_scipy_stats() -> None:
    code = "import promptlab.running.sweep, promptlab.reporting.build, sys; assert 'scipy.stats' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

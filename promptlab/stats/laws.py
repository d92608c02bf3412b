"""Laws by scipy.special, to the bit as scipy.stats has them; all else of scipy.stats when it is first used.

Importing scipy.stats takes longer than judging a small run, and each call of its laws a hundred times what the function below it takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from scipy.special import bdtr, betaln, chdtrc, chdtri, gammaincinv, ndtr, ndtri, stdtr, stdtrit


def __getattr__(name: str) -> Any:  # noqa: ANN401 (a law of scipy.stats)
    return getattr(scipy.stats, name)  # which scipy loads now


def _beneath(law: str, name: str) -> Any:  # noqa: ANN401 (a function of arrays)
    """What scipy.stats computes a law of counts with; where scipy keeps it elsewhere, that of scipy.stats."""

    def late(*at: Any) -> Any:  # noqa: ANN401
        return getattr(getattr(scipy.stats, law), name)(*at)

    return getattr(getattr(scipy.special, "_ufuncs", None), f"_{law}_{name}", late)


def at_most(q: float, n: int, p: float) -> int:
    """The smallest count of n trials with probability p whose cumulative chance is at least q."""
    return int(np.argmax(bdtr(np.arange(n + 1.0), n, p) >= q))


class norm:
    """The standard normal law."""

    ppf, cdf = ndtri, ndtr

    @staticmethod
    def sf(x: Any) -> Any:  # noqa: ANN401 (a number or an array)
        return ndtr(-x)

    @staticmethod
    def isf(q: Any) -> Any:  # noqa: ANN401
        return -ndtri(q)

    @staticmethod
    def pdf(x: Any, scale: float = 1.0) -> Any:  # noqa: ANN401
        return np.exp(-((x / scale) ** 2) / 2.0) / np.sqrt(2 * np.pi) / scale


class t:
    """Student's t."""

    @staticmethod
    def ppf(q: Any, df: Any) -> Any:  # noqa: ANN401
        return stdtrit(df, q)

    @staticmethod
    def sf(x: Any, df: Any) -> Any:  # noqa: ANN401
        return stdtr(df, -x)


class chi2:
    """Chi-squared."""

    @staticmethod
    def ppf(q: Any, df: Any) -> Any:  # noqa: ANN401
        return 2 * gammaincinv(df / 2, q)

    sf, isf = staticmethod(lambda x, df: chdtrc(df or np.nan, x)), staticmethod(lambda q, df: chdtri(df, q))


class binom:
    """The binomial law of n trials, each with the chance p; counts `k` are whole numbers, within 0 to n or not."""

    _pmf, _cdf, _sf, _ppf = (staticmethod(_beneath("binom", name)) for name in ("pmf", "cdf", "sf", "ppf"))

    @classmethod
    def pmf(cls, k: Any, n: Any, p: Any) -> Any:  # noqa: ANN401
        return np.where((k >= 0) & (k <= n), np.clip(cls._pmf(np.clip(k, 0, n), n, p), 0, 1), 0.0)

    @classmethod
    def cdf(cls, k: Any, n: Any, p: Any) -> Any:  # noqa: ANN401
        return np.where(k < 0, 0.0, np.where(k >= n, 1.0, np.clip(cls._cdf(np.clip(k, 0, n), n, p), 0, 1)))

    @classmethod
    def sf(cls, k: Any, n: Any, p: Any) -> Any:  # noqa: ANN401
        return np.where(k < 0, 1.0, np.where(k >= n, 0.0, np.clip(cls._sf(np.clip(k, 0, n), n, p), 0, 1)))

    @classmethod
    def ppf(cls, q: Any, n: Any, p: Any) -> Any:  # noqa: ANN401
        return cls._ppf(q, n, p)


class betabinom:
    """The binomial law of n trials whose chance follows Beta(a, b)."""

    @staticmethod
    def pmf(k: Any, n: Any, a: float, b: float) -> Any:  # noqa: ANN401
        ways = -np.log(n + 1) - betaln(n - k + 1, k + 1)
        return np.clip(np.exp(ways + betaln(k + a, n - k + b) - betaln(a, b)), 0, 1)


class hypergeom:
    """How many of `drawn` answers are right, of `total` answers of which `right` are; counts `k` that can be."""

    _pmf = staticmethod(_beneath("hypergeom", "pmf"))

    @classmethod
    def pmf(cls, k: Any, total: int, right: int, drawn: int) -> Any:  # noqa: ANN401
        return np.clip(cls._pmf(k, right, drawn, total), 0, 1)

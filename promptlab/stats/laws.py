"""The normal, t and chi-squared laws by scipy.special, to the bit as scipy.stats has them; all else of scipy.stats when it is first used.

Importing scipy.stats takes longer than judging a small run, and each call of its laws a hundred times what the function below it takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from scipy.special import bdtr, chdtrc, chdtri, gammaincinv, ndtr, ndtri, stdtr, stdtrit


def __getattr__(name: str) -> Any:  # noqa: ANN401 (a law of scipy.stats)
    return getattr(scipy.stats, name)  # which scipy loads now


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

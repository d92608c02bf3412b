"""Rows of the calibration table: what was claimed, how often it was so in simulated runs, and the bound that it must keep."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

R = int(os.environ.get("PROMPTLAB_CALIBRATION", "400"))
WHOLE = R >= 2_000
ROWS = os.environ.get("PROMPTLAB_CALIBRATION_ROWS")
"""A file that takes the rows, one JSON object a line; tools/make_calibration_table.py makes a table of them."""
Kind = Literal["at most", "at least", "wrong"]


def mcse(p: float, n: int = R) -> float:
    """The Monte Carlo standard error of a share of n runs."""
    return math.sqrt(p * (1 - p) / n)


def keep(part: str, what: str, setting: str, seen: Sequence[Any] | np.ndarray, bound: float, kind: Kind = "at most") -> float:
    """Write a row and hold it to its bound: at most it (plus three Monte Carlo errors), at least it (less three in short runs), or, of an
    analysis that is wrong on purpose, above it (plus three).
    """
    share, n = float(np.mean(seen)), len(seen)
    slack = 3 * mcse(bound, n)
    if ROWS:
        with Path(ROWS).open("a", encoding="utf-8") as file:
            row = {"part": part, "what": what, "setting": setting, "share": share, "n": n, "bound": bound, "kind": kind}
            file.write(json.dumps(row) + "\n")
    if kind == "at most":
        assert share <= bound + slack, (what, setting, share)
    elif kind == "at least":
        assert share >= bound - (0 if WHOLE else slack), (what, setting, share)
    else:
        assert share > bound + slack, f"{what}, {setting}: this analysis is wrong and must show it; {share}"
    return share

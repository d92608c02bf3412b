"""Every published golden case of the functions that exist: numbers from R."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import SHARED
from promptlab import stats

pytestmark = pytest.mark.shared
FOLDER = SHARED / "data" / "golden_stats"
CASES = sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []
SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def thaw(value: Any) -> Any:
    if isinstance(value, str):
        return SPECIAL.get(value, value)
    if isinstance(value, list):
        return [thaw(part) for part in value]
    return value


def call(case: dict[str, Any]) -> Any:
    given = {key: thaw(value) for key, value in case["input"].items()}
    if case["function"] != "pair_scores":
        return getattr(stats, case["function"])(**given)
    frame = pd.DataFrame({"item_id": given["item"], "arm": given["arm"], "repeat": given["repeat_id"], "score": given["score"]})
    return stats.pair_scores(frame, "stim", "none", strict=False)


def agree(got: Any, expected: Any, tolerance: dict[str, Any], where: str) -> None:
    expected = thaw(expected)
    if expected is None:
        assert got is None, where
    elif isinstance(expected, dict):
        for key, part in expected.items():
            agree(getattr(got, key), part, tolerance, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), where
        for i, (g, e) in enumerate(zip(got, expected, strict=True)):
            agree(g, e, tolerance, f"{where}[{i}]")
    elif isinstance(expected, bool | str):
        assert got == expected, where
    elif math.isnan(expected):
        assert math.isnan(got), where
    elif math.isinf(expected):
        assert got == expected, where
    else:
        leaf = re.sub(r"\[\d+\]", "", where)
        rule = tolerance.get(leaf.rpartition(".")[2], tolerance.get(leaf.partition(".")[0], tolerance["default"]))
        assert abs(got - expected) <= max(rule.get("abs", 0.0), rule.get("rel", 0.0) * abs(expected)), f"{where}: {got} is not {expected}"


@pytest.mark.long(but=37)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden_case(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    if case["function"] == "glmm_logit":
        pytest.importorskip("gpboost", reason="the extra glmm is not installed")
    result = call(case)
    for key, expected in case["expected"].items():
        if key == "paired_items":
            assert list(result.paired_items) == expected
            continue
        agree(getattr(result, key), expected, case["tolerance"], key)


def test_cases_are_there() -> None:
    if not FOLDER.is_dir():
        pytest.skip("no golden folder")
    assert len(CASES) >= 70

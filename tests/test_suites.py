"""Official minus twin: the interval against published values, and the rows of two runs side by side."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats as st

import runs
from promptlab.sources.official import files as official
from promptlab.stats.intervals import unpaired_difference


def share(n_right: int, n: int) -> list[float]:
    return [1.0] * n_right + [0.0] * (n - n_right)


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17, 873-890, Table II, method 10
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 10, 0.6075, 1.0),
        (0, 10, 0, 20, -0.1611, 0.2775),
    ],
)
def test_newcombe_1998(a: int, m: int, b: int, n: int, low: float, high: float) -> None:
    found = unpaired_difference(share(a, m), share(b, n))
    assert found.ci == pytest.approx((low, high), abs=6e-5)
    assert found.diff == pytest.approx(a / m - b / n)


def test_graded_scores_get_welch() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random(30), rng.random(50) * 0.8
    found = unpaired_difference(x, y)
    expected = st.ttest_ind(x, y, equal_var=False).confidence_interval()
    assert found.ci == pytest.approx((expected.low, expected.high))
    assert found.method == "Welch"


def test_clusters_widen_the_interval() -> None:
    x = [0.0] * 10 + [1.0] * 10
    single = unpaired_difference(x, x)
    clustered = unpaired_difference(x, x, [n // 5 for n in range(20)], None)
    assert clustered.ci is not None
    assert single.ci is not None
    assert clustered.ci[1] - clustered.ci[0] > 1.5 * (single.ci[1] - single.ci[0])
    # Four clusters of five with means 0, 0, 1, 1: the variance of a mean of four.
    errors = math.sqrt(sum(0.5**2 for _ in range(4)) / (4 * 3)), math.sqrt(0.25 / 19)
    assert clustered.se == pytest.approx(math.hypot(*errors))


def test_without_variation_there_is_no_interval_of_clusters() -> None:
    found = unpaired_difference([0.5, 0.5], [0.25, 0.25])
    assert (found.diff, found.ci) == (0.25, None)
    with pytest.raises(ValueError, match="at least one score"):
        unpaired_difference([], [1.0])


@pytest.mark.long
def test_two_runs_side_by_side(tmp_path: Path, shared: Path) -> None:
    official.import_from(shared / "data")
    for suite in ("twin", "official"):
        path = runs.experiment(tmp_path, name=suite, tasks="sum, snarks, ruin_names", items=40)
        path.write_text(path.read_text(encoding="utf-8").replace("suite: twin", f"suite: {suite}"), encoding="utf-8")
        done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"))
        assert done.returncode == 0, done.stderr
    folders = {folder.name.rsplit("-", 1)[0]: folder for folder in (tmp_path / "runs").iterdir()}
    assert "Official minus twin" in runs.run("report", str(folders["official"]), "--tasks").stdout
    values = {suite: json.loads(runs.run("report", str(folder), "--format", "json").stdout) for suite, folder in folders.items()}
    rows = {suite: value["official_minus_twin"] for suite, value in values.items()}
    assert [row["task"] for row in rows["official"]] == ["sum", "snarks", "ruin_names", None]
    for mine, theirs in zip(rows["official"], rows["twin"], strict=True):
        assert mine["diff"] == pytest.approx(theirs["diff"]), "either run tells the same"
        assert mine["diff"] == pytest.approx(mine["official"] - mine["twin"])
        assert mine["ci_low"] <= mine["diff"] <= mine["ci_high"]
    assert rows["official"][-1]["diff"] == pytest.approx(sum(row["diff"] for row in rows["official"][:-1]) / 3)
    text = runs.run("report", str(folders["official"]), "--format", "markdown").stdout
    assert "## Official minus twin" in text
    other = runs.experiment(tmp_path, name="alone", tasks="sum", items=10, more="").read_text(encoding="utf-8")
    (tmp_path / "alone.yaml").write_text(other.replace("temperature: 0", "temperature: 1"), encoding="utf-8")
    done = runs.run("sweep", str(tmp_path / "alone.yaml"), "--runs", str(tmp_path / "runs"))
    [alone] = (tmp_path / "runs").glob("alone-*")
    assert done.returncode == 0, done.stderr
    assert "Official minus twin" not in runs.run("report", str(alone), "--tasks").stdout, "another temperature is another model"

"""Scores of whole tasks, against sums done by hand, and against scikit-learn's definitions in words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import runs
from promptlab.cli import app
from promptlab.planning.resolve import resolve
from promptlab.reporting.aggregates import aggregate_table
from promptlab.stats import aggregates as of
from test_judges import sweep

SAID, GOLD = ["a", "a", "b", "b", "c", "x"], ["a", "b", "b", "b", "c", "c"]
LABELS = st.lists(st.tuples(st.sampled_from("abcx"), st.sampled_from("abc")), min_size=1, max_size=30)


def test_f1_by_hand() -> None:
    macro, weighted = of.f1(SAID, GOLD)
    each = {"a": 2 * 1 / (2 + 1), "b": 2 * 2 / (2 + 3), "c": 2 * 1 / (1 + 2)}
    assert macro == pytest.approx(sum(each.values()) / 3)
    assert weighted == pytest.approx((each["a"] * 1 + each["b"] * 3 + each["c"] * 2) / 6)


@settings(derandomize=True, deadline=None)
@given(LABELS)
def test_f1_lies_from_0_to_1_and_is_1_only_where_all_is_right(pairs: list[tuple[str, str]]) -> None:
    said, gold = zip(*pairs, strict=True)
    for value in of.f1(said, gold):
        assert 0 <= value <= 1
        assert (value == 1) == (said == gold)


def test_numbers_texts_and_calibration() -> None:
    assert of.mean_absolute_error([1, 2, 4], [1, 3, 2]) == 1
    assert of.correlation([1, 2, 3], [2, 4, 6.5]) == pytest.approx(np.corrcoef([1, 2, 3], [2, 4, 6.5])[0, 1])
    assert of.correlation([1, 2, 3], [1, 4, 9], ranks=True) == pytest.approx(1)
    assert math.isnan(of.correlation([1, 1], [1, 2]))
    assert of.calibration_error([0.9, 0.9, 0.1, 0.1], [1, 0, 0, 0]) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
    assert of.calibration_error([1.0, 0.0], [1, 0]) == 0
    assert of.distinct_n(["the cat sat", "the cat ran"], 2) == pytest.approx(3 / 4)
    assert of.bias_of_labels(["a", "b"], ["a", "b"]) == 0
    with pytest.raises(ValueError, match="one value for each item"):
        of.f1(["a"], [])


def test_arms_are_resampled_together_and_by_cluster() -> None:
    rng = np.random.default_rng(1)
    gold = [str(label) for label in rng.integers(0, 3, 120)]
    wrong = rng.random(120) < 0.4
    base = [g if not w else "9" for g, w in zip(gold, wrong, strict=True)]
    arms = {"said": gold, "gold": gold}, {"said": base, "gold": gold}
    measure = lambda c: of.f1(c["said"], c["gold"])[0]  # noqa: E731
    found = of.paired_bootstrap(measure, *arms)
    assert found.ci_low < found.diff < found.ci_high
    assert found.ci_low > 0
    same = of.paired_bootstrap(measure, arms[1], arms[1])
    assert (same.diff, same.ci_low, same.ci_high) == (0, 0, 0)
    wide = of.paired_bootstrap(measure, *arms, clusters=[str(i // 12) for i in range(120)])
    assert wide.n_units == 10
    with pytest.raises(ValueError, match="at least two"):
        of.paired_bootstrap(measure, *arms, clusters=["one"] * 120)


def test_of_a_run_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "RESAMPLES", 50)
    path = runs.experiment(tmp_path, tasks="sentiment, sum", models="  - sim/planted", items=30)
    _, run = sweep(resolve(path), tmp_path, "runs")
    found = aggregate_table(run).frame
    assert {"macro F1", "weighted F1", "preference bias"} == set(found[found["task"] == "sentiment"]["measure"])
    assert set(found["arm"]) >= {"no added text, again", "emotionprompt/EP02"}
    done = CliRunner().invoke(app, ["scores", str(run.folder), "--aggregate"])
    assert done.exit_code == 0, done.output
    assert "macro F1" in done.output


def test_whole_prompts_stand_next_to_the_incumbent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two prompts have one arm, `none`: their answers are two sides, and never one."""
    monkeypatch.setattr(of, "RESAMPLES", 50)
    path = tmp_path / "two.yaml"
    path.write_text(
        """name: two
question: Which prompt?
suite: twin
tasks: [sentiment]
models: [sim/mine]
prompts: {new: "Say it. {input}", old: "Positive or negative? {input}"}
incumbent: old
items: 40
simulators: {mine: {accuracy: 0.5, flip_rate: 0, effects: [{points: 50, when: {prompt: new}}]}}
""",
        encoding="utf-8",
    )
    _, run = sweep(resolve(path), tmp_path, "runs")
    frame = aggregate_table(run).frame
    f1 = frame[frame["measure"] == "macro F1"].set_index("arm")
    assert set(f1.index) == {"new", "old, again"}
    trials = run.trials()
    gold = {str(row["item"]): row["targets"][0] for row in run.each_item()}
    for arm, column, prompt in (("new", "arm's", "new"), ("new", "baseline's", "old")):
        mine = trials[(trials["base_prompt"] == prompt) & (trials["arm"] == "none")]
        by_hand = of.f1([str(text) for text in mine["extracted"]], [gold[str(item)] for item in mine["item"]])[0]
        assert f1.loc[arm, column] == f"{by_hand:.3f}"
    assert "nan" not in " ".join(map(str, frame.to_numpy().ravel()))
    done = CliRunner().invoke(app, ["show", "run", str(run.folder)])
    assert "old, new, old (a second time)" in done.output

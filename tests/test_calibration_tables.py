"""The same error rates seen from outside: a table of scores is imported, and its run judged as the report judges it, draw after draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calibrated import WHOLE, R, keep
from promptlab.importers import Options, bring
from promptlab.nouns import Comparison
from promptlab.record.store import Run
from promptlab.reporting import build, pair
from promptlab.stats import analyse

pytestmark = pytest.mark.calibration
PART = "Through a table"
SENTENCES = 20
"""Arms of one table that are judged; they share a baseline."""
Arms = Mapping[str, np.ndarray]
"""Scores by arm: tasks by items by repeats, NaN where an answer is lost."""


def imported(folder: Path, first: Arms, clusters: np.ndarray | None = None) -> tuple[Run, Callable[[Arms], pd.DataFrame]]:
    """The run that a file with these scores becomes, and its trials with other scores."""
    task, item, repeat = (x.ravel() for x in np.indices(first["none"].shape))
    frame = pd.concat([
        pd.DataFrame({
            "task": np.char.add("t", task.astype(str)), "item": item, "arm": arm, "repeat": repeat, "score": scores.ravel(),
            **({} if clusters is None else {"cluster": clusters[item]}),
        })
        for arm, scores in first.items()
    ])  # fmt: skip
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    placebos = tuple(arm for arm in first if arm.startswith("p"))
    done = bring([path], folder / "runs", Options(kind="table", baseline="none", placebos=placebos, columns={n: n for n in frame}))
    run = Run(done.folder)
    trials, plan = run.trials(), run.plan
    names = {name: i for i, name in enumerate(first)}
    imported = {arm.name: names[arm.imported_as or arm.name] for arm in plan.arms}
    at = (trials["arm"].map(imported).astype(int), trials["task"].str[1:].astype(int), trials["item"].astype(int), trials["replicate"])

    def scored(arms: Arms) -> pd.DataFrame:
        return trials.assign(score=np.array(list(arms.values()), dtype=float)[tuple(np.asarray(x) for x in at)])

    return run, scored


def judged(folder: Path, draw: Callable[[], Arms], clusters: np.ndarray | None = None) -> list[Comparison]:
    """The comparisons of R sentences. The first table is imported as a file; the others are new scores in the same run."""
    run, scored = imported(folder, draw(), clusters)
    found = [c for c in build(run).comparisons if c.scope == "stimulus"]
    while len(found) < R:
        found += [c for c in analyse(scored(draw()), run.plan) if c.scope == "stimulus"]
    return found


def claimed(c: Comparison) -> bool:
    """Whether a comparison would be a finding before any correction."""
    return c.status != "too_few_clusters" and c.verdict != "refused" and c.p_value is not None and c.p_value <= 0.05


@pytest.mark.long
@pytest.mark.parametrize(("k", "n"), [(1, 150), (6, 25), (6, 40), (1, 220)] if WHOLE else [(6, 25)])
def test_few_changes_at_the_margin_are_rarely_called_the_same(k: int, n: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([1, k, n])

    def draw() -> Arms:
        b = rng.random((k, n, 1)) < 0.5
        return {"none": b.astype(int), **{f"s{i}": (b | (rng.random(b.shape) < 0.02 / 0.5)).astype(int) for i in range(SENTENCES)}}

    found = judged(tmp_path, draw)
    if k > 1:  # one task is judged by the margin of a task, 5 points
        same = [c.p_tost is not None and c.p_tost <= 0.05 for c in found]
        keep(PART, "'same' within 2 points where the truth is +2, all gains", f"{k} x {n}", same, 0.05)
    covers = [c.ci_low is not None and c.ci_high is not None and c.ci_low <= 0.02 <= c.ci_high for c in found]
    keep(PART, "interval covers +2, all gains", f"{k} x {n}", covers, 0.92, "at least")  # they share baselines


@pytest.mark.long
@pytest.mark.parametrize("rate", [0.043, 0.088] if WHOLE else [0.088])
def test_answers_that_one_side_loses(rate: float, tmp_path: Path) -> None:
    rng = np.random.default_rng([2, int(1000 * rate)])

    def draw() -> Arms:
        p = rng.beta(0.7, 0.7, (1, 100, 1))
        arms = {arm: (rng.random((1, 100, 3)) < p).astype(float) for arm in ("none", *(f"s{i}" for i in range(SENTENCES)))}
        for arm, scores in arms.items():
            scores[(scores == 0) & (rng.random(scores.shape) < 2 * rate) & (arm != "none")] = np.nan
        return arms

    helps = [c.verdict == "helps" for c in judged(tmp_path, draw)]
    keep(PART, "false gain, wrong answers of the treatment lost", f"{100 * rate:.1f} % lost", helps, 0.05)


SIZES = {"3": [30] * 3, "10": [10] * 10, "10 of 2 to 32 items": [2, 2, 4, 4, 6, 8, 10, 12, 20, 32]}


@pytest.mark.parametrize("words", SIZES if WHOLE else ["10 of 2 to 32 items"])
def test_clusters(words: str, tmp_path: Path) -> None:
    codes = np.repeat(np.arange(len(SIZES[words])), SIZES[words])
    rng = np.random.default_rng([3, *SIZES[words]])

    def draw() -> Arms:
        arms = ("none", *(f"s{i}" for i in range(SENTENCES)))
        shifts = {arm: rng.normal(0, 0.14, (1, codes.max() + 1, 1))[:, codes] for arm in arms}
        return {arm: (rng.random((1, len(codes), 1)) < 0.5 + shifts[arm]).astype(int) for arm in arms}

    found = judged(tmp_path, draw, np.char.add("g", codes.astype(str)))
    keep(PART, "false finding, items in clusters", words, [claimed(c) for c in found], 0.05)
    if codes.max() < 9:
        assert {(c.verdict, c.status) for c in found} == {("unclear", "too_few_clusters")}


@pytest.mark.long
def test_compare_knows_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two arms of a run by `promptlab compare`: no verdict, and a p-value that clusters cannot fool."""
    codes = np.repeat(np.arange(10), SIZES["10 of 2 to 32 items"])
    rng = np.random.default_rng(7)

    def draw() -> Arms:
        p = {arm: 0.5 + rng.normal(0, 0.14, (2, 10, 1))[:, codes] for arm in ("none", *(f"s{i}" for i in range(SENTENCES)))}
        return {arm: (rng.random(of.shape) < of).astype(int) for arm, of in p.items()}

    run, scored = imported(tmp_path, draw(), np.char.add("g", codes.astype(str)))
    whole = pair.paired(run, run, "none", "s0")
    trials, items = run.trials(), run.items()
    for name, value in {"plan": run.plan, "items": lambda _: items}.items():
        monkeypatch.setattr(Run, name, value)  # the same for every draw, and reading it takes most of the time
    sides = [pair.side_of(run, None, arm, None) for arm in ("none", *(f"s{i}" for i in range(SENTENCES)))]

    def p_of(side: pair.Side, trials: pd.DataFrame) -> float | None:
        kept = trials[trials["arm"].isin([sides[0].arm, side.arm])]
        monkeypatch.setattr(pair, "_judging", lambda _: kept)
        return pair.compare(run, sides[0], run, side).rows[-1].p_value

    assert p_of(sides[1], trials) == whole.rows[-1].p_value, "what is left out here changes nothing"
    small: list[bool] = []
    while len(small) < R:
        trials = scored(draw())
        small += [(p := p_of(side, trials)) is not None and p <= 0.05 for side in sides[1:]]
    keep(PART, "compare: p at most .05, items in clusters", "2 tasks, 10 of 2 to 32 items", small, 0.05)


@pytest.mark.long
def test_a_sentence_like_its_five_placebos(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)

    def draw() -> Arms:
        p = rng.beta(2, 2, (4, 40, 1))
        arms = ("none", *(f"s{i}" for i in range(SENTENCES)), *(f"p{i}" for i in range(5)))
        return {arm: (rng.random(p.shape) < np.clip(p + (arm != "none") * rng.normal(0, 0.02), 0, 1)).astype(int) for arm in arms}

    found = [c for c in judged(tmp_path, draw) if c.control == "placebo"]
    beyond = [
        c.ci_neutral_low is not None and c.ci_neutral_high is not None and not c.ci_neutral_low <= 0 <= c.ci_neutral_high for c in found
    ]
    keep(PART, "beyond neutral sentences like these, where sentences differ by 2 points", "4 x 40, 5 placebos", beyond, 0.05)

"""Sweeps that look before the end: error rates over all looks, arms that stop, what is not sent, and a resume that decides the same."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.design.cross import trials
from promptlab.nouns.errors import FileProblems
from promptlab.planning.calibrate import calibrate
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.reporting import build
from promptlab.reporting.formats import to_markdown
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.stats import Looks, analyse, group_sequential_boundaries, look_plan
from promptlab.stats.power import expected_share, planned_drift, repeated_p

FOUR = (0.25, 0.5, 0.75, 1.0)
EXPERIMENT = """
name: looks
question: Does any of these sentences help?
tasks: [sum, antonyms, larger_animal]
models: [sim/planted]
stimuli: [emotionprompt/EP02, emotionprompt/EP03]
controls: {per_stimulus: 1}
items: 80
seed: 3
"""


def study(folder: Path, looks: int | None = 4, text: str = EXPERIMENT) -> Study:
    path = folder / "looks.yaml"
    path.write_text(text, encoding="utf-8")
    return resolve(path, looks)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.05 / 11, 0.2])
def test_a_repeated_p_is_the_level_whose_boundary_is_just_reached(alpha: float) -> None:
    bounds = group_sequential_boundaries(4, alpha)
    for look, z in enumerate(bounds.z):
        assert repeated_p(z, FOUR, look) == pytest.approx(alpha, rel=2e-3)
        assert repeated_p(-z - 0.01, FOUR, look) < alpha < repeated_p(z - 0.01, FOUR, look)
    assert repeated_p(0.0, FOUR, 1) == 1.0
    assert repeated_p(1.5, (1.0,), 0) == pytest.approx(0.133614, abs=1e-6)
    assert repeated_p(40.0, FOUR, 3) == pytest.approx(1e-7, rel=1e-3)


def test_a_repeated_p_holds_whatever_ends_the_looking_and_a_plain_one_does_not() -> None:
    n = 20_000
    steps = np.random.default_rng(5).normal(0, 0.5, (n, 4)).cumsum(axis=1)
    z = steps / np.sqrt(FOUR)
    smallest = np.array([[repeated_p(float(v), FOUR, look) for look, v in enumerate(row)] for row in z[:2000]]).min(axis=1)
    for level in (0.05, 0.01):
        share = float((smallest <= level).mean())
        assert share <= level + 3 * np.sqrt(level * (1 - level) / 2000)
    assert float((smallest <= 0.05).mean()) >= 0.035  # all of the level is used
    peeking = (np.abs(z) >= 1.959964).any(axis=1).mean()
    assert peeking > 0.10


def test_what_looks_save_and_cost() -> None:
    for times, low, high, least in ((0.0, 0.80, 0.90, 0.03), (1.0, 0.68, 0.84, 0.77), (2.0, 0.3, 0.6, 0.99)):
        asked, power = expected_share(FOUR, 0.05, times * planned_drift(0.05), 0.10)
        assert low < asked < high
        assert least < power
    assert expected_share(FOUR, 0.05, 0.0, 0.10)[1] <= 0.052
    assert expected_share((1.0,), 0.05, planned_drift(0.05), 0.10) == pytest.approx((1.0, 0.80), abs=0.01)


def test_looks_lie_where_the_plan_puts_them_whatever_the_tasks_hold(tmp_path: Path) -> None:
    found = look_plan([100, 20, 50], 6, 4)
    assert [look.items for look in found] == [(25, 20, 25), (50, 20, 50), (75, 20, 50), (100, 20, 50)]
    assert [look.order for look in found] == [70 * 6, 120 * 6, 145 * 6, 170 * 6]
    whole = 1 / 100 + 1 / 20 + 1 / 50
    assert found[0].fraction == pytest.approx(whole / (1 / 25 + 1 / 20 + 1 / 25))
    assert found[-1].fraction == 1.0
    made = study(tmp_path)
    for look in make_plan(made).looks:
        before = [t for t in trials(made.design) if t.order < look.order]
        assert len({(t.task, t.item.id) for t in before}) == sum(look.items)
        assert len(before) == look.order
        assert list(trials(made.design, 0, look.order)) == before
    assert [t.order for t in trials(made.design, 37, 1203)] == list(range(37, 1203))
    assert list(trials(made.design, 500)) == list(trials(made.design))[500:]


def test_only_an_experiment_with_looks_has_another_id_and_too_many_looks_are_refused(tmp_path: Path) -> None:
    plain = study(tmp_path, None)
    assert make_plan(plain).looks == ()
    assert "looks" not in json.dumps(plain.experiment.canonical()["analysis"])
    asked = study(tmp_path, 4)
    assert asked.run_id != plain.run_id
    said = study(tmp_path, None, EXPERIMENT + "analysis: {looks: 4}\n")
    assert said.run_id == asked.run_id
    assert study(tmp_path, 4, EXPERIMENT + "analysis: {looks: 3}\n").experiment.analysis.looks == 3
    with pytest.raises(FileProblems, match="5 looks need at least 100 items"):
        study(tmp_path, None, EXPERIMENT + "analysis: {looks: 5}\n")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Run]:
    folder = tmp_path_factory.mktemp("looks")
    made = study(folder)
    done = run_sweep(made, folder / "runs", None, Execution(32), lambda _: None)
    assert done.state == "complete"
    return made, Run(done.folder)


@pytest.mark.long
def test_an_arm_that_stops_is_not_asked_again_and_neither_are_its_placebos(swept: tuple[Study, Run]) -> None:
    _, run = swept
    looks = Looks.thawed(run.plan, run.looks)
    trials_, plan = run.trials(), run.plan
    ended = {row.treatment: row for row in looks.rows if row.stops}
    assert ended["emotionprompt/EP02"].decision == "efficacy"  # sim/planted moves it by far
    assert ended["emotionprompt/EP03"].decision == "futility"
    for name, row in ended.items():
        per_task = trials_[trials_["arm"] == name].groupby("task")["item"].nunique().tolist()
        assert per_task == list(plan.looks[row.look].items)
    last = max(row.look for row in ended.values())
    for arm in ("none", "none_aa"):
        assert trials_[trials_["arm"] == arm]["order"].max() < plan.looks[last].order
        assert trials_[trials_["arm"] == arm].groupby("task")["item"].nunique().tolist() == list(plan.looks[last].items)
    first, second = (plan.placebos_of[name] for name in ("emotionprompt/EP02", "emotionprompt/EP03"))
    for arm in {*first, *second}:
        until = max(ended[n].look for n, of in (("emotionprompt/EP02", first), ("emotionprompt/EP03", second)) if arm in of)
        assert trials_[trials_["arm"] == arm].groupby("task")["item"].nunique().tolist() == list(plan.looks[until].items)
    counts = run.manifest.counts
    assert counts.done + counts.skipped == counts.planned == plan.counts.trials
    report = build(run)
    assert report.saved is not None
    assert report.saved.n_trials == counts.skipped
    cost = float(trials_["cost_usd"].mean())
    assert report.saved.usd == pytest.approx(cost * counts.skipped, rel=0.2)


def test_verdicts_stand_on_the_items_of_their_look_and_say_so(swept: tuple[Study, Run]) -> None:
    _, run = swept
    report = build(run)
    looks = Looks.thawed(run.plan, run.looks)
    ended = {row.treatment: row for row in looks.rows if row.stops}
    for c in report.of("stimulus"):
        row = ended[c.treatment]
        assert (c.n_pairs, c.n_missing) == (sum(run.plan.looks[row.look].items), 0)
        assert f"interim analysis {row.look + 1} of 4" in c.sentence
        assert "biased" in c.sentence
    helps = next(c for c in report.of("stimulus") if c.treatment == "emotionprompt/EP02" and c.control == "placebo")
    assert helps.verdict == "helps"
    assert helps.p_value is not None
    assert helps.p_value == pytest.approx(ended["emotionprompt/EP02"].p)
    assert helps.ci_low is not None
    assert helps.ci_low > 0
    assert all(c.verdict == "refused" and c.diff is not None for c in report.of("cell"))
    assert {c.status for c in report.of("cell")} == {"not_planned"}
    assert all("first of these sentences" in c.sentence for c in report.of("primary"))
    text = to_markdown(report)
    assert "stops: boundary passed" in text
    assert "trials were not sent" in text
    fixed = analyse(run.trials()[run.trials()["order"] < run.plan.looks[0].order], run.plan, looks.rows)
    assert {c.scope for c in fixed} == {c.scope for c in report.comparisons}


def test_an_interrupted_sweep_goes_on_to_the_same_decisions(swept: tuple[Study, Run], tmp_path: Path) -> None:
    made, run = swept
    third = run.plan.looks[1].order
    interrupted = False

    def interrupt(progress: Any) -> None:
        nonlocal interrupted
        if progress.n_done >= third - 100 and not interrupted:
            interrupted = True
            os.kill(os.getpid(), signal.SIGINT)

    first = run_sweep(made, tmp_path / "runs", None, Execution(32), interrupt)
    assert first.state == "interrupted"
    assert Run(first.folder).looks["looks"]
    done = run_sweep(made, tmp_path / "runs", None, Execution(32), lambda _: None)
    assert done.state == "complete"
    again = Run(done.folder)
    assert again.looks == run.looks
    columns = ["trial", "arm", "item", "score"]
    assert again.trials()[columns].equals(run.trials()[columns])


def test_a_look_on_missing_answers_decides_nothing_and_is_taken_again(swept: tuple[Study, Run]) -> None:
    _, run = swept
    frame = run.trials()
    holes = frame.assign(score=frame["score"].where(~((frame["arm"] == "emotionprompt/EP02") & (frame.index % 5 == 0))))
    looks = Looks(run.plan)
    looks.decide(holes, 0)
    assert {row.treatment: row.decision for row in looks.rows}["emotionprompt/EP02"] == "undecided"
    assert looks.decide(frame, 0)
    assert len(looks.rows) == 2
    assert "undecided" not in {row.decision for row in looks.rows}
    assert looks.decide(frame, 0) == []


@pytest.mark.long
def test_a_design_with_looks_errs_no_more_than_it_promises(tmp_path: Path) -> None:
    text = EXPERIMENT.replace("items: 80", "items: 60").replace("[sum, antonyms, larger_animal]", "[sum, antonyms]")
    found = calibrate(study(tmp_path, 3, text), 25, 0.15, 0.6, 0.3, lambda *_: None)
    assert [f.family for f in found.families if f.false.low > 0.05] == []
    assert found.asked < 0.97
    assert found.found.share > 0.3

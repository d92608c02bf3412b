"""The gate: exit codes, reports for machines, and error rates on tables with a known loss."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import promptlab
from promptlab.nouns import ArmRef, Plan, UsageProblem
from promptlab.record.store import Run
from promptlab.reporting import build
from promptlab.reporting import gate as gates
from promptlab.reporting.gate import gate, to_junit, to_markdown, worst
from promptlab.stats.noninferior import NonInferiority, items_of_gate, non_inferiority
from runs import run


def table(path: Path, rng: np.random.Generator, n: int, loss: float, base: float = 0.8, changed: float = 0.1) -> Path:
    """A table of results of two arms on n items: the new arm loses `loss` and changes this share of the answers."""
    right = rng.random(n) < base
    down, up = (changed + loss) / 2 / base, (changed - loss) / 2 / (1 - base)
    new = np.where(right, rng.random(n) >= down, rng.random(n) < up)
    rows = [{"item": f"i{i}", "arm": arm, "score": int(score)} for i in range(n) for arm, score in (("none", right[i]), ("new", new[i]))]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def imported(tmp_path: Path, loss: float, n: int = 800, seed: int = 1) -> Path:
    file = table(tmp_path / "t.csv", np.random.default_rng(seed), n, loss)
    done = run("import", str(file), "--baseline", "none", "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    return next((tmp_path / "runs").iterdir())


def test_pass_fail_and_not_enough_have_their_own_codes(tmp_path: Path) -> None:
    for name, loss, n, code in (("a", 0.0, 2000, 0), ("b", 0.08, 2000, 5), ("c", 0.0, 60, 3)):
        (tmp_path / name).mkdir()
        folder = imported(tmp_path / name, loss, n)
        done = run("gate", str(folder), "--margin", "2")
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout.split(":")[0] == {0: "PASS", 5: "FAIL", 3: "NOT ENOUGH DATA"}[code]
        again = run("gate", str(folder), "--margin", "2", "--json")
        [line] = again.stdout.strip().split("\n")
        assert json.loads(line)["outcome"] == {0: "pass", 5: "fail", 3: "not enough data"}[code]


def test_reports_for_machines(tmp_path: Path) -> None:
    folder = imported(tmp_path, 0.08, 2000)
    done = run("gate", str(folder), "--margin", "2", "--summary", str(tmp_path / "s.md"), "--junit", str(tmp_path / "sub" / "j.xml"))
    assert done.returncode == 5
    assert "| new |" in (tmp_path / "s.md").read_text(encoding="utf-8")
    suite = ElementTree.parse(tmp_path / "sub" / "j.xml").getroot()
    assert suite.attrib["failures"] == "1"
    assert suite.find("testcase/failure") is not None


def test_a_file_is_run_first_and_costs_count(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(
        "name: g\nquestion: q?\ntasks: [sentiment]\nmodels: [sim/null]\nstimuli: [emotionprompt/EP02]\n"
        "controls: {placebos: [], no_placebo_reason: a gate}\nitems: 40\n",
        encoding="utf-8",
    )
    done = run("gate", str(file), "--margin", "90", "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SIMULATED PASS" in done.stdout
    dearer = run("gate", str(file), "--margin", "90", "--runs", str(tmp_path / "runs"), "--max-cost-increase", "1")
    assert dearer.returncode == 5
    assert "cost of an answer rises by more than 1 %" in dearer.stdout


def test_names_that_are_not_one_arm_are_told(tmp_path: Path) -> None:
    folder = promptlab.run("experiments/quickstart.yaml", runs=tmp_path, progress=False).folder
    with pytest.raises(UsageProblem, match="4 arms besides the incumbent"):
        gate(Run(folder), None)
    with pytest.raises(UsageProblem, match="no arm 'EP2'"):
        gate(Run(folder), "EP2")
    [found] = gate(Run(folder), "negativeprompt/NP10", margin=2)
    assert (found.outcome, worst([found])) == ("fail", "fail")
    assert "SIMULATED" in to_markdown([found])
    ElementTree.fromstring(to_junit([found]))


def frame_of(plan: Plan, sides: dict[str, np.ndarray], outcomes: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({
            "model": plan.models[0].name, "setting": plan.settings[0].id, "task": plan.tasks[0].name, "base_prompt": "as given",
            "item": [f"i{i}" for i in range(len(score))], "arm": arm, "score": score.astype(float),
            "outcome": outcomes.get(arm, "ok"), "replicate": 0,
        })
        for arm, score in sides.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_an_incumbent_whose_answers_were_cut_lets_nothing_pass(tmp_path: Path) -> None:
    n, rng = 800, np.random.default_rng(5)
    plan = Run(imported(tmp_path, 0.0, n)).plan
    right, cut = rng.random(n) < 0.9, rng.random(n) < 0.3
    arm, base = ([ArmRef(model=plan.models[0].name, setting=plan.settings[0].id, arm=name)] for name in ("new", "none"))
    for new, outcome in ((right & (rng.random(n) > 0.15), "not enough data"), (right, "pass")):
        trials = frame_of(plan, {"none": right & ~cut, "new": new}, {"none": np.where(cut, "truncated", "ok")})
        found = non_inferiority(trials, plan, arm, base, margin=0.05)
        assert found.low is not None
        assert found.low > -0.05
        assert (found.outcome, "cut, empty or refused" in found.why) == (outcome, outcome != "pass")


def test_what_the_report_would_not_judge_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of = Run(imported(tmp_path, 0.0, 2000))
    report = build(run_of)
    assert gate(run_of, None, margin=5)[0].outcome == "pass"
    failed = replace(report, comparisons=tuple(replace(c, status="judge_failed", verdict="refused") for c in report.comparisons))
    monkeypatch.setattr(gates, "build", lambda _: failed)
    [found] = gate(run_of, None, margin=5)
    assert (found.outcome, found.why) == ("not enough data", "the judge failed a control, so its scores say nothing")
    monkeypatch.setattr(gates, "build", lambda _: replace(report, standings=(), state="incomplete"))
    [found] = gate(run_of, "new", margin=5)
    assert (found.outcome, found.why) == ("not enough data", "the run is incomplete, and no other arm has an answer")
    old = report.trials.assign(older=np.where(report.trials["arm"] == "none", "earlier-1", None))
    monkeypatch.setattr(gates, "build", lambda _: replace(report, trials=old))
    [found] = gate(run_of, None, margin=5)
    assert "0 of 2,000 answers of the arm and 2,000 of 2,000 of the incumbent are from earlier runs" in found.words
    assert "a change of the model since then counts" in to_markdown([found])


@pytest.mark.parametrize("name", ["]]>&<\x00\x1b[2J\ufffe", "a\"b' | c\nd", "\ud800\uffff", "<!--{{x}}-->"])
def test_hostile_names_leave_reports_for_machines_well_formed(name: str) -> None:
    quality = NonInferiority(
        outcome="not enough data", diff=None, low=None, high=None, margin=0.05, alpha=0.05, n_items=0, n_tasks=0, why=name,
    )  # fmt: skip
    hostile = gates.Gated(
        run=name, model=name, simulated=True, arm=name, incumbent=name, outcome=gates.OPEN, quality=quality, cost_increase=None,
        max_cost_increase=None, why=name, age=name,
    )  # fmt: skip
    case = ElementTree.fromstring(to_junit([hostile]).encode("utf-8", "replace")).find("testcase")
    assert case is not None
    assert case.find("error") is not None
    assert len([line for line in to_markdown([hostile]).splitlines() if line.startswith("| ")]) == 3


def test_the_items_of_a_gate_are_those_of_its_own_bounds() -> None:
    assert [items_of_gate(c, m) for c, m in ((0.1, 0.02), (0.1, 0.05), (0.05, 0.05), (0.01, 0.1))] == [1578, 274, 200, 35]


@pytest.mark.parametrize(("loss", "least", "most"), [(0.0, 0.8, 1.0), (0.02, 0.0, 0.05), (0.05, 0.0, 0.0)])
def test_error_rates_at_the_planned_size(tmp_path: Path, loss: float, least: float, most: float) -> None:
    """1,550 items with 10 % changed answers pass a margin of 2 points four times in five where nothing changes."""
    rng, runs, n = np.random.default_rng(3), 150, 1550
    plan = Run(imported(tmp_path, 0.0, n)).plan
    passes = fails = 0
    for _ in range(runs):
        right = rng.random(n) < 0.8
        new = np.where(right, rng.random(n) >= (0.1 + loss) / 1.6, rng.random(n) < (0.1 - loss) / 0.4)
        frame = frame_of(plan, {"none": right, "new": new}, {})
        sides = [[ArmRef(model=plan.models[0].name, setting=plan.settings[0].id, arm=arm)] for arm in ("new", "none")]
        found = non_inferiority(frame, plan, sides[0], sides[1], margin=0.02)
        passes, fails = passes + (found.outcome == "pass"), fails + (found.outcome == "fail")
    error = 3 * (0.05 * 0.95 / runs) ** 0.5
    assert passes / runs >= least - 0.02
    assert passes / runs <= (most + error if most < 1 else 1)
    if loss == 0.05:
        assert fails / runs >= 0.8

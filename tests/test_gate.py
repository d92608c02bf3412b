"""The gate: exit codes, reports for machines, and error rates on tables with a known loss."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multinomial

import promptlab
from promptlab.nouns import ArmRef, Plan, UsageProblem
from promptlab.record.store import Run
from promptlab.reporting import build
from promptlab.reporting import gate as gates
from promptlab.reporting.gate import gate, to_junit, to_markdown, worst
from promptlab.reporting.html import to_html
from promptlab.stats.core import Pairs, infer
from promptlab.stats.noninferior import NonInferiority, items_of_gate, non_inferiority, passing
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


def test_an_open_gate_says_how_many_items_would_do_and_names_exact_bounds(tmp_path: Path) -> None:
    folder = imported(tmp_path, 0.0, 60)
    [found] = gate(Run(folder), None, margin=2)
    changed = round(60 * 0.1)
    assert found.quality.n_needed == items_of_gate(_changed(folder) / 60, 0.02)
    assert abs(_changed(folder) - changed) <= changed, "the table changes about 10 % of the answers"
    assert found.quality.exact
    assert "an end of this interval is an exact bound, and wider than in the report." in found.words
    assert f"with {found.quality.n_needed:,} items in place of 60, 80 % of gates with a margin of 2 points pass" in found.next
    done = run("gate", str(folder), "--margin", "2", "--summary", str(tmp_path / "s.md"))
    assert done.stdout.splitlines()[-1] == f"next: {found.next}"
    assert "next: ask more items" in (tmp_path / "s.md").read_text(encoding="utf-8")
    assert "next:" not in run("gate", str(folder), "--margin", "40").stdout, "it passes"
    [no_price] = gate(Run(folder), None, margin=40, max_cost_increase=5)
    assert "'price'" in no_price.next


def _changed(folder: Path) -> int:
    trials = Run(folder).trials()
    scores = trials[trials["arm"].isin(["none", "new"])].pivot_table(index="item", columns="arm", values="score", observed=True)
    return int((scores["new"] != scores["none"]).sum())


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


@pytest.mark.long
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
    old, better = np.arange(60) < 40, np.arange(60) < 49
    found = non_inferiority(frame_of(plan, {"none": old, "new": better}, {}), plan, arm, base, margin=0.02)
    assert found.outcome == "not enough data"
    assert "no answer got worse" in found.why
    assert "149 items without a loss" in found.why


def test_what_the_report_would_not_judge_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of = Run(imported(tmp_path, 0.0, 2000))
    report = build(run_of)
    assert gate(run_of, None, margin=5)[0].outcome == "pass"
    failed = replace(report, comparisons=tuple(replace(c, status="judge_failed", verdict="refused") for c in report.comparisons))
    monkeypatch.setattr(gates, "build", lambda _: failed)
    [found] = gate(run_of, None, margin=5)
    assert (found.outcome, found.why) == ("not enough data", "the judge failed a control, so its scores say nothing")
    monkeypatch.setattr(gates, "build", lambda _: replace(report, standings=tuple(replace(s, score=0.0) for s in report.standings)))
    [found] = gate(run_of, None, margin=5)
    assert found.outcome == "not enough data"
    assert found.why.startswith("all 4,000 answers score 0. That shows no equality")
    lost = tuple(replace(s, score=0.0, failed=0.25) for s in report.standings)
    monkeypatch.setattr(gates, "build", lambda _: replace(report, standings=lost))
    assert gate(run_of, None, margin=5)[0].why.startswith("all 3,000 answers score 0.")  # failed calls have none
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
    found = [(c, m, items_of_gate(c, m)) for c, m in ((0.1, 0.02), (0.1, 0.05), (0.05, 0.05), (0.01, 0.1))]
    assert [n for *_, n in found] == [1578, 274, 208, 35]
    for changed, margin, n in found:
        assert 0.8 <= passing(n, changed / 2, changed / 2, margin) < 0.87
        assert passing(n, changed / 2, changed / 2 + margin, margin) <= 0.05


def test_false_passes_at_the_margin_are_5_percent_by_exact_sums() -> None:
    """Over sizes, margins and shares of changed answers where a gate has any use; also where the new arm gains nothing."""
    worst = useful = 0.0
    for n, margin in ((100, 0.05), (200, 0.1), (275, 0.05), (800, 0.03), (1200, 0.02), (1550, 0.02)):
        for gained in (0.0, 0.002, 0.01, 0.03, 0.07, 0.15):
            false, changed = passing(n, gained, gained + margin, margin), gained + margin / 2
            worst = max(worst, false)
            if passing(n, changed, changed, margin) >= 0.8:
                useful = max(useful, false)
    assert worst <= 0.0515
    assert useful <= 0.0503


@pytest.mark.parametrize(("margin", "gained", "lost"), [(0.3, 0.15, 0.35), (0.1, 0.5, 0.02)])
def test_the_exact_sums_are_those_of_the_gate_itself(margin: float, gained: float, lost: float) -> None:
    n, total = 24, 0.0
    for up in range(n + 1):
        for down in range(n + 1 - up):
            control, treated = (np.repeat([1.0, *both, 1.0], [0, up, down, n - up - down]) for both in ((0.0, 1.0), (1.0, 0.0)))
            ends = infer([Pairs("t", treated, control, None, n)]).equivalence(margin, 0.05)
            if ends is not None and ends[1] > -margin:
                total += float(multinomial.pmf([up, down, n - up - down], n, [gained, lost, 1 - gained - lost]))
    assert total == pytest.approx(passing(n, gained, lost, margin), abs=1e-12)


def test_outcomes_at_the_planned_size(tmp_path: Path) -> None:
    """Tables of 1,578 items at a margin of 2 points: passes and failures are where the ends say so, and about as often as planned."""
    rng, n, margin = np.random.default_rng(3), 1578, 0.02
    plan = Run(imported(tmp_path, 0.0, n)).plan
    new, old = ([ArmRef(model=plan.models[0].name, setting=plan.settings[0].id, arm=arm)] for arm in ("new", "none"))
    said: dict[float, list[str]] = {0.0: [], 0.05: []}
    for loss, outcomes in said.items():
        for _ in range(8):
            right = rng.random(n) < 0.8
            treated = np.where(right, rng.random(n) >= (0.1 + loss) / 1.6, rng.random(n) < (0.1 - loss) / 0.4)
            found = non_inferiority(frame_of(plan, {"none": right, "new": treated}, {}), plan, new, old, margin=margin)
            assert found.low is not None
            assert found.high is not None
            assert (found.outcome == "pass") is (found.low > -margin)
            assert (found.outcome == "fail") is (found.low <= -margin and found.high < 0)
            outcomes.append(found.outcome)
    assert said[0.0].count("pass") >= 5
    assert said[0.05] == ["fail"] * 8


def test_the_page_names_the_margin_of_its_grey_band(tmp_path: Path) -> None:
    report = build(Run(imported(tmp_path, 0.0, 60)))
    two = replace(report, plan=replace(report.plan, tasks=report.plan.tasks * 2))
    for of, points in ((report, 5), (two, 2)):
        assert f"A difference of {points} points counts (grey band)" in to_html(of)

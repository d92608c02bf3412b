"""Cheats against a run, and what notices each; the table of docs/audit.md is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import runs
from cheats import CHEATS, Cheat, changed, copy, flipped, rechained, rows_changed
from conftest import ROOT
from promptlab import api
from promptlab.nouns import RunProblem
from promptlab.planning.audit import DIFFERS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import audited
from promptlab.reporting.checked import failures
from promptlab.reporting.gate import gate
from promptlab.reporting.history import history
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest")
    study = resolve(experiment(folder, models="  - sim/planted", items=8))
    return run_sweep(study, folder / "runs", None, Execution(), lambda _: None).folder


def differing(run: Path) -> list[str]:
    return [row.what for row in audited.of_run(Run(run)) if row.says == DIFFERS]


def test_an_honest_run_passes(honest: Path) -> None:
    assert failures(Run(honest)) == []
    assert differing(honest) == []


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_a_cheat_is_noticed_by_what_the_page_says(honest: Path, tmp_path: Path, cheat: Cheat) -> None:
    run = copy(honest, tmp_path)
    cheat.do(run)
    try:
        api.report(run)
        refused = False
    except RunProblem as error:
        refused = "fails its audit" in str(error)
        forced = api.report(run, force=True)
        for text in (forced.to_html(), forced.to_markdown(), forced.to_json(), forced.to_csv(), repr(forced)):
            assert "FAILS ITS AUDIT" in text
    assert refused == cheat.report
    assert bool(differing(run)) == cheat.audit


def screened(folder: Path) -> Path:
    return experiment(folder, name="screened", models="  - sim/planted", stimuli="emotionprompt/EP0*", items=60, more="confirm: 0.5\n")


def looked(folder: Path) -> Path:
    return experiment(folder, name="looked", models="  - sim/planted", items=40, more="analysis: {looks: 2}\n")


def choices_forged(run: Path) -> None:
    rows = json.loads((run / "looks.json").read_text())
    for row in rows.get("screening", ()):
        row["chosen"] = not row["chosen"]
    for row in rows.get("looks", ()):
        row["decision"] = "futility"
    (run / "looks.json").write_text(json.dumps(rows))


def moved_to_the_first_part(run: Path) -> None:
    plan = Run(run).plan
    start = plan.confirm.order if plan.confirm else plan.looks[0].order
    rows_changed(run, "trials", lambda row: {**row, "order": row["order"] - start} if row["order"] >= start and not row["score"] else row)
    rechained(run)


@pytest.mark.parametrize("made", [screened, looked])
@pytest.mark.parametrize("workers", [1, 2])
def test_choices_on_the_way_are_made_again(tmp_path: Path, made: Callable[[Path], Path], workers: int) -> None:
    study = resolve(made(tmp_path))
    few = Execution(max_tokens=3_000)
    assert failures(Run(run_sweep(study, tmp_path / "runs", None, few, lambda _: None).folder)) == [], "in progress"
    run = run_sweep(study, tmp_path / "runs", None, Execution(workers=workers), lambda _: None).folder
    assert failures(Run(run)) == []
    assert api.report(run).failed == (), "a report of one part is checked against the whole run"
    cheats = [lambda f: (f / "looks.json").unlink(), choices_forged, moved_to_the_first_part]
    for number, cheat in enumerate(cheats if workers == 1 else ()):
        forged = copy(run, tmp_path / str(number))
        cheat(forged)
        assert failures(Run(forged)), number


def test_gate_history_and_compare_know_it(honest: Path, tmp_path: Path) -> None:
    run = copy(honest, tmp_path)
    rows_changed(run, "trials", flipped)
    with pytest.raises(RunProblem, match="fails its audit"):
        gate(Run(run), "emotionprompt/EP02")
    with pytest.raises(RunProblem, match="fails its audit"):
        api.compare(run, "none", "emotionprompt/EP02")
    assert "fails its audit" in " ".join(api.compare(run, "none", "emotionprompt/EP02", force=True).notes)
    [entry] = history("small", tmp_path)
    assert entry.state == "fails its audit"


def table() -> str:
    head = ["| cheat | `report` refuses | `audit` differs | what else |", "|---|---|---|---|"]
    words = {True: "yes", False: "no"}
    return "\n".join([*head, *(f"| {c.name} | {words[c.report]} | {words[c.audit]} | {c.otherwise or '-'} |" for c in CHEATS)])


def test_the_page_holds_the_table() -> None:
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert table() in page, table()
    assert len(CHEATS) >= 15


def test_commands_refuse_and_force_says_why(honest: Path, tmp_path: Path) -> None:
    folder = copy(honest, tmp_path / "runs")
    asked = runs.run("audit", str(folder), "--ask", "5")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "5 of 5 sent again have the recorded score" in asked.stdout
    changed(folder, "plan.json", lambda plan: plan["margins"].update(mean=0.5))
    path = experiment(tmp_path, models="  - sim/planted", items=8)
    for command in (["report", str(folder)], ["export", str(folder)], ["sweep", str(path), "--runs", str(tmp_path / "runs")]):
        done = runs.run(*command)
        assert done.returncode == 1, command
        assert "fails its audit" in done.stderr
        forced = runs.run(*command, "--force")
        assert "FAILS ITS AUDIT" in forced.stdout.upper(), command
    assert runs.run("audit", str(folder)).returncode == 1

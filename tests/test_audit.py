"""Cheats against a run, and what notices each; the table of docs/audit.md is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import runs
from cheats import CHEATS, Cheat, changed, copy
from conftest import ROOT
from promptlab import api
from promptlab.nouns import RunProblem
from promptlab.planning.audit import DIFFERS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import audited
from promptlab.reporting.checked import failures
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
